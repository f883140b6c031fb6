"""
peers - other people's mail programs, each in a folder of the test's own.

tools/peers has unpacked them below build/peers; none is installed, none is
set-id, none leaves a process behind. Each is called through a small script
which, if it is root, becomes nobody, so that nothing of the machine can be
touched.

    exim = Exim(tmp_path)       # accepts everything, adds nothing
    subprocess.run([exim.program, "-bS"], stdin=batch)
    exim.messages()             # -> [Delivered(sender, rcpts, content)]
"""

from __future__ import annotations

import ctypes.util
import dataclasses
import os
import pathlib
import shlex
import subprocess

import pytest

from zpost import ROOT

PEERS = ROOT / "build" / "peers"
NOBODY = 65534


def peer(package: str, path: str) -> pathlib.Path:
    """A file of an unpacked package; or skips, saying its name."""
    found = PEERS / package / path
    if not found.exists():
        pytest.skip(f"{package} is not unpacked (make setup)")
    return found


def ids() -> tuple[int, int]:
    """Whom peers run as."""
    if os.getuid() == 0:
        return NOBODY, NOBODY
    return os.getuid(), os.getgid()


def own(*paths: pathlib.Path) -> None:
    """Gives files to whom peers run as."""
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, *ids())


def script(path: pathlib.Path, env: dict, argv: list) -> pathlib.Path:
    """
    Writes a program that runs argv with env and its own arguments, and gives
    up root before.
    """
    lines = [f"export {k}={shlex.quote(str(v))}\n" for k, v in env.items()]
    path.write_text(
        "#!/bin/sh\n"
        '[ "$(id -u)" != 0 ] || exec /usr/bin/setpriv '
        f'--reuid={NOBODY} --regid={NOBODY} --clear-groups "$0" "$@"\n'
        + "".join(lines) + "exec " + shlex.join(map(str, argv))
        + ' "$@"\n')
    path.chmod(0o755)
    return path


# ---- Exim ------------------------------------------------------------------

# One file a recipient: three lines of ours, then the message.
EXIM = """
exim_user = {uid}
exim_group = {gid}
exim_path = {folder}/exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
primary_hostname = exim.example
qualify_domain = exim.example
never_users =
host_lookup =
keep_environment =
deliver_drop_privilege = true
untrusted_set_sender = *
local_from_check = false
received_header_text =
message_size_limit = 0
dsn_advertise_hosts = *
smtp_enforce_sync = false
smtp_accept_queue_per_connection = 0
acl_not_smtp = accept
acl_smtp_mail = accept
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  directory = {folder}/mail
  directory_file = ${{message_exim_id}}-${{original_local_part}}-${{pid}}
  message_prefix = "${{sender_address}}\\n${{local_part}}@${{domain}}\\n\
${{message_exim_id}}\\n"
  message_suffix =
  mode = 0644
begin retry
*  *  F,1h,1m
"""


@dataclasses.dataclass
class Delivered:
    """One message as a mail system understood it."""

    sender: str
    rcpts: list[str]
    content: bytes


class Exim:
    """
    Debian's Exim with a configuration of its own: -bS (batched SMTP on
    standard input), -bs (a session, which need not wait for replies) and
    rmail. It delivers at once, into files, and adds nothing to a message that
    has Date, From and Message-ID. -bS knows no parameters, -bs all but BY.
    """

    def __init__(self, base: pathlib.Path):
        exim = peer("exim4-daemon-light", "usr/sbin/exim4")
        wrapper = ctypes.util.find_library("nss_wrapper")
        if wrapper is None:
            pytest.skip("libnss-wrapper is not installed")
        self.folder = base / "exim"
        uid, gid = ids()
        own(self.folder, *(self.folder / name
                           for name in ("spool", "log", "mail")))
        conf = self.folder / "conf"
        conf.write_text(EXIM.format(folder=self.folder, uid=uid, gid=gid))
        # Exim insists that the user it was built for exists.
        passwd, group = self.folder / "passwd", self.folder / "group"
        passwd.write_text("root:x:0:0::/:/bin/sh\n" + "".join(
            f"{name}:x:{uid}:{gid}::/:/bin/sh\n"
            for name in ("nobody", "Debian-exim")))
        group.write_text("root:x:0:\n" + "".join(
            f"{name}:x:{gid}:\n" for name in ("nogroup", "Debian-exim",
                                              "mail")))
        env = {"LD_PRELOAD": wrapper, "NSS_WRAPPER_PASSWD": passwd,
               "NSS_WRAPPER_GROUP": group}
        options = ["-C", conf, "-odi"]
        self.program = script(self.folder / "exim", env, [exim, *options])
        self.rmail = script(self.folder / "rmail", env,
                            [exim.parent / "rmail", *options])

    @property
    def log(self) -> str:
        return "".join(p.read_text("utf-8", "replace") for p in sorted(
            (self.folder / "log").iterdir()))

    def read_batch(self, file: pathlib.Path) -> None:
        """-bS over a file; it must like all of it."""
        with open(file, "rb") as batch:
            done = subprocess.run([self.program, "-bS"], stdin=batch,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=30)
        assert (done.returncode, done.stdout) == (0, b"")

    def messages(self) -> list[Delivered]:
        """All that was delivered so far, in the order of acceptance."""
        found: dict[bytes, Delivered] = {}
        for path in sorted((self.folder / "mail").iterdir()):
            sender, rcpt, name, content = path.read_bytes().split(b"\n", 3)
            message = found.setdefault(
                name, Delivered(sender.decode(), [], content))
            assert message.content == content
            message.rcpts.append(rcpt.decode())
        return list(found.values())


# ---- Dovecot ---------------------------------------------------------------

LDA = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols =
ssl = no
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {uid}
mail_gid = {gid}
mail_home = {folder}/mail/%u
mail_location = maildir:{folder}/mail/%u/Maildir
mail_plugin_dir = {modules}
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
hostname = lda.example
postmaster_address = postmaster@lda.example
"""


class Lda:
    """
    Dovecot's delivery program, for the user whom $USER names: a program of a
    mail user's own, without any daemon. It writes maildirs and takes a From_
    line away.
    """

    def __init__(self, base: pathlib.Path):
        lda = peer("dovecot-core", "usr/lib/dovecot/dovecot-lda")
        root = lda.parent.parent.parent.parent
        self.folder = base / "dovecot"
        self.mail = self.folder / "mail"
        own(self.folder, self.mail)
        uid, gid = ids()
        conf = self.folder / "conf"
        conf.write_text(LDA.format(folder=self.folder, uid=uid, gid=gid,
                                   modules=root / "usr/lib/dovecot/modules"))
        # As dovecot-lda does itself, but it would look in /usr/bin.
        self.program = script(
            self.folder / "lda",
            {"LD_LIBRARY_PATH": root / "usr/lib/dovecot",
             "HOME": self.folder},
            [root / "usr/bin/doveconf", "-f", "service=lda", "-c", conf,
             "-m", "lda", "-e", lda])

    def messages(self, user: str) -> list[bytes]:
        new = self.mail / user / "Maildir" / "new"
        return [p.read_bytes() for p in sorted(new.iterdir())]


# ---- UUCP ------------------------------------------------------------------

UUCP = """
nodename here
spool {folder}/spool
pubdir {folder}/public
logfile {folder}/log/Log
statfile {folder}/log/Stats
debugfile {folder}/log/Debug
lockdir {folder}/spool
sysfile {folder}/sys
portfile {folder}/empty
dialfile {folder}/empty
callfile {folder}/empty
passwdfile {folder}/empty
"""


class Uucp:
    """
    Taylor UUCP with a spool of its own, the machine "here" and a neighbour
    "mars" that is never called. What is queued for "here" can be executed:
    `rmail` is then the program of that name in .commands.
    """

    def __init__(self, base: pathlib.Path):
        programs = (peer("uucp", "usr/bin/uux"),
                    peer("uucp", "usr/sbin/uuxqt"))
        self.folder = base / "uucp"
        self.commands = self.folder / "commands"
        own(self.folder, self.commands, *(
            self.folder / name for name in ("spool", "public", "log")))
        (self.folder / "empty").touch()
        conf = self.folder / "conf"
        conf.write_text(UUCP.format(folder=self.folder))
        self.uux, self.uuxqt = (
            script(self.folder / path.name, {}, [path, "-I", conf])
            for path in programs)
        (self.folder / "sys").write_text(
            f"commands rmail\ncommand-path {self.commands}\n"
            "system mars\nsystem here\n")

    def execute(self) -> None:
        """Runs all that is queued for this machine."""
        subprocess.run([self.uuxqt], check=True, timeout=30)

    @property
    def log(self) -> str:
        path = self.folder / "log" / "Log"
        return path.read_text() if path.exists() else ""

    def queued(self, system: str) -> list[tuple[list[str], bytes]]:
        """The commands that wait for a system, and their standard input."""
        spool = self.folder / "spool" / system
        # "NUMBER E FILE destination user options temporary mode notify size
        # command...": send a file and have it executed.
        lines = sorted(path.read_text().split()
                       for path in (spool / "C.").iterdir())
        assert all(words[0].endswith("E") for words in lines), lines
        return [(words[9:], (spool / "D." / words[1]).read_bytes())
                for words in lines]

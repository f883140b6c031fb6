"""
peers_mta - Exim, sendmail, OpenSMTPD and Dovecot's LMTP, each in a root of
its own (see peerroot.py).

Each takes what it is given and keeps it in its queue (Dovecot, which has
none: in mailboxes); taken() reads it there. Local parts that are refused are
the same with all: "reject" 550, "defer" 450 or 451.

    with Exim(tmp_path) as exim:
        ... deliver to exim.destination ...
        exim.taken()            # -> [Taken(sender, rcpts, content, ...)]
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

from peerroot import Missing, Server, Taken, take_off

# ---- Exim -------------------------------------------------------------------

EXIM = """
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim/%slog
pid_file_path = /var/run/exim.pid
local_interfaces = <; 127.0.0.1.{port}
primary_hostname = exim.example
qualify_domain = exim.example
queue_only = true
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
received_header_text =
smtp_accept_max = 0
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_nonmail = 1000000
smtp_accept_reserve = 0
smtp_max_unknown_commands = 1000
recipients_max = 0
check_spool_space = 0
check_spool_inodes = 0
tls_advertise_hosts =
never_users =
acl_smtp_mail = accept
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
{main}
begin acl
acl_rcpt:
  defer   local_parts = defer : greylist
          message = 4.2.1 try again later
  deny    local_parts = reject
          message = 5.1.1 no such user
  accept
acl_data:
  defer   senders = after@example.net
          message = 4.3.0 not today
  accept
begin routers
none:
  driver = accept
  transport = none
begin transports
none:
  driver = appendfile
  file = /dev/null
begin retry
*  *  F,1h,1m
"""

# What it offers, each where it can be turned off.
EXIM_MAIN = {
    "message_size_limit": "0",
    "chunking_advertise_hosts": "*",
    "pipelining_advertise_hosts": "*",
    "pipelining_connect_advertise_hosts": "*",
    "dsn_advertise_hosts": "*",
    "smtputf8_advertise_hosts": "*",
    "prdr_enable": "true",
    "accept_8bitmime": "true",
}


class Exim(Server):
    """queue_only; keyword arguments are main options, see EXIM_MAIN."""

    NAME = "exim"
    PACKAGES = ["exim4-daemon-light"]
    USERS = {"Debian-exim": 61003, "mail": 8}

    def __init__(self, folder, **main):
        self.main = main
        super().__init__(folder)

    def setup(self) -> None:
        values = {**EXIM_MAIN, **self.main}
        self.write("etc/exim4/exim4.conf", EXIM.format(
            port=self.port,
            main="\n".join(f"{k} = {v}" for k, v in values.items())))
        for name in ("var/spool/exim4", "var/log/exim"):
            self.make_dir(name, "Debian-exim", "Debian-exim", 0o750)

    def command(self) -> list[str]:
        return ["exim4", "-bdf", "-oX", f"127.0.0.1.{self.port}",
                "-C", "/etc/exim4/exim4.conf"]

    def taken(self) -> list[Taken]:
        top = self.folder / "var/spool/exim4/input"
        # The -H file comes last, by a rename, and makes a message of it.
        return [read_exim(path) for path in sorted(top.rglob("*-H"))]


# -dsn_ret, and the bits of a recipient's DSN flags.
EXIM_RET = {"1": "FULL", "2": "HDRS"}
EXIM_NOTIFY = {2: "NEVER", 4: "SUCCESS", 8: "FAILURE", 16: "DELAY"}


def unxtext(text: str | None) -> str | None:
    return text and re.sub(r"\+([0-9A-F]{2})",
                           lambda m: chr(int(m[1], 16)), text)


def bit_names(names: dict[int, str], bits: int) -> str | None:
    return ",".join(n for bit, n in names.items() if bits & bit) or None


def read_exim(path: pathlib.Path) -> Taken:
    """A -H file, as Exim's manual has it, and the -D file beside it."""
    data = path.read_bytes()
    front, _, rest = data.partition(b"\nXX\n")
    lines = front.decode().split("\n")
    options = dict(line[1:].partition(" ")[::2] for line in lines[4:]
                   if line.startswith("-"))
    found = Taken(path.name[:-2], lines[2][1:-1], [], b"",
                  envid=unxtext(options.get("dsn_envid")),
                  ret=EXIM_RET.get(options.get("dsn_ret", "")),
                  utf8="smtputf8" in options)
    number, rest = rest.split(b"\n", 1)
    for _ in range(int(number)):
        line, rest = rest.split(b"\n", 1)
        # ADDRESS ORCPT LENGTH,FLAGS ERRORS_TO LENGTH,PARENT#BITS
        words = line.decode().split(" ")
        found.rcpts.append(words[0])
        dsn = len(words) > 2 and words[2].partition(",")
        found.orcpt.append(unxtext(words[1]) if dsn and dsn[0] != "0"
                           else None)
        found.notify.append(bit_names(EXIM_NOTIFY, int(dsn[2]))
                            if dsn else None)
    at, header = 1, b""
    while at < len(rest):
        length, kind = int(rest[at:at + 3]), rest[at + 3:at + 4]
        at += 5
        if kind != b"*":                # else: removed
            header += rest[at:at + length]
        at += length
    body = path.with_name(path.name[:-1] + "D").read_bytes()
    found.content = header + b"\n" + body.split(b"\n", 1)[1]
    return found


# ---- sendmail ---------------------------------------------------------------

SENDMAIL = """include(_CF_DIR_`m4/cf.m4')
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME',`sendmail.example')dnl
define(`QUEUE_DIR',`/var/spool/mqueue')dnl
define(`confPID_FILE',`/var/run/sendmail.pid')dnl
define(`STATUS_FILE',`')dnl
define(`ALIAS_FILE',`')dnl
define(`HELP_FILE',`')dnl
define(`confCW_FILE',`')dnl
define(`confTO_IDENT',`0s')dnl
define(`confBIND_OPTS',`')dnl
define(`confDELIVERY_MODE',`{delivery}')dnl
define(`SMTP_MAILER_ARGS',`TCP $h {relay_port}')dnl
define(`confSAFE_QUEUE',`False')dnl
define(`confQUEUE_LA',`10000')dnl
define(`confREFUSE_LA',`10000')dnl
define(`confMIN_FREE_BLOCKS',`0')dnl
define(`confMAX_MESSAGE_SIZE',`{max_size}')dnl
define(`confPRIVACY_FLAGS',`{privacy}')dnl
define(`confDELIVER_BY_MIN',`{min_by}')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
define(`SMART_HOST',`smtp:[127.0.0.1]')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA, Port={port}, Addr=127.0.0.1')dnl
MAILER(`smtp')dnl
LOCAL_RULESETS
SLocal_check_rcpt
R<reject@$+>	$#error $@ 5.1.1 $: "550 no such user"
R<defer@$+>	$#error $@ 4.2.1 $: "450 try again later"
Ssrv_features
R$*	$# {features}
"""


class Sendmail(Server):
    """
    Queues and never runs its queue, unless it has a relay_port, to which it
    then passes on at once. features: the letters of its ruleset srv_features,
    e.g. "p" for no PIPELINING.
    """

    NAME = "sendmail"
    PACKAGES = ["sendmail-bin", "sendmail-cf"]
    USERS = {"daemon": 1, "mail": 8, "smmsp": 61004, "smmta": 61005}

    def __init__(self, folder, features: str = "V", privacy: str = "",
                 max_size: int = 0, min_by: int = 1, relay_port: int = 0):
        self.values = {"features": features, "privacy": privacy,
                       "max_size": max_size, "min_by": min_by,
                       "relay_port": relay_port,
                       "delivery": "i" if relay_port else "q"}
        super().__init__(folder)

    def setup(self) -> None:
        mc = SENDMAIL
        for name, value in {**self.values, "port": self.port}.items():
            mc = mc.replace("{%s}" % name, str(value))
        self.write("etc/mail/sendmail.mc", mc)
        self.make_dir("var/spool/mqueue", mode=0o700)
        # On this machine: it wants a shell and its tools.
        if shutil.which("m4") is None:
            raise Missing("m4 is not installed")
        done = subprocess.run(
            ["m4", f"-D_CF_DIR_={self.folder}/usr/share/sendmail/cf/",
             self.folder / "etc/mail/sendmail.mc"], timeout=60, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.write("etc/mail/sendmail.cf", done.stdout)

    def command(self) -> list[str]:
        return ["/usr/libexec/sendmail/sendmail", "-bD",
                "-C", "/etc/mail/sendmail.cf"]

    def taken(self) -> list[Taken]:
        top = self.folder / "var/spool/mqueue"
        # One whose writer died lacks its last line.
        return [read_sendmail(path) for path in sorted(top.glob("qf*"))
                if path.read_bytes().endswith(b"\n.\n")]


# Flags of a queue file's R line.
SENDMAIL_NOTIFY = {"S": "SUCCESS", "F": "FAILURE", "D": "DELAY"}


def read_sendmail(path: pathlib.Path) -> Taken:
    """A qf file, one letter a line, and the df file beside it."""
    found = Taken(path.name[2:], "", [], b"")
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    fields = re.findall(r"(?m)^([^ \t\n])(.*(?:\n[ \t].*)*)\n", text)
    header, orcpt, flags = "", None, ""
    for letter, value in fields:
        if letter == "S":
            found.sender = value.strip("<>")
        elif letter == "Z":
            found.envid = unxtext(value)
        elif letter == "F":
            flags = value
        elif letter == "!":
            mode, seconds = ord(value[0]), value[2:]
            found.by = seconds + ";" + ("R" if mode & 2 else "N") + (
                "T" if mode & 16 else "")
        elif letter == "Q":
            orcpt = unxtext(value)
        elif letter == "R":
            how, _, user = value.partition(":")
            words = [n for c, n in SENDMAIL_NOTIFY.items() if c in how]
            found.rcpts.append(user.strip("<>"))
            found.notify.append((",".join(words) or "NEVER")
                                if "N" in how else None)
            found.orcpt.append(orcpt)
            orcpt = None
        elif letter == "H":
            _, macro, field = value.split("?", 2)
            if macro != "P":        # Return-Path:, kept for a final delivery
                header += field + "\n"
    if "d" in flags:
        found.ret = "HDRS" if "n" in flags else "FULL"
    body = path.with_name("df" + path.name[2:])
    found.content = take_off(
        header.encode("utf-8", "surrogateescape"), "Received") + b"\n" + (
        body.read_bytes() if body.exists() else b"")
    return found


# ---- OpenSMTPD --------------------------------------------------------------

OPENSMTPD = """
smtp max-message-size {max_size}
smtp limit max-mails {max_mails}
listen on 127.0.0.1 port {port} hostname opensmtpd.example
table all {{ "@" = nobody }}
action "keep" maildir "/nowhere" virtual <all>
match from any for rcpt-to regex "^(reject)@" reject
match from any for any action "keep"
"""


class Opensmtpd(Server):
    """Deliveries are paused from the start, so that its queue keeps all."""

    NAME = "opensmtpd"
    PACKAGES = ["opensmtpd"]
    PROGRAMS = ["sh"]
    USERS = {"opensmtpd": 61006, "opensmtpq": 61007}

    def __init__(self, folder, max_size: str = "35M",
                 max_mails: int = 10000):
        self.values = {"max_size": max_size, "max_mails": max_mails}
        super().__init__(folder)

    def setup(self) -> None:
        self.write("etc/smtpd.conf",
                   OPENSMTPD.format(port=self.port, **self.values))
        self.make_dir("var/spool/smtpd", mode=0o711)
        self.make_dir("var/lib/opensmtpd/empty", mode=0o711)

    def command(self) -> list[str]:
        return ["smtpd", "-d", "-P", "mda", "-P", "mta", "-f",
                "/etc/smtpd.conf"]

    def taken(self) -> list[Taken]:
        top = self.folder / "var/spool/smtpd/queue"
        return [read_opensmtpd(path.parent)
                for path in sorted(top.glob("*/*/message"))]


OPENSMTPD_NOTIFY = {1: "SUCCESS", 2: "FAILURE", 4: "DELAY", 8: "NEVER"}


def read_opensmtpd(folder: pathlib.Path) -> Taken:
    """A folder of its queue: the message, and an envelope a recipient."""
    found = Taken(folder.name, "", [], take_off(
        (folder / "message").read_bytes(), "Received"))
    for path in sorted(folder.glob(folder.name + "*")):
        fields = dict(line.split(": ", 1) if ": " in line
                      else (line.rstrip(":"), "")
                      for line in path.read_text().splitlines())
        found.sender = fields["sender"].removeprefix("@")   # "@": nobody
        found.envid = unxtext(fields.get("dsn-envid"))
        found.ret = fields.get("dsn-ret")
        found.rcpts.append(fields["rcpt"])
        found.notify.append(bit_names(OPENSMTPD_NOTIFY,
                                      int(fields.get("dsn-notify", "0"))))
        orcpt = unxtext(fields.get("dsn-orcpt"))
        found.orcpt.append(orcpt and "rfc822;" + orcpt)
    return found


# ---- Dovecot ----------------------------------------------------------------

DOVECOT = """
protocols = lmtp
base_dir = /run/dovecot
log_path = /var/log/dovecot
ssl = no
first_valid_uid = 1
first_valid_gid = 1
mail_uid = nobody
mail_gid = nogroup
mail_home = /mail/%u
mail_location = maildir:/mail/%u:INDEX=MEMORY
hostname = dovecot.example
postmaster_address = postmaster@dovecot.example
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
lmtp_add_received_header = no
lmtp_hdr_delivery_address = none
lda_mailbox_autocreate = no
quota_full_tempfail = no
mail_fsync = never
{main}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/refused
  result_success = return-fail
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/mail/%u allow_all_users=yes
}}
service lmtp {{
  process_min_avail = 1
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


class DovecotLmtp(Server):
    """
    LMTP over TCP and at a UNIX socket (.socket, whose path is as long as
    `folder` makes it). A maildir for each recipient.
    """

    NAME = "dovecot"
    PACKAGES = ["dovecot-core", "dovecot-lmtpd"]
    USERS = {"dovecot": 61008, "dovenull": 61009}

    def __init__(self, folder, **main):
        self.main = main
        super().__init__(folder)

    def setup(self) -> None:
        self.write("etc/dovecot/dovecot.conf", DOVECOT.format(
            port=self.port, main="\n".join(
                f"{k} = {v}" for k, v in self.main.items())))
        self.write("etc/dovecot/refused", "".join(
            f"reject@{d}:::::\n" for d in ("example.com", "y.z")))
        self.make_dir("run/dovecot")
        self.make_dir("var/lib/dovecot")
        self.make_dir("mail", "nobody", "nobody")

    def start(self) -> "DovecotLmtp":
        # A process that was killed held them, and its number may be in use
        # again.
        for lock in (self.folder / "mail").glob("*/*.lock"):
            lock.unlink()
        return super().start()

    @property
    def socket(self) -> pathlib.Path:
        return self.folder / "run/dovecot/lmtp"

    def command(self) -> list[str]:
        return ["dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf"]

    def taken(self) -> list[Taken]:
        """Copies of one text count as one message to all who have it."""
        found: dict[bytes, Taken] = {}
        for path in sorted((self.folder / "mail").glob("*/new/*")):
            data = path.read_bytes()
            m = re.match(rb"Return-Path: <(.*)>\n", data)
            assert m is not None, data[:200]
            message = found.setdefault(data, Taken(
                path.name, m[1].decode(), [], data[m.end():]))
            message.rcpts.append(path.parent.parent.name)
        return list(found.values())

"""
peers_postfix - Debian's Postfix in a root of its own (see peerroot.py).

As a receiver: it takes everything, for recipients in any domain but the ones
below, and puts it on hold, so that the queue files show what was understood.

    with Postfix(tmp_path) as postfix:
        ... deliver to postfix.destination, "[127.0.0.1]:PORT" ...
        postfix.taken()             # -> [Taken(sender, rcpts, content, ...)]

    Local parts "reject", "defer", "full" and "greylist" are refused at RCPT;
    further lines of main.cf are keyword arguments:
    Postfix(folder, message_size_limit=100000,
            smtpd_discard_ehlo_keywords="chunking,dsn")

As a load, for measuring; nothing here needs pytest:

    with Postfix(folder, mode="discard") as sink:
        # smtpd that takes messages and throws them away (discard(8)), with
        # all the work of a queue; sink.port
        sink.run("smtp-source", "-d", "-s", "1", "-m", "5000", "-l", "4096",
                 "-f", "a@example.org", "-t", "b@example.net",
                 f"127.0.0.1:{other_port}")
        # any program of Postfix on the loopback network; argv() gives the
        # command instead, to be timed by somebody else

    with Postfix(folder, mode="relay", relay_port=sink_port) as source:
        source.inject(2000, size=4096)      # queued on hold
        source.submit([message, ...])       # or these, by sendmail(1)
        source.release()                    # off hold, still not sent
        start = time.monotonic()
        source.flush()                      # all goes, over one connection
        source.wait_empty(60)
        rate = 2000 / (time.monotonic() - start)
        # connections=10 lets it use as many side by side

As root only (Missing otherwise). Started in some 0.5 s. Spool and log lie in
source.folder/var/spool/postfix and source.log.
"""

from __future__ import annotations

import os
import re
import time

from peerroot import Server, Taken, take_off

MAIN = """
compatibility_level = 3.6
queue_directory = /var/spool/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
default_privs = nobody
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example
myorigin = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
append_dot_mydomain = no
maillog_file = /var/log/mail
maillog_file_prefixes = /var/log
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtputf8_enable = yes
message_size_limit = 0
mailbox_size_limit = 0
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
    check_recipient_access regexp:/etc/postfix/rcpt
smtpd_end_of_data_restrictions =
    check_sender_access inline:{{after@example.net = 451 4.3.0 not today}}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
smtpd_client_new_tls_session_rate_limit = 0
smtpd_client_auth_rate_limit = 0
smtpd_soft_error_limit = 100000
smtpd_hard_error_limit = 100000
smtpd_junk_command_limit = 100000
smtpd_tls_security_level = none
smtp_tls_security_level = none
in_flow_delay = 0
notify_classes =
enable_long_queue_ids = yes
"""

MODES = {
    # A message on hold is complete in the queue and goes nowhere.
    "hold": "default_transport = smtp:\n"
            "smtpd_data_restrictions = check_client_access static:HOLD\n",
    "discard": "default_transport = discard:\n",
    "relay": "relayhost = [127.0.0.1]:{relay_port}\n"
             "header_checks = static:HOLD\n"
             "smtpd_recipient_restrictions =\n"
             "smtp_destination_concurrency_limit = {connections}\n"
             "initial_destination_concurrency = {connections}\n"
             "default_process_limit = 100\n"
             "smtp_connection_cache_destinations = [127.0.0.1]:{relay_port}\n"
             "smtp_connection_reuse_time_limit = 3600s\n",
}

RCPT = """
/^reject@/      550 5.1.1 no such user
/^defer@/       450 4.2.1 try again later
/^full@/        452 4.2.2 mailbox full
/^greylist@/    451 4.7.1 greylisted
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - {connections} smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
scache    unix - - n - 1 scache
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""

# The queue's folders: who owns them, and with which mode.
QUEUE = {"active": 0o700, "bounce": 0o700, "corrupt": 0o700, "defer": 0o700,
         "deferred": 0o700, "flush": 0o700, "hold": 0o700, "incoming": 0o700,
         "private": 0o700, "saved": 0o700, "trace": 0o700}


class Postfix(Server):
    """See above. mode: "hold", "discard" or "relay"."""

    NAME = "postfix"
    PACKAGES = ["postfix"]
    USERS = {"postfix": 61001, "postdrop": 61002}

    def __init__(self, folder, mode: str = "hold", relay_port: int = 0,
                 connections: int = 1, **main):
        self.mode = mode
        self.relay_port = relay_port
        self.connections = connections
        self.main = main
        super().__init__(folder)

    def setup(self) -> None:
        values = {"port": self.port, "relay_port": self.relay_port,
                  "connections": self.connections}
        self.write("etc/postfix/rcpt", RCPT)
        self.write("etc/postfix/master.cf", MASTER.format(**values))
        self.configure()
        self.make_dir("var/spool/postfix")
        for name, mode in QUEUE.items():
            self.make_dir(f"var/spool/postfix/{name}", "postfix",
                          mode=mode)
        self.make_dir("var/spool/postfix/pid")
        self.make_dir("var/spool/postfix/maildrop", "postfix", "postdrop",
                      0o730)
        self.make_dir("var/spool/postfix/public", "postfix", "postdrop",
                      0o710)
        self.make_dir("var/lib/postfix", "postfix", mode=0o700)

    def configure(self) -> None:
        """Writes main.cf; of lines of the same name the last counts."""
        mode = MODES[self.mode].format(relay_port=self.relay_port,
                                       connections=self.connections)
        values = dict(re.findall(
            r"(?m)^(\w+) =((?:[^\n]*)(?:\n[ \t]+[^\n]*)*)", MAIN + mode))
        values.update({k: f" {v}" for k, v in self.main.items()})
        conf = self.write("etc/postfix/main.cf", "".join(
            f"{k} ={v}\n" for k, v in values.items()))
        # Postfix waits until its configuration has settled.
        os.utime(conf, (1e9, 1e9))

    def command(self) -> list[str]:
        # Its own session is there already; -s keeps the descriptors.
        return ["/usr/lib/postfix/sbin/master", "-c", "/etc/postfix", "-d",
                "-s"]

    # -- as a receiver --

    def queue_files(self, *queues: str) -> list:
        """The files of these queues; all of what is taken by default."""
        found = []
        for name in queues or ("incoming", "active", "deferred", "hold",
                               "maildrop"):
            top = self.folder / "var/spool/postfix" / name
            for folder, _, files in os.walk(top):
                found += [os.path.join(folder, f) for f in files]
        return sorted(found)

    def taken(self) -> list[Taken]:
        """
        All that is complete in the queue: a file that is still being
        received, or whose writer died, is not yet executable.
        """
        return [read_queue_file(path) for path in self.queue_files()
                if os.stat(path).st_mode & 0o100]

    # -- as a sender --

    def inject(self, n: int, size: int = 4096) -> None:
        """n messages of about this size, held, by way of its own smtpd."""
        before = len(self.queue_files())
        done = self.run("smtp-source", "-d", "-s", "2", "-m", n, "-l", size,
                        "-f", "a@example.org", "-t", "b@example.net",
                        f"127.0.0.1:{self.port}", timeout=600)
        if done.returncode != 0 or len(self.queue_files()) != before + n:
            raise RuntimeError(f"smtp-source: {done.stdout!r}\n{self.log}")

    def submit(self, messages: list[bytes], sender: str = "a@example.org",
               rcpts=("b@example.net",)) -> None:
        """These messages, held, by sendmail(1) and postdrop(1)."""
        goal = len(self.queue_files("hold")) + len(messages)
        for message in messages:
            done = self.run("sendmail", "-oi", "-f", sender, *rcpts,
                            input=message)
            if done.returncode != 0:
                raise RuntimeError(f"sendmail: {done.stdout!r}")
        end = time.monotonic() + 60
        while len(self.queue_files("hold")) < goal:
            if time.monotonic() > end:
                raise RuntimeError(f"not picked up:\n{self.log[-4000:]}")
            time.sleep(0.01)

    def release(self) -> None:
        """Off hold, into the deferred queue: nothing is sent yet."""
        self.run("postsuper", "-H", "ALL", timeout=600, check=True)

    def flush(self) -> None:
        """Sends what is queued."""
        self.run("postqueue", "-f", check=True)

    def wait_empty(self, deadline: float = 60) -> None:
        end = time.monotonic() + deadline
        while self.queue_files():
            if time.monotonic() > end:
                raise RuntimeError(f"{len(self.queue_files())} messages are "
                                   f"still queued\n{self.log[-4000:]}")
            time.sleep(0.03)


# ---- queue files ------------------------------------------------------------


def records(data: bytes):
    """A queue file's records: type, length in groups of 7 bits, value."""
    at = 0
    while at < len(data):
        kind, at = chr(data[at]), at + 1
        length = shift = 0
        while True:
            octet, at = data[at], at + 1
            length |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                break
        yield kind, data[at:at + length]
        at += length


RET = {"1": "FULL", "2": "HDRS"}
NOTIFY = {1: "NEVER", 2: "SUCCESS", 4: "FAILURE", 8: "DELAY"}


def notify(flags: str) -> str | None:
    """As the parameter has it."""
    return ",".join(name for bit, name in NOTIFY.items()
                    if int(flags) & bit) or None


def read_queue_file(path) -> Taken:
    """What postcat(1) would show, taken apart."""
    with open(path, "rb") as f:
        data = f.read()
    found = Taken(os.path.basename(path), "", [], b"")
    attributes: dict[str, str] = {}
    content = bytearray()
    in_content = False
    for kind, value in records(data):
        if kind in "MX":
            in_content = kind == "M"
        elif in_content and kind in "NL":
            content += value + (b"\n" if kind == "N" else b"")
        elif kind == "p" and int(value) != 0:
            raise ValueError(f"{path}: edited, which this cannot read")
        elif kind == "A":
            name, _, text = value.decode().partition("=")
            attributes[name] = text
        elif kind == "S":
            found.sender = value.decode()
        elif kind == "R":
            found.rcpts.append(value.decode())
            found.notify.append(notify(attributes.pop("notify_flags", "0")))
            found.orcpt.append(attributes.pop("dsn_orig_rcpt", None))
    found.envid = attributes.get("envelope_id")
    found.ret = RET.get(attributes.get("ret_flags"))
    found.content = take_off(bytes(content), "Received")
    return found

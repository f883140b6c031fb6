"""
systems - four mail systems that accept mail and send it on to a sink: ours,
Postfix, Exim and OpenSMTPD, each with its spool below a folder of its own.

All of them sync what they accept before they say so: ours, Postfix and Exim as
they do when nothing is said about it. OpenSMTPD leaves it to the file system
when its queue is written, so it is there twice: as it comes, for comparison,
and with a queue whose folders say that all is to be written at once (chattr
+S +D), which is the only way to have it as durable. All know the same
destinations without asking a name server: dN.example is an address of the
loopback network. What limits concurrency is set so that none holds back: 20
deliveries at a time to a destination, no pauses, no limits of clients.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from peers_mta import Exim, Opensmtpd
from peers_postfix import Postfix
from zpost import Postoffice

DESTINATIONS = 20
PARALLEL = 20           # to one destination
HOSTS = {f"d{i}.example": f"127.0.1.{i + 1}" for i in range(DESTINATIONS)}
START = 10

SCHEDULER = f"""\
*/*	interval=1m idlemax=4m expiry=5d retries="1 1 2 3 5 8 13 21 34"
	overfeed=100
smtp/*
	maxthr={PARALLEL}
	command="smtp -s -O attempts=-"
"""


def files_below(folder) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


class Ours:
    """scheduler and submit --serve, with our agents."""

    name = "ours"

    def __init__(self, programs, base):
        self.folder = pathlib.Path(base) / "ours"
        self.office = Postoffice(self.folder, {"MAILNAME": "ours.example",
                                               "SUBMITMAXCONN": "0"})
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        agents = self.office.bin / "ta"
        agents.mkdir()
        for name in ("scheduler", "submit", "smtp", "zlaunch"):
            shutil.copy2(programs / name, self.programs)
            (agents / name).symlink_to(self.programs / name)
        (self.programs / "sendmail").symlink_to("submit")
        (self.office.share / "scheduler.conf").write_text(SCHEDULER)
        (self.office.share / "routes.conf").write_text("".join(
            f"@{name} smtp [{address}] ${{address}}\n"
            for name, address in HOSTS.items()))
        for path in (self.folder, self.office.path):
            path.chmod(0o755)
        self.service = self.scheduler = None

    @property
    def version(self) -> str:
        return ""

    def run_program(self, name, *options) -> subprocess.Popen:
        with open(self.office.log / name, "ab") as log:
            return subprocess.Popen(
                [self.programs / name, *options], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self.environment)

    @property
    def environment(self) -> dict:
        return self.office.environment()

    def start(self) -> None:
        self.service = self.run_program("submit", "--serve")
        end = time.monotonic() + START
        while not self.socket.exists():
            if time.monotonic() > end:
                raise RuntimeError("no service:\n" + self.log)
            time.sleep(0.01)
        self.start_scheduler()
        time.sleep(0.2)

    def start_scheduler(self) -> None:
        self.scheduler = self.run_program("scheduler")

    def stop_scheduler(self) -> None:
        end_process(self.scheduler)

    def stop(self) -> None:
        end_process(self.scheduler)
        end_process(self.service)

    @property
    def socket(self) -> pathlib.Path:
        return self.office.path / "submit.socket"

    @property
    def log(self) -> str:
        return "".join((self.office.log / name).read_text()[-2000:]
                       for name in ("scheduler", "submit"))

    def client(self) -> list:
        """What load is told: a long-lived client."""
        return ["socket", self.socket]

    def sendmail(self) -> list:
        """What load is told: a process for each message, by nobody."""
        return ["-u", "65534", "run", self.programs / "sendmail", "-oi"]

    def queued(self) -> int:
        return files_below(self.office.transport)


def end_process(process) -> None:
    if process is None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(START)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Peer:
    """What the servers of peerroot have in common here."""

    def client(self) -> list:
        return ["smtp", str(self.port)]

    def sendmail(self) -> list:
        return ["-r", self.folder, "-u", "65534", "run",
                "/usr/sbin/sendmail", "-oi"]

    def know_hosts(self) -> None:
        path = self.folder / "etc/hosts"
        text = path.read_text()
        self.write("etc/hosts", text + "".join(
            f"{address} {name}\n" for name, address in HOSTS.items()))


class SystemPostfix(Peer, Postfix):
    """is_held: all that comes stays in the queue until it is released."""

    name = "Postfix"

    def __init__(self, base, is_held: bool = False):
        nexthops = {name: f"[{address}]" for name, address in HOSTS.items()}
        main = {
            "relayhost": "",
            "header_checks": "static:HOLD" if is_held else "",
            "transport_maps": "inline:{" + ", ".join(
                f"{{ {n} = smtp:{a} }}" for n, a in nexthops.items()) + "}",
            "smtp_connection_cache_destinations": ", ".join(
                nexthops.values()),
        }
        super().__init__(base, mode="relay", relay_port=25,
                         connections=PARALLEL, **main)

    def setup(self) -> None:
        super().setup()
        # As the package's installation leaves it.
        for name in ("postdrop", "postqueue"):
            path = self.folder / "usr/sbin" / name
            os.chown(path, 0, self.USERS["postdrop"])
            path.chmod(0o2555)

    @property
    def version(self) -> str:
        return self.run("postconf", "-h", "-d", "mail_version",
                        text=True).stdout.strip()

    def queued(self) -> int:
        return len(self.queue_files())


EXIM = """
spool_directory = /var/spool/exim4
split_spool_directory = true
log_file_path = /var/log/exim/%slog
pid_file_path = /var/run/exim.pid
local_interfaces = <; 127.0.0.1.{port}
primary_hostname = exim.example
qualify_domain = exim.example
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
smtp_accept_max = 0
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_reserve = 0
smtp_receive_timeout = 5m
remote_max_parallel = {parallel}
check_spool_space = 0
check_spool_inodes = 0
tls_advertise_hosts =
never_users =
local_from_check = false
acl_smtp_rcpt = accept
begin acl
begin routers
all:
  driver = manualroute
  route_list = * $domain byname
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
begin retry
*  *  F,1h,1m
"""


class SystemExim(Peer, Exim):
    """Each message is delivered as soon as it is there."""

    name = "Exim"

    def setup(self) -> None:
        super().setup()
        self.know_hosts()
        self.write("etc/exim4/exim4.conf",
                   EXIM.format(port=self.port, parallel=PARALLEL))
        (self.folder / "usr/sbin/exim4").chmod(0o4755)

    @property
    def version(self) -> str:
        return self.run("exim4", "-bV", text=True).stdout.split()[2]

    def queued(self) -> int:
        return files_below(self.folder / "var/spool/exim4/input")


UNSYNCED = "OpenSMTPD, not durable"

OPENSMTPD = """
smtp limit max-mails 1000000
mta limit max-conn-per-host {parallel}
mta limit max-conn-per-relay {parallel}
mta limit conn-delay-host 0
mta limit conn-delay-source 0
mta limit conn-delay-connector 0
mta limit conn-delay-relay 0
mta limit conn-delay-domain 0
mta limit session-mail-max 1000000
scheduler limit max-inflight 50000
listen on 127.0.0.1 port {port} hostname opensmtpd.example
{actions}
{matches}
"""


class SystemOpensmtpd(Peer, Opensmtpd):
    """is_synced: whatever it writes into its queue is on disk at once."""

    def __init__(self, base, is_synced: bool = True):
        self.is_synced = is_synced
        self.name = "OpenSMTPD" if is_synced else UNSYNCED
        super().__init__(base)

    def setup(self) -> None:
        super().setup()
        self.know_hosts()
        self.write("etc/smtpd.conf", OPENSMTPD.format(
            port=self.port, parallel=PARALLEL,
            actions="\n".join(f'action "to-{n}" relay host smtp://{a}'
                              for n, a in HOSTS.items()),
            matches="\n".join(f'match from any for domain "{n}" action '
                              f'"to-{n}"' for n in HOSTS)))

        if self.is_synced:
            subprocess.run(["chattr", "+S", "+D",
                            self.folder / "var/spool/smtpd"], check=True)
        path = self.folder / "usr/sbin/smtpctl"
        os.chown(path, 0, self.USERS["opensmtpq"])
        path.chmod(0o2555)

    def command(self) -> list[str]:
        return ["smtpd", "-d", "-f", "/etc/smtpd.conf"]

    @property
    def version(self) -> str:
        said = self.run("smtpd", "-h", text=True).stdout
        found = re.search(r"OpenSMTPD (\S+)", said)
        return found[1] if found else ""

    def queued(self) -> int:
        return files_below(self.folder / "var/spool/smtpd/queue")

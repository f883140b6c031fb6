"""
authworld - hosts that want to know who sends, behind a wire (netns.py), so
that nothing is trusted for being this host; and what became of mail for them.
The fixture is `relay`.

    def test_it(relay):
        mx = relay.host("PLAIN")                # a TlsServer, "relay.example"
        relay.account(f"user={USER} secret={SECRET}")
        relay.mail().is_sent(mx, "PLAIN")

What site.ca signed is trusted. After each test neither the user nor the secret
may stand in anything that was written: session log, attempt record, verbose
log, syslog, control files, reports.
"""

from __future__ import annotations

import base64
import contextlib
import socket

import pytest

import attemptfile
import zpost
from badnames import Rule
from mailway import SENT, Way
from netns import Net
from saslpeer import Accounts
from smtpcheck import one_report_each, settled
from tlspeer import Tls, TlsServer

NAME = "relay.example"
DOMAIN = "example.com"
USER, SECRET = "ursula.q@own.example", "pencil-7e3 sharp"
TOKEN = "ya29.aToken-88.zz"
NUMBERS = range(3, 31)      # addresses of the far host


def b64(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(data).decode()


def old(user: str = USER, secret: str = SECRET) -> str:
    """The original grammar, behind channel and host."""
    return f"{b64(user)} {b64(secret)}"


def new(*more: str, user: str = USER, secret: str = SECRET) -> str:
    return " ".join((f'user={user} secret="{secret}"', *more))


def traces() -> list[bytes]:
    """What may be found nowhere: whole, and as base64 at any place."""
    found = []
    for text in (USER, SECRET, TOKEN):
        found.append(text.encode())
        for shift in range(3):
            whole = b64(b"\0" * shift + text.encode())
            # Without what depends on the neighbours.
            found.append(whole[4 if shift else 0:-4].encode())
    return found


class AuthWay(Way):
    """The way of a message to relay.example."""

    @property
    def code(self) -> str:
        return self.notary.code

    def is_sent(self, server, mechanism: str | None = None,
                user: str = USER) -> None:
        """Delivered there, authenticated by this mechanism; None: not."""
        assert self.report.status == SENT, self.out.text
        settled(self.job, "+")
        session = server.sessions[server.messages[-1].session]
        done = [a[:2] for a in session.auth if a[1]]
        assert done == ([] if mechanism is None else [(mechanism, user)])

    def is_kept(self, word: str = "", code: str | None = None,
                reason: str = "auth-failed") -> None:
        """Put off, with this in the report's text."""
        assert self.report.status in ("deferred", "deferall"), self.out.text
        assert self.notary.action == "delayed"
        settled(self.job, " ")
        assert word in self.report.message, self.report.message
        assert self.reason == reason, self.record
        if code is not None:
            assert self.code == code, self.notary


class Relay:
    def __init__(self, net, office, smtp, authorities):
        self.net, self.office, self._smtp = net, office, smtp
        self.ca, self.private = authorities
        self.servers: list[TlsServer] = []
        self.conf = [f"tls-CAfile {self.ca.file}"]
        self.hosts: dict[str, str] = {}
        self.secrets = office.base / "secrets"
        self.attempts = office.base / "attempts"
        self.shown: list[bytes] = []        # more that may hold no secret
        office.set_zenv(SYSLOGFLG="RT")
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(str(office.base / "syslog"))
        self.syslog.setblocking(False)
        self.agents: list = []
        self.n_runs = 0

    def far(self) -> str:
        return self.net.far(NUMBERS[len(self.hosts)])

    def host(self, mechanisms: str = "PLAIN", *, name: str = NAME,
             identity=None, secured: bool = True, accounts=None, clear=(),
             demands_auth: bool = True, spelling: str = "AUTH ", tls=None,
             **how) -> TlsServer:
        """
        A server at an address of its own. mechanisms: what it offers within
        TLS; "": no AUTH. identity: by default one of site.ca's with its name.
        """
        net, place = self.net, self.hosts.setdefault(name, self.far())
        accounts = accounts or Accounts({USER: SECRET}, {USER: TOKEN})
        if identity is None and secured:
            identity = self.ca.issue(name)

        class Far(TlsServer):
            def _bind(self) -> socket.socket:
                return net.inside(super()._bind)

        secret = [spelling + mechanisms] if mechanisms else []
        how.setdefault("port", 25)
        self.servers.append(Far(
            Tls(identity, **(tls or {})) if secured else None,
            listen=place, clear=list(clear), secret=secret,
            accounts=accounts, demands_auth=demands_auth, **how).start())
        return self.servers[-1]

    def account(self, *lines: str, mode: int = 0o600, name: str = NAME):
        """The file of -A: a line each, without channel and host."""
        self.secrets.write_text("".join(
            f"smtp {name} {line}\n" for line in lines))
        self.secrets.chmod(mode)

    def command(self, *lines: str, name: str = "token") -> str:
        """command= with a script that notes each of its runs."""
        runs = self.office.base / f"{name}-runs"
        path = self.office.script(name, "\n".join(
            ("#!/bin/sh", f"echo run >>{runs}", *lines, "")))
        return f'command="{path}"'

    def runs(self, name: str = "token") -> int:
        path = self.office.base / f"{name}-runs"
        return len(path.read_text().split()) if path.exists() else 0

    def options(self) -> list:
        conf = self.office.base / "smtp-tls.conf"
        conf.write_text("".join(line + "\n" for line in self.conf))
        hosts = self.office.base / "hosts"
        hosts.write_text("".join(f"{a} {n}\n" for n, a in self.hosts.items()))
        return ["-S", conf, "-A", self.secrets, "-O", "dns=off",
                "-O", f"dns-servers=[{self.net.far(2)}]:53",
                "-O", f"dns-hosts={hosts}"]

    def agent(self, *options, forced: str | None = NAME, **how):
        force = [] if forced is None else ["-F", forced]
        agent = self._smtp(
            None, *force, *self.options(), "-l", self.office.base / "log-l",
            "-s", "-O", f"attempts={self.attempts}",
            "-O", f"syslog={self.office.base / 'syslog'}", *options,
            wrapper=self.net.wrapper, **how)
        self.agents.append(agent)
        return agent

    def run(self, agent, domain: str | None = None) -> AuthWay:
        """
        One message; without a domain, to one that had none yet, so that it
        needs a connection of its own.
        """
        self.n_runs += 1
        domain = domain or f"d{self.n_runs}.example"
        (self.office.public / "v").touch()
        job = self.office.post([f"bob@{domain}"], host=domain,
                               verbose="../public/v")
        out = agent.run(job, domain)
        one_report_each(out, job)
        last = self.attempts.read_bytes().splitlines()[-1]
        return AuthWay(out, job, attemptfile.parse(last))

    def mail(self, *options, domain: str = DOMAIN, **how) -> AuthWay:
        """One message by an agent of its own."""
        agent = self.agent(*options, **how)
        way = self.run(agent, domain)
        assert agent.stop() == 0, agent.transcript
        return way

    def explain(self, *args, forced: str | None = NAME):
        """smtp --explain; (exit status, text)."""
        force = [] if forced is None else ["-F", forced]
        done = zpost.subprocess.run(
            [*self.net.wrapper, str(zpost.program("smtp")), "-h",
             "client.example", *force, *map(str, self.options()),
             "--explain", *args, f"bob@{DOMAIN}"],
            stdout=-1, stderr=-2, env=self.office.environment(), timeout=30,
            cwd=self.office.transport)
        self.shown.append(done.stdout)
        return done.returncode, done.stdout.decode()

    def said_auth(self) -> list[str]:
        """The mechanisms that clients began, of all servers."""
        return [line.split(b" ")[1].decode().upper() for s in self.servers
                for session in s.sessions for line in session.auth_lines
                if line.upper().startswith(b"AUTH ")]

    def nothing_unauthenticated(self) -> None:
        """No envelope without a user, and no AUTH in the clear."""
        for server in self.servers:
            for session in server.sessions:
                verbs = [c.split(" ")[0].upper() for c in session.commands]
                assert session.user or "MAIL" not in verbs, server.text()
                said = session.commands[:session.n_clear]
                assert not any(c.upper().startswith("AUTH") for c in said)

    def texts(self) -> dict[str, bytes]:
        """All that was written or said, but the files of secrets."""
        heard = bytearray()
        with contextlib.suppress(BlockingIOError):
            while True:
                heard += self.syslog.recv(8192)
        self.shown.append(bytes(heard))
        found = {str(p): p.read_bytes() for p in self.office.base.rglob("*")
                 if p.is_file() and p != self.secrets
                 and not p.name.startswith(("token", "identity"))}
        found["(agents)"] = "".join(a.transcript
                                    for a in self.agents).encode()
        found["(more)"] = b"".join(self.shown)
        return found

    def check(self) -> None:
        for server in self.servers:
            server.check()
        for place, text in self.texts().items():
            for trace in traces():
                assert trace.lower() not in text.lower(), (place, trace)

    def end(self) -> None:
        for server in self.servers:
            server.stop()
        self.syslog.close()


@pytest.fixture(scope="module")
def wire():
    with Net() as net:
        net.names = net.nameserver({})
        yield net


@pytest.fixture
def relay(wire, office, smtp, authorities):
    made = Relay(wire, office, smtp, authorities)
    try:
        yield made
        made.check()
    finally:
        made.end()
        wire.names.rules.clear()


def rule(net, name: str, kind: str, *records: str) -> None:
    """A record of the name server behind the wire."""
    net.names.rules[f"{name} {kind}".lower()] = Rule(
        [f"{name} {kind} {r}" for r in records])

"""
tlsworld - a small world in which mail needs security: signed zones, mail
hosts with certificates, HTTPS servers with policies; and what became of mail
in it. The fixture is `site`; names in it are below "example".

    def test_it(site):
        mx = site.host("mx1.secure")            # a TlsServer
        site.tlsa("mx1.secure", "3 1 1")        # of what it shows
        site.mx("secure", "mx1.secure")
        site.mail("secure").is_sent(mx, "dane")

What site.ca signed is trusted (tls-CAfile), what site.private signed is not.
All hosts listen on one port of addresses of their own, which smtp(8) is told
by -p, so that TLSA records are those of this port. Zones are complete when
the first mail is sent; afterwards site.rules can put other answers before
those of unsigned zones. Each mail has an agent of its own, with an empty
cache, but they share one post office.
"""

from __future__ import annotations

import datetime
import json
import random
import subprocess
import time
import typing

import pytest

import attemptfile
import names
import zpost
from badnames import Nameserver, Rule
from mailway import SENT, Way
from names import Content, World, address
from peerroot import PORTS
from smtpcheck import one_report_each, settled
from stspeer import PolicyServer
from tlsca import Authority, Identity
from tlspeer import Tls, TlsServer

LATER = ("deferred", "deferall")
TEXT = b"From: alice@example.net\nSubject: hi\n"
TLS_WORDS = set(Tls.__dataclass_fields__) - {"identity"}


def zone_of(name: str) -> tuple[str, str]:
    """ "mx1.secure" -> ("mx1", "secure"); a zone's own name is "@"."""
    label, _, zone = name.rpartition(".")
    return label or "@", zone


class Counted(typing.NamedTuple):
    """Sessions of a policy in a report, and how some of them failed."""

    kind: str           # "no-policy-found", "sts", "tlsa"
    domain: str
    good: int
    failed: int
    why: list


class TlsWay(Way):
    """The way of a message, and what the servers of the site saw of it."""

    def __init__(self, site: "Site", out, job, record):
        super().__init__(out, job, record)
        self.site = site

    @property
    def security(self) -> dict:
        """What was decided, of the last host that was connected to."""
        tried = [t.get("security") for t in self.record["tried"]]
        return self.record["security"] or (tried or [None])[-1] or {}

    @property
    def why(self) -> str:
        return self.security.get("reason", self.reason)

    @property
    def verdict(self) -> str:
        return self.record["tls"]["verdict"]

    @property
    def code(self) -> str:
        return self.notary.code

    def is_sent(self, server, why: str | None = None, *,
                clear: bool = False, verdict: str | None = None) -> None:
        """Delivered there, within TLS unless `clear`, for this reason."""
        assert self.report.status == SENT, self.out.text
        settled(self.job, "+")
        message = server.messages[-1]
        assert message.addresses == [r.user for r in self.job.rcpts]
        assert server.came_in_clear(message) == clear, server.text()
        if not clear:
            self.site.nothing_in_clear()
        if why is not None:
            assert self.why == why, self.security
        if verdict is not None:
            assert self.verdict == verdict, self.record["tls"]

    def is_kept(self, why: str | None = None, fault: str | None = None,
                code: str = "4.7.5") -> None:
        """
        Put off with this status; no host was told of any of it in the clear,
        or got it. fault: what went wrong; by default, what was decided.
        """
        assert self.report.status in LATER, self.out.text
        assert (self.code, self.notary.action) == (code, "delayed"), \
            self.notary
        settled(self.job, " ")
        self.site.nothing_in_clear()
        for server in self.site.servers.values():
            assert not any(c.upper().startswith(("MAIL", "DATA", "BDAT"))
                           for c in server.commands()), server.text()
        if why is not None:
            assert self.why == why, self.security
        if fault is not None or why is not None:
            assert self.reason == (fault or why), self.record

    def is_failed(self, code: str) -> None:
        assert self.report.status == "error2", self.out.text
        assert (self.code, self.notary.action) == (code, "failed")
        settled(self.job, "-")


class Site:
    """See above. zones: any may be signed or not."""

    def __init__(self, folder, office: zpost.Postoffice, smtp,
                 authorities: tuple[Authority, Authority]):
        self.folder = folder
        self.office = office
        self._smtp = smtp
        self.ca, self.private = authorities
        self.port = random.SystemRandom().choice(PORTS)
        self.zones = {"secure": Content([]), "plain": Content([], ""),
                      "bogus": Content([])}
        self.rules: dict[str, Rule] = {}
        self.servers: dict[str, TlsServer] = {}
        self.addresses: dict[str, str] = {}
        self.conf = [f"tls-CAfile {self.ca.file}"]
        self.options: list = []         # of every agent
        self._next = 10
        self._web: PolicyServer | None = None
        self.world: World | None = None
        self.names: Nameserver | None = None
        self.record: dict = {}

    # -- names --

    def add(self, name: str, kind: str, rdata: str) -> None:
        """A record: add("mx1.secure", "CNAME", "mx.plain.example.")."""
        label, zone = zone_of(name)
        assert self.names is None, "the zones are complete"
        self.zones[zone].lines.append(f"{label} {kind} {rdata}")

    def forge(self, name: str, kind: str, rdata: str) -> None:
        """Replaces a signed record behind the signer's back."""
        label, zone = zone_of(name)
        self.zones[zone].changes.append(f"{label} {kind} {rdata}")

    def mx(self, domain: str, *hosts: str) -> None:
        """MX records by falling preference; whole names."""
        for n, host in enumerate(hosts):
            self.add(domain, "MX", f"{10 * (n + 1)} {host}.example.")

    def owner(self, name: str) -> str:
        return f"_{self.port}._tcp.{name}"

    def tlsa(self, name: str, kind: str, of: Identity | None = None,
             level: int | None = None) -> None:
        """A record for what the host shows, or another identity."""
        if of is None:
            of = self.servers[name].tls.identity
        self.add(self.owner(name), "TLSA",
                 of.tlsa(*map(int, kind.split()), level=level))

    def rule(self, name: str, kind: str, *records: str, **how) -> None:
        """Another answer: rule("_mta-sts.plain", "TXT", "v=...")."""
        whole = f"{name}.example"
        self.rules[f"{whole} {kind}"] = Rule(
            [f"{whole} {kind} {r}" for r in records], **how)
        if self.names is not None:
            self.names.rules[f"{whole} {kind}".lower()] = \
                self.rules[f"{whole} {kind}"]

    def was_asked(self, name: str, kind: str) -> int:
        return self.names.count(f"{name}.example".lower(), kind)

    # -- hosts --

    def place(self) -> str:
        """An address that nobody has yet."""
        self._next += 1
        return address(self._next)

    def host(self, name: str, identity: Identity | None = None, *,
             named: bool = True, secured: bool = True, **how) -> TlsServer:
        """
        A mail host. identity: what it shows; None: one with its name from
        site.ca. secured: False has no STARTTLS. Words of Tls and of
        TlsServer; named: False has no address in the DNS.
        """
        if identity is None and secured:
            identity = self.ca.issue(f"{name}.example")
        tls = Tls(identity, **{k: how.pop(k) for k in list(how)
                               if k in TLS_WORDS}) if secured else None
        where = self.addresses.setdefault(name, self.place())
        server = TlsServer(tls, listen=where, port=self.port, **how).start()
        self.servers[name] = server
        if named:
            self.add(name, "A", where)
        return server

    def nothing_in_clear(self) -> None:
        """No envelope, and no secret, was said without TLS."""
        for server in self.servers.values():
            for session in server.sessions:
                said = session.commands[:session.n_clear]
                verbs = {c.split(" ")[0].upper() for c in said}
                assert verbs <= {"EHLO", "LHLO", "STARTTLS", "RSET", "NOOP",
                                 "QUIT"}, server.text()

    # -- policies --

    @property
    def web(self) -> PolicyServer:
        """HTTPS for all domains; started when somebody wants it."""
        if self._web is None:
            self._web = PolicyServer(self.ca).start()
        return self._web

    def sts(self, domain: str, page, ident: str = "1") -> None:
        """The TXT record and the policy of a domain."""
        self.add(f"_mta-sts.{domain}", "TXT", f'"v=STSv1; id={ident};"')
        self.web.serve(f"{domain}.example", page)

    def fetcher(self):
        """A stsfetch(8) that knows nothing but this world."""
        return self.office.script(
            "stsfetch", "#!/bin/sh\n"
            f"exec {zpost.program('stsfetch')} -O ca-file={self.ca.file} "
            '-O connect=%s:%d "$@"\n' % self._web.place)

    # -- mail --

    def configure(self, *lines: str) -> None:
        """More lines of smtp-tls.conf."""
        self.conf += lines

    def start(self) -> None:
        """The name servers, with all that was said so far."""
        if self.names is not None:
            return
        self.world = World(self.folder / "names", zones=self.zones)
        self.world.nsd.start()
        self.names = Nameserver(self.rules, self.world.nsd.place).start()

    def agent_options(self) -> list:
        self.start()
        path = self.office.base / "smtp-tls.conf"
        path.write_text("".join(line + "\n" for line in self.conf))
        web = self._web and ["-O", f"stsfetch={self.fetcher()}"]
        return ["-p", self.port, "-S", path, *(web or []), *self.options,
                *self.world.options("validate", self.names.servers)]

    def agent(self, *options, destination: str | None = None, **how):
        """smtp(8) in this world; it has said #hungry."""
        self.records = self.office.base / "attempts"
        forced = [] if destination is None else ["-F", destination]
        return self._smtp(None, *forced, *self.agent_options(), "-O",
                          f"attempts={self.records}", *options, **how)

    def run(self, agent, domain: str, *, requiretls: bool = False,
            header: bytes = b"") -> TlsWay:
        """One message to bob@DOMAIN.example by this agent."""
        domain = f"{domain}.example"
        rcpt = zpost.Rcpt(f"bob@{domain}",
                          notify="REQUIRETLS" if requiretls else None)
        job = self.office.post([rcpt], host=domain, header=TEXT + header)
        out = agent.run(job, domain)
        one_report_each(out, job)
        last = self.records.read_bytes().splitlines()[-1]
        return TlsWay(self, out, job, attemptfile.parse(last))

    def mail(self, domain: str, *options, requiretls: bool = False,
             header: bytes = b"", **how) -> TlsWay:
        """The same by an agent of its own."""
        agent = self.agent(*options, **how)
        way = self.run(agent, domain, requiretls=requiretls, header=header)
        assert agent.stop() == 0, agent.transcript
        assert agent.pending().lines == [], agent.transcript
        return way

    # -- reports --

    def report(self, domain: str) -> dict:
        """What tlsrpt(8) would tell the domain of today; {} for nothing."""
        found: list = []
        for day in (0, 1):      # it may be midnight
            date = datetime.date.fromordinal(
                719163 + int(time.time()) // 86400 - day)
            done = subprocess.run(
                [zpost.program("tlsrpt"), "--dry-run", "--day",
                 date.isoformat(), "--domain", f"{domain}.example", "-O",
                 "contact=me@client.example", "-O", "dns=off", "-O",
                 f"dns-servers={self.names.servers}"],
                env={**self.office.environment(), "TZ": "UTC0"},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, timeout=60)
            assert done.returncode == 0, done.stderr
            found += map(json.loads, done.stdout.splitlines())
        assert len(found) < 2, found
        return found[0] if found else {}

    def counted(self, domain: str) -> list[Counted]:
        """The same, by policy; those without a policy first."""
        return sorted(Counted(
            p["policy"]["policy-type"], p["policy"]["policy-domain"],
            p["summary"]["total-successful-session-count"],
            p["summary"]["total-failure-session-count"],
            [d["result-type"] for d in p.get("failure-details", [])])
            for p in self.report(domain).get("policies", []))

    def end(self) -> None:
        for server in self.servers.values():
            server.stop()
        if self._web is not None:
            self._web.stop()
        if self.names is not None:
            self.names.stop()
            self.world.__exit__()

    def check(self) -> None:
        for server in self.servers.values():
            server.check()
        if self.names is not None:
            assert not self.names.problems, self.names.problems


@pytest.fixture(scope="session")
def authorities(tmp_path_factory) -> tuple[Authority, Authority]:
    """One that is trusted, and one that is not."""
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder, "Trusted"), Authority(folder, "Private")


@pytest.fixture
def site(tmp_path, office, smtp, authorities):
    """A world for one test."""
    if names.MISSING:
        pytest.skip(names.MISSING)
    made = Site(tmp_path, office, smtp, authorities)
    try:
        yield made
    finally:
        made.end()
    made.check()

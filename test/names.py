"""
names - real name servers for tests.

    with World(tmp_path) as world:      # nsd, and unbound in front of it
        world.options("validate")       # -O keys for smtp(8)
        world.nsd.place                 # ("127.x.y.z", port)

World holds a small DNS tree with a signed root and a trust anchor of its own:

    secure.example      signed, DS in the root
    plain.example       not signed, proven to be so
    bogus.example       signed, and changed after it
    expired.example     signed, long ago

or the zones that it is given. The keys are made when it is and forgotten with
it. Each server has a random address in 127/8 and a random port, starts within
a bound, and ends with whoever started it, even if that one is killed. A server
that misbehaves can stand before it; see badnames.py.

What zones hold are lines of NAME TYPE RDATA; names are relative to the zone,
and address(N) is the N-th address of the test's own part of 127/8.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import pytest

try:
    import dns.dnssec
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype
    import dns.rrset
    from cryptography.hazmat.primitives.asymmetric import ec
    MISSING = ""
except ImportError as reason:
    MISSING = str(reason)

from peers import peer

START = 20              # seconds
NETWORK = f"127.{random.randrange(1, 255)}.{random.randrange(256)}"
TTL = 300


def address(n: int) -> str:
    """The n-th of the test's own addresses, 1 to 254."""
    return f"{NETWORK}.{n}"


def free_place(port: int = 0) -> tuple[str, int]:
    """An address and port that nobody uses, over UDP and TCP."""
    host = "127." + ".".join(str(random.randrange(1, 255)) for _ in range(3))
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((host, port))
            port = udp.getsockname()[1]
            with socket.socket() as tcp:
                try:
                    tcp.bind((host, port))
                    return host, port
                except OSError:
                    pass


# ---- zones ------------------------------------------------------------------


def made(name, kind: str, rdata: str, origin):
    """A record; names in rdata are relative to the origin."""
    return dns.rrset.from_text_list(name, TTL, "IN", kind, [rdata],
                                    origin=origin, relativize=False)


class Zone:
    """A zone of lines "NAME TYPE RDATA"; with a key it can be signed."""

    def __init__(self, origin: str, lines):
        self.origin = dns.name.from_text(origin)
        self.sets: dict = {}
        at = origin.rstrip(".") or "root.example"
        for line in (f"@ SOA ns.{at}. host.{at}. 1 3600 600 86400 60",
                     f"@ NS ns.{at}.", *lines):
            self.add(line)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = dns.dnssec.make_dnskey(
            self.key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256,
            flags=257)
        self.is_signed = False

    def add(self, line: str) -> None:
        name, kind, rdata = line.split(None, 2)
        name = dns.name.from_text(name, self.origin)
        new = made(name, kind, rdata, self.origin)
        old = self.sets.setdefault((name, new.rdtype), new)
        if old is not new:
            old.update(new)

    def ds(self) -> str:
        return dns.dnssec.make_ds(self.origin, self.dnskey, "SHA256").to_text()

    def cuts(self) -> list:
        return [name for name, kind in self.sets
                if kind == dns.rdatatype.NS and name != self.origin]

    def sign(self, begin: int, end: int) -> None:
        """Adds key, denial of existence (NSEC) and signatures."""
        new = dns.rrset.from_rdata(self.origin, TTL, self.dnskey)
        self.sets[self.origin, new.rdtype] = new
        cuts = self.cuts()
        kinds = collections.defaultdict(set)
        for name, kind in self.sets:
            if not any(name.is_subdomain(c) and name != c for c in cuts):
                kinds[name].add(dns.rdatatype.to_text(kind))
        names = sorted(kinds)
        for name, following in zip(names, names[1:] + names[:1]):
            new = dns.rrset.from_text(
                name, 60, "IN", "NSEC", following.to_text() + " "
                + " ".join(sorted(kinds[name] | {"NSEC", "RRSIG"})))
            self.sets[name, new.rdtype] = new
        proof = (dns.rdatatype.NSEC, dns.rdatatype.DS)
        for (name, kind), rrset in list(self.sets.items()):
            if name not in kinds or (name in cuts and kind not in proof):
                continue
            sig = dns.dnssec.sign(rrset, self.key, self.origin, self.dnskey,
                                  inception=begin, expiration=end)
            self.sets[name, kind, "RRSIG"] = dns.rrset.from_rdata(
                name, rrset.ttl, sig)
        self.is_signed = True

    def change(self, name: str, kind: str, rdata: str) -> None:
        """Another content under the old signature."""
        name = dns.name.from_text(name, self.origin)
        new = made(name, kind, rdata, self.origin)
        assert (name, new.rdtype) in self.sets
        self.sets[name, new.rdtype] = new

    def text(self) -> str:
        return "\n".join(r.to_text() for r in self.sets.values()) + "\n"


# ---- real servers -----------------------------------------------------------


def ask(place: tuple[str, int], name: str, kind: str, *, tcp=False,
        timeout: float = 5, **how):
    """One question, one answer (dns.message.Message)."""
    question = dns.message.make_query(name, kind, **how)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(question, place[0], timeout, place[1])


class Daemon:
    """A program in the foreground, on an address of its own."""

    NAME = ""
    READY = (".", "SOA")

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None
        self.place = ("", 0)

    def find_place(self) -> tuple[str, int]:
        return free_place()

    def command(self) -> list:
        """Writes the configuration for self.place."""
        raise NotImplementedError

    @property
    def log(self) -> str:
        return (self.folder / f"{self.NAME}.log").read_text("utf-8",
                                                            "replace")

    def start(self) -> None:
        """
        Until it answers. Somebody may be faster and take the port; then it
        ends, and another one is tried.
        """
        end = time.monotonic() + START
        while time.monotonic() < end:
            self.place = self.find_place()
            with open(self.folder / f"{self.NAME}.log", "wb") as log:
                self.process = subprocess.Popen(
                    ["/usr/bin/setpriv", "--pdeathsig", "TERM",
                     *map(str, self.command())],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, cwd=self.folder)
            while self.process.poll() is None and time.monotonic() < end:
                if self.answers():
                    return
                time.sleep(0.02)
            self.stop()
        raise RuntimeError(f"{self.NAME} does not start:\n{self.log}")

    def answers(self) -> bool:
        try:
            return bool(ask(self.place, *self.READY, timeout=0.3).answer)
        except (OSError, dns.exception.DNSException):
            return False

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


NSD = """\
server:
    ip-address: {0}@{1}
    username: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: ""
    zonelistfile: "{folder}/zone.list"
    xfrdir: "{folder}"
    server-count: 1
    minimal-responses: yes
    rrl-ratelimit: 0
    ipv4-edns-size: 1232
remote-control:
    control-enable: no
"""
UNBOUND = """\
server:
    interface: {0}@{1}
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-daemonize: no
    num-threads: 1
    do-not-query-localhost: no
    do-ip6: no
    module-config: "validator iterator"
    trust-anchor-file: "{folder}/anchor"
    access-control: 127.0.0.0/8 allow
    root-key-sentinel: no
    trust-anchor-signaling: no
    msg-cache-size: 1m
    rrset-cache-size: 1m
    so-reuseport: no
remote-control:
    control-enable: no
stub-zone:
    name: "."
    stub-addr: {upstream[0]}@{upstream[1]}
"""


class Nsd(Daemon):
    NAME = "nsd"

    def __init__(self, folder: pathlib.Path, zones):
        super().__init__(folder)
        self.zones = zones

    def command(self) -> list:
        conf = self.folder / "nsd.conf"
        conf.write_text(NSD.format(*self.place, folder=self.folder) + "".join(
            f'zone:\n    name: "{zone}"\n    zonefile: "{zone}zone"\n'
            for zone in [".", *(f"{z}.example." for z in self.zones)]))
        return [peer("nsd", "usr/sbin/nsd"), "-d", "-c", conf]


class Unbound(Daemon):
    NAME = "unbound"

    def __init__(self, folder: pathlib.Path, upstream: tuple[str, int]):
        super().__init__(folder)
        self.upstream = upstream

    def command(self) -> list:
        conf = self.folder / "unbound.conf"
        conf.write_text(UNBOUND.format(*self.place, folder=self.folder,
                                       upstream=self.upstream))
        return [peer("unbound", "usr/sbin/unbound"), "-d", "-p", "-c", conf]


@dataclasses.dataclass
class Content:
    """
    Of a zone below "example": its lines, when its signatures were valid
    ("now", "past", or "" without any), and lines that replace others behind
    the signer's back.
    """

    lines: list
    signed: str = "now"
    changes: list = dataclasses.field(default_factory=list)


class World:
    """
    The tree, nsd that serves it, and unbound, which is started when somebody
    wants it. extra: more lines for a zone, e.g. {"plain": ["x A 192.0.2.1"]}.
    zones: other zones instead, {"secure": Content([...])}.
    """

    def __init__(self, folder: os.PathLike | str, extra=None, zones=None):
        if MISSING:
            pytest.skip(MISSING)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.zones = zones or standard_zones(extra or {})
        self.nsd = Nsd(self.folder, self.zones)
        self._unbound: Unbound | None = None
        self.write()

    def write(self) -> None:
        """Makes, signs and writes all zones."""
        now = int(time.time())
        times = {"now": (now - 3600, now + 86400),
                 "past": (now - 99999, now - 9999)}
        zones = {}
        root = [f"ns.root.example. A {address(1)}"]
        for z, content in self.zones.items():
            zone = zones[z] = Zone(f"{z}.example.",
                                   [f"ns A {address(1)}", *content.lines])
            root += [f"{z}.example. NS ns.{z}.example.",
                     f"ns.{z}.example. A {address(1)}"]
            if content.signed:
                zone.sign(*times[content.signed])
                root.append(f"{z}.example. DS {zone.ds()}")
            for line in content.changes:
                zone.change(*line.split(None, 2))
        top = Zone(".", root)
        top.sign(*times["now"])
        for zone in [top, *zones.values()]:
            name = f"{zone.origin}".rstrip(".") + ".zone"
            (self.folder / name).write_text(zone.text())
        self.anchor = self.folder / "anchor"
        self.anchor.write_text(f". {TTL} IN DS {top.ds()}\n")
        self.hosts = self.folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")

    @property
    def unbound(self) -> Unbound:
        if self._unbound is None:
            self._unbound = Unbound(self.folder, self.nsd.place)
            self._unbound.start()
        return self._unbound

    def options(self, mode: str = "validate", servers: str = None,
                hosts=None) -> list[str]:
        """What smtp(8) is told. A trusted resolver is unbound, else nsd."""
        if servers is None:
            servers = literal(self.unbound.place if mode == "trusted"
                              else self.nsd.place)
        keys = {"dns": mode, "dns-servers": servers,
                "dns-anchor": self.anchor, "dns-hosts": hosts or self.hosts}
        return [x for k, v in keys.items() for x in ("-O", f"{k}={v}")]

    def __enter__(self) -> "World":
        self.nsd.start()
        return self

    def __exit__(self, *exc) -> None:
        if self._unbound is not None:
            self._unbound.stop()
        self.nsd.stop()


def literal(place: tuple[str, int]) -> str:
    return f"[{place[0]}]:{place[1]}"


# ---- what the zones hold ----------------------------------------------------

# In each zone. mxN has the N-th address.
BODY = [
    "@ MX 10 mx1",
    "@ MX 20 mx2",
    *(f"mx{n} A {address(n)}" for n in range(1, 5)),
    "_25._tcp.mx1 TLSA 3 1 1 " + "485b1025" * 8,
    "nomx A " + address(5),
    "null MX 0 .",
    "alias CNAME mx1",
    "away CNAME elsewhere.plain.example.",
]
# In plain.example alone.
MORE = [
    "equal MX 10 mx3",
    "equal MX 10 mx4",
    "three MX 10 mx1",
    "three MX 20 mx2",
    "three MX 30 mx3",
    "elsewhere A " + address(4),
    "text TXT nothing-else",
    "nullmixed MX 0 .",
    "nullmixed MX 10 mx2",
    "mxalias MX 10 mxcname",
    "mxcname CNAME mx2",
    "deadmx MX 10 nowhere",
    "deadmx MX 20 text",
    "halfdead MX 10 nowhere",
    "halfdead MX 20 mx2",
    *(f"chain{n} CNAME chain{n + 1}" for n in range(1, 8)),
    "chain8 CNAME three",
    *(f"long{n} CNAME long{n + 1}" for n in range(1, 30)),
    "long30 CNAME three",
    "round1 CNAME round2",
    "round2 CNAME round1",
    "self CNAME self",
    "dangling CNAME nowhere",
    "wks MX 10 wksyes",
    "wksno MX 10 wksnone",
    "wksmixed MX 10 wksnone",
    "wksmixed MX 20 wksyes",
    f"wksyes A {address(6)}",
    f"wksyes WKS {address(6)} 6 25 80",
    f"wksnone A {address(7)}",
    f"wksnone WKS {address(7)} 6 80",
    f"under_score A {address(8)}",
    f"both A {address(9)}",
    "both AAAA ::1",
    "only6 AAAA ::1",
    "xn--bcher-kva MX 10 mx4",
    *(f"many MX {n} number-{n}-of-many-with-a-long-name"
      for n in range(1, 61)),
    *(f"flat MX 10 number-{n}-of-many-with-a-long-name"
      for n in range(1, 61)),
    *(f"number-{n}-of-many-with-a-long-name A {address(100 + n)}"
      for n in range(1, 61)),
]


def standard_zones(extra: dict) -> dict[str, Content]:
    found = {z: Content([*BODY, *extra.get(z, [])])
             for z in ("secure", "plain", "bogus", "expired")}
    found["plain"].lines += MORE
    found["plain"].signed = ""
    found["expired"].signed = "past"
    found["bogus"].changes = ["@ MX 10 mx2", f"mx1 A {address(2)}"]
    return found


# ---- fixtures ---------------------------------------------------------------


@pytest.fixture
def hosts(smtpd):
    """
    hosts(1, 2, script=...) starts a server (smtpd.py) on each of these
    addresses, all on the same port; {1: Server, 2: Server}. A key of a host
    alone is a dictionary by number: script={1: {...}, 2: {...}}.
    """

    def start(*numbers, port: int = 0, **how) -> dict:
        def own(n) -> dict:
            return {k: v.get(n) if isinstance(v, dict) and
                    set(v) <= set(numbers) else v for k, v in how.items()}

        while True:
            found: dict = {}
            common = port
            try:
                for n in numbers:
                    found[n] = smtpd(listen=address(n), port=common, **own(n))
                    common = found[n].port
                return found
            except OSError:     # somebody else has this port on one of them
                for one in found.values():
                    one.stop()

    return start


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A World for all tests of this process."""
    with World(tmp_path_factory.mktemp("world")) as w:
        yield w

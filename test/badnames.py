"""
badnames - a name server that misbehaves as a table of rules says.

    rules = {"x.example MX": Rule(rcode="REFUSED"),
             "x.example *": [Rule(drop=True), Rule(["x.example A 192.0.2.1"])]}
    with Nameserver(rules) as ns:
        ...                             # ask ns.servers
    assert ns.asked == ["udp x.example MX"]

What the rules do not name goes to another server, e.g. that of a World (see
names.py), or does not exist. It runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import socket
import threading

import pytest

from names import MISSING, START, free_place, literal, made

if not MISSING:
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdatatype


@dataclasses.dataclass
class Rule:
    """
    An answer. records: "NAME TYPE RDATA" with whole names, rdata as well.

    drop      no answer at all
    delay     seconds before it
    truncate  over UDP: TC, and only `keep` of the records
    only_udp  TCP connections are closed instead
    wrong_id  with an id that was not asked
    cut       so many bytes of the message only
    raw       these bytes behind the id instead of a message
    """

    records: tuple | list = ()
    rcode: str = "NOERROR"
    is_ad: bool = False
    drop: bool = False
    delay: float = 0
    truncate: bool = False
    keep: int = 0
    only_udp: bool = False
    wrong_id: bool = False
    cut: int = 0
    raw: bytes = b""


class Nameserver:
    """
    Answers by rules: {"NAME TYPE": Rule, "NAME *": Rule, "*": Rule}. A list
    of Rules has one for each time, the last for ever after. What has no rule
    goes to upstream, or does not exist. asked has "udp NAME TYPE" for each
    question, in order of time.
    """

    def __init__(self, rules=None, upstream: tuple[str, int] | None = None,
                 place: tuple[str, int] | None = None):
        if MISSING:
            pytest.skip(MISSING)
        self.rules = {k.lower(): v for k, v in (rules or {}).items()}
        self.upstream = upstream
        self.asked: list[str] = []
        self.times: collections.Counter = collections.Counter()
        self.problems: list[str] = []
        self.fixed = place is not None
        self.place = place or ("", 0)
        self._thread: threading.Thread | None = None

    @property
    def servers(self) -> str:
        return literal(self.place)

    def rule(self, name: str, kind: str) -> Rule | None:
        for key in (f"{name} {kind}", f"{name} *", "*"):
            rule = self.rules.get(key.lower())
            if isinstance(rule, Rule):
                return rule
            if rule is not None:
                self.times[key] += 1
                return rule[min(self.times[key], len(rule)) - 1]
        return None

    def count(self, name: str, kind: str) -> int:
        return sum(x.endswith(f" {name} {kind}") for x in self.asked)

    # -- inside --

    async def forward(self, wire: bytes, tcp: bool) -> bytes | None:
        loop = asyncio.get_running_loop()

        def body() -> bytes:
            family = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
            with socket.socket(socket.AF_INET, family) as s:
                s.settimeout(5)
                s.connect(self.upstream)
                if not tcp:
                    s.send(wire)
                    return s.recv(65535)
                s.sendall(len(wire).to_bytes(2, "big") + wire)
                f = s.makefile("rb")
                return f.read(int.from_bytes(f.read(2), "big"))

        return await loop.run_in_executor(None, body)

    async def answer(self, wire: bytes, tcp: bool) -> bytes | None:
        question = dns.message.from_wire(wire)
        asked = question.question[0]
        name = asked.name.to_text(True).lower() or "."
        kind = dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(f"{'tcp' if tcp else 'udp'} {name} {kind}")
        rule = self.rule(name, kind)
        if rule is None and self.upstream is not None:
            return await self.forward(wire, tcp)
        if rule is None:
            rule = Rule(rcode="NXDOMAIN")
        await asyncio.sleep(rule.delay)
        if rule.drop or (tcp and rule.only_udp):
            return None
        m = dns.message.make_response(question, recursion_available=True)
        m.set_rcode(dns.rcode.from_text(rule.rcode))
        m.flags |= dns.flags.AD if rule.is_ad else 0
        records = rule.records
        if rule.truncate and not tcp:
            m.flags |= dns.flags.TC
            records = records[:rule.keep]
        m.answer = [made(dns.name.from_text(n), t, r, dns.name.root)
                    for n, t, r in (x.split(None, 2) for x in records)]
        out = m.to_wire(max_size=65535)
        if rule.cut:
            out = out[:rule.cut]
        if rule.raw:
            out = out[:2] + rule.raw
        if rule.wrong_id:
            out = bytes([out[0] ^ 0xff]) + out[1:]
        return out

    async def _udp(self, transport, data: bytes, peer) -> None:
        out = await self.answer(data, False)
        if out is not None and not transport.is_closing():
            transport.sendto(out, peer)

    async def _tcp(self, reader, writer) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                out = await self.answer(await reader.readexactly(size), True)
                if out is None:
                    break
                writer.write(len(out).to_bytes(2, "big") + out)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    def _note(self, task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.problems.append(repr(task.exception()))

    async def _serve(self, udp, tcp, begun) -> None:
        outer = self
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set = set()

        def spawn(work) -> None:
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._note)

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, peer):
                spawn(outer._udp(self.transport, data, peer))

        datagrams, _ = await self._loop.create_datagram_endpoint(
            Datagrams, sock=udp)
        server = await asyncio.start_server(
            lambda r, w: spawn(self._tcp(r, w)), sock=tcp)
        begun.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        datagrams.abort()
        await asyncio.sleep(0)  # then it is closed

    # -- outside --

    def _bind(self) -> tuple:
        while True:
            if not self.fixed:
                self.place = free_place()
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp = socket.socket()
            try:
                udp.bind(self.place)
                tcp.bind(self.place)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
                if self.fixed:
                    raise

    def start(self) -> "Nameserver":
        udp, tcp = self._bind()
        begun = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(udp, tcp, begun)),
            daemon=True, name="nameserver")
        self._thread.start()
        if not begun.wait(START):
            raise RuntimeError("the name server did not start")
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(START)
            assert not self._thread.is_alive()
            self._thread = None

    def __enter__(self) -> "Nameserver":
        return self.start()

    def __exit__(self, *exc) -> None:
        self.stop()
        assert exc[0] or not self.problems, self.problems


@pytest.fixture
def nameserver(world):
    """nameserver(rules) starts a Nameserver in front of the world."""
    started = []

    def start(rules) -> Nameserver:
        started.append(Nameserver(rules, world.nsd.place).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()
    for one in started:
        assert not one.problems, one.problems

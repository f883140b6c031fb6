"""
Somebody on the path (RFC 3207 6): whatever is done to whichever byte that the
server says, mail that needs TLS is not seen on the wire, and mail that takes
it as a chance arrives.

The wire forwards to the real host, and does its mischief on the first
connection alone: it cuts, changes or adds at a byte, or lets nothing through
any more. What it saw of the client is the judge, whatever the host thinks.
"""

import random
import socket
import threading

import pytest

from mailway import SENT

LATER = ("deferred", "deferall", "deferback")
POINTS = {"cut": 16, "flip": 16, "add": 16, "stall": 2}
QUICK = ("-T", "tls=5s", "-T", "cmd=5s", "-T", "data=10s", "-T", "dot=10s")
ENVELOPE = (b"MAIL FROM", b"RCPT TO", b"bob@", b"Subject:")


class Wire:
    """
    Between a host and its clients. kind says what happens at a byte: "cut",
    the end; "stall", no more; "flip", another byte; "add", more before it.
    """

    def __init__(self, listen: str, port: int, to: str):
        self.to = (to, port)
        self.point, self.kind = -1, ""
        self.said: list[bytearray] = []     # by the client, by connection
        self.heard = bytearray()            # from the first one's server
        self.listener = socket.create_server((listen, port))
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def arm(self, kind: str, point: int) -> None:
        self.kind, self.point = kind, point
        self.heard = bytearray()
        self.said = []

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.to)
            said = bytearray()
            self.said.append(said)
            first = len(self.said) == 1
            for work in ((self.up, client, server, said),
                         (self.down, client, server, first)):
                thread = threading.Thread(target=work[0], args=work[1:])
                thread.start()
                self.threads.append(thread)

    @staticmethod
    def end(*sockets) -> None:
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def up(self, client, server, said) -> None:
        try:
            while data := client.recv(65536):
                said += data
                server.sendall(data)
        except OSError:
            pass
        self.end(client, server)

    def down(self, client, server, first: bool) -> None:
        seen, is_stalled = 0, False
        try:
            while data := server.recv(65536):
                at = self.point - seen
                seen += len(data)
                if first:
                    self.heard += data
                if first and 0 <= at < len(data):
                    is_stalled = self.kind == "stall"
                    data, goes_on = self.spoil(data, at)
                    client.sendall(data)
                    if not goes_on:
                        break
                elif not is_stalled:
                    client.sendall(data)
        except OSError:
            pass
        self.end(client, server)

    def spoil(self, data: bytes, at: int) -> tuple[bytes, bool]:
        before, behind = data[:at], data[at:]
        if self.kind == "cut":
            return before, False
        if self.kind == "stall":
            return before, True
        if self.kind == "flip":
            return before + bytes([behind[0] ^ 0x20]) + behind[1:], True
        return before + b"250 STARTTLS\r\n" + behind, True      # "add"

    def in_clear(self) -> bytes:
        return b"".join(self.said)

    def stop(self) -> None:
        self.end(self.listener)
        self.listener.close()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def wire(site):
    """wire(zone, tlsa=): the domain's only host, behind the wire."""
    made = []

    def make(zone: str) -> Wire:
        host = f"mx1.{zone}"
        mx = site.host(host, named=False)
        there, site.addresses[host] = site.addresses[host], site.place()
        site.add(host, "A", site.addresses[host])
        site.mx(zone, host)
        if zone == "secure":
            site.tlsa(host, "3 1 1")
        made.append(Wire(site.addresses[host], site.port, there))
        made[0].host = mx
        return made[0]

    yield make
    for w in made:
        w.host.stop()
        w.stop()


def points(total: int, kind: str) -> list[int]:
    """Spread over all that the server says, and not always the same."""
    step = total / POINTS[kind]
    return [int((i + random.random()) * step) for i in range(POINTS[kind])]


def clean_run(site, w: Wire, zone: str) -> bytes:
    """What the server says if nobody does anything to it."""
    w.arm("", -1)
    site.mail(zone, *QUICK).is_sent(w.host)
    return bytes(w.heard)


@pytest.mark.parametrize("kind", POINTS)
def test_mail_that_needs_tls_is_not_seen(site, wire, kind):
    w = wire("secure")
    for point in points(len(clean_run(site, w, "secure")), kind):
        w.arm(kind, point)
        n = len(w.host.messages)
        way = site.mail("secure", *QUICK)
        for word in ENVELOPE:
            assert word not in w.in_clear(), (point, w.in_clear())
        assert way.report.status in (SENT, *LATER), (point, way.record)
        assert len(w.host.messages) - n <= 1, point
        if way.report.status == SENT:
            assert len(w.host.messages) - n == 1, point
    site.nothing_in_clear()


@pytest.mark.parametrize("kind", ["cut", "flip", "stall"])
def test_mail_that_takes_tls_as_a_chance_arrives(site, wire, kind):
    """Once, from the reply to STARTTLS on; before it, it may have to wait."""
    w = wire("plain")
    heard = clean_run(site, w, "plain")
    begin = heard.index(b"220 2.0.0 ready")
    for point in points(len(heard), kind):
        w.arm(kind, point)
        n = len(w.host.messages)
        way = site.mail("plain", *QUICK)
        assert way.report.status in (SENT, *LATER), (point, way.record)
        assert len(w.host.messages) - n <= 1, point
        if way.report.status == SENT or point >= begin:
            assert len(w.host.messages) - n == 1, (point, way.record)
            assert SENT == way.report.status or \
                way.reason == "outcome-unknown", (point, way.record)

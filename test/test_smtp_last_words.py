"""
What smtp makes of a server's last words, and that refusals come to an end.

The servers here speak over a bare socket, each connection in a thread: they
reset it, or count how often they are called.
"""

import contextlib
import socket
import struct
import threading
import time

import pytest
from smtpcheck import HOST
from zpost import Rcpt


class Server:
    """Calls handler(connection, its number) for each connection."""

    def __init__(self, handler, receive_buffer=None):
        self.listener = socket.socket()
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                     receive_buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.handler = handler
        self.connections = 0
        port = self.listener.getsockname()[1]
        self.destination = f"[127.0.0.1]:{port}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            threading.Thread(target=self.serve_one, daemon=True,
                             args=(connection, number)).start()

    def serve_one(self, connection, number):
        with connection, contextlib.suppress(OSError):
            self.handler(connection, number)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def server():
    made = []

    def make(*args, **more):
        made.append(Server(*args, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def feed(agent, jobs):
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))


def hello(keywords):
    lines = ["x", *keywords, "HELP"]
    return "".join(f"250{'-' if line != 'HELP' else ' '}{line}\r\n"
                   for line in lines).encode()


@pytest.mark.parametrize("keywords, closes, notify", [
    (["SMTPUTF8", "8BITMIME", "LIMITS MAILMAX=1"], False, None),
    (["SMTPUTF8", "8BITMIME"], True, None),
    (["DELIVERBY", "8BITMIME", "LIMITS MAILMAX=1"], False, "BY={};N"),
], ids=["utf8", "utf8-close", "by"])
def test_refused_parameter_is_asked_for_once(office, server, keywords, closes,
                                             notify):
    """Each connection is the server's chance to be asked again: no loop."""
    def handler(connection, _):
        lines = connection.makefile("rb")
        connection.sendall(b"220 hi ESMTP\r\n")
        while line := lines.readline():
            if line.startswith(b"EHLO"):
                connection.sendall(hello(keywords))
            elif b" SMTPUTF8" in line or b" BY=" in line:
                connection.sendall(b"555 5.5.4 not supported\r\n")
                if closes:
                    return
            elif line.startswith(b"DATA"):
                connection.sendall(b"354 go\r\n")
                while lines.readline() not in (b".\r\n", b""):
                    pass
                connection.sendall(b"250 ok\r\n")
            else:
                connection.sendall(b"250 ok\r\n")

    peer = server(handler)
    agent = office.agent("smtp", "-H", "-F", peer.destination)
    agent.hungry()
    if notify is not None:
        notify = notify.format(int(time.time()) + 1000)
    job = office.post([Rcpt("u@x.example", notify=notify)],
                      header="Subject: \N{EM DASH}\n".encode())
    out = agent.run(job, HOST)
    assert out.report.status in ("ok2", "ok3")
    assert peer.connections == 2


def test_replies_before_a_reset_are_all_heard(office, server):
    """The client is blocked in writing when they come, then the reset."""
    def handler(connection, number):
        lines = connection.makefile("rb", buffering=1 << 20)
        late, messages = b"", 0
        connection.sendall(b"220 hi ESMTP\r\n")
        while line := lines.readline():
            if line.startswith(b"EHLO"):
                connection.sendall(hello(["PIPELINING", "CHUNKING"]))
                continue
            reply = b"250 ok\r\n"
            if line.startswith(b"BDAT"):
                lines.read(int(line.split()[1]))
                messages += 1
                reply = b"250 " + b"q" * 2500 + b"\r\n"
            if number > 0 or messages < 20:
                connection.sendall(reply)
                continue
            late += reply
            if messages == 35 and line.startswith(b"BDAT"):
                time.sleep(1)   # so that the client runs into the full pipe
                connection.sendall(late)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
                return

    peer = server(handler, receive_buffer=4096)
    jobs = [office.post([f"r{i}@x.example"],
                        body=b"some words and a line end\n"
                        * (30 if i < 37 else 100000))
            for i in range(60)]
    agent = office.agent("smtp", "-F", peer.destination)
    agent.hungry()
    feed(agent, jobs)
    out = agent.collect(len(jobs))
    assert [out.of(job).status for job in jobs[:35]] == ["ok3"] * 35


def test_slow_final_reply_is_no_idle_time(office, server):
    """An idle session is one where nothing was said or heard."""
    def handler(connection, _):
        lines = connection.makefile("rb")
        connection.sendall(b"220 hi ESMTP\r\n")
        while line := lines.readline():
            if line.startswith(b"DATA"):
                connection.sendall(b"354 go\r\n")
                while lines.readline() not in (b".\r\n", b""):
                    pass
                time.sleep(3)
            connection.sendall(b"250 ok\r\n")

    peer = server(handler)
    agent = office.agent("smtp", "-F", peer.destination, "-O", "idle=2s")
    agent.hungry()
    for _ in range(2):
        assert agent.run(office.post(), HOST).report.status == "ok3"
    assert peer.connections == 1


def test_thousands_of_senders_of_their_own(office, smtp, smtpd):
    """Each recipient of an EZMLM list is a transaction of its own."""
    n = 3000
    job = office.post([Rcpt(f"r{i}@x.example",
                            notify=f"EZMLM=-r-{i}=x.example")
                       for i in range(n)], sender="list@example.net")
    server = smtpd(keywords=["PIPELINING", "CHUNKING"])
    out = smtp(server).run(job, HOST)
    assert out.statuses == ["ok3"] * n
    assert [[rcpt.address for rcpt in message.rcpts]
            for message in server.messages] == [[f"r{i}@x.example"]
                                                for i in range(n)]
    assert len({message.sender for message in server.messages}) == n

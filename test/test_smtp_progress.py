"""
smtp(8) tells how far a message is that takes long: "#progress" lines, only for
our scheduler (-O attempts=-), and none for what is sent at once.
"""

import contextlib
import json
import socket
import threading
import time

import pytest

from agentrun import wait_for
from attemptfile import from_output
from smtpcheck import HOST, size_estimate


class SlowServer:
    """Reads content a little at a time until it may read all."""

    def __init__(self):
        self.may_read = threading.Event()
        self.is_over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.destination = f"[127.0.0.1]:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        client, _ = self.listener.accept()
        client.settimeout(60)
        with client, client.makefile("rb") as lines, \
                contextlib.suppress(OSError):
            client.sendall(b"220 slow\r\n")
            for line in lines:
                word = line.split()[0].upper()
                if word == b"DATA":
                    client.sendall(b"354 go on\r\n")
                    self._content(lines)
                client.sendall(b"221 bye\r\n" if word == b"QUIT"
                               else b"250 fine\r\n")

    def _content(self, lines) -> None:
        size = 0
        for line in lines:
            if line == b".\r\n":
                return
            size += len(line)
            if size > 20000 and not self.is_over.is_set():
                size = 0
                self.may_read.wait(0.05)

    def close(self) -> None:
        self.may_read.set()
        self.is_over.set()
        self.thread.join(60)
        self.listener.close()


@pytest.fixture
def slow():
    server = SlowServer()
    yield server
    server.close()


def progress(lines) -> list[dict]:
    return [json.loads(x.removeprefix("#progress ")) for x in lines
            if x.startswith("#progress ")]


def test_progress_of_a_long_message_is_told(office, slow, smtp):
    big = office.post(["bob@example.com"], body=b"x" * 70 + b"\n")
    big.message.write_bytes(big.message.read_bytes()
                            + (b"x" * 70 + b"\n") * 200000)
    agent = smtp(slow, "-O", "attempts=-")
    agent.feed(big, HOST)
    agent.wait_line("#progress ")
    lines = []

    def look():
        lines.extend(agent.pending().lines)
        return len(progress(lines)) >= 3
    wait_for(look, "three lines")
    slow.may_read.set()
    slow.is_over.set()
    out = agent.collect(1)
    lines += out.lines
    told = progress(lines)
    assert {x["message"] for x in told} == {big.name}
    assert {x["size"] for x in told} == {size_estimate(big)}
    assert all(x["host"] for x in told)
    sent = [x["bytes"] for x in told]
    assert sent == sorted(sent) and 0 < sent[0] < sent[2]
    assert sent[-1] <= size_estimate(big)
    assert big.tag() == "+"
    # What is sent at once needs no such words.
    small = [office.post(["bob@example.com"]) for _ in range(20)]
    for job in small:
        agent.feed(job, HOST)
    assert progress(agent.collect(20).lines) == []
    time.sleep(1.1)                     # nor a while behind it
    assert progress(agent.run(office.post(["bob@example.com"]),
                              HOST).lines) == []
    assert len(from_output(out.lines)) == 1


def test_progress_is_for_our_scheduler_alone(office, slow, smtp):
    big = office.post(["bob@example.com"])
    big.message.write_bytes(big.message.read_bytes()
                            + (b"x" * 70 + b"\n") * 200000)
    agent = smtp(slow, "-O", f"attempts={office.base / 'attempts'}")
    agent.feed(big, HOST)
    time.sleep(2.2)
    slow.may_read.set()
    slow.is_over.set()
    assert progress(agent.collect(1).lines) == []

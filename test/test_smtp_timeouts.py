"""
smtp(8) -T: each phase in which a server can fall silent has its own timeout.
All others keep their defaults of minutes, so that only the one that was set
can end the wait; and all phases are waited for side by side.
"""

import json
import re
import socket
import threading

import pytest

from smtpcheck import HOST, settled
from smtpd import KEYWORDS, Do

PATIENCE = 50           # seconds; the least timeouts are 5 and 10
SILENT = Do(silent=True)
# The second try is over at once: it is the first that is looked at.
GONE = {"connect": "421 4.3.2 no more"}
LARGE = b"x" * 70 + b"\n"
WAITED = "Timeout of {} sec while waiting responses from remote"
BLOCKED = "write to remote blocked for {} sec"

# -T, what the server does, the text, the word of the report.
PHASES = {
    "greeting": ("cmd=5s", {"connect": SILENT}, WAITED, "deferall"),
    "EHLO": ("cmd=5", {"EHLO": SILENT}, WAITED, "deferall"),
    "MAIL": ("5", {"MAIL": SILENT}, WAITED, "deferall"),
    "RCPT": ("5s", {"RCPT": SILENT}, WAITED, "deferall"),
    "DATA": ("data=10", {"DATA": SILENT}, WAITED, "deferall"),
    "content": ("tcpw=10s", {"content": Do(stall=1)}, BLOCKED, "deferall"),
    "end": ("dot=10s", {".": SILENT}, WAITED, "deferback"),
    "chunk": ("dot=10", {".": SILENT}, WAITED, "deferback"),
}


class Backlog:
    """A port whose queue is full: what comes is neither taken nor refused."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.waiting = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(self.listener.getsockname())
            self.waiting.append(s)
        port = self.listener.getsockname()[1]
        self.destination = f"[127.0.0.1]:{port}"

    def close(self):
        for s in [self.listener, *self.waiting]:
            s.close()


class LateReader:
    """
    A server that does not look at the content until it is told to, and does
    not answer its end until it is told again.
    """

    def __init__(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1)
        port = self.listener.getsockname()[1]
        self.destination = f"[127.0.0.1]:{port}"
        self.may_read, self.may_answer = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        self.listener.settimeout(PATIENCE)
        with self.listener.accept()[0] as s, s.makefile("rb") as lines:
            s.settimeout(PATIENCE)
            for reply in b"220 mx", b"250 mx", b"250 ok", b"250 ok", b"354 go":
                s.sendall(reply + b"\r\n")
                if reply != b"354 go":
                    lines.readline()
            self.may_read.wait(PATIENCE)
            while lines.readline() not in (b".\r\n", b""):
                pass
            self.may_answer.wait(PATIENCE)
            s.sendall(b"250 in\r\n")

    def close(self):
        self.may_read.set()
        self.may_answer.set()
        self.thread.join()
        self.listener.close()


@pytest.fixture
def closing():
    """closing(x) closes x behind the test."""
    opened = []

    def keep(x):
        opened.append(x)
        return x

    yield keep
    for x in opened:
        x.close()


class Wait:
    """An agent at a server that falls silent."""

    def __init__(self, office, smtp, destination, spec, **post):
        self.job = office.post(**post)
        self.records = office.base / f"records-{self.job}"
        self.agent = smtp(None, "-F", destination, "-T", spec, "-O",
                          f"attempts={self.records}")
        self.agent.feed(self.job, HOST)

    def report(self):
        return self.agent.collect(1, PATIENCE).report

    def why(self):
        """What the first attempt came to."""
        first = json.loads(self.records.read_bytes().splitlines()[0])
        return (first["lost"]["why"] if "lost" in first
                else first["tried"][0]["why"])


def test_silence_in_each_phase(office, smtp, smtpd, closing):
    waits = {}
    for name, (spec, script, _, _) in PHASES.items():
        keywords = [*KEYWORDS, "CHUNKING"] if name == "chunk" else KEYWORDS
        server = smtpd(keywords=keywords, connections=[script, GONE, GONE],
                       rcvbuf=8192, allow={"cut-line"})
        body = LARGE * (400000 if name == "content" else 1)
        waits[name] = Wait(office, smtp, server.destination, spec, body=body)
    full = Wait(office, smtp, closing(Backlog()).destination, "conn=10s")
    for name, (spec, _, text, word) in PHASES.items():
        report = waits[name].report()
        seconds = re.search(r"\d+", spec)[0]
        assert text.format(seconds) in waits[name].why(), name
        assert report.status == word, (name, report.line)
        settled(waits[name].job, " ")
    assert full.report().status == "deferall"
    assert full.why().endswith(": Connection timed out)")
    settled(full.job, " ")


def test_end_of_data_is_waited_for_from_when_all_was_written(office, smtp,
                                                             closing):
    """What a slow reader takes for content is not counted."""
    server = closing(LateReader())
    wait = Wait(office, smtp, server.destination, "dot=10",
                body=LARGE * 400000)
    wait.agent.quiet(8)
    server.may_read.set()
    wait.agent.quiet(3)
    server.may_answer.set()
    assert wait.report().status == "ok3"
    settled(wait.job, "+")

"""mailq --live: on a terminal, and where there is none."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from fakesched import FakeScheduler
from test_mailq import scheduler  # noqa: F401
from zpost import DEADLINE, program, wait_for

NOW = int(time.time())


def fill(s) -> None:
    """A scheduler with something to see."""
    s.status = {"pid": 4700, "started": NOW - 7200}
    s.count = {"messages": 12, "recipients": 345, "held": 1, "ready": 2,
               "waiting": 3, "fed": 4, "agents": 2, "threads": 3,
               "suspended": 1}
    s.metrics = ('# HELP zpost_results_total x\n'
                 'zpost_results_total{outcome="delivered"} 17\n'
                 'zpost_results_total{outcome="deferred"} 5\n')
    s.agents = [
        {"pid": 4711, "program": "smtp", "channel": "smtp",
         "host": "big.example", "state": "working", "message": "24700",
         "lines": 3, "since": NOW - 61,
         "progress": {"bytes": 3 << 20, "size": 6 << 20}},
        {"pid": 4712, "program": "sm", "channel": "local", "state": "idle",
         "lines": 0}]
    s.destinations = [
        {"channel": "smtp", "host": "big.example", "jobs": 3, "fed": 1,
         "recipients": 300, "agents": 1, "oldest": NOW - 100},
        {"channel": "smtp", "host": "dead.example", "jobs": 3,
         "recipients": 45, "suspended": True, "until": NOW + 3600,
         "status": "4.4.1", "host_said": "dns; mx.dead", "why": "refused",
         "oldest": NOW - 9000}]


class Terminal:
    """mailq --live on a terminal of so many rows and columns."""

    def __init__(self, office, *words, rows=24, columns=80, under=()):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [*under, program("mailq"), "--live", *words],
            env=office.environment(), stdin=self.slave, stdout=self.slave,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.seen = b""

    def resize(self, rows, columns) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bool:
        if select.select([self.master], [], [], 0.05)[0]:
            self.seen += os.read(self.master, 65536)
        return True

    def wait(self, *parts: str) -> None:
        wait_for(lambda: self.read() and all(
            p.encode() in self.seen for p in parts),
            f"{parts} on the screen")

    def frames(self) -> list[list[str]]:
        """What was drawn, frame by frame, as plain lines."""
        found = []
        for frame in self.seen.split(b"\x1b[H")[1:]:
            if b"\x1b[J" not in frame:
                continue
            text = frame.split(b"\x1b[J")[0].decode()
            plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
            found.append(re.split("\r+\n", plain))
        return found

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self, status=0, trailer=False) -> None:
        """It has ended, and left the terminal as it was; trailer: somebody
        else may have said something."""
        wait_for(lambda: self.read() and self.process.poll() is not None,
                 "the end")
        self.read()
        said = self.process.stderr.read()
        self.process.stderr.close()
        assert b"Sanitizer" not in said and b"runtime error" not in said
        assert self.process.returncode == status, said
        assert termios.tcgetattr(self.slave) == self.before
        assert self.seen.startswith(b"\x1b[?1049h\x1b[?25l")
        last = b"\x1b[m\x1b[?25h\x1b[?1049l"
        assert self.seen.endswith(last) or (trailer and last in self.seen)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def terminal(office):
    made = []

    def start(*words, **how) -> Terminal:
        made.append(Terminal(office, *words, **how))
        return made[-1]

    yield start
    for t in made:
        t.close()


def test_screen_shows_counts_agents_destinations_retries(scheduler, terminal):
    fill(scheduler)
    t = terminal()
    t.wait("Next retries", "\x1b[J")
    lines = t.frames()[-1]
    assert "scheduler 4700 up 2h" in lines[0]
    assert lines[1].startswith("messages 12  recipients 345  held 1  ready 2")
    assert "delivered 17" in lines[2]
    agent = next(x for x in lines if "4711" in x)
    assert "big.example" in agent and " 24700 " in agent
    assert re.search(r" \dm\d*s? ", agent)
    assert "[######......]  50%  3.0M/6.0M" in agent
    assert [x for x in lines if "4712" in x and "idle" in x]
    at = lines.index("Next retries")
    assert "smtp/dead.example" in lines[at + 1]
    assert "4.4.1 mx.dead: refused"[:10] in lines[at + 1]
    assert all(len(x) <= 80 for x in lines) and len(lines) <= 24
    t.type("q")
    t.end()


def test_rates_come_from_two_looks(scheduler, terminal):
    fill(scheduler)
    t = terminal("1")
    t.wait("delivered 0.0/s")
    scheduler.metrics = scheduler.metrics.replace("17", "100017")
    wait_for(lambda: t.read() and re.search(rb"delivered [1-9]\d+\.\d/s",
                                            t.seen), "a rate")
    t.type("q")
    t.end()


def test_a_new_size_is_drawn_at_once(scheduler, terminal):
    fill(scheduler)
    t = terminal("3600", rows=40, columns=132)
    t.wait("Next retries", "refused")
    n = len(t.frames())
    t.resize(8, 40)
    wait_for(lambda: t.read() and len(t.frames()) > n, "another frame")
    lines = t.frames()[-1]
    assert len(lines) <= 8 and all(len(x) <= 40 for x in lines)
    t.type("q")
    t.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP, signal.SIGQUIT])
def test_signals_end_it_and_restore_the_terminal(scheduler, terminal, number):
    fill(scheduler)
    t = terminal()
    t.wait("messages 12")
    t.process.send_signal(number)
    t.end()


def test_interrupt_key_ends_it(scheduler, terminal):
    t = terminal()
    t.wait("messages 0")
    t.type("\x03")
    t.end()


def test_stop_gives_the_terminal_back_and_takes_it_again(scheduler,
                                                         terminal):
    # With job control of a shell, which continues it at once.
    t = terminal("3600", under=["sh", "-mc", '"$0" "$@"; fg'])
    t.wait("messages 0")
    t.type("\x1a")
    wait_for(lambda: t.read() and t.seen.count(b"\x1b[?1049h") == 2
             and t.seen.rstrip().endswith(b"\x1b[J"), "it to go on")
    assert t.seen.count(b"\x1b[?1049l") == 1
    t.type("q")
    t.end(trailer=True)


def test_a_terminal_that_goes_ends_it(scheduler, terminal):
    t = terminal()
    t.wait("messages 0")
    os.close(t.slave)
    os.close(t.master)
    t.master = t.slave = -1
    t.process.wait(DEADLINE)
    t.process.stderr.close()


def test_key_is_not_kept_waiting_by_a_slow_scheduler(scheduler, terminal):
    # A count that never ends.
    scheduler.answers["count"] = [b'{"messages":1']
    t = terminal()
    wait_for(lambda: t.read() and "count" in scheduler.asked, "the question")
    t.type("q")
    t.end()


def test_screen_waits_for_a_scheduler(office, terminal):
    t = terminal("1")
    t.wait("no scheduler runs")
    with FakeScheduler(office) as s:
        fill(s)
        t.wait("messages 12")
    n = t.seen.count(b"no scheduler runs")
    wait_for(lambda: t.read() and t.seen.count(b"no scheduler runs") > n,
             "the loss to be shown")
    t.type("q")
    t.end()


def test_who_may_not_ask_sees_counts(scheduler, terminal):
    fill(scheduler)
    for word in ("agents", "destinations"):
        scheduler.answers[word] = ["error: only root may ask for that"]
    t = terminal()
    t.wait("messages 12")
    assert "4711" not in "".join(t.frames()[-1])
    t.type("q")
    t.end()


def test_hostile_names_do_not_reach_the_screen(scheduler, terminal):
    fill(scheduler)
    evil = "\x1b]0;owned\x07\x9b2J\r\n\u202e"
    scheduler.agents[0] |= {"host": evil, "message": evil, "state": evil}
    scheduler.destinations[1] |= {"host": evil, "why": evil, "status": evil,
                                  "channel": evil}
    t = terminal(rows=40, columns=120)
    t.wait("Next retries", "\x1b[J")
    t.type("q")
    t.end()
    for frame in t.frames():
        for line in frame:
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", line)


def lines_of(office, *words, number=signal.SIGTERM, n=2) -> list[str]:
    p = subprocess.Popen([program("mailq"), "--live", *words, "1"],
                         env=office.environment(), text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        found = [p.stdout.readline() for _ in range(n)]
        p.send_signal(number)
        assert p.wait(DEADLINE) == 0
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
    return found


def test_plain_lines_where_there_is_no_terminal(office, scheduler):
    fill(scheduler)
    for line in lines_of(office):
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  messages 12  recipients 345 .*"
            r"agents 2  suspended 1  delivered 0\.0/s .*\n", line)
        assert "\x1b" not in line


def test_dumb_terminal_gets_lines(office, scheduler):
    fill(scheduler)
    master, slave = pty.openpty()
    p = subprocess.Popen([program("mailq"), "--live", "1"], stdin=slave,
                         stdout=slave, stderr=slave,
                         env=office.environment({"TERM": "dumb"}))
    os.close(slave)
    try:
        seen = b""
        while seen.count(b"\n") < 2:
            seen += os.read(master, 1000)
        assert b"\x1b" not in seen and b"messages 12" in seen
    finally:
        p.terminate()
        p.wait(DEADLINE)
        os.close(master)


def test_json_lines(office, scheduler):
    fill(scheduler)
    for line in lines_of(office, "--json", number=signal.SIGINT):
        found = json.loads(line)
        assert found["kind"] == "live" and found["recipients"] == 345
        assert found["agents"][0]["done"] == 3 << 20
        assert [x["host"] for x in found["destinations"]] \
            == ["big.example", "dead.example"]
        assert [x["host"] for x in found["retries"]] == ["dead.example"]
        assert found["delivered"] == 17
        assert found["delivered_per_second"] == 0


def test_lines_end_with_their_reader_and_the_scheduler(office, scheduler):
    done = subprocess.run(
        ["sh", "-c", '"$0" --live 1 | head -n 1', program("mailq")],
        env=office.environment(), capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count(b"\n") == 1
    scheduler.answers["status"] = [b"nonsense\n"]
    done = subprocess.run([program("mailq"), "--live", "1"],
                          env=office.environment(), capture_output=True,
                          timeout=60)
    assert done.returncode == 69 and b"scheduler" in done.stderr

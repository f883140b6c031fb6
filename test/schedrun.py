"""
schedrun - a scheduler run as a postmaster runs it, and what it says.

    with Scheduler(office, "smtp/*\\n\\tcommand=\\"smtp -F x\\"\\n") as s:
        job = office.post(["bob@example.com"])
        s.wait_gone(job)

Programs of ours and fake agents (fakeagent.py) are found as agents under their
names. Every wait has a deadline; what the scheduler said is in what fails.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from agentrun import DEADLINE, Silence, program, wait_for
from spoolfile import Job, to_text

HERE = pathlib.Path(__file__).resolve().parent

# Short times, so that a test sees what takes days.
DEFAULTS = """\
PARAMglobal-report-interval = 1s
*/*\tinterval=1s idlemax=30s expiry=1h retries="1 1 1 1 1 1 1 1"
\tmaxring=20 overfeed=10
"""


class Scheduler:
    """
    conf: the clauses, behind DEFAULTS unless defaults says otherwise. wrapper
    words go before the program; more is for subprocess.Popen.
    """

    def __init__(self, office, conf: str, *options, defaults: str = DEFAULTS,
                 env: dict | None = None, start: bool = True, wrapper=(),
                 **more):
        self.office = office
        self.options = options
        self.env = env
        self.wrapper = list(wrapper)
        self.more = more
        self.lines: list[str] = []
        self.program = program("scheduler")
        self.process = None
        self.events_file = office.base / "events"
        self.said = office.base / "said"        # of fake agents
        self.agents = office.bin / "ta"
        self.agents.mkdir(exist_ok=True)
        for name in ("smtp", "sm", "zlaunch"):
            if not (self.agents / name).exists():
                (self.agents / name).symlink_to(program(name))
        self.fake("fake")
        self.defaults = defaults
        self.configure(conf)
        if start:
            self.start()

    def fake(self, name: str) -> None:
        """An agent of this name that does as its arguments say."""
        path = self.agents / name
        path.write_text(f"#!/bin/sh\nexec {sys.executable} "
                        f"{HERE / 'fakeagent.py'} {self.said} \"$@\"\n")
        path.chmod(0o755)

    def configure(self, conf: str) -> None:
        (self.office.share / "scheduler.conf").write_text(
            self.defaults + conf)

    def start(self) -> "Scheduler":
        n = self.text.count(" serving ") + 1
        self.process = subprocess.Popen(
            [*self.wrapper, str(self.program), "-O", "scan=1", "-O",
             f"events={self.events_file}", *map(str, self.options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd="/",
            env=self.office.environment(self.env), **self.more)
        self.reader = threading.Thread(target=self._read,
                                       args=(self.process.stderr,))
        self.reader.start()
        try:
            self.wait(lambda: self.text.count(" serving ") >= n
                      or self.process.poll() is not None, "a start")
        except Silence:
            self.process.kill()
            self.process.wait()
            raise
        assert self.process.poll() is None, self.text
        return self

    def _read(self, pipe) -> None:
        for line in pipe:
            self.lines.append(to_text(line.rstrip(b"\n")))
        pipe.close()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait(self, condition, what: str, deadline: float = DEADLINE):
        try:
            return wait_for(condition, what, deadline)
        except Silence as silence:
            raise Silence(str(silence), self.text) from None

    def wait_line(self, word: str, n: int = 1) -> list[str]:
        """Waits until n lines of the log hold this word."""
        def look():
            found = [x for x in self.lines if word in x]
            return found if len(found) >= n else None
        return self.wait(look, f"{n} lines with {word!r}")

    def wait_gone(self, *jobs: Job) -> None:
        """Waits until both files of each job are removed."""
        self.wait(lambda: not any(j.control.exists() or j.message.exists()
                                  for j in jobs),
                  "the end of " + ", ".join(j.name for j in jobs))

    def events(self, event: str | None = None) -> list[dict]:
        try:
            lines = self.events_file.read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []
        found = [json.loads(x) for x in lines]
        return [x for x in found if event in (None, x["event"])]

    def calls(self) -> list[list[str]]:
        """What fake agents wrote down: [pid, word, ...]."""
        try:
            return [x.split("\t") for x in
                    self.said.read_text().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def fed(self) -> list[str]:
        """The names of the job lines that fake agents were fed."""
        return [x[2] for x in self.calls() if x[1] == "job"]

    def reports(self) -> list[Job]:
        """Jobs in the spool that are reports of the scheduler."""
        found = []
        for job in self.office.jobs():
            if b"\ns error " in job.written:
                found.append(job)
        return found

    def wait_reports(self, n: int = 1) -> list[Job]:
        def look():
            found = self.reports()
            return found if len(found) >= n else None
        return self.wait(look, f"{n} reports")

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.process.pid, number)

    def stop(self) -> int:
        """Asks it to end; gives its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Silence("the scheduler does not end", self.text) from None
        finally:
            self.reader.join(DEADLINE)
        return status

    def __enter__(self) -> "Scheduler":
        return self

    def __exit__(self, kind, *rest) -> None:
        status = self.stop()
        if kind is None:
            assert status == 0, self.text
            assert "Sanitizer" not in self.text, self.text


@pytest.fixture
def scheduler(office):
    """
    scheduler(conf, *options) runs one for office, or the post office `at`; it
    must end well after the test.
    """
    running = []

    def start(conf, *options, **how) -> Scheduler:
        running.append(Scheduler(how.pop("at", office), conf, *options,
                                 **how))
        return running[-1]

    yield start
    for s in running:
        if s.process is not None and s.process.returncode is None:
            assert s.stop() == 0, s.text
        assert "Sanitizer" not in s.text

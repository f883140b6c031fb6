"""
agentrun - an agent run as the scheduler runs it, and what it says.

zpost.Postoffice.agent() makes an Agent. Every wait has a deadline; an agent
that keeps silent raises Silence with all it said before.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import re
import selectors
import signal
import socket
import subprocess
import time
import typing

from spoolfile import Job, Notary, to_bytes, to_text

if typing.TYPE_CHECKING:
    from zpost import Postoffice

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEADLINE = float(os.environ.get("ZPOST_DEADLINE", "20"))


def bin_dir() -> pathlib.Path:
    return pathlib.Path(os.environ.get("ZPOST_BIN")
                        or ROOT / "build" / "debug" / "bin").resolve()


def program(name: str) -> pathlib.Path:
    path = bin_dir() / name
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is not built; run make, or set "
                                "ZPOST_BIN to the folder of the programs")
    return path


def is_sanitized() -> bool:
    """Built with AddressSanitizer? Then strace and memory limits are out."""
    return b"__asan_init" in program("smtp").read_bytes()


class Silence(AssertionError):
    """Something did not come in time. `.said` holds what did."""

    def __init__(self, what: str, said: str = ""):
        super().__init__(f"{what}; so far:\n{said}" if said else what)
        self.said = said


def wait_for(condition, what: str = "a condition", deadline: float = None,
             step: float = 0.01):
    """Calls condition() until it gives something true; gives that back."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Silence(f"waited in vain for {what}")
        time.sleep(step)


@dataclasses.dataclass
class Report:
    """A report line: id/offset TAB notary TAB status message."""

    id: int
    offset: int
    notary: Notary | None
    status: str
    message: str
    line: str

    PATTERN = re.compile(
        r"(\d+)/(\d+)\t([^\t]*)\t([^ ]+)(?: (.*))?", re.DOTALL)

    @classmethod
    def parse(cls, line: str) -> "Report":
        m = cls.PATTERN.fullmatch(line)
        if m is None:
            raise ValueError(f"not a report line: {line!r}")
        return cls(int(m[1]), int(m[2]), Notary.parse(m[3]), m[4],
                   m[5] or "", line)


class Output:
    """Lines of an agent, sorted by kind and in order."""

    def __init__(self, lines: list[str]):
        self.lines = lines
        self.hungry = sum(x == "#hungry" for x in lines)
        self.resyncs = [x[8:] for x in lines if x.startswith("#resync ")]
        self.comments = [x for x in lines if x == "" or x.startswith("#")
                         and x != "#hungry" and not x.startswith("#resync ")]

    @functools.cached_property
    def reports(self) -> list[Report]:
        """The report lines; ValueError if a line is nothing known."""
        try:
            return [Report.parse(x) for x in self.lines
                    if x != "" and not x.startswith("#")]
        except ValueError as wrong:
            raise ValueError(f"{wrong} in:\n{self.text}") from None

    @property
    def report(self) -> Report:
        """The only report."""
        assert len(self.reports) == 1, \
            f"{len(self.reports)} reports:\n" + self.text
        return self.reports[0]

    def of(self, job: Job, i: int = 0) -> Report:
        """The only report of recipient i of a job."""
        found = [r for r in self.reports
                 if (r.id, r.offset) == (job.id, job.rcpts[i].offset)]
        assert len(found) == 1, \
            f"{len(found)} reports for {job.report(i)}:\n" + self.text
        return found[0]

    @property
    def statuses(self) -> list[str]:
        return [r.status for r in self.reports]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"Output({self.lines!r})"


class Agent:
    """
    A running agent. stdio:
      "pipe"    descriptor 0 a pipe, 1 and 2 one pipe (the scheduler's second
                choice)
      "socket"  0, 1 and 2 are one end of one UNIX stream socket
      "split"   0, 1, 2 three pipes; .errors has what came on descriptor 2
    nofile sets the soft descriptor limit (the scheduler's is 32).
    """

    def __init__(self, office: Postoffice, name: str, *args,
                 stdio: str = "pipe", env: dict | None = None,
                 nofile: int | None = None, cwd=None, deadline: float = None,
                 wrapper: list | tuple = (), umask: int = -1,
                 user=None, group=None):
        self.office = office
        self.name = name
        self.deadline = DEADLINE if deadline is None else deadline
        self.lines: list[str] = []      # every whole line so far
        self.rest = b""                 # the beginning of the next one
        self.errors = b""
        self.eof = False
        self._taken = 0                 # lines already handed out
        self._hungry_seen = 0
        path = name if "/" in name else str(program(name))
        argv = [*map(str, wrapper), path, *map(str, args)]
        if nofile is not None:
            argv = ["/bin/sh", "-c", f'ulimit -Sn {nofile}; exec "$@"',
                    "sh", *argv]
        fds = self._descriptors(stdio)
        ids = {} if user is None else {"user": user, "group": group,
                                       "extra_groups": []}
        try:
            self.process = subprocess.Popen(
                argv, stdin=fds[0], stdout=fds[1], stderr=fds[2],
                env=office.environment(env), cwd=cwd or office.transport,
                close_fds=True, start_new_session=True, umask=umask, **ids)
        finally:
            for fd in set(fds):
                os.close(fd)
        self.pid = self.process.pid

    def _descriptors(self, stdio: str) -> tuple[int, int, int]:
        """Makes both sides; gives the child's three descriptors."""
        self._err = None
        if stdio == "socket":
            ours, theirs = socket.socketpair(socket.AF_UNIX,
                                             socket.SOCK_STREAM)
            self._socket = ours
            self._in = self._out = ours.fileno()
            fds = (theirs.detach(),) * 3
        elif stdio in ("pipe", "split"):
            self._socket = None
            r0, self._in = os.pipe()
            self._out, w1 = os.pipe()
            w2 = w1
            if stdio == "split":
                self._err, w2 = os.pipe()
            fds = (r0, w1, w2)
        else:
            raise ValueError(f"stdio {stdio!r}")
        for fd in (self._in, self._out, self._err):
            if fd is not None:
                os.set_blocking(fd, False)
        self._in_open = True
        return fds

    # -- moving bytes --

    def _pump(self, out: bytes, done, what: str, deadline: float | None):
        """
        Writes `out` and reads until done() holds. Both directions are
        polled, so neither can block the other.
        """
        limit = self.deadline if deadline is None else deadline
        end = time.monotonic() + limit
        while out or not done():
            if self.eof and not out:
                if done():
                    return
                raise Silence(f"{self.name} ended before {what}",
                              self.transcript)
            left = end - time.monotonic()
            if left <= 0:
                raise Silence(f"{self.name}: {what} did not come within "
                              f"{limit:g} s", self.transcript)
            out = self._step(out, left)

    def _step(self, out: bytes, timeout: float) -> bytes:
        """One poll; gives what is left of out."""
        with selectors.DefaultSelector() as poll:
            wanted: dict[int, int] = {}
            if not self.eof:
                wanted[self._out] = selectors.EVENT_READ
            if self._err is not None:
                wanted[self._err] = selectors.EVENT_READ
            if out and self._in_open:
                wanted[self._in] = (wanted.get(self._in, 0)
                                    | selectors.EVENT_WRITE)
            elif out:
                raise BrokenPipeError(f"{self.name}: input is closed")
            for fd, events in wanted.items():
                poll.register(fd, events)
            for key, events in poll.select(timeout):
                if events & selectors.EVENT_READ:
                    self._read(key.fd)
                if events & selectors.EVENT_WRITE:
                    try:
                        out = out[os.write(self._in, out):]
                    except BlockingIOError:
                        pass
        return out

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if fd == self._err:
            if data:
                self.errors += data
            else:
                os.close(fd)
                self._err = None
            return
        if not data:
            self.eof = True
        *whole, self.rest = (self.rest + data).split(b"\n")
        self.lines += map(to_text, whole)

    # -- talking --

    def feed_raw(self, data: bytes | str, deadline: float = None) -> None:
        """Writes bytes as they are."""
        self._pump(to_bytes(data), lambda: True, "room in the pipe", deadline)

    def stuff(self, data: bytes) -> int:
        """Writes what fits without reading anything; gives its length."""
        try:
            return os.write(self._in, data)
        except BlockingIOError:
            return 0

    def feed(self, job: Job | str, host: str | None = None) -> None:
        """Writes one job line; returns at once."""
        line = str(job) + ("" if host is None else "\t" + host) + "\n"
        self.feed_raw(line)

    def collect(self, hungry: int = 1, deadline: float = None) -> Output:
        """
        Reads until `hungry` more "#hungry" have come; gives all lines since
        the last call.
        """
        goal = self._hungry_seen + hungry
        self._pump(b"", lambda: self._count() >= goal,
                   f"#hungry number {goal}", deadline)
        at = self._taken
        while self._hungry_seen < goal:
            if self.lines[at] == "#hungry":
                self._hungry_seen += 1
            at += 1
        out = Output(self.lines[self._taken:at])
        self._taken = at
        return out

    def _count(self) -> int:
        return self._hungry_seen + sum(
            x == "#hungry" for x in self.lines[self._taken:])

    def hungry(self, deadline: float = None) -> Output:
        """Waits for one "#hungry", e.g. the first."""
        return self.collect(1, deadline)

    def run(self, job: Job | str, host: str | None = None,
            deadline: float = None) -> Output:
        """Feeds one job and reads to its "#hungry"."""
        self.feed(job, host)
        return self.collect(1, deadline)

    def wait_line(self, pattern: str, deadline: float = None) -> str:
        """
        Waits until a line not yet handed out matches; gives it without
        taking anything.
        """
        found = []

        def look():
            found[:] = [x for x in self.lines[self._taken:]
                        if re.search(pattern, x)]
            return bool(found)

        self._pump(b"", look, f"a line like {pattern!r}", deadline)
        return found[0]

    def pending(self) -> Output:
        """Lines that are there already and were not handed out."""
        while not self.eof:
            before = (len(self.lines), self.rest)
            self._step(b"", 0)
            if (len(self.lines), self.rest) == before and not self.eof:
                break
        out = Output(self.lines[self._taken:])
        self._taken = len(self.lines)
        self._hungry_seen += out.hungry
        return out

    def quiet(self, seconds: float = 0.3) -> None:
        """Asserts that nothing is said for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.eof:
            self._step(b"", left)
            assert len(self.lines) == self._taken and not self.rest, \
                f"unexpected output: {self.lines[self._taken:]!r}"

    # -- ending --

    def close_input(self) -> None:
        """End of file for the agent."""
        if not self._in_open:
            return
        self._in_open = False
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        else:
            os.close(self._in)

    def abandon(self) -> None:
        """The scheduler dies: nobody writes or reads any more."""
        self.close_input()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        else:
            os.close(self._out)
        self._out = None
        self.eof = True

    def stop(self, how: str = "line", deadline: float = None) -> int:
        """
        Ends the agent and gives its exit status (negative: a signal's
        number). how: "line" (empty line), "eof", or a signal's name.
        What it still says is in .pending().
        """
        if how == "line":
            try:
                self.feed_raw(b"\n")
            except BrokenPipeError:
                pass
        elif how == "eof":
            self.close_input()
        else:
            self.signal(how)
        return self.wait(deadline)

    def signal(self, name: str) -> None:
        self.process.send_signal(getattr(signal, name))

    def wait(self, deadline: float = None) -> int:
        """Reads to the end and waits; gives the exit status."""
        limit = self.deadline if deadline is None else deadline
        end = time.monotonic() + limit
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise Silence(f"{self.name} did not end within {limit:g} s",
                              self.transcript)
            if self.eof and self._err is None:
                time.sleep(0.005)
            else:
                self._step(b"", 0.02)
        while not self.eof and time.monotonic() < end:
            self._step(b"", 0.1)
        self.close_input()
        return self.process.returncode

    @property
    def status(self) -> int | None:
        return self.process.poll()

    @property
    def transcript(self) -> str:
        text = "\n".join(self.lines)
        if self.rest:
            text += "\n(no LF) " + to_text(self.rest)
        if self.errors:
            text += "\n(stderr) " + to_text(self.errors)
        return text

    def kill(self) -> None:
        """Makes sure that it and its children are gone; frees everything."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.close_input()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._out = None
        elif self._out is not None:
            os.close(self._out)
            self._out = None
        if self._err is not None:
            os.close(self._err)
            self._err = None
        self.eof = True

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *exc) -> None:
        self.kill()

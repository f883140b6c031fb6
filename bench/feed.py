"""
feed - our agents, fed from a spool, and the light sink they deliver into.
"""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import clock
from book import Sample
from zpost import Postoffice

HOST = "example.com"
HEADER = b"From: alice@example.net\nSubject: bench\n"
LINE = b"x" * 70 + b"\n"
BODY = LINE * 56                # about 4 KB
SIZE = len(BODY)
PIPE = 1 << 20                  # room for all job lines


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="zpost-bench-") as name:
        yield pathlib.Path(name)


class Sink:
    """bench/sink in a process of its own; wrapper runs before it."""

    def __init__(self, programs, base, *options, wrapper=(),
                 address="127.0.0.1"):
        number = len(list(base.glob("sink-*")))
        self.log = base / f"log-of-sink-{number}"
        self.address = address
        file = base / f"sink-{number}"
        self.process = subprocess.Popen(
            [*wrapper, programs.parent / "bench" / "sink", "-a", address,
             "-l", self.log, *options, file])
        end = time.monotonic() + 10
        while not (file.exists() and file.read_text().endswith("\n")):
            if time.monotonic() > end or self.process.poll() is not None:
                self.close()
                raise RuntimeError("the sink does not listen")
            time.sleep(0.01)
        self.port = int(file.read_text())
        self.seen = 0

    @property
    def destination(self) -> str:
        return f"[{self.address}]:{self.port}"

    def expect(self) -> None:
        """Forgets the connections so far."""
        self.seen = self.log.stat().st_size

    def took(self, n: int, deadline: float = 60) -> Sample:
        """
        Waits until the connections since expect() have ended that brought n
        messages: from the first one's acceptance to the last reply.
        """
        end = time.monotonic() + deadline
        while True:
            with open(self.log, "rb") as f:
                f.seek(self.seen)
                lines = [[int(x) for x in line.split()]
                         for line in f.read().split(b"\n")[:-1]]
            lines = [x for x in lines if x[0] > 0]
            if sum(x[0] for x in lines) >= n:
                return Sample(n, (max(x[2] for x in lines)
                                  - min(x[1] for x in lines)) / 1e6)
            if time.monotonic() > end:
                raise RuntimeError(f"the sink got {lines}, not {n} messages")
            time.sleep(0.02)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *exc) -> None:
        self.close()


def pipe_of(lines: str) -> int:
    """The reading end of a pipe that holds the lines and then ends."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
    os.write(writing, lines.encode())
    os.close(writing)
    return reading


class Spool:
    """
    A post office with n messages, which can be delivered again and again:
    afterwards the marks are wiped out, so that making files and removing them
    is no part of any run.
    """

    def __init__(self, base, n: int, body: bytes = BODY):
        self.base = pathlib.Path(base) / "spool"
        self.office = Postoffice(self.base)
        self.jobs = [self.office.post(["bob@" + HOST], channel="smtp",
                                      host=HOST, header=HEADER, body=body)
                     for _ in range(n)]
        self.fresh = [job.control.read_bytes() for job in self.jobs]

    def wipe(self, n: int) -> None:
        for job, fresh in zip(self.jobs[:n], self.fresh):
            fd = os.open(job.control, os.O_WRONLY)
            os.pwrite(fd, fresh, 0)
            os.close(fd)

    def drain(self, programs, destination, n=None, agents=1, wrapper=(),
              options=()):
        """
        smtp delivers n messages (all by default), over one connection an
        agent: from the start of the first to the end of the last.
        """
        n = len(self.jobs) if n is None else n
        ins = [pipe_of("".join(f"{job.name}\t{HOST}\n"
                               for job in self.jobs[:n][i::agents]))
               for i in range(agents)]
        outs = [self.base / f"out-{i}" for i in range(agents)]
        argv = [*wrapper, programs / "smtp", *options, "-F", destination]
        used = clock.run_all(
            [dict(args=argv, stdin=ins[i], stdout=outs[i].open("w"),
                  cwd=self.office.transport, env=self.office.environment())
             for i in range(agents)])
        for fd in ins:
            os.close(fd)
        done = sum(out.read_text().count("\tok3 ") for out in outs)
        if done != n:
            raise RuntimeError(f"{done} of {n} messages were delivered: "
                               + outs[0].read_text()[-500:])
        self.wipe(n)
        return Sample(n, *used)

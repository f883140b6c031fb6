"""
sm - how fast sm(8) runs programs, and in how much memory.

Speed: messages of 4 KB from a spool into a program, one run each, beside
bench/spawn, which runs the same program as often with as much input and does
nothing else. `true` never looks at its input. `sh -c 'cat >/dev/null'` reads
all of it and is the usual way to write such an entry: the shell is part of the
work on both sides. In each of the ROUNDS the two take turns, so that a machine
that is busy with something else is busy for both; the median of the rounds'
ratios counts. What sm needs to start is counted in.

Memory: the peak of sm's resident set after a message of 1 KB and after one of
1 GB, each in a process of its own. The large body is a hole in a file.
"""

import pathlib
import re
import subprocess
import tempfile

import clock
from book import Sample, in_turns
from zpost import Postoffice

MESSAGES = 300          # in one turn
TURNS = 3               # in one round
ROUNDS = 5
HEADER = b"From: alice@example.net\nSubject: bench\n"
BODY = (b"x" * 70 + b"\n") * 56
SIZE = len(HEADER) + 1 + len(BODY)
GIGABYTE = 1 << 30
MEMORY_MORE = 512       # KB

# name -> path and arguments. An entry of sm.conf has no quotes, so what holds
# a blank is a variable of zmailer.conf there.
MAILERS = {
    "true": ("/bin/true", ["true"]),
    "cat": ("/bin/sh", ["sh", "-c", "cat >/dev/null"]),
}


def prepare(folder):
    office = Postoffice(folder)
    office.set_zenv(CAT=MAILERS["cat"][1][2])
    office.sm_conf("true n /bin/true true\n"
                   "cat n /bin/sh sh -c ${CAT}\n")
    return office


def drain(programs, mailer):
    """sm delivers MESSAGES messages; seconds."""
    with tempfile.TemporaryDirectory(prefix="zpost-bench-") as folder:
        office = prepare(folder)
        jobs = [office.post(["bob"], channel="local", host="-",
                            header=HEADER, body=BODY)
                for _ in range(MESSAGES)]
        lines = pathlib.Path(folder) / "lines"
        lines.write_text("".join(f"{job.name}\t-\n" for job in jobs))
        out = pathlib.Path(folder) / "out"
        took, _ = clock.run([programs / "sm", "-c", "local", mailer],
                            stdin=lines.open(), stdout=out.open("w"),
                            stderr=subprocess.STDOUT, cwd=office.transport,
                            env=office.environment())
        done = out.read_text().count("\tok3 ")
        if done != MESSAGES:
            raise RuntimeError(f"{done} of {MESSAGES} were delivered")
    return took


def bare(spawn, mailer):
    """The loop, in an environment like sm's; seconds."""
    path, argv = MAILERS[mailer]
    with tempfile.TemporaryDirectory(prefix="zpost-bench-") as folder:
        done = subprocess.run(
            [spawn, str(MESSAGES), str(SIZE), path, *argv[1:]], timeout=300,
            stdout=subprocess.PIPE, check=True,
            env=Postoffice(folder).environment())
    return float(done.stdout)


def peak(programs, body):
    """VmHWM of sm in KB after one message of so many bytes of body."""
    with tempfile.TemporaryDirectory(prefix="zpost-bench-") as folder, \
            prepare(folder) as office:
        job = office.post(["bob"], channel="local", host="-", header=HEADER,
                          body=b"")
        with open(job.message, "r+b") as f:
            f.truncate(job.body_offset + body)
        with office.agent(str(programs / "sm"), "-c", "local", "cat",
                          deadline=120) as agent:
            agent.hungry()
            out = agent.run(job, "-")
            if out.report.status != "ok3":
                raise RuntimeError(out.text)
            status = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])


def speed(programs, spawn, book):
    for mailer in MAILERS:
        rounds = in_turns(
            ROUNDS,
            lambda m=mailer: Sample(MESSAGES, drain(programs, m)),
            lambda m=mailer: Sample(MESSAGES, bare(spawn, m)), turns=TURNS)
        book.compare(f"sm-{mailer}-of-bare-loop", f"sm into {mailer}",
                     "a bare loop that runs the same program", rounds, 0.8)


def memory(programs, book):
    small, large = peak(programs, 1024), peak(programs, GIGABYTE)
    book.note(f"sm, peak memory: 1 KB message {small} KB, 1 GB {large} KB")
    book.target("sm-memory-for-1GB-more-than-for-1KB", f"<={MEMORY_MORE}KB",
                f"{large - small}KB", large - small <= MEMORY_MORE,
                "sm, peak memory for 1 GB", "for 1 KB: more by")


def measure(programs, book):
    speed(programs, programs.parent / "bench" / "spawn", book)
    memory(programs, book)

"""
scale - a large queue: how fast the scheduler reads it at its start, what it
takes in memory, and what one message more costs, in a small one too.

usage: bench/scale.py BIN [MESSAGES [RECIPIENTS]]
                                (or bench/run, part scale)

Lays out a spool of control files with 5 recipients each, at 20,000 hosts, and
starts the scheduler on it with nothing to be sent. When it has read them all,
new messages come beside them, one after the other, for an agent that only
reads.
"""

import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MESSAGES, SMALL = 50000, 2500
RECIPIENTS = 5
BYTES_MOST = 300        # of memory, a recipient
GROWTH_MOST = 1.5       # of a message's cost, in a queue 20 times as large

HOSTS = 20000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NEW = 200              # messages in one batch
BATCHES = 5
CONF = """\
*/*\tinterval=1h expiry=5d retries="1" overfeed=10
new/*\tcommand="reader"
smtp/*\tqueueonly
"""
READER = """#!/usr/bin/python3
import os, re
out = lambda s: os.write(1, s.encode())
out("#hungry\\n")
for line in open(0):
    name = line.rstrip("\\n").split("\\t")[0]
    if not name:
        break
    with open(name, "r+b") as f:
        at = f.read().index(b"\\nr ") + 1
        f.seek(at + 1)
        f.write(b"+")
    out(f"{name.split('/')[-1]}/{at}\\t\\tok3 read\\n#hungry\\n")
"""


def control(name: int, channel: str, hosts: list) -> bytes:
    return (f"@ 0x00000007\ni {name}\no 2\nl <{name}@example.net>\n"
            "s local - alice@example.net 501\n" + "".join(
                f"r           {channel} {h} user{i}@{h} 501\n"
                for i, h in enumerate(hosts))
            + "m\nFrom: alice@example.net\nSubject: hello\n\n").encode()


def lay_out(office: pathlib.Path, messages: int, each: int) -> None:
    for a in LETTERS:
        for b in LETTERS:
            (office / "transport" / a / b).mkdir(parents=True)
            (office / "queue" / a / b).mkdir(parents=True)
    for n in range(10000000, 10000000 + messages):
        prefix = f"{LETTERS[n // 26 % 26]}/{LETTERS[n % 26]}"
        hosts = [f"mail{(n * 7919 + i * 104729) % HOSTS}.example.com"
                 for i in range(each)]
        fd = os.open(office / "transport" / prefix / str(n),
                     os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, control(n, "smtp", hosts))
        os.close(fd)


def resident(pid: int, key: str) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def cpu(pid: int) -> float:
    """Seconds of the processor, to the nanosecond."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text()
               .split()[0]) / 1e9


def wait_idle(pid: int) -> float:
    """Until it has used next to no time for half a second; since when."""
    last, since = cpu(pid), time.monotonic()
    while True:
        time.sleep(0.05)
        now = cpu(pid)
        if now - last > 0.001:
            since = time.monotonic()
        elif time.monotonic() - since > 0.5:
            return since
        last = now


def bring(office, pid, batch: int) -> float:
    """New messages, to the end of all: seconds of the processor for each."""
    before, begin = cpu(pid), time.monotonic()
    names = [str(batch * NEW + n) for n in range(1, NEW + 1)]
    for name in names:
        draft = office / "transport" / f".{name}"
        draft.write_bytes(control(int(name), "new", ["here"]))
        draft.rename(office / "transport" / name)
    while any((office / "transport" / name).exists() for name in names):
        if time.monotonic() - begin > 60:
            raise RuntimeError("new messages are left")
        time.sleep(0.01)
    return (cpu(pid) - before) / NEW


def prepare(base) -> tuple[pathlib.Path, pathlib.Path]:
    """A post office and its zmailer.conf."""
    office = base / "postoffice"
    agents = base / "lib" / "ta"
    for folder in (agents, office / "transport", office / "queue",
                   office / "postman"):
        folder.mkdir(parents=True)
    reader = agents / "reader"
    reader.write_text(READER)
    reader.chmod(0o755)
    (base / "scheduler.conf").write_text(CONF)
    zconfig = base / "zmailer.conf"
    zconfig.write_text(
        f"ZCONFIG={zconfig}\nMAILSHARE={base}\nPATH=/usr/bin:/bin\n"
        f"MAILBIN={base}/lib\nPOSTOFFICE={office}\n")
    return office, zconfig


def run(programs, messages: int, each: int) -> tuple[float, float, float]:
    """
    Files read in a second, bytes of memory a recipient, and seconds of the
    processor for one more message.
    """
    base = pathlib.Path(tempfile.mkdtemp(prefix="zpost-scale-"))
    process = None
    try:
        office, zconfig = prepare(base)
        lay_out(office, messages, each)
        begin = time.monotonic()
        process = subprocess.Popen(
            [programs / "scheduler", "-O", "scan=100000"],
            env={"ZCONFIG": str(zconfig)}, stderr=subprocess.DEVNULL)
        took = wait_idle(process.pid) - begin
        memory = resident(process.pid, "VmRSS") * 1024 / (messages * each)
        cost = statistics.median(bring(office, process.pid, i)
                                 for i in range(BATCHES))
    finally:
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait()
        shutil.rmtree(base)
    return messages / took, memory, cost


def measure(programs, book, messages=MESSAGES, each=RECIPIENTS):
    _, _, small = run(programs, SMALL, each)
    rate, memory, cost = run(programs, messages, each)
    size = f"{messages * each} recipients in {messages} control files"
    book.note(f"{size}: {rate:.0f} files a second read at the start")
    book.row(f"{size}, read at the start", "", "", f"{rate:.0f} files/s")
    book.target("scale-memory", f"<={BYTES_MOST}", f"{memory:.0f}",
                memory <= BYTES_MOST, f"{size}: bytes of resident memory a "
                "recipient, all told")
    book.note(f"a message more: {cost * 1e6:.0f} us of the scheduler's CPU, "
              f"{small * 1e6:.0f} us among {SMALL} files")
    book.target("scale-message", f"<={GROWTH_MOST}", f"{cost / small:.2f}",
                cost <= GROWTH_MOST * small,
                f"{size}: the scheduler's CPU for one message more",
                f"among {SMALL} control files",
                f"{cost * 1e6:.0f} and {small * 1e6:.0f} us")


def main(argv) -> int:
    from book import Book       # only what bench/run has on its path
    book = Book()
    measure(pathlib.Path(argv[1]).resolve(), book,
            *map(int, argv[2:4]))
    return 0 if book.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))

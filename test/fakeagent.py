"""
fakeagent - an agent that does as it is told, for tests of the scheduler.

usage: fakeagent.py SAID MODE [word...]

It writes what it is fed into the file SAID, one line each: pid, word, rest.
MODE says what it does with each recipient of a job:

  ok        delivers it: mark, then "ok3"
  fail      refuses it: `d` line, mark, "error2"
  defer     "deferred"; deferall, retryat, hold likewise
  success A `d` line with the action A, mark, "ok2"
  then A B  A for the first job of all agents of this SAID, then B
  die       dies at the first job, by SIGKILL
  dumb      delivers, and dies by SIGKILL before it says so
  locks     marks them as its own, and dies by SIGKILL
  quit      exits at once, before any "#hungry"
  mute      never says "#hungry"
  silent    says it is hungry, and never answers a job
  liar      says "ok3" and marks nothing
  foreign   reports on recipients it was not fed, then delivers its own
  nonsense  lines that nothing can be made of, then delivers
  resync    "#resync" for each job, and nothing else
  wait      waits until there is a file "go" beside SAID, then delivers; tells
            of its progress if a word stands behind it
  eager     says "#hungry" four times for each job, then delivers
  late      says "#hungry" before it delivers and reports
  torn      delivers, and ends in the middle of a line
  closer    closes its output, and lives
  parent    delivers; a child of its keeps the pipes for three seconds
  endless   a line of 9 MB, then delivers
  word      "error" without a `d` line: the scheduler is to write it
"""

import os
import pathlib
import re
import signal
import sys
import time

SAID = pathlib.Path(sys.argv[1])


def note(*words) -> None:
    with open(SAID, "a") as f:
        f.write("\t".join([str(os.getpid()), *words]) + "\n")


def say(line: str, end: str = "\n") -> None:
    data = (line + end).encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(1, data):]


def recipients(name: str, host: str):
    """(offset, user) of what is to be done for this host."""
    data = pathlib.Path(name).read_bytes()
    at, found = 0, []
    while at < len(data):
        end = data.find(b"\n", at)
        line = data[at:end]
        if line == b"m":
            at = data.find(b"\n\n", at) + 2
            continue
        if line[:2] == b"r ":
            quad = line[12:].decode("utf-8", "surrogateescape").split()
            if quad[1].lower() == host or host == "":
                found.append((at, quad[2]))
        at = end + 1
    return found


def mark(name: str, offset: int, tag: str) -> None:
    with open(name, "r+b") as f:
        f.seek(offset + 1)
        f.write(tag.encode() + b" " * 6)


def succeed(name: str, offset: int, user: str, action: str) -> None:
    with open(name, "ab") as f:
        f.write(f"d {offset}:-1:-1::{int(time.time())}\t{user}\x01{action}\x01"
                f"2.1.5\x01smtp; 250 fine\x01dns; mx.example\t\r->> 250 fine\n"
                .encode("utf-8", "surrogateescape"))


def diagnose(name: str, offset: int, user: str) -> None:
    with open(name, "ab") as f:
        f.write(f"d {offset}:-1:-1::{int(time.time())}\t{user}\x01failed\x01"
                f"5.1.1\x01smtp; 550 no such user\x01dns; mx.example "
                f"(192.0.2.9|25|10.0.0.1|999)\t\r<<- RCPT\r->> 550 5.1.1 "
                "no such user\n".encode("utf-8", "surrogateescape"))


def one(mode: str, name: str, offset: int, user: str) -> None:
    number = re.match(r"\d+", name.rsplit("/", 1)[-1])[0]
    at = f"{int(number)}/{offset}"
    notary = f"{user}\x01delayed\x014.4.1\x01smtp; 400 busy\x01dns; mx"
    if mode == "ok":
        mark(name, offset, "+")
        say(f"{at}\t\tok3 \r->> 250 fine")
    elif mode == "fail":
        diagnose(name, offset, user)
        mark(name, offset, "-")
        say(f"{at}\t\terror2 \r->> 550 5.1.1 no such user")
    elif mode == "success":
        succeed(name, offset, user, sys.argv[3])
        mark(name, offset, "+")
        say(f"{at}\t\tok2 \r->> 250 fine")
    elif mode == "word":
        mark(name, offset, "-")
        say(f"{at}\t{user}\x01failed\x015.1.1\x01x-local; 1\x01\terror no way")
    elif mode in ("deferred", "deferall"):
        say(f"{at}\t{notary}\t{mode} busy")
    elif mode == "retryat":
        say(f"{at}\t{notary}\tretryat +2 busy")
    elif mode == "hold":
        say(f"{at}\t{notary}\tdeferback outcome unknown, hold: lost")
    elif mode == "liar":
        say(f"{at}\t\tok3 believe me")


def job(mode: str, name: str, host: str) -> None:
    if mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "dumb":
        for offset, _ in recipients(name, host):
            mark(name, offset, "+")
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "locks":
        for offset, _ in recipients(name, host):
            with open(name, "r+b") as f:
                f.seek(offset + 1)
                f.write(b"~%6d" % os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "silent":
        return
    if mode == "resync":
        say(f"#resync {name}")
    if mode == "foreign":
        for other in pathlib.Path(".").iterdir():
            if other.name != name and other.name[0].isdigit():
                for offset, user in recipients(other.name, ""):
                    say(f"{other.name}/{offset}\t\tok3 stolen")
        say("1/2\t\tok3 nobody's")
        mode = "ok"
    if mode == "wait":
        for text in sys.argv[3:]:
            say("#progress " + text.replace("NAME", name))
        note("waits")
        while not SAID.with_name("go").exists():
            time.sleep(0.02)
        mode = "ok"
    if mode == "eager":
        for _ in range(3):
            say("#hungry")
        mode = "ok"
    if mode == "late":
        say("#hungry")
        if not recipients(name, host):
            say(f"#resync {name}")
        for offset, user in recipients(name, host):
            one("ok", name, offset, user)
        return
    if mode == "torn":
        for offset, user in recipients(name, host):
            one("ok", name, offset, user)
        os.write(1, b"#hung")
        os._exit(0)
    if mode == "closer":
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        time.sleep(600)
    if mode == "parent":
        if os.fork() == 0:      # it keeps our pipes, and outlives us
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3)
            os._exit(0)
        mode = "ok"
    if mode == "endless":
        for _ in range(9):
            say("#" + "x" * 2**20, end="")
        say("")
        mode = "ok"
    if mode == "nonsense":
        say("hello\tworld")
        say("1/x\ty")
        say("")
        say("#")
        say("#attempt {bad json")
        say("\x00\xff" * 100)
        say("9/9\t\tunheard-of word")
        mode = "ok"
    for offset, user in recipients(name, host):
        one("deferred" if mode == "defer" else mode, name, offset, user)
    say("#hungry")


def main() -> None:
    mode, *words = sys.argv[2:]
    note("start", mode, *sorted(os.environ))
    note("ids", str(os.getuid()), str(os.getgid()), str(os.nice(0)),
         os.getcwd())
    if mode == "quit":
        sys.exit(3)
    if mode != "mute":
        say("#hungry")
    host = ""
    for line in sys.stdin.buffer:
        line = line.decode("utf-8", "surrogateescape").rstrip("\n")
        if line == "":
            break
        name, _, new = line.partition("\t")
        host = new or host
        first = not SAID.exists() or "\tjob\t" not in SAID.read_text()
        note("job", name, host)
        if mode == "mute":
            continue
        now = mode
        if mode == "then":
            now = words[0] if first else words[1]
        job(now, name, host)
    note("end")


main()

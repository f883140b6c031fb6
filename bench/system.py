"""
system - whole mail systems side by side: from a message that is handed in to
the sink that has it.

Ours, Postfix, Exim and OpenSMTPD (see systems.py) take turns, all with their
spools on one file system with a journal, which is made in a file for this run.
Clients are the same program for all (bench/load.c) and so is the sink. A rate
counts from the first client's start to the last message at the sink.

All of it runs in name spaces of its own, so that nothing is left of it however
it ends: the kernel ends the processes, unmounts the file system and frees its
loop device.
"""

import contextlib
import json
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import threading
import time

if __name__ == "__main__":
    ROOT = pathlib.Path(__file__).resolve().parent.parent
    sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import feed
from book import Sample
from peerroot import Missing
from systems import (DESTINATIONS, UNSYNCED, Ours, SystemExim, SystemOpensmtpd,
                     SystemPostfix)

ROUNDS, QUICK_ROUNDS = 4, 1
DISK = 3 << 30
LIMIT = 120             # seconds for one turn
ALONE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
         "--mount-proc"]

TOOLS = ["unshare", "ip", "mkfs.ext4", "mount", "chattr"]

# How many clients, and how many messages each system gets in a turn: enough
# for about a second.
PROCESSES = (20, {"ours": 1000, "Postfix": 200, "Exim": 100, "OpenSMTPD": 40,
                  UNSYNCED: 250})
CLIENTS = (20, {"ours": 3000, "Postfix": 900, "Exim": 120, "OpenSMTPD": 80,
                UNSYNCED: 900})
ONE = (1, {"ours": 500, "Postfix": 400, "Exim": 80, "OpenSMTPD": 40,
           UNSYNCED: 200})
QUEUE = 5000

ACCEPTED = 20           # messages while flushes are counted

MANY = "20 destinations"
WHERE = {1: "one destination", DESTINATIONS: MANY}


# ---- in name spaces of its own ----------------------------------------------


class Meter:
    """What the sink has got; see its option -m."""

    def __init__(self, file):
        with open(file, "rb") as f:
            self.memory = mmap.mmap(f.fileno(), 16, prot=mmap.PROT_READ)

    def read(self) -> tuple[int, float]:
        messages, last = struct.unpack("@Qq", self.memory[:16])
        return messages, last / 1e6

    def wait(self, goal: int, limit: float, system) -> float:
        """When the last message of so many came."""
        end = time.monotonic() + limit
        while self.read()[0] < goal:
            if time.monotonic() > end:
                raise RuntimeError(f"{system.name}: {goal - self.read()[0]} "
                                   f"messages did not come\n"
                                   + system.log[-3000:])
            time.sleep(0.002)
        return self.read()[1]


def device_below(folder) -> pathlib.Path:
    """What /sys tells of the disk that holds it."""
    number = os.stat(folder).st_dev
    return pathlib.Path(
        f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()


class Course:
    """The systems, the sink, and what was measured so far."""

    def __init__(self, programs, base):
        self.programs, self.base = programs, base
        self.load = programs.parent / "bench" / "load"
        self.device = device_below(base)
        self.ours = Ours(programs, base)
        self.held = SystemPostfix(base / "held", is_held=True)
        self.systems = [self.ours, SystemPostfix(base), SystemExim(base),
                        SystemOpensmtpd(base),
                        SystemOpensmtpd(base / "unsynced", is_synced=False)]
        self.found: dict[str, list[dict]] = {}
        self.lost: dict[str, str] = {}      # systems that failed, and how
        self.meter = None

    @contextlib.contextmanager
    def running(self):
        meter = self.base / "meter"
        with contextlib.ExitStack() as stack:
            stack.enter_context(feed.Sink(
                self.programs, self.base, "-q", "-m", meter, "-p", "25",
                address="0.0.0.0"))
            self.meter = Meter(meter)
            for system in [*self.systems, self.held]:
                system.start()
                stack.callback(system.stop)
            yield

    def hand_in(self, system, how, clients, n, destinations) -> float:
        """Runs the clients to their end; when the first began."""
        done = subprocess.run(
            [self.load, "-c", str(clients), "-n", str(n), "-d",
             str(destinations), *map(str, how)], env=system.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
        if done.returncode != 0:
            raise RuntimeError(f"{system.name}: {done.stderr.decode()}\n"
                               + system.log[-3000:])
        return int(done.stdout) / 1e6

    def wait_empty(self, system) -> None:
        """Nothing of a turn may be left to do in the next one."""
        end = time.monotonic() + LIMIT
        while system.queued() > 0:
            if time.monotonic() > end:
                raise RuntimeError(f"{system.name}: {system.queued()} files "
                                   "are left\n" + system.log[-3000:])
            time.sleep(0.02)

    def pass_on(self, system, how, clients, n, destinations) -> Sample:
        """From the first client's start to the last message at the sink."""
        goal = self.meter.read()[0] + n
        begin = self.hand_in(system, how, clients, n, destinations)
        end = self.meter.wait(goal, LIMIT, system)
        self.wait_empty(system)
        return Sample(n, end - begin)

    def empty_ours(self, n, destinations) -> Sample:
        """From the start of the scheduler on."""
        ours = self.ours
        ours.stop_scheduler()
        self.hand_in(ours, ours.client(), 20, n, destinations)
        os.sync()
        goal, begin = self.meter.read()[0] + n, time.monotonic()
        ours.start_scheduler()
        end = self.meter.wait(goal, LIMIT, ours)
        self.wait_empty(ours)
        return Sample(n, end - begin)

    def empty_postfix(self, n, destinations) -> Sample:
        """From the command that has the queue looked at."""
        held = self.held
        self.hand_in(held, held.client(), 20, n, destinations)
        held.release()
        os.sync()
        goal, begin = self.meter.read()[0] + n, time.monotonic()
        held.flush()
        end = self.meter.wait(goal, LIMIT, held)
        self.wait_empty(held)
        return Sample(n, end - begin)

    def count_flushes(self, system) -> float:
        """Of the disk's cache, for each message of a single client."""
        def flushes():
            return int((self.device / "stat").read_text().split()[15])
        before = flushes()
        self.pass_on(system, system.client(), 1, ACCEPTED, 1)
        return (flushes() - before) / ACCEPTED

    def give_up(self, system, why) -> None:
        """A peer that fails is measured no more, the others are."""
        if system is self.ours:
            raise why
        system.stop()
        self.systems.remove(system)
        self.lost[system.name] = str(why).split("\n")[0]
        print(f"{system.name}: {why}", flush=True)

    def turn(self, way, clients, amounts, destinations, order) -> dict:
        """All systems, one after the other."""
        samples = {}
        for system in self.systems[::order]:
            try:
                samples[system.name] = self.pass_on(
                    system, getattr(system, way)(), clients,
                    amounts[system.name], destinations)
            except (RuntimeError, subprocess.TimeoutExpired) as why:
                self.give_up(system, why)
        return samples

    def round(self, number: int) -> None:
        """All of it once; every other time backwards."""
        order = 1 if number % 2 == 0 else -1
        for destinations in WHERE:
            for name, (clients, amounts), way in (
                    ("processes", PROCESSES, "sendmail"),
                    ("clients", CLIENTS, "client"), ("one", ONE, "client")):
                self.keep(name, destinations, self.turn(
                    way, clients, amounts, destinations, order))
            turns = [("ours", self.empty_ours), ("Postfix",
                                                 self.empty_postfix)]
            self.keep("queue", destinations, {
                name: run(QUEUE, destinations)
                for name, run in turns[::order]})

    def keep(self, name, destinations, turn) -> None:
        print(f"{name}, {WHERE[destinations]}: " + ", ".join(
            f"{k} {s.rate:.0f}" for k, s in turn.items()), flush=True)
        self.found.setdefault(f"{name}-{destinations}", []).append(
            {k: [s.count, s.seconds] for k, s in turn.items()})


def measure_alone(programs, base, rounds: int) -> None:
    """What runs behind ALONE; leaves base/found.json."""
    disk = base / "disk"
    disk.mkdir()
    image = base / "image"
    with open(image, "wb") as f:
        f.truncate(DISK)
    for command in (["ip", "link", "set", "lo", "up"],
                    ["mkfs.ext4", "-q", "-F", image],
                    ["mount", "-o", "loop", image, disk]):
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Missing(f"{command[0]}: {done.stderr.strip()}")
    course = Course(programs, disk)
    with course.running():
        flushes = {s.name: course.count_flushes(s) for s in course.systems}
        for i in range(rounds):
            course.round(i)
        versions = {s.name.split(",")[0]: s.version
                    for s in course.systems if s.version}
    (base / "found.json").write_text(json.dumps(
        {"rates": course.found, "flushes": flushes, "versions": versions,
         "lost": course.lost}))


def end_with_parent() -> None:
    """Who started us holds the other end of our input."""
    def wait():
        os.read(sys.stdin.fileno(), 1)      # nothing ever comes, but its end
        os._exit(1)
    threading.Thread(target=wait, daemon=True).start()


def main(argv) -> int:
    end_with_parent()
    try:
        measure_alone(pathlib.Path(argv[1]), pathlib.Path(argv[2]),
                      int(argv[3]))
    except Missing as why:
        (pathlib.Path(argv[2]) / "missing").write_text(str(why))
    return 0


# ---- what came of it --------------------------------------------------------


WANTED = {
    "processes": ("a `sendmail` process for each message, 20 at once", 2),
    "clients": ("20 long-lived clients", 3),
    "one": ("one long-lived client", 1),
    "queue": ("a full queue is emptied", 4),
}


def report(book, found) -> None:
    book.peers |= found["versions"]
    flushes = found["flushes"]
    for name, why in found["lost"].items():
        book.skip(f"{name} to the end", why)
    for name, n in flushes.items():
        what = f"{name}, one client: flushes of the disk for each message"
        if name == UNSYNCED:
            book.row(what, "", "", f"{n:.1f}")
        else:
            book.target(f"system-flushes-{name.lower()}", ">=1", f"{n:.1f}",
                        n >= 1, what)
    for key, rounds in found["rates"].items():
        name, destinations = key.rsplit("-", 1)
        what, least = WANTED[name]
        what = f"{what}, {WHERE[int(destinations)]}"
        turns = [{k: Sample(*s) for k, s in turn.items()} for turn in rounds]
        peers = [n for n in turns[0] if all(n in t for t in turns)
                 and n != "ours"]
        durable = [n for n in peers if n != UNSYNCED]
        for peer in peers if len(peers) > 1 else []:
            book.compare("", what, peer,
                         [(t["ours"], t[peer]) for t in turns])
        book.compare(f"system-{key}", what, "the best of those that are "
                     "durable" if len(peers) > 1 else peers[0],
                     [(t["ours"], max((t[p] for p in durable),
                                      key=lambda s: s.rate)) for t in turns],
                     least)


def measure(programs, book):
    if os.getuid() != 0:
        book.skip("whole mail systems", "only root can mount a file system")
        return
    lacking = [x for x in TOOLS if shutil.which(x) is None]
    if lacking:
        book.skip("whole mail systems", f"{lacking[0]} is not installed")
        return
    done = subprocess.run([*ALONE, "true"], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        book.skip("whole mail systems", done.stderr.strip())
        return
    rounds = QUICK_ROUNDS if book.is_quick else ROUNDS
    with feed.folder() as base:
        base.chmod(0o755)
        process = subprocess.Popen(
            [*ALONE, sys.executable, __file__, programs, base, str(rounds)],
            stdin=subprocess.PIPE)
        try:
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        missing = base / "missing"
        if missing.exists():
            book.skip("whole mail systems", missing.read_text())
            return
        if status != 0:
            raise RuntimeError("the systems could not be measured")
        report(book, json.loads((base / "found.json").read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv))

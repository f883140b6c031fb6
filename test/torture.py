"""
torture - the whole system under random kills, and a judge of what came of it.

Submitters hand in messages, each with an id that occurs in all its addresses,
over the service's socket and as batches of sendmail -bS. Two servers refuse,
defer, stall and drop, and keep a log. Scheduler, service and agents are killed
by SIGKILL at random. In the end Judge compares three things that know nothing
of each other: what submitters were told, what the servers took, and what lies
in the spool.

Addresses say what becomes of their mail:

    u...@...            is taken, sooner or later
    refused...@...      550 at RCPT
    never...@...        the same, but of a message with NOTIFY=NEVER
    later...@...        450 at RCPT, for ever
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import os
import random
import re
import signal
import subprocess
import threading
import time

from schedrun import Scheduler
from smtpd import Server
from smtpsession import Gone, Session, format_reply
from submitserver import Wire, message
from zpost import program

HOSTS = 24
SENDERS = "senders.example"
ID = re.compile(r"(?:u|refused|never|later|s)(\d+)(?:\.\d+)?@")
# How many messages an agent may have under way on one connection.
WINDOW = 20
# How many messages the scheduler reports of at one time.
REPORTS = 256


def id_of(address) -> int:
    return int(ID.match(str(address))[1])


# ---- servers --------------------------------------------------------------


@dataclasses.dataclass
class Taking:
    """A message that a server took; is_told: its final reply was sent."""

    session: Session
    place: int              # among those of the session
    sender: str
    rcpts: list[str]
    is_told: bool
    message_id: str         # of a report; else ""
    failed: list[str]       # what a report tells of


def read_report(content: bytes) -> tuple[str, list[str]]:
    """Message-ID and final recipients of a report of ours."""
    own = re.search(rb"^Message-ID: *(<[^>]*>)", content, re.M | re.I)
    failed = re.findall(rb"^Final-Recipient: *rfc822; *(\S+)", content, re.M)
    return own[1].decode(), [x.decode() for x in failed]


class Cruel(Session):
    """A connection to a server that is cruel until it is told to be kind."""

    def __init__(self, server, number):
        super().__init__(server, number)
        self.n_taken = 0
        self.was_reset = False

    async def finish(self, wire: bytes, content: bytes, by: str) -> None:
        if not self.rcpts:
            await super().finish(wire, content, by)
            return
        fate = self.server.fate()
        if fate in ("take", "drop-taken", "stall-taken"):
            self.take(content, fate == "take")
        if fate.startswith("drop"):
            self.was_reset = fate == "drop"
            await self.hang_up(self.was_reset)
        if fate.startswith("stall"):
            await self.stall()
        self.output += format_reply("250 2.0.0 taken" if fate == "take"
                                    else "451 4.3.0 not now")
        self.clear()

    def take(self, content: bytes, is_told: bool) -> None:
        report = ("", [])
        if self.mail.address == "":
            report = read_report(content)
        self.server.takings.append(Taking(
            self, self.n_taken, self.mail.address,
            [r.address for r in self.rcpts], is_told, *report))
        self.n_taken += 1

    async def stall(self) -> None:
        """Says nothing, until the client is gone or the world is kind."""
        await self.flush()
        while not self.eof and not self.server.is_kind:
            await asyncio.sleep(0.05)
        raise Gone("lost" if self.lost else "closed")


class CruelServer(Server):
    SESSION = Cruel

    def __init__(self, seed: int, keywords):
        super().__init__(script=self.decide, keywords=keywords, record=False,
                         linger=0 if "PIPELINING" in keywords else 0.001)
        self.lots = random.Random(seed)
        self.is_kind = False
        self.takings: list[Taking] = []

    def fate(self) -> str:
        """What becomes of a message whose end has come."""
        lot = 1.0 if self.is_kind else self.lots.random()
        for limit, fate in ((0.03, "drop-taken"), (0.06, "drop"),
                            (0.063, "stall-taken"), (0.066, "stall"),
                            (0.12, "later")):
            if lot < limit:
                return fate
        return "take"

    def decide(self, session, event, who):
        address = str(who or "")
        if event == "RCPT" and address.startswith(("refused", "never")):
            return "550 5.1.1 no such user"
        if event == "RCPT" and address.startswith("later"):
            return "450 4.2.1 come back later"
        if self.is_kind:
            return None
        lot = self.lots.random()
        if event == "connect" and lot < 0.05:
            return "421 4.3.2 busy"
        if event == "MAIL" and lot < 0.005:
            return "451 4.3.0 not now"
        if event == "RCPT" and lot < 0.03:
            return "450 4.2.0 not now"
        return None


# ---- submission -----------------------------------------------------------


@dataclasses.dataclass
class Letter:
    id: int
    rcpts: list[str]
    is_never: bool

    @property
    def sender(self) -> str:
        return f"s{self.id}@{SENDERS}"

    @property
    def text(self) -> bytes:
        return (f"Message-ID: <{self.id}@torture.example>\n"
                f"From: {self.sender}\nSubject: {self.id}\n\n"
                + f"This is line after line of {self.id}.\n"
                * (1 + self.id % 40)).encode()


def make_letter(number: int) -> Letter:
    lots = random.Random(number)
    host = f"h{lots.randrange(HOSTS)}.example"
    rcpts = [f"u{number}.{k}@{host}" for k in range(lots.choice((1, 1, 2, 3)))]
    if lots.random() < 0.1:             # of another thread
        rcpts.append(f"u{number}.9@h{lots.randrange(HOSTS)}.test")
    is_never = lots.random() < 0.03
    if is_never:
        rcpts.append(f"never{number}@{host}")
    elif lots.random() < 0.15:
        rcpts.append(f"refused{number}@{host}")
    if lots.random() < 0.004:
        rcpts.append(f"later{number}@{host}")
    return Letter(number, rcpts, is_never)


class Submitters:
    """Threads that hand in letters until n of them were accepted."""

    def __init__(self, service, n: int):
        self.service = service
        self.n = n
        self.accepted: dict[int, Letter] = {}
        self.unknown: dict[int, Letter] = {}    # perhaps accepted
        self.problems: list[str] = []
        self.lock = threading.Lock()
        self.last = 0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(way,))
                        for way in (self.by_socket, self.by_socket,
                                    self.by_batch)]

    def start(self) -> None:
        for t in self.threads:
            t.start()

    def stop(self) -> None:
        self.ends.set()
        for t in self.threads:
            t.join()

    @property
    def is_done(self) -> bool:
        return len(self.accepted) >= self.n

    def take(self, n: int) -> list[Letter]:
        with self.lock:
            self.last += n
            return [make_letter(i)
                    for i in range(self.last - n + 1, self.last + 1)]

    def work(self, way) -> None:
        lots = random.Random(way.__name__)
        try:
            while not self.is_done and not self.ends.is_set():
                letters = self.take(min(25, max(1, self.n // 60)))
                with self.lock:
                    self.unknown.update((x.id, x) for x in letters)
                for letter in way(letters):
                    with self.lock:
                        del self.unknown[letter.id]
                        self.accepted[letter.id] = letter
                time.sleep(lots.uniform(0, 0.15))
        except Exception as problem:    # noqa: BLE001 - shown by the test
            self.problems.append(f"{type(problem).__name__}: {problem}")

    def by_socket(self, letters):
        """Gives those of which the service said that it has them."""
        told = []
        try:
            with Wire(self.service) as wire:
                for x in letters:
                    notify = {"notify": "never"} if x.is_never else {}
                    wire.say(message(x.rcpts, x.text, sender=x.sender,
                                     **notify))
                for x in letters:
                    if wire.answer()[0] == 0:
                        told.append(x)
        except (OSError, EOFError):
            time.sleep(0.02)            # it was killed, or is not there yet
        return told

    def by_batch(self, letters):
        lines = [b"EHLO torture.example"]
        for x in letters:
            never = " NOTIFY=NEVER" if x.is_never else ""
            lines.append(b"MAIL FROM:<%s>" % x.sender.encode())
            lines += [f"RCPT TO:<{r}>{never}".encode() for r in x.rcpts]
            lines += [b"DATA", x.text.rstrip(b"\n"), b"."]
        done = subprocess.run(
            [str(program("submit")), "-bS"], env=self.service.environment(),
            input=b"\n".join([*lines, b"QUIT", b""]), capture_output=True,
            timeout=60)
        return letters if done.returncode == 0 else []


# ---- kills ----------------------------------------------------------------


def workers_in(folder) -> list[int]:
    """The processes that work in a folder: agents."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/cwd") == str(folder):
                    found.append(int(name))
            except OSError:
                continue
    return found


class Killer:
    """Kills one of all processes at a time; the scheduler comes back."""

    def __init__(self, scheduler: Scheduler, service, seed: int):
        self.scheduler = scheduler
        self.service = service
        self.lots = random.Random(seed)
        self.killed = collections.Counter()

    @property
    def n_killed(self) -> int:
        return sum(self.killed.values())

    def step(self) -> None:
        lot = self.lots.random()
        if lot < 0.12:
            self.scheduler.kill()
            self.scheduler.process.wait()
            self.killed["scheduler"] += 1
            time.sleep(self.lots.choice((0, 0, 0.1)))
            self.scheduler.start()
        elif lot < 0.22:
            self.service.kill()
            self.killed["service"] += 1
            time.sleep(self.lots.choice((0, 0.05)))
            self.service.begin()
        else:
            victims = workers_in(self.service.transport)
            if victims:
                try:
                    os.kill(self.lots.choice(victims), signal.SIGKILL)
                    self.killed["agent"] += 1
                except ProcessLookupError:
                    pass
        time.sleep(self.lots.uniform(0.01, 0.25))


# ---- judgement ------------------------------------------------------------


class Judge:
    """
    letters    what was accepted
    unknown    what perhaps was: it may be there or not, but never in part
    takings    of all servers
    queued     (address, tag) of what lies in the spool
    """

    def __init__(self, submitters: Submitters, takings: list[Taking],
                 queued: list[tuple[str, str]], killed):
        self.letters = submitters.accepted
        self.unknown = submitters.unknown
        self.takings = takings
        self.queued = collections.Counter(a for a, _ in queued)
        self.tags = {tag for _, tag in queued}
        self.killed = killed
        self.taken: dict[str, list[Taking]] = collections.defaultdict(list)
        self.reports: dict[str, list[Taking]] = collections.defaultdict(list)
        for t in takings:
            if t.sender == "":
                for address in t.failed:
                    self.reports[address].append(t)
            else:
                for address in t.rcpts:
                    self.taken[address].append(t)
        self.faults: list[str] = []
        self.cut: set = set()   # connections that a kill is to have ended

    def judge(self) -> list[str]:
        """All that must not be; in words."""
        for letter in self.letters.values():
            for address in letter.rcpts:
                self.check_end(address)
        for letter in self.unknown.values():
            self.check_unknown(letter)
        for address, takings in self.taken.items():
            self.check_repeats(address, takings)
        self.check_reports()
        if len(self.cut) > self.killed["agent"]:
            self.faults.append(f"{len(self.cut)} connections were cut, and "
                               f"{self.killed['agent']} agents killed")
        if self.tags - {" "}:
            self.faults.append(f"marks in the spool: {self.tags}")
        return self.faults

    def end_of(self, address: str) -> tuple[int, int, int]:
        return (len(self.taken[address]), len(self.reports[address]),
                self.queued[address])

    def check_end(self, address: str) -> None:
        """Is it delivered, or told of, or queued, as it should be?"""
        taken, told, queued = self.end_of(address)
        right = {
            "u": taken >= 1 and told == 0 and queued == 0,
            "r": taken == 0 and told >= 1 and queued == 0,
            "n": taken == 0 and told == 0 and queued == 0,
            "l": taken == 0 and told == 0 and queued == 1,
        }[address[0]]
        if not right:
            self.faults.append(f"{address}: delivered {taken} times, told of "
                               f"{told} times, queued {queued} times")

    def check_unknown(self, letter: Letter) -> None:
        """All of its recipients were dealt with, or none was."""
        seen = {a: sum(self.end_of(a)) > 0 for a in letter.rcpts
                if a[0] != "n"}
        if len(set(seen.values())) > 1:
            self.faults.append(f"a part of a message: {seen}")
        if all(seen.values()):
            for address in letter.rcpts:
                self.check_end(address)

    def is_lost(self, t: Taking) -> bool:
        """Was the final answer lost, or a mark that would have followed?"""
        if not t.is_told:
            return True
        # A reset makes the client forget what it has not read; and its agent
        # may have been killed while this was among the last it did.
        if (t.session.ended == "quit"
                or t.place < t.session.n_taken - WINDOW):
            return False
        if not t.session.was_reset:
            self.cut.add(id(t.session))
        return True

    def check_repeats(self, address: str, takings: list[Taking]) -> None:
        if len(takings) == 1:
            return
        kept = [t for t in takings if not self.is_lost(t)]
        if len(kept) > 1:
            self.faults.append(f"{address}: {len(takings)} times, and the "
                               f"answer was lost {len(takings) - len(kept)} "
                               "times only")

    def check_reports(self) -> None:
        """To whom they went, and how often one was made twice."""
        made: dict[str, set[str]] = collections.defaultdict(set)
        for address, reports in self.reports.items():
            sender = f"s{id_of(address)}@{SENDERS}"
            for t in reports:
                made[address].add(t.message_id)
                if t.rcpts != [sender]:
                    self.faults.append(f"{t.rcpts} heard of {address}")
            for own in made[address]:
                self.check_repeats(f"the report {own}", [
                    t for t in reports if t.message_id == own])
        self.reports_twice = sum(len(x) - 1 for x in made.values() if x)
        # They could be seen when the scheduler was killed, and were not yet
        # on disk for good, so that they were not marked as made.
        if self.reports_twice > REPORTS * self.killed["scheduler"]:
            self.faults.append(f"{self.reports_twice} reports made twice")

    def account(self) -> str:
        """What became of everything, in one line."""
        wanted = [a for x in self.letters.values() for a in x.rcpts]
        repeats = sum(len(t) - 1 for t in self.taken.values() if t)
        excused = sum(1 for t in self.takings
                      if t.sender != "" and not t.is_told)
        kinds = collections.Counter(a[0] for a in wanted)
        return (f"{len(self.letters)} messages accepted and "
                f"{len(self.unknown)} perhaps, {len(wanted)} recipients: "
                f"{kinds['u']} to deliver, {kinds['r']} to refuse, "
                f"{kinds['n']} without a report, {kinds['l']} for ever later; "
                f"killed: {dict(self.killed)}; {len(self.takings)} takings, "
                f"{repeats} deliveries twice, final answers not given "
                f"{excused}, reports made twice {self.reports_twice}, "
                f"queued {sum(self.queued.values())}")


def queued_in(office) -> list[tuple[str, str]]:
    """Every recipient in the spool that is not done, with its tag."""
    found = []
    for job in office.jobs():
        for i, rcpt in enumerate(job.rcpts):
            if job.tag(i) not in "+-":
                found.append((str(rcpt.user), job.tag(i)))
    return found


def is_settled(office) -> bool:
    """
    Is nothing left but what is deferred for ever? A message whose recipients
    are all done still has to be told of: its report may not be there yet.
    """
    for job in office.jobs():
        left = [str(r.user) for i, r in enumerate(job.rcpts)
                if job.tag(i) not in "+-"]
        if not left or not all(x.startswith("later") for x in left):
            return False
    return True


def conf_of(servers) -> str:
    """Each server serves half of the hosts."""
    common = (f'-h client.example -T cmd=5s -T dot=10s -O window={WINDOW} '
              '-O attempts=-"\n')
    return (f'smtp/*.test\n\tmaxthr=3 command="smtp -F '
            f'{servers[1].destination} {common}'
            f'smtp/*[02468].example\n\tmaxthr=3 command="smtp -F '
            f'{servers[0].destination} {common}'
            f'smtp/*\n\tmaxthr=3 command="smtp -F '
            f'{servers[1].destination} {common}')

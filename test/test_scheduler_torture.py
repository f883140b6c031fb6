"""
Scheduler and agents are killed at random while servers refuse, defer, stall
and drop: in the end every recipient is delivered or its failure was told, and
every second delivery is one whose first answer was lost.
"""

import collections
import os
import random
import re
import signal
import time

from schedrun import Scheduler
from smtpsession import Do

MESSAGES, EACH = 60, 3
SECONDS = 6


def address_of(path) -> str:
    return re.search(r"[\w.]+@[\w.]+", str(path))[0]


class Fate:
    """What the server does, at random but always the same for one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.is_kind = False

    def __call__(self, session, event, who):
        if event.startswith("RCPT") and who and "refused" in str(who):
            return "550 5.1.1 no such user"
        if self.is_kind:
            return None
        lot = self.random.random()
        if event == "connect" and lot < 0.05:
            return "421 4.3.2 busy"
        if event.startswith("RCPT") and lot < 0.1:
            return "450 4.2.0 later"
        if event == "." and lot < 0.05:
            return Do(close="before")       # taken or not, nobody knows
        if event == "." and lot < 0.15:
            return "451 4.3.0 later"
        if event == "." and lot < 0.2:
            return Do(delay=0.2)
        return None


def agents_of(scheduler) -> list[int]:
    """The processes that work in the spool."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if (os.readlink(f"/proc/{name}/cwd")
                    == str(scheduler.office.transport)):
                found.append(int(name))
        except OSError:
            continue
    return found


def test_kills_at_random_lose_nothing(office, smtpd):
    lots = random.Random(5)
    fate = Fate(3)
    server = smtpd(script=fate)
    conf = (f'smtp/*\n\tmaxthr=3 command="smtp -F {server.destination} '
            '-h client.example"\n')
    s = Scheduler(office, conf)
    jobs, wanted = [], set()
    n_killed = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if len(jobs) < MESSAGES:
            i = len(jobs)
            rcpts = [f"u{i}.{k}@example.com" for k in range(EACH)]
            wanted |= set(rcpts)
            jobs.append(office.post(rcpts + [f"refused{i}@example.com"],
                                    sender=f"s{i}@example.net"))
        lot = lots.random()
        victims = agents_of(s)
        if lot < 0.04:
            n_killed += 1
            s.kill()
            s.process.wait()
            s.start()
        elif lot < 0.12 and victims:
            n_killed += 1
            try:
                os.kill(lots.choice(victims), signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    assert n_killed > 3
    fate.is_kind = True
    try:
        s.wait(lambda: office.jobs() == [], "an empty spool", 50)
    finally:
        status = s.stop()
    assert status == 0, s.text
    delivered = collections.Counter()
    told = collections.Counter()
    for m in server.messages:
        for path in m.rcpts:
            delivered[address_of(path)] += 1
        if m.sender == "":
            for found in re.findall(rb"Final-Recipient: rfc822; (\S+)",
                                    m.content):
                told[found.decode()] += 1
    lost = [x for x in wanted if delivered[x] + told[x] == 0]
    assert lost == []
    assert all(told[f"refused{i}@example.com"] >= 1
               for i in range(len(jobs)))
    assert not any(told[x] for x in wanted)
    # Only a kill or a lost answer repeats a delivery, and few were.
    repeated = sum(n - 1 for x, n in delivered.items()
                   if x in wanted and n > 1)
    assert repeated < len(wanted) / 4

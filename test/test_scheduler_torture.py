"""
Everything is killed at random while servers refuse, defer, stall and drop: in
the end every recipient of every message that was accepted is delivered, or its
sender was told, or it is still queued; and whatever came twice is something
whose final answer, or mark, was lost.

ZPOST_TORTURE=10000 in the environment says how many messages (make soak).
"""

import os
import time

import pytest

import torture
from schedrun import Scheduler
from submitserver import Service

MESSAGES = int(os.environ.get("ZPOST_TORTURE", "150"))
KILLS = 20 + MESSAGES // 20
SEED = int(os.environ.get("ZPOST_SEED", "5"))
# One message takes so long at most, all kills and waits included.
BOUND = 120 + MESSAGES / 8

DEFAULTS = """\
PARAMglobal-report-interval = 1s
*/*\tinterval=1s idlemax=30s expiry=5d retries="1 1 1 2"
\tmaxring=20 overfeed=20
"""


@pytest.mark.timeout(BOUND + 60)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_kills_at_random_lose_nothing(tmp_path):
    servers = [torture.CruelServer(SEED, ("PIPELINING", "CHUNKING", "DSN",
                                          "8BITMIME", "SIZE")),
               torture.CruelServer(SEED + 1, ("PIPELINING", "8BITMIME"))]
    service = Service(tmp_path, {"SCHEDULERDIRHASH": "1"})
    scheduler = None
    submitters = torture.Submitters(service, MESSAGES)
    try:
        for server in servers:
            server.start()
        scheduler = Scheduler(service, torture.conf_of(servers),
                              defaults=DEFAULTS)
        killer = torture.Killer(scheduler, service, SEED)
        end = time.monotonic() + BOUND
        submitters.start()
        while not submitters.is_done or killer.n_killed < KILLS:
            killer.step()
            assert time.monotonic() < end, "submission takes too long"
        submitters.stop()
        assert submitters.problems == []
        for server in servers:
            server.is_kind = True
        scheduler.wait(
            lambda: torture.is_settled(service),
            "the spool to hold nothing but what is deferred for ever",
            end - time.monotonic())
        assert scheduler.stop() == 0, scheduler.text
        assert "Sanitizer" not in scheduler.text
        code, said = service.stop()
        assert code == 0 and "Sanitizer" not in str(said)
    finally:
        submitters.stop()
        if scheduler is not None and scheduler.process.poll() is None:
            scheduler.process.kill()
            scheduler.process.wait()
        service.stop()
        for server in servers:
            server.stop()
    for server in servers:
        server.check()
    judge = torture.Judge(submitters,
                          [t for s in servers for t in s.takings],
                          torture.queued_in(service), killer.killed)
    faults = judge.judge()
    print(judge.account())
    assert faults == [], judge.account()
    assert clutter(service) == []


def clutter(service) -> list[str]:
    """Message files without a control file: kills may leave some."""
    control = {x[len("transport/"):] for x in service.files()
               if x.startswith("transport/")}
    return [x for x in control if x.startswith(".")]

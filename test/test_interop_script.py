"""
smtp(8) and a server of other people's making that is told what to do:
aiosmtpd, which refuses, lies and drops connections as a random generator
has it. Whatever it does, each recipient's report says what became of it.
"""

import collections
import random

import pytest

import interop
import parcels
import peerroot
from peers_aiosmtpd import DROP, TAKE_AND_DROP, Aiosmtpd, Script

pytestmark = pytest.mark.timeout(120)

PILE = parcels.assortment(200)
ROUNDS = 30


@pytest.fixture
def aiosmtpd():
    """aiosmtpd(script, claims=(...)) starts one."""
    started = []

    def start(*args, **how):
        try:
            started.append(Aiosmtpd(*args, **how))
        except peerroot.Missing as reason:
            pytest.skip(str(reason))
        return started[-1].__enter__()

    yield start
    for one in started:
        one.__exit__()


@pytest.mark.parametrize("claims", [(), ("PIPELINING",)])
@interop.ways()
def test_everything_is_taken(office, aiosmtpd, way, claims):
    server = aiosmtpd(claims=claims)
    interop.deliver(office, server, PILE, way, has_dsn=False)
    parcels.compare(PILE, server.taken())


def test_chunking_is_a_lie(office, aiosmtpd):
    """
    BDAT is answered 500, and the content taken for commands. From then on
    all goes by DATA. Nothing is lost or doubled; what was sent right behind
    the first may have to wait for the next round.
    """
    server = aiosmtpd(claims=("PIPELINING", "CHUNKING"))
    pile = parcels.small(80)
    jobs = [parcel.post(office) for parcel in pile]
    agent = interop.client(office, server)
    out = interop.run(agent, jobs)
    assert out.statuses.count("ok3") >= 78, out.text
    again = [job for job in jobs if job.marks == " "]
    assert set(interop.run(agent, again).statuses) <= {"ok3"}
    assert agent.stop() == 0
    parcels.compare(pile, server.taken())


def test_dsn_is_a_lie(office, aiosmtpd):
    """
    Its parameters are answered 555: all goes without them, at once, and
    reports of success are ours.
    """
    server = aiosmtpd(claims=("PIPELINING", "DSN"))
    interop.deliver(office, server, PILE[:80], has_dsn=False)
    parcels.compare(PILE[:80], server.taken())


# ---- at random --------------------------------------------------------------


class Dice(Script):
    """Each answer by chance; what it said is kept by message and user."""

    ANSWERS = {
        "MAIL": {None: 90, "450 4.3.2 later": 3, "550 5.7.1 not you": 3,
                 "421 4.3.2 closing": 2, DROP: 2},
        "RCPT": {None: 90, "450 4.2.1 busy": 3, "550 5.1.1 unknown": 4,
                 "421 4.3.2 closing": 1, DROP: 2},
        ".": {None: 82, "451 4.3.0 later": 4, "554 5.6.0 no": 4,
              "421 4.3.2 closing": 2, DROP: 3, TAKE_AND_DROP: 5},
    }

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.refused = collections.Counter()

    def answer(self, stage, message):
        choices = self.ANSWERS[stage]
        answer = self.random.choices(list(choices), choices.values())[0]
        if answer is not None and answer.startswith("5"):
            # Which message, is in the sender's name; all of it, or one user.
            users = message.rcpts[-1:] if stage == "RCPT" else (
                message.rcpts or ["*"])
            for user in users:
                self.refused[message.sender, user] += 1
        return answer


@pytest.mark.parametrize("seed", range(40 if interop.ALL else 6))
def test_answers_at_random(office, aiosmtpd, seed):
    """
    Round after round until nothing is left. A recipient that was delivered
    is there once, and once more for each unknown outcome at most; one that
    failed was refused with that code, and is there only after an unknown
    outcome.
    """
    dice = Dice(seed)
    claims = ((), ("PIPELINING",), ("PIPELINING",), ("PIPELINING",
                                                     "CHUNKING"))[seed % 4]
    server = aiosmtpd(dice, claims=claims)
    pile = parcels.small(60, seed=seed, rcpts=1 + seed % 3)
    jobs = [parcel.post(office) for parcel in pile]
    unknown = collections.Counter()
    for _ in range(ROUNDS):
        left = [(p, j) for p, j in zip(pile, jobs) if " " in j.marks]
        if not left:
            break
        agent = interop.client(office, server)
        out = interop.run(agent, [job for _, job in left])
        assert agent.stop() == 0
        check_round(left, out, unknown)
    assert not any(" " in j.marks for j in jobs), "it takes for ever"

    there = collections.Counter(
        (id, user) for id, ms in parcels.by_id(server.taken()).items()
        for m in ms for user in m.rcpts)
    for parcel, job in zip(pile, jobs):
        for user, mark in zip(parcel.users, job.marks):
            n, at = there[parcel.id, user], (parcel.id, user)
            if mark == "+":
                assert 1 <= n <= 1 + unknown[at], at
            else:
                assert n <= unknown[at], at
                assert (dice.refused[parcel.sender, user]
                        or dice.refused[parcel.sender, "*"]), at
    for parcel in pile:
        for message in parcels.by_id(server.taken()).get(parcel.id, []):
            parcels.same_content(parcel, message)
            assert message.sender == parcel.sender
            assert set(message.rcpts) <= set(parcel.users)


def check_round(left, out, unknown):
    """One report for each that was left; counts the unknown outcomes."""
    told = collections.Counter((r.id, r.offset) for r in out.reports)
    assert set(told.values()) <= {1}
    for parcel, job in left:
        for i, user in enumerate(parcel.users):
            if (job.id, job.offsets[i]) not in told:
                assert job.tag(i) in "+-"       # of an earlier round
                continue
            report = out.of(job, i)
            assert report.status in ("ok3", "error2", "deferred",
                                     "deferall", "deferback")
            assert job.tag(i) == {"ok3": "+", "error2": "-"}.get(
                report.status, " ")
            if report.message.startswith("outcome unknown"):
                unknown[parcel.id, user] += 1

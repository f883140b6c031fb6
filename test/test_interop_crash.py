"""
smtp(8) and other people's mail systems that are killed in the middle of two
hundred messages. What a server holds is either marked as delivered or was
reported with an unknown outcome; all else goes when the server is back.
"""

import collections

import pytest

import interop
import parcels
from peers_mta import DovecotLmtp, Exim, Opensmtpd, Sendmail
from peers_postfix import Postfix

pytestmark = pytest.mark.timeout(120)

N = 200
LMTP = ("-M", "-p", "24")
SERVERS = {"postfix": (Postfix, ()), "exim": (Exim, ()),
           "sendmail": (Sendmail, ()), "opensmtpd": (Opensmtpd, ()),
           "dovecot": (DovecotLmtp, LMTP)}
# server, way, after how many messages
CASES = [("postfix", "", 40), ("postfix", "-P", 60), ("exim", "", 25),
         ("sendmail", "", 60), ("opensmtpd", "", 50), ("dovecot", "", 30)]
if interop.ALL:
    CASES += [(name, way, k) for name in SERVERS
              for way in ("", "-P", "-1", "window=1")
              for k in (1, 20, 70, 150)]


def held(server):
    """How often the server has each recipient of each message."""
    return collections.Counter(
        (id, rcpt) for id, messages in parcels.by_id(server.taken()).items()
        for message in messages for rcpt in message.rcpts)


def reports(out, pile, jobs):
    """(message, recipient) -> report; exactly one each."""
    return {(parcel.id, user): out.of(job, i)
            for parcel, job in zip(pile, jobs)
            for i, user in enumerate(parcel.users)}


@pytest.fixture
def crash(office, server, tmp_path):
    """
    crash(name, way, k) kills the server once k messages are delivered, and
    before all are: the server, its messages, jobs, and what was reported.
    """

    def run(name, way, k):
        kind, options = SERVERS[name]
        for attempt in range(5):
            peer = server(kind, tmp_path / str(attempt))
            pile = parcels.small(N, rcpts=2)
            jobs = [parcel.post(office) for parcel in pile]
            agent = interop.client(office, peer, way, *options)
            agent.feed_raw("".join(f"{job}\t{parcels.HOST}\n"
                                   for job in jobs))
            first = agent.collect(k)
            # Or it would be through before all of the server is dead.
            agent.signal("SIGSTOP")
            peer.kill()
            agent.signal("SIGCONT")
            out = interop.joined(first, agent.collect(N - k, 100))
            assert agent.stop() == 0
            if any(" " in job.marks for job in jobs):
                return peer, pile, jobs, reports(out, pile, jobs)
        raise AssertionError("it was never killed in time")

    return run


@pytest.mark.parametrize("name,way,k", CASES)
def test_killed_in_the_middle(office, crash, name, way, k):
    peer, pile, jobs, told = crash(name, way, k)
    there = held(peer)
    unknown = {at for at, r in told.items()
               if r.message.startswith("outcome unknown")}
    for at, report in told.items():
        if report.status == "ok3":
            assert there[at] == 1, f"{at} is lost"
        else:
            assert report.status in ("deferred", "deferall", "deferback")
            assert (report.status == "deferback") == (at in unknown)
            assert at in unknown or there[at] == 0, \
                f"{at} is there, but: {report.line}"
        assert there[at] <= 1
    for parcel, job in zip(pile, jobs):
        assert job.marks == "".join(
            "+" if told[parcel.id, user].status == "ok3" else " "
            for user in parcel.users)
    assert len(told) == 2 * N and sum(
        r.status == "ok3" for r in told.values()) >= 2 * k

    peer.start()
    agent = interop.client(office, peer, way, *SERVERS[name][1])
    out = interop.run(agent, [j for j in jobs if j.marks != "++"])
    assert set(out.statuses) == {"ok3"}, out.text
    assert agent.stop() == 0
    assert [job.marks for job in jobs] == ["++"] * N
    check_all_is_there(peer, pile, unknown)


def check_all_is_there(peer, pile, unknown):
    """Once, or twice where nobody could know; and whole."""
    for at, n in held(peer).items():
        assert n == 1 or (n == 2 and at in unknown), at
    assert set(held(peer)) == {(p.id, u) for p in pile for u in p.users}
    contents = {p.id: p.arrives for p in pile}
    for id, messages in parcels.by_id(peer.taken()).items():
        assert {m.content for m in messages} == {contents[id]}

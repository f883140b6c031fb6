"""
smtp(8) and signals at every step of a dialogue, with several messages on
their way: the process ends well (or is killed), and a second run afterwards
delivers the rest. Nothing is lost; nothing comes twice, but for what a killed
process could not note any more.

What one signal does at one place is in test_smtp_signal.py.
"""

import signal
import threading
import time

import pytest

from smtpcheck import HOST, one_report_each, settled
from smtpd import Do, Server
from smtpsession import Session
from zpost import Group, Postoffice

SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]
WHY = "interrupted by signal"
BDAT = ["PIPELINING", "CHUNKING"]
# Where a message ends changes what may be on its way behind it.
PEERS = {
    "slow": {"keywords": []},
    "data": {"keywords": ["PIPELINING"]},
    "bdat": {"keywords": BDAT},
    "lmtp": {"keywords": BDAT, "lmtp": True},
}


class TrapSession(Session):
    async def write(self, data: bytes) -> None:
        await super().write(data)
        self.server.count("behind")


class TrapServer(Server):
    """
    Calls action() once, at step number `at`: "before" an answer is thought
    of, or "behind" one that was written.
    """

    def __init__(self, where: str = "", at: int = 0, action=None, **options):
        super().__init__(linger=0, record=False, script=self.before,
                         allow=["cut-line"], **options)
        self.where = where
        self.at = at
        self.action = action
        self.steps = {"before": 0, "behind": 0}

    def before(self, _session, event: str, _who: str) -> None:
        if event != "content":
            self.count("before")

    def count(self, where: str) -> None:
        self.steps[where] += 1
        if where == self.where and self.steps[where] == self.at:
            self.action()

    def _session(self) -> Session:
        session = TrapSession(self, len(self.sessions))
        self.sessions.append(session)
        return session

    def copies(self, job) -> list[int]:
        """How often each recipient of a job was taken."""
        return [sum(r.user in m.delivered for m in self.messages)
                for r in job.rcpts]


class Round:
    """Some jobs, a server with a trap, an agent that falls into it."""

    def __init__(self, office: Postoffice, options, name: str,
                 where: str = "", at: int = 0, peer: str = "slow"):
        self.office = office
        self.options = options
        self.jobs = self.post(f"{where}{at}")
        self.was_sprung = False

        def spring() -> None:
            self.was_sprung = True
            self.agent.signal(name)     # which may have ended by itself

        with TrapServer(where, at, spring, **PEERS[peer]) as self.server:
            self.agent = self.start(self.server)
            try:
                self.agent.feed_raw(self.lines() + "\n")
            except BrokenPipeError:
                pass
            self.status = self.agent.wait()
            self.out = self.agent.pending()
        self.server.check()
        self.agent.kill()

    def post(self, tag: str) -> list:
        def rcpts(job: int, n: int) -> list[str]:
            return [f"r{tag}.{job}.{i}@x.example" for i in range(n)]

        return [
            self.office.post(rcpts(0, 2)),
            self.office.post(rcpts(1, 1), body=b"x" * 70 + b"\n" * 2000),
            self.office.post(groups=[
                Group(rcpts(2, 3)[:2], "s1@x.example"),
                Group(rcpts(2, 3)[2:], "s2@x.example")]),
            self.office.post(rcpts(3, 2))]

    def lines(self) -> str:
        return "".join(f"{job.name}\t{HOST}\n" for job in self.jobs)

    def start(self, server):
        agent = self.office.agent("smtp", "-h", "client.example", "-F",
                                  server.destination, *self.options)
        agent.hungry()
        return agent

    def free_dead_locks(self) -> None:
        """As the scheduler does: nobody holds them."""
        for job in self.jobs:
            for i, mark in enumerate(job.marks):
                if mark == "~":
                    assert job.slot(i) == f"{self.agent.pid:6d}"
                    assert job.lock_holder(i) is None
                    job.set_mark(i, " ")

    def deliver_the_rest(self, kind: TrapServer) -> None:
        agent = self.start(kind)
        agent.feed_raw(self.lines())
        agent.collect(len(self.jobs))
        assert agent.stop() == 0
        agent.kill()
        for job in self.jobs:
            settled(job, "+" * len(job.rcpts))


def rounds(office, name, where, peer):
    """
    One round for each step there is; the signals in turn if name is None.
    Behind them all one server takes the rest.
    """
    options = ["-M", "-p", "24"] if peer == "lmtp" else []
    whole = Round(office, options, "SIGTERM", peer=peer)
    assert whole.out.hungry == len(whole.jobs)
    steps = whole.server.steps[where]
    assert steps >= 3, "there is hardly anything to be tested"
    with TrapServer(**PEERS[peer]) as kind:
        for at in range(1, steps + 1):
            play = Round(office, options, name or SIGNALS[at % 4], where, at,
                         peer)
            office.agents.clear()
            yield play, kind
    kind.check()


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("peer", PEERS)
def test_signal_at_every_step(office, peer, where):
    """
    What was answered is settled so; all else is put off and says why. A
    server that goes on answering leaves nothing unknown.
    """
    sprung = 0
    for play, kind in rounds(office, None, where, peer):
        sprung += play.was_sprung
        assert play.status == 0
        done = play.jobs[:play.out.hungry]
        one_report_each(play.out, *done)
        for job in play.jobs[len(done):]:
            assert job.is_untouched()
        for job in done:
            marks = ""
            for i in range(len(job.rcpts)):
                report = play.out.of(job, i)
                assert report.status in ("ok3", "deferred"), report.line
                if report.status == "deferred":
                    assert WHY in report.message
                marks += "+" if report.status == "ok3" else " "
            settled(job, marks)
        for job in play.jobs:
            assert play.server.copies(job) == [
                mark == "+" for mark in job.marks]
        play.deliver_the_rest(kind)
        for job in play.jobs:
            assert [a + b for a, b in zip(play.server.copies(job),
                                          kind.copies(job))] == [
                1] * len(job.rcpts)
    assert sprung >= 3


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("peer", PEERS)
def test_kill_at_every_step(office, peer, where):
    """
    A mark says the truth; only content that was sent to its end may come
    once more, when the scheduler has freed the locks of the dead process.
    """
    sprung = 0
    for play, kind in rounds(office, "SIGKILL", where, peer):
        sprung += play.was_sprung
        assert play.status in (0, -signal.SIGKILL)
        marks = [job.marks for job in play.jobs]
        firsts = [play.server.copies(job) for job in play.jobs]
        arrived = {r.address for m in play.server.attempts for r in m.rcpts}
        for report in play.out.reports:
            job = next(j for j in play.jobs if j.id == report.id)
            assert report.status == "ok3"
            assert job.tag(job.offsets.index(report.offset)) == "+"
        play.free_dead_locks()
        play.deliver_the_rest(kind)
        for job, mark, first in zip(play.jobs, marks, firsts):
            again = kind.copies(job)
            for i, r in enumerate(job.rcpts):
                assert mark[i] in "+~ "
                if mark[i] == "+":
                    assert (first[i], again[i]) == (1, 0)
                else:
                    assert again[i] == 1
                    assert first[i] <= (r.user in arrived)
    assert sprung >= 3


# ---- several messages on their way ----------------------------------------


def feed(office, agent, n, **post):
    jobs = [office.post([f"a{i}@x.example", f"b{i}@x.example"], **post)
            for i in range(n)]
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))
    return jobs


@pytest.mark.parametrize("name", SIGNALS)
def test_window_of_ends_is_waited_for(office, smtp, smtpd, name):
    """Each with an answer of its own; what was not begun is put off."""
    gate = threading.Event()
    server = smtpd(keywords=BDAT, script={".": [
        None, Do("554 5.7.1 no", gate=gate), None,
        "451 4.3.0 later"] + [None] * 40})
    agent = smtp(server, "-O", "window=4")
    jobs = feed(office, agent, 40)
    server.wait_for(lambda: len(server.attempts) == 2, "the second end")
    agent.signal(name)
    time.sleep(0.3)     # the answer must not come first
    assert agent.status is None
    gate.set()
    assert agent.wait() == 0
    out = agent.pending()
    one_report_each(out, *jobs[:out.hungry])
    words = [out.of(job).status for job in jobs[:out.hungry]]
    sent = len(server.attempts)
    assert words[:2] == ["ok3", "error2"]
    assert words[2:sent] == ["ok3", "deferback", "ok3", "ok3"][:sent - 2]
    assert set(words[sent:]) <= {"deferred"}
    for job in jobs[sent:]:
        assert job.is_untouched()


def test_data_that_is_answered_behind_a_signal_gets_no_content(office, smtp,
                                                               smtpd):
    """The dot and the next envelope left in one group."""
    gate = threading.Event()
    server = smtpd(keywords=["PIPELINING"], script={".": Do(gate=gate)})
    agent = smtp(server)
    jobs = feed(office, agent, 3)
    server.wait_for(lambda: server.sessions and b"DATA" in bytes(
        server.sessions[0].input), "the next envelope")
    agent.signal("SIGTERM")
    agent.quiet(0.2)
    gate.set()
    assert agent.wait() == 0
    out = agent.pending()
    one_report_each(out, *jobs[:out.hungry])
    settled(jobs[0], "++")
    for job in jobs[1:]:
        assert job.is_untouched()
    assert out.statuses == ["ok3"] * 2 + ["deferred"] * 2 * (out.hungry - 1)
    assert len(server.attempts) == 1
    server.wait_ended()
    assert server.broken_off in ([], [b""])


def test_lmtp_replies_are_all_waited_for(office, smtp, smtpd):
    gate = threading.Event()
    server = smtpd(lmtp=True, script={".:b0@x.example": Do(
        "554 5.2.2 full", gate=gate)})
    agent = smtp(server, "-M", "-p", "24")
    job, = feed(office, agent, 1)
    server.wait_for(lambda: server.attempts, "the end")
    agent.signal("SIGTERM")
    time.sleep(0.2)
    assert agent.status is None
    gate.set()
    assert agent.wait() == 0
    out = agent.pending()
    assert [out.of(job, i).status for i in range(2)] == ["ok3", "error2"]
    settled(job, "+-")


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("event", ["connect", "MAIL", "content"])
def test_every_signal_puts_off(office, smtp, smtpd, event, name):
    do = Do(stall=100000) if event == "content" else Do(silent=True)
    server = smtpd(script={event: do}, rcvbuf=8192)
    agent = smtp(server)
    jobs = feed(office, agent, 2, body=b"x" * 70 + b"\n" * 3000000)
    if event == "content":
        server.wait_for(lambda: server.sessions and len(
            server.sessions[0].input) >= 100000, "content")
    elif event == "connect":
        server.wait_for(lambda: server.sessions, "the connection")
    else:
        server.wait_command(event)
    assert agent.stop(name) == 0
    out = agent.pending()
    one_report_each(out, *jobs[:out.hungry])
    assert out.hungry >= 1 and set(out.statuses) == {"deferred"}
    assert all(WHY in r.message for r in out.reports)
    assert all(job.is_untouched() for job in jobs)
    assert server.attempts == [] and len(server.sessions) == 1


def test_signals_that_were_ignored_at_start_disturb_nothing(office, smtp,
                                                            smtpd):
    """Not even in the middle of a delivery."""
    gate = threading.Event()
    server = smtpd(script={".": [Do(gate=gate)]})
    agent = smtp(server, wrapper=[
        "/bin/sh", "-c", "trap '' HUP INT QUIT TERM; exec \"$@\"", "sh"])
    jobs = feed(office, agent, 3)
    server.wait_for(lambda: server.attempts, "the end")
    for name in SIGNALS:
        agent.signal(name)
    gate.set()
    out = agent.collect(3)
    one_report_each(out, *jobs)
    assert out.statuses == ["ok3"] * 6
    assert len(server.sessions) == 1


def test_lock_of_a_killed_process_is_left_to_the_scheduler(office, smtp,
                                                           smtpd):
    """Mark and slot stay as they were; the byte locks are gone with it."""
    server = smtpd(script={"DATA": Do(silent=True)}, allow=["cut-line"])
    agent = smtp(server)
    job, = feed(office, agent, 1)
    server.wait_command("DATA")
    assert [job.lock_holder(i) for i in range(2)] == [-1, -1]
    agent.signal("SIGKILL")
    assert agent.wait() == -signal.SIGKILL
    assert job.marks == "~~"
    assert job.slots == [f"{agent.pid:6d}"] * 2
    assert [job.lock_holder(i) for i in range(2)] == [None, None]
    out = smtp(smtpd()).run(job, HOST)
    assert (out.reports, out.resyncs) == ([], [job.name])
    assert job.marks == "~~"

"""
smtp(8) and signals: what can still be put off is put off at once and says
why; a message whose end was sent is waited for; no lock is left behind.
"""

import signal
import socket
import threading

import pytest

from smtpcheck import HOST, NO_KEYWORDS, one_report_each, settled
from smtpd import Do
from zpost import wait_for

SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]
WHY = "interrupted by signal"


def fed(office, agent, **job):
    """Feeds two jobs; the second may be read ahead, but is never ended."""
    jobs = [office.post(["a@x.example", "b@x.example"], **job),
            office.post()]
    for j in jobs:
        agent.feed(j, HOST)
    return jobs


def check_put_off(out, jobs, first=0, why=WHY):
    """What was taken from jobs[first] on is deferred, with a reason."""
    assert 1 <= out.hungry <= len(jobs), out.text
    one_report_each(out, *jobs[:out.hungry])
    reports = [r for r in out.reports if r.id not in
               {j.id for j in jobs[:first]}]
    assert {r.status for r in reports} <= {"deferred"}, out.text
    assert all(why in r.message for r in reports), out.text
    assert all(r.notary.code[0] == "4" for r in reports)
    assert all(j.is_untouched() for j in jobs[first:])


@pytest.mark.parametrize("name", SIGNALS)
def test_signal_while_idle(office, smtp, smtpd, name):
    server = smtpd()
    agent = smtp(server)
    assert agent.run(office.post(), HOST).report.status == "ok3"
    assert agent.stop(name) == 0
    assert agent.pending().lines == []
    assert server.wait_ended() == "quit"


@pytest.mark.parametrize("event", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("keywords", [NO_KEYWORDS, ["PIPELINING"]],
                         ids=["slow", "pipelined"])
def test_signal_before_the_end_of_the_message(office, smtp, smtpd, event,
                                              keywords):
    """Put off at once, without a second try; it says nothing of the host."""
    server = smtpd(keywords=keywords, script={event: Do(silent=True)})
    agent = smtp(server)
    jobs = fed(office, agent)
    if event == "connect":
        server.wait_for(lambda: server.sessions, "the connection")
    else:
        server.wait_command(event)
    assert agent.stop("SIGTERM") == 0
    check_put_off(agent.pending(), jobs)
    server.wait_ended()
    assert server.attempts == [] and len(server.sessions) == 1


def test_signal_in_the_middle_of_content(office, smtp, smtpd):
    """Nothing that could be taken for an end is sent."""
    server = smtpd(script={"content": Do(stall=100000)}, rcvbuf=8192)
    agent = smtp(server)
    jobs = fed(office, agent, body=(b"x" * 99 + b"\n") * 100000)
    server.wait_for(lambda: server.sessions
                    and len(server.sessions[0].input) > 100000, "content")
    assert agent.stop("SIGTERM") == 0
    check_put_off(agent.pending(), jobs)
    assert server.attempts == [] and len(server.sessions) == 1


@pytest.mark.parametrize("reply,status,marks", [
    ("250 2.0.0 ok", "ok3", "++"), ("554 5.7.1 no", "error2", "--"),
    ("451 4.3.0 later", "deferback", "  ")])
@pytest.mark.parametrize("name", SIGNALS)
def test_signal_behind_the_end_waits_for_the_answer(office, smtp, smtpd,
                                                    name, reply, status,
                                                    marks):
    """It may be in a mailbox already; no further job is begun."""
    gate = threading.Event()
    server = smtpd(script={".": Do(reply, gate=gate)})
    agent = smtp(server)
    jobs = fed(office, agent)
    server.wait_for(lambda: server.attempts, "the end of the message")
    agent.signal(name)
    agent.signal(name)
    agent.quiet(0.3)
    assert agent.status is None and jobs[0].marks == "~~"
    gate.set()
    assert agent.wait() == 0
    out = agent.pending()
    assert [out.of(jobs[0], i).status for i in range(2)] == [status] * 2
    settled(jobs[0], marks)
    check_put_off(out, jobs, first=1)
    assert len(server.attempts) == 1


def test_answer_that_is_lost_behind_a_signal(office, smtp, smtpd):
    gate = threading.Event()
    server = smtpd(script={".": Do(close="before", gate=gate)})
    agent = smtp(server)
    jobs = fed(office, agent)
    server.wait_for(lambda: server.attempts, "the end of the message")
    agent.signal("SIGTERM")
    gate.set()
    assert agent.wait() == 0
    out = agent.pending()
    for i in range(2):
        report = out.of(jobs[0], i)
        assert report.status == "deferback"
        assert report.message.startswith("outcome unknown: ")
        assert not report.message.endswith("->> ")
    settled(jobs[0], "  ")
    check_put_off(out, jobs, first=1, why="hung up")
    assert len(server.sessions) == 1


def test_signal_while_connecting(office, smtp):
    """A queue that is full lets a connection wait."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        waiting.append(s)
    port = listener.getsockname()[1]
    agent = smtp(None, "-F", f"[127.0.0.1]:{port}")
    jobs = fed(office, agent)
    wait_for(lambda: jobs[0].marks == "~~", "the locks")
    agent.quiet(0.2)
    assert agent.stop("SIGTERM") == 0
    check_put_off(agent.pending(), jobs)
    for s in [listener, *waiting]:
        s.close()


def test_signal_that_was_ignored_at_start_is_ignored(office, smtp, smtpd):
    """As nohup(1) has it."""
    server = smtpd()
    agent = smtp(server, wrapper=["/bin/sh", "-c",
                                  "trap '' HUP INT; exec \"$@\"", "sh"])
    for name in ("SIGHUP", "SIGINT"):
        agent.signal(name)
        agent.quiet(0.1)
        assert agent.run(office.post(), HOST).report.status == "ok3"
    assert agent.stop("SIGTERM") == 0


def test_signal_mask_and_sigpipe(office, smtp):
    """A child of the scheduler begins with an empty mask, and so it stays."""
    agent = smtp(None)
    with open(f"/proc/{agent.pid}/status") as f:
        status = dict(line.split(":\t") for line in f if ":\t" in line)
    assert int(status["SigBlk"], 16) == 0
    assert int(status["SigIgn"], 16) >> signal.SIGPIPE - 1 & 1

"""
Messages that share a connection: what goes wrong with one is not the others'
trouble, and what a server has shown is heeded by those that follow.
"""

import os
import threading
import time

import pytest

from smtpcheck import HOST, one_report_each, settled
from smtpd import Do

BDAT = ("PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES")


def feed(agent, jobs):
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))


def test_file_that_cannot_be_read_concerns_its_message_alone(office, smtp,
                                                             smtpd):
    """BDAT: the end of the message before it is unanswered meanwhile."""
    gate = threading.Event()
    server = smtpd(keywords=BDAT,
                   script={".": [Do(gate=gate), None, None, None]})
    jobs = [office.post([f"u{i}@x.example"],
                        body=b"x" * (400000 if i == 2 else 9) + b"\n")
            for i in range(5)]
    agent = smtp(server)
    feed(agent, jobs)
    server.wait_for(lambda: server.attempts, "the first end")
    os.truncate(jobs[2].message, jobs[2].body_offset + 10)
    gate.set()
    out = agent.collect(5)
    one_report_each(out, *jobs)
    assert [out.of(job).status for job in jobs] == [
        "ok3", "ok3", "deferred", "ok3", "ok3"]
    assert "shrunk" in out.of(jobs[2]).message
    assert len(server.messages) == 4 and len(server.sessions) == 1


def test_503_to_mail_ends_pipelining_across_messages(office, smtp, smtpd):
    server = smtpd(script={"MAIL": [None, "503 5.5.1 nested MAIL"]})
    jobs = [office.post([f"u{i}@x.example"]) for i in range(6)]
    agent = smtp(server)
    feed(agent, jobs)
    out = agent.collect(6)
    one_report_each(out, *jobs)
    assert out.statuses == ["ok3", "deferred"] + ["ok3"] * 4
    assert len(server.sessions) == 2
    # Nothing stands behind a dot any more.
    assert all(not group.endswith(b"DATA\r\n") or b"\r\n.\r\n" not in group
               for group in server.groups(1))


@pytest.mark.parametrize("keywords", [["PIPELINING"], BDAT],
                         ids=["data", "bdat"])
def test_refused_content_does_not_hurt_the_next(office, smtp, smtpd, keywords):
    """
    Postfix keeps the envelope of content that its restrictions refuse. A RSET
    that goes in the same group keeps MAIL from being nested.
    """
    server = smtpd(keywords=keywords, refusal="keep", script={
        ".": [None, "554 5.7.1 no", "451 4.7.1 no", None]})
    jobs = [office.post([f"u{i}@x.example"]) for i in range(6)]
    agent = smtp(server)
    feed(agent, jobs)
    out = agent.collect(6)
    one_report_each(out, *jobs)
    assert [out.of(job).status for job in jobs] == [
        "ok3", "error2", "deferback", "ok3", "ok3", "ok3"]
    assert len(server.sessions) == 1
    # It takes no round trip of its own.
    assert b"RSET\r\n" not in server.groups()


def test_signal_begins_no_further_transaction(office, smtp, smtpd):
    """Also where messages go without waiting: what is sent is waited for."""
    gate = threading.Event()
    server = smtpd(keywords=[*BDAT, "LIMITS RCPTMAX=1"],
                   script={".": [None] * 3 + [Do(gate=gate)]})
    job = office.post([f"u{i}@x.example" for i in range(200)])
    agent = smtp(server, "-O", "window=4")
    agent.feed(job, HOST)
    server.wait_for(lambda: len(server.attempts) == 4, "the fourth end")
    agent.signal("SIGTERM")
    time.sleep(0.3)     # the answer must not come first
    gate.set()
    assert agent.wait() == 0
    out = agent.pending()
    one_report_each(out, job)
    done = out.statuses.count("ok3")
    assert done == len(server.messages) <= 4 + 4
    assert set(out.statuses) == {"ok3", "deferred"}
    assert all("interrupted by signal" in r.message for r in out.reports
               if r.status == "deferred")


@pytest.mark.parametrize("keyword,most", [("LIMITS RCPTMAX=3", 3),
                                          ("X-RCPTLIMIT 12", 12)])
def test_limit_that_the_server_states(office, smtp, smtpd, keyword, most):
    server = smtpd(keywords=[*BDAT, keyword])
    job = office.post([f"u{i}@x.example" for i in range(50)])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    settled(job, "+" * 50)
    assert [len(m.rcpts) for m in server.messages] == (
        [most] * (50 // most) + ([50 % most] if 50 % most else []))


def test_limit_that_the_server_shows_is_learnt(office, smtp, smtpd):
    """452 behind two accepted: from then on two at a time."""
    def script(session, event, who):
        if event == "RCPT" and len(session.rcpts) >= 2:
            return "452 4.5.3 too many recipients"
        return None

    server = smtpd(script=script)
    job = office.post([f"u{i}@x.example" for i in range(9)])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    settled(job, "+" * 9)
    assert [len(m.rcpts) for m in server.messages] == [2, 2, 2, 2, 1]
    offered = [c for c in server.commands() if c.startswith("RCPT")]
    assert len(offered) == 9 + 7


def test_many_recipients_are_locked_in_linear_time(office, smtp, smtpd):
    """The kernel keeps one lock for neighbours, not one for each."""
    n = 3000
    gate = threading.Event()
    server = smtpd(script={"MAIL": Do(gate=gate)})
    job = office.post([f"u{i}@x.example" for i in range(n)])
    agent = smtp(server)
    agent.feed(job, HOST)
    server.wait_command("MAIL")
    assert job.marks == "~" * n
    inode = f":{os.stat(job.control).st_ino} "
    with open("/proc/locks") as f:
        held = [x for x in f if inode in x]
    assert len(held) == 1
    gate.set()
    one_report_each(agent.collect(1, deadline=60), job)
    settled(job, "+" * n)


def test_output_that_does_not_wait_loses_no_report(office, smtpd):
    """Somebody made the scheduler's socket non-blocking on our side."""
    server = smtpd()
    jobs = [office.post([f"u{i}@x.example" for i in range(50)])
            for _ in range(40)]
    agent = office.agent(
        "smtp", "-h", "client.example", "-F", server.destination,
        stdio="socket",
        wrapper=["/usr/bin/python3", "-c", "import os, sys\n"
                 "os.set_blocking(1, False)\n"
                 "os.execv(sys.argv[1], sys.argv[1:])"])
    agent.hungry()
    agent.stuff(b"".join(b"%s\t%s\n" % (job.name.encode(), HOST.encode())
                         for job in jobs))
    server.wait_for(lambda: len(server.messages) >= 5, "some of them")
    one_report_each(agent.collect(40, deadline=60), *jobs)
    assert agent.stop() == 0

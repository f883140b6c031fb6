"""
smtp(8) between jobs: an idle session is ended in good form, and what a host
that cannot be spoken to means for the jobs that are fed already.
"""

import pytest

from smtpcheck import HOST, NO_KEYWORDS
from smtpd import Do


def test_idle_session_is_ended_and_the_next_job_connects(office, smtp,
                                                         smtpd):
    server = smtpd()
    agent = smtp(server, "-O", "idle=1s")
    for session in range(2):
        for _ in range(2):
            assert agent.run(office.post(), HOST).report.status == "ok3"
        assert server.wait_ended(session) == "quit"
    assert len(server.sessions) == 2
    assert agent.status is None and agent.pending().lines == []


def test_line_that_says_idle_does_not_keep_it_open(office, smtp, smtpd):
    """Nothing is sent to the server meanwhile, no NOOP either."""
    server = smtpd()
    agent = smtp(server, "-O", "idle=1s")
    agent.run(office.post(), HOST)
    before = len(server.commands())
    assert agent.run("#idle").lines == ["#hungry"]
    assert server.wait_ended() == "quit"
    assert server.commands()[before:] == ["QUIT"]
    assert agent.run(office.post(), HOST).report.status == "ok3"


def test_without_a_session_nothing_is_waited_for(office, smtp, smtpd):
    """-1: closed behind each message; an idle agent just waits."""
    server = smtpd()
    agent = smtp(server, "-1", "-O", "idle=1s")
    for session in range(2):
        assert agent.run(office.post(), HOST).report.status == "ok3"
        assert server.wait_ended(session) == "quit"
    agent.quiet(1.3)
    assert agent.run(office.post(), HOST).report.status == "ok3"
    assert len(server.sessions) == 3


@pytest.mark.parametrize("keywords", [NO_KEYWORDS, ["PIPELINING"],
                                      ["PIPELINING", "CHUNKING"]],
                         ids=["slow", "data", "bdat"])
@pytest.mark.parametrize("last_words", [b"", b"421 4.4.2 idle too long\r\n"],
                         ids=["silent", "421"])
def test_server_that_ends_an_idle_session_first(office, smtp, smtpd, keywords,
                                                last_words):
    """The job that meets it goes over a new connection, and is not told."""
    server = smtpd(keywords=keywords, connections=[
        {".": [Do(extra=last_words, close="after")]}])
    agent = smtp(server)
    assert agent.run(office.post(), HOST).report.status == "ok3"
    server.wait_ended()
    for _ in range(3):
        out = agent.run(office.post(), HOST)
        assert out.report.status == "ok3" and out.comments == []
    assert len(server.sessions) == 2
    assert [m.session for m in server.messages] == [1] * 3


def test_outage_is_for_jobs_of_its_host_until_another_comes(office, smtp,
                                                            smtpd):
    """All fed at once: one connection for each turn of a host."""
    server = smtpd(script={"connect": [
        "421 4.3.2 busy", None, "554 5.3.2 no", None]})
    agent = smtp(server)
    hosts = ["one", "one", "one", "two", "one", "one", "two"]
    jobs = [office.post(["a@x.example", "b@x.example"], host=h)
            for h in hosts]
    agent.feed_raw("".join(f"{j.name}\t{h}\n" for j, h in zip(jobs, hosts)))
    out = agent.collect(len(jobs))
    assert [[out.of(j, i).status for i in range(2)] for j in jobs] == [
        ["deferall", "deferred"], ["deferred"] * 2, ["deferred"] * 2,
        ["ok3"] * 2, ["deferall", "deferred"], ["deferred"] * 2, ["ok3"] * 2]
    assert len(server.sessions) == 4
    words = [out.of(j).message for j in jobs]
    assert words[0] == words[1] == words[2] != words[4] == words[5]


def test_session_that_has_lasted_is_ended_under_load(office, smtp, smtpd):
    """However busy it is, and without a message lost or put off."""
    server = smtpd(script={"RCPT": Do(delay=0.2)}, keywords=["PIPELINING"])
    agent = smtp(server, "-O", "reuse=1s")
    jobs = [office.post() for _ in range(12)]
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(len(jobs))
    assert [r.status for r in out.reports] == ["ok3"] * len(jobs)
    assert len(server.sessions) > 1
    assert server.wait_ended(0) == "quit"

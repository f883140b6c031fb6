"""
smtp(8) and an end of data that was sent and never answered: the server may
have taken the message. What is said of it, how often, what -O
unknown-outcome=hold makes of it, and how such a server is spoken to
afterwards. When an outcome is unknown is in test_smtp_cut.py.
"""

import pytest

from smtpcheck import HOST, one_report_each, settled
from smtpd import Do

BDAT = ["PIPELINING", "CHUNKING"]
HOLD = ["-O", "unknown-outcome=hold"]
LOST = Do(close="before")
AT = "X-IP-addr; [127.0.0.1] (127.0.0.1)"


def comment(agent, n: int, so_far: int) -> str:
    return (f"# smtp:{agent.pid}: outcome unknown for {n} recipients at "
            f"{AT}, {so_far} so far")


def feed(office, agent, n, host=HOST, rcpts=1):
    jobs = [office.post([f"r{i}.{k}@x.example" for k in range(rcpts)],
                        host=host) for i in range(n)]
    agent.feed_raw("".join(f"{job.name}\t{host}\n" for job in jobs))
    return jobs


def messages_in_groups(server, session) -> list[int]:
    """How many MAIL commands stand in each group that the client sent."""
    return [g.count(b"MAIL FROM:") for g in server.groups(session)
            if b"MAIL FROM:" in g]


def follows_content(server, session) -> list[bool]:
    """Of each group with a MAIL: does it lead with the end of content?"""
    return [g.index(b"MAIL FROM:") > 0 and not g.startswith(b"RSET")
            for g in server.groups(session) if b"MAIL FROM:" in g]


# ---- what is said ---------------------------------------------------------


@pytest.mark.parametrize("keywords", [[], ["PIPELINING"], BDAT],
                         ids=["slow", "data", "bdat"])
def test_unknown_outcome_has_words_of_its_own(office, smtp, smtpd, keywords):
    server = smtpd(keywords=keywords, script={".": LOST})
    agent = smtp(server)
    job, = feed(office, agent, 1, rcpts=2)
    out = agent.hungry()
    one_report_each(out, job)
    for report in out.reports:
        assert report.status == "deferback"
        assert report.message.startswith("outcome unknown: remote hung up")
        assert (report.notary.action, report.notary.code) == (
            "delayed", "4.4.2")
        assert "outcome unknown" in report.notary.diagnostic
        assert report.notary.remote == AT
    settled(job, "  ")
    assert out.comments == [comment(agent, 2, 2)]
    assert len(server.sessions) == len(server.attempts) == 1


def test_reset_connection_is_as_unknown(office, smtp, smtpd):
    server = smtpd(script={".": Do(close="reset")})
    agent = smtp(server)
    out = agent.run(office.post(), HOST)
    assert out.report.status == "deferback"
    assert out.report.message.startswith("outcome unknown: ")
    assert out.comments == [comment(agent, 1, 1)]


def test_count_goes_on_for_each_host(office, smtp, smtpd):
    server = smtpd(script={".": [LOST, LOST, LOST]})
    agent = smtp(server)
    said = []
    for host in (HOST, HOST, "other.example", HOST):
        job, = feed(office, agent, 1, host)
        out = agent.hungry()
        said += out.comments
        one_report_each(out, job)
    assert out.report.status == "ok3"
    assert said == [comment(agent, 1, so_far) for so_far in (1, 2, 1)]


@pytest.mark.parametrize("keyword", ["hold", "Hold"])
def test_hold_is_asked_for_in_words_our_scheduler_heeds(office, smtp, smtpd,
                                                        keyword):
    """Any other takes it for a deferral: word and mark are the same."""
    server = smtpd(script={".": [LOST, "451 4.3.0 later"]})
    agent = smtp(server, "-O", "unknown-outcome=" + keyword)
    jobs = feed(office, agent, 2, rcpts=2)
    out = agent.collect(2)
    one_report_each(out, *jobs)
    for i in range(2):
        report = out.of(jobs[0], i)
        assert report.status == "deferback"
        assert report.message.startswith("outcome unknown, hold: remote hung")
        report = out.of(jobs[1], i)     # that one is known
        assert report.status == "deferback"
        assert "hold" not in report.message
    for job in jobs:
        settled(job, "  ")
    assert out.comments == [comment(agent, 2, 2)]


def test_retry_is_the_default(office, smtp, smtpd):
    server = smtpd(script={".": LOST})
    said = []
    for options in ([], ["-O", "unknown-outcome=retry"], HOLD):
        out = smtp(server, *options).run(office.post(), HOST)
        said.append(out.report.message)
    assert said[0] == said[1]
    assert said[2] == said[0].replace("outcome unknown",
                                      "outcome unknown, hold", 1)


def test_unknown_option_value_is_refused(office):
    done = office.run("smtp", "-O", "unknown-outcome=perhaps")
    assert done.returncode == 64
    assert b"unknown-outcome" in done.stderr + done.stdout


def test_lmtp_counts_those_without_an_answer(office, smtp, smtpd):
    server = smtpd(lmtp=True, script={".:r0.1@x.example": LOST})
    agent = smtp(server, "-M", "-p", "24", *HOLD)
    job, = feed(office, agent, 1, rcpts=3)
    out = agent.hungry()
    one_report_each(out, job)
    assert [out.of(job, i).status for i in range(3)] == [
        "ok3", "deferback", "deferback"]
    settled(job, "+  ")
    assert out.comments == [comment(agent, 2, 2)]


# ---- what is done ---------------------------------------------------------


def test_window_of_unknown_outcomes_is_not_sent_again(office, smtp, smtpd):
    """BDAT: three ends came, the first got an answer, then nothing."""
    server = smtpd(keywords=BDAT, connections=[
        {".": [None, None, None, LOST]}])
    agent = smtp(server)
    jobs = feed(office, agent, 12)
    out = agent.collect(12)
    one_report_each(out, *jobs)
    words = ["unknown" if r.message.startswith("outcome unknown: ")
             else r.status for r in out.reports]
    unknown = words.count("unknown")
    assert words == (["ok3"] * 3 + ["unknown"] * unknown
                     + ["ok3"] * (9 - unknown))
    assert unknown >= 1
    assert out.comments == [comment(agent, unknown, unknown)]
    # Those behind it in the window left as well, and are as unknown.
    arrived = [r for m in server.attempts for r in m.addresses]
    assert len(set(arrived)) == len(arrived)
    second = [r for m in server.attempts if m.session > 0
              for r in m.addresses]
    assert second == [job.rcpts[0].user for job in jobs[3 + unknown:]]


@pytest.mark.parametrize("keywords", [["PIPELINING"], BDAT],
                         ids=["data", "bdat"])
def test_afterwards_one_message_at_a_time(office, smtp, smtpd, keywords):
    """For that host, and for as long as the agent lives; not for others."""
    server = smtpd(keywords=keywords, connections=[{".": [LOST]}])
    agent = smtp(server)
    feed(office, agent, 1)
    assert agent.hungry().statuses == ["deferback"]
    for session, host in ((1, HOST), (2, "other.example"), (3, HOST)):
        feed(office, agent, 8, host)
        assert agent.collect(8).statuses == ["ok3"] * 8
        alone = messages_in_groups(server, session) == [1] * 8 \
            and follows_content(server, session) == [False] * 8
        assert alone == (host == HOST)


def test_loss_before_the_end_leaves_the_window(office, smtp, smtpd):
    """Nothing was unknown: the next connection is as fast as the first."""
    server = smtpd(keywords=["PIPELINING"],
                   connections=[{"RCPT": [None, LOST]}])
    agent = smtp(server)
    feed(office, agent, 10)
    out = agent.collect(10)
    assert out.statuses == ["ok3"] * 10
    assert out.comments == []
    assert any(follows_content(server, 1))

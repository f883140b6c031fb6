"""
smtp(8) and an end of data that was sent and never answered: the server may
have taken the message. What is said of it, how often, what -O
unknown-outcome=hold makes of it, and how such a server is spoken to
afterwards. When an outcome is unknown is in test_smtp_cut.py. Behind a server
that leaves with 421 or is out of step, it is not.
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


# ---- what is not unknown ---------------------------------------------------


def is_alone(server, session, n) -> bool:
    """Were n messages sent there, none before the last was answered?"""
    return messages_in_groups(server, session) == [1] * n \
        and follows_content(server, session) == [False] * n


@pytest.mark.parametrize("words", [b"", b"421 4.4.2 idle too long\r\n"],
                         ids=["silent", "421"])
def test_server_that_left_meanwhile_takes_nothing(office, smtp, smtpd, words):
    server = smtpd(keywords=BDAT, connections=[
        {".": [Do(extra=words, close="after")]}])
    agent = smtp(server)
    for _ in range(2):
        job, = feed(office, agent, 1)
        assert agent.hungry().report.status == "ok3"
        settled(job, "+")
        server.wait_ended()
    assert len(server.sessions) == 2


@pytest.mark.parametrize("verb", ["MAIL", "RSET", "RCPT"])
def test_messages_behind_421_go_at_once_again(office, smtp, smtpd, verb):
    """RFC 5321 3.8: it takes nothing that comes behind."""
    server = smtpd(keywords=BDAT, connections=[
        {verb: [None] * (verb != "RSET")
         + [Do("421 4.7.0 enough", close="after")]}])
    agent = smtp(server)
    jobs = feed(office, agent, 6)
    out = agent.collect(6)
    one_report_each(out, *jobs)
    if verb == "RCPT":      # said to one recipient, it is the answer to that
        assert out.statuses == ["ok3", "deferred"] + ["ok3"] * 4
        assert "421" in out.reports[1].message
    else:
        assert out.statuses == ["ok3"] * 6
    assert out.comments == []
    assert len(server.sessions) == 2
    assert not is_alone(server, 1, 5)       # the window is as it was


def test_server_that_takes_one_message_a_connection(office, smtp, smtpd):
    """However often it leaves, each message is taken, and once."""
    server = smtpd(keywords=BDAT, connections=[
        {"MAIL": [None, Do("421 4.7.0 enough", close="after")]}
        for _ in range(8)])
    agent = smtp(server)
    jobs = feed(office, agent, 8)
    out = agent.collect(8)
    one_report_each(out, *jobs)
    assert out.statuses == ["ok3"] * 8
    assert out.comments == []
    assert [m.addresses for m in server.messages] \
        == [[job.rcpts[0].user] for job in jobs]
    assert len(server.sessions) == 8


def test_421_to_the_content_is_its_refusal(office, smtp, smtpd):
    server = smtpd(keywords=BDAT, connections=[
        {".": [None, Do("421 4.3.2 leaving", close="after")]}])
    agent = smtp(server)
    jobs = feed(office, agent, 6)
    out = agent.collect(6)
    one_report_each(out, *jobs)
    assert out.statuses == ["ok3", "deferback"] + ["ok3"] * 4
    assert "outcome unknown" not in out.text
    assert len(server.messages) == 5


def test_lmtp_mailboxes_behind_421_are_unknown(office, smtp, smtpd):
    """The message had come whole; the next one had not."""
    server = smtpd(lmtp=True, keywords=["PIPELINING"], connections=[
        {".:r0.1@x.example": Do("421 4.3.2 leaving", close="after")}])
    agent = smtp(server, "-M", "-p", "24")
    jobs = feed(office, agent, 2, rcpts=3)
    out = agent.collect(2)
    one_report_each(out, *jobs)
    assert [out.of(jobs[0], i).status for i in range(3)] == [
        "ok3", "deferred", "deferback"]
    assert out.of(jobs[0], 2).message.startswith("outcome unknown: ")
    assert [out.of(jobs[1], i).status for i in range(3)] == ["ok3"] * 3
    assert out.comments == [comment(agent, 1, 1)]


def test_refused_rset_makes_nothing_unknown(office, smtp, smtpd):
    """Each is judged by its own answers; then no window with that host."""
    server = smtpd(keywords=BDAT, allow=["cut-line"], connections=[
        {"RSET": [Do("451 4.3.0 not now", accept=True)]}])
    agent = smtp(server)
    jobs = feed(office, agent, 8)
    out = agent.collect(8)
    one_report_each(out, *jobs)
    assert out.statuses == ["ok3"] * 8
    assert out.comments == []
    arrived = [m.addresses for m in server.messages]
    assert arrived == [[job.rcpts[0].user] for job in jobs]
    second = [m for m in server.messages if m.session == 1]
    assert 0 < len(second) < 8
    assert is_alone(server, 1, len(second))


def test_503_to_mail_defers_that_message_alone(office, smtp, smtpd):
    server = smtpd(keywords=BDAT, allow=["cut-line"], connections=[
        {"MAIL": [None, None, None, "503 5.5.1 not now"]}])
    agent = smtp(server)
    jobs = feed(office, agent, 16)
    out = agent.collect(16)
    one_report_each(out, *jobs)
    assert out.statuses == ["ok3"] * 3 + ["deferred"] + ["ok3"] * 12
    assert out.comments == []
    second = [m for m in server.messages if m.session == 1]
    # As a rule some were on their way already, behind the 503.
    assert 0 < len(second) <= 12
    assert is_alone(server, 1, len(second))


def test_what_went_under_another_sender_is_unknown(office, smtp, smtpd):
    """It stays in the first one's transaction and takes the second there."""
    server = smtpd(keywords=BDAT, allow=["cut-line"], refusal="keep",
                   connections=[{".": ["451 4.3.0 disk full"],
                                 "RSET": ["500 5.5.1 what?"]}])
    agent = smtp(server)
    jobs = [office.post([f"r{i}@x.example"], sender=f"s{i}@y.example",
                        host=HOST) for i in range(4)]
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))
    out = agent.collect(4)
    one_report_each(out, *jobs)
    assert out.statuses == ["deferback", "deferback", "ok3", "ok3"]
    assert "disk full" in out.reports[0].message
    assert out.reports[1].message.startswith(
        "outcome unknown: remote refused MAIL and took the content")
    assert out.comments == [comment(agent, 1, 1)]
    taken = server.messages[0]
    assert (taken.sender, taken.addresses) == (
        "s0@y.example", ["r0@x.example", "r1@x.example"])
    assert [m.sender for m in server.messages[1:]] == [
        "s2@y.example", "s3@y.example"]

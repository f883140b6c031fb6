"""
smtp(8) and deadlines (RFC 2852): BY= of the control file, a time of the
clock, becomes the seconds left when MAIL is said; what is not to be relayed,
and who is told what. The server is a correct one and checks BY= itself.
"""

import time

import pytest

from smtpcheck import HOST, settled
from smtpd import Do
from zpost import Rcpt

EXPIRED = "5.4.7 (delivery time expired)"
UNSUITED = "5.3.3 (system not capable of selected features)"


def at(seconds):
    """A deadline so many seconds from now."""
    return int(time.time()) + seconds


def by(server, n=-1):
    """Seconds and modes of the n-th message's BY=, or None."""
    value = server.messages[n].mail.params.get("BY")
    if value is None:
        return None
    left, _, mode = value.partition(";")
    return int(left), mode


def one(office, line, **more):
    return office.post([Rcpt("bob@example.com", notify=line)], **more)


# Letters of the control file, and the mode that is said.
MODES = [(";R", "R"), (";N", "N"), (";RT", "RT"), (";NT", "NT"), (";rt", "RT"),
         (";RN", "R"), (";NRT", "RT"), ("", "N"), (";", "N"), (";T", "NT"),
         (";TX", "NT"), (";X", "N")]


@pytest.mark.parametrize("letters,mode", MODES)
@pytest.mark.parametrize("keyword", ["DELIVERBY", "deliverby 60"])
def test_seconds_left_and_one_mode(office, smtp, smtpd, keyword, letters,
                                   mode):
    server = smtpd(keywords=[keyword])
    before = time.time()
    deadline = at(1000)
    job = one(office, f"BY={deadline}{letters}")
    smtp(server).run(job, HOST)
    left, said = by(server)
    assert said == mode
    assert deadline - time.time() - 1 <= left <= deadline - int(before)


@pytest.mark.parametrize("value,left", [
    ("99999999999999;N", 999999999), ("99999999999999;R", 999999999),
    ("-99999999999999;N", -999999999), ("-1;N", -999999999)])
def test_seconds_have_nine_digits(office, smtp, smtpd, value, left):
    server = smtpd(keywords=["DELIVERBY"])
    smtp(server).run(one(office, "BY=" + value), HOST)
    assert by(server)[0] == left


@pytest.mark.parametrize("value", ["", "R", ";R", "x;R", "5x;R", "--5;R",
                                   "1.5;R", "99999999999999999999;R"])
def test_what_is_no_deadline_is_none(office, smtp, smtpd, value):
    server = smtpd(keywords=["DELIVERBY"])
    job = one(office, f"BY={value}")
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert by(server) is None


def test_deadline_is_left_out_where_it_is_not_offered(office, smtp, smtpd):
    server = smtpd(keywords=["DSN", "PIPELINING"])
    smtp(server).run(one(office, f"BY={at(1000)};NT"), HOST)
    assert by(server) is None


def test_different_deadlines_go_in_different_transactions(office, smtp,
                                                          smtpd):
    server = smtpd(keywords=["DELIVERBY", "PIPELINING"])
    one_, two = at(1000), at(2000)
    job = office.post([
        Rcpt("a@x.example", notify=f"BY={one_};R"),
        Rcpt("b@x.example", notify=f"BY={one_};R NOTIFY=NEVER"),
        Rcpt("c@x.example", notify=f"BY={two};R"),
        Rcpt("d@x.example", notify=f"BY={two};N"),
        Rcpt("e@x.example"), Rcpt("f@x.example", notify="NOTIFY=SUCCESS"),
        Rcpt("g@x.example", notify=f"BY={one_};R")])
    out = smtp(server).run(job, HOST)
    assert job.marks == "+" * 7, out.text
    assert [m.addresses for m in server.messages] == [
        ["a@x.example", "b@x.example"], ["c@x.example"], ["d@x.example"],
        ["e@x.example", "f@x.example"], ["g@x.example"]]
    assert len(server.sessions) == 1


# ---- what is not relayed --------------------------------------------------


@pytest.mark.parametrize("letters", ["R", "RT", "RN"])
def test_late_mail_is_returned_without_a_connection(office, smtp, smtpd,
                                                    letters):
    server = smtpd(keywords=["DELIVERBY"])
    job = one(office, f"BY={at(0)};{letters}")
    out = smtp(server).run(job, HOST)
    assert out.report.status == "error2"
    settled(job, "-")
    d = job.d_line()
    assert (d.notary.action, d.notary.status) == ("failed", EXPIRED)
    assert d.notary.remote == ""
    assert server.sessions == []


@pytest.mark.parametrize("letters", ["N", "NT", ""])
def test_late_mail_is_relayed_if_it_may_be(office, smtp, smtpd, letters):
    server = smtpd(keywords=["DELIVERBY 60"])
    job = one(office, f"BY={at(-100)};{letters}")
    smtp(server).run(job, HOST)
    settled(job, "+", d_lines="+" if "T" in letters else "")
    assert -110 < by(server)[0] <= -100


def test_deadline_that_passes_while_others_are_served(office, smtp, smtpd):
    """The message waits for its turn; its time is up when that comes."""
    server = smtpd(keywords=["DELIVERBY"],
                   script={"MAIL": [Do(delay=2.5)]})
    job = office.post([Rcpt("a@x.example"),
                       Rcpt("b@x.example", notify=f"BY={at(2)};R"),
                       Rcpt("c@x.example")])
    out = smtp(server).run(job, HOST)
    assert [out.of(job, i).status for i in range(3)] == [
        "ok3", "error2", "ok3"]
    assert job.d_line(1).notary.status == EXPIRED
    assert [m.addresses for m in server.messages] == [["a@x.example"],
                                                      ["c@x.example"]]


@pytest.mark.parametrize("keyword", ["DSN", "DELIVERBY 5000"])
def test_mail_to_be_returned_is_not_relayed_into_the_blue(office, smtp,
                                                          smtpd, keyword):
    """To a server that does not know of it, or needs more time."""
    server = smtpd(keywords=[keyword])
    job = office.post([Rcpt("a@x.example", notify=f"BY={at(1000)};R"),
                       Rcpt("b@x.example", notify=f"BY={at(9000)};N")])
    out = smtp(server).run(job, HOST)
    assert out.of(job, 0).status == "error2"
    assert job.marks == "-+"
    d = job.d_line(0)
    assert (d.notary.action, d.notary.status) == ("failed", UNSUITED)
    assert [m.addresses for m in server.messages] == [["b@x.example"]]


def test_least_time_of_a_server_is_kept(office, smtp, smtpd):
    server = smtpd(keywords=["DELIVERBY 900"])
    job = one(office, f"BY={at(1000)};R")
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert by(server)[1] == "R"


@pytest.mark.parametrize("pipelined", [[], ["PIPELINING"]])
@pytest.mark.parametrize("refusal", ["555 5.5.4 BY?", "501 5.5.4 what?"])
def test_server_that_refuses_a_deadline_does_not_keep_it(office, smtp, smtpd,
                                                         refusal, pipelined):
    server = smtpd(keywords=["DELIVERBY", *pipelined],
                   lies={"DELIVERBY": refusal})
    job = office.post([Rcpt("a@x.example", notify=f"BY={at(1000)};R"),
                       Rcpt("b@x.example", notify=f"BY={at(1000)};N")])
    out = smtp(server).run(job, HOST)
    assert [out.of(job, i).status for i in range(2)] == ["error2", "ok2"]
    assert job.d_line(0).notary.status == UNSUITED
    assert job.d_line(1).notary.action == "relayed"
    assert [m.addresses for m in server.messages] == [["b@x.example"]]
    assert by(server) is None


# ---- who is told ----------------------------------------------------------

# Keywords, what stands on the `N` line behind BY=, the status word.
TOLD = [
    (["DELIVERBY"], ";N", "ok3"), (["DELIVERBY"], ";R", "ok3"),
    (["DELIVERBY"], ";NT", "ok2"), (["DELIVERBY"], ";RT", "ok2"),
    (["DELIVERBY", "DSN"], ";NT NOTIFY=SUCCESS", "ok2"),
    (["DELIVERBY", "DSN"], ";N NOTIFY=SUCCESS", "ok3"),
    (["DELIVERBY"], ";NT NOTIFY=NEVER", "ok3"),
    ([], ";N", "ok2"), ([], ";N NOTIFY=FAILURE", "ok2"),
    ([], ";N NOTIFY=NEVER", "ok3"), (["DSN"], ";N NOTIFY=SUCCESS", "ok2"),
]


@pytest.mark.parametrize("keywords,line,status", TOLD)
def test_relaying_is_told_where_it_was_asked_for_or_is_the_end(
        office, smtp, smtpd, keywords, line, status):
    server = smtpd(keywords=keywords)
    job = one(office, f"BY={at(1000)}{line}")
    assert smtp(server).run(job, HOST).report.status == status
    settled(job, "+", d_lines="+" if status == "ok2" else "")
    if status == "ok2":
        assert job.d_line().notary.action == "relayed"


def test_mailbox_is_the_end_of_the_way(office, smtp, smtpd):
    """Delivered by LMTP is not relayed: nothing is to be told."""
    server = smtpd(lmtp=True, keywords=["DELIVERBY"])
    job = one(office, f"BY={at(1000)};NT")
    out = smtp(server, "-M", "-p", "24").run(job, HOST)
    assert out.report.status == "ok3"
    settled(job, "+", d_lines="")


@pytest.mark.parametrize("keywords,notify,said", [
    (["DSN"], "NOTIFY=FAILURE", "FAILURE,DELAY"),
    (["DSN"], "", "FAILURE,DELAY"),
    (["DSN"], "NOTIFY=SUCCESS", "SUCCESS,DELAY"),
    (["DSN"], "NOTIFY=NEVER", "NEVER"),
    (["DSN", "DELIVERBY"], "NOTIFY=FAILURE", "FAILURE")])
def test_delay_is_asked_for_where_nobody_keeps_the_time(
        office, smtp, smtpd, keywords, notify, said):
    server = smtpd(keywords=keywords)
    smtp(server).run(one(office, f"BY={at(1000)};N {notify}"), HOST)
    assert server.messages[0].rcpts[0].params["NOTIFY"] == said

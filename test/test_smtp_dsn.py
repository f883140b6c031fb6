"""
smtp(8) and delivery status notifications (RFC 3461): what MAIL and RCPT say,
what hostile values come to, and who has to report a success.
"""

import pytest

from smtpcheck import HOST, NO_KEYWORDS, settled
from zpost import Group, Rcpt

DSN = ["DSN"]
ORCPT = "rfc822;bob@example.com"


def one(office, notify, **more):
    return office.post([Rcpt("bob@example.com", notify=notify)], **more)


# What stands on the `N` line, and NOTIFY= of RCPT.
NOTIFY = [
    (None, "FAILURE"), ("", "FAILURE"), ("NOTIFY=NEVER", "NEVER"),
    ("NOTIFY=SUCCESS", "SUCCESS"), ("NOTIFY=DELAY,SUCCESS", "SUCCESS,DELAY"),
    ("NOTIFY=DELAY,FAILURE,SUCCESS", "SUCCESS,FAILURE,DELAY"),
    ("notify=success", "SUCCESS"), ("NOTIFY=", "FAILURE,DELAY"),
    ("NOTIFY=TRACE", "FAILURE,DELAY"), ("NOTIFY=TRACE,DELAY", "DELAY"),
    ("NOTIFY=SUCCESS,WHAT,DELAY", "SUCCESS"), ("NOTIFY=WHAT", "FAILURE,DELAY"),
    ("NOTIFY=SUCCESS>", "FAILURE,DELAY"),
    ("WHAT=EVER NOTIFY=DELAY", "DELAY"), ("ORCPT=" + ORCPT, "FAILURE"),
]


@pytest.mark.parametrize("line,wanted", NOTIFY)
def test_notify(office, smtp, smtpd, line, wanted):
    server = smtpd(keywords=DSN)
    assert smtp(server).run(one(office, line), HOST).report.status == "ok3"
    assert server.messages[0].rcpts[0].params == {
        "NOTIFY": wanted, "ORCPT": ORCPT}


@pytest.mark.parametrize("line", [
    "NOTIFY=NEVER,SUCCESS", "NOTIFY=SUCCESS,NEVER", "NOTIFY=NEVERSUCCESS"])
def test_never_excludes_the_others(office, smtp, smtpd, line):
    server = smtpd(keywords=DSN)
    smtp(server).run(one(office, line), HOST)
    said = server.messages[0].rcpts[0].params["NOTIFY"]
    assert said == "NEVER" or "NEVER" not in said


# ORCPT= of the `N` line (None: none), the user, and ORCPT= of RCPT.
LONG = "x" * 493
ORCPTS = [
    ("rfc822;Other+20User@x.example", "bob@x.example",
     "rfc822;Other+20User@x.example"),
    ("x400;/C=fi/", "bob@x.example", "rfc822;bob@x.example"),
    ("x400;/C+3Dfi/", "bob@x.example", "x400;/C+3Dfi/"),
    (None, '"a b+c=d"@x.example', 'rfc822;"a+20b+2Bc+3Dd"@x.example'),
    ("rfc822;a+2", "bob@x.example", "rfc822;bob@x.example"),
    ("rfc822;a+2g", "bob@x.example", "rfc822;bob@x.example"),
    ("rfc822;a\x01b", "bob@x.example", "rfc822;bob@x.example"),
    ("rfc822;a\rRSET", "bob@x.example", "rfc822;bob@x.example"),
    (b"rfc822;\xe4@x", "bob@x.example", "rfc822;bob@x.example"),
    ("rfc822;", "bob@x.example", "rfc822;bob@x.example"),
    (";bob", "bob@x.example", "rfc822;bob@x.example"),
    ("rfc 822;bob", "bob@x.example", "rfc822;bob@x.example"),
    ("bob@x.example", "bob@x.example", "rfc822;bob@x.example"),
    ("rfc822;" + LONG, "bob@x.example", "rfc822;" + LONG),
    ("rfc822;" + LONG + "y", "bob@x.example", "rfc822;bob@x.example"),
]


@pytest.mark.parametrize("value,user,wanted", ORCPTS,
                         ids=range(len(ORCPTS)))
def test_orcpt_is_sent_only_if_it_is_one(office, smtp, smtpd, value, user,
                                         wanted):
    server = smtpd(keywords=DSN)
    line = None
    if value is not None:
        value = value if isinstance(value, bytes) else value.encode()
        line = b"NOTIFY=FAILURE ORCPT=" + value
    job = office.post([Rcpt(user, notify=line)])
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.messages[0].rcpts[0].params == {
        "NOTIFY": "FAILURE", "ORCPT": wanted}


ENVIDS = [("QQ314159", True), ("a+20b", True), ("x" * 100, True),
          ("x" * 101, False), ("a b", False), ("a=b", False), ("a+2", False),
          ("a\rRSET", False), ("a\x01", False), (b"\xe4", False),
          ("", False)]


@pytest.mark.parametrize("value,good", ENVIDS, ids=range(len(ENVIDS)))
def test_envid_is_sent_only_if_it_is_xtext(office, smtp, smtpd, value, good):
    server = smtpd(keywords=DSN)
    job = office.post(envid=value)
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.messages[0].mail.params == ({"ENVID": value} if good
                                              else {})


@pytest.mark.parametrize("value,wanted", [
    ("FULL", "FULL"), ("hdrs", "HDRS"), ("ALL", None), ("FULL x", None),
    ("HDRS>", None), ("", None)])
def test_ret_is_full_or_hdrs(office, smtp, smtpd, value, wanted):
    server = smtpd(keywords=DSN)
    job = office.post(ret=value)
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.messages[0].mail.params == ({"RET": wanted} if wanted
                                              else {})


def test_parameters_in_their_order(office, smtp, smtpd):
    server = smtpd(keywords=["DSN", "SIZE", "8BITMIME"])
    job = one(office, "ORCPT=rfc822;o@x NOTIFY=SUCCESS,FAILURE",
              ret="HDRS", envid="QQ1", body=b"\xe4\n")
    smtp(server).run(job, HOST)
    assert server.commands()[1:3] == [
        "MAIL FROM:<alice@example.net> BODY=8BITMIME SIZE=84 ENVID=QQ1 "
        "RET=HDRS",
        "RCPT TO:<bob@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x"]


def test_nothing_is_sent_where_dsn_is_not_offered(office, smtp, smtpd):
    server = smtpd(keywords=NO_KEYWORDS)
    job = one(office, "NOTIFY=NEVER ORCPT=rfc822;o@x", ret="FULL",
              envid="QQ1")
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.commands()[1:3] == ["MAIL FROM:<alice@example.net>",
                                      "RCPT TO:<bob@example.com>"]


def test_success_is_handed_over_with_dsn(office, smtp, smtpd):
    server = smtpd(keywords=DSN)
    job = one(office, "NOTIFY=SUCCESS")
    out = smtp(server).run(job, HOST)
    assert (out.report.status, out.report.notary) == ("ok3", None)
    settled(job, "+", d_lines="")
    assert job.appended == b""


def test_success_without_dsn_is_ours_to_report(office, smtp, smtpd):
    """ok2, and a `d` line that says relayed; others get a plain ok3."""
    server = smtpd(keywords=["ENHANCEDSTATUSCODES"])
    job = office.post([Rcpt("a@x.example"),
                       Rcpt("b@x.example", notify="NOTIFY=SUCCESS,DELAY"),
                       Rcpt("c@x.example", notify="NOTIFY=FAILURE")])
    agent = smtp(server)
    out = agent.run(job, HOST)
    assert [out.of(job, i).status for i in range(3)] == ["ok3", "ok2", "ok3"]
    assert [out.of(job, i).notary for i in range(3)] == [None] * 3
    assert job.marks == "+++"
    [d] = job.d_lines
    assert (d.rcpt, d.header, d.notify) == (
        job.offsets[1], job.rcpts[1].header, job.rcpts[1].notify)
    assert d.notary.raw == "\x01".join([
        "b@x.example", "relayed", "2.0.0", "smtp; 250 (accepted)",
        "X-IP-addr; [127.0.0.1] (127.0.0.1)", f"smtp[{agent.pid}]"])
    assert d.message == out.of(job, 1).message


def test_lmtp_success_is_delivered_and_ours_to_report(office, smtp, smtpd):
    """RFC 3461 5.2.2: the next hop of LMTP is the mailbox itself."""
    server = smtpd(lmtp=True, keywords=["DSN"])
    job = one(office, "NOTIFY=SUCCESS")
    out = smtp(server, "-M", "-p", "24").run(job, HOST)
    assert out.report.status == "ok2"
    settled(job, "+", d_lines="+")
    assert job.d_line().notary.action == "delivered"


def test_notify_line_of_another_recipient_is_not_ours(office, smtp, smtpd):
    """One behind a recipient that is not selected stays with that one."""
    server = smtpd(keywords=DSN)
    job = office.post([
        Rcpt("a@x.example"),
        Rcpt("b@x.example", channel="local",
             notify="NOTIFY=NEVER ORCPT=rfc822;other@x.example"),
        Rcpt("c@x.example")])
    smtp(server).run(job, HOST)
    assert [r.params for r in server.messages[0].rcpts] == [
        {"NOTIFY": "FAILURE", "ORCPT": "rfc822;a@x.example"},
        {"NOTIFY": "FAILURE", "ORCPT": "rfc822;c@x.example"}]


def test_envid_and_ret_hold_for_every_group(office, smtp, smtpd):
    server = smtpd(keywords=DSN)
    job = office.post(groups=[Group(["a@x.example"]), Group(["b@x.example"])],
                      ret="FULL", envid="E1")
    smtp(server).run(job, HOST)
    assert [m.mail.params for m in server.messages] == [
        {"ENVID": "E1", "RET": "FULL"}] * 2

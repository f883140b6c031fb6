"""
smtp(8) and EZMLM=: a sender of its own for each recipient of a list, so that
a bounce tells whose it is.
"""

import time

import pytest

from smtpcheck import HOST, one_report_each, settled
from zpost import Group, Rcpt, Sender

DIGITS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123abcdefghijklmnopqrstuvwxyz"
          "4567890-=")
TAIL = "-return-12-u1=example.com"


def spool_id(job):
    """As section 9 of the control file format has it."""
    st = job.message.stat()
    t = time.gmtime(st.st_mtime_ns // 10**9)
    ns = st.st_mtime_ns % 10**9
    out = f"S{st.st_ino}"
    for n in (t.tm_year >> 12, t.tm_year >> 6 & 63, t.tm_year & 63,
              t.tm_mon - 1, t.tm_mday - 1, t.tm_hour, t.tm_min, t.tm_sec):
        out += DIGITS[n]
    if ns:
        out += "".join(DIGITS[ns >> s & 63] for s in (24, 18, 12, 6, 0))
    return out


def verp(user, tail=TAIL):
    return Rcpt(user, notify=f"EZMLM={tail}")


# The sender, EZMLM=, and MAIL's address ("%" for the spool id).
SENDERS = [
    ("list@example.org", TAIL, f"list{TAIL}-%@example.org"),
    ("list", "-x", "list-x-%"),
    ('"a list"@example.org', "-x", '"a list-x-%"@example.org'),
    ('"a@b"@example.org', "-x", '"a@b-x-%"@example.org'),
    ("a..b@example.org", "-x", "a..b-x-%@example.org"),
    ('"a"@example.org', "-r@x.example", '"a-r@x.example-%"@example.org'),
    (None, "-x", ""),                       # no reverse path has no tail
    ("list@example.org", "", "list@example.org"),
]


@pytest.mark.parametrize("sender", ["list@example.org", "list"])
def test_tail_cannot_move_the_sender_to_another_domain(office, smtp, smtpd,
                                                       sender):
    server = smtpd()
    job = office.post([verp("bob@example.com", "-r@evil.example")],
                      sender=sender)
    assert smtp(server).run(job, HOST).report.status == "error2"
    assert job.d_line().notary.code == "5.1.7"
    assert [c for c in server.commands() if "evil" in c] == []


@pytest.mark.parametrize("sender,tail,wanted", SENDERS)
def test_sender_with_a_tail(office, smtp, smtpd, sender, tail, wanted):
    server = smtpd()
    job = office.post([verp("bob@example.com", tail)], sender=sender,
                      mtime=1767268800.123456789)
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.messages[0].sender == wanted.replace("%", spool_id(job))


@pytest.mark.parametrize("pipelined", [[], ["PIPELINING"],
                                       ["PIPELINING", "CHUNKING"]])
def test_each_goes_alone_and_closes_what_was_before(office, smtp, smtpd,
                                                    pipelined):
    server = smtpd(keywords=pipelined)
    job = office.post(["a@x", "b@x", verp("c@x", "-c"), verp("d@x", "-d"),
                       "e@x", "f@x", verp("g@x", "-g")],
                      sender="list@example.org")
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    settled(job, "+" * 7)
    tail = f"-{spool_id(job)}@example.org"
    assert [(m.sender, m.addresses) for m in server.messages] == [
        ("list@example.org", ["a@x", "b@x"]), ("list-c" + tail, ["c@x"]),
        ("list-d" + tail, ["d@x"]), ("list@example.org", ["e@x", "f@x"]),
        ("list-g" + tail, ["g@x"])]
    assert len(server.sessions) == 1


@pytest.mark.parametrize("option", [["-O", "ignore-ezmlm"],
                                    ["-Oignore-ezmlm"],
                                    ["-O", "Ignore-EZMLM"]])
def test_it_can_be_ignored(office, smtp, smtpd, option):
    server = smtpd()
    job = office.post(["a@x", verp("b@x"), verp("c@x", "-\x01>")])
    smtp(server, *option).run(job, HOST)
    settled(job, "+++")
    assert [(m.sender, m.addresses) for m in server.messages] == [
        ("alice@example.net", ["a@x", "b@x", "c@x"])]


@pytest.mark.parametrize("tail", [b"-a>", b"-a\rRSET", b"-a\x01", b'-"',
                                  b"-a<b", b"-\xff", b"-" + b"x" * 250])
def test_impossible_sender_fails_its_recipient_alone(office, smtp, smtpd,
                                                     tail):
    server = smtpd()
    job = office.post(["a@x", Rcpt("b@x", notify=b"EZMLM=" + tail), "c@x"])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    settled(job, "+-+")
    assert job.d_line(1).notary.code == "5.1.7"
    assert {m.sender for m in server.messages} == {"alice@example.net"}
    assert all(c == "RSET" or "RSET" not in c for c in server.commands())


def test_tail_belongs_to_its_group(office, smtp, smtpd):
    server = smtpd()
    job = office.post(groups=[
        Group([verp("a@x", "-a")], Sender("one@example.org")),
        Group([verp("b@x", "-b")], Sender("two@example.org"))])
    smtp(server).run(job, HOST)
    tail = f"-{spool_id(job)}@example.org"
    assert [m.sender for m in server.messages] == ["one-a" + tail,
                                                   "two-b" + tail]

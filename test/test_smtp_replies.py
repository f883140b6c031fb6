"""
smtp(8) and servers that answer nonsense: malformed, out of range, endless,
before it is due. Nothing of it is a yes or a final no, nothing hangs, and no
message is sent twice without reason.
"""

import copy

import pytest

from smtpcheck import HOST, NO_KEYWORDS, one_report_each, settled
from smtpd import Do
from test_smtp_badinput import check_clean

EVENTS = ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."]
KEYWORDS = {"slow": NO_KEYWORDS,
            "pipelined": ["PIPELINING", "ENHANCEDSTATUSCODES"]}

# What no server may say. Each is said whenever its event occurs.
NONSENSE = {
    "words": Do(raw=b"hello there\r\n"),
    "empty line": Do(raw=b"\r\n"),
    "two digits": Do(raw=b"25 ok\r\n"),
    "four digits": Do(raw=b"2500 ok\r\n"),
    "no blank": Do(raw=b"250ok\r\n"),
    "sign": Do(raw=b"-25 ok\r\n"),
    "blank first": Do(raw=b" 250 ok\r\n"),
    "zeros": Do(raw=b"\0\0\0\0\r\n"),
    "binary": Do(raw=bytes(range(128, 256)) + b"\r\n"),
    "code changes": Do(raw=b"250-ok\r\n550 no\r\n"),
    "code changes to yes": Do(raw=b"450-no\r\n250 ok\r\n"),
    "code 000": Do(raw=b"000 x\r\n"),
    "code 150": Do(raw=b"150 x\r\n"),
    "code 199": Do(raw=b"199 x\r\n"),
    "code 399": Do(raw=b"399 x\r\n"),
    "code 600": Do(raw=b"600 x\r\n"),
    "code 999": Do(raw=b"999 x\r\n"),
    "line too long": Do(raw=b"250 " + b"x" * 5000 + b"\r\n"),
    "endless line": Do(raw=b"", endless=b"2" * 4000),
    "endless lines": Do(raw=b"", endless=b"250-more\r\n" * 100),
    "endless empty lines": Do(raw=b"", endless=b"\n" * 1000),
}


@pytest.mark.parametrize("keywords", KEYWORDS)
@pytest.mark.parametrize("event", EVENTS)
def test_nonsense_puts_off(office, smtp, smtpd, event, keywords):
    """
    Every kind of it, each by a server of its own. A message goes out twice at
    most, and never once its end was sent: then its outcome is unknown.
    """
    for case, do in NONSENSE.items():
        if event == "EHLO":
            script = {"EHLO": do, "HELO": do}
        else:
            script = {event: do}
        server = smtpd(keywords=KEYWORDS[keywords],
                       script=copy.deepcopy(script))
        job = office.post(["a@x.example", "b@x.example"])
        agent = smtp(server)
        out = agent.run(job, HOST)
        assert agent.stop() == 0
        one_report_each(out, job)
        check_clean(out)
        wanted = {"connect": ["deferall", "deferred"],
                  "EHLO": ["deferall", "deferred"],
                  ".": ["deferback"] * 2}.get(event, ["deferred"] * 2)
        assert out.statuses == wanted, f"{case}:\n{out.text}"
        assert all(r.notary.code[0] == "4" for r in out.reports)
        assert job.is_untouched(), case
        assert len(server.attempts) == (event == "."), case
        assert len(server.sessions) <= 2


@pytest.mark.parametrize("event,text,status", [
    ("DATA", "250 ok", "deferred"), ("DATA", "220 ok", "deferred"),
    ("DATA", "334 more", "deferred"), ("RCPT", "354 go", "deferred"),
    ("MAIL", "354 go", "deferred"), (".", "354 go", "deferback"),
    (".", "334 more", "deferback"), (".", "100 soon", "deferback")])
def test_yes_at_the_wrong_place_is_none(office, smtp, smtpd, event, text,
                                        status):
    server = smtpd(keywords=NO_KEYWORDS,
                   script={event: Do(text, accept=False)})
    job = office.post()
    assert smtp(server).run(job, HOST).report.status == status
    settled(job, " ")


@pytest.mark.parametrize("event,code,marks", [
    ("RCPT", 299, "+"), (".", 299, "+"), ("RCPT", 499, " "),
    ("RCPT", 599, "-"), (".", 599, "-"), ("RCPT", 455, " "),
    ("RCPT", 503, " "), ("RCPT", 552, " "), ("MAIL", 552, "-"),
    ("MAIL", 503, " "), ("DATA", 503, " ")])
def test_codes_that_few_know(office, smtp, smtpd, event, code, marks):
    server = smtpd(keywords=NO_KEYWORDS, script={event: f"{code} what"})
    job = office.post()
    smtp(server).run(job, HOST)
    settled(job, marks)


@pytest.mark.parametrize("code", [500, 501, 502, 504, 555])
def test_abnormal_codes_say_so(office, smtp, smtpd, code):
    server = smtpd(script={"RCPT": f"{code} what"})
    job = office.post()
    report = smtp(server).run(job, HOST).report
    assert report.message.endswith(" (this is abnormal, investigate!)")
    settled(job, "-")


@pytest.mark.parametrize("text,code,diagnostic", [
    ("550 5.7.26 spf", "5.7.26", "550 (spf)"),
    ("550 first\n5.1.3 second", "5.1.3", "550 (first second)"),
    ("550 4.7.1 greylisted", "5.1.1", "550 (4.7.1 greylisted)"),
    ("550 5.1.1.1 x", "5.1.1", "550 (5.1.1.1 x)"),
    ("550 5.1111.1 x", "5.1.1", "550 (5.1111.1 x)"),
    ("550 (a) (b", "5.1.1", "550 ([a] [b)"),
    ("550", "5.1.1", "550 ()"), ("554", "5.1.1", "554 ()")])
def test_enhanced_codes_and_text(office, smtp, smtpd, text, code, diagnostic):
    server = smtpd(script={"RCPT": text})
    job = office.post()
    smtp(server).run(job, HOST)
    notary = job.d_line().notary
    assert notary.code == code
    assert notary.diagnostic == "smtp; " + diagnostic


def test_enhanced_codes_count_only_where_they_are_offered(office, smtp,
                                                          smtpd):
    server = smtpd(keywords=NO_KEYWORDS, script={"RCPT": "550 5.7.26 spf"})
    job = office.post()
    smtp(server).run(job, HOST)
    assert job.d_line().notary.code == "5.1.1"


@pytest.mark.parametrize("reply", [
    b"550 5.1.1 a\tb\x01c\x1b[31md\x00e\x7ff\r\n",
    b"550-5.1.1 a\r\n550-\x01\r\n550 \xff\xfe\r\n",
    b"550 5.1.1 a\rb\r\n", b"550 5.1.1 \x85 \xc2\x85\r\n"])
def test_control_bytes_in_a_reply_reach_nobody(office, smtp, smtpd, reply):
    """
    Not the scheduler, not the `d` line, not the log, which parts what belongs
    to a report as a report does.
    """
    server = smtpd(script={"RCPT": Do(raw=reply)})
    job = office.post()
    log = office.base / "log.txt"
    agent = smtp(server, "-l", log)
    out = agent.run(job, HOST)
    check_clean(out)
    settled(job, "-")
    assert job.appended.count(b"\x01") == 5
    assert job.appended.count(b"\t") == 2
    assert not set(job.appended) & (set(range(32)) - set(b"\x01\t\r\n"))
    agent.stop()
    lines = log.read_bytes().split(b"\n")
    (diag,) = [x for x in lines if b"\tDIAG: " in x]
    assert diag.count(b"\x01") == 5 and diag.count(b"\t") == 1
    lines.remove(diag)
    assert not set(diag) & (set(range(32)) - set(b"\x01\t\r"))
    assert not set(b"".join(lines)) & (set(range(32)) - set(b"\t"))


def test_long_replies_are_told_in_part(office, smtp, smtpd):
    """The most that a reply may be, and a `d` line that can be read."""
    server = smtpd(script={"RCPT": "550 " + "\n".join(
        f"line {i} " + "x" * 300 for i in range(180))})
    job = office.post()
    out = smtp(server).run(job, HOST)
    assert out.report.status == "error2"
    settled(job, "-")
    assert "line 0 x" in job.d_line().message
    assert len(job.d_line().message) <= 8160


def test_bare_line_feeds_end_replies_too(office, smtp, smtpd):
    server = smtpd(keywords=NO_KEYWORDS, script={
        "connect": Do(raw=b"220 hi\n"), "EHLO": Do(raw=b"250-x\n250 SIZE\n"),
        "MAIL": Do(raw=b"250\n"), "DATA": Do(raw=b"354\n"),
        ".": Do(raw=b"250\n")}, allow=["parameter"])
    job = office.post()
    assert smtp(server).run(job, HOST).report.status == "ok3"
    settled(job, "+")


# ---- before they are due --------------------------------------------------


def test_everything_said_at_once_is_no_answer(office, smtp, smtpd):
    """A server that says all replies with its greeting has taken nothing."""
    server = smtpd(script={"connect": Do(
        "220 ESMTP", early=["250 a", "250 b", "250 c", "354 d", "250 e"])},
        allow=["early-talk"])
    job = office.post()
    out = smtp(server).run(job, HOST)
    assert out.report.status == "deferall"
    assert "before it was due" in out.report.message
    settled(job, " ")
    assert server.attempts == []


@pytest.mark.parametrize("event,early", [
    ("EHLO", ["250 mail", "250 rcpt", "354 data", "250 end"]),
    ("MAIL", ["250 rcpt", "354 data", "250 end"]),
    ("RCPT", ["354 data", "250 end"]), ("DATA", ["250 end"])])
def test_replies_before_they_are_due_count_for_nothing(office, smtp, smtpd,
                                                       event, early):
    script = {event: Do(early=early)}
    if event == "EHLO":
        script["HELO"] = script["EHLO"]
    server = smtpd(keywords=NO_KEYWORDS, script=script)
    job = office.post()
    out = smtp(server).run(job, HOST)
    assert out.report.status in ("deferall", "deferred")
    assert "before it was due" in out.report.message
    settled(job, " ")
    assert server.attempts == []
    assert len(server.sessions) == 2    # once more, and no better


def test_reply_behind_the_last_one_does_no_harm(office, smtp, smtpd):
    """The message is delivered; the next has a connection of its own."""
    server = smtpd(connections=[{".": [Do(extra=b"250 and more\r\n")]}])
    agent = smtp(server)
    assert agent.run(office.post(), HOST).report.status == "ok3"
    job = office.post(["a@x.example", "b@x.example"])
    assert agent.run(job, HOST).statuses == ["ok3", "ok3"]
    settled(job, "++")
    assert len(server.messages) == 2 and len(server.sessions) == 2


@pytest.mark.parametrize("reply,marks,code", [
    ("552 5.3.4 too much", "-", "5.3.4"), ("451 4.3.0 full", " ", "4.3.0")])
def test_refusal_in_the_middle_of_content_decides(office, smtp, smtpd, reply,
                                                  marks, code):
    """The server has read enough; the rest is not sent."""

    def refuse(session):
        def speak():
            session.transport.write(reply.encode() + b"\r\n")
        session.transport._loop.call_later(0.05, speak)
        return Do(stall=100000)

    server = smtpd(script={"content": refuse}, rcvbuf=8192)
    job = office.post(["a@x.example", "b@x.example"],
                      body=(b"x" * 99 + b"\n") * 200000)
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    settled(job, marks * 2)
    codes = {(d.notary if marks == "-" else r.notary).code
             for d, r in zip(job.d_lines or out.reports, out.reports)}
    assert codes == {code}
    assert server.attempts == [] and len(server.sessions) == 1


def test_yes_in_the_middle_of_content_is_none(office, smtp, smtpd):
    """It cannot be an answer to an end that was not sent."""

    def agree(session):
        def speak():
            session.transport.write(b"250 2.0.0 taken\r\n")
        session.transport._loop.call_later(0.05, speak)
        return Do(stall=100000)

    server = smtpd(script={"content": [agree, agree]}, rcvbuf=8192)
    job = office.post(body=(b"x" * 99 + b"\n") * 200000)
    out = smtp(server).run(job, HOST)
    assert out.report.status == "deferred"
    assert "before it was due" in out.report.message
    settled(job, " ")
    assert len(server.sessions) == 2


# ---- states ---------------------------------------------------------------


def test_354_with_no_recipient_gets_a_lone_dot(office, smtp, smtpd):
    """RFC 2920 3.1; the next message begins with RSET."""
    server = smtpd(data_without_rcpt=True,
                   script={"RCPT": ["550 5.1.1 no", "550 5.1.1 no"]})
    agent = smtp(server)
    job = office.post(["a@x.example", "b@x.example"])
    assert agent.run(job, HOST).statuses == ["error2"] * 2
    settled(job, "--")
    assert [a.content for a in server.attempts] == [b""]
    assert agent.run(office.post(), HOST).report.status == "ok3"
    assert len(server.sessions) == 1 and "RSET" in server.commands()


def test_354_behind_a_refused_sender_and_a_recipient(office, smtp, smtpd):
    """A dot might deliver under an earlier sender: close without it."""
    server = smtpd(script={"MAIL": Do("550 5.7.1 no", accept=True)})
    job = office.post()
    assert smtp(server).run(job, HOST).report.status == "error2"
    settled(job, "-")
    assert server.wait_ended() == "eof"
    assert server.attempts == [] and server.broken_off == [b""]


def test_503_to_mail_ends_the_session(office, smtp, smtpd):
    """The server is in a state that we do not know of."""
    server = smtpd(connections=[{"MAIL": "503 5.5.1 nested"}])
    agent = smtp(server)
    job = office.post()
    assert agent.run(job, HOST).report.status == "deferred"
    settled(job, " ")
    server.wait_ended()
    assert agent.run(job, HOST).report.status == "ok3"
    assert len(server.sessions) == 2

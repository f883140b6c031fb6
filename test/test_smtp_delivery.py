"""
smtp(8) delivers: what the server gets, what is reported, and what the control
file says afterwards, for every kind of recipient list and of content.
"""

import re
import threading
import time

import pytest

from smtpcheck import (ANSWER, HOST, NO_KEYWORDS, one_report_each, settled,
                       size_estimate, transcript)
from smtpd import Do
from zpost import Group, Rcpt, Sender

HEADER = b"From: alice@example.net\nSubject: hi\n"
WIRE_HEADER = HEADER.replace(b"\n", b"\r\n")
# Nothing may be converted: what is sent is what there is.
SIGNED = b"DKIM-Signature: v=1\n" + HEADER
WIRE_SIGNED = SIGNED.replace(b"\n", b"\r\n")
CHUNK = 64 * 1024               # content is read in pieces of this size


# ---- who gets it ----------------------------------------------------------


def test_one_recipient_to_the_byte(office, smtp, smtpd):
    server = smtpd(keywords=NO_KEYWORDS)
    job = office.post(["bob@example.com"], body="Hi Bob.\n")
    agent = smtp(server)
    out = agent.run(job, HOST)
    assert out.lines == [
        f"{job.id}/{job.offsets[0]}\t\tok3 " + transcript(
            "<<- MAIL FROM:<alice@example.net>", "->> 250 2.1.0 ok",
            "<<- RCPT TO:<bob@example.com>", "->> 250 2.1.5 ok",
            "<<- DATA", "->> 354 go ahead",
            "<<- .", "->> 250 2.0.0 accepted"), "#hungry"]
    assert server.messages[0].content == WIRE_HEADER + b"\r\nHi Bob.\r\n"
    settled(job, "+")
    assert job.appended == b""
    assert agent.stop() == 0
    assert server.wait_ended() == "quit"
    assert server.commands() == [
        "EHLO client.example", "MAIL FROM:<alice@example.net>",
        "RCPT TO:<bob@example.com>", "DATA", "QUIT"]


def test_failure_to_the_byte(office, smtp, smtpd):
    server = smtpd(keywords=["ENHANCEDSTATUSCODES"], script={
        "RCPT": "550 5.1.6 no such\n5.1.6 (user) here"})
    job = office.post(["bob@example.com"])
    agent = smtp(server)
    begin = int(time.time())
    out = agent.run(job, HOST)
    end = int(time.time())
    said = transcript(
        "<<- MAIL FROM:<alice@example.net>", "->> 250 2.1.0 ok",
        "<<- RCPT TO:<bob@example.com>", "->> 550-5.1.6 no such",
        "->> 550 5.1.6 (user) here")
    assert out.lines == [f"{job.report()}\t\terror2 {said}", "#hungry"]
    settled(job, "-")
    begin_d, _, rest = job.appended.decode().partition("::")
    assert begin_d == f"d {job.offsets[0]}:{job.rcpts[0].header}:-1"
    when, _, rest = rest.partition("\t")
    assert begin <= int(when) <= end
    assert rest == "\x01".join([
        "bob@example.com", "failed", "5.1.6",
        "smtp; 550 (no such [user] here)",
        "X-IP-addr; [127.0.0.1] (127.0.0.1)",
        f"smtp[{agent.pid}]"]) + f"\t{said}\n"


def test_deferral_to_the_byte(office, smtp, smtpd):
    server = smtpd(keywords=NO_KEYWORDS, script={"RCPT": "450 busy"})
    job = office.post(["bob@example.com"])
    agent = smtp(server)
    notary = "\x01".join([
        "bob@example.com", "delayed", "4.2.0", "smtp; 450 (busy)",
        "X-IP-addr; [127.0.0.1] (127.0.0.1)", f"smtp[{agent.pid}]"])
    assert agent.run(job, HOST).lines == [
        f"{job.report()}\t{notary}\tdeferred " + transcript(
            "<<- MAIL FROM:<alice@example.net>", "->> 250 2.1.0 ok",
            "<<- RCPT TO:<bob@example.com>", "->> 450 busy"), "#hungry"]
    assert job.is_untouched()


def test_mixed_fates_in_file_order(office, smtp, smtpd):
    marks = "+-+ -+ +-+"
    users = [f"user{i}@example.com" for i in range(len(marks))]
    server = smtpd(script={f"RCPT:{u}": ANSWER[m]
                           for u, m in zip(users, marks)})
    job = office.post(users)
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    words = {"+": "ok3", "-": "error2", " ": "deferred"}
    for i, mark in enumerate(marks):
        report = out.of(job, i)
        assert report.status == words[mark]
        assert f"<<- RCPT TO:<{users[i]}>" in report.message
        assert report.message.count("RCPT TO") == 1
        assert (report.notary is None) == (mark != " ")
    settled(job, marks)
    assert [c.split(">")[0] for c in server.commands() if "RCPT" in c] == [
        f"RCPT TO:<{u}" for u in users]
    assert server.messages[0].addresses == [
        u for u, m in zip(users, marks) if m == "+"]
    for i, mark in enumerate(marks):
        if mark == "-":
            assert job.d_line(i).notary.recipient == users[i]


def test_mail_refused_concerns_everybody(office, smtp, smtpd):
    server = smtpd(script={"MAIL": ["550 5.7.1 go away", "451 4.7.1 later"]})
    one, two = (office.post(["a@x.example", "b@x.example"]) for _ in "12")
    agent = smtp(server)
    out = agent.run(one, HOST)
    assert out.statuses == ["error2"] * 2
    settled(one, "--")
    assert [d.notary.code for d in one.d_lines] == ["5.7.1"] * 2
    out = agent.run(two, HOST)
    assert out.statuses == ["deferred"] * 2
    assert [r.notary.code for r in out.reports] == ["4.7.1"] * 2
    assert all("RCPT" not in r.message for r in out.reports)
    settled(two, "  ")
    assert server.attempts == []


@pytest.mark.parametrize("event", ["DATA", "."])
def test_message_refused_concerns_the_accepted(office, smtp, smtpd, event):
    server = smtpd(script={"RCPT:b@x.example": "551 5.1.6 moved",
                           event: ["554 5.6.0 no", "451 4.3.0 no disk"]})
    jobs = [office.post(["a@x.example", "b@x.example", "c@x.example"])
            for _ in "12"]
    agent = smtp(server)
    out = agent.run(jobs[0], HOST)
    assert out.statuses.count("error2") == 3
    settled(jobs[0], "---")
    assert [jobs[0].d_line(i).notary.code for i in range(3)] == [
        "5.6.0", "5.1.6", "5.6.0"]
    out = agent.run(jobs[1], HOST)
    later = "deferback" if event == "." else "deferred"
    assert [out.of(jobs[1], i).status for i in range(3)] == [
        later, "error2", later]
    assert out.of(jobs[1], 0).notary.code == "4.3.0"
    settled(jobs[1], " - ")
    assert server.messages == [] and len(server.sessions) == 1


def test_every_group_goes_with_its_sender_and_header(office, smtp, smtpd):
    server = smtpd()
    groups = [
        Group(["a@x.example", "b@x.example"], "one@example.net", "S: 1\n"),
        Group(["c@x.example"], None, "S: 2\n"),
        Group(["d@x.example"], "three@example.net", None),
        Group(["e@x.example"], "four@example.net", "S: 34\n"),
        Group([Rcpt("f@x.example", channel="local"), "g@x.example"],
              "four@example.net", "S: 5\n")]
    job = office.post(groups=groups)
    out = smtp(server).run(job, HOST)
    assert len(out.reports) == 6 and set(out.statuses) == {"ok3"}
    assert [(m.sender, m.addresses, m.header) for m in server.messages] == [
        ("one@example.net", ["a@x.example", "b@x.example"], b"S: 1\n"),
        ("", ["c@x.example"], b"S: 2\n"),
        ("three@example.net", ["d@x.example"], b"S: 34\n"),
        ("four@example.net", ["e@x.example"], b"S: 34\n"),
        ("four@example.net", ["g@x.example"], b"S: 5\n")]
    assert len(server.sessions) == 1
    settled(job, "+++++ +")


def test_a_bad_group_does_not_hold_up_the_others(office, smtp, smtpd):
    server = smtpd(script={"MAIL": [None, "550 5.1.8 who", None]})
    job = office.post(groups=[
        Group([f"r{i}@x.example"], f"s{i}@example.net", f"S: {i}\n")
        for i in range(4)])
    out = smtp(server).run(job, HOST)
    assert [out.of(job, i).status for i in range(4)] == [
        "ok3", "error2", "ok3", "ok3"]
    settled(job, "+-++")


def test_only_our_channel_and_host_in_whatever_case(office, smtp, smtpd):
    server = smtpd()
    job = office.post([
        Rcpt("yes1@x.example", host="Example.COM"),
        Rcpt("no1@x.example", channel="SMTP"),
        Rcpt("no2@x.example", channel="local"),
        Rcpt("no3@x.example", host="example.com.de"),
        Rcpt("no4@x.example", tag="+"), Rcpt("no5@x.example", tag="-"),
        Rcpt("no6@x.example", tag="~", slot="     1"),
        Rcpt("yes2@x.example", delay="1234")])
    out = smtp(server).run(job, "eXample.com")
    assert [r.offset for r in out.reports] == [job.offsets[0],
                                               job.offsets[7]]
    assert server.messages[0].addresses == ["yes1@x.example",
                                            "yes2@x.example"]
    assert job.marks == "+   +-~+" and job.only_marks_changed()
    assert job.slot(6) == "     1" and job.delay(7) == "1234"


@pytest.mark.parametrize("keyword,most", [
    (None, 100), ("X-RCPTLIMIT 20", 20), ("X-RCPTLIMIT 3", 10),
    ("X-RCPTLIMIT 0", 100), ("X-RCPTLIMIT", 100),
    ("X-RCPTLIMIT 999999999999999999999", 250)])
def test_recipients_over_the_limit_go_in_more_transactions(
        office, smtp, smtpd, keyword, most):
    keywords = ["PIPELINING"] + ([keyword] if keyword else [])
    if keyword and keyword.endswith("99"):
        most = 100              # not a number anybody can mean
    server = smtpd(keywords=keywords)
    users = [f"user{i}@example.com" for i in range(250)]
    job = office.post(users)
    out = smtp(server).run(job, HOST)
    assert out.statuses == ["ok3"] * 250
    assert [r.offset for r in out.reports] == job.offsets
    assert [m.addresses for m in server.messages] == [
        users[i:i + most] for i in range(0, 250, most)]
    assert len(server.sessions) == 1
    settled(job, "+" * 250)


def test_what_is_finished_is_reported_before_the_server_is_waited_for(
        office, smtp, smtpd):
    """Also what was refused here, and an earlier part of a long list."""
    gate = threading.Event()
    server = smtpd(script={".": [None, Do(gate=gate)]})
    users = ["a<b@example.com", *(f"u{i}@example.com" for i in range(101))]
    job = office.post([Rcpt(u) for u in users])
    agent = smtp(server)
    agent.feed(job, HOST)
    try:
        server.wait_messages(1)
        agent.wait_line(f"^{job.id}/{job.offsets[0]}\t\terror2 ")
        agent.wait_line(f"^{job.id}/{job.offsets[100]}\t\tok3 ")
        assert len(agent.lines) == 102      # the first #hungry with them
        assert job.marks == "-" + "+" * 100 + "~"
    finally:
        gate.set()
    out = agent.hungry()
    one_report_each(out, job)
    settled(job, "-" + "+" * 101)


# ---- what they get --------------------------------------------------------

BODIES = {
    "plain": (b"one\ntwo\n", b"one\r\ntwo\r\n"),
    "empty": (b"", b""),
    "one empty line": (b"\n", b"\r\n"),
    "no newline at the end": (b"one\ntwo", b"one\r\ntwo\r\n"),
    "dots": (b".\n..\n.a\na.\n.", b".\r\n..\r\n.a\r\na.\r\n.\r\n"),
    "only a dot": (b".\n", b".\r\n"),
    "dot dot CR": (b"..\r\n.\r\n", b"..\r\n.\r\n"),
    "CR LF": (b"one\r\ntwo\r\n", b"one\r\ntwo\r\n"),
    "CR CR LF": (b"one\r\r\ntwo\n", b"one\r\n\r\ntwo\r\n"),
    "bare CR": (b"one\rtwo\r", b"one\r\ntwo\r\n"),
    "smuggled by bare CR": (b"a\r.\r\nMAIL FROM:<x>\r",
                            b"a\r\n.\r\nMAIL FROM:<x>\r\n"),
    "smuggled by bare LF": (b"a\n.\nMAIL FROM:<x>\n",
                            b"a\r\n.\r\nMAIL FROM:<x>\r\n"),
    "smuggled by NUL": (b"a\r\0\n\0.\r\0\n", b"a\r\n.\r\n"),
    "NUL": (b"a\0b\n\0\n", b"ab\r\n\r\n"),
    "8-bit": (bytes(range(128, 256)) + b"\n", bytes(range(128, 256))
              + b"\r\n"),
    "controls": (b"\1\2\3\x1a\x7f\n", b"\1\2\3\x1a\x7f\r\n"),
}


@pytest.mark.parametrize("keywords", [NO_KEYWORDS, ["PIPELINING"]],
                         ids=["slow", "pipelined"])
@pytest.mark.parametrize("case", BODIES)
def test_body_on_the_wire(office, smtp, smtpd, case, keywords):
    spool, wire = BODIES[case]
    server = smtpd(keywords=keywords)
    jobs = [office.post(header=SIGNED, body=spool),
            office.post(body="next\n")]
    agent = smtp(server)
    for job in jobs:
        assert agent.run(job, HOST).report.status == "ok3"
    assert [m.content for m in server.messages] == [
        WIRE_SIGNED + b"\r\n" + wire, WIRE_HEADER + b"\r\nnext\r\n"]


@pytest.mark.parametrize("shift", range(-3, 3))
@pytest.mark.parametrize("seam", [b"\r\n.\n", b"\n..\n", b"\r.\r\n",
                                  b"\r\0\n.\n"])
def test_body_at_the_seam_of_two_reads(office, smtp, smtpd, seam, shift):
    fill = b"x" * 63 + b"\n"
    body = (fill * (CHUNK // 64))[:CHUNK + shift - 1]
    body += b"y" + seam + fill * (CHUNK // 64)
    server = smtpd(allow=["long-line"])
    job = office.post(header=SIGNED, body=body)
    assert smtp(server).run(job, HOST).statuses == ["ok3"]
    want = re.sub(rb"\r\n|\r|\n", b"\r\n", body.replace(b"\0", b""))
    assert server.messages[0].content == WIRE_SIGNED + b"\r\n" + want


HEADERS = {
    "empty": (b"", b""),
    "folded": (b"A: b\n\tc\n  d\n", b"A: b\r\n" + b" " * 8
               + b"c\r\n  d\r\n"),
    "dot": (b".A: b\n", b".A: b\r\n"),
    "CR": (b"A: b\rBcc: c\r\n", b"A: bBcc: c\r\n"),
    "CR that would end it": (b"A: b\n\r\nC: d\n", b"A: b\r\nC: d\r\n"),
    "NUL that would end it": (b"A: b\n\0\nC: d\n", b"A: b\r\nC: d\r\n"),
    "NUL": (b"A: \0b\n", b"A: b\r\n"),
    "8-bit": (b"Subject: \xe4\n", b"Subject: =?ISO-8859-1?Q?=E4?=\r\n"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_header_on_the_wire(office, smtp, smtpd, case):
    spool, wire = HEADERS[case]
    server = smtpd()
    job = office.post(header=spool, body="body\n")
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.messages[0].content == wire + b"\r\nbody\r\n"


# Content, is 8BITMIME offered, BODY=; "S:" is for what must stay.
EIGHT = [(b"x\n", b"plain\n", True, None),
         (b"x\n", b"\xe4\n", True, "8BITMIME"),
         (SIGNED + b"S: \xe4\n", b"plain\n", True, "8BITMIME"),
         (SIGNED, b"\xe4\n", False, None),
         (b"x\n", b"x" * 70 + b"\n", True, None),
         (b"x\n", (b"x" * 70 + b"\n") * 2000 + b"\xe4\n", True, "8BITMIME")]


@pytest.mark.parametrize("header,body,offered,wanted", EIGHT)
def test_8bitmime_is_said_only_for_8bit_content(office, smtp, smtpd, header,
                                                body, offered, wanted):
    server = smtpd(keywords=["8BITMIME"] if offered else NO_KEYWORDS)
    job = office.post(header=header, body=body)
    assert smtp(server).run(job, HOST).report.status == "ok3"
    message = server.messages[0]
    assert message.mail.params == ({"BODY": wanted} if wanted else {})
    assert message.lines == header + b"\n" + body


def test_size_is_announced_as_estimated(office, smtp, smtpd):
    server = smtpd(keywords=["SIZE 10000000"])
    agent = smtp(server)
    jobs = [office.post(body=b"x\n" * n, header="H: " + "y" * m + "\n")
            for n, m in ((0, 0), (1, 200), (33, 80), (40000, 10))]
    jobs.append(office.post(groups=[
        Group(["a@x.example"], header="S: 1\n"),
        Group([Rcpt("b@x.example", channel="local")],
              header="S: " + "long" * 100 + "\n")]))
    for job in jobs:
        assert agent.run(job, HOST).statuses == ["ok3"]
    assert [m.mail.params for m in server.messages] == [
        {"SIZE": str(size_estimate(j))} for j in jobs]


def test_message_over_the_servers_limit_is_not_offered(office, smtp, smtpd):
    server = smtpd(keywords=["SIZE 1000"])
    big = office.post(["a@x.example", "b@x.example"], body=b"x\n" * 1000)
    small = office.post()
    agent = smtp(server)
    out = agent.run(big, HOST)
    text = (f"552 (Current message size {size_estimate(big)} exceeds limit "
            "given by the remote system: 1000)")
    for i in range(2):
        assert out.of(big, i).line == \
            f"{big.report(i)}\t\terror2 \r\r{text}"
        notary = big.d_line(i).notary
        assert (notary.action, notary.status, notary.diagnostic) == (
            "failed", "5.3.4 (Message size exceeds limit given by remote "
            "system)", "smtp; " + text)
    settled(big, "--")
    assert agent.run(small, HOST).report.status == "ok3"
    assert [c for c in server.commands() if c[:4] == "MAIL"] == [
        f"MAIL FROM:<alice@example.net> SIZE={size_estimate(small)}"]


@pytest.mark.parametrize("keyword", ["SIZE", "SIZE 0", "SIZE what",
                                     "SIZE -5"])
def test_size_without_a_limit_limits_nothing(office, smtp, smtpd, keyword):
    server = smtpd(keywords=[keyword])
    job = office.post(body=b"x\n" * 5000)
    assert smtp(server).run(job, HOST).report.status == "ok3"


def test_addresses_pass_byte_for_byte(office, smtp, smtpd):
    users = ["Bob.Smith+tag=x@Sub.Example.COM", '"a b"@x.example',
             '"a\\"b\\\\c>d"@x.example', "postmaster", "a!b!c@x.example",
             "u%h@x.example", "u@[192.0.2.1]", "u@[IPv6:2001:db8::1]",
             "=?utf-8?q?x?=@x.example", "x" * 64 + "@x.example",
             "x" * 100 + "@x.example"]
    server = smtpd()
    for sender in users:
        job = office.post(users, sender=Sender(sender))
        out = smtp(server).run(job, HOST)
        assert out.statuses == ["ok3"] * len(users), out.text
        assert server.messages[-1].addresses == users
        assert server.messages[-1].sender == sender


def test_spool_is_only_read_but_for_the_marks(office, smtp, smtpd):
    """Size, owner, mode and the message file stay; no file is left over."""
    server = smtpd()
    job = office.post()
    job.control.chmod(0o640)
    before = job.message.stat(), job.message.read_bytes()
    names = sorted(office.path.rglob("*"))
    assert smtp(server).run(job, HOST).report.status == "ok3"
    now = job.message.stat()
    assert (now.st_mtime_ns, now.st_ino, job.message.read_bytes()) == (
        before[0].st_mtime_ns, before[0].st_ino, before[1])
    assert job.control.stat().st_mode & 0o777 == 0o640
    assert len(job.data) == len(job.written)
    assert sorted(office.path.rglob("*")) == names

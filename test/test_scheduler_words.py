"""What stands in the scheduler's reports, for people and for programs."""

import time

from reports import KEEP, Queued, Report, fake, only_report
from spoolfile import Rcpt


def test_headers_alone_are_returned_when_asked_for(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    office.post(["bob@example.com"], ret="HDRS", body=b"secret\n")
    r = only_report(s)
    assert r.returned.get_content_type() == "text/rfc822-headers"
    assert b"secret" not in r.raw


def test_message_that_is_too_large_is_said_to_be(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    office.post(["bob@example.com"], ret="FULL", body=b"x\n" * 40000)
    r = only_report(s)
    assert "too large to be attached" in r.text
    assert len(r.raw) < 10000


def test_long_header_is_cut_at_a_line(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    office.post(["bob@example.com"],
                header=b"".join(b"X-%d: %s\n" % (i, b"y" * 90)
                                for i in range(1000)))
    r = only_report(s)
    lines = r.returned.get_payload().rstrip("\n").split("\n")
    assert 500 < len(lines) < 1000
    assert lines[-1].endswith("y" * 90)


def test_words_say_what_where_when_and_what_to_do(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    office.post([Rcpt("bob@example.com",
                      notify="ORCPT=rfc822;info@example.org")],
                header=b"Message-ID: <1@example.net>\nSubject: A question\n",
                mtime=1767268800)
    r = only_report(s)
    assert r.mail["In-Reply-To"] == r.mail["References"] == "<1@example.net>"
    text = r.text.split("\n")
    assert text[2:11] == [
        "Your message of Thu, 1 Jan 2026 12:00:00 +0000",
        '    "A question"',
        "could not be delivered to:",
        "",
        "  <info@example.org>, which is now",
        "  <bob@example.com>",
        "    550 5.1.1 no such user",
        "    at mx.example (192.0.2.9)",
        text[10]]
    assert text[10].startswith("    last tried on ")
    assert text[11] == ("    There is no such mailbox. Please check the "
                        "address.")
    assert len(text) < 20


def test_addresses_beyond_ascii_are_told_as_they_are(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    office.post([Rcpt("böb@bücher.example",
                      notify="ORCPT=utf-8;inf\\x{F6}@example.org")],
                sender="älice@example.net",
                header="Subject: Grüße\n".encode())
    r = only_report(s)
    assert r.is_global
    assert r.status["Content-Transfer-Encoding"] == "8bit"
    block = r.of("böb@bücher.example")
    assert block["Final-Recipient"] == "utf-8; böb@bücher.example"
    assert block["Original-Recipient"] == "utf-8;infö@example.org"
    assert "<infö@example.org>, which is now\n  <böb@bücher.example>" in r.text
    assert '"Grüße"' in r.text
    assert r.returned.get_content_type() == "message/global-headers"
    assert r.quads == [("smtp", "example.net", "älice@example.net")]
    assert r.mail["To"] == "älice@example.net"


def test_ascii_sender_hears_of_wide_addresses_too(office, scheduler, smtpd):
    server = smtpd(keywords=["8BITMIME", "SMTPUTF8"], script={
        "RCPT:böb@example.com": "550 5.1.1 no"})
    s = scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    s.wait_gone(office.post(["böb@example.com"]))
    server.wait_messages(1)
    [message] = server.messages
    assert str(message.rcpts[0].address) == "alice@example.net"
    r = Report(message.content.replace(b"\r\n", b"\n"))
    assert r.of("böb@example.com")["Action"] == "failed"


def test_report_gets_through_where_only_seven_bits_do(office, scheduler,
                                                      smtpd):
    server = smtpd(keywords=["PIPELINING"])
    s = scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    office.post(["böb@example.com"], header="Subject: Grüße\n".encode(),
                ret="FULL", body="Smörgås\n".encode())
    server.wait_messages(1)
    [message] = server.messages
    assert message.sender == ""
    message.content.decode("ascii")
    assert b"\r\nStatus: 5.6.7\r\n" in message.content
    assert b"inal-Recipient: utf-8; b=C3=B6b@example.com" in message.content
    assert b"Sm=C3=B6rg=C3=A5s" in message.content
    assert b"takes no addresses outside ASCII" in message.content
    s.wait(lambda: office.jobs() == [], "an empty spool")


def test_expired_mail_has_the_postmasters_words(office, scheduler):
    forms = office.share / "forms"
    forms.mkdir()
    (forms / "delivery").write_text(
        "HDR From: The Post Office <postmaster>\nSUB Subject: Returned\n\n"
        "Help is at help@example.org.\n")
    (forms / "late").write_text("Call 112 if it burns.\n")
    s = scheduler(KEEP + fake("fail", "smtp/fail.example")
                  + 'smtp/*\n\texpiry=1h expiryform=late '
                  'command="fake deferall"\n')
    office.post([Rcpt("bob@fail.example", host="fail.example")])
    r = only_report(s)
    assert r.text.rstrip().endswith("Help is at help@example.org.")
    assert r.mail["Subject"] == "Undelivered mail"
    office.post(["bob@example.com"], sender="dora@example.net",
                mtime=time.time() - 2 * 3600)
    late = {x.mail["To"]: x for x in map(Queued, s.wait_reports(2))}
    assert late["dora@example.net"].text.rstrip().endswith("if it burns.")
    assert "help@" not in late["dora@example.net"].text


def test_form_that_is_not_there_is_told(office, scheduler):
    s = scheduler(KEEP + "smtp/*\n\tdeliveryform=nothing "
                  'command="fake fail"\n')
    s.wait_line("forms/nothing: No such file or directory: reports go "
                "without")
    office.post(["bob@example.com"])
    assert only_report(s).of("bob@example.com")


def test_log_names_what_each_report_is_about(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    job = office.post(["bob@example.com"])
    r = only_report(s)
    s.wait_gone(job)
    [event] = s.wait(lambda: s.events("report"), "an event")
    assert event["message"] == r.job.name
    assert event["about"] == job.name
    assert event["kind"] == "failed"
    assert f"<{event['identity']}>" == r.mail["Message-ID"]

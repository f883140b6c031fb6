"""What senders hear from the scheduler: failures, delays, successes."""

import time

import pytest

from reports import KEEP, Queued, only_report
from schedrun import DEFAULTS
from spoolfile import Group, Rcpt

FAKE = 'smtp/*\n\tcommand="fake {}"\n'


def test_failure_is_told_to_the_sender(office, scheduler):
    s = scheduler(KEEP + FAKE.format("fail"))
    job = office.post([Rcpt("bob@example.com", notify="NOTIFY=FAILURE "
                            "ORCPT=rfc822;Bob+2Bx@example.com")],
                      sender="alice@example.net", envid="QQ+2B314",
                      header=b"From: alice@example.net\nSubject: hello\n",
                      mtime=int(time.time()) - 100)
    s.wait_gone(job)
    r = only_report(s)
    assert "\ns error - - " in r.control
    assert " smtp example.net alice@example.net " in r.control
    assert r.mail["To"] == "alice@example.net"
    assert r.mail["Auto-Submitted"] == "auto-replied"
    assert r.mail["Message-ID"] and r.mail["Date"]
    assert r.blocks[0]["Original-Envelope-Id"] == "QQ+314"
    assert r.blocks[0]["Reporting-MTA"].startswith("dns; ")
    bob = r.of("bob@example.com")
    assert bob["Action"] == "failed" and bob["Status"] == "5.1.1"
    assert bob["Original-Recipient"] == "rfc822;Bob+x@example.com"
    assert bob["Diagnostic-Code"] == "smtp; 550 no such user"
    assert bob["Remote-MTA"] == "dns; mx.example (192.0.2.9)"
    assert bob["Last-Attempt-Date"]
    assert "10.0.0.1" not in r.job.message.read_text()  # our own address
    text = r.words.get_content()
    assert "<bob@example.com>" in text
    assert "550 5.1.1 no such user" in text
    assert "There is no such mailbox" in text
    assert r.returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: hello" in r.returned.get_payload()
    assert "Hi." not in r.returned.get_payload()


def test_report_goes_out_by_the_same_way(office, scheduler, smtpd):
    server = smtpd(script={"RCPT:bob@example.com": "550 5.1.1 no"})
    s = scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    s.wait_gone(office.post(["bob@example.com"]))
    server.wait_messages(1)
    [report] = server.messages
    assert report.sender == ""
    assert len(report.rcpts) == 1
    assert "alice@example.net" in str(report.rcpts[0])
    assert b"Status: 5.1.1" in report.content
    s.wait(lambda: office.jobs() == [], "an empty spool")


def test_full_message_is_returned_when_asked_for(office, scheduler):
    s = scheduler(KEEP + FAKE.format("fail"))
    office.post([Rcpt("bob@example.com")], ret="FULL", body=b"Sm\xc3\xb6r\n",
                header=b"From: a\nSubject: hi\n")
    r = only_report(s)
    assert r.returned.get_content_type() == "message/rfc822"
    assert b"Sm\xc3\xb6r" in r.job.message.read_bytes()
    assert r.mail["Content-Transfer-Encoding"] == "8bit"


def test_large_message_is_not_returned(office, scheduler):
    s = scheduler(KEEP + FAKE.format("fail"))
    office.post([Rcpt("bob@example.com")], ret="FULL",
                body=b"x" * 70 + b"\n" * 70000)
    r = only_report(s)
    assert r.returned.get_content_type() == "text/rfc822-headers"
    assert r.job.message.stat().st_size < 10000


@pytest.mark.parametrize("notify", ["NOTIFY=NEVER", "NOTIFY=SUCCESS",
                                    "NOTIFY=DELAY"])
def test_who_does_not_ask_for_failures_hears_of_none(office, scheduler,
                                                     notify):
    s = scheduler(KEEP + FAKE.format("fail"))
    s.wait_gone(office.post([Rcpt("bob@example.com", notify=notify)]))
    assert s.reports() == []


def test_success_is_told_when_asked_for(office, scheduler, smtpd):
    server = smtpd(keywords=["PIPELINING"])     # without DSN: ours to tell
    s = scheduler(f'{KEEP}smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    job = office.post([Rcpt("bob@example.com", notify="NOTIFY=SUCCESS"),
                       Rcpt("carol@example.com")])
    s.wait_gone(job)
    r = only_report(s)
    assert r.of("bob@example.com")["Action"] in ("relayed", "delivered")
    assert r.of("bob@example.com")["Status"].startswith("2.")
    assert len(r.blocks) == 2                   # and nothing of carol


def test_failures_of_one_message_come_together(office, scheduler):
    s = scheduler(KEEP + FAKE.format("fail"))
    job = office.post([f"u{i}@example.com" for i in range(5)])
    s.wait_gone(job)
    r = only_report(s)
    assert len(r.blocks) == 6
    assert len(s.reports()) == 1


def test_failure_is_told_before_the_rest_is_done(office, scheduler):
    s = scheduler(KEEP + 'smtp/slow.example\n\tcommand="fake defer"\n'
                  + FAKE.format("fail"))
    job = office.post(["bob@example.com",
                       Rcpt("x@slow.example", host="slow.example")])
    r = only_report(s)
    assert r.of("bob@example.com") and len(r.blocks) == 2
    assert job.control.exists()
    s.wait(lambda: b"\nd+" in job.data, "the mark of the report")
    s.stop()
    s.start()                                   # it is not told again
    s.wait_gone(office.post(["c@example.com"], sender=None))
    assert len(s.reports()) == 1


def test_senders_hear_only_of_their_own(office, scheduler):
    s = scheduler(KEEP + FAKE.format("fail"))
    s.wait_gone(office.post(groups=[
        Group(["bob@example.com"], "alice@example.net"),
        Group(["carol@example.com"], "dora@example.net")]))
    reports = {r.mail["To"]: r for r in map(Queued, s.wait_reports(2))}
    assert reports["alice@example.net"].of("bob@example.com")
    assert len(reports["alice@example.net"].blocks) == 2
    assert reports["dora@example.net"].of("carol@example.com")


def test_no_report_about_a_report(office, scheduler):
    s = scheduler(FAKE.format("fail"))
    s.wait_gone(office.post(["bob@example.com"], sender=None))
    s.wait_line("a report about a report: dropped")
    assert office.jobs() == []


def test_report_about_a_report_is_kept_for_the_postmaster(office, scheduler):
    s = scheduler(FAKE.format("fail"),
                  defaults="PARAMstore-error-on-error\n" + DEFAULTS)
    s.wait_gone(office.post(["bob@example.com"], sender=None))
    [kept] = (office.path / "postman").iterdir()
    assert b"bob@example.com" in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_scheduler_writes_the_diagnostic_of_those_who_do_not(office,
                                                             scheduler):
    s = scheduler(KEEP + FAKE.format("word"))
    s.wait_gone(office.post(["bob@example.com"]))
    assert only_report(s).of("bob@example.com")["Status"] == "5.1.1"


def test_failure_without_a_diagnostic_is_told_all_the_same(office, scheduler):
    s = scheduler(KEEP + FAKE.format("ok"))
    s.wait_gone(office.post([Rcpt("bob@example.com", tag="-")]))
    assert only_report(s).of("bob@example.com")["Status"] == "5.0.0"


def test_old_mail_expires_with_its_last_reason(office, scheduler):
    s = scheduler(KEEP + 'smtp/*\n\texpiry=1h command="fake deferall"\n')
    job = office.post(["bob@example.com", "c@example.com"],
                      mtime=int(time.time()) - 7200)
    s.wait_gone(job)
    r = only_report(s)
    bob = r.of("bob@example.com")
    assert bob["Status"] == "5.4.7" and bob["Action"] == "failed"
    assert "busy" in r.words.get_content()
    assert "tried for as long as is allowed" in r.words.get_content()
    assert len(r.blocks) == 3


def test_what_a_dead_agent_had_locked_expires_on_time(office, scheduler):
    s = scheduler(KEEP + 'smtp/*\n\texpiry=2s interval=1h '
                  'command="fake locks"\n')
    job = office.post(["bob@example.com"])
    s.wait_line("ended by signal 9")
    s.wait_gone(job)
    assert "5.4.7" in only_report(s).of("bob@example.com")["Status"]
    assert len(s.fed()) == 1


def test_deadline_with_return_fails_on_time(office, scheduler):
    s = scheduler(KEEP + FAKE.format("defer"))
    by = int(time.time()) + 2
    job = office.post([Rcpt("bob@example.com", notify=f"BY={by};R"),
                       Rcpt("carol@example.com")])
    r = only_report(s)
    assert r.of("bob@example.com")["Status"] == "5.4.7"
    assert len(r.blocks) == 2
    assert job.tag(0) == "-" and job.tag(1) in " ~"


def test_deadline_with_notify_tells_and_goes_on(office, scheduler):
    s = scheduler(KEEP + FAKE.format("defer"))
    by = int(time.time()) + 2
    job = office.post([Rcpt("bob@example.com", notify=f"BY={by};N")])
    r = only_report(s)
    bob = r.of("bob@example.com")
    assert bob["Action"] == "delayed" and bob["Status"].startswith("4.")
    assert r.mail["Subject"].startswith("Delayed")
    assert job.tag() in " ~"


def test_delay_is_told_to_who_asked_for_it(office, scheduler):
    s = scheduler(KEEP
                  + 'smtp/*\n\treporttimes="2s 1h" command="fake defer"\n')
    office.post([Rcpt("bob@example.com", notify="NOTIFY=DELAY,FAILURE"),
                 Rcpt("carol@example.com", notify="NOTIFY=FAILURE")])
    r = only_report(s)
    bob = r.of("bob@example.com")
    assert bob["Action"] == "delayed"
    assert bob["Will-Retry-Until"]
    assert len(r.blocks) == 2
    assert "tried on" in r.words.get_content()


def test_spool_that_takes_no_report_keeps_the_message(office, scheduler):
    s = scheduler(KEEP + FAKE.format("fail"))
    hidden = office.path / "elsewhere"
    job = office.post(["bob@example.com"])
    # Nothing can be made in queue/ while it is not there.
    office.queue.rename(hidden)
    try:
        s.wait_line("it is kept")
        assert job.control.exists()
    finally:
        hidden.rename(office.queue)
    assert job.tag() == "-"
    assert s.stop() == 0
    s.start()
    s.wait_gone(job)
    assert only_report(s).of("bob@example.com")

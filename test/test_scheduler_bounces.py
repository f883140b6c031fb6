"""
Where the scheduler's reports go, in what form, how many at a time; and what
becomes of them when something is in the way.
"""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from agentrun import DEADLINE, is_sanitized, program, wait_for
from reports import KEEP, Queued, Report, Trace, fake, only_report
from schedrun import DEFAULTS, Scheduler
from spoolfile import Group, Rcpt, Sender
from zpost import to_bytes

HOLD = "smtp/*\n\tqueueonly\nlocal/*\n\tqueueonly\n"
SYNCS = re.compile(r"^\d+ +(syncfs|fsync|fdatasync)\(")


def routes(office, text: str) -> None:
    (office.share / "routes.conf").write_text(text)


# ---- where they go ---------------------------------------------------------


def bounce_of(office, s, sender, **how) -> Queued:
    """The report about a message of this sender that fails at fail.example."""
    old = {j.name for j in s.reports()}
    office.post([Rcpt("bob@fail.example", host="fail.example")],
                sender=sender, **how)
    [job] = s.wait(lambda: [j for j in s.reports() if j.name not in old],
                   "a report")
    return Queued(job)


FAILING = fake("fail", "smtp/fail.example") + HOLD


@pytest.mark.parametrize("sender,quad", [
    ("alice@Example.NET", ("smtp", "example.net", "alice@Example.NET")),
    ("root@mail.example", ("smtp", "boss.example", "hans@boss.example")),
    ("root", ("smtp", "boss.example", "hans@boss.example")),
    ("carol", ("smtp", "mail.example", "carol@mail.example")),
    ("list@virtual.example", ("local", "-", "list@virtual.example")),
    ('"odd name"@example.net', ("smtp", "example.net",
                                '"odd name"@example.net')),
])
def test_report_goes_where_submitted_mail_would(office, scheduler, sender,
                                                quad):
    office.set_zenv(MAILNAME="mail.example")
    routes(office, "root hans@boss.example\n"
                   "list@virtual.example local - ${address}\n")
    s = scheduler(FAILING)
    r = bounce_of(office, s, sender)
    line = f"\nr           {' '.join(quad)} 65534\n"
    assert line in r.control
    assert r.mail["From"].endswith("<postmaster@mail.example>")


def test_routes_are_read_again(office, scheduler):
    s = scheduler(FAILING)
    assert bounce_of(office, s, "a@x.example").quads[0][1] == "x.example"
    routes(office, "@x.example smtp relay.example ${address}\n")
    s.kill(signal.SIGHUP)
    s.wait_line("read again")
    assert bounce_of(office, s, "a@x.example").quads == [
        ("smtp", "relay.example", "a@x.example")]
    routes(office, "@x.example smtp what\n")
    s.kill(signal.SIGHUP)
    s.wait_line("the configuration before stays in force")
    assert bounce_of(office, s, "a@x.example").quads[0][1] == "relay.example"


def test_bad_routes_stop_the_start(office, scheduler):
    routes(office, "a b c\n")
    s = scheduler(FAILING, start=False)
    with pytest.raises(AssertionError):
        s.start()
    assert s.process.wait() == 78
    s.reader.join(DEADLINE)
    assert "routes.conf:1" in s.text


def test_route_that_goes_in_circles_costs_no_report(office, scheduler):
    routes(office, "a@x.example b@x.example\nb@x.example a@x.example\n")
    s = scheduler(FAILING)
    assert bounce_of(office, s, "a@x.example").quads == [
        ("smtp", "x.example", "a@x.example")]
    s.wait_line("goes round in circles")


def test_errors_to_addresses_hear_instead_of_the_sender(office, scheduler):
    s = scheduler(FAILING)
    r = bounce_of(office, s, "list@lists.example",
                  errors=["owner@lists.example",
                          'Ann <ann@a.example>, "B, b" <b@b.example>, a b'])
    assert [q[2] for q in r.quads] == ["owner@lists.example",
                                       "ann@a.example", "b@b.example"]
    assert [str(a.addr_spec) for a in r.mail["To"].addresses] == [
        "owner@lists.example", "ann@a.example", "b@b.example"]


def test_errors_to_addresses_hear_nothing_of_a_report(office, scheduler):
    s = scheduler(FAILING)
    job = office.post([Rcpt("bob@fail.example", host="fail.example")],
                      sender=None, errors=["owner@lists.example"])
    s.wait_gone(job)
    s.wait_line("a report about a report: dropped")
    assert s.reports() == []


@pytest.mark.parametrize("sender", ["a,b@x.example", "a@", "<a@x.example",
                                    "a@" + "x" * 300, b"a\rb@x.example"])
def test_sender_that_is_no_address_is_told_nothing(office, scheduler, sender):
    s = scheduler(FAILING)
    s.wait_gone(office.post([Rcpt("bob@fail.example", host="fail.example")],
                            sender=sender))
    s.wait_line("a failure that nobody can be told of: dropped "
                "(to <bob@fail.example>")
    assert s.reports() == []


def test_report_is_delivered_to_a_program_of_a_route(office, scheduler):
    box = office.base / "box"
    office.script("take", f"#!/bin/sh\ncat > {box}.new\nmv {box}.new {box}\n")
    office.sm_conf(f"take sm {office.base}/take take $u\n")
    routes(office, "alice@example.net local - ${local}\n")
    s = scheduler(fake("fail", "smtp/fail.example")
                  + 'local/*\n\tcommand="sm -c local take"\n')
    s.wait_gone(office.post([Rcpt("bob@fail.example", host="fail.example")]))
    s.wait(box.exists, "the report")
    s.wait(lambda: office.jobs() == [], "an empty spool")
    content = box.read_bytes()
    content = content[content.index(b"Date: "):]
    assert Report(content).of("bob@fail.example")["Status"] == "5.1.1"


# ---- no loop ---------------------------------------------------------------


def test_report_that_is_refused_makes_no_other(office, scheduler, smtpd):
    server = smtpd(script={"RCPT": "550 5.1.1 nobody of that name"})
    s = scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    office.post(["bob@example.com"])
    s.wait_line("a report about a report: dropped (to <alice@example.net>")
    s.wait(lambda: office.jobs() == [], "an empty spool")
    assert [c for c in server.commands() if c.startswith("MAIL")][-1] \
        .startswith("MAIL FROM:<>")
    assert s.stop() == 0
    assert len(s.events("report")) == 1


def test_report_asks_for_no_report(office, scheduler, smtpd):
    server = smtpd(keywords=["DSN"], script={
        "RCPT:bob@example.com": "550 5.1.1 no"})
    scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    office.post(["bob@example.com"])
    server.wait_messages(1)
    [message] = server.messages
    assert message.sender == ""
    assert message.rcpts[0].params["NOTIFY"] == "NEVER"
    report = Report(message.content.replace(b"\r\n", b"\n"))
    assert report.mail["In-Reply-To"] is None   # it has no Message-ID


STORE = "PARAMstore-error-on-error\n" + DEFAULTS


def test_what_nobody_can_be_told_is_for_the_postmaster(office, scheduler):
    office.set_zenv(MAILNAME="mail.example")
    (office.path / "postman").rmdir()           # made when it is needed
    s = scheduler(FAILING, defaults=STORE)
    s.wait_gone(office.post(
        [Rcpt(f"u{i}@fail.example", host="fail.example") for i in range(3)],
        sender=None, header=b"Message-ID: <7@x.example>\nSubject: weather\n"))
    [kept] = (office.path / "postman").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    r = Report(kept.read_bytes())
    assert r.mail["To"] == "postmaster@mail.example"
    assert r.mail["In-Reply-To"] == "<7@x.example>"
    assert len(r.blocks) == 4
    assert '"weather"' in r.text
    assert "u2@fail.example" in r.text
    [event] = s.wait(lambda: s.events("report"), "an event")
    assert event["file"] == f"postman/{kept.name}"


def test_postman_that_takes_nothing_keeps_the_message(office, scheduler):
    (office.path / "postman").rmdir()
    (office.path / "postman").write_text("in the way")
    s = scheduler(FAILING, defaults=STORE)
    job = office.post([Rcpt("bob@fail.example", host="fail.example")],
                      sender=None)
    s.wait_line("postman: Not a directory: it is kept")
    assert job.tag() == "-" and job.message.exists()
    assert s.stop() == 0
    (office.path / "postman").unlink()
    s.start()
    s.wait_gone(job)
    assert len(list((office.path / "postman").iterdir())) == 1


def test_sender_that_is_no_address_is_for_the_postmaster(office, scheduler):
    s = scheduler(FAILING, defaults=STORE)
    job = office.post([Rcpt("bob@fail.example", host="fail.example")],
                      sender=Sender("a@b@c"))
    s.wait_gone(job)
    s.wait_line("no report can be sent to 'a@b@c'")
    assert s.reports() == []
    assert len(list((office.path / "postman").iterdir())) == 1


# ---- successes and delays --------------------------------------------------


@pytest.mark.parametrize("action", ["relayed", "delivered", "expanded"])
def test_successes_are_told_in_their_words(office, scheduler, action):
    s = scheduler(KEEP + fake(f"success {action}"))
    s.wait_gone(office.post([
        Rcpt("bob@example.com", notify="NOTIFY=SUCCESS,FAILURE"),
        Rcpt("carol@example.com", notify="NOTIFY=FAILURE")]))
    r = only_report(s)
    assert r.mail["Subject"] == "Delivery report"
    assert r.of("bob@example.com")["Action"] == action
    assert r.of("bob@example.com")["Status"] == "2.1.5"
    assert len(r.blocks) == 2
    words = {"relayed": "sends no reports", "delivered": "It was delivered",
             "expanded": "all who stand behind"}
    assert words[action] in r.text
    assert r.returned.get_content_type() == "text/rfc822-headers"


def test_success_is_the_next_hops_to_tell_if_it_can(office, scheduler, smtpd):
    server = smtpd(keywords=["DSN"])
    s = scheduler(f'{KEEP}smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    s.wait_gone(office.post([Rcpt("bob@example.com",
                                  notify="NOTIFY=SUCCESS")]))
    assert server.messages[0].rcpts[0].params["NOTIFY"] == "SUCCESS"
    assert s.reports() == []


def test_success_at_a_hop_without_dsn_is_relayed(office, scheduler, smtpd):
    server = smtpd(keywords=["PIPELINING"])
    s = scheduler(f'{KEEP}smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    s.wait_gone(office.post([Rcpt("bob@example.com",
                                  notify="NOTIFY=SUCCESS")]))
    assert only_report(s).of("bob@example.com")["Action"] == "relayed"


def test_success_of_a_mailer_is_told(office, scheduler):
    office.sm_conf("yes - /bin/cat cat\n")
    s = scheduler(KEEP + 'smtp/*\n\tcommand="sm -c smtp yes"\n')
    s.wait_gone(office.post([Rcpt("bob@example.com",
                                  notify="NOTIFY=SUCCESS")]))
    assert only_report(s).of("bob@example.com")["Status"] == "2.5.0"


def test_success_and_failure_of_one_message_are_two_reports(office,
                                                            scheduler):
    s = scheduler(KEEP + fake("fail", "smtp/fail.example")
                  + fake("success delivered"))
    s.wait_gone(office.post([
        Rcpt("bob@fail.example", host="fail.example",
             notify="NOTIFY=SUCCESS,FAILURE"),
        Rcpt("carol@example.com", notify="NOTIFY=SUCCESS,FAILURE")]))
    r = {x.mail["Subject"]: x for x in map(Queued, s.wait_reports(2))}
    assert len(r["Undelivered mail"].blocks) == 2
    assert len(r["Delivery report"].blocks) == 2


DELAY = "NOTIFY=DELAY,FAILURE"


def test_delay_is_told_at_each_of_its_times_and_once(office, scheduler):
    s = scheduler(KEEP + 'smtp/*\n\treporttimes="2s 5s" '
                  'command="fake defer"\n')
    job = office.post([Rcpt("bob@example.com", notify=DELAY)])
    s.wait_reports(1)
    s.wait(lambda: job.delay() == "   1", "the mark of the first")
    s.stop()
    s.start()
    s.wait_reports(2)
    s.wait(lambda: job.delay() == "   2", "the mark of the second")
    s.stop()
    s.start()
    s.wait_gone(office.post(["c@example.com"], sender=None,
                            mtime=time.time() - 7200))
    assert len(s.reports()) == 2
    for report in map(Queued, s.reports()):
        assert report.of("bob@example.com")["Action"] == "delayed"


def test_deadline_that_is_past_is_told_once(office, scheduler):
    s = scheduler(KEEP + 'smtp/*\n\treporttimes="1h" command="fake defer"\n')
    job = office.post([Rcpt("bob@example.com",
                            notify=f"BY={int(time.time()) + 1};N")])
    assert only_report(s).mail["Subject"].startswith("Delayed")
    s.wait(lambda: job.delay() == "  10", "the mark")
    s.stop()
    s.start()
    s.wait_gone(office.post(["c@example.com"], sender=None,
                            mtime=time.time() - 7200))
    assert len(s.reports()) == 1


def test_delays_at_several_hosts_are_one_report(office, scheduler):
    s = scheduler(KEEP + 'smtp/*\n\treporttimes=2s command="fake defer"\n')
    office.post([Rcpt(f"u@h{i}.example", host=f"h{i}.example", notify=DELAY)
                 for i in range(5)])
    r = only_report(s)
    s.wait_line("serving")
    assert len(r.blocks) == 6
    assert len(s.reports()) == 1


# ---- together --------------------------------------------------------------


def test_failures_at_different_times_are_one_report(office, scheduler):
    s = scheduler(
        KEEP + fake("fail", "smtp/now.example")
        + 'smtp/later.example\n\tcommand="fake then defer fail"\n'
        + 'smtp/never.example\n\tcommand="fake defer"\n',
        defaults=DEFAULTS.replace("interval = 1s", "interval = 4s"))
    job = office.post([Rcpt("a@later.example", host="later.example"),
                       Rcpt("b@never.example", host="never.example"),
                       Rcpt("c@now.example", host="now.example")])
    s.wait(lambda: job.marks in ("- -", "-~-"), "two failures")
    assert s.reports() == []
    r = only_report(s)
    assert r.of("a@later.example") and r.of("c@now.example")
    assert job.control.exists()


def test_one_sender_of_two_groups_gets_one_report(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    s.wait_gone(office.post(groups=[
        Group(["bob@example.com"], "alice@example.net"),
        Group(["carol@example.com"], "alice@example.net",
              b"Subject: another\n")]))
    assert len(only_report(s).blocks) == 3


def test_report_about_very_many_is_split(office, scheduler):
    s = scheduler(KEEP + fake("fail"))
    s.wait_gone(office.post([f"u{i}@example.com" for i in range(1700)]))
    reports = [Queued(j) for j in s.wait_reports(2)]
    assert sorted(len(r.blocks) for r in reports) == [701, 1001]
    for r in reports:
        assert len(r.text) < 10000
        assert "more; the second part of this report names them" in r.text
    seen = {b["Final-Recipient"] for r in reports for b in r.blocks[1:]}
    assert len(seen) == 1700


MANY = 300


def many(office, **how) -> list:
    return [office.post([Rcpt(f"u{i}@example.com", **how)])
            for i in range(MANY)]


def wait_told(s, n: int) -> list[Queued]:
    """Waits until nothing but n reports is left; names may come again."""
    s.wait(lambda: len(s.reports()) == len(s.office.jobs()) == n,
           f"nothing but {n} reports")
    return [Queued(j) for j in s.reports()]


def count_syncs(lines) -> int:
    found = sum(SYNCS.match(x) is not None for x in lines)
    assert found > 0
    return found


def test_many_failures_share_their_waits_for_the_disk(office, scheduler,
                                                      need):
    s = scheduler(KEEP + "smtp/*\n\toverfeed=100 maxthr=1 "
                  'command="fake fail"\n')
    trace = Trace(s.process.pid, office.base / "trace",
                  "-e", "trace=syncfs,fsync,fdatasync", need=need)
    many(office)
    reports = wait_told(s, MANY)
    assert count_syncs(trace.stop()) < MANY / 2
    assert {r.blocks[1]["Final-Recipient"] for r in reports} == {
        f"rfc822; u{i}@example.com" for i in range(MANY)}


def test_many_that_expire_share_their_waits_for_the_disk(office, scheduler,
                                                         need):
    s = scheduler(HOLD)
    trace = Trace(s.process.pid, office.base / "trace",
                  "-e", "trace=syncfs,fsync,fdatasync", need=need)
    many(office, notify=f"BY={int(time.time()) + 3};R")
    reports = wait_told(s, MANY)
    assert count_syncs(trace.stop()) < MANY / 10
    for r in reports[:20]:
        assert r.blocks[1]["Status"] == "5.4.7"
        assert "by the time the sender set" in r.text


# ---- crashes and bad disks -------------------------------------------------


class Injected:
    """The scheduler below strace, which has a system call fail or kill."""

    running: list = []

    def __init__(self, office, conf, inject, need):
        if is_sanitized():
            pytest.skip("strace and sanitizers do not agree")
        Scheduler(office, conf, start=False)    # writes what it needs
        self.process = subprocess.Popen(
            [need("strace"), "-f", "-qq", "-o", office.base / "trace",
             "-e", "inject=" + inject, program("scheduler"), "-O", "scan=1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd="/", env=office.environment())
        self.running.append(self)

    def wait_line(self, word: bytes) -> bytes:
        for line in self.process.stderr:
            if word in line:
                return line
        raise AssertionError(f"it never said {word}")

    def end(self, seconds: float) -> None:
        """Waits so long for the injected end; else asks for one."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:       # it never came so far
            pid = self.process.pid
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
            os.kill(int(children.read_text().split()[0]), signal.SIGTERM)
            self.process.wait(DEADLINE)
        self.process.stderr.close()
        self.running.remove(self)


@pytest.fixture(autouse=True)
def no_injected_is_left():
    yield
    for run in Injected.running[:]:
        run.end(0.1)


CRASHES = [f"{call}:signal=KILL:when={n}"
           for call, most in (("syncfs", 3), ("unlinkat", 4), ("renameat2", 4),
                              ("pwrite64", 3))
           for n in range(1, most + 1)]


@pytest.mark.parametrize("crash", CRASHES)
def test_no_crash_loses_a_report(office, scheduler, need, crash):
    jobs = [office.post([f"u{i}@example.com"], log_id=f"<{i}@x>")
            for i in range(3)]
    for job in jobs:                            # as an agent left them
        job.set_mark(0, "-")
        with open(job.control, "ab") as f:
            f.write(to_bytes(f"d {job.offsets[0]}:-1:-1::{int(time.time())}\t"
                             f"{job.rcpts[0].user}\x01failed\x015.1.1\x01x\x01"
                             "\t550 no\n"))
    conf = KEEP + fake("fail")
    Injected(office, conf, crash, need).end(2)
    s = scheduler(conf)
    s.wait(lambda: len(s.reports()) == len(office.jobs()) >= 3,
           "nothing but reports")
    told = [Queued(j).blocks[1]["Final-Recipient"] for j in s.reports()]
    assert set(told) == {f"rfc822; u{i}@example.com" for i in range(3)}
    assert len(told) <= 6                       # at worst all of it twice


def test_disk_that_fails_to_sync_keeps_the_message(office, scheduler, need):
    job = office.post(["bob@example.com"], mangle=lambda data: data.replace(
        b"\nr ", b"\nr-"))
    conf = KEEP + fake("fail")
    run = Injected(office, conf, "syncfs:error=EIO:when=1", need)
    assert b"Input/output error" in run.wait_line(b"it is kept")
    run.end(0.1)
    assert [j.name for j in office.jobs()] == [job.name]
    assert job.message.exists()
    assert [x for x in office.transport.iterdir() if x != job.control] == []
    assert [x for x in office.queue.iterdir() if x != job.message] == []
    s = scheduler(conf)
    s.wait_gone(job)
    assert only_report(s).of("bob@example.com")


def test_disk_that_is_full_is_told_once(office, scheduler, need):
    jobs = [office.post([f"u{i}@example.com"], mangle=lambda data:
                        data.replace(b"\nr ", b"\nr-")) for i in range(40)]
    conf = KEEP + fake("fail")
    run = Injected(office, conf, "linkat,renameat2:error=ENOSPC", need)
    assert b"No space left on device" in run.wait_line(b"it is kept")
    run.wait_line(b"more messages wait to be reported on")
    run.end(0.1)
    assert {j.name for j in office.jobs()} == {j.name for j in jobs}
    assert len(list(office.queue.iterdir())) == len(jobs)
    scheduler(conf)
    wait_for(lambda: len(office.jobs()) == len(jobs) and all(
        b"\ns error " in j.written for j in office.jobs()), "the reports")


def test_disk_that_is_slow_keeps_no_agent_waiting(office, need):
    conf = fake("fail", "smtp/fail.example") + fake("ok")
    failing = office.post([Rcpt("bob@fail.example", host="fail.example")])
    run = Injected(office, conf, "syncfs:delay_enter=3000000", need)
    wait_for(lambda: failing.tag() == "-", "a failure")
    wait_for(lambda: any(x.name.startswith(".")
                         for x in office.transport.iterdir()),
             "a report that is being settled")
    others = [office.post([f"u{i}@example.com"]) for i in range(3)]
    wait_for(lambda: not any(j.control.exists() for j in others),
             "the end of the others")
    assert failing.control.exists()
    run.end(0.1)
    assert not failing.control.exists()         # what is begun is ended

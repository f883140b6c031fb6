"""
sm: jobs in, reports out. What is said to the scheduler, to the byte, and what
is on disk before, while and after a mailer runs.
"""

import os
import pathlib
import signal
import socket
import time

import pytest

from mailers import Mailers
from zpost import Group, Rcpt, Sender, wait_for

HEADER = b"From: alice@example.net\nSubject: hi\n"


@pytest.fixture
def box(office):
    """A recorder as mailer `rec` (one recipient a run) and `many`."""
    box = Mailers(office)
    box.conf("rec n {rec} rec $u\nmany nm {rec} rec $u\n")
    return box


def post(box, rcpts, **how):
    return box.office.post(rcpts, channel="local", host="-", **how)


def deliver(box, job, *args, mailer="rec", host=None):
    """One job through a fresh sm; the lines between two "#hungry"."""
    with box.sm(mailer, *args) as agent:
        agent.hungry()
        out = agent.run(job, host)
        assert agent.stop() == 0
        assert agent.pending().lines == []
    return out


# ---- reports, to the byte --------------------------------------------------


def test_success_line(box):
    box.tell(say=b"taken as 4711\n")
    job = post(box, ["bob"])
    out = deliver(box, job)
    assert out.lines == [f"{job.report()}\t\tok3 taken as 4711", "#hungry"]
    assert job.marks == "+" and job.slots == [" " * 6]
    assert job.appended == b"" and job.only_marks_changed()


def test_success_without_output(box):
    job = post(box, ["bob"])
    assert deliver(box, job).lines == [f"{job.report()}\t\tok3 ", "#hungry"]


def test_success_line_with_report_asked_for(box):
    box.tell(say=b"done")
    job = post(box, [Rcpt("bob", notify="NOTIFY=SUCCESS")])
    out = deliver(box, job)
    assert out.lines == [f"{job.report()}\t\tok2 done", "#hungry"]
    d = job.d_line()
    assert d.notary.raw == "bob\x01relayed\x012.5.0\x01smtp;250 (Delivered)" \
        "\x01"
    assert (d.message, d.header, d.notify) == (
        "done", job.rcpts[0].header, job.rcpts[0].notify)


def test_deferral_line(box):
    box.tell(exit=66, say=b"mailer says 66\n")
    job = post(box, ["bob@example.com"])
    out = deliver(box, job)
    assert out.lines == [
        f"{job.report()}\tbob@example.com\x01delayed\x014.3.0\x01"
        "x-local; 530 (Cannot open input)\x01\t"
        "deferred mailer says 66[exit status 66/75 (cannot open input)]",
        "#hungry"]
    assert job.is_untouched()


def test_failure_line(box):
    box.tell(exit=67, say=b"mailer says 67\n")
    job = post(box, ["bob"])
    out = deliver(box, job)
    text = "mailer says 67[exit status 67/67 (addressee unknown)]"
    assert out.lines == [f"{job.report()}\t\terror2 {text}", "#hungry"]
    assert job.marks == "-"
    d = job.d_line()
    assert d.notary.raw == "bob\x01failed\x015.1.1\x01" \
        "x-local; 521 (No such target user)\x01"
    assert d.message == text


def test_signal_line(box):
    box.tell(say=b"dying\n", kill="KILL")
    job = post(box, ["k9"])
    out = deliver(box, job)
    assert out.lines == [
        f"{job.report()}\tk9\x01delayed\x014.3.0\x01"
        "x-local; 500 (failed on signal)\x01\tdeferred dying [signal 9]",
        "#hungry"]
    assert job.marks == " "


PERMANENT = (65, 67, 68, 69, 77)


@pytest.mark.parametrize("code", [*range(0, 4), *range(63, 80), 99, 127, 254,
                                  255])
def test_exit_codes(box, code):
    box.tell(exit=code)
    job = post(box, ["bob"])
    status = deliver(box, job).report.status
    if code == 0:
        assert (status, job.marks) == ("ok3", "+")
    elif code in PERMANENT:
        assert (status, job.marks) == ("error2", "-")
    else:
        assert (status, job.marks) == ("deferred", " ")


def test_status_code_in_the_output_is_honoured(box):
    box.tell(exit=77, say=b"5.2.2 mailbox full\n")
    job = post(box, ["bob"])
    assert deliver(box, job).report.status == "error2"
    assert job.d_line().notary.status == "5.2.2"


def test_output_is_made_harmless(box):
    box.tell(exit=75, say=b"a\tb\x01c\x1b[1m\rd\x00\xff\nnext\x07line\n")
    job = post(box, ["bob"])
    out = deliver(box, job)
    assert out.report.message.startswith("a b?c?[1m?d?\udcff[exit status 75")
    assert len(out.comments) == 1
    assert out.comments[0].endswith("rec: next?line")


def test_further_lines_become_comments(box):
    box.tell(say=b"first\nsecond\n\nthird")
    job = post(box, ["bob"])
    with box.sm("rec") as agent:
        agent.hungry()
        out = agent.run(job)
        pid = agent.pid
    assert out.lines == [
        f"# sm:{pid}: rec: second", f"# sm:{pid}: rec: ",
        f"# sm:{pid}: rec: third", f"{job.report()}\t\tok3 first",
        "#hungry"]


# ---- the protocol ----------------------------------------------------------


@pytest.mark.parametrize("stdio", ["pipe", "socket"])
def test_hungry_once_for_each_line_and_in_order(box, stdio):
    jobs = [post(box, [f"u{i}"], body=b"x\n" * i) for i in range(5)]
    with box.sm("rec", stdio=stdio, nofile=32) as agent:
        agent.hungry()
        lines = [f"{j}\t-\n" for j in jobs]
        agent.feed_raw(lines[0] + "#idle\n" + "".join(lines[1:])
                       + "#strange\n" + "12345\n" + "#idle\nhalf a li")
        out = agent.collect(9)
        agent.quiet()
        assert agent.stop("eof") == 0
        assert agent.pending().lines == []
    said = [x for x in out.lines if not x.startswith("# ")]
    assert said == [
        f"{jobs[0].report()}\t\tok3 ", "#hungry", "#hungry",
        *[x for j in jobs[1:] for x in (f"{j.report()}\t\tok3 ", "#hungry")],
        "#hungry", "#resync 12345", "#hungry", "#hungry"]
    assert [r.args[1] for r in box.runs] == ["u0", "u1", "u2", "u3", "u4"]


@pytest.mark.parametrize("how", ["line", "eof", "SIGTERM", "SIGINT",
                                 "SIGHUP", "SIGQUIT"])
def test_every_way_to_end_is_a_good_one(box, how):
    with box.sm("rec") as agent:
        agent.hungry()
        assert agent.stop(how) == 0
        assert agent.pending().lines == []


def test_report_is_said_before_the_next_run(box):
    box.tell(sleep=1)
    job = post(box, ["one", "two"])
    with box.sm("rec") as agent:
        agent.hungry()
        agent.feed(job)
        first = agent.wait_line(f"^{job.report(0)}\t")
        assert first == f"{job.report(0)}\t\tok3 "
        assert job.tag(0) == "+" and job.tag(1) == "~"
        assert not any(line.startswith(job.report(1)) for line in agent.lines)
        assert agent.hungry().statuses == ["ok3", "ok3"]


@pytest.mark.parametrize("name", ["1", "Q/1", "../1", "/etc/1", "1\x01",
                                  "x", "1/2/3/4"])
def test_what_is_no_job_is_resynced(box, name):
    with box.sm("rec") as agent:
        agent.hungry()
        out = agent.run(name)
        assert [r.replace("?", "\x01") for r in out.resyncs] == [name]
        assert out.hungry == 1 and out.reports == []
        assert agent.stop() == 0


def test_unknown_format_bits_end_the_work(box):
    job = post(box, ["bob"], format="0x17")
    with box.sm("rec") as agent:
        agent.hungry()
        out = agent.run(job)
        assert out.resyncs == [job.name]
        assert agent.wait() == 0
    assert job.is_untouched() and box.runs == []


def test_message_file_missing_fails_the_recipients(box):
    job = post(box, ["a", "b"], with_message=False)
    out = deliver(box, job)
    assert out.statuses == ["error2", "error2"]
    assert out.resyncs == [job.name] and job.marks == "--"
    assert box.runs == []


# ---- who gets what ---------------------------------------------------------


def test_one_run_for_each_recipient_without_m(box):
    job = post(box, ["a", "b", "c"])
    out = deliver(box, job)
    assert [r.args[1:] for r in box.runs] == [["a"], ["b"], ["c"]]
    assert [r.offset for r in out.reports] == job.offsets
    assert job.marks == "+++"


def test_one_run_for_a_group_with_m(box):
    job = box.office.post(channel="local", host="-", groups=[
        Group([Rcpt("a"), Rcpt("b")], "one@example.net", None),
        Group([Rcpt("c")], "two@example.net", HEADER),
        Group([Rcpt("d"), Rcpt("x", channel="smtp"), Rcpt("e")],
              "two@example.net", b"Subject: other\n")])
    box.tell(exit=75)
    out = deliver(box, job, mailer="many")
    assert [r.args[1:] for r in box.runs] == [["a", "b"], ["c"], ["d", "e"]]
    assert [r.input for r in box.runs] == [
        HEADER + b"\nHi.\n", HEADER + b"\nHi.\n", b"Subject: other\n\nHi.\n"]
    assert out.statuses == ["deferred"] * 5
    assert job.is_untouched()


def test_recipients_of_a_run_share_its_outcome(box):
    box.tell(exit=67)
    job = post(box, [Rcpt("a"), Rcpt("b", notify="NOTIFY=SUCCESS"), "c"])
    out = deliver(box, job, mailer="many")
    assert out.statuses == ["error2"] * 3 and job.marks == "---"
    assert [d.rcpt for d in job.d_lines] == job.offsets


def test_without_a_host_that_of_the_first_is_taken(box):
    job = post(box, [Rcpt("a", channel="smtp"), Rcpt("b", host="Two"),
                     Rcpt("c", host="three"), Rcpt("d", host="tWO")])
    out = deliver(box, job, mailer="many")
    assert box.run.args[1:] == ["b", "d"]
    assert [r.offset for r in out.reports] == [job.offsets[1],
                                               job.offsets[3]]
    assert job.marks == " + +"


def test_host_of_the_job_line_selects_and_stays(box):
    jobs = [post(box, [Rcpt("a", host="one"), Rcpt("b", host="two")])
            for _ in range(2)]
    with box.sm("rec") as agent:
        agent.hungry()
        assert agent.run(jobs[0], "two").report.offset == jobs[0].offsets[1]
        assert agent.run(jobs[1]).report.offset == jobs[1].offsets[1]
        assert agent.run(jobs[1], "nowhere").resyncs == [jobs[1].name]
        assert agent.run(jobs[1], "one").report.offset == jobs[1].offsets[0]
    assert [r.args[1] for r in box.runs] == ["b", "b", "a"]


def test_host_option_selects_of_any_channel(box):
    job = post(box, [Rcpt("a", host="one"),
                     Rcpt("b", host="two", channel="uucp")])
    with box.office.agent("sm", "-h", "TWO", "rec") as agent:
        agent.hungry()
        assert agent.run(job).report.offset == job.offsets[1]
        assert agent.stop() == 0


def test_channel_and_host_options_together(box):
    job = post(box, [Rcpt("a", host="one"),
                     Rcpt("b", host="two", channel="uucp"),
                     Rcpt("c", host="two")])
    out = deliver(box, job, "-h", "two")
    assert out.report.offset == job.offsets[2]


# ---- locks, crashes, signals -----------------------------------------------


def test_locks_are_held_while_the_mailer_runs(box):
    box.tell(sleep=1)
    job = post(box, ["a", "b"])
    with box.sm("many") as agent:
        agent.hungry()
        agent.feed(job)
        wait_for(lambda: box.runs and box.runs[0].is_fed, "the mailer")
        assert job.marks == "~~"
        assert job.slots == ["%6d" % agent.pid] * 2
        assert [job.lock_holder(i) for i in (0, 1)] == [-1, -1]
        agent.hungry()
        assert job.marks == "++" and job.slots == [" " * 6] * 2
        assert [job.lock_holder(i) for i in (0, 1)] == [None, None]


def is_gone(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return state.rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_killed_sm_leaves_its_pid_and_no_mailer(box):
    box.tell(sleep=60)
    job = post(box, ["a", "b"])
    with box.sm("rec") as agent:
        agent.hungry()
        agent.feed(job)
        wait_for(lambda: box.runs and box.runs[0].is_fed, "the mailer")
        agent.signal("SIGKILL")
        assert agent.wait() == -signal.SIGKILL
        assert agent.pending().lines == []
        assert job.marks == "~~"
        assert job.slots == ["%6d" % agent.pid] * 2
        assert job.lock_holder() is None
    wait_for(lambda: is_gone(box.run.pid), "the mailer's end")
    os.killpg(box.run.pid, signal.SIGKILL)      # the sleep that it ran


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_signal_lets_the_message_be_finished(box, name):
    box.tell(sleep=1)
    job, later = post(box, ["a", "b"]), post(box, ["c"])
    with box.sm("rec") as agent:
        agent.hungry()
        agent.feed(job)
        agent.feed(later)
        wait_for(lambda: box.runs and box.runs[0].is_fed, "the mailer")
        agent.signal(name)
        assert agent.wait() == 0
        out = agent.pending()
    assert out.lines == [f"{job.report(0)}\t\tok3 ",
                         f"{job.report(1)}\t\tok3 ", "#hungry"]
    assert job.marks == "++" and later.is_untouched()
    assert len(box.runs) == 2


def test_signal_to_the_group_does_not_reach_the_mailer(box):
    box.tell(sleep=1)
    job = post(box, ["a"])
    with box.sm("rec") as agent:
        agent.hungry()
        agent.feed(job)
        wait_for(lambda: box.runs and box.runs[0].is_fed, "the mailer")
        os.killpg(agent.pid, signal.SIGTERM)
        assert agent.wait() == 0
        assert agent.pending().statuses == ["ok3"]
    assert job.marks == "+"


def test_job_locked_by_another_is_left_alone(box):
    job = post(box, ["a", "b"])
    job.set_mark(0, "~", "%6d" % os.getpid())
    out = deliver(box, job)
    assert out.report.offset == job.offsets[1]
    assert job.marks == "~+"


def test_gone_scheduler_does_not_stop_the_marks(box):
    box.tell(sleep=1)
    job = post(box, ["a"])
    with box.sm("rec", stdio="socket") as agent:
        agent.hungry()
        agent.feed(job)
        wait_for(lambda: box.runs and box.runs[0].is_fed, "the mailer")
        agent._socket.shutdown(socket.SHUT_RDWR)
        assert agent.wait() == 0
    assert job.marks == "+"


# ---- hostile addresses -----------------------------------------------------


@pytest.mark.parametrize("user", ["-rf", "-", "--", "a\rb", "a\x1b[2J",
                                  "a\x7f", "\x01"])
def test_hostile_recipient_fails_and_others_do_not(box, user):
    job = post(box, ["good", user, "fine"])
    out = deliver(box, job, mailer="many")
    assert box.run.args[1:] == ["good", "fine"]
    assert job.marks == "+-+"
    assert out.of(job, 1).status == "error2"
    assert job.d_line(1).notary.code == "5.1.3"
    assert out.hungry == 1 and len(out.reports) == 3


def test_nul_in_an_address_never_reaches_a_mailer(box):
    job = post(box, ["good", b"a\x00b"])
    out = deliver(box, job, mailer="many")
    assert all("a" not in r.args for r in box.runs)
    assert job.is_untouched() and out.resyncs == [job.name]


def test_line_feed_in_an_address_never_reaches_a_mailer(box):
    job = post(box, ["good", "a\nb"])
    out = deliver(box, job, mailer="many")
    assert box.runs == [] and out.resyncs == [job.name]


@pytest.mark.parametrize("user", ["<x>", "a>b", "a;`id`|$(id)&*", "a\"b c\"",
                                  "\xe4@x", "x" * 9000])
def test_odd_but_harmless_recipient_is_one_argument(box, user):
    job = post(box, [user])
    assert deliver(box, job).report.status == "ok3"
    assert box.run.args[1:] == [user]


def test_hostile_sender_fails_its_recipients(box):
    job = box.office.post(channel="local", host="-", groups=[
        Group([Rcpt("a"), Rcpt("b")], "s\x1b", HEADER),
        Group([Rcpt("c")], "fine@example.net", HEADER)])
    out = deliver(box, job)
    assert out.statuses == ["error2", "error2", "ok3"]
    assert job.d_line(0).notary.code == "5.1.7"
    assert [r.args[1] for r in box.runs] == ["c"]


def test_option_like_values_pass_behind_two_dashes(box):
    box.conf("safe nf {rec} rec -x -- $u $h\nrisky nf {rec} rec -x $u\n")
    job = post(box, [Rcpt("-rf", host="-h")], sender="s@example.net")
    assert deliver(box, job, mailer="safe").report.status == "ok3"
    assert box.run.args[1:] == ["-f", "s@example.net", "-x", "--", "-rf",
                                "-h"]
    job = post(box, ["a"], sender="-s@example.net")
    assert deliver(box, job, mailer="risky").report.status == "error2"
    assert job.d_line().notary.code == "5.1.3"


def test_no_host_is_a_lone_dash(box):
    box.conf("pm n {rec} rec -a $h -d $u\n")
    job = post(box, ["bob"])
    assert deliver(box, job, mailer="pm").report.status == "ok3"
    assert box.run.args[1:] == ["-a", "-", "-d", "bob"]


def test_address_too_long_for_an_argument_fails(box):
    job = post(box, ["x" * 200000])
    assert deliver(box, job).report.status == "error2"
    assert job.d_line().notary.code == "5.1.3"


def test_more_recipients_than_arguments_are_split(box):
    users = [f"u{i:03}" + "x" * 20000 for i in range(400)]
    job = post(box, users)
    out = deliver(box, job, mailer="many")
    assert out.statuses == ["ok3"] * 400
    assert [r.offset for r in out.reports] == job.offsets
    assert len(box.runs) > 1
    assert [a for r in box.runs for a in r.args[1:]] == users


# ---- mailers of the worse kind ---------------------------------------------


def script(box, text, *args, body=b"Hi.\n"):
    """One job through a shell script as the mailer."""
    path = box.office.script("bad", text)
    box.conf(f"bad n {path} bad $u\n")
    job = post(box, ["bob"], body=body)
    begin = time.monotonic()
    out = deliver(box, job, *args, mailer="bad")
    return out, job, time.monotonic() - begin


BIG = b"0123456789abcdef" * 1024 * 64    # a megabyte


def test_output_longer_than_the_pipe_before_reading(box):
    out, job, _ = script(
        box, "#!/bin/sh\necho first\nhead -c 3000000 /dev/zero | tr '\\0' x\n"
        "echo\nwc -c\n", body=BIG)
    assert out.report.message == "first" and job.marks == "+"
    assert len(out.text) < 40000


def test_thousand_lines_of_output_are_bounded(box):
    out, job, _ = script(box, "#!/bin/sh\ncat >/dev/null\nseq 100000\n")
    assert out.report.message == "1"
    assert [c.rsplit(" ", 1)[1] for c in out.comments[:-1]] == [
        str(i) for i in range(2, 22)]
    assert out.comments[-1].endswith("bad: (more output is not shown)")


def test_mailer_that_never_reads_may_succeed(box):
    out, job, _ = script(box, "#!/bin/sh\nexit 0\n", body=BIG)
    assert out.report.status == "ok3" and job.marks == "+"
    assert any("exited with 0 without reading the whole message" in c
               for c in out.comments)


def test_mailer_that_never_reads_nor_ends_is_killed(box):
    out, job, took = script(box, "#!/bin/sh\necho begun\nexec sleep 60\n",
                            "-O", "timeout=1", body=BIG)
    assert out.report.line == (
        f"{job.report()}\tbob\x01delayed\x014.3.0 (mailer timed out)\x01"
        "x-local; 500 (mailer timed out)\x01\t"
        "deferred begun [timed out and killed]")
    assert job.is_untouched() and 1 <= took < 10


def test_mailer_that_never_ends_its_output_is_killed(box):
    out, job, took = script(box, "#!/bin/sh\nexec yes\n", "-Otimeout=1")
    assert out.report.status == "deferred"
    assert out.report.message == "y [timed out and killed]"
    assert took < 10


def test_mailer_that_ignores_term_is_killed(box):
    out, job, took = script(
        box, "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n",
        "-O", "timeout=1")
    assert out.report.status == "deferred" and took < 15


def test_grandchild_that_keeps_the_output_is_not_waited_for(box):
    out, job, took = script(box, "#!/bin/sh\nsleep 30 &\necho $!\nexit 0\n")
    os.kill(int(out.report.message), signal.SIGKILL)    # it is left alone
    assert out.report.status == "ok3" and took < 10


def test_missing_program_defers(box):
    box.conf("gone n /nonexistent/mailer mailer $u\n")
    job = post(box, ["bob"])
    out = deliver(box, job, mailer="gone")
    assert out.report.line == (
        f"{job.report()}\tbob\x01delayed\x01"
        "4.3.5 (mailer could not be executed)\x01"
        "x-local; 500 (mailer could not be executed)\x01\t"
        "deferred cannot execute /nonexistent/mailer: "
        "No such file or directory")
    assert job.is_untouched()


def test_program_that_is_not_executable_defers(box):
    out = deliver(box, post(box, ["bob"]), mailer="rec")
    assert out.report.status == "ok3"
    box.rec.chmod(0o644)
    out = deliver(box, post(box, ["bob"]), mailer="rec")
    assert out.report.status == "deferred"
    assert out.report.notary.code == "4.3.5"
    assert out.report.message.endswith("Permission denied")


def test_message_that_shrinks_is_never_delivered_cut(box):
    path = box.office.script(
        "slow", "#!/bin/sh\nhead -c 10 >/dev/null\nsleep 1\n"
        f"cat >/dev/null\ntouch {box.folder}/whole\n")
    box.conf(f"slow n {path} slow $u\n")
    job = post(box, ["bob"], body=BIG)
    with box.sm("slow") as agent:
        agent.hungry()
        agent.feed(job)
        time.sleep(0.3)
        os.truncate(job.message, job.body_offset + 300000)
        report = agent.hungry().report
    assert report.status == "deferred" and report.notary.code == "4.3.0"
    assert not (box.folder / "whole").exists()
    assert job.is_untouched()

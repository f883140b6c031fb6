"""
smtp(8) and its scheduler: "#hungry" exactly once for each line, reports in
the order of the lines, everything answered, whatever stands in a line and in
whatever pieces it comes.
"""

import os
import pathlib
import re
import threading
import time

import pytest

import zpost
from smtpcheck import HOST, one_report_each, settled
from smtpd import Do
from zpost import Rcpt

LONG = "x" * 10000
STDIO = ["pipe", "socket", "split"]


def lines_and_answers(office):
    """Every kind of line, and how the lines of its answer begin."""
    good = office.post()
    two = office.post(["a@x.example", "b@x.example"])
    other = office.post(host="other.example")
    done = office.post([Rcpt(tag="+"), Rcpt("c@x.example", tag="-")])
    turn = office.post_raw(b"TURNME\n")
    return [
        (f"{good}\t{HOST}", [good.report()]),
        ("#idle", []),
        ("#", []), ("#hungry", []), ("#resync 1", []), ("# what\t" + HOST, []),
        ("#" + LONG, ["# "]), (LONG + "\t" + HOST, ["# "]),
        ("1\t" + LONG, ["# "]),
        (f"{two}\t{HOST}", [two.report(0), two.report(1)]),
        (f"{two}\t{HOST}", [f"#resync {two}"]),
        (f"{other}\t{HOST}", [f"#resync {other}"]),
        (f"{done}\t{HOST}", [f"#resync {done}"]),
        (f"{other}\tother.example", [other.report()]),
        (f"{turn}\t{HOST}", [f"#resync {turn}"]),
        ("999999999\t" + HOST, ["# ", "#resync 999999999"]),
        ("../1\t" + HOST, ["# ", "#resync ../1"]),
        (f"{good}\t", [f"#resync {good}"]),
        ("\t" + HOST, ["# ", "#resync "]),
        ("\t", ["# ", "#resync "]),
        (" \t" + HOST, ["# ", "#resync  "]),
        (f"{good}\t{HOST}\tmore", [f"#resync {good}"]),
        (f"{good} {HOST}", ["# ", f"#resync {good} {HOST}"]),
        ("\0", ["# ", "#resync ?"]),
    ]


def check_answer(lines, beginnings):
    """The answer to one line is this, and then one #hungry."""
    assert lines[-1] == "#hungry" and lines.count("#hungry") == 1, lines
    assert len(lines) == len(beginnings) + 1, (lines, beginnings)
    for line, begin in zip(lines, beginnings):
        assert line.startswith(begin) if begin != "#resync " \
            else line == begin, (lines, beginnings)


@pytest.mark.parametrize("stdio", STDIO)
def test_hungry_once_for_each_line(office, smtp, smtpd, stdio):
    agent = smtp(smtpd(), stdio=stdio, nofile=32)
    agent.quiet(0.1)
    for line, beginnings in lines_and_answers(office):
        agent.feed_raw(line + "\n")
        check_answer(agent.hungry().lines, beginnings)
    agent.quiet(0.1)
    assert agent.stop() == 0
    assert (agent.pending().lines, agent.errors) == ([], b"")


@pytest.mark.parametrize("stdio", STDIO)
def test_all_lines_at_once(office, smtp, smtpd, stdio):
    agent = smtp(smtpd(), stdio=stdio, nofile=32)
    table = lines_and_answers(office)
    agent.feed_raw("".join(line + "\n" for line, _ in table))
    for _, beginnings in table:
        check_answer(agent.hungry().lines, beginnings)
    agent.quiet(0.1)


def test_lines_in_pieces(office, smtp, smtpd):
    """Byte by byte: nothing is taken before its LF, nothing is lost."""
    agent = smtp(smtpd())
    for line, beginnings in lines_and_answers(office):
        if len(line) > 1000:
            line = line[:200]
        if line.startswith(("x", "1\tx", "#x")):
            continue
        for c in line:
            agent.feed_raw(c)
        if "idle" in line:
            agent.quiet(0.05)
        agent.feed_raw("\n")
        check_answer(agent.hungry().lines, beginnings)


def test_many_fed_jobs_are_answered_in_their_order(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server, stdio="socket", nofile=32)
    jobs = [office.post([f"u{i}@x.example" for i in range(1 + n % 3)])
            for n in range(150)]
    for n, job in enumerate(jobs):
        agent.feed(job, HOST)
        if n % 10 == 0:
            agent.feed_raw("#idle\n")
    out = agent.collect(165)
    one_report_each(out, *jobs)
    want = []
    for n, job in enumerate(jobs):
        want += [job.report(i) for i in range(len(job.rcpts))] + ["#hungry"]
        want += ["#hungry"] if n % 10 == 0 else []
    assert [x.split("\t")[0] for x in out.lines] == want


@pytest.mark.parametrize("stdio", ["pipe", "socket"])
def test_scheduler_that_reads_late(office, smtp, smtpd, stdio):
    """The agent blocks in write; nothing is lost, nothing is doubled."""
    agent = smtp(smtpd(), stdio=stdio)
    line, told, stuck = b"#idle\n", 0, 0
    while stuck < 20:               # until both directions are full
        n = agent.stuff((line * 1000)[told % 6:])
        told += n
        stuck = 0 if n else stuck + 1
        if not n:
            time.sleep(0.01)
    agent.feed_raw(line[told % 6:] if told % 6 else b"")
    out = agent.collect((told + 5) // 6)
    assert set(out.lines) == {"#hungry"}
    agent.quiet(0.1)


# ---- ends -----------------------------------------------------------------


@pytest.mark.parametrize("stdio", STDIO)
@pytest.mark.parametrize("rest", ["", "#idl", "1", "PARTIAL"])
def test_end_of_file_after_a_part_of_a_line(office, smtp, smtpd, stdio, rest):
    """Whole lines are answered, a cut one is dropped."""
    server = smtpd()
    agent = smtp(server, stdio=stdio)
    jobs = [office.post() for _ in range(3)]
    if rest == "PARTIAL":
        rest = f"{jobs[2]}\t{HOST}"
    agent.feed_raw(f"{jobs[0]}\t{HOST}\n{jobs[1]}\t{HOST}\n{rest}")
    assert agent.stop("eof") == 0
    out = agent.pending()
    assert out.statuses == ["ok3", "ok3"] and out.hungry == 2
    assert (len(out.lines), agent.rest) == (4, b"")
    assert jobs[2].is_untouched()
    assert server.wait_ended() == "quit"


def test_end_of_file_at_once(office):
    done = office.run("smtp", HOST)
    assert (done.returncode, done.stdout, done.stderr) == (
        0, b"#hungry\n", b"")


def test_nothing_behind_the_stop_line_is_taken(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server)
    jobs = [office.post(), office.post()]
    agent.feed_raw(f"{jobs[0]}\t{HOST}\n\n{jobs[1]}\t{HOST}\n#idle\n")
    assert agent.wait() == 0
    out = agent.pending()
    assert out.statuses == ["ok3"] and out.hungry == 1
    assert jobs[1].is_untouched()
    assert server.wait_ended() == "quit"
    assert server.commands()[-1] == "QUIT"


@pytest.mark.parametrize("stdio", STDIO)
def test_scheduler_that_is_gone(office, smtp, smtpd, stdio):
    """What was taken is finished and marked; then the agent leaves."""
    gate = threading.Event()
    server = smtpd(script={".": Do(gate=gate)})
    agent = smtp(server, stdio=stdio)
    job = office.post()
    agent.feed(job, HOST)
    server.wait_command("DATA")
    agent.abandon()
    gate.set()
    assert agent.wait() == 0
    settled(job, "+")


# ---- hosts ----------------------------------------------------------------


def test_line_without_a_host(office, smtp, smtpd):
    """Needs one; a host once named holds for later lines."""
    agent = smtp(smtpd())
    jobs = [office.post(), office.post()]
    assert agent.run(jobs[0]).lines == ["# smtp needs defined host!",
                                        "#hungry"]
    assert jobs[0].is_untouched()
    assert agent.run(jobs[0], HOST).report.status == "ok3"
    assert agent.run(jobs[1]).report.status == "ok3"


# ---- format flags ---------------------------------------------------------


@pytest.mark.parametrize("flags,said", [
    ("0x00000008", "0x8"), ("0x17", "0x17"), ("0xffffffff", "0xffffffff"),
    ("23", "0x17"), ("027", "0x17")])
@pytest.mark.parametrize("place", ["first", "last"])
def test_unknown_format_flags_end_the_work(office, smtp, smtpd, flags, said,
                                           place):
    """The file is not touched, and no further line is taken."""
    server = smtpd()
    agent = smtp(server)
    good = [office.post(), office.post()]
    job = office.post(format=flags) if place == "first" else \
        office.post(format=None, tail=f"@ {flags}\n".encode())
    agent.feed(good[0], HOST)
    agent.feed(job, HOST)
    agent.feed(good[1], HOST)
    assert agent.wait() == 0        # by itself: its input is still open
    lines = agent.pending().lines
    assert lines[0].startswith(good[0].report())
    assert lines[1:] == [
        "#hungry", f"# smtp:{agent.pid}: Unsupported SCHEDULER file format "
        f"flags seen: {said} at file '{job}'", f"#resync {job}", "#hungry"]
    assert job.is_untouched() and good[1].is_untouched()
    assert server.wait_ended() == "quit"


@pytest.mark.parametrize("flags", [None, "0", "0x0", "0x1", "3", "07",
                                   "0x00000007"])
def test_known_format_flags(office, smtp, smtpd, flags):
    job = office.post([Rcpt("a@x.example"), Rcpt("b@x.example",
                                                 delay="1234")],
                      format=flags)
    assert smtp(smtpd()).run(job, HOST).statuses == ["ok3"] * 2
    settled(job, "++")
    assert job.delay(1) == "1234"


def test_recipients_without_a_delay_slot(office, smtp, smtpd):
    job = office.post([Rcpt("a@x.example", delay=None)], format="0x1")
    assert smtp(smtpd()).run(job, HOST).report.status == "ok3"
    settled(job, "+")


# ---- descriptors ----------------------------------------------------------


def test_three_descriptors_are_one_socket(office, smtp, smtpd):
    """
    With the scheduler's limit of 32. The socket stays blocking, since the
    flag would hold for all three; the limit is raised, the hard one is not.
    """
    agent = smtp(smtpd(), stdio="socket", nofile=32)
    job = office.post(["a@x.example", "b@x.example"])
    out = agent.run(job, HOST)
    one_report_each(out, job)
    agent.feed("999", HOST)             # a comment comes the same way
    assert agent.hungry().comments != []
    proc = pathlib.Path(f"/proc/{agent.pid}")
    assert len({os.readlink(proc / "fd" / n) for n in "012"}) == 1
    for n in "012":
        flags = re.search(r"flags:\s*(\d+)",
                          (proc / "fdinfo" / n).read_text())[1]
        assert not int(flags, 8) & os.O_NONBLOCK
    limits = re.search(r"Max open files +(\d+) +(\d+)",
                       (proc / "limits").read_text())
    assert 32 < int(limits[1]) <= int(limits[2])


def test_complaints_are_whole_comment_lines(office, smtp, smtpd):
    """On descriptor 2 or 1, each begins with # and ends with LF."""
    agent = smtp(smtpd(), stdio="split", env={"ZCONFIG": "/nowhere/at all"})
    agent.run("nonsense", HOST)
    agent.stop()
    said = agent.errors.decode() + "".join(
        x + "\n" for x in agent.lines if x != "#hungry")
    assert "/nowhere/at all" in said
    assert all(x.startswith("#") for x in said.splitlines())
    assert said.endswith("\n")


# ---- configuration --------------------------------------------------------


@pytest.mark.parametrize("zconfig,file", [
    ("{}", "{}"), (None, "/etc/zmailer/zmailer.conf"),
    ("", "/etc/zmailer/zmailer.conf")])
def test_zconfig_is_read(office, need, zconfig, file):
    """The file that the environment names, or else the usual one."""
    trace = office.base / "trace"
    done = office.run(
        need("strace"), "-o", trace, "-e", "trace=openat,open",
        zpost.program("smtp"), HOST,
        env={"ZCONFIG": zconfig and zconfig.format(office.zconfig),
             "ASAN_OPTIONS": "detect_leaks=0"})
    assert (done.returncode, done.stdout[:8]) == (0, b"#hungry\n")
    opened = re.findall(r'open(?:at)?\([^"]*"([^"]*)"', trace.read_text())
    wanted = file.format(office.zconfig)
    assert wanted in opened
    assert (zconfig == "{}") == ("/etc/zmailer/zmailer.conf" not in opened)

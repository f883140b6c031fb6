"""
smtp(8) and the files of a job: locks, marks, `d` lines and their order on
disk, the message file and where it lies, agents that die.
"""

import fcntl
import os
import re
import struct
import threading

import pytest

import zpost
from smtpcheck import (ANSWER, HOST, NO_KEYWORDS, SLOT, one_report_each,
                       settled)
from smtpd import Do
from zpost import Rcpt

MISSING = ("message file is missing(!) -- possibly due to delivery scheduler "
           "restart.  Consider resending your message")
NOT_REGULAR = "Message file is not a regular file!"
EX_DATAERR = 65


@pytest.fixture
def gated(smtpd):
    """A server that answers the end of a message only when gate is set."""
    gate = threading.Event()
    server = smtpd(script={".": Do(gate=gate)})
    server.gate = gate
    yield server
    gate.set()


# ---- locks ----------------------------------------------------------------


def test_lock_from_selection_to_mark(office, smtp, gated):
    """Tag, pid in the slot and a lock on the tag byte, for ours alone."""
    job = office.post(["a@x.example", Rcpt("b@x.example", channel="local"),
                       Rcpt("c@x.example", delay="77  ")])
    agent = smtp(gated)
    agent.feed(job, HOST)
    gated.wait_command("DATA")
    assert job.marks == "~ ~"
    assert job.slots == [f"{agent.pid:6d}", SLOT, f"{agent.pid:6d}"]
    assert [job.lock_holder(i) for i in range(3)] == [-1, None, -1]
    assert job.delay(2) == "77  "
    assert job.only_marks_changed() and job.appended == b""
    gated.gate.set()
    assert agent.hungry().statuses == ["ok3", "ok3"]
    settled(job, "+ +")
    assert job.delay(2) == "77  "


def test_two_agents_never_share_a_recipient(office, smtp, gated):
    job = office.post(["a@x.example", "b@x.example"])
    first, second = smtp(gated), smtp(gated)
    first.feed(job, HOST)
    gated.wait_command("DATA")
    assert second.run(job, HOST).lines == [f"#resync {job}", "#hungry"]
    assert job.slots == [f"{first.pid:6d}"] * 2
    gated.gate.set()
    assert first.hungry().statuses == ["ok3", "ok3"]
    assert second.run(job, HOST).resyncs == [str(job)]
    settled(job, "++")
    assert len(gated.messages) == 1


def test_recipient_that_another_holds_by_the_byte_lock(office, smtp, smtpd):
    """Its tag may say free already: who has the lock is just about to mark."""
    job = office.post(["a@x.example", "b@x.example"])
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET,
                       job.offsets[0] + 1, 1, 0)
    agent = smtp(smtpd())
    with open(job.control, "r+b") as f:
        fcntl.fcntl(f, fcntl.F_OFD_SETLK, lock)
        assert agent.run(job, HOST).report.offset == job.offsets[1]
        assert job.marks == " +"
    assert agent.run(job, HOST).report.offset == job.offsets[0]
    settled(job, "++")


def test_every_way_a_recipient_can_go(office, smtp, smtpd):
    """Space to ~ to +, - or space, each with an empty slot behind it."""
    marks = "+- "
    users = [f"u{i}@x.example" for i in range(3)]
    gate = threading.Event()
    script = {f"RCPT:{u}": ANSWER[m] for u, m in zip(users, marks)}
    server = smtpd(script={**script, ".": Do(gate=gate)})
    job = office.post(users)
    agent = smtp(server)
    agent.feed(job, HOST)
    server.wait_command("DATA")
    assert job.marks == "~~~"
    gate.set()
    agent.hungry()
    settled(job, marks)
    # Only the deferred one is left for another time.
    out = agent.run(job, HOST)
    assert [r.offset for r in out.reports] == [job.offsets[2]]


def test_killed_agent_leaves_its_lock(office, smtp, gated):
    """~ and its pid stay for the scheduler; the byte lock is gone."""
    job = office.post(["a@x.example", "b@x.example"])
    agent = smtp(gated)
    agent.feed(job, HOST)
    gated.wait_command("DATA")
    assert agent.stop("SIGKILL") == -9
    assert agent.pending().lines == []
    assert job.marks == "~~" and job.slots == [f"{agent.pid:6d}"] * 2
    assert [job.lock_holder(i) for i in range(2)] == [None, None]
    gated.gate.set()
    other = smtp(gated)
    assert other.run(job, HOST).lines == [f"#resync {job}", "#hungry"]
    for i in range(2):
        job.set_mark(i, " ")
    assert other.run(job, HOST).statuses == ["ok3", "ok3"]
    settled(job, "++")


def test_ancient_file_without_pid_slots_is_refused(office, smtp, smtpd):
    """It cannot be locked; nothing is written to it."""
    job = office.post([Rcpt(raw=b"r smtp example.com bob@example.com 501")],
                      format=None)
    out = smtp(smtpd()).run(job, HOST)
    assert out.resyncs == [str(job)] and out.reports == []
    assert job.is_untouched()


# ---- order on disk --------------------------------------------------------

CALL = re.compile(r"(\w+)\((\d+)(?:, (.*))?\)\s+= (-?\d+)")


def traced(office, smtp, need, server, job, *options):
    """
    One job under strace: what was done with the control file and said to the
    scheduler, in order: "mark +", "d", "sync", "report ok3".
    """
    trace = office.base / "trace"
    agent = smtp(server, *options, env={"ASAN_OPTIONS": "detect_leaks=0"},
                 wrapper=[need("strace"), "-f", "-s", "4096", "-o", trace,
                          "-e", "trace=write,writev,pwrite64,pwritev,"
                          "pwritev2,fsync,fdatasync,ftruncate"])
    out = agent.run(job, HOST)
    assert agent.stop() == 0
    steps = []
    for line in trace.read_text().split("\n"):
        m = CALL.search(line)
        if m is None:
            continue
        call, fd, rest = m[1], int(m[2]), m[3] or ""
        if call in ("fsync", "fdatasync"):
            steps.append("sync")
        elif fd == 1:
            steps += ["report " + x for x in re.findall(
                r"\\t(ok3|ok2|error2|deferred|deferback|deferall) ", rest)]
        elif "pwritev" in call or call == "writev":
            assert '"d ' in rest, line
            steps.append("d")
        elif call == "pwrite64":
            steps.append("mark " + rest[1])
    return out, steps


def test_order_for_failures(office, smtp, smtpd, need):
    """All `d` lines, the marks, one sync for all, then the reports."""
    server = smtpd(script={"RCPT": "550 5.1.1 no"})
    job = office.post(["a@x.example", "b@x.example"])
    out, steps = traced(office, smtp, need, server, job)
    assert out.statuses == ["error2"] * 2
    assert steps == ["mark ~", "mark ~", "d", "mark -", "mark -", "sync",
                     "report error2", "report error2"]
    settled(job, "--")


def test_order_for_plain_success(office, smtp, smtpd, need):
    """Nothing to be kept is not synced, but marked before it is told."""
    job = office.post(["a@x.example", "b@x.example"])
    _, steps = traced(office, smtp, need, smtpd(), job)
    assert steps == ["mark ~", "mark ~", "mark +", "mark +", "report ok3",
                     "report ok3"]


def test_order_for_success_that_is_reported(office, smtp, smtpd, need):
    job = office.post([Rcpt("a@x.example", notify="NOTIFY=SUCCESS")])
    _, steps = traced(office, smtp, need, smtpd(keywords=NO_KEYWORDS), job)
    assert steps == ["mark ~", "d", "mark +", "sync", "report ok2"]


@pytest.mark.parametrize("value,synced", [("always", True), ("auto", False)])
def test_sync_option(office, smtp, smtpd, need, value, synced):
    job = office.post()
    _, steps = traced(office, smtp, need, smtpd(), job, "-O", f"sync={value}")
    assert steps == ["mark ~", "mark +"] + ["sync"] * synced + ["report ok3"]


@pytest.mark.parametrize("fate", ["failure", "success"])
def test_d_line_that_does_not_fit_is_taken_back(office, smtpd, fate):
    """
    On a full disk nothing of it stays; a failure is put off, a success is
    told so that the scheduler keeps the record; then the agent leaves.
    """
    script = {"RCPT": "550 5.1.1 no"} if fate == "failure" else {}
    server = smtpd(keywords=NO_KEYWORDS, script=script)
    for fill in range(20):      # until the limit falls within the line
        job = office.post([Rcpt("a@x.example", notify="NOTIFY=SUCCESS")],
                          header="Header: line\n" * (5 + fill))
        if 20 < 512 - len(job.written) % 512 < 100:
            break
    blocks = len(job.written) // 512 + 1
    limit = ["/bin/sh", "-c",
             f"trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"", "sh"]
    with office.agent("smtp", "-F", server.destination,
                      wrapper=limit) as agent:
        agent.hungry()
        out = agent.run(job, HOST)
        assert agent.wait() == EX_DATAERR
    assert any("diagnostic writeout with bad results" in c
               for c in out.comments), out.text
    assert job.appended == b""
    if fate == "failure":
        assert out.report.status == "deferred"
        settled(job, " ")
    else:
        assert out.report.status == "ok"
        assert out.report.notary.action == "relayed"
        settled(job, "+", d_lines="")


# ---- the message file -----------------------------------------------------


def irregular(path, kind):
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "dangling link":
        path.symlink_to("/nowhere")
    elif kind == "fifo":
        os.mkfifo(path)


@pytest.mark.parametrize("kind,says", [
    ("missing", MISSING), ("directory", NOT_REGULAR), ("link", NOT_REGULAR),
    ("dangling link", NOT_REGULAR), ("fifo", NOT_REGULAR)])
def test_message_file_that_is_not_one(office, smtp, smtpd, kind, says):
    """Every recipient fails with these words, and the job is refused."""
    server = smtpd()
    job = office.post(["a@x.example", Rcpt("no@x.example", channel="local"),
                       "b@x.example"])
    irregular(job.message, kind)
    agent = smtp(server)
    out = agent.run(job, HOST)
    assert out.lines == [f"{job.report(0)}\t\terror2 {says}",
                         f"{job.report(2)}\t\terror2 {says}",
                         f"#resync {job}", "#hungry"]
    settled(job, "- -")
    assert [d.notary.action for d in job.d_lines] == ["failed"] * 2
    assert [d.message for d in job.d_lines] == [says] * 2
    assert agent.run(job, HOST).lines == [f"#resync {job}", "#hungry"]
    assert server.sessions == []


@pytest.mark.parametrize("case", ["offset", "long name"])
def test_message_file_that_cannot_be_read_is_put_off(office, smtp, smtpd,
                                                     case):
    if case == "offset":
        job = office.post(["a@x.example", "b@x.example"],
                          mangle=lambda x: x.replace(b"\no 91", b"\no 99"))
    else:
        job = office.post(["a@x.example", "b@x.example"], i_line="1" * 300)
    out = smtp(smtpd()).run(job, HOST)
    assert out.statuses == ["deferred"] * 2
    assert out.resyncs == [str(job)]
    assert [r.notary.code for r in out.reports] == ["4.3.0"] * 2
    assert job.is_untouched()


def test_message_that_shrinks_is_never_ended(office, smtp, smtpd):
    """Half a message with a dot behind it would be a whole one."""
    job = office.post(body=(b"y" * 99 + b"\n") * 20000)

    def shrink(session):        # called when 354 is about to leave
        os.truncate(job.message, 1000000)

    server = smtpd(script={"content": shrink})
    out = smtp(server).run(job, HOST)
    assert out.report.status == "deferred"
    assert "shrunk" in out.report.message
    settled(job, " ")
    server.wait_ended()
    assert server.attempts == [] and len(server.sessions) == 1
    [part] = server.broken_off
    assert 0 < len(part) < 1100000


@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize("suffix", ["", "-789"])
def test_hash_directories(office, smtp, smtpd, levels, suffix):
    """The message lies below queue/ as the job does below transport/."""
    server = smtpd()
    job = office.post(hash_levels=levels, suffix=suffix, body="this one\n")
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    assert server.messages[0].body == b"this one\n"
    settled(job, "+")


def test_header_is_that_of_the_control_file(office, smtp, smtpd):
    """Nothing of the message file is sent but what is behind `o`."""
    server = smtpd()
    job = office.post(header="Only: this\n", body="body\n")
    message = job.message.read_bytes()
    job.message.write_bytes(message.replace(b"Only: this", b"Only: that"))
    smtp(server).run(job, HOST)
    assert server.messages[0].content == b"Only: this\r\n\r\nbody\r\n"


def test_d_lines_of_earlier_attempts_stay(office, smtp, smtpd):
    """Each attempt appends; a torn line of somebody else is closed first."""
    server = smtpd(script={"RCPT": "550 5.1.1 no"})
    agent = smtp(server)
    job = office.post(["a@x.example", Rcpt("b@x.example", host="other")])
    agent.run(job, HOST)
    with open(job.control, "ab") as f:
        f.write(b"d torn")
    agent.run(job, "other")
    first, torn, second, rest = job.appended.split(b"\n")
    assert zpost.DLine.parse(first + b"\n", 0).rcpt == job.offsets[0]
    assert zpost.DLine.parse(second + b"\n", 0).rcpt == job.offsets[1]
    assert (torn, rest) == (b"d torn", b"")
    assert job.marks == "--"

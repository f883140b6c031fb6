"""
smtp(8) and hostile files: control files that are cut, binary, huge or no
files at all; job names that lead elsewhere; addresses that would be commands.
In every case one clear answer, and nothing is touched that is not ours.
"""

import os
import random
import re
import socket

import pytest

import zpost
from smtpcheck import HOST, one_report_each, proc_status, settled
from zpost import Group, Rcpt, Sender

# What a line to the scheduler may hold: no control bytes but the separators.
CLEAN = re.compile(r"[^\0-\x08\n\x0b\x0c\x0e-\x1f\x7f]*")


def check_clean(out):
    for line in out.lines:
        assert CLEAN.fullmatch(line.replace("\x01", "")), repr(line)


def refused(agent, name, complaint=True):
    """A job that is answered with #resync alone."""
    out = agent.run(name, HOST)
    assert out.resyncs == [str(name)] and out.reports == [], out.text
    if complaint is not None:
        assert (out.comments != []) == complaint, out.text
    check_clean(out)
    return out


# ---- control files --------------------------------------------------------


def test_control_file_cut_at_every_byte(office, smtp, smtpd):
    """No part of a control file is taken for a whole one."""
    server = smtpd()
    agent = smtp(server)
    job = office.post([Rcpt("a@x.example", notify="NOTIFY=DELAY"),
                       "b@x.example"], verbose="../public/v_1", ret="FULL",
                      envid="E1", errors=["e@x.example"])
    for length in range(len(job.written)):
        job.control.write_bytes(job.written[:length])
        refused(agent, job, complaint=None)     # none without recipients
        assert job.data == job.written[:length]
    assert server.sessions == []
    job.control.write_bytes(job.written)
    assert agent.run(job, HOST).statuses == ["ok3"] * 2


def bad(**change):
    """A good control file with one thing wrong."""
    return lambda office: office.post(**change)


def mangled(old, new):
    return bad(mangle=lambda data: data.replace(old, new, 1))


BAD_FILES = {
    "empty": lambda o: o.post_raw(b""),
    "a single LF": lambda o: o.post_raw(b"\n"),
    "only LFs": lambda o: o.post_raw(b"\n" * 100000),
    "three fields": lambda o: o.post_raw(b"i 1\no 0\nl x\n"),
    "zeros": lambda o: o.post_raw(bytes(5000)),
    "one long line": lambda o: o.post_raw(b"r" * 1000000),
    "many r lines": lambda o: o.post_raw(b"r\n" * 100000),
    "many blocks without end": lambda o: o.post_raw(b"x\nm\nm\nm\nm\n"),
    "no name": bad(omit="i"), "no offset": bad(omit="o"),
    "no sender": bad(omit="s"), "no header": bad(omit="m"),
    "empty name": bad(i_line=""), "name with slash": bad(i_line="../queue/1"),
    "name is dots": bad(i_line=".."),
    "control byte in name": bad(i_line="1\x01"),
    "two names": bad(extra=["i 1"]), "two offsets": bad(extra=["o 1"]),
    "offset is no number": mangled(b"\no 91", b"\no 9x"),
    "offset negative": mangled(b"\no 91", b"\no -1"),
    "offset too large": mangled(b"\no 91", b"\no 99999999999999999999"),
    "flags no number": bad(format="0xzz"), "flags empty": bad(format=""),
    "flags too large": bad(format="0x100000000000000000"),
    "NUL in a line": bad(rcpts=[Rcpt(b"a\0b@x.example")]),
    "NUL in a sender": bad(sender=Sender(b"a\0b@x.example")),
    "recipient without slots": bad(rcpts=[Rcpt(raw=b"rx")]),
    "recipient in part": bad(rcpts=[Rcpt(raw=b"r" + b" " * 11 + b"smtp x")]),
    "letters in the slot": bad(rcpts=[Rcpt(slot="abcdef")]),
    "letters in the delay": bad(rcpts=[Rcpt(delay="abcd")]),
    "quote without end": bad(rcpts=[Rcpt('"bob@x.example')]),
    "recipient behind the last header": bad(
        groups=[Group(["a@x.example"]), Group(["b@x.example"], header=None)]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_control_file_is_refused(office, smtp, smtpd, case):
    server = smtpd()
    job = BAD_FILES[case](office)
    refused(smtp(server), job)
    assert job.is_untouched() and server.sessions == []


def test_turn_request_is_refused_silently(office, smtp):
    job = office.post_raw(b"T\n" + b"ETRN x\n" * 10)
    refused(smtp(None), job, complaint=False)
    assert job.is_untouched()


def test_oversized_control_file_is_refused(office, smtp):
    """And not read into memory before that."""
    job = office.post(tail=b"x\n")
    os.truncate(job.control, 3 << 30)
    agent = smtp(None)
    before = proc_status(agent.pid, "VmHWM")
    refused(agent, job)
    assert proc_status(agent.pid, "VmHWM") < before + 30000
    assert job.control.stat().st_size == 3 << 30
    with open(job.control, "rb") as f:
        assert f.read(len(job.written)) == job.written


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "socket",
                                  "link", "dangling link", "device"])
def test_control_file_that_is_not_one(office, smtp, kind):
    """Nothing is opened that could block, or lead elsewhere."""
    target = office.post()
    path = office.transport / "4711"
    listener = None
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
    elif kind == "link":
        path.symlink_to(target.control)
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    refused(smtp(None), "4711")
    assert target.is_untouched()
    if listener is not None:
        listener.close()


def test_many_empty_lines_are_no_fields(office, smtp, smtpd):
    """The original's table of fields was too small for them."""
    job = office.post(mangle=lambda data: b"x\n" + b"\n" * 500000 + data)
    for ref in job.rcpts:
        ref.offset += 500002
        ref.header += 500002
    assert smtp(smtpd()).run(job, HOST).report.status == "ok3"
    settled(job, "+")


def test_unknown_fields_are_skipped(office, smtp, smtpd):
    job = office.post(extra=["q what", "X 12 x", "Z", "M\nr~\nm\nx\n",
                             "b body", "x <old>"])
    assert smtp(smtpd()).run(job, HOST).report.status == "ok3"
    settled(job, "+")


def mutate(data: bytes, dice: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(out))
        how = dice.randrange(4)
        if how == 0:
            out[at] = dice.randrange(256)
        elif how == 1:
            del out[at:at + dice.randint(1, 20)]
        elif how == 2:
            out[at:at] = bytes(dice.choices(b"\n\r\0 r~+-sm@Ni19", k=3))
        else:
            end = at + dice.randint(1, 30)
            out[at:at] = out[at:end]
    return bytes(out) or b"\n"


@pytest.mark.parametrize("seed", range(4))
def test_random_damage(office, smtp, smtpd, seed):
    """
    Whatever is in the file: one #hungry; a report for places that are
    recipients, at most one each; but for marks and `d` lines no byte changes.
    """
    dice = random.Random(seed)
    server = smtpd(script={"RCPT:b@x.example": "550 5.1.1 no"})
    agent = smtp(server)
    good = office.post(["a@x.example", "b@x.example",
                        Rcpt("c@x.example", notify="NOTIFY=SUCCESS")],
                       ret="HDRS", verbose="../public/v")
    left = False
    for _ in range(150):
        data = mutate(good.written, dice)
        good.control.write_bytes(data)
        agent.feed(good, HOST)
        out = agent.hungry()
        check_clean(out)
        now = good.data
        offsets = [r.offset for r in out.reports]
        assert len(offsets) == len(set(offsets))
        was, now_front = bytearray(data), bytearray(now[:len(data)])
        for at in offsets:
            assert data[at:at + 2] == b"r " and data[at - 1:at] == b"\n"
            was[at + 1:at + 8] = now_front[at + 1:at + 8] = bytes(7)
        assert was == now_front, out.text
        for line in re.findall(rb"[^\n]+\n?", now[len(data):]):
            assert zpost.DLine.parse(line, 0)
        assert out.reports or out.resyncs
        left = any("Unsupported" in c for c in out.comments)
        if left:
            assert agent.wait() == 0
            agent = smtp(server)


# ---- job names ------------------------------------------------------------

BAD_NAMES = ["..", ".", "../4711", "A/../4711", "./4711", "/4711", "//4711",
             "A//4711", "A/./4711", "4711/", "A/", "x4711", "A/x", "-4711",
             " 4711", "4711\x01", "4711\r", "4711\x7f", "47\x0011",
             "A\x1b/4711", "9" * 30, "4711" + "x" * 300,
             "A/" * 800 + "4711", "~/4711", "4711/../4711"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_bad_job_name_is_refused(office, smtp, name):
    """Though a good control file lies just there."""
    good = office.post()
    for place in (office.path / "4711", office.transport / "4711",
                  office.transport / "A" / "4711"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(good.written)
    out = smtp(None).run(name, HOST)
    assert out.reports == [] and len(out.resyncs) == 1
    assert out.resyncs[0] == re.sub(r"[\0-\x1f\x7f]", "?", name)
    assert out.comments != []
    check_clean(out)
    for place in office.path.rglob("4711"):
        assert place.read_bytes() == good.written


def test_absolute_name_of_a_good_job_is_refused(office, smtp):
    job = office.post()
    refused(smtp(None), str(job.control))
    assert job.is_untouched()


# ---- addresses ------------------------------------------------------------

BAD_ADDRESSES = [
    (b"bob@x.example\rRSET", "5.1.3"), (b"bob\r@x.example", "5.1.3"),
    (b'"a\rb"@x.example', "5.1.3"), (b'"a\tb"@x.example', "5.1.3"),
    (b"bob@x.example>", "5.1.3"), (b"<bob@x.example>", "5.1.3"),
    (b"bob@x.example>\x0bSIZE=1", "5.1.3"), (b"a<b@x.example", "5.1.3"),
    (b"bob\x01@x.example", "5.1.3"), (b"bob\x7f@x.example", "5.1.3"),
    (b"bob\x1b[2J@x.example", "5.1.3"), (b'a\\ b@x.example', "5.1.3"),
    (b'"a"b@x.example', "5.1.3"), (b'a"b"@x.example', "5.1.3"),
    (b"@x.example", "5.1.3"), (b"bob@", "5.1.3"), (b"bob@-x", "5.1.3"),
    (b"bob@x..y", "5.1.3"), (b"bob@.x", "5.1.3"), (b"bob@x_y,z", "5.1.3"),
    (b"bob@[1.2.3.4", "5.1.3"), (b"bob@[1.2>3.4]", "5.1.3"),
    (b"x" * 246 + b"@x.example", "5.1.3"), (b"bob@" + b"x" * 300, "5.1.3"),
    (b"x" * 100000 + b"@x.example", "5.1.3"),
    (b"bj\xf6rn@x.example", "5.1.3"), (b"\xff\xfe@x", "5.1.3"),
    (b"bob@\xe4.example", "5.1.3"), (b"bob@x.\xc3", "5.1.3"),
    ("bob@b.-\xe4.example".encode(), "5.1.3"),     # no such label
    ("bob@x\uff1e.\xe4".encode(), "5.1.3"),        # a '>' in the end
]


@pytest.mark.parametrize("user,code", BAD_ADDRESSES,
                         ids=range(len(BAD_ADDRESSES)))
def test_bad_recipient_fails_alone(office, smtp, smtpd, user, code):
    """It never reaches the wire; the recipients beside it do."""
    server = smtpd()
    job = office.post(["a@x.example", Rcpt(user), "c@x.example"])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    check_clean(out)
    assert [out.of(job, i).status for i in range(3)] == [
        "ok3", "error2", "ok3"]
    settled(job, "+-+")
    d = job.d_line(1)
    assert (d.notary.action, d.notary.code, d.notary.remote) == (
        "failed", code, "")
    assert server.messages[0].addresses == ["a@x.example", "c@x.example"]
    assert len(server.commands()) == 5


@pytest.mark.parametrize("user,code", BAD_ADDRESSES,
                         ids=range(len(BAD_ADDRESSES)))
def test_bad_sender_fails_its_group(office, smtp, smtpd, user, code):
    server = smtpd()
    job = office.post(groups=[
        Group(["a@x.example", "b@x.example"], Sender(user)),
        Group(["c@x.example"])])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    check_clean(out)
    settled(job, "--+")
    wanted = code.replace("5.1.3", "5.1.7")
    assert {d.notary.code for d in job.d_lines} == {wanted}
    assert [m.sender for m in server.messages] == ["alice@example.net"]


def test_hostile_null_sender_is_just_empty(office, smtp, smtpd):
    server = smtpd()
    job = office.post(sender=Sender("<x>\rRSET", channel="error"))
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert server.messages[0].sender == ""


def test_hostile_host_goes_nowhere(office, smtp):
    """Not into a report either."""
    agent = smtp(None, "-O", "dns=off", "-O", "dns-servers=[127.0.0.1]:1")
    for host in (b"a\x01b..c", b"\xff\xfe..", b"x" * 5000, b"%s%n..",
                 b"../../etc", b"-", b"."):
        job = office.post(host=host)
        agent.feed_raw(f"{job}\t".encode() + host + b"\n")
        out = agent.hungry()
        check_clean(out)
        assert out.report.status in ("deferall", "deferred"), out.text
        assert job.is_untouched()

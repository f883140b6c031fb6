"""
The harness itself: the files it writes are those of the specification, and
what it reads back is what is there.
"""

import fcntl
import os
import struct

import pytest

import zpost
from zpost import Group, Rcpt, Sender

# The two examples of the control file format, sections 11 and 12.
MINIMAL = (
    b"@ 0x00000007\ni 24700\no 91\nl <1@example.net>\ns local - alice 501\n"
    b"r           smtp example.com bob@example.com 501\n"
    b"m\nFrom: alice@example.net\nSubject: hi\n\n")


def full_groups():
    return [
        Group([Rcpt("bob@example.com", "smtp", "example.com", slot="  4711",
                    tag="~", priv="65534",
                    notify="NOTIFY=SUCCESS,FAILURE "
                    "ORCPT=rfc822;bob@example.com "
                    "INRCPT=rfc822;bob@example.com "
                    "INFROM=rfc822;alice@example.net"),
               Rcpt("carol@example.com", "smtp", "example.com", tag="-",
                    priv="65534"),
               Rcpt("dave", "local", "-", priv="1003",
                    notify="NOTIFY=NEVER")],
              Sender("alice@example.net", "smtp", "mx.example.net", "65534"),
              "Received: from mx.example.net ([192.0.2.7]:4242)\n"
              "\tby mail.example.org with ESMTP id S24700AbmAAMAA;\n"
              "\tThu, 1 Jan 2026 12:00:00 +0000\n"
              "From: Alice <alice@example.net>\nTo: bob@example.com\n"
              "Subject: hello\n", errors=("alice@example.net",)),
        Group([Rcpt("uunet!erin", "uucp", "uunet", priv="65534")],
              Sender("mx.example.net!alice", "smtp", "mx.example.net",
                     "65534"),
              "From: mx.example.net!alice\nTo: erin\nSubject: hello\n"),
    ]


def test_minimal_example_byte_for_byte(office):
    job = office.post(
        name="24700", sender="alice",
        envelope="from <alice@example.net>\nto <bob@example.com>\n")
    assert job.data == MINIMAL
    assert job.offsets == [64]
    assert (job.id, job.body_offset, job.rcpts[0].header) == (24700, 91, 115)
    assert job.message.read_bytes()[91:] == b"Hi.\n"


def test_full_example_has_the_stated_offsets(office):
    job = office.post(
        name="24700", groups=full_groups(), verbose="../public/v_24700_1",
        log_id="<20260101120000.1@example.net>", ret="HDRS",
        envid="QQ314159", envelope="x" * 99 + "\n")
    assert job.offsets == [148, 333, 386, 682]
    assert [r.header for r in job.rcpts] == [433, 433, 433, 724]
    assert [r.notify for r in job.rcpts] == [199, -1, 416, -1]
    assert job.marks == "~-  "
    assert job.slot(0) == "  4711"
    assert len(job.data) == 776
    assert zpost.Job.load(office, "24700").rcpts == job.rcpts


@pytest.mark.parametrize("levels,name", [
    (0, "24700"), (1, "A/24700"), (2, "O/A/24700")])
def test_hash_directories(office, levels, name):
    job = office.post(name="24700", hash_levels=levels)
    assert job.name == name
    assert job.control.is_file() and job.message.is_file()


def test_name_is_the_inode_number(office):
    job = office.post(suffix="-789")
    assert job.name == f"{job.message.stat().st_ino}-789"
    assert job.id == job.message.stat().st_ino


def test_d_lines_are_read_back(office):
    job = office.post()
    line = (b"d %d:127:-1::1767268805\tbob@example.com\x01failed\x015.1.1\x01"
            b"smtp; 550 (unknown)\x01dns; mx.example.com\x01smtp[4711]\t"
            b"\r<<- RCPT\r->> 550 no\n" % job.offsets[0])
    with open(job.control, "ab") as f:
        f.write(line)
    d = job.d_line()
    assert (d.rcpt, d.header, d.notify) == (job.offsets[0], 127, -1)
    assert d.notary.ta_id == "smtp[4711]"
    assert d.notary.code == "5.1.1"
    assert d.message == "\r<<- RCPT\r->> 550 no"
    assert job.only_marks_changed() and not job.is_untouched()


def test_lock_on_the_tag_byte_is_seen(office):
    job = office.post(["a@example.com", "b@example.com"])
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET,
                       job.offsets[1] + 1, 1, 0)
    with open(job.control, "r+b") as f:
        fcntl.fcntl(f, fcntl.F_OFD_SETLK, lock)
        assert job.lock_holder(0) is None
        assert job.lock_holder(1) == -1
    assert job.lock_holder(1) is None


FAKE = """#!/bin/sh
echo '#hungry'
while IFS= read -r line; do
	case "$line" in
	'') exit 3 ;;
	wait) sleep 60 ;;
	half) printf 'no end' ; exec sleep 60 ;;
	*) printf '7/64\\tbob\\001failed\\0015.1.1 (x)\\001smtp; 550\\001dns; h\\t'
	   printf 'deferred %s\\r->> 450\\n#hungry\\n' "$line"
	   echo oops >&2 ;;
	esac
done
exit 4
"""


@pytest.mark.parametrize("stdio", ["pipe", "socket", "split"])
def test_agent_talks_and_ends(office, stdio):
    fake = str(office.script("fake", FAKE))
    with office.agent(fake, stdio=stdio) as agent:
        assert agent.hungry().lines == ["#hungry"]
        out = agent.run("one", "host")
        report = out.report
        assert (report.id, report.offset, report.status) == (7, 64,
                                                             "deferred")
        assert report.notary.code == "5.1.1"
        assert report.notary.ta_id is None
        assert out.hungry == 1
        assert agent.stop() == 3
    with office.agent(fake, stdio=stdio) as agent:
        agent.hungry()
        assert agent.stop("eof") == 4
    with office.agent(fake, stdio=stdio) as agent:
        agent.hungry()
        assert agent.stop("SIGTERM") == -15


@pytest.mark.parametrize("line", ["wait", "half"])
def test_silence_is_bounded_and_nothing_survives(office, line):
    with office.agent(str(office.script("fake", FAKE))) as agent:
        agent.hungry()
        agent.feed(line)
        with pytest.raises(zpost.Silence):
            agent.collect(deadline=0.2)
    assert agent.status is not None


def test_full_pipes_do_not_block_the_harness(office):
    with office.agent("/bin/cat") as agent:
        agent.feed_raw(b"x" * 79 + b"\n" * 1 + (b"y" * 79 + b"\n") * 20000
                       + b"#hungry\n")
        assert len(agent.hungry().lines) == 20002


def test_environment_is_minimal(office):
    with office.agent("/usr/bin/env") as agent:
        assert agent.wait() == 0
        names = {x.split("=")[0] for x in agent.pending().lines}
    assert names - set(zpost.SANITIZERS) == {"PATH", "ZCONFIG"}


def test_descriptor_limit_is_the_schedulers(office):
    script = office.script("limit", "#!/bin/sh\nulimit -Sn; ulimit -Hn\n")
    with office.agent(str(script), nofile=32) as agent:
        assert agent.wait() == 0
        soft, hard = agent.pending().lines
    assert soft == "32" and hard != "32"

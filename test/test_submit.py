"""
submit(8): what it stores, whom it lets in, what it refuses and how it says so.
Crashes and full disks are in test_submit_crash.py.
"""

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest

import zpost
from submitted import Spool, expected, receiving, spool_id

USAGE, DATAERR, NOINPUT, OSERR, CANTCREAT, IOERR, TEMPFAIL, CONFIG = (
    64, 65, 66, 71, 73, 74, 75, 78)

HEADER = (b"From: alice@example.net\nMessage-ID: <1@example.net>\n"
          b"Subject: hi\n")


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path) as s:
        yield s


def accept(spool, *args, input, **kwargs) -> zpost.Job:
    """Submits; the id that is printed is that of the only job there is."""
    done = spool.submit(*args, input=input, **kwargs)
    assert (done.returncode, done.stderr) == (0, b"")
    job = spool.queued()
    assert done.stdout.decode() == spool_id(job.message) + "\n"
    return job


def refuse(spool, *args, input=b"A: b\n\nc\n", code, says, **kwargs) -> None:
    """One line on standard error, this exit code, and nothing stored."""
    done = spool.submit(*args, input=input, **kwargs)
    text = zpost.to_text(done.stderr)
    assert (done.returncode, done.stdout) == (code, b""), text
    assert re.search(says, text), text
    assert text.endswith("\n") and text.count("\n") == 1
    assert text.startswith(("submit: ", "usage: ")), text
    assert spool.files() == []


# ---- what is stored -------------------------------------------------------


@pytest.mark.parametrize("levels", [None, "0", "1", "2"])
def test_files_are_exact_and_in_their_hash_directory(tmp_path, levels):
    with Spool(tmp_path, {"SCHEDULERDIRHASH": levels}) as spool:
        job = accept(spool, "-f", "alice@example.net", "Bob@Example.COM",
                     input=HEADER + b"\nHello.\n")
        message, control = expected(job, rcpts=["Bob@Example.COM"],
                                    header=HEADER, body=b"Hello.\n")
        assert job.message.read_bytes() == message
        assert job.data == control
        inode = job.message.stat().st_ino
        assert job.name == spool.hash_prefix(inode, int(levels or 0)) + \
            str(inode)
        assert stat.S_IMODE(job.message.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE(job.control.stat().st_mode) & 0o077 == 0


def test_many_recipients_keep_their_order(spool):
    rcpts = [f"user{i}@host{i % 7}.example" for i in range(3000)]
    rcpts += ['"a b"@x', "a+b=c@y", "b@[127.0.0.1]"]
    job = accept(spool, "-f", "<alice@example.net>", "--",
                 *(f"<{r}>" if i % 2 else r for i, r in enumerate(rcpts)),
                 input=HEADER + b"\n")
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=rcpts, header=HEADER, body=b"")


@pytest.mark.parametrize("null", ["", "<>"])
def test_null_sender_is_the_error_channel(spool, null):
    job = accept(spool, "-f", null, "bob@x", input=HEADER + b"\nx")
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=["bob@x"], sender=None, header=HEADER, body=b"x")


@pytest.mark.parametrize("given, stored", [
    ([], pwd.getpwuid(os.getuid()).pw_name + "@" + os.uname().nodename),
    (["-f", "carol"], "carol@" + os.uname().nodename),
    (["-f", "<carol@x>"], "carol@x"),
    (["-f", "carol@x", "-fdave@y"], "dave@y"),
])
def test_sender_is_the_caller_at_this_host_unless_given(spool, given, stored):
    job = accept(spool, *given, "bob@x", input=HEADER + b"\nx")
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=["bob@x"], sender=stored, header=HEADER, body=b"x")


def test_channel_and_host_can_be_chosen(spool):
    job = accept(spool, "-f", "alice@example.net", "-c", "local", "-h",
                 "Mail.Example", "--", "bob", "-carol", "dave@example.com",
                 input=HEADER + b"\nx")
    rcpts = ["bob", "-carol", "dave@example.com"]
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=rcpts, channel="local", hosts=["mail.example"] * 3,
        header=HEADER, body=b"x")


@pytest.mark.parametrize("sent, header, body", [
    (b"A: b\n\n\0\r\n\xff\r.\n", b"A: b\n", b"\0\r\n\xff\r.\n"),
    (b"A: b\r\n c\r\n\r\nd\r\n\r", b"A: b\n c\n", b"d\n\r"),
    (b"From alice Sat Nov 21\nA: b\n\nFrom c\n", b"A: b\n", b"From c\n"),
    (b"no header\nA: b\n", b"", b"no header\nA: b\n"),
    (b"A: b\n\tfolded", b"A: b\n\tfolded\n", b""),
    (b"A: b\nno field\n\nc", b"A: b\n", b"no field\n\nc"),
    (b"\n\nbody", b"", b"\nbody"),
    (b"", b"", b""),
])
def test_message_is_kept_byte_for_byte(spool, sent, header, body):
    job = accept(spool, "-f", "alice@example.net", "bob@x", input=sent)
    made = f"<{spool_id(job.message)}@{os.uname().nodename}>"
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=["bob@x"], header=header, body=body, log_id=made)


def test_message_may_come_in_drops(spool):
    process = spool.start("-f", "alice@example.net", "bob@x")
    text = b"A: b\r\nMessage-ID: <1@x>\r\n\r\nc\r\nd\r\n"
    for i in range(len(text)):
        process.stdin.write(text[i:i + 1])
        process.stdin.flush()
        time.sleep(0.001)
    process.communicate(timeout=zpost.DEADLINE)
    job = spool.queued()
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=["bob@x"], header=b"A: b\nMessage-ID: <1@x>\n",
        body=b"c\nd\n", log_id="<1@x>")


def peak_memory(spool, size: int, line: bytes) -> int:
    """Kilobytes that submit needs for a body of about so many bytes."""
    process = spool.start("bob@x")
    process.stdin.write(HEADER.replace(b"\n", line[-2:]) + line[-2:])
    block = line * (65536 // len(line))
    for _ in range(size // len(block)):
        process.stdin.write(block)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == 0
    return usage.ru_maxrss


def test_body_of_any_size_streams_in_constant_memory(spool):
    line = b"0123456789abcdef" * 4 + b"\r\n"
    small = peak_memory(spool, 1 << 20, line)
    large = peak_memory(spool, 96 << 20, line)
    assert large < small + 8 * 1024
    sizes = sorted(j.message.stat().st_size - j.body_offset
                   for j in spool.jobs())
    n = 65536 // 66
    assert sizes == [(size // (66 * n)) * n * 65
                     for size in (1 << 20, 96 << 20)]


# ---- who may --------------------------------------------------------------


@pytest.fixture
def shared():
    """
    A spool that other users can reach, with a copy of submit in it: the
    folders of tests and build may be closed to them.
    """
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="zpost-submit-",
                                     dir="/tmp") as base:
        os.chmod(base, 0o755)
        spool = Spool(base, {"TRUSTEDUSER": None})
        shutil.copy(zpost.program("submit"), spool.base / "submit")
        for folder in (spool.queue, spool.transport):
            shutil.chown(folder, "nobody")
        yield spool


def as_nobody(spool, *args):
    nobody = pwd.getpwnam("nobody")
    return spool.run(str(spool.base / "submit"), *args, input=b"A: b\n\nc\n",
                     user="nobody", group=nobody.pw_gid, extra_groups=[])


@pytest.mark.parametrize("trusted", [
    None, "", "root", "daemon, bin", "65533 655340", "no-such-user"])
def test_ordinary_user_writes_nothing_without_the_service(shared, trusted):
    shared.set_zenv(TRUSTEDUSER=trusted)
    done = as_nobody(shared, "bob@x")
    assert done.returncode == TEMPFAIL
    assert b"the submission service cannot be reached" in done.stderr
    assert (done.stdout, shared.files()) == (b"", [])


@pytest.mark.parametrize("trusted", [
    "nobody", "daemon,nobody", "\"daemon nobody\"",
    str(pwd.getpwnam("nobody").pw_uid)])
def test_trusted_user_may_submit(shared, trusted):
    shared.set_zenv(TRUSTEDUSER=trusted)
    done = as_nobody(shared, "bob@x")
    assert (done.returncode, done.stderr) == (0, b"")
    job = shared.queued()
    uid = pwd.getpwnam("nobody").pw_uid
    assert b"\ns local - nobody@%s %d\n" % (
        os.uname().nodename.encode(), uid) in job.data
    assert job.data.count(b" %d\n" % uid) == 2


def test_trusted_user_without_write_access_is_told(shared):
    shared.set_zenv(TRUSTEDUSER="nobody")
    shutil.chown(shared.transport, "root")
    os.chmod(shared.transport, 0o755)
    done = as_nobody(shared, "bob@x")
    assert done.returncode == CANTCREAT
    assert b"transport/" in done.stderr and b"denied" in done.stderr
    assert shared.files() == []


# ---- what is refused ------------------------------------------------------


@pytest.mark.parametrize("args", [
    (), ("--",), ("-f", "a@b"), ("-x", "bob@x"), ("-f",), ("bob@x", "-c"),
    ("-h",),
])
def test_wrong_usage_is_refused(spool, args):
    if args == ("bob@x", "-c"):
        refuse(spool, *args, code=USAGE, says="'-c' stands behind a recipient")
    else:
        refuse(spool, *args, code=USAGE, says="usage: submit .*recipient")


@pytest.mark.parametrize("word", [
    "", "<>", "bob @x", "Bob <bob@x>", "bob@x>", "<bob@x", "b<c@x",
    "bob@x\nr           prog - rm 0", "bob\r\nRCPT TO:<eve@x", "bob\x01@x",
    "bob\x7f@x", "@x", "bob@", "\"bob@x", "b\\ b@x", "bob@a b",
    "l" * 253 + "@x", "l@" + "d." * 127 + "d", "x" * 100000 + "@x",
])
def test_hostile_recipient_is_refused_by_name(spool, word):
    shown = "".join("?" if ord(c) < 32 or ord(c) == 127 else c
                    for c in word[:100])
    refuse(spool, "good@x", word, "good@y", code=DATAERR,
           says=f"submit: recipient '{re.escape(shown)}(\\.\\.\\.)?': .")


@pytest.mark.parametrize("args, code, says", [
    (("-f", "a b@x", "bob@x"), DATAERR, "sender 'a b@x': "),
    (("-f", "a\nb@x", "bob@x"), DATAERR, "sender 'a[?]b@x': "),
    (("-f", "l" * 253 + "@x", "bob@x"), DATAERR, "sender 'lll"),
    (("-c", "a b", "bob@x"), DATAERR, "channel 'a b': "),
    (("-c", "", "bob@x"), DATAERR, "channel ''"),
    (("-c", "a\nb", "bob@x"), DATAERR, "channel 'a[?]b'"),
    (("-h", "a b", "bob@x"), DATAERR, "host 'a b': "),
    (("-h", "", "bob@x"), DATAERR, "host ''"),
    (("-h", "a\nb", "bob@x"), DATAERR, "host 'a[?]b'"),
])
def test_word_that_cannot_be_used_is_named(spool, args, code, says):
    refuse(spool, *args, code=code, says=says)


@pytest.mark.parametrize("message, says", [
    (b"A: \0\n\nb", "NUL"),
    (b"A: b\n c\0\n\nb", "NUL"),
    (b"A: " + b"x" * (1 << 20) + b"\n\nb", "longer than 1048576"),
    (b"A: b\n" * 300000, "longer than 1048576"),
])
def test_header_that_cannot_be_kept_is_refused(spool, message, says):
    refuse(spool, "bob@x", input=message, code=DATAERR, says=says)


@pytest.mark.parametrize("change, code, says", [
    ({"SCHEDULERDIRHASH": "3"}, CONFIG, "SCHEDULERDIRHASH"),
    ({"POSTOFFICE": ""}, CONFIG, "POSTOFFICE"),
    ({"POSTOFFICE": "spool"}, CONFIG, "POSTOFFICE"),
    ({"POSTOFFICE": "/nonexistent/spool"}, CANTCREAT, "/nonexistent/spool"),
])
def test_bad_configuration_is_named(spool, change, code, says):
    spool.set_zenv(**change)
    refuse(spool, "bob@x", code=code, says=says)


@pytest.mark.parametrize("folder", ["queue", "transport"])
def test_missing_spool_directory_is_named(spool, folder):
    (spool.path / folder).rmdir()
    refuse(spool, "bob@x", code=CANTCREAT, says=f"/{folder}: No such file")


@pytest.mark.parametrize("redirect, code, says", [
    ("<&-", NOINPUT, "standard input is closed"),
    ("</", IOERR, "Is a directory"),
    (">/dev/null 0>&1", IOERR, "reading the message"),
])
def test_input_that_cannot_be_read_is_told(spool, redirect, code, says):
    refuse(spool, "bob@x", wrapper=("sh", "-c", f'"$@" {redirect}', "sh"),
           code=code, says=says)


# ---- the world outside ----------------------------------------------------


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full", "2>&- >&-"])
def test_accepted_message_is_a_success_though_nobody_reads_its_id(
        spool, redirect):
    done = spool.submit("-f", "alice@example.net", "bob@x",
                        input=HEADER + b"\nx",
                        wrapper=("sh", "-c", f'"$@" {redirect}', "sh"))
    assert done.returncode == 0
    if redirect == ">/dev/full":
        assert b"queued, but its id could not be printed" in done.stderr
    job = spool.queued()
    assert (job.message.read_bytes(), job.data) == expected(
        job, rcpts=["bob@x"], header=HEADER, body=b"x")


def test_closed_pipe_for_the_id_is_no_failure(spool):
    process = spool.start("bob@x")
    process.stdout.close()
    process.stdin.write(HEADER + b"\nx")
    process.stdin.close()
    assert process.wait(zpost.DEADLINE) == 0
    assert b"queued, but its id" in process.stderr.read()
    process.stderr.close()
    spool.queued()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
@pytest.mark.parametrize("begin", [b"", b"A: b\n", b"A: b\n\nc\n"])
def test_signal_ends_it_and_nothing_stays(spool, name, begin):
    process = spool.start("bob@x")
    process.stdin.write(begin)
    process.stdin.flush()
    if b"\n\n" in begin:
        zpost.wait_for(lambda: receiving(process.pid), "a message file")
    else:
        zpost.wait_for(lambda: waits(process.pid), "submit to wait")
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=zpost.DEADLINE)
    assert process.returncode == -getattr(signal, name)
    assert err == b"submit: interrupted; nothing was queued\n"
    assert spool.files() == []


def waits(pid: int) -> bool:
    """Does the process hold a signalfd and sleep?"""
    try:
        fds = os.listdir(f"/proc/{pid}/fd")
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in fds]
        state = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state == "S" and any("signalfd" in link for link in links)


def test_ignored_signal_stays_ignored(spool):
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh",
         str(zpost.program("submit")), "bob@x"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=spool.environment())
    process.stdin.write(HEADER + b"\nx")
    process.stdin.flush()
    zpost.wait_for(lambda: receiving(process.pid), "a message file")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.05)
    out, err = process.communicate(b"y", timeout=zpost.DEADLINE)
    assert (process.returncode, err) == (0, b"")
    job = spool.queued()
    assert out.decode() == spool_id(job.message) + "\n"
    assert job.message.read_bytes().endswith(b"\n\nxy")

"""
submit under the name sendmail, newaliases or mailq, and what it adds to a
message: as programs that send mail expect it.
"""

import os
import re
import shutil
import subprocess

import pytest

import zpost
from submitserver import NO_LEAKS
from submitted import Spool, spool_id

USAGE, DATAERR, UNAVAILABLE = 64, 65, 69


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path, {"MAILNAME": "mail.example"}) as s:
        yield s


def sendmail(spool, *args, input=b"", name="sendmail"):
    """Runs the program under another name."""
    path = spool.base / name
    if not path.exists():
        path.symlink_to(zpost.program("submit").resolve())
    return spool.run(str(path), *args, input=input)


def accept(spool, *args, input) -> zpost.Job:
    done = sendmail(spool, *args, input=input)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return spool.queued()


def header(job) -> str:
    return job.data.split(b"\nm\n", 1)[1].decode()


def rcpts(job) -> list[str]:
    return re.findall(r"^r.{11}(.*) \d+$", job.data.decode(), re.M)


def test_missing_fields_are_added(spool):
    job = accept(spool, "-i", "-f", "alice@x", "-F", "Alice A", "bob@y",
                 input=b"Subject: hi\n\nHello.\n")
    one = spool_id(job.message)
    date = r"\w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
    assert re.fullmatch(
        rf"Received: by \S+ \(Zpost, from userid {os.getuid()}\)\n"
        rf"\tid {re.escape(one)}; {date}\n"
        rf"Date: {date}\n"
        r"From: Alice A <alice@x>\n"
        rf"Message-ID: <{re.escape(one)}@mail\.example>\n"
        r"Subject: hi\n\n", header(job))
    assert f"\nl <{one}@mail.example>\n".encode() in job.data


def test_fields_that_are_there_stay(spool):
    text = b"date: d\nFROM: f\nMessage-Id: <m@x>\nX: \xff\xc3\xb6\n"
    job = accept(spool, "bob@y", input=text + b"\nHello.\n")
    assert job.data.split(b"\nm\n", 1)[1].split(b"\n", 2)[2] == text + b"\n"


def test_recipients_of_the_header_and_bcc_goes(spool):
    job = accept(spool, "-t", input=b"To: Bob <bob@x>,\n\troot (me)\n"
                 b"Cc: g: eve@y;\nBcc: spy@z, bob@x\nSubject: s\n\nx\n")
    assert rcpts(job) == ["smtp x bob@x", "smtp mail.example "
                          "root@mail.example", "smtp y eve@y", "smtp z spy@z"]
    assert b"Bcc" not in job.data and b"spy" not in job.data.split(b"\nm\n")[1]
    assert b"Bcc" not in job.message.read_bytes().split(b"env-end\n")[1]


def test_header_without_recipients_is_refused(spool):
    done = sendmail(spool, "-t", input=b"Subject: x\n\nx\n")
    assert done.returncode == USAGE
    assert b"neither as a word nor in To, Cc or Bcc" in done.stderr
    assert spool.files() == []


@pytest.mark.parametrize("args, body", [
    ((), b"a\n..\n"), (("-i",), b"a\n..\n.\nb\n"), (("-oi",),
                                                    b"a\n..\n.\nb\n"),
])
def test_lone_dot_ends_a_message_without_i(spool, args, body):
    job = accept(spool, *args, "bob@x", input=b"A: b\n\na\n..\n.\nb\n")
    assert job.message.read_bytes()[job.body_offset:] == body


@pytest.mark.parametrize("args", [
    ("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"),
    ("-oi", "-oem", "-odb", "-f", "a@b", "--", "root"),
    ("-v", "-n", "-h", "3", "-Am", "-O", "DeliveryMode=b", "-L", "x", "root"),
    ("-bm", "-U", "-G", "-r", "a@b", "-X", "/tmp/log", "root"),
])
def test_what_programs_say_to_sendmail_is_taken(spool, args):
    job = accept(spool, *args, input=b"Subject: cron\n\nout\n")
    assert rcpts(job) == ["smtp mail.example root@mail.example"]


@pytest.mark.parametrize("words, want", [
    (["a@x,b@y"], ["x a@x", "y b@y"]),      # cron's MAILTO
    (["a@x,", "root"], ["x a@x", "mail.example root@mail.example"]),
    (["Bob, the <bob@x>"], ["mail.example Bob@mail.example", "x bob@x"]),
    (["\"Smith, Bob\" <bob@x>", "eve@y (Eve)"], ["x bob@x", "y eve@y"]),
    ([" bob@x ", ""], ["x bob@x"]),
    (["\"a b\"@x"], ["x \"a b\"@x"]),
    (["-o", "i", "-e", "m", "-A", "m", "bob@x"], ["x bob@x"]),
])
def test_recipients_may_be_written_as_in_a_header(spool, words, want):
    job = accept(spool, *words, input=b"Subject: cron\n\nout\n")
    assert rcpts(job) == [f"smtp {word}" for word in want]


@pytest.mark.parametrize("sender, want", [
    ("Bob <me@x>", "me@x"), ("me@x (Bob)", "me@x"), ("<>", None),
    ("", None), ("me", "me@mail.example"),
])
def test_sender_may_be_written_as_in_a_header(spool, sender, want):
    job = accept(spool, "-f", sender, "bob@x", input=b"A: b\n\nc\n")
    line = f"s local - {want} 0\n" if want else "s error - - 0\n"
    assert line in job.data.decode()


@pytest.mark.parametrize("words", [["a@x,b c@y"], ["a@x,\"b"], ["<>"],
                                   ["-f", "a@x, b@y", "c@z"]])
def test_list_with_one_that_is_no_address_is_refused(spool, words):
    done = sendmail(spool, *words, input=b"A: b\n\nc\n")
    assert done.returncode in (USAGE, 65) and done.stderr
    assert spool.files() == []


def test_reports_and_deadline_are_asked_for(spool):
    job = accept(spool, "-N", "success,delay", "-R", "hdrs", "-V", "id+20x",
                 "-O", "by=3600;RT", "-O", "requiretls", "-B", "8bitmime",
                 "bob@x", "eve@y", input=b"A: b\n\nx\n")
    lines = re.findall(r"^N (.*)$", job.data.decode(), re.M)
    assert len(lines) == 2
    arrived = job.message.stat().st_mtime
    for line in lines:
        by = re.fullmatch(r"NOTIFY=SUCCESS,DELAY ORCPT=rfc822;\S+ "
                          r"BY=(\d+);RT REQUIRETLS", line)[1]
        assert abs(int(by) - arrived - 3600) < 60
    assert b"\nR HDRS\nn id+20x\n" in job.data
    assert b"bodytype 8BITMIME\n" in job.message.read_bytes()


def test_addresses_in_any_script_are_kept(spool):
    job = accept(spool, "-t", input="To: Bö <bö@exämple>\nSubject: ä\n\nü\n"
                 .encode())
    assert rcpts(job) == ["smtp exämple bö@exämple"]
    assert "Subject: ä\n".encode() in job.data
    assert job.message.read_bytes().endswith("\n\nü\n".encode())


def test_routes_lead_cron_mail_to_somebody(spool):
    (spool.share / "routes.conf").write_text(
        "root\tadmin\nadmin hans@boss.example # him\n"
        "@sub.example smtp relay.example ${address}\n")
    job = accept(spool, "root", "x@sub.example", "admin@localhost",
                 input=b"Subject: cron\n\nout\n")
    assert rcpts(job) == ["smtp boss.example hans@boss.example",
                          "smtp relay.example x@sub.example"]


def test_routes_that_go_round_are_told(spool):
    (spool.share / "routes.conf").write_text("a b\nb a\n")
    done = sendmail(spool, "a", input=b"A: b\n\nc\n")
    assert done.returncode == 78
    assert b"routes.conf: 'a@mail.example' goes round in circles" in \
        done.stderr
    assert spool.files() == []


def test_message_that_goes_round_is_refused(spool):
    text = b"Received: by x; y\n" * 100 + b"\nx\n"
    done = sendmail(spool, "bob@x", input=text)
    assert done.returncode == DATAERR and b"5.4.6" in done.stderr
    assert spool.files() == []


def test_batch_is_one_group(spool, tmp_path, need):
    batch = b"".join(b"MAIL FROM:<a@x>\nRCPT TO:<u%d@y>\nDATA\nS: %d\n\nx\n"
                     b".\n" % (i, i) for i in range(50))
    out = tmp_path / "trace"
    done = spool.submit("-bS", input=batch, wrapper=[
        need("strace"), "-f", "-qq", "-o", str(out), "-e",
        "trace=syncfs,fsync"], env=NO_LEAKS)
    assert done.returncode == 0
    assert len(spool.jobs()) == 50
    assert sorted(done.stdout.decode().split()) == sorted(
        spool_id(job.message) for job in spool.jobs())
    assert len(out.read_text().splitlines()) <= 3


def test_smtp_with_replies_is_refused_clearly(spool):
    done = sendmail(spool, "-bs")
    assert done.returncode == UNAVAILABLE
    assert b"-bs is not supported: SMTP with replies" in done.stderr


@pytest.mark.parametrize("name, args", [
    ("newaliases", ()), ("sendmail", ("-bi",)), ("sendmail", ("-I",)),
    ("sendmail", ("-b", "i")), ("sendmail", ("-q",)),
    ("sendmail", ("-q15m",)),
])
def test_nothing_to_be_done_is_a_success(spool, name, args):
    done = sendmail(spool, *args, name=name)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_queue_is_listed_by_mailq_beside_it(spool):
    program = spool.base / "lib" / "sendmail"
    shutil.copy(zpost.program("submit"), program)
    done = subprocess.run([program, "-bp"], capture_output=True)
    assert done.returncode == UNAVAILABLE
    assert b"mailq, which is not installed" in done.stderr
    mailq = spool.base / "lib" / "mailq"
    mailq.write_text("#!/bin/sh\necho the queue\n")
    mailq.chmod(0o755)
    done = subprocess.run([program, "-bp"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"the queue\n")

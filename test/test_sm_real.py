"""
`sm` into real programs of Debian, byte for byte.

Each gets the same messages, and what it kept is compared with what was sent,
less what it is documented to add (test/peers.py). All entries have flag 8:
these programs take bytes as they are.
"""

import base64
import email
import os
import pathlib
import random
import re
import shutil
import tempfile

import pytest

import peers
from zpost import Rcpt

SENDER = "alice@example.net"
HEADER = (b"From: Alice <alice@example.net>\nTo: bob@example.com\n"
          b"Subject: a real message\nDate: Sat, 21 Nov 2026 20:35:16 +0000\n"
          b"Message-ID: <1@example.net>\n")
MIME = b"MIME-Version: 1.0\n"
PARCEL = base64.encodebytes(random.Random(1).randbytes(50000))

# name -> header, body
MESSAGES = {
    "plain": (HEADER, b"Hello Bob.\n\n\ttabs \n\n-- \nAlice\n"),
    "multipart": (
        HEADER + MIME
        + b"Content-Type: multipart/mixed;\n\tboundary=\"=_b\"\n",
        b"two parts\n--=_b\nContent-Type: text/plain\n\nhi\n--=_b\n"
        b"Content-Type: application/octet-stream; name=parcel\n"
        b"Content-Disposition: attachment; filename=parcel\n"
        b"Content-Transfer-Encoding: base64\n\n" + PARCEL + b"--=_b--\n"),
    "dots": (HEADER, b".\n..\n...\n.x\n. \n\n.\nQUIT\n.\n"),
    "from": (HEADER, b"From here on\n>From there\nFrom \nFrom\nFro\nF\n"
             b"\nFrom alice@example.net Sat Nov 21 20:35:16 2026\n"),
    "8bit": (HEADER + MIME + b"Content-Type: text/plain; charset=utf-8\n"
             b"Content-Transfer-Encoding: 8bit\n",
             "Grüße aus Köln, žluťoučký kůň\n".encode() * 1000),
    "long": (HEADER, b"x" * 100000 + b"\n" + b"y " * 50000 + b"\nend\n"),
    "unended": (HEADER, b"the last line has no end"),
    "empty": (HEADER, b""),
    "megabyte": (HEADER, b"".join(b"%d bottles of beer on the wall\n" % i
                                  for i in range(30000))),
}
# For programs that keep every byte.
EVERYTHING = dict(MESSAGES, bytes=(
    HEADER, bytes(range(256)) * 4 + b"\rcr\nnul\0\n\xff\n"))

each = pytest.mark.parametrize("message", MESSAGES)
each_of_all = pytest.mark.parametrize("message", EVERYTHING)


def sent(message):
    """The message as a program should have it: its last line ended."""
    header, body = EVERYTHING[message]
    return header + b"\n" + body + (
        b"" if body == b"" or body.endswith(b"\n") else b"\n")


def batched(content, message):
    """
    What arrived by batched SMTP, as sent() has it: lines that are too long
    for SMTP go as quoted-printable.
    """
    whole = email.message_from_bytes(content)
    if whole["Content-Transfer-Encoding"] != "QUOTED-PRINTABLE":
        return content
    assert max(map(len, content.split(b"\n"))) <= 998
    header = EVERYTHING[message][0]
    assert set(header.split(b"\n")) <= set(content.split(b"\n"))
    return header + b"\n" + whole.get_payload(decode=True)


@pytest.fixture
def place():
    """A folder that nobody, too, can reach."""
    with tempfile.TemporaryDirectory(prefix="zpost-real-") as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        yield path


@pytest.fixture
def deliver(office):
    """
    deliver(entry, message, rcpts) runs the entry of sm.conf once; gives the
    agent's output and the job.
    """
    office.set_zenv(RFC822TABS=1)       # they stay as they are

    def run(entry, message, rcpts=("bob@example.com",), host="-",
            sender=SENDER, **how):
        header, body = EVERYTHING[message]
        office.sm_conf(f"m {entry}\n")
        job = office.post(list(rcpts), channel="local", host=host,
                          sender=sender, header=header, body=body, **how)
        with office.agent("sm", "-c", "local", "m") as agent:
            agent.hungry()
            out = agent.run(job, host)
            assert agent.stop() == 0
        return out, job

    return run


def good(outcome, n=1):
    out, job = outcome
    assert out.statuses == ["ok3"] * n, out.text
    assert job.marks == "+" * n
    return out


def without_from_line(text, tail=b""):
    first, rest = text.split(b"\n", 1)
    assert re.fullmatch(
        rb"From alice@example.net \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}"
        + re.escape(tail), first)
    return rest


def maildir(path):
    for name in ("new", "cur", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def only_file(folder):
    (path,) = folder.iterdir()
    return path.read_bytes()


# ---- programs that write mailboxes -----------------------------------------


@each_of_all
def test_maildrop(deliver, need, tmp_path, message):
    path, box = need("maildrop"), maildir(tmp_path / "box")
    rules = tmp_path / "filter"
    rules.write_text(f'to "{box}"\n')
    rules.chmod(0o600)
    good(deliver(f"fn8 {path} maildrop {rules}", message))
    assert only_file(box / "new") == sent(message)


@each_of_all
def test_procmail(deliver, need, tmp_path, message):
    path, box = need("procmail"), maildir(tmp_path / "box")
    rules = tmp_path / "procmailrc"
    rules.write_text(f"UMASK=077\nDEFAULT={box}/\n")
    rules.chmod(0o600)
    good(deliver(f"sSPfn8 {path} procmail -p {rules}", message))
    assert only_file(box / "new") == (
        b"Return-Path: <alice@example.net>\n" + sent(message))


@pytest.mark.parametrize("flags", ["Pn8", "-8"])
@each_of_all
def test_dovecot_lda(deliver, place, message, flags):
    lda = peers.Lda(place)
    good(deliver(f"{flags} /usr/bin/env env USER=$u {lda.program} -f $g",
                 message, ["bob"]))
    first = b"Return-Path: <alice@example.net>\n" if "P" in flags else b""
    assert lda.messages("bob") == [first + sent(message)]


def test_dovecot_lda_that_cannot_write_defers(deliver, place):
    lda = peers.Lda(place)
    shutil.rmtree(lda.mail)
    lda.mail.write_text("no folder")
    out, job = deliver(f"Pn8 /usr/bin/env env USER=$u {lda.program} -f $g",
                       "plain", ["bob"])
    assert out.report.status == "deferred"
    assert "[exit status 75/75 (temporary failure)]" in out.report.message
    assert job.is_untouched()


@each_of_all
def test_shell(deliver, tmp_path, message):
    good(deliver("-8 /bin/sh sh -c $u", message, [f"cat>{tmp_path}/out"]))
    text = (tmp_path / "out").read_bytes()
    assert without_from_line(text) == sent(message)


# ---- UUCP ------------------------------------------------------------------


def uux_entry(uucp):
    return f"U8 {uucp.uux} uux - -r -a$g -gC $h!rmail ($u)"


def remote_from():
    return b" remote from " + os.uname().nodename.encode()


@each_of_all
def test_uux_queues_the_very_bytes(deliver, place, message):
    uucp = peers.Uucp(place)
    good(deliver(uux_entry(uucp), message, ["bob@example.com", "carol"],
                 host="mars"), 2)
    queued = uucp.queued("mars")
    assert [words for words, _ in queued] == [["rmail", "bob@example.com"],
                                              ["rmail", "carol"]]
    for _, data in queued:
        assert without_from_line(data, remote_from()) == sent(message)


@each
def test_uux_and_rmail(deliver, place, message):
    """All the way through a UUCP spool into a real rmail."""
    uucp, exim = peers.Uucp(place), peers.Exim(place)
    (uucp.commands / "rmail").symlink_to(exim.rmail)
    good(deliver(uux_entry(uucp), message, host="here"))
    assert exim.messages() == []
    uucp.execute()
    assert exim.messages() == [peers.Delivered(
        SENDER, ["bob@example.com"], sent(message))], uucp.log + exim.log


def test_uux_refuses_an_unknown_neighbour(deliver, place):
    out, job = deliver(uux_entry(peers.Uucp(place)), "plain", host="venus")
    assert out.report.status == "error2"
    assert "venus: System not found" in out.report.message
    assert job.marks == "-" and job.d_line().notary.code.startswith("5.")


# ---- batched SMTP into a mail system ---------------------------------------


@pytest.mark.parametrize("flags", ["bmn8", "bmnRH8"])
@each
def test_exim_takes_a_batch(deliver, place, message, flags):
    exim = peers.Exim(place)
    rcpts = ["bob@example.com", "carol@example.org"]
    good(deliver(f"{flags} {exim.program} exim -bS", message, rcpts), 2)
    (got,) = exim.messages()
    assert (got.sender, sorted(got.rcpts)) == (SENDER, rcpts), exim.log
    assert batched(got.content, message) == sent(message)


@pytest.mark.parametrize("flags", ["bn8", "bnR8"])
def test_exim_reads_a_file_of_batches(office, deliver, place, flags):
    """Batches that were appended to one file stay separate messages."""
    exim = peers.Exim(place)
    file = place / "batch"
    office.set_zenv(APPEND=f"cat >>{file}")
    for message in MESSAGES:
        good(deliver(f"{flags} /bin/sh sh -c ${{APPEND}}", message,
                     ["bob@example.com", "carol@example.org"]), 2)
    exim.read_batch(file)
    wanted = [(message, rcpt) for message in MESSAGES
              for rcpt in ("bob@example.com", "carol@example.org")]
    got = exim.messages()
    assert [(m.sender, m.rcpts) for m in got] == [
        (SENDER, [rcpt]) for _, rcpt in wanted]
    assert all(batched(m.content, message) == sent(message)
               for m, (message, _) in zip(got, wanted))


@pytest.mark.parametrize("flags", ["BHn8", "BBHn8", "BBHmnR8"])
@each
def test_exim_takes_the_parameters(deliver, place, message, flags):
    """In a session: Exim's -bS knows none."""
    exim = peers.Exim(place)
    good(deliver(f"{flags} {exim.program} exim -bs", message))
    (got,) = exim.messages()
    assert (got.sender, got.rcpts) == (SENDER, ["bob@example.com"]), exim.log
    assert batched(got.content, message) == sent(message)


def test_exim_reports_what_was_asked_for(deliver, place):
    """The DSN parameters mean to Exim what they mean to us."""
    exim = peers.Exim(place)
    rcpts = [Rcpt("bob@example.com", notify="NOTIFY=SUCCESS,FAILURE "
                  "ORCPT=rfc822;b+2Bb@example.org"),
             Rcpt("carol@example.com", notify="NOTIFY=NEVER")]
    out, job = deliver(f"BBHmn8 {exim.program} exim -bs", "plain", rcpts,
                       envid="QQ314159", ret="HDRS")
    assert out.statuses == ["ok2", "ok3"] and job.marks == "++"
    original, report = sorted(exim.messages(), key=lambda m: not m.sender)
    assert original.content == sent("plain")
    assert (report.sender, report.rcpts) == ("", [SENDER]), exim.log
    assert b"\nOriginal-Envelope-ID: QQ314159\n" in report.content
    assert b"\nOriginal-Recipient: rfc822;b+b@example.org\n" in \
        report.content.replace(b"+2B", b"+")
    assert b"carol" not in report.content
    assert b"Hello Bob" not in report.content


def test_exim_that_refuses_the_batch_is_heard(deliver, place):
    exim = peers.Exim(place)
    out, job = deliver(f"Bn8 {exim.program} exim -bS", "plain")
    assert out.report.status == "deferred" and job.is_untouched()
    assert "501 malformed address: SIZE=" in out.text
    assert out.report.message.endswith("[exit status 2/2]")
    assert exim.messages() == []

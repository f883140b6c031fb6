"""
sm: what a mailer gets. Its arguments, its input to the byte, its surroundings;
and real mail programs.
"""

import os
import re
import sys
import time

import pytest

from mailers import Mailers, lean_memory
from zpost import Rcpt

HEADER = b"From: alice@example.net\nSubject: hi\n"


@pytest.fixture
def box(office):
    office.set_zenv(RFC822TABS="1")
    return Mailers(office)


def deliver(box, entry, rcpts, *args, **post):
    """One message through the mailer `m` that has this entry."""
    box.conf("m " + entry + "\n")
    job = box.office.post(rcpts, channel="local", **post)
    with box.sm("m", *args) as agent:
        agent.hungry()
        out = agent.run(job)
        assert agent.stop() == 0
    return out, job


# ---- arguments -------------------------------------------------------------

# Of the manual; the programs are links to the recorder.
EXAMPLES = """\
local   mS  sm/localm     localm -r $g $u
prog    -   /bin/sh       sh -c $u
tty     rs  {rec}         to $u
uucp    U   {rec}         uux - -r -a$g -gC $h!rmail ($u)
usenet  m   sm/usenet     usenet $u
ean     mn  {rec}         gwsmean -d $u
test    n   sm/test       test $u
smsgw   nS  ${MAILBIN}/sms-gw  sms-gw $g $u
"""


@pytest.mark.parametrize("mailer,args", [
    ("local", ["-r", "s@example.net", "Bob", "carol"]),
    ("tty", ["-r", "s@example.net", "Bob"]),
    ("uucp", ["-", "-r", "-as@example.net", "-gC", "Host!rmail", "(Bob)"]),
    ("usenet", ["Bob", "carol"]),
    ("ean", ["-d", "Bob", "carol"]),
    ("test", ["Bob"]),
    ("smsgw", ["s@example.net", "Bob"]),
])
def test_example_entries_of_the_manual(box, mailer, args):
    (box.office.bin / "sm").mkdir()
    for name in ("sm/localm", "sm/usenet", "sm/test", "sms-gw"):
        os.link(box.rec, box.office.bin / name)
    box.conf(EXAMPLES)
    job = box.office.post(["Bob", "carol"], channel="local", host="Host",
                          sender="s@example.net")
    with box.sm(mailer) as agent:
        agent.hungry()
        assert agent.run(job).statuses == ["ok3", "ok3"]
    assert box.runs[0].args[1:] == args


def test_example_entry_that_runs_the_address(box):
    box.conf(EXAMPLES)
    job = box.office.post([f'"cat>{box.folder}/out;echo"'], channel="local",
                          header=HEADER, sender="s@example.net")
    with box.sm("prog") as agent:
        warnings = agent.hungry().comments
        # the quotes are part of the address, and of the command
        out = agent.run(job)
    assert "# sm: mailer 'prog' runs recipients' addresses as commands" \
        in warnings
    assert out.report.message.endswith("[exit status 127/127]")
    job = box.office.post([f"cat>{box.folder}/out"], channel="local",
                          header=HEADER, sender="s@example.net")
    with box.sm("prog") as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"
    text = (box.folder / "out").read_bytes()
    assert re.match(rb"From s@example.net \w{3} \w{3} [ \d]\d "
                    rb"\d\d:\d\d:\d\d \d{4}\n", text)
    assert text.split(b"\n", 1)[1] == HEADER + b"\nHi.\n"


def test_replication(box):
    deliver(box, "m {rec} dump.sh -f $g -h $h $u tail",
            ["user2", "user1"], host="HOST", sender="SENDER")
    assert box.run.args[1:] == ["-f", "SENDER", "-h", "HOST", "user2",
                                "user1", "tail"]


def test_own_name_of_the_program_is_expanded(box):
    out, _ = deliver(box, "n /bin/cat cat-$u /proc/self/cmdline", ["bob"])
    assert out.report.message == "cat-bob?/proc/self/cmdline?"


def test_null_values_are_told(box):
    box.conf("m n {rec} rec a$x ${NONE} $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("m") as agent:
        agent.hungry()
        out = agent.run(job)
        pid = agent.pid
    assert box.run.args[1:] == ["a", "", "bob"]
    assert out.comments == [
        f"# sm:{pid}: Null value for {x} (m) (msgfile: {job.name})!"
        for x in ("$x", "${NONE}")]


@pytest.mark.parametrize("flags,args", [
    ("f", ["-f", "s@example.net", "bob"]),
    ("r", ["-r", "s@example.net", "bob"]),
    ("fr", ["-f", "s@example.net", "bob"]),
    ("-", ["bob"]),
])
def test_inserted_sender(box, flags, args):
    deliver(box, flags + " {rec} rec $u", ["bob"], sender="s@example.net")
    assert box.run.args[1:] == args


def test_empty_sender_is_angle_brackets(box):
    deliver(box, "f {rec} rec $g $u", ["bob"], sender=None)
    assert box.run.args[1:] == ["-f", "<>", "<>", "bob"]
    assert box.run.input.startswith(b"From <> ")


# ---- input -----------------------------------------------------------------


def test_from_line_has_local_time(box):
    box.conf("m - {rec} rec $u\n")
    job = box.office.post(["bob"], channel="local", sender="s@example.net",
                          header=HEADER)
    with box.sm("m", env={"TZ": "XYZ-5:30"}) as agent:
        agent.hungry()
        agent.run(job)
    line, rest = box.run.input.split(b"\n", 1)
    sender, when = re.fullmatch(rb"From (\S+) (.*)", line).groups()
    assert sender == b"s@example.net" and rest == HEADER + b"\nHi.\n"
    told = time.strptime(when.decode(), "%a %b %d %H:%M:%S %Y")
    now = time.gmtime(time.time() + 5.5 * 3600)
    assert abs(time.mktime(told) - time.mktime(now)) < 60


def test_remote_from_names_this_host(box):
    deliver(box, "U {rec} rec $u", ["bob"], sender="s@example.net")
    first = box.run.input.split(b"\n", 1)[0].decode()
    assert first.endswith(" remote from " + os.uname().nodename)


@pytest.mark.parametrize("body", [
    b"", b"\n", b".\n..\n.x\n", b"From x\nF\nFr\nFro\nFrom\n",
    bytes(range(256)) + b"\n", b"cr\rcrlf\r\nnul\0\n",
    b"x" * 300000 + b"\n", b"line\n" * 100000,
])
def test_body_passes_unchanged(box, body):
    deliver(box, "n8 {rec} rec $u", ["bob"], header=HEADER, body=body)
    assert box.run.input == HEADER + b"\n" + body


def test_last_line_is_ended_once(box):
    deliver(box, "n {rec} rec $u", ["bob"], header=HEADER, body=b"no end")
    assert box.run.input == HEADER + b"\nno end\n"


def test_flags_of_the_stream_reach_the_mailer(box):
    deliver(box, "nREXPe {rec} rec $u",
            [Rcpt("bob", notify="ORCPT=rfc822;b+2Bb@example.com")],
            envid="QQ1", header=HEADER, body=b"From x\n.\n\x00\r")
    assert box.run.input == (
        b"Return-Path: <alice@example.net>\r\n"
        b"From: alice@example.net\r\nSubject: hi\r\n"
        b"Envelope-Id: QQ1\r\nX-Envelope-To: <bob> (uid 501)\r\n"
        b"Original-Recipient: rfc822;b+b@example.com\r\n"
        b"\r\n>From x\r\n..\r\n\r\n")


def test_received_names_the_only_recipient(box):
    received = (b"Received: from a by b id <S1>;\n"
                b"\tMon, 1 Jan 2024 00:00:00 +0000\n")
    deliver(box, "nm {rec} rec $u", ["bob"], header=received)
    deliver(box, "nm {rec} rec $u", ["bob", "carol"], header=received)
    box.office.set_zenv(NORECEIVEDFORCLAUSE="")
    deliver(box, "nm {rec} rec $u", ["bob"], header=received)
    assert [r.input for r in box.runs] == [
        b"Received: from a by b id <S1> for <bob>; "
        b"Mon, 1 Jan 2024 00:00:00 +0000\n\nHi.\n",
        received + b"\nHi.\n", received + b"\nHi.\n"]


@pytest.mark.parametrize("value,is_kept", [
    (None, False), ("0", False), ("1", True)])
def test_tabs_of_the_header(box, value, is_kept):
    box.office.set_zenv(RFC822TABS=value)
    deliver(box, "n {rec} rec $u", ["bob"], header=b"A:\tb\n\tc\n",
            body=b"\tx\n")
    assert box.run.input == (b"A:\tb\n\tc\n\n\tx\n" if is_kept else
                             b"A:      b\n        c\n\n\tx\n")


def test_batched_smtp(box):
    deliver(box, "BBHmnR8 {rec} bsmtp",
            [Rcpt("user2@example.com", notify="NOTIFY=NEVER"),
             Rcpt("user1@example.com",
                  notify="NOTIFY=SUCCESS,FAILURE "
                  "ORCPT=rfc822;user1@example.com")],
            envid="QQ314159", ret="HDRS", header=b"Subject: test\n",
            body=b"b\xf6dy\n.dot\n", sender="sender@example.org")
    host = os.uname().nodename.encode()
    greeting, text = box.run.input.split(b"\r\n", 1)
    assert greeting in (b"EHLO " + host, b"EHLO localhost")
    assert re.sub(rb"SIZE=\d+", b"SIZE=n", text) == (
        b"MAIL FROM:<sender@example.org> SIZE=n BODY=8BITMIME "
        b"ENVID=QQ314159 RET=HDRS\r\n"
        b"RCPT TO:<user2@example.com> NOTIFY=NEVER\r\n"
        b"RCPT TO:<user1@example.com> NOTIFY=SUCCESS,FAILURE "
        b"ORCPT=rfc822;user1@example.com\r\n"
        b"DATA\r\nSubject: test\r\n\r\nb\xf6dy\r\n..dot\r\n.\r\nQUIT\r\n")


def test_size_of_batched_smtp_is_the_estimate(box):
    header = b"Subject: " + b"x" * 200 + b"\n"
    deliver(box, "Bn {rec} bsmtp", ["bob@example.com"], header=header,
            body=b"y" * 499 + b"\n" + b"y" * 499 + b"\n")
    size = 1000 + len(header) + 2
    size += 3 * size // 100
    assert b" SIZE=%d\n" % size in box.run.input


@pytest.mark.parametrize("user,code", [
    ("a>b@x", "5.1.3"), ("<a@x>", "5.1.3"), ("x" * 1500 + "@x", "5.1.3"),
    ("\xfc@example.com", "5.6.7")])
def test_batched_smtp_takes_no_malformed_address(box, user, code):
    out, job = deliver(box, "bmn {rec} bsmtp", ["good@x", user])
    assert job.marks == "+-" and job.d_line(1).notary.code == code
    assert box.run.input.count(b"RCPT TO:") == 1


def test_memory_is_constant_in_message_size(box):
    env, most = lean_memory()
    path = box.office.script(
        "big", "#!/bin/sh\nwc -c\ngrep VmHWM /proc/$PPID/status >&2\n")
    box.conf(f"big nRX {path} big $u\n")
    job = box.office.post(["bob"], channel="local", header=HEADER, body=b"")
    with open(job.message, "ab") as f:
        for _ in range(64):
            f.write((b"x" * 1023 + b"\n") * 1024)
    with box.sm("big", env=env) as agent:
        agent.hungry()
        out = agent.run(job)
    size = len(HEADER) + 2 + 2 + 64 * 1024 * 1025
    assert int(out.report.message) == size
    assert int(re.search(r"VmHWM:\s*(\d+) kB", out.text)[1]) < most


# ---- surroundings ----------------------------------------------------------


def test_mailer_has_its_own_three_descriptors(box):
    path = box.office.script("fds", "#!/bin/sh\nls -l /proc/self/fd "
                             "| sed -n 's/.* \\([0-9]* -> .*\\)/\\1/p'\n"
                             "cat >/dev/null\n")
    box.conf(f"m n {path} fds\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("m", stdio="socket", nofile=32) as agent:
        agent.hungry()
        out = agent.run(job)
    said = [out.report.message] + [c.split(": ", 1)[1].removeprefix(
        "m: ") for c in out.comments]
    seen = dict(line.split(" -> ") for line in said if " -> " in line)
    assert not any("socket" in v for v in seen.values()), said
    assert seen["0"].startswith("pipe:") and seen["2"].startswith("pipe:")
    assert set(seen) <= {"0", "1", "2", "3"}     # 3: ls reads /proc


def test_environment_is_passed_on(box):
    path = box.office.script("env", "#!/bin/sh\ncat >/dev/null\n"
                             "echo \"$HELLO|$ZCONFIG|$(pwd)\"\n")
    box.conf(f"m n {path} env\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("m", env={"HELLO": "a b"}) as agent:
        agent.hungry()
        out = agent.run(job)
    assert out.report.message == \
        f"a b|{box.office.zconfig}|{box.office.transport}"


def test_signals_are_as_at_the_start_of_time(box):
    path = box.office.script("sig", "#!/bin/sh\ncat >/dev/null\n"
                             "exec grep -E '^Sig(Blk|Ign)' "
                             "/proc/self/status\n")
    box.conf(f"m n {path} sig\n")
    job = box.office.post(["bob"], channel="local")
    ignoring = [sys.executable, "-c",
                "import os, signal, sys\n"
                "for s in (1, 10, 13, 17): signal.signal(s, signal.SIG_IGN)\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, [12])\n"
                "os.execv(sys.argv[1], sys.argv[1:])"]
    with box.sm("m", wrapper=ignoring) as agent:
        agent.hungry()
        out = agent.run(job)
    assert out.report.status == "ok3"
    assert dict(re.findall(r"Sig(\w+):.([0-9a-f]+)", out.text)) == {
        "Blk": "0" * 16, "Ign": "0" * 16}


@pytest.mark.parametrize("flags,ids", [
    ("n", "Uid 65534 65534 65534 65534,Gid 65534 65534 65534 65534,"),
    ("nS", "Uid 65534 0 0 0,Gid 65534 0 0 0,")])
def test_ids_of_the_mailer(box, flags, ids):
    if os.getuid() != 0:
        pytest.skip("needs root")
    # not a script: a shell with different ids drops them
    box.conf(f"m {flags} /bin/cat cat /proc/self/status\n")
    job = box.office.post(["bob"], channel="local")
    setids = [sys.executable, "-c",
              "import os, sys\nos.setgroups([])\n"
              "os.setresgid(65534, 0, 0)\nos.setresuid(65534, 0, 0)\n"
              "os.execv(sys.argv[1], sys.argv[1:])"]
    # With ids that differ nobody's ZCONFIG is believed.
    conf = str(box.office.share / "sm.conf")
    with box.sm("m", "-f", conf, wrapper=setids) as agent:
        agent.hungry()
        out = agent.run(job)
    seen = re.findall(r"([UG]id):\s*([\d ]+)", out.text)
    assert "".join(f"{k} {v.strip()}," for k, v in seen) == ids


# ---- real programs ---------------------------------------------------------

MESSAGES = {
    "plain": (b"From: alice@example.net\nTo: bob@example.com\n"
              b"Subject: plain\nMessage-ID: <1@example.net>\n",
              b"Hello Bob.\n.\n..\nFrom here on\nF\nFrom\n\ttabs \n\n"),
    "8bit": (b"From: alice@example.net\nSubject: 8bit\nMIME-Version: 1.0\n"
             b"Content-Type: text/plain; charset=utf-8\n"
             b"Content-Transfer-Encoding: 8bit\n",
             "Grüße aus Köln\n".encode() * 1000),
    "multipart": (b"From: alice@example.net\nSubject: two parts\n"
                  b"MIME-Version: 1.0\n"
                  b"Content-Type: multipart/mixed;\n\tboundary=\"=_b\"\n",
                  b"--=_b\nContent-Type: text/plain\n\nhi\n--=_b\n"
                  b"Content-Type: application/octet-stream\n"
                  b"Content-Transfer-Encoding: base64\n\n"
                  + b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n" * 5000
                  + b"--=_b--\n"),
}


def maildir(box):
    path = box.office.base / "Maildir"
    for name in ("new", "cur", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def without_from_line(text):
    first, rest = text.split(b"\n", 1)
    assert re.fullmatch(rb"From alice@example.net [\w: ]+", first)
    return rest


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("flags", ["n8", "8", "nm8"])
def test_maildrop_gets_the_very_bytes(box, need, message, flags):
    path, (header, body) = need("maildrop"), MESSAGES[message]
    box_dir = maildir(box)
    rules = box.office.base / "filter"
    rules.write_text(f'to "{box_dir}"\n')
    rules.chmod(0o600)
    out, job = deliver(box, f"{flags} {path} maildrop {rules}",
                       ["bob@example.com"], header=header, body=body)
    assert out.report.status == "ok3", out.text
    (file,) = (box_dir / "new").iterdir()
    text = file.read_bytes()
    if flags == "8":
        text = without_from_line(text)
    assert text == header + b"\n" + body
    assert job.marks == "+"


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("flags", ["sSPfn8", "sSn8", "8"])
def test_procmail_gets_the_very_bytes(box, need, message, flags):
    path, (header, body) = need("procmail"), MESSAGES[message]
    box_dir = maildir(box)
    rules = box.office.base / "procmailrc"
    rules.write_text(f"UMASK=077\nDEFAULT={box_dir}/\n:0\n{box_dir}/\n")
    rules.chmod(0o600)
    out, job = deliver(box, f"{flags} {path} procmail -p {rules}",
                       ["bob@example.com"], header=header, body=body,
                       sender="alice@example.net")
    assert out.report.status == "ok3", out.text
    (file,) = (box_dir / "new").iterdir()
    text = file.read_bytes()
    if "P" in flags:
        path_line, text = text.split(b"\n", 1)
        assert path_line == b"Return-Path: <alice@example.net>"
    if flags == "8" and text.startswith(b"From "):
        text = without_from_line(text)
    assert text == header + b"\n" + body
    assert job.marks == "+"


def test_maildrop_refusal_is_a_permanent_failure(box, need):
    path = need("maildrop")
    rules = box.office.base / "filter"
    rules.write_text('echo "5.7.1 not wanted here"\nEXITCODE=77\nexit\n')
    rules.chmod(0o600)
    out, job = deliver(box, f"n {path} maildrop {rules}", ["bob"])
    assert out.report.status == "error2" and job.marks == "-"
    assert job.d_line().notary.code == "5.7.1"
    assert out.report.message.startswith("5.7.1 not wanted here")


def test_procmail_without_a_place_defers(box, need):
    path = need("procmail")
    rules = box.office.base / "procmailrc"
    rules.write_text("EXITCODE=75\nHOST\n")
    rules.chmod(0o600)
    out, job = deliver(box, f"n {path} procmail -p {rules}", ["bob"])
    assert out.report.status == "deferred" and job.is_untouched()


def test_shell_pipeline_as_a_mailer(box):
    out, _ = deliver(box, "n /bin/sh sh -c cat|wc${IFS}-c", ["bob"],
                     header=HEADER, body=b"x\n")
    # ${IFS} is ZENV's, unknown: the word has no blank in it
    assert out.report.status == "deferred"
    box.office.set_zenv(COUNT="cat | wc -c")
    out, _ = deliver(box, "n /bin/sh sh -c ${COUNT}", ["bob"],
                     header=HEADER, body=b"x\n")
    assert int(out.report.message) == len(HEADER) + 3

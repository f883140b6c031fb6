"""
Whatever goes into a batch of SMTP comes out of it: random envelopes, headers,
bodies and flags through `sm` into a file, read back by test/batch.py, which
shares nothing with the writer, and by Exim.

What is expected is put together here from the manual's words, line by line.
"""

import pathlib
import re
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import batch
import peers
from zpost import Postoffice, Rcpt

# No example is stored, and all runs try the same: a failure can be repeated.
QUICK = dict(deadline=None, database=None, derandomize=True,
             suppress_health_check=[HealthCheck.too_slow,
                                    HealthCheck.data_too_large,
                                    HealthCheck.function_scoped_fixture])

# Mail that is signed is never converted, whatever bytes it holds.
SIGNED = b"DKIM-Signature: v=1; h=From; d=example.net\n"

# ---- what is sent ----------------------------------------------------------

# From few pieces, so that most of the time goes into sending.
dot_atoms = st.lists(
    st.sampled_from(["a", "Bob", "x-y", "!#$%&'*+-/=?^_`{|}~", "0", "rcpt"]),
    min_size=1, max_size=3).map(".".join)
quoted = st.lists(
    st.sampled_from(["\\\"", "\\\\", "\\>", "> RCPT TO:<x", " SIZE=1", "@",
                     ",", " ", "a", "(b)", "[:;]", ".."]),
    max_size=4).map(lambda parts: '"' + "".join(parts) + '"')
domains = st.sampled_from(["a", "b.example", "x--y.b-2.example.net",
                           "[192.0.2.1]", "[IPv6:2001:db8::1]"])
addresses = st.builds("{}@{}".format, st.one_of(dot_atoms, quoted), domains)
plain_addresses = st.builds("{}{}@{}.example".format,
                            st.sampled_from("xyz"), st.integers(0, 99),
                            st.sampled_from("ab"))

# Lines that mean something to somebody, and pieces of them.
TELLING = [b".", b"..", b". ", b".\r", b"..x", b"", b" ", b"From ", b"From",
           b"Fro", b"F", b">From ", b"From x", b"QUIT", b"DATA",
           b"MAIL FROM:<x>", b"\r", b"\0", b"\r\n.\r\n", b"\xff", b"\x8a.",
           b"\xae", b"x" * 1000]


def bodies(pieces):
    return st.lists(
        st.tuples(pieces, st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"",
                                           b"\r"])),
        max_size=12).map(lambda rows: b"".join(a + b for a, b in rows))


# Nearly the 64 KB that are read at once, so that what follows is torn apart.
paddings = st.builds(lambda n: (b"y" * 63 + b"\n") * 1023 + b"z" * n + b"\n",
                     st.integers(40, 63))
any_body = st.builds(bytes.__add__, st.one_of(st.just(b""), paddings), bodies(
    st.one_of(st.sampled_from(TELLING), st.binary(max_size=30))))
text_body = st.lists(
    st.one_of(st.sampled_from([x for x in TELLING
                               if not re.search(rb"[\r\n\0]", x)]),
              st.binary(max_size=30).map(
                  lambda x: re.sub(rb"[\r\n\0]", b"?", x))),
    max_size=12).map(lambda rows: b"".join(x + b"\n" for x in rows))

fields = st.builds(
    lambda name, lines: f"{name}: {chr(10).join(lines)}\n".encode(),
    st.sampled_from(["X-Test", ".X-Dot", "..", "From-Us", "F", "Subject"]),
    st.lists(st.sampled_from([".", "From x", "Grüße", "a b", "x" * 200]),
             min_size=1, max_size=3).map(
        lambda x: x[:1] + [" " + y for y in x[1:]]))
headers = st.lists(fields, max_size=4).map(lambda x: SIGNED + b"".join(x))

printable = st.lists(
    st.sampled_from(["a", "B2", "+", "=", "++41", "<", ">", ";", "@", "\"",
                     "!~", "example.net"]), min_size=1, max_size=4
).map("".join)


def xtext(text):
    """RFC 3461 4."""
    return "".join(f"+{ord(c):02X}" if c in "+=" else c for c in text)


@st.composite
def notifies(draw):
    """What stands behind N: (text, NOTIFY words, address of ORCPT)."""
    words = draw(st.one_of(
        st.just([]), st.just(["NEVER"]),
        st.lists(st.sampled_from(["SUCCESS", "FAILURE", "DELAY"]),
                 min_size=1, unique=True)))
    original = draw(st.none() | printable)
    text = ([f"NOTIFY={','.join(words)}"] if words else []) + (
        [f"ORCPT=rfc822;{xtext(original)}"] if original else [])
    return " ".join(text), words, original


@st.composite
def messages(draw, address=addresses, body=any_body, header=headers):
    return {
        "sender": draw(st.none() | address),
        "rcpts": [(a, draw(notifies())) for a in draw(
            st.lists(address, min_size=1, max_size=4))],
        "header": draw(header), "body": draw(body),
        "envid": draw(st.none() | printable.map(xtext)),
        "ret": draw(st.sampled_from([None, "FULL", "HDRS"])),
    }


flag_sets = st.builds(
    lambda first, more: first + "".join(sorted(more)),
    st.sampled_from(["b", "B", "BB"]),
    st.sets(st.sampled_from("HRXEnePO78mU")))


# ---- sending it ------------------------------------------------------------


def send(office, flags, sent, file):
    """Each message is appended to the file, as one batch or several."""
    office.set_zenv(APPEND=f"cat >>{file}", RFC822TABS=1)
    office.sm_conf(f"m {flags} /bin/sh sh -c ${{APPEND}}\n")
    with office.agent("sm", "-c", "local", "m") as agent:
        agent.hungry()
        for m in sent:
            job = office.post(
                [Rcpt(address, notify=notify[0] or None)
                 for address, notify in m["rcpts"]],
                channel="local", host="-", sender=m["sender"],
                header=m["header"], body=m["body"], envid=m["envid"],
                ret=m["ret"])
            out = agent.run(job, "-")
            assert set(out.statuses) <= {"ok2", "ok3"}, out.text
            assert job.marks == "+" * len(m["rcpts"])
        assert agent.stop() == 0


# ---- what is expected ------------------------------------------------------


def expected_body(flags, body):
    if "7" in flags:
        body = bytes(c & 0x7f for c in body)
    if "R" in flags:
        body = re.sub(rb"\r\n?", b"\n", body.replace(b"\0", b""))
    if body and not body.endswith(b"\n"):
        body += b"\n"
    if "E" in flags:
        body = re.sub(rb"(?m)^From ", b">From ", body)
    return body


def expected_content(flags, m, rcpts):
    """The message without its From_ line."""
    text = ""
    if "P" in flags:
        text += f"Return-Path: <{m['sender'] or ''}>\n"
    head = text.encode() + m["header"]
    text = ""
    if "e" in flags and m["envid"]:
        plain = re.sub(r"\+([0-9A-F]{2})",
                       lambda x: chr(int(x[1], 16)), m["envid"])
        text += f"Envelope-Id: {plain}\n"
    for address, (_, _, original) in rcpts:
        if "e" in flags:
            text += f"X-Envelope-To: <{address}> (uid 501)\n"
        if ("e" in flags or "O" in flags) and original:
            text += f"Original-Recipient: rfc822;{original}\n"
    return head + text.encode() + b"\n" + expected_body(flags, m["body"])


def without_from_line(flags, content):
    if "n" in flags and "U" not in flags:
        return content
    first, rest = content.split(b"\n", 1)
    assert re.fullmatch(rb"From \S+ \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}"
                        + (rb" remote from \S+" if "U" in flags else rb""),
                        first), first
    return rest


def check_parameters(flags, m, rcpts, got):
    """Of MAIL and RCPT, against what was asked for."""
    mail = dict(got.mail)
    if "B" in flags:
        assert int(mail.pop("SIZE")) > 0
        may = "8" in flags
        assert mail.pop("BODY", None) in ((b"8BITMIME", None) if may
                                          else (None,))
    wanted = {}
    if "BB" in flags and m["envid"]:
        wanted["ENVID"] = m["envid"].encode()
    if "BB" in flags and m["ret"]:
        wanted["RET"] = m["ret"].encode()
    assert mail == wanted
    for (_, (_, words, original)), (_, parameters) in zip(rcpts, got.rcpts):
        parameters = dict(parameters)
        if "BB" in flags and words:
            notify = parameters.pop("NOTIFY").decode().split(",")
            assert sorted(notify) == sorted(words)
        if "BB" in flags and original:
            assert parameters.pop("ORCPT") == (
                "rfc822;" + xtext(original)).encode()
        assert parameters == {}


def check(flags, sent, found):
    runs = [(m, rcpts) for m in sent for rcpts in (
        [m["rcpts"]] if "m" in flags else [[r] for r in m["rcpts"]])]
    assert len(found) == len(runs)
    for (m, rcpts), got in zip(runs, found):
        assert got.sender == (m["sender"] or "").encode()
        assert [a for a, _ in got.rcpts] == [a.encode() for a, _ in rcpts]
        check_parameters(flags, m, rcpts, got)
        assert without_from_line(flags, got.content) == \
            expected_content(flags, m, rcpts)
        assert got.has_quit == ("H" in flags)
        verb = b"EHLO " if "B" in flags else b"HELO "
        assert (got.greeting or b"").startswith(verb if "H" in flags else b"")
        assert (got.greeting is not None) == ("H" in flags)


# ---- the tests -------------------------------------------------------------


@settings(max_examples=80, **QUICK)
@given(flags=flag_sets, sent=st.lists(messages(), min_size=1, max_size=3))
def test_batches_give_back_what_went_in(office, flags, sent):
    file = office.base / "batch"
    file.unlink(missing_ok=True)
    send(office, flags, sent, file)
    check(flags, sent, batch.read(file.read_bytes()))


EXIM_HEADER = (b"From: a@a.example\nDate: Sat, 21 Nov 2026 20:35:16 +0000\n"
               b"Message-ID: <1@a.example>\n")
exim_headers = headers.map(lambda x: EXIM_HEADER + x)


@settings(max_examples=8, **QUICK)
@given(flags=st.sampled_from(["bn8", "bnR8", "bmn8", "bmnER8"]),
       sent=st.lists(messages(plain_addresses, text_body, exim_headers),
                     min_size=1, max_size=4))
def test_exim_gives_back_what_went_in(flags, sent):
    with tempfile.TemporaryDirectory(prefix="zpost-batch-") as folder, \
            Postoffice(folder) as office:
        base = pathlib.Path(folder)
        base.chmod(0o755)
        exim, file = peers.Exim(base), base / "batch"
        send(office, flags, sent, file)
        exim.read_batch(file)
        runs = [(m, rcpts) for m in sent for rcpts in (
            [m["rcpts"]] if "m" in flags else [[r] for r in m["rcpts"]])]
        assert [(m.sender, sorted(m.rcpts), m.content)
                for m in exim.messages()] == [
            (m["sender"] or "", sorted({a for a, _ in rcpts}),
             expected_content(flags, m, rcpts)) for m, rcpts in runs]


@pytest.mark.parametrize("data,wrong", [
    (b"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx\n", "no end"),
    (b"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx\n.", "no end"),
    (b"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx\n.\nx\n", "line 6: command"),
    (b"MAIL FROM:<a@b> SIZE=1 SIZE=2\n", "line 1: parameter"),
    (b"MAIL FROM:<a> b>\n", "line 1: parameter"),
    (b"MAIL FROM:<a>b\n", "line 1: something"),
    (b"MAIL FROM:<a@b>\nDATA\n", "line 2: DATA"),
    (b"MAIL FROM:<a@b>\nMAIL FROM:<a@b>\n", "line 2: MAIL again"),
    (b"RCPT TO:<a@b>\n", "line 1: RCPT"),
    (b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\n", "no end"),
    (b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\nx\r\n", "line 2: bare"),
    (b"HELO \nMAIL FROM:<a@b>\n", "line 1: greeting"),
    (b"QUIT\n", "line 1: QUIT"),
])
def test_reader_is_strict(data, wrong):
    with pytest.raises(ValueError, match=wrong):
        batch.read(data)

"""
sm: text on its way to mailers that take 8 bits, or do not, or want it decoded.
What a mailer got is read by Python's email package, which shares nothing with
us, and must be the text that was sent.
"""

import email
import email.policy
import random
import re

import pytest

from mailers import Mailers, lean_memory

FROM = b"From: alice@example.net\n"
WHEN = b"Mon, 1 Jan 2024 00:00:00 +0000\n"
RECEIVED = b"Received: from a by b id <S1>;\n\t" + WHEN
MIME = b"MIME-Version: 1.0\n"
GERMAN = "Grüße aus Köln.\n.\n..\nFrom here\nF\n\ttab \nblank \n= =3D\n"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy\n" * 40
SPARSE = "Es grünt im Frühling, sagt man hier im Norden gern.\n" * 40


def text_header(charset="utf-8", encoding="8bit"):
    return (RECEIVED + FROM + b"Subject: test\n" + MIME
            + f"Content-Type: text/plain; charset={charset}\n"
              f"Content-Transfer-Encoding: {encoding}\n".encode())


def for_bob(header):
    """The header with what is added to the first Received."""
    return header.replace(b";\n\t", b" for <bob>; ")


@pytest.fixture
def box(office):
    office.set_zenv(RFC822TABS="1")
    return Mailers(office)


def deliver(box, flags, header, body, *args, rcpts=("bob",)):
    """One message through a mailer with these flags; sm's output."""
    box.conf(f"m {flags} {{rec}} rec $u\n")
    job = box.office.post(list(rcpts), channel="local", host="-",
                          header=header, body=body)
    with box.sm("m", *args) as agent:
        agent.hungry()
        out = agent.run(job)
        assert agent.stop() == 0
    assert out.statuses == ["ok3"] * len(rcpts), out.text
    return out


def got(box, flags, header, body, *args):
    """What the mailer was given; sm says nothing about it."""
    out = deliver(box, flags, header, body, *args)
    assert out.comments == []
    return box.runs[-1].input


def read(data):
    """As a mail reader would."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert message.defects == []
    return message


def is_7bit(data):
    return all(c < 128 for c in data)


# ---- 8-bit text for 7-bit mailers ------------------------------------------


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-2", "windows-1250"])
@pytest.mark.parametrize("text", [
    SPARSE.replace("ü", "ý"), "á", "á\n", "\n\ná\n\n",
    "á" + "x" * 5000 + "\n", "ý and a few letters " * 7000 + "\n"],
    ids=["lines", "unended", "line", "empty lines", "long", "very long"])
def test_8bit_text_is_made_quoted_printable(box, charset, text):
    data = got(box, "n", text_header(charset), text.encode(charset))
    body = data.split(b"\n\n", 1)[1]
    assert is_7bit(data) and max(map(len, body.split(b"\n"))) <= 76
    message = read(data)
    assert message["Content-Transfer-Encoding"] == "QUOTED-PRINTABLE"
    assert message.get_content_charset() == charset
    assert message.get_content() == text + "\n" * (text[-1] != "\n")


def test_text_of_which_most_is_encoded_is_made_base64(box):
    data = got(box, "n", text_header(), CZECH.encode())
    assert is_7bit(data) and len(data) < 1.6 * len(CZECH.encode())
    message = read(data)
    assert message["Content-Transfer-Encoding"] == "BASE64"
    assert message.get_payload(decode=True).decode().replace(
        "\r\n", "\n") == CZECH


@pytest.mark.parametrize("flags", ["n", "nR", "nX", "nE", "nREX", "n7"])
def test_what_is_encoded_reads_the_same_with_all_flags(box, flags):
    data = got(box, flags, text_header(), GERMAN.encode())
    assert is_7bit(data)
    # nothing is left to be escaped
    body = data.split(b"\r\n\r\n" if "R" in flags else b"\n\n", 1)[1]
    assert not re.search(rb"(?m)^([.]|From )", body)
    assert read(data).get_content().replace("\r\n", "\n") == GERMAN


def test_first_received_tells_of_the_conversion_before_the_recipient(box):
    data = got(box, "nP", text_header(), GERMAN.encode())
    assert data.startswith(
        b"Return-Path: <alice@example.net>\n"
        b"Received: from a by b id <S1> (convert rfc822-to-quoted-printable)"
        b" for <bob>;\n\t" + WHEN + FROM)


def test_unlabelled_text_gets_a_label(box):
    data = got(box, "n", RECEIVED + FROM, GERMAN.encode())
    assert is_7bit(data)
    message = read(data)
    assert message["X-Warning"] and message["MIME-Version"] == "1.0"
    assert message.get_content_charset() == "utf-8"
    assert message.get_content() == GERMAN
    assert message.keys() == [
        "Received", "X-Warning", "MIME-Version", "Content-Transfer-Encoding",
        "Content-Type", "From"]


@pytest.mark.parametrize("value,charset", [
    ("KOI8-R", "koi8-r"), (None, "iso-8859-1"), ("", "iso-8859-1"),
    ("UNKNOWN-8BIT", "unknown-8bit")])
def test_defcharset_labels_what_nobody_labelled(box, value, charset):
    box.office.set_zenv(DEFCHARSET=value)
    data = got(box, "n", FROM + b"Subject: \xf0\xf2\xe9\xf7\n",
               b"\xf0\xf2\xe9\xf7\xe5\xf4\n")
    message = email.message_from_bytes(data)
    assert message.get_content_charset() == charset
    assert message.get_payload(decode=True) == b"\xf0\xf2\xe9\xf7\xe5\xf4\n"
    assert f"=?{charset}?" in message["Subject"].lower()
    if charset == "koi8-r":
        assert read(data).get_content() == "ПРИВЕТ\n"
        assert read(data)["Subject"] == "ПРИВ"


def test_defcharset_that_is_no_name_is_told_and_not_used(box):
    box.office.set_zenv(DEFCHARSET="x y?=")
    box.conf("m n {rec} rec $u\n")
    job = box.office.post(["bob"], channel="local", header=FROM,
                          body=b"\xe4\n")
    with box.sm("m") as agent:
        said = agent.hungry().comments
        agent.run(job)
    assert "# sm: DEFCHARSET 'x y?=' is no name of a character set" in said
    assert read(box.run.input).get_content() == "ä\n"


def test_text_that_is_7bit_stays_as_it_is(box):
    header = RECEIVED + FROM + MIME + b"Content-Type: text/plain\n"
    body = b"x" * 5000 + b"\n\0\r.\nFrom x\n"
    data = got(box, "nm", header, body, "-Q")
    assert data == for_bob(header) + b"\n" + body


@pytest.mark.parametrize("flags", ["n", "n9", "n8"])
@pytest.mark.parametrize("header", [
    b"DKIM-Signature: v=1; d=example.net\n", b"ARC-Seal: i=1\n",
    b"Content-Conversion: prohibited\n",
    MIME + b"Content-Type: multipart/signed; boundary=b\n",
    MIME + b"Content-Type: multipart/encrypted; boundary=b\n",
    MIME + b"Content-Type: application/pkcs7-mime\n"])
def test_what_must_not_be_touched_is_not(box, flags, header):
    header = FROM + b"Subject: gr\xc3\xbcn\n" + header
    body = b"--b\n\nGr\xc3\xbc\xc3\x9fe\n--b--\n"
    assert got(box, flags, header, body) == header + b"\n" + body


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=c", "?",
                                  "message/partial", "message/rfc822"])
def test_what_cannot_be_understood_passes_as_it_is(box, kind):
    header = (FROM + MIME + f"Content-Type: {kind}\n".encode()
              + b"Content-Transfer-Encoding: 8bit\n")
    body = b"--b\n\nGr\xc3\xbc\xc3\x9fe\n--b--\n"
    assert got(box, "n", header, body) == header + b"\n" + body


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=b", "text/html",
                                  "image/png"])
def test_other_than_text_plain_is_converted_too(box, kind):
    header = (FROM + MIME + f"Content-Type: {kind}\n".encode()
              + b"Content-Transfer-Encoding: 8bit\n")
    body = b"--b\nContent-Type: a/b\n\nGr\xc3\xbc\xc3\x9fe\n--b--\n"
    data = got(box, "n", header, body)
    assert is_7bit(data)
    leaf = next(p for p in read(data).walk() if not p.is_multipart())
    text = leaf.get_payload(decode=True).replace(b"\r\n", b"\n")
    assert text.rstrip(b"\n") in (b"Gr\xc3\xbc\xc3\x9fe", body.rstrip(b"\n"))


def test_converted_message_is_made_for_each_recipient(box):
    deliver(box, "n", text_header(), GERMAN.encode(), rcpts="abc")
    inputs = [r.input for r in box.runs]
    assert [re.search(rb"<(\w)>;", x)[1] for x in inputs] == [
        b"a", b"b", b"c"]
    for data in inputs:
        assert read(data).get_content() == GERMAN


# ---- 8-bit mailers ----------------------------------------------------------


@pytest.mark.parametrize("flags,args", [("n8", []), ("n", ["-8"]),
                                        ("n8", ["-8"]), ("n8", ["-Q"])])
@pytest.mark.parametrize("header", [text_header(), FROM],
                         ids=["labelled", "unlabelled"])
def test_8bit_text_passes_to_a_mailer_that_takes_it(box, flags, args, header):
    data = got(box, flags, header, GERMAN.encode(), *args)
    assert data == for_bob(header) + b"\n" + GERMAN.encode()


def test_flag_8_alone_does_not_decode(box):
    header, body = text_header(encoding="quoted-printable"), b"=C3=A4\n"
    assert got(box, "n8", header, body).endswith(b"\n\n" + body)


# ---- decoding ---------------------------------------------------------------


@pytest.mark.parametrize("flags,args", [("n9", []), ("n", ["-8"]),
                                        ("n89", [])])
def test_quoted_printable_is_decoded(box, flags, args):
    body = b"Gr=C3=BC=C3=9Fe aus =\nK=c3=b6ln.  \n=2E\n=46rom x\n"
    data = got(box, flags, text_header(encoding="quoted-printable"), body,
               *args)
    head, rest = data.split(b"\n\n", 1)
    assert rest == "Grüße aus Köln.\n.\nFrom x\n".encode()
    assert b"Content-Transfer-Encoding: 8BIT\n" in head + b"\n"
    assert b"(convert rfc822-to-8bit)" in head
    assert read(data).get_content() == rest.decode()


def test_decoded_text_is_escaped_like_all_text(box):
    data = got(box, "n89EXR", text_header(encoding="quoted-printable"),
               b"=2E\n=46rom =C3=A4\n")
    assert data.split(b"\r\n\r\n", 1)[1] == \
        b"..\r\n>From \xc3\xa4\r\n"


@pytest.mark.parametrize("body", [b"=00\n", b"a=0Ab\n", b"a=0Db\n",
                                  b"xxxxxxxxx=\n" * 112 + b"\n"],
                         ids=["NUL", "LF", "CR", "long"])
def test_what_could_not_be_sent_stays_encoded(box, body):
    data = got(box, "n89", text_header(encoding="quoted-printable"), body)
    assert data.split(b"\n\n", 1)[1] == body
    assert b"(convert" not in data


def test_there_and_back_again(box):
    """What one mailer had encoded, another gets as it was sent."""
    rng = random.Random(3)
    for _ in range(8):
        text = "".join(rng.choices("aäß€. =\t\nF" + "a" * 40,
                                   k=rng.randrange(1, 3000)))
        text = re.sub(r"[ \t]+(?=\n|$)", "", text) + "\n"
        once = got(box, "n", text_header(), text.encode())
        head, body = once.split(b"\n\n", 1)
        back = got(box, "n89", head + b"\n", body)
        assert back.split(b"\n\n", 1)[1] == text.encode()


# ---- options ----------------------------------------------------------------


def test_option_Q_encodes_blanks_and_tabs(box):
    data = got(box, "n", text_header(), GERMAN.encode(), "-Q")
    body = data.split(b"\n\n", 1)[1]
    assert b" " not in body and b"\t" not in body
    assert b"Gr=C3=BC=C3=9Fe=20aus=20K=C3=B6ln=2E" not in body
    assert body.startswith(b"Gr=C3=BC=C3=9Fe=20aus=20K=C3=B6ln.\n")
    assert read(data).get_content() == GERMAN


@pytest.mark.parametrize("flags", ["n", "n8"])
def test_option_H_keeps_8bit_headers(box, flags):
    header = FROM + "Subject: grüne Bäume\n".encode()
    assert got(box, flags, header, b"x\n", "-H") == header + b"\nx\n"
    data = got(box, flags, header, b"x\n")
    assert is_7bit(data)
    assert read(data)["Subject"] == "grüne Bäume"


@pytest.mark.parametrize("flags,header,body,said", [
    ("n", text_header(), b"\xc3\xa4\n", "QP (8bit), header kept (7bit)"),
    ("n", FROM, b"\xc3\xa4\n", "UNKNOWN (8bit), header kept (7bit)"),
    ("n9", text_header(encoding="quoted-printable"), b"=C3=A4\n",
     "8BIT (decoded), header kept (7bit)"),
    ("n8", text_header(), b"\xc3\xa4\n",
     "NONE (channel-8bit), header kept (7bit)"),
    ("n", FROM + b"Subject: \xc3\xa4\n", b"x\n",
     "NONE (7bit), header converted (8bit)"),
    ("n", FROM + b"DKIM-Signature: x\nSubject: \xc3\xa4\n", b"\xc3\xa4\n",
     "NONE (dkim), header kept (dkim)")])
def test_verbose_names_the_conversion_and_why(box, flags, header, body, said):
    out = deliver(box, flags, header, body, "-v")
    lines = [c.split(": ", 1)[1] for c in out.comments if "cvt=" in c]
    assert lines == ["cvt=" + said]


# ---- batched SMTP -----------------------------------------------------------


@pytest.mark.parametrize("flags,body,is_8bit", [
    ("Bn", CZECH, False), ("Bn8", CZECH, True), ("Bn8", "x\n", False),
    ("Bn87", CZECH, False)], ids=["7bit", "8bit", "ascii", "stripped"])
def test_batch_tells_what_is_sent(box, flags, body, is_8bit):
    data = got(box, flags, text_header(), body.encode())
    mail, _, _, content = data.split(b"\n", 3)
    size = int(re.search(rb" SIZE=(\d+)", mail)[1])
    content = content.removesuffix(b".\n").replace(b"\n", b"\r\n")
    # an estimate: of line ends, and without the "for" clause
    assert 0.9 * len(content) <= size <= 1.06 * len(content) + 200
    assert (b" BODY=8BITMIME" in mail) == is_8bit
    assert is_8bit == (not is_7bit(content))


# ---- large ------------------------------------------------------------------


def test_memory_is_constant_when_a_large_body_is_encoded(box):
    env, most = lean_memory()
    path = box.office.script(
        "big", "#!/bin/sh\nwc -c\ngrep VmHWM /proc/$PPID/status >&2\n")
    box.conf(f"big nB {path} big $u\n")
    job = box.office.post(["bob"], channel="local", header=text_header(),
                          body=b"")
    line = b"\xc3\xa4" * 8 + b"x" * 47 + b"\n"  # two lines when encoded
    with open(job.message, "ab") as f:
        for _ in range(32):
            f.write(line * 16384)
    with box.sm("big", env=env) as agent:
        agent.hungry()
        out = agent.run(job)
    assert int(out.report.message) > 32 * 16384 * (8 * 6 + 47)
    assert int(re.search(r"VmHWM:\s*(\d+) kB", out.text)[1]) < most

"""
smtp(8): which way 8-bit mail takes. Sections "Conversion" and the options -7,
-8, -H and -O unconvertible of its manual.
"""

import base64
import email
import email.header
import email.policy
import email.utils

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import attemptfile
from mailway import got
from smtpcheck import HOST, settled

FROM = b"From: alice@example.net\nSubject: test\n"
RECEIVED = (b"Received: from a by b id <S1>;\n"
            b"\tMon, 1 Jan 2024 00:00:00 +0000\n")
MIME = b"MIME-Version: 1.0\n"
TEXT = (MIME + b"Content-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: 8bit\n")
QP = TEXT.replace(b"8bit", b"quoted-printable")
GERMAN = "Grüße aus Köln, sagt man.\n".encode()
EIGHT, BINARY = ["8BITMIME"], ["8BITMIME", "CHUNKING", "BINARYMIME"]
THREE = "three.plain.example"       # three exchangers, in this order
SIGNED = b"DKIM-Signature: v=1\n" + FROM


def send(office, smtp, server, header, body, *options):
    """One message; what the server got of it."""
    job = office.post(header=header, body=body)
    out = smtp(server, *options).run(job, HOST)
    assert out.report.status == "ok3", out.text
    return server.messages[-1]


def read(message):
    m = email.message_from_bytes(message.lines,
                                 policy=email.policy.default)
    assert m.defects == []
    return m


# ---- switches ---------------------------------------------------------------


@pytest.mark.parametrize("options,keywords,what", [
    ([], [], "QP"), (["-7"], EIGHT, "QP"), (["-77"], EIGHT, "QP"),
    (["-8", "-7"], EIGHT, "QP"), ([], EIGHT, "8bit"), (["-8"], EIGHT, "8bit"),
    (["-7", "-8"], EIGHT, "8bit"), (["-8"], [], "8bit"),
    (["-77", "-8"], [], "8bit")])
def test_8bit_text_goes_as_the_last_of_the_switches_says(
        office, smtp, smtpd, options, keywords, what):
    server = smtpd(keywords=keywords, allow=["8bit"])
    message = send(office, smtp, server, FROM + TEXT, GERMAN, *options)
    m = read(message)
    assert m.get_content() == GERMAN.decode()
    assert message.content.isascii() == (what == "QP")
    assert m["Content-Transfer-Encoding"].lower() == (
        "quoted-printable" if what == "QP" else "8bit")


@pytest.mark.parametrize("options,keywords,is_decoded", [
    (["-8"], EIGHT, True), (["-8"], [], True), (["-77", "-8"], [], True),
    ([], EIGHT, False), ([], [], False), (["-7"], EIGHT, False),
    (["-8", "-7"], EIGHT, False)])
def test_quoted_printable_is_decoded_with_8_alone(
        office, smtp, smtpd, options, keywords, is_decoded):
    server = smtpd(keywords=keywords, allow=["8bit"])
    body = b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln, sagt man=\n.\n"
    message = send(office, smtp, server, RECEIVED + FROM + QP, body, *options)
    assert read(message).get_content() == GERMAN.decode()
    assert (message.body == GERMAN) == is_decoded
    assert (b"(convert rfc822-to-8bit)" in message.header) == is_decoded


@pytest.mark.parametrize("keywords", [[], EIGHT])
def test_8bit_that_is_7bit_is_labelled_so(office, smtp, smtpd, keywords):
    message = send(office, smtp, smtpd(keywords=keywords), FROM + TEXT, b"x\n")
    assert message.body == b"x\n"
    label = read(message)["Content-Transfer-Encoding"]
    assert label.lower() == ("8bit" if keywords else "7bit")


@pytest.mark.parametrize("text,charset", [
    ("Grüße\n".encode(), "utf-8"), ("Grüße\n".encode("latin-1"), "koi8-r")])
def test_mail_without_mime_gets_it(office, smtp, smtpd, text, charset):
    """RFC 1428."""
    office.set_zenv(DEFCHARSET="KOI8-R")
    m = read(send(office, smtp, smtpd(keywords=[]), FROM, text))
    assert m["MIME-Version"] == "1.0" and m["X-Warning"]
    assert m.get_content_charset() == charset
    assert m.get_payload(decode=True).replace(b"\r\n", b"\n") == text


@pytest.mark.parametrize("options", [[], ["-H"]])
def test_8bit_headers_are_encoded_unless_H(office, smtp, smtpd, options):
    header = ("Received: from ä (Köln) by b; Mon, 1 Jan 2024 00:00:00 GMT\n"
              'From: "Jörn Ä." <alice@example.net>\n'
              "Subject: Grüße  aus\n Köln\nX-Other: ß\n").encode()
    kind = 'Content-Type: text/plain; name="Übersicht.txt"\n'.encode()
    for keywords in ([], EIGHT):
        server = smtpd(keywords=keywords, allow=["8bit"])
        message = send(office, smtp, server, header + MIME + kind, b"x\n",
                       *options)
        if options:
            header = header.replace(
                b"; Mon", b" for <bob@example.com>;\n        Mon")
            assert message.header == header + MIME + kind
            continue
        m = read(message)
        assert m["Subject"] == "Grüße  aus Köln"
        assert email.utils.parseaddr(str(m["From"])) == (
            "Jörn Ä.", "alice@example.net")
        assert m.get_filename() == "Übersicht.txt"


def test_received_names_the_only_recipient(office, smtp, smtpd):
    server = smtpd()
    assert b"S1> for <bob@example.com>;" in send(
        office, smtp, server, RECEIVED + FROM, b"x\n").header
    job = office.post(["a@x.example", "b@x.example"], header=RECEIVED)
    smtp(server).run(job, HOST)
    assert b" for " not in server.messages[-1].header
    office.set_zenv(NORECEIVEDFORCLAUSE="1")
    assert b" for " not in send(office, smtp, server, RECEIVED, b"").header


def test_tabs_of_the_header(office, smtp, smtpd):
    server = smtpd()
    assert send(office, smtp, server, b"A:\tb\n", b"\t\n").lines == (
        b"A:      b\n\n\t\n")
    assert send(office, smtp, server, SIGNED + b"A:\tb\n", b"").header == (
        SIGNED + b"A:\tb\n")
    office.set_zenv(RFC822TABS="1")
    assert send(office, smtp, server, b"A:\tb\n", b"").header == b"A:\tb\n"


def test_long_lines(office, smtp, smtpd):
    """Folded in a header, encoded in a text, left alone where it is signed."""
    words = b"X: " + b"word " * 1000 + b"end\n"
    line = b"x" * 2000 + b"\n"
    server = smtpd(keywords=EIGHT)
    message = send(office, smtp, server, FROM + words, line)
    assert max(map(len, message.lines.split(b"\n"))) <= 998
    m = read(message)
    assert m["X"] == words[3:-1].decode()
    assert m.get_content() == line.decode()
    server = smtpd(keywords=EIGHT, allow=["long-line"])
    message = send(office, smtp, server, SIGNED + words, line)
    assert message.lines == SIGNED + words + b"\n" + line


# ---- what must not be changed -----------------------------------------------

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sign(header: bytes, body: bytes, method: bytes) -> bytes:
    """The header with a signature on top, for the body with CRLF."""
    pem = KEY.private_bytes(serialization.Encoding.PEM,
                            serialization.PrivateFormat.TraditionalOpenSSL,
                            serialization.NoEncryption())
    wire = (header + b"\n" + body).replace(b"\n", b"\r\n")
    return dkim.sign(wire, b"s", b"example.net", pem,
                     canonicalize=(method, method)).replace(
                         b"\r\n", b"\n") + header


def verifies(data: bytes) -> bool:
    der = KEY.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)
    return dkim.verify(data, dnsfunc=lambda *_, **__: record)


@pytest.mark.parametrize("method", [b"simple", b"relaxed"])
@pytest.mark.parametrize("options,keywords", [
    ([], EIGHT), (["-8"], EIGHT), ([], BINARY), ([], []), (["-7"], EIGHT)])
def test_signed_mail_still_verifies(office, smtp, smtpd, options, keywords,
                                    method):
    header = (b"From: alice@example.net\nSubject: Gr\xc3\xbc\xc3\x9fe\n"
              b"To: bob\n\t<bob@example.com>\n" + TEXT)
    server = smtpd(keywords=keywords, allow=["8bit"])
    for head in (b"", RECEIVED):
        for kind, body in ((header, GERMAN), (header, b"plain\n"),
                           (header.replace(b"8bit", b"quoted-printable"),
                            b"a=C3=A4  b=\nc\n")):
            message = send(office, smtp, server,
                           head + sign(kind, body, method), body, *options)
            assert verifies(message.content)


# ---- several hosts ----------------------------------------------------------


@pytest.fixture
def signed(office, monkeypatch):
    """All mail of this test is signed and has 8-bit bytes."""
    plain = office.post

    def make(*args, **how):
        return plain(*args, **how, header=SIGNED, body=GERMAN)

    monkeypatch.setattr(office, "post", make)


def test_host_that_takes_8bit_is_looked_for(mail, hosts, signed):
    servers = hosts(1, 2, 3, keywords={1: [], 2: EIGHT, 3: EIGHT})
    way = mail(THREE, port=servers[1].port)
    assert way.report.status == "ok3"
    assert got(servers) == [2]
    assert servers[2].messages[0].mail.params["BODY"] == "8BITMIME"
    assert servers[2].messages[0].body == GERMAN


@pytest.mark.parametrize("up", [[1, 2, 3], [1, 2], [1], [2]])
def test_first_host_gets_it_raw_if_none_takes_8bit(mail, hosts, signed, up):
    servers = hosts(*up, keywords=[], allow=["8bit"])
    way = mail(THREE, port=servers[up[0]].port)
    assert way.report.status == "ok3", way.out.text
    assert len(got(servers)) == 1
    message = servers[got(servers)[0]].messages[0]
    assert message.body == GERMAN and message.mail.params == {}
    assert way.record["conversion"] == "NONE"
    assert way.record["plan"]["reason"] == "dkim"


def test_it_fails_if_that_is_wanted(mail, hosts, signed):
    servers = hosts(1, 2, 3, keywords=[])
    way = mail(THREE, "-O", "unconvertible=fail", port=servers[1].port)
    assert way.report.status == "error2" and got(servers) == []
    assert way.notary.code == "5.6.3" and way.reason == "unconvertible"
    settled(way.job, "-")


def test_host_that_is_down_might_have_taken_it(mail, hosts, signed):
    """A failure is only said when all hosts were heard."""
    servers = hosts(1, 3, keywords=[])
    way = mail(THREE, "-O", "unconvertible=fail", port=servers[1].port)
    assert way.report.status.startswith("defer") and got(servers) == []
    settled(way.job, " ")


def test_greylisting_host_that_takes_8bit_is_waited_for(mail, hosts, signed):
    servers = hosts(1, 2, keywords={1: [], 2: EIGHT},
                    script={2: {"RCPT": "451 4.7.1 later"}})
    way = mail(THREE, port=servers[1].port)
    assert way.report.status.startswith("defer") and got(servers) == []


# ---- binary -----------------------------------------------------------------

BLOB = bytes(range(256)) * 300 + b"\r\n.\r\r\n\n\0"


def binary_mail():
    header = FROM + MIME + (b"Content-Type: multipart/mixed; boundary=b\n"
                            b"Content-Transfer-Encoding: binary\n")
    body = (b"--b\nContent-Type: text/plain; charset=utf-8\n"
            b"Content-Transfer-Encoding: 8bit\n\n" + GERMAN
            + b"\n--b\nContent-Type: application/octet-stream\n"
            b"Content-Transfer-Encoding: binary\n\n" + BLOB + b"\n--b--\n")
    return header, body


def test_binary_parts_keep_every_byte(office, smtp, smtpd):
    server = smtpd(keywords=BINARY, allow=["nul", "bare-cr", "bare-lf",
                                           "long-line"])
    message = send(office, smtp, server, *binary_mail())
    assert message.by == "BDAT"
    assert message.mail.params["BODY"] == "BINARYMIME"
    assert BLOB + b"\r\n--b--\r\n" in message.content
    assert b"\r\n" + GERMAN.replace(b"\n", b"\r\n") in message.content


@pytest.mark.parametrize("keywords", [[], EIGHT, ["CHUNKING"],
                                      ["8BITMIME", "BINARYMIME"]])
def test_binary_parts_are_base64_elsewhere(office, smtp, smtpd, keywords):
    server = smtpd(keywords=keywords)
    message = send(office, smtp, server, *binary_mail())
    assert message.content.isascii() == ("8BITMIME" not in keywords)
    m = email.message_from_bytes(message.lines,
                                 policy=email.policy.default)
    text, blob = m.iter_parts()
    assert blob.get_payload(decode=True) == BLOB
    assert text.get_content() == GERMAN.decode()


def test_binary_that_is_refused_after_all(office, smtp, smtpd):
    server = smtpd(keywords=BINARY, lies={"8BITMIME": "555 5.5.4 no"})
    message = send(office, smtp, server, *binary_mail())
    assert message.content.isascii() and message.mail.params == {}
    m = email.message_from_bytes(message.lines,
                                 policy=email.policy.default)
    assert list(m.iter_parts())[1].get_payload(decode=True) == BLOB


# ---- the record -------------------------------------------------------------


def test_record_tells_the_plan(office, smtp, smtpd):
    path = office.base / "attempts"
    header, body = binary_mail()
    send(office, smtp, smtpd(keywords=EIGHT), header, body,
         "-O", f"attempts={path}")
    record = attemptfile.parse(path.read_bytes().splitlines()[-1])
    assert record["conversion"] == "MPQP"
    assert record["plan"] == {
        "reason": "binary", "part": 2, "header": "7bit", "n_parts": 3,
        "parts": ["0 multipart/mixed binary relabel (relabelled)",
                  "1 text/plain 8bit keep (7bit)",
                  "2 application/octet-stream binary base64 (binary)"]}


def test_plan_is_made_anew_for_each_server(office, smtp, smtpd):
    """What one server refuses was converted for it alone."""
    server = smtpd(keywords=EIGHT, lies={"8BITMIME": "555 5.5.4 no"})
    message = send(office, smtp, server, FROM + TEXT, GERMAN)
    assert message.content.isascii()
    assert read(message).get_content() == GERMAN.decode()
    assert [c for c in server.commands() if "BODY=" in c] == [
        "MAIL FROM:<alice@example.net> BODY=8BITMIME"]

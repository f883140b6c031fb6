"""
The examples of the MIME RFCs themselves: as they stand they pass any server
unchanged; with 8-bit text for what they have encoded, or between what they
show, they arrive at a server of 7 bits meaning the same.
"""

import email
import email.header
import email.policy
import email.utils

import pytest

from smtpcheck import HOST

TOP = b"From: a@example.net\nMIME-Version: 1.0\n"
RECEIVED = b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n"
EIGHT = ["PIPELINING", "8BITMIME"]

# RFC 2046 5.1.1: a prologue and an epilogue, a part that says no type and one
# that does, the first without a line end of its own, the second with one.
SIMPLE = (TOP + b'Content-type: multipart/mixed; boundary="simple boundary"\n',
          b"This is the preamble.\n\n--simple boundary\n\n"
          b"%s It does NOT end with a linebreak.\n--simple boundary\n"
          b"Content-type: text/plain; charset=%s\n\n"
          b"%s It DOES end with a linebreak.\n\n--simple boundary--\n\n"
          b"This is the epilogue.\n")
# RFC 2046 5.1.5: a digest, in a mixed one, of messages that say no type.
DIGEST = (TOP + b'Content-Type: multipart/mixed; boundary="---- main'
          b' boundary ----"\n',
          b"------ main boundary ----\n\n%s...\n"
          b"------ main boundary ----\nContent-Type: multipart/digest;\n"
          b'\tboundary="---- next message ----"\n\n'
          b"------ next message ----\n\nFrom: someone-else\n"
          b"Subject: my opinion\n\n%s\n"
          b"------ next message ----\n\nFrom: someone-else-again\n"
          b"Subject: my different opinion\n\n%s\n"
          b"------ next message ------\n\n------ main boundary ------\n")
# RFC 2049 appendix A: five parts, one parallel, one an enclosed message.
COMPLEX = (TOP + b"Subject: A multipart example\nContent-Type:"
           b" multipart/mixed;\n              boundary=unique-boundary-1\n",
           b"This is the preamble area.\n--unique-boundary-1\n\n%s ... \n"
           b"--unique-boundary-1\n"
           b"Content-type: text/plain; charset=%s\n\n"
           b"This could have been part of the previous part.\n"
           b"--unique-boundary-1\n"
           b"Content-Type: multipart/parallel; boundary=unique-boundary-2\n\n"
           b"--unique-boundary-2\nContent-Type: audio/basic\n"
           b"Content-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n\n"
           b"--unique-boundary-2\nContent-Type: image/jpeg\n"
           b"Content-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n\n"
           b"--unique-boundary-2--\n\n--unique-boundary-1\n"
           b"Content-type: text/enriched\n\nThis is <bold>enriched.</bold>\n"
           b"<smaller>as defined in RFC 1896</smaller>\n\n%s\n"
           b"--unique-boundary-1\nContent-Type: message/rfc822\n\n"
           b"From: (mailbox in US-ASCII)\nTo: (address in US-ASCII)\n"
           b"Subject: (subject in US-ASCII)\n"
           b"Content-Type: Text/plain; charset=ISO-8859-1\n"
           b"Content-Transfer-Encoding: Quoted-printable\n\n"
           b"  ... Additional text in ISO-8859-1 goes here ...\n\n"
           b"--unique-boundary-1--\n")
MULTIPARTS = {"simple": SIMPLE, "complex": COMPLEX, "digest": DIGEST}


def filled(name, word, charset=b"us-ascii"):
    header, body = MULTIPARTS[name]
    words = (word, word, word) if name == "digest" else (word, charset, word)
    return header, body % words


def send(office, smtp, server, header, body, *options):
    office.set_zenv(RFC822TABS="1")
    out = smtp(server, *options).run(office.post(header=header, body=body),
                                     HOST)
    assert out.report.status == "ok3", out.text
    return server.messages[-1]


def texts(data):
    return [(p.get_content_type(), p.get_payload(decode=True), p.preamble,
             p.epilogue) for p in email.message_from_bytes(data).walk()]


@pytest.mark.parametrize("keywords", [[], EIGHT])
@pytest.mark.parametrize("name", MULTIPARTS)
def test_multiparts_pass_as_they_stand(office, smtp, smtpd, name, keywords):
    header, body = filled(name, b"plain")
    message = send(office, smtp, smtpd(keywords=keywords), header, body)
    assert message.lines == header + b"\n" + body


@pytest.mark.parametrize("name", MULTIPARTS)
def test_multiparts_with_8bit_text_mean_the_same(office, smtp, smtpd, name):
    header, body = filled(name, "schöne Grüße".encode(), b"utf-8")
    message = send(office, smtp, smtpd(keywords=[]), header, body)
    assert message.content.isascii()
    assert texts(message.lines) == texts(header + b"\n" + body)


def test_quoted_printable(office, smtp, smtpd):
    """RFC 2045 6.7: one line in three."""
    head = (RECEIVED + TOP + b"Content-Type: text/plain\n"
            b"Content-Transfer-Encoding: quoted-printable\n")
    body = (b"Now's the time =\nfor all folk to come=\n"
            b" to the aid of their country.\n")
    server = smtpd(keywords=EIGHT)
    assert send(office, smtp, server, head, body).body == body
    assert send(office, smtp, server, head, body, "-8").body == (
        b"Now's the time for all folk to come to the aid of their country.\n")


# RFC 2047 8: what the header fields say, which is what we are given.
NAMES = ["Keith Moore", "Keld Jørn Simonsen", "André", "Olle Järnefors",
         "Patrik Fältström"]


@pytest.mark.parametrize("name", NAMES)
def test_names(office, smtp, smtpd, name):
    for text in (name.encode(), name.encode("latin-1")):
        header = (b"From: " + text + b" <user@example.com>\nTo: " + text
                  + b" <a@b>, c@d (" + text + b")\nSubject: " + text + b"\n")
        message = send(office, smtp, smtpd(keywords=EIGHT), header, b"x\n")
        assert message.content.isascii()
        m = email.message_from_bytes(message.lines,
                                     policy=email.policy.default)
        assert m["From"].addresses[0].display_name == name
        assert [a.addr_spec for a in m["To"].addresses] == ["a@b", "c@d"]
        assert m["Subject"] == name


# RFC 2047 8: encoded-words that stand in a comment, and how it reads.
SHOWN = [("(ä)", "(ä)"), ("(ä b)", "(ä b)"), ("(ä ö)", "(ä ö)"),
         ("(ä  ö)", "(ä  ö)"), ("(äö)", "(äö)")]


@pytest.mark.parametrize("given,shown", SHOWN)
def test_blanks_between_words(office, smtp, smtpd, given, shown):
    message = send(office, smtp, smtpd(keywords=[]),
                   b"To: a@b " + given.encode() + b"\n", b"x\n")
    field = email.message_from_bytes(message.lines)["To"]
    assert str(email.header.make_header(email.header.decode_header(
        field))) == "a@b " + shown


# RFC 2231 3, 4 and 4.1.
PARAMETERS = [
    b'message/external-body; access-type=URL;\n URL*0="ftp://";\n'
    b' URL*1="cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"\n',
    b"application/x-stuff;\n"
    b" title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A\n",
    b"application/x-stuff;\n"
    b" title*0*=us-ascii'en'This%20is%20even%20more%20;\n"
    b' title*1*=%2A%2A%2Afun%2A%2A%2A%20;\n title*2="isn\'t it!"\n']


@pytest.mark.parametrize("keywords", [[], EIGHT])
@pytest.mark.parametrize("value", PARAMETERS)
def test_parameters_that_are_extended_stay(office, smtp, smtpd, value,
                                           keywords):
    header = TOP + b"Subject: \xc3\xa4\nContent-Type: " + value
    message = send(office, smtp, smtpd(keywords=keywords), header, b"x\n")
    assert b"Content-Type: " + value in message.header
    assert b"Subject: =?" in message.header


def test_parameters_that_are_not_are_extended(office, smtp, smtpd):
    title = "This is even more ***fün*** isn't it!"
    header = TOP + ('Content-Type: application/x-stuff; title="%s"\n'
                    % title).encode()
    m = email.message_from_bytes(
        send(office, smtp, smtpd(keywords=[]), header, b"x\n").lines)
    assert email.utils.collapse_rfc2231_value(
        m.get_param("title")) == title

"""
Mail that is odd, broken or meant to break what reads it, over channels of
every kind: nothing gets worse than it was, and what goes out is always what
the channel takes. Python's email package reads what arrived.
"""

import base64
import email
import email.policy
import json
import re

import pytest

import parts
from mailers import Mailers
from smtpcheck import HOST

MIME = b"Subject: x\nMIME-Version: 1.0\n"
UE = "Grüße aus Köln\n".encode()
C8 = b"Content-Transfer-Encoding: 8bit\n"
WIDE = "Grüße\nਊ漢\n".encode("utf-16")
PNG = bytes(c for c in range(256)) * 5


def multi(*bodies, boundary=b"b", said=None, end=b"--", kind=b"mixed",
          before=b"", after=b"", head=b""):
    """A multipart's (header lines, body), each body with its own header."""
    said = boundary if said is None else said
    body = before + b"".join(b"--" + boundary + b"\n" + one + b"\n"
                             for one in bodies)
    if end is not None:
        body += b"--" + boundary + end + b"\n"
    return (b"Content-Type: multipart/" + kind + b"; boundary=" + said + b"\n"
            + head, body + after)


def part(text=UE, kind=b"text/plain; charset=utf-8", head=C8):
    return b"Content-Type: " + kind + b"\n" + head + b"\n" + text


def entity(pair):
    return pair[0] + b"\n" + pair[1]


def nest(depth, inner):
    made = inner
    for i in range(depth):
        made = entity(multi(made, part(), boundary=b"n%d" % i))
    head, _, body = made.partition(b"\n\n")
    return head + b"\n", body


def messages(depth, inner):
    made = inner
    for i in range(depth):
        made = (b"Content-Type: message/rfc822\n" + C8 + b"\n"
                b"Subject: %d\nMIME-Version: 1.0\n" % i + made)
    head, _, body = made.partition(b"\n\n")
    return head + b"\n", body


TEXT = b"Content-Type: text/plain; charset=utf-8\n"
SIGNED = multi(part(), part(b"sig\n", b"application/pgp-signature", b""),
               boundary=b"s", kind=b"signed")
CASES = {
    # boundaries
    "prefix": multi(entity(multi(part(), boundary=b"bb")), part()),
    "prefix outer": multi(entity(multi(part(), boundary=b"b")), part(),
                          boundary=b"bb"),
    "dash prefix": multi(entity(multi(part(), boundary=b"b--")), part()),
    "same twice": multi(entity(multi(part())), part()),
    "no end": multi(part(), part(), end=None),
    "no end nested": multi(entity(multi(part(), boundary=b"i", end=None)),
                           part()),
    "no end at all": multi(entity(multi(part(), boundary=b"i", end=None)),
                           end=None),
    "quoted": multi(part(), boundary=b"=_x y", said=b'"=_x y"'),
    "quoted pair": multi(part(), boundary=b"a\"b", said=b'"a\\"b"'),
    "folded": multi(part(), said=b"\n\tb\n ; x=y"),
    "2231": multi(part(), said=b"b; boundary*=us-ascii''c"),
    "2231 alone": (b"Content-Type: multipart/mixed; boundary*=us-ascii''b\n",
                   multi(part())[1]),
    "2231 continued": (b"Content-Type: multipart/mixed; boundary*0=b;"
                       b" boundary*1=c\n", multi(part(), boundary=b"bc")[1]),
    "comment": multi(part(), said=b"(one) b (two)"),
    "two boundaries": multi(part(), said=b"b; boundary=c"),
    "no boundary": (b"Content-Type: multipart/mixed\n", multi(part())[1]),
    "empty boundary": (b'Content-Type: multipart/mixed; boundary=""\n',
                       b"--\n\n" + UE + b"----\n"),
    "long boundary": multi(part(), boundary=b"x" * 70),
    "too long boundary": multi(part(), boundary=b"x" * 71),
    "8bit boundary": multi(part(), boundary=b"\xc3\xbc", said=b'"\xc3\xbc"'),
    "blanks behind": multi(part(), boundary=b"b", end=b"-- \t"),
    "blanks behind all": multi(part(), boundary=b"b \t ", said=b"b"),
    "boundary with blank": multi(part(), boundary=b"b ", said=b'"b "'),
    "boundary never": (b"Content-Type: multipart/mixed; boundary=b\n", UE),
    "parts after the end": multi(part(), after=b"--b\n\n" + UE + b"--b--\n"),
    "8bit between": multi(part(), before=UE, after=UE),
    "delimiter in text": multi(part(b"--b-\n--bb\n-- b\n--\n" + UE)),
    "crlf": tuple(x.replace(b"\n", b"\r\n") for x in multi(part(), part())),
    "crlf mixed": (multi()[0], multi(part(), part())[1].replace(
        b"\n--b", b"\r\n--b")),
    "cr delimiters": (multi()[0], multi(part(), part())[1].replace(
        b"\n--b", b"\r--b")),
    "cr hides an end": multi(part(b"x\r--b--\r" + UE), part()),
    # nesting
    "100 deep": nest(100, part()),
    "63 deep": nest(63, part()),
    "64 deep": nest(64, part()),
    "messages": messages(30, TEXT + C8 + b"\n" + UE),
    "messages 100": messages(100, TEXT + C8 + b"\n" + UE),
    "5000 parts": multi(*[part(b"\xc3\xbc%d\n" % i) for i in range(5000)]),
    "4000 parts": multi(*[part(b"\xc3\xbc%d\n" % i) for i in range(4000)]),
    # parts
    "header only": multi(b"Content-Type: text/plain\nX-Y: z", part()),
    "header only 8bit": multi(b"X-Y: \xc3\xbc", part()),
    "no header": multi(b"\n" + UE, part()),
    "nothing": multi(b"", b"", part()),
    "empty body": multi(part(b""), part(b"\n"), part()),
    "no header, no empty line": multi(UE.strip(), part()),
    "digest": multi(b"\nSubject: \xc3\xbc\nMIME-Version: 1.0\n" + TEXT + C8
                    + b"\n" + UE, part(), kind=b"digest"),
    "digest old": multi(b"\nSubject: \xc3\xbc\n\n" + UE, kind=b"digest"),
    "digest text": multi(part(), kind=b"digest"),
    "partial": (b"Content-Type: message/partial; id=x; number=1\n" + C8,
                b"Subject: \xc3\xbc\n\n" + UE),
    "partial part": multi(part(b"Subject: y\n\n" + UE, b"message/partial")),
    "external": multi(part(b"Content-Type: text/plain\n\n\xc3\xbc\n",
                           b"message/external-body; access-type=x")),
    "delivery-status": multi(part(b"Reporting-MTA: dns;x\n\nX: \xc3\xbc\n",
                                  b"message/delivery-status"), part()),
    "global": multi(part(b"Subject: \xc3\xbc\n\n" + UE, b"message/global")),
    "signed in mixed": multi(entity(SIGNED), part()),
    "signed": SIGNED,
    "signed 7bit in mixed": multi(entity(multi(
        part(b"x\n", head=b""), part(b"sig\n", b"application/x", b""),
        boundary=b"s", kind=b"signed")), part()),
    "smime": (b"Content-Type: application/pkcs7-mime; name=smime.p7m\n" + C8,
              UE),
    "smime base64": (b"Content-Type: application/pkcs7-mime; name=smime.p7m\n"
                     b"Content-Transfer-Encoding: base64\n",
                     base64.encodebytes(PNG)),
    "smime part": multi(part(UE, b"application/x-pkcs7-mime"), part()),
    "encoded multipart": (multi()[0] + b"Content-Transfer-Encoding: base64\n",
                          base64.encodebytes(multi(part())[1])),
    "qp multipart": (multi()[0] +
                     b"Content-Transfer-Encoding: quoted-printable\n",
                     multi(part())[1]),
    "inner dkim": multi(part(b"DKIM-Signature: v=1\n" + MIME + C8 + b"\n" + UE,
                             b"message/rfc822"), part()),
    # texts
    "pgp inline": (TEXT + C8, b"-----BEGIN PGP SIGNED MESSAGE-----\n"
                   b"Hash: SHA1\n\n- --\n" + UE + b"-----BEGIN PGP SIGNATURE"
                   b"-----\n\nabc=\n-----END PGP SIGNATURE-----\n"),
    "flowed": (b"Content-Type: text/plain; charset=utf-8; format=flowed;"
               b" delsp=yes\n" + C8, b"> a \n> b\n" + UE + b"-- \nx  \n\t\n"),
    "blanks": (TEXT + C8, b"\xc3\xbc \n \n\t\n  \nx\t \r\n \r\n"),
    "lone cr": (TEXT + C8, b"\xc3\xbc\r\r\n\rx\r"),
    "nul": (TEXT + C8, b"\0\xc3\xbc\0\n\0.\n.\0\n\0"),
    "nul alone": (TEXT, b"a\0b\n"),
    "nul in part": multi(part(b"a\0b\n", head=b""), part()),
    "nul in prologue": multi(part(), before=b"a\0b\n"),
    "nul in delimiter": (multi()[0], multi(part(), part())[1].replace(
        b"--b\n", b"--\0b\n")),
    "nul in a part's header": multi(b"Content-\0Type: text/plain\n\n" + UE),
    "998": (TEXT, b"x" * 998 + b"\n"), "999": (TEXT, b"x" * 999 + b"\n"),
    "1000": (TEXT, b"x" * 1000 + b"\r\n"),
    "998 crlf": (TEXT, b"x" * 998 + b"\r\n"),
    "999 in part": multi(part(b"x" * 999 + b"\n")),
    "999 in html": multi(part(b"x" * 999 + b"\n", b"text/html", b"")),
    "999 base64": multi(part(base64.b64encode(PNG) + b"\n", b"image/png",
                             b"Content-Transfer-Encoding: base64\n"), part()),
    "999 qp": (TEXT + b"Content-Transfer-Encoding: quoted-printable\n",
               b"=C3=BC" * 300 + b"\n"),
    "long prologue": multi(part(), before=b"x" * 3000 + b"\n"),
    "long part header": multi(part(head=b"X-Long: " + b"word " * 400 + b"\n"
                                   + C8)),
    "8bit part header": multi(part(
        head=C8 + b"Content-Description: \xc3\xbc\n"
        b"Content-Disposition: x; filename=\xc3\xbc\n")),
    "8bit in part id": multi(part(head=C8 + b"Content-ID: <\xc3\xbc@y>\n")),
    "8bit name": multi(part(head=C8 + b"X-\xc3\xbc: y\n")),
    "8bit type": multi(part(kind=b"text/\xc3\xbc")),
    "latin as utf-8": (TEXT + C8, "Grüße\n".encode("latin-1")),
    "utf-16": (b"Content-Type: text/plain; charset=utf-16\n" + C8, WIDE),
    "utf-16 binary": (b"Content-Type: text/plain; charset=utf-16\n"
                      b"Content-Transfer-Encoding: binary\n", WIDE),
    "utf-16 part": multi(part(WIDE, b"text/plain; charset=UTF-16LE"), part()),
    "binary as text": multi(part(PNG), part()),
    "binary labelled": multi(part(
        PNG, b"image/png", b"Content-Transfer-Encoding: binary\n"), part()),
    "binary and signed": multi(part(
        PNG, b"image/png", b"Content-Transfer-Encoding: binary\n"),
        entity(SIGNED)),
    "binary alone": (b"Content-Type: image/png\n"
                     b"Content-Transfer-Encoding: binary\n", PNG),
    "image 8bit": (b"Content-Type: image/png\n" + C8,
                   PNG.replace(b"\0", b"").replace(b"\r", b"")),
    # encodings
    "two encodings": (TEXT + C8 + b"Content-Transfer-Encoding: 7bit\n", UE),
    "two types": (TEXT + TEXT + C8, UE),
    "two types in part": multi(part(head=TEXT + C8), part()),
    "unknown": (TEXT + b"Content-Transfer-Encoding: x-uu\n", UE),
    "unknown part": multi(part(head=b"Content-Transfer-Encoding: x-uu\n"),
                          part()),
    "case": (TEXT + b"CONTENT-transfer-ENCODING:8Bit (x)\n", UE),
    "quoted encoding": (TEXT + b'Content-Transfer-Encoding: "8bit"\n', UE),
    "utf8 encoding": (TEXT + b"Content-Transfer-Encoding: utf-8\n", UE),
    "7bit that is not": (TEXT + b"Content-Transfer-Encoding: 7bit\n", UE),
    "7bit parts that are not": multi(part(
        head=b"Content-Transfer-Encoding: 7bit\n"), part(head=b"")),
    "base64 junk": (TEXT + b"Content-Transfer-Encoding: base64\n",
                    b"R3LD\xbcw5/D*(n\xff)=\n"),
    "base64 part junk": multi(part(b"R3L\xffD\n", head=b"Content-Transfer-"
                                   b"Encoding: base64\n"), part()),
    "qp 8bit": (TEXT + b"Content-Transfer-Encoding: quoted-printable\n",
                b"=C3=BC \xc3\xbc =zz = \nx="),
    # whole messages
    "no version": multi(part()),
    "empty": (TEXT + C8, b""),
    "no final": (TEXT + C8, UE.strip()),
    "no final part": (multi()[0], multi(part())[1].strip()),
    "dkim l": (b"DKIM-Signature: v=1; c=simple/simple; l=3; h=x; b=y\n" + TEXT
               + C8, UE),
    "arc": (b"ARC-Seal: i=1\nARC-Message-Signature: i=1\n"
            b"ARC-Authentication-Results: i=1\n" + TEXT + C8, UE),
    "dots": (TEXT + C8, b".\n..\n.\xc3\xbc\n\n.\r\n.\r.\n"),
    "from": (TEXT + C8, b"From x\nFrom \xc3\xbc\n>From\n"),
    "dashes": multi(part(b"-\n--\n--b\xc3\xbc\n-----\n" + UE)),
    "old": (None, UE), "old dots": (None, b".\n" + UE),
    "old type": (None, UE),
    "type alone": (None, UE),
}
OLD = {"old": b"", "old dots": b"", "old type": b"Content-Type: text\n",
       "type alone": b"Content-Type: text/plain; charset=utf-8\n"}


def raw(name):
    head, body = CASES[name]
    if head is None:
        return b"Subject: x\n" + OLD[name], body
    if name == "no version":
        return b"Subject: x\n" + head, body
    nl = b"\r\n" if b"\r\n" in head else b"\n"
    return MIME.replace(b"\n", nl) + head, body


WAYS = {
    "7bit": ([], ["PIPELINING", "SIZE"]),
    "chunks": ([], ["PIPELINING", "CHUNKING"]),
    "-7": (["-7"], ["PIPELINING", "8BITMIME", "SMTPUTF8"]),
    "8bit": ([], ["PIPELINING", "8BITMIME", "SIZE"]),
    "binary": ([], ["PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME",
                    "SIZE"]),
    "7 binary": ([], ["PIPELINING", "CHUNKING", "BINARYMIME"]),
    "-7 binary": (["-7"], ["PIPELINING", "8BITMIME", "CHUNKING",
                           "BINARYMIME"]),
    "-8": (["-8"], ["PIPELINING"]),
    "-8 8bit": (["-8"], ["PIPELINING", "8BITMIME"]),
    "-H": (["-H"], ["PIPELINING"]),
}
NARROW = {"7bit", "chunks", "-7", "7 binary", "-7 binary"}
# Reasons that say why 8-bit bytes, or long lines, had to stay.
EXCUSES = {"dkim", "arc", "signed", "encrypted", "smime", "bad-content-type",
           "ambiguous", "other-encoding", "no-mime-version", "encoded",
           "bad-part-header", "bad-boundary", "no-parts", "too-deep",
           "too-many-parts", "other-message", "8bit-between-parts",
           "8bit-part-header", "channel-binary", "no-received"}
# What Python's package does not know, or reads otherwise than RFC 5322, which
# knows one line end: checked by themselves below.
ELSEWHERE = {"comment", "global", "lone cr", "cr delimiters",
             "cr hides an end"}


def cleaned(data):
    """As the last filter leaves what is not converted."""
    return re.sub(rb"\r\n?", b"\n", data.replace(b"\0", b""))


def shape(data):
    """The types, and what each leaf is."""
    found = []
    for p in email.message_from_bytes(data,
                                      policy=email.policy.compat32).walk():
        kind = p.get_content_type()
        found.append((kind, None if p.is_multipart() else parts.normal(
            kind, p.get_payload(decode=True) or b"")))
    return found


def alike(name, sent):
    """Does each part say what it said, cleaned or to the byte?"""
    head, body = raw(name)
    got = shape(sent.replace(b"\r\n", b"\n"))
    ways = [shape(clean(head) + b"\n" + clean(body))
            for clean in (cleaned, bytes,
                          lambda x: x.replace(b"\r\n", b"\n"))]
    return any(len(way) == len(got) for way in ways) and all(
        any(one in way[i:i + 1] for way in ways) for i, one in enumerate(got))


@pytest.mark.parametrize("keywords", [[], ["8BITMIME"]])
@pytest.mark.parametrize("name", ["utf-16", "utf-16 binary", "utf-16 part"])
def test_text_that_is_not_made_of_lines_keeps_every_byte(
        office, smtp, smtpd, name, keywords):
    server = smtpd(keywords=keywords)
    smtp(server).run(office.post(header=raw(name)[0], body=raw(name)[1]), HOST)
    found = email.message_from_bytes(server.messages[0].content,
                                     policy=email.policy.SMTP)
    payload = next(p for p in found.walk() if not p.is_multipart())
    assert payload.get_payload(decode=True) == WIDE


def reasons(record):
    plan = record["plan"]
    return {plan["reason"], *re.findall(r"\(([^()]*)\)\'?$",
                                        "\n".join(plan.get("parts", [])),
                                        re.M)}


def lawless(name, way, sent, record):
    """What is wrong with it, in words."""
    wrong = []
    why = reasons(record)
    if way in NARROW and not sent.isascii() and not why & EXCUSES:
        wrong.append("8-bit bytes")
    if max(map(len, sent.split(b"\r\n"))) > 998 and not why & EXCUSES:
        wrong.append("long lines")
    if name not in ELSEWHERE and not alike(name, sent):
        wrong.append("other content")
    return [f"{way}/{name} ({record['plan']['reason']}): {w}" for w in wrong]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("way", WAYS)
def test_odd_mail_is_never_worse_than_it_was(office, smtp, smtpd, way):
    options, keywords = WAYS[way]
    server = smtpd(keywords=keywords, allow=[
        "8bit", "long-line", *(["nul", "bare-cr", "bare-lf", "no-crlf-at-end"]
                               if "BINARYMIME" in keywords else [])])
    path = office.base / "attempts"
    agent = smtp(server, *options, "-O", f"attempts={path}")
    jobs = [office.post(header=raw(n)[0], body=raw(n)[1]) for n in CASES]
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))
    for _ in jobs:
        agent.hungry()
    assert all(job.marks == "+" for job in jobs)
    records = [json.loads(x) for x in path.read_bytes().splitlines()]
    assert len(records) == len(server.messages) == len(CASES)
    wrong = []
    for name, message, record in zip(CASES, server.messages, records):
        wrong += lawless(name, way, message.content, record)
    assert not wrong, "\n".join(wrong)


CHUNK = 64 * 1024       # bytes that an agent reads at once
EDGES = (b"\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
         b"X: \xc3\xbc\r\n\r\n.\r\n=\xc3\xbc \r\n\r\r\n.\0\n\r\n"
         b"--b \t\r\n\r\n\xc3\xbc\r\n--b--\r\n.\n\r\n.\r\n")


@pytest.mark.parametrize("keywords", [[], ["CHUNKING"], ["8BITMIME"]])
def test_edge_of_a_chunk_is_nowhere_seen(office, smtp, smtpd, keywords):
    """It falls between any two bytes of what is hard to read."""
    server = smtpd(keywords=["PIPELINING", *keywords], allow=["8bit"])
    agent = smtp(server)
    head = MIME + b"Content-Type: multipart/mixed; boundary=b\n"
    front = (b"x" * 63 + b"\n") * (CHUNK // 64 - 4)
    jobs = [office.post(header=head, body=front + b"y" * (256 - i) + EDGES
                        + b"z\n" * 40000) for i in range(len(EDGES) + 1)]
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))
    for _ in jobs:
        agent.hungry()
    tails = {m.content.rpartition(b"yy")[2].lstrip(b"y")
             for m in server.messages}
    assert len(server.messages) == len(jobs) and len(tails) == 1
    assert tails.pop().isascii() == ("8BITMIME" not in keywords)


def sm_content(flags, data):
    data = data.replace(b"\r\n", b"\n")
    if set("bB") & set(flags):
        data = data.split(b"\nDATA\n", 1)[1].rpartition(b"\n.\n")[0] + b"\n"
    if set("XbB") & set(flags):
        data = re.sub(rb"(?m)^\.\.", b".", data)
    if "E" in flags:
        data = re.sub(rb"(?m)^>From ", b"From ", data)
    return data


@pytest.mark.timeout(240)
@pytest.mark.parametrize("flags", ["n", "n7", "n8", "n89", "n9", "nREX", "nb",
                                   "nB8", "nB", "nE", "nX", "nR"])
def test_odd_mail_for_a_mailer_is_never_worse(office, flags):
    box = Mailers(office)
    box.conf(f"m {flags} {{rec}} rec $u\n")
    jobs = [office.post(["bob"], channel="local", host="-", header=raw(n)[0],
                        body=raw(n)[1]) for n in CASES]
    wrong = []
    with box.sm("m") as agent:
        agent.hungry()
        for job in jobs:
            assert agent.run(job).statuses == ["ok3"]
        assert agent.stop() == 0
    for name, run in zip(CASES, box.runs):
        data = sm_content(flags, run.input)
        if name not in ELSEWHERE and "7" not in flags \
                and name not in ("from", "dots") and not alike(name, data):
            wrong.append(f"{flags}/{name}")
    assert not wrong, "\n".join(wrong)

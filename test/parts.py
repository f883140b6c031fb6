"""
parts - messages of many shapes, made without Python's email package, which
reads them back in the tests.

    m = make(random.Random(7))      # a Made: header, body, leaves
    m.raw                           # bytes, LF line ends
    leaves(data)                    # of any message, as the email package
                                    # sees it: [(type, charset, bytes)]

Each leaf is known by what it decodes to, with LF for every line end of text.
No two messages that corpus() gives have the same shape: structure, types,
encodings and charsets together.
"""

from __future__ import annotations

import base64
import dataclasses
import email
import email.policy
import quopri
import random

# Text that each charset can say; "broken" ones say what they are not.
TEXTS = {
    "utf-8": "Grüße, Привет, 漢字 und ✉ — naïve café\n",
    "iso-8859-1": "Grüße aus Köln, naïve café\n",
    "iso-2022-jp": "漢字とかな\n",
    "koi8-r": "Привет, мир и труд\n",
    "gb18030": "汉字编码 𠀀 test\n",
    "shift_jis": "表示ソフト\n",
    "us-ascii": "plain words only\n",
    "x-nobody-knows": "Grüße\n",
}
BROKEN = b"\xff\xfe broken \x80\xc3( \xf5\n"
KINDS = ["mixed", "alternative", "related", "parallel", "digest", "report"]
TYPES = ["text/plain", "text/html", "text/csv", "application/octet-stream",
         "image/png", "application/json"]


@dataclasses.dataclass
class Made:
    header: bytes
    body: bytes
    leaves: list            # (type, decoded bytes)
    shape: str
    depth: int

    @property
    def raw(self) -> bytes:
        return self.header + b"\n" + self.body


def text_of(rng: random.Random, charset: str) -> bytes:
    if charset == "broken":
        return BROKEN * rng.randrange(1, 4)
    codec = "utf-8" if charset.startswith("x-") else charset
    out = []
    for _ in range(rng.randrange(1, 9)):
        line = TEXTS[charset].rstrip("\n")
        words = rng.choice([line, line.split(" ")[0], "ascii words here",
                            "From here", ".", "..", "-- ", "--", "=3D =",
                            "a\tb  ", " lead", "",
                            line * rng.randrange(1, 40)])
        out.append(words + "\n")
    return "".join(out).encode(codec)


def bytes_of(rng: random.Random) -> bytes:
    """Lines of anything but NUL, CR; like files that are labelled 8bit."""
    data = bytes(rng.choice(b"\n \t.-=") if rng.random() < .2
                 else rng.choice([c for c in range(1, 256) if c != 13])
                 for _ in range(rng.randrange(1, 900)))
    return data


def encode(rng, data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(data)
    if encoding == "quoted-printable":
        return quopri.encodestring(data)
    return data


def leaf(rng: random.Random, in_digest: bool = False):
    kind = rng.choice(TYPES)
    if kind.startswith("text/"):
        charset = rng.choice([*TEXTS, "broken"])
        data = text_of(rng, charset)
        named = "utf-8" if charset == "broken" else charset
        line = f"Content-Type: {kind}; charset={named}"
    else:
        charset = ""
        data = bytes_of(rng)
        line = f"Content-Type: {kind}"
    is_8bit = any(c > 127 for c in data)
    encoding = rng.choice(["8bit" if is_8bit else "7bit", "8bit", "base64",
                           "quoted-printable", ""])
    head = line.encode() + b"\n"
    if encoding:
        head += f"Content-Transfer-Encoding: {encoding}\n".encode()
    if rng.random() < .3:
        head += rng.choice([
            "Content-Description: Größe\n".encode(),
            'Content-Disposition: attachment; filename="Übersicht.txt"\n'
            .encode(),
            b"Content-ID: <x@y>\n"])
    return head, encode(rng, data, encoding), [(kind, data)], (
        f"{kind},{charset},{encoding}")


class Counter:
    def __init__(self):
        self.n = 0

    def next(self) -> str:
        self.n += 1
        return f"=_b{self.n}"


def entity(rng, depth: int, count: Counter):
    """(header lines, body, leaves, shape), the depth below it at least so."""
    if depth == 0:
        return leaf(rng)
    if rng.random() < .2:
        head, body, found, shape = entity(rng, depth - 1, count)
        inner = (b"Subject: inner\nMIME-Version: 1.0\n" + head + b"\n" + body)
        return (b"Content-Type: message/rfc822\n", inner, found,
                f"msg({shape})")
    boundary, kind = count.next(), rng.choice(KINDS)
    if kind == "digest":
        kind = "mixed"
    parts, found, shapes = [], [], []
    deep = rng.randrange(3)
    for i in range(rng.choice([1, 2, 2, 3])):
        below = depth - 1 if i == min(deep, 0) else rng.choice([0, 0, 1])
        if i > 0:
            below = min(below, depth - 1)
        head, body, inner, shape = entity(rng, below, count)
        parts.append(head + b"\n" + body)
        found += inner
        shapes.append(shape)
    delimiter = b"\n--" + boundary.encode()
    body = (rng.choice([b"", b"prologue\n"]) + delimiter[1:] + b"\n"
            + (delimiter + b"\n").join(parts) + delimiter + b"--\n"
            + rng.choice([b"", b"epilogue\n"]))
    head = (f'Content-Type: multipart/{kind}; boundary="{boundary}"\n'
            .encode())
    if rng.random() < .5:
        head += b"Content-Transfer-Encoding: 8bit\n"
    return head, body, found, f"{kind}[{' '.join(shapes)}]"


def make(rng: random.Random, depth: int) -> Made:
    head, body, found, shape = entity(rng, depth, Counter())
    header = (b"Received: from a by b id <S1>;\n\t"
              b"Mon, 1 Jan 2024 00:00:00 +0000\n"
              b"From: =?utf-8?Q?J=C3=B6rn?= <alice@example.net>\n"
              b"Subject: " + rng.choice(["Grüße", "hi", "Привет мир"]).encode()
              + b"\nMIME-Version: 1.0\n" + head)
    return Made(header, body, found, shape, depth)


def corpus(n: int, seed: int = 1) -> list[Made]:
    """n messages, no two of one shape, nested 0 to 30 deep."""
    rng, seen, made = random.Random(seed), set(), []
    while len(made) < n:
        depth = rng.choice([0, 1, 1, 2, 2, 3, 4, 5, 8, 12, 20, 30])
        m = make(rng, depth)
        if m.shape not in seen:
            seen.add(m.shape)
            made.append(m)
    return made


def leaves(data: bytes) -> list:
    """As somebody else reads it; text with LF line ends."""
    message = email.message_from_bytes(data.replace(b"\r\n", b"\n"),
                                       policy=email.policy.compat32)
    found = []
    for part in message.walk():
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True) or b""
        found.append((part.get_content_type(), payload))
    return found


def normal(kind: str, data: bytes) -> bytes:
    """What a leaf's content comes down to: text, whatever its line ends."""
    data = data.replace(b"\r\n", b"\n")
    return data[:-1] if data.endswith(b"\n") else data

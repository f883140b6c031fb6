"""
parcels - messages of every size and shape, and what came of them.

assortment() gives messages that a mail system may find hard: without a body,
without a last line end, with dots, long lines, bytes beyond ASCII, CR LF in
the spool, a megabyte; to one recipient, to many, from nobody, with and
without DSN parameters. Each knows what must arrive. The same seed gives the
same messages.

    parcels = assortment(200)
    jobs = [p.post(office) for p in parcels]
    ... run them ...
    compare(parcels, server.taken(), DSN)

Nothing here knows a server: what one does to messages is its class's matter.
"""

from __future__ import annotations

import collections
import dataclasses
import email
import random
import re

from peerroot import Taken
from spoolfile import Job, Rcpt
from zpost import Postoffice

HOST = "example.com"
MANY = 150          # recipients of one message


@dataclasses.dataclass
class Parcel:
    """A message and its envelope. body is as the spool has it."""

    number: int
    shape: str
    sender: str | None
    rcpts: list[Rcpt]
    header: bytes
    body: bytes
    envid: str | None = None
    ret: str | None = None
    may_split: bool = False     # may it come in several transactions?

    @property
    def id(self) -> str:
        return f"<parcel-{self.number}@example.net>"

    @property
    def arrives(self) -> bytes:
        """What a server must have of it: lines with LF, the last ended."""
        body = re.sub(rb"\r\n?", b"\n", self.body).replace(b"\0", b"")
        if body and not body.endswith(b"\n"):
            body += b"\n"
        return self.header + b"\n" + body

    @property
    def users(self) -> list[str]:
        return [str(r.user) for r in self.rcpts]

    def post(self, office: Postoffice) -> Job:
        return office.post(
            list(self.rcpts), sender=self.sender, header=self.header,
            body=self.body, envid=self.envid, ret=self.ret, host=HOST,
            log_id=self.id)


# ---- shapes -----------------------------------------------------------------

TEXT = (b"The quick brown fox jumps over the lazy dog. 0123456789\n")
UMLAUTS = "Grüße aus Köln, žluťoučký kůň\n".encode()


def lines(rng: random.Random, size: int) -> bytes:
    """About so many bytes of text, in lines of 0 to 78 characters."""
    out = bytearray()
    while len(out) < size:
        length = rng.randrange(79)
        out += (TEXT * 2)[:length].replace(b"\n", b" ") + b"\n"
    return bytes(out)


def dots(rng: random.Random) -> bytes:
    return b"".join(rng.choice([
        b".\n", b"..\n", b"...\n", b".x\n", b". \n", b"\n", b"x.\n", b"QUIT\n",
        b"RSET\n", b".QUIT\n"]) for _ in range(40))


def bytes_(rng: random.Random) -> bytes:
    """Every byte but CR, LF and NUL, in short lines."""
    octets = [i for i in range(1, 256) if i not in (10, 13)]
    return b"".join(bytes(rng.choices(octets, k=rng.randrange(70))) + b"\n"
                    for _ in range(40))


# name -> how many of 100, body by a random generator
SHAPES = {
    "text": (29, lambda r: lines(r, r.randrange(50, 9000))),
    "empty": (4, lambda r: b""),
    "unended": (6, lambda r: lines(r, 500) + b"the last line has no end"),
    "short": (5, lambda r: r.choice([b"x", b"\n", b".", b".\n", b"\n\n",
                                     b"..", b"\n.\n", b" "])),
    "dots": (10, dots),
    "dot at the end": (3, lambda r: lines(r, 300) + b"."),
    "long lines": (6, lambda r: b"".join(
        b"." * (i % 3) + b"y" * r.randrange(900, 990) + b"\n"
        for i in range(20))),
    "8bit": (9, lambda r: UMLAUTS * r.randrange(1, 300)),
    "bytes": (5, bytes_),
    "crlf": (7, lambda r: lines(r, 4000).replace(b"\n", b"\r\n")),
    "mixed ends": (4, lambda r: re.sub(
        rb"\n", lambda m: r.choice([b"\n", b"\r\n", b"\r"]),
        lines(r, 3000)) + b"end\r\n"),
    "crlf unended": (2, lambda r: b"one\r\n.two\r\n..three\r"),
    "nul": (2, lambda r: lines(r, 300).replace(b" ", b"\0 ")),
    "blank lines": (2, lambda r: b"\n" * 50 + b"x\n" + b"\n" * 50),
    "from": (2, lambda r: b"From here\n>From there\n\nFrom now on\n"),
    "64k": (2, lambda r: lines(r, 65536)),
    "megabyte": (2, lambda r: lines(r, 1 << 20)),
}


def header(number: int, rng: random.Random) -> bytes:
    """Fields that no server has reason to touch."""
    out = (b"From: Alice <alice@example.net>\nTo: bob@example.com\n"
           b"Subject: parcel %d\n"
           b"Date: Sat, 21 Nov 2026 20:35:16 +0000\n"
           b"Message-ID: <parcel-%d@example.net>\n" % (number, number))
    if rng.random() < 0.2:
        out += (b"X-Folded: one\n two" + b" x" * rng.randrange(30)
                + b"\n\tthree\n")
    return out


NOTIFY = ["NOTIFY=FAILURE", "NOTIFY=NEVER", "NOTIFY=FAILURE,DELAY",
          "NOTIFY=SUCCESS", "NOTIFY=SUCCESS,FAILURE,DELAY "
          "ORCPT=rfc822;first+2B{}@other.example", None]


def envelope(number: int, rng: random.Random, mixed: bool, user: str
             ) -> dict:
    """Sender, recipients and DSN parameters."""
    n = rng.choices([1, 2, 5, 20], [70, 18, 10, 2])[0]
    if number in (7, 107):
        n = MANY
    with_dsn = rng.random() < 0.25
    rcpts = []
    for i in range(n):
        if i == 0 or mixed:
            notify = rng.choice(NOTIFY) if with_dsn else None
        rcpts.append(Rcpt(user.format(i, number) + "@example.com",
                          notify=notify and notify.format(i)))
    return {
        "sender": None if rng.random() < 0.1
        else f"sender{number}@example.net",
        "rcpts": rcpts,
        "envid": f"QQ+2B{number}" if with_dsn else None,
        "ret": rng.choice(["FULL", "HDRS"]) if with_dsn else None,
    }


def assortment(n: int = 200, seed: int = 1, mixed: bool = True,
               user: str = "user{0}.{1}") -> list[Parcel]:
    """
    n messages; not mixed: one NOTIFY for all recipients of a message. user
    is a pattern of the recipient's and the message's numbers.
    """
    rng = random.Random(seed)
    names = [name for name, (share, _) in SHAPES.items()
             for _ in range(share)]
    order = [names[i % len(names)] for i in range(n)]
    rng.shuffle(order)
    return [Parcel(number=i, shape=shape, header=header(i, rng),
                   body=SHAPES[shape][1](rng), **envelope(i, rng, mixed, user))
            for i, shape in enumerate(order)]


def small(n: int, seed: int = 2, rcpts: int = 1) -> list[Parcel]:
    """n short messages, for tests that look at something else."""
    rng = random.Random(seed)
    return [Parcel(i, "text", f"sender{i}@example.net",
                   [Rcpt(f"user{k}.{i}@example.com") for k in range(rcpts)],
                   header(i, rng), lines(rng, rng.randrange(200, 3000)))
            for i in range(n)]


# ---- comparing --------------------------------------------------------------


def by_id(taken: list[Taken]) -> dict[str, list[Taken]]:
    """Messages by the Message-ID that their header has."""
    found = collections.defaultdict(list)
    for message in taken:
        m = re.search(rb"(?mi)^message-id: *(<parcel-\d+@example.net>)$",
                      message.content.split(b"\n\n", 1)[0] + b"\n")
        assert m is not None, f"not ours: {message.content[:300]!r}"
        found[m[1].decode()].append(message)
    return found


def differ(wanted: bytes, got: bytes) -> str:
    """Where two texts part, in a few words."""
    at = next((i for i, (a, b) in enumerate(zip(wanted, got)) if a != b),
              min(len(wanted), len(got)))
    return (f"{len(wanted)} and {len(got)} bytes, different at {at}: "
            f"{wanted[max(0, at - 30):at + 30]!r} became "
            f"{got[max(0, at - 30):at + 30]!r}")


# Added to text that a server would not take as it is (RFC 1428).
NEW = re.compile(rb"(X-Warning|MIME-Version|Content-Type"
                 rb"|Content-Transfer-Encoding): .*\n")


def is_converted(parcel: Parcel, content: bytes) -> bool:
    """Is it the same text, to the byte, in a MIME header and encoded?"""
    header, _, _ = content.partition(b"\n\n")
    body = re.sub(rb"\r\n", b"\n", parcel.body)
    payload = email.message_from_bytes(content).get_payload(decode=True)
    return (b"QUOTED-PRINTABLE" in header
            and NEW.sub(b"", header + b"\n") == parcel.header
            and payload == body + b"\n" * (not body.endswith(b"\n")))


def same_content(parcel: Parcel, message: Taken) -> None:
    assert message.content == parcel.arrives or is_converted(
        parcel, message.content), \
        f"{parcel.id} ({parcel.shape}): " + differ(parcel.arrives,
                                                   message.content)


def wanted_notify(rcpt: Rcpt) -> tuple[str, str]:
    """NOTIFY= and ORCPT= as they go to a server that knows DSN."""
    words = dict(w.split("=", 1) for w in str(rcpt.notify or "").split())
    notify = words.get("NOTIFY", "FAILURE")
    orcpt = words.get("ORCPT", f"rfc822;{rcpt.user}")
    return notify, orcpt.replace("+2B", "+")


def same_parameters(parcel: Parcel, message: Taken) -> None:
    """ENVID, RET, NOTIFY and ORCPT, as far as the server keeps them."""
    envid = parcel.envid and parcel.envid.replace("+2B", "+")
    assert (message.envid, message.ret) == (envid, parcel.ret), message
    wanted = {r.user: wanted_notify(r) for r in parcel.rcpts
              if r.user in message.rcpts}
    got = {user: (notify, orcpt) for user, notify, orcpt in zip(
        message.rcpts, message.notify, message.orcpt)}
    assert got == wanted, (parcel.id, parcel.shape)


def copies(parcel: Parcel, messages: list[Taken]) -> None:
    """
    A message with very many recipients may go in several transactions: no
    recipient is then lost or named twice.
    """
    rcpts = [rcpt for m in messages for rcpt in m.rcpts]
    n = len(parcel.rcpts)
    assert sorted(rcpts) == sorted(parcel.users), \
        f"{parcel.id} came {len(messages)} times, to {rcpts}"
    assert len(messages) == 1 or parcel.may_split or n == MANY
    senders = {m.sender for m in messages}
    assert senders == {parcel.sender or ""}, (parcel.id, senders)


def compare(parcels: list[Parcel], taken: list[Taken],
            has_dsn: bool = False) -> None:
    """Every message once, as it was sent, with its envelope."""
    found = by_id(taken)
    for parcel in parcels:
        messages = found.pop(parcel.id, [])
        copies(parcel, messages)
        for message in messages:
            same_content(parcel, message)
            if has_dsn:
                same_parameters(parcel, message)
    assert not found, f"not sent by this test: {sorted(found)}"

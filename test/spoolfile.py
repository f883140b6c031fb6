"""
spoolfile - message and control files as tests write and read them.

Sender, Rcpt and Group say what goes into a control file; Job knows where it
went and reads marks, lock slots and `d` lines back. zpost.Postoffice puts
them together. Nothing here is shared with the programs under test.

Text that comes from programs is decoded as UTF-8 with surrogateescape, so no
byte is lost: to_bytes() gives it back.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import pathlib
import re
import struct
import typing

if typing.TYPE_CHECKING:
    from zpost import Postoffice


def to_bytes(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# ---- what goes into a control file ----------------------------------------


@dataclasses.dataclass
class Sender:
    """An `s` line. user None is the empty reverse path (channel error)."""

    user: str | bytes | None = "alice@example.net"
    channel: str | bytes = "local"
    host: str | bytes = "-"
    priv: str | bytes = "501"

    def line(self) -> bytes:
        channel, user = self.channel, self.user
        if user is None:
            channel, user = "error", "-"
        return b"s " + b" ".join(map(to_bytes, (
            channel, self.host, user, self.priv))) + b"\n"


@dataclasses.dataclass
class Rcpt:
    """
    An `r` line and what follows it. notify is the text behind `N `, e.g.
    "NOTIFY=SUCCESS ORCPT=rfc822;x@y". slot is the 6-byte pid slot, delay the
    4-byte delay slot (None: the line has none). raw replaces the whole line;
    extra holds whole lines that follow, without their LF.
    """

    user: str | bytes = "bob@example.com"
    channel: str | bytes | None = None
    host: str | bytes | None = None
    notify: str | bytes | None = None
    tag: str = " "
    slot: str | bytes = " " * 6
    delay: str | bytes | None = " " * 4
    priv: str | bytes = "501"
    raw: bytes | None = None
    extra: list = dataclasses.field(default_factory=list)

    def line(self, channel, host) -> bytes:
        if self.raw is not None:
            return self.raw + b"\n"
        return (b"r" + to_bytes(self.tag) + to_bytes(self.slot)
                + to_bytes(self.delay or b"")
                + b" ".join(map(to_bytes, (
                    self.channel if self.channel is not None else channel,
                    self.host if self.host is not None else host,
                    self.user, self.priv))) + b"\n")


@dataclasses.dataclass
class Group:
    """
    One sender and its recipients, closed by an `m` block. header None: no `m`
    block here, the next group's serves these recipients too. errors are `e`
    lines before the `s` line.
    """

    rcpts: list
    sender: Sender | str | None = dataclasses.field(default_factory=Sender)
    header: str | bytes | None = (
        b"From: alice@example.net\nSubject: hi\n")
    errors: tuple = ()


# ---- what is read back ----------------------------------------------------


@dataclasses.dataclass
class Notary:
    """A notary field taken apart; ta_id is None when it is not there."""

    recipient: str
    action: str
    status: str
    diagnostic: str
    remote: str
    ta_id: str | None
    raw: str

    @classmethod
    def parse(cls, raw: str) -> "Notary | None":
        if raw == "":
            return None
        parts = raw.split("\x01")
        if len(parts) not in (5, 6):
            raise ValueError(f"notary of {len(parts)} sub-fields: {raw!r}")
        return cls(*parts[:5], parts[5] if len(parts) == 6 else None, raw)

    @property
    def code(self) -> str:
        """The status without its comment."""
        return self.status.split(" ", 1)[0]


@dataclasses.dataclass
class DLine:
    """A `d` line. offset is its own place in the file."""

    offset: int
    tag: str
    rcpt: int
    header: int
    notify: int
    time: int
    notary: Notary
    message: str

    PATTERN = re.compile(
        rb"d(.)(\d+):(-?\d+):(-?\d+)::(\d+)\t([^\t\n]*)\t([^\n]*)\n")

    @classmethod
    def parse(cls, line: bytes, offset: int) -> "DLine":
        m = cls.PATTERN.fullmatch(line)
        if m is None:
            raise ValueError(f"malformed d line: {line!r}")
        return cls(offset, to_text(m[1]), int(m[2]), int(m[3]), int(m[4]),
                   int(m[5]), Notary.parse(to_text(m[6])), to_text(m[7]))


@dataclasses.dataclass
class Field:
    """One field of a control file, as a second, independent reader sees it."""

    offset: int
    letter: str
    tag: str
    value: bytes        # of m and M: the block without its empty line
    raw: bytes          # the line, or the block, with its last LF


def read_fields(data: bytes) -> list[Field]:
    """Takes a well-formed control file apart; ValueError if it is not."""
    fields = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            raise ValueError(f"no LF after offset {at}")
        if at > 0 and data[at:at + 2] in (b"m\n", b"M\n"):
            stop = data.find(b"\n\n", at + 1)
            if stop < 0:
                raise ValueError(f"header at {at} has no end")
            value, end = data[at + 2:stop + 1], stop + 1
        else:
            value = data[at + 2:end]
        fields.append(Field(at, chr(data[at]), to_text(data[at + 1:at + 2]),
                            value, data[at:end + 1]))
        at = end + 1
    return fields


@dataclasses.dataclass
class RcptRef:
    """Where a recipient stands in the control file of a job."""

    offset: int
    user: str
    notify: int = -1    # offset of its N line
    header: int = -1    # offset of its header's text: `m` offset + 2
    delay: bool = True
    sender: int = -1    # offset of its s line


class Job:
    """A message in the spool. name is what a job line says."""

    def __init__(self, office: "Postoffice", name: str,
                 rcpts: list[RcptRef], body_offset: int, written: bytes):
        self.office = office
        self.name = name
        self.rcpts = rcpts
        self.body_offset = body_offset
        self.written = written          # the control file as it was posted
        digits = re.match(r"\d*", name.rsplit("/", 1)[-1])[0]
        self.id = int(digits) if digits else 0

    @classmethod
    def load(cls, office: "Postoffice", name: str) -> "Job":
        """A job that somebody else (submit) put into the spool."""
        data = (office.transport / name).read_bytes()
        rcpts, waiting, body, sender = [], [], -1, -1
        for f in read_fields(data):
            if f.letter == "r":
                delay = f.raw[8:12].isspace() or f.raw[8:12].isdigit()
                quad = f.raw[12 if delay else 8:].split()
                rcpts.append(RcptRef(f.offset, to_text(quad[2]),
                                     delay=delay, sender=sender))
                waiting.append(rcpts[-1])
            elif f.letter == "s":
                sender = f.offset
            elif f.letter == "N" and waiting:
                waiting[-1].notify = f.offset
            elif f.letter == "m":
                for r in waiting:
                    r.header = f.offset + 2
                waiting = []
            elif f.letter == "o":
                body = int(f.value)
        return cls(office, name, rcpts, body, data)

    @property
    def control(self) -> pathlib.Path:
        return self.office.transport / self.name

    @property
    def message(self) -> pathlib.Path:
        return self.office.queue / self.name

    @property
    def data(self) -> bytes:
        """The control file as it is now."""
        return self.control.read_bytes()

    @property
    def offsets(self) -> list[int]:
        return [r.offset for r in self.rcpts]

    def tag(self, i: int = 0) -> str:
        at = self.rcpts[i].offset + 1
        return to_text(self.data[at:at + 1])

    def slot(self, i: int = 0) -> str:
        """The pid slot: six bytes."""
        at = self.rcpts[i].offset + 2
        return to_text(self.data[at:at + 6])

    def delay(self, i: int = 0) -> str:
        at = self.rcpts[i].offset + 8
        return to_text(self.data[at:at + 4])

    @property
    def marks(self) -> str:
        """The tags of all recipients in file order, e.g. "+- ~"."""
        data = self.data
        return "".join(chr(data[r.offset + 1]) for r in self.rcpts)

    @property
    def slots(self) -> list[str]:
        return [self.slot(i) for i in range(len(self.rcpts))]

    @property
    def appended(self) -> bytes:
        """What was added behind the file as posted."""
        return self.data[len(self.written):]

    @property
    def d_lines(self) -> list[DLine]:
        """The `d` lines that were appended; ValueError on anything else."""
        lines, at = [], len(self.written)
        for line in re.findall(rb"[^\n]*\n|[^\n]+", self.appended):
            lines.append(DLine.parse(line, at))
            at += len(line)
        return lines

    def d_line(self, i: int = 0) -> DLine:
        """The one `d` line of recipient i."""
        found = [d for d in self.d_lines if d.rcpt == self.rcpts[i].offset]
        assert len(found) == 1, f"{len(found)} d lines for recipient {i}"
        return found[0]

    def is_untouched(self) -> bool:
        return self.data == self.written

    def only_marks_changed(self) -> bool:
        """Do the bytes as posted differ at most in the 7-byte marks?"""
        now, was = bytearray(self.data[:len(self.written)]), \
            bytearray(self.written)
        for r in self.rcpts:
            now[r.offset + 1:r.offset + 8] = bytes(7)
            was[r.offset + 1:r.offset + 8] = bytes(7)
        return now == was

    def set_mark(self, i: int, tag: str, slot: str = " " * 6) -> None:
        """Writes a mark as another process would, in place."""
        with open(self.control, "r+b") as f:
            f.seek(self.rcpts[i].offset + 1)
            f.write(to_bytes(tag) + to_bytes(slot))

    def lock_holder(self, i: int = 0) -> int | None:
        """
        Who holds an open-file-description or record lock that covers the tag
        byte of recipient i: its pid (-1 for an OFD lock), or None.
        """
        flock = struct.Struct("hhqqi4x")    # l_type l_whence start len pid
        with open(self.control, "r+b") as f:
            answer = fcntl.fcntl(
                f, fcntl.F_OFD_GETLK,
                flock.pack(fcntl.F_WRLCK, os.SEEK_SET,
                           self.rcpts[i].offset + 1, 1, 0))
        kind, _, _, _, pid = flock.unpack(answer)
        return None if kind == fcntl.F_UNLCK else pid

    def report(self, i: int = 0) -> str:
        """How reports name recipient i: id/offset."""
        return f"{self.id}/{self.rcpts[i].offset}"

    def __str__(self) -> str:
        return self.name

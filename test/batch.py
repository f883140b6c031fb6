"""
batch - a reader of batched SMTP (RFC 2442) that knows nothing of the writer.

    for m in read(data): m.greeting, m.sender, m.mail, m.rcpts, m.content

It is strict: one kind of line end throughout, commands in order, a message
ended by its dot, and nothing that is not understood. What is wrong raises
ValueError with the number of the line.
"""

from __future__ import annotations

import dataclasses
import re

# RFC 5321 4.1.2: a path; a quoted string may hold anything.
PATH = re.compile(rb'<((?:"(?:[^"\\]|\\.)*"|[^"<>\s])*)>')
PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
VERBS = (b"HELO ", b"EHLO ", b"MAIL FROM:", b"RCPT TO:", b"DATA", b"QUIT")


@dataclasses.dataclass
class Message:
    """One message of a batch. Parameters: keyword (upper case) -> value."""

    greeting: bytes | None = None       # "HELO name"
    sender: bytes | None = None         # None: no MAIL yet
    mail: dict = dataclasses.field(default_factory=dict)
    rcpts: list = dataclasses.field(default_factory=list)
    content: bytes = b""                # lines end in LF, dots are single
    has_quit: bool = False              # the batch ends behind it


def lines_of(data: bytes) -> list[bytes]:
    """Cuts at CR LF if the first line ends so, else at LF."""
    if not data:
        return []
    is_crlf = data.split(b"\n", 1)[0].endswith(b"\r")
    end = b"\r\n" if is_crlf else b"\n"
    if not data.endswith(end):
        raise ValueError("the last line has no end")
    lines = data[:-len(end)].split(end)
    for number, line in enumerate(lines, 1):
        if is_crlf and re.search(rb"[\r\n\0]", line):
            raise ValueError(f"line {number}: bare CR, bare LF or NUL")
    return lines


def read_path(rest: bytes) -> tuple[bytes, dict]:
    """<path> and parameters."""
    path = PATH.match(rest)
    if path is None:
        raise ValueError("no path")
    parameters = {}
    for word in rest[path.end():].split(b" ")[1:]:
        m = PARAMETER.fullmatch(word)
        if m is None or m[1].upper().decode() in parameters:
            raise ValueError(f"parameter {word!r}")
        parameters[m[1].upper().decode()] = m[2]
    if rest[path.end():path.end() + 1] not in (b"", b" "):
        raise ValueError("something behind the path")
    return path[1], parameters


class Reader:
    def __init__(self):
        self.messages: list[Message] = []
        self.now = Message()
        self.content: list[bytes] | None = None
        self.is_first = True            # nothing of this batch was seen

    def take(self, line: bytes) -> None:
        if self.content is not None:
            self.take_content(line)
            return
        verb = next((v for v in VERBS if line.startswith(v)), None)
        if verb is None:
            raise ValueError(f"command {line!r}")
        name = verb.split()[0].decode().lower()
        getattr(self, "on_" + name)(line[len(verb):], line)
        self.is_first = name == "quit"

    def take_content(self, line: bytes) -> None:
        if line != b".":
            self.content.append(line[1:] if line[:1] == b"." else line)
            return
        self.now.content = b"".join(x + b"\n" for x in self.content)
        self.messages.append(self.now)
        self.now = Message(self.now.greeting)
        self.content = None

    def on_helo(self, name: bytes, line: bytes) -> None:
        if self.now.sender is not None or not self.is_first:
            raise ValueError("greeting in the middle of a batch")
        if re.fullmatch(rb"[A-Za-z0-9.-]+|\[[0-9A-Za-z.:]+\]", name) is None:
            raise ValueError(f"greeting with {name!r}")
        self.now.greeting = line

    on_ehlo = on_helo

    def on_mail(self, rest: bytes, _line: bytes) -> None:
        if self.now.sender is not None:
            raise ValueError("MAIL again")
        self.now.sender, self.now.mail = read_path(rest)

    def on_rcpt(self, rest: bytes, _line: bytes) -> None:
        if self.now.sender is None:
            raise ValueError("RCPT without MAIL")
        self.now.rcpts.append(read_path(rest))

    def on_data(self, rest: bytes, _line: bytes) -> None:
        if not self.now.rcpts or rest:
            raise ValueError("DATA")
        self.content = []

    def on_quit(self, rest: bytes, _line: bytes) -> None:
        if self.now.sender is not None or not self.messages or rest:
            raise ValueError("QUIT")
        self.messages[-1].has_quit = True
        self.now = Message()


def read(data: bytes) -> list[Message]:
    """All messages of all batches."""
    reader = Reader()
    for number, line in enumerate(lines_of(data), 1):
        try:
            reader.take(line)
        except ValueError as problem:
            raise ValueError(f"line {number}: {problem}") from None
    if reader.content is not None or reader.now.sender is not None:
        raise ValueError("the last message has no end")
    return reader.messages

r"""
dialogue - an SMTP dialogue as a text file, played by the server of smtpd.py.

    # a comment; empty lines are skipped
    S: 220 test.example ESMTP       lines sent (CRLF is added)
    C: /EHLO .*/                    a line expected: a regex for all of it,
    C: MAIL FROM:<a@example.net>    or its exact text
    C*: /\./                        lines skipped, up to one that fits
    S\: 250 ok\r\n250 la            bytes sent as they are; \r \n \t \\ and
                                    \xHH stand for one byte
    X: wait 0.2                     seconds
    X: close                        or: reset; silent (read, answer nothing)
    X: eof                          the client must have closed

S: lines that stand together leave in one write, when all C: lines before
them have come. At the end of the file the server closes.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import typing

if typing.TYPE_CHECKING:
    from smtpsession import Session


class Gone(Exception):
    """The connection is closed, by whom ever."""


class Dialogue:
    """A `C:`/`S:` file; its form is in the head of this file."""

    STEP = re.compile(r"(C\*?|S\\?|X):(?: (.*))?")

    def __init__(self, text: str, name: str = "dialogue"):
        self.name = name
        self.steps: list[tuple[int, str, str]] = []
        self.errors: list[str] = []
        self.played = 0             # times it ran to its end
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            m = self.STEP.fullmatch(line)
            if m is None:
                raise ValueError(f"{name}:{number}: not a dialogue line: "
                                 f"{line!r}")
            self.steps.append((number, m[1], m[2] or ""))

    @classmethod
    def load(cls, path: os.PathLike | str) -> "Dialogue":
        text = pathlib.Path(path).read_text("utf-8")
        return cls(text, pathlib.Path(path).name)

    @staticmethod
    def fits(want: str, line: bytes) -> bool:
        text = line.decode("utf-8", "surrogateescape")
        if len(want) > 1 and want[0] == want[-1] == "/":
            return re.fullmatch(want[1:-1], text) is not None
        return want == text

    @staticmethod
    def unescape(text: str) -> bytes:
        names = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
        out = bytearray()
        for m in re.finditer(r"\\x([0-9a-fA-F]{2})|\\(.)|([^\\]+)", text):
            if m[1] is not None:
                out.append(int(m[1], 16))
            elif m[2] is not None:
                out += names[m[2]]
            else:
                out += m[3].encode("utf-8")
        return bytes(out)

    async def play(self, session: Session) -> None:
        for number, kind, text in self.steps:
            if kind == "S":
                session.output += text.encode("utf-8") + b"\r\n"
            elif kind == "S\\":
                session.output += self.unescape(text)
            elif kind == "X":
                await self.order(session, number, text)
            else:
                await self.expect(session, number, kind, text)
        await session.flush()
        self.played += 1
        raise Gone("closed")

    def fail(self, number: int, text: str):
        self.errors.append(f"{self.name}:{number}: {text}")
        raise Gone("closed")

    async def expect(self, session, number, kind, want) -> None:
        while True:
            try:
                line = await session.line()
            except Gone:
                self.fail(number, f"wanted {want!r}, the client closed")
            if self.fits(want, line):
                return
            if kind == "C":
                self.fail(number, f"wanted {want!r}, got {line!r}")

    async def order(self, session, number, text) -> None:
        await session.flush()
        word, _, value = text.partition(" ")
        if word == "wait":
            await asyncio.sleep(float(value))
        elif word == "close":
            self.played += 1
            raise Gone("closed")
        elif word == "reset":
            self.played += 1
            await session.hang_up(reset=True)
        elif word == "silent":
            self.played += 1
            while await session.more():
                session.input.clear()
            raise Gone("eof")
        elif word == "eof":
            while await session.more():
                pass
            if session.input:
                self.fail(number, f"wanted the end, got "
                          f"{bytes(session.input[:200])!r}")
        else:
            self.fail(number, f"no such order: {text!r}")

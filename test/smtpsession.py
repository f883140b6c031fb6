"""
smtpsession - one connection of the scriptable server; see smtpd.py.

Session is a correct SMTP or LMTP server that asks the script before each
answer. It records what came and blames what a client must not do.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import struct
import threading
import time
import typing

from dialogue import Gone

if typing.TYPE_CHECKING:
    from smtpd import Server

INPUT_HIGH = 1 << 20
PARTING = 0.5           # seconds
LINE_MAX = 998          # RFC 5321 4.5.3.1.6, without CRLF
COMMAND_MAX = 512       # RFC 5321 4.5.3.1.4, with CRLF

# What extensions add to the length of MAIL and RCPT.
ROOM = {
    ("MAIL", "SIZE"): 26, ("MAIL", "8BITMIME"): 17, ("MAIL", "DSN"): 500,
    ("RCPT", "DSN"): 500, ("MAIL", "AUTH"): 500, ("MAIL", "DELIVERBY"): 17,
    ("MAIL", "SMTPUTF8"): 10, ("MAIL", "REQUIRETLS"): 11,
}
# Which EHLO keyword a parameter needs.
PARAMETERS = {
    "MAIL": {"SIZE": "SIZE", "BODY": "8BITMIME", "RET": "DSN", "ENVID": "DSN",
             "AUTH": "AUTH", "BY": "DELIVERBY", "SMTPUTF8": "SMTPUTF8",
             "REQUIRETLS": "REQUIRETLS"},
    "RCPT": {"NOTIFY": "DSN", "ORCPT": "DSN"},
}
# RFC 2920 3.1: these end a group.
ENDS_GROUP = {"EHLO", "HELO", "LHLO", "DATA", "VRFY", "EXPN", "NOOP", "QUIT",
              "STARTTLS", "AUTH"}
ADDRESS = re.compile(
    rb'(MAIL FROM|RCPT TO):<((?:"(?:[^"\\]|\\.)*"|[^">])*)>'
    rb'((?: [!-~\x80-\xff]+)*)', re.IGNORECASE)
# Values of parameters; a None stands for a parameter that has none.
XTEXT = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})"
VALUES = {
    "SIZE": r"\d{1,20}", "BODY": "7BIT|8BITMIME|BINARYMIME",
    "RET": "FULL|HDRS", "ENVID": XTEXT + "{1,100}", "AUTH": XTEXT + "+",
    "BY": r"(?:[1-9]\d{0,8};RT?|-?\d{1,9};NT?)", "SMTPUTF8": None,
    "REQUIRETLS": None,
    "NOTIFY": "NEVER|(?:SUCCESS|FAILURE|DELAY)"
              "(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}",
    "ORCPT": rf"(?=.{{1,500}}$)[A-Za-z0-9-]+;(?:{XTEXT}+|"
             r"(?<=^utf-8;)[^\0- +=\x7f]+)",
}
BARE_CR = re.compile(rb"\r(?!\n)")
BARE_LF = re.compile(rb"(?<!\r)\n")


@dataclasses.dataclass
class Do:
    """
    What to do instead of, or around, the right reply.

    text     the reply; None: the right one
    raw      these bytes instead of a reply
    delay    seconds to wait before it
    chunk    send in pieces of so many bytes, `pause` seconds apart
    extra    bytes that follow the reply at once, owed to nobody
    early    replies to the next commands, sent now already; those commands
             get none when they come
    close    "before" instead of replying, "after" the reply, "reset": a TCP
             reset instead of replying
    silent   never answer again, but go on reading
    endless  these bytes again and again, until the client is gone
    gate     a threading.Event that must be set before anything is sent
    accept   whether the command takes effect, whatever the reply says
    cut      for the event "content": close after so many bytes of it
    stall    for the event "content": stop reading after so many bytes of it
    """

    text: str | None = None
    raw: bytes | None = None
    delay: float = 0
    chunk: int = 0
    pause: float = 0
    extra: bytes = b""
    early: tuple | list = ()
    close: str = ""
    silent: bool = False
    endless: bytes = b""
    gate: threading.Event | None = None
    accept: bool | None = None
    cut: int | None = None
    stall: int | None = None


@dataclasses.dataclass
class Chunk:
    """Bytes as they came ("C") or went ("S")."""

    time: float
    session: int
    side: str
    data: bytes


@dataclasses.dataclass
class Violation:
    """Something the client must not do."""

    kind: str
    session: int
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} (connection {self.session}): {self.detail}"


@dataclasses.dataclass
class Path:
    """A MAIL or RCPT command. params: upper-case name to value or None."""

    address: str
    params: dict
    line: bytes
    code: int = 0


@dataclasses.dataclass
class Message:
    """
    A message whose end has come. wire is the content as it came, still
    dot-stuffed with DATA; content is without. delivered are the addresses
    for which the final reply was good.
    """

    session: int
    sender: str
    mail: Path
    rcpts: list
    wire: bytes
    content: bytes
    by: str                 # "DATA" or "BDAT"
    delivered: list = dataclasses.field(default_factory=list)
    codes: list = dataclasses.field(default_factory=list)
    time: float = 0

    @property
    def addresses(self) -> list[str]:
        return [r.address for r in self.rcpts]

    @property
    def lines(self) -> bytes:
        """The content with LF for CR LF: what a spool would hold."""
        return self.content.replace(b"\r\n", b"\n")

    @property
    def header(self) -> bytes:
        return self.lines.partition(b"\n\n")[0] + b"\n"

    @property
    def body(self) -> bytes:
        return self.lines.partition(b"\n\n")[2]


def format_reply(text: str) -> bytes:
    """"250 a\\nb" becomes "250-a", "250 b", each with CRLF."""
    code, _, rest = text.partition(" ")
    lines = rest.split("\n")
    out = [f"{code}-{x}" for x in lines[:-1]]
    out.append(f"{code} {lines[-1]}" if rest or " " in text else code)
    return b"".join(x.encode("utf-8", "surrogateescape") + b"\r\n"
                    for x in out)


def code_of(data: bytes) -> int:
    """The code of the last reply line in data, or 0."""
    lines = data.rstrip(b"\r\n").split(b"\n")
    m = re.match(rb"([2-5]\d\d)(?: |\r|$)", lines[-1])
    return int(m[1]) if m else 0


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: "Server", number: int):
        self.server = server
        self.number = number
        self.script = (server.connections[number]
                       if number < len(server.connections) else {})
        self.input = bytearray()
        self.output = bytearray()
        self.hello = ""             # EHLO, HELO, LHLO once accepted
        self.mail: Path | None = None
        self.rcpts: list[Path] = []     # accepted
        self.bdat = bytearray()
        self.bdat_begun = self.bdat_failed = False
        self.paid: list[int] = []       # codes of replies sent early
        self.content_do: Do | None = None
        self.commands: list[str] = []
        self.mails = 0              # MAIL commands
        self.ended = ""             # quit, eof, lost, closed, stopped
        self.eof = self.lost = False
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.wake = asyncio.Event()

    # -- asyncio.Protocol --

    def connection_made(self, transport) -> None:
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.task = asyncio.get_running_loop().create_task(self.live())

    def data_received(self, data: bytes) -> None:
        self.server.note(self.number, "C", data)
        self.input += data
        if len(self.input) > INPUT_HIGH:
            self.transport.pause_reading()
        self.wake.set()

    def eof_received(self) -> bool:
        self.eof = True
        self.wake.set()
        return True

    def connection_lost(self, exc) -> None:
        self.lost = self.eof = True
        self.wake.set()
        self.may_write.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    # -- input --

    async def more(self) -> bool:
        """Waits for input or its end; False if it has ended. Replies leave
        first."""
        await self.flush()
        self.wake.clear()
        if self.eof:
            return False
        self.transport.resume_reading()
        await self.wake.wait()
        return True

    async def line(self) -> bytes:
        """The next line without its end; Gone at the end of input."""
        seen = 0
        while (at := self.input.find(b"\n", seen)) < 0:
            seen = len(self.input)
            if not await self.more():
                if self.input:
                    self.blame("cut-line", repr(bytes(self.input[:200])))
                raise Gone("lost" if self.lost else "eof")
        line = bytes(self.input[:at + 1])
        del self.input[:at + 1]
        if not line.endswith(b"\r\n"):
            self.blame("bare-lf", repr(line[:200]))
        line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        if b"\r" in line:
            self.blame("bare-cr", repr(line[:200]))
        if b"\0" in line:
            self.blame("nul", repr(line[:200]))
        return line

    async def bounds(self, have: int) -> None:
        """Closes or stalls when content has reached what a Do says."""
        do = self.content_do
        if do is None:
            return
        if do.cut is not None and have >= do.cut:
            await self.hang_up()
        if do.stall is not None and have >= do.stall:
            await self.flush()
            self.transport.pause_reading()
            while not self.lost:
                await asyncio.sleep(0.02)
            raise Gone("lost")

    async def until_dot(self) -> bytes:
        """Content up to and without the line "."; dots still doubled."""
        end, seen = b"\r\n.\r\n", 0
        while True:
            if self.input.startswith(b".\r\n"):
                del self.input[:3]
                return b""
            at = self.input.find(end, max(0, seen - 4))
            if at >= 0:
                break
            await self.bounds(len(self.input))
            seen = len(self.input)
            if not await self.more():
                self.server.broken_off.append(bytes(self.input))
                raise Gone("lost" if self.lost else "eof")
        await self.bounds(at + 2)
        content = bytes(self.input[:at + 2])
        del self.input[:at + len(end)]
        return content

    async def exactly(self, n: int) -> bytes:
        while len(self.input) < n:
            await self.bounds(len(self.input))
            if not await self.more():
                self.server.broken_off.append(bytes(self.input))
                raise Gone("lost" if self.lost else "eof")
        await self.bounds(n)
        content = bytes(self.input[:n])
        del self.input[:n]
        return content

    # -- output --

    async def flush(self) -> None:
        if self.output:
            data = bytes(self.output)
            self.output.clear()
            await self.write(data)

    async def write(self, data: bytes) -> None:
        if self.lost:
            raise Gone("lost")
        self.server.note(self.number, "S", data)
        self.transport.write(data)
        await self.may_write.wait()
        if self.lost:
            raise Gone("lost")

    async def hang_up(self, reset: bool = False):
        await self.flush()
        if reset:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
            self.transport.abort()
        raise Gone("closed")

    def blame(self, kind: str, detail: str) -> None:
        self.server.violations.append(Violation(kind, self.number, detail))

    # -- replies --

    def choose(self, event: str, who: str) -> Do | None:
        """What the scripts say about an event, as a Do."""
        for script in (self.script, self.server.script):
            if callable(script):
                todo = script(self, event, who)
                if todo is None:
                    continue
            else:
                key = f"{event}:{who}"
                if key not in script:
                    key = event
                if key not in script:
                    continue
                todo = script[key]
            if isinstance(todo, list):
                todo = todo.pop(0) if todo else None
            if callable(todo):
                todo = todo(self)
            if isinstance(todo, str):
                todo = Do(todo)
            return todo
        return None

    async def respond(self, event: str, right: str, who: str = "") -> int:
        """
        Answers as the script says or else rightly. Gives the code that the
        client saw, or that of accept: 250 or 550.
        """
        do = self.choose(event, who)
        if self.paid:
            return self.paid.pop(0)
        if do is None:
            self.output += format_reply(right)
            return code_of(format_reply(right))
        if do.gate is not None or do.delay or do.close or do.silent \
                or do.endless or do.chunk:
            await self.flush()
        while do.gate is not None and not do.gate.is_set():
            if self.lost:
                raise Gone("lost")
            await asyncio.sleep(0.003)
        if do.delay:
            await asyncio.sleep(do.delay)
        if event == "connect" and self.input:
            self.blame("early-talk", repr(bytes(self.input[:200])))
        if do.close in ("before", "reset"):
            await self.hang_up(do.close == "reset")
        if do.silent:
            while await self.more():
                self.input.clear()
            raise Gone("lost" if self.lost else "eof")
        data = do.raw
        if data is None:
            data = format_reply(right if do.text is None else do.text)
        code = code_of(data)
        for text in do.early:
            data += format_reply(text)
            self.paid.append(code_of(format_reply(text)))
        await self.send(data + do.extra, do)
        if do.close == "after":
            await self.hang_up()
        if do.accept is not None:
            code = 250 if do.accept else 550
        return code

    async def send(self, data: bytes, do: Do) -> None:
        if not do.chunk:
            self.output += data
        for at in range(0, len(data), do.chunk) if do.chunk else ():
            await self.write(data[at:at + do.chunk])
            await asyncio.sleep(do.pause)
        while do.endless:
            self.transport.resume_reading()
            self.input.clear()
            await self.write(do.endless)
            await asyncio.sleep(0)

    # -- the dialogue --

    async def live(self) -> None:
        try:
            if self.server.dialogue is not None:
                await self.server.dialogue.play(self)
            else:
                await self.talk()
        except Gone as gone:
            self.ended = str(gone)
        except asyncio.CancelledError:
            self.ended = "stopped"
        except Exception as problem:            # a bug in a script
            self.ended = "closed"
            self.server.problems.append(f"{type(problem).__name__}: {problem}")
        finally:
            await self.part()

    async def part(self) -> None:
        """
        Closes. The client is given a moment to read what was said and to
        close first; else what it still sends would make a reset of the end.
        """
        if not self.lost and not self.eof and self.transport.can_write_eof():
            self.transport.write_eof()
            end = time.monotonic() + PARTING
            while not self.eof and time.monotonic() < end:
                if self.input and self.ended == "quit":
                    self.blame("after-quit", repr(bytes(self.input[:200])))
                self.input.clear()
                self.transport.resume_reading()
                await asyncio.sleep(0.005)
        if not self.transport.is_closing():
            self.transport.close()

    async def talk(self) -> None:
        await asyncio.sleep(self.server.linger)
        if self.input:
            self.blame("early-talk", repr(bytes(self.input[:200])))
        code = await self.respond(
            "connect", f"220 {self.server.hostname} "
            + ("LMTP" if self.server.lmtp else "ESMTP"))
        while True:
            line = await self.line()
            verb = line.split(b" ", 1)[0].decode("latin-1").upper()
            self.commands.append(line.decode("utf-8", "surrogateescape"))
            await self.check_command(verb, line)
            handler = getattr(self, "on_" + verb.lower(), None)
            if handler is None or not verb.isalpha():
                await self.respond(verb, "500 5.5.2 unknown command")
            elif code // 100 in (4, 5) and verb != "QUIT":
                await self.respond(verb, "503 5.5.1 not now")
            else:
                await handler(line)

    @property
    def keywords(self) -> list[str]:
        """What EHLO offers now."""
        return self.server.keywords

    def offers(self, keyword: str) -> bool:
        return (self.hello in ("EHLO", "LHLO")
                and any(k.split(" ")[0].upper() == keyword
                        for k in self.keywords))

    async def check_command(self, verb: str, line: bytes) -> None:
        room = COMMAND_MAX + sum(n for (v, k), n in ROOM.items()
                                 if v == verb and self.offers(k))
        if len(line) + 2 > room:
            self.blame("long-command", f"{len(line) + 2} bytes: {line[:80]!r}")
        if not self.offers("SMTPUTF8") and not line.isascii():
            self.blame("8bit-command", repr(line[:200]))
        if verb != "BDAT":              # its content follows
            await self.check_group(line, verb in ENDS_GROUP)

    async def check_group(self, what: bytes, ends: bool = False) -> None:
        """Blames what was sent before the reply to `what` was due."""
        if self.paid:
            return
        kind = "not-last" if ends else ""
        if not self.offers("PIPELINING"):
            kind = "pipelined"
            if not self.input:
                await self.flush()
                await asyncio.sleep(self.server.linger)
        if kind and self.input:
            self.blame(kind, f"{what[:80]!r} is followed by "
                       f"{bytes(self.input[:80])!r} before its reply")

    def path(self, verb: str, line: bytes) -> Path | None:
        """Takes MAIL or RCPT apart; None if it is malformed."""
        m = ADDRESS.fullmatch(line)
        if m is None:
            self.blame("syntax", repr(line[:200]))
            return None
        params: dict[str, str | None] = {}
        for word in m[3].decode("utf-8", "surrogateescape").split(" ")[1:]:
            name, eq, value = word.partition("=")
            name = name.upper()
            need = PARAMETERS[verb].get(name)
            if value.upper() == "BINARYMIME" and name == "BODY":
                need = "BINARYMIME"
            if name in params:
                self.blame("parameter-twice", word)
            if need is None or not self.offers(need):
                self.blame("parameter", f"{word} was not offered")
            params[name] = value if eq else None
            form = VALUES.get(name, ".*")
            if form is None and eq or form is not None and (
                    not eq or not re.fullmatch(form, value)):
                self.blame("parameter-value", repr(word))
        path = Path(m[2].decode("utf-8", "surrogateescape"), params, line)
        mail = path if verb == "MAIL" else self.mail
        if not line.isascii() and mail is not None \
                and "SMTPUTF8" not in mail.params:
            self.blame("8bit-command", repr(line[:200]))
        return path

    def limit(self, name: str) -> int | None:
        """A limit that LIMITS tells of (RFC 9422)."""
        for keyword in self.keywords:
            words = keyword.upper().split()
            if words[:1] == ["LIMITS"] and self.offers("LIMITS"):
                for word in words[1:]:
                    key, _, value = word.partition("=")
                    if key == name and value.isdigit():
                        return int(value)
        return None

    def check_limit(self, name: str, n: int) -> None:
        limit = self.limit(name)
        if limit is not None and n > limit:
            self.blame("limit", f"{n} are more than {name}={limit}")

    def lie(self, verb: str, path: Path, right: str) -> str:
        """The answer to parameters that are offered and not understood."""
        for name in path.params:
            need = PARAMETERS[verb].get(name)
            if need in self.server.lies and right.startswith("2"):
                return self.server.lies[need]
        return right

    def clear(self) -> None:
        self.mail = None
        self.rcpts = []
        self.bdat.clear()
        self.bdat_begun = self.bdat_failed = False
        self.content_do = None

    async def hello_command(self, verb: str, line: bytes) -> None:
        server = self.server
        right = f"250 {server.hostname}"
        if b" " not in line.strip():
            self.blame("syntax", f"{verb} without a name")
        if (verb == "LHLO") != server.lmtp:
            await self.respond(verb, "500 5.5.1 wrong protocol")
            return
        if verb != "HELO":
            right += "".join("\n" + k for k in self.keywords)
        code = await self.respond(verb, right)
        if code // 100 == 2:
            self.hello = verb
            self.clear()

    async def on_ehlo(self, line: bytes) -> None:
        await self.hello_command("EHLO", line)

    async def on_lhlo(self, line: bytes) -> None:
        await self.hello_command("LHLO", line)

    async def on_helo(self, line: bytes) -> None:
        await self.hello_command("HELO", line)

    async def on_mail(self, line: bytes) -> None:
        path = self.path("MAIL", line)
        right = "250 2.1.0 ok"
        if path is None:
            right = "501 5.5.4 syntax"
        elif not self.hello:
            right = "503 5.5.1 say hello first"
        elif self.mail is not None and not self.server.nested_mail:
            right = "503 5.5.1 nested MAIL"
        elif self.too_big(path.params.get("SIZE")):
            right = "552 5.3.4 too big"
        self.mails += 1
        self.check_limit("MAILMAX", self.mails)
        if path is not None:
            right = self.lie("MAIL", path, right)
        code = await self.respond("MAIL", right, path.address if path else "")
        if code // 100 == 2 and path is not None:
            self.clear()
            path.code = code
            self.mail = path

    def too_big(self, size) -> bool:
        limit = self.server.size_limit
        return (limit is not None and str(size).isdigit()
                and int(size) > limit)

    async def on_rcpt(self, line: bytes) -> None:
        path = self.path("RCPT", line)
        right = "250 2.1.5 ok"
        if path is None:
            right = "501 5.5.4 syntax"
        elif self.mail is None:
            right = "503 5.5.1 MAIL first"
        if path is not None:
            right = self.lie("RCPT", path, right)
        code = await self.respond("RCPT", right, path.address if path else "")
        if code // 100 == 2 and path is not None:
            path.code = code
            self.rcpts.append(path)
            self.check_limit("RCPTMAX", len(self.rcpts))
            self.check_limit("RCPTDOMAINMAX", len(
                {r.address.rpartition("@")[2].lower() for r in self.rcpts}))

    async def on_data(self, line: bytes) -> None:
        right = "354 go ahead"
        if self.mail is None:
            right = "503 5.5.1 MAIL first"
        elif not self.rcpts and not self.server.data_without_rcpt:
            right = ("503" if self.server.lmtp else "554") \
                + " 5.5.1 no valid recipients"
        elif self.bdat_begun:
            right = "503 5.5.1 BDAT has begun"
        code = await self.respond("DATA", right)
        if code // 100 == 3:
            self.content_do = self.choose("content", "")
            wire = await self.until_dot()
            await self.check_group(b".")
            self.check_content(wire)
            lines = b"\r\n" + wire
            if lines.count(b"\r\n.") != lines.count(b"\r\n.."):
                self.blame("dot", repr(wire[:200]))
            await self.finish(wire, lines.replace(b"\r\n.", b"\r\n")[2:],
                              "DATA")
        else:
            self.refused()

    async def on_bdat(self, line: bytes) -> None:
        m = re.fullmatch(rb"BDAT (\d{1,18})( LAST)?", line, re.IGNORECASE)
        if m is None or not self.offers("CHUNKING"):
            self.blame("syntax", repr(line[:200]))
            await self.respond("BDAT", "501 5.5.4 syntax")
            return
        last = m[2] is not None
        self.content_do = self.choose("content", "")
        data = await self.exactly(int(m[1]))
        await self.check_group(line)
        if self.mail is None or not self.rcpts or self.bdat_failed:
            if self.server.lmtp and self.mail is not None \
                    and not self.bdat_begun:
                self.blame("lmtp-bdat", "BDAT without a recipient")
            await self.respond("BDAT", "503 5.5.1 no valid recipients")
            return
        self.bdat += data
        self.bdat_begun = True
        if not last:
            code = await self.respond("BDAT", f"250 2.0.0 {len(data)} octets")
            if code // 100 != 2:
                self.bdat_failed = True
                self.refused()
            return
        wire = bytes(self.bdat)
        self.check_content(wire)
        await self.finish(wire, wire, "BDAT")

    def check_content(self, wire: bytes) -> None:
        ends = wire.count(b"\r\n")      # counting is fast, patterns are not
        for kind, pattern in (("bare-cr", BARE_CR), ("bare-lf", BARE_LF)):
            if wire.count(b"\r" if kind == "bare-cr" else b"\n") != ends:
                m = pattern.search(wire)
                around = wire[max(0, m.start() - 40):m.end() + 40]
                self.blame(kind, f"content at {m.start()}: {around!r}")
        if b"\0" in wire:
            self.blame("nul", f"content at {wire.index(0)}")
        if wire and not wire.endswith(b"\r\n"):
            self.blame("no-crlf-at-end", repr(wire[-40:]))
        for line in wire.split(b"\r\n"):
            if len(line) - line.startswith(b".") > LINE_MAX:
                self.blame("long-line", f"{len(line)} bytes: {line[:80]!r}")

    async def finish(self, wire: bytes, content: bytes, by: str) -> None:
        """The end of a message: stores it, answers, clears."""
        message = Message(self.number, self.mail.address if self.mail else "",
                          self.mail, list(self.rcpts), wire, content, by,
                          time=time.monotonic())
        right = "250 2.0.0 accepted"
        if not self.rcpts:
            right = "554 5.5.1 no valid recipients"
        elif self.too_big(len(content)):
            right = "552 5.3.4 too big"
        self.server.attempts.append(message)
        if self.server.lmtp:
            for rcpt in message.rcpts:
                code = await self.respond(".", right, rcpt.address)
                message.codes.append(code)
                if code // 100 == 2:
                    message.delivered.append(rcpt.address)
        else:
            code = await self.respond(".", right)
            message.codes.append(code)
            if code // 100 == 2:
                message.delivered = message.addresses
        if message.delivered:
            self.server.accept(message)
            self.clear()
        else:
            self.refused()

    def refused(self) -> None:
        """DATA, BDAT or the end of a message was refused."""
        if self.server.refusal == "clear":
            failed = self.bdat_failed
            self.clear()
            self.bdat_failed = failed
        else:
            self.bdat.clear()
            self.bdat_begun = False

    async def on_rset(self, line: bytes) -> None:
        if (await self.respond("RSET", "250 2.0.0 ok")) // 100 == 2:
            self.clear()

    async def on_noop(self, line: bytes) -> None:
        await self.respond("NOOP", "250 2.0.0 ok")

    async def on_vrfy(self, line: bytes) -> None:
        await self.respond("VRFY", "252 2.5.2 try and see")

    async def on_quit(self, line: bytes) -> None:
        await self.respond("QUIT", f"221 2.0.0 {self.server.hostname} bye")
        await self.flush()
        self.input.clear()              # blamed already
        raise Gone("quit")

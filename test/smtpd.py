"""
smtpd - a scriptable SMTP and LMTP server, for tests and the demonstration.

As a library it runs in a thread of its own:

    with Server(script={"RCPT": ["250 ok", "550 5.1.1 no such user"]}) as s:
        ...                         # the client talks to s.destination
    assert s.messages[0].content == b"..."
    assert not s.violations

It is a correct server until told otherwise. A script says otherwise: a
dictionary from an event to what to do. Events are "connect", the commands in
upper case ("EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET",
"NOOP", "QUIT", ...), and "." for the end of a message (also of one that ends
with BDAT LAST; with LMTP once for each accepted recipient), and "content" when
the content of DATA or of one BDAT begins. "RCPT:bob@x" and ".:bob@x" concern
one address and win over "RCPT" and ".".

What to do is one of
  None           what a correct server does
  "550 no"       this reply; lines are separated by \\n, the server adds
                 the hyphens
  a Do           see there: raw bytes, delays, pieces, closing, silence...
  a list         one of these for each occurrence, then None for ever
  a function     of (session) that gives one of these
Instead of the dictionary a function of (session, event, who) may be given.
`connections` is a list of scripts for the first, second... connection, each
asked before the common one.

Everything received and sent is in Server.transcript, in order of time; what
the client did that a client must not do is in Server.violations; whole
messages are in Server.messages.

Dialogue plays a text file of C: and S: lines instead; see dialogue.py.

As a program: smtpd.py --port-file F --store DIR [--lmtp] [--listen ADDRESS]
[--keywords A,B] [--dialogue FILE]. It prints nothing, writes its port into F
when it listens, and stores message N as DIR/N.eml (content with CRLF, exactly
as received without dot-stuffing) and its envelope as DIR/N.json. It ends by
SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import re
import signal
import socket
import sys
import threading
import time

from dialogue import Dialogue
from smtpsession import (Chunk, Do, Message, Path, Session, Violation,
                         format_reply)

__all__ = ["Chunk", "Dialogue", "Do", "Message", "Path", "Server", "Session",
           "Violation", "format_reply"]

DEADLINE = float(os.environ.get("ZPOST_DEADLINE", "20"))
KEYWORDS = ("PIPELINING", "8BITMIME", "SIZE", "DSN", "ENHANCEDSTATUSCODES",
            "SMTPUTF8")


class Server:
    """
    listen     an address, or "unix:/path"; the port is random
    keywords   what EHLO and LHLO offer, e.g. "SIZE 1000"
    refusal    "clear" or "keep": what becomes of a transaction whose DATA,
               BDAT or end of data was refused
    nested_mail        MAIL inside a transaction begins a new one (else 503)
    data_without_rcpt  DATA gets 354 although no recipient was accepted
    size_limit         in bytes; larger messages get 552
    lies       keyword to reply: what MAIL or RCPT gets when it has a
               parameter of an extension that is offered all the same,
               e.g. {"DSN": "555 5.5.4 no such parameter"}
    linger     seconds to look for early input before a reply when
               PIPELINING is not offered
    rcvbuf     SO_RCVBUF of the connections
    allow      kinds of violations that check() does not mind
    """

    SESSION = Session

    def __init__(self, *, lmtp: bool = False, keywords=KEYWORDS, script=None,
                 connections=(), listen: str = "127.0.0.1", port: int = 0,
                 hostname: str = "test.example", refusal: str = "clear",
                 nested_mail: bool = False, data_without_rcpt: bool = False,
                 size_limit: int | None = None, lies=None,
                 linger: float = 0.003, rcvbuf: int | None = None,
                 dialogue: Dialogue | None = None, allow=(),
                 on_message=None, record: bool = True):
        self.lmtp = lmtp
        self.keywords = list(keywords)
        self.script = script if script is not None else {}
        self.connections = list(connections)
        self.listen = listen
        self.port = port
        self.hostname = hostname
        self.refusal = refusal
        self.nested_mail = nested_mail
        self.data_without_rcpt = data_without_rcpt
        self.size_limit = size_limit
        self.lies = dict(lies or {})
        self.linger = linger
        self.rcvbuf = rcvbuf
        self.dialogue = dialogue
        self.allow = set(allow)
        self.on_message = on_message
        self.record = record

        self.sessions: list[Session] = []
        self.messages: list[Message] = []   # accepted for someone
        self.attempts: list[Message] = []   # whose end came, refused or not
        self.broken_off: list[bytes] = []   # content without an end
        self.transcript: list[Chunk] = []
        self.violations: list[Violation] = []
        self.problems: list[str] = []       # bugs of the test itself
        self._thread: threading.Thread | None = None

    # -- inside --

    def note(self, session: int, side: str, data: bytes) -> None:
        if self.record:
            self.transcript.append(
                Chunk(time.monotonic(), session, side, data))

    def accept(self, message: Message) -> None:
        self.messages.append(message)
        if self.on_message is not None:
            self.on_message(message)

    def _session(self) -> Session:
        session = self.SESSION(self, len(self.sessions))
        self.sessions.append(session)
        return session

    def _bind(self) -> socket.socket:
        if self.listen.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(self.listen[5:])
        else:
            family = (socket.AF_INET6 if ":" in self.listen
                      else socket.AF_INET)
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.rcvbuf is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                self.rcvbuf)
            sock.bind((self.listen, self.port))
            self.port = sock.getsockname()[1]
        sock.listen(128)
        return sock

    async def serve(self, stop: asyncio.Event, ready=None) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._session, sock=self._sock) \
            if self._sock.family != socket.AF_UNIX \
            else await loop.create_unix_server(self._session, sock=self._sock)
        if ready is not None:
            ready()
        await stop.wait()
        server.close()
        tasks = [s.task for s in self.sessions if hasattr(s, "task")]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for s in self.sessions:
            if hasattr(s, "transport"):
                s.transport.abort()
        await server.wait_closed()

    # -- outside --

    def start(self) -> "Server":
        self._sock = self._bind()
        begun = threading.Event()

        def body() -> None:
            async def main() -> None:
                self._loop = asyncio.get_running_loop()
                self._stop = asyncio.Event()
                await self.serve(self._stop, begun.set)

            asyncio.run(main())

        self._thread = threading.Thread(target=body, daemon=True,
                                        name="smtpd")
        self._thread.start()
        if not begun.wait(DEADLINE):
            raise RuntimeError("smtpd did not start")
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(DEADLINE)
            if self._thread.is_alive():
                raise RuntimeError("smtpd did not stop")
            self._thread = None
            if self.listen.startswith("unix:"):
                pathlib.Path(self.listen[5:]).unlink(missing_ok=True)

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *exc) -> None:
        self.stop()

    @property
    def destination(self) -> str:
        """As `smtp -F` takes it, with the port."""
        if self.listen.startswith("unix:"):
            return "UNIX:" + self.listen[5:]
        if ":" in self.listen:
            return f"[IPv6:{self.listen}]:{self.port}"
        return f"[{self.listen}]:{self.port}"

    def wait_for(self, condition, what: str, deadline: float = None) -> None:
        end = time.monotonic() + (DEADLINE if deadline is None else deadline)
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"smtpd: waited in vain for {what}:\n"
                                     + self.text())
            time.sleep(0.005)

    def wait_messages(self, n: int = 1, deadline: float = None) -> None:
        self.wait_for(lambda: len(self.messages) >= n, f"{n} messages",
                      deadline)

    def wait_command(self, pattern: str, deadline: float = None) -> None:
        """Waits until some connection has sent a command that fits."""
        self.wait_for(lambda: any(re.match(pattern, c) for c in
                                  self.commands()), pattern, deadline)

    def wait_ended(self, session: int = 0, deadline: float = None) -> str:
        """Waits for the end of a connection; gives how it ended."""
        self.wait_for(lambda: len(self.sessions) > session
                      and self.sessions[session].ended,
                      f"the end of connection {session}", deadline)
        return self.sessions[session].ended

    def commands(self, session: int | None = None) -> list[str]:
        """Command lines, in order, of one connection or of all."""
        return [c for s in self.sessions
                if session is None or s.number == session
                for c in s.commands]

    def groups(self, session: int = 0) -> list[bytes]:
        """
        What the client sent between two replies: the number of groups is
        the number of round trips.
        """
        out: list[bytes] = []
        last = "S"
        for chunk in self.transcript:
            if chunk.session != session:
                continue
            if chunk.side == "C" and last == "C":
                out[-1] += chunk.data
            elif chunk.side == "C":
                out.append(chunk.data)
            last = chunk.side
        return out

    def received(self, session: int | None = None) -> bytes:
        """All bytes that came."""
        return b"".join(c.data for c in self.transcript if c.side == "C"
                        and (session is None or c.session == session))

    def text(self) -> str:
        """The transcript for a human."""
        out = []
        begin = self.transcript[0].time if self.transcript else 0
        for c in self.transcript:
            for line in c.data.split(b"\n"):
                if line:
                    out.append(f"{c.time - begin:7.3f} {c.session} {c.side}: "
                               + repr(line + b"\n")[2:-1])
        return "\n".join(out)

    def check(self) -> None:
        """Raises unless the client, the script and the dialogue did well."""
        wrong = [str(v) for v in self.violations if v.kind not in self.allow]
        wrong += self.problems
        if self.dialogue is not None:
            wrong += self.dialogue.errors
        if wrong:
            raise AssertionError("\n".join(wrong) + "\n" + self.text())


# ---- the program ----------------------------------------------------------


def store_into(folder: pathlib.Path):
    """An on_message that writes N.eml, then N.json, each under a rename."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0

    def put(path: pathlib.Path, data: bytes) -> None:
        draft = path.with_name("." + path.name)
        draft.write_bytes(data)
        draft.rename(path)

    def store(message: Message) -> None:
        nonlocal count
        count += 1
        envelope = {
            "from": message.sender, "mail": message.mail.params,
            "to": [{"address": r.address, "params": r.params}
                   for r in message.rcpts if r.address in message.delivered],
            "by": message.by,
        }
        put(folder / f"{count}.eml", message.content)
        put(folder / f"{count}.json",
            json.dumps(envelope, indent=1).encode() + b"\n")

    return store


def main(argv=None) -> int:
    p = argparse.ArgumentParser(prog="smtpd.py")
    p.add_argument("--port-file", type=pathlib.Path, required=True)
    p.add_argument("--store", type=pathlib.Path, required=True)
    p.add_argument("--lmtp", action="store_true")
    p.add_argument("--listen", default="127.0.0.1",
                   help="an address, or unix:/path")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--keywords", default=",".join(KEYWORDS))
    p.add_argument("--dialogue", type=pathlib.Path)
    a = p.parse_args(argv)

    server = Server(
        lmtp=a.lmtp, listen=a.listen, port=a.port, record=False,
        keywords=[k for k in a.keywords.split(",") if k],
        dialogue=Dialogue.load(a.dialogue) if a.dialogue else None,
        on_message=store_into(a.store))
    server._sock = server._bind()

    def listening() -> None:
        draft = a.port_file.with_name("." + a.port_file.name)
        draft.write_text(f"{server.port}\n")
        draft.rename(a.port_file)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await server.serve(stop, listening)

    asyncio.run(run())
    for v in [*server.violations, *server.problems]:
        print(f"smtpd.py: {v}", file=sys.stderr)
    if server.dialogue is not None:
        for error in server.dialogue.errors:
            print(f"smtpd.py: {error}", file=sys.stderr)
        return 1 if server.dialogue.errors else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

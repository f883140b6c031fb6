"""
peers_aiosmtpd - a server of other people's making that does what it is told.

Debian's aiosmtpd, in a thread of the test. What it decides is up to a
Script, whose answer() is asked at MAIL, RCPT and the end of DATA:

    class Never(Script):
        def answer(self, stage, message): return "451 not now"

    with Aiosmtpd(Never(), claims=("PIPELINING",)) as server:
        ... deliver to server.destination ...
        server.taken()

It offers SIZE, 8BITMIME and SMTPUTF8; claims are added to that, whether it
knows them or not: it reads ahead well, so PIPELINING is true; CHUNKING and
DSN are lies, it answers 500 to BDAT and 555 to parameters.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading

from peerroot import PEERS, Missing, Taken

PACKAGES = ("python3-aiosmtpd", "python3-public")
DIST = "usr/lib/python3/dist-packages"
DROP = "drop"           # an answer: the connection is cut instead
TAKE_AND_DROP = "take and drop"     # at the end of DATA: taken, and cut


def load():
    """The module aiosmtpd.smtp."""
    for package in PACKAGES:
        if not (PEERS / package).is_dir():
            raise Missing(f"{package} is not unpacked (make setup)")
        path = str(PEERS / package / DIST)
        if path not in sys.path:
            sys.path.append(path)
    try:
        import aiosmtpd.smtp
    except ImportError as reason:
        raise Missing(f"aiosmtpd: {reason}") from None
    return aiosmtpd.smtp


class Script:
    """Accepts everything."""

    def answer(self, stage: str, message: Taken) -> str | None:
        """
        stage is "MAIL", "RCPT" or "."; message what is known of it so far,
        at RCPT with the new recipient last. None accepts.
        """
        return None


class Handler:
    """What aiosmtpd calls; one for all sessions."""

    def __init__(self, script: Script, claims: tuple):
        self.script = script
        self.claims = claims
        self.messages: list[Taken] = []
        self.commands: list[str] = []
        self.sessions = 0
        self.ids = itertools.count()

    def decide(self, server, stage: str, message: Taken) -> str | None:
        answer = self.script.answer(stage, message)
        if answer == TAKE_AND_DROP:
            self.messages.append(message)
        if answer in (DROP, TAKE_AND_DROP):
            server.transport.abort()
            return "421 gone"           # nobody hears it
        return answer

    async def handle_EHLO(self, server, session, envelope, hostname,
                          responses):
        session.host_name = hostname
        self.sessions += 1
        return [responses[0], *(f"250-{c}" for c in self.claims),
                *responses[1:]]

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.commands.append("MAIL")
        sender = "" if address == "<>" else address
        answer = self.decide(server, "MAIL", Taken("", sender, [], b""))
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 sender"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.decide(server, "RCPT", Taken(
            "", str(envelope.mail_from), [*envelope.rcpt_tos, address], b""))
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 recipient"

    async def handle_DATA(self, server, session, envelope):
        sender = envelope.mail_from
        message = Taken(str(next(self.ids)),
                        "" if sender == "<>" else sender,
                        list(envelope.rcpt_tos),
                        envelope.content.replace(b"\r\n", b"\n"),
                        utf8=bool(envelope.smtp_utf8))
        answer = self.decide(server, ".", message)
        if answer is None:
            self.messages.append(message)
        return answer or "250 2.0.0 taken"


class Aiosmtpd:
    """See above. Stopped at the end of the `with`."""

    def __init__(self, script: Script | None = None, claims: tuple = (),
                 **options):
        self.smtp = load()
        self.handler = Handler(script or Script(), claims)
        self.options = options
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def make(self):
        return self.smtp.SMTP(self.handler, loop=self.loop,
                              enable_SMTPUTF8=True, timeout=60,
                              ident="aiosmtpd", hostname="aio.example",
                              **self.options)

    @property
    def destination(self) -> str:
        return f"[127.0.0.1]:{self.port}"

    def taken(self) -> list[Taken]:
        return self.handler.messages

    def __enter__(self) -> "Aiosmtpd":
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(
            self.loop.create_server(self.make, "127.0.0.1", 0),
            self.loop).result(20)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc) -> None:
        async def end():
            self.server.close()
            tasks = [t for t in asyncio.all_tasks()
                     if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.loop.close()

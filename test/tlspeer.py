"""
tlspeer - the scriptable server (smtpd.py) with STARTTLS and AUTH.

    with TlsServer(Tls(identity)) as s: ...
    s.in_clear()                # commands that came before TLS
    s.in_tls()                  # and within
    s.secured                   # sessions whose handshake was finished

Two more events for scripts: "STARTTLS", whose reply may be any; and
"handshake", after a 220, with a Do: `raw` bytes as the answer to the client's
first ones, silent (a stall), close="before", delay. Bytes in the clear behind
the 220 are a Do's `extra` at STARTTLS.

Whatever the client said in the clear is forgotten after the handshake, as it
must forget what it heard. What EHLO offers is different then: STARTTLS is
gone, and `secret` is added.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ctypes
import dataclasses
import pathlib
import ssl
import warnings

import smtpd
from dialogue import Gone
from saslpeer import SERVERS, Accounts, Refused
from smtpsession import Session
from tlsca import Identity

AUTH_MAX = 12288                # RFC 4954 4
EXPORTER = b"EXPORTER-Channel-Binding"      # RFC 9266


@dataclasses.dataclass
class Tls:
    """
    identity   what the server shows; a list: of different kinds of keys
    by_name    others, by the name that the client asks for (SNI)
    minimum, maximum   versions, "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3";
               with a maximum alone it is the only one
    ciphers    of TLS 1.2 and before
    tickets    how many after a handshake of TLS 1.3; 0: nothing is resumed
    clients    a file of authorities: client certificates are asked for
    demands_client   without one there is no handshake; in TLS 1.3 the client
               hears that only when it has finished its own
    wrapper    TLS from the first byte
    is_offered whether EHLO says STARTTLS
    """

    identity: Identity | list[Identity]
    by_name: dict = dataclasses.field(default_factory=dict)
    minimum: str = ""
    maximum: str = ""
    ciphers: str = ""
    tickets: int = 2
    clients: pathlib.Path | None = None
    demands_client: bool = False
    wrapper: bool = False
    is_offered: bool = True

    def context(self, identities) -> ssl.SSLContext:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.sslobject_class = Connection
        named = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1":
                 ssl.TLSVersion.TLSv1_1, "TLSv1.2": ssl.TLSVersion.TLSv1_2,
                 "TLSv1.3": ssl.TLSVersion.TLSv1_3}
        if self.ciphers or self.maximum in ("TLSv1", "TLSv1.1"):
            c.set_ciphers(self.ciphers or "ALL:@SECLEVEL=0")
        with warnings.catch_warnings():     # of versions that are old
            warnings.simplefilter("ignore")
            if self.minimum or self.maximum:
                c.minimum_version = named[self.minimum or self.maximum]
            if self.maximum:
                c.maximum_version = named[self.maximum]
        for identity in identities:
            c.load_cert_chain(identity.file)
        c.num_tickets = self.tickets
        if self.clients is not None:
            c.verify_mode = ssl.CERT_REQUIRED if self.demands_client \
                else ssl.CERT_OPTIONAL
            c.load_verify_locations(self.clients)
        return c

    def contexts(self) -> ssl.SSLContext:
        """The one to begin with; it knows those of the names."""
        first = self.identity
        main = self.context(first if isinstance(first, list) else [first])
        named = {name.lower(): self.context([identity])
                 for name, identity in self.by_name.items()}

        def choose(connection, name, _) -> None:
            connection.session_of.sni = name or ""
            if name is not None and name.lower() in named:
                connection.context = named[name.lower()]

        main.sni_callback = choose
        return main


class Connection(ssl.SSLObject):
    """It knows whose it is."""

    session_of: "TlsSession"


def exporter(connection: ssl.SSLObject) -> bytes:
    """
    Keying material (RFC 5705), which Python does not hand out: the library
    is asked for it, of the SSL that stands behind an object's head and its
    first member.
    """
    size = ctypes.sizeof(ctypes.c_void_p)
    at = id(connection._sslobj) + object.__basicsize__ + size
    out = ctypes.create_string_buffer(32)
    library = ctypes.CDLL("libssl.so.3")
    done = library.SSL_export_keying_material(
        ctypes.c_void_p.from_address(at), out, ctypes.c_size_t(32), EXPORTER,
        ctypes.c_size_t(len(EXPORTER)), b"", ctypes.c_size_t(0), 1)
    if done != 1:
        raise ValueError("no keying material")
    return out.raw


class Exchange:
    """What a mechanism of saslpeer.py sees."""

    def __init__(self, session: "TlsSession", initial: bytes | None):
        self.session = session
        self.initial = initial
        self.offers_plus = any("-PLUS" in k for k in session.keywords)
        self.has_certificate = bool(session.certificate)

    async def ask(self, challenge: bytes) -> bytes:
        session = self.session
        session.output += b"334 " + base64.b64encode(challenge) + b"\r\n"
        line = await session.line()
        session.auth_lines.append(line)
        if len(line) > AUTH_MAX:
            session.blame("long-auth", f"{len(line)} bytes")
        if line == b"*":
            raise Refused("501 5.7.0 cancelled")
        try:
            return base64.b64decode(line, validate=True)
        except binascii.Error:
            raise Refused("501 5.5.2 not base64") from None

    def binding(self, name: str) -> bytes | None:
        tls = self.session.tls
        if tls is None:
            return None
        if name == "tls-exporter":
            return exporter(tls)
        if name == "tls-unique" and tls.version() != "TLSv1.3":
            return tls.get_channel_binding("tls-unique")
        if name == "tls-server-end-point":
            return self.session.server.shown(self.session).certificate_hash
        return None


class TlsSession(Session):
    """
    tls          the finished handshake's SSLObject, or None
    sni          the name that was asked for; "" if none was
    is_resumed, version, cipher, certificate (the client's, DER)
    trouble      why a handshake failed
    has_notified whether the client said close_notify
    auth         (mechanism, user or "", reply) of each exchange
    """

    def __init__(self, server: "TlsServer", number: int):
        super().__init__(server, number)
        self.tls: ssl.SSLObject | None = None
        self.bio_in: ssl.MemoryBIO | None = None
        self.sni = self.trouble = self.version = self.cipher = ""
        self.is_resumed = self.has_notified = False
        self.certificate = b""
        self.n_clear: int | None = None     # commands before TLS
        self.user = ""
        self.auth: list[tuple[str, str, str]] = []
        self.auth_lines: list[bytes] = []

    # -- bytes --

    def data_received(self, data: bytes) -> None:
        if self.bio_in is None:
            super().data_received(data)
            return
        self.bio_in.write(data)
        if self.tls is not None:
            self.pump()
        self.wake.set()

    def pump(self) -> None:
        """What was decrypted becomes input."""
        try:
            while data := self.tls.read(65536):
                super().data_received(data)
            self.has_notified = self.eof = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:      # we have said so before
            self.has_notified = self.eof = True
        except ssl.SSLError as problem:
            self.trouble = self.trouble or str(problem)
            self.eof = True
        self.send_records()

    def send_records(self) -> None:
        data = self.bio_out.read()
        if data and not self.lost:
            self.transport.write(data)

    async def write(self, data: bytes) -> None:
        if self.tls is None:
            await super().write(data)
            return
        if self.lost:
            raise Gone("lost")
        self.server.note(self.number, "S", data)
        try:
            self.tls.write(data)
        except ssl.SSLError:                # the client has ended it
            raise Gone("lost") from None
        self.send_records()
        await self.may_write.wait()
        if self.lost:
            raise Gone("lost")

    async def part(self) -> None:
        if self.tls is not None and not self.lost:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.send_records()
        await super().part()

    # -- TLS --

    async def live(self) -> None:
        if self.server.tls is not None and self.server.tls.wrapper:
            try:
                await self.secure()
            except (Gone, asyncio.CancelledError) as gone:
                self.ended = str(gone) or "stopped"
                await self.part()
                return
        await super().live()

    @property
    def keywords(self) -> list[str]:
        server = self.server
        if self.tls is not None:
            return [*server.keywords, *server.secret]
        offered = server.tls is not None and server.tls.is_offered
        return [*server.keywords, *(["STARTTLS"] if offered else []),
                *server.clear]

    async def on_starttls(self, line: bytes) -> None:
        if self.server.tls is None or self.tls is not None:
            await self.respond("STARTTLS", "503 5.5.1 no TLS here")
            return
        if line.upper() != b"STARTTLS":
            self.blame("syntax", repr(line[:200]))
        code = await self.respond("STARTTLS", "220 2.0.0 ready")
        if code == 220:
            if self.input:
                self.blame("not-last", "before the reply to STARTTLS: "
                           + repr(bytes(self.input[:80])))
            await self.flush()
            await self.secure()

    async def secure(self) -> None:
        """The handshake, or what the script wants instead of it."""
        do = self.choose("handshake", "")
        if do is not None:
            await asyncio.sleep(do.delay)
            if do.close:
                await self.hang_up(do.close == "reset")
            if do.raw is not None:
                while not self.input and await self.more():
                    pass
                await self.write(do.raw)
            if do.silent or do.raw is not None:
                while await self.more():
                    self.input.clear()
                self.trouble = "not wanted"
                raise Gone("lost" if self.lost else "eof")
        self.bio_in, self.bio_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.bio_in.write(bytes(self.input))
        self.input.clear()
        await self.shake_hands()
        self.n_clear = len(self.commands)
        self.hello = ""
        self.clear()
        self.pump()

    async def shake_hands(self) -> None:
        tls = self.server.context().wrap_bio(self.bio_in, self.bio_out,
                                             server_side=True)
        tls.session_of = self
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send_records()
                if not await self.more():
                    self.trouble = "the client went"
                    raise Gone("lost" if self.lost else "eof") from None
            except ssl.SSLError as problem:
                self.send_records()
                self.trouble = str(problem)
                raise Gone("closed") from None
        self.tls = tls
        self.is_resumed = tls.session_reused
        self.version, self.cipher = tls.version(), tls.cipher()[0]
        self.certificate = tls.getpeercert(True) or b""

    # -- AUTH --

    async def check_command(self, verb: str, line: bytes) -> None:
        if verb == "AUTH":
            if len(line) + 2 > AUTH_MAX:
                self.blame("long-command", f"{len(line)} bytes of AUTH")
            await self.check_group(line, True)
        else:
            await super().check_command(verb, line)

    async def on_mail(self, line: bytes) -> None:
        if self.server.demands_auth and not self.user:
            await self.respond("MAIL", "530 5.7.0 authentication required")
        else:
            await super().on_mail(line)

    def mechanisms(self) -> list[str]:
        return [m for k in self.keywords for m in
                k.replace("=", " ").upper().split()[1:]
                if k.upper().startswith("AUTH")]

    async def on_auth(self, line: bytes) -> None:
        words = line.decode("latin-1").split(" ")
        name = words[1].upper() if len(words) > 1 else ""
        self.auth_lines.append(line)
        if name not in self.mechanisms() or name not in SERVERS:
            self.blame("auth-mechanism", repr(line[:80]))
        if self.user or self.mail is not None or len(words) not in (2, 3):
            self.blame("syntax", repr(line[:80]))
        initial = None
        if len(words) == 3:
            initial = b"" if words[2] == "=" else \
                base64.b64decode(words[2], validate=True)
        user, right = "", "235 2.7.0 welcome"
        do = self.choose("AUTH:" + name, "")
        if do is None:
            try:
                user = await SERVERS[name](Exchange(self, initial),
                                           self.server.accounts)
            except Refused as refused:
                right = refused.reply
            except (KeyError, ValueError) as problem:
                right = f"501 5.5.2 malformed: {problem!r}"
        code = await self.respond("AUTH:" + name, right)
        self.user = user if code == 235 else ""
        self.auth.append((name, self.user, str(code)))


class TlsServer(smtpd.Server):
    """
    tls       a Tls, or None: without STARTTLS
    clear     more keywords before TLS, e.g. ["AUTH PLAIN"]
    secret    more keywords within TLS, e.g. ["REQUIRETLS"]
    accounts  whom AUTH knows; demands_auth: MAIL needs it
    and all that smtpd.Server has.
    """

    SESSION = TlsSession

    def __init__(self, tls: Tls | None = None, *, clear=(), secret=(),
                 accounts: Accounts | None = None, demands_auth: bool = False,
                 **how):
        super().__init__(**how)
        self.tls = tls
        self.clear = list(clear)
        self.secret = list(secret)
        self.accounts = accounts or Accounts()
        self.demands_auth = demands_auth
        self._context = None if tls is None else tls.contexts()

    def context(self) -> ssl.SSLContext:
        """A context remembers sessions; one that is new remembers none."""
        return self._context if self.tls.tickets else self.tls.contexts()

    def shown(self, session: TlsSession) -> Identity:
        """The identity that a client was shown."""
        first = self.tls.identity
        first = first[0] if isinstance(first, list) else first
        return self.tls.by_name.get(session.sni, first)

    def came_in_clear(self, message) -> bool:
        return self.sessions[message.session].tls is None

    @property
    def secured(self) -> list[TlsSession]:
        return [s for s in self.sessions if s.tls is not None]

    def in_clear(self) -> list[str]:
        return [c for s in self.sessions for c in s.commands[:s.n_clear]]

    def in_tls(self) -> list[str]:
        return [c for s in self.secured for c in s.commands[s.n_clear:]]

    @property
    def resumed(self) -> int:
        return sum(s.is_resumed for s in self.sessions)

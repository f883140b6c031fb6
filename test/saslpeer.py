"""
saslpeer - the server's side of SASL, which checks what a client proves.

    accounts = Accounts({"bob": "pencil"}, tokens={"bob": "abc"})
    user = await SERVERS["PLAIN"](exchange, accounts)

An exchange has .initial (bytes or None), await .ask(challenge) -> bytes, and
.binding(name) -> bytes or None, the TLS channel's. Whoever does not prove it
is Refused; `cheat` makes SCRAM's server prove nothing itself.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import os


class Refused(Exception):
    """With the reply for it."""

    def __init__(self, reply: str = "535 5.7.8 authentication failed"):
        super().__init__(reply)
        self.reply = reply


@dataclasses.dataclass
class Accounts:
    """
    passwords and tokens by user. certificate: the user whom a verified client
    certificate stands for. cheat: "signature" (SCRAM with a wrong one),
    "nonce" (one that does not begin with the client's), "iterations" (a
    hundred million).
    """

    passwords: dict = dataclasses.field(default_factory=dict)
    tokens: dict = dataclasses.field(default_factory=dict)
    certificate: str = ""
    cheat: str = ""

    def check(self, user: bytes, password: bytes) -> str:
        want = self.passwords.get(user.decode())
        if want is None or want.encode() != password:
            raise Refused()
        return user.decode()


async def first(exchange, challenge: bytes = b"") -> bytes:
    """What the client says first, asked for if it did not come at once."""
    if exchange.initial is not None:
        return exchange.initial
    return await exchange.ask(challenge)


async def plain(exchange, accounts: Accounts) -> str:
    words = (await first(exchange)).split(b"\0")
    if len(words) != 3:
        raise Refused("501 5.5.2 malformed")
    as_whom, user, password = words
    if as_whom not in (b"", user):
        raise Refused()
    return accounts.check(user, password)


async def login(exchange, accounts: Accounts) -> str:
    user = await first(exchange, b"Username:")
    return accounts.check(user, await exchange.ask(b"Password:"))


async def cram_md5(exchange, accounts: Accounts) -> str:
    if exchange.initial is not None:
        raise Refused("501 5.7.0 no initial response here")
    challenge = b"<%s@test.example>" % os.urandom(8).hex().encode()
    user, _, digest = (await exchange.ask(challenge)).rpartition(b" ")
    password = accounts.passwords.get(user.decode(), None)
    if password is None or hmac.new(password.encode(), challenge, "md5"
                                    ).hexdigest().encode() != digest:
        raise Refused()
    return user.decode()


async def external(exchange, accounts: Accounts) -> str:
    whom = await first(exchange)
    if not accounts.certificate or not exchange.has_certificate or \
            whom.decode() not in ("", accounts.certificate):
        raise Refused()
    return accounts.certificate


# ---- tokens -----------------------------------------------------------------


async def refuse_token(exchange) -> None:
    """The error first, and what the client says to it; then the reply."""
    await exchange.ask(json.dumps({"status": "invalid_token",
                                   "schemes": "bearer"}).encode())
    raise Refused()


async def check_token(exchange, accounts, user: str, fields: list) -> str:
    bearer = [f for f in fields if f.startswith(b"auth=")]
    token = accounts.tokens.get(user)
    if token is None or bearer != [b"auth=Bearer " + token.encode()]:
        await refuse_token(exchange)
    return user


async def oauthbearer(exchange, accounts: Accounts) -> str:
    """RFC 7628 3.1"""
    text = await first(exchange)
    head, *fields = text.split(b"\1")
    flag, whom, rest = (head + b",,").split(b",")[:3]
    if flag not in (b"n", b"y") or rest or not whom.startswith(b"a=") or \
            fields[-2:] != [b"", b""]:
        raise Refused("501 5.5.2 malformed")
    return await check_token(exchange, accounts, whom[2:].decode(), fields)


async def xoauth2(exchange, accounts: Accounts) -> str:
    fields = (await first(exchange)).split(b"\1")
    if len(fields) != 4 or not fields[0].startswith(b"user=") or \
            fields[2:] != [b"", b""]:
        raise Refused("501 5.5.2 malformed")
    return await check_token(exchange, accounts, fields[0][5:].decode(),
                             fields)


# ---- SCRAM (RFC 5802) -------------------------------------------------------


def attributes(text: bytes) -> dict[bytes, bytes]:
    return dict(x.split(b"=", 1) for x in text.split(b",") if b"=" in x)


def check_header(exchange, flag: bytes, is_plus: bool) -> bytes:
    """The gs2 flag; gives the data that the channel is bound with."""
    if is_plus != flag.startswith(b"p="):
        raise Refused("535 5.7.8 wrong channel binding flag")
    if flag == b"y" and exchange.offers_plus:
        raise Refused("535 5.7.8 channel binding was taken away")
    if flag not in (b"n", b"y") and not is_plus:
        raise Refused("501 5.5.2 malformed")
    if not is_plus:
        return b""
    data = exchange.binding(flag[2:].decode())
    if data is None:
        raise Refused("535 5.7.8 no such channel binding")
    return data


def server_nonce() -> bytes:
    return base64.b64encode(os.urandom(12))


def make_salt() -> bytes:
    return os.urandom(16)


def scram(name: str, is_plus: bool):
    def mac(key: bytes, text: bytes) -> bytes:
        return hmac.new(key, text, name).digest()

    async def serve(exchange, accounts: Accounts) -> str:
        opening = await first(exchange)
        flag, whom, bare = opening.split(b",", 2)
        bound = check_header(exchange, flag, is_plus)
        said = attributes(bare)
        user = said[b"n"].replace(b"=2C", b",").replace(b"=3D", b"=").decode()
        password = accounts.passwords.get(user, os.urandom(8).hex())
        salt, times = make_salt(), 4096
        nonce = server_nonce()
        if accounts.cheat != "nonce":
            nonce = said[b"r"] + nonce
        if accounts.cheat == "iterations":
            times = 100_000_000
        told = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), times)
        answer = await exchange.ask(told)
        got = attributes(answer)
        salted = hashlib.pbkdf2_hmac(name, password.encode(), salt,
                                     min(times, 4096))
        without = answer.rpartition(b",p=")[0]
        whole = b",".join((bare, told, without))
        client = mac(salted, b"Client Key")
        stored = hashlib.new(name, client).digest()
        proof = bytes(a ^ b for a, b in zip(client, mac(stored, whole)))
        header = b",".join((flag, whom, b"")) + bound
        if got[b"r"] != nonce or base64.b64decode(got[b"c"]) != header or \
                not hmac.compare_digest(base64.b64decode(got[b"p"]), proof):
            raise Refused()
        signature = mac(mac(salted, b"Server Key"), whole)
        if accounts.cheat == "signature":
            signature = os.urandom(len(signature))
        if await exchange.ask(b"v=" + base64.b64encode(signature)):
            raise Refused("501 5.5.2 too much was said")
        return user
    return serve


SERVERS = {
    "PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5,
    "EXTERNAL": external, "OAUTHBEARER": oauthbearer, "XOAUTH2": xoauth2,
    "SCRAM-SHA-256": scram("sha256", False),
    "SCRAM-SHA-256-PLUS": scram("sha256", True),
    "SCRAM-SHA-1": scram("sha1", False),
    "SCRAM-SHA-1-PLUS": scram("sha1", True),
}

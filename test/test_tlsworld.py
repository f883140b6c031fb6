"""
The world of the TLS tests itself: certificates, servers, zones and policies
are what they say, in the eyes of OpenSSL, Postfix, ldns and Python.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import re
import smtplib
import socket
import ssl
import subprocess

import pytest

import saslpeer
import tlsca
from saslpeer import Accounts
from smtpd import Do
from stspeer import Page, policy
from tlsjudges import Judges
from tlspeer import Tls, TlsServer, exporter


@pytest.fixture
def ca(authorities):
    return authorities[0]


@pytest.fixture
def peer():
    """peer(tls, ...) starts a TlsServer; it must have nothing to blame."""
    started = []

    def start(*args, **how) -> TlsServer:
        started.append(TlsServer(*args, **how).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()
    for one in started:
        one.check()


def client(server, **how) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.port, "me.example", timeout=10,
                        **how)


def trusting(ca) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca.file)
    context.check_hostname = False
    return context


def s_client(server, *options) -> str:
    """openssl s_client, as far as QUIT; what it said."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}",
         "-starttls", "smtp", "-name", "me.example", "-ign_eof",
         *map(str, options)],
        input=b"QUIT\r\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=30)
    return done.stdout.decode("utf-8", "replace")


# ---- certificates -----------------------------------------------------------


def test_certificates_are_what_they_say(ca, peer, tmp_path):
    below = ca.authority()
    cases = [
        (ca.issue("mx.example"), "mx.example", "0 (ok)"),
        (ca.issue("mx.example", key="rsa"), "mx.example", "0 (ok)"),
        (ca.issue("*.mx.example"), "1.mx.example", "0 (ok)"),
        (ca.issue("*.mx.example"), "mx.example", "62 "),
        (below.issue("mx.example"), "mx.example", "0 (ok)"),
        (ca.issue("other.example"), "mx.example", "62 "),
        (ca.issue(cn="mx.example"), "mx.example", "0 (ok)"),   # by its CN
        (ca.issue("other.example", cn="mx.example"), "mx.example", "62 "),
        (ca.issue("mx.example", days=(-20, -10)), "mx.example", "10 "),
        (ca.issue("mx.example", days=(10, 20)), "mx.example", "9 "),
        (tlsca.self_signed(tmp_path, "mx.example"), "mx.example", "18 "),
    ]
    for identity, name, verdict in cases:
        said = s_client(peer(Tls(identity)), "-CAfile", ca.file,
                        "-verify_hostname", name)
        assert f"Verify return code: {verdict}" in said, said


def test_private_authority_is_trusted_by_nobody(authorities, peer):
    ca, private = authorities
    said = s_client(peer(Tls(private.issue("mx.example"))), "-CAfile",
                    ca.file)
    assert "unable to get local issuer certificate" in said


@pytest.mark.parametrize("kind", [
    "3 1 1", "3 0 1", "3 1 2", "3 0 0", "3 1 0", "2 0 1", "2 1 1", "2 0 0"])
def test_records_match_in_the_eyes_of_openssl(authorities, peer, kind):
    private = authorities[1].authority()
    identity = private.issue("mx.example", with_root=True)
    server = peer(Tls(identity))
    level = 2 if kind.startswith("2") else None
    said = s_client(server, "-dane_tlsa_domain", "mx.example",
                    "-dane_tlsa_rrdata",
                    identity.tlsa(*map(int, kind.split()), level=level))
    assert "Verification: OK" in said and "matched" in said, said
    other = private.issue("mx.example").tlsa(3, 1, 1)
    said = s_client(server, "-dane_tlsa_domain", "mx.example",
                    "-dane_tlsa_rrdata", other)
    assert "Verification error: no matching DANE TLSA records" in said


def test_fingerprints_are_those_of_openssl(ca, peer):
    identity = ca.issue("mx.example")
    said = subprocess.run(
        ["openssl", "x509", "-in", identity.file, "-noout", "-fingerprint",
         "-sha256"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert said.strip().endswith(identity.fingerprint())


# ---- the server -------------------------------------------------------------


def test_what_was_said_in_clear_and_in_tls(ca, peer):
    server = peer(Tls(ca.issue("mx.example")), secret=["REQUIRETLS"])
    with client(server) as c:
        c.ehlo()
        assert c.has_extn("starttls") and not c.has_extn("requiretls")
        c.starttls(context=trusting(ca))
        c.ehlo()
        assert c.has_extn("requiretls") and not c.has_extn("starttls")
        c.sendmail("a@example.net", "b@example.com", "Subject: x\n\nhi\n",
                   ["REQUIRETLS"])
    assert server.in_clear() == ["ehlo me.example", "STARTTLS"]
    assert server.in_tls()[0] == "ehlo me.example"
    assert server.in_tls()[-1].upper() == "QUIT"
    assert not server.came_in_clear(server.messages[0])
    assert server.secured[0].version == "TLSv1.3"


def test_client_that_forgets_nothing_is_blamed(ca, peer):
    """After the handshake it has to say EHLO again."""
    server = peer(Tls(ca.issue("mx.example")))
    with client(server) as c:
        c.ehlo()
        c.starttls(context=trusting(ca))
        assert c.docmd("MAIL FROM:<a@x>")[0] == 503


def test_what_is_sent_behind_starttls_is_blamed(ca, peer):
    server = peer(Tls(ca.issue("mx.example")),
                  allow=["not-last", "pipelined"])
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.recv(1000)
        s.sendall(b"EHLO x\r\n")
        s.recv(1000)
        s.sendall(b"STARTTLS\r\nEHLO y\r\n")
        server.wait_for(lambda: server.violations, "blame")
    assert "not-last" in {v.kind for v in server.violations}


@pytest.mark.parametrize("wrapper", [False, True])
def test_large_content_passes_unharmed(ca, peer, wrapper):
    server = peer(Tls(ca.issue("mx.example"), wrapper=wrapper))
    text = os.urandom(300_000).hex()
    lines = "\r\n".join(text[i:i + 80] for i in range(0, len(text), 80))
    if wrapper:
        c = smtplib.SMTP_SSL("127.0.0.1", server.port, "me.example",
                             context=trusting(ca), timeout=10)
    else:
        c = client(server)
        c.starttls(context=trusting(ca))
    with c:
        c.sendmail("a@x", "b@x", f"Subject: x\r\n\r\n{lines}\r\n")
    assert server.messages[0].content.decode().split("\r\n\r\n")[1] == \
        lines + "\r\n"
    assert server.wait_ended() == "quit"
    assert server.in_clear() == ([] if wrapper else ["ehlo me.example",
                                                     "STARTTLS"])


def test_certificate_is_chosen_by_name(ca, peer):
    server = peer(Tls(ca.issue("a.example"),
                      by_name={"b.example": ca.issue("b.example")}))
    for name, shown in (("b.example", "b"), ("c.example", "a")):
        said = s_client(server, "-servername", name, "-CAfile", ca.file,
                        "-verify_hostname", f"{shown}.example")
        assert "Verify return code: 0 (ok)" in said, said
    assert [s.sni for s in server.sessions] == ["b.example", "c.example"]


def test_two_types_of_keys(ca, peer):
    server = peer(Tls([ca.issue("a.example"),
                       ca.issue("a.example", key="rsa")]))
    for sigalg, kind in (("RSA+SHA256", "RSA"), ("ECDSA+SHA256", "ECDSA")):
        said = s_client(server, "-tls1_2", "-sigalgs", sigalg)
        assert f"Cipher is ECDHE-{kind}-" in said, said


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1", "TLSv1.2",
                                     "TLSv1.3"])
def test_version_is_the_one_that_was_wanted(ca, peer, version):
    server = peer(Tls(ca.issue("a.example"), maximum=version))
    said = s_client(server, "-cipher", "ALL:@SECLEVEL=0", "-min_protocol",
                    version)
    assert re.search(rf"New, .*{version}|Protocol *: {version}\b", said), said
    assert server.secured[0].version == version


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("tickets", [0, 2])
def test_sessions_are_resumed_if_there_are_tickets(ca, peer, tmp_path,
                                                   version, tickets):
    server = peer(Tls(ca.issue("a.example"), maximum=version,
                      tickets=tickets))
    kept = tmp_path / "session"
    s_client(server, "-sess_out", kept)
    if kept.exists():
        s_client(server, "-sess_in", kept)
    else:
        s_client(server)
    assert len(server.secured) == 2
    assert server.resumed == (1 if tickets else 0)


def test_client_certificate_is_asked_for(ca, peer):
    server = peer(Tls(ca.issue("a.example"), clients=ca.file))
    mine = ca.issue("me.example")
    s_client(server, "-cert", mine.file, "-key", mine.file)
    s_client(server)
    assert [s.certificate for s in server.secured] == [
        tlsca.der(mine.leaf), b""]


@pytest.mark.parametrize("script,said", [
    ({"STARTTLS": "454 4.7.0 not now"}, b"454 4.7.0 not now\r\n"),
    ({"STARTTLS": Do(close="after")}, b"220 2.0.0 ready\r\n"),
    ({"STARTTLS": Do(extra=b"250 x\r\n")}, b"220 2.0.0 ready\r\n250 x\r\n"),
    ({"handshake": Do(close="before")}, b"220 2.0.0 ready\r\n"),
    ({"handshake": Do(raw=b"what?\r\n")}, b"220 2.0.0 ready\r\nwhat?\r\n")])
def test_starttls_that_goes_wrong(ca, peer, script, said):
    server = peer(Tls(ca.issue("a.example")), script=script)
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.recv(1000)
        s.sendall(b"EHLO x\r\n")
        s.recv(1000)
        s.sendall(b"STARTTLS\r\n")
        got = b""
        if "handshake" in script:
            got = s.recv(1000)
            s.sendall(b"hello")
        while len(got) < len(said):
            part = s.recv(1000)
            assert part, got
            got += part
        assert got == said


def test_stalled_handshake(ca, peer):
    server = peer(Tls(ca.issue("a.example")),
                  script={"handshake": Do(silent=True)})
    with client(server) as c:
        c.ehlo()
        c.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            c.starttls(context=trusting(ca))
        c.close()
    assert server.wait_ended() in ("eof", "lost")


# ---- AUTH -------------------------------------------------------------------


@pytest.mark.parametrize("password", ["pencil", "wrong"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_passwords_in_the_eyes_of_smtplib(ca, peer, mechanism, password):
    server = peer(Tls(ca.issue("a.example")), secret=[f"AUTH {mechanism}"],
                  accounts=Accounts({"bob": "pencil"}), demands_auth=True)
    with client(server) as c:
        c.starttls(context=trusting(ca))
        if password == "pencil":
            c.login("bob", password)
            c.sendmail("a@x", "b@x", "Subject: x\n\nhi\n")
        else:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                c.login("bob", password)
            assert c.docmd("MAIL FROM:<a@x>")[0] == 530
    assert server.sessions[0].auth == [
        (mechanism, "bob", "235") if password == "pencil"
        else (mechanism, "", "535")]


class Talk:
    """An exchange by hand: what the client answers, in order."""

    offers_plus = False
    has_certificate = False

    def __init__(self, *answers):
        self.initial, *self.answers = answers
        self.heard = []

    async def ask(self, challenge):
        self.heard.append(challenge)
        return self.answers.pop(0)

    def binding(self, name):
        return b"bound" if name == "tls-exporter" else None


VECTORS = {     # of RFC 7677 3 and RFC 5802 5
    "SCRAM-SHA-256": (
        b"rOprNGfwEbeRWgbNEkqO", b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
    "SCRAM-SHA-1": (
        b"fyko+d2lbbFgONRv9qkxdawL", b"3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92", b"v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"rmF9pqV8S7suAoZWja4dJRkFsKQ="),
}


@pytest.mark.parametrize("name", VECTORS)
def test_scram_is_that_of_the_standards(monkeypatch, name):
    mine, its, salt, proof, signature = VECTORS[name]
    monkeypatch.setattr(saslpeer, "server_nonce", lambda: its)
    monkeypatch.setattr(saslpeer, "make_salt",
                        lambda: base64.b64decode(salt))
    accounts = Accounts({"user": "pencil"})
    talk = Talk(b"n,,n=user,r=" + mine,
                b"c=biws,r=" + mine + its + b",p=" + proof, b"")
    assert asyncio.run(saslpeer.SERVERS[name](talk, accounts)) == "user"
    assert talk.heard[-1] == b"v=" + signature
    wrong = base64.b64encode(b"x" + base64.b64decode(proof)[1:])
    talk = Talk(b"n,,n=user,r=" + mine,
                b"c=biws,r=" + mine + its + b",p=" + wrong, b"")
    with pytest.raises(saslpeer.Refused):
        asyncio.run(saslpeer.SERVERS[name](talk, accounts))


def test_scram_minds_the_channel():
    accounts = Accounts({"user": "pencil"})

    def refused(name, opening, offers_plus=False):
        talk = Talk(opening)
        talk.offers_plus = offers_plus
        with pytest.raises(saslpeer.Refused):
            asyncio.run(saslpeer.SERVERS[name](talk, accounts))
        return True

    assert refused("SCRAM-SHA-256-PLUS", b"n,,n=user,r=x")
    assert refused("SCRAM-SHA-256-PLUS", b"p=tls-unique,,n=user,r=x")
    assert refused("SCRAM-SHA-256", b"p=tls-exporter,,n=user,r=x")
    assert refused("SCRAM-SHA-256", b"y,,n=user,r=x", True)


def test_plus_is_bound_to_the_channel():
    """The proof covers what both ends have of the channel."""
    def mac(key, text):
        return hmac.new(key, text, "sha256").digest()

    def answer(told: bytes, bound: bytes) -> bytes:
        nonce, salt = (x[2:] for x in told.split(b",")[:2])
        salted = hashlib.pbkdf2_hmac("sha256", b"pencil",
                                     base64.b64decode(salt), 4096)
        client = mac(salted, b"Client Key")
        bare = b"c=" + base64.b64encode(b"p=tls-exporter,," + bound) + \
            b",r=" + nonce
        signed = mac(hashlib.sha256(client).digest(),
                     b"n=user,r=x," + told + b"," + bare)
        return bare + b",p=" + base64.b64encode(
            bytes(a ^ b for a, b in zip(client, signed)))

    class Client(Talk):
        def __init__(self, bound):
            super().__init__(b"p=tls-exporter,,n=user,r=x")
            self.bound = bound

        async def ask(self, challenge):
            return b"" if challenge[:2] == b"v=" else answer(challenge,
                                                             self.bound)

    serve = saslpeer.SERVERS["SCRAM-SHA-256-PLUS"]
    accounts = Accounts({"user": "pencil"})
    assert asyncio.run(serve(Client(b"bound"), accounts)) == "user"
    with pytest.raises(saslpeer.Refused):
        asyncio.run(serve(Client(b"other"), accounts))


@pytest.mark.parametrize("name,good,bad", [
    ("OAUTHBEARER", b"n,a=bob,\1host=h\1auth=Bearer abc\1\1",
     b"n,a=bob,\1host=h\1auth=Bearer abd\1\1"),
    ("XOAUTH2", b"user=bob\1auth=Bearer abc\1\1",
     b"user=bob\1auth=Bearer abd\1\1")])
def test_tokens(name, good, bad):
    accounts = Accounts(tokens={"bob": "abc"})
    serve = saslpeer.SERVERS[name]
    assert asyncio.run(serve(Talk(good), accounts)) == "bob"
    talk = Talk(bad, b"\1")
    with pytest.raises(saslpeer.Refused):
        asyncio.run(serve(talk, accounts))
    assert b"invalid_token" in talk.heard[0]


def test_exporter_is_the_same_at_both_ends(ca, peer):
    server = peer(Tls(ca.issue("a.example")))
    said = s_client(server, "-keymatexport", "EXPORTER-Channel-Binding",
                    "-keymatexportlen", "32")
    # The connection is over, but not forgotten.
    mine = exporter(server.secured[0].tls).hex().upper()
    assert f"Keying material: {mine}" in said


# ---- names and policies -----------------------------------------------------


def test_zones_are_as_secure_as_they_say(site):
    site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1")
    site.host("mx1.plain")
    site.mx("plain", "mx1.secure")
    with Judges(site) as judges:
        def status(name, kind):
            done = subprocess.run(
                ["drill", "-D", f"@{judges.resolver.place[0]}", name, kind],
                stdout=subprocess.PIPE, timeout=20).stdout.decode()
            return (re.search(r"rcode: (\w+)", done)[1],
                    " ad " in re.search(r";; flags:([^;]*);", done)[1] + " ")

        owner = site.owner("mx1.secure.example")
        assert status("mx1.secure.example", "A") == ("NOERROR", True)
        assert status(owner, "TLSA") == ("NOERROR", True)
        assert status("nope.secure.example", "A") == ("NXDOMAIN", True)
        assert status("mx1.plain.example", "A") == ("NOERROR", False)
        assert status("plain.example", "MX") == ("NOERROR", False)


def test_forged_record_does_not_validate(site):
    site.host("mx1.bogus")
    site.tlsa("mx1.bogus", "3 1 1")
    site.forge(site.owner("mx1.bogus"), "TLSA", "3 1 1 " + "00" * 32)
    with Judges(site) as judges:
        done = subprocess.run(
            ["drill", f"@{judges.resolver.place[0]}",
             site.owner("mx1.bogus.example"), "TLSA"],
            stdout=subprocess.PIPE, timeout=20).stdout.decode()
        assert "rcode: SERVFAIL" in done


def test_postfix_verifies_by_the_records(site):
    """With the wrong one it does not go on."""
    site.host("mx1.secure", site.private.issue("mx1.secure.example"))
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    site.host("mx1.bogus")
    site.tlsa("mx1.bogus", "3 1 1", site.ca.issue("mx1.bogus.example"))
    site.mx("bogus", "mx1.bogus")
    with Judges(site) as judges:
        good = judges.finger("secure")
        assert good.level == "Verified", good.log
        bad = judges.finger("bogus")
        assert bad.level in ("Trusted", "Untrusted", ""), bad.log


def test_ldns_verifies_by_the_records(site):
    site.host("mx1.secure", site.private.issue("mx1.secure.example"),
              wrapper=True)
    site.tlsa("mx1.secure", "3 1 1")
    site.host("mx2.secure", wrapper=True)
    site.tlsa("mx2.secure", "3 1 1", site.ca.issue("mx2.secure.example"))
    with Judges(site) as judges:
        assert judges.ldns("mx1.secure"), judges.said
        assert not judges.ldns("mx2.secure"), judges.said


def test_policies_are_served_by_name(site, ca):
    site.web.serve("a.example", policy("enforce", "mx.a.example"))
    site.web.serve("b.example", Page(b"x", status=301,
                                     headers={"Location": "https://c/"}))
    site.web.serve("c.example", Page(b"x", identity=ca.issue("d.example")))

    def fetch(domain: str):
        """As curl --connect-to would."""
        name = f"mta-sts.{domain}.example"
        context = ssl.create_default_context(cafile=ca.file)
        with socket.create_connection(site.web.place, 10) as raw, \
                context.wrap_socket(raw, server_hostname=name) as s:
            s.sendall(f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {name}"
                      "\r\n\r\n".encode())
            return s.makefile("rb").read()

    assert b"\r\n\r\nversion: STSv1\r\nmode: enforce\r\n" in fetch("a")
    assert fetch("b").startswith(b"HTTP/1.1 301 ")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        fetch("c")
    assert site.web.asked == ["mta-sts.a.example", "mta-sts.b.example"]

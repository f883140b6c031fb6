"""
TLS and AUTH with other people's servers: Postfix and sendmail (OpenSSL), Exim
(GnuTLS), Dovecot (LMTP and submission), OpenSMTPD 6.8, whose STARTTLS dies
behind its 220. And what posttls-finger and ldns-dane think of the same zones.
"""

import base64

import pytest

import interop
import parcels
import smtpd as smtpd_module
from peers_mta import DovecotLmtp
from peers_tls import (PASSWORD, USER, Submission, TlsDovecotLmtp, TlsExim,
                       TlsOpensmtpd, TlsPostfix, TlsSendmail, web_token)
from tlsjudges import Judges

pytestmark = pytest.mark.timeout(120)

KINDS = [TlsPostfix, TlsExim, TlsSendmail]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.NAME)
PILE = parcels.assortment(60)
SHARED = parcels.assortment(60, user="user{0}")


def peer_host(site, server, kind, *, of=None, **how):
    """The peer as mx1.secure, with a record for its certificate."""
    identity = site.private.issue("mx1.secure.example", key=how.pop(
        "key", "ec"))
    peer = server(kind, identity=identity, **how)
    site.port = peer.port
    site.add("mx1.secure", "A", "127.0.0.1")
    site.tlsa("mx1.secure", "3 1 1", of or identity)
    site.mx("secure", "mx1.secure")
    return peer


# ---- DANE with real servers -------------------------------------------------


@pytest.mark.parametrize("key", ["ec", "rsa"])
@kinds
def test_server_is_verified_by_its_record(site, server, kind, key):
    peer = peer_host(site, server, kind, key=key)
    way = site.mail("secure")
    assert way.report.status == "ok3", way.out.text
    assert (way.why, way.verdict) == ("dane", "matched-dane")
    assert way.record["tls"]["protocol"] == "TLSv1.3"
    assert len(peer.taken()) == 1


@kinds
def test_server_with_another_certificate_gets_nothing(site, server, kind):
    peer = peer_host(site, server, kind,
                     of=site.ca.issue("mx1.secure.example"))
    site.mail("secure").is_kept("dane", "tlsa-mismatch")
    assert peer.taken() == []


@kinds
def test_sessions_are_resumed_with_a_server(site, server, kind):
    peer = peer_host(site, server, kind)
    agent = site.agent("-1")
    found = [site.run(agent, "secure") for _ in range(3)]
    assert [w.report.status for w in found] == ["ok3"] * 3
    assert found[0].record["tls"]["resumed"] is False
    # Exim's processes do not share the keys of their tickets.
    if kind is not TlsExim:
        assert any(w.record["tls"]["resumed"] for w in found[1:])
    assert len(peer.taken()) == 3


# ---- piles of mail over TLS -------------------------------------------------


def demanding(office, site):
    """TLS, whoever the server is; and the mail is left as it is."""
    office.set_zenv(RFC822TABS="1")
    path = office.base / "demand"
    path.write_text(f"demand-tls-mode\ntls-CAfile {site.ca.file}\n")
    return ["-S", path]


@pytest.mark.parametrize("way", ["", "-1"] if interop.ALL else [""])
@kinds
def test_pile_arrives_byte_for_byte(office, site, server, kind, way):
    peer = server(kind, identity=site.ca.issue("x.example"))
    interop.deliver(office, peer, PILE, way, *demanding(office, site),
                    has_dsn=True)
    parcels.compare(PILE, peer.taken(), True)


def test_pile_arrives_by_lmtp(office, site, server):
    peer = server(TlsDovecotLmtp, identity=site.ca.issue("x.example"))
    interop.deliver(office, peer, SHARED, "", "-M", "-p", "24",
                    *demanding(office, site), has_dsn=False)
    parcels.compare(SHARED, peer.taken())


def test_lmtp_server_without_tls_gets_nothing_on_demand(office, site, server,
                                                        smtp):
    peer = server(DovecotLmtp)
    job = office.post(["user1@example.com"])
    agent = smtp(peer, "-M", "-p", "24", *demanding(office, site))
    out = agent.run(job, "example.com")
    assert out.report.status == "deferall", out.text
    assert out.report.notary.code == "4.7.4" and peer.taken() == []


# ---- OpenSMTPD 6.8 ----------------------------------------------------------


def test_broken_starttls_where_tls_is_a_chance(site, server):
    peer = server(TlsOpensmtpd, identity=site.ca.issue("mx1.plain.example"))
    site.port = peer.port
    site.add("mx1.plain", "A", "127.0.0.1")
    site.mx("plain", "mx1.plain")
    way = site.mail("plain")
    assert way.report.status == "ok3", way.out.text
    assert way.why == "opportunistic" and way.record["tls"] is None
    assert len(peer.taken()) == 1


def test_broken_starttls_where_tls_is_needed(site, server):
    peer = peer_host(site, server, TlsOpensmtpd)
    way = site.mail("secure")
    way.is_kept("dane", way.reason)
    assert way.reason in ("tls-closed", "tls-alert", "tls-handshake")
    assert peer.taken() == []


def test_broken_starttls_where_tls_is_demanded(office, site, server, smtp):
    peer = server(TlsOpensmtpd, identity=site.ca.issue("x.example"))
    job = office.post(["bob@example.com"])
    agent = smtp(peer, *demanding(office, site))
    out = agent.run(job, "example.com")
    assert out.report.status == "deferall", out.text
    assert out.report.notary.code == "4.7.5" and peer.taken() == []


# ---- AUTH -------------------------------------------------------------------


def with_account(office, host: str, words: str):
    path = office.base / "accounts"
    path.write_text(f"smtp {host} {words}\n")
    path.chmod(0o600)
    return ["-A", path]


@pytest.fixture
def submission(server, site):
    """Dovecot's, and the server that it relays to."""
    with smtpd_module.Server() as relay:
        def start(*mechanisms: str):
            peer = server(Submission, identity=site.ca.issue("x.example"),
                          relay_port=relay.port,
                          mechanisms=" ".join(mechanisms))
            peer.relay = relay
            return peer

        yield start


MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]


def send(office, smtp, peer, *options):
    """A message to a peer that wants AUTH; the report."""
    job = office.post(["bob@example.com"])
    attempts = office.base / "attempts"
    agent = smtp(peer, *options, "-O", f"attempts={attempts}")
    return agent.run(job, "example.com").report


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_dovecot_takes_the_password(office, site, smtp, submission,
                                    mechanism):
    peer = submission(mechanism)
    report = send(office, smtp, peer, *demanding(office, site), *with_account(
        office, "[127.0.0.1]", f"user={USER} secret={PASSWORD}"))
    assert report.status == "ok3", report.line + peer.log
    assert len(peer.relay.messages) == 1
    assert f'"AUTH {mechanism}' in (office.base / "attempts").read_text()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_dovecot_refuses_another_password(office, site, smtp, submission,
                                          mechanism):
    peer = submission(mechanism)
    report = send(office, smtp, peer, *demanding(office, site), *with_account(
        office, "[127.0.0.1]", f"user={USER} secret=wrong"))
    assert report.status == "deferall", report.line
    assert report.notary.code == "4.7.8" and peer.relay.messages == []


@pytest.mark.parametrize("seconds", [3600, -3600])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_dovecot_and_tokens(office, site, smtp, submission, mechanism,
                            seconds):
    peer = submission(mechanism)
    report = send(office, smtp, peer, *demanding(office, site), *with_account(
        office, "[127.0.0.1]", f"user={USER} mechanism={mechanism} "
        f"secret={web_token(USER, seconds)}"))
    assert report.status == ("ok3" if seconds > 0 else "deferall"), \
        report.line + peer.log
    assert len(peer.relay.messages) == (1 if seconds > 0 else 0)


def test_dovecot_by_the_strongest_of_all(office, site, smtp, submission):
    peer = submission(*MECHANISMS)
    report = send(office, smtp, peer, *demanding(office, site), *with_account(
        office, "[127.0.0.1]", f"user={USER} secret={PASSWORD}"))
    assert report.status == "ok3", report.line + peer.log
    assert '"AUTH SCRAM-SHA-256' in (office.base / "attempts").read_text()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("secret", [PASSWORD, "wrong"])
def test_exim_and_passwords(office, site, smtp, server, mechanism, secret):
    peer = server(TlsExim, identity=site.ca.issue("x.example"))
    words = " ".join(base64.b64encode(x.encode()).decode()
                     for x in (USER, secret))
    if mechanism != "CRAM-MD5":     # the strongest would be taken
        words = f"user={USER} secret={secret} mechanism={mechanism}"
    report = send(office, smtp, peer, *demanding(office, site),
                  *with_account(office, "[127.0.0.1]", words))
    assert report.status == ("ok3" if secret == PASSWORD else "deferall")
    assert len(peer.taken()) == (1 if secret == PASSWORD else 0)


# ---- what others think of the same zones ------------------------------------


def ee(site, name, **how):
    site.host(name, site.private.issue("x.example"), **how)
    site.tlsa(name, "3 1 1")


def ee_wrong(site, name, **how):
    site.host(name, **how)
    site.tlsa(name, "3 1 1", site.ca.issue(f"{name}.example"))


def ee_late(site, name, **how):
    site.host(name, site.ca.issue(f"{name}.example", days=(-9, -1)), **how)
    site.tlsa(name, "3 0 1")


def ee_two(site, name, **how):
    """Of two digests the stronger one counts (RFC 7671 9)."""
    ee_wrong(site, name, **how)
    site.tlsa(name, "3 1 2")


def ta(site, name, **how):
    site.host(name, site.private.issue(f"{name}.example", with_root=True),
              **how)
    site.tlsa(name, "2 0 1", level=1)


def ta_name(site, name, **how):
    site.host(name, site.private.issue("x.example", with_root=True), **how)
    site.tlsa(name, "2 0 1", level=1)


def ta_late(site, name, **how):
    site.host(name, site.private.issue(f"{name}.example", days=(-9, -1),
                                       with_root=True), **how)
    site.tlsa(name, "2 1 1", level=1)


def ta_other(site, name, **how):
    site.host(name, site.ca.issue(f"{name}.example", with_root=True), **how)
    site.tlsa(name, "2 0 1", site.private.issue("x.example"), level=1)


def unusable(site, name, **how):
    site.host(name, **how)
    site.tlsa(name, "1 1 1")


def absent(site, name, **how):
    site.host(name, **how)


def expanded(site, name, **how):
    ee(site, "real.secure", **how)
    site.add(name, "CNAME", "real.secure.example.")


def servfail(site, name, **how):
    ee(site, name, **how)
    site.rule(site.owner(name), "TLSA", rcode="SERVFAIL")


# Who is verified; "any": TLS with anybody; "none": nobody is spoken to.
VERDICTS = {"ee": (ee, "yes"), "ee wrong": (ee_wrong, "no"),
            "ee expired": (ee_late, "yes"), "ee of two": (ee_two, "yes"),
            "ta": (ta, "yes"), "ta wrong name": (ta_name, "no"),
            "ta expired": (ta_late, "no"), "ta of another": (ta_other, "no"),
            "unusable": (unusable, "any"), "absent": (absent, "any"),
            "expanded name": (expanded, "yes"), "servfail": (servfail,
                                                             "none")}


def ours(site) -> str:
    """Our own verdict, in the same words."""
    way = site.mail("secure")
    if way.report.status == "ok3":
        return "yes" if way.verdict == "matched-dane" else "any"
    return "none" if way.why == "tlsa-unknown" else "no"


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts_are_those_of_postfix(site, case):
    make, verdict = VERDICTS[case]
    make(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    assert ours(site) == verdict
    with Judges(site) as judges:
        found = judges.finger("secure")
    theirs = {"Verified": "yes", "": "none"}.get(found.level, "no or any")
    assert verdict in theirs.split(" or "), found.log


@pytest.mark.parametrize("case", [c for c in VERDICTS if VERDICTS[c][1]
                                  in ("yes", "no") and c != "expanded name"])
def test_verdicts_are_those_of_ldns(site, case):
    """It speaks TLS from the first byte alone, and so do we here."""
    make, verdict = VERDICTS[case]
    site.configure("tls-wrapper")
    make(site, "mx1.secure", wrapper=True)
    site.mx("secure", "mx1.secure")
    assert ours(site) == verdict
    with Judges(site) as judges:
        found = judges.ldns("mx1.secure", case.startswith("ta"))
        assert found == (verdict == "yes"), judges.said



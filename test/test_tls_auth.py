"""
AUTH (RFC 4954): which mechanism is used, which connection is good enough, and
that whatever goes wrong mail waits instead of being sent without. All servers
are behind a wire, so that only TLS makes them trusted; see authworld.py.
"""

import json
import time

import pytest

import saslpeer
from authworld import (DOMAIN, NAME, SECRET, TOKEN, USER, AuthWay, b64, new,
                       old, relay, rule, wire)
from agentrun import wait_for
from saslpeer import Accounts, Refused
from smtpd import Do

__all__ = ["relay", "wire", "AuthWay"]

PASSWORDS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
PLUS = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]
TOKENS = ["OAUTHBEARER", "XOAUTH2"]


# ---- mechanisms -------------------------------------------------------------


@pytest.mark.parametrize("entry", [old(), new()], ids=["base64", "settings"])
@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_mechanism_with_a_password(relay, mechanism, entry):
    mx = relay.host(mechanism)
    relay.account(entry)
    way = relay.mail()
    way.is_sent(mx, mechanism)
    assert way.record["security"]["reason"] == "account"
    assert way.record["tls"]["verdict"] == "matched-name"


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
@pytest.mark.parametrize("mechanism", PLUS)
def test_mechanism_that_is_bound_to_the_channel(relay, mechanism, version):
    plain = mechanism.removesuffix("-PLUS")
    mx = relay.host(f"PLAIN {plain} {mechanism}", tls={"maximum": version})
    relay.account(new())
    relay.mail().is_sent(mx, mechanism)


@pytest.mark.parametrize("mechanism", TOKENS)
def test_mechanism_with_a_token(relay, mechanism):
    mx = relay.host(f"PLAIN {mechanism}")
    relay.account(new(f"mechanism={mechanism}", secret=TOKEN))
    relay.mail().is_sent(mx, mechanism)


def test_client_certificate(relay):
    mx = relay.host("PLAIN EXTERNAL", accounts=Accounts(certificate="client"),
                    tls={"clients": relay.ca.file})
    ours = relay.ca.issue("client.example")
    relay.conf += [f"tls-cert-file {ours.file}", f"tls-key-file {ours.file}"]
    relay.account("mechanism=EXTERNAL")
    relay.mail().is_sent(mx, "EXTERNAL", "client")


def test_certificate_that_nobody_asked_for_is_no_identity(relay):
    mx = relay.host("EXTERNAL", accounts=Accounts(certificate="client"))
    ours = relay.ca.issue("client.example")
    relay.conf += [f"tls-cert-file {ours.file}", f"tls-key-file {ours.file}"]
    relay.account("mechanism=EXTERNAL")
    relay.mail().is_kept("no mechanism")
    assert mx.messages == [] and relay.said_auth() == []


def test_spelling_with_an_equals_sign(relay):
    mx = relay.host("LOGIN", spelling="AUTH=")
    relay.account(old())
    relay.mail().is_sent(mx, "LOGIN")


@pytest.mark.parametrize("offered,chosen", [
    ("LOGIN PLAIN", "PLAIN"),
    ("login plain cram-md5", "CRAM-MD5"),
    ("CRAM-MD5 SCRAM-SHA-1 LOGIN", "SCRAM-SHA-1"),
    ("GSSAPI SCRAM-SHA-1 SCRAM-SHA-256 NTLM", "SCRAM-SHA-256"),
    ("SCRAM-SHA-256 SCRAM-SHA-1-PLUS", "SCRAM-SHA-256"),
])
def test_strongest_of_both_is_used(relay, offered, chosen):
    mx = relay.host(offered)
    relay.account(old())
    relay.mail().is_sent(mx, chosen)
    assert relay.said_auth() == [chosen]


def test_entry_says_which(relay):
    mx = relay.host("SCRAM-SHA-256 PLAIN LOGIN")
    relay.account(new("mechanism=LOGIN,CRAM-MD5"))
    relay.mail().is_sent(mx, "LOGIN")


def test_mechanism_that_is_offered_and_not_known(relay):
    """504: not the account's fault; one other mechanism is tried."""
    mx = relay.host("CRAM-MD5 PLAIN",
                    script={"AUTH:CRAM-MD5": "504 5.5.4 not known"})
    relay.account(old())
    relay.mail().is_sent(mx, "PLAIN")
    assert relay.said_auth() == ["CRAM-MD5", "PLAIN"]


def test_over_lmtp(relay):
    mx = relay.host("SCRAM-SHA-256", lmtp=True, port=24)
    relay.account(new())
    relay.mail("-M", "-p", 24).is_sent(mx, "SCRAM-SHA-256")


def test_from_the_first_byte_within_tls(relay):
    mx = relay.host("PLAIN", tls={"wrapper": True}, port=465)
    relay.conf += ["tls-wrapper"]
    relay.account(new())
    relay.mail("-p", 465).is_sent(mx, "PLAIN")


def test_account_is_that_of_the_channel_and_host(relay):
    mx = relay.host("PLAIN")
    relay.secrets.write_text(
        f"# nothing\n\nother {NAME} {old('x', 'y')}\n"
        f"* other.example {old('x', 'y')}\n"
        f"* RELAY.example {new()}\nsmtp {NAME} {old('x', 'y')}\n")
    relay.secrets.chmod(0o400)
    relay.mail().is_sent(mx, "PLAIN")


def test_host_without_an_account_gets_mail_without(relay):
    mx = relay.host("PLAIN", demands_auth=False)
    relay.account(old(), name="other.example")
    relay.mail().is_sent(mx, None)
    assert relay.said_auth() == []


def test_one_authentication_serves_a_session(relay):
    mx = relay.host("PLAIN")
    relay.account(old())
    agent = relay.agent()
    for _ in range(3):
        relay.run(agent, DOMAIN).is_sent(mx, "PLAIN")
    assert len(mx.sessions) == 1 and relay.said_auth() == ["PLAIN"]


def test_long_token_waits_for_its_turn(relay):
    """It does not fit into a command's line."""
    token = TOKEN + "x" * 3000
    mx = relay.host("XOAUTH2", accounts=Accounts(tokens={USER: token}))
    relay.account(new("mechanism=XOAUTH2", secret=token))
    relay.mail().is_sent(mx, "XOAUTH2")
    assert mx.sessions[0].auth_lines[0] == b"AUTH XOAUTH2"


# ---- the connection ---------------------------------------------------------

def make(relay, kind: str, **how):
    """A host that is not to be trusted with an account."""
    if kind == "no TLS":
        return relay.host("", secured=False, clear=["AUTH PLAIN LOGIN"], **how)
    if kind == "another name":
        return relay.host(identity=relay.ca.issue("other.example"), **how)
    return relay.host(identity=relay.private.issue(NAME), **how)


@pytest.mark.parametrize("level", ["auto", "may", "encrypt"])
@pytest.mark.parametrize("kind", ["no TLS", "another name", "nobody's"])
def test_unverified_host_gets_no_account_and_no_mail(relay, kind, level):
    mx = make(relay, kind)
    relay.conf += [f"tls-level {level}"]
    relay.account(old())
    way = relay.mail()
    assert way.report.status in ("deferred", "deferall")
    assert way.code in ("4.7.4", "4.7.5")
    assert way.record["tried"][-1]["security"]["reason"] == "account"
    assert relay.said_auth() == [] and mx.messages == []
    relay.nothing_unauthenticated()


@pytest.mark.parametrize("kind", ["no TLS", "another name", "nobody's"])
def test_over_clear_is_over_anything(relay, kind):
    mx = make(relay, kind)
    relay.account(new("over=clear"))
    relay.mail().is_sent(mx, "PLAIN")


@pytest.mark.parametrize("do", [Do(close="before"), Do(raw=b"220 what?\r\n")])
def test_over_encrypted_is_not_over_clear_when_tls_fails(relay, do):
    mx = relay.host("PLAIN", clear=["AUTH PLAIN"], demands_auth=False,
                    script={"handshake": do})
    relay.account(new("over=encrypted"))
    relay.mail().is_kept("in clear")
    assert relay.said_auth() == [] and mx.messages == []
    relay.nothing_unauthenticated()


@pytest.mark.parametrize("kind", ["another name", "nobody's"])
def test_over_encrypted_needs_no_name(relay, kind):
    mx = make(relay, kind)
    relay.account(new("over=encrypted"))
    relay.mail().is_sent(mx, "PLAIN")


def test_over_encrypted_is_never_over_clear(relay):
    mx = make(relay, "no TLS")
    relay.account(new("over=encrypted"))
    relay.mail().is_kept("in clear")
    assert relay.said_auth() == [] and mx.messages == []


def test_level_none_gives_no_account_away(relay):
    """The postmaster's word about TLS is none about the account."""
    mx = relay.host("PLAIN", clear=["AUTH PLAIN"])
    relay.conf += ["tls-level none"]
    relay.account(old())
    relay.mail().is_kept("not verified TLS")
    assert relay.said_auth() == [] and mx.messages == []


def test_address_without_a_name_proves_nothing(relay):
    mx = relay.host("PLAIN")
    literal = f"[{mx.listen}]"
    relay.account(old(), name=literal)
    relay.mail(forced=literal).is_kept("not verified TLS")
    relay.account(new("over=encrypted"), name=literal)
    relay.mail(forced=literal).is_sent(mx, "PLAIN")


def test_fingerprint_is_a_proof(relay):
    identity = relay.private.issue("x.example")
    mx = relay.host("PLAIN", identity=identity)
    policies = relay.office.base / "tls-policy"
    policies.write_text(f"{NAME} fingerprint "
                        f"match={identity.fingerprint()}\n")
    relay.conf += [f"tls-policy-file {policies}"]
    relay.account(old())
    way = relay.mail()
    way.is_sent(mx, "PLAIN")
    assert way.record["tls"]["verdict"] == "matched-fingerprint"


# The domain proves itself; that the host is whose account we have it cannot.


def hostile(relay, **how):
    """MX of evil.example is relay.example, which somebody else answers for."""
    mx = relay.host("PLAIN", **how)
    rule(relay.net, "evil.example", "MX", f"10 {NAME}.")
    return mx


@pytest.mark.parametrize("policy", [
    "secure", "secure match=nexthop", "verify match=evil.example"])
def test_domain_cannot_get_the_account_of_its_mx(relay, policy):
    mx = hostile(relay, identity=relay.ca.issue("evil.example"))
    policies = relay.office.base / "tls-policy"
    policies.write_text(f"evil.example {policy}\n")
    relay.conf += [f"tls-policy-file {policies}"]
    relay.account(old())
    way = relay.mail(forced=None, domain="evil.example")
    way.is_kept("not verified TLS")
    assert way.record["tried"][-1]["tls"]["matched"] == "evil.example"
    assert relay.said_auth() == [] and mx.messages == []


def test_host_named_by_an_mx_proves_its_own_name(relay):
    mx = hostile(relay)
    relay.account(old())
    relay.mail(forced=None, domain="evil.example").is_sent(mx, "PLAIN")


def test_level_secure_at_the_host_that_was_named(relay):
    """Its name is the next hop's."""
    mx = relay.host("PLAIN")
    relay.conf += ["tls-level secure"]
    relay.account(old())
    relay.mail().is_sent(mx, "PLAIN")


# ---- failures ---------------------------------------------------------------


def test_wrong_password_is_not_tried_again(relay):
    """The next messages do not even connect."""
    mx = relay.host("PLAIN", accounts=Accounts({USER: "another"}))
    relay.account(old())
    agent = relay.agent()
    relay.run(agent).is_kept("535 5.7.8", "4.7.8")
    for _ in range(3):
        relay.run(agent).is_kept("is not tried again for", "4.7.8")
    assert relay.said_auth() == ["PLAIN"] and len(mx.sessions) == 1
    relay.nothing_unauthenticated()


def test_file_that_changed_ends_the_wait(relay):
    mx = relay.host("PLAIN")
    relay.account(new(secret="wrong"))
    agent = relay.agent()
    relay.run(agent).is_kept("535 5.7.8")
    relay.account(new())
    relay.run(agent).is_sent(mx, "PLAIN")


@pytest.mark.parametrize("mechanism", PASSWORDS + PLUS[:1])
def test_refused_by_every_mechanism(relay, mechanism):
    mx = relay.host(mechanism, accounts=Accounts({USER: "another"}))
    relay.account(old())
    relay.mail().is_kept("535 5.7.8", "4.7.8")
    assert mx.messages == []
    relay.nothing_unauthenticated()


@pytest.mark.parametrize("mechanism", TOKENS)
def test_refused_token(relay, mechanism):
    mx = relay.host(mechanism)
    relay.account(new(f"mechanism={mechanism}", secret="stale-token"))
    relay.mail().is_kept("535 5.7.8", "4.7.8")
    assert mx.messages == []
    relay.nothing_unauthenticated()


@pytest.mark.parametrize("reply", [
    "454 4.7.0 try later", "530 5.7.0 more of it", "534 5.7.9 too weak",
    "535 5.7.8 nobody called ursula.q@own.example here",
    "535 5.7.8 no\n5.7.8 cGVuY2lsLTdlMyBzaGFycA=="])
def test_any_refusal_defers(relay, reply):
    """And what it repeats of the account is shown nowhere."""
    mx = relay.host("PLAIN", script={"AUTH:PLAIN": reply})
    relay.account(old())
    way = relay.mail()
    way.is_kept(reply[:3])
    assert mx.messages == [] and relay.said_auth() == ["PLAIN"]
    relay.nothing_unauthenticated()
    assert b"stat=defer" in relay.texts()["(more)"]     # of syslog


@pytest.mark.parametrize("how", [Do(close="before"), Do(close="reset"),
                                 Do("421 4.3.2 going down", close="after")])
def test_connection_lost_in_auth(relay, how):
    """Nothing was refused: the account is not held off."""
    mx = relay.host("PLAIN", script={"AUTH:PLAIN": [how, how]})
    relay.account(old())
    agent = relay.agent()
    assert relay.run(agent).report.status in ("deferred", "deferall")
    relay.run(agent).is_sent(mx, "PLAIN")


@pytest.mark.parametrize("offered", ["", "NTLM GSSAPI", "XOAUTH2"])
def test_nothing_usable_is_offered(relay, offered):
    """Also not to a server that would take it without."""
    mx = relay.host(offered, demands_auth=False)
    relay.account(old())
    relay.mail().is_kept("AUTH")
    assert mx.messages == [] and relay.said_auth() == []


def test_server_that_stops_offering_auth(relay):
    """On its second connection; mail for it still waits."""
    mx = relay.host("PLAIN", demands_auth=False)
    relay.account(old())
    agent = relay.agent()
    relay.run(agent).is_sent(mx, "PLAIN")
    mx.secret = []
    relay.run(agent).is_kept("does not offer AUTH")
    assert len(mx.messages) == 1
    relay.nothing_unauthenticated()


@pytest.mark.parametrize("ehlo", [
    "500 5.5.1 what?", "421 4.3.2 no", Do(close="before")])
@pytest.mark.parametrize("over", ["verified", "clear"])
def test_helo_is_no_way_around(relay, ehlo, over):
    mx = relay.host("PLAIN", demands_auth=False, clear=["AUTH PLAIN"],
                    script={"EHLO": ehlo})
    relay.account(new(f"over={over}"))
    assert relay.mail().report.status in ("deferred", "deferall")
    assert mx.messages == []
    relay.nothing_unauthenticated()


# ---- servers that lie -------------------------------------------------------


@pytest.mark.parametrize("cheat", ["signature", "nonce", "iterations"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
                                       "SCRAM-SHA-1"])
def test_server_that_does_not_know_the_secret(relay, mechanism, cheat):
    mx = relay.host(mechanism, accounts=Accounts({USER: SECRET}, cheat=cheat))
    relay.account(old())
    agent = relay.agent()
    relay.run(agent).is_kept()
    relay.run(agent).is_kept("is not tried again")
    assert mx.messages == [] and relay.said_auth() == [mechanism]
    relay.nothing_unauthenticated()


def test_yes_in_the_middle_is_no_yes(relay):
    """235 at once: SCRAM's server has proved nothing."""
    mx = relay.host("SCRAM-SHA-256",
                    script={"AUTH:SCRAM-SHA-256": "235 2.7.0 welcome"},
                    demands_auth=False)
    relay.account(old())
    relay.mail().is_kept("did not prove")
    assert mx.messages == []


async def endless(exchange, accounts):
    for _ in range(1000):
        await exchange.ask(b"once more")
    return USER


async def huge(exchange, accounts):
    exchange.session.output += b"334 " + b"QUJD" * 20000 + b"\r\n"
    await exchange.session.line()
    raise Refused()


async def garbage(exchange, accounts):
    exchange.session.output += b"334 what's your name?\r\n"
    await exchange.session.line()
    raise Refused()


async def many_lines(exchange, accounts):
    exchange.session.output += b"334-QUJD\r\n334 QUJD\r\n"
    await exchange.session.line()
    raise Refused()


@pytest.mark.parametrize("lie", [endless, huge, garbage, many_lines])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5",
                                       "SCRAM-SHA-256"])
def test_challenges_that_are_none(relay, monkeypatch, mechanism, lie):
    monkeypatch.setitem(saslpeer.SERVERS, mechanism, lie)
    mx = relay.host(mechanism)
    relay.account(old())
    assert relay.mail().report.status in ("deferred", "deferall")
    assert mx.messages == []
    # The client's own messages, and the one that breaks it off.
    assert len(mx.sessions[0].auth_lines) <= 4
    relay.nothing_unauthenticated()


# ---- the file ---------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_file_that_others_can_use(relay, mode):
    mx = relay.host("PLAIN", demands_auth=False)
    relay.account(old(), mode=mode)
    way = relay.mail()
    way.is_kept("0600", reason="auth-file", code="4.3.5")
    assert mx.sessions == []


@pytest.mark.parametrize("line", [
    "user=u", "user=u secret=", "user=u secret=s mechanism=NTLM", "%%% %%%",
    "user=u secret=s over=radio", "user=u secret=s command=/bin/true",
    "user=u secret=s mechanism=PLAIN,XOAUTH2", 'user=u secret="s', "user"])
def test_line_that_cannot_be_understood(relay, line):
    mx = relay.host("PLAIN", demands_auth=False)
    relay.account(line)
    relay.mail().is_kept(f"{relay.secrets}:1: ", reason="auth-file",
                         code="4.3.5")
    assert mx.sessions == []


def test_file_that_is_not_there(relay):
    mx = relay.host("PLAIN", demands_auth=False)
    relay.mail().is_kept("No such file", reason="auth-file")
    assert mx.sessions == []


def test_line_of_another_host_hurts_nobody(relay):
    mx = relay.host("PLAIN")
    relay.secrets.write_text(f"smtp other.example %%%\nsmtp {NAME} {old()}\n")
    relay.secrets.chmod(0o600)
    relay.mail().is_sent(mx, "PLAIN")


# ---- command= ---------------------------------------------------------------


def test_command_prints_the_secret(relay):
    mx = relay.host("PLAIN")
    relay.account(f"user={USER} " + relay.command(f"echo '{SECRET}'"))
    relay.mail().is_sent(mx, "PLAIN")
    assert relay.runs() == 1


@pytest.mark.parametrize("expiry,runs", [("", 3), ("expires-in 3600", 1)])
def test_command_is_run_once_until_it_expires(relay, expiry, runs):
    mx = relay.host("XOAUTH2")
    relay.account(f"user={USER} mechanism=XOAUTH2 "
                  + relay.command(f"echo {TOKEN}", f"echo {expiry}"))
    agent = relay.agent()
    for _ in range(3):
        relay.run(agent).is_sent(mx, "XOAUTH2")
    assert relay.runs() == runs


def test_token_that_expired_is_fetched_anew(relay):
    mx = relay.host("XOAUTH2")
    relay.account(f"user={USER} mechanism=XOAUTH2 "
                  + relay.command(f"echo {TOKEN}", "echo expires-in 1"))
    agent = relay.agent()
    relay.run(agent).is_sent(mx, "XOAUTH2")
    time.sleep(1.1)
    relay.run(agent).is_sent(mx, "XOAUTH2")
    assert relay.runs() == 2


def test_token_that_was_called_back_is_fetched_anew(relay):
    """The next connection gets another, and the account is not held off."""
    mx = relay.host("OAUTHBEARER")
    store = relay.office.base / "token-store"
    store.write_text(TOKEN)
    relay.account(f"user={USER} mechanism=OAUTHBEARER " + relay.command(
        f"cat {store}", "echo", "echo expires-in 3600"))
    agent = relay.agent()
    relay.run(agent).is_sent(mx, "OAUTHBEARER")
    store.write_text(TOKEN + "2")
    mx.accounts.tokens[USER] = TOKEN + "2"
    relay.run(agent).is_kept("535 5.7.8")
    relay.run(agent).is_sent(mx, "OAUTHBEARER")
    assert relay.runs() == 2


BAD = {
    "fails": ("echo x; exit 1", "exit"),
    "dies": ("kill -9 $$", "did not end well"),
    "prints nothing": (":", "printed no secret"),
    "prints too much": ("yes 0123456789 | head -c 50000", "too much"),
    "says something else": ("echo a; echo b", "expires-in"),
}


@pytest.mark.parametrize("how", BAD)
def test_command_that_goes_wrong(relay, how):
    """Not run again for each message either."""
    script, word = BAD[how]
    mx = relay.host("PLAIN")
    relay.account(f"user={USER} " + relay.command(script))
    agent = relay.agent()
    relay.run(agent).is_kept(word)
    relay.run(agent).is_kept(word)
    assert mx.messages == [] and relay.said_auth() == []
    assert relay.runs() == 1
    relay.nothing_unauthenticated()


def test_command_that_is_not_there(relay):
    mx = relay.host("PLAIN")
    relay.account(f"user={USER} command=/nonexistent/token")
    relay.mail().is_kept("could not be started")
    assert mx.messages == []


def test_command_that_hangs_does_not_outlast_a_signal(relay):
    mx = relay.host("PLAIN")
    relay.account(f"user={USER} " + relay.command("sleep 600"))
    agent = relay.agent()
    agent.feed(relay.office.post([f"bob@{DOMAIN}"], host=DOMAIN), DOMAIN)
    wait_for(lambda: relay.runs() == 1)
    assert agent.stop("SIGTERM") == 0
    assert "interrupted" in agent.pending().text
    assert mx.messages == []


# ---- what is shown ----------------------------------------------------------


def test_nothing_secret_is_in_a_title(relay):
    mx = relay.host("LOGIN", script={"AUTH:LOGIN": Do(silent=True)})
    relay.account(old())
    agent = relay.agent("-T", "tls=5s")
    agent.feed(relay.office.post([f"bob@{DOMAIN}"], host=DOMAIN), DOMAIN)
    mx.wait_command("AUTH")
    for name in ("cmdline", "environ"):
        with open(f"/proc/{agent.pid}/{name}", "rb") as f:
            relay.shown.append(f.read())
    assert agent.stop("SIGTERM") == 0
    agent.pending()


def test_user_is_not_shown_in_the_welcome(relay):
    mx = relay.host("PLAIN", demands_auth=False, script={
        "AUTH:PLAIN": f"235 2.7.0 welcome {USER}, by {b64(SECRET)}"})
    relay.account(old())
    way = relay.mail()
    assert way.report.status == "ok3" and len(mx.messages) == 1
    assert way.record["connection"]["opening"][-1]["reply"] == \
        "235 2.7.0 welcome ***, by ***"


@pytest.mark.parametrize("event", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("code", ["250 2.0.0", "553 5.7.1"])
def test_user_is_not_shown_in_later_replies(relay, event, code):
    """Servers tell who may not send as somebody, and senders get reports."""
    mx = relay.host("PLAIN", script={
        event: f"{code} <{USER.upper()}> it is, and {b64(USER)}\nof {USER}"})
    relay.account(old())
    way = relay.mail()
    if code[0] == "5":
        assert way.report.status == "error2"
        assert "<***> it is, and ***" in way.report.message
        assert "of ***" in way.report.message
    elif event != "DATA":
        way.is_sent(mx, "PLAIN")


def test_dialogue_is_shown_without_secrets(relay):
    relay.host("LOGIN")
    relay.account(old())
    way = relay.mail()
    opening = way.record["connection"]["opening"]
    assert [(x["said"], x["reply"]) for x in opening[-3:]] == [
        ("AUTH LOGIN", "334 ***"), ("***", "334 ***"),
        ("***", "235 2.7.0 welcome")]


# ---- explain ----------------------------------------------------------------


def test_explain_says_what_would_be_used_and_sends_nothing(relay):
    mx = relay.host("PLAIN SCRAM-SHA-256 LOGIN")
    relay.account(new() + " over=verified")
    status, text = relay.explain("--connect")
    assert status == 0, text
    lines = [" ".join(x.split()) for x in text.splitlines()]
    assert f"account {relay.secrets}:1" in lines
    assert "would say AUTH SCRAM-SHA-256" in lines
    assert relay.said_auth() == []
    mx.wait_ended(0)
    assert mx.secured and mx.commands()[-1] == "QUIT"


def test_explain_in_json(relay):
    relay.host("PLAIN")
    relay.account(new())
    status, text = relay.explain("--connect", "-json")
    assert status == 0, text
    peer = json.loads(text)["peers"][0]
    assert peer["auth"] == {"account": f"{relay.secrets}:1",
                            "mechanism": "PLAIN"}
    assert peer["result"] == "ready"
    assert relay.said_auth() == []


@pytest.mark.parametrize("offered,why", [
    ("", "remote does not offer AUTH"), ("NTLM", "no mechanism of AUTH")])
def test_explain_says_why_no_mechanism_would_do(relay, offered, why):
    relay.host(offered)
    relay.account(new())
    status, text = relay.explain("--connect", "-json")
    found = json.loads(text)
    assert (status, found["result"]) == (75, "defer")
    assert found["peers"][0]["result"] == "auth-failed"
    assert why in found["peers"][0]["why"]
    assert found["peers"][0]["auth"]["account"] == f"{relay.secrets}:1"


def test_explain_runs_no_command(relay):
    relay.host("PLAIN")
    relay.account(f"user={USER} " + relay.command(f"echo '{SECRET}'"))
    status, text = relay.explain("--connect")
    assert (status, relay.runs()) == (0, 0), text


def test_explain_of_a_host_without_an_account(relay):
    relay.host("PLAIN", demands_auth=False)
    relay.account(new(), name="other.example")
    status, text = relay.explain("--connect", "-json")
    assert (status, json.loads(text)["peers"][0]["auth"]) == (0, None)


def test_explain_of_a_file_that_cannot_be_used(relay):
    relay.host("PLAIN")
    relay.account(new(), mode=0o644)
    status, text = relay.explain("--connect", "-json")
    found = json.loads(text)
    assert (status, found["result"]) == (75, "defer")
    assert found["failure"]["reason"] == "auth-file"


assert b64(SECRET) == "cGVuY2lsLTdlMyBzaGFycA=="

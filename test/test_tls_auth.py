"""
AUTH (RFC 4954) with the accounts of zpost-secrets(5), against servers that
check what is proven to them (saslpeer.py): which mechanism, over which
connections, what follows from failure, and that nothing secret is told. The
site is that of tlsworld.py.
"""

import base64

import pytest

import tlsca
from netns import Net
from saslpeer import Accounts
from smtpd import Do
from tlspeer import Tls, TlsServer

USER, SECRET, TOKEN = "bob@corp.example", "pen cil,=\u00fc", "ya29.abc-DEF_"
ACCOUNTS = Accounts({USER: SECRET}, tokens={USER: TOKEN})
DOMAINS = ["secure", "second.secure", "third.secure"]
BOTH = f'user={USER} secret="{SECRET}"'
SCRAMS = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
PLUS = [f"{name}-PLUS" for name in SCRAMS]
PASSWORDS = ["PLAIN", "LOGIN", "CRAM-MD5", *SCRAMS]
# From the strongest on.
ORDER = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
         "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]


def accounts_file(office, *lines: str, mode: int = 0o600):
    path = office.base / "accounts"
    path.write_text("".join(line + "\n" for line in lines))
    path.chmod(mode)
    return path


def entry(site, *lines: str) -> None:
    """Each agent knows these accounts."""
    site.options += ["-A", accounts_file(site.office, *lines)]


def relay(site, *mechanisms: str, spelling: str = "AUTH ", **how):
    """
    A host that wants AUTH, verified by DANE; of three domains, since what was
    put off is not tried again for some time.
    """
    how.setdefault("accounts", ACCOUNTS)
    mx = site.host("mx1.secure", demands_auth=True,
                   secret=[spelling + " ".join(mechanisms)], **how)
    site.tlsa("mx1.secure", "3 1 1")
    for domain in DOMAINS:
        site.mx(domain, "mx1.secure")
    return mx


def login(site, mechanism: str, mx) -> None:
    """The mail went, by this mechanism, and nothing secret was told."""
    way = site.mail("secure")
    assert [s.auth for s in mx.sessions] == [[(mechanism, USER, "235")]], \
        mx.text()
    way.is_sent(mx, "dane")
    is_discreet(site, way)


def is_discreet(site, way) -> None:
    """Neither report, record, control file nor any log has the account."""
    files = [p for top in (site.office.path, site.office.log, site.office.var)
             for p in top.rglob("*") if p.is_file()]
    told = way.out.text + repr(way.record) + "".join(
        p.read_bytes().decode("latin-1") for p in files)
    for word in (SECRET, TOKEN, USER):
        for text in (word, base64.b64encode(word.encode()).decode()[:-4]):
            assert text not in told, text


# ---- mechanisms -------------------------------------------------------------


@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_mechanism_with_a_password(site, mechanism):
    mx = relay(site, mechanism)
    entry(site, f"smtp mx1.secure.example {BOTH}")
    login(site, mechanism, mx)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("mechanism", PLUS)
def test_scram_that_is_bound_to_the_channel(site, mechanism, version):
    mx = relay(site, mechanism, mechanism.removesuffix("-PLUS"),
               maximum=version)
    entry(site, f"smtp mx1.secure.example {BOTH}")
    login(site, mechanism, mx)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_mechanism_with_a_token(site, mechanism):
    mx = relay(site, mechanism)
    entry(site, f"smtp mx1.secure.example user={USER} secret={TOKEN} "
          f"mechanism={mechanism}")
    login(site, mechanism, mx)


@pytest.mark.parametrize("user", ["", USER])
def test_external_with_our_certificate(site, user):
    mine = site.ca.issue("client.example")
    site.configure(f"tls-cert-file {mine.file}")
    mx = relay(site, "EXTERNAL", clients=site.ca.file,
               accounts=Accounts(certificate=USER))
    entry(site, "smtp mx1.secure.example mechanism=EXTERNAL"
          + (f" user={user}" if user else ""))
    login(site, "EXTERNAL", mx)
    assert mx.sessions[0].certificate == tlsca.der(mine.leaf)


def test_external_without_a_certificate_is_not_tried(site):
    mx = relay(site, "EXTERNAL", clients=site.ca.file,
               accounts=Accounts(certificate=USER))
    entry(site, "smtp mx1.secure.example mechanism=EXTERNAL")
    site.mail("secure").is_kept(fault="auth-failed", code="4.7.8")
    assert mx.sessions[0].auth_lines == []


@pytest.mark.parametrize("n", range(len(ORDER)))
def test_strongest_mechanism_that_both_have(site, n):
    offered = ORDER[n:]
    mx = relay(site, *reversed(offered))
    entry(site, f"smtp mx1.secure.example {BOTH}")
    login(site, offered[0], mx)


def test_mechanism_of_the_entry_alone(site):
    mx = relay(site, *ORDER)
    entry(site, f"smtp mx1.secure.example {BOTH} mechanism=LOGIN,PLAIN")
    login(site, "PLAIN", mx)


@pytest.mark.parametrize("spelling", ["AUTH=", "auth ", "AUTH  "])
def test_offer_in_its_spellings(site, spelling):
    mx = relay(site, "LOGIN", spelling=spelling)
    entry(site, f"smtp mx1.secure.example {BOTH}")
    login(site, "LOGIN", mx)


@pytest.mark.parametrize("lie", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
def test_mechanism_that_is_offered_and_not_known(site, lie):
    """One more is tried."""
    mx = relay(site, lie, "PLAIN", script={f"AUTH:{lie}": "504 5.5.4 what?"})
    entry(site, f"smtp mx1.secure.example {BOTH}")
    site.mail("secure").is_sent(mx, "dane")
    assert [a[0] for a in mx.sessions[0].auth] == [lie, "PLAIN"]


def test_no_mechanism_in_common(site):
    mx = relay(site, "DIGEST-MD5", "NTLM")
    entry(site, f"smtp mx1.secure.example {BOTH}")
    site.mail("secure").is_kept(fault="auth-failed", code="4.7.8")
    assert mx.sessions[0].auth_lines == []


def test_host_with_an_account_that_offers_no_auth(site):
    """Never without."""
    mx = site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    entry(site, f"smtp mx1.secure.example {BOTH}")
    site.mail("secure").is_kept(fault="auth-failed", code="4.7.8")
    assert mx.messages == []


# ---- whose account ----------------------------------------------------------


def test_original_form_of_the_file(site):
    mx = relay(site, "LOGIN")
    words = [base64.b64encode(w.encode()).decode() for w in (USER, SECRET)]
    entry(site, "# channel host user secret",
          "other mx1.secure.example eA== eA==",
          f"* MX1.secure.EXAMPLE {' '.join(words)} ignored")
    login(site, "LOGIN", mx)


def test_host_without_an_account(site):
    mx = site.host("mx1.secure", secret=["AUTH PLAIN"])
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    entry(site, f"smtp mx2.secure.example {BOTH}",
          f"lmtp mx1.secure.example {BOTH}", f"smtp secure.example {BOTH}")
    site.mail("secure").is_sent(mx, "dane")
    assert mx.sessions[0].auth_lines == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_file_that_others_can_read_is_refused(site, mode):
    mx = relay(site, "PLAIN")
    path = accounts_file(site.office, f"smtp mx1.secure.example {BOTH}",
                         mode=mode)
    way = site.mail("secure", "-A", path)
    way.is_kept(fault="auth-file", code="4.3.5")
    assert mx.sessions == []


@pytest.mark.parametrize("line", [
    "smtp mx1.secure.example user=x secret", "smtp mx1.secure.example b@d x",
    "smtp mx1.secure.example user=a secret=b mechanism=NTLM",
    "smtp mx1.secure.example user=a secret=b over=air"])
def test_entry_that_cannot_be_understood(site, line):
    mx = relay(site, "PLAIN")
    entry(site, line)
    site.mail("secure").is_kept(fault="auth-file", code="4.3.5")
    assert mx.sessions == []


# ---- failure ----------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [*PASSWORDS, "XOAUTH2", "OAUTHBEARER"])
def test_wrong_secret_defers(site, mechanism):
    """And the account is left alone for a while."""
    is_token = "OAUTH" in mechanism
    mx = relay(site, mechanism, accounts=Accounts({USER: "other"},
                                                  tokens={USER: "other"}))
    secret = TOKEN if is_token else SECRET
    entry(site, f'smtp mx1.secure.example user={USER} secret="{secret}" '
          f"mechanism={mechanism}")
    agent = site.agent()
    for domain in DOMAINS:
        way = site.run(agent, domain)
        way.is_kept(fault="auth-failed", code="4.7.8")
        is_discreet(site, way)
    assert [a for s in mx.sessions for a in s.auth] == [(mechanism, "",
                                                         "535")]


def test_failure_is_told_with_what_the_server_said(site):
    relay(site, "PLAIN", script={"AUTH:PLAIN": "535 5.7.8 go away"})
    entry(site, f"smtp mx1.secure.example {BOTH}")
    way = site.mail("secure")
    way.is_kept(fault="auth-failed", code="4.7.8")
    assert "go away" in way.notary.diagnostic


def test_temporary_failure(site):
    mx = relay(site, "PLAIN", script={"AUTH:PLAIN": "454 4.7.0 database"})
    entry(site, f"smtp mx1.secure.example {BOTH}")
    site.mail("secure").is_kept(fault="auth-failed", code="4.7.0")
    assert mx.messages == []


def test_changed_file_ends_the_wait(site):
    mx = relay(site, "PLAIN")
    path = accounts_file(site.office,
                         f"smtp mx1.secure.example user={USER} secret=x")
    agent = site.agent("-A", path)
    site.run(agent, "secure").is_kept(fault="auth-failed", code="4.7.8")
    path.write_text(f"smtp mx1.secure.example {BOTH}\n")
    site.run(agent, "second.secure").is_sent(mx, "dane")


@pytest.mark.parametrize("cheat", ["signature", "nonce", "iterations"])
@pytest.mark.parametrize("mechanism", SCRAMS)
def test_server_that_does_not_know_the_secret(site, mechanism, cheat):
    """With SCRAM it has to prove that, too."""
    mx = relay(site, mechanism, accounts=Accounts({USER: SECRET},
                                                  cheat=cheat))
    entry(site, f"smtp mx1.secure.example {BOTH}")
    site.mail("secure").is_kept(fault="auth-failed", code="4.7.8")
    assert mx.sessions[0].user == ""


@pytest.mark.parametrize("said", [
    "334 not base64!", "334 " + "A" * 20000, "235 2.7.0 hello",
    "334", "250 what?"], ids=["no base64", "long", "hello", "empty", "250"])
def test_challenge_that_is_nonsense(site, said):
    """235 before anything was proven is believed only of PLAIN."""
    mx = relay(site, "CRAM-MD5", script={"AUTH:CRAM-MD5": Do(said)},
               allow=["auth-mechanism"])
    entry(site, f"smtp mx1.secure.example {BOTH}")
    way = site.mail("secure")
    assert way.report.status in ("deferred", "deferall"), way.out.text
    assert way.reason in ("auth-failed", "protocol-error")
    assert mx.messages == []


# ---- tokens -----------------------------------------------------------------


def program(site, text: str):
    """command= with a program that notes each run."""
    path = site.office.script(
        "token", f"#!/bin/sh\necho run >>{site.office.base}/runs\n{text}\n")
    entry(site, f"smtp mx1.secure.example user={USER} mechanism=XOAUTH2 "
          f"command={path}")


def runs(site) -> int:
    path = site.office.base / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_token_of_a_program(site):
    mx = relay(site, "XOAUTH2")
    program(site, f"echo {TOKEN}")
    agent = site.agent("-1")
    for _ in range(2):
        site.run(agent, "secure").is_sent(mx, "dane")
    assert runs(site) == 2


def test_token_is_kept_until_it_expires(site):
    mx = relay(site, "XOAUTH2")
    program(site, f"echo {TOKEN}; echo expires-in 3600")
    agent = site.agent("-1")
    for _ in range(3):
        site.run(agent, "secure").is_sent(mx, "dane")
    assert runs(site) == 1


def test_token_that_was_refused_is_made_anew(site):
    accounts = Accounts(tokens={USER: TOKEN})
    mx = relay(site, "XOAUTH2", accounts=accounts)
    program(site, f"cat {site.office.base}/current; echo expires-in 3600")
    (site.office.base / "current").write_text(TOKEN + "\n")
    agent = site.agent("-1")
    site.run(agent, "secure").is_sent(mx, "dane")
    accounts.tokens[USER] = "another"
    (site.office.base / "current").write_text("another\n")
    way = site.run(agent, "second.secure")
    assert way.code == "4.7.8" and runs(site) == 1
    site.run(agent, "third.secure").is_sent(mx, "dane")
    assert runs(site) == 2


@pytest.mark.parametrize("text", ["exit 1", "true", "echo a b; echo c",
                                  "echo; echo x", "exec kill -9 $$"])
def test_program_that_fails(site, text):
    mx = relay(site, "XOAUTH2")
    program(site, f"echo {TOKEN} >&2; {text}" if text == "exit 1" else text)
    way = site.mail("secure")
    assert way.report.status in ("deferred", "deferall"), way.out.text
    assert mx.messages == []
    is_discreet(site, way)


# ---- over which connections -------------------------------------------------


def test_secret_goes_to_this_host_in_clear(site):
    """What does not leave this machine may be read on it anyway."""
    mx = site.host("mx1.plain", secured=False, clear=["AUTH PLAIN"],
                   accounts=ACCOUNTS, demands_auth=True)
    site.mx("plain", "mx1.plain")
    entry(site, f"smtp mx1.plain.example {BOTH}")
    way = site.mail("plain")
    way.is_sent(mx, clear=True)
    is_discreet(site, way)


@pytest.fixture
def far():
    with Net() as net:
        yield net


# Who signed the certificate, if there is TLS; the level; what the entry says;
# whether the secret goes.
OVER = {
    "clear": (None, "may", "", False),
    "clear, and encrypted would do": (None, "may", "over=encrypted", False),
    "clear, and that would do": (None, "may", "over=clear", True),
    "unverified": ("private", "may", "", False),
    "encrypted": ("private", "encrypt", "", False),
    "encrypted, and that would do": ("private", "encrypt", "over=encrypted",
                                     True),
    "verified for the account's sake": ("ca", "may", "", True),
    "verified": ("ca", "verify", "", True),
}


@pytest.mark.parametrize("case", OVER)
def test_secret_goes_to_others_over_verified_tls_alone(
        far, authorities, office, smtp, case):
    shown, level, over, goes = OVER[case]
    signer = authorities[0 if shown == "ca" else 1]
    tls = shown and Tls(signer.issue("mx.far.example"))
    offer = {"secret" if tls else "clear": ["AUTH PLAIN LOGIN"]}
    server = far.server(3, kind=TlsServer, tls=tls, accounts=ACCOUNTS,
                        demands_auth=True, **offer)
    (office.base / "hosts").write_text(f"{far.far(3)} mx.far.example\n")
    (office.base / "tls").write_text(
        f"tls-level {level}\ntls-CAfile {authorities[0].file}\n")
    agent = smtp(None, "-x", "-F", "mx.far.example", "-O", "dns=off", "-O",
                 f"dns-hosts={office.base}/hosts", "-S", office.base / "tls",
                 "-A", accounts_file(office, "smtp mx.far.example "
                                     f"{BOTH} {over}"), wrapper=far.wrapper)
    job = office.post(["bob@example.com"])
    out = agent.run(job, "example.com")
    if goes:
        assert out.report.status == "ok3", out.text
        assert server.sessions[0].user == USER
    else:
        assert out.report.status in ("deferred", "deferall"), out.text
        assert server.messages == []
        assert [x for s in server.sessions for x in s.auth_lines] == []


def test_nothing_secret_in_the_log_of_the_session(site):
    mx = relay(site, *ORDER)
    entry(site, f"smtp mx1.secure.example {BOTH} mechanism=PLAIN")
    log = site.office.log / "session"
    site.configure("tls-loglevel 4")
    way = site.mail("secure", "-l", log, "-d")
    way.is_sent(mx, "dane")
    is_discreet(site, way)
    assert "AUTH PLAIN" in log.read_text("latin-1")


def test_secret_is_never_in_the_clear(site):
    """STARTTLS is stripped, and AUTH is offered instead."""
    mx = relay(site, "PLAIN", is_offered=False, clear=["AUTH PLAIN LOGIN"])
    entry(site, f"smtp mx1.secure.example {BOTH}")
    site.mail("secure").is_kept("dane", "starttls-not-offered", "4.7.4")
    assert mx.sessions[0].auth_lines == []



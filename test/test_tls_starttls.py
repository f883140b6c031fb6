"""
STARTTLS (RFC 3207): what goes wrong with it, and what follows from that for
mail that needs TLS and for mail that takes it as a chance; versions, sessions,
certificates of ours. The site is that of tlsworld.py.
"""

import shutil
import subprocess

import pytest

import tlsca
from smtpd import Do
from stspeer import policy

OPEN = "opportunistic"
FAST = ("-T", "tls=5s")


def chance(site, **how):
    """Nothing asks for TLS; it is taken if it can be had."""
    mx = site.host("mx1.plain", site.private.issue("x.example"), **how)
    site.mx("plain", "mx1.plain")
    return mx


def dane(site, **how):
    mx = site.host("mx1.secure", site.private.issue("x.example"), **how)
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    return mx


def sts(site, **how):
    mx = site.host("mx1.plain", **how)
    site.mx("plain", "mx1.plain")
    site.sts("plain", policy("enforce", "mx1.plain.example"))
    return mx


def demanded(site, **how):
    site.configure("demand-tls-mode")
    return chance(site, **how)


# Who needs TLS: the domain, the reason, and the host.
NEEDS = {"dane": ("secure", "dane", dane), "sts": ("plain", "sts", sts),
         "demand-tls-mode": ("plain", "demanded", demanded)}
needs = pytest.mark.parametrize("need", NEEDS)

# Trouble: what the server does, the reason word, the status.
TROUBLE = {
    "stripped": ({"is_offered": False}, "starttls-not-offered", "4.7.4"),
    "refused for now": ({"script": {"STARTTLS": "454 4.7.0 not now"}},
                        "starttls-refused", "4.7.4"),
    "refused": ({"script": {"STARTTLS": "500 5.5.1 what?"}},
                "starttls-refused", "4.7.4"),
    "closed instead of a handshake": (
        {"script": {"STARTTLS": Do(close="after")}}, "tls-closed", "4.7.5"),
    "reset instead of a handshake": (
        {"script": {"handshake": Do(close="reset")}}, "tls-closed", "4.7.5"),
    "garbage": ({"script": {"handshake": Do(raw=b"220 what?\r\n" * 9)}},
                "tls-garbage", "4.7.5"),
    "stall": ({"script": {"handshake": Do(silent=True)}}, "tls-timeout",
              "4.7.5"),
    "old version": ({"maximum": "TLSv1.1"}, "tls-protocol", "4.7.5"),
}
troubles = pytest.mark.parametrize("trouble", TROUBLE)


# A stall takes its time, and one is like the other.
@pytest.mark.parametrize("need,trouble", [
    (n, t) for n in NEEDS for t in TROUBLE if (n, t) not in (
        ("sts", "stall"), ("demand-tls-mode", "stall"))])
def test_mail_that_needs_tls_never_goes_without(site, need, trouble):
    how, fault, code = TROUBLE[trouble]
    zone, why, make = NEEDS[need]
    make(site, **how)
    site.mail(zone, *FAST).is_kept(why, fault, code)


@troubles
def test_mail_that_takes_tls_as_a_chance_goes_in_clear(site, trouble):
    """On a new connection, unless the first was still good for it."""
    mx = chance(site, **TROUBLE[trouble][0])
    site.mail("plain", *FAST).is_sent(mx, OPEN, clear=True)
    if trouble != "stripped":
        first, last = mx.sessions[0], mx.sessions[-1]
        assert first is not last
        assert not any(c.startswith("MAIL") for c in first.commands)
        assert not any(c.startswith("STARTTLS") for c in last.commands)


def test_mail_that_takes_tls_as_a_chance_takes_it(site):
    mx = chance(site)
    way = site.mail("plain")
    way.is_sent(mx, OPEN)
    assert way.record["tls"]["protocol"] == "TLSv1.3"
    assert mx.secured[0].sni == "mx1.plain.example"


def test_next_host_is_asked_before_mail_waits(site):
    site.configure("demand-tls-mode")
    mx1 = site.host("mx1.plain", secured=False)
    mx2 = site.host("mx2.plain", site.private.issue("x.example"))
    site.mx("plain", "mx1.plain", "mx2.plain")
    site.mail("plain").is_sent(mx2, "demanded")
    assert mx1.messages == []


def test_demand_holds_at_level_none(site):
    site.configure("demand-tls-mode", "tls-level none")
    chance(site, is_offered=False)
    site.mail("plain").is_kept("demanded", "starttls-not-offered", "4.7.4")


# ---- injection --------------------------------------------------------------

INJECTED = Do(extra=b"250-evil.example\r\n250-PIPELINING\r\n"
              b"250 AUTH PLAIN LOGIN\r\n")


@needs
def test_cleartext_behind_the_220_is_an_attack(site, need):
    zone, why, make = NEEDS[need]
    mx = make(site, script={"STARTTLS": INJECTED})
    site.mail(zone).is_kept(why, "starttls-injection", "4.7.4")
    assert mx.secured == []


def test_cleartext_behind_the_220_where_tls_is_a_chance(site):
    """No worse than without STARTTLS: a new connection, and what was injected
    counts on none."""
    mx = chance(site, script={"STARTTLS": INJECTED})
    way = site.mail("plain")
    way.is_sent(mx, OPEN, clear=True)
    assert mx.secured == []
    assert mx.sessions[0].commands[-1] in ("STARTTLS", "QUIT")
    assert "AUTH" not in way.record["connection"]["offered"]
    assert not any(c.startswith("STARTTLS")
                   for c in mx.sessions[-1].commands)


def test_what_was_offered_in_clear_is_forgotten(site):
    """An attacker could have added it, and taken the rest away."""
    mx = dane(site, keywords=["PIPELINING"], clear=["DSN", "CHUNKING",
                                                    "AUTH PLAIN"],
              secret=["8BITMIME"])
    way = site.mail("secure")
    way.is_sent(mx, "dane")
    assert set(way.record["connection"]["offered"]) == {"PIPELINING",
                                                        "8BITMIME"}
    assert mx.messages[0].by == "DATA"


def test_ehlo_after_the_handshake_is_refused(site):
    """The server is broken; what it offers is not known."""
    mx = dane(site, script={"EHLO": [None, "421 4.3.0 no"]})
    way = site.mail("secure")
    assert way.report.status in ("deferred", "deferall")
    assert mx.messages == []
    site.nothing_in_clear()


# ---- versions and ciphers ---------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_versions_that_are_spoken(site, version):
    mx = dane(site, maximum=version)
    way = site.mail("secure")
    way.is_sent(mx, "dane", verdict="matched-dane")
    assert way.record["tls"]["protocol"] == version
    assert mx.secured[0].version == version


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
def test_old_versions_where_the_policy_file_has_them(site, version):
    site.configure(f"tls-policy-file {site.office.base}/tls-policy")
    (site.office.base / "tls-policy").write_text(
        "plain.example encrypt protocols=>=TLSv1 "
        "ciphers=DEFAULT@SECLEVEL=0\n")
    mx = chance(site, maximum=version)
    site.mail("plain").is_sent(mx, "encrypt")
    assert mx.secured[0].version == version


def test_least_version_of_the_configuration(site):
    site.configure("tls-min-protocol TLSv1.3", "demand-tls-mode")
    chance(site, maximum="TLSv1.2")
    site.mail("plain").is_kept("demanded", "tls-protocol")


def test_ciphers_of_the_configuration(site):
    site.configure("tls-cipher-list ECDHE-ECDSA-CHACHA20-POLY1305",
                   "tls-cipher-suites TLS_CHACHA20_POLY1305_SHA256")
    mx = dane(site)
    site.mail("secure").is_sent(mx, "dane")
    assert mx.secured[0].cipher == "TLS_CHACHA20_POLY1305_SHA256"


def test_tls_from_the_first_byte(site):
    site.configure("tls-wrapper")
    mx = dane(site, wrapper=True)
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")
    assert mx.in_clear() == []


# ---- levels that verify -----------------------------------------------------


def policy_file(site, *lines: str) -> None:
    path = site.office.base / "tls-policy"
    path.write_text("".join(line + "\n" for line in lines))
    site.configure(f"tls-policy-file {path}")


def test_level_verify_wants_the_name_of_the_host(site):
    policy_file(site, "plain.example verify")
    mx1 = site.host("mx1.plain", site.ca.issue("plain.example"))
    mx2 = site.host("mx2.plain")
    site.mx("plain", "mx1.plain", "mx2.plain")
    site.mail("plain").is_sent(mx2, "verify", verdict="matched-name")
    assert mx1.messages == []


@pytest.mark.parametrize("name,good", [
    ("plain.example", True), ("a.plain.example", True),
    ("secure.example", False)])
def test_level_secure_wants_the_name_of_the_domain(site, name, good):
    policy_file(site, "plain.example secure")
    mx = site.host("mx.secure", site.ca.issue(name))
    site.mx("plain", "mx.secure")
    way = site.mail("plain")
    if good:
        way.is_sent(mx, "secure", verdict="matched-name")
    else:
        way.is_kept("secure", "certificate-host-mismatch")


def test_names_of_the_policy_file(site):
    policy_file(site, "plain.example secure match=.partner.example")
    mx = site.host("mx1.plain", site.ca.issue("a.partner.example"))
    site.mx("plain", "mx1.plain")
    site.mail("plain").is_sent(mx, "secure", verdict="matched-name")


@pytest.mark.parametrize("of", ["cert", "key"])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_level_fingerprint(site, of, digest, tmp_path):
    shown = tlsca.self_signed(tmp_path, "x.example", days=(-9, -1))
    mx = site.host("mx1.plain", shown)
    site.mx("plain", "mx1.plain")
    policy_file(site, "plain.example fingerprint match="
                + shown.fingerprint(of, digest))
    site.mail("plain").is_sent(mx, "fingerprint",
                               verdict="matched-fingerprint")


def test_level_fingerprint_with_another_certificate(site):
    other = site.ca.issue("mx1.plain.example")
    policy_file(site, f"plain.example fingerprint match={other.fingerprint()}")
    site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.mail("plain").is_kept("fingerprint", "fingerprint-mismatch")


def test_authorities_in_a_folder(site, tmp_path):
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    shutil.copy(site.ca.file, tmp_path / "ca.pem")
    site.conf = [f"tls-CApath {tmp_path}", "tls-level verify"]
    site.mail("plain").is_kept("verify", "certificate-not-trusted")
    subprocess.run(["openssl", "rehash", tmp_path], check=True,
                   capture_output=True, timeout=30)
    site.mail("plain").is_sent(mx, "verify", verdict="matched-name")


def test_authority_of_the_policy_file_is_the_only_one(site):
    policy_file(site, f"plain.example verify CAfile={site.private.file}")
    mx1 = site.host("mx1.plain")
    mx2 = site.host("mx2.plain", site.private.issue("mx2.plain.example"))
    site.mx("plain", "mx1.plain", "mx2.plain")
    site.mail("plain").is_sent(mx2, "verify", verdict="matched-name")
    assert mx1.messages == []


@pytest.mark.parametrize("bad", [
    "tls-level perhaps", "no-such-keyword", "tls-CAfile /nowhere/at/all.pem",
    "tls-policy-file /nowhere/at/all"])
def test_configuration_that_cannot_be_used_sends_nothing(site, bad):
    """It may have said that mail must not go in clear text."""
    site.configure(bad)
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    agent = site.agent()
    way = site.run(agent, "plain")
    assert way.report.status in ("deferred", "deferall"), way.out.text
    assert mx.messages == []
    agent.kill()


# ---- the log ----------------------------------------------------------------


@pytest.mark.parametrize("level", range(5))
def test_log_says_as_much_as_is_wanted(site, office, level):
    """And never what was sent: the content stands in no line."""
    site.configure(f"tls-loglevel {level}")
    dane(site)
    log = office.base / "session-log"
    site.mail("secure", "-l", log, header=b"X-Odd: unmistakable\n").is_sent(
        site.servers["mx1.secure"], "dane")
    text = log.read_text()
    assert "TLS connection established: TLSv1.3 with cipher TLS_AES" in text
    assert "matched-dane" in text
    # why the host needs it, before anything is said to it
    assert "need=dane reason=dane" in text[:text.index("STARTTLS")]
    for least, word in ((1, "Verified: subject_CN="),
                        (1, "Peer cert verify depth=0"),
                        (2, "key-sha256="), (3, "sent ClientHello, ")):
        assert (word in text) == (level >= least), (word, text)
    assert "unmistakable" not in text


# ---- certificates of ours ---------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_our_certificate_is_shown_to_who_asks(site, kind, version):
    mine = {k: site.ca.issue("client.example", key=k) for k in ("ec", "rsa")}
    site.configure(f"tls-cert-file {mine['rsa'].file}",
                   f"tls-dcert-file {mine['ec'].file}")
    if kind == "rsa":
        site.conf.pop()
    mx = dane(site, clients=site.ca.file, maximum=version)
    way = site.mail("secure")
    way.is_sent(mx, "dane")
    assert mx.secured[0].certificate == tlsca.der(mine[kind].leaf)
    assert way.record["tls"]["wanted_certificate"] is True


def test_server_that_asks_for_a_certificate_that_we_have_not(site):
    mx = dane(site, clients=site.ca.file)
    site.mail("secure").is_sent(mx, "dane")
    assert mx.secured[0].certificate == b""


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_server_that_demands_a_certificate_that_we_have_not(site, version):
    """TLS 1.3 has such a server say so when our handshake is over."""
    mx = chance(site, clients=site.ca.file, demands_client=True,
                maximum=version)
    site.mail("plain").is_sent(mx, OPEN, clear=True)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@needs
def test_server_that_demands_a_certificate_where_tls_is_needed(site, need,
                                                               version):
    zone, _, make = NEEDS[need]
    mx = make(site, clients=site.ca.file, demands_client=True,
              maximum=version)
    way = site.mail(zone)
    assert way.report.status in ("deferred", "deferall")
    assert mx.messages == []
    site.nothing_in_clear()


@pytest.mark.parametrize("how", ["before", "reset"])
def test_server_that_goes_once_tls_is_up(site, how):
    """It cannot do TLS after all: as good as a handshake that failed."""
    mx = chance(site, script={"EHLO": [None, Do(close=how)]})
    site.mail("plain").is_sent(mx, OPEN, clear=True)


@needs
def test_server_that_goes_once_tls_is_up_where_it_is_needed(site, need):
    zone, _, make = NEEDS[need]
    mx = make(site, script={"EHLO": [None, Do(close="before")]})
    way = site.mail(zone)
    assert way.report.status in ("deferred", "deferall")
    assert mx.messages == []
    site.nothing_in_clear()


# ---- sessions ---------------------------------------------------------------


def two_mails(site, domain: str, *options) -> list:
    """By one agent, each over a connection of its own."""
    agent = site.agent("-1", *options)
    return [site.run(agent, domain) for _ in range(2)]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_sessions_are_resumed_by_an_agent(site, version):
    mx = dane(site, maximum=version)
    for way in two_mails(site, "secure"):
        way.is_sent(mx, "dane", verdict="matched-dane")
    assert [s.is_resumed for s in mx.secured] == [False, True]
    assert way.record["tls"]["resumed"] is True


def test_sessions_are_resumed_across_agents(site):
    site.configure("tls-session-cache shared")
    mx = dane(site)
    for _ in range(2):
        site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")
    assert mx.resumed == 1


@pytest.mark.parametrize("need", [*NEEDS, "chance"])
def test_server_that_chokes_on_a_session_is_asked_without(site, need):
    """At once: neither does the mail wait, nor does it go in the clear."""
    zone, _, make = {**NEEDS, "chance": ("plain", OPEN, chance)}[need]
    mx = make(site, script={"handshake": [None, Do(close="reset")]})
    for way in two_mails(site, zone):
        way.is_sent(mx)
    assert len(mx.sessions) == 3 and mx.resumed == 0


def test_sessions_are_not_shared_unless_that_is_wanted(site):
    mx = dane(site)
    for _ in range(2):
        site.mail("secure").is_sent(mx, "dane")
    assert mx.resumed == 0


def test_no_session_is_kept_if_that_is_wanted(site):
    site.configure("tls-session-cache none")
    mx = dane(site)
    for way in two_mails(site, "secure"):
        way.is_sent(mx, "dane")
    assert mx.resumed == 0


def test_session_that_was_less_is_not_resumed_for_more(site):
    """What any certificate was good for is no proof of a name."""
    policy_file(site, "plain.example may", "other.plain.example verify")
    mx = site.host("mx1.plain", site.private.issue("mx1.plain.example"))
    site.mx("plain", "mx1.plain")
    site.mx("other.plain", "mx1.plain")
    agent = site.agent("-1")
    site.run(agent, "plain").is_sent(mx, "may")
    way = site.run(agent, "other.plain")
    assert way.code == "4.7.5" and way.reason == "certificate-not-trusted"
    assert mx.resumed == 0 and len(mx.messages) == 1


def test_connection_is_kept_for_the_next_message(site):
    mx = dane(site)
    agent = site.agent()
    for _ in range(3):
        site.run(agent, "secure").is_sent(mx, "dane")
    assert len(mx.sessions) == 1 and len(mx.messages) == 3


def test_connection_ends_with_close_notify(site):
    """The answer to QUIT is not waited for: it must not meet a closed end."""
    mx = dane(site, script={"QUIT": Do(delay=0.5)})
    site.mail("secure").is_sent(mx, "dane")
    mx.wait_for(lambda: mx.sessions[0].has_notified, "close_notify")


# ---- content ----------------------------------------------------------------


@pytest.mark.parametrize("keywords", [("PIPELINING",), ("CHUNKING",), ()])
def test_large_message_is_whole(site, keywords):
    mx = dane(site, keywords=keywords)
    body = b"".join(b"%07d %s\n" % (i, b"x" * (i % 90)) for i in range(30000))
    site.start()
    job = site.office.post(["bob@secure.example"], host="secure.example",
                           body=body)
    agent = site.agent()
    assert agent.run(job, "secure.example").report.status == "ok3"
    assert mx.messages[0].body == body
    assert not mx.came_in_clear(mx.messages[0])


def test_server_that_breaks_off_within_the_content(site):
    mx = dane(site, script={"content": Do(cut=1000)})
    body = b"x" * 70 + b"\n"
    job = site.office.post(["bob@secure.example"], host="secure.example",
                           body=body * 10000)
    agent = site.agent()
    out = agent.run(job, "secure.example")
    assert out.report.status.startswith("defer"), out.text
    assert mx.messages == []

"""
What is counted for the reports about TLS (RFC 8460): each session once, by
policy and by what it came to, as tlsrpt(8) would tell it. The site is that of
tlsworld.py.
"""

import pytest

from smtpd import Do
from stspeer import Page, policy

NONE, STS, TLSA = "no-policy-found", "sts", "tlsa"


def counts(site, domain: str) -> tuple:
    """The only policy: its kind, good and failed sessions, and why."""
    found = site.counted(domain)
    assert len(found) == 1, found
    return found[0].kind, found[0].good, found[0].failed, found[0].why


def dane(site, of=None, **how):
    mx = site.host("mx1.secure", site.private.issue("mx1.secure.example"),
                   **how)
    site.tlsa("mx1.secure", "3 1 1", of)
    site.mx("secure", "mx1.secure")
    return mx


def sts(site, mode: str = "enforce", pattern: str = "mx1.plain.example",
        **how):
    mx = site.host("mx1.plain", **how)
    site.mx("plain", "mx1.plain")
    site.sts("plain", policy(mode, pattern))
    return mx


# ---- success ----------------------------------------------------------------


def test_success_without_a_policy(site):
    site.host("mx1.plain", site.private.issue("x.example"))
    site.mx("plain", "mx1.plain")
    site.mail("plain")
    assert counts(site, "plain") == (NONE, 1, 0, [])


def test_success_with_a_policy(site):
    sts(site)
    site.mail("plain")
    assert counts(site, "plain") == (STS, 1, 0, [])


def test_success_with_dane(site):
    """The report is the domain's, the policy that of the host."""
    dane(site)
    site.mail("secure")
    assert counts(site, "secure") == (TLSA, 1, 0, [])
    assert site.counted("secure")[0].domain == "mx1.secure.example"


def test_resumed_sessions_are_counted(site):
    mx = dane(site)
    agent = site.agent("-1")
    for _ in range(3):
        site.run(agent, "secure").is_sent(mx, "dane")
    agent.stop()
    assert mx.resumed == 2
    assert counts(site, "secure") == (TLSA, 3, 0, [])


def test_reused_connection_is_one_session(site):
    mx = dane(site)
    agent = site.agent()
    for _ in range(3):
        site.run(agent, "secure").is_sent(mx, "dane")
    agent.stop()
    assert len(mx.sessions) == 1
    assert counts(site, "secure") == (TLSA, 1, 0, [])


def test_sessions_of_several_agents_add_up(site):
    dane(site)
    for _ in range(2):
        site.mail("secure")
    assert counts(site, "secure") == (TLSA, 2, 0, [])


# ---- every type of failure --------------------------------------------------


def no_starttls(site):
    sts(site, secured=False)


def other_name(site):
    sts(site, identity=site.ca.issue("x.example"))


def expired(site):
    sts(site, identity=site.ca.issue("mx1.plain.example", days=(-9, -1)))


def not_trusted(site):
    sts(site, identity=site.private.issue("mx1.plain.example"))


def mismatch(site):
    dane(site, site.ca.issue("mx1.secure.example"))


def no_such_mx(site):
    sts(site, pattern="mx9.plain.example")


def unusable(site):
    site.host("mx1.secure")
    site.tlsa("mx1.secure", "0 0 1")
    site.mx("secure", "mx1.secure")


def dnssec(site):
    dane(site)
    site.rule(site.owner("mx1.secure"), "TLSA", rcode="SERVFAIL")


def dane_required(site):
    site.configure("tls-level dane-only")
    site.host("mx1.secure")
    site.mx("secure", "mx1.secure")


# How it comes to be, of which policy it is, and whether the mail goes.
TYPES = {
    "starttls-not-supported": (no_starttls, "plain", STS, False),
    "certificate-host-mismatch": (other_name, "plain", STS, False),
    "certificate-expired": (expired, "plain", STS, False),
    "certificate-not-trusted": (not_trusted, "plain", STS, False),
    "validation-failure": (mismatch, "secure", TLSA, False),
    "validation-failure of a name": (no_such_mx, "plain", STS, False),
    "tlsa-invalid": (unusable, "secure", TLSA, True),
    "dnssec-invalid": (dnssec, "secure", TLSA, False),
    "dane-required": (dane_required, "secure", TLSA, False),
}


@pytest.mark.parametrize("result", TYPES)
def test_every_type_of_failure(site, result):
    make, domain, kind, goes = TYPES[result]
    make(site)
    way = site.mail(domain)
    assert (way.report.status == "ok3") == goes, way.out.text
    assert counts(site, domain) == (kind, 0, 1, [result.split(" ")[0]])


FETCHES = {
    "sts-policy-fetch-error": lambda site: Page(status=404),
    "sts-policy-invalid": lambda site: Page(b"what?\r\n"),
    "sts-webpki-invalid": lambda site: Page(
        policy("enforce", "mx1.plain.example"),
        identity=site.private.issue("mta-sts.plain.example")),
}


@pytest.mark.parametrize("result", FETCHES)
def test_every_type_of_failure_to_have_a_policy(site, result):
    """It stands beside the session, which was held against none."""
    site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.sts("plain", FETCHES[result](site))
    assert site.mail("plain").report.status == "ok3"
    found = {c.kind: c for c in site.counted("plain")}
    assert found[NONE][2:] == (1, 0, [])
    assert found[STS][2:] == (0, 1, [result])


# ---- what else counts -------------------------------------------------------


def test_mode_testing_is_counted_as_if_enforced(site):
    mx = sts(site, "testing", identity=site.ca.issue("x.example"))
    site.mail("plain").is_sent(mx, "sts-testing")
    assert counts(site, "plain") == (STS, 0, 1, ["certificate-host-mismatch"])


def test_starttls_that_was_stripped(site):
    mx = site.host("mx1.plain", secured=False)
    site.mx("plain", "mx1.plain")
    site.mail("plain").is_sent(mx, clear=True)
    assert counts(site, "plain") == (NONE, 0, 1, ["starttls-not-supported"])


def test_each_host_is_counted(site):
    site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    mx2 = site.host("mx2.secure")
    site.tlsa("mx2.secure", "3 1 1")
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.mail("secure").is_sent(mx2, "dane")
    assert {c.domain: c[2:] for c in site.counted("secure")} == {
        "mx1.secure.example": (0, 1, ["validation-failure"]),
        "mx2.secure.example": (1, 0, [])}


def test_host_that_cannot_be_connected_to_is_not_counted(site):
    mx = dane(site)
    mx.stop()
    site.mail("secure")
    assert site.report("secure") == {}


def test_mail_that_is_a_report_is_not_counted(site):
    """RFC 8460 3: reports about reports would never end."""
    mx = dane(site)
    site.mail("secure", header=b"TLS-Report-Domain: x.example\n"
              b"TLS-Report-Submitter: client.example\n").is_sent(mx, "dane")
    assert site.report("secure") == {}


def test_details_of_a_failure(site):
    mx = sts(site, identity=site.private.issue("mx1.plain.example"))
    site.mail("plain")
    [found] = site.report("plain")["policies"]
    assert found["policy"]["policy-string"] == [
        "version: STSv1", "mode: enforce", "mx: mx1.plain.example",
        "max_age: 86400"]
    assert found["policy"]["mx-host"] == ["mx1.plain.example"]
    [detail] = found["failure-details"]
    assert detail["receiving-ip"] == mx.listen
    assert detail["receiving-mx-hostname"] == "mx1.plain.example"
    assert detail["sending-mta-ip"].startswith("127.")
    assert detail["failed-session-count"] == 1


def test_mode_testing_and_a_host_that_is_not_named(site):
    mx = sts(site, "testing", "mx9.plain.example")
    site.mail("plain").is_sent(mx, "sts-testing")
    assert counts(site, "plain") == (STS, 0, 1, ["validation-failure"])


def test_connection_in_clear_after_a_failure_is_not_counted_again(site):
    mx = site.host("mx1.plain", script={"handshake": Do(close="before")})
    site.mx("plain", "mx1.plain")
    site.mail("plain").is_sent(mx, clear=True)
    assert counts(site, "plain") == (NONE, 0, 1, ["validation-failure"])

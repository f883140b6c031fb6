"""
What a message can ask for (RFC 8689): REQUIRETLS, and TLS-Required: No. The
site is that of tlsworld.py.
"""

import pytest

from stspeer import policy

OPEN = "opportunistic"
OFFER = ["REQUIRETLS"]
NO = b"TLS-Required: No\n"


def dane(site, name: str = "mx1.secure", **how):
    mx = site.host(name, site.private.issue("x.example"), **how)
    site.tlsa(name, "3 1 1")
    return mx


# ---- REQUIRETLS -------------------------------------------------------------


def test_requiretls_over_dane(site):
    mx = dane(site, secret=OFFER)
    site.mx("secure", "mx1.secure")
    site.mail("secure", requiretls=True).is_sent(mx, "requiretls-dane",
                                                 verdict="matched-dane")
    assert "REQUIRETLS" in mx.messages[0].mail.params


def test_requiretls_over_mta_sts(site):
    mx = site.host("mx1.plain", secret=OFFER)
    site.mx("plain", "mx1.plain")
    site.sts("plain", policy("enforce", "mx1.plain.example"))
    site.mail("plain", requiretls=True).is_sent(mx, "requiretls-name",
                                                verdict="matched-name")
    assert "REQUIRETLS" in mx.messages[0].mail.params


def test_requiretls_by_a_signed_mx(site):
    """Then the name of the host can be believed."""
    mx = site.host("mx1.plain", secret=OFFER)
    site.mx("secure", "mx1.plain")
    site.mail("secure", requiretls=True).is_sent(mx, "requiretls-name",
                                                 verdict="matched-name")


def test_requiretls_is_not_said_unless_asked_for(site):
    mx = dane(site, secret=OFFER)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane")
    assert "REQUIRETLS" not in mx.messages[0].mail.params


def test_requiretls_not_offered_fails(site):
    """Every host was authenticated, and none keeps the promise."""
    mx1 = dane(site)
    mx2 = dane(site, "mx2.secure")
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.mail("secure", requiretls=True).is_failed("5.7.30")
    assert mx1.messages == mx2.messages == []
    assert len(mx1.secured) == len(mx2.secured) == 1


def test_requiretls_offered_by_the_second_host(site):
    dane(site)
    mx2 = dane(site, "mx2.secure", secret=OFFER)
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.mail("secure", requiretls=True).is_sent(mx2, "requiretls-dane")


@pytest.mark.parametrize("down,code", [(1, "4.7.30"), (2, "4.4.1")])
def test_requiretls_not_offered_and_a_host_is_down(site, down, code):
    """That one might offer it."""
    hosts = [dane(site, f"mx{n}.secure") for n in (1, 2)]
    site.mx("secure", "mx1.secure", "mx2.secure")
    hosts[down - 1].stop()
    site.mail("secure", requiretls=True).is_kept(code=code)
    assert len(hosts[2 - down].secured) == 1


def test_requiretls_offered_in_the_clear_alone(site):
    dane(site, clear=OFFER)
    site.mx("secure", "mx1.secure")
    site.mail("secure", requiretls=True).is_failed("5.7.30")


def test_requiretls_and_no_starttls(site):
    site.host("mx1.plain", secured=False)
    site.mx("secure", "mx1.plain")
    site.mail("secure", requiretls=True).is_kept(
        "requiretls-name", "starttls-not-offered", "4.7.4")


def test_requiretls_and_a_certificate_that_is_no_good(site):
    site.host("mx1.plain", site.private.issue("mx1.plain.example"),
              secret=OFFER)
    site.mx("secure", "mx1.plain")
    site.mail("secure", requiretls=True).is_kept("requiretls-name",
                                                 "certificate-not-trusted")


def test_requiretls_and_an_mx_that_nobody_vouches_for(site):
    mx = site.host("mx1.plain", secret=OFFER)
    site.mx("plain", "mx1.plain")
    site.mail("plain", requiretls=True).is_kept("requiretls-unknown-host")
    assert mx.sessions == []


@pytest.mark.parametrize("level", ["none", "may", "encrypt"])
def test_requiretls_raises_the_level(site, level):
    site.configure(f"tls-level {level}")
    mx = dane(site, secret=OFFER)
    site.mx("secure", "mx1.secure")
    site.mail("secure", requiretls=True).is_sent(mx, "requiretls-dane")


def test_requiretls_is_asked_for_by_one_of_several_messages(site):
    """A connection that was not authenticated does not serve it."""
    site.host("mx1.plain", site.private.issue("x.example"), secret=OFFER)
    mx = site.servers["mx1.plain"]
    site.mx("secure", "mx1.plain")
    agent = site.agent()
    site.run(agent, "secure").is_sent(mx, OPEN)
    way = site.run(agent, "secure", requiretls=True)
    assert way.code == "4.7.5" and len(mx.messages) == 1
    site.run(agent, "secure").is_sent(mx, OPEN)


# ---- TLS-Required: No -------------------------------------------------------


def test_tls_required_no_against_dane_that_fails(site):
    mx = site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure", header=NO).is_sent(mx, "tls-required-no")


def test_tls_required_no_against_dane_without_starttls(site):
    mx = site.host("mx1.secure", secured=False)
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure", header=NO).is_sent(mx, "tls-required-no", clear=True)


def test_tls_required_no_against_tlsa_that_cannot_be_had(site):
    mx = dane(site)
    site.mx("secure", "mx1.secure")
    site.rule(site.owner("mx1.secure"), "TLSA", rcode="SERVFAIL")
    site.mail("secure", header=NO).is_sent(mx, "tls-required-no")


def test_tls_required_no_against_mta_sts(site):
    mx = site.host("mx1.plain", secured=False)
    site.mx("plain", "mx1.plain")
    site.sts("plain", policy("enforce", "mx1.plain.example"))
    site.mail("plain", header=NO).is_sent(mx, "tls-required-no", clear=True)


def test_tls_required_no_against_an_mx_that_the_policy_does_not_know(site):
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.sts("plain", policy("enforce", "mx9.plain.example"))
    site.mail("plain", header=NO).is_sent(mx, "tls-required-no")


def test_tls_required_no_takes_tls_where_it_can_be_had(site):
    mx = dane(site)
    site.mx("secure", "mx1.secure")
    site.mail("secure", header=NO).is_sent(mx, "tls-required-no")


@pytest.mark.parametrize("header", [
    b"tls-required:no\n", b"TLS-Required:  NO \n", NO])
def test_tls_required_no_in_its_forms(site, header):
    mx = site.host("mx1.secure", secured=False)
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure", header=header).is_sent(mx, "tls-required-no",
                                               clear=True)


@pytest.mark.parametrize("header", [
    b"TLS-Required: Yes\n", b"TLS-Required: None\n", b"TLS-Required:\n",
    b"X-TLS-Required: No\n"])
def test_other_values_say_nothing(site, header):
    site.host("mx1.secure", secured=False)
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure", header=header).is_kept(
        "dane", "starttls-not-offered", "4.7.4")


@pytest.mark.parametrize("line,why", [
    ("tls-level encrypt", "encrypt"), ("demand-tls-mode", "demanded"),
    ("tls-level secure", "secure"), ("tls-level dane-only", "dane-only")])
def test_tls_required_no_does_not_lower_what_is_configured(site, line, why):
    site.configure(line)
    site.host("mx1.secure", secured=False)
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure", header=NO).is_kept(why, "starttls-not-offered",
                                           "4.7.4")


def test_requiretls_is_stronger_than_tls_required_no(site):
    """RFC 8689 4.1: the field is ignored then."""
    mx = dane(site, secret=OFFER)
    site.mx("secure", "mx1.secure")
    site.mail("secure", requiretls=True, header=NO).is_sent(
        mx, "requiretls-dane")


def test_messages_of_both_kinds_over_one_agent(site):
    """One that needs more never uses a connection that is less."""
    mx = site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    agent = site.agent()
    site.run(agent, "secure", header=NO).is_sent(mx, "tls-required-no")
    way = site.run(agent, "secure")
    assert way.reason == "tlsa-mismatch" and len(mx.messages) == 1

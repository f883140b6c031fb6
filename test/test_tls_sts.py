"""
MTA-STS (RFC 8461): policies that domains publish over HTTPS, and what they
do to mail. The cases and why they are so: docs/tls-conformance.md. The site is
that of tlsworld.py.
"""

import time

import pytest

from badnames import Rule
from stspeer import Page, policy

OPEN = "opportunistic"


def domain(site, mode: str = "enforce", *patterns, zone: str = "plain",
           **how):
    """mx1 of an unsigned zone, and a policy that names it."""
    mx = site.host(f"mx1.{zone}", **how)
    site.mx(zone, f"mx1.{zone}")
    site.sts(zone, policy(mode, *(patterns or [f"mx1.{zone}.example"])))
    return mx


def renew(site, page, ident: str, zone: str = "plain") -> None:
    """Another policy, under another id."""
    site.rule(f"_mta-sts.{zone}", "TXT", f'"v=STSv1; id={ident};"')
    site.web.serve(f"{zone}.example", page)


# ---- enforce ----------------------------------------------------------------


def test_enforced_policy_is_met(site):
    mx = domain(site)
    way = site.mail("plain")
    way.is_sent(mx, "sts", verdict="matched-name")
    assert mx.secured[0].sni == "mx1.plain.example"
    assert way.security["sts"]["mode"] == "enforce"
    assert site.web.asked == ["mta-sts.plain.example"]


def test_policy_is_that_of_the_smart_host(site):
    """Whoever the recipient is, and whatever his domain has."""
    mx = domain(site)
    site.sts("secure", policy("enforce", "mx9.secure.example"))
    way = site.mail("secure", destination="plain.example")
    way.is_sent(mx, "sts", verdict="matched-name")
    assert site.web.asked == ["mta-sts.plain.example"]


@pytest.mark.parametrize("what,fault", [
    ("another name", "certificate-host-mismatch"),
    ("the domain's name", "certificate-host-mismatch"),
    ("common name alone", "certificate-host-mismatch"),
    ("expired", "certificate-expired"),
    ("not yet", "certificate-not-yet-valid"),
    ("private authority", "certificate-not-trusted")])
def test_certificate_is_checked_against_the_host(site, what, fault):
    name = "mx1.plain.example"
    shown = {
        "another name": lambda: site.ca.issue("mx2.plain.example"),
        "the domain's name": lambda: site.ca.issue("plain.example"),
        "common name alone": lambda: site.ca.issue(cn=name),
        "expired": lambda: site.ca.issue(name, days=(-20, -10)),
        "not yet": lambda: site.ca.issue(name, days=(10, 20)),
        "private authority": lambda: site.private.issue(name),
    }[what]()
    domain(site, identity=shown)
    site.mail("plain").is_kept("sts", fault)


@pytest.mark.parametrize("name,good", [
    ("*.plain.example", True), ("*.example", False),
    ("mx*.plain.example", False)])
def test_wildcard_in_the_certificate_is_one_whole_label(site, name, good):
    mx = domain(site, identity=site.ca.issue(name))
    way = site.mail("plain")
    if good:
        way.is_sent(mx, "sts", verdict="matched-name")
    else:
        way.is_kept("sts", "certificate-host-mismatch")


def test_chain_with_an_intermediate(site):
    mx = domain(site, identity=site.ca.authority().issue("mx1.plain.example"))
    site.mail("plain").is_sent(mx, "sts", verdict="matched-name")


def test_enforced_policy_without_starttls(site):
    domain(site, secured=False)
    site.mail("plain").is_kept("sts", "starttls-not-offered", "4.7.4")


def test_enforced_policy_without_a_matching_mx(site):
    mx = domain(site, "enforce", "mx9.plain.example")
    site.mail("plain").is_kept("sts-mismatch")
    assert mx.sessions == []


def test_host_that_the_policy_does_not_know_is_passed_over(site):
    mx1 = site.host("mx1.plain")
    mx2 = site.host("mx2.plain")
    site.mx("plain", "mx1.plain", "mx2.plain")
    site.sts("plain", policy("enforce", "mx2.plain.example"))
    site.mail("plain").is_sent(mx2, "sts", verdict="matched-name")
    assert mx1.sessions == []


@pytest.mark.parametrize("pattern,host,matches", [
    ("*.plain.example", "mx1.plain", True),
    ("*.PLAIN.Example", "mx1.plain", True),
    ("*.plain.example", "a.mx1.plain", False),
    ("*.example", "mx1.plain", False),
    ("*.mx1.plain.example", "mx1.plain", False),
    ("mx1.plain.example", "mx1.plain", True)])
def test_wildcard_patterns_stand_for_one_label(site, pattern, host, matches):
    mx = site.host(host)
    site.mx("plain", host)
    site.sts("plain", policy("enforce", pattern))
    way = site.mail("plain")
    if matches:
        way.is_sent(mx, "sts", verdict="matched-name")
        assert way.security["sts"]["pattern"].lower() == pattern.lower()
    else:
        way.is_kept("sts-mismatch")


# ---- testing and none -------------------------------------------------------


@pytest.mark.parametrize("what", ["name", "issuer", "no starttls",
                                  "no such mx"])
def test_mode_testing_never_blocks(site, what):
    name = "mx1.plain.example"
    how = {"name": {"identity": site.ca.issue("x.example")},
           "issuer": {"identity": site.private.issue(name)},
           "no starttls": {"secured": False}, "no such mx": {}}[what]
    mx = domain(site, "testing",
                "mx9.plain.example" if what == "no such mx" else name, **how)
    way = site.mail("plain")
    way.is_sent(mx, "sts-testing", clear=what == "no starttls")
    if what in ("name", "issuer"):
        assert way.record["tls"]["audit"] == {
            "name": "certificate-host-mismatch",
            "issuer": "certificate-not-trusted"}[what]


def test_mode_none_asks_for_nothing(site):
    mx = domain(site, "none", secured=False)
    site.mail("plain").is_sent(mx, OPEN, clear=True)


# ---- the record -------------------------------------------------------------


def test_record_that_is_an_alias(site):
    """And so is where the policy is: whoever runs the hosts keeps both."""
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.add("_mta-sts.plain", "CNAME", "_mta-sts.host.secure.example.")
    site.add("_mta-sts.host.secure", "TXT", '"v=STSv1; id=7;"')
    site.web.serve("plain.example", policy("enforce", "mx1.plain.example"))
    way = site.mail("plain")
    way.is_sent(mx, "sts", verdict="matched-name")
    assert way.security["sts"]["id"] == "7"


@pytest.mark.parametrize("records", [
    ['"v=STSv1; id=1;"', '"v=STSv1; id=2;"'], ['"v=STSv1"'],
    ['"v=STSv2; id=1;"'], ['"id=1; v=STSv1;"'], ['"v=spf1 -all"'],
    ['"v=STSv1; id=' + "a" * 33 + ';"']])
def test_record_that_is_none(site, records):
    mx = site.host("mx1.plain", secured=False)
    site.mx("plain", "mx1.plain")
    for record in records:
        site.add("_mta-sts.plain", "TXT", record)
    site.web.serve("plain.example", policy("enforce", "mx1.plain.example"))
    site.mail("plain").is_sent(mx, OPEN, clear=True)
    assert site.web.asked == []


def test_record_in_pieces_beside_others(site):
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.add("_mta-sts.plain", "TXT", '"something else"')
    site.add("_mta-sts.plain", "TXT", '"v=STS" "v1; id=20" "26;"')
    site.web.serve("plain.example", policy("enforce", "mx1.plain.example"))
    way = site.mail("plain")
    way.is_sent(mx, "sts")
    assert way.security["sts"]["id"] == "2026"


# ---- the fetch --------------------------------------------------------------

BAD_PAGES = {
    "404": Page(b"", status=404),
    "500": Page(b"", status=500),
    "redirect": Page(b"", status=301, headers={
        "Location": "https://mta-sts.plain.example/.well-known/mta-sts.txt"}),
    "html": Page(policy("enforce", "mx1.plain.example"), type="text/html"),
    "no policy": Page(b"hello\r\n"),
    "too large": Page(b"x: y\r\n" * 100, endless=True),
    "closed": Page(close=True),
    "no mx": Page(b"version: STSv1\r\nmode: enforce\r\nmax_age: 86400\r\n"),
}


@pytest.mark.parametrize("what", [*BAD_PAGES, "wrong name", "expired",
                                  "private authority"])
def test_policy_that_cannot_be_had_is_none(site, what):
    """RFC 8461 5.1: mail goes as if there were no policy."""
    name = "mta-sts.plain.example"
    text = policy("enforce", "mx1.plain.example")
    page = BAD_PAGES.get(what) or Page(text, identity={
        "wrong name": lambda: site.ca.issue("plain.example"),
        "expired": lambda: site.ca.issue(name, days=(-9, -1)),
        "private authority": lambda: site.private.issue(name)}[what]())
    mx = site.host("mx1.plain", secured=False)
    site.mx("plain", "mx1.plain")
    site.sts("plain", page)
    way = site.mail("plain")
    way.is_sent(mx, OPEN, clear=True)
    assert way.security["sts"]["failure"] == {
        "no policy": "sts-policy-invalid", "no mx": "sts-policy-invalid",
        "wrong name": "sts-webpki-invalid", "expired": "sts-webpki-invalid",
        "private authority": "sts-webpki-invalid"}.get(
            what, "sts-policy-fetch-error")
    # It is not tried again at once.
    n = site.web.count("plain.example")
    site.mail("plain").is_sent(mx, OPEN, clear=True)
    assert site.web.count("plain.example") == n


def test_web_server_that_is_silent_delays_for_seconds_only(site):
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.sts("plain", Page(stall="answer"))
    site.mail("plain").is_sent(mx, OPEN)


# ---- what is kept -----------------------------------------------------------


def test_policy_is_fetched_once(site):
    mx = domain(site)
    for _ in range(3):
        way = site.mail("plain")
        way.is_sent(mx, "sts")
    assert site.web.count("plain.example") == 1
    assert way.security["sts"]["origin"] == "store"


@pytest.mark.parametrize("page", ["500", "no policy", "closed", "html"])
def test_cached_policy_survives_a_failed_fetch(site, page):
    """An attacker who stops the fetch gains nothing."""
    mx = domain(site)
    site.mail("plain").is_sent(mx, "sts")
    renew(site, BAD_PAGES[page], "2")
    site.mail("plain").is_sent(mx, "sts", verdict="matched-name")
    assert site.web.count("plain.example") >= 2
    mx.tls = None
    way = site.mail("plain")
    assert way.report.status != "ok3" and way.code == "4.7.4"
    assert len(mx.messages) == 2


@pytest.mark.parametrize("answer", [
    Rule(rcode="NXDOMAIN"), Rule(rcode="SERVFAIL"), Rule(),
    Rule(['_mta-sts.plain.example TXT "v=STSv1"'])],
    ids=["nxdomain", "servfail", "nodata", "bad"])
def test_cached_policy_survives_a_lost_record(site, answer):
    mx = domain(site)
    site.mail("plain").is_sent(mx, "sts")
    site.names.rules["_mta-sts.plain.example txt"] = answer
    mx.tls = None
    way = site.mail("plain")
    assert way.why == "sts" and way.code == "4.7.4", way.out.text
    assert len(mx.messages) == 1


def test_new_id_brings_the_new_policy(site):
    mx = domain(site, "enforce", "mx9.plain.example")
    site.mail("plain").is_kept("sts-mismatch")
    renew(site, policy("enforce", "mx1.plain.example"), "2")
    way = site.mail("plain")
    way.is_sent(mx, "sts", verdict="matched-name")
    assert way.security["sts"]["id"] == "2"
    renew(site, policy("none"), "3")
    site.mail("plain").is_sent(mx, OPEN)
    assert site.web.count("plain.example") == 3


def test_same_id_is_not_fetched_again(site):
    mx = domain(site)
    site.mail("plain").is_sent(mx, "sts")
    renew(site, policy("enforce", "mx9.plain.example"), "1")
    site.mail("plain").is_sent(mx, "sts")
    assert site.web.count("plain.example") == 1


def test_policy_whose_max_age_is_over_is_none(site):
    mx = site.host("mx1.plain")
    site.mx("plain", "mx1.plain")
    site.sts("plain", policy("enforce", "mx1.plain.example", max_age=1))
    site.mail("plain").is_sent(mx, "sts")
    site.web.serve("plain.example", BAD_PAGES["500"])
    time.sleep(2.1)
    site.mail("plain").is_sent(mx, OPEN)


# ---- beside DANE ------------------------------------------------------------


def test_policy_does_not_override_dane_that_fails(site):
    site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.sts("secure", policy("enforce", "mx1.secure.example"))
    site.mail("secure").is_kept("dane", "tlsa-mismatch")


def test_policy_does_not_hinder_dane_that_succeeds(site):
    """DANE takes precedence, also over a policy that does not match."""
    mx = site.host("mx1.secure", site.private.issue("mx1.secure.example"))
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    site.sts("secure", policy("enforce", "mx9.secure.example"))
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_policy_holds_where_dane_does_not_apply(site):
    site.host("mx1.secure", site.private.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.sts("secure", policy("enforce", "mx1.secure.example"))
    site.mail("secure").is_kept("sts", "certificate-not-trusted")


def test_policy_holds_where_records_are_unusable(site):
    site.host("mx1.secure", site.private.issue("mx1.secure.example"))
    site.tlsa("mx1.secure", "0 0 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.sts("secure", policy("enforce", "mx1.secure.example"))
    site.mail("secure").is_kept("sts", "certificate-not-trusted")


def test_policy_is_not_looked_for_at_other_levels(site):
    site.configure("tls-level dane")
    mx = domain(site, "enforce", "mx9.plain.example")
    site.mail("plain").is_sent(mx, OPEN)
    assert site.web.asked == []

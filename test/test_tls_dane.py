"""
DANE (RFC 7672): who gets mail and who does not, by what signed zones say.
The cases and why they are so: docs/tls-conformance.md. The site is that of
tlsworld.py.
"""

import pytest

import tlsca
from badnames import Rule

UNKNOWN = "tlsa-unknown"
OPEN = "opportunistic"


def right(site, name: str, **how):
    """A host with a record for its certificate, which nobody else trusts."""
    host = site.host(name, site.private.issue(f"{name}.example"), **how)
    site.tlsa(name, "3 1 1")
    return host


def wrong(site, name: str, **how):
    """A host whose record is that of another certificate."""
    host = site.host(name, **how)
    site.tlsa(name, "3 1 1", site.ca.issue(f"{name}.example"))
    return host


# ---- where DANE applies -----------------------------------------------------


def test_secure_host_is_verified_by_its_record(site):
    mx = right(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_secure_host_with_another_certificate_gets_nothing(site):
    wrong(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane", "tlsa-mismatch")


def test_secure_host_without_starttls_gets_nothing(site):
    site.host("mx1.secure", secured=False)
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane", "starttls-not-offered", "4.7.4")


def test_domain_that_is_its_own_host(site):
    """No MX, and that is proven."""
    mx = right(site, "direct.secure")
    site.mail("direct.secure").is_sent(mx, "dane", verdict="matched-dane")


def test_insecure_mx_and_secure_host_is_verified(site):
    mx = right(site, "mx1.secure")
    site.mx("plain", "mx1.secure")
    site.mail("plain").is_sent(mx, "dane-mx-insecure",
                               verdict="matched-dane")


def test_insecure_mx_and_secure_host_with_another_certificate(site):
    wrong(site, "mx1.secure")
    site.mx("plain", "mx1.secure")
    site.mail("plain").is_kept("dane-mx-insecure", "tlsa-mismatch")


def test_insecure_addresses_are_not_asked_about(site):
    """Servers of unsigned zones often fail such questions."""
    mx = wrong(site, "mx1.plain")
    site.mx("secure", "mx1.plain")
    site.mail("secure").is_sent(mx, OPEN)
    assert site.was_asked(site.owner("mx1.plain"), "TLSA") == 0


def test_insecure_addresses_whose_server_fails_such_questions(site):
    mx = site.host("mx1.plain")
    site.mx("secure", "mx1.plain")
    site.rule(site.owner("mx1.plain"), "TLSA", rcode="SERVFAIL")
    site.mail("secure").is_sent(mx, OPEN)


@pytest.mark.parametrize("host", [right, wrong])
def test_lookup_of_one_family_is_broken(site, host):
    """The addresses that are known are secure, so DANE applies."""
    mx = host(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.rule("mx1.secure", "AAAA", rcode="SERVFAIL")
    way = site.mail("secure")
    if host is right:
        way.is_sent(mx, "dane", verdict="matched-dane")
    else:
        way.is_kept("dane", "tlsa-mismatch")


# ---- TLSA records that cannot be had ----------------------------------------


def broken(site, zone: str):
    site.host(f"mx1.{zone}")
    site.tlsa(f"mx1.{zone}", "3 1 1")
    site.mx(zone, f"mx1.{zone}")


def is_untouched(site, zone: str, *options) -> None:
    """The host was not even connected to."""
    site.mail(zone, *options).is_kept(UNKNOWN)
    assert site.servers[f"mx1.{zone}"].sessions == []


def test_tlsa_servfail_makes_the_host_unusable(site):
    broken(site, "secure")
    site.rule(site.owner("mx1.secure"), "TLSA", rcode="SERVFAIL")
    is_untouched(site, "secure")


def test_tlsa_timeout_makes_the_host_unusable(site):
    broken(site, "secure")
    site.rule(site.owner("mx1.secure"), "TLSA", drop=True)
    is_untouched(site, "secure", "-O", "dns-timeout=5s")


def test_tlsa_bogus_makes_the_host_unusable(site):
    broken(site, "bogus")
    site.forge(site.owner("mx1.bogus"), "TLSA", "3 1 1 " + "00" * 32)
    is_untouched(site, "bogus")


def test_tlsa_denied_without_proof_makes_the_host_unusable(site):
    """Somebody on the way would like it to have none."""
    broken(site, "secure")
    site.rule(site.owner("mx1.secure"), "TLSA", rcode="NXDOMAIN")
    is_untouched(site, "secure")


def test_tlsa_replaced_on_the_way_makes_the_host_unusable(site):
    """By records without a signature."""
    broken(site, "secure")
    site.rule(site.owner("mx1.secure"), "TLSA", "3 1 1 " + "00" * 32)
    is_untouched(site, "secure")


def test_host_that_is_unusable_is_passed_over(site):
    right(site, "mx1.secure")
    mx2 = right(site, "mx2.secure")
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.rule(site.owner("mx1.secure"), "TLSA", rcode="SERVFAIL")
    site.mail("secure").is_sent(mx2, "dane", verdict="matched-dane")
    assert site.servers["mx1.secure"].sessions == []


def test_tlsa_securely_absent(site):
    mx = site.host("mx1.secure", site.private.issue("other.example"))
    site.mx("secure", "mx1.secure")
    way = site.mail("secure")
    way.is_sent(mx, OPEN)
    assert way.security["tlsa"]["result"] == "absent"
    assert way.security["addresses"] == "secure"


def test_tlsa_securely_absent_and_no_starttls(site):
    mx = site.host("mx1.secure", secured=False)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, OPEN, clear=True)


# ---- aliases ----------------------------------------------------------------


def test_alias_into_an_unsigned_zone(site):
    """Where it leads there is nothing to believe; at the name there is."""
    mx = site.host("mx.plain", site.private.issue("mx1.secure.example"))
    site.add("mx1.secure", "CNAME", "mx.plain.example.")
    site.tlsa("mx1.secure", "3 1 1", mx.tls.identity)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")
    assert mx.secured[0].sni == "mx1.secure.example"
    assert site.was_asked(site.owner("mx.plain"), "TLSA") == 0


def test_alias_into_an_unsigned_zone_and_another_certificate(site):
    mx = site.host("mx.plain")
    site.add("mx1.secure", "CNAME", "mx.plain.example.")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane", "tlsa-mismatch")
    assert mx.messages == []


def test_alias_into_an_unsigned_zone_without_records(site):
    mx = site.host("mx.plain")
    site.add("mx1.secure", "CNAME", "mx.plain.example.")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, OPEN)


def test_records_at_the_expanded_name(site):
    """SNI and the name of DANE-TA are those of where the records stand."""
    root = site.private
    mx = site.host("real.secure", root.issue("real.secure.example",
                                             with_root=True))
    site.add("mx1.secure", "CNAME", "real.secure.example.")
    site.tlsa("real.secure", "2 0 1", level=1)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")
    assert mx.secured[0].sni == "real.secure.example"


def test_records_at_the_expanded_name_win(site):
    """Those at the alias are not looked at then."""
    mx = right(site, "real.secure")
    site.add("mx1.secure", "CNAME", "real.secure.example.")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("x.example"))
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_records_at_the_alias_alone(site):
    mx = site.host("real.secure", site.private.issue("x.example"))
    site.add("mx1.secure", "CNAME", "real.secure.example.")
    site.tlsa("mx1.secure", "3 1 1", mx.tls.identity)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")
    assert mx.secured[0].sni == "mx1.secure.example"


# ---- which records count ----------------------------------------------------

# None of these can be used: TLS is needed, whoever the server is.
UNUSABLE = {
    "usage 0": ["0 0 1"], "usage 1": ["1 1 1"],
    "usages 0 and 1": ["0 0 1", "1 0 1"],
    "unknown usage": ["4 1 1"], "private usage": ["255 1 1"],
    "unknown selector": ["3 2 1"], "unknown matching type": ["3 1 3"],
    "all of it": ["0 0 1", "1 1 1", "7 0 1", "3 9 1", "3 1 200"],
}


def unusable(site, kinds, **how):
    mx = site.host("mx1.secure", site.private.issue("x.example"), **how)
    identity = site.ca.issue("mx1.secure.example")
    for kind in kinds:
        site.tlsa("mx1.secure", kind, identity)
    site.mx("secure", "mx1.secure")
    return mx


def test_usages_0_and_1_count_as_unusable(site):
    mx = unusable(site, UNUSABLE["usages 0 and 1"])
    site.mail("secure").is_sent(mx, "tlsa-unusable")


@pytest.mark.parametrize("kinds", UNUSABLE)
def test_unusable_records_ask_for_any_tls(site, kinds):
    mx = unusable(site, UNUSABLE[kinds])
    site.mail("secure").is_sent(mx, "tlsa-unusable")


def test_unusable_records_forbid_clear_text(site):
    unusable(site, UNUSABLE["all of it"], is_offered=False)
    site.mail("secure").is_kept("tlsa-unusable", "starttls-not-offered",
                                "4.7.4")


def test_record_that_is_no_digest_is_unusable(site):
    mx = site.host("mx1.secure")
    site.add(site.owner("mx1.secure"), "TLSA", "3 1 1 0011")
    site.add(site.owner("mx1.secure"), "TLSA", "2 0 0 3003020100")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "tlsa-unusable")


@pytest.mark.parametrize("kind", ["0 0 1", "3 2 1", "3 1 3", "9 1 1"])
def test_unusable_record_beside_one_that_fails(site, kind):
    """It makes nothing better."""
    wrong(site, "mx1.secure")
    site.tlsa("mx1.secure", kind)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane", "tlsa-mismatch")


@pytest.mark.parametrize("kind", ["3 0 0", "3 1 0", "3 0 1", "3 1 1",
                                  "3 0 2", "3 1 2"])
def test_dane_ee_in_all_its_forms(site, kind):
    mx = site.host("mx1.secure", site.private.issue("mx1.secure.example"))
    site.tlsa("mx1.secure", kind)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_dane_ee_ignores_names(site):
    mx = site.host("mx1.secure", site.private.issue("other.example"))
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
def test_dane_ee_ignores_expiry(site, days):
    mx = site.host("mx1.secure", site.ca.issue("mx1.secure.example",
                                               days=days))
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_dane_ee_of_a_self_signed_certificate(site, tmp_path):
    mx = site.host("mx1.secure", tlsca.self_signed(tmp_path))
    site.tlsa("mx1.secure", "3 0 1")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


# ---- DANE-TA ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["2 0 0", "2 1 0", "2 0 1", "2 1 1",
                                  "2 0 2"])
@pytest.mark.parametrize("level", [1, 2])
def test_dane_ta_of_a_private_authority(site, kind, level):
    """The root, or what stands between; the server is told its name."""
    below = site.private.authority()
    mx = site.host("mx1.secure", below.issue("mx1.secure.example",
                                             with_root=True))
    site.tlsa("mx1.secure", kind, level=level)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")
    assert mx.secured[0].sni == "mx1.secure.example"


def test_dane_ta_may_have_the_name_of_the_domain(site):
    """RFC 7672 3.2.2"""
    mx = site.host("mx1.secure", site.private.issue("secure.example",
                                                    with_root=True))
    site.tlsa("mx1.secure", "2 0 1", level=1)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


@pytest.mark.parametrize("what,fault", [
    ("name", "certificate-host-mismatch"), ("days", "certificate-expired"),
    ("issuer", "tlsa-mismatch"), ("missing", "tlsa-mismatch"),
    ("common name", "certificate-host-mismatch")])
def test_dane_ta_checks_the_chain_and_the_name(site, what, fault):
    name = "mx1.secure.example"
    root = site.private
    leaf = {
        "name": lambda: root.issue("mx2.secure.example", with_root=True),
        "days": lambda: root.issue(name, days=(-20, -10), with_root=True),
        "issuer": lambda: site.ca.issue(name, with_root=True),
        "missing": lambda: root.issue(name),    # the root is not sent
        "common name": lambda: root.issue(cn=name, with_root=True),
    }[what]()
    site.host("mx1.secure", leaf)
    site.tlsa("mx1.secure", "2 0 1", root.issue(name), level=1)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane", fault)


def test_certificate_is_chosen_by_the_base_domain(site):
    """A host with many names shows the one that the record is for."""
    right_one = site.private.issue("mx1.secure.example", with_root=True)
    mx = site.host("mx1.secure", site.ca.issue("other.example"),
                   by_name={"mx1.secure.example": right_one})
    site.tlsa("mx1.secure", "2 1 1", right_one, level=1)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


# ---- several records, several hosts -----------------------------------------


def test_one_record_fails_and_another_matches(site):
    mx = wrong(site, "mx1.secure")
    site.tlsa("mx1.secure", "2 1 1", site.private.issue("x.example"))
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    way = site.mail("secure")
    way.is_sent(mx, "dane", verdict="matched-dane")
    assert way.security["tlsa"]["used"] == 3


@pytest.mark.parametrize("shown", ["old", "new"])
def test_key_is_rolled_over(site, shown):
    """While both records are there, either key will do."""
    keys = {"old": site.private.issue("mx1.secure.example"),
            "new": site.private.issue("mx1.secure.example")}
    mx = site.host("mx1.secure", keys[shown])
    for key in keys.values():
        site.tlsa("mx1.secure", "3 1 1", key)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_key_is_rolled_over_too_early(site):
    """The new one is shown, and its record is not there yet."""
    wrong(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane", "tlsa-mismatch")


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_two_types_of_keys_of_which_one_has_a_record(site, kind):
    """Both are offered in the handshake; the agent cannot choose, and so a
    server needs records for both; with them either is fine."""
    pair = [site.private.issue("mx1.secure.example", key=k)
            for k in ("ec", "rsa")]
    shown = pair if kind == "ec" else pair[1]
    mx = site.host("mx1.secure", shown)
    for one in pair:
        site.tlsa("mx1.secure", "3 1 1", one)
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane", verdict="matched-dane")


def test_host_with_records_that_fail_and_host_without(site):
    """The first gets nothing; the second owes nothing."""
    mx1 = wrong(site, "mx1.secure")
    mx2 = site.host("mx2.secure", site.private.issue("x.example"))
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.mail("secure").is_sent(mx2, OPEN)
    assert mx1.messages == []


def test_host_with_records_without_starttls_and_host_in_clear(site):
    mx1 = site.host("mx1.secure", secured=False)
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("mx1.secure.example"))
    mx2 = site.host("mx2.secure", secured=False)
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.mail("secure").is_sent(mx2, OPEN, clear=True)
    assert not any(c.startswith("MAIL") for c in mx1.commands())


def test_host_without_records_comes_first(site):
    mx1 = site.host("mx1.secure", secured=False)
    wrong(site, "mx2.secure")
    site.mx("secure", "mx1.secure", "mx2.secure")
    site.mail("secure").is_sent(mx1, OPEN, clear=True)


# ---- forged answers about the way -------------------------------------------


def test_forged_mx_stops_the_mail(site):
    site.host("mx1.bogus")
    site.mx("bogus", "mx1.bogus")
    site.forge("bogus", "MX", "10 mx2.bogus.example.")
    way = site.mail("bogus")
    way.is_kept(code="4.4.3")


def test_forged_addresses_stop_the_mail(site):
    site.host("mx1.bogus")
    site.mx("bogus", "mx1.bogus")
    site.forge("mx1.bogus", "A", site.place())
    site.mail("bogus").is_kept(code="4.4.3")


# ---- levels -----------------------------------------------------------------


def test_dane_only_needs_records(site):
    site.configure("tls-level dane-only")
    site.host("mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_kept("dane-only-missing")


def test_dane_only_does_not_count_an_insecure_mx(site):
    site.configure("tls-level dane-only")
    right(site, "mx1.secure")
    site.mx("plain", "mx1.secure")
    site.mail("plain").is_kept("dane-only-missing")


def test_dane_only_does_not_count_an_insecure_mx_of_a_forced_name(site):
    """The postmaster vouches for the name, and not for whom its MX names."""
    site.configure("tls-level dane-only")
    right(site, "mx1.secure")
    site.mx("plain", "mx1.secure")
    site.mail("bogus", destination="plain.example").is_kept(
        "dane-only-missing")


def test_dane_only_with_records(site):
    site.configure("tls-level dane-only")
    mx = right(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane-only", verdict="matched-dane")


@pytest.mark.parametrize("level", ["none", "may", "encrypt"])
def test_levels_that_do_not_ask_for_records(site, level):
    site.configure(f"tls-level {level}")
    mx = wrong(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, level, clear=level == "none")
    assert site.was_asked(site.owner("mx1.secure"), "TLSA") == 0


def test_unsigned_world_is_not_asked_for_records(site):
    """Validation is off: as if nothing were signed."""
    mx = wrong(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure", "-O", "dns=off").is_sent(mx, OPEN)
    assert site.was_asked(site.owner("mx1.secure"), "TLSA") == 0


def test_validation_that_is_lost_keeps_the_mail(site):
    """It has worked here: nobody may switch it off from outside."""
    mx = right(site, "mx1.secure")
    site.mx("secure", "mx1.secure")
    site.mail("secure").is_sent(mx, "dane")
    site.names.rules["*"] = Rule(rcode="SERVFAIL")
    way = site.mail("secure")
    assert way.code.startswith("4.") and len(mx.messages) == 1


# ---- digests ----------------------------------------------------------------


@pytest.mark.parametrize("good,bad,goes", [("3 1 2", "3 1 1", True),
                                           ("3 1 1", "3 1 2", False)])
def test_strongest_digest_counts_alone(site, good, bad, goes):
    """RFC 7671 9: of those with the same usage and selector."""
    mx = right(site, "mx1.secure") if good == "3 1 1" else site.host(
        "mx1.secure")
    if good != "3 1 1":
        site.tlsa("mx1.secure", good)
    site.tlsa("mx1.secure", bad, site.ca.issue("mx1.secure.example"))
    site.mx("secure", "mx1.secure")
    way = site.mail("secure")
    if goes:
        way.is_sent(mx, "dane", verdict="matched-dane")
    else:
        way.is_kept("dane", "tlsa-mismatch")

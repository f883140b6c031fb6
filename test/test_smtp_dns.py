"""
Where smtp(8) takes mail, by what name servers say: sections "Mail exchangers"
and "This host" of its manual. The servers are those of names.py; mail hosts
are addresses in 127/8 with a port given, which is the postmaster's own word
(policy/target.h).
"""

import pytest

import names
from agentrun import wait_for
from badnames import Rule
from mailway import (AGAIN, DEFERRED, FAILED, INCONSISTENT, MODES, MX, REPORT,
                     SENT, X, got)
from names import address
from smtpcheck import settled

# ---- what the answer to the question for MX says ----------------------------

MX_ROWS = [
    (Rule(rcode="SERVFAIL"), "servfail", DEFERRED, REPORT,
     "466 (DNS: server failure: {})"),
    (Rule(rcode="REFUSED"), "refused", DEFERRED, REPORT,
     "466 (DNS: unsupported query: {})"),
    (Rule(rcode="NOTIMP"), "refused", DEFERRED, REPORT,
     "466 (DNS: unsupported query: {})"),
    (Rule(rcode="FORMERR"), "refused", DEFERRED, REPORT,
     "466 (DNS: unsupported query: {})"),
    (Rule(rcode="YXDOMAIN"), "rcode", DEFERRED, REPORT,
     "466 (DNS: unknown error, MX info unavailable: {})"),
    (Rule([MX], truncate=True, only_udp=True), "truncated", DEFERRED,
     "4.4.3 (DNS-failure)",
     "466 (DNS: answer was cut off, and TCP failed: {})"),
    (Rule([f"{X} MX 10 mx1.plain.example"], truncate=True, only_udp=True,
          keep=1), "truncated", DEFERRED, "4.4.3 (DNS-failure)",
     "466 (DNS: answer was cut off, and TCP failed: {})"),
    (Rule(rcode="NXDOMAIN"), "nxdomain", FAILED, "5.4.4 (DNS lookup report)",
     "500 (DNS: no such domain: {})"),
    (Rule([f"{X} MX 0 ."]), "null-mx", FAILED, "5.1.10 (null MX)",
     "556 (domain takes no mail: {})"),
    (Rule([f"{X} CNAME {X}"]), "alias-loop", FAILED,
     "5.4.3 (Recursive DNS CNAME)", "500 (DNS: Recursive CNAME on '{}')"),
    (Rule([f"{X} CNAME nowhere.example"]), "nxdomain", FAILED,
     "5.4.4 (DNS lookup report)", "500 (DNS: no such domain: {})"),
]


@pytest.mark.parametrize("row", MX_ROWS, ids=lambda r: r[1])
def test_answer_for_mx(mail, nameserver, row):
    rule, reason, word, status, text = row
    ns = nameserver({f"{X} MX": rule})
    way = mail(X, servers=ns.servers)
    way.is_told(word, status, text.format(X))
    assert way.reason == reason
    assert ns.count(X, "MX") >= 1 and ns.count(X, "A") == 0


TEMPORARY = [r for r in MX_ROWS if r[2] == DEFERRED]


@pytest.mark.parametrize("mode", ["trusted", "validate"])
def test_trouble_never_bounces_whoever_validates(mail, nameserver, mode):
    """What word it gets depends on the library; that it is kept does not."""
    rules = {f"t{i}.plain.example *": row[0]
             for i, row in enumerate(TEMPORARY)}
    ns = nameserver(rules)
    for i in range(len(TEMPORARY)):
        way = mail(f"t{i}.plain.example", mode=mode, servers=ns.servers,
                   again=True)
        r = way.report
        assert r.status == DEFERRED, (TEMPORARY[i], way.out.text)
        assert r.notary.code == "4.4.3" and r.notary.action == "delayed"
        settled(way.job, " ")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name,word,code", [
    ("nowhere.{}", FAILED, "5.4.4"), ("null.{}", FAILED, "5.1.10")])
@pytest.mark.parametrize("zone", ["secure", "plain"])
def test_end_of_the_way_whoever_validates(mail, mode, zone, name, word, code):
    name = name.format(f"{zone}.example")
    way = mail(name, mode=mode)
    assert (way.report.status, way.notary.code) == (word, code)
    settled(way.job, "-")


@pytest.mark.parametrize("rule", [
    Rule([MX], cut=20), Rule(raw=b"\xff" * 40), Rule([MX], wrong_id=True),
    Rule(drop=True)], ids=["cut", "rubbish", "wrong-id", "silent"])
def test_second_answer_is_as_good(mail, nameserver, hosts, rule):
    """Rubbish is not believed, and the question is asked again."""
    ns = nameserver({f"{X} MX": [rule, Rule([f"{X} MX 1 mx1.plain.example"])]})
    servers = hosts(1)
    way = mail(X, port=servers[1].port, servers=ns.servers)
    assert way.report.status == SENT and ns.count(X, "MX") == 2


@pytest.mark.parametrize("rule", [Rule(drop=True), Rule(rcode="SERVFAIL"),
                                  Rule(rcode="REFUSED"), None],
                         ids=["silent", "servfail", "refused", "dead"])
def test_second_name_server_is_as_good(mail, nameserver, hosts, world, rule):
    first = nameserver({"*": rule} if rule else {})
    if rule is None:
        first.stop()
    servers = hosts(1)
    way = mail("plain.example", port=servers[1].port,
               servers=f"{first.servers} {names.literal(world.nsd.place)}")
    assert way.report.status == SENT and got(servers) == [1]


@pytest.mark.parametrize("mode,delay", [("off", 1.2), ("validate", 0.6)])
def test_slow_answer_is_waited_for(mail, nameserver, hosts, mode, delay):
    """Longer than the first try waits."""
    x = "x.plain.example"
    ns = nameserver({f"{x} MX": Rule([f"{x} MX 1 mx1.plain.example"],
                                     delay=delay)})
    servers = hosts(1)
    way = mail(x, port=servers[1].port, mode=mode, servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [1]


def test_no_name_server_defers(mail, nameserver):
    dead = nameserver({})
    dead.stop()
    way = mail(X, servers=dead.servers)
    assert way.report.status == DEFERRED
    assert way.notary.status.startswith("4.4.3 ")


def test_silent_name_server_does_not_outlast_a_signal(office, smtp, world,
                                                      nameserver):
    ns = nameserver({"*": Rule(drop=True)})
    job = office.post([f"bob@{X}"], host=X)
    agent = smtp(None, *world.options("off", ns.servers))
    agent.feed(job, X)
    wait_for(lambda: f"udp {X} MX" in ns.asked, "the question")
    agent.signal("SIGTERM")
    assert agent.wait() == 0
    r = agent.pending().of(job)
    assert r.status in ("deferred", DEFERRED) and r.notary is None or \
        r.notary.code.startswith("4.")
    settled(job, " ")


# ---- the exchangers ---------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zone", ["secure", "plain"])
def test_best_exchanger_gets_the_mail(mail, hosts, mode, zone):
    servers = hosts(1, 2)
    way = mail(f"{zone}.example", port=servers[1].port, mode=mode)
    assert way.report.status == SENT and got(servers) == [1]
    assert way.tried == [(f"mx1.{zone}.example", address(1))]
    assert way.record["connection"]["host"] == f"mx1.{zone}.example"
    settled(way.job, "+")


@pytest.mark.parametrize("zone", ["bogus", "expired"])
def test_what_does_not_validate_defers(mail, hosts, zone):
    servers = hosts(1, 2)
    way = mail(f"{zone}.example", port=servers[1].port, mode="validate")
    way.is_told(DEFERRED, REPORT,
                f"466 (DNS: answer does not validate: {zone}.example)")
    assert way.reason == "bogus"
    # The resolver that looked says no more than that it failed.
    way = mail(f"{zone}.example", port=servers[1].port, mode="trusted")
    way.is_told(DEFERRED, REPORT, f"466 (DNS: server failure: {zone}.example)")
    assert got(servers) == []


def test_who_does_not_look_believes_all(mail, hosts):
    servers = hosts(1, 2)
    way = mail("bogus.example", port=servers[1].port)
    assert way.report.status == SENT and got(servers) == [2]


@pytest.mark.parametrize("rules", [
    {"secure.example MX": Rule(rcode="NXDOMAIN")},
    {"secure.example MX": Rule()},
    {"secure.example MX": Rule(["secure.example MX 0 ."])},
    {"secure.example MX": Rule(["secure.example MX 1 mx2.plain.example"])},
    {"secure.example MX": Rule(["secure.example CNAME plain.example"])},
    {"secure.example DS": Rule(), "secure.example MX":
     Rule(["secure.example MX 1 mx2.plain.example"])},
    {"mx1.secure.example A": Rule([f"mx1.secure.example A {address(2)}"]),
     "mx2.secure.example *": Rule(rcode="NXDOMAIN")},
    {"mx1.secure.example *": Rule(rcode="NXDOMAIN"),
     "mx2.secure.example *": Rule()}],
    ids=["nxdomain", "empty", "null", "mx", "cname", "stripped-ds", "address",
         "no-address"])
def test_forged_answer_about_a_signed_zone_defers(mail, nameserver, hosts,
                                                  rules):
    """Neither a bounce nor a detour can be forged."""
    ns = nameserver(rules)
    servers = hosts(1, 2)
    way = mail("secure.example", port=servers[1].port, mode="validate",
               servers=ns.servers)
    assert way.report.status == DEFERRED, way.out.text
    assert way.notary.code == "4.4.3" and got(servers) == []
    settled(way.job, " ")


def test_bogus_address_of_an_exchanger_defers(mail, nameserver, hosts):
    ns = nameserver({"x.plain.example MX":
                     Rule(["x.plain.example MX 10 mx1.bogus.example"])})
    servers = hosts(1, 2)
    way = mail("x.plain.example", port=servers[1].port, mode="validate",
               servers=ns.servers)
    way.is_told(DEFERRED, AGAIN, "466 (DNS: no address of an exchanger now: "
                "x.plain.example)")
    assert got(servers) == []


@pytest.mark.parametrize("case", [
    ("deadmx.plain.example", {}, "no-exchanger-address", FAILED,
     "5.4.4 (DNS lookup report)", "500 (DNS: no exchanger has an address: "
     "deadmx.plain.example)"),
    ("deadmx.plain.example", {"nowhere.plain.example A": "SERVFAIL"},
     "exchangers-again", DEFERRED, AGAIN,
     "466 (DNS: no address of an exchanger now: deadmx.plain.example)"),
    ("deadmx.plain.example", {"nowhere.plain.example AAAA": "SERVFAIL"},
     "exchangers-again", DEFERRED, AGAIN,
     "466 (DNS: no address of an exchanger now: deadmx.plain.example)"),
    ("text.plain.example", {}, "no-data", FAILED,
     "5.4.3 (dns lookup 'no data')",
     "500 (getaddrinfo<text.plain.example>: No data)"),
    ("text.plain.example", {"text.plain.example A": "SERVFAIL"},
     "address-again", DEFERRED, AGAIN,
     "466 (getaddrinfo<text.plain.example>: try later)"),
    ("text.plain.example", {"text.plain.example A": "NXDOMAIN",
                            "text.plain.example AAAA": "NXDOMAIN"},
     "no-name", DEFERRED, "4.4.4 (nameserver data inconsistency)",
     "466 (nameserver data inconsistency. No MX, no address: "
     "'text.plain.example' (NONAME))"),
    ("a_b.example", {"a_b.example MX": "NOERROR"}, "underscore", FAILED,
     INCONSISTENT, "500 (Hostname with illegal [to the DNS] underscore in "
     "it: 'a_b.example')"),
    ("a" * 64 + ".example", {}, "bad-name", DEFERRED, "4.4.3 (DNS-failure)",
     "466 (no DNS query can be made for host: " + "a" * 64 + ".example)"),
    ("wksno.plain.example", {}, "no-smtp-service", FAILED,
     "5.4.4 (WKS Checks: no SMTP reception capability registered)",
     "550 (WKS checks: no SMTP reception capability registered for host "
     "wksno.plain.example)"),
    ("wks.plain.example", {"wksyes.plain.example WKS": "SERVFAIL"},
     "exchangers-again", DEFERRED, AGAIN,
     "466 (DNS: no address of an exchanger now: wks.plain.example)"),
], ids=lambda c: c[2])
def test_no_address_to_go_to(mail, nameserver, case):
    domain, rules, reason, word, status, text = case
    ns = nameserver({k: Rule(rcode=v) for k, v in rules.items()})
    options = ["-W"] if domain.startswith("wks") else []
    way = mail(domain, *options, servers=ns.servers)
    way.is_told(word, status, text)
    assert way.reason == reason


@pytest.mark.parametrize("mode", MODES)
def test_silence_about_one_family_holds_up_nobody(mail, nameserver, hosts,
                                                  mode):
    """No answer about AAAA, ever, and an hour of patience."""
    ns = nameserver({"mx1.plain.example AAAA": Rule(drop=True)})
    servers = hosts(1, 2)
    way = mail("plain.example", "-O", "dns-timeout=1h", mode=mode,
               port=servers[1].port, servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [1]
    assert ns.count("mx1.plain.example", "AAAA") > 0


def test_good_exchanger_makes_up_for_failed_lookups(mail, nameserver, hosts):
    ns = nameserver({"mx1.plain.example *": Rule(rcode="SERVFAIL")})
    servers = hosts(1, 2)
    way = mail("plain.example", port=servers[1].port, servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [2]
    way = mail("halfdead.plain.example", port=servers[1].port)
    assert way.report.status == SENT and len(servers[2].messages) == 2


def test_null_exchanger_among_others_is_passed_over(mail, hosts):
    servers = hosts(2)
    way = mail("nullmixed.plain.example", port=servers[2].port)
    assert way.report.status == SENT and got(servers) == [2]


def test_no_exchangers_means_the_host_itself(mail, hosts):
    servers = hosts(5)
    way = mail("nomx.plain.example", port=servers[5].port)
    assert way.report.status == SENT and got(servers) == [5]
    assert way.tried == [("nomx.plain.example", address(5))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name,host", [
    ("chain1.plain.example", 1), ("mxalias.plain.example", 2),
    ("alias.secure.example", 1), ("away.secure.example", 4)])
def test_aliases_are_followed(mail, hosts, mode, name, host):
    """Of a domain, of an exchanger, of a host, out of a signed zone."""
    servers = hosts(1, 2, 3, 4)
    way = mail(name, port=servers[1].port, mode=mode)
    assert way.report.status == SENT and got(servers) == [host]


@pytest.mark.parametrize("name", ["round1", "self", "long1"])
def test_aliases_that_lead_nowhere(mail, name):
    way = mail(f"{name}.plain.example")
    way.is_told(FAILED, "5.4.3 (Recursive DNS CNAME)",
                f"500 (DNS: Recursive CNAME on '{name}.plain.example')")


@pytest.mark.parametrize("mode", ["trusted", "validate"])
@pytest.mark.parametrize("name", ["round1", "self"])
def test_circle_that_a_resolver_met_does_not_last(mail, mode, name):
    """It says no more than that it failed, and so the mail is kept."""
    way = mail(f"{name}.plain.example", mode=mode)
    assert way.report.status in (DEFERRED, FAILED)
    assert way.notary.code in ("4.4.3", "5.4.3")
    assert (way.report.status == FAILED) == (way.reason == "alias-loop")


# Both orders come: a fair coin shows one side alone in 34 throws once in 2^33.
THROWS = 34


def test_equal_exchangers_share_the_mail(mail, hosts):
    servers = hosts(3, 4)
    for _ in range(THROWS):
        way = mail("equal.plain.example", "-1", port=servers[3].port,
                   again=True)
        assert way.report.status == SENT and len(way.tried) == 1
    assert got(servers) == [3, 4]
    assert sum(len(s.messages) for s in servers.values()) == THROWS


def test_hosts_that_are_tried_are_bounded(mail):
    """Sixty exchangers, whose list comes over TCP; nobody is there."""
    _, port = names.free_place()
    way = mail("many.plain.example", port=port)
    assert way.report.status == DEFERRED
    assert way.notary.status.startswith("4.4.1 ")
    assert way.tried == [
        (f"number-{n}-of-many-with-a-long-name.plain.example",
         address(100 + n)) for n in range(1, 11)]
    way = mail("flat.plain.example", port=port)
    assert len(set(way.tried)) == len(way.tried) == 10
    # By chance, ten of sixty: the same ten as above once in 10^10.
    numbers = sorted(int(host.split("-")[1]) for host, _ in way.tried)
    assert numbers != list(range(1, 11))


@pytest.mark.parametrize("mode", MODES)
def test_long_list_comes_over_tcp(mail, nameserver, hosts, mode):
    servers = hosts(101)
    ns = nameserver({})
    way = mail("many.plain.example", port=servers[101].port, mode=mode,
               servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [101]
    assert "tcp many.plain.example MX" in ns.asked


# ---- this host --------------------------------------------------------------


@pytest.mark.parametrize("what,domain", [
    ("mx1.plain.example", "three"), ("MX1.Plain.Example", "three"),
    ("mx2.plain.example", "mxalias"), ("mxcname.plain.example", "mxalias"),
    ("[192.0.2.7]", "x"), ("10.1.2.3, 192.0.2.7", "x"),
    ("[IPv6:2001:db8::7]", "x"), ("192.0.2.1,2001:db8:0::7", "x")])
def test_best_exchanger_is_this_host(office, mail, nameserver, what, domain):
    """By name, address, or the name behind an alias; the port is 25."""
    office.set_zenv(SELFADDRESSES=what)
    domain += ".plain.example"
    ns = nameserver({domain + " MX": Rule([domain + " MX 1 mx.x.example",
                                           domain + " MX 2 mx9.x.example"]),
                     "mx.x.example A": Rule(["mx.x.example A 192.0.2.7"]),
                     "mx.x.example AAAA":
                     Rule(["mx.x.example AAAA 2001:db8::7"])}
                    if domain == "x.plain.example" else {})
    way = mail(domain, servers=ns.servers)
    way.is_told(FAILED, "5.4.6 (best MX is this host)", "500 (best MX is "
                f"this host but the domain is not local: {domain})")
    assert way.reason == "best-mx-is-self"


def test_host_that_is_this_one(office, mail):
    office.set_zenv(SELFADDRESSES="nomx.plain.example")
    way = mail("nomx.plain.example")
    way.is_told(FAILED, "5.4.6 (trying to talk with myself!)",
                "500 (Trying to talk with myself!)")


@pytest.mark.parametrize("where,status,text", [
    ("127.0.0.1", "trying to talk to loopback (=myself)!",
     "Trying to talk to loopback (=myself)!"),
    ("0.1.2.3", "trying to use invalid destination address",
     "Trying to use invalid destination network address!"),
    ("224.0.0.1", "trying to use invalid destination address",
     "Trying to use invalid destination network address!"),
    ("169.254.3.4", "trying to use link-local destination address",
     "Trying to use link-local destination address!")])
@pytest.mark.parametrize("has_mx", [True, False])
def test_names_must_not_lead_astray(mail, nameserver, where, status, text,
                                    has_mx):
    """To port 25 of the loopback network, or of what nobody can have."""
    rules = {f"{X} MX": Rule([f"{X} MX 10 {X}"] if has_mx else []),
             f"{X} A": Rule([f"{X} A {where}"]), f"{X} AAAA": Rule()}
    ns = nameserver(rules)
    way = mail(X, servers=ns.servers)
    way.is_told(FAILED, f"5.4.6 ({status})", f"500 ({text})")


# ---- what is said in the envelope -------------------------------------------


@pytest.mark.parametrize("domain,host", [
    ("alias", 1), ("chain1", 1), ("mxalias", 2)])
def test_aliases_are_not_rewritten(mail, hosts, domain, host):
    """RFC 5321 dropped what RFC 1123 5.2.2 wanted; nor is the host's alias."""
    servers = hosts(1, 2)
    way = mail(f"{domain}.plain.example", port=servers[1].port)
    assert way.report.status == SENT and got(servers) == [host]
    (message,) = servers[host].messages
    assert message.addresses == [f"bob@{domain}.plain.example"]

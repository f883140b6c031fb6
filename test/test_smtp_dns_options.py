"""
Where smtp(8) takes mail, by its options, by odd names and answers, and what it
tells of that; more of it is in test_smtp_dns.py.
"""

import collections

import pytest

import names
from badnames import Rule
from mailway import (AGAIN, DEFERRED, FAILED, INCONSISTENT, MODES, MX,
                     NO_ADDRESS, SENT, X, got)
from names import address
from smtpcheck import one_report_each, settled

# ---- options ----------------------------------------------------------------


def test_x_asks_for_no_exchanger(mail, nameserver, hosts):
    ns = nameserver({})
    servers = hosts(1, 5)
    way = mail("nomx.plain.example", "-x", port=servers[5].port,
               servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [5]
    way = mail("three.plain.example", "-x", servers=ns.servers)
    way.is_told(FAILED, INCONSISTENT, NO_ADDRESS.format("three.plain.example"))
    assert [x for x in ns.asked if x.endswith(" MX")] == []


@pytest.mark.parametrize("code,name", [
    ("NXDOMAIN", FAILED), ("SERVFAIL", DEFERRED), ("REFUSED", DEFERRED)])
def test_x_and_no_address(mail, nameserver, code, name):
    ns = nameserver({"*": Rule(rcode=code)})
    way = mail(X, "-x", servers=ns.servers)
    if name == FAILED:
        way.is_told(FAILED, INCONSISTENT, NO_ADDRESS.format(X))
    else:
        way.is_told(DEFERRED, AGAIN, f"466 (getaddrinfo<{X}>: try later)")


def test_x_allows_loopback_only_with_capital_x(mail):
    loopback = ("5.4.6 (trying to talk to loopback (=myself)!)",
                "500 (Trying to talk to loopback (=myself)!)")
    for options in (["-x"], ["-X"]):
        way = mail("nomx.plain.example", *options)
        way.is_told(FAILED, *loopback)
    way = mail("nomx.plain.example", "-x", "-X")
    assert way.tried == [("nomx.plain.example", address(5))]
    assert way.report.status == DEFERRED


@pytest.mark.parametrize("options", [[], ["-6"]])
def test_families_in_order(mail, smtpd, hosts, options):
    servers = hosts(9)
    six = smtpd(listen="::1", port=servers[9].port)
    way = mail("both.plain.example", *options, port=six.port)
    assert way.tried == [("both.plain.example",
                          "::1" if options else address(9))]
    assert bool(six.messages) == bool(options)


@pytest.mark.parametrize("options", [[], ["-6"]])
def test_family_that_is_down_does_not_matter(mail, smtpd, hosts, options):
    servers = hosts(9) if options else {}
    six = None if options else smtpd(listen="::1")
    way = mail("both.plain.example", *options,
               port=servers[9].port if options else six.port)
    assert way.report.status == SENT
    assert [a for _, a in way.tried] == \
        (["::1", address(9)] if options else [address(9), "::1"])


@pytest.mark.parametrize("options,domain,host", [
    (["-W"], "wks", 6), (["-W"], "wksmixed", 6), ([], "wksmixed", 7),
    ([], "wksno", 7), (["-W"], "nomx", 5)])
def test_well_known_services(mail, hosts, options, domain, host):
    servers = hosts(5, 6, 7)
    way = mail(f"{domain}.plain.example", *options, port=servers[5].port)
    assert way.report.status == SENT and got(servers) == [host]


@pytest.mark.parametrize("forced,host", [
    ("three.plain.example", 1), ("nomx.plain.example", 5),
    ("THREE.Plain.Example", 1)])
def test_forced_destination_is_a_name(mail, hosts, forced, host):
    servers = hosts(1, 5)
    way = mail("nowhere.example", "-F", forced, port=servers[1].port)
    assert way.report.status == SENT and got(servers) == [host]


def test_address_as_a_name_asks_nobody(mail, nameserver, hosts):
    ns = nameserver({})
    servers = hosts(3)
    way = mail(address(3), port=servers[3].port, servers=ns.servers)
    assert way.report.status == SENT and ns.asked == []


def test_international_names_are_asked_for_in_a_labels(mail, hosts):
    servers = hosts(4)
    for name in ("b\xfccher.plain.example", "B\xdcCHER.plain.example",
                 "xn--bcher-kva.plain.example"):
        way = mail(name, port=servers[4].port, again=True)
        assert way.report.status == SENT, way.out.text
    assert len(servers[4].messages) == 3


def test_hosts_file_is_the_truth_about_addresses(mail, hosts, tmp_path):
    path = tmp_path / "etc-hosts"
    path.write_text(f"{address(3)} printer.example printer\n"
                    f"{address(4)} MX1.plain.example  # not {address(1)}\n"
                    f"{address(3)} nomx.plain.example\n")
    servers = hosts(1, 3, 4, 5)
    for name, host in (("printer.example", 3), ("printer", 3),
                       ("nomx.plain.example", 3), ("plain.example", 4)):
        before = len(servers[host].messages)
        way = mail(name, port=servers[1].port, hosts=path, again=True)
        assert way.report.status == SENT, way.out.text
        assert len(servers[host].messages) == before + 1
    assert got(servers) == [3, 4]


@pytest.mark.parametrize("mode", MODES)
def test_time_for_names_is_bounded(mail, nameserver, mode):
    """Nobody answers: what has no answer by then is put off."""
    ns = nameserver({"*": Rule(drop=True)})
    way = mail(X, "-O", "dns-timeout=5s", mode=mode, servers=ns.servers)
    way.is_told(DEFERRED, "4.4.3 (DNS-failure)",
                f"466 (No DNS response for host: {X})")
    assert way.reason == "timeout" and ns.asked != []


# ---- hostile and odd answers ------------------------------------------------


def test_records_of_other_names_do_not_count(mail, nameserver, hosts):
    ns = nameserver({
        f"{X} MX": Rule([f"y.{X} MX 1 mx2.plain.example",
                         "example MX 1 mx2.plain.example",
                         f"{X} MX 10 mx.{X}", f"{X} A {address(2)}",
                         f"mx.{X} A {address(2)}"]),
        f"mx.{X} A": Rule([f"mx.{X} A {address(1)}", f"{X} A {address(2)}"]),
        f"mx.{X} AAAA": Rule()})
    servers = hosts(1, 2)
    way = mail(X, port=servers[1].port, servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [1]
    assert way.tried == [(f"mx.{X}", address(1))]


def test_addresses_of_a_host_are_bounded(mail, nameserver):
    ns = nameserver({f"{X} MX": Rule([MX]), f"mx.{X} AAAA": Rule(),
                     f"mx.{X} A": Rule([f"mx.{X} A {address(n)}"
                                        for n in range(1, 41)])})
    _, port = names.free_place()
    way = mail(X, port=port, servers=ns.servers)
    assert way.report.status == DEFERRED
    assert len(set(way.tried)) == len(way.tried) == 8


def test_three_hundred_exchangers(mail, nameserver, hosts):
    """More than are looked at; the best is the last in the answer."""
    ns = nameserver({f"{X} MX": Rule(
        [*(f"{X} MX {300 - n} m{n}.{X}" for n in range(299)),
         f"{X} MX 0 mx1.plain.example"], truncate=True)})
    servers = hosts(1)
    way = mail(X, port=servers[1].port, servers=ns.servers)
    assert way.report.status == SENT and got(servers) == [1]


@pytest.mark.parametrize("domain", ["x.invalid", "invalid", "a.onion",
                                    "localhost", "x.localhost"])
def test_names_that_never_leave_the_host(mail, nameserver, domain):
    ns = nameserver({"*": Rule([f"{domain} MX 1 mx1.plain.example"])})
    way = mail(domain, servers=ns.servers)
    assert way.report.status == FAILED, way.out.text
    assert way.notary.code == ("5.4.6" if "localhost" in domain else "5.4.4")
    assert ns.asked == []


def test_exchanger_that_is_called_localhost(mail, nameserver):
    ns = nameserver({f"{X} MX": Rule([f"{X} MX 10 localhost"])})
    way = mail(X, servers=ns.servers)
    assert way.report.status == FAILED and way.notary.code == "5.4.6"


@pytest.mark.parametrize("name", ["plain.example.", "PLAIN.Example"])
def test_name_with_a_dot_or_in_capitals(mail, hosts, name):
    servers = hosts(1)
    way = mail(name, port=servers[1].port)
    assert way.report.status == SENT, way.out.text


@pytest.mark.parametrize("rule,word", [
    (Rule(rcode="NXDOMAIN"), FAILED), (Rule([f"{X} MX 0 ."]), FAILED),
    (Rule(rcode="SERVFAIL"), None)])
def test_all_mail_for_a_domain_has_one_fate(office, smtp, world, nameserver,
                                            rule, word):
    """Each recipient of each message is told."""
    ns = nameserver({f"{X} MX": rule})
    jobs = [office.post([f"u{i}@{X}", f"v{i}@{X}"], host=X)
            for i in range(3)]
    agent = smtp(None, *world.options("off", ns.servers))
    for job in jobs:
        agent.feed(job, X)
    out = agent.collect(3)
    one_report_each(out, *jobs)
    if word == FAILED:
        assert out.statuses == [FAILED] * 6
    else:
        assert DEFERRED in out.statuses
        assert set(out.statuses) <= {DEFERRED, "deferred"}
    for job in jobs:
        settled(job, "--" if word == FAILED else "  ")


# ---- what is told -----------------------------------------------------------


@pytest.mark.parametrize("domain,key,numbers", [
    ("three", "mx1.plain.example", [1]),
    ("equal", "mx3.plain.example,mx4.plain.example", [3, 4]),
    ("chain1", "mx1.plain.example", [1]),
    ("mxalias", "mxcname.plain.example", [2]),
    ("halfdead", "nowhere.plain.example", [])])
def test_site_is_the_best_exchangers(mail, hosts, domain, key, numbers):
    servers = hosts(1, 2, 3, 4)
    site = mail(f"{domain}.plain.example", port=servers[1].port).record["site"]
    assert site["key"] == key
    assert set(site["addresses"]) == {address(n) for n in numbers}


def test_site_of_a_host_is_its_address(mail, hosts):
    servers = hosts(5)
    way = mail("nomx.plain.example", port=servers[5].port)
    assert way.record["site"]["addresses"] == [address(5)]
    assert address(5) in way.record["site"]["key"]


def test_site_does_not_depend_on_who_is_up(mail, hosts):
    servers = hosts(2, 3)
    keys = {mail(f"{d}.plain.example", port=servers[2].port).record["site"]
            ["key"] for d in ("three", "chain1", "chain5")}
    assert keys == {"mx1.plain.example"}
    assert mail("equal.plain.example", port=servers[2].port).record["site"][
        "key"] == "mx3.plain.example,mx4.plain.example"


def test_tried_list_has_names_and_addresses_in_order(mail, hosts):
    servers = hosts(3)
    way = mail("three.plain.example", port=servers[3].port)
    assert way.tried == [(f"mx{n}.plain.example", address(n))
                         for n in (1, 2, 3)]
    assert [t["result"] for t in way.record["tried"]] == \
        ["failed", "failed", "ready"]
    assert way.record["connection"]["host"] == "mx3.plain.example"
    assert way.record["destination"] == "three.plain.example"


def test_report_of_dead_hosts_names_one(mail):
    _, port = names.free_place()
    way = mail("three.plain.example", port=port)
    r = way.report
    assert (r.status, r.notary.code) == (DEFERRED, "4.4.1")
    assert r.notary.remote.startswith("dns; mx")
    assert "plain.example" in r.notary.diagnostic


# ---- validation that cannot work --------------------------------------------


def said(ways) -> list[str]:
    return [c for way in ways for c in way.comments if "DNSSEC" in c]


def test_validation_that_cannot_work_stops_no_mail(office, mail, nameserver,
                                                   hosts):
    """It never did: the mail goes, and a comment says why, once."""
    ns = nameserver({". DNSKEY": Rule()})
    servers = hosts(1)
    ways = [mail(d, port=servers[1].port, mode="validate",
                 servers=ns.servers, again=True)
            for d in ("plain.example", "three.plain.example")]
    assert [w.report.status for w in ways] == [SENT, SENT]
    (comment,) = said(ways)
    assert "no DNSSEC here: " in comment
    assert list(office.var.glob("dnssec-*")) == []


@pytest.mark.parametrize("mode", ["validate", "trusted"])
def test_loss_of_validation_is_told(mail, nameserver, world, hosts, mode):
    ns = nameserver({})
    ns.upstream = world.unbound.place
    servers = hosts(1)
    how = {"port": servers[1].port, "mode": mode, "servers": ns.servers}
    assert said([mail("plain.example", **how)]) == []
    ns.rules[". dnskey"] = Rule()
    way = mail("three.plain.example", **how)
    (comment,) = said([way])
    assert "no DNSSEC here any more: " in comment
    assert (way.report.status, way.reason) == (DEFERRED, "dnssec-lost")
    assert way.notary.status == "4.7.5 (TLS)"
    assert [t["result"] for t in way.record["tried"]] == ["failed"] * 3
    assert len(servers[1].sessions) == 1


@pytest.mark.parametrize("mode", ["validate", "trusted"])
def test_loss_of_validation_stops_only_what_needs_it(
        office, mail, nameserver, world, hosts, mode):
    """The postmaster may say that TLS need not be more than welcome."""
    ns = nameserver({})
    ns.upstream = world.unbound.place
    servers = hosts(1)
    how = {"port": servers[1].port, "mode": mode, "servers": ns.servers}
    assert mail("plain.example", **how).report.status == SENT
    ns.rules[". dnskey"] = Rule()
    literal = servers[1].destination
    assert mail("plain.example", "-F", literal, **how).report.status == SENT
    rules = office.base / "smtp-tls.conf"
    rules.write_text("tls-level may\n")
    way = mail("three.plain.example", "-S", rules, **how)
    assert len(said([way])) == 1
    assert way.report.status == SENT
    assert way.record["security"]["reason"] == "may"


def test_variables_say_the_same(office, smtp, world, hosts):
    """DNSMODE, DNSSERVERS, DNSANCHOR; and -O wins over them."""
    office.set_zenv(DNSMODE="validate", DNSANCHOR=world.anchor,
                    DNSSERVERS=names.literal(world.nsd.place))
    servers = hosts(1, 2)
    for options, word in (([], DEFERRED), (["-O", "dns=off"], SENT)):
        job = office.post(["bob@bogus.example"], host="bogus.example")
        agent = smtp(None, "-p", servers[1].port, "-O",
                     f"dns-hosts={world.hosts}", *options)
        assert agent.run(job, "bogus.example").report.status == word
    assert got(servers) == [2]
    assert len(list(office.var.glob("dnssec-*"))) == 1


@pytest.mark.parametrize("key", ["dns=maybe", "dns", "dns-servers=nowhere",
                                 "dns-servers=", "dns-anchor=relative",
                                 "dns-timeout=4s", "dns-timeout"])
def test_options_that_make_no_sense(office, world, key):
    with office.agent("smtp", "-O", key) as agent:
        assert agent.wait() == 64
        assert f"-O {key}" in agent.transcript


def test_that_validation_works_is_remembered(office, mail, hosts):
    servers = hosts(1)
    way = mail("plain.example", port=servers[1].port, mode="validate")
    assert way.report.status == SENT
    assert len(list(office.var.glob("dnssec-*"))) == 1


def test_literals_ask_nobody(office, mail, nameserver, hosts):
    ns = nameserver({})
    servers = hosts(1)
    way = mail("plain.example", "-F", servers[1].destination, mode="validate",
               servers=ns.servers)
    assert way.report.status == SENT and ns.asked == []
    assert list(office.var.glob("dnssec-*")) == []


def test_questions_are_few(mail, nameserver, hosts):
    """One message, one question of each kind; the next asks no more."""
    ns = nameserver({})
    servers = hosts(1)
    for _ in range(3):
        mail("three.plain.example", "-1", port=servers[1].port,
             mode="validate", servers=ns.servers, again=True)
    counted = collections.Counter(
        x.split(" ", 1)[1] for x in ns.asked if not x.endswith(" DNSKEY"))
    assert counted["three.plain.example MX"] == 1
    assert max(counted.values()) == 1, counted

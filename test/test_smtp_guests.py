"""
Option -e of smtp(8): recipients of other hosts whose best exchanger is the
host that the agent is connected to come along. The names are those of
names.py.
"""

import pytest

import attemptfile
import names
from badnames import Rule
from mailway import got
from names import address
from smtpcheck import one_report_each, settled
from smtpd import Do
from zpost import Group, Rcpt

PLAIN = "plain.example"


def rcpts(*hosts: str) -> list[Rcpt]:
    """u0, u1... at these names of plain.example; "" is the domain itself."""
    whole = [f"{h}.{PLAIN}" if h else PLAIN for h in hosts]
    return [Rcpt(f"u{i}@{h}", host=h) for i, h in enumerate(whole)]


@pytest.fixture
def agent(smtp, world):
    """agent(port, *options) speaks to names; with -e unless told otherwise."""

    def start(port, *options, servers=None, mode="off", e=("-e",)):
        return smtp(None, "-p", port, *e,
                    *world.options(mode, servers), *options)

    return start


def users(server) -> list[list[str]]:
    """Who is in each message."""
    return [[a.split("@")[0] for a in m.addresses] for m in server.messages]


def reported(out, job) -> list[int]:
    """Whose reports came, as numbers of recipients."""
    return [job.offsets.index(r.offset) for r in out.reports]


@pytest.mark.parametrize("mode", ["off", "validate"])
def test_domains_that_share_an_exchanger(office, agent, hosts, mode):
    """An alias and a domain that is its own host too, in the file's order."""
    servers = hosts(1)
    job = office.post(rcpts("", "three", "equal", "chain1", "mxalias", "mx1",
                            "", "null", "nowhere"))
    out = agent(servers[1].port, mode=mode).run(job, PLAIN)
    assert users(servers[1]) == [["u0", "u1", "u3", "u5", "u6"]]
    assert sorted(reported(out, job)) == [0, 1, 3, 5, 6]
    assert set(out.statuses) == {"ok3"}
    settled(job, "++ + ++  ")


def test_without_e_hosts_are_compared_as_text(office, agent, hosts):
    servers = hosts(1)
    job = office.post(rcpts("", "three"))
    out = agent(servers[1].port, e=()).run(job, PLAIN)
    assert reported(out, job) == [0]
    settled(job, "+ ")


def test_second_preference_is_no_reason(office, agent, hosts):
    """The second exchanger of both; but one has it as the first."""
    servers = hosts(2)
    job = office.post(rcpts("", "three", "halfdead", "mx2"))
    out = agent(servers[2].port).run(job, PLAIN)
    assert users(servers[2]) == [["u0", "u3"]]
    assert reported(out, job) == [0, 3]
    settled(job, "+  +")


@pytest.mark.parametrize("rule", [
    Rule(rcode="SERVFAIL"), Rule(rcode="REFUSED"), Rule(drop=True),
    Rule(rcode="NXDOMAIN"), Rule([f"x.{PLAIN} MX 0 ."]),
    Rule(raw=b"\xff" * 9)],
    ids=["servfail", "refused", "silent", "nxdomain", "null", "rubbish"])
def test_lookup_that_fails_takes_nobody(office, agent, hosts, nameserver,
                                        rule):
    """Nor does it keep others from coming along."""
    ns = nameserver({f"x.{PLAIN} MX": rule})
    servers = hosts(1)
    job = office.post(rcpts("", "x", "three"))
    out = agent(servers[1].port, "-O", "dns-timeout=5s",
                servers=ns.servers).run(job, PLAIN)
    assert users(servers[1]) == [["u0", "u2"]]
    assert reported(out, job) == [0, 2]
    settled(job, "+ +")


def test_domains_are_asked_for_once(office, agent, hosts, nameserver):
    ns = nameserver({})
    servers = hosts(1)
    first = agent(servers[1].port, servers=ns.servers)
    for _ in range(3):
        job = office.post(rcpts("", "three", "three", "equal"))
        assert sorted(reported(first.run(job, PLAIN), job)) == [0, 1, 2]
    assert len(servers[1].sessions) == 1
    assert ns.count(f"three.{PLAIN}", "MX") == 1
    assert ns.count(f"equal.{PLAIN}", "MX") == 1


def test_what_the_host_says_is_a_guests_result(office, agent, hosts):
    """A refusal for now ends its way, whoever else goes on to other hosts."""
    servers = hosts(1, 2, script={1: {
        f"RCPT:u0@{PLAIN}": "450 4.2.1 busy",
        f"RCPT:u1@three.{PLAIN}": "450 4.2.1 busy",
        f"RCPT:u2@three.{PLAIN}": "550 5.1.1 no such user"}, 2: {}})
    job = office.post(rcpts("", "three", "three", "three"))
    out = agent(servers[1].port).run(job, PLAIN)
    one_report_each(out, job)
    assert [out.of(job, i).status for i in range(4)] == \
        ["ok3", "deferred", "error2", "ok3"]
    assert out.of(job, 1).notary.remote.startswith(f"dns; mx1.{PLAIN}")
    assert (users(servers[1]), users(servers[2])) == ([["u3"]], [["u0"]])
    settled(job, "+ -+")


def test_guest_does_not_go_where_it_does_not_belong(office, agent, hosts):
    """The connection is lost twice: the next host is not the guest's."""
    servers = hosts(1, 2, script={1: {"MAIL": [Do(close="before")] * 9},
                                  2: {}})
    job = office.post(rcpts("", "three", ""))
    smtp = agent(servers[1].port)
    out = smtp.run(job, PLAIN)
    assert sorted(reported(out, job)) == [0, 2]
    assert users(servers[2]) == [["u0", "u2"]]
    settled(job, "+ +")
    out = smtp.run(job, f"three.{PLAIN}")       # it has been given back
    assert reported(out, job) == [1] and out.report.status == "ok3"
    settled(job, "+++")


def test_guest_is_kept_over_a_new_connection(office, agent, hosts):
    servers = hosts(1, script={1: {"MAIL": [Do(close="before")]}})
    job = office.post(rcpts("", "three"))
    out = agent(servers[1].port).run(job, PLAIN)
    one_report_each(out, job)
    assert users(servers[1]) == [["u0", "u1"]]
    settled(job, "++")


def test_host_that_cannot_be_spoken_to_has_no_guests(office, agent):
    _, port = names.free_place()
    job = office.post(rcpts("", "three"))
    out = agent(port).run(job, PLAIN)
    assert reported(out, job) == [0]
    assert out.report.status == "deferall"
    settled(job, "  ")


def test_refusal_that_needs_no_server_is_not_a_guests(office, agent, hosts):
    """The message is too large for this host, and perhaps not for others."""
    servers = hosts(1, keywords=["SIZE 10"])
    job = office.post(rcpts("", "three"))
    out = agent(servers[1].port).run(job, PLAIN)
    assert reported(out, job) == [0]
    assert servers[1].messages == [] and job.marks[1] == " "


def test_other_sender_or_header_is_another_transaction(office, agent, hosts):
    servers = hosts(1)
    job = office.post(groups=[
        Group(rcpts("", "three"), "alice@example.net", b"From: a@b\n"),
        Group(rcpts("three", "chain1"), "carol@example.net", b"From: c@b\n"),
        Group(rcpts("three"), "carol@example.net", b"From: d@b\n")])
    out = agent(servers[1].port).run(job, PLAIN)
    one_report_each(out, job)
    assert users(servers[1]) == [["u0", "u1"], ["u0", "u1"], ["u0"]]
    assert [m.sender for m in servers[1].messages] == \
        ["alice@example.net"] + ["carol@example.net"] * 2
    assert len(servers[1].sessions) == 1
    settled(job, "+++++")


def test_only_what_is_to_be_done_and_can_be_locked(office, agent, hosts):
    servers = hosts(1)
    three = f"three.{PLAIN}"
    job = office.post([
        Rcpt("yes@x", host=PLAIN), Rcpt("no1@x", host=three, tag="+"),
        Rcpt("no2@x", host=three, tag="~", slot="     1"),
        Rcpt("no3@x", host=three, channel="local"),
        Rcpt("a@b@", host=three), Rcpt("guest@x", host=three.upper()),
        Rcpt("no4@x", host=f"[{address(1)}]")])
    out = agent(servers[1].port).run(job, PLAIN)
    assert sorted(reported(out, job)) == [0, 5]
    assert users(servers[1]) == [["yes", "guest"]]
    assert job.marks == "++~  + "


def test_literal_and_forced_literal_have_no_guests(office, smtp, world, hosts):
    servers = hosts(1)
    job = office.post(rcpts("", "three"))
    out = smtp(servers[1], "-e", *world.options("off")).run(job, PLAIN)
    assert reported(out, job) == [0]
    settled(job, "+ ")


def test_no_exchangers_no_guests(office, agent, hosts):
    """-x: another name is another host."""
    servers = hosts(1)
    job = office.post(rcpts("mx1", "three"))
    out = agent(servers[1].port, "-x").run(job, f"mx1.{PLAIN}")
    assert reported(out, job) == [0]


def test_guests_without_number(office, agent, hosts):
    """More than go in one transaction, and more domains than are known."""
    servers = hosts(1)
    many = [Rcpt(f"g{i}@x", host=f"three.{PLAIN}") for i in range(250)]
    far = [Rcpt(f"n{i}@x", host=f"n{i}.{PLAIN}") for i in range(400)]
    job = office.post([*many[:100], *far, Rcpt("own@x", host=PLAIN),
                       *many[100:]])
    out = agent(servers[1].port).run(job, PLAIN)
    assert len(out.reports) == len({r.offset for r in out.reports}) == 251
    assert [len(m.addresses) for m in servers[1].messages] == [100, 100, 51]
    settled(job, "+" * 100 + " " * 400 + "+" * 151)


def test_signal_leaves_nothing_locked(office, agent, hosts):
    servers = hosts(1, script={1: {"DATA": Do(silent=True)}})
    job = office.post(rcpts("", "three", "equal"))
    smtp = agent(servers[1].port)
    smtp.feed(job, PLAIN)
    servers[1].wait_for(lambda: "DATA" in str(servers[1].transcript), "DATA")
    smtp.signal("SIGTERM")
    assert smtp.wait() == 0
    settled(job, "   ")


def test_guest_that_is_fed_behind_has_nothing_left(office, agent, hosts):
    servers = hosts(1)
    job = office.post(rcpts("", "three"))
    smtp = agent(servers[1].port)
    smtp.feed(job, PLAIN)
    smtp.feed(job, f"three.{PLAIN}")
    out = smtp.collect(2)
    one_report_each(out, job)
    assert any(line.startswith("#resync") for line in out.lines), out.text
    assert users(servers[1]) == [["u0", "u1"]]


def test_record_names_guests(office, agent, hosts):
    path = office.base / "attempts"
    servers = hosts(1)
    job = office.post(rcpts("", "three"))
    agent(servers[1].port, "-O", f"attempts={path}").run(job, PLAIN)
    record = attemptfile.parse(path.read_bytes().splitlines()[-1])
    assert [r["user"] for r in record["recipients"]] == \
        [f"u0@{PLAIN}", f"u1@three.{PLAIN}"]
    assert got(servers) == [1]

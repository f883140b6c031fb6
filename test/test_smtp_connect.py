"""
How smtp(8) gets to a host: which comes next when one will not do, races in
the manner of RFC 8305, and where its connections come from. On 127/8 with a
port given and, where namespaces can be had, between two hosts on port 25.
"""

import collections
import socket
import subprocess

import pytest

import attemptfile
import names
from agentrun import wait_for
from badnames import Rule
from names import address
from netns import Net
from smtpcheck import one_report_each, open_files, settled
from smtpd import Do

FAILED, SENT = "error2", "ok3"
DOMAIN = "three.plain.example"      # MX 10 mx1, 20 mx2, 30 mx3
EQUAL = "equal.plain.example"       # MX 10 mx3, 10 mx4
# One side of a fair coin alone comes once in 2^33.
THROWS = 34


class Sent:
    """A message that was sent, or not, and its attempt records."""

    def __init__(self, out, job, records):
        self.out, self.job, self.records = out, job, records
        self.report = out.report
        self.tried = [t["address"] for r in records for t in r["tried"]]
        self.results = [t["result"] for r in records for t in r["tried"]]


class Sender:
    def __init__(self, agent, office, path):
        self.agent, self.office, self.path = agent, office, path
        self.seen = 0

    def feed(self, domain: str):
        job = self.office.post([f"bob@{domain}"], host=domain)
        self.agent.feed(job, domain)
        return job

    def collect(self, job) -> Sent:
        out = self.agent.collect()
        one_report_each(out, job)
        lines = self.path.read_bytes().splitlines()
        new, self.seen = lines[self.seen:], len(lines)
        return Sent(out, job, [attemptfile.parse(x) for x in new])

    def send(self, domain: str) -> Sent:
        return self.collect(self.feed(domain))


@pytest.fixture
def sender(office, smtp, world):
    """sender(*options) is an agent that knows the world's names."""

    def start(*options, dns=None, **how) -> Sender:
        path = office.base / "attempts"
        agent = smtp(None, *(world.options("off") if dns is None else dns),
                     "-O", f"attempts={path}", *options, **how)
        return Sender(agent, office, path)

    return start


def got(servers: dict) -> list[int]:
    return [n for n, server in servers.items() if server.messages]


def peers(server) -> list[str]:
    """Whom the connections came from."""
    return [s.transport.get_extra_info("peername")[0]
            for s in server.sessions]


# ---- a host that will not do ------------------------------------------------

GREY = "450 4.7.1 greylisted, come back in 300 seconds"


@pytest.mark.parametrize("event,what", [
    ("MAIL", "450 4.3.2 busy"), ("MAIL", "421 4.3.2 shutting down"),
    ("RCPT", "451 4.3.0 broken"), ("DATA", "451 4.3.0 broken"),
    (".", "452 4.3.1 disk full"), ("connect", "421 4.3.2 later"),
    ("connect", "450 later"), ("connect", "554 5.3.2 no"),
    ("connect", "521 5.3.2 no mail here"), ("HELO", "421 4.3.2 later"),
    ("connect", Do(close="before")), ("MAIL", Do(close="before")),
    ("connect", Do(raw=b"what?\r\n"))], ids=lambda x: str(x)[:12])
def test_next_host_takes_it(sender, hosts, event, what):
    script = {event: [what] * 9}
    if event == "HELO":         # which is asked where EHLO failed
        script["EHLO"] = [what] * 9
    servers = hosts(1, 2, script={1: script, 2: {}})
    servers[1].allow |= {"no-quit"}
    sent = sender("-p", servers[1].port).send(DOMAIN)
    assert sent.report.status == SENT, sent.out.text
    assert got(servers) == [2]
    assert len(servers[2].sessions) == 1
    assert sent.tried[0] == address(1) and sent.tried[-1] == address(2)
    settled(sent.job, "+")


def test_refusal_for_good_is_the_last_word(sender, hosts):
    servers = hosts(1, 2, script={1: {"RCPT": "550 5.1.1 no such user"},
                                  2: {}})
    sent = sender("-p", servers[1].port).send(DOMAIN)
    assert sent.report.status == FAILED and servers[2].sessions == []
    settled(sent.job, "-")


def test_greylisting_waits_for_the_same_host(sender, hosts):
    servers = hosts(1, 2, script={1: {"RCPT": [GREY]}, 2: {}})
    s = sender("-p", servers[1].port)
    sent = s.send(DOMAIN)
    assert sent.report.status not in (SENT, FAILED)
    assert servers[2].sessions == []
    settled(sent.job, " ")
    sent = s.send(DOMAIN)
    assert sent.report.status == SENT and got(servers) == [1]


def test_hosts_that_are_asked_are_bounded(sender, hosts):
    """Each says that it has no room; three are asked in one attempt."""
    numbers = range(101, 107)
    servers = hosts(*numbers, script={"MAIL": ["452 4.3.1 disk full"] * 9})
    sent = sender("-p", servers[101].port).send("many.plain.example")
    assert sent.report.status not in (SENT, FAILED)
    assert [n for n in numbers if servers[n].sessions] == [101, 102, 103]
    settled(sent.job, " ")


@pytest.mark.parametrize("last", [
    Do(close="before"), Do(close="reset")], ids=["closed", "reset"])
def test_lost_final_reply_goes_to_no_other_host(sender, hosts, last):
    servers = hosts(1, 2, script={1: {".": last}, 2: {}})
    servers[1].allow |= {"no-quit"}
    sent = sender("-p", servers[1].port).send(DOMAIN)
    assert sent.report.status == "deferback", sent.out.text
    assert servers[2].sessions == []
    assert len(servers[1].attempts) == 1
    settled(sent.job, " ")


def test_final_reply_lost_after_a_detour_goes_no_further(sender, hosts):
    servers = hosts(1, 2, 3, script={1: {"MAIL": "450 4.3.2 busy"},
                                     2: {".": Do(close="before")}, 3: {}})
    servers[2].allow |= {"no-quit"}
    sent = sender("-p", servers[1].port).send(DOMAIN)
    assert sent.report.status == "deferback", sent.out.text
    assert servers[3].sessions == [] and len(servers[2].attempts) == 1


@pytest.mark.parametrize("codes,word", [
    (["554"] * 3, None), (["521"] * 3, FAILED), (["556"] * 3, FAILED),
    (["521", "556", "521"], FAILED), (["521", "554", "521"], None),
    (["521", "421", "521"], None), (["521", "", "521"], None)], ids=str)
def test_greeting_is_the_hosts_trouble(sender, hosts, codes, word):
    """Not the mail's; unless all say that they take none (RFC 7504)."""
    up = [n for n in (1, 2, 3) if codes[n - 1]]
    servers = hosts(*up, script={
        n: {"connect": codes[n - 1] + " no"} for n in up})
    for server in servers.values():
        server.allow |= {"no-quit"}
    sent = sender("-p", servers[1].port).send(DOMAIN)
    if word == FAILED:
        assert sent.report.status == FAILED, sent.out.text
        settled(sent.job, "-")
    else:
        assert sent.report.status not in (SENT, FAILED), sent.out.text
        settled(sent.job, " ")
    assert all(len(s.sessions) == 1 for s in servers.values())


def test_address_that_refuses_is_passed_over_at_once(sender, hosts):
    servers = hosts(3)
    sent = sender("-p", servers[3].port).send(DOMAIN)
    assert sent.report.status == SENT
    assert sent.tried == [address(1), address(2), address(3)]
    assert sent.results == ["failed", "failed", "ready"]


def test_all_refuse(sender):
    _, port = names.free_place()
    sent = sender("-p", port).send(DOMAIN)
    assert sent.report.status == "deferall"
    assert sent.report.notary.code == "4.4.1"
    assert sent.tried == [address(1), address(2), address(3)]


def test_host_that_says_nothing(sender, hosts):
    """Not at connecting, and not to MAIL; the next one has it in the end."""
    servers = hosts(1, 2, script={1: {"connect": Do(silent=True)}, 2: {}})
    servers[1].allow |= {"no-quit"}
    sent = sender("-p", servers[1].port, "-T", "cmd=5s").send(DOMAIN)
    assert sent.report.status == SENT and got(servers) == [2]
    assert sent.tried == [address(1), address(2)]


# ---- races ------------------------------------------------------------------


class FullBacklog:
    """Listens and accepts nobody: what comes now is dropped, not refused."""

    def __init__(self, host: str, port: int):
        self.sockets = [socket.socket()]
        self.sockets[0].bind((host, port))
        self.sockets[0].listen(0)
        for _ in range(3):
            s = socket.socket()
            self.sockets.append(s)
            s.setblocking(False)
            s.connect_ex((host, port))

    def __enter__(self) -> "FullBacklog":
        return self

    def __exit__(self, *exc) -> None:
        for s in self.sockets:
            s.close()


def test_race_within_a_level_leaves_a_black_hole_behind(sender, hosts):
    """And it is remembered: later mail does not wait there again."""
    servers = hosts(4)
    port = servers[4].port
    with FullBacklog(address(3), port):
        s = sender("-p", port, "-1")
        results = []
        for _ in range(THROWS):
            sent = s.send(EQUAL)
            assert sent.report.status == SENT, sent.out.text
            results += [r for a, r in zip(sent.tried, sent.results)
                        if a == address(3)]
        # That it was never begun has the chance of all throws on one side.
        assert results == ["overtaken"]
    assert len(servers[4].messages) == THROWS


def test_refusing_host_is_remembered(sender, hosts):
    servers = hosts(4)
    s = sender("-p", servers[4].port, "-1")
    tried = [s.send(EQUAL).tried for _ in range(THROWS)]
    assert tried.count([address(3), address(4)]) == 1
    assert tried.count([address(4)]) == THROWS - 1


def test_black_hole_of_a_better_level_has_its_time(sender, hosts):
    """Preference comes before speed: the race is within one level."""
    servers = hosts(2)
    with FullBacklog(address(1), servers[2].port):
        s = sender("-p", servers[2].port, "-T", "conn=10s")
        sent = s.send(DOMAIN)
        assert sent.report.status == SENT
        assert sent.tried == [address(1), address(2)]
        first = sent.records[0]["tried"][0]
        assert first["result"] == "failed" and first["ms"] >= 9000


def test_signal_ends_waiting_for_a_black_hole(sender):
    _, port = names.free_place()
    with FullBacklog(address(1), port), FullBacklog(address(2), port), \
            FullBacklog(address(3), port):
        s = sender("-p", port)
        job = s.feed(DOMAIN)
        wait_for(lambda: is_connecting(s.agent.pid), "a connection begun")
        s.agent.signal("SIGTERM")
        assert s.agent.wait() == 0
    r = s.agent.pending().of(job)
    assert r.status in ("deferred", "deferall")
    settled(job, " ")


def is_connecting(pid: int) -> bool:
    """Has the process a TCP socket whose SYN is not answered?"""
    mine = set(open_files(pid))
    with open(f"/proc/{pid}/net/tcp") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return any(row[3] == "02" and f"socket:[{row[9]}]" in mine
               for row in rows)


def test_open_connection_needs_no_name(sender, hosts, nameserver, world):
    ns = nameserver({})
    servers = hosts(1)
    s = sender("-p", servers[1].port, dns=world.options("off", ns.servers))
    for _ in range(4):
        assert s.send(DOMAIN).report.status == SENT
    assert len(servers[1].sessions) == 1
    assert ns.count(DOMAIN, "MX") == 1


# ---- where connections come from --------------------------------------------


@pytest.mark.parametrize("options,bindaddr,seen", [
    (["-L", "[127.0.0.9]"], None, "127.0.0.9"),
    ([], "[127.0.0.10]", "127.0.0.10"),
    (["-L", "[127.0.0.9]"], "[127.0.0.10]", "127.0.0.9"),
    (["-L", "any"], "[127.0.0.10]", "127.0.0.1"),
    (["-L", "iface:lo"], "[127.0.0.10]", "127.0.0.1"),
    (["-L", "localhost"], "[127.0.0.10]", "127.0.0.1"),
    (["-L", "IFACE:v4:LO"], "[127.0.0.10]", "127.0.0.1"),
    (["-L", "any6"], None, "127.0.0.1"),
    (["-L", "[IPv6:::1]"], None, "127.0.0.1"),
    (["-L", "iface:v6:lo"], None, "127.0.0.1")])
@pytest.mark.parametrize("by_name", [True, False])
def test_own_end(office, sender, hosts, options, bindaddr, seen, by_name):
    """A form of the other family says nothing about this one."""
    office.set_zenv(BINDADDR=bindaddr)
    servers = hosts(1)
    if not by_name:
        options = ["-F", servers[1].destination, *options]
    sent = sender("-p", servers[1].port, *options).send(DOMAIN)
    assert sent.report.status == SENT, sent.out.text
    assert peers(servers[1]) == [seen]


@pytest.mark.parametrize("option", ["[IPv6:::1]", "any6", "iface:v6:lo",
                                    "[127.0.0.9]", "localhost"])
def test_own_end_over_ipv6(sender, smtpd, option):
    six = smtpd(listen="::1")
    sent = sender("-F", six.destination, "-L", option).send(DOMAIN)
    assert sent.report.status == SENT, sent.out.text
    assert peers(six) == ["::1"]


HOSTS = ["/usr/bin/unshare", "--mount", "sh", "-c",
         'mount --bind "$0" /etc/hosts && exec "$@"']


def test_own_end_by_name(sender, hosts, world, tmp_path):
    """With an /etc/hosts of its own, which only root can give it."""
    path = tmp_path / "etc-hosts"
    path.write_text("127.0.0.33 out.example\n::1 out.example\n"
                    "127.0.0.1 localhost\n")
    wrapper = [*HOSTS, path]
    if subprocess.run([*wrapper, "true"], stderr=subprocess.DEVNULL,
                      timeout=20).returncode != 0:
        pytest.skip("only root can mount")
    servers = hosts(1)
    dns = ["-O", "dns=off", "-O",
           f"dns-servers={names.literal(world.nsd.place)}"]
    sent = sender("-p", servers[1].port, "-L", "out.example", dns=dns,
                  wrapper=wrapper).send(DOMAIN)
    assert sent.report.status == SENT, sent.out.text
    assert peers(servers[1]) == ["127.0.0.33"]


@pytest.mark.parametrize("option", ["[192.0.2.77]", "iface:nothere0",
                                    "nowhere.plain.example"])
def test_own_end_that_cannot_be_had_defers(sender, hosts, option):
    """It is our own trouble, and nothing is wrong with the mail."""
    servers = hosts(1)
    sent = sender("-p", servers[1].port, "-L", option).send(DOMAIN)
    assert sent.report.status not in (SENT, FAILED)
    assert sent.report.notary is None or \
        sent.report.notary.code.startswith("4.")
    assert servers[1].sessions == []
    settled(sent.job, " ")


def test_pool_has_one_source_for_a_destination(sender, hosts, world,
                                               tmp_path):
    """Another agent, and the same pool in another order, choose alike."""
    servers = hosts(1)
    domains = [f"d{i}.example" for i in range(24)]
    path = tmp_path / "etc-hosts"
    path.write_text("".join(f"{address(1)} {d}\n" for d in domains))
    dns = world.options("off", hosts=path)
    chosen = []
    for pool in ("127.0.0.21,127.0.0.22,127.0.0.23",
                 "127.0.0.23,[127.0.0.21],127.0.0.22"):
        s = sender("-p", servers[1].port, "-x", "-O", f"source={pool}",
                   dns=dns)
        before = len(servers[1].sessions)
        for d in domains:
            assert s.send(d).report.status == SENT
        chosen.append(peers(servers[1])[before:])
        assert s.agent.stop() == 0
    assert len(chosen[0]) == len(domains) and chosen[0] == chosen[1]
    assert set(chosen[0]) == {f"127.0.0.{n}" for n in (21, 22, 23)}


# ---- two hosts on a wire, port 25 -------------------------------------------


class Wire:
    """A Net whose far host also answers questions; see wire()."""

    def __init__(self, net: Net, sender, tmp_path):
        self.net, self.sender, self.path = net, sender, tmp_path / "no-hosts"
        self.path.write_text("")

    def start(self, rules: dict, *options) -> Sender:
        """rules: "NAME TYPE" to a list of rdata."""
        ns = self.net.nameserver({
            key: Rule([f"{key} {rdata}" for rdata in rdata_list])
            for key, rdata_list in rules.items()})
        resolv = self.path.with_name("resolv.conf")
        resolv.write_text(f"nameserver {ns.place[0]}\n")
        dns = ["-O", "dns=off", "-O", f"dns-resolv={resolv}",
               "-O", f"dns-hosts={self.path}"]
        return self.sender(*options, dns=dns, wrapper=self.net.wrapper)


@pytest.fixture
def wire(sender, tmp_path):
    with Net() as net:
        yield Wire(net, sender, tmp_path)


def addresses(rules: dict, **hosts) -> dict:
    """Adds what each host of x.example has; whatever it has not is empty."""
    for host, found in hosts.items():
        host += ".x.example"
        rules[f"{host} A"] = [a for a in found if ":" not in a]
        rules[f"{host} AAAA"] = [a for a in found if ":" in a]
    return rules


LEVELS = ["10 a.x.example", "20 b.x.example", "30 c.x.example"]


def test_hosts_on_port_25(wire):
    far = wire.net.far
    one, two = wire.net.server(3), wire.net.server(4)
    s = wire.start(addresses({"x.example MX": LEVELS},
                             a=[far(9)], b=[far(3)], c=[far(4)]))
    sent = s.send("x.example")
    assert sent.report.status == SENT, sent.out.text
    assert sent.tried == [far(9), far(3)]
    assert len(one.messages) == 1 and two.sessions == []
    assert peers(one) == ["10.99.0.1"]


@pytest.mark.parametrize("own,where", [
    (None, "10.99.0.1"), (None, "fd99::1"), ("B.X.Example", "10.99.0.8"),
    ("[10.99.0.8]", "10.99.0.8"), ("[IPv6:fd99:0::8]", "fd99::8")])
def test_hosts_behind_this_one_are_not_asked(office, wire, own, where):
    """The second is us; the third, though it is up, is no better."""
    office.set_zenv(SELFADDRESSES=own)
    far = wire.net.far
    third = wire.net.server(4)
    s = wire.start(addresses({"x.example MX": LEVELS}, a=[far(9)], b=[where],
                             c=[far(4)]))
    sent = s.send("x.example")
    assert sent.report.status == "deferall", sent.out.text
    assert sent.tried == [far(9)] and third.sessions == []


def test_best_exchanger_is_our_interface(wire):
    s = wire.start(addresses({"x.example MX": LEVELS}, a=["10.99.0.1"],
                             b=[wire.net.far(3)], c=[]))
    sent = s.send("x.example")
    assert sent.report.status == FAILED
    assert sent.job.d_lines[0].notary.status == "5.4.6 (best MX is this host)"
    assert sent.tried == []


@pytest.mark.parametrize("options", [[], ["-6"]])
def test_family_that_is_a_black_hole(wire, options):
    """Three addresses of it, and the other family wins the race."""
    net = wire.net
    bad = net.hole6 if options else net.hole
    good = net.server(5, v6=not options)
    holes = [bad(n) for n in (1, 2, 3)]
    s = wire.start(addresses({"x.example MX": LEVELS[:1]},
                             a=[*holes, good.listen]), *options)
    sent = s.send("x.example")
    assert sent.report.status == SENT, sent.out.text
    assert set(sent.tried) & set(holes) and good.listen in sent.tried
    assert len(good.messages) == 1


def test_silent_addresses_in_a_level_do_not_stop_it(wire):
    net = wire.net
    good = net.server(5)
    s = wire.start(addresses(
        {"x.example MX": ["10 a.x.example", "10 b.x.example",
                          "10 c.x.example", "20 d.x.example"]},
        a=[net.hole(1)], b=[net.hole(2), net.barred(1)], c=[good.listen],
        d=[net.far(9)]), "-1")
    tried = collections.Counter()
    for _ in range(THROWS):
        sent = s.send("x.example")
        assert sent.report.status == SENT, sent.out.text
        tried.update(sent.tried)
    assert len(good.messages) == tried.pop(good.listen) == THROWS
    assert set(tried) <= {net.hole(1), net.hole(2), net.barred(1)}
    # Once is remembered.
    assert set(tried.values()) == {1}


def test_no_way_at_all(wire):
    net = wire.net
    s = wire.start(addresses({"x.example MX": LEVELS}, a=[net.barred(1)],
                             b=[net.far(9)], c=[net.barred(2)]))
    sent = s.send("x.example")
    assert sent.report.status == "deferall"
    assert sent.report.notary.code == "4.4.1"
    assert sent.tried == [net.barred(1), net.far(9), net.barred(2)]
    settled(sent.job, " ")


SIX = ("550 5.7.1 [fd99::1] This message does not meet IPv6 sending\n"
       "5.7.1 guidelines regarding PTR records")


def both_families(wire, refusal: dict, of_four=None):
    """A host that refuses over IPv6; (sent, IPv6 server, IPv4 server)."""
    net = wire.net
    six = net.server(5, v6=True, script=refusal)
    four = net.server(6, script=of_four)
    s = wire.start(addresses({"x.example MX": LEVELS[:1]},
                             a=[six.listen, four.listen]), "-6")
    return s.send("x.example"), six, four


@pytest.mark.parametrize("event", ["MAIL", "RCPT", "."])
def test_policy_refusal_over_ipv6_is_tried_over_ipv4(wire, event):
    sent, six, four = both_families(wire, {event: SIX})
    assert sent.report.status == SENT, sent.out.text
    assert len(six.sessions) == 1 and len(four.messages) == 1
    settled(sent.job, "+")


def test_policy_refusal_over_both_families_is_one(wire):
    sent, six, four = both_families(wire, {"MAIL": SIX}, {"MAIL": SIX})
    assert sent.report.status == FAILED, sent.out.text
    assert len(six.sessions) == len(four.sessions) == 1
    settled(sent.job, "-")


def test_any_other_refusal_over_ipv6_is_the_last_word(wire):
    sent, six, four = both_families(wire, {"RCPT": "550 5.1.1 no such user"})
    assert sent.report.status == FAILED and four.sessions == []
    settled(sent.job, "-")

"""
The name servers of names.py do what their text says; nothing of ours is asked.
"""

import errno
import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest

import names
from badnames import Nameserver, Rule
from names import address, ask
from netns import Net
from zpost import ROOT, wait_for

dns = pytest.importorskip("dns")


def rcode(m) -> str:
    return dns.rcode.to_text(m.rcode())


def has_ad(m) -> bool:
    return bool(m.flags & dns.flags.AD)


def is_cut(m) -> bool:
    return bool(m.flags & dns.flags.TC)


def records(m) -> set[str]:
    return {r.to_text() for s in m.answer for r in s
            if s.rdtype != dns.rdatatype.RRSIG}


# ---- the tree ---------------------------------------------------------------


@pytest.mark.parametrize("zone,code,ad", [
    ("secure", "NOERROR", True), ("plain", "NOERROR", False),
    ("bogus", "SERVFAIL", False), ("expired", "SERVFAIL", False)])
def test_validator_says_what_each_zone_is(world, zone, code, ad):
    m = ask(world.unbound.place, f"{zone}.example", "MX", want_dnssec=True)
    assert (rcode(m), has_ad(m)) == (code, ad)
    if code == "NOERROR":
        assert records(m) == {f"10 mx1.{zone}.example.",
                              f"20 mx2.{zone}.example."}


@pytest.mark.parametrize("name,kind,code", [
    ("nowhere.secure.example", "A", "NXDOMAIN"),
    ("zzz.secure.example", "MX", "NXDOMAIN"),
    ("aaa.example", "MX", "NXDOMAIN"), ("zzz", "A", "NXDOMAIN"),
    ("mx1.secure.example", "AAAA", "NOERROR"),
    ("_tcp.mx1.secure.example", "A", "NOERROR"),
    ("_25._tcp.mx1.secure.example", "TLSA", "NOERROR"),
    ("alias.secure.example", "A", "NOERROR"), (".", "DNSKEY", "NOERROR")])
def test_signed_answers_and_denials_are_proven(world, name, kind, code):
    m = ask(world.unbound.place, name, kind, want_dnssec=True)
    assert (rcode(m), has_ad(m)) == (code, True)


def test_alias_out_of_a_signed_zone_is_as_weak_as_its_target(world):
    m = ask(world.unbound.place, "away.secure.example", "A",
            want_dnssec=True)
    assert address(4) in records(m) and not has_ad(m)


def test_bogus_zone_is_there_for_whoever_does_not_look(world):
    for place in (world.nsd.place, world.unbound.place):
        m = ask(place, "bogus.example", "MX",
                flags=dns.flags.CD | dns.flags.RD)
        assert records(m) == {"10 mx2.bogus.example."}


def test_signatures_of_the_past_are_past(world):
    m = ask(world.nsd.place, "expired.example", "MX", want_dnssec=True)
    sig = next(s for s in m.answer if s.rdtype == dns.rdatatype.RRSIG)[0]
    assert sig.expiration < os.stat(world.anchor).st_mtime


def test_sixty_exchangers_need_tcp(world):
    m = ask(world.nsd.place, "many.plain.example", "MX", use_edns=True)
    assert is_cut(m)
    m = ask(world.nsd.place, "many.plain.example", "MX", tcp=True)
    assert len(records(m)) == 60 and not is_cut(m)


def test_two_worlds_beside_each_other(world, tmp_path):
    with names.World(tmp_path, {"plain": ["other A 192.0.2.77"]}) as other:
        assert other.nsd.place != world.nsd.place
        assert other.anchor.read_text() != world.anchor.read_text()
        m = ask(other.nsd.place, "other.plain.example", "A")
        assert records(m) == {"192.0.2.77"}
        process = other.nsd.process
    assert process.poll() is not None
    m = ask(world.nsd.place, "other.plain.example", "A")
    assert rcode(m) == "NXDOMAIN"


def test_port_that_is_taken_is_not_the_end(world, tmp_path, monkeypatch):
    places = [world.nsd.place, names.free_place()]
    monkeypatch.setattr(names, "free_place", lambda: places.pop(0))
    # The one that has the port already must not be taken for the new one.
    monkeypatch.setattr(names.Nsd, "READY", ("mine.plain.example", "A"))
    with names.World(tmp_path, {"plain": ["mine A 192.0.2.1"]}) as w:
        assert places == [] and w.nsd.place != world.nsd.place


def test_server_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "START", 0.3)
    monkeypatch.setattr(names, "NSD", "nonsense\n")
    with pytest.raises(RuntimeError, match="syntax error|nonsense"):
        names.World(tmp_path).nsd.start()


KILLED = """\
import sys
sys.path.insert(0, sys.argv[1])
import names
w = names.World(sys.argv[2])
w.nsd.start()
print(w.nsd.process.pid, w.unbound.process.pid, flush=True)
sys.stdin.read()
"""


def test_servers_end_with_whoever_is_killed(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(ROOT / "test"), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pids = [int(x) for x in child.stdout.readline().split()]
    assert len(pids) == 2
    child.kill()
    child.communicate()

    def mine() -> list:
        return [p for p in pids if pathlib.Path(f"/proc/{p}/exe").exists()]

    wait_for(lambda: not mine(), "the end of the name servers")


# ---- the misbehaving one ----------------------------------------------------

X = "x.example"
A = Rule(["x.example A 192.0.2.1"])


@pytest.mark.parametrize("code", ["REFUSED", "SERVFAIL", "NOTIMP", "FORMERR",
                                  "NXDOMAIN", "YXDOMAIN"])
def test_rule_of_an_error_code(code):
    with Nameserver({f"{X} MX": Rule(rcode=code)}) as ns:
        for tcp in (False, True):
            assert rcode(ask(ns.place, X, "MX", tcp=tcp)) == code
        assert ns.asked == [f"udp {X} MX", f"tcp {X} MX"]


def test_rules_by_name_type_and_time():
    with Nameserver({f"{X} A": [Rule(rcode="SERVFAIL"), A],
                     f"{X} *": Rule(is_ad=True)}) as ns:
        assert rcode(ask(ns.place, X, "A")) == "SERVFAIL"
        for _ in range(2):
            assert records(ask(ns.place, X.upper(), "A")) == {"192.0.2.1"}
        assert has_ad(ask(ns.place, X, "MX"))
        assert rcode(ask(ns.place, "y.example", "A")) == "NXDOMAIN"
        assert ns.count(X, "A") == 3


def test_rule_of_silence():
    with Nameserver({"*": Rule(drop=True)}) as ns:
        with pytest.raises(dns.exception.Timeout):
            ask(ns.place, X, "A", timeout=0.2)
        with pytest.raises((EOFError, ConnectionError)):
            ask(ns.place, X, "A", tcp=True)


def test_rule_of_truncation():
    rule = Rule(A.records, truncate=True)
    with Nameserver({f"{X} A": rule, "*": Rule(
            A.records, truncate=True, only_udp=True)}) as ns:
        m = ask(ns.place, X, "A")
        assert is_cut(m) and not m.answer
        assert records(ask(ns.place, X, "A", tcp=True)) == {"192.0.2.1"}
        with pytest.raises((EOFError, ConnectionError)):
            ask(ns.place, X, "MX", tcp=True)


def raw(ns, data: bytes = b"") -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(ns.place)
        question = dns.message.make_query(X, "A", id=258)
        s.send(data or question.to_wire())
        return s.recv(65535)


@pytest.mark.parametrize("rule,test", [
    (Rule(wrong_id=True), lambda w: w[:2] == bytes([254, 2])),
    (Rule(A.records, cut=20), lambda w: w[:2] == b"\1\2" and len(w) == 20),
    (Rule(raw=b"\xff" * 38), lambda w: w == b"\1\2" + b"\xff" * 38)])
def test_rules_of_rubbish(rule, test):
    with Nameserver({"*": rule}) as ns:
        assert test(raw(ns))


def test_slow_answer_holds_up_nobody():
    with Nameserver({f"{X} A": Rule(A.records, delay=30),
                     "*": Rule(rcode="NOTIMP")}) as ns:
        waiting = threading.Thread(
            target=lambda: pytest.raises(dns.exception.Timeout, ask,
                                         ns.place, X, "A", timeout=0.3))
        waiting.start()
        wait_for(lambda: ns.asked, "the slow question")
        assert rcode(ask(ns.place, X, "MX")) == "NOTIMP"
        waiting.join()


def test_what_has_no_rule_goes_to_the_world(world, nameserver):
    ns = nameserver({"secure.example MX": Rule(rcode="REFUSED")})
    assert rcode(ask(ns.place, "secure.example", "MX")) == "REFUSED"
    m = ask(ns.place, "mx1.secure.example", "A", want_dnssec=True)
    assert records(m) == {address(1)} and len(m.answer) == 2
    m = ask(ns.place, "many.plain.example", "MX", tcp=True)
    assert len(records(m)) == 60


# ---- two hosts on a wire ----------------------------------------------------

CONNECT = """\
import socket, sys
for address in sys.argv[1:]:
    try:
        with socket.create_connection((address, 25), 0.3) as s:
            print(s.getpeername()[0], s.recv(3).decode())
    except OSError as reason:
        print(address, type(reason).__name__, reason.errno)
"""


def test_far_host_answers_refuses_and_drops():
    with Net() as net:
        for v6 in (False, True):
            net.server(3, v6=v6).allow.add("no-quit")
        done = subprocess.run(
            [*net.wrapper, sys.executable, "-c", CONNECT, net.far(3),
             net.far6(3), net.far(4), net.far6(4), net.hole(1), net.hole6(1),
             net.barred(1)], stdout=subprocess.PIPE, timeout=20, check=True)
        keepers = net.keepers
    assert done.stdout.decode().splitlines() == [
        f"{net.far(3)} 220", f"{net.far6(3)} 220",
        f"{net.far(4)} ConnectionRefusedError {errno.ECONNREFUSED}",
        f"{net.far6(4)} ConnectionRefusedError {errno.ECONNREFUSED}",
        f"{net.hole(1)} TimeoutError None",
        f"{net.hole6(1)} TimeoutError None",
        f"{net.barred(1)} OSError {errno.EHOSTUNREACH}"]
    assert all(k.returncode is not None for k in keepers)


def test_nets_do_not_see_each_other():
    with Net() as one, Net() as two:
        one.server(3).allow.add("no-quit")
        rules = {"x.example A": Rule(["x.example A 192.0.2.1"])}
        one.nameserver(rules)
        two.nameserver(rules)
        done = subprocess.run(
            [*two.wrapper, sys.executable, "-c", CONNECT, two.far(3)],
            stdout=subprocess.PIPE, timeout=20, check=True)
        assert b"ConnectionRefusedError" in done.stdout


# ---- hosts ------------------------------------------------------------------


def test_hosts_share_a_port(hosts):
    found = hosts(1, 2, script={1: {"connect": "554 no"}, 2: {}})
    assert found[1].port == found[2].port
    for n, code in ((1, b"554"), (2, b"220")):
        with socket.create_connection((address(n), found[n].port), 5) as s:
            assert s.recv(100).startswith(code)
    found[2].allow.add("no-quit")

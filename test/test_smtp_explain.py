"""
smtp --explain: what it says of each way to a destination, from recorded
answers, and of the servers that it connects to.

Every run here is made twice, as text and as JSON, and the text is made anew
from the JSON: they must say the same.
"""

import json
import re
import signal
import socket
import subprocess

import pytest

from names import address
from smtpd import Do
from zpost import DEADLINE, ROOT, Postoffice, program, to_text

OK, NOHOST, UNAVAILABLE, TEMPFAIL = 0, 68, 69, 75
USAGE, DATAERR, NOINPUT, CANTCREAT, IOERR = 64, 65, 66, 73, 74

GOOD = """\
example.org MX ok secure network 300 - 10:mx1.example.org 20:mx2.example.org
mx1.example.org A ok insecure cache 60 host.example.net 198.51.100.1
mx1.example.org AAAA nodata insecure network 60 -
mx2.example.org A ok secure network 60 - 198.51.100.2 127.0.0.3
mx2.example.org AAAA nxdomain secure network 60 - ; a text
_mta-sts.example.org TXT nxdomain secure network 60 -
mx1.example.org CNAME ok insecure network 60 - host.example.net
_25._tcp.mx2.example.org TLSA ok secure network 60 - 3:1:1:""" + \
    "ab" * 32 + "\n"


# ---- the text, made of the JSON ---------------------------------------------


def clean(text):
    """What a terminal might obey; two bytes stand for a C1 control."""
    text = re.sub("[\x00-\x08\x0a-\x1f\x7f]", "?", text.replace("\t", " "))
    return re.sub("[\x80-\x9f]", "??", text)


def line(depth, key, value):
    return "  " * depth + key.ljust(17 - 2 * depth) + clean(str(value))


def some(depth, key, value):
    return [line(depth, key, value)] if value else []


def end_of(one, address="address", port="port"):
    return one[address] + (f" port {one[port]}" if port in one else "")


def fate(word):
    return word if word == "kept" else "dropped, " + word


def answer_lines(a):
    recorded = " (recorded)" if a["recorded"] else ""
    yield line(0, "asked", f"{a['name']} {a['type']}: {a['verdict']}, "
               f"{a['status']}, from {a['origin']}{recorded}, "
               f"ttl {a['ttl']}")
    for name in a["aliases"]:
        yield line(1, "alias of", name)
    for record in a["records"]:
        yield line(1, "record", record)
    yield from some(1, "detail", a.get("detail"))


def way_lines(way, destination):
    if way["domain"] != destination:
        yield line(0, "in the DNS", way["domain"])
    for own in way["own_names"] + way["own_addresses"]:
        yield line(0, "we are", own)
    for h in way["hosts"]:
        which = ("itself" if h["preference"] is None
                 else f"preference {h['preference']}")
        yield line(0, "host", f"{h['name']}, {which}: {fate(h['fate'])}")
        yield from some(1, "canonical", h.get("canonical"))
        for a in h["addresses"]:
            yield line(1, "address", f"{a['address']}: {fate(a['fate'])}")
    yield line(0, "decision", way["decision"])


def security_lines(s):
    yield line(1, "TLS", f"{s['need']}: {s['why']}")
    yield line(2, "because", s["evidence"])
    for member in ("failure", "why", "trouble"):
        yield from some(2, "MTA-STS", (s["sts"] or {}).get(member))


def route_lines(d):
    if d["validation"] is not None:
        yield line(0, "validation", "{trust} (mode {mode})".format(
            **d["validation"]))
        yield from some(1, "why", d["validation"].get("why"))
        yield from some(1, "warning", d["validation"].get("warning"))
    if d["way"] is not None:
        yield from way_lines(d["way"], d["destination"])
    for a in d["addresses"]:
        yield line(0, "to be tried",
                   f"{end_of(a)}, level {a['level']}, {a['host']}")
        if "source_trouble" in a:
            yield line(1, "from nowhere", a["source_trouble"])
        else:
            yield line(1, "from", a.get("source", "what the system chooses"))
        yield from security_lines(a["security"])
    yield from some(0, "site", d.get("site"))
    envelope = d["envelope"]
    if envelope is None:
        return
    if "bad_recipient" in envelope:
        yield line(0, "bad recipient", envelope["bad_recipient"])
        return
    yield line(0, "SMTPUTF8",
               "needed" if envelope["smtputf8"] else "not needed")
    yield from says(0, envelope)


def plan_lines(depth, key, plan):
    if plan is None:
        return
    part = f", part {plan['part']}" if plan["part"] else ""
    what = "converted" if plan["header"] == "8bit" else "kept"
    yield line(depth, key, f"{plan['conversion']} ({plan['reason']}{part}), "
               f"header {what} ({plan['header']})")
    for text in plan["parts"]:
        yield line(depth + 1, "part", text)
    if plan["unconvertible"]:
        yield line(depth + 1, "but", "8-bit content must not be converted")


def message_lines(message):
    yield line(0, "message", message["file"])
    yield from some(1, "trouble", message.get("trouble"))
    yield from plan_lines(1, "to 7 bits", message.get("to_7bit"))
    yield from plan_lines(1, "to 8 bits", message.get("to_8bit"))


def says(depth, one):
    yield from some(depth, "would say", one.get("mail"))
    yield from some(depth, "would say", one.get("rcpt"))


def peer_lines(p):
    yield line(0, "connected",
               f"{end_of(p)}, {p['host']}: {p['result']}, {p['ms']} ms")
    if "local_address" in p:
        yield line(1, "from", end_of(p, "local_address", "local_port"))
    for said in p["dialogue"]:
        [(key, text)] = said.items()
        yield line(1, key, text)
    for text in p["tls_lines"]:
        yield line(1, "TLS", text)
    if p["truncated"]:
        yield line(1, "more", "was said than is kept")
    if p["auth"] is not None:
        yield line(1, "account", p["auth"]["account"])
        if "mechanism" in p["auth"]:
            yield line(1, "would say", f"AUTH {p['auth']['mechanism']}")
    yield from some(1, "code", p.get("code"))
    yield from some(1, "why", p.get("why"))
    yield from some(1, "offers", " ".join(p.get("offers", [])))
    yield from some(1, "size limit", p.get("size_limit"))
    yield from plan_lines(1, "content", p.get("plan"))
    yield from some(1, "unsuited", p.get("unsuited"))
    yield from says(1, p)


def text_of(d):
    lines = some(0, "recipient", d.get("recipient"))
    lines += some(0, "host", d.get("host"))
    lines += some(0, "destination (-F)" if d["forced"] else "destination",
                  d["destination"])
    lines += some(0, "answers from", d.get("offline"))
    for a in d["answers"]:
        lines += answer_lines(a)
    lines += route_lines(d)
    if "message" in d:
        lines += message_lines(d["message"])
    for p in d["peers"] or []:
        lines += peer_lines(p)
    lines.append(line(0, "result",
                      f"{d['result']} (exit status {d['exit']})"))
    if d["failure"] is not None:
        for key in ("reason", "status", "diagnostic"):
            lines += some(1, key, d["failure"].get(key))
    return "".join(one + "\n" for one in lines)


# ---- the members of the document; "?" is behind those that can be missing ---

DOCUMENT = """event schema recipient? host? destination forced offline?
    validation answers way addresses site? envelope message? peers result
    exit failure"""
VALIDATION = "mode trust why? warning?"
ANSWER = """name type verdict status origin recorded ttl aliases records
    detail?"""
WAY = "domain own_names own_addresses decision hosts"
WAY_HOST = "name preference fate canonical? addresses"
WAY_ADDRESS = "address fate"
ADDRESS = "address port? level host source? source_trouble? security"
ENVELOPE = "bad_recipient? smtputf8? mail? rcpt?"
PEER = """address port? host result ms local_address? local_port? dialogue
    truncated tls tls_lines auth code? why? offers? size_limit? plan? unsuited?
    mail? rcpt?"""
PLAN = "conversion reason part header unconvertible parts"
MESSAGE = "file trouble? to_7bit? to_8bit?"
FAILURE = "reason status? diagnostic?"


def has_members(one, names):
    must = {n for n in names.split() if not n.endswith("?")}
    may = {n.rstrip("?") for n in names.split()}
    assert must <= one.keys() <= may, one.keys() ^ may


def follows_schema(d):
    has_members(d, DOCUMENT)
    assert ("recipient" in d) != ("host" in d)
    pairs = [(a, ANSWER) for a in d["answers"]]
    pairs += [(a, ADDRESS) for a in d["addresses"]]
    pairs += [(p, PEER) for p in d["peers"] or []]
    for name, members in (("validation", VALIDATION), ("way", WAY),
                          ("envelope", ENVELOPE), ("failure", FAILURE)):
        if d[name] is not None:
            pairs.append((d[name], members))
    message = d.get("message", {})
    pairs += [(message, MESSAGE)] if message else []
    pairs += [(one["plan"], PLAN) for one in d["peers"] or [] if "plan" in one]
    pairs += [(message[k], PLAN) for k in ("to_7bit", "to_8bit")
              if k in message]
    for host in (d["way"] or {"hosts": []})["hosts"]:
        pairs.append((host, WAY_HOST))
        pairs += [(a, WAY_ADDRESS) for a in host["addresses"]]
    for one, members in pairs:
        has_members(one, members)


# ---- running it -------------------------------------------------------------


def stable(text: str) -> str:
    """Without what no two runs have in common: times and our own ports."""
    text = re.sub(r"\d+ ms$", "N ms", text, flags=re.M)
    return re.sub(r"^(  from .* port )\d+$", r"\1N", text, flags=re.M)


class Explainer:
    def __init__(self, office: Postoffice, tmp_path):
        self.office = office
        self.file = tmp_path / "answers"

    def raw(self, *args):
        done = self.office.run("smtp", "-h", "client.example", "--explain",
                               *args)
        return done.returncode, done.stdout, to_text(done.stderr)

    def __call__(self, *args, answers=None, status=OK):
        """The JSON document, once the text has said the same."""
        if answers is not None:
            self.file.write_text(answers)
            args = ("--offline", self.file, *args)
        code, out, err = self.raw("-json", *args)
        assert (code, err) == (status, "")
        assert out.count(b"\n") == 1 and out.endswith(b"\n")
        document = json.loads(out)
        assert (document["event"], document["schema"]) == ("explanation", 1)
        follows_schema(document)
        assert document["exit"] == status
        assert document["result"] == {OK: "try", TEMPFAIL: "defer"}.get(
            status, "fail")
        assert (document["failure"] is None) is (status == OK)
        code, text, err = self.raw(*args)
        assert (code, err) == (status, "")
        assert stable(to_text(text)) == stable(text_of(document))
        return document


@pytest.fixture
def explain(office, tmp_path):
    return Explainer(office, tmp_path)


def tried(document):
    return [(a["address"], a["host"], a["level"])
            for a in document["addresses"]]


# ---- from recorded answers --------------------------------------------------


def test_every_step_is_told(explain):
    d = explain("bob@example.org", answers=GOOD)
    assert d["destination"] == "example.org" and not d["forced"]
    assert [(a["name"], a["type"], a["status"], a["ttl"])
            for a in d["answers"]] == [
        ("example.org", "MX", "secure", 300),
        ("mx1.example.org", "A", "insecure", 60),
        ("mx1.example.org", "AAAA", "insecure", 60),
        ("mx2.example.org", "A", "secure", 60),
        ("mx2.example.org", "AAAA", "secure", 60),
        ("_mta-sts.example.org", "TXT", "secure", 60),
        ("mx1.example.org", "CNAME", "insecure", 60),
        ("_25._tcp.mx2.example.org", "TLSA", "secure", 60)]
    assert d["answers"][1]["aliases"] == ["host.example.net"]
    assert d["answers"][4]["detail"] == "a text"
    assert [(h["name"], h["preference"], h["fate"], h.get("canonical"))
            for h in d["way"]["hosts"]] == [
        ("mx1.example.org", 10, "kept", "host.example.net"),
        ("mx2.example.org", 20, "kept", None)]
    assert d["way"]["hosts"][1]["addresses"] == [
        {"address": "198.51.100.2", "fate": "kept"},
        {"address": "127.0.0.3", "fate": "loopback"}]
    assert tried(d) == [("198.51.100.1", "mx1.example.org", 0),
                        ("198.51.100.2", "mx2.example.org", 1)]
    assert d["site"] == "mx1.example.org"
    assert d["envelope"] == {"smtputf8": False, "mail": "MAIL FROM:<...>",
                             "rcpt": "RCPT TO:<bob@example.org>"}
    assert d["peers"] is None and d["validation"] is None


MX = "x.example MX {} indeterminate network 0 - ; said so\n"
HOST = """\
x.example MX nodata secure network 9 -
x.example A {} secure network 9 - {}
x.example AAAA {} secure network 9 -
_25._tcp.x.example TLSA nodata secure network 9 -
"""
ONE = "x.example MX ok secure network 9 - 10:m.example\n" + \
    HOST.replace("x.example", "m.example").partition("\n")[2]

TABLE = [
    # reason, exit status, answers, options
    ("nxdomain", NOHOST, MX.format("nxdomain"), []),
    ("alias-loop", NOHOST, MX.format("loop"), []),
    ("timeout", TEMPFAIL, MX.format("timeout"), []),
    ("servfail", TEMPFAIL, MX.format("servfail"), []),
    ("refused", TEMPFAIL, MX.format("refused"), []),
    ("rcode", TEMPFAIL, MX.format("rcode"), []),
    ("malformed", TEMPFAIL, MX.format("malformed"), []),
    ("truncated", TEMPFAIL, MX.format("truncated"), []),
    ("bogus", TEMPFAIL, MX.format("bogus"), []),
    ("interrupted", TEMPFAIL, MX.format("interrupted"), []),
    ("unavailable", TEMPFAIL, "# nothing is known\n", []),
    ("null-mx", UNAVAILABLE,
     "x.example MX ok secure network 9 - 0:.\n", []),
    ("best-mx-is-self", UNAVAILABLE,
     ONE.format("ok", "198.51.100.66", "nodata"), []),
    ("exchangers-again", TEMPFAIL, ONE.format("timeout", "", "nodata"), []),
    ("no-exchanger-address", UNAVAILABLE,
     ONE.format("nodata", "", "nxdomain"), []),
    ("no-smtp-service", UNAVAILABLE, ONE.format("ok", "198.51.100.1", "nodata")
     + "m.example WKS ok secure network 9 - 198.51.100.1:6:000000\n",
     ["-W"]),
    ("address-again", TEMPFAIL, HOST.format("servfail", "", "nodata"), []),
    ("no-data", UNAVAILABLE, HOST.format("nodata", "", "nodata"), []),
    ("no-name", TEMPFAIL, HOST.format("nxdomain", "", "nxdomain"), []),
    ("mx-forbidden", UNAVAILABLE, HOST.format("nodata", "", "nodata"),
     ["-x"]),
    ("self", UNAVAILABLE, HOST.format("ok", "198.51.100.66", "nodata"), []),
    ("loopback", UNAVAILABLE, HOST.format("ok", "127.7.7.7", "nodata"), []),
    ("invalid", UNAVAILABLE, HOST.format("ok", "224.0.0.5", "nodata"), []),
    ("link-local", UNAVAILABLE, HOST.format("ok", "169.254.7.7", "nodata"),
     []),
]


@pytest.mark.parametrize("reason,status,answers,options", TABLE,
                         ids=[row[0] for row in TABLE])
def test_what_cannot_be_tried(office, explain, reason, status, answers,
                              options):
    office.set_zenv(SELFADDRESSES="198.51.100.66,self.example")
    d = explain(*options, "bob@x.example", answers=answers, status=status)
    assert d["failure"]["reason"] == reason == d["way"]["decision"]
    assert d["failure"]["diagnostic"].startswith("smtp; ")
    assert d["failure"]["status"][0] == ("4" if status == TEMPFAIL else "5")
    assert d["addresses"] == []
    assert "self.example" in d["way"]["own_names"]
    assert "198.51.100.66" in d["way"]["own_addresses"]


def test_an_underscore_is_no_name_of_a_host(explain):
    d = explain("x_y.example", status=UNAVAILABLE, answers=HOST.replace(
        "x.example", "x_y.example").format("nxdomain", "", "nxdomain"))
    assert d["failure"]["reason"] == "underscore"


def test_a_domain_without_exchangers_is_its_own_host(explain):
    d = explain("x.example",
                answers=HOST.format("ok", "198.51.100.7", "nodata"))
    assert d["way"]["hosts"][0]["preference"] is None
    assert tried(d) == [("198.51.100.7", "x.example", 0)]
    assert d["site"] == "[198.51.100.7]"
    assert d["envelope"] is None and "recipient" not in d


@pytest.mark.parametrize("options,want", [
    ([], ["198.51.100.1", "2001:db8::1"]),
    (["-6"], ["2001:db8::1", "198.51.100.1"])])
def test_options_beside_it_count(explain, options, want):
    """-6, -p and -L, as for mail; they may stand anywhere."""
    d = explain("-p", "2525", "x.example", *options, "-L", "[127.0.0.1]",
                answers="x.example MX nodata secure network 9 -\n"
                "x.example A ok secure network 9 - 198.51.100.1\n"
                "x.example AAAA ok secure network 9 - 2001:db8::1\n"
                "_2525._tcp.x.example TLSA nodata secure network 9 -\n")
    if len(d["addresses"]) < 2:
        pytest.skip("no IPv6 here")
    assert [a["address"] for a in d["addresses"]] == want
    assert {a["port"] for a in d["addresses"]} == {2525}
    assert [a.get("source") for a in d["addresses"]] == [
        None if ":" in a else "127.0.0.1" for a in want]


def test_a_source_that_is_not_there_is_told(explain):
    d = explain("-L", "iface:nosuch", "x.example",
                answers=HOST.format("ok", "198.51.100.7", "nodata"))
    assert d["addresses"][0]["source_trouble"]


@pytest.mark.parametrize("destination,address,port", [
    ("[198.51.100.9]", "198.51.100.9", 25),
    ("[198.51.100.9]:2525", "198.51.100.9", 2525),
    ("[IPv6:2001:db8::9]", "2001:db8::9", 25)])
def test_a_literal_asks_nobody(explain, destination, address, port):
    d = explain("bob@" + destination if port == 25 else destination,
                answers="")
    assert d["answers"] == [] and d["way"] is None
    assert [(a["address"], a["port"]) for a in d["addresses"]] == [
        (address, port)]


def test_a_forced_destination_takes_the_place_of_the_domain(explain):
    d = explain("-F", "[198.51.100.9]:2525", "bob@example.org", answers="")
    assert d["forced"] and d["destination"] == "[198.51.100.9]:2525"
    assert d["envelope"]["rcpt"] == "RCPT TO:<bob@example.org>"
    d = explain("-F", "UNIX:/no/such", "bob@example.org", answers="")
    assert d["addresses"][0]["address"] == "UNIX:/no/such"
    assert "port" not in d["addresses"][0]


def test_a_bad_literal_is_no_host(explain):
    d = explain("[1.2.3]", answers="", status=NOHOST)
    assert d["failure"]["reason"] == "bad-literal"


# ---- names and addresses from outside ---------------------------------------


def test_u_labels_become_a_labels(explain):
    d = explain("bob@b\u00fccher.example", answers=HOST.replace(
        "x.example", "xn--bcher-kva.example").format(
            "ok", "198.51.100.7", "nodata"))
    assert d["way"]["domain"] == "xn--bcher-kva.example"
    assert d["destination"] == "b\u00fccher.example"
    assert d["envelope"]["rcpt"] == "RCPT TO:<bob@xn--bcher-kva.example>"
    assert not d["envelope"]["smtputf8"]


def test_a_local_part_beyond_ascii_needs_smtputf8(explain):
    d = explain("b\u00f6b@x.example",
                answers=HOST.format("ok", "198.51.100.7", "nodata"))
    assert d["envelope"] == {
        "smtputf8": True, "mail": "MAIL FROM:<...> SMTPUTF8",
        "rcpt": "RCPT TO:<b\u00f6b@x.example>"}


@pytest.mark.parametrize("who", [
    "bob>@x.example", "bob\r\nRCPT TO:<eve@x.example>@x.example",
    "@x.example", "b" * 300 + "@x.example", "b\u009bm\t@x.example"])
def test_no_server_is_told_a_bad_recipient(explain, who):
    d = explain(who, status=UNAVAILABLE,
                answers=HOST.format("ok", "198.51.100.7", "nodata"))
    assert d["failure"]["reason"] == "bad-address"
    assert d["envelope"].keys() == {"bad_recipient"}
    assert tried(d) == [("198.51.100.7", "x.example", 0)]


@pytest.mark.parametrize("host", [
    "a..b", "x" * 64 + ".example", "a.\x1b[31m", b"\xff\xfe", "%n%s%n",
    "a\nresult           try", "\u202eelpmaxe", "9" * 300, ".", "*",
    "\u009b1m.example", "-"])
def test_hostile_names_do_no_harm(explain, host):
    """Neither a line nor a control character of theirs gets through."""
    code, out, _ = explain.raw("--offline", "/dev/null", "--", host)
    assert code in (TEMPFAIL, UNAVAILABLE, NOHOST)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", out)
    assert out.count(b"\nresult ") == 1
    code, out, _ = explain.raw("--json", "--offline", "/dev/null", "--", host)
    assert json.loads(out)["exit"] == code


# ---- files of answers -------------------------------------------------------


# What stands behind the example of the manual.
EXAMPLE = f"""\
example.org MX ok secure network 300 - 10:mx.example.org 20:backup.example.net
mx.example.org A ok secure network 300 - 192.0.2.25
mx.example.org AAAA nodata secure network 300 -
backup.example.net A ok secure network 300 - 127.0.0.1
backup.example.net AAAA nodata secure network 300 -
_mta-sts.example.org TXT nxdomain secure network 300 -
_25._tcp.mx.example.org TLSA ok secure network 300 - \
3:1:1:23208662e323819a108c335ad141346c5c713e33945{"0" * 21}
"""


def test_example_of_the_manual_is_what_is_said(explain):
    """As far as nobody is connected to; "[...]" stands for anything."""
    page = (ROOT / "man" / "smtp.8").read_text()
    shown = re.search(r"^\$ smtp --explain --connect --offline case (\S+)\n"
                      r"(.*?)^connected ", page, flags=re.M | re.S)
    explain.file.write_text(EXAMPLE)
    code, out, err = explain.raw("--offline", explain.file, shown[1])
    assert (code, err) == (OK, "")
    wanted = re.sub(r"^(we are .*\n)+(  \[\.\.\.\]\n)?", "  [...]\n", shown[2],
                    flags=re.M)
    pattern = re.escape(wanted).replace(
        re.escape("  [...]\n"), r"(.*\n)*?").replace(
        re.escape("[...]"), ".*")
    said = to_text(out).replace(str(explain.file), "case")
    assert re.match(pattern, said), said


def test_what_was_recorded_gives_the_same(explain, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    d = explain("bob@example.org", "--record", first, answers=GOOD)
    assert first.stat().st_mode & 0o777 == 0o644
    d["offline"] = str(first)
    assert explain("--offline", first, "--record", again,
                   "bob@example.org") == d
    assert first.read_text() == again.read_text() == GOOD


def test_answers_of_the_network_are_recorded(explain, tmp_path):
    """Of a name that /etc/hosts has, and of one that nobody answers for."""
    hosts, resolv = tmp_path / "hosts", tmp_path / "resolv"
    hosts.write_text("198.51.100.3 here.example\n")
    resolv.write_text("nameserver 127.0.0.1\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    how = ("-O", "dns=off", "-O", f"dns-servers=[127.0.0.1]:{port}",
           "-O", f"dns-hosts={hosts}")
    for name, status in (("here.example", TEMPFAIL), ("localhost", None)):
        file = tmp_path / name
        code, out, err = explain.raw(*how, "-json", "--record", file, name)
        live = json.loads(out)
        assert (code, err) == (live["exit"], "")
        assert status in (code, None)
        assert live["validation"] == {"mode": "off", "trust": "off"}
        kept = explain("--offline", file, name, status=code)
        for answer in live["answers"]:
            assert answer.pop("recorded") is False
        for answer in kept["answers"]:
            assert answer.pop("recorded") is True
        for key in live.keys() - {"validation"}:
            assert kept[key] == live[key], key
        assert kept["offline"] == str(file)


@pytest.mark.parametrize("name,authentic,status", [
    ("secure.example", "secure", OK), ("plain.example", "insecure", OK),
    ("null.secure.example", "secure", UNAVAILABLE),
    ("nowhere.secure.example", "secure", NOHOST),
    ("bogus.example", "bogus", TEMPFAIL),
    ("expired.example", "bogus", TEMPFAIL)])
def test_what_real_name_servers_say(explain, world, tmp_path, name, authentic,
                                    status):
    """With validation; and the same from the answers that were recorded."""
    file = tmp_path / "record"
    live = explain("-p", "2525", *world.options(), "--record", file, name,
                   status=status)
    assert live["validation"] == {"mode": "validate", "trust": "works"}
    assert {a["status"] for a in live["answers"]} == {authentic}
    assert ("detail" in live["answers"][0]) is (authentic == "bogus")
    if status == OK:
        assert [(h["name"], h["fate"]) for h in live["way"]["hosts"]] == [
            (f"mx1.{name}", "kept"), (f"mx2.{name}", "kept")]
        assert tried(live) == [(address(n), f"mx{n}.{name}", n - 1)
                               for n in (1, 2)]
    kept = explain("-p", "2525", "--offline", file, name, status=status)
    for one in live["answers"] + kept["answers"]:
        del one["recorded"]
    assert kept.pop("offline") == str(file)
    del live["validation"], kept["validation"]
    assert kept == live


def test_validation_that_cannot_work_is_told(explain, world, office):
    """An anchor that is not that of these servers; then one that is lost."""
    anchor = office.base / "anchor"
    anchor.write_text(". 300 IN DS 1 13 2 " + "00" * 32 + "\n")
    how = ("-p", "2525", *world.options(), "-O", f"dns-anchor={anchor}")
    d = explain(*how, "plain.example")
    assert d["validation"]["trust"] == "never" and d["validation"]["why"]
    assert {a["status"] for a in d["answers"]} == {"indeterminate"}
    anchor.write_bytes(world.anchor.read_bytes())
    assert explain(*how, "plain.example")["validation"]["trust"] == "works"
    anchor.write_text(". 300 IN DS 1 13 2 " + "00" * 32 + "\n")
    d = explain(*how, "plain.example", status=TEMPFAIL)
    assert d["validation"]["trust"] == "lost" and d["validation"]["why"]
    assert d["failure"]["reason"] == "dnssec-lost"
    assert {a["security"]["need"] for a in d["addresses"]} == {"impossible"}
    rules = office.base / "smtp-tls.conf"
    rules.write_text("tls-level may\n")
    d = explain(*how, "-S", rules, "plain.example")
    assert {a["security"]["reason"] for a in d["addresses"]} == {"may"}


def test_the_order_by_chance_is_kept_for_the_connections(explain, smtpd):
    """Ten equal exchangers are connected to in the order that is shown."""
    server = smtpd(listen="0.0.0.0")
    answers = "x.example MX ok secure network 9 -"
    answers += "".join(f" 10:m{i}.example" for i in range(1, 10)) + "\n"
    for i in range(1, 10):
        answers += f"m{i}.example A ok insecure network 9 - 127.0.0.{i}\n"
        answers += f"m{i}.example AAAA nodata insecure network 9 -\n"
    explain.file.write_text(answers)
    seen = set()
    for _ in range(4):
        _, out, _ = explain.raw("-json", "--connect", "--offline",
                                explain.file, "-p", str(server.port),
                                "x.example")
        d = json.loads(out)
        order = [a["address"] for a in d["addresses"]]
        assert [p["address"] for p in d["peers"]] == order
        assert sorted(order) == [f"127.0.0.{i}" for i in range(1, 10)]
        seen.add(tuple(order))
    assert len(seen) > 1


@pytest.mark.parametrize("text,complaint", [
    ("example.org MX\n", "answers:1: "),
    ("# fine\nexample.org MX ok secure network x -\n", "answers:2: "),
    ("a A ok secure network 1 - 1.2.3.4.5\n", "answers:1: ")])
def test_a_file_that_cannot_be_understood(explain, text, complaint):
    explain.file.write_text(text)
    code, out, err = explain.raw("--offline", explain.file, "example.org")
    assert (code, out) == (DATAERR, b"") and complaint in err


def test_files_that_cannot_be_opened(explain, tmp_path):
    nowhere = tmp_path / "no" / "such"
    code, out, err = explain.raw("--offline", nowhere, "example.org")
    assert (code, out) == (NOINPUT, b"") and str(nowhere) in err
    code, out, err = explain.raw("--offline", "/dev/null", "--record",
                                 nowhere, "example.org")
    assert code == CANTCREAT and str(nowhere) in err
    assert b"\nresult " in out      # the walk was made all the same


# ---- connecting -------------------------------------------------------------


def peers_at(*addresses):
    """A domain whose exchangers have these addresses, best first."""
    names = [f"m{i}.example" for i in range(len(addresses))]
    lines = "x.example MX ok secure network 9 -" + "".join(
        f" {10 * i}:{n}" for i, n in enumerate(names)) + "\n"
    for name, address in zip(names, addresses):
        lines += (f"{name} A ok insecure network 9 - {address}\n"
                  f"{name} AAAA nodata insecure network 9 -\n")
    return lines


def test_connect_goes_as_far_as_ehlo(explain, smtpd):
    server = smtpd(keywords=["PIPELINING", "SIZE 12345", "DSN", "8BITMIME"])
    d = explain("--connect", "-p", str(server.port), "bob@x.example",
                answers=peers_at("127.0.0.1"))
    [peer] = d["peers"]
    assert (peer["host"], peer["result"]) == ("m0.example", "ready")
    assert peer["local_address"] == "127.0.0.1"
    assert peer["dialogue"][0]["heard"].startswith("220 ")
    assert peer["dialogue"][1] == {"said": "EHLO client.example"}
    assert {"heard": "250-SIZE 12345"} in peer["dialogue"] or \
        {"heard": "250 SIZE 12345"} in peer["dialogue"]
    assert set(peer["offers"]) == {"PIPELINING", "SIZE", "DSN", "8BITMIME"}
    assert peer["size_limit"] == 12345
    assert peer["mail"] == "MAIL FROM:<...>"
    assert peer["rcpt"] == ("RCPT TO:<bob@x.example> NOTIFY=FAILURE "
                            "ORCPT=rfc822;bob@x.example")
    for session in range(2):        # text and JSON
        assert server.wait_ended(session) == "quit"
        assert server.commands(session) == ["EHLO client.example", "QUIT"]
    assert server.messages == [] and server.attempts == []


@pytest.fixture
def letter(tmp_path):
    """A file with a message that has 8-bit text in its second part."""
    path = tmp_path / "letter"
    path.write_bytes(
        b"From: a@x\nSubject: \xc3\xa4\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        b"--b\n\nplain\n--b\n\n\xc3\xa4\n--b--\n")
    return path


def test_plan_of_a_message(explain, smtpd, letter):
    """For servers of either kind, and for each that is heard."""
    one = smtpd(listen="127.0.0.2", keywords=["8BITMIME"])
    smtpd(listen="127.0.0.3", port=one.port, keywords=[])
    d = explain("--connect", "-p", str(one.port), "--message", str(letter),
                "bob@x.example", answers=peers_at("127.0.0.2", "127.0.0.3"))
    message = d["message"]
    assert message["file"] == str(letter)
    assert (message["to_7bit"]["conversion"], message["to_7bit"]["part"],
            message["to_7bit"]["header"]) == ("MPQP", 2, "8bit")
    assert message["to_7bit"]["parts"] == [
        "0 multipart/mixed 7bit keep (7bit)",
        "1 text/plain 7bit keep (7bit)",
        "2 text/plain 7bit quoted-printable (8bit)"]
    assert message["to_8bit"]["reason"] == "channel-8bit"
    assert {p["address"]: p["plan"]["conversion"] for p in d["peers"]} == {
        "127.0.0.2": "NONE", "127.0.0.3": "MPQP"}


def test_message_that_must_not_be_converted(explain, letter):
    letter.write_bytes(b"DKIM-Signature: v=1\n" + letter.read_bytes())
    d = explain("-p", "2525", "--message", str(letter), "bob@x.example",
                answers=peers_at("127.0.0.2"))
    plan = d["message"]["to_7bit"]
    assert plan["reason"] == "dkim" and plan["unconvertible"]
    assert not d["message"]["to_8bit"]["unconvertible"]


def test_message_that_cannot_be_read(explain, tmp_path):
    d = explain("-p", "2525", "--message", tmp_path / "none", "bob@x.example",
                answers=peers_at("127.0.0.2"))
    assert "No such file" in d["message"]["trouble"]


def test_every_address_is_heard(explain, smtpd):
    """Also those that delivery would have no need of."""
    first = smtpd(listen="127.0.0.2", keywords=["CHUNKING"])
    port = first.port
    smtpd(listen="127.0.0.4", port=port, script={"connect": "554 go away"})
    smtpd(listen="127.0.0.5", port=port, keywords=[])
    d = explain("--connect", "-p", str(port), "bob@x.example",
                answers=peers_at("127.0.0.2", "127.0.0.3", "127.0.0.4",
                                 "127.0.0.5"))
    assert [(p["address"], p["host"], p["result"]) for p in d["peers"]] == [
        ("127.0.0.2", "m0.example", "ready"),
        ("127.0.0.3", "m1.example", d["peers"][1]["result"]),
        ("127.0.0.4", "m2.example", d["peers"][2]["result"]),
        ("127.0.0.5", "m3.example", "ready")]
    silent, rude = d["peers"][1:3]
    assert silent["result"] != "ready" and "local_address" not in silent
    assert "refused" in silent["why"]
    assert rude["result"] != "ready" and rude["code"] == 554
    assert rude["dialogue"][0] == {"heard": "554 go away"}
    assert d["peers"][0]["offers"] == ["CHUNKING"]
    assert d["peers"][3]["offers"] == []


def test_a_server_that_chokes_on_ehlo_is_heard_twice(explain, smtpd):
    server = smtpd(script={"EHLO": Do(close="before")})
    server.script = lambda session, event, who: (
        Do(close="before") if event == "EHLO" else None)
    d = explain("--connect", "-p", str(server.port), "bob@x.example",
                answers=peers_at("127.0.0.1"))
    assert [p["result"] == "ready" for p in d["peers"]] == [False, True]
    assert {"said": "HELO client.example"} in d["peers"][1]["dialogue"]
    assert d["peers"][1]["offers"] == []


def test_nobody_answers(explain, smtpd):
    server = smtpd(listen="127.0.0.2")
    d = explain("--connect", "-p", str(server.port), "bob@x.example",
                answers=peers_at("127.0.0.3", "127.0.0.4"), status=TEMPFAIL)
    assert len(d["peers"]) == 2
    assert "Connection refused" in d["failure"]["diagnostic"]


@pytest.mark.parametrize("code,status", [(521, UNAVAILABLE),
                                         (554, TEMPFAIL), (421, TEMPFAIL)])
def test_a_refusal_to_greet(explain, smtpd, code, status):
    server = smtpd(script=lambda session, event, who: (
        f"{code} no" if event == "connect" else None))
    d = explain("--connect", "-F", server.destination, "bob@x.example",
                status=status)
    assert d["peers"][0]["code"] == code


@pytest.mark.parametrize("others,status", [
    ({"keywords": []}, UNAVAILABLE), (None, TEMPFAIL),
    ({"keywords": ["8BITMIME", "SMTPUTF8"]}, OK)])
def test_smtputf8_must_be_offered_by_somebody(explain, smtpd, others, status):
    """5.6.7 only if every address was heard."""
    server = smtpd(listen="127.0.0.2", keywords=["8BITMIME"])
    if others is not None:
        smtpd(listen="127.0.0.3", port=server.port, **others)
    d = explain("--connect", "-p", str(server.port), "b\u00f6b@x.example",
                answers=peers_at("127.0.0.2", "127.0.0.3"), status=status)
    assert "SMTPUTF8" in d["peers"][0]["unsuited"]
    assert "mail" not in d["peers"][0]
    if status == OK:
        assert d["peers"][1]["mail"] == "MAIL FROM:<...> SMTPUTF8"
    else:
        assert d["failure"]["status"].startswith(
            "5.6.7" if status == UNAVAILABLE else "4.6.7")


def test_a_signal_ends_the_waiting(office, smtpd):
    """What is known by then is told."""
    server = smtpd(script={"connect": Do(silent=True)})
    process = subprocess.Popen(
        [program("smtp"), "--explain", "--connect", "-F", server.destination,
         "bob@x.example"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=office.environment())
    try:
        server.wait_for(lambda: server.sessions, "a connection")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    assert (process.returncode, err) == (TEMPFAIL, b"")
    assert b"\n  reason         interrupted\n" in out


def test_the_session_log_is_kept(explain, smtpd, tmp_path):
    server = smtpd()
    explain("--connect", "-l", tmp_path / "session", "-F", server.destination,
            "bob@x.example")
    assert b"w\tEHLO client.example\n" in (tmp_path / "session").read_bytes()


def test_lmtp_over_a_unix_socket(explain, smtpd, tmp_path):
    server = smtpd(lmtp=True, listen=f"unix:{tmp_path}/s")
    d = explain("--connect", "-M", "-F", server.destination, "bob@x.example")
    [peer] = d["peers"]
    assert {"said": "LHLO client.example"} in peer["dialogue"]
    assert peer["result"] == "ready"
    assert "site" not in d


def test_nothing_is_connected_to_for_a_bad_recipient(explain, smtpd):
    server = smtpd()
    d = explain("--connect", "-F", server.destination, "bob>@x.example",
                status=UNAVAILABLE)
    assert d["peers"] == [] and server.sessions == []


# ---- security ---------------------------------------------------------------


@pytest.mark.parametrize("tlsa,need,reason", [
    ("nodata secure network 9 -", "may", "opportunistic"),
    ("ok secure network 9 - 3:1:1:" + "ab" * 32, "dane", "dane"),
    ("ok secure network 9 - 3:1:1:abcd", "encrypt", "tlsa-unusable"),
    ("ok insecure network 9 - 3:1:1:" + "ab" * 32, "may", "opportunistic"),
    ("servfail indeterminate network 0 -", "impossible", "tlsa-unknown"),
    ("bogus bogus network 0 -", "impossible", "tlsa-unknown"),
    (None, "impossible", "tlsa-unknown")])
def test_what_the_answers_ask_for(office, explain, tlsa, need, reason):
    """What is not in the file is not known, so that the host gets no mail."""
    answers = ONE.format("ok", "198.51.100.7", "nodata").partition("_25.")[0]
    if tlsa is not None:
        answers += f"_25._tcp.m.example TLSA {tlsa}\n"
    d = explain("x.example", answers=answers,
                status=TEMPFAIL if need == "impossible" else OK)
    [a] = d["addresses"]
    assert (a["security"]["need"], a["security"]["reason"]) == (need, reason)
    if need == "impossible":
        assert d["failure"]["reason"] == reason
        assert d["failure"]["status"] == "4.7.5 (TLS)"
    assert not (office.var / "zpost").exists()


@pytest.mark.parametrize("mx,addresses,asked", [
    ("insecure", "insecure", []), ("insecure", "secure", ["TLSA"]),
    ("secure", "insecure", []), ("secure", "secure", ["TLSA"])])
def test_questions_for_tlsa_only_of_secure_hosts(explain, mx, addresses,
                                                 asked):
    d = explain("x.example", answers=(
        f"x.example MX ok {mx} network 9 - 10:m.example\n"
        f"m.example A ok {addresses} network 9 - 198.51.100.7\n"
        f"m.example AAAA nodata {addresses} network 9 -\n"
        "_25._tcp.m.example TLSA nodata secure network 9 -\n"))
    types = [a["type"] for a in d["answers"]]
    assert types == ["MX", "A", "AAAA", "TXT", *asked]
    security = d["addresses"][0]["security"]
    assert (security["mx"], security["addresses"]) == (mx, addresses)


def secured(site, explain, *args, status=OK):
    """Of a domain of the site, live; answers are kept in a file."""
    return explain("--connect", *map(str, site.agent_options()), *args,
                   "bob@secure.example", status=status)


def test_handshake_is_told(site, explain, tmp_path):
    """With its verdict; and again over the answers that were kept."""
    mx = site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1")
    site.mx("secure", "mx1.secure")
    file = tmp_path / "record"
    d = secured(site, explain, "--record", file)
    [a], [peer] = d["addresses"], d["peers"]
    assert (a["security"]["need"], peer["result"]) == ("dane", "ready")
    assert (peer["tls"]["ok"], peer["tls"]["verdict"]) == (
        True, "matched-dane")
    assert peer["tls"]["protocol"] == "TLSv1.3"
    assert peer["tls_lines"][0].startswith("TLSv1.3 with cipher ")
    assert any("Verified: " in text for text in peer["tls_lines"])
    assert {"said": "STARTTLS"} in peer["dialogue"]
    kept = secured(site, explain, "--offline", file)
    for one in (d, kept):
        del one["peers"][0]["ms"], one["peers"][0]["local_port"]
        for answer in one["answers"]:
            del answer["recorded"]
    del d["validation"], kept["validation"], kept["offline"]
    assert kept == d
    assert mx.messages == [] and not (explain.office.var / "zpost").exists()


def test_server_that_is_somebody_else_is_told(site, explain):
    """Neither it nor what has no TLS at all gets the mail."""
    site.host("mx1.secure")
    site.tlsa("mx1.secure", "3 1 1", site.ca.issue("other.example"))
    site.host("mx2.secure", secured=False)
    site.tlsa("mx2.secure", "3 1 1", site.ca.issue("mx2.secure.example"))
    site.mx("secure", "mx1.secure", "mx2.secure")
    d = secured(site, explain, status=TEMPFAIL)
    one, other = d["peers"]
    assert (one["tls"]["ok"], one["tls"]["fault"]) == (
        False, "tlsa-mismatch")
    assert one["result"] == "tlsa-mismatch" and one["tls_lines"]
    assert (other["tls"], other["tls_lines"]) == (None, [])
    assert other["result"] == "starttls-not-offered"
    assert d["failure"]["status"].startswith("4.7.")
    site.nothing_in_clear()


# ---- the command line -------------------------------------------------------


@pytest.mark.parametrize("args", [
    ["--explain"], ["--explain", "a@b", "c@d"], ["--explain", "--offline"],
    ["--explain", "--record=", "a@b"], ["--explain", "--nosuch", "a@b"],
    ["-json", "a@b"], ["--connect", "a@b"], ["--offline", "x", "a@b"],
    ["--explain", ""], ["-c", "--explain", "--connect", "a@b"]])
def test_wrong_usage(office, args):
    done = office.run("smtp", *args)
    assert done.returncode == USAGE and done.stdout == b""
    assert done.stderr.startswith(b"# ")


def test_the_value_of_another_option_is_left_alone(explain, smtpd):
    """-h --connect is a bad name, and no wish to connect."""
    server = smtpd()
    code, _, err = explain.raw("-h", "--connect", "-F", server.destination,
                               "bob@x.example")
    assert server.sessions == [] and code == USAGE and "-h" in err


def test_output_that_cannot_be_written(office):
    done = office.run("/bin/sh", "-c",
                      '"$0" --explain "[127.0.0.1]" > /dev/full',
                      program("smtp"))
    assert done.returncode == IOERR and b"No space" in done.stderr

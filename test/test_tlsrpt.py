"""
tlsrpt(8): reports about TLS, from counts in the store to what a receiver
gets, by mail through a signer and submit(8), and over HTTPS.
"""

import base64
import contextlib
import datetime
import email
import email.policy
import gzip
import http.server
import ipaddress
import json
import os
import pathlib
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import pytest

import zpost
from names import World
from submitted import Spool

USAGE, OSFILE, TEMPFAIL, CONFIG = 64, 72, 75, 78

# Over for an hour at least, so that midnight disturbs nobody.
DAY = (int(time.time()) - 3600) // 86400 - 1
DATE = datetime.date.fromordinal(
    datetime.date(1970, 1, 1).toordinal() + DAY).isoformat()
CONTACT = "tls-reports@Sender.example"
NONE, TLSA, STS = range(3)

RESULT_TYPES = ["starttls-not-supported", "certificate-host-mismatch",
                "certificate-expired", "certificate-not-trusted",
                "validation-failure", "tlsa-invalid", "dnssec-invalid",
                "dane-required", "sts-policy-fetch-error",
                "sts-policy-invalid", "sts-webpki-invalid"]

TXT = '_smtp._tls.{} TXT "v=TLSRPTv1; rua={}"'.format
RECORDS = [
    TXT("mail", "mailto:a%2Bb@mail.plain.example,mailto:c@other.example"),
    TXT("https", "https://reports.example/v1/https?x=y"),
    TXT("both", "mailto:d@both.plain.example,https://reports.example/both"),
    TXT("bang", "mailto:a@bang.plain.example!10m"),
    TXT("two", "mailto:a@two.plain.example"),
    TXT("two", "mailto:b@two.plain.example"),
    TXT("inject", "mailto:x%0D%0ABcc%3Ay@evil.example,"
        "mailto:-f@inject.plain.example"),
    TXT("useless", "ftp://reports.example/"),
]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    with World(tmp_path_factory.mktemp("world"),
               {"plain": RECORDS,
                "expired": [TXT("x", "mailto:a@b.example")]}) as w:
        yield w


# ---- somebody who takes reports over HTTPS ----------------------------------


class Sink(http.server.ThreadingHTTPServer):
    """Keeps what is posted; answers with `status`."""

    daemon_threads = True

    def __init__(self, folder: pathlib.Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 201
        self.posted: list[tuple[str, str, bytes]] = []
        self.ca = folder / "ca.pem"
        key = folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
             key, "-out", self.ca, "-subj", "/CN=reports", "-addext",
             "subjectAltName=DNS:reports.example"],
            check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 20

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(
            (self.path, self.headers["Content-Type"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def sink(tmp_path):
    server = Sink(tmp_path)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,),
                              daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


# ---- a host that has spoken TLS ---------------------------------------------


class Reporter(Spool):
    """A post office with a store of results."""

    def __init__(self, path, records, sink=None):
        super().__init__(path)
        self.records = records
        self.signer = self.script(
            "sign", "#!/bin/sh\necho 'DKIM-Signature: v=1; fake'\nexec cat\n")
        self.fetch = zpost.program("stsfetch")
        if sink is not None:
            self.fetch = self.script(
                "fetch", f"#!/bin/sh\nexec {zpost.program('stsfetch')}"
                f" -O ca-file={sink.ca} -O connect=127.0.0.1:"
                f"{sink.server_port} \"$@\"\n")
        self.tlsrpt("--dry-run")     # makes the tables

    def tlsrpt(self, *args, signer=True, status=0, **options):
        """Runs it to its end; gives what it says on its two outputs."""
        own = {"contact": CONTACT, "organization": "Sender \u00fc Ltd",
               "stsfetch": self.fetch,
               "submit": zpost.program("submit"), **options}
        if signer:
            own.setdefault("report-filter", self.signer)
        words = [x for k, v in own.items() for x in ("-O", f"{k}={v}")]
        done = self.run(zpost.program("tlsrpt"),
                        *self.records.options("validate"), *words, *args)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, err
        return out, err

    @contextlib.contextmanager
    def store(self):
        db = sqlite3.connect(self.var / "zpost" / "store.db", timeout=10)
        try:
            with db:
                yield db
        finally:
            db.close()

    def add(self, domain, *, day=DAY, kind=NONE, policy_domain=None,
            strings="", mx="", good=1, failures=()):
        """failures: (type word, count, texts...)"""
        failed = sum(f[1] for f in failures)
        with self.store() as db:
            group = db.execute(
                "INSERT INTO tls_groups(day, domain, kind, policy_domain,"
                " strings, mx, good, failed) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                (day, domain, kind, policy_domain or domain, strings, mx,
                 good, failed)).lastrowid
            for word, count, *texts in failures:
                texts += [""] * (6 - len(texts))
                db.execute(
                    "INSERT INTO tls_details VALUES(?, ?, ?, ?, ?, ?, ?, ?,"
                    " ?)",
                    (group, 1 + RESULT_TYPES.index(word), *texts, count))

    def age(self, seconds: int) -> None:
        """Makes all tries so much older."""
        with self.store() as db:
            db.execute("UPDATE tls_reports SET first=first-?, next=next-?",
                       (seconds, seconds))

    def mails(self) -> list:
        """Each queued message with its envelope: sender, recipients."""
        found = []
        for job in self.jobs():
            control = (self.transport / job.name).read_text()
            text = job.message.read_bytes().split(b"env-end\n", 1)[1]
            found.append((
                re.findall(r"^s \S+ \S+ (\S+) ", control, re.M),
                re.findall(r"^r .*? smtp \S+ (\S+) ", control, re.M),
                text))
        return found


@pytest.fixture
def host(tmp_path, records, sink):
    with Reporter(tmp_path, records, sink) as r:
        yield r


# ---- what a report is -------------------------------------------------------


def no_doubles(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def members(thing, needed: str, allowed: str = ""):
    assert isinstance(thing, dict)
    assert set(needed.split()) <= set(thing), thing
    assert set(thing) <= {*needed.split(), *allowed.split()}, thing


def check_report(text: bytes) -> dict:
    """RFC 8460 4.4, and what it says about each member."""
    report = json.loads(text.decode("utf-8", "strict"),
                        object_pairs_hook=no_doubles)
    members(report, "organization-name date-range contact-info report-id "
            "policies")
    members(report["date-range"], "start-datetime end-datetime")
    for end in report["date-range"].values():
        datetime.datetime.strptime(end, "%Y-%m-%dT%H:%M:%SZ")
    assert isinstance(report["policies"], list)
    for policy in report["policies"]:
        members(policy, "policy summary", "failure-details")
        what = policy["policy"]
        members(what, "policy-type policy-domain", "policy-string mx-host")
        assert what["policy-type"] in ("tlsa", "sts", "no-policy-found")
        for name in ("policy-string", "mx-host"):
            assert all(isinstance(s, str) for s in what.get(name, []))
            assert isinstance(what.get(name, []), list)
        members(policy["summary"], "total-successful-session-count "
                "total-failure-session-count")
        for detail in policy.get("failure-details", []):
            members(detail, "result-type failed-session-count",
                    "sending-mta-ip receiving-mx-hostname receiving-mx-helo "
                    "receiving-ip additional-information "
                    "failure-reason-code")
            assert detail["result-type"] in RESULT_TYPES
            assert isinstance(detail["failed-session-count"], int)
            for name in ("sending-mta-ip", "receiving-ip"):
                if name in detail:
                    ipaddress.ip_address(detail[name])
    return report


def check_mail(text: bytes, domain: str):
    """RFC 8460 5.3; gives the message and the report in it."""
    assert b"\r" not in text and text.isascii()
    assert max(map(len, text.split(b"\n"))) <= 998
    mail = email.message_from_bytes(text, policy=email.policy.default)
    assert mail["From"] == CONTACT
    assert mail["TLS-Report-Domain"] == domain
    assert mail["TLS-Report-Submitter"] == "sender.example"
    assert mail["TLS-Required"] == "No"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["MIME-Version"] == "1.0"
    assert mail["Date"].datetime.utcoffset() == datetime.timedelta(0)
    age = time.time() - mail["Date"].datetime.timestamp()
    assert -5 < age < 600
    assert mail.get_content_type() == "multipart/report"
    assert mail["Content-Type"].params["report-type"] == "tlsrpt"
    assert not mail.defects
    human, machine = mail.iter_parts()
    assert human.get_content_type() == "text/plain"
    assert domain in human.get_content() and DATE in human.get_content()
    assert machine.get_content_type() == "application/tlsrpt+gzip"
    name = machine.get_filename()
    begin = DAY * 86400
    assert re.fullmatch(rf"sender\.example!{re.escape(domain)}!{begin}!"
                        rf"{begin + 86399}![0-9a-z]+\.json\.gz", name)
    report = check_report(gzip.decompress(machine.get_content()))
    assert re.fullmatch(
        rf"Report Domain: {re.escape(domain)} Submitter: sender\.example "
        rf"Report-ID: <{re.escape(report['report-id'])}>", mail["Subject"])
    assert mail["Message-ID"] == f"<{report['report-id']}>"
    assert report["contact-info"] == CONTACT
    assert report["date-range"]["start-datetime"] == f"{DATE}T00:00:00Z"
    assert report["date-range"]["end-datetime"] == f"{DATE}T23:59:59Z"
    return mail, report


# ---- what comes of counts ---------------------------------------------------


def test_counts_become_a_report_of_the_rfc(host):
    host.add("mail.plain.example", kind=STS, good=5326,
             strings="version: STSv1\nmode: testing\nmx: *.mail.example\n"
             "max_age: 604800", mx="*.mail.example",
             failures=[("certificate-expired", 100, "2001:db8::1",
                        "203.0.113.56", "mx1.mail.example", "mx1", "",
                        "X509_V_ERR_CERT_HAS_EXPIRED")])
    host.add("mail.plain.example", kind=TLSA, good=0,
             policy_domain="mx1.mail.example", strings="3 1 1 00ff",
             failures=[("validation-failure", 2)])
    out, err = host.tlsrpt()
    assert (out, err) == ("", "")
    (senders, rcpts, text), = host.mails()
    assert senders == [CONTACT]
    assert rcpts == ["a+b@mail.plain.example", "c@other.example"]
    assert text.startswith(b"DKIM-Signature: v=1; fake\nFrom: ")
    mail, report = check_mail(text, "mail.plain.example")
    assert [a.addr_spec for a in mail["To"].addresses] == rcpts
    assert report["organization-name"] == "Sender \u00fc Ltd"
    sts, tlsa = report["policies"]
    assert sts == {
        "policy": {
            "policy-type": "sts", "policy-domain": "mail.plain.example",
            "policy-string": ["version: STSv1", "mode: testing",
                              "mx: *.mail.example", "max_age: 604800"],
            "mx-host": ["*.mail.example"]},
        "summary": {"total-successful-session-count": 5326,
                    "total-failure-session-count": 100},
        "failure-details": [{
            "result-type": "certificate-expired",
            "sending-mta-ip": "2001:db8::1", "receiving-ip": "203.0.113.56",
            "receiving-mx-hostname": "mx1.mail.example",
            "receiving-mx-helo": "mx1", "failed-session-count": 100,
            "failure-reason-code": "X509_V_ERR_CERT_HAS_EXPIRED"}]}
    assert tlsa["policy"] == {"policy-type": "tlsa",
                              "policy-domain": "mx1.mail.example",
                              "policy-string": ["3 1 1 00ff"]}


def test_every_result_type_is_reported(host):
    host.add("mail.plain.example", failures=[
        (word, 1 + i) for i, word in enumerate(RESULT_TYPES)])
    host.tlsrpt()
    (_, _, text), = host.mails()
    _, report = check_mail(text, "mail.plain.example")
    group, = report["policies"]
    assert {d["result-type"]: d["failed-session-count"]
            for d in group["failure-details"]} == {
                word: 1 + i for i, word in enumerate(RESULT_TYPES)}
    assert group["summary"]["total-failure-session-count"] == 66


def test_hostile_text_stays_text(host):
    texts = ['"},{"x":"', "\x00\x1b[31m", "\u2028\ufffe\U0001ffff", "a" * 5000,
             "\\", "\u202e</script>"]
    host.add("mail.plain.example", failures=[
        ("certificate-not-trusted", 1, "192.0.2.1", "192.0.2.2",
         t, t, t, t) for t in texts])
    host.tlsrpt()
    (_, _, text), = host.mails()
    _, report = check_mail(text, "mail.plain.example")
    details = report["policies"][0]["failure-details"]
    assert len(details) == len(texts)
    for detail in details:
        for name, value in detail.items():
            assert name == "failed-session-count" or len(value) <= 256
            assert not re.search("[\ufdd0-\ufdef\ufffe\uffff\U0001ffff]",
                                 str(value))


def test_https_gets_the_same_report(host, sink):
    host.add("both.plain.example", good=7)
    host.tlsrpt()
    (path, kind, body), = sink.posted
    assert (path, kind) == ("/both", "application/tlsrpt+gzip")
    (_, rcpts, text), = host.mails()
    assert rcpts == ["d@both.plain.example"]
    _, report = check_mail(text, "both.plain.example")
    assert check_report(gzip.decompress(body)) == report


def test_a_real_signature_survives_the_queue(host, records):
    dkim = pytest.importorskip("dkim")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = host.base / "key.pem2"
    pem.write_bytes(key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption()))
    public = base64.b64encode(key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo))
    signer = host.script("dkim-sign", f"""#!{sys.executable}
import sys, dkim
text = sys.stdin.buffer.read()
sys.stderr.write("signing\\n")
sys.stdout.buffer.write(dkim.sign(
    text, b"s", b"sender.example", open({str(pem)!r}, "rb").read(),
    include_headers=[b"From", b"To", b"Subject", b"TLS-Report-Domain",
                     b"TLS-Report-Submitter"]))
sys.stdout.buffer.write(text)
""")
    host.add("mail.plain.example")
    _, err = host.tlsrpt(**{"report-filter": signer})
    assert err == "signing\n"
    (_, _, text), = host.mails()
    check_mail(text, "mail.plain.example")
    wire = text.replace(b"\n", b"\r\n")
    where = []

    def lookup(name, timeout=5):
        where.append(name)
        return b"v=DKIM1; k=rsa; s=tlsrpt; p=" + public

    def lookup_plain(name, timeout=5):
        return lookup(name, timeout).replace(b" s=tlsrpt;", b"")

    assert dkim.verify(wire, dnsfunc=lookup_plain)
    assert where == [b"s._domainkey.sender.example."]
    assert not dkim.verify(wire.replace(b"mail.plain", b"evil.plain"),
                           dnsfunc=lookup_plain)


# ---- who gets none ----------------------------------------------------------


@pytest.mark.parametrize("domain,says", [
    ("none.plain.example", "nobody wants a report"),
    ("bang.plain.example", "a record that cannot be read"),
    ("two.plain.example", "more than one record"),
    ("useless.plain.example", ""),
])
def test_who_does_not_want_it_gets_nothing(host, sink, domain, says):
    host.add(domain)
    _, err = host.tlsrpt("-v")
    assert says in err
    assert host.mails() == [] and sink.posted == []
    assert host.tlsrpt("-v") == ("", "")     # and is not asked again


def test_an_address_cannot_add_headers_or_options(host):
    host.add("inject.plain.example")
    host.tlsrpt()
    (_, rcpts, text), = host.mails()
    assert rcpts == ["-f@inject.plain.example"]
    mail, _ = check_mail(text, "inject.plain.example")
    assert mail["Bcc"] is None and b"evil" not in text


def test_without_a_signer_only_https_is_sent_and_the_log_says_so(host, sink):
    host.add("both.plain.example")
    host.add("mail.plain.example")
    _, err = host.tlsrpt(signer=False)
    assert err.count("\n") == 1
    assert "not mailed" in err and "report-filter" in err
    assert len(sink.posted) == 1 and host.mails() == []
    assert host.tlsrpt() == ("", "")


def test_a_day_that_is_not_over_is_not_reported(host):
    host.add("mail.plain.example", day=DAY + 2)
    host.tlsrpt()
    host.tlsrpt("--domain", "mail.plain.example")
    assert host.mails() == []


# ---- once, and again --------------------------------------------------------


def test_a_second_run_sends_nothing_twice(host, sink):
    host.add("both.plain.example")
    for _ in range(3):
        host.tlsrpt()
        host.tlsrpt("--domain", "both.plain.example")
    assert len(sink.posted) == 1 and len(host.mails()) == 1


def test_two_runs_at_once_send_once(host, sink):
    for name in ("both", "https", "mail"):
        host.add(f"{name}.plain.example")
    runs = [threading.Thread(target=host.tlsrpt) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(40)
    assert len(sink.posted) == 2 and len(host.mails()) == 2


def test_what_failed_is_tried_again_later_and_no_more_than_that(host, sink):
    host.add("both.plain.example")
    sink.status = 503
    _, err = host.tlsrpt(status=TEMPFAIL)
    assert "both.plain.example" in err and "503" in err
    assert len(sink.posted) == 1 and len(host.mails()) == 1
    host.tlsrpt()                           # it is too early
    assert len(sink.posted) == 1
    sink.status = 200
    host.age(15 * 60)
    assert host.tlsrpt() == ("", "")
    assert len(sink.posted) == 2 and len(host.mails()) == 1
    first, second = (p[2] for p in sink.posted)
    assert first == second                  # byte by byte, so the same id
    host.age(86400)
    host.tlsrpt()
    assert len(sink.posted) == 2


def test_after_a_day_it_is_given_up(host, sink):
    host.add("https.plain.example")
    sink.status = 500
    host.tlsrpt(status=TEMPFAIL)
    host.age(86400)
    _, err = host.tlsrpt()
    assert "given up" in err
    host.age(86400)
    assert host.tlsrpt() == ("", "")
    assert len(sink.posted) == 2


@pytest.mark.parametrize("script,says", [
    ("exit 3", "exit status 3"),
    ("cat >/dev/null", "less than it got"),
    ("head -c 300", "less than it got"),
    ("kill -9 $$", "signal 9"),
    ("cat; exec head -c 4000000 /dev/zero", "too much"),
    ("exec sleep 30", "too long"),
])
def test_what_is_not_signed_is_not_sent(host, script, says):
    host.add("mail.plain.example")
    bad = host.script("bad", f"#!/bin/sh\n{script}\n")
    _, err = host.tlsrpt(status=TEMPFAIL, timeout="2",
                         **{"report-filter": bad})
    assert says in err and host.files() == []
    host.age(3600)
    host.tlsrpt()
    assert len(host.mails()) == 1


def test_submit_that_refuses_is_told_and_tried_again(host):
    host.add("mail.plain.example")
    host.set_zenv(POSTOFFICE=host.base / "nowhere")
    _, err = host.tlsrpt(status=TEMPFAIL)
    assert "submit: exit status 73" in err
    host.set_zenv(POSTOFFICE=host.path)
    host.age(3600)
    host.tlsrpt()
    assert len(host.mails()) == 1


def test_killed_behind_the_queue_it_is_sent_once_more_under_the_same_id(host):
    host.add("mail.plain.example")
    deadly = host.script("deadly", "#!/bin/sh\n"
                         f"{zpost.program('submit')} \"$@\"\n"
                         "kill -9 $PPID\n")
    host.tlsrpt(status=-9, submit=deadly)
    assert len(host.mails()) == 1
    host.tlsrpt()                           # it is another one's for a while
    assert len(host.mails()) == 1
    host.age(900)
    host.tlsrpt()
    host.age(900)
    host.tlsrpt()
    first, second = (check_mail(text, "mail.plain.example")
                     for _, _, text in host.mails())
    assert first[1] == second[1]
    assert first[0]["Message-ID"] == second[0]["Message-ID"]


def test_a_name_server_that_fails_delays_the_report(host):
    host.add("x.expired.example")
    _, err = host.tlsrpt(status=TEMPFAIL)
    assert "bogus" in err
    with host.store() as db:
        assert db.execute("SELECT tries, done FROM tls_reports"
                          ).fetchall() == [(1, 0)]


def test_reports_of_two_days_have_two_ids(host):
    host.add("mail.plain.example", good=1)
    host.add("mail.plain.example", good=2, day=DAY - 1)
    host.tlsrpt("--day", DATE)
    assert len(host.mails()) == 1
    host.tlsrpt()
    ids = {email.message_from_bytes(t)["Message-ID"]
           for _, _, t in host.mails()}
    assert len(ids) == 2


def test_old_days_are_forgotten(host):
    host.add("none.plain.example", day=DAY - 20)
    host.add("none.plain.example", day=DAY - 2)
    host.tlsrpt()
    with host.store() as db:
        assert db.execute("SELECT day FROM tls_groups").fetchall() == [
            (DAY - 2,)]


def test_many_domains_are_all_reported(host):
    host.add("mail.plain.example")
    for i in range(120):
        host.add(f"d{i}.plain.example")
    host.add("zz.plain.example")
    host.tlsrpt()
    assert len(host.mails()) == 1
    with host.store() as db:
        assert db.execute("SELECT count(*), sum(done) FROM tls_reports"
                          ).fetchall() == [(122, 122)]


# ---- dry runs, options ------------------------------------------------------


def test_a_dry_run_prints_and_changes_nothing(host, sink):
    host.add("both.plain.example")
    host.add("none.plain.example")
    out, err = host.tlsrpt("--dry-run", "--spread", "1h", signer=False)
    reports = [check_report(line.encode()) for line in out.splitlines()]
    assert [r["policies"][0]["policy"]["policy-domain"] for r in reports] == [
        "both.plain.example", "none.plain.example"]
    assert "would go to https://reports.example/both" in err
    assert "would go to d@both.plain.example, but there is no" in err
    assert f"none.plain.example {DATE}: nobody wants a report" in err
    assert sink.posted == [] and host.files() == []
    host.tlsrpt()
    assert len(sink.posted) == 1 and len(host.mails()) == 1
    out, _ = host.tlsrpt("--dry-run", "--domain", "BOTH.plain.example")
    assert len(out.splitlines()) == 1       # what was sent can be seen again


def test_a_dry_run_shows_a_day_that_is_under_way(host):
    today = datetime.date.fromisoformat(DATE) + datetime.timedelta(1)
    host.add("none.plain.example", day=DAY + 1)
    out, _ = host.tlsrpt("--dry-run", "--day", today.isoformat())
    assert json.loads(out)["date-range"]["start-datetime"].startswith(
        today.isoformat())


@pytest.mark.parametrize("words,says", [
    (["-x"], "usage:"),
    (["operand"], "usage:"),
    (["--day"], "usage:"),
    (["--day", "2026-02-30"], "--day 2026-02-30: expected YYYY-MM-DD"),
    (["--domain", "a b"], "--domain a b: expected a domain"),
    (["--spread", "25h"], "--spread 25h: expected an interval"),
    (["--spread", ""], "--spread"),
    (["-O", "colour=red"], "-O colour: there is no such key"),
    (["-O", "contact"], "-O contact: expected an address"),
    (["-O", "contact=a b@c"], "-O contact: expected an address"),
    (["-O", "dns=maybe"], "-O dns: expected"),
    (["-O", "dns-servers=x"], "-O dns-servers: expected"),
    (["-O", "report-filter=sign"], "-O report-filter: expected an absolute"),
    (["-O", "organization="], "-O organization: expected"),
    (["-O", "timeout=0"], "-O timeout: expected"),
    (["-O", "timeout=2h"], "-O timeout: expected"),
])
def test_wrong_options_are_named(host, words, says):
    done = host.run(zpost.program("tlsrpt"), *words)
    assert done.returncode == USAGE
    assert says in done.stderr.decode()


def test_the_contact_needs_a_full_host_name(host):
    done = host.run(zpost.program("tlsrpt"), "--dry-run")
    full = "." in os.uname().nodename
    assert done.returncode == (0 if full else USAGE)
    assert full or b"-O contact= is needed" in done.stderr


def test_a_store_that_cannot_be_used_is_told(host):
    shutil.rmtree(host.var / "zpost")
    (host.var / "zpost").write_text("a file")
    _, err = host.tlsrpt(status=TEMPFAIL)
    assert "store" in err


def test_the_manual_names_every_option_and_key():
    text = (zpost.ROOT / "man" / "tlsrpt.8").read_text()
    source = (zpost.ROOT / "src" / "tlsrpt" / "options.c").read_text()
    rows = source.split("own_rows[] = {", 1)[1].split("};", 1)[0]
    keys = re.findall(r'\{ "([a-z-]+)",', rows)
    assert len(keys) >= 12 and keys == sorted(keys)
    for key in keys:
        assert re.search(rf"^\.It Cm {key} Ns = Ns ", text, re.M), key
    for option in ("v", "V", "O", "-dry-run", "-day", "-domain", "-spread"):
        assert re.search(rf"^\.It Fl {option}\b", text, re.M), option

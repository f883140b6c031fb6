"""
stsfetch(8) against a real HTTPS server with a CA of its own: every way in
which a policy may be good or not, reports that are posted, and the policies
of the store renewed by several processes at once.
"""

import contextlib
import dataclasses
import datetime
import http.server
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zpost import SANITIZERS, program, wait_for

LIMIT = 30          # seconds that no run takes
PATH = "/.well-known/mta-sts.txt"
POLICY = ("version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\n"
          "mx: *.example.net\r\nmax_age: 604800\r\n")
PRINTED = POLICY.replace("\r", "")
DAY = 24 * 3600


# ---- certificates ---------------------------------------------------------


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclasses.dataclass
class Authority:
    """A CA below a folder; certificate(...) gives a file."""

    folder: object
    title: str = "test CA"

    def __post_init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.sign(self.title, self.key.public_key(), [],
                                     is_authority=True)
        self.file = self.folder / (self.title.replace(" ", "-") + ".pem")
        self.file.write_bytes(pem(self.certificate))

    def sign(self, subject, key, names, begin=-1, end=30, is_authority=False):
        now = datetime.datetime.utcnow()
        days = datetime.timedelta
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(self.title))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days(days=begin))
            .not_valid_after(now + days(days=end))
            .add_extension(x509.BasicConstraints(is_authority, None), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(n) for n in names]), False)
        return builder.sign(self.key, hashes.SHA256())

    def make(self, *names, subject="server", self_signed=False, **how):
        key = ec.generate_private_key(ec.SECP256R1())
        signer = self
        if self_signed:
            signer = Authority.__new__(Authority)
            signer.key, signer.title = key, subject
        path = self.folder / f"server-{os.urandom(4).hex()}.pem"
        path.write_bytes(
            pem(signer.sign(subject, key.public_key(), names, **how))
            + key.private_bytes(serialization.Encoding.PEM,
                                serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()))
        return path


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


# ---- servers --------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path,
                                 dict(self.headers.items()), body))
        self.server.answer(self)

    do_GET = do_POST = handle_any

    def say(self, status=200, type="text/plain", body=POLICY, more=()):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        if type is not None:
            self.send_header("Content-Type", type)
        for key, value in more:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    """answer(handler) answers each request; seen has them all."""

    daemon_threads = True

    def __init__(self, certificate, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.seen = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)

    def finish_request(self, request, address):
        request.settimeout(LIMIT)
        with contextlib.suppress(OSError, ssl.SSLError):
            with self.context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, address)

    def handle_error(self, request, address):
        pass


@pytest.fixture
def serve(authority):
    """serve(answer, names...) starts one; gives "127.0.0.1:PORT" and it."""
    servers = []

    def start(answer=Handler.say, *names, **how):
        certificate = authority.make(*(names or ("mta-sts.example.org",)),
                                     **how)
        server = Server(certificate, answer)
        threading.Thread(target=server.serve_forever, kwargs={
            "poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        server.place = "127.0.0.1:%d" % server.server_address[1]
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Raw:
    """A server that says bytes and no more, then keeps still or closes."""

    def __init__(self, data, keeps=False):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.place = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.data, self.keeps = data, keeps
        self.ended = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(LIMIT)
                peer.sendall(self.data)
                if self.keeps:
                    self.ended.wait(LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


# ---- the program ----------------------------------------------------------


@dataclasses.dataclass
class Run:
    status: int
    out: str
    err: str


def stsfetch(*words, env=None, stdin=b""):
    """Runs it; what it says is text of printable lines."""
    given = {k: os.environ[k] for k in SANITIZERS if k in os.environ}
    done = subprocess.run([program("stsfetch"), *map(str, words)],
                          input=stdin, capture_output=True, timeout=LIMIT,
                          env={"PATH": "/usr/bin:/bin", **given,
                               **(env or {})})
    run = Run(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert not re.search("[\0-\t\v-\x1f\x7f-\x9f\u2028-\u202e]",
                         run.out + run.err)
    assert run.err.count("\n") <= 1 or run.status == 64, run.err
    return run


@pytest.fixture
def fetch(authority):
    """fetch(server, domain) fetches a policy from there."""

    def run(server, domain="example.org", *more, **how):
        return stsfetch("-O", f"ca-file={authority.file}", "-O",
                        f"connect={server.place}", *more, "policy", domain,
                        **how)

    return run


def assert_failed(run, status, *words):
    """One line, and nothing on standard output."""
    assert run.out == ""
    assert run.status == status, run
    for word in words:
        assert word in run.err, run


# ---- policies -------------------------------------------------------------


def test_a_policy_is_printed(serve, fetch):
    server = serve()
    run = fetch(server)
    assert (run.status, run.out, run.err) == (0, PRINTED, "")
    assert len(server.seen) == 1
    command, path, headers, _ = server.seen[0]
    assert (command, path) == ("GET", PATH)
    assert headers["Host"] == "mta-sts.example.org"
    assert headers["User-Agent"].startswith("zpost/")
    assert "Cookie" not in headers and "Accept-Encoding" not in headers


@pytest.mark.parametrize("domain", ["EXAMPLE.org", "example.org."])
def test_the_domain_may_be_written_otherwise(serve, fetch, domain):
    assert fetch(serve(), domain).out == PRINTED


@pytest.mark.parametrize("type", ["text/plain; charset=utf-8", "TEXT/Plain",
                                  "text/plain ;format=flowed"])
def test_parameters_of_the_type_are_allowed(serve, fetch, type):
    assert fetch(serve(lambda h: h.say(type=type))).out == PRINTED


@pytest.mark.parametrize("type", ["text/html", "text/plainer", None,
                                  "application/octet-stream", "text",
                                  "text/html; text/plain"])
def test_another_type_is_refused(serve, fetch, type):
    run = fetch(serve(lambda h: h.say(type=type)))
    assert_failed(run, 69, "sts-policy-fetch-error: Content-Type")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(serve, fetch, status):
    server = serve(lambda h: h.say(status, more=[
        ("Location", "https://mta-sts.example.org/other")]))
    assert_failed(fetch(server), 69, f"HTTP status {status} (redirects")
    assert len(server.seen) == 1


@pytest.mark.parametrize("status, want", [
    (404, 69), (403, 69), (410, 69), (204, 69), (206, 69), (500, 75),
    (503, 75), (429, 75)])
def test_other_statuses(serve, fetch, status, want):
    body = "" if status == 204 else POLICY
    run = fetch(serve(lambda h: h.say(status, body=body)))
    assert_failed(run, want, f"sts-policy-fetch-error: HTTP status {status}")


@pytest.mark.parametrize("body", [
    "", "hello\r\n", POLICY.replace("enforce", "\x1b[31m"),
    POLICY.replace("STSv1", "STSv2"), POLICY.replace("max_age", "x")])
def test_what_is_no_policy_is_told(serve, fetch, body):
    run = fetch(serve(lambda h: h.say(body=body)))
    assert_failed(run, 65, "sts-policy-invalid: MTA-STS policy")


@pytest.mark.parametrize("data", [
    b"", b"hello\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", bytes(range(256))])
def test_what_is_no_http(serve, fetch, data):
    def answer(handler):
        handler.wfile.write(data)
        handler.close_connection = True

    run = fetch(serve(answer))
    assert run.status in (69, 75)
    assert_failed(run, run.status, "sts-policy-fetch-error: ")


def test_a_policy_in_chunks(serve, fetch):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in POLICY:
            handler.wfile.write(b"1\r\n" + part.encode() + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    assert fetch(serve(answer)).out == PRINTED


def test_odd_characters_are_not_printed(serve, fetch):
    body = POLICY + "note: a\u202eb\u0085c\n"
    assert fetch(serve(lambda h: h.say(body=body))).out == \
        PRINTED + "note: a???b??c\n"


@pytest.mark.parametrize("is_announced", [True, False])
def test_too_large(serve, fetch, is_announced):
    """Announced or not, no more than 64 KB are taken."""
    def answer(handler):
        if is_announced:
            handler.say(body=POLICY + "x: y\r\n" * 20000)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(100000):
            handler.wfile.write(b"x: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 100)

    assert_failed(fetch(serve(answer)), 69,
                  "sts-policy-fetch-error: too large")


def test_the_largest_is_taken(serve, fetch):
    body = POLICY + "x: " + "y" * (64 * 1024 - len(POLICY) - 5) + "\r\n"
    assert len(body) == 64 * 1024
    assert fetch(serve(lambda h: h.say(body=body))).status == 0


def test_headers_without_end(serve, fetch):
    def answer(handler):
        handler.send_response(200)
        for i in range(100000):
            handler.send_header(f"X-{i}", "x" * 100)
            handler.flush_headers()

    assert_failed(fetch(serve(answer)), 69, "header too large")


def test_endless_and_slow(serve, fetch):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        for _ in range(LIMIT * 10):
            handler.wfile.write(b"#")
            time.sleep(0.1)

    run = fetch(serve(answer), "example.org", "-O", "timeout=1")
    assert_failed(run, 75, "sts-policy-fetch-error: ", "timed out")


def test_cut_off(serve, fetch):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(POLICY.encode())
        handler.close_connection = True

    assert_failed(fetch(serve(answer)), 75, "sts-policy-fetch-error: ")


# ---- certificates and connections -----------------------------------------


@pytest.mark.parametrize("names, how", [
    (("mta-sts.example.net",), {}),                     # another name
    (("example.org",), {}),
    (("*.sts.example.org",), {}),
    (("mta-sts.example.org",), {"end": -0.5}),          # expired
    (("mta-sts.example.org",), {"begin": 1}),           # not valid yet
    (("mta-sts.example.org",), {"self_signed": True}),
], ids=["name", "domain", "wildcard", "expired", "future", "self-signed"])
def test_bad_certificates(serve, fetch, names, how):
    server = serve(Handler.say, *names, **how)
    assert_failed(fetch(server), 77, "sts-webpki-invalid: ")
    assert server.seen == []


def test_a_common_name_alone_does_not_count(serve, fetch, authority):
    server = serve(Handler.say, "other.example",
                   subject="mta-sts.example.org")
    assert_failed(fetch(server), 77, "sts-webpki-invalid: ")


def test_a_wildcard_certificate(serve, fetch):
    assert fetch(serve(Handler.say, "*.example.org")).status == 0


def test_only_named_authorities_are_trusted(serve, tmp_path):
    other = Authority(tmp_path, "other CA")
    run = stsfetch("-O", f"ca-file={other.file}", "-O",
                   f"connect={serve().place}", "policy", "example.org")
    assert_failed(run, 77, "sts-webpki-invalid: ")
    run = stsfetch("-O", f"connect={serve().place}", "policy", "example.org")
    assert_failed(run, 77, "sts-webpki-invalid: ")


def test_authorities_by_hash(serve, authority, tmp_path):
    subject = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(authority.file)],
        capture_output=True, check=True, timeout=LIMIT).stdout.decode()
    (tmp_path / f"{subject.strip()}.0").write_bytes(
        authority.file.read_bytes())
    run = stsfetch("-O", f"ca-path={tmp_path}", "-O",
                   f"connect={serve().place}", "policy", "example.org")
    assert run.out == PRINTED


def test_a_missing_file_of_authorities_is_our_fault(serve):
    run = stsfetch("-O", "ca-file=/no/such/file", "-O",
                   f"connect={serve().place}", "policy", "example.org")
    assert_failed(run, 78, "local: ")


def test_connection_refused(fetch):
    with socket.create_server(("127.0.0.1", 0)) as bound:
        place = "127.0.0.1:%d" % bound.getsockname()[1]

    class Gone:
        pass

    Gone.place = place
    assert_failed(fetch(Gone), 75, "sts-policy-fetch-error: ")


@pytest.mark.parametrize("data", [b"", b"220 mx ESMTP\r\n", b"\x16\x03\x03",
                                  b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000,
                                  bytes(range(256)) * 50])
def test_tls_garbage(fetch, data):
    with Raw(data) as server:
        assert_failed(fetch(server), 75, "sts-policy-fetch-error: ")


def test_a_server_that_keeps_still(fetch):
    with Raw(b"", keeps=True) as server:
        run = fetch(server, "example.org", "-O", "timeout=1")
    assert_failed(run, 75, "sts-policy-fetch-error: ")


def test_old_protocols_are_refused(serve, fetch):
    server = serve()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server.context.minimum_version = ssl.TLSVersion.TLSv1
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    assert_failed(fetch(server), 75, "sts-policy-fetch-error: ")
    assert server.seen == []


def test_the_environment_names_no_proxy(serve, fetch, tmp_path):
    with Raw(b"HTTP/1.1 407 No\r\n\r\n") as proxy:
        env = {k: f"http://{proxy.place}" for k in
               ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        env["HOME"] = str(tmp_path)
        (tmp_path / ".netrc").write_text(
            "default login user password secret\n")
        server = serve()
        assert fetch(server, env=env).out == PRINTED
    assert "Authorization" not in server.seen[0][2]


@pytest.mark.parametrize("url", ["https://localhost:1/", "https://127.0.0.1/",
                                 "https://[::1]/", "https://0.0.0.0/",
                                 "https://[::ffff:127.0.0.1]/"])
def test_loopback_is_not_connected_to(url):
    run = stsfetch("post", url, "text/plain")
    assert_failed(run, 69, "post: its address is of no other host")


@pytest.mark.parametrize("domain", [
    "", ".", "a..b", ".org", "a/b", "a:25", "user@host", "a b", "a?b", "a#b",
    "a\nb", "-x y", "[::1]", "x" * 64 + ".org", "a." * 130 + "org",
    "b\u00fccher.example"])
def test_what_is_no_domain_goes_nowhere(serve, fetch, domain):
    server = serve()
    assert_failed(fetch(server, domain), 78, "local: ")
    assert server.seen == []


@pytest.mark.parametrize("words", [
    (), ("policy",), ("policy", "a", "b"), ("post", "https://x.example/"),
    ("get", "a"), ("-x",), ("-O", "no=1", "policy", "a"),
    ("-O", "connect", "policy", "a"), ("-O", "connect=", "policy", "a"),
    ("-O", "background=1", "policy", "a"), ("-O", "timeout=0", "policy", "a"),
    ("-O", "timeout=x", "policy", "a"), ("-O", "timeout=3601", "policy", "a"),
    ("refresh",)])
def test_usage(words):
    run = stsfetch(*words)
    assert (run.status, run.out) == (64, "")
    assert run.err


# ---- reports --------------------------------------------------------------


REPORT = bytes(range(256)) * 1000


def post(authority, server, url="https://rua.example.org/v1/x?a=b", *more,
         stdin=REPORT):
    return stsfetch("-O", f"ca-file={authority.file}", "-O",
                    f"connect={server.place}", *more, "post", url,
                    "application/tlsrpt+gzip", stdin=stdin)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_report_is_posted(serve, authority, status):
    server = serve(lambda h: h.say(status, body="" if status == 204
                                   else "thanks"), "rua.example.org")
    run = post(authority, server)
    assert (run.status, run.out, run.err) == (0, "", "")
    (command, path, headers, body), = server.seen
    assert (command, path) == ("POST", "/v1/x?a=b")
    assert headers["Content-Type"] == "application/tlsrpt+gzip"
    assert headers["Content-Length"] == str(len(REPORT))
    assert "Expect" not in headers
    assert body == REPORT


@pytest.mark.parametrize("status, want", [(301, 69), (307, 69), (400, 69),
                                          (404, 69), (500, 75), (503, 75)])
def test_a_report_that_is_refused(serve, authority, status, want):
    server = serve(lambda h: h.say(status, more=[("Location", "/other")]),
                   "rua.example.org")
    assert_failed(post(authority, server), want,
                  f"post: HTTP status {status}")
    assert len(server.seen) == 1


def test_a_report_for_another_name_is_not_posted(serve, authority):
    server = serve(Handler.say, "other.example.org")
    assert_failed(post(authority, server), 77, "post: ")
    assert server.seen == []


@pytest.mark.parametrize("url", ["http://rua.example.org/", "ftp://a.example",
                                 "file:///etc/passwd", "rua.example.org",
                                 "https://u:p@rua.example.org/"])
def test_only_plain_https_urls(serve, authority, url):
    server = serve(Handler.say, "rua.example.org")
    run = post(authority, server, url)
    assert_failed(run, 78, "post: ")
    assert server.seen == []


def test_a_type_is_one_line(serve, authority):
    server = serve(Handler.say, "rua.example.org")
    run = stsfetch("-O", f"ca-file={authority.file}", "-O",
                   f"connect={server.place}", "post",
                   "https://rua.example.org/", "text/plain\r\nX: y")
    assert_failed(run, 78, "post: ")
    assert server.seen == []


def test_an_empty_report(serve, authority):
    server = serve(Handler.say, "rua.example.org")
    assert post(authority, server, stdin=b"").status == 0
    assert server.seen[0][3] == b""


# ---- the store ------------------------------------------------------------


class Store:
    """The store of a host, made by stsfetch, filled and read from here."""

    def __init__(self, folder, authority):
        self.folder = folder / "store"
        self.authority = authority
        assert self.refresh().status == 0

    def words(self, server=None, *more):
        words = ["-O", f"store={self.folder}",
                 "-O", f"ca-file={self.authority.file}"]
        if server is not None:
            words += ["-O", f"connect={server.place}"]
        return [*words, *more]

    def refresh(self, server=None, *domains, more=()):
        return stsfetch(*self.words(server, *more), "refresh", *domains)

    def sql(self, text, values=()):
        with contextlib.closing(sqlite3.connect(
                self.folder / "store.db", timeout=LIMIT)) as db, db:
            return db.execute(text, values).fetchall()

    def add(self, domain, age=2 * DAY, max_age=604800, id="old"):
        fetched = int(time.time()) - age
        text = (f"version: STSv1\nmode: testing\nmax_age: {max_age}\n"
                f"mx: old.example\n")
        self.sql("INSERT INTO sts_policies(domain, policy, id, fetched, tried,"
                 " failures, expires) VALUES(?, ?, ?, ?, 0, 0, ?)",
                 (domain, text, id, fetched, fetched + max_age))

    def row(self, domain):
        (policy, id, fetched, failures), = self.sql(
            "SELECT policy, id, fetched, failures FROM sts_policies"
            " WHERE domain=?", (domain,))
        return policy, id, time.time() - fetched < DAY, failures


@pytest.fixture
def store(tmp_path, authority):
    return Store(tmp_path, authority)


DOMAINS = [f"d{i}.example" for i in range(12)]
HOSTS = ["mta-sts." + d for d in DOMAINS]


def test_due_policies_are_renewed(store, serve):
    server = serve(Handler.say, *HOSTS)
    for domain in DOMAINS[:2]:
        store.add(domain)
    store.add(DOMAINS[2], age=60)
    store.add(DOMAINS[3], age=8 * DAY)      # over
    run = store.refresh(server, more=["-v"])
    assert run.status == 0
    assert run.out == "d0.example: renewed\nd1.example: renewed\n"
    assert sorted(h["Host"] for _, _, h, _ in server.seen) == HOSTS[:2]
    for domain in DOMAINS[:2]:
        policy, id, is_new, failures = store.row(domain)
        assert "mode: enforce" in policy and "mx: mx.example.org" in policy
        assert (id, is_new, failures) == ("old", True, 0)
    assert "testing" in store.row(DOMAINS[2])[0]
    again = store.refresh(server)
    assert (again.status, again.out, len(server.seen)) == (0, "", 2)


def test_a_policy_that_cannot_be_renewed_stays(store, serve):
    server = serve(lambda h: h.say(404), *HOSTS)
    store.add(DOMAINS[0])
    run = store.refresh(server)
    assert run.status == 75
    assert run.err == ("d0.example: sts-policy-fetch-error: "
                       "HTTP status 404\n")
    policy, id, is_new, failures = store.row(DOMAINS[0])
    assert "testing" in policy
    assert (id, is_new, failures) == ("old", False, 1)
    assert store.refresh(server).status == 0       # not so soon again
    assert len(server.seen) == 1


def test_named_domains_alone_are_renewed(store, serve):
    server = serve(Handler.say, *HOSTS)
    for domain in DOMAINS[:3]:
        store.add(domain)
    assert store.refresh(server, DOMAINS[1], "unknown.example").status == 0
    assert [h["Host"] for _, _, h, _ in server.seen] == [HOSTS[1]]
    assert store.refresh(server, "a/b").status == 73


def test_what_another_has_claimed_is_passed_over(store, serve):
    server = serve(Handler.say, *HOSTS)
    store.add(DOMAINS[0])
    store.sql("INSERT INTO sts_claims VALUES(?, ?)",
              (DOMAINS[0], int(time.time()) + 60))
    assert store.refresh(server).status == 0
    assert server.seen == []


def test_processes_renew_at_once_each_policy_once(store, serve):
    def answer(handler):
        time.sleep(0.02)
        handler.say()

    server = serve(answer, *HOSTS)
    for domain in DOMAINS:
        store.add(domain)
    given = {k: os.environ[k] for k in SANITIZERS if k in os.environ}
    running = [subprocess.Popen(
        [program("stsfetch"), *store.words(server), "refresh"],
        stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", **given})
        for _ in range(4)]
    for process in running:
        assert process.wait(LIMIT) == 0
    assert sorted(h["Host"] for _, _, h, _ in server.seen) == sorted(HOSTS)
    assert all(store.row(d)[2] for d in DOMAINS)
    assert store.sql("PRAGMA integrity_check") == [("ok",)]
    assert store.sql("SELECT * FROM sts_claims") == []


def test_in_the_background(store, serve):
    """The caller is let go before the answer is there."""
    may_answer = threading.Event()

    def answer(handler):
        may_answer.wait(LIMIT)
        handler.say()

    server = serve(answer, *HOSTS)
    store.add(DOMAINS[0])
    run = store.refresh(server, DOMAINS[0], more=["-O", "background"])
    assert (run.status, run.out, run.err) == (0, "", "")
    assert not store.row(DOMAINS[0])[2]
    may_answer.set()
    wait_for(lambda: store.row(DOMAINS[0])[2])
    wait_for(lambda: store.sql("SELECT * FROM sts_claims") == [])


def test_a_store_that_cannot_be_used(tmp_path, authority):
    (tmp_path / "store").write_text("this is no folder")
    run = stsfetch("-O", f"store={tmp_path}/store", "refresh")
    assert_failed(run, 73, "local: ", "is not a folder")

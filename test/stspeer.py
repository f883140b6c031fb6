"""
stspeer - an HTTPS server for MTA-STS policies (RFC 8461 3.3).

    with PolicyServer(ca) as web:
        web.serve("plain.example", policy("enforce", "mx1.plain.example"))
        ... fetch https://mta-sts.plain.example/.well-known/mta-sts.txt
            from web.place, an address and a port ...
    web.asked                   # ["mta-sts.plain.example"]

Each domain is a Page: what it answers, and with which certificate. It also
takes what is posted (reports of RFC 8460), by path, in web.posted.
"""

from __future__ import annotations

import dataclasses
import http.server
import socketserver
import ssl
import threading
import time

from names import free_place
from tlsca import Authority, Identity

PATH = "/.well-known/mta-sts.txt"
STALL = 120             # seconds; nobody waits that long


def policy(mode: str, *mx: str, max_age: int = 86400, end: str = "\r\n",
           **more) -> bytes:
    """A policy's text."""
    fields = [("version", "STSv1"), ("mode", mode),
              *(("mx", name) for name in mx), ("max_age", max_age),
              *more.items()]
    return "".join(f"{k}: {v}{end}" for k, v in fields).encode()


@dataclasses.dataclass
class Page:
    """
    status, type, headers, body   the answer
    identity   another certificate than the right one
    endless    the body again and again
    drip       seconds between its bytes
    stall      "handshake" or "answer": silence instead
    close      the connection is closed instead of an answer
    """

    body: bytes = b""
    status: int = 200
    type: str = "text/plain"
    headers: dict = dataclasses.field(default_factory=dict)
    identity: Identity | None = None
    endless: bool = False
    drip: float = 0
    stall: str = ""
    close: bool = False


class Handler(http.server.BaseHTTPRequestHandler):
    server: "Web"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass

    def domain(self) -> str:
        return self.headers.get("Host", "").split(":")[0].lower()

    def do_GET(self) -> None:
        owner = self.server.owner
        owner.asked.append(self.domain())
        owner.requests.append((self.path, dict(self.headers)))
        page = owner.pages.get(self.domain())
        if page is None or self.path != PATH:
            self.send_error(404)
            return
        if page.stall == "answer":
            owner.stopped.wait(STALL)
        if page.close or page.stall:
            self.close_connection = True
            return
        self.send_response(page.status)
        self.send_header("Content-Type", page.type)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if not page.endless:
            self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.send_body(page)
        self.close_connection = True

    def send_body(self, page: Page) -> None:
        stopped = self.server.owner.stopped
        if page.drip:
            for octet in page.body:
                self.wfile.write(bytes([octet]))
                if stopped.wait(page.drip):
                    return
        else:
            self.wfile.write(page.body)
        while page.endless and not stopped.is_set():
            self.wfile.write(page.body)

    def do_POST(self) -> None:
        owner = self.server.owner
        size = int(self.headers.get("Content-Length", "0"))
        owner.posted.append((self.path, dict(self.headers),
                             self.rfile.read(size)))
        self.send_response(owner.post_status)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Web(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    owner: "PolicyServer"

    def finish_request(self, request, client_address) -> None:
        """In the thread of the connection, so that one may stall."""
        try:
            request.settimeout(STALL)
            context = self.owner.context
            with context.wrap_socket(request, server_side=True) as s:
                self.RequestHandlerClass(s, client_address, self)
        except (OSError, ssl.SSLError) as problem:
            self.owner.troubles.append(str(problem))

    def handle_error(self, request, client_address) -> None:
        pass


class PolicyServer:
    """See above; ca signs what Pages do not bring along."""

    def __init__(self, ca: Authority):
        self.ca = ca
        self.pages: dict[str, Page] = {}
        self.contexts: dict[str, ssl.SSLContext] = {}
        self.asked: list[str] = []
        self.requests: list[tuple[str, dict]] = []
        self.posted: list[tuple[str, dict, bytes]] = []
        self.troubles: list[str] = []       # handshakes that failed
        self.post_status = 201
        self.stopped = threading.Event()
        self.context = self._context(ca.issue("nobody.example"))
        self.context.sni_callback = self._choose
        self.place = ("", 0)

    @staticmethod
    def _context(identity: Identity) -> ssl.SSLContext:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(identity.file)
        return c

    def _choose(self, connection, name, _) -> None:
        page = self.pages.get((name or "").lower())
        if page is not None and page.stall == "handshake":
            self.stopped.wait(STALL)
        if (name or "").lower() in self.contexts:
            connection.context = self.contexts[name.lower()]

    def serve(self, domain: str, page: Page | bytes) -> None:
        """From now on, for mta-sts.DOMAIN."""
        name = f"mta-sts.{domain}"
        if isinstance(page, bytes):
            page = Page(page)
        self.pages[name] = page
        self.contexts[name] = self._context(
            page.identity or self.ca.issue(name))

    def forget(self, domain: str) -> None:
        """The domain's page is gone: 404."""
        del self.pages[f"mta-sts.{domain}"]

    def count(self, domain: str) -> int:
        return self.asked.count(f"mta-sts.{domain}")

    def start(self) -> "PolicyServer":
        self.place = free_place()
        self.web = Web(self.place, Handler)
        self.web.owner = self
        self.thread = threading.Thread(
            target=self.web.serve_forever, kwargs={"poll_interval": 0.02},
            daemon=True, name="stspeer")
        self.thread.start()
        return self

    def stop(self) -> None:
        self.stopped.set()
        self.web.shutdown()
        self.thread.join(20)
        self.web.server_close()

    def wait_asked(self, domain: str, n: int, deadline: float = 20) -> None:
        end = time.monotonic() + deadline
        while self.count(domain) < n:
            assert time.monotonic() < end, f"{domain}: {self.asked}"
            time.sleep(0.01)

    def __enter__(self) -> "PolicyServer":
        return self.start()

    def __exit__(self, *exc) -> None:
        self.stop()

"""
AUTH with other people's servers behind a wire, where nothing but their
certificate makes them trusted: Postfix with Dovecot's SASL, Dovecot's
submission service, Exim.
"""

import os
import socket

import pytest

from authworld import NAME, relay, wire
from peerroot import START, Server
from peers_tls import PASSWORD, USER, Submission, TlsExim, TlsPostfix

__all__ = ["relay", "wire"]

pytestmark = pytest.mark.timeout(120)

SASL = """
protocols =
base_dir = /run/dovecot
state_dir = /var/lib/dovecot
log_path = /var/log/dovecot
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/mail
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class DovecotSasl(Server):
    """Dovecot's service auth alone."""

    NAME = "sasl"
    PACKAGES = ["dovecot-core"]
    USERS = {"dovecot": 61008, "dovenull": 61009}

    def __init__(self, folder, mechanisms: str):
        self.mechanisms = mechanisms
        super().__init__(folder)

    def setup(self) -> None:
        self.write("etc/dovecot/dovecot.conf", SASL.format(
            port=self.port, mechanisms=self.mechanisms.lower()))
        self.write("etc/dovecot/users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
        for name in ("run/dovecot", "var/lib/dovecot"):
            self.make_dir(name)

    def command(self) -> list[str]:
        return ["dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf"]


def behind(net, place: str, kind, hello: bytes = b"220", also=None):
    """
    The same server on the far host, at this address of it. also: what else is
    to be replaced in its configuration.
    """
    changes = {**(also or {}), "127.0.0.1": place}

    class Behind(kind):
        def setup(self) -> None:
            super().setup()
            for path in (self.folder / "etc").rglob("*"):
                if path.suffix not in (".conf", ".cf"):
                    continue
                stat, text = path.stat(), path.read_text()
                for old, new in changes.items():
                    text = text.replace(old, new)
                path.write_text(text)
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

        def command(self) -> list[str]:
            return [x.replace("127.0.0.1", place) for x in super().command()]

        def argv(self, *command) -> list[str]:
            return [*net.far_wrapper, *super().argv(*command)]

        def greets(self) -> bool:
            def ask() -> bool:
                with socket.create_connection((place, self.port),
                                              START) as s:
                    return s.recv(20).startswith(hello)

            try:
                return net.inside(ask)
            except OSError:
                return False

    return Behind


@pytest.fixture
def far(relay, server):
    """far(kind, name=, **how): a peer whose certificate has this name."""

    def start(kind, name: str = NAME, also=None, **how):
        place = relay.hosts.setdefault(NAME, relay.far())
        return server(behind(relay.net, place, kind, also=also),
                      identity=relay.ca.issue(name), **how)

    return start


def postfix(far, relay, server, mechanisms: str, **how):
    """Postfix that takes mail only from who is known to Dovecot."""
    place = relay.hosts.setdefault(NAME, relay.far())
    sasl = server(behind(relay.net, place, DovecotSasl, b"VERSION"),
                  mechanisms=mechanisms)
    return far(TlsPostfix, **how, smtpd_sasl_auth_enable="yes",
               smtpd_sasl_type="dovecot",
               smtpd_sasl_path=f"inet:{place}:{sasl.port}",
               smtpd_tls_auth_only="yes", smtpd_sasl_security_options="",
               smtpd_relay_restrictions="permit_sasl_authenticated, reject")


def send(relay, peer, words: str):
    relay.account(words)
    return relay.mail("-p", peer.port)


def is_authenticated(relay, way, mechanism: str) -> None:
    assert way.report.status == "ok3", way.out.text
    assert (way.record["security"]["reason"],
            way.record["tls"]["verdict"]) == ("account", "matched-name")
    said = [x.get("said", "") for x in way.record["connection"]["opening"]]
    assert [x.split(" ")[1] for x in said if x.startswith("AUTH ")] == [
        mechanism]


MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_postfix_with_dovecot(relay, far, server, mechanism):
    peer = postfix(far, relay, server, mechanism)
    way = send(relay, peer, f"user={USER} secret={PASSWORD}")
    is_authenticated(relay, way, mechanism)
    assert f"sasl_method={mechanism}, sasl_username={USER}" in peer.log
    assert len(peer.taken()) == 1


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_postfix_refuses_another_password(relay, far, server, mechanism):
    peer = postfix(far, relay, server, mechanism)
    send(relay, peer, f"user={USER} secret=wrong").is_kept("535", "4.7.8")
    assert peer.taken() == []


def test_postfix_would_not_take_it_without(relay, far, server):
    """So that what it took above it took for AUTH."""
    peer = postfix(far, relay, server, "PLAIN")
    relay.account(f"user={USER} secret={PASSWORD}", name="other.example")
    way = relay.mail("-p", peer.port)
    assert way.report.status == "error2" and peer.taken() == []


def test_exim(relay, far):
    peer = far(TlsExim)
    way = send(relay, peer, f"user={USER} secret={PASSWORD}")
    is_authenticated(relay, way, "CRAM-MD5")
    assert len(peer.taken()) == 1


def test_dovecot_submission(relay, far):
    final = relay.host("", name="final.example", secured=False, port=2525,
                       demands_auth=False)
    peer = far(Submission, relay_port=2525, mechanisms=" ".join(MECHANISMS),
               also={"relay_host = 127.0.0.1": f"relay_host = {final.listen}"})
    way = send(relay, peer, f"user={USER} secret={PASSWORD}")
    is_authenticated(relay, way, "SCRAM-SHA-256")
    assert len(final.messages) == 1


@pytest.mark.parametrize("kind", [TlsExim, "postfix"])
def test_server_with_another_name_gets_no_account(relay, far, server, kind):
    peer = postfix(far, relay, server, "PLAIN", name="other.example") \
        if kind == "postfix" else far(kind, "other.example")
    way = send(relay, peer, f"user={USER} secret={PASSWORD}")
    way.is_kept("", "4.7.5", reason="certificate-host-mismatch")
    assert peer.taken() == [] and "AUTH" not in str(way.record["tried"])

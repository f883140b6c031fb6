"""
smtp(8): where its connections come from (-L, BINDADDR, -O source), as the
server sees it.
"""

import fcntl
import os
import socket
import struct

import pytest

from smtpcheck import HOST
from test_smtp_options import deliver_one
from test_smtp_switches import peer_port, try_host

NOWHERE = "198.51.100.9"        # of nobody: RFC 5737
SIOCGIFADDR = 0x8915


def seen(server, session=0):
    """The address that a server saw us come from."""
    return server.sessions[session].transport.get_extra_info("peername")[0]


def interface():
    """An interface and its first IPv4 address, best not loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in reversed(socket.if_nameindex()):
            try:
                got = fcntl.ioctl(sock, SIOCGIFADDR,
                                  struct.pack("40s", name.encode()))
            except OSError:
                continue        # it has none
            return name, socket.inet_ntoa(got[20:24])
    raise AssertionError("not even loopback")


@pytest.mark.parametrize("end,address", [
    ("[127.0.0.9]", "127.0.0.9"),
    ("any", "127.0.0.1"),
    ("localhost", "127.0.0.1"),
    ("127.0.0.8", "127.0.0.8"),     # a host name like any other
    ("iface:lo", "127.0.0.1"),
    ("iface:v4:LO", "127.0.0.1"),
    # Nothing that concerns IPv4.
    ("any6", "127.0.0.1"),
    ("[IPv6:2001:db8::9]", "127.0.0.1"),
    ("iface:v6:lo", "127.0.0.1")])
def test_local_end(office, smtp, smtpd, end, address):
    server = smtpd()
    deliver_one(office, smtp(server, "-L", end))
    assert seen(server) == address


@pytest.mark.parametrize("end", ["[IPv6:::1]", "[ipv6.::1]", "any6",
                                 "iface:v6:lo", "iface:Lo", "[127.0.0.9]"])
def test_local_end_in_ipv6(office, smtp, smtpd, end):
    server = smtpd(listen="::1")
    deliver_one(office, smtp(server, "-L", end))
    assert seen(server) == "::1"


def test_local_end_of_an_interface(office, smtp, smtpd):
    name, address = interface()
    server = smtpd()
    deliver_one(office, smtp(server, "-L", f"iface:{name.upper()}"))
    assert seen(server) == address


@pytest.mark.parametrize("end,text", [
    (f"[{NOWHERE}]", "bind: Cannot assign requested address"),
    ("iface:nosuch0", "bind: no address of the local interface")])
def test_local_end_that_cannot_be_had(office, smtp, smtpd, end, text):
    """Puts mail off, and does not tell outsiders what it was."""
    server = smtpd()
    log = office.base / "sessions"
    agent = smtp(server, "-L", end, "-l", log)
    report = agent.run(office.post(), HOST).report
    assert report.status == "deferall"
    assert report.notary.status == "4.4.0 (internal error, bind)"
    assert text in report.message and text in log.read_text()
    assert NOWHERE not in report.line and "nosuch" not in report.line
    assert server.sessions == []


def test_bindaddr_is_the_default(office, smtp, smtpd):
    office.set_zenv(BINDADDR="[127.0.0.7]")
    one, other = smtpd(), smtpd()
    deliver_one(office, smtp(one))
    assert seen(one) == "127.0.0.7"
    deliver_one(office, smtp(other, "-L", "[127.0.0.8]"))
    assert seen(other) == "127.0.0.8"


def test_bindaddr_counts_in_the_connect_test(office, smtpd):
    office.set_zenv(BINDADDR="[127.0.0.7]")
    server = smtpd()
    host = f"[127.0.0.1]:{server.port}"
    assert try_host(office, host).endswith("connected!\n")
    server.wait_for(lambda: server.sessions, "the connection")
    assert seen(server) == "127.0.0.7"


def test_bad_bindaddr_is_not_passed_over(office):
    """Mail that came from elsewhere could be refused for good."""
    office.set_zenv(BINDADDR="[127.0.0.300]")
    done = office.run("smtp")
    assert done.returncode == 78 and done.stdout == b""
    assert done.stderr.startswith(b"# smtp: BINDADDR [127.0.0.300]: expected")


@pytest.mark.parametrize("value", ["", "[127.0.0.1", "[127.0.0.1]:25",
                                   "iface:", "two words"])
def test_bad_local_end(office, value):
    done = office.run("smtp", "-L", value)
    assert done.returncode == 64
    assert done.stderr.startswith(f"# smtp: -L {value}: expected".encode())


def test_reserved_port_of_a_local_end(office, smtp, smtpd):
    if os.getuid() != 0:
        pytest.skip("needs root")
    server = smtpd()
    deliver_one(office, smtp(server, "-r", "-L", "[127.0.0.9]"))
    assert seen(server) == "127.0.0.9"
    assert 512 <= peer_port(server.sessions[0]) < 1024


def test_unix_socket_has_no_local_end(office, smtp, smtpd, tmp_path):
    server = smtpd(listen=f"unix:{tmp_path}/s")
    deliver_one(office, smtp(server, "-L", f"[{NOWHERE}]",
                             "-O", f"source={NOWHERE}"))


def test_source_of_a_pool(office, smtp, smtpd):
    """Of each family one; what is not in the pool is -L's."""
    four, six = smtpd(), smtpd(listen="::1")
    for server in (four, six):
        deliver_one(office, smtp(server, "-L", "[IPv6:::1]",
                                 "-O", "source=127.0.0.5,127.0.0.6"))
    assert seen(four) in ("127.0.0.5", "127.0.0.6")
    assert seen(six) == "::1"


@pytest.mark.parametrize("name", ["localhost", "LocalHost"])
@pytest.mark.parametrize("pool,address", [
    ("127.0.0.5,127.0.0.4,127.0.0.3", "127.0.0.3"),
    ("127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,::1", "127.0.0.6")])
def test_source_hangs_on_the_destination(office, smtpd, name, pool, address):
    """For ever: an address builds its reputation with a destination."""
    server = smtpd()
    said = try_host(office, "-O", f"source={pool}", "-p", str(server.port),
                    name)
    assert said.endswith("connected!\n")
    server.wait_for(lambda: server.sessions, "the connection")
    assert seen(server) == address


@pytest.mark.parametrize("value", ["source", "source=", "source=127.0.0.1,",
                                   "source=localhost"])
def test_bad_source(office, value):
    done = office.run("smtp", "-O", value)
    assert done.returncode == 64
    assert done.stderr.startswith(
        f"# smtp: -O {value}: expected IP addresses".encode())

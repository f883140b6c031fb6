"""
Fixtures of the program tests, and their bounds: no test may run longer than
its timeout, nothing may outlive it, and a skip says why.
"""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from badnames import nameserver  # noqa: E402, F401
from mailway import mail  # noqa: E402, F401
from names import hosts, world  # noqa: E402, F401
import peerroot  # noqa: E402
from schedrun import scheduler  # noqa: E402, F401
import smtpd as smtpd_module  # noqa: E402
from submitserver import make, service  # noqa: E402, F401
from tlsworld import authorities, site  # noqa: E402, F401
import zpost  # noqa: E402


@pytest.fixture
def office(tmp_path):
    """A fresh post office; its agents end with the test."""
    with zpost.Postoffice(tmp_path) as o:
        yield o


@pytest.fixture
def need():
    """need("maildrop") gives the program's path, or skips saying its name."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def smtpd():
    """
    smtpd(**options) starts a scriptable server (see smtpd.py). After the
    test each must be free of violations that it was not told to allow.
    """
    servers = []

    def start(**options) -> smtpd_module.Server:
        servers.append(smtpd_module.Server(**options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
    for server in servers:
        server.check()


@pytest.fixture
def server(tmp_path):
    """
    server(kind, folder=..., **how) starts somebody else's mail system (see
    peerroot.py) in a folder of the test's; it ends with the test.
    """
    started = []

    def start(kind, folder=tmp_path / "peer", **how):
        try:
            started.append(kind(folder, **how))
        except peerroot.Missing as reason:
            pytest.skip(str(reason))
        started[-1].spare_disk()
        return started[-1].start()

    yield start
    for one in started:
        one.remove()


@pytest.fixture
def smtp(office, smtpd):
    """
    smtp(server, "-1", ...) runs smtp(8) with that server as the destination
    of everything (None: no -F), and takes its first "#hungry". After the test
    each that still runs is told to stop and must end well, without a word.
    """
    agents = []

    def start(server, *options, **how) -> zpost.Agent:
        if server is not None:
            options = ("-F", server.destination, *options)
        agent = office.agent("smtp", "-h", "client.example", *options, **how)
        agents.append(agent)
        agent.hungry()
        return agent

    yield start
    for agent in agents:
        if agent.status is None:
            assert agent.stop() == 0, agent.transcript
            assert agent.pending().lines == [] and agent.rest == b""

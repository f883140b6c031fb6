"""
smtp(8) and extensions that only some of other people's mail systems have:
DELIVERBY at sendmail, SMTPUTF8 at Postfix and Exim, and where they lack.
"""

import time

import pytest

import interop
from parcels import HOST
from peers_mta import Exim, Opensmtpd, Sendmail
from peers_postfix import Postfix
from smtpcheck import settled
from zpost import Rcpt

pytestmark = pytest.mark.timeout(120)

UNSUITED = "5.6.7"


@pytest.fixture
def smtp(office):
    """smtp(server, ...) as elsewhere, towards a real one."""

    def start(server, *options):
        return interop.client(office, server, "", *options)

    return start


# ---- DELIVERBY (RFC 2852) ---------------------------------------------------


@pytest.mark.parametrize("letters,mode", [
    (";R", "R"), (";N", "N"), (";RT", "RT"), (";NT", "NT"), ("", "N")])
def test_sendmail_has_the_deadline(office, server, smtp, letters, mode):
    sendmail = server(Sendmail)
    deadline = int(time.time()) + 5000
    job = office.post([
        Rcpt("a@example.com", notify=f"NOTIFY=FAILURE BY={deadline}{letters}"),
        Rcpt("b@example.com")])
    agent = smtp(sendmail)
    agent.run(job, HOST)
    assert job.marks == "++"
    assert agent.stop() == 0
    found = {m.rcpts[0]: m for m in sendmail.taken()}
    assert set(found) == {"a@example.com", "b@example.com"}
    assert found["b@example.com"].by is None
    seconds, _, said = found["a@example.com"].by.partition(";")
    assert said == mode and 4900 <= int(seconds) <= 5000


def test_sendmail_cannot_be_so_quick(office, server, smtp):
    """A least time that is not met: with R it fails, with N it goes."""
    sendmail = server(Sendmail, min_by=1000)
    at = int(time.time()) + 500
    job = office.post([Rcpt("a@example.com", notify=f"BY={at};R"),
                       Rcpt("b@example.com", notify=f"BY={at};N")])
    agent = smtp(sendmail)
    agent.run(job, HOST)
    assert job.marks == "-+"
    assert job.d_line(0).notary.code == "5.3.3"
    assert agent.stop() == 0
    assert [m.rcpts for m in sendmail.taken()] == [["b@example.com"]]


def test_deadline_where_nobody_knows_of_them(office, server, smtp):
    postfix = server(Postfix)
    at = int(time.time()) + 5000
    job = office.post([Rcpt("a@example.com", notify=f"BY={at};R"),
                       Rcpt("b@example.com", notify=f"BY={at};N")])
    agent = smtp(postfix)
    agent.run(job, HOST)
    assert job.marks == "-+"
    assert job.d_line(0).notary.code == "5.3.3"
    assert agent.stop() == 0
    assert [m.rcpts for m in postfix.taken()] == [["b@example.com"]]


# ---- SMTPUTF8 (RFC 6531) ----------------------------------------------------

JORN = "j\xf6rn@example.com"
UTF8_HEADER = ("From: J\xf6rn <j\xf6rn@example.net>\nTo: bob@example.com\n"
               "Subject: Gr\xfc\xdfe\n"
               "Date: Sat, 21 Nov 2026 20:35:16 +0000\n"
               "Message-ID: <1@example.net>\n").encode()


@pytest.mark.parametrize("kind", [Postfix, Exim])
@pytest.mark.parametrize("options", [(), ("-P",)])
def test_names_that_are_not_ascii(office, server, smtp, kind, options):
    peer = server(kind)
    body = "caf\xe9\n".encode()
    jobs = [office.post(rcpts, sender=sender, header=UTF8_HEADER, body=body)
            for sender, rcpts in (
                ("alice@example.net", [JORN]),
                ("\xe4lice@example.net", ["bob@example.com", JORN]),
                ("\u7528\u6237@\u4f8b\u3048.example", [JORN]))]
    agent = smtp(peer, *options)
    interop.run(agent, jobs)
    for job in jobs:
        settled(job, "+" * len(job.rcpts))
    assert agent.stop() == 0
    found = {m.sender.partition("@")[0]: m for m in peer.taken()}
    assert set(found) == {"alice", "\xe4lice", "\u7528\u6237"}
    assert found["alice"].rcpts == [JORN]
    assert sorted(found["\xe4lice"].rcpts) == ["bob@example.com", JORN]
    for message in found.values():
        assert message.content == UTF8_HEADER + b"\n" + body


@pytest.mark.parametrize("kind", [Postfix, Exim, Sendmail, Opensmtpd])
def test_domains_that_are_not_ascii(office, server, smtp, kind):
    """They need nothing: there is a name in ASCII for each."""
    peer = server(kind)
    job = office.post(["bob@ex\xe4mple.com"], sender="al@stra\xdfe.example")
    agent = smtp(peer)
    agent.run(job, HOST)
    settled(job, "+")
    assert agent.stop() == 0
    [message] = peer.taken()
    assert message.rcpts == ["bob@xn--exmple-cua.com"]
    assert message.sender == "al@xn--strae-oqa.example"


@pytest.mark.parametrize("kind", [Sendmail, Opensmtpd])
def test_names_where_smtputf8_is_not_known(office, server, smtp, kind):
    peer = server(kind)
    job = office.post(["bob@example.com", JORN])
    agent = smtp(peer)
    agent.run(job, HOST)
    assert job.marks == "+-"
    assert job.d_line(1).notary.code == UNSUITED
    assert agent.stop() == 0
    assert [m.rcpts for m in peer.taken()] == [["bob@example.com"]]

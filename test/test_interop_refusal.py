"""
smtp(8) and other people's mail systems that refuse: a recipient here and
there among many that are taken, messages that are too large, everything for
now. What they took and what was reported must be the same.
"""

import re

import pytest

import interop
import parcels
from peers_mta import DovecotLmtp, Exim, Opensmtpd, Sendmail
from peers_postfix import Postfix
from smtpcheck import one_report_each
from spoolfile import Rcpt

pytestmark = pytest.mark.timeout(120)

LMTP = ("-M", "-p", "24")
# server, options of ours, local parts that it refuses
REFUSERS = {
    "postfix": (Postfix, (), ("reject", "defer", "full", "greylist")),
    "exim": (Exim, (), ("reject", "defer", "greylist")),
    "sendmail": (Sendmail, (), ("reject", "defer")),
    "opensmtpd": (Opensmtpd, (), ("reject",)),
    "dovecot": (DovecotLmtp, LMTP, ("reject",)),
}
# What is then reported.
WORD = {"reject": ("error2", "-"), "defer": ("deferred", " "),
        "full": ("deferred", " "), "greylist": ("deferred", " ")}


def local_part(user):
    return user.partition("@")[0]


def mixed(n, refused):
    """Messages to some who are taken and some who are not."""
    pile = parcels.small(n, rcpts=3)
    for i, parcel in enumerate(pile):
        bad = [Rcpt(f"{name}@example.com") for name in refused]
        good = parcel.rcpts
        parcel.rcpts = {0: good, 1: bad[:1], 2: bad + good, 3: good + bad,
                        4: good[:1] + bad + good[1:], 5: bad,
                        6: good[:2]}[i % 7]
        # 452 may mean that these were too many.
        parcel.may_split = "full" in refused
    return pile


def check_reports(out, pile, jobs):
    """Each recipient as its local part says."""
    for parcel, job in zip(pile, jobs):
        wanted = [WORD.get(local_part(u), ("ok3", "+"))
                  for u in parcel.users]
        got = [out.of(job, i).status for i in range(len(wanted))]
        assert got == [status for status, _ in wanted], out.text
        assert job.marks == "".join(mark for _, mark in wanted)
        for i, (status, _) in enumerate(wanted):
            if status == "error2":
                assert re.match(r"5\.[01]\.1", job.d_line(i).notary.code)
            elif status == "deferred":
                report = out.of(job, i)
                assert report.notary.code.startswith("4.")
                assert "->> 45" in report.message


@pytest.mark.parametrize("way", ["", "-P", "window=1"])
@pytest.mark.parametrize("name", REFUSERS)
def test_recipients_are_refused(office, server, name, way):
    kind, options, refused = REFUSERS[name]
    peer = server(kind)
    pile = mixed(42, refused)
    jobs = [parcel.post(office) for parcel in pile]
    agent = interop.client(office, peer, way, *options)
    check_reports(interop.run(agent, jobs), pile, jobs)
    assert agent.stop() == 0
    for parcel in pile:
        parcel.rcpts = [r for r in parcel.rcpts
                        if local_part(r.user) not in WORD]
    parcels.compare([p for p in pile if p.rcpts], peer.taken())


# ---- too large --------------------------------------------------------------

LIMIT = 100_000
LIMITED = {
    "postfix": (Postfix, {"message_size_limit": LIMIT}),
    "postfix, unsaid": (Postfix, {"message_size_limit": LIMIT,
                                  "smtpd_discard_ehlo_keywords": "size"}),
    "postfix, unsaid, DATA": (Postfix, {
        "message_size_limit": LIMIT,
        "smtpd_discard_ehlo_keywords": "size, chunking"}),
    "exim": (Exim, {"message_size_limit": LIMIT}),
    "sendmail": (Sendmail, {"max_size": LIMIT}),
    "opensmtpd": (Opensmtpd, {"max_size": str(LIMIT)}),
}


@pytest.mark.parametrize("name", LIMITED)
def test_message_is_too_large(office, server, name):
    """And those before and behind it in the window are not."""
    kind, how = LIMITED[name]
    peer = server(kind, **how)
    pile = parcels.small(30)
    for i in (3, 4, 17, 29):
        pile[i].body = b"much too much\n" * 15000
    jobs = [parcel.post(office) for parcel in pile]
    agent = interop.client(office, peer)
    out = interop.run(agent, jobs)
    for parcel, job in zip(pile, jobs):
        large = len(parcel.body) > LIMIT
        assert out.of(job).status == ("error2" if large else "ok3"), \
            out.text
        assert job.marks == ("-" if large else "+")
        if large:
            assert job.d_line().notary.code in ("5.3.4", "5.2.3"), name
            assert "552" in job.d_line().notary.diagnostic
    assert agent.stop() == 0
    parcels.compare([p for p in pile if len(p.body) < LIMIT], peer.taken())


# ---- everything, for now or for good ----------------------------------------

LATER = "check_client_access static:{451 4.3.2 in a while}"
# main.cf, and what comes of it with DATA and with BDAT
NOT_NOW = {
    "relaying": ({"smtpd_relay_restrictions": "defer_unauth_destination"},
                 "deferred", "deferred", "4.7.1"),
    "relaying, for good": (
        {"smtpd_relay_restrictions": "reject_unauth_destination"},
        "error2", "error2", "5.7.1"),
    "at MAIL": ({"smtpd_delay_reject": "no",
                 "smtpd_sender_restrictions": LATER},
                "deferred", "deferred", "4.3.2"),
    # It looks at these once the last chunk is there.
    "at DATA": ({"smtpd_data_restrictions": LATER},
                "deferred", "deferback", "4.3.2"),
    "at the end": ({"smtpd_end_of_data_restrictions": LATER},
                   "deferback", "deferback", "4.3.2"),
    "at the end, for good": (
        {"smtpd_end_of_data_restrictions":
         "check_client_access static:{554 5.7.1 spam}"},
        "error2", "error2", "5.7.1"),
}


@pytest.mark.parametrize("data", ["DATA", "BDAT"])
@pytest.mark.parametrize("case", NOT_NOW)
def test_postfix_refuses_everything(office, server, case, data):
    main, *status, code = NOT_NOW[case]
    status = status[data == "BDAT"]
    peer = server(Postfix, **main, smtpd_discard_ehlo_keywords=(
        "" if data == "BDAT" else "chunking"))
    pile = parcels.small(40, rcpts=2)
    jobs = [parcel.post(office) for parcel in pile]
    agent = interop.client(office, peer)
    out = interop.run(agent, jobs)
    one_report_each(out, *jobs)
    # Postfix keeps an envelope whose content it refused so, and answers a
    # MAIL that came right behind with 503.
    wrong = [r.line for r in out.reports if r.status != status
             and "503 5.5.1 Error: nested MAIL command" not in r.message]
    assert wrong == []
    for job in jobs:
        for i in range(2):
            report = out.of(job, i)
            if report.status != status:
                continue
            notary = (job.d_line(i).notary if status == "error2"
                      else report.notary)
            assert notary.code == code
        assert job.marks in ("--" if status == "error2" else "  ", "  ")
    assert agent.stop() == 0
    assert peer.taken() == []


def test_postfix_refuses_one_sender_at_the_end(office, server):
    """After the content, in the middle of a window that else is fine."""
    peer = server(Postfix)
    pile = parcels.small(40)
    for parcel in pile[::5]:
        parcel.sender = "after@example.net"
    jobs = [parcel.post(office) for parcel in pile]
    agent = interop.client(office, peer)
    out = interop.run(agent, jobs)
    for parcel, job in zip(pile, jobs):
        refused = parcel.sender == "after@example.net"
        assert out.of(job).status == ("deferback" if refused else "ok3")
        assert job.marks == (" " if refused else "+")
    assert agent.stop() == 0
    parcels.compare([p for p in pile if p.sender != "after@example.net"],
                    peer.taken())


def test_postfix_with_soft_bounce(office, server):
    """Every 5xx becomes a 4xx."""
    peer = server(Postfix, soft_bounce="yes")
    job = office.post(["reject@example.com", "bob@example.com"])
    agent = interop.client(office, peer)
    out = interop.run(agent, [job])
    assert [out.of(job, i).status for i in range(2)] == ["deferred", "ok3"]
    assert agent.stop() == 0


@pytest.mark.parametrize("way", ["", "-P"])
def test_opensmtpd_that_wants_no_more(office, server, way):
    """
    By default it takes 100 messages in a session and refuses further MAILs.
    What was not delivered in the first round is in the second.
    """
    peer = server(Opensmtpd, max_mails=40)
    pile = parcels.small(70)
    jobs = [parcel.post(office) for parcel in pile]
    for _ in range(2):
        agent = interop.client(office, peer, way)
        left = [job for job in jobs if job.marks == " "]
        out = interop.run(agent, left)
        assert {r.status for r in out.reports} <= {"ok3", "deferred"}
        assert agent.stop() == 0
    assert [job.marks for job in jobs] == ["+"] * 70
    parcels.compare(pile, peer.taken())

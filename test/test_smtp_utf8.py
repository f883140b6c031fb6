"""
smtp(8) and SMTPUTF8 (RFC 6531, RFC 6533): which mail needs it, what is said
then, and how names and headers go where it is not offered.
"""

import pytest

from smtpcheck import HOST, one_report_each, settled
from zpost import Group, Rcpt, Sender

UTF8 = ["SMTPUTF8", "8BITMIME"]
JORN = "j\xf6rn@example.com"
UNSUITED = "5.6.7 (Non-ASCII addresses not permitted)"


def needs(message):
    return "SMTPUTF8" in message.mail.params


# An address, what RCPT and MAIL have, and whether that needs SMTPUTF8.
ADDRESSES = [
    ("bob@example.com", "bob@example.com", False),
    (JORN, JORN, True),
    ("\u7528\u6237@\u4f8b\u3048.example",
     "\u7528\u6237@\u4f8b\u3048.example", True),
    ('"j\xf6rn b"@example.com', '"j\xf6rn b"@example.com', True),
    ("\U0001f600@x.example", "\U0001f600@x.example", True),
    ("bob@ex\xe4mple.com", "bob@xn--exmple-cua.com", False),
    ("bob@EX\xc4MPLE.com", "bob@xn--exmple-cua.com", False),
    ("bob@exa\u0308mple.com", "bob@xn--exmple-cua.com", False),
    ("bob@stra\xdfe.example", "bob@xn--strae-oqa.example", False),
    ("bob@\u4f8b\u3048\u3002example", "bob@xn--r8jz45g.example", False),
]


@pytest.mark.parametrize("keyword", ["SMTPUTF8", "SmtpUtf8"])
@pytest.mark.parametrize("address,wire,need", ADDRESSES)
def test_addresses_where_it_is_offered(office, smtp, smtpd, address, wire,
                                       need, keyword):
    """Only a local part needs it; the server blames what it was not told."""
    server = smtpd(keywords=[keyword, "8BITMIME"])
    job = office.post(groups=[Group([address]),
                              Group(["bob@x.example"], Sender(address))])
    smtp(server).run(job, HOST)
    settled(job, "++")
    assert [needs(m) for m in server.messages] == [need, need]
    assert server.messages[0].addresses == [wire]
    assert server.messages[1].sender == wire


@pytest.mark.parametrize("address,wire,need", ADDRESSES)
def test_addresses_where_it_is_not(office, smtp, smtpd, address, wire, need):
    server = smtpd(keywords=["8BITMIME", "PIPELINING"])
    job = office.post(groups=[Group(["a@x.example", address]),
                              Group(["bob@x.example"], Sender(address))])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    settled(job, "+--" if need else "+++")
    if need:
        assert {d.notary.status for d in job.d_lines} == {UNSUITED}
        assert f"<{address}>" in job.d_line(1).message
        assert [m.addresses for m in server.messages] == [["a@x.example"]]
    else:
        assert server.messages[0].addresses == ["a@x.example", wire]
        assert server.messages[1].sender == wire


def test_those_who_do_not_need_it_go_without(office, smtp, smtpd):
    """So a host behind this one that lacks it costs them nothing."""
    server = smtpd(keywords=[*UTF8, "PIPELINING"])
    job = office.post(["a@x.example", "b@\xe4.example", JORN,
                       "\xe4@x.example", "c@x.example"])
    smtp(server).run(job, HOST)
    settled(job, "+++++")
    assert [(needs(m), m.addresses) for m in server.messages] == [
        (False, ["a@x.example", "b@xn--4ca.example"]),
        (True, [JORN, "\xe4@x.example"]), (False, ["c@x.example"])]


def test_sender_that_needs_it_needs_it_for_all(office, smtp, smtpd):
    server = smtpd(keywords=UTF8)
    job = office.post(["a@x.example", JORN, "c@x.example"], sender=JORN)
    smtp(server).run(job, HOST)
    assert [(needs(m), len(m.rcpts)) for m in server.messages] == [(True, 3)]


@pytest.mark.parametrize("pipelined", [[], ["PIPELINING"]])
@pytest.mark.parametrize("refusal", ["555 5.5.4 SMTPUTF8?", "501 5.5.4 no"])
def test_server_that_refuses_it_does_not_have_it(office, smtp, smtpd,
                                                 refusal, pipelined):
    server = smtpd(keywords=["SMTPUTF8", *pipelined],
                   lies={"SMTPUTF8": refusal})
    job = office.post(["a@x.example", JORN])
    out = smtp(server).run(job, HOST)
    settled(job, "+-")
    assert job.d_line(1).notary.status == UNSUITED, out.text
    assert [m.addresses for m in server.messages] == [["a@x.example"]]


# ---- ORCPT ----------------------------------------------------------------

# The user, ORCPT= of the `N` line, and of RCPT with SMTPUTF8 and without.
ORCPTS = [
    (JORN, None, f"utf-8;{JORN}", None),
    ('"\xf6 +=\\\\"@x', None,
     'utf-8;"\xf6\\x{20}\\x{2B}\\x{3D}\\x{5C}\\x{5C}"@x', None),
    (JORN, "rfc822;bob@x", "rfc822;bob@x", None),
    (JORN, "utf-8;\u20ac@x", "utf-8;\u20ac@x", None),
    (JORN, "rfc822;\u20ac@x", f"utf-8;{JORN}", None),
    ("bob@x", "utf-8;\u20ac@x", "utf-8;\\x{20AC}@x", "utf-8;\\x{20AC}@x"),
    ("bob@x", "utf-8;\U0001f600@x", "utf-8;\\x{1F600}@x",
     "utf-8;\\x{1F600}@x"),
    ("bob@x", "utf-8;\\x{20AC}@x", "utf-8;\\x{20AC}@x", "utf-8;\\x{20AC}@x"),
    ("bob@\xe4", None, "rfc822;bob@xn--4ca", "rfc822;bob@xn--4ca"),
]


@pytest.mark.parametrize("user,given,wide,plain", ORCPTS,
                         ids=range(len(ORCPTS)))
def test_original_recipient(office, smtp, smtpd, user, given, wide, plain):
    line = None if given is None else "ORCPT=" + given
    for keywords, wanted in ((["DSN", *UTF8], wide), (["DSN"], plain)):
        server = smtpd(keywords=keywords)
        job = office.post([Rcpt(user, notify=line)])
        smtp(server).run(job, HOST)
        assert [m.rcpts[0].params["ORCPT"] for m in server.messages] == (
            [] if wanted is None else [wanted])


# ---- headers --------------------------------------------------------------


@pytest.mark.parametrize("keywords,header,need", [
    (UTF8, "Subject: gr\xfc\xdfe\n".encode(), True),
    (UTF8, "Subject: gr\xfc\xdfe\n".encode("latin-1"), False),
    (UTF8, b"Subject: hi\n", False),
    (["8BITMIME"], "Subject: gr\xfc\xdfe\n".encode(), False),
    ([], "Subject: gr\xfc\xdfe\n".encode(), False)])
def test_raw_header_goes_under_it_or_as_it_is(office, smtp, smtpd, keywords,
                                              header, need):
    """If it must stay, that is."""
    server = smtpd(keywords=keywords)
    job = office.post(header=header)
    assert smtp(server, "-H").run(job, HOST).report.status == "ok3"
    assert needs(server.messages[0]) == need
    assert server.messages[0].header == header


@pytest.mark.parametrize("user,raw", [("bob@x.example", False), (JORN, True)])
def test_header_stays_raw_only_where_the_mail_goes_under_it(
        office, smtp, smtpd, user, raw):
    header = "Subject: gr\xfc\xdfe\n".encode()
    server = smtpd(keywords=UTF8)
    smtp(server).run(office.post([user], header=header), HOST)
    assert needs(server.messages[0]) == raw
    assert (server.messages[0].header == header) == raw
    assert server.messages[0].header in (
        header, b"Subject: =?UTF-8?B?Z3LDvMOfZQ==?=\n")


def test_lmtp_server_that_offers_it(office, smtp, smtpd):
    server = smtpd(lmtp=True, keywords=UTF8)
    job = office.post([JORN, "\xe4@x.example"])
    smtp(server, "-M", "-p", "24").run(job, HOST)
    settled(job, "++")
    assert needs(server.messages[0])

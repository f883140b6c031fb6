"""
smtp(8) and the extensions of ESMTP: what is said to a server that offers one,
to one that does not, and to one that offers it and does not keep to it. More
on SIZE and 8BITMIME is in test_smtp_delivery, on DSN in test_smtp_dsn.
"""

import pytest

from smtpcheck import (HOST, NO_KEYWORDS, one_report_each, settled,
                       size_estimate)
from smtpd import Do
from zpost import Rcpt

REFUSALS = ["555 5.5.4 unsupported parameter", "501 5.5.4 syntax error",
            "504 not implemented", "555 what?"]
PIPELINED = [[], ["PIPELINING"]]


def params(server, n=-1):
    """The parameters of the n-th message's MAIL and RCPT."""
    m = server.messages[n]
    return m.mail.params, m.rcpts[0].params


def in_any_case(keyword):
    """The keyword as servers write it."""
    word, blank, rest = keyword.partition(" ")
    mixed = "".join(c.lower() if i % 2 else c for i, c in enumerate(word))
    return [w + blank + rest for w in (word, word.lower(), mixed)]


def everything(office):
    """A message for which every parameter has something to say."""
    return office.post([Rcpt("bob@example.com",
                             notify="NOTIFY=SUCCESS BY=4000000000;N")],
                       envid="QQ1", ret="FULL", body="h\xf6\n".encode())


# An extension, and what MAIL and RCPT say because of it.
SAID = [
    ("8BITMIME", {"BODY": "8BITMIME"}, {}),
    ("DSN", {"ENVID": "QQ1", "RET": "FULL"},
     {"NOTIFY": "SUCCESS,DELAY", "ORCPT": "rfc822;bob@example.com"}),
    ("SIZE", {"SIZE": None}, {}),
    ("SIZE 100000", {"SIZE": None}, {}),
    ("DELIVERBY", {"BY": None}, {}),
    ("DELIVERBY 60", {"BY": None}, {}),
]


@pytest.mark.parametrize("keyword,mail,rcpt", [
    (k, mail, rcpt) for base, mail, rcpt in SAID for k in in_any_case(base)])
def test_parameters_of_an_offered_extension(office, smtp, smtpd, keyword,
                                            mail, rcpt):
    """And of no other; the keyword may be written in any case."""
    server = smtpd(keywords=[keyword])
    job = everything(office)
    smtp(server).run(job, HOST)
    mail = dict(mail)
    said, of_rcpt = params(server)
    if "SIZE" in mail:
        # the text is encoded for a server without 8BITMIME: that is counted
        mail["SIZE"] = str(len(server.messages[0].content))
    if "BY" in mail:
        by = said["BY"]
        assert by.endswith(";N") and 0 < int(by[:-2]) <= 999999999
        mail["BY"] = by
    assert (said, of_rcpt) == (mail, rcpt)


@pytest.mark.parametrize("answer", ["EHLO", "HELO"])
def test_no_parameters_where_nothing_is_offered(office, smtp, smtpd, answer):
    script = {"EHLO": "500 what?"} if answer == "HELO" else {}
    server = smtpd(keywords=NO_KEYWORDS, script=script)
    smtp(server).run(everything(office), HOST)
    assert params(server) == ({}, {})
    assert "BDAT" not in server.messages[0].by


@pytest.mark.parametrize("pipelined", PIPELINED)
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("keyword", ["8BITMIME", "DSN", "SIZE", "DELIVERBY"])
def test_extension_that_is_refused_is_left_out(office, smtp, smtpd, keyword,
                                               refusal, pipelined):
    """
    At once, also for the next message, and over the next connection; but
    each connection is asked for what some mail cannot go without.
    """
    others = [k for k in ("8BITMIME", "DSN", "SIZE") if k != keyword]
    server = smtpd(keywords=[keyword, *others, *pipelined],
                   lies={keyword: refusal})
    jobs = [everything(office) for _ in range(3)]
    agent = smtp(server, "-1")
    for job in jobs:
        out = agent.run(job, HOST)
        one_report_each(out, job)
        assert out.report.status in ("ok2", "ok3"), out.text
        assert job.marks == "+"
    assert len(server.messages) == 3
    lied = {"8BITMIME": "BODY", "DSN": "RET", "SIZE": "SIZE",
            "DELIVERBY": "BY"}[keyword]
    for m in server.messages:
        assert lied not in m.mail.params
        assert keyword != "DSN" or m.rcpts[0].params == {}
    tried = [c for c in server.commands() if f" {lied}=" in c]
    assert len(tried) == (3 if keyword == "DELIVERBY" else 1), tried


@pytest.mark.parametrize("pipelined", PIPELINED)
def test_refusal_that_names_a_parameter_costs_only_that(office, smtp, smtpd,
                                                        pipelined):
    server = smtpd(keywords=["DSN", "SIZE", "8BITMIME", *pipelined],
                   lies={"SIZE": "555 5.5.4 SIZE: not now"})
    assert smtp(server).run(everything(office), HOST).report.status == "ok2"
    said, of_rcpt = params(server)
    assert set(said) == {"BODY", "ENVID", "RET"}
    assert set(of_rcpt) == {"NOTIFY", "ORCPT"}


def test_refused_address_is_not_taken_for_a_parameter(office, smtp, smtpd):
    server = smtpd(keywords=["DSN", "ENHANCEDSTATUSCODES"], script={
        "RCPT": ["501 5.1.3 bad address", "555 5.1.3 bad address"]})
    job = office.post(["a@x.example"])
    assert smtp(server).run(job, HOST).report.status == "error2"
    settled(job, "-")
    assert job.d_line().notary.code == "5.1.3"


# ---- SIZE -----------------------------------------------------------------


def test_size_just_at_the_limit(office, smtp, smtpd):
    job = office.post(body=b"x" * 70 + b"\n")
    server = smtpd(keywords=[f"SIZE {size_estimate(job)}"])
    assert smtp(server).run(job, HOST).report.status == "ok3"


@pytest.mark.parametrize("event", ["MAIL", "."])
def test_server_that_takes_less_than_it_says(office, smtp, smtpd, event):
    server = smtpd(keywords=["SIZE 100000", "ENHANCEDSTATUSCODES"],
                   script={event: "552 5.3.4 too big"})
    job = office.post()
    assert smtp(server).run(job, HOST).report.status == "error2"
    assert job.d_line().notary.code == "5.3.4"


# ---- PIPELINING -----------------------------------------------------------


@pytest.mark.parametrize("keyword", in_any_case("PIPELINING"))
def test_commands_are_grouped_where_it_is_offered(office, smtp, smtpd,
                                                  keyword):
    server = smtpd(keywords=[keyword])
    job = office.post(["a@x.example", "b@x.example"])
    assert smtp(server).run(job, HOST).reports[0].status == "ok3"
    [group] = [g for g in server.groups() if g.startswith(b"MAIL")]
    assert group.count(b"\r\n") == 4 and group.endswith(b"DATA\r\n")


def test_server_that_cannot_take_groups(office, smtp, smtpd):
    """It hangs up on one; from then on commands come one by one."""
    server = smtpd(keywords=["PIPELINING"], script={
        "MAIL": lambda s: Do(close="before") if s.input else None})
    jobs = [office.post() for _ in range(2)]
    agent = smtp(server, "-1")
    for job in jobs:
        assert agent.run(job, HOST).report.status == "ok3"
    assert len(server.messages) == 2
    assert [len(server.commands(i)) > 2 for i in range(3)] == [
        False, True, True]


# ---- ENHANCEDSTATUSCODES --------------------------------------------------


@pytest.mark.parametrize("keyword,reply,wanted", [
    *[(k, "550 5.7.1 no", "5.7.1")
      for k in in_any_case("ENHANCEDSTATUSCODES")],
    ("HELP", "550 5.7.1 no", "5.1.1"),
    ("ENHANCEDSTATUSCODES", "550 no", "5.1.1"),
    ("ENHANCEDSTATUSCODES", "550 2.7.1 no", "5.1.1"),
    ("ENHANCEDSTATUSCODES", "550 5.7 no", "5.1.1"),
    ("ENHANCEDSTATUSCODES", "550 5.7777.1 no", "5.1.1")])
def test_enhanced_codes_count_only_where_they_are_promised(
        office, smtp, smtpd, keyword, reply, wanted):
    server = smtpd(keywords=[keyword], script={"RCPT": reply})
    job = office.post()
    assert smtp(server).run(job, HOST).report.status == "error2"
    assert job.d_line().notary.code == wanted


# ---- CHUNKING, BINARYMIME -------------------------------------------------


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("keyword", in_any_case("CHUNKING"))
def test_content_goes_in_chunks_where_they_are_offered(office, smtp, smtpd,
                                                       keyword, lmtp):
    server = smtpd(keywords=[keyword, "PIPELINING"], lmtp=lmtp)
    job = office.post(["a@x.example", "b@x.example"], body=b".\n..\nx\n")
    options = ("-M", "-p", "24") if lmtp else ()
    out = smtp(server, *options).run(job, HOST)
    assert [r.status for r in out.reports] == ["ok3"] * 2
    m = server.messages[0]
    assert (m.by, m.body) == ("BDAT", b".\n..\nx\n")
    assert "DATA" not in server.commands()


@pytest.mark.parametrize("keywords", [["PIPELINING"], NO_KEYWORDS])
def test_content_goes_by_data_where_they_are_not(office, smtp, smtpd,
                                                 keywords):
    server = smtpd(keywords=keywords)
    assert smtp(server).run(office.post(), HOST).report.status == "ok3"
    assert server.messages[0].by == "DATA"


@pytest.mark.parametrize("pipelined", PIPELINED)
@pytest.mark.parametrize("refusal", ["500 what?", "502 5.5.1 no",
                                     "503 5.5.1 DATA, please"])
def test_server_that_does_not_know_chunks_after_all(office, smtp, smtpd,
                                                    refusal, pipelined):
    """It gets DATA, and so does the next connection."""
    server = smtpd(keywords=["CHUNKING", *pipelined], script={
        ".": lambda s: refusal if s.commands[-1].startswith("BDAT") else None})
    agent = smtp(server, "-1")
    for _ in range(2):
        assert agent.run(office.post(), HOST).report.status == "ok3"
    assert [m.by for m in server.messages] == ["DATA", "DATA"]
    chunks = [c for c in server.commands() if c.startswith("BDAT")]
    assert len(chunks) == 1


def test_binarymime_is_known_and_not_used(office, smtp, smtpd):
    server = smtpd(keywords=["BinaryMIME", "CHUNKING", "8BITMIME"])
    job = office.post(body=b"h\xf6\n")
    assert smtp(server).run(job, HOST).report.status == "ok3"
    assert params(server)[0] == {"BODY": "8BITMIME"}


# ---- limits ---------------------------------------------------------------


def sizes(server):
    return [len(m.rcpts) for m in server.messages]


MANY = [f"u{i}@x{i % 5}.example" for i in range(25)]


@pytest.mark.parametrize("pipelined", PIPELINED)
@pytest.mark.parametrize("keyword,wanted", [
    ("LIMITS RCPTMAX=10", [10, 10, 5]),
    ("limits mailmax=100 rcptmax=7", [7, 7, 7, 4]),
    ("LIMITS RCPTDOMAINMAX=5", [25]),
    ("LIMITS RCPTDOMAINMAX=3", [3] * 8 + [1]),
    ("LIMITS RCPTMAX=2 RCPTDOMAINMAX=1", [1] * 25),
    ("X-RCPTLIMIT 12", [12, 12, 1]), ("x-rcptlimit 1", [10, 10, 5]),
    ("X-RCPTLIMIT 0", [25]), ("X-RCPTLIMIT many", [25]),
    ("LIMITS RCPTMAX=many RCPTDOMAINMAX=-1 MAILMAX= =", [25]),
    ("LIMITS", [25]),
    ("LIMITS UNHEARDOF=1 RCPTMAX=20", [20, 5])])
def test_recipients_of_a_transaction(office, smtp, smtpd, keyword, wanted,
                                     pipelined):
    """The server blames more than its LIMITS allow; order is kept."""
    server = smtpd(keywords=[keyword, *pipelined])
    job = office.post(MANY)
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    assert {r.status for r in out.reports} == {"ok3"}
    assert sizes(server) == wanted
    assert [a for m in server.messages for a in m.addresses] == MANY
    assert len(server.sessions) == 1


@pytest.mark.parametrize("pipelined", PIPELINED)
def test_server_that_takes_fewer_than_it_says(office, smtp, smtpd,
                                              pipelined):
    """The others go at once as well, and no more than that together."""
    def rcpt(session, event, who):
        if event == "RCPT" and len(session.rcpts) >= 10:
            return "452 4.5.3 too many"
        return None

    server = smtpd(keywords=["LIMITS RCPTMAX=20", *pipelined], script=rcpt)
    job = office.post(MANY)
    out = smtp(server).run(job, HOST)
    assert {r.status for r in out.reports} == {"ok3"}
    assert sorted(sizes(server)) == [5, 10, 10]
    assert len(server.sessions) == 1


@pytest.mark.parametrize("pipelined", PIPELINED)
@pytest.mark.parametrize("keywords", [[], ["CHUNKING"]])
def test_messages_of_a_connection_are_limited(office, smtp, smtpd, keywords,
                                              pipelined):
    """The server blames a MAIL too many."""
    server = smtpd(keywords=["Limits MailMax=2", *keywords, *pipelined])
    jobs = [office.post() for _ in range(5)]
    agent = smtp(server)
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(len(jobs))
    one_report_each(out, *jobs)
    assert {r.status for r in out.reports} == {"ok3"}
    agent.stop()
    assert [len([c for c in server.commands(i) if c.startswith("MAIL")])
            for i in range(len(server.sessions))] == [2, 2, 1]


# ---- what is only known ---------------------------------------------------


@pytest.mark.parametrize("keyword", [
    "ETRN", "etrn", "AUTH LOGIN PLAIN", "AUTH=LOGIN", "VRFY",
    "EXPN", "HELP", "X-UNHEARD-OF of=all", "8BITMIMEX", "DSNX 1", "-", ""])
def test_what_is_not_used_changes_nothing(office, smtp, smtpd, keyword):
    """ETRN is for servers that fetch their mail; nothing is asked for."""
    server = smtpd(keywords=[keyword])
    agent = smtp(server)
    assert agent.run(everything(office), HOST).report.status == "ok2"
    agent.stop()
    server.wait_ended()
    assert [c.split(" ")[0] for c in server.commands()] == [
        "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert params(server) == ({}, {})

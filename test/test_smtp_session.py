"""
smtp(8) and its connections: one session for many jobs, a new one for another
host, hosts that cannot be spoken to, and sessions that a server ends.
"""

import copy
import socket

import pytest

from smtpcheck import HOST, NO_KEYWORDS, one_report_each, settled
from smtpd import Do
from zpost import Group

HELLO = "EHLO client.example"
# As far as one message: what a server hears in a whole session.
MESSAGE = ["MAIL", "RCPT", "DATA"]


def verbs(server, session=None):
    return [c.split(" ")[0] for c in server.commands(session)]


# ---- reuse ----------------------------------------------------------------


def test_one_session_serves_many_jobs(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server)
    jobs = [office.post(sender=f"s{i}@example.net") for i in range(20)]
    for job in jobs[:10]:
        assert agent.run(job, HOST).report.status == "ok3"
    for job in jobs[10:]:
        agent.feed(job, HOST)
    out = agent.collect(10)
    one_report_each(out, *jobs[10:])
    assert [m.sender for m in server.messages] == [
        f"s{i}@example.net" for i in range(20)]
    assert agent.stop() == 0
    assert server.wait_ended() == "quit"
    assert verbs(server)[:31] == ["EHLO"] + MESSAGE * 10
    said = [v for v in verbs(server) if v != "RSET"]    # behind a dot
    assert said == ["EHLO"] + MESSAGE * 20 + ["QUIT"]


@pytest.mark.parametrize("event,reply,marks", [
    ("MAIL", "550 no", "-"), ("RCPT", "450 later", " "),
    ("DATA", "451 later", " "), (".", "554 no", "-")])
def test_session_goes_on_after_a_refusal(office, smtp, smtpd, event, reply,
                                         marks):
    """With RSET first: the server may still hold the transaction."""
    for refusal in ("clear", "keep"):
        server = smtpd(script={event: [reply]}, refusal=refusal)
        agent = smtp(server)
        jobs = [office.post(), office.post(sender="other@example.net")]
        for job, mark in zip(jobs, (marks, "+")):
            agent.run(job, HOST)
            settled(job, mark)
        assert [m.sender for m in server.messages] == ["other@example.net"]
        assert len(server.sessions) == 1
        assert "RSET" in verbs(server)


@pytest.mark.parametrize("window", [1, 8])
def test_unannounced_limit_of_messages(office, smtp, smtpd, window):
    """452 behind two messages of each connection: all are sent."""
    server = smtpd(script={"MAIL": [
        None, None, "452 4.5.3 Too many messages sent"] * 2})
    agent = smtp(server, "-O", f"window={window}")
    jobs = [office.post(sender=f"s{i}@example.net") for i in range(5)]
    for job in jobs:
        agent.feed(job, HOST)
    one_report_each(agent.collect(5), *jobs)
    for job in jobs:
        settled(job, "+")
    assert sorted(m.sender for m in server.messages) == [
        f"s{i}@example.net" for i in range(5)]
    assert len(server.sessions) == 3
    assert [verbs(server, i).count("MAIL") for i in range(3)] == [3, 3, 1]


def test_452_to_the_first_mail_is_a_deferral(office, smtp, smtpd):
    server = smtpd(script={"MAIL": ["452 4.5.3 Too many messages sent"] * 2})
    agent = smtp(server)
    job = office.post()
    assert agent.run(job, HOST).report.status == "deferred"
    settled(job, " ")
    assert len(server.sessions) == 1


def test_another_host_closes_and_connects_anew(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server)
    for host in ("one.example", "two.example", "two.example", "one.example"):
        job = office.post(host=host)
        assert agent.run(job, host).report.status == "ok3"
    agent.stop()
    assert [server.wait_ended(i) for i in range(3)] == ["quit"] * 3
    assert [verbs(server, i) for i in range(3)] == [
        ["EHLO", *MESSAGE, "QUIT"], ["EHLO", *MESSAGE, *MESSAGE, "QUIT"],
        ["EHLO", *MESSAGE, "QUIT"]]


def test_one_message_a_connection(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server, "-1")
    for _ in range(3):
        assert agent.run(office.post(), HOST).report.status == "ok3"
    assert [server.wait_ended(i) for i in range(3)] == ["quit"] * 3
    assert [verbs(server, i) for i in range(3)] == [
        ["EHLO", *MESSAGE, "QUIT"]] * 3


# How a server leaves between two messages.
FAREWELLS = {
    "closed": {".": [Do(close="after")]},
    "closed late": {"MAIL": [None, Do(close="before")]},
    "reset": {"MAIL": [None, Do(close="reset")]},
    "421 at once": {".": [Do(extra=b"421 4.3.2 that is all\r\n",
                             close="after")]},
    "421 late": {"MAIL": [None, Do("421 4.4.2 idle too long",
                                   close="after")]},
}


@pytest.mark.parametrize("keywords", [NO_KEYWORDS, ["PIPELINING"]],
                         ids=["slow", "pipelined"])
@pytest.mark.parametrize("case", FAREWELLS)
def test_server_that_leaves_between_messages_costs_nothing(
        office, smtp, smtpd, case, keywords):
    """The next message goes over a new connection at once."""
    server = smtpd(keywords=keywords, connections=[
        copy.deepcopy(FAREWELLS[case])])
    agent = smtp(server)
    assert agent.run(office.post(), HOST).report.status == "ok3"
    job = office.post(["a@x.example", "b@x.example"])
    out = agent.run(job, HOST)
    assert out.statuses == ["ok3", "ok3"], out.text
    settled(job, "++")
    assert len(server.sessions) == 2 and len(server.attempts) == 2


def test_421_to_the_first_message_of_a_session_is_an_answer(office, smtp,
                                                            smtpd):
    server = smtpd(script={"MAIL": ["421 4.7.0 too much from you"]})
    job = office.post(["a@x.example", "b@x.example"])
    agent = smtp(server)
    out = agent.run(job, HOST)
    assert out.statuses == ["deferred"] * 2
    assert [r.notary.code for r in out.reports] == ["4.7.0"] * 2
    settled(job, "  ")
    assert agent.run(office.post(), HOST).report.status == "ok3"
    assert len(server.sessions) == 2


def test_greeting_in_many_lines_and_slow_pieces(office, smtp, smtpd):
    server = smtpd(script={
        "connect": Do("220 a\nb ESMTP\nc", chunk=1),
        "EHLO": Do("250 test.example\nDSN\nPIPELINING", chunk=3)})
    assert smtp(server).run(office.post(), HOST).report.status == "ok3"


def test_keywords_in_any_case(office, smtp, smtpd):
    server = smtpd(keywords=["pipelining", "Size 1000000", "dsn"])
    assert smtp(server).run(office.post(), HOST).report.status == "ok3"
    assert len(server.groups()) == 3    # EHLO, envelope, content
    assert set(server.messages[0].mail.params) == {"SIZE"}
    assert set(server.messages[0].rcpts[0].params) == {"NOTIFY", "ORCPT"}


def test_every_session_has_its_own_keywords(office, smtp, smtpd):
    """What the first server offered is not used with the second."""
    server = smtpd(keywords=["SIZE", "DSN", "PIPELINING"], connections=[
        {}, {"EHLO": Do("250 plain.example")}])
    agent = smtp(server)
    for host in ("one.example", "two.example"):
        agent.run(office.post(host=host), host)
    assert server.messages[1].mail.params == {}
    assert server.messages[1].rcpts[0].params == {}
    assert len(server.groups(1)) == 5   # nothing in one group


def test_helo_where_ehlo_is_not_known(office, smtp, smtpd):
    server = smtpd(script={"EHLO": "502 5.5.1 what?"})
    assert smtp(server).run(office.post(), HOST).report.status == "ok3"
    assert server.commands()[:2] == [HELLO, "HELO client.example"]
    assert server.messages[0].mail.params == {}


@pytest.mark.parametrize("ehlo", [
    "421 4.3.0 no", "451 no", Do(close="before"), Do(close="reset")])
def test_helo_on_a_new_connection_where_ehlo_breaks(office, smtp, smtpd,
                                                    ehlo):
    server = smtpd(script={"EHLO": ehlo})
    assert smtp(server).run(office.post(), HOST).report.status == "ok3"
    assert server.commands(0)[:1] == [HELLO]
    assert server.commands(1)[:1] == ["HELO client.example"]


# ---- hosts that cannot be spoken to ---------------------------------------

# Script, number of connections for one job, status code, what is said.
DOWN = {
    "greeting 421": ({"connect": "421 4.3.2 busy"}, 1, "4.3.2",
                     "->> 421 4.3.2 busy"),
    "greeting 554": ({"connect": "554 no mail here"}, 1, "4.3.2",
                     "->> 554 no mail here"),
    "greeting lost": ({"connect": Do(close="before")}, 1, "4.4.2",
                      "remote hung up on us"),
    "greeting reset": ({"connect": Do(close="reset")}, 1, "4.4.2",
                       "remote"),
    "greeting strange": ({"connect": Do(raw=b"what is up?\r\n",
                                        close="after")}, 1, "4.4.2",
                         "malformed reply"),
    "hello refused": ({"EHLO": "550 5.7.1 you again", "HELO": "550 you"}, 1,
                      "4.3.2", "->> 550 you"),
    "hello deferred": ({"EHLO": "450 wait", "HELO": "450 wait"}, 2, "4.3.2",
                       "->> 450 wait"),
}


@pytest.mark.parametrize("case", DOWN)
def test_host_down_is_said_once_and_not_tried_again(office, smtp, smtpd,
                                                    case):
    """
    deferall for the first recipient, deferred for the rest and for the jobs
    that are fed already, all with the same words, for a minute.
    """
    script, connections, code, says = DOWN[case]
    server = smtpd(script=copy.deepcopy(script))
    agent = smtp(server)
    jobs = [office.post(["a@x.example", "b@x.example"]) for _ in range(4)]
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(4)
    one_report_each(out, *jobs)
    assert out.statuses == ["deferall"] + ["deferred"] * 7
    assert len({r.message for r in out.reports}) == 1
    assert says in out.reports[0].message
    for report in out.reports:
        assert report.notary.code == code
        assert report.notary.action == "delayed"
        assert report.notary.remote == "X-IP-addr; [127.0.0.1] (127.0.0.1)"
    assert len(server.sessions) == connections
    for job in jobs:
        settled(job, "  ")
        assert job.appended == b""


def test_nobody_listens(office, smtp):
    """To the byte, and other hosts are not concerned."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    agent = smtp(None, "-F", f"[127.0.0.1]:{port}")
    job = office.post(["a@x.example", "b@x.example"])
    text = ("smtp; 466 (connect to example.com [127.0.0.1]: "
            "Connection refused)")
    rest = "\x01".join(["", "delayed", "4.4.1 (TCP/IP-connection failure)",
                        text, "X-IP-addr; [127.0.0.1] (127.0.0.1)",
                        f"smtp[{agent.pid}]"])
    assert agent.run(job, HOST).lines == [
        f"{job.report(0)}\ta@x.example{rest}\tdeferall {text}",
        f"{job.report(1)}\tb@x.example{rest}\tdeferred {text}", "#hungry"]
    other = office.post(host="other.example")
    assert agent.run(other, "other.example").report.status == "deferall"
    assert job.is_untouched() and other.is_untouched()


def test_unix_socket_that_is_not_there(office, smtp, tmp_path):
    agent = smtp(None, "-F", f"UNIX:{tmp_path}/none")
    job = office.post()
    report = agent.run(job, HOST).report
    assert report.status == "deferall"
    assert "No such file or directory" in report.message
    assert report.notary.remote == f"dns; localhost (UNIX:{tmp_path}/none)"


def test_outage_of_one_host_is_not_that_of_another(office, smtp, smtpd):
    server = smtpd(connections=[{"connect": "421 busy"}])
    agent = smtp(server)
    assert agent.run(office.post(), HOST).report.status == "deferall"
    assert agent.run(office.post(), HOST).report.status == "deferred"
    other = office.post(host="other.example")
    assert agent.run(other, "other.example").report.status == "ok3"
    assert agent.run(office.post(), HOST).report.status == "ok3"
    assert len(server.sessions) == 3


@pytest.mark.parametrize("code,status", [(521, "5.3.2"), (556, "5.1.10")])
def test_host_that_never_takes_mail(office, smtp, smtpd, code, status):
    """RFC 7504: the one greeting that is final."""
    server = smtpd(script={"connect": f"{code} never"})
    job = office.post(["a@x.example", "b@x.example"])
    out = smtp(server).run(job, HOST)
    assert out.statuses == ["error2"] * 2
    settled(job, "--")
    assert {d.notary.code for d in job.d_lines} == {status}


def test_host_lost_between_two_groups(office, smtp, smtpd):
    """What was delivered stays; the rest is put off with one deferall."""
    server = smtpd(connections=[{".": [Do(close="after")]}],
                   script={"connect": [None, "421 4.3.2 busy", "421 x"]})
    job = office.post(groups=[Group(["a@x.example"]),
                              Group(["b@x.example", "c@x.example"]),
                              Group(["d@x.example"])])
    out = smtp(server).run(job, HOST)
    assert [out.of(job, i).status for i in range(4)] == [
        "ok3", "deferall", "deferred", "deferred"]
    settled(job, "+   ")
    assert len(server.sessions) == 2

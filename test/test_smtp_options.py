"""
smtp(8) options: each shows on the wire, in a report, in a log or in an exit
status.
"""

import errno
import random
import re
import threading

import pytest

import zpost
from smtpcheck import ANSWER, HOST, NO_KEYWORDS, one_report_each, settled
from smtpd import Do
from zpost import Rcpt

USAGE = 64


def deliver_one(office, agent, host=HOST, **job):
    """One message, which must arrive."""
    report = agent.run(office.post(host=host, **job), host).report
    assert report.status == "ok3", report.line
    return report


# ---- the command line -----------------------------------------------------


@pytest.mark.parametrize("args,says", [
    (["-q"], "usage"), (["-c"], "usage"), (["one", "two"], "usage"),
    (["-c", ""], "-c"), (["-F", ""], "-F"),
    (["-p", "0"], "-p"), (["-p", "65536"], "-p"), (["-p", "smtp"], "-p"),
    (["-p", "2\n5"], "-p"), (["-p", ""], "-p"),
    (["-h", "two words"], "-h"), (["-h", ""], "-h"),
    (["-h", "a\r\nRSET"], "-h"), (["-h", "x" * 300], "-h"),
    (["-h", "[192.0.2.1"], "-h"),
    (["-O", "what=ever"], "what"), (["-O", "sync=never"], "sync"),
    (["-O", ""], "-O"), (["-O", "idle=0"], "idle"), (["-O", "idle"], "idle"),
    (["-O", "ignore-ezmlm=1"], "ignore-ezmlm"),
    (["-O", "syslog=log"], "syslog"),
    (["-w", "x"], "-w"), (["-w", "-1"], "-w"), (["-w", ""], "-w"),
    (["-F", "UNIX:"], "UNIX"), (["-F", "UNIX:/" + "x" * 200], "UNIX"),
    (["-M"], "-M"), (["-M", "-p", "25"], "-M"),
    (["-M", "-F", "[127.0.0.1]"], "-M"),
    (["-T", "conn=9s"], "at least 10"), (["-T", "tcpw=9"], "at least 10"),
    (["-T", "cmd=4s"], "at least 5"), (["-T", "4"], "at least 5"),
    (["-T", "data=9s"], "at least 10"), (["-T", "dot=9s"], "at least 10"),
    (["-T", "quit=5m"], "-T"), (["-T", "conn="], "-T"), (["-T", ""], "-T"),
    (["-T", "conn=5x"], "-T"), (["-T", "conn=-5m"], "-T"),
    (["-T", "conn=99999999999999999999"], "-T"),
])
def test_wrong_usage(office, args, says):
    """Exit 64; every line on standard error begins with #; no #hungry."""
    done = office.run("smtp", *args)
    text = zpost.to_text(done.stderr)
    assert (done.returncode, done.stdout) == (USAGE, b"")
    assert says in text and "usage: smtp" in text
    assert all(x.startswith("# ") for x in text.splitlines())
    assert text.endswith("\n")


def test_version(office):
    done = office.run("smtp", "-V")
    assert (done.returncode, done.stdout) == (0, b"")
    assert re.fullmatch(rb"smtp \(Zpost\) \d+\.\d+\.\d+\n", done.stderr)


@pytest.mark.parametrize("spec", ["conn=10s", "tcpw=1h30m", "cmd=5", "5s",
                                  "data=1d", "dot=90m"])
def test_timeouts_are_accepted(office, smtp, smtpd, spec):
    deliver_one(office, smtp(smtpd(), "-T", spec, "-T", spec))


def test_flags_may_be_bundled(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server, "-1PExXd", "-c", "smtp")
    for _ in range(2):
        deliver_one(office, agent)
    assert len(server.sessions) == 2
    assert len(server.groups()) >= 5


def test_channel(office, smtp, smtpd):
    server = smtpd()
    job = office.post([Rcpt("a@x.example", channel="smtp"),
                       Rcpt("b@x.example", channel="smtp-slow"),
                       Rcpt("c@x.example", channel="Smtp")])
    out = smtp(server, "-c", "smtp-slow").run(job, HOST)
    assert out.report.offset == job.offsets[1]
    assert job.marks == " + "
    assert smtp(server).run(job, HOST).report.offset == job.offsets[0]
    assert job.marks == "++ "


def test_host_on_the_command_line(office, smtp, smtpd):
    """For lines without a host; one with a host changes it."""
    server = smtpd()
    agent = smtp(server, HOST)
    job = office.post(["a@x.example", Rcpt("b@x.example", host="other")])
    assert agent.run(job).report.offset == job.offsets[0]
    assert agent.run(job, "other").report.offset == job.offsets[1]
    later = office.post(host="other")
    assert agent.run(later).report.status == "ok3"


def test_by_hand(office, smtpd):
    """One line on standard input, then its end."""
    server = smtpd()
    job = office.post()
    done = office.run("smtp", "-F", server.destination,
                      input=f"{job}\t{HOST}\n")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().split("\n")
    assert (lines[0], lines[2:]) == ("#hungry", ["#hungry", ""])
    assert lines[1].startswith(f"{job.report()}\t\tok3 ")
    settled(job, "+")


# ---- the dialogue ---------------------------------------------------------


@pytest.mark.parametrize("name", ["mail.example.org", "host", "[192.0.2.1]",
                                  "[IPv6:2001:db8::1]"])
def test_helo_name(office, smtp, smtpd, name):
    server = smtpd()
    deliver_one(office, smtp(server, "-h", name))
    assert server.commands()[0] == f"EHLO {name}"


def test_helo_name_by_default(office, smtpd):
    """The name of this host, or the address of this connection."""
    server = smtpd()
    with office.agent("smtp", "-F", server.destination) as agent:
        agent.hungry()
        deliver_one(office, agent)
        assert agent.stop() == 0
    assert re.fullmatch(r"EHLO ([A-Za-z0-9._-]+|\[127\.0\.0\.1\])",
                        server.commands()[0])


@pytest.mark.parametrize("greeting,hello", [
    ("220 mx ESMTP", "EHLO"), ("220 mx esmtp ready", "EHLO"),
    ("220 mxESMTPx", "EHLO"), ("220 mx\nwe speak EsmTp", "EHLO"),
    ("220 mx Mail", "HELO"), ("220 ESMT P", "HELO"), ("220", "HELO")])
def test_ehlo_only_if_greeted_so(office, smtp, smtpd, greeting, hello):
    server = smtpd(script={"connect": greeting})
    deliver_one(office, smtp(server, "-E"))
    assert server.commands()[0] == f"{hello} client.example"
    assert (server.messages[0].mail.params == {}) == (hello == "HELO")


def test_ehlo_whatever_the_greeting_without_e(office, smtp, smtpd):
    server = smtpd(script={"connect": "220 mx Mail"})
    deliver_one(office, smtp(server))
    assert server.commands()[0] == "EHLO client.example"


@pytest.mark.parametrize("flags,groups", [([], 3), (["-P"], 6)])
def test_pipelining_and_without(office, smtp, smtpd, flags, groups):
    server = smtpd()
    job = office.post(["a@x.example", "b@x.example"])
    smtp(server, *flags).run(job, HOST)
    assert len(server.groups()) == groups
    settled(job, "++")


def test_no_pipelining_where_it_is_not_offered(office, smtp, smtpd):
    server = smtpd(keywords=NO_KEYWORDS)
    job = office.post(["a@x.example", "b@x.example"])
    smtp(server).run(job, HOST)
    assert len(server.groups()) == 6


def test_lmtp_has_an_answer_for_each_recipient(office, smtp, smtpd):
    marks = "+- +"
    users = [f"user{i}@example.com" for i in range(4)]
    server = smtpd(lmtp=True, script={
        f".:{u}": ANSWER[m] for u, m in zip(users, marks)})
    job = office.post(users)
    out = smtp(server, "-M", "-p", "24").run(job, HOST)
    one_report_each(out, job)
    assert [out.of(job, i).status for i in range(4)] == [
        "ok3", "error2", "deferred", "ok3"]
    settled(job, marks)
    assert job.d_line(1).notary.code == "5.1.1"
    assert server.commands()[0] == "LHLO client.example"
    assert server.messages[0].delivered == [users[0], users[3]]


def test_lmtp_only_counts_the_accepted(office, smtp, smtpd):
    """A refused recipient has no answer behind the content."""
    server = smtpd(lmtp=True, script={
        "RCPT:b@x.example": "550 5.1.1 no", ".:c@x.example": "452 4.2.2 full"})
    job = office.post([f"{c}@x.example" for c in "abcd"])
    out = smtp(server, "-M", "-p", "24").run(job, HOST)
    assert [out.of(job, i).status for i in range(4)] == [
        "ok3", "error2", "deferred", "ok3"]
    settled(job, "+- +")


def test_lmtp_over_a_unix_socket(office, smtp, smtpd, tmp_path):
    server = smtpd(lmtp=True, listen=f"unix:{tmp_path}/lmtp")
    deliver_one(office, smtp(server, "-M"))


def test_lmtp_says_lhlo_whatever_the_greeting(office, smtp, smtpd):
    server = smtpd(lmtp=True, script={"connect": "220 box"})
    deliver_one(office, smtp(server, "-ME", "-p", "24"))
    assert server.commands()[0] == "LHLO client.example"


def test_lmtp_refused_hello_is_put_off(office, smtp, smtpd):
    """No HELO, and no bounce: it is the wrong door."""
    server = smtpd()
    job = office.post()
    assert smtp(server, "-M", "-p", "24").run(
        job, HOST).report.status == "deferall"
    settled(job, " ")
    assert server.wait_ended() == "quit"
    assert server.commands() == ["LHLO client.example", "QUIT"]


# ---- where to -------------------------------------------------------------


@pytest.mark.parametrize("listen,form,remote", [
    ("127.0.0.1", "[127.0.0.1]:{}", "X-IP-addr; [127.0.0.1] (127.0.0.1)"),
    ("127.0.0.1", '"[127.0.0.1]:{}"', "X-IP-addr; [127.0.0.1] (127.0.0.1)"),
    ("::1", "[IPv6:::1]:{}", "X-IP-addr; [IPv6:::1] (ipv6 ::1)"),
    ("::1", "[ipv6.::1]:{}", "X-IP-addr; [IPv6:::1] (ipv6 ::1)"),
    ("::1", "[IPV6 ::1]:{}", "X-IP-addr; [IPv6:::1] (ipv6 ::1)")])
def test_literal_with_port(office, smtp, smtpd, listen, form, remote):
    server = smtpd(listen=listen, script={"RCPT": [None, "450 later"]})
    agent = smtp(None, "-F", form.format(server.port), "-p", "1")
    deliver_one(office, agent)
    report = agent.run(office.post(), HOST).report
    assert report.notary.remote == remote


@pytest.mark.parametrize("listen,form", [("127.0.0.1", "[127.0.0.1]"),
                                         ("::1", "[IPv6:::1]")])
@pytest.mark.parametrize("by", ["option", "job"])
def test_literal_with_the_port_of_an_option(office, smtp, smtpd, listen, form,
                                            by):
    server = smtpd(listen=listen)
    if by == "option":
        deliver_one(office, smtp(None, "-F", form, "-p", server.port))
    else:
        deliver_one(office, smtp(None, "-p", server.port), host=form)


@pytest.mark.parametrize("by", ["option", "job"])
def test_host_name(office, smtp, smtpd, by):
    server = smtpd(script={"RCPT": [None, "450 later"]})
    if by == "option":
        host, agent = HOST, smtp(None, "-F", "localhost", "-p", server.port)
    else:
        host, agent = "localhost", smtp(None, "-p", server.port)
    deliver_one(office, agent, host=host)
    report = agent.run(office.post(host=host), host).report
    assert report.notary.remote == "dns; localhost (127.0.0.1)"


def test_unix_socket(office, smtp, smtpd, tmp_path):
    server = smtpd(listen=f"unix:{tmp_path}/a socket",
                   script={"RCPT": [None, "450 later"]})
    agent = smtp(server)
    deliver_one(office, agent)
    report = agent.run(office.post(), HOST).report
    assert report.notary.remote == \
        f"dns; localhost (UNIX:{tmp_path}/a socket)"


@pytest.mark.parametrize("literal", [
    "[127.0.0.1", "[127.0.0.256]", "[IPv6:x]", "[]", "[1.2.3.4]x",
    "[1.2.3.4]:0", "[1.2.3.4]:66666", "[::1]", "[IPv6:1.2.3.4]"])
def test_bad_literal_fails(office, smtp, literal):
    job = office.post(["a@x.example", "b@x.example"], host=literal)
    out = smtp(None).run(job, literal)
    assert out.statuses == ["error2"] * 2
    settled(job, "--")
    assert {d.notary.status for d in job.d_lines} == {
        "5.1.2 (bad literal IP address)"}
    assert literal in job.d_line(0).notary.diagnostic


def test_name_without_an_address_is_put_off(office, smtp):
    """It may get one, or a mail exchanger, some day."""
    host = "two..dots"
    job = office.post(host=host)
    report = smtp(None).run(job, host).report
    assert (report.status, report.notary.code) == ("deferall", "4.4.3")
    assert host in report.message
    settled(job, " ")


@pytest.fixture
def port_25(smtpd):
    """port_25() gives a server on that port, on an address of its own."""

    def start():
        for _ in range(5):
            address = "127." + ".".join(str(random.randint(1, 254))
                                        for _ in range(3))
            try:
                return smtpd(listen=address, port=25)
            except OSError as e:
                if e.errno not in (errno.EACCES, errno.EADDRINUSE):
                    raise
                why = e.strerror
        pytest.skip(f"port 25 of this host: {why}")

    return start


@pytest.mark.parametrize("flags", [[], ["-x"], ["-X"]])
def test_own_host_is_not_connected_to_on_port_25(office, smtp, port_25,
                                                 flags):
    server = port_25()
    job = office.post()
    assert smtp(None, "-F", server.listen, *flags).run(
        job, HOST).report.status == "error2"
    settled(job, "-")
    notary = job.d_line().notary
    assert notary.code == "5.4.6"
    assert "(Trying to talk to loopback (=myself)!)" in notary.diagnostic
    assert notary.remote == f"dns; {server.listen}"
    assert server.sessions == []


@pytest.mark.parametrize("form,flags", [("{}", ["-x", "-X"]), ("[{}]", [])])
def test_own_host_may_be_allowed(office, smtp, port_25, form, flags):
    server = port_25()
    deliver_one(office, smtp(None, "-F", form.format(server.listen), *flags))
    assert len(server.messages) == 1


@pytest.mark.parametrize("address,says", [
    ("0.0.0.0", "invalid destination"), ("224.0.0.1", "invalid destination"),
    ("::1", "(=myself)!"), ("::", "invalid destination"),
    ("ff02::1", "invalid destination"), ("::ffff:127.0.0.1", "(=myself)!")])
def test_addresses_that_no_other_host_has(office, smtp, address, says):
    job = office.post()
    smtp(None, "-F", address).run(job, HOST)
    assert job.marks == "-"
    assert job.d_line().notary.code == "5.4.6"
    assert says in job.d_line().notary.diagnostic


# ---- logs -----------------------------------------------------------------

LOG_LINE = re.compile(r"(\d{5,})([0-9A-F]{4})-(\d{4})-(\d{4})([#wr])\t(.*)")


def read_log(path):
    lines = zpost.to_text(path.read_bytes()).split("\n")
    assert lines.pop() == ""
    found = [LOG_LINE.fullmatch(x) for x in lines]
    assert all(found), lines
    return [(int(m[1]), m[2], int(m[3]), m[5], m[6]) for m in found]


def test_session_log(office, smtp, smtpd):
    """What is said and heard, in order, and never a word of content."""
    server = smtpd(script={"RCPT:b@x.example": "550 5.1.1 no\x01such"})
    log = office.base / "sessions"
    agent = smtp(server, "-l", log)
    job = office.post(["a@x.example", "b@x.example"],
                      header="Subject: secret-header\n",
                      body="secret body\n.\n")
    agent.run(job, HOST)
    assert agent.stop() == 0
    lines = read_log(log)
    assert {x[0] for x in lines} == {agent.pid}
    assert len({x[1] for x in lines}) == 1
    assert [x[2] for x in lines] == list(range(len(lines)))
    assert [x[4].split(" ")[0] for x in lines if x[3] == "w"] == [
        "EHLO", "MAIL", "RCPT", "RCPT", "DATA", ".", "QUIT"]
    heard = [x[4] for x in lines if x[3] == "r"]
    assert heard[0] == "220 test.example ESMTP"
    assert heard[-5:] == ["250 2.1.0 ok", "250 2.1.5 ok",
                          "550 5.1.1 no?such", "354 go ahead",
                          "250 2.0.0 accepted"]
    remarks = "\n".join(x[4] for x in lines if x[3] == "#")
    assert remarks.startswith("Start time: ")
    assert f"jobspec: {job}\t{HOST}" in remarks
    [sizes] = re.findall(r"(\d+) bytes, (\d+) in header, 2 recipients, "
                         r"0 secs for envelope, 0 secs for body xfer", remarks)
    content = server.messages[0].content
    assert int(sizes[0]) == len(content) + 1    # a doubled dot
    assert int(sizes[1]) == content.index(b"\r\n\r\n") + 4
    assert f"{job}: <1@example.net>" in remarks
    assert f"ID={job.report(1)} L=0 -- stat='error2' notary='" in remarks
    assert "secret" not in log.read_text()
    assert log.stat().st_mode & 0o7777 == 0o644


def test_session_log_is_written_before_a_wait(office, smtp, smtpd):
    """Who looks at it while a server hangs sees what it hangs on."""
    gate = threading.Event()
    server = smtpd(script={"RCPT": [Do(gate=gate)]})
    log = office.base / "sessions"
    agent = smtp(server, "-P", "-l", log)
    agent.feed(office.post(), HOST)
    try:
        zpost.wait_for(lambda: b"w\tRCPT TO:" in log.read_bytes(),
                       "the command in the log")
    finally:
        gate.set()
    assert agent.hungry().report.status == "ok3"


def test_session_log_is_shared_line_by_line(office, smtp, smtpd):
    server = smtpd()
    log = office.base / "sessions"
    log.write_text("00001AAAA-0000-0000#\tolder\n")
    agents = [smtp(server, "-l", log) for _ in range(3)]
    jobs = [office.post() for _ in range(30)]
    for i, job in enumerate(jobs):
        agents[i % 3].feed(job, HOST)
    for agent in agents:
        assert agent.collect(10).statuses == ["ok3"] * 10
        agent.stop()
    lines = read_log(log)
    assert lines[0][4] == "older"
    for agent in agents:
        mine = [x for x in lines if x[0] == agent.pid]
        assert [x[2] for x in mine] == list(range(len(mine)))
        assert [x[4] for x in mine if x[3] == "w"].count("DATA") == 10


def test_session_log_that_cannot_be_opened(office, smtpd):
    """It is said, and mail moves all the same."""
    path = f"{office.base}/no/such/folder"
    with office.agent("smtp", "-F", smtpd().destination, "-l", path) as a:
        a.wait_line("^#hungry")
        [comment] = [x for x in a.lines if x != "#hungry"]
        assert re.fullmatch(rf'# .*cannot open logfile "{path}".*', comment)
        a.pending()
        deliver_one(office, a)
        assert a.stop() == 0


def test_debugging(office, smtp, smtpd):
    """One d says nothing on standard output, two say a line a job."""
    server = smtpd()
    quiet, loud = smtp(server, "-d"), smtp(server, "-dd")
    job = office.post()
    assert quiet.run(job, HOST).comments == []
    job = office.post()
    [comment] = loud.run(job, HOST).comments
    assert re.fullmatch(rf"# .*\(fdcnt=\d+, file:{job}, host:{HOST}\)",
                        comment)

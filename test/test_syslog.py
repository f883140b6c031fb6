"""
The line in syslog for each final report, of both agents: a socket of the
test's own stands in for the daemon's.
"""

import re
import socket
import time

import pytest

from mailers import Mailers
from smtpcheck import HOST
from zpost import is_sanitized

TIME = r"\d\d:\d\d:\d\d"
HEAD = re.compile(rb"<22>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
                  rb"(\w+)\[(\d+)\]: ")


class Daemon:
    """Listens as a syslog daemon does."""

    def __init__(self, office):
        self.path = office.base / "syslog"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(10)

    def line(self, agent, ident="smtp"):
        """The next line, without what stands before the spool id."""
        data = self.socket.recv(8192)
        head = HEAD.match(data)
        assert head, data
        assert head[1].decode() == ident and int(head[2]) == agent.pid
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", data)
        return data[head.end():].decode()

    def is_silent(self):
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(8192)
        except BlockingIOError:
            return True


@pytest.fixture
def syslogd(office):
    office.set_zenv(SYSLOGFLG="RT")
    daemon = Daemon(office)
    yield daemon
    daemon.socket.close()


@pytest.fixture
def logging(smtp, syslogd):
    """An smtp that logs to the stand-in."""
    return lambda server, *args, **how: smtp(
        server, "-O", f"syslog={syslogd.path}", *args, **how)


def local_port(server):
    return server.sessions[0].transport.get_extra_info("peername")[1]


def test_line_of_a_delivery(office, logging, smtpd, syslogd):
    """Every field; our own address and port are told here and only here."""
    server = smtpd()
    agent = logging(server)
    job = office.post(mtime=time.time() - 3700)
    report = agent.run(job, HOST).report
    line = syslogd.line(agent)
    ends = f"127.0.0.1|{server.port}|127.0.0.1|{local_port(server)}"
    assert re.fullmatch(
        r"S\S+: to=<bob@example\.com>, delay=01:01:\d\d, xdelay=00:00:\d\d, "
        r"mailer=smtp, " + re.escape(f"relay=[127.0.0.1] ([{ends}]), ")
        + r"stat=ok3 ->> 250 2\.0\.0 accepted cvt=NONE", line), line
    assert str(local_port(server)) not in report.line
    assert syslogd.is_silent()


def test_tabs_between_the_fields(office, logging, smtpd, syslogd):
    office.set_zenv(SYSLOGFLG="Rt")
    agent = logging(smtpd())
    agent.run(office.post(), HOST)
    assert re.fullmatch(
        rf"S\S+:\tto=<bob@example\.com>\tdelay={TIME}\txdelay={TIME}\t"
        r"mailer=smtp\trelay=\[127\.0\.0\.1\] \(\[[^\t]*\]\)\t"
        r"stat=ok3 ->> 250 2\.0\.0 accepted cvt=NONE", syslogd.line(agent))


@pytest.mark.parametrize("flags,is_logged", [
    (None, True), ("T", True), ("", False), ("SRC", False)])
def test_syslogflg(office, logging, smtpd, syslogd, flags, is_logged):
    office.set_zenv(SYSLOGFLG=flags)
    agent = logging(smtpd())
    assert agent.run(office.post(), HOST).report.status == "ok3"
    assert syslogd.is_silent() is not is_logged


def test_every_recipient_has_its_line(office, logging, smtpd, syslogd):
    server = smtpd(script={"RCPT:b@x.example": "550 5.1.1 no\x01such\tuser",
                           "RCPT:c@x.example": "450 4.2.1 busy"})
    agent = logging(server)
    agent.run(office.post(["b@x.example", "a@x.example", "c@x.example"]),
              HOST)
    lines = {re.search("to=<([^>]*)>", x)[1]: re.search("stat=.*", x)[0]
             for x in (syslogd.line(agent) for _ in range(3))}
    assert lines == {
        "a@x.example": "stat=ok3 ->> 250 2.0.0 accepted cvt=NONE",
        "b@x.example": "stat=error2 ->> 550 5.1.1 no?such user cvt=NONE",
        "c@x.example": "stat=deferred ->> 450 4.2.1 busy cvt=NONE"}
    assert syslogd.is_silent()


def test_host_that_cannot_be_reached(office, smtp, syslogd):
    """What is known of the connection, and that nothing was converted."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        agent = smtp(None, "-F", f"[127.0.0.1]:{port}",
                     "-O", f"syslog={syslogd.path}")
        agent.run(office.post(), HOST)
    line = syslogd.line(agent)
    assert f"relay=[127.0.0.1] ([127.0.0.1|{port}]), stat=deferall " in line
    assert line.endswith(": Connection refused) cvt=UNKNOWN")


def test_message_that_is_not_there(office, logging, smtpd, syslogd):
    """Named by its control file, since it has no spool id."""
    agent = logging(smtpd())
    job = office.post(with_message=False)
    agent.run(job, HOST)
    line = syslogd.line(agent)
    assert re.match(rf"{job}: to=<bob@example\.com>, delay=00:00:00, ", line)
    assert " stat=error2 message file is missing" in line


def test_fields_cannot_be_forged(office, logging, smtpd, syslogd):
    agent = logging(smtpd())
    agent.run(office.post(['"x>,stat=ok3<"@x.example']), HOST)
    assert syslogd.line(agent).split(" ")[1] == \
        'to=<"x?,stat=ok3?"@x.example>,'


def test_mail_moves_without_a_daemon(office, logging, smtpd, syslogd):
    syslogd.socket.close()
    syslogd.path.unlink()
    agent = logging(smtpd())
    for _ in range(3):
        assert agent.run(office.post(), HOST).report.status == "ok3"


def test_daemon_that_is_started_anew(office, logging, smtpd, syslogd):
    agent = logging(smtpd())
    agent.run(office.post(), HOST)
    syslogd.line(agent)
    syslogd.socket.close()
    syslogd.path.unlink()
    again = Daemon(office)
    agent.run(office.post(), HOST)
    assert " stat=ok3 " in again.line(agent)
    again.socket.close()


def test_one_system_call_a_line(office, logging, smtpd, syslogd, need):
    """And not one without SYSLOGFLG."""
    if is_sanitized():
        pytest.skip("strace and sanitizers do not agree")
    log = office.base / "strace"
    strace = [need("strace"), "-f", "-o", log, "-e",
              "trace=socket,connect,sendto,sendmsg,poll"]
    for flags, lines in (("T", 6), ("R", 0)):
        office.set_zenv(SYSLOGFLG=flags)
        agent = logging(smtpd(), wrapper=strace)
        for _ in range(2):
            agent.run(office.post(["a@x.example", "b@x.example",
                                   "c@x.example"]), HOST)
        assert agent.stop() == 0
        calls = log.read_text()
        assert calls.count('"<22>') == lines
        assert calls.count(str(syslogd.path)) == (1 if lines else 0)


# ---- sm ---------------------------------------------------------------------


@pytest.mark.parametrize("status,say,end", [
    (0, b"taken as 4711\n", "stat=ok3 taken as 4711"),
    (0, b"", "stat=ok3"),
    (67, b"nobody\x1b here\n",
     "stat=error2 nobody? here[exit status 67/67 (addressee unknown)]"),
    (75, b"", "stat=deferred [exit status 75/75 (temporary failure)]"),
])
def test_line_of_sm(office, syslogd, status, say, end):
    """With neither relay nor conversion."""
    box = Mailers(office)
    box.conf("rec n {rec} rec $u\n")
    box.tell(say=say, exit=status)
    with box.sm("rec", "-O", f"syslog={syslogd.path}") as agent:
        agent.hungry()
        agent.run(office.post(["bob"], channel="local", host="-"))
        line = syslogd.line(agent, "sm")
        assert re.fullmatch(
            rf"S\S+: to=<bob>, delay={TIME}, xdelay={TIME}, mailer=local, "
            + re.escape(end), line), line
        assert agent.stop() == 0
    assert syslogd.is_silent()

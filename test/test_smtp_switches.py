"""
smtp(8) switches that concern the connection and what is shown of it: bits,
ports, buffers, the connect test, the process title, idle sessions.
"""

import os
import pathlib
import re
import socket
import threading

import pytest

from smtpcheck import HOST, settled
from smtpd import Do
from test_smtp_options import deliver_one
from zpost import is_sanitized, to_text, wait_for

EIGHT = "Gr\u00fc\u00dfe\n".encode()
WIRE = EIGHT.replace(b"\n", b"\r\n")


def parameters(server):
    """What MAIL said behind its path."""
    [mail] = [c for c in server.commands() if c.startswith("MAIL")]
    return mail.partition("> ")[2]


# ---- 7 and 8 bits -----------------------------------------------------------


@pytest.mark.parametrize("flags,is_declared", [
    ([], True), (["-7"], False), (["-8"], True), (["-7", "-8"], True),
    (["-87"], False)])
def test_7_ignores_8bitmime_and_8_cancels_it(office, smtp, smtpd, flags,
                                             is_declared):
    server = smtpd(allow={"8bit"})
    deliver_one(office, smtp(server, *flags), body=EIGHT)
    assert server.commands()[0] == "EHLO client.example"
    assert ("BODY=8BITMIME" in parameters(server)) is is_declared


@pytest.mark.parametrize("flags", [["-77"], ["-7", "-7"], ["-77", "-8"],
                                   ["-8", "-77"]])
def test_77_speaks_no_esmtp(office, smtp, smtpd, flags):
    """HELO at once, and no parameter, whatever the greeting promises."""
    server = smtpd(allow={"8bit"})
    deliver_one(office, smtp(server, *flags))
    assert [c.partition(" ")[0] for c in server.commands()] == [
        "HELO", "MAIL", "RCPT", "DATA"]
    assert parameters(server) == ""


def test_77_8_sends_8_bits_without_esmtp(office, smtp, smtpd):
    server = smtpd(allow={"8bit"})
    deliver_one(office, smtp(server, "-77", "-8"), body=EIGHT)
    assert server.commands()[0] == "HELO client.example"
    assert server.messages[0].content.endswith(b"\r\n\r\n" + WIRE)


def test_77_is_not_said_twice(office, smtp, smtpd):
    """A server that refuses HELO is not asked again with HELO."""
    server = smtpd(script={"HELO": "450 not now"})
    assert smtp(server, "-77").run(
        office.post(), HOST).report.status == "deferall"
    assert len(server.sessions) == 1


def test_77_with_lmtp_still_says_lhlo(office, smtp, smtpd):
    server = smtpd(lmtp=True)
    deliver_one(office, smtp(server, "-77M", "-p", "24"))
    assert server.commands()[0] == "LHLO client.example"


@pytest.mark.parametrize("flags", [["-H"], ["-Z", "x" * 100], ["-v"]])
def test_flags_that_change_nothing_on_the_wire(office, smtp, smtpd, flags):
    server, plain = smtpd(), smtpd()
    deliver_one(office, smtp(server, *flags))
    deliver_one(office, smtp(plain))
    assert server.commands() == plain.commands()


# ---- the connect test -------------------------------------------------------


def try_host(office, *args, **how):
    """-D; what it says on standard error."""
    done = office.run("smtp", "-D", *args, **how)
    assert (done.returncode, done.stdout) == (0, b"")
    return to_text(done.stderr)


def test_connect_test(office, smtpd):
    server = smtpd()
    host = f"[127.0.0.1]:{server.port}"
    assert try_host(office, host) == \
        f"Trying {host} [127.0.0.1] ... connected!\n"
    assert try_host(office, "-p", str(server.port), "localhost") == \
        "Trying localhost [127.0.0.1] ... connected!\n"
    assert server.commands() == []


def test_connect_test_that_fails(office):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"[127.0.0.1]:{closed.getsockname()[1]}"
        assert try_host(office, host) == \
            f"Trying {host} [127.0.0.1] ... Connection refused\n"
    assert re.fullmatch(r"Trying \[nonsense \.\.\. .*\n",
                        try_host(office, "[nonsense"))


@pytest.mark.parametrize("args", [["-D"], ["-D", "-d", HOST]])
def test_connect_test_wants_a_host_and_no_debugging(office, smtp, smtpd,
                                                    args):
    """Else the agent does its work."""
    deliver_one(office, smtp(smtpd(), *args))


# ---- ports and buffers ------------------------------------------------------


def peer_port(session):
    return session.transport.get_extra_info("peername")[1]


def test_reserved_port(office, smtp, smtpd):
    """Below 1024, and two connections do not collide."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    server = smtpd()
    for _ in range(2):
        deliver_one(office, smtp(server, "-r"))
    ports = [peer_port(s) for s in server.sessions]
    assert len(set(ports)) == 2
    assert all(512 <= p < 1024 for p in ports)


def test_reserved_port_is_for_root_alone(office, smtpd):
    """Anybody else connects from where everybody does."""
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    server = smtpd()
    host = f"[127.0.0.1]:{server.port}"
    said = try_host(office, "-r", host, user=65534, group=65534,
                    extra_groups=[])
    assert said.endswith("connected!\n")
    server.wait_for(lambda: server.sessions, "the connection")
    assert peer_port(server.sessions[0]) >= 1024


def test_send_buffer(office, smtp, smtpd, need, tmp_path):
    """Set as asked for, and never for a UNIX socket."""
    if is_sanitized():
        pytest.skip("strace and sanitizers do not agree")
    log = office.base / "strace"
    strace = [need("strace"), "-o", log, "-e", "trace=setsockopt"]
    for listen, calls in (("127.0.0.1", 1), (f"unix:{tmp_path}/s", 0)):
        agent = smtp(smtpd(listen=listen), "-w", "50000", wrapper=strace)
        deliver_one(office, agent)
        assert agent.stop() == 0
        assert log.read_text().count("SO_SNDBUF, [50000], 4) = 0") == calls


# ---- idle sessions ----------------------------------------------------------


def test_idle_session_is_quit(office, smtp, smtpd):
    """And no #idle keeps it; the next job has a new one."""
    server = smtpd()
    agent = smtp(server, "-O", "idle=1")
    deliver_one(office, agent)
    agent.feed_raw("#idle\n")
    assert agent.hungry().lines == ["#hungry"]
    assert server.wait_ended() == "quit"
    assert server.commands()[-1] == "QUIT"
    agent.feed_raw("#idle\n")
    assert agent.hungry().lines == ["#hungry"]
    deliver_one(office, agent)
    assert len(server.sessions) == 2


# ---- the session log, at length ---------------------------------------------


@pytest.mark.parametrize("flags,is_told", [([], False), (["-v"], True)])
def test_verbose_session_log(office, smtp, smtpd, flags, is_told):
    server = smtpd()
    log = office.base / "sessions"
    agent = smtp(server, "-l", log, *flags)
    deliver_one(office, agent)
    assert agent.stop() == 0
    assert server.wait_ended() == "quit"
    text = log.read_text()
    waits = re.findall(r"#\t\(waited \d+ ms for a reply, (\d+) bytes came\)",
                       text)
    writes = re.findall(r"#\t\(wrote (\d+) bytes\)", text)
    assert bool(waits) is is_told and bool(writes) is is_told
    if is_told:
        sent = len(server.received()) - len("QUIT\r\n")
        assert sum(map(int, writes)) == sent


# ---- the process title ------------------------------------------------------


def title(agent):
    """What ps(1) shows."""
    line = pathlib.Path(f"/proc/{agent.pid}/cmdline").read_bytes()
    return to_text(line.split(b"\0")[0])


def wait_title(agent, text):
    try:
        wait_for(lambda: title(agent) == text, "a title")
    finally:
        assert title(agent) == text


def peer(server, session=0):
    """How a title begins that speaks of a connection."""
    ends = (f"127.0.0.1|{server.port}|127.0.0.1"
            f"|{peer_port(server.sessions[session])}")
    return f">{ends[:30]} {HOST}"


# Room for titles, which cannot be longer than arguments and environment.
ROOM = ("-Z", "x" * 200)


def test_title_of_an_agent_that_waits(office, smtp, smtpd):
    server = smtpd()
    agent = smtp(server, "-s", *ROOM)
    wait_title(agent, ">[]  #hungry")
    deliver_one(office, agent)
    wait_title(agent, peer(server) + "#hungry")
    agent.feed_raw("#idle\n")
    agent.hungry()
    wait_title(agent, peer(server) + "#idle")
    deliver_one(office, agent)
    wait_title(agent, peer(server) + "#hungry")


def test_title_after_an_idle_session(office, smtp, smtpd):
    """There is no connection any more, so none is shown."""
    server = smtpd()
    agent = smtp(server, "-s", "-O", "idle=1", *ROOM)
    deliver_one(office, agent)
    assert server.wait_ended() == "quit"
    wait_title(agent, f">[] {HOST} #hungry")


@pytest.mark.parametrize("event,keywords,text", [
    (".", (), "DATA-dot wait"),
    (".", ("PIPELINING", "CHUNKING"), "BDAT 45 LAST"),
])
def test_title_while_an_answer_is_awaited(office, smtp, smtpd, event,
                                          keywords, text):
    gate = threading.Event()
    server = smtpd(keywords=keywords, script={event: [Do(gate=gate)]})
    agent = smtp(server, "-s", *ROOM)
    agent.feed(office.post(), HOST)
    try:
        server.wait_for(lambda: server.sessions, "a connection")
        wait_title(agent, peer(server) + text)
    finally:
        gate.set()
    assert agent.hungry().report.status == "ok3"


def test_title_while_rset_is_awaited(office, smtp, smtpd):
    gate = threading.Event()
    server = smtpd(keywords=(), script={"DATA": ["450 later"],
                                        "RSET": [Do(gate=gate)]})
    agent = smtp(server, "-s", *ROOM)
    agent.run(office.post(), HOST)
    agent.feed(office.post(), HOST)
    try:
        wait_title(agent, peer(server) + "RSET wait")
    finally:
        gate.set()
    agent.hungry()


def test_title_shows_how_much_was_sent(office, smtp, smtpd):
    server = smtpd(keywords=(), rcvbuf=8192,
                   script={"content": Do(stall=100000)})
    agent = smtp(server, "-s", *ROOM)
    job = office.post(body=(b"x" * 99 + b"\n") * 100000)
    agent.feed(job, HOST)
    wait_for(lambda: "DATA " in title(agent), "DATA n/m")
    m = re.fullmatch(re.escape(peer(server)) + r"DATA (\d+)/(\d+) "
                     r"\((\d+)%\)", title(agent))
    assert m, title(agent)
    done, size, percent = map(int, m.groups())
    assert 0 < done < size and percent == done * 100 // size
    assert size > 100 * 100000
    assert agent.stop("SIGTERM") == 0
    settled(job, " ")


def test_title_between_hosts(office, smtp, smtpd):
    """Hosts that cannot be reached leave no connection in the title."""
    server = smtpd()
    agent = smtp(None, "-s", *ROOM)
    deliver_one(office, agent, host=server.destination)
    assert title(agent).startswith(">127.0.0.1|")
    bad = "[127.0.0.1"
    agent.run(office.post(host=bad), bad)
    wait_title(agent, f">[] {bad} #hungry")


def test_without_s_the_title_is_the_command_line(office, smtp, smtpd):
    agent = smtp(smtpd(), *ROOM)
    deliver_one(office, agent)
    line = pathlib.Path(f"/proc/{agent.pid}/cmdline").read_bytes()
    assert line.endswith(b"\0-Z\0" + b"x" * 200 + b"\0")

"""
The scriptable server itself: it is correct by default, does what a script
says, and sees what a client must not do.
"""

import json
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import zpost
from smtpd import Dialogue, Do, Server, format_reply

HERE = pathlib.Path(__file__).resolve().parent


class Client:
    """A client by hand. Every read has a deadline."""

    def __init__(self, server, hello="EHLO me.example"):
        if server.listen.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(5)
            self.sock.connect(server.listen[5:])
        else:
            self.sock = socket.create_connection(
                (server.listen, server.port), 5)
        self.file = self.sock.makefile("rb")
        if hello is not None:
            self.reply()
            self.hello = self.ask(hello)

    def send(self, data):
        self.sock.sendall(data)

    def reply(self):
        """One reply, lines joined by LF; "" at the end."""
        lines = []
        while True:
            line = self.file.readline().decode()
            if not line:
                return "\n".join(lines)
            assert line.endswith("\r\n"), line
            lines.append(line[:-2])
            if line[3:4] != "-":
                return "\n".join(lines)

    def ask(self, command):
        self.send(command.encode() + b"\r\n")
        return self.reply()

    def envelope(self, *rcpts, sender="a@example.net"):
        out = [self.ask(f"MAIL FROM:<{sender}>")]
        out += [self.ask(f"RCPT TO:<{r}>") for r in rcpts]
        return [x[:3] for x in out]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.sock.close()


def kinds(server):
    return [v.kind for v in server.violations]


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "unix"])
def test_message_is_kept_byte_for_byte(smtpd, tmp_path, listen):
    server = smtpd(listen=listen if listen != "unix"
                   else f"unix:{tmp_path}/sock")
    with Client(server) as c:
        assert "250-PIPELINING" in c.hello
        assert c.envelope("b@example.com") == ["250", "250"]
        assert c.ask("DATA")[:3] == "354"
        c.send(b"Subject: x\r\n\r\n..hidden\r\n...\r\n.\r\n")
        assert c.reply()[:3] == "250"
        assert c.ask("QUIT")[:3] == "221"
        assert c.reply() == ""
    message = server.messages[0]
    assert message.content == b"Subject: x\r\n\r\n.hidden\r\n..\r\n"
    assert message.wire == b"Subject: x\r\n\r\n..hidden\r\n...\r\n"
    assert (message.sender, message.addresses) == (
        "a@example.net", ["b@example.com"])
    assert message.body == b".hidden\n..\n"
    assert server.wait_ended() == "quit"


def test_empty_content(smtpd):
    server = smtpd()
    with Client(server) as c:
        c.envelope("b@x")
        c.ask("DATA")
        assert c.ask(".")[:3] == "250"
    assert server.messages[0].content == b""


def test_pipelined_group_is_one_round_trip(smtpd):
    server = smtpd()
    with Client(server) as c:
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n"
               b"DATA\r\n")
        assert [c.reply()[:3] for _ in range(4)] == ["250"] * 3 + ["354"]
        c.send(b"hi\r\n.\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
        assert [c.reply()[:3] for _ in range(4)] == ["250"] * 3 + ["354"]
        assert c.ask(".")[:3] == "250"
    assert len(server.groups()) == 4
    assert len(server.messages) == 2


def test_chunking(smtpd):
    server = smtpd(keywords=["PIPELINING", "CHUNKING"])
    with Client(server) as c:
        c.envelope("b@x")
        c.send(b"BDAT 4\r\nab\r\nBDAT 3 LAST\r\n.\r\n")
        assert [c.reply()[:3] for _ in range(2)] == ["250", "250"]
        assert c.ask("BDAT 0 LAST")[:3] == "503"
    assert server.messages[0].content == b"ab\r\n.\r\n"
    assert server.messages[0].by == "BDAT"


def test_lmtp_answers_for_each_recipient(smtpd):
    server = smtpd(lmtp=True, script={".:c@x": "452 4.2.2 full"})
    with Client(server, "LHLO me") as c:
        c.envelope("b@x", "c@x", "d@x")
        c.ask("DATA")
        c.send(b"x\r\n.\r\n")
        assert [c.reply()[:3] for _ in range(3)] == ["250", "452", "250"]
        assert c.ask("EHLO me")[:3] == "500"
    assert server.messages[0].delivered == ["b@x", "d@x"]


def test_size_limit(smtpd):
    server = smtpd(keywords=["SIZE 10"], size_limit=10)
    with Client(server) as c:
        assert c.ask("MAIL FROM:<a@x> SIZE=11")[:3] == "552"
        assert c.envelope("b@x") == ["250", "250"]
        c.ask("DATA")
        c.send(b"0123456789\r\n.\r\n")
        assert c.reply()[:3] == "552"
    assert server.messages == [] and len(server.attempts) == 1


def test_sequence_is_kept(smtpd):
    server = smtpd()
    with Client(server, None) as c:
        c.reply()
        assert c.ask("MAIL FROM:<a@x>")[:3] == "503"
        c.ask("EHLO me")
        assert c.ask("RCPT TO:<b@x>")[:3] == "503"
        assert c.ask("DATA")[:3] == "503"
        assert c.ask("MAIL FROM:<>")[:3] == "250"
        assert c.ask("MAIL FROM:<a@x>")[:3] == "503"
        assert c.ask("DATA")[:3] == "554"
        assert c.ask("FROB")[:3] == "500"


@pytest.mark.parametrize("refusal,then", [("clear", "250"), ("keep", "503")])
def test_state_after_a_refused_message(smtpd, refusal, then):
    server = smtpd(refusal=refusal, script={".": ["451 4.3.0 not now"]})
    with Client(server) as c:
        c.envelope("b@x")
        c.ask("DATA")
        assert c.ask(".")[:3] == "451"
        assert c.ask("MAIL FROM:<other@x>")[:3] == then
        assert c.ask("RSET")[:3] == "250"
        assert c.ask("MAIL FROM:<other@x>")[:3] == "250"


def test_script_lists_functions_and_connections(smtpd):
    seen = []
    server = smtpd(
        script={"RCPT": ["550 5.1.1 no", None, lambda s: seen.append(s)],
                "MAIL:q@x": "451 one\ntwo"},
        connections=[{}, {"connect": "421 4.3.2 busy"}])
    with Client(server) as c:
        assert c.ask("MAIL FROM:<q@x>") == "451-one\n451 two"
        assert c.envelope("1@x", "2@x", "3@x", "4@x") == [
            "250", "550", "250", "250", "250"]
    assert len(seen) == 1
    with Client(server, None) as c:
        assert c.reply()[:3] == "421"


def test_script_may_be_one_function(smtpd):
    def script(session, event, who):
        return "550 5.7.1 no" if (event, who) == ("RCPT", "b@x") else None

    with Client(smtpd(script=script, keywords=["CHUNKING"])) as c:
        assert c.envelope("b@x", "c@x") == ["250", "550", "250"]
        c.send(b"BDAT 0 LAST\r\n")
        assert c.reply()[:3] == "250"


def test_raw_extra_and_early_replies(smtpd):
    server = smtpd(script={
        "NOOP": [Do(raw=b"25\0 what\n"), Do(extra=b"250 nobody asked\r\n")],
        "MAIL": Do(early=["250 rcpt", "354 data"])})
    with Client(server) as c:
        c.send(b"NOOP\r\n")
        assert c.file.readline() == b"25\0 what\n"
        assert c.ask("NOOP") == "250 2.0.0 ok"
        assert c.reply() == "250 nobody asked"
        assert c.ask("MAIL FROM:<a@x>") == "250 2.1.0 ok"
        assert [c.reply(), c.reply()] == ["250 rcpt", "354 data"]
        c.send(b"RCPT TO:<b@x>\r\nDATA\r\nhi\r\n.\r\n")
        assert c.reply()[:3] == "250"
    assert server.messages[0].content == b"hi\r\n"


def test_delay_pieces_and_gate(smtpd):
    gate = threading.Event()
    server = smtpd(script={"NOOP": Do(delay=0.1), "RSET": Do(chunk=1),
                           "VRFY": Do(gate=gate)})
    with Client(server) as c:
        begin = time.monotonic()
        c.ask("NOOP")
        assert time.monotonic() - begin >= 0.1
        assert c.ask("RSET") == "250 2.0.0 ok"
        sent = [x.data for x in server.transcript if x.side == "S"]
        assert sent[-1] == b"\n" and all(len(x) == 1 for x in sent[-14:])
        c.send(b"VRFY x\r\n")
        c.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            c.sock.recv(1)
        gate.set()
        c.sock.settimeout(5)
        assert c.sock.recv(3) == b"252"


@pytest.mark.parametrize("how", ["before", "after", "reset"])
@pytest.mark.parametrize("event", ["connect", "EHLO", "MAIL", "RCPT", "DATA",
                                   ".", "QUIT"])
def test_closing_at_every_point(smtpd, event, how):
    server = smtpd(script={event: Do(close=how)})
    replies = []
    try:
        with Client(server, None) as c:
            replies.append(c.reply())
            for line in ("EHLO me", "MAIL FROM:<a@x>", "RCPT TO:<b@x>",
                         "DATA", ".", "QUIT"):
                if not replies[-1]:
                    break
                replies.append(c.ask(line))
    except ConnectionError:
        replies.append("")
    order = ["connect", "EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]
    whole = order.index(event) + (how == "after")
    assert [r != "" for r in replies][:whole] == [True] * whole
    assert whole == len(order) or replies[whole] == ""
    assert server.wait_ended() == "closed"


def test_cut_in_the_middle_of_content(smtpd):
    server = smtpd(script={"content": Do(cut=5)})
    with Client(server) as c:
        c.envelope("b@x")
        c.ask("DATA")
        c.send(b"0123456789\r\n")
        assert c.reply() == ""
    assert server.attempts == []


def test_content_without_end_is_recorded(smtpd):
    server = smtpd()
    with Client(server) as c:
        c.envelope("b@x")
        c.ask("DATA")
        c.send(b"half a mess")
    assert server.wait_ended() == "eof"
    assert server.broken_off == [b"half a mess"]
    assert server.attempts == []


def test_stall_fills_the_pipe(smtpd):
    server = smtpd(script={"content": Do(stall=1000)}, rcvbuf=4096)
    with Client(server) as c:
        c.envelope("b@x")
        c.ask("DATA")
        c.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                c.send(b"x" * 70 + b"\r\n" * 1000)


def test_silence_and_endless_replies(smtpd):
    server = smtpd(script={"NOOP": Do(silent=True),
                           "RSET": Do(raw=b"", endless=b"250-more\r\n")})
    with Client(server) as c:
        c.sock.settimeout(0.2)
        c.send(b"NOOP\r\n")
        with pytest.raises(TimeoutError):
            c.sock.recv(1)
    with Client(server) as c:
        c.send(b"RSET\r\n")
        for _ in range(5000):
            assert c.file.readline() == b"250-more\r\n"
    server.wait_ended(1)


VIOLATIONS = {
    "bare-lf": b"MAIL FROM:<a@x>\n",
    "bare-cr": b"MAIL FROM:<a\r@x>\r\n",
    "nul": b"NOOP \0\r\n",
    "8bit-command": b"NOOP \xe4\r\n",
    "long-command": b"NOOP " + b"x" * 600 + b"\r\n",
    "syntax": b"MAIL FROM: <a@x>\r\n",
    "parameter": b"MAIL FROM:<a@x> SIZE=3\r\n",
    "pipelined": b"NOOP\r\nNOOP\r\n",
}


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_violation_in_a_command(kind):
    with Server(keywords=()) as server:
        with Client(server) as c:
            c.send(VIOLATIONS[kind])
            assert c.reply()
        assert kind in kinds(server)
        with pytest.raises(AssertionError, match=kind):
            server.check()


# Parameters of MAIL and RCPT whose extension is offered.
GOOD = ["MAIL FROM:<a@x> BY=1;R", "MAIL FROM:<a@x> BY=999999999;RT",
        "MAIL FROM:<a@x> BY=-5;NT", "MAIL FROM:<a@x> BODY=8BITMIME SIZE=0",
        "MAIL FROM:<\xe4@x> SMTPUTF8", "MAIL FROM:<a@x> ENVID=a+20b RET=FULL",
        "MAIL FROM:<a@x> BODY=BINARYMIME",
        "RCPT TO:<b@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb",
        "RCPT TO:<b@x> NOTIFY=NEVER ORCPT=utf-8;a\\x{20AC}"]
BAD = ["MAIL FROM:<a@x> BY=0;R", "MAIL FROM:<a@x> BY=1000000000;N",
       "MAIL FROM:<a@x> BY=5", "MAIL FROM:<a@x> BY=5;T",
       "MAIL FROM:<a@x> BODY=8BIT", "MAIL FROM:<a@x> SIZE",
       "MAIL FROM:<\xe4@x>", "MAIL FROM:<a@x> SMTPUTF8=yes",
       "MAIL FROM:<a@x> ENVID=a+2", "MAIL FROM:<a@x> RET=ALL",
       "RCPT TO:<b@x> NOTIFY=NEVER,SUCCESS", "RCPT TO:<\xe4@x>",
       "RCPT TO:<b@x> ORCPT=rfc822;\xe4", "RCPT TO:<b@x> ORCPT=utf-8;\xe4",
       "RCPT TO:<b@x> ORCPT=b", "RCPT TO:<b@x> ORCPT=rfc822;" + "x" * 494]
EVERYTHING = ["DSN", "SIZE", "8bitmime", "DELIVERBY", "SMTPUTF8",
              "BINARYMIME"]


@pytest.mark.parametrize("line,good", [
    *[(x, True) for x in GOOD], *[(x, False) for x in BAD]])
def test_values_of_parameters_are_judged(line, good):
    with Server(keywords=EVERYTHING) as server:
        with Client(server) as c:
            if line.startswith("RCPT"):
                c.ask("MAIL FROM:<a@x>")
            c.ask(line)
        assert set(kinds(server)) <= {"parameter-value", "8bit-command"}
        assert (kinds(server) == []) == good


def test_utf8_is_for_those_who_asked_for_it(smtpd):
    with Client(smtpd(keywords=["SMTPUTF8", "DSN"])) as c:
        c.ask("MAIL FROM:<a@x> SMTPUTF8")
        assert c.ask("RCPT TO:<\xe4@x> ORCPT=utf-8;\xe4@x")[:3] == "250"


def test_offered_parameters_can_be_refused_all_the_same(smtpd):
    with Client(smtpd(keywords=["SIZE", "DSN"],
                      lies={"DSN": "555 5.5.4 what?"})) as c:
        assert c.ask("MAIL FROM:<a@x> SIZE=1 RET=FULL") == "555 5.5.4 what?"
        assert c.ask("MAIL FROM:<a@x> SIZE=1")[:3] == "250"
        assert c.ask("RCPT TO:<b@x> NOTIFY=NEVER") == "555 5.5.4 what?"
        assert c.ask("RCPT TO:<b@x>")[:3] == "250"


@pytest.mark.parametrize("limits,good", [
    ("MAILMAX=2 RCPTMAX=2 RCPTDOMAINMAX=2", True), ("MAILMAX=1", False),
    ("RCPTMAX=1", False), ("rcptdomainmax=1", False)])
def test_limits_that_are_told_are_watched(limits, good):
    with Server(keywords=["Limits " + limits]) as server:
        with Client(server) as c:
            for _ in range(2):
                c.ask("MAIL FROM:<a@x>")
                c.ask("RCPT TO:<b@x>")
                c.ask("RCPT TO:<b@y>")
                c.ask("RSET")
        assert set(kinds(server)) == (set() if good else {"limit"})


CONTENT = {
    "bare-lf": b"a\nb\r\n", "bare-cr": b"a\rb\r\n", "nul": b"a\0\r\n",
    "dot": b"a\r\n.b\r\n", "long-line": b"x" * 999 + b"\r\n",
}


@pytest.mark.parametrize("kind", CONTENT)
def test_violation_in_content(kind):
    with Server() as server:
        with Client(server) as c:
            c.envelope("b@x")
            c.ask("DATA")
            c.send(CONTENT[kind] + b".\r\n")
            assert c.reply()[:3] == "250"
        assert kinds(server) == [kind]


def test_longest_allowed_line_is_no_violation(smtpd):
    with Client(smtpd()) as c:
        c.envelope("b@x")
        c.ask("DATA")
        c.send(b"x" * 998 + b"\r\n.." + b"y" * 997 + b"\r\n.\r\n")
        assert c.reply()[:3] == "250"


@pytest.mark.parametrize("group", [b"DATA\r\nhi\r\n.\r\n", b"NOOP\r\nNOOP\r\n",
                                   b"EHLO me\r\nNOOP\r\n"])
def test_command_that_must_end_its_group(group):
    with Server() as server:
        with Client(server) as c:
            c.envelope("b@x")
            c.send(group)
            c.reply()
            c.reply()
        assert "not-last" in kinds(server)


def test_next_command_behind_the_dot_needs_pipelining():
    with Server(keywords=()) as server:
        with Client(server) as c:
            c.envelope("b@x")
            c.ask("DATA")
            c.send(b".\r\nMAIL FROM:<a@x>\r\n")
            c.reply()
            c.reply()
        assert kinds(server) == ["pipelined"]


def test_talking_before_the_greeting():
    with Server(script={"connect": Do(delay=0.1)}) as server:
        with Client(server, None) as c:
            c.send(b"EHLO me\r\n")
            c.reply()
            c.reply()
        assert "early-talk" in kinds(server)


def test_talking_after_the_answer_to_quit():
    with Server() as server:
        with Client(server) as c:
            c.ask("QUIT")
            c.send(b"NOOP\r\n")
            time.sleep(0.05)
        server.wait_ended()
        server.wait_for(lambda: kinds(server) == ["after-quit"], "blame")


def test_bug_in_a_script_is_told():
    with Server(script={"NOOP": lambda s: 1 / 0}) as server:
        with Client(server) as c:
            assert c.ask("NOOP") == ""
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            server.check()


DIALOGUE = r"""# two lines in one write
S: 220 hi
C: /EHLO .+/
S: 250-x
S: 250 PIPELINING
C: MAIL FROM:<a@x>
C: RCPT TO:<b@x>
C: DATA
S\: 250 ok\r\n550 no\r\n354 \x67o\r\n
C*: .
X: wait 0.01
S: 250 done
X: eof
"""


def test_dialogue_is_played(smtpd):
    server = smtpd(dialogue=Dialogue(DIALOGUE))
    with Client(server) as c:
        assert c.hello == "250-x\n250 PIPELINING"
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
        assert [c.reply(), c.reply(), c.reply()] == [
            "250 ok", "550 no", "354 go"]
        c.send(b"skipped\r\nskipped too\r\n.\r\n")
        assert c.reply() == "250 done"
    assert server.wait_ended() == "closed"
    assert server.dialogue.played == 1


@pytest.mark.parametrize("said", ["HELO me", "EHLO ", None])
def test_dialogue_tells_what_differs(said):
    with Server(dialogue=Dialogue(DIALOGUE, "x.txt")) as server:
        with Client(server, None) as c:
            c.reply()
            if said is not None:
                assert c.ask(said) == ""
        server.wait_ended()
        assert server.dialogue.played == 0
        with pytest.raises(AssertionError, match="x.txt:3: wanted"):
            server.check()


def test_malformed_dialogue_is_refused():
    with pytest.raises(ValueError, match="f:2"):
        Dialogue("S: 220 x\nQ: what\n", "f")


def test_every_dialogue_of_the_tree_can_be_read():
    for path in (HERE / "dialogues").glob("*.txt"):
        Dialogue.load(path)


def test_replies_are_formatted():
    assert format_reply("250 a\nb") == b"250-a\r\n250 b\r\n"
    assert format_reply("250") == b"250\r\n"
    assert format_reply("250 ") == b"250 \r\n"


def test_program_stores_messages(tmp_path):
    port, store = tmp_path / "port", tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, HERE / "smtpd.py", "--port-file", port, "--store",
         store])
    try:
        zpost.wait_for(port.exists, "the port file")
        server = Server(port=int(port.read_text()))
        with Client(server) as c:
            c.send(b"MAIL FROM:<a@x> RET=HDRS\r\nRCPT TO:<b@x>\r\nDATA\r\n")
            c.reply(), c.reply(), c.reply()
            c.send(b"..x\xff\r\n.\r\n")
            assert c.reply()[:3] == "250"
            c.ask("QUIT")
        assert (store / "1.eml").read_bytes() == b".x\xff\r\n"
        envelope = json.loads((store / "1.json").read_text())
        assert envelope["from"] == "a@x"
        assert envelope["mail"] == {"RET": "HDRS"}
        assert envelope["to"] == [{"address": "b@x", "params": {}}]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_stop_ends_connections_and_thread():
    before = threading.active_count()
    server = Server().start()
    with Client(server) as c:
        server.stop()
        assert c.reply() == ""
    assert threading.active_count() == before

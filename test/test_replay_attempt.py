"""
tools/replay-attempt: what went wrong with one server goes wrong in the same
way when its record is played back, with the program and with the engine.
"""

import copy
import importlib.machinery
import importlib.util
import json
import pathlib
import socket
import subprocess

import pytest

import test_smtp_dialogue as dialogues
from agentrun import bin_dir
from attemptfile import load, outcomes
from smtpcheck import HOST, NO_KEYWORDS
from smtpd import Do

TOOL = pathlib.Path(__file__).resolve().parent.parent / "tools" / \
    "replay-attempt"
LIMITED = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"]
CHUNKING = ["PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES"]


def tool():
    """The program as a module."""
    loader = importlib.machinery.SourceFileLoader("replay_attempt", str(TOOL))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def case(rcpts="ab", keywords=LIMITED, lmtp=False, options=(), **script):
    """What is to happen; events in capitals, GREETING and END among them."""
    names = {"GREETING": "connect", "END": "."}
    return {"rcpts": [f"{c}@x.example" for c in rcpts], "lmtp": lmtp,
            "options": options, "server": {
                "keywords": keywords, "lmtp": lmtp,
                "script": {names.get(k, k): v for k, v in script.items()}}}


CASES = {
    "all_well": case(),
    "not_pipelined": case(keywords=NO_KEYWORDS),
    "pipelining_left_alone": case(options=["-P"]),
    "rcpt_refused": case(RCPT=[None, "550 5.1.1 no such user"]),
    "all_refused": case(RCPT="550 5.1.1 no such user"),
    "rcpt_deferred": case(RCPT=["450 4.2.1 busy", None]),
    "rcpt_limit": case(RCPT=[None, "452 4.5.3 too many"]),
    "mail_refused": case(MAIL="550 5.1.8 not from there"),
    "mail_deferred": case(MAIL="450 4.7.1 greylisted"),
    "data_refused": case(DATA="451 4.3.0 not now"),
    "content_refused": case(END="554 5.6.0 spam\nreally"),
    "content_deferred": case(END="451 4.3.0 try later"),
    "greeting_refused": case(GREETING="554 5.3.2 go away"),
    "greeting_421": case(GREETING="421 4.3.2 full"),
    "greeting_lost": case(GREETING=Do(close="before")),
    "ehlo_unknown": case(EHLO="502 5.5.1 what?"),
    "mail_421": case(MAIL="421 4.3.2 shutting down"),
    "end_421": case(END=Do(text="421 4.3.2 shutting down", close="after")),
    "lost_at_mail": case(MAIL=[Do(close="before")]),
    "lost_at_rcpt": case(RCPT=[None, Do(close="before")]),
    "reset_at_data": case(DATA=[Do(close="reset")]),
    "lost_in_content": case(content=[Do(cut=10)]),
    "end_unanswered": case(END=Do(close="before")),
    "not_a_reply": case(MAIL=[Do(raw=b"hello there\r\n")]),
    "code_changes": case(RCPT=[Do(raw=b"250-ok\r\n550 no\r\n")]),
    "endless_line": case(MAIL=[Do(raw=b"250 " + b"x" * 5000 + b"\r\n")]),
    "endless_reply": case(MAIL=[Do(raw=b"250-more\r\n" * 300)]),
    "half_a_reply": case(RCPT=[None, Do(raw=b"250-o", close="after")]),
    "controls": case(RCPT=Do(raw=b"550 5.1.1 a\x01\x1b[2J\\x\t\xff\r\n")),
    "utf8": case(RCPT=Do(raw="550 5.1.1 größer\r\n".encode())),
    "unasked": case(MAIL=[Do(extra=b"250 and more\r\n" * 5)]),
    "chunked": case(keywords=CHUNKING),
    "chunk_refused": case(keywords=CHUNKING, END="552 5.3.4 too big"),
    "chunk_unknown": case(keywords=CHUNKING, BDAT="502 5.5.1 what?"),
    "chunk_unanswered": case(keywords=CHUNKING, END=Do(close="before")),
    "silent": case(options=["-T", "cmd=5s"], RCPT=[None, Do(silent=True)]),
    "lmtp": case(lmtp=True, END=[None, "450 4.2.2 full"]),
    "lmtp_lost_between": case(lmtp=True, END=[None, Do(close="before")]),
}


def record(office, smtp, smtpd, what, name) -> list[dict]:
    """The records of one job."""
    path = office.base / (name + ".records")
    server = smtpd(**copy.deepcopy(what["server"]))
    options = ["-M", "-p", "24"] if what["lmtp"] else []
    agent = smtp(server, "-O", f"attempts={path}", *options, *what["options"])
    agent.run(office.post(what["rcpts"]), HOST)
    assert agent.stop() == 0
    return load(path)


@pytest.mark.parametrize("name", CASES)
def test_record_is_played_back_with_the_same_outcome(office, smtp, smtpd,
                                                     monkeypatch, name):
    first = record(office, smtp, smtpd, CASES[name], name)[0]
    text = tool().convert(first)
    path = office.base / f"{name}.txt"
    path.write_text(text)
    again = office.base / "attempts"     # where test_dialogue() has them

    def recorded(server, *options):
        return smtp(server, *options, *CASES[name]["options"])

    monkeypatch.setitem(dialogues.PLAYS, name, dialogues.Play(path))
    assert dialogues.PLAYS[name].unreachable in PLAYABLE, text
    dialogues.test_dialogue(office, recorded, smtpd, name)
    wanted = outcomes(first)
    if first["connection"] is None:     # one speaks for all of them
        wanted = dict(list(wanted.items())[:1])
    assert outcomes(load(again)[0]) == wanted, text


# Why test_smtp_dialogue.py leaves out what is played here: a second time on
# the same connection; seconds that it takes.
PLAYABLE = ("", "the program sends it again before the next",
            "a timeout takes its time")


def test_engine_plays_the_records_too(office, smtp, smtpd, tmp_path):
    program = bin_dir().parent / "test" / "smtp" / "engine_test"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    folder = tmp_path / "test" / "dialogues"
    folder.mkdir(parents=True)
    for name, what in CASES.items():
        if name not in OVER_THE_WIRE:
            found = record(office, smtp, smtpd, what, name)
            (folder / f"{name}.txt").write_text(tool().convert(found[0]))
    engine_plays(program, tmp_path)


def engine_plays(program, place):
    done = subprocess.run([program], cwd=place, capture_output=True,
                          text=True, timeout=50)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    files = list((place / "test" / "dialogues").iterdir())
    assert len(files) > 30 and said.count("\nok ") == len(files), said


def test_dialogues_survive_being_recorded(office, smtp, smtpd, tmp_path):
    """Each of one message, played, recorded, made a dialogue, played."""
    program = bin_dir().parent / "test" / "smtp" / "engine_test"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    folder = tmp_path / "test" / "dialogues"
    folder.mkdir(parents=True)
    for name in dialogues.REACHABLE:
        if len(dialogues.PLAYS[name].messages) != 1:
            continue
        path = office.base / "attempts"
        path.unlink(missing_ok=True)
        dialogues.test_dialogue(office, smtp, smtpd, name)
        text = tool().convert(load(path)[0])
        (folder / f"{name}.txt").write_text(text)
    engine_plays(program, tmp_path)


# What needs an option, or a reply that comes behind one in the same packet.
OVER_THE_WIRE = {"pipelining_left_alone", "unasked"}


# ---- the tool by itself -----------------------------------------------------


def run_tool(*args, text=None):
    return subprocess.run([TOOL, *map(str, args)], input=text,
                          capture_output=True, text=True, timeout=20)


def test_tool_reads_files_and_agents_output(office, smtp, smtpd):
    found = record(office, smtp, smtpd, CASES["lost_at_mail"], "x")
    path = office.base / "x.records"
    assert len(found) == 2
    first, last = run_tool("-n", 1, path), run_tool(path)
    assert "X: close" in first.stdout and "X: close" not in last.stdout
    assert run_tool("-n", -2, path).stdout == first.stdout
    assert run_tool("-n", 2, path).stdout == last.stdout
    lines = "#hungry\n" + "".join(
        f"#attempt {json.dumps(r)}\n" for r in found) + "#hungry\n"
    assert run_tool("-n", 1, text=lines).stdout == first.stdout
    assert run_tool("-n", 3, path).returncode == 65
    assert "2 records" in run_tool("-n", 3, path).stderr


def test_addresses_can_be_replaced(office, smtp, smtpd):
    what = dict(CASES["all_well"], rcpts=['"a b"@x.example', "b@x.example"])
    what["server"] = dict(what["server"], script={
        "RCPT": [None, "550 5.1.1 <b@x.example> is not known"]})
    record(office, smtp, smtpd, what, "x")
    path = office.base / "x.records"
    plain = run_tool(path)
    assert plain.returncode == 65 and "-a" in plain.stderr
    text = run_tool("-a", path).stdout
    assert "x.example" not in text and "alice" not in text
    assert "#! message a0@y0.example a1@y1.example a2@y2.example" in \
        text.replace("a2@y2.example a1@y1.example",
                     "a1@y1.example a2@y2.example")
    assert "is not known" in text and "rcpt-refused" in text


def made(said="RCPT TO:<b@x.example>", reply="250 ok", **more) -> dict:
    """A record of one recipient, as small as can be played."""
    result = {"offset": 1, "user": "b@x.example", "outcome": "relayed",
              "reason": "accepted", "status": "2.0.0"}
    result.update(more.pop("result", {}))
    return {"event": "attempt", "schema": 1, "time": "2026-01-01T00:00:00Z",
            "sender": "s@x.example", "destination": "x.example", "tried": [],
            "connection": {"protocol": "esmtp", "used": [], "opening": [
                {"code": 220, "reply": "220 x ESMTP"},
                {"said": "EHLO me", "code": 250, "reply": "250 x"}]},
            "dialogue": [{"said": "MAIL FROM:<s@x.example>", "code": 250,
                          "reply": "250 ok"},
                         {"said": said, "code": int(reply[:3]),
                          "reply": reply}],
            "recipients": [result], "truncated": False, **more}


def play(*items, options=()):
    """The tool, given records, or lines as they are."""
    return run_tool(*options, text="".join(
        (x if isinstance(x, str) else json.dumps(x)) + "\n" for x in items))


BROKEN = ['{"event":"attempt",', '{"event":"attempt","schema":1}', "{}}",
          '{"a":' * 5000, json.dumps(made())[:-40],
          json.dumps(made(tried=None)), json.dumps(made(connection=[])),
          json.dumps(made(recipients=[{}])), json.dumps(made(truncated=1)),
          json.dumps(made(dialogue=[{"said": 1}])),
          json.dumps(made(result={"offset": "1"})),
          json.dumps(made(lost={"reason": "timeout"}))]


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_broken_line_is_left_out_and_named(line):
    alone = play(line)
    assert alone.returncode == 65 and alone.stdout == ""
    assert "line 1 left out: " in alone.stderr
    assert "0 records" in alone.stderr and "Traceback" not in alone.stderr
    among = play(made(), line)
    assert among.returncode == 0 and "line 2 left out" in among.stderr
    assert among.stdout == play(made()).stdout != ""


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b", "\0", "\x85",
                                     "\u2028", "\ud800"],
                         ids=lambda c: f"{ord(c):x}")
def test_record_cannot_write_lines_of_its_own(control):
    bad = f"x{control}S: 250 injected{control}#! expect 0.0 failed"
    assert play(made()).returncode == 0
    for record in [made(time=bad), made(destination=bad),
                   made(said=bad), made(result={"reason": bad}),
                   made(result={"fate": bad}), made(result={"outcome": bad}),
                   made(result={"status": bad}),
                   made(lost={"reason": bad, "why": ""}),
                   made(connection=None, tried=[
                       {"reason": bad, "why": "", "opening": []}])]:
        done = play(record)
        assert done.returncode == 65 and done.stdout == ""
        assert "line 1 left out" in done.stderr
    for record in [made(said=f"RCPT TO:<{bad}>"),
                   made(sender=bad, dialogue=[]),
                   made(result={"user": bad}, dialogue=[])]:
        assert play(record).returncode == 65
    # The lines of a reply are the server's: each behind an "S:" of ours.
    text = play(made(reply="250 " + bad)).stdout
    assert all(line.isprintable() for line in text.split("\n"))
    assert "S: 250 injected" not in text.split("\n")
    assert [x for x in text.split("\n") if x.startswith("#!")] == [
        x for x in play(made()).stdout.split("\n") if x.startswith("#!")]


def test_number_nought_is_refused():
    done = play(made(), options=["-n", 0])
    assert done.returncode == 2 and done.stdout == ""
    assert "-n counts from 1" in done.stderr


def test_missing_file_is_said(tmp_path):
    done = run_tool(tmp_path / "none")
    assert done.returncode == 66 and "No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_whole_addresses_are_replaced_in_any_case():
    reply = ("550-5.1.1 <B@X.Example> and b@x.example. are not\n"
             "550-5.1.1 cb@x.example, b@x.example.org, \"b@x.EXAMPLE\",\n"
             "550 5.1.1 user=b@x.example:rfc822;S@x.example")
    text = play(made(reply=reply, result={"outcome": "failed", "status":
                                          "5.1.1", "reason": "rcpt-refused"}),
                options=["-a"]).stdout
    assert "x.example" not in text.lower()
    assert "S: 550-5.1.1 <a1@y1.example> and a1@y1.example. are not\n" in text
    assert "a2@y2.example, a3@y3.example, \"a1@y1.example\",\n" in text
    assert "a4@y4.example:rfc822;a0@y0.example\n" in text
    assert "#! expect 0.0 failed 5.1.1 rcpt-refused" in text


@pytest.mark.parametrize("user", ["accepted", "relayed", "ok", "250", "0",
                                  "SIZE", "2.0.0", "RCPT", "a", "S"])
def test_words_are_no_addresses(user):
    """A recipient of this name changes neither codes nor what is expected."""
    record = made(said=f"RCPT TO:<{user}>", reply="250 2.0.0 fine",
                  result={"user": user})
    record["connection"]["opening"][1]["reply"] = "250-x\n250 SIZE"
    text = play(record, options=["-a"]).stdout
    assert "#! expect 0.0 relayed 2.0.0 accepted\n" in text
    assert "S: 250-x\nS: 250 SIZE\n" in text
    assert "S: 250 2.0.0 fine\n" in text
    assert "C: /RCPT TO:<a1@y1\\.example>( .*)?/\n" in text


def test_what_cannot_be_played_is_said(office, smtp, smtpd):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        path = office.base / "x.records"
        agent = smtp(None, "-F", f"[127.0.0.1]:{s.getsockname()[1]}", "-O",
                     f"attempts={path}")
        agent.run(office.post(["a@x.example"]), HOST)
    done = run_tool(path)
    assert done.returncode == 65 and done.stdout == ""
    assert "no connection came about: connect-failed" in done.stderr


def test_many_recipients_become_eight_of_each_kind(office, smtp, smtpd):
    what = dict(CASES["all_well"], rcpts=[f"u{i}@x.example"
                                          for i in range(40)])
    what["server"] = dict(what["server"], script={
        "RCPT:u30@x.example": "550 5.1.1 no",
        "RCPT:u20@x.example": "450 4.2.1 busy"})
    (r,) = record(office, smtp, smtpd, what, "x")
    text = tool().convert(r)
    (line,) = [x for x in text.split("\n") if x.startswith("#! message ")]
    assert len(line.split()) == 3 + 8
    assert "u30@x.example" in line and "u20@x.example" in line
    assert "# 32 recipients" in text
    assert text.count("#! expect") == 8

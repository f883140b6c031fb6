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
    again = office.base / "again.records"

    def recorded(server, *options):
        return smtp(server, "-O", f"attempts={again}", *options,
                    *CASES[name]["options"])

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
        path = office.base / f"{name}.records"
        dialogues.test_dialogue(
            office, lambda server, *options: smtp(
                server, *options, "-O", f"attempts={path}"), smtpd, name)
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

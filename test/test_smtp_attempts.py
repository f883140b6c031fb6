"""
The attempt records of smtp(8): -O attempts=FILE and -O attempts=-. What they
hold is zpost-attempt(5); attemptfile.py checks each against it.
"""

import os
import pathlib
import re
import socket
import threading

import pytest

import attemptfile
from agentrun import wait_for
from attemptfile import from_output, load, outcomes, said
from smtpcheck import HOST, one_report_each, settled
from smtpd import Do
from spoolfile import Rcpt

MAN = pathlib.Path(__file__).resolve().parent.parent / "man"


@pytest.fixture
def records(office, smtp):
    """records(server, jobs, *options): runs them; (output, records)."""

    def run(server, jobs, *options):
        path = office.base / "attempts"
        agent = smtp(server, "-O", f"attempts={path}", *options)
        for job in jobs:
            agent.feed(job, HOST)
        out = agent.collect(len(jobs))
        assert agent.stop() == 0
        one_report_each(out, *jobs)
        return out, load(path)

    return run


def keys(schema) -> set[str]:
    if isinstance(schema, tuple):
        return keys(schema[1])
    if isinstance(schema, list):
        return keys(schema[0])
    if not isinstance(schema, dict):
        return set()
    return {k.rstrip("?") for k in schema}.union(*map(keys, schema.values()))


def test_manual_has_every_member():
    text = (MAN / "zpost-attempt.5").read_text()
    documented = set(re.findall(r"(?m)^\.It Cm ([a-z_0-9]+)", text))
    assert documented == keys(attemptfile.RECORD)


def test_example_of_the_manual_is_a_record():
    text = (MAN / "zpost-attempt.5").read_text()
    lines = re.search(r"(?s)\.Bd -literal\n(\{.*?\n\})\n\.Ed", text)[1]
    lines = lines.replace("\\e", "\\")
    record = attemptfile.parse("".join(x.strip()
                                       for x in lines.split("\n")))
    assert record["connection"] is not None and record["tried"]


# ---- what a record holds ----------------------------------------------------


def test_record_tells_of_each_recipient_and_command(office, records, smtpd):
    server = smtpd(script={"RCPT": [None, "550 5.1.1 no such user"]})
    job = office.post(["a@x.example", "b@x.example"])
    out, (r,) = records(server, [job])
    assert outcomes(r) == {"a@x.example": ("relayed", "accepted"),
                           "b@x.example": ("failed", "rcpt-refused")}
    assert {x["offset"] for x in r["recipients"]} == set(job.offsets)
    assert [s.split(" ")[0] for s in said(r)] == \
        ["MAIL", "RCPT", "RCPT", "DATA", "."]
    assert [x["code"] for x in r["dialogue"]] == [250, 250, 550, 354, 250]
    assert [x["said"].split(" ")[0] if "said" in x else ""
            for x in r["connection"]["opening"]] == ["", "EHLO"]
    assert r["sender"] == "alice@example.net"
    assert r["destination"] == HOST
    assert r["job"]["id"] == job.id and r["job"]["name"] == job.name
    assert r["job"]["identity"] == "<1@example.net>"
    assert r["content"] == len(server.messages[0].content)
    assert r["agent"]["program"] == "smtp"
    c = r["connection"]
    assert (c["protocol"], c["address"]) == ("smtp", "127.0.0.1")
    assert c["port"] == int(server.destination.rsplit(":", 1)[1])
    assert not c["reused"] and c["messages_before"] == 0
    assert "PIPELINING" in c["offered"] and "PIPELINING" in c["used"]
    assert "SMTPUTF8" in c["offered"] and "SMTPUTF8" not in c["used"]
    assert [t["result"] for t in r["tried"]] == ["ready"]
    assert not r["truncated"] and "lost" not in r


def test_report_log_and_record_say_the_same(office, records, smtpd):
    log = office.base / "sessions"
    server = smtpd(script={"RCPT": "450 4.2.1 busy\n4.2.1 later"})
    job = office.post(["a@x.example"])
    out, (r,) = records(server, [job], "-l", log)
    lines = re.findall(r"(?m)^\S+([wr])\t(.*)$", log.read_text())
    told = []
    for x in r["connection"]["opening"] + r["dialogue"]:
        told += [("w", x["said"])] if "said" in x else []
        told += [("r", line) for line in x.get("reply", "").split("\n")
                 if line]
    assert sorted(told) == sorted(x for x in lines if x != ("w", "QUIT"))
    (got,) = r["recipients"]
    diag = re.search(r"DIAG: .* stat='(.*?)' notary='(.*?)' WTT='(.*?)'"
                     r"  MSG='(.*)'\n", log.read_bytes().decode())
    report = out.of(job)
    notary = report.notary
    assert diag.groups() == (report.status, notary.raw, got["remote"],
                             report.message)
    assert notary.status == got["status"]
    assert notary.diagnostic == got["diagnostic"]
    assert notary.remote == got["remote"]
    for x in r["dialogue"][:2]:
        assert "<<- " + x["said"] in out.of(job).message


def test_each_transaction_has_a_record(office, records, smtpd):
    jobs = [office.post([f"u{i}@x.example"], sender=None if i == 1 else
                        "alice@example.net") for i in range(4)]
    _, found = records(smtpd(), jobs)
    assert [r["job"]["name"] for r in found] == [j.name for j in jobs]
    assert [r["connection"]["messages_before"] for r in found] == [0, 1, 2, 3]
    assert [r["connection"]["reused"] for r in found] == \
        [False, True, True, True]
    assert [len(r["tried"]) for r in found] == [1, 0, 0, 0]
    assert [r["sender"] == "" for r in found] == [False, True, False, False]


def test_lost_connection_goes_on_in_a_further_record(office, records, smtpd):
    server = smtpd(connections=[{"MAIL": Do(close="before")}])
    job = office.post(["a@x.example"])
    _, (first, second) = records(server, [job])
    assert outcomes(first) == {"a@x.example": ("again", "connection-lost")}
    assert first["recipients"][0]["again"] == "now"
    assert first["recipients"][0]["fate"] == "deferred"
    assert first["lost"]["reason"] == "connection-lost"
    assert "hung up" in first["lost"]["why"]
    assert outcomes(second) == {"a@x.example": ("relayed", "accepted")}
    assert len(second["tried"]) == 1 and "lost" not in second


def test_recipients_over_a_limit_go_on_in_a_further_record(office, records,
                                                           smtpd):
    server = smtpd(script={"RCPT": [None, "452 4.5.3 too many", None]})
    job = office.post(["a@x.example", "b@x.example"])
    _, (first, second) = records(server, [job])
    assert outcomes(first)["b@x.example"] == ("again", "rcpt-limit")
    assert [x.get("again") for x in sorted(
        first["recipients"], key=lambda x: x["user"])] == \
        [None, "next-transaction"]
    assert outcomes(second) == {"b@x.example": ("relayed", "accepted")}


def test_host_out_of_reach_is_recorded(office, records):
    with socket.socket() as s:      # a port that nobody listens on
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        jobs = [office.post(["a@x.example"]), office.post(["b@x.example"])]
        _, (first, second) = records(None, jobs, "-F", f"[127.0.0.1]:{port}")
    assert first["connection"] is None and second["connection"] is None
    (tried,) = first["tried"]
    assert (tried["result"], tried["port"]) == ("failed", port)
    assert "refused" in tried["why"] and "opening" not in tried
    assert outcomes(first)["a@x.example"][0] == "deferall"
    assert outcomes(second)["b@x.example"][0] == "deferred"
    assert second["tried"] == [], "it was tried for the first alone"


def test_greeting_that_is_refused_is_recorded(office, records, smtpd):
    server = smtpd(script={"connect": "554 5.3.2 go away"})
    _, (r,) = records(server, [office.post(["a@x.example"])])
    (tried,) = r["tried"]
    assert (tried["code"], tried["reason"]) == (554, "greeting-refused")
    assert tried["opening"][0]["reply"] == "554 5.3.2 go away"
    assert [x["said"] for x in tried["opening"][1:]] == ["QUIT"]
    assert r["connection"] is None and "dialogue" not in r


def test_lmtp_has_a_reply_for_each_recipient(office, records, smtpd):
    path = office.base / "lmtp"
    server = smtpd(lmtp=True, listen=f"unix:{path}", script={
        ".:b@x.example": "450 4.2.2 full"})
    job = office.post(["a@x.example", "b@x.example"])
    _, (r,) = records(server, [job], "-M")
    assert r["connection"]["protocol"] == "lmtp"
    assert r["connection"]["address"] == f"UNIX:{path}"
    assert "port" not in r["connection"]
    assert [x["code"] for x in r["dialogue"][-2:]] == [250, 450]
    assert [x.get("said") for x in r["dialogue"][-2:]] == [".", None]
    assert outcomes(r)["a@x.example"][0] == "delivered"
    assert outcomes(r)["b@x.example"][0] == "deferred"


def test_message_that_is_too_large_is_recorded_without_a_dialogue(
        office, records, smtpd):
    server = smtpd(keywords=["SIZE 10"])
    _, (r,) = records(server, [office.post(["a@x.example"])])
    assert outcomes(r) == {"a@x.example": ("failed", "too-large")}
    assert "dialogue" not in r and r["connection"]["offered"] == ["SIZE"]


# ---- hostile servers --------------------------------------------------------

HOSTILE = {
    "controls": b"550 5.1.1 a\x01\x1b[2J\x7f\x08\r\n",
    "invalid": b"550 5.1.1 \xff\xfe\xc3\x28 \xe2\x82\r\n",
    "c1": b"550 5.1.1 \xc2\x9b2J \xe2\x80\xa8\r\n",
    "quotes": b'550 5.1.1 ","outcome":"relayed"}\\u0022\\\r\n',
    "nul": b"550 5.1.1 \0\0\r\n",
    "utf8": "550 5.1.1 größer €\r\n".encode(),
    "forged": b'550-x\r\n550 #attempt {"event":"attempt"}\r\n',
}


def test_hostile_replies_make_valid_records(office, records, smtpd):
    for i, (case, raw) in enumerate(HOSTILE.items()):
        server = smtpd(keywords=["PIPELINING"],
                       script={"RCPT": Do(raw=raw)})
        _, found = records(server, [office.post(["a@x.example"])])
        assert len(found) == i + 1, case
        rcpt = next(x for x in found[-1]["dialogue"]
                    if x.get("said", "").startswith("RCPT"))
        text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
        # One U+FFFD for each byte, where Python has one for some.
        assert re.sub("\ufffd+", "\ufffd", rcpt["reply"]) == \
            re.sub("\ufffd+", "\ufffd", text.removesuffix("\n")), case


def test_what_is_no_reply_is_recorded(office, records, smtpd):
    raw = b"250-well\r\nhello \xff there\r\n"
    server = smtpd(script={"MAIL": Do(raw=raw)})
    _, found = records(server, [office.post(["a@x.example"])])
    assert {r["lost"]["reason"] for r in found} == {"protocol-error"}
    line = found[0]["dialogue"][0]
    assert line["partial"].rstrip("\r") == "250-well\nhello \ufffd there"
    assert "code" not in line and "reply" not in line


def test_huge_replies_are_cut(office, records, smtpd):
    line = "x" * 3000
    huge = "550 5.1.1 no\n" + "\n".join([line] * 15)
    server = smtpd(script={"RCPT": huge})
    job = office.post([f"u{i}@x.example" for i in range(60)])
    _, (r,) = records(server, [job])
    assert r["truncated"]
    assert len(str(r)) < 300_000
    assert r["others"] == 60 and len(r["recipients"]) == 60


class Plain(threading.Thread):
    """A server that does nothing but answer, for one connection."""

    KEYWORDS = b"250-PIPELINING\r\n250 X-RCPTLIMIT 20000\r\n"

    def __init__(self, refused: bytes):
        super().__init__(daemon=True)
        self.refused = refused
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.destination = f"[127.0.0.1]:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        connection, _ = self.socket.accept()
        self.socket.close()
        with connection, connection.makefile("rwb") as f:
            f.write(b"220 plain\r\n")
            f.flush()
            while line := f.readline():
                f.write(self.answer(f, line))
                f.flush()

    def answer(self, f, line) -> bytes:
        if line.startswith(b"EHLO"):
            return b"250-plain\r\n" + self.KEYWORDS
        if line.startswith(b"RCPT") and self.refused in line:
            return b"550 no\r\n"
        if line != b"DATA\r\n":
            return b"250 ok\r\n"
        f.write(b"354 go\r\n")
        f.flush()
        while f.readline() != b".\r\n":
            pass
        return b"250 taken\r\n"


def test_ten_thousand_recipients_make_a_bounded_record(office, records):
    n = 10_000
    server = Plain(b"<u5000@x.example>")
    job = office.post([f"u{i}@x.example" for i in range(n)])
    _, (r,) = records(server, [job])
    server.join(20)
    assert r["truncated"]
    assert (r["succeeded"], r["others"]) == (n - 1, 1)
    assert outcomes(r)["u5000@x.example"] == ("failed", "rcpt-refused")
    assert r["commands"] == n + 3
    assert len(r["dialogue"]) == 256 and len(r["recipients"]) == 201
    assert said(r)[0].startswith("MAIL") and said(r)[-2:] == ["DATA", "."]


# ---- where records go -------------------------------------------------------


def test_file_is_made_for_its_group_and_appended_to(office, smtp, smtpd):
    path = office.base / "attempts"
    server = smtpd()
    for i in range(2):
        agent = smtp(server, "-O", f"attempts={path}", umask=0o022)
        agent.run(office.post(["a@x.example"]), HOST)
        assert len(load(path)) == i + 1
        assert agent.stop() == 0
    assert path.stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("how", ["renamed", "removed"])
def test_rotated_file_is_made_anew(office, smtp, smtpd, how):
    path = office.base / "attempts"
    old = office.base / "attempts.1"
    agent = smtp(smtpd(), "-O", f"attempts={path}")
    agent.run(office.post(["a@x.example"]), HOST)
    if how == "renamed":
        path.rename(old)
    else:
        path.unlink()
    jobs = []

    def is_there():
        jobs.append(office.post(["b@x.example"]))
        agent.run(jobs[-1], HOST)
        return path.exists()

    wait_for(is_there, "the new file", step=0.1)
    told = len(load(path)) + (len(load(old)) if how == "renamed" else 0)
    if how == "renamed":
        assert told == 1 + len(jobs), "no record is lost"
    assert load(path)[-1]["job"]["name"] == jobs[-1].name
    assert sum("attempts" in os.readlink(f"/proc/{agent.pid}/fd/{fd}")
               for fd in os.listdir(f"/proc/{agent.pid}/fd")) == 1


def test_file_that_cannot_be_written_is_told_once(office, smtp, smtpd):
    folder = office.base / "later"
    path = folder / "attempts"
    agent = smtp(smtpd(), "-O", f"attempts={path}")
    jobs = [office.post(["a@x.example"]) for _ in range(3)]
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(3)
    for job in jobs:
        settled(job, "+")
    (comment,) = out.comments
    assert "attempt records are lost" in comment and str(path) in comment
    folder.mkdir()

    def is_there():
        agent.run(office.post(["b@x.example"]), HOST)
        return path.exists()

    wait_for(is_there, "the file", step=0.1)
    assert load(path)


def test_records_on_stdout_stand_before_their_hungry(office, smtp, smtpd):
    """Behind the reports of their recipients; jobs overtake no job."""
    server = smtpd(script={"RCPT": [None, "450 4.2.1 busy", None, None]})
    jobs = [office.post([f"{c}@x.example", f"{c}{c}@x.example"])
            for c in "abcdef"]
    agent = smtp(server, "-O", "attempts=-")
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(len(jobs))
    text = out.text + "\n"
    for job in jobs:
        part, text = text.split("#hungry\n", 1)
        (r,) = from_output(part.split("\n"))
        assert r["job"]["name"] == job.name
        lines = part.rstrip("\n").split("\n")
        assert [x.split("\t")[0] for x in lines[:-1]].sort() == \
            [job.report(0), job.report(1)].sort()
        assert lines[-1].startswith("#attempt {")
        assert len(r["recipients"]) == 2
    assert text == ""


def test_record_of_an_earlier_job_waits_for_its_turn(office, smtp, smtpd):
    """The second job ends first; nothing of it is said before the first."""
    server = smtpd(script={".": [Do(delay=0.3), None]})
    jobs = [office.post(["a@x.example"]), office.post(["a@bad domain"])]
    agent = smtp(server, "-O", "attempts=-")
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(2)
    first = out.lines.index("#hungry")
    assert any(x.startswith(jobs[0].report(0)) for x in out.lines[:first])
    assert all(x.startswith("#attempt ") or x.startswith(jobs[0].report(0))
               for x in out.lines[:first])


def test_no_record_unless_asked(office, smtp, smtpd):
    agent = smtp(smtpd())
    out = agent.run(office.post(["a@x.example"]), HOST)
    assert out.comments == []
    assert not any("#attempt" in x for x in out.lines)


def test_notify_and_utf8_addresses_survive(office, records, smtpd):
    server = smtpd()
    job = office.post([Rcpt("jörg@x.example", notify="NOTIFY=SUCCESS")])
    _, (r,) = records(server, [job])
    assert outcomes(r)["jörg@x.example"][0] == "relayed"
    assert {"SMTPUTF8", "DSN"} <= set(r["connection"]["used"])

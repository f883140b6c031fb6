"""mailq's other views, what it shows without a scheduler, hostile text."""

import json
import os
import re
import stat
import subprocess

import pytest

from fakesched import FakeScheduler, job_of
from spoolfile import Group, Rcpt, Sender
from test_mailq import NOW, mailq, rows, scheduler  # noqa: F401
from zpost import program


# ---- totals and destinations ----------------------------------------------


def test_summary_counts_by_state_age_and_channel(office, scheduler):
    a = office.post(["a@x", "b@x", "c@x"], mtime=NOW - 4000)
    b = office.post([Rcpt("root", channel="local", host="-")],
                    mtime=NOW - 10)
    scheduler.jobs = [job_of(a, [0, 1]), job_of(a, [2], rcpts="held"),
                      job_of(b, channel="local", host="-", state="ready")]
    found, = rows(office, "--summary")
    assert found["messages"] == 2 and found["recipients"] == 4
    assert found["oldest"] == NOW - 4000
    assert found["states"] == {"ready": 1, "waiting": 2, "held": 1}
    assert [(x.get("below"), x["recipients"]) for x in found["ages"]] == [
        (300, 1), (3600, 0), (14400, 3), (86400, 0), (259200, 0), (None, 0)]
    assert found["channels"] == [
        {"channel": "smtp", "recipients": 3,
         "states": {"waiting": 2, "held": 1}},
        {"channel": "local", "recipients": 1, "states": {"ready": 1}}]
    text = mailq(office, "--summary")
    assert re.match(r"4 recipients of 2 messages, the oldest for 1h\d+m", text)
    assert "  waiting                    2   50%\n" in text
    found, = rows(office, "--summary", "--destination", "local/*")
    assert found["recipients"] == 1


def test_summary_reads_no_control_file(office, scheduler):
    a = office.post(["a@x"])
    scheduler.jobs = [job_of(a)]
    a.control.unlink()
    found, = rows(office, "--summary")
    assert found["recipients"] == 1


def test_who_may_not_ask_gets_totals(office, scheduler):
    scheduler.answers["show"] = ["error: only root may ask for that"]
    scheduler.count = {"messages": 3, "recipients": 7, "held": 1}
    found, = rows(office, "--summary")
    assert found["kind"] == "count" and found["recipients"] == 7
    assert "recipients                 7\n" in mailq(office, "--summary")
    assert mailq(office, status=77) == ""
    assert "only root" in office.said


DESTINATIONS = [
    {"channel": "smtp", "host": "few.example", "jobs": 1, "recipients": 1,
     "oldest": NOW - 5, "agents": 1, "fed": 1},
    {"channel": "smtp", "host": "many.example", "jobs": 9, "waiting": 0,
     "recipients": 900, "held": 2, "suspended": True, "until": NOW + 600,
     "oldest": NOW - 7200, "status": "4.4.1", "host_said": "dns; mx.many",
     "why": "connection refused", "tries": 3, "window": 1},
    {"channel": "local", "host": "-", "jobs": 0, "recipients": 0}]


def test_destinations_with_most_recipients_come_first(office, scheduler):
    scheduler.destinations = DESTINATIONS
    lines = mailq(office, "--by-destination").splitlines()
    assert lines[0].split() == ["Destination", "Recipients", "held",
                                "oldest", "agents"]
    assert re.fullmatch(r"smtp/many\.example +902 +2 +2h(\d+m)? +0", lines[1])
    why = " ".join(x.strip() for x in lines[2:-1])
    assert why.startswith("(suspended until ") and why.endswith(
        "4.4.1 mx.many: connection refused)")
    assert re.fullmatch(r"smtp/few\.example +1 +0 +\S+ +1", lines[-1])
    assert scheduler.asked == ["destinations"]
    assert all(len(x) <= 80 for x in lines)
    found = rows(office, "--by-destination")
    assert [x["host"] for x in found] == ["many.example", "few.example"]
    assert found[0]["until"] == NOW + 600 and found[0]["suspended"]


def test_destinations_of_a_sender_are_counted(office, scheduler):
    a = office.post(["a@many.example", "b@many.example"])
    b = office.post(groups=[Group([Rcpt("c@few.example")],
                                  Sender("x@y.example"))])
    scheduler.jobs = [job_of(a, host="many.example"),
                      job_of(b, host="few.example")]
    scheduler.destinations = DESTINATIONS
    found, = rows(office, "--by-destination", "--sender", "alice@*")
    assert found["host"] == "many.example" and found["recipients"] == 2
    assert found["why"] == "connection refused"
    found, = rows(office, "--by-destination", "--destination", "few.*")
    assert found["host"] == "few.example" and found["recipients"] == 1


# ---- one message ----------------------------------------------------------

RECORD = {
    "event": "attempt", "schema": 1, "time": "2026-11-22T02:25:50.123Z",
    "ms": 1031, "agent": {"program": "smtp", "pid": 4711, "channel": "smtp"},
    "tried": [{"host": "mx1.example.com", "address": "192.0.2.1", "port": 25,
               "result": "failed", "why": "connection refused"}],
    "connection": {"protocol": "smtp", "host": "mx2.example.com",
                   "address": "2001:db8::1", "port": 25,
                   "opening": [{"code": 220, "reply": "220 hi\n220 ho"}]},
    "tls": {"protocol": "TLSv1.3"},
    "dialogue": [{"said": "MAIL FROM:<alice@example.net>", "code": 250,
                  "reply": "250 ok"}],
    "recipients": [{"offset": 79, "user": "bob@example.com",
                    "outcome": "deferred", "reason": "rcpt-refused",
                    "diagnostic": "smtp; 450 (later)"}]}


def record(job, spool_id=None, **change) -> str:
    about = {"name": job.name, "id": job.id}
    if spool_id:
        about["spool_id"] = spool_id
    return json.dumps(RECORD | {"job": about} | change) + "\n"


def test_message_in_full(office, scheduler, tmp_path):
    a = office.post(
        groups=[Group([
            Rcpt("bob@example.com", notify="NOTIFY=SUCCESS,FAILURE "
                 "ORCPT=rfc822;robert@example.com"),
            Rcpt("carol@example.com", tag="-")], header=(
                "From: alice@example.net\nSubject: hello\n you\n"))],
        mtime=NOW - 3700, envid="QQ1", ret="HDRS",
        tail=b"d 190:-1:-1::1795000000\tcarol@example.com\x01failed\x015.1.1"
        b"\x01smtp; 550 (no such user)\x01dns; mx.example.com\t\r->> 550\n")
    a.control.write_bytes(a.control.read_bytes().replace(
        b"d 190:", b"d %d:" % a.offsets[1]))
    events = tmp_path / "events"
    other = office.post(["x@y"])
    events.write_text(record(other) + "not json\n" + record(a)
                      + json.dumps({"event": "result", "message": a.name})
                      + "\n" + record(a, "S1Another"))
    scheduler.status = {"pid": 1, "events": str(events)}
    scheduler.jobs = [job_of(a, [0], until=NOW + 600, why="450 later")]
    text = mailq(office, a.name)
    for part in (f"Message       {a.name}\n", " ago\n",
                 "  sender      alice@example.net\n",
                 "  subject     hello you\n", "  envelope id QQ1\n",
                 "  returned    its header\n",
                 "Recipient     bob@example.com\n",
                 "  goes to     smtp/example.com\n",
                 "tried once; 450 later\n",
                 "  tell sender success, failure\n",
                 "  originally  rfc822;robert@example.com\n",
                 "Recipient     carol@example.com\n",
                 "  state       failed\n", "failed 5.1.1, smtp; 550",
                 "(not told yet)\n", "Attempts      1 in the event log\n",
                 "1.031 s, smtp[4711] to mx2.example.com\n"
                 "    [2001:db8::1]:25, TLSv1.3\n",
                 "mx1.example.com [192.0.2.1]:25: connection refused\n",
                 "bob@example.com: deferred, rcpt-refused: smtp; 450 "
                 "(later)\n"):
        assert part in text, text
    assert "MAIL FROM" not in text
    more = mailq(office, "--attempts", a.name)
    assert "      < 220 hi\n      < 220 ho\n" in more
    assert "      > MAIL FROM:<alice@example.net>\n      < 250 ok\n" in more
    found, = rows(office, a.name)
    assert [x["state"] for x in found["recipients"]] == ["waiting", "failed"]
    diagnostic, = found["diagnostics"]
    assert diagnostic["status"] == "5.1.1" and not diagnostic["told"]
    assert diagnostic["offset"] == a.offsets[1]
    assert [x["ms"] for x in found["attempts"]] == [1031]


def test_only_the_last_attempts_are_shown(office, scheduler, tmp_path):
    a = office.post(["bob@example.com"])
    events = tmp_path / "events"
    events.write_text("".join(record(a, ms=i) for i in range(50)))
    scheduler.status = {"events": str(events)}
    scheduler.jobs = [job_of(a)]
    found, = rows(office, a.name)
    assert [x["ms"] for x in found["attempts"]] == list(range(30, 50))
    found, = rows(office, "--attempts", a.name)
    assert len(found["attempts"]) == 50
    assert "Attempts      50 in the event log" in mailq(office, a.name)


def test_results_are_shown_where_agents_make_no_records(office, scheduler,
                                                        tmp_path):
    a = office.post(["bob@example.com"])
    events = tmp_path / "events"
    line = {"event": "result", "schema": 1, "time": "2026-11-22T02:25:50.271Z",
            "message": a.name, "offset": a.offsets[0],
            "user": "bob@example.com", "outcome": "deferred",
            "status": "4.4.1", "text": "busy", "remote": "dns; mx",
            "agent": {"program": "sm", "pid": 4711}}
    said = {"event": "command", "schema": 1, "message": a.name,
            "time": "2026-11-22T02:26:00.000Z", "command": "hold", "by": 0,
            "user": "bob@example.com"}
    events.write_text("".join(
        json.dumps(x) + "\n" for x in (
            line, line | {"spool_id": "S1Another"}, said,
            {"event": "finished", "message": a.name})))
    scheduler.status = {"events": str(events)}
    scheduler.jobs = [job_of(a)]
    assert ("Attempts      0 in the event log\nEvents\n"
            "  2026-11-22T02:25:50.271Z  bob@example.com: deferred by "
            "sm[4711], 4.4.1, dns;\n    mx: busy\n"
            "  2026-11-22T02:26:00.000Z  bob@example.com: hold by uid 0\n"
            ) in mailq(office, a.name)
    found, = rows(office, a.name)
    assert found["events"] == [line, said] and found["attempts"] == []
    with open(events, "a") as f:
        f.write(record(a))
    text = mailq(office, a.name)
    assert "deferred by sm" not in text and "hold by uid 0" in text


def test_a_pipe_of_events_is_left_to_its_reader(office, scheduler, tmp_path):
    a = office.post(["bob@example.com"])
    os.mkfifo(tmp_path / "events")
    scheduler.status = {"events": str(tmp_path / "events")}
    scheduler.jobs = [job_of(a)]
    assert "Attempts" not in mailq(office, a.name)
    assert "not a regular file" in office.said


def test_event_log_that_cannot_be_read_hides_nothing_else(office, scheduler):
    a = office.post(["bob@example.com"])
    scheduler.status = {"events": "/nowhere/events"}
    scheduler.jobs = [job_of(a)]
    assert f"Message       {a.name}\n" in mailq(office, a.name)
    assert "/nowhere/events" in office.said


def test_ids_come_in_their_order_and_those_that_are_not_there(office,
                                                              scheduler):
    a, b = office.post(["a@x"], hash_levels=1), office.post(["b@x"])
    scheduler.jobs = [job_of(a), job_of(b)]
    base = a.name.rsplit("/", 1)[-1]
    found = rows(office, b.name, base)
    assert [x["message"] for x in found] == [b.name, a.name]
    assert mailq(office, "4711", status=66) == ""
    assert "no such message" in office.said
    assert mailq(office, "../../etc/passwd", status=66) == ""


def test_spool_ids_that_submit_and_logs_tell_are_ids(office, scheduler):
    a, b = office.post(["a@x"], hash_levels=1), office.post(["b@x"])
    scheduler.jobs = [job_of(a), job_of(b)]
    spool_id_is_one_message(office, a, b)
    spool_id, = (x["spool_id"] for x in rows(office, b.name))
    mailq(office, "--hold", spool_id)
    assert scheduler.asked[-1] == f"hold {b.name} {b.offsets[0]}"


def spool_id_is_one_message(office, a, b):
    spool_id, = (x["spool_id"] for x in rows(office, a.name))
    found, = rows(office, spool_id)
    assert found["message"] == a.name
    # The same inode, but it is another message by now.
    os.utime(a.message, ns=(0, 1_795_342_216_000_000_001))
    assert mailq(office, spool_id, status=66) == ""
    found, = rows(office, spool_id, b.name)
    assert found["message"] == b.name


# ---- without a scheduler --------------------------------------------------


def test_files_tell_where_no_scheduler_runs(office):
    a = office.post([Rcpt("a@x"), Rcpt("b@x", tag="h"), Rcpt("c@x", tag="+"),
                     Rcpt("d@x", tag="~", slot="  4711")], hash_levels=2)
    office.post_raw(b"nonsense\n", name="99")
    (office.transport / ".draft").write_text("no job\n")
    found, = rows(office)
    assert "no scheduler runs" in office.said
    assert "99: " in office.said
    assert found["source"] == "files" and found["message"] == a.name
    assert [(x["address"], x["state"]) for x in found["recipients"]] == [
        ("a@x", "queued"), ("b@x", "held"), ("d@x", "busy")]
    found, = rows(office, "--state", "delivered")
    assert [x["address"] for x in found["recipients"]] == ["c@x"]
    found, = rows(office, a.name)
    assert len(found["recipients"]) == 4
    found, = rows(office, "--by-destination")
    assert found["recipients"] == 3 and found["held"] == 1
    found, = rows(office, "--summary")
    assert found["states"] == {"held": 1, "busy": 1, "queued": 1}


def test_spool_ids_are_known_without_a_scheduler_too(office):
    spool_id_is_one_message(office, office.post(["a@x"], hash_levels=1),
                            office.post(["b@x"]))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_files_that_others_may_not_read_are_no_empty_queue(office):
    """And are told once, not one by one."""
    for path in (office.path, *office.path.parents):
        if path != path.parent:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o011)
    office.transport.chmod(0o755)
    office.zconfig.chmod(0o644)
    for name in ("a@x", "b@x"):
        office.post([name]).control.chmod(0o600)
    for view in ((), ("--summary",), ("--by-destination",)):
        assert mailq(office, *view, status=77, user=65534,
                     group=65534) == ""
        assert office.said.count("Permission denied") == 1


def test_nothing_is_changed_without_a_scheduler(office):
    a = office.post(["a@x"])
    assert mailq(office, "--hold", a.name, status=69) == ""
    assert "nothing can be changed" in office.said
    assert a.tag() == " "


def test_a_socket_nobody_listens_at_is_no_scheduler(office):
    with FakeScheduler(office) as s:
        path = s.path
        os.link(path, office.base / "kept")
    os.link(office.base / "kept", path)
    assert mailq(office) == "Mail queue is empty\n"
    assert "no scheduler runs" in office.said


def test_socket_of_the_configuration_is_used(office, tmp_path):
    path = tmp_path / "asked here"
    (office.share / "scheduler.conf").write_text(
        f'PARAMmailqsock="UNIX:{path}"\n')
    with FakeScheduler(office, path) as s:
        assert mailq(office) == "Mail queue is empty\n"
        assert s.asked == ["show"] and office.said == ""


def test_postoffice_and_zenv_options(office, scheduler, tmp_path):
    done = subprocess.run(
        [program("mailq"), "-Z", office.zconfig], capture_output=True,
        env={"PATH": "/usr/bin:/bin"}, timeout=20)
    assert done.stdout == b"Mail queue is empty\n" and done.returncode == 0
    done = subprocess.run(
        [program("mailq"), "-Z", "/dev/null", "-P", office.path],
        capture_output=True, env={"PATH": "/usr/bin:/bin"}, timeout=20)
    assert done.stdout == b"Mail queue is empty\n" and done.returncode == 0
    assert mailq(office, "-Z", "/nowhere", status=78) == ""
    assert mailq(office, "-P", "/nowhere", status=72) == ""


@pytest.mark.parametrize("words", [
    ["--nonsense"], ["--age", "old"], ["--age"], ["--state", "asleep"],
    ["--summary", "--by-destination"], ["--hold", "--release"],
    ["--hold", "--summary"], ["--all"], ["--dry-run"], ["--attempts"],
    ["--live", "0"], ["--live", "x"], ["--live", "1", "2"],
    ["--live", "--sender", "x"], ["--redirect", "smtp"],
    ["--redirect", "smtp/"], ["--redirect", "a b/c"],
    ["--redirect", "smtp/h/u\n"]])
def test_wrong_usage(office, words):
    assert mailq(office, *words, status=64) == ""
    assert "usage: mailq" in office.said


def test_options_of_other_mailqs_are_taken(office, scheduler):
    assert mailq(office, "-Ac", "-v", "-q", "-OQueueDirectory=x", "-bp") \
        == "Mail queue is empty\n"


def test_version(office):
    assert mailq(office, "-V").startswith("mailq (Zpost) ")


# ---- hostile text ---------------------------------------------------------

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\nX: y"


def assert_harmless(text: str, turns="\u202e"):
    for c in text:
        assert c == "\n" or (c >= " " and not "\x7f" <= c <= "\x9f"
                             and c not in "\u2028" + turns), repr(text)


def test_no_text_of_the_scheduler_reaches_the_terminal_raw(office, scheduler,
                                                           tmp_path):
    a = office.post(["bob@example.com"])
    evil = EVIL + "\x00"
    scheduler.jobs = [job_of(a, channel="c" + evil, host="h" + evil,
                             status=evil, host_said=evil, why=evil,
                             agent=7, state="fed")]
    scheduler.destinations = [{"channel": "c" + evil, "host": "h" + evil,
                               "recipients": 3, "jobs": 1, "why": evil,
                               "status": evil, "site": evil}]
    events = tmp_path / "events"
    events.write_text(json.dumps(
        RECORD | {"job": {"name": a.name}, "time": evil,
                  "tls": {"protocol": evil},
                  "dialogue": [{"said": evil, "reply": evil}]}) + "\n")
    scheduler.status = {"events": str(events)}
    for words in ([], ["--summary"], ["--by-destination"],
                  ["--attempts", a.name]):
        assert_harmless(mailq(office, *words))
        assert_harmless(mailq(office, "--json", *words), turns="")
        assert_harmless(office.said)


def test_no_text_of_a_control_file_reaches_the_terminal_raw(office, scheduler):
    evil = "\x1b[2J\x07\u009b\u202e"
    a = office.post(
        groups=[Group([Rcpt(f'"b{evil}"@example.com')],
                      Sender(f'"a{evil}"@example.net'),
                      f"From: {evil}\nSubject: {evil}\r\nTo: {evil}\n")],
        log_id=f"<{evil}>", envid=evil)
    scheduler.jobs = [job_of(a)]
    for words in ([], [a.name], ["--hold", "-n", a.name],
                  ["--hold", "-v", a.name], ["--summary"]):
        assert_harmless(mailq(office, *words))
        assert_harmless(mailq(office, "--json", *words), turns="")
    assert "redirect" not in "".join(scheduler.asked)
    assert "control character" in mailq(office, "--redirect", "smtp/r",
                                        a.name, status=75)


def test_utf8_addresses_are_shown_as_they_are(office, scheduler):
    a = office.post(["пример@пример.рф"])
    scheduler.jobs = [job_of(a, host="пример.рф", why="позже")]
    text = mailq(office)
    assert "пример@пример.рф" in text and "позже" in text


@pytest.mark.parametrize("answer", [
    [b"nonsense\n"], [b"[1]\n"], [b"{}\n"], [b'{"message":1}\n'],
    [b'{"message":"1"'], [b""], [b"\x00\xff\n"], [b'{"message":"\xff"}\n'],
    [b'{"message":"1","rcpts":{"a":1},"arrived":"x"}\n', b"ok\n"],
    [b'{"message":"1","rcpts":[[1],[-1,"open"],["x",2],7,null]}\n', b"ok\n"],
    [b"[" * 5000 + b"\n"]])
def test_nonsense_of_a_scheduler_ends_well(office, answer):
    with FakeScheduler(office) as s:
        s.answers["show"] = answer
        s.answer = lambda request, real=s.answer: (
            real(request) if answer[-1] == b"ok\n" else _cut(s, answer))
        done = subprocess.run([program("mailq"), "--json"],
                              env=office.environment(), capture_output=True,
                              timeout=60)
    assert done.returncode in (0, 70, 75), done.stderr
    assert b"Sanitizer" not in done.stderr
    assert_harmless(done.stderr.decode())


def _cut(s, answer):
    """The answer, and then the end of the connection."""
    yield from answer
    for c in s.clients:
        c.shutdown(2)


def test_memory_does_not_grow_with_the_queue(office, scheduler):
    a = office.post(["bob@example.com"])
    scheduler.answers["show"] = [
        b"".join(json.dumps(job_of(a) | {"message": f"{i}-{k}"}).encode()
                 + b"\n" for k in range(1000))
        for i in range(100)] + [b"ok\n"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -v 65536; exec "$0" "$@"', program("mailq"),
         "--summary", "--json"], env=office.environment(),
        capture_output=True, timeout=60)
    if b"ulimit" in done.stderr or b"Sanitizer" in done.stderr:
        pytest.skip("no limit of memory can be set here")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["messages"] == 100000

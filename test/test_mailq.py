"""mailq: what it shows, and of whom it asks it."""

import json
import subprocess
import time

import pytest

from fakesched import FakeScheduler, job_of
from spoolfile import Group, Rcpt, Sender
from zpost import program

NOW = int(time.time())


def mailq(office, *words, status=0, **how):
    """Runs it; gives what it printed. Nothing may go wrong unseen."""
    done = subprocess.run([program("mailq"), *map(str, words)],
                          env=office.environment(how.pop("env", None)),
                          capture_output=True, timeout=60,
                          **({"stdin": subprocess.DEVNULL} | how))
    said = done.stderr.decode()
    assert "Sanitizer" not in said and "runtime error" not in said, said
    assert done.returncode == status, said + done.stdout.decode()
    office.said = said
    return done.stdout.decode()


def rows(office, *words, **how) -> list[dict]:
    return [json.loads(x) for x in
            mailq(office, "--json", *words, **how).splitlines()]


@pytest.fixture
def scheduler(office):
    with FakeScheduler(office) as s:
        yield s


# ---- the list -------------------------------------------------------------


def test_empty_queue_is_said_as_everywhere(office, scheduler):
    assert mailq(office) == "Mail queue is empty\n"
    assert scheduler.asked == ["show"]


def test_list_has_the_look_of_other_mailqs(office, scheduler):
    a = office.post(["bob@example.com", "carol@example.com"],
                    mtime=NOW - 3600)
    b = office.post(groups=[Group([Rcpt("dan@example.net")], Sender(None))],
                    mtime=NOW - 60)
    scheduler.jobs = [
        job_of(a, until=NOW + 1740, tries=3, status="4.4.1",
               host_said="dns; mx.example.com (192.0.2.1)",
               why="450 later"),
        job_of(b, state="fed", agent=4711)]
    lines = mailq(office).split("\n")
    assert lines[0].startswith("-Queue ID--- --Size-- ----Arrival Time---- "
                               "-Sender/Recipient")
    assert lines[1].split()[0] == a.name
    assert lines[1].split()[1] == str(a.message.stat().st_size)
    assert lines[1].endswith("  alice@example.net")
    why = " ".join(x.strip() for x in lines[2:4])
    assert why.startswith("(waiting until ")
    assert why.endswith("tried 3 times; 4.4.1 mx.example.com (192.0.2.1): "
                        "450 later)")
    assert lines[4].split() == ["bob@example.com"]
    assert lines[5].split() == ["carol@example.com"]
    assert lines[6] == ""
    assert lines[7].split()[0] == b.name + "*"
    assert lines[7].endswith("  <>")
    assert lines[8] == " (being delivered by agent 4711; tried once)"
    assert lines[9].split() == ["dan@example.net"]
    assert lines[11] == "-- 1 Kbyte in 2 Requests to 3 recipients."
    assert all(len(x) <= 80 for x in lines)


def test_list_takes_the_terminals_width(office, scheduler):
    a = office.post(["x" * 30 + "@example.com"])
    scheduler.jobs = [job_of(a, why="word " * 40)]
    narrow = mailq(office).split("\n")
    wide = mailq(office, env={"COLUMNS": "160"}).split("\n")
    assert max(map(len, narrow)) <= 80 < max(map(len, wide)) <= 160


def test_jobs_of_one_message_make_one_block(office, scheduler):
    a = office.post(groups=[Group([
        Rcpt("a@one.example", host="one.example"),
        Rcpt("b@two.example", host="two.example"),
        Rcpt("c@one.example", host="one.example")])])
    scheduler.jobs = [job_of(a, [0, 2], "one.example", state="ready"),
                      job_of(a, [1], "two.example", rcpts="held")]
    found, = rows(office)
    assert [(r["address"], r["state"]) for r in found["recipients"]] == [
        ("a@one.example", "ready"), ("b@two.example", "held"),
        ("c@one.example", "ready")]
    assert found["all_recipients"] == 3


def test_json_has_the_documented_members(office, scheduler):
    a = office.post(["bob@example.com"], mtime=NOW - 100, envid="QQ1",
                    header="From: alice@example.net\nSubject: a\n b\n"
                    "Message-ID: <1@example.net>\n")
    scheduler.jobs = [job_of(a, until=NOW + 60, status="4.2.0",
                             host_said="dns; mx", why="later")]
    found, = rows(office)
    assert found.pop("age") >= 100
    assert found.pop("spool_id").startswith("S")
    assert found == {
        "kind": "message", "schema": 1, "source": "scheduler",
        "message": a.name, "arrived": NOW - 100,
        "size": a.message.stat().st_size, "sender": "alice@example.net",
        "message_id": "<1@example.net>", "subject": "a b", "envid": "QQ1",
        "all_recipients": 1, "recipients": [{
            "offset": a.offsets[0], "address": "bob@example.com",
            "channel": "smtp", "host": "example.com", "state": "waiting",
            "tries": 1, "until": NOW + 60, "status": "4.2.0",
            "host_said": "dns; mx", "why": "later"}]}


def test_a_message_that_ends_meanwhile_is_not_shown(office, scheduler):
    a, b = office.post(["a@example.com"]), office.post(["b@example.com"])
    scheduler.jobs = [job_of(a), job_of(b)]
    a.control.unlink()
    assert [x["message"] for x in rows(office)] == [b.name]


def test_a_file_that_cannot_be_understood_is_told(office, scheduler):
    a = office.post(["a@example.com"])
    scheduler.jobs = [job_of(a)]
    a.control.write_bytes(b"nonsense\n")
    assert "(its file cannot be read)" in mailq(office)
    assert a.name in office.said


# ---- filters --------------------------------------------------------------


@pytest.fixture
def many(office, scheduler):
    """Messages that differ in everything that can be asked for."""
    made = {}

    def add(name, sender, rcpt, host, age=10, channel="smtp", **job):
        j = office.post(groups=[Group([Rcpt(rcpt, host=host,
                                            channel=channel)],
                                      Sender(sender))], mtime=NOW - age)
        made[j.name] = name
        scheduler.jobs.append(job_of(j, host=host, channel=channel, **job))

    add("old", "a@one.example", "x@far.example", "far.example", 7300,
        status="4.4.1", why="connection refused", host_said="dns; mx.far",
        suspended=True, state="ready", until=NOW + 99)
    add("new", "a@two.example", "y@far.example", "far.example",
        status="4.2.0", why="Greylisted, come again")
    add("null", None, "z@near.example", "near.example", 4000,
        rcpts="held", state="resting")
    add("local", "b@two.example", "root", "-", channel="local",
        state="fed", agent=7)
    return made


@pytest.mark.parametrize("words, want", [
    (["--sender", "*@two.example"], {"new", "local"}),
    (["--sender", "A@ONE.example"], {"old"}),
    (["--sender", "<>"], {"null"}),
    (["--sender", ""], {"null"}),
    (["--sender", "a@*", "--sender", "<>"], {"old", "new", "null"}),
    (["--sender", "a@*", "--recipient", "y@*"], {"new"}),
    (["--recipient", "[yz]@*"], {"new", "null"}),
    (["--recipient", "root"], {"local"}),
    (["--destination", "far.example"], {"old", "new"}),
    (["--destination", "smtp/*"], {"old", "new", "null"}),
    (["--destination", "local/-"], {"local"}),
    (["--destination", "*/near.*"], {"null"}),
    (["--destination", "smtp/nobody.example"], set()),
    (["--age", ">2h"], {"old"}),
    (["--age", "1h"], {"old", "null"}),
    (["--age", "<1h"], {"new", "local"}),
    (["--status", "4.4.1"], {"old"}),
    (["--status", "4.*"], {"old", "new"}),
    (["--reason", "REFUSED"], {"old"}),
    (["--reason", "grey*"], {"new"}),
    (["--reason", "mx.far"], {"old"}),
    (["--state", "suspended"], {"old"}),
    (["--state", "held,active"], {"null", "local"}),
    (["--state", "waiting"], {"new"}),
])
def test_filters(office, many, words, want):
    assert {many[x["message"]] for x in rows(office, *words)} == want


def test_filter_shows_only_the_recipients_that_fit(office, scheduler):
    a = office.post(["bob@example.com", "carol@example.com"])
    scheduler.jobs = [job_of(a)]
    found, = rows(office, "--recipient", "carol@*")
    assert [r["address"] for r in found["recipients"]] \
        == ["carol@example.com"]


def test_one_destination_is_asked_for_by_name(office, scheduler, many):
    assert len(rows(office, "--destination", "smtp/Far.example")) == 2
    assert scheduler.asked == ["show destination smtp far.example"]


def test_nothing_that_matches_is_said(office, scheduler, many):
    assert mailq(office, "--sender", "nobody") \
        == "Nothing in the mail queue matches\n"


# ---- deeds ----------------------------------------------------------------


@pytest.mark.parametrize("deed, past", [
    ("hold", "held"), ("expire", "expired"), ("delete", "deleted")])
def test_deed_is_done_to_what_the_filter_finds(office, scheduler, deed, past):
    a = office.post(["bob@example.com", "carol@example.com"])
    b = office.post(["carol@example.com"])
    scheduler.jobs = [job_of(a), job_of(b)]
    said = mailq(office, "--" + deed, "--recipient", "carol@*")
    assert scheduler.commands == [f"{deed} {a.name} {a.offsets[1]}",
                                  f"{deed} {b.name} {b.offsets[0]}"]
    assert said == f"{past} 2 recipients\n"


def test_release_takes_only_what_is_held(office, scheduler):
    a, b = office.post(["a@example.com"]), office.post(["b@example.com"])
    scheduler.jobs = [job_of(a), job_of(b, rcpts="held", state="resting")]
    assert mailq(office, "--release", "--all") == "released 1 recipient\n"
    assert scheduler.commands == [f"release {b.name} {b.offsets[0]}"]


def test_ids_choose_messages(office, scheduler):
    a = office.post(["a@example.com"], hash_levels=2)
    b = office.post(["b@example.com"])
    scheduler.jobs = [job_of(a), job_of(b)]
    mailq(office, "--hold", a.name.rsplit("/", 1)[-1])
    assert scheduler.commands == [f"hold {a.name} {a.offsets[0]}"]


def test_redirect_says_who_and_where(office, scheduler):
    a = office.post(["bob@example.com", '"a b"@example.com'])
    scheduler.jobs = [job_of(a)]
    mailq(office, "--redirect", "smtp/relay.example", a.name)
    assert scheduler.commands == [
        f"redirect {a.name} {a.offsets[0]} smtp relay.example "
        "bob@example.com",
        f"redirect {a.name} {a.offsets[1]} smtp relay.example "
        '"a b"@example.com']
    scheduler.asked.clear()
    mailq(office, "--redirect", "local/-/joe/x", "--recipient", "bob@*")
    assert scheduler.commands \
        == [f"redirect {a.name} {a.offsets[0]} local - joe/x"]


def test_dry_run_tells_all_and_does_nothing(office, scheduler):
    a = office.post(["bob@example.com", "carol@example.com"])
    scheduler.jobs = [job_of(a)]
    assert mailq(office, "--delete", "--all", "--dry-run").splitlines() == [
        f"would delete {a.name} bob@example.com",
        f"would delete {a.name} carol@example.com",
        "would have deleted 2 recipients of 1 message; nothing was done"]
    assert mailq(office, "-n", "--redirect", "smtp/r.example", a.name) \
        .splitlines()[0] == (f"would redirect {a.name} bob@example.com to "
                             "smtp/r.example/bob@example.com")
    assert scheduler.commands == []


def test_failures_are_named_and_tell_in_the_exit_status(office, scheduler):
    a = office.post(["bob@example.com", "carol@example.com"])
    scheduler.jobs = [job_of(a)]
    scheduler.refuse = lambda r: ("is with an agent"
                                  if r.endswith(str(a.offsets[0])) else None)
    assert mailq(office, "--hold", a.name, status=75).splitlines() == [
        f"cannot hold {a.name} bob@example.com: is with an agent",
        "held 1 recipient; 1 could not be"]
    found = rows(office, "--hold", a.name, status=75)
    assert [x["kind"] for x in found] == ["deed", "deed", "done"]
    assert found[0]["error"] == "is with an agent"
    assert found[0]["address"] == "bob@example.com"
    assert "error" not in found[1]
    assert found[2]["done"] == 1 and found[2]["failed"] == 1


def test_many_recipients_of_a_message_go_together(office, scheduler):
    a = office.post([f"u{i}@example.com" for i in range(500)])
    scheduler.jobs = [job_of(a)]
    scheduler.refuse = lambda r: ("3 of 200: is with an agent"
                                  if len(scheduler.commands) == 1 else None)
    assert mailq(office, "--hold", a.name, status=75).splitlines() == [
        f"cannot hold 3 recipients of {a.name}: 3 of 200: is with an agent",
        "held 497 recipients; 3 could not be"]
    assert [x.count(" ") - 1 for x in scheduler.commands] == [200, 200, 100]


def test_thousands_of_commands_do_not_jam(office, scheduler):
    jobs = [office.post(["bob@example.com"]) for _ in range(30)]
    scheduler.jobs = [job_of(j) for j in jobs] * 100
    assert mailq(office, "--hold", "--all") == "held 3000 recipients\n"
    assert len(scheduler.commands) == 3000


@pytest.mark.parametrize("deed", ["--delete", "--expire", "--hold",
                                  "--redirect=local/-/x"])
def test_nothing_is_done_to_everything_unasked(office, scheduler, deed):
    a = office.post(["bob@example.com"])
    scheduler.jobs = [job_of(a)]
    assert mailq(office, deed, status=64) == ""
    assert "--all" in office.said
    assert scheduler.asked == []

"""mailq and a scheduler: what is shown is so, and what is done is done."""

import json
import os
import stat
import subprocess
import time

import pytest

from spoolfile import Rcpt
from test_mailq import mailq, rows
from test_mailq_live import Terminal
from zpost import program

FAKE = 'smtp/*\n\tinterval=1h command="fake {}"\n'


def wait_state(office, s, job, *states) -> dict:
    """Waits until the recipients of the job have these states."""
    def look():
        found = [x for x in rows(office) if x["message"] == job.name]
        if [r["state"] for x in found for r in x["recipients"]] \
                == list(states):
            return found[0]
        return None
    return s.wait(look, f"the states {states}")


def test_why_and_until_when(office, scheduler):
    s = scheduler(FAKE.format("deferred"))
    a = office.post(["bob@example.com", "carol@example.com"])
    found = wait_state(office, s, a, "waiting", "waiting")
    rcpt = found["recipients"][0]
    assert rcpt["address"] == "bob@example.com"
    assert rcpt["status"] == "4.4.1" and "busy" in rcpt["why"]
    assert rcpt["until"] > time.time() + 3000 and rcpt["tries"] == 1
    assert "waiting until " in mailq(office)
    found, = rows(office, "--by-destination")
    assert found["host"] == "example.com" and found["recipients"] == 2
    found, = rows(office, "--summary")
    assert found["states"] == {"waiting": 2}


def test_suspended_destination(office, scheduler):
    s = scheduler(FAKE.format("deferall"))
    a = office.post(["bob@example.com"])
    found = wait_state(office, s, a, "suspended")
    assert found["recipients"][0]["until"] > time.time() + 3000
    found, = rows(office, "--by-destination")
    assert found["suspended"] and "busy" in found["why"]
    assert rows(office, "--state", "suspended", "--status", "4.4.*") != []
    assert rows(office, "--state", "held") == []


def test_kick_by_id_destination_and_all(office, scheduler):
    s = scheduler(FAKE.format("deferred"))
    jobs = [office.post(["a@example.com"]),
            office.post(["b@example.net"], host="example.net")]

    def wait_tries(*tries):
        s.wait(lambda: [s.fed().count(j.name) for j in jobs] == list(tries),
               f"tries {tries}")
        for j in jobs:
            wait_state(office, s, j, "waiting")

    wait_tries(1, 1)
    assert mailq(office, "--kick", jobs[0].name) == "kicked 1 message\n"
    wait_tries(2, 1)
    assert mailq(office, "--kick", "--destination", "example.net") \
        == "kicked 1 destination\n"
    wait_tries(2, 2)
    assert mailq(office, "--kick", "--all", "--dry-run").splitlines()[-1] \
        == "would have kicked 2 destinations; nothing was done"
    assert mailq(office, "--kick", "--all") == "kicked 2 destinations\n"
    wait_tries(3, 3)
    assert mailq(office, "--kick", "--sender", "nobody") \
        == "nothing to kick\n"


def test_hold_and_release(office, scheduler):
    s = scheduler(FAKE.format("then deferred ok"))
    a = office.post(["bob@example.com"])
    wait_state(office, s, a, "waiting")
    assert mailq(office, "--hold", a.name) == "held 1 recipient\n"
    assert a.tag() == "h"
    wait_state(office, s, a, "held")
    assert a.name + "!" in mailq(office)
    assert mailq(office, "--hold", a.name) == "nothing to hold\n"
    assert mailq(office, "--release", "--all") == "released 1 recipient\n"
    s.wait_gone(a)


def test_expire_tells_the_sender_and_delete_nobody(office, scheduler):
    s = scheduler(FAKE.format("deferred") + 'local/*\n\tqueueonly\n')
    a = office.post(["bob@example.com", "carol@example.com"])
    b = office.post(["dan@example.com"])
    wait_state(office, s, a, "waiting", "waiting")
    wait_state(office, s, b, "waiting")
    assert mailq(office, "--delete", b.name) == "deleted 1 recipient\n"
    s.wait_gone(b)
    assert s.reports() == []
    assert mailq(office, "--expire", "--recipient", "carol@*") \
        == "expired 1 recipient\n"
    s.wait_reports(1)
    wait_state(office, s, a, "waiting")
    found, = rows(office, a.name)
    assert [x["state"] for x in found["recipients"]] == ["waiting", "failed"]


def test_redirect_delivers_elsewhere(office, scheduler):
    s = scheduler('smtp/dead.example\n\tinterval=1h command="fake deferred"\n'
                  'smtp/*\n\tcommand="fake silent"\n')
    a = office.post(["bob@dead.example", "carol@dead.example"],
                    host="dead.example")
    wait_state(office, s, a, "waiting", "waiting")
    assert mailq(office, "--redirect", "smtp/relay.example", "--recipient",
                 "bob@*") == "redirected 1 recipient\n"

    def found():
        return [(r["address"], r["host"]) for x in rows(office)
                for r in x["recipients"]]
    s.wait(lambda: sorted(found()) == [("bob@dead.example", "relay.example"),
                                       ("carol@dead.example",
                                        "dead.example")], "the redirection")


def test_many_recipients_of_one_message(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly\n')
    a = office.post([f"user{i}@example.com" for i in range(1000)])
    s.wait(lambda: json.loads(mailq(office, "--summary", "--json"))
           ["recipients"] == 1000, "all recipients")
    assert mailq(office, "--hold", "--recipient", "user1*@*") \
        == "held 111 recipients\n"
    assert a.marks.count("h") == 111
    assert mailq(office, "--release", "--all", "-v").count("\n") == 112
    assert mailq(office, "--delete", "--all") == "deleted 1000 recipients\n"
    s.wait_gone(a)


def test_hundreds_of_commands_and_answers_do_not_jam(office, scheduler):
    # A UNIX socket is full after some 70 small answers that nobody reads.
    s = scheduler('smtp/*\n\tqueueonly\n')
    jobs = [office.post(["a@example.com", "b@example.com"])
            for _ in range(200)]
    s.wait(lambda: json.loads(mailq(office, "--summary", "--json"))
           ["recipients"] == 400, "all recipients")
    assert mailq(office, "--hold", "--all") == "held 400 recipients\n"
    assert {j.marks for j in jobs} == {"hh"}


def test_what_an_agent_has_cannot_be_held(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="fake silent"\n')
    a = office.post(["bob@example.com"])
    found = wait_state(office, s, a, "active")
    assert found["recipients"][0]["agent"] > 0
    text = mailq(office, "--hold", a.name, status=75)
    assert text.startswith(f"cannot hold {a.name} bob@example.com: ")
    assert a.name + "*" in mailq(office)


def test_attempts_come_from_the_event_log(office, scheduler, smtpd):
    server = smtpd(script={"RCPT": ["450 4.2.0 later"]})
    s = scheduler(f'smtp/*\n\tinterval=1h command="smtp -F '
                  f'{server.destination} -h client.example -O attempts=-"\n')
    a = office.post(["bob@example.com"])
    found = wait_state(office, s, a, "waiting")
    assert found["recipients"][0]["status"].startswith("4.2.0")
    s.wait(lambda: s.events("attempt"), "the record")
    text = mailq(office, a.name)
    assert "Attempts      1 in the event log\n" in text
    assert "    bob@example.com: deferred, greylisted: smtp; 450 (later)\n" \
        in text
    assert "< 450 4.2.0 later\n" in mailq(office, "--attempts", a.name)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_others_get_totals_only(office, scheduler):
    s = scheduler(FAKE.format("deferred"))
    a = office.post(["bob@example.com"])
    wait_state(office, s, a, "waiting")
    for folder in (office.path, *office.path.parents):
        if folder != folder.parent:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    office.zconfig.chmod(0o644)

    def as_nobody(*words):
        return subprocess.run([program("mailq"), *words], user=65534,
                              env=office.environment(), timeout=60,
                              capture_output=True, text=True)

    done = as_nobody()
    assert done.returncode == 77 and done.stdout == ""
    assert "only root" in done.stderr and "bob" not in done.stderr
    done = as_nobody("--summary", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["messages"] == 1
    assert as_nobody(a.name).returncode == 77
    done = as_nobody("--delete", a.name)
    assert done.returncode == 77 and a.tag() == " "


def test_live_while_mail_goes(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="fake silent"\n')
    office.post(["bob@slow.example"], host="slow.example")
    t = Terminal(office, "1")
    try:
        t.wait("slow.example", "messages 1", "Agents 1")
        t.type("q")
        t.end()
    finally:
        t.close()
    assert s.process.poll() is None


def test_live_shows_how_far_a_large_message_is(office, scheduler):
    s = scheduler("", start=False)
    s.fake("teller")
    path = s.agents / "teller"
    word = json.dumps({"message": "NAME", "host": "h", "bytes": 1 << 20,
                       "size": 4 << 20})
    path.write_text(path.read_text().replace('"$@"', f"wait '{word}'"))
    s.configure('smtp/*\n\tcommand="teller"\n')
    s.start()
    job = office.post(["bob@example.com"])
    s.wait(lambda: "waits" in [x[1] for x in s.calls()], "its work")
    t = Terminal(office, "1")
    try:
        t.wait("[###.........]  25%  1.0M/4.0M")
        t.type("q")
        t.end()
    finally:
        t.close()
    (office.base / "go").touch()
    s.wait_gone(job)


def test_confirmation_on_a_terminal(office, scheduler):
    s = scheduler(FAKE.format("deferred"))
    a = office.post(["bob@example.com"])
    wait_state(office, s, a, "waiting")

    def ask(words, answer) -> tuple[int, bytes]:
        master, slave = os.openpty()
        p = subprocess.Popen([program("mailq"), *words], stdin=slave,
                             stdout=slave, stderr=slave,
                             env=office.environment())
        os.close(slave)
        said = b""
        try:
            if answer is not None:
                while b"[y/N] " not in said:
                    said += os.read(master, 1000)
                os.write(master, answer)
            try:
                while True:
                    said += os.read(master, 1000)
            except OSError:         # the other side is closed
                pass
            return p.wait(60), said
        finally:
            p.kill()
            os.close(master)

    status, said = ask(["--delete"], b"n\n")
    assert status == 77 and b"nothing was done" in said
    assert b"Delete 1 recipient of 1 message? [y/N]" in said
    status, said = ask(["--delete", "--sender", "*"], b"\n")
    assert status == 77 and a.tag() == " "
    status, said = ask(["--hold", "--sender", "*"], None)
    assert status == 0 and a.tag() == "h"
    status, said = ask(["--delete"], b"yes\n")
    assert status == 0 and b"deleted 1 recipient" in said
    s.wait_gone(a)


def test_sendmail_bp_is_mailq(office, scheduler, tmp_path):
    s = scheduler(FAKE.format("deferred"))
    a = office.post([Rcpt("bob@example.com")])
    wait_state(office, s, a, "waiting")
    (tmp_path / "sbin").mkdir()
    (tmp_path / "bin").mkdir()
    for name, folder in (("submit", "sbin"), ("mailq", "bin")):
        target = tmp_path / folder / name
        target.write_bytes(program(name).read_bytes())
        target.chmod(0o755)
    (tmp_path / "sbin/sendmail").symlink_to("submit")
    done = subprocess.run([tmp_path / "sbin/sendmail", "-bp"], timeout=60,
                          env=office.environment(), capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == mailq(office)
    assert "bob@example.com" in done.stdout

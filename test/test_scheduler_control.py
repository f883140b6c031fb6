"""The scheduler's socket: who may ask what, and what commands do."""

import json
import os
import random
import socket
import stat
import time

import pytest

from spoolfile import Rcpt
from zpost import wait_for

FAKE = 'smtp/*\n\tcommand="fake {}"\n'


class Client:
    """A connection; as another user if uid is given."""

    def __init__(self, office, uid: int | None = None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        if uid is not None:
            os.seteuid(uid)
        try:
            self.socket.connect(str(office.path / ".scheduler.socket"))
        finally:
            if uid is not None:
                os.seteuid(0)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        self.socket.close()

    def send(self, *requests: str) -> None:
        self.socket.sendall("".join(r + "\n" for r in requests).encode())

    def answer(self) -> str:
        """The lines of an answer; the last one only if it is an error."""
        lines = []
        while line := self.file.readline().decode():
            if line == "ok\n":
                return "".join(lines)
            lines.append(line)
            if line.startswith("error: "):
                assert len(lines) == 1, "rows before an error"
                return line
        raise EOFError("no whole answer: " + "".join(lines))

    def ask(self, request: str) -> str:
        self.send(request)
        return self.answer()


def ask(office, request: str, uid: int | None = None) -> str:
    """One request on a connection of its own; "" is a bare ok."""
    with Client(office, uid) as client:
        return client.ask(request)


def rows(office, request: str) -> list[dict]:
    answer = ask(office, request)
    assert not answer.startswith("error"), answer
    return [json.loads(line) for line in answer.splitlines()]


def test_counts_and_metrics(office, scheduler):
    s = scheduler('smtp/dead.example\n\tcommand="fake deferall"\n'
                  + FAKE.format("ok"))
    s.wait_gone(office.post(["bob@example.com"]))
    office.post(["a@dead.example", "b@dead.example"], host="dead.example")
    s.wait(lambda: json.loads(ask(office, "count"))["suspended"] == 1,
           "the suspension")
    count = json.loads(ask(office, "count"))
    assert count["messages"] == 1 and count["recipients"] == 2
    metrics = ask(office, "metrics")
    assert 'zpost_results_total{channel="smtp",outcome="delivered"} 1\n' \
        in metrics
    assert '\nzpost_queue_recipients{state="open"} 2\n' in metrics


def test_show_says_why_and_until_when(office, scheduler):
    s = scheduler('smtp/*\n\tinterval=1h command="fake deferall"\n')
    job = office.post(["bob@example.com"])
    s.wait(lambda: '"suspended":true' in ask(office, "show"), "a try")
    shown = json.loads(ask(office, "show"))
    assert shown["message"] == job.name
    assert shown["host"] == "example.com" and shown["channel"] == "smtp"
    assert shown["rcpts"] == [[job.offsets[0], "open"]]
    assert "busy" in shown["why"]
    assert shown["status"] == "4.4.1"
    assert shown["until"] > time.time() + 3000
    for _ in range(3):
        office.post(["c@example.com"])
    s.wait(lambda: len(rows(office, "show")) == 4, "four jobs")
    assert ask(office, "show 2").startswith("error: show what?")


def test_kick_tries_at_once(office, scheduler):
    s = scheduler('smtp/*\n\tinterval=1h command="fake then deferall ok"\n'
                  'held/*\n\tqueueonly command="fake ok"\n')
    job = office.post(["bob@example.com"])
    # The agent has answered, and is done with its line too.
    s.wait(lambda: '"suspended":true' in ask(office, "show")
           and '"fed"' not in ask(office, "show"), "a try")
    held = office.post(["x@y"], channel="held", host="y")
    assert ask(office, "kick smtp example.com") == ""
    s.wait_gone(job)
    s.wait(lambda: '"held"' in ask(office, "show"), "the other")
    assert ask(office, "kick held y") == ""
    s.wait_gone(held)
    assert ask(office, "kick held y").startswith("error: nothing waits")


def test_release_lets_a_held_recipient_go(office, scheduler):
    s = scheduler(FAKE.format("then hold ok"))
    job = office.post(["bob@example.com"])
    s.wait(lambda: job.tag() == "h", "the hold")
    wait_for(lambda: json.loads(ask(office, "count"))["held"] == 1)
    for words in ("release 1 5", f"release {job.name} 5",
                  f"release {job.name} x", "release", "nonsense", "",
                  "release ../../etc/passwd 5", "release /etc/passwd 5"):
        assert ask(office, words).startswith("error: "), words
    assert ask(office, f"release {job.name} {job.offsets[0]}") == ""
    s.wait_gone(job)


def test_hold_and_expire_by_command(office, scheduler):
    s = scheduler('smtp/example.net\n\tqueueonly\n'
                  'smtp/*\n\tinterval=1h command="fake defer"\n')
    job = office.post(["bob@example.com", "carol@example.com"])
    s.wait(lambda: '"waiting"' in ask(office, "show"), "a try")
    assert ask(office, f"hold {job.name} {job.offsets[0]}") == ""
    assert job.tag(0) == "h"
    for words in ("hold", "expire"):
        assert ask(office, f"{words} {job.name} {job.offsets[0]}") \
            .startswith("error: ")
    assert ask(office, f"expire {job.name} {job.offsets[1]}") == ""
    s.wait(lambda: job.tag(1) == "-", "the failure")
    [report] = s.wait_reports(1)
    assert b"carol@example.com" in report.message.read_bytes()
    assert b"given up by the postmaster" in report.message.read_bytes()
    assert ask(office, f"release {job.name} {job.offsets[0]}") == ""
    s.wait(lambda: job.tag(0) in " ~", "the release")


def test_reload_by_command(office, scheduler):
    s = scheduler(FAKE.format("ok"))
    s.configure("smtp/*\n\tnonsense\n")
    assert "unknown keyword 'nonsense'" in ask(office, "reload")
    s.configure(FAKE.format("ok"))
    assert ask(office, "reload") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_others_may_only_count(office, scheduler, tmp_path):
    s = scheduler(FAKE.format("hold"))
    job = office.post(["bob@example.com"])
    s.wait(lambda: job.tag() == "h", "the hold")
    for folder in (office.path, *office.path.parents):
        if folder.stat().st_uid == 0 and folder != folder.parent:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    assert json.loads(ask(office, "count", 65534))["held"] == 1
    assert "zpost_agents" in ask(office, "metrics", 65534)
    for words in ("show", "reload", "kick smtp example.com",
                  f"release {job.name} {job.offsets[0]}"):
        assert ask(office, words, 65534) \
            == "error: only root may ask for that\n"
    assert job.tag() == "h"


def test_bad_clients_disturb_nobody(office, scheduler):
    s = scheduler(FAKE.format("ok"))
    path = str(office.path / ".scheduler.socket")
    clients = []
    for _ in range(50):                 # more than are let in
        c = socket.socket(socket.AF_UNIX)
        c.connect(path)
        clients.append(c)
    clients[0].sendall(b"x" * 16385)
    clients[1].sendall(b"sho")
    s.wait_gone(office.post(["bob@example.com"]))
    for c in clients:
        c.close()
    wait_for(lambda: ask(office, "count").startswith("{"))


def test_service_manager_is_told(office, scheduler, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        s = scheduler(FAKE.format("ok"), env={"NOTIFY_SOCKET": str(path)})
        assert manager.recv(100) == b"READY=1"
        assert s.stop() == 0
        assert manager.recv(100) == b"STOPPING=1"


# ---- the protocol ----------------------------------------------------------


def test_many_requests_on_one_connection(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly\n')
    jobs = [office.post(["bob@example.com"]) for _ in range(3)]
    s.wait(lambda: json.loads(ask(office, "count"))["messages"] == 3, "all")
    with Client(office) as client:
        client.send(*["count", "show", "nonsense", "", "status"] * 40)
        for _ in range(40):
            assert json.loads(client.answer())["messages"] == 3
            shown = [json.loads(x) for x in client.answer().splitlines()]
            assert {x["message"] for x in shown} == {j.name for j in jobs}
            assert client.answer() == "error: unknown command\n"
            assert client.answer() == "error: unknown command\n"
            assert json.loads(client.answer())["pid"] == s.process.pid


def test_what_came_whole_is_answered_at_the_end_of_file(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly\n')
    job = office.post(["bob@example.com"])
    s.wait(lambda: json.loads(ask(office, "count"))["messages"] == 1, "it")
    with Client(office) as client:
        client.socket.sendall(
            f"status\ncount\ndelete {job.name} {job.offsets[0]}".encode())
        client.socket.shutdown(socket.SHUT_WR)
        lines = client.file.read().decode().splitlines()
    assert [x == "ok" for x in lines] == [False, True, False, True]
    assert job.tag() == " "             # half a command is none


def test_status_tells_of_the_scheduler(office, scheduler):
    s = scheduler(FAKE.format("ok"))
    status = json.loads(ask(office, "status"))
    assert status["pid"] == s.process.pid
    assert status["postoffice"] == str(office.path)
    assert status["config"] == str(office.share / "scheduler.conf")
    assert status["events"] == str(s.events_file)
    assert status["started"] <= status["now"]
    assert status["submit"] is False and status["ending"] is False
    assert status["version"][0].isdigit()


def test_show_one_message_or_destination(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly\n')
    one = office.post(["a@one.example", "b@One.Example"], host="one.example")
    two = office.post(["c@two.example"], host="two.example")
    s.wait(lambda: json.loads(ask(office, "count"))["messages"] == 2, "both")
    [row] = rows(office, f"show message {one.name}")
    assert row["rcpts"] == [[o, "open"] for o in one.offsets]
    assert row["state"] == "ready" and row["tries"] == 0
    assert "agent" not in row and "why" not in row and "until" not in row
    [row] = rows(office, "show destination smtp TWO.example")
    assert row["message"] == two.name
    for words in ("show message 1", "show message", "show destination",
                  "show destination smtp", "show destination smtp x",
                  "show all"):
        assert ask(office, words).startswith("error: "), words


def test_destinations_say_what_waits_where(office, scheduler):
    s = scheduler('smtp/dead.example\n\tinterval=1h command="fake deferall"\n'
                  'smtp/*\n\tqueueonly\n')
    office.post(["a@dead.example", "b@dead.example"], host="dead.example")
    s.wait(lambda: json.loads(ask(office, "count"))["suspended"] == 1, "it")
    held = office.post(["c@example.com", "d@example.com"])
    s.wait(lambda: len(rows(office, "destinations")) == 2, "both")
    assert ask(office, f"hold {held.name} {held.offsets[0]}") == ""
    dead, other = rows(office, "destinations")
    assert dead["host"] == "dead.example" and dead["suspended"]
    assert dead["status"] == "4.4.1" and "busy" in dead["why"]
    assert dead["until"] > time.time() + 3000 and dead["tries"] == 1
    assert dead["recipients"] == 2 and dead["jobs"] == dead["ready"] == 1
    assert abs(dead["oldest"] - time.time()) < 600
    assert other["recipients"] == other["held"] == 1
    assert not other["suspended"] and other["agents"] == 0


def test_agents_say_what_they_are_at(office, scheduler):
    s = scheduler(FAKE.format("wait"))
    job = office.post(["bob@example.com"])
    s.wait(lambda: "waits" in [x[1] for x in s.calls()], "its work")
    [agent] = rows(office, "agents")
    assert agent["program"] == "fake" and agent["channel"] == "smtp"
    assert agent["state"] == "working" and agent["lines"] == 1
    assert agent["message"] == job.name and agent["host"] == "example.com"
    [row] = rows(office, "show")
    assert row["state"] == "fed" and row["agent"] == agent["pid"]
    for words in ("hold", "expire", "delete"):
        assert "with an agent" in ask(
            office, f"{words} {job.name} {job.offsets[0]}")
    assert "with an agent" in ask(
        office, f"redirect {job.name} {job.offsets[0]} smtp x.example a@b")
    assert job.tag() == " "
    (office.base / "go").touch()
    s.wait_gone(job)


# ---- commands --------------------------------------------------------------


def test_kick_of_a_message_and_flush(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly command="fake ok"\n')
    jobs = [office.post([f"a@{h}.example"], host=f"{h}.example")
            for h in ("x", "x", "y", "z")]
    s.wait(lambda: json.loads(ask(office, "count"))["messages"] == 4, "all")
    assert ask(office, f"kick {jobs[1].name}") == ""
    s.wait_gone(jobs[1])
    assert json.loads(ask(office, "count"))["messages"] == 3
    assert ask(office, f"kick {jobs[1].name}").startswith("error: ")
    assert ask(office, "flush") == ""
    s.wait_gone(*jobs)
    assert ask(office, "flush") == ""


def test_delete_tells_nobody(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly\n')
    wants = "NOTIFY=SUCCESS,FAILURE"
    job = office.post([Rcpt(f"{x}@example.com", notify=wants) for x in "abc"])
    s.wait(lambda: json.loads(ask(office, "count"))["recipients"] == 3, "it")
    at = job.offsets
    assert ask(office, f"hold {job.name} {at[1]}") == ""
    assert ask(office, f"delete {job.name} {at[0]} {at[1]} 3 x") \
        == f"error: 2 of 4: {job.name}: no recipient at byte 3\n"
    assert job.tag(0) == job.tag(1) == "+" and job.tag(2) == " "
    assert ask(office, f"delete {job.name} {at[0]}").startswith("error: ")
    assert ask(office, f"delete {job.name} {at[2]}") == ""
    s.wait_gone(job)
    assert not s.reports()
    said = s.wait_line(": delete by uid", 3)
    assert "<c@example.com>" in said[2]
    assert [x["command"] for x in s.events("command")] \
        == ["hold", "delete", "delete", "delete"]


def test_several_recipients_expire_with_one_command(office, scheduler):
    s = scheduler('smtp/*\n\tqueueonly\n')
    job = office.post([f"r{i}@example.com" for i in range(20)])
    s.wait(lambda: json.loads(ask(office, "count"))["recipients"] == 20, "it")
    offsets = " ".join(map(str, job.offsets))
    assert ask(office, f"expire {job.name} {offsets}") == ""
    [report] = s.wait_reports(1)
    assert report.message.read_bytes().count(b"Final-Recipient:") == 20
    s.wait_gone(job)


REDIRECTED = ("smtp/*\n\tqueueonly\n"
              'new/*\n\tqueueonly command="fake ok"\n')


def test_redirect_makes_a_message_of_its_own(office, scheduler):
    s = scheduler(REDIRECTED)
    job = office.post([Rcpt("a@example.com", notify="NOTIFY=NEVER"),
                       "b@example.com"], body=b"Hello.\n" * 100000)
    s.wait(lambda: json.loads(ask(office, "count"))["recipients"] == 2, "it")
    assert ask(office, f"redirect {job.name} {job.offsets[0]} new "
                       'There.Example "odd name"@there.example') == ""
    assert job.tag(0) == "+" and job.tag(1) == " "
    s.wait(lambda: '"there.example"' in ask(office, "show"), "the new one")
    [row] = rows(office, "show destination new there.example")
    [made] = [j for j in office.jobs() if j.name == row["message"]]
    body = job.message.read_bytes()
    assert made.message.read_bytes() == body and len(body) > 700000
    assert b'new There.Example "odd name"@there.example 65534\n' in made.data
    assert made.data.count(b"\nr") == 1
    assert b"\nN NOTIFY=NEVER\n" in made.data
    old = job.control.read_bytes()
    assert made.data[made.data.index(b"\nm\n"):] == \
        old[old.index(b"\nm\n"):]
    assert made.message.stat().st_mode & 0o777 == 0o600
    assert ask(office, f"delete {job.name} {job.offsets[1]}") == ""
    s.wait_gone(job)                    # each has a message file of its own
    assert made.message.read_bytes() == body
    assert ask(office, f"kick {made.name}") == ""
    s.wait_gone(made)
    [said] = s.wait_line(": redirect by uid")
    assert f"<a@example.com>: redirect by uid 0 as {made.name}" in said
    assert not s.reports()


def test_redirect_of_a_held_recipient_lets_it_go(office, scheduler):
    s = scheduler('new/*\n\tcommand="fake ok"\nsmtp/*\n\tqueueonly\n')
    job = office.post(["a@example.com"])
    s.wait(lambda: json.loads(ask(office, "count"))["recipients"] == 1, "it")
    assert ask(office, f"hold {job.name} {job.offsets[0]}") == ""
    assert ask(office, f"redirect {job.name} {job.offsets[0]} new x.example "
                       "a@x.example") == ""
    s.wait_gone(job)
    s.wait(lambda: not office.jobs(), "the new one")


def test_redirect_refuses_what_cannot_stand_in_a_line(office, scheduler):
    s = scheduler(REDIRECTED)
    job = office.post(["a@example.com"])
    s.wait(lambda: json.loads(ask(office, "count"))["recipients"] == 1, "it")
    where = f"{job.name} {job.offsets[0]}"
    with Client(office) as client:
        for words in (f"{where} new x.example", f"{where} new", where, "",
                      f"{where} new x.example a\rb", f"{where} new x\tb",
                      f"{where} new x.example a\0b",
                      f"{where} new x.example a\x7fb",
                      f"{where} other x.example a@b",
                      f'{where} "new" x.example a@b',
                      f'{where} new "x.example a@b',
                      f"{where} {'n' * 1025} x.example a@b",
                      f"{where} new {'h' * 1025} a@b",
                      f"{job.name} 7 new x.example a@b",
                      "1 2 new x.example a@b",
                      "../../x 2 new x.example a@b"):
            assert client.ask(f"redirect {words}").startswith("error: "), words
    assert office.jobs() == [job] or len(office.jobs()) == 1
    assert job.tag() == " "
    assert not [p for p in office.path.glob("*/.new*")]


def test_redirect_takes_odd_users_as_one_word(office, scheduler):
    s = scheduler(REDIRECTED)
    for i, user in enumerate(('|/bin/prog a b', '"', "\\", 'a"b', "-",
                              "a b 65534", "ü@é.example")):
        job = office.post(["a@example.com"])
        s.wait(lambda: json.loads(ask(office, "count"))["jobs"] == i + 1, "it")
        assert ask(office, f"redirect {job.name} {job.offsets[0]} new h{i} "
                           + user) == ""
        s.wait_gone(job)
        s.wait(lambda: f'"h{i}"' in ask(office, "show"), "the new one")
        [row] = rows(office, f"show destination new h{i}")
        assert len(row["rcpts"]) == 1
    assert len(office.jobs()) == 7
    assert json.loads(ask(office, "count"))["unrouted"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_strangers_cannot_keep_root_out(office, scheduler):
    scheduler(FAKE.format("ok"))
    for folder in (office.path, *office.path.parents):
        if folder.stat().st_uid == 0 and folder != folder.parent:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    clients = [Client(office, 60000 + i // 5) for i in range(100)]
    served = 0
    for client in clients:
        try:
            client.send("count")
            served += client.answer().startswith("{")
        except (OSError, EOFError):
            pass
    assert served == 12
    assert ask(office, "show") == ""
    for client in clients:
        client.__exit__()


def test_a_long_answer_streams_to_a_slow_reader(office, scheduler):
    """It is more than buffers hold, and mail flows while it is not read."""
    s = scheduler('old/*\n\tqueueonly\n' + FAKE.format("ok"))
    n = 3000
    for _ in range(n):
        office.post([f"{'r' * 60}@example.com"] * 3, channel="old",
                    host="h" * 200)
    s.wait(lambda: json.loads(ask(office, "count"))["jobs"] == n, "all", 60)
    with Client(office) as slow, Client(office) as other:
        slow.send("show")
        first = slow.file.read(1000)
        s.wait_gone(office.post(["bob@example.com"]))
        [row] = other.ask("show destination old " + "h" * 200).splitlines()[:1]
        assert json.loads(row)["message"] == \
            json.loads(first.split(b"\n")[0])["message"]
        doomed = json.loads(row)["message"]
        jobs = {j.name: j for j in office.jobs()}
        del jobs[doomed]
        for job in list(jobs.values())[:1000]:
            offsets = " ".join(map(str, job.offsets))
            assert other.ask(f"delete {job.name} {offsets}") == ""
        lines = (first.decode() + slow.answer()).splitlines()
    names = [json.loads(x)["message"] for x in lines]
    assert len(names) == len(set(names))
    assert n - 1000 <= len(names) <= n
    assert json.loads(ask(office, "count"))["jobs"] == n - 1000


def test_a_client_that_goes_away_is_forgotten(office, scheduler):
    s = scheduler('old/*\n\tqueueonly\n' + FAKE.format("ok"))
    for _ in range(1000):
        office.post(["a@example.com"], channel="old", host="h" * 200)
    s.wait(lambda: json.loads(ask(office, "count"))["jobs"] == 1000, "all")
    for _ in range(40):
        with Client(office) as client:
            client.send(*["show", "destinations", "flush"] * 10)
            client.file.read(100)
    assert len(rows(office, "show")) == 1000


def test_agents_show_the_progress_of_a_long_message(office, scheduler):
    s = scheduler(FAKE.format("ok"))
    s.fake("teller")
    path = s.agents / "teller"
    bad = ["no json", "[]", '{"message":1,"bytes":2}', '{"message":"x"}',
           '{"message":"x","bytes":-1}', '{"message":"x","bytes":"1"}',
           '{"message":"x","bytes":1,"size":{}}', '"' * 5000]
    words = [json.dumps({"message": "NAME", "host": "h", "bytes": 50,
                         "size": 200}), *bad]
    path.write_text(path.read_text().rstrip("\n").replace(
        '"$@"', "wait " + " ".join(f"'{w}'" for w in words)) + "\n")
    s.configure('smtp/*\n\tcommand="teller"\n')
    assert ask(office, "reload") == ""
    job = office.post(["bob@example.com"])
    s.wait(lambda: "waits" in [x[1] for x in s.calls()], "its work")
    s.wait_line("bad progress", len(bad))
    [agent] = rows(office, "agents")
    assert agent["progress"] == {"message": job.name, "bytes": 50,
                                 "size": 200}
    (office.base / "go").touch()
    s.wait_gone(job)
    s.wait(lambda: rows(office, "agents")[0]["state"] == "idle", "its end")
    [agent] = rows(office, "agents")
    assert "progress" not in agent and "message" not in agent


# ---- storms ----------------------------------------------------------------


def test_a_storm_of_commands_leaves_nothing_behind(office, scheduler):
    """Whatever is commanded while mail flows, each message comes to its end,
    and no file and no error is left."""
    chance = random.Random(7)
    jobs = [office.post([f"u{k}@{h}.example" for k in range(3)],
                        channel=chance.choice(["smtp", "old"]),
                        host=f"{h}.example")
            for h in chance.choices("abc", k=150)]
    s = scheduler('old/*\n\tqueueonly command="fake ok"\n'
                  'smtp/a.example\n\tcommand="fake then defer ok"\n'
                  + FAKE.format("ok"))
    said = []
    with Client(office) as client, Client(office) as other:
        for _ in range(600):
            job = chance.choice(jobs)
            at = chance.choice(job.offsets)
            client.send(chance.choice([
                f"hold {job.name} {at}", f"release {job.name} {at}",
                f"hold {job.name} " + " ".join(map(str, job.offsets)),
                f"delete {job.name} {at}", f"expire {job.name} {at}",
                f"redirect {job.name} {at} old c.example new@c.example",
                f"kick {job.name}", "kick old b.example", "show",
                f"show message {job.name}", "destinations", "agents"]))
            said.append(client.answer())
            if chance.randrange(50) == 0:
                assert other.ask("flush") == ""
        assert "" in said and any(x.startswith("error") for x in said)
        for job in office.jobs():
            client.ask(f"release {job.name} "
                       + " ".join(map(str, job.offsets)))

        def is_over():
            other.ask("flush")          # reports too, once they are there
            return json.loads(other.ask("count"))["messages"] == 0
        s.wait(is_over, "the end")
    assert not office.jobs()
    assert not [p for p in office.queue.rglob("*") if p.is_file()]
    # A look at the spool may see a mark before its agent's word is heard.
    bad = [x for x in s.lines if (": error: " in x or ": warning: " in x)
           and "ignored: " not in x]
    assert not bad, bad


def test_a_redirect_that_is_cut_off_loses_nobody(office, scheduler):
    """kill -9 in the middle: the old recipient or the new one is there, or
    both; never neither, and never half a message."""
    chance = random.Random(3)
    s = scheduler(REDIRECTED)
    body = b"Hello, hello.\n" * 20000
    for i in range(12):
        job = office.post(["a@example.com"], body=body)
        s.wait(lambda: job.name in ask(office, "show"), "it")
        with Client(office) as client:
            client.send(f"redirect {job.name} {job.offsets[0]} "
                        f"new h{i}.example b@h{i}.example")
            time.sleep(chance.random() * 0.01)
            s.kill()
            s.process.wait()
            s.reader.join()
        s.start()
        made = [j for j in office.jobs() if b" h%d.example " % i in j.data]
        old = job.control.exists() and job.tag() != "+"
        assert old or made, i
        for j in made:
            assert j.message.read_bytes().endswith(body)
        for j in made + [job] * old:
            s.wait(lambda: f'"{j.name}"' in ask(office, "show"), "it")
            assert ask(office, f"delete {j.name} {j.offsets[0]}") == ""
        s.wait(lambda: json.loads(ask(office, "count"))["messages"] == 0,
               "the end")
    assert not office.jobs()

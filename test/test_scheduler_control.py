"""The scheduler's socket: who may ask what, and what commands do."""

import json
import os
import socket
import stat
import time

import pytest

from schedrun import Scheduler
from spoolfile import Rcpt
from zpost import wait_for

FAKE = 'smtp/*\n\tcommand="fake {}"\n'


@pytest.fixture
def scheduler(office):
    running = []

    def start(conf, *options, **how) -> Scheduler:
        running.append(Scheduler(office, conf, *options, **how))
        return running[-1]

    yield start
    for s in running:
        if s.process.returncode is None:
            assert s.stop() == 0, s.text
            assert "Sanitizer" not in s.text


def ask(office, request: str, uid: int | None = None) -> str:
    """One request and its whole answer; as another user if uid is given."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        if uid is not None:
            os.seteuid(uid)
        try:
            s.connect(str(office.path / ".scheduler.socket"))
        finally:
            if uid is not None:
                os.seteuid(0)
        s.sendall(request.encode() + b"\n")
        answer = b""
        while data := s.recv(65536):
            answer += data
    return answer.decode()


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
    assert 'zpost_results_total{outcome="delivered"} 1\n' in metrics
    assert "\nzpost_queue_recipients 2\n" in metrics
    for line in metrics.splitlines():
        assert line.startswith("#") or len(line.split(" ")) == 2


def test_show_says_why_and_until_when(office, scheduler):
    s = scheduler('smtp/*\n\tinterval=1h command="fake deferall"\n')
    job = office.post(["bob@example.com"])
    s.wait(lambda: '"suspended":true' in ask(office, "show"), "a try")
    shown = json.loads(ask(office, "show"))
    assert shown["message"] == job.name
    assert shown["host"] == "example.com" and shown["channel"] == "smtp"
    assert shown["recipients"] == 1 and "busy" in shown["why"]
    assert shown["status"] == "4.4.1"
    assert shown["until"] > time.time() + 3000
    for _ in range(3):
        office.post(["c@example.com"])
    s.wait(lambda: len(ask(office, "show").splitlines()) == 4, "four jobs")
    assert len(ask(office, "show 2").splitlines()) == 2
    assert ask(office, "show 0") == ""


def test_kick_tries_at_once(office, scheduler):
    s = scheduler('smtp/*\n\tinterval=1h command="fake then deferall ok"\n'
                  'held/*\n\tqueueonly command="fake ok"\n')
    job = office.post(["bob@example.com"])
    s.wait(lambda: '"suspended":true' in ask(office, "show"), "a try")
    held = office.post(["x@y"], channel="held", host="y")
    assert ask(office, "kick smtp example.com") == "ok\n"
    s.wait_gone(job)
    s.wait(lambda: '"held"' in ask(office, "show"), "the other")
    assert ask(office, "kick held y") == "ok\n"
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
    assert ask(office, f"release {job.name} {job.offsets[0]}") == "ok\n"
    s.wait_gone(job)


def test_hold_and_expire_by_command(office, scheduler):
    s = scheduler('smtp/example.net\n\tqueueonly\n'
                  'smtp/*\n\tinterval=1h command="fake defer"\n')
    job = office.post(["bob@example.com", "carol@example.com"])
    s.wait(lambda: '"waiting"' in ask(office, "show"), "a try")
    assert ask(office, f"hold {job.name} {job.offsets[0]}") == "ok\n"
    assert job.tag(0) == "h"
    for words in ("hold", "expire"):
        assert ask(office, f"{words} {job.name} {job.offsets[0]}") \
            .startswith("error: ")
    assert ask(office, f"expire {job.name} {job.offsets[1]}") == "ok\n"
    s.wait(lambda: job.tag(1) == "-", "the failure")
    [report] = s.wait_reports(1)
    assert b"carol@example.com" in report.message.read_bytes()
    assert b"given up by the postmaster" in report.message.read_bytes()
    assert ask(office, f"release {job.name} {job.offsets[0]}") == "ok\n"
    s.wait(lambda: job.tag(0) in " ~", "the release")


def test_reload_by_command(office, scheduler):
    s = scheduler(FAKE.format("ok"))
    s.configure("smtp/*\n\tnonsense\n")
    assert "unknown keyword 'nonsense'" in ask(office, "reload")
    s.configure(FAKE.format("ok"))
    assert ask(office, "reload") == "ok\n"


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
    clients[0].sendall(b"x" * 4097)
    clients[1].sendall(b"sho")
    s.wait_gone(office.post(["bob@example.com"]))
    for c in clients:
        c.close()
    wait_for(lambda: ask(office, "count") != "")


def test_service_manager_is_told(office, scheduler, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        s = scheduler(FAKE.format("ok"), env={"NOTIFY_SOCKET": str(path)})
        assert manager.recv(100) == b"READY=1"
        assert s.stop() == 0
        assert manager.recv(100) == b"STOPPING=1"

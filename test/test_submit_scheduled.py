"""submit's service as the scheduler's child: -O submit=on of scheduler(8)."""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import zpost
from schedrun import Scheduler
from submitserver import NOBODY

QUIET = 'smtp/*\n\tqueueonly command="fake"\n'


@pytest.fixture
def office():
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="zpost-scheduled-",
                                     dir="/tmp") as base, \
            zpost.Postoffice(base, {"MAILNAME": "mail.example"}) as office:
        office.base.chmod(0o755)
        office.path.chmod(0o755)
        for folder in (office.queue, office.transport):
            folder.chmod(0o700)
        shutil.copy(zpost.program("submit"), office.base / "sendmail")
        yield office


@pytest.fixture
def scheduler(office):
    running = []

    def start(*options, **how) -> Scheduler:
        running.append(Scheduler(office, QUIET, *options, **how))
        return running[-1]

    yield start
    for s in running:
        if s.process is not None and s.process.returncode is None:
            s.stop()


def children(s: Scheduler) -> list[int]:
    """The services that run below this scheduler."""
    path = pathlib.Path(f"/proc/{s.process.pid}/task/{s.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()
            if "--serve" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]


def wait_service(s: Scheduler) -> int:
    """Waits until the service can be reached; its pid."""
    def look():
        pids = children(s)
        return pids if pids and (s.office.path / "submit.socket").exists() \
            else None
    pid, = s.wait(look, "the submission service")
    return pid


def as_nobody(office, *args) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(office.base / "sendmail"), *args], input=b"A: b\n\nc\n",
        user="nobody", group=NOBODY.pw_gid, extra_groups=[],
        env=office.environment(), capture_output=True, timeout=zpost.DEADLINE)


def test_ordinary_user_submits_through_the_schedulers_child(
        office, scheduler):
    s = scheduler("-O", "submit=on")
    pid = wait_service(s)
    done = as_nobody(office, "bob@x")
    assert done.returncode == 0, done.stderr
    assert len(office.jobs()) == 1
    assert s.stop() == 0
    assert not pathlib.Path(f"/proc/{pid}").exists()
    assert not (office.path / "submit.socket").exists()
    assert "Sanitizer" not in s.text


def test_without_the_option_there_is_no_service(office, scheduler):
    s = scheduler()
    assert children(s) == []
    off = scheduler("-O", "submit=off", start=False)
    s.stop()
    off.start()
    assert children(off) == []


def test_killed_service_is_started_again(office, scheduler):
    s = scheduler("-O", "submit=on")
    first = wait_service(s)
    os.kill(first, signal.SIGKILL)
    s.wait_line("ended by signal 9")
    s.wait_line("started again in 1 s")
    s.wait(lambda: children(s) not in ([], [first]), "another one")
    s.wait(lambda: as_nobody(office, "bob@x").returncode == 0, "service")
    os.kill(wait_service(s), signal.SIGKILL)
    s.wait_line("started again in 2 s")
    s.wait(lambda: as_nobody(office, "bob@x").returncode == 0, "service")
    assert s.stop() == 0


def test_service_that_cannot_start_is_tried_at_once_after_hup(
        office, scheduler):
    with open(office.path / "submit.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        s = scheduler("-O", "submit=on")
        s.wait_line("another process serves this spool")
        s.wait_line("started again in 2 s")
    s.kill(signal.SIGHUP)
    wait_service(s)
    assert s.stop() == 0


def test_service_ends_with_a_scheduler_that_is_killed(office, scheduler):
    s = scheduler("-O", "submit=on")
    pid = wait_service(s)
    s.kill()
    s.process.wait()
    zpost.wait_for(lambda: not pathlib.Path(f"/proc/{pid}/exe").exists(),
                   "the end of the service")
    s.start()
    s.wait(lambda: as_nobody(office, "bob@x").returncode == 0, "service")
    assert s.stop() == 0


@pytest.mark.parametrize("options, code, says", [
    (["-O", "submit=/nowhere/submit"], 78, "no program for -O submit"),
    (["-O", "submit=maybe"], 64, "on, off or an absolute path"),
    (["-O", "submit=on", "-P", "/var/empty"], 64, "POSTOFFICE"),
    (["-O", "submit="], 64, "submit=on"),
])
def test_what_cannot_be_run_is_refused(office, options, code, says):
    done = subprocess.run(
        [str(zpost.program("scheduler")), *options],
        env=office.environment(), capture_output=True, text=True,
        timeout=zpost.DEADLINE)
    assert done.returncode == code, done.stderr
    assert says in done.stderr


def test_program_elsewhere_is_run(office, scheduler):
    path = office.script("other", f"#!/bin/sh\nexec {office.base}/submit-x "
                         "\"$@\"\n")
    shutil.copy(zpost.program("submit"), office.base / "submit-x")
    s = scheduler("-O", f"submit={path}")
    wait_service(s)
    assert as_nobody(office, "bob@x").returncode == 0
    assert s.stop() == 0

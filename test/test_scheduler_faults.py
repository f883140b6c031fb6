"""
What goes wrong around the scheduler: disks, descriptors, clocks, permissions,
strangers in its directories. The log says so, work goes on when it can, and
nothing is lost.
"""

import fcntl
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

import pytest

from agentrun import wait_for
from faults import Clock, Disk, injected
from schedrun import Scheduler
from spoolfile import Rcpt
from zpost import Postoffice, program

FAKE = 'smtp/*\n\tcommand="fake {}"\n'
KEEP = 'smtp/example.net\n\tqueueonly\n'    # where reports go
DAY = 24 * 3600
F_SETPIPE_SZ = 1031     # fcntl(2)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def small(tmp_path):
    """small(size=..) gives (disk, office): a post office on a disk."""
    opened = []

    def make(**options):
        opened.append(Disk(tmp_path / "small" / "postoffice", **options))
        return opened[-1], Postoffice(tmp_path / "small")

    yield make
    for disk in opened:
        disk.__exit__()


# ---- disks ----------------------------------------------------------------


def post_failed(office, *more):
    """A job one of whose recipients has failed, of which nobody was told."""
    job = office.post([Rcpt("bob@example.com", tag="-"), *more])
    with open(job.control, "ab") as f:
        f.write(b"d %d:-1:-1::1\tbob@example.com\x01failed\x015.1.1\x01smtp; "
                b"550 no\x01dns; mx\t\r->> 550 no\n" % job.offsets[0])
    return job


def clutter(office) -> list[str]:
    return [str(p) for p in office.path.rglob(".new-*")]


@pytest.mark.parametrize("what", ["bytes", "inodes"])
def test_full_disk_delays_reports_and_loses_nothing(small, scheduler, what):
    disk, office = small(size="256k", nr_inodes=60)
    s = scheduler(KEEP + FAKE.format("ok"), at=office)
    s.stop()
    job = post_failed(office, "x@example.com")
    if what == "bytes":
        disk.fill()
    else:
        disk.use_inodes()
    s.start()
    s.wait_line("No space left on device")
    s.wait(lambda: job.tag(1) == "+", "what needs no room to go on")
    assert job.control.exists() and job.message.exists()
    assert b"\nd " in job.data and s.reports() == []
    assert clutter(office) == []
    s.stop()
    if what == "bytes":
        disk.empty()
    else:
        disk.free_inodes()
    s.start()
    s.wait_gone(job)
    [report] = s.wait_reports(1)
    assert b"bob@example.com" in report.message.read_bytes()


def test_expiry_waits_for_room_and_is_told_once(small, scheduler):
    disk, office = small(size="256k")
    s = scheduler(KEEP + FAKE.format("defer"), at=office, start=False,
                  defaults=EXPIRES)
    # Its control file ends at a block's end: one more byte is too much.
    job = office.post(["bob@example.com"], mtime=int(time.time()) - 5,
                      header=b"X: " + b"x" * 3000 + b"\n")
    pad = 4096 - len(job.data)
    with open(job.control, "ab") as f:
        f.write(b"#" * (pad - 1) + b"\n")
    disk.fill()
    s.start()
    s.wait_line("cannot expire")
    assert job.tag() == " "
    s.stop()
    disk.empty()
    s.start()
    s.wait_gone(job)
    [report] = s.wait_reports(1)
    assert report.message.read_bytes().count(b"Final-Recipient") == 1


def test_error_of_the_disk_delays_a_report(office, scheduler, tmp_path):
    s = scheduler(KEEP + FAKE.format("ok"),
                  **injected(tmp_path / "strace", "fsync,syncfs", "EIO",
                             threads=True))
    job = post_failed(office)
    s.wait_line("Input/output error")
    assert job.control.exists() and s.reports() == []
    assert clutter(office) == []
    s.stop()
    s.wrapper = []
    s.start()
    s.wait_gone(job)
    assert len(s.wait_reports(1)) == 1


def test_mark_that_cannot_be_written_repeats_no_report(office, scheduler,
                                                       tmp_path):
    """Else a sender would hear of the same failure every minute."""
    s = scheduler(KEEP + FAKE.format("ok"),
                  **injected(tmp_path / "strace", "pwrite64", "EIO"))
    job = post_failed(office)
    s.wait_line("told, but not marked so: ")
    s.wait_gone(job)
    assert len(s.reports()) == 1


def test_failure_that_came_to_nothing_is_not_told(office, scheduler):
    """Who wrote the diagnostic died before the mark; it was tried again."""
    s = scheduler(KEEP + FAKE.format("ok"), start=False)
    job = post_failed(office, "carol@example.com")
    job.set_mark(0, " ")
    s.start()
    s.wait_gone(job)
    assert s.reports() == []
    s.stop()
    job = post_failed(office)
    job.set_mark(0, " ")
    s.configure(KEEP + FAKE.format("fail"))
    s.start()
    s.wait_gone(job)
    [report] = s.wait_reports(1)
    assert report.message.read_bytes().count(b"Final-Recipient") == 1


def test_stale_lock_that_cannot_be_cleared_is_looked_at_again(
        office, scheduler, tmp_path):
    job = office.post([Rcpt("bob@example.com", tag="~", slot="  9999")])
    s = scheduler(FAKE.format("ok"), **injected(
        tmp_path / "strace", "pwrite64", "EIO", "1"))
    s.wait_line("Input/output error")
    s.wait_gone(job)


def test_read_only_spool_is_said_and_survived(small, scheduler):
    disk, office = small(size="256k")
    s = scheduler(FAKE.format("ok"), at=office)
    job = office.post(["bob@example.com"])
    s.wait_gone(job)
    # Files that others have open for writing keep it from being mounted so.
    s.stop()
    late = office.post(["carol@example.com"])
    disk.read_only(True)
    done = subprocess.run([program("scheduler")], env=office.environment(),
                          stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 72
    assert b"Read-only file system" in done.stderr
    disk.read_only(False)
    s.start()
    s.wait_gone(late)


def test_log_that_cannot_be_written_stops_no_mail(office, scheduler,
                                                  tmp_path):
    s = scheduler(FAKE.format("nonsense"), start=False)
    with Disk(tmp_path / "full", size="16k") as disk:
        disk.fill()
        with open(disk.path / "hog", "ab") as full:
            process = subprocess.Popen(
                [program("scheduler"), "-v", "-O",
                 f"events={disk.path / 'hog'}"],
                env=office.environment(), stdin=subprocess.DEVNULL,
                stderr=full)
        try:
            s.wait_gone(office.post(["bob@example.com"]))
        finally:
            process.terminate()
            assert process.wait(20) == 0
    assert s.fed()


@pytest.mark.parametrize("how", ["closed", "unread"])
def test_log_that_nobody_reads_stops_no_mail(office, scheduler, how):
    s = scheduler(FAKE.format("nonsense"), start=False)
    process = subprocess.Popen(
        [program("scheduler")], env=office.environment(),
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while b" serving " not in process.stderr.readline():
            pass
        if how == "closed":
            process.stderr.close()
        else:           # as small as a pipe can be
            fcntl.fcntl(process.stderr, F_SETPIPE_SZ, 4096)
        jobs = [office.post(["bob@example.com"]) for _ in range(20)]
        s.wait_gone(*jobs)
        if how == "unread":
            # What found no room is lost, and that is said.
            os.set_blocking(process.stderr.fileno(), False)
            while process.stderr.read(65536):
                pass
            office.post(["bob@example.com"], name="1x", omit="i")
            wait_for(lambda: b"lines of the log are lost" in
                     (process.stderr.read(65536) or b""), "the number")
    finally:
        process.terminate()
        assert process.wait(20) == 0


# ---- what the system has too little of ------------------------------------


def test_processes_that_cannot_be_forked_are_tried_again(office, scheduler,
                                                         tmp_path):
    s = scheduler(FAKE.format("ok"), **injected(
        tmp_path / "strace", "vfork", "EAGAIN", "1..2"))
    job = office.post(["bob@example.com"])
    s.wait_gone(job)
    told = s.wait_line("cannot fork", 2)
    assert "Resource temporarily unavailable" in told[0]


@pytest.mark.parametrize("limit", [64, 24])
def test_few_descriptors_mean_few_agents(office, scheduler, limit):
    s = scheduler(FAKE.format("ok"), start=False,
                  wrapper=["prlimit", f"--nofile={limit}:{limit}"])
    jobs = [office.post(["b@x"], host=f"h{i}.example") for i in range(12)]
    s.start()
    s.wait_gone(*jobs)
    assert len({x[0] for x in s.calls()}) <= max(1, (limit - 32) // 4)


def test_descriptors_that_run_out_only_delay(office, scheduler, tmp_path):
    job = office.post(["bob@example.com"])
    s = scheduler(FAKE.format("ok"), **injected(
        tmp_path / "strace", "openat", "EMFILE", "1",
        path=str(job.control.relative_to(office.transport))))
    s.wait_gone(job)


@pytest.mark.parametrize("call, error", [("inotify_init1", "EMFILE"),
                                         ("inotify_add_watch", "ENOSPC")])
def test_without_inotify_mail_is_found_by_looking(office, scheduler, call,
                                                  error, tmp_path):
    s = scheduler(FAKE.format("ok"), **injected(
        tmp_path / "strace", call, error))
    for name in "ABC":
        (office.transport / name).mkdir()
    s.wait_gone(office.post(["bob@example.com"]),
                office.post(["carol@example.com"], hash_levels=1))
    time.sleep(2.2)                     # two more looks
    assert len(s.wait_line("cannot be watched")) == 1


# ---- permissions ----------------------------------------------------------


@pytest.fixture
def unprivileged(office, scheduler):
    """unprivileged(conf): a scheduler that is not root's."""
    if os.geteuid() != 0:
        pytest.skip("only root can run programs as others")

    def start(conf) -> Scheduler:
        s = scheduler(conf, start=False, user="daemon", group="daemon",
                      extra_groups=[])
        for folder in (office.path, *office.path.parents):
            if folder != folder.parent and folder.stat().st_uid == 0:
                folder.chmod(folder.stat().st_mode | 0o011)
        subprocess.run(["chown", "-R", "daemon:daemon", office.path],
                       check=True, timeout=20)
        for name in ("scheduler", "zlaunch"):
            shutil.copy(program(name), office.base / name)
        s.program = office.base / "scheduler"
        for path in (s.said, s.events_file):
            path.touch()
            path.chmod(0o666)
        return s.start()

    return start


def give(path: pathlib.Path, mode=0o600) -> None:
    """Makes a file the scheduler's own."""
    user = pwd.getpwnam("daemon")
    path.chmod(mode)
    os.chown(path, user.pw_uid, user.pw_gid)


def post_to(office, *rcpts, **how):
    job = office.post(list(rcpts), **how)
    give(job.message)
    give(job.control)
    return job


def test_transport_that_cannot_be_read_is_said_and_found_again(
        office, unprivileged):
    s = unprivileged(FAKE.format("ok"))
    office.transport.chmod(0)
    job = post_to(office, "bob@example.com")
    s.wait_line("transport/: Permission denied")
    assert job.control.exists()
    office.transport.chmod(0o700)
    s.wait_gone(job)


def test_control_file_that_cannot_be_read_waits(office, unprivileged):
    s = unprivileged(FAKE.format("ok"))
    job = office.post(["bob@example.com"])      # root's
    job.control.chmod(0o600)
    s.wait_line(f"{job.name}: Permission denied: set aside")
    time.sleep(1.2)
    assert len(s.wait_line("set aside")) == 1   # once, not at each look
    give(job.control)
    s.wait_gone(job)


def test_queue_that_cannot_be_written_keeps_reports_waiting(office,
                                                            unprivileged):
    s = unprivileged(KEEP + FAKE.format("ok"))
    office.queue.chmod(0o500)
    job = post_failed(office)
    give(job.control)
    s.wait_line("Permission denied")
    assert job.control.exists() and b"\nd " in job.data
    s.stop()
    office.queue.chmod(0o700)
    s.start()
    s.wait_gone(job)
    assert len(s.wait_reports(1)) == 1


def test_agents_that_may_not_be_executed_are_tried_again(office,
                                                         unprivileged):
    s = unprivileged(FAKE.format("ok"))
    fake = s.agents / "fake"
    fake.chmod(0o600)
    job = post_to(office, "bob@example.com")
    told = s.wait_line("cannot execute")
    assert "Permission denied" in told[0]
    fake.chmod(0o755)
    # Each try comes later than the one before.
    s.wait(lambda: not job.control.exists(), "the agent", 50)


def test_configuration_that_cannot_be_read_changes_nothing(office,
                                                           unprivileged):
    s = unprivileged(FAKE.format("ok"))
    conf = office.share / "scheduler.conf"
    text = conf.read_text()
    conf.chmod(0)
    s.kill(signal.SIGHUP)
    s.wait_line("Permission denied: the configuration before stays")
    s.wait_gone(post_to(office, "bob@example.com"))
    # A FIFO without a writer must not be waited for.
    conf.unlink()
    os.mkfifo(conf)
    conf.chmod(0o644)
    s.kill(signal.SIGHUP)
    s.wait_line("the configuration before stays", 2)
    s.wait_gone(post_to(office, "bob@example.com"))
    conf.unlink()
    conf.write_text(text)
    s.kill(signal.SIGHUP)
    s.wait_line("read again")


# ---- the clock ------------------------------------------------------------

EXPIRES = """\
PARAMglobal-report-interval = 1s
*/*\tinterval=1s idlemax=30s expiry=3s expiry2=1s retries="1"
\tmaxring=20 overfeed=10
"""
DAYS = EXPIRES.replace("expiry=3s expiry2=1s", "expiry=5d expiry2=2d")


@pytest.mark.parametrize("jump", ["+365d", "-365d"])
def test_jump_of_the_clock_neither_expires_nor_stops_mail(
        office, scheduler, tmp_path, jump):
    clock = Clock(tmp_path)
    s = scheduler(KEEP + FAKE.format("defer"), defaults=DAYS, env=clock.env)
    old = office.post(["bob@example.com"], mtime=int(time.time()) - DAY)
    s.wait(lambda: s.fed().count(old.name) >= 1, "a try")
    clock.set(jump)
    new = office.post(["carol@example.com"])
    far = int(time.time()) + int(jump[:-1]) * DAY
    late = office.post(["dan@example.com"], mtime=far)
    before = len(s.fed())
    s.wait_line("the clock was set by")
    s.wait(lambda: all(s.fed()[before:].count(j.name) >= 2
                       for j in (old, new, late)), "two more tries of each")
    assert s.reports() == []
    assert old.tag() == new.tag() == late.tag() == " "
    s.stop()
    # Whoever comes next must not expire them either, nor let them wait.
    before = len(s.fed())
    s.start()
    s.wait(lambda: all(s.fed()[before:].count(j.name) >= 2
                       for j in (old, new, late)), "two more tries of each")
    assert s.reports() == []


@pytest.mark.parametrize("jump", ["+365d", "-365d"])
def test_clock_that_was_set_while_nobody_ran_expires_nothing(
        office, scheduler, tmp_path, jump):
    clock = Clock(tmp_path)
    s = scheduler(KEEP + FAKE.format("defer"), defaults=DAYS, env=clock.env)
    s.stop()
    job = office.post(["bob@example.com"], mtime=int(time.time()) - DAY)
    clock.set(jump)
    s.start()
    s.wait_line("by its clock the queue was last served")
    s.wait(lambda: len(s.fed()) >= 3, "three tries")
    assert job.tag() == " " and s.reports() == []


def test_mail_of_the_future_expires_in_its_time(office, scheduler):
    s = scheduler(KEEP + FAKE.format("defer"), defaults=EXPIRES)
    job = office.post(["bob@example.com"], mtime=int(time.time()) + 365 * DAY)
    s.wait_gone(job)
    assert len(s.wait_reports(1)) == 1
    assert len(s.fed()) >= 2


def test_mail_is_tried_before_it_expires_for_its_age(office, scheduler):
    """However long nobody was there to try."""
    s = scheduler(FAKE.format("ok"), defaults=DAYS, start=False)
    job = office.post(["bob@example.com"], mtime=int(time.time()) - 60 * DAY)
    s.start()
    s.wait_gone(job)
    assert s.fed() == [job.name] and s.reports() == []


def test_deadline_keeps_its_distance_when_the_clock_jumps(office, scheduler,
                                                          tmp_path):
    clock = Clock(tmp_path)
    s = scheduler(KEEP + FAKE.format("defer"), defaults=DAYS, env=clock.env)
    clock.set("-365d")
    s.wait_line("serving")
    now = int(time.time()) - 365 * DAY
    soon = office.post([Rcpt("bob@example.com",
                             notify=f"NOTIFY=FAILURE BY={now + 2};R")],
                       mtime=now)
    later = office.post([Rcpt("carol@example.com",
                              notify=f"NOTIFY=FAILURE BY={now + DAY};R")],
                        mtime=now)
    s.wait_gone(soon)
    assert later.tag() == " "


# ---- whose files are believed ---------------------------------------------


@needs_root
@pytest.mark.parametrize("uid, gid, mode, is_good", [
    (0, 0, 0o600, True), (0, 0, 0o644, True), (0, 0, 0o460, True),
    (0, 1, 0o640, True), (0, 1, 0o660, False), (0, 0, 0o666, False),
    (0, 0, 0o602, False), (65534, 0, 0o600, False),
    (65534, 65534, 0o644, False)])
def test_control_file_is_believed_only_if_others_cannot_write_it(
        office, scheduler, uid, gid, mode, is_good):
    s = scheduler(FAKE.format("ok"), start=False)
    job = office.post(["bob@example.com"])
    job.control.chmod(mode)
    os.chown(job.control, uid, gid)
    s.start()
    if is_good:
        s.wait_gone(job)
        return
    [line] = s.wait_line(job.name + ": ")
    assert ("others may write it" if uid == 0 else
            "its owner is neither root nor the spool's") in line
    s.wait_gone(office.post(["carol@example.com"]))
    assert job.is_untouched() and job.name not in s.fed()
    os.chown(job.control, 0, 0)         # looked at, and put right
    job.control.chmod(0o600)
    s.wait_gone(job)


@needs_root
def test_files_of_the_spools_owner_are_believed(office, scheduler):
    os.chown(office.path, 1, 1)
    job = office.post(["bob@example.com"])
    os.chown(job.control, 1, 1)
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(job)


def test_what_is_no_file_is_left_alone(office, scheduler, tmp_path):
    real = office.post(["bob@example.com"])
    elsewhere = tmp_path / "elsewhere"
    real.control.rename(elsewhere)
    real.control.symlink_to(elsewhere)
    os.mkfifo(office.transport / "111")
    (office.transport / "112").mkdir()
    with open(office.transport / "113", "wb") as f:
        f.truncate(20 * 2**30)
    (office.transport / "114").symlink_to("nowhere")
    with open(office.transport / "115", "wb") as f:
        f.write(elsewhere.read_bytes())
        f.truncate(70 * 2**20)
    bad = ["116\nX", "117\t1", "118\x01", "119\x7f"]
    for name in bad:
        (office.transport / name).write_bytes(elsewhere.read_bytes())
    s = scheduler(FAKE.format("ok"))
    s.wait_line("set aside", 6 + len(bad))
    s.wait_line("113: larger than")
    s.wait_line("115: larger than")
    s.wait_line("control byte in its name", len(bad))
    s.wait_line("111: not a regular file")
    s.wait_gone(office.post(["carol@example.com"]))
    assert real.control.is_symlink() and elsewhere.exists()
    assert len(s.fed()) == 1
    time.sleep(1.2)
    assert len([x for x in s.lines if "set aside" in x]) == 6 + len(bad)


@pytest.mark.parametrize("name", ["7 7", "7-\xe4", "7%s%n", "7'\"$(id)",
                                  "7" + "x" * 240])
def test_odd_names_are_names(office, scheduler, name):
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(office.post(["bob@example.com"], name=name))


def test_one_file_under_two_names_is_delivered_once(office, scheduler, smtpd):
    server = smtpd()
    job = office.post(["bob@example.com", "carol@example.com"])
    os.link(job.control, office.transport / "999999999")
    s = scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example"\n')
    s.wait_gone(job)
    s.wait(lambda: office.jobs() == [], "an empty spool")
    assert len(server.messages) == 1


def test_another_message_of_the_same_name_is_not_taken_for_the_first(
        office, scheduler):
    s = scheduler('smtp/slow.example\n\tqueueonly\n' + FAKE.format("ok"))
    first = office.post(["a@slow.example", "b@slow.example"],
                        host="slow.example", name="4711")
    s.wait_gone(office.post(["x@example.com"]))
    first.control.unlink()              # by the postmaster
    first.message.unlink()
    again = office.post(["carol@example.com"], name=".4711", i_line="4711")
    again.message.rename(office.queue / "4711")
    again.control.rename(office.transport / "4711")
    s.wait(lambda: not (office.transport / "4711").exists(), "the second")
    assert s.fed()[-1] == "4711"


# ---- what was left behind -------------------------------------------------


def test_leftovers_are_removed_at_the_start(office, scheduler, tmp_path):
    clock = Clock(tmp_path, "+5h")      # so long ago was all this
    dead = subprocess.Popen(["true"])
    dead.wait()
    stale = [office.queue / f".new-{dead.pid}-0",
             office.transport / f".new-{dead.pid}-7"]
    orphans = [office.queue / "801", office.queue / "802-5",
               office.queue / "A" / "803", office.queue / "A" / "B" / "804"]
    kept = [office.queue / f".new-{os.getpid()}-0", office.queue / "notes",
            office.queue / "805", office.queue / "806", office.queue / "A" /
            "807", office.transport / ".staged" / ".ready-807.2.9"]
    (office.queue / "A" / "B").mkdir(parents=True)
    (office.transport / ".staged").mkdir()
    for path in (*stale, *orphans, *kept):
        path.write_text("x\n")
    (office.transport / "805").write_text("useless\n")
    (office.path / "freezer" / "806").write_text("put aside\n")
    waiting = office.post(["bob@example.com"], host="held.example")
    s = scheduler('smtp/held.example\n\tqueueonly\n' + FAKE.format("ok"),
                  env=clock.env)
    s.wait_line("6 files removed that others had left behind")
    assert not any(p.exists() for p in (*stale, *orphans))
    assert all(p.exists() for p in kept)
    assert waiting.control.exists() and waiting.message.exists()
    s.wait_line("1 messages are being submitted")


def test_young_orphans_may_be_somebodys_work(office, scheduler):
    orphan = office.queue / "801"
    orphan.write_text("x\n")
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(office.post(["bob@example.com"]))
    time.sleep(1.5)
    assert orphan.exists()


def test_orphans_alone_are_doubted(office, scheduler, tmp_path):
    clock = Clock(tmp_path, "+5h")
    for i in range(150):
        (office.queue / str(1000 + i)).write_text("x\n")
    s = scheduler(FAKE.format("ok"), env=clock.env)
    s.wait_line("150 message files without a control file, and no other")
    assert len(list(office.queue.iterdir())) == 150

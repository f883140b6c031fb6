"""
The submission service as a daemon: it is told to reload, runs out of room, is
asked to end in the midst, and whatever clients do neither its log nor its
memory is filled; and the parameters of batches, on both ways.
"""

import array
import fcntl
import os
import re
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest

import zpost
from submitserver import NOBODY, Wire, frame, message

DATAERR, TEMPFAIL, NOPERM = 65, 75, 77

TEXT = b"Subject: hi\n\nHello.\n"


def rss(service) -> int:
    """Kilobytes that it has in memory."""
    with open(f"/proc/{service.process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


# What a sanitizer remembers is not counted.
ROOM = 500_000 if b"__asan_init" in zpost.program("submit").read_bytes() \
    else 20_000


def cpu(service) -> float:
    """Seconds of processor time that it has used."""
    with open(f"/proc/{service.process.pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


# ---- batches --------------------------------------------------------------

WISHES = (b"MAIL FROM:<a@x> BODY=8BITMIME SIZE=%d SMTPUTF8 RET=HDRS "
          b"ENVID=e+201 BY=3600;R\n"
          b"RCPT TO:<never@y> NOTIFY=NEVER\n"
          b"RCPT TO:<two@y> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;one+2Btwo@z\n"
          b"RCPT TO:<plain@y>\n"
          b"RCPT TO:<wide@y> ORCPT=utf-8;b\xc3\xb6@z\n"
          b"DATA\nS: 1\n\nx\n.\n")


def check_wishes(job) -> None:
    found = dict(re.findall(r"^r.{11}smtp y (\S+) \d+\nN (.*?) BY=\d+;R$",
                            job.data.decode(), re.M))
    assert found == {
        "never@y": "NOTIFY=NEVER ORCPT=rfc822;never@y",
        "two@y": "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;one+2Btwo@z",
        "plain@y": "NOTIFY=FAILURE ORCPT=rfc822;plain@y",
        "wide@y": r"NOTIFY=FAILURE ORCPT=utf-8;b\x{F6}@z"}
    assert b"\nR HDRS\nn e+201\n" in job.data
    assert b"bodytype 8BITMIME\n" in job.message.read_bytes()


def test_each_recipient_of_a_batch_has_its_own_wishes(service):
    done = service.as_user("submit", "-bS", input=WISHES % 5)
    assert done.returncode == 0, done.stderr
    check_wishes(service.queued())


def test_wishes_are_the_same_without_the_service(service):
    service.stop()
    done = service.submit("-bS", input=WISHES % 5, raw=False)
    assert done.returncode == 0, done.stderr
    check_wishes(service.queued())


def test_size_that_is_too_much_is_told_before_the_message(make):
    service = make({"SUBMITMAXSIZE": "1000"})
    done = service.as_user("submit", "-bS",
                           input=WISHES % 1001 + WISHES % 1000)
    assert done.returncode == DATAERR
    assert b"5.3.4 the message is larger than 1000 bytes" in done.stderr
    assert len(service.jobs()) == 1


def test_parameter_that_is_not_known_spoils_its_message_alone(service):
    done = service.as_user(
        "submit", "-bS", input=WISHES.replace(b"NEVER", b"ALWAYS") % 5
        + WISHES.replace(b"RET=", b"MT-PRIORITY=3 RET=") % 5 + WISHES % 5)
    assert done.returncode == DATAERR
    assert b"'NOTIFY=ALWAYS' is not understood" in done.stderr
    assert b"'MT-PRIORITY=3' is not known here" in done.stderr
    check_wishes(service.queued())


# ---- reload ---------------------------------------------------------------


def reload(service, n: int = 1, says="configuration read again") -> None:
    service.process.send_signal(signal.SIGHUP)
    zpost.wait_for(lambda: service.said.count(says) == n, says)


def test_hup_reads_routes_and_configuration_without_losing_anybody(service):
    with Wire(service, as_nobody=True) as wire:
        whole = message(["root@mail.example"], TEXT, sender="a@x")
        wire.say(whole[:-10])       # begun under the rules before
        zpost.wait_for(lambda: wire_is_read(wire), "it to be read")
        (service.share / "routes.conf").write_text("root hans@boss.example\n")
        service.set_zenv(MAILNAME="new.example", SUBMITMAXSIZE="5000")
        reload(service)
        wire.say(whole[-10:])
        assert wire.answer()[0] == 0
        wire.say(message(["root"], b"S: 2\n\nx\n", sender="b"))
        assert wire.answer()[0] == 0
        wire.say(message(["root"], b"S: 3\n\n" + b"x" * 6000))
        assert wire.answer()[0] == DATAERR
    said = sorted(re.findall(r"smtp (\S+) (\S+) \d+\n.*(S: \d|Subject: hi)",
                             job.data.decode(), re.S)[0]
                  for job in service.jobs())
    assert said == [("boss.example", "hans@boss.example", "S: 2"),
                    ("mail.example", "root@mail.example", "Subject: hi")]


def wire_is_read(wire) -> bool:
    """Has the other side taken all that was sent?"""
    left = array.array("i", [0])
    fcntl.ioctl(wire.socket, termios.TIOCOUTQ, left)
    return left[0] == 0


def test_bad_configuration_leaves_the_one_before(service):
    routes = service.share / "routes.conf"
    routes.write_text("root hans@boss.example\n")
    reload(service)
    routes.write_text("root\n")
    reload(service, says="the configuration before stays in force")
    assert "routes.conf:1: " in service.said
    service.set_zenv(POSTOFFICE="/var/empty")
    routes.write_text("root eve@x\n")
    reload(service, says="this takes a restart")
    service.set_zenv(POSTOFFICE=str(service.path))
    assert service.as_user("sendmail", "root").returncode == 0
    assert b" smtp boss.example hans@boss.example " in service.queued().data


def test_trusted_users_are_others_after_hup(service):
    done = service.as_user("submit", "-h", "h", "bob")
    assert done.returncode == NOPERM
    service.set_zenv(TRUSTEDUSER="nobody")
    reload(service)
    assert service.as_user("submit", "-h", "h", "bob").returncode == 0


# ---- room -----------------------------------------------------------------


@pytest.mark.parametrize("name, says", [
    ("SUBMITMINFREE", b"the spool is short of space: "),
    ("SUBMITMINFREEINODES", b"the spool is short of inodes: ")])
def test_without_room_messages_are_refused_for_now(make, name, says):
    service = make({name: str(10 ** 15)})
    for done in (service.as_user("sendmail", "bob@x"),
                 service.as_user("submit", "-bS", input=WISHES % 5)):
        assert done.returncode == TEMPFAIL
        assert b"4.3.1 " + says in done.stderr
    service.stop()
    done = service.submit("bob@x", input=TEXT)      # by itself
    assert done.returncode == TEMPFAIL
    assert b"4.3.1 " + says in done.stderr
    assert service.files() == []
    service.set_zenv(**{name: "0"})
    service.begin()
    assert service.as_user("sendmail", "bob@x").returncode == 0


# ---- the log --------------------------------------------------------------


def test_hostile_client_cannot_fill_the_log(service):
    for _ in range(300):
        with Wire(service, as_nobody=True) as wire:
            wire.say(b"\0" * 100)
            assert wire.answer()[0] == DATAERR
    with Wire(service, as_nobody=True) as wire:
        wire.say(message(["bad bad@x"], TEXT) * 2000)
        assert {wire.answer()[0] for _ in range(2000)} == {DATAERR}
    n = service.said.count("uid %d: " % NOBODY.pw_uid)
    assert 1 <= n < 40
    # Nobody else is kept from being logged by that.
    with Wire(service) as wire:
        wire.say(b"\0" * 100)
        assert wire.answer()[0] == DATAERR
    assert "uid 0: refused: " in service.said


def test_what_a_client_says_cannot_forge_a_line(service):
    with Wire(service, as_nobody=True) as wire:
        wire.say(frame(b"O", b"x\nsubmit: uid 0: forged\x1b[2J=1"))
        assert wire.answer()[0] == DATAERR
    assert "\nsubmit: uid 0" not in service.said
    assert "\x1b" not in service.said


# ---- the end --------------------------------------------------------------


def test_message_that_was_begun_is_finished_at_the_end(service):
    with Wire(service, as_nobody=True) as wire, \
            Wire(service, as_nobody=True) as idle:
        whole = message(["bob@x"], TEXT + b"x" * 100000)
        wire.say(whole[:-50])
        zpost.wait_for(lambda: wire_is_read(wire), "it to be read")
        service.process.send_signal(signal.SIGTERM)
        zpost.wait_for(lambda: not (service.path / "submit.socket").exists(),
                       "the end of the socket")
        wire.say(whole[-50:])
        assert wire.answer()[0] == 0
        assert wire.ends() and idle.ends()
        assert service.process.wait(zpost.DEADLINE) == 0
    assert len(service.jobs()) == 1
    service.process = None


def test_who_is_silent_does_not_keep_it_from_ending(service):
    with Wire(service) as wire:
        wire.say(message(["bob@x"], TEXT)[:-1])
        zpost.wait_for(lambda: wire_is_read(wire), "it to be read")
        assert service.stop()[0] == 0
        code, reason = wire.answer()
        assert (code, reason) == (TEMPFAIL, "the service ends; try again "
                                  "later")
    assert service.files() == []


def test_manager_is_told_of_beginning_and_end(service):
    service.stop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = service.base / "notify"
        manager.bind(str(path))
        manager.settimeout(zpost.DEADLINE)
        service.begin(env={"NOTIFY_SOCKET": str(path)})
        assert manager.recv(100) == b"READY=1"
        service.send(["bob@x"], TEXT)
        assert service.stop()[0] == 0
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("is_killed", [False, True])
def test_restart_is_not_noticed_by_who_submits(service, is_killed):
    if is_killed:
        service.kill()
    else:
        assert service.stop()[0] == 0
    process = subprocess.Popen(
        [str(service.base / "sendmail"), "bob@x"], stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, env=service.environment(), user="nobody",
        group=NOBODY.pw_gid, extra_groups=[])
    process.stdin.write(TEXT)
    process.stdin.close()
    time.sleep(0.3)
    assert process.poll() is None
    service.begin()
    assert process.wait(zpost.DEADLINE) == 0, process.stderr.read()
    process.stderr.close()
    assert len(service.jobs()) == 1


def test_restart_while_roots_message_is_written_is_not_noticed(service):
    """Root connects before its message is there: cron's may take hours."""
    def files() -> int:
        return len(os.listdir(f"/proc/{service.process.pid}/fd"))

    before = files()
    process = subprocess.Popen(
        [str(service.base / "sendmail"), "bob@x"], stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, env=service.environment())
    process.stdin.write(TEXT)
    process.stdin.flush()
    zpost.wait_for(lambda: files() > before, "a connection")
    assert service.stop()[0] == 0
    service.begin()
    process.stdin.close()
    assert process.wait(zpost.DEADLINE) == 0, process.stderr.read()
    process.stderr.close()
    assert len(service.jobs()) == 1


def test_who_waits_for_the_service_can_be_interrupted(service):
    assert service.stop()[0] == 0
    process = subprocess.Popen(
        [str(service.base / "sendmail"), "bob@x"], stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, env=service.environment(), user="nobody",
        group=NOBODY.pw_gid, extra_groups=[])
    process.stdin.write(TEXT)
    process.stdin.close()
    time.sleep(0.3)
    process.terminate()
    assert process.wait(zpost.DEADLINE) == -signal.SIGTERM
    assert process.stderr.read() == \
        b"submit: interrupted; nothing was queued\n"
    process.stderr.close()


# ---- what clients may try -------------------------------------------------


def test_descriptors_that_are_passed_are_dropped(service):
    """A file somebody hands over is neither read nor kept."""
    before = len(os.listdir(f"/proc/{service.process.pid}/fd"))
    secret = service.base / "secret"
    secret.write_text("secret")
    with Wire(service, as_nobody=True) as wire, open(secret) as file:
        fds = array.array("i", [file.fileno()] * 50)
        whole = message(["bob@x"], TEXT)
        for i in range(len(whole)):
            wire.socket.sendmsg([whole[i:i + 1]], [
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        assert wire.answer()[0] == 0
        assert len(os.listdir(f"/proc/{service.process.pid}/fd")) \
            <= before + 1
    assert b"secret" not in service.queued().message.read_bytes()


def test_credentials_that_are_sent_are_not_believed(service):
    """nobody says to be root; the kernel knows better."""
    code = (
        "import socket, struct, sys, os\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.connect(sys.argv[1])\n"
        "data = os.read(0, 10000)\n"
        "for c in ((os.getpid(), 0, 0), None):\n"
        "    try:\n"
        "        s.sendmsg([data], [(socket.SOL_SOCKET,\n"
        "            socket.SCM_CREDENTIALS, struct.pack('3i', *c))]\n"
        "            if c else [])\n"
        "        break\n"
        "    except PermissionError:\n"
        "        print('refused', flush=True)\n"
        "print(s.recv(1000))\n")
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, str(service.path / "submit.socket")],
        input=message(["bob"], TEXT, channel="local", host="-"),
        user="nobody", group=NOBODY.pw_gid, extra_groups=[],
        capture_output=True, timeout=zpost.DEADLINE)
    assert done.stdout.startswith(b"refused\n"), done.stderr
    assert b"77 permission denied" in done.stdout
    assert service.files() == []


@pytest.mark.parametrize("kind", ["link", "fifo", "hardlink"])
def test_what_others_put_into_the_spool_is_not_touched(service, kind):
    """Should somebody be able to: names in the way are neither followed,
    opened nor replaced."""
    service.stop()
    service.queue.chmod(0o777)
    service.transport.chmod(0o777)
    victim = service.base / "victim"
    victim.write_text("precious")
    number = None
    for folder in (service.queue, service.transport,
                   service.transport / ".staged"):
        folder.mkdir(exist_ok=True)
        # What could be the next inodes' numbers, and all that is temporary.
        probe = folder / "probe"
        probe.write_text("")
        number = probe.stat().st_ino
        probe.unlink()
        for i in range(-5, 60):
            path = folder / str(number + i)
            if kind == "link":
                path.symlink_to(victim)
            elif kind == "fifo":
                os.mkfifo(path)
            else:
                os.link(victim, path)
    service.begin()
    ids = [service.send(["bob@x"], TEXT) for _ in range(5)]
    assert len(set(ids)) == 5
    assert victim.read_text() == "precious"
    for one in ids:
        name = re.match(r"S(\d+)", one)[1]
        found = [p for p in service.transport.iterdir()
                 if re.fullmatch(name + r"(-\d+)?", p.name)
                 and p.is_file() and not p.is_symlink()
                 and p.stat().st_nlink == 1]
        assert len(found) == 1, one


@pytest.mark.parametrize("is_older", [True, False])
def test_staged_file_is_not_taken_for_another_message(service, is_older):
    """The number of a file that is gone may be given to the next one."""
    service.send(["bob@x"], TEXT)
    job, = service.jobs()
    assert service.stop()[0] == 0
    control = service.transport / job.message.name
    staged = (service.transport / ".staged" /
              f".ready-{job.message.name}.{job.message.stat().st_size}."
              f"{control.stat().st_size}")
    control.rename(staged)
    when = job.message.stat().st_mtime_ns
    when += 0 if is_older else -1000
    os.utime(staged, ns=(when, when))
    service.begin()
    assert not staged.exists() and job.message.exists()
    assert control.exists() == is_older


def test_staged_directory_that_is_a_link_is_not_followed(service):
    service.stop()
    staged = service.transport / ".staged"
    elsewhere = service.base / "elsewhere"
    elsewhere.mkdir()
    if staged.exists():
        staged.rmdir()
    staged.symlink_to(elsewhere)
    done = service.run(str(service.base / "submit"), "--serve")
    assert done.returncode == 73
    assert list(elsewhere.iterdir()) == []
    staged.unlink()
    service.begin()


def test_header_without_end_is_cut_off_and_costs_no_memory(service):
    before = rss(service)
    with Wire(service, as_nobody=True) as wire:
        wire.say(message(["bob@x"], b"X: " + b"y" * 30_000_000))
        code, reason = wire.answer()
    assert code == DATAERR and "header is longer than" in reason
    assert service.files() == []
    assert rss(service) - before < ROOM


def test_slow_clients_hinder_nobody(service):
    whole = message(["bob@x"], TEXT)
    wires = [Wire(service, as_nobody=True) for _ in range(15)]
    begun = time.monotonic()
    for i in range(len(whole) - 1):
        for wire in wires:
            wire.say(whole[i:i + 1])
        if i % 20 == 0:
            service.send(["eve@y"], TEXT)
    for wire in wires:
        wire.say(whole[-1:])
        assert wire.answer()[0] == 0
        wire.socket.close()
    assert time.monotonic() - begun < zpost.DEADLINE
    # Waiting costs nothing.
    wires = [Wire(service, as_nobody=True) for _ in range(15)]
    for wire in wires:
        wire.say(whole[:30])
    used = cpu(service)
    time.sleep(1)
    assert cpu(service) - used < 0.3
    for wire in wires:
        wire.socket.close()


def test_client_that_does_not_read_is_not_read_for_ever(service):
    """Answers nobody reads are bounded, and so is what waits for them."""
    before = rss(service)
    with Wire(service, as_nobody=True) as wire:
        wire.socket.setblocking(False)
        data = memoryview(message(["bad bad@x"], TEXT) * 20000)
        end = time.monotonic() + 3
        while data and time.monotonic() < end:
            try:
                data = data[wire.socket.send(data):]
            except BlockingIOError:
                time.sleep(0.01)
        service.send(["eve@y"], TEXT)
        assert rss(service) - before < ROOM
    service.send(["eve@y"], TEXT)


def test_thousand_connections_at_once(make):
    service = make({"SUBMITMAXCONN": "0"})
    wires = []
    for _ in range(1000):
        wires.append(Wire(service, as_nobody=True))
        wires[-1].say(message(["bob@x"], TEXT)[:-4])
    service.send(["root@x"], TEXT)      # there is a place for root
    told = {0: 0, TEMPFAIL: 0}
    for wire in wires:
        try:
            wire.say(frame(b"E"))
        except BrokenPipeError:
            pass
        told[wire.answer()[0]] += 1
        wire.socket.close()
    assert told[0] > 100
    assert len(service.jobs()) == told[0] + 1
    assert service.send(["root@x"], TEXT)


def test_clients_that_are_killed_leave_nothing(service):
    """kill -9 at any moment: whole messages or none."""
    processes = []
    for i in range(60):
        process = subprocess.Popen(
            [str(service.base / "sendmail"), "bob@x"], stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=service.environment())
        processes.append(process)
        feeder = threading.Thread(target=feed, args=(
            process, TEXT + b"y" * (i * 5000)))
        feeder.start()
        time.sleep(0.0005 * (i % 20))
        process.kill()
        process.wait(zpost.DEADLINE)
        feeder.join(zpost.DEADLINE)
    service.send(["eve@y"], TEXT)
    jobs = service.jobs()
    zpost.wait_for(lambda: len(service.files()) == 2 * len(service.jobs()),
                   "pairs of files")
    for job in jobs:
        body = job.message.read_bytes()[job.body_offset:]
        assert body.startswith(b"Hello.\n")
        assert len(body) == 7 or (len(body) - 7) % 5000 == 0


def feed(process, data: bytes) -> None:
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass


# ---- not as root ----------------------------------------------------------


def test_spool_and_service_can_be_an_ordinary_users(service):
    """Without any of root's rights, as a service manager may run it; also
    after root has done so."""
    for path in (service.path, service.queue, service.transport):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    service.kill()
    (service.path / "submit.lock").unlink()
    (service.transport / ".staged").rmdir()
    service.begin()
    service.send(["root@y"], TEXT)
    service.kill()
    service.base.chmod(0o777)
    service.set_zenv(TRUSTEDUSER="nobody", SCHEDULERDIRHASH="1")
    done = service.as_user("submit", "-c", "local", "-h", "-", "bob")
    assert done.returncode == 0, done.stderr
    service.begin(wrapper=["setpriv", "--reuid=nobody", "--clear-groups",
                           f"--regid={NOBODY.pw_gid}",
                           "--bounding-set=-all", "--inh-caps=-all"])
    for name in ("submit", "sendmail"):
        done = service.as_user(name, "bob@x")
        assert done.returncode == 0, done.stderr
    service.send(["eve@y"], TEXT)
    jobs = service.jobs()
    assert len(jobs) == 5
    for job in jobs:
        for path in (job.message, job.control):
            assert path.stat().st_uid == NOBODY.pw_uid
            assert path.stat().st_nlink == 1
    assert service.stop()[0] == 0

"""
The submission service: ordinary users submit through it and only through it,
whatever they try. Whoever was told an id has it in the spool, whenever the
service is killed.
"""

import os
import random
import re
import signal
import stat
import subprocess
import threading
import time

import pytest

import zpost
from submitserver import NO_LEAKS, NOBODY, Wire, frame, message
from submitted import receiving, spool_id

DATAERR, TEMPFAIL, NOPERM, CONFIG = 65, 75, 77, 78

TEXT = b"Subject: hi\n\nHello.\n"


def hidden(service) -> list[str]:
    return [name for name in service.files()
            if name.rsplit("/", 1)[-1].startswith(".")]


def wait_receiving(service) -> None:
    zpost.wait_for(lambda: receiving(service.process.pid), "a message file")


# ---- what is stored -------------------------------------------------------


def test_ordinary_user_submits_and_owns_nothing(service):
    done = service.as_user("sendmail", "-i", "Bob@X", "root", input=TEXT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    job = service.queued()
    uid = NOBODY.pw_uid
    for path in (job.message, job.control):
        st = path.stat()
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, 0o600)
    text = job.data.decode()
    assert f"\ns local - nobody@mail.example {uid}\n" in text
    assert f" smtp x Bob@X {uid}\n" in text
    assert f" smtp mail.example root@mail.example {uid}\n" in text
    assert f"(Zpost, from userid {uid})" in text
    assert job.message.read_bytes().endswith(b"\n\nHello.\n")


def test_submit_prints_the_id_and_sendmail_nothing(service):
    done = service.as_user("submit", "bob@x")
    assert done.stdout.decode() == spool_id(service.queued().message) + "\n"
    assert service.as_user("sendmail", "bob@x").stdout == b""


def test_root_goes_through_the_service_too(service):
    done = service.run(str(service.base / "submit"), "-O", "raw", "-c",
                       "local", "-h", "-", "bob", input=TEXT)
    assert (done.returncode, done.stderr) == (0, b"")
    job = service.queued()
    assert b"local - bob 0\n" in job.data
    assert b"\nm\nSubject: hi\n\n" in job.data


def test_routes_are_those_of_the_service(make):
    service = make()
    service.stop()
    (service.share / "routes.conf").write_text(
        "root hans@boss.example\nprog local - ${local}\n")
    (service.share / "routes.conf").chmod(0o600)
    service.begin()
    assert service.as_user("sendmail", "root", "prog").returncode == 0
    data = service.queued().data
    assert b" smtp boss.example hans@boss.example " in data
    assert b" ORCPT=rfc822;root@mail.example\n" in data
    assert b" local - prog " in data


def test_batch_through_the_service(service):
    batch = b"".join(
        b"MAIL FROM:<a%d@x>\nRCPT TO:<%s>\nDATA\nSubject: %d\n\n..dot\n.\n"
        % (i, b"b a d" if i == 3 else b"bob@y", i) for i in range(10))
    done = service.as_user("submit", "-bS", input=batch)
    assert done.returncode == DATAERR
    assert done.stdout.count(b"\n") == 9
    assert re.fullmatch(rb"submit: recipient '<b a d>': .*\n", done.stderr)
    jobs = service.jobs()
    assert len(jobs) == 9
    assert all(job.message.read_bytes().endswith(b"\n\n.dot\n")
               for job in jobs)


# ---- what is not allowed --------------------------------------------------


@pytest.mark.parametrize("args, says", [
    (("-c", "local", "bob@x"), b"channel and host"),
    (("-h", "localhost", "bob@x"), b"channel and host"),
    (("-O", "raw", "bob@x"), b"a raw header"),
])
def test_ordinary_user_may_not_choose(service, args, says):
    done = service.as_user("submit", *args)
    assert done.returncode == NOPERM
    assert b"only root and the users that TRUSTEDUSER" in done.stderr
    assert says in done.stderr
    assert service.files() == []


def test_trusted_user_may_choose(make):
    service = make({"TRUSTEDUSER": "nobody"})
    done = service.as_user("submit", "-c", "local", "-h", "-", "bob")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" local - bob %d\n" % NOBODY.pw_uid in service.queued().data


@pytest.mark.parametrize("option", [
    b"uid=0", b"login=root", b"trusted=1", b"may_choose=", b"raw", b"=", b"",
    b"sender", b"body=9bit", b"by=0;R", b"notify=", b"ret=all",
])
def test_what_is_forged_is_no_option(service, option):
    with Wire(service, as_nobody=True) as wire:
        wire.say(frame(b"O", option) + message(["bob@x"], TEXT))
        code, reason = wire.answer()
        assert code == DATAERR and "option" in reason
        assert wire.ends()
    assert service.files() == []


def test_identity_is_the_kernels_word(service):
    """Even when the name of a sender says something else."""
    with Wire(service, as_nobody=True) as wire:
        wire.say(message(["bob@x"], TEXT, sender="root@mail.example"))
        assert wire.answer()[0] == 0
    assert b"root@mail.example %d\n" % NOBODY.pw_uid in service.queued().data
    assert b"from userid %d" % NOBODY.pw_uid in service.queued().data


@pytest.mark.parametrize("word", [
    "bob@x\nr           prog - rm 0", "bob@x\r\nm", "a b", "<>", "b\0b@x",
    "x" * 300 + "@x",
], ids=["lf", "crlf", "blank", "null", "nul", "long"])
@pytest.mark.parametrize("place", ["rcpt", "sender", "envid"])
def test_nothing_breaks_out_of_its_line(service, word, place):
    with Wire(service, as_nobody=True) as wire:
        out = frame(b"R", b"bob@x" if place != "rcpt" else word.encode())
        if place != "rcpt":
            out = frame(b"O", f"{place}={word}".encode()) + out
        wire.say(out + frame(b"B") + frame(b"D", TEXT) + frame(b"E"))
        code, _ = wire.answer()
    if place != "rcpt" and word == "<>":
        assert code == 0        # the null path; xtext like any other
    else:
        assert code == DATAERR
        assert service.files() == []


@pytest.mark.parametrize("data", [
    b"Z\0\0\0", b"A\0\0\0", b"D\xff\xff\xff", b"D\0\0\1x", b"E\0\0\0",
    frame(b"B") + frame(b"B"), frame(b"B") + frame(b"R", b"a"),
    b"MAIL FROM:<a>\r\n", b"\0" * 100,
], ids=range(9))
def test_what_is_no_protocol_is_refused(service, data):
    with Wire(service, as_nobody=True) as wire:
        wire.say(data)
        code, _ = wire.answer()
        assert code == DATAERR
        assert wire.ends()
    assert service.as_user("sendmail", "bob@x").returncode == 0
    assert len(service.jobs()) == 1


def test_noise_on_many_connections_is_survived(service):
    chance = random.Random(5)
    for _ in range(200):
        with Wire(service, as_nobody=True) as wire:
            data = bytearray(message(["bob@x"], TEXT, sender="a@b"))
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                wire.say(bytes(data[:chance.randrange(len(data) + 1)]))
            except BrokenPipeError:
                pass
    zpost.wait_for(lambda: hidden(service) == [], "nothing hidden")
    before = len(service.jobs())
    service.send(["bob@x"], TEXT)
    assert len(service.jobs()) == before + 1


@pytest.mark.parametrize("cut", [1, 5, 20, 40, 60, 70000])
def test_half_a_message_leaves_nothing(service, cut):
    text = TEXT + b"x" * 100000
    with Wire(service, as_nobody=True) as wire:
        wire.say(message(["bob@x"], text)[:cut])
        if cut > 1000:
            wait_receiving(service)
    zpost.wait_for(lambda: service.files() == [], "an empty spool")


def test_dropped_message_is_not_answered(service):
    with Wire(service) as wire:
        one = message(["bob@x"], TEXT)
        wire.say(one[:-4] + frame(b"X") + one)
        assert wire.answer()[0] == 0
    assert len(service.jobs()) == 1


# ---- limits ---------------------------------------------------------------


def test_size_and_recipients_are_limited(make):
    service = make({"SUBMITMAXSIZE": "100000", "SUBMITMAXRCPTS": "3"})
    done = service.as_user("sendmail", "bob@x", input=TEXT + b"y" * 10**7)
    assert done.returncode == DATAERR
    assert b"5.3.4 the message is larger than 100000 bytes" in done.stderr
    done = service.as_user("sendmail", *(f"u{i}@x" for i in range(4)))
    assert done.returncode == DATAERR
    assert b"4 recipients, more than 3" in done.stderr
    assert service.files() == []
    assert service.as_user("sendmail", "a@x", "b@x", "c@x").returncode == 0


def test_who_is_too_slow_is_told_so(make):
    service = make({"SUBMITTIMEOUT": "1s"})
    with Wire(service, as_nobody=True) as wire:
        wire.say(message(["bob@x"], TEXT)[:-6])
        code, reason = wire.answer()
        assert (code, reason) == (TEMPFAIL, "the message came too slowly")
        assert wire.ends()
    assert service.files() == []


def test_connections_of_one_user_are_limited(make):
    service = make({"SUBMITMAXCONN": "3"})
    wires = [Wire(service, as_nobody=True) for _ in range(3)]
    with Wire(service, as_nobody=True) as wire:
        assert wire.answer()[0] == TEMPFAIL
    done = service.as_user("sendmail", "bob@x")
    assert done.returncode == TEMPFAIL
    assert b"too many connections" in done.stderr
    service.send(["root@x"], TEXT)      # root is not kept out by them
    for wire in wires:
        wire.socket.close()
    zpost.wait_for(lambda: service.as_user("sendmail", "bob@x").returncode
                   == 0, "room again")


def test_refusal_reaches_a_client_that_is_still_sending(make):
    service = make({"SUBMITMAXCONN": "1"})
    with Wire(service, as_nobody=True):
        for size in (10, 10**6, 10**7):
            done = service.as_user("sendmail", "bob@x", input=b"x" * size)
            assert done.returncode == TEMPFAIL
            assert b"too many connections" in done.stderr


def test_service_that_dies_is_told_as_such(service):
    process = subprocess.Popen(
        [str(service.base / "sendmail"), "bob@x"], stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, env=service.environment())
    process.stdin.write(TEXT + b"x" * 10**6)
    process.stdin.flush()
    wait_receiving(service)
    service.kill()
    _, err = process.communicate(timeout=zpost.DEADLINE)
    assert process.returncode == TEMPFAIL
    assert b"without an answer" in err
    service.begin()
    assert service.files() == []


def test_interrupted_client_leaves_nothing(service):
    process = subprocess.Popen(
        [str(service.base / "sendmail"), "bob@x"], stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, env=service.environment())
    process.stdin.write(TEXT + b"x" * 10**6)
    process.stdin.flush()
    wait_receiving(service)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=zpost.DEADLINE)
    assert process.returncode == -signal.SIGTERM
    zpost.wait_for(lambda: service.files() == [], "an empty spool")


def test_flood_of_recipients_is_cut_off(service):
    with Wire(service, as_nobody=True) as wire:
        try:
            for _ in range(300):
                wire.say(frame(b"R", b"bob@example.com") * 1000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        code, reason = wire.answer()
        assert code == DATAERR and "options and recipients of more" in reason
    service.send(["bob@x"], TEXT)


def test_flood_of_connections_does_not_end_it(make):
    service = make({"SUBMITMAXCONN": "0"})
    wires = []
    for _ in range(600):
        try:
            wires.append(Wire(service, as_nobody=True))
        except OSError:
            break
    assert len(wires) > 400
    for wire in wires:
        wire.socket.close()
    service.send(["bob@x"], TEXT)
    assert len(service.jobs()) == 1


def test_places_that_are_refused_are_not_taken_from_others(make, need):
    """Limit of files: 20 places, 18 of them for ordinary users."""
    service = make({"SUBMITMAXCONN": "2"},
                   [need("prlimit"), "--nofile=124:124"])
    service.process.send_signal(signal.SIGSTOP)
    flood = [Wire(service, as_nobody=True) for _ in range(18)]
    with Wire(service, uid=1) as wire:
        wire.say(message(["bob@x"], TEXT))
        service.process.send_signal(signal.SIGCONT)
        assert wire.answer()[0] == 0
    for other in flood:
        other.socket.close()


def test_flood_of_messages_holds_up_nobody(service):
    """Whose message is small and alone need not wait for thousands."""
    many = 5000
    service.process.send_signal(signal.SIGSTOP)
    with Wire(service, as_nobody=True) as flood, Wire(service) as wire:
        flood.say(message(["a@b"], b"", sender="") * many)
        wire.say(message(["bob@x"], TEXT))
        service.process.send_signal(signal.SIGCONT)
        code, mine = wire.answer()
        assert code == 0
        told = [flood.answer() for _ in range(many)]
        assert {code for code, _ in told} == {0}
    arrived = {spool_id(job.message): job.message.stat().st_mtime_ns
               for job in service.jobs()}
    assert len(arrived) == many + 1
    assert arrived[mine] < max(arrived.values())


# ---- groups ---------------------------------------------------------------


def trace(need, path, *words):
    return [need("strace"), "-D", "-f", "-qq", "-o", str(path), *words]


def test_messages_that_come_together_share_a_sync(make, need, tmp_path):
    out = tmp_path / "trace"
    service = make(wrapper=trace(need, out, "-e", "trace=syncfs"))
    before = out.read_text().count("syncfs(")
    with Wire(service) as wire:
        wire.say(b"".join(message([f"u{i}@x"], TEXT) for i in range(60)))
        ids = [wire.answer() for _ in range(60)]
    assert [code for code, _ in ids] == [0] * 60
    assert len(set(ids)) == 60
    assert 1 <= out.read_text().count("syncfs(") - before <= 3
    # Answered in order: the n'th id is that of the n'th message.
    found = {spool_id(job.message): re.search(
        rb" smtp x (u\d+@x) ", job.data)[1] for job in service.jobs()}
    assert [found[i] for _, i in ids] == [b"u%d@x" % i for i in range(60)]


def test_disk_that_fails_takes_the_whole_group(make, need, tmp_path):
    service = make(wrapper=trace(need, tmp_path / "trace", "-e",
                                 "trace=syncfs", "-e",
                                 "inject=syncfs:error=EIO:when=3"))
    with Wire(service) as wire:
        wire.say(message(["a@x"], TEXT) + message(["b@x"], TEXT))
        assert [wire.answer()[0] for _ in range(2)] == [TEMPFAIL] * 2
    assert service.files() == []
    service.send(["bob@x"], TEXT)


# ---- beginning and end ----------------------------------------------------


def test_second_service_refuses_to_start(service):
    done = service.run(str(service.base / "submit"), "--serve")
    assert done.returncode == TEMPFAIL
    assert b"another process serves this spool" in done.stderr
    service.send(["bob@x"], TEXT)


def test_socket_goes_with_the_service(service):
    assert service.stop()[0] == 0
    assert not (service.path / "submit.socket").exists()
    done = service.as_user("sendmail", "bob@x")
    assert done.returncode == TEMPFAIL
    assert b"cannot be reached" in done.stderr


def test_socket_of_the_dead_is_replaced(service):
    service.kill()
    assert (service.path / "submit.socket").exists()
    assert service.as_user("sendmail", "bob@x").returncode == TEMPFAIL
    # Root needs no service.
    assert service.run(str(service.base / "submit"), "bob@x",
                       input=TEXT).returncode == 0
    service.begin()
    assert service.as_user("sendmail", "bob@x").returncode == 0


def test_planted_link_is_not_followed(service):
    service.stop()
    victim = service.base / "victim"
    victim.write_text("precious")
    (service.path / "submit.lock").unlink()
    (service.path / "submit.lock").symlink_to(victim)
    done = service.run(str(service.base / "submit"), "--serve")
    assert done.returncode == 73
    (service.path / "submit.lock").unlink()
    (service.path / "submit.socket").symlink_to(victim)
    service.begin()
    service.send(["bob@x"], TEXT)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("text", ["root\n", "root x y\n", "a ${b}\n"])
def test_routes_that_cannot_be_used_keep_it_from_starting(service, text):
    service.stop()
    (service.share / "routes.conf").write_text("# one\n" + text)
    done = service.run(str(service.base / "submit"), "--serve")
    assert done.returncode == CONFIG
    assert b"routes.conf:2: " in done.stderr


def test_stopping_in_the_midst_leaves_nothing(service):
    with Wire(service) as wire:
        wire.say(message(["bob@x"], TEXT + b"x" * 200000)[:-100])
        wait_receiving(service)
        assert service.stop()[0] == 0
    assert service.files() == []


# ---- kill -9 --------------------------------------------------------------


def load(service, number, told, ends):
    """Sends messages until the end; ids that were told go to `told`."""
    i = 0
    while not ends.is_set():
        try:
            with Wire(service) as wire:
                for _ in range(10):
                    body = b"%d-%d\n" % (number, i) * (1 + i % 7 * 400)
                    i += 1
                    wire.say(message(["bob@x", "eve@y"],
                                     b"Subject: x\n\n" + body))
                    told[wire.answer()[1]] = body
        except (OSError, EOFError):
            time.sleep(0.005)


def test_kill_at_a_random_moment_loses_nothing_that_was_told(make):
    chance = random.Random(11)
    service = make({"SCHEDULERDIRHASH": "1"})
    told, ends = {}, threading.Event()
    threads = [threading.Thread(target=load, args=(service, n, told, ends))
               for n in range(4)]
    for t in threads:
        t.start()
    try:
        for _ in range(12):
            time.sleep(chance.uniform(0.02, 0.25))
            service.kill()
            service.begin()
    finally:
        ends.set()
        for t in threads:
            t.join(zpost.DEADLINE)
    service.stop()
    service.begin()     # the last one cleans up
    assert hidden(service) == []
    jobs = {spool_id(job.message): job for job in service.jobs()}
    assert len(told) > 50
    for one, body in told.items():
        data = jobs[one].message.read_bytes()
        assert data[jobs[one].body_offset:] == body
    # What is there without having been told is whole as well.
    for job in jobs.values():
        assert job.data.endswith(b"Subject: x\n\n")
        assert job.marks == "  "
    assert len(service.files()) == 2 * len(jobs)


@pytest.mark.parametrize("call", ["write", "syncfs", "renameat2", "openat",
                                  "newfstatat", "close", "mkdirat", "linkat"])
def test_group_killed_at_every_call_is_recovered_whole(make, need, call):
    service = make({"SCHEDULERDIRHASH": "2"})
    service.stop()
    batch = b"".join(
        b"MAIL FROM:<a@x>\nRCPT TO:<b@y>\nDATA\nMessage-ID: <%d@x>\n\n"
        b"%d\n.\n" % (i, i) for i in range(3))
    for when in range(1, 200):
        done = service.submit(
            "-bS", input=batch, env=NO_LEAKS, wrapper=[
                need("strace"), "-f", "-qq", "-o", os.devnull, "-e",
                f"trace={call}", "-e",
                f"inject={call}:signal=KILL:when={when}"])
        check_whole(service)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done
    else:
        raise AssertionError("it never gets through")
    assert when > 1
    told = set(done.stdout.decode().split())
    service.begin()
    check_whole(service)
    assert hidden(service) == []
    assert told <= {spool_id(job.message) for job in service.jobs()}
    # Message files of those that never were are young, so they may stay.
    controls = [f for f in service.files() if f.startswith("transport/")]
    assert len(controls) == len(service.jobs())


@pytest.mark.parametrize("call", ["syncfs", "renameat2", "linkat", "write",
                                  "sendto"])
def test_service_killed_at_every_call_keeps_its_word(make, need, call):
    service = make()
    service.stop()
    batch = b"".join(message(["b@y"], b"Message-ID: <%d@x>\n\n%d\n" % (i, i))
                     for i in range(3))
    told, killed = set(), 0
    for when in range(1, 60):
        try:
            service.begin(wrapper=[
                need("strace"), "-D", "-f", "-qq", "-o", os.devnull, "-e",
                f"trace={call}", "-e",
                f"inject={call}:signal=KILL:when={when}"])
            with Wire(service) as wire:
                wire.say(batch)
                for _ in range(3):
                    told.add(wire.answer()[1])
        except (EOFError, OSError, AssertionError):
            killed += 1
        else:
            break
        finally:
            service.kill()
    assert killed > 0
    service.begin()
    assert hidden(service) == []
    jobs = {spool_id(job.message): job for job in service.jobs()}
    assert told <= set(jobs)
    for job in jobs.values():
        number = re.search(rb"\nMessage-ID: <(\d)@x>\n\n$", job.data)[1]
        data = job.message.read_bytes()
        assert data[job.body_offset:] == number + b"\n"


def check_whole(service) -> None:
    """Every control file that a scheduler would see, and its message."""
    for job in service.jobs():
        number = re.search(rb"\nl <(\d)@x>\n", job.data)[1]
        assert job.data.endswith(b"\nm\nMessage-ID: <%s@x>\n\n" % number)
        data = job.message.read_bytes()
        assert data[job.body_offset:] == number + b"\n"

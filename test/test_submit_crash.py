"""
submit(8) and everything that may go wrong while a message is stored: readers
never see a part, a kill or a full disk at any point leaves nothing visible
that is not whole, and what was accepted is there.
"""

import ctypes
import itertools
import os
import random
import re
import signal
import struct
import threading
import time

import pytest

import zpost
from submitted import Spool, whole

CANTCREAT, TEMPFAIL = 73, 75


@pytest.fixture(params=["0", "2"], ids=["flat", "hashed"])
def spool(tmp_path, request):
    with Spool(tmp_path, {"SCHEDULERDIRHASH": request.param}) as s:
        yield s


def message(number: int, size: int) -> tuple[bytes, bytes, bytes]:
    """A Message-ID, a whole message and its body."""
    identity = b"<%d@x>" % number
    body = (b"line of %d\n" % number) * (size // 8)
    return identity, b"Message-ID: %s\n\n%s" % (identity, body), body


def visible(spool) -> list[str]:
    """Names of control files as a scheduler would find them."""
    found = []
    for folder, folders, files in os.walk(spool.transport):
        folders[:] = [f for f in folders if not f.startswith(".")]
        prefix = os.path.relpath(folder, spool.transport)
        found += [os.path.normpath(os.path.join(prefix, f))
                  for f in files if not f.startswith(".")]
    return found


# ---- readers --------------------------------------------------------------


def test_reader_never_sees_a_part(spool):
    sent = [message(i, random.Random(i).choice((10, 3000, 300000)))
            for i in range(120)]
    bodies = {identity: body for identity, _, body in sent}
    seen, errors, ends = set(), [], threading.Event()

    def watch():
        while not ends.is_set():
            for name in visible(spool):
                if name not in seen:
                    seen.add(name)
                    try:
                        whole(spool, name, bodies)
                    except Exception as e:  # noqa: BLE001 - reported below
                        errors.append((name, repr(e)))

    def send(share):
        for _, text, _ in share:
            done = spool.submit("bob@x", "carol@y", input=text)
            if done.returncode != 0:
                errors.append(("submit", done))

    watcher = threading.Thread(target=watch)
    watcher.start()
    senders = [threading.Thread(target=send, args=(sent[i::4],))
               for i in range(4)]
    for t in senders:
        t.start()
    for t in senders:
        t.join()
    ends.set()
    watcher.join()
    assert errors == []
    names = visible(spool)
    assert len(names) == len(sent)
    for name in names:
        whole(spool, name, bodies)
    assert len(spool.files()) == 2 * len(sent)


IN_MODIFY, IN_MOVED_TO, IN_CREATE = 0x2, 0x80, 0x100


def inotify_events(fd: int) -> list[tuple[int, int, str]]:
    """(watch, mask, name) of everything that has happened."""
    data, events = os.read(fd, 1 << 20), []
    while data:
        watch, mask, _, length = struct.unpack_from("iIII", data)
        name = data[16:16 + length].rstrip(b"\0").decode()
        events.append((watch, mask, name))
        data = data[16 + length:]
    return events


def test_names_appear_at_once_and_the_messages_first(tmp_path):
    libc = ctypes.CDLL(None, use_errno=True)
    with Spool(tmp_path) as spool:
        fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert fd >= 0
        watches = {}
        for folder in (spool.queue, spool.transport):
            wd = libc.inotify_add_watch(
                fd, os.fsencode(folder), IN_MODIFY | IN_MOVED_TO | IN_CREATE)
            assert wd >= 0
            watches[wd] = folder.name
        for i in range(10):
            _, text, _ = message(i, 200000)
            assert spool.submit("bob@x", input=text).returncode == 0
        # What happens under a hidden name is nobody's business.
        seen = [(watches[wd], mask, name)
                for wd, mask, name in inotify_events(fd)
                if name[0] not in ".#"]
        os.close(fd)
        names = {job.name for job in spool.jobs()}
    assert len(names) == 10 and len(seen) == 20
    for message_seen, control_seen in zip(seen[::2], seen[1::2]):
        name = control_seen[2]
        assert message_seen == ("queue", IN_CREATE, name)
        assert control_seen == ("transport", IN_MOVED_TO, name)
        names.remove(name)


# ---- kill -9 --------------------------------------------------------------


def check_after_crash(spool, bodies) -> list[str]:
    """
    Whatever can be seen is whole; besides there are at most temporary files
    and message files that no control file names.
    """
    names = visible(spool)
    for name in names:
        whole(spool, name, bodies)
    for path in spool.files():
        folder, name = path.split("/", 1)
        hidden = name.rsplit("/", 1)[-1].startswith(".")
        assert hidden or folder == "queue" or name in names, path
    return names


def test_kill_at_a_random_moment_leaves_nothing_half_done(tmp_path):
    chance = random.Random(17)
    killed = 0
    with Spool(tmp_path, {"SCHEDULERDIRHASH": "1"}) as spool:
        begin = time.monotonic()
        assert spool.submit("bob@x", input=b"").returncode == 0
        longest = 2 * (time.monotonic() - begin)
        (spool.transport / spool.jobs()[0].name).unlink()
        bodies = {}
        for i in range(150):
            identity, text, body = message(i, 400000 if i % 3 else 50)
            bodies[identity] = body
            process = spool.start("bob@x", "carol@y", "dave@z")
            timer = threading.Timer(chance.uniform(0, longest), process.kill)
            timer.start()
            try:
                out, _ = process.communicate(text, timeout=zpost.DEADLINE)
            except BrokenPipeError:
                out = b""
            timer.cancel()
            timer.join()
            process.wait()
            killed += process.returncode == -signal.SIGKILL
            names = check_after_crash(spool, bodies)
            if out.endswith(b"\n"):     # told: so it is there
                assert any(identity in (spool.transport / n).read_bytes()
                           for n in names)
    assert 10 < killed, "the delays do not fit this machine"


def trace(need, tmp_path, *inject):
    """strace with injections; LeakSanitizer cannot work below it."""
    words = [need("strace"), "-f", "-qq", "-o", str(tmp_path / "trace")]
    for rule in inject:
        words += ["-e", f"inject={rule}"]
    options = os.environ.get("ASAN_OPTIONS", "")
    return words, {"ASAN_OPTIONS": f"{options}:detect_leaks=0"}


POINTS = ["write", "fsync", "linkat", "renameat2", "openat", "mkdirat",
          "close", "read", "poll", "newfstatat"]


@pytest.mark.parametrize("call", POINTS)
def test_kill_at_every_system_call_leaves_nothing_half_done(
        spool, tmp_path, need, call):
    bodies, accepted = {}, 0
    for when in itertools.count(1):
        identity, text, body = message(when, 200000)
        bodies[identity] = body
        wrapper, env = trace(need, tmp_path,
                             f"{call}:signal=KILL:when={when}")
        done = spool.submit("bob@x", input=text, wrapper=wrapper, env=env)
        names = check_after_crash(spool, bodies)
        if done.stdout:
            assert any(identity in (spool.transport / n).read_bytes()
                       for n in names)
            accepted += 1
        if done.returncode == 0:
            break
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert when > 1 or call == "mkdirat"
    assert accepted >= 1
    # What is left does not disturb the next message.
    before = len(visible(spool))
    assert spool.submit("bob@x", input=text).returncode == 0
    assert len(visible(spool)) == before + 1


# ---- full disks and other trouble -----------------------------------------


@pytest.mark.parametrize("call, error, code, says", [
    ("write", "ENOSPC", TEMPFAIL, "No space left"),
    ("write", "EDQUOT", TEMPFAIL, "quota"),
    ("write", "EIO", TEMPFAIL, "Input/output error"),
    ("fsync", "ENOSPC", TEMPFAIL, "No space left"),
    ("fsync", "EIO", TEMPFAIL, "Input/output error"),
    ("linkat", "ENOSPC", TEMPFAIL, "No space left"),
    ("linkat", "EACCES", CANTCREAT, "Permission denied"),
    ("renameat2", "ENOSPC", TEMPFAIL, "No space left"),
    ("renameat2", "EACCES", CANTCREAT, "Permission denied"),
    ("mkdirat", "ENOSPC", TEMPFAIL, "No space left"),
    ("mkdirat", "EROFS", CANTCREAT, "Read-only"),
])
def test_trouble_at_every_point_is_clear_and_leaves_nothing(
        spool, tmp_path, need, call, error, code, says):
    failed = 0
    for when in itertools.count(1):
        identity, text, body = message(when, 200000)
        wrapper, env = trace(need, tmp_path,
                             f"{call}:error={error}:when={when}")
        done = spool.submit("bob@x", input=text, wrapper=wrapper, env=env)
        if done.returncode == 0:
            break
        failed += 1
        said = done.stderr.decode()
        assert (done.returncode, done.stdout) == (code, b""), said
        assert re.fullmatch(f"submit: [^\n]*{says}[^\n]*\n", said), said
        assert spool.files() == []
    # The first run that succeeds has its message there, whole.
    whole(spool, visible(spool)[0], {identity: body})
    if call == "mkdirat" and spool.zenv["SCHEDULERDIRHASH"] == "0":
        assert failed == 0
    else:
        assert failed >= (1 if call in ("linkat", "renameat2") else 2)


@pytest.mark.parametrize("error, code", [
    ("EMFILE", TEMPFAIL), ("ENFILE", TEMPFAIL), ("ENOSPC", TEMPFAIL),
    ("EACCES", CANTCREAT), ("EROFS", CANTCREAT)])
def test_file_that_cannot_be_made_is_told(spool, tmp_path, need, error, code):
    wrapper, env = trace(need, tmp_path, f"openat:error={error}:when=1+")
    for folder in ("queue", "transport"):
        wrapper_at = [*wrapper[:-2], "-P", str(spool.path / folder),
                      *wrapper[-2:]]
        done = spool.submit("bob@x", input=b"A: b\n\nc", wrapper=wrapper_at,
                            env=env)
        said = done.stderr.decode()
        assert (done.returncode, done.stdout) == (code, b""), said
        assert folder in said
        assert spool.files() == []


def test_file_size_limit_is_told_and_leaves_nothing(spool):
    done = spool.submit(
        "bob@x", input=message(1, 200000)[1],
        wrapper=("sh", "-c", 'ulimit -f 16; exec "$@"', "sh"))
    assert (done.returncode, done.stdout) == (CANTCREAT, b"")
    assert b"File too large" in done.stderr
    assert spool.files() == []


def test_file_system_without_noreplace_rename_works(spool, tmp_path, need):
    wrapper, env = trace(need, tmp_path, "renameat2:error=EINVAL")
    identity, text, body = message(1, 1000)
    done = spool.submit("bob@x", input=text, wrapper=wrapper, env=env)
    assert done.returncode == 0
    whole(spool, spool.queued().name, {identity: body})


def test_everything_is_synced_before_it_is_seen_and_told(
        tmp_path, need):
    """
    Both files and the message's directory are synced before the control file
    gets its name, and its directory is synced before the id is printed.
    """
    with Spool(tmp_path, {"SCHEDULERDIRHASH": "1"}) as spool:
        calls = "write,fsync,linkat,renameat2"
        log = tmp_path / "calls"
        options = os.environ.get("ASAN_OPTIONS", "")
        done = spool.submit(
            "bob@x", input=b"A: b\n\nc", wrapper=(
                need("strace"), "-y", "-qq", "-e", f"trace={calls}", "-o",
                str(log)),
            env={"ASAN_OPTIONS": f"{options}:detect_leaks=0"})
        assert done.returncode == 0
        name = spool.queued().name
    steps = []
    for line in log.read_text().splitlines():
        call, rest = line.split("(", 1)
        path = re.search(r"\d+<([^>]*)>", rest)[1]
        for top in ("queue", "transport"):
            if f"/{top}" in path:
                steps.append((call, top, "/." in path or "#" in path))
        if path.startswith("pipe:"):
            steps.append(("told", "", False))
    # New hash directories are synced into their parents on the way.
    assert steps == [
        ("write", "queue", True), ("write", "transport", True),
        ("fsync", "queue", False), ("linkat", "queue", True),
        ("fsync", "queue", True), ("fsync", "queue", False),
        ("fsync", "transport", True),
        ("fsync", "transport", False), ("renameat2", "transport", False),
        ("fsync", "transport", False), ("told", "", False)]
    assert "/" in name

"""
smtp(8) in want: of descriptors while many messages are on their way, of a
scheduler that reads its reports, of somebody who takes the lines of its log.
"""

import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from smtpcheck import HOST, SLOT, one_report_each, settled


class LateServer:
    """
    Says what it has to say only when the client waits for it, so that as many
    messages as may be are on their way.
    """

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.destination = f"[127.0.0.1]:{port}"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                self.talk(self.listener.accept()[0])
        except OSError:
            return              # closed: the test is over

    def talk(self, client):
        said = b""
        with client, client.makefile("rb", buffering=1 << 16) as lines:
            client.sendall(b"220 late ESMTP\r\n")
            for line in lines:
                verb = line[:4]
                if verb == b"BDAT":
                    lines.read(int(line.split()[1]))
                if verb == b"EHLO":
                    said += b"250-late\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
                elif verb == b"QUIT":
                    said += b"221 bye\r\n"
                else:
                    said += b"250 ok\r\n"
                if verb in (b"EHLO", b"QUIT") or \
                        not select.select([client], [], [], 0.02)[0]:
                    client.sendall(said)
                    said = b""

    def close(self):
        self.listener.close()


@pytest.fixture
def late():
    server = LateServer()
    yield server
    server.close()


# The scheduler's limit; what it may be raised to; what is wanted.
@pytest.mark.parametrize("hard,options,has_log", [
    (None, [], True), (None, ["-O", "window=1000"], False), (32, [], False),
    (32, [], True), (22, [], True)],
    ids=["verbose logs", "window", "hard limit", "both", "hardly any"])
def test_no_window_takes_all_descriptors(office, smtp, late, hard, options,
                                         has_log):
    """No healthy job is resynced, however few may be open at once."""
    how = {"nofile": 32} if hard is None else {
        "wrapper": ["/bin/sh", "-c", f'ulimit -n {hard}; exec "$@"', "sh"]}
    n = 300 if hard is None else 40
    jobs = []
    for i in range(n):
        log = None
        if has_log:
            (office.public / f"log{i}").write_text("")
            log = f"../public/log{i}"
        jobs.append(office.post([f"r{i}@x.example"], verbose=log))
    agent = smtp(late, *options, deadline=60, **how)
    agent.feed_raw("".join(f"{job}\t{HOST}\n" for job in jobs))
    out = agent.collect(n)
    assert (out.resyncs, out.comments) == ([], [])
    one_report_each(out, *jobs)
    assert set(out.statuses) == {"ok3"}
    for job in jobs:
        settled(job, "+")


def comes_to_rest(server):
    """Waits until the server has got no further message for a while."""
    n = -1
    while n != len(server.messages):
        n = len(server.messages)
        time.sleep(0.5)
    return n


@pytest.mark.parametrize("stdio", ["socket", "pipe"])
def test_scheduler_that_sleeps_cannot_keep_it(office, smtpd, stdio):
    """A signal ends it; what was taken is marked, and no slot is held."""
    server = smtpd()
    agent = office.agent("smtp", "-F", server.destination, stdio=stdio)
    jobs = [office.post([f"r{i}@x.example" for i in range(50)])
            for _ in range(60)]
    agent.stuff("".join(f"{job}\t{HOST}\n" for job in jobs).encode())
    server.wait_messages(1)
    n = comes_to_rest(server)
    assert n < len(jobs)        # it waits for room to speak of them
    agent.process.send_signal(signal.SIGTERM)
    try:
        assert agent.process.wait(20) == os.EX_IOERR
    except subprocess.TimeoutExpired:
        pytest.fail("it waits for ever")
    finally:
        agent.kill()
    got = len(server.messages)
    assert [job.marks for job in jobs] == \
        ["+" * 50] * got + [" " * 50] * (len(jobs) - got)
    assert all(set(job.slots) == {SLOT} for job in jobs)


def test_log_that_nobody_reads(office, smtpd):
    """A FIFO without a reader: it is said, and mail moves."""
    log = office.base / "fifo"
    os.mkfifo(log)
    with office.agent("smtp", "-F", smtpd().destination, "-l", log) as agent:
        agent.wait_line("^#hungry")
        [said] = agent.pending().comments
        assert "cannot open logfile" in said
        assert agent.run(office.post(), HOST).statuses == ["ok3"]
        assert agent.stop() == 0


def test_log_whose_reader_sleeps(office, smtp, smtpd):
    """Lines are lost whole, which is said; mail moves."""
    log = office.base / "fifo"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        agent = smtp(smtpd(record=False), "-l", log)
        comments = []
        for _ in range(5):
            jobs = [office.post() for _ in range(40)]
            agent.feed_raw("".join(f"{job}\t{HOST}\n" for job in jobs))
            out = agent.collect(40)
            assert out.statuses == ["ok3"] * 40
            comments += out.comments
        # A short line may still have found room, and ended the first loss.
        assert 1 <= len(comments) <= 5, comments
        assert all("lines of logfile are lost" in c for c in comments)
        assert agent.stop() == 0
        text = os.read(reader, 1 << 20).decode()
    finally:
        os.close(reader)
    assert text.endswith("\n")
    assert all(re.match(rf"{agent.pid:05}[0-9A-F]{{4}}-\d{{4}}-\d{{4}}[#wr]\t",
                        line) for line in text.split("\n")[:-1])


def test_log_is_made_anew_after_rotation(office, smtp, smtpd):
    log = office.base / "sessions"
    agent = smtp(smtpd(), "-l", log)
    old = office.post()
    agent.run(old, HOST)
    log.rename(office.base / "sessions.1")
    time.sleep(1.1)             # it looks once a second
    new = office.post()
    agent.run(new, HOST)
    assert agent.stop() == 0
    assert f"jobspec: {old}\t" in (office.base / "sessions.1").read_text()
    assert f"jobspec: {new}\t" in log.read_text()
    assert f"jobspec: {new}\t" not in (office.base / "sessions.1").read_text()

"""
loopback - how fast smtp(8) delivers on this machine, beside Postfix.

smtp-source, which reads no spool and makes up its messages, sends the same
amount in the same turn into the same server: a light one of ours and
Postfix's smtp-sink, neither of which keeps anything, and smtpd with all the
work of a queue behind it, whose messages go to discard(8).

The Postfix that empties its queue is a whole mail system beside an agent
alone; it is timed where its messages arrive, from the first connection to the
last reply, so that neither its start nor its end counts.
"""

import contextlib
import subprocess
import time

import clock
import feed
from book import Sample, in_turns
from peers_postfix import Postfix
from peerroot import Missing, free_port

ROUNDS = 5
TURNS = 4               # in one round
CALLS_MOST = 16
# Messages in one turn: over one connection, by ten agents, into a server that
# writes them to disk, out of a queue.
ONE, TEN, QUEUED, QUEUE = 1000, 3000, 150, 1000


def system_calls(programs, spool, sink, n):
    """System calls per message, those of starting up left out."""
    def count(messages):
        log = spool.base / "strace"
        spool.drain(programs, sink.destination, messages,
                    wrapper=("strace", "-f", "-c", "-o", log))
        return int(log.read_text().strip().splitlines()[-1].split()[3])
    return (count(n) - count(1)) / (n - 1)


def source(postfix, port, n, sessions):
    """smtp-source with kept connections."""
    argv = postfix.argv("smtp-source", "-d", "-s", sessions, "-m", n, "-l",
                        feed.SIZE, "-f", "a@example.net", "-t",
                        "b@example.com", f"127.0.0.1:{port}")
    return Sample(n, *clock.run(argv, env=postfix.environment))


@contextlib.contextmanager
def smtp_sink(postfix):
    """Postfix's own light server; its port."""
    port = free_port()
    process = subprocess.Popen(
        postfix.argv("smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", 1024),
        env=postfix.environment, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while subprocess.run(
                postfix.argv("smtp-source", f"127.0.0.1:{port}"),
                env=postfix.environment, stderr=subprocess.DEVNULL,
                timeout=10).returncode != 0:
            if time.monotonic() > end:
                raise RuntimeError("smtp-sink does not listen")
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def light_servers(programs, book, spool, sink, postfix):
    """Into servers that keep nothing."""
    with smtp_sink(postfix) as port:
        for server, at, name in (("light sink", sink.port, "sink"),
                                 ("smtp-sink", port, "smtp-sink")):
            to = f"[127.0.0.1]:{at}"
            pairs = in_turns(
                ROUNDS, lambda: spool.drain(programs, to, ONE),
                lambda: source(postfix, at, ONE, 1), turns=TURNS)
            book.compare(f"smtp-one-connection-{name}",
                         f"smtp into {server}, DATA, one connection",
                         "smtp-source -d, one session", pairs, 1.5)
            pairs = in_turns(
                ROUNDS, lambda: spool.drain(programs, to, TEN, 10),
                lambda: source(postfix, at, TEN, 10), turns=TURNS)
            book.compare(f"smtp-ten-agents-{name}",
                         f"ten smtp side by side into {server}, DATA",
                         "smtp-source -d, ten sessions", pairs, 0.8)


def with_queue(programs, book, spool):
    """
    Into smtpd, by DATA on both sides. The server decides how fast it goes; but
    it answers a group of commands in two pieces and leaves Nagle's algorithm
    on, and a client that lets it wait for acknowledgements loses 40 ms each.
    """
    with feed.folder() as base, \
            Postfix(base, mode="discard",
                    smtpd_discard_ehlo_keywords="chunking") as server:
        pairs = in_turns(
            ROUNDS, lambda: spool.drain(programs, server.destination, QUEUED),
            lambda: source(server, server.port, QUEUED, 1), turns=TURNS)
    book.compare("smtp-one-connection-smtpd",
                 "smtp into smtpd and its queue, DATA, one connection",
                 "smtp-source -d, one session", pairs, 0.8)


def drain_queue(postfix, sink):
    """A whole queue over one connection, as the server sees it."""
    postfix.inject(QUEUE, size=feed.SIZE)
    postfix.release()
    sink.expect()
    postfix.flush()
    return sink.took(QUEUE)


def system(programs, book, spool, sink):
    """Agent against system: Postfix empties its queue."""
    with feed.folder() as base, \
            Postfix(base, mode="relay", relay_port=sink.port) as postfix:
        pairs = in_turns(
            ROUNDS, lambda: spool.drain(programs, sink.destination, QUEUE),
            lambda: drain_queue(postfix, sink))
    book.compare("smtp-one-connection-of-postfix-queue",
                 "smtp into light sink, DATA, one connection",
                 "Postfix empties its queue (agent against system)", pairs, 5)


def measure(programs, book):
    with feed.folder() as base, feed.Sink(programs, base) as sink:
        spool = feed.Spool(base, TEN)
        calls = system_calls(programs, spool, sink, QUEUE)
        book.target("smtp-system-calls-per-message", f"<={CALLS_MOST}",
                    f"{calls:.2f}", calls <= CALLS_MOST,
                    "smtp, system calls per message", "")
        try:
            with Postfix(base, mode="discard") as postfix:
                book.peers["Postfix"] = postfix.run(
                    "postconf", "-h", "-d", "mail_version",
                    text=True).stdout.strip()
                light_servers(programs, book, spool, sink, postfix)
            with_queue(programs, book, spool)
            system(programs, book, spool, sink)
        except Missing as why:
            book.skip("smtp beside Postfix", why)

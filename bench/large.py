"""
large - one large message, plain, beside a bare loop that sends its bytes.

The loop (bench/sendloop) has the wire bytes in memory before it connects; smtp
reads its spool, looks for 8-bit bytes, makes line ends and doubles dots. Both
send into the same server, which looks only for the end, and both are timed
there: from the acceptance of the connection to the reply to the content.

Memory: the peak of smtp's resident set after a message of 1 KB and after the
large one, each in a process of its own.
"""

import pathlib
import re

import clock
import feed
from book import Sample, in_turns

SIZE = 200 << 20
LINES = SIZE // len(feed.LINE)
TURNS = 4               # in one round
ROUNDS = 5
MEMORY_MORE = 1024      # KB


def speed(programs, book, sink, base):
    wire = base / "wire"
    wire.write_bytes(feed.HEADER.replace(b"\n", b"\r\n") + b"\r\n"
                     + feed.LINE.replace(b"\n", b"\r\n") * LINES + b".\r\n")
    spool = feed.Spool(base, 1, feed.LINE * LINES)
    argv = [programs.parent / "bench" / "sendloop", sink.address, sink.port,
            wire]

    def at_the_reader(run):
        """The rate from the connection to the reply, as the reader sees it."""
        def timed():
            sink.expect()
            run()
            return Sample(SIZE / 1e6, sink.took(1).seconds)
        return timed

    pairs = in_turns(
        ROUNDS,
        at_the_reader(lambda: spool.drain(programs, sink.destination)),
        at_the_reader(lambda: clock.run(argv)), turns=TURNS)
    book.compare("smtp-200MB-of-bare-loop", "smtp, one message of 200 MB",
                 "a bare loop that sends the same bytes", pairs, 0.7, "MB/s")


def peak(programs, sink, body):
    """VmHWM of smtp in KB after one message."""
    with feed.folder() as base:
        spool = feed.Spool(base, 1, body)
        with spool.office as office, \
                office.agent(str(programs / "smtp"), "-F", sink.destination,
                             deadline=60) as agent:
            agent.hungry()
            out = agent.run(spool.jobs[0], feed.HOST)
            if out.report.status != "ok3":
                raise RuntimeError(out.text)
            status = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])


def measure(programs, book):
    with feed.folder() as base, feed.Sink(programs, base, "-d") as sink:
        speed(programs, book, sink, base)
        small = peak(programs, sink, feed.LINE * 14)
        large = peak(programs, sink, feed.LINE * LINES)
    book.note(f"smtp, peak memory: 1 KB message {small} KB, 200 MB {large} KB")
    book.target("smtp-memory-for-200MB-more-than-for-1KB",
                f"<={MEMORY_MORE}KB", f"{large - small}KB",
                large - small <= MEMORY_MORE, "smtp, peak memory for 200 MB",
                "for 1 KB: more by")

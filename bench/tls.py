"""
tls - what TLS costs: handshakes, bytes, messages, memory.

Handshakes: an agent with -1 makes one for each message. Beside it
bench/sendloop, which does the same dialogue with the same messages from
memory, over bare OpenSSL; and `openssl s_time`, which shakes hands and says
nothing. All speak to bench/sink, which notes of each connection whether the
handshake was full or resumed a session, so that nobody is measured who does
not do what is meant.

Bytes: one message of 200 MB beside `openssl s_client -quiet`, which sends the
same bytes from a file into the same sink.

The certificate is P-256, the cheapest for the server, so that the client's
share is as large as it can be.
"""

import statistics
import subprocess
import time

import clock
import feed
from book import Sample, in_turns
from connect import Agent

HANDSHAKES = 200        # in one turn
MESSAGES = 1000
SIZE = 200 << 20
LINES = SIZE // len(feed.LINE)
ROUNDS = 5
TURNS = 3               # in one round
LARGE_RATIO = 0.9
CALLS_MOST = 16
MEMORY_MORE = 4096      # KB
FULL, RESUMED = 1, 2    # in the log of the sink
SHAKE_RATIO = {FULL: 0.8, RESUMED: 0.7}
EHLO = b"EHLO bench\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"


def certificate(base):
    """A file with a certificate and its key, for the sink."""
    parts = [base / "key.pem", base / "cert.pem"]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj",
                    "/CN=sink", "-days", "2", "-keyout", parts[0], "-out",
                    parts[1]], check=True, stderr=subprocess.DEVNULL)
    whole = base / "sink.pem"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole


def wire(content: bytes) -> bytes:
    """A message as it is sent."""
    return ((feed.HEADER + b"\n" + content).replace(b"\n", b"\r\n")
            + b".\r\n")


# ---- handshakes -------------------------------------------------------------


def arrivals(sink, n=None, deadline=60):
    """
    The connections since expect(), once there are n that have ended, or all
    that there will be: (messages, accepted, last reply, handshake) of each.
    """
    end = time.monotonic() + deadline
    before = None
    while True:
        with open(sink.log, "rb") as f:
            f.seek(sink.seen)
            lines = sorted((tuple(int(x) for x in line.split())
                            for line in f.read().split(b"\n")[:-1]),
                           key=lambda x: x[1])
        if len(lines) == (before if n is None else n):
            return lines
        if time.monotonic() > end:
            raise RuntimeError(f"{len(lines)} connections, not {n}")
        before = len(lines)
        time.sleep(0.1 if n is None else 0.02)


def shaken(sink, run, kind, n=None):
    """
    Handshakes as the server sees them: from the first connection to the last.
    Those that resume begin with a full one, which does not count.
    """
    def timed():
        sink.expect()
        cpu = run()
        lines = arrivals(sink, n)
        kinds = [line[3] for line in lines][1:]
        if set(kinds) != {kind}:
            raise RuntimeError(f"handshakes are {kinds}, not {kind}")
        return Sample(len(kinds), (lines[-1][1] - lines[0][1]) / 1e6, cpu)
    return timed


def handshakes(programs, book, base, pem):
    spool = feed.Spool(base, HANDSHAKES)
    content = base / "content"
    content.write_bytes(wire(feed.BODY))
    loop = [programs.parent / "bench" / "sendloop", "-t", "-n", HANDSHAKES]
    for kind, name, sink_says, loop_says in (
            (FULL, "full", (), ()), (RESUMED, "resumed", ("-r",), ("-r",))):
        with feed.Sink(programs, base, "-t", pem, *sink_says) as sink:
            pairs = in_turns(
                ROUNDS,
                shaken(sink, lambda: spool.drain(
                    programs, sink.destination, options=["-1"]).cpu, kind,
                    HANDSHAKES),
                shaken(sink, lambda: clock.run(
                    [*loop, *loop_says, sink.address, sink.port,
                     content])[1], kind, HANDSHAKES), turns=TURNS)
        book.compare(f"smtp-tls-handshakes-{name}-of-bare-loop",
                     f"smtp -1 over TLS, one message a connection, {name} "
                     "handshakes", "a bare loop that sends the same messages",
                     pairs, SHAKE_RATIO[kind], "connections/s")


def only_hands(programs, book, base, pem):
    """
    s_time sends no mail. It resumes nothing of TLS 1.3, since it reads no
    tickets; so that is TLS 1.2 on both sides.
    """
    spool = feed.Spool(base / "hands", HANDSHAKES)
    conf = base / "wrapper.conf"
    conf.write_text("tls-wrapper\n")
    for kind, name, sink_says, how in (
            (FULL, "full, TLS 1.3", (), "-new"),
            (RESUMED, "resumed, TLS 1.2", ("-r", "-2"), "-reuse")):
        with feed.Sink(programs, base, "-w", "-t", pem, *sink_says) as sink:
            s_time = ["openssl", "s_time", "-connect",
                      f"{sink.address}:{sink.port}", how, "-time", "1"]
            pairs = in_turns(
                3,
                shaken(sink, lambda: spool.drain(
                    programs, sink.destination,
                    options=["-1", "-S", conf]).cpu, kind, HANDSHAKES),
                shaken(sink, lambda: clock.run(
                    s_time, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)[1], kind))
        book.compare("", f"smtp -1, `tls-wrapper`, {name}: with the mail",
                     "openssl s_time: without any", pairs,
                     unit="connections/s")


# ---- bytes ------------------------------------------------------------------


def large(programs, book, base, pem):
    content, dialogue = base / "large", base / "dialogue"
    content.write_bytes(wire(feed.LINE * LINES))
    dialogue.write_bytes(EHLO + content.read_bytes())
    spool = feed.Spool(base / "large-spool", 1, feed.LINE * LINES)
    with feed.Sink(programs, base, "-d", "-t", pem) as sink:
        def at_the_reader(run):
            def timed():
                sink.expect()
                run()
                return Sample(SIZE / 1e6, sink.took(1).seconds)
            return timed

        def s_client():
            with open(dialogue, "rb") as f:
                clock.run(["openssl", "s_client", "-quiet", "-no_ign_eof",
                           "-starttls", "smtp", "-connect",
                           f"{sink.address}:{sink.port}"], stdin=f,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)

        turns = in_turns(
            ROUNDS,
            at_the_reader(lambda: spool.drain(programs, sink.destination)),
            at_the_reader(s_client),
            at_the_reader(lambda: clock.run(
                [programs.parent / "bench" / "sendloop", "-t", sink.address,
                 sink.port, content])), turns=TURNS)
    what = "smtp over TLS, one message of 200 MB"
    book.compare("smtp-tls-200MB-of-s_client", what,
                 "openssl s_client -quiet that sends the same bytes",
                 [t[:2] for t in turns], LARGE_RATIO, "MB/s")
    book.compare("", what, "a bare loop that sends the same bytes over TLS",
                 [t[::2] for t in turns], unit="MB/s")


# ---- messages ---------------------------------------------------------------


def system_calls(programs, spool, sink, n):
    """
    System calls per message, those of starting up left out: with one message
    and with n the handshake is the same.
    """
    def count(messages):
        log = spool.base / "strace"
        spool.drain(programs, sink.destination, messages,
                    wrapper=("strace", "-f", "-c", "-o", log))
        return int(log.read_text().strip().splitlines()[-1].split()[3])
    return (count(n) - count(1)) / (n - 1)


def opened(programs, spool, sink, store):
    """Files of OpenSSL and of the store that an agent looks at by itself."""
    log = spool.base / "opened"
    spool.drain(programs, sink.destination, 2,
                wrapper=("strace", "-f", "-e", "trace=file", "-o", log))
    return [line for line in log.read_text().splitlines()
            if "/ssl/" in line or f'"{store}' in line]


def messages(programs, book, base, pem):
    spool = feed.Spool(base / "messages", MESSAGES)
    var = base / "var"
    var.mkdir()
    spool.office.set_zenv(MAILVAR=var)
    with feed.Sink(programs, base) as clear, \
            feed.Sink(programs, base, "-t", pem) as sink:
        calls = system_calls(programs, spool, sink, MESSAGES)
        book.target("smtp-tls-system-calls-per-message", f"<={CALLS_MOST}",
                    f"{calls:.2f}", calls <= CALLS_MOST,
                    "smtp over TLS, system calls per message")
        files = opened(programs, spool, clear, var)
        book.target("smtp-tls-files-opened-in-clear-text", "0",
                    str(len(files)), not files,
                    "smtp in clear text, files of OpenSSL and of the store")
        pairs = in_turns(
            ROUNDS, lambda: spool.drain(programs, sink.destination),
            lambda: spool.drain(programs, clear.destination), turns=TURNS)
        book.compare("", "smtp over TLS into light sink, one connection",
                     "the same in clear text", pairs)
        single(programs, book, spool, clear, sink)


def single(programs, book, spool, clear, sink):
    """What an agent holds after five messages, and the time of the first."""
    held, first, later = {}, {}, {}
    for _ in range(ROUNDS):
        for name, to in (("clear", clear), ("tls", sink)):
            agent = Agent(programs, spool, "-1", "-F", to.destination)
            times = []
            for _ in range(5):
                begin = time.monotonic()
                agent.deliver()
                times.append((time.monotonic() - begin) * 1e3)
            first.setdefault(name, []).append(times[0])
            later.setdefault(name, []).append(statistics.median(times[1:]))
            held.setdefault(name, []).append(agent.resident())
            agent.end()
    for what, name, times in (
            ("in clear text, first message", "clear", first),
            ("in clear text, later ones", "clear", later),
            ("over TLS, first message, full handshake", "tls", first),
            ("over TLS, later ones, full handshakes", "tls", later)):
        low, high = min(times[name]), max(times[name])
        text = f"{statistics.median(times[name]):.1f} ms"
        book.note(f"smtp -1 {what}: {text}, {low:.1f} to {high:.1f} ms")
        book.row(f"smtp -1, job line to report, {what}", "", "", text,
                 f"{low:.1f} to {high:.1f} ms")
    plain, over = (statistics.median(held[k]) for k in ("clear", "tls"))
    book.note(f"smtp holds {plain} KB in clear text, {over} KB with TLS")
    book.target("smtp-memory-of-tls", f"<={MEMORY_MORE}KB",
                f"{over - plain:.0f}KB", over - plain <= MEMORY_MORE,
                "smtp, resident memory with TLS up",
                f"in clear text, {plain:.0f} KB: more by")


def measure(programs, book):
    book.peers["OpenSSL"] = subprocess.run(
        ["openssl", "version"], stdout=subprocess.PIPE, text=True,
        check=True).stdout.split()[1]
    with feed.folder() as base:
        pem = certificate(base)
        handshakes(programs, book, base, pem)
        only_hands(programs, book, base, pem)
        messages(programs, book, base, pem)
        large(programs, book, base, pem)

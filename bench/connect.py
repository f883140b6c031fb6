"""
connect - from a job line to a server that is ready for mail: name, address,
connection, greeting, EHLO.

Both sides ask the same resolver, unbound on an address and port 53 of its
own, with nsd behind it (test/names.py), and speak to the same server, which
notes when EHLO comes. Ours is timed from the job line that the agent reads,
so that control and message file are opened and locked in that time. Postfix
says itself how long it took ("delays=", connection setup), and its request
has been read by then.

Cold is the first name that a process asks for, warm the same name again on a
new connection. What the resolver knows is warm throughout.
"""

import contextlib
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import threading
import time

import feed
import names
from agentrun import wait_for
from names import Unbound, World, address, literal
from peerroot import Missing
from peers_postfix import Postfix

DOMAIN = "plain.example"
ROUNDS = 7              # processes of each kind, in turns
WARM = 20               # further connections of each
MODES = ("off", "validate")
RATIO = {"off": 0.7, "validate": 1.0}
RESOLVER_MOST = 4096    # KB more for a resolver than without one
CALLS_MOST = {"off": 64, "validate": 32}


class Server:
    """Answers SMTP, takes everything, keeps nothing but the time of EHLO."""

    def __init__(self, where: str):
        self.socket = socket.create_server((where, 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.greeted: list[float] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                threading.Thread(target=self._talk, args=(peer,),
                                 daemon=True).start()

    def _talk(self, peer) -> None:
        with contextlib.suppress(OSError), peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(b"220 sink.example ESMTP\r\n")
            in_content = False
            for line in peer.makefile("rb"):
                verb = line[:4].upper()
                if in_content:
                    in_content = line != b".\r\n"
                    if in_content:
                        continue
                elif verb == b"EHLO":
                    self.greeted.append(time.monotonic())
                in_content = verb == b"DATA"
                peer.sendall(b"354 go\r\n" if in_content else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    def wait(self, n: int) -> None:
        wait_for(lambda: len(self.greeted) >= n, f"{n} sessions")

    def close(self) -> None:
        self.socket.close()


class Resolver(Unbound):
    """On port 53, since Postfix's resolver knows no other."""

    def start(self) -> None:
        real = names.free_place
        try:
            names.free_place = lambda: (f"127.{random.randrange(1, 255)}"
                                        f".{random.randrange(256)}.53", 53)
            super().start()
        finally:
            names.free_place = real


class Place(World):
    """The names, their servers, and the mail server of DOMAIN."""

    def __enter__(self) -> "Place":
        super().__enter__()
        self._unbound = Resolver(self.folder, self.nsd.place)
        self._unbound.start()
        self.server = Server(address(1))
        return self

    def __exit__(self, *exc) -> None:
        self.server.close()
        super().__exit__(*exc)

    def agent_options(self, mode: str) -> list:
        return ["-1", "-p", self.server.port,
                *self.options(mode, literal(self.unbound.place))]


# ---- ours -------------------------------------------------------------------


class Agent:
    """One smtp(8), which is hungry; it is given one job line at a time."""

    def __init__(self, programs, spool, *options, wrapper=()):
        self.spool, self.n = spool, 0
        self.process = subprocess.Popen(
            [*wrapper, str(programs / "smtp"), "-h", "client.example",
             *map(str, options)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, cwd=spool.office.transport,
            env=spool.office.environment())
        self._hungry()

    def _hungry(self) -> str:
        said = ""
        while True:
            line = self.process.stdout.readline().decode()
            if line == "":
                raise RuntimeError(f"smtp has ended: {said}")
            said += line
            if line == "#hungry\n":
                return said

    def deliver(self, host: str = feed.HOST) -> None:
        job = self.spool.jobs[self.n]
        self.n += 1
        self.process.stdin.write(f"{job.name}\t{host}\n".encode())
        self.process.stdin.flush()
        said = self._hungry()
        if "\tok3 " not in said:
            raise RuntimeError(f"not delivered: {said}")

    def resident(self) -> int:
        """KB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s*(\d+)", f.read())[1])

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.spool.wipe(self.n)


def ours(programs, place, spool, mode) -> list[float]:
    """Seconds of each connection of a new agent."""
    times = []
    agent = Agent(programs, spool, *place.agent_options(mode), "-F", DOMAIN)
    for _ in range(1 + WARM):
        before = len(place.server.greeted)
        begin = time.monotonic()
        agent.deliver()
        place.server.wait(before + 1)
        times.append(place.server.greeted[before] - begin)
    agent.end()
    return times


def between(lines, begins, ends) -> list[int]:
    """
    The numbers of system calls from each that matches the one pattern to the
    next that matches the other.
    """
    counts, n = [], None
    for line in lines:
        if re.search(begins, line):
            n = 0
        elif n is not None:
            n += 1
            if re.search(ends, line):
                counts.append(n)
                n = None
    return counts


# A connect(2) to the mail server; strace prints "htons(PORT)".
CONNECTS = r"connect\(\d+, .*htons\({port}\)"


def our_calls(programs, place, spool, mode) -> tuple[int, float]:
    log = spool.base / "strace"
    agent = Agent(programs, spool, *place.agent_options(mode), "-F", DOMAIN,
                  wrapper=("strace", "-f", "-o", str(log)))
    for _ in range(1 + WARM):
        agent.deliver()
    agent.end()
    counts = between(log.read_text().splitlines(), r"read\(0, \"\d",
                     CONNECTS.format(port=place.server.port))
    return counts[0], statistics.median(counts[1:])


def memory(programs, place, spool, book) -> None:
    """What an agent holds, after a few messages, by whom it asks."""
    held = {}
    for mode in ("literal", *MODES):
        to = (DOMAIN if mode != "literal"
              else f"[{address(1)}]:{place.server.port}")
        agent = Agent(programs, spool, *place.agent_options(
            "validate" if mode == "literal" else mode), "-F", to)
        for _ in range(5):
            agent.deliver()
        held[mode] = agent.resident()
        agent.end()
    book.note(f"smtp holds {held} KB")
    for mode in MODES:
        more = held[mode] - held["literal"]
        book.target(f"smtp-memory-of-names-{mode}", f"<={RESOLVER_MOST}KB",
                    f"{more}KB", more <= RESOLVER_MOST,
                    f"smtp, resident memory to look up names, `{mode}`",
                    f"for literals only, {held['literal']} KB: more by")


# ---- Postfix ----------------------------------------------------------------


DELAYS = re.compile(r"postfix/smtp\[(\d+)\].* delays="
                    r"[\d.]+/[\d.]+/([\d.]+)/[\d.]+, .*status=sent")


@contextlib.contextmanager
def postfix_of(place, base):
    with Postfix(base, mode="relay", relay_port=place.server.port,
                 relayhost=f"{DOMAIN}:{place.server.port}",
                 disable_dns_lookups="no", smtp_dns_support_level="enabled",
                 smtp_host_lookup="dns", smtp_connection_cache_on_demand="no",
                 smtp_connection_cache_destinations="",
                 default_process_limit=1, smtp_destination_concurrency_limit=1,
                 delay_logging_resolution_limit=6) as postfix:
        postfix.write("etc/resolv.conf",
                      f"nameserver {place.unbound.place[0]}\n")
        yield postfix


def one_process(postfix, n: int) -> list[float]:
    """
    n messages by one new smtp process: seconds of each connection setup. The
    one that is there is told to end.
    """
    before = len(DELAYS.findall(postfix.log))
    for pid in {int(p) for p, _ in DELAYS.findall(postfix.log)}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    postfix.inject(n, size=feed.SIZE)
    postfix.release()
    postfix.flush()
    wait_for(lambda: len(DELAYS.findall(postfix.log)) >= before + n,
             "deliveries by Postfix")
    postfix.wait_empty()
    return [float(t) for _, t in DELAYS.findall(postfix.log)[before:]]


def their_calls(postfix, place, base) -> tuple[int, float]:
    """From the request that smtp accepts to its connect(2)."""
    log = base / "strace-of-postfix"
    (master,) = [p for p in postfix.processes()
                 if "/master" in os.readlink(f"/proc/{p}/exe")]
    trace = subprocess.Popen(["strace", "-f", "-q", "-o", str(log), "-p",
                              str(master)], stderr=subprocess.DEVNULL)
    try:
        wait_for(log.exists, "strace")
        time.sleep(0.2)
        one_process(postfix, 1 + WARM)
    finally:
        trace.terminate()
        trace.wait(20)
    lines = log.read_text().splitlines()
    connects = CONNECTS.format(port=place.server.port)
    pid = next(line.split()[0] for line in lines if re.search(connects, line))
    counts = between([x for x in lines if x.split()[0] == pid],
                     r" accept4?\(", connects)
    return counts[0], statistics.median(counts[1:])


# ---- all --------------------------------------------------------------------


def describe(times) -> str:
    return f"{statistics.median(times) * 1e6:.0f} us"


def spread(times) -> str:
    return f"{min(times) * 1e6:.0f} to {max(times) * 1e6:.0f} us"


def cold_and_warm(book, name, rounds) -> list[float]:
    """Rows of what each round took; the warm ones' medians."""
    cold = [times[0] for times in rounds]
    warm = [statistics.median(times[1:]) for times in rounds]
    for kind, times in (("first name", cold), ("same name again", warm)):
        book.note(f"{name}, {kind}: {describe(times)}, {spread(times)}")
        book.row(f"{name}, {kind}", "", "", describe(times), spread(times))
    return warm


def compare(book, mode, warm, peer) -> None:
    ratios = sorted(b / a for a, b in zip(warm, peer))
    ratio = statistics.median(ratios)
    book.target(f"smtp-connect-{mode}", f">={RATIO[mode]:g}", f"{ratio:.2f}",
                ratio >= RATIO[mode],
                f"smtp, job line to EHLO, `{mode}`, same name again",
                "Postfix, connection setup",
                f"{ratios[0]:.2f} to {ratios[-1]:.2f}")


def calls(book, name, what, cold, warm, most) -> None:
    book.note(f"{what}: {cold} cold, {warm:g} warm")
    book.target(name, f"<={most}", f"{warm:g}", warm <= most,
                f"{what}, system calls to connect(2)", "",
                f"the first name {cold}")


def measure(programs, book):
    try:
        with feed.folder() as base:
            measure_in(programs, book, base)
    except (Missing, FileNotFoundError) as why:
        book.skip("from job line to connection", why)


def measure_in(programs, book, base):
    base.chmod(0o755)
    with Place(base / "names") as place:
        spool = feed.Spool(base, 1 + WARM)
        with postfix_of(place, base) as postfix:
            rounds = [[*(ours(programs, place, spool, mode)
                         for mode in MODES), one_process(postfix, 1 + WARM)]
                      for _ in range(ROUNDS)]
            found_calls = their_calls(postfix, place, base)
        *found, peer = zip(*rounds)
        peer = cold_and_warm(book, "Postfix, connection setup", peer)
        for mode, times in zip(MODES, found):
            compare(book, mode, cold_and_warm(
                book, f"smtp, job line to EHLO, `{mode}`", times), peer)
        for mode in MODES:
            calls(book, f"smtp-connect-calls-{mode}", f"smtp, `{mode}`",
                  *our_calls(programs, place, spool, mode), CALLS_MOST[mode])
        book.note(f"Postfix: {found_calls[0]} system calls cold, "
                  f"{found_calls[1]:g} warm")
        book.row("Postfix, system calls from request to connect(2)", "", "",
                 f"{found_calls[1]:g}", f"the first name {found_calls[0]}")
        memory(programs, place, spool, book)

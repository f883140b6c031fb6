"""
link - how many messages cross a wire of 100 ms in one round trip.

bench/linkdelay makes the wire and a network namespace at each of its ends:
clients run in the first, servers in the second. Its round trip is measured by
a client of its own (bench/roundtrip) and counts as it is.

smtp is timed from its start to its end, which costs it some four round trips
for connecting and greetings; Postfix and Exim, mail systems that empty their
queues, are timed where their messages arrive, from the acceptance of their
connection to the last reply. Each has one connection at a time.
"""

import contextlib
import pathlib
import subprocess
import sys

import exim
import feed
from book import Sample, in_turns
from peerroot import Missing
from peers_postfix import MASTER, Postfix

MS = 100
ROUNDS = 5
DATA_MESSAGES = 80
BDAT_MESSAGES = 1000
PEER_MESSAGES = 12
UNIT = "messages per round trip"
ROUND_TRIP = pathlib.Path(__file__).resolve().parent / "roundtrip"


class Link:
    """The wire: near and far are what to put before a command."""

    def __init__(self, programs):
        self.process = subprocess.Popen(
            [programs.parent / "bench" / "linkdelay", str(MS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if len(words) != 4:
            raise Missing(self.process.communicate()[1].strip())
        near, self.near_address, far, self.far_address = words
        self.near = ["nsenter", f"--net={near}"]
        self.far = ["nsenter", f"--net={far}"]

    def round_trip(self, address, port, wrapper=None, count=2) -> float:
        """Seconds, the shortest of so many; an error if nobody answers."""
        done = subprocess.run(
            [*(wrapper or self.near), sys.executable, ROUND_TRIP, address,
             str(port), str(count)], stdout=subprocess.PIPE, timeout=60,
            check=True)
        return float(done.stdout)

    def close(self) -> None:
        self.process.communicate()
        self.process.wait(10)

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *exc) -> None:
        self.close()


class LinkedPostfix(Postfix):
    """A Postfix at one end of the wire."""

    def __init__(self, link, wrapper, address, folder, **how):
        self.link, self.wrapper, self.address = link, wrapper, address
        super().__init__(folder, mynetworks="127.0.0.0/8 192.0.2.0/24",
                         **how)

    def setup(self) -> None:
        super().setup()
        self.write("etc/postfix/master.cf", MASTER.format(
            port=self.port, connections=self.connections).replace(
                "127.0.0.1:", self.address + ":"))

    def argv(self, *command) -> list[str]:
        return [*self.wrapper, *super().argv(*command)]

    def greets(self) -> bool:
        try:
            self.link.round_trip(self.address, self.port, self.wrapper, 1)
        except subprocess.CalledProcessError:
            return False
        return True

    @property
    def destination(self) -> str:
        return f"[{self.address}]:{self.port}"


class Course:
    """What is measured over one wire; its rates are in round trips."""

    def __init__(self, programs, book, link, base):
        self.programs, self.book = programs, book
        self.link, self.base = link, base
        self.spool = feed.Spool(base, BDAT_MESSAGES)
        self.sinks = {how: feed.Sink(programs, base, *options,
                                     wrapper=link.far,
                                     address=link.far_address)
                      for how, options in (("DATA", ()), ("BDAT", ("-c",)))}

    def close(self) -> None:
        for sink in self.sinks.values():
            sink.close()

    def in_trips(self, sample: Sample) -> Sample:
        """The same with round trips, as they are now, for seconds."""
        trip = self.link.round_trip(self.link.far_address,
                                    self.sinks["DATA"].port)
        if not MS / 1000 <= trip < MS / 1000 * 1.2:
            raise RuntimeError(f"a round trip takes {trip:.4f} s")
        return Sample(sample.count, sample.seconds / trip)

    def ours(self, destination, n):
        return lambda: self.in_trips(self.spool.drain(
            self.programs, destination, n, wrapper=self.link.near))

    def queue_of(self, peer, sink, n=PEER_MESSAGES):
        def run():
            peer.inject(n, feed.SIZE)
            sink.expect()
            peer.flush()
            return self.in_trips(sink.took(n, 120))
        return run

    def exim(self, how):
        sink = self.sinks[how]
        peer = exim.Exim(self.base, sink.address, sink.port, how == "BDAT",
                         self.link.near)
        self.book.peers["Exim"] = peer.version
        return self.queue_of(peer, sink)

    def against(self, how, n, wanted, rivals):
        """ours and the others' queues, in turns, into the light sink."""
        sink = self.sinks[how]
        turns = in_turns(ROUNDS, self.ours(sink.destination, n),
                         *rivals.values())
        what = f"smtp over {MS} ms, {how}, one connection"
        self.book.trips(f"smtp-{how}-messages-per-round-trip", what,
                        [t[0] for t in turns], wanted)
        for i, name in enumerate(rivals, 1):
            self.book.compare("", what, f"{name} empties its queue",
                              [(t[0], t[i]) for t in turns], unit=UNIT)

    def postfix(self, stack):
        """Knows only DATA."""
        sink = self.sinks["DATA"]
        peer = stack.enter_context(LinkedPostfix(
            self.link, self.link.near, "127.0.0.1", self.base, mode="relay",
            relayhost=sink.destination,
            smtp_connection_cache_destinations=sink.destination))
        return self.queue_of(Released(peer), sink)

    def rivals(self, **makers):
        """Those that can be had."""
        found = {}
        for name, make in makers.items():
            try:
                found[name] = make()
            except Missing as why:
                self.book.skip(f"{name} over {MS} ms", why)
        return found

    def measure(self) -> None:
        with contextlib.ExitStack() as stack:
            self.against("DATA", DATA_MESSAGES, 0.9, self.rivals(
                Postfix=lambda: self.postfix(stack),
                Exim=lambda: self.exim("DATA")))
        self.against("BDAT", BDAT_MESSAGES, 20, self.rivals(
            Exim=lambda: self.exim("BDAT")))
        self.into_smtpd()

    def into_smtpd(self) -> None:
        with LinkedPostfix(self.link, self.link.far, self.link.far_address,
                           self.base, mode="discard") as postfix:
            samples = [self.ours(postfix.destination, BDAT_MESSAGES)()
                       for _ in range(ROUNDS)]
        self.book.trips("smtp-BDAT-messages-per-round-trip-into-smtpd",
                        f"smtp over {MS} ms into smtpd and its queue, BDAT",
                        samples, 20)


class Released:
    """A Postfix whose messages are off hold when they are queued."""

    def __init__(self, postfix):
        self.postfix = postfix
        self.flush = postfix.flush

    def inject(self, n, size):
        self.postfix.inject(n, size)
        self.postfix.release()


def measure(programs, book):
    try:
        with feed.folder() as base, Link(programs) as link, \
                contextlib.closing(Course(programs, book, link, base)) as it:
            it.measure()
    except Missing as why:
        book.skip(f"smtp over {MS} ms", why)

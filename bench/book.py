"""
book - what was measured: the lines that are printed, and a page of them.

A target is a line "TARGET name wanted got PASS|MISS". Comparisons without a
target, and what could not be measured, have lines of their own. Rates are
only ever given as ratios of samples that were taken in turns.
"""

import dataclasses
import os
import pathlib
import platform
import re
import statistics
import subprocess

BEGIN = "<!-- measured: what follows is written by bench/run -->\n"
END = "<!-- end of what is written by bench/run -->\n"


@dataclasses.dataclass
class Sample:
    """One run: so many messages (or bytes), seconds, CPU seconds."""

    count: float
    seconds: float
    cpu: float | None = None

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def in_turns(rounds: int, *runs, turns: int = 1) -> list[tuple]:
    """
    Calls the runs one after the other, `turns` times in a round, every other
    time backwards so that none is always the first: whatever else keeps the
    machine busy meets all of them alike. Of its turns in a round each run's
    fastest counts, since others can only make it slower. A tuple of samples
    for each round.
    """
    found = []
    for i in range(rounds):
        best = {}
        for j in range(turns):
            order = list(enumerate(runs))
            for n, run in order if (i + j) % 2 == 0 else reversed(order):
                sample = run()
                if n not in best or sample.rate > best[n].rate:
                    best[n] = sample
        found.append(tuple(best[n] for n in range(len(runs))))
    return found


def describe(samples: list[Sample], unit: str) -> str:
    rate = statistics.median(s.rate for s in samples)
    text = f"{rate:.0f} {unit}" if rate >= 10 else f"{rate:.2f} {unit}"
    if samples[0].cpu is not None and samples[0].count > 1:
        cpu = statistics.median(s.cpu / s.count for s in samples)
        text += f" ({cpu * 1e6:.0f} us CPU each)"
    return text


def processor() -> str:
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"(?m)^model name\s*:\s*(.+)$", text)
    return model[1] if model else platform.machine()


def machine() -> list[tuple[str, str]]:
    """What the figures depend on, without names of this very machine."""
    release = platform.freedesktop_os_release()
    memory = re.search(r"MemTotal:\s*(\d+) kB",
                       pathlib.Path("/proc/meminfo").read_text())
    compiler = subprocess.run(["gcc", "--version"], stdout=subprocess.PIPE,
                              text=True, check=True).stdout.split("\n")[0]
    hypervisor = "hypervisor" in pathlib.Path("/proc/cpuinfo").read_text()
    return [
        ("processor", f"{processor()}, {len(os.sched_getaffinity(0))} cores"
         + (", virtual" if hypervisor else "")),
        ("memory", f"{int(memory[1]) / 2**20:.0f} GB"),
        ("kernel", f"Linux {platform.release().split('-')[0]}"),
        ("system", release["PRETTY_NAME"]),
        ("compiler", compiler),
    ]


class Section:
    """One part of what is measured, under a heading of its own."""

    def __init__(self):
        self.rows: list[tuple[str, str, str, str, str]] = []
        self.skips: list[str] = []

    def text(self) -> str:
        lines = ["| what | beside | wanted | measured (from, to) | |",
                 "|---|---|---|---|---|"] if self.rows else []
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += [f"\nNot measured: {s}" for s in self.skips]
        return "\n".join(lines).strip("\n") + "\n"


class Book:
    """headings: those of all parts, in the order of the page."""

    def __init__(self, headings=()):
        self.good = True
        self.is_quick = False               # fewer rounds
        self.headings = list(headings)
        self.sections: dict[str, Section] = {}
        self.section = Section()
        self.peers: dict[str, str] = {}     # name -> version

    def begin(self, heading: str) -> None:
        """What follows belongs there."""
        self.section = self.sections[heading] = Section()

    # -- printing and keeping --

    @staticmethod
    def note(text: str) -> None:
        print(text, flush=True)

    def _row(self, what, beside, wanted, got, verdict) -> None:
        self.section.rows.append((what, beside, wanted, got, verdict))

    def row(self, what: str, beside: str, wanted: str, got: str,
            spread: str = "") -> None:
        """A line of the page without a target."""
        self._row(what, beside, wanted,
                  got + (f" ({spread})" if spread else ""), "")

    def target(self, name: str, wanted: str, got: str, passed: bool,
               what: str = "", beside: str = "", spread: str = "") -> bool:
        """
        One target. what and beside describe it on the page, by default what
        is its name; spread says how far the rounds were apart.
        """
        verdict = "PASS" if passed else "MISS"
        print(f"TARGET {name} {wanted} {got} {verdict}", flush=True)
        self._row(what or name, beside, wanted,
                  got + (f" ({spread})" if spread else ""), verdict)
        self.good &= passed
        return passed

    def compare(self, name: str, what: str, beside: str, pairs: list,
                wanted: float | None = None, unit: str = "messages/s"):
        """
        Pairs of samples, ours and the peer's: the median of the ratios of
        their rates, against what is wanted; None: for information.
        """
        ratios = sorted(a.rate / b.rate for a, b in pairs)
        ratio = statistics.median(ratios)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        self.note(f"{what}: {describe([p[0] for p in pairs], unit)}")
        self.note(f"    {beside}: {describe([p[1] for p in pairs], unit)}; "
                  f"ratio {ratio:.2f}, {spread}")
        if wanted is None:
            self._row(what, beside, "", f"{ratio:.2f} ({spread})", "")
        else:
            self.target(name, f">={wanted:g}", f"{ratio:.2f}",
                        ratio >= wanted, what, beside, spread)

    def trips(self, name: str, what: str, samples: list, wanted: float):
        """Samples whose seconds are round trips: the median of the rates."""
        rates = sorted(s.rate for s in samples)
        rate = statistics.median(rates)
        self.target(name, f">={wanted:g}", f"{rate:.2f}", rate >= wanted,
                    what, "messages per round trip",
                    f"{rates[0]:.2f} to {rates[-1]:.2f}")

    def skip(self, what: str, why) -> None:
        """What cannot be measured here is no miss, but it is said."""
        text = f"{what}: {why}"
        print(f"SKIP {text}", flush=True)
        self.section.skips.append(text)

    # -- the page --

    def page(self, old: str = "") -> str:
        """The old page, but for what was measured now."""
        head, *parts = re.split(r"(?m)^### ", old)
        texts = dict(part.split("\n\n", 1) for part in parts)
        texts |= {k: v.text() for k, v in self.sections.items()}
        about = dict(re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \|$", head))
        about |= dict(machine()) | self.peers
        lines = ["| the machine | |", "|---|---|"]
        lines += [f"| {k} | {v} |" for k, v in about.items()]
        for heading in self.headings:
            if heading in texts:
                lines += ["", f"### {heading}", "", texts[heading].strip()]
        return "\n".join(lines) + "\n"

    def write_page(self, path: pathlib.Path) -> None:
        """Puts the tables between the two marks of a page."""
        before, rest = path.read_text().split(BEGIN)
        old, after = rest.split(END)
        path.write_text(before + BEGIN + "\n" + self.page(old) + "\n" + END
                        + after)

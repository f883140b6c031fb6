"""
prometheus - its text format 0.0.4, read as strictly as its own scraper does,
and some more: HELP and TYPE before the samples of each family, all of a family
together, no series twice, counters named _total, histograms that add up.
"""

from __future__ import annotations

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?(e[+-]?\d+)?|Inf)|NaN")
SUFFIXES = ("_bucket", "_sum", "_count")


def labels_of(text: str | None) -> tuple:
    if text is None:
        return ()
    found, at = [], 0
    while True:
        match = LABEL.match(text, at)
        assert match, text
        found.append((match[1], match[2]))
        at = match.end()
        if at == len(text):
            break
        assert text[at] == ",", text
        at += 1
    assert len({k for k, _ in found}) == len(found), text
    return tuple(sorted(found))


class Metrics:
    def __init__(self, text: str):
        assert text.endswith("\n") and "\r" not in text
        text.encode("ascii")
        self.types: dict[str, str] = {}
        self.samples: dict[tuple, float] = {}
        self.family, self.helped = None, None
        for line in text.split("\n")[:-1]:
            self.read(line)
        for name, kind in self.types.items():
            if kind == "histogram":
                self.check_histogram(name)

    def read(self, line: str) -> None:
        if line.startswith("# HELP "):
            name, text = line[7:].split(" ", 1)
            assert re.fullmatch(NAME, name) and text
            assert name not in self.types, f"{name} twice"
            self.helped = name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == self.helped, "TYPE without HELP"
            assert kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == name.endswith("_total"), name
            self.types[name] = kind
            self.family = name
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, number = match[1], labels_of(match[2]), match[3]
            assert NUMBER.fullmatch(number), line
            family = name
            if self.types.get(self.family) == "histogram":
                assert name.endswith(SUFFIXES), line
                family = name.rsplit("_", 1)[0]
            assert family == self.family, f"{line}: not with its family"
            assert (name, labels) not in self.samples, f"{line}: twice"
            self.samples[name, labels] = float(number)
            assert float(number) >= 0, line

    def check_histogram(self, name: str) -> None:
        buckets = [(dict(k[1])["le"], v) for k, v in self.samples.items()
                   if k[0] == f"{name}_bucket"]
        bounds = [float(le) for le, _ in buckets]
        counts = [n for _, n in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf")
        assert counts == sorted(counts)
        assert counts[-1] == self[f"{name}_count"]
        assert self[f"{name}_sum"] >= 0

    def __call__(self, name: str, **labels) -> float:
        """The sum of all series of a name that have these labels."""
        assert any(k[0] == name for k in self.samples), name
        return sum(v for k, v in self.samples.items()
                   if k[0] == name and labels.items() <= dict(k[1]).items())

    def __getitem__(self, name: str) -> float:
        return self.samples[name, ()]

"""
eventfile - the scheduler's event log, checked against zpost-events(5) itself:
what the manual does not list may not be written, and what it lists must be.
"""

from __future__ import annotations

import json
import pathlib
import re

import attemptfile

MANUAL = pathlib.Path(__file__).resolve().parent.parent / "man" \
    / "zpost-events.5"
TYPES = {"text": str, "number": int, "array": list, "object": dict}
COMMON = ["event", "schema", "time"]
WORDS = {"outcome": {"delivered", "relayed", "failed", "held", "deferred",
                     "deferall", "retryat", "deferback"},
         "reason": {"tried", "untried", "deadline", "command"},
         "kind": {"failed", "delayed", "delivered"}}


class Manual:
    """members: name -> type; events: name -> (always, perhaps)."""

    def __init__(self, text: str):
        self.members: dict[str, type] = {}
        self.events: dict[str, tuple[set, set]] = {}
        section, now, names = "", None, None
        for line in text.splitlines():
            if line.startswith(".Ss "):
                section = line[4:]
            elif section == "Members" and line.startswith(".It Cm "):
                name, kind = re.fullmatch(r"\.It Cm (\w+) Pq (\w+)",
                                          line).groups()
                self.members[name] = TYPES[kind]
            elif section == "Events" and line.startswith(".It Cm "):
                now, names = (set(COMMON), set()), None
                self.events[line[7:]] = now
            elif section == "Events" and line in ("Always:", "Perhaps:"):
                names = now[0] if line == "Always:" else now[1]
            elif section == "Events" and line.startswith(".Cm ") \
                    and names is not None:
                names.update(re.findall(r"\w+", line[4:]))
        for always, perhaps in self.events.values():
            assert not always & perhaps
            assert always | perhaps <= set(self.members)


manual = Manual(MANUAL.read_text())


def parse(line: bytes) -> dict:
    """One line, checked."""
    assert re.search(rb"[\0-\x1f\x7f]", line) is None, line
    event = json.loads(line.decode("utf-8"),
                       object_pairs_hook=attemptfile.strict)
    assert event["schema"] == 1
    if event["event"] == "attempt":
        return attemptfile.parse(line)
    assert event["event"] in manual.events, line
    always, perhaps = manual.events[event["event"]]
    assert always <= set(event) <= always | perhaps, line
    for name, value in event.items():
        assert type(value) is manual.members[name], (name, line)
        assert name not in WORDS or value in WORDS[name], (name, line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        event["time"])
    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}",
                        event.get("status", "4.4.1"))
    if "agent" in event:
        assert {k: type(v) for k, v in event["agent"].items()} \
            == {"program": str, "pid": int, "channel": str}
    for one in event.get("recipients", []):
        assert {k: type(v) for k, v in one.items()} \
            == {"offset": int, "channel": str, "host": str, "user": str}
    return event


def load(path: pathlib.Path) -> list[dict]:
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b"", "the last line has no end"
    return [parse(x) for x in lines]

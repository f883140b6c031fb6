"""
results - what the tests of one run said.

Reads the TAP files that prove leaves behind (a tree of files, one a test
program) and pytest's junit XML. Used by check and coverage.

Names: a unit test is "room/x_test:test_name"; a point of another TAP program
is its path and description likewise; a pytest test is
"test/test_x.py::test_y", or with its parameters "...::test_y[a-b]".
"""

import dataclasses
import pathlib
import re
import xml.etree.ElementTree as xml

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclasses.dataclass
class Result:
    name: str
    outcome: str
    why: str = ""       # of a skip or failure


# cmocka writes a skipped test as "not ok 3 # SKIP test_name".
POINT = re.compile(r"(not )?ok\b ?(\d+)?(?: -)? ?([^#]*?)\s*"
                   r"(?:# ?(skip\S*|todo)\b ?(.*))?", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)(?: *# *(skip\S*) ?(.*))?", re.IGNORECASE)


def read_tap(text: str, name: str) -> list[Result]:
    """The points of one TAP program. One too few is a failure of its own."""
    results: list[Result] = []
    planned = None
    for line in text.split("\n"):
        plan = PLAN.fullmatch(line.strip())
        if plan is not None:
            planned = int(plan[1])
            if plan[2]:
                results.append(Result(name, SKIPPED, plan[3]))
            continue
        if line.startswith("Bail out!"):
            results.append(Result(name, FAILED, line))
            continue
        m = POINT.fullmatch(line)
        if m is None:
            continue
        what, directive, why = m[3], (m[4] or "").lower(), m[5] or ""
        if directive.startswith("skip"):
            results.append(Result(f"{name}:{what or why}", SKIPPED, why))
        else:
            results.append(Result(f"{name}:{what}",
                                  FAILED if m[1] else PASSED))
    if planned is None:
        results.append(Result(name, FAILED, "no plan: it ended early"))
    elif planned > 0 and len(results) != planned:
        results.append(Result(name, FAILED,
                              f"{len(results)} of {planned} tests were run"))
    return results


def read_tap_tree(top: pathlib.Path) -> list[Result]:
    results = []
    for path in sorted(top.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(top))
            results += read_tap(path.read_text("utf-8", "replace"), name)
    return results


def read_junit(path: pathlib.Path) -> list[Result]:
    results = []
    for case in xml.parse(path).getroot().iter("testcase"):
        file = case.get("file")
        if file is None:
            file = case.get("classname", "").replace(".", "/") + ".py"
        name = f"{file}::{case.get('name')}"
        bad = case.find("failure")
        if bad is None:
            bad = case.find("error")
        skip = case.find("skipped")
        if bad is not None:
            results.append(Result(name, FAILED, bad.get("message", "")))
        elif skip is not None:
            results.append(Result(name, SKIPPED, skip.get("message", "")))
        else:
            results.append(Result(name, PASSED))
    return results


def by_name(results: list[Result]) -> dict[str, str]:
    """
    Name to outcome; also "file::test" for all cases of a parametrised test
    together, the worst of them.
    """
    worst = {PASSED: 0, SKIPPED: 1, FAILED: 2}
    table: dict[str, str] = {}

    def put(name: str, outcome: str) -> None:
        if worst[outcome] >= worst[table.get(name, PASSED)]:
            table[name] = outcome

    for r in results:
        put(r.name, r.outcome)
        if "::" in r.name and "[" in r.name:
            put(r.name.partition("[")[0], r.outcome)
    return table

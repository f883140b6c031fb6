"""
docs/tls-conformance.md: every row of its tables has a test, and every test
that it names is there.
"""

import ast
import pathlib
import re

import pytest

from zpost import ROOT

PAGE = ROOT / "docs" / "tls-conformance.md"
# What every such page has to have something about.
MATTERS = [
    "MX RRset insecure", "addresses insecure", "one address family",
    "SERVFAIL", "no answer", "bogus", "securely absent",
    "CNAME into an unsigned zone", "expanded name", "Usages 0 and 1",
    "All records unusable", "selector or matching type", "DANE-EE(3)",
    "DANE-TA(2)", "SNI", "One record fails", "mixed", "roll-over",
    "no MX matches", "Mode testing", "The fetch fails", "new id", "`max_age`",
    "DANE fails", "`_mta-sts` is a CNAME", "Wildcard patterns",
    "name is that of the MX host", "REQUIRETLS is offered",
    "No verified host offers it", "`TLS-Required: No` against DANE",
    "against MTA-STS", "stripped", "Cleartext behind the 220", "stalled",
    "resumed", "used again", "Each type of failure"]


def functions(file: pathlib.Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in tree.body
            if isinstance(node, ast.FunctionDef)}


def sections() -> list[tuple[str, str]]:
    """Each part of the page that names a file of tests: the file, the part."""
    found = []
    for part in PAGE.read_text().split("\n## ")[1:]:
        m = re.search(r"Tests in `(test/test_\w+\.py)`", part)
        assert m is not None, part[:200]
        found.append((m[1], part))
    return found


@pytest.mark.parametrize("file,part", sections(), ids=lambda x: x[:30])
def test_every_row_has_tests_that_are_there(file, part):
    known = functions(ROOT / file)
    rows = [line for line in part.split("\n") if line.startswith("| ")][1:]
    assert len(rows) > 5
    assert len({row.count("|") for row in rows}) == 1, "cells are missing"
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.split("|")[-2])
        assert named, row
        assert set(named) <= known, set(named) - known


def test_tests_named_in_the_text_are_there():
    head = PAGE.read_text().split("\n## ")[0]
    known = functions(ROOT / "test" / "test_tls_interop.py")
    named = set(re.findall(r"`(test_\w+)`", head))
    assert named and named <= known


@pytest.mark.parametrize("matter", MATTERS)
def test_page_has_something_about(matter):
    assert matter in PAGE.read_text()

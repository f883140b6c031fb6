"""
The tools that keep the house: each kind of breach, put into a small tree of
its own, is refused; and a tree without any is not.
"""

import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from zpost import ROOT

TOOLS = ROOT / "tools"


def load(name):
    """A tool as a module."""
    path = str(TOOLS / name)
    if str(TOOLS) not in sys.path:
        sys.path.insert(0, str(TOOLS))
    loader = importlib.machinery.SourceFileLoader(
        "tool_" + name.replace(".", "_"), path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run(*argv, **kwargs):
    """(exit status, standard output, standard error)."""
    done = subprocess.run([str(a) for a in argv], capture_output=True,
                          text=True, timeout=50, **kwargs)
    return done.returncode, done.stdout, done.stderr


class Tree:
    """A small project below a folder."""

    def __init__(self, top: pathlib.Path):
        self.top = top
        self.write("ROOMS", "# plan\nbase:\ndsn: base\nspool: dsn base\n"
                   "net: base\nprog: net spool dsn base\n")
        for room in ("base", "dsn", "spool", "net", "prog"):
            self.header(f"{room}/{room}.h")
            self.source(f"{room}/{room}.c",
                        f'#include "{room}/{room}.h"\n\nint {room}_x;\n'
                        if room in ("base", "spool", "net")
                        else f'#include "{room}/{room}.h"\n')

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def header(self, name, text="", opening=True):
        guard = name.replace("/", "_").replace(".", "_").upper()
        front = f"/*\n * {name.split('/')[-1]} - x.\n */\n" if opening else ""
        self.write("src/" + name, f"{front}#ifndef {guard}\n#define {guard}\n"
                   f"{text}\n#endif\n")

    def source(self, name, text):
        self.write("src/" + name,
                   f"/*\n * {name.split('/')[-1]} - x.\n */\n{text}")

    def append(self, name, text):
        with open(self.top / name, "a") as f:
            f.write(text)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


# ---- rooms ----------------------------------------------------------------


def test_rooms_allows_what_the_plan_allows(tree):
    tree.source("spool/a.c", '#include "spool/spool.h"\n\n'
                '#include "dsn/dsn.h"\n\n#include <unistd.h>\n')
    tree.source("prog/main.c", '#include "version.h"\n')
    tree.source("dsn/a.c", "static const char *const words[] = { 0 };\n"
                "struct row { int a; };\n"
                "int f(int (*cmp)(int));\n"
                "int f(int (*cmp)(int))\n{\n\tstatic const int one = 1;\n"
                "\treturn cmp(one); /* getenv() in a comment */\n}\n")
    assert run(TOOLS / "rooms", tree.top) == (0, "", "")


ROOM_BREACHES = {
    "sideways": ("spool/a.c", '#include "net/net.h"\n', "may not see net"),
    "upward": ("base/a.c", '#include "dsn/dsn.h"\n', "may not see dsn"),
    "no room": ("base/a.c", '#include "attic/a.h"\n', "no such room"),
    "no file": ("dsn/a.c", '#include "base/b.h"\n', "no such file"),
    "no folder": ("spool/a.c", '#include "spool.h"\n', "not \"room/file.h\""),
    "dots": ("spool/a.c", '#include "../net/net.h"\n', "not \"room/file.h\""),
    "split directive": ("spool/a.c", '#  include \\\n "net/net.h"\n',
                        "may not see net"),
    "macro": ("base/a.c", "#include NAME\n", "include of a macro"),
    "version": ("spool/a.c", '#include "version.h"\n', "not \"room/file.h\""),
    "test.h": ("spool/a.c", '#include "base/test.h"\n', "for tests only"),
    "#if": ("spool/a.c", "#if X\n#endif\n", "#if outside base"),
    "#ifdef": ("net/a.c", "#ifdef X\n#endif\n", "#ifdef outside base"),
    "unistd": ("dsn/a.c", "#include <unistd.h>\n", "in the pure room dsn"),
    "time": ("dsn/a.c", "#include <time.h>\n", "in the pure room dsn"),
    "socket": ("dsn/a.c", "#include <sys/socket.h>\n", "in the pure room"),
    "getenv": ("dsn/a.c", 'char *f(void)\n{\n\treturn getenv("A");\n}\n',
               "getenv in the pure room"),
    "printing": ("dsn/a.c", 'void f(void)\n{\n\tprintf("A");\n}\n',
                 "printf in the pure room"),
    "log": ("dsn/a.c", '#include "base/log.h"\n', "do not log"),
    "static": ("dsn/a.c", "static int count;\n", "mutable object"),
    "global": ("dsn/a.c", "struct x { int a; } x = { 0 };\n",
               "mutable object"),
    "pointer": ("dsn/a.c", 'static const char *p = "";\n', "mutable object"),
    "function pointer": ("dsn/a.c", "static int (*f)(void);\n",
                         "mutable object"),
    "local static": ("dsn/a.c", "void f(void)\n{\n\tstatic int n;\n\tn++;\n}"
                     "\n", "mutable static"),
}


@pytest.mark.parametrize("kind", ROOM_BREACHES)
def test_rooms_refuses(tree, kind):
    name, text, told = ROOM_BREACHES[kind]
    tree.source(name, text)
    for header in ("base/test.h", "base/log.h"):
        tree.header(header)
    status, out, _ = run(TOOLS / "rooms", tree.top)
    assert status == 1
    lines = out.splitlines()
    assert len(lines) == 1, out
    assert lines[0].startswith(f"src/{name}:") and told in lines[0]


@pytest.mark.parametrize("line,told", [
    ("low: high\nhigh:\n", "lists high, which does not stand above"),
    ("a: a\n", "lists itself"),
    ("base:\n", "stands here twice"),
    ("Base: x\n", "not a room's line"),
    ("attic: base\n", "has no folder"),
])
def test_rooms_refuses_a_plan(tree, line, told):
    tree.append("ROOMS", line)
    status, out, _ = run(TOOLS / "rooms", tree.top)
    assert status == 1 and told in out


def test_rooms_refuses_misplaced_files(tree):
    tree.source("attic/a.c", "")
    tree.write("src/lost.c", "")
    tree.source("net/deep/a.c", "")
    tree.write("src/spool/b.h", "#ifndef B_H\n#define B_H\n#endif\n")
    status, out, _ = run(TOOLS / "rooms", tree.top)
    assert status == 1
    assert "room attic is not in ROOMS" in out
    assert "src/lost.c:1: a file outside any room" in out
    assert "src/net/deep/a.c:1: deeper than src/ROOM" in out
    assert "src/spool/b.h:1: the include guard is not SPOOL_B_H" in out


def test_tests_of_a_pure_room_may_touch_the_world(tree):
    tree.header("base/test.h")
    tree.source("dsn/dsn_test.c", '#include "base/test.h"\n\n'
                "#include <unistd.h>\n\nstatic int calls;\n")
    assert run(TOOLS / "rooms", tree.top) == (0, "", "")


# ---- fnsize ---------------------------------------------------------------


def function(lines, params="void", name="f"):
    """A function of so many lines, braces included."""
    return (f"int {name}({params})\n{{\n" + "\ta();\n" * (lines - 4)
            + "\treturn 0;\n}\n")


def test_fnsize_allows_the_limits(tree):
    tree.source("net/a.c", function(80, "int a, int b, int c, int d, "
                                    "int (*e)(int, int)"))
    tree.source("net/b.c", "int a;\n" * 797)
    assert run(TOOLS / "fnsize", tree.top) == (0, "", "")


@pytest.mark.parametrize("text,told", [
    (function(81), "net/a.c:4: f: 81 lines, at most 80"),
    (function(9, "int a, int b, int c, int d, int e, int f"),
     "net/a.c:4: f: 6 params, at most 5"),
    ("int a;\n" * 798, "net/a.c:1: file: 801 lines, at most 800"),
    ('const char *s = "}";\n/* } */\n' + function(81), "f: 81 lines"),
])
def test_fnsize_refuses(tree, text, told):
    tree.source("net/a.c", text)
    status, out, _ = run(TOOLS / "fnsize", tree.top)
    assert status == 1 and told in out


def test_fnsize_list_shows_what_is_beyond_the_aim(tree):
    tree.source("net/a.c", function(41))
    tree.source("net/b.c", function(40) + "int a;\n" * 560)
    status, out, _ = run(TOOLS / "fnsize", "--list", tree.top)
    assert status == 0
    assert out.splitlines() == [
        "src/net/b.c:1: file: 603 lines, aim at 600",
        "src/net/a.c:4: f: 41 lines, aim at 40"]


@pytest.mark.parametrize("allowed,told", [
    (81, None), (82, "81 is enough, not 82"), (80, "81 lines, at most 80")])
def test_fnsize_exceptions_only_shrink(tree, allowed, told):
    tree.source("net/a.c", function(81))
    tree.write("tools/fnsize.exceptions",
               f"# reasons\nsrc/net/a.c f lines {allowed}\n")
    status, out, _ = run(TOOLS / "fnsize", tree.top)
    assert status == (told is not None)
    assert (told or "") in out


@pytest.mark.parametrize("entry,told", [
    ("src/net/a.c g lines 90", "no longer needed: src/net/a.c g lines"),
    ("src/net/a.c - lines 900", "no longer needed"),
    ("src/net/a.c f", "not FILE FUNCTION WHAT NUMBER")])
def test_fnsize_refuses_exceptions_without_need(tree, entry, told):
    tree.source("net/a.c", function(20))
    tree.write("tools/fnsize.exceptions", entry + "\n")
    status, out, _ = run(TOOLS / "fnsize", tree.top)
    assert status == 1 and told in out


# ---- results and coverage -------------------------------------------------


def outcomes(text):
    found = load("results.py").read_tap(text, "t")
    return [(r.name, r.outcome) for r in found]


@pytest.mark.parametrize("text,want", [
    ("1..2\nok 1 - a\nnot ok 2 - b\n# why\n",
     [("t:a", "passed"), ("t:b", "failed")]),
    ("1..1\nnot ok 1 # SKIP test_x\n", [("t:test_x", "skipped")]),
    ("1..1\nok 1 - a # SKIP no dog\n", [("t:a", "skipped")]),
    ("1..0 # SKIP nothing here\n", [("t", "skipped")]),
    ("1..2\nok 1 - a\n", [("t:a", "passed"), ("t", "failed")]),
    ("ok 1 - a\n", [("t:a", "passed"), ("t", "failed")]),
    ("1..1\nBail out! fire\n", [("t", "failed")]),
    ("", [("t", "failed")]),
])
def test_tap_is_read(text, want):
    assert outcomes(text) == want


@pytest.fixture
def run_results(tmp_path):
    """TAP and junit of a small run, and a COVERAGE.md with given lines."""
    tap = tmp_path / "tap" / "spool"
    tap.mkdir(parents=True)
    (tap / "ctl_test").write_text(
        "1..3\nok 1 - test_good\nnot ok 2 - test_bad\n"
        "not ok 3 # SKIP test_skipped\n")
    (tmp_path / "junit.xml").write_text(
        '<testsuites><testsuite>'
        '<testcase file="test/test_sm.py" classname="x" name="test_y[1]"/>'
        '<testcase file="test/test_sm.py" classname="x" name="test_y[2]"/>'
        '<testcase file="test/test_sm.py" classname="x" name="test_z[1]"/>'
        '<testcase file="test/test_sm.py" classname="x" name="test_z[2]">'
        '<failure message="no"/></testcase>'
        '<testcase file="test/test_sm.py" classname="x" name="test_s">'
        '<skipped message="no dog"/></testcase>'
        '</testsuite></testsuites>')

    def coverage(change, *args):
        lines = {i: f"- [ ] {i} text" for i in load("coverage").IDS}
        lines.update(change)
        (tmp_path / "COVERAGE.md").write_text(
            "# head\n\n" + "\n".join(x for x in lines.values() if x) + "\n")
        return run(TOOLS / "coverage", *args, tmp_path / "COVERAGE.md",
                   tmp_path / "tap", tmp_path / "junit.xml")

    return coverage


def test_coverage_accepts_what_passed(run_results):
    status, out, _ = run_results({
        "A3.04": "- [x] A3.04 text — test: spool/ctl_test:test_good",
        "B1.07": "- [x] B1.07 text\n  over lines — test:\n"
        "  test/test_sm.py::test_y, test/test_sm.py::test_y[1],\n"
        "  test/test_sm.py::test_z[1]"})
    assert (status, out) == (0, "coverage: 2 of 250 lines are proven\n")


@pytest.mark.parametrize("name,told", [
    ("spool/ctl_test:test_none", "was not run"),
    ("spool/ctl_test:test_bad", "failed"),
    ("test/test_sm.py::test_none", "was not run"),
    ("test/test_sm.py::test_z", "failed"),
    ("something", "not a test's name"),
    ("", "not a test's name")])
def test_coverage_refuses_what_did_not_pass(run_results, name, told):
    status, out, _ = run_results(
        {"C4": f"- [x] C4 text — test: {name}"})
    assert status == 1 and "C4" in out and told in out


@pytest.mark.parametrize("name", ["spool/ctl_test:test_skipped",
                                  "test/test_sm.py::test_s"])
def test_coverage_of_a_skipped_test(run_results, name):
    line = {"C4": f"- [x] C4 text — test: {name}"}
    status, out, _ = run_results(line)
    assert status == 0 and "C4: not proven in this run" in out
    status, out, _ = run_results(line, "--strict")
    assert status == 1 and "was skipped" in out


def test_coverage_refuses_a_tick_without_a_test(run_results):
    status, out, _ = run_results({"C4": "- [x] C4 text"})
    assert status == 1 and "C4 is ticked and names no test" in out


@pytest.mark.parametrize("change,told", [
    ({"A2.52": None}, "A2.52 is missing"),
    ({"C14": "- [ ] C14 x\n- [ ] C15 x"}, "C15 is not in the list"),
    ({"C14": "- [ ] C14 x\n- [ ] C14 x"}, "C14 stands here twice"),
    ({"C13": "- [ ] C14 x", "C14": "- [ ] C13 x"}, "not in order"),
    ({"C13": "- [y] C13 x"}, "not a line of the list"),
])
def test_coverage_refuses_another_list(run_results, change, told):
    status, out, _ = run_results(change)
    assert status == 1 and told in out


def ticked(ids, text="x"):
    return {i: f"- [x] {i} {text} — test: spool/ctl_test:test_good"
            for i in ids}


def test_coverage_bounds_the_lines_of_a_test(run_results):
    five = ["C1", "C2", "C3", "C4", "C5"]
    assert run_results(ticked(five))[0] == 0
    status, out, _ = run_results(ticked(five + ["C6"]))
    assert status == 1 and "test_good stands for 6 lines" in out


def test_coverage_does_not_count_flags_that_are_not_used(run_results):
    unused = ["B4.03", "B4.06", "B4.07", "B4.14", "B4.21", "B4.23"]
    assert run_results(ticked(unused, "`0` not used."))[0] == 0
    assert run_results(ticked(unused, "`0` is used."))[0] == 1


def test_coverage_list_is_that_of_the_project():
    complaints = []
    module = load("coverage")
    lines = module.read_lines((ROOT / "COVERAGE.md").read_text("utf-8"),
                              lambda *a: complaints.append(a))
    module.check_ids(lines, lambda *a: complaints.append(a))
    assert complaints == [] and len(lines) == 250


# ---- lint -----------------------------------------------------------------


@pytest.fixture
def linted(tree):
    """A whole small project; gives a function that lints it."""
    tree.write("Makefile", "AGENTS := smtp\nTOOLS := submit\n")
    for name in ("tools/install", "etc"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (tree.top / name).parent.mkdir(exist_ok=True)
        copy(source, tree.top / name)
    for name in ("smtp", "submit"):
        tree.write(f"man/{name}.8", f".Dd November 21, 2026\n"
                   f".Dt {name.upper()} 8\n.Os\n.Sh NAME\n.Nm {name}\n"
                   ".Nd send mail\n.Sh DESCRIPTION\nText.\n")
    shutil.copy(ROOT / ".clang-format", tree.top)

    def lint():
        status, out, _ = run(TOOLS / "lint", tree.top)
        module = load("results.py")
        got = module.read_tap(out, "lint")
        assert status == any(r.outcome == "failed" for r in got)
        return out, [r.name[5:] for r in got if r.outcome != "passed"]

    return lint


def test_lint_finds_nothing_in_a_good_tree(linted):
    assert linted()[1] == []


LINT_BREACHES = {
    "every include is allowed by ROOMS":
        ("src/net/a.c", '/*\n * a.c - x.\n */\n#include "spool/spool.h"\n'),
    "functions and files are within their limits":
        ("src/net/a.c", "/*\n * a.c - x.\n */\n" + function(81)),
    "clang-format would change nothing":
        ("src/net/a.c", "/*\n * a.c - x.\n */\nint  f( void );\n"),
    "every C file opens with a text that names it":
        ("src/net/a.c", "/*\n * b.c - x.\n */\n"),
    "every function in a header has a docstring":
        ("src/net/a.h", "/*\n * a.h - x.\n */\n#ifndef NET_A_H\n"
         "#define NET_A_H\n\nint net_a(void);\n\n#endif\n"),
    "mandoc has nothing to say about the manuals":
        ("man/submit.8", ".Dd today\n.Dt SUBMIT 8\n.Os\n.Sh DESCRIPTION\n"),
    "every program and manual is installed, every program has a manual":
        ("man/zmailer.txt", "a manual that is none\n"),
    "every script can be parsed, Python within 79 columns":
        ("demo/run", "#!/bin/sh\nif true; then\n"),
    "no trailing blanks, no CR, a newline at the end of every file":
        ("README.md", "text \n"),
    "nothing unfinished, no path of somebody's machine":
        ("README.md", "TO" + "DO: all\n"),
}


@pytest.mark.parametrize("check", LINT_BREACHES)
def test_lint_refuses(tree, linted, check):
    tree.write(*LINT_BREACHES[check])
    out, failed = linted()
    assert failed == [check]
    name = LINT_BREACHES[check][0].rsplit("/", 1)[-1]
    assert any(line.startswith("# ") and name in line
               for line in out.splitlines())


@pytest.mark.parametrize("text,told", [
    ("def f(:\n", "x.py:1: "), ("x = 1" + " " * 75 + "# far\n", "columns")])
def test_lint_refuses_python(tree, linted, text, told):
    tree.write("test/x.py", text)
    out, failed = linted()
    assert failed == ["every script can be parsed, Python within 79 columns"]
    assert told in out


@pytest.mark.parametrize("text", [
    "see /wo" + "rk/main for more\n", "in ../sh" + "ared/spec\n",
    "FIX" + "ME\n"])
def test_lint_refuses_words(tree, linted, text):
    tree.write("HACKING.md", text)
    assert linted()[1] == ["nothing unfinished, no path of somebody's machine"]


@pytest.mark.parametrize("text", [
    "/* Both. */\nint net_a(void);\nint net_b(void);\n",
    "/* What. */\nMUST_USE int net_a(int x,\n\t\t   int y);\n",
    "/* One. */\nvoid net_a(const char *format, ...)\n"
    "    __attribute__((format(printf, 1, 2)));\n",
    "/* A type. */\ntypedef void net_f(int);\n\nstruct net_x;\n"])
def test_lint_takes_a_comment_for_a_docstring(text):
    assert load("lint").undocumented("a.h", text) == []


@pytest.mark.parametrize("text", [
    "int net_a(void);\n", "/* Far. */\n\nint net_a(void);\n",
    "struct x {\n\tint a; /* no */\n};\nint net_a(void);\n",
    "/* Of a. */\nint net_b(void);\n\nint net_a(void);\n"])
def test_lint_misses_a_docstring(text):
    told = load("lint").undocumented("a.h", text)
    assert len(told) == 1 and "net_a has no comment" in told[0]


# ---- check ----------------------------------------------------------------


class Project:
    """A project whose unit tests are shell scripts, checked as a whole."""

    def __init__(self, top):
        self.top = top
        self.build = top / "build" / "x"
        shutil.copytree(TOOLS, top / "tools")
        (top / "tools" / "lint").write_text(
            "#!/bin/sh\nprintf '1..1\\nok 1 - lint\\n'\n")
        shutil.copy(ROOT / "pytest.ini", top)
        shutil.copy(ROOT / "COVERAGE.md", top)
        text = (top / "COVERAGE.md").read_text("utf-8")
        (top / "COVERAGE.md").write_text(text.replace("- [x]", "- [ ]"))
        self.script("test/base/a_test", "printf '1..1\\nok 1 - test_a\\n'")
        self.script("replay/base-b", 'printf "1..1\\nok 1 - $1\\n"')
        for name in ("src/base/a_test.c", "src/base/b_fuzz.c"):
            self.write(name, "")
        self.write("test/test_x.py", "def test_x():\n    pass\n")

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def script(self, name, text):
        self.write(self.build / name, f"#!/bin/sh\n{text}\n").chmod(0o755)

    def check(self):
        """(exit status, lines)."""
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("PYTEST", "CI"))}
        status, out, err = run(self.top / "tools" / "check", self.build,
                               env=env)
        return status, out.splitlines()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_check_counts_everything(project):
    status, lines = project.check()
    assert lines[-1] == "5 passed, 0 failed, 0 skipped"
    assert status == 0


def test_check_tells_failures_and_skips(project):
    project.script("test/base/a_test",
                   "printf '1..2\\nnot ok 1 - test_a\\nok 2 - test_b\\n'")
    project.write("test/test_x.py", "import pytest\n\ndef test_x():\n"
                  "    pytest.skip('no dog')\n\n\ndef test_z():\n"
                  "    assert False\n")
    status, lines = project.check()
    assert status == 1
    assert lines[-1] == "4 passed, 2 failed, 1 skipped"
    assert any(x.startswith("skipped: test/test_x.py::test_x: ")
               and "no dog" in x for x in lines)
    assert "failed: base/a_test:test_a" in lines


@pytest.mark.parametrize("script,told", [
    ("printf '1..1\\nok 1 - test_a\\n'; exit 99", "exit status 99"),
    ("printf '1..2\\nok 1 - test_a\\n'", "1 of 2 tests were run"),
    ("exit 0", "no plan"),
    ("printf '1..1\\nok 1 - test_a\\n'; kill -SEGV $$", "exit status 139"),
])
def test_check_sees_a_bad_end(project, script, told):
    project.script("test/base/a_test", script)
    status, lines = project.check()
    assert status == 1
    assert any(x.startswith("failed: base/a_test: ") and told in x
               for x in lines)


def test_check_misses_what_is_not_built(project):
    (project.build / "test/base/a_test").unlink()
    status, lines = project.check()
    assert status == 1
    assert "failed: base/a_test: is not built" in lines


def test_check_ends_what_is_left_running(project):
    mark = project.top / "pid"
    project.script("test/base/a_test",
                   f"setsid sleep 300 >/dev/null 2>&1 & echo $! > {mark}\n"
                   "printf '1..1\\nok 1 - test_a\\n'")
    status, lines = project.check()
    assert status == 1
    assert any("left running: sleep 300" in x for x in lines)
    assert not pathlib.Path("/proc", mark.read_text().strip()).exists()


def test_check_heeds_the_manuals_list(project):
    text = (project.top / "COVERAGE.md").read_text("utf-8")
    (project.top / "COVERAGE.md").write_text(
        text.replace("- [ ] C1 ", "- [x] C1 "))
    status, lines = project.check()
    assert status == 1
    assert "failed: coverage: COVERAGE.md does not hold" in lines


@pytest.mark.parametrize("strict,status", [(False, 0), (True, 1)])
def test_skip_is_a_failure_where_all_is_there(capsys, strict, status):
    results, check = load("results.py"), load("check")
    found = [results.Result("a", "passed"),
             results.Result("b", "skipped", "no dog")]
    assert check.summary(found, strict) == status
    assert capsys.readouterr().out.endswith(
        "1 passed, 0 failed, 1 skipped\n")


# ---- setup and install ----------------------------------------------------


def fake(folder, name, text):
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """Runs tools/setup where gcc is installed, and maildrop after apt."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    listed = tmp_path / "packages.txt"
    listed.write_text("# build\ngcc\n\nmaildrop # a peer\n")
    fake(bin_dir, "dpkg-query", 'case "$4" in gcc) printf installed;; '
         "*) exit 1;; esac\n")
    fake(bin_dir, "apt-get", f'echo "$@" >> {tmp_path}/apt\n')

    def setup(uid, listed=listed):
        fake(bin_dir, "id", f"echo {uid}\n")
        env = dict(os.environ, PATH=f"{bin_dir}:/usr/bin:/bin",
                   POLICY_RC_D=str(tmp_path / "policy-rc.d"))
        status, out, err = run(TOOLS / "setup", listed, env=env)
        apt = tmp_path / "apt"
        return status, err, apt.read_text() if apt.exists() else ""

    return setup


def test_setup_installs_as_root(machine):
    status, _, apt = machine(0)
    assert status == 0
    assert apt == "install -y --no-install-recommends maildrop\n"


def test_setup_wants_some_only_where_a_command_lacks(machine, tmp_path):
    listed = tmp_path / "some.txt"
    listed.write_text("coreutils/ls\nodd/no-such-command\n")
    assert machine(0, listed)[2].endswith(" odd\n")


def test_setup_lets_no_service_start(machine, tmp_path):
    policy = tmp_path / "policy-rc.d"
    fake(tmp_path / "bin", "apt-get", f'{policy} >> {tmp_path}/seen; '
         f'echo $? >> {tmp_path}/seen\n')
    assert machine(0)[0] == 0
    assert (tmp_path / "seen").read_text() == "101\n"
    assert not policy.exists()


def test_setup_keeps_the_policy_that_is_there(machine, tmp_path):
    fake(tmp_path, "policy-rc.d", "exit 0\n")
    assert machine(0)[0] == 0
    assert (tmp_path / "policy-rc.d").read_text() == "#!/bin/sh\nexit 0\n"


def test_failed_setup_takes_its_policy_back(machine, tmp_path):
    fake(tmp_path / "bin", "apt-get", "exit 100\n")
    assert machine(0)[0] == 100
    assert not (tmp_path / "policy-rc.d").exists()


def test_setup_prints_the_command_to_others(machine):
    status, told, apt = machine(1000)
    assert (status, apt) == (1, "")
    assert "apt-get install -y --no-install-recommends maildrop" in told


def test_setup_does_nothing_when_all_is_there(machine, tmp_path):
    listed = tmp_path / "few.txt"
    listed.write_text("gcc\n")
    assert machine(1000, listed) == (0, "", "")


def install(tmp_path, prefix="/usr"):
    source = tmp_path / "bin"
    source.mkdir(exist_ok=True)
    for name in ("smtp", "sm", "submit"):
        fake(source, name, "exit 0\n")
    return run(TOOLS / "install", source, tmp_path / "dest", prefix,
               "smtp sm", "submit")


@pytest.mark.parametrize("prefix", ["/usr", "/opt/with space"])
def test_install_puts_things_in_place(tmp_path, prefix):
    assert install(tmp_path, prefix)[0] == 0
    dest = tmp_path / "dest"
    top = pathlib.Path(str(dest) + prefix)
    for name in ("lib/zmailer/ta/smtp", "lib/zmailer/ta/sm", "sbin/submit"):
        assert os.access(top / name, os.X_OK)
    for page in (ROOT / "man").glob("*.[1-9]"):
        folder = top / "share" / "man" / ("man" + page.suffix[1:])
        assert (folder / page.name).read_bytes() == page.read_bytes()
    for name in ("sbin/sendmail", "lib/sendmail", "bin/newaliases"):
        assert (top / name).resolve() == (top / "sbin/submit").resolve()
    for name in ("man8/sendmail.8", "man1/newaliases.1"):
        assert (top / "share/man" / name).is_file()
    unit = (top / "lib/systemd/system/zpost-submit.service").read_text()
    assert f"\nExecStart={prefix}/sbin/submit --serve\n" in unit
    for name in ("sysusers.d", "tmpfiles.d"):
        assert (top / "lib" / name / "zpost.conf").is_file()
    assert (dest / "etc/logrotate.d/zpost").is_file()
    limit = (top / "lib/sysctl.d/60-zpost.conf").read_text()
    assert "\nkernel.pid_max = 999999\n" in limit
    for folder in (dest / "etc/zmailer", top / "share/doc/zpost"):
        text = (folder / "zmailer.conf").read_text()
        assert f"\nMAILBIN={prefix}/lib/zmailer\n" in text
        assert (folder / "sm.conf").is_file()


def test_install_keeps_a_configuration(tmp_path):
    conf = tmp_path / "dest/etc/zmailer/zmailer.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("POSTOFFICE=/mine\n")
    assert install(tmp_path)[0] == 0
    assert conf.read_text() == "POSTOFFICE=/mine\n"
    assert (conf.parent / "sm.conf").is_file()


def test_install_fails_when_a_program_is_missing(tmp_path):
    install(tmp_path)
    (tmp_path / "bin" / "sm").unlink()
    status, _, err = run(TOOLS / "install", tmp_path / "bin",
                         tmp_path / "dest", "/usr", "smtp sm", "submit")
    assert status != 0 and "sm" in err

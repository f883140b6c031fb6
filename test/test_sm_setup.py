"""
sm: options, configuration files, and what is said before the first job.
"""

import os
import re

import pytest

from mailers import Mailers
from zpost import ROOT, program


@pytest.fixture
def box(office):
    box = Mailers(office)
    box.conf("rec n {rec} rec $u\n")
    return box


def start(box, *args, mailer="rec"):
    """Starts sm, gives its lines up to the first "#hungry", and ends it."""
    with box.sm(mailer, *args) as agent:
        out = agent.hungry()
        assert agent.stop() == 0
    return [c for c in out.comments if "run as root" not in c]


# ---- options ---------------------------------------------------------------


@pytest.mark.parametrize("args", [
    [], ["rec"], ["-c", "local"], ["-c", "local", "rec", "more"],
    ["-c"], ["-h"], ["-z", "-c", "local", "rec"], ["-8"],
    ["-c", "local", "-f"], ["-c", "local", "-O"],
])
def test_usage_errors(box, args):
    done = box.office.run("sm", *args)
    assert done.returncode == 64 and done.stdout == b""
    assert b"# usage: sm [-8HQVv]" in done.stderr
    assert all(x.startswith(b"#") for x in done.stderr.splitlines())


@pytest.mark.parametrize("value,said", [
    ("nonsense=1", "-O nonsense: unknown key"),
    ("timeout=soon", "-O timeout=soon: expected an interval"),
    ("sync=perhaps", "-O sync=perhaps: expected always or auto"),
])
def test_own_options_are_named_in_errors(box, value, said):
    for args in (["-O", value], ["-O" + value]):
        done = box.office.run("sm", *args, "-c", "local", "rec")
        assert done.returncode == 64
        assert said in done.stderr.decode()


def test_version(box):
    done = box.office.run("sm", "-V")
    assert done.returncode == 0 and done.stdout == b""
    assert re.fullmatch(rb"sm \(Zpost\) \d+\.\d+\.\d+\n", done.stderr)


@pytest.mark.parametrize("args", [
    ["-8"], ["-H"], ["-Q"], ["-8HQ"], ["-w", "78"], ["-8Hw72"], ["-v"],
    ["-O", "sync=always"], ["-Otimeout=5m"], ["-O", "sync=auto", "-8"]])
def test_options_alone_and_bundled(box, args):
    assert start(box, *args) == []


@pytest.mark.parametrize("args", [
    ["-c", "local"], ["-h", "-"], ["-c", "local", "-h", "-"], ["-8clocal"]])
def test_channel_or_host_or_both(box, args):
    job = box.office.post(["bob"], channel="local", host="-")
    with box.office.agent("sm", *args, "rec") as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"
        assert agent.stop() == 0


def test_verbose_tells_everything_but_the_body(box):
    job = box.office.post(["bob"], channel="local", header=b"Subject: hi\n",
                          body=b"secret\n")
    with box.sm("rec", "-v") as agent:
        agent.hungry()
        out = agent.run(job)
    assert any(re.search(r'To run UID=\d+ GID=\d+ PATH=\S+ ARGV\[\] = '
                         r'"rec" "bob"$', c) for c in out.comments)
    assert any(c.endswith("> Subject: hi") for c in out.comments)
    assert "secret" not in out.text


# ---- configuration ---------------------------------------------------------


def refused(box, *args, mailer="rec"):
    """sm must leave with 72 and one line, before any "#hungry"."""
    done = box.office.run("sm", *args, "-c", "local", mailer)
    assert done.returncode == 72 and done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("# sm: ")
    return lines[0][6:]


def test_missing_configuration(box):
    path = box.office.share / "sm.conf"
    path.unlink()
    assert refused(box) == f"cannot open {path}: No such file or directory"
    assert refused(box, "-f", "/nowhere/sm.conf") == \
        "cannot open /nowhere/sm.conf: No such file or directory"


def test_unknown_mailer(box):
    path = box.conf("other - /bin/true true\n rec - /bin/true true\n")
    assert refused(box) == f"mailer 'rec' not found in {path}"


@pytest.mark.parametrize("entry,said", [
    ("rec", "no flags"), ("rec -", "no path of the program"),
    ("rec - /bin/true", "no argv[0]"),
    ("rec - ${NOWHERE}/x x", "path '${NOWHERE}/x'"),
    ("rec - ${MAILBIN x", "path '${MAILBIN'"),
    ("rec - /bin/true true ${MAILBIN", "\"${\" without \"}\""),
    ("rec - /bin/true true \0", "a NUL in the line"),
])
def test_bad_entries_are_named_with_file_and_line(box, entry, said):
    path = box.conf("# comment\n\n" + entry + "\n")
    text = refused(box)
    assert text.startswith(f"{path}:3: mailer 'rec': ") and said in text


def test_configuration_file_can_be_named(box):
    other = box.office.base / "other.conf"
    other.write_text(f"rec n {box.rec} rec other $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("rec", "-f", other) as agent:
        agent.hungry()
        agent.run(job)
    assert box.run.args[1:] == ["other", "bob"]


def test_old_name_of_the_configuration_is_found(box):
    path = box.conf("rec n {rec} rec old $u\n")
    path.rename(path.with_suffix(".cf"))
    job = box.office.post(["bob"], channel="local")
    with box.sm("rec") as agent:
        agent.hungry()
        agent.run(job)
    assert box.run.args[1:] == ["old", "bob"]
    # but never beside the new one
    path.write_text("other - /bin/true true\n")
    assert refused(box) == f"mailer 'rec' not found in {path}"


def test_flags_without_sense_are_complained_about(box):
    box.conf("rec nAlN0s {rec} rec $u\n")
    assert start(box) == [
        "# sm: the 'A' sendmail mailer option does not make sense in this "
        "environment",
        "# sm: the 'l' sendmail mailer option does not make sense in this "
        "environment",
        "# sm: unknown sendmail mailer option 'N'"]


def test_running_as_root_is_warned_about(box):
    with box.sm("rec") as agent:
        said = agent.hungry().comments
    assert ("# sm: mailer 'rec' is run as root" in said) == \
        (os.getuid() == 0)


def test_zconfig_names_the_variables(box):
    box.office.set_zenv(THERE=box.rec, WORD='"two words"')
    box.conf("rec n ${THERE} rec ${WORD} $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("rec") as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"
    assert box.run.args[1:] == ["two words", "bob"]


def test_variables_are_not_taken_from_the_environment(box):
    box.conf("rec n {rec} rec [${SECRET}] $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("rec", env={"SECRET": "x"}) as agent:
        agent.hungry()
        agent.run(job)
    assert box.run.args[1:] == ["[]", "bob"]


def test_unreadable_zconfig_is_warned_about(box):
    conf = box.office.share / "sm.conf"
    with box.sm("rec", "-f", conf,
                env={"ZCONFIG": "/nowhere/zmailer.conf"}) as agent:
        said = agent.hungry().comments
        assert agent.stop() == 0
    assert "# sm: /nowhere/zmailer.conf: No such file or directory" in said


def test_closed_standard_descriptors_harm_no_control_file(box):
    job = box.office.post(["bob"], channel="local")
    path = box.office.script(
        "closed", "#!/bin/sh\nexec \"$@\" >&- 2>&-\n")
    done = box.office.run(str(path), str(program("sm")), "-c", "local",
                          "rec", input=f"{job}\n\n")
    assert done.returncode == 0
    assert job.marks == "+" and job.only_marks_changed()
    assert job.appended == b""


# ---- the manuals -----------------------------------------------------------

SOURCE, MANUALS = ROOT / "src" / "smta", ROOT / "man"


def described(page):
    """What the tagged lists of a manual have as tags."""
    tags = re.findall(r"^\.It (?:Cm|Fl) (.*)$",
                      (MANUALS / page).read_text(), re.MULTILINE)
    return [t.split()[0].removeprefix(r"\&") for t in tags]


def test_every_flag_is_in_the_manual():
    rows = re.findall(r"\{ '(.)', FLAG_(\w+),", (SOURCE / "flags.c")
                      .read_text())
    assert len(rows) > 60
    text = (MANUALS / "sm.conf.5").read_text()
    used = [x for x, kind in rows if kind == "USED"]
    assert sorted(used) == sorted(described("sm.conf.5"))
    for kind, begin in (("SENSELESS", "The letters\n.Cm "),
                        ("SILENT", "ignored.\n.Cm ")):
        line = text.split(begin, 1)[1].split("\n", 1)[0]
        listed = line.replace(r"\&", "").split()
        assert listed == sorted(listed, key=listed.index)
        assert sorted(listed) == sorted(x for x, k in rows if k == kind)


def test_every_own_option_is_in_the_manual():
    table = (SOURCE / "options.c").read_text().split("own_keys[] = {")[1]
    keys = re.findall(r'^\t\{ "([\w-]+)"', table, re.MULTILINE)
    assert keys
    manual = (MANUALS / "sm.8").read_text()
    listed = manual.split(".Fl O\nare:", 1)[1].split(".El", 1)[0]
    assert re.findall(r"^\.It Cm (\S+)", listed, re.MULTILINE) == keys


def test_every_option_is_in_the_manual():
    letters = re.search(r'getopt\(argc, argv, "([^"]+)"',
                        (ROOT / "src/prog/sm.c").read_text())[1]
    assert sorted(x for x in letters if x != ":") == sorted(
        x for x in described("sm.8") if len(x) == 1)


def literal_blocks(page):
    return re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed",
                      (MANUALS / page).read_text(), re.DOTALL | re.MULTILINE)


def test_examples_of_sm_conf_are_good(box):
    (text,) = literal_blocks("sm.conf.5")
    path = box.conf("")
    path.write_text(text)
    mailers = [line.split()[0] for line in text.splitlines()]
    assert {"local", "prog", "tty", "uucp", "usenet", "ean", "test",
            "smsgw"} <= set(mailers)
    for mailer in mailers:
        said = start(box, mailer=mailer)
        expected = ["# sm: mailer 'prog' runs recipients' addresses as "
                    "commands"] if mailer == "prog" else []
        assert said == expected


def test_example_of_zmailer_conf_is_good(box):
    (text,) = literal_blocks("zmailer.conf.5")
    box.office.zconfig.write_text(text)
    box.conf("rec n {rec} rec ${SMSGATEWAY} ${LOGDIR} $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("rec", "-f", box.office.share / "sm.conf") as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"
    assert box.run.args[1:] == ["/usr/lib/zmailer/sms-gw",
                                "/var/log/zmailer", "bob"]


def test_example_of_a_scheduler_clause_is_good(box):
    clause, *_ = literal_blocks("sm.8")
    words = re.search(r'command="([^"]+)"', clause)[1].split()
    channel = clause.split("/")[0]
    box.conf("uucp n {rec} rec $u\n")
    job = box.office.post(["bob"], channel=channel)
    with box.office.agent(*[channel if w == "$channel" else w
                            for w in words]) as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"

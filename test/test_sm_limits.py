"""
sm: limits of a mailer by -O, its environment, and the loop guard.

Everything lies where other users can read it, since mailers become them.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest

import zpost
from mailers import Mailers
from zpost import ROOT, Rcpt, program, wait_for

HEADER = b"From: alice@example.net\nSubject: hi\n"
NOBODY = ("-O", "user=54321", "-O", "group=54322")  # nobody has these
IS_ROOT = os.getuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
# Each is an exit status of 0 if this kernel has it.
PROBE = "import ctypes, os\nlibc = ctypes.CDLL(None)\n"
HAS_LANDLOCK = PROBE + "os._exit(libc.syscall(444, None, 0, 1) < 1)"
HAS_NAMESPACES = PROBE + """
if os.getuid() == 0: os.setresuid(54321, 54321, 54321)
os._exit(libc.unshare(0x50000000) != 0)         # CLONE_NEWUSER, _NEWNET
"""
HOST = os.uname().nodename


@pytest.fixture
def box():
    base = pathlib.Path(tempfile.mkdtemp(prefix="sm-limits-"))
    base.chmod(0o755)
    with zpost.Postoffice(base) as office:
        office.set_zenv(RFC822TABS="1")
        yield Mailers(office)
    shutil.rmtree(base)


def has(probe):
    return subprocess.run([sys.executable, "-c", probe]).returncode == 0


needs_landlock = pytest.mark.skipif(not has(HAS_LANDLOCK),
                                    reason="no Landlock in this kernel")
needs_namespaces = pytest.mark.skipif(not has(HAS_NAMESPACES),
                                      reason="no user namespaces here")


def own(*keys):
    """-O for each."""
    return [word for key in keys for word in ("-O", key)]


def deliver(box, script, *options, flags="n", rcpts=("bob",), env=None,
            **post):
    """One message into a shell script, which reads it first."""
    path = box.office.script("mailer", "#!/bin/sh\ncat >/dev/null\n" + script)
    box.conf(f"m {flags} {path} mailer $u\n")
    job = box.office.post(rcpts, channel="local", **post)
    with box.sm("m", *options, env=env) as agent:
        agent.hungry()
        out = agent.run(job)
        assert agent.stop() == 0
    return out, job


def said(box, script, *options, **how):
    """What the script prints, in one line."""
    out, _ = deliver(box, script, *options, **how)
    assert {r.status for r in out.reports} == {"ok3"}, out.text
    return out.reports[0].message


def refused(box, *options, sm="sm", wrapper=(), env=None):
    """sm must not start, with one line that says why: the line."""
    box.conf("m n /bin/true true $u\n")
    done = subprocess.run(
        [*wrapper, str(program(sm) if sm == "sm" else sm), *options,
         "-c", "local", "m"], stdin=subprocess.DEVNULL, capture_output=True,
        env=box.office.environment(env), cwd=box.office.transport,
        timeout=zpost.DEADLINE)
    assert done.stdout == b""
    lines = [x for x in done.stderr.decode().splitlines()
             if "is run as root" not in x and "# usage" not in x
             and not x.startswith("#    ")]
    assert len(lines) == 1 and lines[0].startswith("# sm: "), lines
    return done.returncode, lines[0].removeprefix("# sm: ")


# ---- each limit ------------------------------------------------------------


@pytest.mark.parametrize("option,script,want", [
    ("cpu=20", "echo $(ulimit -St) $(ulimit -Ht)", "20 21"),
    ("directory=/usr", "pwd", "/usr"),
    ("file-size=1M", "ulimit -f", "2048"),
    ("memory=100M", "ulimit -v", "102400"),
    ("nice=5", "nice", "5"),
    ("no-new-privileges", "grep NoNewPrivs /proc/self/status",
     "NoNewPrivs: 1"),
    ("umask=027", "umask", "0027"),
])
def test_limit_is_in_force(box, option, script, want):
    assert said(box, script) != want
    assert said(box, script, "-O", option) == want
    assert said(box, script, "-O" + option) == want


def test_memory_over_the_limit_cannot_be_had(box):
    script = ("dd if=/dev/zero of=/dev/null bs=300M count=1 2>/dev/null "
              "&& echo had")
    assert said(box, script) == "had"
    out, _ = deliver(box, script, "-O", "memory=200M")
    assert out.report.status == "deferred"


def test_processor_time_over_the_limit_ends_the_mailer(box):
    out, job = deliver(box, "ulimit -c 0; while :; do :; done", "-O", "cpu=1")
    assert out.report.status == "deferred"
    assert out.report.message == "[signal 24]"
    assert job.marks == " "


def test_file_over_the_limit_ends_the_mailer(box):
    file = box.office.base / "file"
    out, _ = deliver(box, "ulimit -c 0; exec dd if=/dev/zero bs=1k count=20 "
                     f"of={file} 2>/dev/null", "-O", "file-size=10K")
    assert out.report.message == "[signal 25]"
    assert file.stat().st_size == 10240


@needs_root
def test_processes_are_limited(box):
    # the shell counts too
    script = "set +e; (sleep 0.1 & /bin/true) 2>/dev/null && echo forked"
    assert said(box, script, *NOBODY, "-O", "processes=1000") == "forked"
    out, _ = deliver(box, script, *NOBODY, "-O", "processes=1")
    assert out.report.status == "deferred"


@needs_root
@pytest.mark.parametrize("keys,want", [
    ([], "0 0 0 0/0 0 0 0/3 4 77"),
    (["user=54321", "group=54322"],
     "54321 54321 54321 54321/54322 54322 54322 54322/"),
    (["group=54322"], "0 0 0 0/54322 54322 54322 54322/"),
    (["user=daemon"], "1 1 1 1/1 1 1 1/1"),
    (["user=daemon", "group=mail"], "1 1 1 1/8 8 8 8/8"),
])
@pytest.mark.parametrize("flags", ["n", "nS"])
def test_ids_of_the_mailer(box, keys, want, flags):
    box.conf(f"m {flags} /bin/cat cat /proc/self/status\n")
    job = box.office.post(["bob"], channel="local")
    groups = [sys.executable, "-c",
              "import os, sys\nos.setgroups([3, 4, 77])\n"
              "os.execv(sys.argv[1], sys.argv[1:])"]
    with box.sm("m", *own(*keys), wrapper=groups) as agent:
        warnings = agent.hungry().comments
        out = agent.run(job)
    seen = re.findall(r"(?:Uid|Gid|Groups):([ \d]*)", out.text)
    assert "/".join(s.strip() for s in seen) == want
    assert ("# sm: mailer 'm' is run as root" in warnings) == \
        (not any(k.startswith("user") for k in keys))


def connects(box, *options):
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = ("import socket\n"
                  "try: socket.create_connection(('127.0.0.1', "
                  f"{server.getsockname()[1]}), 10)\n"
                  "except OSError as e: print(e.strerror)\n"
                  "else: print('connected')\n")
        path = box.office.base / "connect.py"
        path.write_text(script)
        return said(box, f"exec {sys.executable} {path}", *options)


@needs_namespaces
def test_network_is_gone(box):
    assert connects(box) == "connected"
    assert connects(box, "-O", "no-new-privileges", "-O", "no-network") == \
        "Network is unreachable"
    if IS_ROOT:
        assert connects(box, "-O", "no-network", *NOBODY) == \
            "Network is unreachable"


@needs_landlock
def test_nothing_can_be_written(box):
    open_dir = box.office.base / "open"
    open_dir.mkdir()
    open_dir.chmod(0o777)
    script = (f"(echo >>{open_dir}/x) 2>/dev/null && echo wrote || "
              "echo \"could not\"; echo to nothing >/dev/null")
    fence = own("no-new-privileges", "read-only")
    assert said(box, script) == "wrote"
    assert said(box, script, *fence) == "could not"
    assert said(box, script, *fence, "-O", "read-write=/proc") == "could not"
    assert said(box, script, *fence, "-O", f"read-write={open_dir}") == \
        "wrote"
    # read-write alone forbids the rest as well
    assert said(box, script, *own("no-new-privileges", "read-write=/proc")) \
        == "could not"
    if IS_ROOT:
        assert said(box, script, *own("read-only")) == "could not"
        assert said(box, script, *NOBODY, *own("read-only")) == "could not"


@needs_landlock
@needs_namespaces
def test_all_limits_together(box):
    tmp = box.office.base / "tmp"
    tmp.mkdir()
    tmp.chmod(0o777)
    options = own("cpu=10", f"directory={tmp}", "file-size=1M", "memory=200M",
                  "nice=3", "no-network", "no-new-privileges", "umask=077",
                  f"read-write={tmp}", "timeout=1m", "sync=always")
    if IS_ROOT:
        options += [*NOBODY, *own("processes=50")]
    seen = said(box, "echo x >file; echo $(stat -c %a file) $(nice) $(pwd) "
                "$(id -u)", *options)
    assert seen == f"600 3 {tmp} {54321 if IS_ROOT else os.getuid()}"


def test_message_and_output_are_whole_under_limits(box):
    box.conf("m n {rec} rec $u\n")
    box.tell(say=b"first\nsecond\n", early=b"early\n")
    body = b"line %d\n" * 50000
    job = box.office.post(["bob"], channel="local", header=HEADER, body=body)
    with box.sm("m", "-O", "cpu=60") as agent:
        agent.hungry()
        out = agent.run(job)
    assert box.run.input == HEADER + b"\n" + body
    assert out.report.message == "early"
    assert [c.rsplit(": ", 1)[1] for c in out.comments
            if ": m: " in c] == ["first", "second"]


@pytest.mark.parametrize("options", [[], own("cpu=60")])
def test_time_out_ends_the_whole_group(box, options):
    pids = box.office.base / "pids"
    script = ("trap '' TERM; (trap '' TERM; sleep 300; sleep 300) & "
              f"sleep 300 & echo $$ $! >{pids}.part; "
              f"mv {pids}.part {pids}; while :; do wait; done")
    begin = time.monotonic()
    out, _ = deliver(box, script, "-O", "timeout=1", *options)
    assert out.report.status == "deferred"
    assert out.report.message == "[timed out and killed]"
    assert 1 <= time.monotonic() - begin < 15
    group, member = map(int, pids.read_text().split())

    def is_gone(pid):
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return True
        return state.rpartition(")")[2].split()[0] == "Z"

    wait_for(lambda: is_gone(group) and is_gone(member), "the group's end")


def test_program_that_cannot_be_executed_is_told_with_its_reason(box):
    job = box.office.post(["bob"], channel="local")
    for options in [], own("nice=3"):
        box.conf("m n /nonexistent/program program $u\n")
        with box.sm("m", *options) as agent:
            agent.hungry()
            out = agent.run(job)
        assert out.report.status == "deferred"
        assert out.report.message == ("cannot execute /nonexistent/program: "
                                      "No such file or directory")
        assert out.report.notary.code == "4.3.5"


def test_arguments_that_are_too_many_are_split_under_limits(box):
    users = [f"{i:03}" + "x" * 60000 for i in range(50)]
    box.conf("m nm {rec} rec $u\n")
    job = box.office.post(users, channel="local")
    with box.sm("m", "-O", "nice=3") as agent:
        agent.hungry()
        out = agent.run(job)
    assert set(out.statuses) == {"ok3"} and len(out.statuses) == 50
    assert sum((r.args[1:] for r in box.runs), []) == users
    assert 1 < len(box.runs) < 10


def test_limit_that_cannot_be_set_later_defers(box):
    folder = box.office.base / "comes-and-goes"
    folder.mkdir()
    path = box.office.script("mailer", "#!/bin/sh\ncat >/dev/null\npwd\n")
    box.conf(f"m n {path} mailer $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.sm("m", "-O", f"directory={folder}") as agent:
        agent.hungry()
        folder.rmdir()
        out = agent.run(job)
        assert out.report.status == "deferred"
        assert out.report.message == (f"directory={folder}: No such file or "
                                      "directory")
        assert out.report.notary.status == "4.3.5 (limits could not be set)"
        folder.mkdir()
        assert agent.run(job).report.message == str(folder)


def test_verbose_tells_the_limits(box):
    out, _ = deliver(box, "", "-v", *own("nice=3", "cpu=9"))
    (line,) = [c for c in out.comments if "To run " in c]
    assert line.endswith('ARGV[] = "mailer" "bob" LIMITS = nice=3 cpu=9')


# ---- what cannot be had ----------------------------------------------------


@pytest.mark.parametrize("option,why", [
    ("directory=/nonexistent",
     "directory=/nonexistent: No such file or directory"),
    ("directory=/etc/passwd", "directory=/etc/passwd: Not a directory"),
    pytest.param("read-write=/nonexistent", "read-write=/nonexistent: No "
                 "such file or directory", marks=needs_landlock),
    pytest.param("user=no-such-user", "user=no-such-user: there is no such "
                 "user", marks=needs_root),
    pytest.param("group=no-such-group", "group=no-such-group: there is no "
                 "such group", marks=needs_root),
    pytest.param("user=54321", "user=54321: nobody has this number, so that "
                 "a group must be given too", marks=needs_root),
    pytest.param("processes=5", "processes: this user is not held to the "
                 "limit; another user must be given too", marks=needs_root),
])
def test_what_cannot_be_had_is_told_at_start(box, option, why):
    extra = own("no-new-privileges")
    assert refused(box, "-O", option, *extra) == (72, "zlaunch: " + why)


@pytest.mark.parametrize("option,why", [
    ("user=nobody", "user: only root can set it"),
    ("group=mail", "group: only root can set it"),
    ("no-network", "no-network: needs root, or no-new-privileges too: "
     "Operation not permitted"),
    pytest.param("read-only", "read-only: needs root, or no-new-privileges "
                 "too: Operation not permitted", marks=needs_landlock),
    ("nice=-1", "nice: Permission denied"),
])
@needs_root
def test_what_needs_root_is_told_at_start(box, option, why):
    for name in ("sm", "zlaunch"):
        shutil.copy(program(name), box.office.base)
    as_nobody = [sys.executable, "-c",
                 "import os, sys\nos.setgroups([])\n"
                 "os.setresgid(65534, 65534, 65534)\n"
                 "os.setresuid(65534, 65534, 65534)\n"
                 "os.execv(sys.argv[1], sys.argv[1:])"]
    sm = str(box.office.base / "sm")
    assert refused(box, "-O", option, sm=sm, wrapper=as_nobody) == \
        (72, "zlaunch: " + why)


@pytest.mark.parametrize("option,why", [
    ("cpu=0", "-O cpu=0: expected a number of seconds from 1"),
    ("memory=1g", "-O memory=1g: expected a number of bytes, such as 500M"),
    ("umask=888", "-O umask=888: expected an octal number up to 777"),
    ("directory=here", "-O directory=here: expected an absolute path"),
    ("no-network=yes", "-O no-network=yes: expected no value"),
    ("loop-guard=yes", "-O loop-guard=yes: expected no value"),
    ("nice", "-O nice: expected a number from -20 to 19"),
    ("report=3", "-O report: unknown key"),
    ("environment=9=x", "-O environment=9=x: expected NAME=VALUE"),
    ("environment=A=$HOME", "-O environment=A: there is no ${HOME}"),
])
def test_malformed_values_are_usage_errors(box, option, why):
    assert refused(box, "-O", option) == (64, why)


WITHOUT = """
import ctypes, os, struct, sys
number, error = int(sys.argv[1]), int(sys.argv[2])
# load the number; is it this one? then the error, else allow
code = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number,
                   6, 0, 0, 0x50000 | error, 6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("@HP", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0          # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0    # PR_SET_SECCOMP
os.execv(sys.argv[3], sys.argv[3:])
"""
LANDLOCK_CREATE_RULESET, UNSHARE = 444, 272 if os.uname().machine == \
    "x86_64" else 97


@pytest.mark.parametrize("call,error,option,why", [
    (LANDLOCK_CREATE_RULESET, 38, "read-only", "read-only: Landlock is not "
     "there, or not enabled, in this kernel: Function not implemented"),
    (LANDLOCK_CREATE_RULESET, 95, "read-write=/tmp", "read-only: Landlock is "
     "not there, or not enabled, in this kernel: Operation not supported"),
    (UNSHARE, 22, "no-network", "no-network: Invalid argument"),
], ids=["no-landlock", "landlock-disabled", "no-namespaces"])
def test_what_the_kernel_lacks_is_told_at_start(box, call, error, option, why):
    kernel = [sys.executable, "-c", WITHOUT, str(call), str(error)]
    assert refused(box, *own("no-new-privileges", option),
                   wrapper=kernel) == (72, "zlaunch: " + why)


@needs_landlock
def test_old_landlock_is_used_with_a_warning(box, need):
    """Version 2, as in Linux 6.1, does not know of truncating."""
    open_dir = box.office.base / "open"
    open_dir.mkdir()
    path = box.office.script(
        "mailer", f"#!/bin/sh\ncat >/dev/null\n(>{open_dir}/x) 2>/dev/null "
        "&& echo wrote || echo could not\n")
    box.conf(f"m n {path} mailer $u\n")
    job = box.office.post(["bob"], channel="local")
    # the first call of each process asks for the version
    old = [need("strace"), "-f", "-qq", "-o", "/dev/null",
           "-e", "trace=landlock_create_ruleset",
           "-e", "inject=landlock_create_ruleset:retval=2:when=1"]
    options = os.environ.get("ASAN_OPTIONS", "")
    with box.sm("m", *own("no-new-privileges", "read-only"), wrapper=old,
                env={"ASAN_OPTIONS": f"{options}:detect_leaks=0"}) as agent:
        assert ("# sm: zlaunch: read-only: this kernel cannot forbid to "
                "truncate files (Linux 6.2 can)") in agent.hungry().comments
        assert agent.run(job).report.message == "could not"


# ---- zlaunch ---------------------------------------------------------------


def test_zlaunch_is_needed_only_for_limits(box):
    """An sm without zlaunch beside it."""
    sm = shutil.copy(program("sm"), box.office.base)
    box.conf("m n {rec} rec $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.office.agent(sm, "-c", "local", *own(
            "timeout=1m", "sync=always", "loop-guard", "environment=A=1"),
            "m") as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"
    code, why = refused(box, "-O", "cpu=3", sm=sm)
    assert code == 72
    assert why == (f"limits: cannot execute {box.office.base}/zlaunch: No "
                   "such file or directory")


def test_zlaunch_lies_beside_the_program_itself(box):
    link = box.office.base / "elsewhere" / "agent"
    link.parent.mkdir()
    link.symlink_to(program("sm"))
    path = box.office.script("mailer", "#!/bin/sh\ncat >/dev/null\nnice\n")
    box.conf(f"m n {path} mailer $u\n")
    job = box.office.post(["bob"], channel="local")
    with box.office.agent(str(link), "-c", "local", "-O", "nice=4", "m",
                          env={"PATH": "/nowhere"}) as agent:
        agent.hungry()
        assert agent.run(job).report.status != "ok3"     # no PATH: no cat
    with box.office.agent(str(link), "-c", "local", "-O", "nice=4",
                          "m") as agent:
        agent.hungry()
        assert agent.run(job).report.message == "4"


def test_zlaunch_by_hand():
    zlaunch = str(program("zlaunch"))
    done = subprocess.run([zlaunch, "nice=3", "umask=077", "--", "/bin/sh",
                           "sh", "-c", "nice; umask; exit 7"],
                          capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (
        7, b"3\n0077\n", b"")
    done = subprocess.run([zlaunch, "nice=3", "--check"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = subprocess.run([zlaunch, "directory=/x", "--check"],
                          capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"zlaunch: directory=/x: No such file or directory\n"


# ---- environment -----------------------------------------------------------


def variables(box, *settings, names="A", **how):
    script = "".join(f'printf "%s|" "${n}"\n' for n in names)
    return said(box, script, *own(*(f"environment={s}" for s in settings)),
                **how).split("|")[:-1]


def test_variables_are_set(box):
    seen = variables(
        box, "A=$SENDER", "B=<${RECIPIENT}>", "C=$ORIGINAL_RECIPIENT",
        "D=$ENVID", "E=a b $$ c", "F=", names="ABCDEF", sender="s@example.net",
        envid="QQ+2B1", rcpts=[Rcpt("bob@x", notify="ORCPT=rfc822;B@y")])
    assert seen == ["s@example.net", "<bob@x>", "B@y", "QQ+1", "a b $ c", ""]


def test_variables_replace_inherited_ones(box):
    assert variables(box, "A=new", names="AB",
                     env={"A": "old", "B": "kept"}) == ["new", "kept"]
    assert variables(box, "A=1", "A=2") == ["2"]


def test_variables_come_with_limits_too(box):
    out, _ = deliver(box, 'echo "$A $(nice)"',
                     *own("environment=A=$RECIPIENT", "nice=3"))
    assert out.report.message == "bob 3"


def test_variables_of_the_empty_sender(box):
    assert variables(box, "A=$SENDER", "B=$ENVID", names="AB",
                     sender=None) == ["<>", ""]


def test_spool_id_is_that_of_the_message(box):
    for _ in range(2):
        out, job = deliver(box, 'echo "$A"', "-O", "environment=A=$SPOOLID")
        inode = os.stat(job.message).st_ino
        assert re.fullmatch(rf"S{inode}[A-Z][\w-]+", out.report.message)


def test_hostile_values_stay_in_their_variable(box):
    seen = variables(
        box, "A=$SENDER", "B=$ORIGINAL_RECIPIENT", "C=$ENVID", names="ABCX",
        sender='"`id`$(id)${B}$ENVID"@x', envid="a+0AX+3D1+09+00+1B",
        rcpts=[Rcpt("bob", notify="ORCPT=rfc822;+0D+0AX+3D1")])
    assert seen == ['"`id`$(id)${B}$ENVID"@x', "??X=1", "a?X=1 ??", ""]


def test_variable_of_a_recipient_serves_one_recipient_a_run(box):
    script = f'echo "$A $*" >>{box.office.base}/runs'
    runs = box.office.base / "runs"
    _, job = deliver(box, script, "-O", "environment=A=$SENDER", flags="nm",
                     rcpts=["bob", "carol"], sender="s@x")
    assert runs.read_text() == "s@x bob carol\n"
    runs.unlink()
    _, job = deliver(box, script, "-O", "environment=A=$RECIPIENT",
                     flags="nm", rcpts=["bob", "carol"])
    assert runs.read_text() == "bob bob\ncarol carol\n"
    assert job.marks == "++"


# ---- the loop guard --------------------------------------------------------


def guarded(box, rcpts, header, flags="n", *options):
    box.conf(f"m {flags} {{rec}} rec $u\n")
    job = box.office.post(rcpts, channel="local", header=header)
    with box.sm("m", "-O", "loop-guard", *options) as agent:
        agent.hungry()
        return agent.run(job), job


@pytest.mark.parametrize("flags,rcpts,want", [
    ("n", ["bob@x"], b"Delivered-To: bob@x\n"),
    ("n", ["Bob"], b"Delivered-To: Bob@%s\n" % HOST.encode()),
    ("nm", ["bob@x", "carol@x"],
     b"Delivered-To: bob@x\nDelivered-To: carol@x\n"),
    ("nP", ["bob@x"],
     b"Return-Path: <alice@example.net>\nDelivered-To: bob@x\n"),
])
def test_delivered_to_comes_first(box, flags, rcpts, want):
    guarded(box, rcpts, HEADER, flags)
    assert box.run.input == want + HEADER + b"\nHi.\n"


def test_message_that_came_back_is_refused(box):
    header = b"Received: by x; date\ndelivered-to: BOB@X\n" + HEADER
    out, job = guarded(box, ["bob@x", "carol@x"], header, "nm")
    assert out.of(job, 0).status == "error2"
    assert out.of(job, 0).message == ("mail forwarding loop: it was delivered "
                                      "to bob@x before")
    assert job.d_line(0).notary.code == "5.4.6"
    assert out.of(job, 1).status == "ok3"
    assert job.marks == "-+"
    assert box.run.args[1:] == ["carol@x"]
    assert box.run.input.startswith(b"Delivered-To: carol@x\n")


def test_message_goes_round_once(box):
    out, _ = guarded(box, ["bob@x"], HEADER)
    assert out.report.status == "ok3"
    header, _ = box.run.input.split(b"\n\n", 1)
    out, job = guarded(box, ["Bob@X"], header + b"\n")
    assert out.report.status == "error2" and job.marks == "-"
    assert len(box.runs) == 1


def test_without_the_guard_nothing_is_added_or_refused(box):
    header = b"Delivered-To: bob@x\n" + HEADER
    box.conf("m n {rec} rec $u\n")
    job = box.office.post(["bob@x"], channel="local", header=header)
    with box.sm("m") as agent:
        agent.hungry()
        assert agent.run(job).report.status == "ok3"
    assert box.run.input == header + b"\nHi.\n"


# ---- the manuals -----------------------------------------------------------


def test_every_word_of_zlaunch_is_in_its_manual():
    table = (ROOT / "src/proc/launch.c").read_text().split("} words[] = {")[1]
    words = re.findall(r'^\t\{ "([\w-]+)"', table.split("};")[0], re.MULTILINE)
    assert len(words) == 14
    manual = (ROOT / "man/zlaunch.8").read_text()
    assert re.findall(r"^\.It Cm (\S+)", manual, re.MULTILINE) == words


@needs_landlock
@needs_namespaces
@needs_root
def test_example_of_limits_is_good(box):
    text = (ROOT / "man/sm.8").read_text()
    clause = re.search(r'^script/\*\tcommand="(.*?)"', text,
                       re.DOTALL | re.MULTILINE)[1]
    words = clause.replace("\\e\n", " ").split()
    assert len(words) <= 40      # a scheduler takes no more
    path = box.office.script("mailer", "#!/bin/sh\ncat >/dev/null\n"
                             "echo \"$SENDER\" $(id -un):$(id -gn)\n")
    box.conf(f"script n {path} mailer $u\n")
    job = box.office.post(["bob"], channel="script", sender="s@x")
    with box.office.agent(*["script" if w == "$channel" else w
                            for w in words]) as agent:
        agent.hungry()
        assert agent.run(job).report.message == "s@x daemon:mail"

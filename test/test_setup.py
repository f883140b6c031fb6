"""
What every agent does before its work begins.
"""

import os
import subprocess

import pytest

from zpost import program

AGENTS = [("smtp", ["example.com"]), ("sm", ["-c", "local", "nobody"])]


@pytest.mark.parametrize("name,args", AGENTS)
def test_without_zconfig_the_default_file_is_opened(office, need, tmp_path,
                                                    name, args):
    log = tmp_path / "strace"
    subprocess.run([need("strace"), "-e", "trace=openat", "-o", log,
                    program(name), *args], stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   cwd=office.transport, env={"PATH": os.environ["PATH"],
                                              "ASAN_OPTIONS":
                                              "detect_leaks=0"},
                   timeout=30)
    assert '"/etc/zmailer/zmailer.conf"' in log.read_text()
    assert str(office.zconfig) not in log.read_text()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_reports_never_go_into_a_control_file(office, closed):
    """A closed descriptor must not be given to a file of the spool."""
    job = office.post(host="example.com")
    before = job.data
    redirect = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd in closed)
    feed = f"printf '{job.name}\\texample.com\\n'"
    subprocess.run(["/bin/sh", "-c", f"{feed} | {program('smtp')} "
                    f"-F UNIX:/nonexistent {redirect}"],
                   cwd=office.transport, env=office.environment(),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=30)
    assert job.data == before

"""The demonstration, whose verdict on itself is its exit status."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

from agentrun import program

RUN = pathlib.Path(__file__).resolve().parent.parent / "demo" / "run"


@pytest.fixture
def place():
    """A folder with a short name, since sockets will lie in it."""
    with tempfile.TemporaryDirectory(prefix="zpost-test-") as name:
        yield pathlib.Path(name)


def start(place: pathlib.Path) -> subprocess.Popen:
    return subprocess.Popen(
        [RUN, program("scheduler").parent], text=True,
        env=dict(os.environ, TMPDIR=str(place)), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_demonstration_comes_out_as_it_should(place):
    demo = start(place)
    said = demo.communicate(timeout=110)[0]
    assert demo.returncode == 0, said
    assert "left in the queue               0" in said
    assert list(place.iterdir()) == []


def running(place: pathlib.Path) -> list[str]:
    """Commands that have to do with the folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(place).encode() in path.read_bytes():
                found.append(path.read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demonstration_that_is_ended_leaves_nothing(place, number):
    """By a signal to it, or by ^C, which all get; and by another one soon."""
    demo = start(place)
    for line in demo.stdout:
        if "On their way" in line:
            break
    for _ in range(2):
        if number == signal.SIGINT:
            os.killpg(demo.pid, number)
        else:
            demo.send_signal(number)
        time.sleep(0.1)
    rest = demo.communicate(timeout=60)[0]
    assert demo.returncode == 128 + number, rest
    assert "Traceback" not in rest
    assert list(place.iterdir()) == []
    assert running(place) == []


def test_demonstration_bears_any_folder_for_temporary_files(place):
    """What neither a shell nor the address of a socket would bear."""
    for name in ("it's a $folder", "long" * 30):
        folder = place / name
        folder.mkdir()
        demo = start(folder)
        for line in demo.stdout:
            if "On their way" in line:
                demo.terminate()
        assert demo.wait(60) == 128 + signal.SIGTERM
        assert list(folder.iterdir()) == []

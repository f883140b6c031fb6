"""The demonstration, whose verdict on itself is its exit status."""

import os
import pathlib
import signal
import subprocess
import tempfile

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
        env=dict(os.environ, TMPDIR=str(place)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_demonstration_comes_out_as_it_should(place):
    demo = start(place)
    said = demo.communicate(timeout=110)[0]
    assert demo.returncode == 0, said
    assert "left in the queue               0" in said
    assert list(place.iterdir()) == []


def test_demonstration_that_is_ended_leaves_nothing(place):
    demo = start(place)
    for line in demo.stdout:
        if "On their way" in line:
            demo.send_signal(signal.SIGTERM)
            break
    rest = demo.communicate(timeout=60)[0]
    assert demo.returncode == 128 + signal.SIGTERM, rest
    assert list(place.iterdir()) == []

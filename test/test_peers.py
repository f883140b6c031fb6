"""
tools/peers: packages that are unpacked, never installed. apt-get is a fake
that gives out packages made on the spot.
"""

import os
import shutil
import subprocess

import pytest

from zpost import ROOT

PEERS = ROOT / "tools" / "peers"


@pytest.fixture
def apt(tmp_path):
    """Runs tools/peers; `apt-get download` knows what was offered."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    bin_dir, shelf = tmp_path / "bin", tmp_path / "shelf"
    bin_dir.mkdir()
    shelf.mkdir()
    fake = bin_dir / "apt-get"
    fake.write_text(
        "#!/bin/sh\n"
        f"echo \"$@\" >>{tmp_path}/asked\n"
        "while [ \"$1\" != download ]; do shift; done\n"
        "shift\n"
        f"for p; do cp {shelf}/$p"'_*.deb . || exit 100; done\n')
    fake.chmod(0o755)

    class Apt:
        folder = tmp_path / "peers"

        @staticmethod
        def offer(name, script="exit 0\n"):
            tree = tmp_path / "make" / name
            (tree / "DEBIAN").mkdir(parents=True)
            (tree / "DEBIAN/control").write_text(
                f"Package: {name}\nVersion: 1:2\nArchitecture: all\n"
                "Maintainer: nobody\nDescription: a peer\n")
            postinst = tree / "DEBIAN/postinst"
            postinst.write_text("#!/bin/sh\n" + script)
            postinst.chmod(0o755)
            program = tree / "usr/bin" / name
            program.parent.mkdir(parents=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o6755)
            program.parent.chmod(0o700)
            subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree,
                            shelf / f"{name}_1%3a2_all.deb"], check=True,
                           stdout=subprocess.DEVNULL)

        @classmethod
        def run(cls, *names):
            return subprocess.run(
                [PEERS, cls.folder, *names], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, timeout=30, cwd=tmp_path,
                env=dict(os.environ, PATH=f"{bin_dir}:{os.environ['PATH']}"))

        @staticmethod
        def asked():
            path = tmp_path / "asked"
            return path.read_text() if path.exists() else ""

    return Apt


def test_package_is_laid_out_but_not_installed(apt, tmp_path):
    apt.offer("cat", f"touch {tmp_path}/installed\n")
    apt.offer("dog")
    done = apt.run("cat", "dog")
    assert done.returncode == 0, done.stderr
    for name in ("cat", "dog"):
        program = apt.folder / name / "usr/bin" / name
        assert program.stat().st_mode & 0o7777 == 0o755
        assert program.parent.stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "installed").exists()
    assert sorted(os.listdir(apt.folder)) == ["cat", "dog"]


def test_what_is_there_is_left_alone(apt):
    apt.offer("cat")
    apt.run("cat")
    (apt.folder / "cat/usr/bin/cat").write_text("mine")
    before = apt.asked()
    done = apt.run("cat")
    assert (done.returncode, done.stdout) == (0, b"")
    assert apt.asked() == before
    assert (apt.folder / "cat/usr/bin/cat").read_text() == "mine"


def test_package_that_cannot_be_had_is_told(apt):
    done = apt.run("cat")
    assert done.returncode == 0
    assert b"cannot get cat" in done.stderr
    assert os.listdir(apt.folder) == []

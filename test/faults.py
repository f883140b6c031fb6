"""
faults - what may go wrong around a scheduler, made to go wrong.

Disk(tmp_path / "x", size="64k") is a small file system of its own, mounted
where only this process and its children see it. Clock() is a time of day that
can be set. injected() makes system calls of the scheduler fail. Root only.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import subprocess

import pytest

from agentrun import is_sanitized
from submitserver import NO_LEAKS

CLONE_NEWNS = 0x20000
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")

libc = ctypes.CDLL(None, use_errno=True)
has_namespace = False


def mount(*args) -> None:
    subprocess.run(["mount", *map(str, args)], check=True, timeout=20)


def own_namespace() -> None:
    """From now on this thread's mounts are nobody else's."""
    global has_namespace
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    if not has_namespace:
        if libc.unshare(CLONE_NEWNS) != 0:
            pytest.skip("no mount namespaces: "
                        + os.strerror(ctypes.get_errno()))
        mount("--make-rprivate", "/")
        has_namespace = True


class Disk:
    """A file system in memory. options: size=64k, nr_inodes=30."""

    def __init__(self, path: pathlib.Path, **options):
        own_namespace()
        self.path = path
        self.hog = path / "hog"
        path.mkdir(parents=True, exist_ok=True)
        words = [f"{k}={v}" for k, v in options.items()]
        mount("-t", "tmpfs", "-o", ",".join(["mode=755", *words]), "none",
              path)

    def fill(self) -> None:
        """Leaves not a byte."""
        with open(self.hog, "ab", buffering=0) as f:
            for step in (65536, 4096, 1):
                try:
                    while f.write(b"x" * step):
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        self.hog.unlink()

    def use_inodes(self) -> None:
        """Leaves no place for another file."""
        self.crumbs = []
        while True:
            crumb = self.path / f"crumb{len(self.crumbs)}"
            try:
                crumb.touch()
            except OSError:
                return
            self.crumbs.append(crumb)

    def free_inodes(self) -> None:
        for crumb in self.crumbs:
            crumb.unlink()

    def read_only(self, on: bool) -> None:
        mount("-o", f"remount,{'ro' if on else 'rw'}", self.path)

    def __enter__(self) -> "Disk":
        return self

    def __exit__(self, *_) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True,
                       timeout=20)


class Clock:
    """The time of day as a program with .env has it; it can jump."""

    def __init__(self, path: pathlib.Path, offset: str = "+0"):
        if is_sanitized():
            pytest.skip("a sanitizer wants to be loaded first")
        if not FAKETIME.exists():
            pytest.skip("libfaketime is not installed")
        self.file = path / "offset"
        self.set(offset)
        self.env = {"LD_PRELOAD": str(FAKETIME), "NO_FAKE_STAT": "1",
                    "FAKETIME_TIMESTAMP_FILE": str(self.file),
                    "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset: str) -> None:
        """"+365d" is a year ahead, "-10m" is ten minutes behind."""
        draft = self.file.with_suffix(".new")
        draft.write_text(offset + "\n")
        draft.rename(self.file)


def injected(log: pathlib.Path, call: str, error: str, when: str = "1+",
             path: str = "", threads: bool = False) -> dict:
    """
    For Scheduler(**...): these calls of it fail; those of its children do
    not, unless those of its threads are to. path: only such calls as concern
    this file.
    """
    if is_sanitized():
        pytest.skip("strace and a sanitizer do not go together")
    words = ["strace", "-D", "-o", str(log), "-e", f"trace={call}", "-e",
             f"inject={call}:error={error}:when={when}"]
    if threads:
        words += ["-f"]
    if path:
        words += ["-P", path]
    return {"wrapper": words, "env": NO_LEAKS}

"""
mailers - programs for `sm` to run, and what they saw.

    box = Mailers(office)
    box.conf("rec n {rec} rec $u")      # {rec} is the recorder's path
    with box.sm("rec") as agent: ...
    box.runs[0].args, box.runs[0].input
"""

from __future__ import annotations

import dataclasses
import pathlib

from zpost import Postoffice, is_sanitized, to_text

# Keeps everything it is given. Answers as the files exit, say and sleep in
# its folder tell it, so that a test can change its mind between two runs.
RECORDER = """#!/bin/sh
exec 3>&1
cd {folder} || exit 99
n=$(ls runs | wc -l)
mkdir runs/$n
printf '%s\\0' "$0" "$@" >runs/$n/args
echo $$ >runs/$n/pid
[ -f early ] && cat early
cat >runs/$n/input.part
mv runs/$n/input.part runs/$n/input
[ -f sleep ] && sleep "$(cat sleep)"
[ -f say ] && cat say >&3
[ -f kill ] && kill -"$(cat kill)" $$
exit "$(cat exit 2>/dev/null || echo 0)"
"""


@dataclasses.dataclass
class Run:
    """One run of the recorder. args[0] is the script's own path."""

    folder: pathlib.Path

    @property
    def args(self) -> list[str]:
        return to_text((self.folder / "args").read_bytes()).split("\0")[:-1]

    @property
    def input(self) -> bytes:
        return (self.folder / "input").read_bytes()

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    @property
    def is_fed(self) -> bool:
        """Has it read its input to the end?"""
        return (self.folder / "input").exists()


class Mailers:
    """A recorder and an sm.conf in a post office."""

    def __init__(self, office: Postoffice):
        self.office = office
        self.folder = office.base / "recorder"
        (self.folder / "runs").mkdir(parents=True)
        self.rec = office.script("rec",
                                 RECORDER.format(folder=self.folder))
        self.tell(exit=0)

    def tell(self, **how) -> None:
        """exit=75, say=b"text", early=b"text", sleep=2, kill="KILL"; None
        takes it back."""
        for name, value in how.items():
            path = self.folder / name
            if value is None:
                path.unlink(missing_ok=True)
            elif isinstance(value, bytes):
                path.write_bytes(value)
            else:
                path.write_text(str(value))

    def conf(self, text: str) -> pathlib.Path:
        return self.office.sm_conf(text.replace("{rec}", str(self.rec)))

    def sm(self, mailer: str, *args, channel="local", **kwargs):
        """Starts sm for a channel."""
        return self.office.agent("sm", *args, "-c", channel, mailer,
                                 **kwargs)

    @property
    def runs(self) -> list[Run]:
        folders = (self.folder / "runs").iterdir()
        return [Run(f) for f in sorted(folders, key=lambda f: int(f.name))]

    @property
    def run(self) -> Run:
        """The only run."""
        runs = self.runs
        assert len(runs) == 1, f"{len(runs)} runs"
        return runs[0]


def lean_memory() -> tuple[dict, int]:
    """
    The environment in which memory is to be looked at, and how many KB a
    program may take whatever the size of a message. With a sanitizer: without
    its store of freed blocks.
    """
    if not is_sanitized():
        return {}, 8 * 1024
    return {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=0:"
            "thread_local_quarantine_size_kb=0"}, 48 * 1024

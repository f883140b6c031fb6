"""
smtpcheck - what the tests of smtp(8) share: how reports are worded, and what
a control file looks like once nobody works on it any more.
"""

from __future__ import annotations

import pathlib

import zpost
from spoolfile import Job

HOST = "example.com"
NO_KEYWORDS: tuple = ()
SLOT = " " * 6                  # a pid slot that nobody holds

# The recipients' answers in a row of many.
ANSWER = {"+": None, "-": "550 5.1.1 no such user", " ": "450 4.2.1 busy"}


def transcript(*lines: str) -> str:
    """ "<<- said" and "->> heard" lines as a report has them."""
    return "".join("\r" + x for x in lines)


def settled(job: Job, marks: str, d_lines: str | None = None) -> None:
    """
    The control file of a job that is over: these tags, slots empty, every
    other byte as it was, and a `d` line for just those recipients whose tag
    is in d_lines (by default those that failed).
    """
    assert job.marks == marks
    assert job.slots == [SLOT] * len(marks)
    assert job.only_marks_changed()
    told = [r.offset for r, tag in zip(job.rcpts, marks)
            if tag in ("-" if d_lines is None else d_lines)]
    assert sorted(d.rcpt for d in job.d_lines) == told
    assert all(d.tag == " " for d in job.d_lines)
    assert all(job.lock_holder(i) is None for i in range(len(marks)))


def one_report_each(out: zpost.Output, *jobs: Job) -> None:
    """Every recipient of every job has one report, and nobody else."""
    places = [(r.id, r.offset) for r in out.reports]
    wanted = [(j.id, at) for j in jobs for at in j.offsets]
    assert sorted(places) == sorted(wanted), out.text


def size_estimate(job: Job) -> int:
    """SIZE= as the control file format's section 10 has it."""
    block = max((len(f.raw) - 1 for f in zpost.read_fields(job.written)
                 if f.letter == "m"), default=0)
    e = job.message.stat().st_size - job.body_offset + max(block, 80)
    return e + 3 * e // 100


def proc_status(pid: int, name: str) -> int:
    """A number from /proc/PID/status, e.g. VmHWM in kB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def open_files(pid: int) -> list[str]:
    """Where the descriptors of a process lead."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(path.readlink()))
        except FileNotFoundError:
            pass
    return sorted(found)

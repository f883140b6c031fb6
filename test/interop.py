"""
interop - what the tests against other people's servers share.

WAYS are the ways in which smtp(8) is asked to speak. deliver() posts a pile
of messages, runs them through one agent that is fed all of it at once, and
checks the reports and the marks; what the server has is then compared with
parcels.compare().
"""

from __future__ import annotations

import os

import pytest

from parcels import HOST, Parcel
from smtpcheck import one_report_each, settled
from zpost import Job, Output, Postoffice

# Everything, or what make check has time for?
ALL = os.environ.get("ZPOST_INTEROP") == "all"

# How the client is asked to speak: options, and whether in make check.
WAYS = {
    "": ((), True),
    "-P": (("-P",), True),
    "-1": (("-1",), True),
    "-77": (("-77",), True),
    "window=1": (("-O", "window=1"), True),
    "window=1000": (("-O", "window=1000,100000000"), False),
    "window=7,9000": (("-O", "window=7,9000"), False),
}


def ways(without: tuple = ()):
    """Marks a test to be run in each way, or in all but these."""
    return pytest.mark.parametrize("way", [
        name for name, (_, short) in WAYS.items()
        if (ALL or short) and name not in without])


def variants(names, short: tuple):
    """Marks a test to be run with each of these, or with a few of them."""
    return pytest.mark.parametrize("variant", [
        name for name in names if ALL or name in short])


def client(office: Postoffice, server, way: str = "", *options,
           destination: str | None = None, **how):
    """
    smtp(8) towards a server, in a way; it has said #hungry. TABs of headers
    are kept.
    """
    office.set_zenv(RFC822TABS="1")
    agent = office.agent("smtp", "-h", "client.example", "-F",
                         destination or server.destination, *WAYS[way][0],
                         *options, **how)
    agent.hungry()
    return agent


def run(agent, jobs: list[Job], deadline: float = 100) -> Output:
    """Feeds all jobs at once and collects all reports."""
    agent.feed_raw("".join(f"{job}\t{HOST}\n" for job in jobs), deadline)
    out = agent.collect(len(jobs), deadline)
    assert out.resyncs == []
    assert [c for c in out.comments if "outcome unknown for" not in c] == []
    return out


def joined(*outs: Output) -> Output:
    return Output([line for out in outs for line in out.lines])


def wanted_status(parcel: Parcel, i: int, has_dsn: bool) -> str:
    """A report of success is ours to make where the server knows no DSN."""
    notify = str(parcel.rcpts[i].notify or "")
    return "ok2" if "SUCCESS" in notify and not has_dsn else "ok3"


def all_delivered(out: Output, parcels: list[Parcel], jobs: list[Job],
                  has_dsn: bool) -> None:
    """Each recipient of each job: its report, its mark, its `d` line."""
    assert out.comments == []
    one_report_each(out, *jobs)
    status = {(r.id, r.offset): r for r in out.reports}
    for parcel, job in zip(parcels, jobs):
        told = []
        for i, at in enumerate(job.offsets):
            report = status[job.id, at]
            wanted = wanted_status(parcel, i, has_dsn)
            assert report.status == wanted, (report.line, parcel)
            if wanted == "ok2":
                told.append(at)
        marks = "+" * len(job.rcpts)
        if told:
            assert job.marks == marks and job.only_marks_changed()
            assert sorted(d.rcpt for d in job.d_lines) == sorted(told)
        else:
            settled(job, marks)


def deliver(office: Postoffice, server, parcels: list[Parcel], way: str = "",
            *options, has_dsn: bool, **how) -> Output:
    """All of it, successfully, over one agent that then ends well."""
    jobs = [parcel.post(office) for parcel in parcels]
    agent = client(office, server, way, *options, **how)
    out = run(agent, jobs)
    all_delivered(out, parcels, jobs, has_dsn)
    assert agent.stop() == 0, agent.transcript
    assert agent.pending().lines == []
    return out

"""
reports - what a test needs to look at the scheduler's reports.

Report takes one apart, out of the spool or as a server got it, with Python's
email package, which shares nothing with the programs under test.
"""

from __future__ import annotations

import email
import email.policy
import re
import subprocess

import pytest

from agentrun import is_sanitized, wait_for
from schedrun import Scheduler

# The report goes to example.net, where nothing is fetched from the spool.
KEEP = 'smtp/example.net\n\tqueueonly\n'


def fake(words: str, pattern: str = "smtp/*") -> str:
    """A clause whose agent does as these words say (fakeagent.py)."""
    return f'{pattern}\n\tcommand="fake {words}"\n'


class Report:
    """
    A report, checked for what holds for all of them: RFC 3461, 3464, 6522,
    6533 and 3834 as far as one report shows.
    """

    def __init__(self, content: bytes):
        self.raw = content
        self.mail = email.message_from_bytes(content,
                                             policy=email.policy.default)
        assert self.mail.get_content_type() == "multipart/report"
        assert self.mail.get_param("report-type") == "delivery-status"
        assert self.mail["Auto-Submitted"] == "auto-replied"
        assert self.mail["MIME-Version"] == "1.0"
        assert self.mail["Date"] and self.mail["From"] and self.mail["To"]
        assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", self.mail["Message-ID"])
        self.words, self.status, self.returned = self.mail.iter_parts()
        assert self.words.get_content_type() == "text/plain"
        assert self.status.get_content_type() in (
            "message/delivery-status", "message/global-delivery-status")
        self.is_global = "global" in self.status.get_content_type()
        assert max(map(len, content.split(b"\n"))) <= 998
        self.blocks = self._blocks()
        assert self.blocks[0]["Reporting-MTA"].startswith("dns; ")
        for block in self.blocks[1:]:
            action, status = block["Action"], block["Status"]
            assert action in ("failed", "delayed", "delivered", "relayed",
                              "expanded")
            assert re.fullmatch(r"[245]\.\d+\.\d+", status)
            assert status[0] == {"failed": "5", "delayed": "4"}.get(action,
                                                                    "2")

    def _blocks(self) -> list:
        """The fields of the message and of each recipient."""
        text = self.raw.split(b"\n--" + self.mail.get_boundary().encode())[2]
        fields = text.split(b"\n\n", 1)[1]
        if not self.is_global:
            fields.decode("ascii")              # RFC 3464 2.1.2
        return [email.message_from_string(x + "\n", policy=email.policy.
                                          compat32)
                for x in fields.decode("utf-8").strip("\n").split("\n\n")]

    @property
    def text(self) -> str:
        return self.words.get_content()

    def of(self, address: str):
        """The block of a recipient."""
        found = [b for b in self.blocks[1:]
                 if b["Final-Recipient"].endswith("; " + address)]
        assert len(found) == 1, self.raw.decode("utf-8", "replace")
        return found[0]


class Queued(Report):
    """A report in the spool."""

    def __init__(self, job):
        self.job = job
        raw = job.message.read_bytes()
        self.front, _, content = raw.partition(b"env-end\n")
        self.control = job.data.decode("utf-8", "surrogateescape")
        assert self.front.startswith(b"channel error\n")
        assert "\ns error - - " in self.control
        rcpts = re.findall(r"^r.{11}(\S+) (\S+) (.+) \d+\nN NOTIFY=NEVER$",
                           self.control, re.M)
        assert len(rcpts) == self.control.count("\nr ")
        self.quads = rcpts
        super().__init__(content)


def only_report(s: Scheduler) -> Queued:
    [job] = s.wait_reports(1)
    return Queued(job)


class Trace:
    """What system calls a running process makes; needs strace."""

    def __init__(self, pid: int, log, *options, need):
        if is_sanitized():
            pytest.skip("strace and sanitizers do not agree")
        self.log = log
        self.process = subprocess.Popen(
            [need("strace"), "-f", "-qq", "-o", log, *options,
             "-p", str(pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        status = f"/proc/{pid}/status"
        wait_for(lambda: f"TracerPid:\t{self.process.pid}\n"
                 in open(status).read(), "strace")

    def stop(self) -> list[str]:
        self.process.terminate()
        self.process.wait()
        return self.log.read_text().split("\n")

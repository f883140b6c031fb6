"""
mailway - a message to a domain that a World's name servers know (names.py),
and the way it went. The fixture is mail().
"""

import pytest

import attemptfile
from smtpcheck import one_report_each, settled

X = "x.example"
MX = f"{X} MX 10 mx.{X}"
DEFERRED, FAILED, SENT = "deferall", "error2", "ok3"
MODES = ["off", "trusted", "validate"]
REPORT = "4.4.3 (DNS lookup report)"
AGAIN = "4.4.3 (dns lookup 'try again')"
INCONSISTENT = "5.4.4 (nameserver data inconsistency)"
NO_ADDRESS = ("500 (configuration inconsistency. MX usage forbidden, no "
              "address in the DNS: '{}')")


class Way:
    """What became of a message for one recipient."""

    def __init__(self, out, job, record):
        self.out, self.job, self.record = out, job, record
        self.report = out.report
        self.tried = [(t["host"], t["address"]) for t in record["tried"]]
        self.reason = record["recipients"][0]["reason"]
        self.comments = out.comments

    @property
    def notary(self):
        """A failure's is in the control file, any other's in the report."""
        if self.report.status == FAILED:
            return self.job.d_lines[0].notary
        return self.report.notary

    def is_told(self, word: str, status: str, text: str) -> None:
        """The report, its notary, and the marks in the control file."""
        assert self.report.status == word, self.out.text
        notary = self.notary
        assert (notary.status, notary.diagnostic) == (status, f"smtp; {text}")
        assert text in self.report.message
        assert notary.action == ("failed" if word == FAILED else "delayed")
        settled(self.job, "-" if word == FAILED else " ")
        assert self.tried == []


@pytest.fixture
def mail(office, smtp, world):
    """
    mail(domain, *options, port=, mode=, servers=, hosts=) sends a message to
    the domain, and gives the Way it went.
    """
    agents: dict = {}

    def run(domain: str, *options, port=None, mode="off", servers=None,
            hosts=None, again=False) -> Way:
        path = office.base / "attempts"
        job = office.post([f"bob@{domain.rstrip('.')}"], host=domain)
        if not again or "last" not in agents:
            ports = () if port is None else ("-p", port)
            agents["last"] = smtp(
                None, *ports, *world.options(mode, servers, hosts),
                "-O", f"attempts={path}", *options)
        out = agents["last"].run(job, domain)
        one_report_each(out, job)
        last = path.read_bytes().splitlines()[-1]
        return Way(out, job, attemptfile.parse(last))

    return run


def got(servers: dict) -> list[int]:
    """The numbers of the hosts that have a message."""
    return [n for n, server in servers.items() if server.messages]

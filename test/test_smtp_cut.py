"""
smtp(8) and servers that go away: at every byte of their replies, in the
middle of content, by closing or by a reset, once or always; and servers that
just fall silent. Always one report for each recipient, and what it says is
true: delivered if and only if the server said so, "unknown" if and only if
the whole message was sent and no answer came, and never sent again then.
"""

import itertools

import pytest

from smtpcheck import HOST, NO_KEYWORDS, SLOT, one_report_each, settled
from smtpd import Do, Server
from smtpsession import Session
from zpost import to_bytes

SAID_YES = b"accepted\r\n"      # the end of a good final reply
KEYWORDS = [NO_KEYWORDS, ["PIPELINING"], ["PIPELINING", "CHUNKING"]]


class CutSession(Session):
    """Goes away when it has sent so many bytes."""

    def __init__(self, server, number):
        super().__init__(server, number)
        self.sent = bytearray()
        self.cut = server.next_cut()

    async def write(self, data: bytes) -> None:
        room = len(data) if self.cut is None else self.cut - len(self.sent)
        part = data[:room]
        self.sent += part
        if part:
            await super().write(part)
        if self.cut is not None and len(self.sent) >= self.cut:
            await self.hang_up(self.server.reset)

    async def flush(self) -> None:
        if self.cut == 0:           # before a word is said
            self.output.clear()
            self.cut = -1
            await self.hang_up(self.server.reset)
        await super().flush()


class CutServer(Server):
    """How many bytes each connection may send; None: all it wants."""

    def __init__(self, reset=False, **options):
        super().__init__(**options)
        self.reset = reset
        self.cuts = iter(())

    def next_cut(self):
        return next(self.cuts, None)

    def _session(self):
        session = CutSession(self, len(self.sessions))
        self.sessions.append(session)
        return session


@pytest.fixture
def cut_server():
    servers = []

    def start(**options):
        servers.append(CutServer(
            hostname="x", linger=0.001,
            allow=["cut-line", "early-talk"], **options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
        server.check()


class Run:
    """One job and what the server knows of it."""

    def __init__(self, office, agent, server, number, cuts):
        first, attempts = len(server.sessions), len(server.attempts)
        server.cuts = iter(cuts)
        host = f"host{number}.example"      # none with a memory of trouble
        self.job = office.post(["a@x.example", "b@x.example"], host=host)
        self.out = agent.run(self.job, host)
        one_report_each(self.out, self.job)
        self.statuses = self.out.statuses
        self.sessions = server.sessions[first:]
        self.attempts = len(server.attempts) - attempts
        self.yes = sum(bytes(s.sent).count(SAID_YES) for s in self.sessions)
        self.check_marks()

    def check_marks(self):
        settled(self.job, "".join("+" if self.out.of(self.job, i).status
                                  == "ok3" else " " for i in range(2)))
        assert all(r.notary is None or r.notary.code[0] == "4"
                   for r in self.out.reports)

    def __repr__(self):
        said = [bytes(s.sent) for s in self.sessions]
        return f"{self.statuses} {self.attempts} attempts, said {said}"


PUT_OFF = (["deferred"] * 2, ["deferall", "deferred"])
UNKNOWN = ["deferback"] * 2
DONE = ["ok3"] * 2


def is_true(run, is_reset) -> bool:
    """Does the report say what happened?"""
    if run.statuses == DONE:
        return run.yes == 1 and run.attempts == 1
    if run.statuses == UNKNOWN:
        # Told to go on, or with CHUNKING at once, it may have sent all before
        # it heard of the end; a reset may take a reply along on its way.
        last = bytes(run.sessions[-1].sent)
        asked = last.endswith(b"go ahead\r\n") or b"CHUNKING\r\n" in last
        return (run.attempts == 1 or asked) and (run.yes == 0 or is_reset)
    return run.statuses in PUT_OFF and run.attempts == 0


@pytest.mark.parametrize("keywords", KEYWORDS, ids=lambda k: "+".join(k))
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_cut_at_every_byte_of_the_first_connection(office, smtp, cut_server,
                                                   keywords, reset):
    """
    A server that is not there at all is not tried again; one that leaves
    later is, at once and once, unless the message may have arrived.
    """
    server = cut_server(keywords=keywords, reset=reset)
    agent = smtp(server)
    whole = Run(office, agent, server, "x", [])
    assert whole.statuses == DONE
    length = len(whole.sessions[0].sent)
    greeting = whole.sessions[0].sent.index(b"\n") + 1
    for cut in range(length + 1):
        run = Run(office, agent, server, cut, [cut])
        assert is_true(run, reset), f"{cut}: {run}"
        if cut < greeting:
            assert run.statuses == PUT_OFF[1], f"{cut}: {run}"
            assert len(run.sessions) == 1
        elif run.statuses == UNKNOWN or cut >= length:
            assert len(run.sessions) == 1, f"{cut}: {run}"
        else:
            assert run.statuses == DONE, f"{cut}: {run}"
            assert len(run.sessions) == 2


@pytest.mark.parametrize("keywords", KEYWORDS, ids=lambda k: "+".join(k))
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_cut_at_every_byte_of_every_connection(office, smtp, cut_server,
                                               keywords, reset):
    """It ends: at most two tries, each with EHLO and with HELO."""
    server = cut_server(keywords=keywords, reset=reset)
    agent = smtp(server)
    length = len(Run(office, agent, server, "x", []).sessions[0].sent)
    for cut in range(0, length + 1, 2 if reset else 1):
        run = Run(office, agent, server, cut, itertools.repeat(cut))
        assert is_true(run, reset), f"{cut}: {run}"
        assert len(run.sessions) <= 4, f"{cut}: {run}"
        assert (run.statuses == DONE) <= (cut >= length
                                          or len(run.sessions) > 1)


def test_lmtp_cut_at_every_byte_of_the_final_replies(office, smtp,
                                                     cut_server):
    """Who had an answer is done, whatever becomes of the others."""
    server = cut_server(lmtp=True, keywords=NO_KEYWORDS)
    agent = smtp(server, "-M", "-p", "24")
    sent = Run(office, agent, server, "x", []).sessions[0].sent
    for cut in range(sent.index(b"250 2.0.0") + 1, len(sent) + 1):
        run = Run(office, agent, server, cut, [cut])
        assert run.attempts == 1 and len(run.sessions) == 1
        assert run.statuses == ["ok3"] * run.yes \
            + ["deferback"] * (2 - run.yes), f"{cut}: {run}"


# ---- in the middle of content ---------------------------------------------


@pytest.mark.parametrize("again", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("keywords", [NO_KEYWORDS, ["PIPELINING"]],
                         ids=["slow", "pipelined"])
def test_closed_in_the_middle_of_large_content(office, smtp, smtpd, keywords,
                                               again):
    """The end was not sent: once more over a new connection."""
    cut = {"content": Do(cut=100000)}
    server = smtpd(keywords=keywords, rcvbuf=8192, record=False,
                   connections=[] if again else [cut],
                   script=cut if again else {})
    job = office.post(["a@x.example", "b@x.example"],
                      body=(b"x" * 99 + b"\n") * 100000)
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    assert out.statuses == ["deferred" if again else "ok3"] * 2
    settled(job, "  " if again else "++")
    assert len(server.sessions) == 2
    assert len(server.attempts) == (not again)
    if not again:
        assert server.messages[0].body == \
            job.message.read_bytes()[job.body_offset:]


@pytest.mark.parametrize("cut", [0, 1, 10, 40])
def test_closed_in_the_middle_of_small_content(office, smtp, smtpd, cut):
    """All of it was sent, who knows what was read: the outcome is unknown."""
    server = smtpd(script={"content": Do(cut=cut)})
    job = office.post(["a@x.example", "b@x.example"])
    out = smtp(server).run(job, HOST)
    assert out.statuses == UNKNOWN
    for report in out.reports:
        assert report.message.startswith("outcome unknown: ")
        assert (report.notary.action, report.notary.code) == (
            "delayed", "4.4.2")
    settled(job, "  ")
    assert len(server.sessions) == 1


def test_refused_recipients_stay_refused_over_a_second_try(office, smtp,
                                                           smtpd):
    """Only those without an answer go again."""
    server = smtpd(keywords=NO_KEYWORDS, connections=[
        {"RCPT:b@x.example": "550 5.1.1 no",
         "RCPT:c@x.example": Do(close="before")}])
    job = office.post([f"{c}@x.example" for c in "abcd"])
    out = smtp(server).run(job, HOST)
    one_report_each(out, job)
    assert [out.of(job, i).status for i in range(4)] == [
        "ok3", "error2", "ok3", "ok3"]
    settled(job, "+-++")
    assert server.messages[0].addresses == [
        "a@x.example", "c@x.example", "d@x.example"]


# ---- silence --------------------------------------------------------------

# Where the first connection falls silent; what then comes of the message.
STALLS = {
    "greeting": ({"connect": Do(silent=True)}, "deferall", 1, b"5 sec"),
    "EHLO": ({"EHLO": Do(silent=True)}, "ok3", 2, None),
    "MAIL": ({"MAIL": Do(silent=True)}, "ok3", 2, None),
    "RCPT": ({"RCPT": Do(silent=True)}, "ok3", 2, None),
    "DATA": ({"DATA": Do(silent=True)}, "ok3", 2, None),
    "end": ({".": Do(silent=True)}, "deferback", 1, b"10 sec"),
    "content": ({"content": Do(stall=100000)}, "ok3", 2, None),
    # A byte now and then does not keep the deadline of a reply away.
    "slow greeting": ({"connect": Do("220 " + "x" * 200, chunk=1, pause=0.3)},
                      "deferall", 1, b"5 sec"),
    "slow end": ({".": Do("250 " + "x" * 200, chunk=1, pause=0.3)},
                 "deferback", 1, b"10 sec"),
}


def test_silence_at_every_point_ends(office, smtp, smtpd):
    """With the least timeouts; all points at the same time."""
    begun = []
    for case, (script, status, sessions, says) in STALLS.items():
        server = smtpd(connections=[script], keywords=NO_KEYWORDS,
                       rcvbuf=8192, record=False)
        agent = smtp(server, "-T", "5", "-T", "data=10", "-T", "dot=10",
                     "-T", "tcpw=10", "-T", "conn=10")
        body = (b"x" * 99 + b"\n") * 100000 if case == "content" else b"Hi\n"
        job = office.post(body=body)
        agent.feed(job, HOST)
        begun.append((case, server, agent, job))
    for case, server, agent, job in begun:
        _, status, sessions, says = STALLS[case]
        report = agent.hungry(deadline=50).report
        assert report.status == status, f"{case}: {report.line}"
        settled(job, "+" if status == "ok3" else " ")
        assert len(server.sessions) == sessions, case
        if says is not None:
            assert b"Timeout of " + says in to_bytes(report.message), case


def test_locks_are_held_as_long_as_it_takes(office, smtp, smtpd):
    """A second connection changes nothing about who has the recipient."""
    server = smtpd(connections=[{"MAIL": Do(close="before")}],
                   script={".": Do(silent=True)})
    job = office.post()
    agent = smtp(server)
    agent.feed(job, HOST)
    server.wait_for(lambda: len(server.sessions) == 2
                    and "DATA" in server.commands(1), "the second try")
    assert (job.marks, job.slot(), job.lock_holder()) == (
        "~", f"{agent.pid:6d}", -1)
    agent.kill()
    assert job.slot() != SLOT

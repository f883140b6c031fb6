"""
smtp(8) against servers drawn from a seed: whatever they accept, refuse or
drop, in whatever pieces they answer, each recipient's report is true, the
server holds just what was reported, under the right sender and with the right
content, and a second run with a kind server loses nothing.

The servers and the standards' view of what they said are in chaos.py.

    ZPOST_SEEDS=1000-9000   these seeds instead of the standard ones
    ZPOST_SEEDS=4711        one alone
"""

import dataclasses
import os
import random

import pytest

from chaos import Chaos, Weather, judge, read_sent
from smtpcheck import settled
from smtpd import Server
from zpost import Group, Postoffice, Rcpt

SEEDS = os.environ.get("ZPOST_SEEDS", "1-240")
IN_ONE_TEST = 20
DEADLINE = 15

KEYWORDS = [
    [], ["PIPELINING"], ["PIPELINING"], ["PIPELINING", "CHUNKING"],
    ["PIPELINING", "CHUNKING"], ["CHUNKING"], ["PIPELINING", "CHUNKING"]]
MORE_KEYWORDS = ["DSN", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES",
                 "LIMITS RCPTMAX=2", "LIMITS MAILMAX=3", "X-RCPTLIMIT 10"]
# What the client must do, but not where it was cut off or gave up.
ALLOWED = ["cut-line"]


def seeds():
    first, _, last = SEEDS.partition("-")
    return range(int(first), int(last or first) + 1)


def chunks():
    every = seeds()
    return [every[i:i + IN_ONE_TEST]
            for i in range(0, len(every), IN_ONE_TEST)]


class Case:
    """One seed: its jobs, its server, its client's options."""

    def __init__(self, office: Postoffice, seed: int):
        self.random = r = random.Random(seed)
        self.seed = seed
        self.office = office
        self.lmtp = r.random() < 0.25
        self.listen = (f"unix:{office.base}/s{seed}" if self.lmtp
                       and r.random() < 0.4 else "127.0.0.1")
        self.weather = Weather.draw(r)
        self.keywords = r.choice(KEYWORDS) + [
            k for k in MORE_KEYWORDS if r.random() < 0.25]
        # Large content meets sockets that do not take it in at once.
        self.is_narrow = r.random() < 0.15
        if self.is_narrow:
            self.weather.cut_content = 0.3
        # Everything is refused and nothing forgotten, and much is on its way.
        self.is_stubborn = not self.is_narrow and r.random() < 0.25
        if self.is_stubborn:
            self.lmtp, self.listen = False, "127.0.0.1"
            self.keywords = ["PIPELINING", "CHUNKING"]
            self.weather = Weather(
                later=0.15, never=0.1, odd=0, leave=0, drop=0, opening=0,
                cut_content=0, slow=0, pieces=r.choice(["group", "each"]))
        self.options = self.draw_options()
        self.bodies: list[bytes] = []
        self.headers: dict[str, bytes] = {}     # by sender
        self.senders: dict[str, str] = {}       # by recipient
        self.place: dict[str, tuple] = {}       # job and its recipient
        hosts = r.choice([["a.example"], ["a.example"],
                          ["a.example", "b.example"]])
        self.claims: dict[str, str] = {}        # what the first run said
        self.jobs = [self.draw_job(number, hosts)
                     for number in range(r.randint(1, 12))]

    def draw_options(self) -> list[str]:
        r = self.random
        options = []
        if r.random() < 0.1:
            options.append("-P")
        if r.random() < 0.1:
            options.append("-1")
        window = r.choice(["", "", "1", "2", "100", "100,1", "3,500",
                           "100,20000"])
        if self.is_narrow:
            options += ["-w", "4096"]
        if window:
            options += ["-O", "window=" + window]
        if self.lmtp:
            options += ["-M", "-p", "24"]
        return options

    def draw_body(self, number: int) -> bytes:
        """Lines with dots where they matter; the last is known to chaos."""
        r = self.random
        size = r.choice([0, 10, 100, 1000, 4000, 4000, 20000, 70000, 300000])
        if r.random() < (0.3 if self.is_narrow else 0.7):
            size = min(size, 4000)
        if self.is_narrow:
            size = min(size, 70000)
        block = b"".join(
            r.choice([b"", b".", b"..", b"x", b".x"])
            + b"abcdefgh" * r.randint(0, 9) + b"\n" for _ in range(40))
        body = block * (size // len(block)) + block[:size % len(block)]
        if body and not body.endswith(b"\n"):
            body += b"\n"
        return body + b"END-%d\n" % number

    def draw_job(self, number: int, hosts: list):
        r = self.random
        groups = []
        body = self.draw_body(number)
        host = r.choice(hosts)
        places = []
        for g in range(r.choice([1, 1, 1, 2, 3])):
            sender = f"s{number}.{g}@x.example"
            header = (f"From: {sender}\nSubject: {number}.{g}\n"
                      f"X-Long: {'y' * r.randint(1, 300)}\n").encode()
            rcpts = []
            for i in range(r.choice([1, 1, 2, 3, 7])):
                user = f"r{number}.{g}.{i}@y.example"
                rcpts.append(Rcpt(user, notify=r.choice(
                    [None, None, "NOTIFY=NEVER", "NOTIFY=FAILURE"])))
                self.senders[user] = sender
                places.append(user)
            self.headers[sender] = header + b"\n" + body
            groups.append(Group(rcpts, sender, header))
        job = self.office.post(groups=groups, host=host, body=body)
        job.host = host
        for i, user in enumerate(places):
            self.place[user] = (job, i)
        return job

    def kind(self) -> Server:
        return Server(lmtp=self.lmtp, linger=0, record=False,
                      listen=self.listen,
                      keywords=["PIPELINING", "CHUNKING"])

    def feed(self, server, options):
        """All job lines at once; the lines it said, by job."""
        agent = self.office.agent("smtp", "-h", "client.example", "-F",
                                  server.destination, *options)
        agent.hungry()
        agent.feed_raw("".join(f"{j.name}\t{j.host}\n" for j in self.jobs))
        turns = [agent.collect(1, deadline=DEADLINE) for _ in self.jobs]
        assert agent.stop() == 0, agent.transcript
        assert agent.pending().lines == [], agent.transcript
        agent.kill()
        self.office.agents.remove(agent)
        return turns

    def reports(self, turns) -> dict:
        """By recipient: each has one at most, in its own job's turn."""
        found = {}
        offsets = {(job.id, job.rcpts[i].offset): user
                   for user, (job, i) in self.place.items()}
        for job, turn in zip(self.jobs, turns):
            for report in turn.reports:
                user = offsets[report.id, report.offset]
                assert report.id == job.id, f"{user} out of turn"
                assert user not in found, f"{user} reported twice"
                found[user] = report
        return found


WORDS = {"ok3": "ok", "error2": "fail", "deferred": "defer",
         "deferall": "defer"}
MARKS = {"ok": "+", "fail": "-"}


def word(report) -> str:
    """What a report claims, in the words of chaos.judge."""
    if report.status == "deferback":
        return ("unknown" if report.message.startswith("outcome unknown: ")
                else "back")
    return WORDS[report.status]


def expected(user: str, sender: str, sent: list, is_lmtp: bool) -> set:
    """
    What may be reported of a recipient after these transactions; none may
    follow one that ended it.
    """
    allowed, final = {"defer"}, None
    for t in sent:
        if user not in t.rcpts:
            # MAIL refused before any RCPT: all of them, or a part.
            if t.sender == sender and not t.rcpts and t.asked.mail \
                    and t.asked.mail // 100 == 5:
                allowed.add("fail")
            continue
        assert final is None, f"{user} is sent again after {final}"
        assert t.sender == sender, f"{user} sent under {t.sender}"
        said = judge(t, t.rcpts.index(user), is_lmtp)
        if t.perhaps is not None:
            allowed.add(judge(dataclasses.replace(t, asked=t.perhaps),
                              t.rcpts.index(user), is_lmtp))
        if said == "odd":
            allowed |= {"fail", "back"}
        elif said not in ("soft", "lost"):
            final = said
    return allowed if final is None else {final}


def check_first(case: Case, server: Chaos, turns) -> dict:
    """The reports against what was said; gives what each claims."""
    sent = read_sent(server)
    reports = case.reports(turns)
    claims = {}
    for user, (job, _) in case.place.items():
        assert user in reports, f"no report for {user}"
        claims[user] = word(reports[user])
        may = expected(user, case.senders[user], sent, case.lmtp)
        assert claims[user] in may, \
            f"{user}: {reports[user].line!r}, but it is {may}"
        held = [h for h in server.held if h.rcpt == user]
        if claims[user] != "unknown":
            assert len(held) == (claims[user] == "ok"), \
                f"{user} held {len(held)} times: {reports[user].line!r}"
        assert len(held) <= 1, f"{user} is held twice"
    for h in server.held:
        if h.is_astray:     # and so it was claimed to be unknown
            continue
        assert h.sender == case.senders[h.rcpt], \
            f"{h.rcpt} is held under {h.sender}"
        assert h.content.replace(b"\r\n", b"\n") \
            == case.headers[h.sender], f"{h.rcpt} has other content"
    for job in case.jobs:
        settled(job, "".join(MARKS.get(claims[r.user], " ")
                             for r in job.rcpts))
    return claims


def check_second(case: Case, first: Chaos, kind: Server, turns) -> None:
    """Nothing lost; doubled only where the outcome was unknown."""
    held: dict[str, int] = {}
    for h in first.held:
        held[h.rcpt] = held.get(h.rcpt, 0) + 1
    for m in kind.messages:
        for rcpt in m.addresses:
            held[rcpt] = held.get(rcpt, 0) + 1
            assert m.sender == case.senders[rcpt]
            assert m.lines == case.headers[m.sender]
    reports = case.reports(turns)
    for user, claim in case.claims.items():
        assert (user in reports) == (claim not in MARKS), \
            f"{user} was {claim}: {reports.get(user)}"
        may = {"ok": [1], "fail": [0], "unknown": [1, 2]}.get(claim, [1])
        assert held.get(user, 0) in may, \
            f"{user} was {claim}, is held {held.get(user, 0)} times"
    for job in case.jobs:
        assert set(job.marks) <= {"+", "-"}, job.marks


def explain(case: Case, server: Chaos, wrong: Exception) -> str:
    """All that is known, with the complaint at both ends."""
    said = "\n".join(x for a in case.office.agents for x in a.lines)
    return (f"{wrong}\nseed {case.seed}: {case.options} {case.keywords} "
            f"lmtp={case.lmtp} {case.weather}\n{server.text()}\n{said}\n"
            f"{wrong}\nagain: ZPOST_SEEDS={case.seed} /usr/bin/python3 "
            "-m pytest test/test_smtp_random.py")


def play(office: Postoffice, seed: int) -> Case:
    case = Case(office, seed)
    r = case.random
    with Chaos(seed, case.weather, lmtp=case.lmtp, listen=case.listen,
               keywords=case.keywords,
               refusal="keep" if case.is_stubborn
               else r.choice(["clear", "keep"]),
               nested_mail=not case.is_stubborn and r.random() < 0.3,
               data_without_rcpt=r.random() < 0.5, allow=ALLOWED,
               rcvbuf=4096 if case.is_narrow else None) as server:
        try:
            turns = case.feed(server, case.options)
            server.wait_all_ended()
            case.claims = check_first(case, server, turns)
            server.check()
            second(case, server)
        except Exception as wrong:
            raise AssertionError(explain(case, server, wrong)) from wrong
    return case


def second(case: Case, first: Chaos) -> None:
    """Another run, with a server that does its best."""
    options = ["-M", "-p", "24"] if case.lmtp else []
    first.stop()
    with case.kind() as kind:
        turns = case.feed(kind, options)
        check_second(case, first, kind, turns)
    kind.check()


@pytest.mark.parametrize("chunk", chunks(),
                         ids=lambda c: f"{c[0]}-{c[-1]}")
def test_random_servers_hold_what_is_reported(office, chunk):
    for seed in chunk:
        play(office, seed)

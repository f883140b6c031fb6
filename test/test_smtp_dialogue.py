"""
The dialogues of test/dialogues, played by a server against smtp(8) itself.

They are the engine's own tests (see the head of src/smtp/engine_test.c for
the "#!" lines), so that here is proven what lies around the engine: that the
program says the same, gives recipients the fate that is expected, and sends a
message that comes back once more, over a new connection.

Of MAIL and RCPT only the address is compared where parameters are offered,
since the program always has some to say. Content is a header, an empty line
and a body; a dialogue's content that is none of that is sent as a body.
"""

import pathlib
import re

import attemptfile
import pytest

from smtpcheck import HOST, one_report_each, settled
from smtpd import Dialogue
from zpost import Rcpt

FOLDER = pathlib.Path(__file__).resolve().parent / "dialogues"
OFFERS = re.compile(r"(?mi)^S.*250[ -](size|dsn|8bitmime)\b")
FLAGS = {"lmtp": ["-M", "-p", "24"], "no-pipelining": ["-P"],
         "if-greeted": ["-E"]}
WORDS = {"delivered": "ok3", "relayed": "ok3", "failed": "error2",
         "deferred": "deferred", "deferback": "deferback"}
MARKS = {"ok3": "+", "ok2": "+", "error2": "-"}


class Play:
    """One file: what it says of messages and of what comes of them."""

    def __init__(self, path: pathlib.Path):
        self.text = path.read_text()
        self.window = 1             # the engine's, unless it says otherwise
        self.flags: list[str] = []
        self.config: list[str] = []
        self.unreachable = ""       # why the program cannot play it
        self.messages: list[dict] = []
        self.expected: dict[tuple, tuple] = {}
        self.texts: list[tuple] = []
        self.again = False          # is there a second connection?
        self.failed: tuple | None = None
        for line in re.findall(r"(?m)^#! (.*)$", self.text):
            word, _, rest = line.partition(" ")
            getattr(self, "on_" + word.replace("-", "_"))(rest)

    def on_config(self, rest):
        self.config = rest.split()
        for word in self.config:
            if word.startswith("window="):
                self.window = int(word[7:])
            elif word in FLAGS:
                self.flags += FLAGS[word]
            else:
                self.unreachable = f"no option for {word}"

    def on_message(self, rest):
        sender, *rcpts = rest.split()
        self.messages.append({"sender": None if sender == "-" else sender,
                              "rcpts": rcpts, "notify": None, "more": {
                                  "header": "Subject: x\n",
                                  "body": "body\n"}})

    def on_option(self, rest):
        for word in rest.split():
            key, _, value = word.partition("=")
            if key in ("envid", "ret"):
                self.messages[-1]["more"][key] = value

    def on_body(self, rest):
        content = Dialogue.unescape(rest).replace(b"\r\n", b"\n")
        header, empty, body = content.partition(b"\n\n")
        self.messages[-1]["more"] = (
            {"header": header + b"\n", "body": body} if empty
            else {"header": b"", "body": content})

    def on_notify(self, rest):
        self.messages[-1]["notify"] = "NOTIFY=" + rest

    def on_expect(self, rest):
        who, *what = rest.split()
        if what[-1] == "rcpt-limit":    # goes in the next transaction
            self.again = True
        else:
            self.expected[tuple(map(int, who.split(".")))] = tuple(what)

    def on_text(self, rest):
        who, _, words = rest.partition(" ")
        self.texts.append((tuple(map(int, who.split("."))), words))

    def on_returned(self, rest):
        self.again = True
        if rest.endswith("chunking-refused"):
            self.unreachable = "the program sends it again before the next"

    def on_failed(self, rest):
        phase, code = rest.split()
        self.failed = phase, int(code.removeprefix("code="))

    def on_engine(self, why):
        self.unreachable = why

    def on_nothing(self, rest):
        """What only the engine's own tests can see, or do not need."""

    on_whole = on_nothing           # so it is, over a connection
    on_orcpt = on_refused = on_offers = on_suspects = on_nothing
    on_again = on_used_up = on_nothing

    @property
    def is_lmtp(self):
        return "lmtp" in self.config

    def dialogue(self, name):
        """As the program speaks it."""
        text = self.text
        if OFFERS.search(text):
            text = re.sub(
                r"(?m)^C: ((?:MAIL FROM|RCPT TO):<[^>]*>).*$",
                lambda m: f"C: /{re.escape(m[1])}( .*)?/", text)
        if any(m["more"]["header"] == b"" for m in self.messages):
            text = re.sub(r"(?m)^C: BDAT \d+ LAST$", r"C: /BDAT \\d+ LAST/",
                          text)
            text = re.sub(r"(?m)^C: (BDAT|[A-Z]+ [A-Z]+:|EHLO|LHLO|\.|/|RSET)",
                          r"C:: \1", text)
            text = text.replace("\nC: ", "\nC*: ").replace("C:: ", "C: ")
        return Dialogue(text, name)

    def status(self, m, r):
        """The word that recipient r of message m must get."""
        fate = self.expected.get((m, r), ("relayed",))[0]
        if self.failed is not None and not self.has_second_hello():
            return "deferall"
        word = WORDS[fate]
        has_dsn = re.search(r"(?mi)^S: 250[ -]DSN\b", self.text) is not None
        asks = "SUCCESS" in (self.messages[m]["notify"] or "")
        if word == "ok3" and asks and (not has_dsn or self.is_lmtp):
            return "ok2"
        return word

    def has_second_hello(self):
        """A server that chokes on EHLO is asked again, with HELO."""
        phase, code = self.failed
        return phase == "hello" and not self.is_lmtp and (
            code == 0 or 400 <= code <= 499)


class FirstTime:
    """Plays the dialogue once, and is a correct server then."""

    def __init__(self, dialogue):
        self.dialogue = dialogue

    @property
    def errors(self):
        return self.dialogue.errors

    async def play(self, session):
        if session.number == 0:
            await self.dialogue.play(session)
        else:
            await session.talk()


PLAYS = {p.stem: Play(p) for p in sorted(FOLDER.glob("*.txt"))}
REACHABLE = [name for name, play in PLAYS.items() if not play.unreachable]


def recorded(path, report):
    """Reason and status a recipient ended with, from the attempt records."""
    job, offset = map(int, report.split("/"))
    found = [rcpt for record in attemptfile.load(path)
             if record["job"]["id"] == job for rcpt in record["recipients"]
             if rcpt["offset"] == offset and "again" not in rcpt]
    assert len(found) == 1, (report, found)
    code = re.match(r"[0-9.]*", found[0]["status"])[0]
    return found[0]["reason"], code


@pytest.mark.parametrize("name", REACHABLE)
def test_dialogue(office, smtp, smtpd, name):
    play = PLAYS[name]
    dialogue = play.dialogue(name)
    server = smtpd(dialogue=FirstTime(dialogue), lmtp=play.is_lmtp)
    attempts = office.base / "attempts"
    agent = smtp(server, "-O", f"attempts={attempts}",
                 "-O", f"window={play.window}", *play.flags)
    jobs = [office.post([Rcpt(r, notify=m["notify"]) for r in m["rcpts"]],
                        sender=m["sender"], **m["more"])
            for m in play.messages]
    for job in jobs:
        agent.feed(job, HOST)
    out = agent.collect(len(jobs))
    assert agent.stop() == 0
    one_report_each(out, *jobs)
    server.wait_ended()
    assert dialogue.played == 1 and dialogue.errors == []
    for m, job in enumerate(jobs):
        statuses = [play.status(m, r) for r in range(len(job.rcpts))]
        assert [out.of(job, r).status for r in range(len(job.rcpts))] == \
            statuses, out.text
        marks = "".join(MARKS.get(s, " ") for s in statuses)
        assert job.marks == marks
        settled(job, marks, d_lines="-+" if "ok2" in statuses else "-")
    for (m, r), (_, code, reason) in play.expected.items():
        assert recorded(attempts, jobs[m].report(r)) == (reason, code)
    for (m, r), words in play.texts:
        assert words in out.of(jobs[m], r).message
    again = play.again and (play.failed is None or play.has_second_hello())
    assert len(server.sessions) == 1 + again


def test_every_dialogue_is_played_or_out_of_reach():
    left_out = {n: p.unreachable for n, p in PLAYS.items() if p.unreachable}
    assert len(left_out) <= 33, left_out
    assert len(REACHABLE) > 75

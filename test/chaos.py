"""
chaos - a server with a will of its own, for test_smtp_random.py.

Chaos is a server of smtpd.py that, drawn from a seed, accepts, refuses or
drops the connection at any command, in the middle of content and behind the
end of it, and writes its replies in pieces of any size. It keeps everything
that the client sent, what it answered, and what it holds.

read_sent() then makes transactions of what was sent, each with the answers
that its commands had, and judge() says what a transaction means for one of
its recipients, by the standards alone: nothing here knows the client.

Cuts are polite: the client hears all that was said before. What was said is
therefore known to it, and what it sent is known here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re

from dialogue import Gone
from smtpd import Server
from smtpsession import Do, Session

# No answer to the mail: it may be asked again, or be put off.
SOFT = {421, 452, 503}
# The command or a parameter is not known: perhaps it goes without.
UNKNOWN_COMMAND = {500, 501, 502, 504, 555}
LATER = ["450 4.2.1 busy", "451 4.3.0 later", "450 just so",
         "451 4.3.0 more\n4.3.0 lines"]
NEVER = ["550 5.1.1 no", "554 5.7.1 no", "550 just so", "553 5.1.3 bad"]
ODD = ["500 5.5.1 what", "502 5.5.1 what", "504 5.5.4 what", "555 5.5.4 what"]


@dataclasses.dataclass
class Weather:
    """How likely it is that something goes wrong, of 1."""

    later: float
    never: float
    odd: float
    leave: float        # 421
    drop: float
    opening: float      # any of these before the first MAIL
    cut_content: float
    slow: float         # a reply comes a moment later
    pieces: str         # of replies: "group", "each", "random", "byte"

    @classmethod
    def draw(cls, r: random.Random) -> "Weather":
        def some(*choices: float) -> float:
            return r.choice(choices)

        return cls(later=some(0, 0.05, 0.15), never=some(0, 0.05, 0.15),
                   odd=some(0, 0, 0, 0.03), leave=some(0, 0.01, 0.05),
                   drop=some(0, 0.02, 0.06, 0.15), opening=some(0, 0, 0.1),
                   cut_content=some(0, 0, 0.1), slow=some(0, 0, 0.1),
                   pieces=r.choice(["group", "group", "each", "random",
                                    "byte"]))


@dataclasses.dataclass
class Asked:
    """A transaction as the server took it: what each command was answered
    (None: nothing, the connection was cut)."""

    mail: int | None = None
    rcpts: list = dataclasses.field(default_factory=list)
    content: list = dataclasses.field(default_factory=list)  # DATA, BDAT
    ends: dict = dataclasses.field(default_factory=dict)     # by recipient
    # Which of the answers came after the one that made the client give up:
    # to "MAIL" and what is behind it, or only what is "behind" MAIL.
    late: str = ""
    # Might the server have been in another transaction when it said no?
    is_stray: bool = False

    def only_heard(self, is_whole: bool) -> "Asked":
        """
        A client that gave up listens on only for the messages that it had
        sent whole, and one that it had not is the last.
        """
        if is_whole or not self.late:
            return self
        return Asked(mail=None if self.late == "MAIL" else self.mail,
                     is_stray=self.is_stray)


@dataclasses.dataclass
class Held:
    """What the server keeps for one recipient."""

    rcpt: str
    sender: str
    content: bytes
    is_astray: bool = False     # a refused RSET left it to another's sender


@dataclasses.dataclass
class Sent:
    """A transaction as the client sent it, and how it was answered."""

    connection: int
    sender: str
    asked: Asked
    rcpts: list = dataclasses.field(default_factory=list)
    by_bdat: bool = False
    chunks: int = 0
    is_whole: bool = False      # the end of the content left the client
    is_dismissed: bool = False  # the connection ended with 421
    # What was answered and perhaps heard: with every recipient refused the
    # client closes, whatever of its content has not arrived then.
    perhaps: Asked | None = None


def says_unknown(asked: Asked, event: str, code: int | None) -> bool:
    """Is that the word of a server that does not know BDAT? To the first
    chunk of a good transaction it is."""
    return (event != "DATA" and code in (500, 501, 502, 503, 504)
            and not asked.content
            and asked.mail is not None and asked.mail // 100 == 2
            and any(x is not None and x // 100 == 2 for x in asked.rcpts))


class ChaosSession(Session):
    def __init__(self, server: "Chaos", number: int):
        super().__init__(server, number)
        self.random = random.Random(f"{server.seed}/{number}")
        self.raw = bytearray()              # all that came
        self.asked: list[Asked] = []
        self.is_given_up = self.is_astray = self.has_left = False
        self.is_bdat_unknown = self.is_mute = False
        self.kept: list | None = None   # recipients a refused RSET left
        self.todo: Do | None = None

    # -- what is done --

    def choose(self, event: str, who: str) -> Do | None:
        """Draws; Session asks this before each of its answers."""
        r, w = self.random, self.server.weather
        if event == "content":
            return self.draw_cut() if r.random() < w.cut_content else None
        self.todo = None
        rate = 1.0
        if event in ("connect", "EHLO", "LHLO", "HELO"):
            rate = w.opening
        if r.random() < w.slow:
            self.todo = Do(delay=r.choice([0.001, 0.004]))
        if event == "QUIT" or r.random() >= rate:
            return self.todo
        x = r.random()
        for chance, make in ((w.drop, lambda: Do(close="before")),
                             (w.leave, self.leave),
                             (w.later, lambda: self.refuse(event, LATER)),
                             (w.never, lambda: self.refuse(event, NEVER)),
                             (w.odd, lambda: self.refuse(event, ODD))):
            if x < chance:
                self.todo = make()
                break
            x -= chance
        return self.todo

    @staticmethod
    def leave() -> Do:
        return Do("421 4.3.2 I am leaving", close="after")

    def refuse(self, event: str, texts: list) -> Do | None:
        if event == "RSET":     # refused, and done or not
            return Do(self.random.choice(texts),
                      accept=self.random.random() < 0.5)
        if event == "RCPT" and texts is LATER and self.rcpts \
                and self.random.random() < 0.3:
            return Do("452 4.5.3 too many")
        if event == "MAIL" and texts is ODD and self.random.random() < 0.5:
            return Do("503 5.5.1 not now")
        if event == "." and texts is ODD and self.server.lmtp:
            return None         # it is not the command that is in question
        return Do(self.random.choice(texts))

    async def part(self) -> None:
        """A client that is writing meets the end while it is at it."""
        if self.ended == "closed" and not self.lost:
            self.transport.pause_reading()
            self.transport.write_eof()
            await asyncio.sleep(0.003)
        await super().part()

    def draw_cut(self) -> Do:
        return Do(cut=self.random.choice([0, 1, 30, 200, 5000, 100000]))

    # -- what is kept --

    async def respond(self, event: str, right: str, who: str = "") -> int:
        if event == "MAIL":
            self.asked.append(Asked())
        try:
            code = await super().respond(event, right, who)
        except Gone:
            self.has_left = (self.todo is not None
                             and self.todo.close == "after")
            self.keep_code(event, who, 421 if self.has_left else None)
            raise
        said = self.todo.text if self.todo is not None else None
        self.keep_code(event, who, int(said[:3]) if said else code)
        if self.server.weather.pieces != "group":
            await self.flush()
        return code

    def keep_code(self, event: str, who: str, code: int | None) -> None:
        """
        A client must not trust a server that refuses RSET, or that answers
        503 to MAIL as if it were in another transaction; and if that one did
        not know BDAT either, which answer belongs to what is open to doubt.
        """
        if self.is_mute:
            code = None
        is_yes = code is not None and code // 100 == 2
        if event == "RSET" or event == "MAIL" and (is_yes or code == 503):
            self.is_astray = not is_yes
        if event == "MAIL":
            self.asked[-1].late = "MAIL" if self.is_given_up else ""
        if self.is_astray and code is not None:
            self.is_given_up = True
            self.is_mute = self.is_mute or self.is_bdat_unknown
        if not self.asked:
            return
        asked = self.asked[-1]
        if event == "MAIL":
            asked.mail = code
            asked.is_stray = self.is_astray
            if self.is_given_up and not asked.late:
                asked.late = "behind"
        elif event == "RCPT":
            asked.rcpts.append(code)
        elif event in ("DATA", "BDAT"):
            self.is_bdat_unknown |= says_unknown(asked, event, code)
            asked.content.append(code)
        elif event == ".":
            self.is_bdat_unknown |= says_unknown(asked, event, code)
            asked.ends[who] = code

    async def write(self, data: bytes) -> None:
        pieces, r = self.server.weather.pieces, self.random
        while data:
            if self.transport.is_closing():
                raise Gone("lost")
            n = {"byte": 1, "random": r.randint(1, 40)}.get(pieces, len(data))
            await super().write(data[:n])
            data = data[n:]
            if data:
                await asyncio.sleep(0)

    async def on_mail(self, line: bytes) -> None:
        await super().on_mail(line)
        is_taken = self.mail is not None and self.mail.line == line
        if not is_taken and self.server.refusal == "clear":
            self.clear()

    def clear(self) -> None:
        super().clear()
        self.kept = None

    async def on_rset(self, line: bytes) -> None:
        await super().on_rset(line)
        if self.mail is not None:
            self.kept = [r.address for r in self.rcpts]

    def check_limit(self, name: str, n: int) -> None:
        if self.kept is None:
            super().check_limit(name, n)

    async def finish(self, wire: bytes, content: bytes, by: str) -> None:
        """As Session's, but what becomes of a message without an answer is
        drawn."""
        sender = self.mail.address if self.mail else ""
        rcpts = [r.address for r in self.rcpts]
        right = "250 2.0.0 accepted" if rcpts else "554 5.5.1 nobody"
        codes: list[int | None] = []
        try:
            for who in (rcpts if self.server.lmtp else [""]):
                codes.append(await self.respond(".", right, who))
        except Gone:
            left = self.todo is not None and self.todo.close == "after"
            codes.append(421 if left else None)
            raise
        finally:
            self.hold(rcpts, codes, sender, content)
        # RFC 5321 4.1.1.4: the dot ends the transaction, whatever it came to.
        if by == "DATA" or any(code // 100 == 2 for code in codes):
            self.clear()
        else:
            self.refused()

    def hold(self, rcpts: list, codes: list, sender: str,
             content: bytes) -> None:
        """Without an answer: all or none, LMTP's one by one."""
        coin = self.random.random() < 0.5
        for i, rcpt in enumerate(rcpts):
            code = (codes[0] if not self.server.lmtp else
                    codes[i] if i < len(codes) else None)
            if self.server.lmtp:
                coin = self.random.random() < 0.5
            # Those get what was not meant for them, which none can help.
            if self.kept is not None and rcpt in self.kept:
                continue
            if coin if code is None else code // 100 == 2:
                self.server.held.append(
                    Held(rcpt, sender, content, self.kept is not None))


class Chaos(Server):
    def __init__(self, seed, weather: Weather, **options):
        super().__init__(linger=0, record=False, **options)
        self.seed = seed
        self.weather = weather
        self.held: list[Held] = []

    def note(self, session: int, side: str, data: bytes) -> None:
        if side == "C":
            self.sessions[session].raw += data
        self.story.append((session, side, data))

    story: list

    def _session(self) -> ChaosSession:
        session = ChaosSession(self, len(self.sessions))
        self.sessions.append(session)
        return session

    def start(self) -> "Chaos":
        self.story = []
        return super().start()

    def wait_all_ended(self) -> None:
        self.wait_for(lambda: all(hasattr(s, "task") and s.task.done()
                                  for s in self.sessions),
                      "the end of all connections")

    def text(self) -> str:
        """What was said, long content cut short."""
        out = []
        for session, side, data in self.story:
            if len(data) > 2000:
                data = data[:1000] + b" ... " + data[-1000:]
            out += [f"{session} {side}: {repr(x)[2:-1]}"
                    for x in data.splitlines(keepends=True)]
        return "\n".join(out)


TOKEN = re.compile(
    rb"(?m)^(?:MAIL FROM:<([^>]*)>|RCPT TO:<([^>]*)>"
    rb"|BDAT (\d+)( LAST)?\r\n|END-\d+\r\n\.\r\n)")


def read_sent(server: Chaos) -> list[Sent]:
    """All transactions, in order of time."""
    out: list[Sent] = []
    for session in server.sessions:
        asked = iter(session.asked)
        rest, at, now = bytes(session.raw), 0, None
        while m := TOKEN.search(rest, at):
            mail, rcpt, size, last = m.groups()
            at = m.end()
            if mail is not None:
                now = Sent(session.number, mail.decode(),
                           next(asked, Asked()),
                           is_dismissed=session.has_left)
                out.append(now)
            elif rcpt is not None:
                now.rcpts.append(rcpt.decode())
            elif size is not None:
                now.by_bdat = True
                now.chunks += 1
                now.is_whole = last is not None \
                    and len(rest) >= at + int(size)
                rest, at = rest[at + int(size):], 0
            else:
                now.is_whole = True
    for t in out:
        heard = t.asked.only_heard(t.is_whole)
        if heard is not t.asked and len(t.asked.rcpts) == len(t.rcpts) \
                and all(x and x // 100 != 2 for x in t.asked.rcpts):
            t.perhaps = t.asked
        t.asked = heard
    return out


def meaning(code: int) -> str:
    if code in SOFT:
        return "soft"
    if code in UNKNOWN_COMMAND:
        return "odd"
    return "fail" if code // 100 == 5 else "defer"


def meaning_at_end(t: Sent, code: int, is_lmtp: bool) -> str:
    if code // 100 == 2:
        return "ok"
    if t.by_bdat and code in UNKNOWN_COMMAND:
        return "odd"
    if code // 100 == 5:
        return "fail"
    return "defer" if is_lmtp else "back"


def silence(t: Sent, is_lmtp: bool) -> str:
    """
    What a missing answer means. Behind 421 nothing is taken (RFC 5321 3.8),
    but LMTP's other mailboxes may have got what had come whole.
    """
    if t.is_dismissed and not (is_lmtp and t.asked.ends):
        return "lost"
    return "unknown" if t.is_whole else "lost"


def judge_refused(t: Sent, rcpt: int | None) -> str:
    """
    MAIL was refused. With BDAT the content has left all the same; where it
    may have gone to somebody under the sender of another message, the outcome
    is unknown.
    """
    answers = t.asked.content + list(t.asked.ends.values())
    answers = [code for code in answers if code is not None]
    may_be_taken = (rcpt // 100 == 2 if rcpt is not None
                    else t.asked.is_stray)
    if not (t.by_bdat and t.is_whole and may_be_taken):
        return meaning(t.asked.mail)
    if len(answers) == t.chunks:
        return "unknown" if answers[-1] // 100 == 2 else meaning(t.asked.mail)
    return meaning(t.asked.mail) if t.is_dismissed else "unknown"


def judge(t: Sent, i: int, is_lmtp: bool) -> str:
    """
    What t means for its recipient i: "ok", "fail", "defer", "back" (put off
    behind the content), "unknown"; or, after which it may go again: "lost",
    "soft", "odd".
    """
    asked = t.asked
    rcpt = asked.rcpts[i] if i < len(asked.rcpts) else None
    if asked.mail is not None and asked.mail // 100 != 2:
        return judge_refused(t, rcpt)
    if asked.mail is None or rcpt is None:
        return silence(t, is_lmtp)
    if rcpt // 100 != 2:
        return meaning(rcpt)
    for code in asked.content:
        if code is not None and code // 100 not in (2, 3):
            return meaning(code)
    end = asked.ends.get(t.rcpts[i] if is_lmtp else "")
    if end is None:
        return silence(t, is_lmtp)
    return meaning_at_end(t, end, is_lmtp)

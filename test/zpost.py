"""
zpost - what every program test needs: a post office and an agent.

Postoffice lays out a temporary $POSTOFFICE with a zmailer.conf, writes
message and control files byte by byte as the control file format says, and
reads marks, lock slots and `d` lines back. It shares no code with the
programs, so it can find them wrong.

Agent runs `smtp` or `sm` as the scheduler does: current directory
$POSTOFFICE/transport, an environment of PATH and ZCONFIG, and standard
descriptors that are pipes or one socket. Every wait has a deadline; an agent
that keeps silent raises Silence with all it said before.

Programs are taken from the folder that $ZPOST_BIN names, by default
build/debug/bin.

    office = Postoffice(tmp_path)
    job = office.post(["bob@example.com"], host="example.com")
    with office.agent("smtp", "-x") as agent:
        agent.hungry()
        out = agent.run(job, "example.com")
        assert out.reports[0].status == "ok3"
        assert agent.stop() == 0
    assert job.marks == "+"

Jobs and what they are made of are in spoolfile.py, agents in agentrun.py; all
of it can be had from here.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time

from agentrun import (DEADLINE, ROOT, Agent, Output, Report, Silence, bin_dir,
                      is_sanitized, program, wait_for)
from spoolfile import (DLine, Field, Group, Job, Notary, Rcpt, RcptRef,
                       Sender, read_fields, to_bytes, to_text)

__all__ = ["DEADLINE", "ROOT", "Agent", "Output", "Report", "Silence",
           "bin_dir", "is_sanitized", "program", "wait_for", "DLine", "Field",
           "Group", "Job", "Notary", "Rcpt", "RcptRef", "Sender",
           "read_fields", "to_bytes", "to_text", "Postoffice", "SANITIZERS"]

HASH_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Handed on to programs in spite of the minimal environment.
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


class Postoffice:
    """
    A temporary $POSTOFFICE below `path`, with zmailer.conf beside it. zenv
    adds or replaces variables (a value of None removes one).
    """

    def __init__(self, path: os.PathLike | str, zenv: dict | None = None):
        self.base = pathlib.Path(path)
        self.path = self.base / "postoffice"
        for name in ("queue", "transport", "public", "deferred", "postman",
                     "freezer", "router"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self.queue = self.path / "queue"
        self.transport = self.path / "transport"
        self.public = self.path / "public"
        self.share = self.base / "share"
        self.var = self.base / "var"
        self.log = self.base / "log"
        self.bin = self.base / "lib"
        for folder in (self.share, self.var, self.log, self.bin):
            folder.mkdir(exist_ok=True)
        self.zconfig = self.base / "zmailer.conf"
        self.zenv: dict[str, str] = {}
        self.set_zenv(**(zenv or {}))
        self.agents: list[Agent] = []

    def set_zenv(self, **change) -> None:
        """Rewrites zmailer.conf."""
        if not self.zenv:
            self.zenv = {
                "ZCONFIG": str(self.zconfig), "MAILBIN": str(self.bin),
                "MAILSHARE": str(self.share), "MAILVAR": str(self.var),
                "POSTOFFICE": str(self.path), "LOGDIR": str(self.log),
                "NOBODY": "nobody", "SYSLOGFLG": "",
            }
        for name, value in change.items():
            self.zenv.pop(name, None)
            if value is not None:
                self.zenv[name] = str(value)
        text = "".join(f"{k}={v}\n" for k, v in self.zenv.items())
        self.zconfig.write_bytes(to_bytes(text))

    def sm_conf(self, text: str) -> pathlib.Path:
        """Writes $MAILSHARE/sm.conf."""
        path = self.share / "sm.conf"
        path.write_bytes(to_bytes(text))
        return path

    def script(self, name: str, text: str) -> pathlib.Path:
        """Writes an executable into the test's own folder."""
        path = self.base / name
        path.write_bytes(to_bytes(text))
        path.chmod(0o755)
        return path

    # -- posting --

    @staticmethod
    def hash_prefix(number: int, levels: int) -> str:
        """The hash directories of a file number, "" or "X/" or "X/Y/"."""
        if levels == 0:
            return ""
        if levels == 1:
            return HASH_LETTERS[number % 26] + "/"
        return (HASH_LETTERS[number // 26 % 26] + "/"
                + HASH_LETTERS[number % 26] + "/")

    def post(self, rcpts=None, *, sender="alice@example.net", body=b"Hi.\n",
             header=b"From: alice@example.net\nSubject: hi\n", groups=None,
             channel="smtp", host="example.com", hash_levels=0, name=None,
             suffix="", format="0x00000007", verbose=None,
             log_id="<1@example.net>", errors=(), extra=(), ret=None,
             envid=None, envelope=None, i_line=None, omit="", mtime=None,
             tail=b"", mangle=None, with_message=True) -> Job:
        """
        Writes a message file and its control file.

        rcpts       users or Rcpt objects; channel and host serve those that
                    name none. groups replaces rcpts, sender and header.
        sender      a user, a Sender, or None for the empty reverse path
        name        the file name instead of the inode number; suffix is
                    added to it ("-789")
        format      value of the `@` line; None: no such line
        verbose     value of a `v` line, e.g. "../public/v_1"
        ret, envid  `R` and `n` lines, behind the first recipient
        extra       whole lines before the first group
        i_line      another value for the `i` line
        omit        letters of lines to leave out ("io")
        body_offset is computed; the message's header is that of the first
                    group
        mtime       of the message file, in seconds
        tail        bytes behind everything
        mangle      called with the control file's bytes, gives others
        with_message  False: no message file
        """
        if groups is None:
            groups = [Group(list(rcpts if rcpts is not None
                                 else ["bob@example.com"]),
                            sender, header)]
        first_header = next((to_bytes(g.header) for g in groups
                             if g.header is not None), b"")
        if envelope is None:
            envelope = b"from <alice@example.net>\nto <bob@example.com>\n"
        front = (to_bytes(envelope) + b"env-end\n" + first_header + b"\n")
        path, name, levels = self._place(name, suffix, hash_levels,
                                         front + to_bytes(body), mtime)
        base = name.rsplit("/", 1)[-1]

        out = bytearray()
        for letter, value in (
                ("@", format), ("v", verbose),
                ("i", base if i_line is None else i_line),
                ("o", str(len(front))), ("l", log_id)):
            if value is not None and letter not in omit:
                out += to_bytes(letter) + b" " + to_bytes(value) + b"\n"
        for value in errors:
            out += b"e " + to_bytes(value) + b"\n"
        for line in extra:
            out += to_bytes(line) + b"\n"
        refs = self._groups(out, groups, channel, host, ret, envid, omit)
        out += tail
        data = bytes(out)
        if mangle is not None:
            data = mangle(data)
        (self.transport / name).parent.mkdir(parents=True, exist_ok=True)
        (self.transport / name).write_bytes(data)
        if not with_message:
            path.unlink()
        return Job(self, name, refs, len(front), data)

    def _place(self, name, suffix, hash_levels, content, mtime):
        """Writes the message file under its name in queue/."""
        draft = self.queue / f".draft-{time.monotonic_ns()}"
        draft.write_bytes(content)
        if mtime is not None:
            os.utime(draft, ns=(int(mtime * 1e9), int(mtime * 1e9)))
        base = (name or str(draft.stat().st_ino)) + suffix
        number = int(re.match(r"\d*", base)[0] or "0")
        name = self.hash_prefix(number, hash_levels) + base
        path = self.queue / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(path)
        return path, name, hash_levels

    @staticmethod
    def _groups(out: bytearray, groups, channel, host, ret, envid, omit):
        """Appends the groups; gives the place of every recipient."""
        refs: list[RcptRef] = []
        waiting: list[RcptRef] = []
        for group in groups:
            for value in group.errors:
                out += b"e " + to_bytes(value) + b"\n"
            at_sender = len(out)
            sender = group.sender
            if not isinstance(sender, Sender):
                sender = Sender(sender)
            if "s" not in omit:
                out += sender.line()
            for rcpt in group.rcpts:
                if not isinstance(rcpt, Rcpt):
                    rcpt = Rcpt(rcpt)
                ref = RcptRef(len(out), to_text(to_bytes(rcpt.user)),
                              delay=rcpt.delay is not None, sender=at_sender)
                refs.append(ref)
                waiting.append(ref)
                out += rcpt.line(channel, host)
                if rcpt.notify is not None:
                    ref.notify = len(out)
                    out += b"N " + to_bytes(rcpt.notify) + b"\n"
                if len(refs) == 1:
                    for letter, value in ((b"R ", ret), (b"n ", envid)):
                        if value is not None:
                            out += letter + to_bytes(value) + b"\n"
                for line in rcpt.extra:
                    out += to_bytes(line) + b"\n"
            if group.header is not None and "m" not in omit:
                for ref in waiting:
                    ref.header = len(out) + 2
                waiting = []
                out += b"m\n" + to_bytes(group.header) + b"\n"
        return refs

    def post_raw(self, control: bytes, message: bytes | None = b"",
                 name: str | None = None) -> Job:
        """Puts any bytes into the spool as a control file."""
        path, name, _ = self._place(name, "", 0, message or b"", None)
        (self.transport / name).write_bytes(control)
        if message is None:
            path.unlink()
        return Job(self, name, [], 0, control)

    def jobs(self) -> list[Job]:
        """All jobs in transport/, by name; names beginning with a dot are
        drafts and not jobs. One that is removed meanwhile is none."""
        found = []
        for path in sorted(self.transport.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found.append(str(path.relative_to(self.transport)))
        jobs = []
        for name in found:
            with contextlib.suppress(FileNotFoundError):
                jobs.append(Job.load(self, name))
        return jobs

    # -- running --

    def environment(self, extra: dict | None = None) -> dict:
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"),
               "ZCONFIG": str(self.zconfig)}
        env.update({k: os.environ[k] for k in SANITIZERS if k in os.environ})
        env.update(extra or {})
        return {k: v for k, v in env.items() if v is not None}

    def agent(self, name: str, *args, **kwargs) -> "Agent":
        agent = Agent(self, name, *args, **kwargs)
        self.agents.append(agent)
        return agent

    def run(self, name: str, *args, input: bytes | str = b"", env=None,
            timeout: float = None, cwd=None, **kwargs):
        """
        Runs a program of ours to its end: CompletedProcess with bytes. A
        name with a slash is taken as it is.
        """
        path = name if "/" in str(name) else str(program(name))
        return subprocess.run(
            [path, *map(os.fspath, args)], input=to_bytes(input),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment(env), cwd=cwd or self.transport,
            timeout=DEADLINE if timeout is None else timeout, **kwargs)

    def close(self) -> None:
        """Ends whatever agent is still running."""
        for agent in self.agents:
            agent.kill()
        self.agents.clear()

    def remove(self) -> None:
        self.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self) -> "Postoffice":
        return self

    def __exit__(self, *exc) -> None:
        self.close()

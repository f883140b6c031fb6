"""
submitted - what submit must have done, worked out a second time.

Spool is a post office in which the calling user may submit. expected() builds
message and control file from the same request as submit got; whole() judges a
job that somebody else finds in the spool. Nothing is shared with the program.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import time

import zpost

IDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123abcdefghijklmnopqrstuvwxyz4567890-="

XTEXT_PLAIN = set(range(0x21, 0x7f)) - set(b"+=")


def spool_id(path: pathlib.Path) -> str:
    """The spool id of a message file (control file format, section 9)."""
    st = path.stat()
    seconds, ns = divmod(st.st_mtime_ns, 10**9)
    t = time.gmtime(seconds)
    numbers = [t.tm_year >> 12, t.tm_year >> 6 & 63, t.tm_year & 63,
               t.tm_mon - 1, t.tm_mday - 1, t.tm_hour, t.tm_min, t.tm_sec]
    if ns:
        numbers += [ns >> bits & 63 for bits in (24, 18, 12, 6, 0)]
    return f"S{st.st_ino}" + "".join(IDS[n] for n in numbers)


def xtext(text: bytes) -> bytes:
    return b"".join(bytes([c]) if c in XTEXT_PLAIN else b"+%02X" % c
                    for c in text)


def receiving(pid: int) -> bool:
    """Has this process a message file that has no name yet?"""
    fds = f"/proc/{pid}/fd"
    for fd in os.listdir(fds):
        try:
            if "/queue/#" in os.readlink(f"{fds}/{fd}"):
                return True
        except FileNotFoundError:
            pass
    return False


class Spool(zpost.Postoffice):
    """A post office with TRUSTEDUSER set to whoever runs the tests."""

    def __init__(self, path, zenv: dict | None = None):
        zenv = {"TRUSTEDUSER": str(os.getuid()), **(zenv or {})}
        super().__init__(path, zenv)

    def submit(self, *args, input: bytes = b"", wrapper=(), raw=True,
               **kwargs):
        """
        Runs submit to its end; wrapper words go in front of it. raw: its
        header stays as it is, so that files can be foretold byte by byte.
        """
        words = ["-O", "raw"] if raw else []
        argv = [*wrapper, str(zpost.program("submit")), *words, *args]
        kwargs.setdefault("cwd", self.base)
        return self.run("/usr/bin/env", *argv, input=input, **kwargs)

    def start(self, *args, **kwargs) -> subprocess.Popen:
        """Starts submit; standard input is a pipe."""
        return subprocess.Popen(
            [str(zpost.program("submit")), "-O", "raw", *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.environment(),
            cwd=self.transport, **kwargs)

    def files(self) -> list[str]:
        """Every file in queue/ and transport/, hidden ones too."""
        return sorted(
            str(p.relative_to(self.path))
            for top in (self.queue, self.transport) for p in top.rglob("*")
            if not p.is_dir())

    def queued(self) -> zpost.Job:
        """The only job, with nothing beside it."""
        job, = self.jobs()
        assert self.files() == [f"queue/{job.name}", f"transport/{job.name}"]
        return job


def expected(job: zpost.Job, *, rcpts, header: bytes, body: bytes,
             sender="alice@example.net", channel="smtp", hosts=None,
             log_id="<1@example.net>") -> tuple[bytes, bytes]:
    """The bytes of message and control file that such a job must have."""
    front = (b"channel error\n" if sender is None
             else b"from <" + zpost.to_bytes(sender) + b">\n")
    uid = os.getuid()
    groups = []
    for i, rcpt in enumerate(map(zpost.to_bytes, rcpts)):
        front += b"to <" + rcpt + b">\n"
        host = (zpost.to_bytes(hosts[i]) if hosts
                else rcpt.rsplit(b"@", 1)[1].lower())
        groups.append(b"r           " + zpost.to_bytes(channel) + b" " + host
                      + b" " + rcpt + b" %d\n" % uid
                      + b"N NOTIFY=FAILURE ORCPT=rfc822;" + xtext(rcpt)
                      + b"\n")
    front += b"env-end\n" + header + b"\n"
    who = (b"error - - " if sender is None
           else b"local - " + zpost.to_bytes(sender) + b" ")
    control = (b"@ 0x00000007\ni %s\no %d\nl %s\ns %s%d\n" % (
        zpost.to_bytes(job.name.rsplit("/", 1)[-1]), len(front),
        zpost.to_bytes(log_id), who, uid)
        + b"".join(groups) + b"m\n" + header + b"\n")
    return front + body, control


def whole(spool: Spool, name: str, messages: dict[bytes, bytes]) -> None:
    """
    Asserts that the control file `name` is complete, and so is its message.
    messages holds bodies by the Message-ID under which they were sent.
    """
    control = (spool.transport / name).read_bytes()
    fields = zpost.read_fields(control)
    found = {f.letter: f for f in fields}
    assert fields[-1].letter == "m", control
    assert [f.letter for f in fields[:5]] == list("@iols"), control
    assert found["i"].value.decode() == name.rsplit("/", 1)[-1]
    message = (spool.queue / name).read_bytes()
    offset = int(found["o"].value)
    assert message[offset:] == messages[found["l"].value]
    head = message[:offset].split(b"env-end\n", 1)[1]
    assert head == found["m"].value + b"\n"

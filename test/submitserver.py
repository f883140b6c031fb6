"""
submitserver - `submit --serve` on a post office, and its protocol, spoken a
second time and, on request, wrongly.

    with Service(path) as service:
        id = service.send(["bob@x"], b"A: b\\n\\nc\\n")
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

import zpost
from submitted import Spool

# LeakSanitizer cannot work below strace.
NO_LEAKS = {"ASAN_OPTIONS":
            os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

NOBODY = pwd.getpwnam("nobody")


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack(">I", len(payload))[1:] + payload


def message(rcpts, text: bytes, **options) -> bytes:
    """All frames of one message."""
    out = b"".join(frame(b"O", f"{name}={value}".encode())
                   for name, value in options.items())
    out += b"".join(frame(b"R", zpost.to_bytes(r)) for r in rcpts)
    out += frame(b"B")
    for at in range(0, len(text), 65536):
        out += frame(b"D", text[at:at + 65536])
    return out + frame(b"E")


class Wire:
    """One connection; the other side sees nobody, or any user, if asked."""

    def __init__(self, service: "Service", as_nobody: bool = False,
                 uid: int | None = None):
        uid = NOBODY.pw_uid if as_nobody else uid
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(zpost.DEADLINE)
        here = os.open(service.path, os.O_PATH)
        try:
            if uid is not None:
                os.seteuid(uid)
            self.socket.connect(f"/proc/self/fd/{here}/submit.socket")
        finally:
            if uid is not None:
                os.seteuid(0)
            os.close(here)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise EOFError(data)
            data += part
        return data

    def answer(self) -> tuple[int, str]:
        """(0, id), or the exit code and the reason."""
        head = self.read(4)
        text = self.read(int.from_bytes(head[1:], "big")).decode()
        if head[:1] == b"A":
            return 0, text
        assert head[:1] == b"N", head
        code, _, reason = text.partition(" ")
        return int(code), reason

    def ends(self) -> bool:
        """Does the other side close without another word?"""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Service(Spool):
    """A spool with the service; folder and program are open to others."""

    def __init__(self, path, zenv: dict | None = None, wrapper=()):
        super().__init__(path, {"TRUSTEDUSER": None,
                                "MAILNAME": "mail.example", **(zenv or {})})
        self.base.chmod(0o755)
        self.path.chmod(0o755)
        for folder in (self.queue, self.transport):
            folder.chmod(0o700)
        shutil.copy(zpost.program("submit"), self.base / "sendmail")
        shutil.copy(zpost.program("submit"), self.base / "submit")
        self.process = None
        self.log_file = self.base / "submit.log"
        self.begin(wrapper)

    def begin(self, wrapper=(), env: dict | None = None) -> None:
        self.log_file.write_bytes(b"")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, str(self.base / "submit"), "--serve"],
                env=self.environment({**(NO_LEAKS if wrapper else {}),
                                      **(env or {})}),
                stdin=subprocess.DEVNULL, stderr=log)
        zpost.wait_for(self.is_up, "the service")

    @property
    def said(self) -> str:
        """What it has logged since it began."""
        return self.log_file.read_text(errors="replace")

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.said
        return " serving " in self.said

    def stop(self) -> tuple[int, str]:
        """Ends the service; its exit code and all it logged."""
        if self.process is None:
            return 0, ""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(zpost.DEADLINE)
        self.process = None
        return code, self.said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(zpost.DEADLINE)
        self.process = None

    def __exit__(self, *args):
        code, log = self.stop()
        super().__exit__(*args)
        if args[0] is None:
            assert code == 0, log

    def as_user(self, name, *args, input=b"A: b\n\nc\n", wait=True):
        """Runs sendmail or submit as somebody who is nobody."""
        return subprocess.run(
            [str(self.base / name), *args], input=input, user="nobody",
            group=NOBODY.pw_gid, extra_groups=[], env=self.environment(),
            capture_output=True, timeout=zpost.DEADLINE)

    def send(self, rcpts, text: bytes, **options) -> str:
        with Wire(self) as wire:
            wire.say(message(rcpts, text, **options))
            code, answer = wire.answer()
        assert code == 0, answer
        return answer


@pytest.fixture
def make():
    """make(zenv, wrapper) starts a service in a folder open to others."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="zpost-service-",
                                     dir="/tmp") as base:
        started = []

        def start(zenv=None, wrapper=()):
            started.append(Service(base, zenv, wrapper))
            return started[-1]

        yield start
        for service in started:
            service.__exit__(None, None, None)


@pytest.fixture
def service(make):
    return make()

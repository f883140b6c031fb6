"""
netns - two hosts on one machine, joined by a wire: two network namespaces.

    with Net() as net:                      # root only, else it skips
        net.wrapper                         # runs a command on the near one
        net.far_wrapper                     # and on the far one
        net.far(3)                          # "10.99.0.3", an address of the
        net.far6(3)                         # far one; so is "fd99::3"
        net.hole(1), net.hole6(1)           # routed there, dropped silently
        net.barred(1)                       # EHOSTUNREACH at once
        net.inside(function)                # called on the far one
        net.server(3, script=...)           # smtpd.Server there, on port 25

Nobody else sees them, so ports and addresses are fixed. They have no names and
vanish with their last process; the ones that keep them end with whoever made
them, even if that one is killed.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading

import pytest

import smtpd
from badnames import Nameserver

FAR = 30                # the far host has addresses 2 to FAR
NEAR_MAC, FAR_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
CLONE_NEWNET = 0x40000000
START = 20              # seconds


class Net:
    def __init__(self):
        if os.getuid() != 0:
            pytest.skip("only root can make network namespaces")
        self.keepers: list[subprocess.Popen] = []
        self.started: list = []

    def _keeper(self) -> subprocess.Popen:
        keeper = subprocess.Popen(
            ["/usr/bin/unshare", "--net", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd="/")
        self.keepers.append(keeper)
        if keeper.stdout.readline() == b"":
            pytest.skip("no network namespaces: "
                        + keeper.stderr.read().decode("utf-8", "replace"))
        return keeper

    def _enter(self, keeper: subprocess.Popen) -> list[str]:
        return ["/usr/bin/nsenter", f"--net=/proc/{keeper.pid}/ns/net"]

    def _ip(self, keeper: subprocess.Popen, text: str) -> None:
        subprocess.run([*self._enter(keeper), "ip", "-batch", "-"],
                       input=text.encode(), check=True, timeout=START)

    def __enter__(self) -> "Net":
        try:
            near, far = self._keeper(), self._keeper()
            self._ip(far, "link set lo up\n")
            self._ip(near, "link set lo up\n"
                     f"link add wire address {NEAR_MAC} type veth "
                     f"peer name wire address {FAR_MAC} netns {far.pid}\n"
                     "address add 10.99.0.1/24 dev wire\n"
                     "address add fd99::1/64 dev wire nodad\n"
                     "link set wire up\n")
            self._ip(far, "".join(
                f"address add {self.far(n)}/24 dev wire\n"
                f"address add {self.far6(n)}/64 dev wire nodad\n"
                for n in range(2, FAR + 1)) + "link set wire up\n"
                f"neigh add fd99::1 lladdr {NEAR_MAC} dev wire\n"
                "route add blackhole 10.98.0.0/24\n"
                "route add blackhole fd98::/64\n")
            # Who asks for a neighbour on a link this new waits a second.
            known = "".join(
                f"neigh add {self.far6(n)} lladdr {FAR_MAC} dev wire\n"
                for n in range(2, FAR + 1))
            self._ip(near, known + "route add 10.98.0.0/24 via 10.99.0.2\n"
                     "route add fd98::/64 via fd99::2\n"
                     "route add unreachable 10.97.0.0/24\n")
        except BaseException:
            self.end()
            raise
        self.wrapper = [*self._enter(near), "--"]
        self.far_wrapper = [*self._enter(far), "--"]
        return self

    def end(self) -> None:
        for one in self.started:
            one.stop()
        for keeper in self.keepers:
            keeper.kill()
            keeper.communicate()

    def __exit__(self, *exc) -> None:
        self.end()
        for one in self.started:
            if exc[0] is None and isinstance(one, smtpd.Server):
                one.check()
            elif exc[0] is None:
                assert not one.problems, one.problems

    @staticmethod
    def far(n: int) -> str:
        return f"10.99.0.{n}"

    @staticmethod
    def far6(n: int) -> str:
        return f"fd99::{n:x}"

    @staticmethod
    def hole(n: int) -> str:
        return f"10.98.0.{n}"

    @staticmethod
    def hole6(n: int) -> str:
        return f"fd98::{n:x}"

    @staticmethod
    def barred(n: int) -> str:
        return f"10.97.0.{n}"

    def inside(self, function):
        """Calls it on the far host; what it opens stays there."""
        result: list = []
        problem: list = []

        def body() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            try:
                with open(f"/proc/{self.keepers[1].pid}/ns/net", "rb") as f:
                    if libc.setns(f.fileno(), CLONE_NEWNET) < 0:
                        raise OSError(ctypes.get_errno(), "setns")
                result.append(function())
            except Exception as e:
                problem.append(e)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if problem:
            raise problem[0]
        return result[0]

    def server(self, n: int, *, v6: bool = False, port: int = 25,
               kind=smtpd.Server, **how) -> smtpd.Server:
        """A mail server on the far host; it ends with the net."""
        net = self

        class Far(kind):
            def _bind(self) -> socket.socket:
                return net.inside(super()._bind)

        server = Far(listen=self.far6(n) if v6 else self.far(n), port=port,
                     **how)
        self.started.append(server.start())
        return server

    def nameserver(self, rules) -> Nameserver:
        """A name server on the far host's second address, port 53."""
        net = self

        class Far(Nameserver):
            def _bind(self) -> tuple:
                return net.inside(super()._bind)

        started = Far(rules, place=(self.far(2), 53)).start()
        self.started.append(started)
        return started

"""
fakesched - the scheduler's socket without a scheduler, for tests of mailq.

    with FakeScheduler(office) as s:
        s.answers["count"] = ['{"messages":1}', "ok"]
        s.jobs = [...]              # what `show` tells
        ...
    assert s.asked == [...]

A request that is not in `answers` is a command: "ok", unless `refuse(request)`
gives a text. `count`, `status`, `show`, `destinations` and `agents` are
answered from the attributes of that name. Bytes are sent as they are, so a
hostile scheduler can be played too.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import threading


class FakeScheduler:
    def __init__(self, office, path: pathlib.Path | None = None):
        self.path = path or office.path / ".scheduler.socket"
        self.asked: list[str] = []
        self.answers: dict[str, list] = {}
        self.jobs: list[dict] = []
        self.count: dict = {}
        self.status: dict = {}
        self.destinations: list[dict] = []
        self.agents: list[dict] = []
        self.metrics = ""
        self.refuse = lambda request: None
        self.listener = socket.socket(socket.AF_UNIX)
        self.threads: list[threading.Thread] = []
        self.clients: list[socket.socket] = []

    def __enter__(self) -> "FakeScheduler":
        self.listener.bind(str(self.path))
        self.listener.listen(10)
        self.main = threading.Thread(target=self._accept)
        self.main.start()
        return self

    def __exit__(self, *exc) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.main.join(20)
        for c in self.clients:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for t in self.threads:
            t.join(20)
        os.unlink(self.path)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.append(client)
            self.threads.append(threading.Thread(target=self._serve,
                                                 args=(client,)))
            self.threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            for line in lines:
                request = line.decode("utf-8", "surrogateescape").rstrip("\n")
                self.asked.append(request)
                try:
                    for part in self.answer(request):
                        client.sendall(part if isinstance(part, bytes)
                                       else part.encode() + b"\n")
                except OSError:
                    return

    def answer(self, request: str):
        if request in self.answers:
            return self.answers[request]
        words = request.split(" ")
        if request == "metrics":
            return [*self.metrics.splitlines(), "ok"]
        if request in ("count", "status"):
            return [json.dumps(getattr(self, request)), "ok"]
        if request in ("destinations", "agents"):
            return [*map(json.dumps, getattr(self, request)), "ok"]
        if words[0] == "show":
            return self._show(words[1:])
        problem = self.refuse(request)
        return [f"error: {problem}" if problem else "ok"]

    def _show(self, words: list[str]):
        found = self.jobs
        if words[:1] == ["message"]:
            found = [j for j in self.jobs if j["message"] == words[1]]
            if not found:
                return [f"error: there is no message '{words[1]}'"]
        elif words[:1] == ["destination"]:
            found = [j for j in self.jobs
                     if [j["channel"], j["host"]] == words[1:]]
        return [*map(json.dumps, found), "ok"]

    @property
    def commands(self) -> list[str]:
        """What was asked but questions."""
        questions = ("show", "count", "status", "metrics", "destinations",
                     "agents")
        return [x for x in self.asked if x.split(" ")[0] not in questions]


def job_of(job, indexes=None, host="example.com", channel="smtp",
           rcpts="open", state="waiting", **more) -> dict:
    """A line of `show` about a message of the office."""
    offsets = [job.offsets[i] for i in (range(len(job.offsets))
                                        if indexes is None else indexes)]
    return {"message": job.name, "channel": channel, "host": host,
            "state": state, "suspended": False,
            "rcpts": [[x, rcpts] for x in offsets], "tries": 1,
            "arrived": int(job.message.stat().st_mtime), **more}

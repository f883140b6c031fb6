"""
peerroot - other people's servers, each in a root of its own.

Mail systems insist on fixed paths, on users and groups that are not there,
and on being root. So each is given a small root folder: the packages that
tools/peers unpacked, the shared libraries that they need, a passwd file with
the users they want. The server is started in it with chroot(8), in the
foreground, with its logs and its spool inside; of the machine it sees nothing
but the loopback network. No mount and no namespace is needed, only root.

What is the same for all instances is made once, build/roots/NAME, and hard
linked into the folder of the test; what is written is written anew.

    class Someserver(Server):
        NAME = "someserver"
        PACKAGES = ["someserver-core"]
        ...
    with Someserver(tmp_path) as server:    # started; greets at server.port
        ...
        server.taken()                      # what it accepted, from its queue
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"
ROOTS = ROOT / "build" / "roots"
START = 30          # seconds that a server may take to greet, or to end
NOBODY = 65534
RECIPE = 1          # change it to have all roots made anew


class Missing(Exception):
    """Something that such a server needs cannot be had here."""


@dataclasses.dataclass
class Taken:
    """
    One message as a server holds it: its own header fields taken off the
    content, lines ended by LF. Of the parameters those that it keeps; of
    notify and orcpt one for each recipient, None where there was none.
    """

    id: str
    sender: str
    rcpts: list[str]
    content: bytes
    envid: str | None = None
    ret: str | None = None
    notify: list[str | None] = dataclasses.field(default_factory=list)
    orcpt: list[str | None] = dataclasses.field(default_factory=list)
    by: str | None = None
    utf8: bool = False


def take_off(content: bytes, *names: str) -> bytes:
    """The message without the fields of these names at its very start."""
    for name in names:
        m = re.match(re.escape(name.encode())
                     + rb":[^\n]*\n([ \t][^\n]*\n)*", content)
        if m is None:
            raise AssertionError(f"no {name}: at {content[:200]!r}")
        content = content[m.end():]
    return content


PORTS = range(12000, 30000)     # below those that connections are given
_next_port = random.SystemRandom().choice(PORTS)


def free_port() -> int:
    """
    A port of 127.0.0.1. Each process counts up from a number of its own, so
    that two of them hardly ever want the same.
    """
    global _next_port
    for _ in PORTS:
        port = _next_port
        _next_port = PORTS[(port + 1 - PORTS[0]) % len(PORTS)]
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Missing("no port is free")


# ---- the root ---------------------------------------------------------------


def is_elf(path: pathlib.Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def libraries(files: list[pathlib.Path]) -> set[str]:
    """What these load, by its path on this machine, the loader too."""
    if not files:
        return set()
    text = subprocess.run(["ldd", *files], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=60,
                          text=True).stdout
    return set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", text, re.M))


def merged(path: str) -> str:
    """bin, sbin, lib and lib64 lie below usr."""
    return re.sub(r"^/?(bin|sbin|lib|lib64)/", r"usr/\1/",
                  path.lstrip("/"))


def put(source: pathlib.Path, target: pathlib.Path) -> None:
    """Links, or copies from another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        return
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def lay_out(base: pathlib.Path, packages: list[str],
            programs: list[str]) -> None:
    """Packages, programs of this machine, and the libraries of all."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (base / "usr" / name).mkdir(parents=True)
        (base / name).symlink_to("usr/" + name)
    wanted: list[pathlib.Path] = []
    for package in packages:
        tree = PEERS / package
        for path in sorted(tree.rglob("*")):
            at = str(path.relative_to(tree))
            if at.startswith(("usr/share/doc", "usr/share/man",
                              "usr/share/locale", "usr/share/lintian")):
                continue
            target = base / merged(at)
            if path.is_dir() and not path.is_symlink():
                target.mkdir(parents=True, exist_ok=True)
                continue
            put(path, target)
            if is_elf(path):
                wanted.append(path)
    for name in programs:
        found = shutil.which(name)
        if found is None:
            raise Missing(f"{name} is not installed")
        path = pathlib.Path(found).resolve()
        target = base / merged(found)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        if is_elf(path):
            wanted.append(path)
    for name in sorted(libraries(wanted)):
        target = base / merged(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(os.path.realpath(name), target)


def base_root(name: str, packages: list[str],
              programs: list[str]) -> pathlib.Path:
    """build/roots/NAME, made when it is not there or not of this recipe."""
    if os.getuid() != 0:
        raise Missing("only root can chroot")
    for package in packages:
        if not (PEERS / package).is_dir():
            raise Missing(f"{package} is not unpacked (make setup)")
    stamp = json.dumps([RECIPE, programs] + [
        [p, (PEERS / p).stat().st_mtime_ns] for p in packages])
    ROOTS.mkdir(parents=True, exist_ok=True)
    base = ROOTS / name
    with open(ROOTS / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = ROOTS / (name + ".stamp")
        if not (base.is_dir() and mark.exists()
                and mark.read_text() == stamp):
            mark.unlink(missing_ok=True)
            shutil.rmtree(base, ignore_errors=True)
            lay_out(base, packages, programs)
            mark.write_text(stamp)
    return base


def clone(base: pathlib.Path, folder: pathlib.Path) -> None:
    """A tree of hard links to a base root."""
    for top, dirs, files in os.walk(base):
        here = folder / os.path.relpath(top, base)
        here.mkdir(parents=True, exist_ok=True)
        for name in files + [d for d in dirs
                             if os.path.islink(os.path.join(top, d))]:
            put(pathlib.Path(top, name), here / name)


def furnish(folder: pathlib.Path, users: dict[str, int]) -> None:
    """
    /dev, /tmp, and the few files of /etc that every program reads: the
    users, each with a group of the same name and number, and host names.
    """
    etc, dev = folder / "etc", folder / "dev"
    for path in (etc, dev, folder / "tmp", folder / "var/run",
                 folder / "var/log", folder / "var/empty", folder / "root"):
        path.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8),
                        ("urandom", 9)):
        try:
            os.mknod(dev / name, 0o020666, os.makedev(1, minor))
            (dev / name).chmod(0o666)
            open(dev / name, "rb").close()
        except OSError as reason:
            raise Missing(f"no devices in {folder}: {reason}") from None
    all_users = {"root": 0, **users, "nobody": NOBODY}
    (etc / "passwd").write_text("".join(
        f"{n}:x:{i}:{i}::/:/bin/sh\n" for n, i in all_users.items()))
    (etc / "group").write_text("".join(
        f"{n}:x:{i}:\n" for n, i in {**all_users,
                                     "nogroup": NOBODY}.items()))
    (etc / "hosts").write_text(
        "127.0.0.1 localhost\n"
        f"127.0.1.1 {socket.gethostname().split('.')[0]}.peer.example "
        f"{socket.gethostname()}\n")
    (etc / "nsswitch.conf").write_text(
        "passwd: files\ngroup: files\nhosts: files\nservices: files\n"
        "protocols: files\n")
    (etc / "host.conf").write_text("multi on\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n"
                                     "options timeout:1 attempts:1\n")
    (etc / "services").write_text("smtp 25/tcp\nlmtp 24/tcp\n")
    (etc / "protocols").write_text("ip 0 IP\ntcp 6 TCP\nudp 17 UDP\n")


# ---- a server in it ---------------------------------------------------------

# Whoever started a server may be killed. Then this reads the end of its input
# and ends all processes of the root.
GUARD = """\
cat
for round in 1 2; do
	for root in /proc/[0-9]*/root; do
		case $(readlink "$root")/ in
		"$1"/*) pid=${root#/proc/}; kill -9 "${pid%/root}" ;;
		esac
	done
done
"""


class Server:
    """
    A server below `folder`/NAME. setup() writes its configuration, with
    paths as seen in the root; command() is what runs in the foreground.
    Nothing of it is left behind stop().
    """

    NAME = ""
    PACKAGES: list[str] = []
    PROGRAMS: list[str] = []    # of this machine, e.g. sh
    USERS: dict[str, int] = {}
    ENV: dict[str, str] = {}

    def __init__(self, folder: os.PathLike | str):
        self.folder = pathlib.Path(folder).resolve() / self.NAME
        self.process: subprocess.Popen | None = None
        self.guard: subprocess.Popen | None = None
        self.port = free_port()
        clone(base_root(self.NAME, self.PACKAGES, self.PROGRAMS),
              self.folder)
        self.folder.chmod(0o755)
        furnish(self.folder, self.USERS)
        self.setup()

    # -- what each server says --

    def setup(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def taken(self) -> list[Taken]:
        raise NotImplementedError

    @property
    def log(self) -> str:
        return "".join(p.read_text("utf-8", "replace") for p in sorted(
            (self.folder / "var/log").rglob("*")) if p.is_file())

    # -- for all --

    def write(self, name: str, text: str | bytes, mode: int = 0o644):
        """A file of the root; the folders above are made."""
        path = self.folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def make_dir(self, name: str, user: str = "root", group: str = "root",
                 mode: int = 0o755) -> pathlib.Path:
        path = self.folder / name.lstrip("/")
        path.mkdir(parents=True, exist_ok=True)
        numbers = {"root": 0, "nobody": NOBODY, **self.USERS}
        os.chown(path, numbers[user], numbers[group])
        path.chmod(mode)
        return path

    def argv(self, *command) -> list[str]:
        """A command to run in the root."""
        return ["/usr/sbin/chroot", str(self.folder), *map(str, command)]

    @property
    def environment(self) -> dict:
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC0",
                **self.ENV}

    def run(self, *command, **kwargs) -> subprocess.CompletedProcess:
        """Runs a command in the root to its end."""
        kwargs = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
                  "stdin": subprocess.DEVNULL, "timeout": 60,
                  "env": self.environment, **kwargs}
        if "input" in kwargs:
            del kwargs["stdin"]
        return subprocess.run(self.argv(*command), **kwargs)

    @property
    def destination(self) -> str:
        return f"[127.0.0.1]:{self.port}"

    def spare_disk(self) -> None:
        """
        From the next start on fsync(2) does nothing. A test kills programs,
        not the machine, and disks are slow; who measures lets it be.
        """
        for path in sorted((PEERS / "libeatmydata1").rglob("*.so.*")):
            if not path.is_symlink():
                put(path, self.folder / "usr/lib/libeatmydata.so")
                self.write("etc/ld.so.preload", "/usr/lib/libeatmydata.so\n")

    def start(self) -> "Server":
        """Starts it and waits until it greets."""
        assert self.process is None
        output = open(self.folder / "var/log/output", "ab")
        try:
            self.guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", str(self.folder)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True, cwd="/")
            self.process = subprocess.Popen(
                self.argv(*self.command()), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, env=self.environment,
                start_new_session=True, cwd="/")
        finally:
            output.close()
        end = time.monotonic() + START
        while not self.greets():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"{self.NAME} does not start:\n{self.log}")
            time.sleep(0.02)
        return self

    def greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port),
                                          START) as s:
                if not s.recv(4).startswith(b"220"):
                    return False
                s.sendall(b"QUIT\r\n")
                while s.recv(4096):
                    pass
                return True
        except OSError:
            return False

    def processes(self) -> list[int]:
        """All processes that run in the root, or in a root within it."""
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                root = os.readlink(proc / "root")
            except OSError:
                continue
            if (root + "/").startswith(str(self.folder) + "/"):
                found.append(int(proc.name))
        return found

    def kill(self) -> None:
        """All of it at once, as a crash would: none sees another die."""
        how = signal.SIGSTOP
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, how)
                except ProcessLookupError:
                    pass
            if self.process is not None:
                self.process.poll()
            if how == signal.SIGKILL:
                time.sleep(0.005)
            how = signal.SIGKILL
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        if self.guard is not None:
            self.guard.kill()
            self.guard.communicate()
            self.guard = None

    def stop(self) -> None:
        """Politely first."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Server":
        return self if self.process else self.start()

    def __exit__(self, *exc) -> None:
        self.remove()

"""
bootedhost - a throw-away copy of this machine, booted by its own systemd.

    with Net() as net, Host(tmp_path, net) as host:
        host.copy(package, "/var/cache/zpost.deb")
        host.run("dpkg", "-i", "/var/cache/zpost.deb")
        host.run("systemctl", "is-active", "zpost-scheduler")

The root is this machine's / with everything that is written kept in memory
above it (overlayfs on a tmpfs), seen in a mount namespace of its own. In it
runs the real systemd as process 1 of a process namespace, in a control group
of its own, on the near side of a netns.Net. So a package is really installed,
its scripts and dpkg's triggers really run, and its services are started the
way they say, with every restriction. When the host is stopped all its
processes and mounts vanish with their namespaces, and so they do when the
test is killed.

Nothing of this machine but the root file system is in it, and folders that are
shown, to be read only: no unit is started that it would start, no other file
system is mounted, and the kernel's settings can only be read.

Needs root, overlayfs, control groups (v2) and systemd; what is missing is a
skip with its name.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

START = 40      # seconds; most of a boot takes two

# $1 a mount point, $2 a name for the control group, $3 what follows below,
# then pairs of a folder and where it is shown. With --unit systemd starts
# nothing else than what that wants, and wants are taken away.
BOOT = r"""
set -eu
mount -t cgroup2 none "$1"
mkdir "$1/$2"
echo 0 > "$1/$2/cgroup.procs"
umount "$1"
point=$1 inside=$3
shift 3
exec unshare --cgroup --pid --uts --ipc --mount --fork --kill-child \
	sh -euc "$inside" boot "$point" "$@"
"""

INSIDE = r"""
hostname plain
mount -t tmpfs -o mode=755 none "$1"
mkdir "$1/new" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/new,workdir=$1/work" overlay \
	"$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 none dev
for name in null zero full random urandom tty; do
	touch "dev/$name"
	mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mkdir dev/shm old
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=1777 none tmp

rm -rf etc/systemd/system/*.wants lib/systemd/system/*.wants \
	etc/fstab etc/resolv.conf etc/mailname var/lib/man-db/auto-update \
	usr/sbin/policy-rc.d var/mail/*
units=lib/systemd/system
mkdir -p $units/sysinit.target.wants
for unit in systemd-journald.socket systemd-journald-dev-log.socket; do
	ln -s "../$unit" $units/sysinit.target.wants/
done
cat > etc/hosts <<-END
	127.0.0.1 localhost
	10.99.0.1 plain.example plain
END
echo nameserver 10.99.0.2 > etc/resolv.conf
echo plain > etc/hostname

shift
while [ $# -ge 2 ]; do
	mkdir -p "./$2"
	mount --bind "$1" "./$2"
	mount -o remount,bind,ro "./$2"
	shift 2
done

pivot_root . old
umount -l old
exec env -i container=zpost PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=basic.target --show-status=no \
	--log-target=journal --log-level=notice
"""

REMOVE = r"""
mount -t cgroup2 none "$1"
[ ! -d "$1/$2" ] || find "$1/$2" -depth -type d -exec rmdir {} +
"""


class Host:
    """
    folder   where it is mounted meanwhile; empty again at the end
    shown    folders of this machine, by the paths that they have there
    """

    def __init__(self, folder: pathlib.Path, net, shown=None):
        self.point = folder / "host"
        self.point.mkdir()
        self.group = f"zpost-test-{os.getpid()}-{time.monotonic_ns()}"
        self.net = net
        self.shown = dict(shown or {})
        self.process: subprocess.Popen | None = None
        self.first = 0          # its process 1, as we number it

    def __enter__(self) -> "Host":
        for name in ("unshare", "nsenter", "setpriv", "pivot_root", "mount"):
            if shutil.which(name) is None:
                pytest.skip(f"{name} is not installed")
        if not os.access("/lib/systemd/systemd", os.X_OK):
            pytest.skip("systemd is not installed")
        known = pathlib.Path("/proc/filesystems").read_text().split()
        if "overlay" not in known or "cgroup2" not in known:
            pytest.skip("the kernel has no overlayfs, or no cgroup2")
        try:
            self._boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self.stop()

    def _boot(self) -> None:
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self.net.wrapper, "unshare",
             "--mount", "sh", "-c", BOOT, "boot", self.point, self.group,
             INSIDE,
             *(x for at, what in self.shown.items() for x in (what, at))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd="/", start_new_session=True)
        end = time.monotonic() + START
        while time.monotonic() < end:
            if self.process.poll() is not None:
                pytest.skip("no such host can be made here: "
                            + self.process.stdout.read().decode(
                                "utf-8", "replace"))
            self.first = self.first or self._find_first()
            if self.first and self.ask("systemctl", "is-active",
                                       "basic.target")[1] == "active\n":
                return
            time.sleep(0.05)
        raise AssertionError("systemd did not come up: " + self.ask(
            "systemctl", "list-jobs", "--no-pager")[1])

    def _find_first(self) -> int:
        """systemd is the only child of the last unshare."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/"
                                f"{self.process.pid}/children")
        try:
            for pid in children.read_text().split():
                name = pathlib.Path(f"/proc/{pid}/comm").read_text()
                if name == "systemd\n":
                    return int(pid)
        except OSError:
            pass
        return 0

    def stop(self) -> None:
        """All of it at once; then the control groups that are left."""
        if self.process is not None:
            for pid in (self.first, self.process.pid):
                try:
                    if pid:
                        os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.communicate()
        deadline = time.monotonic() + 10
        while subprocess.run(
                ["unshare", "--mount", "sh", "-euc", REMOVE, "remove",
                 self.point, self.group], stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=30).returncode:
            assert time.monotonic() < deadline, f"cgroup {self.group} is left"
            time.sleep(0.05)
        self.point.rmdir()

    # ---- in it --------------------------------------------------------------

    def argv(self, *command, user: str = "") -> list[str]:
        """A command that runs on the host, as root or as a user of it."""
        become = ["runuser", "-u", user, "--"] if user else []
        return ["nsenter", f"--target={self.first}", "--mount", "--pid",
                "--uts", "--ipc", "--cgroup", "--net", "--root", "--wdns=/",
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *become,
                *map(str, command)]

    def ask(self, *command, user: str = "", text: str = "",
            limit: float = 40) -> tuple[int, str]:
        """(exit status, what it printed, errors too)"""
        done = subprocess.run(self.argv(*command, user=user),
                              input=text.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def run(self, *command, **how) -> str:
        """What a command printed that must end well."""
        status, said = self.ask(*command, **how)
        assert status == 0, f"{command}: {status}: {said}\n{self.journal()}"
        return said

    def journal(self) -> str:
        return self.ask("journalctl", "--no-pager", "-o", "cat",
                        "-n", "60")[1]

    def copy(self, source: pathlib.Path, target: str) -> None:
        with open(source, "rb") as f:
            subprocess.run(self.argv("tee", target), stdin=f, check=True,
                           stdout=subprocess.DEVNULL, timeout=40)

    def read(self, path: str) -> str:
        return self.run("cat", path)

    def write(self, path: str, text: str, mode: str = "644") -> None:
        self.run("sh", "-c", 'cat > "$0" && chmod "$1" "$0"', path, mode,
                 text=text)

    def wait(self, what: str, *command, limit: float = 30, **how) -> str:
        """Until the command ends well; what it then printed."""
        end = time.monotonic() + limit
        while True:
            status, said = self.ask(*command, **how)
            if status == 0:
                return said
            assert time.monotonic() < end, \
                f"{what}: {command}: {said}\n{self.journal()}"
            time.sleep(0.1)

"""
exim - an Exim that queues messages and then sends them all to one host, over
one connection as long as it has messages for it.
"""

import ctypes.util
import pathlib
import subprocess

from peerroot import Missing
from peers import PEERS, ids, own, script

CONF = """
exim_user = {uid}
exim_group = {gid}
exim_path = {folder}/exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
primary_hostname = exim.example
qualify_domain = exim.example
never_users =
host_lookup =
keep_environment =
local_interfaces = <; 127.0.0.1
disable_ipv6 = true
deliver_drop_privilege = true
untrusted_set_sender = *
local_from_check = false
message_size_limit = 0
remote_max_parallel = 1
queue_run_in_order = true
acl_not_smtp = accept
begin routers
all:
  driver = manualroute
  route_list = * {address} byname
  transport = out
begin transports
out:
  driver = smtp
  port = {port}
  hosts_try_chunking = {chunking}
  connection_max_messages = 0
begin retry
*  *  F,1h,1m
"""


class Exim:
    """Debian's Exim in a folder of its own; wrapper runs before it."""

    def __init__(self, base, address, port, chunking, wrapper=()):
        program = PEERS / "exim4-daemon-light" / "usr/sbin/exim4"
        if not program.exists():
            raise Missing("exim4-daemon-light is not unpacked (make setup)")
        nss = ctypes.util.find_library("nss_wrapper")
        if nss is None:
            raise Missing("libnss-wrapper is not installed")
        self.wrapper = list(wrapper)
        self.folder = pathlib.Path(base) / f"exim-{port}"
        uid, gid = ids()
        # A base that only its owner may enter would be closed to Exim.
        pathlib.Path(base).chmod(0o755)
        own(self.folder, *(self.folder / name for name in ("spool", "log")))
        conf = self.folder / "conf"
        conf.write_text(CONF.format(
            folder=self.folder, uid=uid, gid=gid, address=address, port=port,
            chunking="*" if chunking else ":"))
        passwd, group = self.folder / "passwd", self.folder / "group"
        passwd.write_text("root:x:0:0::/:/bin/sh\n" + "".join(
            f"{name}:x:{uid}:{gid}::/:/bin/sh\n"
            for name in ("nobody", "Debian-exim")))
        group.write_text("root:x:0:\n" + "".join(
            f"{name}:x:{gid}:\n" for name in ("nogroup", "Debian-exim",
                                              "mail")))
        self.program = script(
            self.folder / "exim",
            {"LD_PRELOAD": nss, "NSS_WRAPPER_PASSWD": passwd,
             "NSS_WRAPPER_GROUP": group}, [program, "-C", conf])

    @property
    def log(self) -> str:
        return "".join(p.read_text("utf-8", "replace") for p in sorted(
            (self.folder / "log").iterdir()))

    def run(self, *arguments, **how) -> str:
        done = subprocess.run([*self.wrapper, self.program, *arguments],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, **how)
        if done.returncode != 0:
            raise RuntimeError(f"exim: {done.stdout!r}\n{self.log}")
        return done.stdout.decode("ascii", "replace")

    @property
    def version(self) -> str:
        return self.run("-bV").split()[2]

    def inject(self, n: int, size: int) -> None:
        """n messages of this size into its queue."""
        text = "From: a@example.net\n\n" + ("x" * 70 + "\n") * (size // 71)
        for _ in range(n):
            self.run("-odq", "-oi", "-f", "a@example.net", "b@example.com",
                     input=text.encode())

    def flush(self) -> None:
        """
        Sends all. The first of two passes finds out that they go to the same
        host, without which each would have a connection of its own.
        """
        self.run("-qqf")

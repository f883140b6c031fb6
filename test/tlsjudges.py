"""
tlsjudges - what other programs think of a site (tlsworld.py): Postfix's
posttls-finger, and ldns-dane. Both want a resolver at port 53, which is an
unbound that validates, on an address of its own.

    with Judges(site) as judges:
        judges.finger("secure")         # -> Finger("Verified", log)
        judges.ldns("mx1.secure")       # -> True: DANE is fine
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import peerroot
from names import Unbound, free_place
from peers_postfix import Postfix
from tlsworld import Site


class Resolver(Unbound):
    """On port 53, before the site's name server."""

    def find_place(self) -> tuple[str, int]:
        return free_place(53)


@dataclasses.dataclass
class Finger:
    """
    level: "Verified", "Trusted", "Untrusted", "Anonymous", or "" if there was
    no TLS connection. sent: whether it came to the end of the dialogue.
    """

    level: str
    log: str


class Judges:
    def __init__(self, site: Site):
        if os.getuid() != 0:
            pytest.skip("only root can use port 53")
        self.site = site
        site.start()
        self.resolver = Resolver(site.world.folder, site.names.place)
        self.postfix: Postfix | None = None

    def __enter__(self) -> "Judges":
        self.resolver.start()
        return self

    def __exit__(self, *exc) -> None:
        self.resolver.stop()
        if self.postfix is not None:
            self.postfix.remove()

    def finger(self, domain: str, level: str = "dane", *more) -> Finger:
        """One SMTP session to its exchangers; it trusts no authority."""
        if self.postfix is None:
            try:
                self.postfix = Postfix(
                    self.site.folder / "finger", disable_dns_lookups="no",
                    smtp_dns_support_level="dnssec", smtp_host_lookup="dns")
            except peerroot.Missing as reason:
                pytest.skip(str(reason))
            self.postfix.write(
                "etc/resolv.conf", f"nameserver {self.resolver.place[0]}\n"
                "options timeout:2 attempts:1 edns0 trust-ad\n")
        done = self.postfix.run(
            "posttls-finger", "-c", "-l", level, "-L",
            "summary,verbose", "-t", "5",
            "-T", "5", *more, f"{domain}.example:{self.site.port}")
        log = done.stdout.decode("utf-8", "replace")
        m = re.search(r"(\w+) TLS connection established", log)
        return Finger(m[1] if m else "", log)

    def ldns(self, host: str, named: bool = True) -> bool:
        """
        TLS from the first byte: the host has to be a wrapper. It compares
        names for DANE-EE too, unless named is False.
        """
        program = shutil.which("ldns-dane")
        if program is None:
            pytest.skip("ldns-dane is not installed")
        roots = pathlib.Path(self.site.world.folder) / "anchor"
        done = subprocess.run(
            [program, "-4", "-r", self.resolver.place[0], "-k", roots, "-f",
             self.site.ca.file, "-T", *([] if named else ["-n"]), "verify",
             f"{host}.example", str(self.site.port)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        self.said = done.stdout.decode("utf-8", "replace")
        return done.returncode == 0

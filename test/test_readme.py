"""
README's quick start, word for word: each of its three ways is set up with the
lines that stand there, on a throw-away host with the package (bootedhost.py),
and mail must get where it says. The provider wants TLS and an account, and is
trusted as any other is: by what the system trusts.
"""

import pathlib
import re

import pytest

from badnames import Rule
from bootedhost import Host
from netns import Net
from saslpeer import Accounts
from test_package import (DEB, ROOT, control_files, empty_queue, install,
                          mail, package)
from tlsca import Authority
from tlspeer import Tls, TlsServer

__all__ = ["package"]
pytestmark = pytest.mark.timeout(240)

ETC = "/etc/zmailer"
NAMES = {
    "example.com MX": Rule(["example.com MX 10 mx.example.com"]),
    "mx.example.com A": Rule(["mx.example.com A 10.99.0.3"]),
    "mx.example.com AAAA": Rule(),
    "mail.provider.example A": Rule(["mail.provider.example A 10.99.0.4"]),
    "mail.provider.example AAAA": Rule(),
}


@pytest.fixture
def net():
    with Net() as n:
        n.nameserver(NAMES)
        yield n


@pytest.fixture
def host(package, tmp_path, net):
    with Host(tmp_path, net) as h:
        h.copy(package, DEB)
        install(h)
        yield h


def quick_start() -> dict[str, str]:
    """
    What README has to be written into files, by the words that begin it: the
    bold ones of its way, and the comment that names the file.
    """
    text = (ROOT / "README.md").read_text()
    text = text.split("## Quick start")[1].split("\n## ")[0]
    found, way = {}, "first"
    for part in re.split(r"\n\n+", text):
        bold = re.match(r"\*\*(\w+)", part)
        way = bold[1] if bold else way
        if part.startswith("    # "):
            name = re.match(r" +# (\w+(\.conf)?)", part)[1]
            lines = [line[4:] for line in part.split("\n")]
            found[f"{way} {name}"] = "\n".join(lines) + "\n"
    return found


def add(host, name: str, text: str) -> None:
    host.write(f"{ETC}/{name}", host.read(f"{ETC}/{name}") + text)


def put(host, name: str, in_place_of: str, text: str) -> None:
    old = host.read(f"{ETC}/{name}")
    new, n = re.subn(in_place_of, lambda _: text, old, flags=re.MULTILINE)
    assert n == 1
    host.write(f"{ETC}/{name}", new)


def reload(host) -> None:
    """The command that README has for it."""
    command = re.search(r"`(systemctl reload [\w -]+)`",
                        (ROOT / "README.md").read_text().replace("\n", " "))
    host.run(*command[1].split())


def test_readme_has_what_is_tried_here():
    assert sorted(quick_start()) == [
        "Feed routes.conf", "Feed scheduler.conf", "Feed sm.conf",
        "Relay relay.conf", "Relay scheduler.conf", "Relay secrets",
        "first routes.conf"]


def test_mail_is_relayed_through_a_provider(host, net, tmp_path):
    ca = Authority(tmp_path)
    provider = net.server(
        4, port=587, kind=TlsServer, secret=["AUTH PLAIN LOGIN"],
        tls=Tls(ca.issue("mail.provider.example")), demands_auth=True,
        accounts=Accounts({"me": "the password"}))
    host.write("/usr/local/share/ca-certificates/test.crt",
               pathlib.Path(ca.file).read_text())
    host.run("update-ca-certificates")
    words = quick_start()
    put(host, "scheduler.conf", r"^smtp/\*\n(\t.*\n)+",
        words["Relay scheduler.conf"])
    host.write(f"{ETC}/relay.conf", words["Relay relay.conf"])
    host.write(f"{ETC}/secrets", words["Relay secrets"])
    host.run("chown", "_zpost", f"{ETC}/secrets")
    host.run("chmod", "600", f"{ETC}/secrets")
    put(host, "routes.conf", "^root\t.*\n", words["first routes.conf"])
    reload(host)
    mail(host, "bob@example.com", "by my provider")
    mail(host, "root", "from cron")
    provider.wait_messages(2)
    assert sorted(m.addresses[0] for m in provider.messages) == [
        "bob@example.com", "you@example.org"]
    for message in provider.messages:
        session = provider.sessions[message.session]
        assert session.user == "me"
        assert not provider.came_in_clear(message)
    empty_queue(host)


def test_mail_goes_directly_and_root_is_somebody(host, net):
    server = net.server(3)
    put(host, "routes.conf", "^root\t.*\n",
        quick_start()["first routes.conf"].replace(".org", ".com"))
    reload(host)
    mail(host, "someone@example.com", "directly")
    mail(host, "root", "from cron")
    server.wait_messages(2)
    assert sorted(m.addresses[0] for m in server.messages) == [
        "someone@example.com", "you@example.com"]
    said = host.run("/usr/lib/zmailer/ta/smtp", "--explain",
                    "someone@example.com")
    assert "mx.example.com" in said
    assert len(server.messages) == 2
    empty_queue(host)


def test_program_is_fed(host):
    words = quick_start()
    host.write("/usr/local/bin/ticket",
               '#!/bin/sh\n{ id -un; printf "%s\\n" "$@"; cat; } '
               '> /tmp/new\n[ -e /tmp/open ] || '
               '{ touch /tmp/open; echo come again; exit 75; }\n'
               'mv /tmp/new /tmp/ticket\n', "755")
    for name in ("sm.conf", "routes.conf", "scheduler.conf"):
        add(host, name, words[f"Feed {name}"])
    reload(host)
    mail(host, "support", "a ticket")
    waiting = host.wait("what the queue says", "sh", "-c",
                        "mailq | grep 'come again'")
    assert "come again" in waiting
    host.run("mailq", "--recipient", "support*", "--kick")
    ticket = host.wait("the ticket", "cat", "/tmp/ticket").split("\n")
    assert ticket[:5] == ["nobody", "--from", "nobody@plain.example",
                          "--to", "support"]
    assert "Subject: a ticket" in ticket
    assert control_files(host) == []

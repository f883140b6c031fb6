"""
The Debian package: built by make deb, looked through by lintian, installed on
a throw-away copy of this machine (bootedhost.py) whose systemd starts it, and
used there as it comes. Names and the other hosts are those of the far side of
a netns.Net: plain.example is the host, dest.example has a mail exchanger.
"""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from agentrun import bin_dir, is_sanitized
from badnames import Rule
from bootedhost import Host
from netns import Net

# Packing takes a while where much else is going on, and is done in a fixture.
pytestmark = pytest.mark.timeout(240)

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEB = "/var/cache/zpost.deb"
TREE, PROGRAMS = "/srv/tree", "/srv/programs"
OFFICE = "/var/spool/postoffice"
SERVICES = ("zpost-scheduler", "zpost-submit")
NAMES = {
    "dest.example MX": Rule(["dest.example MX 10 mx.dest.example"]),
    "mx.dest.example A": Rule(["mx.dest.example A 10.99.0.3"]),
    "mx.dest.example AAAA": Rule(),
    "mail.provider.example A": Rule(["mail.provider.example A 10.99.0.3"]),
    "mail.provider.example AAAA": Rule(),
}


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The package out of the programs under test, made once for all."""
    if os.getuid() != 0:
        pytest.skip("only root can install a package")
    for name in ("dh", "dpkg-buildpackage"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    if is_sanitized():
        pytest.skip("sanitizers need what the services may not do")
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    folder = folder / "deb"
    folder.mkdir(exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("zpost_*.deb")):
            env = {k: v for k, v in os.environ.items()
                   if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
            subprocess.run(
                ["make", "--no-print-directory", "deb", f"DEB={folder}",
                 f"BIN={bin_dir()}"], cwd=ROOT, check=True, timeout=150,
                env=dict(env, DEB_BUILD_OPTIONS="noautodbgsym"))
    made = list(folder.glob("zpost_*.deb"))
    assert len(made) == 1
    return made[0]


@pytest.fixture
def net():
    with Net() as n:
        n.nameserver(NAMES)
        yield n


@pytest.fixture
def host(package, tmp_path, net):
    """A host with the package on it, not installed yet."""
    with Host(tmp_path, net, {TREE: ROOT, PROGRAMS: bin_dir()}) as h:
        h.copy(package, DEB)
        yield h


def install(host) -> str:
    said = host.run("dpkg", "-i", DEB)
    for name in SERVICES:
        assert host.run("systemctl", "is-active", name) == "active\n"
        assert host.run("systemctl", "is-enabled", name) == "enabled\n"
    return said


def mail(host, recipient: str, text: str, *options: str) -> None:
    """As any script of an ordinary user would."""
    assert host.run("sendmail", *options, recipient, user="nobody",
                    text=f"Subject: {text}\n\n{text}\n") == ""


def control_files(host) -> list[str]:
    return host.run("find", f"{OFFICE}/transport", "-type", "f").split()


def main_pid(host, name: str) -> str:
    return host.run("systemctl", "show", "-P", "MainPID", name).strip()


def empty_queue(host) -> None:
    host.wait("an empty queue", "sh", "-c",
              f"[ -z \"$(find {OFFICE}/queue -type f)\" ]")


def edit(host, path: str, pattern: str, by: str) -> None:
    """Changes a file of the host in exactly one place."""
    text, n = re.subn(pattern, by, host.read(path), flags=re.MULTILINE)
    assert n == 1, (path, pattern)
    host.write(path, text)


# ---- the package ------------------------------------------------------------


def test_lintian_has_nothing_to_say(package):
    """No error, no warning, and of the rest only what depends on the build."""
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning",
         "--display-info", "--pedantic", package], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=100)
    said = [line for line in done.stdout.splitlines()
            if "hardening-no-fortify-functions" not in line]
    assert (done.returncode, said) == (0, [])


def test_package_takes_the_place_of_the_mail_system(package):
    def field(name: str) -> str:
        return subprocess.run(["dpkg-deb", "-f", package, name],
                              stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()

    for name in ("Provides", "Conflicts", "Replaces"):
        assert field(name) == "mail-transport-agent"
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGES").read_text(), re.M)[1]
    assert field("Version") == newest


# ---- used as it comes -------------------------------------------------------


def units_are_sound(host) -> None:
    for name in host.run("sh", "-c",
                         "ls /lib/systemd/system/zpost-*").split():
        assert host.run("systemd-analyze", "verify", name) == ""


def users_are_right(host) -> None:
    """Nothing that listens to strangers is root."""
    def user(program: str) -> set[str]:
        return set(host.run("ps", "-C", program, "-o", "user=").split())

    assert user("scheduler") == {"root"}
    assert user("submit") == {"_zpost"}
    assert user("smtp") == {"_zpost"}
    folders = host.run("stat", "-c", "%n %A %U %G", OFFICE, *(
        f"{OFFICE}/{x}" for x in ("queue", "transport", "postman")))
    assert folders == (f"{OFFICE} drwxrwxr-t root _zpost\n"
                       f"{OFFICE}/queue drwx------ _zpost _zpost\n"
                       f"{OFFICE}/transport drwx------ _zpost _zpost\n"
                       f"{OFFICE}/postman drwx------ _zpost _zpost\n")


def root_has_a_mailbox(host) -> None:
    """Mail as cron sends it."""
    mail(host, "root", "for root", "-i", "-FCronDaemon", "-B8BITMIME",
         "-oem")
    box = host.wait("root's mailbox", "grep", "-x", "for root",
                    "/var/mail/root")
    assert box == "for root\n"
    head = host.read("/var/mail/root")
    assert "\nReceived: " in head
    assert "\nFrom: CronDaemon <nobody@plain.example>\n" in head


def feed_a_program(host) -> None:
    """
    The variant of the samples, as their comments say, and in a sandbox that
    wants all that the unit leaves to zlaunch.
    """
    host.write("/usr/local/bin/ticket", "#!/bin/sh\n{ id -un; echo \"$@\"; "
               "ip -br link; cat; } > /tmp/ticket.new\n"
               "mv /tmp/ticket.new /tmp/ticket\n", "755")
    edit(host, "/etc/zmailer/sm.conf", "^#(tickets .*)$", r"\1")
    edit(host, "/etc/zmailer/routes.conf", "^#(support\t.*)$", r"\1")
    edit(host, "/etc/zmailer/scheduler.conf",
         r'^(\tcommand="smtp -s -O attempts=-)"$',
         r'\1 -l ${LOGDIR}/smtp/sessions"')
    edit(host, "/etc/zmailer/scheduler.conf", r"^#(tickets/\*)\n"
         r"#(\tmaxchannel=.*)\n#(\tcommand=.*) tickets\"$",
         r'\1\n\2\n\3 -O no-network -O read-write=/tmp tickets"')
    host.run("systemctl", "reload", *SERVICES)
    mail(host, "support@plain.example", "a ticket")
    ticket = host.wait("the ticket", "cat", "/tmp/ticket").split("\n")
    assert ticket[0] == "nobody"
    assert ticket[1] == ("--from nobody@plain.example "
                         "--to support")
    assert ticket[2].startswith("lo ") and \
        ticket[3].startswith("Received: ")
    assert "Subject: a ticket" in ticket


def logs_are_turned(host) -> None:
    """Those of the scheduler and, as the samples say, of smtp."""
    before = host.read("/var/log/zmailer/events")
    sessions = "/var/log/zmailer/smtp/sessions"
    mail(host, "bob@dest.example", "on record")
    host.wait("a session", "grep", "-q", "MAIL FROM", sessions)
    assert '"event":"finished"' in before
    host.run("logrotate", "-f", "/etc/logrotate.d/zpost")
    assert "MAIL FROM" in host.read(f"{sessions}.1")
    mail(host, "bob@dest.example", "after the turn")
    host.wait("another session", "grep", "-q", "MAIL FROM", sessions)
    host.wait("an event in the new file", "grep", "-q", "finished",
              "/var/log/zmailer/events")
    assert host.read("/var/log/zmailer/events.1").startswith(before)
    assert host.run("stat", "-c", "%A %U %G", "/var/log/zmailer/events") == \
        "-rw-r----- root adm\n"


def relay_through_a_provider(host, net) -> None:
    """The other variant; no mail before the certificate is as it must be."""
    provider = net.server(3, port=587)
    edit(host, "/etc/zmailer/scheduler.conf",
         r"^smtp/\*\n(\t.*\n)+", "")
    edit(host, "/etc/zmailer/scheduler.conf",
         r"^#(smtp/\*)\n#(.*)\n#(.*)\n#(.*)\n#(.*)$",
         r"\1\n\2\n\3\n\4\n\5")
    host.write("/etc/zmailer/relay.conf", "tls-level verify\n")
    host.run("install", "-o", "_zpost", "-m", "600", "/dev/null",
             "/etc/zmailer/secrets")
    host.run("tee", "/etc/zmailer/secrets", text="* mail.provider.example "
             "user=me secret=\"the password\"\n")
    host.run("systemctl", "reload", "zpost-scheduler")
    mail(host, "bob@dest.example", "by my provider")
    provider.wait_command("EHLO plain.example")
    waiting = host.wait("what the queue says", "sh", "-c",
                        "mailq | grep -i 'tls'")
    assert "TLS" in waiting
    listed = host.run("mailq")
    assert "bob@dest.example" in listed and "nobody@plain.example" in listed
    assert host.run("sendmail", "-bp") == listed
    assert provider.messages == [] and not any(
        c.startswith("MAIL") for c in provider.commands())


def test_host_delivers_as_it_was_installed(host, net):
    server = net.server(3)
    install(host)
    assert host.read("/etc/mailname") == "plain.example\n"
    units_are_sound(host)
    mail(host, "bob@dest.example", "straight to the exchanger")
    server.wait_messages(1)
    message = server.messages[0]
    assert message.addresses == ["bob@dest.example"]
    assert message.sender == "nobody@plain.example"
    assert b"Subject: straight to the exchanger\r\n" in message.content
    users_are_right(host)
    root_has_a_mailbox(host)
    empty_queue(host)
    feed_a_program(host)
    logs_are_turned(host)
    relay_through_a_provider(host, net)
    # As its unit says; there is nothing to report yet.
    drop_in = "/etc/systemd/system/zpost-tlsrpt.service.d"
    host.run("mkdir", drop_in)
    host.write(f"{drop_in}/who.conf", "[Service]\nEnvironment="
               '"OPTIONS=-O contact=tls@plain.example"\n')
    host.run("systemctl", "daemon-reload")
    for name in ("zpost-stsfetch", "zpost-tlsrpt"):
        host.run("systemctl", "start", name)
    assert host.run("systemctl", "is-active", "zpost-stsfetch.timer") == \
        "active\n"
    assert host.ask("systemctl", "is-enabled", "zpost-tlsrpt.timer")[1] == \
        "disabled\n"
    assert host.run("systemctl", "--failed", "--plain", "--no-legend") == ""


# ---- coming and going -------------------------------------------------------


def test_upgrade_removal_and_purge_lose_nothing(host, net):
    late = {"MAIL": "451 4.3.2 not now"}
    server = net.server(3, script=lambda session, event, who: late.get(event))
    install(host)
    mail(host, "bob@dest.example", "waits")
    server.wait_command("MAIL")

    # Upgrade over itself.
    changed = host.read("/etc/zmailer/routes.conf") + "alice bob@dest.example"
    host.write("/etc/zmailer/routes.conf", changed + "\n")
    first = main_pid(host, "zpost-scheduler")
    install(host)
    assert host.read("/etc/zmailer/routes.conf") == changed + "\n"
    assert main_pid(host, "zpost-scheduler") != first
    assert len(control_files(host)) == 1

    # Both are killed; systemd brings them back.
    dead = [main_pid(host, name) for name in SERVICES]
    host.run("kill", "-9", *dead)
    for name, pid in zip(SERVICES, dead):
        host.wait("another process", "sh", "-c", "systemctl is-active $0 "
                  "&& [ $(systemctl show -P MainPID $0) != $1 ]", name, pid)

    # Removal: the mail stays, and the configuration.
    said = host.run("dpkg", "-r", "zpost")
    assert f"mail is left in {OFFICE}" in said
    assert host.ask("pgrep", "-x", "scheduler|submit|smtp")[0] == 1
    assert len(control_files(host)) == 1
    assert host.read("/etc/zmailer/routes.conf") == changed + "\n"

    # Once more: it goes on with what was there.
    late.clear()
    install(host)
    server.wait_messages(1)
    assert server.messages[0].addresses == ["bob@dest.example"]
    empty_queue(host)

    # Purge with mail in the queue, then without.
    late["MAIL"] = "451 4.3.2 not now"
    mail(host, "alice", "waits too")
    said = host.run("dpkg", "-P", "zpost")
    assert f"mail is left in {OFFICE}" in said
    assert len(control_files(host)) == 1
    assert host.ask("ls", "/etc/zmailer")[0] != 0
    late.clear()
    install(host)
    server.wait_messages(1)
    empty_queue(host)
    said = host.run("dpkg", "-P", "zpost")
    assert "mail is left" not in said
    for path in (OFFICE, "/var/lib/zmailer", "/var/log/zmailer",
                 "/etc/zmailer"):
        assert host.ask("ls", path)[0] != 0


def test_make_install_makes_a_host_that_delivers(host, net):
    """Below /usr/local, with no package, as the last lines say."""
    server = net.server(3)
    said = host.run("make", "-C", TREE, "install", f"BIN={PROGRAMS}")
    todo = [line.strip() for line in said.splitlines()
            if line.startswith("  ")]
    assert len(todo) == 2
    for command in todo:
        host.run(*command.split())
    host.run("/usr/local/sbin/sendmail", "bob@dest.example", user="nobody",
             text="hello\n")
    server.wait_messages(1)
    host.run("/usr/local/sbin/sendmail", "root", user="nobody",
             text="for root\n")
    host.wait("root's mailbox", "grep", "-x", "for root", "/var/mail/root")
    for name in SERVICES:
        assert host.run("systemd-analyze", "verify",
                        f"/usr/local/lib/systemd/system/{name}.service") == ""

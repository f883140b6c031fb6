"""
The verbose log that a control file's `v` line names, of both agents: what is
written there and what never is, and which files are refused.
"""

import os
import re
import threading

import pytest

from mailers import Mailers
from smtpcheck import HOST, settled
from smtpd import Do
from zpost import wait_for

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\w+)\[(\d+)\] ([wr#])\t(.*)")


def make(office, name="v_1"):
    """An empty file of the submitter's, and what a `v` line says of it."""
    (office.public / name).write_bytes(b"")
    return f"../public/{name}"


def read(office, agent, name="v_1", program="smtp"):
    """(type, text) of each line."""
    lines = (office.public / name).read_text().split("\n")
    assert lines.pop() == ""
    found = [LINE.fullmatch(x) for x in lines]
    assert all(found), lines
    assert {(m[1], int(m[2])) for m in found} == {(program, agent.pid)}
    return [(m[3], m[4]) for m in found]


def test_dialogue_and_results(office, smtp, smtpd):
    """All of it from the connection on, a line a recipient, no content."""
    server = smtpd(script={"RCPT:b@x.example": "550 5.1.1 no\x01such"})
    agent = smtp(server)
    job = office.post(["a@x.example", "b@x.example"], verbose=make(office),
                      header="Subject: secret-header\n",
                      body="secret body\n")
    agent.run(job, HOST)
    settled(job, "+-")
    lines = read(office, agent)
    assert lines[0][1].startswith("(TLS for [127.0.0.1]: level=auto ")
    assert lines[1] == ("#", f"(Connecting to `{HOST}' "
                             f"[127.0.0.1|{server.port}])")
    assert [x[1].split(" ")[0] for x in lines if x[0] == "w"] == [
        "EHLO", "MAIL", "RCPT", "RCPT", "DATA", "."]
    heard = [x[1] for x in lines if x[0] == "r"]
    assert heard[0] == "220 test.example ESMTP"
    assert heard[-4:] == ["250 2.1.5 ok", "550 5.1.1 no?such",
                          "354 go ahead", "250 2.0.0 accepted"]
    results = [x[1] for x in lines if x[1].startswith("DIAG: ")]
    assert sorted(re.search("U='([^']*)'.* stat='([^']*)'", x).groups()
                  for x in results) == [("a@x.example", "ok3"),
                                        ("b@x.example", "error2")]
    assert "secret" not in (office.public / "v_1").read_text()


def test_only_what_belongs_to_the_message(office, smtp, smtpd):
    """Neighbours in a window of messages are nobody's business."""
    server = smtpd()
    agent = smtp(server)
    jobs = [office.post([f"user{i}@x.example"],
                        verbose=make(office, f"v_{i}") if i % 2 else None)
            for i in range(8)]
    agent.feed_raw("".join(f"{job}\t{HOST}\n" for job in jobs))
    assert agent.collect(8).statuses == ["ok3"] * 8
    for i in range(1, 8, 2):
        text = (office.public / f"v_{i}").read_text()
        assert set(re.findall(r"user\d", text)) == {f"user{i}"}
        said = [x[1] for x in read(office, agent, f"v_{i}") if x[0] == "w"]
        assert any(x.startswith(f"RCPT TO:<user{i}@x.example>")
                   for x in said)


def test_lines_are_there_at_once(office, smtp, smtpd):
    gate = threading.Event()
    agent = smtp(smtpd(script={"RCPT": [Do(gate=gate)]}), "-P")
    agent.feed(office.post(verbose=make(office)), HOST)
    try:
        wait_for(lambda: "w\tRCPT TO:" in
                 (office.public / "v_1").read_text(), "the command")
    finally:
        gate.set()
    assert agent.hungry().report.status == "ok3"


def test_it_is_appended_to(office, smtp, smtpd):
    agent = smtp(smtpd())
    name = make(office)
    (office.public / "v_1").write_text("earlier\n")
    agent.run(office.post(verbose=name), HOST)
    first = (office.public / "v_1").read_text()
    agent.run(office.post(verbose=name), HOST)
    second = (office.public / "v_1").read_text()
    assert first.startswith("earlier\n") and second.startswith(first)
    assert len(second) > len(first)


def test_not_open_longer_than_the_job(office, smtp, smtpd):
    agent = smtp(smtpd())
    agent.run(office.post(verbose=make(office)), HOST)
    links = [os.readlink(f"/proc/{agent.pid}/fd/{n}")
             for n in os.listdir(f"/proc/{agent.pid}/fd")]
    assert not [x for x in links if "public" in x]


def plant(office, how):
    """A trap; gives the `v` line's value and the file it must not reach."""
    victim = office.base / "victim"
    victim.write_bytes(b"")
    if how == "outside":
        return str(victim), victim
    if how == "dots":
        return f"../public/../../{victim.name}", victim
    if how == "link":
        (office.public / "v_1").symlink_to(victim)
    elif how == "folder":
        (office.public / "sub").symlink_to(office.base)
        return f"../public/sub/{victim.name}", victim
    elif how == "hard":
        os.link(victim, office.public / "v_1")
    elif how == "fifo":
        os.mkfifo(office.public / "v_1")
    elif how == "queue":
        return f"../queue/{victim.name}", victim
    else:
        assert how == "missing"
    return "../public/v_1", victim


@pytest.mark.parametrize("how", ["outside", "dots", "link", "folder", "hard",
                                 "fifo", "queue", "missing"])
def test_file_that_is_refused(office, smtp, smtpd, how):
    """It is said once, nothing is written or made, and the mail arrives."""
    name, victim = plant(office, how)
    agent = smtp(smtpd())
    out = agent.run(office.post(["a@x.example", "b@x.example"],
                                verbose=name), HOST)
    assert out.statuses == ["ok3", "ok3"]
    [comment] = out.comments
    assert comment.startswith(f'# smtp:{agent.pid}: verbose log "{name}": ')
    assert victim.read_bytes() == b""
    assert how != "missing" or not (office.public / "v_1").exists()


def test_file_of_somebody_else_is_refused(office, smtp, smtpd):
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    name = make(office)
    os.chown(office.public / "v_1", 12345, 12345)
    agent = smtp(smtpd())
    job = office.post(verbose=name)
    [comment] = agent.run(job, HOST).comments
    assert "owner" in comment
    assert (office.public / "v_1").read_bytes() == b""
    os.chown(job.message, 12345, 12345)
    job = office.post(verbose=name)
    os.chown(job.message, 12345, 12345)
    assert agent.run(job, HOST).comments == []
    assert read(office, agent)[-1][1].startswith("DIAG: ")


def test_sm(office):
    """Arguments and headers of the run, its result, and not the body."""
    box = Mailers(office)
    box.conf("rec n {rec} rec $u\n")
    box.tell(say=b"taken\n")
    with box.sm("rec") as agent:
        agent.hungry()
        out = agent.run(office.post(
            ["bob"], channel="local", host="-", verbose=make(office),
            header="Subject: greetings\n", body="secret body\n"))
        assert out.comments == []
        assert agent.stop() == 0
    lines = [x[1] for x in read(office, agent, program="sm")]
    assert re.match(r'To run UID=\d+ GID=\d+ PATH=\S+ ARGV\[\] = "rec" "bob"',
                    lines[0])
    assert "> Subject: greetings" in lines
    assert re.match("DIAG: C='local' .*U='bob' .*stat='ok3' .*MSG='taken'",
                    lines[-1])
    assert not [x for x in lines if "secret" in x]

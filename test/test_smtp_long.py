"""
smtp(8) over a long life: no descriptor and no memory is lost over thousands
of jobs of every kind, and a large message takes no more room than a small one.
"""

import pytest

import zpost
from badnames import Rule
from smtpcheck import (HOST, one_report_each, open_files, proc_status,
                       settled)
from smtpd import Do
from zpost import Rcpt

MEGABYTE = 1024                 # /proc/PID/status speaks of kB
BLOCK = b"".join(b"%04d" % i + b"." * 80 + b"\n" for i in range(1000))


@pytest.fixture
def lean(smtp):
    """
    lean(server, ...) starts an agent whose memory can be measured: with a
    sanitizer, without its store of freed blocks.
    """
    is_sanitized = b"__asan_init" in zpost.program("smtp").read_bytes()

    def start(server, *options, **how):
        env = {}
        if is_sanitized:
            env["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=0:" \
                "thread_local_quarantine_size_kb=0"
        return smtp(server, *options, env=env, **how)

    start.room = 12 * MEGABYTE if is_sanitized else 2 * MEGABYTE
    return start


def test_thousands_of_messages_on_one_connection(office, lean, smtpd):
    """Neither descriptors nor memory grow from the 500th to the 2500th."""
    server = smtpd(record=False)
    agent = lean(server)
    jobs = [office.post(["a@x.example", "b@x.example"]) for _ in range(100)]
    before = None
    for n in range(25):
        for job in jobs:
            agent.feed(job, HOST)
        out = agent.collect(100)
        one_report_each(out, *jobs)
        assert set(out.statuses) == {"ok3"}
        for job in jobs:
            job.control.write_bytes(job.written)    # once more
        if n == 4:
            before = open_files(agent.pid), proc_status(agent.pid, "VmRSS")
    assert open_files(agent.pid) == before[0]
    assert proc_status(agent.pid, "VmRSS") <= before[1] + lean.room // 4
    assert len(server.sessions) == 1


def test_hundreds_of_jobs_of_every_kind(office, lean, smtpd):
    """Refusals, broken connections, other hosts, files that are not there."""
    server = smtpd(record=False, script={
        "RCPT:no@x.example": lambda s: "550 5.1.1 no",
        "RCPT:gone@x.example": lambda s: Do(close="reset"),
        "RCPT:odd@x.example": lambda s: Do(raw=b"what?\r\n")})
    agent = lean(server, "-l", office.base / "sessions")
    kinds = [
        (office.post(["a@x.example", "no@x.example"]), HOST),
        (office.post([Rcpt("a@x.example", notify="NOTIFY=SUCCESS")]), HOST),
        (office.post(["gone@x.example"], host="two.example"), "two.example"),
        (office.post(["odd@x.example"], host="3.example"), "3.example"),
        (office.post([b"\xe4@x.example"]), HOST),
        (office.post(with_message=False), HOST),
        (office.post([Rcpt(tag="+")]), HOST),
        (office.post_raw(b"rubbish\n" * 50), HOST),
        (office.post(body=b"x\n" * 50000), HOST),
        (office.post(), "elsewhere.example"),
    ]

    def all_of_them():
        for job, host in kinds:
            agent.feed(job, host)
        agent.collect(len(kinds))
        for job, _ in kinds:
            job.control.write_bytes(job.written)

    for n in range(60):
        all_of_them()
        if n == 15:
            before = len(open_files(agent.pid)), \
                proc_status(agent.pid, "VmRSS")
    assert len(open_files(agent.pid)) == before[0]
    assert proc_status(agent.pid, "VmRSS") <= before[1] + lean.room


def test_guests_that_come_again_and_again(office, lean, world, hosts,
                                          nameserver):
    """-e: what is known of their domains already takes no more memory."""
    domains = [f"g{n}.x.example" for n in range(100)]
    ns = nameserver({f"{d} MX": Rule([f"{d} MX 10 mx.x.example"])
                     for d in domains})
    (server,) = hosts(1).values()
    agent = lean(None, "-e", "-p", server.port,
                 *world.options("off", ns.servers))
    job = office.post([Rcpt("a@plain.example", host="plain.example"),
                       *(Rcpt(f"u@{d}", host=d) for d in domains)])
    for n in range(500):
        out = agent.run(job, "plain.example")
        assert out.statuses == ["ok3"]
        job.control.write_bytes(job.written)
        if n == 50:
            before = proc_status(agent.pid, "VmRSS")
    assert proc_status(agent.pid, "VmRSS") <= before + lean.room
    assert len(ns.asked) < 2 * len(domains)
    assert len(server.sessions) == 1


def test_large_message_takes_constant_memory(office, lean, smtpd):
    """50 MB with dots, CR and no line end at the end of it."""
    server = smtpd(record=False)
    agent = lean(server)
    assert agent.run(office.post(body=BLOCK * 10), HOST).statuses == ["ok3"]
    before = proc_status(agent.pid, "VmHWM")
    body = BLOCK * (50 * 1024 * 1024 // len(BLOCK)) + b".no line end"
    job = office.post(["a@x.example", "b@x.example"], body=body)
    assert agent.run(job, HOST, deadline=50).statuses == ["ok3"] * 2
    settled(job, "++")
    assert proc_status(agent.pid, "VmHWM") < before + lean.room
    header, _, got = server.messages[-1].content.partition(b"\r\n\r\n")
    assert got == body.replace(b"\n", b"\r\n") + b"\r\n"


def test_nothing_of_it_is_left_running(office, smtp, smtpd):
    """One process, and no child when it is gone."""
    server = smtpd()
    agent = smtp(server)
    assert agent.run(office.post(), HOST).report.status == "ok3"
    with open(f"/proc/{agent.pid}/task/{agent.pid}/children") as f:
        assert f.read() == ""
    assert agent.stop() == 0
    assert server.wait_ended() == "quit"

"""
What the scheduler shows: the event log against its manual, metrics read
strictly, the statistics log, syslog, and agents that say what they like.
"""

import json
import os
import pathlib
import resource
import signal
import socket
import stat
import subprocess
import time

import pytest

import eventfile
from prometheus import Metrics
from schedrun import Scheduler
from spoolfile import Rcpt, Group
from test_scheduler_control import ask
from zpost import is_sanitized, program, wait_for

FAKE = 'smtp/*\n\tcommand="fake {}"\n'


def free_port(host: str = "127.0.0.1") -> int:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def metrics(office) -> Metrics:
    """By the control socket."""
    return Metrics(ask(office, "metrics"))


def script(office, name: str, text: str) -> pathlib.Path:
    path = office.bin / "ta" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/usr/bin/python3 -u\nimport sys\n{text}")
    path.chmod(0o755)
    return path


# ---- events ---------------------------------------------------------------


def test_manual_lists_what_its_examples_have():
    text = eventfile.MANUAL.read_text()
    example = text[text.index(".Bd -literal\n") + 13:text.index("\n.Ed\n")]
    decoder = json.JSONDecoder()
    example = example.replace("\n", "")
    while example:
        event, end = decoder.raw_decode(example)
        assert eventfile.parse(json.dumps(event).encode())
        example = example[end:]
    assert len(eventfile.manual.events) > 15


def test_every_event_of_the_manual_happens_and_is_as_it_says(
        office, scheduler, smtpd):
    """One day in the life of a scheduler."""
    server = smtpd()
    submit = script(office, "service", "import time\ntime.sleep(1000)\n")
    s = scheduler(
        f'smtp/real.example\n\tcommand="smtp -F {server.destination} '
        '-h client.example -O attempts=-"\n'
        'smtp/dead.example\n\tcommand="fake then deferall ok"\n'
        'smtp/bad.example\n\tcommand="fake fail"\n'
        'smtp/die.example\n\tcommand="fake die"\n'
        'smtp/hold.example\n\tqueueonly command="fake ok"\n'
        + FAKE.format("ok"), "-O", f"submit={submit}", defaults="""\
PARAMglobal-report-interval = 1s
PARAMstore-error-on-error
*/*\tinterval=1s idlemax=1s expiry=1h retries="1 1 1 1 1 1 1 1"
\tmaxring=20 overfeed=10
""")
    (office.transport / "123").write_text("nothing of the kind\n")
    s.wait_gone(office.post(["a@dead.example"], host="dead.example"))
    gone = [office.post(["a@real.example"], host="real.example"),
            office.post(["a@bad.example"], host="bad.example")]
    gone.append(office.post(groups=[
        Group([Rcpt("a@bad.example", host="bad.example")], sender=None)]))
    s.wait_gone(*gone)
    office.post(["a@die.example"], host="die.example")
    s.wait_line("ended by signal")
    held = office.post(["a@hold.example", "b@hold.example", "c@hold.example",
                        "d@hold.example"], host="hold.example")
    s.wait(lambda: held.name in ask(office, "show"), "the message")
    at = held.offsets
    for words in (f"hold {held.name} {at[0]}", f"release {held.name} {at[0]}",
                  f"delete {held.name} {at[1]}", f"expire {held.name} {at[2]}",
                  f"redirect {held.name} {at[3]} smtp x.example x@x.example",
                  "kick smtp hold.example", "flush", "reload"):
        assert ask(office, words) == "", words
    s.wait_gone(held)
    s.configure("smtp/*\n\tnonsense\n")
    s.kill(signal.SIGHUP)
    s.wait_line("stays in force")
    # The service does not know HUP, which it gets too.
    s.wait(lambda: s.events("submit-end"), "the service's end")
    lose_some(office, s)
    s.wait(lambda: any("exit" in x for x in s.events("agent-end")),
           "an agent's end")
    assert s.stop() == 0

    found = eventfile.load(s.events_file)
    assert {x["event"] for x in found} == set(eventfile.manual.events)
    seen = set().union(*(set(x) for x in found if x["event"] != "attempt"))
    assert set(eventfile.manual.members) - seen == set()
    assert found[0]["event"] == "start" and found[-1]["event"] == "end"


def lose_some(office, s) -> None:
    """Lets the event log fail for a while."""
    big = s.events_file.stat().st_size
    limits = resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE,
                     (big + 100, limits[1]))
    for _ in range(3):
        s.wait_gone(office.post(["bob@example.com"]))
    s.wait_line("lines are lost until it takes them again")
    resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE, limits)

    def recovered():
        s.wait_gone(office.post(["bob@example.com"]))
        return s.events("lost")
    s.wait(recovered, "the log to go on")


def test_full_file_system_drops_whole_lines_and_counts_them(office,
                                                            scheduler):
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(office.post(["bob@example.com"]))
    before = len(eventfile.load(s.events_file))
    lose_some(office, s)
    m = metrics(office)
    found = eventfile.load(s.events_file)       # none is torn
    lost = [x["lines"] for x in found if x["event"] == "lost"]
    assert len(lost) == 1 and lost[0] > 0
    assert m["zpost_events_lost_total"] == lost[0]
    assert m["zpost_events_total"] == len(found) > before
    assert len([x for x in s.lines if "lines are lost" in x]) == 1
    assert len([x for x in s.lines if f" {lost[0]} lines were lost" in x]) == 1


def test_pipe_that_nobody_reads_stops_no_mail(office, scheduler, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        s = scheduler(FAKE.format("ok"), "-O", f"events={pipe}")
        user = "x" * 900 + "@example.com"
        jobs = [office.post([user]) for _ in range(60)]
        s.wait_gone(*jobs)
        s.wait_line("lines are lost")
        assert metrics(office)["zpost_events_lost_total"] > 0
        data = b""
        while b'"event":"lost"' not in data:    # what is read is whole
            try:
                data += os.read(reader, 65536)
            except BlockingIOError:
                s.wait_gone(office.post([user]))
        for line in data.split(b"\n")[:-1]:
            eventfile.parse(line)
        assert s.stop() == 0
    finally:
        os.close(reader)


def test_line_that_a_crash_tore_gets_an_end(office, scheduler):
    s = Scheduler(office, FAKE.format("ok"), start=False)
    s.events_file.write_bytes(b'{"event":"start","schema":1}\n{"event":"res')
    s.start()
    s.wait_gone(office.post(["bob@example.com"]))
    assert s.stop() == 0
    _, torn, *whole = s.events_file.read_bytes().split(b"\n")[:-1]
    assert torn == b'{"event":"res'
    assert [eventfile.parse(x) for x in whole][0]["event"] == "start"


def test_rotated_files_are_opened_anew_by_hup(office, scheduler, tmp_path):
    log, statistics = tmp_path / "text", tmp_path / "statistics"
    s = Scheduler(office, FAKE.format("ok"), "-L", log, "-l", statistics,
                  start=False)
    files = [log, statistics, s.events_file]
    s.process = subprocess.Popen(
        [str(program("scheduler")), "-O", "scan=1", "-O",
         f"events={s.events_file}", *map(str, s.options)],
        stdin=subprocess.DEVNULL, env=office.environment())
    try:
        wait_for(lambda: log.exists() and " serving " in log.read_text())
        first = office.post(["bob@example.com"])
        wait_for(lambda: statistics.read_text() != "")
        for f in files:
            f.rename(f"{f}.1")
        s.process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.exists() and "read again" in log.read_text())
        office.post(["bob@example.com"])
        wait_for(lambda: statistics.exists() and statistics.read_text())
        log.unlink()
        log.mkdir()                     # cannot be opened: the old one stays
        s.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: len(s.events("reload")) == 2)
    finally:
        s.process.terminate()
        assert s.process.wait(20) == 0
    old = eventfile.load(pathlib.Path(f"{s.events_file}.1"))
    new = eventfile.load(s.events_file)
    assert old[0]["event"] == "start" and new[0]["event"] == "reload"
    assert first.name in {x.get("message") for x in old}
    assert len(pathlib.Path(f"{statistics}.1").read_text().splitlines()) == 1
    assert len(statistics.read_text().splitlines()) == 1


@pytest.mark.skipif(is_sanitized(), reason="strace")
def test_lines_of_one_turn_are_one_write(office, scheduler, tmp_path, need):
    """Not a call for each line: that would be felt with much mail."""
    strace = need("strace")
    jobs = [office.post(["bob@example.com"]) for _ in range(300)]
    s = Scheduler(office, FAKE.format("ok"), start=False)
    trace = tmp_path / "trace"
    s.wrapper = [strace, "-o", str(trace), "-e", "trace=write", "-P",
                 str(s.events_file)]
    s.start()
    try:
        s.wait_gone(*jobs)
        pid = int((office.path / ".pid.scheduler").read_text())
        os.kill(pid, signal.SIGTERM)
    finally:
        assert s.stop() == 0
    lines = s.events_file.read_bytes().count(b"\n")
    writes = trace.read_text().count("write(")
    assert lines > 900 and 0 < writes < lines / 2


# ---- agents that say what they like ---------------------------------------


HOSTILE = r'''
def say(data):
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()

say(b"#hungry")
for line in sys.stdin.buffer:
    name = line.split(b"\t")[0].strip()
    if name == b"":
        break
    say(b"#attempt {\"event\":\"finished\",\"schema\":1,\"message\":\"1\"}")
    say(b"#attempt {\"event\":\"attempt\",\"event\":\"finished\"}")
    say(b"#attempt {\"event\":\"attempt\",\"x\":\"\x1b[2J\"}")
    say(b"#attempt {\"event\":\"attempt\",\"x\":\"\xff\"}")
    say(b"#attempt " + b"[" * 100000)
    say(b"#attempt {\"event\":\"attempt\",\"x\":\"" + b"y" * 2000000 + b"\"}")
    say(b"# \x1b]0;title\x07 \x00 behind \xe2\x80\xae\x9b2J")
    say(b"x" * 9000000)
    say(b"1/2\t\x00\tok3 " + b"z" * 100000)
    for i in range(1000):
        say(b"nonsense %d" % i)
    with open(name, "r+b") as f:
        data = f.read()
        at = data.index(b"\nr ") + 1
        f.seek(at + 1)
        f.write(b"+")
    say(b"%d/%d\t\tok3 \r->> 250 \x1b[31m\x00\xff\xe2\x80\xa8fine" %
        (int(name.split(b"/")[-1].split(b"-")[0]), at))
    say(b"#hungry")
'''


def test_hostile_agents_spoil_no_log_and_flood_none(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="hostile"\n', start=False)
    script(office, "hostile", HOSTILE)
    s.start()
    for _ in range(2):
        s.wait_gone(office.post(["bob@example.com"]))
    m = metrics(office)
    assert s.stop() == 0
    found = eventfile.load(s.events_file)
    assert not [x for x in found if x["event"] == "attempt"]
    assert {x["message"] for x in found if x["event"] == "finished"} \
        == {x["message"] for x in found if x["event"] == "queued"}
    texts = [x["text"] for x in found if x["event"] == "result"]
    assert texts == ["250 \x1b[31m\0\ufffd\u2028fine"] * 2
    assert m["zpost_agent_lines_refused_total"] >= 2000
    assert len(s.lines) < 200
    for line in s.lines:
        assert len(line) < 1000
        assert not any(ord(c) < 32 or ord(c) == 127 or 0x80 <= ord(c) < 0xa0
                       or c in "\u2028\u202e" for c in line), line
    for word in ("another event", "a name twice", "control characters",
                 "not UTF-8", "no object", "too long"):
        s.wait_line(f"bad attempt record: {word}")
    s.wait_line("behind")
    s.wait_line("a line of over")


# ---- metrics --------------------------------------------------------------


def test_metrics_are_strict_and_agree_with_the_events(office, scheduler):
    s = scheduler('smtp/dead.example\n\tinterval=1h command="fake deferall"\n'
                  'smtp/bad.example\n\tcommand="fake fail"\n'
                  'smtp/die.example\n\tinterval=1h command="fake die"\n'
                  'hold/*\n\tcommand="fake hold"\n' + FAKE.format("ok"))
    s.wait_gone(*[office.post(["bob@example.com"]) for _ in range(5)],
                office.post(["x@bad.example"], host="bad.example"))
    office.post(["a@dead.example", "b@dead.example"], host="dead.example")
    office.post(["a@die.example"], host="die.example")
    held = office.post(["x"], channel="hold", host="-")
    office.post(["y"], channel="none", host="-", mtime=time.time() - 5000)
    s.wait(lambda: held.tag() == "h" and metrics(office)(
        "zpost_queue_destinations_suspended") == 1, "the hold")
    s.wait(lambda: len(s.events("agent-end")) >= 1, "an end")
    wait_for(lambda: metrics(office)("zpost_messages_finished_total") >= 7)
    m = metrics(office)
    results = s.events("result")

    def count(*outcomes):
        return len([x for x in results if x["outcome"] in outcomes])
    name = "zpost_results_total"
    assert m(name, channel="smtp", outcome="delivered") \
        == count("delivered", "relayed") >= 6
    assert m(name, channel="smtp", outcome="failed") == count("failed") == 1
    assert m(name, channel="hold", outcome="held") == count("held") == 1
    assert m(name, outcome="deferred") == count("deferall")
    assert m("zpost_results_by_status_total", status="5.1.1",
             outcome="failed") == 1
    assert m("zpost_results_by_status_total", status="4.4.1",
             outcome="deferred") == count("deferall")
    assert m["zpost_delivery_seconds_count"] == count("delivered", "relayed")
    assert m("zpost_queue_recipients", state="open") == 4
    assert m("zpost_queue_recipients", state="held") == 1
    for channel, state, n in (("smtp", "open", 3), ("hold", "held", 1),
                              ("none", "open", 1), ("none", "held", 0)):
        assert m("zpost_queue_channel_recipients", channel=channel,
                 state=state) == n, (channel, state)
    assert m["zpost_queue_messages"] == 4
    assert m["zpost_queue_unrouted_jobs"] == 1
    assert m("zpost_queue_messages_older_than", seconds="3600") == 1
    assert m("zpost_queue_messages_older_than", seconds="14400") == 0
    assert 4900 < m["zpost_queue_oldest_message_age_seconds"] < 5200
    assert m("zpost_agents", channel="hold") == 1
    assert m("zpost_agents_ended_badly_total", channel="smtp") \
        == len([x for x in s.events("agent-end") if "signal" in x])
    assert m("zpost_agents_started_total") == len(s.events("agent-start"))
    assert m("zpost_reports_total", kind="failed") == len(s.events("report"))
    assert m["zpost_suspensions_total"] == len(s.events("suspended"))
    assert 0 < m["process_resident_memory_bytes"] < 1 << 40
    assert 3 < m["process_open_fds"] <= m["process_max_fds"]
    assert abs(m["process_start_time_seconds"] - time.time()) < 1000


def test_statuses_are_codes_without_the_words_of_agents(office, scheduler):
    """smtp(8) has a comment behind them, which other readers stumble over."""
    s = scheduler('smtp/*\n\tcommand="smtp -x -h client.example '
                  f'-F [127.0.0.1]:{free_port()}"\n')
    office.post(["bob@example.com"])
    s.wait(lambda: s.events("suspended"), "a suspension")
    found = eventfile.load(s.events_file)
    assert {(x["event"], x["status"]) for x in found if "status" in x} == {
        ("result", "4.4.1"), ("suspended", "4.4.1")}
    for question in ("show", "destinations"):
        row = json.loads(ask(office, question))
        assert row["status"] == "4.4.1"
        # Nor is the agent's own way to write a diagnostic of use to people.
        assert row["why"] == \
            "connect to example.com [127.0.0.1]: Connection refused"
    assert {x["text"] for x in found if "text" in x} == {row["why"]}


def test_attempt_records_give_their_times(office, scheduler, smtpd):
    server = smtpd()
    s = scheduler(f'smtp/*\n\tcommand="smtp -F {server.destination} '
                  '-h client.example -O attempts=-"\n')
    s.wait_gone(*[office.post(["bob@example.com"]) for _ in range(3)])
    assert metrics(office)["zpost_attempt_seconds_count"] == 3
    assert len(s.events("attempt")) == 3


def test_channels_and_statuses_stay_few(office, scheduler):
    conf = "".join(f'c{i}/*\n\tcommand="many"\n' for i in range(40))
    s = scheduler(conf, start=False)
    script(office, "many", r'''
print("#hungry")
for line in sys.stdin:
    name = line.split("\t")[0].strip()
    if not name:
        break
    data = open(name).read()
    at, i = 0, 0
    for text in data.split("\n"):
        if text.startswith("r "):
            i += 1
            print(f"{int(name)}/{at}\tu\1delayed\0014.{i % 10}.{i}\1\1"
                  "\tdeferred later")
        at += len(text) + 1
    print("#hungry")
''')
    s.start()
    users = [f"u{i}" for i in range(300)]
    office.post(users, channel="c0", host="-")
    for i in range(1, 40):
        office.post(["x"], channel=f"c{i}", host="-")
    s.wait(lambda: len({x["channel"] for x in s.events("result")}) == 40,
           "all channels")
    m = metrics(office)
    rows = {dict(k[1])["channel"] for k in m.samples
            if k[0] == "zpost_results_total"}
    codes = {dict(k[1])["status"] for k in m.samples
             if k[0] == "zpost_results_by_status_total"}
    assert len(rows) == 32 and "all others" in rows
    assert len(codes) <= 193 and "other" in codes
    assert m("zpost_queue_channel_recipients") == 339
    assert m("zpost_results_by_status_total") == m("zpost_results_total")


# ---- metrics by HTTP ------------------------------------------------------


def http(where, data: bytes) -> tuple[bytes, bytes]:
    """One request; head and body of the answer."""
    kind = socket.AF_UNIX if isinstance(where, str) else \
        socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with socket.socket(kind) as s:
        s.settimeout(20)
        s.connect(where)
        s.sendall(data)
        answer = b""
        while more := s.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "unix"])
def test_prometheus_is_served(office, scheduler, tmp_path, host):
    if host == "unix":
        where = str(tmp_path / "metrics")
        option = f"metrics=unix:{where}"
    else:
        where = (host, free_port(host))
        option = f"metrics=[{host}]:{where[1]}" if ":" in host else \
            f"metrics={host}:{where[1]}"
    s = scheduler(FAKE.format("ok"), "-O", option)
    s.wait_gone(office.post(["bob@example.com"]))
    head, body = http(where, GET)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; version=0.0.4" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert Metrics(body.decode())("zpost_results_total",
                                  outcome="delivered") == 1
    assert http(where, b"GET /metrics?x=y HTTP/1.0\n\n")[0].startswith(
        b"HTTP/1.1 200 ")
    head, body = http(where, GET.replace(b"GET", b"HEAD"))
    assert head.startswith(b"HTTP/1.1 200 ") and body == b""
    for request, status in (
            (b"GET / HTTP/1.1\r\n\r\n", b"404"),
            (b"GET /metrics/ HTTP/1.1\r\n\r\n", b"404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
            (b"nonsense\r\n\r\n", b"400"),
            (b"\r\n\r\n", b"400"),
            (b"GET /metrics HTTP/2.0\r\n\r\n", b"400"),
            (b"\0\xff\r\n\r\n", b"400"),
            (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 9000, b"431")):
        assert http(where, request)[0].split(b" ")[1] == status, request
    if host == "unix":
        assert stat.S_ISSOCK(os.stat(where).st_mode)
        assert s.stop() == 0
        assert not os.path.exists(where)


def test_strangers_that_hold_connections_disturb_nobody(office, scheduler):
    where = ("127.0.0.1", free_port())
    s = scheduler(FAKE.format("ok"), "-O", f"metrics=127.0.0.1:{where[1]}")
    s.wait_gone(office.post(["bob@example.com"]))
    before = metrics(office)["process_open_fds"]
    clients = []
    for i in range(30):
        c = socket.create_connection(where, timeout=20)
        c.sendall(b"GET /met" if i % 2 else b"")
        clients.append(c)
    s.wait_gone(office.post(["bob@example.com"]))
    assert metrics(office)["process_open_fds"] <= before + 8
    for c in clients:
        c.close()
    wait_for(lambda: http(where, GET)[0].startswith(b"HTTP/1.1 200"))


def test_reader_that_ends_its_side_first_still_gets_all(office, scheduler):
    where = ("127.0.0.1", free_port())
    scheduler(FAKE.format("ok"), "-O", f"metrics=127.0.0.1:{where[1]}")
    with socket.create_connection(where, timeout=20) as s:
        s.sendall(GET)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while more := s.recv(4096):
            answer += more
    Metrics(answer.partition(b"\r\n\r\n")[2].decode())


@pytest.mark.parametrize("where", [
    ":9125", "*:9125", "localhost:9125", "9125", "127.0.0.1", "127.0.0.1:0",
    "127.0.0.1:99999", "[::1]", "unix:", "unix:metrics", "unix:/", ""])
def test_metrics_want_an_address_that_is_spelled_out(office, where):
    done = subprocess.run([program("scheduler"), "-O", f"metrics={where}"],
                          env=office.environment(), timeout=20,
                          stderr=subprocess.PIPE)
    assert done.returncode == 64
    assert b"usage: scheduler" in done.stderr


def test_metrics_take_nobodys_place(office, tmp_path):
    (tmp_path / "file").write_text("mine")
    Scheduler(office, FAKE.format("ok"), start=False)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        for where in (f"unix:{tmp_path}/file",
                      f"127.0.0.1:{s.getsockname()[1]}"):
            done = subprocess.run(
                [program("scheduler"), "-O", f"metrics={where}"],
                env=office.environment(), timeout=20,
                stderr=subprocess.PIPE)
            assert done.returncode == 72
            assert b"metrics: " in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


# ---- statistics -----------------------------------------------------------


def test_statistics_have_delays_and_states(office, scheduler, tmp_path):
    statistics = tmp_path / "statistics"
    s = scheduler('smtp/bad.example\n\tcommand="fake fail"\n'
                  'smtp/word.example\n\tcommand="fake word"\n'
                  'smtp/hold.example\n\tqueueonly\n' + FAKE.format("ok"),
                  "-l", statistics)
    good = office.post(["bob@example.com"])
    gone = [good, office.post(["x@bad.example"], host="bad.example"),
            office.post(["x@word.example"], host="word.example")]
    late = office.post(["x@hold.example"], host="hold.example")
    s.wait(lambda: late.name in ask(office, "show"), "it")
    assert ask(office, f"expire {late.name} {late.offsets[0]}") == ""
    s.wait_gone(*gone, late)
    assert s.stop() == 0
    lines = [x.split(" ") for x in statistics.read_text().splitlines()]
    ids = {x["message"]: x["spool_id"] for x in s.events("queued")
           if x["message"] in (good.name, late.name)}
    states = {x[4]: x[3] for x in lines}
    assert states["smtp/bad.example"] == "error2"
    assert states["smtp/word.example"] == "error"
    assert states["smtp/hold.example"] == "expire"
    assert states["smtp/example.com"] == "ok3"
    for spool_id, router, delivery, _, _ in lines:
        assert int(router) == 0 and 0 <= int(delivery) < 60
        assert spool_id.startswith("S")
    assert len(ids) == 2


def test_router_delay_is_from_arrival_to_control_file(office, scheduler,
                                                      tmp_path):
    statistics = tmp_path / "statistics"
    job = office.post(["bob@example.com"])
    os.utime(job.message, (time.time() - 500, time.time() - 500))
    s = scheduler(FAKE.format("ok"), "-l", statistics)
    s.wait_gone(job)
    assert s.stop() == 0
    [line] = statistics.read_text().splitlines()
    router, delivery = map(int, line.split(" ")[1:3])
    if router == 0:
        pytest.skip("the file system does not keep when a file was made")
    assert 499 <= router <= 560 and delivery < 60


# ---- syslog ---------------------------------------------------------------


@pytest.fixture
def daemon(office):
    """A socket that stands in for syslog's daemon; its path and it."""
    path = office.base / "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        s.settimeout(20)
        yield str(path), s


def test_syslog_gets_the_log_if_asked(office, scheduler, daemon):
    path, log = daemon
    office.set_zenv(SYSLOGFLG="RTC")
    s = scheduler(FAKE.format("nonsense"), "-O", f"syslog={path}")
    s.wait_gone(office.post(["bob@example.com"]))
    assert s.stop() == 0
    said = []
    while not said or "ending:" not in said[-1]:
        said.append(log.recv(8192).decode())
    assert [x for x in said if x.startswith("<22>")
            and f" scheduler[{s.process.pid}]: serving " in x]
    assert [x for x in said if x.startswith("<20>") and "not understood" in x]
    s.configure("smtp/*\n\tnonsense\n")
    subprocess.run([program("scheduler"), "-O", f"syslog={path}"],
                   env=office.environment(), timeout=20)
    assert log.recv(8192).decode().startswith("<19>")


@pytest.mark.parametrize("flags", ["RT", ""])
def test_syslog_hears_nothing_unasked(office, scheduler, daemon, flags):
    path, log = daemon
    office.set_zenv(SYSLOGFLG=flags)
    s = scheduler(FAKE.format("ok"), "-O", f"syslog={path}")
    s.wait_gone(office.post(["bob@example.com"]))
    assert s.stop() == 0
    log.setblocking(False)
    with pytest.raises(BlockingIOError):
        log.recv(8192)


def test_daemon_that_does_not_read_delays_nothing(office, scheduler, daemon):
    path, log = daemon
    office.set_zenv(SYSLOGFLG="C")
    s = scheduler(FAKE.format("nonsense"), "-O", f"syslog={path}")
    s.wait_gone(*[office.post(["bob@example.com"]) for _ in range(20)])
    assert s.stop() == 0


@pytest.mark.parametrize("is_journal", [True, False])
def test_journal_has_each_line_once_with_its_priority(office, scheduler,
                                                      daemon, is_journal):
    path, log = daemon
    office.set_zenv(SYSLOGFLG="C")
    s = Scheduler(office, "smtp/*\n\tnonsense\n", start=False)
    read, write = os.pipe()
    st = os.fstat(write)
    stream = f"{st.st_dev}:{st.st_ino}" if is_journal else "1:2"
    subprocess.run([program("scheduler"), "-O", f"syslog={path}"],
                   env=office.environment({"JOURNAL_STREAM": stream}),
                   stderr=write, timeout=20)
    os.close(write)
    with os.fdopen(read) as f:
        [line] = f.read().splitlines()
    assert s.process is None
    if is_journal:
        assert line.startswith("<3>scheduler: error: ")
        log.setblocking(False)
        with pytest.raises(BlockingIOError):
            log.recv(8192)
    else:
        assert line.startswith("20")
        assert log.recv(8192).startswith(b"<19>")

"""The scheduler: a file is found, an agent works on it, it is removed."""

import grp
import os
import pwd
import signal
import subprocess
import time

import pytest

from mailers import Mailers
from schedrun import DEFAULTS, Scheduler
from spoolfile import Group, Rcpt
from zpost import program, wait_for

FAKE = 'smtp/*\n\tcommand="fake {}"\n'


def smtp_conf(server) -> str:
    return (f'smtp/*\n\tcommand="smtp -F {server.destination} '
            '-h client.example -O attempts=-"\n')


# ---- whole ways -----------------------------------------------------------


def test_message_goes_out_by_smtp_and_its_files_go(office, scheduler, smtpd):
    server = smtpd()
    before = office.post(["bob@example.com"])       # there at the start
    s = scheduler(smtp_conf(server))
    s.wait_gone(before)
    later = office.post(["carol@example.com", "dan@example.net"], groups=[
        Group([Rcpt("carol@example.com"),
               Rcpt("dan@example.net", host="example.net")])])
    hashed = office.post(["erin@example.com"], hash_levels=2)
    s.wait_gone(later, hashed)
    assert s.stop() == 0
    assert len(server.messages) == 4
    assert office.jobs() == []
    assert {x["destination"] for x in s.events("attempt")} \
        == {"example.com", "example.net"}


def test_message_goes_into_a_program(office, scheduler):
    box = Mailers(office)
    box.conf("rec n {rec} rec $u")
    s = scheduler('local/*\n\tcommand="sm -c $channel rec"\n')
    job = office.post(["bob"], channel="local", host="-")
    s.wait_gone(job)
    assert box.runs[0].args[1:] == ["bob"]


def test_submitted_mail_is_found_at_once(office, scheduler, smtpd):
    server = smtpd()
    # A minute passes between two looks: only inotify finds it.
    scheduler(smtp_conf(server), "-O", "scan=60")
    done = office.run("submit", "-f", "a@example.net", "b@example.com",
                      input=b"Subject: x\n\nHi\n")
    assert done.returncode == 0, done.stderr
    server.wait_messages(1)


def test_a_second_scheduler_refuses_to_start(office, scheduler):
    s = scheduler(FAKE.format("ok"))
    s.wait_line("serving")
    second = subprocess.run(
        [program("scheduler")], env=office.environment(), timeout=20,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert second.returncode == 69
    assert (f"another scheduler (pid {s.process.pid}) serves "
            f"{office.path}").encode() in second.stderr
    s.kill()
    s.process.wait()
    s.start()                   # the lock went with the process
    s.wait_line("serving", 2)


def test_bad_configuration_at_start_names_the_line(office, scheduler):
    s = Scheduler(office, "smtp/*\n\tcommand=x byhost\n", start=False)
    done = subprocess.run([program("scheduler")], env=office.environment(),
                          stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 78
    line = DEFAULTS.count("\n") + 2
    assert f"scheduler.conf:{line}: unknown keyword 'byhost'".encode() \
        in done.stderr
    assert s.process is None


def test_usage(office):
    for options in (["-X"], ["-R", "0"], ["x"], ["-HHH"], ["-O", "x=1"],
                    ["-O", "scan=0"], ["-O", "events="], ["-f"]):
        done = subprocess.run([program("scheduler"), *options],
                              env=office.environment(), timeout=20,
                              stderr=subprocess.PIPE)
        assert done.returncode == 64
        assert b"usage: scheduler" in done.stderr


def test_options_of_old_start_scripts_are_taken(office, scheduler, tmp_path):
    log = tmp_path / "scheduler.log"
    s = Scheduler(office, FAKE.format("ok"), start=False)
    process = subprocess.Popen(
        [program("scheduler"), "-SWidnFQ", "-N", "64", "-q", "x", "-E", "1,2",
         "-l", tmp_path / "statistics", "-L", log, "-Z", office.zconfig],
        env={"PATH": "/usr/bin:/bin"}, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: log.exists() and " serving " in log.read_text())
        job = office.post(["bob@example.com"])
        wait_for(lambda: not job.control.exists())
        assert job.name in s.fed()
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert process.stderr.read() == b""
    assert (tmp_path / "statistics").read_text().endswith(
        " ok3 smtp/example.com\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_agents_have_the_ids_and_niceness_of_their_clause(office, scheduler,
                                                          tmp_path):
    s = scheduler('smtp/*\n\tuser=daemon group=nogroup nice=7 '
                  'command="fake silent"\n', start=False)
    for folder in (office.path, *office.path.parents):
        if folder != folder.parent and folder.stat().st_uid == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    s.said.touch()
    s.said.chmod(0o666)
    s.start()
    office.post(["bob@example.com"])
    call = s.wait(lambda: next((x for x in s.calls() if x[1] == "ids"), None),
                  "the agent")
    daemon, group = pwd.getpwnam("daemon"), grp.getgrnam("nogroup")
    assert call[2:] == [str(daemon.pw_uid), str(group.gr_gid), "7",
                        str(office.transport)]


# ---- configuration --------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_reload_takes_new_and_keeps_old_where_new_is_bad(office, scheduler,
                                                         number):
    s = scheduler(FAKE.format("ok"))
    s.wait_line("serving")
    waiting = office.post(["a@b"], channel="other", host="b")
    s.wait_line("no clause")
    s.configure("smtp/*\n\tnonsense\n")
    s.kill(number)
    s.wait_line("stays in force")
    job = office.post(["bob@example.com"])
    s.wait_gone(job)
    assert waiting.control.exists()
    s.configure('other/*\n\tcommand="fake ok"\n')
    s.kill(number)
    s.wait_line("read again")
    s.wait_gone(waiting)


def test_agents_get_what_the_protocol_says_and_no_more(office, scheduler):
    office.set_zenv(PATH="/usr/bin:/bin")
    s = scheduler('smtp/*\n\tcommand="OWN=1 fake ok"\n',
                  env={"HOME": "/nowhere", "LANG": "C", "TZ": "UTC"})
    s.wait_gone(office.post(["bob@example.com"]))
    start = next(x for x in s.calls() if x[1] == "start")
    names = set(start[3:]) - {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE",
                              "ASAN_OPTIONS", "UBSAN_OPTIONS",
                              "LSAN_OPTIONS"}
    assert names == {"OWN", "PATH", "ZCONFIG", "TZ", "ZPOST_SCHEDULER"}


def test_host_in_the_command_binds_the_agent(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="fake ok $host"\n')
    a = office.post(["a@one.example"], host="One.Example")
    b = office.post(["b@two.example"], host="two.example")
    s.wait_gone(a, b)
    starts = [x[0] for x in s.calls() if x[1] == "start"]
    jobs = [x for x in s.calls() if x[1] == "job"]
    assert len(starts) == 2
    assert {x[0] for x in jobs} == set(starts)
    assert all(x[3] == "" for x in jobs)        # the line has no host


def test_a_host_that_is_an_option_starts_nothing(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="fake ok $host"\n')
    office.post(["a@x"], host="-Oevil")
    s.wait_line("begins with '-'")
    assert s.calls() == []


def test_program_that_is_not_there_is_tried_less_and_less(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="no-such-agent"\n')
    job = office.post(["bob@example.com"])
    lines = s.wait_line("no-such-agent", 3)
    assert "cannot execute" in lines[0]
    assert job.tag() == " "


# ---- retries --------------------------------------------------------------


def test_deferred_mail_is_tried_again(office, scheduler, smtpd):
    server = smtpd(script={"RCPT": ["450 4.2.0 later", "450 4.2.0 later"]})
    s = scheduler(smtp_conf(server))
    job = office.post(["bob@example.com"])
    s.wait_gone(job)
    assert len(server.messages) == 1


@pytest.mark.parametrize("how", ["defer", "deferall", "retryat"])
def test_every_word_of_deferral_leads_to_another_try(office, scheduler, how):
    s = scheduler(FAKE.format(f"then {how} ok"))
    s.wait_gone(office.post(["bob@example.com"]))
    assert len(s.fed()) == 2


def test_dead_destination_holds_up_nobody_else(office, scheduler):
    s = scheduler('smtp/dead.example\n\tcommand="fake deferall"\n'
                  'smtp/*\n\tcommand="fake ok"\n')
    dead = [office.post(["a@dead.example"], host="dead.example")
            for _ in range(5)]
    alive = [office.post(["b@example.com"]) for _ in range(5)]
    s.wait_gone(*alive)
    assert all(j.tag() == " " for j in dead)


def test_held_stays_over_a_restart(office, scheduler):
    s = scheduler(FAKE.format("hold"))
    job = office.post(["bob@example.com"])
    s.wait(lambda: job.tag() == "h", "the hold")
    assert s.stop() == 0
    s.configure(FAKE.format("ok"))
    s.start()
    other = office.post(["carol@example.com"])
    s.wait_gone(other)
    assert job.tag() == "h"


# ---- agents that misbehave ------------------------------------------------


def test_dead_agents_lose_nothing(office, scheduler):
    s = scheduler(FAKE.format("then die ok"))
    jobs = [office.post(["bob@example.com"]) for _ in range(5)]
    s.wait_gone(*jobs)
    s.wait_line("ended by signal 9")
    assert sorted(set(s.fed())) == sorted(j.name for j in jobs)


def test_what_a_dead_agent_had_delivered_is_done(office, scheduler):
    s = scheduler('smtp/*\n\tinterval=1h command="fake dumb"\n')
    s.wait_gone(office.post(["bob@example.com"]))
    assert len(s.fed()) == 1


def test_agent_that_exits_at_once_is_backed_off(office, scheduler):
    s = scheduler(FAKE.format("quit"))
    job = office.post(["bob@example.com"])
    s.wait_line("exit status 3", 3)
    assert job.tag() == " "


def test_nonsense_is_logged_and_mail_goes_on(office, scheduler):
    s = scheduler(FAKE.format("nonsense"))
    s.wait_gone(office.post(["bob@example.com"]))
    s.wait_line("not understood: 'hello world'")
    s.wait_line("bad attempt record")
    s.wait_line("ignored: '9/9")


def test_reports_on_others_recipients_are_ignored(office, scheduler):
    s = scheduler('smtp/*\n\tcommand="fake foreign"\n'
                  'slow/*\n\tcommand="fake silent"\n')
    other = office.post(["carol@example.com"], channel="slow")
    s.wait(lambda: other.name in s.fed(), "the other one to be fed")
    s.wait_gone(office.post(["bob@example.com"]))
    s.wait_line("ignored:", 2)
    assert other.control.exists() and other.tag() == " "


def test_a_lie_loses_nothing(office, scheduler):
    s = scheduler(FAKE.format("liar"))
    job = office.post(["bob@example.com"])
    s.wait_line("which the file does not")
    assert job.control.exists() and job.message.exists()
    assert job.tag() == " "


def test_endless_resyncs_are_slowed_down(office, scheduler):
    s = scheduler(FAKE.format("resync"))
    job = office.post(["bob@example.com"])
    s.wait(lambda: len(s.fed()) >= 2, "a second try")
    assert len(s.fed()) < 20
    assert job.tag() == " "


def test_resync_learns_what_was_done_behind_our_back(office, scheduler):
    s = scheduler(FAKE.format("then die resync"))
    job = office.post(["bob@example.com"])
    s.wait_line("ended by signal")
    with open(job.control, "r+b") as f:         # it had got so far
        f.seek(job.offsets[0] + 1)
        f.write(b"+")
    s.wait_gone(job)


def test_stale_lock_is_cleared_at_start(office, scheduler):
    job = office.post([Rcpt("bob@example.com", tag="~", slot="  9999")])
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(job)


def test_files_that_are_no_control_files_are_left_alone(office, scheduler):
    (office.transport / "123").write_text("nothing of the kind\n")
    (office.transport / "124").mkdir()
    (office.transport / "125").symlink_to("/etc/passwd")
    (office.transport / ".126").write_text("draft\n")
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(office.post(["bob@example.com"]))
    s.wait_line("set aside", 3)
    assert (office.transport / "123").exists()
    assert (office.transport / "125").is_symlink()


# ---- many -----------------------------------------------------------------


def test_overfeed_lets_one_agent_do_many(office, scheduler):
    jobs = [office.post(["bob@example.com"]) for _ in range(30)]
    s = scheduler(FAKE.format("ok"))
    s.wait_gone(*jobs)
    assert len({x[0] for x in s.calls() if x[1] == "job"}) == 1
    assert sorted(s.fed()) == sorted(j.name for j in jobs)


def test_limits_of_agents_hold(office, scheduler):
    s = scheduler('smtp/*\n\tmaxring=2 command="fake ok"\n')
    jobs = [office.post(["b@x"], host=f"h{i}.example") for i in range(12)]
    s.wait_gone(*jobs)
    assert len({x[0] for x in s.calls()}) == 2


def test_rate_is_kept(office, scheduler):
    s = scheduler('smtp/*\n\trate=2/1h command="fake ok"\n')
    jobs = [office.post(["bob@example.com"]) for _ in range(5)]
    s.wait(lambda: len([j for j in jobs if j.control.exists()]) == 3,
           "two to go")
    other = office.post(["x@example.org"], host="example.org")
    s.wait_gone(other)
    assert len([j for j in jobs if j.control.exists()]) == 3


def test_queueonly_starts_nothing(office, scheduler):
    s = scheduler('smtp/held.example\n\tqueueonly\n' + FAKE.format("ok"))
    held = office.post(["a@held.example"], host="held.example")
    s.wait_gone(office.post(["bob@example.com"]))
    assert held.tag() == " " and held.name not in s.fed()


# ---- ends -----------------------------------------------------------------


def test_graceful_stop_lets_agents_finish(office, scheduler, smtpd):
    from smtpsession import Do
    server = smtpd(script={".": [Do(delay=1.0)]})
    s = scheduler(smtp_conf(server))
    job = office.post(["bob@example.com"])
    server.wait_command("DATA|BDAT")
    assert s.stop() == 0
    assert len(server.messages) == 1
    assert not job.control.exists() or job.tag() == "+"


def test_kill_and_restart_lose_nothing(office, scheduler, smtpd):
    server = smtpd()
    s = scheduler(smtp_conf(server))
    jobs = []
    for i in range(6):
        jobs += [office.post([f"u{i}.{k}@example.com"]) for k in range(10)]
        time.sleep(0.05 * i)
        s.kill()
        s.process.wait()
        s.start()
    s.wait_gone(*jobs)
    got = {str(r) for m in server.messages for r in m.rcpts}
    assert len(got) == 60

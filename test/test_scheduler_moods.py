"""
Agents of the original protocol, and in odd moods: what they say too often, too
late, in part or never; and what clauses say, seen from outside.
"""

import os
import subprocess
import time

import pytest

from schedrun import DEFAULTS, Scheduler
from spoolfile import Rcpt
from zpost import program

FAKE = 'smtp/*\n\tcommand="fake {}"\n'


# ---- moods ----------------------------------------------------------------


@pytest.mark.parametrize("mood", ["eager", "late", "torn", "parent",
                                  "endless"])
def test_mail_goes_out_whatever_the_mood(office, scheduler, mood):
    s = scheduler(FAKE.format(mood))
    jobs = [office.post([f"u{i}@example.com", f"v{i}@example.com"])
            for i in range(4)]
    s.wait_gone(*jobs)
    counts = [s.fed().count(j.name) for j in jobs]
    assert max(counts) <= 4
    if mood == "torn":
        s.wait_line("lost 5 bytes: '#hung'")
    if mood == "endless":
        s.wait_line("a line of over")


def test_agent_that_cannot_answer_is_replaced(office, scheduler):
    s = scheduler(FAKE.format("then closer ok"))
    s.wait_gone(office.post(["bob@example.com"]))
    assert len({x[0] for x in s.calls() if x[1] == "job"}) == 2


def test_agent_of_the_original_needs_no_attempt_lines(office, scheduler):
    """All its words, of one message: what is left to do is done again."""
    s = scheduler('smtp/example.net\n\tqueueonly\n'
                  + "".join(f'smtp/{how}.example\n\tcommand="fake then {how} '
                            'ok"\n' for how in ("retryat", "deferall"))
                  + 'smtp/word.example\n\tcommand="fake word"\n'
                  + FAKE.format("ok"))
    job = office.post([Rcpt(f"bob@{h}.example", host=f"{h}.example")
                       for h in ("retryat", "deferall", "word", "good")])
    s.wait_gone(job)
    [report] = s.wait_reports(1)
    text = report.message.read_bytes()
    assert text.count(b"Final-Recipient") == 1
    assert b"bob@word.example" in text


def test_second_signal_ends_at_once(office, scheduler):
    s = scheduler(FAKE.format("silent"))
    job = office.post(["bob@example.com"])
    s.wait(lambda: job.name in s.fed(), "the job to be fed")
    s.process.terminate()
    s.wait_line("ending: agents finish")
    assert s.stop() == 0
    assert job.tag() == " "


# ---- clauses --------------------------------------------------------------


def test_age_order(office, scheduler):
    now = int(time.time())
    jobs = [office.post(["bob@example.com"], mtime=now - age)
            for age in (10, 50, 20, 40, 30)]
    s = scheduler('smtp/*\n\tageorder overfeed=0 command="fake then defer '
                  'ok"\n', start=False)
    s.start()
    s.wait_gone(*jobs)
    fed = s.fed()[-4:]          # all were known when the first was answered
    ages = {j.name: age for j, age in zip(jobs, (10, 50, 20, 40, 30))}
    assert [ages[x] for x in fed[:3]] == sorted(
        (ages[x] for x in fed[:3]), reverse=True)


def test_new_mail_does_not_wake_a_destination_that_waits(office, scheduler):
    s = scheduler('smtp/*\n\twakeuprestartonly interval=1h '
                  'command="fake deferall"\n')
    first = office.post(["bob@example.com"])
    s.wait(lambda: s.fed() == [first.name], "a try")
    time.sleep(0.3)
    office.post(["carol@example.com"])
    other = office.post(["x@example.org"], host="example.org")
    s.wait(lambda: other.name in s.fed(), "another destination")
    assert len(s.fed()) == 2


def test_idle_agents_are_stopped(office, scheduler):
    s = scheduler('smtp/*\n\tidlemax=1s command="fake ok"\n')
    s.wait_gone(office.post(["bob@example.com"]))
    s.wait(lambda: any(x[1] == "end" for x in s.calls()), "its end")
    s.wait_gone(office.post(["carol@example.com"]))
    assert len({x[0] for x in s.calls() if x[1] == "job"}) == 2


@pytest.mark.parametrize("keyword", ["maxta=2", "maxchannel=2", "maxring=2"])
def test_limits_of_agents(office, scheduler, keyword):
    where = keyword if keyword.startswith("maxta") else ""
    s = scheduler(f'smtp/*\n\t{"" if where else keyword} '
                  'command="fake ok"\n',
                  defaults=DEFAULTS + f"\t{where}\n", start=False)
    jobs = [office.post(["b@x"], host=f"h{i}.example") for i in range(12)]
    s.start()
    s.wait_gone(*jobs)
    assert len({x[0] for x in s.calls()}) == 2


def test_one_destination_has_as_many_agents_as_maxthr(office, scheduler):
    s = scheduler('smtp/*\n\tmaxthr=3 overfeed=0 command="fake silent"\n')
    for _ in range(8):
        office.post(["bob@example.com"])
    # It begins at 2, and grows only with what is answered.
    s.wait(lambda: len(s.fed()) >= 2, "two agents")
    time.sleep(0.5)
    assert len({x[0] for x in s.calls() if x[1] == "job"}) == 2
    s.kill(15)
    s.wait_line("ending")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_user_that_is_not_known_starts_nothing(office, scheduler):
    s = scheduler('smtp/*\n\tuser=no-such-user command="fake ok"\n')
    job = office.post(["bob@example.com"])
    s.wait_line("no-such-user")
    assert s.calls() == [] and job.tag() == " "


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("words, niceness", [
    ("priority=11", 11), ("nice=5", 5), ("nice=39", 19),
    ("nice=5 priority=3", 3)])
def test_niceness_of_agents(office, scheduler, words, niceness):
    s = scheduler(f'smtp/*\n\t{words} command="fake ok"\n')
    s.wait_gone(office.post(["bob@example.com"]))
    call = next(x for x in s.calls() if x[1] == "ids")
    assert call[4] == str(niceness)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_own_priority(office, scheduler):
    s = scheduler('smtp/*\n\tsyspriority=7 command="fake ok"\n')
    assert os.getpriority(os.PRIO_PROCESS, s.process.pid) == 7


def test_configuration_without_a_clause_is_refused(office):
    Scheduler(office, "", start=False)
    done = subprocess.run([program("scheduler")], env=office.environment(),
                          stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 78
    assert b"not one clause that could serve mail" in done.stderr

"""
smtp(8), the page, beside smtp, the program: what one has the other has too,
and what the page says in general holds.
"""

import math
import re
import string

import pytest

import zpost
from smtpcheck import HOST, settled
from test_smtp_options import deliver_one
from zpost import ROOT, Rcpt

PAGE = (ROOT / "man" / "smtp.8").read_text()
OPTIONS_C = (ROOT / "src" / "smtpta" / "options.c").read_text()

COVERAGE = (ROOT / "COVERAGE.md").read_text()

# In the environment; all others stand in zmailer.conf.
FROM_OUTSIDE = {"ZCONFIG", "ZPOST_SCHEDULER"}
# Where a variable that smtp heeds would be asked for.
READERS = ["prog/smtp.c", "prog/setup.c", "smtpta/*.c", "agent/*.c",
           "spool/*.c", "net/*.c"]


def section(name: str) -> str:
    return re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", PAGE,
                     re.MULTILINE | re.DOTALL)[1]


def is_only_usage(done) -> bool:
    return done.returncode == 64 and done.stderr.startswith(b"# usage:")


def program_options(run) -> dict:
    """Each letter that the program takes: does it have an argument?"""
    found = {}
    for letter in string.ascii_letters + string.digits:
        # "V" is an argument, or the option behind it ends the program.
        if not is_only_usage(run("smtp", f"-{letter}", "V", "-V")):
            found[letter] = is_only_usage(run("smtp", f"-{letter}"))
    return found


def synopsis() -> dict:
    text = section("SYNOPSIS")
    flags = re.search(r"^\.Op Fl (\w+)$", text, re.MULTILINE)[1]
    valued = re.findall(r"^\.Op Fl (\w) Ar ", text, re.MULTILINE)
    return {**dict.fromkeys(flags, False), **dict.fromkeys(valued, True)}


def letters(options: dict, has_value: bool) -> list[str]:
    return sorted(x for x, v in options.items() if v is has_value)


# ---- the page and the program ---------------------------------------------


def test_synopsis_has_every_option(office):
    """As the program takes them, and as it says itself."""
    options = program_options(office.run)
    assert len(options) > 20
    assert synopsis() == options
    usage = office.run("smtp", "-?").stderr.decode()
    flags = re.search(r"smtp \[-(\w+)\]", usage)[1]
    assert sorted(flags) == letters(options, False)
    assert sorted(re.findall(r"\[-(\w) \w", usage)) == letters(options, True)
    assert "[host]\n#        smtp --explain " in usage


def test_every_option_is_explained(office):
    explained = {}
    for letter, rest in re.findall(r"^\.It Fl (\w)(\w?.*)$",
                                   section("DESCRIPTION"), re.MULTILINE):
        if rest != letter:      # -77 is -7, twice
            assert letter not in explained, f"-{letter} stands there twice"
            explained[letter] = rest.startswith(" Ar ")
    assert explained == program_options(office.run)


def test_every_key_of_our_own_options_is_explained(office):
    rows = re.search(r"own_rows\[\] = \{\n(.*?)^\};", OPTIONS_C,
                     re.MULTILINE | re.DOTALL)[1]
    keys = set(re.findall(r'^\t\{ "([\w-]+)"', rows, re.MULTILINE))
    text = PAGE[PAGE.index("\n.It Fl O "):PAGE.index("\n.It Fl p ")]
    assert len(keys) >= 7
    assert set(re.findall(r"^\.It Cm ([\w-]+)", text, re.MULTILINE)) == keys
    for key in keys:
        said = office.run("smtp", "-O", key, "-?").stderr.decode()
        assert "unknown key" not in said


def test_every_variable_is_named():
    """Those that are asked for are named in the page, and no others."""
    asked = set()
    for pattern in READERS:
        for path in (ROOT / "src").glob(pattern):
            if not re.search(r"_(test|fuzz)\.c$", path.name):
                asked |= set(re.findall(
                    r'\b(?:zenv_get\(\w+,|(?:secure_)?getenv\() ?"(\w+)"',
                    path.read_text()))
    # Those with a reader each.
    main = (ROOT / "src" / "prog" / "smtp.c").read_text()
    asked |= set(re.findall(r'^\t\{ "(\w{2,})", smtpta_options_\w+ \},$', main,
                            re.MULTILINE))
    setup = (ROOT / "src" / "prog" / "setup.c").read_text()
    asked.add(re.search(r'#define OUR_SCHEDULER "(\w+)"', setup)[1])
    assert asked >= {"SYSLOGFLG", "BINDADDR", "ZCONFIG"}
    named = re.findall(r"^\.It Ev (\w+)$", section("ENVIRONMENT"),
                       re.MULTILINE)
    assert sorted(named) == sorted(asked)
    # The line of the list that says they are tested names them too.
    line = re.search(r"^- \[.\] A6\.02 (.*?)^- \[", COVERAGE,
                     re.MULTILINE | re.DOTALL)[1]
    assert all(name in line for name in asked - FROM_OUTSIDE)


def test_table_of_timeouts(office):
    """Names and least values are those of the program."""
    table = re.findall(r"^\.It Cm (\w+) Ta (\w+) Ta (\d+)s Ta ", PAGE,
                       re.MULTILINE)
    assert len(table) == 6
    for name, standard, least in table:
        for spec in (f"{name}={least}", f"{name}={standard}"):
            assert office.run("smtp", "-T", spec).returncode == 0
        done = office.run("smtp", "-T", f"{name}={int(least) - 1}")
        assert (done.returncode, f"at least {least} seconds" in
                done.stderr.decode()) == (64, True)
        row = re.search(rf'^\t\{{ "{name}", FIELD\({name}\), (\d+), (.*?) }},',
                        OPTIONS_C, re.MULTILINE)
        seconds = math.prod(int(x) for x in row[2].split(" * "))
        assert standard == f"{seconds // 60}m"


def test_every_status_word_is_explained():
    """All that our scheduler knows, but for two that smtp never says."""
    words = set(re.findall(r"^\.It Li (\w+)$", section("INTERFACE"),
                           re.MULTILINE))
    known = re.findall(r'\[STATUS_\w+\] = \{ "(\w+)"',
                       (ROOT / "src" / "taproto" / "report.c").read_text())
    assert set(known) - words == {"error", "retryat"}
    assert words <= set(known)


def test_examples_can_be_used(office):
    """Each clause's command, as the scheduler takes it apart, and runs it."""
    commands = re.findall(r'^\tcommand="smtp (.*)"$', section("EXAMPLES"),
                          re.MULTILINE)
    assert len(commands) == 2
    (office.log / "smtp").mkdir()
    for words in commands:
        args = words.replace("${LOGDIR}", str(office.log)).split()
        done = office.run("smtp", *args)
        assert (done.returncode, done.stdout) == (0, b"#hungry\n")
    assert (office.log / "smtp" / "sessions").exists()


# ---- the command line -----------------------------------------------------


def test_flags_one_by_one_or_bundled(office, smtp, smtpd):
    """Every flag there is but for those that change what is spoken."""
    flags = [x for x in letters(program_options(office.run), False)
             if x not in "VM"]
    one, other = smtpd(), smtpd()
    deliver_one(office, smtp(one, *(f"-{x}" for x in flags)))
    deliver_one(office, smtp(other, "-" + "".join(flags)))
    one.wait_ended()
    other.wait_ended()
    assert one.commands() == other.commands()
    assert "8BITMIME" not in "".join(one.commands())


@pytest.mark.parametrize("is_attached", [False, True])
def test_options_with_an_argument_and_one_host(office, smtp, smtpd,
                                               is_attached):
    """Their argument is a word of its own, or stands in the same."""
    server = smtpd()
    secrets, rules = office.base / "secrets", office.base / "smtp-tls.conf"
    secrets.touch(mode=0o600)
    rules.write_text("tls-level may\n")
    values = {"A": str(secrets), "S": str(rules),
              "c": "smtp", "F": server.destination, "h": "client.example",
              "l": str(office.base / "log-of-sessions"), "L": "any",
              "O": "sync=always", "p": str(server.port), "T": "5m",
              "w": "100000", "Z": "zzz"}
    assert sorted(values) == letters(program_options(office.run), True)
    words = [w for x, v in values.items()
             for w in ([f"-{x}{v}"] if is_attached else [f"-{x}", v])]
    agent = smtp(None, *words, HOST)
    assert agent.run(office.post()).report.status == "ok3"
    agent = smtp(None, *words)
    assert agent.run(office.post(), HOST).report.status == "ok3"


# ---- in general -----------------------------------------------------------


def test_spool_names_are_relative_to_where_it_runs(office, smtp, smtpd,
                                                   tmp_path):
    """The same name is another file in another transport directory."""
    server = smtpd()
    elsewhere = zpost.Postoffice(tmp_path / "elsewhere")
    job = office.post(["here@x.example"])
    twin = elsewhere.post(["there@x.example"], name=job.name)
    stray = smtp(server, cwd=office.base)
    assert stray.run(job, HOST).resyncs == [job.name]
    assert smtp(server, cwd=elsewhere.transport).run(
        job, HOST).report.status == "ok3"
    settled(twin, "+")
    assert job.is_untouched()
    assert [m.addresses for m in server.messages] == [["there@x.example"]]


def test_everything_goes_to_the_forced_destination(office, smtp, smtpd):
    """Whatever host a job names, even one that is no address at all."""
    server = smtpd()
    agent = smtp(server)
    hosts = ["one.example", "[192.0.2.99]", "[nonsense", "other.example"]
    for host in hosts:
        deliver_one(office, agent, host=host, rcpts=[f"x@{len(host)}.example"])
    assert [m.addresses for m in server.messages] == [
        [f"x@{len(h)}.example"] for h in hosts]


def test_host_chooses_recipients(office, smtp, smtpd):
    """That of the line, of an earlier line, or of the command line."""
    server = smtpd()
    job = office.post([Rcpt(f"{c}@x.example", host=f"{c}.example")
                       for c in "abc"])
    agent = smtp(server, "b.example")
    for host, i in ((None, 1), ("c.example", 2), (None, None),
                    ("a.example", 0)):
        out = agent.run(job, host)
        assert [r.offset for r in out.reports] == (
            [] if i is None else [job.offsets[i]])
    settled(job, "+++")


LABELLED = (b"From: alice@example.net\nMIME-Version: 1.0\n"
            b"Content-Type: text/plain; charset=UTF-8\n"
            b"Content-Transfer-Encoding: 8bit\n")
EVERY = bytes(b for b in range(0x80, 0x100)) + "Grüße ☃\n".encode()


@pytest.mark.parametrize("keywords", [["8BITMIME"],
                                      ["8BITMIME", "PIPELINING", "CHUNKING"]])
def test_labelled_8bit_mail_passes_unchanged(office, smtp, smtpd, keywords):
    """Header and body, byte for byte, and labelled on the way too."""
    server = smtpd(keywords=keywords)
    deliver_one(office, smtp(server), header=LABELLED, body=EVERY * 50)
    [message] = server.messages
    assert message.mail.params == {"BODY": "8BITMIME"}
    assert message.content == (LABELLED + b"\n" + EVERY * 50).replace(
        b"\n", b"\r\n")


def test_variables_do_not_come_from_the_environment(office, smtp, smtpd):
    """What our scheduler hands on is ZCONFIG; the file has the others."""
    server = smtpd()
    office.set_zenv(BINDADDR="[127.0.0.3]")
    deliver_one(office, smtp(server, env={"BINDADDR": "[127.0.0.4]"}))
    office.set_zenv(BINDADDR=None)
    deliver_one(office, smtp(server, env={"BINDADDR": "[127.0.0.4]"}))
    ends = [s.transport.get_extra_info("peername")[0]
            for s in server.sessions]
    assert ends == ["127.0.0.3", "127.0.0.1"]

"""
smtp(8) and sm(8): mail of every shape over channels of 7 and of 8 bits. What
arrived is read by Python's email package and must be, leaf by leaf, the
content that was sent.
"""

import email
import email.header
import email.policy

import pytest

import parts
from mailers import Mailers
from smtpcheck import HOST

MANY = 320
CORPUS = parts.corpus(MANY)
WAYS = {
    "7bit": ([], ["PIPELINING", "SIZE"]),
    "HELO": (["-77"], []),
    "-7": (["-7"], ["PIPELINING", "8BITMIME", "SMTPUTF8"]),
    "8bit": ([], ["PIPELINING", "8BITMIME", "SIZE"]),
    "chunks": ([], ["PIPELINING", "CHUNKING"]),
    "binary": ([], ["PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME"]),
    "-8": (["-8"], ["PIPELINING"]),
    "-8 8bit": (["-8"], ["PIPELINING", "8BITMIME"]),
}
NARROW = {"7bit", "HELO", "-7", "chunks"}


def content(found):
    return [(kind, parts.normal(kind, data)) for kind, data in found]


def subject(data):
    raw = email.message_from_bytes(data, policy=email.policy.compat32)
    return str(email.header.make_header(email.header.decode_header(
        raw["Subject"])))


def check(made, data, is_narrow):
    assert content(parts.leaves(data)) == content(made.leaves), made.shape
    if is_narrow:
        assert data.isascii(), made.shape
        assert all(len(line) <= 998 for line in data.split(b"\n")), made.shape


def test_corpus_is_what_it_should_be():
    assert len({m.shape for m in CORPUS}) == MANY >= 300
    assert {m.depth for m in CORPUS} >= {0, 1, 2, 12, 20, 30}
    said = " ".join(m.shape for m in CORPUS)
    for word in (*parts.TEXTS, "broken", "base64", "quoted-printable", "8bit",
                 "7bit", "msg("):
        assert word in said, word
    for made in CORPUS:
        assert content(parts.leaves(made.raw)) == content(made.leaves)


@pytest.mark.parametrize("way", WAYS)
def test_every_leaf_arrives_as_it_was_sent(office, smtp, smtpd, way):
    options, keywords = WAYS[way]
    server = smtpd(keywords=keywords, allow=["8bit", "long-line"])
    agent = smtp(server, *options)
    jobs = [office.post(header=m.header, body=m.body) for m in CORPUS]
    agent.feed_raw("".join(f"{job.name}\t{HOST}\n" for job in jobs))
    for _ in jobs:
        agent.hungry()
    assert all(job.marks == "+" for job in jobs)
    assert len(server.messages) == MANY
    for made, message in zip(CORPUS, server.messages):
        check(made, message.lines, way in NARROW)
        assert subject(message.lines) in ("Grüße", "hi", "Привет мир")
        is_8bit = not message.content.isascii()
        said = message.mail.params.get("BODY")
        offered = "8BITMIME" in keywords and "-7" not in options
        assert said == ("8BITMIME" if is_8bit and offered else None)
        if "SIZE" in message.mail.params:
            size, told = len(message.content), int(message.mail.params["SIZE"])
            is_converted = message.body.rstrip() != made.body.rstrip()
            assert told == size if is_converted else told > .9 * size


@pytest.mark.parametrize("flags", ["n", "n8", "n89", "nREX", "nb", "nB8"])
def test_every_leaf_reaches_a_mailer_as_it_was_sent(office, flags):
    box = Mailers(office)
    box.conf(f"m {flags} {{rec}} rec $u\n")
    some = CORPUS[::4]
    jobs = [office.post(["bob"], channel="local", host="-", header=m.header,
                        body=m.body) for m in some]
    with box.sm("m") as agent:
        agent.hungry()
        for job in jobs:
            assert agent.run(job).statuses == ["ok3"]
        assert agent.stop() == 0
    for made, run in zip(some, box.runs):
        data = run.input.replace(b"\r\n", b"\n")
        if set("bB") & set(flags):
            data = data.split(b"\nDATA\n", 1)[1].rpartition(b"\n.\n")[0]
            data += b"\n"
        if set("XbB") & set(flags):
            data = data.replace(b"\n..", b"\n.")
        if "E" in flags:
            data = data.replace(b"\n>From ", b"\nFrom ")
        assert content(parts.leaves(data)) == content(made.leaves), made.shape
        if "8" not in flags:
            assert data.isascii()

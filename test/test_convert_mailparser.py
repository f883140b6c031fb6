"""
What arrives at a server of 7 bits reads, to npm's mailparser, as what was
sent: text, files and their names, subject, sender, and messages inside.
"""

import base64
import json
import os
import pathlib
import subprocess

import pytest

import parts
from peerroot import PEERS
from smtpcheck import HOST

JUDGE = pathlib.Path(__file__).resolve().parent / "judge_mailparser.js"
MODULES = PEERS / "npm" / "node_modules"
CORPUS = parts.corpus(120, seed=5)


def judge(node, messages):
    """What mailparser says of each."""
    if not (MODULES / "mailparser").is_dir():
        pytest.skip("npm's mailparser is not below build/peers")
    done = subprocess.run(
        [node, JUDGE], env={**os.environ, "NODE_PATH": str(MODULES)},
        input=b"".join(base64.b64encode(m) + b"\n" for m in messages),
        stdout=subprocess.PIPE, timeout=100, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def well_named(mail):
    """With file names as they are meant: it takes bare UTF-8 for Latin-1."""
    for part in mail["parts"]:
        if part[1] is not None:
            try:
                part[1] = part[1].encode("latin-1").decode()
            except ValueError:
                pass
        if isinstance(part[2], dict):
            well_named(part[2])
    return mail


@pytest.mark.timeout(240)
@pytest.mark.parametrize("keywords", [[], ["CHUNKING"], ["8BITMIME"]])
def test_mailparser_reads_what_was_sent(office, smtp, smtpd, need, keywords):
    server = smtpd(keywords=["PIPELINING", *keywords],
                   allow=["8bit", "long-line"])
    agent = smtp(server)
    for made in CORPUS:
        agent.feed(office.post(header=made.header, body=made.body), HOST)
    for _ in CORPUS:
        agent.hungry()
    node = need("node")
    was = judge(node, [made.raw for made in CORPUS])
    is_ = judge(node, [message.content for message in server.messages])
    assert len(was) == len(is_) == len(CORPUS)
    for made, a, b in zip(CORPUS, was, is_):
        assert well_named(a) == well_named(b), made.shape
    assert any(mail["parts"] for mail in was)
    assert any("汉字" in mail["text"] for mail in was)

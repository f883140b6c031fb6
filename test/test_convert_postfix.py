"""
The same mail through Postfix's downgrade and through ours, to a server of 7
bits: what docs/conversion.md says about the differences.
"""

import email
import email.policy
import random

import pytest

import parts
from peers_postfix import Postfix
from smtpcheck import HOST

pytestmark = pytest.mark.timeout(120)

MIXED = (b"From: alice@example.net\nMIME-Version: 1.0\n"
         b"Content-Type: multipart/mixed; boundary=b\n"
         b"Content-Transfer-Encoding: 8bit\n")
PNG = bytes(c for c in range(1, 256) if c not in (10, 13)) * 3
CASES = {
    "text": parts.make(random.Random(3), 0).raw,
    "labelled": b"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain;"
                b" charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
                b"Gr\xc3\xbc\xc3\x9fe\n",
    "leaf": MIXED + b"\n--b\nContent-Transfer-Encoding: 8bit\n\n"
            b"\xc3\xbc\n--b--\n",
    "image": MIXED + b"\n--b\nContent-Type: image/png\n"
             b"Content-Transfer-Encoding: 8bit\n\n" + PNG + b"\n--b--\n",
    "unlabelled": b"Subject: x\n\nGr\xc3\xbc\xc3\x9fe\n",
    "half labelled": b"Subject: x\nMIME-Version: 1.0\n\nGr\xc3\xbc\xc3\x9fe\n",
    "header": b"Subject: Gr\xc3\xbc\xc3\x9fe\nMIME-Version: 1.0\n\nx\n",
    "signed": b"DKIM-Signature: v=1\nMIME-Version: 1.0\n"
              b"Content-Transfer-Encoding: 8bit\n\n\xc3\xbc\n",
    "pgp": b"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/signed;"
           b" boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\n"
           b"Content-Transfer-Encoding: 8bit\n\n\xc3\xbc\n--b\n\nsig\n--b--\n",
    "inner message": b"Subject: x\nMIME-Version: 1.0\n"
                     b"Content-Type: message/rfc822\n"
                     b"Content-Transfer-Encoding: 8bit\n\nSubject: y\n"
                     b"MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\n"
                     b"\xc3\xbc\n",
}
# Does the message arrive with 7 bits: from Postfix, from us?
ASCII = {"text": (True, True), "labelled": (True, True), "leaf": (True, True),
         "image": (True, True), "unlabelled": (False, True),
         "half labelled": (False, True), "header": (False, True),
         "signed": (True, False), "pgp": (True, False),
         "inner message": (True, True)}


def content(data):
    return [(kind, parts.normal(kind, one))
            for kind, one in parts.leaves(data)]


@pytest.fixture
def both(office, smtp, smtpd, server):
    """What a server of 7 bits gets of each case: from Postfix, from us."""
    theirs = smtpd(keywords=["PIPELINING"], allow=["8bit", "long-line"])
    postfix = server(Postfix, mode="relay", relay_port=theirs.port,
                     smtputf8_enable="no")
    ours = smtpd(keywords=["PIPELINING"], allow=["8bit", "long-line"])
    agent = smtp(ours)
    found = {}
    for name, raw in CASES.items():
        header, _, body = raw.partition(b"\n\n")
        postfix.submit([raw])
        postfix.release()
        postfix.flush()
        theirs.wait_messages(len(found) + 1)
        agent.run(office.post(header=header + b"\n", body=body), HOST)
        found[name] = (theirs.messages[-1].lines, ours.messages[-1].lines)
    return found


def test_both_keep_every_leaf_and_differ_as_is_written(both):
    for name, raw in CASES.items():
        want = content(raw)
        assert [content(one) for one in both[name]] == [want, want], name
        assert tuple(one.isascii() for one in both[name]) == ASCII[name], name


def test_choice_of_encoding(both):
    """Postfix knows quoted-printable alone: twice as long for an image."""
    theirs, ours = both["image"]
    assert b"quoted-printable" in theirs and b"base64" in ours
    assert len(theirs) > 1.5 * len(ours)


def test_label_of_what_had_none(both):
    theirs, ours = (email.message_from_bytes(one, policy=email.policy.default)
                    for one in both["unlabelled"])
    assert theirs["MIME-Version"] is None
    assert ours["MIME-Version"] and ours.get_content() == "Grüße\n"

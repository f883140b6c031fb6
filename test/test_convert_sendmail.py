"""
The same mail through sendmail's downgrade and through ours, to a server of 7
bits: what docs/conversion.md says about the differences.
"""

import email
import email.policy
import smtplib

import pytest

from peers_mta import Sendmail
from smtpcheck import HOST
from test_convert_postfix import CASES, content

pytestmark = pytest.mark.timeout(120)

# Does the message arrive with 7 bits: from sendmail, from us?
ASCII = {"text": (True, True), "labelled": (True, True), "leaf": (True, True),
         "image": (True, True), "unlabelled": (True, True),
         "half labelled": (True, True), "header": (False, True),
         "signed": (True, False), "pgp": (False, False),
         "inner message": (True, True)}


def pass_on(sendmail, raw, options):
    with smtplib.SMTP("127.0.0.1", sendmail.port, timeout=30) as client:
        client.sendmail("a@example.net", ["b@example.org"],
                        raw.replace(b"\n", b"\r\n"), mail_options=options)


@pytest.fixture
def narrow(smtpd):
    """narrow() is a server of 7 bits."""
    return lambda: smtpd(keywords=["PIPELINING"], allow=["8bit", "long-line"])


@pytest.fixture
def both(office, smtp, server, narrow):
    """What a server of 7 bits gets of each case: from sendmail, from us."""
    theirs, ours = narrow(), narrow()
    sendmail = server(Sendmail, relay_port=theirs.port)
    agent = smtp(ours)
    found = {}
    for name, raw in CASES.items():
        header, _, body = raw.partition(b"\n\n")
        pass_on(sendmail, raw, ["BODY=8BITMIME"])
        theirs.wait_messages(len(found) + 1)
        agent.run(office.post(header=header + b"\n", body=body), HOST)
        found[name] = (theirs.messages[-1].lines, ours.messages[-1].lines)
    return found


def read(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def test_both_keep_every_leaf_and_differ_as_is_written(both):
    for name, raw in CASES.items():
        want = content(raw)
        assert [content(one) for one in both[name]] == [want, want], name
        assert tuple(one.isascii() for one in both[name]) == ASCII[name], name


def test_choice_of_encoding(both):
    """sendmail: base64 for any text that is short or mostly 8-bit."""
    theirs, ours = map(read, both["labelled"])
    assert theirs["Content-Transfer-Encoding"] == "base64"
    assert ours["Content-Transfer-Encoding"] == "QUOTED-PRINTABLE"


def test_label_of_what_had_none(both):
    """Both say MIME; only one says what charset it is."""
    theirs, ours = map(read, both["unlabelled"])
    assert theirs.get_content_charset() == "unknown-8bit"
    assert ours.get_content_charset() == "utf-8"
    assert ours.get_content() == "Grüße\n"


def test_client_that_does_not_say_8bitmime(server, narrow):
    """Without a label either, sendmail by default passes it as it is."""
    theirs = narrow()
    pass_on(server(Sendmail, relay_port=theirs.port), CASES["unlabelled"], [])
    theirs.wait_messages(1)
    assert not theirs.messages[0].lines.isascii()

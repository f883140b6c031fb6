"""
What smtp(8) makes of messages in test/corpus/convert, to the byte: NAME.in as
it lies in the spool, NAME.7bit and NAME.8bit as a server without and with
8BITMIME gets it, with LF for CR LF. ZPOST_GOLDEN=write writes the outputs
anew, to be read by somebody before they are kept.
"""

import os
import pathlib

import pytest

from smtpcheck import HOST

GOLDEN = pathlib.Path(__file__).resolve().parent / "corpus" / "convert"
NAMES = sorted(p.stem for p in GOLDEN.glob("*.in"))
WAYS = {"7bit": ["PIPELINING"], "8bit": ["PIPELINING", "8BITMIME"]}


def test_there_are_some():
    assert len(NAMES) >= 7


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_message_is_sent_to_the_byte(office, smtp, smtpd, name, way):
    header, _, body = (GOLDEN / f"{name}.in").read_bytes().partition(b"\n\n")
    office.set_zenv(RFC822TABS="1")
    server = smtpd(keywords=WAYS[way], allow=["8bit"])
    smtp(server).run(office.post(header=header + b"\n", body=body), HOST)
    want = GOLDEN / f"{name}.{way}"
    if os.environ.get("ZPOST_GOLDEN") == "write":
        want.write_bytes(server.messages[0].lines)
    assert server.messages[0].lines == want.read_bytes()

"""
The conversion of nested messages, held against Python's email package, which
shares nothing with us: what a leaf means, before and after, is the same; the
shape is the same; what need not change does not. The messages are made here,
each with a structure, encodings and charsets of its own.
"""

import base64
import email
import email.policy
import quopri
import random
import re
import subprocess

import pytest

from zpost import bin_dir

DRIVER = bin_dir().parent / "test" / "mime" / "treeconv_test"
RECEIVED = b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n"
TEXTS = {
    "utf-8": "Grüße aus Köln – jeder weiß es.\n\t.\nFrom here\n-- \nend ",
    "koi8-r": "Съешь же ещё этих мягких французских булок\nда выпей чаю\n",
    "iso-2022-jp": "日本語のテキスト\n二行目\n",
    "gb18030": "我能吞下玻璃而不伤身体\n\n",
    "iso-8859-1": "Blåbærsyltetøy = 100 %\n--\n=3D\n",
    "us-ascii": "plain\nwords \n.\n",
}


def convert(message, switches=""):
    """(converted message, the plan's words, a line for each part)"""
    if not DRIVER.exists():
        pytest.skip(f"{DRIVER} is not built")
    done = subprocess.run([DRIVER, switches or "-"], input=message,
                          capture_output=True, timeout=60, check=True)
    head, *parts = done.stderr.decode("latin-1").splitlines()
    return done.stdout, head.split(), parts


class Maker:
    """Messages from a seed."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = 0

    def leaf(self):
        r = self.r
        if r.random() < 0.3:
            body = r.randbytes(r.randrange(1, 400))
            body = body.replace(b"\0", b"0").replace(b"\r", b"1")
            kind, charset = r.choice(["application/octet-stream",
                                      "image/png", "audio/x-y"]), None
            encoding = r.choice(["8bit", None, "base64"])
        else:
            charset = r.choice(sorted(TEXTS))
            text = TEXTS[charset] * r.randrange(1, 6)
            if r.random() < 0.2:
                text = text.replace("\n", " ") * 30
            body = text.encode(charset)
            if r.random() < 0.1:
                body += b"\xff\xfe broken"
            kind = r.choice(["text/plain", "text/html", "text/x-y"])
            encoding = r.choice(["8bit", None, "8BIT", "quoted-printable",
                                 "base64"])
        if encoding == "base64":
            body = base64.encodebytes(body)
        elif encoding == "quoted-printable":
            body = quopri.encodestring(body)
        head = f"Content-Type: {kind}"
        if charset:
            head += r.choice([";", ";\n\t", " ; "])
            head += r.choice([f'charset="{charset}"', f"charset={charset}"])
        head += "\n"
        if encoding:
            head += f"Content-Transfer-Encoding: {encoding}\n"
        if r.random() < 0.1:
            head += "Content-Description: Übersicht für Jörg\n"
        return head.encode() + b"\n" + body

    def multipart(self, depth):
        r = self.r
        self.n += 1
        boundary = r.choice(["b{}", "=_{}_x", "----Part'{}?", "{}"])
        boundary = boundary.format(f"{self.n}n").encode()
        parts = [self.part(depth - 1) if depth > 0 and (i == 0 or
                 (self.n < 12 and r.random() < 0.2)) else self.leaf()
                 for i in range(r.randrange(1, 4))]
        subtype = r.choice([b"mixed", b"alternative", b"related"])
        head = (b"Content-Type: multipart/" + subtype + b';\n boundary="'
                + boundary + b'"\n')
        if r.random() < 0.7:
            head += b"Content-Transfer-Encoding: 8bit\n"
        text = r.choice([b"", b"This is MIME.\n"])
        for part in parts:
            text += b"--" + boundary + r.choice([b"", b" \t"]) + b"\n"
            text += part + b"\n"
        if r.random() < 0.9:
            text += b"--" + boundary + b"--\n" + r.choice([b"", b"end\n"])
        return head + b"\n" + text

    def part(self, depth):
        if self.r.random() < 0.25:
            return (b"Content-Type: message/rfc822\n"
                    + self.r.choice([b"", b"Content-Transfer-Encoding: 8bit"
                                     b"\n"]) + b"\n" + self.message(depth))
        return self.multipart(depth)

    def message(self, depth):
        content = self.multipart(depth) if depth > 0 else self.leaf()
        return (RECEIVED + b"Subject: x\nMIME-Version: 1.0\n" + content)


def leaves(message):
    """(type, charset, meaning) of each leaf, as Python reads it."""
    found = []
    for part in email.message_from_bytes(
            message, policy=email.policy.compat32).walk():
        if part.is_multipart():
            found.append((part.get_content_type(), part.preamble,
                          part.epilogue))
            continue
        raw = part.get_payload(decode=True)
        found.append((part.get("Content-Type"),
                      raw.replace(b"\r\n", b"\n")))
    return found


def is_labelled_right(message):
    """Does no label of a leaf or a container promise less than is there?"""
    for part in email.message_from_bytes(message).walk():
        label = str(part.get("Content-Transfer-Encoding", "7bit")).lower()
        if part.is_multipart() and label != "7bit":
            return False
    return True


@pytest.mark.parametrize("block", range(10))
def test_leaves_mean_the_same_after_conversion_to_7bit(block):
    shapes = set()
    for seed in range(block * 40, block * 40 + 40):
        message = Maker(seed).message(seed % 31)
        out, (mode, reason, sends_8bit, unconvertible), parts = \
            convert(message)
        shapes.add(re.sub(rb"[^-\n]", b"", message))
        assert (sends_8bit, unconvertible) == ("0", "0"), (seed, reason)
        assert max(out) < 0x80, seed
        assert leaves(out) == leaves(message), seed
        assert is_labelled_right(out), seed
        again, (mode, *_), _ = convert(out)
        assert mode == "NONE" and again == out, seed
        if max(message) < 0x80 and b"8bit" not in message.lower():
            assert out == message
    assert len(shapes) == 40


def test_8bit_peer_gets_every_message_as_it_is():
    for seed in range(60):
        message = Maker(seed).message(seed % 31)
        out, (mode, _, _, unconvertible), _ = convert(message, "8")
        assert (out, mode, unconvertible) == (message, "NONE", "0"), seed


def test_long_lines_are_encoded_and_no_line_is_too_long():
    n_changed = 0
    for seed in range(60):
        message = Maker(seed).message(seed % 7)
        out, (mode, *_), _ = convert(message, "l")
        n_changed += out != message
        assert max(map(len, out.split(b"\n"))) <= 998, seed
        assert leaves(out) == leaves(message), seed
    assert n_changed > 30


def test_decoding_and_encoding_again_mean_the_same():
    n_decoded = 0
    for seed in range(100):
        message = Maker(seed).message(seed % 5)
        out, (mode, reason, *_), parts = convert(message, "8d")
        n_decoded += any(" decode" in p for p in parts)
        assert leaves_text(out) == leaves_text(message), (seed, reason)
        back, *_ = convert(out)
        assert leaves_text(back) == leaves_text(message), seed
    assert n_decoded > 10


def leaves_text(message):
    """Leaves without their last line end, which quopri may add."""
    return [(leaf[0], *(x.rstrip(b"\n") if isinstance(x, bytes) else x
                        for x in leaf[1:])) for leaf in leaves(message)]


def test_signed_parts_are_never_changed():
    for kind in ("multipart/signed; protocol=x", "multipart/encrypted"):
        for seed in range(20):
            inner = Maker(seed).leaf()
            signed = (f"Content-Type: {kind}; boundary=sig\n\n".encode()
                      + b"--sig\n" + inner + b"\n--sig--")
            message = (RECEIVED + b"MIME-Version: 1.0\nContent-Type: "
                       b"multipart/mixed; boundary=out\n\n--out\n" + signed
                       + b"\n--out\n" + Maker(seed + 1).leaf()
                       + b"\n--out--\n")
            out, (_, reason, sends_8bit, unconvertible), _ = convert(message)
            assert signed in out, seed
            if max(signed) >= 0x80:
                assert out == message and unconvertible == "1", seed
                assert reason in ("signed", "encrypted")
            else:
                assert (sends_8bit, unconvertible) == ("0", "0"), seed

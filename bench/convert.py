"""
convert - the conversion of content, in memory.

Encoding: a body is looked at, planned, converted and filtered for a server of
7 bits (bench/convert), beside Python's binascii, whose encoders are C, on the
same bytes as one buffer. Passing: a body that goes as it is, looked at and
filtered, beside a memchr(3) for line ends and the same filter.
"""

import binascii
import subprocess
import time

import feed
from book import Sample, in_turns

SIZE = 32 << 20
PASSES = 3
ROUNDS = 7
GERMAN = "Grüße aus Köln, und was noch in so einem Brief steht.\n".encode()
CHINESE = "汉字编码与转换的速度测试，一行一行地写下去。\n".encode()


def whole(piece):
    return piece * (SIZE // len(piece))


def ours(program, how, encoding, path):
    out = subprocess.run([program, how, encoding, str(PASSES), path],
                         stdout=subprocess.PIPE, check=True, timeout=120)
    seconds, n = out.stdout.split()
    if int(n) < SIZE * 3 // 4:
        raise RuntimeError(out.stdout)
    return Sample(SIZE / 1e6, float(seconds))


def theirs(encode, data):
    best = None
    for _ in range(PASSES):
        begin = time.perf_counter()
        encode(data)
        took = time.perf_counter() - begin
        best = took if best is None else min(best, took)
    return Sample(SIZE / 1e6, best)


def encoding(program, book, base):
    rows = [("qp", "8bit", whole(GERMAN), binascii.b2a_qp,
             "quoted-printable of German text"),
            ("base64-text", "8bit", whole(CHINESE), binascii.b2a_base64,
             "base64 of Chinese text"),
            ("base64", "binary", whole(bytes(range(256))),
             binascii.b2a_base64, "base64 of an image")]
    for name, label, data, encode, what in rows:
        path = base / name
        path.write_bytes(data)
        pairs = in_turns(ROUNDS,
                         lambda: ours(program, "7bit", label, path),
                         lambda: theirs(encode, data))
        book.compare(f"convert-{name}-of-binascii", what,
                     f"binascii.{encode.__name__}", pairs, 0.5, "MB/s")


def passing(program, book, base):
    for name, data, what in (
            ("plain", whole(feed.LINE), "text of 7 bits, passed on"),
            ("8bit", whole(GERMAN), "text of 8 bits, passed on")):
        path = base / name
        path.write_bytes(data)
        pairs = in_turns(ROUNDS,
                         lambda: ours(program, "plan", "8bit", path),
                         lambda: ours(program, "memchr", "8bit", path))
        book.compare(f"pass-{name}-of-memchr", what,
                     "memchr(3) and the last filter", pairs, 1 / 1.1, "MB/s")


def measure(programs, book):
    program = programs.parent / "bench" / "convert"
    with feed.folder() as base:
        encoding(program, book, base)
        passing(program, book, base)

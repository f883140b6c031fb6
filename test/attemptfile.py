"""
attemptfile - attempt records as zpost-attempt(5) describes them: read them
strictly, and check that each is as the manual says.
"""

from __future__ import annotations

import json
import pathlib
import re

TEXT, NUMBER, FLAG, LIST = str, int, bool, list
LINE = {"at": NUMBER, "said?": TEXT, "ms?": NUMBER, "code?": NUMBER,
        "enhanced?": TEXT, "reply?": TEXT, "partial?": TEXT}
SECURITY = {"need": TEXT, "reason": TEXT, "why": TEXT, "level": TEXT,
            "message": TEXT, "mx": TEXT, "addresses": TEXT,
            "tlsa": {"result": TEXT, "base?": TEXT, "count": NUMBER,
                     "used": NUMBER,
                     "records": [{"usage": NUMBER, "selector": NUMBER,
                                  "matching": NUMBER, "use": TEXT}]},
            "sts": (None, {"record": TEXT, "origin": TEXT, "mode?": TEXT,
                           "id?": TEXT, "pattern?": TEXT, "step": TEXT,
                           "failure?": TEXT, "why?": TEXT,
                           "trouble?": TEXT}),
            "names": [TEXT], "sni?": TEXT, "evidence": TEXT}
TLS = {"ok": FLAG, "fault?": TEXT, "why?": TEXT, "protocol?": TEXT,
       "cipher?": TEXT, "bits?": NUMBER, "group?": TEXT, "resumed?": FLAG,
       "wanted_certificate?": FLAG, "verdict": TEXT, "record?": NUMBER,
       "depth?": NUMBER, "matched?": TEXT, "audit?": TEXT,
       "chain": [{"subject": TEXT, "issuer": TEXT, "names?": TEXT,
                  "key": TEXT, "not_before": NUMBER, "not_after": NUMBER,
                  "sha256": TEXT, "key_sha256": TEXT, "trouble?": TEXT}]}
TRIED = {"host": TEXT, "address": TEXT, "port?": NUMBER, "at": NUMBER,
         "ms": NUMBER, "result": TEXT, "reason?": TEXT, "code?": NUMBER,
         "why?": TEXT, "security?": (None, SECURITY), "tls?": (None, TLS),
         "opening?": [LINE]}
CONNECTION = {"protocol": TEXT, "host": TEXT, "address": TEXT,
              "port?": NUMBER, "local_address?": TEXT, "local_port?": NUMBER,
              "reused": FLAG, "messages_before": NUMBER, "opening": [LINE],
              "offered": [TEXT], "used": [TEXT]}
RECIPIENT = {"offset": NUMBER, "host": TEXT, "user": TEXT, "outcome": TEXT,
             "again?": TEXT, "fate?": TEXT, "reason": TEXT, "status?": TEXT,
             "diagnostic?": TEXT, "remote?": TEXT, "retry_after?": NUMBER}
RECORD = {"event": TEXT, "schema": NUMBER, "time": TEXT, "ms": NUMBER,
          "agent": {"program": TEXT, "pid": NUMBER, "channel": TEXT},
          "job": {"name": TEXT, "id": NUMBER, "spool_id?": TEXT,
                  "identity?": TEXT, "size": NUMBER},
          "sender?": TEXT, "destination": TEXT,
          "site": (None, {"key": TEXT, "addresses": [TEXT]}),
          "tried": [TRIED], "connection": (None, CONNECTION),
          "security": (None, SECURITY), "tls": (None, TLS),
          "dialogue?": [LINE], "commands?": NUMBER, "content?": NUMBER,
          "conversion?": TEXT, "plan?": {
              "reason": TEXT, "part": NUMBER, "header": TEXT,
              "n_parts": NUMBER, "parts": [TEXT]}, "recipients": [RECIPIENT],
          "succeeded": NUMBER, "others": NUMBER,
          "lost?": {"reason": TEXT, "why": TEXT}, "truncated": FLAG}
FATES = {"delivered", "relayed", "failed", "deferred", "deferall", "retryat",
         "deferback"}


def check(value, schema, place="record") -> None:
    """AssertionError, with the place, if a value is not as the schema says."""
    if isinstance(schema, tuple):
        if value is not None:
            check(value, schema[1], place)
    elif isinstance(schema, list):
        assert isinstance(value, list), place
        for i, item in enumerate(value):
            check(item, schema[0], f"{place}[{i}]")
    elif isinstance(schema, dict):
        assert isinstance(value, dict), place
        names = {k.rstrip("?"): (k, v) for k, v in schema.items()}
        assert set(value) <= set(names), (place, set(value) - set(names))
        for name, (key, inner) in names.items():
            if name in value:
                check(value[name], inner, f"{place}.{name}")
            else:
                assert key.endswith("?"), f"{place}.{name} is missing"
    elif schema is None:
        assert value is None, place
    else:
        assert type(value) is schema, (place, value)


def strict(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice: {keys}"
    return dict(pairs)


def parse(line: bytes | str) -> dict:
    """One record, checked."""
    if isinstance(line, str):
        line = line.encode("utf-8", "surrogateescape")
    assert re.search(rb"[\0-\x1f\x7f]", line) is None, line
    record = json.loads(line.decode("utf-8"), object_pairs_hook=strict)
    check(record, RECORD)
    assert record["event"] == "attempt" and record["schema"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        record["time"])
    for r in record["recipients"]:
        assert r["outcome"] in FATES | {"again"}
        assert (r["outcome"] == "again") == ("again" in r) == ("fate" in r)
    if not record["truncated"]:
        good = [r for r in record["recipients"]
                if r["outcome"] in ("delivered", "relayed")]
        assert record["succeeded"] == len(good)
        assert record["others"] == len(record["recipients"]) - len(good)
        assert record.get("commands", 0) == len(record.get("dialogue", []))
    return record


def load(path: pathlib.Path) -> list[dict]:
    """A file of records."""
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b"", "the last line has no end"
    return [parse(x) for x in lines]


def from_output(lines) -> list[dict]:
    """Those on an agent's standard output."""
    return [parse(x.removeprefix("#attempt ")) for x in lines
            if x.startswith("#attempt ")]


def said(record) -> list[str]:
    return [x["said"] for x in record["dialogue"] if "said" in x]


def outcomes(record) -> dict[str, tuple]:
    return {r["user"]: (r["outcome"], r["reason"])
            for r in record["recipients"]}

#!/usr/bin/python3
"""
make_signed - makes src/net/test_signed.h anew: answers from a signed zone.

usage: make_signed.py > src/net/test_signed.h && clang-format -i ...

Needed only when the tests want another answer. The key is made here and
forgotten, so every run changes all signatures.
"""

import textwrap

import dns.dnssec
import dns.message
import dns.name
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

ZONE = dns.name.from_text("secure.example.")
NOW = ("20200101000000", "20800101000000")
PAST = ("20200101000000", "20210101000000")
TOP = """\
/*
 * test_signed.h - answers from a signed zone, as a server would give them.
 *
 * The zone is secure.example, signed once with a key that nobody has kept
 * (ECDSA P-256), valid from 2020 to 2080. bad.secure.example was changed after
 * signing, old.secure.example has signatures of 2020, bare.secure.example has
 * none; out.secure.example is an alias out of the zone. The id is 0. Made by
 * test/make_signed.py.
 */
#ifndef NET_TEST_SIGNED_H
#define NET_TEST_SIGNED_H

#include "net/dns.h"

#define SIGNED_ANCHOR "%s"

struct signed_answer {
	const char *name;
	enum dns_type type;
	const char *message; /* in hexadecimal */
};

/* clang-format off */
static const struct signed_answer signed_answers[] = {"""
BOTTOM = """\
};
/* clang-format on */

#endif"""


class Signer:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = dns.dnssec.make_dnskey(
            self.key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256,
            flags=257)

    def anchor(self) -> str:
        ds = dns.dnssec.make_ds(ZONE, self.dnskey, "SHA256")
        tag, algorithm, kind, *digest = ds.to_text().split()
        return (f"{ZONE} 300 IN DS {tag} {algorithm} {kind} "
                + "".join(digest).upper())

    def signed(self, rrset, time=NOW) -> list:
        sig = dns.dnssec.sign(rrset, self.key, ZONE, self.dnskey,
                              inception=time[0], expiration=time[1])
        return [rrset, dns.rrset.from_rdata(rrset.name, rrset.ttl, sig)]


def rrset(name: str, ttl: int, kind: str, *rdata: str):
    """Names without a dot at their end are in the zone."""
    return dns.rrset.from_text(dns.name.from_text(name, ZONE), ttl, "IN",
                               kind, *rdata)


def answers(s: Signer):
    """(name, type, answer section, authority section, error code)"""
    soa = s.signed(rrset("@", 300, "SOA", "ns.secure.example. "
                         "host.secure.example. 1 3600 600 86400 60"))
    mx1 = s.signed(rrset("mx1", 120, "A", "192.0.2.1"))
    bad = s.signed(rrset("bad", 300, "A", "192.0.2.2"))
    bad[0] = rrset("bad", 300, "A", "192.0.2.66")

    def nsec(name, rdata):
        return s.signed(rrset(name, 60, "NSEC", rdata))

    yield "@", "DNSKEY", s.signed(
        dns.rrset.from_rdata(ZONE, 300, s.dnskey)), [], 0
    yield "@", "SOA", soa, [], 0
    yield "@", "MX", s.signed(rrset(
        "@", 300, "MX", "10 mx1.secure.example.",
        "20 alias.secure.example.")), [], 0
    yield "mx1", "A", mx1, [], 0
    yield "_25._tcp.mx1", "TLSA", s.signed(rrset(
        "_25._tcp.mx1", 300, "TLSA", "3 1 1 " + "485b1025" * 8)), [], 0
    yield "alias", "A", s.signed(rrset(
        "alias", 200, "CNAME", "mx1.secure.example.")) + mx1, [], 0
    yield "mx1", "AAAA", [], soa + nsec(
        "mx1", "_25._tcp.mx1.secure.example. A RRSIG NSEC"), 0
    yield "nope", "A", [], soa + nsec(
        "_25._tcp.mx1", "old.secure.example. TLSA RRSIG NSEC") + nsec(
        "@", "alias.secure.example. SOA MX RRSIG NSEC DNSKEY"), 3
    yield "bad", "A", bad, [], 0
    yield "old", "A", s.signed(rrset("old", 300, "A", "192.0.2.3"),
                               PAST), [], 0
    yield "bare", "A", [rrset("bare", 300, "A", "192.0.2.4")], [], 0
    yield "out", "A", s.signed(rrset(
        "out", 300, "CNAME", "there.insecure.example.")) + [
        rrset("there.insecure.example.", 300, "A", "192.0.2.5")], [], 0


def main() -> None:
    s = Signer()
    print(TOP % s.anchor())
    for name, kind, answer, authority, rcode in answers(s):
        full = dns.name.from_text(name, ZONE)
        question = dns.message.make_query(full, kind, want_dnssec=True)
        reply = dns.message.make_response(question, recursion_available=True)
        reply.id = 0
        reply.answer += answer
        reply.authority += authority
        reply.set_rcode(rcode)
        text = reply.to_wire(max_size=65535).hex()
        lines = "\n".join(f'\t  "{x}"' for x in textwrap.wrap(text, 68))
        print(f'\t{{ "{full.to_text(True)}", DNS_{kind},\n{lines} }},')
    print(BOTTOM)


if __name__ == "__main__":
    main()

/*
 * dns_record.h - answers written down, and given again.
 *
 * A file of answers has one RRset a line, so that a case can be kept, sent to
 * somebody else, and edited by hand:
 *
 *	NAME TYPE VERDICT STATUS ORIGIN TTL ALIASES [RECORD...] [; DETAIL]
 *
 *	example.org MX ok secure network 300 - 10:mx1.example.org 20:mx2
 *	mx1.example.org A ok insecure cache 60 host.example.net 192.0.2.1
 *	example.net MX servfail indeterminate network 0 - ; a text
 *
 * ALIASES are the targets of a chain of aliases with commas between, or "-".
 * Records: A and AAAA as addresses, MX as PREFERENCE:NAME, TLSA as
 * USAGE:SELECTOR:MATCHING:HEX, WKS as ADDRESS:PROTOCOL:HEX, CNAME and PTR as
 * names, all other types in hexadecimal, with "-" for no bytes at all. "#"
 * begins a comment line.
 */
#ifndef NET_DNS_RECORD_H
#define NET_DNS_RECORD_H

#include "base/str.h"
#include "net/dns.h"

/* Bounds that keep a hostile file harmless. */
enum {
	DNS_FILE_MAX = 4 * 1024 * 1024, /* bytes of a file of answers */
	DNS_RECORDS_MAX = 8192		/* records of a line */
};

/* Adds the line of an answer, with a newline. */
void dns_record_print(struct str *to, const struct dns_answer *answer);

/* Adds one record of an answer of this type, as it stands in a line. */
void dns_record_print_one(struct str *to, enum dns_type type,
			  const struct dns_record *record);

/*
 * Reads a line, with or without its newline; is_recorded is set. Returns 0, 1
 * for a comment or an empty line (*ret is left alone then), or -1.
 */
MUST_USE int dns_record_read(struct slice line, struct dns_answer *ret,
			     struct arena *a, struct err *err);

/*
 * A source that answers from text alone (`name` is for messages); what is not
 * there is DNS_UNAVAILABLE. The last line of a question counts. The source is
 * given to the caller.
 */
MUST_USE int dns_recorded(struct slice text, const char *name,
			  struct dns_source **ret, struct err *err);

/* The same from a file. */
MUST_USE int dns_recorded_file(const char *path, struct dns_source **ret,
			       struct err *err);

#endif

/*
 * dns_wire.h - DNS names and messages as bytes (RFC 1035 3.1, 4).
 *
 * Pure: bytes in, values out. Nothing here trusts a length, a count or a
 * compression pointer; what does not fit is refused, never cut.
 */
#ifndef NET_DNS_WIRE_H
#define NET_DNS_WIRE_H

#include "base/str.h"
#include "net/dns.h"

enum {
	DNS_NAME_MAX = 255, /* bytes of a name (RFC 1035 2.3.4) */
	DNS_LABEL_MAX = 63, /* bytes of a label */
	DNS_UDP_SIZE = 1232 /* what we say we can take without fragments */
};

/* A name as bytes: labels, each behind its length; ends in an empty one. */
struct dns_name {
	unsigned char bytes[DNS_NAME_MAX];
	size_t len;
};

/*
 * Reads a name as text, with or without a dot at its end; \. and \DDD stand
 * for bytes. False, leaving *ret alone, if a label is empty or too long, the
 * name is too long, or an escape is cut off.
 */
MUST_USE bool dns_name_read(struct slice text, struct dns_name *ret);

/* Adds a name as text (net/dns.h says which). */
void dns_name_print(struct str *to, const struct dns_name *name);

/* The same into an arena. */
struct slice dns_name_text(const struct dns_name *name, struct arena *a);

/* Same name, ASCII case apart (RFC 4343). */
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);

/* Adds a question of class IN, with RD and AD set; with an OPT record too. */
void dns_question_print(struct str *to, const struct dns_name *name,
			enum dns_type type, uint16_t id, bool has_edns);

/* What a message says apart from its records. */
struct dns_head {
	uint16_t id;
	unsigned rcode;	   /* 0..15 */
	bool is_truncated; /* TC */
	bool is_authentic; /* AD */
	/* The records end in an alias, and nothing says that nothing follows.
	 */
	bool is_unfinished;
};

/*
 * Reads a message as the answer to the question in *answer, whose name was
 * read by dns_name_read(). False if it is no answer to that question: too
 * short, a question itself, another name or type; nothing is changed then. Only
 * a failure (FORMERR, REFUSED...) may come without the question.
 * Otherwise fills *ret and, in *answer, verdict, canonical, chain, ttl,
 * records and detail. Status and origin are the caller's to know.
 */
MUST_USE bool dns_message_read(struct slice message, struct dns_answer *answer,
			       struct dns_head *ret, struct arena *a);

/*
 * Reads the rdata of one record, `len` bytes from `at` on in message (which is
 * where compressed names point into). False if it is not whole and exact.
 */
MUST_USE bool dns_rdata_read(struct slice rdata, struct slice message,
			     enum dns_type type, struct dns_record *ret,
			     struct arena *a);

#endif

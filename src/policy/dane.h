/*
 * dane.h - which TLSA records count for a mail host, and where to ask for them
 * (RFC 7672 2.2, 3.1; RFC 7671 9; RFC 6698 2.1).
 *
 * Pure: names, records and what the DNS said of them come in, values go out.
 * The order of things for one host:
 *
 *	n = dane_bases(&host, bases)		0: DANE does not apply
 *	for each base: ask for the TLSA records of dane_owner_print(base),
 *		result = dane_result(status, records, n, uses)
 *		stop unless dane_goes_on(result)
 *
 * Which certificate matches a record is judged by whoever holds the
 * certificates (net), with the records that are DANE_USED and no others.
 */
#ifndef POLICY_DANE_H
#define POLICY_DANE_H

#include "base/str.h"

/* What is known of an answer of the DNS, a negative one included. */
enum dane_dns {
	DANE_DNS_NONE,	   /* not asked */
	DANE_DNS_SECURE,   /* validated */
	DANE_DNS_INSECURE, /* unsigned, or nobody validates */
	DANE_DNS_FAILED,   /* no answer now: SERVFAIL, time-out... */
	DANE_DNS_BOGUS	   /* validation failed */
};

/* Of a host: what its addresses, and its name if that is an alias, are. */
struct dane_host {
	struct slice name;
	struct slice canonical; /* where aliases lead; empty: name is none */
	/* Both families of addresses, with all aliases on the way. */
	enum dane_dns v4, v6;
	/* The CNAME of name itself; NONE if it is no alias, or not asked. */
	enum dane_dns alias;
};

enum { DANE_BASES_MAX = 2 };

/*
 * Of two families the less secure one that has an answer; a family without
 * one counts only where the other was not asked or has none either, since
 * connections are made to addresses that are known (RFC 7672 2.2.2).
 */
enum dane_dns dane_addresses(enum dane_dns v4, enum dane_dns v6);

/*
 * The TLSA base domains to ask at, in order, borrowed from host; returns how
 * many. Addresses that are secure: where the aliases lead, then the name.
 * Addresses that are not, behind an alias that is, or of which nobody could
 * learn whether it is: the name alone, so that suppressing that answer gains
 * nothing. Otherwise none: DANE does not apply, and nothing must be asked,
 * since servers of unsigned zones often fail such questions.
 */
size_t dane_bases(const struct dane_host *host,
		  struct slice ret_bases[DANE_BASES_MAX]);

/*
 * Must the CNAME of the name be asked for, because addresses that are
 * insecure leave open whether its alias is?
 */
bool dane_wants_alias(const struct dane_host *host);

/* Adds the owner name of a host's TLSA records, "_25._tcp.mx.example". */
void dane_owner_print(struct str *to, struct slice base, uint16_t port);

struct dane_record {
	uint8_t usage, selector, matching;
	struct slice data;
};

/* Why a record counts or not. */
enum dane_use {
	DANE_USED,
	DANE_IS_PKIX,	    /* usages 0 and 1 (RFC 7672 3.1.3) */
	DANE_BAD_USAGE,	    /* one that we do not know */
	DANE_BAD_SELECTOR,  /* the same */
	DANE_BAD_MATCHING,  /* the same */
	DANE_BAD_DATA,	    /* no digest of that length, no certificate */
	DANE_WEAKER_DIGEST, /* there is a stronger one (RFC 7671 9) */
	DANE_IS_TOO_MUCH,   /* beyond DANE_RECORDS_MAX */
	DANE_USES	    /* how many there are */
};

/* More of one host's would be work for nothing at every handshake. */
enum { DANE_RECORDS_MAX = 64 };

/*
 * Judges n records, one use each in ret_uses; returns how many are used. Of
 * records with the same usage and selector only those of the strongest digest
 * that is there are used, and those without a digest.
 */
size_t dane_judge(const struct dane_record *records, size_t n,
		  enum dane_use *ret_uses);

/* What the TLSA question of a host came to. */
enum dane_result {
	DANE_NOT_ASKED, /* there was no base to ask at */
	DANE_ABSENT,	/* securely none */
	DANE_INSECURE,	/* whatever was said, it is not signed */
	DANE_FAILED,	/* no answer: the host must not be used */
	DANE_BOGUS,	/* the same, and somebody forges */
	DANE_UNUSABLE,	/* records, none of which counts: TLS, unverified */
	DANE_USABLE,
	DANE_RESULTS /* how many there are */
};

/* Of one base; fills one use for each record if there are any. */
enum dane_result dane_result(enum dane_dns status,
			     const struct dane_record *records, size_t n,
			     enum dane_use *ret_uses);

/* Is the next base to be asked? Only if this one securely or insecurely has
 * nothing to say; a failure is the end (RFC 7672 2.2.3). */
bool dane_goes_on(enum dane_result result);

/* Stable words ("usable", "pkix-usage", "secure"), for records. */
const char *dane_dns_word(enum dane_dns status);
const char *dane_use_word(enum dane_use use);
const char *dane_result_word(enum dane_result result);

#endif

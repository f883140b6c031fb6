/*
 * tlsresults.h - what became of sessions over TLS, counted for the reports of
 * RFC 8460, by UTC day, domain, policy and failure; and which of the reports
 * were sent.
 *
 * An agent adds; tlsrpt(8) reads days that are over. All counts of a domain
 * and day are bounded: what there is no room for any more is counted without
 * its details. Days older than TLSRESULTS_KEEP_DAYS go as new ones come, also
 * if nobody ever reads them.
 *
 * A domain is told apart without regard to case; a result whose domain is no
 * name with dots (an address literal) is not counted, and no failure. Texts
 * are made printable and cut at TLSRPT_TEXT_MAX, strings of a policy and its
 * patterns at TLSRPT_STRINGS_MAX together.
 */
#ifndef STORE_TLSRESULTS_H
#define STORE_TLSRESULTS_H

#include "policy/tlsrpt.h"
#include "store/store.h"

enum {
	TLSRESULTS_GROUPS_MAX = 32,   /* policies of a domain and day */
	TLSRESULTS_DETAILS_MAX = 300, /* failures told apart, all together */
	TLSRESULTS_KEEP_DAYS = 10,
	TLSRESULTS_TOKEN_MAX = 64 /* bytes */
};

/*
 * Counts n results, one transaction in all, under the UTC day of now (seconds
 * since 1970). Returns 0, or -1 with err filled: then none is counted, and
 * the caller says so once and goes on.
 */
MUST_USE int tlsresults_add(struct store *s,
			    const struct tlsrpt_result *results, size_t n,
			    int64_t now, struct err *err);

/* ---- for whoever reports ------------------------------------------------ */

/* A report that may have to be sent. */
struct tlsresults_key {
	int64_t day;
	struct slice domain;
};

struct tlsresults_query {
	int64_t before; /* days before this one */
	bool has_day;	/* day alone */
	bool is_all;	/* also what was sent, and what has to wait */
	int64_t day;
	struct slice domain; /* this one alone; empty: all */
	int64_t now;	     /* seconds since 1970 */
	/* Only what comes behind this one; NULL: from the first on. */
	const struct tlsresults_key *after;
};

enum { TLSRESULTS_LIST_MAX = 50 };

/*
 * The next reports, oldest day first and by domain, at most
 * TLSRESULTS_LIST_MAX; domains in a. Returns how many, or -1 with err filled.
 */
MUST_USE int tlsresults_list(struct store *s, const struct tlsresults_query *q,
			     struct arena *a,
			     struct tlsresults_key ret[TLSRESULTS_LIST_MAX],
			     struct err *err);

/* What is known of a report that is being sent. */
struct tlsresults_claim {
	struct slice token; /* the same at each try */
	int64_t first;	    /* when it was tried first, seconds since 1970 */
	unsigned tries;	    /* this one too */
};

struct tlsresults_try {
	struct slice token;  /* not empty; counts at the first try only */
	int64_t now;	     /* seconds since 1970 */
	bool is_hurry;	     /* also if the report has to wait */
	struct arena *arena; /* for what is given back */
};

/*
 * Takes a report, so that nobody else sends it meanwhile: it has to wait for
 * the next try from now on, 15 minutes at first, twice that each time, at most
 * 4 hours. 1 if it is the caller's, with *ret filled; 0 if it was sent or has
 * to wait; -1 with err filled.
 */
MUST_USE int tlsresults_take(struct store *s, const struct tlsresults_key *key,
			     const struct tlsresults_try *try,
			     struct tlsresults_claim *ret, struct err *err);

/*
 * The counts of a domain and day; everything in a, most frequent failures
 * first. No group at all if there is nothing. Fills groups and n_groups of
 * *ret. Returns 0, or -1 with err filled.
 */
MUST_USE int tlsresults_read(struct store *s, const struct tlsresults_key *key,
			     struct arena *a, struct tlsrpt_report *ret,
			     struct err *err);

/* Was the report sent to a destination? 1, 0, or -1 with err filled. */
MUST_USE int tlsresults_was_sent(struct store *s,
				 const struct tlsresults_key *key,
				 struct slice target, struct err *err);

/*
 * Notes that a report was sent to n destinations. Returns 0, or -1 with err
 * filled.
 */
MUST_USE int tlsresults_mark_sent(struct store *s,
				  const struct tlsresults_key *key,
				  const struct slice *targets, size_t n,
				  struct err *err);

/* Notes that a report that was taken needs no further try. 0, or -1. */
MUST_USE int tlsresults_mark_done(struct store *s,
				  const struct tlsresults_key *key,
				  struct err *err);

/* Forgets all days before one. Returns 0, or -1 with err filled. */
MUST_USE int tlsresults_expire(struct store *s, int64_t before,
			       struct err *err);

#endif

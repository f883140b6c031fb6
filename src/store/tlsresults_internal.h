/*
 * tlsresults_internal.h - what adding and reporting share.
 */
#ifndef STORE_TLSRESULTS_INTERNAL_H
#define STORE_TLSRESULTS_INTERNAL_H

#include "store/store_internal.h"
#include "store/tlsresults.h"

extern const struct store_part tlsresults_part;

/* Adds a domain as it stands in the tables. False: it is none. */
bool tlsresults_domain(struct slice domain, struct str *to);

/*
 * Within a transaction: forgets at most n groups of days before one, and what
 * is known of reports of these days.
 */
MUST_USE int tlsresults_forget(struct store *s, int64_t before, int64_t n,
			       struct err *err);

#endif

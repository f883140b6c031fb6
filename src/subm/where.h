/*
 * where.h - which channel, host and user a recipient means.
 *
 * The way that conf/way.h finds, unless the request names channel or host.
 * Pure.
 */
#ifndef SUBM_WHERE_H
#define SUBM_WHERE_H

#include "subm/envelope.h"

/*
 * Fills *ret, whose texts are borrowed from word or live in a. Returns EX_OK;
 * EX_DATAERR if word is no address; EX_USAGE if it has no domain and nothing
 * gives it one; EX_CONFIG if routes.conf goes round in circles or makes of it
 * what cannot be used, err naming the line.
 */
MUST_USE int subm_where(const struct subm_request *r, struct slice word,
			struct arena *a, struct subm_rcpt *ret,
			struct err *err);

#endif

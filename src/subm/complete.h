/*
 * complete.h - what a submitted header lacks (RFC 5322 3.6, RFC 6409 8).
 *
 * Added: a Received field in front, which is what loops are found by (RFC 5321
 * 6.3), and Date, Message-ID and From where they are missing. Removed: Bcc and
 * Resent-Bcc (RFC 5322 3.6.3), since nobody may read who else got it, and
 * Return-Path, which only the last host writes. All else stays byte for byte.
 * Pure.
 */
#ifndef SUBM_COMPLETE_H
#define SUBM_COMPLETE_H

#include "base/err.h"
#include "base/str.h"

/* So many Received fields mean a loop (RFC 5321 6.3). */
enum { SUBM_RECEIVED_MAX = 100 };

struct subm_completion {
	struct slice sender; /* of the envelope; empty: null */
	struct slice full_name;
	struct slice mail_name; /* behind '@' in what is added */
	struct slice host_name; /* in the Received field */
	struct slice spool_id;
	struct slice date; /* as RFC 5322 3.3 */
	uint64_t uid;
};

/* Is the message going round? -1, err saying so, with class 5.4.6. */
MUST_USE int subm_check_loop(struct slice fields, struct err *err);

/* Adds fields without those that are removed. */
void subm_strip(struct str *to, struct slice fields);

/* Adds the completed header of fields that were stripped. */
void subm_complete(struct str *to, struct slice fields,
		   const struct subm_completion *c);

/* Adds a date and time, seconds since 1970, in this host's zone. */
void subm_date_print(struct str *to, int64_t seconds);

#endif

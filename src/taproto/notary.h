/*
 * notary.h - the notify-data field of a report: what a DSN needs to know.
 *
 *	notary = final-recipient ^A action ^A status ^A diagnostic
 *		 ^A remote-mta [ ^A ta-id ]
 *
 * ^A is byte 01. Sub-fields hold no control byte; the printer makes a TAB a
 * blank and any other a '?'. Specification: the scheduler protocol, section 5.
 */
#ifndef TAPROTO_NOTARY_H
#define TAPROTO_NOTARY_H

#include "base/err.h"
#include "base/str.h"
#include "dsn/diag.h"

struct notary {
	struct slice final_recipient;
	struct slice action;
	struct slice status;
	struct slice diagnostic;
	struct slice remote_mta;
	bool has_ta_id;
	struct slice ta_id; /* NAME "[" PID "]" */
};

/* The notary of a diag; everything borrowed from the arguments. */
struct notary notary_of_diag(const struct diag *d, struct slice recipient,
			     bool has_ta_id, struct slice ta_id);

/* Adds the field, each sub-field made clean. */
void notary_print(struct str *to, const struct notary *n);

/*
 * Splits a field; slices borrowed from it. An empty field is all empty. Fewer
 * than five sub-fields or more than six: -1, err filled.
 */
MUST_USE int notary_parse(struct slice field, struct notary *ret,
			  struct err *err);

#endif

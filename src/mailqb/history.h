/*
 * history.h - what was tried with a message, from the scheduler's event log.
 *
 * The log may be large: it is read once, in pieces, and only lines that name
 * the message are parsed. File names are used again: a record counts only if
 * its spool id is the message's. Kept are the last attempts, and as many of the
 * results, expiries and commands about it.
 */
#ifndef MAILQB_HISTORY_H
#define MAILQB_HISTORY_H

#include "mailqb/print.h"

struct mailq_records; /* opaque */

/*
 * The records of the message `name` with that spool id (empty: of any) in the
 * file, at most the last `max` of each kind. NULL, with err: it cannot be read.
 * Given.
 */
MUST_USE struct mailq_records *mailq_history_read(const char *path,
						  struct slice name,
						  struct slice spool_id,
						  size_t max, struct err *err);

/* Frees them; NULL is allowed. */
void mailq_history_free(struct mailq_records *r);

/* Adds them as text; with_dialogue: also what was said. */
void mailq_history_print(struct str *to, const struct mailq_records *r,
			 const struct mailq_look *look, bool with_dialogue);

/* Adds attempts and other events, each as a JSON array. */
void mailq_history_json(struct str *attempts, struct str *events,
			const struct mailq_records *r);

#endif

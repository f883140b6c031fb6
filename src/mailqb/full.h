/*
 * full.h - one message in full.
 */
#ifndef MAILQB_FULL_H
#define MAILQB_FULL_H

#include "mailqb/history.h"

/* What is told with it. */
struct mailq_past {
	const struct mailq_records *records; /* NULL: none are known */
	bool with_dialogue;
};

/* Adds the message as text, or as one line of JSON. */
void mailq_full_print(struct str *to, const struct mailq_message *m,
		      const struct mailq_past *past,
		      const struct mailq_look *look);
void mailq_full_json(struct str *to, const struct mailq_message *m,
		     const struct mailq_past *past,
		     const struct mailq_look *look);

#endif

/*
 * total.h - how much there is: by state, age and channel.
 */
#ifndef MAILQB_TOTAL_H
#define MAILQB_TOTAL_H

#include "mailqb/message.h"
#include "mailqb/print.h"

enum { MAILQ_AGES = 6 };

struct mailq_channel;

struct mailq_total {
	uint64_t messages, recipients;
	int64_t oldest; /* Unix time of arrival; 0: there is none */
	uint64_t states[MAILQ_STATES], ages[MAILQ_AGES];
	struct mailq_channel *channels; /* a table */
};

/* Counts a message's recipients. */
void mailq_total_take(struct mailq_total *t, const struct mailq_message *m,
		      int64_t now);

/* Adds it as a table, or as one line of JSON. */
void mailq_total_print(struct str *to, struct mailq_total *t,
		       const struct mailq_look *look);
void mailq_total_json(struct str *to, struct mailq_total *t,
		      const struct mailq_look *look);

/* Frees what it holds. */
void mailq_total_done(struct mailq_total *t);

/* What `count` told, for who may not ask more; the same two ways. */
void mailq_count_print(struct str *to, const struct mailq_count *c);
void mailq_count_json(struct str *to, const struct mailq_count *c);

#endif

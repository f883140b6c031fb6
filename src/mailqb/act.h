/*
 * act.h - what is to be done to recipients, and doing it.
 *
 * First everything that is asked for is collected, then it is done: what a
 * deed itself brings into the queue, as redirect does, is not asked for. What
 * is kept of each recipient is 16 bytes.
 */
#ifndef MAILQB_ACT_H
#define MAILQB_ACT_H

#include "mailqb/client.h"
#include "mailqb/letter.h"
#include "mailqb/options.h"
#include "mailqb/out.h"

struct mailq_deed_entry {
	size_t name; /* where it begins in names */
	uint64_t offset;
};

struct mailq_plan {
	const struct mailq_options *o;
	struct mailq_out *out;
	struct mailq_desk *desk;
	struct str names; /* each ends in NUL */
	struct mailq_deed_entry *entries;
	size_t n, cap;
	size_t n_messages, n_rcpts, n_failed, n_done;
	bool is_shown;	   /* each is printed: --verbose, --json */
	bool is_of_places; /* names are those of destinations: --kick */
	struct str last;   /* the message whose file lies on the desk */
	struct mailq_message letter;
};

/* Collects what applies of a message; with --dry-run it is printed. */
void mailq_plan_take(struct mailq_plan *p, const struct mailq_message *m);

/* Collects a destination; likewise. */
void mailq_plan_take_place(struct mailq_plan *p,
			   const struct mailq_destination *d);

/* "Delete 12 recipients of 3 messages": what is about to be done. */
void mailq_plan_say(struct str *to, const struct mailq_plan *p);

/*
 * Does it. Failures are told in the output, one by one; of a message with many
 * recipients together. -1, with err: the scheduler could not be asked any
 * more; what was done is done.
 */
MUST_USE int mailq_plan_do(struct mailq_plan *p, struct mailq_client *c,
			   struct err *err);

/* Prints what was done, or would have been. */
void mailq_plan_sum(struct mailq_plan *p);

/* Frees what it holds. */
void mailq_plan_done(struct mailq_plan *p);

#endif

/*
 * walk.h - the messages that are asked for, one after the other.
 *
 * From the scheduler, whose jobs are joined with the control files; or, where
 * none runs, from the files alone. One pass; what is held in memory is one
 * message. The queue changes meanwhile: a message that ends may be shown or
 * not, and one that was there all the time is shown once.
 */
#ifndef MAILQB_WALK_H
#define MAILQB_WALK_H

#include "mailqb/client.h"
#include "mailqb/filter.h"
#include "mailqb/letter.h"

struct mailq_walk {
	const struct mailq_filter *filter;
	int64_t now;	  /* Unix time */
	bool needs_files; /* not only what the filter needs */
	bool is_whole;	  /* all recipients of a message, if one fits */
	struct mailq_desk desk;
	/* Of each message, with its recipients that fit. False: no more. */
	bool (*take)(void *context, const struct mailq_message *m);
	void *context;
	/* A control file that cannot be read. */
	void (*complain)(const char *text);
};

/*
 * What the scheduler shows. -1, with err: it does not, or not all of it;
 * err->code is EACCES if we may not ask, EINTR if somebody pressed a key. What
 * is asked for and is not there is not shown, and no error.
 */
MUST_USE int mailq_walk_scheduler(struct mailq_walk *w, struct mailq_client *c,
				  struct err *err);

/* What lies in the spool. -1, with err: its directory cannot be read. */
MUST_USE int mailq_walk_files(struct mailq_walk *w, struct err *err);

#endif

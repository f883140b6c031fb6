/*
 * run_internal.h - what the parts of mailq's body share; for this room alone.
 */
#ifndef MAILQB_RUN_INTERNAL_H
#define MAILQB_RUN_INTERNAL_H

#include "mailqb/act.h"
#include "mailqb/history.h"
#include "mailqb/out.h"
#include "mailqb/place.h"
#include "mailqb/run.h"
#include "mailqb/total.h"
#include "mailqb/walk.h"

struct mailq_run {
	const struct mailq_options *o;
	const struct mailq_world *w;
	struct mailq_client *client; /* NULL: no scheduler runs */
	struct mailq_filter filter;  /* that of the options, or a wider one */
	struct mailq_walk walk;
	struct mailq_look look;
	struct mailq_out out;
	struct mailq_total total;
	struct mailq_places places;
	struct mailq_plan plan;
	const char *events; /* the event log; NULL: none that is known */
	uint64_t n_messages, n_rcpts, bytes;
};

/*
 * Connects; *ret is NULL, and err is filled, if no scheduler runs. key_fd as
 * with mailq_client_new(). -1, with err: one does not let us.
 */
MUST_USE int mailq_connect(const struct mailq_world *w, int key_fd,
			   struct mailq_client **ret, struct err *err);

/* Shows each message that fits to take(); see mailq_walk_scheduler(). */
MUST_USE int mailq_run_walk(struct mailq_run *r,
			    bool (*take)(void *run,
					 const struct mailq_message *m),
			    struct err *err);

/*
 * Asks a question whose answer is rows, and gives each to take(), until that
 * says -1. -1, with err as mailq_walk_scheduler().
 */
MUST_USE int mailq_run_rows(struct mailq_client *c, struct slice question,
			    int (*take)(void *context,
					const struct mailq_reply *row,
					struct err *err),
			    void *context, struct err *err);

/* What such an error makes the program exit with. */
int mailq_run_status(const struct err *err);

/* A view; deeds; the live view. What the program is to exit with. */
int mailq_view(struct mailq_run *r, struct err *err);
int mailq_act(struct mailq_run *r, struct err *err);
int mailq_live(struct mailq_run *r, struct err *err);

#endif

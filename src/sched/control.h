/*
 * control.h - what the files of the control socket share; for those alone.
 *
 *	control.c		connections: who may come, lines in, answers out
 *	control_answer.c	questions: counts, and rows that stream
 *	control_command.c	the table of words; kick, flush, reload
 *	control_rcpt.c		hold, release, expire, delete
 *	control_redirect.c	the command that makes a new message
 */
#ifndef SCHED_CONTROL_H
#define SCHED_CONTROL_H

#include "sched/sched_internal.h"

/* The rest of an answer, made piece by piece as the client takes it. */
struct control_work {
	/* Adds a piece, perhaps an empty one; false: that was the last. */
	bool (*go)(struct sched *s, struct control_work *w, struct str *to);
	struct queue_cursor *cursor; /* owned */
};

/* What is done to recipients by command. */
enum control_deed {
	CONTROL_HOLD,
	CONTROL_RELEASE,
	CONTROL_EXPIRE,
	CONTROL_DELETE
};

/* A request that is being answered. */
struct control_request {
	const char *word;   /* the first: what is asked for */
	struct slice words; /* behind it */
	uid_t uid;	    /* who asks */
	enum control_deed deed;
	struct control_work *work;
	struct str *to;
};

/*
 * Does what a line asks for. The answer is in *r->to, whole with its last
 * line, or r->work has the rest to be made, behind which comes "ok".
 */
void control_do(struct sched *s, struct slice line, struct control_request *r);

/* There is no more to be made. */
void control_work_end(struct control_work *w);

/*
 * The answers and commands: 0, and *r->to holds what comes before "ok" or
 * r->work makes it; or -1, and err says what comes behind "error: ".
 */
typedef int control_fn(struct sched *s, struct control_request *r,
		       struct err *err);

control_fn control_status, control_count, control_metrics, control_show,
    control_destinations, control_agents, control_rcpts, control_redirect;

/*
 * A cursor over the jobs of the destination that r->words names: a channel,
 * and behind it to the end of the line a host. NULL with err: there is none.
 */
struct queue_cursor *control_destination(struct sched *s,
					 struct control_request *r,
					 struct err *err);

/* As sched_file_open(); sched_file_close() in any case. */
MUST_USE int control_open(struct sched *s, struct slice name,
			  struct sched_file *ret, struct err *err);

/*
 * Takes a recipient that no agent has, held or not, so that none can; and
 * gives it back, done or as it was. What is done is durable after
 * control_sync().
 */
MUST_USE int control_take(struct sched *s, struct sched_file *f,
			  const struct ctl_rcpt *rcpt, struct err *err);
MUST_USE int control_give_back(struct sched_file *f,
			       const struct ctl_rcpt *rcpt, bool is_done,
			       struct err *err);
/* -1 with err: it may be lost in a crash. */
MUST_USE int control_sync(const struct sched_file *f, struct err *err);

/* Says in the log what was done; as: the new message's name, or empty. */
void control_tell(struct sched *s, const struct control_request *r,
		  const struct sched_file *f, const struct ctl_rcpt *rcpt,
		  struct slice as);

#endif

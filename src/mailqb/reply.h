/*
 * reply.h - what the scheduler answers, one JSON object a line, as structs.
 *
 * Texts are borrowed from the reply, which the caller frees. Members that are
 * not there are empty or 0, unknown ones are skipped; a member of another type
 * than expected counts as not there, so that neither an older scheduler nor a
 * newer one is misread as trouble. Only what is no JSON object, or does not say
 * what it is about, is refused. Texts may hold any character: whoever prints
 * them cleans them.
 */
#ifndef MAILQB_REPLY_H
#define MAILQB_REPLY_H

#include "base/arena.h"
#include "base/err.h"
#include "mailqb/state.h"

/* An object that was read; opaque. */
struct mailq_reply;

/* Reads one line. NULL, with err, if it is no JSON object. Given. */
MUST_USE struct mailq_reply *mailq_reply_new(struct slice line,
					     struct err *err);

/* Frees it; NULL is allowed. */
void mailq_reply_free(struct mailq_reply *r);

/* Why something waits, as an agent told it. */
struct mailq_reason {
	struct slice status;	/* "4.4.1"; perhaps with a comment */
	struct slice host_said; /* "dns; mx.example.com (192.0.2.1)" */
	struct slice text;
};

struct mailq_job_rcpt {
	uint64_t offset;
	enum mailq_state state;
};

/* A line of `show`: the recipients of a message at one host. */
struct mailq_job {
	struct slice message, channel, host;
	enum mailq_state state; /* of its recipients that are open */
	const struct mailq_job_rcpt *rcpts;
	size_t n_rcpts;
	unsigned tries;
	int64_t arrived, until; /* Unix time; until: 0 if for no time */
	struct mailq_reason reason;
	int64_t agent; /* the process that has it; 0: none */
};

/* The message of a line of `show`; empty: it is none. */
struct slice mailq_reply_message(const struct mailq_reply *r);

/* A job; all of it lives in a. -1, with err: it names no message. */
MUST_USE int mailq_reply_job(const struct mailq_reply *r, struct arena *a,
			     struct mailq_job *ret, struct err *err);

/* A line of `destinations`: all that goes to one channel and host. */
struct mailq_destination {
	struct slice channel, host, site;
	uint64_t jobs, ready, waiting, fed; /* jobs */
	uint64_t recipients, held;
	bool is_suspended;
	int64_t until, oldest; /* Unix time; 0: none */
	struct mailq_reason reason;
	unsigned agents, window, tries;
};

/* A destination. -1, with err: it has no channel. */
MUST_USE int mailq_reply_destination(const struct mailq_reply *r,
				     struct mailq_destination *ret,
				     struct err *err);

/* A line of `agents`. */
struct mailq_agent {
	int64_t pid;
	struct slice program, channel, host, state, message;
	uint64_t lines;	    /* that it was fed and has not answered */
	int64_t since;	    /* Unix time */
	bool has_progress;  /* it tells how far it is */
	uint64_t done, all; /* bytes */
};

/* An agent. -1, with err: it has no process number. */
MUST_USE int mailq_reply_agent(const struct mailq_reply *r,
			       struct mailq_agent *ret, struct err *err);

/* The answer to `count`. */
struct mailq_count {
	uint64_t messages, recipients, held, jobs, ready, waiting, fed;
	uint64_t threads, suspended, agents;
};

/* How much there is. */
struct mailq_count mailq_reply_count(const struct mailq_reply *r);

/*
 * A text, number or time of an object by name: empty or 0 if it has none. Times
 * that are none, or behind the year 9999, are 0.
 */
struct slice mailq_reply_text(const struct mailq_reply *r, const char *key);
int64_t mailq_reply_int(const struct mailq_reply *r, const char *key);
int64_t mailq_reply_time(const struct mailq_reply *r, const char *key);

#endif

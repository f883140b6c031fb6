/*
 * queue.h - what waits, where to, and what is to happen next.
 *
 * A message has jobs: its recipients of one channel and host. All jobs of one
 * channel and host make a thread; the threads of a clause and channel share a
 * pool of agents. Every recipient is in exactly one state, and no event costs
 * more than the logarithm of the queue's size.
 *
 * The queue is pure. Time comes in, with every call, as milliseconds since
 * 1970 of a clock that never goes back; what is to be done comes out as
 * actions, which somebody else carries out and answers:
 *
 *	event (a file found, a line from an agent, time) -> queue_...()
 *	queue_run(q, now)			timers, then who may start
 *	while (queue_next(q, &action))		carry it out
 *	queue_wake(q)				when to call queue_run() again
 *
 * Waiting (RFC 5321 4.5.4.1). A job that was deferred for reasons of its own
 * waits for itself: interval times the next of its clause's factors. A
 * `deferall` or `retryat` suspends the whole thread in the same way; then one
 * job is tried, and once a job is answered without another such report all
 * that waits there may go. How many agents a thread and a site get begins low,
 * grows with success and is halved by a suspension.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/err.h"
#include "base/slice.h"
#include "queue/clause.h"

struct queue;

enum { QUEUE_NO_CLAUSE = -1 };

/* A destination was suspended; or it answers for the first time after that. */
struct queue_news {
	bool is_suspended;
	struct slice channel, host;
	struct slice why; /* as in queue_report; of the last suspension */
	unsigned tries;	  /* suspensions without an answer in between */
	int64_t until;	  /* suspended until then, ms */
};

struct queue_config {
	const struct queue_clause *clauses; /* borrowed, like all below */
	size_t n_clauses;
	unsigned max_agents;  /* in all; at least 1 */
	unsigned start_rate;  /* agents started in a second; at least 1 */
	int64_t report_delay; /* ms from a failure to its report */
	/*
	 * How long a thread waits for agents that others are done with, ms,
	 * before one more is started for it. The first few of a pool are
	 * started at once; for a thread that has none a quarter of that time
	 * must have passed since the last start. What an agent is likely to be
	 * done with in that time it may be fed. 0: nothing of this.
	 */
	int64_t patience;
	/* The clause of a channel and host, or QUEUE_NO_CLAUSE. */
	int (*find)(void *context, struct slice channel, struct slice host);
	void *context;
	/* Hears of destinations; may be NULL. It must not call the queue. */
	void (*news)(void *context, const struct queue_news *news);
	uint64_t seed; /* of the chance places in sequences of retries */
};

/* A new, empty queue. Given; the config is copied, what it points at not. */
struct queue *queue_new(const struct queue_config *config);
void queue_free(struct queue *q);

/*
 * Takes another configuration: every thread looks for its clause again, agents
 * finish what they were fed and are stopped.
 */
void queue_reload(struct queue *q, const struct queue_config *config,
		  int64_t now);

/* Starts nothing any more and stops all agents: the scheduler is to end. */
void queue_shut(struct queue *q, int64_t now);

/* ---- messages ----------------------------------------------------------- */

enum queue_rcpt_state {
	QUEUE_RCPT_OPEN,    /* to be delivered */
	QUEUE_RCPT_BUSY,    /* locked by a process we do not know: look again */
	QUEUE_RCPT_HELD,    /* until it is released */
	QUEUE_RCPT_DONE,    /* delivered or failed, on disk too */
	QUEUE_RCPT_EXPIRING /* just failing; the queue's own */
};

enum {
	QUEUE_NOTIFY_DELAY = 1, /* its sender wants to hear of delays */
	QUEUE_BY_RETURN = 2,	/* it fails at its deadline */
	QUEUE_BY_NOTIFY = 4	/* its sender hears of it at the deadline */
};

struct queue_rcpt {
	size_t offset; /* in the control file */
	enum queue_rcpt_state state;
	unsigned flags;		    /* QUEUE_NOTIFY_DELAY and so on */
	unsigned n_delays;	    /* times its sender was told of its delay */
	int64_t deadline;	    /* seconds since 1970; 0: none */
	struct slice channel, host; /* host in lower case */
};

struct queue_message {
	struct slice name;		/* of the job */
	uint64_t id;			/* the number at its start */
	int64_t arrived;		/* ms since 1970 */
	const struct queue_rcpt *rcpts; /* by offset */
	size_t n_rcpts;
	bool has_unreported; /* diagnostics of which nobody was told */
};

/*
 * Adds a message. One whose name is known is compared instead, as after a
 * resync: recipients that are done or held on disk are so here, and those that
 * were busy are looked at afresh. If they are others, it is another message:
 * the one before is forgotten. Everything is copied.
 */
void queue_add(struct queue *q, const struct queue_message *m, int64_t now);

/* Is a message of this name there? */
bool queue_has(const struct queue *q, struct slice name);

/* When a message came, ms since 1970; 0: it is not known. */
int64_t queue_arrived(const struct queue *q, struct slice name);

/* Forgets a message whose files are gone, or may not be touched. */
void queue_forget(struct queue *q, struct slice name, int64_t now);

/* ---- agents ------------------------------------------------------------- */

/*
 * An agent says "#hungry": the oldest of its lines has been dealt with. If it
 * said nothing else of it, the file is looked at.
 */
void queue_hungry(struct queue *q, uint32_t agent, int64_t now);

/*
 * It says something else, a comment or how far it is: it lives, and what it is
 * at may take long.
 */
void queue_alive(struct queue *q, uint32_t agent, int64_t now);

/* It wants the control file looked at: the message of this name. */
void queue_resync(struct queue *q, uint32_t agent, struct slice name,
		  int64_t now);

enum queue_outcome {
	QUEUE_DELIVERED,
	QUEUE_FAILED,
	QUEUE_DEFERRED,	    /* this recipient, for now */
	QUEUE_DEFERRED_ALL, /* everything that waits there */
	QUEUE_HELD	    /* until somebody decides */
};

struct queue_report {
	uint64_t id;
	uint64_t offset;
	enum queue_outcome outcome;
	bool has_diagnostic; /* a `d` line was written, a report is due */
	int64_t retry;	     /* ms since 1970: not before; 0: not said */
	struct slice why;    /* copied; opaque to the queue */
};

/*
 * What became of a recipient. False, and nothing happens, unless it is among
 * what the agent was fed and has not yet answered with "#hungry".
 */
MUST_USE bool queue_report(struct queue *q, uint32_t agent,
			   const struct queue_report *report, int64_t now);

/* The job that a recipient belongs to; borrowed until it is forgotten. */
struct queue_about {
	struct slice name, channel, host;
	int64_t arrived; /* ms since 1970 */
	unsigned tries;	 /* that came to nothing so far */
};

/* What such a report is about. False if it would be refused. */
MUST_USE bool queue_report_about(const struct queue *q, uint32_t agent,
				 uint64_t id, uint64_t offset,
				 struct queue_about *ret);

/* To which site the host belongs that the agent works for; empty: none. */
void queue_site(struct queue *q, uint32_t agent, struct slice key, int64_t now);

/*
 * The agent is gone, or could never be started. Its line at work waits as if
 * it had been deferred, the others go at once; the files of all are looked at,
 * for what it had locked, or done and not said. After a bad end the pool waits
 * before it starts another one, longer each time that one never was ready.
 */
void queue_agent_gone(struct queue *q, uint32_t agent, bool was_bad,
		      int64_t now);

/* ---- what is to be done ------------------------------------------------- */

enum queue_action_kind {
	QUEUE_START,  /* an agent, of a clause, for a channel and host */
	QUEUE_FEED,   /* it a line: name and host */
	QUEUE_STOP,   /* it: ask it to finish */
	QUEUE_KILL,   /* it: it was asked long ago, or is silent */
	QUEUE_LOOK,   /* at the control file again, then queue_add() */
	QUEUE_EXPIRE, /* these recipients fail; then queue_settle() each */
	QUEUE_DELAY,  /* tell their sender that these are late */
	QUEUE_REPORT, /* tell what has failed; then queue_reported() */
	QUEUE_FINISH  /* all is done: report, remove; then queue_forget() */
};

enum queue_expiry {
	QUEUE_EXPIRED_TRIED,
	QUEUE_EXPIRED_UNTRIED,
	QUEUE_EXPIRED_DEADLINE, /* DELIVERBY (RFC 2852) */
	QUEUE_EXPIRED_COMMAND
};

struct queue_action {
	enum queue_action_kind kind;
	uint32_t agent;
	size_t clause;
	struct slice channel, host, name;
	const size_t *offsets; /* EXPIRE, DELAY */
	size_t n_offsets;
	enum queue_expiry expiry;
	struct slice why; /* the last that was heard of them; may be empty */
	int64_t until;	  /* DELAY: when they will fail, ms; 0: unknown */
	unsigned delays;  /* DELAY: with this time, for their age */
	bool is_deadline; /* DELAY: not for that, but their deadline is past */
};

/* Timers that are due, and agents for whom there is work. */
void queue_run(struct queue *q, int64_t now);

/* The next action; its slices are borrowed until the next queue_next(). */
MUST_USE bool queue_next(struct queue *q, struct queue_action *ret);

/* When queue_run() is to be called at the latest; -1: no need. */
int64_t queue_wake(const struct queue *q);

/* A recipient of QUEUE_EXPIRE failed for good, or could not be marked. */
void queue_settle(struct queue *q, struct slice name, size_t offset,
		  bool is_done, int64_t now);

/* QUEUE_REPORT or QUEUE_FINISH is done, or is to come again later. */
void queue_reported(struct queue *q, struct slice name, bool is_done,
		    int64_t now);

/* ---- commands ----------------------------------------------------------- */

/*
 * A recipient that is open, and whose job is with no agent, is held. False: it
 * is not, or it is with one.
 */
MUST_USE bool queue_hold(struct queue *q, struct slice name, size_t offset,
			 int64_t now);

/* Those of n recipients that could be held fail (QUEUE_EXPIRED_COMMAND). */
void queue_give_up(struct queue *q, struct slice name, const size_t *offsets,
		   size_t n, int64_t now);

/* Could it be held or given up now? */
bool queue_is_idle(const struct queue *q, struct slice name, size_t offset);

/* A held recipient is open again. False: it is not held. */
MUST_USE bool queue_release(struct queue *q, struct slice name, size_t offset,
			    int64_t now);

/*
 * A recipient that is open or held, and whose job is with no agent, is done:
 * its mark is on disk. False: it is not, or it is with one.
 */
MUST_USE bool queue_remove(struct queue *q, struct slice name, size_t offset,
			   int64_t now);

/* Could it be removed now? */
bool queue_is_left(const struct queue *q, struct slice name, size_t offset);

/* ---- to look at --------------------------------------------------------- */

struct queue_count {
	size_t messages, jobs, threads, sites, agents;
	size_t open, held;	    /* recipients */
	size_t ready, waiting, fed; /* jobs */
	size_t suspended;	    /* threads */
	size_t unrouted;	    /* jobs without a clause */
};

/* Shows every channel there ever was: its recipients that are open and held.
 */
void queue_channels(const struct queue *q,
		    void (*show)(void *context, struct slice channel,
				 size_t n_open, size_t n_held),
		    void *context);

struct queue_age {
	int64_t age;	/* ms */
	size_t n_older; /* messages that are at least so old */
};

/*
 * How old the messages are: fills n_older of each row, whose ages ascend, and
 * returns the age of the oldest, 0 if there is none. Ages are exact to 16
 * seconds, and those above eight days are not told apart. The cost does not
 * grow with the queue.
 */
int64_t queue_ages(struct queue *q, int64_t now, struct queue_age *rows,
		   size_t n_rows);

/* Costs nothing: it is counted all the time. */
struct queue_count queue_count(const struct queue *q);

/*
 * A cursor comes to all that was there when it was made and is still there
 * when it comes to it, in the order in which that came. The queue may change
 * meanwhile in any way, but not go. Costs what is looked at; each thing that
 * leaves the queue costs a little for each cursor.
 */
struct queue_cursor;

/* Over jobs: of all messages, of one, of one destination. NULL: none. */
struct queue_cursor *queue_cursor_all(struct queue *q);
struct queue_cursor *queue_cursor_message(struct queue *q, struct slice name);
struct queue_cursor *queue_cursor_destination(struct queue *q,
					      struct slice channel,
					      struct slice host);
/* Over threads, those without jobs too; over agents. */
struct queue_cursor *queue_cursor_threads(struct queue *q);
struct queue_cursor *queue_cursor_agents(struct queue *q);

/* NULL is allowed. */
void queue_cursor_free(struct queue_cursor *c);

enum queue_job_state {
	QUEUE_JOB_READY,   /* in its thread's heap */
	QUEUE_JOB_WAITING, /* for its own time */
	QUEUE_JOB_FED,	   /* with an agent */
	QUEUE_JOB_RESTING  /* nothing of it is open */
};

struct queue_job;

struct queue_view {
	struct slice name, channel, host, why;
	enum queue_job_state state;
	bool is_suspended; /* its thread is */
	uint32_t agent;	   /* that has it; 0: none */
	unsigned tries;
	int64_t arrived, until; /* ms; until: 0 if for no time */
	const struct queue_job *job;
	size_t first, n_rcpts; /* of the job's recipients, those shown */
};

/*
 * The next job; false: that was the last. A job of very many recipients is
 * shown several times, each time with others. *ret is valid until the queue
 * changes, as below.
 */
MUST_USE bool queue_cursor_job(struct queue_cursor *c, struct queue_view *ret);

/* The offset of recipient i of those that are shown, and its state. */
size_t queue_view_rcpt(const struct queue_view *v, size_t i,
		       enum queue_rcpt_state *ret_state);

/*
 * The next n jobs go now, before others; what waits only for somebody's lock,
 * is with an agent or has nothing to be delivered stays as it is. False: there
 * are no more.
 */
bool queue_cursor_kick(struct queue_cursor *c, size_t n, int64_t now);

enum queue_step {
	QUEUE_STEP_END,	 /* there are no more */
	QUEUE_STEP_ROW,	 /* *ret is filled */
	QUEUE_STEP_LATER /* much was looked at: call again, after other work */
};

struct queue_thread_view {
	struct slice channel, host, why, site;
	size_t n_jobs, n_ready, n_waiting, n_fed;
	size_t n_open, n_held;	   /* recipients */
	unsigned n_agents, window; /* how many agents it may have */
	unsigned tries;		   /* suspensions in a row */
	bool is_suspended;
	int64_t until;	/* ms; 0: it is not paused */
	int64_t oldest; /* when the oldest job came, ms; 0: there is none */
};

/* The next thread. */
MUST_USE enum queue_step queue_cursor_thread(struct queue_cursor *c,
					     struct queue_thread_view *ret);

enum queue_agent_doing {
	QUEUE_DOING_START, /* it has not said "#hungry" yet */
	QUEUE_DOING_WORK,
	QUEUE_DOING_NOTHING,
	QUEUE_DOING_END /* it was asked to */
};

struct queue_agent_view {
	uint32_t agent;
	struct slice channel, host; /* host: empty if it works for none */
	struct slice name;	    /* of the message it is at; or empty */
	enum queue_agent_doing doing;
	size_t n_lines; /* fed and unanswered */
	int64_t since;	/* that it does so, or is at this message, ms */
};

/* The next agent; false: that was the last. */
MUST_USE bool queue_cursor_agent(struct queue_cursor *c,
				 struct queue_agent_view *ret);

/* Aborts unless everything holds together; for tests. */
void queue_check(const struct queue *q);

#endif

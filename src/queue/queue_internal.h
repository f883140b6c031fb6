/*
 * queue_internal.h - what the queue is made of; for room queue alone.
 *
 * Who owns what: the queue owns messages, threads, channels, pools, sites and
 * agents; a message owns its jobs. A job points at its thread, which lives at
 * least as long. A thread without jobs stays for a while, for what it knows of
 * its destination.
 *
 * Each state is set by one function: a recipient's by queue_rcpt_set(), a
 * job's by queue_job_set(), a thread's by queue_thread_update(), whether it is
 * suspended by queue_thread_set_suspended(). These keep what is counted.
 */
#ifndef QUEUE_QUEUE_INTERNAL_H
#define QUEUE_QUEUE_INTERNAL_H

#include "base/mem.h"
#include "queue/ages.h"
#include "queue/heap.h"
#include "queue/queue.h"
#include "queue/retry.h"

#include <sys/queue.h>

#define uthash_fatal(message) mem_exhausted()
#include <uthash.h>

enum {
	QUEUE_SECOND = 1000,		     /* ms */
	QUEUE_LINGER = 600 * QUEUE_SECOND,   /* of threads without jobs */
	QUEUE_SILENCE = 3600 * QUEUE_SECOND, /* of agents with work to do */
	QUEUE_ENDING = 120 * QUEUE_SECOND,   /* of agents asked to stop */
	QUEUE_STARTING = 60 * QUEUE_SECOND,  /* until the first "#hungry" */
	QUEUE_LOOK_AFTER = 5 * QUEUE_SECOND, /* at what others have locked */
	QUEUE_LATER = 60 * QUEUE_SECOND,     /* what could not be done */
	QUEUE_GRACE = 3600 * QUEUE_SECOND,   /* to try once, after a start */
	QUEUE_BACKOFF_MAX = 300 * QUEUE_SECOND,
	QUEUE_RESYNCS_MAX = 30,
	QUEUE_RESYNCS_WAIT = 3600 * QUEUE_SECOND,
	QUEUE_TURN = 100, /* jobs of a thread while others wait for agents */
	QUEUE_ENDING_MAX = 8, /* agents stopped at once to make room */
	QUEUE_WARM_MAX = 32,  /* idle agents looked at for the same host */
	QUEUE_AT_ONCE = 4,    /* agents of a pool that are started at once */
	QUEUE_PACE_ONE = 16,  /* parts of a millisecond */
	QUEUE_IN_TIME = 5,    /* patiences that a backlog may take */
	QUEUE_WARM = 10 * QUEUE_SECOND, /* a connection is worth keeping */
	QUEUE_WHY_MAX = 400		/* bytes that are kept */
};

/* What is kicked comes before all else: its key is so much smaller. */
#define QUEUE_KICKED (INT64_MAX / 2)

enum queue_timer_kind {
	QUEUE_TIMER_JOB,
	QUEUE_TIMER_MESSAGE,
	QUEUE_TIMER_THREAD,
	QUEUE_TIMER_AGENT,
	QUEUE_TIMER_POOL,
	QUEUE_TIMER_LIMIT,
	QUEUE_TIMER_START
};

/* Its place in the heap of timers comes first: see queue_timer_fire(). */
struct queue_timer {
	uint32_t place;
	uint32_t kind;
};

/* A text that several things may share. */
struct queue_why {
	uint32_t refs;
	uint32_t len;
	char text[];
};

struct queue_place { /* of a recipient */
	uint32_t offset;
	uint32_t deadline; /* seconds since 1970; 0: none */
	uint8_t state;	   /* enum queue_rcpt_state */
	uint8_t flags;
};

struct queue_job {
	struct queue_timer timer;
	struct queue_letter *message;
	struct queue_thread *thread;
	struct queue_job *next; /* of the message */
	TAILQ_ENTRY(queue_job) of_thread;
	struct queue_why *why;
	int64_t wake;	/* QUEUE_JOB_WAITING: until then, ms */
	int64_t before; /* asked not to be tried earlier, ms */
	uint32_t ready; /* place in the thread's heap */
	uint32_t n_rcpts;
	uint32_t n_expiring; /* of them */
	uint16_t tries;
	uint8_t state;	  /* enum queue_job_state */
	uint8_t n_delays; /* times its sender was told of its delay */
	bool must_look;	  /* at the file before it goes */
	bool was_told;	  /* QUEUE_JOB_FED: its agent said something of it */
	bool is_kicked;	  /* by command: it goes before others */
	bool has_trouble; /* it could not be failed: not before its wake-up */
	struct queue_place rcpts[];
};

struct queue_letter { /* a message */
	struct queue_timer timer;
	UT_hash_handle hh;
	struct queue_job *jobs;
	uint64_t id;
	int64_t arrived;
	uint32_t n_left; /* recipients that are not done */
	uint16_t n_resyncs;
	bool has_unreported, is_finishing;
	uint16_t name_len;
	char name[];
};

TAILQ_HEAD(queue_jobs, queue_job);
TAILQ_HEAD(queue_threads, queue_thread);
TAILQ_HEAD(queue_agents, queue_agent);

/* What threads wait for when a rate is used up. */
struct queue_limit {
	struct queue_timer timer;
	struct retry_bucket bucket;
	struct queue_threads waiting;
};

struct queue_channel {
	struct queue_channel *next;
	struct queue_limit limit;
	unsigned n_agents;
	size_t n_open, n_held; /* recipients */
	struct slice name;     /* owned */
};

struct queue_pool { /* agents of one clause and channel */
	struct queue_timer timer;
	TAILQ_ENTRY(queue_pool) link;
	size_t clause;
	struct queue_channel *channel;
	struct queue_threads runnable[2]; /* without agents; with some */
	struct queue_agents idle;	  /* the one idle longest first */
	unsigned n_agents;
	unsigned failures;  /* starts in a row that came to nothing */
	int64_t started;    /* the last start, ms */
	int64_t not_before; /* no start before */
};

struct queue_site {
	UT_hash_handle hh;
	struct queue_limit limit;
	struct retry_window window;
	struct queue_threads blocked; /* it has all the agents it may */
	unsigned n_agents, n_threads;
	uint16_t key_len;
	char key[];
};

enum queue_thread_place {
	QUEUE_THREAD_RESTING,  /* nothing to do, or has all it may have */
	QUEUE_THREAD_RUNNABLE, /* in its pool's list */
	QUEUE_THREAD_LIMITED,  /* in a limit's list */
	QUEUE_THREAD_BLOCKED,  /* in its site's list */
	QUEUE_THREAD_PAUSED    /* until its timer */
};

struct queue_thread {
	struct queue_timer timer;
	UT_hash_handle hh;
	TAILQ_ENTRY(queue_thread) link;
	struct queue_pool *pool;   /* NULL: no clause serves it */
	struct queue_limit *limit; /* QUEUE_THREAD_LIMITED: in whose list */
	struct queue_channel *channel;
	struct queue_site *site; /* or NULL */
	struct queue_agents agents;
	struct queue_jobs jobs; /* in the order in which they came */
	struct heap ready;
	struct queue_why *why; /* of its last suspension */
	struct retry_bucket bucket;
	struct retry_window window;
	int64_t until;	   /* paused until then, ms; 0: not */
	int64_t failed_at; /* the last suspension, ms; 0: never */
	int64_t oldest;	   /* arrival of a job, ms; INT64_MAX: not known */
	int64_t since;	   /* QUEUE_THREAD_RUNNABLE: or it got an agent, ms */
	int64_t served;	   /* the last agent came, ms; 0: none yet */
	int64_t answered;  /* the last answer came, ms */
	struct queue_job *mine; /* of the message that is looked at; or NULL */
	size_t n_mine;		/* recipients, while that is made */
	size_t n_jobs;
	size_t n_kicked; /* ready jobs that are */
	size_t n_waiting, n_fed;
	size_t n_open, n_held; /* recipients */
	unsigned n_agents, tries;
	/* Of a job with an agent, lately: in 1/QUEUE_PACE_ONE ms; 0: new. */
	uint32_t pace;
	uint8_t place; /* enum queue_thread_place */
	bool is_suspended, is_probing;
	bool has_agents; /* QUEUE_THREAD_RUNNABLE: in which list */
	uint16_t host_len;
	uint16_t key_len;
	char key[]; /* channel NUL host */
};

enum queue_agent_state {
	QUEUE_AGENT_STARTING, /* its first "#hungry" is awaited */
	QUEUE_AGENT_IDLE,
	QUEUE_AGENT_WORKING,
	QUEUE_AGENT_ENDING
};

struct queue_agent {
	struct queue_timer timer;
	UT_hash_handle hh;
	TAILQ_ENTRY(queue_agent) link; /* of the thread's, or the idle ones */
	struct queue_pool *pool;
	struct queue_thread *thread; /* that it works for; or NULL */
	struct queue_job **lines;    /* fed and unanswered: a ring */
	size_t first, n_lines, cap;
	int64_t since; /* it is in this state, or at this line, ms */
	uint32_t id;
	unsigned last_host; /* hash of the last thread's key */
	unsigned n_served;  /* jobs fed since it works for the thread */
	uint8_t state;
	bool is_retired; /* its pool is of a configuration before */
	bool was_ready;
};

struct queue_task; /* an action that is to be handed out */
STAILQ_HEAD(queue_tasks, queue_task);
LIST_HEAD(queue_cursors, queue_cursor);

struct queue {
	struct queue_config config;
	struct heap timers;
	struct ages ages; /* of the messages */
	struct queue_letter *letters;
	struct queue_thread *threads;
	struct queue_site *sites;
	struct queue_agent *agents;
	struct queue_channel *channels;
	TAILQ_HEAD(, queue_pool) pools, old_pools;
	unsigned *ring_agents; /* of each clause */
	unsigned n_agents;
	uint32_t last_agent;
	struct queue_timer start_timer;
	struct retry_bucket starts;
	struct queue_tasks tasks;
	struct queue_task *given; /* borrowed by whoever called last */
	int64_t sequence;	  /* of jobs that became ready */
	int64_t began;		  /* when the first message came, ms */
	uint64_t chance;
	struct queue_why *last_why;
	unsigned n_ending; /* agents asked to stop */
	bool is_shut;
	/* Of messages, threads, sites and agents others know. */
	struct queue_count count;
	struct queue_cursors cursors;
};

/* ---- action.c ----------------------------------------------------------- */

/* Adds an action; its slices and offsets are copied. */
void queue_act(struct queue *q, const struct queue_action *action);
/* Drops those that nobody took. */
void queue_act_free(struct queue *q);

/* ---- why ---------------------------------------------------------------- */

/* Makes *why the text, cut to QUEUE_WHY_MAX bytes; equal ones are shared. */
void queue_why_set(struct queue *q, struct queue_why **why, struct slice text);
/* Makes *why NULL. */
void queue_why_drop(struct queue_why **why);
/* Empty for NULL. */
struct slice queue_why_text(const struct queue_why *why);

/* ---- job.c -------------------------------------------------------------- */

/* A message's name; the message of a name, or NULL. */
struct slice queue_letter_name(const struct queue_letter *m);
/* NULL: none is known. */
struct queue_letter *queue_letter_find(const struct queue *q,
				       struct slice name);
/* The clause that serves the job; NULL: none. */
const struct queue_clause *queue_job_clause(const struct queue *q,
					    const struct queue_job *j);

/* How many of its recipients are in a state. */
size_t queue_job_count(const struct queue_job *j, unsigned state);

/* The state of the job; its timer and heaps follow. */
void queue_job_set(struct queue *q, struct queue_job *j,
		   enum queue_job_state state, int64_t now);

/* Sets the timer to the next thing that is to happen to the job by itself. */
void queue_job_rearm(struct queue *q, struct queue_job *j, int64_t now);

/* What is open goes or waits; what is not rests. The job is with nobody. */
void queue_job_settle(struct queue *q, struct queue_job *j, int64_t now);

/* Deferred, for its own reasons or its thread's. */
void queue_job_defer(struct queue *q, struct queue_job *j, int64_t now);

/* The recipients of a job that comes are counted, or no more. */
void queue_job_count_in(struct queue *q, const struct queue_job *j);
void queue_job_count_out(struct queue *q, const struct queue_job *j);

/* It goes now, before others, if it waits for nothing but time. */
void queue_job_kick(struct queue *q, struct queue_job *j, int64_t now);

/* The state of recipient i; what is left of the message follows. */
void queue_rcpt_set(struct queue *q, struct queue_job *j, size_t i,
		    unsigned state, int64_t now);

/* The recipient at an offset, or NULL; *ret_i is its index. */
struct queue_job *queue_rcpt_find(const struct queue_letter *m, size_t offset,
				  size_t *ret_i);
/* The same within one job. */
bool queue_job_has(const struct queue_job *j, uint64_t offset, size_t *ret_i);

/* The job's time has come: it wakes, expires, or is told to be late. */
void queue_job_timer(struct queue *q, struct queue_job *j, int64_t now);
/* The message's time has come: a report, or another try to finish it. */
void queue_letter_timer(struct queue *q, struct queue_letter *m, int64_t now);
/* If nothing of it is left to do, it is to be finished. */
void queue_letter_check(struct queue *q, struct queue_letter *m, int64_t now);
/* A report about it is due, after a while. */
void queue_letter_unreported(struct queue *q, struct queue_letter *m,
			     int64_t now);

/* ---- thread.c ----------------------------------------------------------- */

/* The thread of a channel and host, made if need be. */
struct queue_thread *queue_thread_get(struct queue *q, struct slice channel,
				      struct slice host, int64_t now);
/* NULL: there is none. */
struct queue_thread *queue_thread_find(const struct queue *q,
				       struct slice channel, struct slice host);
/* Its host, and the clause that serves it; NULL: none. */
struct slice queue_thread_host(const struct queue_thread *t);
/* NULL: none. */
const struct queue_clause *queue_thread_clause(const struct queue *q,
					       const struct queue_thread *t);

/* Puts it where it belongs now. */
void queue_thread_update(struct queue *q, struct queue_thread *t, int64_t now);

/* Is it? What is counted follows. */
void queue_thread_set_suspended(struct queue *q, struct queue_thread *t,
				bool is_suspended);

/* Nothing goes there for now; and: an answer without such a report came. */
void queue_thread_suspend(struct queue *q, struct queue_thread *t,
			  int64_t retry, int64_t now);
/* The host answers: all that waits for it may go. */
void queue_thread_alive(struct queue *q, struct queue_thread *t, int64_t now);

/* Its pause is over; or it was empty for long and goes. */
void queue_thread_timer(struct queue *q, struct queue_thread *t, int64_t now);
/* One of those that wait for the limit may go. */
void queue_limit_timer(struct queue *q, struct queue_limit *l, int64_t now);
/* Forgets a thread without jobs and agents. */
void queue_thread_free(struct queue *q, struct queue_thread *t, int64_t now);

/* Takes it out of all lists. */
void queue_thread_rest(struct queue *q, struct queue_thread *t);
/* Gives it the pool of its clause, or none. */
void queue_thread_route(struct queue *q, struct queue_thread *t);

/* May one more job go now? Otherwise it waits where it has to. */
bool queue_thread_may_feed(struct queue *q, struct queue_thread *t,
			   int64_t now);
/* One job has gone: the rates count it. */
void queue_thread_fed(struct queue *q, struct queue_thread *t, int64_t now);

/* Its rates may be others now, after a reload. */
void queue_thread_adapt(struct queue *q, struct queue_thread *t, int64_t now);

/* How many agents it may have. */
unsigned queue_thread_agents_max(const struct queue *q,
				 const struct queue_thread *t);

/* The thread belongs to this site from now on; an empty key: to none. */
void queue_thread_set_site(struct queue *q, struct queue_thread *t,
			   struct slice key, int64_t now);
/* So many agents more, or less, work for the site. */
void queue_site_agents(struct queue *q, struct queue_site *s, int change,
		       int64_t now);

/* ---- worker.c ----------------------------------------------------------- */

/* A job became ready: those that work for its thread may take it. */
void queue_thread_feed(struct queue *q, struct queue_thread *t, int64_t now);

/* Runnable threads get agents, as far as the limits go. */
void queue_pump(struct queue *q, int64_t now);

/* It was idle, or silent, for too long. */
void queue_agent_timer(struct queue *q, struct queue_agent *a, int64_t now);
/* Asks it to finish; what it was fed it still answers. */
void queue_agent_stop(struct queue *q, struct queue_agent *a, int64_t now);
/* Forgets it. */
void queue_agent_free(struct queue *q, struct queue_agent *a);

/* ---- cursor.c: what goes is no longer what a cursor comes to ------------- */

/* A message goes, with its jobs; a job leaves its thread. */
void queue_cursors_letter_goes(struct queue *q, struct queue_letter *m);
void queue_cursors_job_goes(struct queue *q, struct queue_job *j);
/* A thread goes; an agent. */
void queue_cursors_thread_goes(struct queue *q, struct queue_thread *t);
void queue_cursors_agent_goes(struct queue *q, struct queue_agent *a);

/* ---- timers ------------------------------------------------------------- */

/* Sets, or moves, a timer; takes it out. */
void queue_timer_set(struct queue *q, struct queue_timer *t, int64_t at);
/* It may be out already. */
void queue_timer_stop(struct queue *q, struct queue_timer *t);

#endif

/*
 * flight.h - job lines on their way, each with its message and transactions.
 *
 * Every line that is taken becomes a flight; flights end in the order of the
 * lines, so that no report and no "#hungry" overtakes an earlier one. A
 * flight's recipients go in batches: at most so many recipients of one
 * delivery group, one transaction each.
 */
#ifndef SMTPTA_FLIGHT_H
#define SMTPTA_FLIGHT_H

#include "agent/job.h"
#include "policy/tls.h"
#include "smtp/engine.h"
#include "smtpta/transit.h"
#include "smtpta/tried.h"

#include <sys/queue.h>

struct flight;

enum batch_state {
	BATCH_WAITING, /* to be given to the engine */
	BATCH_SENT,    /* the engine has it */
	BATCH_OVER     /* every recipient is settled */
};

struct batch {
	TAILQ_ENTRY(batch) link;
	struct flight *flight;
	enum batch_state state;
	unsigned tries; /* that counted */
	struct smtp_transaction t;
	struct transit transit; /* what the message becomes; while it is sent */
	struct content content;
	bool has_content_begun;
	int64_t added_at, content_at; /* to the engine; its first byte; ms */
	size_t *rcpts; /* of t, as indices into the job's; shared memory */
	size_t room;   /* of rcpts, if there is more than t needs */
	struct agent_outcome *outcomes; /* room for them while it is sent */
	size_t n_outcomes;
	size_t *leftover; /* refused by a limit on recipients: to go next */
	size_t n_leftover;
	bool is_over_limit; /* some of them by a limit on recipients */
	size_t *postponed;  /* by this host: to go to the next one */
	size_t n_postponed;
	/*
	 * Extensions that were refused for it: those that it goes without to
	 * this host, and those that are not used with the host again if it
	 * gets through without.
	 */
	unsigned without, on_trial;
	bool is_v6_blamed;  /* for some that are postponed */
	struct tried tried; /* hosts it is not to go to any more */
	/*
	 * 8-bit text that cannot be encoded: it went on to hosts that take it;
	 * there were none, so it goes as it is.
	 */
	bool seeks_8bit, goes_raw;
};
TAILQ_HEAD(batch_list, batch);

enum flight_state {
	FLIGHT_WAITING, /* its job is not opened yet */
	FLIGHT_OPEN,	/* recipients are under way */
	FLIGHT_OVER	/* everything is settled; only its turn is awaited */
};

struct flight {
	TAILQ_ENTRY(flight) link;
	struct arena *arena; /* of the line's words */
	enum flight_state state;
	bool is_job, is_too_long, must_resync;
	struct slice name, host;
	struct agent_job job;
	enum tls_request request; /* what its message asks for; once open */
	bool is_tls_report;	  /* it is one about TLS: tlsrpt_is_report() */
	struct body body;
	struct batch_list batches;
	size_t n_open;	  /* batches not over: those in the list */
	size_t n_waiting; /* of them, in BATCH_WAITING */
	/*
	 * What the host asked last said of each of the job's recipients that
	 * goes on to another one; NULL, or a NULL in it: nothing.
	 */
	const struct diag **earlier;
	/* See smtpta/guests.h: the last session; each of ctl that was taken. */
	unsigned seated_for;
	bool *was_guest;
};
TAILQ_HEAD(flight_list, flight);

/* A flight that is over before it began: a line that only wants "#hungry". */
struct flight *flight_of_line(void);

/* A job for a host, not opened yet. */
struct flight *flight_of_job(struct slice name, struct slice host);

/*
 * Why a recipient must not be sent to, whatever the host, or NULL: a bad
 * address, or a deadline that has passed. Lives in the job's arena.
 */
const struct diag *flight_judge(struct agent *a, struct agent_job *job,
				const struct ctl_rcpt *rcpt);

/*
 * Makes a batch of each delivery group of the opened job. Recipients and
 * senders that must not be sent to any host are settled here: bad addresses,
 * and deadlines that have passed (smtpta/deliverby.h).
 */
void flight_make_batches(struct agent *a, struct flight *f);

/*
 * One more batch, right behind `after` (NULL: behind all others), for n of the
 * job's recipients. The array must live in the job's arena and is the batch's
 * from now on.
 */
struct batch *flight_add_batch(struct flight *f, struct batch *after,
			       size_t *rcpts, size_t n);

/* Leaves the first n recipients in a batch; the rest go in one behind it. */
void flight_split_batch(struct batch *b, size_t n);

/* Changes the state of a batch that is not over. */
void flight_set_state(struct batch *b, enum batch_state state);

/* A batch is over, and no longer in the flight's list. */
void flight_end_batch(struct batch *b);

/* Closes the job and frees all; what was not settled is deferred. */
void flight_free(struct agent *a, struct flight *f);

#endif

/*
 * gauge.h - a look at the scheduler: what the live view shows at one time.
 *
 * Bounded, however large the queue is: of agents, destinations and retries only
 * the first of their order are kept. Pure.
 */
#ifndef MAILQB_GAUGE_H
#define MAILQB_GAUGE_H

#include "base/arena.h"
#include "mailqb/print.h"

enum { MAILQ_GAUGE_ROWS = 64 };

enum mailq_outcome {
	MAILQ_DELIVERIES,
	MAILQ_DEFERRALS,
	MAILQ_FAILURES, /* what expired, too */
	MAILQ_OUTCOMES
};

/* A list of the first few; texts live in the gauge's arena. */
struct mailq_top {
	struct mailq_destination rows[MAILQ_GAUGE_ROWS];
	size_t n;
};

struct mailq_gauge {
	struct arena *arena;
	bool is_up;	 /* a scheduler answered */
	bool is_partial; /* we may only ask for counts */
	int64_t now;	 /* Unix time */
	int64_t clock;	 /* ms of a clock that does not jump */
	int64_t started;
	int64_t pid;
	struct mailq_count count;
	uint64_t outcomes[MAILQ_OUTCOMES]; /* since its start */
	struct mailq_agent agents[MAILQ_GAUGE_ROWS];
	size_t n_agents;
	struct mailq_top places;  /* those with most recipients */
	struct mailq_top retries; /* those that go on soonest */
};

/* A line of `metrics`. */
void mailq_gauge_metric(struct mailq_gauge *g, struct slice line);

/* A row of `agents`: those that are at a message first. */
void mailq_gauge_agent(struct mailq_gauge *g, const struct mailq_agent *a);

/* A row of `destinations`. */
void mailq_gauge_place(struct mailq_gauge *g,
		       const struct mailq_destination *d);

/* How many a second of an outcome there were since `before`, in tenths. */
uint64_t mailq_gauge_rate(const struct mailq_gauge *g,
			  const struct mailq_gauge *before,
			  enum mailq_outcome outcome);

/*
 * Adds the view: `rows` lines of at most `columns` each, with what a terminal
 * is to do between them.
 */
void mailq_gauge_draw(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before, unsigned rows,
		      unsigned columns);

/* Adds it as one line, of text or of JSON. */
void mailq_gauge_line(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before);
void mailq_gauge_json(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before);

#endif

/*
 * retry.h - when to try again, and how fast to go: arithmetic alone.
 */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include "queue/clause.h"

/*
 * When what has been tried `tries` times (at least 1), last now, is to be
 * tried again, in ms: interval times the factor of that try, chance ones of
 * the sequence behind its end; after `skew` tries rounded up to a multiple of
 * the interval, so that what waits long goes together. Without factors it is
 * the interval. *chance is the state of the generator.
 */
int64_t retry_time(const struct queue_clause *c, unsigned tries, int64_t now,
		   uint64_t *chance);

/* The next number of the generator. */
uint64_t retry_random(uint64_t *chance);

/*
 * A rate as the time at which the next job may go: jobs take `interval` each,
 * and up to `jobs` of them may go at once after a rest.
 */
struct retry_bucket {
	int64_t next_us; /* when the bucket is full again, microseconds */
};

/* When the next job may go, in ms; now or before: at once. */
int64_t retry_bucket_ready(const struct retry_bucket *b, struct queue_rate r,
			   int64_t now);

/* Another rate holds from now on: no more is used up than it could have. */
void retry_bucket_adapt(struct retry_bucket *b, struct queue_rate r,
			int64_t now);

/* One job goes now. */
void retry_bucket_take(struct retry_bucket *b, struct queue_rate r,
		       int64_t now);

/* How many agents may work at once: a number that grows and shrinks. */
struct retry_window {
	uint32_t size; /* in parts of WINDOW_ONE */
	bool has_shrunk;
};

enum { WINDOW_ONE = 256, WINDOW_THREAD = 2, WINDOW_SITE = 5 };

/* A window of `size` agents to begin with. */
struct retry_window retry_window_new(unsigned size);

/* A job was answered: one more, until trouble was seen; then more slowly. */
void retry_window_grow(struct retry_window *w, unsigned max);

/* Trouble: half as many, but one at least. */
void retry_window_shrink(struct retry_window *w);

/* How many that are now; at least 1, at most max. */
unsigned retry_window_agents(const struct retry_window *w, unsigned max);

#endif

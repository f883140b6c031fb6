/*
 * retry.c - when to try again, and how fast to go: arithmetic alone.
 */
#include "queue/retry.h"

enum { MS = 1000 };

uint64_t retry_random(uint64_t *chance)
{
	*chance = *chance * 6364136223846793005u + 1442695040888963407u;
	return *chance >> 33;
}

int64_t retry_time(const struct queue_clause *c, unsigned tries, int64_t now,
		   uint64_t *chance)
{
	int64_t unit = (int64_t)c->interval * MS, at;
	unsigned factor = 1;

	if (c->n_retries > 0 && tries <= c->n_retries)
		factor = c->retries[tries - 1];
	else if (c->n_retries > 0)
		factor = c->retries[retry_random(chance) % c->n_retries];
	at = now + unit * factor;
	if (tries > c->skew)
		at = (at + unit - 1) / unit * unit;
	return at;
}

/* Microseconds that one job takes of a rate. */
static int64_t job_us(struct queue_rate r)
{
	return (int64_t)r.seconds * 1000 * MS / r.jobs;
}

/* Up to so much of the future may be used at once. */
static int64_t burst_us(struct queue_rate r)
{
	return (int64_t)r.seconds * 1000 * MS - job_us(r);
}

int64_t retry_bucket_ready(const struct retry_bucket *b, struct queue_rate r,
			   int64_t now)
{
	int64_t at;

	if (r.jobs == 0)
		return now;
	at = b->next_us - burst_us(r);
	return at <= now * MS ? now : (at + MS - 1) / MS;
}

void retry_bucket_adapt(struct retry_bucket *b, struct queue_rate r,
			int64_t now)
{
	int64_t most = now * MS + (int64_t)r.seconds * 1000 * MS;

	if (b->next_us > most)
		b->next_us = most;
}

void retry_bucket_take(struct retry_bucket *b, struct queue_rate r, int64_t now)
{
	if (r.jobs == 0)
		return;
	if (b->next_us < now * MS)
		b->next_us = now * MS;
	b->next_us += job_us(r);
}

struct retry_window retry_window_new(unsigned size)
{
	return (struct retry_window){ size * WINDOW_ONE, false };
}

void retry_window_grow(struct retry_window *w, unsigned max)
{
	uint32_t step = WINDOW_ONE;

	if (w->has_shrunk)
		step = step * WINDOW_ONE / w->size + 1;
	if (w->size / WINDOW_ONE < max)
		w->size += step;
}

void retry_window_shrink(struct retry_window *w)
{
	w->has_shrunk = true;
	w->size /= 2;
	if (w->size < WINDOW_ONE)
		w->size = WINDOW_ONE;
}

unsigned retry_window_agents(const struct retry_window *w, unsigned max)
{
	unsigned n = w->size / WINDOW_ONE;

	return n < max ? n : max;
}

/*
 * flight.c - job lines on their way.
 *
 * A batch lives in its job's arena and goes with it.
 */
#include "smtpta/flight.h"

#include "base/mem.h"
#include "policy/tlsrpt.h"
#include "smtpta/deliverby.h"
#include "smtpta/envelope.h"
#include "smtpta/security.h"

#include <stdlib.h>
#include <string.h>

struct flight *flight_of_line(void)
{
	struct flight *f = mem_zero(1, sizeof(*f));

	TAILQ_INIT(&f->batches);
	f->state = FLIGHT_OVER;
	f->job.fd = -1;
	return f;
}

struct flight *flight_of_job(struct slice name, struct slice host)
{
	struct flight *f = flight_of_line();

	f->arena = arena_new();
	f->state = FLIGHT_WAITING;
	f->is_job = true;
	f->name = arena_dup(f->arena, name);
	f->host = arena_dup(f->arena, host);
	return f;
}

static struct batch *new_batch(struct flight *f, size_t *rcpts, size_t n)
{
	struct arena *a = f->job.arena;
	struct batch *b = ARENA_NEW(a, struct batch);

	b->flight = f;
	b->t.arena = a;
	b->t.owner = b;
	b->t.n_rcpts = n;
	b->rcpts = rcpts;
	f->n_open++;
	f->n_waiting++;
	return b;
}

struct batch *flight_add_batch(struct flight *f, struct batch *after,
			       size_t *rcpts, size_t n)
{
	struct batch *b = new_batch(f, rcpts, n);

	if (after != NULL)
		TAILQ_INSERT_AFTER(&f->batches, after, b, link);
	else
		TAILQ_INSERT_TAIL(&f->batches, b, link);
	return b;
}

void flight_split_batch(struct batch *b, size_t n)
{
	struct flight *f = b->flight;
	struct batch *rest = new_batch(f, b->rcpts + n, b->t.n_rcpts - n);

	rest->tried = b->tried;
	rest->without = b->without;
	rest->seeks_8bit = b->seeks_8bit;
	rest->goes_raw = b->goes_raw;
	b->t.n_rcpts = n;
	b->room = 0;
	TAILQ_INSERT_AFTER(&f->batches, b, rest, link);
}

void flight_set_state(struct batch *b, enum batch_state state)
{
	struct flight *f = b->flight;

	f->n_waiting -= b->state == BATCH_WAITING;
	f->n_waiting += state == BATCH_WAITING;
	b->state = state;
}

void flight_end_batch(struct batch *b)
{
	struct flight *f = b->flight;

	content_done(&b->content);
	transit_done(&b->transit);
	flight_set_state(b, BATCH_OVER);
	TAILQ_REMOVE(&f->batches, b, link);
	if (--f->n_open == 0)
		f->state = FLIGHT_OVER;
}

const struct diag *flight_judge(struct agent *a, struct agent_job *job,
				const struct ctl_rcpt *rcpt)
{
	int64_t now = agent_options(a)->wall_time();
	const struct diag *bad;
	struct slice path;

	bad = envelope_recipient(rcpt, job->arena, &path);
	if (bad == NULL)
		bad = deliverby_expired(&rcpt->dsn.by, now, job->arena);
	return bad;
}

/* Settles what must not be sent; the indices of the rest go to *ret. */
static size_t check_group(struct agent *a, struct agent_job *job, size_t from,
			  size_t n, size_t *ret)
{
	struct slice no_verp = SLICE(""), path;
	const struct diag *bad_sender =
	    envelope_sender(job->rcpts[from].ctl, no_verp, job->arena, &path);
	size_t kept = 0;

	for (size_t i = from; i < from + n; i++) {
		const struct diag *bad = bad_sender;

		if (bad == NULL)
			bad = flight_judge(a, job, job->rcpts[i].ctl);
		if (bad == NULL)
			ret[kept++] = i;
		else
			agent_job_settle_one(a, job, i, bad);
	}
	return kept;
}

void flight_make_batches(struct agent *a, struct flight *f)
{
	struct agent_job *job = &f->job;
	size_t *rcpts = arena_array(job->arena, job->n_rcpts, sizeof(*rcpts));
	size_t at = 0, from = 0, n;

	f->request = security_request(job);
	f->is_tls_report = job->n_rcpts > 0 &&
			   tlsrpt_is_report(job->rcpts[0].ctl->header->text);
	while ((n = agent_job_group(job, &at)) > 0) {
		size_t kept = check_group(a, job, from, n, rcpts + from);

		if (kept > 0)
			flight_add_batch(f, NULL, rcpts + from, kept);
		from = at;
	}
	if (f->n_open == 0)
		f->state = FLIGHT_OVER;
}

void flight_free(struct agent *a, struct flight *f)
{
	struct batch *b;

	TAILQ_FOREACH (b, &f->batches, link) {
		content_done(&b->content);
		transit_done(&b->transit);
	}
	body_done(&f->body);
	agent_job_close(a, &f->job);
	arena_free(f->arena);
	free(f);
}

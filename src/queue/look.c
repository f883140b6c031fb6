/*
 * look.c - how much there is in the queue, and whether all of it holds.
 */
#include "queue/queue_internal.h"

#include <assert.h>
#include <stdlib.h>

struct queue_count queue_count(const struct queue *q)
{
	struct queue_count c = q->count;

	c.messages = HASH_COUNT(q->letters);
	c.threads = HASH_COUNT(q->threads);
	c.sites = HASH_COUNT(q->sites);
	c.agents = q->n_agents;
	return c;
}

void queue_channels(const struct queue *q,
		    void (*show)(void *context, struct slice channel,
				 size_t n_open, size_t n_held),
		    void *context)
{
	for (struct queue_channel *c = q->channels; c != NULL; c = c->next)
		show(context, c->name, c->n_open, c->n_held);
}

int64_t queue_ages(struct queue *q, int64_t now, struct queue_age *rows,
		   size_t n_rows)
{
	return ages_count(&q->ages, now, rows, n_rows);
}

/* ---- whether all holds -------------------------------------------------- */

/* Not assert(): tests are to find it in every build. */
static void hold(bool it_does)
{
	if (!it_does)
		__builtin_trap();
}

static void check_job(const struct queue *q, const struct queue_job *j)
{
	size_t n_going = queue_job_count(j, QUEUE_RCPT_OPEN) +
			 queue_job_count(j, QUEUE_RCPT_BUSY);
	size_t n_expiring = queue_job_count(j, QUEUE_RCPT_EXPIRING);
	bool is_ready = j->state == QUEUE_JOB_READY;

	hold(is_ready == (j->ready != 0));
	if (is_ready)
		hold(j->thread->ready.entries[j->ready].place == &j->ready);
	if (j->state == QUEUE_JOB_WAITING)
		hold(j->timer.place != 0); /* or it would wait for ever */
	if (j->state == QUEUE_JOB_RESTING) /* or it would rest for ever */
		hold(n_going == 0 || n_expiring > 0);
	else if (j->state != QUEUE_JOB_FED)
		hold(n_going > 0 && n_expiring == 0);
	for (uint32_t i = 1; i < j->n_rcpts; i++)
		hold(j->rcpts[i - 1].offset < j->rcpts[i].offset);
	if (j->timer.place != 0)
		hold(q->timers.entries[j->timer.place].place ==
		     &j->timer.place);
}

/* Adds what is counted of a job, found by looking. */
static void add_job(struct queue_count *c, const struct queue_job *j)
{
	c->jobs++;
	c->open += queue_job_count(j, QUEUE_RCPT_OPEN) +
		   queue_job_count(j, QUEUE_RCPT_BUSY) +
		   queue_job_count(j, QUEUE_RCPT_EXPIRING);
	c->held += queue_job_count(j, QUEUE_RCPT_HELD);
	c->ready += j->state == QUEUE_JOB_READY;
	c->waiting += j->state == QUEUE_JOB_WAITING;
	c->fed += j->state == QUEUE_JOB_FED;
	c->unrouted += j->thread->pool == NULL;
}

/* What the thread has counted is what its list holds. */
static void check_list(const struct queue_thread *t)
{
	struct queue_count c = { 0 };
	size_t n_kicked = 0;
	int64_t oldest = INT64_MAX;
	struct queue_job *j;

	TAILQ_FOREACH (j, &t->jobs, of_thread) {
		hold(j->thread == t);
		add_job(&c, j);
		n_kicked += j->state == QUEUE_JOB_READY && j->is_kicked;
		if (j->message->arrived < oldest)
			oldest = j->message->arrived;
	}
	hold(c.jobs == t->n_jobs && c.ready == t->ready.n);
	hold(c.waiting == t->n_waiting && c.fed == t->n_fed);
	hold(c.open == t->n_open && c.held == t->n_held);
	hold(n_kicked == t->n_kicked);
	hold(t->n_jobs == 0 || t->oldest == INT64_MAX || t->oldest == oldest);
}

static void check_channel(const struct queue *q, const struct queue_channel *c)
{
	size_t n_open = 0, n_held = 0;

	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next)
		if (t->channel == c) {
			n_open += t->n_open;
			n_held += t->n_held;
		}
	hold(c->n_open == n_open && c->n_held == n_held);
}

static void check_count(const struct queue *q)
{
	struct queue_count c = { 0 };
	const struct queue_count *is = &q->count;

	for (struct queue_letter *m = q->letters; m != NULL; m = m->hh.next)
		for (struct queue_job *j = m->jobs; j != NULL; j = j->next)
			add_job(&c, j);
	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next)
		c.suspended += t->is_suspended;
	hold(c.jobs == is->jobs && c.open == is->open && c.held == is->held);
	hold(c.ready == is->ready && c.waiting == is->waiting);
	hold(c.fed == is->fed && c.unrouted == is->unrouted);
	hold(c.suspended == is->suspended);
	for (struct queue_channel *k = q->channels; k != NULL; k = k->next)
		check_channel(q, k);
}

static void check_letter(const struct queue *q, const struct queue_letter *m,
			 size_t *n_fed)
{
	size_t n_left = 0;

	for (struct queue_job *j = m->jobs; j != NULL; j = j->next) {
		check_job(q, j);
		n_left += j->n_rcpts - queue_job_count(j, QUEUE_RCPT_DONE);
		*n_fed += j->state == QUEUE_JOB_FED;
	}
	hold(n_left == m->n_left);
	hold(m->n_left > 0 || m->is_finishing);
}

static void check_thread(const struct queue *q, const struct queue_thread *t)
{
	const struct queue_clause *c = queue_thread_clause(q, t);
	struct queue_agent *a;
	size_t n_agents = 0, n_fed = 0;
	bool may_go = t->ready.n > 0 && c != NULL && !q->is_shut &&
		      !c->is_queue_only && t->until == 0 && t->n_agents == 0;

	TAILQ_FOREACH (a, &t->agents, link) {
		n_agents++;
		for (size_t i = 0; i < a->n_lines; i++)
			n_fed += a->lines[(a->first + i) % a->cap] != NULL;
		hold(a->thread == t);
	}
	check_list(t);
	hold(n_agents == t->n_agents && n_fed == t->n_fed);
	hold(t->is_suspended <= (t->until > 0));
	if (t->place == QUEUE_THREAD_PAUSED)
		hold(t->timer.place != 0);
	if (may_go) /* it is somewhere from where it will go */
		hold(t->place != QUEUE_THREAD_RESTING);
}

void queue_check(const struct queue *q)
{
	size_t n_fed = 0, n_lines = 0, n_agents = 0;

	check_count(q);
	for (struct queue_letter *m = q->letters; m != NULL; m = m->hh.next)
		check_letter(q, m, &n_fed);
	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next)
		check_thread(q, t);
	for (struct queue_agent *a = q->agents; a != NULL; a = a->hh.next) {
		n_agents++;
		hold(a->timer.place != 0); /* none is waited for for ever */
		hold((a->state == QUEUE_AGENT_IDLE) <= (a->thread == NULL));
		for (size_t i = 0; i < a->n_lines; i++)
			n_lines += a->lines[(a->first + i) % a->cap] != NULL;
	}
	hold(n_fed == n_lines); /* each is with one agent and no other */
	hold(n_agents == q->n_agents);
}

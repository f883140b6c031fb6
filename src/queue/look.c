/*
 * look.c - to look at the queue: counts, every job, and whether all holds.
 */
#include "queue/queue_internal.h"

#include <assert.h>
#include <stdlib.h>

struct queue_count queue_count(const struct queue *q)
{
	struct queue_count c = { .agents = q->n_agents };

	c.messages = HASH_COUNT(q->letters);
	c.threads = HASH_COUNT(q->threads);
	c.sites = HASH_COUNT(q->sites);
	for (struct queue_letter *m = q->letters; m != NULL; m = m->hh.next)
		for (struct queue_job *j = m->jobs; j != NULL; j = j->next) {
			c.jobs++;
			c.open += queue_job_count(j, QUEUE_RCPT_OPEN) +
				  queue_job_count(j, QUEUE_RCPT_BUSY) +
				  queue_job_count(j, QUEUE_EXPIRING);
			c.held += queue_job_count(j, QUEUE_RCPT_HELD);
			c.ready += j->state == QUEUE_JOB_READY;
			c.waiting += j->state == QUEUE_JOB_WAITING;
			c.fed += j->state == QUEUE_JOB_FED;
			c.unrouted += j->thread->pool == NULL;
		}
	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next)
		c.suspended += t->is_suspended;
	return c;
}

static struct queue_view view_of(const struct queue_job *j)
{
	struct queue_thread *t = j->thread;
	bool is_threads =
	    j->why == NULL || (t->is_suspended && j->state == QUEUE_JOB_READY);
	struct queue_view v = {
		.name = queue_letter_name(j->message),
		.channel = t->channel->name,
		.host = queue_thread_host(t),
		.why = queue_why_text(is_threads ? t->why : j->why),
		.state = (enum queue_job_state)j->state,
		.is_suspended = t->is_suspended,
		.n_open = queue_job_count(j, QUEUE_RCPT_OPEN) +
			  queue_job_count(j, QUEUE_RCPT_BUSY),
		.n_held = queue_job_count(j, QUEUE_RCPT_HELD),
		.tries = j->tries,
		.arrived = j->message->arrived,
	};

	if (j->state == QUEUE_JOB_WAITING)
		v.until = j->wake;
	else if (j->state == QUEUE_JOB_READY)
		v.until = t->until;
	return v;
}

void queue_walk(const struct queue *q,
		bool (*show)(void *context, const struct queue_view *view),
		void *context)
{
	for (struct queue_letter *m = q->letters; m != NULL; m = m->hh.next)
		for (struct queue_job *j = m->jobs; j != NULL; j = j->next) {
			struct queue_view v = view_of(j);

			if (!show(context, &v))
				return;
		}
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
	bool is_ready = j->state == QUEUE_JOB_READY;

	hold(is_ready == (j->ready != 0));
	if (is_ready)
		hold(j->thread->ready.entries[j->ready].place == &j->ready);
	if (j->state == QUEUE_JOB_WAITING)
		hold(j->timer.place != 0); /* or it would wait for ever */
	if (j->state == QUEUE_JOB_RESTING)
		hold(n_going == 0);
	else if (j->state != QUEUE_JOB_FED)
		hold(n_going > 0 || queue_job_count(j, QUEUE_EXPIRING) > 0);
	for (uint32_t i = 1; i < j->n_rcpts; i++)
		hold(j->rcpts[i - 1].offset < j->rcpts[i].offset);
	if (j->timer.place != 0)
		hold(q->timers.entries[j->timer.place].place ==
		     &j->timer.place);
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

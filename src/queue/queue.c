/*
 * queue.c - messages in and out, timers, and the life of the queue.
 */
#include "queue/queue.h"

#include "queue/queue_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- timers ------------------------------------------------------------- */

void queue_timer_set(struct queue *q, struct queue_timer *t, int64_t at)
{
	heap_set(&q->timers, &t->place, at);
}

void queue_timer_stop(struct queue *q, struct queue_timer *t)
{
	heap_drop(&q->timers, &t->place);
}

#define THING(timer_, type) ((struct type *)(void *)(timer_))

/* Every thing that has a timer begins with it, but a limit's owner. */
static_assert(offsetof(struct queue_job, timer) == 0 &&
		  offsetof(struct queue_letter, timer) == 0 &&
		  offsetof(struct queue_thread, timer) == 0 &&
		  offsetof(struct queue_agent, timer) == 0 &&
		  offsetof(struct queue_limit, timer) == 0 &&
		  offsetof(struct queue_timer, place) == 0,
	      "timers come first");

static void fire(struct queue *q, struct queue_timer *t, int64_t now)
{
	switch ((enum queue_timer_kind)t->kind) {
	case QUEUE_TIMER_JOB:
		queue_job_timer(q, THING(t, queue_job), now);
		break;
	case QUEUE_TIMER_MESSAGE:
		queue_letter_timer(q, THING(t, queue_letter), now);
		break;
	case QUEUE_TIMER_THREAD:
		queue_thread_timer(q, THING(t, queue_thread), now);
		break;
	case QUEUE_TIMER_AGENT:
		queue_agent_timer(q, THING(t, queue_agent), now);
		break;
	case QUEUE_TIMER_LIMIT:
		queue_limit_timer(q, THING(t, queue_limit), now);
		break;
	case QUEUE_TIMER_POOL:
	case QUEUE_TIMER_START:
		break; /* queue_pump() follows */
	}
}

void queue_run(struct queue *q, int64_t now)
{
	while (heap_key(&q->timers) <= now) {
		uint32_t *place = heap_first(&q->timers);

		heap_drop(&q->timers, place);
		fire(q, THING(place, queue_timer), now);
	}
	queue_pump(q, now);
}

int64_t queue_wake(const struct queue *q)
{
	int64_t at = heap_key(&q->timers);

	return at == INT64_MAX ? -1 : at;
}

/* ---- messages ----------------------------------------------------------- */

struct queue_letter *queue_letter_find(const struct queue *q, struct slice name)
{
	struct queue_letter *m;

	HASH_FIND(hh, q->letters, name.p, name.len, m);
	return m;
}

bool queue_has(const struct queue *q, struct slice name)
{
	return queue_letter_find(q, name) != NULL;
}

int64_t queue_arrived(const struct queue *q, struct slice name)
{
	const struct queue_letter *m = queue_letter_find(q, name);

	return m != NULL ? m->arrived : 0;
}

static struct queue_place make_place(const struct queue_rcpt *r)
{
	return (struct queue_place){
		.offset = (uint32_t)r->offset,
		.deadline = r->deadline > 0 && r->deadline < UINT32_MAX
				? (uint32_t)r->deadline
				: 0,
		.state = (uint8_t)r->state,
		.flags = (uint8_t)r->flags,
	};
}

/* The job is one of its thread's from now on; and no more. */
static void enter_thread(struct queue *q, struct queue_job *j, int64_t arrived)
{
	struct queue_thread *t = j->thread;

	/* If it is not known of those before, it is not of all. */
	if (t->n_jobs == 0 || (t->oldest != INT64_MAX && arrived < t->oldest))
		t->oldest = arrived;
	TAILQ_INSERT_TAIL(&t->jobs, j, of_thread);
	t->n_jobs++;
	q->count.unrouted += t->pool == NULL;
	queue_job_count_in(q, j);
}

static void leave_thread(struct queue *q, struct queue_job *j)
{
	struct queue_thread *t = j->thread;

	queue_cursors_job_goes(q, j);
	queue_job_count_out(q, j);
	q->count.unrouted -= t->pool == NULL;
	t->n_jobs--;
	TAILQ_REMOVE(&t->jobs, j, of_thread);
	if (j->message->arrived == t->oldest)
		t->oldest = INT64_MAX;
}

/* An empty job with room for all recipients of the message at a thread. */
static struct queue_job *make_job(struct queue_letter *letter,
				  struct queue_thread *t)
{
	struct queue_job *j = mem_zero(1, offsetof(struct queue_job, rcpts) +
					      t->n_mine * sizeof(j->rcpts[0]));

	j->timer.kind = QUEUE_TIMER_JOB;
	j->state = QUEUE_JOB_RESTING;
	j->message = letter;
	j->thread = t;
	return j;
}

/*
 * The jobs of a message, in the order of their first recipients. There may be
 * as many as recipients, so each of those finds its own by its thread.
 */
static void make_jobs(struct queue *q, struct queue_letter *letter,
		      const struct queue_message *m, int64_t now)
{
	struct queue_thread **threads =
	    mem_zero(m->n_rcpts + 1, sizeof(void *));
	struct queue_job **link = &letter->jobs, *j;

	for (size_t i = 0; i < m->n_rcpts; i++) {
		threads[i] = queue_thread_get(q, m->rcpts[i].channel,
					      m->rcpts[i].host, now);
		threads[i]->n_mine++;
	}
	for (size_t i = 0; i < m->n_rcpts; i++) {
		struct queue_thread *t = threads[i];

		if (t->mine == NULL) {
			*link = t->mine = make_job(letter, t);
			link = &(*link)->next;
		}
		j = t->mine;
		j->rcpts[j->n_rcpts++] = make_place(&m->rcpts[i]);
		if (m->rcpts[i].n_delays > j->n_delays)
			j->n_delays = (uint8_t)m->rcpts[i].n_delays;
	}
	for (j = letter->jobs; j != NULL; j = j->next) {
		j->thread->mine = NULL;
		j->thread->n_mine = 0;
		enter_thread(q, j, m->arrived);
	}
	free(threads);
}

static struct queue_letter *
new_letter(struct queue *q, const struct queue_message *m, int64_t now)
{
	struct queue_letter *letter =
	    mem_zero(1, sizeof(*letter) + m->name.len);

	letter->timer.kind = QUEUE_TIMER_MESSAGE;
	letter->id = m->id;
	letter->arrived = m->arrived;
	letter->name_len = (uint16_t)m->name.len;
	memcpy(letter->name, m->name.p, m->name.len);
	for (size_t i = 0; i < m->n_rcpts; i++)
		letter->n_left += m->rcpts[i].state != QUEUE_RCPT_DONE;
	HASH_ADD(hh, q->letters, name, m->name.len, letter);
	ages_add(&q->ages, m->arrived, now);
	return letter;
}

/* What the file says of a recipient counts, but what expires goes on. */
static void compare(struct queue *q, struct queue_job *j, size_t i,
		    const struct queue_rcpt *r, int64_t now)
{
	if (j->rcpts[i].state == QUEUE_RCPT_EXPIRING)
		return;
	/* A job that is with an agent is locked by that. */
	if (r->state == QUEUE_RCPT_BUSY && j->state == QUEUE_JOB_FED)
		return;
	/* An agent said so, and it is not: not at once again. */
	if (j->rcpts[i].state == QUEUE_RCPT_DONE && r->state != QUEUE_RCPT_DONE)
		j->wake = now + QUEUE_LATER;
	queue_rcpt_set(q, j, i, r->state, now);
}

static void refresh(struct queue *q, struct queue_letter *letter,
		    const struct queue_message *m,
		    struct queue_job *const *jobs, int64_t now)
{
	size_t at;

	for (size_t i = 0; i < m->n_rcpts; i++)
		if (queue_job_has(jobs[i], m->rcpts[i].offset, &at))
			compare(q, jobs[i], at, &m->rcpts[i], now);
	if (letter->n_left > 0)
		letter->is_finishing = false;
	for (struct queue_job *j = letter->jobs; j != NULL; j = j->next)
		if (j->state != QUEUE_JOB_FED) {
			if (j->must_look)
				j->wake = now;
			queue_job_settle(q, j, now);
		}
}

/*
 * Has a message of this name the same recipients? Then jobs are theirs, one by
 * one. Else it is another one: the first was removed behind our back, and names
 * come again.
 */
static bool is_same_message(const struct queue *q, struct queue_letter *letter,
			    const struct queue_message *m,
			    struct queue_job **jobs)
{
	size_t n = 0, same = 0, i;

	for (struct queue_job *j = letter->jobs; j != NULL; j = j->next) {
		j->thread->mine = j;
		n += j->n_rcpts;
	}
	for (; same < m->n_rcpts && n == m->n_rcpts; same++) {
		const struct queue_rcpt *r = &m->rcpts[same];
		struct queue_thread *t =
		    queue_thread_find(q, r->channel, r->host);

		jobs[same] = t != NULL ? t->mine : NULL;
		if (jobs[same] == NULL ||
		    !queue_job_has(jobs[same], r->offset, &i))
			break;
	}
	for (struct queue_job *j = letter->jobs; j != NULL; j = j->next)
		j->thread->mine = NULL;
	return n == m->n_rcpts && same == n;
}

/* A message that is not known yet. */
static struct queue_letter *take_in(struct queue *q,
				    const struct queue_message *m, int64_t now)
{
	struct queue_letter *letter;

	if (q->began == 0)
		q->began = now;
	letter = new_letter(q, m, now);
	make_jobs(q, letter, m, now);
	for (struct queue_job *j = letter->jobs; j != NULL; j = j->next)
		queue_job_settle(q, j, now);
	return letter;
}

void queue_add(struct queue *q, const struct queue_message *m, int64_t now)
{
	struct queue_letter *letter = queue_letter_find(q, m->name);
	struct queue_job **jobs = NULL;

	if (letter != NULL)
		jobs = mem_zero(m->n_rcpts + 1, sizeof(void *));
	if (letter != NULL && is_same_message(q, letter, m, jobs)) {
		refresh(q, letter, m, jobs, now);
	} else {
		queue_forget(q, m->name, now);
		letter = take_in(q, m, now);
	}
	free(jobs);
	if (m->has_unreported)
		queue_letter_unreported(q, letter, now);
	queue_letter_check(q, letter, now);
}

/* No agent's line points at the job any more. */
static void leave_lines(struct queue_job *j)
{
	struct queue_agent *a;

	TAILQ_FOREACH (a, &j->thread->agents, link)
		for (size_t i = 0; i < a->n_lines; i++) {
			struct queue_job **line =
			    &a->lines[(a->first + i) % a->cap];

			if (*line == j)
				*line = NULL;
		}
}

static void free_job(struct queue *q, struct queue_job *j, int64_t now)
{
	struct queue_thread *t = j->thread;

	if (j->state == QUEUE_JOB_FED)
		leave_lines(j);
	queue_job_set(q, j, QUEUE_JOB_RESTING, now);
	queue_why_drop(&j->why);
	leave_thread(q, j);
	queue_thread_update(q, t, now);
	free(j);
}

void queue_forget(struct queue *q, struct slice name, int64_t now)
{
	struct queue_letter *m = queue_letter_find(q, name);
	struct queue_job *next;

	if (m == NULL)
		return;
	queue_cursors_letter_goes(q, m);
	for (struct queue_job *j = m->jobs; j != NULL; j = next) {
		next = j->next;
		free_job(q, j, now);
	}
	queue_timer_stop(q, &m->timer);
	ages_remove(&q->ages, m->arrived);
	HASH_DELETE(hh, q->letters, m);
	free(m);
}

/* ---- commands ----------------------------------------------------------- */

/* The job of a recipient that is open or held and no agent has, or NULL. */
static struct queue_job *find_left(const struct queue *q, struct slice name,
				   size_t offset, size_t *ret_i)
{
	struct queue_letter *m = queue_letter_find(q, name);
	struct queue_job *j = NULL;

	if (m != NULL)
		j = queue_rcpt_find(m, offset, ret_i);
	if (j == NULL || j->state == QUEUE_JOB_FED ||
	    (j->rcpts[*ret_i].state != QUEUE_RCPT_OPEN &&
	     j->rcpts[*ret_i].state != QUEUE_RCPT_HELD))
		return NULL;
	return j;
}

/* The job of an open recipient that no agent has, or NULL. */
static struct queue_job *find_idle(const struct queue *q, struct slice name,
				   size_t offset, size_t *ret_i)
{
	struct queue_job *j = find_left(q, name, offset, ret_i);

	return j != NULL && j->rcpts[*ret_i].state == QUEUE_RCPT_OPEN ? j
								      : NULL;
}

bool queue_is_idle(const struct queue *q, struct slice name, size_t offset)
{
	size_t i;

	return find_idle(q, name, offset, &i) != NULL;
}

bool queue_hold(struct queue *q, struct slice name, size_t offset, int64_t now)
{
	size_t i;
	struct queue_job *j = find_idle(q, name, offset, &i);

	if (j == NULL)
		return false;
	queue_rcpt_set(q, j, i, QUEUE_RCPT_HELD, now);
	queue_job_settle(q, j, now);
	return true;
}

/* Fails the first of n recipients and what of its job stands behind it. */
static void give_up_some(struct queue *q, struct queue_job *j,
			 const size_t *offsets, size_t n, int64_t now)
{
	struct queue_action action = { .kind = QUEUE_EXPIRE,
				       .name = queue_letter_name(j->message),
				       .expiry = QUEUE_EXPIRED_COMMAND,
				       .why = queue_why_text(j->why) };
	size_t *mine = mem_zero(n, sizeof(*mine)), i;

	for (size_t k = 0; k < n; k++) {
		if (!queue_job_has(j, offsets[k], &i) ||
		    j->rcpts[i].state != QUEUE_RCPT_OPEN)
			continue;
		queue_rcpt_set(q, j, i, QUEUE_RCPT_EXPIRING, now);
		mine[action.n_offsets++] = offsets[k];
	}
	action.offsets = mine;
	queue_act(q, &action);
	free(mine);
	queue_job_settle(q, j, now);
}

void queue_give_up(struct queue *q, struct slice name, const size_t *offsets,
		   size_t n, int64_t now)
{
	for (size_t k = 0, i; k < n; k++) {
		struct queue_job *j = find_idle(q, name, offsets[k], &i);

		if (j != NULL)
			give_up_some(q, j, offsets + k, n - k, now);
	}
}

bool queue_is_left(const struct queue *q, struct slice name, size_t offset)
{
	size_t i;

	return find_left(q, name, offset, &i) != NULL;
}

bool queue_remove(struct queue *q, struct slice name, size_t offset,
		  int64_t now)
{
	size_t i;
	struct queue_job *j = find_left(q, name, offset, &i);

	if (j == NULL)
		return false;
	queue_rcpt_set(q, j, i, QUEUE_RCPT_DONE, now);
	queue_job_settle(q, j, now);
	queue_letter_check(q, j->message, now);
	return true;
}

bool queue_release(struct queue *q, struct slice name, size_t offset,
		   int64_t now)
{
	struct queue_letter *m = queue_letter_find(q, name);
	struct queue_job *j;
	size_t i;

	if (m == NULL || (j = queue_rcpt_find(m, offset, &i)) == NULL ||
	    j->rcpts[i].state != QUEUE_RCPT_HELD)
		return false;
	queue_rcpt_set(q, j, i, QUEUE_RCPT_OPEN, now);
	if (j->state != QUEUE_JOB_FED) {
		j->wake = 0; /* whoever releases it wants it to go */
		queue_job_settle(q, j, now);
	}
	return true;
}

/* ---- the queue ---------------------------------------------------------- */

struct queue *queue_new(const struct queue_config *config)
{
	struct queue *q = mem_zero(1, sizeof(*q));

	assert(config->max_agents > 0 && config->start_rate > 0);
	q->config = *config;
	q->chance = config->seed;
	q->start_timer.kind = QUEUE_TIMER_START;
	q->ring_agents =
	    mem_zero(config->n_clauses + 1, sizeof(*q->ring_agents));
	TAILQ_INIT(&q->pools);
	TAILQ_INIT(&q->old_pools);
	STAILQ_INIT(&q->tasks);
	LIST_INIT(&q->cursors);
	return q;
}

/* Those with work finish it and are stopped; the rest are stopped now. */
static void retire_agents(struct queue *q, int64_t now)
{
	for (struct queue_agent *a = q->agents; a != NULL; a = a->hh.next) {
		a->is_retired = true;
		if (a->n_lines == 0 && a->state != QUEUE_AGENT_ENDING) {
			if (a->thread != NULL) {
				a->thread->n_agents--;
				TAILQ_REMOVE(&a->thread->agents, a, link);
				queue_site_agents(q, a->thread->site, -1, now);
				a->thread = NULL;
			}
			queue_agent_stop(q, a, now);
		}
	}
}

void queue_reload(struct queue *q, const struct queue_config *config,
		  int64_t now)
{
	struct queue_pool *p, *next;

	retire_agents(q, now);
	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next)
		queue_thread_rest(q, t);
	for (p = TAILQ_FIRST(&q->pools); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		TAILQ_REMOVE(&q->pools, p, link);
		queue_timer_stop(q, &p->timer);
		if (p->n_agents == 0)
			free(p);
		else
			TAILQ_INSERT_TAIL(&q->old_pools, p, link);
	}
	q->config = *config;
	free(q->ring_agents);
	q->ring_agents =
	    mem_zero(config->n_clauses + 1, sizeof(*q->ring_agents));
	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next) {
		queue_thread_route(q, t);
		queue_thread_adapt(q, t, now);
		queue_thread_update(q, t, now);
	}
	for (struct queue_letter *m = q->letters; m != NULL; m = m->hh.next)
		for (struct queue_job *j = m->jobs; j != NULL; j = j->next)
			queue_job_rearm(q, j, now);
}

void queue_shut(struct queue *q, int64_t now)
{
	q->is_shut = true;
	for (struct queue_thread *t = q->threads; t != NULL; t = t->hh.next)
		queue_thread_rest(q, t);
	for (struct queue_agent *a = q->agents; a != NULL; a = a->hh.next)
		queue_agent_stop(q, a, now);
}

static void free_pools(struct queue *q)
{
	struct queue_pool *p, *next;

	for (p = TAILQ_FIRST(&q->pools); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		queue_timer_stop(q, &p->timer);
		free(p);
	}
}

void queue_free(struct queue *q)
{
	struct queue_channel *next;

	if (q == NULL)
		return;
	queue_act_free(q);
	while (q->agents != NULL)
		queue_agent_gone(q, q->agents->id, false, 0);
	while (q->letters != NULL)
		queue_forget(q, queue_letter_name(q->letters), 0);
	while (q->threads != NULL)
		queue_thread_free(q, q->threads, 0);
	free_pools(q);
	for (struct queue_channel *c = q->channels; c != NULL; c = next) {
		next = c->next;
		queue_timer_stop(q, &c->limit.timer);
		free((char *)(uintptr_t)c->name.p);
		free(c);
	}
	queue_act_free(q);
	queue_timer_stop(q, &q->start_timer);
	queue_why_drop(&q->last_why);
	heap_done(&q->timers);
	ages_done(&q->ages);
	free(q->ring_agents);
	free(q);
}

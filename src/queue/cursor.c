/*
 * cursor.c - to come to all that is there, piece by piece, while it changes.
 *
 * A cursor stands at the next thing, and knows the last one that was there
 * when it was made: what comes later lies behind that, so its way has an end.
 * Whoever frees a thing says so to every cursor first (queue_cursors_..._goes):
 * the cursor steps on, or its end moves back. There are few cursors.
 */
#include "queue/queue_internal.h"

#include <stdlib.h>

enum {
	RCPTS_AT_ONCE = 1000,  /* of a job, in one view */
	OLDEST_AT_ONCE = 4096, /* jobs looked at for the oldest */
};

enum way {
	WAY_ALL,	 /* the jobs of all messages */
	WAY_MESSAGE,	 /* of one */
	WAY_DESTINATION, /* of one thread */
	WAY_THREADS,
	WAY_AGENTS
};

struct queue_cursor {
	LIST_ENTRY(queue_cursor) link;
	struct queue *q;
	enum way way;
	struct queue_letter *letter, *last_letter;
	struct queue_job *job, *last_job;
	uint32_t rcpt; /* of the job */
	struct queue_thread *thread, *last_thread;
	int64_t oldest; /* of the thread's jobs before `job` */
	bool is_looking, is_disturbed;
	struct queue_agent *agent, *last_agent;
};

static struct queue_cursor *new_cursor(struct queue *q, enum way way)
{
	struct queue_cursor *c = mem_zero(1, sizeof(*c));

	c->q = q;
	c->way = way;
	LIST_INSERT_HEAD(&q->cursors, c, link);
	return c;
}

void queue_cursor_free(struct queue_cursor *c)
{
	if (c == NULL)
		return;
	LIST_REMOVE(c, link);
	free(c);
}

/* The last one of a hash's list, in the order in which they came. */
#define LAST(head)                                                           \
	((head) != NULL ? ELMT_FROM_HH((head)->hh.tbl, (head)->hh.tbl->tail) \
			: NULL)

/* ---- where it stands ---------------------------------------------------- */

/* Goes to the first job of the next message that has any. */
static void next_letter(struct queue_cursor *c)
{
	do {
		c->letter =
		    c->letter == c->last_letter ? NULL : c->letter->hh.next;
		c->job = c->letter != NULL ? c->letter->jobs : NULL;
	} while (c->letter != NULL && c->job == NULL);
	c->rcpt = 0;
}

static void next_job(struct queue_cursor *c)
{
	c->rcpt = 0;
	if (c->way == WAY_DESTINATION) {
		c->job = c->job == c->last_job ? NULL
					       : TAILQ_NEXT(c->job, of_thread);
		return;
	}
	c->job = c->job->next;
	if (c->job == NULL)
		next_letter(c);
}

/* The oldest job of the thread it stands at is to be looked for anew. */
static void begin_thread(struct queue_cursor *c)
{
	c->is_looking = c->is_disturbed = false;
	c->job = NULL;
}

static void next_thread(struct queue_cursor *c)
{
	c->thread = c->thread == c->last_thread ? NULL : c->thread->hh.next;
	begin_thread(c);
}

static void next_agent(struct queue_cursor *c)
{
	c->agent = c->agent == c->last_agent ? NULL : c->agent->hh.next;
}

/* ---- what goes ---------------------------------------------------------- */

void queue_cursors_letter_goes(struct queue *q, struct queue_letter *m)
{
	struct queue_cursor *c;

	LIST_FOREACH(c, &q->cursors, link)
	{
		if (c->letter == m)
			next_letter(c);
		if (c->last_letter == m)
			c->last_letter = m->hh.prev;
	}
}

void queue_cursors_job_goes(struct queue *q, struct queue_job *j)
{
	struct queue_cursor *c;

	LIST_FOREACH(c, &q->cursors, link)
	{
		if (c->way == WAY_DESTINATION) {
			if (c->job == j)
				next_job(c);
			if (c->last_job == j)
				c->last_job =
				    TAILQ_PREV(j, queue_jobs, of_thread);
		} else if (c->way == WAY_THREADS && c->thread == j->thread) {
			if (c->job == j)
				c->job = TAILQ_NEXT(j, of_thread);
			c->is_disturbed = true;
		}
	}
}

void queue_cursors_thread_goes(struct queue *q, struct queue_thread *t)
{
	struct queue_cursor *c;

	LIST_FOREACH(c, &q->cursors, link)
	{
		if (c->thread == t)
			next_thread(c);
		if (c->last_thread == t)
			c->last_thread = t->hh.prev;
	}
}

void queue_cursors_agent_goes(struct queue *q, struct queue_agent *a)
{
	struct queue_cursor *c;

	LIST_FOREACH(c, &q->cursors, link)
	{
		if (c->agent == a)
			next_agent(c);
		if (c->last_agent == a)
			c->last_agent = a->hh.prev;
	}
}

/* ---- beginning ---------------------------------------------------------- */

struct queue_cursor *queue_cursor_all(struct queue *q)
{
	struct queue_cursor *c = new_cursor(q, WAY_ALL);

	c->letter = q->letters;
	c->last_letter = LAST(q->letters);
	c->job = c->letter != NULL ? c->letter->jobs : NULL;
	if (c->letter != NULL && c->job == NULL)
		next_letter(c);
	return c;
}

struct queue_cursor *queue_cursor_message(struct queue *q, struct slice name)
{
	struct queue_letter *m = queue_letter_find(q, name);
	struct queue_cursor *c;

	if (m == NULL)
		return NULL;
	c = new_cursor(q, WAY_MESSAGE);
	c->letter = c->last_letter = m;
	c->job = m->jobs;
	return c;
}

struct queue_cursor *queue_cursor_destination(struct queue *q,
					      struct slice channel,
					      struct slice host)
{
	struct queue_thread *t = queue_thread_find(q, channel, host);
	struct queue_cursor *c;

	if (t == NULL || t->n_jobs == 0)
		return NULL;
	c = new_cursor(q, WAY_DESTINATION);
	c->job = TAILQ_FIRST(&t->jobs);
	c->last_job = TAILQ_LAST(&t->jobs, queue_jobs);
	return c;
}

struct queue_cursor *queue_cursor_threads(struct queue *q)
{
	struct queue_cursor *c = new_cursor(q, WAY_THREADS);

	c->thread = q->threads;
	c->last_thread = LAST(q->threads);
	return c;
}

struct queue_cursor *queue_cursor_agents(struct queue *q)
{
	struct queue_cursor *c = new_cursor(q, WAY_AGENTS);

	c->agent = q->agents;
	c->last_agent = LAST(q->agents);
	return c;
}

/* ---- jobs --------------------------------------------------------------- */

/* Who has the job; 0: nobody. */
static uint32_t agent_of(const struct queue_job *j)
{
	struct queue_agent *a;

	if (j->state != QUEUE_JOB_FED)
		return 0;
	TAILQ_FOREACH (a, &j->thread->agents, link)
		for (size_t i = 0; i < a->n_lines; i++)
			if (a->lines[(a->first + i) % a->cap] == j)
				return a->id;
	return 0;
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
		.agent = agent_of(j),
		.tries = j->tries,
		.arrived = j->message->arrived,
		.job = j,
	};

	if (j->state == QUEUE_JOB_WAITING)
		v.until = j->wake;
	else if (j->state == QUEUE_JOB_READY)
		v.until = t->until;
	return v;
}

bool queue_cursor_job(struct queue_cursor *c, struct queue_view *ret)
{
	struct queue_job *j = c->job;
	uint32_t left;

	if (j == NULL)
		return false;
	left = j->n_rcpts - c->rcpt;
	*ret = view_of(j);
	ret->first = c->rcpt;
	ret->n_rcpts = left < RCPTS_AT_ONCE ? left : RCPTS_AT_ONCE;
	c->rcpt += (uint32_t)ret->n_rcpts;
	if (c->rcpt == j->n_rcpts)
		next_job(c);
	return true;
}

size_t queue_view_rcpt(const struct queue_view *v, size_t i,
		       enum queue_rcpt_state *ret_state)
{
	const struct queue_place *r = &v->job->rcpts[v->first + i];

	*ret_state = (enum queue_rcpt_state)r->state;
	return r->offset;
}

bool queue_cursor_kick(struct queue_cursor *c, size_t n, int64_t now)
{
	for (; n > 0 && c->job != NULL; n--) {
		struct queue_job *j = c->job;

		next_job(c);
		queue_job_kick(c->q, j, now);
	}
	return c->job != NULL;
}

/* ---- threads ------------------------------------------------------------ */

/* Looks for the oldest, a piece at a time. False: there is more to look at. */
static bool find_oldest(struct queue_cursor *c)
{
	struct queue_thread *t = c->thread;

	if (!c->is_looking) {
		c->is_looking = true;
		c->oldest = t->oldest;
		if (t->oldest == INT64_MAX)
			c->job = TAILQ_FIRST(&t->jobs);
	}
	for (size_t n = 0; c->job != NULL && n < OLDEST_AT_ONCE; n++) {
		if (c->job->message->arrived < c->oldest)
			c->oldest = c->job->message->arrived;
		c->job = TAILQ_NEXT(c->job, of_thread);
	}
	if (c->job != NULL)
		return false;
	/* It may be one that has gone meanwhile. */
	if (!c->is_disturbed)
		t->oldest = c->oldest;
	return true;
}

enum queue_step queue_cursor_thread(struct queue_cursor *c,
				    struct queue_thread_view *ret)
{
	struct queue_thread *t = c->thread;
	const struct queue_clause *clause;

	if (t == NULL)
		return QUEUE_STEP_END;
	if (!find_oldest(c))
		return QUEUE_STEP_LATER;
	clause = queue_thread_clause(c->q, t);
	*ret = (struct queue_thread_view){
		.channel = t->channel->name,
		.host = queue_thread_host(t),
		.why = queue_why_text(t->why),
		.n_jobs = t->n_jobs,
		.n_ready = t->ready.n,
		.n_waiting = t->n_waiting,
		.n_fed = t->n_fed,
		.n_open = t->n_open,
		.n_held = t->n_held,
		.n_agents = t->n_agents,
		.is_suspended = t->is_suspended,
		.until = t->until,
		.oldest = t->n_jobs > 0 ? c->oldest : 0,
		.tries = t->tries,
	};
	if (t->site != NULL)
		ret->site = slice_make(t->site->key, t->site->key_len);
	if (clause != NULL)
		ret->window = retry_window_agents(&t->window, clause->maxthr);
	next_thread(c);
	return QUEUE_STEP_ROW;
}

/* ---- agents ------------------------------------------------------------- */

static enum queue_agent_doing doing_of(const struct queue_agent *a)
{
	switch ((enum queue_agent_state)a->state) {
	case QUEUE_AGENT_STARTING:
		return QUEUE_DOING_START;
	case QUEUE_AGENT_IDLE:
		return QUEUE_DOING_NOTHING;
	case QUEUE_AGENT_ENDING:
		return QUEUE_DOING_END;
	case QUEUE_AGENT_WORKING:
		break;
	}
	return QUEUE_DOING_WORK;
}

bool queue_cursor_agent(struct queue_cursor *c, struct queue_agent_view *ret)
{
	struct queue_agent *a = c->agent;
	struct queue_job *first;

	if (a == NULL)
		return false;
	*ret = (struct queue_agent_view){
		.agent = a->id,
		.channel = a->pool->channel->name,
		.doing = doing_of(a),
		.n_lines = a->n_lines,
		.since = a->since,
	};
	if (a->thread != NULL)
		ret->host = queue_thread_host(a->thread);
	first = a->n_lines > 0 ? a->lines[a->first] : NULL;
	if (first != NULL)
		ret->name = queue_letter_name(first->message);
	next_agent(c);
	return true;
}

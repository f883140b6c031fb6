/*
 * thread.c - threads: whether something may go to a destination now.
 *
 * queue_thread_update() is the one place that decides where a thread stands;
 * everything that could change the answer calls it. The limits that several
 * threads share (rates of a channel or site, agents of a site) keep those that
 * wait for them in a list and let them go one by one, so that a thousand
 * threads that wait for one thing cost nothing until it is there.
 */
#include "queue/queue_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct slice queue_thread_host(const struct queue_thread *t)
{
	return slice_make(t->key + t->key_len - t->host_len, t->host_len);
}

const struct queue_clause *queue_thread_clause(const struct queue *q,
					       const struct queue_thread *t)
{
	return t->pool != NULL ? &q->config.clauses[t->pool->clause] : NULL;
}

/* ---- finding ------------------------------------------------------------ */

static struct queue_channel *get_channel(struct queue *q, struct slice name)
{
	struct queue_channel *c = q->channels;

	while (c != NULL && !slice_eq(c->name, name))
		c = c->next;
	if (c != NULL)
		return c;
	c = mem_zero(1, sizeof(*c));
	c->name = slice_make(mem_alloc(name.len + 1), name.len);
	memcpy((char *)(uintptr_t)c->name.p, name.p, name.len);
	c->limit.timer.kind = QUEUE_TIMER_LIMIT;
	TAILQ_INIT(&c->limit.waiting);
	c->next = q->channels;
	q->channels = c;
	return c;
}

static struct queue_pool *get_pool(struct queue *q, size_t clause,
				   struct queue_channel *channel)
{
	struct queue_pool *p;

	TAILQ_FOREACH (p, &q->pools, link)
		if (p->clause == clause && p->channel == channel)
			return p;
	p = mem_zero(1, sizeof(*p));
	p->timer.kind = QUEUE_TIMER_POOL;
	p->clause = clause;
	p->channel = channel;
	TAILQ_INIT(&p->runnable[false]);
	TAILQ_INIT(&p->runnable[true]);
	TAILQ_INIT(&p->idle);
	TAILQ_INSERT_TAIL(&q->pools, p, link);
	return p;
}

void queue_thread_route(struct queue *q, struct queue_thread *t)
{
	int clause = q->config.find(q->config.context, t->channel->name,
				    queue_thread_host(t));

	if (t->pool == NULL)
		q->count.unrouted -= t->n_jobs;
	t->pool = NULL;
	if (clause != QUEUE_NO_CLAUSE)
		t->pool = get_pool(q, (size_t)clause, t->channel);
	if (t->pool == NULL)
		q->count.unrouted += t->n_jobs;
}

/* The key of the hash; given. */
static char *make_key(struct slice channel, struct slice host, size_t *ret_len)
{
	char *key = mem_alloc(channel.len + host.len + 2);

	if (channel.len > 0)
		memcpy(key, channel.p, channel.len);
	key[channel.len] = '\0';
	if (host.len > 0)
		memcpy(key + channel.len + 1, host.p, host.len);
	*ret_len = channel.len + 1 + host.len;
	return key;
}

struct queue_thread *queue_thread_find(const struct queue *q,
				       struct slice channel, struct slice host)
{
	struct queue_thread *t;
	size_t len;
	char *key = make_key(channel, host, &len);

	HASH_FIND(hh, q->threads, key, len, t);
	free(key);
	return t;
}

struct queue_thread *queue_thread_get(struct queue *q, struct slice channel,
				      struct slice host, int64_t now)
{
	struct queue_thread *t = queue_thread_find(q, channel, host);
	size_t len;
	char *key;

	(void)now;
	if (t != NULL)
		return t;
	key = make_key(channel, host, &len);
	t = mem_zero(1, sizeof(*t) + len);
	t->timer.kind = QUEUE_TIMER_THREAD;
	t->key_len = (uint16_t)len;
	t->host_len = (uint16_t)host.len;
	memcpy(t->key, key, len);
	free(key);
	TAILQ_INIT(&t->agents);
	TAILQ_INIT(&t->jobs);
	t->oldest = INT64_MAX;
	t->window = retry_window_new(WINDOW_THREAD);
	t->channel = get_channel(q, channel);
	queue_thread_route(q, t);
	HASH_ADD(hh, q->threads, key, len, t);
	return t;
}

void queue_thread_free(struct queue *q, struct queue_thread *t, int64_t now)
{
	queue_cursors_thread_goes(q, t);
	queue_thread_rest(q, t);
	queue_thread_set_site(q, t, SLICE(""), now);
	queue_thread_set_suspended(q, t, false);
	queue_timer_stop(q, &t->timer);
	queue_why_drop(&t->why);
	heap_done(&t->ready);
	HASH_DELETE(hh, q->threads, t);
	free(t);
}

/* ---- limits ------------------------------------------------------------- */

/* A place in the list is free: the first that waits may look again. */
static void let_one_go(struct queue *q, struct queue_threads *list, int64_t now)
{
	struct queue_thread *t = TAILQ_FIRST(list);

	if (t == NULL)
		return;
	queue_thread_rest(q, t);
	queue_thread_update(q, t, now);
}

static bool site_is_full(const struct queue *q, const struct queue_thread *t)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	return t->site != NULL &&
	       t->site->n_agents >=
		   retry_window_agents(&t->site->window, c->maxsite);
}

/*
 * One that was let go at the site has an agent now, or will not need one: if
 * there is still room the next may look.
 */
static void pass_on(struct queue *q, struct queue_site *s, int64_t now)
{
	struct queue_thread *t = s != NULL ? TAILQ_FIRST(&s->blocked) : NULL;

	if (t != NULL && !site_is_full(q, t))
		let_one_go(q, &s->blocked, now);
}

void queue_limit_timer(struct queue *q, struct queue_limit *l, int64_t now)
{
	struct queue_thread *t = TAILQ_FIRST(&l->waiting);

	if (t == NULL)
		return;
	let_one_go(q, &l->waiting, now);
	if (!TAILQ_EMPTY(&l->waiting))
		queue_timer_set(q, &l->timer, now + 1);
	if (t->place == QUEUE_THREAD_RESTING)
		queue_thread_feed(q, t, now);
}

/* Waits in the list of a limit until `at`. */
static void wait_for(struct queue *q, struct queue_thread *t,
		     struct queue_limit *l, int64_t at, int64_t now)
{
	queue_thread_rest(q, t);
	t->place = QUEUE_THREAD_LIMITED;
	t->limit = l;
	TAILQ_INSERT_TAIL(&l->waiting, t, link);
	queue_timer_set(q, &l->timer, at);
	pass_on(q, t->site, now);
}

bool queue_thread_may_feed(struct queue *q, struct queue_thread *t, int64_t now)
{
	const struct queue_clause *c = queue_thread_clause(q, t);
	int64_t at;

	at = retry_bucket_ready(&t->bucket, c->rate, now);
	if (at > now) {
		t->until = at;
		queue_thread_update(q, t, now);
		return false;
	}
	at =
	    retry_bucket_ready(&t->channel->limit.bucket, c->channel_rate, now);
	if (at > now) {
		wait_for(q, t, &t->channel->limit, at, now);
		return false;
	}
	if (t->site == NULL)
		return true;
	at = retry_bucket_ready(&t->site->limit.bucket, c->site_rate, now);
	if (at > now)
		wait_for(q, t, &t->site->limit, at, now);
	return at <= now;
}

void queue_thread_fed(struct queue *q, struct queue_thread *t, int64_t now)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	retry_bucket_take(&t->bucket, c->rate, now);
	retry_bucket_take(&t->channel->limit.bucket, c->channel_rate, now);
	if (t->site != NULL)
		retry_bucket_take(&t->site->limit.bucket, c->site_rate, now);
}

void queue_thread_adapt(struct queue *q, struct queue_thread *t, int64_t now)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	if (!t->is_suspended)
		t->until = 0; /* it waited for a rate */
	if (c == NULL)
		return;
	retry_bucket_adapt(&t->bucket, c->rate, now);
	retry_bucket_adapt(&t->channel->limit.bucket, c->channel_rate, now);
	if (t->site != NULL)
		retry_bucket_adapt(&t->site->limit.bucket, c->site_rate, now);
}

/* ---- sites -------------------------------------------------------------- */

static struct queue_site *get_site(struct queue *q, struct slice key)
{
	struct queue_site *s;

	HASH_FIND(hh, q->sites, key.p, key.len, s);
	if (s != NULL)
		return s;
	s = mem_zero(1, sizeof(*s) + key.len);
	s->key_len = (uint16_t)key.len;
	memcpy(s->key, key.p, key.len);
	s->limit.timer.kind = QUEUE_TIMER_LIMIT;
	TAILQ_INIT(&s->limit.waiting);
	TAILQ_INIT(&s->blocked);
	s->window = retry_window_new(WINDOW_SITE);
	HASH_ADD(hh, q->sites, key, key.len, s);
	return s;
}

void queue_site_agents(struct queue *q, struct queue_site *s, int change,
		       int64_t now)
{
	if (s == NULL)
		return;
	s->n_agents = (unsigned)((int)s->n_agents + change);
	if (change <= 0)
		pass_on(q, s, now);
}

void queue_thread_set_site(struct queue *q, struct queue_thread *t,
			   struct slice key, int64_t now)
{
	struct queue_site *old = t->site;

	key = slice_head(key, UINT16_MAX);
	if (old != NULL && slice_eq(slice_make(old->key, old->key_len), key))
		return;
	if (old != NULL) {
		queue_thread_rest(q, t);
		t->site = NULL;
		old->n_threads--;
		queue_site_agents(q, old, -(int)t->n_agents, now);
		if (old->n_threads == 0) {
			queue_timer_stop(q, &old->limit.timer);
			HASH_DELETE(hh, q->sites, old);
			free(old);
		}
	}
	if (key.len > 0) {
		t->site = get_site(q, key);
		t->site->n_threads++;
		queue_site_agents(q, t->site, (int)t->n_agents, now);
	}
	queue_thread_update(q, t, now);
}

/* ---- where a thread stands ---------------------------------------------- */

unsigned queue_thread_agents_max(const struct queue *q,
				 const struct queue_thread *t)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	if (c == NULL)
		return 0;
	return t->is_probing ? 1 : retry_window_agents(&t->window, c->maxthr);
}

void queue_thread_rest(struct queue *q, struct queue_thread *t)
{
	(void)q;
	switch ((enum queue_thread_place)t->place) {
	case QUEUE_THREAD_RUNNABLE:
		TAILQ_REMOVE(&t->pool->runnable[t->has_agents], t, link);
		break;
	case QUEUE_THREAD_LIMITED:
		TAILQ_REMOVE(&t->limit->waiting, t, link);
		t->limit = NULL;
		break;
	case QUEUE_THREAD_BLOCKED:
		TAILQ_REMOVE(&t->site->blocked, t, link);
		break;
	case QUEUE_THREAD_RESTING:
	case QUEUE_THREAD_PAUSED:
		break;
	}
	t->place = QUEUE_THREAD_RESTING;
}

/* Until when its agents will be done with all that waits; 0: they will not. */
static int64_t in_time_until(const struct queue *q,
			     const struct queue_thread *t, int64_t now)
{
	int64_t patience = q->config.patience * QUEUE_IN_TIME, left;

	if (patience == 0 || t->n_agents == 0 || t->pace == 0 ||
	    t->ready.n == 0)
		return 0;
	left = (int64_t)t->ready.n * t->pace / QUEUE_PACE_ONE / t->n_agents;
	/* They should not have fallen silent meanwhile. */
	return left < patience && t->answered + patience > now
		   ? t->answered + patience
		   : 0;
}

static enum queue_thread_place
place_of(const struct queue *q, const struct queue_thread *t, int64_t now)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	if (t->until > now)
		return QUEUE_THREAD_PAUSED;
	if (c == NULL || t->ready.n == 0 || q->is_shut ||
	    (c->is_queue_only && t->n_kicked == 0) ||
	    t->n_agents >= queue_thread_agents_max(q, t) ||
	    t->n_agents >= t->ready.n + t->n_fed ||
	    in_time_until(q, t, now) > 0 || (t->is_probing && t->n_fed > 0))
		return QUEUE_THREAD_RESTING;
	if (t->place == QUEUE_THREAD_LIMITED)
		return QUEUE_THREAD_LIMITED;
	if (site_is_full(q, t))
		return QUEUE_THREAD_BLOCKED;
	return QUEUE_THREAD_RUNNABLE;
}

void queue_thread_update(struct queue *q, struct queue_thread *t, int64_t now)
{
	enum queue_thread_place place = place_of(q, t, now);
	bool was_runnable = t->place == QUEUE_THREAD_RUNNABLE;
	bool has_agents = t->n_agents > 0;

	if (place != (enum queue_thread_place)t->place ||
	    (place == QUEUE_THREAD_RUNNABLE && t->has_agents != has_agents)) {
		queue_thread_rest(q, t);
		t->place = (uint8_t)place;
		t->since = now;
		t->has_agents = has_agents;
		if (place == QUEUE_THREAD_RUNNABLE)
			TAILQ_INSERT_TAIL(&t->pool->runnable[has_agents], t,
					  link);
		else if (place == QUEUE_THREAD_BLOCKED)
			TAILQ_INSERT_TAIL(&t->site->blocked, t, link);
	}
	if (place == QUEUE_THREAD_PAUSED)
		queue_timer_set(q, &t->timer, t->until);
	else if (t->n_jobs == 0 && t->n_agents == 0)
		queue_timer_set(q, &t->timer, now + QUEUE_LINGER);
	else if (in_time_until(q, t, now) > 0)
		queue_timer_set(q, &t->timer, in_time_until(q, t, now));
	else
		queue_timer_stop(q, &t->timer);
	if (was_runnable && place != QUEUE_THREAD_RUNNABLE)
		pass_on(q, t->site, now);
}

void queue_thread_set_suspended(struct queue *q, struct queue_thread *t,
				bool is_suspended)
{
	q->count.suspended -= t->is_suspended;
	t->is_suspended = is_suspended;
	q->count.suspended += t->is_suspended;
}

void queue_thread_timer(struct queue *q, struct queue_thread *t, int64_t now)
{
	bool was_paused = t->place == QUEUE_THREAD_PAUSED;

	if (!was_paused && t->n_jobs == 0 && t->n_agents == 0) {
		queue_thread_free(q, t, now);
		return;
	}
	t->until = 0;
	if (t->is_suspended) {
		queue_thread_set_suspended(q, t, false);
		t->is_probing = true;
	}
	queue_thread_update(q, t, now);
	queue_thread_feed(q, t, now);
}

static void tell_news(const struct queue *q, const struct queue_thread *t)
{
	if (q->config.news != NULL)
		q->config.news(
		    q->config.context,
		    &(struct queue_news){ .is_suspended = t->is_suspended,
					  .channel = t->channel->name,
					  .host = queue_thread_host(t),
					  .why = queue_why_text(t->why),
					  .tries = t->tries,
					  .until = t->until });
}

void queue_thread_suspend(struct queue *q, struct queue_thread *t,
			  int64_t retry, int64_t now)
{
	const struct queue_clause *c = queue_thread_clause(q, t);
	bool is_new = !t->is_suspended;

	t->failed_at = now;
	if (is_new) {
		queue_thread_set_suspended(q, t, true);
		t->is_probing = false;
		t->tries++;
		t->until = c != NULL ? retry_time(c, t->tries, now, &q->chance)
				     : now + QUEUE_LATER;
		retry_window_shrink(&t->window);
		if (t->site != NULL)
			retry_window_shrink(&t->site->window);
	}
	if (retry > t->until)
		t->until = retry;
	if (is_new)
		tell_news(q, t);
	queue_thread_update(q, t, now);
}

void queue_thread_alive(struct queue *q, struct queue_thread *t, int64_t now)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	if (t->is_suspended) {
		queue_thread_set_suspended(q, t, false);
		t->until = 0;
	}
	t->is_probing = false;
	if (t->tries > 0)
		tell_news(q, t);
	t->tries = 0;
	if (c != NULL) {
		retry_window_grow(&t->window, c->maxthr);
		if (t->site != NULL)
			retry_window_grow(&t->site->window, c->maxsite);
	}
	pass_on(q, t->site, now);
	queue_thread_update(q, t, now);
}

/*
 * worker.c - agents: who works for which thread, and what has been fed.
 *
 * An agent works for one thread as long as that has lines for it; then for
 * the next one of its pool, or it is idle. Between "fed" and "#hungry" a job
 * is in the agent's ring of lines, and nowhere else.
 */
#include "queue/queue_internal.h"

#include <assert.h>
#include <stdlib.h>

static struct queue_agent *find_agent(const struct queue *q, uint32_t id)
{
	struct queue_agent *a;

	HASH_FIND(hh, q->agents, &id, sizeof(id), a);
	return a;
}

static const struct queue_clause *pool_clause(const struct queue *q,
					      const struct queue_pool *p)
{
	return &q->config.clauses[p->clause];
}

/* ---- lines -------------------------------------------------------------- */

static void push_line(struct queue_agent *a, struct queue_job *j)
{
	if (a->n_lines == a->cap) {
		size_t cap = a->cap == 0 ? 4 : 2 * a->cap;
		struct queue_job **lines = mem_zero(cap, sizeof(*lines));

		for (size_t i = 0; i < a->n_lines; i++)
			lines[i] = a->lines[(a->first + i) % a->cap];
		free(a->lines);
		a->lines = lines;
		a->first = 0;
		a->cap = cap;
	}
	a->lines[(a->first + a->n_lines++) % a->cap] = j;
}

static struct queue_job *line(const struct queue_agent *a, size_t i)
{
	return a->lines[(a->first + i) % a->cap];
}

/* The job at work; NULL if its message has been forgotten meanwhile. */
static struct queue_job *pop_line(struct queue_agent *a)
{
	struct queue_job *j = line(a, 0);

	a->first = (a->first + 1) % a->cap;
	a->n_lines--;
	return j;
}

/* How many lines one agent may hold. */
static size_t lines_max(const struct queue *q, const struct queue_thread *t)
{
	const struct queue_clause *c = queue_thread_clause(q, t);
	unsigned agents = queue_thread_agents_max(q, t);
	size_t share, soon = 0;

	if (c == NULL || t->is_probing)
		return 1;
	/* So that one does not take what several could do at once. */
	share = (t->ready.n + t->n_fed) / (agents > 0 ? agents : 1) + 1;
	if (t->pace > 0)
		soon = (size_t)q->config.patience * QUEUE_PACE_ONE / t->pace;
	if (share < soon)
		share = soon;
	return share < (size_t)c->overfeed + 1 ? share
					       : (size_t)c->overfeed + 1;
}

static struct queue_job *first_ready(const struct queue_thread *t)
{
	char *place = (char *)heap_first(&t->ready);

	if (place == NULL)
		return NULL;
	return (struct queue_job *)(void *)(place -
					    offsetof(struct queue_job, ready));
}

/* Has its thread had its turn, while others of the pool have no agent? */
static bool is_turn_over(const struct queue_agent *a)
{
	return a->n_served >= QUEUE_TURN &&
	       !TAILQ_EMPTY(&a->pool->runnable[false]);
}

/* Does its clause want a command before anything goes? */
static bool waits_for_kick(const struct queue *q, const struct queue_thread *t)
{
	const struct queue_clause *c = queue_thread_clause(q, t);

	return c != NULL && c->is_queue_only && t->n_kicked == 0;
}

/* Gives an agent what its thread has for it. */
static void feed_agent(struct queue *q, struct queue_agent *a, int64_t now)
{
	struct queue_thread *t = a->thread;
	struct queue_job *j;

	while (t->until <= now && !is_turn_over(a) && !waits_for_kick(q, t) &&
	       a->n_lines < lines_max(q, t) && (j = first_ready(t)) != NULL &&
	       queue_thread_may_feed(q, t, now)) {
		queue_thread_fed(q, t, now);
		if (a->n_lines == 0)
			a->since = now;
		push_line(a, j);
		a->n_served++;
		j->was_told = false;
		queue_job_set(q, j, QUEUE_JOB_FED, now);
		queue_act(q, &(struct queue_action){
				 .kind = QUEUE_FEED,
				 .agent = a->id,
				 .clause = a->pool->clause,
				 .channel = t->channel->name,
				 .host = queue_thread_host(t),
				 .name = queue_letter_name(j->message) });
		queue_timer_set(q, &a->timer, now + QUEUE_SILENCE);
	}
}

/* A job took so long: the mean of the last ones moves by an eighth of it. */
static void keep_pace(struct queue_thread *t, int64_t ms)
{
	int64_t pace = ms * QUEUE_PACE_ONE, old = t->pace;

	if (old > 0)
		pace = old + (pace - old) / 8;
	t->pace = pace < 1	      ? 1
		  : pace > UINT32_MAX ? UINT32_MAX
				      : (uint32_t)pace;
}

/* ---- whom an agent works for -------------------------------------------- */

static void attach(struct queue *q, struct queue_agent *a,
		   struct queue_thread *t, int64_t now)
{
	a->thread = t;
	a->last_host = t->hh.hashv;
	a->n_served = 0;
	t->n_agents++;
	TAILQ_INSERT_TAIL(&t->agents, a, link);
	if (t->place == QUEUE_THREAD_RUNNABLE) { /* now it is others' turn */
		struct queue_threads *list = &t->pool->runnable[t->has_agents];

		TAILQ_REMOVE(list, t, link);
		TAILQ_INSERT_TAIL(list, t, link);
	}
	t->since = t->served = now;
	queue_site_agents(q, t->site, 1, now);
	queue_thread_update(q, t, now);
}

static void detach(struct queue *q, struct queue_agent *a, int64_t now)
{
	struct queue_thread *t = a->thread;

	if (t == NULL)
		return;
	a->thread = NULL;
	t->n_agents--;
	TAILQ_REMOVE(&t->agents, a, link);
	queue_site_agents(q, t->site, -1, now);
	queue_thread_update(q, t, now);
}

void queue_agent_stop(struct queue *q, struct queue_agent *a, int64_t now)
{
	if (a->state == QUEUE_AGENT_ENDING)
		return;
	if (a->state == QUEUE_AGENT_IDLE)
		TAILQ_REMOVE(&a->pool->idle, a, link);
	a->state = QUEUE_AGENT_ENDING;
	if (a->n_lines == 0)
		a->since = now;
	q->n_ending++;
	queue_timer_set(q, &a->timer, now + QUEUE_ENDING);
	queue_act(q, &(struct queue_action){ .kind = QUEUE_STOP,
					     .agent = a->id,
					     .clause = a->pool->clause });
}

/* Has another pool work and not one agent, and there can be no more? */
static bool is_wanted_elsewhere(const struct queue *q,
				const struct queue_pool *mine)
{
	struct queue_pool *p;

	if (q->n_agents < q->config.max_agents)
		return false;
	TAILQ_FOREACH (p, &q->pools, link)
		if (p != mine && p->n_agents == 0 &&
		    !TAILQ_EMPTY(&p->runnable[false]))
			return true;
	return false;
}

/* It has no lines: its thread has some, or it is idle. */
static void go_on(struct queue *q, struct queue_agent *a, int64_t now)
{
	const struct queue_clause *c;

	if (a->is_retired || q->is_shut) {
		detach(q, a, now);
		queue_agent_stop(q, a, now);
		return;
	}
	c = pool_clause(q, a->pool);
	if (a->thread != NULL)
		feed_agent(q, a, now);
	if (a->n_lines > 0)
		return;
	detach(q, a, now);
	if (is_wanted_elsewhere(q, a->pool)) {
		queue_agent_stop(q, a, now);
		return;
	}
	a->state = QUEUE_AGENT_IDLE;
	a->since = now;
	TAILQ_INSERT_TAIL(&a->pool->idle, a, link);
	queue_timer_set(q, &a->timer, now + (int64_t)c->idlemax * QUEUE_SECOND);
}

void queue_thread_feed(struct queue *q, struct queue_thread *t, int64_t now)
{
	struct queue_agent *a, *next;

	for (a = TAILQ_FIRST(&t->agents); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (t->ready.n == 0)
			break;
		if (a->state == QUEUE_AGENT_WORKING && !a->is_retired)
			feed_agent(q, a, now);
	}
}

/* ---- what agents say ---------------------------------------------------- */

/* What the file says of a message is to be learned. */
static void look_at(struct queue *q, const struct queue_letter *m)
{
	queue_act(q, &(struct queue_action){ .kind = QUEUE_LOOK,
					     .name = queue_letter_name(m) });
}

void queue_hungry(struct queue *q, uint32_t agent, int64_t now)
{
	struct queue_agent *a = find_agent(q, agent);
	struct queue_job *j;
	int64_t since;

	if (a == NULL)
		return;
	if (a->state == QUEUE_AGENT_STARTING) {
		a->was_ready = true;
		a->pool->failures = 0;
		a->state = QUEUE_AGENT_WORKING;
		go_on(q, a, now);
		return;
	}
	if (a->n_lines == 0)
		return; /* more answers than lines: nothing to count */
	j = pop_line(a);
	since = a->since;
	a->since = now;
	if (a->n_lines > 0 && a->state == QUEUE_AGENT_WORKING)
		queue_timer_set(q, &a->timer, now + QUEUE_SILENCE);
	if (j != NULL) {
		struct queue_thread *t = j->thread;
		struct queue_letter *m = j->message;

		keep_pace(t, now - since);
		t->answered = now;
		/* Perhaps the file says what the agent did not. */
		if (!j->was_told)
			look_at(q, m);
		if (!t->is_suspended)
			queue_thread_alive(q, t, now);
		queue_job_defer(q, j, now);
		queue_letter_check(q, m, now);
	}
	if (a->state != QUEUE_AGENT_WORKING)
		return;
	if (a->n_lines == 0)
		go_on(q, a, now);
	else if (!a->is_retired)
		feed_agent(q, a, now);
}

void queue_alive(struct queue *q, uint32_t agent, int64_t now)
{
	struct queue_agent *a = find_agent(q, agent);

	if (a != NULL && a->state == QUEUE_AGENT_WORKING && a->n_lines > 0)
		queue_timer_set(q, &a->timer, now + QUEUE_SILENCE);
}

void queue_resync(struct queue *q, uint32_t agent, struct slice name,
		  int64_t now)
{
	struct queue_letter *m = queue_letter_find(q, name);

	(void)now;
	if (m == NULL || find_agent(q, agent) == NULL)
		return;
	if (m->n_resyncs < UINT16_MAX)
		m->n_resyncs++;
	for (struct queue_job *j = m->jobs; j != NULL; j = j->next)
		j->was_told = true; /* one look is enough */
	queue_act(q, &(struct queue_action){ .kind = QUEUE_LOOK,
					     .agent = agent,
					     .name = queue_letter_name(m) });
}

/* The line of an agent that has a recipient of this id and offset. */
static struct queue_job *find_line(const struct queue_agent *a, uint64_t id,
				   uint64_t offset, size_t *ret_i)
{
	for (size_t i = 0; i < a->n_lines; i++) {
		struct queue_job *j = line(a, i);

		if (j != NULL && j->message->id == id &&
		    queue_job_has(j, offset, ret_i))
			return j;
	}
	return NULL;
}

bool queue_report_about(const struct queue *q, uint32_t agent, uint64_t id,
			uint64_t offset, struct queue_about *ret)
{
	struct queue_agent *a = find_agent(q, agent);
	struct queue_job *j;
	size_t i;

	if (a == NULL || (j = find_line(a, id, offset, &i)) == NULL ||
	    j->rcpts[i].state == QUEUE_RCPT_DONE)
		return false;
	*ret = (struct queue_about){ .name = queue_letter_name(j->message),
				     .channel = j->thread->channel->name,
				     .host = queue_thread_host(j->thread),
				     .arrived = j->message->arrived,
				     .tries = j->tries };
	return true;
}

bool queue_report(struct queue *q, uint32_t agent,
		  const struct queue_report *report, int64_t now)
{
	struct queue_agent *a = find_agent(q, agent);
	struct queue_job *j;
	size_t i;

	if (a == NULL ||
	    (j = find_line(a, report->id, report->offset, &i)) == NULL ||
	    j->rcpts[i].state == QUEUE_RCPT_DONE)
		return false;
	j->was_told = true;
	queue_why_set(q, &j->why, report->why);
	queue_timer_set(q, &a->timer,
			now + (a->state == QUEUE_AGENT_ENDING ? QUEUE_ENDING
							      : QUEUE_SILENCE));
	switch (report->outcome) {
	case QUEUE_DELIVERED:
		if (j->thread->is_suspended)
			queue_thread_alive(q, j->thread, now);
		/* fall through */
	case QUEUE_FAILED:
		queue_rcpt_set(q, j, i, QUEUE_RCPT_DONE, now);
		if (report->has_diagnostic)
			queue_letter_unreported(q, j->message, now);
		break;
	case QUEUE_HELD:
		queue_rcpt_set(q, j, i, QUEUE_RCPT_HELD, now);
		break;
	case QUEUE_DEFERRED:
		if (report->retry > j->before)
			j->before = report->retry;
		break;
	case QUEUE_DEFERRED_ALL:
		queue_why_set(q, &j->thread->why, report->why);
		queue_thread_suspend(q, j->thread, report->retry, now);
		break;
	}
	return true;
}

void queue_site(struct queue *q, uint32_t agent, struct slice key, int64_t now)
{
	struct queue_agent *a = find_agent(q, agent);

	if (a != NULL && a->thread != NULL)
		queue_thread_set_site(q, a->thread, key, now);
}

/* ---- how agents end ----------------------------------------------------- */

void queue_agent_free(struct queue *q, struct queue_agent *a)
{
	queue_cursors_agent_goes(q, a);
	queue_timer_stop(q, &a->timer);
	HASH_DELETE(hh, q->agents, a);
	free(a->lines);
	free(a);
}

/* Counts one agent less; an old pool goes with its last one. */
static void leave_pool(struct queue *q, struct queue_agent *a)
{
	struct queue_pool *p = a->pool;

	q->n_agents--;
	p->n_agents--;
	p->channel->n_agents--;
	if (!a->is_retired) {
		q->ring_agents[p->clause]--;
	} else if (p->n_agents == 0) {
		TAILQ_REMOVE(&q->old_pools, p, link);
		queue_timer_stop(q, &p->timer);
		free(p);
	}
}

static void back_off(struct queue *q, struct queue_agent *a, int64_t now)
{
	struct queue_pool *p = a->pool;
	int64_t wait = QUEUE_SECOND;

	if (!a->was_ready && p->failures < 16)
		p->failures++;
	for (unsigned i = 1; i < p->failures; i++)
		wait *= 2;
	p->not_before =
	    now + (wait < QUEUE_BACKOFF_MAX ? wait : QUEUE_BACKOFF_MAX);
	queue_timer_set(q, &p->timer, p->not_before);
}

void queue_agent_gone(struct queue *q, uint32_t agent, bool was_bad,
		      int64_t now)
{
	struct queue_agent *a = find_agent(q, agent);
	bool is_first = true;

	if (a == NULL)
		return;
	if (a->state == QUEUE_AGENT_IDLE)
		TAILQ_REMOVE(&a->pool->idle, a, link);
	q->n_ending -= a->state == QUEUE_AGENT_ENDING;
	a->state = QUEUE_AGENT_ENDING;
	if (!a->is_retired && (was_bad || !a->was_ready))
		back_off(q, a, now);
	detach(q, a, now);
	while (a->n_lines > 0) {
		struct queue_job *j = pop_line(a);

		if (j == NULL)
			continue;
		/* It may be locked by the dead, and done but not said so. */
		look_at(q, j->message);
		if (is_first) {
			queue_why_set(q, &j->why, SLICE("its agent ended"));
			queue_job_defer(q, j, now);
		} else {
			queue_job_settle(q, j, now);
		}
		is_first = false;
		queue_letter_check(q, j->message, now);
	}
	leave_pool(q, a);
	queue_agent_free(q, a);
}

void queue_agent_timer(struct queue *q, struct queue_agent *a, int64_t now)
{
	if (a->state == QUEUE_AGENT_IDLE) {
		queue_agent_stop(q, a, now);
		return;
	}
	/* Silent, or it does not end. Its lines come back when it is dead. */
	queue_timer_set(q, &a->timer, now + QUEUE_ENDING);
	queue_act(q, &(struct queue_action){ .kind = QUEUE_KILL,
					     .agent = a->id,
					     .clause = a->pool->clause });
}

/* ---- starting ----------------------------------------------------------- */

/* An idle agent that can work for the thread; if possible one that just did. */
static struct queue_agent *find_idle(const struct queue *q,
				     const struct queue_pool *p,
				     const struct queue_thread *t)
{
	bool is_bound = pool_clause(q, p)->is_host_bound;
	struct queue_agent *a;
	unsigned n = 0;

	TAILQ_FOREACH (a, &p->idle, link) {
		if (a->last_host == t->hh.hashv)
			return a;
		if (!is_bound && ++n == QUEUE_WARM_MAX)
			break;
	}
	return is_bound ? NULL : TAILQ_FIRST(&p->idle);
}

/* Makes room by stopping one that has nothing to do. */
static void stop_idle(struct queue *q, struct queue_pool *for_pool, int64_t now)
{
	struct queue_pool *p;
	bool is_total = q->n_agents >= q->config.max_agents;

	if (q->n_ending >= QUEUE_ENDING_MAX)
		return;
	TAILQ_FOREACH (p, &q->pools, link) {
		bool is_near = p->channel == for_pool->channel ||
			       p->clause == for_pool->clause;

		if ((is_total || is_near) && !TAILQ_EMPTY(&p->idle)) {
			queue_agent_stop(q, TAILQ_FIRST(&p->idle), now);
			return;
		}
	}
}

/* When the first thread of a pool may have one more agent. */
static int64_t patient_until(const struct queue *q, const struct queue_pool *p,
			     const struct queue_thread *t)
{
	int64_t at = t->since + q->config.patience;
	int64_t quiet = p->started + q->config.patience / 4;

	if (p->n_agents < QUEUE_AT_ONCE)
		return t->since;
	if (t->n_agents > 0 && t->pace == 0) /* how long does it take there? */
		at = t->since + q->config.patience * QUEUE_IN_TIME;
	return t->n_agents == 0 && quiet < at ? quiet : at;
}

/* Does no limit forbid one more? */
static bool has_room(const struct queue *q, const struct queue_pool *p)
{
	const struct queue_clause *c = pool_clause(q, p);

	return q->n_agents < q->config.max_agents &&
	       q->ring_agents[p->clause] < c->maxring &&
	       p->channel->n_agents < c->maxchannel;
}

/*
 * Is one more agent better than this idle one? That knows another host, and the
 * agent that knew the thread's was taken away from it a moment ago: there are
 * fewer agents than hosts with a steady flow of mail, and each of its messages
 * would need a new connection. Not many such starts in a short time.
 */
static bool is_better_new(const struct queue *q, const struct queue_pool *p,
			  const struct queue_agent *idle,
			  const struct queue_thread *t, int64_t now)
{
	return q->config.patience > 0 && idle->last_host != t->hh.hashv &&
	       t->served > 0 && t->served + QUEUE_WARM > now && has_room(q, p);
}

static bool may_start(struct queue *q, struct queue_pool *p,
		      const struct queue_thread *t, int64_t now)
{
	struct queue_rate rate = { q->config.start_rate, 1 };
	int64_t at;

	if (p->not_before > now)
		return false;
	at = patient_until(q, p, t);
	if (at > now) {
		queue_timer_set(q, &p->timer, at);
		return false;
	}
	if (!has_room(q, p)) {
		stop_idle(q, p, now);
		return false;
	}
	at = retry_bucket_ready(&q->starts, rate, now);
	if (at > now) {
		queue_timer_set(q, &q->start_timer, at);
		return false;
	}
	retry_bucket_take(&q->starts, rate, now);
	return true;
}

static void start_agent(struct queue *q, struct queue_pool *p,
			struct queue_thread *t, int64_t now)
{
	struct queue_agent *a = mem_zero(1, sizeof(*a));

	a->timer.kind = QUEUE_TIMER_AGENT;
	a->id = ++q->last_agent;
	a->pool = p;
	a->state = QUEUE_AGENT_STARTING;
	a->since = now;
	HASH_ADD(hh, q->agents, id, sizeof(a->id), a);
	q->n_agents++;
	q->ring_agents[p->clause]++;
	p->n_agents++;
	p->started = now;
	p->channel->n_agents++;
	/* Next time the others have the first choice. */
	TAILQ_REMOVE(&q->pools, p, link);
	TAILQ_INSERT_TAIL(&q->pools, p, link);
	attach(q, a, t, now);
	queue_timer_set(q, &a->timer, now + QUEUE_STARTING);
	queue_act(q, &(struct queue_action){ .kind = QUEUE_START,
					     .agent = a->id,
					     .clause = p->clause,
					     .channel = t->channel->name,
					     .host = queue_thread_host(t) });
}

/*
 * Gives the first thread of a pool an agent, of those that have some or of
 * those that have none. False: nothing can be done.
 */
static bool pump_one(struct queue *q, struct queue_pool *p, bool has_agents,
		     int64_t now)
{
	struct queue_thread *t = TAILQ_FIRST(&p->runnable[has_agents]);
	struct queue_agent *a;

	if (t == NULL || q->is_shut)
		return false;
	queue_thread_update(q, t, now);
	if (t->place != QUEUE_THREAD_RUNNABLE ||
	    !queue_thread_may_feed(q, t, now))
		return true; /* it waits elsewhere now */
	a = find_idle(q, p, t);
	if (a != NULL &&
	    !(is_better_new(q, p, a, t, now) && may_start(q, p, t, now))) {
		TAILQ_REMOVE(&p->idle, a, link);
		a->state = QUEUE_AGENT_WORKING;
		attach(q, a, t, now);
		go_on(q, a, now);
		return true;
	}
	if (a == NULL && !may_start(q, p, t, now))
		return false;
	start_agent(q, p, t, now);
	return true;
}

void queue_pump(struct queue *q, int64_t now)
{
	struct queue_pool *p, *next;

	/* Those that have nothing at all come first, for one each. */
	for (p = TAILQ_FIRST(&q->pools); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->n_agents == 0)
			(void)pump_one(q, p, false, now);
	}
	for (p = TAILQ_FIRST(&q->pools); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		while (pump_one(q, p, false, now) || pump_one(q, p, true, now))
			continue;
	}
}

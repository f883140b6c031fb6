/*
 * job.c - recipients, jobs and messages: their states, and what time does.
 *
 * A job's timer is set to the first of: its own wake-up, its expiry, a
 * deadline (RFC 2852), the next report of its delay. A job that is with an
 * agent has none: what is due is seen when it comes back.
 */
#include "queue/queue_internal.h"

#include <assert.h>
#include <stdlib.h>

struct slice queue_letter_name(const struct queue_letter *m)
{
	return slice_make(m->name, m->name_len);
}

const struct queue_clause *queue_job_clause(const struct queue *q,
					    const struct queue_job *j)
{
	return queue_thread_clause(q, j->thread);
}

size_t queue_job_count(const struct queue_job *j, unsigned state)
{
	size_t n = 0;

	for (uint32_t i = 0; i < j->n_rcpts; i++)
		n += j->rcpts[i].state == state;
	return n;
}

bool queue_job_has(const struct queue_job *j, uint64_t offset, size_t *ret_i)
{
	size_t low = 0, high = j->n_rcpts;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (j->rcpts[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_i = low;
	return low < j->n_rcpts && j->rcpts[low].offset == offset;
}

struct queue_job *queue_rcpt_find(const struct queue_letter *m, size_t offset,
				  size_t *ret_i)
{
	for (struct queue_job *j = m->jobs; j != NULL; j = j->next)
		if (queue_job_has(j, offset, ret_i))
			return j;
	return NULL;
}

/* ---- when something is due ---------------------------------------------- */

/* Was it tried, or was all that waits there? */
static bool was_tried(const struct queue_job *j)
{
	return j->tries > 0 || j->thread->failed_at >= j->message->arrived;
}

/*
 * When it fails without having been tried. After a time in which nothing could
 * be tried, since nobody ran, there must be one in which it can.
 */
static int64_t untried_until(const struct queue *q, const struct queue_job *j,
			     const struct queue_clause *c)
{
	int64_t more = (int64_t)c->expiry2 * QUEUE_SECOND, grace = more;
	int64_t at =
	    j->message->arrived + (int64_t)c->expiry * QUEUE_SECOND + more;

	if (grace > QUEUE_GRACE)
		grace = QUEUE_GRACE;
	return at < q->began + grace ? q->began + grace : at;
}

/* When it fails for its age; INT64_MAX: never. */
static int64_t expiry_of(const struct queue *q, const struct queue_job *j,
			 int64_t now)
{
	const struct queue_clause *c = queue_job_clause(q, j);
	int64_t tried, untried;

	if (c == NULL || c->expiry == 0 ||
	    queue_job_count(j, QUEUE_RCPT_OPEN) == 0)
		return INT64_MAX;
	tried = j->message->arrived + (int64_t)c->expiry * QUEUE_SECOND;
	untried = untried_until(q, j, c);
	/* What is not tried yet when its time is up is looked at again. */
	if (was_tried(j))
		return tried;
	if (tried > now)
		return tried;
	return untried < now + QUEUE_LATER ? untried : now + QUEUE_LATER;
}

/* The first deadline that is not seen to yet; INT64_MAX: none. */
static int64_t deadline_of(const struct queue_job *j)
{
	int64_t first = INT64_MAX;

	for (uint32_t i = 0; i < j->n_rcpts; i++) {
		const struct queue_place *r = &j->rcpts[i];

		if (r->state == QUEUE_RCPT_OPEN && r->deadline != 0 &&
		    (r->flags & (QUEUE_BY_RETURN | QUEUE_BY_NOTIFY)) != 0 &&
		    (int64_t)r->deadline * QUEUE_SECOND < first)
			first = (int64_t)r->deadline * QUEUE_SECOND;
	}
	return first;
}

/* When its sender is to hear of its delay next; INT64_MAX: never. */
static int64_t delay_of(const struct queue *q, const struct queue_job *j)
{
	const struct queue_clause *c = queue_job_clause(q, j);
	bool is_wanted = false;

	if (c == NULL || j->n_delays >= c->n_report_times)
		return INT64_MAX;
	for (uint32_t i = 0; i < j->n_rcpts && !is_wanted; i++)
		is_wanted = j->rcpts[i].state == QUEUE_RCPT_OPEN &&
			    (j->rcpts[i].flags & QUEUE_NOTIFY_DELAY) != 0;
	if (!is_wanted)
		return INT64_MAX;
	return j->message->arrived +
	       (int64_t)c->report_times[j->n_delays] * QUEUE_SECOND;
}

static int64_t first_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void queue_job_rearm(struct queue *q, struct queue_job *j, int64_t now)
{
	int64_t at = INT64_MAX;

	if (j->state == QUEUE_JOB_READY || j->state == QUEUE_JOB_WAITING)
		at = first_of(expiry_of(q, j, now),
			      first_of(deadline_of(j), delay_of(q, j)));
	if (j->state == QUEUE_JOB_WAITING)
		at = j->has_trouble ? j->wake : first_of(at, j->wake);
	if (at == INT64_MAX)
		queue_timer_stop(q, &j->timer);
	else
		queue_timer_set(q, &j->timer, at);
}

/* ---- states ------------------------------------------------------------- */

/* Counts the job's state, or no more: by is -1 or 1. */
static void count_state(struct queue *q, const struct queue_job *j, int by)
{
	struct queue_thread *t = j->thread;
	size_t n = (size_t)by;

	switch ((enum queue_job_state)j->state) {
	case QUEUE_JOB_READY:
		q->count.ready += n;
		if (j->is_kicked)
			t->n_kicked += n;
		break;
	case QUEUE_JOB_WAITING:
		q->count.waiting += n;
		t->n_waiting += n;
		break;
	case QUEUE_JOB_FED:
		q->count.fed += n;
		t->n_fed += n;
		break;
	case QUEUE_JOB_RESTING:
		break;
	}
}

static void count_rcpt(struct queue *q, const struct queue_job *j, size_t i,
		       int by)
{
	struct queue_thread *t = j->thread;
	size_t n = (size_t)by;

	switch ((enum queue_rcpt_state)j->rcpts[i].state) {
	case QUEUE_RCPT_OPEN:
	case QUEUE_RCPT_BUSY:
	case QUEUE_RCPT_EXPIRING:
		q->count.open += n;
		t->n_open += n;
		t->channel->n_open += n;
		break;
	case QUEUE_RCPT_HELD:
		q->count.held += n;
		t->n_held += n;
		t->channel->n_held += n;
		break;
	case QUEUE_RCPT_DONE:
		break;
	}
}

void queue_job_count_in(struct queue *q, const struct queue_job *j)
{
	q->count.jobs++;
	count_state(q, j, 1);
	for (uint32_t i = 0; i < j->n_rcpts; i++)
		count_rcpt(q, j, i, 1);
}

void queue_job_count_out(struct queue *q, const struct queue_job *j)
{
	q->count.jobs--;
	count_state(q, j, -1);
	for (uint32_t i = 0; i < j->n_rcpts; i++)
		count_rcpt(q, j, i, -1);
}

/* Where a job is to stand among those that are ready. */
static int64_t ready_key(struct queue *q, const struct queue_job *j)
{
	const struct queue_clause *c = queue_job_clause(q, j);
	int64_t key =
	    c != NULL && c->is_age_order ? j->message->arrived : q->sequence++;

	return j->is_kicked ? key - QUEUE_KICKED : key;
}

void queue_job_set(struct queue *q, struct queue_job *j,
		   enum queue_job_state state, int64_t now)
{
	struct queue_thread *t = j->thread;

	count_state(q, j, -1);
	if (state == QUEUE_JOB_FED ||
	    (state == QUEUE_JOB_RESTING && j->n_expiring == 0))
		j->is_kicked = false;
	j->state = (uint8_t)state;
	count_state(q, j, 1);
	if (state != QUEUE_JOB_READY)
		heap_drop(&t->ready, &j->ready);
	else if (j->ready == 0)
		heap_set(&t->ready, &j->ready, ready_key(q, j));
	queue_job_rearm(q, j, now);
	queue_thread_update(q, t, now);
	if (state == QUEUE_JOB_READY)
		queue_thread_feed(q, t, now);
}

void queue_rcpt_set(struct queue *q, struct queue_job *j, size_t i,
		    unsigned state, int64_t now)
{
	struct queue_place *r = &j->rcpts[i];

	(void)now;
	if (r->state == state)
		return;
	count_rcpt(q, j, i, -1);
	if (state == QUEUE_RCPT_DONE)
		j->message->n_left--;
	if (r->state == QUEUE_RCPT_DONE)
		j->message->n_left++;
	if (state == QUEUE_RCPT_EXPIRING)
		j->n_expiring++;
	if (r->state == QUEUE_RCPT_EXPIRING)
		j->n_expiring--;
	r->state = (uint8_t)state;
	count_rcpt(q, j, i, 1);
}

void queue_job_settle(struct queue *q, struct queue_job *j, int64_t now)
{
	size_t n_busy;

	/* What is just failing no agent may take: all of them are awaited. */
	if (j->n_expiring > 0) {
		queue_job_set(q, j, QUEUE_JOB_RESTING, now);
		return;
	}
	n_busy = queue_job_count(j, QUEUE_RCPT_BUSY);
	if (queue_job_count(j, QUEUE_RCPT_OPEN) + n_busy == 0) {
		queue_job_set(q, j, QUEUE_JOB_RESTING, now);
		return;
	}
	j->must_look = n_busy > 0;
	if (n_busy > 0) {
		j->wake = now + QUEUE_LOOK_AFTER;
		queue_job_set(q, j, QUEUE_JOB_WAITING, now);
	} else if (j->wake > now) {
		queue_job_set(q, j, QUEUE_JOB_WAITING, now);
	} else {
		queue_job_set(q, j, QUEUE_JOB_READY, now);
	}
}

void queue_job_defer(struct queue *q, struct queue_job *j, int64_t now)
{
	const struct queue_clause *c = queue_job_clause(q, j);

	if (j->tries < UINT16_MAX)
		j->tries++;
	j->wake = 0;
	if (!j->thread->is_suspended && c != NULL)
		j->wake = retry_time(c, j->tries, now, &q->chance);
	if (j->before > j->wake)
		j->wake = j->before;
	j->before = 0;
	if (j->message->n_resyncs > QUEUE_RESYNCS_MAX &&
	    j->wake < now + QUEUE_RESYNCS_WAIT)
		j->wake = now + QUEUE_RESYNCS_WAIT;
	queue_job_settle(q, j, now);
}

void queue_job_kick(struct queue *q, struct queue_job *j, int64_t now)
{
	struct queue_thread *t = j->thread;

	if (j->state == QUEUE_JOB_FED || j->must_look ||
	    (j->state == QUEUE_JOB_RESTING && j->n_expiring == 0))
		return;
	t->until = 0;
	if (t->is_suspended) {
		queue_thread_set_suspended(q, t, false);
		t->is_probing = true;
	}
	heap_drop(&t->ready, &j->ready); /* it has another place now */
	count_state(q, j, -1);
	j->is_kicked = true;
	count_state(q, j, 1);
	j->wake = now;
	queue_job_settle(q, j, now);
}

/* ---- what time does ----------------------------------------------------- */

/* The action of recipients of a job, those for which `flag` holds. */
struct batch {
	struct queue_action action;
	size_t *offsets;
};

static struct batch batch_begin(const struct queue_job *j,
				enum queue_action_kind kind)
{
	struct queue_thread *t = j->thread;
	const struct queue_why *why = j->why != NULL ? j->why : t->why;
	struct batch b = {
		.action = { .kind = kind,
			    .channel = t->channel->name,
			    .host = queue_thread_host(t),
			    .name = queue_letter_name(j->message),
			    .why = queue_why_text(why) },
		.offsets = mem_zero(j->n_rcpts, sizeof(size_t)),
	};

	return b;
}

static void batch_end(struct queue *q, struct batch *b)
{
	b->action.offsets = b->offsets;
	if (b->action.n_offsets > 0)
		queue_act(q, &b->action);
	free(b->offsets);
}

/* All that is open, or what is past its deadline, fails. */
static void expire(struct queue *q, struct queue_job *j,
		   enum queue_expiry expiry, int64_t now)
{
	struct batch b = batch_begin(j, QUEUE_EXPIRE);

	b.action.expiry = expiry;
	for (uint32_t i = 0; i < j->n_rcpts; i++) {
		struct queue_place *r = &j->rcpts[i];
		bool is_past = (r->flags & QUEUE_BY_RETURN) != 0 &&
			       r->deadline != 0 &&
			       (int64_t)r->deadline * QUEUE_SECOND <= now;

		if (r->state != QUEUE_RCPT_OPEN ||
		    (expiry == QUEUE_EXPIRED_DEADLINE && !is_past))
			continue;
		queue_rcpt_set(q, j, i, QUEUE_RCPT_EXPIRING, now);
		b.offsets[b.action.n_offsets++] = r->offset;
	}
	batch_end(q, &b);
}

/* Tells of recipients that are late: by DELIVERBY, or by their age. */
static void tell_delay(struct queue *q, struct queue_job *j, bool is_deadline,
		       int64_t now)
{
	struct batch b = batch_begin(j, QUEUE_DELAY);
	int64_t until = expiry_of(q, j, now);

	b.action.until = until == INT64_MAX ? 0 : until;
	b.action.delays = j->n_delays;
	b.action.is_deadline = is_deadline;
	for (uint32_t i = 0; i < j->n_rcpts; i++) {
		struct queue_place *r = &j->rcpts[i];

		if (r->state != QUEUE_RCPT_OPEN)
			continue;
		if (is_deadline) {
			if ((r->flags & QUEUE_BY_NOTIFY) == 0 ||
			    r->deadline == 0 ||
			    (int64_t)r->deadline * QUEUE_SECOND > now)
				continue;
			r->flags &= (uint8_t)~QUEUE_BY_NOTIFY;
		} else if ((r->flags & QUEUE_NOTIFY_DELAY) == 0) {
			continue;
		}
		b.offsets[b.action.n_offsets++] = r->offset;
	}
	batch_end(q, &b);
}

void queue_job_timer(struct queue *q, struct queue_job *j, int64_t now)
{
	enum queue_expiry expiry = QUEUE_EXPIRED_UNTRIED;
	const struct queue_clause *c = queue_job_clause(q, j);
	int64_t age = now - j->message->arrived;

	j->has_trouble = false;
	if (was_tried(j))
		expiry = QUEUE_EXPIRED_TRIED;
	if (c != NULL && c->expiry > 0 &&
	    age >= (int64_t)c->expiry * QUEUE_SECOND &&
	    (was_tried(j) || now >= untried_until(q, j, c)))
		expire(q, j, expiry, now);
	if (deadline_of(j) <= now) {
		expire(q, j, QUEUE_EXPIRED_DEADLINE, now);
		tell_delay(q, j, true, now);
	}
	if (delay_of(q, j) <= now) {
		while (delay_of(q, j) <= now)
			j->n_delays++;
		tell_delay(q, j, false, now);
	}
	if (j->must_look && j->state == QUEUE_JOB_WAITING && j->wake <= now) {
		/* The answer is queue_add(); should none come, again later. */
		j->wake = now + QUEUE_LOOK_AFTER;
		queue_act(q, &(struct queue_action){
				 .kind = QUEUE_LOOK,
				 .name = queue_letter_name(j->message) });
	}
	queue_job_settle(q, j, now);
}

/* ---- messages ----------------------------------------------------------- */

void queue_letter_check(struct queue *q, struct queue_letter *m, int64_t now)
{
	(void)now;
	if (m->n_left > 0 || m->is_finishing)
		return;
	m->is_finishing = true;
	queue_timer_stop(q, &m->timer);
	queue_act(q, &(struct queue_action){ .kind = QUEUE_FINISH,
					     .name = queue_letter_name(m) });
}

void queue_letter_unreported(struct queue *q, struct queue_letter *m,
			     int64_t now)
{
	if (m->has_unreported)
		return;
	m->has_unreported = true;
	queue_timer_set(q, &m->timer, now + q->config.report_delay);
}

void queue_letter_timer(struct queue *q, struct queue_letter *m, int64_t now)
{
	if (m->is_finishing) { /* it could not be done: once more */
		m->is_finishing = false;
		queue_letter_check(q, m, now);
	} else if (m->has_unreported) {
		queue_timer_set(q, &m->timer, now + QUEUE_LATER);
		queue_act(
		    q, &(struct queue_action){ .kind = QUEUE_REPORT,
					       .name = queue_letter_name(m) });
	}
}

void queue_reported(struct queue *q, struct slice name, bool is_done,
		    int64_t now)
{
	struct queue_letter *m = queue_letter_find(q, name);

	if (m == NULL)
		return;
	if (is_done && !m->is_finishing) {
		m->has_unreported = false;
		queue_timer_stop(q, &m->timer);
	} else {
		queue_timer_set(q, &m->timer, now + QUEUE_LATER);
	}
}

void queue_settle(struct queue *q, struct slice name, size_t offset,
		  bool is_done, int64_t now)
{
	struct queue_letter *m = queue_letter_find(q, name);
	struct queue_job *j;
	size_t i;

	if (m == NULL || (j = queue_rcpt_find(m, offset, &i)) == NULL ||
	    j->rcpts[i].state != QUEUE_RCPT_EXPIRING)
		return;
	queue_rcpt_set(q, j, i, is_done ? QUEUE_RCPT_DONE : QUEUE_RCPT_OPEN,
		       now);
	if (is_done) {
		queue_letter_unreported(q, m, now);
		queue_letter_check(q, m, now);
	} else {
		j->wake = now + QUEUE_LATER;
		j->has_trouble = true;
	}
	if (j->state != QUEUE_JOB_FED)
		queue_job_settle(q, j, now);
}

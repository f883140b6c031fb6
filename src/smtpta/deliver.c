/*
 * deliver.c - batches into the engine, its events into settled recipients.
 *
 * A batch whose connection is lost before its end was sent goes once more
 * over a new connection, at once.
 */
#include "smtpta/deliver.h"

#include "smtpta/envelope.h"

#include <string.h>

enum {
	TRIES_MAX = 2,
	RCPT_MAX = 100,
	RCPT_LIMIT_LEAST = 10,
	RCPT_LIMIT_MOST = 100000
};

int deliver_fill(struct smtp_transaction *t, bool needs_dots, struct str *sink,
		 struct err *err)
{
	struct batch *b = t->owner;
	struct flight *f = b->flight;

	if (!b->has_content_begun) {
		const struct ctl_rcpt *first = f->job.rcpts[b->rcpts[0]].ctl;

		content_begin(&b->content, first->header->text, &f->body,
			      needs_dots);
		b->has_content_begun = true;
	}
	return content_fill(&b->content, sink, err);
}

/* ---- settling ---------------------------------------------------------- */

static void log_diag(const struct deliver *x, const struct agent_job *job,
		     size_t rcpt, const struct diag *d)
{
	const struct ctl_address *to = &job->rcpts[rcpt].ctl->address;

	sesslog_printf(
	    x->log,
	    "DIAG: C='%.*s' H='%.*s' U='%.*s' P='%.*s' ID=%llu/%zu -- "
	    "reason='%s' status='%.*s' WTT='%.*s' MSG='%.*s'",
	    SLICE_ARG(to->channel), SLICE_ARG(to->host), SLICE_ARG(to->user),
	    SLICE_ARG(to->privilege), (unsigned long long)job->name.id,
	    job->rcpts[rcpt].ctl->offset, d->reason, SLICE_ARG(d->status),
	    SLICE_ARG(d->remote_mta), SLICE_ARG(d->text));
}

/* The diag with the host it speaks of; lives in the job's arena. */
static const struct diag *with_host(const struct deliver *x,
				    struct agent_job *job, const struct diag *d)
{
	struct diag *copy;

	if (d->remote_mta.len > 0)
		return d;
	copy = ARENA_NEW(job->arena, struct diag);
	*copy = *d;
	copy->remote_mta =
	    arena_dup(job->arena, session_remote_mta(x->session));
	return copy;
}

static void add_outcome(const struct deliver *x, struct batch *b, size_t rcpt,
			const struct diag *d)
{
	struct agent_job *job = &b->flight->job;

	d = with_host(x, job, d);
	b->outcomes[b->n_outcomes++] =
	    (struct agent_outcome){ .rcpt = rcpt, .diag = d };
	log_diag(x, job, rcpt, d);
}

static void settle_batch(const struct deliver *x, struct batch *b)
{
	agent_job_settle(x->agent, &b->flight->job, b->outcomes, b->n_outcomes);
	b->n_outcomes = 0;
}

static bool has_outcome(const struct batch *b, size_t rcpt)
{
	for (size_t i = 0; i < b->n_outcomes; i++)
		if (b->outcomes[i].rcpt == rcpt)
			return true;
	for (size_t i = 0; i < b->n_leftover; i++)
		if (b->leftover[i] == rcpt)
			return true;
	return false;
}

/* Settles a batch: those without an outcome get d (NULL: there are none). */
static void end_batch(struct deliver *x, struct batch *b, const struct diag *d)
{
	for (size_t i = 0; d != NULL && i < b->t.n_rcpts; i++)
		if (!has_outcome(b, b->rcpts[i]))
			add_outcome(x, b, b->rcpts[i], d);
	settle_batch(x, b);
	if (b->n_leftover > 0)
		flight_add_batch(b->flight, b->leftover, b->n_leftover);
	if (b->n_leftover > 0 && b->n_leftover < b->t.n_rcpts)
		x->rcpt_limit = b->t.n_rcpts - b->n_leftover;
	flight_end_batch(b);
}

void deliver_unreachable(struct deliver *x, struct flight *f,
			 const struct diag *why, bool is_first)
{
	struct agent_job *job = &f->job;
	struct agent_outcome *outcomes =
	    arena_array(job->arena, job->n_rcpts, sizeof(*outcomes));
	struct diag other = *why;
	struct batch *b;
	size_t n = 0;

	if (other.fate == FATE_DEFERRED_ALL)
		other.fate = FATE_DEFERRED;
	for (size_t i = 0; i < job->n_rcpts; i++) {
		const struct diag *d = is_first && n == 0 ? why : &other;

		if (job->rcpts[i].is_settled)
			continue;
		log_diag(x, job, i, d);
		outcomes[n++] = (struct agent_outcome){ .rcpt = i, .diag = d };
	}
	agent_job_settle(x->agent, job, outcomes, n);
	TAILQ_FOREACH (b, &f->batches, link)
		if (b->state != BATCH_OVER)
			flight_end_batch(b);
	f->state = FLIGHT_OVER;
}

/* ---- adding ------------------------------------------------------------ */

static const struct diag *too_large(struct deliver *x, struct batch *b,
				    uint64_t size)
{
	const struct caps *caps = smtp_caps(session_engine(x->session));
	struct arena *a = b->t.arena;
	struct diag *d;

	if (!caps->size || caps->size_limit == 0 || size <= caps->size_limit)
		return NULL;
	d = ARENA_NEW(a, struct diag);
	d->fate = FATE_FAILED;
	d->reason = "too-large";
	d->status =
	    SLICE("5.3.4 (Message size exceeds limit given by remote system)");
	d->diagnostic = arena_printf(
	    a,
	    "smtp; 552 (Current message size %llu exceeds limit given by the "
	    "remote system: %llu)",
	    (unsigned long long)size, (unsigned long long)caps->size_limit);
	d->text = arena_printf(a, "\r\r%.*s",
			       SLICE_ARG(slice_from(d->diagnostic, 6)));
	return d;
}

static const struct diag *unreadable(struct deliver *x, struct batch *b)
{
	const struct caps *caps = smtp_caps(session_engine(x->session));
	struct diag *d;
	struct err err;

	if (body_prepare(&b->flight->body, caps->eightbitmime, &err) == 0)
		return NULL;
	d = ARENA_NEW(b->t.arena, struct diag);
	d->fate = FATE_DEFERRED;
	d->reason = "message-unreadable";
	d->status = SLICE("4.3.0 (message file cannot be read)");
	d->diagnostic = SLICE("x-local; 400 (message file cannot be read)");
	d->text = arena_printf(b->t.arena, "%s", err.text);
	return d;
}

/* Forgets the recipients that have their result. */
static void keep_open_ones(struct batch *b)
{
	const struct agent_rcpt *rcpts = b->flight->job.rcpts;
	size_t kept = 0;

	for (size_t i = 0; i < b->t.n_rcpts; i++)
		if (!rcpts[b->rcpts[i]].is_settled &&
		    !has_outcome(b, b->rcpts[i]))
			b->rcpts[kept++] = b->rcpts[i];
	b->t.n_rcpts = kept;
}

/* Room for the results of this try, in the job's arena. */
static void make_room(struct batch *b)
{
	struct arena *a = b->t.arena;
	size_t *leftover =
	    arena_array(a, b->t.n_rcpts + b->n_leftover, sizeof(*leftover));

	if (b->n_leftover > 0)
		memcpy(leftover, b->leftover,
		       b->n_leftover * sizeof(*leftover));
	b->leftover = leftover;
	b->outcomes = arena_array(a, b->t.n_rcpts, sizeof(*b->outcomes));
}

static void build_transaction(struct batch *b, uint64_t size)
{
	struct agent_job *job = &b->flight->job;
	const struct ctl_rcpt *first = job->rcpts[b->rcpts[0]].ctl;

	b->t.size = size;
	b->t.progress = NULL;
	b->t.is_8bit =
	    b->flight->body.is_8bit || slice_has_8bit(first->header->text);
	envelope_mail(&job->ctl, first->sender, &b->t);
	b->t.rcpts = arena_array(job->arena, b->t.n_rcpts, sizeof(*b->t.rcpts));
	for (size_t i = 0; i < b->t.n_rcpts; i++)
		b->t.rcpts[i] =
		    envelope_rcpt(job->rcpts[b->rcpts[i]].ctl, job->arena);
	content_done(&b->content);
	b->has_content_begun = false;
}

/* Recipients that may go in one transaction with this server. */
static size_t rcpt_limit(const struct deliver *x)
{
	const struct caps *caps = smtp_caps(session_engine(x->session));
	uint64_t limit = RCPT_MAX;

	if (caps->rcpt_limit != 0)
		limit = caps->rcpt_limit < RCPT_LIMIT_LEAST ? RCPT_LIMIT_LEAST
							    : caps->rcpt_limit;
	if (caps->rcptmax != 0 && caps->rcptmax < limit)
		limit = caps->rcptmax; /* RFC 9422 4.2 */
	if (limit > RCPT_LIMIT_MOST)
		limit = RCPT_LIMIT_MOST;
	if (x->rcpt_limit != 0 && x->rcpt_limit < limit)
		limit = x->rcpt_limit;
	return (size_t)limit;
}

static void add_batch(struct deliver *x, struct batch *b)
{
	const struct agent_job *job = &b->flight->job;
	uint64_t size = ctl_size_estimate(&job->ctl, job->message.size);
	const struct diag *why;
	size_t limit = rcpt_limit(x);

	if (b->t.n_rcpts > limit)
		flight_split_batch(b, limit);
	make_room(b);
	why = too_large(x, b, size);
	if (why == NULL)
		why = unreadable(x, b);
	if (why != NULL) {
		end_batch(x, b, why);
		return;
	}
	build_transaction(b, size);
	b->state = BATCH_SENT;
	smtp_add(session_engine(x->session), &b->t);
}

void deliver_add(struct deliver *x, struct flight *f)
{
	struct batch *b;

	TAILQ_FOREACH (b, &f->batches, link)
		if (b->state == BATCH_WAITING)
			add_batch(x, b);
}

/* ---- events ------------------------------------------------------------- */

static void on_rcpt(struct deliver *x, const struct smtp_event *ev)
{
	struct batch *b = ev->transaction->owner;
	size_t rcpt = b->rcpts[ev->rcpt];

	if (strcmp(ev->diag->reason, "rcpt-limit") == 0)
		b->leftover[b->n_leftover++] = rcpt;
	else
		add_outcome(x, b, rcpt, ev->diag);
	if (strcmp(ev->diag->reason, "outcome-unknown") == 0 ||
	    strcmp(ev->diag->reason, "mail-out-of-sequence") == 0)
		x->peer->no_window = true;
}

/*
 * Does a try count that ended without a result? One that was not even begun
 * does not, unless the connection was of no use to anybody.
 */
static bool counts(const struct deliver *x, const struct smtp_event *ev)
{
	const char *reason = ev->diag->reason;

	if (strcmp(reason, "chunking-refused") == 0 ||
	    strcmp(reason, "connection-given-up") == 0)
		return false;
	return ev->was_begun || x->n_ended == 0;
}

static bool is_hopeless(const char *reason)
{
	return agent_is_interrupted() ||
	       strcmp(reason, "message-unreadable") == 0;
}

static void on_returned(struct deliver *x, const struct smtp_event *ev)
{
	struct batch *b = ev->transaction->owner;
	const char *reason = ev->diag->reason;

	if (strcmp(reason, "chunking-refused") == 0)
		x->peer->no_chunking = true;
	if (counts(x, ev))
		b->tries++;
	settle_batch(x, b);
	keep_open_ones(b);
	if (b->t.n_rcpts == 0 || b->tries >= TRIES_MAX || is_hopeless(reason))
		end_batch(x, b, ev->diag);
	else
		b->state = BATCH_WAITING;
}

void deliver_take_events(struct deliver *x)
{
	struct smtp_event ev;
	bool is_closed = false;

	while (smtp_event(session_engine(x->session), &ev)) {
		switch (ev.kind) {
		case SMTP_EVENT_RCPT:
			on_rcpt(x, &ev);
			break;
		case SMTP_EVENT_DONE:
			x->n_ended++;
			end_batch(x, ev.transaction->owner, NULL);
			break;
		case SMTP_EVENT_RETURNED:
			on_returned(x, &ev);
			break;
		case SMTP_EVENT_CLOSED:
			is_closed = true;
			break;
		case SMTP_EVENT_READY:
		case SMTP_EVENT_FAILED:
			break;
		}
	}
	if (!is_closed)
		return;
	if (session_is_chunking_suspect(x->session))
		x->peer->no_chunking = true;
	session_abandon(x->session, "connection lost");
}

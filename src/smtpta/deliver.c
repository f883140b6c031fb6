/*
 * deliver.c - the engine's events into settled recipients.
 *
 * A batch whose connection is lost before its end was sent goes once more
 * over a new connection, at once.
 */
#include "smtpta/deliver.h"

#include "smtpta/deliver_internal.h"

#include <string.h>

enum { TRIES_MAX = 2 };

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

void deliver_outcome(const struct deliver *x, struct batch *b, size_t rcpt,
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

bool deliver_has_outcome(const struct batch *b, size_t rcpt)
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
void deliver_end_batch(struct deliver *x, struct batch *b, const struct diag *d)
{
	for (size_t i = 0; d != NULL && i < b->t.n_rcpts; i++)
		if (!deliver_has_outcome(b, b->rcpts[i]))
			deliver_outcome(x, b, b->rcpts[i], d);
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

void deliver_unsuited(struct deliver *x, struct batch *b,
		      const struct diag *why)
{
	deliver_end_batch(x, b, why);
}

/* ---- events ------------------------------------------------------------- */

/* Forgets the recipients that have their result. */
static void keep_open_ones(struct batch *b)
{
	const struct agent_rcpt *rcpts = b->flight->job.rcpts;
	size_t kept = 0;

	for (size_t i = 0; i < b->t.n_rcpts; i++)
		if (!rcpts[b->rcpts[i]].is_settled &&
		    !deliver_has_outcome(b, b->rcpts[i]))
			b->rcpts[kept++] = b->rcpts[i];
	b->t.n_rcpts = kept;
}

static void on_rcpt(struct deliver *x, const struct smtp_event *ev)
{
	struct batch *b = ev->transaction->owner;
	size_t rcpt = b->rcpts[ev->rcpt];

	if (strcmp(ev->diag->reason, "rcpt-limit") == 0)
		b->leftover[b->n_leftover++] = rcpt;
	else
		deliver_outcome(x, b, rcpt, ev->diag);
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
		deliver_end_batch(x, b, ev->diag);
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
			deliver_end_batch(x, ev.transaction->owner, NULL);
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

/*
 * deliver.c - one job's recipients over a session.
 *
 * A batch is at most RCPT_MAX recipients of one delivery group: one
 * transaction. A batch whose connection is lost before its end was sent goes
 * once more over a new connection, at once.
 */
#include "smtpta/deliver.h"

#include "smtpta/content.h"
#include "smtpta/envelope.h"

#include <string.h>

enum { RCPT_MAX = 100, RCPT_LIMIT_LEAST = 10, RCPT_LIMIT_MOST = 100000 };

/* One transaction on its way. */
struct batch {
	const struct deliver *x;
	struct agent_job *job;
	struct body *body;
	struct content content;
	struct smtp_transaction t;
	size_t *rcpts; /* of t, as indices into the job's */
	struct agent_outcome *outcomes;
	size_t n_outcomes;
	const struct diag *returned; /* it came back; why */
	bool is_over, is_closed;
};

int deliver_fill(struct smtp_transaction *t, struct str *sink, struct err *err)
{
	struct batch *b = t->owner;

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

static void add_outcome(struct batch *b, size_t rcpt, const struct diag *d)
{
	d = with_host(b->x, b->job, d);
	b->outcomes[b->n_outcomes++] =
	    (struct agent_outcome){ .rcpt = rcpt, .diag = d };
	log_diag(b->x, b->job, rcpt, d);
}

static void settle_batch(struct batch *b)
{
	agent_job_settle(b->x->agent, b->job, b->outcomes, b->n_outcomes);
	b->n_outcomes = 0;
}

void deliver_unreachable(const struct deliver *x, struct agent_job *job,
			 const struct diag *why, bool is_first_job)
{
	struct agent_outcome *outcomes =
	    arena_array(job->arena, job->n_rcpts, sizeof(*outcomes));
	struct diag other = *why;
	size_t n = 0;

	if (other.fate == FATE_DEFERRED_ALL)
		other.fate = FATE_DEFERRED;
	for (size_t i = 0; i < job->n_rcpts; i++) {
		const struct diag *d = is_first_job && n == 0 ? why : &other;

		if (job->rcpts[i].is_settled)
			continue;
		log_diag(x, job, i, d);
		outcomes[n++] = (struct agent_outcome){ .rcpt = i, .diag = d };
	}
	agent_job_settle(x->agent, job, outcomes, n);
}

/* ---- one transaction ---------------------------------------------------- */

static void on_event(struct batch *b, const struct smtp_event *event)
{
	switch (event->kind) {
	case SMTP_EVENT_RCPT:
		add_outcome(b, b->rcpts[event->rcpt], event->diag);
		break;
	case SMTP_EVENT_DONE:
		b->is_over = true;
		break;
	case SMTP_EVENT_RETURNED:
		b->returned = event->diag;
		b->is_over = true;
		break;
	case SMTP_EVENT_CLOSED:
		b->is_closed = true;
		break;
	case SMTP_EVENT_READY:
	case SMTP_EVENT_FAILED:
		break;
	}
}

static void run_transaction(struct batch *b)
{
	struct session *s = b->x->session;
	struct smtp_event event;

	smtp_add(session_engine(s), &b->t);
	while (!b->is_over) {
		session_step(s);
		while (smtp_event(session_engine(s), &event))
			on_event(b, &event);
	}
	if (b->is_closed)
		session_abandon(s, "connection lost");
}

static bool has_outcome(const struct batch *b, size_t rcpt)
{
	for (size_t i = 0; i < b->n_outcomes; i++)
		if (b->outcomes[i].rcpt == rcpt)
			return true;
	return false;
}

/* Forgets the recipients that have an outcome. */
static void keep_open_ones(struct batch *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->t.n_rcpts; i++)
		if (!has_outcome(b, b->rcpts[i]))
			b->rcpts[kept++] = b->rcpts[i];
	b->t.n_rcpts = kept;
}

static void give_all(struct batch *b, const struct diag *d)
{
	for (size_t i = 0; i < b->t.n_rcpts; i++)
		add_outcome(b, b->rcpts[i], d);
}

/* RFC 1870 6.1: a message over the stated limit is not offered at all. */
static bool is_too_large(struct batch *b, uint64_t size)
{
	const struct caps *caps = smtp_caps(session_engine(b->x->session));
	struct arena *a = b->job->arena;
	struct diag *d;

	if (!caps->size || caps->size_limit == 0 || size <= caps->size_limit)
		return false;
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
	give_all(b, d);
	return true;
}

static bool is_unreadable(struct batch *b)
{
	const struct caps *caps = smtp_caps(session_engine(b->x->session));
	struct diag *d;
	struct err err;

	if (body_prepare(b->body, caps->eightbitmime, &err) == 0)
		return false;
	d = ARENA_NEW(b->job->arena, struct diag);
	d->fate = FATE_DEFERRED;
	d->reason = "message-unreadable";
	d->status = SLICE("4.3.0 (message file cannot be read)");
	d->diagnostic = SLICE("x-local; 400 (message file cannot be read)");
	d->text = arena_printf(b->job->arena, "%s", err.text);
	give_all(b, d);
	return true;
}

static void build_transaction(struct batch *b, uint64_t size)
{
	struct agent_job *job = b->job;
	const struct ctl_rcpt *first = job->rcpts[b->rcpts[0]].ctl;

	b->t.arena = job->arena;
	b->t.owner = b;
	b->t.size = size;
	b->t.progress = NULL;
	b->t.is_8bit = b->body->is_8bit || slice_has_8bit(first->header->text);
	envelope_mail(&job->ctl, first->sender, &b->t);
	b->t.rcpts = arena_array(job->arena, b->t.n_rcpts, sizeof(*b->t.rcpts));
	for (size_t i = 0; i < b->t.n_rcpts; i++)
		b->t.rcpts[i] =
		    envelope_rcpt(job->rcpts[b->rcpts[i]].ctl, job->arena);
}

/* One try; true if the batch is finished, whatever came of it. */
static bool try_batch(struct batch *b, bool is_last_try)
{
	const struct ctl_header *header =
	    b->job->rcpts[b->rcpts[0]].ctl->header;
	uint64_t size = ctl_size_estimate(&b->job->ctl, b->job->message.size);

	if (is_too_large(b, size) || is_unreadable(b))
		return true;
	build_transaction(b, size);
	b->is_over = b->is_closed = false;
	b->returned = NULL;
	content_begin(&b->content, header->text, b->body);
	run_transaction(b);
	content_done(&b->content);
	if (b->returned == NULL)
		return true;
	keep_open_ones(b);
	if (!is_last_try && !agent_is_interrupted() &&
	    strcmp(b->returned->reason, "message-unreadable") != 0)
		return false;
	give_all(b, b->returned);
	return true;
}

/*
 * Sends one batch, twice if the connection is lost under it. False if there
 * is no session to be had; the batch's open recipients are then untouched.
 */
static bool send_batch(struct batch *b, struct slice host,
		       const struct diag **ret_why)
{
	bool is_reached = true;

	for (int tries = 0; tries < 2; tries++) {
		is_reached = session_open(b->x->session, host, ret_why);
		if (!is_reached || try_batch(b, tries == 1))
			break;
	}
	settle_batch(b);
	return is_reached;
}

/* ---- a job --------------------------------------------------------------- */

/* Settles what must not be sent; the indices of the rest go to *ret. */
static size_t check_group(const struct deliver *x, struct agent_job *job,
			  size_t from, size_t n, size_t *ret)
{
	const struct diag *bad_sender =
	    envelope_check_sender(job->rcpts[from].ctl->sender, job->arena);
	size_t kept = 0;

	for (size_t i = from; i < from + n; i++) {
		const struct diag *bad = bad_sender;

		if (bad == NULL)
			bad =
			    envelope_check_rcpt(job->rcpts[i].ctl, job->arena);
		if (bad == NULL) {
			ret[kept++] = i;
			continue;
		}
		log_diag(x, job, i, bad);
		agent_job_settle_one(x->agent, job, i, bad);
	}
	return kept;
}

static size_t batch_limit(const struct deliver *x)
{
	uint64_t limit;

	if (!session_is_open(x->session))
		return RCPT_MAX;
	limit = smtp_caps(session_engine(x->session))->rcpt_limit;
	if (limit == 0)
		return RCPT_MAX;
	if (limit < RCPT_LIMIT_LEAST)
		return RCPT_LIMIT_LEAST;
	return limit > RCPT_LIMIT_MOST ? RCPT_LIMIT_MOST : (size_t)limit;
}

/* Sends the checked recipients of a group; each batch begins as `group`. */
static bool deliver_group(const struct batch *group, struct slice host,
			  size_t *rcpts, size_t n,
			  const struct diag **ret_outage)
{
	const struct deliver *x = group->x;

	for (size_t at = 0; at < n;) {
		struct batch b = *group;

		/* Nothing finished waits for the server. */
		agent_job_say(x->agent, b.job);
		agent_flush(x->agent);
		if (!session_open(x->session, host, ret_outage))
			return false;
		b.t.n_rcpts = n - at;
		if (b.t.n_rcpts > batch_limit(x))
			b.t.n_rcpts = batch_limit(x);
		b.rcpts = rcpts + at;
		at += b.t.n_rcpts;
		b.outcomes =
		    arena_array(b.job->arena, b.t.n_rcpts, sizeof(*b.outcomes));
		if (!send_batch(&b, host, ret_outage))
			return false;
	}
	return true;
}

bool deliver_job(const struct deliver *x, struct agent_job *job,
		 struct slice host, const struct diag **ret_outage)
{
	size_t *rcpts = arena_array(job->arena, job->n_rcpts, sizeof(*rcpts));
	struct body body;
	const struct batch group = { .x = x, .job = job, .body = &body };
	size_t at = 0, from = 0, n;
	bool is_reached = true;

	body_begin(&body, &job->message);
	while (is_reached && (n = agent_job_group(job, &at)) > 0) {
		n = check_group(x, job, from, n, rcpts);
		from = at;
		is_reached = deliver_group(&group, host, rcpts, n, ret_outage);
		agent_job_say(x->agent, job);
	}
	body_done(&body);
	return is_reached;
}

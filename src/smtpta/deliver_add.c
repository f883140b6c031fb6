/*
 * deliver_add.c - batches into the engine.
 *
 * What a batch becomes on this connection: as many recipients as the server
 * takes at once, with the words of MAIL and RCPT; or why it cannot go here.
 */
#include "smtpta/deliver_internal.h"
#include "smtpta/envelope.h"

#include <string.h>

enum { RCPT_MAX = 100, RCPT_LIMIT_LEAST = 10, RCPT_LIMIT_MOST = 100000 };

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
	deliver_make_room(b);
	why = too_large(x, b, size);
	if (why == NULL)
		why = unreadable(x, b);
	if (why != NULL) {
		deliver_end_batch(x, b, why);
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
		if (b->state == BATCH_WAITING && deliver_suits(x, b))
			add_batch(x, b);
}

/*
 * engine_end.c - how things end that did not go their way: messages handed
 * back, sessions that cannot be opened, connections that are lost.
 *
 * Each transaction ends once: DONE when each of its recipients has ended,
 * else RETURNED with why. An end of data that was sent and not answered is an
 * unknown outcome for every recipient still open.
 */
#include "smtp/engine_internal.h"

void engine_return(struct smtp_engine *e, struct smtp_progress *p,
		   const char *reason, const char *why)
{
	struct smtp_event event = { .kind = SMTP_EVENT_RETURNED,
				    .transaction = p->t };
	size_t open = 0;

	while (p->rcpts[open].state == RCPT_ENDED)
		open++;
	event.was_begun = p->mail_command.len > 0;
	event.extensions = p->refused;
	event.diag = engine_lost_diag(p->t, open, false, reason, why);
	engine_tell(e, event);
}

/* ---- the end ----------------------------------------------------------- */

static void lose_transaction(struct smtp_engine *e, struct smtp_progress *p,
			     const char *reason, const char *why)
{
	bool is_end_sent = p->is_end_queued && e->sent_total >= p->end_at &&
			   p->returned == NULL;

	engine_trace_loss(e, p->t, reason, why);
	if (is_end_sent)
		for (size_t i = 0; i < p->t->n_rcpts; i++)
			if (p->rcpts[i].state != RCPT_ENDED)
				engine_end_rcpt(e, p->t, i,
						engine_lost_diag(p->t, i, true,
								 reason, why),
						0);
	if (p->n_open == 0)
		engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_DONE,
						    .transaction = p->t });
	else if (p->returned != NULL)
		engine_return(e, p, p->returned, p->returned_why);
	else
		engine_return(e, p, reason, why);
}

void engine_return_queued(struct smtp_engine *e, const char *reason,
			  const char *why)
{
	struct smtp_progress *p;

	while ((p = TAILQ_FIRST(&e->queued)) != NULL) {
		TAILQ_REMOVE(&e->queued, p, link);
		engine_return(e, p, reason, why);
	}
}

/* Hands every transaction back and empties the queues. */
static void give_back(struct smtp_engine *e, const char *reason,
		      const char *why)
{
	struct smtp_progress *p;

	if (e->body != NULL)
		engine_command_drop(e, e->body);
	e->body = NULL;
	engine_drop_list(e, &e->to_send);
	engine_drop_list(e, &e->waiting);
	while ((p = TAILQ_FIRST(&e->active)) != NULL) {
		TAILQ_REMOVE(&e->active, p, link);
		lose_transaction(e, p, reason, why);
	}
	e->n_active = 0;
	engine_return_queued(e, reason, why);
}

/* The session cannot be opened: by a reply, or by losing the connection. */
void engine_fail_open(struct smtp_engine *e, enum smtp_phase phase,
		      const struct reply *reply, const char *reason,
		      const char *why)
{
	struct diag *d = ARENA_NEW(e->arena, struct diag);
	struct smtp_event event = { .kind = SMTP_EVENT_FAILED,
				    .phase = phase,
				    .diag = d };

	if (reply != NULL) {
		outcome_of_reply(phase, reply, true, e->arena, d);
		d->text = engine_hello_transcript(e, phase, reply->text);
		event.code = reply->code;
		reason = d->reason;
		why = arena_cstr(e->arena, d->diagnostic);
	} else {
		d->fate = FATE_DEFERRED_ALL;
		d->reason = reason;
		d->status = SLICE("4.4.2");
		d->diagnostic = arena_printf(e->arena, "smtp; 466 (%s)", why);
		d->text = arena_dup(e->arena, slice_of(why));
	}
	engine_tell(e, event);
	e->state = ENGINE_QUITTING;
	engine_return_queued(e, reason, why);
}

/* Why the connection is lost, with the number of answers it took along. */
static const char *explain_loss(struct smtp_engine *e, const char *why)
{
	const struct command *c;
	size_t missing = 0;

	TAILQ_FOREACH (c, &e->waiting, link)
		missing += c->replies;
	if (missing == 0)
		return arena_cstr(e->arena, slice_of(why));
	return arena_printf(e->arena, "%s while %zu response%s missing", why,
			    missing, missing == 1 ? " was" : "s were")
	    .p;
}

void engine_close(struct smtp_engine *e)
{
	if (e->state == ENGINE_CLOSED)
		return;
	e->state = ENGINE_CLOSED;
	engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_CLOSED });
}

/*
 * A group of which nothing was answered may never have been read beyond its
 * first command; a chunk that is not answered may not be known as one.
 */
static unsigned suspects_now(const struct smtp_engine *e)
{
	const struct command *first = TAILQ_FIRST(&e->waiting);
	unsigned set = 0;

	if (first == NULL || e->is_dismissed)
		return 0;
	if (first->kind == CMD_BDAT)
		set |= SMTP_EXT_CHUNKING;
	if (!e->is_group_answered &&
	    (first->is_behind || TAILQ_NEXT(first, link) != NULL))
		set |= SMTP_EXT_PIPELINING;
	return set;
}

unsigned smtp_suspects(const struct smtp_engine *e)
{
	return e->state == ENGINE_CLOSED ? e->suspects : suspects_now(e);
}

void smtp_lost(struct smtp_engine *e, const char *reason, const char *why)
{
	const struct command *first = TAILQ_FIRST(&e->waiting);
	const char *kept;

	if (e->state == ENGINE_CLOSED)
		return;
	engine_trace_partial(e);
	kept = explain_loss(e, why); /* why may lie in what is freed here */
	e->lost_reason = reason;
	e->lost_why = kept;
	engine_trace_loss(e, NULL, reason, kept);
	e->suspects = suspects_now(e);
	if (e->state == ENGINE_OPENING)
		engine_fail_open(e,
				 first != NULL ? engine_steps[first->kind].phase
					       : SMTP_PHASE_HELLO,
				 NULL, reason, kept);
	give_back(e, reason, kept);
	engine_close(e);
}

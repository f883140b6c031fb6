/*
 * engine_end.c - how things end that did not go their way: messages handed
 * back, sessions that cannot be opened, connections that are lost.
 *
 * Each transaction ends once: DONE when each of its recipients has ended,
 * else RETURNED with why. An end of data that was sent and not answered is an
 * unknown outcome for every recipient still open (may_be_taken).
 */
#include "smtp/engine_internal.h"

#include <string.h>

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

/*
 * May recipient i have got the message, although no answer says so? Only if
 * its end was sent. A server that leaves with 421 takes nothing that comes
 * behind that (RFC 5321 3.8); but LMTP's other mailboxes, whose answers were
 * to follow on the same end, may have got it. Behind a refused MAIL those may
 * that were accepted all the same, and, if the server was astray, those that
 * were not answered.
 */
static bool may_be_taken(const struct smtp_engine *e,
			 const struct smtp_progress *p, size_t i)
{
	const struct rcpt_progress *rcpt = &p->rcpts[i];

	if (!p->is_end_queued || e->sent_total < p->end_at)
		return false;
	if (e->is_dismissed && !p->is_end_answered)
		return false;
	if (p->is_mail_refused)
		return rcpt->is_taken_anyway ||
		       (p->is_stray && rcpt->reply.len == 0);
	return p->returned == NULL;
}

static void lose_transaction(struct smtp_engine *e, struct smtp_progress *p,
			     const char *reason, const char *why)
{
	engine_trace_loss(e, p->t, reason, why);
	for (size_t i = 0; i < p->t->n_rcpts; i++) {
		const struct diag *d = p->rcpts[i].verdict;

		if (p->rcpts[i].state == RCPT_ENDED)
			continue;
		if (may_be_taken(e, p, i))
			d = engine_lost_diag(p->t, i, true, reason, why);
		if (d != NULL)
			engine_end_rcpt(e, p->t, i, d, 0);
	}
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

void engine_end_refused(struct smtp_engine *e, struct smtp_transaction *t,
			bool is_taken)
{
	static const char why[] = "remote refused MAIL and took the content";

	for (size_t i = 0; i < t->n_rcpts; i++) {
		const struct rcpt_progress *rcpt = &t->progress->rcpts[i];
		const struct diag *d = rcpt->verdict;

		if (rcpt->state == RCPT_ENDED)
			continue;
		if (is_taken && rcpt->is_taken_anyway)
			d = engine_lost_diag(t, i, true, "protocol-error", why);
		if (d != NULL)
			engine_end_rcpt(e, t, i, d, 0);
	}
}

void engine_part(struct smtp_engine *e, const char *reason, const char *why)
{
	struct command *c;

	if (e->parting_reason != NULL)
		return;
	if (e->is_bdat_unknown) {
		smtp_lost(e, reason, why);
		return;
	}
	e->parting_reason = reason;
	e->parting_why = why;
	smtp_drain(e);
	str_cut(&e->out, e->out_taken);
	while ((c = TAILQ_LAST(&e->waiting, command_list)) != NULL &&
	       c->end > e->sent_total) {
		TAILQ_REMOVE(&e->waiting, c, link);
		engine_command_drop(e, c);
	}
}

/* The status of a session that failed without a reply that has one. */
static struct slice open_status(const char *reason)
{
	if (strncmp(reason, "starttls-", 9) == 0)
		return SLICE("4.7.5");
	return strcmp(reason, "auth-failed") == 0 ? SLICE("4.7.8")
						  : SLICE("4.4.2");
}

void engine_fail_open(struct smtp_engine *e, enum smtp_phase phase,
		      const struct reply *reply, const char *reason,
		      const char *why)
{
	struct diag *d = ARENA_NEW(e->arena, struct diag);
	struct smtp_event event = { .kind = SMTP_EVENT_FAILED,
				    .phase = phase,
				    .diag = d };

	if (reply != NULL)
		event.code = reply->code;
	if (reply != NULL && reason == NULL) {
		outcome_of_reply(phase, reply, true, e->arena, d);
		d->text = engine_hello_transcript(e, phase, reply->text);
		reason = d->reason;
		why = arena_cstr(e->arena, d->diagnostic);
	} else {
		d->fate = FATE_DEFERRED_ALL;
		d->reason = reason;
		d->status = open_status(reason);
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

	if (first == NULL || e->is_dismissed || e->parting_reason != NULL)
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
				 e->is_at_tls ? SMTP_PHASE_STARTTLS
				 : first != NULL
				     ? engine_steps[first->kind].phase
				     : SMTP_PHASE_HELLO,
				 NULL, reason, kept);
	give_back(e, reason, kept);
	engine_close(e);
}

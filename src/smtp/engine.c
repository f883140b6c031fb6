/*
 * engine.c - the SMTP client as a pure state machine: its queues.
 *
 * smtp_input() matches replies to the wait list, whose handlers
 * (engine_steps.c) end recipients and queue further commands; then
 * engine_pump() (engine_output.c) puts into the output what RFC 2920 lets go. A
 * reply is due only once all bytes of its command are sent: one that comes
 * earlier cannot be an answer and ends the connection.
 */
#include "smtp/engine_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { WINDOW_START = 2 };

/* ---- command objects --------------------------------------------------- */

struct command *engine_command(struct smtp_engine *e, enum command_kind kind,
			       struct smtp_transaction *t)
{
	struct command *c = TAILQ_FIRST(&e->spare);

	if (c != NULL)
		TAILQ_REMOVE(&e->spare, c, link);
	else
		c = mem_alloc(sizeof(*c));
	*c = (struct command){
		.kind = kind, .number = e->n_commands++, .t = t, .replies = 1
	};
	if (t != NULL)
		t->progress->n_commands++;
	return c;
}

void engine_command_drop(struct smtp_engine *e, struct command *c)
{
	if (c->t != NULL)
		c->t->progress->n_commands--;
	TAILQ_INSERT_HEAD(&e->spare, c, link);
}

struct command *engine_push(struct smtp_engine *e, enum command_kind kind,
			    struct smtp_transaction *t)
{
	struct command *c = engine_command(e, kind, t);

	TAILQ_INSERT_TAIL(&e->to_send, c, link);
	return c;
}

void engine_push_first(struct smtp_engine *e, enum command_kind kind,
		       struct smtp_transaction *t)
{
	struct command *c = engine_command(e, kind, t);

	TAILQ_INSERT_HEAD(&e->to_send, c, link);
}

/* A chunk that is being filled is not in the output yet. */
static void drop_chunk(struct smtp_engine *e, const struct smtp_transaction *t)
{
	if (e->body == NULL || e->body->kind != CMD_BDAT || e->body->t != t)
		return;
	engine_command_drop(e, e->body);
	e->body = NULL;
	str_clear(&e->chunk);
}

/* Takes back what is not in the output yet of a transaction. */
void engine_drop_unsent(struct smtp_engine *e, struct smtp_transaction *t)
{
	struct command_list keep = TAILQ_HEAD_INITIALIZER(keep);
	struct command *c;

	drop_chunk(e, t);
	while ((c = TAILQ_FIRST(&e->to_send)) != NULL) {
		TAILQ_REMOVE(&e->to_send, c, link);
		if (c->t == t)
			engine_command_drop(e, c);
		else
			TAILQ_INSERT_TAIL(&keep, c, link);
	}
	TAILQ_CONCAT(&e->to_send, &keep, link);
}

void engine_drop_list(struct smtp_engine *e, struct command_list *list)
{
	struct command *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		engine_command_drop(e, c);
	}
}

/* ---- output and events ------------------------------------------------- */

/* c may be NULL: what is heard belongs to nobody. */
void engine_trace(const struct smtp_engine *e, const struct command *c,
		  struct slice text, const struct reply *reply, char direction)
{
	struct smtp_said said = {
		.direction = direction,
		.text = text,
		.reply = reply,
		.transaction = c != NULL ? c->t : NULL,
		.command = c != NULL ? c->number : SMTP_NO_COMMAND,
	};

	if (e->config.trace != NULL)
		e->config.trace(e->config.trace_context, &said);
}

/* What is lost with the connection: the beginning of a reply, or no reply. */
void engine_trace_partial(const struct smtp_engine *e)
{
	struct str text = STR_INIT;

	if (e->config.trace == NULL || !reply_is_partial(&e->parser))
		return;
	if (engine_is_in_auth(e))
		str_adds(&text, "***");
	else
		reply_partial(&e->parser, &text);
	engine_trace(e, TAILQ_FIRST(&e->waiting), str_slice(&text), NULL, 'r');
	str_done(&text);
}

void engine_trace_loss(const struct smtp_engine *e,
		       const struct smtp_transaction *t, const char *reason,
		       const char *why)
{
	struct smtp_said said = { .direction = 'x',
				  .text = slice_of(why),
				  .lost = reason,
				  .transaction = t,
				  .command = SMTP_NO_COMMAND };

	if (e->config.trace != NULL)
		e->config.trace(e->config.trace_context, &said);
}

/* Puts a line into the output. Nothing in it may end it early. */
void engine_put_line(struct smtp_engine *e, const struct command *c,
		     struct slice line)
{
	assert(!slice_has_control(line));
	str_add(&e->out, line);
	str_add(&e->out, SLICE("\r\n"));
	engine_trace(e, c, line, NULL, 'w');
}

void engine_tell(struct smtp_engine *e, struct smtp_event event)
{
	if (e->events_taken == e->n_events)
		e->events_taken = e->n_events = 0;
	e->events = mem_grow(e->events, &e->events_cap, e->n_events + 1,
			     sizeof(*e->events));
	e->events[e->n_events++] = event;
}

bool smtp_event(struct smtp_engine *e, struct smtp_event *ret)
{
	if (e->events_taken == e->n_events)
		return false;
	*ret = e->events[e->events_taken++];
	return true;
}

void engine_end_rcpt(struct smtp_engine *e, struct smtp_transaction *t,
		     size_t rcpt, const struct diag *d, unsigned extensions)
{
	struct smtp_progress *p = t->progress;

	assert(p->rcpts[rcpt].state != RCPT_ENDED);
	p->rcpts[rcpt].state = RCPT_ENDED;
	p->n_open--;
	engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_RCPT,
					    .transaction = t,
					    .rcpt = rcpt,
					    .diag = d,
					    .extensions = extensions });
}

/* ---- life -------------------------------------------------------------- */

struct smtp_engine *smtp_new(const struct smtp_config *config)
{
	struct smtp_engine *e = mem_zero(1, sizeof(*e));
	struct command *greeting;

	e->config = *config;
	e->is_tls = config->is_tls;
	if (e->config.window == 0)
		e->config.window = 1;
	e->window =
	    e->config.window < WINDOW_START ? e->config.window : WINDOW_START;
	e->arena = arena_new();
	e->lost_reason = "closed";
	e->lost_why = "the session is over";
	TAILQ_INIT(&e->to_send);
	TAILQ_INIT(&e->waiting);
	TAILQ_INIT(&e->spare);
	TAILQ_INIT(&e->queued);
	TAILQ_INIT(&e->active);
	greeting = engine_command(e, CMD_GREETING, NULL);
	TAILQ_INSERT_TAIL(&e->waiting, greeting, link);
	return e;
}

static void free_list(struct command_list *list)
{
	struct command *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		free(c);
	}
}

void smtp_free(struct smtp_engine *e)
{
	if (e == NULL)
		return;
	free_list(&e->to_send);
	free_list(&e->waiting);
	free_list(&e->spare);
	free(e->body);
	engine_auth_done(e);
	reply_done(&e->parser);
	str_done(&e->out);
	str_done(&e->chunk);
	free(e->events);
	arena_free(e->arena);
	free(e);
}

/* ---- replies ----------------------------------------------------------- */

/* Tells that a transaction is over once nothing of it is on its way. */
void engine_finish(struct smtp_engine *e, struct smtp_transaction *t)
{
	struct smtp_progress *p = t->progress;

	if (p->n_commands > 0 || (p->n_open > 0 && p->returned == NULL))
		return;
	TAILQ_REMOVE(&e->active, p, link);
	e->n_active--;
	e->is_used |= p->mail_command.len > 0;
	if (p->n_open > 0)
		engine_return(e, p, p->returned, p->returned_why);
	else
		engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_DONE,
						    .transaction = t });
}

/*
 * A refusal while the content is still being sent decides the message: it
 * was read and not wanted. Nobody can tell what a yes would mean.
 */
static void early_reply(struct smtp_engine *e, struct command *c,
			const struct reply *r)
{
	struct smtp_transaction *t = c != NULL ? c->t : NULL;

	if (c != NULL && (c->kind == CMD_END || c->kind == CMD_BDAT) &&
	    r->code >= 400 && r->code <= 599) {
		for (size_t i = 0; i < t->n_rcpts; i++)
			if (t->progress->rcpts[i].state == RCPT_ACCEPTED)
				engine_end_rcpt(
				    e, t, i,
				    engine_diag(e, t, i, SMTP_PHASE_DATA, r),
				    0);
	}
	if (r->code == 421)
		smtp_lost(e, "closed-by-peer",
			  "remote closes the connection (421)");
	else
		smtp_lost(e, "protocol-error", "reply came before it was due");
}

static void on_reply(struct smtp_engine *e, const struct reply *r)
{
	struct command *c = TAILQ_FIRST(&e->waiting);
	struct reply shown = engine_auth_readable(e, c, r);
	struct smtp_transaction *t;

	e->n_replies++;
	e->is_dismissed = r->code == 421;
	engine_trace(e, c != NULL ? c : e->body, shown.text, &shown, 'r');
	if (e->auth.is_done)
		r = &shown; /* in diags, too */
	if (c == NULL || e->sent_total < c->end) {
		early_reply(e, c != NULL ? c : e->body, r);
		return;
	}
	t = c->t;
	if (c->is_behind && r->code >= 200 && r->code <= 599 &&
	    r->code != 500 && r->code != 503)
		e->is_group_answered = true;
	engine_steps[c->kind].on_reply(e, c, r);
	if (e->state == ENGINE_CLOSED)
		return; /* smtp_lost() has put everything away */
	if (r->code == 421 && c->kind != CMD_QUIT) {
		smtp_lost(e, "closed-by-peer",
			  "remote closes the connection (421)");
		return;
	}
	if (--c->replies == 0) {
		TAILQ_REMOVE(&e->waiting, c, link);
		engine_command_drop(e, c);
		if (t != NULL)
			engine_finish(e, t);
	}
	if (e->parting_reason != NULL && !smtp_has_unanswered_end(e))
		smtp_lost(e, e->parting_reason, e->parting_why);
}

void smtp_input(struct smtp_engine *e, struct slice bytes)
{
	struct reply reply;
	struct err err;

	while (e->state != ENGINE_CLOSED && bytes.len > 0) {
		if (e->is_at_tls) {
			engine_lose_injected(e, bytes);
			break;
		}
		switch (reply_feed(&e->parser, &bytes, &reply, &err)) {
		case PARSE_DONE:
			on_reply(e, &reply);
			engine_pump(e);
			break;
		case PARSE_MORE:
			break;
		case PARSE_BAD:
			smtp_lost(e, "protocol-error",
				  engine_is_in_auth(e) ? "malformed reply"
						       : err.text);
			break;
		}
	}
	if (e->is_at_tls && !e->is_tls_told && e->state != ENGINE_CLOSED) {
		e->is_tls_told = true;
		engine_tell(e,
			    (struct smtp_event){ .kind = SMTP_EVENT_STARTTLS });
	}
}

void smtp_add(struct smtp_engine *e, struct smtp_transaction *t)
{
	struct smtp_progress *p = ARENA_NEW(t->arena, struct smtp_progress);

	assert(t->n_rcpts > 0);
	assert(!t->by.is_set || e->config.wall_time != NULL);
	p->t = t;
	p->n_open = p->n_rcpt_waiting = t->n_rcpts;
	p->rcpts = arena_array(t->arena, t->n_rcpts, sizeof(*p->rcpts));
	t->progress = p;
	TAILQ_INSERT_TAIL(&e->queued, p, link);
	p->relies_on = engine_relies_on(e, t);
	if (e->state >= ENGINE_QUITTING)
		engine_return_queued(e, e->lost_reason, e->lost_why);
	else
		engine_pump(e);
}

/* ---- what the session asks ---------------------------------------------- */

unsigned smtp_wants(const struct smtp_engine *e)
{
	unsigned wants = 0;

	if (e->out.len > e->out_taken)
		wants |= SMTP_WANTS_WRITE;
	if (!TAILQ_EMPTY(&e->waiting))
		wants |= SMTP_WANTS_READ;
	if (e->body != NULL)
		wants |= SMTP_WANTS_BODY;
	if (e->is_at_tls)
		wants |= SMTP_WANTS_TLS;
	return e->state == ENGINE_CLOSED ? 0 : wants;
}

enum smtp_wait smtp_wait(const struct smtp_engine *e)
{
	const struct command *first = TAILQ_FIRST(&e->waiting);

	if (e->state == ENGINE_CLOSED)
		return SMTP_WAIT_NONE;
	if (e->out.len > e->out_taken)
		return SMTP_WAIT_WRITE;
	return first != NULL ? engine_steps[first->kind].wait : SMTP_WAIT_NONE;
}

const struct caps *smtp_caps(const struct smtp_engine *e)
{
	return &e->caps;
}

bool smtp_has_room(const struct smtp_engine *e)
{
	return e->state <= ENGINE_READY && TAILQ_EMPTY(&e->queued) &&
	       e->n_active < e->config.window && !smtp_is_used_up(e) &&
	       e->parting_reason == NULL;
}

uint64_t smtp_replies_heard(const struct smtp_engine *e)
{
	return e->n_replies;
}

bool smtp_is_busy(const struct smtp_engine *e)
{
	return !TAILQ_EMPTY(&e->queued) || !TAILQ_EMPTY(&e->active);
}

bool smtp_has_unanswered_end(const struct smtp_engine *e)
{
	const struct smtp_progress *p;

	TAILQ_FOREACH (p, &e->active, link)
		if (p->is_end_queued && e->sent_total >= p->end_at &&
		    p->n_open > 0)
			return true;
	return false;
}

bool smtp_is_out_of_step(const struct smtp_engine *e)
{
	return e->parting_reason != NULL;
}

void smtp_probe(struct smtp_engine *e)
{
	e->needs_rset = true;
}

void smtp_quit(struct smtp_engine *e)
{
	if (e->state != ENGINE_CLOSED)
		e->state = ENGINE_QUITTING;
	engine_return_queued(e, e->lost_reason, e->lost_why);
	if (e->is_at_tls) /* nothing can be said there */
		smtp_lost(e, e->lost_reason, e->lost_why);
	engine_pump(e);
}

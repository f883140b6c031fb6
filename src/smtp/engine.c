/*
 * engine.c - the SMTP client as a pure state machine: its queues.
 *
 * smtp_input() matches replies to the wait list, whose handlers
 * (engine_steps.c) end recipients and queue further commands; pump() then
 * moves to the output whatever RFC 2920 lets go. A reply is due only once all
 * bytes of its command are sent: one that comes earlier cannot be an answer
 * and ends the connection.
 */
#include "smtp/engine_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
	WINDOW_START = 2,
	CHUNK_LEAST = 64 * 1024 /* content is cut into chunks from here on */
};

/* ---- command objects --------------------------------------------------- */

static struct command *command_new(struct smtp_engine *e,
				   enum command_kind kind,
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

static void command_drop(struct smtp_engine *e, struct command *c)
{
	if (c->t != NULL)
		c->t->progress->n_commands--;
	TAILQ_INSERT_HEAD(&e->spare, c, link);
}

struct command *engine_push(struct smtp_engine *e, enum command_kind kind,
			    struct smtp_transaction *t)
{
	struct command *c = command_new(e, kind, t);

	TAILQ_INSERT_TAIL(&e->to_send, c, link);
	return c;
}

void engine_push_first(struct smtp_engine *e, enum command_kind kind,
		       struct smtp_transaction *t)
{
	struct command *c = command_new(e, kind, t);

	TAILQ_INSERT_HEAD(&e->to_send, c, link);
}

/* A chunk that is being filled is not in the output yet. */
static void drop_chunk(struct smtp_engine *e, const struct smtp_transaction *t)
{
	if (e->body == NULL || e->body->kind != CMD_BDAT || e->body->t != t)
		return;
	command_drop(e, e->body);
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
			command_drop(e, c);
		else
			TAILQ_INSERT_TAIL(&keep, c, link);
	}
	TAILQ_CONCAT(&e->to_send, &keep, link);
}

static void drop_list(struct smtp_engine *e, struct command_list *list)
{
	struct command *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		command_drop(e, c);
	}
}

/* ---- output and events ------------------------------------------------- */

/* c may be NULL: what is heard belongs to nobody. */
static void trace(const struct smtp_engine *e, const struct command *c,
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
static void trace_partial(const struct smtp_engine *e)
{
	struct str text = STR_INIT;

	if (e->config.trace == NULL || !reply_is_partial(&e->parser))
		return;
	reply_partial(&e->parser, &text);
	trace(e, TAILQ_FIRST(&e->waiting), str_slice(&text), NULL, 'r');
	str_done(&text);
}

/* Puts a line into the output. Nothing in it may end it early. */
void engine_put_line(struct smtp_engine *e, const struct command *c,
		     struct slice line)
{
	assert(!slice_has_control(line));
	str_add(&e->out, line);
	str_add(&e->out, SLICE("\r\n"));
	trace(e, c, line, NULL, 'w');
}

/* Offset in the stream behind everything that was ever put into it. */
static uint64_t put_total(const struct smtp_engine *e)
{
	return e->sent_total + (e->out.len - e->out_taken);
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
		     size_t rcpt, const struct diag *d)
{
	struct smtp_progress *p = t->progress;

	assert(p->rcpts[rcpt].state != RCPT_ENDED);
	p->rcpts[rcpt].state = RCPT_ENDED;
	p->n_open--;
	engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_RCPT,
					    .transaction = t,
					    .rcpt = rcpt,
					    .diag = d });
}

/* ---- life -------------------------------------------------------------- */

struct smtp_engine *smtp_new(const struct smtp_config *config)
{
	struct smtp_engine *e = mem_zero(1, sizeof(*e));
	struct command *greeting;

	e->config = *config;
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
	greeting = command_new(e, CMD_GREETING, NULL);
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
	reply_done(&e->parser);
	str_done(&e->out);
	str_done(&e->chunk);
	free(e->events);
	arena_free(e->arena);
	free(e);
}

/* ---- sending ----------------------------------------------------------- */

static bool may_send(const struct smtp_engine *e)
{
	const struct command *last = TAILQ_LAST(&e->waiting, command_list);

	if (last == NULL)
		return true;
	/* How many replies LMTP owes behind a refused chunk nobody says. */
	if (e->config.is_lmtp && last->kind == CMD_BDAT)
		return false;
	return e->caps.pipelining &&
	       engine_steps[last->kind].may_be_followed;
}

/*
 * Is a reply outstanding that could leave the server inside a transaction?
 * Then MAIL must have a RSET in front, or it could be answered 503 and what
 * follows accepted under the earlier sender. Behind a dot there is no need.
 */
static bool is_envelope_open(const struct smtp_engine *e)
{
	const struct command *c;

	TAILQ_FOREACH (c, &e->waiting, link)
		if (c->kind == CMD_MAIL || c->kind == CMD_RCPT ||
		    c->kind == CMD_BDAT)
			return true;
	return false;
}

static void begin_transaction(struct smtp_engine *e)
{
	struct smtp_progress *p = TAILQ_FIRST(&e->queued);

	TAILQ_REMOVE(&e->queued, p, link);
	TAILQ_INSERT_TAIL(&e->active, p, link);
	e->n_active++;
	p->begin_at = put_total(e);
	p->is_chunked = e->caps.chunking;
	if (e->needs_rset || is_envelope_open(e))
		engine_push(e, CMD_RSET, NULL);
	e->needs_rset = false;
	engine_push(e, CMD_MAIL, p->t);
	for (size_t i = 0; i < p->t->n_rcpts; i++)
		engine_push(e, CMD_RCPT, p->t)->rcpt = i;
	if (!p->is_chunked)
		engine_push(e, CMD_DATA, p->t);
	else if (!e->config.is_lmtp)
		engine_push(e, CMD_BDAT, p->t);
}

/* The window in bytes: what is unanswered since the oldest MAIL. */
static bool is_window_full(const struct smtp_engine *e)
{
	const struct smtp_progress *first = TAILQ_FIRST(&e->active);

	return first != NULL && e->config.window_bytes > 0 &&
	       put_total(e) - first->begin_at >= e->config.window_bytes;
}

/*
 * The next message may begin behind the content of the last one, whose dot
 * may lead its group (RFC 2920 3.1), as far as the window allows.
 */
static bool may_begin(const struct smtp_engine *e)
{
	const struct smtp_progress *last =
	    TAILQ_LAST(&e->active, progress_list);

	return e->state == ENGINE_READY && !TAILQ_EMPTY(&e->queued) &&
	       e->n_active < e->window && !is_window_full(e) &&
	       (last == NULL || last->is_end_queued);
}

/* The end of a transaction's content is in the output now. */
static void note_end(struct smtp_engine *e, struct command *c)
{
	struct smtp_progress *p = c->t->progress;

	p->is_end_queued = true;
	p->end_at = c->end = put_total(e);
	if (e->config.is_lmtp)
		c->replies = p->n_accepted;
}

static void queue_dot(struct smtp_engine *e, struct command *c)
{
	engine_put_line(e, c, SLICE("."));
	note_end(e, c);
	TAILQ_INSERT_TAIL(&e->waiting, c, link);
}

static void queue_chunk(struct smtp_engine *e, struct command *c)
{
	struct smtp_progress *p = c->t->progress;

	p->data_command = arena_printf(c->t->arena, "BDAT %zu%s", e->chunk.len,
				       c->is_last ? " LAST" : "");
	engine_put_line(e, c, p->data_command);
	str_add(&e->out, str_slice(&e->chunk));
	str_clear(&e->chunk);
	c->end = put_total(e);
	if (c->is_last)
		note_end(e, c);
	TAILQ_INSERT_TAIL(&e->waiting, c, link);
}

static void send_command(struct smtp_engine *e, struct command *c)
{
	if (c->kind == CMD_END && c->t->progress->n_open == 0) {
		queue_dot(e, c); /* RFC 2920 3.1: without recipients, alone */
		return;
	}
	if (c->kind == CMD_END || c->kind == CMD_BDAT) {
		e->body = c;
		return;
	}
	engine_steps[c->kind].print(e, c);
	c->end = put_total(e);
	TAILQ_INSERT_TAIL(&e->waiting, c, link);
}

static void pump(struct smtp_engine *e)
{
	struct command *c;

	while (e->state != ENGINE_CLOSED && e->body == NULL &&
	       !e->is_draining) {
		if (may_begin(e))
			begin_transaction(e);
		c = TAILQ_FIRST(&e->to_send);
		if (c == NULL || !may_send(e))
			break;
		TAILQ_REMOVE(&e->to_send, c, link);
		send_command(e, c);
	}
	if (e->state == ENGINE_QUITTING && !e->is_quit_sent &&
	    TAILQ_EMPTY(&e->waiting) && TAILQ_EMPTY(&e->to_send) &&
	    e->body == NULL)
		send_command(e, command_new(e, CMD_QUIT, NULL));
}

struct slice smtp_output(const struct smtp_engine *e)
{
	return slice_from(str_slice(&e->out), e->out_taken);
}

static void close_now(struct smtp_engine *e)
{
	if (e->state == ENGINE_CLOSED)
		return;
	e->state = ENGINE_CLOSED;
	engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_CLOSED });
}

void smtp_sent(struct smtp_engine *e, size_t n)
{
	e->out_taken += n;
	e->sent_total += n;
	assert(e->out_taken <= e->out.len);
	/* A slow reader must not make the buffer grow for ever. */
	if (e->out_taken >= e->out.len / 2) {
		str_shift(&e->out, e->out_taken);
		e->out_taken = 0;
	}
	if (e->out.len == 0 && e->is_quit_sent)
		close_now(e);
}

/* ---- content ----------------------------------------------------------- */

struct smtp_transaction *smtp_body_owner(const struct smtp_engine *e)
{
	return e->body != NULL ? e->body->t : NULL;
}

bool smtp_body_needs_dots(const struct smtp_engine *e)
{
	return e->body != NULL && e->body->kind == CMD_END;
}

struct str *smtp_body_sink(struct smtp_engine *e)
{
	assert(e->body != NULL);
	return e->body->kind == CMD_BDAT ? &e->chunk : &e->out;
}

void smtp_body_filled(struct smtp_engine *e, bool is_last)
{
	struct command *c = e->body;

	assert(c != NULL);
	if (!is_last && (c->kind == CMD_END || e->chunk.len < CHUNK_LEAST))
		return;
	e->body = NULL;
	if (c->kind == CMD_END) {
		queue_dot(e, c);
	} else {
		c->is_last = is_last;
		queue_chunk(e, c);
		if (!is_last)
			engine_push_first(e, CMD_BDAT, c->t);
	}
	pump(e);
}

/* ---- replies ----------------------------------------------------------- */

static void return_transaction(struct smtp_engine *e, struct smtp_progress *p,
			       const char *reason, const char *why)
{
	struct smtp_event event = { .kind = SMTP_EVENT_RETURNED,
				    .transaction = p->t };
	size_t open = 0;

	while (p->rcpts[open].state == RCPT_ENDED)
		open++;
	event.was_begun = p->mail_command.len > 0;
	event.diag = engine_lost_diag(p->t, open, false, reason, why);
	engine_tell(e, event);
}

/* Tells that a transaction is over once nothing of it is on its way. */
static void finish_if_complete(struct smtp_engine *e,
			       struct smtp_transaction *t)
{
	struct smtp_progress *p = t->progress;

	if (p->n_commands > 0 || (p->n_open > 0 && p->returned == NULL))
		return;
	TAILQ_REMOVE(&e->active, p, link);
	e->n_active--;
	e->is_used = true;
	if (p->n_open > 0)
		return_transaction(e, p, p->returned, p->returned_why);
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
				    engine_diag(e, t, i, SMTP_PHASE_DATA, r));
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
	struct smtp_transaction *t;

	e->n_replies++;
	trace(e, c != NULL ? c : e->body, r->text, r, 'r');
	if (c == NULL || e->sent_total < c->end) {
		early_reply(e, c != NULL ? c : e->body, r);
		return;
	}
	t = c->t;
	engine_steps[c->kind].on_reply(e, c, r);
	if (e->state == ENGINE_CLOSED)
		return; /* smtp_lost() has put everything away */
	if (r->code == 421 && c->kind != CMD_QUIT) {
		smtp_lost(e, "closed-by-peer",
			  "remote closes the connection (421)");
		return;
	}
	if (--c->replies > 0)
		return;
	TAILQ_REMOVE(&e->waiting, c, link);
	command_drop(e, c);
	if (t != NULL)
		finish_if_complete(e, t);
}

void smtp_input(struct smtp_engine *e, struct slice bytes)
{
	struct reply reply;
	struct err err;

	while (e->state != ENGINE_CLOSED && bytes.len > 0) {
		switch (reply_feed(&e->parser, &bytes, &reply, &err)) {
		case PARSE_DONE:
			on_reply(e, &reply);
			pump(e);
			break;
		case PARSE_MORE:
			break;
		case PARSE_BAD:
			smtp_lost(e, "protocol-error", err.text);
			break;
		}
	}
}

/* ---- the end ----------------------------------------------------------- */

static void lose_transaction(struct smtp_engine *e, struct smtp_progress *p,
			     const char *reason, const char *why)
{
	bool is_end_sent = p->is_end_queued && e->sent_total >= p->end_at &&
			   p->returned == NULL;

	if (is_end_sent)
		for (size_t i = 0; i < p->t->n_rcpts; i++)
			if (p->rcpts[i].state != RCPT_ENDED)
				engine_end_rcpt(e, p->t, i,
						engine_lost_diag(p->t, i, true,
								 reason, why));
	if (p->n_open == 0)
		engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_DONE,
						    .transaction = p->t });
	else if (p->returned != NULL)
		return_transaction(e, p, p->returned, p->returned_why);
	else
		return_transaction(e, p, reason, why);
}

static void return_queued(struct smtp_engine *e, const char *reason,
			  const char *why)
{
	struct smtp_progress *p;

	while ((p = TAILQ_FIRST(&e->queued)) != NULL) {
		TAILQ_REMOVE(&e->queued, p, link);
		return_transaction(e, p, reason, why);
	}
}

/* Hands every transaction back and empties the queues. */
static void give_back(struct smtp_engine *e, const char *reason,
		      const char *why)
{
	struct smtp_progress *p;

	if (e->body != NULL)
		command_drop(e, e->body);
	e->body = NULL;
	drop_list(e, &e->to_send);
	drop_list(e, &e->waiting);
	while ((p = TAILQ_FIRST(&e->active)) != NULL) {
		TAILQ_REMOVE(&e->active, p, link);
		lose_transaction(e, p, reason, why);
	}
	e->n_active = 0;
	return_queued(e, reason, why);
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
	return_queued(e, reason, why);
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

void smtp_lost(struct smtp_engine *e, const char *reason, const char *why)
{
	const struct command *first = TAILQ_FIRST(&e->waiting);
	const char *kept;

	if (e->state == ENGINE_CLOSED)
		return;
	trace_partial(e);
	kept = explain_loss(e, why); /* why may lie in what is freed here */
	e->lost_reason = reason;
	e->lost_why = kept;
	if (e->state == ENGINE_OPENING)
		engine_fail_open(e,
				 first != NULL ? engine_steps[first->kind].phase
					       : SMTP_PHASE_HELLO,
				 NULL, reason, kept);
	give_back(e, reason, kept);
	close_now(e);
}

void smtp_add(struct smtp_engine *e, struct smtp_transaction *t)
{
	struct smtp_progress *p = ARENA_NEW(t->arena, struct smtp_progress);

	assert(t->n_rcpts > 0);
	p->t = t;
	p->n_open = p->n_rcpt_waiting = t->n_rcpts;
	p->rcpts = arena_array(t->arena, t->n_rcpts, sizeof(*p->rcpts));
	t->progress = p;
	TAILQ_INSERT_TAIL(&e->queued, p, link);
	if (e->state >= ENGINE_QUITTING)
		return_queued(e, e->lost_reason, e->lost_why);
	else
		pump(e);
}

void smtp_body_failed(struct smtp_engine *e, const char *why)
{
	struct command *c = e->body;
	struct smtp_transaction *t = c->t;

	t->progress->returned = "message-unreadable";
	t->progress->returned_why = arena_cstr(t->arena, slice_of(why));
	if (c->kind == CMD_END) {
		/* Behind 354 every earlier reply has come: nothing is owed. */
		smtp_lost(e, "connection-given-up", why);
		return;
	}
	e->needs_rset = true;
	engine_drop_unsent(e, t);
	finish_if_complete(e, t);
	pump(e);
}

void smtp_drain(struct smtp_engine *e)
{
	e->is_draining = true;
	if (e->body != NULL)
		command_drop(e, e->body);
	e->body = NULL;
	str_clear(&e->chunk);
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
	       e->n_active < e->config.window;
}

uint64_t smtp_replies_heard(const struct smtp_engine *e)
{
	return e->n_replies;
}

bool smtp_is_busy(const struct smtp_engine *e)
{
	return !TAILQ_EMPTY(&e->queued) || !TAILQ_EMPTY(&e->active);
}

bool smtp_is_used_up(const struct smtp_engine *e)
{
	(void)e;
	return false;
}

unsigned smtp_suspects(const struct smtp_engine *e)
{
	const struct command *first = TAILQ_FIRST(&e->waiting);

	return first != NULL && first->kind == CMD_BDAT ? SMTP_EXT_CHUNKING : 0;
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

void smtp_probe(struct smtp_engine *e)
{
	e->needs_rset = true;
}

void smtp_quit(struct smtp_engine *e)
{
	if (e->state != ENGINE_CLOSED)
		e->state = ENGINE_QUITTING;
	pump(e);
}

/*
 * engine_output.c - what is said next: beginning transactions, sending.
 *
 * Commands leave the send queue as RFC 2920 allows it (may_send), messages
 * begin as the window, the server's MAILMAX and the last message's content
 * allow it (may_begin). A transaction begins only when its first command can
 * leave at once, so that what is decided then still holds.
 */
#include "smtp/engine_internal.h"

#include <assert.h>

const char engine_why_full[] =
    "remote takes no more messages on this connection";

enum { CHUNK_LEAST = 64 * 1024 }; /* content is cut into chunks from here on */

/* Offset in the stream behind everything that was ever put into it. */
static uint64_t put_total(const struct smtp_engine *e)
{
	return e->sent_total + (e->out.len - e->out_taken);
}

/* The command's bytes are in the output: its reply is waited for. */
static void await_reply(struct smtp_engine *e, struct command *c)
{
	c->is_behind = !TAILQ_EMPTY(&e->waiting);
	TAILQ_INSERT_TAIL(&e->waiting, c, link);
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
	return e->caps.pipelining && engine_steps[last->kind].may_be_followed;
}

/*
 * Is a reply outstanding that could leave the server inside a transaction?
 * Then MAIL must have a RSET in front, or it could be answered 503 and what
 * follows accepted under the earlier sender. So it is behind a dot too: it
 * ends a transaction (RFC 5321 4.1.1.4), but Postfix keeps the envelope of
 * one that smtpd_end_of_data_restrictions refuse.
 */
static bool is_envelope_open(const struct smtp_engine *e)
{
	const struct command *c;

	TAILQ_FOREACH (c, &e->waiting, link)
		if (c->kind == CMD_MAIL || c->kind == CMD_RCPT ||
		    c->kind == CMD_BDAT || c->kind == CMD_END)
			return true;
	return false;
}

/* Is the limit of MAIL commands reached? All of them count (RFC 9422 4.1). */
bool smtp_is_used_up(const struct smtp_engine *e)
{
	if (e->is_full)
		return true;
	return e->caps.mailmax != 0 && e->n_mails >= e->caps.mailmax;
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
	       (last == NULL || last->is_end_queued) &&
	       TAILQ_EMPTY(&e->to_send) && may_send(e) && !smtp_is_used_up(e);
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
	await_reply(e, c);
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
	await_reply(e, c);
}

static void send_command(struct smtp_engine *e, struct command *c)
{
	if (c->kind == CMD_END && c->t->progress->n_accepted == 0) {
		queue_dot(e, c); /* RFC 2920 3.1: without recipients, alone */
		return;
	}
	if (c->kind == CMD_END || c->kind == CMD_BDAT) {
		e->body = c;
		return;
	}
	engine_steps[c->kind].print(e, c);
	c->end = put_total(e);
	await_reply(e, c);
}

/* Hands a transaction back if its MAIL must not be said as things stand. */
static bool drop_unfit(struct smtp_engine *e, const struct command *c)
{
	struct smtp_transaction *t = c->t;

	if (c->kind != CMD_MAIL || !engine_is_unfit(e, t))
		return false;
	engine_drop_unsent(e, t);
	engine_finish(e, t);
	return true;
}

void engine_pump(struct smtp_engine *e)
{
	struct command *c;

	while (e->state != ENGINE_CLOSED && e->body == NULL &&
	       !e->is_draining) {
		if (may_begin(e))
			begin_transaction(e);
		c = TAILQ_FIRST(&e->to_send);
		if (c == NULL || !may_send(e))
			break;
		if (drop_unfit(e, c))
			continue;
		TAILQ_REMOVE(&e->to_send, c, link);
		send_command(e, c);
	}
	if (smtp_is_used_up(e))
		engine_return_queued(e, "mail-limit", engine_why_full);
	if (e->state == ENGINE_QUITTING && !e->is_quit_sent &&
	    e->parting_reason == NULL && TAILQ_EMPTY(&e->waiting) &&
	    TAILQ_EMPTY(&e->to_send) && e->body == NULL)
		send_command(e, engine_command(e, CMD_QUIT, NULL));
}

struct slice smtp_output(const struct smtp_engine *e)
{
	/* What a lost connection did not take was told to be unsent. */
	if (e->state == ENGINE_CLOSED)
		return slice_make(NULL, 0);
	return slice_from(str_slice(&e->out), e->out_taken);
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
	if (e->out.len == 0)
		engine_auth_sent(e);
	if (e->out.len == 0 && e->is_quit_sent)
		engine_close(e);
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
	engine_pump(e);
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
	engine_finish(e, t);
	engine_pump(e);
}

void smtp_drain(struct smtp_engine *e)
{
	e->is_draining = true;
	if (e->body != NULL)
		engine_command_drop(e, e->body);
	e->body = NULL;
	str_clear(&e->chunk);
}

/*
 * engine_fuzz.c - the engine as a whole against random servers.
 *
 * The first bytes choose the configuration, the messages and the chunking;
 * the rest is what the server says. The caller adds again what engine.h lets
 * it. Invariants: each recipient ends exactly once, and each message; nothing
 * follows CLOSED; nothing goes round in circles; what is written are
 * well-formed commands and content, in which nothing is said that was to be
 * left alone; MAIL only when TLS and AUTH are as they were asked for; nothing
 * secret is traced; content is claimed as accepted only if it was written; what
 * is in the output is taken back only from a server that is out of step.
 */
#include "base/fuzz.h"
#include "base/keyword.h"
#include "smtp/engine.h"
#include "smtp/test_wire.h"

#include <string.h>

enum { MESSAGES = 3, RCPTS = 3, TRIES_MAX = 16, LONG = 70 * 1000 };

struct message {
	struct smtp_transaction t;
	struct smtp_rcpt rcpts[RCPTS];
	size_t which[RCPTS];
	size_t n_rcpts;
	int ended[RCPTS], over;
	unsigned tries;
	bool is_given_up, is_to_go, is_end_given;
	uint64_t end_at; /* bytes written before its end, at least */
};

struct run {
	struct arena *arena;
	struct smtp_config config;
	struct smtp_engine *engine;
	struct message messages[MESSAGES];
	int64_t now;
	bool is_long; /* content: more than one chunk */
	bool is_slow; /* the socket: something always stays unsent */
	bool is_closed, is_ready, is_in_auth;
	struct smtp_auth auth;
	uint64_t sent;
	size_t checked;	     /* bytes of the output that were looked at */
	uint64_t chunk_left; /* of a BDAT in the output */
};

static int64_t wall_time(void *context)
{
	return ((const struct run *)context)->now;
}

/* ---- AUTH ---------------------------------------------------------------- */

#define SECRET	   "Zx9-hush-Qw7"
#define SECRET_B64 "Wng5LWh1c2gtUXc3" /* whatever follows it in threes */

static enum smtp_auth_choice auth_begin(void *context, struct slice offered,
					bool is_tls,
					struct smtp_auth_start *ret,
					struct err *why)
{
	const struct run *r = context;

	FUZZ_CHECK(is_tls == smtp_is_tls(r->engine));
	if (offered.len == 0) {
		err_set(why, 0, "none is offered");
		return SMTP_AUTH_FAIL;
	}
	ret->mechanism = "ONE";
	ret->has_initial = offered.len % 2 == 1;
	if (ret->has_initial)
		str_adds(&ret->initial, SECRET);
	while (offered.len > 40 && ret->initial.len < 1000)
		str_adds(&ret->initial, SECRET);
	return SMTP_AUTH_USE;
}

static bool auth_step(void *context, struct slice challenge,
		      struct str *ret_response, struct err *why)
{
	(void)context;
	(void)why;
	str_adds(ret_response, SECRET);
	str_add(ret_response, challenge);
	return challenge.len != 5;
}

static enum smtp_auth_end auth_done(void *context, const struct reply *reply,
				    struct err *why)
{
	(void)context;
	(void)why;
	return reply->code == 504	? SMTP_AUTH_OTHER
	       : reply->code == 236	? SMTP_AUTH_FAILED
	       : reply->code / 100 == 2 ? SMTP_AUTH_DONE
					: SMTP_AUTH_FAILED;
}

static void trace(void *context, const struct smtp_said *said)
{
	struct run *r = context;
	struct slice secret = SLICE(SECRET_B64);

	if (said->direction != 'w')
		return;
	if (!r->is_in_auth)
		r->is_in_auth = slice_starts(said->text, SLICE("AUTH "));
	FUZZ_CHECK(slice_find_text(said->text, secret) == said->text.len);
}

/* ---- the caller ---------------------------------------------------------- */

static void add(struct run *r, struct message *m)
{
	m->is_to_go = false;
	FUZZ_CHECK(++m->tries <= TRIES_MAX);
	m->t.n_rcpts = 0;
	m->is_end_given = false;
	for (size_t k = 0; k < m->n_rcpts; k++) {
		if (m->ended[k] > 0)
			continue;
		m->which[m->t.n_rcpts] = k;
		m->rcpts[m->t.n_rcpts++].path = SLICE("r@c.example");
	}
	smtp_add(r->engine, &m->t);
}

static bool goes_again(const struct diag *d)
{
	return strcmp(d->reason, "parameter-refused") == 0 ||
	       strcmp(d->reason, "chunking-refused") == 0;
}

/* What this server cannot take is not offered to it again. */
static bool is_possible(const struct run *r, const struct smtp_transaction *t)
{
	const struct caps *caps = smtp_caps(r->engine);

	return (!t->needs_smtputf8 || caps->smtputf8) &&
	       (!t->needs_requiretls || caps->requiretls) &&
	       (!t->by.is_set || t->by.mode != 'R' || caps->deliverby);
}

static void on_rcpt(const struct run *r, struct message *m,
		    const struct smtp_event *ev)
{
	FUZZ_CHECK(ev->diag != NULL && ev->diag->reason != NULL);
	FUZZ_CHECK(ev->rcpt < m->t.n_rcpts);
	if (goes_again(ev->diag) || strcmp(ev->diag->reason, "rcpt-limit") == 0)
		return;
	FUZZ_CHECK(++m->ended[m->which[ev->rcpt]] == 1);
	if (fate_is_success(ev->diag->fate))
		FUZZ_CHECK(m->is_end_given && r->sent >= m->end_at);
}

static void on_over(struct run *r, struct message *m,
		    const struct smtp_event *ev)
{
	bool is_done = ev->kind == SMTP_EVENT_DONE;
	size_t n_open = m->n_rcpts;

	for (size_t k = 0; k < m->n_rcpts; k++)
		n_open -= (size_t)m->ended[k];
	FUZZ_CHECK(m->over == 0 && (is_done || n_open > 0));
	m->is_to_go = n_open > 0 && (is_done || goes_again(ev->diag)) &&
		      is_possible(r, &m->t);
	if (m->is_to_go)
		return;
	m->over++;
	m->is_given_up = n_open > 0;
}

static void start_tls(struct run *r)
{
	FUZZ_CHECK(smtp_wants(r->engine) == SMTP_WANTS_TLS);
	FUZZ_CHECK(smtp_output(r->engine).len == 0 && !r->is_ready);
	smtp_tls_started(r->engine);
	FUZZ_CHECK(caps_set(smtp_caps(r->engine)) == 0);
}

static void take_events(struct run *r)
{
	struct smtp_event ev;

	while (smtp_event(r->engine, &ev)) {
		struct message *m =
		    ev.transaction != NULL ? ev.transaction->owner : NULL;

		FUZZ_CHECK(!r->is_closed);
		FUZZ_CHECK((caps_set(smtp_caps(r->engine)) & ev.extensions) ==
			   0);
		if (ev.kind == SMTP_EVENT_RCPT)
			on_rcpt(r, m, &ev);
		else if (ev.kind == SMTP_EVENT_DONE ||
			 ev.kind == SMTP_EVENT_RETURNED)
			on_over(r, m, &ev);
		else if (ev.kind == SMTP_EVENT_STARTTLS)
			start_tls(r);
		else if (ev.kind == SMTP_EVENT_READY)
			r->is_ready = true;
		else if (ev.kind == SMTP_EVENT_CLOSED)
			r->is_closed = true;
	}
}

/* ---- what is written ------------------------------------------------------
 */

/* Nothing that is to be left alone is spoken of. */
static void check_ignored(const struct run *r, struct slice line)
{
	static const struct {
		const char *text;
		unsigned ext;
	} said[] = {
		{ " BODY=", SMTP_EXT_8BITMIME },
		{ " SIZE=", SMTP_EXT_SIZE },
		{ " SMTPUTF8", SMTP_EXT_SMTPUTF8 },
		{ " ENVID=", SMTP_EXT_DSN },
		{ " NOTIFY=", SMTP_EXT_DSN },
		{ " BY=", SMTP_EXT_DELIVERBY },
		{ "BDAT ", SMTP_EXT_CHUNKING },
		{ "STARTTLS", SMTP_EXT_STARTTLS },
		{ "AUTH ", SMTP_EXT_AUTH },
		{ " REQUIRETLS", SMTP_EXT_REQUIRETLS },
	};

	for (size_t i = 0; i < COUNT(said); i++)
		if ((r->config.ignored & said[i].ext) != 0)
			FUZZ_CHECK(
			    slice_find_text(line, slice_of(said[i].text)) ==
			    line.len);
}

/* A line that is no content. */
static void check_command(struct run *r, struct slice line)
{
	FUZZ_CHECK(wire_is_command(line) ||
		   (r->is_in_auth && wire_is_response(line)));
	check_ignored(r, line);
	if (slice_starts(line, SLICE("MAIL "))) {
		FUZZ_CHECK(r->is_ready);
		FUZZ_CHECK(r->config.tls != SMTP_TLS_REQUIRED ||
			   smtp_is_tls(r->engine));
		FUZZ_CHECK(r->config.auth == NULL ||
			   smtp_auth_mechanism(r->engine) != NULL);
	}
	if (slice_starts(line, SLICE("BDAT "))) {
		struct slice n = slice_from(line, 5);

		n = slice_head(n, slice_find(n, ' '));
		FUZZ_CHECK(slice_uint(n, UINT32_MAX, &r->chunk_left));
	}
}

/*
 * The output begins and ends with whole lines here. Behind 354 come content
 * and a dot, which this caller gives all at once.
 */
static void check_output(struct run *r, struct slice out)
{
	while (out.len > 0) {
		size_t at = slice_find_text(out, SLICE("\r\n"));
		struct slice line = slice_head(out, at);

		FUZZ_CHECK(at < out.len);
		if (r->chunk_left > 0) {
			FUZZ_CHECK(at + 2 <= r->chunk_left);
			r->chunk_left -= at + 2;
		} else if (!slice_starts(line, SLICE("x")) &&
			   !slice_eq(line, SLICE("..")) &&
			   !slice_eq(line, SLICE("."))) {
			check_command(r, line);
		}
		out = slice_from(out, at + 2);
	}
	FUZZ_CHECK(r->chunk_left == 0);
}

static void give_body(struct run *r)
{
	struct smtp_transaction *t = smtp_body_owner(r->engine);
	struct message *m = t->owner;

	while (r->is_long && smtp_body_sink(r->engine)->len < LONG)
		str_add(smtp_body_sink(r->engine),
			SLICE("xxxxxxxxxxxxxxxxx\r\n"));
	if (r->is_long) {
		smtp_body_filled(r->engine, false);
		if (smtp_body_owner(r->engine) != t)
			return; /* a chunk waits for an answer */
	}
	m->end_at = r->sent + smtp_output(r->engine).len;
	str_add(smtp_body_sink(r->engine), SLICE("x\r\n..\r\n"));
	smtp_body_filled(r->engine, true);
	m->is_end_given = true;
	if (!r->is_slow) /* then all of it goes at once */
		m->end_at = r->sent + smtp_output(r->engine).len;
}

/* Looks at what is new in the output, and sends of it what the socket takes. */
static void write_output(struct run *r)
{
	struct slice out = smtp_output(r->engine);
	size_t n = r->is_slow ? out.len - out.len / 4 : out.len;

	if (out.len < r->checked) {
		FUZZ_CHECK(out.len == 0);
		FUZZ_CHECK(r->is_closed || smtp_is_out_of_step(r->engine));
		r->checked = 0;
		return;
	}
	check_output(r, slice_from(out, r->checked));
	smtp_sent(r->engine, n);
	r->sent += n;
	r->checked = out.len - n;
}

static void pump(struct run *r)
{
	take_events(r);
	for (size_t i = 0; i < MESSAGES && !r->is_closed; i++) {
		if (r->messages[i].is_to_go)
			add(r, &r->messages[i]);
		take_events(r);
	}
	while ((smtp_wants(r->engine) & SMTP_WANTS_BODY) != 0)
		give_body(r);
	write_output(r);
	take_events(r);
}

/* ---- the run ---------------------------------------------------------------
 */

static void set_message(struct message *m, uint8_t shape, size_t i)
{
	static const int64_t deadlines[] = { INT64_MIN, -1,   0,
					     1000,	1001, INT64_MAX };
	static const char *const senders[MESSAGES] = { "s@a.example", "",
						       "t@b.example" };
	struct smtp_transaction *t = &m->t;

	t->sender = slice_of(senders[i]);
	t->size = 10;
	t->owner = m;
	t->rcpts = m->rcpts;
	m->n_rcpts = 1 + (shape & 3u) % RCPTS;
	t->is_8bit = (shape & 4) != 0;
	t->needs_smtputf8 = (shape & 8) != 0;
	if ((shape & 16) != 0) {
		t->envid = SLICE("E1");
		for (size_t k = 0; k < RCPTS; k++)
			m->rcpts[k].notify = SLICE("NEVER");
	}
	t->by = (struct smtp_by){
		.is_set = (shape & 32) != 0,
		.mode = (shape & 64) != 0 ? 'R' : 'N',
		.trace = (shape & 128) != 0,
		.deadline = deadlines[(shape / 4u + i) % COUNT(deadlines)],
	};
}

static void set_security(struct run *r, unsigned how)
{
	static const enum smtp_tls tls[] = { SMTP_TLS_NONE, SMTP_TLS_MAY,
					     SMTP_TLS_REQUIRED, SMTP_TLS_MAY };

	r->config.tls = tls[how];
	r->config.trace = trace;
	r->config.trace_context = r;
	r->auth = (struct smtp_auth){ .context = r,
				      .begin = auth_begin,
				      .step = auth_step,
				      .done = auth_done };
	if (how >= 2)
		r->config.auth = &r->auth;
}

static void begin(struct run *r, const uint8_t *head)
{
	static const int64_t times[] = { 1000, INT64_MAX, INT64_MIN, 0 };
	uint8_t flags = head[0];

	r->config = (struct smtp_config){
		.is_lmtp = (flags & 1) != 0,
		.no_esmtp = (flags & 2) != 0,
		.esmtp_only_if_greeted = (flags & 4) != 0,
		.window = 1 + ((unsigned)flags >> 3 & 3),
		.ignored = head[1] | ((unsigned)head[2] & 31) << 8,
		.helo_name = SLICE("client.example"),
		.wall_time = wall_time,
		.wall_time_context = r,
	};
	set_security(r, head[2] >> 6);
	r->is_long = (flags & 32) != 0;
	r->is_slow = (head[2] & 32) != 0;
	r->now = times[flags >> 6];
	r->arena = arena_new();
	r->engine = smtp_new(&r->config);
	for (size_t i = 0; i < MESSAGES; i++) {
		r->messages[i].t.arena = r->arena;
		set_message(&r->messages[i], head[3 + i], i);
		r->messages[i].t.needs_requiretls = i > 0 && head[2] >> 6 == i;
		add(r, &r->messages[i]);
	}
}

/* Flags, what is ignored, slow and secure (2), a shape for each message, size
 * of pieces. */
enum { HEAD = 7, BY_LINE = 0 };

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct run r = { 0 };
	size_t step;

	if (size < HEAD)
		return 0;
	begin(&r, data);
	step = data[HEAD - 1];
	in = slice_from(in, HEAD);
	while (in.len > 0) {
		struct slice piece = slice_head(in, step);

		if (step == BY_LINE)
			piece = slice_head(in, slice_find(in, '\n') + 1);
		smtp_input(r.engine, piece);
		in = slice_from(in, piece.len);
		pump(&r);
	}
	(void)smtp_suspects(r.engine);
	smtp_lost(r.engine, "connection-lost", "end of fuzz input");
	FUZZ_CHECK(smtp_output(r.engine).len == 0);
	take_events(&r);
	FUZZ_CHECK(r.is_closed);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct message *m = &r.messages[i];

		FUZZ_CHECK(m->over == 1 || (m->over == 0 && m->is_to_go));
		for (size_t k = 0; k < m->n_rcpts; k++)
			FUZZ_CHECK(m->ended[k] == 1 || m->is_given_up ||
				   m->is_to_go);
	}
	smtp_free(r.engine);
	arena_free(r.arena);
	return 0;
}

/*
 * engine_model_test.c - the engine against thousands of random servers.
 *
 * The servers are those of test_model.h. The client of this file does what
 * engine.h asks of a caller: it adds messages while there is room, adds again
 * what comes back for a reason that allows it, and judges by smtp_caps().
 * Whatever the server does:
 *
 *  - a recipient reported as delivered is held exactly once, with its own
 *    sender, content and the parameters that its message needs;
 *  - one that failed, was deferred or came back is not held at all;
 *  - one whose outcome is unknown is held at most once; under another sender
 *    only if the server was left in that one's transaction by a RSET that it
 *    refused, and then it is always unknown;
 *  - an outcome is unknown only if the server hung up, went deaf or said what
 *    means nothing, or for that one cause: never by the client's own act;
 *  - the next hop is said to report success only if it was asked to;
 *  - no MAIL is said before TLS and AUTH are as they were asked for, and
 *    nothing that was offered in clear counts inside TLS;
 *  - nothing goes round in circles.
 *
 *	ZPOST_ROUNDS=200000	more servers than the standard ones
 */
#include "base/mem.h"
#include "base/test.h"
#include "smtp/engine.h"
#include "smtp/test_model.h"

#include <stdlib.h>

/* Enough for every extension to be refused one by one, and a limit each. */
enum { ROUNDS = 8000, RARE = ROUNDS / 400, TRIES_MAX = 16, START = 1000 };

struct message {
	struct smtp_transaction t;
	struct smtp_rcpt rcpts[RCPTS_MAX];
	size_t which[RCPTS_MAX]; /* number of each recipient of t */
	size_t n_rcpts;
	const struct diag *diags[RCPTS_MAX];
	unsigned tries, n_begun;
	int ends;
	bool is_to_go, is_returned;
};

/* What must come about now and then, for the test to be worth anything. */
struct seen {
	unsigned astray; /* recipients held under another's sender */
	unsigned saved;	 /* messages accepted by a server out of step */
	unsigned behind; /* messages that came back from behind a 421 */
	unsigned secure; /* messages taken inside TLS, authenticated */
	unsigned injected;
};

struct play {
	struct seen *seen;
	struct arena *arena;
	struct server server;
	struct want wants[MESSAGES];
	struct smtp_engine *engine;
	struct smtp_auth auth;
	struct message messages[MESSAGES];
	int64_t now;
	bool is_ready, is_closed, is_quit;
	unsigned pace;	     /* of adding: one in so many steps */
	bool may_be_unknown; /* an end was sent and not answered */
};

static int64_t wall_time(void *context)
{
	struct play *p = context;

	p->now += one_in(4);
	return p->now;
}

/* ---- AUTH ---------------------------------------------------------------- */

static enum smtp_auth_choice auth_begin(void *context, struct slice offered,
					bool is_tls,
					struct smtp_auth_start *ret,
					struct err *why)
{
	struct play *p = context;

	assert_int_equal(is_tls, p->server.is_in_tls);
	if (slice_find_text(offered, SLICE("ONE")) == offered.len) {
		err_set(why, 0, "none in common");
		return SMTP_AUTH_FAIL;
	}
	ret->mechanism = "ONE";
	ret->has_initial = one_in(2);
	if (ret->has_initial)
		str_adds(&ret->initial, "initial");
	return SMTP_AUTH_USE;
}

static bool auth_step(void *context, struct slice challenge,
		      struct str *ret_response, struct err *why)
{
	(void)context;
	if (one_in(20)) {
		err_set(why, 0, "no answer to that");
		return false;
	}
	str_add(ret_response, challenge);
	return true;
}

static enum smtp_auth_end auth_done(void *context, const struct reply *reply,
				    struct err *why)
{
	(void)context;
	(void)why;
	if (reply->code >= 400)
		return one_in(2) ? SMTP_AUTH_OTHER : SMTP_AUTH_FAILED;
	return SMTP_AUTH_DONE;
}

/* ---- the caller ---------------------------------------------------------- */

/* Can it be sent to this server, as it is known by now? */
static bool is_possible(const struct play *p, const struct want *w)
{
	const struct caps *caps = smtp_caps(p->engine);

	return (!w->needs_utf8 || caps->smtputf8) &&
	       (!w->needs_tls || caps->requiretls) &&
	       (!w->is_by_return || caps->deliverby);
}

static void end(struct message *m, bool is_returned)
{
	m->ends++;
	m->is_returned = is_returned;
}

static void build(struct play *p, struct message *m)
{
	int i = (int)(m - p->messages);
	const struct want *w = &p->wants[i];
	struct smtp_transaction *t = &m->t;

	*t = (struct smtp_transaction){ .arena = p->arena,
					.rcpts = m->rcpts,
					.owner = m };
	t->sender = arena_printf(p->arena, "m%d%s@x", i,
				 w->needs_utf8 ? "\xc3\xb6" : "");
	t->size = chance(3) * 1000;
	t->needs_smtputf8 = w->needs_utf8;
	t->needs_requiretls = w->needs_tls;
	/* Where it cannot be said it is converted. */
	t->is_8bit = w->has_8bit && smtp_caps(p->engine)->eightbitmime;
	t->envid = one_in(2) ? SLICE("E1") : SLICE("");
	t->by = (struct smtp_by){ .is_set = w->has_by,
				  .mode = w->is_by_return ? 'R' : 'N',
				  .trace = one_in(2),
				  .deadline = START + chance(20) };
	for (size_t r = 0; r < m->n_rcpts; r++) {
		if (m->diags[r] != NULL)
			continue;
		m->which[t->n_rcpts] = r;
		m->rcpts[t->n_rcpts++] = (struct smtp_rcpt){
			.path = arena_printf(p->arena, "r%d.%zu@y", i, r),
			.notify = w->has_notify ? SLICE("SUCCESS") : SLICE("")
		};
	}
}

static void add(struct play *p, struct message *m)
{
	m->is_to_go = false;
	if (!is_possible(p, &p->wants[m - p->messages])) {
		end(m, true);
		return;
	}
	if (++m->tries > TRIES_MAX)
		fail_msg("a message goes round in circles");
	build(p, m);
	smtp_add(p->engine, &m->t);
}

static bool has_open_rcpt(const struct message *m)
{
	for (size_t r = 0; r < m->n_rcpts; r++)
		if (m->diags[r] == NULL)
			return true;
	return false;
}

static bool goes_again(const struct diag *d)
{
	return strcmp(d->reason, "parameter-refused") == 0 ||
	       strcmp(d->reason, "chunking-refused") == 0;
}

/* What the event tells of the server is true of the engine already. */
static void check_extensions(const struct play *p, const struct smtp_event *ev)
{
	bool has_reason = goes_again(ev->diag);

	assert_int_equal(ev->extensions != 0, has_reason);
	assert_int_equal(caps_set(smtp_caps(p->engine)) & ev->extensions, 0);
}

/* What is on its way in clear now ruins the handshake. */
static void shake_hands(struct play *p)
{
	assert_int_equal(smtp_wants(p->engine), SMTP_WANTS_TLS);
	assert_true(p->server.is_at_handshake);
	if (p->server.out.len > 0) {
		smtp_lost(p->engine, "tls-handshake", "no TLS record");
		return;
	}
	server_secure(&p->server);
	smtp_tls_started(p->engine);
}

static void on_event(struct play *p, const struct smtp_event *ev)
{
	struct message *m =
	    ev->transaction != NULL ? ev->transaction->owner : NULL;

	switch (ev->kind) {
	case SMTP_EVENT_RCPT:
		check_extensions(p, ev);
		if (strcmp(ev->diag->reason, "outcome-unknown") == 0)
			assert_true(p->may_be_unknown);
		assert_null(m->diags[m->which[ev->rcpt]]);
		p->seen->secure += p->server.is_in_tls && p->server.has_auth &&
				   fate_is_success(ev->diag->fate);
		p->seen->saved += smtp_is_out_of_step(p->engine) &&
				  fate_is_success(ev->diag->fate);
		if (!goes_again(ev->diag) &&
		    strcmp(ev->diag->reason, "rcpt-limit") != 0)
			m->diags[m->which[ev->rcpt]] = ev->diag;
		break;
	case SMTP_EVENT_DONE:
		m->n_begun++;
		m->is_to_go = has_open_rcpt(m);
		if (!m->is_to_go)
			end(m, false);
		break;
	case SMTP_EVENT_RETURNED:
		check_extensions(p, ev);
		m->n_begun += ev->was_begun;
		p->seen->behind +=
		    p->may_be_unknown && ev->was_begun &&
		    strcmp(ev->diag->reason, "closed-by-peer") == 0;
		m->is_to_go = goes_again(ev->diag);
		if (!m->is_to_go)
			end(m, true);
		break;
	case SMTP_EVENT_READY:
		p->is_ready = true;
		break;
	case SMTP_EVENT_STARTTLS:
		shake_hands(p);
		break;
	case SMTP_EVENT_FAILED:
		assert_false(p->is_ready);
		p->seen->injected +=
		    strcmp(ev->diag->reason, "starttls-injection") == 0;
		break;
	case SMTP_EVENT_CLOSED:
		p->is_closed = true;
		break;
	}
}

static void take_events(struct play *p)
{
	struct smtp_event ev;

	while (smtp_event(p->engine, &ev)) {
		assert_false(p->is_closed);
		on_event(p, &ev);
	}
}

/* Adds what is to go, as far as there is room; says QUIT at the end. */
static void add_messages(struct play *p)
{
	bool is_over = true;

	for (int i = 0; i < MESSAGES && !p->is_closed; i++) {
		struct message *m = &p->messages[i];

		if (m->is_to_go && p->is_ready && one_in(p->pace) &&
		    (smtp_has_room(p->engine) || one_in(5)))
			add(p, m);
		take_events(p);
		is_over = is_over && m->ends > 0;
	}
	if (p->is_ready && smtp_is_used_up(p->engine) &&
	    !smtp_is_busy(p->engine))
		is_over = true;
	if (is_over && !p->is_quit && !p->is_closed) {
		smtp_quit(p->engine);
		p->is_quit = true;
	}
}

/* Content in up to three pieces; large ones make several chunks. */
static void give_body(struct play *p)
{
	struct smtp_transaction *t = smtp_body_owner(p->engine);
	struct message *m = t->owner;
	unsigned pieces = 1 + chance(3);
	unsigned lines = one_in(20) ? 2000 : one_in(2) ? 60 : 3;

	str_addf(smtp_body_sink(p->engine), "M%d%c", (int)(m - p->messages),
		 t->is_8bit ? '8' : '7');
	while (pieces-- > 0) {
		for (unsigned i = lines; i > 0; i--)
			str_adds(smtp_body_sink(p->engine),
				 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
		smtp_body_filled(p->engine, pieces == 0);
		/* A chunk may wait for an answer; it comes back for more. */
		if (pieces > 0 &&
		    (smtp_wants(p->engine) & SMTP_WANTS_BODY) == 0)
			return;
	}
}

/* ---- the wire -------------------------------------------------------------
 */

/* Nothing comes any more: it read EHLO and MAIL, and dropped the rest. */
static void time_out(struct play *p)
{
	unsigned suspects = smtp_suspects(p->engine);

	smtp_lost(p->engine, "timeout", "timeout");
	assert_int_equal(smtp_suspects(p->engine), suspects);
	if (p->server.n_lines == 2 &&
	    (p->server.allowed & SMTP_EXT_PIPELINING) != 0)
		assert_int_equal(suspects & SMTP_EXT_PIPELINING,
				 SMTP_EXT_PIPELINING);
}

/* A few bytes, a few lines, or all there is. */
static size_t piece(void)
{
	static const unsigned most[] = { 7, 50, 300, 1000000 };

	return 1 + chance(most[chance(4)]);
}

/* Moves some bytes in one direction or the other. */
static void exchange(struct play *p)
{
	struct slice out = smtp_output(p->engine);
	struct server *s = &p->server;
	size_t n;

	p->may_be_unknown = smtp_has_unanswered_end(p->engine);

	if (out.len > 0 && !s->is_gone && chance(3) > 0) {
		n = piece();
		out = slice_head(out, n);
		str_add(&s->in, out);
		smtp_sent(p->engine, out.len);
		server_read(s);
	} else if (s->out.len > 0) {
		n = piece();
		out = slice_head(str_slice(&s->out), n);
		smtp_input(p->engine, out);
		str_shift(&s->out, out.len);
	} else if (s->is_gone && out.len == 0) {
		smtp_lost(p->engine, "connection-lost", "remote hung up on us");
	} else if (s->is_gone) {
		smtp_sent(p->engine, out.len); /* into the void */
	} else if (out.len == 0 && !p->is_closed && s->is_deaf) {
		time_out(p);
	}
}

static void converse(struct play *p)
{
	for (unsigned i = 0; i < 200000 && !p->is_closed; i++) {
		take_events(p);
		add_messages(p);
		take_events(p);
		if ((smtp_wants(p->engine) & SMTP_WANTS_BODY) != 0)
			give_body(p);
		exchange(p);
	}
	take_events(p);
	assert_true(p->is_closed && !smtp_is_busy(p->engine));
}

/* ---- playing --------------------------------------------------------------
 */

static void begin(struct play *p)
{
	struct smtp_config config = { .helo_name = SLICE("client"),
				      .window = 1 + chance(MESSAGES),
				      .wall_time = wall_time,
				      .wall_time_context = p };

	p->now = START;
	p->pace = one_in(2) ? 2 : 20;
	p->server.is_lmtp = config.is_lmtp = one_in(3);
	if (one_in(4))
		config.ignored = 1u << chance(14) | 1u << chance(14);
	if (one_in(3))
		config.tls = one_in(2) ? SMTP_TLS_MAY : SMTP_TLS_REQUIRED;
	p->server.wants_tls = config.tls == SMTP_TLS_REQUIRED;
	p->server.wants_auth = one_in(6);
	p->auth = (struct smtp_auth){ .context = p,
				      .begin = auth_begin,
				      .step = auth_step,
				      .done = auth_done };
	config.auth = p->server.wants_auth ? &p->auth : NULL;
	server_begin(&p->server, config.ignored, p->wants);
	p->arena = arena_new();
	p->engine = smtp_new(&config);
	for (int i = 0; i < MESSAGES; i++) {
		struct want *w = &p->wants[i];

		w->has_8bit = one_in(3);
		w->needs_utf8 = one_in(6);
		w->needs_tls = one_in(8);
		w->has_by = one_in(4);
		w->is_by_return = w->has_by && one_in(2);
		w->has_notify = one_in(2);
		p->messages[i].n_rcpts = 1 + chance(RCPTS_MAX);
		p->messages[i].is_to_go = true;
	}
}

static void check_rcpt(const struct play *p, int message, size_t rcpt)
{
	const struct message *m = &p->messages[message];
	const struct diag *d = m->diags[rcpt];
	const struct server *s = &p->server;
	int held = s->held[message][rcpt];
	int astray = s->held_astray[message][rcpt];
	bool is_unknown =
	    d != NULL && strcmp(d->reason, "outcome-unknown") == 0;

	if (d == NULL)
		assert_true(m->is_returned || m->is_to_go);
	if (is_unknown)
		assert_true(held + astray <= 1 && (s->may_lose || astray > 0));
	else
		assert_int_equal(astray, 0);
	p->seen->astray += astray > 0;
	if (d != NULL && fate_is_success(d->fate))
		assert_int_equal(held, 1);
	else if (!is_unknown)
		assert_int_equal(held, 0);
	if (d != NULL && fate_is_success(d->fate) &&
	    p->wants[message].has_notify)
		assert_int_equal(d->dsn_handed_over,
				 s->held_notify[message][rcpt] && !s->is_lmtp);
}

static void check(const struct play *p)
{
	assert_false(p->server.is_held_wrongly);
	for (int i = 0; i < MESSAGES; i++) {
		const struct message *m = &p->messages[i];

		assert_int_equal(m->ends, m->is_to_go ? 0 : 1);
		assert_true(p->server.mails_seen[i] <= m->n_begun);
		for (size_t r = 0; r < m->n_rcpts; r++)
			check_rcpt(p, i, r);
	}
}

static void test_what_is_reported_is_what_the_server_holds(void **state)
{
	const char *more = getenv("ZPOST_ROUNDS");
	unsigned rounds = more != NULL ? (unsigned)atoi(more) : ROUNDS;
	struct seen seen = { 0 };

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		struct play *p = mem_zero(1, sizeof(*p));

		p->seen = &seen;
		chance_state = round * 2654435761u + 12345;
		begin(p);
		converse(p);
		check(p);
		smtp_free(p->engine);
		server_done(&p->server);
		arena_free(p->arena);
		free(p);
	}
	print_message("astray %u, saved %u, behind 421 %u, secure %u, "
		      "injected %u\n",
		      seen.astray, seen.saved, seen.behind, seen.secure,
		      seen.injected);
	assert_true(seen.astray > RARE && seen.saved > RARE &&
		    seen.behind > RARE && seen.secure > RARE &&
		    seen.injected > RARE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_what_is_reported_is_what_the_server_holds),
	};

	return TEST_RUN(tests);
}

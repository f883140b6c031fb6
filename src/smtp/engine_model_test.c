/*
 * engine_model_test.c - the engine against thousands of random servers.
 *
 * A server in this file reads what the engine writes, decides at random about
 * every command (yes, 4xx, 5xx, 421, hang up), and remembers what it took:
 * sender, recipient, content. Servers differ in what they offer and in what
 * they keep of a transaction that was refused. Whatever happens:
 *
 *  - a recipient reported as delivered is held exactly once, with its own
 *    sender and content;
 *  - one that failed, was deferred or came back is not held at all;
 *  - one whose outcome is unknown is held at most once, and rightly.
 */
#include "base/mem.h"
#include "base/test.h"
#include "smtp/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 5, RCPTS_MAX = 4, ROUNDS = 4000 };

/* ---- chance ---------------------------------------------------------------
 */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
	chance_state =
	    chance_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance_state >> 33) % below;
}

/* ---- the server -------------------------------------------------------------
 */

struct server {
	bool is_lmtp, keeps_state, has_pipelining, has_chunking, has_bdat;
	unsigned trouble; /* per thousand commands */
	struct str in, out;
	bool is_gone;
	bool has_mail, is_in_data;
	int sender; /* number of the message that MAIL named */
	int rcpts[RCPTS_MAX * MESSAGES];
	size_t n_rcpts;
	size_t chunk_left;
	bool is_chunk_last, is_chunk_refused;
	struct str content;
	int held[MESSAGES][RCPTS_MAX]; /* how often each was taken */
	bool is_held_wrongly;
};

enum decision { YES, NO_FOR_NOW, NO, GOODBYE, HANG_UP };

static enum decision decide(const struct server *s)
{
	if (chance(1000) >= s->trouble)
		return YES;
	return (enum decision)(NO_FOR_NOW + chance(4));
}

static void forget(struct server *s)
{
	s->has_mail = false;
	s->n_rcpts = 0;
	str_clear(&s->content);
}

/* Answers by a decision; true for yes. */
static bool answer(struct server *s, enum decision d, const char *yes)
{
	switch (d) {
	case YES:
		str_addf(&s->out, "%s\r\n", yes);
		return true;
	case NO_FOR_NOW:
		str_adds(&s->out, "451 not now\r\n");
		return false;
	case NO:
		str_adds(&s->out, "550 never\r\n");
		return false;
	case GOODBYE:
		str_adds(&s->out, "421 goodbye\r\n");
		break;
	case HANG_UP:
		break;
	}
	s->is_gone = true;
	return false;
}

static void refuse(struct server *s, const char *reply)
{
	str_addf(&s->out, "%s\r\n", reply);
}

/* Content "M<number>" must have come with the sender "m<number>@...". */
static void take(struct server *s, int rcpt)
{
	int content = -1;

	if (s->content.len > 1 && s->content.p[0] == 'M')
		content = s->content.p[1] - '0';
	if (content != s->sender || rcpt / RCPTS_MAX != s->sender)
		s->is_held_wrongly = true;
	else
		s->held[s->sender][rcpt % RCPTS_MAX]++;
}

/* The end of content: decides, and answers before or after it takes. */
static void on_content(struct server *s)
{
	size_t n = s->is_lmtp ? s->n_rcpts : 1;

	for (size_t i = 0; i < n && !s->is_gone; i++) {
		enum decision d = decide(s);
		bool takes = d == YES || (d == HANG_UP && chance(2) == 0);

		for (size_t r = 0; takes && r < s->n_rcpts; r++)
			if (!s->is_lmtp || r == i)
				take(s, s->rcpts[r]);
		(void)answer(s, d, "250 taken");
	}
	forget(s);
}

static int number_behind(struct slice line, const char *prefix)
{
	size_t at = slice_find_text(line, slice_of(prefix));

	at += strlen(prefix);
	return at < line.len ? line.p[at] - '0' : -1;
}

static void on_mail(struct server *s, struct slice line)
{
	if (s->has_mail) {
		refuse(s, "503 nested MAIL");
		return;
	}
	if (!answer(s, decide(s), "250 ok"))
		return;
	s->has_mail = true;
	s->sender = number_behind(line, "<m");
}

static void on_rcpt(struct server *s, struct slice line)
{
	int message = number_behind(line, "<r"), which;

	if (!s->has_mail) {
		refuse(s, "503 no MAIL");
		return;
	}
	which = line.p[slice_find(line, '.') + 1] - '0';
	if (answer(s, decide(s), "250 ok"))
		s->rcpts[s->n_rcpts++] = message * RCPTS_MAX + which;
}

static void on_data(struct server *s)
{
	if (!s->has_mail || s->n_rcpts == 0) {
		refuse(s, "554 no valid recipients");
		if (!s->keeps_state)
			forget(s);
		return;
	}
	s->is_in_data = answer(s, decide(s), "354 go");
	if (!s->is_in_data && !s->keeps_state)
		forget(s);
}

static void on_bdat(struct server *s, struct slice line)
{
	struct slice words = slice_from(line, 5), size = { 0 };
	uint64_t n = 0;

	if (!s->has_bdat) {
		/* A server that does not know BDAT reads on in commands. */
		refuse(s, "500 what?");
		return;
	}
	if (!slice_word(&words, &size) || !slice_uint(size, 1000000, &n))
		fail_msg("bad BDAT");
	s->chunk_left = n;
	s->is_chunk_last = slice_has(words, 'L');
	s->is_chunk_refused = !s->has_mail || s->n_rcpts == 0;
}

static void end_chunk(struct server *s)
{
	s->chunk_left = SIZE_MAX;
	if (s->is_chunk_refused) {
		refuse(s, "503 no valid recipients");
		if (!s->keeps_state)
			forget(s);
	} else if (s->is_chunk_last) {
		on_content(s);
	} else if (!answer(s, decide(s), "250 chunk")) {
		s->has_mail = s->has_mail && s->keeps_state;
		if (!s->keeps_state)
			forget(s);
		else
			s->n_rcpts = 0;
	}
}

static void on_hello(struct server *s)
{
	str_adds(&s->out, "250-server\r\n");
	if (s->has_pipelining)
		str_adds(&s->out, "250-PIPELINING\r\n");
	if (s->has_chunking)
		str_adds(&s->out, "250-CHUNKING\r\n");
	str_adds(&s->out, "250 HELP\r\n");
}

static void on_line(struct server *s, struct slice line)
{
	if (s->is_in_data) {
		if (slice_eq(line, SLICE("."))) {
			s->is_in_data = false;
			on_content(s);
		} else {
			str_add(&s->content, line);
		}
	} else if (slice_starts(line, SLICE("EHLO")) ||
		   slice_starts(line, SLICE("LHLO"))) {
		on_hello(s);
	} else if (slice_starts(line, SLICE("MAIL FROM:<"))) {
		on_mail(s, line);
	} else if (slice_starts(line, SLICE("RCPT TO:<"))) {
		on_rcpt(s, line);
	} else if (slice_eq(line, SLICE("DATA"))) {
		on_data(s);
	} else if (slice_starts(line, SLICE("BDAT "))) {
		on_bdat(s, line);
	} else if (slice_eq(line, SLICE("RSET"))) {
		forget(s);
		str_adds(&s->out, "250 reset\r\n");
	} else if (slice_eq(line, SLICE("QUIT"))) {
		s->is_gone = true;
	} else if (s->has_bdat) {
		fail_msg("not a command: %.*s", SLICE_ARG(line));
	} else {
		refuse(s, "500 what?");
	}
}

/* Reads what there is, as far as it is whole. */
static void serve(struct server *s)
{
	while (!s->is_gone && s->in.len > 0) {
		struct slice in = str_slice(&s->in);
		size_t at = slice_find_text(in, SLICE("\r\n"));

		if (s->chunk_left != SIZE_MAX) {
			size_t n =
			    in.len < s->chunk_left ? in.len : s->chunk_left;

			str_add(&s->content, slice_head(in, n));
			str_shift(&s->in, n);
			s->chunk_left -= n;
			if (s->chunk_left == 0)
				end_chunk(s);
			continue;
		}
		if (at == in.len)
			return;
		in = slice_head(in, at);
		on_line(s, in);
		str_shift(&s->in, at + 2);
	}
}

/* ---- the client
 * ---------------------------------------------------------------- */

struct message {
	struct smtp_transaction t;
	struct smtp_rcpt rcpts[RCPTS_MAX];
	const struct diag *diags[RCPTS_MAX];
	int ends;
	bool is_returned;
};

struct play {
	struct arena *arena;
	struct server server;
	struct smtp_engine *engine;
	struct message messages[MESSAGES];
	bool is_closed;
};

static void take_events(struct play *p)
{
	struct smtp_event ev;

	while (smtp_event(p->engine, &ev)) {
		struct message *m =
		    ev.transaction != NULL ? ev.transaction->owner : NULL;

		assert_false(p->is_closed);
		if (ev.kind == SMTP_EVENT_RCPT) {
			assert_null(m->diags[ev.rcpt]);
			m->diags[ev.rcpt] = ev.diag;
		} else if (ev.kind == SMTP_EVENT_DONE) {
			m->ends++;
		} else if (ev.kind == SMTP_EVENT_RETURNED) {
			m->ends++;
			m->is_returned = true;
		} else if (ev.kind == SMTP_EVENT_CLOSED) {
			p->is_closed = true;
		}
	}
}

/* Content in up to three pieces; large ones make several chunks. */
static void give_body(struct play *p)
{
	struct smtp_transaction *t = smtp_body_owner(p->engine);
	struct message *m = t->owner;
	unsigned pieces = 1 + chance(3);

	str_addf(smtp_body_sink(p->engine), "M%d", (int)(m - p->messages));
	while (pieces-- > 0) {
		for (unsigned i = chance(20) == 0 ? 2000 : 3; i > 0; i--)
			str_adds(smtp_body_sink(p->engine),
				 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
		smtp_body_filled(p->engine, pieces == 0);
		/* A chunk may wait for an answer; it comes back for more. */
		if (pieces > 0 &&
		    (smtp_wants(p->engine) & SMTP_WANTS_BODY) == 0)
			return;
	}
}

/* Moves some bytes in one direction or the other. */
static void exchange(struct play *p)
{
	struct slice out = smtp_output(p->engine);
	size_t n;

	if (out.len > 0 && chance(3) > 0) {
		n = 1 + chance(chance(4) == 0 ? 7 : 1000000);
		out = slice_head(out, n);
		if (!p->server.is_gone)
			str_add(&p->server.in, out);
		smtp_sent(p->engine, out.len);
		serve(&p->server);
	} else if (p->server.out.len > 0) {
		n = 1 + chance(chance(4) == 0 ? 7 : 1000);
		out = slice_head(str_slice(&p->server.out), n);
		smtp_input(p->engine, out);
		str_shift(&p->server.out, out.len);
	} else if (p->server.is_gone && out.len == 0) {
		smtp_lost(p->engine, "connection-lost", "remote hung up on us");
	} else if (p->server.is_gone) {
		smtp_sent(p->engine, out.len); /* into the void */
	}
}

static bool is_idle(const struct play *p)
{
	return smtp_wants(p->engine) == 0 && p->server.out.len == 0;
}

static void converse(struct play *p)
{
	for (unsigned i = 0; i < 200000 && !p->is_closed; i++) {
		take_events(p);
		if (p->is_closed || (is_idle(p) && !smtp_is_busy(p->engine)))
			break;
		if ((smtp_wants(p->engine) & SMTP_WANTS_BODY) != 0)
			give_body(p);
		exchange(p);
	}
	assert_true(p->is_closed || !smtp_is_busy(p->engine));
	smtp_lost(p->engine, "connection-lost", "end of play");
	take_events(p);
}

static void begin(struct play *p)
{
	struct server *s = &p->server;
	struct smtp_config config = { .helo_name = SLICE("client"),
				      .window = 1 + chance(MESSAGES) };

	s->is_lmtp = config.is_lmtp = chance(3) == 0;
	s->keeps_state = chance(2) == 0;
	s->has_pipelining = chance(4) != 0;
	s->has_chunking = chance(2) == 0;
	s->has_bdat = s->has_chunking;
	s->trouble = chance(2) == 0 ? 30 : 200;
	s->chunk_left = SIZE_MAX;
	str_adds(&s->out, "220 server ESMTP\r\n");
	p->arena = arena_new();
	p->engine = smtp_new(&config);
	for (int i = 0; i < MESSAGES; i++) {
		struct message *m = &p->messages[i];

		m->t = (struct smtp_transaction){ .arena = p->arena,
						  .rcpts = m->rcpts,
						  .owner = m };
		m->t.sender = arena_printf(p->arena, "m%d@x", i);
		m->t.n_rcpts = 1 + chance(RCPTS_MAX);
		for (size_t r = 0; r < m->t.n_rcpts; r++)
			m->rcpts[r].path =
			    arena_printf(p->arena, "r%d.%zu@y", i, r);
		smtp_add(p->engine, &m->t);
	}
}

static void check_rcpt(const struct play *p, int message, size_t rcpt)
{
	const struct message *m = &p->messages[message];
	const struct diag *d = m->diags[rcpt];
	int held = p->server.held[message][rcpt];

	if (d == NULL)
		assert_true(m->is_returned);
	if (d == NULL || (!fate_is_success(d->fate) &&
			  strcmp(d->reason, "outcome-unknown") != 0))
		assert_int_equal(held, 0);
	else if (fate_is_success(d->fate))
		assert_int_equal(held, 1);
	else
		assert_true(held <= 1);
}

static void check(const struct play *p)
{
	assert_false(p->server.is_held_wrongly);
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(p->messages[i].ends, 1);
		for (size_t r = 0; r < p->messages[i].t.n_rcpts; r++)
			check_rcpt(p, i, r);
	}
}

static void test_what_is_reported_is_what_the_server_holds(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct play *p = mem_zero(1, sizeof(*p));

		chance_state = round * 2654435761u + 12345;
		begin(p);
		converse(p);
		check(p);
		smtp_free(p->engine);
		str_done(&p->server.in);
		str_done(&p->server.out);
		str_done(&p->server.content);
		arena_free(p->arena);
		free(p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_what_is_reported_is_what_the_server_holds),
	};

	return TEST_RUN(tests);
}

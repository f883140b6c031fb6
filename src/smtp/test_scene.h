/*
 * test_scene.h - plays dialogues of STARTTLS, AUTH and REQUIRETLS.
 *
 *	S: line		the server says it
 *	S\: text	the same without CRLF
 *	C: line		the client must say it next
 *	T:		the client must want the handshake; it is made
 *	C.		the client must have nothing to say
 *	Q:		the caller says smtp_quit()
 *	L: reason	the caller says smtp_lost()
 *
 * Each is played with the server's bytes whole, one by one, and in random
 * pieces. The authenticator answers a challenge X with "re:X", cannot answer
 * "bad", and its secrets are the words "hush" and "aHVzaA==".
 */
#ifndef SMTP_TEST_SCENE_H
#define SMTP_TEST_SCENE_H

#include "base/mem.h"
#include "base/test.h"
#include "smtp/engine.h"

#include <stdlib.h>
#include <string.h>

struct scene {
	struct smtp_config config;
	const char *mechanisms; /* of ours, the best first; NULL: no AUTH */
	const char *initial;	/* initial response; NULL: none */
	const char *text;
	/* What must come of it. */
	const char *failed; /* "PHASE CODE REASON STATUS"; NULL: READY */
	const char *mechanism;
	const char *said; /* must be in the trace */
	bool is_whole;	  /* the server's bytes come in one piece */
	bool is_unproved; /* the authenticator does not believe a yes */
	bool needs_requiretls;
};

struct play {
	const struct scene *scene;
	struct arena *arena;
	struct smtp_config config;
	struct smtp_auth auth;
	struct smtp_engine *engine;
	struct slice left; /* mechanisms that were not tried */
	struct str heard, to_client, trace, failed;
	unsigned seed, n_ready, n_starttls;
	bool is_closed;
	unsigned n_done; /* how often the authenticator heard the end */
	struct smtp_transaction t;
	struct smtp_rcpt rcpt;
	const char *returned;
};

/* ---- the authenticator -------------------------------------------------- */

static inline bool has_word(struct slice words, struct slice word)
{
	struct slice other;

	while (slice_word(&words, &other))
		if (slice_eq(other, word))
			return true;
	return false;
}

static inline enum smtp_auth_choice begin(void *context, struct slice offered,
					  bool is_tls,
					  struct smtp_auth_start *ret,
					  struct err *why)
{
	struct play *p = context;
	struct slice word;

	assert_int_equal(is_tls, smtp_is_tls(p->engine));
	if (slice_eq(p->left, SLICE("-")))
		return SMTP_AUTH_SKIP;
	while (slice_word(&p->left, &word)) {
		if (!has_word(offered, word))
			continue;
		ret->mechanism = arena_cstr(p->arena, word);
		ret->has_initial = p->scene->initial != NULL;
		str_adds(&ret->initial,
			 ret->has_initial ? p->scene->initial : "");
		return SMTP_AUTH_USE;
	}
	err_set(why, 0, "no mechanism in common");
	return SMTP_AUTH_FAIL;
}

static inline bool step(void *context, struct slice challenge,
			struct str *ret_response, struct err *why)
{
	(void)context;
	if (slice_eq(challenge, SLICE("bad"))) {
		err_set(why, 0, "not a challenge");
		return false;
	}
	if (slice_eq(challenge, SLICE("long"))) {
		while (ret_response->len <= 12288 / 4 * 3)
			str_addc(ret_response, 'x');
		return true;
	}
	str_adds(ret_response, "re:");
	str_add(ret_response, challenge);
	return true;
}

static inline enum smtp_auth_end done(void *context, const struct reply *reply,
				      struct err *why)
{
	struct play *p = context;

	p->n_done++;
	if (reply->code == 504)
		return SMTP_AUTH_OTHER;
	if (reply->code >= 300)
		return SMTP_AUTH_FAILED;
	if (p->scene->is_unproved) {
		err_set(why, 0, "remote did not prove itself");
		return SMTP_AUTH_FAILED;
	}
	return SMTP_AUTH_DONE;
}

static inline void hide(void *context, struct slice text, struct str *to)
{
	struct slice secret = SLICE("hush");
	size_t at = slice_find_text(text, secret);

	(void)context;
	str_add(to, slice_head(text, at));
	if (at < text.len)
		str_adds(to, "***");
	str_add(to, slice_from(text, at + secret.len));
}

/* ---- the caller --------------------------------------------------------- */

static inline void trace(void *context, const struct smtp_said *said)
{
	struct play *p = context;

	str_addf(&p->trace, "%c %.*s\n", said->direction,
		 SLICE_ARG(said->text));
	if (said->reply != NULL)
		assert_true(slice_eq(said->reply->text, said->text));
}

static inline void note_failed(struct play *p, const struct smtp_event *ev)
{
	static const char *const phases[] = { "connect", "greeting", "hello",
					      "starttls", "auth" };
	const struct diag *d = ev->diag;

	str_addf(&p->failed, "%s %u %s %.*s", phases[ev->phase], ev->code,
		 d->reason,
		 SLICE_ARG(slice_head(d->status, slice_find(d->status, ' '))));
	assert_int_equal(d->fate, FATE_DEFERRED_ALL);
	assert_int_equal(p->n_ready, 0);
	str_addf(&p->trace, "%.*s %.*s\n", SLICE_ARG(d->text),
		 SLICE_ARG(d->diagnostic));
}

static inline void take_events(struct play *p)
{
	struct smtp_event ev;

	while (smtp_event(p->engine, &ev)) {
		assert_false(p->is_closed);
		switch (ev.kind) {
		case SMTP_EVENT_STARTTLS:
			p->n_starttls++;
			break;
		case SMTP_EVENT_READY:
			p->n_ready++;
			break;
		case SMTP_EVENT_FAILED:
			note_failed(p, &ev);
			break;
		case SMTP_EVENT_CLOSED:
			p->is_closed = true;
			break;
		case SMTP_EVENT_RETURNED:
			p->returned = ev.diag->reason;
			break;
		case SMTP_EVENT_RCPT:
		case SMTP_EVENT_DONE:
			break;
		}
	}
}

static inline void pump(struct play *p)
{
	struct slice out;

	take_events(p);
	out = smtp_output(p->engine);
	if (out.len > 0 && !p->is_closed) {
		str_add(&p->heard, out);
		smtp_sent(p->engine, out.len);
	}
	take_events(p);
}

static inline void feed(void *context, struct slice chunk)
{
	struct play *p = context;

	smtp_input(p->engine, chunk);
	pump(p);
}

static inline void flush(struct play *p)
{
	test_split(str_slice(&p->to_client), p->scene->is_whole ? 0 : p->seed,
		   feed, p);
	str_clear(&p->to_client);
	pump(p);
}

static inline void expect(struct play *p, struct slice want)
{
	struct slice all, line;
	size_t at;

	flush(p);
	all = str_slice(&p->heard);
	at = slice_find_text(all, SLICE("\r\n"));
	line = slice_head(all, at);
	if (at == all.len || !slice_eq(line, want))
		fail_msg("wanted '%.*s', got '%.*s'", SLICE_ARG(want),
			 SLICE_ARG(line));
	str_shift(&p->heard, at + 2);
}

static inline void shake_hands(struct play *p)
{
	flush(p);
	assert_int_equal(p->n_starttls, 1);
	assert_int_equal(smtp_wants(p->engine), SMTP_WANTS_TLS);
	assert_int_equal(p->heard.len, 0);
	smtp_tls_started(p->engine);
	assert_true(smtp_is_tls(p->engine));
	assert_int_equal(caps_set(smtp_caps(p->engine)), 0);
	pump(p);
}

static inline void play_line(struct play *p, struct slice line)
{
	struct slice rest = slice_from(line, 3);

	if (slice_starts(line, SLICE("S: "))) {
		str_add(&p->to_client, rest);
		str_adds(&p->to_client, "\r\n");
	} else if (slice_starts(line, SLICE("S\\: "))) {
		str_add(&p->to_client, slice_from(line, 4));
	} else if (slice_starts(line, SLICE("C: "))) {
		expect(p, rest);
	} else if (slice_eq(line, SLICE("T:"))) {
		shake_hands(p);
	} else if (slice_eq(line, SLICE("Q:"))) {
		flush(p);
		smtp_quit(p->engine);
		pump(p);
	} else if (slice_starts(line, SLICE("L: "))) {
		flush(p);
		smtp_lost(p->engine, arena_cstr(p->arena, rest), "as told");
		pump(p);
	} else {
		assert_slice_is(line, "C.");
		flush(p);
		assert_int_equal(p->heard.len, 0);
	}
}

/* ---- playing ------------------------------------------------------------ */

static inline void begin_play(struct play *p, const struct scene *scene,
			      unsigned seed)
{
	p->scene = scene;
	p->seed = seed;
	p->arena = arena_new();
	p->config = scene->config;
	p->config.helo_name = SLICE("me");
	p->config.trace = trace;
	p->config.trace_context = p;
	p->auth = (struct smtp_auth){ .context = p,
				      .begin = begin,
				      .step = step,
				      .done = done,
				      .hide = hide };
	if (scene->mechanisms != NULL) {
		p->left = slice_of(scene->mechanisms);
		p->config.auth = &p->auth;
	}
	p->engine = smtp_new(&p->config);
	p->rcpt.path = SLICE("b@y.example");
	p->t = (struct smtp_transaction){ .arena = p->arena,
					  .sender = SLICE("a@x.example"),
					  .rcpts = &p->rcpt,
					  .n_rcpts = 1 };
	p->t.needs_requiretls = scene->needs_requiretls;
	smtp_add(p->engine, &p->t);
}

static inline void end_play(struct play *p)
{
	smtp_free(p->engine);
	str_done(&p->heard);
	str_done(&p->to_client);
	str_done(&p->trace);
	str_done(&p->failed);
	arena_free(p->arena);
}

static inline void play_text(struct play *p, const char *text)
{
	struct slice rest = slice_of(text), line;

	while (slice_cut(&rest, '\n', &line))
		play_line(p, line);
	flush(p);
}

static inline void check_play(struct play *p)
{
	const struct scene *s = p->scene;
	const char *mechanism = smtp_auth_mechanism(p->engine);

	if (s->failed != NULL)
		assert_slice_is(str_slice(&p->failed), s->failed);
	else
		assert_int_equal(p->n_ready, 1);
	if (s->mechanism == NULL)
		assert_null(mechanism);
	else
		assert_string_equal(mechanism, s->mechanism);
	if (s->said != NULL && strstr(str_cstr(&p->trace), s->said) == NULL)
		fail_msg("the trace is: %s", str_cstr(&p->trace));
	/* Nothing secret is ever shown. */
	if (strstr(str_cstr(&p->trace), "hush") != NULL ||
	    strstr(str_cstr(&p->trace), "aHVzaA==") != NULL)
		fail_msg("the trace is: %s", str_cstr(&p->trace));
}

static inline void play_once(const struct scene *scene, unsigned seed)
{
	struct play *p = mem_zero(1, sizeof(*p));

	begin_play(p, scene, seed);
	play_text(p, scene->text);
	smtp_lost(p->engine, "connection-lost", "the play is over");
	pump(p);
	assert_true(p->is_closed);
	check_play(p);
	end_play(p);
	free(p);
}

static inline void play(const struct scene *scene)
{
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
		play_once(scene, seed);
}

#define PLAY(...) play(&(const struct scene){ __VA_ARGS__ })

#define MAY	 .config.tls = SMTP_TLS_MAY
#define REQUIRED .config.tls = SMTP_TLS_REQUIRED
#define HELLO	 "S: 220 mx ESMTP\nC: EHLO me\n"
#define MAIL	 "C: MAIL FROM:<a@x.example>"

#endif

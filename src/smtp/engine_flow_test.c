/*
 * engine_flow_test.c - what depends on when things are asked for and sent:
 * slow peers, messages added late, content in several chunks.
 */
#include "base/test.h"
#include "smtp/engine.h"

#include <stdio.h>

enum { PIECE = 64 * 1024, PIECES = 500, SOME = PIECE - 100, MOST = 8 * PIECE };

static void say(struct smtp_engine *e, struct slice reply)
{
	struct smtp_event ignored;

	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, reply);
	while (smtp_event(e, &ignored))
		continue;
}

static struct smtp_engine *at_content(struct smtp_transaction *t)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_engine *e = smtp_new(&config);

	smtp_add(e, t);
	say(e, SLICE("220 hello\r\n"));
	say(e, SLICE("250 hello\r\n"));
	say(e, SLICE("250 sender\r\n"));
	say(e, SLICE("250 recipient\r\n"));
	say(e, SLICE("354 go\r\n"));
	assert_int_equal(smtp_wants(e), SMTP_WANTS_BODY);
	return e;
}

/* A little always stays unsent: the buffer must not keep what has left. */
static void test_slow_reader_does_not_make_the_buffer_grow(void **state)
{
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction t = { .sender = SLICE("a@x.example"),
				      .rcpts = &rcpt,
				      .n_rcpts = 1,
				      .arena = arena_new() };
	struct smtp_engine *e = at_content(&t);
	struct str piece = STR_INIT;
	uint64_t sent = 0, added = 0;
	unsigned char expected = 0;

	(void)state;
	for (unsigned i = 0; i < PIECES; i++) {
		struct slice out;
		size_t n = i == 0 ? SOME : PIECE;

		str_clear(&piece);
		for (size_t k = 0; k < PIECE; k++)
			str_addc(&piece, (char)(added++ % 251));
		str_add(smtp_body_sink(e), str_slice(&piece));
		assert_true(smtp_body_sink(e)->len < MOST);
		out = smtp_output(e);
		assert_true(out.len >= n);
		for (size_t k = 0; k < n; k++) {
			if ((unsigned char)out.p[k] != expected)
				fail_msg("byte %llu is wrong",
					 (unsigned long long)(sent + k));
			expected = (unsigned char)((expected + 1) % 251);
		}
		smtp_sent(e, n);
		sent += n;
	}
	str_done(&piece);
	smtp_free(e);
	arena_free(t.arena);
}

/* What was lost between READY and the first message must not swallow it. */
static void test_message_for_a_lost_session_comes_back(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction t = { .rcpts = &rcpt,
				      .n_rcpts = 1,
				      .arena = arena_new() };
	struct smtp_engine *e = smtp_new(&config);
	struct smtp_event event;

	(void)state;
	smtp_input(e, SLICE("220 hello\r\n"));
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("250 hello\r\n250 nobody asked\r\n"));
	assert_true(smtp_event(e, &event));
	assert_int_equal(event.kind, SMTP_EVENT_READY);
	smtp_add(e, &t);
	assert_true(smtp_event(e, &event));
	assert_int_equal(event.kind, SMTP_EVENT_CLOSED);
	assert_true(smtp_event(e, &event));
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_string_equal(event.diag->reason, "protocol-error");
	assert_false(smtp_event(e, &event));
	smtp_free(e);
	arena_free(t.arena);
}

/* Goes on until READY and takes the event. */
static struct smtp_engine *ready(const struct smtp_config *config,
				 struct slice hello)
{
	struct smtp_engine *e = smtp_new(config);

	say(e, SLICE("220 hello\r\n"));
	say(e, hello);
	return e;
}

static struct smtp_event next_event(struct smtp_engine *e)
{
	struct smtp_event event;

	assert_true(smtp_event(e, &event));
	return event;
}

/*
 * Content made for 8BITMIME waits while the server takes that back: it must
 * not be sent raw, but come back to be made anew.
 */
static void test_content_for_a_lost_extension_is_not_sent(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction first = { .rcpts = &rcpt,
					  .n_rcpts = 1,
					  .is_8bit = true,
					  .arena = a },
				second = first;
	struct smtp_engine *e =
	    ready(&config, SLICE("250-hello\r\n250 8BITMIME\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_add(e, &first);
	smtp_add(e, &second);
	assert_slice_is(smtp_output(e), "MAIL FROM:<> BODY=8BITMIME\r\n");
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("555 BODY unknown\r\n"));
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_ptr_equal(event.transaction, &first);
	assert_true(event.was_begun);
	assert_slice_is(smtp_output(e), "RSET\r\n");
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("250 reset\r\n"));
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_ptr_equal(event.transaction, &second);
	assert_false(event.was_begun);
	assert_string_equal(event.diag->reason, "parameter-refused");
	assert_int_equal(event.extensions, SMTP_EXT_8BITMIME);
	assert_slice_is(smtp_output(e), "");
	assert_false(smtp_is_busy(e));
	smtp_free(e);
	arena_free(a);
}

/* A server that took a chunk knows BDAT: its 500 is about the content. */
static void test_refusal_behind_a_taken_chunk_is_the_content(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction t = { .rcpts = &rcpt,
				      .n_rcpts = 1,
				      .arena = arena_new() };
	struct smtp_engine *e =
	    ready(&config, SLICE("250-hello\r\n250 CHUNKING\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_add(e, &t);
	say(e, SLICE("250 sender\r\n"));
	say(e, SLICE("250 recipient\r\n"));
	for (unsigned i = 0; i < PIECE; i++)
		str_adds(smtp_body_sink(e), "x\r\n");
	smtp_body_filled(e, false);
	say(e, SLICE("250 chunk\r\n"));
	str_adds(smtp_body_sink(e), "end\r\n");
	smtp_body_filled(e, true);
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("500 no\r\n"));
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RCPT);
	assert_int_equal(event.diag->fate, FATE_FAILED);
	assert_string_equal(event.diag->reason, "content-refused");
	assert_true(smtp_caps(e)->chunking);
	smtp_free(e);
	arena_free(t.arena);
}

/* 354 is a yes to DATA alone: a chunk is not taken, nor is the message. */
static void test_354_to_a_chunk_is_no_success(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction t = { .rcpts = &rcpt,
				      .n_rcpts = 1,
				      .arena = arena_new() };
	struct smtp_engine *e =
	    ready(&config, SLICE("250-hello\r\n250 CHUNKING\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_add(e, &t);
	say(e, SLICE("250 sender\r\n"));
	say(e, SLICE("250 recipient\r\n"));
	for (unsigned i = 0; i < PIECE; i++)
		str_adds(smtp_body_sink(e), "x\r\n");
	smtp_body_filled(e, false);
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("354 go\r\n"));
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_string_equal(event.diag->reason, "protocol-error");
	assert_int_equal(next_event(e).kind, SMTP_EVENT_CLOSED);
	smtp_free(e);
	arena_free(t.arena);
}

/* What is answered to chunks behind the one that decided means nothing. */
static void test_later_chunks_do_not_fail_what_comes_back(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction t = { .rcpts = &rcpt,
				      .n_rcpts = 1,
				      .arena = arena_new() };
	struct smtp_engine *e = ready(
	    &config, SLICE("250-hello\r\n250-PIPELINING\r\n250 CHUNKING\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_add(e, &t);
	for (unsigned chunk = 0; chunk < 2; chunk++) {
		for (unsigned i = 0; i < PIECE; i++)
			str_adds(smtp_body_sink(e), "x\r\n");
		smtp_body_filled(e, chunk == 1);
	}
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("250 ok\r\n250 ok\r\n500 what?\r\n554 no\r\n"));
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_string_equal(event.diag->reason, "chunking-refused");
	assert_int_equal(event.extensions, SMTP_EXT_CHUNKING);
	assert_false(smtp_caps(e)->chunking);
	smtp_free(e);
	arena_free(t.arena);
}

/* Parameters refused to one message do not change what another was given. */
static void test_dsn_handed_over_is_what_was_said_then(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me"),
					    .window = 2 };
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example"),
				  .notify = SLICE("SUCCESS") };
	struct smtp_transaction first = { .rcpts = &rcpt,
					  .n_rcpts = 1,
					  .arena = a },
				second = first;
	struct smtp_engine *e =
	    ready(&config, SLICE("250-hello\r\n250-PIPELINING\r\n"
				 "250-CHUNKING\r\n250 DSN\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_add(e, &first);
	smtp_add(e, &second);
	while ((smtp_wants(e) & SMTP_WANTS_BODY) != 0) {
		str_adds(smtp_body_sink(e), "x\r\n");
		smtp_body_filled(e, true);
	}
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("250 ok\r\n555 NOTIFY unknown\r\n503 none\r\n"
			    "250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n"));
	event = next_event(e);
	assert_string_equal(event.diag->reason, "parameter-refused");
	assert_int_equal(event.extensions, SMTP_EXT_DSN);
	assert_false(smtp_caps(e)->dsn);
	assert_int_equal(next_event(e).kind, SMTP_EVENT_DONE);
	event = next_event(e);
	assert_int_equal(event.diag->fate, FATE_RELAYED);
	assert_true(event.diag->dsn_handed_over);
	smtp_free(e);
	arena_free(a);
}

static void test_quit_returns_what_is_not_begun(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction first = { .rcpts = &rcpt,
					  .n_rcpts = 1,
					  .arena = a },
				second = first;
	struct smtp_engine *e = ready(&config, SLICE("250 hello\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_add(e, &first);
	smtp_add(e, &second);
	smtp_quit(e);
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_ptr_equal(event.transaction, &second);
	assert_false(event.was_begun);
	smtp_sent(e, smtp_output(e).len);
	smtp_input(e, SLICE("550 no\r\n"));
	assert_int_equal(next_event(e).kind, SMTP_EVENT_RCPT);
	assert_int_equal(next_event(e).kind, SMTP_EVENT_DONE);
	assert_slice_is(smtp_output(e), "QUIT\r\n");
	smtp_sent(e, smtp_output(e).len);
	assert_int_equal(next_event(e).kind, SMTP_EVENT_CLOSED);
	smtp_free(e);
	arena_free(a);
}

/* Behind a rest RSET leads the group; once, and not in an empty session. */
static void test_probe_is_a_reset_before_the_next_mail(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction first = { .rcpts = &rcpt,
					  .n_rcpts = 1,
					  .arena = a },
				second = first;
	struct smtp_engine *e =
	    ready(&config, SLICE("250-hello\r\n250 PIPELINING\r\n"));

	(void)state;
	smtp_probe(e);
	assert_slice_is(smtp_output(e), "");
	smtp_add(e, &first);
	smtp_add(e, &second);
	assert_slice_is(smtp_output(e),
			"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\n"
			"DATA\r\n");
	say(e, SLICE("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"));
	str_adds(smtp_body_sink(e), "x\r\n");
	smtp_body_filled(e, true);
	say(e, SLICE("250 taken\r\n"));
	assert_slice_is(smtp_output(e),
			"MAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n");
	smtp_free(e);
	arena_free(a);
}

/* A session that died at rest: nothing was sent that could be unknown. */
static void test_probe_that_hears_421_gives_the_message_back(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction t = { .rcpts = &rcpt,
				      .n_rcpts = 1,
				      .arena = arena_new() };
	struct smtp_engine *e = ready(
	    &config, SLICE("250-hello\r\n250-PIPELINING\r\n250 CHUNKING\r\n"));
	struct smtp_event event;

	(void)state;
	smtp_probe(e);
	smtp_add(e, &t);
	str_adds(smtp_body_sink(e), "x\r\n");
	smtp_body_filled(e, true);
	smtp_sent(e, smtp_output(e).len);
	assert_true(smtp_has_unanswered_end(e));
	smtp_input(e, SLICE("421 idle too long\r\n"));
	assert_false(smtp_is_out_of_step(e));
	event = next_event(e);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_string_equal(event.diag->reason, "closed-by-peer");
	assert_int_equal(next_event(e).kind, SMTP_EVENT_CLOSED);
	smtp_free(e);
	arena_free(t.arena);
}

/* Adds a message to a server that takes BDAT; its content is short. */
static void add_chunked(struct smtp_engine *e, struct smtp_transaction *t)
{
	smtp_add(e, t);
	assert_ptr_equal(smtp_body_owner(e), t);
	str_adds(smtp_body_sink(e), "x\r\n");
	smtp_body_filled(e, true);
}

/*
 * Out of step, nothing more is said: what the socket did not take is not sent,
 * be it in the middle of a chunk, and goes elsewhere; what it took is heard
 * out. Nothing is added to such a session either.
 */
static void test_out_of_step_the_rest_stays_unsent(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me"),
					    .window = 5 };
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("b@y.example") };
	struct smtp_transaction first = { .rcpts = &rcpt,
					  .n_rcpts = 1,
					  .arena = a },
				second = first, third = first, late = first;
	struct smtp_engine *e = ready(
	    &config, SLICE("250-hello\r\n250-PIPELINING\r\n250 CHUNKING\r\n"));
	struct smtp_event event;

	(void)state;
	add_chunked(e, &first);
	say(e, SLICE("250 ok\r\n250 ok\r\n250 taken\r\n"));
	smtp_probe(e);
	add_chunked(e, &first);
	add_chunked(e, &second);
	smtp_sent(e, smtp_output(e).len);
	add_chunked(e, &third);
	smtp_sent(e, smtp_output(e).len - 2);
	smtp_input(e, SLICE("500 RSET?\r\n"));
	assert_true(smtp_is_out_of_step(e));
	assert_false(smtp_has_room(e));
	assert_int_equal(smtp_output(e).len, 0);
	assert_int_equal(smtp_wants(e), SMTP_WANTS_READ);
	smtp_add(e, &late);
	smtp_quit(e);
	assert_int_equal(smtp_wants(e), SMTP_WANTS_READ);
	smtp_input(e, SLICE("250 ok\r\n250 ok\r\n250 taken\r\n"
			    "250 reset\r\n250 ok\r\n550 no\r\n"));
	event = next_event(e);
	assert_ptr_equal(event.transaction, &late);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_false(event.was_begun);
	event = next_event(e);
	assert_ptr_equal(event.transaction, &first);
	assert_int_equal(event.diag->fate, FATE_RELAYED);
	assert_int_equal(next_event(e).kind, SMTP_EVENT_DONE);
	event = next_event(e);
	assert_ptr_equal(event.transaction, &second);
	assert_int_equal(event.diag->fate, FATE_FAILED);
	assert_int_equal(next_event(e).kind, SMTP_EVENT_DONE);
	event = next_event(e);
	assert_ptr_equal(event.transaction, &third);
	assert_int_equal(event.kind, SMTP_EVENT_RETURNED);
	assert_true(event.was_begun);
	assert_string_equal(event.diag->reason, "rset-refused");
	assert_int_equal(next_event(e).kind, SMTP_EVENT_CLOSED);
	assert_int_equal(smtp_suspects(e), 0);
	smtp_free(e);
	arena_free(a);
}

/* Told to be unsent, it must not leave after all. */
static void test_lost_connection_has_no_output(void **state)
{
	const struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_engine *e = smtp_new(&config);

	(void)state;
	smtp_input(e, SLICE("220 hello\r\n"));
	assert_true(smtp_output(e).len > 0);
	smtp_lost(e, "timeout", "timeout");
	assert_int_equal(smtp_output(e).len, 0);
	smtp_free(e);
}

/* The report of a session that was not opened names what was refused. */
static void test_refused_hello_is_named(void **state)
{
	static const struct {
		bool no_esmtp, is_lmtp;
		const char *replies, *want;
	} rows[] = {
		{ false, false, "220 hi\r\n450 no\r\n",
		  "\r<<- EHLO\r->> 450 no" },
		{ false, false, "220 hi\r\n500 what\r\n550 no\r\n",
		  "\r<<- HELO\r->> 550 no" },
		{ true, false, "220 hi\r\n550 no\r\n",
		  "\r<<- HELO\r->> 550 no" },
		{ false, true, "220 hi\r\n550 no\r\n",
		  "\r<<- LHLO\r->> 550 no" },
		{ true, false, "554 no\r\n", "\r<<- (connecting)\r->> 554 no" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct smtp_config config = {
			.helo_name = SLICE("me"),
			.no_esmtp = rows[i].no_esmtp,
			.is_lmtp = rows[i].is_lmtp,
		};
		struct smtp_engine *e = smtp_new(&config);
		struct slice replies = slice_of(rows[i].replies), line;
		struct smtp_event event;

		while (slice_cut(&replies, '\n', &line)) {
			smtp_sent(e, smtp_output(e).len);
			smtp_input(e, line);
			smtp_input(e, SLICE("\n"));
		}
		assert_true(smtp_event(e, &event));
		assert_int_equal(event.kind, SMTP_EVENT_FAILED);
		assert_slice_is(event.diag->text, rows[i].want);
		smtp_free(e);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_slow_reader_does_not_make_the_buffer_grow),
		cmocka_unit_test(test_message_for_a_lost_session_comes_back),
		cmocka_unit_test(test_content_for_a_lost_extension_is_not_sent),
		cmocka_unit_test(
		    test_refusal_behind_a_taken_chunk_is_the_content),
		cmocka_unit_test(test_354_to_a_chunk_is_no_success),
		cmocka_unit_test(test_later_chunks_do_not_fail_what_comes_back),
		cmocka_unit_test(test_dsn_handed_over_is_what_was_said_then),
		cmocka_unit_test(test_quit_returns_what_is_not_begun),
		cmocka_unit_test(test_probe_is_a_reset_before_the_next_mail),
		cmocka_unit_test(
		    test_probe_that_hears_421_gives_the_message_back),
		cmocka_unit_test(test_out_of_step_the_rest_stays_unsent),
		cmocka_unit_test(test_lost_connection_has_no_output),
		cmocka_unit_test(test_refused_hello_is_named),
	};

	return TEST_RUN(tests);
}

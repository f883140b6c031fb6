/*
 * engine_flow_test.c - the engine with a peer that takes bytes slowly.
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_slow_reader_does_not_make_the_buffer_grow),
		cmocka_unit_test(test_message_for_a_lost_session_comes_back),
	};

	return TEST_RUN(tests);
}

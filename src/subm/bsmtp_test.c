/*
 * bsmtp_test.c - batches to events, in any chunking.
 */
#include "subm/bsmtp.h"

#include "base/keyword.h"
#include "base/test.h"

#include <errno.h>
#include <stdlib.h>

struct run {
	struct subm_bsmtp parser;
	struct str log;
	bool is_dead;
};

/* Writes events down; parts of one text are joined. */
static void note(struct run *r, const struct subm_bsmtp_event *e)
{
	static const char *const names[] = {
		[SUBM_BSMTP_MAIL] = "mail",  [SUBM_BSMTP_RCPT] = "rcpt",
		[SUBM_BSMTP_DATA] = "data[", [SUBM_BSMTP_TEXT] = "",
		[SUBM_BSMTP_END] = "]",	     [SUBM_BSMTP_RESET] = "rset",
		[SUBM_BSMTP_QUIT] = "quit",
	};

	str_adds(&r->log, names[e->kind]);
	str_add(&r->log, e->path);
	if (e->params.len > 0) {
		str_addc(&r->log, '{');
		str_add(&r->log, e->params);
		str_addc(&r->log, '}');
	}
	str_add(&r->log, e->text);
}

static void push(void *context, struct slice chunk)
{
	struct run *r = context;
	struct subm_bsmtp_event event;
	struct err err;

	while (!r->is_dead)
		switch (subm_bsmtp_next(&r->parser, &chunk, &event, &err)) {
		case PARSE_DONE:
			note(r, &event);
			break;
		case PARSE_MORE:
			assert_int_equal(chunk.len, 0);
			return;
		case PARSE_BAD:
			str_addf(&r->log, "!%s!", err.text);
			r->is_dead = err.code == EMSGSIZE;
			break;
		}
}

static void check(struct slice in, const char *want, const char *end)
{
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct run r = { 0 };
		struct err err = { 0 };

		test_split(in, seed, push, &r);
		assert_slice_is(str_slice(&r.log), want);
		assert_int_equal(subm_bsmtp_end(&r.parser, &err),
				 end[0] == '\0' ? 0 : -1);
		assert_string_equal(err.text, end);
		subm_bsmtp_done(&r.parser);
		str_done(&r.log);
	}
}

static void test_batches_become_events(void **state)
{
	static const struct {
		const char *in, *want, *end;
	} cases[] = {
		{ "HELO x\nMAIL FROM:<a@b> SIZE=1 RET=FULL\nRCPT TO:<c>\n"
		  "DATA\nx\n\n..y\n.\nQUIT\n",
		  "mail<a@b>{SIZE=1 RET=FULL}rcpt<c>data[x\n\n.y\n]quit", "" },
		{ "mail from: <>\r\nrcpt to:<\"a>b\"@c>\r\ndata\r\n.\r\n"
		  "rset\r\nnoop\r\n\r\n",
		  "mail<>rcpt<\"a>b\"@c>data[]rset", "" },
		/* An end must look like the other lines. */
		{ "DATA\r\nx\n.\ny\r.\r\n..\r\n.\r\n",
		  "data[x\n.\ny\r.\r\n.\r\n]", "" },
		{ "DATA\nx\r\n.\r\ny\n.\n", "data[x\r\n\r\ny\n]", "" },
		{ "DATA\n.x\n", "data[x\n",
		  "line 2: the input ends within a message" },
		{ "QUI", "", "line 1: the input ends within a line" },
		{ "WHAT\nMAIL a\nMAIL FROM:a@b\nMAIL FROM:<a\nRCPT TO:\n"
		  "NOOP \x01\nQUIT\n",
		  "!line 1: not a command of batched SMTP!"
		  "!line 2: MAIL FROM:<...> or RCPT TO:<...> is expected!"
		  "!line 3: the address is not in angle brackets!"
		  "!line 4: the address is not in angle brackets!"
		  "!line 5: the address is not in angle brackets!"
		  "!line 6: a control byte in a command!quit",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(slice_of(cases[i].in), cases[i].want, cases[i].end);
}

/* Long lines are handed on in parts; nothing of them or behind them is lost. */
static void test_lines_longer_than_the_buffer(void **state)
{
	(void)state;
	for (size_t len = SUBM_BSMTP_LINE_MAX - 3;
	     len < SUBM_BSMTP_LINE_MAX + 3; len++) {
		struct str in = STR_INIT, want = STR_INIT;

		str_adds(&in, "DATA\r\n");
		str_adds(&want, "data[");
		for (size_t i = 0; i < len; i++)
			str_addc(&want, (char)('a' + i % 26));
		str_add(&in, slice_from(str_slice(&want), 5));
		str_adds(&in, "\r\n.\r\nQUIT\r\n");
		str_adds(&want, "\r\n]quit");
		check(str_slice(&in), want.p, "");
		str_done(&in);
		str_done(&want);
	}
}

static void test_endless_command_ends_the_batch(void **state)
{
	struct str in = STR_INIT;

	(void)state;
	str_adds(&in, "RSET\n");
	for (size_t i = 0; i < 3 * SUBM_BSMTP_LINE_MAX; i++)
		str_addc(&in, 'x');
	check(str_slice(&in), "rset!line 2: a command of more than 4096 bytes!",
	      "line 2: the input ends within a line");
	str_done(&in);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_become_events),
		cmocka_unit_test(test_lines_longer_than_the_buffer),
		cmocka_unit_test(test_endless_command_ends_the_batch),
	};

	return TEST_RUN(tests);
}

/*
 * reply_test.c - replies whole, in pieces, malformed and endless.
 */
#include "smtp/reply.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

struct row {
	const char *in;
	enum parse verdict;
	unsigned code;
	const char *text;
	const char *enhanced; /* "" for none */
};

static const struct row rows[] = {
	{ "250 ok\r\n", PARSE_DONE, 250, "250 ok", "" },
	{ "250\r\n", PARSE_DONE, 250, "250", "" },
	{ "250 ok\n", PARSE_DONE, 250, "250 ok", "" },
	{ "250-a\r\n250-b\r\n250 c\r\n", PARSE_DONE, 250, "250-a\n250-b\n250 c",
	  "" },
	{ "250-\r\n250 \r\n", PARSE_DONE, 250, "250-\n250 ", "" },
	{ "550 5.1.1 no\r\n", PARSE_DONE, 550, "550 5.1.1 no", "5.1.1" },
	{ "550-no\r\n550 5.1.10 never\r\n", PARSE_DONE, 550,
	  "550-no\n550 5.1.10 never", "5.1.10" },
	{ "550 4.1.1 class\r\n", PARSE_DONE, 550, "550 4.1.1 class", "" },
	{ "550 5.1 short\r\n", PARSE_DONE, 550, "550 5.1 short", "" },
	{ "550 5.1.1234 long\r\n", PARSE_DONE, 550, "550 5.1.1234 long", "" },
	{ "999 what\r\n", PARSE_DONE, 999, "999 what", "" },
	{ "000 what\r\n", PARSE_DONE, 0, "000 what", "" },
	{ "250 a\rb\r\n", PARSE_DONE, 250, "250 a\rb", "" },
	{ "250 ok", PARSE_MORE, 0, "", "" },
	{ "250-ok\r\n", PARSE_MORE, 0, "", "" },
	{ "", PARSE_MORE, 0, "", "" },
	{ "\r\n", PARSE_BAD, 0, "", "" },
	{ "25 ok\r\n", PARSE_BAD, 0, "", "" },
	{ "2500 ok\r\n", PARSE_BAD, 0, "", "" },
	{ "250ok\r\n", PARSE_BAD, 0, "", "" },
	{ "25x ok\r\n", PARSE_BAD, 0, "", "" },
	{ "+50 ok\r\n", PARSE_BAD, 0, "", "" },
	{ " 250 ok\r\n", PARSE_BAD, 0, "", "" },
	{ "250-a\r\n251 b\r\n", PARSE_BAD, 0, "", "" },
	{ "HTTP/1.1 400 Bad Request\r\n", PARSE_BAD, 0, "", "" },
};

struct fed {
	struct reply_parser parser;
	enum parse verdict;
	struct str text, enhanced;
	unsigned code;
};

static void feed(void *context, struct slice chunk)
{
	struct fed *f = context;
	struct reply reply;
	struct err err;

	if (f->verdict != PARSE_MORE)
		return;
	f->verdict = reply_feed(&f->parser, &chunk, &reply, &err);
	if (f->verdict != PARSE_DONE)
		return;
	f->code = reply.code;
	str_add(&f->text, reply.text);
	if (reply.has_enhanced)
		status_print(&f->enhanced, reply.enhanced);
}

static void test_every_row_in_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct fed f = { .verdict = PARSE_MORE };

			test_split(slice_of(rows[i].in), seed, feed, &f);
			assert_int_equal(f.verdict, rows[i].verdict);
			assert_int_equal(f.code, rows[i].code);
			assert_slice_is(str_slice(&f.text), rows[i].text);
			assert_slice_is(str_slice(&f.enhanced),
					rows[i].enhanced);
			reply_done(&f.parser);
			str_done(&f.text);
			str_done(&f.enhanced);
		}
	}
}

/* Feeds `piece` again and again; returns how many bytes were taken. */
static size_t feed_endlessly(const char *piece, struct err *err)
{
	struct reply_parser parser = { 0 };
	struct reply reply;
	size_t taken = 0;
	enum parse verdict;

	do {
		struct slice in = slice_of(piece);

		taken += in.len;
		verdict = reply_feed(&parser, &in, &reply, err);
	} while (verdict == PARSE_MORE && taken < 10u * REPLY_MAX);
	assert_int_equal(verdict, PARSE_BAD);
	reply_done(&parser);
	return taken;
}

static void test_endless_line_is_refused(void **state)
{
	struct err err;

	(void)state;
	assert_true(feed_endlessly("250 aaaaaaaaaaaaaaaaaaaaaaaaaa", &err) <
		    REPLY_LINE_MAX + 100);
	assert_non_null(strstr(err.text, "endless"));
}

static void test_endless_continuation_is_refused(void **state)
{
	struct err err;

	(void)state;
	assert_true(feed_endlessly("250-x\r\n", &err) <
		    7 * (REPLY_LINES_MAX + 2));
	assert_non_null(strstr(err.text, "endless"));
}

static void test_rest_of_chunk_is_left_for_the_next_reply(void **state)
{
	struct reply_parser parser = { 0 };
	struct slice in = SLICE("220 hi\r\n250-x\r\n250 y\r\n354");
	struct reply reply;
	struct err err;

	(void)state;
	assert_int_equal(reply_feed(&parser, &in, &reply, &err), PARSE_DONE);
	assert_int_equal(reply.code, 220);
	assert_int_equal(reply_feed(&parser, &in, &reply, &err), PARSE_DONE);
	assert_slice_is(reply.text, "250-x\n250 y");
	assert_false(reply_is_partial(&parser));
	assert_int_equal(reply_feed(&parser, &in, &reply, &err), PARSE_MORE);
	assert_true(reply_is_partial(&parser));
	reply_done(&parser);
}

struct partial_row {
	const char *in, *want;
};

static const struct partial_row partial_rows[] = {
	{ "", "" },
	{ "25", "25" },
	{ "250-a\r\n", "250-a" },
	{ "250-a\r\n25", "250-a\n25" },
	{ "250 whole\r\n", "" },
	{ "250 whole\r\n354 g", "354 g" },
	/* what is wrong is shown too */
	{ "hello there\r\n", "hello there\r" },
	{ "250-a\r\n550 b\r\n", "250-a\n550 b\r" },
};

static void test_beginning_of_a_reply_can_be_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(partial_rows) / sizeof(partial_rows[0]);
	     i++) {
		struct reply_parser parser = { 0 };
		struct slice in = slice_of(partial_rows[i].in);
		struct str got = STR_INIT;
		struct reply reply;
		struct err err;

		while (in.len > 0 &&
		       reply_feed(&parser, &in, &reply, &err) == PARSE_DONE)
			;
		reply_partial(&parser, &got);
		assert_slice_is(str_slice(&got), partial_rows[i].want);
		str_done(&got);
		reply_done(&parser);
	}
}

static void test_line_text_leaves_codes_out(void **state)
{
	(void)state;
	assert_slice_is(reply_line_text(SLICE("550 5.1.1 no such user")),
			"no such user");
	assert_slice_is(reply_line_text(SLICE("250-mx.test")), "mx.test");
	assert_slice_is(reply_line_text(SLICE("250")), "");
	assert_slice_is(reply_line_text(SLICE("550 4.1.1 odd")), "4.1.1 odd");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_in_every_split),
		cmocka_unit_test(test_endless_line_is_refused),
		cmocka_unit_test(test_endless_continuation_is_refused),
		cmocka_unit_test(test_rest_of_chunk_is_left_for_the_next_reply),
		cmocka_unit_test(test_beginning_of_a_reply_can_be_shown),
		cmocka_unit_test(test_line_text_leaves_codes_out),
	};

	return TEST_RUN(tests);
}

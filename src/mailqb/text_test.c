/*
 * text_test.c - columns, times, sizes.
 */
#include "mailqb/text.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <time.h>

/* Fails unless s holds the text; empties it. */
static void assert_text(struct str *s, const char *want)
{
	assert_slice_is(str_slice(s), want);
	str_clear(s);
}

static void test_width_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(mailq_width(SLICE("")), 0);
	assert_int_equal(mailq_width(SLICE("abc")), 3);
	assert_int_equal(mailq_width(SLICE("пример")), 6);
	assert_int_equal(mailq_width(SLICE("例え")), 4);
	assert_int_equal(mailq_width(SLICE("e\xcc\x81")), 1);
	assert_int_equal(mailq_width(SLICE("\xff\xfe")), 2);
	assert_int_equal(mailq_width(SLICE("a\xe4")), 2);
}

static void test_columns_are_filled_or_cut(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	mailq_add_column(&s, SLICE("ab"), 5);
	assert_text(&s, "ab   ");
	mailq_add_column(&s, SLICE("abcde"), 5);
	assert_text(&s, "abcde");
	mailq_add_column(&s, SLICE("abcdef"), 5);
	assert_text(&s, "abc..");
	mailq_add_column(&s, SLICE("例え例え"), 5);
	assert_text(&s, "例.. ");
	mailq_add_column(&s, SLICE("a\033[2J"), 5);
	assert_text(&s, "a?[2J");
	str_done(&s);
}

static void test_wrapping(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	mailq_add_wrapped(&s, SLICE("one two three four five six"), 2, 4, 24);
	assert_text(&s, "one two three four\n    five six\n");
	mailq_add_wrapped(&s, SLICE(""), 0, 4, 30);
	assert_text(&s, "\n");
	mailq_add_wrapped(&s, SLICE("abcdefghijklmnopqrstuvwxyzabcdef"), 0, 2,
			  22);
	assert_text(&s, "abcdefghijklmnopqrstuv\n  wxyzabcdef\n");
	/* However narrow, it ends. */
	mailq_add_wrapped(&s, SLICE("例え 例え"), 30, 2, 0);
	assert_true(s.len > 0);
	str_done(&s);
}

static void test_intervals(void **state)
{
	static const struct {
		int64_t seconds;
		const char *want;
	} rows[] = {
		{ 0, "0s" },
		{ -5, "0s" },
		{ 59, "59s" },
		{ 60, "1m" },
		{ 61, "1m1s" },
		{ 3600, "1h" },
		{ 3601, "1h" },
		{ 3660, "1h1m" },
		{ 86399, "23h59m" },
		{ 90000, "1d1h" },
		{ 86460, "1d" },
		{ 864000, "10d" },
		{ INT64_MAX, "106751991167300d15h" },
	};
	struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		mailq_add_interval(&s, rows[i].seconds);
		assert_text(&s, rows[i].want);
	}
	str_done(&s);
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} rows[] = {
		{ 0, "0" },	     { 999, "999" },	  { 1000, "0.9K" },
		{ 1024, "1.0K" },    { 1536, "1.5K" },	  { 10240, "10K" },
		{ 1024000, "0.9M" }, { 3 << 20, "3.0M" }, { UINT64_MAX, "15E" },
	};
	struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		mailq_add_size(&s, rows[i].bytes);
		assert_text(&s, rows[i].want);
	}
	str_done(&s);
}

static void test_times(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	mailq_add_time(&s, 1795336965, false);
	assert_text(&s, "Sun Nov 22 08:42:45");
	mailq_add_time(&s, 1795336965, true);
	assert_text(&s, "Sun Nov 22 08:42:45 2026");
	mailq_add_near_time(&s, 1795336965, 1795336000);
	assert_text(&s, "08:42:45");
	mailq_add_near_time(&s, 1795336965, 1795336965 - 86400);
	assert_text(&s, "Sun Nov 22 08:42:45");
	mailq_add_utc(&s, 1795336965);
	assert_text(&s, "2026-11-22T08:42:45Z");
	mailq_add_time(&s, INT64_MAX, false); /* no calendar has it */
	assert_text(&s, "Thu Jan  1 00:00:00");
	str_done(&s);
}

static void test_folding_is_taken_out(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	mailq_add_unfolded(&s, SLICE("one\n two\r\n\tthree\033"));
	assert_text(&s, "one two three?");
	str_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width_counts_characters),
		cmocka_unit_test(test_columns_are_filled_or_cut),
		cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_folding_is_taken_out),
	};

	return TEST_RUN(tests);
}

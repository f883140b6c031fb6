/*
 * interval_test.c - lengths of time: grammar and limits.
 */
#include "base/interval.h"

#include "base/keyword.h"
#include "base/test.h"

static void test_interval_adds_up(void **state)
{
	static const struct {
		const char *in;
		unsigned want;
	} rows[] = {
		{ "", 0 },
		{ "0", 0 },
		{ "90", 90 },
		{ "90s", 90 },
		{ "1h5m20s", 3920 },
		{ "1h5m20", 3920 },
		{ "1d", 86400 },
		{ "3D12H", 302400 },
		{ "5M", 300 },
		{ "5m5m", 600 },
		{ "1s1m1h1d", 90061 },
		{ "007m", 420 },
		{ "0d0h0m0s0", 0 },
		{ "2147483647", 2147483647u },
		{ "24855d3h14m7s", 2147483647u },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned got = 4711;

		assert_true(interval_parse(slice_of(rows[i].in), &got));
		assert_int_equal(got, rows[i].want);
	}
}

static void test_what_is_no_interval_is_refused(void **state)
{
	static const char *const rows[] = {
		"m",   "-1", "+1",  " 1",   "1 ",    "1 m", "1.5h",  "1w",
		"1hm", "h1", "1ms", "0x10", "1m 2s", "1,2", "1h-5m", "\261",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned got = 4711;

		assert_false(interval_parse(slice_of(rows[i]), &got));
		assert_int_equal(got, 4711);
	}
}

static void test_overflow_is_refused(void **state)
{
	static const char *const rows[] = {
		"2147483648",
		"24855d3h14m8s",
		"24856d",
		"35791395m",
		"2147483647d",
		"2147483647s1",
		"1d2147483647d2147483647d",
		"4294967296",
		"18446744073709551616",
		"99999999999999999999999999d",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned got = 4711;

		assert_false(interval_parse(slice_of(rows[i]), &got));
		assert_int_equal(got, 4711);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interval_adds_up),
		cmocka_unit_test(test_what_is_no_interval_is_refused),
		cmocka_unit_test(test_overflow_is_refused),
	};

	return TEST_RUN(tests);
}

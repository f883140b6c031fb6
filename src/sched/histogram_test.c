/*
 * histogram_test.c - what is observed is in its bucket and all above.
 */
#include "sched/histogram.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>

/* The number behind `start` in the text. */
static unsigned long number_of(const struct str *text, const char *start)
{
	const char *at = strstr(str_cstr(text), start);
	unsigned long n = 0;

	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(start), " %lu", &n), 1);
	return n;
}

static void test_a_bound_belongs_to_its_bucket(void **state)
{
	static const struct {
		int64_t ms;
		const char *in, *not_in; /* not_in: NULL: in all */
	} rows[] = {
		{ -5, "h_bucket{le=\"0.01\"}", NULL },
		{ 0, "h_bucket{le=\"0.01\"}", NULL },
		{ 10, "h_bucket{le=\"0.01\"}", NULL },
		{ 11, "h_bucket{le=\"0.03\"}", "h_bucket{le=\"0.01\"}" },
		{ 1000, "h_bucket{le=\"1\"}", "h_bucket{le=\"0.3\"}" },
		{ 1001, "h_bucket{le=\"3\"}", "h_bucket{le=\"1\"}" },
		{ 86400000, "h_bucket{le=\"86400\"}",
		  "h_bucket{le=\"43200\"}" },
		{ 86400001, "h_bucket{le=\"+Inf\"}", "h_bucket{le=\"86400\"}" },
		{ INT64_MAX, "h_bucket{le=\"+Inf\"}",
		  "h_bucket{le=\"86400\"}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct histogram h = { 0 };
		struct str text = STR_INIT;

		histogram_observe(&h, rows[i].ms);
		histogram_print(&text, "h", &h);
		assert_int_equal(number_of(&text, rows[i].in), 1);
		if (rows[i].not_in != NULL)
			assert_int_equal(number_of(&text, rows[i].not_in), 0);
		assert_int_equal(number_of(&text, "h_bucket{le=\"+Inf\"}"), 1);
		assert_int_equal(number_of(&text, "h_count"), 1);
		str_done(&text);
	}
}

static void test_buckets_add_up_and_the_sum_is_in_seconds(void **state)
{
	struct histogram h = { 0 };
	struct str text = STR_INIT;
	unsigned long last = 0, n;
	const char *at;

	(void)state;
	for (int64_t ms = 1; ms < 200000000; ms *= 3)
		histogram_observe(&h, ms);
	histogram_observe(&h, 7);
	histogram_print(&text, "x", &h);
	for (at = str_cstr(&text); strncmp(at, "x_bucket{le=", 12) == 0;
	     at = strchr(at, '\n') + 1) {
		assert_int_equal(sscanf(strchr(at, '}'), "} %lu", &n), 1);
		assert_true(n >= last);
		last = n;
	}
	assert_int_equal(number_of(&text, "x_count"), last);
	assert_non_null(strstr(str_cstr(&text), "x_sum 193710.251\n"));
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bound_belongs_to_its_bucket),
		cmocka_unit_test(test_buckets_add_up_and_the_sum_is_in_seconds),
	};

	return TEST_RUN(tests);
}

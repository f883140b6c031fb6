/*
 * retry_test.c - when to try again, and how fast to go.
 */
#include "queue/retry.h"

#include "base/keyword.h"
#include "base/test.h"

static const unsigned factors[] = { 1, 3, 5 };

static void test_time_of_each_try(void **state)
{
	static const struct {
		unsigned tries, skew;
		int64_t now, want;
	} rows[] = {
		{ 1, 5, 1000, 61000 },	 { 2, 5, 1000, 181000 },
		{ 3, 5, 1000, 301000 },	 { 3, 3, 1000, 301000 },
		{ 3, 2, 1000, 360000 }, /* up to a multiple */
		{ 3, 2, 60000, 360000 },
	};
	struct queue_clause c = { .interval = 60,
				  .retries = factors,
				  .n_retries = 3 };
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		c.skew = rows[i].skew;
		assert_int_equal(
		    retry_time(&c, rows[i].tries, rows[i].now, &random),
		    rows[i].want);
	}
}

static void test_behind_the_end_any_factor_may_come(void **state)
{
	struct queue_clause c = {
		.interval = 1, .retries = factors, .n_retries = 3, .skew = 1000
	};
	unsigned seen[6] = { 0 };
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 100; i++)
		seen[retry_time(&c, 4, 0, &random) / 1000]++;
	assert_true(seen[1] > 0 && seen[3] > 0 && seen[5] > 0);
	assert_int_equal(seen[1] + seen[3] + seen[5], 100);
	c.n_retries = 0;
	assert_int_equal(retry_time(&c, 9, 0, &random), 1000);
}

static void test_bucket_gives_what_its_rate_says(void **state)
{
	static const struct {
		struct queue_rate rate;
		int64_t seconds;
		unsigned want;
	} rows[] = {
		{ { 100, 60 }, 600, 1099 },
		{ { 1, 10 }, 100, 10 },
		{ { 3, 1 }, 10, 32 },
		{ { 0, 0 }, 1, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct retry_bucket b = { 0 };
		unsigned n = 0;

		/* One try each millisecond, and again while it may. */
		for (int64_t t = 0; t < rows[i].seconds * 1000; t++)
			while (retry_bucket_ready(&b, rows[i].rate, t) <= t) {
				retry_bucket_take(&b, rows[i].rate, t);
				n++;
				if (rows[i].rate.jobs == 0)
					break;
			}
		assert_int_equal(n, rows[i].want);
	}
}

static void test_window_grows_fast_until_trouble(void **state)
{
	struct retry_window w = retry_window_new(2);

	(void)state;
	assert_int_equal(retry_window_agents(&w, 20), 2);
	assert_int_equal(retry_window_agents(&w, 1), 1);
	for (int i = 0; i < 100; i++)
		retry_window_grow(&w, 16);
	assert_int_equal(retry_window_agents(&w, 20), 16);
	retry_window_shrink(&w);
	assert_int_equal(retry_window_agents(&w, 20), 8);
	for (int i = 0; i < 8; i++)
		retry_window_grow(&w, 16);
	assert_int_equal(retry_window_agents(&w, 20), 9 - 1);
	retry_window_grow(&w, 16);
	assert_int_equal(retry_window_agents(&w, 20), 9);
	for (int i = 0; i < 20; i++)
		retry_window_shrink(&w);
	assert_int_equal(retry_window_agents(&w, 20), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_of_each_try),
		cmocka_unit_test(test_behind_the_end_any_factor_may_come),
		cmocka_unit_test(test_bucket_gives_what_its_rate_says),
		cmocka_unit_test(test_window_grows_fast_until_trouble),
	};

	return TEST_RUN(tests);
}

/*
 * ages_test.c - ages that are counted in a ring, beside a list of them.
 */
#include "queue/ages.h"

#include "base/keyword.h"
#include "base/test.h"

enum { DAY = 86400 * 1000, MANY = 400, LIMITS = 4 };

static const int64_t limits[LIMITS] = { 0, 60 * 1000, 3600 * 1000, 5 * DAY };

/* What ages_count() should say, by looking at each. */
static void check(struct ages *a, const int64_t *arrived, size_t n, int64_t now)
{
	struct queue_age got[LIMITS];
	size_t want[LIMITS] = { 0 };
	int64_t oldest, want_oldest = 0;

	for (size_t k = 0; k < LIMITS; k++)
		got[k].age = limits[k];
	oldest = ages_count(a, now, got, LIMITS);
	for (size_t i = 0; i < n; i++) {
		int64_t step = now / AGES_STEP - arrived[i] / AGES_STEP;
		int64_t age =
		    (step < AGES_STEPS ? step : AGES_STEPS) * AGES_STEP;

		if (age > want_oldest)
			want_oldest = age;
		for (size_t k = 0; k < LIMITS; k++)
			want[k] += age >= limits[k];
	}
	assert_int_equal(oldest, want_oldest);
	for (size_t k = 0; k < LIMITS; k++)
		assert_int_equal(got[k].n_older, want[k]);
}

static void test_nothing_has_no_age(void **state)
{
	struct ages a = { 0 };

	(void)state;
	check(&a, NULL, 0, 1000000 * (int64_t)1000);
	ages_done(&a);
}

static void test_each_is_counted_where_it_is_by_now(void **state)
{
	int64_t now = 1700000000 * (int64_t)1000, arrived[MANY];
	struct ages a = { 0 };
	unsigned chance = 7;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 4 * MANY; i++) {
		chance = chance * 1103515245 + 12345;
		now += chance % 7 == 0 ? DAY / 2 : chance % 90000;
		if (n < MANY && chance % 3 != 0) {
			arrived[n] = now - (int64_t)(chance % 1000) *
					       (chance % 2 == 0 ? 1 : 1000000);
			ages_add(&a, arrived[n++], now);
		} else if (n > 0) {
			size_t k = chance % n;

			ages_remove(&a, arrived[k]);
			arrived[k] = arrived[--n];
		}
		check(&a, arrived, n, now);
	}
	while (n > 0)
		ages_remove(&a, arrived[--n]);
	check(&a, NULL, 0, now);
	ages_done(&a);
}

static void test_older_than_the_ring_is_as_old_as_the_ring(void **state)
{
	int64_t now = 1700000000 * (int64_t)1000;
	int64_t arrived[] = { 0, -5000, now - 20 * (int64_t)DAY, now };
	struct ages a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(arrived); i++)
		ages_add(&a, arrived[i], now);
	check(&a, arrived, COUNT(arrived), now);
	check(&a, arrived, COUNT(arrived), now + 400 * (int64_t)DAY);
	for (size_t i = 0; i < COUNT(arrived); i++)
		ages_remove(&a, arrived[i]);
	check(&a, NULL, 0, now + 400 * (int64_t)DAY);
	ages_done(&a);
}

static void test_from_a_time_to_come_is_new(void **state)
{
	int64_t now = 1700000000 * (int64_t)1000, then = now + 90000;
	struct ages a = { 0 };

	(void)state;
	ages_add(&a, then, now);
	check(&a, &then, 1, then);
	ages_remove(&a, then);
	check(&a, NULL, 0, then);
	ages_done(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_has_no_age),
		cmocka_unit_test(test_each_is_counted_where_it_is_by_now),
		cmocka_unit_test(
		    test_older_than_the_ring_is_as_old_as_the_ring),
		cmocka_unit_test(test_from_a_time_to_come_is_new),
	};

	return TEST_RUN(tests);
}

/*
 * spoolid_test.c - spool ids, seen on the original.
 */
#include "spool/spoolid.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <time.h>

struct row {
	uint64_t inode;
	int64_t seconds;
	long ns;
	const char *want;
};

static void check(const struct row *rows, size_t n)
{
	struct str got = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		str_clear(&got);
		spoolid_print(&got, rows[i].inode, rows[i].seconds, rows[i].ns);
		assert_slice_is(str_slice(&got), rows[i].want);
	}
	str_done(&got);
}

static const struct row vectors[] = {
	{ 1, 0, 0, "S1AauAAAAA" },
	{ 24700, 1767268800, 0, "S24700AbmAAMAA" },
	{ 11052848, 1709210096, 123456789, "S11052848AbkB2Me4HW8wV" },
	{ 7, 951827696, 999999999, "S7AbQB2Me47ioj-" },
	{ 4294967296, 2147483647, 64, "S4294967296AbyASDOHAAABA" },
};

static void test_spool_id_vectors(void **state)
{
	(void)state;
	check(vectors, COUNT(vectors));
}

static void test_spool_id_does_not_depend_on_the_time_zone(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "XXX-13:45", 1), 0);
	tzset();
	check(vectors, COUNT(vectors));
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

/* Before 1970, the last inode, and a year that no calendar has. */
static void test_spool_id_of_extreme_values(void **state)
{
	static const struct row rows[] = {
		{ UINT64_MAX, -1, 1, "S18446744073709551615AatLaX77AAAAB" },
		{ 2, INT64_MAX, 0, "S2A3oAAAAA" },
		{ 2, INT64_MIN, 0, "S2A3oAAAAA" },
	};

	(void)state;
	check(rows, COUNT(rows));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spool_id_vectors),
		cmocka_unit_test(
		    test_spool_id_does_not_depend_on_the_time_zone),
		cmocka_unit_test(test_spool_id_of_extreme_values),
	};

	return TEST_RUN(tests);
}

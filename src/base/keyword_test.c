/*
 * keyword_test.c - looking words up in tables.
 */
#include "base/keyword.h"

#include "base/test.h"

static const struct keyword rows[] = {
	{ "8BITMIME", 1 }, { "SIZE", 2 }, { "size", 3 }, { "X", 4 }, { "", 5 },
};

static void assert_value(struct slice word, int want)
{
	const struct keyword *row = keyword_find(rows, COUNT(rows), word);

	assert_non_null(row);
	assert_int_equal(row->value, want);
}

static void test_word_is_found_whatever_its_case(void **state)
{
	(void)state;
	assert_value(SLICE("8BITMIME"), 1);
	assert_value(SLICE("8bitMime"), 1);
	assert_value(SLICE("x"), 4);
}

static void test_first_row_wins(void **state)
{
	(void)state;
	assert_value(SLICE("size"), 2);
}

static void test_only_the_whole_word_counts(void **state)
{
	(void)state;
	assert_null(keyword_find(rows, COUNT(rows), SLICE("SIZ")));
	assert_null(keyword_find(rows, COUNT(rows), SLICE("SIZES")));
	assert_null(keyword_find(rows, COUNT(rows), SLICE("SIZE\0")));
	assert_null(keyword_find(rows, COUNT(rows), SLICE(" X")));
	assert_value(SLICE(""), 5);
	assert_value(slice_make(NULL, 0), 5);
}

static void test_rows_beyond_n_are_not_seen(void **state)
{
	(void)state;
	assert_null(keyword_find(rows, 3, SLICE("X")));
	assert_null(keyword_find(rows, 0, SLICE("X")));
	assert_null(keyword_find(NULL, 0, SLICE("X")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_word_is_found_whatever_its_case),
		cmocka_unit_test(test_first_row_wins),
		cmocka_unit_test(test_only_the_whole_word_counts),
		cmocka_unit_test(test_rows_beyond_n_are_not_seen),
	};

	return TEST_RUN(tests);
}

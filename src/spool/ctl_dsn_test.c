/*
 * ctl_dsn_test.c - the items of an `N` line.
 */
#include "spool/ctl_field.h"

#include "base/keyword.h"
#include "base/test.h"

/* Reads items over the defaults that ctl_parse() sets. */
static struct ctl_dsn read_items(const char *items)
{
	struct ctl_dsn dsn = { .is_present = true, .notify = NOTIFY_FAILURE };

	ctl_read_dsn(slice_of(items), &dsn);
	return dsn;
}

static void test_notify_grammar(void **state)
{
	enum {
		S = NOTIFY_SUCCESS,
		F = NOTIFY_FAILURE,
		D = NOTIFY_DELAY,
		N = NOTIFY_NEVER,
		T = NOTIFY_TRACE
	};
	static const struct {
		const char *items;
		bool has_notify;
		unsigned want;
	} rows[] = {
		{ "NOTIFY=NEVER", true, N },
		{ "NOTIFY=SUCCESS", true, S },
		{ "NOTIFY=SUCCESS,FAILURE", true, S | F },
		{ "NOTIFY=DELAY,TRACE,SUCCESS,FAILURE", true, S | F | D | T },
		{ "notify=Success,delaY", true, S | D },
		{ "NOTIFY=FAILURE,FAILURE", true, F },
		/* without it the default stands */
		{ "", false, F },
		{ "ORCPT=x;y", false, F },
		{ "NOTIFY", false, F },
		{ "XNOTIFY=NEVER", false, F },
		/* an empty value leaves no flags */
		{ "NOTIFY=", true, 0 },
		{ "NOTIFY= NEVER", true, 0 },
		/* what was parsed before an unknown word counts */
		{ "NOTIFY=SUCCESS,BOGUS,DELAY", true, S },
		{ "NOTIFY=SUCCESS,,DELAY", true, S },
		{ "NOTIFY=SUCCESS,", true, S },
		{ "NOTIFY=,SUCCESS", true, 0 },
		{ "NOTIFY=BOGUS", true, 0 },
		{ "NOTIFY=SUCCESSX", true, 0 },
		{ "NOTIFY=SUCCESS;DELAY", true, 0 },
		/* NEVER stands alone (RFC 3461 4.1) */
		{ "NOTIFY=NEVER,SUCCESS", true, N },
		{ "NOTIFY=SUCCESS,NEVER", true, S },
		{ "NOTIFY=NEVERSUCCESS", true, 0 },
		/* the last one counts */
		{ "NOTIFY=NEVER NOTIFY=DELAY", true, D },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_dsn dsn = read_items(rows[i].items);

		assert_int_equal(dsn.has_notify, rows[i].has_notify);
		assert_int_equal(dsn.notify, rows[i].want);
	}
}

static void test_items_in_any_order_case_and_spacing(void **state)
{
	struct ctl_dsn dsn = read_items(
	    " \tInRcpt=rfc822;c@d\t \tEZMLM=list-return  Unknown=1 word "
	    "orcpt=rfc822;a+2Bb@c\tINFROM=rfc822;e@f  BY=5;r NOTIFY=DELAY \t");

	(void)state;
	assert_slice_is(dsn.orcpt, "rfc822;a+2Bb@c");
	assert_slice_is(dsn.inrcpt, "rfc822;c@d");
	assert_slice_is(dsn.infrom, "rfc822;e@f");
	assert_slice_is(dsn.ezmlm, "list-return");
	assert_int_equal(dsn.notify, NOTIFY_DELAY);
	assert_true(dsn.by.is_set && dsn.by.do_return);
}

/* Judging a value is the business of whoever puts it on the wire. */
static void test_address_values_are_raw(void **state)
{
	struct ctl_dsn dsn = read_items("ORCPT=a=b;\"c=+zz\x80 INRCPT= X=y");

	(void)state;
	assert_slice_is(dsn.orcpt, "a=b;\"c=+zz\x80");
	assert_int_equal(dsn.inrcpt.len, 0);
}

static void test_repeated_item_the_last_counts(void **state)
{
	struct ctl_dsn dsn =
	    read_items("ORCPT=x;1 BY=7;R ORCPT=x;2 BY=8;T EZMLM=a EZMLM=b");

	(void)state;
	assert_slice_is(dsn.orcpt, "x;2");
	assert_slice_is(dsn.ezmlm, "b");
	assert_true(dsn.by.deadline == 8);
	assert_false(dsn.by.do_return);
}

static void test_by_forms(void **state)
{
	static const struct {
		const char *items;
		int64_t deadline;
		bool do_return, do_notify, do_trace;
	} rows[] = {
		{ "BY=1767268800;R", 1767268800, true, false, false },
		{ "BY=1767268800;N", 1767268800, false, true, false },
		{ "BY=120;RT", 120, true, false, true },
		{ "by=120;nt", 120, false, true, true },
		{ "BY=120;tR", 120, true, false, true },
		{ "BY=120;RNT", 120, true, true, true },
		{ "BY=-60;r", -60, true, false, false },
		{ "BY=0;N", 0, false, true, false },
		/* no mode given: notify */
		{ "BY=120", 120, false, true, false },
		{ "BY=120;", 120, false, true, false },
		{ "BY=-1", -1, false, true, false },
		{ "BY=120;T", 120, false, true, true },
		/* what was read before an unknown letter counts */
		{ "BY=120;RXT", 120, true, false, false },
		{ "BY=120;X", 120, false, true, false },
		{ "BY=9223372036854775807;R", INT64_MAX, true, false, false },
		{ "BY=-9223372036854775807;R", -INT64_MAX, true, false, false },
		{ "BY=007;R", 7, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_deliverby by = read_items(rows[i].items).by;

		assert_true(by.is_set);
		assert_true(by.deadline == rows[i].deadline);
		assert_int_equal(by.do_return, rows[i].do_return);
		assert_int_equal(by.do_notify, rows[i].do_notify);
		assert_int_equal(by.do_trace, rows[i].do_trace);
	}
}

static void test_unreadable_by_is_skipped(void **state)
{
	static const char *const rows[] = {
		"BY",
		"BY=",
		"BY=;R",
		"BY=-;R",
		"BY=--1;R",
		"BY=+1;R",
		"BY=1x;R",
		"BY=x",
		"BY=1.5;R",
		"BY=0x10;R",
		"BY= 120;R",
		"BY=R;120",
		"XBY=120",
		"BY=9223372036854775808;R",
		"BY=-99999999999999999999;R",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_false(read_items(rows[i]).by.is_set);
}

static void test_requiretls_is_a_word_alone(void **state)
{
	static const struct {
		const char *items;
		bool want;
	} rows[] = {
		{ "REQUIRETLS", true },
		{ "NOTIFY=NEVER requiretls", true },
		{ "REQUIRETLS ORCPT=rfc822;a@b", true },
		{ "", false },
		{ "REQUIRETLS=yes", false },
		{ "REQUIRETLSX", false },
		{ "ORCPT=rfc822;REQUIRETLS", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(read_items(rows[i].items).requires_tls,
				 rows[i].want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify_grammar),
		cmocka_unit_test(test_items_in_any_order_case_and_spacing),
		cmocka_unit_test(test_address_values_are_raw),
		cmocka_unit_test(test_repeated_item_the_last_counts),
		cmocka_unit_test(test_by_forms),
		cmocka_unit_test(test_unreadable_by_is_skipped),
		cmocka_unit_test(test_requiretls_is_a_word_alone),
	};

	return TEST_RUN(tests);
}

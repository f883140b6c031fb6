/*
 * status_test.c - enhanced status codes: what is one, and how it is printed.
 */
#include "dsn/status.h"

#include "base/keyword.h"
#include "base/test.h"

static void test_code_at_the_start_is_read(void **state)
{
	static const struct {
		const char *in;
		size_t taken;
		struct status want;
	} rows[] = {
		{ "2.0.0", 5, { 2, 0, 0 } },
		{ "5.1.1", 5, { 5, 1, 1 } },
		{ "4.999.999", 9, { 4, 999, 999 } },
		{ "5.7.30 REQUIRETLS", 6, { 5, 7, 30 } },
		{ "5.1.1 (bad mailbox)", 5, { 5, 1, 1 } },
		{ "5.01.001", 8, { 5, 1, 1 } },
		{ "4.2.1-continued", 5, { 4, 2, 1 } },
		{ "2.1.5x", 5, { 2, 1, 5 } },
		{ "2.1.5\t.", 5, { 2, 1, 5 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct status got = { 0 };

		assert_int_equal(status_parse(slice_of(rows[i].in), &got),
				 rows[i].taken);
		assert_int_equal(got.class, rows[i].want.class);
		assert_int_equal(got.subject, rows[i].want.subject);
		assert_int_equal(got.detail, rows[i].want.detail);
	}
}

static void test_what_is_no_code_takes_nothing(void **state)
{
	static const char *const rows[] = {
		"",	    "5",	"5.",	    "5.1",    "5.1.",
		"5.1. 1",   "5..1",	".1.1",	    "5.1.1.", "5.1.1.1",
		"5.1000.1", "5.1.1000", "5.1.0001", "3.1.1",  "1.0.0",
		"0.0.0",    "6.0.0",	"55.1.1",   " 5.1.1", "-5.1.1",
		"51.1",	    "511.1",	"5.-1.1",   "5.+1.1", "5,1,1",
		"550",	    "x5.1.1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct status got = { 7, 8, 9 };

		assert_int_equal(status_parse(slice_of(rows[i]), &got), 0);
		assert_int_equal(got.class, 7);
		assert_int_equal(got.subject, 8);
		assert_int_equal(got.detail, 9);
	}
}

static void test_code_is_not_read_beyond_its_slice(void **state)
{
	struct slice text = SLICE("5.1.12");
	struct status got = { 0 };

	(void)state;
	assert_int_equal(status_parse(slice_head(text, 5), &got), 5);
	assert_int_equal(got.detail, 1);
	assert_int_equal(status_parse(slice_head(text, 4), &got), 0);
	assert_int_equal(status_parse(slice_make(NULL, 0), &got), 0);
}

static void test_word_is_the_code_without_its_comment(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "4.4.1", "4.4.1" },
		{ "4.4.1 (TCP/IP-connection failure)", "4.4.1" },
		{ "2.1.05(x)", "2.1.05" },
		{ "(4.4.1)", "" },
		{ "4.4.1.2", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_slice_is(status_word(slice_of(rows[i].in)),
				rows[i].want);
}

static void test_printed_code_reads_back(void **state)
{
	static const char *const rows[] = { "2.0.0", "5.7.30", "4.999.999" };
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct status code;

		assert_true(status_parse(slice_of(rows[i]), &code) > 0);
		str_clear(&text);
		str_adds(&text, "<");
		status_print(&text, code);
		assert_slice_is(slice_from(str_slice(&text), 1), rows[i]);
	}
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_at_the_start_is_read),
		cmocka_unit_test(test_what_is_no_code_takes_nothing),
		cmocka_unit_test(test_code_is_not_read_beyond_its_slice),
		cmocka_unit_test(test_word_is_the_code_without_its_comment),
		cmocka_unit_test(test_printed_code_reads_back),
	};

	return TEST_RUN(tests);
}

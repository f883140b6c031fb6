/*
 * err_test.c - the one line that says why.
 */
#include "base/err.h"

#include "base/test.h"

#include <errno.h>
#include <string.h>

static void test_failing_fills_text_and_gives_minus_one(void **state)
{
	struct err err = { .code = 99 };

	(void)state;
	assert_int_equal(FAIL(&err, "%s:%d: bad", "file", 7), -1);
	assert_string_equal(err.text, "file:7: bad");
	assert_int_equal(FAIL(&err, "short"), -1);
	assert_string_equal(err.text, "short");
	assert_int_equal(err.code, 0);
}

static void test_cause_is_remembered(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(FAIL_CODE(&err, ENOENT, "x: %s", strerror(ENOENT)),
			 -1);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text, "x: No such file or directory");
}

static void test_nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(FAIL(NULL, "unheard %d", 1), -1);
	assert_int_equal(FAIL_CODE(NULL, EIO, "unheard"), -1);
}

static void test_text_from_outside_is_made_printable(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(FAIL(&err, "a%sb", "\t\n\r\001\033\177\303\244"), -1);
	assert_string_equal(err.text, "a ?????\303\244b");
}

static void test_long_text_is_cut(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(FAIL(&err, "%2000d", 1), -1);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

static void test_err_can_be_wrapped_in_its_own_text(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(FAIL_CODE(&err, EIO, "no such key"), -1);
	assert_int_equal(
	    FAIL_CODE(&err, err.code, "%s:%d: %s", "sm.conf", 12, err.text),
	    -1);
	assert_string_equal(err.text, "sm.conf:12: no such key");
	assert_int_equal(err.code, EIO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failing_fills_text_and_gives_minus_one),
		cmocka_unit_test(test_cause_is_remembered),
		cmocka_unit_test(test_nobody_need_listen),
		cmocka_unit_test(test_text_from_outside_is_made_printable),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_err_can_be_wrapped_in_its_own_text),
	};

	return TEST_RUN(tests);
}

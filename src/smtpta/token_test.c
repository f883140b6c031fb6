/*
 * token_test.c - what a program may print as a secret.
 */
#include "smtpta/token.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void test_output_is_a_secret_and_how_long_it_holds(void **state)
{
	static const struct {
		const char *output, *secret;
		unsigned seconds;
	} rows[] = {
		{ "token\n", "token", 0 },
		{ "token", "token", 0 },
		{ "token\r\n", "token", 0 },
		{ " two words \n", " two words ", 0 },
		{ "token\nexpires-in 3600\n", "token", 3600 },
		{ "token\r\nEXPIRES-IN\t3600 \r\n\r\n", "token", 3600 },
		{ "token\n\n  expires-in 1", "token", 1 },
		{ "caf\xc3\xa9\n", "caf\xc3\xa9", 0 },
		{ "token\nexpires-in 0\n", "token", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str secret = STR_INIT;
		unsigned seconds = 7;
		struct err err;

		assert_int_equal(token_parse(slice_of(rows[i].output), &secret,
					     &seconds, &err),
				 0);
		assert_slice_is(str_slice(&secret), rows[i].secret);
		assert_int_equal(seconds, rows[i].seconds);
		str_done(&secret);
	}
}

static void test_other_output_is_refused_and_not_shown(void **state)
{
	static const char *const rows[] = {
		"",
		"\n",
		"\nhush\n",
		"hu\tsh\n",
		"hu\033sh\n",
		"hush\nhush\n",
		"hush\nexpires-in\n",
		"hush\nexpires-in x\n",
		"hush\nexpires-in 1 2\n",
		"hush\nexpires-in -1\n",
		"hush\nexpires-in 99999999999999999999\n",
		"hush\nwarning: hush\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str secret = STR_INIT;
		struct err err = { 0 };
		unsigned seconds;

		assert_int_equal(
		    token_parse(slice_of(rows[i]), &secret, &seconds, &err),
		    -1);
		assert_int_equal(secret.len, 0);
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, "hush"));
	}
}

static void test_command_has_its_arguments_and_little_else(void **state)
{
	struct str secret = STR_INIT;
	unsigned seconds;
	struct err err;

	(void)state;
	if (token_run(SLICE("/usr/bin/printf  %s-%s\\nexpires-in\\t5  a  $b"),
		      20000, &secret, &seconds, &err) < 0)
		fail_msg("%s", err.text);
	assert_slice_is(str_slice(&secret), "a-$b");
	assert_int_equal(seconds, 5);
	str_done(&secret);
	assert_int_equal(
	    token_run(SLICE("/usr/bin/env"), 20000, &secret, &seconds, &err),
	    0);
	assert_slice_is(str_slice(&secret),
			"PATH=/usr/local/bin:/usr/bin:/bin");
	str_done(&secret);
}

static void test_command_that_prints_too_much(void **state)
{
	struct str secret = STR_INIT;
	unsigned seconds;
	struct err err;

	(void)state;
	assert_int_equal(token_run(SLICE("/usr/bin/seq 100000"), 20000, &secret,
				   &seconds, &err),
			 -1);
	assert_non_null(strstr(err.text, "too much"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_is_a_secret_and_how_long_it_holds),
		cmocka_unit_test(test_other_output_is_refused_and_not_shown),
		cmocka_unit_test(
		    test_command_has_its_arguments_and_little_else),
		cmocka_unit_test(test_command_that_prints_too_much),
	};

	return TEST_RUN(tests);
}

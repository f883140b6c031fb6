/*
 * caps_test.c - EHLO replies, honest and otherwise.
 */
#include "smtp/caps.h"

#include "base/test.h"

static struct caps parse(const char *text)
{
	struct caps c;

	caps_parse(slice_of(text), &c);
	return c;
}

static void test_every_keyword_in_any_case(void **state)
{
	struct caps c =
	    parse("250-mx\n250-Pipelining\n250-8bitmime\n250-SMTPutf8\n"
		  "250-dsn\n250-EnhancedStatusCodes\n250-chunking\n"
		  "250-binarymime\n250-starttls\n250-auth PLAIN LOGIN\n"
		  "250-etrn\n250-size 1000\n250-deliverby 60\n"
		  "250-x-rcptlimit 50\n"
		  "250 limits mailmax=10 RCPTMAX=20 rcptdomainmax=3");

	(void)state;
	assert_true(c.is_extended && c.pipelining && c.eightbitmime &&
		    c.smtputf8 && c.dsn && c.enhancedstatuscodes &&
		    c.chunking && c.binarymime && c.starttls && c.auth &&
		    c.etrn && c.size && c.deliverby);
	assert_int_equal(c.size_limit, 1000);
	assert_int_equal(c.deliverby_min, 60);
	assert_int_equal(c.rcpt_limit, 50);
	assert_int_equal(c.mailmax, 10);
	assert_int_equal(c.rcptmax, 20);
	assert_int_equal(c.rcptdomainmax, 3);
}

static void test_first_line_is_no_keyword(void **state)
{
	(void)state;
	assert_false(parse("250-PIPELINING\n250 SIZE").pipelining);
	assert_true(parse("250-PIPELINING\n250 SIZE").size);
	assert_false(parse("250 DSN").dsn);
}

static void test_auth_with_equals_sign(void **state)
{
	(void)state;
	assert_true(parse("250-mx\n250 AUTH=LOGIN").auth);
}

static void test_nonsense_counts_as_absent(void **state)
{
	struct caps c = parse("250-mx\n250-SIZE 99999999999999999999999\n"
			      "250-SIZE -5\n250-\n250-   \n250-PIPELININGS\n"
			      "250-DELIVERBY x\n250-LIMITS RCPTMAX\n250 \001");

	(void)state;
	assert_true(c.size);
	assert_int_equal(c.size_limit, 0);
	assert_false(c.pipelining);
	assert_true(c.deliverby);
	assert_int_equal(c.deliverby_min, 0);
	assert_int_equal(c.rcptmax, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_keyword_in_any_case),
		cmocka_unit_test(test_first_line_is_no_keyword),
		cmocka_unit_test(test_auth_with_equals_sign),
		cmocka_unit_test(test_nonsense_counts_as_absent),
	};

	return TEST_RUN(tests);
}

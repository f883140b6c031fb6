/*
 * caps_test.c - EHLO replies, honest and otherwise.
 */
#include "smtp/caps.h"

#include "base/keyword.h"
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

/* RFC 9422 4: one to six digits and not 0, or it is as if not said. */
static void test_malformed_limits_are_passed_over(void **state)
{
	struct caps c = parse("250-mx\n"
			      "250-LIMITS MAILMAX=0 MAILMAX=-1 MAILMAX=1000000 "
			      "MAILMAX= MAILMAX MAILMAX=+5 MAILMAX=7x =7 "
			      "MAILMAX==7 RCPTMAX=999999 X=1 RCPTMAX=12 "
			      "rcptDOMAINmax=00005 RCPTMAX=12345\n"
			      "250-LIMITS\n250 LIMIT MAILMAX=3");

	(void)state;
	assert_int_equal(c.mailmax, 0);
	assert_int_equal(c.rcptmax, 12); /* the smallest */
	assert_int_equal(c.rcptdomainmax, 5);
}

static void test_binarymime_is_nothing_without_chunking(void **state)
{
	(void)state;
	assert_false(parse("250-mx\n250 BINARYMIME").binarymime);
	assert_true(parse("250-mx\n250-BINARYMIME\n250 CHUNKING").binarymime);
}

static const char everything[] =
    "250-mx\n250-PIPELINING\n250-CHUNKING\n250-8BITMIME\n250-SMTPUTF8\n"
    "250-DSN\n250-SIZE 7\n250-DELIVERBY 8\n250-BINARYMIME\n"
    "250-ENHANCEDSTATUSCODES\n250-STARTTLS\n250-AUTH PLAIN\n250-ETRN\n"
    "250-REQUIRETLS\n"
    "250-LIMITS MAILMAX=1 RCPTMAX=2 RCPTDOMAINMAX=3\n250 X-RCPTLIMIT 9";

/* Each of them alone, with its parameters, and nothing else. */
static void test_masked_extension_was_never_offered(void **state)
{
	struct caps c = parse(everything);

	(void)state;
	assert_int_equal(caps_set(&c), SMTP_EXT_ALL);
	for (unsigned ext = 1; ext < SMTP_EXT_ALL; ext <<= 1) {
		unsigned gone =
		    ext == SMTP_EXT_CHUNKING ? ext | SMTP_EXT_BINARYMIME : ext;

		c = parse(everything);
		caps_mask(&c, ext);
		assert_int_equal(caps_set(&c), SMTP_EXT_ALL & ~gone);
	}
	caps_mask(&c, SMTP_EXT_ALL);
	assert_int_equal(caps_set(&c), 0);
	assert_int_equal(c.size_limit + c.deliverby_min + c.rcpt_limit, 0);
	assert_int_equal(c.mailmax + c.rcptmax + c.rcptdomainmax, 0);
	assert_true(c.is_extended);
}

static void test_set_is_printed_and_read_by_keyword(void **state)
{
	struct str text = STR_INIT;
	struct slice rest, word;
	unsigned set = 0;

	(void)state;
	caps_print_set(&text, SMTP_EXT_ALL);
	rest = str_slice(&text);
	while (slice_word(&rest, &word))
		set |= caps_ext_of(word);
	assert_int_equal(set, SMTP_EXT_ALL);
	str_clear(&text);
	caps_print_set(&text, SMTP_EXT_DSN | SMTP_EXT_LIMITS);
	assert_slice_is(str_slice(&text), "DSN LIMITS");
	str_done(&text);
	assert_int_equal(caps_ext_of(SLICE("x-rcptlimit")), SMTP_EXT_LIMITS);
	assert_int_equal(caps_ext_of(SLICE("HELP")), 0);
}

static void test_mechanisms_of_both_spellings_are_found_once(void **state)
{
	static const struct {
		const char *reply, *want;
	} rows[] = {
		{ "250-mx\n250 HELP", "" },
		{ "250-mx\n250 AUTH", "" },
		{ "250-AUTH LOGIN\n250 HELP", "" }, /* the server's name */
		{ "250-mx\n250 AUTH PLAIN login", "PLAIN LOGIN" },
		{ "250-mx\n250-AUTH PLAIN LOGIN\n250 AUTH=LOGIN  CRAM-MD5",
		  "PLAIN LOGIN CRAM-MD5" },
		{ "250-mx\n250 auth= x\tSCRAM-SHA-256-PLUS",
		  "X SCRAM-SHA-256-PLUS" },
		{ "250-mx\n250 AUTH A.B \001 123456789012345678901 OK_1 \"",
		  "OK_1" },
		{ "250-mx\n250 AUTHENTICATE PLAIN", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str words = STR_INIT;

		caps_auth_words(slice_of(rows[i].reply), &words);
		assert_slice_is(str_slice(&words), rows[i].want);
		str_done(&words);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_keyword_in_any_case),
		cmocka_unit_test(test_first_line_is_no_keyword),
		cmocka_unit_test(test_auth_with_equals_sign),
		cmocka_unit_test(test_nonsense_counts_as_absent),
		cmocka_unit_test(test_malformed_limits_are_passed_over),
		cmocka_unit_test(test_binarymime_is_nothing_without_chunking),
		cmocka_unit_test(test_masked_extension_was_never_offered),
		cmocka_unit_test(test_set_is_printed_and_read_by_keyword),
		cmocka_unit_test(
		    test_mechanisms_of_both_spellings_are_found_once),
	};

	return TEST_RUN(tests);
}

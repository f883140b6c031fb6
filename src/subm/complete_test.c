/*
 * complete_test.c - what is added to a header, and what goes.
 */
#include "subm/complete.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <time.h>

static const struct subm_completion facts = {
	.sender = { "alice@y", 7 },
	.mail_name = { "y", 1 },
	.host_name = { "host", 4 },
	.spool_id = { "S1", 2 },
	.date = { "DATE", 4 },
	.uid = 501,
};

#define RECEIVED "Received: by host (Zpost, from userid 501)\n\tid S1; DATE\n"

static void test_only_what_is_missing_is_added(void **state)
{
	static const struct {
		const char *fields, *want;
	} cases[] = {
		{ "", RECEIVED "Date: DATE\nFrom: alice@y\n"
			       "Message-ID: <S1@y>\n" },
		{ "from: b\nDATE : c\nmessage-id: d\nX: e\n\tf\n",
		  RECEIVED "from: b\nDATE : c\nmessage-id: d\nX: e\n\tf\n" },
		{ "X: e\nDate: c\n",
		  RECEIVED "From: alice@y\nMessage-ID: <S1@y>\n"
			   "X: e\nDate: c\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str got = STR_INIT;

		subm_complete(&got, slice_of(cases[i].fields), &facts);
		assert_slice_is(str_slice(&got), cases[i].want);
		str_done(&got);
	}
}

static void test_full_name_is_a_phrase(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "Alice A", "From: Alice A <alice@y>\n" },
		{ "A. \"B\" \\", "From: \"A. \\\"B\\\" \\\\\" <alice@y>\n" },
		{ "a\nBcc: x", "From: \"a?Bcc: x\" <alice@y>\n" },
		{ "\303\204li", "From: =?UTF-8?B?w4RsaQ==?= <alice@y>\n" },
		{ " ", "From:  <alice@y>\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_completion c = facts;
		struct str got = STR_INIT;
		size_t at;

		c.full_name = slice_of(cases[i].name);
		subm_complete(&got, SLICE("Date: x\nMessage-ID: y\n"), &c);
		at = slice_find_text(str_slice(&got), SLICE("From:"));
		got.len = slice_find_text(str_slice(&got), SLICE("Date: x"));
		assert_slice_is(slice_from(str_slice(&got), at), cases[i].want);
		str_done(&got);
	}
}

static void test_null_sender_is_the_mail_system(void **state)
{
	struct subm_completion c = facts;
	struct str got = STR_INIT;

	(void)state;
	c.sender = (struct slice){ 0 };
	subm_complete(&got, SLICE("Date: x\nMessage-ID: y\n"), &c);
	assert_slice_is(str_slice(&got), RECEIVED "From: Mail Delivery System"
						  " <MAILER-DAEMON@y>\n"
						  "Date: x\nMessage-ID: y\n");
	str_done(&got);
}

static void test_secret_recipients_go(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	subm_strip(&got, SLICE("To: a\nBcc: b,\n c\nbcc : d\nX: e\n"
			       "Resent-BCC: f\nReturn-Path: <g>\nBccx: h\n"));
	assert_slice_is(str_slice(&got), "To: a\nX: e\nBccx: h\n");
	str_done(&got);
}

static void test_date_has_the_zone_of_the_host(void **state)
{
	static const struct {
		const char *zone;
		int64_t seconds;
		const char *want;
	} cases[] = {
		{ "UTC0", 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ "IST-5:30", 1767268800, "Thu, 1 Jan 2026 17:30:00 +0530" },
		{ "NST3:30", 951827696, "Tue, 29 Feb 2000 09:04:56 -0330" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str got = STR_INIT;

		assert_int_equal(setenv("TZ", cases[i].zone, 1), 0);
		tzset();
		subm_date_print(&got, cases[i].seconds);
		assert_slice_is(str_slice(&got), cases[i].want);
		str_done(&got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_missing_is_added),
		cmocka_unit_test(test_full_name_is_a_phrase),
		cmocka_unit_test(test_null_sender_is_the_mail_system),
		cmocka_unit_test(test_secret_recipients_go),
		cmocka_unit_test(test_date_has_the_zone_of_the_host),
	};

	return TEST_RUN(tests);
}

/*
 * notice_test.c - reports: their parts, their fields, and hostile text.
 */
#include "dsn/notice.h"

#include "base/keyword.h"
#include "base/test.h"

static const struct notice_rcpt bob = {
	.address = { "bob@example.com", 15 },
	.orcpt = { "rfc822;Bob+2Bx@example.com", 26 },
	.action = { "failed", 6 },
	.status = { "5.1.1 (no such mailbox)", 23 },
	.remote_mta = { "dns; mx.example.com (192.0.2.9)", 31 },
	.diagnostic = { "smtp; 550 5.1.1 no such user", 28 },
	.text = { "550 5.1.1 no such user", 22 },
	.attempted = 1767268805,
};

static const struct slice alice = { "alice@example.net", 17 };

static struct notice plain(const struct notice_rcpt *r)
{
	return (struct notice){
		.kind = NOTICE_FAILED,
		.host = SLICE("mail.example.org"),
		.domain = SLICE("example.org"),
		.to = &alice,
		.n_to = 1,
		.message_id = SLICE("id@mail.example.org"),
		.boundary = SLICE("BOUNDARY"),
		.envid = SLICE("QQ+2B1"),
		.now = 1767268900,
		.arrived = 1767268800,
		.rcpts = r,
		.n_rcpts = 1,
		.header = SLICE("From: alice@example.net\nSubject: hi\n"),
	};
}

static void must_have(struct slice text, const char *part)
{
	if (slice_find_text(text, slice_of(part)) == text.len)
		fail_msg("no '%s' in:\n%.*s", part, SLICE_ARG(text));
}

static void must_not_have(struct slice text, const char *part)
{
	if (slice_find_text(text, slice_of(part)) != text.len)
		fail_msg("'%s' in:\n%.*s", part, SLICE_ARG(text));
}

static void test_report_is_whole(void **state)
{
	struct notice n = plain(&bob);
	struct str fields = STR_INIT, body = STR_INIT;

	(void)state;
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	assert_slice_is(
	    str_slice(&fields),
	    "Date: Thu, 1 Jan 2026 12:01:40 +0000\n"
	    "From: Mail Delivery System <postmaster@example.org>\n"
	    "To: <alice@example.net>\nSubject: Undelivered mail\n"
	    "Message-ID: <id@mail.example.org>\n"
	    "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"BOUNDARY\"\n");
	must_have(str_slice(&body),
		  "--BOUNDARY\nContent-Type: message/delivery-status\n\n"
		  "Original-Envelope-Id: QQ+1\n"
		  "Reporting-MTA: dns; mail.example.org\n"
		  "Arrival-Date: Thu, 1 Jan 2026 12:00:00 +0000\n\n"
		  "Original-Recipient: rfc822;Bob+x@example.com\n"
		  "Final-Recipient: rfc822; bob@example.com\n"
		  "Action: failed\nStatus: 5.1.1\n"
		  "Remote-MTA: dns; mx.example.com (192.0.2.9)\n"
		  "Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
		  "Last-Attempt-Date: Thu, 1 Jan 2026 12:00:05 +0000\n");
	must_have(str_slice(&body),
		  "\n  <bob@example.com>\n    550 5.1.1 no such user\n"
		  "    at mx.example.com (192.0.2.9)\n");
	must_have(str_slice(&body), "There is no such mailbox.");
	must_have(str_slice(&body),
		  "--BOUNDARY\nContent-Type: text/rfc822-headers\n\n"
		  "From: alice@example.net\nSubject: hi\n\n--BOUNDARY--\n");
	str_done(&fields);
	str_done(&body);
}

static void test_whole_message_is_returned(void **state)
{
	struct notice n = plain(&bob);
	struct str body = STR_INIT;

	(void)state;
	n.has_body = true;
	n.body = SLICE("Hi Bob.");
	notice_print_body(&body, &n);
	must_have(str_slice(&body),
		  "Content-Type: message/rfc822\n\nFrom: alice@example.net\n"
		  "Subject: hi\n\nHi Bob.\n\n--BOUNDARY--\n");
	str_done(&body);
}

static void test_addresses_outside_ascii_make_it_global(void **state)
{
	struct notice_rcpt r = bob;
	struct notice n = plain(&r);
	struct str fields = STR_INIT, body = STR_INIT;

	(void)state;
	r.address = SLICE("b\xc3\xb6"
			  "b@example.com");
	r.orcpt = SLICE("");
	n.header = SLICE("Subject: \xc3\xb6\n");
	n.is_utf8 = true;
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	must_have(str_slice(&fields), "Content-Transfer-Encoding: 8bit\n");
	must_have(str_slice(&body), "message/global-delivery-status\n"
				    "Content-Transfer-Encoding: 8bit\n\n");
	must_have(str_slice(&body), "Final-Recipient: utf-8; b\xc3\xb6"
				    "b@example.com\n");
	must_have(str_slice(&body), "message/global-headers\n");
	str_done(&fields);
	str_done(&body);
}

static void test_hostile_text_makes_no_line_of_its_own(void **state)
{
	const struct slice evil = SLICE("a>\nBcc: <all@example.com");
	struct notice_rcpt r = bob;
	struct notice n = plain(&r);
	struct str fields = STR_INIT, body = STR_INIT;

	(void)state;
	r.address = SLICE("b\r\nEvil: 1@x");
	r.text = SLICE("no\n--BOUNDARY\nway\x1b[31m");
	r.diagnostic = SLICE("smtp; a\n\nFinal-Recipient: c");
	r.remote_mta = SLICE("dns; x\r\nAction: delivered");
	r.status = SLICE("9.9.9\nX: y");
	r.orcpt = SLICE("rfc822;not xtext");
	n.to = &evil;
	n.about_subject = SLICE("a\n--BOUNDARY\nb");
	n.about_id = SLICE("<a\nBcc: x>");
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	must_not_have(str_slice(&fields), "\nBcc:");
	must_not_have(str_slice(&body), "\nEvil");
	must_not_have(str_slice(&body), "\nAction: delivered");
	must_not_have(str_slice(&body), "\nX: y");
	must_not_have(str_slice(&body), "\x1b");
	must_not_have(str_slice(&body), "\n--BOUNDARY\nway");
	must_not_have(str_slice(&body), "Original-Recipient");
	must_have(str_slice(&body), "Status: 5.0.0\n");
	str_done(&fields);
	str_done(&body);
}

static void test_delays_and_successes_say_so(void **state)
{
	struct notice_rcpt r = bob;
	struct notice n = plain(&r);
	struct str fields = STR_INIT, body = STR_INIT;

	(void)state;
	n.kind = NOTICE_DELAYED;
	r.action = SLICE("delayed");
	r.status = SLICE("");
	r.retry_until = 1767355200;
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	must_have(str_slice(&fields), "Subject: Delayed mail");
	must_have(str_slice(&body), "Status: 4.0.0\n");
	must_have(str_slice(&body), "Will-Retry-Until: Fri, 2 Jan 2026 12:00");
	must_have(str_slice(&body), "has not been delivered yet to:\n");
	str_clear(&body);
	n.kind = NOTICE_DELIVERED;
	r.action = SLICE("relayed");
	notice_print_body(&body, &n);
	must_have(str_slice(&body), "Action: relayed\nStatus: 2.0.0\n");
	must_have(str_slice(&body), "as you asked to hear");
	must_have(str_slice(&body), "It was handed on to a system that");
	str_clear(&body);
	r.action = SLICE("expanded");
	notice_print_body(&body, &n);
	must_have(str_slice(&body), "Action: expanded\n");
	must_have(str_slice(&body), "all who stand behind this address");
	str_done(&fields);
	str_done(&body);
}

static void test_words_say_which_message_it_is_about(void **state)
{
	struct notice n = plain(&bob);
	struct str fields = STR_INIT, body = STR_INIT;

	(void)state;
	n.about_id = SLICE("<1@example.net>");
	n.about_subject = SLICE("A question");
	n.remark = SLICE("Ask help@example.org.");
	n.is_too_large = true;
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	must_have(str_slice(&fields), "In-Reply-To: <1@example.net>\n"
				      "References: <1@example.net>\n");
	must_have(str_slice(&body),
		  "This is the mail system of mail.example.org.\n\n"
		  "Your message of Thu, 1 Jan 2026 12:00:00 +0000\n"
		  "    \"A question\"\n"
		  "could not be delivered to:\n\n  <Bob+x@example.com>, which "
		  "is now\n  <bob@example.com>\n");
	must_have(str_slice(&body), "too large to be attached; its header");
	must_have(str_slice(&body), "\nAsk help@example.org.\n\n--BOUNDARY");
	str_done(&fields);
	str_done(&body);
}

static void test_report_may_be_for_several(void **state)
{
	const struct slice two[] = { SLICE("a@x"), SLICE("b@y") };
	struct notice n = plain(&bob);
	struct str fields = STR_INIT;

	(void)state;
	n.to = two;
	n.n_to = 2;
	notice_print_fields(&fields, &n);
	must_have(str_slice(&fields), "\nTo: <a@x>,\n\t<b@y>\nSubject:");
	str_done(&fields);
}

static size_t count_of(struct slice text, const char *what)
{
	size_t n = 0, at;

	while ((at = slice_find_text(text, slice_of(what))) < text.len) {
		n++;
		text = slice_from(text, at + 1);
	}
	return n;
}

static void test_what_is_true_of_many_is_said_once(void **state)
{
	struct notice_rcpt many[120];
	struct notice n = plain(many);
	struct str body = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = bob;
	many[2].text = SLICE("another reason");
	n.n_rcpts = COUNT(many);
	notice_print_body(&body, &n);
	/* The first two, the third, the rest. */
	assert_int_equal(count_of(str_slice(&body), "There is no such mailbox"),
			 3);
	assert_int_equal(count_of(str_slice(&body), "  <bob@example.com>\n"),
			 NOTICE_WORDS_MAX);
	must_have(str_slice(&body), "and 70 more; the second part");
	assert_int_equal(count_of(str_slice(&body), "\nFinal-Recipient: "),
			 COUNT(many));
	str_done(&body);
}

static void test_original_recipients_are_decoded(void **state)
{
	static const struct {
		const char *in, *type, *want; /* NULL: none */
	} rows[] = {
		{ "rfc822;Bob+2Bx@example.com", "rfc822", "Bob+x@example.com" },
		{ "utf-8;b\\x{F6}b@x", "utf-8",
		  "b\xc3\xb6"
		  "b@x" },
		{ "UTF-8;b\xc3\xb6"
		  "b@x",
		  "UTF-8",
		  "b\xc3\xb6"
		  "b@x" },
		{ "utf-8;\\x{5C}\\x{1F600}\\x{20AC}@x", "utf-8",
		  "\\\xf0\x9f\x98\x80\xe2\x82\xac@x" },
		{ "utf-8;\\x{D800}@x", NULL, NULL },
		{ "utf-8;\\x{110000}@x", NULL, NULL },
		{ "utf-8;\\x{A}@x", NULL, NULL },
		{ "utf-8;\\x{}@x", NULL, NULL },
		{ "utf-8;\\x{4142434445}@x", NULL, NULL },
		{ "utf-8;\\x{41", NULL, NULL },
		{ "rfc822;a b", NULL, NULL },
		{ "rfc822;", NULL, NULL },
		{ "bob@x", NULL, NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;
		struct slice type = { 0 };
		bool is = notice_orcpt(&got, slice_of(rows[i].in), &type);

		assert_int_equal(is, rows[i].want != NULL);
		if (is) {
			assert_slice_is(type, rows[i].type);
			assert_slice_is(str_slice(&got), rows[i].want);
		}
		assert_true(is || got.len == 0);
		str_done(&got);
	}
}

static void test_original_outside_ascii_makes_it_global(void **state)
{
	struct notice_rcpt r = bob;
	struct notice n = plain(&r);
	struct str fields = STR_INIT, body = STR_INIT;

	(void)state;
	r.orcpt = SLICE("utf-8;b\\x{F6}b@example.com");
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	must_have(str_slice(&fields), "Content-Transfer-Encoding: 8bit\n");
	must_have(str_slice(&body), "message/global-delivery-status\n");
	must_have(str_slice(&body),
		  "Original-Recipient: utf-8;b\xc3\xb6"
		  "b@example.com\nFinal-Recipient: rfc822; bob@example.com\n");
	must_have(str_slice(&body), "  <b\xc3\xb6"
				    "b@example.com>, which is now\n");
	str_done(&fields);
	str_done(&body);
}

static void test_bytes_that_are_no_utf8_are_not_said_to_be(void **state)
{
	struct notice_rcpt r = bob;
	struct notice n = plain(&r);
	struct str body = STR_INIT;

	(void)state;
	r.text = SLICE("550 \xe9 is Latin-1");
	r.address = SLICE("\xe9@example.com");
	n.header = SLICE("Subject: \xe9\n");
	notice_print_body(&body, &n);
	must_have(str_slice(&body), "    550 ? is Latin-1\n");
	must_have(str_slice(&body), "Final-Recipient: utf-8; ?@example.com\n");
	must_have(str_slice(&body), "Content-Type: text/rfc822-headers\n"
				    "Content-Transfer-Encoding: 8bit\n\n"
				    "Subject: \xe9\n");
	str_done(&body);
}

static void test_dates(void **state)
{
	static const struct {
		int64_t in;
		const char *want;
	} rows[] = {
		{ 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ 951827696, "Tue, 29 Feb 2000 12:34:56 +0000" },
		{ 1709210096, "Thu, 29 Feb 2024 12:34:56 +0000" },
		{ 1795328052, "Sun, 22 Nov 2026 06:14:12 +0000" },
		{ 2147483648, "Tue, 19 Jan 2038 03:14:08 +0000" },
		{ 4107542399, "Sun, 28 Feb 2100 23:59:59 +0000" },
		{ -5, "Thu, 1 Jan 1970 00:00:00 +0000" },
	};
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&got);
		notice_print_date(&got, rows[i].in);
		assert_slice_is(str_slice(&got), rows[i].want);
	}
	str_done(&got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_is_whole),
		cmocka_unit_test(test_whole_message_is_returned),
		cmocka_unit_test(test_addresses_outside_ascii_make_it_global),
		cmocka_unit_test(test_hostile_text_makes_no_line_of_its_own),
		cmocka_unit_test(test_delays_and_successes_say_so),
		cmocka_unit_test(test_words_say_which_message_it_is_about),
		cmocka_unit_test(test_report_may_be_for_several),
		cmocka_unit_test(test_what_is_true_of_many_is_said_once),
		cmocka_unit_test(test_original_recipients_are_decoded),
		cmocka_unit_test(test_original_outside_ascii_makes_it_global),
		cmocka_unit_test(
		    test_bytes_that_are_no_utf8_are_not_said_to_be),
		cmocka_unit_test(test_dates),
	};

	return TEST_RUN(tests);
}

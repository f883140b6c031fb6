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

static struct notice plain(const struct notice_rcpt *r)
{
	return (struct notice){
		.kind = NOTICE_FAILED,
		.host = SLICE("mail.example.org"),
		.to = SLICE("alice@example.net"),
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
	    "From: Mail Delivery System <postmaster@mail.example.org>\n"
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
		  "    said by mx.example.com (192.0.2.9)\n");
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
	n.to = SLICE("a>\nBcc: <all@example.com");
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
	must_have(str_slice(&body), "has not been delivered yet");
	str_clear(&body);
	n.kind = NOTICE_DELIVERED;
	r.action = SLICE("relayed");
	notice_print_body(&body, &n);
	must_have(str_slice(&body), "Action: relayed\nStatus: 2.0.0\n");
	must_have(str_slice(&body), "As you asked to hear");
	str_done(&fields);
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
		cmocka_unit_test(test_dates),
	};

	return TEST_RUN(tests);
}

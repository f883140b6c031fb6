/*
 * tlsrpt_json_test.c - the aggregate report about TLS, and its days.
 */
#include "base/test.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "policy/tlsrpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void test_a_report_has_the_members_of_the_rfc(void **state)
{
	const struct slice strings[] = { SLICE("version: STSv1"),
					 SLICE("mode: testing") };
	const struct slice mx[] = { SLICE("*.mail.example.org") };
	const struct slice tlsa[] = { SLICE("3 1 1 00ab") };
	const struct tlsrpt_detail details[] = {
		{ { TLSRPT_CERTIFICATE_EXPIRED, SLICE("2001:db8::1"),
		    SLICE("203.0.113.56"), SLICE("mx1.mail.example.org"),
		    SLICE("mx1"), SLICE("https://example.net/x"),
		    SLICE("expired") },
		  100 },
		{ { .type = TLSRPT_STARTTLS_NOT_SUPPORTED }, 3 },
	};
	const struct tlsrpt_group groups[] = {
		{ { TLSRPT_STS, SLICE("example.org"), strings, 2, mx, 1 },
		  5326,
		  103,
		  details,
		  2 },
		{ { TLSRPT_TLSA, SLICE("mx1.mail.example.org"), tlsa, 1, mx,
		    1 },
		  1,
		  0,
		  NULL,
		  0 },
		{ { TLSRPT_NO_POLICY, SLICE("example.org"), NULL, 0, NULL, 0 },
		  UINT64_MAX,
		  0,
		  NULL,
		  0 },
	};
	struct tlsrpt_report r = {
		.organization = SLICE("Example \"Net\""),
		.contact = SLICE("tls@example.net"),
		.id = SLICE("1.2@example.net"),
		.domain = SLICE("example.org"),
		.day = 20779,
		.groups = groups,
		.n_groups = 3,
	};
	struct str text = STR_INIT;

	(void)state;
	tlsrpt_json_print(&text, &r);
	assert_slice_is(
	    str_slice(&text),
	    "{\"organization-name\":\"Example \\\"Net\\\"\","
	    "\"date-range\":{\"start-datetime\":\"2026-11-22T00:00:00Z\","
	    "\"end-datetime\":\"2026-11-22T23:59:59Z\"},"
	    "\"contact-info\":\"tls@example.net\","
	    "\"report-id\":\"1.2@example.net\",\"policies\":["
	    "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":["
	    "\"version: STSv1\",\"mode: testing\"],"
	    "\"policy-domain\":\"example.org\","
	    "\"mx-host\":[\"*.mail.example.org\"]},"
	    "\"summary\":{\"total-successful-session-count\":5326,"
	    "\"total-failure-session-count\":103},\"failure-details\":["
	    "{\"result-type\":\"certificate-expired\","
	    "\"sending-mta-ip\":\"2001:db8::1\","
	    "\"receiving-mx-hostname\":\"mx1.mail.example.org\","
	    "\"receiving-mx-helo\":\"mx1\","
	    "\"receiving-ip\":\"203.0.113.56\","
	    "\"failed-session-count\":100,"
	    "\"additional-information\":\"https://example.net/x\","
	    "\"failure-reason-code\":\"expired\"},"
	    "{\"result-type\":\"starttls-not-supported\","
	    "\"failed-session-count\":3}]},"
	    "{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":["
	    "\"3 1 1 00ab\"],\"policy-domain\":\"mx1.mail.example.org\"},"
	    "\"summary\":{\"total-successful-session-count\":1,"
	    "\"total-failure-session-count\":0}},"
	    "{\"policy\":{\"policy-type\":\"no-policy-found\","
	    "\"policy-domain\":\"example.org\"},"
	    "\"summary\":{\"total-successful-session-count\":9007199254740991,"
	    "\"total-failure-session-count\":0}}]}");
	str_done(&text);
}

static void test_hostile_text_becomes_harmless(void **state)
{
	const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ SLICE("a\"\\b"), "\"a\\\"\\\\b\"" },
		{ SLICE("a\xff"), "\"a\xef\xbf\xbd\"" },
		{ SLICE("\xef\xbf\xbe|\xef\xbf\xbf"),
		  "\"\xef\xbf\xbd|\xef\xbf\xbd\"" },
		{ SLICE("\xef\xb7\x90\xef\xb7\xaf\xef\xb7\xb0"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xb7\xb0\"" },
		{ SLICE("\xf0\x9f\xbf\xbf\xf4\x8f\xbf\xbe"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SLICE("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"" },
		{ SLICE("\xed\xa0\x80"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tlsrpt_report r = { .organization = rows[i].in };
		struct str text = STR_INIT;
		struct slice got, head = SLICE("{\"organization-name\":");

		tlsrpt_json_print(&text, &r);
		got = slice_from(str_slice(&text), head.len);
		got = slice_head(got, slice_find_text(got, SLICE(",\"date")));
		assert_slice_is(got, rows[i].want);
		str_done(&text);
	}
}

/* The longest texts, which grow to six times their size. */
static void test_the_size_is_bounded(void **state)
{
	enum { GROUPS = 40, DETAILS = 400, LEN = 5000 };
	struct str text = STR_INIT, long_text = STR_INIT;
	struct tlsrpt_group *groups = mem_zero(GROUPS, sizeof(*groups));
	struct tlsrpt_detail *details = mem_zero(DETAILS, sizeof(*details));
	struct slice *strings = mem_zero(LEN, sizeof(*strings));
	struct tlsrpt_report r = { .groups = groups, .n_groups = GROUPS };
	struct slice all;

	(void)state;
	for (unsigned i = 0; i < LEN; i++)
		str_addc(&long_text, '\x01');
	all = str_slice(&long_text);
	for (unsigned i = 0; i < LEN; i++)
		strings[i] = slice_head(all, i % 2);
	for (unsigned i = 0; i < DETAILS; i++)
		details[i] =
		    (struct tlsrpt_detail){ { TLSRPT_CERTIFICATE_HOST_MISMATCH,
					      all, all, all, all, all, all },
					    UINT64_MAX };
	for (unsigned i = 0; i < GROUPS; i++)
		groups[i] = (struct tlsrpt_group){ { TLSRPT_STS, all, strings,
						     LEN, strings, LEN },
						   1,
						   1,
						   details,
						   i % 3 == 0 ? DETAILS : 0 };
	r.organization = r.contact = r.id = all;
	tlsrpt_json_print(&text, &r);
	assert_true(text.len <= TLSRPT_JSON_MAX);
	assert_true(text.len > TLSRPT_JSON_MAX / 4 * 3);
	assert_int_equal(text.p[text.len - 1], '}');
	str_done(&text);
	str_done(&long_text);
	free(groups);
	free(details);
	free(strings);
}

static void test_days_are_those_of_the_calendar(void **state)
{
	(void)state;
	for (int64_t day = -719162; day < 2932897; day += 13) {
		struct str text = STR_INIT;
		char want[64];
		time_t t = (time_t)tlsrpt_day_begin(day);
		struct tm tm;
		int64_t back;

		assert_non_null(gmtime_r(&t, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02d",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
		tlsrpt_day_print(&text, day);
		assert_slice_is(str_slice(&text), want);
		assert_true(tlsrpt_day_read(str_slice(&text), &back));
		assert_int_equal(back, day);
		assert_int_equal(tlsrpt_day_of(tlsrpt_day_begin(day)), day);
		assert_int_equal(tlsrpt_day_of(tlsrpt_day_end(day)), day);
		str_done(&text);
	}
}

static void test_what_is_no_day_is_refused(void **state)
{
	static const char *const rows[] = {
		"",	      "2026-11-2",  "2026-11-31", "2026-02-29",
		"2026-13-01", "2026-00-01", "2026-01-00", "2026-01-01x",
		"2026/01/01", "+026-01-01", "0000-01-01", "2026-1--01",
	};
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t day = 7;

		assert_false(tlsrpt_day_read(slice_of(rows[i]), &day));
		assert_int_equal(day, 7);
	}
	tlsrpt_day_print(&text, INT64_MAX);
	tlsrpt_day_print(&text, INT64_MIN);
	assert_slice_is(str_slice(&text), "1970-01-011970-01-01");
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_report_has_the_members_of_the_rfc),
		cmocka_unit_test(test_hostile_text_becomes_harmless),
		cmocka_unit_test(test_the_size_is_bounded),
		cmocka_unit_test(test_days_are_those_of_the_calendar),
		cmocka_unit_test(test_what_is_no_day_is_refused),
	};

	return TEST_RUN(tests);
}

/*
 * message_test.c - a report as it goes out: gzip, and the message.
 */
#include "base/test.h"

#include "base/keyword.h"
#include "tlsrpt/message.h"

#include <string.h>
#include <zlib.h>

static void assert_unzips_to(struct slice gzip, struct slice want)
{
	struct str got = STR_INIT;
	z_stream z = { 0 };

	str_reserve(&got, want.len + 1);
	z.next_in = (Bytef *)(uintptr_t)gzip.p;
	z.avail_in = (uInt)gzip.len;
	z.next_out = (Bytef *)got.p;
	z.avail_out = (uInt)want.len + 1;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, want.len);
	assert_memory_equal(got.p, want.p, want.len);
	inflateEnd(&z);
	str_done(&got);
}

static void test_gzip_gives_back_what_went_in(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65536, 3000000 };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct str text = STR_INIT, gzip = STR_INIT;
		uint32_t noise = 1;

		str_reserve(&text, sizes[i] + 1);
		for (size_t k = 0; k < sizes[i]; k++) {
			noise = noise * 1664525u + 1013904223u;
			str_addc(&text, (char)(noise >> 24));
		}
		str_adds(&gzip, "before");
		message_gzip(str_slice(&text), &gzip);
		assert_unzips_to(slice_from(str_slice(&gzip), 6),
				 str_slice(&text));
		str_done(&text);
		str_done(&gzip);
	}
}

static void test_gzip_of_the_same_is_the_same(void **state)
{
	struct str one = STR_INIT, two = STR_INIT;

	(void)state;
	message_gzip(SLICE("text"), &one);
	message_gzip(SLICE("text"), &two);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.p, two.p, one.len);
	/* No time in it (RFC 1952 2.3.1). */
	assert_memory_equal(one.p + 4, "\0\0\0\0", 4);
	str_done(&one);
	str_done(&two);
}

static void test_a_message_is_just_so(void **state)
{
	const struct slice to[] = { SLICE("a@example.org"),
				    SLICE("b@example.org") };
	const struct tlsrpt_group groups[] = { { .n_good = 5, .n_failed = 1 },
					       { .n_good = 2 } };
	const struct tlsrpt_report report = {
		.contact = SLICE("tls@example.net"),
		.id = SLICE("2026-11-22.0a1b@example.net"),
		.domain = SLICE("example.org"),
		.day = 20779,
		.groups = groups,
		.n_groups = 2,
	};
	const struct message m = {
		.report = &report,
		.submitter = SLICE("example.net"),
		.token = SLICE("0a1b"),
		.gzip = SLICE("xyz"),
		.to = to,
		.n_to = 2,
		.now = 20780 * 86400 + 3 * 3600 + 4 * 60 + 5,
	};
	struct str text = STR_INIT;

	(void)state;
	message_print(&text, &m);
	assert_slice_is(
	    str_slice(&text),
	    "From: tls@example.net\n"
	    "To: a@example.org,\n b@example.org\n"
	    "Subject: Report Domain: example.org\n"
	    " Submitter: example.net\n"
	    " Report-ID: <2026-11-22.0a1b@example.net>\n"
	    "Date: Mon, 23 Nov 2026 03:04:05 +0000\n"
	    "Message-ID: <2026-11-22.0a1b@example.net>\n"
	    "Auto-Submitted: auto-generated\n"
	    "TLS-Required: No\n"
	    "TLS-Report-Domain: example.org\n"
	    "TLS-Report-Submitter: example.net\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\n"
	    " boundary=\"=_0a1b\"\n"
	    "\n"
	    "--=_0a1b\n"
	    "Content-Type: text/plain; charset=us-ascii\n"
	    "\n"
	    "This is an aggregate report about TLS (RFC 8460)\n"
	    "from example.net\n"
	    "about mail for example.org\n"
	    "on 2026-11-22 (UTC).\n"
	    "\n"
	    "Sessions that were as the policy wants: 7\n"
	    "Sessions that failed: 1\n"
	    "\n"
	    "--=_0a1b\n"
	    "Content-Type: application/tlsrpt+gzip\n"
	    "Content-Transfer-Encoding: base64\n"
	    "Content-Disposition: attachment;\n"
	    " filename=\"example.net!example.org!1795305600!1795391999!0a1b"
	    ".json.gz\"\n"
	    "\n"
	    "eHl6\n"
	    "--=_0a1b--\n");
	assert_true(tlsrpt_is_report(str_slice(&text)));
	str_done(&text);
}

static void test_an_id_names_the_day(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	message_id_print(&text, 0, SLICE("ff"), SLICE("a.example"));
	assert_slice_is(str_slice(&text), "1970-01-01.ff@a.example");
	str_done(&text);
}

static void test_lines_are_short_enough_for_the_longest_names(void **state)
{
	struct str name = STR_INIT, text = STR_INIT;
	struct slice to[TLSRPT_DESTINATIONS_MAX], rest, line;
	struct tlsrpt_report report = { .day = 20779 };
	struct message m = { .report = &report,
			     .token = SLICE("0123456789abcdef"),
			     .to = to,
			     .n_to = COUNT(to) };

	(void)state;
	for (int i = 0; i < 126; i++)
		str_adds(&name, "a.");
	str_adds(&name, "b");
	report.domain = report.contact = report.id = str_slice(&name);
	m.submitter = str_slice(&name);
	for (size_t i = 0; i < COUNT(to); i++)
		to[i] = str_slice(&name);
	message_print(&text, &m);
	rest = str_slice(&text);
	while (slice_cut(&rest, '\n', &line))
		assert_true(line.len <= 998);
	str_done(&name);
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip_gives_back_what_went_in),
		cmocka_unit_test(test_gzip_of_the_same_is_the_same),
		cmocka_unit_test(test_a_message_is_just_so),
		cmocka_unit_test(test_an_id_names_the_day),
		cmocka_unit_test(
		    test_lines_are_short_enough_for_the_longest_names),
	};

	return TEST_RUN(tests);
}

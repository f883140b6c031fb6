/*
 * tlsrpt_test.c - the TXT record of TLS reports, and who is a report.
 */
#include "base/test.h"

#include "base/keyword.h"
#include "policy/tlsrpt.h"

#define HEAD "v=TLSRPTv1; "

struct txt_row {
	const char *records; /* with "|" between */
	enum tlsrpt_txt want;
	const char *found; /* destinations with blanks between */
};

static const struct txt_row txt_rows[] = {
	{ "v=TLSRPTv1; rua=mailto:r@example.org", TLSRPT_TXT_OK,
	  "m:r@example.org" },
	{ "v=TLSRPTv1;rua=https://example.org/v1/tlsrpt", TLSRPT_TXT_OK,
	  "h:https://example.org/v1/tlsrpt" },
	{ "v=TLSRPTv1 ;\trua=mailto:a@example.org , https://example.org;",
	  TLSRPT_TXT_OK, "m:a@example.org h:https://example.org" },
	{ "v=TLSRPTv1; x=1; rua=mailto:a@b; rua=mailto:c@d", TLSRPT_TXT_OK,
	  "m:a@b m:c@d" },
	{ HEAD "rua=mailto:a@b,mailto:%61@b,MAILTO:a@b", TLSRPT_TXT_OK,
	  "m:a@b" },
	{ HEAD "rua=mailto:a%2Bb%21c@b?subject=x", TLSRPT_TXT_OK, "m:a+b!c@b" },
	{ HEAD "rua=https://[2001:db8::1]:8443/?a=b#c", TLSRPT_TXT_OK,
	  "h:https://[2001:db8::1]:8443/?a=b#c" },
	/* Of no use, but good. */
	{ HEAD "rua=ftp://example.org", TLSRPT_TXT_OK, "" },
	{ HEAD "rua=http://example.org,mailto:a@b", TLSRPT_TXT_OK, "m:a@b" },
	{ HEAD "rua=https://user:pw@example.org/", TLSRPT_TXT_OK, "" },
	{ HEAD "rua=https:///x,https:x,https://:1/,https://h:0/", TLSRPT_TXT_OK,
	  "" },
	{ HEAD "rua=https://h:65536/,https://[x]/,https://h/[", TLSRPT_TXT_OK,
	  "" },
	{ HEAD "rua=mailto:,mailto:a,mailto:@b,mailto:a@,mailto:a@b@",
	  TLSRPT_TXT_OK, "" },
	{ HEAD "rua=mailto:a%0Ab@c,mailto:a%00@c,mailto:a%20b@c", TLSRPT_TXT_OK,
	  "" },
	{ HEAD "rua=mailto:a@b%0D%0ABcc%3Ax@y,mailto:a%2Cb@c,mailto:%3Ca@b",
	  TLSRPT_TXT_OK, "" },
	{ HEAD "rua=mailto:a..b@c,mailto:.a@c,mailto:%FF@c,mailto:a@[1.2.3.4]",
	  TLSRPT_TXT_OK, "" },
	/* None. */
	{ "", TLSRPT_TXT_NONE, NULL },
	{ "v=spf1 -all|hello", TLSRPT_TXT_NONE, NULL },
	{ "V=TLSRPTv1; rua=mailto:a@b", TLSRPT_TXT_NONE, NULL },
	{ "v=TLSRPTv10; rua=mailto:a@b", TLSRPT_TXT_NONE, NULL },
	{ "v=TLSRPTv1", TLSRPT_TXT_NONE, NULL },
	{ " v=TLSRPTv1; rua=mailto:a@b", TLSRPT_TXT_NONE, NULL },
	{ "x|v=TLSRPTv1; rua=mailto:a@b|y", TLSRPT_TXT_OK, "m:a@b" },
	{ "v=TLSRPTv1; rua=mailto:a@b|v=TLSRPTv1; rua=mailto:a@b",
	  TLSRPT_TXT_MANY, NULL },
	{ "v=TLSRPTv1; rua=mailto:a@b|v=TLSRPTv1; bad", TLSRPT_TXT_MANY, NULL },
	/* Bad. */
	{ "v=TLSRPTv1;", TLSRPT_TXT_BAD, NULL },
	{ "v=TLSRPTv1; x=y", TLSRPT_TXT_BAD, NULL },
	{ HEAD "RUA=mailto:a@b", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b,", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b;;", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b; ; x=1", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b!10m", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a b@c", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a%2@c", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a%zz@c", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:\xc3\xa9@c", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=a@b", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=:x", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b; x", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b; x=", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b; =x", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua=mailto:a@b; x=a=b", TLSRPT_TXT_BAD, NULL },
	{ HEAD "rua =mailto:a@b", TLSRPT_TXT_BAD, NULL },
};

static size_t split(const char *text, struct slice records[8])
{
	struct slice rest = slice_of(text);
	size_t n = 0;

	while (n < 8 && slice_cut(&rest, '|', &records[n]))
		n++;
	return n;
}

static void test_records_are_read_as_the_grammar_has_them(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(txt_rows); i++) {
		const struct txt_row *row = &txt_rows[i];
		struct slice records[8];
		struct tlsrpt_destination *found = NULL;
		struct str text = STR_INIT;
		size_t n = 77;
		enum tlsrpt_txt got = tlsrpt_txt_find(
		    records, split(row->records, records), a, &found, &n);

		if (got != row->want)
			fail_msg("'%s': %s", row->records,
				 tlsrpt_txt_word(got));
		if (got != TLSRPT_TXT_OK) {
			assert_null(found);
			assert_int_equal(n, 77);
			continue;
		}
		for (size_t k = 0; k < n; k++)
			str_addf(&text, "%s%c:%.*s", k > 0 ? " " : "",
				 found[k].way == TLSRPT_MAILTO ? 'm' : 'h',
				 SLICE_ARG(found[k].target));
		assert_slice_is(str_slice(&text), row->found);
		str_done(&text);
	}
	arena_free(a);
}

static void test_a_nul_in_a_record_makes_it_bad(void **state)
{
	static const char text[] = "v=TLSRPTv1; rua=mailto:a\0b@c";
	struct slice record = slice_make(text, sizeof(text) - 1);
	struct arena *a = arena_new();
	struct tlsrpt_destination *found;
	size_t n;

	(void)state;
	assert_int_equal(tlsrpt_txt_find(&record, 1, a, &found, &n),
			 TLSRPT_TXT_BAD);
	arena_free(a);
}

static void test_destinations_and_record_are_bounded(void **state)
{
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct tlsrpt_destination *found;
	struct slice record;
	size_t n;

	(void)state;
	str_adds(&text, "v=TLSRPTv1; rua=mailto:a0@b");
	for (unsigned i = 1; i < 2000; i++)
		str_addf(&text, ",mailto:a%u@b", i);
	record = str_slice(&text);
	assert_int_equal(tlsrpt_txt_find(&record, 1, a, &found, &n),
			 TLSRPT_TXT_OK);
	assert_int_equal(n, TLSRPT_DESTINATIONS_MAX);
	assert_slice_is(found[9].target, "a9@b");
	while (text.len <= TLSRPT_RECORD_MAX + 100)
		str_adds(&text, ",mailto:a@b");
	record = str_slice(&text);
	assert_int_equal(tlsrpt_txt_find(&record, 1, a, &found, &n),
			 TLSRPT_TXT_BAD);
	str_done(&text);
	arena_free(a);
}

static void test_the_record_lies_below_smtp_tls(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	tlsrpt_txt_name_print(&text, SLICE("example.org"));
	assert_slice_is(str_slice(&text), "_smtp._tls.example.org");
	str_done(&text);
}

static void test_policies_become_strings(void **state)
{
	struct arena *a = arena_new();
	struct slice mx[] = { SLICE("mx.example.org"), SLICE("*.example.net") };
	struct sts_policy policy = {
		.mode = STS_MODE_TESTING, .max_age = 604800, .mx = mx, .n_mx = 2
	};
	struct dane_record record = { 3, 1, 1, SLICE("\x00\xabz\xff") };
	const struct slice *s;
	size_t n;

	(void)state;
	s = tlsrpt_sts_strings(&policy, a, &n);
	assert_int_equal(n, 5);
	assert_slice_is(s[0], "version: STSv1");
	assert_slice_is(s[1], "mode: testing");
	assert_slice_is(s[2], "mx: mx.example.org");
	assert_slice_is(s[3], "mx: *.example.net");
	assert_slice_is(s[4], "max_age: 604800");
	assert_slice_is(tlsrpt_tlsa_string(&record, a), "3 1 1 00ab7aff");
	arena_free(a);
}

static void test_a_report_is_known_by_its_header(void **state)
{
	static const struct {
		const char *header;
		bool want;
	} rows[] = {
		{ "From: a@b\nTLS-Report-Domain: c\n", true },
		{ "From: a@b\r\ntls-report-domain : c\r\n\r\n", true },
		{ "TLS-Report-Domain:", true },
		{ "", false },
		{ "From: a@b\n\nTLS-Report-Domain: c\n", false },
		{ "From: a@b\r\n\r\nTLS-Report-Domain: c\r\n", false },
		{ "X: y\n TLS-Report-Domain: c\n", false },
		{ "TLS-Report-Domains: c\n", false },
		{ "TLS-Report-Domain\n", false },
		{ "TLS-Report-Submitter: c\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (tlsrpt_is_report(slice_of(rows[i].header)) != rows[i].want)
			fail_msg("'%s'", rows[i].header);
}

static void test_domains_are_fit_for_headers_and_file_names(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "example.org", true }, { "xn--bcher-kva.example", true },
		{ "a", true },		 { "_x.example", true },
		{ "1.2.3.4", true },	 { "", false },
		{ ".", false },		 { "a.", false },
		{ "a..b", false },	 { "-a.b", false },
		{ "a-.b", false },	 { "a/../b", false },
		{ "a b", false },	 { "a\nb", false },
		{ "[1.2.3.4]", false },	 { "a!b", false },
		{ "\xc3\xa9.b", false }, { "a\\.b", false },
	};
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (tlsrpt_is_domain(slice_of(rows[i].text)) != rows[i].want)
			fail_msg("'%s'", rows[i].text);
	for (unsigned i = 0; i < 126; i++)
		str_adds(&text, "a.");
	str_adds(&text, "b");
	assert_true(tlsrpt_is_domain(str_slice(&text)));
	str_adds(&text, "b");
	assert_false(tlsrpt_is_domain(str_slice(&text)));
	str_clear(&text);
	for (unsigned i = 0; i < 64; i++)
		str_addc(&text, 'a');
	assert_false(tlsrpt_is_domain(str_slice(&text)));
	str_done(&text);
}

static void test_words_are_those_of_the_rfc(void **state)
{
	static const char *const words[] = {
		"success",
		"starttls-not-supported",
		"certificate-host-mismatch",
		"certificate-expired",
		"certificate-not-trusted",
		"validation-failure",
		"tlsa-invalid",
		"dnssec-invalid",
		"dane-required",
		"sts-policy-fetch-error",
		"sts-policy-invalid",
		"sts-webpki-invalid",
	};
	static const char *const kinds[] = { "no-policy-found", "tlsa", "sts" };

	(void)state;
	assert_int_equal(COUNT(words), TLSRPT_TYPES);
	for (size_t i = 0; i < COUNT(words); i++)
		assert_string_equal(tlsrpt_type_word((enum tlsrpt_type)i),
				    words[i]);
	assert_int_equal(COUNT(kinds), TLSRPT_KINDS);
	for (size_t i = 0; i < COUNT(kinds); i++)
		assert_string_equal(tlsrpt_kind_word((enum tlsrpt_kind)i),
				    kinds[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_are_read_as_the_grammar_has_them),
		cmocka_unit_test(test_a_nul_in_a_record_makes_it_bad),
		cmocka_unit_test(test_destinations_and_record_are_bounded),
		cmocka_unit_test(test_the_record_lies_below_smtp_tls),
		cmocka_unit_test(test_policies_become_strings),
		cmocka_unit_test(test_a_report_is_known_by_its_header),
		cmocka_unit_test(
		    test_domains_are_fit_for_headers_and_file_names),
		cmocka_unit_test(test_words_are_those_of_the_rfc),
	};

	return TEST_RUN(tests);
}

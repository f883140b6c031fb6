/*
 * options_test.c - what the command line of tlsrpt(8) says.
 */
#include "base/test.h"

#include "base/keyword.h"
#include "tlsrpt/options.h"

#include <string.h>

static void test_keys_are_in_order_and_want_a_value(void **state)
{
	struct tlsrpt_options o = tlsrpt_options_default();
	struct err err;

	(void)state;
	for (size_t i = 0; tlsrpt_options_key(i) != NULL; i++) {
		const char *key = tlsrpt_options_key(i);

		if (i > 0)
			assert_true(strcmp(tlsrpt_options_key(i - 1), key) < 0);
		assert_int_equal(tlsrpt_options_own(&o, slice_of(key), &err),
				 -1);
		assert_non_null(strstr(err.text, key));
	}
}

static void test_values_are_kept(void **state)
{
	static const char *const words[] = {
		"contact=a.b@C.example", "dns=trusted",
		"dns-anchor=/anchor",	 "dns-hosts=/hosts",
		"dns-resolv=/resolv",	 "dns-servers=[127.0.0.1]:53",
		"dns-timeout=5",	 "organization=A = B",
		"report-filter=/sign",	 "store=/store",
		"stsfetch=/stsfetch",	 "submit=/submit",
		"timeout=1m30s",
	};
	struct tlsrpt_options o = tlsrpt_options_default();
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++)
		if (tlsrpt_options_own(&o, slice_of(words[i]), &err) < 0)
			fail_msg("%s", err.text);
	assert_slice_is(o.contact, "a.b@C.example");
	assert_true(o.has_dns_mode && o.dns.mode == DNS_TRUSTED);
	assert_string_equal(o.dns.anchor_file, "/anchor");
	assert_string_equal(o.dns.hosts, "/hosts");
	assert_string_equal(o.dns.resolv_conf, "/resolv");
	assert_string_equal(o.dns.servers, "[127.0.0.1]:53");
	assert_slice_is(o.organization, "A = B");
	assert_string_equal(o.filter, "/sign");
	assert_string_equal(o.store, "/store");
	assert_string_equal(o.stsfetch, "/stsfetch");
	assert_string_equal(o.submit, "/submit");
	assert_int_equal(o.timeout, 90);
	assert_int_equal(o.dns_timeout, 5);
}

static void test_wrong_values_are_refused(void **state)
{
	static const char *const words[] = {
		"",
		"=",
		"colour=red",
		"Contact=a@b",
		"contact=",
		"contact=a",
		"contact=a@b\nc",
		"contact=\"a b\"@c",
		"contact=a@[192.0.2.1]",
		"dns=",
		"dns-anchor=anchor",
		"dns-servers=",
		"dns-timeout=4",
		"organization=",
		"organization=a\nb",
		"report-filter=",
		"store=.",
		"timeout=",
		"timeout=0",
		"timeout=1h1s",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		struct tlsrpt_options o = tlsrpt_options_default();

		if (tlsrpt_options_own(&o, slice_of(words[i]), &err) == 0)
			fail_msg("'%s'", words[i]);
	}
}

static void test_what_was_not_given_is_filled_in(void **state)
{
	struct tlsrpt_options o = tlsrpt_options_default();
	struct arena *a = arena_new();
	struct err err;

	(void)state;
	assert_int_equal(
	    tlsrpt_options_finish(&o, SLICE("MX.example.org"), a, &err), 0);
	assert_slice_is(o.contact, "postmaster@MX.example.org");
	assert_slice_is(o.submitter, "mx.example.org");
	assert_slice_is(o.organization, "mx.example.org");
	o = tlsrpt_options_default();
	o.contact = SLICE("a@B.example");
	o.organization = SLICE("Us");
	assert_int_equal(tlsrpt_options_finish(&o, SLICE("mx"), a, &err), 0);
	assert_slice_is(o.submitter, "b.example");
	assert_slice_is(o.organization, "Us");
	arena_free(a);
}

static void test_somebody_must_be_the_contact(void **state)
{
	static const char *const names[] = { "", "mx", "(none)", "a..b" };
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct tlsrpt_options o = tlsrpt_options_default();
		struct err err;

		assert_int_equal(
		    tlsrpt_options_finish(&o, slice_of(names[i]), a, &err), -1);
	}
	arena_free(a);
}

static void test_day_domain_and_spread_are_read(void **state)
{
	struct tlsrpt_options o = tlsrpt_options_default();
	struct err err;

	(void)state;
	assert_int_equal(tlsrpt_options_day(&o, SLICE("2026-11-22"), &err), 0);
	assert_true(o.has_day && o.day == 20779);
	assert_int_equal(tlsrpt_options_day(&o, SLICE("today"), &err), -1);
	assert_int_equal(tlsrpt_options_domain(&o, SLICE("a.example"), &err),
			 0);
	assert_slice_is(o.domain, "a.example");
	assert_int_equal(tlsrpt_options_domain(&o, SLICE("a b"), &err), -1);
	assert_int_equal(tlsrpt_options_spread(&o, SLICE("24h"), &err), 0);
	assert_int_equal(o.spread, 86400);
	assert_int_equal(tlsrpt_options_spread(&o, SLICE("24h1s"), &err), -1);
	assert_int_equal(tlsrpt_options_spread(&o, SLICE(""), &err), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_in_order_and_want_a_value),
		cmocka_unit_test(test_values_are_kept),
		cmocka_unit_test(test_wrong_values_are_refused),
		cmocka_unit_test(test_what_was_not_given_is_filled_in),
		cmocka_unit_test(test_somebody_must_be_the_contact),
		cmocka_unit_test(test_day_domain_and_spread_are_read),
	};

	return TEST_RUN(tests);
}

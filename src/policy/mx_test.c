/*
 * mx_test.c - every line of the table of outcomes.
 */
#include "policy/mx.h"

#include "policy/test_mx.h"

/* ---- the table of outcomes ---------------------------------------------- */

static void test_what_the_question_for_mx_comes_to(void **state)
{
	static const struct {
		const char *mx;
		enum mx_reason want;
		enum mx_choice choice;
		const char *status, *text;
	} rows[] = {
		{ "bad-name", MX_BAD_NAME, MX_DEFER, "4.4.3 (DNS-failure)",
		  "466 (no DNS query can be made for host: example.org)" },
		{ "timeout", MX_TIMEOUT, MX_DEFER, "4.4.3 (DNS-failure)",
		  "466 (No DNS response for host: example.org)" },
		{ "servfail", MX_SERVFAIL, MX_DEFER,
		  "4.4.3 (DNS lookup report)",
		  "466 (DNS: server failure: example.org)" },
		{ "nxdomain", MX_NXDOMAIN, MX_FAIL, "5.4.4 (DNS lookup report)",
		  "500 (DNS: no such domain: example.org)" },
		{ "refused", MX_REFUSED, MX_DEFER, "4.4.3 (DNS lookup report)",
		  "466 (DNS: unsupported query: example.org)" },
		{ "rcode", MX_RCODE, MX_DEFER, "4.4.3 (DNS lookup report)",
		  "466 (DNS: unknown error, MX info unavailable: "
		  "example.org)" },
		{ "loop", MX_LOOP, MX_FAIL, "5.4.3 (Recursive DNS CNAME)",
		  "500 (DNS: Recursive CNAME on 'example.org')" },
		{ "malformed", MX_MALFORMED, MX_DEFER,
		  "4.4.3 (DNS lookup report)",
		  "466 (DNS: answer cannot be read: example.org)" },
		{ "truncated", MX_TRUNCATED, MX_DEFER, "4.4.3 (DNS-failure)",
		  "466 (DNS: answer was cut off, and TCP failed: "
		  "example.org)" },
		{ "bogus", MX_BOGUS, MX_DEFER, "4.4.3 (DNS lookup report)",
		  "466 (DNS: answer does not validate: example.org)" },
		{ "interrupted", MX_INTERRUPTED, MX_DEFER,
		  "4.4.3 (DNS-failure)",
		  "466 (DNS: lookup interrupted: example.org)" },
		{ "unavailable", MX_UNAVAILABLE, MX_DEFER,
		  "4.4.3 (DNS-failure)",
		  "466 (DNS: no resolver can be asked: example.org)" },
		{ "none", MX_UNAVAILABLE, MX_DEFER, "4.4.3 (DNS-failure)",
		  "466 (DNS: no resolver can be asked: example.org)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new(rows[i].mx, "", "192.0.2.1");
		struct mx_decision d = decide(w);
		struct str text = STR_INIT;

		assert_reason(&d, rows[i].want);
		assert_int_equal(d.choice, rows[i].choice);
		assert_string_equal(mx_reason_status(d.reason), rows[i].status);
		mx_reason_print(&text, d.reason, w->facts.domain);
		assert_string_equal(str_cstr(&text), rows[i].text);
		assert_int_equal(w->n_lookups, 0);
		str_done(&text);
		world_free(w);
	}
}

static void test_null_mx_takes_no_mail(void **state)
{
	static const char *const rows[] = { "0 .", "10 .", "0 .;10 ." };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new("ok", rows[i], "192.0.2.1");
		struct mx_decision d = decide(w);

		assert_reason(&d, MX_NULL);
		assert_int_equal(d.choice, MX_FAIL);
		assert_string_equal(mx_reason_status(d.reason),
				    "5.1.10 (null MX)");
		assert_int_equal(w->n_lookups, 0);
		world_free(w);
	}
}

static void test_root_among_exchangers_is_passed_over(void **state)
{
	struct world *w = world_new("ok", "0 .;10 mx1 192.0.2.1", "");
	struct mx_decision d = decide(w);

	(void)state;
	assert_order(w, &d, "mx1|192.0.2.1");
	assert_slice_is(fates_of(w, &d), ".:null mx1:kept");
	world_free(w);
}

static void test_what_the_addresses_of_exchangers_come_to(void **state)
{
	static const struct {
		const char *hosts;
		enum mx_reason want;
	} rows[] = {
		/* No address: for good only with authority. */
		{ "10 mx1", MX_NO_EXCHANGER_ADDRESS },
		{ "10 mx1 4:nxdomain 6:nxdomain", MX_NO_EXCHANGER_ADDRESS },
		{ "10 mx1 4:loop 6:loop", MX_NO_EXCHANGER_ADDRESS },
		{ "10 mx1;20 mx2 4:nxdomain", MX_NO_EXCHANGER_ADDRESS },
		{ "10 mx1 4:timeout", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 6:timeout", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 4:servfail 6:servfail", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 4:refused", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 6:rcode", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 4:malformed", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 6:bogus", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 4:bad-name 6:bad-name", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 4:interrupted", MX_EXCHANGERS_AGAIN },
		{ "10 mx1;20 mx2 4:timeout;30 mx3", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 127.0.0.1 6:servfail", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 4:none", MX_EXCHANGERS_AGAIN },
		/* This host. */
		{ "10 me.example.net 192.0.2.7", MX_BEST_IS_SELF },
		{ "10 ME.example.NET 192.0.2.7", MX_BEST_IS_SELF },
		{ "10 mx1 =me.example.net 192.0.2.7", MX_BEST_IS_SELF },
		{ "10 mx1 198.51.100.1", MX_BEST_IS_SELF },
		{ "10 mx1 192.0.2.7 198.51.100.1", MX_BEST_IS_SELF },
		{ "10 mx1 2001:db8:5::1", MX_BEST_IS_SELF },
		{ "10 mx1 ::ffff:198.51.100.1", MX_BEST_IS_SELF },
		{ "10 mx1 198.51.100.1;20 mx2 192.0.2.2", MX_BEST_IS_SELF },
		{ "10 mx1 198.51.100.1;10 mx2 192.0.2.2", MX_BEST_IS_SELF },
		{ "10 mx1;20 me.example.net", MX_BEST_IS_SELF },
		{ "10 me.example.net;20 mx2 4:timeout", MX_BEST_IS_SELF },
		{ "10 mx1 4:timeout;20 me.example.net", MX_EXCHANGERS_AGAIN },
		{ "10 mx1 127.0.0.1;20 me.example.net", MX_BEST_IS_SELF },
		/* Nowhere to go. */
		{ "10 mx1 127.0.0.1", MX_TO_LOOPBACK },
		{ "10 mx1 ::1", MX_TO_LOOPBACK },
		{ "10 mx1 0.0.0.0", MX_TO_INVALID },
		{ "10 mx1 224.0.0.1;20 mx2", MX_TO_INVALID },
		{ "10 mx1 ff02::1", MX_TO_INVALID },
		{ "10 mx1 ::", MX_TO_INVALID },
		{ "10 mx1 169.254.7.7", MX_TO_LINK_LOCAL },
		{ "10 mx1 fe80::7", MX_TO_LINK_LOCAL },
		{ "10 mx1 ::ffff:169.254.1.1", MX_TO_LINK_LOCAL },
		{ "10 mx1 fe80::7 127.0.0.1", MX_TO_LOOPBACK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new("ok", rows[i].hosts, "192.0.2.9");
		struct mx_decision d = decide(w);

		assert_reason(&d, rows[i].want);
		assert_false(d.is_implicit);
		world_free(w);
	}
}

static void test_what_the_addresses_of_the_domain_come_to(void **state)
{
	static const struct {
		const char *itself;
		enum mx_reason want, want_x; /* without and with -x */
	} rows[] = {
		{ "192.0.2.1", MX_FOUND, MX_FOUND },
		{ "2001:db8::1", MX_FOUND, MX_FOUND },
		{ "192.0.2.1 6:timeout", MX_FOUND, MX_FOUND },
		{ "4:timeout", MX_ADDRESS_AGAIN, MX_ADDRESS_AGAIN },
		{ "6:servfail", MX_ADDRESS_AGAIN, MX_ADDRESS_AGAIN },
		{ "4:bogus 6:bogus", MX_ADDRESS_AGAIN, MX_ADDRESS_AGAIN },
		{ "4:refused", MX_ADDRESS_AGAIN, MX_ADDRESS_AGAIN },
		{ "4:nxdomain 6:timeout", MX_ADDRESS_AGAIN, MX_ADDRESS_AGAIN },
		{ "4:none 6:none", MX_ADDRESS_AGAIN, MX_ADDRESS_AGAIN },
		{ "", MX_NO_DATA, MX_FORBIDDEN },
		{ "4:nxdomain 6:nxdomain", MX_NO_NAME, MX_FORBIDDEN },
		{ "6:nxdomain", MX_NO_NAME, MX_FORBIDDEN },
		{ "4:loop 6:loop", MX_LOOP, MX_LOOP },
		{ "4:loop", MX_LOOP, MX_LOOP },
		{ "6:loop", MX_LOOP, MX_LOOP },
		{ "169.1.254.1", MX_FOUND, MX_FOUND },
		{ "9.254.1.1", MX_FOUND, MX_FOUND },
		{ "fec0::1", MX_FOUND, MX_FOUND },
		{ "fd80::1", MX_FOUND, MX_FOUND },
		{ "198.51.100.1", MX_TO_SELF, MX_TO_SELF },
		{ "192.0.2.1 =me.example.net", MX_TO_SELF, MX_TO_SELF },
		{ "127.0.0.1", MX_TO_LOOPBACK, MX_TO_LOOPBACK },
		{ "0.0.0.0", MX_TO_INVALID, MX_TO_INVALID },
		{ "fe80::1", MX_TO_LINK_LOCAL, MX_TO_LINK_LOCAL },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		bool is_x = i % 2 == 1;
		struct world *w =
		    world_new(is_x ? "none" : "nodata", "", rows[i / 2].itself);
		struct mx_decision d;

		w->options.is_mx_forbidden = is_x;
		d = decide(w);
		assert_reason(&d, is_x ? rows[i / 2].want_x : rows[i / 2].want);
		assert_true(d.is_implicit);
		world_free(w);
	}
}

static void test_texts_of_address_outcomes(void **state)
{
	static const struct {
		enum mx_reason reason;
		const char *status, *text;
	} rows[] = {
		{ MX_ADDRESS_AGAIN, "4.4.3 (dns lookup 'try again')",
		  "466 (getaddrinfo<h>: try later)" },
		{ MX_NO_DATA, "5.4.3 (dns lookup 'no data')",
		  "500 (getaddrinfo<h>: No data)" },
		{ MX_UNDERSCORE, "5.4.4 (nameserver data inconsistency)",
		  "500 (Hostname with illegal [to the DNS] underscore in it: "
		  "'h')" },
		{ MX_FORBIDDEN, "5.4.4 (nameserver data inconsistency)",
		  "500 (configuration inconsistency. MX usage forbidden, no "
		  "address in the DNS: 'h')" },
		{ MX_NO_NAME, "4.4.4 (nameserver data inconsistency)",
		  "466 (nameserver data inconsistency. No MX, no address: 'h' "
		  "(NONAME))" },
		{ MX_TO_SELF, "5.4.6 (trying to talk with myself!)",
		  "500 (Trying to talk with myself!)" },
		{ MX_NO_SMTP_SERVICE,
		  "5.4.4 (WKS Checks: no SMTP reception capability "
		  "registered)",
		  "550 (WKS checks: no SMTP reception capability registered "
		  "for host h)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;

		assert_string_equal(mx_reason_status(rows[i].reason),
				    rows[i].status);
		mx_reason_print(&text, rows[i].reason, SLICE("h"));
		assert_string_equal(str_cstr(&text), rows[i].text);
		str_done(&text);
	}
}

static void test_every_reason_says_what_follows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MX_REASONS; i++) {
		const char *status = mx_reason_status((enum mx_reason)i);
		struct str text = STR_INIT;

		assert_non_null(mx_reason_word((enum mx_reason)i));
		mx_reason_print(&text, (enum mx_reason)i, SLICE("h"));
		switch (mx_reason_choice((enum mx_reason)i)) {
		case MX_TRY:
			assert_string_equal(status, "");
			break;
		case MX_DEFER:
			assert_int_equal(status[0], '4');
			assert_int_equal(str_cstr(&text)[0], '4');
			break;
		case MX_FAIL:
			assert_int_equal(status[0], '5');
			assert_int_equal(str_cstr(&text)[0], '5');
			break;
		}
		str_done(&text);
	}
	for (unsigned i = 0; i < MX_FATES; i++)
		assert_non_null(mx_fate_word((enum mx_fate)i));
}

static void test_underscore_is_refused_only_where_no_name_is(void **state)
{
	static const struct {
		const char *itself;
		enum mx_reason want;
	} rows[] = {
		{ "192.0.2.1", MX_FOUND },
		{ "", MX_NO_DATA },
		{ "4:timeout", MX_ADDRESS_AGAIN },
		{ "4:nxdomain 6:nxdomain", MX_UNDERSCORE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new("nodata", "", rows[i].itself);
		struct mx_decision d;

		w->facts.domain = SLICE("a_b.example.org");
		w->itself.host.name = w->facts.domain;
		d = decide(w);
		assert_reason(&d, rows[i].want);
		world_free(w);
	}
}

static void test_hosts_file_knows_what_the_dns_does_not(void **state)
{
	struct world *w = world_new("nxdomain", "", "192.0.2.1");
	struct mx_decision d;

	(void)state;
	w->facts.is_in_hosts = true;
	d = decide(w);
	assert_order(w, &d, "example.org|192.0.2.1");
	assert_true(d.is_implicit);
	world_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_question_for_mx_comes_to),
		cmocka_unit_test(test_null_mx_takes_no_mail),
		cmocka_unit_test(test_root_among_exchangers_is_passed_over),
		cmocka_unit_test(test_what_the_addresses_of_exchangers_come_to),
		cmocka_unit_test(test_what_the_addresses_of_the_domain_come_to),
		cmocka_unit_test(test_texts_of_address_outcomes),
		cmocka_unit_test(test_every_reason_says_what_follows),
		cmocka_unit_test(
		    test_underscore_is_refused_only_where_no_name_is),
		cmocka_unit_test(test_hosts_file_knows_what_the_dns_does_not),
	};

	return TEST_RUN(tests);
}

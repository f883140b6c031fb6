/*
 * tls_test.c - what a host needs: the published table, case by case.
 */
#include "policy/tls.h"

#include "base/test.h"
#include "policy/test_tls.h"

#include <string.h>

struct row {
	const char *facts, *need, *reason;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new();
		struct tls_facts f = facts_of(rows[i].facts);
		struct tls_decision d = tls_decide(&f, a);

		if (strcmp(tls_need_word(d.need), rows[i].need) != 0 ||
		    strcmp(tls_reason_word(d.reason), rows[i].reason) != 0)
			fail_msg("%s: %s (%s), wanted %s (%s)", rows[i].facts,
				 tls_need_word(d.need),
				 tls_reason_word(d.reason), rows[i].need,
				 rows[i].reason);
		arena_free(a);
	}
}
#define CHECK(rows) check_rows(rows, COUNT(rows))
#define OK	    "mx:secure addr:secure "

static void test_levels_do_what_they_say(void **state)
{
	static const struct row rows[] = {
		{ "none " OK "tlsa:usable sts:enforce", "nothing", "none" },
		{ "may " OK "tlsa:usable sts:enforce", "may", "may" },
		{ "encrypt " OK "tlsa:usable", "encrypt", "encrypt" },
		{ "fingerprint", "fingerprint", "fingerprint" },
		{ "verify mx:insecure", "name", "verify" },
		{ "secure mx:insecure", "name", "secure" },
		{ "dane-only " OK "tlsa:usable", "dane", "dane-only" },
		{ "dane-only " OK "tlsa:unusable", "impossible",
		  "dane-only-missing" },
		{ "dane-only " OK "tlsa:absent sts:enforce", "impossible",
		  "dane-only-missing" },
		{ "dane-only mx:insecure addr:secure tlsa:usable", "impossible",
		  "dane-only-missing" },
		{ "dane-only mx:insecure", "impossible", "dane-only-missing" },
		{ "dane-only next:literal", "impossible", "dane-only-missing" },
		{ "dane-only dnssec:off " OK "tlsa:usable", "impossible",
		  "dane-only-missing" },
		{ "dane " OK "tlsa:absent sts:enforce-", "may",
		  "opportunistic" },
	};

	(void)state;
	CHECK(rows);
}

static void test_dane_where_it_applies(void **state)
{
	static const struct row rows[] = {
		{ "auto mx:insecure addr:insecure", "may", "opportunistic" },
		{ "auto mx:secure addr:insecure", "may", "opportunistic" },
		{ "auto " OK "tlsa:absent", "may", "opportunistic" },
		{ "auto " OK "tlsa:insecure", "may", "opportunistic" },
		{ "auto " OK "tlsa:usable", "dane", "dane" },
		{ "auto " OK "tlsa:unusable", "encrypt", "tlsa-unusable" },
		{ "auto " OK "tlsa:failed", "impossible", "tlsa-unknown" },
		{ "auto " OK "tlsa:bogus", "impossible", "tlsa-unknown" },
		{ "auto mx:secure addr:failed", "impossible", "tlsa-unknown" },
		{ "auto mx:failed addr:secure", "impossible", "tlsa-unknown" },
		{ "auto mx:insecure addr:secure tlsa:usable", "dane",
		  "dane-mx-insecure" },
		{ "auto mx:insecure addr:secure tlsa:unusable", "encrypt",
		  "tlsa-unusable" },
		{ "auto mx:insecure addr:secure tlsa:failed", "impossible",
		  "tlsa-unknown" },
		{ "auto next:forced addr:secure tlsa:usable", "dane", "dane" },
		{ "auto next:domain " OK "tlsa:usable", "dane", "dane" },
		{ "auto next:literal", "may", "opportunistic" },
		{ "auto path:loopback " OK "tlsa:usable", "dane", "dane" },
		{ "dane " OK "tlsa:usable", "dane", "dane" },
		{ "dane " OK "tlsa:bogus", "impossible", "tlsa-unknown" },
	};

	(void)state;
	CHECK(rows);
}

static void test_sts_where_dane_does_not_apply(void **state)
{
	static const struct row rows[] = {
		{ "auto mx:insecure sts:enforce", "name", "sts" },
		{ "auto mx:insecure sts:enforce-", "impossible",
		  "sts-mismatch" },
		{ "auto mx:insecure sts:testing", "may", "sts-testing" },
		{ "auto mx:insecure sts:testing-", "may", "sts-testing" },
		{ "auto mx:insecure sts:none", "may", "opportunistic" },
		{ "auto " OK "tlsa:absent sts:enforce", "name", "sts" },
		/* DANE takes precedence, also when it fails */
		{ "auto " OK "tlsa:usable sts:enforce", "dane", "dane" },
		{ "auto " OK "tlsa:usable sts:enforce-", "dane", "dane" },
		{ "auto " OK "tlsa:usable sts:testing", "dane", "dane" },
		{ "auto " OK "tlsa:bogus sts:enforce", "impossible",
		  "tlsa-unknown" },
		{ "auto " OK "tlsa:failed sts:testing", "impossible",
		  "tlsa-unknown" },
		/* where it authenticates nobody, both must hold */
		{ "auto " OK "tlsa:unusable sts:enforce", "name", "sts" },
		{ "auto " OK "tlsa:unusable sts:testing", "encrypt",
		  "tlsa-unusable" },
		{ "auto mx:insecure addr:secure tlsa:usable sts:enforce",
		  "name", "sts" },
		{ "auto mx:insecure addr:secure tlsa:usable sts:enforce-",
		  "impossible", "sts-mismatch" },
	};

	(void)state;
	CHECK(rows);
}

static void test_forged_answers_and_lost_validation_stop_mail(void **state)
{
	static const struct row rows[] = {
		{ "may mx:bogus", "impossible", "dns-forged" },
		{ "none addr:bogus", "impossible", "dns-forged" },
		{ "auto mx:secure addr:bogus asks:optional", "impossible",
		  "dns-forged" },
		{ "auto dnssec:lost sts:enforce", "impossible", "dnssec-lost" },
		{ "dane dnssec:lost", "impossible", "dnssec-lost" },
		{ "dane-only dnssec:lost", "impossible", "dnssec-lost" },
		{ "may dnssec:lost", "may", "may" },
		{ "verify dnssec:lost", "name", "verify" },
		{ "auto dnssec:lost next:literal", "may", "opportunistic" },
		{ "auto dnssec:off sts:enforce", "name", "sts" },
		{ "auto dnssec:off", "may", "opportunistic" },
	};

	(void)state;
	CHECK(rows);
}

static void test_requiretls_needs_a_verified_server(void **state)
{
	static const struct row rows[] = {
		{ "auto asks:required " OK "tlsa:usable", "dane",
		  "requiretls-dane" },
		{ "may asks:required " OK "tlsa:usable", "dane",
		  "requiretls-dane" },
		{ "none asks:required " OK "tlsa:absent", "name",
		  "requiretls-name" },
		{ "auto asks:required " OK "tlsa:unusable", "name",
		  "requiretls-name" },
		{ "auto asks:required mx:secure addr:insecure", "name",
		  "requiretls-name" },
		{ "auto asks:required mx:insecure sts:enforce", "name",
		  "requiretls-name" },
		{ "dane asks:required mx:insecure sts:enforce", "name",
		  "requiretls-name" },
		{ "auto asks:required mx:insecure", "impossible",
		  "requiretls-unknown-host" },
		{ "encrypt asks:required mx:insecure sts:testing", "impossible",
		  "requiretls-unknown-host" },
		{ "auto asks:required mx:insecure addr:secure tlsa:usable",
		  "impossible", "requiretls-unknown-host" },
		{ "auto asks:required mx:insecure sts:enforce-", "impossible",
		  "requiretls-sts-mismatch" },
		{ "auto asks:required " OK "tlsa:failed", "impossible",
		  "tlsa-unknown" },
		{ "may asks:required dnssec:off mx:secure", "impossible",
		  "requiretls-unknown-host" },
		{ "may asks:required next:forced", "name", "requiretls-name" },
		{ "may asks:required next:literal", "impossible",
		  "requiretls-unknown-host" },
		{ "fingerprint asks:required mx:insecure", "fingerprint",
		  "requiretls-fingerprint" },
		{ "secure asks:required mx:insecure", "name",
		  "requiretls-secure" },
		{ "verify asks:required mx:secure", "name",
		  "requiretls-verify" },
		{ "verify asks:required mx:insecure", "impossible",
		  "requiretls-unknown-host" },
		{ "verify asks:required mx:insecure sts:enforce", "name",
		  "requiretls-verify" },
		{ "dane-only asks:required " OK "tlsa:usable", "dane",
		  "requiretls-dane" },
		{ "dane-only asks:required " OK "tlsa:absent", "impossible",
		  "requiretls-dane-only" },
		/* DANE takes precedence here as well */
		{ "auto asks:required " OK "tlsa:usable sts:enforce-", "dane",
		  "requiretls-dane" },
	};

	(void)state;
	CHECK(rows);
}

static void test_tls_required_no_sets_aside_what_others_published(void **state)
{
	static const struct row rows[] = {
		{ "auto asks:optional " OK "tlsa:usable", "may",
		  "tls-required-no" },
		{ "auto asks:optional " OK "tlsa:bogus", "may",
		  "tls-required-no" },
		{ "auto asks:optional sts:enforce-", "may", "tls-required-no" },
		{ "auto asks:optional dnssec:lost", "may", "tls-required-no" },
		{ "dane asks:optional " OK "tlsa:usable", "may",
		  "tls-required-no" },
		/* but not what the postmaster wrote */
		{ "auto demanded asks:optional", "encrypt", "demanded" },
		{ "encrypt asks:optional", "encrypt", "encrypt" },
		{ "dane-only asks:optional " OK "tlsa:usable", "dane",
		  "dane-only" },
		{ "dane-only asks:optional " OK "tlsa:failed", "impossible",
		  "tlsa-unknown" },
		{ "verify asks:optional", "name", "verify" },
		{ "secure asks:optional", "name", "secure" },
		{ "fingerprint asks:optional", "fingerprint", "fingerprint" },
		{ "none asks:optional", "nothing", "none" },
	};

	(void)state;
	CHECK(rows);
}

static void test_demand_is_at_least_encrypt(void **state)
{
	static const struct row rows[] = {
		{ "none demanded", "encrypt", "demanded" },
		{ "may demanded", "encrypt", "demanded" },
		{ "auto demanded", "encrypt", "demanded" },
		{ "auto demanded sts:testing-", "encrypt", "demanded" },
		{ "auto demanded path:unix", "encrypt", "demanded" },
		{ "encrypt demanded", "encrypt", "encrypt" },
		{ "auto demanded " OK "tlsa:usable", "dane", "dane" },
		{ "auto demanded sts:enforce", "name", "sts" },
	};

	(void)state;
	CHECK(rows);
}

static void test_unix_socket_is_this_machine(void **state)
{
	static const struct row rows[] = {
		{ "auto path:unix", "nothing", "local" },
		{ "may path:unix", "nothing", "local" },
		{ "dane path:unix", "nothing", "local" },
		{ "auto path:unix asks:required", "nothing", "local" },
		{ "auto path:unix dnssec:lost", "nothing", "local" },
		{ "encrypt path:unix", "encrypt", "encrypt" },
		{ "encrypt path:unix asks:required", "encrypt",
		  "requiretls-local" },
		{ "verify path:unix", "impossible", "no-names" },
		{ "fingerprint path:unix", "fingerprint", "fingerprint" },
		{ "auto path:loopback", "may", "opportunistic" },
	};

	(void)state;
	CHECK(rows);
}

/* Names of a decision with blanks between. */
static void check_names(const struct tls_facts *f, const char *want)
{
	struct arena *a = arena_new();
	struct tls_decision d = tls_decide(f, a);
	struct str got = STR_INIT;

	for (size_t i = 0; i < d.n_names; i++)
		str_addf(&got, "%s%.*s", i > 0 ? " " : "",
			 SLICE_ARG(d.names[i]));
	assert_string_equal(str_cstr(&got), want);
	str_done(&got);
	arena_free(a);
}

static void test_names_that_a_certificate_may_have(void **state)
{
	static const struct {
		const char *facts, *want;
	} rows[] = {
		{ "auto " OK "tlsa:usable",
		  "real.example.org mx.example.org example.org" },
		/* an insecure MX says nothing about the domain */
		{ "auto mx:insecure addr:secure tlsa:usable",
		  "real.example.org mx.example.org" },
		{ "auto sts:enforce", "mx.example.org" },
		{ "verify", "mx.example.org" },
		{ "secure", "example.org .example.org" },
		{ "may", "" },
		{ "encrypt", "" },
		{ "fingerprint", "" },
		{ "may asks:required mx:secure", "mx.example.org" },
		/* only a report asks for it */
		{ "auto sts:testing", "mx.example.org" },
		{ "auto demanded sts:testing-", "mx.example.org" },
		{ "auto " OK "tlsa:unusable sts:testing", "mx.example.org" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_facts f = facts_of(rows[i].facts);

		check_names(&f, rows[i].want);
	}
}

static void test_configured_names_replace_the_levels_own(void **state)
{
	const struct slice match[] = { SLICE("Dot-Nexthop"), SLICE("hostname"),
				       SLICE(".x.example"),  SLICE("a."),
				       SLICE("A"),	     SLICE("nexthop") };
	struct tls_facts f = facts_of("secure");

	(void)state;
	f.rule.match = match;
	f.rule.n_match = COUNT(match);
	check_names(&f, ".example.org mx.example.org .x.example a example.org");
	f.rule.level = TLS_LEVEL_VERIFY;
	check_names(&f, ".example.org mx.example.org .x.example a example.org");
	f.next = TLS_NEXT_LITERAL;
	name_host(&f);
	check_names(&f, ".x.example a");
	f.rule.level = TLS_LEVEL_AUTO; /* they are those levels' alone */
	f = facts_of("auto sts:enforce");
	f.rule.match = match;
	f.rule.n_match = COUNT(match);
	check_names(&f, "mx.example.org");
}

static void test_accounts_need_a_verified_host(void **state)
{
	static const struct {
		const char *facts;
		bool has_account;
		enum tls_need need;
		bool is_trusted;
	} rows[] = {
		{ "auto", false, TLS_NEED_MAY, false },
		{ "auto", true, TLS_NEED_NAME, true },
		{ "may", true, TLS_NEED_NAME, true },
		{ "encrypt", true, TLS_NEED_NAME, true },
		{ "fingerprint", true, TLS_NEED_FINGERPRINT, true },
		{ "verify", true, TLS_NEED_NAME, true },
		{ "secure", true, TLS_NEED_NAME, true },
		{ "auto " OK "tlsa:usable", true, TLS_NEED_DANE, true },
		{ "auto asks:optional", true, TLS_NEED_NAME, true },
		/* The postmaster's word. */
		{ "none", true, TLS_NEED_NOTHING, false },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_facts f = facts_of(rows[i].facts);
		struct tls_decision d;

		f.has_account = rows[i].has_account;
		d = tls_decide(&f, a);
		assert_int_equal(d.need, rows[i].need);
		assert_int_equal(tls_is_trusted(&f, &d, f.host),
				 rows[i].is_trusted);
	}
	arena_free(a);
}

/* Whose account a host has the MX says, and the domain alone is no proof. */
static void test_accounts_are_for_who_proves_the_hosts_name(void **state)
{
	static const struct {
		const char *facts, *matched;
		bool is_trusted;
	} rows[] = {
		{ "verify", "mx.example.org", true },
		{ "verify", "MX.Example.ORG", true },
		{ "verify", "*.example.org", true },
		{ "verify", "*.mx.example.org", false },
		{ "verify", "*.org", false },
		{ "verify", "x.example.org", false },
		{ "verify", "", false },
		{ "secure", "example.org", false },
		{ "secure", "mx.example.org", true },
		{ "auto " OK "tlsa:usable", "example.org", false },
		{ "auto " OK "tlsa:usable", "*.example.org", true },
		/* DANE-EE compares no name. */
		{ "auto " OK "tlsa:usable", "", true },
		{ "fingerprint", "", true },
		{ "auto path:loopback", "", true },
		{ "auto path:unix", "", true },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_facts f = facts_of(rows[i].facts);
		struct tls_decision d;

		f.has_account = true;
		d = tls_decide(&f, a);
		if (tls_is_trusted(&f, &d, slice_of(rows[i].matched)) !=
		    rows[i].is_trusted)
			fail_msg("%s, matched '%s'", rows[i].facts,
				 rows[i].matched);
	}
	arena_free(a);
}

static void test_nothing_to_compare_is_no_verification(void **state)
{
	struct arena *a = arena_new();
	struct tls_facts f = facts_of("fingerprint");
	struct tls_decision d;

	(void)state;
	f.rule.n_fingerprints = 0;
	d = tls_decide(&f, a);
	assert_int_equal(d.need, TLS_NEED_IMPOSSIBLE);
	assert_int_equal(d.reason, TLS_NO_FINGERPRINTS);
	f = facts_of("verify next:literal");
	d = tls_decide(&f, a);
	assert_int_equal(d.need, TLS_NEED_IMPOSSIBLE);
	assert_int_equal(d.reason, TLS_NO_NAMES);
	arena_free(a);
}

static void test_sni_is_the_tlsa_base_or_the_host(void **state)
{
	struct arena *a = arena_new();
	struct tls_facts dane = facts_of("auto " OK "tlsa:usable");
	struct tls_facts may = facts_of("auto mx:insecure");
	struct tls_facts literal = facts_of("auto next:literal");

	(void)state;
	assert_slice_is(tls_decide(&dane, a).sni, "real.example.org");
	assert_slice_is(tls_decide(&may, a).sni, "mx.example.org");
	assert_slice_is(tls_decide(&literal, a).sni, "");
	/* RFC 6066 3: without a dot at its end, however it was written. */
	may.host = SLICE("mx.example.org.");
	assert_slice_is(tls_decide(&may, a).sni, "mx.example.org");
	arena_free(a);
}

static void test_configured_sni_gives_way_to_dane_and_sts(void **state)
{
	static const struct {
		const char *facts, *servername, *want;
	} rows[] = {
		{ "may", "Smtp.Example", "Smtp.Example" },
		{ "may", "Nexthop", "example.org" },
		{ "may", "hostname", "mx.example.org" },
		{ "secure", "nexthop", "example.org" },
		{ "may next:literal", "nexthop", "" },
		{ "may next:literal", "x.example", "x.example" },
		{ "auto " OK "tlsa:usable", "x.example", "real.example.org" },
		{ "auto " OK "tlsa:unusable", "x.example", "x.example" },
		{ "auto sts:enforce", "x.example", "mx.example.org" },
		{ "auto sts:testing", "x.example", "mx.example.org" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct tls_facts f = facts_of(rows[i].facts);

		f.rule.servername = slice_of(rows[i].servername);
		assert_slice_is(tls_decide(&f, a).sni, rows[i].want);
		arena_free(a);
	}
}

static void test_key_says_what_must_be_proved(void **state)
{
	static const struct {
		const char *facts, *want;
	} rows[] = {
		{ "may", "need=may sni=mx.example.org" },
		{ "auto sts:testing",
		  "need=may audited sni=mx.example.org name=mx.example.org" },
		{ "auto " OK "tlsa:usable",
		  "need=dane sni=real.example.org name=real.example.org "
		  "name=mx.example.org name=example.org" },
		{ "verify next:forced",
		  "need=name sni=mx.example.org name=mx.example.org" },
		{ "fingerprint",
		  "need=fingerprint sni=mx.example.org fingerprint="
		  "3031323334353637383961626364656630313233343536373839616263"
		  "646566" },
	};
	struct arena *a = arena_new();
	struct tls_facts odd = facts_of("may");
	struct tls_decision d;
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_facts f = facts_of(rows[i].facts);

		d = tls_decide(&f, a);
		str_clear(&got);
		tls_decision_key_print(&got, &d);
		assert_string_equal(str_cstr(&got), rows[i].want);
	}
	/* a name cannot pass for more than one, nor differ by case alone */
	odd.host = SLICE("MX name=%\x01\xff");
	d = tls_decide(&odd, a);
	str_clear(&got);
	tls_decision_key_print(&got, &d);
	assert_string_equal(str_cstr(&got), "need=may sni=mx%20name=%25%01%FF");
	str_done(&got);
	arena_free(a);
}

static void test_evidence_is_one_line(void **state)
{
	static const struct {
		const char *facts, *want;
	} rows[] = {
		{ "auto " OK "tlsa:usable",
		  "level=auto mx=secure addresses=secure tlsa=usable 1/2 at "
		  "real.example.org sts=none need=dane reason=dane" },
		{ "may demanded asks:optional path:loopback dnssec:off",
		  "level=may demanded message=tls-required-no path=loopback "
		  "dnssec=off mx=not-asked addresses=not-asked "
		  "tlsa=not-asked sts=none need=encrypt reason=demanded" },
		{ "auto mx:insecure sts:enforce",
		  "level=auto mx=insecure addresses=not-asked "
		  "tlsa=not-asked sts=enforce id=id1 matched=*.example.org "
		  "need=name reason=sts" },
		{ "auto asks:required dnssec:lost sts:testing-",
		  "level=auto message=requiretls dnssec=lost mx=not-asked "
		  "addresses=not-asked tlsa=not-asked sts=testing id=id1 "
		  "matched=nothing need=impossible reason=dnssec-lost" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct tls_facts f = facts_of(rows[i].facts);
		struct tls_decision d = tls_decide(&f, a);
		struct str got = STR_INIT;

		tls_evidence_print(&got, &f, &d);
		assert_string_equal(str_cstr(&got), rows[i].want);
		str_done(&got);
		arena_free(a);
	}
}

static void test_words_are_all_there_and_differ(void **state)
{
	(void)state;
	for (int i = 0; i < TLS_REASONS; i++) {
		assert_true(strlen(tls_reason_text((enum tls_reason)i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    tls_reason_word((enum tls_reason)i),
			    tls_reason_word((enum tls_reason)j));
	}
	for (int i = 0; i < TLS_LEVELS; i++) {
		enum tls_level level = TLS_LEVELS;

		assert_true(tls_level_read(
		    slice_of(tls_level_word((enum tls_level)i)), &level));
		assert_int_equal(level, i);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_do_what_they_say),
		cmocka_unit_test(test_dane_where_it_applies),
		cmocka_unit_test(test_sts_where_dane_does_not_apply),
		cmocka_unit_test(
		    test_forged_answers_and_lost_validation_stop_mail),
		cmocka_unit_test(test_requiretls_needs_a_verified_server),
		cmocka_unit_test(
		    test_tls_required_no_sets_aside_what_others_published),
		cmocka_unit_test(test_demand_is_at_least_encrypt),
		cmocka_unit_test(test_unix_socket_is_this_machine),
		cmocka_unit_test(test_names_that_a_certificate_may_have),
		cmocka_unit_test(test_configured_names_replace_the_levels_own),
		cmocka_unit_test(test_nothing_to_compare_is_no_verification),
		cmocka_unit_test(test_accounts_need_a_verified_host),
		cmocka_unit_test(
		    test_accounts_are_for_who_proves_the_hosts_name),
		cmocka_unit_test(test_sni_is_the_tlsa_base_or_the_host),
		cmocka_unit_test(test_configured_sni_gives_way_to_dane_and_sts),
		cmocka_unit_test(test_key_says_what_must_be_proved),
		cmocka_unit_test(test_evidence_is_one_line),
		cmocka_unit_test(test_words_are_all_there_and_differ),
	};

	return TEST_RUN(tests);
}

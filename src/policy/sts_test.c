/*
 * sts_test.c - MTA-STS: records, policies, and how long they are used.
 */
#include "policy/sts.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

/* ---- the TXT record ----------------------------------------------------- */

static void test_txt_record_grammar(void **state)
{
	static const struct {
		const char *text;
		enum sts_txt want;
		const char *id;
	} rows[] = {
		{ "v=STSv1; id=20160831085700Z;", STS_TXT_OK,
		  "20160831085700Z" },
		{ "v=STSv1;id=a", STS_TXT_OK, "a" },
		{ "v=STSv1 \t; \tid=a \t;\t ", STS_TXT_OK, "a" },
		{ "v=STSv1; x-y.z_1=!:\"~; id=a", STS_TXT_OK, "a" },
		{ "v=STSv1; id=a; id=b", STS_TXT_OK, "a" },
		{ "v=STSv1; id=a; id=!", STS_TXT_OK, "a" },
		{ "v=STSv1; id=12345678901234567890123456789012", STS_TXT_OK,
		  "12345678901234567890123456789012" },
		{ "v=STSv1; id=123456789012345678901234567890123", STS_TXT_BAD,
		  "" },
		{ "v=STSv1; id=", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a b", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a-b", STS_TXT_BAD, "" },
		{ "v=STSv1; ID=a", STS_TXT_BAD, "" },
		{ "v=STSv1; id =a", STS_TXT_BAD, "" },
		{ "v=STSv1;", STS_TXT_BAD, "" },
		{ "v=STSv1; x=1", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a;; x=1", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a; x", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a; x=", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a; x=y=z", STS_TXT_BAD, "" },
		{ "v=STSv1; id=a; -x=1", STS_TXT_BAD, "" },
		{ "v=STSv1", STS_TXT_NONE, "" },
		{ "v=STSv1 id=a", STS_TXT_NONE, "" },
		{ "v=STSv12; id=a", STS_TXT_NONE, "" },
		{ "V=STSv1; id=a", STS_TXT_NONE, "" },
		{ "v=stsv1; id=a", STS_TXT_NONE, "" },
		{ " v=STSv1; id=a", STS_TXT_NONE, "" },
		{ "id=a; v=STSv1", STS_TXT_NONE, "" },
		{ "", STS_TXT_NONE, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice text = slice_of(rows[i].text), id = SLICE("");
		enum sts_txt got = sts_txt_find(&text, 1, &id);

		if (got != rows[i].want)
			fail_msg("%s: %s", rows[i].text, sts_txt_word(got));
		assert_slice_is(id, rows[i].id);
	}
}

static void test_only_one_record_of_ours_counts(void **state)
{
	const struct slice both[] = { SLICE("v=spf1 -all"),
				      SLICE("v=STSv1; id=a"),
				      SLICE("v=STSv1; id=b") };
	const struct slice broken[] = { SLICE("v=STSv1; id=a"),
					SLICE("v=STSv1; nothing") };
	struct slice id = SLICE("unchanged");

	(void)state;
	assert_int_equal(sts_txt_find(both, 3, &id), STS_TXT_MANY);
	assert_int_equal(sts_txt_find(broken, 2, &id), STS_TXT_MANY);
	assert_int_equal(sts_txt_find(both, 1, &id), STS_TXT_NONE);
	assert_int_equal(sts_txt_find(NULL, 0, &id), STS_TXT_NONE);
	assert_slice_is(id, "unchanged");
	assert_int_equal(sts_txt_find(both, 2, &id), STS_TXT_OK);
	assert_slice_is(id, "a");
}

static void test_places_of_record_and_policy(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	sts_txt_name_print(&text, SLICE("example.org"));
	str_addc(&text, ' ');
	sts_url_print(&text, SLICE("example.org"));
	assert_string_equal(str_cstr(&text),
			    "_mta-sts.example.org "
			    "https://mta-sts.example.org/.well-known/"
			    "mta-sts.txt");
	str_done(&text);
}

/* ---- the policy --------------------------------------------------------- */

/* A policy as text: "enforce 60 a *.b", or the error. */
static struct slice show(struct slice text, struct arena *a)
{
	struct sts_policy p;
	struct str to = STR_INIT;
	struct slice s;
	struct err err = { 0 };

	if (sts_policy_parse(text, a, &p, &err) < 0) {
		s = slice_of(err.text);
		return arena_dup(a, s);
	}
	str_addf(&to, "%s %u", sts_mode_word(p.mode), (unsigned)p.max_age);
	for (size_t i = 0; i < p.n_mx; i++)
		str_addf(&to, " %.*s", SLICE_ARG(p.mx[i]));
	s = arena_dup(a, str_slice(&to));
	str_done(&to);
	return s;
}

#define V    "version: STSv1\n"
#define M    "mode: enforce\n"
#define X    "mx: a.example\n"
#define A    "max_age: 60\n"
#define LINE "MTA-STS policy, line "

static void test_policy_grammar(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ V M X A, "enforce 60 a.example" },
		{ V "mode: testing\n" X A, "testing 60 a.example" },
		{ V "mode: none\n" A, "none 60" },
		{ "version: STSv1\r\nmode: enforce\r\nmx: *.b.example\r\n"
		  "max_age: 60\r\n",
		  "enforce 60 *.b.example" },
		{ V M X "max_age: 60", "enforce 60 a.example" },
		{ A X M V, "enforce 60 a.example" },
		{ V M X "mx:*.b\nmx: \tc \t\n" A,
		  "enforce 60 a.example *.b c" },
		{ V M "mx: a.example.\n" A, "enforce 60 a.example" },
		{ "\n" V "\r\n" M X A "\n\n", "enforce 60 a.example" },
		{ V M X A "x-y: \303\251t\303\251\n", "enforce 60 a.example" },
		{ V M X A "x-y:\n", "enforce 60 a.example" },
		/* once each: the first counts, whatever the second holds */
		{ V M X A "mode: none\nmax_age: x\nversion: STSv2\n",
		  "enforce 60 a.example" },
		{ V M X "max_age: 0\n", "enforce 0 a.example" },
		{ V M X "max_age: 31557600\n", "enforce 31557600 a.example" },
		{ V M X "max_age: 31557601\n", "enforce 31557600 a.example" },
		{ V M X "max_age: 9999999999\n", "enforce 31557600 a.example" },
		{ V M X "max_age: 10000000000\n",
		  LINE "4: max_age is '10000000000', expected a number of "
		       "seconds" },
		{ V M X "max_age: -1\n",
		  LINE "4: max_age is '-1', expected a number of seconds" },
		{ V M X "max_age:\n",
		  LINE "4: max_age is '', expected a number of seconds" },
		{ "version: STSv2\n" M X A,
		  LINE "1: version is 'STSv2', expected STSv1" },
		{ V "mode: Enforce\n" X A,
		  LINE "2: mode is 'Enforce', expected enforce, testing or "
		       "none" },
		{ V M "mx: *\n" A,
		  LINE "3: mx is '*', expected a host, or *. and a domain" },
		{ V M "mx: a.*.b\n" A, LINE
		  "3: mx is 'a.*.b', expected a host, or *. and a domain" },
		{ V M "mx: *.*.b\n" A, LINE
		  "3: mx is '*.*.b', expected a host, or *. and a domain" },
		{ V M "mx: a..b\n" A,
		  LINE "3: mx is 'a..b', expected a host, or *. and a "
		       "domain" },
		{ V M "mx: -a.b\n" A,
		  LINE "3: mx is '-a.b', expected a host, or *. and a "
		       "domain" },
		{ V M "mx: [192.0.2.1]\n" A,
		  LINE "3: mx is '[192.0.2.1]', expected a host, or *. and a "
		       "domain" },
		{ V M "mx: a b\n" A,
		  LINE "3: mx is 'a b', expected a host, or *. and a domain" },
		{ V M "mx:\n" A,
		  LINE "3: mx is '', expected a host, or *. and a domain" },
		{ V M X A "no colon\n", LINE "5: not NAME: VALUE" },
		{ V M X A "bad name: x\n", LINE "5: not NAME: VALUE" },
		{ V M X A ": x\n", LINE "5: not NAME: VALUE" },
		{ " " V M X A, LINE "1: not NAME: VALUE" },
		{ V M X A "x: a\rb\n", LINE "5: a control character" },
		{ M X A, "MTA-STS policy: no version" },
		{ V X A, "MTA-STS policy: no mode" },
		{ V M X, "MTA-STS policy: no max_age" },
		{ V M A, "MTA-STS policy: no mx" },
		{ V "mode: testing\n" A, "MTA-STS policy: no mx" },
		{ "Version: STSv1\n" M X A, "MTA-STS policy: no version" },
		{ "", "MTA-STS policy: no version" },
		{ "<html>\n", LINE "1: not NAME: VALUE" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();

		assert_slice_is(show(slice_of(rows[i].text), a), rows[i].want);
		arena_free(a);
	}
}

static void test_nul_and_size_are_refused(void **state)
{
	static const char nul[] = V M X A "x: a\0b\n";
	struct arena *a = arena_new();
	struct str big = STR_INIT;

	(void)state;
	assert_slice_is(show(slice_make(nul, sizeof(nul) - 1), a),
			LINE "5: a control character");
	str_adds(&big, V M X A);
	while (big.len < STS_POLICY_MAX)
		str_adds(&big, "\n");
	assert_slice_is(show(str_slice(&big), a), "enforce 60 a.example");
	str_adds(&big, "\n");
	assert_slice_is(show(str_slice(&big), a),
			"MTA-STS policy: larger than 65536 bytes");
	str_done(&big);
	arena_free(a);
}

static void test_pattern_stands_for_one_label(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool want;
	} rows[] = {
		{ "mx.example", "mx.example", true },
		{ "mx.example", "MX.Example", true },
		{ "mx.example", "mx.example.", true },
		{ "mx.example", "a.mx.example", false },
		{ "mx.example", "x.example", false },
		{ "*.example", "mx.example", true },
		{ "*.EXAMPLE", "mx.example.", true },
		{ "*.example", "a.mx.example", false },
		{ "*.example", "example", false },
		{ "*.example", ".example", false },
		{ "*.example", "mxexample", false },
		{ "*.example", "mx.example.org", false },
		{ "*.example", "", false },
		{ "*.example", ".", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice mx[] = { SLICE("other"),
				      slice_of(rows[i].pattern) };
		const struct sts_policy p = { .mx = mx, .n_mx = 2 };
		struct slice found = { 0 };

		if (sts_policy_matches(&p, slice_of(rows[i].host), &found) !=
		    rows[i].want)
			fail_msg("%s %s", rows[i].pattern, rows[i].host);
		assert_slice_is(found, rows[i].want ? rows[i].pattern : "");
		assert_int_equal(
		    sts_policy_matches(&p, slice_of(rows[i].host), NULL),
		    rows[i].want);
	}
}

/* ---- how long ----------------------------------------------------------- */

enum { HOUR = 3600, DAY = 24 * HOUR };

static struct sts_entry entry_of(uint32_t max_age, int64_t fetched)
{
	const struct sts_policy p = { .mode = STS_MODE_ENFORCE,
				      .max_age = max_age };
	struct sts_entry e = { .failures = 7, .tried = 5 };

	sts_entry_fetched(&e, &p, SLICE("id1"), fetched);
	assert_int_equal(e.failures, 0);
	return e;
}

static void test_policy_lives_until_max_age(void **state)
{
	struct sts_entry e = entry_of(100, 1000), none = { 0 };

	(void)state;
	assert_true(sts_entry_is_live(&e, 1000));
	assert_true(sts_entry_is_live(&e, 1099));
	assert_false(sts_entry_is_live(&e, 1100));
	assert_true(sts_entry_is_live(&e, 0)); /* the clock went back */
	assert_false(sts_entry_is_live(&none, 0));
	e = entry_of(0, 1000);
	assert_false(sts_entry_is_live(&e, 1000));
}

static void test_cached_policy_survives_failed_fetches(void **state)
{
	struct sts_entry e = entry_of(7 * DAY, 0);

	(void)state;
	for (int64_t now = DAY; now < 7 * DAY; now += HOUR) {
		sts_entry_failed(&e, now);
		assert_true(sts_entry_is_live(&e, now));
		assert_int_equal(
		    sts_entry_step(&e, STS_TXT_NONE, SLICE(""), now), STS_USE);
	}
	assert_false(sts_entry_is_live(&e, 7 * DAY));
}

/* It is never in force; and nobody fetches it again for each message. */
static void test_policy_without_age_is_not_fetched_each_time(void **state)
{
	struct sts_policy policy = { .mode = STS_MODE_ENFORCE };
	struct sts_entry e;

	(void)state;
	sts_entry_fetched(&e, &policy, SLICE("a"), 1000);
	assert_false(sts_entry_is_live(&e, 1000));
	assert_int_equal(sts_entry_step(&e, STS_TXT_OK, SLICE("a"), 1000),
			 STS_USE);
	assert_int_equal(sts_entry_step(&e, STS_TXT_OK, SLICE("a"),
					1000 + STS_RETRY_MIN - 1),
			 STS_USE);
	assert_int_equal(
	    sts_entry_step(&e, STS_TXT_OK, SLICE("a"), 1000 + STS_RETRY_MIN),
	    STS_FETCH);
	assert_int_equal(sts_entry_step(&e, STS_TXT_OK, SLICE("b"), 1001),
			 STS_FETCH);
}

static void test_steps_by_record_and_age(void **state)
{
	struct sts_entry none = { 0 }, e = entry_of(7 * DAY, 0);
	const struct {
		const struct sts_entry *entry;
		enum sts_txt txt;
		const char *id;
		int64_t now;
		enum sts_step want;
	} rows[] = {
		{ &none, STS_TXT_OK, "id1", 0, STS_FETCH },
		{ &none, STS_TXT_NONE, "", 0, STS_USE },
		{ &none, STS_TXT_UNKNOWN, "", 0, STS_USE },
		{ &none, STS_TXT_MANY, "", 0, STS_USE },
		{ &none, STS_TXT_BAD, "", 0, STS_USE },
		{ &e, STS_TXT_OK, "id1", HOUR, STS_USE },
		{ &e, STS_TXT_OK, "id2", HOUR, STS_FETCH },
		{ &e, STS_TXT_OK, "ID1", HOUR, STS_FETCH },
		{ &e, STS_TXT_OK, "id1", DAY - 1, STS_USE },
		{ &e, STS_TXT_OK, "id1", DAY, STS_RENEW },
		{ &e, STS_TXT_OK, "id1", 7 * DAY, STS_FETCH },
		{ &e, STS_TXT_NONE, "", DAY, STS_USE },
		{ &e, STS_TXT_UNKNOWN, "", DAY, STS_USE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(sts_step_word(sts_entry_step(
					rows[i].entry, rows[i].txt,
					slice_of(rows[i].id), rows[i].now)),
				    sts_step_word(rows[i].want));
}

static void test_short_policy_is_renewed_at_half_its_age(void **state)
{
	struct sts_entry e = entry_of(HOUR, 0);

	(void)state;
	assert_false(sts_entry_is_due(&e, HOUR / 2 - 1));
	assert_true(sts_entry_is_due(&e, HOUR / 2));
	assert_false(sts_entry_is_due(&(struct sts_entry){ 0 }, DAY));
}

static void test_failures_are_retried_ever_less_often(void **state)
{
	static const int waits[] = { 5, 10, 20, 40, 60, 60, 60 };
	struct sts_entry e = { 0 };

	(void)state;
	assert_true(sts_entry_retry(&e) == INT64_MIN);
	for (size_t i = 0; i < COUNT(waits); i++) {
		int64_t wait = waits[i] * 60;

		sts_entry_failed(&e, 1000);
		assert_true(sts_entry_retry(&e) == 1000 + wait);
		assert_int_equal(
		    sts_entry_step(&e, STS_TXT_OK, SLICE("a"), 1000 + wait - 1),
		    STS_USE);
		assert_int_equal(
		    sts_entry_step(&e, STS_TXT_OK, SLICE("a"), 1000 + wait),
		    STS_FETCH);
	}
	/* a clock that went back must not shut the domain off for years */
	assert_int_equal(sts_entry_step(&e, STS_TXT_OK, SLICE("a"), 0),
			 STS_FETCH);
	e.failures = UINT32_MAX;
	sts_entry_failed(&e, 1000);
	assert_int_equal(e.failures, UINT32_MAX);
	assert_true(sts_entry_retry(&e) == 1000 + HOUR);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_txt_record_grammar),
		cmocka_unit_test(test_only_one_record_of_ours_counts),
		cmocka_unit_test(test_places_of_record_and_policy),
		cmocka_unit_test(test_policy_grammar),
		cmocka_unit_test(test_nul_and_size_are_refused),
		cmocka_unit_test(test_pattern_stands_for_one_label),
		cmocka_unit_test(test_policy_lives_until_max_age),
		cmocka_unit_test(test_cached_policy_survives_failed_fetches),
		cmocka_unit_test(
		    test_policy_without_age_is_not_fetched_each_time),
		cmocka_unit_test(test_steps_by_record_and_age),
		cmocka_unit_test(test_short_policy_is_renewed_at_half_its_age),
		cmocka_unit_test(test_failures_are_retried_ever_less_often),
	};

	return TEST_RUN(tests);
}

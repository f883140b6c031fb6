/*
 * attempt_test.c - what passes for an attempt record, and what does not.
 */
#include "base/keyword.h"
#include "base/test.h"
#include "sched/sched_internal.h"

#include <string.h>

#define RECORD(more) "{\"event\":\"attempt\"" more "}"

static void test_records_give_their_site_and_time(void **state)
{
	static const struct {
		const char *in, *site;
		int64_t ms;
	} rows[] = {
		{ RECORD(""), "", -1 },
		{ RECORD(",\"site\":null"), "", -1 },
		{ RECORD(",\"site\":{\"addresses\":[]}"), "", -1 },
		{ RECORD(",\"site\":{\"key\":null}"), "", -1 },
		{ RECORD(",\"site\":{\"key\":\"a,b\"},\"ms\":31"), "a,b", 31 },
		{ RECORD(",\"x\":{\"site\":{\"key\":\"no\"},\"ms\":5}"), "",
		  -1 },
		{ RECORD(",\"ms\":1.5"), "", -1 },
		{ RECORD(",\"ms\":-1"), "", -1 },
		{ RECORD(",\"ms\":99999999999999999999"), "", -1 },
		{ " { \"event\" : \"attempt\" , \"ms\" : 0 } ", "", 0 },
		{ RECORD(",\"a\":[],\"b\":{},\"c\":[[1,-0.5e+7,0],{\"d\":"
			 "[true,false,null]}],\"e\":\"\\\"\\u00e4\\n\""),
		  "", -1 },
		{ RECORD(",\"x\":\"\xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e\""), "",
		  -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sched_attempt a;
		const char *why = "nothing";

		if (!sched_attempt_read(slice_of(rows[i].in), &a, &why))
			fail_msg("%s: %s", rows[i].in, why);
		assert_slice_is(a.site, rows[i].site);
		assert_int_equal(a.ms, rows[i].ms);
	}
}

static void check_bad(struct slice in, const char *want)
{
	struct sched_attempt a;
	const char *why = NULL;

	if (sched_attempt_read(in, &a, &why))
		fail_msg("passed: %.*s", SLICE_ARG(in));
	assert_string_equal(why, want);
}

static void test_what_is_no_record_is_refused_and_says_why(void **state)
{
	static const struct {
		const char *in, *why;
	} rows[] = {
		{ "", "no object" },
		{ "[]", "no object" },
		{ "{}", "another event than \"attempt\"" },
		{ "{\"event\":\"finished\"}",
		  "another event than \"attempt\"" },
		{ "{\"event\":7}", "a name or text is missing" },
		{ RECORD(",\"event\":\"finished\""), "a name twice" },
		{ RECORD(",\"ms\":1,\"ms\":2"), "a name twice" },
		{ RECORD(",\"site\":null,\"site\":{}"), "a name twice" },
		{ RECORD(",\"site\":{\"key\":\"a\",\"key\":\"b\"}"),
		  "a name twice" },
		{ "{\"\\u0065vent\":\"attempt\"}", "an escaped name" },
		{ RECORD("") "x", "something behind the record" },
		{ RECORD("") RECORD(""), "something behind the record" },
		{ "{\"event\":\"attempt\"", "'}' is missing" },
		{ "{\"event\":\"attempt\",}", "a name or text is missing" },
		{ "{\"event\" \"attempt\"}", "':' is missing" },
		{ "{\"event\":\"attempt", "a text without an end" },
		{ RECORD(",\"x\":\"\\x\""), "a bad escape" },
		{ RECORD(",\"x\":\"\\u12g4\""), "a bad escape" },
		{ RECORD(",\"x\":[1 2]"), "',' is missing" },
		{ RECORD(",\"x\":[1,]"), "a value is missing" },
		{ RECORD(",\"x\":[1}"), "',' is missing" },
		{ RECORD(",\"x\":{1:2}"), "a name or text is missing" },
		{ RECORD(",\"x\":01"), "a bad number" },
		{ RECORD(",\"x\":-"), "a bad number" },
		{ RECORD(",\"x\":1."), "a bad number" },
		{ RECORD(",\"x\":1e"), "a bad number" },
		{ RECORD(",\"x\":True"), "a value is missing" },
		{ RECORD(",\"x\":nul"), "a value is missing" },
		{ RECORD(",\"x\":\"\t\""), "control characters" },
		{ RECORD(",\"x\":\"\x7f\""), "control characters" },
		{ RECORD(",\"x\":\"\xc2\x9b\""), "control characters" },
		{ RECORD(",\"x\":\"\xe2\x80\xa8\""), "control characters" },
		{ RECORD(",\"x\":\"\xe2\x80\xa9\""), "control characters" },
		{ RECORD(",\"x\":\"\xff\""), "not UTF-8" },
		{ RECORD(",\"x\":\"\xc3\""), "not UTF-8" },
		{ RECORD(",\"x\":\"\xed\xa0\x80\""), "not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_bad(slice_of(rows[i].in), rows[i].why);
	check_bad(SLICE(RECORD(",\"x\":\"a\0b\"")), "control characters");
}

static void test_every_beginning_of_a_record_is_refused(void **state)
{
	const struct slice whole = SLICE(RECORD(
	    ",\"site\":{\"key\":\"a\\u0020b\"},\"x\":[1.5e3,{\"y\":null}]"));
	struct sched_attempt a;
	const char *why;

	(void)state;
	assert_true(sched_attempt_read(whole, &a, &why));
	for (size_t n = 0; n < whole.len; n++)
		assert_false(
		    sched_attempt_read(slice_head(whole, n), &a, &why));
}

static void test_depth_and_size_have_a_limit(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	str_adds(&text, "{\"event\":\"attempt\",\"x\":");
	for (int i = 0; i < 100000; i++)
		str_addc(&text, '[');
	check_bad(str_slice(&text), "too deep");
	str_clear(&text);
	str_adds(&text, "{\"event\":\"attempt\",\"x\":\"");
	for (int i = 0; i < 1024 * 1024; i++)
		str_addc(&text, 'x');
	str_adds(&text, "\"}");
	check_bad(str_slice(&text), "too long");
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_give_their_site_and_time),
		cmocka_unit_test(
		    test_what_is_no_record_is_refused_and_says_why),
		cmocka_unit_test(test_every_beginning_of_a_record_is_refused),
		cmocka_unit_test(test_depth_and_size_have_a_limit),
	};

	return TEST_RUN(tests);
}

/*
 * json_test.c - values, commas and keys; text of any bytes.
 */
#include "base/json.h"
#include "base/test.h"

/* A slice as a constant. */
#define BYTES(lit)                   \
	{                            \
		lit, sizeof(lit) - 1 \
	}

struct text_row {
	struct slice in;
	const char *want;
};

static const struct text_row text_rows[] = {
	{ BYTES(""), "\"\"" },
	{ BYTES("plain ~"), "\"plain ~\"" },
	{ BYTES("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
	{ BYTES("\n\r\t"), "\"\\n\\r\\t\"" },
	{ BYTES("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"" },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" },
	{ BYTES("\xf0\x9f\x93\xa7"), "\"\xf0\x9f\x93\xa7\"" },
	/* C1 controls, NEL among them; line and paragraph separator */
	{ BYTES("\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0"),
	  "\"\\u0080\\u0085\\u009f\xc2\xa0\"" },
	{ BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"" },
	/* What turns the order of text. */
	{ BYTES("\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9"),
	  "\"\\u202e\\u2066\\u2069\"" },
	{ BYTES("\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"),
	  "\"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\"" },
	/* what is not UTF-8: each byte for itself */
	{ BYTES("\x80"), "\"\xef\xbf\xbd\"" },
	{ BYTES("a\xff\xfe z"), "\"a\xef\xbf\xbd\xef\xbf\xbd z\"" },
	{ BYTES("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ BYTES("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ BYTES("\xf4\x90\x80\x80"),
	  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ BYTES("\xe2\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ BYTES("\xc3\"\\"), "\"\xef\xbf\xbd\\\"\\\\\"" },
};

static void test_text_is_always_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++) {
		struct str out = STR_INIT;
		struct json j;

		json_begin(&j, &out);
		json_text(&j, NULL, text_rows[i].in);
		assert_slice_is(str_slice(&out), text_rows[i].want);
		str_done(&out);
	}
}

static void test_values_nest_with_commas_and_keys(void **state)
{
	struct str out = STR_INIT;
	struct json j;

	(void)state;
	json_begin(&j, &out);
	json_object(&j, NULL);
	json_uint(&j, "n", UINT64_MAX);
	json_int(&j, "least", INT64_MIN);
	json_int(&j, "one", 1);
	json_array(&j, "empty");
	json_close(&j);
	json_array(&j, "list");
	json_object(&j, NULL);
	json_close(&j);
	json_object(&j, NULL);
	json_text(&j, "a\"b", SLICE("c"));
	json_close(&j);
	json_bool(&j, NULL, true);
	json_bool(&j, NULL, false);
	json_close(&j);
	json_text_if(&j, "left out", SLICE(""));
	json_text_if(&j, "not", SLICE("x"));
	json_null(&j, "nothing");
	json_raw(&j, "raw", SLICE("{\"a\":[1]}"));
	json_close(&j);
	assert_slice_is(
	    str_slice(&out),
	    "{\"n\":18446744073709551615,"
	    "\"least\":-9223372036854775808,\"one\":1,"
	    "\"empty\":[],\"list\":[{},{\"a\\\"b\":\"c\"},true,"
	    "false],\"not\":\"x\",\"nothing\":null,\"raw\":{\"a\":[1]}}");
	str_done(&out);
}

static void test_value_is_added_behind_what_is_there(void **state)
{
	struct str out = STR_INIT;
	struct json j;

	(void)state;
	str_adds(&out, "#attempt ");
	json_begin(&j, &out);
	json_array(&j, NULL);
	json_uint(&j, NULL, 0);
	json_uint(&j, NULL, 10);
	json_close(&j);
	assert_slice_is(str_slice(&out), "#attempt [0,10]");
	str_done(&out);
}

struct cut_row {
	struct slice in;
	size_t max;
	const char *want;
};

static const struct cut_row cut_rows[] = {
	{ BYTES("abc"), 3, "abc" },
	{ BYTES("abc"), 2, "ab" },
	{ BYTES("abc"), 0, "" },
	{ BYTES("a\xc3\xbc"), 2, "a" },
	{ BYTES("a\xc3\xbcz"), 3, "a\xc3\xbc" },
	{ BYTES("\xe2\x82\xacz"), 2, "" },
	{ BYTES("\xf0\x9f\x93\xa7z"), 3, "" },
	{ BYTES("\xf0\x9f\x93\xa7z"), 4, "\xf0\x9f\x93\xa7" },
	{ BYTES("\x80\x80\x80\x80\x80"), 3, "\x80\x80\x80" },
	{ BYTES("ab\xc3zz"), 3, "ab\xc3" },
};

static void test_cut_keeps_characters_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cut_rows) / sizeof(cut_rows[0]); i++)
		assert_slice_is(json_cut(cut_rows[i].in, cut_rows[i].max),
				cut_rows[i].want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_always_valid),
		cmocka_unit_test(test_values_nest_with_commas_and_keys),
		cmocka_unit_test(test_value_is_added_behind_what_is_there),
		cmocka_unit_test(test_cut_keeps_characters_whole),
	};

	return TEST_RUN(tests);
}

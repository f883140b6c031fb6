/*
 * xtext_test.c - the encoding of ENVID and ORCPT (RFC 3461 section 4).
 */
#include "base/xtext.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdio.h>

static void test_each_byte_is_encoded_by_the_rule(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		bool is_plain = i >= 33 && i <= 126 && i != '+' && i != '=';
		struct str coded = STR_INIT, plain = STR_INIT;
		char c = (char)i, want[4];

		if (is_plain)
			snprintf(want, sizeof(want), "%c", i);
		else
			snprintf(want, sizeof(want), "+%02X", (unsigned)i);
		xtext_encode(&coded, slice_make(&c, 1));
		assert_slice_is(str_slice(&coded), want);
		assert_true(xtext_valid(str_slice(&coded)));
		assert_int_equal(xtext_valid(slice_make(&c, 1)), is_plain);
		assert_true(xtext_decode(&plain, str_slice(&coded)));
		assert_true(slice_eq(str_slice(&plain), slice_make(&c, 1)));
		str_done(&coded);
		str_done(&plain);
	}
}

static void test_text_is_encoded_byte_after_byte(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	str_adds(&got, "ENVID=");
	xtext_encode(&got, SLICE("a b+c=\0\377~"));
	assert_slice_is(str_slice(&got), "ENVID=a+20b+2Bc+3D+00+FF~");
	xtext_encode(&got, SLICE(""));
	assert_slice_is(str_slice(&got), "ENVID=a+20b+2Bc+3D+00+FF~");
	str_done(&got);
}

static void test_valid_text_is_decoded(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "QQ314159", "QQ314159" },
		{ "rfc822;user1@example.com", "rfc822;user1@example.com" },
		{ "a+2Bb", "a+b" },
		{ "+3D", "=" },
		{ "+41+42", "AB" },
		{ "x+20y", "x y" },
		{ "+FF", "\377" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		str_adds(&got, ">");
		assert_true(xtext_valid(slice_of(rows[i].in)));
		assert_true(xtext_decode(&got, slice_of(rows[i].in)));
		assert_slice_is(slice_from(str_slice(&got), 1), rows[i].want);
		str_done(&got);
	}
}

static void test_invalid_text_is_refused_and_adds_nothing(void **state)
{
	static const char *const rows[] = {
		"+",   "a+",  "+4",   "a+4",   "+4g",	  "+g4", "+2b",
		"+fF", "a b", "a=b",  "a\tb",  "a\nb",	  "+ 4", "++41",
		"+-1", "+0x", "\177", "a\200", "ok+41+4",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		assert_false(xtext_decode(&got, slice_of(rows[i])));
		assert_int_equal(got.len, 0);
		str_adds(&got, "before");
		assert_false(xtext_decode(&got, slice_of(rows[i])));
		assert_slice_is(str_slice(&got), "before");
		assert_false(xtext_valid(slice_of(rows[i])));
		str_done(&got);
	}
}

static void test_nul_is_a_byte_like_others(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	assert_true(xtext_decode(&got, SLICE("a+00b")));
	assert_true(slice_eq(str_slice(&got), SLICE("a\0b")));
	assert_false(xtext_valid(SLICE("a\0b")));
	str_done(&got);
}

static void test_decoding_does_not_look_beyond_the_end(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	assert_false(xtext_decode(&got, slice_head(SLICE("a+41"), 3)));
	assert_false(xtext_decode(&got, slice_head(SLICE("a+41"), 2)));
	assert_true(xtext_decode(&got, slice_head(SLICE("a+41"), 1)));
	assert_slice_is(str_slice(&got), "a");
	str_done(&got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_byte_is_encoded_by_the_rule),
		cmocka_unit_test(test_text_is_encoded_byte_after_byte),
		cmocka_unit_test(test_valid_text_is_decoded),
		cmocka_unit_test(test_invalid_text_is_refused_and_adds_nothing),
		cmocka_unit_test(test_nul_is_a_byte_like_others),
		cmocka_unit_test(test_decoding_does_not_look_beyond_the_end),
	};

	return TEST_RUN(tests);
}

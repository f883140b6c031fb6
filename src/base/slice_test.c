/*
 * slice_test.c - borrowed bytes: edges of comparing, searching, cutting.
 */
#include "base/slice.h"

#include "base/keyword.h"
#include "base/test.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct slice null_slice;

static void test_null_slice_is_empty_everywhere(void **state)
{
	struct slice rest = null_slice, part = SLICE("kept");

	(void)state;
	assert_int_equal(slice_of(NULL).len, 0);
	assert_true(slice_eq(null_slice, SLICE("")));
	assert_true(slice_eq_nocase(null_slice, SLICE("")));
	assert_true(slice_starts(null_slice, null_slice));
	assert_false(slice_starts(null_slice, SLICE("a")));
	assert_int_equal(slice_from(null_slice, 5).len, 0);
	assert_int_equal(slice_head(null_slice, 5).len, 0);
	assert_int_equal(slice_find(null_slice, 'a'), 0);
	assert_int_equal(slice_find_last(null_slice, 'a'), 0);
	assert_int_equal(slice_find_text(null_slice, SLICE("a")), 0);
	assert_false(slice_has(null_slice, '\0'));
	assert_false(slice_has_control(null_slice));
	assert_false(slice_has_8bit(null_slice));
	assert_int_equal(slice_trim(null_slice).len, 0);
	assert_false(slice_word(&rest, &part));
	assert_false(slice_cut(&rest, ',', &part));
	assert_slice_is(part, "kept");
}

static void test_parts_never_leave_the_slice(void **state)
{
	struct slice s = SLICE("abc");

	(void)state;
	assert_slice_is(slice_from(s, 0), "abc");
	assert_slice_is(slice_from(s, 2), "c");
	assert_slice_is(slice_from(s, 3), "");
	assert_slice_is(slice_from(s, 4), "");
	assert_slice_is(slice_from(s, SIZE_MAX), "");
	assert_ptr_equal(slice_from(s, SIZE_MAX).p, s.p + 3);
	assert_slice_is(slice_head(s, 0), "");
	assert_slice_is(slice_head(s, 2), "ab");
	assert_slice_is(slice_head(s, 3), "abc");
	assert_slice_is(slice_head(s, SIZE_MAX), "abc");
}

static void test_bytes_are_compared_nul_and_all(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE("a\0b"), SLICE("a\0b")));
	assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
	assert_false(slice_eq(SLICE("a\0b"), SLICE("a")));
	assert_false(slice_eq(SLICE("abc"), SLICE("aBc")));
	assert_true(slice_eq_nocase(SLICE("a\0B"), SLICE("A\0b")));
	assert_false(slice_eq_nocase(SLICE("ab"), SLICE("abc")));
	assert_false(slice_eq_nocase(SLICE("abX"), SLICE("ABy")));
	assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
	assert_true(slice_starts(SLICE("abc"), SLICE("")));
	assert_false(slice_starts(SLICE("abc"), SLICE("aB")));
	assert_false(slice_starts(SLICE("ab"), SLICE("abc")));
	assert_true(slice_starts(SLICE("abc"), SLICE("abc")));
	assert_true(slice_starts_nocase(SLICE("aBc"), SLICE("Ab")));
	assert_true(slice_starts_nocase(SLICE("aBc"), SLICE("AbC")));
	assert_false(slice_starts_nocase(SLICE("aB"), SLICE("Abc")));
}

static void test_case_is_folded_for_ascii_letters_alone(void **state)
{
	(void)state;
	for (int i = CHAR_MIN; i <= CHAR_MAX; i++) {
		char c = (char)i;
		bool is_upper = i >= 65 && i <= 90;
		bool is_lower = i >= 97 && i <= 122;

		assert_int_equal(ascii_lower(c), is_upper ? i + 32 : i);
		assert_int_equal(ascii_upper(c), is_lower ? i - 32 : i);
		assert_int_equal(ascii_is_alpha(c), is_upper || is_lower);
		assert_int_equal(ascii_is_digit(c), i >= 48 && i <= 57);
	}
	assert_false(slice_eq_nocase(SLICE("\304"), SLICE("\344")));
	assert_false(slice_eq_nocase(SLICE("@["), SLICE("`{")));
}

static void test_bytes_and_texts_are_found(void **state)
{
	struct slice s = SLICE("a,b,\0,c");

	(void)state;
	assert_int_equal(slice_find(s, ','), 1);
	assert_int_equal(slice_find_last(s, ','), 5);
	assert_int_equal(slice_find(s, '\0'), 4);
	assert_int_equal(slice_find_last(s, '\0'), 4);
	assert_int_equal(slice_find(s, 'x'), s.len);
	assert_int_equal(slice_find_last(s, 'x'), s.len);
	assert_int_equal(slice_find(slice_head(s, 1), ','), 1);
	assert_int_equal(slice_find_text(s, SLICE("\0,c")), 4);
	assert_int_equal(slice_find_text(s, SLICE(",c")), 5);
	assert_int_equal(slice_find_text(s, s), 0);
	assert_int_equal(slice_find_text(s, SLICE(",d")), s.len);
	assert_int_equal(slice_find_text(SLICE("ab"), SLICE("abc")), 2);
	assert_true(slice_has(s, '\0'));
	assert_false(slice_has(slice_head(s, 4), '\0'));
}

static void test_control_and_8bit_bytes_are_seen(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char byte[] = { 'x', (char)i, 'y' };
		struct slice s = slice_make(byte, sizeof(byte));

		assert_int_equal(slice_has_control(s), i < 32 || i == 127);
		assert_int_equal(slice_has_8bit(s), i >= 128);
	}
}

static void test_an_8bit_byte_is_seen_at_any_place(void **state)
{
	char text[100];

	(void)state;
	memset(text, 0x7f, sizeof(text));
	for (size_t len = 1; len <= sizeof(text); len++) {
		assert_false(slice_has_8bit(slice_make(text, len)));
		for (size_t at = 0; at < len; at++) {
			text[at] = (char)0x80;
			assert_true(slice_has_8bit(slice_make(text, len)));
			assert_false(slice_has_8bit(slice_make(text, at)));
			text[at] = 0x7f;
		}
	}
}

static void test_blanks_are_trimmed_at_both_ends(void **state)
{
	(void)state;
	assert_slice_is(slice_trim(SLICE(" \t a b\t ")), "a b");
	assert_slice_is(slice_trim(SLICE("a")), "a");
	assert_slice_is(slice_trim(SLICE(" \t ")), "");
	assert_slice_is(slice_trim(SLICE("\na\r")), "\na\r");
	assert_slice_is(slice_without_dot(SLICE("a.b.")), "a.b");
	assert_slice_is(slice_without_dot(SLICE("a..")), "a.");
	assert_slice_is(slice_without_dot(SLICE("a")), "a");
	assert_slice_is(slice_without_dot(SLICE(".")), ".");
	assert_slice_is(slice_without_dot(SLICE("")), "");
}

static void test_words_are_cut_one_by_one(void **state)
{
	struct slice rest = SLICE(" \tone  two\tthree "), word;

	(void)state;
	assert_true(slice_word(&rest, &word));
	assert_slice_is(word, "one");
	assert_slice_is(rest, "  two\tthree ");
	assert_true(slice_word(&rest, &word));
	assert_slice_is(word, "two");
	assert_true(slice_word(&rest, &word));
	assert_slice_is(word, "three");
	assert_slice_is(rest, " ");
	assert_false(slice_word(&rest, &word));
	assert_slice_is(word, "three");
	assert_slice_is(rest, "");
}

static void test_cut_sees_every_part(void **state)
{
	static const struct {
		const char *in;
		const char *parts[4];
	} rows[] = {
		{ "a,,b", { "a", "", "b" } }, { "a,", { "a", "" } },
		{ ",", { "", "" } },	      { "", { "" } },
		{ "abc", { "abc" } },	      { ",a", { "", "a" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice rest = slice_of(rows[i].in), part;
		size_t n = 0;

		while (slice_cut(&rest, ',', &part)) {
			assert_non_null(rows[i].parts[n]);
			assert_slice_is(part, rows[i].parts[n++]);
		}
		assert_null(rows[i].parts[n]);
		assert_false(slice_cut(&rest, ',', &part));
	}
}

static void test_numbers_are_strict(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool is_valid;
		uint64_t want;
	} rows[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "000000000000000000000000007", 9, true, 7 },
		{ "9", 9, true, 9 },
		{ "10", 9, false, 0 },
		{ "255", 255, true, 255 },
		{ "256", 255, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
		{ "100000000000000000000000", UINT64_MAX, false, 0 },
		{ "18446744073709551615", UINT64_MAX - 1, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "0x1", 99, false, 0 },
		{ "1.0", 99, false, 0 },
		{ "\262", 9, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t n = 4711;

		assert_int_equal(
		    slice_uint(slice_of(rows[i].in), rows[i].max, &n),
		    rows[i].is_valid);
		assert_true(n == (rows[i].is_valid ? rows[i].want : 4711));
	}
	{
		uint64_t n = 4711;

		assert_false(slice_uint(SLICE("1\0"), 9, &n));
		assert_false(slice_uint(null_slice, 9, &n));
		assert_int_equal(n, 4711);
	}
}

static void test_printf_length_is_bounded(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(slice_printf_len(slice_make("", SIZE_MAX)), INT_MAX);
	assert_int_equal(slice_printf_len(slice_make("", (size_t)INT_MAX + 1)),
			 INT_MAX);
	assert_int_equal(slice_printf_len(slice_make("", INT_MAX)), INT_MAX);
	snprintf(out, sizeof(out), "<%.*s>", SLICE_ARG(null_slice));
	assert_string_equal(out, "<>");
	snprintf(out, sizeof(out), "<%.*s>",
		 SLICE_ARG(slice_head(SLICE("abc"), 2)));
	assert_string_equal(out, "<ab>");
}

static void test_order_is_by_bytes_then_by_length(void **state)
{
	static const struct {
		const char *a, *b;
		int want;
	} cases[] = {
		{ "", "", 0 },	     { "", "a", -1 },	  { "ab", "b", -1 },
		{ "ab", "abc", -1 }, { "abc", "abc", 0 }, { "Z", "a", -1 },
		{ "\xff", "a", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice a = slice_of(cases[i].a), b = slice_of(cases[i].b);
		int order = slice_order(a, b), back = slice_order(b, a);

		assert_int_equal((order > 0) - (order < 0), cases[i].want);
		assert_int_equal((back > 0) - (back < 0), -cases[i].want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null_slice_is_empty_everywhere),
		cmocka_unit_test(test_parts_never_leave_the_slice),
		cmocka_unit_test(test_bytes_are_compared_nul_and_all),
		cmocka_unit_test(test_case_is_folded_for_ascii_letters_alone),
		cmocka_unit_test(test_bytes_and_texts_are_found),
		cmocka_unit_test(test_control_and_8bit_bytes_are_seen),
		cmocka_unit_test(test_an_8bit_byte_is_seen_at_any_place),
		cmocka_unit_test(test_blanks_are_trimmed_at_both_ends),
		cmocka_unit_test(test_words_are_cut_one_by_one),
		cmocka_unit_test(test_cut_sees_every_part),
		cmocka_unit_test(test_numbers_are_strict),
		cmocka_unit_test(test_printf_length_is_bounded),
		cmocka_unit_test(test_order_is_by_bytes_then_by_length),
	};

	return TEST_RUN(tests);
}

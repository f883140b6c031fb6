/*
 * str_test.c - the growing string: contents, room, its uncounted NUL.
 */
#include "base/str.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

/* The bytes, and the NUL behind them. */
static void assert_str_is(const struct str *s, const char *want)
{
	assert_slice_is(str_slice(s), want);
	assert_int_equal(str_cstr(s)[s->len], '\0');
	assert_true(s->p == NULL || s->cap > s->len);
}

static void test_zero_is_an_empty_string(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	assert_str_is(&s, "");
	assert_string_equal(str_cstr(&s), "");
	str_clear(&s);
	str_cut(&s, 0);
	str_shift(&s, 0);
	assert_null(s.p);
	str_done(&s);
	str_done(&s);
}

static void test_adding_nothing_gives_a_nul(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_add(&s, slice_make(NULL, 0));
	assert_non_null(s.p);
	assert_str_is(&s, "");
	str_adds(&s, NULL);
	str_add_clean(&s, slice_make(NULL, 0), SIZE_MAX);
	assert_str_is(&s, "");
	str_done(&s);
}

static void test_every_way_of_adding_appends(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_add(&s, SLICE("a\0b"));
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.p, "a\0b", 4);
	str_clear(&s);
	assert_str_is(&s, "");
	str_adds(&s, "text ");
	str_addc(&s, 'c');
	str_addf(&s, " %d%%%s", 7, "!");
	str_addf(&s, "%s", "");
	str_addc(&s, ' ');
	str_addu(&s, 42);
	assert_str_is(&s, "text c 7%! 42");
	str_done(&s);
	assert_null(s.p);
	assert_int_equal(s.len + s.cap, 0);
}

/* U+009B begins a command to a terminal; U+00E9 and half a C1 do not. */
static void test_c1_controls_are_made_harmless(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_add_clean(&s, SLICE("a\302\233b\302\251\303\233\233"), SIZE_MAX);
	assert_str_is(&s, "a??b\302\251\303\233?");
	str_done(&s);
}

/* What terminals and viewers obey, in UTF-8 and in what is none. */
static void test_text_cannot_turn_its_order_or_break_its_line(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		/* U+2028 to U+202E, U+2066 to U+2069, and their neighbours. */
		{ "\u2027\u2028\u2029\u202a\u202b", "\u2027????????????" },
		{ "\u202c\u202d\u202e\u202f", "?????????\u202f" },
		{ "\u2065\u2066\u2067\u2068\u2069\u206a",
		  "\u2065????????????\u206a" },
		{ "\302\237\302\240", "??\302\240" },
		/* No UTF-8: Latin-1, whose controls are the same ones. */
		{ "a\200b\237c\240d\377", "a?b?c\240d\377" },
		{ "\303", "\303" },
		{ "\342\200", "\342?" },
		{ "\342\200x", "\342?x" },
		/* Overlong, a surrogate, beyond the last. */
		{ "\300\233", "\300?" },
		{ "\340\202\233", "\340??" },
		{ "\360\202\200\256", "\360??\256" },
		{ "\355\240\200", "\355\240?" },
		{ "\364\220\200\200", "\364???" },
		{ "\370\210\200\200\200", "\370????" },
		/* Bytes of the C1 range within other characters. */
		{ "\303\233\342\202\254\360\237\230\200",
		  "\303\233\342\202\254\360\237\230\200" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str s = STR_INIT;

		str_add_clean(&s, slice_of(rows[i].in), SIZE_MAX);
		assert_str_is(&s, rows[i].want);
		str_done(&s);
	}
}

static void test_numbers_are_printed_whole(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} rows[] = {
		{ 0, "0" },
		{ 9, "9" },
		{ 10, "10" },
		{ 1000000, "1000000" },
		{ UINT64_MAX, "18446744073709551615" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str s = STR_INIT;

		str_addu(&s, rows[i].n);
		assert_str_is(&s, rows[i].want);
		str_done(&s);
	}
}

static void test_string_grows_byte_by_byte(void **state)
{
	struct str s = STR_INIT;
	size_t moves = 0, cap = 0;

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		str_addc(&s, (char)('a' + i % 26));
		assert_true(s.len < s.cap);
		moves += s.cap != cap;
		cap = s.cap;
	}
	assert_int_equal(s.len, 100000);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != (char)('a' + i % 26))
			fail_msg("byte %zu is wrong", i);
	assert_int_equal(s.p[s.len], '\0');
	assert_in_range(moves, 1, 17); /* doubling */
	str_done(&s);
}

static void test_reserved_room_does_not_move(void **state)
{
	struct str s = STR_INIT;
	const char *p;

	(void)state;
	str_adds(&s, "abc");
	str_reserve(&s, 1000);
	p = s.p;
	for (int i = 0; i < 100; i++)
		str_adds(&s, "0123456789");
	assert_ptr_equal(s.p, p);
	assert_int_equal(s.len, 1003);
	str_clear(&s);
	assert_ptr_equal(s.p, p);
	str_done(&s);
}

static void test_long_format_is_not_cut(void **state)
{
	struct str s = STR_INIT, arg = STR_INIT;

	(void)state;
	for (int i = 0; i < 5000; i++)
		str_addc(&arg, 'x');
	str_addf(&s, "<%s>", str_cstr(&arg));
	assert_int_equal(s.len, 5002);
	assert_int_equal(s.p[5001], '>');
	str_done(&s);
	str_done(&arg);
}

static void test_clean_text_has_no_control_byte(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		char want = c;
		struct str s = STR_INIT;

		if (i == '\t')
			want = ' ';
		else if (i < 32 || (i >= 127 && i < 160))
			want = '?';
		str_add_clean(&s, slice_make(&c, 1), SIZE_MAX);
		assert_int_equal(s.len, 1);
		assert_int_equal(s.p[0], want);
		assert_int_equal(s.p[1], '\0');
		str_done(&s);
	}
}

static void test_what_is_forced_is_utf8(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "plain\n", "plain\n" },
		{ "b\303\266b \360\237\230\200",
		  "b\303\266b \360\237\230\200" },
		{ "b\366b", "b?b" },
		{ "\303", "?" },
		{ "\303\303\266", "?\303\266" },
		{ "\300\257 \355\240\200", "?? ???" },
	};
	struct str s = STR_INIT;

	(void)state;
	str_force_utf8(&s);
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&s);
		str_adds(&s, rows[i].in);
		str_force_utf8(&s);
		assert_slice_is(str_slice(&s), rows[i].want);
	}
	str_done(&s);
}

static void test_clean_text_is_cut_at_the_limit(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_adds(&s, ">");
	str_add_clean(&s, SLICE("a\nb\nc"), 3);
	assert_str_is(&s, ">a?b");
	str_add_clean(&s, SLICE("xyz"), 3);
	assert_str_is(&s, ">a?bxyz");
	str_add_clean(&s, SLICE("q"), 0);
	assert_str_is(&s, ">a?bxyz");
	str_done(&s);
}

static void test_cut_and_shift_keep_the_right_end(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_adds(&s, "0123456789");
	str_shift(&s, 3);
	assert_str_is(&s, "3456789");
	str_cut(&s, 4);
	assert_str_is(&s, "3456");
	str_shift(&s, 0);
	str_cut(&s, 4);
	assert_str_is(&s, "3456");
	str_adds(&s, "x");
	assert_str_is(&s, "3456x");
	str_shift(&s, 5);
	assert_str_is(&s, "");
	str_done(&s);
}

static void test_wiped_string_is_empty_and_of_use(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_wipe(&s);
	assert_null(s.p);
	str_adds(&s, "a secret");
	str_wipe(&s);
	assert_null(s.p);
	assert_int_equal(s.len + s.cap, 0);
	str_adds(&s, "other");
	assert_string_equal(str_cstr(&s), "other");
	str_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_is_an_empty_string),
		cmocka_unit_test(test_adding_nothing_gives_a_nul),
		cmocka_unit_test(test_every_way_of_adding_appends),
		cmocka_unit_test(test_c1_controls_are_made_harmless),
		cmocka_unit_test(
		    test_text_cannot_turn_its_order_or_break_its_line),
		cmocka_unit_test(test_numbers_are_printed_whole),
		cmocka_unit_test(test_string_grows_byte_by_byte),
		cmocka_unit_test(test_reserved_room_does_not_move),
		cmocka_unit_test(test_long_format_is_not_cut),
		cmocka_unit_test(test_clean_text_has_no_control_byte),
		cmocka_unit_test(test_clean_text_is_cut_at_the_limit),
		cmocka_unit_test(test_what_is_forced_is_utf8),
		cmocka_unit_test(test_cut_and_shift_keep_the_right_end),
		cmocka_unit_test(test_wiped_string_is_empty_and_of_use),
	};

	return TEST_RUN(tests);
}

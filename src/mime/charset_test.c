/*
 * charset_test.c - names, labels, characters, and what is UTF-8.
 */
#include "mime/charset.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void test_names_are_tokens_without_especials(void **state)
{
	static const char *const good[] = {
		"UTF-8", "ISO-8859-1",	 "koi8-r",
		"x",	 "unknown-8bit", "KS_C_5601"
	};
	static const char *const bad[] = {
		"",
		"a b",
		"a?b",
		"a=b",
		"ISO_8859-1:1987",
		"a\tb",
		"a\nb",
		"\xe4",
		"a.b",
		"a\"b",
		"a/b",
		"a\177b",
		"(a)",
		"a\\b",
		"a23456789b123456789c123456789d123456789e1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(charset_is_name(slice_of(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(charset_is_name(slice_of(bad[i])));
	assert_true(charset_is_name(
	    slice_head(slice_of(bad[COUNT(bad) - 1]), CHARSET_NAME_MAX)));
}

static void test_label_is_utf8_then_preferred_then_latin1(void **state)
{
	(void)state;
	assert_slice_is(charset_choose(true, SLICE("KOI8-R")), "UTF-8");
	assert_slice_is(charset_choose(false, SLICE("KOI8-R")), "KOI8-R");
	assert_slice_is(charset_choose(false, SLICE("UNKNOWN-8BIT")),
			"UNKNOWN-8BIT");
	assert_slice_is(charset_choose(false, SLICE("")), "ISO-8859-1");
	assert_slice_is(charset_choose(false, SLICE("x?=\nBcc: y")),
			"ISO-8859-1");
}

static void test_first_character_of_each_set(void **state)
{
	static const struct {
		const char *name, *text;
		size_t want;
	} rows[] = {
		{ "UTF-8", "a\xc3\xbc", 1 },
		{ "utf-8",
		  "\xc3\xbc"
		  "a",
		  2 },
		{ "UTF-8", "\xe2\x82\xac", 3 },
		{ "UTF-8", "\xf0\x9f\x98\x80", 4 },
		{ "UTF-8", "\xc3", 1 },
		{ "UTF-8", "\xe2\x82", 1 },
		{ "UTF-8",
		  "\xe2\x82"
		  "a",
		  1 },
		{ "UTF-8", "\x80\x80", 1 },
		{ "UTF-8", "\xff\xff", 1 },
		{ "ISO-8859-1", "\xc3\xbc", 1 },
		{ "nobody-knows", "\xc3\xbc", 1 },
		{ "EUC-JP", "\xa4\xa2\xa4", 2 },
		{ "EUC-JP", "\x8f\xb0\xa1\xa4", 3 },
		{ "EUC-JP", "\x8e\xb1\xa4", 2 },
		{ "EUC-JP", "\xa4", 1 },
		{ "EUC-JP",
		  "\xa4"
		  "a",
		  1 },
		{ "euc-kr", "\xb0\xa1\xb0", 2 },
		{ "GB2312", "\xb0\xa1\xb0", 2 },
		{ "GBK", "\x81\x40\x81", 2 },
		{ "GB18030", "\x81\x30\x81\x30\x81", 4 },
		{ "GB18030", "\x81\x30\x81", 1 },
		{ "GB18030", "\x81\x40\x81\x30", 2 },
		{ "Big5", "\xa4\x40\xa4", 2 },
		{ "Shift_JIS", "\x82\xa0\x82", 2 },
		{ "Shift_JIS", "\xb1\xb2", 1 },
		{ "Shift_JIS", "\x82", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(charset_char_len(slice_of(rows[i].name),
						  slice_of(rows[i].text)),
				 rows[i].want);
}

static void test_first_8bit_byte_is_found_at_every_place(void **state)
{
	char text[100];

	(void)state;
	for (size_t len = 0; len <= sizeof(text); len++) {
		memset(text, 'a', sizeof(text));
		assert_int_equal(charset_ascii_len(slice_make(text, len)), len);
		for (size_t at = 0; at < len; at++) {
			text[at] = '\x80';
			assert_int_equal(
			    charset_ascii_len(slice_make(text, len)), at);
			text[at] = '\x7f';
		}
	}
}

/* ---- UTF-8 ---------------------------------------------------------- */

static void push(void *context, struct slice chunk)
{
	utf8_push(context, chunk);
}

static bool is_wide(struct slice text, unsigned seed)
{
	struct utf8 u;

	utf8_begin(&u);
	test_split(text, seed, push, &u);
	return utf8_is_wide(&u);
}

static void test_utf8_is_told_in_any_chunks(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "", false },
		{ "only ASCII\n", false },
		{ "gr\xc3\xbc\xc3\x9f"
		  "e\n",
		  true },
		{ "\xd0\xba\xd0\xbe\xd1\x82", true },
		{ "\xe2\x82\xac 5", true },
		{ "\xf0\x9f\x98\x80", true },
		{ "\xef\xbf\xbf \xed\x9f\xbf \xee\x80\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\xc2\x80", true },
		{ "\xe0\xa0\x80 \xf0\x90\x80\x80", true },
		/* not whole, not begun */
		{ "a\xc3", false },
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "\xc3"
		  "a",
		  false },
		{ "\xe2\x82 \xac", false },
		{ "\x80", false },
		{ "\xc3\xbc\xbc", false },
		/* too long, surrogates, beyond the last */
		{ "\xc0\x80", false },
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\xa0\x80", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
		/* other sets */
		{ "gr\xfc\xdf"
		  "e\n",
		  false },
		{ "\xc3\xbc gr\xfc\xdf"
		  "e",
		  false },
		{ "\xa4\xa2\xa4\xa4", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
			if (is_wide(slice_of(rows[i].text), seed) !=
			    rows[i].want)
				fail_msg("row %zu, seed %u", i, seed);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(utf8_text_is_wide(slice_of(rows[i].text)),
				 rows[i].want);
}

/* By the definition, one character at a time. */
static bool is_utf8_slowly(const unsigned char *p, size_t len)
{
	while (len > 0) {
		uint32_t c = p[0];
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

		if ((c >= 0x80 && c < 0xc0) || c > 0xf7 || n > len)
			return false;
		c = n == 1 ? c : c & (0x7fu >> n);
		for (size_t i = 1; i < n; i++) {
			if (p[i] >> 6 != 2)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < least[n] || c > 0x10ffff || c >> 11 == 0x1b)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static void test_every_pair_of_bytes_with_every_border(void **state)
{
	static const unsigned char borders[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90,
						 0x9f, 0xa0, 0xbf, 0xc0, 0xff };

	(void)state;
	for (unsigned pair = 0; pair < 65536; pair++) {
		unsigned char text[4] = { (unsigned char)(pair >> 8),
					  (unsigned char)pair, 0, 0 };

		for (size_t i = 0; i < COUNT(borders); i++) {
			struct slice s = slice_make((char *)text, 4);
			bool want;

			text[2] = borders[i];
			text[3] = borders[COUNT(borders) - 1 - i];
			want = is_utf8_slowly(text, 4) && slice_has_8bit(s);
			assert_int_equal(is_wide(s, 0), want);
			assert_int_equal(is_wide(s, 1), want);
			text[3] = 0xbf;
			want = is_utf8_slowly(text, 4) && slice_has_8bit(s);
			assert_int_equal(is_wide(s, 1), want);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_tokens_without_especials),
		cmocka_unit_test(test_label_is_utf8_then_preferred_then_latin1),
		cmocka_unit_test(test_first_character_of_each_set),
		cmocka_unit_test(test_first_8bit_byte_is_found_at_every_place),
		cmocka_unit_test(test_utf8_is_told_in_any_chunks),
		cmocka_unit_test(test_every_pair_of_bytes_with_every_border),
	};

	return TEST_RUN(tests);
}

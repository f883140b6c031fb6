/*
 * scan_test.c - the facts of a body beside a slow and obvious reference.
 */
#include "mime/scan.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

static void push(void *context, struct slice chunk)
{
	scan_push(context, chunk);
}

static struct scan scanned(struct slice text, unsigned seed)
{
	struct scan s;

	scan_begin(&s);
	test_split(text, seed, push, &s);
	scan_end(&s);
	return s;
}

/* ---- the reference -------------------------------------------------- */

static struct scan reference(struct slice text)
{
	struct scan s = { .size = text.len };
	struct slice rest = text, line;

	for (size_t i = 0; i < text.len; i++) {
		bool is_last = i + 1 == text.len;

		s.has_8bit |= (unsigned char)text.p[i] >= 0x80;
		s.has_nul |= text.p[i] == '\0';
		if (text.p[i] != '\r')
			continue;
		if (!is_last && text.p[i + 1] == '\n')
			s.has_crlf = true;
		else
			s.has_bare_cr = true;
	}
	s.ends_in_lf = text.len > 0 && text.p[text.len - 1] == '\n';
	while (rest.len > 0) {
		bool has_lf = slice_has(rest, '\n');

		slice_cut(&rest, '\n', &line);
		if (has_lf && line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len > s.longest)
			s.longest = line.len;
	}
	return s;
}

static void check(struct slice text, unsigned seed)
{
	struct scan want = reference(text), got = scanned(text, seed);

	if (got.size != want.size || got.longest != want.longest ||
	    got.has_8bit != want.has_8bit || got.has_nul != want.has_nul ||
	    got.has_crlf != want.has_crlf ||
	    got.has_bare_cr != want.has_bare_cr ||
	    got.ends_in_lf != want.ends_in_lf)
		fail_msg("seed %u, %zu bytes: longest %u not %u, or a flag",
			 seed, text.len, (unsigned)got.longest,
			 (unsigned)want.longest);
}

/* ---- tests ---------------------------------------------------------- */

static void test_facts_of_small_texts(void **state)
{
	static const struct {
		struct slice in;
		uint64_t longest;
		const char *flags; /* 8 nul crlf bare-cr lf utf8: "80cblu" */
	} rows[] = {
		{ { "", 0 }, 0, "" },
		{ { "\n", 1 }, 0, "l" },
		{ { "abc", 3 }, 3, "" },
		{ { "abc\n", 4 }, 3, "l" },
		{ { "a\nabcd\nab\n", 10 }, 4, "l" },
		{ { "abc\r\n", 5 }, 3, "cl" },
		{ { "ab\rc\n", 5 }, 4, "bl" },
		{ { "ab\r", 3 }, 3, "b" },
		{ { "ab\r\r\n", 5 }, 3, "cbl" },
		{ { "a\0b\n", 4 }, 3, "0l" },
		{ { "\xe4\n", 2 }, 1, "8l" },
		{ { "\xc3\xa4\n", 3 }, 2, "8lu" },
		{ { "\xc3\n", 2 }, 1, "8l" },
		{ { "a\xc3", 2 }, 2, "8" },
		{ { "\xc3\xa4\n\xe4\n", 5 }, 2, "8l" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice flags = slice_of(rows[i].flags);

		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct scan s = scanned(rows[i].in, seed);

			assert_int_equal(s.size, rows[i].in.len);
			assert_int_equal(s.longest, rows[i].longest);
			assert_int_equal(s.has_8bit, slice_has(flags, '8'));
			assert_int_equal(s.has_nul, slice_has(flags, '0'));
			assert_int_equal(s.has_crlf, slice_has(flags, 'c'));
			assert_int_equal(s.has_bare_cr, slice_has(flags, 'b'));
			assert_int_equal(s.ends_in_lf, slice_has(flags, 'l'));
			assert_int_equal(s.is_utf8, slice_has(flags, 'u'));
		}
	}
}

static void test_every_short_text_is_right_in_any_chunks(void **state)
{
	static const char alphabet[] = { '\r', '\n', '\0', 'a', '\xc3' };
	enum { LETTERS = sizeof(alphabet), LONGEST = 5 };
	char text[LONGEST];

	(void)state;
	for (size_t len = 0, count = 1; len <= LONGEST; len++) {
		for (size_t number = 0; number < count; number++) {
			size_t n = number;

			for (size_t i = 0; i < len; i++, n /= LETTERS)
				text[i] = alphabet[n % LETTERS];
			for (unsigned seed = 0; seed < 6; seed++)
				check(slice_make(text, len), seed);
		}
		count *= LETTERS;
	}
}

static uint64_t random_state = 47;

static size_t random_below(size_t n)
{
	random_state =
	    random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % n;
}

static void test_random_lines_are_right_in_any_chunks(void **state)
{
	static const char *const ends[] = {
		"\n", "\n", "\n", "\r\n", "\r", ""
	};
	struct str text = STR_INIT;

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t lines = random_below(40);

		str_clear(&text);
		while (lines-- > 0) {
			for (size_t n = random_below(90); n > 0; n--)
				str_addc(&text,
					 random_below(500) == 0 ? '\xfc' : 'x');
			str_adds(&text, ends[random_below(COUNT(ends))]);
		}
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
			check(str_slice(&text), seed);
	}
	str_done(&text);
}

static void test_endless_line_is_measured(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	str_adds(&text, "short\n");
	for (size_t i = 0; i < 1000 * 1000; i++)
		str_addc(&text, 'x');
	for (unsigned seed = 0; seed < 4; seed++)
		assert_int_equal(scanned(str_slice(&text), seed).longest,
				 1000 * 1000);
	str_adds(&text, "\nshort\n");
	for (unsigned seed = 0; seed < 4; seed++)
		assert_int_equal(scanned(str_slice(&text), seed).longest,
				 1000 * 1000);
	str_done(&text);
}

static void test_utf8_broken_late_is_seen(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < 20000; i++)
		str_adds(&text, "gr\xc3\xbc\xc3\x9f"
				"e\n");
	assert_true(scanned(str_slice(&text), 2).is_utf8);
	str_adds(&text, "gr\xfc\xdf"
			"e\n");
	assert_false(scanned(str_slice(&text), 2).is_utf8);
	assert_true(scanned(str_slice(&text), 2).has_8bit);
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_of_small_texts),
		cmocka_unit_test(test_every_short_text_is_right_in_any_chunks),
		cmocka_unit_test(test_random_lines_are_right_in_any_chunks),
		cmocka_unit_test(test_endless_line_is_measured),
		cmocka_unit_test(test_utf8_broken_late_is_seen),
	};

	return TEST_RUN(tests);
}

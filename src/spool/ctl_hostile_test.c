/*
 * ctl_hostile_test.c - control files that are cut, huge, binary or malicious:
 * refused whole or read right, never half, and never slowly.
 */
#include "spool/ctl.h"

#include "spool/test_files.h"

#include <time.h>

#define HEAD   "i 1\no 0\nl x\n"
#define SENDER "s c h f 1\n"
#define RCPT   "r           c h a 1\n"
#define GOOD   HEAD SENDER RCPT "m\n\n"

static enum ctl_verdict parse(struct slice text, struct ctl *ret,
			      struct err *err)
{
	/* A copy of just the size, so that ASan sees a byte too many. */
	char *copy = text.len > 0 ? malloc(text.len) : NULL;
	struct arena *a = arena_new();
	enum ctl_verdict verdict;

	if (text.len > 0) {
		assert_non_null(copy);
		memcpy(copy, text.p, text.len);
	}
	verdict = ctl_parse(slice_make(copy, text.len), a, ret, err);
	if (verdict == CTL_OK)
		for (size_t i = 0; i < ret->n_rcpts; i++) {
			assert_non_null(ret->rcpts[i].sender);
			assert_non_null(ret->rcpts[i].header);
			assert_int_equal(copy[ret->rcpts[i].offset], 'r');
		}
	arena_free(a);
	free(copy);
	return verdict;
}

static void assert_refused(struct slice text, const char *why)
{
	struct ctl ctl = { .flags = 4711, .n_rcpts = 4711 };
	struct err err = { 0 };

	assert_int_equal(parse(text, &ctl, &err), CTL_REFUSED);
	if (strstr(err.text, why) == NULL)
		fail_msg("got '%s', wanted '%s'", err.text, why);
	assert_int_equal(ctl.flags, 4711);
	assert_int_equal(ctl.n_rcpts, 4711);
}

static void test_incomplete_files_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "fewer than 4 fields" },
		{ "\n\n\n\n\n\n", "fewer than 4 fields" },
		{ "i 1\no 0\nl x\n", "fewer than 4 fields" },
		{ "i 1\n\n\no 0\nl x\n\n", "fewer than 4 fields" },
		{ "o 0\nl x\nb y\nb z\n", "no `i` line" },
		{ "i\no 0\nl x\nb y\n", "without a name" },
		{ "i \no 0\nl x\nb y\n", "without a name" },
		{ "i 1\nl x\nb y\nb z\n", "no `o` line" },
		{ HEAD "i 1\n", "byte 12: a second `i` line" },
		{ HEAD "o 0\n", "byte 12: a second `o` line" },
		{ HEAD SENDER "m\nA: b\n", "without the empty line" },
		{ HEAD SENDER RCPT "m\nA: b\n", "without the empty line" },
		{ HEAD SENDER RCPT "m\n", "without the empty line" },
		{ HEAD SENDER RCPT "m", "without the empty line" },
		{ HEAD SENDER RCPT "m\n\nM\nA: b\n", "without the empty line" },
		{ HEAD SENDER RCPT "m\n\nM", "without the empty line" },
		{ HEAD SENDER RCPT "mA: b\n\n", "not alone on its line" },
		{ HEAD SENDER RCPT "M x\n\nm\n\n", "not alone on its line" },
		{ HEAD SENDER RCPT "R FULL\n", "byte 22: recipient without a "
					       "header" },
		{ GOOD RCPT, "byte 45: recipient without a header" },
		{ GOOD RCPT "M\nA: b\n\n", "recipient without a header" },
		{ HEAD RCPT SENDER "m\n\n", "byte 12: recipient before any" },
		{ HEAD "s c h f\n", "sender without its four parts" },
		{ HEAD "s \n", "sender without its four parts" },
		{ HEAD "s\n", "sender without its four parts" },
		{ HEAD SENDER "r\nm\n\n", "byte 22: recipient without its "
					  "slots" },
		{ HEAD SENDER "r           c h a\nm\n\n", "its four parts" },
		{ "@ 7\n" HEAD SENDER "r c h a 1\nm\n\n", "without its slots" },
		{ HEAD SENDER "r c h a 1\nm\n\n@ 7\n", "without its slots" },
		{ GOOD "R FULL", "byte 45: last line is cut off" },
		{ GOOD "@ 7", "byte 45: last line is cut off" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_refused(slice_of(rows[i].text), rows[i].why);
}

static void test_bad_numbers_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"x",
		"-1",
		"1x",
		"1 2",
		"1e9",
		"+5",
		"9223372036854775808",
		"18446744073709551616",
		"99999999999999999999999999999999999",
	};
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&text);
		str_addf(&text, "i 1\no %s\nl x\nb y\n", rows[i]);
		assert_refused(str_slice(&text), "bad body offset");
		str_clear(&text);
		str_addf(&text, "@ %s\n" GOOD, rows[i]);
		assert_refused(str_slice(&text), "bad format mask");
	}
	assert_refused(SLICE("i 1\no 0x10\nl x\nb y\n"), "bad body offset");
	assert_refused(SLICE("@ 08\n" GOOD), "bad format mask");
	str_done(&text);
}

static void test_largest_body_offset_is_read(void **state)
{
	struct ctl ctl;
	struct err err;

	(void)state;
	assert_int_equal(
	    parse(SLICE("i 1\no 9223372036854775807 \nl x\nb y\n"), &ctl, &err),
	    CTL_OK);
	assert_true(ctl.body_offset == INT64_MAX);
}

static void test_unknown_format_bits_are_unsupported(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
	} rows[] = {
		{ "@ 0x17\n" GOOD, 0x17 },
		{ "@ 8\n" GOOD, 8 },
		{ "@ 010\n" GOOD, 8 },
		{ GOOD "@ 0x80000000\n", 0x80000000 },
		/* even if nothing else in the file can be understood */
		{ "@ 0xff\nr\n", 0xff },
		{ "@ 0xff\n", 0xff },
		{ "@ 0xff\nm\n", 0xff },
		{ "@ 7\n@ 0x10\n" GOOD, 0x10 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl ctl = { 0 };
		struct err err;

		assert_int_equal(parse(slice_of(rows[i].text), &ctl, &err),
				 CTL_UNSUPPORTED);
		assert_int_equal(ctl.flags, rows[i].flags);
	}
}

static void test_file_beginning_with_t_is_no_mail_job(void **state)
{
	static const char *const rows[] = { "T", "T example.com\n",
					    "Turn me\n" GOOD };
	struct ctl ctl;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(parse(slice_of(rows[i]), &ctl, &err),
				 CTL_TURN);
	assert_int_equal(parse(SLICE("\nT x\n" GOOD), &ctl, &err), CTL_OK);
}

static void test_nul_is_refused_outside_and_kept_inside_a_block(void **state)
{
	static const char before[] = HEAD SENDER RCPT "R FU\0LL\nm\nA: b\n\n";
	static const char in_unknown[] = HEAD SENDER RCPT "m\n\nq\0\n";
	static const char at_end[] = HEAD SENDER RCPT "m\n\n\0\0\0";
	static const char in_header[] = HEAD SENDER RCPT "m\nA: \0b\n\n";
	static const char in_mime[] = HEAD SENDER RCPT "m\n\nM\n\0\n\n";
	struct ctl ctl;
	struct err err;

	(void)state;
#define WHOLE(text) slice_make((text), sizeof(text) - 1)
	assert_refused(WHOLE(before), "byte 42: NUL in a line");
	assert_refused(WHOLE(in_unknown), "NUL in a line");
	assert_refused(WHOLE(at_end), "NUL in a line");
	assert_int_equal(parse(WHOLE(in_header), &ctl, &err), CTL_OK);
	assert_int_equal(parse(WHOLE(in_mime), &ctl, &err), CTL_OK);
#undef WHOLE
}

/* Cuts at every byte: no crash, nothing half read, no recipient lost. */
static void check_every_cut(struct slice text, size_t n_rcpts,
			    size_t last_block_end)
{
	for (size_t len = 0; len <= text.len; len++) {
		struct ctl ctl = { 0 };
		struct err err = { 0 };
		enum ctl_verdict verdict =
		    parse(slice_head(text, len), &ctl, &err);

		if (len >= last_block_end) {
			assert_int_equal(verdict, CTL_OK);
			assert_int_equal(ctl.n_rcpts, n_rcpts);
		} else if (verdict == CTL_OK) {
			/* Cut between two groups: the first is whole. */
			assert_true(ctl.n_rcpts < n_rcpts);
		} else {
			assert_int_equal(verdict, CTL_REFUSED);
			assert_true(err.text[0] != '\0');
		}
	}
}

static void test_minimal_example_cut_at_every_byte(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	TEST_BUILD(test_minimal, &text);
	check_every_cut(str_slice(&text), 1, 152);
	str_done(&text);
}

static void test_full_example_cut_at_every_byte(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	TEST_BUILD(test_full, &text);
	check_every_cut(str_slice(&text), 4, 776);
	str_done(&text);
}

/* Every byte of the full example replaced by each of some nasty ones. */
static void test_full_example_with_any_byte_spoilt_never_crashes(void **state)
{
	static const char nasty[] = { '\0', '\n', ' ', '"', '\\',  'm',
				      'r',  '9',  '~', '@', '\xff' };
	struct str text = STR_INIT;

	(void)state;
	TEST_BUILD(test_full, &text);
	for (size_t i = 0; i < text.len; i++)
		for (size_t j = 0; j < sizeof(nasty); j++) {
			char kept = text.p[i];
			struct ctl ctl = { 0 };
			struct err err;

			text.p[i] = nasty[j];
			if (parse(str_slice(&text), &ctl, &err) == CTL_OK)
				assert_true(ctl.n_rcpts >= 1);
			text.p[i] = kept;
		}
	str_done(&text);
}

/* ---- size and time ------------------------------------------------------ */

enum { MANY = 100000, SECONDS_MAX = 5 };

/*
 * Parses piece repeated between begin and end. At MANY lines anything of
 * quadratic cost would take minutes.
 */
static enum ctl_verdict parse_many(const char *begin, const char *piece,
				   const char *end, struct ctl *ret)
{
	struct str text = STR_INIT;
	enum ctl_verdict verdict;
	struct err err;
	clock_t start;

	str_adds(&text, begin);
	for (int i = 0; i < MANY; i++)
		str_adds(&text, piece);
	str_adds(&text, end);
	start = clock();
	verdict = parse(str_slice(&text), ret, &err);
	assert_true(clock() - start < (clock_t)SECONDS_MAX * CLOCKS_PER_SEC);
	str_done(&text);
	return verdict;
}

static void test_many_lines_of_every_kind_cost_linear_time(void **state)
{
	static const struct {
		const char *begin, *piece, *end;
		enum ctl_verdict want;
		size_t n_rcpts;
	} rows[] = {
		{ HEAD SENDER, RCPT, "m\n\n", CTL_OK, MANY },
		{ HEAD SENDER, RCPT "m\n\n", "", CTL_OK, MANY },
		{ HEAD SENDER, RCPT "N NOTIFY=NEVER\nm\nA: b\n\n", "", CTL_OK,
		  MANY },
		{ HEAD SENDER RCPT, "m\nA: b\n\n", "", CTL_OK, 1 },
		{ HEAD, "m\n\n", "", CTL_OK, 0 },
		{ HEAD, "M\nX\n\n", "", CTL_OK, 0 },
		{ HEAD, SENDER, "", CTL_OK, 0 },
		{ HEAD SENDER RCPT, "N NOTIFY=NEVER\n", "m\n\n", CTL_OK, 1 },
		{ HEAD SENDER RCPT, "R FULL\nn x\n", "m\n\n", CTL_OK, 1 },
		{ HEAD SENDER RCPT, "\n", "m\n\n", CTL_OK, 1 },
		{ HEAD, "@ 7\n", "", CTL_OK, 0 },
		{ HEAD, "q\n", "", CTL_OK, 0 },
		{ HEAD SENDER RCPT "m\n", "m\n", "\n", CTL_OK, 1 },
		{ HEAD SENDER, RCPT, "", CTL_REFUSED, 0 },
		{ HEAD SENDER RCPT "m\n", "m\n", "", CTL_REFUSED, 0 },
		{ HEAD "s ", "\"\\", " \n", CTL_REFUSED, 0 },
		{ HEAD SENDER "r           c h ", "\" ", "1\n", CTL_REFUSED,
		  0 },
		{ HEAD SENDER RCPT "N ", "X=Y NOTIFY=DELAY ", "\nm\n\n", CTL_OK,
		  1 },
		{ HEAD SENDER RCPT "N NOTIFY=", "DELAY,", "\nm\n\n", CTL_OK,
		  1 },
		{ "@ ", "0", "\n" HEAD, CTL_OK, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl ctl = { 0 };

		assert_int_equal(
		    parse_many(rows[i].begin, rows[i].piece, rows[i].end, &ctl),
		    rows[i].want);
		assert_int_equal(ctl.n_rcpts, rows[i].n_rcpts);
	}
}

static void test_line_of_a_megabyte_is_read(void **state)
{
	struct str text = STR_INIT;
	struct arena *a = arena_new();
	struct ctl ctl;
	struct err err;

	(void)state;
	str_adds(&text, HEAD SENDER "r           c h ");
	for (int i = 0; i < 1024 * 1024; i++)
		str_addc(&text, 'u');
	str_adds(&text, " 1\nm\n\n");
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err), CTL_OK);
	assert_int_equal(ctl.rcpts[0].address.user.len, 1024 * 1024);
	assert_slice_is(ctl.rcpts[0].address.privilege, "1");
	arena_free(a);
	str_done(&text);
}

static void test_over_long_file_is_refused(void **state)
{
	struct str text = STR_INIT;
	struct arena *a = arena_new();
	struct ctl ctl;
	struct err err;

	(void)state;
	str_adds(&text, GOOD);
	str_reserve(&text, CTL_SIZE_MAX);
	memset(text.p + text.len, '\n', CTL_SIZE_MAX + 1 - text.len);
	text.len = CTL_SIZE_MAX;
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err), CTL_OK);
	text.len = CTL_SIZE_MAX + 1;
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err),
			 CTL_REFUSED);
	arena_free(a);
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_incomplete_files_are_refused),
		cmocka_unit_test(test_bad_numbers_are_refused),
		cmocka_unit_test(test_largest_body_offset_is_read),
		cmocka_unit_test(test_unknown_format_bits_are_unsupported),
		cmocka_unit_test(test_file_beginning_with_t_is_no_mail_job),
		cmocka_unit_test(
		    test_nul_is_refused_outside_and_kept_inside_a_block),
		cmocka_unit_test(test_minimal_example_cut_at_every_byte),
		cmocka_unit_test(test_full_example_cut_at_every_byte),
		cmocka_unit_test(
		    test_full_example_with_any_byte_spoilt_never_crashes),
		cmocka_unit_test(
		    test_many_lines_of_every_kind_cost_linear_time),
		cmocka_unit_test(test_line_of_a_megabyte_is_read),
		cmocka_unit_test(test_over_long_file_is_refused),
	};

	return TEST_RUN(tests);
}

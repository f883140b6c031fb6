/*
 * ctl_field_test.c - tokens, addresses, masks and recipient lines.
 */
#include "spool/ctl_field.h"

#include "base/keyword.h"
#include "base/test.h"

static void test_token_follows_the_821_skip(void **state)
{
	static const struct {
		const char *text, *token, *rest;
	} rows[] = {
		{ "smtp host", "smtp", " host" },
		{ "  \t smtp\thost", "smtp", "\thost" },
		{ "one", "one", "" },
		{ "\"a b\"@c d", "\"a b\"@c", " d" },
		{ "a\\ b c", "a\\ b", " c" },
		{ "\"a\\\" b\" c", "\"a\\\" b\"", " c" },
		{ "\\\"a b", "\\\"a", " b" },
		{ "\\\\ b", "\\\\", " b" },
		{ "a\"b c\"d\"e f\"g h", "a\"b c\"d\"e f\"g", " h" },
		{ "\"never closed a b", "\"never closed a b", "" },
		{ "ends in \\", "ends", " in \\" },
		{ "\\", "\\", "" },
		{ "\"\" x", "\"\"", " x" },
		{ "\"a\tb\" c", "\"a\tb\"", " c" },
		{ "a\rb c", "a\rb", " c" },
		{ "\xc3\xa4 b", "\xc3\xa4", " b" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice rest = slice_of(rows[i].text), token;

		assert_true(ctl_token(&rest, &token));
		assert_slice_is(token, rows[i].token);
		assert_slice_is(rest, rows[i].rest);
	}
}

static void test_no_token_is_left_in_blanks(void **state)
{
	static const char *const rows[] = { "", " ", "\t \t" };
	struct slice token = SLICE("unchanged");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice rest = slice_of(rows[i]);

		assert_false(ctl_token(&rest, &token));
		assert_int_equal(rest.len, 0);
	}
	assert_slice_is(token, "unchanged");
}

static void test_token_is_printed_so_that_it_survives(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "bob@example.com", "bob@example.com" },
		{ "", "-" },
		{ "-", "-" },
		{ "a b", "\"a b\"" },
		{ " a", "\" a\"" },
		{ "a\t", "\"a\t\"" },
		{ "\"a b\"@c", "\"a b\"@c" },
		{ "\"a b", "\"\\\"a b\"" },
		{ "a\\", "\"a\\\\\"" },
		{ "a\\ b", "a\\ b" },
		{ "a\\ b c", "\"a\\\\ b c\"" },
		{ "\"a\" b", "\"\\\"a\\\" b\"" },
		{ "a\"b", "\"a\\\"b\"" },
	};
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice rest, token;

		str_clear(&got);
		ctl_print_token(&got, slice_of(rows[i].text));
		assert_slice_is(str_slice(&got), rows[i].want);
		str_adds(&got, " next");
		rest = str_slice(&got);
		assert_true(ctl_token(&rest, &token));
		assert_slice_is(token, rows[i].want);
		assert_slice_is(rest, " next");
	}
	str_done(&got);
}

static void test_address_has_four_parts(void **state)
{
	static const struct {
		const char *text, *channel, *host, *user, *privilege;
	} rows[] = {
		{ "smtp example.com bob@example.com 501", "smtp", "example.com",
		  "bob@example.com", "501" },
		{ "\t local\t-   dave\t\t-2  ", "local", "-", "dave", "-2" },
		{ "c h \"a b\"@d 0", "c", "h", "\"a b\"@d", "0" },
		{ "c h u 1 2 3", "c", "h", "u", "1 2 3" },
		{ "c \"h\\\" i\" u\\ v 1", "c", "\"h\\\" i\"", "u\\ v", "1" },
	};
	struct ctl_address a;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(ctl_read_address(slice_of(rows[i].text), &a));
		assert_slice_is(a.channel, rows[i].channel);
		assert_slice_is(a.host, rows[i].host);
		assert_slice_is(a.user, rows[i].user);
		assert_slice_is(a.privilege, rows[i].privilege);
	}
}

static void test_address_without_four_parts_is_refused(void **state)
{
	static const char *const rows[] = {
		"",	     " ",	  "c",	       "c h",
		"c h u",     "c h u ",	  "c h u \t ", "c h \"u 1",
		"c h u\\ 1", "\"c h u 1", "c\\ h u 1",
	};
	struct ctl_address a;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_false(ctl_read_address(slice_of(rows[i]), &a));
}

static void test_mask_is_read_as_c_reads_integers(void **state)
{
	static const struct {
		const char *text;
		unsigned want;
	} rows[] = {
		{ "0x00000007", 7 },
		{ "0X7", 7 },
		{ "7", 7 },
		{ "0", 0 },
		{ "00", 0 },
		{ "07", 7 },
		{ "017", 15 },
		{ "17", 17 },
		{ "0x17", 23 },
		{ "0xfFFfffff", UINT32_MAX },
		{ "4294967295", UINT32_MAX },
		{ "037777777777", UINT32_MAX },
		{ " 7 ", 7 },
		{ "0x000000000000000007", 7 },
	};
	unsigned flags;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(ctl_read_flags(slice_of(rows[i].text), &flags));
		assert_int_equal(flags, rows[i].want);
	}
}

static void test_bad_mask_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"x",
		"0x",
		"08",
		"0xg",
		"-1",
		"+1",
		"7 7",
		"7x",
		"a",
		"1a",
		"0x 7",
		"0x100000000",
		"4294967296",
		"1e3",
		"0b1",
		"040000000000",
		"99999999999999999999999999999999999999",
	};
	unsigned flags = 4711;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_false(ctl_read_flags(slice_of(rows[i]), &flags));
	assert_int_equal(flags, 4711);
}

static void test_slots_of_a_recipient_line(void **state)
{
	static const struct {
		const char *line;
		unsigned flags;
		char tag;
		const char *pid_slot; /* NULL: none */
		bool has_delay_slot;
	} rows[] = {
		{ "r           c h u 1", 7, ' ', "      ", true },
		{ "r~ 31967    c h u 1", 3, '~', " 31967", true },
		{ "r~999999 120c h u 1", 3, '~', "999999", true },
		/* no `@` line: seen from the bytes */
		{ "r           c h u 1", 0, ' ', "      ", true },
		{ "r+      1234c h u 1", 0, '+', "      ", true },
		{ "r       c h u 1", 0, ' ', "      ", false },
		{ "r~  4711c h u 1", 0, '~', "  4711", false },
		{ "r~  4711c h u 1", CTL_FLAG_PID, '~', "  4711", false },
		{ "r-        60c h u 1", CTL_FLAG_PID, '-', "      ", true },
		{ "r           c h u 1", CTL_FLAG_DELAY, ' ', "      ", true },
		/* ancient: no slot at all */
		{ "r c h u 1", 0, ' ', NULL, false },
		{ "r+c h u 1", CTL_FLAG_MIMESTRUCT, '+', NULL, false },
		/* a tag that nobody knows is for the reader to judge */
		{ "rx          c h u 1", 7, 'x', "      ", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_rcpt r;
		const char *why;

		assert_true(ctl_read_rcpt(slice_of(rows[i].line), rows[i].flags,
					  &r, &why));
		assert_int_equal(r.tag, rows[i].tag);
		assert_int_equal(r.has_pid_slot, rows[i].pid_slot != NULL);
		assert_slice_is(r.pid_slot, rows[i].pid_slot);
		assert_int_equal(r.has_delay_slot, rows[i].has_delay_slot);
		assert_slice_is(r.address.channel, "c");
		assert_slice_is(r.address.privilege, "1");
	}
}

static void test_bad_recipient_line_is_refused(void **state)
{
	static const char slots[] = "recipient without its slots";
	static const char parts[] = "recipient without its four parts";
	static const struct {
		const char *line;
		unsigned flags;
		const char *why;
	} rows[] = {
		{ "r", 0, slots },
		{ "r ", 7, slots },
		{ "r      ", 7, slots },
		{ "r       ", 7, slots },
		{ "r c h u 1", 1, slots },
		{ "r c h u 1", 2, slots },
		{ "r     x     c h u 1", 7, slots },
		{ "r   -12     c h u 1", 7, slots },
		{ "r\t\t\t\t\t\t\t    c h u 1", 7, slots },
		{ "r       c h u 1", 7, slots },
		{ "r        c h u 1", 0, slots },
		{ "r         x c h u 1", 7, slots },
		{ "r ", 0, parts },
		{ "r       ", 0, parts },
		{ "r           ", 7, parts },
		{ "r           c h u", 7, parts },
		{ "r           c h u ", 7, parts },
		{ "r           c h \"u 1", 7, parts },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_rcpt r;
		const char *why;

		assert_false(ctl_read_rcpt(slice_of(rows[i].line),
					   rows[i].flags, &r, &why));
		assert_string_equal(why, rows[i].why);
	}
}

static void test_ret_words(void **state)
{
	static const struct {
		const char *text;
		enum ctl_ret want;
	} rows[] = {
		{ "FULL", CTL_RET_FULL },   { "HDRS", CTL_RET_HDRS },
		{ "full", CTL_RET_FULL },   { " Hdrs\t", CTL_RET_HDRS },
		{ "", CTL_RET_NONE },	    { "FULLY", CTL_RET_NONE },
		{ "FULL X", CTL_RET_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(ctl_read_ret(slice_of(rows[i].text)),
				 rows[i].want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_follows_the_821_skip),
		cmocka_unit_test(test_no_token_is_left_in_blanks),
		cmocka_unit_test(test_token_is_printed_so_that_it_survives),
		cmocka_unit_test(test_address_has_four_parts),
		cmocka_unit_test(test_address_without_four_parts_is_refused),
		cmocka_unit_test(test_mask_is_read_as_c_reads_integers),
		cmocka_unit_test(test_bad_mask_is_refused),
		cmocka_unit_test(test_slots_of_a_recipient_line),
		cmocka_unit_test(test_bad_recipient_line_is_refused),
		cmocka_unit_test(test_ret_words),
	};

	return TEST_RUN(tests);
}

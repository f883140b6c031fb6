/*
 * header_test.c - fields of a header block and edits of them, to the byte.
 */
#include "mime/header.h"

#include "base/keyword.h"
#include "base/test.h"

static void test_block_is_split_into_fields(void **state)
{
	static const struct {
		const char *in, *want; /* name '=' body '|' */
	} rows[] = {
		{ "", "" },
		{ "A: b\n", "A= b|" },
		{ "A: b", "A= b|" },
		{ "A: b\nC:d\n", "A= b|C=d|" },
		{ "A: b\n c\n\td\nE: f\n", "A= b\n c\n\td|E= f|" },
		{ "A: b\n c", "A= b\n c|" },
		{ "A : b\n", "A= b|" },
		{ "no colon\nA: b\n", "=|A= b|" },
		{ " lead: x\nA: b\n", "=|A= b|" },
		{ ":\n", "=|" },
		{ "A: b:c\n", "A= b:c|" },
		{ "A\n b: c\n", "=|" },
		{ "\nA: b\n", "=|A= b|" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice rest = slice_of(rows[i].in);
		struct header_field f;
		struct str got = STR_INIT;

		while (header_next(&rest, &f)) {
			str_add(&got, f.name);
			str_addc(&got, '=');
			str_add(&got, f.body);
			str_addc(&got, '|');
		}
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_fields_together_are_the_block(void **state)
{
	const struct slice block = SLICE("A: b\n c\nnone\n d\nE: f\n\n\tg\n");
	struct slice rest = block;
	struct header_field f;
	struct str got = STR_INIT;

	(void)state;
	while (header_next(&rest, &f)) {
		str_add(&got, f.all);
		str_addc(&got, '\n');
	}
	assert_true(slice_eq(str_slice(&got), block));
	str_done(&got);
}

static void test_names_are_compared_without_case(void **state)
{
	static const char *const names[] = { "X-Envid", "Envelope-Id", NULL };
	struct header_field f = header_field_of(SLICE("eNVELOPE-iD : x"));
	struct header_field none = header_field_of(SLICE("Envelope-Id"));

	(void)state;
	assert_true(header_is(&f, "Envelope-Id"));
	assert_false(header_is(&f, "Envelope"));
	assert_true(header_is_one_of(&f, names));
	assert_false(header_is_one_of(&f, names + 2));
	assert_false(header_is_one_of(&none, names));
	assert_false(header_is(&none, "Envelope-Id"));
}

static void test_cr_nul_and_empty_lines_never_come_out(void **state)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ { "", 0 }, "" },
		{ { "A: b", 4 }, "A: b" },
		{ { "A: b\r", 5 }, "A: b" },
		{ { "A: b\r\n c\r", 9 }, "A: b\n c" },
		{ { "A\r: b\rc", 7 }, "A: bc" },
		{ { "A: b\0c", 6 }, "A: bc" },
		{ { "\r", 1 }, "" },
		{ { "\0\r\0", 3 }, "" },
		{ { "A: b\n\r\n c", 9 }, "A: b\n c" },
		{ { "A: b\n\n\n c\n", 10 }, "A: b\n c" },
		{ { "\r\nA: b", 6 }, "A: b" },
		{ { "A: \x80\xff", 5 }, "A: \x80\xff" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		str_adds(&got, "before\n");
		header_add_clean(&got, rows[i].in, false);
		assert_slice_is(slice_from(str_slice(&got), 7), rows[i].want);
		str_done(&got);
	}
}

static void test_tabs_become_blanks_when_asked(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "A:\tb", "A:      b" },
		{ "A: b\n\tc", "A: b\n        c" },
		{ "1234567\tb", "1234567 b" },
		{ "12345678\tb", "12345678        b" },
		{ "A:\t\tb", "A:              b" },
		{ "A: \r\tb", "A:      b" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		header_add_clean(&got, slice_of(rows[i].in), true);
		assert_slice_is(str_slice(&got), rows[i].want);
		str_clear(&got);
		header_add_clean(&got, slice_of("A:\tb\n\tc"), false);
		assert_slice_is(str_slice(&got), "A:\tb\n\tc");
		str_done(&got);
	}
}

#define DATE "Mon, 1 Jan 2024 00:00:00 +0000"

static void test_for_clause_is_put_before_the_date(void **state)
{
	static const struct {
		const char *in, *address, *want;
	} rows[] = {
		{ "Received: from a by b id <S1>;\n\t" DATE, "u",
		  "Received: from a by b id <S1> for <u>; " DATE },
		{ "Received: from a by b id <S1>;\n\t" DATE,
		  "User2@example.com.and.longer",
		  "Received: from a by b id <S1> for "
		  "<User2@example.com.and.longer>;\n\t" DATE },
		{ "Received: from a by b id <S1> "
		  "(convert rfc822-to-quoted-printable); " DATE,
		  "u@example.com",
		  "Received: from a by b id <S1> "
		  "(convert rfc822-to-quoted-printable) for\n"
		  "\t<u@example.com>; " DATE },
		{ "Received: from mx.example.net ([192.0.2.7]:4242)\n"
		  "\tby mail.example.org with ESMTP id S24700AbmAAMAA;\n"
		  "\tThu, 1 Jan 2026 12:00:00 +0000",
		  "bob@example.com",
		  "Received: from mx.example.net ([192.0.2.7]:4242)\n"
		  "\tby mail.example.org with ESMTP id S24700AbmAAMAA for\n"
		  "\t<bob@example.com>; Thu, 1 Jan 2026 12:00:00 +0000" },
		/* white space before the ';' goes */
		{ "Received: by b\n\t; " DATE, "u",
		  "Received: by b for <u>; " DATE },
		/* the ';' that counts is no part of a comment or string */
		{ "Received: by b (a;b); " DATE " (c;d)", "u",
		  "Received: by b (a;b) for <u>; " DATE " (c;d)" },
		{ "Received: by b (a\\);b) (((;)))\"x;\\\";\"; " DATE, "u",
		  "Received: by b (a\\);b) (((;)))\"x;\\\";\" for <u>; " DATE },
		{ "Received: by b;c; " DATE, "u",
		  "Received: by b;c for <u>; " DATE },
		{ "Received: by b;", "u", "Received: by b for <u>;" },
		/* "for" within other things is no clause */
		{ "Received: by b (x for y) id for.x; " DATE, "u",
		  "Received: by b (x for y) id for.x for <u>; " DATE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		assert_true(header_add_for_clause(&got, slice_of(rows[i].in),
						  slice_of(rows[i].address)));
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_for_clause_is_left_out_where_it_cannot_be(void **state)
{
	static const struct {
		const char *in, *address;
	} rows[] = {
		{ "Received: from a by b", "u" },
		{ "Received: from a (x;y) by b", "u" },
		{ "Received: from a \"x;y\" by b", "u" },
		{ "Received: from a by b (open; " DATE, "u" },
		{ "Received: by b for <x@y>; " DATE, "u" },
		{ "Received: by b\n\tFOR\tx; " DATE, "u" },
		{ "Received: by b; " DATE, "" },
		{ "Received: by b; " DATE, "a>b" },
		{ "Received: by b; " DATE, "a<b" },
		{ "Received: by b; " DATE, "a b" },
		{ "Received: by b; " DATE, "a\nb" },
		{ "", "u" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		assert_false(header_add_for_clause(&got, slice_of(rows[i].in),
						   slice_of(rows[i].address)));
		assert_int_equal(got.len, 0);
		str_done(&got);
	}
}

static void test_over_long_address_gets_no_clause(void **state)
{
	struct str address = STR_INIT, got = STR_INIT;

	(void)state;
	for (int i = 0; i < 254; i++)
		str_addc(&address, 'u');
	assert_true(header_add_for_clause(&got, SLICE("Received: by b; " DATE),
					  str_slice(&address)));
	str_addc(&address, 'u');
	str_clear(&got);
	assert_false(header_add_for_clause(&got, SLICE("Received: by b; " DATE),
					   str_slice(&address)));
	str_done(&address);
	str_done(&got);
}

static void test_remark_stands_before_the_date(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: none */
	} rows[] = {
		{ "Received: from a by b id <S1>;\n\tMon, 1 Jan",
		  "Received: from a by b id <S1> (a remark); Mon, 1 Jan" },
		{ "Received: a for <u@x> ; Mon",
		  "Received: a for <u@x> (a remark); Mon" },
		{ "Received: a (;) \";\" b; c; d",
		  "Received: a (;) \";\" b; c (a remark); d" },
		{ "Received: a;", "Received: a (a remark);" },
		{ "Received: from somewhere by somewhere-else.example.com with "
		  "something; Mon, 1 Jan 2024",
		  "Received: from somewhere by somewhere-else.example.com with "
		  "something (a\n\tremark); Mon, 1 Jan 2024" },
		{ "Received: from a by b", NULL },
		{ "Received: from a (;) by b", NULL },
		{ "Received: from a by b (; x", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice in = slice_of(rows[i].in);
		struct str got = STR_INIT;
		bool is_added =
		    header_add_remark(&got, in, SLICE("(a remark)"));

		assert_int_equal(is_added, rows[i].want != NULL);
		assert_int_equal(header_takes_remark(in), is_added);
		assert_slice_is(str_slice(&got), is_added ? rows[i].want : "");
		str_done(&got);
	}
}

static void test_remark_and_for_clause_share_a_field(void **state)
{
	struct str remark = STR_INIT, got = STR_INIT;

	(void)state;
	assert_true(header_add_remark(
	    &remark,
	    SLICE("Received: from a by b id <S1>; Mon, 1 Jan 2024 00:00:00"),
	    SLICE("(convert rfc822-to-quoted-printable)")));
	assert_true(header_add_for_clause(&got, str_slice(&remark),
					  SLICE("u@example.com")));
	assert_slice_is(
	    str_slice(&got),
	    "Received: from a by b id <S1> (convert rfc822-to-quoted-printable)"
	    " for\n\t<u@example.com>; Mon, 1 Jan 2024 00:00:00");
	str_done(&remark);
	str_done(&got);
}

/* What a field of n bytes without white space in it would be. */
static void check_folding(const char *name, size_t word, size_t n_words,
			  size_t want_lines)
{
	struct str field = STR_INIT, out = STR_INIT, plain = STR_INIT;
	struct slice rest, line;
	size_t n_lines = 0;

	str_adds(&field, name);
	for (size_t i = 0; i < n_words; i++) {
		str_addc(&field, i % 3 == 2 ? '\t' : ' ');
		for (size_t k = 0; k < word; k++)
			str_addc(&field, (char)('a' + i % 26));
	}
	if (want_lines == 1) {
		assert_false(header_add_folded(&out, str_slice(&field)));
		assert_int_equal(out.len, 0);
	} else {
		assert_true(header_add_folded(&out, str_slice(&field)));
		rest = str_slice(&out);
		while (slice_cut(&rest, '\n', &line)) {
			assert_true(slice_trim(line).len > 0);
			assert_true(n_lines == 0 || line.p[0] == ' ' ||
				    line.p[0] == '\t');
			assert_true(line.len <= HEADER_LINE_MAX ||
				    word > HEADER_LINE_MAX);
			str_add(&plain, line);
			n_lines++;
		}
		assert_int_equal(n_lines, want_lines);
		assert_string_equal(str_cstr(&plain), str_cstr(&field));
	}
	str_done(&field);
	str_done(&out);
	str_done(&plain);
}

static void test_long_line_is_folded_at_white_space(void **state)
{
	(void)state;
	check_folding("Subject:", 9, 99, 1);  /* 998 */
	check_folding("Subject:", 9, 100, 2); /* 1008 */
	check_folding("Subject:", 9, 1000, 11);
	check_folding("Subject:", 900, 3, 3);  /* one on each */
	check_folding("Subject:", 2000, 2, 3); /* nothing fits */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_is_split_into_fields),
		cmocka_unit_test(test_fields_together_are_the_block),
		cmocka_unit_test(test_names_are_compared_without_case),
		cmocka_unit_test(test_cr_nul_and_empty_lines_never_come_out),
		cmocka_unit_test(test_tabs_become_blanks_when_asked),
		cmocka_unit_test(test_for_clause_is_put_before_the_date),
		cmocka_unit_test(
		    test_for_clause_is_left_out_where_it_cannot_be),
		cmocka_unit_test(test_over_long_address_gets_no_clause),
		cmocka_unit_test(test_remark_stands_before_the_date),
		cmocka_unit_test(test_remark_and_for_clause_share_a_field),
		cmocka_unit_test(test_long_line_is_folded_at_white_space),
	};

	return TEST_RUN(tests);
}

/*
 * token_test.c - structured fields taken apart, nothing lost.
 */
#include "mime/token.h"

#include "base/keyword.h"
#include "base/test.h"

/* "kind:text|" of every token, kinds by their first letters. */
static void show(struct str *to, struct slice text, const char *specials)
{
	static const char letters[] = "SCQLA!B";
	struct token t;

	while (token_next(&text, specials, &t)) {
		str_addc(to, letters[t.kind]);
		str_add(to, t.text);
		str_addc(to, '|');
	}
}

static void test_text_is_cut_into_tokens(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "a.b@c", "Aa.b|!@|Ac|" },
		{ " a\n\tb \r\n", "S |Aa|S\n\t|Ab|S \r\n|" },
		{ "(c) d", "C(c)|S |Ad|" },
		{ "(a(b)c)d", "C(a(b)c)|Ad|" },
		{ "(a\\)b)(c)", "C(a\\)b)|C(c)|" },
		{ "\"a b\"c", "Q\"a b\"|Ac|" },
		{ "\"a\\\"b\"", "Q\"a\\\"b\"|" },
		{ "\"(\"", "Q\"(\"|" },
		{ "<a@[1.2.3.4]>", "!<|Aa|!@|L[1.2.3.4]|!>|" },
		{ "[a\\]b]", "L[a\\]b]|" },
		{ "a,b;c:d", "Aa|!,|Ab|!;|Ac|!:|Ad|" },
		{ "J\xf6rn<x>", "AJ\xf6rn|!<|Ax|!>|" },
		{ ") ]", "!)|S |!]|" },
		/* without an end */
		{ "a (b", "Aa|S |B(b|" },
		{ "(a(b)", "B(a(b)|" },
		{ "(a\\", "B(a\\|" },
		{ "(a\\)", "B(a\\)|" },
		{ "\"a", "B\"a|" },
		{ "\"a\\\"", "B\"a\\\"|" },
		{ "[a", "B[a|" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		show(&got, slice_of(rows[i].in), token_mail_specials);
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_mime_specials_cut_at_slash_and_equals(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	show(&got, SLICE("text/plain; a=b?.c"), token_mime_specials);
	assert_slice_is(str_slice(&got),
			"Atext|!/|Aplain|!;|S |Aa|!=|Ab|!?|A.c|");
	str_done(&got);
}

static void test_words_leave_out_space_and_comments(void **state)
{
	struct slice rest = SLICE(" (a) b\n (c(d))\te ");
	struct token t;

	(void)state;
	assert_true(token_next_word(&rest, token_mime_specials, &t));
	assert_slice_is(t.text, "b");
	assert_true(token_next_word(&rest, token_mime_specials, &t));
	assert_slice_is(t.text, "e");
	assert_false(token_next_word(&rest, token_mime_specials, &t));
}

static void test_nul_is_part_of_an_atom(void **state)
{
	struct slice rest = { "a\0b,c", 5 };
	struct token t;

	(void)state;
	assert_true(token_next(&rest, token_mail_specials, &t));
	assert_int_equal(t.kind, TOKEN_ATOM);
	assert_int_equal(t.text.len, 3);
}

static void test_quoted_string_is_unquoted(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "\"\"", "" },
		{ "\"a b\"", "a b" },
		{ "\"a\\\"b\\\\\"", "a\"b\\" },
		{ "\"a\n b\"", "a b" },
		{ "\"a\r\n\tb\"", "a\tb" },
		{ "\"\\a\"", "a" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		token_add_unquoted(&got, slice_of(rows[i].in));
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_nesting_of_any_depth_takes_no_stack(void **state)
{
	enum { DEPTH = 1000 * 1000 };
	struct str text = STR_INIT;
	struct slice rest;
	struct token t;

	(void)state;
	for (int i = 0; i < DEPTH; i++)
		str_addc(&text, '(');
	rest = str_slice(&text);
	assert_true(token_next(&rest, token_mail_specials, &t));
	assert_int_equal(t.kind, TOKEN_BAD);
	for (int i = 0; i < DEPTH; i++)
		str_addc(&text, ')');
	rest = str_slice(&text);
	assert_true(token_next(&rest, token_mail_specials, &t));
	assert_int_equal(t.kind, TOKEN_COMMENT);
	assert_int_equal(t.text.len, 2 * DEPTH);
	str_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_cut_into_tokens),
		cmocka_unit_test(test_mime_specials_cut_at_slash_and_equals),
		cmocka_unit_test(test_words_leave_out_space_and_comments),
		cmocka_unit_test(test_nul_is_part_of_an_atom),
		cmocka_unit_test(test_quoted_string_is_unquoted),
		cmocka_unit_test(test_nesting_of_any_depth_takes_no_stack),
	};

	return TEST_RUN(tests);
}

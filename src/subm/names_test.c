/*
 * names_test.c - which addresses a header names.
 */
#include "subm/names.h"

#include "base/keyword.h"
#include "base/test.h"

/* The list as one text. */
static void join(const struct subm_list *list, struct str *to)
{
	for (size_t i = 0; i < list->n; i++) {
		str_addc(to, '[');
		str_add(to, list->items[i]);
		str_addc(to, ']');
	}
}

static void test_addresses_of_one_field(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{ " bob@x", "[bob@x]" },
		{ " bob@x, eve@y", "[bob@x][eve@y]" },
		{ " Bob Smith <bob@x>", "[bob@x]" },
		{ " \"Smith, Bob\" <bob@x>, root", "[bob@x][root]" },
		{ " bob@x (Bob, (the) \\) one), eve@y", "[bob@x][eve@y]" },
		{ " friends: bob@x, Eve <eve@y>;, c@z", "[bob@x][eve@y][c@z]" },
		{ " undisclosed-recipients:;", "" },
		{ "", "" },
		{ " ,, ,", "" },
		{ " bob @ x . org", "[bob@x.org]" },
		{ "\n\tbob@x,\n\teve@y\n", "[bob@x][eve@y]" },
		{ " \"a b\"@x, a@[IPv6:::1]", "[\"a b\"@x][a@[IPv6:::1]]" },
		{ " <@a,@b:c@d>", "[@a,@b:c@d]" },
		{ " <a@b> <c@d>", "[a@b][c@d]" },
		{ " <a@b> junk", "[a@b]" },
		{ " =?utf-8?q?B=C3=B6b?= <b\303\266b@x>", "[b\303\266b@x]" },
		/* What is none is handed on, to be refused by name. */
		{ " bob smith", "[bob smith]" },
		{ " <bob", "[bob]" },
		{ " <>", "[]" },
		{ " a>b@x", "[a>b@x]" },
		{ " \"unended", "[\"unended]" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_list list = { 0 };
		struct str got = STR_INIT;

		subm_names_add(&list, slice_of(cases[i].body), a);
		join(&list, &got);
		assert_slice_is(str_slice(&got), cases[i].want);
		str_done(&got);
		subm_list_done(&list);
	}
	arena_free(a);
}

static void test_resent_fields_stand_for_the_others(void **state)
{
	static const struct {
		const char *fields, *want;
	} cases[] = {
		{ "To: a@x\nSubject: b@x\ncc: c@x\nBCC: d@x\nCc: e@x\n",
		  "[a@x][c@x][d@x][e@x]" },
		{ "To: a@x\nResent-To: b@x\nResent-bcc: c@x\nCc: d@x\n",
		  "[b@x][c@x]" },
		{ "Subject: hi\n", "" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_list list = { 0 };
		struct str got = STR_INIT;

		subm_names_of_header(&list, slice_of(cases[i].fields), a);
		join(&list, &got);
		assert_slice_is(str_slice(&got), cases[i].want);
		str_done(&got);
		subm_list_done(&list);
	}
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_of_one_field),
		cmocka_unit_test(test_resent_fields_stand_for_the_others),
	};

	return TEST_RUN(tests);
}

/*
 * orcpt_test.c - ORCPT= as it is given, or made of the address.
 */
#include "smtpta/orcpt.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <string.h>

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define BOB "rfc822;bob@c.d"

/* U+00F6, U+0416, U+20AC, U+1F600 */
#define OE   "\303\266"
#define ZHE  "\320\226"
#define EURO "\342\202\254"
#define GRIN "\360\237\230\200"

struct row {
	const char *given, *path;
	const char *plain; /* without SMTPUTF8 */
	const char *wide;  /* with it; NULL: the same */
};

static const struct row rows[] = {
	/* As it is, if it can be. */
	{ "rfc822;Bob+40x", "bob@c.d", "rfc822;Bob+40x", NULL },
	{ "x-local;bob", "bob@c.d", "x-local;bob", NULL },
	{ "utf-8;j\\x{F6}rn@x", "bob@c.d", "utf-8;j\\x{F6}rn@x", NULL },
	/* Type utf-8 may come raw; its quoting stays. */
	{ "utf-8;j" OE "rn@x", "bob@c.d", "utf-8;j\\x{F6}rn@x",
	  "utf-8;j" OE "rn@x" },
	{ "UTF-8;" OE ZHE EURO GRIN "\\x{2B}", "bob@c.d",
	  "utf-8;\\x{F6}\\x{416}\\x{20AC}\\x{1F600}\\x{2B}",
	  "utf-8;" OE ZHE EURO GRIN "\\x{2B}" },
	/* Nothing else may be raw, nor be what xtext would encode. */
	{ "rfc822;j" OE "rn@x", "bob@c.d", BOB, NULL },
	{ "utf-8;" OE "+", "bob@c.d", BOB, NULL },
	{ "utf-8;" OE "=x", "bob@c.d", BOB, NULL },
	{ "utf-8;" OE "\rRSET", "bob@c.d", BOB, NULL },
	{ "utf-8;\303", "bob@c.d", BOB, NULL },
	{ "utf-8;", "bob@c.d", BOB, NULL },
	{ "", "bob@c.d", BOB, NULL },
	{ "rfc822;" X50 X50 X50 X50 X50 X50 X50 X50 X50 X50, "bob@c.d", BOB,
	  NULL },
	/* Too long only when quoted. */
	{ "utf-8;" X50 X50 X50 X50 X50 X50 X50 X50 X50 OE OE OE OE OE OE OE OE,
	  "bob@c.d", BOB,
	  "utf-8;" X50 X50 X50 X50 X50 X50 X50 X50 X50 OE OE OE OE OE OE OE
	      OE },
	/* Made of the address. */
	{ "", "a+b=c@x", "rfc822;a+2Bb+3Dc@x", NULL },
	{ "", "\"a b\\\\\"@x", "rfc822;\"a+20b\\\\\"@x", NULL },
	{ "", "j" OE "rn@x", "utf-8;j\\x{F6}rn@x", "utf-8;j" OE "rn@x" },
	{ "", "\"a+b=\\\\ " OE "\"@x",
	  "utf-8;\"a\\x{2B}b\\x{3D}\\x{5C}\\x{5C}\\x{20}\\x{F6}\"@x",
	  "utf-8;\"a\\x{2B}b\\x{3D}\\x{5C}\\x{5C}\\x{20}" OE "\"@x" },
};

static void test_every_value_in_both_kinds_of_transactions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		const char *wide = row->wide != NULL ? row->wide : row->plain;
		struct arena *a = arena_new();

		assert_slice_is(orcpt_value(slice_of(row->given),
					    slice_of(row->path), false, a),
				row->plain);
		assert_slice_is(orcpt_value(slice_of(row->given),
					    slice_of(row->path), true, a),
				wide);
		arena_free(a);
	}
}

/* An address that has no room once it is encoded. */
static void test_over_long_value_is_left_out(void **state)
{
	struct arena *a = arena_new();
	struct str path = STR_INIT;

	(void)state;
	for (int i = 0; i < 165; i++)
		str_addc(&path, '+');
	assert_int_equal(orcpt_value(SLICE(""), str_slice(&path), false, a).len,
			 0);
	str_cut(&path, 164);
	assert_int_equal(orcpt_value(SLICE(""), str_slice(&path), false, a).len,
			 7 + 3 * 164);
	str_done(&path);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_every_value_in_both_kinds_of_transactions),
		cmocka_unit_test(test_over_long_value_is_left_out),
	};

	return TEST_RUN(tests);
}

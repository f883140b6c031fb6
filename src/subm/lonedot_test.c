/*
 * lonedot_test.c - where a message that is typed ends, in any chunking.
 */
#include "subm/lonedot.h"

#include "base/keyword.h"
#include "base/test.h"

struct run {
	struct subm_lonedot dot;
	struct str out;
};

static void push(void *context, struct slice chunk)
{
	struct run *r = context;

	subm_lonedot_push(&r->dot, chunk, &r->out);
}

static void test_message_ends_at_a_lone_dot(void **state)
{
	static const struct {
		const char *in, *want;
		bool is_ended;
	} cases[] = {
		{ "a\nb\n", "a\nb\n", false },
		{ "a\n.\nb\n", "a\n", true },
		{ "a\r\n.\r\nb\r\n", "a\r\n", true },
		{ "a\n..\nb.\n.c\n.\n", "a\n..\nb.\n.c\n", true },
		{ ".\nx", "", true },
		{ "a\n.", "a\n", false },
		{ "a\n.\rb\n", "a\n.\rb\n", false },
		{ "a\n.\r\rb\n", "a\n.\r\rb\n", false },
		{ "a.\n", "a.\n", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct run r = { 0 };

			test_split(slice_of(cases[i].in), seed, push, &r);
			assert_slice_is(str_slice(&r.out), cases[i].want);
			assert_int_equal(r.dot.is_ended, cases[i].is_ended);
			str_done(&r.out);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_ends_at_a_lone_dot),
	};

	return TEST_RUN(tests);
}

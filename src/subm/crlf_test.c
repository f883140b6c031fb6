/*
 * crlf_test.c - CR LF becomes LF and nothing else changes.
 */
#include "subm/crlf.h"

#include "base/keyword.h"
#include "base/test.h"

struct run {
	struct subm_crlf crlf;
	struct str out;
};

static void push(void *context, struct slice chunk)
{
	struct run *r = context;

	subm_crlf_push(&r->crlf, chunk, &r->out);
}

static void test_only_cr_lf_changes_in_any_chunking(void **state)
{
	const struct {
		struct slice in, want;
	} cases[] = {
		{ SLICE(""), SLICE("") },
		{ SLICE("\r"), SLICE("\r") },
		{ SLICE("\n"), SLICE("\n") },
		{ SLICE("\r\n"), SLICE("\n") },
		{ SLICE("\n\r"), SLICE("\n\r") },
		{ SLICE("\r\r\n"), SLICE("\r\n") },
		{ SLICE("\r\r\r\n\n\r\n"), SLICE("\r\r\n\n\n") },
		{ SLICE("a\r\nb\rc\nd\r\n"), SLICE("a\nb\rc\nd\n") },
		{ SLICE("a\0\r\n\0\r"), SLICE("a\0\n\0\r") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct run r = { SUBM_CRLF_INIT, STR_INIT };

			test_split(cases[i].in, seed, push, &r);
			subm_crlf_end(&r.crlf, &r.out);
			assert_true(slice_eq(str_slice(&r.out), cases[i].want));
			str_done(&r.out);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_cr_lf_changes_in_any_chunking),
	};

	return TEST_RUN(tests);
}

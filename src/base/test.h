/*
 * test.h - what every unit test needs of cmocka, and the law of parsers.
 *
 * Unit tests print TAP and are run by prove. Each test program's main is
 *
 *	int main(void)
 *	{
 *		static const struct CMUnitTest tests[] = { ... };
 *
 *		return TEST_RUN(tests);
 *	}
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include "base/slice.h"

/* cmocka.h needs these four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#define TEST_RUN(tests)                            \
	(cmocka_set_message_output(CM_OUTPUT_TAP), \
	 cmocka_run_group_tests((tests), NULL, NULL))

/* Fails the test, showing both, unless got holds exactly the C string. */
#define assert_slice_is(got, want)                                             \
	do {                                                                   \
		struct slice slice_got = (got);                                \
		struct slice slice_want = slice_of(want);                      \
		if (!slice_eq(slice_got, slice_want))                          \
			fail_msg("got '%.*s', wanted '%.*s'",                  \
				 SLICE_ARG(slice_got), SLICE_ARG(slice_want)); \
	} while (0)

/* A function that is fed one chunk of the whole input. */
typedef void test_chunk(void *context, struct slice chunk);

/*
 * Feeds `whole` to push in pieces whose sizes come from a generator begun
 * with `seed`: seed 0 is all in one piece, seed 1 byte by byte, any other a
 * random split. The law: every seed must give the same result.
 */
static inline void test_split(struct slice whole, unsigned seed,
			      test_chunk *push, void *context)
{
	uint64_t state = seed * 2654435761u + 1;

	while (whole.len > 0) {
		size_t n = whole.len;

		if (seed == 1)
			n = 1;
		if (seed > 1) {
			state =
			    state * 6364136223846793005u + 1442695040888963407u;
			n = 1 + (size_t)(state >> 33) % (seed % 2 ? 7 : 61);
		}
		if (n > whole.len)
			n = whole.len;
		push(context, slice_head(whole, n));
		whole = slice_from(whole, n);
	}
}

enum { TEST_SPLITS = 20 }; /* seeds 0..19 are what the law is tried with */

#endif

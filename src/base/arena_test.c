/*
 * arena_test.c - memory freed at once: aligned, cleared, distinct, reused.
 */
#include "base/arena.h"

#include "base/test.h"

#include <stdalign.h>
#include <string.h>

enum { PIECES = 1000 };

/* Sizes from nothing to several blocks. */
static size_t size_of(size_t i)
{
	return i % 100 == 0 ? 40000 : i * 7 % 300;
}

static bool is_all(const char *p, size_t n, char c)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != c)
			return false;
	return true;
}

static void test_pieces_are_cleared_aligned_and_distinct(void **state)
{
	struct arena *a = arena_new();
	char *pieces[PIECES];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < PIECES; i++) {
			char *p = arena_alloc(a, size_of(i));

			assert_int_equal((uintptr_t)p % alignof(max_align_t),
					 0);
			assert_true(is_all(p, size_of(i), '\0'));
			memset(p, (int)(1 + i % 200), size_of(i));
			pieces[i] = p;
		}
		for (size_t i = 0; i < PIECES; i++)
			assert_true(
			    is_all(pieces[i], size_of(i), (char)(1 + i % 200)));
		arena_reset(a);
	}
	arena_free(a);
}

static void test_warm_arena_hands_out_one_block(void **state)
{
	struct arena *a = arena_new();
	char *first = NULL, *again;

	(void)state;
	for (int round = 0; round < 4; round++) {
		first = arena_alloc(a, 10000);
		for (size_t i = 1; i < 20; i++) {
			char *p = arena_alloc(a, 10000);

			/* one behind the other: nothing new was allocated */
			if (round > 0)
				assert_ptr_equal(p, first + i * 10000);
		}
		arena_reset(a);
	}
	again = arena_alloc(a, 1);
	assert_ptr_equal(again, first);
	arena_free(a);
}

static void test_copies_are_whole_and_end_in_nul(void **state)
{
	struct arena *a = arena_new();
	char text[] = "a\0b";
	struct slice copy = arena_dup(a, slice_make(text, 3));
	const char *c_text = arena_cstr(a, slice_make(text, 3));

	(void)state;
	text[0] = 'x';
	assert_true(slice_eq(copy, SLICE("a\0b")));
	assert_int_equal(copy.p[3], '\0');
	assert_string_equal(c_text, "a");
	copy = arena_dup(a, slice_make(NULL, 0));
	assert_int_equal(copy.len, 0);
	assert_string_equal(copy.p, "");
	assert_string_equal(arena_cstr(a, SLICE("")), "");
	arena_free(a);
}

static void test_copies_keep_their_nul_beside_others(void **state)
{
	struct slice text = SLICE("0123456789abcdef0123456789abcdef");
	struct arena *a = arena_new();

	(void)state;
	for (int round = 0; round < 2; round++) {
		char *dirt = arena_alloc(a, 4096);
		struct slice copies[33], prints[33];

		memset(dirt, 'x', 4096);
		arena_reset(a);
		for (size_t n = 0; n <= text.len; n++) {
			copies[n] = arena_dup(a, slice_head(text, n));
			prints[n] = arena_printf(a, "%.*s", (int)n, text.p);
		}
		for (size_t n = 0; n <= text.len; n++) {
			assert_int_equal(strlen(copies[n].p), n);
			assert_int_equal(strlen(prints[n].p), n);
		}
	}
	arena_free(a);
}

static void test_formatted_text_of_any_length(void **state)
{
	struct arena *a = arena_new();
	struct slice s;

	(void)state;
	s = arena_printf(a, "%s-%d", "x", 7);
	assert_slice_is(s, "x-7");
	assert_int_equal(s.p[s.len], '\0');
	assert_slice_is(arena_printf(a, "%s", ""), "");
	s = arena_printf(a, "%100000d", 1);
	assert_int_equal(s.len, 100000);
	assert_int_equal(s.p[99999], '1');
	assert_int_equal(s.p[100000], '\0');
	arena_free(a);
}

static void test_arrays_and_objects_are_cleared(void **state)
{
	struct thing {
		int n;
		void *p;
	};
	struct arena *a = arena_new();
	struct thing *one = ARENA_NEW(a, struct thing);
	struct thing *many = arena_array(a, 100, sizeof(*many));

	(void)state;
	assert_null(one->p);
	assert_int_equal(one->n, 0);
	for (int i = 0; i < 100; i++)
		assert_true(many[i].n == 0 && many[i].p == NULL);
	many = arena_array(a, 0, sizeof(*many));
	assert_non_null(many);
	assert_non_null(arena_array(a, 5, 0));
	arena_free(a);
}

static void test_freeing_nothing_is_allowed(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	arena_reset(a);
	arena_free(a);
	arena_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_cleared_aligned_and_distinct),
		cmocka_unit_test(test_warm_arena_hands_out_one_block),
		cmocka_unit_test(test_copies_are_whole_and_end_in_nul),
		cmocka_unit_test(test_copies_keep_their_nul_beside_others),
		cmocka_unit_test(test_formatted_text_of_any_length),
		cmocka_unit_test(test_arrays_and_objects_are_cleared),
		cmocka_unit_test(test_freeing_nothing_is_allowed),
	};

	return TEST_RUN(tests);
}

/*
 * mem_test.c - memory that is there, and the end of the program if not.
 */
#include "base/mem.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The address sanitizer ends the program itself unless it is told not to. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* More than there can be; volatile, lest the compiler foresee the failure. */
static volatile size_t too_much = SIZE_MAX / 2 - 100;
static volatile size_t most = SIZE_MAX;

static void alloc_too_much(void)
{
	free(mem_alloc(too_much));
}

static void zero_overflows(void)
{
	free(mem_zero(too_much, 8));
}

static void resize_too_much(void)
{
	free(mem_resize(NULL, too_much));
}

static void grow_too_much(void)
{
	size_t cap = 0;

	free(mem_grow(NULL, &cap, too_much, 1));
}

static void grow_overflows(void)
{
	size_t cap = 0;

	free(mem_grow(NULL, &cap, too_much, 16));
}

static void grow_beyond_doubling(void)
{
	size_t cap = 0;

	free(mem_grow(NULL, &cap, most, 1));
}

/* What a child leaves behind; static, so that it does not count as leaked. */
static struct str some_str;
static struct arena *some_arena;

static void str_overflows(void)
{
	str_adds(&some_str, "abc");
	str_reserve(&some_str, most - 3); /* with the NUL: 2^64 */
}

static void arena_alloc_overflows(void)
{
	some_arena = arena_new();
	arena_alloc(some_arena, most);
}

static void arena_block_overflows(void)
{
	some_arena = arena_new();
	arena_alloc(some_arena, most - 40);
}

static void arena_array_overflows(void)
{
	some_arena = arena_new();
	arena_array(some_arena, most / 4, 8);
}

static void arena_dup_overflows(void)
{
	some_arena = arena_new();
	arena_dup(some_arena, slice_make("", most));
}

/* Runs action in a child; it must say so on stderr and exit EX_TEMPFAIL. */
static void assert_exhausts(void (*action)(void))
{
	struct str said = STR_INIT;
	int pipe_fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[1], STDERR_FILENO);
		action();
		_exit(0);
	}
	fd_close(pipe_fds[1]);
	assert_int_equal(fd_read_all(pipe_fds[0], 0, 100000, &said), 0);
	fd_close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 75);
	assert_true(slice_find_text(str_slice(&said),
				    SLICE("# out of memory\n")) < said.len);
	str_done(&said);
}

static void test_no_memory_ends_the_program_with_tempfail(void **state)
{
	(void)state;
	assert_exhausts(mem_exhausted);
	assert_exhausts(alloc_too_much);
	assert_exhausts(zero_overflows);
	assert_exhausts(resize_too_much);
	assert_exhausts(grow_too_much);
}

static void test_overflowing_sizes_are_out_of_memory(void **state)
{
	static void (*const actions[])(void) = {
		grow_overflows,	       grow_beyond_doubling,
		str_overflows,	       arena_alloc_overflows,
		arena_block_overflows, arena_array_overflows,
		arena_dup_overflows,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(actions); i++)
		assert_exhausts(actions[i]);
}

static void test_nothing_is_still_something_to_free(void **state)
{
	void *p = mem_alloc(0), *q = mem_zero(0, 8), *r = mem_zero(8, 0);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_non_null(r);
	p = mem_resize(p, 0);
	assert_non_null(p);
	free(p);
	free(q);
	free(r);
}

static void test_zeroed_memory_is_zero(void **state)
{
	char *p = mem_zero(1000, 3);

	(void)state;
	for (int i = 0; i < 3000; i++)
		assert_int_equal(p[i], 0);
	free(p);
}

static void test_array_grows_by_doubling_and_keeps_its_items(void **state)
{
	size_t cap = 0, growths = 0;
	int *items = NULL;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		size_t before = cap;

		items = mem_grow(items, &cap, (size_t)i + 1, sizeof(*items));
		assert_true(cap > (size_t)i);
		growths += cap != before;
		items[i] = i;
	}
	for (int i = 0; i < 10000; i++)
		assert_int_equal(items[i], i);
	assert_in_range(growths, 1, 12);
	assert_ptr_equal(mem_grow(items, &cap, 5, sizeof(*items)), items);
	free(items);
}

static void test_growing_reaches_a_far_need_at_once(void **state)
{
	size_t cap = 0;
	char *items = mem_grow(NULL, &cap, 100000, 1);

	(void)state;
	assert_in_range(cap, 100000, 200000);
	items[99999] = 'x';
	free(items);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory_ends_the_program_with_tempfail),
		cmocka_unit_test(test_overflowing_sizes_are_out_of_memory),
		cmocka_unit_test(test_nothing_is_still_something_to_free),
		cmocka_unit_test(test_zeroed_memory_is_zero),
		cmocka_unit_test(
		    test_array_grows_by_doubling_and_keeps_its_items),
		cmocka_unit_test(test_growing_reaches_a_far_need_at_once),
	};

	return TEST_RUN(tests);
}

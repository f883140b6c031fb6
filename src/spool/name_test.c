/*
 * name_test.c - job names, paths of message files, hash directories.
 */
#include "spool/name.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void test_job_name_is_taken_apart(void **state)
{
	static const struct {
		const char *name, *prefix, *base;
		uint64_t id;
	} rows[] = {
		{ "123", "", "123", 123 },
		{ "X/123", "X/", "123", 123 },
		{ "X/Y/123", "X/Y/", "123", 123 },
		{ "21456-789", "", "21456-789", 21456 },
		{ "A/0", "A/", "0", 0 },
		{ "a/b/c/7x", "a/b/c/", "7x", 7 },
		{ "longer-than-seven/9", "longer-than-seven/", "9", 9 },
		{ "18446744073709551615", "", "18446744073709551615",
		  UINT64_MAX },
		{ "...X/1", "...X/", "1", 1 },
	};
	struct jobname job;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    jobname_parse(slice_of(rows[i].name), &job, &err), 0);
		assert_slice_is(job.name, rows[i].name);
		assert_slice_is(job.prefix, rows[i].prefix);
		assert_slice_is(job.base, rows[i].base);
		assert_true(job.id == rows[i].id);
	}
}

static void test_odd_job_names_are_refused(void **state)
{
	static const struct {
		const char *name, *why;
	} rows[] = {
		{ "", "empty job name" },
		{ "/123", "absolute" },
		{ "../123", "'..' in it" },
		{ "X/../123", "'..' in it" },
		{ "./123", "'.' in it" },
		{ "123/..", "'..' in it" },
		{ "X//123", "empty component" },
		{ "X/", "empty component" },
		{ "X", "no number" },
		{ "X/Y", "no number" },
		{ "-1", "no number" },
		{ ".123", "no number" },
		{ " 123", "no number" },
		{ "12\n3", "control byte" },
		{ "12\t3", "control byte" },
		{ "12\1773", "control byte" },
		{ "X\001/123", "control byte" },
		{ "18446744073709551616", "too large" },
		{ "99999999999999999999999999", "too large" },
	};
	struct jobname job = { .id = 4711 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    jobname_parse(slice_of(rows[i].name), &job, &err), -1);
		assert_non_null(strstr(err.text, rows[i].why));
	}
	assert_int_equal(jobname_parse(slice_make("12\0003", 4), &job, &err),
			 -1);
	assert_true(job.id == 4711);
}

static int parse_repeated(const char *piece, size_t count, const char *tail)
{
	struct str name = STR_INIT;
	struct jobname job;
	struct err err;
	int r;

	for (size_t i = 0; i < count; i++)
		str_adds(&name, piece);
	str_adds(&name, tail);
	r = jobname_parse(str_slice(&name), &job, &err);
	str_done(&name);
	return r;
}

/* The limit itself is allowed, one byte more is not. */
static void test_long_job_names_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse_repeated("d", 255, "/1"), 0);
	assert_int_equal(parse_repeated("d", 256, "/1"), -1);
	assert_int_equal(parse_repeated("1", 20, ""), 0);
	assert_int_equal(parse_repeated("1", 1, "-a"), 0);
	assert_int_equal(parse_repeated("d/", 511, "12"), 0); /* 1024 */
	assert_int_equal(parse_repeated("d/", 511, "123"), -1);
}

/* 255 bytes, of which only the number's digits must fit 64 bits. */
static void test_long_last_component_is_allowed_up_to_the_limit(void **state)
{
	struct str tail = STR_INIT;

	(void)state;
	str_adds(&tail, "X/123-");
	while (tail.len < 2 + 255)
		str_addc(&tail, 'x');
	assert_int_equal(parse_repeated("", 0, str_cstr(&tail)), 0);
	str_addc(&tail, 'x');
	assert_int_equal(parse_repeated("", 0, str_cstr(&tail)), -1);
	str_done(&tail);
}

static void test_message_lies_at_the_same_place_below_queue(void **state)
{
	static const struct {
		const char *job, *message, *path;
	} rows[] = {
		{ "123", "123", "../queue/123" },
		{ "X/123", "123", "../queue/X/123" },
		{ "X/Y/123-4", "123-4", "../queue/X/Y/123-4" },
		{ "subdirectory/5", "6", "../queue/subdirectory/6" },
	};
	struct arena *a = arena_new();
	struct jobname job;
	const char *path;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    jobname_parse(slice_of(rows[i].job), &job, &err), 0);
		assert_int_equal(jobname_message_path(&job,
						      slice_of(rows[i].message),
						      a, &path, &err),
				 0);
		assert_string_equal(path, rows[i].path);
	}
	arena_free(a);
}

static void test_message_name_cannot_leave_the_queue(void **state)
{
	static const struct slice rows[] = {
		{ "", 0 },	 { ".", 1 },	  { "..", 2 },
		{ "/etc/x", 6 }, { "1/2", 3 },	  { "../1", 4 },
		{ "1\n", 2 },	 { "1\0002", 3 }, { "1\177", 2 },
	};
	struct arena *a = arena_new();
	const char *path = "unchanged";
	struct jobname job;
	struct err err;

	(void)state;
	assert_int_equal(jobname_parse(SLICE("X/123"), &job, &err), 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    jobname_message_path(&job, rows[i], a, &path, &err), -1);
	assert_string_equal(path, "unchanged");
	arena_free(a);
}

static void test_hash_directories_follow_the_table(void **state)
{
	static const struct {
		uint64_t number;
		unsigned levels;
		const char *want;
	} rows[] = {
		{ 24700, 0, "" },	 { 0, 1, "A/" },
		{ 25, 1, "Z/" },	 { 26, 1, "A/" },
		{ 24700, 1, "A/" },	 { 24701, 1, "B/" },
		{ 0, 2, "A/A/" },	 { 26, 2, "B/A/" },
		{ 675, 2, "Z/Z/" },	 { 676, 2, "A/A/" },
		{ 24700, 2, "O/A/" },	 { 123, 2, "E/T/" },
		{ 4294967296, 1, "W/" }, { UINT64_MAX, 2, "Q/P/" },
	};
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&got);
		jobname_add_hash(&got, rows[i].number, rows[i].levels);
		assert_slice_is(str_slice(&got), rows[i].want);
	}
	str_done(&got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job_name_is_taken_apart),
		cmocka_unit_test(test_odd_job_names_are_refused),
		cmocka_unit_test(test_long_job_names_are_refused),
		cmocka_unit_test(
		    test_long_last_component_is_allowed_up_to_the_limit),
		cmocka_unit_test(
		    test_message_lies_at_the_same_place_below_queue),
		cmocka_unit_test(test_message_name_cannot_leave_the_queue),
		cmocka_unit_test(test_hash_directories_follow_the_table),
	};

	return TEST_RUN(tests);
}

/*
 * jobline_test.c - lines from the scheduler: every kind, any chunking.
 */
#include "taproto/jobline.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

static void feed(struct jobline_reader *r, const char *text)
{
	jobline_feed(r, slice_of(text));
}

static void test_every_kind_of_line_is_known(void **state)
{
	static const struct {
		const char *in;
		enum jobline_kind kind;
		const char *name;
		bool has_host;
		const char *host;
	} rows[] = {
		{ "11053064\trelay.example.com\n", JOBLINE_JOB, "11053064",
		  true, "relay.example.com" },
		{ "A/B/11053116\tother.example.com\n", JOBLINE_JOB,
		  "A/B/11053116", true, "other.example.com" },
		{ "bogus/file\th\n", JOBLINE_JOB, "bogus/file", true, "h" },
		{ "Q/F/123\n", JOBLINE_JOB, "Q/F/123", false, "" },
		{ "123\t\n", JOBLINE_JOB, "123", true, "" },
		{ "123\ta\tb\n", JOBLINE_JOB, "123", true, "a\tb" },
		{ "\thost\n", JOBLINE_JOB, "", true, "host" },
		{ " 123 \n", JOBLINE_JOB, " 123 ", false, "" },
		{ "../../etc/passwd\r\n", JOBLINE_JOB, "../../etc/passwd\r",
		  false, "" },
		{ "x#idle\n", JOBLINE_JOB, "x#idle", false, "" },
		{ "#idle\n", JOBLINE_IDLE, "", false, "" },
		{ "\n", JOBLINE_STOP, "", false, "" },
		{ "#idle \n", JOBLINE_IGNORED, "", false, "" },
		{ "#idle\r\n", JOBLINE_IGNORED, "", false, "" },
		{ "#IDLE\n", JOBLINE_IGNORED, "", false, "" },
		{ "#\n", JOBLINE_IGNORED, "", false, "" },
		{ "#hungry\n", JOBLINE_IGNORED, "", false, "" },
		{ "# what\tever\n", JOBLINE_IGNORED, "", false, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jobline_reader r = { 0 };
		struct slice whole = slice_of(rows[i].in);
		struct jobline got;

		jobline_feed(&r, whole);
		assert_true(jobline_next(&r, &got));
		assert_int_equal(got.kind, rows[i].kind);
		assert_slice_is(got.name, rows[i].name);
		assert_int_equal(got.has_host, rows[i].has_host);
		assert_slice_is(got.host, rows[i].host);
		assert_true(
		    slice_eq(got.line, slice_head(whole, whole.len - 1)));
		assert_false(jobline_next(&r, &got));
		jobline_reader_done(&r);
	}
}

static void test_line_may_hold_nul(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	jobline_feed(&r, SLICE("1\0002\th\0st\n"));
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_JOB);
	assert_true(slice_eq(got.name, SLICE("1\0002")));
	assert_true(slice_eq(got.host, SLICE("h\0st")));
	jobline_reader_done(&r);
}

static void test_lines_fed_ahead_come_in_order(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	feed(&r, "1\ta\n#idle\n2\n\n3\tc");
	assert_true(jobline_next(&r, &got));
	assert_slice_is(got.line, "1\ta");
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_IDLE);
	assert_true(jobline_next(&r, &got));
	assert_slice_is(got.line, "2");
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_STOP);
	assert_false(jobline_next(&r, &got));
	feed(&r, "d\n4\n");
	assert_true(jobline_next(&r, &got));
	assert_slice_is(got.line, "3\tcd");
	assert_true(jobline_next(&r, &got));
	assert_slice_is(got.line, "4");
	assert_false(jobline_next(&r, &got));
	jobline_reader_done(&r);
}

static void test_last_line_without_lf_never_comes(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	assert_false(jobline_ready(&r));
	assert_false(jobline_next(&r, &got));
	feed(&r, "");
	feed(&r, "123\thost");
	assert_false(jobline_ready(&r));
	assert_false(jobline_next(&r, &got));
	jobline_reader_done(&r);
}

static void test_ready_agrees_with_next(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	feed(&r, "1\n2\n3");
	assert_true(jobline_ready(&r));
	assert_true(jobline_next(&r, &got));
	assert_true(jobline_ready(&r));
	assert_true(jobline_next(&r, &got));
	assert_false(jobline_ready(&r));
	feed(&r, "\n");
	assert_true(jobline_ready(&r));
	assert_true(jobline_next(&r, &got));
	assert_slice_is(got.line, "3");
	assert_false(jobline_ready(&r));
	jobline_reader_done(&r);
}

static void feed_many(struct jobline_reader *r, char c, size_t count)
{
	char bytes[1000];

	memset(bytes, c, sizeof(bytes));
	while (count > 0) {
		size_t n = count < sizeof(bytes) ? count : sizeof(bytes);

		jobline_feed(r, slice_make(bytes, n));
		count -= n;
	}
}

static void test_line_of_just_the_limit_is_kept(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	feed_many(&r, 'x', JOBLINE_MAX);
	feed(&r, "\n");
	feed_many(&r, 'y', JOBLINE_MAX + 1);
	feed(&r, "\nnext\n");
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_JOB);
	assert_int_equal(got.name.len, JOBLINE_MAX);
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_TOO_LONG);
	assert_int_equal(got.line.len, JOBLINE_MAX);
	assert_int_equal(got.name.len, 0);
	assert_true(jobline_next(&r, &got));
	assert_slice_is(got.name, "next");
	jobline_reader_done(&r);
}

static void test_endless_line_is_skipped_in_bounded_memory(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	feed_many(&r, '#', 10000000);
	assert_false(jobline_ready(&r));
	assert_true(r.buffer.cap <= 4 * JOBLINE_MAX);
	feed(&r, "\n#idle\n");
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_TOO_LONG);
	assert_true(jobline_next(&r, &got));
	assert_int_equal(got.kind, JOBLINE_IDLE);
	assert_false(jobline_next(&r, &got));
	jobline_reader_done(&r);
}

static void test_memory_does_not_grow_with_the_number_of_lines(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline got;

	(void)state;
	feed(&r, "0\n");
	for (int i = 1; i < 100000; i++) {
		feed(&r, "1234567\tmx.example.com\n"); /* one stays ahead */
		assert_true(jobline_next(&r, &got));
	}
	assert_true(r.buffer.cap <= 256);
	jobline_reader_done(&r);
}

static void test_taken_line_lives_until_the_next_feed(void **state)
{
	struct jobline_reader r = { 0 };
	struct jobline first, second;

	(void)state;
	feed(&r, "1\ta\n2\tb\n");
	assert_true(jobline_next(&r, &first));
	assert_true(jobline_next(&r, &second));
	assert_false(jobline_next(&r, &second));
	assert_slice_is(first.line, "1\ta");
	assert_slice_is(second.line, "2\tb");
	jobline_reader_done(&r);
}

/* Feeds a chunk and writes down what comes, kind by kind. */
struct run {
	struct jobline_reader reader;
	struct str log;
	bool is_eager; /* takes lines after every chunk */
};

static void write_lines(struct run *run)
{
	struct jobline got;

	while (jobline_next(&run->reader, &got)) {
		str_addf(&run->log, "%d %d <", (int)got.kind, got.has_host);
		str_add(&run->log, got.name);
		str_adds(&run->log, "> <");
		str_add(&run->log, got.host);
		str_adds(&run->log, "> <");
		str_add(&run->log, got.line);
		str_adds(&run->log, ">\n");
	}
}

static void run_chunk(void *context, struct slice chunk)
{
	struct run *run = context;

	jobline_feed(&run->reader, chunk);
	if (run->is_eager)
		write_lines(run);
}

static void test_chunks_do_not_matter(void **state)
{
	struct str whole = STR_INIT, want = STR_INIT;

	(void)state;
	str_adds(&whole, "1\ta\n#idle\n\n#x\nQ/F/3\n\t\n");
	for (int i = 0; i < JOBLINE_MAX; i++)
		str_addc(&whole, 'k');
	str_adds(&whole, "\n12\thost\n");
	for (int i = 0; i < 3 * JOBLINE_MAX; i++)
		str_addc(&whole, i % 9 == 0 ? '\t' : 'l');
	str_adds(&whole, "\n5\tb\npartial");
	for (unsigned seed = 0; seed < 2 * TEST_SPLITS; seed++) {
		struct run run = { .is_eager = seed % 2 == 0 };

		test_split(str_slice(&whole), seed / 2, run_chunk, &run);
		write_lines(&run);
		if (seed == 0)
			str_add(&want, str_slice(&run.log));
		assert_true(want.len > 2 * JOBLINE_MAX);
		assert_true(slice_eq(str_slice(&run.log), str_slice(&want)));
		jobline_reader_done(&run.reader);
		str_done(&run.log);
	}
	str_done(&whole);
	str_done(&want);
}

static void test_printed_job_reads_back(void **state)
{
	static const struct {
		const char *name;
		bool has_host;
		const char *host, *want;
	} rows[] = {
		{ "11053064", true, "relay.example.com",
		  "11053064\trelay.example.com\n" },
		{ "Q/F/123", false, "ignored", "Q/F/123\n" },
		{ "123", true, "", "123\t\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jobline_reader r = { 0 };
		struct str line = STR_INIT;
		struct jobline got;

		assert_int_equal(
		    jobline_print_job(&line, slice_of(rows[i].name),
				      rows[i].has_host, slice_of(rows[i].host),
				      NULL),
		    0);
		assert_slice_is(str_slice(&line), rows[i].want);
		jobline_feed(&r, str_slice(&line));
		assert_true(jobline_next(&r, &got));
		assert_int_equal(got.kind, JOBLINE_JOB);
		assert_slice_is(got.name, rows[i].name);
		assert_int_equal(got.has_host, rows[i].has_host);
		jobline_reader_done(&r);
		str_done(&line);
	}
}

static void test_idle_and_stop_are_printed(void **state)
{
	struct str lines = STR_INIT;

	(void)state;
	jobline_print_idle(&lines);
	jobline_print_stop(&lines);
	assert_slice_is(str_slice(&lines), "#idle\n\n");
	str_done(&lines);
}

static void assert_refused(struct slice name, bool has_host, struct slice host,
			   const char *why)
{
	struct str line = STR_INIT;
	struct err err = { 0 };

	str_adds(&line, "before");
	assert_int_equal(jobline_print_job(&line, name, has_host, host, &err),
			 -1);
	assert_slice_is(str_slice(&line), "before");
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
	str_done(&line);
}

static void test_unprintable_job_is_refused(void **state)
{
	(void)state;
	assert_refused(SLICE(""), false, SLICE(""), "empty");
	assert_refused(SLICE("#1"), false, SLICE(""), "begins with '#'");
	assert_refused(SLICE("1\n2"), false, SLICE(""), "name '1?2'");
	assert_refused(SLICE("1\t2"), false, SLICE(""), "name '1 2'");
	assert_refused(SLICE("1\0002"), false, SLICE(""), "control byte");
	assert_refused(SLICE("1\177"), false, SLICE(""), "control byte");
	assert_refused(SLICE("1"), true, SLICE("a\nb"), "host 'a?b'");
	assert_refused(SLICE("1"), true, SLICE("a\tb"), "host 'a b'");
}

static void test_job_over_the_limit_is_refused(void **state)
{
	struct str name = STR_INIT, line = STR_INIT;

	(void)state;
	for (int i = 0; i < JOBLINE_MAX - 1; i++)
		str_addc(&name, '7');
	assert_int_equal(
	    jobline_print_job(&line, str_slice(&name), true, SLICE(""), NULL),
	    0);
	assert_int_equal(line.len, JOBLINE_MAX + 1);
	assert_refused(str_slice(&name), true, SLICE("h"), "8193 bytes");
	str_adds(&name, "77");
	assert_refused(str_slice(&name), false, SLICE(""), "8193 bytes");
	str_done(&name);
	str_done(&line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_line_is_known),
		cmocka_unit_test(test_line_may_hold_nul),
		cmocka_unit_test(test_lines_fed_ahead_come_in_order),
		cmocka_unit_test(test_last_line_without_lf_never_comes),
		cmocka_unit_test(test_ready_agrees_with_next),
		cmocka_unit_test(test_line_of_just_the_limit_is_kept),
		cmocka_unit_test(
		    test_endless_line_is_skipped_in_bounded_memory),
		cmocka_unit_test(
		    test_memory_does_not_grow_with_the_number_of_lines),
		cmocka_unit_test(test_taken_line_lives_until_the_next_feed),
		cmocka_unit_test(test_chunks_do_not_matter),
		cmocka_unit_test(test_printed_job_reads_back),
		cmocka_unit_test(test_idle_and_stop_are_printed),
		cmocka_unit_test(test_unprintable_job_is_refused),
		cmocka_unit_test(test_job_over_the_limit_is_refused),
	};

	return TEST_RUN(tests);
}

/*
 * logfile_test.c - lines arrive whole, or not at all and counted.
 */
#include "sched/logfile.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

static char folder[] = "/tmp/logfile_testXXXXXX";
static struct str logged;

static void hear(void *context, enum log_level level, struct slice line)
{
	(void)context;
	(void)level;
	str_add(&logged, line);
	str_addc(&logged, '\n');
}

static int set_up(void **state)
{
	(void)state;
	log_to(hear, NULL);
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	log_to(NULL, NULL);
	str_done(&logged);
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void add(struct logfile *f, const char *line)
{
	str_adds(logfile_buffer(f), line);
	logfile_added(f, NULL);
}

static void check_file(const char *path, const char *want)
{
	struct str text = STR_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, 0, 1 << 20, &text), 0);
	assert_string_equal(str_cstr(&text), want);
	fd_close(fd);
	str_done(&text);
}

/* The file can have so many bytes and no more. */
static void limit_size(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void open_or_fail(const char *path, struct logfile **ret)
{
	struct err err;

	if (logfile_open("test", path, ret, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- tests -------------------------------------------------------------- */

static void test_lines_are_appended_and_half_ones_ended(void **state)
{
	struct logfile *f;

	(void)state;
	put("a", "one\ntw");
	open_or_fail("a", &f);
	add(f, "three\n");
	logfile_close(f);
	check_file("a", "one\ntw\nthree\n");
	assert_int_equal(unlink("a"), 0);
}

static void test_lines_of_one_turn_wait_for_its_end(void **state)
{
	struct event_base *base = event_base_new();
	struct logfile *f;

	(void)state;
	assert_non_null(base);
	open_or_fail("a", &f);
	for (int i = 0; i < 3; i++) {
		str_addf(logfile_buffer(f), "line %d\n", i);
		logfile_added(f, base);
	}
	check_file("a", "");
	event_base_loop(base, EVLOOP_NONBLOCK);
	check_file("a", "line 0\nline 1\nline 2\n");
	str_adds(logfile_buffer(f), "last\n");
	logfile_added(f, base);
	logfile_close(f);
	check_file("a", "line 0\nline 1\nline 2\nlast\n");
	event_base_free(base);
	assert_int_equal(unlink("a"), 0);
}

static void test_very_many_lines_do_not_wait(void **state)
{
	struct event_base *base = event_base_new();
	struct logfile *f;
	struct stat st;

	(void)state;
	assert_non_null(base);
	open_or_fail("a", &f);
	for (int i = 0; i < 20000; i++) {
		str_adds(logfile_buffer(f), "0123456789\n");
		logfile_added(f, base);
	}
	assert_int_equal(stat("a", &st), 0);
	assert_true(st.st_size > 100000);
	logfile_close(f);
	event_base_free(base);
	assert_int_equal(unlink("a"), 0);
}

static void count_lost(void *context, uint64_t n)
{
	*(uint64_t *)context += n;
}

static void test_full_disk_tears_no_line(void **state)
{
	uint64_t told = 0, lines, lost;
	struct logfile *f;

	(void)state;
	str_clear(&logged);
	open_or_fail("a", &f);
	logfile_on_lost(f, count_lost, &told);
	add(f, "first\n");
	limit_size(10);
	add(f, "second\n"); /* of which 4 bytes fit */
	add(f, "third\n");
	add(f, "fourth\n");
	check_file("a", "first\nseco");
	logfile_counts(f, &lines, &lost);
	assert_int_equal(lost, 2);
	limit_size(RLIM_INFINITY);
	sleep(2); /* nothing is tried for a second */
	add(f, "fifth\n");
	check_file("a", "first\nsecond\nfifth\n");
	assert_int_equal(told, 2);
	logfile_counts(f, &lines, &lost);
	assert_int_equal(lost, 2);
	assert_non_null(strstr(str_cstr(&logged), "File too large"));
	assert_non_null(strstr(str_cstr(&logged), "2 lines were lost"));
	logfile_close(f);
	assert_int_equal(unlink("a"), 0);
}

static void test_reopening_makes_a_new_file_or_keeps_the_old(void **state)
{
	struct logfile *f;

	(void)state;
	str_clear(&logged);
	open_or_fail("a", &f);
	add(f, "old\n");
	assert_int_equal(rename("a", "b"), 0);
	logfile_reopen(f);
	add(f, "new\n");
	check_file("b", "old\n");
	check_file("a", "new\n");
	assert_int_equal(rename("a", "c"), 0);
	assert_int_equal(mkdir("a", 0700), 0);
	logfile_reopen(f);
	add(f, "newer\n");
	check_file("c", "new\nnewer\n");
	assert_non_null(strstr(str_cstr(&logged), "the one before is kept"));
	logfile_close(f);
	assert_int_equal(unlink("b") | unlink("c") | rmdir("a"), 0);
}

static void test_what_cannot_be_opened_is_an_error(void **state)
{
	struct logfile *f;
	struct err err;

	(void)state;
	assert_int_equal(logfile_open("test", "no/such/file", &f, &err), -1);
	assert_int_equal(err.code, ENOENT);
	assert_int_equal(mkfifo("p", 0600), 0); /* without a reader */
	assert_int_equal(logfile_open("test", "p", &f, &err), -1);
	assert_int_equal(err.code, ENXIO);
	assert_int_equal(unlink("p"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_appended_and_half_ones_ended),
		cmocka_unit_test(test_lines_of_one_turn_wait_for_its_end),
		cmocka_unit_test(test_very_many_lines_do_not_wait),
		cmocka_unit_test(test_full_disk_tears_no_line),
		cmocka_unit_test(
		    test_reopening_makes_a_new_file_or_keeps_the_old),
		cmocka_unit_test(test_what_cannot_be_opened_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

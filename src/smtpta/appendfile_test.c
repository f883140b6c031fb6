/*
 * appendfile_test.c - lines appended, files rotated away, files that refuse.
 */
#include "smtpta/appendfile.h"

#include "spool/test_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char *dir;
	struct str path, other, text;
	struct appendfile *file;
	mode_t umask;
};

static void place_open(struct place *p)
{
	*p = (struct place){ .dir = test_dir_make(), .umask = umask(022) };
	str_addf(&p->path, "%s/records", p->dir);
	str_addf(&p->other, "%s/records.1", p->dir);
	p->file = appendfile_new(str_cstr(&p->path), 0640);
}

static void place_close(struct place *p)
{
	appendfile_free(p->file);
	str_done(&p->path);
	str_done(&p->other);
	str_done(&p->text);
	test_dir_remove(p->dir);
	umask(p->umask);
}

static void add(struct place *p, const char *line, int64_t now)
{
	struct err err;

	if (appendfile_add(p->file, slice_of(line), now, &err) < 0)
		fail_msg("%s", err.text);
}

static void holds(struct place *p, const struct str *path, const char *want)
{
	str_clear(&p->text);
	assert_true(test_file_read(str_cstr(path), &p->text));
	assert_slice_is(str_slice(&p->text), want);
}

static void test_file_is_made_and_appended_to(void **state)
{
	struct place p;
	struct stat st;

	(void)state;
	place_open(&p);
	assert_int_equal(stat(str_cstr(&p.path), &st), -1);
	add(&p, "one\n", 0);
	add(&p, "two\n", 1);
	holds(&p, &p.path, "one\ntwo\n");
	assert_int_equal(stat(str_cstr(&p.path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	appendfile_free(p.file);
	p.file = appendfile_new(str_cstr(&p.path), 0640);
	add(&p, "three\n", 2);
	holds(&p, &p.path, "one\ntwo\nthree\n");
	place_close(&p);
}

static void test_rotated_file_is_left_within_a_second(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	add(&p, "one\n", 5000);
	assert_int_equal(rename(str_cstr(&p.path), str_cstr(&p.other)), 0);
	add(&p, "two\n", 5999);
	holds(&p, &p.other, "one\ntwo\n");
	add(&p, "three\n", 6000);
	holds(&p, &p.other, "one\ntwo\n");
	holds(&p, &p.path, "three\n");
	assert_int_equal(unlink(str_cstr(&p.path)), 0);
	add(&p, "four\n", 7000);
	holds(&p, &p.path, "four\n");
	/* Another file under the name, made by whoever rotates. */
	assert_int_equal(unlink(str_cstr(&p.path)), 0);
	fd_close(open(str_cstr(&p.path), O_CREAT | O_WRONLY, 0600));
	add(&p, "five\n", 8000);
	holds(&p, &p.path, "five\n");
	place_close(&p);
}

static void test_missing_folder_is_tried_again_each_second(void **state)
{
	struct str path = STR_INIT;
	struct place p;
	struct err err;

	(void)state;
	place_open(&p);
	appendfile_free(p.file);
	str_addf(&path, "%s/records", str_cstr(&p.other));
	p.file = appendfile_new(str_cstr(&path), 0640);
	assert_int_equal(appendfile_add(p.file, SLICE("one\n"), 0, &err), -1);
	assert_true(slice_has(slice_of(err.text), '/'));
	assert_int_equal(mkdir(str_cstr(&p.other), 0700), 0);
	assert_int_equal(appendfile_add(p.file, SLICE("two\n"), 999, &err), -1);
	add(&p, "three\n", 1000);
	holds(&p, &path, "three\n");
	str_done(&path);
	place_close(&p);
}

/* A folder that vanished: what is open stays better than nothing. */
static void test_file_that_cannot_be_made_anew_is_kept(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	add(&p, "one\n", 0);
	assert_int_equal(rename(str_cstr(&p.path), str_cstr(&p.other)), 0);
	assert_int_equal(symlink("nowhere/records", str_cstr(&p.path)), 0);
	add(&p, "two\n", 1000);
	holds(&p, &p.other, "one\ntwo\n");
	place_close(&p);
}

static void test_torn_line_is_ended(void **state)
{
	struct rlimit limit = { .rlim_cur = 6, .rlim_max = RLIM_INFINITY };
	struct place p;
	struct err err;

	(void)state;
	place_open(&p);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 6;
	signal(SIGXFSZ, SIG_IGN);
	add(&p, "one\n", 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(appendfile_add(p.file, SLICE("two\n"), 0, &err), -1);
	assert_int_equal(appendfile_add(p.file, SLICE("three\n"), 0, &err), -1);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	add(&p, "four\n", 0);
	add(&p, "five\n", 0);
	holds(&p, &p.path, "one\ntw\nfour\nfive\n");
	place_close(&p);
}

static void test_fifo_without_a_reader_does_not_block(void **state)
{
	struct place p;
	struct err err;

	(void)state;
	place_open(&p);
	assert_int_equal(mkfifo(str_cstr(&p.path), 0600), 0);
	assert_int_equal(appendfile_add(p.file, SLICE("one\n"), 0, &err), -1);
	place_close(&p);
}

/* Reads what lies in a FIFO; it must be whole lines "N....\n" in order. */
static size_t check_whole_lines(int reader, unsigned *next)
{
	struct str got = STR_INIT;
	struct slice rest, line;
	size_t len;

	str_reserve(&got, 1 << 20);
	got.len = (size_t)read(reader, got.p, 1 << 20);
	len = got.len;
	rest = str_slice(&got);
	assert_int_equal(got.p[len - 1], '\n');
	while (slice_cut(&rest, '\n', &line) && rest.p != NULL) {
		char start[16];

		snprintf(start, sizeof(start), "%06u", (*next)++);
		assert_true(slice_starts(line, slice_of(start)));
		assert_int_equal(line.len, 1000);
	}
	str_done(&got);
	return len;
}

/* It is not waited for, and gets only whole lines, in order. */
static void test_fifo_whose_reader_sleeps_does_not_block(void **state)
{
	struct str lines = STR_INIT;
	unsigned next = 0;
	struct place p;
	struct err err;
	int reader;

	(void)state;
	place_open(&p);
	assert_int_equal(mkfifo(str_cstr(&p.path), 0600), 0);
	reader = open(str_cstr(&p.path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	for (unsigned i = 0; i < 500; i++)
		str_addf(&lines, "%06u%*s\n", i, 994, "");
	assert_int_equal(appendfile_add(p.file, str_slice(&lines), 0, &err),
			 -1);
	assert_int_equal(err.code, EAGAIN);
	assert_true(check_whole_lines(reader, &next) > 0);
	assert_true(next > 0 && next < 500);
	str_clear(&lines);
	str_addf(&lines, "%06u%*s\n", next, 994, "");
	add(&p, str_cstr(&lines), 0);
	assert_int_equal(check_whole_lines(reader, &next), 1001);
	str_done(&lines);
	fd_close(reader);
	place_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_is_made_and_appended_to),
		cmocka_unit_test(test_rotated_file_is_left_within_a_second),
		cmocka_unit_test(
		    test_missing_folder_is_tried_again_each_second),
		cmocka_unit_test(test_file_that_cannot_be_made_anew_is_kept),
		cmocka_unit_test(test_torn_line_is_ended),
		cmocka_unit_test(test_fifo_without_a_reader_does_not_block),
		cmocka_unit_test(test_fifo_whose_reader_sleeps_does_not_block),
	};

	return TEST_RUN(tests);
}

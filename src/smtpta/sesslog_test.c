/*
 * sesslog_test.c - lines of the session log, and files that refuse them.
 */
#include "smtpta/sesslog.h"

#include "spool/test_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

struct place {
	char *dir;
	struct str path, text;
};

static void place_open(struct place *p)
{
	*p = (struct place){ .dir = test_dir_make() };
	str_addf(&p->path, "%s/log", p->dir);
}

static void place_close(struct place *p)
{
	str_done(&p->path);
	str_done(&p->text);
	test_dir_remove(p->dir);
}

static struct sesslog *log_open(struct place *p)
{
	struct sesslog *log;
	struct err err;

	if (sesslog_open(str_cstr(&p->path), &log, &err) < 0)
		fail_msg("%s", err.text);
	return log;
}

static struct slice file_text(struct place *p)
{
	str_clear(&p->text);
	assert_true(test_file_read(str_cstr(&p->path), &p->text));
	return str_slice(&p->text);
}

/*
 * Takes one line apart: the tag must be ours, with this count. Returns TYPE,
 * TAB and text.
 */
static struct slice check_tag(struct slice line, time_t start, unsigned count)
{
	struct str want = STR_INIT;
	struct slice rest;

	str_addf(&want, "%05ld%04X-%04u-", (long)getpid(),
		 (unsigned)(start & 0xffff), count);
	if (!slice_starts(line, str_slice(&want)))
		fail_msg("'%.*s' does not begin with '%s'", SLICE_ARG(line),
			 str_cstr(&want));
	rest = slice_from(line, want.len);
	for (size_t i = 0; i < 4; i++)
		assert_true(ascii_is_digit(rest.p[i]));
	str_done(&want);
	return slice_from(rest, 4);
}

/* The first line says when; returns the lines behind it. */
static struct slice skip_start(struct slice text, time_t *ret_start)
{
	time_t now = time(NULL);
	struct slice line, said;

	assert_true(slice_cut(&text, '\n', &line));
	for (*ret_start = now - 5;; ++*ret_start) {
		char tag[32];

		assert_true(*ret_start <= now);
		snprintf(tag, sizeof(tag), "%05ld%04X-", (long)getpid(),
			 (unsigned)(*ret_start & 0xffff));
		if (slice_starts(line, slice_of(tag)))
			break;
	}
	said = check_tag(line, *ret_start, 0);
	assert_true(slice_starts(said, SLICE("#\tStart time: ")));
	return text;
}

static void test_lines_have_tag_type_and_text(void **state)
{
	struct slice rest, line;
	struct sesslog *log;
	struct place p;
	time_t start;

	(void)state;
	place_open(&p);
	log = log_open(&p);
	sesslog_line(log, 'r', SLICE("220 mx.test ESMTP ready"));
	sesslog_line(log, 'w', SLICE("EHLO localhost"));
	sesslog_printf(log, "%s: %d recipients", "24700", 2);
	sesslog_close(log);
	rest = skip_start(file_text(&p), &start);
	assert_true(slice_cut(&rest, '\n', &line));
	assert_slice_is(check_tag(line, start, 1),
			"r\t220 mx.test ESMTP ready");
	assert_true(slice_cut(&rest, '\n', &line));
	assert_slice_is(check_tag(line, start, 2), "w\tEHLO localhost");
	assert_true(slice_cut(&rest, '\n', &line));
	assert_slice_is(check_tag(line, start, 3), "#\t24700: 2 recipients");
	assert_slice_is(rest, "");
	place_close(&p);
}

static void test_hostile_text_stays_on_its_line(void **state)
{
	struct sesslog *log;
	struct slice rest;
	struct place p;
	time_t start;

	(void)state;
	place_open(&p);
	log = log_open(&p);
	sesslog_line(log, 'r', SLICE("250 a\rb\nc\td\033[2Je\0f\177"));
	sesslog_close(log);
	rest = skip_start(file_text(&p), &start);
	assert_slice_is(check_tag(rest, start, 1), "r\t250 a?b?c d?[2Je?f?\n");
	place_close(&p);
}

static void test_counter_begins_again_after_9999(void **state)
{
	struct slice rest, line;
	struct sesslog *log;
	struct place p;
	time_t start;

	(void)state;
	place_open(&p);
	log = log_open(&p);
	for (int i = 1; i <= 10001; i++)
		sesslog_line(log, 'w', SLICE("x"));
	sesslog_close(log);
	rest = skip_start(file_text(&p), &start);
	for (unsigned i = 1; i <= 10001; i++) {
		assert_true(slice_cut(&rest, '\n', &line));
		assert_slice_is(check_tag(line, start, i % 10000), "w\tx");
	}
	place_close(&p);
}

static void test_nothing_is_written_before_the_flush(void **state)
{
	struct sesslog *log;
	size_t before;
	struct place p;

	(void)state;
	place_open(&p);
	log = log_open(&p);
	assert_int_equal(file_text(&p).len, 0);
	sesslog_flush(log);
	before = file_text(&p).len;
	assert_true(before > 0);
	sesslog_line(log, 'w', SLICE("x"));
	assert_int_equal(file_text(&p).len, before);
	sesslog_flush(log);
	assert_true(file_text(&p).len > before);
	before = p.text.len;
	sesslog_flush(log);
	sesslog_close(log);
	assert_int_equal(file_text(&p).len, before);
	place_close(&p);
}

/* Two agents share a file: each block of lines is whole. */
static void test_two_logs_append_to_one_file(void **state)
{
	struct sesslog *a, *b;
	size_t lines = 0;
	struct slice rest, line;
	struct place p;

	(void)state;
	place_open(&p);
	a = log_open(&p);
	b = log_open(&p);
	for (int i = 0; i < 100; i++) {
		sesslog_line(a, 'w', SLICE("from a"));
		sesslog_line(b, 'r', SLICE("from b"));
		sesslog_flush(b);
		sesslog_flush(a);
	}
	sesslog_close(a);
	sesslog_close(b);
	for (rest = file_text(&p); slice_cut(&rest, '\n', &line) && line.len;)
		lines++;
	assert_int_equal(lines, 202);
	place_close(&p);
}

static void test_file_is_made_readable_for_all_and_kept(void **state)
{
	mode_t mask = umask(0);
	struct stat st;
	struct place p;

	(void)state;
	place_open(&p);
	sesslog_close(log_open(&p));
	umask(mask);
	assert_int_equal(stat(str_cstr(&p.path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	test_file_write(str_cstr(&p.path), SLICE("kept\n"));
	sesslog_close(log_open(&p));
	assert_true(slice_starts(file_text(&p), SLICE("kept\n")));
	place_close(&p);
}

static void test_file_that_cannot_be_opened_is_an_error(void **state)
{
	struct str path = STR_INIT;
	struct sesslog *log = NULL;
	struct err err;
	struct place p;

	(void)state;
	place_open(&p);
	assert_int_equal(sesslog_open(p.dir, &log, &err), -1);
	str_addf(&path, "cannot open logfile \"%s\": Is a directory", p.dir);
	assert_string_equal(err.text, str_cstr(&path));
	str_clear(&path);
	str_addf(&path, "%s/not/there", p.dir);
	assert_int_equal(sesslog_open(str_cstr(&path), &log, &err), -1);
	assert_null(log);
	str_done(&path);
	place_close(&p);
}

static void test_full_disk_loses_lines_and_nothing_else(void **state)
{
	struct rlimit before, limit;
	struct slice text;
	struct sesslog *log;
	size_t kept;
	struct place p;

	(void)state;
	place_open(&p);
	log = log_open(&p);
	sesslog_flush(log);
	kept = file_text(&p).len;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = kept;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	sesslog_line(log, 'w', SLICE("lost"));
	sesslog_flush(log);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	sesslog_line(log, 'w', SLICE("written"));
	sesslog_close(log);
	text = slice_from(file_text(&p), kept);
	assert_int_equal(slice_find_text(text, SLICE("lost")), text.len);
	assert_true(slice_find_text(text, SLICE("w\twritten\n")) < text.len);
	place_close(&p);
}

static void note_complaint(void *context, const char *text)
{
	str_adds(context, text);
	str_addc(context, '\n');
}

/* Once, until lines can be written again. */
static void test_lost_lines_are_told_once(void **state)
{
	struct str told = STR_INIT, want = STR_INIT;
	struct sesslog *log;
	struct place p;
	int reader;

	(void)state;
	place_open(&p);
	str_addf(&want, "lines of logfile are lost: %s: Broken pipe\n",
		 str_cstr(&p.path));
	assert_int_equal(mkfifo(str_cstr(&p.path), 0600), 0);
	signal(SIGPIPE, SIG_IGN);
	reader = open(str_cstr(&p.path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	log = log_open(&p);
	sesslog_listen(log, note_complaint, &told);
	sesslog_flush(log);
	for (int i = 1; i <= 2; i++) {
		struct str twice = STR_INIT;

		fd_close(reader);
		for (int j = 0; j < 3; j++) {
			sesslog_line(log, 'w', SLICE("lost"));
			sesslog_flush(log);
		}
		for (int j = 0; j < i; j++)
			str_add(&twice, str_slice(&want));
		assert_string_equal(str_cstr(&told), str_cstr(&twice));
		str_done(&twice);
		reader =
		    open(str_cstr(&p.path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		sesslog_line(log, 'w', SLICE("taken"));
		sesslog_flush(log);
	}
	sesslog_close(log);
	fd_close(reader);
	signal(SIGPIPE, SIG_DFL);
	str_done(&told);
	str_done(&want);
	place_close(&p);
}

static void test_no_log_takes_everything(void **state)
{
	(void)state;
	sesslog_line(NULL, 'w', SLICE("x"));
	sesslog_printf(NULL, "%d", 1);
	sesslog_job(NULL, SLICE("1"), SLICE("h"));
	sesslog_listen(NULL, note_complaint, NULL);
	sesslog_flush(NULL);
	sesslog_close(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_have_tag_type_and_text),
		cmocka_unit_test(test_hostile_text_stays_on_its_line),
		cmocka_unit_test(test_counter_begins_again_after_9999),
		cmocka_unit_test(test_nothing_is_written_before_the_flush),
		cmocka_unit_test(test_two_logs_append_to_one_file),
		cmocka_unit_test(test_file_is_made_readable_for_all_and_kept),
		cmocka_unit_test(test_file_that_cannot_be_opened_is_an_error),
		cmocka_unit_test(test_full_disk_loses_lines_and_nothing_else),
		cmocka_unit_test(test_lost_lines_are_told_once),
		cmocka_unit_test(test_no_log_takes_everything),
	};

	return TEST_RUN(tests);
}

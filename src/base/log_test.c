/*
 * log_test.c - the log sink: what it is given, and standard error.
 */
#include "base/log.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct record {
	struct str text;
	enum log_level level;
	int count;
};

static void keep(void *context, enum log_level level, struct slice line)
{
	struct record *r = context;

	str_clear(&r->text);
	str_add(&r->text, line);
	r->level = level;
	r->count++;
	errno = EBADF; /* as a sink that failed would leave it */
}

static void test_sink_gets_each_line_and_its_level(void **state)
{
	struct record r = { .text = STR_INIT };

	(void)state;
	log_to(keep, &r);
	log_line(LOG_LEVEL_WARNING, "%s: %d", "host", 25);
	assert_slice_is(str_slice(&r.text), "host: 25");
	assert_int_equal(r.level, LOG_LEVEL_WARNING);
	log_line(LOG_LEVEL_DEBUG, "%s", "");
	assert_slice_is(str_slice(&r.text), "");
	assert_int_equal(r.level, LOG_LEVEL_DEBUG);
	assert_int_equal(r.count, 2);
	log_to(NULL, NULL);
	str_done(&r.text);
}

static void test_line_cannot_forge_another(void **state)
{
	struct record r = { .text = STR_INIT };

	(void)state;
	log_to(keep, &r);
	log_line(LOG_LEVEL_INFO, "a%sb", "\n# forged\r\t\033[2J\177\303\244");
	assert_slice_is(str_slice(&r.text), "a?# forged? ?[2J?\303\244b");
	assert_int_equal(r.count, 1);
	log_to(NULL, NULL);
	str_done(&r.text);
}

static void test_long_line_is_not_cut(void **state)
{
	struct record r = { .text = STR_INIT };

	(void)state;
	log_to(keep, &r);
	log_line(LOG_LEVEL_INFO, "%100000d", 7);
	assert_int_equal(r.text.len, 100000);
	log_to(NULL, NULL);
	str_done(&r.text);
}

static void test_logging_keeps_errno(void **state)
{
	struct record r = { .text = STR_INIT };

	(void)state;
	log_to(keep, &r);
	errno = ENOSPC;
	log_line(LOG_LEVEL_ERROR, "disk full");
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(r.count, 1);
	log_to(NULL, NULL);
	str_done(&r.text);
}

/* What log_line() writes to standard error; to be freed. */
static struct str on_stderr(const char *text)
{
	int file = memfd_create("log_test", MFD_CLOEXEC);
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	struct str out = STR_INIT;

	assert_true(file >= 0 && saved >= 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	log_line(LOG_LEVEL_INFO, "%s", text);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(file, 0, 10000, &out), 0);
	fd_close(saved);
	fd_close(file);
	return out;
}

static void test_without_a_sink_lines_are_comments_on_stderr(void **state)
{
	struct str out = on_stderr("a\nb");

	(void)state;
	assert_slice_is(str_slice(&out), "# a?b\n");
	str_done(&out);
}

static void test_null_sink_is_stderr_again(void **state)
{
	struct record r = { .text = STR_INIT };
	struct str out;

	(void)state;
	log_to(keep, &r);
	log_to(NULL, &r);
	out = on_stderr("back");
	assert_slice_is(str_slice(&out), "# back\n");
	assert_int_equal(r.count, 0);
	str_done(&out);
	str_done(&r.text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sink_gets_each_line_and_its_level),
		cmocka_unit_test(test_line_cannot_forge_another),
		cmocka_unit_test(test_long_line_is_not_cut),
		cmocka_unit_test(test_logging_keeps_errno),
		cmocka_unit_test(
		    test_without_a_sink_lines_are_comments_on_stderr),
		cmocka_unit_test(test_null_sink_is_stderr_again),
	};

	return TEST_RUN(tests);
}

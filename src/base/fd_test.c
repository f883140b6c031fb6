/*
 * fd_test.c - reading to the end within a limit, writing all, closing.
 */
#include "base/fd.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A regular file without a name that holds len bytes "abc...zabc...". */
static int file_of(size_t len)
{
	struct str text = STR_INIT;
	int fd = memfd_create("fd_test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++)
		str_addc(&text, (char)('a' + i % 26));
	assert_int_equal(fd_write_all(fd, str_slice(&text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	str_done(&text);
	return fd;
}

static bool is_alphabet(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != (char)('a' + i % 26))
			return false;
	return true;
}

/* Reads a file of len bytes; it must give `want` and the first got bytes. */
static void check_read(size_t len, size_t expect, size_t max, int want,
		       size_t got)
{
	struct str text = STR_INIT;
	int fd = file_of(len);

	str_adds(&text, ">");
	assert_int_equal(fd_read_all(fd, expect, max, &text), want);
	assert_int_equal(text.len, 1 + got);
	assert_int_equal(text.p[0], '>');
	assert_true(is_alphabet(slice_from(str_slice(&text), 1)));
	assert_int_equal(text.p[text.len], '\0');
	fd_close(fd);
	str_done(&text);
}

static void test_file_is_read_whole_whatever_was_expected(void **state)
{
	static const size_t lengths[] = {
		0, 1, 100, 65535, 65536, 65537, 300000
	};
	static const size_t offs[] = { 0, 1, 50, 100000, SIZE_MAX / 4 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];

		for (size_t k = 0; k < sizeof(offs) / sizeof(offs[0]); k++) {
			size_t less = offs[k] < n ? n - offs[k] : 0;

			check_read(n, less, SIZE_MAX, 0, n);
			if (offs[k] <= 100000)
				check_read(n, n + offs[k], SIZE_MAX, 0, n);
		}
	}
}

static void test_limit_is_kept_to_the_byte(void **state)
{
	static const size_t lengths[] = { 1, 100, 65535, 65536, 65537, 200000 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];
		const size_t expects[] = { 0, 1, n - 1, n, n + 1, 2 * n };

		for (size_t k = 0; k < 6; k++) {
			check_read(n, expects[k], n, 0, n);
			check_read(n, expects[k], n + 1, 0, n);
			check_read(n, expects[k], n - 1, 1, n - 1);
			check_read(n, expects[k], n / 2, 1, n / 2);
			check_read(n, expects[k], 0, 1, 0);
		}
	}
	check_read(0, 0, 0, 0, 0);
	check_read(0, 10, 0, 0, 0);
}

static void test_reading_begins_at_the_position(void **state)
{
	struct str text = STR_INIT;
	int fd = file_of(100);

	(void)state;
	assert_int_equal(lseek(fd, 78, SEEK_SET), 78);
	assert_int_equal(fd_read_all(fd, 22, 1000, &text), 0);
	assert_int_equal(text.len, 22);
	assert_true(is_alphabet(str_slice(&text)));
	assert_int_equal(fd_read_all(fd, 0, 1000, &text), 0);
	assert_int_equal(text.len, 22);
	fd_close(fd);
	str_done(&text);
}

/* An empty pipe that is still open tells of a second read: EAGAIN. */
static void test_expected_bytes_cost_one_read(void **state)
{
	struct str text = STR_INIT;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_set_nonblocking(fds[0], true), 0);
	for (int i = 0; i < 3; i++) {
		str_clear(&text);
		assert_int_equal(fd_write_all(fds[1], SLICE("all of it")), 0);
		assert_int_equal(fd_read_all(fds[0], 9, 9 + (size_t)i, &text),
				 0);
		assert_slice_is(str_slice(&text), "all of it");
	}
	fd_close(fds[0]);
	fd_close(fds[1]);
	str_done(&text);
}

/* Writes a megabyte in odd pieces, with pauses, into the pipe `context`. */
static void *write_slowly(void *context)
{
	int fd = *(int *)context;
	char piece[1000];
	size_t sent = 0;

	while (sent < 1000000) {
		size_t n = 1 + sent % sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = (char)('a' + (sent + i) % 26);
		if (fd_write_all(fd, slice_make(piece, n)) < 0)
			break;
		sent += n;
	}
	fd_close(fd);
	return NULL;
}

static void test_pipe_is_read_to_its_end(void **state)
{
	struct str text = STR_INIT;
	pthread_t writer;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_slowly, &fds[1]),
			 0);
	assert_int_equal(fd_read_all(fds[0], 0, SIZE_MAX, &text), 0);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_true(text.len >= 1000000);
	assert_true(is_alphabet(str_slice(&text)));
	fd_close(fds[0]);
	str_done(&text);
}

static void test_read_error_is_told(void **state)
{
	struct str text = STR_INIT;
	int fds[2];

	(void)state;
	errno = 0;
	assert_int_equal(fd_read_all(-1, 0, 100, &text), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(text.len, 0);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_set_nonblocking(fds[0], true), 0);
	assert_int_equal(fd_write_all(fds[1], SLICE("kept")), 0);
	assert_int_equal(fd_read_all(fds[0], 0, 100, &text), -1);
	assert_int_equal(errno, EAGAIN);
	assert_slice_is(str_slice(&text), "kept");
	fd_close(fds[0]);
	fd_close(fds[1]);
	str_done(&text);
}

static void on_alarm(int number)
{
	(void)number;
}

/* Interrupts system calls every few milliseconds, or (0) no more. */
static void set_alarms(unsigned usec)
{
	struct sigaction act = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &act, NULL);
	ualarm(usec, usec);
}

static void await_alarms(int count)
{
	while (count-- > 0)
		pause();
}

/*
 * The writer is interrupted while the pipe is full, since the reader begins
 * late; the reader while it is empty, since the writer ends late.
 */
static void test_signals_do_not_disturb(void **state)
{
	struct str text = STR_INIT, all = STR_INIT;
	int fds[2], status;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 400000; i++)
		str_addc(&all, (char)('a' + i % 26));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	set_alarms(2000);
	if (pid == 0) {
		int r = fd_write_all(fds[1], str_slice(&all));

		await_alarms(10);
		_exit(r < 0);
	}
	fd_close(fds[1]);
	await_alarms(10);
	assert_int_equal(fd_read_all(fds[0], 0, SIZE_MAX, &text), 0);
	set_alarms(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(slice_eq(str_slice(&text), str_slice(&all)));
	fd_close(fds[0]);
	str_done(&text);
	str_done(&all);
}

static void test_write_error_is_told(void **state)
{
	int fds[2];

	(void)state;
	errno = 0;
	assert_int_equal(fd_write_all(-1, SLICE("x")), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fd_write_all(-1, SLICE("")), 0);
	assert_int_equal(pipe(fds), 0);
	signal(SIGPIPE, SIG_IGN);
	fd_close(fds[0]);
	assert_int_equal(fd_write_all(fds[1], SLICE("x")), -1);
	assert_int_equal(errno, EPIPE);
	signal(SIGPIPE, SIG_DFL);
	fd_close(fds[1]);
}

static void test_closing_keeps_errno(void **state)
{
	int fd = file_of(1);

	(void)state;
	errno = ENOSPC;
	fd_close(fd);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	errno = ENOSPC;
	fd_close(-1);
	fd_close(fd); /* a close that fails */
	assert_int_equal(errno, ENOSPC);
}

static void test_nonblocking_is_set_and_cleared(void **state)
{
	int fds[2], before;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	before = fcntl(fds[1], F_GETFL);
	assert_int_equal(fd_set_nonblocking(fds[1], true), 0);
	assert_int_equal(fcntl(fds[1], F_GETFL), before | O_NONBLOCK);
	assert_int_equal(fd_set_nonblocking(fds[1], true), 0);
	assert_int_equal(fd_set_nonblocking(fds[1], false), 0);
	assert_int_equal(fcntl(fds[1], F_GETFL), before);
	assert_int_equal(fd_set_nonblocking(-1, true), -1);
	assert_int_equal(errno, EBADF);
	fd_close(fds[0]);
	fd_close(fds[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_is_read_whole_whatever_was_expected),
		cmocka_unit_test(test_limit_is_kept_to_the_byte),
		cmocka_unit_test(test_reading_begins_at_the_position),
		cmocka_unit_test(test_expected_bytes_cost_one_read),
		cmocka_unit_test(test_pipe_is_read_to_its_end),
		cmocka_unit_test(test_read_error_is_told),
		cmocka_unit_test(test_signals_do_not_disturb),
		cmocka_unit_test(test_write_error_is_told),
		cmocka_unit_test(test_closing_keeps_errno),
		cmocka_unit_test(test_nonblocking_is_set_and_cleared),
	};

	return TEST_RUN(tests);
}

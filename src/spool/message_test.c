/*
 * message_test.c - the message file: what is opened, and what is read.
 */
#include "spool/message.h"

#include "spool/test_files.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Section 11's message file: 95 bytes, the body is the last four. */
static const char example[] = "from <alice@example.net>\n"
			      "to <bob@example.com>\n"
			      "env-end\n"
			      "From: alice@example.net\n"
			      "Subject: hi\n"
			      "\n"
			      "Hi.\n";

struct place {
	char *dir;
	struct str path;
};

static void place_make(struct place *p)
{
	*p = (struct place){ .dir = test_dir_make() };
	str_addf(&p->path, "%s/24700", p->dir);
}

static void place_done(struct place *p)
{
	str_done(&p->path);
	test_dir_remove(p->dir);
}

static enum message_verdict open_at(const struct place *p, uint64_t offset,
				    struct message *ret, struct err *err)
{
	return message_open(str_cstr(&p->path), offset, ret, err);
}

static void test_body_begins_at_the_offset(void **state)
{
	struct str body = STR_INIT;
	struct message m;
	struct place p;
	struct stat st;
	struct err err;

	(void)state;
	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(stat(str_cstr(&p.path), &st), 0);
	assert_int_equal(open_at(&p, 91, &m, &err), MESSAGE_OK);
	assert_true(m.size == 95);
	assert_true(m.inode == st.st_ino);
	assert_true(m.mtime == st.st_mtim.tv_sec);
	assert_true(m.mtime_ns == st.st_mtim.tv_nsec);
	assert_true(message_body_size(&m) == 4);
	assert_int_equal(message_read(&m, 4096, &body, &err), 4);
	assert_slice_is(str_slice(&body), "Hi.\n");
	assert_int_equal(message_read(&m, 4096, &body, &err), 0);
	assert_slice_is(str_slice(&body), "Hi.\n");
	message_close(&m);
	str_done(&body);
	place_done(&p);
}

static void test_arrival_time_is_the_mtime(void **state)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
					  { 1709210096, 123456789 } };
	struct message m;
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(utimensat(AT_FDCWD, str_cstr(&p.path), times, 0), 0);
	assert_int_equal(open_at(&p, 0, &m, &err), MESSAGE_OK);
	assert_true(m.mtime == 1709210096);
	assert_int_equal(m.mtime_ns, 123456789);
	message_close(&m);
	place_done(&p);
}

static void test_chunks_are_exact_and_add_up(void **state)
{
	struct str whole = STR_INIT, body = STR_INIT;
	struct message m;
	struct place p;
	struct err err;

	(void)state;
	for (int i = 0; i < 1000; i++)
		str_addc(&whole, (char)i);
	place_make(&p);
	test_file_write(str_cstr(&p.path), str_slice(&whole));
	for (size_t max = 1; max <= 1001; max += 37) {
		uint64_t left = 990;

		str_clear(&body);
		assert_int_equal(open_at(&p, 10, &m, &err), MESSAGE_OK);
		while (left > 0) {
			size_t want = left < max ? (size_t)left : max;

			assert_int_equal(message_read(&m, max, &body, &err),
					 want);
			left -= want;
			assert_true(m.position == 1000 - left);
		}
		assert_int_equal(message_read(&m, max, &body, &err), 0);
		assert_true(slice_eq(str_slice(&body),
				     slice_from(str_slice(&whole), 10)));
		message_close(&m);
	}
	str_done(&body);
	str_done(&whole);
	place_done(&p);
}

static void test_rewind_starts_the_body_again(void **state)
{
	struct str body = STR_INIT;
	struct message m;
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(open_at(&p, 91, &m, &err), MESSAGE_OK);
	assert_int_equal(message_read(&m, 2, &body, &err), 2);
	message_rewind(&m);
	assert_int_equal(message_read(&m, 99, &body, &err), 4);
	message_rewind(&m);
	assert_int_equal(message_read(&m, 99, &body, &err), 4);
	assert_slice_is(str_slice(&body), "HiHi.\nHi.\n");
	message_close(&m);
	str_done(&body);
	place_done(&p);
}

static void test_body_may_be_empty(void **state)
{
	struct str body = STR_INIT;
	struct message m;
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(open_at(&p, 95, &m, &err), MESSAGE_OK);
	assert_true(message_body_size(&m) == 0);
	assert_int_equal(message_read(&m, 99, &body, &err), 0);
	message_close(&m);
	str_done(&body);
	place_done(&p);
}

/* ---- what is no message file -------------------------------------------- */

static void test_missing_file_is_permanent(void **state)
{
	struct message m;
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	assert_int_equal(open_at(&p, 0, &m, &err), MESSAGE_MISSING);
	assert_int_equal(err.code, ENOENT);
	place_done(&p);
}

static void make_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

/* Nobody writes to it: a blocking open would never return. */
static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_link(const char *path)
{
	assert_int_equal(symlink("/etc/passwd", path), 0);
}

static void make_dangling_link(const char *path)
{
	assert_int_equal(symlink("/nonexistent", path), 0);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	fd_close(fd);
}

static void test_irregular_files_are_told_apart_without_blocking(void **state)
{
	static void (*const makers[])(const char *path) = {
		make_directory,	    make_fifo,	 make_link,
		make_dangling_link, make_socket,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(makers); i++) {
		struct message m = { .fd = -77 };
		struct place p;
		struct err err;

		place_make(&p);
		makers[i](str_cstr(&p.path));
		alarm(10); /* an open that blocks ends the test */
		assert_int_equal(open_at(&p, 0, &m, &err), MESSAGE_IRREGULAR);
		alarm(0);
		assert_non_null(strstr(err.text, "not a regular file"));
		assert_int_equal(m.fd, -77);
		place_done(&p);
	}
}

/* A loop of links above the file says nothing of the file. */
static void test_trouble_on_the_way_is_temporary(void **state)
{
	struct str path = STR_INIT;
	struct message m;
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	str_addf(&path, "%s/loop/24700", p.dir);
	str_clear(&p.path);
	str_addf(&p.path, "%s/loop", p.dir);
	assert_int_equal(symlink("loop", str_cstr(&p.path)), 0);
	assert_int_equal(message_open(str_cstr(&path), 0, &m, &err),
			 MESSAGE_UNREADABLE);
	assert_int_equal(err.code, ELOOP);
	assert_int_equal(unlink(str_cstr(&p.path)), 0);
	test_file_write(str_cstr(&p.path), SLICE("no directory"));
	assert_int_equal(message_open(str_cstr(&path), 0, &m, &err),
			 MESSAGE_UNREADABLE);
	assert_int_equal(err.code, ENOTDIR);
	str_done(&path);
	place_done(&p);
}

static void test_file_without_permission_is_temporary(void **state)
{
	struct message m;
	struct place p;
	struct err err;
	pid_t child;

	(void)state;
	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(chmod(p.dir, 0755), 0);
	assert_int_equal(chmod(str_cstr(&p.path), 0), 0);
	child = test_fork();
	if (child == 0) {
		test_become_nobody();
		if (open_at(&p, 91, &m, &err) != MESSAGE_UNREADABLE)
			_exit(1);
		_exit(err.code == EACCES ? 0 : 2);
	}
	assert_int_equal(test_wait(child), 0);
	place_done(&p);
}

static void test_body_offset_beyond_the_end_is_temporary(void **state)
{
	static const uint64_t rows[] = { 96, INT64_MAX, UINT64_MAX };
	struct message m = { .fd = -77 };
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(open_at(&p, rows[i], &m, &err),
				 MESSAGE_UNREADABLE);
		assert_non_null(strstr(err.text, "beyond its end at 95"));
	}
	assert_int_equal(m.fd, -77);
	place_done(&p);
}

/* ---- changes while it is read ------------------------------------------- */

/* Opens, lets the file become `size` bytes long, then reads the rest. */
static ssize_t read_after_resize(size_t before, off_t size, struct str *body,
				 struct err *err)
{
	struct message m;
	struct place p;
	ssize_t n;

	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(open_at(&p, 54, &m, err), MESSAGE_OK);
	assert_int_equal(message_read(&m, before, body, err), before);
	assert_int_equal(truncate(str_cstr(&p.path), size), 0);
	n = message_read(&m, 4096, body, err);
	message_close(&m);
	place_done(&p);
	return n;
}

static void test_shrunk_file_is_an_error(void **state)
{
	static const struct {
		size_t before;
		off_t size;
	} rows[] = {
		{ 0, 94 },  { 0, 60 },	{ 0, 54 }, { 0, 0 },
		{ 10, 94 }, { 10, 64 }, { 10, 5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str body = STR_INIT;
		struct err err;

		assert_int_equal(read_after_resize(rows[i].before, rows[i].size,
						   &body, &err),
				 -1);
		assert_non_null(strstr(err.text, "has shrunk from 95"));
		assert_int_equal(body.len, rows[i].before);
		assert_int_equal(strlen(str_cstr(&body)), rows[i].before);
		str_done(&body);
	}
}

static void test_what_was_appended_is_not_read(void **state)
{
	struct str body = STR_INIT;
	struct err err;

	(void)state;
	assert_int_equal(read_after_resize(10, 9999, &body, &err), 31);
	assert_slice_is(str_slice(&body), example + 54);
	str_done(&body);
}

static void test_closing_twice_or_a_zero_struct_does_nothing(void **state)
{
	struct message zero = { 0 }, m;
	struct str body = STR_INIT;
	struct place p;
	struct err err;
	int fd;

	(void)state;
	fd = dup(0);
	if (fd < 0)
		assert_int_equal(open("/dev/null", O_RDONLY), 0);
	fd_close(fd);
	message_close(&zero);
	assert_true(fcntl(0, F_GETFD) >= 0);

	place_make(&p);
	test_file_write(str_cstr(&p.path), slice_of(example));
	assert_int_equal(open_at(&p, 0, &m, &err), MESSAGE_OK);
	fd = m.fd;
	message_close(&m);
	assert_int_equal(m.fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	message_close(&m);
	assert_int_equal(message_read(&m, 10, &body, &err), -1);
	str_done(&body);
	place_done(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_begins_at_the_offset),
		cmocka_unit_test(test_arrival_time_is_the_mtime),
		cmocka_unit_test(test_chunks_are_exact_and_add_up),
		cmocka_unit_test(test_rewind_starts_the_body_again),
		cmocka_unit_test(test_body_may_be_empty),
		cmocka_unit_test(test_missing_file_is_permanent),
		cmocka_unit_test(
		    test_irregular_files_are_told_apart_without_blocking),
		cmocka_unit_test(test_trouble_on_the_way_is_temporary),
		cmocka_unit_test(test_file_without_permission_is_temporary),
		cmocka_unit_test(test_body_offset_beyond_the_end_is_temporary),
		cmocka_unit_test(test_shrunk_file_is_an_error),
		cmocka_unit_test(test_what_was_appended_is_not_read),
		cmocka_unit_test(
		    test_closing_twice_or_a_zero_struct_does_nothing),
	};

	return TEST_RUN(tests);
}

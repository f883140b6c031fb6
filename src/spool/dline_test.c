/*
 * dline_test.c - `d` lines: format, reading, and appending that cannot spoil
 * a control file.
 *
 * pwritev2() is replaced by one that counts, can be missing, can write less,
 * and can let somebody else append at the worst moment.
 */
#include "spool/dline.h"

#include "spool/test_files.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* ---- a pwritev2() that watches ------------------------------------------ */

static struct {
	int calls, fail_errno;
	size_t at_most;	       /* bytes written at once; 0: all */
	const char *meanwhile; /* what another process appends afterwards */
} writes;

static void append_as_another(int fd, const char *text)
{
	char path[32]; /* "/proc/self/fd/" and an int */
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(fd_write_all(other, slice_of(text)), 0);
	fd_close(other);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset,
		 int flags)
{
	struct iovec cut[2];
	size_t left = writes.at_most;
	ssize_t n;

	assert_int_equal(count, 2);
	writes.calls++;
	if (writes.fail_errno != 0) {
		errno = writes.fail_errno;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		cut[i] = parts[i];
		if (writes.at_most > 0 && cut[i].iov_len > left)
			cut[i].iov_len = left;
		left -= writes.at_most > 0 ? cut[i].iov_len : 0;
	}
	n = syscall(SYS_pwritev2, fd, cut, (long)count, (long)offset, 0L,
		    (long)flags);
	if (writes.meanwhile != NULL)
		append_as_another(fd, writes.meanwhile);
	return n;
}

/* ---- a file ------------------------------------------------------------- */

struct file {
	char *dir;
	struct str path;
	int fd;
};

static void file_open(struct file *f, const char *text)
{
	*f = (struct file){ .dir = test_dir_make() };
	str_addf(&f->path, "%s/24700", f->dir);
	test_file_write(str_cstr(&f->path), slice_of(text));
	f->fd = open(str_cstr(&f->path), O_RDWR | O_CLOEXEC);
	assert_true(f->fd >= 0);
	memset(&writes, 0, sizeof(writes));
}

static void file_close(struct file *f)
{
	fd_close(f->fd);
	str_done(&f->path);
	test_dir_remove(f->dir);
}

static void assert_file_is(const struct file *f, const char *want)
{
	struct str now = STR_INIT;

	assert_true(test_file_read(str_cstr(&f->path), &now));
	assert_slice_is(str_slice(&now), want);
	str_done(&now);
}

/* ---- format ------------------------------------------------------------- */

/* The real line of section 8. */
static const char real[] =
    "d 250:377:305::1795293404\tUser2@example.com\001failed\0015.1.1\001"
    "smtp; 550 (no such [user])\001X-IP-addr; [192.0.2.9] "
    "(192.0.2.9|25|192.0.2.1|58450)\001smtp[23102]\t\r"
    "<<- MAIL From:<sender@example.org> BODY=8BITMIME SIZE=198\r"
    "->> 250 2.0.0 ok\r"
    "<<- RCPT To:<User2@example.com> NOTIFY=NEVER "
    "ORCPT=rfc822;User2@example.com\r"
    "->> 550 5.1.1 no such (user)\n";

static void test_real_line_is_printed_to_the_byte(void **state)
{
	const struct dline d = {
		.tag = ' ',
		.rcpt_offset = 250,
		.header_offset = 377,
		.dsn_offset = 305,
		.time = 1795293404,
		.notary = SLICE("User2@example.com\001failed\0015.1.1\001"
				"smtp; 550 (no such [user])\001"
				"X-IP-addr; [192.0.2.9] "
				"(192.0.2.9|25|192.0.2.1|58450)\001"
				"smtp[23102]"),
		.message = SLICE("\n<<- MAIL From:<sender@example.org> "
				 "BODY=8BITMIME SIZE=198\n"
				 "->> 250 2.0.0 ok\n"
				 "<<- RCPT To:<User2@example.com> NOTIFY=NEVER "
				 "ORCPT=rfc822;User2@example.com\n"
				 "->> 550 5.1.1 no such (user)"),
	};
	struct str got = STR_INIT;

	(void)state;
	dline_print(&got, &d);
	assert_slice_is(str_slice(&got), real);
	str_done(&got);
}

static void test_real_line_is_read_back(void **state)
{
	struct dline d;
	struct err err;

	(void)state;
	assert_int_equal(
	    dline_parse(slice_make(real, sizeof(real) - 2), &d, &err), 0);
	assert_int_equal(d.tag, ' ');
	assert_true(d.rcpt_offset == 250);
	assert_true(d.header_offset == 377);
	assert_true(d.dsn_offset == 305);
	assert_true(d.time == 1795293404);
	assert_slice_is(slice_head(d.notary, 24),
			"User2@example.com\001failed");
	assert_slice_is(slice_head(d.message, 11), "\r<<- MAIL F");
}

static void test_line_of_a_recipient_names_its_offsets(void **state)
{
	struct str text = STR_INIT, got = STR_INIT;
	struct arena *a = arena_new();
	struct dline d;
	struct ctl ctl;
	struct err err;

	(void)state;
	TEST_BUILD(test_full, &text);
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err), CTL_OK);
	d = dline_of_rcpt(&ctl.rcpts[0], 1767268805, SLICE("n"), SLICE("m"));
	dline_print(&got, &d);
	assert_slice_is(str_slice(&got), "d 148:433:199::1767268805\tn\tm\n");
	str_clear(&got);
	d = dline_of_rcpt(&ctl.rcpts[3], -1, SLICE(""), SLICE(""));
	dline_print(&got, &d);
	assert_slice_is(str_slice(&got), "d 682:724:-1::-1\t\t\n");
	arena_free(a);
	str_done(&got);
	str_done(&text);
}

/* The last line of section 12, made from its parts. */
static void test_line_of_the_full_example(void **state)
{
	struct str text = STR_INIT, got = STR_INIT;
	struct arena *a = arena_new();
	struct dline d;
	struct ctl ctl;
	struct err err;

	(void)state;
	TEST_BUILD(test_full, &text);
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err), CTL_OK);
	d = dline_of_rcpt(
	    &ctl.rcpts[1], 1767268805,
	    SLICE("carol@example.com\001failed\0015.1.1\001smtp; 550 (unknown)"
		  "\001dns; mx.example.com (192.0.2.9|25|192.0.2.1|40000)\001"
		  "smtp[4711]"),
	    SLICE("\n<<- RCPT To:<carol@example.com>\n->> 550 5.1.1 unknown"));
	dline_print(&got, &d);
	assert_true(
	    slice_eq(str_slice(&got), slice_from(str_slice(&text), 776)));
	arena_free(a);
	str_done(&got);
	str_done(&text);
}

/* Nothing in the texts can end the line, move the TABs or hide the rest. */
static void test_control_bytes_cannot_break_the_line(void **state)
{
	const struct dline d = {
		.tag = '+',
		.rcpt_offset = 1,
		.header_offset = -1,
		.dsn_offset = -1,
		.notary = { "a\nb\tc\0d\re", 9 },
		.message = { "f\ng\th\0i\rj", 9 },
	};
	struct str got = STR_INIT;

	(void)state;
	dline_print(&got, &d);
	assert_slice_is(str_slice(&got),
			"d+1:-1:-1::0\ta\rb c?d\re\tf\rg\th?i\rj\n");
	str_done(&got);
}

static void test_message_is_cut_at_the_limit(void **state)
{
	struct str message = STR_INIT, got = STR_INIT;
	struct dline d = { .tag = ' ' }, back;
	struct err err;

	(void)state;
	while (message.len < DLINE_MESSAGE_MAX - 1)
		str_addc(&message, 'a');
	str_adds(&message, "ZX");
	d.message = str_slice(&message);
	dline_print(&got, &d);
	assert_int_equal(
	    dline_parse(slice_head(str_slice(&got), got.len - 1), &back, &err),
	    0);
	assert_int_equal(back.message.len, DLINE_MESSAGE_MAX);
	assert_int_equal(back.message.p[DLINE_MESSAGE_MAX - 1], 'Z');
	str_done(&got);
	str_done(&message);
}

static void test_malformed_lines_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"d",
		"d ",
		"x 1:2:3::4\tn\tm",
		"d-1:2:3::4\tn\tm",
		"d 1",
		"d 1:2",
		"d 1:2:3",
		"d 1:2:3:",
		"d 1:2:3::",
		"d 1:2:3::4",
		"d 1:2:3::4\t",
		"d 1:2:3::4\tn",
		"d :2:3::4\tn\tm",
		"d 1::3::4\tn\tm",
		"d 1:2:::4\tn\tm",
		"d 1:2:3::\tn\tm",
		"d -1:2:3::4\tn\tm",
		"d 1:-2:3::4\tn\tm",
		"d 1:2:-3::4\tn\tm",
		"d 1x:2:3::4\tn\tm",
		"d 1:2:3::4 \tn\tm",
		"d 1:2:3::--4\tn\tm",
		"d 18446744073709551616:2:3::4\tn\tm",
		"d 1:9223372036854775808:3::4\tn\tm",
		"d 1:2:9223372036854775808::4\tn\tm",
		"d 1:2:3::9223372036854775808\tn\tm",
		"d\t1:2:3::4 n m",
	};
	struct dline d = { .tag = 'U' };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(dline_parse(slice_of(rows[i]), &d, &err), -1);
	assert_int_equal(d.tag, 'U');
}

/* Other writers fill the unused part, or have colons and TABs behind it. */
static void test_lines_of_other_writers_are_read(void **state)
{
	struct dline d;
	struct err err;

	(void)state;
	assert_int_equal(
	    dline_parse(SLICE("d+1:-1:-1:99:-4\ta:b\tc:d\te"), &d, &err), 0);
	assert_int_equal(d.tag, '+');
	assert_true(d.header_offset == -1 && d.dsn_offset == -1);
	assert_true(d.time == -4);
	assert_slice_is(d.notary, "a:b");
	assert_slice_is(d.message, "c:d\te");
}

/* ---- appending ---------------------------------------------------------- */

static void test_append_is_one_write_at_the_end(void **state)
{
	struct file f;
	struct err err;

	(void)state;
	file_open(&f, "first\n");
	assert_int_equal(dline_append(f.fd, SLICE("d 1\nd 2\n"), &err), 0);
	assert_int_equal(writes.calls, 1);
	assert_file_is(&f, "first\nd 1\nd 2\n");
	/* wherever the position stands, and after others */
	append_as_another(f.fd, "other\n");
	assert_int_equal(lseek(f.fd, 2, SEEK_SET), 2);
	assert_int_equal(dline_append(f.fd, SLICE("d 3\n"), &err), 0);
	assert_file_is(&f, "first\nd 1\nd 2\nother\nd 3\n");
	file_close(&f);
}

/* Else a mark through the same descriptor would go to the end of the file. */
static void test_append_leaves_no_append_mode_behind(void **state)
{
	struct file f;
	struct err err;

	(void)state;
	file_open(&f, "first\n");
	assert_int_equal(dline_append(f.fd, SLICE("d 1\n"), &err), 0);
	assert_int_equal(pwrite(f.fd, "F", 1, 0), 1);
	assert_file_is(&f, "First\nd 1\n");
	writes.fail_errno = EOPNOTSUPP;
	assert_int_equal(dline_append(f.fd, SLICE("d 2\n"), &err), 0);
	assert_int_equal(pwrite(f.fd, "G", 1, 0), 1);
	assert_file_is(&f, "Girst\nd 1\nd 2\n");
	assert_int_equal(fcntl(f.fd, F_GETFL) & O_APPEND, 0);
	file_close(&f);
}

static void test_append_without_the_flag_in_the_system(void **state)
{
	static const int rows[] = { EOPNOTSUPP, ENOSYS };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct file f;
		struct err err;

		file_open(&f, "first\n");
		writes.fail_errno = rows[i];
		assert_int_equal(dline_append(f.fd, SLICE("d 1\n"), &err), 0);
		assert_file_is(&f, "first\nd 1\n");
		file_close(&f);
	}
}

static void test_torn_line_of_another_does_not_swallow_ours(void **state)
{
	struct file f;
	struct err err;

	(void)state;
	file_open(&f, "first\nd 333:4");
	assert_int_equal(dline_append(f.fd, SLICE("d 1\n"), &err), 0);
	assert_int_equal(writes.calls, 1);
	assert_file_is(&f, "first\nd 333:4\nd 1\n");
	file_close(&f);
	file_open(&f, "");
	assert_int_equal(dline_append(f.fd, SLICE("d 1\n"), &err), 0);
	assert_file_is(&f, "d 1\n");
	file_close(&f);
}

static void test_failed_append_changes_nothing(void **state)
{
	struct file f;
	struct err err;

	(void)state;
	file_open(&f, "first\n");
	writes.fail_errno = ENOSPC;
	assert_int_equal(dline_append(f.fd, SLICE("d 1\n"), &err), -1);
	assert_int_equal(err.code, ENOSPC);
	assert_file_is(&f, "first\n");
	assert_int_equal(dline_append(-1, SLICE("d 1\n"), &err), -1);
	assert_int_equal(err.code, EBADF);
	file_close(&f);
}

/* Every length of a torn write, with and without the LF put before it. */
static void test_torn_append_is_cut_back(void **state)
{
	static const char *const files[] = { "first\n", "first\ntorn", "" };
	static const char line[] = "d 1:2:3::4\tn\tm\n";

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++)
		for (size_t n = 1; n < sizeof(line) - 1; n++) {
			struct file f;
			struct err err;

			file_open(&f, files[i]);
			writes.at_most = n;
			assert_int_equal(
			    dline_append(f.fd, slice_of(line), &err), -1);
			assert_non_null(strstr(err.text, "only"));
			assert_file_is(&f, files[i]);
			file_close(&f);
		}
}

static void test_torn_append_never_cuts_what_others_appended(void **state)
{
	static const struct {
		size_t at_most;
		const char *want;
	} rows[] = {
		{ 1, "first\n\nd 9:9:9::9\tx\ty\n" },
		{ 2, "first\n#\nd 9:9:9::9\tx\ty\n" },
		{ 7, "first\n######\nd 9:9:9::9\tx\ty\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct file f;
		struct err err;

		file_open(&f, "first\n");
		writes.at_most = rows[i].at_most;
		writes.meanwhile = "d 9:9:9::9\tx\ty\n";
		assert_int_equal(
		    dline_append(f.fd, SLICE("d 1:2:3::4\tn\tm\n"), &err), -1);
		assert_file_is(&f, rows[i].want);
		file_close(&f);
	}
}

/* The system's own short write: a full disk in small. */
static void test_append_at_the_file_size_limit_is_cut_back(void **state)
{
	static const char line[] = "d 1:2:3::4\tn\tm\n";
	struct rlimit kept, limit;
	struct file f;
	struct err err;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	for (size_t room = 0; room < sizeof(line); room++) {
		int r;

		file_open(&f, "first\n");
		limit = kept;
		limit.rlim_cur = strlen("first\n") + room;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		r = dline_append(f.fd, slice_of(line), &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
		if (room == sizeof(line) - 1) {
			assert_int_equal(r, 0);
		} else {
			assert_int_equal(r, -1);
			assert_file_is(&f, "first\n");
		}
		file_close(&f);
	}
	assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_line_is_printed_to_the_byte),
		cmocka_unit_test(test_real_line_is_read_back),
		cmocka_unit_test(test_line_of_a_recipient_names_its_offsets),
		cmocka_unit_test(test_line_of_the_full_example),
		cmocka_unit_test(test_control_bytes_cannot_break_the_line),
		cmocka_unit_test(test_message_is_cut_at_the_limit),
		cmocka_unit_test(test_malformed_lines_are_refused),
		cmocka_unit_test(test_lines_of_other_writers_are_read),
		cmocka_unit_test(test_append_is_one_write_at_the_end),
		cmocka_unit_test(test_append_leaves_no_append_mode_behind),
		cmocka_unit_test(test_append_without_the_flag_in_the_system),
		cmocka_unit_test(
		    test_torn_line_of_another_does_not_swallow_ours),
		cmocka_unit_test(test_failed_append_changes_nothing),
		cmocka_unit_test(test_torn_append_is_cut_back),
		cmocka_unit_test(
		    test_torn_append_never_cuts_what_others_appended),
		cmocka_unit_test(
		    test_append_at_the_file_size_limit_is_cut_back),
	};

	return TEST_RUN(tests);
}

/*
 * lock_test.c - taking and marking recipients: the bytes and the byte lock.
 *
 * pwrite() is replaced by one that counts and can fail, to prove that each
 * transition is one write of seven bytes.
 */
#include "spool/lock.h"

#include "spool/test_disk.h"

#include <errno.h>
#include <signal.h>

/* ---- a pwrite() that watches -------------------------------------------- */

static struct {
	int calls, fail_errno;
	size_t last_len, at_most; /* at_most 0: all */
	off_t last_offset;
} writes;

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	writes.calls++;
	writes.last_len = len;
	writes.last_offset = offset;
	if (writes.fail_errno != 0) {
		errno = writes.fail_errno;
		return -1;
	}
	if (writes.calls == 1 && writes.at_most > 0 && writes.at_most < len)
		len = writes.at_most;
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

static void open_minimal(struct disk *d)
{
	disk_open_minimal(d);
	memset(&writes, 0, sizeof(writes));
}

static enum lock_result take(const struct disk *d, pid_t pid)
{
	struct err err;

	return lock_take(d->fd, rcpt_of(d), pid, &err);
}

/* ---- transitions -------------------------------------------------------- */

static void test_life_of_bytes_65_to_71(void **state)
{
	struct disk d;
	struct err err;

	(void)state;
	open_minimal(&d);
	assert_int_equal(rcpt_of(&d)->offset, 64);
	assert_bytes(&d, "       ");
	assert_int_equal(take(&d, 31967), LOCK_TAKEN);
	assert_bytes(&d, "~ 31967");
	assert_int_equal(writes.calls, 1);
	assert_int_equal(writes.last_len, 7);
	assert_int_equal(writes.last_offset, 65);
	assert_int_equal(lock_mark(d.fd, rcpt_of(&d), LOCK_MARK_DONE, &err), 0);
	assert_bytes(&d, "+      ");
	assert_int_equal(writes.calls, 2);
	assert_int_equal(writes.last_len, 7);
	assert_int_equal(writes.last_offset, 65);
	disk_close(&d);
}

static void test_pid_is_right_justified_in_six_bytes(void **state)
{
	static const struct {
		pid_t pid;
		const char *want;
	} rows[] = {
		{ 0, "~     0" },
		{ 1, "~     1" },
		{ 4711, "~  4711" },
		{ 999999, "~999999" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct disk d;

		open_minimal(&d);
		assert_int_equal(take(&d, rows[i].pid), LOCK_TAKEN);
		assert_bytes(&d, rows[i].want);
		disk_close(&d);
	}
}

static void test_every_mark_is_one_write_of_seven_bytes(void **state)
{
	static const struct {
		enum lock_mark mark;
		const char *want;
	} rows[] = {
		{ LOCK_MARK_DONE, "+      " },
		{ LOCK_MARK_FAILED, "-      " },
		{ LOCK_MARK_TODO, "       " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct disk d;
		struct err err;

		open_minimal(&d);
		assert_int_equal(take(&d, 999999), LOCK_TAKEN);
		memset(&writes, 0, sizeof(writes));
		assert_int_equal(
		    lock_mark(d.fd, rcpt_of(&d), rows[i].mark, &err), 0);
		assert_bytes(&d, rows[i].want);
		assert_int_equal(writes.calls, 1);
		assert_int_equal(writes.last_len, 7);
		/* the byte stays ours until the file is closed */
		assert_false(is_byte_free(&d));
		disk_close(&d);
	}
}

static void test_deferred_recipient_can_be_taken_again(void **state)
{
	struct disk d;
	struct err err;

	(void)state;
	open_minimal(&d);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(&d, 10 + i), LOCK_TAKEN);
		assert_int_equal(
		    lock_mark(d.fd, rcpt_of(&d), LOCK_MARK_TODO, &err), 0);
		lock_release(d.fd, rcpt_of(&d));
	}
	assert_bytes(&d, "       ");
	disk_close(&d);
}

static void test_taking_is_refused_when_the_tag_has_changed(void **state)
{
	static const char *const rows[] = { "~  4711", "+      ", "-      ",
					    "~     0", "x      " };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct disk d;

		open_minimal(&d);
		put_bytes(&d, rows[i]);
		assert_int_equal(take(&d, 31967), LOCK_BUSY);
		assert_bytes(&d, rows[i]);
		assert_int_equal(writes.calls, 0);
		assert_true(is_byte_free(&d));
		disk_close(&d);
	}
}

/* Deferral or failure must not take back what somebody has finished. */
static void test_final_tag_is_not_taken_back(void **state)
{
	static const struct {
		const char *disk;
		enum lock_mark mark;
		const char *want; /* NULL: refused */
	} rows[] = {
		{ "+      ", LOCK_MARK_TODO, NULL },
		{ "-      ", LOCK_MARK_TODO, NULL },
		{ "+      ", LOCK_MARK_FAILED, NULL },
		{ "x      ", LOCK_MARK_FAILED, NULL },
		/* a lock that somebody has cleared */
		{ "       ", LOCK_MARK_TODO, "       " },
		{ "       ", LOCK_MARK_FAILED, "-      " },
		/* delivered is delivered */
		{ "       ", LOCK_MARK_DONE, "+      " },
		{ "-      ", LOCK_MARK_DONE, "+      " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct disk d;
		struct err err = { 0 };
		int r;

		open_minimal(&d);
		assert_int_equal(take(&d, 31967), LOCK_TAKEN);
		put_bytes(&d, rows[i].disk);
		r = lock_mark(d.fd, rcpt_of(&d), rows[i].mark, &err);
		assert_int_equal(r, rows[i].want != NULL ? 0 : -1);
		assert_bytes(&d, rows[i].want != NULL ? rows[i].want
						      : rows[i].disk);
		if (r < 0)
			assert_non_null(strstr(err.text, "expected '~'"));
		disk_close(&d);
	}
}

static void test_recipients_are_locked_one_by_one(void **state)
{
	static const char text[] = "i 1\no 0\nl x\ns c h f 1\n"
				   "r           c h a 1\n"
				   "r           c h b 1\nm\n\n";
	struct disk d;
	struct err err;
	int other;

	(void)state;
	disk_open(&d, slice_of(text));
	other = open(str_cstr(&d.path), O_RDWR | O_CLOEXEC);
	assert_int_equal(take(&d, 1), LOCK_TAKEN);
	assert_int_equal(lock_take(other, &d.ctl.rcpts[0], 2, &err), LOCK_BUSY);
	assert_int_equal(lock_take(other, &d.ctl.rcpts[1], 2, &err),
			 LOCK_TAKEN);
	fd_close(other);
	disk_close(&d);
}

/* The original fails on an `r` line that ends within 15 bytes of the end. */
static void test_recipient_at_the_very_end_of_the_file(void **state)
{
	struct ctl_rcpt rcpt = { .offset = 64, .has_pid_slot = true };
	struct disk d;
	struct err err;

	(void)state;
	open_minimal(&d);
	assert_int_equal(ftruncate(d.fd, 64 + 8), 0);
	assert_int_equal(lock_take(d.fd, &rcpt, 12, &err), LOCK_TAKEN);
	assert_int_equal(lock_mark(d.fd, &rcpt, LOCK_MARK_FAILED, &err), 0);
	str_cut(&d.text, 64 + 8);
	assert_bytes(&d, "-      ");
	disk_close(&d);
}

/* ---- what cannot be locked ---------------------------------------------- */

static void test_ancient_recipient_without_pid_slot_is_an_error(void **state)
{
	static const char text[] = "i 1\no 0\nl x\ns c h f 1\n"
				   "r smtp example.com bob 1\nm\n\n";
	struct disk d;
	struct err err;

	(void)state;
	disk_open(&d, slice_of(text));
	assert_false(rcpt_of(&d)->has_pid_slot);
	assert_int_equal(lock_take(d.fd, rcpt_of(&d), 12, &err), LOCK_ERROR);
	assert_non_null(strstr(err.text, "byte 22 has no pid slot"));
	assert_bytes(&d, " smtp e");
	assert_true(is_byte_free(&d));
	disk_close(&d);
}

static void test_file_that_changed_under_us_is_an_error(void **state)
{
	static const struct {
		size_t offset;
		off_t cut;
		const char *why;
	} rows[] = {
		{ 63, 152, "not 'r'" },	 /* the LF before */
		{ 64, 71, "cut off" },	 /* within the slot */
		{ 64, 64, "cut off" },	 /* before the line */
		{ 113, 152, "not 'r'" }, /* an `m` */
		{ 9999, 152, "cut off" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_rcpt rcpt = { .offset = rows[i].offset,
					 .has_pid_slot = true };
		struct disk d;
		struct err err;

		open_minimal(&d);
		assert_int_equal(ftruncate(d.fd, rows[i].cut), 0);
		assert_int_equal(lock_take(d.fd, &rcpt, 12, &err), LOCK_ERROR);
		assert_non_null(strstr(err.text, rows[i].why));
		assert_int_equal(lock_mark(d.fd, &rcpt, LOCK_MARK_TODO, &err),
				 -1);
		assert_int_equal(writes.calls, 0);
		disk_close(&d);
	}
}

static void test_descriptor_that_cannot_write_is_an_error(void **state)
{
	struct disk d;
	struct err err;
	int fd;

	(void)state;
	open_minimal(&d);
	fd = open(str_cstr(&d.path), O_RDONLY | O_CLOEXEC);
	assert_int_equal(lock_take(fd, rcpt_of(&d), 12, &err), LOCK_ERROR);
	assert_int_equal(err.code, EBADF);
	assert_int_equal(lock_mark(fd, rcpt_of(&d), LOCK_MARK_DONE, &err), -1);
	fd_close(fd);
	assert_int_equal(lock_take(-1, rcpt_of(&d), 12, &err), LOCK_ERROR);
	assert_bytes(&d, "       ");
	disk_close(&d);
}

static void test_failed_write_leaves_the_recipient_to_be_done(void **state)
{
	struct disk d;
	struct err err;

	(void)state;
	open_minimal(&d);
	writes.fail_errno = EIO;
	assert_int_equal(lock_take(d.fd, rcpt_of(&d), 12, &err), LOCK_ERROR);
	assert_int_equal(err.code, EIO);
	assert_bytes(&d, "       ");
	assert_true(is_byte_free(&d));
	disk_close(&d);
}

static void test_torn_write_of_a_lock_is_undone(void **state)
{
	struct disk d;
	struct err err;

	(void)state;
	open_minimal(&d);
	writes.at_most = 5;
	assert_int_equal(lock_take(d.fd, rcpt_of(&d), 123456, &err),
			 LOCK_ERROR);
	assert_int_equal(writes.calls, 2);
	assert_bytes(&d, "       ");
	assert_true(is_byte_free(&d));
	disk_close(&d);
}

/* ---- the byte lock ------------------------------------------------------ */

static void test_byte_lock_of_another_process_excludes_us(void **state)
{
	struct disk d;
	pid_t child;

	(void)state;
	open_minimal(&d);
	child = fork_holder(&d);
	assert_int_equal(take(&d, 12), LOCK_BUSY);
	assert_bytes(&d, "       ");
	test_kill(child);
	assert_int_equal(take(&d, 12), LOCK_TAKEN);
	assert_bytes(&d, "~    12");
	disk_close(&d);
}

static void test_lock_lasts_until_release_or_close(void **state)
{
	struct disk d;
	struct err err;
	int other;

	(void)state;
	open_minimal(&d);
	other = open(str_cstr(&d.path), O_RDWR | O_CLOEXEC);
	assert_int_equal(take(&d, 12), LOCK_TAKEN);
	assert_int_equal(lock_mark(d.fd, rcpt_of(&d), LOCK_MARK_TODO, &err), 0);
	assert_int_equal(lock_take(other, rcpt_of(&d), 13, &err), LOCK_BUSY);
	lock_release(d.fd, rcpt_of(&d));
	assert_int_equal(lock_take(other, rcpt_of(&d), 13, &err), LOCK_TAKEN);
	assert_bytes(&d, "~    13");
	assert_false(is_byte_free(&d));
	fd_close(other);
	assert_true(is_byte_free(&d));
	disk_close(&d);
}

/* The lock belongs to the open file: a child's copy keeps it alive. */
static void test_closing_another_descriptor_frees_nothing(void **state)
{
	struct disk d;

	(void)state;
	open_minimal(&d);
	assert_int_equal(take(&d, 12), LOCK_TAKEN);
	fd_close(open(str_cstr(&d.path), O_RDWR | O_CLOEXEC));
	assert_false(is_byte_free(&d));
	disk_close(&d);
}

static void test_slot_pid_table(void **state)
{
	static const struct {
		pid_t own, parent;
		bool is_ours;
		enum slot_pid want;
		pid_t pid;
	} rows[] = {
		{ 4711, 1, false, SLOT_PID_OWN, 4711 },
		{ 4711, 1, true, SLOT_PID_OWN, 4711 },
		{ 1, 0, false, SLOT_PID_OWN, 1 },
		{ 999999, 7, false, SLOT_PID_OWN, 999999 },
		{ 1000000, 999999, false, SLOT_PID_PARENT, 999999 },
		{ 1000000, 7, true, SLOT_PID_PARENT, 7 },
		{ 4194303, 2, false, SLOT_PID_PARENT, 2 },
		{ 1000000, 1000000, true, SLOT_PID_ZERO, 0 },
		{ 1000000, 1000000, false, SLOT_PID_NONE, -77 },
		{ 1000000, 1, true, SLOT_PID_ZERO, 0 },
		{ 1000000, 1, false, SLOT_PID_NONE, -77 },
		{ 1000000, 0, true, SLOT_PID_ZERO, 0 },
		{ 1000000, 0, false, SLOT_PID_NONE, -77 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		pid_t pid = -77;

		assert_int_equal(slot_pid_choose(rows[i].own, rows[i].parent,
						 rows[i].is_ours, &pid),
				 rows[i].want);
		assert_int_equal(pid, rows[i].pid);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_bytes_65_to_71),
		cmocka_unit_test(test_pid_is_right_justified_in_six_bytes),
		cmocka_unit_test(test_every_mark_is_one_write_of_seven_bytes),
		cmocka_unit_test(test_deferred_recipient_can_be_taken_again),
		cmocka_unit_test(
		    test_taking_is_refused_when_the_tag_has_changed),
		cmocka_unit_test(test_final_tag_is_not_taken_back),
		cmocka_unit_test(test_recipients_are_locked_one_by_one),
		cmocka_unit_test(test_recipient_at_the_very_end_of_the_file),
		cmocka_unit_test(
		    test_ancient_recipient_without_pid_slot_is_an_error),
		cmocka_unit_test(test_file_that_changed_under_us_is_an_error),
		cmocka_unit_test(test_descriptor_that_cannot_write_is_an_error),
		cmocka_unit_test(
		    test_failed_write_leaves_the_recipient_to_be_done),
		cmocka_unit_test(test_torn_write_of_a_lock_is_undone),
		cmocka_unit_test(test_byte_lock_of_another_process_excludes_us),
		cmocka_unit_test(test_lock_lasts_until_release_or_close),
		cmocka_unit_test(test_closing_another_descriptor_frees_nothing),
		cmocka_unit_test(test_slot_pid_table),
	};

	return TEST_RUN(tests);
}

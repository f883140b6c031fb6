/*
 * lock_judge_test.c - is a `~` alive or stale, and clearing it.
 */
#include "spool/lock.h"

#include "spool/test_disk.h"

#include <errno.h>

/* What one test needs: a file, and a directory that stands for transport/. */
struct judged {
	struct disk disk;
	char *transport;
};

static void judged_open(struct judged *j)
{
	disk_open_minimal(&j->disk);
	j->transport = test_dir_make();
}

static void judged_close(struct judged *j)
{
	disk_close(&j->disk);
	test_dir_remove(j->transport);
}

static void put_pid(const struct judged *j, pid_t pid)
{
	char bytes[16];

	if (pid > 999999)
		skip(); /* does not fit the slot at all */
	snprintf(bytes, sizeof(bytes), "~%6d", (int)pid);
	put_bytes(&j->disk, bytes);
}

static enum lock_state judge(const struct judged *j)
{
	return lock_judge(j->disk.fd, rcpt_of(&j->disk), j->transport);
}

/* A child that does nothing in a directory until it is killed. */
static pid_t fork_idler(const char *dir)
{
	int ready[2];
	pid_t child;
	char c;

	assert_int_equal(pipe(ready), 0);
	child = test_fork();
	if (child == 0) {
		c = chdir(dir) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &c, 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	fd_close(ready[0]);
	fd_close(ready[1]);
	return child;
}

/* The pid of a process that has ended and been waited for. */
static pid_t dead_pid(void)
{
	pid_t child = test_fork();

	if (child == 0)
		_exit(0);
	test_wait(child);
	return child;
}

static void test_tag_that_is_no_lock_is_free(void **state)
{
	static const char *const rows[] = { "       ", "+      ", "-      ",
					    "     12" };
	struct judged j;

	(void)state;
	judged_open(&j);
	for (size_t i = 0; i < COUNT(rows); i++) {
		put_bytes(&j.disk, rows[i]);
		assert_int_equal(judge(&j), LOCK_STATE_FREE);
	}
	judged_close(&j);
}

static void test_held_byte_lock_is_live_whatever_the_slot_says(void **state)
{
	struct judged j;
	pid_t holder;

	(void)state;
	judged_open(&j);
	holder = fork_holder(&j.disk);
	put_bytes(&j.disk, "~     0");
	assert_int_equal(judge(&j), LOCK_STATE_LIVE);
	put_pid(&j, dead_pid());
	assert_int_equal(judge(&j), LOCK_STATE_LIVE);
	put_pid(&j, getpid());
	assert_int_equal(judge(&j), LOCK_STATE_LIVE);
	test_kill(holder);
	assert_int_equal(judge(&j), LOCK_STATE_STALE);
	judged_close(&j);
}

static void test_slot_without_a_pid_is_stale(void **state)
{
	static const char *const rows[] = { "~     0", "~      ", "~000000",
					    "~1 2 3 " };
	struct judged j;

	(void)state;
	judged_open(&j);
	for (size_t i = 0; i < COUNT(rows); i++) {
		put_bytes(&j.disk, rows[i]);
		assert_int_equal(judge(&j), LOCK_STATE_STALE);
	}
	judged_close(&j);
}

static void test_dead_pid_is_stale(void **state)
{
	struct judged j;

	(void)state;
	judged_open(&j);
	put_pid(&j, dead_pid());
	assert_int_equal(judge(&j), LOCK_STATE_STALE);
	judged_close(&j);
}

/* Whoever judges knows best that it does not work on it. */
static void test_own_pid_is_stale(void **state)
{
	struct judged j;

	(void)state;
	judged_open(&j);
	put_pid(&j, getpid());
	/* "." is where we work: only the pid can tell. */
	assert_int_equal(lock_judge(j.disk.fd, rcpt_of(&j.disk), "."),
			 LOCK_STATE_STALE);
	judged_close(&j);
}

static void test_process_in_the_transport_directory_is_live(void **state)
{
	struct judged j;
	struct str link = STR_INIT;
	pid_t idler;

	(void)state;
	judged_open(&j);
	idler = fork_idler(j.transport);
	put_pid(&j, idler);
	assert_int_equal(judge(&j), LOCK_STATE_LIVE);
	/* the same directory by another name */
	str_addf(&link, "%s/link", j.disk.dir);
	assert_int_equal(symlink(j.transport, str_cstr(&link)), 0);
	assert_int_equal(
	    lock_judge(j.disk.fd, rcpt_of(&j.disk), str_cstr(&link)),
	    LOCK_STATE_LIVE);
	/* a directory that cannot be looked at proves nothing */
	assert_int_equal(
	    lock_judge(j.disk.fd, rcpt_of(&j.disk), "/nonexistent/dir"),
	    LOCK_STATE_LIVE);
	test_kill(idler);
	assert_int_equal(judge(&j), LOCK_STATE_STALE);
	str_done(&link);
	judged_close(&j);
}

static void test_process_that_works_elsewhere_is_stale(void **state)
{
	struct judged j;
	pid_t idler;

	(void)state;
	judged_open(&j);
	idler = fork_idler("/");
	put_pid(&j, idler);
	assert_int_equal(judge(&j), LOCK_STATE_STALE);
	test_kill(idler);
	judged_close(&j);
}

/* Dead, but its parent has not looked yet: kill(pid, 0) still succeeds. */
static void test_zombie_is_stale(void **state)
{
	struct judged j;
	siginfo_t info;
	pid_t child;

	(void)state;
	judged_open(&j);
	child = test_fork();
	if (child == 0)
		_exit(chdir(j.transport) == 0 ? 0 : 1);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT),
			 0);
	assert_int_equal(kill(child, 0), 0);
	put_pid(&j, child);
	assert_int_equal(judge(&j), LOCK_STATE_STALE);
	assert_int_equal(test_wait(child), 0);
	judged_close(&j);
}

/* Another user's process: alive, and where it works is not shown to us. */
static void test_process_that_proc_does_not_show_is_live(void **state)
{
	struct judged j;
	pid_t asker;

	(void)state;
	judged_open(&j);
	put_pid(&j, 1);
	asker = test_fork();
	if (asker == 0) {
		test_become_nobody();
		if (kill(1, 0) == 0 || errno != EPERM)
			_exit(1);
		_exit(judge(&j) == LOCK_STATE_LIVE ? 0 : 2);
	}
	assert_int_equal(test_wait(asker), 0);
	judged_close(&j);
}

static void test_what_cannot_be_read_is_live(void **state)
{
	struct ctl_rcpt ancient = { .offset = 64 };
	struct judged j;

	(void)state;
	judged_open(&j);
	assert_int_equal(lock_judge(-1, rcpt_of(&j.disk), j.transport),
			 LOCK_STATE_LIVE);
	assert_int_equal(lock_judge(j.disk.fd, &ancient, j.transport),
			 LOCK_STATE_LIVE);
	assert_int_equal(ftruncate(j.disk.fd, 70), 0);
	assert_int_equal(judge(&j), LOCK_STATE_LIVE);
	judged_close(&j);
}

/* ---- clearing ----------------------------------------------------------- */

static void test_stale_lock_is_cleared_to_a_space(void **state)
{
	struct judged j;
	struct err err;

	(void)state;
	judged_open(&j);
	put_pid(&j, dead_pid());
	assert_int_equal(
	    lock_clear_stale(j.disk.fd, rcpt_of(&j.disk), j.transport, &err),
	    0);
	assert_bytes(&j.disk, "       ");
	assert_true(is_byte_free(&j.disk));
	assert_int_equal(lock_take(j.disk.fd, rcpt_of(&j.disk), 12, &err),
			 LOCK_TAKEN);
	judged_close(&j);
}

static void test_live_lock_is_not_cleared(void **state)
{
	struct judged j;
	struct err err;
	pid_t child;

	(void)state;
	judged_open(&j);
	child = fork_idler(j.transport);
	put_pid(&j, child);
	assert_int_equal(
	    lock_clear_stale(j.disk.fd, rcpt_of(&j.disk), j.transport, &err),
	    -1);
	assert_non_null(strstr(err.text, "being worked on"));
	assert_int_equal(judge(&j), LOCK_STATE_LIVE);
	assert_true(is_byte_free(&j.disk));
	test_kill(child);

	child = fork_holder(&j.disk);
	put_bytes(&j.disk, "~     0");
	assert_int_equal(
	    lock_clear_stale(j.disk.fd, rcpt_of(&j.disk), j.transport, &err),
	    -1);
	assert_bytes(&j.disk, "~     0");
	test_kill(child);
	judged_close(&j);
}

static void test_clearing_leaves_other_tags_alone(void **state)
{
	static const char *const rows[] = { "       ", "+      ", "-      " };
	struct judged j;
	struct err err;

	(void)state;
	judged_open(&j);
	for (size_t i = 0; i < COUNT(rows); i++) {
		put_bytes(&j.disk, rows[i]);
		assert_int_equal(lock_clear_stale(j.disk.fd, rcpt_of(&j.disk),
						  j.transport, &err),
				 0);
		assert_bytes(&j.disk, rows[i]);
	}
	assert_int_equal(
	    lock_clear_stale(-1, rcpt_of(&j.disk), j.transport, &err), -1);
	assert_int_equal(err.code, EBADF);
	judged_close(&j);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tag_that_is_no_lock_is_free),
		cmocka_unit_test(
		    test_held_byte_lock_is_live_whatever_the_slot_says),
		cmocka_unit_test(test_slot_without_a_pid_is_stale),
		cmocka_unit_test(test_dead_pid_is_stale),
		cmocka_unit_test(test_own_pid_is_stale),
		cmocka_unit_test(
		    test_process_in_the_transport_directory_is_live),
		cmocka_unit_test(test_process_that_works_elsewhere_is_stale),
		cmocka_unit_test(test_zombie_is_stale),
		cmocka_unit_test(test_process_that_proc_does_not_show_is_live),
		cmocka_unit_test(test_what_cannot_be_read_is_live),
		cmocka_unit_test(test_stale_lock_is_cleared_to_a_space),
		cmocka_unit_test(test_live_lock_is_not_cleared),
		cmocka_unit_test(test_clearing_leaves_other_tags_alone),
	};

	return TEST_RUN(tests);
}

/*
 * create_fail_test.c - new messages: nothing stays behind a failure.
 */
#include "spool/create.h"

#include "spool/test_office.h"

#include <signal.h>
#include <sys/resource.h>

/* Lets each step fail in turn, until there is none left to fail. */
static int count_failures(bool no_nameless)
{
	int fds = count_fds(), failed = 0, r = -1;

	for (int at = 1; r < 0; at++) {
		struct office o;

		office_make(&o);
		steps.no_nameless = no_nameless;
		assert_int_equal(office_begin(&o, 2, "text"), 0);
		watched = &o;
		steps.fail_at = at;
		steps.fail_errno = EIO;
		r = office_commit(&o);
		if (r < 0) {
			failed++;
			assert_int_equal(o.err.code, EIO);
			create_end(&o.create);
			assert_int_equal(count_files(&o, "."), 0);
		}
		office_done(&o);
		assert_int_equal(count_fds(), fds);
	}
	return failed;
}

static void test_failure_at_any_step_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(count_failures(false), 14);
	assert_int_equal(count_failures(true), 14);
}

/* A control file that is seen and stays needs its message. */
static void test_message_stays_if_its_control_file_cannot_go(void **state)
{
	struct office o;

	(void)state;
	office_make(&o);
	assert_int_equal(office_begin(&o, 0, "text"), 0);
	steps.fail_at = 6; /* the last: fsync of transport */
	steps.fail_errno = EIO;
	steps.no_unlink = true;
	assert_int_equal(office_commit(&o), -1);
	steps.no_unlink = false;
	create_end(&o.create);
	assert_int_equal(count_files(&o, "queue"), 1);
	assert_int_equal(count_files(&o, "transport"), 1);
	office_done(&o);
}

static void test_message_that_is_never_committed_leaves_nothing(void **state)
{
	int fds = count_fds();
	struct office o;

	(void)state;
	for (int no_nameless = 0; no_nameless <= 1; no_nameless++) {
		office_make(&o);
		steps.no_nameless = no_nameless;
		assert_int_equal(office_begin(&o, 1, "text"), 0);
		assert_int_equal(count_files(&o, "."), no_nameless);
		create_end(&o.create);
		assert_int_equal(count_files(&o, "."), 0);
		create_end(&o.create);
		assert_int_equal(count_fds(), fds);
		office_done(&o);
	}
}

static void test_missing_directories_are_named(void **state)
{
	static const struct {
		const char *made, *why;
	} rows[] = {
		{ NULL, "/queue: No such file" },
		{ "queue", "/transport: No such file" },
		{ "transport", "/queue: No such file" },
	};
	int fds = count_fds();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct office o = { .dir = test_dir_make() };

		if (rows[i].made != NULL)
			office_mkdir(&o, rows[i].made);
		assert_int_equal(create_begin(o.dir, 0, &o.create, &o.err), -1);
		assert_non_null(strstr(o.err.text, rows[i].why));
		assert_int_equal(o.err.code, ENOENT);
		assert_int_equal(count_files(&o, "."), 0);
		office_done(&o);
	}
	assert_int_equal(create_begin("/nonexistent", 0, &(struct create){ 0 },
				      &(struct err){ 0 }),
			 -1);
	assert_int_equal(count_fds(), fds);
}

/* As somebody who may not write there: which step is refused, 10 or 20. */
static int try_as_nobody(struct office *o)
{
	int step = 10;

	test_become_nobody();
	if (office_begin(o, 0, "text") == 0)
		step = office_commit(o) < 0 ? 20 : 0;
	create_end(&o->create);
	return o->err.code == EACCES ? step : 1;
}

static void test_directory_that_cannot_be_written(void **state)
{
	static const struct {
		mode_t queue, transport;
		int want; /* 10: refused at once, 20: when committing */
	} rows[] = {
		{ 0555, 0777, 10 },
		{ 0777, 0555, 20 },
		{ 0777, 0000, 10 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct office o;
		struct str path = STR_INIT;
		pid_t child;

		office_make(&o);
		assert_int_equal(chmod(o.dir, 0755), 0);
		add_path(&o, "queue", &path);
		assert_int_equal(chmod(path.p, rows[i].queue), 0);
		str_clear(&path);
		add_path(&o, "transport", &path);
		assert_int_equal(chmod(path.p, rows[i].transport), 0);
		child = test_fork();
		if (child == 0)
			_exit(try_as_nobody(&o));
		assert_int_equal(test_wait(child), rows[i].want);
		assert_int_equal(chmod(path.p, 0700), 0);
		assert_int_equal(count_files(&o, "."), 0);
		str_done(&path);
		office_done(&o);
	}
}

/* A disk that is full after `room` bytes of any file. */
static int commit_with_room(struct office *o, size_t room)
{
	struct rlimit kept, limit;
	int r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
	limit = kept;
	limit.rlim_cur = room;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	r = office_begin(o, 0, "0123456789");
	if (r == 0)
		r = office_commit(o);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
	assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	return r;
}

static void test_full_disk_leaves_nothing(void **state)
{
	static const size_t rooms[] = { 0, 1, 9, 10, 11, 50, 100 };

	(void)state;
	for (size_t i = 0; i < COUNT(rooms); i++) {
		struct office o;

		office_make(&o);
		assert_int_equal(commit_with_room(&o, rooms[i]), -1);
		assert_int_equal(o.err.code, EFBIG);
		create_end(&o.create);
		assert_int_equal(count_files(&o, "."), 0);
		assert_int_equal(commit_with_room(&o, 1000), 0);
		office_done(&o);
	}
}

static void test_undeliverable_control_file_is_refused(void **state)
{
	static const struct {
		const char *control, *why;
	} rows[] = {
		{ "", "fewer than 4 fields" },
		{ "T x\n", "not a mail job" },
		{ "@ 0x17\n", "unsupported" },
		{ "i 24701\no 0\nl x\nb y\n", "names the message '24701'" },
		{ "i 24700\no 5\nl x\nb y\n", "beyond the message" },
		{ "i 24700\no 0\nl x\ns c h u 1\n"
		  "r           c h u 1\n",
		  "recipient without a header" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct office o;

		office_make(&o);
		steps.inode = 24700;
		assert_int_equal(office_begin(&o, 0, "text"), 0);
		assert_int_equal(
		    create_commit(&o.create, slice_of(rows[i].control), &o.err),
		    -1);
		assert_non_null(strstr(o.err.text, rows[i].why));
		assert_int_equal(steps.calls, 0);
		create_end(&o.create);
		assert_int_equal(count_files(&o, "."), 0);
		office_done(&o);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_at_any_step_leaves_nothing),
		cmocka_unit_test(
		    test_message_stays_if_its_control_file_cannot_go),
		cmocka_unit_test(
		    test_message_that_is_never_committed_leaves_nothing),
		cmocka_unit_test(test_missing_directories_are_named),
		cmocka_unit_test(test_directory_that_cannot_be_written),
		cmocka_unit_test(test_full_disk_leaves_nothing),
		cmocka_unit_test(test_undeliverable_control_file_is_refused),
	};

	return TEST_RUN(tests);
}

/*
 * store_test.c - the database: safe, shared, whole after any death.
 */
#include "store/test_store.h"

#include "base/keyword.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

/* Two tables that always say the same, unless a transaction was torn. */
static const struct store_part pairs = {
	.name = "pairs",
	.version = 2,
	.make =
	    "CREATE TABLE left_ones(n INTEGER PRIMARY KEY, v BLOB NOT NULL);"
	    "CREATE TABLE right_ones(n INTEGER PRIMARY KEY);",
	.drop = "DROP TABLE IF EXISTS left_ones;"
		"DROP TABLE IF EXISTS right_ones;"
		"DROP TABLE IF EXISTS old_ones;",
};

static const struct store_part old_pairs = {
	.name = "pairs",
	.version = 1,
	.make = "CREATE TABLE old_ones(n INTEGER)",
	.drop = "DROP TABLE IF EXISTS old_ones",
};

static const struct store_part new_pairs = {
	.name = "pairs",
	.version = 3,
	.make = "CREATE TABLE new_ones(n INTEGER)",
	.drop = "DROP TABLE IF EXISTS new_ones",
};

/* Adds a row of n bytes to both; the number of rows is kept the same. */
static int add_pair(struct store *s, size_t n, struct err *err)
{
	static const char bytes[20000];
	sqlite3_stmt *q;
	int r = -1;

	if (store_begin(s, &pairs, STORE_WRITE, err) < 0)
		return -1;
	q = store_query(s, "INSERT INTO left_ones(v) VALUES(?1)", err);
	if (q == NULL)
		goto out;
	store_bind_blob(q, 1, slice_make(bytes, n));
	if (store_run(s, q, err) < 0)
		goto out;
	q = store_query(s, "INSERT INTO right_ones VALUES(?1)", err);
	if (q == NULL)
		goto out;
	store_bind_int(q, 1, store_last_row(s));
	r = store_run(s, q, err);
out:
	return store_end(s, r, err);
}

static int count_pairs(struct store *s, int64_t *ret, struct err *err)
{
	sqlite3_stmt *q;
	int r = -1;

	if (store_begin(s, &pairs, STORE_READ, err) < 0)
		return -1;
	q = store_query(s, "SELECT count(*) FROM left_ones", err);
	if (q != NULL && (r = store_step(s, q, err)) == 1)
		*ret = store_int(q, 0);
	return store_end(s, r, err);
}

static int64_t pairs_of(struct store *s)
{
	int64_t n = -1;
	struct err err;

	if (count_pairs(s, &n, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

static void add_or_fail(struct store *s)
{
	struct err err;

	if (add_pair(s, 10, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_says(const struct err *err, const char *words)
{
	if (strstr(err->text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err->text, words);
}

/* ---- files -------------------------------------------------------------- */

static void test_nothing_is_made_before_it_is_needed(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);

	(void)state;
	assert_int_equal(access(p.dir, F_OK), -1);
	store_free(s);
	store_free(NULL);
	assert_int_equal(access(p.dir, F_OK), -1);
	place_remove(&p);
}

static void test_all_files_are_for_the_owner_alone(void **state)
{
	static const char *const names[] = { "store.db", "store.db-wal",
					     "store.db-shm", "store.lock" };
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	mode_t mask = umask(0);
	struct stat st;

	(void)state;
	add_or_fail(s);
	umask(mask);
	assert_int_equal(lstat(p.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(lstat(place_file(&p, names[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	store_free(s);
	place_remove(&p);
}

static void assert_refused(const struct place *p, const char *words)
{
	struct store *s = store_new(p->dir);
	struct err err = { 0 };

	assert_int_equal(store_open(s, &err), -1);
	assert_says(&err, words);
	assert_int_equal(add_pair(s, 1, &err), -1);
	assert_says(&err, words);
	store_free(s);
}

static void make_store(const struct place *p)
{
	struct store *s = store_new(p->dir);

	add_or_fail(s);
	store_free(s);
}

static void test_symbolic_links_are_refused(void **state)
{
	struct place p = place_new(), q = place_new();

	(void)state;
	make_store(&q);
	assert_int_equal(symlink(q.dir, p.dir), 0);
	assert_refused(&p, "is not a folder");
	unlink(p.dir);
	assert_int_equal(mkdir(p.dir, 0700), 0);
	assert_int_equal(symlink(q.db, p.db), 0);
	assert_refused(&p, "is not a plain file");
	unlink(p.db);
	unlink(place_file(&p, "store.lock"));
	assert_int_equal(symlink(q.db, place_file(&p, "store.lock")), 0);
	assert_refused(&p, "store.lock");
	assert_whole(&q);
	place_remove(&p);
	place_remove(&q);
}

static void test_what_others_can_change_is_refused(void **state)
{
	struct place p = place_new();

	(void)state;
	make_store(&p);
	chmod(p.dir, 0777);
	assert_refused(&p, "lets others in");
	chmod(p.dir, 0720);
	assert_refused(&p, "lets others in");
	chmod(p.dir, 0700);
	chmod(p.db, 0602);
	assert_refused(&p, "lets others in");
	chmod(p.db, 0604);
	assert_refused(&p, "lets others in");
	chmod(p.db, 0640);
	make_store(&p);
	place_remove(&p);
}

static void test_what_another_owns_is_refused(void **state)
{
	struct place p = place_new();

	(void)state;
	if (geteuid() != 0) {
		place_remove(&p);
		skip();
	}
	make_store(&p);
	assert_int_equal(chown(p.db, 1, 1), 0);
	assert_refused(&p, "belongs to user 1, not to 0");
	assert_int_equal(chown(p.db, 0, 0), 0);
	assert_int_equal(chown(p.dir, 1, 1), 0);
	assert_refused(&p, "belongs to user 1, not to 0");
	place_remove(&p);
}

static void test_a_folder_that_cannot_be_made(void **state)
{
	struct place p = place_new();
	struct place q = p;

	(void)state;
	snprintf(q.dir, sizeof(q.dir), "%s/no/such", p.top);
	assert_refused(&q, "No such file");
	write_file(p.dir, "x", 1, 0600);
	assert_refused(&p, "is not a folder");
	place_remove(&p);
}

static void test_a_database_that_is_removed_is_made_anew(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);

	(void)state;
	add_or_fail(s);
	add_or_fail(s);
	unlink(p.db);
	add_or_fail(s);
	assert_int_equal(pairs_of(s), 1);
	store_free(s);
	assert_int_equal(outside(&p, "SELECT count(*) FROM right_ones"), 1);
	place_remove(&p);
}

/* ---- broken databases --------------------------------------------------- */

static void test_garbage_is_moved_aside(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	char garbage[5000];
	struct stat st;
	struct err err;

	(void)state;
	memset(garbage, 'g', sizeof(garbage));
	mkdir(p.dir, 0700);
	write_file(p.db, garbage, sizeof(garbage), 0600);
	add_or_fail(s);
	assert_true(store_was_mended(s, &err));
	assert_says(&err, "not a database");
	assert_says(&err, "store.db.bad and begun anew");
	assert_false(store_was_mended(s, &err));
	assert_int_equal(stat(place_file(&p, "store.db.bad"), &st), 0);
	assert_int_equal(st.st_size, sizeof(garbage));
	assert_int_equal(pairs_of(s), 1);
	store_free(s);
	assert_whole(&p);
	place_remove(&p);
}

static void test_an_empty_file_is_begun(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct err err;

	(void)state;
	mkdir(p.dir, 0700);
	write_file(p.db, "", 0, 0600);
	write_file(place_file(&p, "store.db-wal"), "old", 3, 0600);
	add_or_fail(s);
	assert_false(store_was_mended(s, &err));
	store_free(s);
	place_remove(&p);
}

/* Overwrites n bytes somewhere, as a disk would. */
static void damage(const char *path, unsigned long at, size_t n)
{
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	fseek(f, (long)at, SEEK_SET);
	for (size_t i = 0; i < n; i++)
		fputc((int)((at + i * 7) & 0xff), f);
	fclose(f);
}

/* However it is damaged, at most the first two calls fail. */
static void test_any_damage_is_survived(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct place p = place_new();
		struct store *s = store_new(p.dir);
		int64_t n = 0;
		struct err err;
		bool works = false;

		for (int k = 0; k < 30; k++)
			add_or_fail(s);
		store_free(s);
		damage(p.db, (i * 677) % 16384, 1 + (i * 91) % 600);
		s = store_new(p.dir);
		for (int k = 0; k < 3; k++)
			works = count_pairs(s, &n, &err) >= 0 &&
				add_pair(s, 10, &err) >= 0;
		/* A database of a version nobody knows is not touched. */
		if (!works)
			assert_says(&err, "newer version");
		store_free(s);
		place_remove(&p);
	}
}

static void test_missing_tables_are_mended(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct err err;

	(void)state;
	add_or_fail(s);
	store_free(s);
	outside(&p, "DROP TABLE right_ones");
	s = store_new(p.dir);
	assert_int_equal(add_pair(s, 10, &err), -1);
	assert_says(&err, "no such table");
	add_or_fail(s);
	assert_true(store_was_mended(s, &err));
	assert_int_equal(pairs_of(s), 1);
	store_free(s);
	place_remove(&p);
}

/* ---- versions ----------------------------------------------------------- */

static void test_an_older_part_is_replaced(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct err err;

	(void)state;
	assert_int_equal(store_begin(s, &old_pairs, STORE_WRITE, &err), 0);
	assert_int_equal(store_end(s, 7, &err), 7);
	add_or_fail(s);
	store_free(s);
	assert_int_equal(outside(&p, "SELECT count(*) FROM sqlite_schema"
				     " WHERE name='old_ones'"),
			 0);
	place_remove(&p);
}

static void test_a_newer_version_is_left_alone(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct err err;

	(void)state;
	assert_int_equal(store_begin(s, &new_pairs, STORE_WRITE, &err), 0);
	assert_int_equal(store_end(s, 0, &err), 0);
	assert_int_equal(add_pair(s, 10, &err), -1);
	assert_says(&err, "pairs made by a newer version");
	store_free(s);
	outside(&p, "PRAGMA user_version=99");
	assert_refused(&p, "made by a newer version");
	assert_int_equal(outside(&p, "PRAGMA user_version"), 99);
	place_remove(&p);
}

/* ---- transactions ------------------------------------------------------- */

static void test_what_failed_is_taken_back(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	sqlite3_stmt *q;
	struct err err;

	(void)state;
	add_or_fail(s);
	assert_int_equal(store_begin(s, &pairs, STORE_WRITE, &err), 0);
	q = store_query(s, "INSERT INTO left_ones(v) VALUES('x')", &err);
	assert_int_equal(store_run(s, q, &err), 0);
	assert_int_equal(store_end(s, -1, &err), -1);
	assert_int_equal(pairs_of(s), 1);
	store_free(s);
	place_remove(&p);
}

/* Somebody who holds the only write lock, until it is let go. */
static sqlite3 *hold_lock(const struct place *p)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
			 SQLITE_OK);
	return db;
}

static int64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_a_stuck_writer_holds_up_once_and_no_reader(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	int64_t begin;
	struct err err;
	sqlite3 *db;

	(void)state;
	add_or_fail(s);
	db = hold_lock(&p);
	assert_int_equal(add_pair(s, 10, &err), -1);
	assert_says(&err, "locked");
	begin = milliseconds();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(add_pair(s, 10, &err), -1);
		assert_says(&err, "locked");
	}
	/* Each that waited would take STORE_WAIT_MS. */
	assert_true(milliseconds() - begin < 100 * STORE_WAIT_MS);
	assert_int_equal(pairs_of(s), 1);
	sqlite3_close(db);
	store_free(s);
	place_remove(&p);
}

/* ---- several processes -------------------------------------------------- */

static int add_many(void *context)
{
	const struct place *p = context;
	struct store *s = store_new(p->dir);
	int failures = 0;
	struct err err;

	for (int i = 0; i < 100; i++)
		failures += add_pair(s, 50, &err) < 0;
	store_free(s);
	return failures;
}

static void test_processes_write_at_once(void **state)
{
	struct place p = place_new();
	pid_t pids[5];

	(void)state;
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = child_start(add_many, &p);
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_int_equal(child_end(pids[i]), 0);
	assert_int_equal(outside(&p, "SELECT count(*) FROM left_ones"), 500);
	assert_int_equal(outside(&p, "SELECT count(*) FROM right_ones"), 500);
	assert_whole(&p);
	place_remove(&p);
}

static void test_processes_mend_at_once(void **state)
{
	struct place p = place_new();
	char garbage[5000];
	pid_t pids[5];

	(void)state;
	memset(garbage, 'g', sizeof(garbage));
	mkdir(p.dir, 0700);
	write_file(p.db, garbage, sizeof(garbage), 0600);
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = child_start(add_many, &p);
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_int_equal(child_end(pids[i]), 0);
	assert_int_equal(outside(&p, "SELECT count(*) FROM left_ones"), 500);
	assert_whole(&p);
	place_remove(&p);
}

static int add_for_ever(void *context)
{
	const struct place *p = context;
	struct store *s = store_new(p->dir);
	struct err err;

	for (size_t n = 0;; n = (n + 997) % 20000)
		if (add_pair(s, n, &err) < 0)
			return 1;
}

/*
 * Killed at any moment: both tables agree, and the next process works. How far
 * each came depends on the machine, what must hold does not.
 */
static void test_a_killed_writer_leaves_whole_transactions(void **state)
{
	struct place p = place_new();
	int64_t before = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct timespec wait = { .tv_nsec =
					     (long)(i * 977) % 40 * 1000000 };
		pid_t pid = child_start(add_for_ever, &p);
		struct store *s;
		int64_t n;

		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(child_end(pid), -1);
		s = store_new(p.dir);
		n = pairs_of(s);
		assert_true(n >= before);
		add_or_fail(s);
		before = n + 1;
		store_free(s);
		assert_int_equal(outside(&p, "SELECT count(*) FROM left_ones"
					     " JOIN right_ones USING(n)"),
				 before);
		assert_int_equal(outside(&p, "SELECT count(*) FROM right_ones"),
				 before);
	}
	assert_true(before > 40); /* they did write */
	assert_whole(&p);
	place_remove(&p);
}

static int use_inherited(void *context)
{
	struct store *s = context;
	int64_t n;
	struct err err;

	if (count_pairs(s, &n, &err) >= 0 || add_pair(s, 1, &err) >= 0 ||
	    strstr(err.text, "opened by another process") == NULL)
		return 1;
	store_free(s);
	return 0;
}

static void test_a_child_does_not_use_its_parents_store(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);

	(void)state;
	add_or_fail(s);
	assert_int_equal(child_end(child_start(use_inherited, s)), 0);
	add_or_fail(s);
	assert_int_equal(pairs_of(s), 2);
	store_free(s);
	place_remove(&p);
}

/* ---- no room ------------------------------------------------------------ */

static void limit_files(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* Writes until there is no room, then reads. */
static int fill(void *context)
{
	const struct place *p = context;
	struct store *s = store_new(p->dir);
	int64_t n = 0, good = 0;
	struct err err;

	signal(SIGXFSZ, SIG_IGN);
	limit_files(300000);
	while (good < 1000 && add_pair(s, 5000, &err) >= 0)
		good++;
	if (good < 5 || good == 1000)
		return 1;
	if (count_pairs(s, &n, &err) < 0 || n != good + 1)
		return 2;
	store_free(s);
	return 0;
}

static void test_a_full_disk_stops_writers_alone(void **state)
{
	struct place p = place_new();
	struct store *s;

	(void)state;
	make_store(&p);
	assert_int_equal(child_end(child_start(fill, &p)), 0);
	assert_whole(&p);
	assert_int_equal(outside(&p, "SELECT count(*) FROM left_ones"),
			 outside(&p, "SELECT count(*) FROM right_ones"));
	s = store_new(p.dir);
	add_or_fail(s); /* there is room again */
	store_free(s);
	place_remove(&p);
}

static int begin_without_room(void *context)
{
	const struct place *p = context;
	struct store *s = store_new(p->dir);
	struct err err;

	signal(SIGXFSZ, SIG_IGN);
	limit_files(0);
	if (add_pair(s, 10, &err) >= 0)
		return 1;
	limit_files(RLIM_INFINITY);
	store_free(s);
	s = store_new(p->dir);
	if (add_pair(s, 10, &err) < 0)
		return 2;
	store_free(s);
	return 0;
}

static void test_a_full_disk_from_the_beginning(void **state)
{
	struct place p = place_new();

	(void)state;
	assert_int_equal(child_end(child_start(begin_without_room, &p)), 0);
	assert_int_equal(outside(&p, "SELECT count(*) FROM right_ones"), 1);
	place_remove(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_made_before_it_is_needed),
		cmocka_unit_test(test_all_files_are_for_the_owner_alone),
		cmocka_unit_test(test_symbolic_links_are_refused),
		cmocka_unit_test(test_what_others_can_change_is_refused),
		cmocka_unit_test(test_what_another_owns_is_refused),
		cmocka_unit_test(test_a_folder_that_cannot_be_made),
		cmocka_unit_test(test_a_database_that_is_removed_is_made_anew),
		cmocka_unit_test(test_garbage_is_moved_aside),
		cmocka_unit_test(test_an_empty_file_is_begun),
		cmocka_unit_test(test_any_damage_is_survived),
		cmocka_unit_test(test_missing_tables_are_mended),
		cmocka_unit_test(test_an_older_part_is_replaced),
		cmocka_unit_test(test_a_newer_version_is_left_alone),
		cmocka_unit_test(test_what_failed_is_taken_back),
		cmocka_unit_test(
		    test_a_stuck_writer_holds_up_once_and_no_reader),
		cmocka_unit_test(test_processes_write_at_once),
		cmocka_unit_test(test_processes_mend_at_once),
		cmocka_unit_test(
		    test_a_killed_writer_leaves_whole_transactions),
		cmocka_unit_test(test_a_child_does_not_use_its_parents_store),
		cmocka_unit_test(test_a_full_disk_stops_writers_alone),
		cmocka_unit_test(test_a_full_disk_from_the_beginning),
	};

	return TEST_RUN(tests);
}

/*
 * create_test.c - new messages: what is made, and in which order.
 */
#include "spool/create.h"

#include "spool/ctl.h"
#include "spool/test_office.h"

/* ---- what a committed message is ---------------------------------------- */

static void test_committed_message_is_there_whole(void **state)
{
	(void)state;
	for (unsigned levels = 0; levels <= 2; levels++) {
		struct str got = STR_INIT;
		struct office o;
		const char *name;

		office_make(&o);
		assert_int_equal(office_begin(&o, levels, "first "), 0);
		assert_int_equal(
		    create_write(&o.create, SLICE("second"), &o.err), 0);
		assert_int_equal(office_commit(&o), 0);
		name = str_cstr(&o.create.name);
		assert_true(office_read(&o, "queue", name, &got));
		str_adds(&o.body, "second");
		assert_true(slice_eq(str_slice(&got), str_slice(&o.body)));
		str_clear(&got);
		assert_true(office_read(&o, "transport", name, &got));
		assert_true(slice_eq(str_slice(&got), str_slice(&o.control)));
		create_end(&o.create);
		assert_int_equal(count_files(&o, "queue"), 1);
		assert_int_equal(count_files(&o, "transport"), 1);
		str_done(&got);
		office_done(&o);
	}
}

static void assert_mode(const struct office *o, const char *sub, mode_t mode)
{
	struct str path = STR_INIT;
	struct stat st;

	add_path(o, sub, &path);
	assert_int_equal(lstat(path.p, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	str_done(&path);
}

static void test_name_is_inode_below_hash_directories(void **state)
{
	static const struct {
		unsigned levels;
		const char *name;
	} rows[] = {
		{ 0, "24700" },
		{ 1, "A/24700" },
		{ 2, "O/A/24700" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct office o;

		office_make(&o);
		steps.inode = 24700;
		assert_int_equal(office_begin(&o, rows[i].levels, "text"), 0);
		assert_slice_is(str_slice(&o.create.name), rows[i].name);
		assert_slice_is(create_base(&o.create), "24700");
		assert_int_equal(office_commit(&o), 0);
		office_done(&o);
	}
}

/* Without a made-up number: name and inode are the same. */
static void test_file_has_the_inode_that_is_its_name(void **state)
{
	struct str path = STR_INIT, want = STR_INIT;
	struct office o;
	struct stat st;

	(void)state;
	office_make(&o);
	assert_int_equal(office_begin(&o, 0, "text"), 0);
	assert_int_equal(office_commit(&o), 0);
	str_addf(&path, "%s/queue/%s", o.dir, str_cstr(&o.create.name));
	assert_int_equal(lstat(path.p, &st), 0);
	str_addu(&want, st.st_ino);
	assert_slice_is(str_slice(&o.create.name), want.p);
	assert_true(o.create.inode == st.st_ino);
	str_done(&want);
	str_done(&path);
	office_done(&o);
}

static void test_mail_is_readable_by_its_owner_alone(void **state)
{
	static const mode_t masks[] = { 0, 022, 077 };

	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		mode_t kept = umask(masks[i]);
		struct office o;

		office_make(&o);
		steps.inode = 24700;
		assert_int_equal(office_begin(&o, 2, "text"), 0);
		assert_int_equal(office_commit(&o), 0);
		assert_mode(&o, "queue/O/A/24700", 0600);
		assert_mode(&o, "transport/O/A/24700", 0600);
		assert_mode(&o, "queue/O", 0700);
		assert_mode(&o, "queue/O/A", 0700);
		assert_mode(&o, "transport/O/A", 0700);
		umask(kept);
		office_done(&o);
	}
}

/* The spool may be an ordinary user's, with agents that are not root. */
static void test_what_root_makes_is_the_spool_owners(void **state)
{
	static const char *const folders[] = { "queue", "transport" };
	enum { OWNER = 65534 };
	struct str path = STR_INIT;
	struct office o;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	office_make(&o);
	for (size_t i = 0; i < COUNT(folders); i++) {
		str_clear(&path);
		add_path(&o, folders[i], &path);
		assert_int_equal(chown(str_cstr(&path), OWNER, OWNER), 0);
	}
	assert_int_equal(office_begin(&o, 2, "\nhi\n"), 0);
	assert_int_equal(office_commit(&o), 0);
	for (size_t i = 0; i < COUNT(folders); i++)
		for (size_t n = 1; n <= o.create.name.len; n++) {
			if (n < o.create.name.len && o.create.name.p[n] != '/')
				continue;
			str_clear(&path);
			add_path(&o, folders[i], &path);
			str_addf(&path, "/%.*s", (int)n, o.create.name.p);
			assert_int_equal(stat(str_cstr(&path), &st), 0);
			assert_int_equal(st.st_uid, OWNER);
			assert_int_equal(st.st_gid, OWNER);
		}
	str_done(&path);
	office_done(&o);
}

/* A file restored from a backup has a name that is not its inode number. */
static void test_name_that_is_taken_gets_a_suffix(void **state)
{
	static const struct {
		const char *taken[2];
		const char *base;
	} rows[] = {
		{ { "queue/24700", NULL }, "24700-1" },
		{ { "transport/24700", NULL }, "24700-1" },
		{ { "queue/24700", "transport/24700-1" }, "24700-2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str path = STR_INIT, old = STR_INIT;
		struct office o;

		office_make(&o);
		for (size_t j = 0; j < 2 && rows[i].taken[j] != NULL; j++) {
			str_clear(&path);
			add_path(&o, rows[i].taken[j], &path);
			test_file_write(path.p, SLICE("old"));
		}
		steps.inode = 24700;
		assert_int_equal(office_begin(&o, 0, "text"), 0);
		assert_slice_is(create_base(&o.create), rows[i].base);
		assert_int_equal(office_commit(&o), 0);
		assert_true(test_file_read(path.p, &old));
		assert_slice_is(str_slice(&old), "old");
		str_done(&old);
		str_done(&path);
		office_done(&o);
	}
}

/* Taken only after the name was chosen: still nothing is replaced. */
static void test_file_that_appears_meanwhile_is_not_replaced(void **state)
{
	static const char *const subs[] = { "queue/24700", "transport/24700" };

	(void)state;
	for (int way = 0; way < 4; way++)
		for (size_t i = 0; i < COUNT(subs); i++) {
			struct str path = STR_INIT, old = STR_INIT;
			struct office o;

			office_make(&o);
			steps.inode = 24700;
			steps.no_rename = (way & 1) != 0;
			steps.no_nameless = (way & 2) != 0;
			assert_int_equal(office_begin(&o, 0, "text"), 0);
			add_path(&o, subs[i], &path);
			test_file_write(path.p, SLICE("old"));
			assert_int_equal(office_commit(&o), -1);
			assert_int_equal(o.err.code, EEXIST);
			create_end(&o.create);
			assert_true(test_file_read(path.p, &old));
			assert_slice_is(str_slice(&old), "old");
			assert_int_equal(count_files(&o, "."), 1);
			str_done(&old);
			str_done(&path);
			office_done(&o);
		}
}

/* ---- the order of steps ------------------------------------------------- */

static void test_order_of_steps(void **state)
{
	struct office o;

	(void)state;
	office_make(&o);
	assert_int_equal(office_begin(&o, 0, "text"), 0);
	watched = &o;
	assert_int_equal(office_commit(&o), 0);
	check_what_is_seen();
	assert_slice_is(str_slice(&steps.events),
			"link queue/N\n"
			"fsync queue/NAMELESS\n"
			"fsync queue\n"
			"fsync transport/.new\n"
			"rename transport/.new transport/N\n"
			"fsync transport\n");
	office_done(&o);
}

static void test_order_of_steps_without_nameless_files(void **state)
{
	struct office o;

	(void)state;
	office_make(&o);
	steps.no_nameless = true;
	assert_int_equal(office_begin(&o, 0, "text"), 0);
	watched = &o;
	assert_int_equal(office_commit(&o), 0);
	check_what_is_seen();
	assert_slice_is(str_slice(&steps.events),
			"rename queue/.new queue/N\n"
			"fsync queue/N\n"
			"fsync queue\n"
			"fsync transport/.new\n"
			"rename transport/.new transport/N\n"
			"fsync transport\n");
	office_done(&o);
}

static void test_new_hash_directories_are_synced_before_use(void **state)
{
	struct office o;

	(void)state;
	office_make(&o);
	steps.inode = 24700;
	office_mkdir(&o, "transport/O"); /* half of them is there already */
	assert_int_equal(office_begin(&o, 2, "text"), 0);
	watched = &o;
	assert_int_equal(office_commit(&o), 0);
	check_what_is_seen();
	assert_slice_is(str_slice(&steps.events),
			"mkdir queue/N\n"
			"fsync queue\n"
			"mkdir queue/O/N\n"
			"fsync queue/O\n"
			"link queue/O/A/N\n"
			"fsync queue/NAMELESS\n"
			"fsync queue/O/A\n"
			"fsync transport/.new\n"
			"mkdir transport/O/N\n"
			"fsync transport/O\n"
			"rename transport/.new transport/O/A/N\n"
			"fsync transport/O/A\n");
	office_done(&o);
}

static void test_file_system_that_cannot_rename_without_replacing(void **state)
{
	struct office o;

	(void)state;
	office_make(&o);
	steps.no_rename = steps.no_nameless = true;
	assert_int_equal(office_begin(&o, 1, "text"), 0);
	watched = &o;
	assert_int_equal(office_commit(&o), 0);
	check_what_is_seen();
	create_end(&o.create);
	assert_int_equal(count_files(&o, "queue"), 1);
	assert_int_equal(count_files(&o, "transport"), 1);
	office_done(&o);
}

/* ---- another process that looks ----------------------------------------- */

/* Looks at every job in transport/ until told to stop: 0 if all were whole. */
static int watch_jobs(const struct office *o, size_t body_len, int stop)
{
	struct str path = STR_INIT, text = STR_INIT;
	struct arena *a = arena_new();
	int bad = 0;
	char c;

	add_path(o, "transport", &path);
	while (bad == 0 && read(stop, &c, 1) < 0) {
		DIR *dir = opendir(path.p);
		struct dirent *entry;

		while (dir != NULL && (entry = readdir(dir)) != NULL) {
			struct ctl ctl;
			struct err err;

			if (entry->d_name[0] == '.')
				continue;
			str_clear(&text);
			if (!office_read(o, "transport", entry->d_name, &text))
				continue; /* already removed */
			if (ctl_parse(str_slice(&text), a, &ctl, &err) !=
			    CTL_OK)
				bad = 1;
			str_clear(&text);
			if (!office_read(o, "queue", entry->d_name, &text) ||
			    text.len != body_len)
				bad = 2;
			arena_reset(a);
		}
		if (dir != NULL)
			closedir(dir);
	}
	arena_free(a);
	str_done(&text);
	str_done(&path);
	return bad;
}

static void test_reader_never_sees_half_a_file(void **state)
{
	enum { MESSAGES = 60, BODY_LEN = 300000 };
	struct str body = STR_INIT;
	struct office o;
	pid_t watcher;
	int stop[2];

	(void)state;
	office_make(&o);
	while (body.len < BODY_LEN)
		str_addc(&body, 'x');
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(fd_set_nonblocking(stop[0], true), 0);
	watcher = test_fork();
	if (watcher == 0) {
		fd_close(stop[1]);
		_exit(watch_jobs(&o, BODY_LEN, stop[0]));
	}
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(office_begin(&o, 0, str_cstr(&body)), 0);
		assert_int_equal(office_commit(&o), 0);
		create_end(&o.create);
	}
	assert_int_equal(count_files(&o, "transport"), MESSAGES);
	fd_close(stop[1]);
	fd_close(stop[0]);
	assert_int_equal(test_wait(watcher), 0);
	str_done(&body);
	office_done(&o);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_committed_message_is_there_whole),
		cmocka_unit_test(test_name_is_inode_below_hash_directories),
		cmocka_unit_test(test_file_has_the_inode_that_is_its_name),
		cmocka_unit_test(test_mail_is_readable_by_its_owner_alone),
		cmocka_unit_test(test_what_root_makes_is_the_spool_owners),
		cmocka_unit_test(test_name_that_is_taken_gets_a_suffix),
		cmocka_unit_test(
		    test_file_that_appears_meanwhile_is_not_replaced),
		cmocka_unit_test(test_order_of_steps),
		cmocka_unit_test(test_order_of_steps_without_nameless_files),
		cmocka_unit_test(
		    test_new_hash_directories_are_synced_before_use),
		cmocka_unit_test(
		    test_file_system_that_cannot_rename_without_replacing),
		cmocka_unit_test(test_reader_never_sees_half_a_file),
	};

	return TEST_RUN(tests);
}

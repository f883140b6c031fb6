/*
 * group_test.c - messages that share a wait for the disk, and what is made of
 * them after a crash at any moment.
 */
#include "spool/recover.h"

#include "spool/test_office.h"

enum { N = 3 };

struct group {
	struct office o; /* its directory; its message is not used */
	struct create_office office;
	struct create files[N];
	struct create *staged[N];
};

/* Where syncfs fails or ends what happens; 0: it works. */
static int sync_errno;
static int n_syncs;

/* syncfs(2), watched: a control file must not be seen before it. */
int syncfs(int fd)
{
	n_syncs++;
	if (sync_errno != 0) {
		errno = sync_errno;
		return -1;
	}
	return (int)syscall(SYS_syncfs, fd);
}

static void add_control(const struct create *c, const char *body,
			struct str *to)
{
	str_addf(to,
		 "@ 0x00000007\ni %.*s\no %zu\nl <1@x>\ns local - a@b 0\n"
		 "r           smtp x c@x 0\nm\nA: b\n\n",
		 SLICE_ARG(create_base(c)), strlen(body));
}

static bool is_recovered = true; /* what begin() makes the office */

/* Stages N messages with the bodies "0", "1", ... */
static void begin(struct group *g, unsigned levels)
{
	struct str control = STR_INIT;

	sync_errno = n_syncs = 0;
	memset(g, 0, sizeof(*g));
	office_make(&g->o);
	assert_int_equal(
	    create_office_open(g->o.dir, levels, &g->office, &g->o.err), 0);
	if (is_recovered)
		assert_int_equal(create_office_recovers(&g->office, &g->o.err),
				 0);
	for (unsigned i = 0; i < N; i++) {
		const char body[] = { (char)('0' + i), '\0' };
		struct create *c = &g->files[i];

		assert_int_equal(create_begin_in(&g->office, c, &g->o.err), 0);
		assert_int_equal(create_write(c, slice_of(body), &g->o.err), 0);
		str_clear(&control);
		add_control(c, body, &control);
		assert_int_equal(
		    create_stage(c, str_slice(&control), &g->o.err), 0);
		assert_int_equal(c->fd, -1);
		g->staged[i] = c;
	}
	str_done(&control);
}

/* Forgets everything as if the process had been killed. */
static void crash(struct group *g)
{
	for (unsigned i = 0; i < N; i++) {
		struct create *c = &g->files[i];

		str_done(&c->temporary);
		str_done(&c->name);
		str_done(&c->ready);
		*c = (struct create){ 0 };
	}
}

static void end(struct group *g)
{
	for (unsigned i = 0; i < N; i++)
		create_end(&g->files[i]);
	create_office_close(&g->office);
	office_done(&g->o);
}

/* Number of control files that a scheduler would see. */
static int count_visible(struct group *g)
{
	int n = 0;

	for (int i = 0; i < N; i++) {
		struct str text = STR_INIT;

		n += office_read(&g->o, "transport",
				 str_cstr(&g->files[i].name), &text);
		str_done(&text);
	}
	return n;
}

static void test_group_is_seen_after_one_wait(void **state)
{
	struct group g;

	(void)state;
	for (unsigned levels = 0; levels <= 2; levels++) {
		begin(&g, levels);
		assert_int_equal(count_visible(&g), 0);
		assert_int_equal(
		    create_settle(&g.office, g.staged, N, &g.o.err), 0);
		assert_int_equal(n_syncs, 1);
		assert_int_equal(count_visible(&g), N);
		for (int i = 0; i < N; i++)
			assert_true(g.files[i].is_done);
		for (int i = 0; i < N; i++)
			create_end(&g.files[i]);
		assert_int_equal(count_files(&g.o, "."), 2 * N);
		end(&g);
	}
}

static void test_group_whose_sync_fails_leaves_nothing(void **state)
{
	struct group g;

	(void)state;
	begin(&g, 1);
	sync_errno = EIO;
	assert_int_equal(create_settle(&g.office, g.staged, N, &g.o.err), -1);
	assert_int_equal(g.o.err.code, EIO);
	assert_int_equal(count_visible(&g), 0);
	for (int i = 0; i < N; i++)
		create_end(&g.files[i]);
	assert_int_equal(count_files(&g.o, "."), 0);
	end(&g);
}

static void test_one_that_cannot_be_seen_is_not_accepted(void **state)
{
	struct group g;

	(void)state;
	begin(&g, 0);
	steps.calls = 0;
	steps.fail_at = 2;
	steps.fail_errno = ENOSPC;
	assert_int_equal(create_settle(&g.office, g.staged, N, &g.o.err), 0);
	assert_true(g.files[0].is_done && !g.files[1].is_done &&
		    g.files[2].is_done);
	assert_int_equal(g.o.err.code, ENOSPC);
	for (int i = 0; i < N; i++)
		create_end(&g.files[i]);
	assert_int_equal(count_files(&g.o, "."), 4);
	end(&g);
}

static struct recovered recover(struct group *g, int64_t age)
{
	struct recovered done = { 0 };

	assert_int_equal(
	    spool_recover(g->o.dir, &g->office, age, &done, &g->o.err), 0);
	return done;
}

/* Killed after staging: who was told before a power failure is not betrayed. */
static void test_staged_messages_are_recovered(void **state)
{
	struct group g;

	(void)state;
	for (unsigned levels = 0; levels <= 2; levels++) {
		struct recovered done;

		begin(&g, levels);
		crash(&g);
		done = recover(&g, 0);
		assert_int_equal(done.published, N);
		assert_int_equal(done.removed, 0);
		assert_int_equal(count_files(&g.o, "queue"), N);
		assert_int_equal(count_files(&g.o, "transport"), N);
		done = recover(&g, 0);
		assert_int_equal(done.published + done.removed, 0);
		end(&g);
	}
}

/* Gives a temporary file the name that a process that is dead would give. */
static void disown(struct group *g, const char *name, int i)
{
	struct str from = STR_INIT, to = STR_INIT;

	str_addf(&from, "%s/transport/%s", g->o.dir, name);
	str_addf(&to, "%s/transport/.new-999999999-%d", g->o.dir, i);
	assert_int_equal(rename(from.p, to.p), 0);
	str_done(&from);
	str_done(&to);
}

/* Without anybody to recover them the names are waited for, too. */
static void test_group_alone_waits_for_its_names(void **state)
{
	struct recovered done;
	struct group g;

	(void)state;
	is_recovered = false;
	begin(&g, 1);
	assert_int_equal(create_settle(&g.office, g.staged, N, &g.o.err), 0);
	assert_int_equal(n_syncs, 2);
	assert_int_equal(count_visible(&g), N);
	end(&g);
	/* While it lives nobody touches what it has staged. */
	begin(&g, 1);
	for (int i = 0; i < N; i++) {
		assert_true(slice_starts(str_slice(&g.files[i].ready),
					 SLICE(CREATE_NEW)));
		assert_int_equal(g.files[i].fd, -1);
		disown(&g, str_cstr(&g.files[i].ready), i);
	}
	crash(&g);
	done = recover(&g, 0);
	assert_int_equal(done.published, 0);
	assert_int_equal(count_files(&g.o, "."), 0);
	end(&g);
	is_recovered = true;
}

/* Somebody else made it visible: its message must not go. */
static void test_message_of_a_visible_control_file_stays(void **state)
{
	struct recovered done;
	struct group g;

	(void)state;
	begin(&g, 0);
	done = recover(&g, 3600);
	assert_int_equal(done.published, N);
	assert_int_equal(create_settle(&g.office, g.staged, N, &g.o.err), 0);
	for (int i = 0; i < N; i++)
		create_end(&g.files[i]);
	assert_int_equal(count_files(&g.o, "queue"), N);
	assert_int_equal(count_files(&g.o, "transport"), N);
	end(&g);
}

static void cut_file(struct group *g, const char *folder, const char *name,
		     long size)
{
	static const struct timespec past[2] = { { 1, 0 }, { 1, 0 } };
	struct str path = STR_INIT;

	str_addf(&path, "%s/%s/%s", g->o.dir, folder, name);
	assert_int_equal(truncate(path.p, size), 0);
	/* A crash leaves the time of what was written before it. */
	assert_int_equal(utimensat(AT_FDCWD, path.p, past, 0), 0);
	str_done(&path);
}

/* Written to disk in part: it was never accepted, and never delivered. */
static void test_messages_that_are_not_whole_are_removed(void **state)
{
	struct recovered done;
	struct group g;

	(void)state;
	begin(&g, 0);
	cut_file(&g, "queue", str_cstr(&g.files[0].name), 0);
	cut_file(&g, "transport", str_cstr(&g.files[1].ready), 20);
	crash(&g);
	done = recover(&g, 0);
	assert_int_equal(done.published, 1);
	assert_int_equal(count_files(&g.o, "queue"), 1);
	assert_int_equal(count_files(&g.o, "transport"), 1);
	end(&g);
}

/* The name an agent worked under got lost, its marks did not. */
static void test_recovered_message_keeps_what_agents_wrote(void **state)
{
	struct str path = STR_INIT, text = STR_INIT, name = STR_INIT;
	struct recovered done;
	struct group g;
	int fd;

	(void)state;
	begin(&g, 0);
	str_addf(&path, "%s/transport/%s", g.o.dir,
		 str_cstr(&g.files[0].ready));
	str_add(&name, str_slice(&g.files[0].name));
	fd = open(path.p, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "d 1:2:3::4\tx\ty\n", 15), 15);
	close(fd);
	crash(&g);
	done = recover(&g, 0);
	assert_int_equal(done.published, N);
	assert_true(office_read(&g.o, "transport", str_cstr(&name), &text));
	assert_non_null(strstr(text.p, "\n\nd 1:2:3::4\t"));
	str_done(&path);
	str_done(&text);
	str_done(&name);
	end(&g);
}

static void make_file(struct group *g, const char *name)
{
	struct str path = STR_INIT;
	int fd;

	str_addf(&path, "%s/%s", g->o.dir, name);
	fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	str_done(&path);
}

static void test_only_what_nobody_needs_is_removed(void **state)
{
	struct str mine = STR_INIT;
	struct recovered done;
	struct group g;

	(void)state;
	begin(&g, 0);
	assert_int_equal(create_settle(&g.office, g.staged, N, &g.o.err), 0);
	for (int i = 0; i < N; i++)
		create_end(&g.files[i]);
	str_addf(&mine, "queue/.new-%d-0", (int)getppid());
	make_file(&g, mine.p);			     /* its writer lives */
	make_file(&g, "queue/.new-999999999-0");     /* nobody's */
	make_file(&g, "transport/.new-999999999-7"); /* nobody's */
	make_file(&g, "queue/4711");		     /* an orphan */
	make_file(&g, "queue/4712");
	make_file(&g, "transport/4712");
	make_file(&g, "queue/notes");
	make_file(&g, "queue/.hidden");
	make_file(&g, "transport/.staged/.ready-x.1.2");
	make_file(&g, "transport/.staged/.ready-4713.0.0");
	done = recover(&g, 3600);
	assert_int_equal(done.published, 0);
	assert_int_equal(done.removed, 4); /* two .new, two .ready */
	done = recover(&g, 0);
	assert_int_equal(done.removed, 1); /* the orphan */
	assert_int_equal(count_files(&g.o, "queue"), N + 4);
	assert_int_equal(count_files(&g.o, "transport"), N + 1);
	str_done(&mine);
	end(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_is_seen_after_one_wait),
		cmocka_unit_test(test_group_whose_sync_fails_leaves_nothing),
		cmocka_unit_test(test_one_that_cannot_be_seen_is_not_accepted),
		cmocka_unit_test(test_staged_messages_are_recovered),
		cmocka_unit_test(test_group_alone_waits_for_its_names),
		cmocka_unit_test(test_message_of_a_visible_control_file_stays),
		cmocka_unit_test(test_messages_that_are_not_whole_are_removed),
		cmocka_unit_test(
		    test_recovered_message_keeps_what_agents_wrote),
		cmocka_unit_test(test_only_what_nobody_needs_is_removed),
	};

	return TEST_RUN(tests);
}

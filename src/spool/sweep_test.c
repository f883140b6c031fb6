/*
 * sweep_test.c - what is left in the spool by the dead goes, a name at a time
 * or all at once, and nothing else.
 */
#include "spool/sweep.h"

#include "spool/create.h"
#include "spool/test_office.h"

/* In queue/ and transport/; what begins with '-' is to go. */
static const char *const leftovers[] = {
	"-queue/11",
	"-queue/12-3",
	"-queue/A/13",
	"-queue/A/B/14",
	"-queue/.new-999999999-0",
	"-transport/.new-999999999-1",
	"queue/15",
	"transport/15",
	"queue/A/16",
	"transport/A/16",
	"queue/A/B/17",
	"freezer/17",
	"queue/18-1",
	"transport/.staged/.ready-18-1.7.9",
	"queue/notes",
	"queue/.new-1-0", /* of init, which lives */
	"queue/C/D/E/19", /* nobody looks so deep */
};

static void make_all(const struct office *o)
{
	static const char *const folders[] = {
		"queue/A",     "queue/A/B",
		"queue/C",     "queue/C/D",
		"queue/C/D/E", "transport/A",
		"freezer",     "transport/" CREATE_STAGED,
	};
	struct str path = STR_INIT;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		office_mkdir(o, folders[i]);
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		const char *name = leftovers[i] + (leftovers[i][0] == '-');
		int fd;

		str_clear(&path);
		str_addf(&path, "%s/%s", o->dir, name);
		fd =
		    open(str_cstr(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	str_done(&path);
}

static bool is_there(const struct office *o, const char *name)
{
	struct str path = STR_INIT;
	bool is;

	str_addf(&path, "%s/%s", o->dir, name);
	is = access(str_cstr(&path), F_OK) == 0;
	str_done(&path);
	return is;
}

static struct swept sweep(struct office *o, int64_t age, size_t step)
{
	struct sweep *w = sweep_new(o->dir, age, &o->err);
	struct swept done = { 0 };
	int r;

	assert_non_null(w);
	do
		r = sweep_some(w, step, &done, &o->err);
	while (r > 0);
	assert_int_equal(r, 0);
	sweep_free(w);
	return done;
}

static void test_leftovers_go_in_any_steps(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 7, SIZE_MAX };

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct office o;
		struct swept done;

		office_make(&o);
		make_all(&o);
		done = sweep(&o, 0, sizes[k]);
		assert_int_equal(done.removed, 6);
		assert_int_equal(done.left, 0);
		assert_int_equal(done.staged, 1);
		for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]);
		     i++) {
			bool goes = leftovers[i][0] == '-';

			assert_int_equal(is_there(&o, leftovers[i] + goes),
					 !goes);
		}
		office_done(&o);
	}
}

static void test_what_is_young_stays(void **state)
{
	struct office o;
	struct swept done;

	(void)state;
	office_make(&o);
	make_all(&o);
	done = sweep(&o, 3600, SIZE_MAX);
	assert_int_equal(done.removed, 2); /* the dead one's drafts */
	assert_true(is_there(&o, "queue/11"));
	office_done(&o);
}

static void test_orphans_and_no_mail_are_doubted(void **state)
{
	struct office o;
	struct str name = STR_INIT;
	struct swept done;

	(void)state;
	office_make(&o);
	for (int i = 0; i <= SWEEP_DOUBT; i++) {
		int fd;

		str_clear(&name);
		str_addf(&name, "%s/queue/%d", o.dir, 1000 + i);
		fd =
		    open(str_cstr(&name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	done = sweep(&o, 0, 10);
	assert_int_equal(done.removed, 0);
	assert_int_equal(done.left, SWEEP_DOUBT + 1);
	assert_int_equal(unlink(str_cstr(&name)), 0);
	done = sweep(&o, 0, 10); /* as many as a crash may leave */
	assert_int_equal(done.removed, SWEEP_DOUBT);
	str_done(&name);
	office_done(&o);
}

static void test_spool_that_is_not_there_is_said(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(sweep_new("/nowhere", 0, &err));
	assert_int_equal(err.code, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leftovers_go_in_any_steps),
		cmocka_unit_test(test_what_is_young_stays),
		cmocka_unit_test(test_orphans_and_no_mail_are_doubted),
		cmocka_unit_test(test_spool_that_is_not_there_is_said),
	};

	return TEST_RUN(tests);
}

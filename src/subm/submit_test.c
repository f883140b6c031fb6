/*
 * submit_test.c - from a descriptor into a spool in a temporary folder.
 *
 * What a crash or a full disk leaves is tested from outside, on the program.
 */
#include "subm/submit.h"

#include "base/fd.h"
#include "base/test.h"
#include "spool/name.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static struct subm_rcpt rcpts[] = {
	{ { "bob@x", 5 }, { "x", 1 } },
};

static const struct subm_envelope envelope = {
	.sender = { "alice@y", 7 },
	.channel = { "smtp", 4 },
	.rcpts = rcpts,
	.n_rcpts = 1,
};

static char office[] = "/tmp/zpost-submit_test-XXXXXX";

static void make_dir(const char *name)
{
	struct str path = STR_INIT;

	str_addf(&path, "%s%s", office, name);
	assert_int_equal(mkdir(path.p, 0700), 0);
	str_done(&path);
}

static int set_up(void **state)
{
	(void)state;
	memset(office + strlen(office) - 6, 'X', 6);
	assert_non_null(mkdtemp(office));
	make_dir("/queue");
	make_dir("/transport");
	return 0;
}

static int files_seen;

static int count_file(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)ftw;
	files_seen += type == FTW_F;
	return 0;
}

static int remove_any(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(office, remove_any, 8, FTW_DEPTH | FTW_PHYS);
}

static int count_files(void)
{
	files_seen = 0;
	assert_int_equal(nftw(office, count_file, 8, FTW_PHYS), 0);
	return files_seen;
}

/* Submits a text through a pipe; stop_fd as in struct subm_job. */
static int submit(struct slice text, int stop_fd, struct str *spool_id,
		  struct err *err)
{
	struct subm_job job = {
		.envelope = &envelope,
		.postoffice = office,
		.hash_levels = 1,
		.host_name = SLICE("host"),
		.stop_fd = stop_fd,
	};
	int ends[2], code;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], text), 0);
	close(ends[1]);
	job.in_fd = ends[0];
	code = subm_submit(&job, spool_id, err);
	close(ends[0]);
	return code;
}

static void read_file(const char *folder, const char *name, struct str *to)
{
	struct str path = STR_INIT;
	int fd;

	str_addf(&path, "%s/%s/", office, folder);
	jobname_add_hash(&path, strtoull(name, NULL, 10), 1);
	str_adds(&path, name);
	fd = open(path.p, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	str_clear(to);
	assert_int_equal(fd_read_all(fd, 0, 1 << 20, to), 0);
	close(fd);
	str_done(&path);
}

static void test_both_files_are_there_and_the_id_is_told(void **state)
{
	struct str id = STR_INIT, text = STR_INIT, want = STR_INIT;
	char *name;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(submit(SLICE("A: b\r\n\r\nbody\r\n"), -1, &id, &err),
			 EX_OK);
	assert_int_equal(count_files(), 2);
	/* The id begins with the inode number, which is the name. */
	assert_true(id.len > 9 && id.p[0] == 'S');
	name = strndup(id.p + 1, strspn(id.p + 1, "0123456789"));
	assert_non_null(name);
	read_file("queue", name, &text);
	assert_slice_is(str_slice(&text),
			"from <alice@y>\nto <bob@x>\nenv-end\n"
			"A: b\n\nbody\n");
	read_file("transport", name, &text);
	str_addf(&want,
		 "@ 0x00000007\ni %s\no 40\nl <%s@host>\n"
		 "s local - alice@y 0\nr           smtp x bob@x 0\n"
		 "N NOTIFY=FAILURE ORCPT=rfc822;bob@x\nm\nA: b\n\n",
		 name, id.p);
	assert_slice_is(str_slice(&text), want.p);
	free(name);
	str_done(&id);
	str_done(&text);
	str_done(&want);
}

static void test_refused_header_leaves_nothing(void **state)
{
	struct str id = STR_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(submit(SLICE("A: \0\n\nb"), -1, &id, &err),
			 EX_DATAERR);
	assert_string_equal(err.text, "the header holds a NUL byte");
	assert_int_equal(id.len, 0);
	assert_int_equal(count_files(), 0);
	str_done(&id);
}

static void test_stop_leaves_nothing(void **state)
{
	struct str id = STR_INIT;
	struct err err = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], SLICE("x")), 0);
	assert_int_equal(submit(SLICE("A: b\n\nc\n"), ends[0], &id, &err),
			 EX_TEMPFAIL);
	assert_int_equal(err.code, EINTR);
	assert_int_equal(id.len, 0);
	assert_int_equal(count_files(), 0);
	close(ends[0]);
	close(ends[1]);
	str_done(&id);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_both_files_are_there_and_the_id_is_told, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_refused_header_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_leaves_nothing,
						set_up, tear_down),
	};

	return TEST_RUN(tests);
}

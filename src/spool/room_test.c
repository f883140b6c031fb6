/*
 * room_test.c - a spool with too little room is told from one with enough.
 */
#include "spool/room.h"

#include "base/keyword.h"
#include "base/test.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* What fstatvfs(3) says; -1: it fails. */
static struct statvfs said[2];
static int n_asked;
static bool is_unknown;

/* Of descriptor 0 or 1. */
int fstatvfs(int fd, struct statvfs *ret)
{
	n_asked++;
	if (is_unknown) {
		errno = EIO;
		return -1;
	}
	*ret = said[fd];
	return 0;
}

static struct statvfs disk(uint64_t all, uint64_t free_blocks, uint64_t inodes,
			   uint64_t free_inodes)
{
	return (struct statvfs){ .f_bsize = 4096,
				 .f_frsize = 1024,
				 .f_blocks = all,
				 .f_bavail = free_blocks,
				 .f_files = inodes,
				 .f_favail = free_inodes };
}

static const int dirs[] = { 0, 1 };

static void test_room_is_what_the_reserve_leaves(void **state)
{
	const uint64_t standard = SPOOL_RESERVE_DEFAULT;
	const struct {
		struct spool_reserve reserve;
		struct statvfs fs;
		const char *says; /* NULL: there is room */
	} cases[] = {
		{ { 1024, 1 }, disk(100, 1, 10, 1), NULL },
		{ { 1025, 1 }, disk(100, 1, 10, 1), NULL }, /* whole blocks */
		{ { 2048, 1 },
		  disk(100, 1, 10, 1),
		  "short of space: 0 MB are free, and 1 MB have to" },
		{ { 0, 2 },
		  disk(100, 0, 10, 1),
		  "short of inodes: 1 are free, and 2 have to stay so" },
		{ { 0, 0 }, disk(100, 0, 10, 0), NULL },
		/* No file system of fixed inodes. */
		{ { 0, 2 }, disk(100, 0, 0, 0), NULL },
		/* 64 MB of a large one, a twentieth of a small one. */
		{ { standard, standard },
		  disk(1 << 24, 65535, 1 << 20, 2000),
		  "63 MB are free, and 64 MB have to stay so" },
		{ { standard, standard },
		  disk(1 << 24, 65536, 1 << 20, 999),
		  "999 are free, and 1000 have to stay so" },
		{ { standard, standard },
		  disk(1 << 24, 65536, 1 << 20, 1000),
		  NULL },
		{ { standard, standard }, disk(2000, 100, 2000, 100), NULL },
		{ { standard, standard },
		  disk(2000, 99, 2000, 100),
		  "short of space" },
		{ { standard, standard },
		  disk(2000, 100, 2000, 99),
		  "short of inodes" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int at = 0; at < 2; at++) {
			struct spool_room room = { 0 };
			struct err err = { 0 };
			int r;

			said[at] = cases[i].fs;
			said[!at] = disk(1 << 24, 1 << 23, 1 << 20, 1 << 19);
			r = spool_room_check(&room, &cases[i].reserve, dirs, 1,
					     &err);
			assert_int_equal(r, cases[i].says != NULL ? -1 : 0);
			if (r == 0)
				continue;
			assert_int_equal(err.code, ENOSPC);
			if (strstr(err.text, cases[i].says) == NULL)
				fail_msg("%zu: '%s'", i, err.text);
		}
}

static void test_disk_is_asked_once_a_second(void **state)
{
	const struct spool_reserve reserve = { 4096, 0 };
	struct spool_room room = { 0 };
	struct err err;

	(void)state;
	n_asked = 0;
	said[0] = said[1] = disk(100, 50, 0, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(
		    spool_room_check(&room, &reserve, dirs, 7, &err), 0);
	assert_int_equal(n_asked, 2);
	said[1] = disk(100, 0, 0, 0);
	assert_int_equal(spool_room_check(&room, &reserve, dirs, 8, &err), -1);
	err.text[0] = '\0';
	assert_int_equal(spool_room_check(&room, &reserve, dirs, 8, &err), -1);
	assert_non_null(strstr(err.text, "short of space"));
	assert_int_equal(n_asked, 4);
	said[1] = disk(100, 50, 0, 0);
	assert_int_equal(spool_room_check(&room, &reserve, dirs, 9, &err), 0);
}

static void test_what_cannot_be_known_refuses_nothing(void **state)
{
	const struct spool_reserve reserve = { 4096, 1 };
	struct spool_room room = { 0 };
	struct err err;

	(void)state;
	is_unknown = true;
	assert_int_equal(spool_room_check(&room, &reserve, dirs, 1, &err), 0);
	is_unknown = false;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_is_what_the_reserve_leaves),
		cmocka_unit_test(test_disk_is_asked_once_a_second),
		cmocka_unit_test(test_what_cannot_be_known_refuses_nothing),
	};

	return TEST_RUN(tests);
}

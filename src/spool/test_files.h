/*
 * test_files.h - what the unit tests of this room share: the two example
 * control files of the specification (sections 11 and 12), built line by line
 * at the offsets stated there, and files in a directory of their own.
 */
#ifndef SPOOL_TEST_FILES_H
#define SPOOL_TEST_FILES_H

#include "base/fd.h"
#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the example files -------------------------------------------------- */

struct test_line {
	size_t offset;
	const char *line;
};

static const struct test_line test_minimal[] = {
	{ 0, "@ 0x00000007" },
	{ 13, "i 24700" },
	{ 21, "o 91" },
	{ 26, "l <1@example.net>" },
	{ 44, "s local - alice 501" },
	{ 64, "r           smtp example.com bob@example.com 501" },
	{ 113, "m" },
	{ 115, "From: alice@example.net" },
	{ 139, "Subject: hi" },
	{ 151, "" },
};

static const struct test_line test_full[] = {
	{ 0, "@ 0x00000007" },
	{ 13, "v ../public/v_24700_1" },
	{ 35, "i 24700" },
	{ 43, "o 323" },
	{ 49, "l <20260101120000.1@example.net>" },
	{ 82, "e alice@example.net" },
	{ 102, "s smtp mx.example.net alice@example.net 65534" },
	{ 148, "r~  4711    smtp example.com bob@example.com 65534" },
	{ 199, "N NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.com "
	       "INRCPT=rfc822;bob@example.com "
	       "INFROM=rfc822;alice@example.net" },
	{ 315, "R HDRS" },
	{ 322, "n QQ314159" },
	{ 333, "r-          smtp example.com carol@example.com 65534" },
	{ 386, "r           local - dave 1003" },
	{ 416, "N NOTIFY=NEVER" },
	{ 431, "m" },
	{ 433, "Received: from mx.example.net ([192.0.2.7]:4242)" },
	{ 482, "\tby mail.example.org with ESMTP id S24700AbmAAMAA;" },
	{ 533, "\tThu, 1 Jan 2026 12:00:00 +0000" },
	{ 565, "From: Alice <alice@example.net>" },
	{ 597, "To: bob@example.com" },
	{ 617, "Subject: hello" },
	{ 632, "" },
	{ 633, "s smtp mx.example.net mx.example.net!alice 65534" },
	{ 682, "r           uucp uunet uunet!erin 65534" },
	{ 722, "m" },
	{ 724, "From: mx.example.net!alice" },
	{ 751, "To: erin" },
	{ 760, "Subject: hello" },
	{ 775, "" },
	{ 776, "d 333:433:-1::1767268805\tcarol@example.com\001failed\0015.1.1"
	       "\001smtp; 550 (unknown)\001dns; mx.example.com "
	       "(192.0.2.9|25|192.0.2.1|40000)\001smtp[4711]\t\r"
	       "<<- RCPT To:<carol@example.com>\r->> 550 5.1.1 unknown" },
};

/* Adds the lines to *to, each of which must come to lie at its offset. */
static inline void test_build(const struct test_line *lines, size_t n,
			      struct str *to)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(to->len, lines[i].offset);
		str_adds(to, lines[i].line);
		str_addc(to, '\n');
	}
}

#define TEST_BUILD(lines, to) test_build((lines), COUNT(lines), (to))

/* ---- files -------------------------------------------------------------- */

/* Removes what nftw() shows. */
static inline int test_remove_one(const char *path, const struct stat *st,
				  int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static char *test_root; /* holds this program's directories */

/* At the program's end: also what failed tests have left. */
static inline void test_root_remove(void)
{
	(void)nftw(test_root, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(test_root);
}

/* mkdtemp() below a directory; the path is given to the caller. */
static inline char *test_mkdtemp(const char *below, const char *name)
{
	struct str path = STR_INIT;

	str_addf(&path, "%s/%sXXXXXX", below, name);
	assert_non_null(mkdtemp(path.p));
	return path.p;
}

/* Makes an empty directory of its own; the path is given to the caller. */
static inline char *test_dir_make(void)
{
	const char *base = getenv("TMPDIR");

	if (test_root == NULL) {
		test_root =
		    test_mkdtemp(base != NULL ? base : "/tmp", "zpost-test-");
		/* others may pass, since some tests become another user */
		assert_int_equal(chmod(test_root, 0711), 0);
		assert_int_equal(atexit(test_root_remove), 0);
	}
	return test_mkdtemp(test_root, "");
}

/* Removes the directory with all that is in it, and frees the path. */
static inline void test_dir_remove(char *path)
{
	assert_int_equal(nftw(path, test_remove_one, 16, FTW_DEPTH | FTW_PHYS),
			 0);
	free(path);
}

/* Writes a whole file. */
static inline void test_file_write(const char *path, struct slice bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes), 0);
	fd_close(fd);
}

/* Adds a whole file to *to; false if there is none. */
static inline bool test_file_read(const char *path, struct str *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	assert_int_equal(fd_read_all(fd, 0, SIZE_MAX - 1, to), 0);
	fd_close(fd);
	return true;
}

/* ---- other processes ---------------------------------------------------- */

enum { TEST_NOBODY = 65534 };

/* Gives up root for good; a test run by another user stays what it is. */
static inline void test_become_nobody(void)
{
	if (geteuid() == 0 &&
	    (setresgid(TEST_NOBODY, TEST_NOBODY, TEST_NOBODY) < 0 ||
	     setresuid(TEST_NOBODY, TEST_NOBODY, TEST_NOBODY) < 0))
		_exit(99);
}

/* fork() whose child does not outlive a test that fails. */
static inline pid_t test_fork(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(98);
	return child;
}

/* Waits for a child of ours; its exit status, or 256 and more for a signal. */
static inline int test_wait(pid_t child)
{
	int status = 0;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
}

#endif

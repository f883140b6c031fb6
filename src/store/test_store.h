/*
 * test_store.h - a folder for a store, children, and a look at the database
 * from outside.
 */
#ifndef STORE_TEST_STORE_H
#define STORE_TEST_STORE_H

#include "base/test.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_ROOM = 256 };

struct place {
	char top[64];
	char dir[PATH_ROOM]; /* the store's; not made yet */
	char db[PATH_ROOM];
};

/* The path of a file in the store's folder; lives until the next call. */
static inline const char *place_file(const struct place *p, const char *name)
{
	static char path[2 * PATH_ROOM];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return path;
}

static inline struct place place_new(void)
{
	struct place p = { .top = "/tmp/zpost-store-XXXXXX" };

	if (mkdtemp(p.top) == NULL)
		fail_msg("no folder");
	snprintf(p.dir, sizeof(p.dir), "%s/store", p.top);
	snprintf(p.db, sizeof(p.db), "%s/store/store.db", p.top);
	return p;
}

/* Removes the folder with all that is in it. */
static inline void place_remove(const struct place *p)
{
	DIR *d = opendir(p->dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (unlink(place_file(p, e->d_name)) < 0) {
			/* "." and ".." */
		}
	if (d != NULL)
		closedir(d);
	if (rmdir(p->dir) < 0 && unlink(p->dir) < 0) {
		/* it was never made */
	}
	rmdir(p->top);
}

static inline void write_file(const char *path, const void *data, size_t n,
			      mode_t mode)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(data, 1, n, f) != n || fclose(f) != 0 ||
	    chmod(path, mode) < 0)
		fail_msg("%s cannot be written", path);
}

/* Runs one statement from outside; gives the first column of its last row. */
static inline int64_t outside(const struct place *p, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	int64_t n = -1;
	int code = sqlite3_open(p->db, &db);

	sqlite3_busy_timeout(db, 10000);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
	while (code == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	if (code == SQLITE_OK)
		code = sqlite3_finalize(q);
	if (code != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
	return n;
}

static inline void assert_whole(const struct place *p)
{
	int64_t n = outside(p, "SELECT count(*) FROM pragma_integrity_check"
			       " WHERE integrity_check <> 'ok'");

	assert_int_equal(n, 0);
}

/* A child that runs body(context) and exits with what it returns. */
static inline pid_t child_start(int (*body)(void *context), void *context)
{
	pid_t pid = fork();

	if (pid < 0)
		fail_msg("no child");
	if (pid == 0)
		_exit(body(context));
	return pid;
}

/* Its exit status; -1 if it was killed. */
static inline int child_end(pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, 0) != pid)
		fail_msg("the child is lost");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif

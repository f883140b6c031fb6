/*
 * storefile.c - the folder of the store, its lock, and the database as a file.
 *
 * The checks need not be one step with what follows them, since nobody else
 * can change the folder once it has passed.
 */
#include "store/storefile.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 10 };

/* Bits of a mode that ours never has. */
enum { OF_FOLDER = 0022, OF_FILE = 0027 };

static int not_usable(const char *path, struct err *err)
{
	return FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
}

/* Is it of this type, ours, and nobody else's to change? */
static int check(const char *path, const struct stat *st, mode_t type,
		 mode_t unwanted, struct err *err)
{
	if ((st->st_mode & S_IFMT) != type)
		return FAIL(err, "%s: is not a %s", path,
			    type == S_IFDIR ? "folder" : "plain file");
	if (st->st_uid != geteuid())
		return FAIL(err, "%s: belongs to user %lu, not to %lu", path,
			    (unsigned long)st->st_uid,
			    (unsigned long)geteuid());
	if ((st->st_mode & unwanted) != 0)
		return FAIL(err, "%s: mode %04o lets others in", path,
			    (unsigned)(st->st_mode & 07777));
	return 0;
}

static int enter_folder(struct storefile *f, const char *dir, struct err *err)
{
	char *real = NULL;
	struct stat st;
	int r = -1;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return not_usable(dir, err);
	if (lstat(dir, &st) < 0)
		return not_usable(dir, err);
	if (check(dir, &st, S_IFDIR, OF_FOLDER, err) < 0)
		return -1;
	real = realpath(dir, NULL);
	if (real == NULL) {
		r = not_usable(dir, err);
		goto out;
	}
	str_clear(&f->path);
	str_addf(&f->path, "%s/store.db", real);
	r = 0;
out:
	free(real);
	return r;
}

/* The name of what lies beside the database; given to the caller. */
static struct str beside(const struct storefile *f, const char *suffix)
{
	struct str path = STR_INIT;

	str_addf(&path, "%s%s", str_cstr(&f->path), suffix);
	return path;
}

static int take_lock(int fd, const char *path, unsigned wait_ms,
		     struct err *err)
{
	static const struct timespec tick = { .tv_nsec = TICK_MS * 1000000 };

	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return not_usable(path, err);
		if (waited >= wait_ms)
			return FAIL_CODE(err, EWOULDBLOCK,
					 "%s: locked by another process", path);
		nanosleep(&tick, NULL);
		waited += TICK_MS;
	}
	return 0;
}

int storefile_enter(struct storefile *f, const char *dir, unsigned wait_ms,
		    struct err *err)
{
	struct str path = STR_INIT;
	struct stat st;
	int fd = -1, r = -1;

	if (enter_folder(f, dir, err) < 0)
		return -1;
	str_add(&path,
		slice_head(str_slice(&f->path), f->path.len - SLICE("db").len));
	str_adds(&path, "lock");
	fd = open(str_cstr(&path),
		  O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
		      O_NOCTTY,
		  0600);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = not_usable(str_cstr(&path), err);
		goto out;
	}
	if (check(str_cstr(&path), &st, S_IFREG, OF_FOLDER, err) < 0 ||
	    take_lock(fd, str_cstr(&path), wait_ms, err) < 0)
		goto out;
	f->lock_fd = fd;
	fd = -1;
	r = 0;
out:
	fd_close(fd);
	str_done(&path);
	return r;
}

/* Removes what lies beside the database. */
static int remove_beside(const struct storefile *f, const char *suffix,
			 struct err *err)
{
	struct str path = beside(f, suffix);
	int r = 0;

	if (unlink(str_cstr(&path)) < 0 && errno != ENOENT)
		r = not_usable(str_cstr(&path), err);
	str_done(&path);
	return r;
}

/* A journal without its database would be played into the new one. */
static int make(struct storefile *f, struct err *err)
{
	int fd;

	if (remove_beside(f, "-wal", err) < 0 ||
	    remove_beside(f, "-shm", err) < 0 ||
	    remove_beside(f, "-journal", err) < 0)
		return -1;
	fd = open(str_cstr(&f->path),
		  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return not_usable(str_cstr(&f->path), err);
	fd_close(fd);
	return 0;
}

int storefile_ready(struct storefile *f, struct err *err)
{
	const char *path = str_cstr(&f->path);
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			return not_usable(path, err);
		if (make(f, err) < 0)
			return -1;
		if (lstat(path, &st) < 0)
			return not_usable(path, err);
	}
	if (check(path, &st, S_IFREG, OF_FILE, err) < 0)
		return -1;
	f->device = st.st_dev;
	f->inode = st.st_ino;
	return 0;
}

int storefile_set_aside(struct storefile *f, struct err *err)
{
	struct str bad = beside(f, ".bad");
	const char *path = str_cstr(&f->path);
	struct stat st;
	int r = 0;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			r = not_usable(path, err);
		goto out;
	}
	if (st.st_dev != f->device || st.st_ino != f->inode)
		goto out;
	r = rename(path, str_cstr(&bad)) < 0 ? not_usable(path, err) : 1;
out:
	str_done(&bad);
	return r;
}

void storefile_leave(struct storefile *f)
{
	fd_close(f->lock_fd);
	f->lock_fd = -1;
}

void storefile_done(struct storefile *f)
{
	storefile_leave(f);
	str_done(&f->path);
}

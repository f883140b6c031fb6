/*
 * test_office.h - a postoffice for the tests of create.c, and the calls that
 * make files durable or visible replaced by ones that write down what they
 * do, check between any two steps what a reader would see, and can fail at
 * any step. To be included by one source file of a program only.
 */
#ifndef SPOOL_TEST_OFFICE_H
#define SPOOL_TEST_OFFICE_H

#include "spool/create.h"
#include "spool/test_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* ---- a postoffice ------------------------------------------------------- */

struct office {
	char *dir;
	struct create create;
	struct str body, control;
	struct err err;
};

static struct office *watched; /* whose files the replaced calls look at */

/* Adds the path of what lies at `sub` below the postoffice. */
static inline void add_path(const struct office *o, const char *sub,
			    struct str *to)
{
	str_addf(to, "%s/%s", o->dir, sub);
}

/* Makes a directory, past the calls replaced below. */
static inline void office_mkdir(const struct office *o, const char *sub)
{
	struct str path = STR_INIT;

	add_path(o, sub, &path);
	assert_int_equal(syscall(SYS_mkdirat, AT_FDCWD, path.p, 0700), 0);
	str_done(&path);
}

/* A postoffice with an empty queue/ and transport/. office_done() it. */
static inline void office_make(struct office *o)
{
	*o = (struct office){ .dir = test_dir_make() };
	office_mkdir(o, "queue");
	office_mkdir(o, "transport");
}

/* Fills o->control for the message that was begun. */
static inline void make_control(struct office *o, size_t body_offset)
{
	str_clear(&o->control);
	str_addf(&o->control,
		 "@ 0x00000007\ni %.*s\no %zu\nl <x@example.net>\n"
		 "s local - alice 501\n"
		 "r           smtp example.com bob@example.com 501\n"
		 "m\nFrom: alice@example.net\n\n",
		 SLICE_ARG(create_base(&o->create)), body_offset);
}

/* Begins a message, writes `text` and prepares its control file. */
static inline int office_begin(struct office *o, unsigned levels,
			       const char *text)
{
	if (create_begin(o->dir, levels, &o->create, &o->err) < 0)
		return -1;
	str_clear(&o->body);
	str_adds(&o->body, text);
	make_control(o, 2);
	return create_write(&o->create, str_slice(&o->body), &o->err);
}

/* Commits it. 0 or -1 with o->err filled. */
static inline int office_commit(struct office *o)
{
	return create_commit(&o->create, str_slice(&o->control), &o->err);
}

static int n_files; /* what count_files() counts */

/* Counts for count_files(). */
static inline int count_one(const char *path, const struct stat *st, int type,
			    struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)ftw;
	n_files += type != FTW_D && type != FTW_DP;
	return 0;
}

/* Number of things below `sub` that are no directories. */
static inline int count_files(const struct office *o, const char *sub)
{
	struct str path = STR_INIT;

	add_path(o, sub, &path);
	n_files = 0;
	assert_int_equal(nftw(path.p, count_one, 16, FTW_PHYS), 0);
	str_done(&path);
	return n_files;
}

/* Adds the file `name` below `sub` to *to; false if there is none. */
static inline bool office_read(const struct office *o, const char *sub,
			       const char *name, struct str *to)
{
	struct str path = STR_INIT;
	bool found;

	str_addf(&path, "%s/%s/%s", o->dir, sub, name);
	found = test_file_read(path.p, to);
	str_done(&path);
	return found;
}

/* ---- calls that watch --------------------------------------------------- */

static struct {
	struct str events;
	int calls, fail_at, fail_errno; /* the fail_at'th call fails */
	bool no_rename, no_unlink, no_nameless;
	ino_t inode; /* what new files are said to have; 0: the truth */
} steps;

/* Forgets what was seen; nothing fails any more. */
static inline void steps_clear(void)
{
	str_done(&steps.events);
	memset(&steps, 0, sizeof(steps));
}

/* Adds a path below the postoffice, with the numbers that vary replaced. */
static inline void add_event_path(int dir, const char *name)
{
	char link[32], target[4096]; /* PATH_MAX */
	struct slice path;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = readlink(link, target, sizeof(target));
	assert_true(n > 0);
	path = slice_make(target, (size_t)n);
	if (watched != NULL)
		path = slice_from(path, strlen(watched->dir) + 1);
	if (slice_find_text(path, SLICE(".new-")) < path.len)
		path.len = slice_find_text(path, SLICE(".new-")) + 4;
	if (slice_find(path, '#') < path.len) { /* what such a file is called */
		path.len = slice_find(path, '#');
		str_add(&steps.events, path);
		path = SLICE("NAMELESS");
	} else if (slice_find_last(path, '/') < path.len &&
		   ascii_is_digit(path.p[slice_find_last(path, '/') + 1])) {
		path.len = slice_find_last(path, '/') + 1;
		str_add(&steps.events, path);
		path = SLICE("N");
	}
	str_add(&steps.events, path);
	if (name == NULL)
		return;
	str_addc(&steps.events, '/');
	str_adds(&steps.events, *name == '.' ? ".new" : "N");
}

/* Ends the line of an event. */
static inline void event_end(void)
{
	str_addc(&steps.events, '\n');
}

/*
 * What is seen at this moment: a control file must be whole, and then its
 * message must be whole too, and synced with its directory before.
 */
static inline void check_what_is_seen(void)
{
	struct str control = STR_INIT, message = STR_INIT;
	const char *name;

	if (watched == NULL || watched->create.name.len == 0)
		return;
	name = str_cstr(&watched->create.name);
	if (office_read(watched, "transport", name, &control)) {
		assert_true(slice_eq(str_slice(&control),
				     str_slice(&watched->control)));
		assert_true(office_read(watched, "queue", name, &message));
		assert_true(
		    slice_eq(str_slice(&message), str_slice(&watched->body)));
	}
	str_done(&control);
	str_done(&message);
}

/* Counts a step; true if it must fail, with errno set. */
static inline bool step_fails(void)
{
	check_what_is_seen();
	if (++steps.calls != steps.fail_at)
		return false;
	errno = steps.fail_errno;
	return true;
}

/* fsync(2), watched. */
int fsync(int fd)
{
	str_adds(&steps.events, "fsync ");
	add_event_path(fd, NULL);
	event_end();
	return step_fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

/* renameat2(2), watched; can be said to be unknown to the file system. */
int renameat2(int from_dir, const char *from, int to_dir, const char *to,
	      unsigned flags)
{
	assert_int_equal(flags, RENAME_NOREPLACE);
	if (steps.no_rename) {
		errno = EINVAL;
		return -1;
	}
	str_adds(&steps.events, "rename ");
	add_event_path(from_dir, from);
	str_addc(&steps.events, ' ');
	add_event_path(to_dir, to);
	event_end();
	return step_fails() ? -1
			    : (int)syscall(SYS_renameat2, from_dir, from,
					   to_dir, to, flags);
}

/* linkat(2), watched. */
int linkat(int from_dir, const char *from, int to_dir, const char *to,
	   int flags)
{
	str_adds(&steps.events, "link ");
	add_event_path(to_dir, to);
	event_end();
	return step_fails() ? -1
			    : (int)syscall(SYS_linkat, from_dir, from, to_dir,
					   to, flags);
}

/* openat(2); files without a name can be said to be unknown. */
int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if ((flags & O_TMPFILE) == O_TMPFILE && steps.no_nameless) {
		errno = EOPNOTSUPP;
		return -1;
	}
	va_start(ap, flags);
	if ((flags & (O_CREAT | __O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

/* mkdirat(2), watched. */
int mkdirat(int dir, const char *name, mode_t mode)
{
	assert_int_equal(mode, 0700);
	str_adds(&steps.events, "mkdir ");
	add_event_path(dir, name);
	event_end();
	return step_fails() ? -1 : (int)syscall(SYS_mkdirat, dir, name, mode);
}

/* unlinkat(2), which can be forbidden. */
int unlinkat(int dir, const char *name, int flags)
{
	check_what_is_seen();
	if (steps.no_unlink) {
		errno = EROFS;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

/* fstat(2), which can make up the inode number. */
int fstat(int fd, struct stat *st)
{
	long r = syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);

	if (r == 0 && S_ISREG(st->st_mode) && steps.inode != 0)
		st->st_ino = steps.inode;
	return (int)r;
}

/* Ends the message, removes everything, watches no longer. */
static inline void office_done(struct office *o)
{
	watched = NULL;
	create_end(&o->create);
	str_done(&o->body);
	str_done(&o->control);
	test_dir_remove(o->dir);
	steps_clear();
}

/* Number of descriptors that are open. */
static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

#endif

/*
 * test_disk.h - a control file on disk and processes that hold its locks, for
 * the tests of lock.c.
 */
#ifndef SPOOL_TEST_DISK_H
#define SPOOL_TEST_DISK_H

#include "spool/ctl.h"
#include "spool/test_files.h"

#include <signal.h>
#include <sys/syscall.h>

/* A control file on disk. */
struct disk {
	char *dir;
	struct str path, text; /* text: as first written */
	int fd;
	struct arena *arena;
	struct ctl ctl;
};

/* Writes text to a file of its own, opens and parses it. disk_close() it. */
static inline void disk_open(struct disk *d, struct slice text)
{
	struct err err;

	*d = (struct disk){ .dir = test_dir_make(), .arena = arena_new() };
	str_addf(&d->path, "%s/24700", d->dir);
	str_add(&d->text, text);
	test_file_write(str_cstr(&d->path), text);
	d->fd = open(str_cstr(&d->path), O_RDWR | O_CLOEXEC);
	assert_true(d->fd >= 0);
	assert_int_equal(
	    ctl_parse(str_slice(&d->text), d->arena, &d->ctl, &err), CTL_OK);
}

/* The same with section 11's example. */
static inline void disk_open_minimal(struct disk *d)
{
	struct str text = STR_INIT;

	TEST_BUILD(test_minimal, &text);
	disk_open(d, str_slice(&text));
	str_done(&text);
}

/* Closes and removes everything. */
static inline void disk_close(struct disk *d)
{
	fd_close(d->fd);
	arena_free(d->arena);
	str_done(&d->path);
	str_done(&d->text);
	test_dir_remove(d->dir);
}

/* The first recipient. */
static inline const struct ctl_rcpt *rcpt_of(const struct disk *d)
{
	return &d->ctl.rcpts[0];
}

/* The seven bytes are `want`, and no other byte of the file has changed. */
static inline void assert_bytes(const struct disk *d, const char *want)
{
	struct str now = STR_INIT;
	size_t at = rcpt_of(d)->offset + 1;

	assert_int_equal(strlen(want), 7);
	assert_true(test_file_read(str_cstr(&d->path), &now));
	assert_slice_is(slice_head(slice_from(str_slice(&now), at), 7), want);
	assert_int_equal(now.len, d->text.len);
	memcpy(now.p + at, d->text.p + at, 7);
	assert_true(slice_eq(str_slice(&now), str_slice(&d->text)));
	str_done(&now);
}

/* Puts seven bytes on disk behind everybody's back. */
static inline void put_bytes(const struct disk *d, const char *bytes)
{
	assert_int_equal(syscall(SYS_pwrite64, d->fd, bytes, 7,
				 (off_t)rcpt_of(d)->offset + 1),
			 7);
}

/* Is the byte lock free, seen through another descriptor? */
static inline bool is_byte_free(const struct disk *d)
{
	struct flock range = { .l_type = F_WRLCK,
			       .l_start = (off_t)rcpt_of(d)->offset + 1,
			       .l_len = 1 };
	int fd = open(str_cstr(&d->path), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &range), 0);
	fd_close(fd);
	return range.l_type == F_UNLCK;
}

/* A child that holds the byte, until it is killed, and touches no byte. */
static inline pid_t fork_holder(const struct disk *d)
{
	struct flock range = { .l_type = F_WRLCK,
			       .l_start = (off_t)rcpt_of(d)->offset + 1,
			       .l_len = 1 };
	int ready[2];
	pid_t child;
	char c;

	assert_int_equal(pipe(ready), 0);
	child = test_fork();
	if (child == 0) {
		int fd = open(str_cstr(&d->path), O_RDWR | O_CLOEXEC);

		c = fcntl(fd, F_OFD_SETLK, &range) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &c, 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	fd_close(ready[0]);
	fd_close(ready[1]);
	return child;
}

/* Ends a child of ours and waits for it. */
static inline void test_kill(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	test_wait(child);
}

#endif

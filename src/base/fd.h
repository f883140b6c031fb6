/*
 * fd.h - the few things every room does with file descriptors.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/err.h"
#include "base/slice.h"
#include "base/str.h"

/* Closes fd unless it is negative; keeps errno. */
void fd_close(int fd);

/*
 * Writes all of s, waiting for room as long as it takes, going on after
 * partial writes and EINTR. Returns 0, or -1 with errno set.
 */
MUST_USE int fd_write_all(int fd, struct slice s);

/*
 * Adds to *to everything from the descriptor's position to its end, at most
 * max bytes. Returns 0; 1 if there was more than max (to then holds max
 * bytes more); -1 with errno set (what was read until then stays added).
 * `expect` is the number of bytes that are probably there (a file's size; 0 if
 * unknown): if just that many come no further read is made, so a regular file
 * costs one system call. A file that has grown meanwhile is read to its end.
 */
MUST_USE int fd_read_all(int fd, size_t expect, size_t max, struct str *to);

/* Sets or clears O_NONBLOCK. Returns 0, or -1 with errno set. */
MUST_USE int fd_set_nonblocking(int fd, bool on);

#endif

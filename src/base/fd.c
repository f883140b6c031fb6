/*
 * fd.c - the few things every room does with file descriptors.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

void fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

/* Somebody who shares the descriptor may have made it non-blocking. */
static int wait_for_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

int fd_write_all(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.p, s.len);

		if (n < 0 && errno == EAGAIN && wait_for_room(fd) == 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = slice_from(s, (size_t)n);
	}
	return 0;
}

int fd_read_all(int fd, size_t expect, size_t max, struct str *to)
{
	size_t got = 0;

	for (;;) {
		size_t want = got < expect ? expect - got : READ_STEP - 1;
		ssize_t n;

		if (want > max - got)
			want = max - got;
		if (want < SIZE_MAX)
			want++; /* one more tells "too long" and "has grown" */
		str_reserve(to, want);
		n = read(fd, to->p + to->len, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		got += (size_t)n;
		to->len += (size_t)n;
		to->p[to->len] = '\0';
		if (got > max) {
			str_cut(to, to->len - (got - max));
			return 1;
		}
		if (n == 0 || got == expect)
			return 0;
	}
}

int fd_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags);
}

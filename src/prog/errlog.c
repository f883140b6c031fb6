/*
 * errlog.c - lines to standard error, for which nobody ever waits.
 */
#include "prog/errlog.h"

#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

/* A pipe that is writable takes so much without waiting. */
enum { LINE_MAX_BYTES = PIPE_BUF };

static unsigned long n_lost;
static bool is_torn; /* a part of a line is there, without its LF */

static bool has_room(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

/* False: nothing, or not all, was written. */
static bool put(const struct str *text)
{
	ssize_t n;

	do
		n = has_room() ? write(STDERR_FILENO, text->p, text->len) : -1;
	while (n < 0 && errno == EINTR);
	if (n > 0)
		is_torn = text->p[n - 1] != '\n';
	return n == (ssize_t)text->len;
}

void errlog_write(struct slice line)
{
	struct str text = STR_INIT;

	errno = 0;
	if (is_torn)
		str_addc(&text, '\n');
	if (n_lost > 0)
		str_addf(&text, "(%lu lines of the log are lost)\n", n_lost);
	str_add(&text, slice_head(line, LINE_MAX_BYTES - text.len - 1));
	str_addc(&text, '\n');
	if (put(&text))
		n_lost = 0;
	else
		n_lost++;
	str_done(&text);
}

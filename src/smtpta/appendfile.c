/*
 * appendfile.c - a file that grows by whole lines and may be rotated away.
 */
#include "smtpta/appendfile.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 1000 };

struct appendfile {
	const char *path;
	mode_t mode;
	int fd;
	bool is_regular;
	int64_t looked_at;
	bool has_looked;
	bool is_torn; /* the last line has no end */
};

struct appendfile *appendfile_new(const char *path, mode_t mode)
{
	struct appendfile *f = mem_zero(1, sizeof(*f));

	f->path = path;
	f->mode = mode;
	f->fd = -1;
	return f;
}

void appendfile_free(struct appendfile *f)
{
	if (f == NULL)
		return;
	fd_close(f->fd);
	free(f);
}

/* Is what we have open no longer what the name stands for? */
static bool is_gone(const struct appendfile *f)
{
	struct stat open, named;

	if (fstat(f->fd, &open) < 0 || stat(f->path, &named) < 0)
		return true;
	return open.st_dev != named.st_dev || open.st_ino != named.st_ino;
}

int appendfile_open(struct appendfile *f, int64_t now, struct err *err)
{
	bool is_due = !f->has_looked || now - f->looked_at >= LOOK_MS;
	struct stat st;
	int fd;

	if (is_due) {
		f->has_looked = true;
		f->looked_at = now;
	}
	if (f->fd >= 0 && (!is_due || !is_gone(f)))
		return 0;
	if (f->fd < 0 && !is_due)
		return FAIL(err, "%s: not open", f->path);
	fd = open(f->path,
		  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
		      O_NONBLOCK,
		  f->mode);
	if (fd < 0) /* what was renamed stays better than nothing */
		return f->fd >= 0 ? 0
				  : FAIL_CODE(err, errno, "%s: %s", f->path,
					      strerror(errno));
	fd_close(f->fd);
	f->fd = fd;
	f->is_torn = false;
	f->is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return 0;
}

static int put_once(struct appendfile *f, struct slice lines, struct err *err)
{
	ssize_t n;

	do
		n = write(f->fd, lines.p, lines.len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)lines.len) {
		f->is_torn = false;
		return 0;
	}
	if (n > 0)
		f->is_torn = true;
	return FAIL_CODE(err, n < 0 ? errno : ENOSPC, "%s: %s", f->path,
			 strerror(n < 0 ? errno : ENOSPC));
}

/* As many whole lines as a pipe takes at once; one, however long. */
static struct slice pipeful(struct slice lines)
{
	struct slice most = slice_head(lines, PIPE_BUF);

	if (most.len == lines.len)
		return lines;
	if (slice_has(most, '\n'))
		return slice_head(most, slice_find_last(most, '\n') + 1);
	return slice_head(lines, slice_find(lines, '\n') + 1);
}

static int put(struct appendfile *f, struct slice lines, struct err *err)
{
	if (f->is_regular)
		return put_once(f, lines, err);
	while (lines.len > 0) {
		struct slice part = pipeful(lines);

		if (put_once(f, part, err) < 0)
			return -1;
		lines = slice_from(lines, part.len);
	}
	return 0;
}

int appendfile_add(struct appendfile *f, struct slice lines, int64_t now,
		   struct err *err)
{
	struct str whole = STR_INIT;
	int r;

	if (appendfile_open(f, now, err) < 0)
		return -1;
	if (!f->is_torn)
		return put(f, lines, err);
	str_addc(&whole, '\n'); /* ends what was torn */
	str_add(&whole, lines);
	r = put(f, str_slice(&whole), err);
	str_done(&whole);
	return r;
}

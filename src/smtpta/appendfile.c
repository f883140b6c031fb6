/*
 * appendfile.c - a file that grows by whole lines and may be rotated away.
 */
#include "smtpta/appendfile.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 1000 };

struct appendfile {
	const char *path;
	int fd;
	int64_t looked_at;
	bool has_looked;
	bool is_torn; /* the last line has no end */
};

struct appendfile *appendfile_new(const char *path)
{
	struct appendfile *f = mem_zero(1, sizeof(*f));

	f->path = path;
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

static int look(struct appendfile *f, int64_t now, struct err *err)
{
	bool is_due = !f->has_looked || now - f->looked_at >= LOOK_MS;
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
		  0640);
	if (fd < 0) /* what was renamed stays better than nothing */
		return f->fd >= 0 ? 0
				  : FAIL_CODE(err, errno, "%s: %s", f->path,
					      strerror(errno));
	fd_close(f->fd);
	f->fd = fd;
	f->is_torn = false;
	return 0;
}

static int put(struct appendfile *f, struct slice lines, struct err *err)
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

int appendfile_add(struct appendfile *f, struct slice lines, int64_t now,
		   struct err *err)
{
	struct str whole = STR_INIT;
	int r;

	if (look(f, now, err) < 0)
		return -1;
	if (!f->is_torn)
		return put(f, lines, err);
	str_addc(&whole, '\n'); /* ends what was torn */
	str_add(&whole, lines);
	r = put(f, str_slice(&whole), err);
	str_done(&whole);
	return r;
}

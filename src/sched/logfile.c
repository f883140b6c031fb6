/*
 * logfile.c - a file of lines that others read, and that nobody waits for.
 */
#include "sched/logfile.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

enum {
	BATCH_MAX = 64 * 1024,	/* bytes that wait for the end of the turn */
	KEEP_MAX = 1024 * 1024, /* memory that is kept for the next lines */
	PAUSE_SECONDS = 1	/* between tries when the file takes nothing */
};

struct logfile {
	const char *what, *path;
	int fd;
	struct event *flush;
	struct str lines; /* those that wait */
	struct str torn;  /* the rest of a line that the file has half of */
	bool is_failing;
	time_t pause_until; /* is_failing: nothing is tried before */
	uint64_t lost;	    /* since the file took lines last */
	uint64_t n_lines, n_lost;
	void (*tell)(void *context, uint64_t n);
	void *context;
};

static time_t steady_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* ---- the file ----------------------------------------------------------- */

/* Did whoever wrote last leave half a line? */
static bool ends_torn(int fd, const char *path)
{
	struct stat st;
	char last = '\n';
	int again;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	again = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (again >= 0 && pread(again, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	fd_close(again);
	return last != '\n';
}

/* Non-blocking: a pipe that nobody reads must not stop the mail. */
static int open_file(const struct logfile *f, int *ret_fd, struct err *err)
{
	const int flags =
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(f->path, flags, 0640);

	if (fd < 0)
		return FAIL_CODE(err, errno, "%s: %s: %s", f->what, f->path,
				 strerror(errno));
	if (ends_torn(fd, f->path) && write(fd, "\n", 1) != 1) {
		/* It will be said when a line cannot be written. */
	}
	*ret_fd = fd;
	return 0;
}

int logfile_open(const char *what, const char *path, struct logfile **ret,
		 struct err *err)
{
	struct logfile *f = mem_zero(1, sizeof(*f));

	f->what = what;
	f->path = path;
	if (open_file(f, &f->fd, err) < 0) {
		free(f);
		return -1;
	}
	*ret = f;
	return 0;
}

void logfile_on_lost(struct logfile *f, void (*tell)(void *context, uint64_t n),
		     void *context)
{
	f->tell = tell;
	f->context = context;
}

void logfile_reopen(struct logfile *f)
{
	struct err err;
	int fd;

	if (f == NULL)
		return;
	logfile_flush(f);
	if (open_file(f, &fd, &err) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s: the one before is kept",
			 err.text);
		return;
	}
	f->pause_until = 0;
	if (f->torn.len > 0) { /* of a file that is not ours any more */
		str_clear(&f->torn);
		f->lost++;
		f->n_lost++;
		f->n_lines--;
	}
	fd_close(f->fd);
	f->fd = fd;
}

/* ---- writing ------------------------------------------------------------ */

/* Writes from the front of s and takes that off. 0, or an errno value. */
static int write_some(struct logfile *f, struct str *s, size_t *ret_written)
{
	size_t at = 0;
	int code = 0;

	while (at < s->len && code == 0) {
		ssize_t n = write(f->fd, s->p + at, s->len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0)
			code = ENOSPC;
		else if (errno != EINTR)
			code = errno;
	}
	*ret_written = at;
	return code;
}

/* The rest of a torn line, then all that waits. */
static int write_all(struct logfile *f)
{
	size_t n, end;
	int code = write_some(f, &f->torn, &n);

	str_shift(&f->torn, n);
	if (code != 0)
		return code;
	code = write_some(f, &f->lines, &n);
	if (code != 0 && n > 0 && f->lines.p[n - 1] != '\n') {
		struct slice rest = slice_from(str_slice(&f->lines), n);

		end = slice_find(rest, '\n') + 1;
		str_add(&f->torn, slice_head(rest, end));
		n += end;
	}
	str_shift(&f->lines, n);
	return code;
}

static void drop_lines(struct logfile *f)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->lines.len; i++)
		n += f->lines.p[i] == '\n';
	f->lost += n;
	f->n_lost += n;
	f->n_lines -= n;
	str_clear(&f->lines);
}

static void fail(struct logfile *f, int code)
{
	drop_lines(f);
	f->pause_until = steady_now() + PAUSE_SECONDS;
	if (!f->is_failing)
		log_line(LOG_LEVEL_ERROR,
			 "%s: %s: %s: lines are lost until it takes them again",
			 f->what, f->path, strerror(code));
	f->is_failing = true;
}

static void recover(struct logfile *f)
{
	uint64_t lost = f->lost;

	f->is_failing = false;
	f->lost = 0;
	log_line(LOG_LEVEL_WARNING, "%s: %s: %ju lines were lost", f->what,
		 f->path, (uintmax_t)lost);
	if (f->tell != NULL && lost > 0)
		f->tell(f->context, lost);
}

void logfile_flush(struct logfile *f)
{
	int code;

	if (f->lines.len == 0)
		return;
	if (f->is_failing && steady_now() < f->pause_until) {
		drop_lines(f);
		return;
	}
	code = write_all(f);
	if (code != 0)
		fail(f, code);
	else if (f->lines.cap > KEEP_MAX)
		str_done(&f->lines);
	if (code == 0 && f->is_failing)
		recover(f);
}

/* ---- lines -------------------------------------------------------------- */

static void on_flush(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	logfile_flush(context);
}

struct str *logfile_buffer(struct logfile *f)
{
	return &f->lines;
}

void logfile_added(struct logfile *f, struct event_base *base)
{
	f->n_lines++;
	if (base == NULL || f->lines.len >= BATCH_MAX) {
		logfile_flush(f);
		return;
	}
	if (f->flush == NULL) {
		f->flush = event_new(base, -1, 0, on_flush, f);
		if (f->flush == NULL)
			mem_exhausted();
	}
	/* Behind all that this turn of the loop has still to do. */
	event_active(f->flush, EV_TIMEOUT, 0);
}

void logfile_counts(const struct logfile *f, uint64_t *ret_lines,
		    uint64_t *ret_lost)
{
	*ret_lines = f->n_lines;
	*ret_lost = f->n_lost;
}

void logfile_close(struct logfile *f)
{
	if (f == NULL)
		return;
	logfile_flush(f);
	if (f->flush != NULL)
		event_free(f->flush);
	fd_close(f->fd);
	str_done(&f->lines);
	str_done(&f->torn);
	free(f);
}

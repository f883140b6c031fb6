/*
 * verbose.c - the verbose log that a control file's `v` line asks for.
 *
 * openat2(2) resolves the name within ../public in one go; where the kernel
 * lacks it the name is walked, directory by directory.
 */
#include "agent/verbose.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC	"../public"
#define OPEN_AS (O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

struct verbose {
	int fd;
	const char *program;
	pid_t pid;
	struct str text;
};

/* ---- opening ------------------------------------------------------------ */

/* What stands behind "../public/", if it leads nowhere else. */
static int check_name(struct slice path, struct slice *ret, struct err *err)
{
	struct slice rest, part;

	if (!slice_starts(path, SLICE(PUBLIC "/")))
		return FAIL(err, "not below " PUBLIC "/");
	*ret = rest = slice_from(path, sizeof(PUBLIC "/") - 1);
	while (slice_cut(&rest, '/', &part))
		if (part.len == 0 || slice_eq(part, SLICE(".")) ||
		    slice_eq(part, SLICE("..")))
			return FAIL(err, "not a plain name below " PUBLIC "/");
	return 0;
}

/* Opens name, below dir, part by part. Takes dir. */
static int walk(int dir, struct slice name)
{
	struct slice part;
	int fd = dir;

	while (fd >= 0 && slice_cut(&name, '/', &part)) {
		struct str text = STR_INIT;
		int how =
		    name.p == NULL ? OPEN_AS : O_PATH | O_DIRECTORY | O_CLOEXEC;
		int next;

		str_add(&text, part);
		next = openat(fd, str_cstr(&text), how | O_NOFOLLOW);
		str_done(&text);
		fd_close(fd);
		fd = next;
	}
	return fd;
}

/* The file, or -1 with errno set. */
static int open_below_public(struct slice name)
{
	struct open_how how = { .flags = OPEN_AS | O_NOFOLLOW,
				.resolve =
				    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	int dir = open(PUBLIC, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir < 0)
		return -1;
	/* The name ends the path, hence in a NUL. */
	fd = (int)syscall(SYS_openat2, dir, name.p, &how, sizeof(how));
	/* EPERM: a filter of system calls that does not know it. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return walk(dir, name);
	fd_close(dir);
	return fd;
}

static int check_file(int fd, int message_fd, struct err *err)
{
	struct stat file, message;

	if (fstat(fd, &file) < 0 || fstat(message_fd, &message) < 0)
		return FAIL_CODE(err, errno, "%s", strerror(errno));
	if (!S_ISREG(file.st_mode))
		return FAIL(err, "not a regular file");
	if (file.st_nlink != 1)
		return FAIL(err, "has another name");
	if (file.st_uid != message.st_uid)
		return FAIL(err, "not owned by the message's owner");
	return 0;
}

int verbose_open(const struct verbose_request *request, struct verbose **ret,
		 struct err *err)
{
	struct slice name;
	struct verbose *v;
	int r = -1;
	int fd = -1;

	if (check_name(slice_of(request->path), &name, err) < 0)
		goto out;
	fd = open_below_public(name);
	if (fd < 0) {
		r = FAIL_CODE(err, errno, "%s", strerror(errno));
		goto out;
	}
	if (check_file(fd, request->message_fd, err) < 0)
		goto out;
	v = mem_zero(1, sizeof(*v));
	v->fd = fd;
	fd = -1; /* given to the log */
	v->program = request->program;
	v->pid = request->pid;
	*ret = v;
	r = 0;
out:
	fd_close(fd);
	return r;
}

void verbose_close(struct verbose *v)
{
	if (v == NULL)
		return;
	fd_close(v->fd);
	str_done(&v->text);
	free(v);
}

/* ---- writing ------------------------------------------------------------ */

static void add_time(struct str *to)
{
	time_t now = time(NULL);
	struct tm tm = { 0 };
	char text[32]; /* the date has 19 bytes, 20 from the year 10000 on */

	localtime_r(&now, &tm);
	str_add(to, slice_make(text, strftime(text, sizeof(text),
					      "%Y-%m-%d %H:%M:%S", &tm)));
}

void verbose_line(struct verbose *v, char type, struct slice text)
{
	struct slice part;

	if (v == NULL || v->fd < 0)
		return;
	str_clear(&v->text);
	add_time(&v->text);
	str_addf(&v->text, " %s[%ld] %c\t", v->program, (long)v->pid, type);
	while (slice_cut(&text, '\r', &part)) {
		str_add_clean(&v->text, part, SIZE_MAX);
		if (text.p != NULL)
			str_adds(&v->text, "\\r");
	}
	str_addc(&v->text, '\n');
	/* A full disk must not stop the mail. */
	if (fd_write_all(v->fd, str_slice(&v->text)) < 0) {
		fd_close(v->fd);
		v->fd = -1;
	}
}

void verbose_printf(struct verbose *v, const char *format, ...)
{
	char *said = NULL;
	va_list ap;
	int n;

	if (v == NULL)
		return;
	va_start(ap, format);
	n = vasprintf(&said, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	verbose_line(v, '#', slice_make(said, (size_t)n));
	free(said);
}

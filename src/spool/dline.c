/*
 * dline.c - `d` lines: diagnostics kept in the control file.
 */
#include "spool/dline.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct dline dline_of_rcpt(const struct ctl_rcpt *rcpt, int64_t now,
			   struct slice notary, struct slice message)
{
	const struct ctl_dsn *dsn = &rcpt->dsn;

	return (struct dline){
		.tag = ' ',
		.rcpt_offset = rcpt->offset,
		.header_offset = (int64_t)rcpt->header->offset,
		.dsn_offset = dsn->is_present ? (int64_t)dsn->offset : -1,
		.time = now,
		.notary = notary,
		.message = message,
	};
}

/* Adds text; a TAB becomes `tab`, LF a CR, NUL (which ends lines) a '?'. */
static void add_text(struct str *to, struct slice text, char tab)
{
	str_reserve(to, text.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\n')
			c = '\r';
		else if (c == '\t')
			c = tab;
		else if (c == '\0')
			c = '?';
		str_addc(to, c);
	}
}

void dline_print(struct str *to, const struct dline *d)
{
	str_addf(to, "d%c%" PRIu64 ":%" PRId64 ":%" PRId64 "::%" PRId64 "\t",
		 d->tag, d->rcpt_offset, d->header_offset, d->dsn_offset,
		 d->time);
	add_text(to, d->notary, ' ');
	str_addc(to, '\t');
	add_text(to, slice_head(d->message, DLINE_MESSAGE_MAX), '\t');
	str_addc(to, '\n');
}

/* ---- reading ------------------------------------------------------------ */

/* Cuts *rest at c, which must be there. */
static bool cut_at(struct slice *rest, char c, struct slice *ret_part)
{
	return slice_has(*rest, c) && slice_cut(rest, c, ret_part);
}

/* An offset, or -1. */
static bool read_offset(struct slice s, int64_t *ret)
{
	uint64_t n;

	if (slice_eq(s, SLICE("-1"))) {
		*ret = -1;
		return true;
	}
	if (!slice_uint(s, INT64_MAX, &n))
		return false;
	*ret = (int64_t)n;
	return true;
}

static bool read_time(struct slice s, int64_t *ret)
{
	bool is_negative = slice_starts(s, SLICE("-"));
	uint64_t n;

	if (!slice_uint(slice_from(s, is_negative), INT64_MAX, &n))
		return false;
	*ret = is_negative ? -(int64_t)n : (int64_t)n;
	return true;
}

int dline_parse(struct slice line, struct dline *ret, struct err *err)
{
	struct slice rest = slice_from(line, 2);
	struct slice id, header, dsn, unused, time;
	struct dline d = { 0 };

	if (line.len < 2 || line.p[0] != 'd' ||
	    (line.p[1] != ' ' && line.p[1] != '+'))
		return FAIL(err, "not a `d` line");
	d.tag = line.p[1];
	if (!cut_at(&rest, ':', &id) || !cut_at(&rest, ':', &header) ||
	    !cut_at(&rest, ':', &dsn) || !cut_at(&rest, ':', &unused) ||
	    !cut_at(&rest, '\t', &time) || !cut_at(&rest, '\t', &d.notary))
		return FAIL(err, "`d` line with too few parts");
	d.message = rest;
	if (!slice_uint(id, UINT64_MAX, &d.rcpt_offset) ||
	    !read_offset(header, &d.header_offset) ||
	    !read_offset(dsn, &d.dsn_offset) || !read_time(time, &d.time))
		return FAIL(err, "`d` line with a bad number");
	*ret = d;
	return 0;
}

/* ---- appending ---------------------------------------------------------- */

/*
 * One write at the file's end, after which the position stands behind what
 * was written. O_APPEND must not stay set: it would move the marks of
 * lock.c, which go through the same descriptor, to the end as well.
 */
static ssize_t append_once(int fd, const struct iovec *parts, int n_parts)
{
	ssize_t n = pwritev2(fd, parts, n_parts, -1, RWF_APPEND);
	int flags, saved;

	if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return n;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_APPEND) < 0)
		return -1;
	n = writev(fd, parts, n_parts);
	saved = errno;
	if (fcntl(fd, F_SETFL, flags) < 0)
		return -1;
	errno = saved;
	return n;
}

/* Does the file end within a line (1)? -1 with errno set. */
static int ends_torn(int fd)
{
	struct stat st;
	char last;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_size == 0)
		return 0;
	if (pread(fd, &last, 1, st.st_size - 1) < 0)
		return -1;
	return last != '\n';
}

/*
 * Undoes a torn write of n bytes that ends at the file's position. If others
 * have appended behind it, their lines must stay where they are and begin a
 * line of their own: the torn bytes become a line of a type that every reader
 * skips. That is done first and always, so that no moment is unsafe.
 */
static void take_back(int fd, size_t n)
{
	off_t end = lseek(fd, 0, SEEK_CUR), start = end - (off_t)n;
	struct str filler = STR_INIT;
	struct stat st;

	if (end < 0 || start < 0)
		return;
	for (size_t i = 1; i < n; i++)
		str_addc(&filler, '#');
	str_addc(&filler, '\n');
	/* Should it fail, cutting back is still worth trying. */
	(void)!pwrite(fd, filler.p, filler.len, start);
	if (fstat(fd, &st) == 0 && st.st_size == end)
		(void)!ftruncate(fd, start);
	str_done(&filler);
}

int dline_append(int fd, struct slice lines, struct err *err)
{
	/* Somebody's torn line must not swallow ours. */
	int torn = ends_torn(fd);
	struct iovec parts[] = {
		{ .iov_base = (char[]){ '\n' }, .iov_len = torn > 0 ? 1 : 0 },
		{ .iov_base = (void *)(uintptr_t)lines.p,
		  .iov_len = lines.len },
	};
	size_t want = parts[0].iov_len + parts[1].iov_len;
	ssize_t n = torn < 0 ? -1 : append_once(fd, parts, 2);

	if (n >= 0 && (size_t)n == want)
		return 0;
	if (n < 0)
		return FAIL_CODE(err, errno, "writing diagnostic: %s",
				 strerror(errno));
	if (n > 0)
		take_back(fd, (size_t)n);
	return FAIL_CODE(err, ENOSPC,
			 "writing diagnostic: only %zd of %zu bytes", n, want);
}

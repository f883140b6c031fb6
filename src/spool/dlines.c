/*
 * dlines.c - the scheduler's side of a control file.
 */
#include "spool/dlines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Behind the header block that begins at `at`; the end, if it has none. */
static size_t behind_block(struct slice text, size_t at)
{
	struct slice rest = slice_from(text, at + 1);
	size_t end = slice_find_text(rest, SLICE("\n\n"));

	return end < rest.len ? at + 1 + end + 2 : text.len;
}

bool dlines_next(struct slice text, size_t *at, size_t *ret_offset,
		 struct dline *ret)
{
	while (*at < text.len) {
		struct slice rest = slice_from(text, *at), line;
		size_t here = *at, len = slice_find(rest, '\n');

		line = slice_head(rest, len);
		if (here > 0 && len == 1 &&
		    (line.p[0] == 'm' || line.p[0] == 'M')) {
			*at = behind_block(text, here);
			continue;
		}
		*at = here + len + 1;
		/* One without its LF is just being written. */
		if (len > 0 && len < rest.len && line.p[0] == 'd' &&
		    dline_parse(line, ret, NULL) == 0) {
			*ret_offset = here;
			return true;
		}
	}
	return false;
}

static int write_tag(int fd, size_t offset, char tag, struct err *err)
{
	ssize_t n = pwrite(fd, &tag, 1, (off_t)offset);

	if (n == 1)
		return 0;
	return FAIL_CODE(err, n < 0 ? errno : EIO, "byte %zu: %s", offset,
			 strerror(n < 0 ? errno : EIO));
}

int dlines_mark_reported(int fd, size_t offset, struct err *err)
{
	return write_tag(fd, offset + 1, '+', err);
}

int dlines_hold(int fd, const struct ctl_rcpt *rcpt, bool is_held,
		struct err *err)
{
	char expected = is_held ? CTL_TAG_TODO : CTL_TAG_HELD, head[2];

	if (pread(fd, head, 2, (off_t)rcpt->offset) != 2 || head[0] != 'r' ||
	    head[1] != expected)
		return FAIL(err, "recipient at byte %zu: its tag is not '%c'",
			    rcpt->offset, expected);
	return write_tag(fd, rcpt->offset + 1,
			 is_held ? CTL_TAG_HELD : CTL_TAG_TODO, err);
}

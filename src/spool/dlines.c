/*
 * dlines.c - the scheduler's side of a control file.
 */
#include "spool/dlines.h"

#include <assert.h>
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

/* Writes the tag of a recipient whose tag is `expected`. */
static int change_tag(int fd, const struct ctl_rcpt *rcpt, char expected,
		      char tag, struct err *err)
{
	char head[2];

	if (pread(fd, head, 2, (off_t)rcpt->offset) != 2 || head[0] != 'r' ||
	    head[1] != expected)
		return FAIL(err, "recipient at byte %zu: its tag is not '%c'",
			    rcpt->offset, expected);
	return write_tag(fd, rcpt->offset + 1, tag, err);
}

int dlines_hold(int fd, const struct ctl_rcpt *rcpt, bool is_held,
		struct err *err)
{
	return change_tag(fd, rcpt, is_held ? CTL_TAG_TODO : CTL_TAG_HELD,
			  is_held ? CTL_TAG_HELD : CTL_TAG_TODO, err);
}

int dlines_end_held(int fd, const struct ctl_rcpt *rcpt, struct err *err)
{
	return change_tag(fd, rcpt, CTL_TAG_HELD, CTL_TAG_DONE, err);
}

int dlines_set_delays(int fd, const struct ctl_rcpt *rcpt, unsigned delays,
		      struct err *err)
{
	size_t at = rcpt->offset + 2 + CTL_PID_WIDTH;
	struct str digits = STR_INIT;
	int r = 0;

	assert(delays <= 9999);
	if (!rcpt->has_delay_slot)
		return 0;
	str_addf(&digits, "%*u", CTL_DELAY_WIDTH, delays);
	if (pwrite(fd, digits.p, CTL_DELAY_WIDTH, (off_t)at) != CTL_DELAY_WIDTH)
		r = FAIL_CODE(err, errno, "byte %zu: %s", at, strerror(errno));
	str_done(&digits);
	return r;
}

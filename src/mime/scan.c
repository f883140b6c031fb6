/*
 * scan.c - what a body is made of, in one pass.
 *
 * Each fact has a sweep of its own over the chunk, which lies in the cache:
 * eight-bit bytes by words, NUL and CR by memchr until the answer is known.
 * For the longest line most lines need not be looked at. From the start of a
 * line we look backward from the place where it would become the longest: if
 * an LF is found, all lines up to it are no longer than the longest so far,
 * and we go on behind it.
 */
#include "mime/scan.h"

#include <string.h>

void scan_begin(struct scan *s)
{
	*s = (struct scan){ 0 };
	utf8_begin(&s->utf8);
}

static void scan_8bit(struct scan *s, struct slice in)
{
	if (s->utf8.is_bad)
		return;
	utf8_push(&s->utf8, in);
	s->has_8bit = s->utf8.has_wide;
}

static void scan_nul(struct scan *s, struct slice in)
{
	if (!s->has_nul)
		s->has_nul = memchr(in.p, '\0', in.len) != NULL;
}

/* One CR: is it part of a line end? */
static void add_cr(struct scan *s, bool is_before_lf)
{
	if (is_before_lf)
		s->has_crlf = true;
	else
		s->has_bare_cr = true;
}

static void scan_cr(struct scan *s, struct slice in)
{
	const char *p = in.p, *end = in.p + in.len;

	if (s->had_cr)
		add_cr(s, *p == '\n');
	while (p < end && !(s->has_crlf && s->has_bare_cr)) {
		p = memchr(p, '\r', (size_t)(end - p));
		if (p == NULL || ++p == end)
			break;
		add_cr(s, *p == '\n');
	}
}

/* A line of `len` bytes has ended; ends_cr: the last of them is a CR. */
static void add_line(struct scan *s, uint64_t len, bool ends_in_cr)
{
	len -= ends_in_cr;
	if (len > s->longest)
		s->longest = len;
}

/* The LF of the first line from p on that may be longer than the longest. */
static const char *find_long(const struct scan *s, const char **p,
			     const char *end)
{
	while ((uint64_t)(end - *p) > s->longest) {
		size_t window = (size_t)s->longest + 1;
		const char *lf = memrchr(*p, '\n', window);

		if (lf == NULL)
			return memchr(*p + window, '\n',
				      (size_t)(end - *p) - window);
		*p = lf + 1;
	}
	return NULL;
}

static void scan_lines(struct scan *s, struct slice in)
{
	const char *p = in.p, *end = in.p + in.len;
	const char *lf = memchr(p, '\n', in.len), *last;

	if (lf == NULL) {
		s->line += in.len;
		return;
	}
	add_line(s, s->line + (uint64_t)(lf - p),
		 lf > p ? lf[-1] == '\r' : s->had_cr);
	p = lf + 1;
	while ((lf = find_long(s, &p, end)) != NULL) {
		add_line(s, (uint64_t)(lf - p), lf > p && lf[-1] == '\r');
		p = lf + 1;
	}
	last = memrchr(p, '\n', (size_t)(end - p));
	s->line = (uint64_t)(end - (last != NULL ? last + 1 : p));
}

void scan_push(struct scan *s, struct slice in)
{
	if (in.len == 0)
		return;
	scan_8bit(s, in);
	scan_nul(s, in);
	scan_cr(s, in);
	scan_lines(s, in);
	s->size += in.len;
	s->had_cr = in.p[in.len - 1] == '\r';
	s->ends_in_lf = in.p[in.len - 1] == '\n';
}

void scan_end(struct scan *s)
{
	if (s->had_cr)
		s->has_bare_cr = true;
	s->had_cr = false;
	if (s->line > s->longest)
		s->longest = s->line;
	s->line = 0;
	s->is_utf8 = utf8_is_wide(&s->utf8);
}

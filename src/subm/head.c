/*
 * head.c - find the header of a message that comes in chunks.
 *
 *	line  = field / fold / empty / other
 *	field = 1*ftext *WSP ":" *byte		; RFC 5322 3.6.8, 4.5.8
 *	fold  = WSP *byte			; only behind a field
 *	ftext = %d33-57 / %d59-126
 *
 * Lines are collected in `text` behind the header so far and judged when
 * their LF is there. A line is also judged once it cannot be a field of a
 * header within the limit, so a body without any LF needs no more memory.
 */
#include "subm/head.h"

/*
 * A line end of two bytes may follow a header of the greatest size; a line
 * that is longer than this without an end is not the empty one.
 */
enum { TEXT_MAX = SUBM_HEAD_MAX + 2 };

void subm_head_done(struct subm_head *h)
{
	str_done(&h->text);
	*h = SUBM_HEAD_INIT;
}

static bool is_ftext(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes a field apart at its colon; false if line is none. */
static bool split_field(struct slice line, struct slice *ret_name,
			struct slice *ret_value)
{
	size_t name = 0, colon;

	while (name < line.len && is_ftext(line.p[name]))
		name++;
	colon = name;
	while (colon < line.len && is_blank(line.p[colon]))
		colon++;
	if (name == 0 || colon == line.len || line.p[colon] != ':')
		return false;
	*ret_name = slice_head(line, name);
	*ret_value = slice_from(line, colon + 1);
	return true;
}

static bool is_field(struct slice line)
{
	struct slice name, value;

	return split_field(line, &name, &value);
}

static enum parse too_long(struct err *err)
{
	err_set(err, 0, "the header is longer than %d bytes", SUBM_HEAD_MAX);
	return PARSE_BAD;
}

/* The collected line, which ends at `end`, is a part of the header. */
static enum parse keep(struct subm_head *h, size_t end, struct err *err)
{
	struct slice line = slice_from(str_slice(&h->text), h->size);

	if (slice_has(line, '\0')) {
		err_set(err, 0, "the header holds a NUL byte");
		return PARSE_BAD;
	}
	if (end >= SUBM_HEAD_MAX)
		return too_long(err);
	str_cut(&h->text, end);
	str_addc(&h->text, '\n');
	h->size = h->text.len;
	return PARSE_MORE;
}

/*
 * Judges the collected line. has_end: its LF is there; else the input has
 * ended, or there is no room for more.
 */
static enum parse judge(struct subm_head *h, bool has_end, struct err *err)
{
	struct slice line = slice_from(str_slice(&h->text), h->size);
	bool is_first = h->size == 0, was_field;

	if (has_end)
		line.len--;
	was_field = is_field(line);
	if (is_first && !h->has_separator && !was_field &&
	    slice_starts(line, SLICE("From "))) {
		h->has_separator = true;
		str_clear(&h->text);
		return PARSE_MORE;
	}
	if (has_end && line.len > 0 && line.p[line.len - 1] == '\r') {
		if (is_first)
			h->is_crlf = was_field || line.len == 1;
		if (h->is_crlf)
			line.len--;
	}
	if (has_end && line.len == 0) {
		str_cut(&h->text, h->size);
		return PARSE_DONE;
	}
	if (was_field || (!is_first && line.len > 0 && is_blank(line.p[0])))
		return keep(h, h->size + line.len, err);
	return PARSE_DONE;
}

/* A line of more than TEXT_MAX bytes, header and all. */
static enum parse judge_endless(struct subm_head *h, struct err *err)
{
	enum parse verdict = judge(h, false, err);

	return verdict == PARSE_MORE ? too_long(err) : verdict;
}

enum parse subm_head_feed(struct subm_head *h, struct slice *in,
			  struct err *err)
{
	enum parse verdict = PARSE_MORE;

	while (verdict == PARSE_MORE && in->len > 0) {
		size_t lf = slice_find(*in, '\n');
		size_t n = lf < in->len ? lf + 1 : in->len;
		bool has_end = lf < in->len;

		if (n > TEXT_MAX - h->text.len) {
			n = TEXT_MAX - h->text.len;
			has_end = false;
		}
		str_add(&h->text, slice_head(*in, n));
		*in = slice_from(*in, n);
		if (has_end)
			verdict = judge(h, true, err);
		else if (h->text.len == TEXT_MAX)
			verdict = judge_endless(h, err);
	}
	return verdict;
}

enum parse subm_head_end(struct subm_head *h, struct err *err)
{
	enum parse verdict = PARSE_DONE;

	if (h->text.len > h->size)
		verdict = judge(h, false, err);
	return verdict == PARSE_BAD ? PARSE_BAD : PARSE_DONE;
}

struct slice subm_head_fields(const struct subm_head *h)
{
	return slice_head(str_slice(&h->text), h->size);
}

struct slice subm_head_rest(const struct subm_head *h)
{
	return slice_from(str_slice(&h->text), h->size);
}

bool subm_head_find(struct slice fields, struct slice name,
		    struct slice *ret_value)
{
	struct slice found = { 0 };

	while (fields.len > 0) {
		size_t lf = slice_find(fields, '\n');
		struct slice line = slice_head(fields, lf), this, value;

		fields = slice_from(fields, lf + 1);
		if (found.p == NULL) {
			if (split_field(line, &this, &value) &&
			    slice_eq_nocase(this, name))
				found = value;
			continue;
		}
		if (line.len == 0 || !is_blank(line.p[0]))
			break;
		found.len = (size_t)(line.p + line.len - found.p);
	}
	if (found.p == NULL)
		return false;
	*ret_value = found;
	return true;
}

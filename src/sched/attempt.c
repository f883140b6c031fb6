/*
 * attempt.c - is this an attempt record, and what of it matters here?
 *
 *	object = "{" [ member *( "," member ) ] "}"	; RFC 8259
 *
 * One pass over the bytes and no memory: a record of some kilobytes comes with
 * every message, and an agent may be anybody's. What passes goes into the
 * event log as it is, so everything that could make two readers of that log
 * disagree is refused: bytes that are not UTF-8, control characters, a member
 * that decides and comes twice or under an escaped name.
 */
#include "base/keyword.h"
#include "mime/charset.h"
#include "sched/sched_internal.h"

#include <string.h>

enum {
	DEPTH_MAX = 32,
	RECORD_MAX = 1024 * 1024, /* bytes; ours are far shorter */
	SITE_MAX = 4096
};

struct scan {
	struct slice rest;
	const char *why;
};

static bool bad(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return false;
}

/* The next byte behind blanks; NUL at the end. */
static char peek(struct scan *s)
{
	while (s->rest.len > 0 && s->rest.p[0] == ' ')
		s->rest = slice_from(s->rest, 1);
	return s->rest.len > 0 ? s->rest.p[0] : '\0';
}

static bool take(struct scan *s, char c)
{
	if (peek(s) != c || s->rest.len == 0)
		return false;
	s->rest = slice_from(s->rest, 1);
	return true;
}

/* ---- values ------------------------------------------------------------- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* What follows a backslash: how many bytes; 0: nothing that may. */
static size_t escape_len(struct slice s)
{
	if (s.len == 0)
		return 0;
	if (s.p[0] != 'u')
		return slice_has(SLICE("\"\\/bfnrt"), s.p[0]) ? 1 : 0;
	for (size_t i = 1; i <= 4; i++)
		if (i >= s.len || !is_hex(s.p[i]))
			return 0;
	return 5;
}

/* What stands between the quotes, as it is there. */
static bool text(struct scan *s, struct slice *ret)
{
	struct slice all;
	size_t i = 0;

	if (!take(s, '"'))
		return bad(s, "a name or text is missing");
	all = s->rest;
	while (i < all.len && all.p[i] != '"') {
		size_t n = 1;

		if (all.p[i] == '\\') {
			n = escape_len(slice_from(all, i + 1));
			if (n == 0)
				return bad(s, "a bad escape");
			n++;
		}
		i += n;
	}
	if (i >= all.len)
		return bad(s, "a text without an end");
	*ret = slice_head(all, i);
	s->rest = slice_from(all, i + 1);
	return true;
}

static size_t skip_digits(struct slice s, size_t i)
{
	while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i;
}

static bool number(struct scan *s, struct slice *ret)
{
	struct slice all = s->rest;
	size_t i = all.p[0] == '-', from = i;

	i = skip_digits(all, i);
	if (i == from || (all.p[from] == '0' && i > from + 1))
		return bad(s, "a bad number");
	if (i < all.len && all.p[i] == '.') {
		from = ++i;
		i = skip_digits(all, i);
		if (i == from)
			return bad(s, "a bad number");
	}
	if (i < all.len && (all.p[i] == 'e' || all.p[i] == 'E')) {
		i++;
		if (i < all.len && (all.p[i] == '+' || all.p[i] == '-'))
			i++;
		from = i;
		i = skip_digits(all, i);
		if (i == from)
			return bad(s, "a bad number");
	}
	*ret = slice_head(all, i);
	s->rest = slice_from(all, i);
	return true;
}

static bool word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (slice_starts(s->rest, slice_of(words[i]))) {
			s->rest = slice_from(s->rest, strlen(words[i]));
			return true;
		}
	return bad(s, "a value is missing");
}

/* A text, a number, or one of the words; *ret is empty for a word. */
static bool plain(struct scan *s, struct slice *ret)
{
	char c = peek(s);

	*ret = SLICE("");
	if (c == '"')
		return text(s, ret);
	if (c == '-' || (c >= '0' && c <= '9'))
		return number(s, ret);
	return word(s);
}

static bool name(struct scan *s)
{
	struct slice ignored;

	return text(s, &ignored) && (take(s, ':') || bad(s, "':' is missing"));
}

/* Any value that is to be skipped, whatever is in it. */
static bool skip(struct scan *s)
{
	char ends[DEPTH_MAX];
	size_t depth = 0;
	struct slice ignored;

	for (;;) {
		char c = peek(s);
		bool opens = c == '{' || c == '[';

		if (opens) {
			if (depth == DEPTH_MAX)
				return bad(s, "too deep");
			ends[depth++] = c == '{' ? '}' : ']';
			s->rest = slice_from(s->rest, 1);
			if (!take(s, ends[depth - 1])) {
				if (c == '{' && !name(s))
					return false;
				continue;
			}
			depth--;
		} else if (!plain(s, &ignored)) {
			return false;
		}
		while (depth > 0 && take(s, ends[depth - 1]))
			depth--;
		if (depth == 0)
			return true;
		if (!take(s, ','))
			return bad(s, "',' is missing");
		if (ends[depth - 1] == '}' && !name(s))
			return false;
	}
}

/* ---- the record --------------------------------------------------------- */

/* Calls take_member() for each member of an object; that reads the value. */
static bool members(struct scan *s,
		    bool (*take_member)(struct scan *s, struct slice key,
					void *context),
		    void *context)
{
	struct slice key;

	if (!take(s, '{'))
		return bad(s, "no object");
	if (take(s, '}'))
		return true;
	do {
		if (!text(s, &key) ||
		    (!take(s, ':') && !bad(s, "':' is missing")))
			return false;
		if (slice_has(key, '\\'))
			return bad(s, "an escaped name");
		if (!take_member(s, key, context))
			return false;
	} while (take(s, ','));
	return take(s, '}') || bad(s, "'}' is missing");
}

/* Has this member been there before? */
static bool is_second(struct scan *s, bool *has)
{
	if (*has)
		bad(s, "a name twice");
	else
		*has = true;
	return s->why != NULL;
}

struct site {
	struct slice key;
	bool has_key;
};

static bool site_member(struct scan *s, struct slice key, void *context)
{
	struct site *site = context;

	if (!slice_eq(key, SLICE("key")) || peek(s) != '"')
		return skip(s);
	return !is_second(s, &site->has_key) && text(s, &site->key);
}

struct record {
	struct site site;
	struct slice event, ms;
	bool has_event, has_site, has_ms;
};

static bool record_member(struct scan *s, struct slice key, void *context)
{
	struct record *r = context;

	if (slice_eq(key, SLICE("event")))
		return !is_second(s, &r->has_event) && text(s, &r->event);
	if (slice_eq(key, SLICE("ms")))
		return !is_second(s, &r->has_ms) && plain(s, &r->ms);
	if (!slice_eq(key, SLICE("site")))
		return skip(s);
	if (is_second(s, &r->has_site))
		return false;
	return peek(s) == '{' ? members(s, site_member, &r->site) : skip(s);
}

/* Control characters of one byte or two, and the separators of lines. */
static bool is_clean(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];
		unsigned char next =
		    i + 1 < line.len ? (unsigned char)line.p[i + 1] : 0;

		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && next >= 0x80 && next < 0xa0))
			return false;
		if (c == 0xe2 && next == 0x80 && i + 2 < line.len &&
		    ((unsigned char)line.p[i + 2] & 0xfe) == 0xa8)
			return false;
	}
	return true;
}

bool sched_attempt_read(struct slice line, struct sched_attempt *ret,
			const char **ret_why)
{
	struct scan s = { .rest = line };
	struct record r = { 0 };
	uint64_t ms;
	bool is_good = line.len <= RECORD_MAX || bad(&s, "too long");

	if (is_good && !is_clean(line))
		is_good = bad(&s, "control characters");
	if (is_good && slice_has_8bit(line) && !utf8_text_is_wide(line))
		is_good = bad(&s, "not UTF-8");
	if (is_good)
		is_good = members(&s, record_member, &r) &&
			  ((peek(&s) == '\0' && s.rest.len == 0) ||
			   bad(&s, "something behind the record"));
	if (is_good && !slice_eq(r.event, SLICE("attempt")))
		is_good = bad(&s, "another event than \"attempt\"");
	if (!is_good) {
		*ret_why = s.why;
		return false;
	}
	*ret = (struct sched_attempt){ .ms = -1 };
	if (r.site.key.len <= SITE_MAX)
		ret->site = r.site.key;
	if (slice_uint(r.ms, INT32_MAX, &ms))
		ret->ms = (int64_t)ms;
	return true;
}

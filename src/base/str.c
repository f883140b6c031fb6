/*
 * str.c - a growing string that owns its bytes.
 *
 * Capacity doubles, so that adding a byte costs constant time on average.
 */
#include "base/str.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDF_ROOM = 64 }; /* enough for most of what is formatted */

void str_done(struct str *s)
{
	free(s->p);
	*s = STR_INIT;
}

void str_wipe(struct str *s)
{
	if (s->p != NULL)
		explicit_bzero(s->p, s->cap);
	str_done(s);
}

void str_clear(struct str *s)
{
	s->len = 0;
	if (s->p != NULL)
		s->p[0] = '\0';
}

void str_reserve(struct str *s, size_t more)
{
	if (more > SIZE_MAX - s->len - 1)
		mem_exhausted();
	if (s->len + more + 1 > s->cap)
		s->p = mem_grow(s->p, &s->cap, s->len + more + 1, 1);
}

void str_add(struct str *s, struct slice more)
{
	str_reserve(s, more.len);
	if (more.len > 0)
		memcpy(s->p + s->len, more.p, more.len);
	s->len += more.len;
	s->p[s->len] = '\0';
}

void str_adds(struct str *s, const char *text)
{
	str_add(s, slice_of(text));
}

void str_addc(struct str *s, char c)
{
	if (s->len + 2 > s->cap)
		str_reserve(s, 1);
	s->p[s->len++] = c;
	s->p[s->len] = '\0';
}

void str_addf(struct str *s, const char *format, ...)
{
	va_list ap;
	size_t room;
	int n, m;

	str_reserve(s, ADDF_ROOM);
	room = s->cap - s->len;
	va_start(ap, format);
	n = vsnprintf(s->p + s->len, room, format, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= room) { /* once more, now that its length is known */
		str_reserve(s, (size_t)n);
		va_start(ap, format);
		m = vsnprintf(s->p + s->len, (size_t)n + 1, format, ap);
		va_end(ap);
		assert(m == n);
	}
	s->len += (size_t)n;
}

void str_addu(struct str *s, uint64_t n)
{
	char digits[20]; /* 2^64 - 1 has twenty */
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	str_add(s, slice_make(digits + i, sizeof(digits) - i));
}

/*
 * The character of UTF-8 (RFC 3629) at the start of text, whose first byte is
 * not ASCII, and its length; 0 if it is none, overlong, or a surrogate.
 */
static size_t take_utf8(struct slice text, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)text.p[0];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	uint32_t u = c & (0xffU >> (n + 1));

	if (c < 0xc0 || c > 0xf7 || n > text.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)text.p[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		u = u << 6 | (c & 0x3fU);
	}
	if (u < least[n] || u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff))
		return 0;
	*ret = u;
	return n;
}

/*
 * Is it obeyed by a terminal (the C1 set), or does it change the order or the
 * lines of what stands around it?
 */
static bool is_wide_control(uint32_t u)
{
	return (u >= 0x80 && u <= 0x9f) || (u >= 0x2028 && u <= 0x202e) ||
	       (u >= 0x2066 && u <= 0x2069);
}

/* Adds what begins with a byte that is not ASCII; the number of bytes. */
static size_t add_clean_wide(struct str *s, struct slice text)
{
	unsigned char c = (unsigned char)text.p[0];
	uint32_t u = c; /* one that is no UTF-8 is taken for Latin-1 */
	size_t n = take_utf8(text, &u);
	bool is_bad = is_wide_control(u);

	if (n == 0)
		n = 1;
	for (size_t i = 0; i < n; i++)
		s->p[s->len++] = is_bad ? '?' : text.p[i];
	return n;
}

void str_add_clean(struct str *s, struct slice text, size_t max)
{
	size_t i = 0;

	if (text.len > max)
		text.len = max;
	str_reserve(s, text.len);
	while (i < text.len) {
		char c = text.p[i];

		if ((unsigned char)c >= 0x80) {
			i += add_clean_wide(s, slice_from(text, i));
			continue;
		}
		if (c == '\t')
			c = ' ';
		else if (c < 0x20 || c == 0x7f)
			c = '?';
		s->p[s->len++] = c;
		i++;
	}
	s->p[s->len] = '\0';
}

void str_force_utf8(struct str *s)
{
	size_t i = 0;

	while (i < s->len) {
		uint32_t u;
		size_t n = 1;

		if ((unsigned char)s->p[i] >= 0x80)
			n = take_utf8(slice_from(str_slice(s), i), &u);
		if (n == 0)
			s->p[i++] = '?';
		i += n;
	}
}

void str_cut(struct str *s, size_t len)
{
	assert(len <= s->len);
	s->len = len;
	if (s->p != NULL)
		s->p[len] = '\0';
}

void str_shift(struct str *s, size_t n)
{
	assert(n <= s->len);
	if (n == 0)
		return;
	memmove(s->p, s->p + n, s->len - n);
	str_cut(s, s->len - n);
}

struct slice str_slice(const struct str *s)
{
	return slice_make(s->p, s->len);
}

const char *str_cstr(const struct str *s)
{
	return s->p != NULL ? s->p : "";
}

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

void str_done(struct str *s)
{
	free(s->p);
	*s = STR_INIT;
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
	int n, m;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	assert(n >= 0);
	str_reserve(s, (size_t)n);
	va_start(ap, format);
	m = vsnprintf(s->p + s->len, (size_t)n + 1, format, ap);
	va_end(ap);
	assert(m == n);
	s->len += (size_t)m;
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

/* Does a control of the C1 set, U+0080 to U+009F, end at byte i? */
static bool is_c1(struct slice text, size_t i)
{
	unsigned char c = (unsigned char)text.p[i];

	return i > 0 && c >= 0x80 && c <= 0x9f &&
	       (unsigned char)text.p[i - 1] == 0xc2;
}

void str_add_clean(struct str *s, struct slice text, size_t max)
{
	if (text.len > max)
		text.len = max;
	str_reserve(s, text.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\t')
			c = ' ';
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			c = '?';
		else if (is_c1(text, i))
			s->p[s->len - 1] = c = '?'; /* a terminal obeys it */
		s->p[s->len++] = c;
	}
	s->p[s->len] = '\0';
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

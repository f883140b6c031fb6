/*
 * slice.c - borrowed bytes: comparing, searching, cutting.
 */
#include "base/slice.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

int slice_printf_len(struct slice s)
{
	return s.len > INT_MAX ? INT_MAX : (int)s.len;
}

struct slice slice_of(const char *text)
{
	return slice_make(text, text != NULL ? strlen(text) : 0);
}

struct slice slice_make(const char *p, size_t len)
{
	return (struct slice){ .p = p, .len = len };
}

struct slice slice_from(struct slice s, size_t from)
{
	if (s.p == NULL)
		return s;
	if (from > s.len)
		from = s.len;
	return slice_make(s.p + from, s.len - from);
}

struct slice slice_head(struct slice s, size_t len)
{
	return slice_make(s.p, s.len < len ? s.len : len);
}

bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

int slice_order(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq(slice_head(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq_nocase(slice_head(s, prefix.len), prefix);
}

size_t slice_find(struct slice s, char c)
{
	const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.len;
}

size_t slice_find_last(struct slice s, char c)
{
	const char *at = s.len > 0 ? memrchr(s.p, c, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.len;
}

size_t slice_find_text(struct slice s, struct slice what)
{
	const char *at = NULL;

	if (s.len >= what.len && what.len > 0)
		at = memmem(s.p, s.len, what.p, what.len);
	return at != NULL ? (size_t)(at - s.p) : s.len;
}

bool slice_has(struct slice s, char c)
{
	return slice_find(s, c) < s.len;
}

bool slice_has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

/* The eight bytes at p, in one word. */
static uint64_t word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

bool slice_has_8bit(struct slice s)
{
	const uint64_t high_bits = 0x8080808080808080;
	const char *p = s.p;
	size_t left = s.len;

	/* Whole messages pass here: four words are looked at together. */
	for (; left >= 32; left -= 32, p += 32)
		if (((word_at(p) | word_at(p + 8) | word_at(p + 16) |
		      word_at(p + 24)) &
		     high_bits) != 0)
			return true;
	for (; left > 0; left--, p++)
		if ((unsigned char)*p >= 0x80)
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct slice slice_without_dot(struct slice s)
{
	if (s.len > 1 && s.p[s.len - 1] == '.')
		s.len--;
	return s;
}

bool slice_word(struct slice *rest, struct slice *ret_word)
{
	struct slice s = *rest;
	size_t n = 0;

	while (s.len > 0 && is_blank(s.p[0]))
		s = slice_from(s, 1);
	while (n < s.len && !is_blank(s.p[n]))
		n++;
	*rest = slice_from(s, n);
	if (n == 0)
		return false;
	*ret_word = slice_head(s, n);
	return true;
}

bool slice_cut(struct slice *rest, char c, struct slice *ret_part)
{
	size_t at;

	if (rest->p == NULL)
		return false;
	at = slice_find(*rest, c);
	*ret_part = slice_head(*rest, at);
	if (at == rest->len)
		*rest = (struct slice){ 0 };
	else
		*rest = slice_from(*rest, at + 1);
	return true;
}

bool slice_uint(struct slice s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit;

		if (!ascii_is_digit(s.p[i]))
			return false;
		digit = (uint64_t)(s.p[i] - '0');
		if (digit > max || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_alpha(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

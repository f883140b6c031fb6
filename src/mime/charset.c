/*
 * charset.c - which character set, and where its characters begin.
 */
#include "mime/charset.h"

#include "base/keyword.h"

#include <assert.h>
#include <string.h>

/* ---- names ---------------------------------------------------------- */

bool charset_is_name(struct slice s)
{
	const struct slice especials = SLICE("()<>@,;:\"/[]?.=\\");

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    slice_has(especials, s.p[i]))
			return false;
	return s.len > 0 && s.len <= CHARSET_NAME_MAX && !slice_has_8bit(s);
}

bool charset_is_wide(struct slice name)
{
	static const char *const begins[] = {
		"utf-16", "utf16", "utf-32", "utf32",	       "ucs-2",
		"ucs2",	  "ucs-4", "ucs4",   "iso-10646-ucs-",
	};

	for (size_t i = 0; i < COUNT(begins); i++)
		if (slice_starts_nocase(name, slice_of(begins[i])))
			return true;
	return false;
}

struct slice charset_choose(bool is_utf8, struct slice preferred)
{
	if (is_utf8)
		return SLICE("UTF-8");
	return charset_is_name(preferred) ? preferred : SLICE("ISO-8859-1");
}

/* ---- characters ----------------------------------------------------- */

static bool is_within(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

/* How many bytes follow a first byte of UTF-8, and what the next may be. */
static bool utf8_first(unsigned char c, struct utf8 *u)
{
	if (!is_within(c, 0xc2, 0xf4))
		return false;
	u->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

static size_t utf8_len(const unsigned char *p, size_t len)
{
	struct utf8 u = { 0 };
	size_t n = 1;

	if (len > 1 && is_within(p[0], 0xc2, 0xdf) &&
	    is_within(p[1], 0x80, 0xbf))
		return 2;
	if (!utf8_first(p[0], &u))
		return 1;
	for (; u.need > 0; u.need--, n++) {
		if (n == len || !is_within(p[n], u.low, u.high))
			return 1;
		u.low = 0x80;
		u.high = 0xbf;
	}
	return n;
}

/* EUC: two bytes above 0xa0, or 0x8e and one more; 0x8f begins three. */
static size_t euc_len(const unsigned char *p, size_t len)
{
	size_t n = p[0] == 0x8f ? 3 : 2;

	if (!is_within(p[0], 0xa1, 0xfe) && !is_within(p[0], 0x8e, 0x8f))
		return 1;
	if (len < n)
		return 1;
	for (size_t i = 1; i < n; i++)
		if (!is_within(p[i], 0xa1, 0xfe))
			return 1;
	return n;
}

static size_t sjis_len(const unsigned char *p, size_t len)
{
	if (!is_within(p[0], 0x81, 0x9f) && !is_within(p[0], 0xe0, 0xfc))
		return 1;
	return len > 1 && is_within(p[1], 0x40, 0xfc) && p[1] != 0x7f ? 2 : 1;
}

/* GBK and Big5; GB18030 adds characters of four bytes, digits at 2 and 4. */
static size_t gb_len(const unsigned char *p, size_t len)
{
	if (!is_within(p[0], 0x81, 0xfe) || len < 2)
		return 1;
	if (is_within(p[1], 0x40, 0xfe) && p[1] != 0x7f)
		return 2;
	if (len >= 4 && is_within(p[1], '0', '9') &&
	    is_within(p[2], 0x81, 0xfe) && is_within(p[3], '0', '9'))
		return 4;
	return 1;
}

typedef size_t char_len(const unsigned char *p, size_t len);

struct multibyte {
	const char *name;
	char_len *len;
};

size_t charset_char_len(struct slice name, struct slice s)
{
	static const struct multibyte sets[] = {
		{ "UTF-8", utf8_len },	   { "EUC-JP", euc_len },
		{ "EUC-KR", euc_len },	   { "EUC-TW", euc_len },
		{ "GB2312", euc_len },	   { "GBK", gb_len },
		{ "GB18030", gb_len },	   { "Big5", gb_len },
		{ "Big5-HKSCS", gb_len },  { "KS_C_5601-1987", gb_len },
		{ "Shift_JIS", sjis_len }, { "Windows-31J", sjis_len },
	};

	assert(s.len > 0);
	for (size_t i = 0; i < COUNT(sets); i++)
		if (slice_eq_nocase(name, slice_of(sets[i].name)))
			return sets[i].len((const unsigned char *)s.p, s.len);
	return 1;
}

/* ---- scanning ------------------------------------------------------- */

static const uint64_t high_bits = 0x8080808080808080u;

/* Is one of eight bytes beyond ASCII? */
static bool has_8bit(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & high_bits) != 0;
}

size_t charset_ascii_len(struct slice s)
{
	uint64_t w[4];
	size_t i = 0;

	for (; s.len - i >= sizeof(w); i += sizeof(w)) {
		memcpy(w, s.p + i, sizeof(w));
		if (((w[0] | w[1] | w[2] | w[3]) & high_bits) != 0)
			break;
	}
	while (i < s.len && (unsigned char)s.p[i] < 0x80)
		i++;
	return i;
}

void utf8_begin(struct utf8 *u)
{
	*u = (struct utf8){ 0 };
}

/* Takes one byte that is not ASCII, or stands within a character. */
static void utf8_take(struct utf8 *u, unsigned char c)
{
	if (u->need == 0) {
		u->is_bad |= !utf8_first(c, u);
	} else if (is_within(c, u->low, u->high)) {
		u->need--;
		u->low = 0x80;
		u->high = 0xbf;
	} else {
		u->is_bad = true;
	}
}

/* Length of the whole characters that s begins with. */
static size_t utf8_run(const unsigned char *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n;

		if (p[i] < 0x80) {
			for (i++; len - i >= 8 && !has_8bit(p + i); i += 8)
				;
			continue;
		}
		n = utf8_len(p + i, len - i);
		if (n == 1)
			break;
		i += n;
	}
	return i;
}

void utf8_push(struct utf8 *u, struct slice in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t i = 0;

	if (u->need == 0 && !u->has_wide)
		i = charset_ascii_len(in);
	u->has_wide |= i < in.len;
	while (i < in.len && !u->is_bad) {
		if (u->need == 0)
			i += utf8_run(p + i, in.len - i);
		if (i < in.len)
			utf8_take(u, p[i++]);
	}
}

bool utf8_is_wide(const struct utf8 *u)
{
	return u->has_wide && !u->is_bad && u->need == 0;
}

bool utf8_text_is_wide(struct slice text)
{
	struct utf8 u;

	utf8_begin(&u);
	utf8_push(&u, text);
	return utf8_is_wide(&u);
}

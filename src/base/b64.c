/*
 * b64.c - base64 of short texts.
 *
 * Three bytes are four letters of six bits each; of a last group of one or two
 * bytes the bits that are left over are 0, and '=' takes the missing letters'
 * places.
 */
#include "base/b64.h"

static const char b64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned byte_at(struct slice s, size_t i)
{
	return i < s.len ? (unsigned char)s.p[i] : 0;
}

void b64_add(struct str *to, struct slice bytes)
{
	str_reserve(to, bytes.len / 3 * 4 + 4);
	for (size_t i = 0; i < bytes.len; i += 3) {
		unsigned bits = byte_at(bytes, i) << 16 |
				byte_at(bytes, i + 1) << 8 |
				byte_at(bytes, i + 2);

		str_addc(to, b64_letters[bits >> 18]);
		str_addc(to, b64_letters[bits >> 12 & 63]);
		str_addc(to,
			 i + 1 < bytes.len ? b64_letters[bits >> 6 & 63] : '=');
		str_addc(to, i + 2 < bytes.len ? b64_letters[bits & 63] : '=');
	}
}

/* 0 to 63, or 64 for what is no letter. */
static unsigned value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (ascii_is_digit(c))
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* One group of four; n is how many letters it has, the rest is padding. */
static bool read_group(struct slice group, size_t n, struct str *to)
{
	unsigned bits = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned value = i < n ? value_of(group.p[i]) : 0;

		if (value > 63)
			return false;
		bits = bits << 6 | value;
	}
	if ((bits & 0xffffffu >> (n - 1) * 8) != 0)
		return false;
	for (size_t i = 0; i + 1 < n; i++)
		str_addc(to, (char)(bits >> (16 - 8 * i) & 0xff));
	return true;
}

bool b64_read(struct slice text, struct str *to)
{
	size_t before = to->len, padding = 0;

	if (text.len % 4 != 0)
		return false;
	while (padding < 2 && padding < text.len &&
	       text.p[text.len - 1 - padding] == '=')
		padding++;
	str_reserve(to, text.len / 4 * 3);
	for (size_t i = 0; i < text.len; i += 4) {
		size_t n = i + 4 < text.len ? 4 : 4 - padding;

		if (!read_group(slice_from(text, i), n, to)) {
			str_cut(to, before);
			return false;
		}
	}
	return true;
}

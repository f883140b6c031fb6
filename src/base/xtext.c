/*
 * xtext.c - xtext = *( xchar / hexchar ), RFC 3461 section 4:
 *
 *	xchar   = any ASCII byte "!" (33) to "~" (126), except "+" and "="
 *	hexchar = "+" and two upper-case hexadecimal digits
 */
#include "base/xtext.h"

static bool is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void xtext_encode(struct str *to, struct slice plain)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < plain.len; i++) {
		unsigned char c = (unsigned char)plain.p[i];

		if (is_xchar(plain.p[i])) {
			str_addc(to, plain.p[i]);
			continue;
		}
		str_addc(to, '+');
		str_addc(to, hex[c >> 4]);
		str_addc(to, hex[c & 15]);
	}
}

bool xtext_decode(struct str *to, struct slice encoded)
{
	size_t before = to->len;

	for (size_t i = 0; i < encoded.len; i++) {
		int high, low;

		if (is_xchar(encoded.p[i])) {
			str_addc(to, encoded.p[i]);
			continue;
		}
		if (encoded.p[i] != '+' || encoded.len - i < 3)
			goto bad;
		high = hex_value(encoded.p[i + 1]);
		low = hex_value(encoded.p[i + 2]);
		if (high < 0 || low < 0)
			goto bad;
		str_addc(to, (char)(high << 4 | low));
		i += 2;
	}
	return true;
bad:
	str_cut(to, before);
	return false;
}

bool xtext_valid(struct slice s)
{
	struct str plain = STR_INIT;
	bool valid = xtext_decode(&plain, s);

	str_done(&plain);
	return valid;
}

/* ---- addresses of type "utf-8" ------------------------------------------ */

/* The first character of valid UTF-8 and its length. */
static uint32_t first_char(struct slice s, size_t *ret_len)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code = len == 1 ? c : c & (0x7fU >> len);

	for (size_t i = 1; i < len && i < s.len; i++)
		code = code << 6 | ((unsigned char)s.p[i] & 0x3fU);
	*ret_len = len;
	return code;
}

/* What xtext leaves alone, without the backslash. */
bool xtext_is_qchar(uint32_t c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=' && c != '\\';
}

void xtext_quote_utf8(struct str *to, struct slice text, bool is_ascii,
		      char kept)
{
	size_t len;

	for (; text.len > 0; text = slice_from(text, len)) {
		uint32_t c = first_char(text, &len);

		if (xtext_is_qchar(c) || (!is_ascii && c >= 0x80) ||
		    (kept != '\0' && c == (unsigned char)kept))
			str_add(to, slice_head(text, len));
		else
			str_addf(to, "\\x{%02X}", (unsigned)c);
	}
}

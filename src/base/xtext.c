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

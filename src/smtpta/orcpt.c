/*
 * orcpt.c - what ORCPT= of RCPT says.
 *
 *	original-recipient = addr-type ";" xtext	; RFC 3461 4.2
 *	utf-8-addr-xtext   = 1*(QCHAR / EmbeddedUnicodeChar)	; RFC 6533 3
 *	utf-8-addr-unitext = 1*(QUCHAR / EmbeddedUnicodeChar)
 *	EmbeddedUnicodeChar = "\x{" HEXPOINT "}"
 *
 * QCHAR is what xtext leaves alone, without the backslash.
 */
#include "smtpta/orcpt.h"

#include "base/xtext.h"
#include "mime/charset.h"
#include "smtp/path.h"

enum { ORCPT_MAX = 500 };

#define TYPE_UTF8 SLICE("utf-8;")

/* The first character of valid UTF-8 and its length. */
static uint32_t first_char(struct slice s, size_t *ret_len)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code = len == 1 ? c : c & (0x7fU >> len);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)s.p[i] & 0x3fU);
	*ret_len = len;
	return code;
}

static bool is_qchar(uint32_t c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=' && c != '\\';
}

/* Adds valid UTF-8 as unitext or xtext; `kept` is left as it stands, too. */
static void add_quoted(struct str *to, struct slice text, bool is_smtputf8,
		       char kept)
{
	size_t len;

	for (; text.len > 0; text = slice_from(text, len)) {
		uint32_t c = first_char(text, &len);

		if (is_qchar(c) || (is_smtputf8 && c >= 0x80) ||
		    (kept != '\0' && c == (unsigned char)kept))
			str_add(to, slice_head(text, len));
		else
			str_addf(to, "\\x{%02X}", (unsigned)c);
	}
}

/* Only what may stand in unitext whose quoting is done already? */
static bool is_unitext(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\\' && (unsigned char)s.p[i] < 0x80 &&
		    !is_qchar((unsigned char)s.p[i]))
			return false;
	return s.len > 0 && utf8_text_is_wide(s);
}

static struct slice keep(struct str *made, struct arena *a)
{
	struct slice value = SLICE("");

	if (made->len <= ORCPT_MAX)
		value = arena_dup(a, str_slice(made));
	str_done(made);
	return value;
}

struct slice orcpt_value(struct slice given, struct slice path,
			 bool is_smtputf8, struct arena *a)
{
	struct slice address = slice_from(given, TYPE_UTF8.len);
	struct str made = STR_INIT;

	if (orcpt_valid(given))
		return given;
	if (slice_starts_nocase(given, TYPE_UTF8) && is_unitext(address)) {
		str_add(&made, TYPE_UTF8);
		add_quoted(&made, address, is_smtputf8, '\\');
		if (made.len <= ORCPT_MAX)
			return keep(&made, a);
		str_clear(&made);
	}
	if (utf8_text_is_wide(path)) {
		str_add(&made, TYPE_UTF8);
		add_quoted(&made, path, is_smtputf8, '\0');
	} else {
		str_adds(&made, "rfc822;");
		xtext_encode(&made, path);
	}
	return keep(&made, a);
}

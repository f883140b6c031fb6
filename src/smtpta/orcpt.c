/*
 * orcpt.c - what ORCPT= of RCPT says.
 *
 *	original-recipient = addr-type ";" xtext	; RFC 3461 4.2
 *	utf-8-addr-xtext   = 1*(QCHAR / EmbeddedUnicodeChar)	; RFC 6533 3
 *	utf-8-addr-unitext = 1*(QUCHAR / EmbeddedUnicodeChar)
 *	EmbeddedUnicodeChar = "\x{" HEXPOINT "}"
 *
 * Quoting is that of base/xtext.h.
 */
#include "smtpta/orcpt.h"

#include "base/xtext.h"
#include "mime/charset.h"
#include "smtp/path.h"

enum { ORCPT_MAX = 500 };

#define TYPE_UTF8 SLICE("utf-8;")

/* Only what may stand in unitext whose quoting is done already? */
static bool is_unitext(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\\' && (unsigned char)s.p[i] < 0x80 &&
		    !xtext_is_qchar((unsigned char)s.p[i]))
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
		xtext_quote_utf8(&made, address, !is_smtputf8, '\\');
		if (made.len <= ORCPT_MAX)
			return keep(&made, a);
		str_clear(&made);
	}
	if (utf8_text_is_wide(path)) {
		str_add(&made, TYPE_UTF8);
		xtext_quote_utf8(&made, path, !is_smtputf8, '\0');
	} else {
		str_adds(&made, "rfc822;");
		xtext_encode(&made, path);
	}
	return keep(&made, a);
}

/*
 * rfc2231.c - 8-bit text in parameters made extended values.
 *
 *	extended-parameter    := attribute "*=" extended-value
 *	extended-value        := charset "'" [language] "'" *ext-octet
 *	continuation          := attribute "*" number "*=" *ext-octet
 *	attribute-char        := any byte but SP, CTLs, "*", "'", "%", tspecials
 *
 * (RFC 2231 7). What stands between the values that change keeps its bytes,
 * but for white space where the line has to be folded.
 */
#include "mime/rfc2231.h"

#include "base/keyword.h"
#include "mime/charset.h"
#include "mime/ctype.h"
#include "mime/header.h"
#include "mime/rfc2047.h"
#include "mime/token.h"

#include <string.h>

enum {
	LINE_COLUMNS = 76,
	TAB_COLUMNS = 8,
	SECTION_LEAST = 16, /* bytes of a value worth a line */
};

/* ---- bytes -------------------------------------------------------------- */

static bool is_attribute_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("*'%", c) == NULL &&
	       strchr(token_mime_specials, c) == NULL;
}

static void add_encoded(struct str *to, struct slice bytes)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (c < ' ' || c == 0x7f)
			c = '?';
		if (is_attribute_char((char)c)) {
			str_addc(to, (char)c);
			continue;
		}
		str_addc(to, '%');
		str_addc(to, hex[c >> 4]);
		str_addc(to, hex[c & 15]);
	}
}

/* Columns of the line that *to ends with. */
static size_t column_of(const struct str *to)
{
	struct slice s = str_slice(to);
	size_t lf = slice_find_last(s, '\n'), column = 0;

	for (size_t i = lf < s.len ? lf + 1 : 0; i < s.len; i++)
		column = s.p[i] == '\t'
			     ? (column / TAB_COLUMNS + 1) * TAB_COLUMNS
			     : column + 1;
	return column;
}

/* Begins a new line in place of the blanks at the end. */
static void fold(struct str *to)
{
	while (to->len > 0 && token_is_space(to->p[to->len - 1]))
		str_cut(to, to->len - 1);
	str_adds(to, "\n\t");
}

/* ---- one value ---------------------------------------------------------- */

/* How many bytes of a value, whole characters, fit `room` bytes encoded. */
static size_t section_len(struct slice value, struct slice charset, size_t room)
{
	struct str one = STR_INIT;
	size_t n = 0, used = 0;

	while (n < value.len) {
		struct slice rest = slice_from(value, n);
		size_t len = charset_char_len(charset, rest);

		str_clear(&one);
		add_encoded(&one, slice_head(rest, len));
		used += one.len;
		if (n > 0 && used > room)
			break;
		n += len;
	}
	str_done(&one);
	return n;
}

static void add_sections(struct str *to, struct slice name, struct slice value,
			 struct slice charset)
{
	struct str head = STR_INIT;

	for (unsigned i = 0; value.len > 0; i++) {
		size_t room = SECTION_LEAST, n;

		str_clear(&head);
		str_addf(&head, "%.*s*%u*=", SLICE_ARG(name), i);
		if (i == 0)
			str_addf(&head, "%.*s''", SLICE_ARG(charset));
		if (TAB_COLUMNS + head.len + 1 + room < LINE_COLUMNS)
			room = LINE_COLUMNS - TAB_COLUMNS - head.len - 1;
		n = section_len(value, charset, room);
		if (i > 0)
			str_addc(to, ';');
		fold(to);
		str_add(to, str_slice(&head));
		add_encoded(to, slice_head(value, n));
		value = slice_from(value, n);
	}
	str_done(&head);
}

/* Adds a parameter whose value has 8-bit bytes. */
static void add_extended(struct str *to, struct slice name, struct slice value,
			 struct slice preferred)
{
	struct slice charset =
	    charset_choose(utf8_text_is_wide(value), preferred);
	struct str whole = STR_INIT;

	str_addf(&whole, "%.*s*=%.*s''", SLICE_ARG(name), SLICE_ARG(charset));
	add_encoded(&whole, value);
	if (TAB_COLUMNS + whole.len >= LINE_COLUMNS) {
		add_sections(to, name, value, charset);
	} else {
		if (column_of(to) + whole.len >= LINE_COLUMNS)
			fold(to);
		str_add(to, str_slice(&whole));
	}
	str_done(&whole);
}

/* ---- a field ------------------------------------------------------------ */

/* Is the value text, and not extended yet? */
static bool is_to_be_extended(const struct ctype_param *p)
{
	return slice_has_8bit(p->value) && !slice_has(p->name, '*') &&
	       !slice_eq_nocase(p->name, SLICE("boundary")) &&
	       !slice_eq_nocase(p->name, SLICE("charset"));
}

bool rfc2231_convert(struct str *to, struct slice field, struct slice charset)
{
	static const char *const names[] = { "Content-Type",
					     "Content-Disposition", NULL };
	struct header_field f = header_field_of(field);
	struct str value = STR_INIT;
	const char *at = field.p, *end = field.p + field.len;
	struct ctype_param param;
	struct slice rest;
	struct ctype c;

	if (!header_is_one_of(&f, names) || slice_has(field, '\r') ||
	    slice_has(field, '\0') || !ctype_parse(f.body, &c))
		return false;
	rest = c.params;
	while (ctype_next_param(&rest, &param)) {
		if (!is_to_be_extended(&param))
			continue;
		str_add(to, slice_make(at, (size_t)(param.name.p - at)));
		str_clear(&value);
		ctype_add_value(&value, param.value);
		add_extended(to, param.name, str_slice(&value), charset);
		at = param.value.p + param.value.len;
	}
	if (at != field.p)
		str_add(to, slice_make(at, (size_t)(end - at)));
	str_done(&value);
	return at != field.p;
}

bool rfc2231_encode_field(struct str *to, struct slice field,
			  struct slice charset)
{
	struct str extended = STR_INIT;
	bool is_extended = rfc2231_convert(&extended, field, charset);
	bool is_encoded;

	if (is_extended)
		field = str_slice(&extended);
	is_encoded = rfc2047_convert(to, field, charset);
	if (is_extended && !is_encoded)
		str_add(to, field);
	str_done(&extended);
	return is_extended || is_encoded;
}

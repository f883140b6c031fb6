/*
 * json.c - write JSON on one line, from bytes of any kind.
 *
 *	string    = quotation-mark *char quotation-mark	; RFC 8259 7
 *	unescaped = %x20-21 / %x23-5B / %x5D-10FFFF
 */
#include "base/json.h"

#include <assert.h>
#include <string.h>

void json_begin(struct json *j, struct str *out)
{
	*j = (struct json){ .out = out };
}

/* ---- text --------------------------------------------------------------- */

/* One row per first byte's range; RFC 3629 4. */
struct lead {
	unsigned char from, to;		 /* of the first byte */
	unsigned char second, second_to; /* of the second */
	unsigned char len;
};

static const struct lead leads[] = {
	{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static const struct lead *lead_of(unsigned char c)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (c >= leads[i].from && c <= leads[i].to)
			return &leads[i];
	return NULL;
}

/* Bytes of the character at the start of s (not empty); 0: not UTF-8. */
static size_t char_len(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	const struct lead *lead = lead_of(p[0]);

	if (lead == NULL || lead->len > s.len)
		return 0;
	for (size_t i = 1; i < lead->len; i++) {
		unsigned from = i == 1 ? lead->second : 0x80;
		unsigned to = i == 1 ? lead->second_to : 0xbf;

		if (p[i] < from || p[i] > to)
			return 0;
	}
	return lead->len;
}

static uint32_t char_code(struct slice s, size_t len)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)s.p[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)s.p[i] & 0x3f);
	return code;
}

static bool must_escape(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

static void add_escaped(struct str *out, uint32_t code)
{
	static const char hex[] = "0123456789abcdef";

	str_adds(out, "\\u");
	for (int shift = 12; shift >= 0; shift -= 4)
		str_addc(out, hex[code >> shift & 0xf]);
}

/* Adds the character at the start of s; returns the bytes it takes. */
static size_t add_char(struct str *out, struct slice s)
{
	size_t len = char_len(s);
	uint32_t code;

	if (len == 0) {
		str_adds(out, "\xef\xbf\xbd");
		return 1;
	}
	code = char_code(s, len);
	if (code == '"' || code == '\\')
		str_addc(out, '\\');
	if (code == '\n')
		str_adds(out, "\\n");
	else if (code == '\r')
		str_adds(out, "\\r");
	else if (code == '\t')
		str_adds(out, "\\t");
	else if (must_escape(code))
		add_escaped(out, code);
	else
		str_add(out, slice_head(s, len));
	return len;
}

/* Bytes at the start of s that stand for themselves. */
static size_t plain_len(struct slice s)
{
	size_t n = 0;

	while (n < s.len && (unsigned char)(s.p[n] - ' ') < 0x7f - ' ' &&
	       s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

/* Adds plain text and what stands around it, both of one byte. */
static void add_plain(struct str *out, char before, struct slice text,
		      char after)
{
	char *to;

	str_reserve(out, text.len + 2);
	to = out->p + out->len;
	*to++ = before;
	if (text.len > 0)
		memcpy(to, text.p, text.len);
	to += text.len;
	*to++ = after;
	*to = '\0';
	out->len += text.len + 2;
}

static void add_string(struct str *out, struct slice text)
{
	size_t n = plain_len(text);

	if (n == text.len) { /* as most are */
		add_plain(out, '"', text, '"');
		return;
	}
	str_reserve(out, text.len + 2);
	str_addc(out, '"');
	while (text.len > 0) {
		n = plain_len(text);
		str_add(out, slice_head(text, n));
		text = slice_from(text, n);
		if (text.len == 0)
			break;
		text = slice_from(text, add_char(out, text));
	}
	str_addc(out, '"');
}

struct slice json_cut(struct slice text, size_t max)
{
	size_t at = max;

	if (text.len <= max)
		return text;
	for (size_t back = 1; back < 4 && back <= max; back++) {
		size_t len = char_len(slice_from(text, max - back));

		if (len > back)
			at = max - back;
		if (len > 0)
			break;
	}
	return slice_head(text, at);
}

/* ---- values ------------------------------------------------------------- */

/* What stands before a value: a comma, a key. */
static void before(struct json *j, const char *key)
{
	uint32_t bit = (uint32_t)1 << (j->depth % JSON_DEPTH_MAX);

	assert((key != NULL) == ((j->is_object & bit) != 0));
	assert(j->depth > 0 || (j->has_value & bit) == 0);
	if ((j->has_value & bit) != 0)
		str_addc(j->out, ',');
	j->has_value |= bit;
	if (key == NULL)
		return;
	add_string(j->out, slice_of(key));
	str_addc(j->out, ':');
}

static void json_open(struct json *j, const char *key, bool is_object)
{
	uint32_t bit;

	before(j, key);
	assert(j->depth + 1 < JSON_DEPTH_MAX);
	bit = (uint32_t)1 << ++j->depth;
	j->has_value &= ~bit;
	j->is_object = is_object ? j->is_object | bit : j->is_object & ~bit;
	str_addc(j->out, is_object ? '{' : '[');
}

void json_object(struct json *j, const char *key)
{
	json_open(j, key, true);
}

void json_array(struct json *j, const char *key)
{
	json_open(j, key, false);
}

void json_close(struct json *j)
{
	uint32_t bit = (uint32_t)1 << j->depth;

	assert(j->depth > 0);
	str_addc(j->out, (j->is_object & bit) != 0 ? '}' : ']');
	j->is_object &= ~bit;
	j->depth--;
}

void json_text(struct json *j, const char *key, struct slice text)
{
	before(j, key);
	add_string(j->out, text);
}

void json_text_if(struct json *j, const char *key, struct slice text)
{
	if (text.len > 0)
		json_text(j, key, text);
}

void json_uint(struct json *j, const char *key, uint64_t n)
{
	before(j, key);
	str_addu(j->out, n);
}

void json_int(struct json *j, const char *key, int64_t n)
{
	before(j, key);
	if (n < 0)
		str_addc(j->out, '-');
	str_addu(j->out, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void json_bool(struct json *j, const char *key, bool is_true)
{
	before(j, key);
	str_adds(j->out, is_true ? "true" : "false");
}

void json_raw(struct json *j, const char *key, struct slice value)
{
	before(j, key);
	str_add(j->out, value);
}

void json_null(struct json *j, const char *key)
{
	before(j, key);
	str_adds(j->out, "null");
}

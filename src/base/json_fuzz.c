/*
 * json_fuzz.c - any bytes, in any nesting, as JSON.
 *
 * The first byte of the input says how to nest; the rest is text. Invariants:
 * what comes out parses, is one line, is UTF-8 and holds no control; text that
 * is cut is a beginning of the text, and what was a character stays one.
 */
#include "base/fuzz.h"
#include "base/json.h"

/* ---- a reader that is as strict as RFC 8259 -------------------------------
 */

struct reader {
	const unsigned char *p, *end;
};

static void read_value(struct reader *r, unsigned depth);

static void expect(struct reader *r, char c)
{
	FUZZ_CHECK(r->p < r->end && *r->p == (unsigned char)c);
	r->p++;
}

static bool peek(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == (unsigned char)c;
}

static void read_escape(struct reader *r)
{
	unsigned char c = r->p < r->end ? *r->p++ : 0;

	if (c != 'u') {
		FUZZ_CHECK(c == '"' || c == '\\' || c == 'n' || c == 'r' ||
			   c == 't');
		return;
	}
	for (int i = 0; i < 4; i++, r->p++)
		FUZZ_CHECK(r->p < r->end && (ascii_is_digit((char)*r->p) ||
					     (*r->p >= 'a' && *r->p <= 'f')));
}

/* One character; no surrogate, none that could be written shorter. */
static void read_utf8(struct reader *r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = *r->p;
	unsigned n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code = n == 1 ? c : c & (0xffu >> (n + 1));

	FUZZ_CHECK(c < 0x80 || c >= 0xc2);
	FUZZ_CHECK(c <= 0xf4 && (size_t)(r->end - r->p) >= n);
	for (unsigned i = 1; i < n; i++) {
		FUZZ_CHECK((r->p[i] & 0xc0) == 0x80);
		code = code << 6 | (r->p[i] & 0x3f);
	}
	FUZZ_CHECK(n == 1 || code >= least[n]);
	FUZZ_CHECK(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
	FUZZ_CHECK(code >= 0x20 && !(code >= 0x7f && code <= 0x9f));
	FUZZ_CHECK(code < 0x2028 || code > 0x202e);
	FUZZ_CHECK(code < 0x2066 || code > 0x2069);
	r->p += n;
}

static void read_string(struct reader *r)
{
	expect(r, '"');
	while (!peek(r, '"')) {
		FUZZ_CHECK(r->p < r->end);
		if (peek(r, '\\')) {
			r->p++;
			read_escape(r);
		} else {
			read_utf8(r);
		}
	}
	expect(r, '"');
}

static void read_list(struct reader *r, bool is_object, unsigned depth)
{
	expect(r, is_object ? '{' : '[');
	while (!peek(r, is_object ? '}' : ']')) {
		if (is_object) {
			read_string(r);
			expect(r, ':');
		}
		read_value(r, depth + 1);
		if (peek(r, ',')) {
			r->p++;
			FUZZ_CHECK(!peek(r, is_object ? '}' : ']'));
		}
	}
	expect(r, is_object ? '}' : ']');
}

static void read_value(struct reader *r, unsigned depth)
{
	FUZZ_CHECK(depth < JSON_DEPTH_MAX && r->p < r->end);
	if (peek(r, '{') || peek(r, '['))
		read_list(r, peek(r, '{'), depth);
	else if (peek(r, '"'))
		read_string(r);
	else
		expect(r, '7');
}

/* ---- the target -----------------------------------------------------------
 */

static void print(struct str *out, struct slice how, struct slice text)
{
	struct json j;
	bool is_object = false;
	unsigned open = 0;

	json_begin(&j, out);
	json_array(&j, NULL);
	json_text(&j, NULL, text);
	for (size_t i = 0; i < how.len; i++) {
		/* A key is a C string: what stands before the first NUL. */
		const char *key = is_object ? "k\"\xff" : NULL;

		if (how.p[i] % 4 == 0 && open < JSON_DEPTH_MAX - 4) {
			json_object(&j, key);
			is_object = true;
			open++;
		} else if (how.p[i] % 4 == 1 && open < JSON_DEPTH_MAX - 4) {
			json_array(&j, key);
			is_object = false;
			open++;
		} else if (how.p[i] % 4 == 2 && open > 0) {
			json_close(&j);
			open--;
			is_object = (j.is_object >> j.depth & 1) != 0;
		} else {
			json_uint(&j, key, 7);
			json_text(&j, key, slice_from(text, i));
		}
	}
	while (j.depth > 0)
		json_close(&j);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct slice how = slice_head(in, size > 0 ? data[0] % 64 : 0);
	struct str out = STR_INIT;
	struct reader r;

	print(&out, how, in);
	FUZZ_CHECK(!slice_has_control(str_slice(&out)));
	r.p = (const unsigned char *)out.p;
	r.end = r.p + out.len;
	read_value(&r, 0);
	FUZZ_CHECK(r.p == r.end);
	for (size_t max = 0; max <= size && max < 64; max++) {
		struct slice cut = json_cut(in, max);

		FUZZ_CHECK(cut.len <= max && cut.len + 3 >= max);
		FUZZ_CHECK(slice_starts(in, cut));
	}
	str_done(&out);
	return 0;
}

/*
 * base64.c - the base64 encoder of MIME.
 *
 * Whole groups are encoded line by line; what does not fill a group waits in
 * the state. Text is made canonical piece by piece in a small buffer, so that
 * the inner loop knows nothing of line ends.
 */
#include "mime/base64.h"

#include <string.h>

enum {
	PIECE = 2048,			      /* text made canonical at once */
	LINE_BYTES = BASE64_LINE_MAX / 4 * 3, /* bytes that fill a line */
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz"
			       "0123456789+/";

void base64_encode_begin(struct base64_encoder *e, bool is_text)
{
	*e = (struct base64_encoder){ .is_text = is_text };
}

uint64_t base64_encoded_size(uint64_t n)
{
	uint64_t characters = (n / 3 + (n % 3 != 0)) * 4;

	return characters +
	       (characters > 0 ? (characters - 1) : 0) / BASE64_LINE_MAX;
}

/* Four characters for three bytes. */
static void put_group(char *to, const unsigned char *p)
{
	uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

	to[0] = alphabet[bits >> 18];
	to[1] = alphabet[bits >> 12 & 63];
	to[2] = alphabet[bits >> 6 & 63];
	to[3] = alphabet[bits & 63];
}

/* The line end before a group that would not fit. There is room. */
static void put_break(struct base64_encoder *e, struct str *out)
{
	if (e->column < BASE64_LINE_MAX)
		return;
	out->p[out->len++] = '\n';
	e->column = 0;
}

/* Encodes n bytes, a multiple of 3. There is room. */
static void put_groups(struct base64_encoder *e, const unsigned char *p,
		       size_t n, struct str *out)
{
	while (n > 0) {
		size_t room, now;
		char *to;

		put_break(e, out);
		room = (BASE64_LINE_MAX - e->column) / 4 * 3;
		now = n < room ? n : room;
		to = out->p + out->len;
		for (size_t i = 0; i < now; i += 3, to += 4)
			put_group(to, p + i);
		e->column += (unsigned)(now / 3 * 4);
		out->len += now / 3 * 4;
		p += now;
		n -= now;
	}
}

/* Completes the group that was begun; returns the bytes of p it took. */
static size_t fill_rest(struct base64_encoder *e, const unsigned char *p,
			size_t n, struct str *out)
{
	unsigned char group[3];
	size_t took = 3 - e->n_rest;

	if (e->n_rest == 0)
		return 0;
	if (n < took) {
		memcpy(e->rest + e->n_rest, p, n);
		e->n_rest += (unsigned)n;
		return n;
	}
	memcpy(group, e->rest, e->n_rest);
	memcpy(group + e->n_rest, p, took);
	e->n_rest = 0;
	put_groups(e, group, 3, out);
	return took;
}

static void put_bytes(struct base64_encoder *e, const char *bytes, size_t n,
		      struct str *out)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t took, whole;

	str_reserve(out, (n / LINE_BYTES + 2) * (BASE64_LINE_MAX + 1));
	took = fill_rest(e, p, n, out);
	whole = (n - took) / 3 * 3;
	put_groups(e, p + took, whole, out);
	took += whole;
	if (took < n) {
		memcpy(e->rest, p + took, n - took);
		e->n_rest = (unsigned)(n - took);
	}
	out->p[out->len] = '\0';
}

/* Makes a piece of text canonical; to has room for twice as much. */
static size_t make_canonical(struct base64_encoder *e, struct slice piece,
			     char *to)
{
	const char *p = piece.p, *end = piece.p + piece.len;
	size_t len = 0;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((lf != NULL ? lf : end) - p);

		if (n > 0) {
			memcpy(to + len, p, n);
			len += n;
			e->had_cr = p[n - 1] == '\r';
		}
		if (lf == NULL)
			break;
		if (!e->had_cr)
			to[len++] = '\r';
		to[len++] = '\n';
		e->had_cr = false;
		p = lf + 1;
	}
	return len;
}

void base64_encode_push(struct base64_encoder *e, struct slice in,
			struct str *out)
{
	char canonical[2 * PIECE];

	if (!e->is_text && in.len > 0)
		put_bytes(e, in.p, in.len, out);
	while (e->is_text && in.len > 0) {
		struct slice piece = slice_head(in, PIECE);
		size_t n = make_canonical(e, piece, canonical);

		put_bytes(e, canonical, n, out);
		in = slice_from(in, piece.len);
	}
}

void base64_encode_end(struct base64_encoder *e, struct str *out)
{
	unsigned char group[3] = { 0 };

	if (e->n_rest > 0) {
		str_reserve(out, BASE64_LINE_MAX + 1);
		memcpy(group, e->rest, e->n_rest);
		put_groups(e, group, 3, out);
		out->p[out->len - 1] = '=';
		if (e->n_rest == 1)
			out->p[out->len - 2] = '=';
		out->p[out->len] = '\0';
	}
	base64_encode_begin(e, e->is_text);
}

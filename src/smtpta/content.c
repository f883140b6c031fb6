/*
 * content.c - a message's bytes, from the spool to the wire.
 */
#include "smtpta/content.h"

void body_begin(struct body *b, struct message *message)
{
	*b = (struct body){ .message = message };
}

void body_done(struct body *b)
{
	str_done(&b->bytes);
	*b = (struct body){ 0 };
}

static int read_small(struct body *b, struct err *err)
{
	size_t size = (size_t)message_body_size(b->message);
	ssize_t n = 1;

	message_rewind(b->message);
	while (b->bytes.len < size && n > 0)
		n = message_read(b->message, size - b->bytes.len, &b->bytes,
				 err);
	if (n < 0)
		return -1;
	b->is_in_memory = true;
	return 0;
}

static int scan_large(struct body *b, struct err *err)
{
	struct str chunk = STR_INIT;
	ssize_t n;

	message_rewind(b->message);
	do {
		str_clear(&chunk);
		n = message_read(b->message, CONTENT_CHUNK, &chunk, err);
		b->is_8bit |= slice_has_8bit(str_slice(&chunk));
	} while (n > 0 && !b->is_8bit);
	str_done(&chunk);
	return n < 0 ? -1 : 0;
}

int body_prepare(struct body *b, bool scan, struct err *err)
{
	bool is_small = message_body_size(b->message) <= CONTENT_CHUNK;

	if (is_small && !b->is_in_memory && read_small(b, err) < 0)
		return -1;
	if (!scan || b->is_scanned)
		return 0;
	if (b->is_in_memory)
		b->is_8bit = slice_has_8bit(str_slice(&b->bytes));
	else if (scan_large(b, err) < 0)
		return -1;
	b->is_scanned = true;
	return 0;
}

static unsigned wire_flags(const struct content *c)
{
	return c->needs_dots ? WIRE_CRLF | WIRE_DOTS : WIRE_CRLF;
}

void content_begin(struct content *c, struct slice header, struct body *body,
		   bool needs_dots)
{
	*c = (struct content){ .header = header,
			       .body = body,
			       .needs_dots = needs_dots };
	wire_begin(&c->wire, wire_flags(c) | WIRE_HEADER);
	message_rewind(body->message);
}

void content_done(struct content *c)
{
	str_done(&c->chunk);
	*c = (struct content){ 0 };
}

static void fill_header(struct content *c, struct str *sink)
{
	size_t before = sink->len;

	str_reserve(sink, c->header.len + c->header.len / 16 + 64);
	wire_push(&c->wire, c->header, sink);
	wire_end(&c->wire, sink);
	str_add(sink, SLICE("\r\n")); /* the line between header and body */
	wire_begin(&c->wire, wire_flags(c));
	c->is_header_done = true;
	c->n_header = sink->len - before;
}

static int fill(struct content *c, struct str *sink, struct err *err)
{
	ssize_t n = 0;

	if (!c->is_header_done)
		fill_header(c, sink);
	if (c->body->is_in_memory) {
		wire_push(&c->wire, str_slice(&c->body->bytes), sink);
	} else {
		str_clear(&c->chunk);
		n = message_read(c->body->message, CONTENT_CHUNK, &c->chunk,
				 err);
		if (n < 0)
			return -1;
		wire_push(&c->wire, str_slice(&c->chunk), sink);
	}
	if (n > 0)
		return 0;
	wire_end(&c->wire, sink);
	return 1;
}

int content_fill(struct content *c, struct str *sink, struct err *err)
{
	size_t before = sink->len;
	int r = fill(c, sink, err);

	c->n_bytes += sink->len - before;
	return r;
}

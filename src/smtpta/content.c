/*
 * content.c - a message's bytes, from the spool to the wire.
 */
#include "smtpta/content.h"

#include "base/mem.h"

#include <stdlib.h>

struct body_tree {
	struct body_tree *next;
	struct slice header; /* whose it is; only the place counts */
	struct arena *arena;
	struct tree tree;
};

static void free_tree(struct body_tree *bt)
{
	tree_done(&bt->tree);
	arena_free(bt->arena);
	free(bt);
}

void body_begin(struct body *b, struct message *message)
{
	*b = (struct body){ .message = message };
}

void body_done(struct body *b)
{
	struct body_tree *bt;

	while ((bt = b->trees) != NULL) {
		b->trees = bt->next;
		free_tree(bt);
	}
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

int body_prepare(struct body *b, struct err *err)
{
	bool is_small = message_body_size(b->message) <= CONTENT_CHUNK;

	return is_small && !b->is_in_memory ? read_small(b, err) : 0;
}

/* ---- its parts ------------------------------------------------------------
 */

typedef void take_piece(void *context, struct slice piece);

static void take_for_tree(void *context, struct slice piece)
{
	tree_push(context, piece);
}

static void take_for_glance(void *context, struct slice piece)
{
	glance_push(context, piece);
}

/* Hands out all of the body, piece by piece. */
static int read_through(struct body *b, take_piece *take, void *context,
			struct err *err)
{
	struct str chunk = STR_INIT;
	ssize_t n;

	if (body_prepare(b, err) < 0)
		return -1;
	if (b->is_in_memory) {
		take(context, str_slice(&b->bytes));
		return 0;
	}
	message_rewind(b->message);
	do {
		str_clear(&chunk);
		n = message_read(b->message, CONTENT_CHUNK, &chunk, err);
		take(context, str_slice(&chunk));
	} while (n > 0);
	str_done(&chunk);
	return n < 0 ? -1 : 0;
}

int body_glance(struct body *b, uint64_t line_max, const struct glance **ret,
		struct err *err)
{
	if (!b->has_glance) {
		glance_begin(&b->glance, line_max);
		if (read_through(b, take_for_glance, &b->glance, err) < 0)
			return -1;
		b->has_glance = true;
	}
	*ret = &b->glance;
	return 0;
}

static struct body_tree *find_tree(const struct body *b, struct slice header)
{
	struct body_tree *bt = b->trees;

	while (bt != NULL &&
	       (bt->header.p != header.p || bt->header.len != header.len))
		bt = bt->next;
	return bt;
}

static struct body_tree *make_tree(struct body *b, const struct passage *p,
				   bool makes_trials, struct err *err)
{
	struct body_tree *bt = mem_zero(1, sizeof(*bt));

	bt->header = p->header;
	bt->arena = arena_new();
	tree_begin(&bt->tree, &p->label, makes_trials, bt->arena);
	if (read_through(b, take_for_tree, &bt->tree, err) < 0) {
		free_tree(bt);
		return NULL;
	}
	tree_end(&bt->tree);
	return bt;
}

int body_tree(struct body *b, const struct passage *passage, bool makes_trials,
	      const struct tree **ret, struct err *err)
{
	struct body_tree *bt = find_tree(b, passage->header);

	if (bt == NULL) {
		bt = make_tree(b, passage, makes_trials, err);
		if (bt == NULL)
			return -1;
		bt->next = b->trees;
		b->trees = bt;
	}
	*ret = &bt->tree;
	return 0;
}

/* ---- the way ---------------------------------------------------------------
 */

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

void content_convert(struct content *c, const struct passage *passage)
{
	c->converts = passage_converts_body(passage);
	if (c->converts)
		treeconv_begin(&c->convert, passage->tree, &passage->plan);
}

void content_done(struct content *c)
{
	if (c->converts)
		treeconv_done(&c->convert);
	str_done(&c->scratch);
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

static void add_body(struct content *c, struct slice bytes, struct str *sink)
{
	if (c->converts)
		treeconv_push_wire(&c->convert, bytes, &c->scratch, &c->wire,
				   sink);
	else
		wire_push(&c->wire, bytes, sink);
}

static void end_body(struct content *c, struct str *sink)
{
	bool is_raw = c->converts && treeconv_is_raw(&c->convert);

	if (c->converts) {
		str_clear(&c->scratch);
		treeconv_end(&c->convert, &c->scratch);
		wire_push(&c->wire, str_slice(&c->scratch), sink);
	}
	if (!is_raw)
		wire_end(&c->wire, sink);
}

static int fill(struct content *c, struct str *sink, struct err *err)
{
	ssize_t n = 0;

	if (!c->is_header_done)
		fill_header(c, sink);
	if (c->body->is_in_memory) {
		add_body(c, str_slice(&c->body->bytes), sink);
	} else {
		str_clear(&c->chunk);
		n = message_read(c->body->message, CONTENT_CHUNK, &c->chunk,
				 err);
		if (n < 0)
			return -1;
		add_body(c, str_slice(&c->chunk), sink);
	}
	if (n > 0)
		return 0;
	end_body(c, sink);
	return 1;
}

int content_fill(struct content *c, struct str *sink, struct err *err)
{
	size_t before = sink->len;
	int r = fill(c, sink, err);

	c->n_bytes += sink->len - before;
	return r;
}

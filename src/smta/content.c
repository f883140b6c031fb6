/*
 * content.c - a job's body, and what becomes of header and body on the way
 * to a mailer.
 */
#include "smta/content.h"

#include "mime/header.h"
#include "mime/treeconv.h"
#include "smta/flags.h"

/* ---- the body ---------------------------------------------------------- */

void content_begin(struct content *c, const struct content_source *source)
{
	*c = (struct content){ .source = *source };
}

static void forget_tree(struct content *c)
{
	if (c->arena == NULL)
		return;
	tree_done(&c->tree);
	arena_free(c->arena);
	c->arena = NULL;
	c->has_tree = false;
}

void content_done(struct content *c)
{
	forget_tree(c);
	str_done(&c->bytes);
	*c = (struct content){ 0 };
}

void content_rewind(struct content *c)
{
	c->at = 0;
	if (!c->is_in_memory)
		c->source.rewind(c->source.context);
}

/* Reads a body that is small, once. */
static int load_small(struct content *c, struct err *err)
{
	const struct content_source *s = &c->source;
	ssize_t n = 1;

	if (c->is_in_memory || s->size > STREAM_CHUNK)
		return 0;
	s->rewind(s->context);
	str_clear(&c->bytes);
	while (c->bytes.len < s->size && n > 0)
		n = s->read(s->context, (size_t)s->size - c->bytes.len,
			    &c->bytes, err);
	if (n < 0)
		return -1;
	c->is_in_memory = true;
	c->at = 0;
	return 0;
}

/* The next bytes, borrowed until the next call; none at the end. */
static int next_bytes(struct content *c, struct slice *ret, struct err *err)
{
	const struct content_source *s = &c->source;

	if (c->is_in_memory) {
		*ret = slice_from(str_slice(&c->bytes), c->at);
		c->at = c->bytes.len;
		return 0;
	}
	str_clear(&c->bytes);
	if (s->read(s->context, STREAM_CHUNK, &c->bytes, err) < 0)
		return -1;
	*ret = str_slice(&c->bytes);
	return 0;
}

ssize_t content_read(void *context, size_t max, struct str *to, struct err *err)
{
	struct content *c = context;
	struct slice rest;

	if (!c->is_in_memory)
		return c->source.read(c->source.context, max, to, err);
	rest = slice_from(str_slice(&c->bytes), c->at);
	if (rest.len > max)
		rest.len = max;
	str_add(to, rest);
	c->at += rest.len;
	return (ssize_t)rest.len;
}

/* ---- its parts --------------------------------------------------------- */

/* Hands all of it to a reader or converter, piece by piece, from the start. */
typedef void take_piece(void *context, struct slice piece);

static int for_each_piece(struct content *c, take_piece *take, void *context,
			  struct err *err)
{
	struct slice bytes = { 0 };

	content_rewind(c);
	do {
		if (next_bytes(c, &bytes, err) < 0)
			return -1;
		take(context, bytes);
	} while (bytes.len > 0);
	return 0;
}

static void take_for_tree(void *context, struct slice piece)
{
	tree_push(context, piece);
}

static int learn_tree(struct content *c, const struct passage *p,
		      bool makes_trials, struct err *err)
{
	if (c->has_tree && c->header.p == p->header.p &&
	    c->header.len == p->header.len)
		return 0;
	forget_tree(c);
	c->arena = arena_new();
	c->header = p->header;
	tree_begin(&c->tree, &p->label, makes_trials, c->arena);
	if (for_each_piece(c, take_for_tree, &c->tree, err) < 0)
		return -1;
	tree_end(&c->tree);
	c->has_tree = true;
	return 0;
}

/* ---- the plan ---------------------------------------------------------- */

struct meter {
	struct treeconv convert;
	struct str out;
	uint64_t size;
};

static void take_for_meter(void *context, struct slice piece)
{
	struct meter *m = context;
	bool is_raw;

	str_clear(&m->out);
	while (piece.len > 0)
		treeconv_push(&m->convert, &piece, &m->out, &is_raw);
	m->size += m->out.len;
}

/* How large the body is converted: a pass of its own. */
static int measure(struct content *c, const struct passage *p,
		   uint64_t *ret_size, struct err *err)
{
	struct meter m = { 0 };
	int r;

	treeconv_begin(&m.convert, p->tree, &p->plan);
	r = for_each_piece(c, take_for_meter, &m, err);
	str_clear(&m.out);
	treeconv_end(&m.convert, &m.out);
	*ret_size = m.size + m.out.len;
	treeconv_done(&m.convert);
	str_done(&m.out);
	return r;
}

static int add_growth(struct content *c, struct content_plan *p,
		      struct err *err)
{
	uint64_t sent = c->source.size;

	if (passage_converts_body(&p->passage) &&
	    measure(c, &p->passage, &sent, err) < 0)
		return -1;
	p->growth = (int64_t)sent - (int64_t)c->source.size;
	if (p->passage.plan.message.edits_header)
		p->growth +=
		    (int64_t)p->header.len - (int64_t)p->passage.clean.len;
	return 0;
}

static struct mime_channel channel_of(const struct content_wish *wish)
{
	bool is_batch = (wish->flags & SMTA_BSMTP) != 0;

	return (struct mime_channel){
		.encodes_nul = is_batch,
		.line_max = is_batch ? HEADER_LINE_MAX : 0,
		.takes_8bit = (wish->flags & SMTA_8BIT) != 0,
		.may_decode = (wish->flags & SMTA_DECODE) != 0,
		.is_narrow = wish->is_narrow,
		.keeps_headers = wish->keeps_headers,
		.charset = wish->charset,
	};
}

static int plan(struct content *c, const struct content_wish *wish,
		struct content_plan *p, struct err *err)
{
	struct mime_channel channel = channel_of(wish);
	bool tells_size = (wish->flags & SMTA_BSMTP_SIZE) != 0;
	bool needs_tree = passage_needs_tree(&p->passage, &channel) ||
			  (tells_size && channel.takes_8bit); /* for BODY= */

	if (needs_tree &&
	    learn_tree(c, &p->passage,
		       passage_needs_trials(&p->passage, &channel), err) < 0)
		return -1;
	passage_plan(&p->passage, needs_tree ? &c->tree : NULL, &channel);
	p->header = p->passage.header;
	if (p->passage.plan.message.edits_header)
		p->header = passage_header(&p->passage);
	p->sends_8bit = (p->passage.plan.message.sends_8bit &&
			 !(wish->flags & SMTA_STRIP8)) ||
			slice_has_8bit(p->header);
	return tells_size ? add_growth(c, p, err) : 0;
}

int content_make_plan(struct content *c, const struct content_wish *wish,
		      struct slice header, struct content_plan *ret,
		      struct err *err)
{
	struct content_plan p = { 0 };
	int r = load_small(c, err);

	if (r == 0) {
		passage_begin(&p.passage, header);
		r = plan(c, wish, &p, err);
	}
	content_rewind(c);
	if (r < 0)
		content_plan_done(&p);
	else
		*ret = p;
	return r;
}

void content_plan_done(struct content_plan *p)
{
	passage_done(&p->passage);
	*p = (struct content_plan){ 0 };
}

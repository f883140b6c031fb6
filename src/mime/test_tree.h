/*
 * test_tree.h - a message through tree, plan and conversion, for tests.
 */
#ifndef MIME_TEST_TREE_H
#define MIME_TEST_TREE_H

#include "base/test.h"
#include "mime/convert.h"
#include "mime/treeconv.h"

struct test_mail {
	struct arena *arena;
	struct str header; /* clean */
	struct slice body;
	struct mime_label label;
	struct tree tree;
	struct tree_plan plan;
};

/*
 * Switches: 8 takes 8-bit, B takes binary, d may decode, H keeps headers, l
 * lines to 998, n encodes NUL, r encodes CR.
 */
static inline struct mime_channel test_channel(const char *switches)
{
	struct slice s = slice_of(switches);

	return (struct mime_channel){
		.takes_8bit = slice_has(s, '8'),
		.takes_binary = slice_has(s, 'B'),
		.may_decode = slice_has(s, 'd'),
		.keeps_headers = slice_has(s, 'H'),
		.encodes_nul = slice_has(s, 'n'),
		.encodes_cr = slice_has(s, 'r'),
		.line_max = slice_has(s, 'l') ? 998 : 0,
		.charset = SLICE("KOI8-R"),
	};
}

/* Plans a message, header and body parted by the first empty line. */
static inline void test_plan_mail(struct test_mail *m, struct slice message,
				  const char *switches)
{
	struct mime_channel channel = test_channel(switches);
	size_t end = slice_find_text(message, SLICE("\n\n"));

	*m = (struct test_mail){ .arena = arena_new() };
	convert_clean_header(&m->header, slice_head(message, end), false);
	m->body = slice_from(message, end + 2);
	mime_label_read(&m->label, str_slice(&m->header));
	tree_begin(&m->tree, &m->label,
		   tree_plan_needs_trials(&m->label, &channel), m->arena);
	tree_push(&m->tree, m->body);
	tree_end(&m->tree);
	tree_plan_make(&m->tree, &m->label, &channel, &m->plan);
}

static inline void test_mail_done(struct test_mail *m)
{
	tree_plan_done(&m->plan);
	tree_done(&m->tree);
	str_done(&m->header);
	arena_free(m->arena);
}

struct test_conversion {
	struct treeconv convert;
	struct wire wire;
	struct str scratch;
	struct str *out;
	bool is_wired;
};

static inline void test_convert_chunk(void *context, struct slice chunk)
{
	struct test_conversion *c = context;
	bool is_raw;

	if (c->is_wired)
		treeconv_push_wire(&c->convert, chunk, &c->scratch, &c->wire,
				   c->out);
	while (!c->is_wired && chunk.len > 0)
		treeconv_push(&c->convert, &chunk, c->out, &is_raw);
}

/*
 * Adds the converted message, its body split by `seed`; with is_wired as it
 * goes over the wire, without dots.
 */
static inline void test_convert_mail(const struct test_mail *m, unsigned seed,
				     bool is_wired, struct str *out)
{
	struct test_conversion c = { .out = out, .is_wired = is_wired };
	struct str header = STR_INIT;

	if (m->plan.message.edits_header)
		convert_header(&header, str_slice(&m->header),
			       &m->plan.message);
	else
		str_add(&header, str_slice(&m->header));
	str_addc(&header, '\n');
	wire_begin(&c.wire, WIRE_CRLF);
	if (is_wired)
		wire_push(&c.wire, str_slice(&header), out);
	else
		str_add(out, str_slice(&header));
	treeconv_begin(&c.convert, &m->tree, &m->plan);
	test_split(m->body, seed, test_convert_chunk, &c);
	if (is_wired) {
		str_clear(&c.scratch);
		treeconv_end(&c.convert, &c.scratch);
		wire_push(&c.wire, str_slice(&c.scratch), out);
		wire_end(&c.wire, out);
	} else {
		treeconv_end(&c.convert, out);
	}
	treeconv_done(&c.convert);
	str_done(&c.scratch);
	str_done(&header);
}

#endif

/*
 * passage_fuzz.c - any bytes as a message, all the way to the wire: a glance,
 * the tree if it is called for, the plan, the conversion, the last filter.
 *
 * The first byte is what the channel takes; header and body are parted by the
 * first empty line. Invariants: chunks do not matter; what is sent is what an
 * SMTP server takes (lines ended by CRLF, no bare CR or LF, no NUL, no dot
 * alone, unless it is to be binary); a 7-bit channel gets 7 bits, or it is
 * told why not; sends_8bit is the truth; nothing grows beyond the bounds that
 * mime/treeconv.h states.
 */
#include "mime/passage.h"

#include "base/fuzz.h"
#include "mime/treeconv.h"

#include <string.h>

enum {
	HEADER_GROWTH = 40, /* of bytes that are made encoded-words */
	HEADER_MORE = 512,  /* fields that are new */
};

/* A message on its way. */
struct trip {
	struct passage passage;
	struct slice body;
	struct tree tree;
	struct arena *arena;
	struct mime_channel channel;
};

static struct mime_channel channel_of(unsigned bits)
{
	return (struct mime_channel){
		.takes_8bit = bits & 1,
		.may_decode = bits & 2,
		.takes_binary = bits & 4,
		.keeps_headers = bits & 8,
		.is_8bit_clean = bits & 16,
		.is_narrow = bits & 32,
		.encodes_nul = true,
		.line_max = bits & 64 ? 0 : 998,
		.charset = SLICE("KOI8-R"),
	};
}

static void plan(struct trip *t, struct slice header)
{
	struct passage *p = &t->passage;
	struct glance glance;

	passage_begin(p, header);
	glance_begin(&glance, t->channel.line_max);
	glance_push(&glance, t->body);
	if (!passage_needs_closer_look(p, &t->channel, &glance)) {
		passage_plan_glanced(p, &glance, &t->channel);
		FUZZ_CHECK(!passage_converts_body(p));
		return;
	}
	tree_begin(&t->tree, &p->label, passage_needs_trials(p, &t->channel),
		   t->arena);
	tree_push(&t->tree, t->body);
	tree_end(&t->tree);
	passage_plan(p, &t->tree, &t->channel);
}

/* The body as it is sent, pushed in pieces of at most so many bytes. */
static struct str sent_body(const struct trip *t, size_t most)
{
	bool converts = passage_converts_body(&t->passage), is_raw = false;
	struct str out = STR_INIT, scratch = STR_INIT;
	struct slice in = t->body;
	struct treeconv c;
	struct wire w;

	wire_begin(&w, WIRE_CRLF | WIRE_DOTS);
	if (converts)
		treeconv_begin(&c, &t->tree, &t->passage.plan);
	for (size_t step = 0; in.len > 0; step++) {
		struct slice now = slice_head(in, 1 + step * 5 % most);

		if (converts)
			treeconv_push_wire(&c, now, &scratch, &w, &out);
		else
			wire_push(&w, now, &out);
		in = slice_from(in, now.len);
	}
	if (converts) {
		is_raw = treeconv_is_raw(&c);
		str_clear(&scratch);
		treeconv_end(&c, &scratch);
		wire_push(&w, str_slice(&scratch), &out);
		treeconv_done(&c);
	}
	if (!is_raw)
		wire_end(&w, &out);
	str_done(&scratch);
	return out;
}

static void check_wire(struct slice text)
{
	bool at_bol = true;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		FUZZ_CHECK(c != '\0');
		FUZZ_CHECK(c != '\n' || (i > 0 && text.p[i - 1] == '\r'));
		FUZZ_CHECK(c != '\r' ||
			   (i + 1 < text.len && text.p[i + 1] == '\n'));
		if (at_bol && c == '.')
			FUZZ_CHECK(i + 1 < text.len && text.p[i + 1] == '.');
		at_bol = c == '\n';
	}
	FUZZ_CHECK(at_bol);
}

static bool edits_headers(const struct tree_plan *p)
{
	for (unsigned i = 1; i < p->n_choices; i++)
		if (part_choice_edits_header(&p->choices[i]))
			return true;
	return false;
}

static void check_body(const struct trip *t, struct slice out)
{
	const struct passage *p = &t->passage;
	const struct mime_plan *m = &p->plan.message;
	bool is_7bit = mime_is_7bit_channel(&p->label, &t->channel);
	uint64_t growth =
	    edits_headers(&p->plan) ? HEADER_GROWTH : TREECONV_GROWTH;

	if (!p->plan.sends_binary)
		check_wire(out);
	FUZZ_CHECK(slice_has_8bit(out) == m->sends_8bit);
	if (is_7bit && !t->channel.keeps_headers)
		FUZZ_CHECK(!m->sends_8bit || m->is_unconvertible ||
			   m->mode == MIME_8BIT);
	if (m->is_unconvertible)
		FUZZ_CHECK(is_7bit && (m->reason == MIME_IS_ENCODED ||
				       m->reason > MIME_RELABEL));
	FUZZ_CHECK(out.len <= t->body.len * growth + 2 +
				  TREECONV_MORE * p->plan.n_choices);
}

static void check_header(const struct trip *t, struct slice header)
{
	struct slice sent = passage_header(&t->passage);
	struct str again = STR_INIT;

	FUZZ_CHECK(sent.len <= header.len * HEADER_GROWTH + HEADER_MORE);
	FUZZ_CHECK(!slice_has(sent, '\r') && !slice_has(sent, '\0'));
	FUZZ_CHECK(slice_find_text(sent, SLICE("\n\n")) == sent.len);
	FUZZ_CHECK(sent.len == 0 || sent.p[sent.len - 1] == '\n');
	passage_print(&again, &t->passage);
	FUZZ_CHECK(again.len > 0);
	str_done(&again);
}

FUZZ(data, size)
{
	static const size_t most[] = { 1, 2, 7, 100 };
	struct slice text = slice_make((const char *)data, size), header;
	struct trip t = { .channel = channel_of(size > 0 ? data[0] : 0) };
	struct str out;
	size_t end;

	text = slice_from(text, 1);
	end = slice_find_text(text, SLICE("\n\n"));
	header = slice_head(text, end + 1);
	t.body = slice_from(text, end + 2);
	t.arena = arena_new();
	plan(&t, header);
	check_header(&t, header);
	out = sent_body(&t, SIZE_MAX);
	check_body(&t, str_slice(&out));
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct str again = sent_body(&t, most[i]);

		FUZZ_CHECK(slice_eq(str_slice(&again), str_slice(&out)));
		str_done(&again);
	}
	str_done(&out);
	passage_done(&t.passage);
	tree_done(&t.tree);
	arena_free(t.arena);
	return 0;
}

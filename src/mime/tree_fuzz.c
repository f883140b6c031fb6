/*
 * tree_fuzz.c - any bytes as a message: header and body are parted by the
 * first empty line. Chunks do not matter; parts lie where parts can lie; a
 * body without multiparts has the facts that mime/scan.h finds.
 */
#include "mime/tree.h"

#include "base/fuzz.h"

static void read_tree(struct tree *t, const struct mime_label *label,
		      struct slice body, size_t most, struct arena *a)
{
	tree_begin(t, label, true, a);
	for (size_t step = 0; body.len > 0; step++) {
		size_t n = 1 + step * 5 % most;

		tree_push(t, slice_head(body, n));
		body = slice_from(body, n);
	}
	tree_end(t);
}

static void check_same_facts(const struct part_facts *a,
			     const struct part_facts *b)
{
	FUZZ_CHECK(a->size == b->size && a->longest == b->longest);
	FUZZ_CHECK(a->coded == b->coded && a->line_ends == b->line_ends);
	FUZZ_CHECK(a->has_8bit == b->has_8bit && a->has_nul == b->has_nul);
	FUZZ_CHECK(a->has_bare_cr == b->has_bare_cr);
	FUZZ_CHECK(a->has_crlf == b->has_crlf && a->is_utf8 == b->is_utf8);
}

static void check_same(const struct part *a, const struct part *b)
{
	FUZZ_CHECK(a->begin == b->begin && a->body == b->body);
	FUZZ_CHECK(a->end == b->end && a->parent == b->parent);
	FUZZ_CHECK(a->kind == b->kind && a->why == b->why);
	FUZZ_CHECK(a->encoding == b->encoding);
	FUZZ_CHECK(a->has_trial == b->has_trial && a->unfit == b->unfit);
	FUZZ_CHECK(a->would_delimit == b->would_delimit);
	FUZZ_CHECK(a->decoded_size == b->decoded_size);
	check_same_facts(&a->facts, &b->facts);
}

static void check_places(const struct tree *t)
{
	uint64_t before = 0;

	FUZZ_CHECK(t->n_parts >= 1 && t->n_parts <= TREE_PARTS_MAX);
	for (unsigned i = 0; i < t->n_parts; i++) {
		const struct part *p = &t->parts[i];
		const struct part *outer = &t->parts[p->parent];

		FUZZ_CHECK(p->begin <= p->body && p->body <= p->end);
		FUZZ_CHECK(p->begin >= before && p->end <= t->size);
		before = i == 0 ? 0 : p->begin;
		if (p->kind == PART_LEAF || p->kind == PART_OPAQUE)
			before = p->end;
		FUZZ_CHECK((p->kind == PART_OPAQUE) ==
			   (p->why != MIME_IS_7BIT));
		if (i == 0)
			continue;
		FUZZ_CHECK(p->parent < i && p->depth == outer->depth + 1);
		FUZZ_CHECK(outer->kind == PART_MULTIPART ||
			   outer->kind == PART_MESSAGE);
		FUZZ_CHECK(p->begin >= outer->body && p->end <= outer->end);
		FUZZ_CHECK(p->depth <= TREE_DEPTH_MAX);
		if (p->kind != PART_MULTIPART && p->why != MIME_NO_PARTS)
			FUZZ_CHECK(p->kind == PART_MESSAGE ||
				   p->facts.size == p->end - p->body);
	}
}

static void check_alone(const struct tree *t, struct slice body)
{
	const struct part *p = &t->parts[0];
	struct scan s;

	if (t->n_parts > 1 || p->why == MIME_NO_PARTS)
		return;
	scan_begin(&s);
	scan_push(&s, body);
	scan_end(&s);
	FUZZ_CHECK(p->facts.size == s.size && p->facts.longest == s.longest);
	FUZZ_CHECK(p->facts.has_8bit == s.has_8bit);
	FUZZ_CHECK(p->facts.has_bare_cr == s.has_bare_cr);
}

FUZZ(data, size)
{
	static const size_t most[] = { 1, 2, 3, 7, 64, 1000 };
	struct slice text = slice_make((const char *)data, size);
	size_t end = slice_find_text(text, SLICE("\n\n"));
	struct slice body = slice_from(text, end + 2);
	struct arena *a = arena_new();
	struct mime_label label;
	struct tree want, got;

	mime_label_read(&label, slice_head(text, end));
	read_tree(&want, &label, body, SIZE_MAX, a);
	FUZZ_CHECK(want.size == body.len);
	check_places(&want);
	check_alone(&want, body);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		read_tree(&got, &label, body, most[i], a);
		FUZZ_CHECK(got.n_parts == want.n_parts);
		for (unsigned k = 0; k < want.n_parts; k++)
			check_same(&got.parts[k], &want.parts[k]);
		tree_done(&got);
	}
	tree_done(&want);
	arena_free(a);
	return 0;
}

/*
 * treeconv_fuzz.c - any bytes as a message, through tree, plan, conversion.
 *
 * The first byte is what the channel takes; header and body are parted by the
 * first empty line. Invariants: chunks do not matter; what is converted is a
 * tree of the same shape, whose leaves decode to what they were; a 7-bit
 * channel gets 7-bit bytes, or is told; what is not to be changed is not.
 */
#include "mime/treeconv.h"

#include "base/fuzz.h"
#include "mime/convert.h"

#include <string.h>

struct mail {
	struct slice header, body;
	struct mime_label label;
	struct tree tree;
	struct tree_plan plan;
};

static struct mime_channel channel_of(unsigned bits)
{
	return (struct mime_channel){
		.takes_8bit = bits & 1,
		.may_decode = bits & 2,
		.takes_binary = bits & 4,
		.keeps_headers = bits & 8,
		.encodes_nul = bits & 16,
		.encodes_cr = bits & 32,
		.is_narrow = bits & 64,
		.line_max = bits & 128 ? 998 : 0,
		.charset = SLICE("KOI8-R"),
	};
}

static void plan_mail(struct mail *m, struct slice header, struct slice body,
		      const struct mime_channel *channel, struct arena *a)
{
	*m = (struct mail){ .header = header, .body = body };
	mime_label_read(&m->label, header);
	tree_begin(&m->tree, &m->label,
		   tree_plan_needs_trials(&m->label, channel), a);
	tree_push(&m->tree, body);
	tree_end(&m->tree);
	tree_plan_make(&m->tree, &m->label, channel, &m->plan);
}

static void mail_done(struct mail *m)
{
	tree_done(&m->tree);
	tree_plan_done(&m->plan);
}

static struct str converted(const struct mail *m, size_t most)
{
	struct slice in = m->body;
	struct str out = STR_INIT;
	struct treeconv c;
	bool is_raw;

	treeconv_begin(&c, &m->tree, &m->plan);
	for (size_t step = 0; in.len > 0; step++) {
		struct slice now = slice_head(in, 1 + step * 5 % most);
		size_t n = now.len;

		while (now.len > 0)
			treeconv_push(&c, &now, &out, &is_raw);
		in = slice_from(in, n);
	}
	treeconv_end(&c, &out);
	treeconv_done(&c);
	return out;
}

/* ---- what leaves mean ----------------------------------------------- */

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static void decode_base64(struct slice in, struct str *out)
{
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int digit = digit_of(in.p[i]);

		FUZZ_CHECK(digit >= 0 || in.p[i] == '\n' || in.p[i] == '=');
		if (digit < 0)
			continue;
		bits = bits << 6 | (unsigned)digit;
		n += 6;
		if (n >= 8) {
			n -= 8;
			str_addc(out, (char)(bits >> n & 0xff));
		}
	}
}

/* The text with LF for each CR LF. */
static struct str plain(struct slice in)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < in.len; i++)
		if (in.p[i] != '\r' || i + 1 == in.len || in.p[i + 1] != '\n')
			str_addc(&out, in.p[i]);
	return out;
}

static struct slice body_of(const struct mail *m, unsigned part)
{
	const struct part *p = &m->tree.parts[part];

	return slice_head(slice_from(m->body, (size_t)p->body),
			  (size_t)(p->end - p->body));
}

static void check_lines(struct slice text)
{
	struct slice line;

	while (slice_cut(&text, '\n', &line))
		FUZZ_CHECK(line.len <= QP_LINE_MAX);
}

static void check_leaf(const struct mail *was, const struct mail *is,
		       unsigned part)
{
	const struct part_choice *c = &was->plan.choices[part];
	struct str decoded = STR_INIT, a, b;
	struct slice in = body_of(was, part), out = body_of(is, part);

	if (c->action == PART_TO_BASE64) {
		decode_base64(out, &decoded);
	} else if (c->action == PART_TO_QP || c->action == PART_DECODE) {
		struct qp_decoder d;

		qp_decode_begin(&d);
		qp_decode_push(&d, c->action == PART_DECODE ? in : out,
			       &decoded);
		qp_decode_end(&d, &decoded);
	} else {
		FUZZ_CHECK(slice_eq(in, out) ||
			   was->tree.parts[part].kind != PART_LEAF);
		return;
	}
	if (c->action != PART_DECODE)
		check_lines(out);
	if (c->action == PART_DECODE || c->is_exact)
		FUZZ_CHECK(
		    slice_eq(str_slice(&decoded), c->is_exact ? in : out));
	/* the decoder of quoted-printable gives LF for CR LF */
	a = c->action == PART_TO_BASE64 ? plain(str_slice(&decoded)) : decoded;
	b = plain(in);
	if (c->action != PART_DECODE)
		FUZZ_CHECK(c->is_exact ||
			   slice_eq(str_slice(&a), str_slice(&b)));
	if (c->action == PART_TO_BASE64)
		str_done(&a);
	str_done(&decoded);
	str_done(&b);
}

static enum cte label_of(const struct part_choice *c, enum cte was)
{
	switch (c->action) {
	case PART_TO_QP:
		return CTE_QP;
	case PART_TO_BASE64:
		return CTE_BASE64;
	case PART_DECODE:
		return CTE_8BIT;
	case PART_RELABEL:
		return c->labels_8bit ? CTE_8BIT : CTE_7BIT;
	case PART_KEEP:
	case PART_RAW:
		break;
	}
	return was;
}

static void check_shape(const struct mail *was, const struct mail *is)
{
	FUZZ_CHECK(was->tree.n_parts == is->tree.n_parts);
	for (unsigned i = 0; i < was->tree.n_parts; i++) {
		const struct part *a = &was->tree.parts[i];
		const struct part *b = &is->tree.parts[i];

		FUZZ_CHECK(a->kind == b->kind && a->parent == b->parent);
		FUZZ_CHECK(slice_eq(a->type, b->type) ||
			   was->plan.choices[i].adds_version || i == 0);
		FUZZ_CHECK(b->encoding ==
			   label_of(&was->plan.choices[i], a->encoding));
		check_leaf(was, is, i);
	}
}

static bool is_idle(const struct tree_plan *p)
{
	for (unsigned i = 0; i < p->n_choices; i++)
		if ((p->choices[i].action != PART_KEEP &&
		     p->choices[i].action != PART_RAW) ||
		    part_choice_edits_header(&p->choices[i]))
			return false;
	return true;
}

/* Is nothing left to do, but perhaps lines that have no place for a fold? */
static bool is_settled(const struct tree_plan *p)
{
	for (unsigned i = 0; i < p->n_choices; i++)
		if ((p->choices[i].action != PART_KEEP &&
		     p->choices[i].action != PART_RAW) ||
		    p->choices[i].encodes_header)
			return false;
	return true;
}

static void check(const struct mail *was, const struct mime_channel *channel,
		  struct slice out, struct arena *a)
{
	bool is_7bit = mime_is_7bit_channel(&was->label, channel);
	struct str header = STR_INIT;
	struct mail is;

	convert_header(&header, was->header, &was->plan.message);
	plan_mail(&is, str_slice(&header), out, channel, a);
	if (!is_idle(&was->plan))
		check_shape(was, &is);
	FUZZ_CHECK(slice_has_8bit(out) == was->plan.message.sends_8bit);
	if (is_7bit && !channel->keeps_headers && !channel->may_decode)
		FUZZ_CHECK(!slice_has_8bit(out) ||
			   was->plan.message.is_unconvertible);
	if (!channel->may_decode && !is_idle(&was->plan))
		FUZZ_CHECK(is_settled(&is.plan));
	mail_done(&is);
	str_done(&header);
}

FUZZ(data, size)
{
	static const size_t most[] = { 1, 2, 7, 100 };
	struct slice text = slice_make((const char *)data, size);
	struct mime_channel channel = channel_of(size > 0 ? data[0] : 0);
	struct arena *a = arena_new();
	struct str clean = STR_INIT, out;
	struct mail was;
	size_t end;

	text = slice_from(text, 1);
	end = slice_find_text(text, SLICE("\n\n"));
	convert_clean_header(&clean, slice_head(text, end), false);
	plan_mail(&was, str_slice(&clean), slice_from(text, end + 2), &channel,
		  a);
	out = converted(&was, SIZE_MAX);
	if (is_idle(&was.plan))
		FUZZ_CHECK(slice_eq(str_slice(&out), was.body));
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct str again = converted(&was, most[i]);

		FUZZ_CHECK(slice_eq(str_slice(&again), str_slice(&out)));
		str_done(&again);
	}
	check(&was, &channel, str_slice(&out), a);
	mail_done(&was);
	str_done(&out);
	str_done(&clean);
	arena_free(a);
	return 0;
}

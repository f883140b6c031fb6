/*
 * transit.c - what a message becomes on its way to one server.
 */
#include "smtpta/transit.h"

#include "mime/charset.h"
#include "mime/header.h"

struct mime_channel transit_channel(const struct transit_way *way)
{
	const struct smtpta_options *o = way->options;

	return (struct mime_channel){
		.takes_8bit = way->caps->eightbitmime,
		.is_8bit_clean = o->eight_bit,
		.takes_binary = way->caps->binarymime && way->caps->chunking,
		.may_decode = o->eight_bit,
		.keeps_headers = o->keep_headers || way->is_smtputf8,
		.encodes_nul = true,
		.line_max = HEADER_LINE_MAX,
		.charset = o->charset,
	};
}

void transit_done(struct transit *t)
{
	passage_done(&t->passage);
	str_done(&t->header);
	*t = (struct transit){ 0 };
}

/* ---- the header ------------------------------------------------------------
 */

/* Adds a field of a header that may be changed as it is to be sent. */
static void add_field(struct str *to, struct slice field, bool expand_tabs)
{
	struct str clean = STR_INIT;

	header_add_clean(&clean, field, expand_tabs);
	if (!header_add_folded(to, str_slice(&clean)))
		str_add(to, str_slice(&clean));
	str_done(&clean);
}

static void finish_header(struct transit *t, const struct transit_way *way)
{
	struct slice rest = passage_header(&t->passage);
	bool is_fixed = passage_is_untouchable(&t->passage);
	struct str edited = STR_INIT;
	struct header_field f;
	bool is_first = true;

	str_reserve(&t->header, rest.len + 80);
	while (header_next(&rest, &f)) {
		struct slice field = f.all;

		if (is_first && header_is(&f, "Received") &&
		    header_add_for_clause(&edited, field, way->only_recipient))
			field = str_slice(&edited);
		if (is_fixed)
			str_add(&t->header, field);
		else
			add_field(&t->header, field, way->options->expand_tabs);
		str_addc(&t->header, '\n');
		is_first &= header_is(&f, "Return-Path");
	}
	str_done(&edited);
}

/* ---- the plan --------------------------------------------------------------
 */

/* How long it is on the wire, without doubled dots. */
static int measure(struct transit *t, struct body *body, struct err *err)
{
	struct content c;
	struct str piece = STR_INIT;
	int r;

	content_begin(&c, str_slice(&t->header), body, false);
	content_convert(&c, &t->passage);
	do {
		str_clear(&piece);
		r = content_fill(&c, &piece, err);
	} while (r == 0);
	t->size = c.n_bytes;
	content_done(&c);
	str_done(&piece);
	return r < 0 ? -1 : 0;
}

int transit_plan(struct transit *t, const struct transit_way *way,
		 struct slice header, struct body *body, struct err *err)
{
	struct mime_channel channel = transit_channel(way);
	const struct glance *glance;
	const struct tree *tree;
	struct passage *p = &t->passage;

	transit_done(t);
	passage_begin(p, header);
	if (body_glance(body, channel.line_max, &glance, err) < 0)
		return -1;
	if (!passage_needs_closer_look(p, &channel, glance))
		passage_plan_glanced(p, glance, &channel);
	else if (body_tree(body, p, passage_needs_trials(p, &channel), &tree,
			   err) < 0)
		return -1;
	else
		passage_plan(p, tree, &channel);
	finish_header(t, way);
	if (t->header.len > header.len)
		t->more = t->header.len - header.len;
	t->is_8bit =
	    p->plan.message.sends_8bit || slice_has_8bit(str_slice(&t->header));
	t->is_binary = p->plan.sends_binary;
	t->is_utf8 = utf8_text_is_wide(str_slice(&t->header));
	return passage_converts_body(p) ? measure(t, body, err) : 0;
}

bool transit_is_unconvertible(const struct transit *t)
{
	return t->passage.plan.message.is_unconvertible;
}

const struct diag *transit_unconvertible(const struct transit *t,
					 struct arena *a)
{
	const struct mime_plan *m = &t->passage.plan.message;
	struct diag *d = ARENA_NEW(a, struct diag);

	d->fate = FATE_FAILED;
	d->reason = "unconvertible";
	d->status = SLICE("5.6.3 (Conversion required but not supported)");
	d->diagnostic = arena_printf(
	    a,
	    "x-local; 554 (8-bit content that must not be converted (%s), and "
	    "no 8BITMIME)",
	    mime_reason_word(m->reason));
	d->text = arena_printf(a,
			       "host does not offer 8BITMIME, and 8-bit "
			       "content must not be converted (%s)",
			       mime_reason_word(m->reason));
	return d;
}

const char *transit_mode(const struct transit *t)
{
	return mime_mode_word(t->passage.plan.message.mode);
}

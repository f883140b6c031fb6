/*
 * treeplan.c - what becomes of each part of a message on its way.
 *
 * Leaves are judged alone first. Then it is seen whether that makes the
 * message one that the channel takes; if not, all is taken back. What
 * contains the leaves is labelled last, from the inmost outward, and the
 * message's own header gets what its part got.
 */
#include "mime/treeplan.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "mime/base64.h"

#include <assert.h>
#include <stdlib.h>

/* What everything below is told. */
struct planner {
	const struct tree *tree;
	const struct mime_label *label;
	const struct mime_channel *channel;
	struct tree_plan *plan;
	bool is_7bit;
	bool is_blocked; /* 8-bit bytes must stay */
};

const char *part_action_word(enum part_action action)
{
	static const char *const words[] = {
		[PART_KEEP] = "keep",
		[PART_RELABEL] = "relabel",
		[PART_TO_QP] = "quoted-printable",
		[PART_TO_BASE64] = "base64",
		[PART_DECODE] = "decode",
		[PART_RAW] = "raw",
	};

	assert(action < COUNT(words));
	return words[action];
}

bool part_choice_edits_header(const struct part_choice *c)
{
	return c->encodes_header || c->folds_header;
}

bool tree_plan_needs_trials(const struct mime_label *label,
			    const struct mime_channel *channel)
{
	return channel->may_decode && !label->is_forced_qp;
}

bool tree_plan_needs(const struct mime_label *label,
		     const struct mime_channel *channel)
{
	return tree_plan_needs_trials(label, channel) ||
	       channel->takes_binary || label->encoding == CTE_BINARY ||
	       (mime_plan_needs(label, channel) & MIME_NEEDS_SCAN) != 0;
}

/* ---- leaves --------------------------------------------------------- */

/* Is it labelled binary, and would line ends that are made harm it? */
static bool is_binary(const struct part *p)
{
	return p->kind == PART_LEAF && p->encoding == CTE_BINARY &&
	       !p->is_text && p->facts.size > 0;
}

/* Why a text cannot be sent as it is, or MIME_IS_7BIT. */
static enum mime_reason want(const struct planner *pl,
			     const struct part_facts *f)
{
	const struct mime_channel *channel = pl->channel;

	if (f->has_8bit && pl->is_7bit)
		return MIME_HAS_8BIT;
	if (channel->line_max > 0 && f->longest > channel->line_max)
		return MIME_HAS_LONG_LINE;
	if (channel->encodes_nul && f->has_nul)
		return MIME_HAS_NUL;
	if (channel->encodes_cr && f->has_bare_cr)
		return MIME_HAS_CR;
	return MIME_IS_7BIT;
}

/* Quoted-printable or base64: the shorter one, or what people can read. */
static enum part_action choose_encoding(const struct part *p)
{
	uint64_t qp = part_qp_size(&p->facts);
	uint64_t base64 = part_base64_size(&p->facts);

	if (p->is_text)
		base64 += base64 / 4 + BASE64_LINE_MAX;
	return qp <= base64 ? PART_TO_QP : PART_TO_BASE64;
}

/* A leaf in a message without MIME header: the message gets one (RFC 1428). */
static void add_mime(const struct planner *pl, const struct part *p,
		     struct part_choice *c)
{
	if (p->has_version)
		return;
	c->action = PART_TO_QP;
	c->is_exact = false;
	c->adds_version = true;
	c->adds_type = !p->has_type || p->charset.len == 0;
	c->charset = p->facts.has_8bit ? charset_choose(p->facts.is_utf8,
							pl->channel->charset)
				       : SLICE("US-ASCII");
}

static void choose_leaf(const struct planner *pl, const struct part *p,
			struct part_choice *c)
{
	enum mime_reason why = want(pl, &p->facts);

	if (is_binary(p)) {
		bool stays = pl->channel->takes_binary &&
			     !(p->facts.has_8bit && pl->is_7bit);

		c->action = stays ? PART_RAW : PART_TO_BASE64;
		c->reason = stays ? MIME_CHANNEL_BINARY : MIME_HAS_BINARY;
		c->is_exact = true;
		return;
	}
	c->reason = why;
	if (why == MIME_IS_7BIT || !part_is_encodable(p, &c->reason))
		return;
	c->action = p->is_wide ? PART_TO_BASE64 : choose_encoding(p);
	c->is_exact = p->is_wide;
	add_mime(pl, p, c);
}

/* Why a leaf that could be decoded is not, or MIME_IS_7BIT if it is none. */
static void choose_decoding(const struct planner *pl, unsigned i,
			    struct part_choice *c)
{
	const struct part *p = &pl->tree->parts[i];

	if (!p->has_trial || !tree_plan_needs_trials(pl->label, pl->channel) ||
	    (i > 0 && pl->is_7bit))
		return;
	if (!p->has_type && i == 0)
		c->reason = MIME_NO_TYPE;
	else if (!pl->label->takes_remark)
		c->reason = MIME_NO_RECEIVED;
	else if (!p->is_fit)
		c->reason = MIME_UNFIT;
	else
		*c = (struct part_choice){ .action = PART_DECODE,
					   .reason = MIME_DECODED };
}

static void block(struct planner *pl, unsigned i, enum mime_reason why)
{
	if (pl->is_blocked)
		return;
	pl->is_blocked = true;
	pl->plan->message.reason = why;
	pl->plan->decisive = i;
}

/* Do 8-bit bytes stay that the channel does not take? Of part i alone. */
static void judge_stay(struct planner *pl, unsigned i)
{
	const struct part *p = &pl->tree->parts[i];
	struct part_choice *c = &pl->plan->choices[i];
	bool stays = c->action == PART_KEEP && p->facts.has_8bit;
	enum mime_reason why = MIME_IS_7BIT;

	if (!pl->is_7bit)
		return;
	if (stays && !part_is_encodable(p, &why))
		block(pl, i, why);
	if (i == 0 || !p->has_8bit_header)
		return;
	if (pl->channel->keeps_headers)
		c->reason = c->action == PART_KEEP ? MIME_KEPT : c->reason;
	else if (p->is_header_stuck)
		block(pl, i,
		      p->kind == PART_OPAQUE ? p->why : MIME_PART_HEADER);
	else
		c->encodes_header = true;
}

/* The header of a part that is known may be folded, if it is not the first. */
static bool folds_header(const struct planner *pl, unsigned i)
{
	const struct part *p = &pl->tree->parts[i];

	return i > 0 && p->kind != PART_OPAQUE && pl->channel->line_max > 0 &&
	       p->header_longest > pl->channel->line_max;
}

static void choose_one(struct planner *pl, unsigned i)
{
	struct part_choice *c = &pl->plan->choices[i];

	*c = (struct part_choice){ .reason = MIME_IS_7BIT };
	choose_leaf(pl, &pl->tree->parts[i], c);
	choose_decoding(pl, i, c);
	c->folds_header = folds_header(pl, i);
	judge_stay(pl, i);
}

/*
 * If 8-bit bytes must stay, nothing is done for their sake; but what would
 * not survive an 8-bit channel either (NULs, long lines) is seen to.
 */
static void choose(struct planner *pl)
{
	for (unsigned i = 0; i < pl->tree->n_parts; i++)
		choose_one(pl, i);
	if (!pl->is_blocked)
		return;
	pl->is_7bit = false;
	for (unsigned i = 0; i < pl->tree->n_parts; i++) {
		struct part_choice *c = &pl->plan->choices[i];
		enum mime_reason why = c->reason;

		choose_one(pl, i);
		if (c->action == PART_KEEP)
			c->reason = why;
	}
}

/* ---- what contains them --------------------------------------------- */

/* What a part's bytes are, as its label should say: 7bit, 8bit, binary. */
static enum cte content_of(const struct part *p, const struct part_choice *c)
{
	if (c->action == PART_TO_QP || c->action == PART_TO_BASE64)
		return CTE_7BIT;
	if (c->action == PART_RAW)
		return CTE_BINARY;
	if (c->action == PART_DECODE)
		return p->is_decoded_8bit ? CTE_8BIT : CTE_7BIT;
	if (p->kind == PART_OPAQUE && p->encoding == CTE_BINARY)
		return CTE_BINARY;
	return p->facts.has_8bit ? CTE_8BIT : CTE_7BIT;
}

static void relabel(struct part_choice *c, bool is_8bit)
{
	if (c->action != PART_KEEP)
		return;
	c->action = PART_RELABEL;
	c->reason = MIME_RELABEL;
	c->labels_8bit = is_8bit;
}

/*
 * Labels what would say something wrong: 8bit or binary where only 7-bit
 * bytes may go, binary where nothing is binary any more, and 7bit around what
 * was decoded. A wrong label that was there before is not ours to mend.
 */
static void label_part(struct planner *pl, unsigned i, enum cte content,
		       bool has_decoded, bool lost_binary)
{
	const struct part *p = &pl->tree->parts[i];
	struct part_choice *c = &pl->plan->choices[i];
	bool is_mime = p->has_version || !p->is_message;

	if (p->kind == PART_OPAQUE || !is_mime)
		return;
	if (pl->is_7bit && content == CTE_7BIT &&
	    (p->encoding == CTE_8BIT || p->encoding == CTE_BINARY))
		relabel(c, false);
	else if (p->kind == PART_LEAF)
		return;
	else if (has_decoded && content == CTE_8BIT && p->encoding == CTE_7BIT)
		relabel(c, true);
	else if (lost_binary && content != CTE_BINARY &&
		 p->encoding == CTE_BINARY)
		relabel(c, content == CTE_8BIT);
}

enum { CONTENT = 3, DECODED = 4, LOST_BINARY = 8 }; /* bits of a part */

/* From the last part back: those inside a part are all behind it. */
static void label_all(struct planner *pl)
{
	const struct tree *t = pl->tree;
	unsigned char *bits = mem_zero(t->n_parts, 1);

	static_assert(CTE_7BIT < CTE_8BIT && CTE_8BIT < CTE_BINARY &&
			  (int)CTE_BINARY <= (int)CONTENT,
		      "contents are ordered");
	for (unsigned i = t->n_parts; i-- > 0;) {
		const struct part *p = &t->parts[i];
		const struct part_choice *c = &pl->plan->choices[i];
		unsigned content = content_of(p, c), inner = bits[i] & CONTENT;
		unsigned marks = bits[i] & (DECODED | LOST_BINARY);
		unsigned outer = bits[p->parent];

		if (inner > content)
			content = inner;
		if (c->action == PART_DECODE)
			marks |= DECODED;
		if (c->reason == MIME_HAS_BINARY)
			marks |= LOST_BINARY;
		label_part(pl, i, (enum cte)content, marks & DECODED,
			   marks & LOST_BINARY);
		if (content < (outer & CONTENT))
			content = outer & CONTENT;
		outer &= DECODED | LOST_BINARY;
		bits[p->parent] = (unsigned char)(outer | marks | content);
	}
	free(bits);
}

/* ---- the message ---------------------------------------------------- */

/* The first part whose body is changed, else whose label or header is. */
static bool find_changed(const struct tree_plan *plan, unsigned *ret)
{
	bool is_found = false;

	for (unsigned i = plan->n_choices; i-- > 0;) {
		const struct part_choice *c = &plan->choices[i];
		bool is_body = c->action >= PART_TO_QP && c->action != PART_RAW;

		if (is_body)
			*ret = i;
		is_found |= is_body;
	}
	for (unsigned i = plan->n_choices; i-- > 0 && !is_found;) {
		const struct part_choice *c = &plan->choices[i];

		if (c->action == PART_RELABEL || part_choice_edits_header(c))
			*ret = i;
	}
	return is_found || *ret < plan->n_choices;
}

/* The first part that should have been changed and could not. */
static unsigned find_refused(const struct planner *pl)
{
	for (unsigned i = 0; i < pl->tree->n_parts; i++) {
		const struct part *p = &pl->tree->parts[i];
		enum mime_reason why = pl->plan->choices[i].reason;

		if (want(pl, &p->facts) != MIME_IS_7BIT || why == MIME_UNFIT ||
		    why == MIME_NO_RECEIVED || why == MIME_CHANNEL_BINARY ||
		    why == MIME_KEPT)
			return i;
	}
	return 0;
}

static bool sends_8bit(const struct planner *pl)
{
	for (unsigned i = 0; i < pl->tree->n_parts; i++) {
		const struct part *p = &pl->tree->parts[i];
		const struct part_choice *c = &pl->plan->choices[i];

		if (i > 0 && p->has_8bit_header && !c->encodes_header)
			return true;
		if (c->action == PART_TO_QP || c->action == PART_TO_BASE64)
			continue;
		if (c->action == PART_DECODE ? p->is_decoded_8bit
					     : p->facts.has_8bit)
			return true;
	}
	return false;
}

/* The facts as mime_plan_make() wants them. */
static struct scan to_scan(const struct part_facts *f)
{
	return (struct scan){
		.size = f->size,
		.longest = f->longest,
		.has_8bit = f->has_8bit,
		.has_nul = f->has_nul,
		.has_crlf = f->has_crlf,
		.has_bare_cr = f->has_bare_cr,
		.is_utf8 = f->is_utf8,
	};
}

static struct qp_decoder to_trial(const struct part *p)
{
	struct qp_decoder trial;

	qp_decode_begin(&trial);
	trial.unfit = p->unfit;
	trial.size = p->decoded_size;
	trial.has_8bit = p->is_decoded_8bit;
	return trial;
}

/* The edits of the message's header that its own part's choice asks for. */
static void set_mode(struct mime_plan *m, const struct part_choice *c)
{
	static const enum mime_mode modes[] = {
		[PART_KEEP] = MIME_PARTS,  [PART_RELABEL] = MIME_PARTS,
		[PART_TO_QP] = MIME_QP,	   [PART_TO_BASE64] = MIME_BASE64,
		[PART_DECODE] = MIME_8BIT, [PART_RAW] = MIME_NONE,
	};

	m->mode = modes[c->action];
	m->relabels_7bit = c->action == PART_RELABEL && !c->labels_8bit;
	m->relabels_8bit = c->action == PART_RELABEL && c->labels_8bit;
	m->labels_ascii = false;
	m->edits_header = m->converts_headers || m->mode != MIME_NONE;
}

/* A message that is one leaf: what mime_plan_make() says holds where it can. */
static void settle_leaf(struct planner *pl)
{
	struct mime_plan *m = &pl->plan->message;
	struct part_choice *c = &pl->plan->choices[0];

	if (m->mode == MIME_QP && c->action == PART_TO_BASE64) {
		m->mode = MIME_BASE64;
	} else if (m->mode == MIME_NONE && !m->relabels_7bit &&
		   c->action != PART_KEEP) {
		m->reason = c->reason;
		set_mode(m, c);
		if (c->action == PART_RELABEL)
			m->mode = MIME_NONE;
	}
	if (m->mode == MIME_UNKNOWN)
		c->action = PART_TO_QP;
	c->reason = m->reason;
	c->adds_version = c->adds_type = false; /* the header's plan says it */
}

static void settle_parts(struct planner *pl)
{
	struct tree_plan *plan = pl->plan;
	struct mime_plan *m = &plan->message;
	unsigned at = plan->n_choices;

	if (find_changed(plan, &at)) {
		set_mode(m, &plan->choices[0]);
		m->reason = plan->choices[at].reason;
		if (plan->choices[at].action == PART_KEEP) /* its header */
			m->reason = plan->choices[at].encodes_header
					? MIME_HAS_8BIT
					: MIME_HAS_LONG_LINE;
	} else {
		at = find_refused(pl);
		if (plan->choices[at].reason != MIME_IS_7BIT)
			m->reason = plan->choices[at].reason;
	}
	plan->decisive = at;
}

/* 8-bit bytes stay; the reason is known, and the part that gave it. */
static void settle_blocked(struct planner *pl)
{
	struct mime_plan *m = &pl->plan->message;
	unsigned at = pl->plan->n_choices;

	m->mode = MIME_NONE;
	m->relabels_7bit = m->labels_ascii = m->sets_type = false;
	m->adds_warning = false;
	m->edits_header = m->converts_headers;
	if (find_changed(pl->plan, &at))
		set_mode(m, &pl->plan->choices[0]);
}

void tree_plan_make(const struct tree *t, const struct mime_label *label,
		    const struct mime_channel *channel, struct tree_plan *ret)
{
	struct part_facts facts = tree_facts(t);
	struct scan scan = to_scan(&facts);
	struct qp_decoder trial = to_trial(&t->parts[0]);
	struct tree_plan plan = { .n_choices = t->n_parts };
	struct planner pl = { t,
			      label,
			      channel,
			      &plan,
			      mime_is_7bit_channel(label, channel),
			      false };
	struct mime_plan *m = &plan.message;

	plan.choices = mem_zero(t->n_parts, sizeof(*plan.choices));
	mime_plan_make(label, channel, &scan, &trial, m);
	choose(&pl);
	label_all(&pl);
	if (pl.is_blocked)
		settle_blocked(&pl);
	else if (t->n_parts == 1 && t->parts[0].kind == PART_LEAF)
		settle_leaf(&pl);
	else
		settle_parts(&pl);
	for (unsigned i = 0; i < t->n_parts; i++)
		plan.sends_binary |= plan.choices[i].action == PART_RAW;
	m->sends_8bit = sends_8bit(&pl);
	m->is_unconvertible = pl.is_blocked;
	*ret = plan;
}

void tree_plan_done(struct tree_plan *p)
{
	free(p->choices);
	*p = (struct tree_plan){ 0 };
}

/* ---- in words ------------------------------------------------------- */

static const char *cte_word(enum cte encoding)
{
	static const char *const words[] = {
		[CTE_7BIT] = "7bit",	 [CTE_8BIT] = "8bit",
		[CTE_BINARY] = "binary", [CTE_QP] = "quoted-printable",
		[CTE_BASE64] = "base64", [CTE_OTHER] = "other",
	};

	return words[encoding];
}

void tree_plan_print(struct str *to, const struct tree *t,
		     const struct tree_plan *p, unsigned part)
{
	const struct part *at = &t->parts[part];
	const struct part_choice *c = &p->choices[part];

	str_addf(to, "%u ", part);
	if (at->type.len > 0) {
		str_add_clean(to, at->type, SIZE_MAX);
		str_addc(to, '/');
		str_add_clean(to, at->subtype, SIZE_MAX);
	} else {
		str_adds(to, at->has_type ? "?" : "text/plain");
	}
	str_addf(to, " %s %s%s (%s)", cte_word(at->encoding),
		 part_action_word(c->action),
		 part_choice_edits_header(c) ? "+header" : "",
		 mime_reason_word(c->reason));
}

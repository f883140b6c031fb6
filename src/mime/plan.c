/*
 * plan.c - which conversions a message gets, and why.
 *
 * First it is asked what the content and the channel call for, then whether
 * that may and can be done. The last answer is the reason, so that a message
 * that needed nothing is never said to have been refused.
 */
#include "mime/plan.h"

#include "base/keyword.h"
#include "mime/header.h"

#include <assert.h>

const char *mime_mode_word(enum mime_mode mode)
{
	static const char *const words[] = {
		[MIME_NONE] = "NONE",	  [MIME_QP] = "QP",
		[MIME_8BIT] = "8BIT",	  [MIME_UNKNOWN] = "UNKNOWN",
		[MIME_BASE64] = "BASE64", [MIME_PARTS] = "MPQP",
	};

	assert(mode < COUNT(words));
	return words[mode];
}

const char *mime_reason_word(enum mime_reason reason)
{
	static const char *const words[] = {
		[MIME_IS_7BIT] = "7bit",
		[MIME_CHANNEL_8BIT] = "channel-8bit",
		[MIME_IS_ENCODED] = "encoded",
		[MIME_HAS_8BIT] = "8bit",
		[MIME_HAS_LONG_LINE] = "long-line",
		[MIME_HAS_NUL] = "nul",
		[MIME_HAS_CR] = "bare-cr",
		[MIME_DECODED] = "decoded",
		[MIME_RELABEL] = "relabelled",
		[MIME_DKIM] = "dkim",
		[MIME_ARC] = "arc",
		[MIME_SIGNED] = "signed",
		[MIME_ENCRYPTED] = "encrypted",
		[MIME_SMIME] = "smime",
		[MIME_PROHIBITED] = "prohibited",
		[MIME_KEPT] = "kept",
		[MIME_MULTIPART] = "multipart",
		[MIME_NOT_TEXT] = "not-text-plain",
		[MIME_BAD_TYPE] = "bad-content-type",
		[MIME_AMBIGUOUS] = "ambiguous",
		[MIME_BAD_ENCODING] = "other-encoding",
		[MIME_NO_VERSION] = "no-mime-version",
		[MIME_NO_TYPE] = "no-content-type",
		[MIME_NO_RECEIVED] = "no-received",
		[MIME_UNFIT] = "undecodable",
		[MIME_HAS_BINARY] = "binary",
		[MIME_CHANNEL_BINARY] = "channel-binary",
		[MIME_BAD_HEADER] = "bad-part-header",
		[MIME_BAD_BOUNDARY] = "bad-boundary",
		[MIME_NO_PARTS] = "no-parts",
		[MIME_TOO_DEEP] = "too-deep",
		[MIME_TOO_MANY] = "too-many-parts",
		[MIME_MESSAGE] = "other-message",
		[MIME_BETWEEN] = "8bit-between-parts",
		[MIME_PART_HEADER] = "8bit-part-header",
	};

	static_assert(COUNT(words) == MIME_N_REASONS, "a word for each");
	assert(reason < COUNT(words));
	return words[reason];
}

/* ---- the label ------------------------------------------------------ */

static void forbid(struct mime_label *label, enum mime_reason why)
{
	if (label->is_untouchable)
		return;
	label->is_untouchable = true;
	label->why_untouchable = why;
}

struct untouchable {
	const char *type, *subtype;
	enum mime_reason why;
};

/* Types whose bytes somebody vouches for (RFC 1847, RFC 8551). */
static void judge_type(struct mime_label *label)
{
	static const struct untouchable rows[] = {
		{ "multipart", "signed", MIME_SIGNED },
		{ "multipart", "encrypted", MIME_ENCRYPTED },
		{ "application", "pkcs7-mime", MIME_SMIME },
		{ "application", "x-pkcs7-mime", MIME_SMIME },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (ctype_is(&label->type, rows[i].type, rows[i].subtype))
			forbid(label, rows[i].why);
}

static void read_type(struct mime_label *label, struct slice body)
{
	struct ctype type = { 0 };
	bool is_read = ctype_parse(body, &type);

	if (label->has_type) {
		label->is_ambiguous = true;
	} else {
		label->has_type = true;
		label->is_type_read = is_read;
		label->type = type;
	}
	if (is_read) {
		struct mime_label other = { .type = type };

		judge_type(&other);
		if (other.is_untouchable)
			forbid(label, other.why_untouchable);
	}
}

static void read_conversion(struct mime_label *label, struct slice body)
{
	struct slice word;

	if (!slice_word(&body, &word))
		return;
	if (slice_eq_nocase(word, SLICE("prohibited")))
		forbid(label, MIME_PROHIBITED);
	else if (slice_eq_nocase(word, SLICE("forced-qp")))
		label->is_forced_qp = true;
}

static void read_field(struct mime_label *label, const struct header_field *f)
{
	if (header_is(f, "DKIM-Signature"))
		forbid(label, MIME_DKIM);
	else if (slice_starts_nocase(f->name, SLICE("ARC-")))
		forbid(label, MIME_ARC);
	else if (header_is(f, "MIME-Version"))
		label->has_version = true;
	else if (header_is(f, "Content-Type"))
		read_type(label, f->body);
	else if (header_is(f, "Content-Conversion"))
		read_conversion(label, f->body);
	else if (header_is(f, "Content-Transfer-Encoding")) {
		label->is_ambiguous |= label->has_encoding;
		label->has_encoding = true;
		label->encoding = cte_parse(f->body, NULL);
	}
	label->has_8bit_header |= slice_has_8bit(f->all);
}

void mime_label_read(struct mime_label *ret, struct slice header)
{
	struct header_field f;
	bool is_first = true;

	*ret = (struct mime_label){ .encoding = CTE_7BIT };
	while (header_next(&header, &f)) {
		if (is_first && !header_is(&f, "Return-Path")) {
			is_first = false;
			ret->takes_remark = header_is(&f, "Received") &&
					    header_takes_remark(f.all);
		}
		read_field(ret, &f);
	}
}

/* ---- what is called for --------------------------------------------- */

bool mime_is_7bit_channel(const struct mime_label *label,
			  const struct mime_channel *channel)
{
	return !channel->is_8bit_clean &&
	       (!channel->takes_8bit || label->is_forced_qp);
}

/* Is decoding called for? */
static bool wants_decoding(const struct mime_label *label,
			   const struct mime_channel *channel)
{
	return channel->may_decode && !label->is_forced_qp &&
	       label->has_version && label->encoding == CTE_QP;
}

/* Why encoding is called for, or MIME_IS_7BIT if it is not. */
static enum mime_reason want_encoding(const struct mime_label *label,
				      const struct mime_channel *channel,
				      const struct scan *scan)
{
	if (scan == NULL)
		return MIME_IS_7BIT;
	if (scan->has_8bit && mime_is_7bit_channel(label, channel))
		return MIME_HAS_8BIT;
	if (channel->line_max > 0 && scan->longest > channel->line_max)
		return MIME_HAS_LONG_LINE;
	if (channel->encodes_nul && scan->has_nul)
		return MIME_HAS_NUL;
	if (channel->encodes_cr && scan->has_bare_cr)
		return MIME_HAS_CR;
	return MIME_IS_7BIT;
}

/* Why nothing was called for. */
static enum mime_reason why_idle(const struct mime_label *label,
				 const struct scan *scan)
{
	bool is_encoded =
	    label->encoding == CTE_QP || label->encoding == CTE_BASE64;

	if (label->has_version && is_encoded)
		return MIME_IS_ENCODED;
	return scan == NULL || scan->has_8bit ? MIME_CHANNEL_8BIT
					      : MIME_IS_7BIT;
}

/* ---- what may and can be done --------------------------------------- */

/* No Content-Type means text/plain, and so did "text" before MIME. */
bool mime_label_is_plain(const struct mime_label *label)
{
	return !label->has_type || ctype_is(&label->type, "text", "plain") ||
	       (!label->has_version && ctype_is(&label->type, "text", ""));
}

static bool is_composite(const struct mime_label *label)
{
	return slice_eq_nocase(label->type.type, SLICE("multipart")) ||
	       slice_eq_nocase(label->type.type, SLICE("message"));
}

/* Why the text cannot be converted at all, or MIME_IS_7BIT. */
static enum mime_reason why_not(const struct mime_label *label)
{
	if (label->is_untouchable)
		return label->why_untouchable;
	if (label->is_ambiguous)
		return MIME_AMBIGUOUS;
	if (label->has_type && !label->is_type_read)
		return MIME_BAD_TYPE;
	if (!mime_label_is_plain(label))
		return is_composite(label) ? MIME_MULTIPART : MIME_NOT_TEXT;
	return MIME_IS_7BIT;
}

static enum mime_reason why_not_encode(const struct mime_label *label)
{
	enum mime_reason why = why_not(label);

	if (why != MIME_IS_7BIT || label->encoding == CTE_7BIT ||
	    label->encoding == CTE_8BIT)
		return why;
	if (!label->has_version)
		return label->encoding == CTE_BINARY ? why : MIME_NO_VERSION;
	return label->encoding == CTE_QP ? MIME_IS_ENCODED : MIME_BAD_ENCODING;
}

/* As far as the header tells. */
static enum mime_reason why_not_decode(const struct mime_label *label)
{
	enum mime_reason why = why_not(label);

	if (why != MIME_IS_7BIT)
		return why;
	if (!label->has_type)
		return MIME_NO_TYPE;
	return label->takes_remark ? MIME_IS_7BIT : MIME_NO_RECEIVED;
}

unsigned mime_plan_needs(const struct mime_label *label,
			 const struct mime_channel *channel)
{
	unsigned needs = 0;

	if (mime_is_7bit_channel(label, channel) || channel->line_max > 0 ||
	    channel->encodes_nul || channel->encodes_cr)
		needs |= MIME_NEEDS_SCAN;
	if (wants_decoding(label, channel) &&
	    why_not_decode(label) == MIME_IS_7BIT)
		needs |= MIME_NEEDS_TRIAL;
	return needs;
}

/* ---- the plan ------------------------------------------------------- */

/* Is there a charset that all ASCII text is also in? */
static bool has_ascii_superset(const struct mime_label *label)
{
	struct ctype_param charset;
	struct str name = STR_INIT;
	struct slice s;
	bool is_superset;

	if (!label->has_type || !ctype_find(&label->type, "charset", &charset))
		return false;
	ctype_add_value(&name, charset.value);
	s = str_slice(&name);
	is_superset = slice_starts_nocase(s, SLICE("ISO-8859")) ||
		      slice_starts_nocase(s, SLICE("KOI8")) ||
		      slice_eq_nocase(s, SLICE("UTF-8"));
	str_done(&name);
	return is_superset;
}

/* Labelled 8bit, and there is nothing 8-bit about it. */
static void plan_relabel(struct mime_plan *plan, const struct mime_label *label)
{
	if (label->encoding != CTE_8BIT || !label->has_version ||
	    why_not(label) != MIME_IS_7BIT)
		return;
	plan->reason = MIME_RELABEL;
	plan->relabels_7bit = true;
	plan->labels_ascii = has_ascii_superset(label);
}

static void plan_encode(struct mime_plan *plan, const struct mime_label *label,
			const struct mime_channel *channel,
			const struct scan *scan)
{
	struct ctype_param charset;
	bool is_labelled = label->has_type && label->type.is_sound &&
			   ctype_find(&label->type, "charset", &charset);

	plan->mode = label->has_version ? MIME_QP : MIME_UNKNOWN;
	plan->charset = scan->has_8bit
			    ? charset_choose(scan->is_utf8, channel->charset)
			    : SLICE("US-ASCII");
	if (label->has_version)
		plan->sets_type = !label->has_type && scan->has_8bit;
	else
		plan->sets_type = !is_labelled;
	plan->adds_warning =
	    !label->has_version && scan->has_8bit && !channel->omits_warning;
}

static void plan_decode(struct mime_plan *plan, const struct mime_label *label,
			const struct qp_decoder *trial)
{
	plan->reason = why_not_decode(label);
	if (plan->reason != MIME_IS_7BIT)
		return;
	assert(trial != NULL);
	if (!qp_decode_is_fit(trial)) {
		plan->reason = MIME_UNFIT;
		plan->unfit = trial->unfit;
		return;
	}
	plan->mode = MIME_8BIT;
	plan->reason = MIME_DECODED;
}

static void plan_headers(struct mime_plan *plan, const struct mime_label *label,
			 const struct mime_channel *channel)
{
	if (!label->has_8bit_header)
		plan->header_reason = MIME_IS_7BIT;
	else if (label->is_untouchable)
		plan->header_reason = label->why_untouchable;
	else if (channel->keeps_headers)
		plan->header_reason = MIME_KEPT;
	else
		plan->header_reason = MIME_HAS_8BIT;
	plan->converts_headers = plan->header_reason == MIME_HAS_8BIT;
	plan->header_charset = channel->charset;
	plan->edits_header = plan->mode != MIME_NONE || plan->relabels_7bit ||
			     plan->converts_headers;
}

void mime_plan_make(const struct mime_label *label,
		    const struct mime_channel *channel, const struct scan *scan,
		    const struct qp_decoder *trial, struct mime_plan *ret)
{
	struct mime_plan plan = { .is_narrow = channel->is_narrow };
	enum mime_reason want = want_encoding(label, channel, scan);
	bool has_8bit = scan != NULL && scan->has_8bit;
	bool is_7bit = mime_is_7bit_channel(label, channel);

	assert(scan != NULL ||
	       !(mime_plan_needs(label, channel) & MIME_NEEDS_SCAN));
	if (wants_decoding(label, channel)) {
		plan_decode(&plan, label, trial);
	} else if (want != MIME_IS_7BIT) {
		plan.reason = why_not_encode(label);
		if (plan.reason == MIME_IS_7BIT) {
			plan.reason = want;
			plan_encode(&plan, label, channel, scan);
		}
	} else {
		plan.reason = why_idle(label, scan);
		if (is_7bit)
			plan_relabel(&plan, label);
	}
	if (plan.mode == MIME_NONE)
		plan.sends_8bit = has_8bit;
	else if (plan.mode == MIME_8BIT)
		plan.sends_8bit = trial->has_8bit;
	plan.is_unconvertible = plan.mode == MIME_NONE && has_8bit && is_7bit;
	plan_headers(&plan, label, channel);
	*ret = plan;
}

/*
 * convert.c - carrying out a plan.
 *
 * Each field goes through two steps: the edit that the plan's mode asks for,
 * then encoded-words. What is added by the mode comes behind the first field
 * or at the end.
 */
#include "mime/convert.h"

#include "base/keyword.h"
#include "mime/header.h"
#include "mime/rfc2231.h"

#include <assert.h>

void convert_clean_header(struct str *to, struct slice header, bool expand_tabs)
{
	struct header_field f;

	while (header_next(&header, &f)) {
		size_t before = to->len;

		header_add_clean(to, f.all, expand_tabs);
		if (to->len > before)
			str_addc(to, '\n');
	}
}

/* ---- the header ----------------------------------------------------- */

/* What the new Content-Transfer-Encoding says; NULL: it stays. */
static const char *encoding_word(const struct mime_plan *plan)
{
	switch (plan->mode) {
	case MIME_QP:
	case MIME_UNKNOWN:
		return "QUOTED-PRINTABLE";
	case MIME_8BIT:
		return "8BIT";
	case MIME_BASE64:
		return "BASE64";
	case MIME_NONE:
	case MIME_PARTS:
		break;
	}
	if (plan->relabels_8bit)
		return "8BIT";
	return plan->relabels_7bit ? "7BIT" : NULL;
}

static struct slice remark(const struct mime_plan *plan)
{
	if (plan->mode == MIME_QP)
		return SLICE("(convert rfc822-to-quoted-printable)");
	if (plan->mode == MIME_BASE64)
		return SLICE("(convert rfc822-to-base64)");
	if (plan->mode == MIME_8BIT || plan->relabels_8bit)
		return SLICE("(convert rfc822-to-8bit)");
	if (plan->mode == MIME_PARTS && !plan->sends_8bit)
		return SLICE("(convert rfc822-to-7bit)");
	if (plan->mode == MIME_PARTS)
		return SLICE("(convert rfc822-to-8bit)");
	return (struct slice){ 0 };
}

/* Is the field replaced by one of ours? */
static bool is_dropped(const struct mime_plan *plan,
		       const struct header_field *f)
{
	if (header_is(f, "Content-Type"))
		return plan->sets_type;
	return plan->mode == MIME_UNKNOWN &&
	       (header_is(f, "MIME-Version") ||
		header_is(f, "Content-Transfer-Encoding"));
}

/* Adds a field as the mode wants it; false: it stays as it is. */
static bool edit_field(struct str *to, const struct header_field *f,
		       const struct mime_plan *plan, bool is_first)
{
	struct slice name = slice_head(f->all, (size_t)(f->body.p - f->all.p));

	if (is_first && header_is(f, "Received") && remark(plan).len > 0)
		return header_add_remark(to, f->all, remark(plan));
	if (header_is(f, "Content-Transfer-Encoding") &&
	    encoding_word(plan) != NULL) {
		str_add(to, name);
		cte_set(to, f->body, encoding_word(plan));
		return true;
	}
	if (header_is(f, "Content-Type") && plan->labels_ascii) {
		str_add(to, name);
		ctype_set(to, f->body, "charset", SLICE("US-ASCII"));
		return true;
	}
	return false;
}

static void add_field(struct str *to, const struct header_field *f,
		      const struct mime_plan *plan, bool is_first)
{
	struct str edited = STR_INIT;
	struct slice text = f->all;

	if (edit_field(&edited, f, plan, is_first))
		text = str_slice(&edited);
	if (!plan->converts_headers ||
	    !rfc2231_encode_field(to, text, plan->header_charset))
		str_add(to, text);
	str_addc(to, '\n');
	str_done(&edited);
}

static void add_type(struct str *to, const struct mime_plan *plan)
{
	str_addf(to, "Content-Type: TEXT/PLAIN; charset=%.*s\n",
		 SLICE_ARG(plan->charset));
}

static void add_encoding(struct str *to, const struct mime_plan *plan)
{
	str_addf(to, "Content-Transfer-Encoding: %s\n", encoding_word(plan));
}

/* The header that mail without one gets (RFC 1428). */
static void add_mime_fields(struct str *to, const struct mime_plan *plan)
{
	if (plan->adds_warning)
		str_adds(to, "X-Warning: 8-bit text without MIME header; "
			     "labelled and encoded on its way\n");
	str_adds(to, "MIME-Version: 1.0\n");
	add_encoding(to, plan);
	if (plan->sets_type)
		add_type(to, plan);
}

static bool is_encoded(const struct mime_plan *plan)
{
	return plan->mode == MIME_QP || plan->mode == MIME_BASE64;
}

/* Must there be a Content-Transfer-Encoding? Without one it is 7bit. */
static bool needs_encoding(const struct mime_plan *plan)
{
	return is_encoded(plan) || plan->relabels_8bit;
}

void convert_header(struct str *to, struct slice header,
		    const struct mime_plan *plan)
{
	bool is_first = true, has_encoding = false;
	bool has_mime_fields = plan->mode != MIME_UNKNOWN;
	struct header_field f;

	while (header_next(&header, &f)) {
		bool is_counted = !header_is(&f, "Return-Path");

		if (!is_dropped(plan, &f))
			add_field(to, &f, plan, is_first);
		has_encoding |= header_is(&f, "Content-Transfer-Encoding");
		if (is_counted && is_first && !has_mime_fields) {
			add_mime_fields(to, plan);
			has_mime_fields = true;
		}
		is_first &= !is_counted;
	}
	if (!has_mime_fields)
		add_mime_fields(to, plan);
	if (plan->mode == MIME_UNKNOWN)
		return;
	if (needs_encoding(plan) && !has_encoding)
		add_encoding(to, plan);
	if (is_encoded(plan) && plan->sets_type)
		add_type(to, plan);
}

/* ---- the body ------------------------------------------------------- */

void convert_body_begin(struct convert_body *b, const struct mime_plan *plan)
{
	b->mode = plan->mode;
	assert(plan->mode != MIME_PARTS); /* mime/treeconv.h does that */
	if (plan->mode == MIME_8BIT)
		qp_decode_begin(&b->decoder);
	else if (plan->mode == MIME_BASE64)
		base64_encode_begin(&b->base64, true);
	else
		qp_encode_begin(&b->encoder, plan->is_narrow);
}

void convert_body_push(struct convert_body *b, struct slice in, struct str *out)
{
	if (b->mode == MIME_NONE)
		str_add(out, in);
	else if (b->mode == MIME_8BIT)
		qp_decode_push(&b->decoder, in, out);
	else if (b->mode == MIME_BASE64)
		base64_encode_push(&b->base64, in, out);
	else
		qp_encode_push(&b->encoder, in, out);
}

void convert_body_end(struct convert_body *b, struct str *out)
{
	if (b->mode == MIME_8BIT)
		qp_decode_end(&b->decoder, out);
	else if (b->mode == MIME_BASE64)
		base64_encode_end(&b->base64, out);
	else if (b->mode != MIME_NONE)
		qp_encode_end(&b->encoder, out);
}

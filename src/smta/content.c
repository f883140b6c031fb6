/*
 * content.c - a job's body, and what becomes of header and body on the way
 * to a mailer.
 */
#include "smta/content.h"

#include "mime/convert.h"
#include "smta/flags.h"

/* ---- the body ---------------------------------------------------------- */

void content_begin(struct content *c, const struct content_source *source)
{
	*c = (struct content){ .source = *source };
}

void content_done(struct content *c)
{
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

/* ---- facts about it ---------------------------------------------------- */

/* Finds out what is needed (MIME_NEEDS_...) and not known, in one pass. */
static int learn(struct content *c, unsigned needs, struct err *err)
{
	bool scan = (needs & MIME_NEEDS_SCAN) != 0 && !c->has_scan;
	bool trial = (needs & MIME_NEEDS_TRIAL) != 0 && !c->has_trial;
	struct slice bytes = { 0 };

	if (!scan && !trial)
		return 0;
	if (scan)
		scan_begin(&c->scan);
	if (trial)
		qp_decode_begin(&c->trial);
	content_rewind(c);
	do {
		if (next_bytes(c, &bytes, err) < 0)
			return -1;
		if (scan)
			scan_push(&c->scan, bytes);
		if (trial)
			qp_decode_push(&c->trial, bytes, NULL);
	} while (bytes.len > 0);
	if (scan)
		scan_end(&c->scan);
	if (trial)
		qp_decode_end(&c->trial, NULL);
	c->has_scan |= scan;
	c->has_trial |= trial;
	return 0;
}

/* How large it is quoted-printable: a pass of its own. */
static int learn_encoded_size(struct content *c, const struct mime_plan *plan,
			      struct err *err)
{
	struct convert_body body;
	struct str out = STR_INIT;
	struct slice bytes = { 0 };
	int r;

	if (c->has_encoded_size)
		return 0;
	c->encoded_size = 0;
	convert_body_begin(&body, plan);
	content_rewind(c);
	do {
		str_clear(&out);
		r = next_bytes(c, &bytes, err);
		if (r == 0 && bytes.len > 0)
			convert_body_push(&body, bytes, &out);
		else if (r == 0)
			convert_body_end(&body, &out);
		c->encoded_size += out.len;
	} while (r == 0 && bytes.len > 0);
	c->has_encoded_size = r == 0;
	str_done(&out);
	return r;
}

/* ---- the plan ---------------------------------------------------------- */

static int add_growth(struct content *c, size_t clean_len,
		      struct content_plan *p, struct err *err)
{
	uint64_t sent = c->source.size;

	if (p->mime.mode == MIME_8BIT) {
		sent = c->trial.size;
	} else if (p->mime.mode != MIME_NONE) {
		if (learn_encoded_size(c, &p->mime, err) < 0)
			return -1;
		sent = c->encoded_size;
	}
	p->growth = (int64_t)sent - (int64_t)c->source.size;
	if (p->mime.edits_header)
		p->growth += (int64_t)p->header.len - (int64_t)clean_len;
	return 0;
}

/* Plans with a header that is clean; adds what is sent instead of it. */
static int plan_clean(struct content *c, const struct content_wish *wish,
		      struct slice header, struct content_plan *p,
		      struct err *err)
{
	struct mime_channel channel = {
		.takes_8bit = (wish->flags & SMTA_8BIT) != 0,
		.may_decode = (wish->flags & SMTA_DECODE) != 0,
		.is_narrow = wish->is_narrow,
		.keeps_headers = wish->keeps_headers,
		.charset = wish->charset,
	};
	bool tells_size = (wish->flags & SMTA_BSMTP_SIZE) != 0;
	struct mime_label label;
	unsigned needs;

	mime_label_read(&label, header);
	p->is_untouchable = label.is_untouchable;
	needs = mime_plan_needs(&label, &channel);
	if (tells_size && channel.takes_8bit)
		needs |= MIME_NEEDS_SCAN; /* for BODY= */
	if (learn(c, needs, err) < 0)
		return -1;
	mime_plan_make(&label, &channel, c->has_scan ? &c->scan : NULL,
		       c->has_trial ? &c->trial : NULL, &p->mime);
	if (p->mime.edits_header)
		convert_header(&p->header, header, &p->mime);
	p->sends_8bit =
	    (p->mime.sends_8bit && !(wish->flags & SMTA_STRIP8)) ||
	    slice_has_8bit(p->mime.edits_header ? str_slice(&p->header)
						: header);
	return tells_size ? add_growth(c, header.len, p, err) : 0;
}

int content_make_plan(struct content *c, const struct content_wish *wish,
		      struct slice header, struct content_plan *ret,
		      struct err *err)
{
	struct content_plan p = { 0 };
	struct str clean = STR_INIT;
	int r = load_small(c, err);

	if (r == 0) {
		convert_clean_header(&clean, header, wish->expand_tabs);
		r = plan_clean(c, wish, str_slice(&clean), &p, err);
	}
	str_done(&clean);
	content_rewind(c);
	if (r < 0)
		content_plan_done(&p);
	else
		*ret = p;
	return r;
}

void content_plan_done(struct content_plan *p)
{
	str_done(&p->header);
	*p = (struct content_plan){ 0 };
}

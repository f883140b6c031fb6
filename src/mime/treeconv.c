/*
 * treeconv.c - a message's body, converted part by part while it passes.
 *
 * The table of parts is walked along with the bytes. Up to the next part of
 * which something is changed all bytes pass; then comes its header, if that
 * is edited, then its body. What is inside a part comes behind it in the
 * table, so one index is enough.
 */
#include "mime/treeconv.h"

#include "mime/header.h"
#include "mime/rfc2231.h"

#include <assert.h>

/* ---- where the states change ---------------------------------------- */

static const struct part *part_at(const struct treeconv *c)
{
	return &c->tree->parts[c->part];
}

static const struct part_choice *choice_at(const struct treeconv *c)
{
	return &c->plan->choices[c->part];
}

/* Is the header in the body, and edited? The message's own is not. */
static bool edits_header(const struct part_choice *choice, unsigned part)
{
	return part > 0 &&
	       (part_choice_edits_header(choice) ||
		(choice->action != PART_KEEP && choice->action != PART_RAW));
}

static bool changes_body(const struct part_choice *choice)
{
	return choice->action != PART_KEEP && choice->action != PART_RELABEL;
}

/* Passes bytes up to the next part, from c->part on, that changes. */
static void pass(struct treeconv *c)
{
	const struct tree_plan *plan = c->plan;

	c->state = TREECONV_PASS;
	c->next = UINT64_MAX;
	while (c->part < plan->n_choices &&
	       !edits_header(choice_at(c), c->part) &&
	       !changes_body(choice_at(c)))
		c->part++;
	if (c->part < plan->n_choices)
		c->next = edits_header(choice_at(c), c->part)
			      ? part_at(c)->begin
			      : part_at(c)->body;
}

static void begin_body(struct treeconv *c)
{
	if (!changes_body(choice_at(c))) {
		c->part++;
		pass(c);
		return;
	}
	c->state = TREECONV_BODY;
	c->next = part_at(c)->end;
	switch (choice_at(c)->action) {
	case PART_TO_QP:
		qp_encode_begin(&c->encoder, c->plan->message.is_narrow);
		c->encoder.hides_dashes = c->part > 0;
		break;
	case PART_TO_BASE64:
		base64_encode_begin(&c->base64, !choice_at(c)->is_exact);
		break;
	case PART_DECODE:
		qp_decode_begin(&c->decoder);
		break;
	case PART_KEEP:
	case PART_RELABEL:
	case PART_RAW:
		break;
	}
}

/* ---- headers -------------------------------------------------------- */

static const char *encoding_word(const struct part_choice *choice)
{
	switch (choice->action) {
	case PART_TO_QP:
		return "quoted-printable";
	case PART_TO_BASE64:
		return "base64";
	case PART_DECODE:
		return "8bit";
	case PART_RELABEL:
		return choice->labels_8bit ? "8bit" : "7bit";
	case PART_KEEP:
	case PART_RAW:
		break;
	}
	return NULL;
}

/* Adds lines ended by LF as the header they come into has its line ends. */
static void add_lines(struct str *to, struct slice lines, bool has_crlf)
{
	struct slice line;

	while (lines.len > 0 && slice_cut(&lines, '\n', &line)) {
		str_add(to, line);
		str_adds(to, has_crlf ? "\r\n" : "\n");
	}
}

/* Adds a field with its 8-bit text made encoded-words. */
static bool add_encoded(struct str *to, struct slice field, bool has_crlf,
			struct slice charset)
{
	struct str clean = STR_INIT, text = STR_INIT;
	bool is_converted;

	header_add_clean(&clean, field, false);
	is_converted = rfc2231_encode_field(&text, str_slice(&clean), charset);
	if (is_converted) {
		str_addc(&text, '\n');
		add_lines(to, str_slice(&text), has_crlf);
	}
	str_done(&clean);
	str_done(&text);
	return is_converted;
}

/* Adds a field with its long lines folded; false if there is none. */
static bool add_folded(struct str *to, struct slice field, bool has_crlf)
{
	struct str clean = STR_INIT, text = STR_INIT;
	bool is_folded;

	header_add_clean(&clean, field, false);
	is_folded = header_add_folded(&text, str_slice(&clean));
	if (is_folded) {
		str_addc(&text, '\n');
		add_lines(to, str_slice(&text), has_crlf);
	}
	str_done(&clean);
	str_done(&text);
	return is_folded;
}

/* Adds a field of a part's header; `all` is with its last line end. */
static void add_field(struct str *to, const struct header_field *f,
		      struct slice all, const struct part_choice *choice,
		      struct slice charset)
{
	bool has_crlf = all.len > 1 && all.p[all.len - 2] == '\r';
	const char *word = encoding_word(choice);

	if (choice->adds_version &&
	    (header_is(f, "MIME-Version") ||
	     (choice->adds_type && header_is(f, "Content-Type"))))
		return;
	if (word != NULL && header_is(f, "Content-Transfer-Encoding")) {
		str_add(to, slice_head(all, (size_t)(f->body.p - all.p)));
		cte_set(to, slice_from(all, (size_t)(f->body.p - all.p)), word);
	} else if (choice->encodes_header && slice_has_8bit(all) &&
		   add_encoded(to, f->all, has_crlf, charset)) {
		return;
	} else if (!choice->folds_header || !add_folded(to, f->all, has_crlf)) {
		str_add(to, all);
	}
}

/* The lines that are new. */
static void add_new(struct str *to, const struct part_choice *choice,
		    bool has_encoding, bool has_crlf)
{
	struct str lines = STR_INIT;

	if (choice->adds_version)
		str_adds(&lines, "MIME-Version: 1.0\n");
	if (choice->adds_type)
		str_addf(&lines, "Content-Type: text/plain; charset=%.*s\n",
			 SLICE_ARG(choice->charset));
	if (encoding_word(choice) != NULL && !has_encoding)
		str_addf(&lines, "Content-Transfer-Encoding: %s\n",
			 encoding_word(choice));
	add_lines(to, str_slice(&lines), has_crlf);
	str_done(&lines);
}

/*
 * Cuts off the empty line at the end. Only a part without a body may lack it,
 * and such a part gets no new lines.
 */
static struct slice cut_empty_line(struct slice *header)
{
	struct slice h = *header, empty;
	size_t n = h.len > 1 && h.p[h.len - 2] == '\r' ? 2 : 1;

	if (h.len == 0 || h.p[h.len - 1] != '\n' ||
	    (h.len > n && h.p[h.len - n - 1] != '\n'))
		return (struct slice){ 0 };
	empty = slice_from(h, h.len - n);
	header->len -= n;
	return empty;
}

/* Writes the header that was collected, edited. */
static void end_header(struct treeconv *c, struct str *out)
{
	struct slice rest = str_slice(&c->header);
	struct slice empty = cut_empty_line(&rest);
	const char *end = rest.p + rest.len;
	struct header_field f;
	bool has_encoding = false;

	while (header_next(&rest, &f)) {
		bool has_lf = f.all.p + f.all.len < end;

		add_field(out, &f, slice_make(f.all.p, f.all.len + has_lf),
			  choice_at(c), c->plan->message.header_charset);
		has_encoding |= header_is(&f, "Content-Transfer-Encoding");
	}
	add_new(out, choice_at(c), has_encoding, empty.len > 1);
	str_add(out, empty);
	str_clear(&c->header);
}

/* ---- bytes ---------------------------------------------------------- */

static void convert(struct treeconv *c, struct slice in, struct str *out)
{
	switch (choice_at(c)->action) {
	case PART_TO_QP:
		qp_encode_push(&c->encoder, in, out);
		break;
	case PART_TO_BASE64:
		base64_encode_push(&c->base64, in, out);
		break;
	case PART_DECODE:
		qp_decode_push(&c->decoder, in, out);
		break;
	case PART_KEEP:
	case PART_RELABEL:
	case PART_RAW:
		str_add(out, in);
		break;
	}
}

static void end_body(struct treeconv *c, struct str *out)
{
	switch (choice_at(c)->action) {
	case PART_TO_QP:
		qp_encode_end(&c->encoder, out);
		break;
	case PART_TO_BASE64:
		base64_encode_end(&c->base64, out);
		break;
	case PART_DECODE:
		qp_decode_end(&c->decoder, out);
		break;
	case PART_KEEP:
	case PART_RELABEL:
	case PART_RAW:
		break;
	}
	c->part++;
	pass(c);
}

/* The next state begins here. */
static void change_state(struct treeconv *c, struct str *out)
{
	if (c->state == TREECONV_BODY) {
		end_body(c, out);
	} else if (c->state == TREECONV_HEADER) {
		end_header(c, out);
		begin_body(c);
	} else if (edits_header(choice_at(c), c->part) &&
		   c->at < part_at(c)->body) {
		c->state = TREECONV_HEADER;
		c->next = part_at(c)->body;
	} else {
		begin_body(c);
	}
}

static void take(struct treeconv *c, struct slice in, struct str *out)
{
	if (c->state == TREECONV_HEADER)
		str_add(&c->header, in);
	else if (c->state == TREECONV_PASS)
		str_add(out, in);
	else
		convert(c, in, out);
	c->at += in.len;
}

bool treeconv_is_raw(const struct treeconv *c)
{
	return c->state == TREECONV_BODY && choice_at(c)->action == PART_RAW;
}

void treeconv_begin(struct treeconv *c, const struct tree *t,
		    const struct tree_plan *plan)
{
	*c = (struct treeconv){ .tree = t, .plan = plan };
	pass(c);
}

void treeconv_push(struct treeconv *c, struct slice *in, struct str *out,
		   bool *ret_is_raw)
{
	bool has_begun = false;

	*ret_is_raw = treeconv_is_raw(c);
	while (in->len > 0) {
		uint64_t left = c->next - c->at;
		struct slice now = *in;

		if (left == 0) {
			size_t before = out->len;

			change_state(c, out);
			has_begun |= out->len > before;
			if (has_begun && *ret_is_raw != treeconv_is_raw(c))
				return;
			*ret_is_raw = treeconv_is_raw(c);
			continue;
		}
		if (now.len > left)
			now.len = (size_t)left;
		take(c, now, out);
		has_begun = true;
		*in = slice_from(*in, now.len);
	}
}

void treeconv_push_wire(struct treeconv *c, struct slice in,
			struct str *scratch, struct wire *w, struct str *out)
{
	bool is_raw;

	while (in.len > 0) {
		str_clear(scratch);
		treeconv_push(c, &in, scratch, &is_raw);
		if (is_raw)
			str_add(out, str_slice(scratch));
		else
			wire_push(w, str_slice(scratch), out);
	}
}

void treeconv_end(struct treeconv *c, struct str *out)
{
	while (c->next == c->at && c->part < c->plan->n_choices)
		change_state(c, out);
}

void treeconv_done(struct treeconv *c)
{
	str_done(&c->header);
	*c = (struct treeconv){ 0 };
}

/*
 * stream.c - what a mailer reads on its standard input, piece by piece.
 *
 * Each part of the stream is a stage, a function that adds a bounded piece
 * and says whether the stage is done. Header and body pass mime/wire as the
 * last thing; envelope and From_ line are made by us and do not, since a dot
 * or a "From " that we put there is meant.
 */
#include "smta/stream.h"

#include "base/xtext.h"
#include "mime/header.h"
#include "smta/bsmtp.h"
#include "smta/flags.h"
#include "smta/loop.h"

/* A stage: 1 done, 0 call again, -1 with err filled. */
typedef int stream_stage(struct stream *s, struct str *to, struct err *err);

static bool has(const struct stream *s, unsigned flags)
{
	return (s->facts->flags & flags) != 0;
}

static const char *line_end(const struct stream *s)
{
	return has(s, SMTA_CRLF) ? "\r\n" : "\n";
}

struct slice stream_sender(const struct ctl_sender *sender)
{
	return sender->is_null ? SLICE("<>") : sender->address.user;
}

/* ---- before the header ------------------------------------------------- */

static int add_envelope(struct stream *s, struct str *to, struct err *err)
{
	const struct stream_facts *f = s->facts;

	(void)err;
	if (!has(s, SMTA_BSMTP))
		return 1;
	if (s->at == 0)
		bsmtp_add_begin(to, f);
	if (s->at < f->n_rcpts) {
		bsmtp_add_rcpt(to, f, f->rcpts[s->at++]);
		return 0;
	}
	bsmtp_add_data(to, f);
	return 1;
}

/* The sender in a From_ line is one word, whatever it holds. */
static void add_word(struct str *to, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		str_addc(to, c <= ' ' || c == 0x7f ? '_' : (char)c);
	}
}

static int add_from_line(struct stream *s, struct str *to, struct err *err)
{
	const struct stream_facts *f = s->facts;

	(void)err;
	if (has(s, SMTA_NO_FROM_LINE) && !has(s, SMTA_REMOTE_FROM))
		return 1;
	str_adds(to, "From ");
	add_word(to, stream_sender(f->sender));
	str_addc(to, ' ');
	str_add(to, f->date);
	if (has(s, SMTA_REMOTE_FROM)) {
		str_adds(to, " remote from ");
		str_add(to, f->host_name);
	}
	str_adds(to, line_end(s));
	return 1;
}

/* ---- the header -------------------------------------------------------- */

/* Adds one field of ours, made clean; the value follows what is in s->field. */
static void add_own_field(struct stream *s, struct str *to)
{
	str_addc(&s->field, '\n');
	wire_push(&s->wire, str_slice(&s->field), to);
}

static int add_return_path(struct stream *s, struct str *to, struct err *err)
{
	const struct ctl_sender *sender = s->facts->sender;

	(void)err;
	if (!has(s, SMTA_RETURN_PATH))
		return 1;
	str_clear(&s->field);
	str_adds(&s->field, "Return-Path: <");
	if (!sender->is_null)
		str_add_clean(&s->field, sender->address.user, SIZE_MAX);
	str_addc(&s->field, '>');
	add_own_field(s, to);
	return 1;
}

static int add_delivered_to(struct stream *s, struct str *to, struct err *err)
{
	const struct stream_facts *f = s->facts;

	(void)err;
	if (s->at == f->n_rcpts || !f->loop_guard)
		return 1;
	str_clear(&s->field);
	str_adds(&s->field, "Delivered-To: ");
	loop_add_address(&s->field, f->rcpts[s->at++], f->host_name);
	add_own_field(s, to);
	return 0;
}

static bool is_removed(const struct stream *s, const struct header_field *f)
{
	static const char *const envelope[] = { "X-Envelope-To", "X-Envid",
						"Envelope-Id", NULL };
	static const char *const original[] = { "X-Orcpt", "Original-Recipient",
						NULL };

	return header_is(f, "Return-Path") ||
	       (has(s, SMTA_ENVELOPE) && header_is_one_of(f, envelope)) ||
	       (has(s, SMTA_ORIGINAL_RCPT) && header_is_one_of(f, original));
}

/* May this, the first field that is kept, get a "for" clause? */
static bool wants_for_clause(const struct stream *s,
			     const struct header_field *f)
{
	return s->facts->has_for_clause && s->facts->n_rcpts == 1 &&
	       !s->has_first_field && header_is(f, "Received");
}

/* Folds the field if its lines are longer than an SMTP server takes. */
static void fold_field(struct stream *s)
{
	const struct passage *p = s->facts->passage;
	struct str folded = STR_INIT;

	if (has(s, SMTA_BSMTP) && (p == NULL || !passage_is_untouchable(p)) &&
	    header_add_folded(&folded, str_slice(&s->field))) {
		str_clear(&s->field);
		str_add(&s->field, str_slice(&folded));
	}
	str_done(&folded);
}

/* One field of the message's own. */
static int add_header(struct stream *s, struct str *to, struct err *err)
{
	const struct stream_facts *facts = s->facts;
	struct header_field f;
	struct str edited = STR_INIT;

	(void)err;
	if (!header_next(&s->header_rest, &f))
		return 1;
	/* Cleaned before it is judged: a NUL must not hide a name. */
	str_clear(&s->field);
	header_add_clean(&s->field, f.all, facts->expand_tabs);
	f = header_field_of(str_slice(&s->field));
	if (f.all.len == 0 || is_removed(s, &f))
		return 0;
	if (wants_for_clause(s, &f) &&
	    header_add_for_clause(&edited, f.all,
				  facts->rcpts[0]->address.user)) {
		str_clear(&s->field);
		header_add_clean(&s->field, str_slice(&edited),
				 facts->expand_tabs);
	}
	s->has_first_field = true;
	fold_field(s);
	add_own_field(s, to);
	str_done(&edited);
	return 0;
}

/* Adds NAME and an xtext value, decoded; nothing if it is not xtext. */
static void add_xtext_field(struct stream *s, struct str *to, const char *name,
			    struct slice type, struct slice xtext)
{
	struct str plain = STR_INIT;

	if (xtext_decode(&plain, xtext)) {
		str_clear(&s->field);
		str_adds(&s->field, name);
		str_add_clean(&s->field, type, SIZE_MAX);
		str_add_clean(&s->field, str_slice(&plain), SIZE_MAX);
		add_own_field(s, to);
	}
	str_done(&plain);
}

static int add_envelope_id(struct stream *s, struct str *to, struct err *err)
{
	struct slice none = { 0 };

	(void)err;
	if (has(s, SMTA_ENVELOPE) && s->facts->envid.len > 0)
		add_xtext_field(s, to, "Envelope-Id: ", none, s->facts->envid);
	return 1;
}

/* The extra headers of one recipient. */
static int add_rcpt_fields(struct stream *s, struct str *to, struct err *err)
{
	const struct stream_facts *f = s->facts;
	const struct ctl_rcpt *r;
	size_t semicolon;

	(void)err;
	if (s->at == f->n_rcpts || !has(s, SMTA_ENVELOPE | SMTA_ORIGINAL_RCPT))
		return 1;
	r = f->rcpts[s->at++];
	if (has(s, SMTA_ENVELOPE)) {
		str_clear(&s->field);
		str_adds(&s->field, "X-Envelope-To: <");
		str_add_clean(&s->field, r->address.user, SIZE_MAX);
		str_adds(&s->field, "> (uid ");
		str_add_clean(&s->field, r->address.privilege, SIZE_MAX);
		str_addc(&s->field, ')');
		add_own_field(s, to);
	}
	semicolon = slice_find(r->dsn.orcpt, ';');
	if (semicolon < r->dsn.orcpt.len)
		add_xtext_field(s, to, "Original-Recipient: ",
				slice_head(r->dsn.orcpt, semicolon + 1),
				slice_from(r->dsn.orcpt, semicolon + 1));
	return 0;
}

/* ---- the body and the end ---------------------------------------------- */

static unsigned wire_flags(const struct stream *s)
{
	return (has(s, SMTA_CRLF) ? WIRE_CRLF : 0) |
	       (has(s, SMTA_DOTS) ? WIRE_DOTS : 0);
}

static int add_empty_line(struct stream *s, struct str *to, struct err *err)
{
	(void)err;
	wire_end(&s->wire, to);
	str_adds(to, line_end(s));
	wire_begin(&s->wire,
		   wire_flags(s) | (has(s, SMTA_ESCAPE_FROM) ? WIRE_FROM : 0));
	return 1;
}

static void strip_bit8(struct str *s)
{
	for (size_t i = 0; i < s->len; i++)
		s->p[i] = (char)(s->p[i] & 0x7f);
}

/* No mailer takes binary parts, so nothing is raw. */
static void convert_piece(struct stream *s)
{
	struct slice in = str_slice(&s->chunk);
	bool is_raw;

	while (in.len > 0)
		treeconv_push(&s->convert, &in, &s->converted, &is_raw);
}

/* Takes what lies in s->chunk, or the end of the body. */
static void add_piece(struct stream *s, bool is_last, struct str *to)
{
	struct str *piece = &s->chunk;

	if (s->converts) {
		piece = &s->converted;
		str_clear(piece);
		if (is_last)
			treeconv_end(&s->convert, piece);
		else
			convert_piece(s);
	}
	if (has(s, SMTA_STRIP8))
		strip_bit8(piece); /* before dots and "From " are sought */
	wire_push(&s->wire, str_slice(piece), to);
}

static int add_body(struct stream *s, struct str *to, struct err *err)
{
	const struct stream_facts *f = s->facts;
	ssize_t n;

	str_clear(&s->chunk);
	n = f->body(f->body_context, STREAM_CHUNK, &s->chunk, err);
	if (n < 0)
		return -1;
	add_piece(s, n == 0, to);
	if (n > 0)
		return 0;
	wire_end(&s->wire, to);
	return 1;
}

static int add_end(struct stream *s, struct str *to, struct err *err)
{
	(void)err;
	if (has(s, SMTA_BSMTP))
		bsmtp_add_end(to, s->facts);
	return 1;
}

/* ---- the interface ----------------------------------------------------- */

static stream_stage *const stages[] = {
	add_envelope, add_from_line,   add_return_path, add_delivered_to,
	add_header,   add_envelope_id, add_rcpt_fields, add_empty_line,
	add_body,     add_end,
};

enum { N_STAGES = sizeof(stages) / sizeof(stages[0]) };

static void trace(const struct stream *s, const struct str *to, size_t from)
{
	if (s->facts->trace != NULL && stages[s->stage] != add_body)
		str_add(s->facts->trace, slice_from(str_slice(to), from));
}

void stream_begin(struct stream *s, const struct stream_facts *facts)
{
	*s = (struct stream){ .facts = facts, .header_rest = facts->header };
	wire_begin(&s->wire, wire_flags(s) | WIRE_HEADER);
	s->converts =
	    facts->passage != NULL && passage_converts_body(facts->passage);
	if (s->converts)
		treeconv_begin(&s->convert, facts->passage->tree,
			       &facts->passage->plan);
}

void stream_done(struct stream *s)
{
	if (s->converts)
		treeconv_done(&s->convert);
	str_done(&s->field);
	str_done(&s->chunk);
	str_done(&s->converted);
	*s = (struct stream){ 0 };
}

ssize_t stream_next(struct stream *s, struct str *to, struct err *err)
{
	size_t begin = to->len;

	while (s->stage < N_STAGES && to->len - begin < STREAM_CHUNK) {
		size_t from = to->len;
		int r = stages[s->stage](s, to, err);

		if (r < 0)
			return -1;
		trace(s, to, from);
		if (r > 0) {
			s->stage++;
			s->at = 0;
		}
	}
	return (ssize_t)(to->len - begin);
}

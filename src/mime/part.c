/*
 * part.c - one part of a message: what its header says, and its size encoded.
 *
 * A part is opaque as soon as two readers could take it for two things: a
 * label given twice, parameters that cannot be read, a boundary that RFC 2046
 * does not allow, an encoding around parts (RFC 2045 6.4).
 */
#include "mime/part.h"

#include "base/keyword.h"
#include "mime/base64.h"

#include <string.h>

static void make_opaque(struct part *p, enum mime_reason why)
{
	p->kind = PART_OPAQUE;
	p->why = why;
}

static bool is_identity(enum cte encoding)
{
	return encoding == CTE_7BIT || encoding == CTE_8BIT ||
	       encoding == CTE_BINARY;
}

/* ---- the type ------------------------------------------------------- */

/* Is it a boundary that every reader takes alike (RFC 2046 5.1.1)? */
static bool is_boundary(struct slice s)
{
	return s.len >= 1 && s.len <= PART_BOUNDARY_MAX && !slice_has_8bit(s) &&
	       !slice_has_control(s) && s.p[0] != ' ' && s.p[s.len - 1] != ' ';
}

/*
 * The boundary, from the one parameter that says it. None if there are two,
 * or one in the form of RFC 2231, which not all readers know.
 */
static struct slice read_boundary(const struct ctype *type, struct arena *a)
{
	struct slice rest = type->params, found = { 0 };
	struct ctype_param param;
	struct str value = STR_INIT;
	unsigned n = 0;

	while (ctype_next_param(&rest, &param)) {
		if (!slice_starts_nocase(param.name, SLICE("boundary")))
			continue;
		if (param.name.len == sizeof("boundary") - 1)
			ctype_add_value(&value, param.value);
		else if (param.name.p[sizeof("boundary") - 1] != '*')
			continue;
		else
			n++;
		n++;
	}
	if (n == 1 && is_boundary(str_slice(&value)))
		found = arena_dup(a, str_slice(&value));
	str_done(&value);
	return found;
}

static void read_charset(struct part *p, const struct ctype *type,
			 struct arena *a)
{
	struct ctype_param param;
	struct str value = STR_INIT;

	if (ctype_find(type, "charset", &param))
		ctype_add_value(&value, param.value);
	if (charset_is_name(str_slice(&value)))
		p->charset = arena_dup(a, str_slice(&value));
	str_done(&value);
}

static void read_multipart(struct part *p, const struct ctype *type,
			   struct arena *a)
{
	p->kind = PART_MULTIPART;
	p->boundary = read_boundary(type, a);
	if (!is_identity(p->encoding))
		make_opaque(p, MIME_BAD_ENCODING);
	else if (!type->is_sound)
		make_opaque(p, MIME_BAD_TYPE);
	else if (p->boundary.len == 0)
		make_opaque(p, MIME_BAD_BOUNDARY);
}

/*
 * message/rfc822 is looked into. The message/global of RFC 6532 may be
 * encoded as it is; no other message/... may (RFC 2046 5.2).
 */
static void read_message(struct part *p)
{
	if (slice_eq_nocase(p->subtype, SLICE("rfc822")) ||
	    slice_eq_nocase(p->subtype, SLICE("news"))) {
		p->kind = PART_MESSAGE;
		if (!is_identity(p->encoding))
			make_opaque(p, MIME_BAD_ENCODING);
	} else if (!slice_starts_nocase(p->subtype, SLICE("global"))) {
		make_opaque(p, MIME_MESSAGE);
	}
}

static void read_type(struct part *p, const struct mime_label *label,
		      struct arena *a)
{
	const struct ctype *type = &label->type;

	if (!label->is_type_read || type->type.len > PART_NAME_MAX ||
	    type->subtype.len > PART_NAME_MAX) {
		make_opaque(p, MIME_BAD_TYPE);
		return;
	}
	p->type = arena_dup(a, type->type);
	p->subtype = arena_dup(a, type->subtype);
	read_charset(p, type, a);
	p->is_text = slice_eq_nocase(p->type, SLICE("text"));
	p->is_wide = p->is_text && charset_is_wide(p->charset);
	p->is_text &= !p->is_wide;
	if (slice_eq_nocase(p->type, SLICE("multipart")))
		read_multipart(p, type, a);
	else if (slice_eq_nocase(p->type, SLICE("message")))
		read_message(p);
}

/* A message that does not say it is MIME is plain text, or not to be known. */
static void read_old(struct part *p)
{
	if (!p->is_plain || p->encoding == CTE_QP ||
	    p->encoding == CTE_BASE64 || p->encoding == CTE_OTHER)
		make_opaque(p, MIME_NO_VERSION);
	else
		p->kind = PART_LEAF;
}

void part_read_label(struct part *p, const struct mime_label *label,
		     bool in_digest, struct arena *a)
{
	p->encoding = label->encoding;
	p->has_encoding = label->has_encoding;
	p->has_type = label->has_type;
	p->has_8bit_header = label->has_8bit_header;
	p->is_plain = mime_label_is_plain(label);
	if (p->is_message)
		p->has_version = label->has_version;
	if (label->has_type) {
		read_type(p, label, a);
	} else if (in_digest) {
		p->is_plain = false;
		p->type = SLICE("message");
		p->subtype = SLICE("rfc822");
		read_message(p);
	} else {
		p->is_text = true;
	}
	if (!p->has_version)
		read_old(p);
	if (label->is_ambiguous)
		make_opaque(p, MIME_AMBIGUOUS);
	if (label->is_untouchable)
		make_opaque(p, label->why_untouchable);
}

bool part_is_digest(const struct part *p)
{
	return slice_eq_nocase(p->type, SLICE("multipart")) &&
	       slice_eq_nocase(p->subtype, SLICE("digest"));
}

bool part_is_encodable(const struct part *p, enum mime_reason *ret_why)
{
	if (p->kind == PART_OPAQUE)
		*ret_why = p->why;
	else if (p->kind != PART_LEAF)
		*ret_why = MIME_BETWEEN;
	else if (p->encoding == CTE_OTHER)
		*ret_why = MIME_BAD_ENCODING;
	else if (!is_identity(p->encoding))
		*ret_why = MIME_IS_ENCODED;
	else
		return true;
	return false;
}

/* ---- sizes ---------------------------------------------------------- */

uint64_t part_qp_size(const struct part_facts *f)
{
	uint64_t size = f->size + 2 * f->coded;

	/* soft breaks: none in short lines that stay short */
	if (f->longest > QP_LINE_MAX - 6 || f->coded > f->size / 16)
		size += size / (QP_LINE_MAX - 4) * 2;
	return size;
}

uint64_t part_base64_size(const struct part_facts *f)
{
	return base64_encoded_size(f->size + (f->has_crlf ? 0 : f->line_ends));
}

void part_facts_join(struct part_facts *f, const struct part_facts *more)
{
	bool was_8bit = f->has_8bit;

	f->is_utf8 = (f->is_utf8 || !was_8bit) &&
		     (more->is_utf8 || !more->has_8bit) &&
		     (was_8bit || more->has_8bit);
	f->size += more->size;
	f->coded += more->coded;
	f->line_ends += more->line_ends;
	if (more->longest > f->longest)
		f->longest = more->longest;
	f->has_8bit |= more->has_8bit;
	f->has_nul |= more->has_nul;
	f->has_bare_cr |= more->has_bare_cr;
	f->has_crlf |= more->has_crlf;
}

/* ---- counting ------------------------------------------------------- */

enum {
	LANES = 16,  /* bytes looked at together */
	ROUNDS = 255 /* what a lane can count */
};

/* Does quoted-printable encode it, wherever it stands? */
static bool is_coded(char c)
{
	return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == '=' ||
	       c == 0x7f || (unsigned char)c >= 0x80;
}

static uint64_t sum(const unsigned char *lanes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < LANES; i++)
		n += lanes[i];
	return n;
}

/* Counts `rounds` times LANES bytes; at most ROUNDS. */
static void count_block(struct part_facts *f, const char *p, size_t rounds)
{
	signed char v __attribute__((vector_size(LANES)));
	signed char found __attribute__((vector_size(LANES)));
	unsigned char coded __attribute__((vector_size(LANES))) = { 0 };
	unsigned char line_ends __attribute__((vector_size(LANES))) = { 0 };
	unsigned char lanes[LANES];

	for (; rounds > 0; rounds--, p += LANES) {
		memcpy(&v, p, LANES);
		/* a comparison, of signed bytes, gives -1 where it holds */
		found = (v < ' ') | (v == '=') | (v == 0x7f);
		found &= ~((v == '\t') | (v == '\n') | (v == '\r'));
		coded -= (__typeof__(coded))found;
		line_ends -= (__typeof__(coded))(v == '\n');
	}
	memcpy(lanes, &coded, LANES);
	f->coded += sum(lanes);
	memcpy(lanes, &line_ends, LANES);
	f->line_ends += sum(lanes);
}

void part_facts_count(struct part_facts *f, struct slice in)
{
	const char *p = in.p;
	size_t left = in.len;

	while (left >= LANES) {
		size_t rounds = left / LANES < ROUNDS ? left / LANES : ROUNDS;

		count_block(f, p, rounds);
		p += rounds * LANES;
		left -= rounds * LANES;
	}
	for (; left > 0; left--, p++) {
		f->coded += is_coded(*p);
		f->line_ends += *p == '\n';
	}
}

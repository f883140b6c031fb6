/*
 * part.h - one part of a message, as data: where it lies, what its header
 * says, what it is made of (RFC 2045, 2046, 1847, 6532).
 *
 * The parts of a message are a table (mime/tree.h). Offsets count bytes of
 * the message's body, whose first byte is 0; the message's own header is not
 * in it. Slices are copies that live in the arena of the tree.
 */
#ifndef MIME_PART_H
#define MIME_PART_H

#include "base/arena.h"
#include "mime/plan.h"

enum {
	PART_BOUNDARY_MAX = 70, /* RFC 2046 5.1.1 */
	PART_NAME_MAX = 127,	/* a type or subtype, RFC 6838 4.2 */
};

enum part_kind {
	PART_LEAF,	/* content */
	PART_MULTIPART, /* parts follow, its depth + 1 */
	PART_MESSAGE,	/* message/rfc822: its message is the next part */
	PART_OPAQUE,	/* not looked into, and not to be changed */
};

/* What a text is made of; all in bytes. */
struct part_facts {
	uint64_t size;
	uint64_t longest;   /* the longest line, without its end */
	uint64_t coded;	    /* bytes that quoted-printable writes as =XX */
	uint64_t line_ends; /* LFs */
	bool has_8bit, has_nul, has_bare_cr, has_crlf, is_utf8;
};

struct part {
	/* Where: begin <= body <= end. */
	uint64_t begin;	 /* its header's first byte */
	uint64_t body;	 /* behind the empty line of the header */
	uint64_t end;	 /* before the line end that a delimiter begins with */
	unsigned parent; /* index; 0 for the first part, the message */
	unsigned depth;	 /* 0 for the message */
	unsigned n_children;
	/* What. */
	enum part_kind kind;
	enum mime_reason why;	    /* PART_OPAQUE, else MIME_IS_7BIT */
	struct slice type, subtype; /* as written; empty: not said */
	struct slice charset;	    /* of a leaf, a name or empty */
	struct slice boundary;	    /* of a multipart */
	enum cte encoding;	    /* CTE_7BIT if nothing is said */
	bool has_encoding;	    /* there is such a field */
	bool has_type;
	bool is_plain;	  /* text/plain, said or by default */
	bool is_text;	  /* text/..., made of lines */
	bool is_wide;	  /* text/... in a charset that knows no lines */
	bool is_message;  /* its header is that of a message */
	bool has_version; /* that says it is MIME; parts inherit it */
	/* Its header; for the message see struct mime_label. */
	bool has_8bit_header;
	uint64_t header_longest; /* the longest line, without its end */
	bool is_header_stuck;	 /* with 8-bit text that must stay */
	bool is_closed;		 /* a multipart's closing delimiter was seen */
	/*
	 * What its body is made of; for a multipart what stands before and
	 * behind its parts.
	 */
	struct part_facts facts;
	/* Decoded, if asked for: plain text that is quoted-printable. */
	bool has_trial;
	bool is_fit;	    /* it may be decoded, see qp_decode_is_fit() */
	bool would_delimit; /* but a line would be like a delimiter */
	unsigned unfit;	    /* QP_UNFIT_... */
	uint64_t decoded_size;
	bool is_decoded_8bit;
};

/*
 * Fills in what the header says. `label` is of the header, cleaned; with
 * `in_digest` a part without a type is a message (RFC 2046 5.1.5). Whatever
 * cannot be relied upon makes the part opaque. p->depth, p->is_message and
 * p->has_version (the enclosing message's) are set.
 */
void part_read_label(struct part *p, const struct mime_label *label,
		     bool in_digest, struct arena *a);

/* Is it multipart/digest? */
bool part_is_digest(const struct part *p);

/* Can its own text be encoded, as far as its header tells? Else *ret_why. */
bool part_is_encodable(const struct part *p, enum mime_reason *ret_why);

/*
 * How long the body would be, quoted-printable and base64, to the byte of a
 * few in a hundred: bytes that cannot be seen beforehand (soft line breaks,
 * blanks at line ends) are estimated.
 */
uint64_t part_qp_size(const struct part_facts *f);
uint64_t part_base64_size(const struct part_facts *f);

/* Adds the facts of one text to those of another before it. */
void part_facts_join(struct part_facts *f, const struct part_facts *more);

/* Adds to coded and line_ends what the bytes hold of such; very fast. */
void part_facts_count(struct part_facts *f, struct slice in);

#endif

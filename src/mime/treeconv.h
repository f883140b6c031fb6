/*
 * treeconv.h - a message's body, converted part by part while it passes.
 *
 * A filter between the spool and the last filter (mime/wire.h): push the body
 * in any chunks, from its first byte, and what tree_plan_make() decided is
 * done. Memory is constant: a part's header that is edited is held until it
 * is whole (TREE_HEADER_MAX), all else passes. Delimiters, what stands around
 * parts, and parts that are kept go through byte by byte.
 *
 * A part's header gets its Content-Transfer-Encoding replaced, or one added at
 * the end; 8-bit text encoded (mime/rfc2231.h), where the plan says so.
 * The message's own header is convert_header()'s (mime/convert.h).
 *
 * No output line of an encoded leaf is a delimiter: base64 has no '-', and
 * quoted-printable hides it at the start of a line; decoded text that has
 * such a line is not decoded.
 */
#ifndef MIME_TREECONV_H
#define MIME_TREECONV_H

#include "mime/base64.h"
#include "mime/treeplan.h"
#include "mime/wire.h"

/*
 * The output, on the wire, has at most TREECONV_GROWTH bytes for each of the
 * body and TREECONV_MORE for each part; but headers of parts with 8-bit text
 * may grow fortyfold.
 */
enum { TREECONV_GROWTH = 4, TREECONV_MORE = 256 };

enum treeconv_state {
	TREECONV_PASS,	 /* bytes pass */
	TREECONV_HEADER, /* a part's header is collected */
	TREECONV_BODY,	 /* a leaf's body is converted, or is raw */
};

struct treeconv {
	const struct tree *tree;      /* borrowed */
	const struct tree_plan *plan; /* borrowed */
	uint64_t at;		      /* offset of the next byte */
	uint64_t next;		      /* where the state changes */
	unsigned part;		      /* the next one that changes */
	enum treeconv_state state;
	struct str header;
	struct base64_encoder base64;
	struct qp_encoder encoder;
	struct qp_decoder decoder;
};

/* Begins a body; both must outlive the filter. Ends with treeconv_done(). */
void treeconv_begin(struct treeconv *c, const struct tree *t,
		    const struct tree_plan *plan);

/*
 * Converts the next bytes, adding to *out. Takes all of *in, unless what is
 * to be sent changes between text and raw bytes: then it takes what is of one
 * kind, and has to be called again. *ret_is_raw says of which kind that was.
 */
void treeconv_push(struct treeconv *c, struct slice *in, struct str *out,
		   bool *ret_is_raw);

/*
 * The same for all of the bytes, and on through the last filter, which has
 * been begun for the body: raw bytes go around it. `scratch` is cleared.
 */
void treeconv_push_wire(struct treeconv *c, struct slice in,
			struct str *scratch, struct wire *w, struct str *out);

/*
 * Ends the body, which was all of what the tree was made of: adds what was
 * held back. With a wire, wire_end() comes next, unless the last byte was
 * raw.
 */
void treeconv_end(struct treeconv *c, struct str *out);

/* Was the last byte one that is sent raw? To be asked before the end. */
bool treeconv_is_raw(const struct treeconv *c);

/* Frees what it holds. */
void treeconv_done(struct treeconv *c);

#endif

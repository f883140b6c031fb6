/*
 * scan.h - what a body is made of, in one pass.
 *
 * The facts that decide about conversion (RFC 2045 6.2, RFC 5322 2.1.1, RFC
 * 6152). A line ends with LF; a CR right before it belongs to the line end.
 * Any other CR is a byte of its line like every other. Chunks do not matter.
 * Nothing is allocated and nothing can fail; several GB a second.
 */
#ifndef MIME_SCAN_H
#define MIME_SCAN_H

#include "mime/charset.h"

struct scan {
	/* Facts; whole after scan_end(). */
	uint64_t size;	  /* bytes */
	uint64_t longest; /* bytes of the longest line, without its end */
	bool has_8bit;	  /* a byte of 0x80 or above */
	bool has_nul;
	bool has_crlf;	  /* a CR before an LF */
	bool has_bare_cr; /* a CR before anything else, or last of all */
	bool ends_in_lf;  /* the last byte is LF; an empty text has none */
	bool is_utf8;	  /* has_8bit, and all of it is valid UTF-8 */
	/* Of the line that has begun. */
	uint64_t line; /* its bytes so far, a CR at their end included */
	bool had_cr;   /* the last byte was a CR */
	struct utf8 utf8;
};

/* Begins a body. */
void scan_begin(struct scan *s);

/* Takes the next bytes. */
void scan_push(struct scan *s, struct slice in);

/* Ends the body: its facts are then whole. Nothing may be pushed after it. */
void scan_end(struct scan *s);

#endif

/*
 * wire.h - the last filter before bytes leave: line ends and dots, one pass.
 *
 * Takes spool bytes (lines end in LF) in any chunking and gives wire bytes.
 * With WIRE_CRLF the output never holds CR or LF except in CRLF, whatever the
 * input holds: in a body CR LF is one line end, and any other CR is a line
 * end too, made before dots are doubled; in a header (WIRE_HEADER) CR is
 * removed, never a new line, and a line of which nothing is left is left out:
 * it would end the header. NUL is removed first of all, so that none can hide
 * what stands around it. With WIRE_DOTS a '.' at the start of an output
 * line is doubled (RFC 5321 4.5.2). With WIRE_FROM a line that begins with
 * "From " gets a '>' in front. Without WIRE_CRLF line ends stay LF and every
 * other byte, CR and NUL included, passes unchanged.
 *
 * The filter holds at most 4 bytes back. It allocates only the room that the
 * output needs, and clean text costs one scan and one copy.
 */
#ifndef MIME_WIRE_H
#define MIME_WIRE_H

#include "base/str.h"

enum { WIRE_CRLF = 1, WIRE_DOTS = 2, WIRE_FROM = 4, WIRE_HEADER = 8 };

struct wire {
	unsigned flags;
	bool at_bol;	   /* the next output byte begins a line */
	bool had_cr;	   /* the last byte was a CR; an LF may follow */
	unsigned from_len; /* bytes of "From " that are held back */
	uint64_t nuls;	   /* NULs removed, for the record */
	uint64_t bare_crs; /* CRs without LF, made line ends or removed */
};

/* Begins at the start of a line. */
void wire_begin(struct wire *w, unsigned flags);

/*
 * Changes the flags between two lines: from header to body, say. A text that
 * may lack its last LF is ended by wire_end() first; else its last line goes
 * on under the new flags. What was counted stays.
 */
void wire_set_flags(struct wire *w, unsigned flags);

/* Filters bytes, adding to *out; all input is consumed. */
void wire_push(struct wire *w, struct slice in, struct str *out);

/*
 * Ends the text: gives out what is held back, and a line end unless the
 * output is at the start of a line. An empty text stays empty. Another text
 * may follow.
 */
void wire_end(struct wire *w, struct str *out);

#endif

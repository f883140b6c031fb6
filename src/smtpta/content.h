/*
 * content.h - a message's bytes, from the spool to the wire, piece by piece.
 *
 * The header comes from the control file, the body from the message file;
 * both pass the one output filter (mime/wire.h) as the last stage. Memory is
 * constant whatever the size.
 */
#ifndef SMTPTA_CONTENT_H
#define SMTPTA_CONTENT_H

#include "mime/wire.h"
#include "spool/ctl.h"
#include "spool/message.h"

enum { CONTENT_CHUNK = 64 * 1024 };

/* The body of one message, shared by its transactions. */
struct body {
	struct message *message; /* borrowed */
	struct str bytes;	 /* all of it, if it fits a chunk */
	bool is_in_memory;
	bool is_scanned, is_8bit; /* has a byte above 0x7f */
};

/* Begins with an open message file; nothing is read yet. */
void body_begin(struct body *b, struct message *message);
void body_done(struct body *b);

/*
 * Reads the body if it is small, and finds out whether it has 8-bit bytes if
 * `scan` asks for it. -1, err filled, if it cannot be read.
 */
MUST_USE int body_prepare(struct body *b, bool scan, struct err *err);

/* One transaction's way through a message. */
struct content {
	struct slice header; /* borrowed */
	struct body *body;
	struct wire wire;
	struct str chunk;
	bool is_header_done;
	bool needs_dots;
	size_t n_header;  /* bytes, with the line behind it */
	uint64_t n_bytes; /* added so far */
};

/*
 * Begins; the body's file is rewound. With needs_dots, dots at the start of
 * lines are doubled (for DATA).
 */
void content_begin(struct content *c, struct slice header, struct body *body,
		   bool needs_dots);
void content_done(struct content *c);

/*
 * Adds the next piece, at most about twice CONTENT_CHUNK and the header, to
 * *sink. Returns 1 when that was the last, 0 if there is more, -1 with err
 * filled if the body cannot be read.
 */
MUST_USE int content_fill(struct content *c, struct str *sink, struct err *err);

#endif

/*
 * content.h - a message's bytes, from the spool to the wire, piece by piece.
 *
 * The header comes from the control file, the body from the message file;
 * both pass the one output filter (mime/wire.h) as the last stage. Memory is
 * constant whatever the size. A body that fits a chunk is read once; a larger
 * one twice: to know what it holds, and to be sent; and once more for the table
 * of its parts, if that matters.
 */
#ifndef SMTPTA_CONTENT_H
#define SMTPTA_CONTENT_H

#include "mime/passage.h"
#include "mime/treeconv.h"
#include "mime/wire.h"
#include "spool/ctl.h"
#include "spool/message.h"

enum { CONTENT_CHUNK = 64 * 1024 };

/* The body of one message, shared by its transactions. */
struct body {
	struct message *message; /* borrowed */
	struct str bytes;	 /* all of it, if it fits a chunk */
	bool is_in_memory;
	bool has_glance;
	struct glance glance;
	struct body_tree *trees; /* one for each header that was asked for */
};

/* Begins with an open message file; nothing is read yet. */
void body_begin(struct body *b, struct message *message);
void body_done(struct body *b);

/* Reads the body if it is small. -1, err filled, if it cannot be read. */
MUST_USE int body_prepare(struct body *b, struct err *err);

/*
 * A glance at all of the body, taken once. -1, err filled, if it cannot be
 * read.
 */
MUST_USE int body_glance(struct body *b, uint64_t line_max,
			 const struct glance **ret, struct err *err);

/*
 * The table of the body's parts under the header of a passage that was begun,
 * made in one pass and kept, so that one with the same header (the same bytes
 * in the same place) gets it at once. Borrowed until body_done(). -1, err
 * filled, if the body cannot be read.
 */
MUST_USE int body_tree(struct body *b, const struct passage *passage,
		       bool makes_trials, const struct tree **ret,
		       struct err *err);

/* One transaction's way through a message. */
struct content {
	struct slice header; /* borrowed */
	struct body *body;
	struct wire wire;
	struct str chunk;
	bool is_header_done;
	bool needs_dots;
	bool converts;
	struct treeconv convert;
	struct str scratch;
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

/* The body is to be converted as planned; borrowed. To be said at once. */
void content_convert(struct content *c, const struct passage *passage);

/*
 * Adds the next piece to *sink: at most about twice CONTENT_CHUNK, if it is
 * converted four times, and the header. Returns 1 when that was the last, 0 if
 * there is more, -1 with err filled if the body cannot be read.
 */
MUST_USE int content_fill(struct content *c, struct str *sink, struct err *err);

#endif

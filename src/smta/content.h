/*
 * content.h - a job's body, and what becomes of header and body on the way
 * to a mailer: the table of its parts, the plan (mime/passage.h), the header
 * that is sent.
 *
 * A body that fits a chunk is read once and kept for all runs of the job; a
 * larger one is read again for each run, in constant memory. What the plan
 * has to know of it is found out in one pass more, once for a header, and
 * only if header, channel and flags make it matter.
 *
 * A mailer without flag 8 is a 7-bit channel, whatever its lines hold
 * besides: their length, NUL and bare CR are no reason to encode text, since
 * a program takes bytes. One that takes batches is an SMTP server behind, with
 * its limit of lines, and no NUL.
 */
#ifndef SMTA_CONTENT_H
#define SMTA_CONTENT_H

#include "mime/passage.h"
#include "smta/stream.h"

/* Where a body comes from. */
struct content_source {
	stream_body *read;	       /* as for struct stream_facts */
	void (*rewind)(void *context); /* to the first byte */
	void *context;
	uint64_t size; /* bytes that it will give */
};

struct content {
	struct content_source source;
	struct str bytes; /* all of the body, or the chunk last read */
	bool is_in_memory;
	size_t at; /* bytes that were given out, in memory */
	/* Its parts, as this header says; only the header's place counts. */
	bool has_tree;
	struct slice header;
	struct tree tree;
	struct arena *arena; /* of the tree; NULL: none yet */
};

/* Begins a job's body; the source is copied. Nothing is read yet. */
void content_begin(struct content *c, const struct content_source *source);

/* Frees what it holds. */
void content_done(struct content *c);

/* Starts again at the first byte. */
void content_rewind(struct content *c);

/* Gives the body out: a stream_body whose context is the struct content. */
ssize_t content_read(void *context, size_t max, struct str *to,
		     struct err *err);

/* What the mailer takes and the postmaster wants. */
struct content_wish {
	unsigned flags;	      /* SMTA_... */
	bool keeps_headers;   /* -H */
	bool is_narrow;	      /* -Q */
	bool expand_tabs;     /* as for struct stream_facts */
	struct slice charset; /* DEFCHARSET, or empty */
};

/* What is to be sent. */
struct content_plan {
	struct passage passage;
	struct slice header; /* as it came, or edited */
	bool sends_8bit;     /* header or body, as they are sent */
	int64_t growth;	     /* bytes of header and body sent more than there
			      * are; 0 without flag B, which alone tells it */
};

/*
 * Decides what becomes of a message with this header: fields, each ended by
 * LF. -1 with err filled if the body cannot be read; else *ret is to be given
 * to content_plan_done(). The body is rewound. *ret borrows
 * from the wish and the header, and from *c until another header is planned.
 */
MUST_USE int content_make_plan(struct content *c,
			       const struct content_wish *wish,
			       struct slice header, struct content_plan *ret,
			       struct err *err);

/* Frees what a plan holds. */
void content_plan_done(struct content_plan *p);

#endif

/*
 * glance.h - does a body hold anything that calls for a closer look?
 *
 * Most mail is sent as it is. That it may be, is seen in one sweep that costs
 * little more than a memchr(3): 8-bit bytes, NULs, lines that may be too long.
 * Only if one of these matters the parts of the body have to be known
 * (mime/tree.h). Chunks do not matter, nothing is allocated, nothing can fail.
 */
#ifndef MIME_GLANCE_H
#define MIME_GLANCE_H

#include "base/slice.h"

struct glance {
	/* Facts, at any time about what was pushed so far. */
	bool has_8bit, has_nul;
	bool may_be_long; /* a line of more than line_max bytes, CR included */
	uint64_t size;
	/* Of the line that has begun. */
	uint64_t line_max, line;
};

/* Begins a body; line_max as in struct mime_channel: 0 is any. */
void glance_begin(struct glance *g, uint64_t line_max);

/* Takes the next bytes. */
void glance_push(struct glance *g, struct slice in);

#endif

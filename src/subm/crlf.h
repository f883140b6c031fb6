/*
 * crlf.h - CR LF becomes LF, in any chunking.
 *
 * Nothing else changes: a CR without an LF behind it passes as it is. At most
 * one byte is held back. Never fails.
 */
#ifndef SUBM_CRLF_H
#define SUBM_CRLF_H

#include "base/str.h"

struct subm_crlf {
	bool had_cr; /* a CR is held back */
};

#define SUBM_CRLF_INIT ((struct subm_crlf){ .had_cr = false })

/* Filters bytes, adding to *out; all input is consumed. */
void subm_crlf_push(struct subm_crlf *c, struct slice in, struct str *out);

/* Ends the text: adds what is held back. */
void subm_crlf_end(struct subm_crlf *c, struct str *out);

#endif

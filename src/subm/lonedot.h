/*
 * lonedot.h - a message that ends at a line which is a dot alone.
 *
 * As people end a message that they type (sendmail without -i). The line ends
 * in LF, CR LF or with the input. Any chunking; never fails; at the end of the
 * input there is nothing to add.
 */
#ifndef SUBM_LONEDOT_H
#define SUBM_LONEDOT_H

#include "base/str.h"

struct subm_lonedot {
	bool is_ended; /* the dot was seen; what follows is no message */
	unsigned state;
};

#define SUBM_LONEDOT_INIT ((struct subm_lonedot){ 0 })

/* Filters bytes, adding to *out; all input is consumed. */
void subm_lonedot_push(struct subm_lonedot *d, struct slice in,
		       struct str *out);

#endif

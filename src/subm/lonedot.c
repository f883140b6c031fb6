/*
 * lonedot.c - a message that ends at a line which is a dot alone.
 */
#include "subm/lonedot.h"

/* What is held back: nothing, ".", ".\r". */
enum { AT_BOL, IN_LINE, HAS_DOT, HAS_DOT_CR };

void subm_lonedot_push(struct subm_lonedot *d, struct slice in, struct str *out)
{
	for (size_t i = 0; i < in.len && !d->is_ended; i++) {
		char c = in.p[i];

		if (d->state == AT_BOL && c == '.') {
			d->state = HAS_DOT;
			continue;
		}
		if (d->state == HAS_DOT && c == '\r') {
			d->state = HAS_DOT_CR;
			continue;
		}
		if (d->state >= HAS_DOT && c == '\n') {
			d->is_ended = true;
			return;
		}
		if (d->state >= HAS_DOT)
			str_adds(out, d->state == HAS_DOT ? "." : ".\r");
		str_addc(out, c);
		d->state = c == '\n' ? AT_BOL : IN_LINE;
	}
}

/*
 * crlf.c - CR LF becomes LF: each run up to a CR is copied at once.
 */
#include "subm/crlf.h"

void subm_crlf_push(struct subm_crlf *c, struct slice in, struct str *out)
{
	while (in.len > 0) {
		size_t run;

		if (c->had_cr && in.p[0] != '\n')
			str_addc(out, '\r');
		run = slice_find(in, '\r');
		str_add(out, slice_head(in, run));
		c->had_cr = run < in.len;
		in = slice_from(in, run + 1);
	}
}

void subm_crlf_end(struct subm_crlf *c, struct str *out)
{
	if (c->had_cr)
		str_addc(out, '\r');
	c->had_cr = false;
}

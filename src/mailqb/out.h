/*
 * out.h - standard output, written in large pieces.
 */
#ifndef MAILQB_OUT_H
#define MAILQB_OUT_H

#include "base/str.h"

struct mailq_out {
	int fd;
	bool is_broken; /* nobody reads any more: what comes is dropped */
	struct str text;
};

/* Writes if there is much; call it after each item. False: nobody reads. */
bool mailq_out_item(struct mailq_out *o);

/* Writes what is left. */
void mailq_out_flush(struct mailq_out *o);

#endif

/*
 * out.c - standard output, written in large pieces.
 */
#include "mailqb/out.h"

#include "base/fd.h"

enum { PIECE = 64 * 1024 };

void mailq_out_flush(struct mailq_out *o)
{
	if (!o->is_broken && o->text.len > 0 &&
	    fd_write_all(o->fd, str_slice(&o->text)) < 0)
		o->is_broken = true;
	str_clear(&o->text);
}

bool mailq_out_item(struct mailq_out *o)
{
	if (o->text.len >= PIECE)
		mailq_out_flush(o);
	return !o->is_broken;
}

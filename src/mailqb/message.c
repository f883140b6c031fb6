/*
 * message.c - a message of the queue, as all views print it.
 */
#include "mailqb/message.h"

#include "mime/header.h"

struct slice mailq_message_field(const struct mailq_message *m,
				 const char *name)
{
	struct header_field f;
	struct slice rest;

	if (m->ctl == NULL || m->ctl->n_rcpts == 0)
		return SLICE("");
	rest = m->ctl->rcpts[0].header->text;
	while (header_next(&rest, &f))
		if (header_is(&f, name))
			return slice_trim(f.body);
	return SLICE("");
}

struct slice mailq_message_id(const struct mailq_message *m)
{
	struct slice id = mailq_message_field(m, "Message-ID");

	return id.len == 0 && m->ctl != NULL ? m->ctl->log_identity : id;
}

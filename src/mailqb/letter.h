/*
 * letter.h - the control file of one message of the queue.
 *
 * Only read, and never trusted: it is what ctl_parse() takes or it is told of.
 * The message file is not opened, only looked at for its size and time.
 */
#ifndef MAILQB_LETTER_H
#define MAILQB_LETTER_H

#include "mailqb/message.h"

/* Where control files are read, and what the last one lives in. */
struct mailq_desk {
	int transport_fd;
	struct arena *arena;
	struct str text;
};

enum mailq_letter {
	MAILQ_LETTER_READ,
	MAILQ_LETTER_GONE,   /* there is no such file: it is done */
	MAILQ_LETTER_SKIPPED /* it may not or cannot be read; err says why */
};

/*
 * Reads the file `name` and fills in *m but its recipients; all of it is
 * borrowed from the desk, until its arena is reset or another is read. What m
 * holds of `arrived` stays if there is no message file.
 */
MUST_USE enum mailq_letter mailq_letter_read(struct mailq_desk *desk,
					     struct slice name,
					     struct mailq_message *m,
					     struct err *err);

/* Fills in all recipients of the file as its tags say. */
void mailq_letter_rcpts(struct mailq_desk *desk, struct mailq_message *m);

/* What a tag says of a recipient. */
enum mailq_state mailq_letter_state(char tag);

/* The line of the recipient at offset; NULL: there is none. */
const struct ctl_rcpt *mailq_letter_line(const struct ctl *ctl,
					 uint64_t offset);

#endif

/*
 * print.h - messages as text for people, and as JSON for programs.
 */
#ifndef MAILQB_PRINT_H
#define MAILQB_PRINT_H

#include "mailqb/message.h"
#include "mailqb/text.h"

/* How it is to look. */
struct mailq_look {
	int64_t now;
	size_t width; /* columns */
};

/* Adds "4.4.1 mx.example.com: connection refused"; nothing if none is known. */
void mailq_add_reason(struct str *to, const struct mailq_reason *why);

/* Adds a recipient's state, until when, how often it was tried, and why. */
void mailq_add_why(struct str *to, const struct mailq_rcpt *r, int64_t now);

/* Adds the line above a list. */
void mailq_add_head(struct str *to, const struct mailq_look *look);

/* Adds a message's block of the list. */
void mailq_add_block(struct str *to, const struct mailq_message *m,
		     const struct mailq_look *look);

/* Adds a message as one line of JSON; see mailq(1). */
void mailq_add_json(struct str *to, const struct mailq_message *m, int64_t now);

struct json;

/* Adds its members to an object that is open, for who has more to tell. */
void mailq_json_message(struct json *j, const struct mailq_message *m,
			int64_t now);

#endif

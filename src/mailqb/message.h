/*
 * message.h - a message of the queue, as all views print it.
 *
 * Put together from what the scheduler shows and what its control file says;
 * either may be missing. Everything is borrowed and lives for one call.
 */
#ifndef MAILQB_MESSAGE_H
#define MAILQB_MESSAGE_H

#include "mailqb/reply.h"
#include "spool/ctl.h"

struct mailq_rcpt {
	uint64_t offset;      /* of its line in the control file */
	struct slice address; /* empty: the file does not tell */
	struct slice channel, host;
	enum mailq_state state;
	const struct mailq_job *job;   /* NULL: no scheduler tells */
	const struct ctl_rcpt *line;   /* NULL: the file was not read */
	const struct ctl_sender *from; /* likewise */
};

struct mailq_message {
	struct slice name;
	int64_t arrived; /* Unix time */
	bool has_file;	 /* what comes now is known */
	uint64_t size;	 /* of the message file */
	uint64_t inode;	 /* likewise, for its spool id */
	int64_t mtime;
	long mtime_ns;
	struct slice sender; /* of the first recipient; <>: empty */
	const struct ctl *ctl;
	struct slice text;	  /* of the control file */
	struct mailq_rcpt *rcpts; /* those that were asked for, by offset */
	size_t n_rcpts;
};

/* The body of the first field of that name in the header; empty: none. */
struct slice mailq_message_field(const struct mailq_message *m,
				 const char *name);

/* Its Message-ID: of the header, or as the control file names it for logs. */
struct slice mailq_message_id(const struct mailq_message *m);

#endif

/*
 * message.h - the message file: where the body comes from.
 *
 * Only the body is read, from the control file's `o` offset on; the header
 * to send comes from the control file. Specification: control file format,
 * sections 1.2 and 2.3.
 */
#ifndef SPOOL_MESSAGE_H
#define SPOOL_MESSAGE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

struct message {
	int fd; /* -1 once closed */
	uint64_t inode, size;
	int64_t mtime; /* seconds; the arrival time */
	long mtime_ns;
	uint64_t body_offset;
	uint64_t position; /* next byte that message_read() reads */
};

enum message_verdict {
	MESSAGE_OK,
	MESSAGE_MISSING,   /* no such file: permanent */
	MESSAGE_IRREGULAR, /* not a regular file: permanent */
	MESSAGE_UNREADABLE /* any other reason: temporary; err says why */
};

/*
 * Opens path (relative to the current directory) without following a link at
 * its end and without blocking on a FIFO. *ret is given to the caller, who
 * calls message_close(). A link, directory, FIFO, socket or device is
 * MESSAGE_IRREGULAR; a body offset beyond the file's end MESSAGE_UNREADABLE.
 * err is filled unless MESSAGE_OK.
 */
MUST_USE enum message_verdict message_open(const char *path,
					   uint64_t body_offset,
					   struct message *ret,
					   struct err *err);

/*
 * Adds up to max bytes of body to *to, from the position on. Returns the
 * number of bytes, which is below max only at the end (0 from then on), or -1
 * with err filled and *to as it was. The file having shrunk since
 * message_open() is an error, so that a cut message is never taken for a
 * whole one. What was appended since is not read. One system call.
 */
MUST_USE ssize_t message_read(struct message *m, size_t max, struct str *to,
			      struct err *err);

/* Number of body bytes. */
uint64_t message_body_size(const struct message *m);

/* Starts again at the first byte of the body. */
void message_rewind(struct message *m);

/* Closes the file; a second call, or one on a zero struct, does nothing. */
void message_close(struct message *m);

#endif

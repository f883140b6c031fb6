/*
 * client.h - the scheduler's socket (scheduler(8)), from the asking side.
 *
 * Requests are lines; each answer is lines, and then "ok" or "error: TEXT".
 * Several requests may be sent before the first answer is read, so that a
 * thousand commands do not make a thousand waits. Every wait has a deadline.
 */
#ifndef MAILQB_CLIENT_H
#define MAILQB_CLIENT_H

#include "base/err.h"
#include "base/slice.h"

struct mailq_client; /* opaque */

/*
 * Connects to dir/name. key_fd: a wait ends when it becomes readable; -1:
 * none. NULL, with err: ENOENT or ECONNREFUSED in err->code if no scheduler
 * runs. Given to the caller, who calls mailq_client_free().
 */
MUST_USE struct mailq_client *mailq_client_new(const char *dir,
					       const char *name, int key_fd,
					       struct err *err);

/* Closes; NULL is allowed. */
void mailq_client_free(struct mailq_client *c);

/*
 * Sends a request, a line without its LF. It may hold no control byte. -1,
 * with err: it does, or the connection is lost.
 */
MUST_USE int mailq_client_ask(struct mailq_client *c, struct slice request,
			      struct err *err);

enum mailq_heard {
	MAILQ_LINE,	  /* of the answer */
	MAILQ_OK,	  /* its end */
	MAILQ_REFUSED,	  /* its end: err says why; EACCES: we may not ask */
	MAILQ_LOST,	  /* no more will come; err */
	MAILQ_INTERRUPTED /* key_fd is readable, or a signal came */
};

/*
 * The next line of the oldest answer that is still to be read. *ret is
 * borrowed until the next call, and only set for MAILQ_LINE.
 */
MUST_USE enum mailq_heard mailq_client_next(struct mailq_client *c,
					    struct slice *ret, struct err *err);

#endif

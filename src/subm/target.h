/*
 * target.h - where submitted messages go: into the spool at once (direct.h),
 * or to the process that may write there (client.h).
 *
 * Messages come one after the other: begin, feed..., then end or drop. What
 * became of those that ended is told by finish(), in their order, at the
 * latest: until then none counts as accepted. All give EX_OK or an exit code
 * and err. An error in begin(), feed() or end() concerns this message alone,
 * and drop() must follow; unless err->code is EPIPE, and no further one can
 * be given.
 */
#ifndef SUBM_TARGET_H
#define SUBM_TARGET_H

#include "subm/envelope.h"

/* Is told of each message: EX_OK and its id, or an exit code and the reason. */
struct subm_ear {
	void *context;
	void (*tell)(void *context, int code, struct slice text);
};

struct subm_target {
	void *context;
	/* The request is borrowed until the message ends. */
	int (*begin)(void *context, struct subm_request *request,
		     struct err *err);
	int (*feed)(void *context, struct slice bytes, struct err *err);
	int (*end)(void *context, struct err *err);
	void (*drop)(void *context);
	int (*finish)(void *context, const struct subm_ear *ear,
		      struct err *err);
};

#endif

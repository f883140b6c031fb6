/*
 * intake.h - one message on its way into the spool, in any chunking.
 *
 * Feed bytes, then end. The header is read before anything is created; the
 * body then streams into the message file, so memory does not depend on its
 * size. Whatever goes wrong, nothing of the message can be seen in the spool.
 * A message is queued alone, or staged in a group that somebody else settles
 * (spool/create.h).
 */
#ifndef SUBM_INTAKE_H
#define SUBM_INTAKE_H

#include "spool/create.h"
#include "spool/room.h"
#include "subm/envelope.h"

/* What holds for all messages; borrowed. */
struct subm_site {
	const char *postoffice;
	unsigned hash_levels;
	struct slice host_name; /* of this machine */
	struct slice
	    mail_name; /* behind '@' where there is nothing; or empty */
	const struct routes *routes; /* may be NULL */
	uint64_t size_max;	     /* bytes of a message; 0: no limit */
	size_t rcpts_max;	     /* 0: no limit */
	struct spool_reserve reserve;
};

struct subm_intake; /* opaque */

/*
 * A new message; given to the caller, who calls subm_intake_free(). The
 * request is borrowed, and completed: names, routes and time are the site's.
 * `group` is the office of a group, or NULL for a message alone.
 */
struct subm_intake *subm_intake_new(const struct subm_site *site,
				    struct create_office *group,
				    struct subm_request *request);

/*
 * What can be said before the first byte: the envelope is checked, unless the
 * recipients are in the header. Exit codes as below.
 */
MUST_USE int subm_intake_begin(struct subm_intake *i, struct err *err);

/*
 * Takes the next bytes. EX_OK; else an exit code and err, and the message
 * cannot be accepted any more: EX_DATAERR, EX_USAGE, EX_NOPERM, EX_CONFIG,
 * EX_NOUSER for what was submitted; EX_TEMPFAIL or EX_CANTCREAT for the spool.
 */
MUST_USE int subm_intake_feed(struct subm_intake *i, struct slice bytes,
			      struct err *err);

/*
 * The message is whole. After EX_OK it is accepted or, in a group, staged, and
 * the request is not looked at any more.
 */
MUST_USE int subm_intake_end(struct subm_intake *i, struct err *err);

/* The spool id, once it has ended. Borrowed. */
struct slice subm_intake_id(const struct subm_intake *i);

/* The staged message, for create_settle(). */
struct create *subm_intake_file(struct subm_intake *i);

/* Frees it; what was neither accepted nor settled is removed. */
void subm_intake_free(struct subm_intake *i);

/* The exit code for trouble of the spool. */
int subm_spool_trouble(const struct err *err);

#endif

/*
 * recover.h - end what was begun when the system went down or was killed.
 *
 * To be called at the start of the process that stages messages, before its
 * first, and by one process at a time. Files of others that are at work stay:
 *
 *  * a staged control file (spool/create.h) whose message and itself are
 *    whole is made visible, since its sender may have been told so; any other
 *    was never accepted, and goes with its message;
 *  * for the rest, see spool/sweep.h.
 */
#ifndef SPOOL_RECOVER_H
#define SPOOL_RECOVER_H

#include "spool/create.h"

enum { RECOVER_ORPHAN_AGE = 3600 }; /* seconds; what programs pass */

struct recovered {
	size_t published; /* messages made visible */
	size_t removed;	  /* files of messages that were never accepted */
	size_t left;	  /* orphans, too many to believe it: see sweep.h */
};

/*
 * Cleans the spool below postoffice, whose directories o has open. orphan_age
 * in seconds. Returns -1, err saying why, if the spool cannot be read or what
 * was staged cannot be made durable.
 */
MUST_USE int spool_recover(const char *postoffice,
			   const struct create_office *o, int64_t orphan_age,
			   struct recovered *ret, struct err *err);

#endif

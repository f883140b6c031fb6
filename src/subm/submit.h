/*
 * submit.h - read a message from a descriptor and put it into the spool.
 *
 * The header is read before anything is created; the body then streams into
 * the message file, so memory does not depend on its size. Whatever goes
 * wrong, nothing of the message can be seen in the spool; what can be seen is
 * whole and durable (spool/create.h).
 */
#ifndef SUBM_SUBMIT_H
#define SUBM_SUBMIT_H

#include "subm/envelope.h"

struct subm_job {
	const struct subm_envelope *envelope;
	const char *postoffice;
	unsigned hash_levels;
	struct slice host_name; /* for the log identity of mail without one */
	int in_fd;		/* the message, to its end of file */
	int stop_fd;		/* readable: give up; -1: none */
};

/*
 * Reads the message and queues it. Returns EX_OK after adding the spool id to
 * *ret_spool_id: from then on the message is accepted. Otherwise it is not,
 * err says why, and the exit code is EX_IOERR (the input cannot be read),
 * EX_DATAERR (its header cannot be used), EX_TEMPFAIL (the spool is full or
 * the system short of something; or stop_fd became readable, err->code being
 * EINTR) or EX_CANTCREAT (the spool cannot be written).
 */
MUST_USE int subm_submit(const struct subm_job *job, struct str *ret_spool_id,
			 struct err *err);

#endif

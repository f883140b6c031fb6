/*
 * submit.h - read messages from a descriptor and submit them.
 *
 * One message to its end of file, or a batch of them (bsmtp.h). Where they go
 * is the target's matter. Memory does not depend on their size.
 */
#ifndef SUBM_SUBMIT_H
#define SUBM_SUBMIT_H

#include "subm/target.h"

struct subm_input {
	int in_fd;	  /* read to its end of file */
	int stop_fd;	  /* readable: give up; -1: none */
	bool ends_at_dot; /* one message: a line with a lone dot ends it too */
};

/*
 * Submits one message. Returns EX_OK after the ear had its id: from then on it
 * is accepted. Otherwise it is not, err says why, and the exit code is that of
 * the target or EX_IOERR (the input cannot be read) or EX_TEMPFAIL (stop_fd
 * became readable, err->code being EINTR).
 */
MUST_USE int subm_submit(const struct subm_input *input,
			 struct subm_request *request,
			 const struct subm_target *target,
			 const struct subm_ear *ear, struct err *err);

/*
 * Submits a batch; what its MAIL commands do not say is taken from base. Each
 * message is told of; a command or message that cannot be used as well, and
 * the others go on. Returns EX_OK if all were accepted, else the exit code of
 * the first that was not, err saying why.
 */
MUST_USE int subm_submit_batch(const struct subm_input *input,
			       const struct subm_request *base,
			       const struct subm_target *target,
			       const struct subm_ear *ear, struct err *err);

#endif

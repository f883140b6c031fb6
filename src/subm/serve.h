/*
 * serve.h - the trusted process that queues what ordinary users submit.
 *
 * It listens on $POSTOFFICE/submit.socket, knows from the kernel who is at the
 * other end, copies what comes into files of its own and checks everything. A
 * submitter hands over bytes, never a file, a name or an id. Messages that end
 * while the disk is busy with others share the next wait for it.
 *
 * It is one loop in one process that blocks while the disk is written, so it
 * is to be run by a process of its own: a program, or a child of one.
 */
#ifndef SUBM_SERVE_H
#define SUBM_SERVE_H

#include "subm/intake.h"
#include "subm/settings.h"

struct subm_serve_options {
	const struct subm_site *site; /* its limits are those of root */
	struct slice trusted;	      /* TRUSTEDUSER */
	struct subm_limits limits;    /* of everybody else */
	subm_find_uid *find_uid;
	/* Fills login and full name of a user, in a; false: there is none. */
	bool (*find_user)(uid_t uid, struct arena *a, struct slice *ret_login,
			  struct slice *ret_name);
	int stop_fd; /* readable: end */
};

/*
 * Cleans the spool (spool/recover.h), then serves until stop_fd is readable;
 * messages that have ended are still answered, the others are removed. Logs
 * what a postmaster should know. Returns EX_OK, or EX_TEMPFAIL if another
 * process serves this spool, EX_CANTCREAT or EX_OSERR, err saying why.
 */
MUST_USE int subm_serve(const struct subm_serve_options *o, struct err *err);

#endif

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
#include "subm/people.h"
#include "subm/settings.h"

/* All that configuration says; it holds until it is read again. */
struct subm_rules {
	struct arena *arena;	   /* of all of this; given */
	struct subm_site site;	   /* its limits are those of root */
	const char *routes_file;   /* whence its routes are */
	struct slice trusted;	   /* TRUSTEDUSER */
	struct subm_limits limits; /* of everybody else */
};

/* Reads the configuration. EX_OK; else nothing is given, and err says why. */
typedef int subm_read_rules(void *context, struct subm_rules *ret,
			    struct err *err);

struct subm_serve_options {
	subm_read_rules *read_rules; /* at the start, and later on demand */
	void *context;
	struct subm_people_source people;
	int stop_fd;   /* readable: end */
	int reload_fd; /* readable: read the rules again; it is emptied */
	const char *manager_socket; /* NOTIFY_SOCKET of systemd; or NULL */
	size_t max_connections;	    /* of all; each needs three descriptors */
};

/*
 * Cleans the spool (spool/recover.h), then serves until stop_fd is readable.
 * Then nobody is let in any more, who is within a message may end it unless
 * that takes long, and what has ended is answered. Logs what a postmaster
 * should know. Returns EX_OK, or EX_TEMPFAIL if another process serves this
 * spool, EX_CANTCREAT or EX_OSERR, or what read_rules() returned, err saying
 * why.
 */
MUST_USE int subm_serve(const struct subm_serve_options *o, struct err *err);

#endif

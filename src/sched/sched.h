/*
 * sched.h - the scheduler's body: it finds control files, has agents work on
 * them, reports what became of them and removes them.
 *
 * The queue (room queue) decides; here are its hands. Everything runs in one
 * thread around one event loop; nothing waits but for the disk.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "base/err.h"
#include "conf/zenv.h"

/* Where commands are taken, below the postoffice; see sched/control.c. */
#define SCHED_SOCKET ".scheduler.socket"

struct sched_options {
	const struct zenv *zenv;
	const char *postoffice;	 /* absolute */
	const char *config_file; /* scheduler.conf */
	const char *agents_dir;	 /* where programs without a '/' lie */
	const char *launcher;	 /* zlaunch */
	const char *host_name;	 /* of this machine, in reports */
	/* NAME=value words that agents get besides those of the protocol. */
	const char *const *environment;
	size_t n_environment;
	const char *manager_socket; /* NOTIFY_SOCKET of systemd; or NULL */
	unsigned hash_levels;	    /* of reports that are queued */
	unsigned scan_seconds;	    /* between looks at the whole spool */
	unsigned start_rate;	    /* agents started in a second */
	const char *events_file;    /* JSON lines are appended; NULL: none */
};

/*
 * Works until TERM or INT asks it to stop, and every agent has ended. Returns
 * what the program is to exit with: EX_OK; EX_CONFIG if the configuration
 * cannot be used; EX_UNAVAILABLE if another scheduler serves the postoffice;
 * EX_OSERR or EX_OSFILE, err saying why.
 */
MUST_USE int sched_run(const struct sched_options *o, struct err *err);

#endif

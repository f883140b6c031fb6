/*
 * sched.h - the scheduler's body: it finds control files, has agents work on
 * them, reports what became of them and removes them.
 *
 * The queue (room queue) decides; here are its hands. Everything runs in one
 * thread around one event loop, which waits for the disk alone, and not for
 * it to be synced: that is left to threads that do nothing else.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "base/err.h"
#include "conf/zenv.h"

/* Where commands are taken, below the postoffice; see sched/control.c. */
#define SCHED_SOCKET ".scheduler.socket"

struct sched_options {
	const struct zenv *zenv;
	const char *version;	 /* of the program */
	const char *postoffice;	 /* absolute */
	const char *config_file; /* scheduler.conf */
	const char *agents_dir;	 /* where programs without a '/' lie */
	const char *launcher;	 /* zlaunch */
	const char *host_name;	 /* of this machine, in reports */
	const char *mail_name;	 /* behind the '@' of its own addresses */
	const char *routes_file; /* routes.conf: where reports go */
	/* NAME=value words that agents get besides those of the protocol. */
	const char *const *environment;
	size_t n_environment;
	const char *manager_socket;  /* NOTIFY_SOCKET of systemd; or NULL */
	unsigned hash_levels;	     /* of reports that are queued */
	unsigned scan_seconds;	     /* between looks at the whole spool */
	unsigned start_rate;	     /* agents started in a second */
	const char *submit_program;  /* that we run as a service; NULL: none */
	const char *events_file;     /* JSON lines are appended; NULL: none */
	const char *statistics_file; /* of -l; NULL: none */
	const char *metrics; /* where HTTP is served: sched/scrape.c; NULL */
	void (*reopen_log)(void); /* the log was rotated; NULL: no file */
};

/* Is this something that `metrics` can be? */
MUST_USE bool sched_metrics_is_place(const char *where);

/*
 * Works until TERM or INT asks it to stop, and every agent has ended. Returns
 * what the program is to exit with: EX_OK; EX_CONFIG if the configuration
 * cannot be used; EX_UNAVAILABLE if another scheduler serves the postoffice;
 * EX_OSERR or EX_OSFILE, err saying why.
 */
MUST_USE int sched_run(const struct sched_options *o, struct err *err);

#endif

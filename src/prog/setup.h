/*
 * setup.h - what both agents do before their body begins.
 *
 * Only prog reads the environment and exits.
 */
#ifndef PROG_SETUP_H
#define PROG_SETUP_H

#include "agent/agent.h"
#include "base/arena.h"
#include "conf/zenv.h"

/*
 * Opens /dev/null for standard descriptors that are closed: a control file
 * that became descriptor 1 would have reports written into it. The first
 * thing to be called.
 */
void setup_descriptors(void);

/*
 * Reads zmailer.conf as ZCONFIG in the environment says; a warning goes to
 * the log. Lives in a.
 */
struct zenv *setup_zenv(struct arena *a);

/*
 * The path of another program that lies where this one lies, whatever it was
 * called as; in a. Exits with EX_OSFILE if the system does not tell.
 */
const char *setup_beside(const char *name, struct arena *a);

/*
 * Fills what every agent needs: descriptors 0 and 1, pids, clock, and the
 * ta-id "PROGRAM[PID]" (in a). Raises the soft limit of open files, which the
 * scheduler keeps low, to what n_jobs jobs at once may want, as far as the
 * hard limit lets it, and catches signals. Exits with EX_TEMPFAIL, naming
 * kernel.pid_max, if no pid fits the lock slots under a foreign scheduler.
 */
struct agent_options setup_agent(const char *program, unsigned n_jobs,
				 struct arena *a);

/*
 * Sends a line for each final report to the syslog daemon that listens at
 * path, in the form that SYSLOGFLG asks for; has_conversion: with cvt=. Gives
 * what syslog_free() is to have at the end; it may be NULL.
 */
struct syslog *setup_syslog(struct agent_options *o, const struct zenv *z,
			    const char *path, bool has_conversion);

#endif

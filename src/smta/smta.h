/*
 * smta.h - the body of sm(8): jobs in, programs run, reports out.
 */
#ifndef SMTA_SMTA_H
#define SMTA_SMTA_H

#include "agent/agent.h"
#include "conf/smconf.h"
#include "smta/options.h"

/* A mailer's entry, understood; what it borrows lives in the arena. */
struct smta_mailer {
	struct smconf_mailer entry;
	unsigned flags;	      /* SMTA_..., those of -8 among them */
	const char *path;     /* expanded and absolute */
	char *const *limits;  /* words for zlaunch, ending in NULL, or NULL */
	bool expand_tabs;     /* RFC822TABS is not set, or 0 */
	bool has_for_clause;  /* NORECEIVEDFORCLAUSE is not set */
	struct slice charset; /* DEFCHARSET, or empty */
};

/*
 * Reads the configuration and understands the mailer's entry; complaints
 * about its flags, and warnings, go to the log. -1 with err, naming file and
 * line, if it cannot be used: the program is to exit with EX_OSFILE before it
 * has said anything to the scheduler.
 */
MUST_USE int smta_setup(const struct smta_options *o, struct arena *a,
			struct smta_mailer *ret, struct err *err);

/*
 * Tries whether all the limits that are asked for can be had here, by running
 * zlaunch; what it warns of goes to the log. -1 with err if they cannot: the
 * program is to exit with EX_OSFILE before it has said anything to the
 * scheduler. SIGPIPE must be ignored, SIGCHLD not.
 */
MUST_USE int smta_check_limits(const struct smta_options *o,
			       const struct smta_mailer *mailer,
			       struct err *err);

/*
 * Takes jobs until the scheduler, or a signal, ends it. A signal lets the
 * message in hand be finished first. Returns what the program is to exit
 * with.
 */
int smta_run(struct agent *agent, const struct smta_options *o,
	     const struct smta_mailer *mailer);

#endif

/*
 * run.h - the body of tlsrpt(8): reports of all days that are over.
 *
 * Which reports are due, what they count and what was sent stands in the
 * store. A report is taken there before anything of it is sent, and each
 * destination is noted as soon as it has it: who runs twice sends nothing
 * twice, and who is killed sends at most one thing again, under the same id.
 */
#ifndef TLSRPT_RUN_H
#define TLSRPT_RUN_H

#include "tlsrpt/options.h"

/* The outside world, handed in. */
struct tlsrpt_world {
	int64_t (*now)(void); /* seconds since 1970 */
	void (*random)(void *to, size_t n);
	int out_fd; /* where --dry-run writes */
};

enum {
	TLSRPT_TRY_FOR = 24 * 3600, /* seconds after the first try (5.5) */
	TLSRPT_MARGIN = 5 * 60	    /* seconds until a day is really over */
};

/*
 * Sends what is due. Returns EX_OK; EX_TEMPFAIL if something is to be tried
 * again, or the store cannot be used; EX_IOERR if out_fd cannot be written.
 */
int tlsrpt_run(const struct tlsrpt_options *o, const struct tlsrpt_world *w);

#endif

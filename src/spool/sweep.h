/*
 * sweep.h - remove what was left in the spool by who died on the way.
 *
 *  * a temporary file (spool/create.h), once the process in its name is dead;
 *  * a message file without a control file, once it has been so for a time in
 *    which nobody can be about to write one.
 *
 * Neither can be delivered, so that the only gain is room on the disk, and
 * where in doubt they stay: if a control file is staged for spool_recover();
 * also if there is no control file at all, but many message files, since then
 * transport/ is hardly what it should be (not mounted, say).
 *
 * A spool may be large: it is swept some files at a time.
 */
#ifndef SPOOL_SWEEP_H
#define SPOOL_SWEEP_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum {
	SWEEP_ORPHAN_AGE = 4 * 3600, /* seconds; what the scheduler passes */
	SWEEP_DOUBT = 100 /* so many orphans and nothing else are left alone */
};

struct sweep; /* opaque */

struct swept {
	size_t removed; /* files */
	size_t left;	/* orphans of which there were too many to believe it */
	size_t staged;	/* files that spool_recover() would see to */
};

/* Given, or NULL with err: the spool cannot be opened. */
struct sweep *sweep_new(const char *postoffice, int64_t orphan_age,
			struct err *err);

/* NULL is allowed. */
void sweep_free(struct sweep *w);

/*
 * Looks at n names. 1: there is more to do; 0: that was all, *ret is filled;
 * -1 with err: a directory cannot be read, and nothing more will be done.
 */
MUST_USE int sweep_some(struct sweep *w, size_t n, struct swept *ret,
			struct err *err);

#endif

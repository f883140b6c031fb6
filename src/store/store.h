/*
 * store.h - what the agents of a host share on disk: one sqlite database.
 *
 * It lies in a folder of its own (below $MAILVAR), DIR/store.db, with what
 * sqlite keeps beside it and DIR/store.lock, which guards opening. Nothing is
 * touched until the first call that needs it. A folder or file that is
 * missing is made, for its owner alone (0700, 0600); a symbolic link, a file
 * of another owner, and one that others may change or read are refused.
 *
 * Everything in it is a cache or a count: mail never depends on it. Whatever
 * goes wrong is an error text given back, and the caller goes on without; no
 * call waits longer than STORE_WAIT_MS for another process, and after a
 * failure no call tries again for STORE_PAUSE_MS, but gives the text of that
 * failure. A database that is broken is moved aside (store.db.bad) and begun
 * anew. A process that is killed in the middle of a call, or a disk that is
 * full, leaves everything as it was before that call; what was written last
 * may be gone after a power failure, as if it had never been.
 *
 * A store belongs to the process that used it first: a child made by fork(2)
 * gets errors from then on, since sqlite's locks are not inherited. It may
 * make a store of its own only if its parent had not used one on that folder.
 *
 * The parts: stspolicies.h, tlssessions.h, tlsresults.h.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "base/slice.h"

enum {
	STORE_WAIT_MS = 1000,
	STORE_PAUSE_MS = 10 * 1000,
};

struct store; /* opaque */

/* A store in the folder dir, which is copied; its parent must be there. */
struct store *store_new(const char *dir);

/* Closes it, and frees it; NULL is allowed. */
void store_free(struct store *s);

/*
 * Opens it now, for whoever wants to know whether it works. Returns 0, or -1
 * with err filled.
 */
MUST_USE int store_open(struct store *s, struct err *err);

/*
 * Was a broken database moved aside since this was last asked? Then *ret is
 * the text of it, for the log.
 */
bool store_was_mended(struct store *s, struct err *ret);

#endif

/*
 * outage.h - the host that could not be spoken to a moment ago.
 *
 * Jobs that were already fed for such a host are put off with the same words,
 * without asking it again for OUTAGE_MS. One host is remembered, the last.
 * Mail that asks for other security than the mail that found it out may find a
 * way all the same, so that an outage counts for its like alone.
 */
#ifndef SMTPTA_OUTAGE_H
#define SMTPTA_OUTAGE_H

#include "dsn/diag.h"
#include "policy/tls.h"

enum { OUTAGE_MS = 60 * 1000 };

struct outage; /* opaque */

/* There is none yet. now: milliseconds, conn_now(). Given to the caller. */
struct outage *outage_new(int64_t (*now)(void));

/* NULL is allowed. */
void outage_free(struct outage *o);

/*
 * The host could not be spoken to for mail of this kind. All is copied;
 * returns the copy of why, which lives until the next call.
 */
const struct diag *outage_begin(struct outage *o, struct slice host,
				enum tls_request request,
				const struct diag *why);

/*
 * Why the host is not to be asked for such mail now; NULL: it may be. Borrowed
 * until the next outage.
 */
const struct diag *outage_of(const struct outage *o, struct slice host,
			     enum tls_request request);

/* There is mail for a host: an outage of any other one is forgotten. */
void outage_turn_to(struct outage *o, struct slice host);

/* A host was spoken to: whatever was out may be back. */
void outage_end(struct outage *o);

#endif

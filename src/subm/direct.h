/*
 * direct.h - messages into the spool, for who may write there.
 *
 * One message is synced by itself; of several each is staged, and finish()
 * settles all with one wait for the disk. Descriptors are held for the message
 * under way alone.
 */
#ifndef SUBM_DIRECT_H
#define SUBM_DIRECT_H

#include "subm/intake.h"
#include "subm/target.h"

struct subm_direct; /* opaque */

/*
 * Opens the spool, borrowing site. is_group: several messages are to come.
 * Given to the caller, who calls subm_direct_free(). NULL: it cannot be opened.
 */
struct subm_direct *subm_direct_new(const struct subm_site *site, bool is_group,
				    struct err *err);

/* Its functions; valid as long as it lives. */
struct subm_target subm_direct_target(struct subm_direct *d);

/* Removes what was not accepted. */
void subm_direct_free(struct subm_direct *d);

#endif

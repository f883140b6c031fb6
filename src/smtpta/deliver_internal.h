/*
 * deliver_internal.h - what deliver.c and deliver_add.c share.
 */
#ifndef SMTPTA_DELIVER_INTERNAL_H
#define SMTPTA_DELIVER_INTERNAL_H

#include "smtpta/deliver.h"

/* Notes the end of a recipient (index into the job's); settled with others. */
void deliver_outcome(const struct deliver *x, struct batch *b, size_t rcpt,
		     const struct diag *d);

/* Has the recipient ended, or been put off to the next transaction? */
bool deliver_has_outcome(const struct batch *b, size_t rcpt);

/* Makes room for the results of one more try, in the job's arena. */
void deliver_make_room(struct batch *b);

/*
 * Settles a batch: recipients without an outcome get d, which may be NULL if
 * there are none. What a limit on recipients left over goes in a batch behind.
 */
void deliver_end_batch(struct deliver *x, struct batch *b,
		       const struct diag *d);

/* Is there another host that may be asked to take it in this attempt? */
bool deliver_may_go_on(const struct deliver *x, const struct batch *b);

/*
 * The host we are connected to cannot take a batch that the engine does not
 * have. `why`, which lives in the job's arena, becomes its recipients' end if
 * no other host of the destination can take it; if one of those is out of
 * reach, they are deferred instead.
 */
void deliver_unsuited(struct deliver *x, struct batch *b,
		      const struct diag *why);

#endif

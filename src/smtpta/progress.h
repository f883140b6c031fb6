/*
 * progress.h - tells the scheduler how far a message is that takes long, in
 * comment lines of its own kind (smtp(8), INTERFACE):
 *
 *	"#progress" SP JSON LF
 */
#ifndef SMTPTA_PROGRESS_H
#define SMTPTA_PROGRESS_H

#include "agent/agent.h"
#include "smtpta/options.h"
#include "smtpta/session.h"

struct progress; /* opaque */

/* NULL if the options want no such lines. Given; the agent is borrowed. */
struct progress *progress_new(const struct smtpta_options *o, struct agent *a);

/* NULL is allowed. */
void progress_free(struct progress *p);

/* What a session is to tell; NULL for NULL. Borrowed. */
const struct session_watcher *progress_watcher(const struct progress *p);

#endif

/*
 * attempts.h - where attempt records go: -O attempts=FILE, -O attempts=-.
 *
 * A record for a file is appended as soon as its attempt is over. One for the
 * scheduler is a line "#attempt JSON" behind the reports of its recipients,
 * and waits with them for the turn of its job.
 */
#ifndef SMTPTA_ATTEMPTS_H
#define SMTPTA_ATTEMPTS_H

#include "agent/agent.h"
#include "smtpta/options.h"
#include "smtpta/recorder.h"

struct attempts; /* opaque */

/*
 * NULL if the options want no records. A file that cannot be written is told
 * once, in a comment line, until it can be written again. Given to the
 * caller; options and agent are borrowed.
 */
struct attempts *attempts_new(const struct smtpta_options *o, struct agent *a);

/* NULL is allowed. */
void attempts_free(struct attempts *x);

/* The recorder that feeds it; NULL for NULL. Borrowed. */
struct recorder *attempts_recorder(struct attempts *x);

#endif

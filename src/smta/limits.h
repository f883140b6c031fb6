/*
 * limits.h - the limits of a mailer: asked for by -O, set by zlaunch.
 *
 * The words of -O are those of proc/launch.h. Without any the mailer is
 * executed directly.
 */
#ifndef SMTA_LIMITS_H
#define SMTA_LIMITS_H

#include "base/arena.h"
#include "smta/options.h"

/* All limits as struct proc_command wants them, in a; NULL: there are none. */
char *const *limits_words(const struct smta_options *o, struct arena *a);

/* The user that limits ask for, as written; empty if they do not. */
struct slice limits_user(const struct smta_options *o);

#endif

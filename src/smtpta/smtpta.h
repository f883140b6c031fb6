/*
 * smtpta.h - the body of smtp(8): lines in, messages out, reports back.
 */
#ifndef SMTPTA_SMTPTA_H
#define SMTPTA_SMTPTA_H

#include "agent/agent.h"
#include "smtpta/options.h"

/*
 * Takes job lines until the scheduler is done with us; returns the exit
 * status. Everything is borrowed.
 */
int smtpta_run(const struct smtpta_options *o, struct agent *a);

#endif

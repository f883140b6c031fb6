/*
 * errlog.h - lines to standard error, for which nobody ever waits.
 *
 * A pipe that nobody reads, a full disk, a reader that is gone: then lines are
 * lost, and how many is said once there is room again.
 */
#ifndef PROG_ERRLOG_H
#define PROG_ERRLOG_H

#include "base/slice.h"

/* Writes a line, which has no LF; long ones are cut. */
void errlog_write(struct slice line);

#endif

/*
 * spoolid.h - the name of a message in logs and VERP senders.
 *
 * Computed from the message file's inode number and mtime; specification:
 * control file format, section 9.
 */
#ifndef SPOOL_SPOOLID_H
#define SPOOL_SPOOLID_H

#include "base/str.h"

/*
 * Adds the spool id of a message file: its inode number and its time of last
 * modification, in seconds since 1970 (UTC) and nanoseconds (0..999999999).
 */
void spoolid_print(struct str *to, uint64_t inode, int64_t seconds,
		   long nanoseconds);

#endif

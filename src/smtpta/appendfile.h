/*
 * appendfile.h - a file that grows by whole lines and may be rotated away.
 *
 * When the file was renamed or removed, a new one is made under its name; that
 * is looked for at most once a second. What cannot be written is lost: a full
 * disk must not stop the mail.
 */
#ifndef SMTPTA_APPENDFILE_H
#define SMTPTA_APPENDFILE_H

#include "base/err.h"
#include "base/slice.h"

struct appendfile; /* opaque */

/* Nothing is opened yet. path is borrowed. Given to the caller. */
struct appendfile *appendfile_new(const char *path);

/* Closes; NULL is allowed. */
void appendfile_free(struct appendfile *f);

/*
 * Appends lines, each ended by LF, with one write; makes the file (mode 0640)
 * if it is not there. `now` is in milliseconds of any clock that does not go
 * back. Returns 0, or -1, err filled, if they are lost. Never blocks on a
 * FIFO without a reader.
 */
MUST_USE int appendfile_add(struct appendfile *f, struct slice lines,
			    int64_t now, struct err *err);

#endif

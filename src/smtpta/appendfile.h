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

#include <sys/types.h>

struct appendfile; /* opaque */

/*
 * Nothing is opened yet; the file is made with this mode. path is borrowed.
 * Given to the caller.
 */
struct appendfile *appendfile_new(const char *path, mode_t mode);

/* Closes; NULL is allowed. */
void appendfile_free(struct appendfile *f);

/*
 * Opens it as appendfile_add() would, and makes it if it is not there: tells
 * early what is wrong with it. `now` is in milliseconds of any clock that does
 * not go back. Returns 0, or -1 with err filled.
 */
MUST_USE int appendfile_open(struct appendfile *f, int64_t now,
			     struct err *err);

/*
 * Appends lines, each ended by LF, with one write. Returns 0, or -1, err
 * filled, if they are lost; the end of a line that was begun is lost alone.
 *
 * A FIFO or device never makes us wait, be it without a reader or with one
 * that sleeps. It gets as many whole lines at once as it takes whole or not at
 * all (PIPE_BUF), so that only a line longer than that can come apart.
 */
MUST_USE int appendfile_add(struct appendfile *f, struct slice lines,
			    int64_t now, struct err *err);

#endif

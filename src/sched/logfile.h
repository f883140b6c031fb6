/*
 * logfile.h - a file of lines that others read, and that nobody waits for.
 *
 * Lines are made whole in memory and written together, once in each turn of
 * the event loop: a busy scheduler makes one system call for many of them, an
 * idle one has nothing that is not written.
 *
 * What cannot be written is dropped by whole lines and counted; the log says
 * so once, and how many it were when the file takes lines again. Of a line of
 * which the file took only the beginning, the rest is kept and goes first, so
 * that no line is ever torn; but for the one that a crash of the machine tore,
 * which is given its end by the next start.
 */
#ifndef SCHED_LOGFILE_H
#define SCHED_LOGFILE_H

#include "base/err.h"
#include "base/str.h"

struct event_base;
struct logfile; /* opaque */

/*
 * Opens or makes (0640) the file; what says which log it is, in messages.
 * Both texts are borrowed. A pipe must have a reader. -1 with err.
 */
MUST_USE int logfile_open(const char *what, const char *path,
			  struct logfile **ret, struct err *err);

/* Is told how many lines were lost, once the file takes lines again. */
void logfile_on_lost(struct logfile *f, void (*tell)(void *context, uint64_t n),
		     void *context);

/*
 * Where the next line is to be added; and: it is whole, with its LF. It is
 * written at the end of this turn of the loop, at once if base is NULL.
 */
struct str *logfile_buffer(struct logfile *f);
void logfile_added(struct logfile *f, struct event_base *base);

/* Writes what waits. */
void logfile_flush(struct logfile *f);

/*
 * Opens the file anew, since it may have been renamed; if that fails, the log
 * says so and the one before is kept. NULL is allowed.
 */
void logfile_reopen(struct logfile *f);

/* Lines since the start: those written, and those lost. */
void logfile_counts(const struct logfile *f, uint64_t *ret_lines,
		    uint64_t *ret_lost);

/* Writes what waits and closes; NULL is allowed. */
void logfile_close(struct logfile *f);

#endif

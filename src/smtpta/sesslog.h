/*
 * sesslog.h - the session log of smtp -l.
 *
 *	line = pid start "-" count "-" seconds TYPE TAB text LF
 *
 * TYPE is '#' (remark), 'w' (sent) or 'r' (received). Lines are collected and
 * appended whole by sesslog_flush(), so that several agents can share one
 * file. Content of messages is never logged.
 */
#ifndef SMTPTA_SESSLOG_H
#define SMTPTA_SESSLOG_H

#include "base/err.h"
#include "base/str.h"

struct sesslog; /* opaque */

/*
 * Opens the file for append (mode 0644 when it is made). *ret is given to the
 * caller. -1, err filled, if it cannot be opened: the agent goes on without.
 */
MUST_USE int sesslog_open(const char *file, struct sesslog **ret,
			  struct err *err);

/* Flushes and closes; NULL is allowed, here and below. */
void sesslog_close(struct sesslog *log);

/* Adds one line, made printable. */
void sesslog_line(struct sesslog *log, char type, struct slice text);
void sesslog_printf(struct sesslog *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends what was collected with one write. */
void sesslog_flush(struct sesslog *log);

#endif

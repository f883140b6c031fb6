/*
 * verbose.h - the verbose log that a control file's `v` line asks for.
 *
 *	line = "YYYY-MM-DD hh:mm:ss" SP PROGRAM "[" PID "]" SP TYPE TAB text LF
 *
 * TYPE is 'w' (said to the other side), 'r' (heard from it) or '#' (remark).
 * Whoever submitted the mail named the file, so it is opened with distrust,
 * and nothing is written there that he may not know: neither content nor
 * what belongs to other messages. Each line is appended by one write(2).
 */
#ifndef AGENT_VERBOSE_H
#define AGENT_VERBOSE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

struct verbose; /* opaque */

/* Which file, for whom; borrowed. */
struct verbose_request {
	const char *path;    /* as the `v` line has it */
	int message_fd;	     /* the message file, whose owner counts */
	const char *program; /* must live as long as the log */
	pid_t pid;
};

/*
 * Opens a file that is there: below ../public/, without symbolic links on the
 * way, regular, with one name only and with the same owner as the message. It
 * is never created and never waited for. *ret is given to the caller. -1, err
 * filled, if it is anything else.
 */
MUST_USE int verbose_open(const struct verbose_request *r, struct verbose **ret,
			  struct err *err);

/* NULL is allowed, here and below. */
void verbose_close(struct verbose *v);

/*
 * Appends one line, made printable but for CR, which is shown as "\r". After
 * a write that failed nothing more is tried.
 */
void verbose_line(struct verbose *v, char type, struct slice text);
void verbose_printf(struct verbose *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

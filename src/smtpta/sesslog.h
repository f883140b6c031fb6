/*
 * sesslog.h - the session log of smtp -l.
 *
 *	line = pid start "-" count "-" seconds TYPE TAB text LF
 *
 * TYPE is '#' (remark), 'w' (sent) or 'r' (received). Lines are collected and
 * appended whole by sesslog_flush(), so that several agents can share one
 * file, which may be rotated away. A full disk or a FIFO that nobody reads must
 * not stop the mail: lines are lost then. Content of messages is never logged.
 */
#ifndef SMTPTA_SESSLOG_H
#define SMTPTA_SESSLOG_H

#include "agent/job.h"
#include "base/err.h"
#include "base/str.h"

struct sesslog; /* opaque */

/*
 * Opens the file for append (mode 0644 when it is made); its name is borrowed.
 * *ret is given to the caller. -1, err filled, if it cannot be opened: the
 * agent goes on without.
 */
MUST_USE int sesslog_open(const char *file, struct sesslog **ret,
			  struct err *err);

/* Flushes and closes; NULL is allowed, here and below. */
void sesslog_close(struct sesslog *log);

/* Whom to tell, once until lines can be written again, that some are lost. */
void sesslog_listen(struct sesslog *log,
		    void (*complain)(void *context, const char *text),
		    void *context);

/* Adds one line, made printable. */
void sesslog_line(struct sesslog *log, char type, struct slice text);
void sesslog_printf(struct sesslog *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds "jobspec: NAME TAB HOST". */
void sesslog_job(struct sesslog *log, struct slice name, struct slice host);

/*
 * Adds what was reported of a recipient:
 *
 *	DIAG: C='channel' H='host' U='user' P='privilege' ID=id/offset L=0
 *	-- stat='status' notary='...' WTT='remote-mta'  MSG='text'
 *
 * The fields of the notary are parted by ^A and the lines of the text by CR,
 * as in a report; other control bytes are made harmless.
 */
void sesslog_settled(struct sesslog *log, const struct agent_settled *done,
		     struct slice ta_id);

/* Appends what was collected with one write. */
void sesslog_flush(struct sesslog *log);

#endif

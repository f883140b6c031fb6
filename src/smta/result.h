/*
 * result.h - from how a mailer ended to what became of its recipients.
 *
 * The rule of exit codes is dsn/sysexits.h's: what is not listed there is
 * temporary. So is everything that went wrong before or beside the mailer's
 * own verdict: it could not be started, it was killed, its input could not be
 * read.
 */
#ifndef SMTA_RESULT_H
#define SMTA_RESULT_H

#include "dsn/diag.h"
#include "proc/proc.h"

/* Longest first line of output in a report, and longest comment, in bytes. */
enum { RESULT_TEXT_MAX = 500 };

/*
 * The outcome of one run. output is what the mailer wrote; its first line
 * begins the report's text, made clean and cut. A status code (RFC 3463) at
 * its start counts if its class fits the exit code. Everything that *ret
 * holds lives in a.
 */
struct diag result_of_run(const struct proc_result *run, struct slice output,
			  struct arena *a);

/*
 * Cuts the next line of output off *rest, without its LF and a CR before it.
 * False when nothing is left.
 */
bool result_next_line(struct slice *rest, struct slice *ret_line);

#endif

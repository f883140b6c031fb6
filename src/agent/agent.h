/*
 * agent.h - the scheduler's side of an agent: lines in, reports out.
 *
 * An agent owns standard input and output. Lines are taken with
 * agent_next_line(); what is to be said is collected and written by
 * agent_flush(), which is called before the agent waits for anything. The
 * contract (scheduler protocol, section 2.1): "#hungry" once at start, then
 * exactly once for each line taken, after all reports of that line, in the
 * order of the lines.
 *
 * Everything the agent needs of the world is in struct agent_options.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/syslog.h"
#include "base/err.h"
#include "base/str.h"
#include "taproto/jobline.h"

#include <sys/types.h>

struct agent_options {
	const char *program; /* "smtp", "sm": for messages */
	int in_fd, out_fd;   /* may be the same open socket */
	pid_t pid, slot_pid; /* our own; the one for lock slots */
	bool has_channel;    /* -c */
	struct slice channel;
	bool has_host; /* a host on the command line */
	struct slice host;
	struct slice ta_id;	    /* for notary fields; may be empty */
	bool sync_always;	    /* -O sync=always */
	int64_t (*wall_time)(void); /* Unix time, seconds */
	struct syslog_sink syslog;  /* all zero: nothing is said there */
};

struct agent;
struct agent_settled; /* agent/job.h */

/* Prints the first "#hungry". *o must outlive the agent. */
struct agent *agent_new(const struct agent_options *o);
void agent_free(struct agent *a);

/* What agent_new() was given. */
const struct agent_options *agent_options(const struct agent *a);

/*
 * Waits until bytes from the scheduler, or its end of file, can be read, or a
 * signal asks us to stop, or timeout_ms (-1: for ever) has passed; then reads
 * once. Flushes first. Returns true if lines or the end may have come.
 */
bool agent_wait(struct agent *a, int timeout_ms);

/* Reads once without waiting; to be called when poll(2) says readable. */
void agent_read(struct agent *a);

/*
 * The next whole line, or false if none is there. *ret is borrowed until the
 * next read. JOBLINE_STOP is given once for the stop line, the end of input
 * or a signal alike, whatever lies behind it; afterwards nothing comes.
 */
MUST_USE bool agent_next_line(struct agent *a, struct jobline *ret);

/* Would agent_next_line() give something? */
bool agent_has_line(const struct agent *a);

/* Takes no further lines: the next one is JOBLINE_STOP. */
void agent_stop(struct agent *a);

/* The same, because of trouble: the program is to exit with this status. */
void agent_give_up(struct agent *a, int exit_status);

/* What the program is to exit with: 0 unless agent_give_up() was called. */
int agent_exit_status(const struct agent *a);

/*
 * Who hears of each recipient's result, after it was written and reported;
 * hear NULL: nobody. agent_tell() is what calls it.
 */
void agent_listen(struct agent *a,
		  void (*hear)(void *context, const struct agent_settled *done),
		  void *context);
void agent_tell(struct agent *a, const struct agent_settled *done);

/* Adds "#hungry". */
void agent_hungry(struct agent *a);

/* Adds "#resync NAME". */
void agent_resync(struct agent *a, struct slice name);

/* Adds a comment line "# PROGRAM:PID: text". */
void agent_comment(struct agent *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds whole lines that were printed elsewhere; see agent/job.h. */
void agent_add(struct agent *a, struct slice lines);

/*
 * Writes everything collected, waiting if the scheduler is slow, though not for
 * more than moments once a signal has come. If the scheduler is gone or does
 * not read then, what could not be said is dropped (the control file holds what
 * matters), nothing is said any more and the agent stops.
 */
void agent_flush(struct agent *a);

/*
 * Signals: INT, TERM, HUP and QUIT, each unless it was ignored at start, set
 * a flag that agent_is_interrupted() shows; PIPE and XFSZ are ignored, since
 * the write that raises them fails as well. A system call that waits then
 * returns EINTR. Called once by prog.
 */
void agent_catch_signals(void);
bool agent_is_interrupted(void);

#endif

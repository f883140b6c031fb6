/*
 * proc.h - run a program: argument vector, input, output, deadline, status.
 *
 * Nothing here goes through a shell. The child has its input on descriptor 0
 * and one pipe for 1 and 2 (or 1 alone); all others are closed, all signals are
 * at their defaults and unblocked, and it leads a process group of its own,
 * so that a signal meant for the caller's group does not reach it. Both
 * directions are polled, so neither side can block the other for ever.
 *
 * A child never sees the end of an input that was not whole: when the source
 * fails, time is up or writing fails, its input stays open until it is dead;
 * and should the caller itself be killed, the kernel sends the child TERM
 * (not possible for set-id programs: prctl(2), PR_SET_PDEATHSIG).
 *
 * The caller must have SIGPIPE ignored and SIGCHLD not ignored.
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/types.h>

/* Whose ids the child runs under. */
enum proc_ids {
	PROC_IDS_REAL, /* effective and saved ids become the real ones */
	PROC_IDS_KEEP  /* as they are */
};

struct proc_command {
	const char *path;  /* executed as it is; no search */
	char *const *argv; /* ends in NULL */
	/* The path of zlaunch, which sets limits first, and its words, as in
	 * proc/launch.h, ending in NULL. NULL: no limits, and no zlaunch. */
	const char *launcher;
	char *const *limits;
	char *const *envp; /* ends in NULL */
	enum proc_ids ids;
	unsigned timeout_ms;	/* for everything together; 0: no limit */
	unsigned kill_after_ms; /* between TERM and KILL; 0: 1000 */
	/* Asked after each signal, and each second: true is as if time were
	 * up. NULL: a signal that the caller catches does not end the run. */
	bool (*should_stop)(void);
	/* The signals that the caller ignores: bit s-1 for signal s. A caller
	 * that runs many programs asks proc_ignored_signals() once. 0: all may
	 * be ignored, and each is reset, at 60 system calls a run. */
	uint64_t ignored_signals;
	size_t output_max; /* bytes of output that are kept */
	/* Its descriptor 2 is the caller's, and no part of the output. */
	bool keeps_stderr;
};

/*
 * The signals that this process ignores now, for struct proc_command: a child
 * would inherit that. Those of which it cannot be known are counted in.
 */
uint64_t proc_ignored_signals(void);

/*
 * Where the child's standard input comes from: adds the next bytes to *to and
 * returns their number, 0 at the end, or -1 with err filled: then the child
 * is killed before it sees an end of input. Not called again after 0 or -1.
 */
typedef ssize_t proc_source(void *context, struct str *to, struct err *err);

enum proc_end {
	PROC_EXITED,	    /* code */
	PROC_SIGNALED,	    /* signal, dumped_core */
	PROC_NOT_STARTED,   /* step; err says why */
	PROC_TIMED_OUT,	    /* killed: TERM, then KILL, to the whole group */
	PROC_SOURCE_FAILED, /* killed: the source returned -1; err is its */
	PROC_WRITE_FAILED,  /* killed: writing failed, other than by EPIPE */
	PROC_LOST	    /* it ran, but how it ended cannot be known */
};

/* What could not be done, when nothing was started. */
enum proc_step {
	PROC_STEP_PIPE,
	PROC_STEP_FORK,
	PROC_STEP_SETUP, /* descriptors or process group of the child */
	PROC_STEP_IDS,
	PROC_STEP_LIMITS, /* what zlaunch was asked for */
	PROC_STEP_EXEC
};

struct proc_result {
	enum proc_end end;
	enum proc_step step; /* PROC_NOT_STARTED */
	int code;	     /* PROC_EXITED */
	int signal;	     /* PROC_SIGNALED */
	bool dumped_core;    /* PROC_SIGNALED */
	bool closed_early;   /* the child stopped reading before the end */
	bool output_cut;     /* more than output_max was written */
	struct err err;	     /* for the ends that have one; code is errno */
};

/*
 * Runs the command to its end: feeds it from source, adds what it writes to
 * *output (to its end, keeping the first output_max bytes), waits for it and
 * for nothing else. A child that leaves its output open to a grandchild is
 * not waited for longer than a short grace once it has exited; the grandchild
 * is left alone. *ret is always filled.
 */
void proc_run(const struct proc_command *command, proc_source *source,
	      void *context, struct str *output, struct proc_result *ret);

#endif

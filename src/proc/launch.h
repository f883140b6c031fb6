/*
 * launch.h - the body of zlaunch: put limits on this process, then become
 * another program.
 *
 *	zlaunch [word ...] -- path argv0 [argument ...]
 *	zlaunch [word ...] --check
 *
 *	cpu=SECONDS         RLIMIT_CPU: XCPU, and KILL a second later
 *	directory=PATH      the current directory, absolute
 *	file-size=BYTES     RLIMIT_FSIZE: XFSZ
 *	group=NAME|GID      all group ids; no supplementary groups
 *	memory=BYTES        RLIMIT_AS, the address space of each process
 *	nice=N              the niceness, -20 to 19
 *	no-network          a network namespace with nothing in it
 *	no-new-privileges   prctl(2), PR_SET_NO_NEW_PRIVS
 *	processes=N         RLIMIT_NPROC, all processes of the user
 *	read-only           Landlock: nothing can be written but some devices
 *	read-write=PATH     the same, but below PATH; may come again
 *	report=FD           where a failure is told; else standard error
 *	umask=OCTAL
 *	user=NAME|UID       all user ids, the user's group and groups
 *
 * BYTES may end in K, M, G or T. Of a word that comes again the last counts,
 * but for read-write. A limit in force already that is stricter stays.
 *
 * --check applies everything, says nothing and ends with 0, or says why it
 * cannot be done and ends with 1. What is asked for is done or the program is
 * not executed; nothing is left out in silence.
 */
#ifndef PROC_LAUNCH_H
#define PROC_LAUNCH_H

#include "proc/proc.h"

/*
 * What zlaunch does; argv is main's. Returns only if the program was not
 * executed, what zlaunch is to exit with: 0 or 1 for --check, EX_USAGE for
 * words that it does not know, EX_OSERR for what could not be done. Memory is
 * not to be asked for any more by then: leave by _exit(2).
 */
MUST_USE int launch_run(char **argv);

/*
 * Is this a word that may be asked for, well formed? All but report are. -1
 * with err: "WORD: expected ...", or "NAME: unknown word".
 */
MUST_USE int launch_check_word(struct slice word, struct err *err);

/*
 * Understands what was written to the report descriptor, all of it. False if
 * nothing was: the program was executed.
 */
MUST_USE bool launch_read_report(struct slice text, enum proc_step *ret_step,
				 struct err *ret_why);

#endif

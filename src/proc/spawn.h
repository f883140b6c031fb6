/*
 * spawn.h - start one child without copying the parent.
 *
 * vfork(2): the child borrows our memory until it has executed the program,
 * so it says through that memory why it could not. For proc itself, and for
 * whoever keeps children that live long (sched).
 */
#ifndef PROC_SPAWN_H
#define PROC_SPAWN_H

#include "proc/proc.h"

struct spawned {
	pid_t pid;
	int in_fd;     /* we write the child's input here; non-blocking */
	int out_fd;    /* we read its output here; non-blocking */
	int report_fd; /* what the launcher says; non-blocking; -1: none */
	int pid_fd;    /* readable once it has exited; -1 on an old kernel */
};

/*
 * Starts the program. *ret_child is given: the caller closes the descriptors
 * and waits for the child. -1: nothing runs, *ret_step says what failed and
 * err why (code is errno). With a launcher, 0 means that the launcher runs; if
 * it then cannot execute the program it says so on report_fd before it exits:
 * see launch_read_report().
 */
MUST_USE int spawn_child(const struct proc_command *command,
			 struct spawned *ret_child, enum proc_step *ret_step,
			 struct err *err);

#endif

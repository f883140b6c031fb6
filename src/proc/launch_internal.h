/*
 * launch_internal.h - what the words of zlaunch ask for, and doing it.
 *
 * Internal to proc: launch.c reads the words, launch_apply.c obeys them.
 */
#ifndef PROC_LAUNCH_INTERNAL_H
#define PROC_LAUNCH_INTERNAL_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

struct launch_limit {
	bool is_set;
	uint64_t value;
};

/* All pointers are borrowed from argv, but for the array read_write. */
struct launch_plan {
	struct launch_limit cpu, file_size, memory, processes;
	bool has_nice, has_umask;
	int nice;
	mode_t umask;
	bool no_network, no_new_privileges, read_only;
	const char *directory, *user, *group; /* NULL: not asked for */
	const char **read_write;
	size_t n_read_write, read_write_cap;
	int report_fd; /* -1: standard error */
	bool is_check;
};

/*
 * Does to this process all that the plan says. *ret_gap is what one of the
 * words cannot do here although it does the rest, for a human, or NULL. -1
 * with err, which begins with the word that could not be obeyed; some of the
 * others may have been.
 */
MUST_USE int launch_apply(const struct launch_plan *plan, const char **ret_gap,
			  struct err *err);

#endif

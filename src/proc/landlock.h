/*
 * landlock.h - forbid this process, and all that come from it, to write.
 *
 * Landlock (Linux 5.13, landlock(7)) is a fence that a process puts around
 * itself; nothing takes it away again. Only rights that change a file system
 * are fenced: writing, creating, removing, moving, truncating. Reading and
 * executing are free. Beyond Landlock are the modes, owners, times and
 * attributes of files, and what is open already. Internal to proc.
 */
#ifndef PROC_LANDLOCK_H
#define PROC_LANDLOCK_H

#include "base/err.h"
#include "base/slice.h"

/*
 * The rights that a kernel of this Landlock version (1 or above) can fence;
 * for what is no directory only those that concern a file.
 */
uint64_t landlock_rights(int abi, bool is_directory);

/*
 * What such a kernel cannot forbid although it should, for a human; NULL:
 * nothing.
 */
const char *landlock_gap(int abi);

/*
 * Fences this process in: it can write only below the n paths, and to null,
 * zero, full, tty and pts of /dev where those exist. It needs CAP_SYS_ADMIN
 * or PR_SET_NO_NEW_PRIVS. *ret_gap is landlock_gap()'s. -1 with err.
 */
MUST_USE int landlock_forbid_writing(const char *const *paths, size_t n,
				     const char **ret_gap, struct err *err);

#endif

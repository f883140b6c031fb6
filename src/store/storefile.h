/*
 * storefile.h - the folder of the store, its lock, and the database as a file;
 * for store.c.
 *
 * Whoever opens, makes or replaces the database holds the lock. The file is
 * looked at by name only: closing a descriptor of it would drop the locks that
 * sqlite holds in this process (fcntl(2)).
 */
#ifndef STORE_STOREFILE_H
#define STORE_STOREFILE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Begin with STOREFILE_INIT; end with storefile_done(). */
struct storefile {
	struct str path; /* of the database, without symbolic links */
	dev_t device;	 /* of the file that storefile_ready() saw */
	ino_t inode;
	int lock_fd; /* -1: not held */
};

#define STOREFILE_INIT ((struct storefile){ .lock_fd = -1 })

/*
 * Makes the folder dir if it is missing, refuses it if others could change
 * it, and takes its lock, waiting at most wait_ms.
 */
MUST_USE int storefile_enter(struct storefile *f, const char *dir,
			     unsigned wait_ms, struct err *err);

/*
 * Makes an empty database if there is none, and refuses what is there unless
 * it is a file of our own that others can neither read nor write. The lock is
 * held.
 */
MUST_USE int storefile_ready(struct storefile *f, struct err *err);

/*
 * Moves the database aside if it is still the one that storefile_ready() saw;
 * else somebody has done so. Returns 1 if it was moved, 0, or -1. The lock is
 * held.
 */
MUST_USE int storefile_set_aside(struct storefile *f, struct err *err);

/* Gives the lock back. */
void storefile_leave(struct storefile *f);

/* The same, and frees what f holds. */
void storefile_done(struct storefile *f);

#endif

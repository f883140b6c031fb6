/*
 * room.h - is there room for another message in the spool?
 *
 * Some space and some inodes are to stay free, so that what is in the spool
 * can still be worked on: agents append to control files, the scheduler writes
 * reports.
 */
#ifndef SPOOL_ROOM_H
#define SPOOL_ROOM_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* What stays free; 0: nothing has to. */
struct spool_reserve {
	uint64_t bytes, inodes;
};

/* 64 MB and 1000 inodes, but a twentieth of a file system at most. */
#define SPOOL_RESERVE_DEFAULT UINT64_MAX

/* What was seen last. Begin with all zero. */
struct spool_room {
	int64_t asked; /* second of that; 0: never */
	struct err short_of;
	bool is_short;
};

/*
 * Looks at the file systems of two directories that are open, at most once in
 * each second `now` of any clock. -1, err saying what is short and err->code
 * ENOSPC; where it cannot be known there is room.
 */
MUST_USE int spool_room_check(struct spool_room *room,
			      const struct spool_reserve *reserve,
			      const int dirs[2], int64_t now, struct err *err);

#endif

/*
 * room.c - is there room for another message in the spool?
 */
#include "spool/room.h"

#include <errno.h>
#include <sys/statvfs.h>

enum { DEFAULT_MB = 64, DEFAULT_INODES = 1000, PART = 20 };

static const uint64_t megabyte = 1024 * 1024;

/* What has to stay free of `all`. */
static uint64_t wanted(uint64_t reserve, uint64_t standard, uint64_t all)
{
	if (reserve != SPOOL_RESERVE_DEFAULT)
		return reserve;
	return standard < all / PART ? standard : all / PART;
}

static int check_one(int dir, const struct spool_reserve *reserve,
		     struct err *err)
{
	struct statvfs fs;
	uint64_t unit, want;

	if (fstatvfs(dir, &fs) < 0)
		return 0;
	unit = fs.f_frsize > 0 ? fs.f_frsize : fs.f_bsize;
	want =
	    wanted(reserve->bytes, DEFAULT_MB * megabyte, fs.f_blocks * unit);
	if (fs.f_bavail < want / unit)
		return FAIL_CODE(err, ENOSPC,
				 "4.3.1 the spool is short of space: %ju MB"
				 " are free, and %ju MB have to stay so",
				 (uintmax_t)(fs.f_bavail * unit / megabyte),
				 (uintmax_t)((want + megabyte - 1) / megabyte));
	/* File systems that make inodes as needed say that there are none. */
	want = wanted(reserve->inodes, DEFAULT_INODES, fs.f_files);
	if (fs.f_files > 0 && fs.f_favail < want)
		return FAIL_CODE(err, ENOSPC,
				 "4.3.1 the spool is short of inodes: %ju are"
				 " free, and %ju have to stay so",
				 (uintmax_t)fs.f_favail, (uintmax_t)want);
	return 0;
}

int spool_room_check(struct spool_room *room,
		     const struct spool_reserve *reserve, const int dirs[2],
		     int64_t now, struct err *err)
{
	if (room->asked == 0 || room->asked != now) {
		room->asked = now;
		room->is_short =
		    check_one(dirs[0], reserve, &room->short_of) < 0 ||
		    check_one(dirs[1], reserve, &room->short_of) < 0;
	}
	if (!room->is_short)
		return 0;
	*err = room->short_of;
	return -1;
}

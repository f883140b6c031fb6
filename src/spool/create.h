/*
 * create.h - put a new message into the spool so that no crash can lose it.
 *
 * The message file is written under a temporary name in queue/, synced,
 * renamed to its inode number and its directory synced; only then the control
 * file follows in the same way in transport/. So a control file that can be
 * seen is whole and its message file durable. Temporary names begin with '.',
 * which no scheduler takes for a job. Nothing is ever replaced.
 *
 * Both files have mode 0600, missing hash directories are made with 0700:
 * mail is its owner's secret. The message file's mtime, which is the arrival
 * time, is that of its last byte written.
 */
#ifndef SPOOL_CREATE_H
#define SPOOL_CREATE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* A message file being written; closed when all zero. */
struct create {
	int queue_dir, transport_dir; /* directories; -1 when not open */
	int fd;			      /* the message file */
	struct str temporary;	      /* its name below queue_dir */
	struct str name;	      /* hash prefix and base */
	uint64_t inode;
	bool is_message_linked, is_done;
	unsigned hash_levels;
};

/*
 * Opens $POSTOFFICE's directories and a temporary message file. hash_levels
 * is 0, 1 or 2 (ZENV SCHEDULERDIRHASH). On success the caller must call
 * create_end(). The name is the inode number, with "-1" and so on behind it
 * should a file of that name be there already (restored from a backup).
 */
MUST_USE int create_begin(const char *postoffice, unsigned hash_levels,
			  struct create *ret, struct err *err);

/* Appends bytes to the message file. */
MUST_USE int create_write(struct create *c, struct slice bytes,
			  struct err *err);

/*
 * Makes the message durable under its final name, then writes and syncs the
 * control file `control` and makes it visible. Only after a return of 0 is
 * the message accepted; otherwise create_end() removes what is there of it.
 * Refused at once, as it could never be delivered: a control file that
 * ctl_parse() refuses, whose `i` line is not create_base(c), or whose `o`
 * lies beyond the end of what was written.
 */
MUST_USE int create_commit(struct create *c, struct slice control,
			   struct err *err);

/* The file name without hash directories, for the `i` line. Borrowed. */
struct slice create_base(const struct create *c);

/*
 * Closes; removes whatever was not committed. Safe after any failure and on
 * a zero struct; a second call does nothing.
 */
void create_end(struct create *c);

#endif

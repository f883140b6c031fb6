/*
 * create.h - put a new message into the spool so that no crash can lose it.
 *
 * The message file is written without a name in queue/ and gets its inode
 * number for one, the control file is written under a temporary name in
 * transport/; both are synced, and the directory of the former; only then the
 * control file gets its name. So a control file that can be seen is whole and
 * its message file durable. Temporary names begin with '.', which no scheduler
 * takes for a job. Nothing is ever replaced.
 *
 * Both files have mode 0600, missing hash directories are made with 0700:
 * mail is its owner's secret. What root makes belongs to the owner of
 * the directory that it is made in, so that a spool can be an ordinary user's
 * and agents need not be root. The message file's mtime, which is the arrival
 * time, is that of its last byte written.
 *
 * Many messages can share one wait for the disk (group commit): each is
 * staged, all are settled by one syncfs(2). Where spool/recover.h is called at
 * the next start, that is all: a staged control file has a name that begins
 * with ".ready-", lies in transport/.staged and tells how long both files are,
 * so that the rest can be done should the system go down before the last rename
 * is on disk. Else a second wait makes the names durable, and what was staged
 * is worthless when its process is gone.
 */
#ifndef SPOOL_CREATE_H
#define SPOOL_CREATE_H

#include "base/err.h"
#include "base/str.h"
#include "spool/room.h"

#include <sys/types.h>

/* What the names of temporary and of staged files begin with. */
#define CREATE_NEW   ".new-"
#define CREATE_READY ".ready-"

/* The directory of staged files below transport/. */
#define CREATE_STAGED ".staged"

/* The spool's directories, opened once for many messages. */
struct create_office {
	int queue_dir, transport_dir;
	bool is_one_disk; /* both lie on the same file system */
	unsigned hash_levels;
	unsigned serial;	/* of temporary names */
	bool is_recovered;	/* spool_recover() ends what a crash cuts off */
	struct spool_room room; /* for whoever asks for it */
};

/*
 * Makes a directory of a spool, which belongs to whom its parent belongs to.
 * 0, or -1 with errno set.
 */
MUST_USE int create_dir(int parent, const char *path);

/* A message file being written; closed when all zero. */
struct create {
	int queue_dir, transport_dir; /* directories; -1 when not open */
	int fd;			      /* the message file */
	struct str temporary;	      /* its name below queue_dir; or empty */
	uint64_t size;		      /* bytes written to it */
	struct str name;	      /* hash prefix and base */
	uint64_t inode;
	struct str ready; /* the staged control file's name */
	bool is_message_linked, is_done;
	struct create_office *office; /* NULL: the directories are its own */
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

/*
 * Opens the directories; to be done before the first byte of a group is
 * written, since trouble of the disk is only told to who was there before.
 */
MUST_USE int create_office_open(const char *postoffice, unsigned hash_levels,
				struct create_office *ret, struct err *err);

/*
 * From now on what is staged here is ended by spool_recover() at the next
 * start, should it be cut off. Only one process may do so at a time.
 */
MUST_USE int create_office_recovers(struct create_office *o, struct err *err);

/* Closes them; twice does nothing. */
void create_office_close(struct create_office *o);

/* The same as create_begin() in an office, which must outlive *ret. */
MUST_USE int create_begin_in(struct create_office *o, struct create *ret,
			     struct err *err);

/* Appends bytes to the message file. */
MUST_USE int create_write(struct create *c, struct slice bytes,
			  struct err *err);

/*
 * Makes the message durable under its final name, and the control file
 * `control`; then makes that visible. Only after a return of 0 is
 * the message accepted; otherwise create_end() removes what is there of it.
 * Refused at once, as it could never be delivered: a control file that
 * ctl_parse() refuses, whose `i` line is not create_base(c), or whose `o`
 * lies beyond the end of what was written.
 */
MUST_USE int create_commit(struct create *c, struct slice control,
			   struct err *err);

/*
 * For a message of create_begin_in(), instead of create_commit(): writes the
 * control file and closes the message file, and waits for nothing. It is not
 * accepted yet, and no scheduler sees it.
 */
MUST_USE int create_stage(struct create *c, struct slice control,
			  struct err *err);

/*
 * Makes n staged messages durable, then visible; those whose is_done is set
 * afterwards are accepted, if it returns 0. -1: the disk failed, and none is;
 * err then, or if a single one could not be made visible, says why. The caller
 * must call create_end() for each.
 */
MUST_USE int create_settle(struct create_office *o, struct create **staged,
			   size_t n, struct err *err);

/* The file name without hash directories, for the `i` line. Borrowed. */
struct slice create_base(const struct create *c);

/*
 * Closes; removes whatever was not committed. Safe after any failure and on
 * a zero struct; a second call does nothing.
 */
void create_end(struct create *c);

#endif

/*
 * lock.h - take and give back recipients: tag byte, pid slot, byte lock.
 *
 * The 7 bytes behind an `r` (tag and pid slot) are rewritten in place with
 * one write. In addition the tag byte is held by an open-file-description
 * lock (F_OFD_SETLK) from locking to the final mark, so that two agents can
 * never both take a recipient and the scheduler can tell a live lock from a
 * stale one. The lock goes with the descriptor: closing it frees everything.
 * Specification: control file format, section 7.
 */
#ifndef SPOOL_LOCK_H
#define SPOOL_LOCK_H

#include "spool/ctl.h"

#include <sys/types.h>

enum lock_result {
	LOCK_TAKEN,
	LOCK_BUSY, /* somebody else has it, or the tag is not a space any more
		    */
	LOCK_ERROR /* the file could not be read or written; err says why */
};

/*
 * Locks one recipient: takes the byte lock, checks on disk that the line
 * still begins with `r` and a space as its tag, writes "~" and slot_pid as
 * "%6d". fd is the control file, open for reading and writing and without
 * O_APPEND; slot_pid is at most 999,999. A recipient without a pid slot
 * (ancient format) is LOCK_ERROR, and nothing is written. Unless LOCK_TAKEN
 * the byte lock is free again.
 */
MUST_USE enum lock_result lock_take(int fd, const struct ctl_rcpt *rcpt,
				    pid_t slot_pid, struct err *err);

/* How a recipient leaves the hands of an agent. */
enum lock_mark {
	LOCK_MARK_DONE = '+',
	LOCK_MARK_FAILED = '-',
	LOCK_MARK_TODO = ' ' /* deferred */
};

/*
 * Writes the mark and six spaces over a recipient that lock_take() locked,
 * with one write. The byte lock stays until the descriptor is closed or
 * lock_release() is called. Returns 0, or -1 with err filled.
 *
 * A delivery is a fact: its mark is written whatever the tag has become. The
 * other two are refused if the tag on disk is final already, or is none that
 * is known; over a space (somebody thought us dead) they are written.
 */
MUST_USE int lock_mark(int fd, const struct ctl_rcpt *rcpt, enum lock_mark mark,
		       struct err *err);

/* Gives up the byte lock of one recipient while the file stays open. */
void lock_release(int fd, const struct ctl_rcpt *rcpt);

/* What a `~` on disk means. */
enum lock_state {
	LOCK_STATE_FREE, /* the tag is not `~` */
	LOCK_STATE_LIVE, /* somebody is working on it */
	LOCK_STATE_STALE /* its owner is gone: the tag may be reset */
};

/*
 * Judges a recipient's lock: held byte lock: live. Otherwise stale if the pid
 * in the slot is none, dead, our own, or that of a process whose working
 * directory is not `transport_dir` (as /proc tells; a zombie has none); else
 * live. What cannot be read, on disk or in /proc, is taken for live. fd must
 * be open for reading and writing and hold no lock on this recipient itself,
 * since a descriptor does not see its own.
 */
enum lock_state lock_judge(int fd, const struct ctl_rcpt *rcpt,
			   const char *transport_dir);

/*
 * Resets a stale lock to a space under the byte lock. 0 also if there is none
 * to reset; -1 with err filled if it is live or the file cannot be written.
 */
MUST_USE int lock_clear_stale(int fd, const struct ctl_rcpt *rcpt,
			      const char *transport_dir, struct err *err);

/* Where the pid in the slot comes from (and whether work is possible). */
enum slot_pid {
	SLOT_PID_OWN,
	SLOT_PID_PARENT, /* ours does not fit in six digits */
	SLOT_PID_ZERO,	 /* neither fits; our own scheduler knows byte locks */
	SLOT_PID_NONE	 /* neither fits and the scheduler is a foreign one */
};

/*
 * Chooses the pid for the slots; *ret is written unless SLOT_PID_NONE. A
 * parent of 1 or 0 does not fit: the first lives for ever, so that nobody
 * would find the lock stale; the second is in another pid namespace.
 */
enum slot_pid slot_pid_choose(pid_t own, pid_t parent, bool is_our_scheduler,
			      pid_t *ret);

#endif

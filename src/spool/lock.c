/*
 * lock.c - take and give back recipients: tag byte, pid slot, byte lock.
 *
 * The byte lock makes test-and-set of the tag safe among agents of ours; the
 * bytes keep the word of the original, which knows no locks.
 */
#include "spool/lock.h"

#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PID_SLOT_MAX = 999999, /* CTL_PID_WIDTH digits */
	MARK_LEN = 1 + CTL_PID_WIDTH
};

/* The start of an `r` line as it lies on disk. */
struct head {
	char letter;
	char tag;
	char slot[CTL_PID_WIDTH];
};

static_assert(sizeof(struct head) == 1 + MARK_LEN, "no padding");

/*
 * From the tag byte up to the next recipient's: no other tag lies in between,
 * and the ranges of neighbours that one agent holds meet, so that the kernel
 * keeps one entry for them all. A lock for each byte alone would make taking
 * n recipients cost n squared.
 */
static struct flock byte_range(const struct ctl_rcpt *rcpt, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)rcpt->offset + 1,
		.l_len = rcpt->span > 0 ? (off_t)rcpt->span : 1,
	};
}

/* 1 if taken, 0 if somebody else has it, -1 with errno set. */
static int take_byte(int fd, const struct ctl_rcpt *rcpt)
{
	struct flock range = byte_range(rcpt, F_WRLCK);

	while (fcntl(fd, F_OFD_SETLK, &range) < 0)
		if (errno != EINTR)
			goto refused;
	return 1;
refused:
	return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

void lock_release(int fd, const struct ctl_rcpt *rcpt)
{
	struct flock range = byte_range(rcpt, F_UNLCK);

	/* Unlocking can only fail if the descriptor is not one. */
	(void)fcntl(fd, F_OFD_SETLK, &range);
}

/* Reads the line's start; it must still be an `r` line with a pid slot. */
static int read_head(int fd, const struct ctl_rcpt *rcpt, struct head *ret,
		     struct err *err)
{
	ssize_t n;

	if (!rcpt->has_pid_slot)
		return FAIL(err,
			    "recipient at byte %zu has no pid slot (ancient "
			    "format): it cannot be locked",
			    rcpt->offset);
	n = pread(fd, ret, sizeof(*ret), (off_t)rcpt->offset);
	if (n < 0)
		return FAIL_CODE(err, errno, "recipient at byte %zu: %s",
				 rcpt->offset, strerror(errno));
	if (n < (ssize_t)sizeof(*ret))
		return FAIL(err, "recipient at byte %zu: file cut off",
			    rcpt->offset);
	if (ret->letter != 'r')
		return FAIL(err, "recipient at byte %zu: found '%c', not 'r'",
			    rcpt->offset, ret->letter);
	return 0;
}

/* Writes tag and slot (MARK_LEN bytes) with one write. */
static int write_mark(int fd, const struct ctl_rcpt *rcpt, const char *bytes,
		      struct err *err)
{
	ssize_t n = pwrite(fd, bytes, MARK_LEN, (off_t)rcpt->offset + 1);

	if (n == MARK_LEN)
		return 0;
	if (n >= 0)
		errno = EIO;
	return FAIL_CODE(err, errno, "marking recipient at byte %zu: %s",
			 rcpt->offset, strerror(errno));
}

static int write_tag(int fd, const struct ctl_rcpt *rcpt, char tag,
		     struct err *err)
{
	char bytes[MARK_LEN];

	memset(bytes, ' ', sizeof(bytes));
	bytes[0] = tag;
	return write_mark(fd, rcpt, bytes, err);
}

/* "~" and the pid, right-justified. */
static int write_lock(int fd, const struct ctl_rcpt *rcpt, pid_t pid,
		      struct err *err)
{
	char bytes[MARK_LEN];
	size_t at = MARK_LEN;

	memset(bytes, ' ', sizeof(bytes));
	bytes[0] = CTL_TAG_LOCKED;
	do {
		bytes[--at] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid > 0 && at > 1);
	return write_mark(fd, rcpt, bytes, err);
}

/* The test and set of lock_take(), under the byte lock. */
static enum lock_result take_tag(int fd, const struct ctl_rcpt *rcpt,
				 pid_t slot_pid, struct err *err)
{
	struct head head;

	if (read_head(fd, rcpt, &head, err) < 0)
		return LOCK_ERROR;
	if (head.tag != CTL_TAG_TODO)
		return LOCK_BUSY;
	if (write_lock(fd, rcpt, slot_pid, err) == 0)
		return LOCK_TAKEN;
	/* Had a part of it been written, the tag would tell of a lock. */
	(void)write_tag(fd, rcpt, CTL_TAG_TODO, NULL);
	return LOCK_ERROR;
}

enum lock_result lock_take(int fd, const struct ctl_rcpt *rcpt, pid_t slot_pid,
			   struct err *err)
{
	enum lock_result result;

	assert(slot_pid >= 0 && slot_pid <= PID_SLOT_MAX);
	switch (take_byte(fd, rcpt)) {
	case 0:
		return LOCK_BUSY;
	case 1:
		break;
	default:
		err_set(err, errno, "byte lock of recipient at byte %zu: %s",
			rcpt->offset, strerror(errno));
		return LOCK_ERROR;
	}
	result = take_tag(fd, rcpt, slot_pid, err);
	if (result != LOCK_TAKEN)
		lock_release(fd, rcpt);
	return result;
}

int lock_mark(int fd, const struct ctl_rcpt *rcpt, enum lock_mark mark,
	      struct err *err)
{
	struct head head;

	if (mark == LOCK_MARK_DONE)
		return write_tag(fd, rcpt, (char)mark, err);
	if (read_head(fd, rcpt, &head, err) < 0)
		return -1;
	if (head.tag != CTL_TAG_LOCKED && head.tag != CTL_TAG_TODO)
		return FAIL(err,
			    "recipient at byte %zu: expected '%c', found '%c'",
			    rcpt->offset, CTL_TAG_LOCKED, head.tag);
	return write_tag(fd, rcpt, (char)mark, err);
}

/* ---- whose lock is it? -------------------------------------------------- */

/* The pid in a slot; 0 if there is none. */
static pid_t slot_pid_read(const char *slot)
{
	struct slice digits = slice_trim(slice_make(slot, CTL_PID_WIDTH));
	uint64_t n;

	return slice_uint(digits, PID_SLOT_MAX, &n) ? (pid_t)n : 0;
}

static bool is_dead(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Is the file at path a directory, the same as the one at other? */
static bool is_same_dir(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Does a living process certainly work elsewhere than in transport_dir? A
 * zombie does: it has a /proc entry but no directory. What /proc does not
 * tell (it is not mounted, or belongs to somebody else) is not certain.
 */
static bool works_elsewhere(pid_t pid, const char *transport_dir)
{
	struct str proc = STR_INIT, cwd = STR_INIT;
	struct stat here, there, entry;
	bool elsewhere = false;

	str_addf(&proc, "/proc/%d", (int)pid);
	str_addf(&cwd, "/proc/%d/cwd", (int)pid);
	if (stat(str_cstr(&cwd), &there) == 0)
		elsewhere = stat(transport_dir, &here) == 0 &&
			    !is_same_dir(&here, &there);
	else if (errno == ENOENT)
		elsewhere = stat(str_cstr(&proc), &entry) == 0;
	str_done(&cwd);
	str_done(&proc);
	return elsewhere;
}

static enum lock_state judge_pid(pid_t pid, const char *transport_dir)
{
	if (pid == 0 || pid == getpid() || is_dead(pid) ||
	    works_elsewhere(pid, transport_dir))
		return LOCK_STATE_STALE;
	/* It may have died while /proc was being read. */
	return is_dead(pid) ? LOCK_STATE_STALE : LOCK_STATE_LIVE;
}

enum lock_state lock_judge(int fd, const struct ctl_rcpt *rcpt,
			   const char *transport_dir)
{
	struct flock range = byte_range(rcpt, F_WRLCK);
	struct head head;

	if (read_head(fd, rcpt, &head, NULL) < 0)
		return LOCK_STATE_LIVE;
	if (head.tag != CTL_TAG_LOCKED)
		return LOCK_STATE_FREE;
	if (fcntl(fd, F_OFD_GETLK, &range) < 0 || range.l_type != F_UNLCK)
		return LOCK_STATE_LIVE;
	return judge_pid(slot_pid_read(head.slot), transport_dir);
}

int lock_clear_stale(int fd, const struct ctl_rcpt *rcpt,
		     const char *transport_dir, struct err *err)
{
	int taken = take_byte(fd, rcpt), r = 0;

	if (taken < 0)
		return FAIL_CODE(err, errno,
				 "byte lock of recipient at byte %zu: %s",
				 rcpt->offset, strerror(errno));
	if (taken == 0)
		return FAIL(err, "recipient at byte %zu is being worked on",
			    rcpt->offset);
	switch (lock_judge(fd, rcpt, transport_dir)) {
	case LOCK_STATE_FREE:
		break;
	case LOCK_STATE_STALE:
		r = write_tag(fd, rcpt, CTL_TAG_TODO, err);
		break;
	case LOCK_STATE_LIVE:
		r = FAIL(err, "recipient at byte %zu is being worked on",
			 rcpt->offset);
		break;
	}
	lock_release(fd, rcpt);
	return r;
}

enum slot_pid slot_pid_choose(pid_t own, pid_t parent, bool is_our_scheduler,
			      pid_t *ret)
{
	if (own <= PID_SLOT_MAX) {
		*ret = own;
		return SLOT_PID_OWN;
	}
	/* 1 is alive for ever, so its locks would never be found stale. */
	if (parent > 1 && parent <= PID_SLOT_MAX) {
		*ret = parent;
		return SLOT_PID_PARENT;
	}
	if (!is_our_scheduler)
		return SLOT_PID_NONE;
	*ret = 0;
	return SLOT_PID_ZERO;
}

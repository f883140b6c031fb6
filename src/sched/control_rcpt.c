/*
 * control_rcpt.c - commands on recipients: hold, release, expire, delete.
 *
 * Of one message any number of them, so that the file is read and synced once.
 * The control file is changed first, then the queue; nothing can come between.
 * A recipient whose job is with an agent is left alone: its line has been
 * given away and cannot be taken back.
 */
#include "sched/control.h"

#include "spool/dlines.h"
#include "spool/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PID_MAX_IN_SLOT = 999999 };

#define NOT_LEFT "%s: the recipient is with an agent, or not to be delivered"

/* ---- one recipient ------------------------------------------------------ */

int control_open(struct sched *s, struct slice name, struct sched_file *ret,
		 struct err *err)
{
	switch (sched_file_open(s, name, ret, err)) {
	case SCHED_OPENED:
		return 0;
	case SCHED_GONE:
		return FAIL(err, "there is no message '%.*s'", SLICE_ARG(name));
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		break;
	}
	return -1;
}

int control_take(struct sched *s, struct sched_file *f,
		 const struct ctl_rcpt *rcpt, struct err *err)
{
	pid_t pid = getpid() <= PID_MAX_IN_SLOT ? getpid() : 0;

	if (!queue_is_left(s->queue, f->job.name, rcpt->offset))
		return FAIL(err, NOT_LEFT, f->path);
	/* Agents never touch a held one; its tag is looked at again. */
	if (rcpt->tag == CTL_TAG_HELD)
		return 0;
	switch (lock_take(f->fd, rcpt, pid, err)) {
	case LOCK_TAKEN:
		return 0;
	case LOCK_BUSY:
		return FAIL(err, "%s: somebody is at the recipient", f->path);
	case LOCK_ERROR:
		break;
	}
	return -1;
}

int control_give_back(struct sched_file *f, const struct ctl_rcpt *rcpt,
		      bool is_done, struct err *err)
{
	int r = 0;

	if (rcpt->tag == CTL_TAG_HELD) {
		if (is_done)
			r = dlines_end_held(f->fd, rcpt, err);
	} else {
		r = lock_mark(f->fd, rcpt,
			      is_done ? LOCK_MARK_DONE : LOCK_MARK_TODO, err);
		lock_release(f->fd, rcpt);
	}
	return r;
}

int control_sync(const struct sched_file *f, struct err *err)
{
	if (fdatasync(f->fd) < 0)
		return FAIL_CODE(err, errno, "%s: %s", f->path,
				 strerror(errno));
	return 0;
}

void control_tell(struct sched *s, const struct control_request *r,
		  const struct sched_file *f, const struct ctl_rcpt *rcpt,
		  struct slice as)
{
	const char *by = arena_printf(f->arena, "%lu", (unsigned long)r->uid).p;

	log_line(LOG_LEVEL_INFO, "%s: <%.*s>: %s by uid %s%s%.*s", f->path,
		 SLICE_ARG(rcpt->address.user), r->word, by,
		 as.len > 0 ? " as " : "", SLICE_ARG(as));
	sched_tell_command(s, &(struct sched_command){ .by = r->uid,
						       .word = r->word,
						       .file = f,
						       .rcpt = rcpt,
						       .as = as });
}

/* ---- some of a message -------------------------------------------------- */

/* A command at work. */
struct run {
	struct sched *s;
	const struct control_request *r;
	struct sched_file f;
	size_t *expired; /* offsets, for the queue all at once */
	size_t n_expired, cap;
};

static int hold(struct run *run, const struct ctl_rcpt *rcpt, struct err *err)
{
	struct queue *q = run->s->queue;
	struct slice name = run->f.job.name;
	int64_t now = sched_now(run->s);
	bool is_hold = run->r->deed == CONTROL_HOLD, is_done;

	if (is_hold && !queue_is_idle(q, name, rcpt->offset))
		return FAIL(err, NOT_LEFT, run->f.path);
	if (dlines_hold(run->f.fd, rcpt, is_hold, err) < 0)
		return -1;
	if (is_hold)
		is_done = queue_hold(q, name, rcpt->offset, now);
	else
		is_done = queue_release(q, name, rcpt->offset, now);
	return is_done ? 0 : FAIL(err, "the queue knows of no such recipient");
}

static int expire(struct run *run, const struct ctl_rcpt *rcpt, struct err *err)
{
	if (!queue_is_idle(run->s->queue, run->f.job.name, rcpt->offset))
		return FAIL(err, NOT_LEFT, run->f.path);
	run->expired = mem_grow(run->expired, &run->cap, run->n_expired + 1,
				sizeof(*run->expired));
	run->expired[run->n_expired++] = rcpt->offset;
	return 0;
}

static int remove_one(struct run *run, const struct ctl_rcpt *rcpt,
		      struct err *err)
{
	struct sched *s = run->s;

	if (control_take(s, &run->f, rcpt, err) < 0 ||
	    control_give_back(&run->f, rcpt, true, err) < 0)
		return -1;
	if (!queue_remove(s->queue, run->f.job.name, rcpt->offset,
			  sched_now(s)))
		return FAIL(err, "the queue knows of no such recipient");
	return 0;
}

static int do_one(struct run *run, struct slice offset, struct err *err)
{
	const struct ctl_rcpt *rcpt;
	uint64_t at;
	int r;

	if (!slice_uint(offset, UINT32_MAX, &at))
		return FAIL(err, "'%.*s' is no offset", SLICE_ARG(offset));
	rcpt = sched_file_rcpt(&run->f, at);
	if (rcpt == NULL)
		return FAIL(err, "%s: no recipient at byte %ju", run->f.path,
			    (uintmax_t)at);
	if (run->r->deed == CONTROL_DELETE)
		r = remove_one(run, rcpt, err);
	else if (run->r->deed == CONTROL_EXPIRE)
		r = expire(run, rcpt, err);
	else
		r = hold(run, rcpt, err);
	if (r == 0)
		control_tell(run->s, run->r, &run->f, rcpt, SLICE(""));
	return r;
}

/* All of them; what cannot be done to one does not keep the others from it. */
static int do_each(struct run *run, struct slice offsets, struct err *err)
{
	struct sched *s = run->s;
	struct slice offset;
	struct err first = { 0 }, one;
	size_t n = 0, n_failed = 0;

	for (; slice_word(&offsets, &offset); n++)
		if (do_one(run, offset, &one) < 0 && n_failed++ == 0)
			first = one;
	queue_give_up(s->queue, run->f.job.name, run->expired, run->n_expired,
		      sched_now(s));
	if (n_failed < n && run->r->deed != CONTROL_EXPIRE &&
	    control_sync(&run->f, err) < 0)
		return -1;
	if (n_failed == 0)
		return 0;
	if (n == 1)
		*err = first;
	else
		err_set(err, 0, "%zu of %zu: %s", n_failed, n, first.text);
	return -1;
}

int control_rcpts(struct sched *s, struct control_request *r, struct err *err)
{
	struct run run = { .s = s, .r = r };
	struct slice name = SLICE("");
	int done = -1;

	(void)slice_word(&r->words, &name);
	if (name.len == 0 || slice_trim(r->words).len == 0)
		return FAIL(err, "a message and an offset are wanted");
	if (control_open(s, name, &run.f, err) == 0)
		done = do_each(&run, r->words, err);
	sched_file_close(&run.f);
	free(run.expired);
	return done;
}

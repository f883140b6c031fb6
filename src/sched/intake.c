/*
 * intake.c - read a control file and tell the queue what is in it.
 *
 * What cannot be understood stays where it is, is said in the log, and is
 * looked at again by the slow scan: a half-written or damaged file must not be
 * taken for an empty one.
 *
 * A control file has programs run and files read, so it is only believed if
 * nobody but the spool's own can have written it: see distrust().
 */
#include "base/fd.h"
#include "sched/sched_internal.h"
#include "spool/dlines.h"
#include "spool/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ADDRESS_MAX = 1024, KNOWN_SIZE = 16 * 1024 };

void sched_file_close(struct sched_file *f)
{
	fd_close(f->fd);
	f->fd = -1;
	str_done(&f->text);
	arena_free(f->arena);
	f->arena = NULL;
}

/*
 * Why a file is not to be believed; NULL: it is. Its owner must be root, the
 * scheduler's user, or whose the spool is; nobody else may write it. A group
 * may that is the spool's, or the scheduler's: so agents write that run as
 * somebody else.
 */
static const char *distrust(const struct sched *s, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid() &&
	    st->st_uid != s->office_uid && st->st_uid != s->transport_uid)
		return "its owner is neither root nor the spool's";
	if ((st->st_mode & S_IWOTH) != 0 ||
	    ((st->st_mode & S_IWGRP) != 0 && st->st_gid != getegid() &&
	     st->st_gid != s->transport_gid))
		return "others may write it";
	return NULL;
}

static enum sched_opened read_file(struct sched *s, struct sched_file *f,
				   struct err *err)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const char *why;
	struct stat st;

	f->fd = openat(s->transport_dir, f->path, flags);
	if (f->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return SCHED_GONE;
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		err_set(err, errno, "%s: %s", f->path, strerror(errno));
		return errno == ELOOP ? SCHED_USELESS : SCHED_UNREADABLE;
	}
	why = distrust(s, &st);
	if (why != NULL) {
		err_set(err, 0, "%s: %s", f->path, why);
		return SCHED_USELESS;
	}
	switch (
	    fd_read_all(f->fd, (size_t)st.st_size, CTL_SIZE_MAX, &f->text)) {
	case 0:
		return SCHED_OPENED;
	case 1:
		err_set(err, 0, "%s: larger than %d bytes", f->path,
			CTL_SIZE_MAX);
		return SCHED_USELESS;
	default:
		err_set(err, errno, "%s: %s", f->path, strerror(errno));
		return SCHED_UNREADABLE;
	}
}

/*
 * One that was read before, and so is a regular file of ours: what comes short
 * of what was asked for is its end.
 */
static enum sched_opened read_known(struct sched *s, struct sched_file *f,
				    struct err *err)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	ssize_t n = -1;

	f->fd = openat(s->transport_dir, f->path, flags);
	if (f->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return SCHED_GONE;
	str_reserve(&f->text, KNOWN_SIZE);
	if (f->fd >= 0)
		n = read(f->fd, f->text.p, KNOWN_SIZE);
	if (n >= 0) {
		f->text.len = (size_t)n;
		str_cut(&f->text, (size_t)n);
	}
	if (n < 0 || (n == KNOWN_SIZE &&
		      fd_read_all(f->fd, 0, CTL_SIZE_MAX, &f->text) != 0)) {
		err_set(err, errno, "%s: %s", f->path, strerror(errno));
		return SCHED_UNREADABLE;
	}
	return SCHED_OPENED;
}

static enum sched_opened open_file(struct sched *s, struct slice name,
				   bool is_known, struct sched_file *f,
				   struct err *err)
{
	enum sched_opened r;

	*f = (struct sched_file){ .arena = arena_new(), .fd = -1 };
	f->path = arena_cstr(f->arena, name);
	if (jobname_parse(slice_of(f->path), &f->job, err) < 0)
		return SCHED_USELESS;
	r = is_known ? read_known(s, f, err) : read_file(s, f, err);
	if (r != SCHED_OPENED)
		return r;
	switch (ctl_parse(str_slice(&f->text), f->arena, &f->ctl, err)) {
	case CTL_OK:
		return SCHED_OPENED;
	case CTL_TURN:
		err_set(err, 0, "%s: a request to turn, which is not served",
			f->path);
		break;
	case CTL_UNSUPPORTED:
		err_set(err, 0, "%s: unknown format flags 0x%x", f->path,
			f->ctl.flags);
		break;
	case CTL_REFUSED:
		err_set(err, 0, "%s: %s", f->path, err->text);
		break;
	}
	return SCHED_USELESS;
}

enum sched_opened sched_file_open(struct sched *s, struct slice name,
				  struct sched_file *ret, struct err *err)
{
	return open_file(s, name, false, ret, err);
}

enum sched_opened sched_file_reopen(struct sched *s, struct slice name,
				    struct sched_file *ret, struct err *err)
{
	return open_file(s, name, true, ret, err);
}

const struct ctl_rcpt *sched_file_rcpt(const struct sched_file *f,
				       uint64_t offset)
{
	size_t low = 0, high = f->ctl.n_rcpts;

	while (low < high) { /* they stand in the order of their offsets */
		size_t middle = (low + high) / 2;

		if (f->ctl.rcpts[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->ctl.n_rcpts && f->ctl.rcpts[low].offset == offset
		   ? &f->ctl.rcpts[low]
		   : NULL;
}

/* ---- for the queue ------------------------------------------------------ */

/* What a `~` means: somebody works on it, or nobody does any more. */
static enum queue_rcpt_state judge_lock(struct sched *s, struct sched_file *f,
					const struct ctl_rcpt *r)
{
	struct err err;
	const char *dir =
	    arena_printf(f->arena, "%s/transport", s->o->postoffice).p;

	if (lock_judge(f->fd, r, dir) == LOCK_STATE_LIVE)
		return QUEUE_RCPT_BUSY;
	if (lock_clear_stale(f->fd, r, dir, &err) == 0)
		return QUEUE_RCPT_OPEN;
	log_line(LOG_LEVEL_WARNING, "%s: %s", f->path, err.text);
	return QUEUE_RCPT_BUSY;
}

static enum queue_rcpt_state state_of(struct sched *s, struct sched_file *f,
				      const struct ctl_rcpt *r)
{
	switch (r->tag) {
	case CTL_TAG_TODO:
		return QUEUE_RCPT_OPEN;
	case CTL_TAG_DONE:
	case CTL_TAG_FAILED:
		return QUEUE_RCPT_DONE;
	case CTL_TAG_LOCKED:
		return judge_lock(s, f, r);
	default: /* held; or a tag of a time to come, which is none of ours */
		return QUEUE_RCPT_HELD;
	}
}

static struct slice lower(struct slice s, struct arena *a)
{
	struct slice copy = arena_dup(a, s);

	for (size_t i = 0; i < copy.len; i++)
		((char *)(uintptr_t)copy.p)[i] = ascii_lower(copy.p[i]);
	return copy;
}

static unsigned flags_of(const struct ctl_rcpt *r)
{
	const struct ctl_dsn *dsn = &r->dsn;
	unsigned flags = 0;

	if ((dsn->notify & NOTIFY_DELAY) != 0)
		flags |= QUEUE_NOTIFY_DELAY;
	if (dsn->by.is_set && dsn->by.do_return)
		flags |= QUEUE_BY_RETURN;
	if (dsn->by.is_set && dsn->by.do_notify &&
	    r->delays < SCHED_DELAYS_DEADLINE) /* was told before we began */
		flags |= QUEUE_BY_NOTIFY;
	return flags;
}

static bool has_unreported(const struct sched_file *f)
{
	size_t at = 0, offset;
	struct dline d;

	while (dlines_next(str_slice(&f->text), &at, &offset, &d))
		if (d.tag == ' ')
			return true;
	return false;
}

/*
 * When the message came, by the clock of that time, in ms; and its file, or if
 * that is gone the control file.
 */
static int64_t file_time(struct sched *s, const struct sched_file *f,
			 struct stat *ret)
{
	struct err err;
	const char *path;

	if (jobname_message_path(&f->job, f->ctl.message_name, f->arena, &path,
				 &err) < 0 ||
	    (fstatat(s->transport_dir, path, ret, AT_SYMLINK_NOFOLLOW) < 0 &&
	     fstat(f->fd, ret) < 0))
		return sched_now(s) + s->clock_gap;
	return (int64_t)ret->st_mtim.tv_sec * 1000 +
	       ret->st_mtim.tv_nsec / 1000000;
}

/*
 * The same by the queue's clock. If the time of day was set meanwhile nobody
 * knows by which of the two the file's time is: then the message is taken for
 * as young as it can be, but never for one of the future.
 */
static int64_t arrival(struct sched *s, int64_t file_ms)
{
	int64_t now = sched_now(s), at = file_ms;

	if (at - s->clock_gap > at)
		at -= s->clock_gap;
	return at < now ? at : now;
}

/* A deadline keeps its distance from the arrival. Seconds; 0: none. */
static int64_t deadline_of(const struct ctl_deliverby *by, int64_t shift_ms)
{
	int64_t at;

	if (!by->is_set)
		return 0;
	at = by->deadline + shift_ms / 1000;
	return at > 0 ? at : 1;
}

/* What is wrong with it as far as we are concerned; NULL: nothing. */
static const char *objection(const struct sched_file *f)
{
	if (f->ctl.n_rcpts == 0)
		return "no recipients";
	for (size_t i = 0; i < f->ctl.n_rcpts; i++)
		if (f->ctl.rcpts[i].address.channel.len > ADDRESS_MAX ||
		    f->ctl.rcpts[i].address.host.len > ADDRESS_MAX)
			return "a channel or host longer than any can be";
	return NULL;
}

static void tell_queue(struct sched *s, struct sched_file *f)
{
	struct stat st = { 0 };
	int64_t file_ms = file_time(s, f, &st), arrived = arrival(s, file_ms);
	bool is_new = !queue_has(s->queue, f->job.name);
	struct queue_rcpt *rcpts =
	    arena_array(f->arena, f->ctl.n_rcpts + 1, sizeof(*rcpts));
	struct queue_message m = { .name = f->job.name,
				   .id = f->job.id,
				   .arrived = arrived,
				   .rcpts = rcpts,
				   .n_rcpts = f->ctl.n_rcpts,
				   .has_unreported = has_unreported(f) };

	for (size_t i = 0; i < f->ctl.n_rcpts; i++) {
		const struct ctl_rcpt *r = &f->ctl.rcpts[i];

		rcpts[i] = (struct queue_rcpt){
			.offset = r->offset,
			.state = state_of(s, f, r),
			.flags = flags_of(r),
			.n_delays = r->delays % SCHED_DELAYS_DEADLINE,
			.deadline = deadline_of(&r->dsn.by, arrived - file_ms),
			.channel = r->address.channel,
			.host = lower(r->address.host, f->arena),
		};
	}
	queue_add(s->queue, &m, sched_now(s));
	if (is_new)
		sched_tell_queued(s, f, &st, arrived);
}

/* Says so once; the file is looked at again and again. */
void sched_set_aside(struct sched *s, struct slice name, const char *why)
{
	struct sched_aside *x;

	HASH_FIND(hh, s->asides, name.p, name.len, x);
	if (x != NULL)
		return;
	log_line(LOG_LEVEL_ERROR, "%s: set aside", why);
	sched_event(s, "aside", "why", why, NULL);
	x = mem_zero(1, sizeof(*x) + name.len);
	memcpy(x->name, name.p, name.len);
	HASH_ADD(hh, s->asides, name, name.len, x);
}

/* It is well again, or gone: should it come back it is told again. */
static void take_back_aside(struct sched *s, struct slice name)
{
	struct sched_aside *x;

	HASH_FIND(hh, s->asides, name.p, name.len, x);
	if (x == NULL)
		return;
	HASH_DELETE(hh, s->asides, x);
	free(x);
}

void sched_asides_free(struct sched *s)
{
	struct sched_aside *x = s->asides, *next;

	HASH_CLEAR(hh, s->asides);
	for (; x != NULL; x = next) {
		next = x->hh.next;
		free(x);
	}
}

void sched_look(struct sched *s, struct slice name)
{
	struct sched_file f;
	struct err err;

	switch (sched_file_open(s, name, &f, &err)) {
	case SCHED_OPENED:
		if (objection(&f) == NULL) {
			take_back_aside(s, name);
			tell_queue(s, &f);
		} else {
			sched_set_aside(s, name,
					arena_printf(f.arena, "%s: %s", f.path,
						     objection(&f))
					    .p);
		}
		break;
	case SCHED_GONE:
		take_back_aside(s, name);
		queue_forget(s->queue, name, sched_now(s));
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		sched_set_aside(s, name, err.text);
		break;
	}
	sched_file_close(&f);
}

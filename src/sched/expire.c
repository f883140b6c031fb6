/*
 * expire.c - recipients that fail because their time is up.
 *
 * Many may do so at once, since a destination that is dead lets all its mail
 * expire together: their `d` lines and marks are written in batches, with one
 * wait for the disk each, and only then do they count as failed.
 */
#include "sched/wait.h"
#include "spool/dline.h"
#include "spool/lock.h"
#include "taproto/notary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PID_MAX_IN_SLOT = 999999,
	BATCH_MAX = 2000, /* messages */
	TURN_MS = 30,	  /* of writing; then others have their turn */
};

/* Recipients of one message. */
struct expiry {
	STAILQ_ENTRY(expiry) link;
	enum queue_expiry kind;
	struct str name, why;
	size_t n;
	bool *is_done; /* of each */
	size_t offsets[];
};

STAILQ_HEAD(expiry_list, expiry);

struct sched_expiries {
	struct sched *sched;
	struct expiry_list list;    /* to be written */
	struct expiry_list written; /* as a whole, to be synced */
	size_t n_written;
	struct sched_wait wait;
	int sync_errno; /* of that */
	struct event *event;
};

struct sched_last sched_last_words(struct slice why)
{
	struct sched_last last = { 0 };

	(void)slice_cut(&why, '\001', &last.status);
	(void)slice_cut(&why, '\001', &last.remote_mta);
	last.text = why;
	return last;
}

static void free_expiry(struct expiry *e)
{
	str_done(&e->name);
	str_done(&e->why);
	free(e->is_done);
	free(e);
}

/* ---- one message -------------------------------------------------------- */

static const char *expiry_text(enum queue_expiry e)
{
	switch (e) {
	case QUEUE_EXPIRED_DEADLINE:
		return "not delivered by the time the sender set";
	case QUEUE_EXPIRED_COMMAND:
		return "given up by the postmaster";
	case QUEUE_EXPIRED_UNTRIED:
		return "waited for too long without having been tried";
	case QUEUE_EXPIRED_TRIED:
		break;
	}
	return "could not be delivered in the time that is allowed";
}

/* Adds the `d` line of a recipient. */
static void add_line(struct str *lines, const struct ctl_rcpt *rcpt,
		     const struct expiry *e)
{
	struct sched_last last = sched_last_words(str_slice(&e->why));
	struct str notary = STR_INIT, message = STR_INIT;
	struct notary words = {
		.final_recipient = rcpt->address.user,
		.action = SLICE("failed"),
		.status = SLICE("5.4.7"),
		.diagnostic = SLICE("x-local; delivery time expired"),
		.remote_mta = last.remote_mta,
	};
	struct dline d;

	notary_print(&notary, &words);
	str_adds(&message, expiry_text(e->kind));
	if (last.text.len > 0) {
		str_adds(&message, "; the last try: ");
		str_add_clean(&message, last.text, SIZE_MAX);
	}
	d = dline_of_rcpt(rcpt, (int64_t)time(NULL), str_slice(&notary),
			  str_slice(&message));
	dline_print(lines, &d);
	str_done(&message);
	str_done(&notary);
}

/* Locks a recipient; who had it may be dead. */
static bool take(struct sched *s, struct sched_file *f,
		 const struct ctl_rcpt *rcpt, struct err *err)
{
	pid_t pid = getpid() <= PID_MAX_IN_SLOT ? getpid() : 0;
	const char *dir =
	    arena_printf(f->arena, "%s/transport", s->o->postoffice).p;

	err_set(err, 0, "somebody has it");
	return lock_take(f->fd, rcpt, pid, err) == LOCK_TAKEN ||
	       (lock_clear_stale(f->fd, rcpt, dir, err) == 0 &&
		lock_take(f->fd, rcpt, pid, err) == LOCK_TAKEN);
}

/* Locks what can be locked, and makes its lines. */
static void lock_all(struct sched *s, struct sched_file *f, struct expiry *e,
		     struct str *lines)
{
	struct err err;

	for (size_t i = 0; i < e->n; i++) {
		const struct ctl_rcpt *rcpt = sched_file_rcpt(f, e->offsets[i]);

		if (rcpt == NULL)
			continue;
		e->is_done[i] = take(s, f, rcpt, &err);
		if (e->is_done[i])
			add_line(lines, rcpt, e);
		else
			log_line(LOG_LEVEL_ERROR,
				 "%s: recipient at byte %zu cannot expire: %s",
				 f->path, rcpt->offset, err.text);
	}
}

/* Their marks, once the lines are there; else they are as they were. */
static void mark_all(struct sched_file *f, struct expiry *e, bool has_lines)
{
	struct err err;

	for (size_t i = 0; i < e->n; i++) {
		const struct ctl_rcpt *rcpt = sched_file_rcpt(f, e->offsets[i]);

		if (!e->is_done[i])
			continue;
		e->is_done[i] = has_lines;
		if (lock_mark(f->fd, rcpt,
			      has_lines ? LOCK_MARK_FAILED : LOCK_MARK_TODO,
			      &err) < 0) {
			log_line(LOG_LEVEL_ERROR, "%s: %s", f->path, err.text);
			e->is_done[i] = false;
		}
		if (e->is_done[i])
			log_line(LOG_LEVEL_INFO, "%s: <%.*s> expired: %s",
				 f->path, SLICE_ARG(rcpt->address.user),
				 expiry_text(e->kind));
	}
}

static void write_expiry(struct sched *s, struct expiry *e)
{
	struct str lines = STR_INIT;
	struct sched_file f;
	struct err err;
	bool has_lines;

	switch (sched_file_reopen(s, str_slice(&e->name), &f, &err)) {
	case SCHED_OPENED:
		lock_all(s, &f, e, &lines);
		has_lines = lines.len == 0 ||
			    dline_append(f.fd, str_slice(&lines), &err) == 0;
		if (!has_lines)
			log_line(LOG_LEVEL_ERROR, "%s: cannot expire: %s",
				 f.path, err.text);
		mark_all(&f, e, has_lines);
		break;
	case SCHED_GONE:
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		log_line(LOG_LEVEL_ERROR, "cannot expire: %s", err.text);
		break;
	}
	sched_file_close(&f); /* and with it go the locks */
	str_done(&lines);
}

/* ---- batches ------------------------------------------------------------ */

static void settle(struct sched *s, struct expiry *e, bool is_synced)
{
	bool is_all = true;

	for (size_t i = 0; i < e->n; i++) {
		bool is_done = e->is_done[i] && is_synced;

		if (is_done)
			sched_tell_expired(s, str_slice(&e->name),
					   e->offsets[i], e->kind,
					   str_slice(&e->why));
		queue_settle(s->queue, str_slice(&e->name), e->offsets[i],
			     is_done, sched_now(s));
		is_all = is_all && e->is_done[i];
	}
	if (!is_all) /* it may be done, or taken, behind our back */
		sched_look(s, str_slice(&e->name));
}

/* In a thread. */
static void sync_written(void *context)
{
	struct sched_expiries *x = context;

	x->sync_errno = syncfs(x->sched->transport_dir) < 0 ? errno : 0;
}

static void end_written(struct sched_expiries *x)
{
	struct expiry *e;

	if (x->sync_errno != 0)
		log_line(LOG_LEVEL_ERROR, "syncing transport/: %s",
			 strerror(x->sync_errno));
	while ((e = STAILQ_FIRST(&x->written)) != NULL) {
		STAILQ_REMOVE_HEAD(&x->written, link);
		settle(x->sched, e, x->sync_errno == 0);
		free_expiry(e);
	}
	x->n_written = 0;
}

static void wake(struct sched_expiries *x)
{
	const struct timeval now = { 0, 0 };

	if (!event_pending(x->event, EV_TIMEOUT, NULL))
		event_add(x->event, &now);
}

static void on_synced(void *context)
{
	struct sched_expiries *x = context;

	end_written(x);
	if (!STAILQ_EMPTY(&x->list))
		wake(x);
	sched_settle(x->sched);
}

/* Writes some. True: there is more that could be written now. */
static bool write_some(struct sched_expiries *x)
{
	int64_t begun = sched_now(x->sched);

	while (!STAILQ_EMPTY(&x->list) && x->n_written < BATCH_MAX) {
		struct expiry *e = STAILQ_FIRST(&x->list);

		if (sched_now(x->sched) - begun >= TURN_MS)
			return true;
		STAILQ_REMOVE_HEAD(&x->list, link);
		write_expiry(x->sched, e);
		STAILQ_INSERT_TAIL(&x->written, e, link);
		x->n_written++;
	}
	return false;
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
	struct sched_expiries *x = context;

	(void)fd;
	(void)what;
	if (x->wait.is_busy)
		return; /* on_synced() goes on */
	if (write_some(x))
		wake(x);
	else if (!STAILQ_EMPTY(&x->written))
		sched_wait_begin(&x->wait, sync_written, on_synced, x);
}

void sched_expire(struct sched *s, const struct queue_action *a)
{
	struct expiry *e =
	    mem_zero(1, sizeof(*e) + a->n_offsets * sizeof(size_t));

	e->kind = a->expiry;
	str_add(&e->name, a->name);
	str_add(&e->why, a->why);
	e->n = a->n_offsets;
	e->is_done = mem_zero(e->n + 1, sizeof(bool));
	memcpy(e->offsets, a->offsets, e->n * sizeof(size_t));
	STAILQ_INSERT_TAIL(&s->expiries->list, e, link);
	wake(s->expiries);
}

int sched_expiries_begin(struct sched *s, struct err *err)
{
	struct sched_expiries *x = mem_zero(1, sizeof(*x));

	s->expiries = x;
	x->sched = s;
	STAILQ_INIT(&x->list);
	STAILQ_INIT(&x->written);
	x->event = event_new(s->base, -1, 0, on_time, x);
	if (x->event == NULL)
		mem_exhausted();
	return sched_wait_open(&x->wait, s, err);
}

void sched_expiries_end(struct sched *s)
{
	struct sched_expiries *x = s->expiries;
	struct expiry *e;

	if (x == NULL)
		return;
	/* What is written is so at the next start; the rest will be late then.
	 */
	sched_wait_finish(&x->wait);
	end_written(x);
	while ((e = STAILQ_FIRST(&x->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&x->list, link);
		free_expiry(e);
	}
	sched_wait_close(&x->wait);
	event_free(x->event);
	free(x);
	s->expiries = NULL;
}

/*
 * finish.c - how recipients and messages end.
 *
 * Order, so that no crash loses a report: the `d` line and its mark are synced
 * before a recipient counts as failed; a report is in the spool, durable,
 * before its `d` lines are marked as reported; and only then the control file
 * goes, and after it the message file. A crash in between repeats a report.
 */
#include "sched/sched_internal.h"
#include "spool/dlines.h"
#include "spool/lock.h"
#include "taproto/notary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PID_MAX_IN_SLOT = 999999 };

/* ---- expiry ------------------------------------------------------------- */

int sched_add_dline(struct sched_file *f, const struct ctl_rcpt *rcpt,
		    struct slice notary, struct slice message, struct err *err)
{
	struct dline d =
	    dline_of_rcpt(rcpt, (int64_t)time(NULL), notary, message);
	struct str line = STR_INIT;
	int r;

	dline_print(&line, &d);
	r = dline_append(f->fd, str_slice(&line), err);
	str_done(&line);
	if (r == 0 && fdatasync(f->fd) < 0)
		r = FAIL_CODE(err, errno, "%s: %s", f->path, strerror(errno));
	return r;
}

/* What the queue remembered of the last try: status ^A remote MTA ^A text. */
struct last_words {
	struct slice status, remote_mta, text;
};

static struct last_words read_why(struct slice why)
{
	struct last_words last = { 0 };

	(void)slice_cut(&why, '\001', &last.status);
	(void)slice_cut(&why, '\001', &last.remote_mta);
	last.text = why;
	return last;
}

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

/* One recipient fails: lock, `d` line, mark. */
static int expire_one(struct sched_file *f, const struct ctl_rcpt *rcpt,
		      const struct queue_action *a, struct err *err)
{
	struct last_words last = read_why(a->why);
	pid_t pid = getpid() <= PID_MAX_IN_SLOT ? getpid() : 0;
	struct str notary = STR_INIT, message = STR_INIT;
	struct notary n = {
		.final_recipient = rcpt->address.user,
		.action = SLICE("failed"),
		.status = SLICE("5.4.7"),
		.diagnostic = SLICE("x-local; delivery time expired"),
		.remote_mta = last.remote_mta,
	};
	int r;

	if (lock_take(f->fd, rcpt, pid, err) != LOCK_TAKEN)
		return FAIL(err, "%s: recipient at byte %zu is locked", f->path,
			    rcpt->offset);
	notary_print(&notary, &n);
	str_adds(&message, expiry_text(a->expiry));
	if (last.text.len > 0) {
		str_adds(&message, "; the last try: ");
		str_add_clean(&message, last.text, SIZE_MAX);
	}
	r = sched_add_dline(f, rcpt, str_slice(&notary), str_slice(&message),
			    err);
	if (lock_mark(f->fd, rcpt, r == 0 ? LOCK_MARK_FAILED : LOCK_MARK_TODO,
		      err) < 0)
		r = -1;
	lock_release(f->fd, rcpt);
	str_done(&message);
	str_done(&notary);
	return r;
}

void sched_expire(struct sched *s, const struct queue_action *a)
{
	struct sched_file f;
	struct err err;
	bool is_open = sched_file_open(s, a->name, &f, &err) == SCHED_OPENED;

	for (size_t i = 0; i < a->n_offsets; i++) {
		const struct ctl_rcpt *rcpt =
		    is_open ? sched_file_rcpt(&f, a->offsets[i]) : NULL;
		bool is_done =
		    rcpt != NULL && expire_one(&f, rcpt, a, &err) == 0;

		if (!is_done)
			log_line(LOG_LEVEL_ERROR, "cannot expire: %s",
				 err.text);
		else
			log_line(LOG_LEVEL_INFO, "%s: <%.*s> expired: %s",
				 f.path, SLICE_ARG(rcpt->address.user),
				 expiry_text(a->expiry));
		s->counts.expired += is_done;
		queue_settle(s->queue, a->name, a->offsets[i], is_done,
			     sched_now(s));
	}
	sched_file_close(&f);
}

/* ---- delays ------------------------------------------------------------- */

void sched_delay(struct sched *s, const struct queue_action *a)
{
	struct last_words last = read_why(a->why);
	struct sched_told *told = mem_zero(a->n_offsets, sizeof(*told));
	struct str notary = STR_INIT;
	struct sched_file f;
	struct notary words = { .action = SLICE("delayed"),
				.status = last.status,
				.remote_mta = last.remote_mta };
	struct err err;
	size_t n = 0;

	notary_print(&notary, &words);
	if (sched_file_open(s, a->name, &f, &err) != SCHED_OPENED)
		goto out;
	for (size_t i = 0; i < a->n_offsets; i++) {
		const struct ctl_rcpt *rcpt =
		    sched_file_rcpt(&f, a->offsets[i]);

		if (rcpt != NULL)
			told[n++] = (struct sched_told){
				.rcpt = rcpt,
				.dline = SIZE_MAX,
				.notary = str_slice(&notary),
				.message = last.text,
			};
	}
	/* One that cannot be told of a delay has lost nothing. */
	if (sched_bounce(s, &f,
			 &(struct sched_bounce){ told, n, a->until / 1000 },
			 &err) < 0)
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
out:
	sched_file_close(&f);
	str_done(&notary);
	free(told);
}

/* ---- reports ------------------------------------------------------------ */

/* All `d` lines of a file that are not reported yet. */
struct told_list {
	struct sched_told *items;
	size_t n, cap;
};

static struct sched_told *add_told(struct told_list *list)
{
	list->items = mem_grow(list->items, &list->cap, list->n + 1,
			       sizeof(*list->items));
	return &list->items[list->n++];
}

static void collect(const struct sched_file *f, struct told_list *list)
{
	size_t at = 0, offset;
	struct dline d;

	while (dlines_next(str_slice(&f->text), &at, &offset, &d)) {
		const struct ctl_rcpt *rcpt = sched_file_rcpt(f, d.rcpt_offset);

		if (d.tag == ' ' && rcpt != NULL)
			*add_told(list) = (struct sched_told){
				.rcpt = rcpt,
				.dline = offset,
				.time = d.time,
				.notary = d.notary,
				.message = d.message,
			};
	}
}

static bool has_dline(const struct sched_file *f, const struct ctl_rcpt *rcpt)
{
	size_t at = 0, offset;
	struct dline d;

	while (dlines_next(str_slice(&f->text), &at, &offset, &d))
		if (d.rcpt_offset == rcpt->offset)
			return true;
	return false;
}

/* A failure whose `d` line was lost is a failure all the same. */
static void collect_mute(const struct sched_file *f, struct told_list *list)
{
	for (size_t i = 0; i < f->ctl.n_rcpts; i++) {
		const struct ctl_rcpt *rcpt = &f->ctl.rcpts[i];

		if (rcpt->tag == CTL_TAG_FAILED && !has_dline(f, rcpt))
			*add_told(list) = (struct sched_told){
				.rcpt = rcpt,
				.dline = SIZE_MAX,
				.notary = SLICE("\001failed\0015.0.0\001\001"),
				.message = SLICE("the reason was not kept"),
			};
	}
}

static int tell(struct sched *s, struct sched_file *f,
		const struct told_list *list, struct err *err)
{
	const struct sched_bounce b = { list->items, list->n, 0 };

	if (sched_bounce(s, f, &b, err) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].dline != SIZE_MAX &&
		    dlines_mark_reported(f->fd, list->items[i].dline, err) < 0)
			return -1;
	return 0;
}

void sched_report(struct sched *s, struct slice name)
{
	struct told_list list = { 0 };
	struct sched_file f;
	struct err err;
	int done = -1;

	switch (sched_file_open(s, name, &f, &err)) {
	case SCHED_OPENED:
		collect(&f, &list);
		done = tell(s, &f, &list, &err);
		break;
	case SCHED_GONE:
		done = 0;
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		break;
	}
	if (done < 0)
		log_line(LOG_LEVEL_ERROR, "reports wait: %s", err.text);
	queue_reported(s->queue, name, done == 0, sched_now(s));
	sched_file_close(&f);
	free(list.items);
}

/* ---- the end ------------------------------------------------------------ */

/* Is everybody's end on disk, or just being written by who reported it? */
static bool is_done_on_disk(const struct sched_file *f)
{
	for (size_t i = 0; i < f->ctl.n_rcpts; i++) {
		char tag = f->ctl.rcpts[i].tag;

		if (tag != CTL_TAG_DONE && tag != CTL_TAG_FAILED &&
		    tag != CTL_TAG_LOCKED)
			return false;
	}
	return true;
}

/* The control file first: what is left without it is clutter, not mail. */
static int remove_files(struct sched *s, struct sched_file *f, struct err *err)
{
	const char *message;

	if (jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				 &message, err) < 0)
		message = NULL;
	if (unlinkat(s->transport_dir, f->path, 0) < 0 && errno != ENOENT)
		return FAIL_CODE(err, errno, "%s: %s", f->path,
				 strerror(errno));
	if (message != NULL && unlinkat(s->transport_dir, message, 0) < 0 &&
	    errno != ENOENT)
		log_line(LOG_LEVEL_WARNING, "%s: %s", message, strerror(errno));
	return 0;
}

static int finish(struct sched *s, struct sched_file *f, struct err *err)
{
	struct told_list list = { 0 };
	int r;

	collect(f, &list);
	collect_mute(f, &list);
	r = tell(s, f, &list, err);
	if (r == 0)
		r = remove_files(s, f, err);
	free(list.items);
	return r;
}

void sched_finish(struct sched *s, struct slice name)
{
	struct sched_file f;
	struct err err;
	int done = -1;

	switch (sched_file_open(s, name, &f, &err)) {
	case SCHED_OPENED:
		if (!is_done_on_disk(&f)) {
			log_line(LOG_LEVEL_WARNING,
				 "%s: an agent said it was done, which the "
				 "file does not",
				 f.path);
			sched_look(s, name);
			sched_file_close(&f);
			return;
		}
		done = finish(s, &f, &err);
		if (done == 0)
			sched_event(s, "finished", "message", f.path, NULL);
		break;
	case SCHED_GONE:
		done = 0;
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		break;
	}
	if (done == 0) {
		queue_forget(s->queue, name, sched_now(s));
	} else {
		log_line(LOG_LEVEL_ERROR, "%s: it is kept", err.text);
		queue_reported(s->queue, name, false, sched_now(s));
	}
	sched_file_close(&f);
}

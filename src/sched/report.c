/*
 * report.c - what is to be told is told in batches.
 *
 * A message that has something to tell is put on a list, and soon after all of
 * the list is written together: one wait for the disk serves many reports,
 * however many messages end at the same time.
 *
 *	write	each file is read, its reports are staged
 *	settle	one wait; the reports can be seen, and are there for good
 *	end	`d` lines are marked, control and message files go
 *
 * While one batch waits for the disk (wait.h) the next is written, a bit in
 * each turn of the event loop, so that agents never wait for long. A message
 * is in one batch at a time: what else is due of it waits for the end of that.
 */
#include "sched/report.h"
#include "base/fd.h"
#include "sched/wait.h"
#include "spool/dlines.h"
#include "taproto/notary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BATCH_MAX = 2000, /* messages */
	TURN_MS = 30,	  /* then others have their turn */
	LINGER_MS = 50,	  /* for more to come */
	LAST_MS = 1000	  /* of writing when all ends */
};

/* Recipients of a message that are late. */
struct late {
	struct late *next;
	unsigned delays; /* how many times, with this one, for their age */
	bool is_deadline;
	int64_t until; /* Unix time */
	struct str why;
	size_t n;
	size_t offsets[];
};

/* A message that has something to tell. */
struct request {
	UT_hash_handle hh;
	bool is_last; /* and then it goes */
	bool is_due;  /* what failed so far */
	struct late *late;
	size_t name_len;
	char name[];
};

/* What is written into the control file once the report is there. */
struct mark {
	size_t dline;	      /* or SIZE_MAX: */
	struct ctl_rcpt rcpt; /* its place alone */
	unsigned delays;
};

/* A message while a batch is made. */
struct job {
	struct request *request;
	struct str control, message; /* below transport/; empty: not there */
	struct mark *marks;
	size_t n_marks, cap;
	struct sched_drafts drafts;
	bool is_failed, is_quiet; /* the log has been told enough */
	struct err err;
};

struct batch {
	struct sched_desk desk;
	struct job **jobs;
	size_t n, cap, n_ended;
	struct sched *sched;
	struct err err; /* why not all are settled */
};

struct sched_reports {
	struct request *requests; /* in the order in which they came */
	struct request *busy;	  /* those of both batches */
	struct batch *writing;	  /* NULL: nothing is written */
	struct batch *settling;	  /* NULL: nobody waits for the disk */
	struct sched_wait wait;
	struct event *event;
	unsigned serial; /* of temporary names */
};

static struct slice name_of(const struct request *r)
{
	return slice_make(r->name, r->name_len);
}

struct sched_desk *sched_reports_desk(struct sched *s)
{
	return &s->reports->writing->desk;
}

/* ---- what is due -------------------------------------------------------- */

static void wake_in(struct sched_reports *reports, int ms)
{
	const struct timeval wait = { 0, ms * 1000 };

	if (!event_pending(reports->event, EV_TIMEOUT, NULL))
		event_add(reports->event, &wait);
}

/* The message's request, made if need be: one however much is due. */
static struct request *want(struct sched *s, struct slice name)
{
	struct sched_reports *reports = s->reports;
	struct request *r;

	HASH_FIND(hh, reports->requests, name.p, name.len, r);
	if (r != NULL)
		return r;
	r = mem_zero(1, sizeof(*r) + name.len + 1);
	r->name_len = name.len;
	memcpy(r->name, name.p, name.len);
	HASH_ADD(hh, reports->requests, name, name.len, r);
	wake_in(reports, LINGER_MS);
	return r;
}

void sched_report(struct sched *s, struct slice name)
{
	want(s, name)->is_due = true;
}

void sched_report_last(struct sched *s, struct slice name)
{
	want(s, name)->is_last = true;
}

void sched_delay(struct sched *s, const struct queue_action *a)
{
	struct request *r = want(s, a->name);
	struct late *late =
	    mem_zero(1, sizeof(*late) + a->n_offsets * sizeof(size_t));

	late->delays = a->delays;
	late->is_deadline = a->is_deadline;
	late->until = a->until > 0 ? sched_wall(s, a->until) / 1000 : 0;
	str_add(&late->why, a->why);
	late->n = a->n_offsets;
	memcpy(late->offsets, a->offsets, a->n_offsets * sizeof(size_t));
	late->next = r->late;
	r->late = late;
}

static void free_request(struct request *r)
{
	struct late *next;

	for (struct late *late = r->late; late != NULL; late = next) {
		next = late->next;
		str_done(&late->why);
		free(late);
	}
	free(r);
}

/* ---- write -------------------------------------------------------------- */

static void add_mark(struct job *j, const struct mark *mark)
{
	j->marks =
	    mem_grow(j->marks, &j->cap, j->n_marks + 1, sizeof(*j->marks));
	j->marks[j->n_marks++] = *mark;
}

/* The delay slot: reports for its age, and ten for that of a deadline. */
static unsigned delays_now(const struct ctl_rcpt *rcpt, const struct late *l)
{
	unsigned for_age = rcpt->delays % SCHED_DELAYS_DEADLINE;
	bool was_deadline = rcpt->delays >= SCHED_DELAYS_DEADLINE;

	if (!l->is_deadline)
		for_age = l->delays;
	return for_age +
	       (was_deadline || l->is_deadline ? SCHED_DELAYS_DEADLINE : 0);
}

/* The notary of one that is late: what the queue remembered of it. */
static struct slice late_notary(const struct sched_last *last, struct arena *a)
{
	struct notary words = { .action = SLICE("delayed"),
				.status = last->status,
				.remote_mta = last->remote_mta };
	struct str text = STR_INIT;
	struct slice kept;

	notary_print(&text, &words);
	kept = arena_dup(a, str_slice(&text));
	str_done(&text);
	return kept;
}

static void collect_late(struct job *j, const struct sched_file *f,
			 const struct late *l, struct sched_told_list *list)
{
	struct sched_last last = sched_last_words(str_slice(&l->why));
	struct slice notary = late_notary(&last, f->arena);

	for (size_t i = 0; i < l->n; i++) {
		const struct ctl_rcpt *rcpt = sched_file_rcpt(f, l->offsets[i]);

		if (rcpt == NULL || rcpt->tag == CTL_TAG_DONE ||
		    rcpt->tag == CTL_TAG_FAILED)
			continue;
		*sched_told_add(list) = (struct sched_told){
			.rcpt = rcpt,
			.dline = SIZE_MAX,
			.notary = notary,
			.message = last.text,
			.until = l->until,
		};
		add_mark(
		    j, &(struct mark){ SIZE_MAX, *rcpt, delays_now(rcpt, l) });
	}
}

static void collect(struct job *j, const struct sched_file *f,
		    struct sched_told_list *list)
{
	const struct request *r = j->request;

	if (r->is_last || r->is_due) {
		sched_told_collect(f, list);
		for (size_t i = 0; i < list->n; i++)
			add_mark(
			    j, &(struct mark){ .dline = list->items[i].dline });
	}
	if (r->is_last)
		sched_told_collect_mute(f, list);
	for (const struct late *l = r->late; l != NULL && !r->is_last;
	     l = l->next)
		collect_late(j, f, l, list);
}

static void write_file(struct sched *s, struct job *j,
		       const struct sched_file *f)
{
	struct sched_told_list list = { 0 };
	const char *message;

	str_adds(&j->control, f->path);
	if (jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				 &message, &j->err) == 0)
		str_adds(&j->message, message);
	collect(j, f, &list);
	j->is_failed = sched_bounce(s, f, &list, &j->drafts, &j->err) < 0;
	free(list.items);
}

static void write_job(struct sched *s, struct job *j)
{
	struct sched_file f;

	switch (sched_file_reopen(s, name_of(j->request), &f, &j->err)) {
	case SCHED_OPENED:
		write_file(s, j, &f);
		break;
	case SCHED_GONE:
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		j->is_failed = true;
		break;
	}
	sched_file_close(&f);
	if (j->is_failed) /* all of it is written again, later */
		sched_drafts_free(s, &j->drafts);
}

/* ---- settle ------------------------------------------------------------- */

/* Waits for the disk; in a thread that has this batch for itself. */
static void settle(void *context)
{
	struct sched *s = context;
	struct batch *b = s->reports->settling;
	struct sched_draft **drafts = NULL, *d;
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < b->n; i++)
		STAILQ_FOREACH (d, &b->jobs[i]->drafts, link) {
			drafts = mem_grow(drafts, &cap, n + 1,
					  sizeof(struct sched_draft *));
			drafts[n++] = d;
		}
	if (n > 0)
		sched_drafts_settle(&b->desk, drafts, n, &b->err);
	free(drafts);
}

/* ---- end ---------------------------------------------------------------- */

/* A report that was made is not made again. */
static void write_marks(struct sched *s, struct job *j)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct err err;
	int fd, r = 0;

	if (j->n_marks == 0)
		return;
	fd = openat(s->transport_dir, str_cstr(&j->control), flags);
	if (fd < 0 && errno == ENOENT)
		return; /* somebody was faster */
	if (fd < 0) {
		err_set(&err, errno, "%s", strerror(errno));
		r = -1;
	}
	for (size_t i = 0; r == 0 && i < j->n_marks; i++) {
		const struct mark *m = &j->marks[i];

		r = m->dline != SIZE_MAX
			? dlines_mark_reported(fd, m->dline, &err)
			: dlines_set_delays(fd, &m->rcpt, m->delays, &err);
	}
	fd_close(fd);
	if (r < 0)
		log_line(LOG_LEVEL_WARNING, "%s: told, but not marked so: %s",
			 str_cstr(&j->control), err.text);
}

static void tell_events(struct sched *s, const struct job *j)
{
	static const char *const kinds[] = {
		[NOTICE_FAILED] = "failed",
		[NOTICE_DELAYED] = "delayed",
		[NOTICE_DELIVERED] = "delivered",
	};
	static const enum sched_thing things[] = {
		[NOTICE_FAILED] = SCHED_REPORTS_FAILED,
		[NOTICE_DELAYED] = SCHED_REPORTS_DELAYED,
		[NOTICE_DELIVERED] = SCHED_REPORTS_DELIVERED,
	};
	const struct sched_draft *d;

	STAILQ_FOREACH (d, &j->drafts, link) {
		bool is_stored = d->stored.len > 0;

		sched_metrics_count(s->metrics, is_stored ? SCHED_REPORTS_KEPT
							  : things[d->kind]);
		sched_event(s, "report", is_stored ? "file" : "message",
			    str_cstr(is_stored ? &d->stored : &d->file.name),
			    "identity", str_cstr(&d->message_id), "kind",
			    kinds[d->kind], "about", str_cstr(&j->control),
			    NULL);
	}
}

/* Everything is told: what was it about goes. */
static bool remove_job(struct sched *s, struct job *j)
{
	const char *message = j->message.len > 0 ? str_cstr(&j->message) : NULL;

	return j->control.len == 0 ||
	       sched_remove(s, str_cstr(&j->control), message, &j->err) == 0;
}

/* All of its reports are there, or it is as if none had been written. */
static void check_drafts(struct job *j, const struct err *err)
{
	const struct sched_draft *d;

	STAILQ_FOREACH (d, &j->drafts, link)
		if (!d->is_done && !j->is_failed) {
			j->is_failed = true;
			j->err = *err;
		}
}

/* What it was about is told so, and the queue. */
static void end_job(struct sched *s, struct job *j)
{
	struct slice name = name_of(j->request);
	bool is_last = j->request->is_last;

	if (!j->is_failed) {
		tell_events(s, j);
		write_marks(s, j);
		if (is_last)
			j->is_failed = !remove_job(s, j);
	}
	if (is_last) {
		sched_finished(s, name, !j->is_failed,
			       j->is_quiet ? NULL : &j->err);
	} else {
		if (j->is_failed && !j->is_quiet)
			log_line(LOG_LEVEL_ERROR, "reports wait: %s",
				 j->err.text);
		if (j->request->is_due)
			queue_reported(s->queue, name, !j->is_failed,
				       sched_now(s));
	}
}

static void free_job(struct sched *s, struct job *j)
{
	sched_drafts_free(s, &j->drafts);
	str_done(&j->control);
	str_done(&j->message);
	free(j->marks);
	HASH_DEL(s->reports->busy, j->request);
	free_request(j->request);
	free(j);
}

/* Ends some of a batch that is settled. True: all of it, and it is freed. */
static bool end_some(struct batch *b, int64_t until)
{
	struct sched *s = b->sched;

	while (b->n_ended < b->n && sched_now(s) < until) {
		struct job *j = b->jobs[b->n_ended++];

		check_drafts(j, &b->err);
		end_job(s, j);
		free_job(s, j);
	}
	if (b->n_ended < b->n)
		return false;
	sched_desk_close(&b->desk);
	free(b->jobs);
	free(b);
	return true;
}

/* ---- batches ------------------------------------------------------------ */

/* The batch that is being written; a new one if there is none. */
static struct batch *batch_of(struct sched *s, struct err *err)
{
	struct sched_reports *reports = s->reports;
	struct batch *b = reports->writing;

	if (b != NULL)
		return b;
	b = mem_zero(1, sizeof(*b));
	b->sched = s;
	err_set(&b->err, 0, "its report is not there");
	if (sched_desk_open(s, &b->desk, err) < 0) {
		free(b);
		return NULL;
	}
	b->desk.office.serial = reports->serial;
	reports->writing = b;
	return b;
}

/* A request of whose message nothing is in a batch. */
static struct request *next_request(const struct sched_reports *reports)
{
	struct request *r, *other;

	for (r = reports->requests; r != NULL; r = r->hh.next) {
		HASH_FIND(hh, reports->busy, r->name, r->name_len, other);
		if (other == NULL)
			return r;
	}
	return NULL;
}

/* It is in a batch from now on. */
static struct job *begin_job(struct sched_reports *reports, struct request *r)
{
	struct job *j = mem_zero(1, sizeof(*j));

	HASH_DEL(reports->requests, r);
	HASH_ADD(hh, reports->busy, name, r->name_len, r);
	j->request = r;
	STAILQ_INIT(&j->drafts);
	return j;
}

/* Gives the job, which is the batch's. */
static const struct job *write_request(struct sched *s, struct batch *b,
				       struct request *r)
{
	struct job *j = begin_job(s->reports, r);

	b->jobs = mem_grow(b->jobs, &b->cap, b->n + 1, sizeof(struct job *));
	b->jobs[b->n++] = j;
	write_job(s, j);
	s->reports->serial = b->desk.office.serial;
	return j;
}

/* No report can be written now: all wait, and the log is told once. */
static void refuse_all(struct sched *s, const struct err *err)
{
	struct request *r;
	size_t n = 0;

	while ((r = next_request(s->reports)) != NULL) {
		struct job *j = begin_job(s->reports, r);

		j->is_failed = true;
		j->is_quiet = n++ > 0;
		j->err = *err;
		end_job(s, j);
		free_job(s, j);
	}
	if (n > 1)
		log_line(LOG_LEVEL_ERROR,
			 "%zu more messages wait to be reported on", n - 1);
}

/* Would the next one fail for the same reason? */
static bool is_hopeless(const struct job *j)
{
	return j->is_failed &&
	       (j->err.code == ENOSPC || j->err.code == EDQUOT ||
		j->err.code == EROFS || j->err.code == EMFILE);
}

/* Writes some of what is due. True: more of it could be written. */
static bool write_some(struct sched *s, int64_t until)
{
	struct request *r;
	struct err err;

	while ((r = next_request(s->reports)) != NULL) {
		struct batch *b = batch_of(s, &err);
		const struct job *j;

		if (b == NULL) {
			refuse_all(s, &err);
			return false;
		}
		if (b->n == BATCH_MAX || sched_now(s) >= until)
			return b->n < BATCH_MAX;
		j = write_request(s, b, r);
		if (is_hopeless(j))
			refuse_all(s, &j->err);
	}
	return false;
}

/* A turn: ends, writes, and has the disk waited for. */
static void go_on(void *context)
{
	struct sched *s = context;
	struct sched_reports *reports = s->reports;
	int64_t until = sched_now(s) + TURN_MS;
	bool is_more = false;

	if (reports->settling != NULL && !reports->wait.is_busy) {
		if (end_some(reports->settling, until))
			reports->settling = NULL;
		else
			is_more = true;
	}
	if (!is_more)
		is_more = write_some(s, until);
	if (!is_more && reports->writing != NULL && reports->settling == NULL) {
		reports->settling = reports->writing;
		reports->writing = NULL;
		sched_wait_begin(&reports->wait, settle, go_on, s);
		is_more = next_request(reports) != NULL;
	}
	if (is_more)
		wake_in(reports, 0);
	sched_settle(s);
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	go_on(context);
}

int sched_reports_begin(struct sched *s, struct err *err)
{
	s->reports = mem_zero(1, sizeof(*s->reports));
	s->reports->event = event_new(s->base, -1, 0, on_time, s);
	if (s->reports->event == NULL)
		mem_exhausted();
	return sched_wait_open(&s->reports->wait, s, err);
}

void sched_reports_end(struct sched *s)
{
	struct sched_reports *reports = s->reports;
	struct request *r, *next;

	if (reports == NULL)
		return;
	/* What is begun is ended; what is left is found at the next start. */
	sched_wait_finish(&reports->wait);
	if (reports->settling != NULL)
		(void)end_some(reports->settling, INT64_MAX);
	(void)write_some(s, sched_now(s) + LAST_MS);
	reports->settling = reports->writing;
	if (reports->settling != NULL) {
		settle(s);
		(void)end_some(reports->settling, INT64_MAX);
	}
	r = reports->requests;
	HASH_CLEAR(hh, reports->requests);
	for (; r != NULL; r = next) {
		next = r->hh.next;
		free_request(r);
	}
	sched_wait_close(&reports->wait);
	event_free(reports->event);
	free(reports);
	s->reports = NULL;
}

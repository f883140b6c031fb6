/*
 * tell.c - what happened, told to whom it concerns: the event log, the metrics
 * and the statistics log.
 *
 * Metrics are always counted, which costs next to nothing. The rest needs the
 * control file (the queue keeps no address), which is read only if there is a
 * log that wants it; results of one message come together, so the last one
 * that was read is kept.
 */
#include "base/json.h"
#include "base/keyword.h"
#include "dsn/status.h"
#include "sched/sched_internal.h"
#include "spool/spoolid.h"
#include "taproto/notary.h"
#include "taproto/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
	RCPTS_MAX = 200, /* of one message in one line */
	TEXT_MAX = 1024	 /* bytes of a text from outside */
};

/* ---- the message told of last ------------------------------------------- */

struct sched_recent {
	struct str name, spool_id;
	struct sched_file file;	 /* its descriptor is closed */
	int64_t arrived, routed; /* ms: the message file, the control file */
	bool is_open;
};

static void print_spool_id(struct str *to, const struct stat *st)
{
	spoolid_print(to, st->st_ino, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

static int64_t to_ms(int64_t seconds, int64_t nanoseconds)
{
	return seconds * 1000 + nanoseconds / 1000000;
}

/* When the control file was made; 0: the file system does not know. */
static int64_t birth_of(int fd)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) < 0 ||
	    (x.stx_mask & STATX_BTIME) == 0)
		return 0;
	return to_ms(x.stx_btime.tv_sec, x.stx_btime.tv_nsec);
}

static void forget(struct sched_recent *m)
{
	sched_file_close(&m->file);
	str_clear(&m->name);
	str_clear(&m->spool_id);
	m->is_open = false;
}

void sched_tell_end(struct sched *s)
{
	if (s->recent == NULL)
		return;
	forget(s->recent);
	str_done(&s->recent->name);
	str_done(&s->recent->spool_id);
	free(s->recent);
	s->recent = NULL;
}

/* Fills spool id and times, if the message file is there. */
static void look_at_message(struct sched *s, struct sched_recent *m)
{
	const char *path;
	struct stat st;
	struct err err;

	if (jobname_message_path(&m->file.job, m->file.ctl.message_name,
				 m->file.arena, &path, &err) < 0 ||
	    fstatat(s->transport_dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	print_spool_id(&m->spool_id, &st);
	m->arrived = to_ms(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	m->routed = birth_of(m->file.fd);
	if (m->routed < m->arrived)
		m->routed = m->arrived;
}

/* The message of this name; NULL: its control file cannot be read. */
static const struct sched_recent *get_recent(struct sched *s, struct slice name)
{
	struct sched_recent *m = s->recent;
	struct err err;

	if (m == NULL)
		m = s->recent = mem_zero(1, sizeof(*m));
	else if (m->is_open && slice_eq(str_slice(&m->name), name))
		return m;
	else
		forget(m);
	if (sched_file_open(s, name, &m->file, &err) != SCHED_OPENED) {
		forget(m);
		return NULL;
	}
	str_add(&m->name, name);
	look_at_message(s, m);
	if (m->file.fd >= 0)
		close(m->file.fd);
	m->file.fd = -1;
	m->is_open = true;
	return m;
}

/* A name may come again, for another message. */
static void forget_name(struct sched *s, struct slice name)
{
	if (s->recent != NULL && s->recent->is_open &&
	    slice_eq(str_slice(&s->recent->name), name))
		forget(s->recent);
}

static bool is_anybody_told(const struct sched *s)
{
	return s->events != NULL || s->statistics != NULL;
}

/* ---- parts of lines ----------------------------------------------------- */

static void add_cut(struct json *j, const char *key, struct slice text)
{
	json_text_if(j, key, json_cut(text, TEXT_MAX));
}

static void add_address(struct json *j, const struct ctl_address *a)
{
	add_cut(j, "channel", a->channel);
	add_cut(j, "host", a->host);
	add_cut(j, "user", a->user);
}

/* The null sender is an empty text. */
static void add_sender(struct json *j, const struct ctl_sender *sender)
{
	json_text(j, "sender",
		  sender->is_null ? SLICE("")
				  : json_cut(sender->address.user, TEXT_MAX));
}

/* Program, pid and channel, as in an attempt record. */
static void add_agent(struct json *j, const struct sched_worker *w)
{
	json_object(j, "agent");
	json_text(j, "program", slice_of(w->name));
	json_int(j, "pid", w->child.pid);
	json_text(j, "channel", str_slice(&w->channel));
	json_close(j);
}

/* What the queue remembers of a try: see print_why() in answer.c; a text of
 * its own stands alone. */
static void add_why(struct json *j, struct slice why)
{
	struct slice status = SLICE(""), remote = SLICE("");

	if (slice_has(why, '\001')) {
		(void)slice_cut(&why, '\001', &status);
		(void)slice_cut(&why, '\001', &remote);
	}
	add_cut(j, "status", status_word(status));
	add_cut(j, "text", why);
	add_cut(j, "remote", remote);
}

/* Who a line is about: the message, and one recipient of it. */
static void add_rcpt(struct json *j, const struct sched_recent *m,
		     const struct ctl_rcpt *rcpt)
{
	if (m != NULL && m->spool_id.len > 0)
		json_text(j, "spool_id", str_slice(&m->spool_id));
	if (m != NULL)
		add_cut(j, "identity", m->file.ctl.log_identity);
	if (rcpt == NULL)
		return;
	add_sender(j, rcpt->sender);
	add_address(j, &rcpt->address);
}

/* ---- messages ----------------------------------------------------------- */

static void add_rcpts(struct json *j, const struct ctl *ctl)
{
	size_t n = ctl->n_rcpts < RCPTS_MAX ? ctl->n_rcpts : RCPTS_MAX;

	json_array(j, "recipients");
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_uint(j, "offset", ctl->rcpts[i].offset);
		add_address(j, &ctl->rcpts[i].address);
		json_close(j);
	}
	json_close(j);
	json_uint(j, "n_recipients", ctl->n_rcpts);
}

void sched_tell_queued(struct sched *s, const struct sched_file *f,
		       const struct stat *st, int64_t arrived)
{
	struct json *j;
	struct str id = STR_INIT;

	sched_metrics_count(s->metrics, SCHED_ARRIVED);
	if (s->recent != NULL)
		forget_name(s, f->job.name);
	j = sched_event_open(s, "queued");
	if (j == NULL)
		return;
	print_spool_id(&id, st);
	json_text(j, "message", f->job.name);
	json_text(j, "spool_id", str_slice(&id));
	add_cut(j, "identity", f->ctl.log_identity);
	add_sender(j, f->ctl.rcpts[0].sender);
	json_int(j, "size", st->st_size);
	json_int(j, "delay_ms", sched_now(s) - arrived);
	add_rcpts(j, &f->ctl);
	sched_event_close(s);
	str_done(&id);
}

void sched_tell_finished(struct sched *s, struct slice name)
{
	int64_t arrived = queue_arrived(s->queue, name);
	struct json *j;

	sched_metrics_count(s->metrics, SCHED_FINISHED);
	j = sched_event_open(s, "finished");
	if (j != NULL) {
		json_text(j, "message", name);
		if (arrived > 0)
			json_int(j, "delay_ms", sched_now(s) - arrived);
		sched_event_close(s);
	}
	if (s->recent != NULL)
		forget_name(s, name);
}

/* ---- results ------------------------------------------------------------ */

/* An enhanced code behind a reply code: "550 5.1.1 text"; else empty. */
static struct slice status_in(struct slice text)
{
	struct slice word = SLICE("");
	size_t n = 0;

	if (!slice_word(&text, &word) || word.len != 3 ||
	    !slice_word(&text, &word))
		return SLICE("");
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] == '.')
			n++;
		else if (word.p[i] < '0' || word.p[i] > '9')
			return SLICE("");
	}
	return n == 2 ? word : SLICE("");
}

static const char *outcome_word(const struct sched_result *r)
{
	switch (r->outcome) {
	case QUEUE_DELIVERED:
		return slice_eq(r->notary->action, SLICE("relayed"))
			   ? "relayed"
			   : "delivered";
	case QUEUE_FAILED:
		return "failed";
	case QUEUE_HELD:
		return "held";
	case QUEUE_DEFERRED:
	case QUEUE_DEFERRED_ALL:
		break;
	}
	return report_status_word(r->report->status);
}

static enum sched_fate fate_of(enum queue_outcome outcome)
{
	static const enum sched_fate fates[] = {
		[QUEUE_DELIVERED] = SCHED_DELIVERED,
		[QUEUE_FAILED] = SCHED_FAILED,
		[QUEUE_DEFERRED] = SCHED_DEFERRED,
		[QUEUE_DEFERRED_ALL] = SCHED_DEFERRED,
		[QUEUE_HELD] = SCHED_HELD,
	};

	return fates[outcome];
}

static void result_event(struct sched *s, const struct sched_result *r,
			 struct slice status, const struct sched_recent *m,
			 const struct ctl_rcpt *rcpt)
{
	struct json *j = sched_event_open(s, "result");

	if (j == NULL)
		return;
	json_text(j, "message", r->name);
	json_uint(j, "offset", r->report->offset);
	add_rcpt(j, m, rcpt);
	json_text(j, "outcome", slice_of(outcome_word(r)));
	add_cut(j, "status", status);
	add_cut(j, "text", r->text);
	add_cut(j, "remote", r->notary->remote_mta);
	add_agent(j, r->worker);
	json_uint(j, "tries", r->tries + 1);
	json_int(j, "delay_ms", sched_now(s) - r->arrived);
	sched_event_close(s);
}

static void statistics(struct sched *s, const struct sched_recent *m,
		       const struct ctl_address *address, const char *state)
{
	if (s->statistics == NULL || m == NULL || address == NULL)
		return;
	sched_statistics(s, &(struct sched_statistics){
				.spool_id = str_slice(&m->spool_id),
				.channel = address->channel,
				.host = address->host,
				.router_ms = m->routed - m->arrived,
				.delivery_ms = sched_now(s) - m->routed,
				.state = state });
}

void sched_tell_result(struct sched *s, const struct sched_result *r)
{
	struct slice status = status_word(r->notary->status);
	const struct sched_recent *m;
	const struct ctl_rcpt *rcpt;
	bool is_final =
	    r->outcome == QUEUE_DELIVERED || r->outcome == QUEUE_FAILED;

	if (status.len == 0)
		status = status_in(r->text);
	sched_metrics_fate(s->metrics, r->worker->row, fate_of(r->outcome),
			   status, sched_now(s) - r->arrived);
	if (!is_anybody_told(s))
		return;
	m = get_recent(s, r->name);
	rcpt = m != NULL ? sched_file_rcpt(&m->file, r->report->offset) : NULL;
	result_event(s, r, status, m, rcpt);
	if (is_final)
		statistics(s, m, rcpt != NULL ? &rcpt->address : NULL,
			   report_status_word(r->report->status));
}

void sched_tell_expired(struct sched *s, struct slice name, size_t offset,
			enum queue_expiry expiry, struct slice why)
{
	static const char *const words[] = {
		[QUEUE_EXPIRED_TRIED] = "tried",
		[QUEUE_EXPIRED_UNTRIED] = "untried",
		[QUEUE_EXPIRED_DEADLINE] = "deadline",
		[QUEUE_EXPIRED_COMMAND] = "command",
	};
	const struct sched_recent *m = get_recent(s, name);
	const struct ctl_rcpt *rcpt =
	    m != NULL ? sched_file_rcpt(&m->file, offset) : NULL;
	int64_t now = sched_now(s), arrived = queue_arrived(s->queue, name);
	struct json *j;

	if (rcpt != NULL) {
		sched_metrics_fate(
		    s->metrics,
		    sched_metrics_channel(s->metrics, rcpt->address.channel),
		    SCHED_EXPIRED, SLICE("5.4.7"), 0);
		statistics(s, m, &rcpt->address, "expire");
	}
	j = sched_event_open(s, "expired");
	if (j == NULL)
		return;
	json_text(j, "message", name);
	json_uint(j, "offset", offset);
	add_rcpt(j, m, rcpt);
	json_text(j, "reason", slice_of(words[expiry]));
	add_why(j, why);
	json_int(j, "delay_ms",
		 arrived > 0 && arrived < now ? now - arrived : 0);
	sched_event_close(s);
}

/* ---- commands ----------------------------------------------------------- */

/* For the counts of fates: it is done, and nobody hears of it. */
static bool ends_unheard(const struct sched_command *c)
{
	return strcmp(c->word, "delete") == 0 ||
	       strcmp(c->word, "redirect") == 0;
}

void sched_tell_command(struct sched *s, const struct sched_command *c)
{
	struct json *j;

	if (c->rcpt != NULL && ends_unheard(c))
		sched_metrics_fate(
		    s->metrics,
		    sched_metrics_channel(s->metrics, c->rcpt->address.channel),
		    SCHED_DELETED, SLICE(""), 0);
	j = sched_event_open(s, "command");
	if (j == NULL)
		return;
	json_text(j, "command", slice_of(c->word));
	json_uint(j, "by", c->by);
	add_cut(j, "words", slice_trim(c->words));
	if (c->rcpt != NULL) {
		json_text(j, "message", c->file->job.name);
		json_uint(j, "offset", c->rcpt->offset);
		add_sender(j, c->rcpt->sender);
		add_address(j, &c->rcpt->address);
	}
	add_cut(j, "as", c->as);
	sched_event_close(s);
}

/* ---- agents ------------------------------------------------------------- */

void sched_tell_agent_start(struct sched *s, struct sched_worker *w,
			    const struct queue_action *a)
{
	struct json *j;

	str_add(&w->channel, a->channel);
	w->row = sched_metrics_channel(s->metrics, a->channel);
	w->started = sched_now(s);
	sched_metrics_agent_start(s->metrics, w->row);
	j = sched_event_open(s, "agent-start");
	if (j == NULL)
		return;
	add_agent(j, w);
	add_cut(j, "host", a->host);
	sched_event_close(s);
}

void sched_tell_agent_failed(struct sched *s, const struct queue_action *a)
{
	unsigned row = sched_metrics_channel(s->metrics, a->channel);

	sched_metrics_agent_start(s->metrics, row);
	sched_metrics_agent_end(s->metrics, row, true);
}

/* As wait(2) has it. */
static void add_status(struct json *j, int status)
{
	if (WIFEXITED(status))
		json_int(j, "exit", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		json_int(j, "signal", WTERMSIG(status));
}

void sched_tell_agent_end(struct sched *s, const struct sched_worker *w)
{
	bool is_bad = !WIFEXITED(w->status) || WEXITSTATUS(w->status) != 0;
	struct json *j;

	sched_metrics_agent_end(s->metrics, w->row, is_bad);
	j = sched_event_open(s, "agent-end");
	if (j == NULL)
		return;
	add_agent(j, w);
	add_status(j, w->status);
	json_int(j, "ms", sched_now(s) - w->started);
	sched_event_close(s);
}

void sched_tell_service(struct sched *s, pid_t pid, const int *status)
{
	struct json *j;

	if (status == NULL)
		sched_metrics_count(s->metrics, SCHED_SUBMIT_STARTS);
	else if (!s->is_ending)
		sched_metrics_count(s->metrics, SCHED_SUBMIT_ENDS);
	j = sched_event_open(s, status == NULL ? "submit-start" : "submit-end");
	if (j == NULL)
		return;
	json_int(j, "pid", pid);
	if (status != NULL)
		add_status(j, *status);
	sched_event_close(s);
}

/* ---- destinations ------------------------------------------------------- */

void sched_tell_news(void *context, const struct queue_news *news)
{
	struct sched *s = context;
	struct json *j;

	sched_metrics_count(s->metrics, news->is_suspended ? SCHED_SUSPENDED
							   : SCHED_RESUMED);
	j = sched_event_open(s, news->is_suspended ? "suspended" : "resumed");
	if (j == NULL)
		return;
	json_text(j, "channel", news->channel);
	json_text(j, "host", news->host);
	json_uint(j, "tries", news->tries);
	if (news->is_suspended)
		json_int(j, "for_ms", news->until - sched_now(s));
	add_why(j, news->why);
	sched_event_close(s);
}

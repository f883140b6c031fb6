/*
 * answer.c - what agents say (scheduler protocol, section 3): lines into the
 * queue's words.
 *
 * An agent may be anybody's: what it says of recipients that it was not fed is
 * logged and changes nothing; what it says at all is only believed as far as
 * the control file agrees once the message is finished.
 */
#include "sched/sched_internal.h"
#include "spool/dlines.h"
#include "taproto/report.h"

#include <string.h>

enum {
	WHY_TEXT_MAX = 200,
	SHOWN_MAX = 400, /* bytes of a line in the log */
	QUOTA_LINES = 50,
	QUOTA_MS = 10 * 1000
};

/* ---- the log ------------------------------------------------------------ */

/* May another line of this agent go into the log? */
static bool may_log(struct sched *s, struct sched_worker *w)
{
	struct sched_quota *q = &w->quota;
	int64_t now = sched_now(s);

	if (now - q->at >= QUOTA_MS) {
		if (q->lost > 0)
			log_line(LOG_LEVEL_WARNING,
				 "%s[%ld]: %ju lines more were not logged",
				 w->name, (long)w->child.pid,
				 (uintmax_t)q->lost);
		*q = (struct sched_quota){ .at = now };
	}
	if (q->n == QUOTA_LINES) {
		q->lost++;
		return false;
	}
	q->n++;
	return true;
}

/* Logs what an agent said; NULs and all else that a log cannot have shows. */
static void log_said(struct sched *s, struct sched_worker *w,
		     enum log_level level, const char *what, struct slice said)
{
	struct str text = STR_INIT;

	if (!may_log(s, w))
		return;
	str_add_clean(&text, said, SHOWN_MAX);
	log_line(level, "%s[%ld]: %s%s", w->name, (long)w->child.pid, what,
		 str_cstr(&text));
	str_done(&text);
}

/* The same of a line that is of no use. */
static void refuse(struct sched *s, struct sched_worker *w, const char *what,
		   struct slice said)
{
	struct str quoted = STR_INIT;

	sched_metrics_count(s->metrics, SCHED_UNHEARD);
	str_addc(&quoted, '\'');
	str_add_clean(&quoted, said, SHOWN_MAX);
	str_addc(&quoted, '\'');
	log_said(s, w, LOG_LEVEL_WARNING, what, str_slice(&quoted));
	str_done(&quoted);
}

/* ---- attempt records ---------------------------------------------------- */

/* The site key of a record, and the record into the event log. */
static void take_attempt(struct sched *s, struct sched_worker *w,
			 struct slice text)
{
	struct sched_attempt attempt;
	const char *why;

	if (!sched_attempt_read(text, &attempt, &why)) {
		sched_metrics_count(s->metrics, SCHED_UNHEARD);
		log_said(s, w, LOG_LEVEL_WARNING,
			 "bad attempt record: ", slice_of(why));
		return;
	}
	if (attempt.site.len > 0)
		queue_site(s->queue, w->id, attempt.site, sched_now(s));
	if (attempt.ms >= 0)
		sched_metrics_attempt(s->metrics, attempt.ms);
	sched_event_record(s, text);
}

/* ---- results ------------------------------------------------------------ */

/* What is in brackets of a diagnostic, "smtp; 466 (no route to host)", whose
 * number is the agent's own; other texts as they are. */
static struct slice out_of_brackets(struct slice text)
{
	size_t at = slice_find_text(text, SLICE("; "));
	struct slice rest = slice_from(text, at < text.len ? at + 2 : at);

	if (slice_has(slice_head(text, at), ' ') || rest.len < 7 ||
	    !slice_starts(slice_from(rest, 3), SLICE(" (")) ||
	    rest.p[rest.len - 1] != ')')
		return text;
	for (size_t i = 0; i < 3; i++)
		if (!ascii_is_digit(rest.p[i]))
			return text;
	return slice_from(slice_head(rest, rest.len - 1), 5);
}

/*
 * What happened, out of a transcript: the last reply; and where the last
 * command got none, what stands before the transcript, if there is anything.
 * The arrows are for people who read all of it.
 */
static struct slice gist(struct slice message)
{
	size_t cr = slice_find_last(message, '\r');
	struct slice last =
	    slice_trim(slice_from(message, cr < message.len ? cr + 1 : 0));
	struct slice first =
	    slice_trim(slice_head(message, slice_find(message, '\r')));

	if (slice_starts(last, SLICE("->> ")))
		return slice_from(last, 4);
	if (!slice_starts(last, SLICE("<<- ")))
		return out_of_brackets(last);
	return first.len > 0 ? first : slice_from(last, 4);
}

/* What the queue is to remember: status, remote MTA and text, with ^A. */
static void print_why(struct str *to, const struct notary *n, struct slice text)
{
	str_add_clean(to, n->status, WHY_TEXT_MAX);
	str_addc(to, '\001');
	str_add_clean(to, n->remote_mta, WHY_TEXT_MAX);
	str_addc(to, '\001');
	str_add_clean(to, text, WHY_TEXT_MAX);
}

/* Is the recipient to be held, by the agent's wish? */
static bool wants_hold(const struct report *r)
{
	return r->status == STATUS_DEFERBACK &&
	       slice_find_text(r->message, SLICE("outcome unknown, hold")) == 0;
}

static enum queue_outcome outcome_of(const struct report *r)
{
	switch (r->status) {
	case STATUS_OK:
	case STATUS_OK2:
	case STATUS_OK3:
		return QUEUE_DELIVERED;
	case STATUS_ERROR:
	case STATUS_ERROR2:
		return QUEUE_FAILED;
	case STATUS_RETRYAT:
	case STATUS_DEFERALL:
		return QUEUE_DEFERRED_ALL;
	case STATUS_DEFERBACK:
		return wants_hold(r) ? QUEUE_HELD : QUEUE_DEFERRED;
	case STATUS_DEFERRED:
	case STATUS_UNKNOWN:
		break;
	}
	return QUEUE_DEFERRED;
}

/* The words of agents that leave the `d` line to us, and holds. */
static void write_file(struct sched *s, struct slice name,
		       const struct report *r)
{
	const struct ctl_rcpt *rcpt;
	struct sched_file f;
	struct err err;
	int done = -1;

	if (sched_file_open(s, name, &f, &err) != SCHED_OPENED)
		goto out;
	rcpt = sched_file_rcpt(&f, r->offset);
	if (rcpt == NULL)
		err_set(&err, 0, "%s: no recipient at byte %ju", f.path,
			(uintmax_t)r->offset);
	else if (wants_hold(r))
		done = dlines_hold(f.fd, rcpt, true, &err);
	else
		done = sched_add_dline(&f, rcpt, r->notary, r->message, &err);
out:
	if (done < 0)
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
	sched_file_close(&f);
}

static void take_result(struct sched *s, struct sched_worker *w,
			const struct report *r)
{
	bool is_ours = r->status == STATUS_OK || r->status == STATUS_ERROR;
	struct str why = STR_INIT, name = STR_INIT;
	struct queue_report q = { .id = r->id,
				  .offset = r->offset,
				  .outcome = outcome_of(r) };
	struct slice text = gist(r->message);
	int64_t now = sched_now(s);
	struct queue_about about;
	struct notary n;

	if (r->status == STATUS_UNKNOWN ||
	    !queue_report_about(s->queue, w->id, r->id, r->offset, &about)) {
		refuse(s, w, "ignored: ", r->line);
		return;
	}
	if (notary_parse(r->notary, &n, NULL) < 0)
		n = (struct notary){ 0 };
	q.has_diagnostic = is_ours || report_status_has_dline(r->status);
	if (r->has_retry && r->retry < INT32_MAX)
		q.retry =
		    (int64_t)r->retry * 1000 + (r->retry_is_relative ? now : 0);
	str_add(&name, about.name);
	print_why(&why, &n, text);
	q.why = str_slice(&why);
	sched_tell_result(s, &(struct sched_result){ .worker = w,
						     .name = str_slice(&name),
						     .arrived = about.arrived,
						     .tries = about.tries,
						     .outcome = q.outcome,
						     .report = r,
						     .notary = &n,
						     .text = text });
	if (queue_report(s->queue, w->id, &q, now) &&
	    (is_ours || wants_hold(r)))
		write_file(s, str_slice(&name), r);
	str_done(&name);
	str_done(&why);
}

void sched_answer(struct sched *s, struct sched_worker *w, struct slice line)
{
	struct slice attempt = SLICE("#attempt "),
		     progress = SLICE("#progress ");
	struct report r;

	report_parse(line, &r);
	switch (r.kind) {
	case REPORT_HUNGRY:
		str_clear(&w->progress.message);
		queue_hungry(s->queue, w->id, sched_now(s));
		break;
	case REPORT_RESYNC:
		queue_resync(s->queue, w->id, r.name, sched_now(s));
		break;
	case REPORT_COMMENT:
		queue_alive(s->queue, w->id, sched_now(s));
		if (slice_starts(line, attempt))
			take_attempt(s, w, slice_from(line, attempt.len));
		else if (!slice_starts(line, progress))
			log_said(s, w, LOG_LEVEL_INFO, "", line);
		else if (!sched_progress_take(w,
					      slice_from(line, progress.len)))
			refuse(s, w, "bad progress: ", line);
		break;
	case REPORT_RESULT:
		take_result(s, w, &r);
		break;
	case REPORT_MALFORMED:
		refuse(s, w, "not understood: ", line);
		break;
	}
}

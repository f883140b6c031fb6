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

#include <jansson.h>
#include <string.h>

enum { WHY_TEXT_MAX = 200 };

/* ---- attempt records ---------------------------------------------------- */

/* The site key of a record, and the record into the event log. */
static void take_attempt(struct sched *s, struct sched_worker *w,
			 struct slice text)
{
	json_error_t error;
	json_t *record = json_loadb(text.p, text.len, 0, &error);
	const char *key = NULL;

	if (record == NULL) {
		log_line(LOG_LEVEL_WARNING, "%s[%ld]: bad attempt record: %s",
			 w->name, (long)w->child.pid, error.text);
		return;
	}
	key = json_string_value(
	    json_object_get(json_object_get(record, "site"), "key"));
	if (key != NULL)
		queue_site(s->queue, w->id, slice_of(key), sched_now(s));
	sched_event_record(s, text);
	json_decref(record);
}

/* ---- results ------------------------------------------------------------ */

/* The last line of a transcript, which says what happened. */
static struct slice last_line(struct slice message)
{
	size_t cr = slice_find_last(message, '\r');

	return slice_trim(slice_from(message, cr < message.len ? cr + 1 : 0));
}

/* What the queue is to remember: status, remote MTA and text, with ^A. */
static void print_why(struct str *to, const struct report *r)
{
	struct notary n = { 0 };

	if (notary_parse(r->notary, &n, NULL) < 0)
		n = (struct notary){ 0 };
	str_add_clean(to, n.status, WHY_TEXT_MAX);
	str_addc(to, '\001');
	str_add_clean(to, n.remote_mta, WHY_TEXT_MAX);
	str_addc(to, '\001');
	str_add_clean(to, last_line(r->message), WHY_TEXT_MAX);
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
	int64_t now = sched_now(s);

	q.has_diagnostic = is_ours || report_status_has_dline(r->status);
	if (r->has_retry && r->retry < INT32_MAX)
		q.retry =
		    (int64_t)r->retry * 1000 + (r->retry_is_relative ? now : 0);
	str_add(&name, queue_report_name(s->queue, w->id, r->id, r->offset));
	print_why(&why, r);
	q.why = str_slice(&why);
	if (r->status == STATUS_UNKNOWN ||
	    !queue_report(s->queue, w->id, &q, now)) {
		log_line(LOG_LEVEL_WARNING, "%s[%ld]: ignored: '%.*s'", w->name,
			 (long)w->child.pid,
			 SLICE_ARG(slice_head(r->line, 400)));
		goto out;
	}
	s->counts.results[q.outcome]++;
	if (is_ours || wants_hold(r))
		write_file(s, str_slice(&name), r);
	sched_event(s, "result", "message", str_cstr(&name), "status",
		    report_status_word(r->status), "text",
		    strrchr(str_cstr(&why), '\001') + 1, NULL);
out:
	str_done(&name);
	str_done(&why);
}

void sched_answer(struct sched *s, struct sched_worker *w, struct slice line)
{
	struct slice attempt = SLICE("#attempt ");
	struct report r;

	report_parse(line, &r);
	switch (r.kind) {
	case REPORT_HUNGRY:
		queue_hungry(s->queue, w->id, sched_now(s));
		break;
	case REPORT_RESYNC:
		queue_resync(s->queue, w->id, r.name, sched_now(s));
		break;
	case REPORT_COMMENT:
		if (slice_starts(line, attempt))
			take_attempt(s, w, slice_from(line, attempt.len));
		else
			log_line(LOG_LEVEL_INFO, "%s[%ld]: %.*s", w->name,
				 (long)w->child.pid, SLICE_ARG(line));
		break;
	case REPORT_RESULT:
		take_result(s, w, &r);
		break;
	case REPORT_MALFORMED:
		log_line(LOG_LEVEL_WARNING, "%s[%ld]: not understood: '%.*s'",
			 w->name, (long)w->child.pid,
			 SLICE_ARG(slice_head(line, 400)));
		break;
	}
	sched_settle(s);
}

/*
 * why.c - what a recipient waits for, in one phrase.
 */
#include "mailqb/print.h"

/* "dns; mx.example.com (192.0.2.1)" without its type. */
static struct slice host_of(struct slice said)
{
	size_t at = slice_find(said, ';');

	return at < said.len ? slice_trim(slice_from(said, at + 1)) : said;
}

void mailq_add_reason(struct str *to, const struct mailq_reason *why)
{
	struct slice code =
	    slice_head(why->status, slice_find(why->status, ' '));
	struct slice host = host_of(why->host_said);
	bool is_in_text =
	    code.len > 0 && slice_find_text(why->text, code) < why->text.len;

	if (code.len > 0 && !is_in_text) {
		mailq_add_text(to, code);
		if (host.len > 0 || why->text.len > 0)
			str_addc(to, ' ');
	}
	mailq_add_text(to, host);
	if (host.len > 0 && why->text.len > 0)
		str_adds(to, ": ");
	mailq_add_text(to, why->text);
}

static void add_until(struct str *to, int64_t until, int64_t now)
{
	mailq_add_near_time(to, until, now);
	if (until > now) {
		str_adds(to, ", in ");
		mailq_add_interval(to, until - now);
	}
}

/* What it is, and until when. */
static void add_state(struct str *to, const struct mailq_rcpt *r, int64_t now)
{
	static const char *const phrases[MAILQ_STATES] = {
		[MAILQ_READY] = "ready",
		[MAILQ_WAITING] = "waiting",
		[MAILQ_SUSPENDED] = "destination suspended",
		[MAILQ_ACTIVE] = "being delivered",
		[MAILQ_HELD] = "held until it is released",
		[MAILQ_BUSY] = "locked by another process",
		[MAILQ_EXPIRING] = "expired, about to fail",
		[MAILQ_QUEUED] = "queued",
		[MAILQ_DELIVERED] = "delivered",
		[MAILQ_FAILED] = "failed",
		[MAILQ_DONE] = "done",
	};
	const struct mailq_job *job = r->job;

	str_adds(to, phrases[r->state]);
	if (job == NULL)
		return;
	if (r->state == MAILQ_ACTIVE && job->agent > 0)
		str_addf(to, " by agent %jd", (intmax_t)job->agent);
	if (job->until > 0 &&
	    (r->state == MAILQ_WAITING || r->state == MAILQ_SUSPENDED)) {
		str_adds(to, " until ");
		add_until(to, job->until, now);
	} else if (job->until > now && r->state == MAILQ_READY) {
		str_adds(to, ", not before ");
		add_until(to, job->until, now);
	}
}

void mailq_add_why(struct str *to, const struct mailq_rcpt *r, int64_t now)
{
	const struct mailq_job *job = r->job;
	size_t before;

	add_state(to, r, now);
	if (job == NULL || mailq_state_is_over(r->state))
		return;
	if (job->tries > 0)
		str_addf(to, "; tried %s", job->tries == 1 ? "once" : "");
	if (job->tries > 1)
		str_addf(to, "%u times", job->tries);
	before = to->len;
	str_adds(to, "; ");
	mailq_add_reason(to, &job->reason);
	if (to->len == before + 2)
		str_cut(to, before);
}

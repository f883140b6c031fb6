/*
 * engine_text.c - the engine's words: transcripts and diags.
 *
 * A transcript holds MAIL, the recipient's own RCPT, DATA and the reply that
 * decided, each only if it was said: the next recipient's report is never
 * coloured by this one's.
 */
#include "smtp/engine_internal.h"

#include "base/keyword.h"

#include <string.h>

enum { TRANSCRIPT_REPLY_MAX = 4096 };

static void add_said(struct str *to, struct slice command)
{
	if (command.len == 0)
		return;
	str_adds(to, "\r<<- ");
	str_add_clean(to, command, SIZE_MAX);
}

static void add_heard(struct str *to, struct slice reply)
{
	struct slice line;

	if (reply.len == 0) /* none came */
		return;
	if (reply.len > TRANSCRIPT_REPLY_MAX)
		reply.len = TRANSCRIPT_REPLY_MAX;
	while (slice_cut(&reply, '\n', &line)) {
		str_adds(to, "\r->> ");
		str_add_clean(to, line, SIZE_MAX);
	}
}

static struct slice keep(struct str *text, struct arena *a)
{
	struct slice kept = arena_dup(a, str_slice(text));

	str_done(text);
	return kept;
}

struct slice engine_transcript(const struct smtp_transaction *t, size_t rcpt,
			       const char *prefix, enum smtp_phase phase,
			       struct slice last_reply)
{
	const struct smtp_progress *p = t->progress;
	struct str out = STR_INIT;

	str_reserve(&out, 512);
	str_adds(&out, prefix);
	add_said(&out, p->mail_command);
	add_heard(&out, p->mail_reply);
	if (phase >= SMTP_PHASE_RCPT) {
		add_said(&out, p->rcpts[rcpt].command);
		add_heard(&out, p->rcpts[rcpt].reply);
	}
	if (phase >= SMTP_PHASE_DATA) {
		add_said(&out, p->data_command);
		add_heard(&out, p->data_reply);
	}
	if (phase >= SMTP_PHASE_END) {
		if (p->is_end_queued && !p->is_chunked)
			add_said(&out, SLICE("."));
		add_heard(&out, last_reply);
	}
	return keep(&out, t->arena);
}

struct slice engine_hello_transcript(const struct smtp_engine *e,
				     enum smtp_phase phase, struct slice reply)
{
	const struct command *c = TAILQ_FIRST(&e->waiting);
	struct str out = STR_INIT;
	struct slice said = SLICE("EHLO");

	if (phase == SMTP_PHASE_GREETING)
		said = SLICE("(connecting)");
	else if (phase == SMTP_PHASE_AUTH)
		said = SLICE("AUTH");
	else if (phase == SMTP_PHASE_STARTTLS)
		said = SLICE("STARTTLS");
	else if (e->config.is_lmtp)
		said = SLICE("LHLO");
	else if (c != NULL && c->kind == CMD_HELO)
		said = SLICE("HELO");
	add_said(&out, said);
	add_heard(&out, reply);
	return keep(&out, e->arena);
}

/* Does success mean that the next hop also reports it (RFC 3461 5.2.2)? */
static bool hands_over_dsn(const struct smtp_engine *e,
			   const struct rcpt_progress *rcpt)
{
	return rcpt->has_dsn && !e->config.is_lmtp;
}

const struct diag *engine_diag(const struct smtp_engine *e,
			       const struct smtp_transaction *t, size_t rcpt,
			       enum smtp_phase phase, const struct reply *r)
{
	struct diag *d = ARENA_NEW(t->arena, struct diag);
	bool is_end = phase == SMTP_PHASE_END;
	bool is_abnormal = outcome_of_reply(
	    is_end && !e->config.is_lmtp ? SMTP_PHASE_END_ALL : phase, r,
	    e->caps.enhancedstatuscodes, t->arena, d);

	if (phase == SMTP_PHASE_MAIL && r->code == 503)
		d->reason = "mail-out-of-sequence";
	/* LMTP answers for one mailbox: nobody else's content is in doubt. */
	if (e->config.is_lmtp && d->fate == FATE_DEFERRED_BACK &&
	    r->code >= 400 && r->code <= 499)
		d->fate = FATE_DEFERRED;

	d->text =
	    engine_transcript(t, rcpt, "", phase, is_end ? r->text : SLICE(""));
	if (is_abnormal)
		d->text = arena_printf(t->arena,
				       "%.*s (this is abnormal, investigate!)",
				       SLICE_ARG(d->text));
	if (d->fate == FATE_RELAYED) {
		d->dsn_handed_over =
		    hands_over_dsn(e, &t->progress->rcpts[rcpt]);
		if (e->config.is_lmtp)
			d->fate = FATE_DELIVERED;
	}
	return d;
}

/* Why a message comes back, for programs, and what that is in a report. */
struct reason_row {
	const char *reason, *status;
	enum fate fate;
};

/* clang-format off */
static const struct reason_row text_reasons[] = {
	{ "deliver-by-expired", "5.4.7 (delivery time expired)", FATE_FAILED },
	{ "parameter-refused",  "4.5.4", FATE_DEFERRED },
	{ "chunking-refused",   "4.5.1", FATE_DEFERRED },
	{ "mail-limit",         "4.5.3", FATE_DEFERRED },
	{ "message-unreadable", "4.3.0", FATE_DEFERRED },
};
/* clang-format on */

static const struct reason_row *row_of(const char *reason)
{
	static const struct reason_row lost = { "", "4.4.2", FATE_DEFERRED };

	for (size_t i = 0; i < COUNT(text_reasons); i++)
		if (strcmp(text_reasons[i].reason, reason) == 0)
			return &text_reasons[i];
	return &lost;
}

const struct diag *engine_lost_diag(const struct smtp_transaction *t,
				    size_t rcpt, bool is_end_sent,
				    const char *reason, const char *why)
{
	struct diag *d = ARENA_NEW(t->arena, struct diag);
	struct arena *a = t->arena;
	struct str line = STR_INIT;
	const struct reason_row *row = row_of(reason);
	struct slice said;

	str_addf(&line, "%s%s", is_end_sent ? "outcome unknown: " : "", why);
	d->diagnostic = arena_printf(a, "smtp; %u66 (%s)",
				     fate_class(row->fate), str_cstr(&line));
	d->status = slice_of(row->status);
	if (is_end_sent) {
		d->fate = FATE_DEFERRED_BACK;
		d->reason = "outcome-unknown";
		d->text = engine_transcript(t, rcpt, str_cstr(&line),
					    SMTP_PHASE_END, SLICE(""));
	} else {
		d->fate = row->fate;
		d->reason = reason;
		said =
		    engine_transcript(t, rcpt, "", SMTP_PHASE_END, SLICE(""));
		d->text = arena_printf(a, "%.*s\r%s", SLICE_ARG(said), why);
	}
	str_done(&line);
	return d;
}

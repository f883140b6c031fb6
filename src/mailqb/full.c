/*
 * full.c - one message in full: envelope, recipients, diagnostics, attempts.
 */
#include "mailqb/full.h"

#include "base/json.h"
#include "dsn/status.h"
#include "spool/dlines.h"
#include "spool/spoolid.h"

enum { LABEL = 14 };

/* ---- diagnostics -------------------------------------------------------- */

/* Of a `d` line: what its notary says; see the control file's format. */
struct diagnosis {
	struct slice action, status, text, remote;
};

/* recipient ^A action ^A status ^A diagnostic ^A remote [^A ...] */
static struct diagnosis diagnosis_of(const struct dline *d)
{
	struct diagnosis x = { 0 };
	struct slice rest = d->notary, skipped;

	(void)(slice_cut(&rest, '\001', &skipped) &&
	       slice_cut(&rest, '\001', &x.action) &&
	       slice_cut(&rest, '\001', &x.status) &&
	       slice_cut(&rest, '\001', &x.text) &&
	       slice_cut(&rest, '\001', &x.remote));
	return x;
}

/* ---- text --------------------------------------------------------------- */

static void add_line(struct str *to, const char *label, struct slice clean,
		     const struct mailq_look *look)
{
	str_addf(to, "  %-*s", (int)(LABEL - 2), label);
	mailq_add_wrapped(to, clean, LABEL, LABEL, look->width);
}

/* Text from outside; nothing if there is none. */
static void add_text(struct str *to, const char *label, struct slice text,
		     const struct mailq_look *look)
{
	struct str clean = STR_INIT;

	mailq_add_unfolded(&clean, text);
	if (clean.len > 0)
		add_line(to, label, str_slice(&clean), look);
	str_done(&clean);
}

static void add_arrival(struct str *to, const struct mailq_message *m,
			const struct mailq_look *look)
{
	struct str line = STR_INIT;

	mailq_add_time(&line, m->arrived, true);
	str_adds(&line, ", ");
	mailq_add_interval(&line, look->now - m->arrived);
	str_adds(&line, " ago");
	add_line(to, "arrived", str_slice(&line), look);
	str_done(&line);
}

static void add_envelope(struct str *to, const struct mailq_message *m,
			 const struct mailq_look *look)
{
	static const char *const returns[] = {
		[CTL_RET_NONE] = "",
		[CTL_RET_FULL] = "the whole message",
		[CTL_RET_HDRS] = "its header",
	};
	struct str line = STR_INIT;

	add_arrival(to, m, look);
	if (!m->has_file) {
		add_line(to, "file", SLICE("it cannot be read"), look);
		return;
	}
	str_addf(&line, "%ju bytes", (uintmax_t)m->size);
	add_line(to, "size", str_slice(&line), look);
	add_text(to, "sender", m->sender.len > 0 ? m->sender : SLICE("<>"),
		 look);
	add_text(to, "from", mailq_message_field(m, "From"), look);
	add_text(to, "to", mailq_message_field(m, "To"), look);
	add_text(to, "subject", mailq_message_field(m, "Subject"), look);
	add_text(to, "message-id", mailq_message_id(m), look);
	add_text(to, "envelope id", m->ctl->envid, look);
	add_text(to, "returned", slice_of(returns[m->ctl->ret]), look);
	str_clear(&line);
	if (m->inode > 0)
		spoolid_print(&line, m->inode, m->mtime, m->mtime_ns);
	add_text(to, "spool id", str_slice(&line), look);
	str_done(&line);
}

static const struct {
	unsigned bit;
	const char *word;
} notify_rows[] = {
	{ NOTIFY_NEVER, "never" },     { NOTIFY_SUCCESS, "success" },
	{ NOTIFY_FAILURE, "failure" }, { NOTIFY_DELAY, "delay" },
	{ NOTIFY_TRACE, "trace" },
};

static void add_wishes(struct str *to, const struct ctl_dsn *dsn,
		       const struct mailq_look *look)
{
	struct str line = STR_INIT;

	for (size_t i = 0; i < sizeof(notify_rows) / sizeof(notify_rows[0]);
	     i++)
		if ((dsn->notify & notify_rows[i].bit) != 0)
			str_addf(&line, "%s%s", line.len > 0 ? ", " : "",
				 notify_rows[i].word);
	if (dsn->has_notify)
		add_text(to, "tell sender", str_slice(&line), look);
	add_text(to, "originally", dsn->orcpt, look);
	str_clear(&line);
	if (dsn->by.is_set) {
		mailq_add_time(&line, dsn->by.deadline, true);
		str_adds(&line, dsn->by.do_return ? ", then it fails"
						  : ", then its sender hears");
		add_line(to, "deadline", str_slice(&line), look);
	}
	if (dsn->requires_tls)
		add_line(to, "security", SLICE("only over verified TLS"), look);
	str_done(&line);
}

/* What is kept in the control file about this recipient. */
static void add_diagnostics(struct str *to, const struct mailq_message *m,
			    uint64_t offset, const struct mailq_look *look)
{
	struct str line = STR_INIT;
	size_t at = 0, where;
	struct dline d;

	while (dlines_next(m->text, &at, &where, &d)) {
		struct diagnosis x = diagnosis_of(&d);

		if (d.rcpt_offset != offset)
			continue;
		str_clear(&line);
		mailq_add_time(&line, d.time, true);
		str_adds(&line, ": ");
		mailq_add_text(&line, x.action);
		str_addc(&line, ' ');
		mailq_add_text(&line, x.status);
		str_adds(&line, ", ");
		mailq_add_text(&line, x.text);
		if (x.remote.len > 0) {
			str_adds(&line, ", ");
			mailq_add_text(&line, x.remote);
		}
		str_adds(&line, d.tag == '+' ? " (told)" : " (not told yet)");
		add_line(to, "diagnostic", str_slice(&line), look);
	}
	str_done(&line);
}

static void add_rcpt(struct str *to, const struct mailq_message *m,
		     const struct mailq_rcpt *r, const struct mailq_look *look)
{
	struct str line = STR_INIT;

	str_adds(to, "Recipient     ");
	if (r->address.len > 0)
		mailq_add_text(to, r->address);
	else
		str_addf(to, "at byte %ju", (uintmax_t)r->offset);
	str_addc(to, '\n');
	mailq_add_text(&line, r->channel);
	str_addc(&line, '/');
	mailq_add_text(&line, r->host);
	add_line(to, "goes to", str_slice(&line), look);
	str_clear(&line);
	mailq_add_why(&line, r, look->now);
	add_line(to, "state", str_slice(&line), look);
	if (r->line != NULL) {
		add_wishes(to, &r->line->dsn, look);
		add_diagnostics(to, m, r->offset, look);
	}
	str_done(&line);
}

void mailq_full_print(struct str *to, const struct mailq_message *m,
		      const struct mailq_past *past,
		      const struct mailq_look *look)
{
	str_adds(to, "Message       ");
	mailq_add_text(to, m->name);
	str_addc(to, '\n');
	add_envelope(to, m, look);
	for (size_t i = 0; i < m->n_rcpts; i++)
		add_rcpt(to, m, &m->rcpts[i], look);
	if (past->records != NULL)
		mailq_history_print(to, past->records, look,
				    past->with_dialogue);
	str_addc(to, '\n');
}

/* ---- JSON --------------------------------------------------------------- */

static void json_diagnostics(struct json *j, const struct mailq_message *m)
{
	size_t at = 0, where;
	struct dline d;

	json_array(j, "diagnostics");
	while (dlines_next(m->text, &at, &where, &d)) {
		struct diagnosis x = diagnosis_of(&d);

		json_object(j, NULL);
		json_uint(j, "offset", d.rcpt_offset);
		json_int(j, "time", d.time);
		json_bool(j, "told", d.tag == '+');
		json_text_if(j, "action", x.action);
		json_text_if(j, "status", status_word(x.status));
		json_text_if(j, "diagnostic", x.text);
		json_text_if(j, "remote", x.remote);
		json_text_if(j, "text", d.message);
		json_close(j);
	}
	json_close(j);
}

void mailq_full_json(struct str *to, const struct mailq_message *m,
		     const struct mailq_past *past,
		     const struct mailq_look *look)
{
	struct str attempts = STR_INIT, events = STR_INIT;
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	mailq_json_message(&j, m, look->now);
	json_diagnostics(&j, m);
	if (past->records != NULL) {
		mailq_history_json(&attempts, &events, past->records);
		json_raw(&j, "attempts", str_slice(&attempts));
		json_raw(&j, "events", str_slice(&events));
	}
	json_close(&j);
	str_addc(to, '\n');
	str_done(&attempts);
	str_done(&events);
}

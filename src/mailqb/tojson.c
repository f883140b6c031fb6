/*
 * tojson.c - a message as JSON; mailq(1) describes the members.
 */
#include "mailqb/print.h"

#include "base/json.h"
#include "spool/spoolid.h"

static void add_rcpt(struct json *j, const struct mailq_rcpt *r)
{
	const struct mailq_job *job = r->job;

	json_object(j, NULL);
	json_uint(j, "offset", r->offset);
	json_text_if(j, "address", r->address);
	json_text(j, "channel", r->channel);
	json_text(j, "host", r->host);
	json_text(j, "state", slice_of(mailq_state_word(r->state)));
	if (job != NULL && !mailq_state_is_over(r->state)) {
		json_uint(j, "tries", job->tries);
		if (job->until > 0)
			json_int(j, "until", job->until);
		if (job->agent > 0 && r->state == MAILQ_ACTIVE)
			json_int(j, "agent", job->agent);
		json_text_if(j, "status", job->reason.status);
		json_text_if(j, "host_said", job->reason.host_said);
		json_text_if(j, "why", job->reason.text);
	}
	json_close(j);
}

/* A field's body on one line, if there is one. */
static void add_field(struct json *j, const char *key, struct slice body)
{
	struct str text = STR_INIT;

	mailq_add_unfolded(&text, body);
	json_text_if(j, key, str_slice(&text));
	str_done(&text);
}

static void add_file(struct json *j, const struct mailq_message *m)
{
	struct str id = STR_INIT;

	json_uint(j, "size", m->size);
	json_text(j, "sender", m->sender);
	if (m->inode > 0) {
		spoolid_print(&id, m->inode, m->mtime, m->mtime_ns);
		json_text(j, "spool_id", str_slice(&id));
	}
	add_field(j, "message_id", mailq_message_id(m));
	add_field(j, "subject", mailq_message_field(m, "Subject"));
	json_text_if(j, "envid", m->ctl->envid);
	json_uint(j, "all_recipients", m->ctl->n_rcpts);
	str_done(&id);
}

void mailq_json_message(struct json *j, const struct mailq_message *m,
			int64_t now)
{
	bool is_told = m->n_rcpts > 0 && m->rcpts[0].job != NULL;

	json_text(j, "kind", SLICE("message"));
	json_uint(j, "schema", 1);
	json_text(j, "source", is_told ? SLICE("scheduler") : SLICE("files"));
	json_text(j, "message", m->name);
	json_int(j, "arrived", m->arrived);
	json_int(j, "age", now > m->arrived ? now - m->arrived : 0);
	if (m->has_file)
		add_file(j, m);
	json_array(j, "recipients");
	for (size_t i = 0; i < m->n_rcpts; i++)
		add_rcpt(j, &m->rcpts[i]);
	json_close(j);
}

void mailq_add_json(struct str *to, const struct mailq_message *m, int64_t now)
{
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	mailq_json_message(&j, m, now);
	json_close(&j);
	str_addc(to, '\n');
}

/*
 * attempt_json.c - an attempt as one JSON object; zpost-attempt(5) is its
 * documentation, field by field.
 */
#include "base/json.h"
#include "smtpta/attempt.h"

#include <stdio.h>
#include <time.h>

static const char *const fate_words[] = {
	[FATE_DELIVERED] = "delivered",	   [FATE_RELAYED] = "relayed",
	[FATE_FAILED] = "failed",	   [FATE_DEFERRED] = "deferred",
	[FATE_DEFERRED_ALL] = "deferall",  [FATE_RETRY_AT] = "retryat",
	[FATE_DEFERRED_BACK] = "deferback"
};

/* Text from outside, cut. */
static void put(struct json *j, const char *key, struct slice text)
{
	json_text(j, key, json_cut(text, ATTEMPT_WORDS_MAX));
}

static void put_if(struct json *j, const char *key, struct slice text)
{
	if (text.len > 0)
		put(j, key, text);
}

/* "2026-11-22T02:25:50.123Z" */
static void put_time(struct json *j, const char *key, int64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct str text = STR_INIT;
	struct tm tm;
	char date[64]; /* the year of any time_t has at most 12 digits */

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return;
	str_addf(&text, "%s.%03uZ", date, (unsigned)(unix_ms % 1000));
	json_text(j, key, str_slice(&text));
	str_done(&text);
}

/* "192.0.2.1", "2001:db8::1", "UNIX:/path" */
static void put_ip(struct json *j, const char *key, const struct net_addr *addr)
{
	struct str text = STR_INIT;

	net_addr_print_plain(&text, addr);
	json_text(j, key, str_slice(&text));
	str_done(&text);
}

/* The same and, if it has one, the port. */
static void put_address(struct json *j, const char *key, const char *port_key,
			const struct net_addr *addr)
{
	put_ip(j, key, addr);
	if (net_addr_port(addr) != 0)
		json_uint(j, port_key, net_addr_port(addr));
}

/* A set of extensions as keywords. */
static void put_set(struct json *j, const char *key, unsigned set)
{
	struct str text = STR_INIT;
	struct slice rest, word;

	caps_print_set(&text, set);
	rest = str_slice(&text);
	json_array(j, key);
	while (slice_word(&rest, &word))
		json_text(j, NULL, word);
	json_close(j);
	str_done(&text);
}

static void put_line(struct json *j, const struct attempt_line *l, int64_t from)
{
	int64_t at = l->said_at >= 0 ? l->said_at : l->heard_at;

	json_object(j, NULL);
	json_int(j, "at", at - from);
	if (l->said_at >= 0)
		json_text(j, "said", str_slice(&l->said));
	if (l->heard_at >= 0) {
		if (l->said_at >= 0)
			json_int(j, "ms", l->heard_at - l->said_at);
		if (l->is_whole)
			json_uint(j, "code", l->code);
		if (l->is_whole && l->has_enhanced) {
			struct str code = STR_INIT;

			status_print(&code, l->enhanced);
			json_text(j, "enhanced", str_slice(&code));
			str_done(&code);
		}
		json_text(j, l->is_whole ? "reply" : "partial",
			  str_slice(&l->heard));
	}
	json_close(j);
}

static void put_dialogue(struct json *j, const char *key,
			 const struct attempt_dialogue *d, int64_t from)
{
	const struct attempt_line *line;

	json_array(j, key);
	for (size_t i = 0; (line = attempt_line(d, i)) != NULL; i++)
		put_line(j, line, from);
	json_close(j);
}

/* A value that was made by another printer; empty: null. */
static void put_made(struct json *j, const char *key, const struct str *made)
{
	if (made->len == 0)
		json_null(j, key);
	else
		json_raw(j, key, str_slice(made));
}

static void put_try(struct json *j, const struct attempt_try *t, int64_t from)
{
	json_object(j, NULL);
	json_text(j, "host", str_slice(&t->host));
	put_address(j, "address", "port", &t->addr);
	json_int(j, "at", t->at - from);
	json_int(j, "ms", t->took);
	json_text(j, "result",
		  t->is_overtaken     ? SLICE("overtaken")
		  : t->reason == NULL ? SLICE("ready")
				      : SLICE("failed"));
	if (t->reason != NULL) {
		json_text(j, "reason", slice_of(t->reason));
		if (t->code != 0)
			json_uint(j, "code", t->code);
		put(j, "why", str_slice(&t->why));
		put_made(j, "security", &t->security);
		put_made(j, "tls", &t->tls);
		if (t->has_local)
			put_dialogue(j, "opening", &t->opening, from);
	}
	json_close(j);
}

static void put_tries(struct json *j, const struct attempt *a,
		      const struct attempt_scene *s)
{
	json_array(j, "tried");
	for (size_t i = 0; a->has_tries && i < s->n_tries; i++)
		put_try(j, &s->tries[i], a->at);
	json_close(j);
}

static void put_connection(struct json *j, const struct attempt *a,
			   const struct attempt_scene *s)
{
	const struct attempt_try *t = s->connection;

	if (!a->has_connection || t == NULL) {
		json_null(j, "connection");
		json_null(j, "security");
		json_null(j, "tls");
		return;
	}
	json_object(j, "connection");
	json_text(j, "protocol", s->is_lmtp ? SLICE("lmtp") : SLICE("smtp"));
	json_text(j, "host", str_slice(&t->host));
	put_address(j, "address", "port", &t->addr);
	if (t->has_local && net_addr_port(&t->local) != 0)
		put_address(j, "local_address", "local_port", &t->local);
	json_bool(j, "reused", a->n_before > 0);
	json_uint(j, "messages_before", a->n_before);
	put_dialogue(j, "opening", &t->opening, a->at);
	put_set(j, "offered", s->offered);
	put_set(j, "used", a->used);
	json_close(j);
	put_made(j, "security", &t->security);
	put_made(j, "tls", &t->tls);
}

static void put_rcpt(struct json *j, const struct attempt_rcpt *r)
{
	const struct ctl_rcpt *ctl = r->rcpt->ctl;
	const struct diag *d = &r->diag;

	json_object(j, NULL);
	json_uint(j, "offset", ctl->offset);
	put(j, "host", ctl->address.host);
	put(j, "user", ctl->address.user);
	json_text(j, "outcome",
		  r->again != NULL ? SLICE("again")
				   : slice_of(fate_words[d->fate]));
	if (r->again != NULL) {
		json_text(j, "again", slice_of(r->again));
		json_text(j, "fate", slice_of(fate_words[d->fate]));
	}
	json_text(j, "reason", slice_of(d->reason));
	put_if(j, "status", d->status);
	put_if(j, "diagnostic", d->diagnostic);
	put_if(j, "remote", d->remote_mta);
	if (d->fate == FATE_RETRY_AT)
		json_uint(j, "retry_after", d->retry_after);
	json_close(j);
}

static void put_rcpts(struct json *j, const struct attempt *a)
{
	json_array(j, "recipients");
	for (size_t i = 0; i < a->n_rcpts; i++)
		put_rcpt(j, &a->rcpts[i]);
	json_close(j);
	json_uint(j, "succeeded", a->n_good);
	json_uint(j, "others", a->n_bad);
}

static void put_job(struct json *j, const struct attempt *a,
		    const struct attempt_scene *s)
{
	const struct agent_job *job = a->job;

	json_object(j, "agent");
	json_text(j, "program", slice_of(s->program));
	json_uint(j, "pid", (uint64_t)s->pid);
	put(j, "channel", s->channel);
	json_close(j);
	json_object(j, "job");
	put(j, "name", job->name.name);
	json_uint(j, "id", job->name.id);
	put_if(j, "spool_id", str_slice(&job->spool_id));
	put_if(j, "identity", job->ctl.log_identity);
	json_uint(j, "size", job->message.size);
	json_close(j);
}

/* Was anything left out that the record could not hold? */
static bool is_cut(const struct attempt *a, const struct attempt_scene *s)
{
	bool cut = a->is_cut || a->dialogue.is_cut;

	if (a->has_tries)
		cut |= s->n_tries_ever > s->n_tries;
	for (size_t i = 0; a->has_tries && i < s->n_tries; i++)
		cut |= s->tries[i].opening.is_cut;
	return cut || (a->has_connection && s->connection != NULL &&
		       s->connection->opening.is_cut);
}

static void put_end(struct json *j, const struct attempt *a,
		    const struct attempt_scene *s)
{
	if (a->lost != NULL) {
		json_object(j, "lost");
		json_text(j, "reason", slice_of(a->lost));
		put(j, "why", str_slice(&a->lost_why));
		json_close(j);
	}
	json_bool(j, "truncated", is_cut(a, s));
}

/* The sender as it stands in the control file; the null sender is empty. */
static void put_sender(struct json *j, const struct attempt *a)
{
	const struct agent_rcpt *first = a->n_rcpts > 0 ? a->rcpts[0].rcpt
					 : a->job->n_rcpts > 0 ? a->job->rcpts
							       : NULL;

	if (first == NULL)
		return;
	put(j, "sender",
	    first->ctl->sender->is_null ? SLICE("")
					: first->ctl->sender->address.user);
}

/* As syslog has it; the same for all recipients of a transaction. */
static struct slice conversion_of(const struct attempt *a)
{
	for (size_t i = 0; i < a->n_rcpts; i++)
		if (a->rcpts[i].diag.conversion != NULL)
			return slice_of(a->rcpts[i].diag.conversion);
	return SLICE("NONE");
}

/* Why the content is sent as it is sent. */
static void put_plan(struct json *j, const struct attempt_plan *p)
{
	struct slice rest = str_slice(&p->parts), line;

	if (!p->is_known)
		return;
	json_object(j, "plan");
	json_text(j, "reason", slice_of(mime_reason_word(p->reason)));
	json_uint(j, "part", p->decisive);
	json_text(j, "header", slice_of(mime_reason_word(p->header_reason)));
	json_uint(j, "n_parts", p->n_parts);
	json_array(j, "parts");
	while (rest.len > 0 && slice_cut(&rest, '\n', &line))
		put(j, NULL, line);
	json_close(j);
	json_close(j);
}

static void put_site(struct json *j, const struct attempt_scene *s)
{
	if (s->site.len == 0) {
		json_null(j, "site");
		return;
	}
	json_object(j, "site");
	put(j, "key", s->site);
	json_array(j, "addresses");
	for (size_t i = 0; i < s->n_site_addrs; i++)
		put_ip(j, NULL, &s->site_addrs[i]);
	json_close(j);
	json_close(j);
}

void attempt_print(struct str *to, const struct attempt *a,
		   const struct attempt_scene *scene)
{
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_text(&j, "event", SLICE("attempt"));
	json_uint(&j, "schema", ATTEMPT_SCHEMA);
	put_time(&j, "time", a->wall_at);
	json_int(&j, "ms", a->ended_at - a->at);
	put_job(&j, a, scene);
	put_sender(&j, a);
	put(&j, "destination", scene->destination);
	put_site(&j, scene);
	put_tries(&j, a, scene);
	put_connection(&j, a, scene);
	if (a->has_transaction) {
		put_dialogue(&j, "dialogue", &a->dialogue, a->at);
		json_uint(&j, "commands", a->dialogue.n);
		json_uint(&j, "content", a->content);
		json_text(&j, "conversion", conversion_of(a));
		put_plan(&j, &a->plan);
	}
	put_rcpts(&j, a);
	put_end(&j, a, scene);
	json_close(&j);
}

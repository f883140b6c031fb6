/*
 * explanation_json.c - an explanation for programs, as one JSON document;
 * smtp(8), EXPLAIN, is its documentation.
 */
#include "base/json.h"
#include "explain/explanation.h"
#include "net/dns_record.h"
#include "smtpta/security_json.h"

/* The text that a printer makes. */
static void put_str(struct json *j, const char *key, struct str *text)
{
	json_text(j, key, str_slice(text));
	str_done(text);
}

static void put_address(struct json *j, const char *key,
			const struct net_addr *addr)
{
	struct str text = STR_INIT;

	explained_address(&text, addr);
	put_str(j, key, &text);
}

static void put_target(struct json *j, const char *key,
		       const struct target_address *address)
{
	struct str text = STR_INIT;

	explained_target(&text, address);
	put_str(j, key, &text);
}

static void put_port(struct json *j, const char *key,
		     const struct net_addr *addr)
{
	if (net_addr_port(addr) != 0)
		json_uint(j, key, net_addr_port(addr));
}

static void put_word(struct json *j, const char *key, const char *word)
{
	json_text(j, key, slice_of(word));
}

/* ---- answers --------------------------------------------------------------
 */

static void put_answer(struct json *j, const struct dns_answer *answer)
{
	struct arena *a = arena_new();

	json_object(j, NULL);
	json_text(j, "name", answer->name);
	json_text(j, "type", dns_type_text(answer->type, a));
	put_word(j, "verdict", dns_verdict_word(answer->verdict));
	put_word(j, "status", dns_status_word(answer->status));
	put_word(j, "origin", dns_origin_word(answer->origin));
	json_bool(j, "recorded", answer->is_recorded);
	json_uint(j, "ttl", answer->ttl);
	json_array(j, "aliases");
	for (size_t i = 0; i < answer->n_chain; i++)
		json_text(j, NULL, answer->chain[i]);
	json_close(j);
	json_array(j, "records");
	for (size_t i = 0; i < answer->n; i++) {
		struct str record = STR_INIT;

		dns_record_print_one(&record, answer->type,
				     &answer->records[i]);
		put_str(j, NULL, &record);
	}
	json_close(j);
	json_text_if(j, "detail", answer->detail);
	json_close(j);
	arena_free(a);
}

static void put_dns(struct json *j, const struct explanation *e)
{
	json_text_if(j, "offline", e->offline);
	if (e->n_answers == 0 || e->offline.len > 0) {
		json_null(j, "validation");
	} else {
		json_object(j, "validation");
		put_word(j, "mode", dns_mode_word(e->mode));
		put_word(j, "trust", dns_trust_word(e->check.trust));
		json_text_if(j, "why", e->check.why);
		json_text_if(j, "warning", e->check.warning);
		json_close(j);
	}
	json_array(j, "answers");
	for (size_t i = 0; i < e->n_answers; i++)
		put_answer(j, &e->answers[i]);
	json_close(j);
}

/* ---- the route ------------------------------------------------------------
 */

static void put_self(struct json *j, const struct mx_facts *f)
{
	json_array(j, "own_names");
	for (size_t i = 0; i < f->n_own_names; i++)
		json_text(j, NULL, f->own_names[i]);
	json_close(j);
	json_array(j, "own_addresses");
	for (size_t i = 0; i < f->n_own_addresses; i++)
		put_target(j, NULL, &f->own_addresses[i]);
	json_close(j);
}

static void put_judged(struct json *j, const struct mx_judged *judged,
		       bool is_implicit)
{
	const struct mx_host *h = judged->host;

	json_object(j, NULL);
	json_text(j, "name", h->name);
	if (is_implicit)
		json_null(j, "preference");
	else
		json_uint(j, "preference", h->preference);
	put_word(j, "fate", mx_fate_word(judged->fate));
	if (!slice_eq(h->canonical, h->name))
		json_text_if(j, "canonical", h->canonical);
	json_array(j, "addresses");
	for (size_t i = 0; i < h->n; i++) {
		json_object(j, NULL);
		put_target(j, "address", &h->addresses[i]);
		put_word(j, "fate", mx_fate_word(judged->addresses[i]));
		json_close(j);
	}
	json_close(j);
	json_close(j);
}

static void put_way(struct json *j, const struct dns_mx_way *way)
{
	if (way == NULL) {
		json_null(j, "way");
		return;
	}
	json_object(j, "way");
	json_text(j, "domain", way->facts.domain);
	put_self(j, &way->facts);
	json_array(j, "hosts");
	for (size_t i = 0; i < way->decision.n_hosts; i++)
		put_judged(j, &way->decision.hosts[i],
			   way->decision.is_implicit);
	json_close(j);
	put_word(j, "decision", mx_reason_word(way->decision.reason));
	json_close(j);
}

static void put_addresses(struct json *j, const struct explanation *e)
{
	const struct route *r = &e->route;

	json_array(j, "addresses");
	for (size_t i = 0; i < r->n; i++) {
		const struct explained_source *s = &e->sources[i];

		json_object(j, NULL);
		put_address(j, "address", &r->addrs[i]);
		put_port(j, "port", &r->addrs[i]);
		json_uint(j, "level", r->hosts[i].level);
		json_text(j, "host", r->hosts[i].name);
		json_text_if(j, "source_trouble", s->trouble);
		if (s->is_chosen)
			put_address(j, "source", &s->addr);
		security_json(j, "security", e->security,
			      security_of(e->security, i));
		json_close(j);
	}
	json_close(j);
	json_text_if(j, "site", r->site);
}

static void put_envelope(struct json *j, const struct explained_envelope *e)
{
	json_text_if(j, "mail", e->mail);
	json_text_if(j, "rcpt", e->rcpt);
}

static void put_recipient(struct json *j, const struct explanation *e)
{
	if (!e->has_recipient) {
		json_null(j, "envelope");
		return;
	}
	json_object(j, "envelope");
	if (e->bad_recipient != NULL) {
		json_text(j, "bad_recipient", e->bad_recipient->text);
	} else {
		json_bool(j, "smtputf8", e->is_smtputf8_needed);
		put_envelope(j, &e->envelope);
	}
	json_close(j);
}

/* ---- peers ----------------------------------------------------------------
 */

static void put_lines(struct json *j, const struct explained_peer *p)
{
	json_array(j, "dialogue");
	for (size_t i = 0; i < p->n_lines; i++) {
		json_object(j, NULL);
		json_text(j, p->lines[i].is_ours ? "said" : "heard",
			  p->lines[i].text);
		json_close(j);
	}
	json_close(j);
	json_bool(j, "truncated", p->is_cut);
}

static void put_caps(struct json *j, const struct caps *caps)
{
	struct str text = STR_INIT;
	struct slice rest, word;

	caps_print_set(&text, caps_set(caps));
	rest = str_slice(&text);
	json_array(j, "offers");
	while (slice_word(&rest, &word))
		json_text(j, NULL, word);
	json_close(j);
	str_done(&text);
	if (caps->size_limit > 0)
		json_uint(j, "size_limit", caps->size_limit);
}

static void put_plan(struct json *j, const char *key,
		     const struct explained_plan *plan)
{
	if (plan == NULL)
		return;
	json_object(j, key);
	put_word(j, "conversion", plan->conversion);
	put_word(j, "reason", plan->reason);
	json_uint(j, "part", plan->part);
	put_word(j, "header", plan->header);
	json_bool(j, "unconvertible", plan->is_unconvertible);
	json_array(j, "parts");
	for (unsigned i = 0; i < plan->n_parts; i++)
		json_text(j, NULL, plan->parts[i]);
	json_close(j);
	json_close(j);
}

static void put_auth(struct json *j, const struct explained_peer *p)
{
	if (p->account.len == 0) {
		json_null(j, "auth");
		return;
	}
	json_object(j, "auth");
	json_text(j, "account", p->account);
	if (p->mechanism != NULL)
		put_word(j, "mechanism", p->mechanism);
	json_close(j);
}

static void put_peer(struct json *j, const struct explained_peer *p)
{
	struct slice rest, line;

	json_object(j, NULL);
	put_address(j, "address", &p->addr);
	put_port(j, "port", &p->addr);
	json_text(j, "host", p->host);
	put_word(j, "result", p->reason == NULL ? "ready" : p->reason);
	json_int(j, "ms", p->ms);
	if (p->has_local) {
		put_address(j, "local_address", &p->local);
		put_port(j, "local_port", &p->local);
	}
	put_lines(j, p);
	if (p->tls.len > 0)
		json_raw(j, "tls", p->tls);
	else
		json_null(j, "tls");
	rest = p->tls_lines;
	json_array(j, "tls_lines");
	while (rest.len > 0 && slice_cut(&rest, '\n', &line))
		json_text(j, NULL, line);
	json_close(j);
	put_auth(j, p);
	if (p->code != 0)
		json_uint(j, "code", p->code);
	json_text_if(j, "why", p->why);
	if (p->reason == NULL) {
		put_caps(j, &p->caps);
		put_plan(j, "plan", p->plan);
		if (p->unsuited != NULL)
			json_text(j, "unsuited", p->unsuited->text);
		put_envelope(j, &p->envelope);
	}
	json_close(j);
}

static void put_content(struct json *j, const struct explanation *e)
{
	if (e->content.file == NULL)
		return;
	json_object(j, "message");
	put_word(j, "file", e->content.file);
	json_text_if(j, "trouble", e->content.trouble);
	put_plan(j, "to_7bit", e->content.narrow);
	put_plan(j, "to_8bit", e->content.wide);
	json_close(j);
}

static void put_peers(struct json *j, const struct explanation *e)
{
	if (!e->does_connect) {
		json_null(j, "peers");
		return;
	}
	json_array(j, "peers");
	for (size_t i = 0; i < e->n_peers; i++)
		put_peer(j, &e->peers[i]);
	json_close(j);
}

/* ---- all of it ------------------------------------------------------------
 */

static void put_end(struct json *j, const struct explanation *e)
{
	const struct diag *d = e->failure;

	put_word(j, "result", explained_result(e->status));
	json_int(j, "exit", e->status);
	if (d == NULL) {
		json_null(j, "failure");
		return;
	}
	json_object(j, "failure");
	put_word(j, "reason", d->reason);
	json_text_if(j, "status", d->status);
	json_text_if(j, "diagnostic", d->diagnostic);
	json_close(j);
}

void explanation_print_json(struct str *to, const struct explanation *e)
{
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	put_word(&j, "event", "explanation");
	json_uint(&j, "schema", EXPLANATION_SCHEMA);
	json_text(&j, e->has_recipient ? "recipient" : "host", e->subject);
	json_text(&j, "destination", e->destination);
	json_bool(&j, "forced", e->is_forced);
	put_dns(&j, e);
	put_way(&j, e->route.way);
	put_addresses(&j, e);
	put_recipient(&j, e);
	put_content(&j, e);
	put_peers(&j, e);
	put_end(&j, e);
	json_close(&j);
	str_addc(to, '\n');
}

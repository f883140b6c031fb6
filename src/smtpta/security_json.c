/*
 * security_json.c - decisions and handshakes as JSON.
 */
#include "smtpta/security_json.h"

enum {
	TEXT_MAX = 1024,  /* bytes of a text from outside */
	RECORDS_MAX = 16, /* TLSA records that are shown */
	NAMES_MAX = 16,
	CHAIN_MAX = 8
};

static void put(struct json *j, const char *key, struct slice text)
{
	json_text(j, key, json_cut(text, TEXT_MAX));
}

static void put_if(struct json *j, const char *key, struct slice text)
{
	if (text.len > 0)
		put(j, key, text);
}

static void put_word(struct json *j, const char *key, const char *word)
{
	json_text(j, key, slice_of(word));
}

/* ---- decisions ------------------------------------------------------------
 */

static void put_records(struct json *j, const struct security_host *host)
{
	json_array(j, "records");
	for (size_t i = 0; i < host->n_records && i < RECORDS_MAX; i++) {
		const struct dane_record *r = &host->records[i];

		json_object(j, NULL);
		json_uint(j, "usage", r->usage);
		json_uint(j, "selector", r->selector);
		json_uint(j, "matching", r->matching);
		put_word(j, "use", dane_use_word(host->uses[i]));
		json_close(j);
	}
	json_close(j);
}

static void put_dane(struct json *j, const struct security_host *host)
{
	const struct tls_facts *f = &host->facts;

	json_object(j, "tlsa");
	put_word(j, "result", dane_result_word(f->tlsa));
	put_if(j, "base", f->tlsa_base);
	json_uint(j, "count", f->n_tlsa);
	json_uint(j, "used", f->n_tlsa_used);
	put_records(j, host);
	json_close(j);
}

static void put_sts(struct json *j, const struct security *s,
		    const struct security_host *host)
{
	if (!s->has_sts) {
		json_null(j, "sts");
		return;
	}
	json_object(j, "sts");
	put_word(j, "record", sts_txt_word(s->sts.txt));
	put_word(j, "origin", sts_origin_word(s->sts.origin));
	if (s->sts.policy != NULL) {
		put_word(j, "mode", sts_mode_word(s->sts.policy->mode));
		put(j, "id", s->sts.id);
		put_if(j, "pattern", host->decision.sts_pattern);
	}
	put_word(j, "step", sts_step_word(s->sts.step));
	if (s->sts.failure != TLSRPT_SUCCESS)
		put_word(j, "failure", tlsrpt_type_word(s->sts.failure));
	put_if(j, "why", s->sts.reason);
	put_if(j, "trouble", s->sts.trouble);
	json_close(j);
}

static void put_names(struct json *j, const struct tls_decision *d)
{
	json_array(j, "names");
	for (size_t i = 0; i < d->n_names && i < NAMES_MAX; i++)
		put(j, NULL, d->names[i]);
	json_close(j);
}

static void put_evidence(struct json *j, const struct security_host *host)
{
	struct str text = STR_INIT;

	tls_evidence_print(&text, &host->facts, &host->decision);
	put(j, "evidence", str_slice(&text));
	str_done(&text);
}

void security_json(struct json *j, const char *key, const struct security *s,
		   const struct security_host *host)
{
	static const char *const requests[] = {
		[TLS_ASKS_NOTHING] = "nothing",
		[TLS_ASKS_REQUIRED] = "requiretls",
		[TLS_ASKS_OPTIONAL] = "tls-required-no",
	};
	const struct tls_decision *d = &host->decision;

	json_object(j, key);
	put_word(j, "need", tls_need_word(d->need));
	put_word(j, "reason", tls_reason_word(d->reason));
	put_word(j, "why", tls_reason_text(d->reason));
	put_word(j, "level", tls_level_word(s->terms.rule.level));
	put_word(j, "message", requests[s->request]);
	put_word(j, "mx", dane_dns_word(host->facts.mx));
	put_word(j, "addresses", dane_dns_word(host->facts.addresses));
	put_dane(j, host);
	put_sts(j, s, host);
	put_names(j, d);
	put_if(j, "sni", d->sni);
	put_evidence(j, host);
	json_close(j);
}

/* ---- handshakes -----------------------------------------------------------
 */

static void put_certificate(struct json *j, const struct tls_certificate *c)
{
	json_object(j, NULL);
	put(j, "subject", c->subject);
	put(j, "issuer", c->issuer);
	put_if(j, "names", c->names);
	put(j, "key", c->key);
	json_int(j, "not_before", c->not_before);
	json_int(j, "not_after", c->not_after);
	put(j, "sha256", c->sha256);
	put(j, "key_sha256", c->key_sha256);
	put_if(j, "trouble", c->trouble);
	json_close(j);
}

static void put_agreed(struct json *j, const struct tls_outcome *o)
{
	put_word(j, "protocol", o->protocol);
	put_word(j, "cipher", o->cipher);
	json_int(j, "bits", o->bits);
	if (o->group != NULL)
		json_text_if(j, "group", slice_of(o->group));
	json_bool(j, "resumed", o->was_resumed);
	json_bool(j, "wanted_certificate", o->wanted_certificate);
}

void security_json_tls(struct json *j, const char *key,
		       const struct tls_outcome *o)
{
	json_object(j, key);
	json_bool(j, "ok", o->is_ok);
	if (o->fault != TLS_FAULT_NONE) {
		put_word(j, "fault", tls_fault_word(o->fault));
		put_if(j, "why", o->text);
	}
	if (o->protocol != NULL)
		put_agreed(j, o);
	put_word(j, "verdict", tls_verdict_word(o->verdict));
	if (o->record != SIZE_MAX && o->verdict == TLS_MATCHED_DANE) {
		json_uint(j, "record", o->record);
		json_int(j, "depth", o->depth);
	}
	put_if(j, "matched", o->matched);
	if (o->audit != TLS_FAULT_NONE)
		put_word(j, "audit", tls_fault_word(o->audit));
	json_array(j, "chain");
	for (size_t i = 0; i < o->n_chain && i < CHAIN_MAX; i++)
		put_certificate(j, &o->chain[i]);
	json_close(j);
	json_close(j);
}

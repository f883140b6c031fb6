/*
 * tlsnotes.c - what sessions came to, noted for the reports about TLS.
 */
#include "smtpta/tlsnotes.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "policy/tlsrpt.h"
#include "store/tlsresults.h"

#include <stdlib.h>
#include <string.h>

struct tlsnotes {
	struct store *store;
	int64_t (*wall_time)(void);
	void (*complain)(void *context, const char *text);
	void *context;
	bool is_paused, has_complained;
};

struct tlsnotes *tlsnotes_new(struct store *store, int64_t (*wall_time)(void),
			      void (*complain)(void *context, const char *text),
			      void *context)
{
	struct tlsnotes *n = mem_zero(1, sizeof(*n));

	n->store = store;
	n->wall_time = wall_time;
	n->complain = complain;
	n->context = context;
	return n;
}

void tlsnotes_free(struct tlsnotes *n)
{
	free(n);
}

void tlsnotes_pause(struct tlsnotes *n, bool is_paused)
{
	if (n != NULL)
		n->is_paused = is_paused;
}

/* Is there somebody to report to? Only a domain can ask for reports. */
static bool counts(const struct tlsnotes *n, const struct security *s)
{
	return n != NULL && !n->is_paused && s->next != TLS_NEXT_LITERAL &&
	       tlsrpt_is_domain(s->domain);
}

static void add(struct tlsnotes *n, const struct tlsrpt_result *result)
{
	struct err err;

	if (tlsresults_add(n->store, result, 1, n->wall_time(), &err) == 0 ||
	    n->has_complained)
		return;
	n->has_complained = true;
	n->complain(n->context, err.text);
}

/* ---- against what ----------------------------------------------------------
 */

/* What the session is held against; where neither decided: no policy. */
static enum tlsrpt_kind kind_of(const struct tls_decision *d)
{
	switch (d->reason) {
	case TLS_TLSA_BROKEN:
	case TLS_REQUIRED_DANE:
	case TLS_REQUIRED_DANE_ONLY:
	case TLS_BY_DANE_ONLY:
	case TLS_DANE_ONLY_MISSING:
	case TLS_BY_DANE:
	case TLS_BY_DANE_OPEN:
	case TLS_BY_DANE_UNUSABLE:
		return TLSRPT_TLSA;
	case TLS_REQUIRED_MISMATCH:
	case TLS_BY_STS:
	case TLS_STS_NO_MATCH:
	case TLS_BY_STS_TESTING:
		return TLSRPT_STS;
	default:
		return TLSRPT_NO_POLICY;
	}
}

static struct tlsrpt_policy sts_policy_of(const struct security *s)
{
	struct tlsrpt_policy p = { .kind = TLSRPT_STS, .domain = s->domain };

	if (s->sts.policy == NULL)
		return p;
	p.strings = tlsrpt_sts_strings(s->sts.policy, s->arena, &p.n_strings);
	p.mx = s->sts.policy->mx;
	p.n_mx = s->sts.policy->n_mx;
	return p;
}

static struct tlsrpt_policy tlsa_policy_of(const struct security *s,
					   const struct security_host *host)
{
	struct slice base = host->facts.tlsa_base;
	struct slice *strings =
	    arena_array(s->arena, host->n_records, sizeof(*strings));

	for (size_t i = 0; i < host->n_records; i++)
		strings[i] = tlsrpt_tlsa_string(&host->records[i], s->arena);
	return (struct tlsrpt_policy){
		.kind = TLSRPT_TLSA,
		.domain = base.len > 0 ? base : host->facts.host,
		.strings = strings,
		.n_strings = host->n_records,
	};
}

static struct tlsrpt_policy policy_of(const struct security *s,
				      const struct security_host *host)
{
	switch (kind_of(&host->decision)) {
	case TLSRPT_TLSA:
		return tlsa_policy_of(s, host);
	case TLSRPT_STS:
		return sts_policy_of(s);
	default:
		return (struct tlsrpt_policy){ .kind = TLSRPT_NO_POLICY,
					       .domain = s->domain };
	}
}

/* ---- what ------------------------------------------------------------------
 */

static struct slice address_text(const struct net_addr *addr, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice plain;

	net_addr_print_plain(&text, addr);
	plain = arena_dup(a, str_slice(&text));
	str_done(&text);
	return plain;
}

/* Between whom it was, or would have been. */
struct ends {
	const struct security *security;
	size_t place;
	const struct conn *conn; /* NULL: none */
};

static void note(struct tlsnotes *n, const struct ends *ends,
		 enum tlsrpt_type type, struct slice reason)
{
	const struct security *s = ends->security;
	const struct security_host *host = security_of(s, ends->place);
	struct tlsrpt_result result = {
		.domain = s->domain,
		.policy = policy_of(s, host),
		.failure = { .type = type,
			     .mx_host = host->facts.host,
			     .reason = reason,
			     .receiving_ip = address_text(
				 &s->route->addrs[ends->place], s->arena) },
	};

	if (ends->conn != NULL)
		result.failure.sending_ip =
		    address_text(conn_local(ends->conn), s->arena);
	add(n, &result);
}

void tlsnotes_policy(struct tlsnotes *n, const struct security *s)
{
	struct tlsrpt_result result = {
		.domain = s->domain,
		.failure = { .type = s->sts.failure, .reason = s->sts.reason },
	};

	if (!counts(n, s) || s->sts.failure == TLSRPT_SUCCESS)
		return;
	result.policy = sts_policy_of(s);
	add(n, &result);
}

void tlsnotes_impossible(struct tlsnotes *n, const struct security *s,
			 size_t place)
{
	const struct tls_decision *d;
	enum tlsrpt_type type = TLSRPT_VALIDATION_FAILURE;
	struct ends ends = { s, place, NULL };

	if (!counts(n, s))
		return;
	d = &security_of(s, place)->decision;
	if (d->reason == TLS_TLSA_BROKEN || d->reason == TLS_FORGED)
		type = TLSRPT_DNSSEC_INVALID;
	else if (d->reason == TLS_DANE_ONLY_MISSING)
		type = TLSRPT_DANE_REQUIRED;
	note(n, &ends, type, slice_of(tls_reason_word(d->reason)));
}

void tlsnotes_not_offered(struct tlsnotes *n, const struct security *s,
			  size_t place, const struct conn *c)
{
	struct ends ends = { s, place, c };

	if (counts(n, s))
		note(n, &ends, TLSRPT_STARTTLS_NOT_SUPPORTED,
		     slice_make(NULL, 0));
}

/* The type by its registered word; what has none is nothing else's. */
static enum tlsrpt_type type_of(enum tls_fault fault)
{
	const char *word = tls_fault_report(fault);

	if (word == NULL)
		return TLSRPT_SUCCESS;
	for (unsigned i = 0; i < TLSRPT_TYPES; i++)
		if (strcmp(tlsrpt_type_word((enum tlsrpt_type)i), word) == 0)
			return (enum tlsrpt_type)i;
	return TLSRPT_VALIDATION_FAILURE;
}

void tlsnotes_handshake(struct tlsnotes *n, const struct security *s,
			size_t place, const struct tls_outcome *o,
			const struct conn *c)
{
	const struct tls_decision *d;
	struct ends ends = { s, place, c };
	enum tls_fault fault = o->fault;
	struct slice text = o->text;
	enum tlsrpt_type type;

	/* A trouble of our own says nothing about the server. */
	if (!counts(n, s) || (!o->is_ok && tls_fault_report(o->fault) == NULL))
		return;
	d = &security_of(s, place)->decision;
	if (fault == TLS_FAULT_NONE && d->is_audited) {
		fault = o->audit;
		text = o->audit_text;
	}
	type = type_of(fault);
	/* In mode enforce the host would not have been asked (RFC 8461 5). */
	if (type == TLSRPT_SUCCESS && d->sts == TLS_STS_TESTING &&
	    d->sts_pattern.len == 0) {
		type = TLSRPT_VALIDATION_FAILURE;
		text = SLICE("the policy does not name the host");
	}
	/* TLS, but the records that were there are worth nothing. */
	if (type == TLSRPT_SUCCESS && d->reason == TLS_BY_DANE_UNUSABLE)
		type = TLSRPT_TLSA_INVALID;
	note(n, &ends, type, text);
}

/*
 * explanation_text.c - an explanation for people.
 *
 *	line = key blanks value LF		; the value begins in column 18
 *	key  = *2SP words			; deeper facts are indented
 *
 * A fact about something stands below the line that names it.
 */
#include "explain/explanation.h"

#include "base/mem.h"
#include "net/dns_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUE_COLUMN = 17 };

/* Begins a line: its key, blanks up to the value. */
static void begin(struct str *to, unsigned depth, const char *key)
{
	str_addf(to, "%*s%-*s", (int)(2 * depth), "",
		 (int)(VALUE_COLUMN - 2 * depth), key);
}

__attribute__((format(printf, 4, 5))) static void
fact(struct str *to, unsigned depth, const char *key, const char *format, ...)
{
	char *value = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&value, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	begin(to, depth, key);
	str_add_clean(to, slice_make(value, (size_t)n), SIZE_MAX);
	str_addc(to, '\n');
	free(value);
}

static void fact_text(struct str *to, unsigned depth, const char *key,
		      struct slice text)
{
	if (text.len == 0)
		return;
	begin(to, depth, key);
	str_add_clean(to, text, SIZE_MAX);
	str_addc(to, '\n');
}

/* ---- who and what -------------------------------------------------------- */

void explanation_print_subject(struct str *to, const struct explanation *e)
{
	fact_text(to, 0, e->has_recipient ? "recipient" : "host", e->subject);
	fact_text(to, 0, e->is_forced ? "destination (-F)" : "destination",
		  e->destination);
	fact_text(to, 0, "answers from", e->offline);
}

static void print_validation(struct str *to, const struct explanation *e)
{
	const struct dns_check *check = &e->check;

	if (e->n_answers == 0 || e->offline.len > 0)
		return;
	fact(to, 0, "validation", "%s (mode %s)", dns_trust_word(check->trust),
	     dns_mode_word(e->mode));
	fact_text(to, 1, "why", check->why);
	fact_text(to, 1, "warning", check->warning);
}

void explanation_print_answer(struct str *to, const struct dns_answer *answer)
{
	struct arena *a = arena_new();
	struct str record = STR_INIT;

	begin(to, 0, "asked");
	str_add_clean(to, answer->name, SIZE_MAX);
	str_addc(to, ' ');
	str_add(to, dns_type_text(answer->type, a));
	str_addf(
	    to, ": %s, %s, from %s%s, ttl %u\n",
	    dns_verdict_word(answer->verdict), dns_status_word(answer->status),
	    dns_origin_word(answer->origin),
	    answer->is_recorded ? " (recorded)" : "", (unsigned)answer->ttl);
	for (size_t i = 0; i < answer->n_chain; i++)
		fact_text(to, 1, "alias of", answer->chain[i]);
	for (size_t i = 0; i < answer->n; i++) {
		str_clear(&record);
		dns_record_print_one(&record, answer->type,
				     &answer->records[i]);
		fact_text(to, 1, "record", str_slice(&record));
	}
	fact_text(to, 1, "detail", answer->detail);
	str_done(&record);
	arena_free(a);
}

/* ---- the route ------------------------------------------------------------
 */

static void print_target(struct str *to, unsigned depth, const char *key,
			 const struct target_address *address)
{
	begin(to, depth, key);
	explained_target(to, address);
}

static void print_self(struct str *to, const struct mx_facts *f)
{
	for (size_t i = 0; i < f->n_own_names; i++)
		fact_text(to, 0, "we are", f->own_names[i]);
	for (size_t i = 0; i < f->n_own_addresses; i++) {
		print_target(to, 0, "we are", &f->own_addresses[i]);
		str_addc(to, '\n');
	}
}

static void print_fate(struct str *to, enum mx_fate fate)
{
	str_addf(to, ": %s%s\n", fate == MX_KEPT ? "" : "dropped, ",
		 mx_fate_word(fate));
}

static void print_judged(struct str *to, const struct mx_judged *j,
			 bool is_implicit)
{
	const struct mx_host *h = j->host;

	begin(to, 0, "host");
	str_add_clean(to, h->name, SIZE_MAX);
	if (is_implicit)
		str_adds(to, ", itself");
	else
		str_addf(to, ", preference %u", h->preference);
	print_fate(to, j->fate);
	if (!slice_eq(h->canonical, h->name))
		fact_text(to, 1, "canonical", h->canonical);
	for (size_t i = 0; i < h->n; i++) {
		print_target(to, 1, "address", &h->addresses[i]);
		print_fate(to, j->addresses[i]);
	}
}

static void print_way(struct str *to, const struct explanation *e)
{
	const struct dns_mx_way *way = e->route.way;

	if (!slice_eq(way->facts.domain, e->destination))
		fact_text(to, 0, "in the DNS", way->facts.domain);
	print_self(to, &way->facts);
	for (size_t i = 0; i < way->decision.n_hosts; i++)
		print_judged(to, &way->decision.hosts[i],
			     way->decision.is_implicit);
	fact(to, 0, "decision", "%s", mx_reason_word(way->decision.reason));
}

static void print_source(struct str *to, const struct explained_source *s)
{
	if (s->trouble.len > 0) {
		fact_text(to, 1, "from nowhere", s->trouble);
		return;
	}
	begin(to, 1, "from");
	if (s->is_chosen)
		explained_address(to, &s->addr);
	else
		str_adds(to, "what the system chooses");
	str_addc(to, '\n');
}

static void print_end_of(struct str *to, const struct net_addr *addr)
{
	explained_address(to, addr);
	if (net_addr_port(addr) != 0)
		str_addf(to, " port %u", net_addr_port(addr));
}

static void print_security(struct str *to, const struct explanation *e,
			   size_t place)
{
	const struct security_host *host = security_of(e->security, place);
	const struct tls_decision *d = &host->decision;
	const struct sts_found *sts = &e->security->sts;
	struct str text = STR_INIT;

	fact(to, 1, "TLS", "%s: %s", tls_need_word(d->need),
	     tls_reason_text(d->reason));
	tls_evidence_print(&text, &host->facts, d);
	fact_text(to, 2, "because", str_slice(&text));
	str_done(&text);
	if (!e->security->has_sts)
		return;
	if (sts->failure != TLSRPT_SUCCESS)
		fact(to, 2, "MTA-STS", "%s", tlsrpt_type_word(sts->failure));
	fact_text(to, 2, "MTA-STS", sts->reason);
	fact_text(to, 2, "MTA-STS", sts->trouble);
}

static void print_addresses(struct str *to, const struct explanation *e)
{
	const struct route *r = &e->route;

	for (size_t i = 0; i < r->n; i++) {
		begin(to, 0, "to be tried");
		print_end_of(to, &r->addrs[i]);
		str_addf(to, ", level %u, ", r->hosts[i].level);
		str_add_clean(to, r->hosts[i].name, SIZE_MAX);
		str_addc(to, '\n');
		print_source(to, &e->sources[i]);
		print_security(to, e, i);
	}
	fact_text(to, 0, "site", r->site);
}

static void print_envelope(struct str *to, unsigned depth,
			   const struct explained_envelope *envelope)
{
	fact_text(to, depth, "would say", envelope->mail);
	fact_text(to, depth, "would say", envelope->rcpt);
}

static void print_plan(struct str *to, unsigned depth, const char *key,
		       const struct explained_plan *plan)
{
	if (plan == NULL)
		return;
	fact_text(to, depth, key, plan->summary);
	for (unsigned i = 0; i < plan->n_parts; i++)
		fact_text(to, depth + 1, "part", plan->parts[i]);
	if (plan->is_unconvertible)
		fact(to, depth + 1, "but", "%s",
		     "8-bit content must not be converted");
}

static void print_content(struct str *to, const struct explanation *e)
{
	if (e->content.file == NULL)
		return;
	fact_text(to, 0, "message", slice_of(e->content.file));
	fact_text(to, 1, "trouble", e->content.trouble);
	print_plan(to, 1, "to 7 bits", e->content.narrow);
	print_plan(to, 1, "to 8 bits", e->content.wide);
}

void explanation_print_route(struct str *to, const struct explanation *e)
{
	print_validation(to, e);
	if (e->route.way != NULL)
		print_way(to, e);
	print_addresses(to, e);
	if (!e->has_recipient)
		return;
	if (e->bad_recipient != NULL) {
		fact_text(to, 0, "bad recipient", e->bad_recipient->text);
		return;
	}
	fact(to, 0, "SMTPUTF8", "%s",
	     e->is_smtputf8_needed ? "needed" : "not needed");
	print_envelope(to, 0, &e->envelope);
	print_content(to, e);
}

/* ---- peers ----------------------------------------------------------------
 */

static void print_caps(struct str *to, const struct caps *caps)
{
	struct str set = STR_INIT;

	caps_print_set(&set, caps_set(caps));
	fact_text(to, 1, "offers", str_slice(&set));
	str_done(&set);
	if (caps->size_limit > 0)
		fact(to, 1, "size limit", "%llu",
		     (unsigned long long)caps->size_limit);
}

void explanation_print_peer(struct str *to, const struct explained_peer *p)
{
	struct slice rest, line;

	begin(to, 0, "connected");
	print_end_of(to, &p->addr);
	str_adds(to, ", ");
	str_add_clean(to, p->host, SIZE_MAX);
	str_addf(to, ": %s, %lld ms\n", p->reason == NULL ? "ready" : p->reason,
		 (long long)p->ms);
	if (p->has_local) {
		begin(to, 1, "from");
		print_end_of(to, &p->local);
		str_addc(to, '\n');
	}
	for (size_t i = 0; i < p->n_lines; i++)
		fact(to, 1, p->lines[i].is_ours ? "said" : "heard", "%.*s",
		     SLICE_ARG(p->lines[i].text));
	rest = p->tls_lines;
	while (slice_cut(&rest, '\n', &line))
		fact_text(to, 1, "TLS", line);
	if (p->is_cut)
		fact(to, 1, "more", "%s", "was said than is kept");
	fact_text(to, 1, "account", p->account);
	if (p->mechanism != NULL)
		fact(to, 1, "would say", "AUTH %s", p->mechanism);
	if (p->code != 0)
		fact(to, 1, "code", "%u", p->code);
	fact_text(to, 1, "why", p->why);
	if (p->reason != NULL)
		return;
	print_caps(to, &p->caps);
	print_plan(to, 1, "content", p->plan);
	if (p->unsuited != NULL)
		fact_text(to, 1, "unsuited", p->unsuited->text);
	print_envelope(to, 1, &p->envelope);
}

/* ---- the end --------------------------------------------------------------
 */

void explanation_print_end(struct str *to, const struct explanation *e)
{
	const struct diag *d = e->failure;

	fact(to, 0, "result", "%s (exit status %d)",
	     explained_result(e->status), e->status);
	if (d == NULL)
		return;
	fact(to, 1, "reason", "%s", d->reason);
	fact_text(to, 1, "status", d->status);
	fact_text(to, 1, "diagnostic", d->diagnostic);
}

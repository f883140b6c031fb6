/*
 * security.c - what security each host of a destination needs, and why.
 */
#include "smtpta/security.h"

#include "mime/header.h"
#include "net/conn.h"
#include "net/tls.h"
#include "smtpta/auth.h"

/* ---- what the DNS said --------------------------------------------------- */

/* Of an answer, as DANE sees it. */
static enum dane_dns dns_of(const struct dns_answer *answer)
{
	switch (answer->verdict) {
	case DNS_OK:
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		return answer->status == DNS_SECURE ? DANE_DNS_SECURE
						    : DANE_DNS_INSECURE;
	case DNS_BOGUS:
		return DANE_DNS_BOGUS;
	default:
		return DANE_DNS_FAILED;
	}
}

/* The same, where a question may not have been asked at all. */
static enum dane_dns dns_if_asked(const struct dns_answer *answer)
{
	return answer->name.len == 0 ? DANE_DNS_NONE : dns_of(answer);
}

/*
 * Answers that are handed in stand for a resolver that validates: each says of
 * itself how far it is to be believed.
 */
static enum tls_dnssec dnssec_here(const struct security_scene *scene)
{
	if (scene->options->dns.source != NULL)
		return TLS_DNSSEC_WORKS;
	switch (dns_check(scene->dns, 0)->trust) {
	case DNS_TRUST_WORKS:
		return TLS_DNSSEC_WORKS;
	case DNS_TRUST_LOST:
		return TLS_DNSSEC_LOST;
	default:
		return TLS_DNSSEC_OFF;
	}
}

/* ---- the domain ---------------------------------------------------------- */

static enum tls_next next_of(const struct smtpta_options *o,
			     const struct route *r)
{
	/* No name, of which others could say something. */
	if (r->way == NULL || r->is_address)
		return TLS_NEXT_LITERAL;
	/* The postmaster vouches for what he named, not for its exchangers. */
	if (!r->way->decision.is_implicit)
		return TLS_NEXT_MX;
	return o->forced.len > 0 ? TLS_NEXT_FORCED : TLS_NEXT_DOMAIN;
}

struct security *security_new(const struct security_scene *scene,
			      struct slice destination,
			      const struct route *route,
			      enum tls_request request, struct arena *a)
{
	struct security *s = ARENA_NEW(a, struct security);

	s->scene = scene;
	s->route = route;
	s->arena = a;
	s->deadline = conn_now() + (int64_t)scene->options->dns_timeout * 1000;
	s->domain = route->way != NULL ? route->way->facts.domain : destination;
	s->request = request;
	s->next = next_of(scene->options, route);
	if (route->way != NULL)
		s->mx = dns_if_asked(&route->way->mx);
	s->hosts = arena_array(a, route->n, sizeof(struct security_host *));
	s->terms = tlsconf_find(scene->conf, s->domain);
	/* What begins with TLS never goes on without. */
	s->terms.rule.is_demanded |= scene->conf->is_wrapper;
	/* RFC 8461 3.4: of a forced host it is the host's own policy. */
	s->has_sts =
	    s->next != TLS_NEXT_LITERAL && scene->sts != NULL &&
	    (tls_wants(s->terms.rule.level, request) & TLS_WANTS_STS) != 0;
	if (s->has_sts)
		s->sts = stsfind(scene->sts, s->domain, s->deadline, a);
	return s;
}

/* ---- hosts --------------------------------------------------------------- */

enum tls_path security_path(const struct route *r, size_t place)
{
	struct target_facts facts = { .port = 25 };

	if (!net_addr_target(&r->addrs[place], &facts.address))
		return TLS_PATH_UNIX;
	return target_decide(&facts).reason == TARGET_LOOPBACK
		   ? TLS_PATH_LOOPBACK
		   : TLS_PATH_NETWORK;
}

/* What is being found out about a host. */
struct inquiry {
	struct security_host *host;
	struct dane_host dane;
	struct slice bases[DANE_BASES_MAX];
	size_t n_bases, at; /* asked next */
};

/* The host that an address of a name belongs to. */
static const struct mx_host *mx_host_at(const struct route *r, size_t place)
{
	return r->way->decision.tries[place].host;
}

static void begin_facts(const struct security *s, size_t place,
			struct tls_facts *f)
{
	*f = (struct tls_facts){
		.rule = s->terms.rule,
		.request = s->request,
		.path = security_path(s->route, place),
		.next = s->next,
		.domain = s->domain,
		.mx = s->mx,
		.sts = s->sts.policy,
		.sts_id = s->sts.id,
	};
	if (s->next == TLS_NEXT_LITERAL)
		return;
	f->host = s->route->hosts[place].name;
	f->has_account = s->scene->auth != NULL &&
			 auth_wants_verified(s->scene->auth, f->host);
	f->dnssec = dnssec_here(s->scene);
}

static void begin_inquiry(const struct security *s, size_t place,
			  struct inquiry *q)
{
	const struct mx_host *host;
	const struct dns_mx_host *answers;

	q->host = ARENA_NEW(s->arena, struct security_host);
	begin_facts(s, place, &q->host->facts);
	if (s->next == TLS_NEXT_LITERAL)
		return;
	host = mx_host_at(s->route, place);
	answers = dns_mx_answers(s->route->way, host);
	q->dane = (struct dane_host){
		.name = host->name,
		.canonical = host->canonical,
		.v4 = dns_if_asked(&answers->v4),
		.v6 = dns_if_asked(&answers->v6),
	};
	q->host->facts.addresses = dane_addresses(q->dane.v4, q->dane.v6);
}

/* Is it worth while to ask for TLSA records of the host? */
static bool wants_dane(const struct security *s, const struct inquiry *q)
{
	return s->next != TLS_NEXT_LITERAL &&
	       q->host->facts.dnssec == TLS_DNSSEC_WORKS &&
	       (tls_wants(s->terms.rule.level, s->request) & TLS_WANTS_DANE) !=
		   0;
}

/* Asks for the aliases of those hosts of which that counts, all at once. */
static void ask_aliases(struct security *s, struct inquiry *all, size_t n)
{
	struct dns_answer *answers = arena_array(s->arena, n, sizeof(*answers));
	size_t asked = 0;

	for (size_t i = 0; i < n; i++) {
		if (!wants_dane(s, &all[i]) || !dane_wants_alias(&all[i].dane))
			continue;
		answers[asked].name = all[i].dane.name;
		answers[asked++].type = DNS_CNAME;
	}
	if (asked == 0)
		return;
	dns_ask_all(s->scene->dns, answers, asked, s->deadline, s->arena);
	asked = 0;
	for (size_t i = 0; i < n; i++)
		if (wants_dane(s, &all[i]) && dane_wants_alias(&all[i].dane))
			all[i].dane.alias = dns_of(&answers[asked++]);
}

/*
 * Of the records that count, those that hold no certificate or key after all
 * do not; without any left the host only has to speak TLS.
 */
static void weed_tlsa(struct security_host *host, enum dane_use *uses)
{
	struct tls_facts *f = &host->facts;

	f->n_tlsa_used = 0;
	for (size_t i = 0; i < host->n_records; i++) {
		if (uses[i] == DANE_USED &&
		    !tls_is_record_usable(&host->records[i]))
			uses[i] = DANE_BAD_DATA;
		f->n_tlsa_used += uses[i] == DANE_USED;
	}
	if (f->tlsa == DANE_USABLE && f->n_tlsa_used == 0)
		f->tlsa = DANE_UNUSABLE;
}

static void take_tlsa(struct security *s, struct inquiry *q,
		      const struct dns_answer *answer)
{
	struct security_host *host = q->host;
	size_t n = answer->verdict == DNS_OK ? answer->n : 0;
	struct dane_record *records =
	    arena_array(s->arena, n, sizeof(*records));
	enum dane_use *uses = arena_array(s->arena, n, sizeof(*uses));

	for (size_t i = 0; i < n; i++) {
		const struct dns_tlsa *r = &answer->records[i].tlsa;

		records[i] = (struct dane_record){ r->usage, r->selector,
						   r->matching, r->data };
	}
	host->facts.tlsa = dane_result(dns_of(answer), records, n, uses);
	host->facts.tlsa_base = q->bases[q->at];
	host->facts.n_tlsa = host->n_records = n;
	host->records = records;
	host->uses = uses;
	if (host->facts.tlsa == DANE_USABLE)
		weed_tlsa(host, uses);
}

static bool is_tlsa_due(const struct inquiry *q)
{
	return q->at < q->n_bases &&
	       (q->at == 0 || dane_goes_on(q->host->facts.tlsa));
}

static struct slice tlsa_owner(const struct security *s,
			       const struct inquiry *q, size_t place)
{
	struct str name = STR_INIT;
	struct slice kept;

	dane_owner_print(&name, q->bases[q->at],
			 net_addr_port(&s->route->addrs[place]));
	kept = arena_dup(s->arena, str_slice(&name));
	str_done(&name);
	return kept;
}

/* One round: the next base of every host that has one, all at once. */
static bool ask_tlsa(struct security *s, struct inquiry *all,
		     const size_t *places, size_t n)
{
	struct dns_answer *answers = arena_array(s->arena, n, sizeof(*answers));
	size_t asked = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_tlsa_due(&all[i]))
			continue;
		answers[asked].name = tlsa_owner(s, &all[i], places[i]);
		answers[asked++].type = DNS_TLSA;
	}
	if (asked == 0)
		return false;
	dns_ask_all(s->scene->dns, answers, asked, s->deadline, s->arena);
	asked = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_tlsa_due(&all[i]))
			continue;
		take_tlsa(s, &all[i], &answers[asked++]);
		all[i].at++;
	}
	return true;
}

/* Another address of the same host that is judged already, or NULL. */
static struct security_host *find_judged(const struct security *s, size_t place)
{
	const struct mx_host *host;

	if (s->route->way == NULL)
		return NULL;
	host = mx_host_at(s->route, place);
	for (size_t i = 0; i < s->route->n; i++)
		if (s->hosts[i] != NULL && mx_host_at(s->route, i) == host &&
		    security_path(s->route, i) ==
			security_path(s->route, place))
			return s->hosts[i];
	return NULL;
}

void security_judge(struct security *s, const size_t *places, size_t n)
{
	struct inquiry *all = arena_array(s->arena, n, sizeof(*all));
	size_t *at = arena_array(s->arena, n, sizeof(*at));
	size_t fresh = 0;

	for (size_t i = 0; i < n; i++) {
		size_t place = places[i];

		if (s->hosts[place] == NULL)
			s->hosts[place] = find_judged(s, place);
		if (s->hosts[place] != NULL)
			continue;
		begin_inquiry(s, place, &all[fresh]);
		s->hosts[place] = all[fresh].host;
		at[fresh++] = place;
	}
	ask_aliases(s, all, fresh);
	for (size_t i = 0; i < fresh; i++)
		if (wants_dane(s, &all[i]))
			all[i].n_bases = dane_bases(&all[i].dane, all[i].bases);
	while (ask_tlsa(s, all, at, fresh))
		continue;
	for (size_t i = 0; i < fresh; i++)
		all[i].host->decision =
		    tls_decide(&all[i].host->facts, s->arena);
}

const struct security_host *security_of(const struct security *s, size_t place)
{
	return s->hosts[place];
}

/* ---- other domains ---------------------------------------------------------
 */

static bool has_name(const struct tls_decision *d, struct slice name)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (slice_eq_nocase(d->names[i], name))
			return true;
	return false;
}

/* Would the certificate do that was judged by one decision for another? */
static bool is_as_good(const struct tls_decision *was,
		       const struct tls_outcome *tls,
		       const struct tls_decision *wanted)
{
	if (wanted->need <= TLS_NEED_MAY)
		return true;
	if (tls == NULL)
		return false;
	switch (wanted->need) {
	case TLS_NEED_ENCRYPT:
		return true;
	case TLS_NEED_DANE:
		return was->need == TLS_NEED_DANE &&
		       (tls->matched.len == 0 ||
			has_name(wanted, tls->matched));
	case TLS_NEED_NAME:
		return was->need == TLS_NEED_NAME &&
		       has_name(wanted, tls->matched);
	default:
		return false;
	}
}

bool security_may_share(const struct security *s, size_t place,
			const struct tls_outcome *tls, struct slice domain)
{
	const struct security_host *host = security_of(s, place);
	struct tls_facts facts = host->facts;
	struct tlsconf_found terms = tlsconf_find(s->scene->conf, domain);
	unsigned wants = tls_wants(terms.rule.level, s->request);
	struct tls_decision wanted;
	struct sts_found sts = { 0 };

	/* For the one domain nobody has asked what counts for the other. */
	if ((wants & ~tls_wants(s->terms.rule.level, s->request) &
	     TLS_WANTS_DANE) != 0)
		return false;
	terms.rule.is_demanded |= s->scene->conf->is_wrapper;
	if (s->scene->sts != NULL && (wants & TLS_WANTS_STS) != 0)
		sts = stsfind(
		    s->scene->sts, domain,
		    conn_now() + (int64_t)s->scene->options->dns_timeout * 1000,
		    s->arena);
	facts.rule = terms.rule;
	facts.domain = domain;
	facts.mx = DANE_DNS_INSECURE;
	facts.sts = sts.policy;
	facts.sts_id = sts.id;
	wanted = tls_decide(&facts, s->arena);
	return tls_settings_eq(&terms.settings, &s->terms.settings) &&
	       is_as_good(&host->decision, tls, &wanted);
}

/* ---- what cannot be met ---------------------------------------------------
 */

/* What fails because of the message's wish says nothing about the host. */
static enum fate fate_of(const struct security *s)
{
	return s->request == TLS_ASKS_REQUIRED ? FATE_DEFERRED
					       : FATE_DEFERRED_ALL;
}

struct diag *security_unmet(const struct security *s, size_t place,
			    const char *reason, const char *status,
			    struct slice what)
{
	const struct tls_decision *decision = &security_of(s, place)->decision;
	struct diag *d = ARENA_NEW(s->arena, struct diag);
	struct str address = STR_INIT;
	struct slice name = s->route->hosts[place].name;

	net_addr_print(&address, &s->route->addrs[place]);
	d->fate = fate_of(s);
	d->reason = reason;
	d->status = arena_printf(s->arena, "%s (TLS)", status);
	d->diagnostic = arena_printf(
	    s->arena, "smtp; 454 (TLS with %.*s [%s]: %.*s; %s: %s)",
	    SLICE_ARG(name), str_cstr(&address), SLICE_ARG(what),
	    tls_need_word(decision->need), tls_reason_text(decision->reason));
	d->text = d->diagnostic;
	str_done(&address);
	return d;
}

struct diag *security_refusal(const struct security *s, size_t place)
{
	const struct tls_decision *decision = &security_of(s, place)->decision;

	return security_unmet(s, place, tls_reason_word(decision->reason),
			      "4.7.5", SLICE("this host gets no mail now"));
}

/* ---- messages ------------------------------------------------------------ */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Of a field that may be folded. */
static struct slice value_of(struct slice body)
{
	while (body.len > 0 && is_space(body.p[0]))
		body = slice_from(body, 1);
	while (body.len > 0 && is_space(body.p[body.len - 1]))
		body.len--;
	return body;
}

/* "TLS-Required: No"; any other value says nothing (RFC 8689 5). */
static bool says_optional(struct slice header)
{
	struct header_field f;

	while (header_next(&header, &f))
		if (header_is(&f, "TLS-Required") &&
		    slice_eq_nocase(value_of(f.body), SLICE("No")))
			return true;
	return false;
}

enum tls_request security_request(const struct agent_job *job)
{
	for (size_t i = 0; i < job->n_rcpts; i++)
		if (job->rcpts[i].ctl->dsn.requires_tls)
			return TLS_ASKS_REQUIRED;
	if (job->n_rcpts > 0 && says_optional(job->rcpts[0].ctl->header->text))
		return TLS_ASKS_OPTIONAL;
	return TLS_ASKS_NOTHING;
}

bool security_serves(enum tls_request session, enum tls_request message)
{
	return session == message || session == TLS_ASKS_REQUIRED ||
	       (session == TLS_ASKS_NOTHING && message == TLS_ASKS_OPTIONAL);
}

/*
 * dns_mx.c - the facts that policy/mx.h decides from, asked of a resolver.
 */
#include "net/dns_mx.h"

#include "base/keyword.h"
#include "net/conn.h"

#include <assert.h>
#include <string.h>

enum {
	SMTP_PORT = 25,
	PROTOCOL_TCP = 6,
	/*
	 * Milliseconds for what a host can do without: some name servers never
	 * answer to AAAA (RFC 4074 4.1), and A is enough to go on.
	 */
	PATIENCE = 5000
};

static enum mx_lookup lookup_of(enum dns_verdict verdict)
{
	static const enum mx_lookup lookups[] = {
		[DNS_OK] = MX_LOOKUP_OK,
		[DNS_NODATA] = MX_LOOKUP_NODATA,
		[DNS_NXDOMAIN] = MX_LOOKUP_NXDOMAIN,
		[DNS_LOOP] = MX_LOOKUP_LOOP,
		[DNS_SERVFAIL] = MX_LOOKUP_SERVFAIL,
		[DNS_REFUSED] = MX_LOOKUP_REFUSED,
		[DNS_RCODE] = MX_LOOKUP_RCODE,
		[DNS_MALFORMED] = MX_LOOKUP_MALFORMED,
		[DNS_TRUNCATED] = MX_LOOKUP_TRUNCATED,
		[DNS_TIMEOUT] = MX_LOOKUP_TIMEOUT,
		[DNS_BOGUS] = MX_LOOKUP_BOGUS,
		[DNS_INTERRUPTED] = MX_LOOKUP_INTERRUPTED,
		[DNS_BAD_NAME] = MX_LOOKUP_BAD_NAME,
		[DNS_UNAVAILABLE] = MX_LOOKUP_UNAVAILABLE,
	};

	assert((size_t)verdict < COUNT(lookups));
	return lookups[verdict];
}

void dns_mx_read(const struct dns_answer *mx, struct arena *a,
		 struct mx_facts *facts)
{
	facts->lookup = lookup_of(mx->verdict);
	facts->n = mx->n;
	facts->hosts = arena_array(a, mx->n, sizeof(*facts->hosts));
	for (size_t i = 0; i < mx->n; i++) {
		facts->hosts[i].name = mx->records[i].mx.exchanger;
		facts->hosts[i].preference = mx->records[i].mx.preference;
	}
}

static void ask_mx(struct dns_resolver *r, int64_t deadline, struct arena *a,
		   struct dns_mx_way *io)
{
	struct mx_facts *f = &io->facts;

	io->mx = dns_ask(r, f->domain, DNS_MX, deadline, a);
	dns_mx_read(&io->mx, a, f);
	if (f->lookup == MX_LOOKUP_NXDOMAIN)
		f->is_in_hosts = dns_is_in_hosts(r, f->domain, deadline, a);
}

static size_t index_of(const struct mx_facts *f, const struct mx_host *host)
{
	for (size_t i = 0; i < f->n; i++)
		if (host == &f->hosts[i])
			return i;
	return f->n; /* the domain as its own host */
}

const struct dns_mx_host *dns_mx_answers(const struct dns_mx_way *found,
					 const struct mx_host *host)
{
	return &found->hosts[index_of(&found->facts, host)];
}

/* Adds the addresses of one answer behind those that are there. */
static size_t add_addresses(const struct dns_answer *from,
			    struct target_address *to, size_t n)
{
	for (size_t i = 0; i < from->n; i++)
		to[n++] = from->records[i].address;
	return n;
}

/* Is a bit set for the port? The first byte's highest bit is port 0. */
static bool has_port(struct slice ports, unsigned port)
{
	return port / 8 < ports.len &&
	       ((unsigned char)ports.p[port / 8] & 0x80 >> port % 8) != 0;
}

/* Records of other protocols than TCP say nothing about SMTP. */
static enum mx_wks judge_wks(const struct dns_answer *answer)
{
	enum mx_wks wks = MX_WKS_NONE;

	if (dns_is_temporary(answer->verdict))
		return MX_WKS_AGAIN;
	for (size_t i = 0; i < answer->n; i++) {
		const struct dns_wks *record = &answer->records[i].wks;

		if (record->protocol != PROTOCOL_TCP)
			continue;
		if (has_port(record->ports, SMTP_PORT))
			return MX_WKS_SMTP;
		wks = MX_WKS_NO_SMTP;
	}
	return wks;
}

/* Tells the plan what was found out about a host. */
static void learn(struct mx_host *host, const struct dns_mx_host *answers,
		  bool has_wks, struct arena *a)
{
	const struct dns_answer *v4 = &answers->v4, *v6 = &answers->v6;
	struct target_address *addresses =
	    arena_array(a, v4->n + v6->n, sizeof(*addresses));

	host->v4 = lookup_of(v4->verdict);
	host->v6 = lookup_of(v6->verdict);
	host->canonical =
	    v4->n > 0 || v6->n == 0 ? v4->canonical : v6->canonical;
	host->n = add_addresses(v4, addresses, 0);
	host->n = add_addresses(v6, addresses, host->n);
	host->addresses = addresses;
	if (has_wks)
		host->wks = judge_wks(&answers->wks);
}

static void add_question(struct dns_answer **to, struct slice name,
			 enum dns_type type)
{
	*(*to)++ = (struct dns_answer){ .name = name, .type = type };
}

struct batch {
	struct mx_host **hosts;
	size_t n;
	bool has_wks;
};

static bool was_late(const struct dns_answer *answer)
{
	return answer->verdict == DNS_TIMEOUT;
}

/* Asks once more what was not answered and cannot be done without. */
static void insist(struct dns_resolver *r, struct dns_answer *answers,
		   const struct batch *b, int64_t deadline, struct arena *a)
{
	size_t each = b->has_wks ? 3 : 2, n = 0;
	struct dns_answer *again = arena_array(a, b->n * each, sizeof(*again));
	size_t *places = arena_array(a, b->n * each, sizeof(*places));

	for (size_t i = 0; i < b->n; i++) {
		const struct dns_answer *of = &answers[i * each];

		if (of[0].n + of[1].n > 0 && !(b->has_wks && was_late(&of[2])))
			continue;
		for (size_t k = 0; k < each; k++) {
			if (!was_late(&of[k]))
				continue;
			places[n] = i * each + k;
			again[n++] = of[k];
		}
	}
	if (n > 0)
		dns_ask_all(r, again, n, deadline, a);
	for (size_t i = 0; i < n; i++)
		answers[places[i]] = again[i];
}

static void look_up(struct dns_resolver *r, const struct batch *b,
		    int64_t deadline, struct arena *a, struct dns_mx_way *io)
{
	size_t each = b->has_wks ? 3 : 2;
	struct dns_answer *answers =
	    arena_array(a, b->n * each, sizeof(*answers));
	struct dns_answer *at = answers;
	int64_t soon = conn_now() + PATIENCE;

	for (size_t i = 0; i < b->n; i++) {
		add_question(&at, b->hosts[i]->name, DNS_A);
		add_question(&at, b->hosts[i]->name, DNS_AAAA);
		if (b->has_wks)
			add_question(&at, b->hosts[i]->name, DNS_WKS);
	}
	dns_ask_all(r, answers, b->n * each, soon < deadline ? soon : deadline,
		    a);
	if (conn_now() < deadline)
		insist(r, answers, b, deadline, a);
	for (size_t i = 0; i < b->n; i++) {
		struct dns_mx_host *found =
		    &io->hosts[index_of(&io->facts, b->hosts[i])];

		found->v4 = answers[i * each];
		found->v6 = answers[i * each + 1];
		if (b->has_wks)
			found->wks = answers[i * each + 2];
		learn(b->hosts[i], found, b->has_wks, a);
	}
}

void dns_mx_find(struct dns_resolver *r, const struct mx_options *options,
		 int64_t deadline, struct arena *a, struct dns_mx_way *io)
{
	struct batch b = { .has_wks = options->is_wks_wanted };
	struct mx_plan *plan;

	if (options->is_mx_forbidden)
		io->facts.lookup = MX_LOOKUP_NONE;
	else
		ask_mx(r, deadline, a, io);
	io->hosts = arena_array(a, io->facts.n + 1, sizeof(*io->hosts));
	for (size_t i = 0; i <= io->facts.n; i++)
		io->hosts[i].v4.verdict = io->hosts[i].v6.verdict =
		    io->hosts[i].wks.verdict = DNS_UNAVAILABLE;
	plan = mx_plan_new(&io->facts, options, a);
	while ((b.n = mx_plan_wants(plan, &b.hosts)) > 0)
		look_up(r, &b, deadline, a, io);
	io->decision = mx_plan_decide(plan);
}

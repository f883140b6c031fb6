/*
 * dns_mx.h - the facts that policy/mx.h decides from, asked of a resolver.
 *
 * MX first, then A and AAAA (and WKS, if wanted) of as many exchangers as
 * matter, all at once. The answers stay beside the decision, since they also
 * tell how authentic each name and address is (RFC 7672 2.2.1).
 */
#ifndef NET_DNS_MX_H
#define NET_DNS_MX_H

#include "net/dns.h"
#include "policy/mx.h"

/* What was answered about one host; verdict DNS_UNAVAILABLE: not asked. */
struct dns_mx_host {
	struct dns_answer v4, v6, wks;
};

struct dns_mx_way {
	/*
	 * The caller sets the domain (A-labels) and what this host is; the
	 * rest is filled in.
	 */
	struct mx_facts facts;
	struct dns_answer mx;	   /* with no name if it was not asked */
	struct dns_mx_host *hosts; /* facts.n and one for the domain itself */
	struct mx_decision decision;
};

/*
 * Finds out where the mail of io->facts.domain goes. Everything lives in a.
 * What is not known by the deadline makes for a deferral at worst; a host that
 * has an address is not kept waiting for those of the other family.
 */
void dns_mx_find(struct dns_resolver *r, const struct mx_options *options,
		 int64_t deadline, struct arena *a, struct dns_mx_way *io);

/*
 * Fills in what an answer about the MX of facts->domain says: how it was
 * answered, and the exchangers, borrowed from it; the array lives in a.
 */
void dns_mx_read(const struct dns_answer *mx, struct arena *a,
		 struct mx_facts *facts);

/* The answers about a host of the decision; borrowed from found. */
const struct dns_mx_host *dns_mx_answers(const struct dns_mx_way *found,
					 const struct mx_host *host);

#endif

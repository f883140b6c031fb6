/*
 * security.h - what security each host of a destination needs, and why.
 *
 * Gathers the facts that policy/tls.h decides from: what the DNS said of the
 * exchangers and their addresses, TLSA records (RFC 7672), the domain's
 * MTA-STS policy (RFC 8461), what the postmaster wrote, what the message asks
 * for (RFC 8689). It only looks up what the decision wants to know: nothing
 * for literals and UNIX sockets, no TLSA of hosts in unsigned zones.
 *
 *	s = security_new(...)			the domain's side
 *	security_judge(&s, places, n)		of the hosts of a level, at once
 *	security_of(&s, place)->decision	of one address
 *
 * Everything lives in the arena that was handed in, or is borrowed from the
 * configuration.
 */
#ifndef SMTPTA_SECURITY_H
#define SMTPTA_SECURITY_H

#include "agent/job.h"
#include "conf/tlsconf.h"
#include "net/tls.h"
#include "policy/tls.h"
#include "smtpta/route.h"
#include "smtpta/stsfind.h"

/* Of an agent. Everything borrowed. */
struct security_scene {
	const struct smtpta_options *options;
	const struct tlsconf *conf;
	struct dns_resolver *dns;
	struct stsfinder *sts; /* NULL: no domain has a policy */
	struct auth *auth;     /* NULL: no host has an account */
};

/* Of a host, or of an address that is none's. */
struct security_host {
	struct tls_facts facts;
	struct tls_decision decision;
	/* TLSA records as they were answered, and what each is good for. */
	const struct dane_record *records;
	const enum dane_use *uses;
	size_t n_records;
};

struct security {
	const struct security_scene *scene;
	const struct route *route;
	struct arena *arena;
	int64_t deadline; /* of all that is looked up */
	struct slice domain;
	enum tls_request request;
	enum tls_next next;
	enum dane_dns mx;
	struct tlsconf_found terms; /* what the postmaster wrote */
	bool has_sts;		    /* a policy was looked for: */
	struct sts_found sts;
	struct security_host **hosts; /* of each address; NULL: not judged */
};

/*
 * What is known before any host is: the rule that the postmaster wrote for the
 * destination, the domain's policy. The route is borrowed.
 */
struct security *security_new(const struct security_scene *scene,
			      struct slice destination,
			      const struct route *route,
			      enum tls_request request, struct arena *a);

/*
 * Judges the hosts of n addresses of the route, given by their places; those
 * that are judged already are left alone.
 */
void security_judge(struct security *s, const size_t *places, size_t n);

/* What was decided of an address that was judged; borrowed. */
const struct security_host *security_of(const struct security *s, size_t place);

/*
 * That an address cannot get the mail for lack of security: deferred, with a
 * reason and a status that are handed in, and what happened, in words. Lives
 * in the arena.
 */
struct diag *security_unmet(const struct security *s, size_t place,
			    const char *reason, const char *status,
			    struct slice what);

/* The same of a host that must not even be asked (TLS_NEED_IMPOSSIBLE). */
struct diag *security_refusal(const struct security *s, size_t place);

/*
 * Is a connection to an address of the route, over TLS with this outcome or in
 * the clear (NULL), as secure as a message for another domain needs it, of
 * which the same host is the best exchanger? Nothing is known of how authentic
 * that is, so that the domain's TLSA records count where its MX would have to
 * be.
 */
bool security_may_share(const struct security *s, size_t place,
			const struct tls_outcome *tls, struct slice domain);

/* How a connection to an address of the route runs. */
enum tls_path security_path(const struct route *r, size_t place);

/*
 * What a job's message asks for: REQUIRETLS of any of its recipients that are
 * open, or else the header field "TLS-Required: No" (RFC 8689 5).
 */
enum tls_request security_request(const struct agent_job *job);

/*
 * May a message that asks for one thing go over a session that was opened for
 * one that asked for another? A session that is good enough for more is good
 * enough.
 */
bool security_serves(enum tls_request session, enum tls_request message);

#endif

/*
 * route.c - from a destination to the addresses that are tried.
 */
#include "smtpta/route.h"

#include "net/lookup.h"

static struct route failed(struct arena *a, enum fate fate, const char *reason,
			   const char *status, struct slice text)
{
	struct diag *d = ARENA_NEW(a, struct diag);

	d->fate = fate;
	d->reason = reason;
	d->status = slice_of(status);
	d->diagnostic =
	    arena_printf(a, "smtp; %s (%.*s)",
			 fate == FATE_FAILED ? "500" : "466", SLICE_ARG(text));
	d->text = arena_printf(a, "%.*s", SLICE_ARG(d->diagnostic));
	return (struct route){ .failure = d };
}

static struct route one_address(struct net_addr addr, struct arena *a)
{
	struct route r = { .addrs = ARENA_NEW(a, struct net_addr), .n = 1 };

	*r.addrs = addr;
	return r;
}

static struct route literal_route(const struct smtpta_options *o,
				  struct slice destination, struct arena *a)
{
	struct str name = STR_INIT;
	struct net_addr addr;
	struct route r;
	struct err err;

	if (net_literal_parse(destination, o->port, &addr, &err) < 0)
		return failed(a, FATE_FAILED, "bad-literal",
			      "5.1.2 (bad literal IP address)",
			      arena_dup(a, slice_of(err.text)));
	r = one_address(addr, a);
	str_adds(&name, "X-IP-addr; ");
	net_addr_print_literal(&name, &addr);
	r.remote_mta = arena_dup(a, str_slice(&name));
	str_done(&name);
	return r;
}

/* No address: permanent only where nothing else could be meant. */
static struct route no_address(const struct smtpta_options *o,
			       struct slice host, const struct lookup *found,
			       struct arena *a)
{
	bool is_negative = found->verdict == LOOKUP_NO_DATA ||
			   found->verdict == LOOKUP_NO_NAME;

	if (is_negative && o->no_mx)
		return failed(a, FATE_FAILED, "no-address",
			      "5.4.4 (nameserver data inconsistency)",
			      arena_printf(a,
					   "configuration inconsistency. MX "
					   "usage forbidden, no address in "
					   "the DNS: '%.*s'",
					   SLICE_ARG(host)));
	return failed(
	    a, FATE_DEFERRED_ALL, "lookup-failed",
	    "4.4.3 (dns lookup 'try again')",
	    arena_printf(a, "no address for '%.*s' now: %s", SLICE_ARG(host),
			 found->verdict == LOOKUP_OK ? "none" : found->detail));
}

static bool is_own(const struct net_addr *addr, const struct net_addr *own,
		   size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (net_addr_same_host(addr, &own[i]))
			return true;
	return false;
}

/* Keeps the addresses that policy lets us connect to. */
static struct route guard(const struct smtpta_options *o, struct slice host,
			  const struct lookup *found, struct arena *a)
{
	struct route r = { .addrs = found->addrs };
	struct target_decision decision = { .may_connect = true };
	struct net_addr *own;
	size_t n_own = net_own_addresses(a, &own);

	for (size_t i = 0; i < found->n; i++) {
		struct target_facts facts = {
			.port = o->port,
			.is_local_allowed = o->no_mx && o->allow_local,
			.is_own = is_own(&found->addrs[i], own, n_own),
		};

		if (!net_addr_target(&found->addrs[i], &facts.address))
			continue;
		decision = target_decide(&facts);
		if (decision.may_connect)
			r.addrs[r.n++] = found->addrs[i];
	}
	if (r.n == 0)
		r = failed(a, FATE_FAILED, target_reason_word(decision.reason),
			   "5.4.6 (destination is this host or no host)",
			   arena_printf(a, "%.*s: %s", SLICE_ARG(host),
					target_reason_text(decision.reason)));
	return r;
}

struct route route_find(const struct smtpta_options *o,
			struct slice destination, struct arena *a)
{
	struct slice path = smtpta_unix_path(o->forced);
	struct lookup found;
	struct net_addr addr;
	struct route r;
	struct err err;

	if (o->forced.len > 0)
		destination = o->forced;
	if (path.len > 0) {
		if (net_unix_addr(path, &addr, &err) < 0)
			return failed(a, FATE_DEFERRED_ALL, "bad-socket-path",
				      "4.3.5 (bad path of a UNIX socket)",
				      arena_dup(a, slice_of(err.text)));
		return one_address(addr, a);
	}
	if (net_literal_looks(destination))
		return literal_route(o, destination, a);
	found = net_lookup(destination, o->port, a);
	if (found.verdict != LOOKUP_OK)
		r = no_address(o, destination, &found, a);
	else
		r = guard(o, destination, &found, a);
	r.remote_mta = arena_printf(a, "dns; %.*s", SLICE_ARG(destination));
	return r;
}

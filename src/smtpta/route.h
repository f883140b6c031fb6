/*
 * route.h - from a destination to the addresses that are tried.
 *
 * A destination is "UNIX:/path" (only from -F), an address literal, or a host
 * name. The answer is data: addresses in order, or the diag of why there are
 * none. Specification: smtp(8), ROUTING.
 */
#ifndef SMTPTA_ROUTE_H
#define SMTPTA_ROUTE_H

#include "dsn/diag.h"
#include "net/addr.h"
#include "smtpta/options.h"

struct route {
	struct net_addr *addrs; /* in the arena */
	size_t n;
	/* For Remote-MTA: "dns; NAME", "X-IP-addr; [LITERAL]", or empty. */
	struct slice remote_mta;
	const struct diag *failure; /* why n is 0; NULL otherwise */
};

/* Finds the way to a destination; everything lives in a. */
struct route route_find(const struct smtpta_options *o,
			struct slice destination, struct arena *a);

#endif

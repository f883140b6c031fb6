/*
 * route.h - from a destination to the addresses that are tried.
 *
 * A destination is "UNIX:/path" (only from -F), an address literal, or a host
 * name, whose mail exchangers are asked for. The answer is data: addresses in
 * order, or the diag of why there are none. Specification: smtp(8), ROUTING.
 */
#ifndef SMTPTA_ROUTE_H
#define SMTPTA_ROUTE_H

#include "dsn/diag.h"
#include "net/addr.h"
#include "net/dns_mx.h"
#include "smtpta/options.h"

/* Whose an address is. */
struct route_host {
	/* The exchanger; the name or literal that was given; a UNIX path. */
	struct slice name;
	unsigned level; /* of preference: 0 for the best, 1 for the next... */
};

struct route {
	struct net_addr *addrs;	  /* in order of trying */
	struct route_host *hosts; /* one each of addrs */
	size_t n;
	bool is_literal;
	bool is_address;	    /* a name that is the text of an address */
	const struct diag *failure; /* why n is 0; NULL otherwise */
	/* How it was found, with every answer; NULL if it took no name. */
	const struct dns_mx_way *way;
	/*
	 * The site that the destination belongs to: its best exchangers, lower
	 * case, sorted, with commas between; the addresses, likewise, where
	 * there are no exchangers. Empty for a UNIX socket, and if neither is
	 * known.
	 */
	struct slice site;
};

/*
 * Finds the way to a destination, in o->dns_timeout seconds at most;
 * everything lives in a. The resolver is not
 * used for literals and UNIX sockets.
 */
struct route route_find(const struct smtpta_options *o, struct dns_resolver *r,
			struct slice destination, struct arena *a);

/*
 * Remote-MTA (RFC 3464 2.3.5) of the i'th address, "dns; NAME (ADDRESS)" or
 * "X-IP-addr; [LITERAL] (ADDRESS)". If there is no address: the name that has
 * none, or nothing. Lives in a.
 */
struct slice route_remote_mta(const struct route *r, size_t i, struct arena *a);

#endif

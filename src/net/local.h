/*
 * local.h - where connections come from: -L, BINDADDR and -O source.
 *
 *	any, any6			any address of the family
 *	[192.0.2.1], [IPv6:2001:db8::1]	this one
 *	iface:NAME			the first address of an interface that
 *	iface:v4:NAME, iface:v6:NAME	is up; NAME may contain ':'
 *	mail.example.org		the first address of this host name
 *
 * Words and interface names are compared without regard to case. A form that
 * has nothing to say about the family of a socket is ignored, and the system
 * chooses. Interfaces and names are looked at for each race, since an agent
 * lives long.
 *
 * A pool of addresses spreads destinations over several sources, each
 * destination always from the same one of a family (RFC 6724 leaves the choice
 * of a source to the application first of all).
 */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include "net/lookup.h"

enum local_form {
	LOCAL_NONE,	 /* the system chooses */
	LOCAL_ADDRESS,	 /* any, any6, a literal */
	LOCAL_INTERFACE, /* the first address of an interface */
	LOCAL_NAME	 /* the first address of a host name */
};

struct local_end {
	enum local_form form;
	sa_family_t family;   /* the only one; AF_UNSPEC: both */
	struct net_addr addr; /* LOCAL_ADDRESS; port 0 */
	struct slice name;    /* of the interface or host; borrowed */
};

/* All of where connections come from; all zero: the system chooses. */
struct local_from {
	/*
	 * Addresses, as local_pool_check() wants them, of which one is chosen
	 * by the destination's name. A family that is not in the pool comes
	 * from `end`. Borrowed.
	 */
	struct slice pool;
	struct slice destination;
	struct local_end end;
	/* Finds the addresses of a host name; NULL: net_lookup(). */
	struct lookup (*lookup)(void *context, struct slice name,
				struct arena *a);
	void *context;
};

/*
 * Reads one of the forms above. -1, with err telling what was expected, if it
 * is none of them.
 */
MUST_USE int local_parse(struct slice text, struct local_end *ret,
			 struct err *err);

/*
 * Checks a pool: addresses with commas between, plain or in brackets
 * ("192.0.2.1,[IPv6:2001:db8::1],2001:db8::2"), without ports. -1 with err
 * naming the first that is none.
 */
MUST_USE int local_pool_check(struct slice pool, struct err *err);

/*
 * The address of this family in the pool that serves this destination (case
 * and a dot at the end apart); port 0. Every agent chooses the same one. An
 * address more takes its share of the destinations, and all others stay where
 * they are (rendezvous hashing). False if there is none of the family.
 */
MUST_USE bool local_pool_choose(struct slice pool, sa_family_t family,
				struct slice destination, struct net_addr *ret);

/*
 * Where a socket of this family comes from: *ret, port 0; ret->len is 0 if
 * the system is to choose. -1, with err filled and its code an errno value, if
 * the interface or the name has no address at all, or not now. The text names
 * neither: it may reach outsiders.
 */
MUST_USE int local_choose(const struct local_from *from, sa_family_t family,
			  struct net_addr *ret, struct err *err);

#endif

/*
 * reach.h - which addresses and families fail, and the order that follows.
 *
 * A memory for the life of an agent, bounded, with the time handed in. An
 * address that failed goes behind the others of its level for REACH_FORGIVE_MS.
 * A family with REACH_STRIKES failures of the network itself, each at another
 * address and no answer in between, goes behind the other one as long. Nothing
 * is ever left out: the memory changes the order and no more.
 *
 * What is alike is ordered as RFC 8305 4 says: families in turn, beginning
 * with that of the first address, and the caller's order (RFC 6724, MX, chance)
 * kept within each.
 */
#ifndef NET_REACH_H
#define NET_REACH_H

#include "net/addr.h"

enum {
	REACH_ADDRESSES_MAX = 256, /* the oldest are forgotten first */
	REACH_STRIKES = 3,
	REACH_FORGIVE_MS = 10 * 60 * 1000
};

struct reach; /* opaque */

/* An empty memory; given to the caller. */
struct reach *reach_new(void);

/* NULL is allowed. */
void reach_free(struct reach *r);

/*
 * An address (with its port) failed now, in milliseconds of any clock that
 * only grows. code: the errno value; ETIMEDOUT also for one that was given up
 * since others were faster, and 0 for one that was connected to and of no use.
 * Those of our own lacks (memory, descriptors, EINTR) are not remembered, nor
 * are UNIX sockets.
 */
void reach_failed(struct reach *r, const struct net_addr *addr, int code,
		  int64_t now);

/* An address has answered; so has its family. */
void reach_worked(struct reach *r, const struct net_addr *addr);

/* Has the address failed of late? Has its family? */
bool reach_doubts_address(const struct reach *r, const struct net_addr *addr,
			  int64_t now);
bool reach_doubts_family(const struct reach *r, sa_family_t family,
			 int64_t now);

/*
 * The order in which n addresses of one level should be tried: their indices,
 * each once, in order[0..n). r may be NULL.
 */
void reach_order(const struct reach *r, const struct net_addr *addrs, size_t n,
		 int64_t now, size_t *order);

/* Is this errno value a lack of our own, nothing about the other side? */
bool reach_is_our_lack(int code);

#endif

/*
 * tried.h - which addresses of its destination a batch has been to.
 *
 * A host that puts mail off, or cannot take it, does not have the last word
 * while the destination has others: the batch goes on to the next one.
 */
#ifndef SMTPTA_TRIED_H
#define SMTPTA_TRIED_H

#include "base/arena.h"
#include "net/addr.h"

/* Hosts that are asked to take one transaction, in one attempt. */
enum { TRIED_HOSTS_MAX = 3 };

struct tried {
	const struct net_addr
	    *addrs; /* in the arena of the first tried_add() */
	size_t n;
	unsigned n_hosts; /* that were asked, not only passed over */
	bool saw_outage;  /* one of them was out of reach */
	bool is_last;	  /* refused for good; the rest is a last try */
};

/* Is the address among them, whatever its port? */
bool tried_has(const struct tried *t, const struct net_addr *addr);

/*
 * One more host was asked: the n addresses up to and including its own are
 * not to be tried again. Those that are there already are left out.
 */
void tried_add(struct tried *t, const struct net_addr *addrs, size_t n,
	       struct arena *a);

#endif

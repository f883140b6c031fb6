/*
 * tried.c - which addresses of its destination a batch has been to.
 */
#include "smtpta/tried.h"

#include <string.h>

bool tried_has(const struct tried *t, const struct net_addr *addr)
{
	for (size_t i = 0; i < t->n; i++)
		if (net_addr_same_host(&t->addrs[i], addr))
			return true;
	return false;
}

void tried_add(struct tried *t, const struct net_addr *addrs, size_t n,
	       struct arena *a)
{
	struct net_addr *all = arena_array(a, t->n + n, sizeof(*all));
	struct tried more = { .addrs = all,
			      .n = t->n,
			      .n_hosts = t->n_hosts + 1,
			      .saw_outage = t->saw_outage,
			      .is_last = t->is_last };

	if (t->n > 0)
		memcpy(all, t->addrs, t->n * sizeof(*all));
	for (size_t i = 0; i < n; i++)
		if (!tried_has(&more, &addrs[i]))
			all[more.n++] = addrs[i];
	*t = more;
}

/*
 * peers.c - what an agent has learnt about the servers it speaks to.
 *
 * A list, the last used first: an agent speaks to few hosts, and asks once
 * per connection.
 */
#include "smtpta/peers.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <sys/queue.h>

enum { PEERS_MAX = 256 };

struct entry {
	TAILQ_ENTRY(entry) link;
	struct str host;
	struct peer peer;
};

struct peers {
	TAILQ_HEAD(entries, entry) entries;
	size_t n;
};

struct peers *peers_new(void)
{
	struct peers *p = mem_zero(1, sizeof(*p));

	TAILQ_INIT(&p->entries);
	return p;
}

static void drop(struct peers *p, struct entry *e)
{
	TAILQ_REMOVE(&p->entries, e, link);
	p->n--;
	str_done(&e->host);
	free(e);
}

void peers_free(struct peers *p)
{
	struct entry *e;

	if (p == NULL)
		return;
	while ((e = TAILQ_FIRST(&p->entries)) != NULL)
		drop(p, e);
	free(p);
}

static struct entry *find(struct peers *p, struct slice host)
{
	struct entry *e;

	TAILQ_FOREACH (e, &p->entries, link)
		if (slice_eq_nocase(str_slice(&e->host), host))
			return e;
	return NULL;
}

struct peer *peers_get(struct peers *p, struct slice host)
{
	struct entry *e = find(p, host);

	if (e != NULL) {
		TAILQ_REMOVE(&p->entries, e, link);
	} else {
		while (p->n >= PEERS_MAX)
			drop(p, TAILQ_LAST(&p->entries, entries));
		e = mem_zero(1, sizeof(*e));
		str_add(&e->host, host);
		p->n++;
	}
	TAILQ_INSERT_HEAD(&p->entries, e, link);
	return &e->peer;
}

/*
 * outage.c - the host that could not be spoken to a moment ago.
 */
#include "smtpta/outage.h"

#include "base/mem.h"

#include <stdlib.h>

struct outage {
	int64_t (*now)(void);
	struct arena *arena;
	struct slice host;
	enum tls_request request;
	const struct diag *why; /* NULL: there is none */
	int64_t until;
};

struct outage *outage_new(int64_t (*now)(void))
{
	struct outage *o = mem_zero(1, sizeof(*o));

	o->now = now;
	o->arena = arena_new();
	return o;
}

void outage_free(struct outage *o)
{
	if (o == NULL)
		return;
	arena_free(o->arena);
	free(o);
}

const struct diag *outage_begin(struct outage *o, struct slice host,
				enum tls_request request,
				const struct diag *why)
{
	arena_reset(o->arena);
	o->host = arena_dup(o->arena, host);
	o->request = request;
	o->why = diag_copy(why, o->arena);
	o->until = o->now() + OUTAGE_MS;
	return o->why;
}

const struct diag *outage_of(const struct outage *o, struct slice host,
			     enum tls_request request)
{
	if (o->why == NULL || o->request != request ||
	    !slice_eq_nocase(o->host, host) || o->now() >= o->until)
		return NULL;
	return o->why;
}

void outage_turn_to(struct outage *o, struct slice host)
{
	if (o->why != NULL && !slice_eq_nocase(o->host, host))
		o->why = NULL;
}

void outage_end(struct outage *o)
{
	o->why = NULL;
}

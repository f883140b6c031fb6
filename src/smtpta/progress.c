/*
 * progress.c - tells the scheduler how far a message is.
 *
 * Of each message the name is kept, since it may have come to its end while
 * the last of its bytes leave. A line goes out at once: nobody wants to hear
 * of progress later.
 */
#include "smtpta/progress.h"

#include "base/json.h"
#include "base/mem.h"
#include "smtpta/flight.h"

#include <stdlib.h>
#include <string.h>

struct progress {
	struct agent *agent;
	struct session_watcher watcher;
	struct str name, line; /* of the message whose content is sent */
	uint64_t size;
};

static void begin(void *context, const struct smtp_transaction *t)
{
	const struct batch *b = t->owner;
	struct progress *p = context;

	str_clear(&p->name);
	str_add(&p->name, b->flight->name);
	p->size = t->size;
}

static void tell(void *context, struct slice host, uint64_t bytes)
{
	struct progress *p = context;
	struct json j;

	str_clear(&p->line);
	str_adds(&p->line, "#progress ");
	json_begin(&j, &p->line);
	json_object(&j, NULL);
	json_text(&j, "message", str_slice(&p->name));
	json_text_if(&j, "host", host);
	json_uint(&j, "bytes", bytes);
	if (p->size > 0)
		json_uint(&j, "size", p->size);
	json_close(&j);
	str_addc(&p->line, '\n');
	agent_add(p->agent, str_slice(&p->line));
	agent_flush(p->agent);
}

struct progress *progress_new(const struct smtpta_options *o, struct agent *a)
{
	struct progress *p;

	if (o->attempts == NULL || strcmp(o->attempts, "-") != 0)
		return NULL;
	p = mem_zero(1, sizeof(*p));
	p->agent = a;
	p->watcher = (struct session_watcher){ p, begin, tell };
	return p;
}

void progress_free(struct progress *p)
{
	if (p == NULL)
		return;
	str_done(&p->name);
	str_done(&p->line);
	free(p);
}

const struct session_watcher *progress_watcher(const struct progress *p)
{
	return p != NULL ? &p->watcher : NULL;
}

/*
 * action.c - actions that are to be handed out, and texts that are shared.
 */
#include "queue/queue_internal.h"

#include <stdlib.h>
#include <string.h>

struct queue_task {
	STAILQ_ENTRY(queue_task) link;
	struct queue_action action;
	size_t *offsets;
	char bytes[];
};

static struct slice keep(char **to, struct slice s)
{
	struct slice kept = { *to, s.len };

	if (s.len > 0)
		memcpy(*to, s.p, s.len);
	*to += s.len;
	return kept;
}

void queue_act(struct queue *q, const struct queue_action *action)
{
	size_t n = action->channel.len + action->host.len + action->name.len +
		   action->why.len;
	struct queue_task *task = mem_alloc(sizeof(*task) + n + 1);
	char *to = task->bytes;

	task->action = *action;
	task->action.channel = keep(&to, action->channel);
	task->action.host = keep(&to, action->host);
	task->action.name = keep(&to, action->name);
	task->action.why = keep(&to, action->why);
	task->offsets = NULL;
	if (action->n_offsets > 0) {
		size_t size = action->n_offsets * sizeof(size_t);

		task->offsets = mem_alloc(size);
		memcpy(task->offsets, action->offsets, size);
	}
	task->action.offsets = task->offsets;
	STAILQ_INSERT_TAIL(&q->tasks, task, link);
}

static void drop_given(struct queue *q)
{
	if (q->given == NULL)
		return;
	free(q->given->offsets);
	free(q->given);
	q->given = NULL;
}

bool queue_next(struct queue *q, struct queue_action *ret)
{
	drop_given(q);
	if (STAILQ_EMPTY(&q->tasks))
		return false;
	q->given = STAILQ_FIRST(&q->tasks);
	STAILQ_REMOVE_HEAD(&q->tasks, link);
	*ret = q->given->action;
	return true;
}

void queue_act_free(struct queue *q)
{
	struct queue_action action;

	while (queue_next(q, &action))
		continue;
}

/* ---- why ---------------------------------------------------------------- */

struct slice queue_why_text(const struct queue_why *why)
{
	return why != NULL ? slice_make(why->text, why->len) : SLICE("");
}

void queue_why_drop(struct queue_why **why)
{
	if (*why != NULL && --(*why)->refs == 0)
		free(*why);
	*why = NULL;
}

void queue_why_set(struct queue *q, struct queue_why **why, struct slice text)
{
	struct queue_why *made = q->last_why;

	text = slice_head(text, QUEUE_WHY_MAX);
	if (text.len == 0)
		return;
	/* A host that is down says the same of everything that waits there. */
	if (made == NULL || !slice_eq(queue_why_text(made), text)) {
		queue_why_drop(&q->last_why);
		made = mem_alloc(sizeof(*made) + text.len);
		made->refs = 1;
		made->len = (uint32_t)text.len;
		memcpy(made->text, text.p, text.len);
		q->last_why = made;
	}
	made->refs++;
	queue_why_drop(why);
	*why = made;
}

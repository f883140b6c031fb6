/*
 * gauge.c - a look at the scheduler: what is kept of its answers.
 */
#include "mailqb/gauge.h"

#include "base/keyword.h"

/* ---- counters ----------------------------------------------------------- */

/* zpost_results_total{channel="smtp",outcome="delivered"} 17 */
void mailq_gauge_metric(struct mailq_gauge *g, struct slice line)
{
	static const struct keyword words[] = {
		{ "delivered", MAILQ_DELIVERIES },
		{ "deferred", MAILQ_DEFERRALS },
		{ "failed", MAILQ_FAILURES },
		{ "expired", MAILQ_FAILURES },
	};
	const struct slice name = SLICE("zpost_results_total{"),
			   label = SLICE("outcome=\"");
	const struct keyword *row;
	struct slice word, number;
	size_t at = slice_find_text(line, label);
	uint64_t n;

	if (!slice_starts(line, name) || at == line.len)
		return;
	word = slice_from(line, at + label.len);
	word = slice_head(word, slice_find(word, '"'));
	number = slice_from(line, slice_find_last(line, ' '));
	row = keyword_find(words, COUNT(words), word);
	if (row != NULL && slice_uint(slice_trim(number), UINT64_MAX, &n))
		g->outcomes[row->value] += n;
}

uint64_t mailq_gauge_rate(const struct mailq_gauge *g,
			  const struct mailq_gauge *before,
			  enum mailq_outcome outcome)
{
	uint64_t now = g->outcomes[outcome], then = before->outcomes[outcome];
	int64_t ms = g->clock - before->clock;

	/* Another scheduler counts anew. */
	if (ms <= 0 || now < then || g->started != before->started ||
	    !before->is_up || !g->is_up)
		return 0;
	return (now - then) * 10000 / (uint64_t)ms;
}

/* ---- rows --------------------------------------------------------------- */

static bool is_at_work(const struct mailq_agent *a)
{
	return a->message.len > 0;
}

/* How much of what is asked of an agent: who is at work longest comes first. */
static bool goes_before(const struct mailq_agent *a,
			const struct mailq_agent *b)
{
	if (is_at_work(a) != is_at_work(b))
		return is_at_work(a);
	if (a->has_progress != b->has_progress)
		return a->has_progress;
	return a->since < b->since;
}

void mailq_gauge_agent(struct mailq_gauge *g, const struct mailq_agent *a)
{
	size_t i = g->n_agents;
	struct mailq_agent *row;

	while (i > 0 && goes_before(a, &g->agents[i - 1]))
		i--;
	if (i == MAILQ_GAUGE_ROWS)
		return;
	if (g->n_agents < MAILQ_GAUGE_ROWS)
		g->n_agents++;
	for (size_t k = g->n_agents - 1; k > i; k--)
		g->agents[k] = g->agents[k - 1];
	row = &g->agents[i];
	*row = *a;
	row->program = arena_dup(g->arena, a->program);
	row->channel = arena_dup(g->arena, a->channel);
	row->host = arena_dup(g->arena, a->host);
	row->state = arena_dup(g->arena, a->state);
	row->message = arena_dup(g->arena, a->message);
}

/* Puts it before row i of those that are kept. */
static void insert(struct mailq_top *top, size_t i,
		   const struct mailq_destination *d, struct arena *a)
{
	struct mailq_destination *row;

	if (i == MAILQ_GAUGE_ROWS)
		return;
	if (top->n < MAILQ_GAUGE_ROWS)
		top->n++;
	for (size_t k = top->n - 1; k > i; k--)
		top->rows[k] = top->rows[k - 1];
	row = &top->rows[i];
	*row = *d;
	row->channel = arena_dup(a, d->channel);
	row->host = arena_dup(a, d->host);
	row->site = SLICE("");
	row->reason.status = arena_dup(a, d->reason.status);
	row->reason.host_said = arena_dup(a, d->reason.host_said);
	row->reason.text = arena_dup(a, d->reason.text);
}

void mailq_gauge_place(struct mailq_gauge *g, const struct mailq_destination *d)
{
	struct mailq_top *top = &g->places;
	size_t i = top->n;

	while (i > 0 && d->recipients > top->rows[i - 1].recipients)
		i--;
	insert(top, i, d, g->arena);
	if (d->until <= g->now)
		return;
	top = &g->retries;
	i = top->n;
	while (i > 0 && d->until < top->rows[i - 1].until)
		i--;
	insert(top, i, d, g->arena);
}

/*
 * ages.c - how old the messages of the queue are.
 *
 * The ring holds the steps (last - AGES_STEPS, last]. When time goes on, the
 * steps that leave it are added to n_older; so what was added is always found
 * again where it is by now, and need not remember where that was.
 */
#include "queue/ages.h"

#include "base/mem.h"

#include <stdlib.h>

static int64_t step_of(int64_t ms)
{
	return ms > 0 ? ms / AGES_STEP : 0;
}

static uint32_t *slot(struct ages *a, int64_t step)
{
	return &a->ring[step % AGES_STEPS];
}

/* The ring's newest step is at least this one. */
static void advance(struct ages *a, int64_t step)
{
	if (a->ring == NULL) {
		a->ring = mem_zero(AGES_STEPS, sizeof(*a->ring));
		a->last = step;
	}
	for (int i = 0; a->last < step && i < AGES_STEPS; i++) {
		uint32_t *leaving = slot(a, ++a->last);

		a->n_older += *leaving;
		*leaving = 0;
	}
	if (a->last < step)
		a->last = step; /* the ring is empty by now */
}

void ages_done(struct ages *a)
{
	free(a->ring);
	*a = (struct ages){ 0 };
}

void ages_add(struct ages *a, int64_t arrived, int64_t now)
{
	int64_t step = step_of(arrived);

	advance(a, step_of(now));
	advance(a, step);
	if (step > a->last - AGES_STEPS)
		++*slot(a, step);
	else
		a->n_older++;
}

void ages_remove(struct ages *a, int64_t arrived)
{
	int64_t step = step_of(arrived);

	if (step > a->last - AGES_STEPS)
		--*slot(a, step);
	else
		a->n_older--;
}

int64_t ages_count(struct ages *a, int64_t now, struct queue_age *rows,
		   size_t n_rows)
{
	int64_t top = step_of(now), age, oldest;
	size_t i = n_rows;
	uint64_t n;

	advance(a, top);
	n = a->n_older;
	oldest = n > 0 ? (int64_t)AGES_STEPS * AGES_STEP : 0;
	for (int64_t step = a->last - AGES_STEPS + 1; step <= a->last; step++) {
		age = step < top ? (top - step) * AGES_STEP : 0;
		while (i > 0 && rows[i - 1].age > age)
			rows[--i].n_older = n;
		if (step >= 0 && *slot(a, step) > 0) {
			if (n == 0)
				oldest = age;
			n += *slot(a, step);
		}
	}
	while (i > 0)
		rows[--i].n_older = n;
	return oldest;
}

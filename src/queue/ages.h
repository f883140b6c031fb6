/*
 * ages.h - how old the messages of the queue are, without looking at them.
 *
 * Arrivals are counted in a ring of steps of 16 seconds, which reaches back
 * eight days; what is older than the ring is one number. To add and to remove
 * is O(1), to ask costs one pass over the ring, however much is queued. For
 * room queue alone.
 */
#ifndef QUEUE_AGES_H
#define QUEUE_AGES_H

#include "queue/queue.h"

enum { AGES_STEP = 16 * 1000, AGES_STEPS = 43200 };

struct ages {
	uint32_t *ring; /* AGES_STEPS; NULL until something is added */
	int64_t last;	/* the newest step that the ring holds */
	uint64_t n_older;
};

/* Frees what was allocated. */
void ages_done(struct ages *a);

/* Something that arrived then, ms since 1970, is there; is there no more. */
void ages_add(struct ages *a, int64_t arrived, int64_t now);
void ages_remove(struct ages *a, int64_t arrived);

/*
 * Fills n_older[i] of each row: how many are at least `age` old, the ages of
 * the rows ascending. Returns the age of the oldest, 0 if nothing is there.
 * Ages are rounded down to a step, and what is older than the ring counts as
 * just as old as that.
 */
int64_t ages_count(struct ages *a, int64_t now, struct queue_age *rows,
		   size_t n_rows);

#endif

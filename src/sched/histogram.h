/*
 * histogram.h - how long things took: counts by Prometheus buckets.
 *
 * Pure. The bounds are fixed, from a hundredth of a second to a day; to
 * observe costs a few comparisons, and a histogram a few hundred bytes.
 */
#ifndef SCHED_HISTOGRAM_H
#define SCHED_HISTOGRAM_H

#include "base/str.h"

enum { HISTOGRAM_BUCKETS = 18 };

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS + 1]; /* the last: above all bounds */
	uint64_t sum;				/* ms */
};

/* Counts one more; what is negative counts as 0. */
void histogram_observe(struct histogram *h, int64_t ms);

/*
 * Adds the lines NAME_bucket{le="..."}, each with all that is below it, in
 * seconds; NAME_sum and NAME_count; without HELP and TYPE.
 */
void histogram_print(struct str *to, const char *name,
		     const struct histogram *h);

#endif

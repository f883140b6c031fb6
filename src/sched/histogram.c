/*
 * histogram.c - how long things took.
 */
#include "sched/histogram.h"

struct bound {
	int64_t ms;
	const char *le;
};

static const struct bound bounds[HISTOGRAM_BUCKETS] = {
	{ 10, "0.01" },	       { 30, "0.03" },	      { 100, "0.1" },
	{ 300, "0.3" },	       { 1000, "1" },	      { 3000, "3" },
	{ 10000, "10" },       { 30000, "30" },	      { 60000, "60" },
	{ 180000, "180" },     { 300000, "300" },     { 900000, "900" },
	{ 1800000, "1800" },   { 3600000, "3600" },   { 7200000, "7200" },
	{ 14400000, "14400" }, { 43200000, "43200" }, { 86400000, "86400" },
};

void histogram_observe(struct histogram *h, int64_t ms)
{
	size_t i = 0;

	if (ms < 0)
		ms = 0;
	while (i < HISTOGRAM_BUCKETS && ms > bounds[i].ms)
		i++;
	h->counts[i]++;
	h->sum += (uint64_t)ms;
}

void histogram_print(struct str *to, const char *name,
		     const struct histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		n += h->counts[i];
		str_addf(to, "%s_bucket{le=\"%s\"} %ju\n", name, bounds[i].le,
			 (uintmax_t)n);
	}
	n += h->counts[HISTOGRAM_BUCKETS];
	str_addf(to, "%s_bucket{le=\"+Inf\"} %ju\n", name, (uintmax_t)n);
	str_addf(to, "%s_sum %ju.%03u\n", name, (uintmax_t)(h->sum / 1000),
		 (unsigned)(h->sum % 1000));
	str_addf(to, "%s_count %ju\n", name, (uintmax_t)n);
}

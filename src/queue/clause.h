/*
 * clause.h - how the recipients of one clause of scheduler.conf are served.
 *
 * Room conf reads it, the queue obeys it, and neither knows the other. All
 * times are seconds. Everything pointed at is borrowed and must live as long
 * as the queue that was given the clause.
 */
#ifndef QUEUE_CLAUSE_H
#define QUEUE_CLAUSE_H

#include "base/slice.h"

/* So many jobs in so many seconds; 0 jobs: no limit. */
struct queue_rate {
	unsigned jobs, seconds;
};

struct queue_clause {
	unsigned interval; /* the unit of the retry factors; at least 1 */
	/* Factors of interval, one for each further try; none: no retries. */
	const unsigned *retries;
	size_t n_retries;
	unsigned skew;	  /* tries behind which wake-ups are rounded up */
	unsigned idlemax; /* an agent idle for so long is stopped */
	unsigned expiry;  /* tried mail older than this fails; 0: never */
	unsigned expiry2; /* and untried mail so much later; at least 1 */
	unsigned maxchannel, maxring, maxthr, maxsite; /* agents */
	unsigned overfeed; /* job lines fed ahead of the one at work */
	/* Ages at which senders that asked for it hear of a delay. */
	const unsigned *report_times;
	size_t n_report_times;
	bool is_age_order;  /* oldest message first */
	bool is_queue_only; /* nothing is started but by command */
	bool is_host_bound; /* an agent serves one host all its life */
	struct queue_rate rate, channel_rate, site_rate;
};

#endif

/*
 * guests.h - recipients of other hosts that come along (-e).
 *
 * A message may have recipients whose host is not that of the job, but whose
 * mail the host that we are connected to takes as well: it is among their best
 * exchangers (RFC 5321 5.1). Such guests go in the same session, and in the
 * same transaction where sender and header are the same.
 *
 * A guest goes only to a host that is its own. What such a host says of it is
 * its result; whatever else becomes of the job's mail is none of its business,
 * and it is put back for a job of its own.
 */
#ifndef SMTPTA_GUESTS_H
#define SMTPTA_GUESTS_H

#include "net/dns.h"
#include "smtpta/flight.h"
#include "smtpta/session.h"

/* The questions for guests on one connection take no longer; milliseconds. */
enum { GUESTS_LOOKUP_MAX = 10 * 1000 };

struct guests; /* opaque */

/* Everything is borrowed for the life of the guests. */
struct guests_setup {
	const struct smtpta_options *options;
	struct agent *agent;
	struct session *session;
	struct dns_resolver *dns;
	struct sesslog *log; /* may be NULL */
	/*
	 * May mail for this domain (A-labels) go over the connection that is
	 * open? Asked about domains whose best exchanger we are connected to:
	 * each domain keeps its own word on security. NULL: every one may.
	 */
	bool (*may_share)(void *context, struct slice domain);
	void *context;
};

/* Given to the caller. */
struct guests *guests_new(const struct guests_setup *setup);

/* NULL is allowed. */
void guests_free(struct guests *g);

/*
 * Seats the guests of a flight for the session that is open: takes those that
 * fit, into batches that wait or behind them, and puts back the ones that were
 * taken for another host and have not been sent. At most once for each
 * connection and flight; g may be NULL.
 */
void guests_seat(struct guests *g, struct flight *f);

/*
 * Puts the guests of a batch back that the engine does not have. False if
 * nobody is left: then the batch is over.
 */
MUST_USE bool guests_leave(struct agent *a, struct batch *b);

#endif

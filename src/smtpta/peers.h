/*
 * peers.h - what an agent has learnt about the servers it speaks to.
 *
 * Remembered for the life of the agent, by destination. Bounded: the peer
 * that was asked about longest ago is forgotten first.
 */
#ifndef SMTPTA_PEERS_H
#define SMTPTA_PEERS_H

#include "base/slice.h"
#include "net/addr.h"

struct peers; /* opaque */

struct peer {
	/* Extensions that it offers and does not keep (enum smtp_ext). */
	unsigned ignored;
	/*
	 * Those under which a connection was lost: the next one goes without.
	 * If that works, they are ignored from then on.
	 */
	unsigned doubted;
	/* Lost a connection with ends unanswered, or was out of step. */
	bool no_window;
	/* The address that wants to be asked again, since it greylists. */
	bool has_greylisted;
	struct net_addr greylisted;
	/* Recipients whose outcome it has left unknown. */
	uint64_t n_unknown;
};

/* An empty memory; given to the caller. */
struct peers *peers_new(void);

/* NULL is allowed. */
void peers_free(struct peers *p);

/*
 * What is known of a destination (names without regard to case), to be read
 * and changed; nothing is known of a new one. Borrowed until the next call.
 */
struct peer *peers_get(struct peers *p, struct slice host);

#endif

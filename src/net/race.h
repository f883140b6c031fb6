/*
 * race.h - a race for a connection to one of several addresses.
 *
 * In the manner of RFC 8305: the addresses, all of one level of preference,
 * are set off one after another, a little while apart, or at once when one has
 * failed. The first that is connected wins, and the others are closed. If the
 * winner is of no use (it does not greet, or refuses to), the race can go on
 * among the rest: every address gets its chance until it has failed or won,
 * and has it once. Those that lost come again; the ones the winner overtook
 * come last, since that is how a black hole looks.
 *
 * The order is that of reach_order(), and the memory learns from each race.
 * Each address has a time of its own, and the race may have an end. No threads
 * and no memory beyond the race; a wait ends early as in net/conn.h.
 */
#ifndef NET_RACE_H
#define NET_RACE_H

#include "net/conn.h"
#include "net/reach.h"

enum {
	RACE_STAGGER_MS = 250, /* RFC 8305 8 */
	RACE_RUNNERS_MAX = 8   /* under way at a time */
};

enum race_state {
	RACE_BEGUN,	/* it is under way */
	RACE_CONNECTED, /* it has won */
	RACE_FAILED,	/* it will not be tried again */
	RACE_LOST	/* another has won; it will be tried if need be */
};

/* What happened to an address. */
struct race_news {
	enum race_state state;
	size_t index;		     /* in the list as it was given */
	const struct net_addr *addr; /* borrowed from the race */
	/* Where from, if that was asked for; or NULL. Borrowed for the call. */
	const struct net_addr *local;
	int64_t began, ended; /* of conn_now(); equal in RACE_BEGUN */
	/* RACE_FAILED: a value of a dial that failed, and why; borrowed. */
	int failure;
	const struct err *err;
};

struct race_options {
	struct conn_options conn; /* for each address */
	int64_t stagger_ms;	  /* between starts; 0: RACE_STAGGER_MS */
	int64_t deadline;    /* of conn_now(): the end of it all; 0: none */
	struct reach *reach; /* borrowed; or NULL */
	/*
	 * Is told of each address when it begins and when it ends; may be
	 * NULL. It must not use the race.
	 */
	void (*tell)(void *context, const struct race_news *news);
	void *context;
};

enum race_result {
	RACE_WON,     /* there is a connection */
	RACE_OVER,    /* no address is left */
	RACE_TIMEOUT, /* the race's time is over, and addresses are left */
	RACE_STOPPED  /* should_stop said so */
};

struct race; /* opaque */

/*
 * A race among n addresses (at least one), which are copied, as are the
 * options. Given to the caller. Nothing happens yet.
 */
struct race *race_new(const struct net_addr *addrs, size_t n,
		      const struct race_options *o);

/* NULL is allowed. */
void race_free(struct race *r);

/*
 * Runs until an address is connected, and can be called again then. *ret_conn
 * is given to the caller, *ret_index is the winner's in the list as it was
 * given; both are set with RACE_WON only.
 */
MUST_USE enum race_result race_next(struct race *r, struct conn **ret_conn,
				    size_t *ret_index);

/*
 * Puts the end of it all off by so many milliseconds: those in which a winner
 * was found to be of no use.
 */
void race_extend(struct race *r, int64_t ms);

/*
 * The last address that failed: a value of a dial that failed, and *err is
 * filled; 0 if none has.
 */
int race_failure(const struct race *r, struct err *err);

/* How many addresses have not had their chance. */
size_t race_left(const struct race *r);

#endif

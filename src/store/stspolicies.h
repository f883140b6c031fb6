/*
 * stspolicies.h - what is known of the MTA-STS policies of domains (RFC 8461),
 * for all agents of a host.
 *
 * A row is a struct sts_entry (policy/sts.h): a policy with the id and the
 * time of its fetch, and what failed since. The policy is kept as text and
 * read with the parser that reads those of strangers; a row that makes no
 * sense counts as none. Domains are compared without regard to case or to a
 * dot at the end. Rows are bounded: those go first that ended first, and what
 * ended more than a day ago goes anyway.
 *
 * now is wall time in seconds, in all calls.
 */
#ifndef STORE_STSPOLICIES_H
#define STORE_STSPOLICIES_H

#include "policy/sts.h"
#include "store/store.h"

enum {
	STSPOLICIES_MAX = 100000,	 /* rows, or a few more */
	STSPOLICIES_LEASE_MAX = 10 * 60, /* seconds of a claim */
};

/*
 * The entry of a domain. Returns 1; 0 if nothing is known, then *ret is all
 * zero; -1. It lives in a.
 */
MUST_USE int stspolicies_load(struct store *s, struct slice domain,
			      struct arena *a, struct sts_entry *ret,
			      struct err *err);

/*
 * Keeps an entry, and ends a claim on the domain. If another agent has kept a
 * policy fetched later (though not in the future), that one stays.
 */
MUST_USE int stspolicies_save(struct store *s, struct slice domain,
			      const struct sts_entry *e, int64_t now,
			      struct err *err);

/* Begin with arena and max; the rest is filled in. */
struct stspolicies_list {
	struct arena *arena;
	size_t max;
	struct slice *domains;
	size_t n;
};

/*
 * The domains whose policy is live and due for renewal, in the order of their
 * names, only those after `after`, at most ret->max.
 */
MUST_USE int stspolicies_due(struct store *s, struct slice after, int64_t now,
			     struct stspolicies_list *ret, struct err *err);

/*
 * Claims the fetch of a domain's policy for some seconds, at most
 * STSPOLICIES_LEASE_MAX. Returns 1; 0 if another has claimed it and is still
 * at it; -1. It ends with stspolicies_save(), stspolicies_release(), or by
 * itself.
 */
MUST_USE int stspolicies_claim(struct store *s, struct slice domain,
			       int64_t now, unsigned seconds, struct err *err);

/* Gives a claim back, when nothing came of it. */
MUST_USE int stspolicies_release(struct store *s, struct slice domain,
				 struct err *err);

#endif

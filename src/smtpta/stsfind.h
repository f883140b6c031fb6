/*
 * stsfind.h - which MTA-STS policy is in force for a domain (RFC 8461).
 *
 * Asks for the TXT record at _mta-sts.DOMAIN, looks at what is kept (in memory
 * for some minutes, in the store for all agents), and has the policy fetched
 * by the program stsfetch(8) when policy/sts.h says so:
 *
 *	STS_FETCH	now, before the delivery, for at most fetch_ms; when
 *that fails a policy that is live stays in force, and without one the domain is
 *as if it had none (5.1), and no agent tries again for some minutes STS_RENEW
 *beside the delivery: stsfetch goes on by itself, writes to the store, and
 *nobody waits for it; without a store as STS_FETCH
 *
 * Nothing here fails: without resolver, store or program it knows less, and
 * says so in the evidence.
 */
#ifndef SMTPTA_STSFIND_H
#define SMTPTA_STSFIND_H

#include "net/dns.h"
#include "policy/sts.h"
#include "policy/tlsrpt.h"

struct store;

enum {
	STSFIND_FETCH_MS = 10 * 1000, /* default of fetch_ms */
	STSFIND_MEMORY_S = 5 * 60,    /* then the store is asked again */
	STSFIND_DOMAINS_MAX = 1000    /* that are remembered */
};

/* All is borrowed for the life of the finder. */
struct stsfind_options {
	struct dns_resolver *dns;
	struct store *store;   /* NULL: only memory */
	const char *store_dir; /* of the store, for stsfetch; NULL with it */
	const char
	    *program; /* the path of stsfetch; NULL: nothing is fetched */
	/* Words for it, behind its name: "-O", "ca-file=..."; ends in NULL.
	 * NULL: none. */
	char *const *words;
	unsigned fetch_ms;	  /* 0: STSFIND_FETCH_MS */
	uint64_t ignored_signals; /* as in struct proc_command */
	int64_t (*wall)(void);	  /* seconds; NULL: time(2) */
};

struct stsfinder; /* opaque */

/* o is copied. Nothing is opened or asked yet. */
struct stsfinder *stsfinder_new(const struct stsfind_options *o);

/* NULL is allowed. */
void stsfinder_free(struct stsfinder *f);

/* Where what is known of the domain comes from. */
enum sts_origin {
	STS_FROM_NOWHERE, /* nothing is known of it */
	STS_FROM_MEMORY,  /* of this agent */
	STS_FROM_STORE,
	STS_FROM_FETCH, /* just now */
	STS_ORIGINS	/* how many there are */
};

/* What was found, and how; everything lives in the arena. */
struct sts_found {
	const struct sts_policy *policy; /* in force; NULL: there is none */
	struct slice id;		 /* under which it was fetched */
	int64_t age;			 /* seconds since then */
	struct slice domain;		 /* that was asked about */
	enum sts_origin origin;
	/* The record: the answer's verdict and what it says. */
	enum dns_verdict verdict;
	enum sts_txt txt;
	struct slice txt_id; /* with STS_TXT_OK */
	enum sts_step step;
	bool is_renewed; /* stsfetch was started and goes on by itself */
	/*
	 * The last fetch, if it failed, now or earlier, whether or not a policy
	 * is in force. TLSRPT_SUCCESS: it did not, or the fault was ours.
	 */
	enum tlsrpt_type failure;
	unsigned failures;    /* fetches in a row that failed */
	struct slice reason;  /* why, for people; may be empty */
	struct slice trouble; /* with the store or with stsfetch; or empty */
};

/*
 * What holds for a domain (A-labels) now. deadline is of the time of
 * conn_now(); what cannot be had until then is not waited for.
 */
struct sts_found stsfind(struct stsfinder *f, struct slice domain,
			 int64_t deadline, struct arena *a);

/*
 * What stsfetch said when it ended with a failure: the type of its line, and
 * the text behind it, borrowed. TLSRPT_SUCCESS: the fault is ours.
 */
enum tlsrpt_type stsfind_read_reason(struct slice output,
				     struct slice *ret_text);

/* Adds a line for logs: "enforce id=1 from=memory age=5 txt=ok step=use". */
void stsfind_print(struct str *to, const struct sts_found *found);

/* Stable words: "nowhere", "memory", "store", "fetch". */
const char *sts_origin_word(enum sts_origin origin);

#endif

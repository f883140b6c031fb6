/*
 * tlsterms.h - what TLS has to be like for a destination: words into values.
 *
 * smtp-tls.conf(5) says it for all destinations, the policy file for single
 * ones, under nearly the same keys; here are the values they may have. The
 * terms of a destination begin with those of all, and what is said replaces:
 *
 *	tlsterms_begin(&r, arena, base)
 *	tlsterms_set(&r, key, value, &err)	for each
 *	tlsterms_end(&r, &terms, &err)
 *
 * An error says what was expected; whoever reads the file adds where. Nothing
 * is opened here: whether a file is there and good is seen by whoever uses it.
 */
#ifndef CONF_TLSTERMS_H
#define CONF_TLSTERMS_H

#include "base/arena.h"
#include "base/err.h"
#include "policy/tls.h"
#include "policy/tls_settings.h"

struct tlsterms {
	struct tls_rule rule;
	struct tls_settings settings;
};

/* What holds where nobody wrote anything: auto, and TLS_SETTINGS_DEFAULT. */
struct tlsterms tlsterms_default(void);

/* Names, and fingerprints, of one destination. */
enum { TLSTERMS_LIST_MAX = 64 };

enum tlsterms_source {
	TLSTERMS_OF_FILE,  /* smtp-tls.conf: the last word of a key counts */
	TLSTERMS_OF_POLICY /* a key twice is an error */
};

struct tlsterms_reader {
	struct arena *arena; /* borrowed; everything kept lives there */
	struct tlsterms terms;
	enum tlsterms_source source;
	unsigned seen;	  /* bits of the keys that were set */
	bool has_anchors; /* of its own */
	const char *exclude;
	struct tls_pair pairs[TLS_PAIRS_MAX]; /* either name may be NULL */
};

/*
 * Begins with a copy of base (borrowed: what it points at must live as long as
 * the arena), of which match names and fingerprints are forgotten: they belong
 * to a level.
 */
void tlsterms_begin(struct tlsterms_reader *r, struct arena *a,
		    enum tlsterms_source source, const struct tlsterms *base);

/*
 * Sets one key, in any case, to a value. Returns 0, or -1 with err (not NULL)
 * saying what is wrong with the key or the value; the reader is of no use then.
 */
MUST_USE int tlsterms_set(struct tlsterms_reader *r, struct slice key,
			  struct slice value, struct err *err);

/* The same for the level, which stands without a key in the policy file. */
MUST_USE int tlsterms_set_level(struct tlsterms_reader *r, struct slice level,
				struct err *err);

/* Sees whether all fits together. Returns 0, or -1 with err (not NULL). */
MUST_USE int tlsterms_end(struct tlsterms_reader *r, struct tlsterms *ret,
			  struct err *err);

/* The i-th key of a source, or NULL behind the last. */
const char *tlsterms_key(enum tlsterms_source source, size_t i);

/*
 * Is this a domain name of letters, digits, '-' and '_' (A-labels, not
 * Unicode), without a dot at its end?
 */
bool tlsterms_is_name(struct slice s);

#endif

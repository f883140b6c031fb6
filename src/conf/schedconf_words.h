/*
 * schedconf_words.h - keywords of scheduler.conf and what they may be; for
 * schedconf.c alone.
 */
#ifndef CONF_SCHEDCONF_WORDS_H
#define CONF_SCHEDCONF_WORDS_H

#include "conf/schedconf.h"

/* Where keywords put what they say: those of a clause, and of PARAM. */
struct schedconf_target {
	struct schedconf *conf;
	struct schedconf_clause *clause; /* NULL for a PARAM */
	struct arena *arena;
	const struct zenv *zenv;
};

/*
 * Sets one keyword, of the clause or, without one, of PARAM. A value of NULL
 * bytes: none was given. -1 with err saying what is wrong, but not where.
 */
MUST_USE int schedconf_set(struct schedconf_target *t, struct slice word,
			   const struct slice *value, struct err *err);

#endif

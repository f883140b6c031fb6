/*
 * expand.h - from a mailer's entry to the argument vector of one run.
 *
 *	$g         the sender; "<>" for the empty reverse path
 *	$h $u $U   the recipient's host, user, user in lower case
 *	${NAME}    a ZENV variable
 *	$$         a dollar sign
 *	$ and anything else: nothing, told as a null value
 *
 * A word that holds $u or $U is given once for each recipient of the run,
 * expanded for that recipient; every other word once, for the first. A word
 * never splits, and no shell is involved.
 *
 * An address that would begin an argument with '-' could be taken for an
 * option. It is refused unless a word "--" stands before it in the entry. The
 * lone "-" is the spool's way to say "no host" and passes as $h.
 */
#ifndef SMTA_EXPAND_H
#define SMTA_EXPAND_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/smconf.h"
#include "conf/zenv.h"

struct expand_rcpt {
	struct slice host, user;
};

/* What one run's arguments are made of; all borrowed. */
struct expand_facts {
	const struct smconf_mailer *mailer;
	const struct zenv *zenv;
	unsigned flags;	     /* SMTA_ARG_F, SMTA_ARG_R */
	struct slice sender; /* "<>" if there is none */
	const struct expand_rcpt *rcpts;
	size_t n_rcpts; /* at least 1 */
};

struct expand_argv {
	char **argv; /* ends in NULL; everything in the arena */
	size_t argc;
	/* Sequences that expanded to nothing, as written: "$x", "${NAME}". */
	struct slice *nulls;
	size_t n_nulls;
	/* The sequence ("$u") whose value begins an argument with '-', and
	 * may not; empty if there is none. */
	struct slice option_like;
};

/*
 * Makes the argument vector. No value may hold a NUL. With f or r among the
 * flags "-f" or "-r" and the sender follow argv[0].
 */
struct expand_argv expand_make(const struct expand_facts *facts,
			       struct arena *a);

/*
 * Checks an entry's words at start. -1 with err naming the word if a "${"
 * has no "}".
 */
MUST_USE int expand_check(const struct smconf_mailer *mailer, struct err *err);

#endif

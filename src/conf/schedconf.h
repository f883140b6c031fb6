/*
 * schedconf.h - scheduler.conf(5): which agent serves which channel and host,
 * when and how often.
 *
 *	config = *( param / clause )
 *	param  = "PARAM" name "=" value
 *	clause = channel-glob [ "/" host-glob ] *( keyword [ "=" value ] )
 *
 * A word in column 0 opens a clause or is a param; others belong to the clause
 * that is open. Anything that is not understood makes the whole file unusable:
 * mail that waits is better than mail that goes where nobody meant it to.
 */
#ifndef CONF_SCHEDCONF_H
#define CONF_SCHEDCONF_H

#include "conf/textfile.h"
#include "conf/zenv.h"
#include "queue/clause.h"

enum {
	SCHEDCONF_FILE_MAX = 4 * 1024 * 1024,
	SCHEDCONF_RETRIES_MAX = 100,
	SCHEDCONF_REPORTS_MAX = 4,
	SCHEDCONF_WORDS_MAX = 40, /* of a command */
	SCHEDCONF_UNLIMITED = 10000
};

struct schedconf_clause {
	unsigned line;		    /* where it was opened */
	struct slice channel, host; /* globs */
	struct slice command;	    /* as written; empty: none */
	struct slice user, group;   /* numbers or names; empty: unchanged */
	bool has_nice, has_priority;
	int nice;     /* relative to the scheduler's */
	int priority; /* absolute; goes before nice */
	struct slice expiry_form, delivery_form; /* names of files */
	struct queue_clause queue;
};

struct schedconf {
	struct schedconf_clause *clauses; /* in file order, the first match */
	size_t n_clauses;
	unsigned max_agents; /* maxta; 0: not said */
	/* PARAMs; empty or 0 where nothing was said. */
	struct slice mailq_socket, notify_socket, auth_file;
	unsigned report_interval; /* global-report-interval */
	bool store_error_on_error;
	bool has_sysnice, has_syspriority;
	int sysnice, syspriority;
};

/*
 * Reads a configuration's text. Values of PARAMs have their ${NAME} replaced
 * from z. Everything kept lives in a. Returns 0, or -1 with err saying file
 * and line of what is wrong.
 */
MUST_USE int schedconf_parse(struct textfile source, const struct zenv *z,
			     struct arena *a, struct schedconf *ret,
			     struct err *err);

/* Reads and parses the file. */
MUST_USE int schedconf_load(const char *file, const struct zenv *z,
			    struct arena *a, struct schedconf *ret,
			    struct err *err);

/*
 * The index of the first clause that serves this channel and host; -1: none.
 * Case counts, hosts are expected in lower case.
 */
int schedconf_find(const struct schedconf *conf, struct slice channel,
		   struct slice host);

/*
 * Does text match the glob? It has `*`, `?`, `[abc]`, `[^abc]` without
 * ranges, `\x`, and at its very end `{a,b,c}`, each taken as it stands.
 */
bool schedconf_glob(struct slice glob, struct slice text);

/* A command, ready to be executed but for the path of its program. */
struct schedconf_command {
	char **environment; /* NAME=value words before it; ends in NULL */
	char **argv;	    /* the program as written, arguments; NULL */
};

/* Whom a command is made for; borrowed. */
struct schedconf_for {
	const struct zenv *zenv;
	struct slice channel, host;
};

/*
 * Makes the command of a clause for a channel and host. Words are split at
 * blanks; "$host" and "$channel" alone in a word, and ${host}, ${channel} and
 * ${NAME} of the zenv anywhere, are replaced, and what comes in never makes a
 * further word. Lives in a. -1 with err: no program, or over
 * SCHEDCONF_WORDS_MAX words.
 */
MUST_USE int schedconf_command(struct slice command,
			       const struct schedconf_for *who, struct arena *a,
			       struct schedconf_command *ret, struct err *err);

/* The i-th keyword of a clause, or of PARAM; NULL behind the last. */
const char *schedconf_keyword(size_t i);
const char *schedconf_param(size_t i);

#endif

/*
 * explain.h - `smtp --explain`: the way mail would go, step by step.
 *
 * The way is walked by the code that delivers: route_find() for names and
 * addresses, the session for connections, the engine for what is said. No
 * mail is sent. Answers can come from a file, and be written into one
 * (net/dns_record.h), so that a case can be kept and looked at elsewhere.
 */
#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H

#include "base/err.h"
#include "explain/explanation.h"

/* What the command line asks for; all text is borrowed. */
struct explain_request {
	bool is_wanted;	      /* --explain */
	bool is_json;	      /* -json */
	bool does_connect;    /* --connect */
	const char *offline;  /* --offline: a file, or NULL */
	const char *record;   /* --record: a file, or NULL */
	const char *message;  /* --message: a file, or NULL */
	struct slice subject; /* user@domain, or a host */
};

/*
 * Takes the long options out of argv, which getopt(3) then never sees; what is
 * left keeps its order. `letters` are getopt's: the value of one of those is
 * left alone. Without --explain nothing is taken, and *ret says so. -1, with
 * err filled, for a value that is missing.
 */
MUST_USE int explain_take_args(int *argc, char **argv, const char *letters,
			       struct explain_request *ret, struct err *err);

/*
 * Walks, and writes what it finds to out_fd. Returns the exit status: 0 if
 * delivery could be tried, 75 if it would be put off, 68 or 69 if it would
 * fail; or, with err filled (its text is empty otherwise), 65 for a file of
 * answers that cannot be understood, 66 for one that cannot be read, 73 for
 * one that cannot be written, 74 if out_fd takes no more.
 */
int explain_run(const struct smtpta_options *o, const struct explain_request *q,
		int out_fd, struct err *err);

#endif

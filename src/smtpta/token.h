/*
 * token.h - a secret or token that a program prints: command= of a secrets
 * file.
 *
 *	output	= secret LF *( "expires-in" WS seconds LF )
 *
 * The program gets no input, a PATH and nothing else as its environment, and
 * prints nothing else, also on its standard error.
 */
#ifndef SMTPTA_TOKEN_H
#define SMTPTA_TOKEN_H

#include "base/err.h"
#include "base/str.h"

enum { TOKEN_OUTPUT_MAX = 16 * 1024, TOKEN_SECONDS_MAX = 10 * 365 * 86400 };

/*
 * Reads what a program printed: adds the secret to *ret_secret; *ret_seconds
 * is how long it holds, 0 if that is not said. -1 with err filled, which holds
 * nothing of the output, if that is not as it must be.
 */
MUST_USE int token_parse(struct slice output, struct str *ret_secret,
			 unsigned *ret_seconds, struct err *err);

/*
 * Runs a command (an absolute path and arguments, blanks between) for at most
 * timeout_ms milliseconds. The same results, and -1 if it cannot be run, does
 * not end in time or with 0, or prints too much.
 */
MUST_USE int token_run(struct slice command, unsigned timeout_ms,
		       struct str *ret_secret, unsigned *ret_seconds,
		       struct err *err);

#endif

/*
 * status.h - enhanced mail system status codes (RFC 3463).
 *
 *	status-code = class "." subject "." detail
 *	class       = "2" / "4" / "5"
 *	subject     = 1*3DIGIT
 *	detail      = 1*3DIGIT
 */
#ifndef DSN_STATUS_H
#define DSN_STATUS_H

#include "base/str.h"

struct status {
	unsigned class, subject, detail;
};

/*
 * Reads a code at the start of text; what follows it must be the end or a
 * byte that is neither a digit nor a '.'. Returns the number of bytes it
 * takes, or 0, with *ret untouched, if there is none. No allocation.
 */
MUST_USE size_t status_parse(struct slice text, struct status *ret);

/*
 * The code that text begins with, as it stands there, without the comment that
 * agents put behind it: "4.4.1" of "4.4.1 (no answer)"; empty if there is none.
 */
struct slice status_word(struct slice text);

/* Adds "class.subject.detail". */
void status_print(struct str *to, struct status code);

#endif

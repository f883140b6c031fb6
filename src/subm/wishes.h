/*
 * wishes.h - the values by which reports and deadlines are asked for.
 *
 * The same words stand behind options of the command line, in batched SMTP and
 * on the submission socket. All are pure and give false for anything else.
 */
#ifndef SUBM_WISHES_H
#define SUBM_WISHES_H

#include "subm/envelope.h"

/* "never", or a comma list of "success", "failure" and "delay" (RFC 3461). */
MUST_USE bool subm_wish_notify(struct slice text, unsigned *ret);

/* "full" or "hdrs". */
MUST_USE bool subm_wish_ret(struct slice text, enum ctl_ret *ret);

/* "7bit" or "8bitmime". */
MUST_USE bool subm_wish_body(struct slice text, enum subm_body *ret);

/*
 * SECONDS ";" ("R" / "N") ["T"] (RFC 2852): 1 to 9 digits, not 0 with R;
 * without letters it is N.
 */
MUST_USE bool subm_wish_by(struct slice text, struct subm_by *ret);

/*
 * addr-type ";" xtext (RFC 3461) of at most 500 bytes. With the type utf-8 (RFC
 * 6533) also characters beyond ASCII; they are written as "\x{...}", since
 * nobody knows yet whether all hosts on the way can take them. In a.
 */
MUST_USE bool subm_wish_orcpt(struct slice text, struct arena *a,
			      struct slice *ret);

#endif

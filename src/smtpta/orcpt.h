/*
 * orcpt.h - what ORCPT= of RCPT says (RFC 3461 4.2, RFC 6533 3). Pure.
 */
#ifndef SMTPTA_ORCPT_H
#define SMTPTA_ORCPT_H

#include "base/arena.h"

/*
 * The value of ORCPT=, or an empty one if nothing that is allowed can be
 * said; at most 500 bytes. `given` is what the control file has, taken as it
 * is if it is well formed; otherwise the value is made of `path`, the address
 * as RCPT says it. With is_smtputf8 the transaction has SMTPUTF8, and
 * characters beyond ASCII stand for themselves in values of type "utf-8";
 * without, they are written as "\x{...}". Lives in a, or is `given`.
 */
struct slice orcpt_value(struct slice given, struct slice path,
			 bool is_smtputf8, struct arena *a);

#endif

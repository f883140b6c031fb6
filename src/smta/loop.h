/*
 * loop.h - a message that comes back is not delivered again.
 *
 * With -O loop-guard each run's message begins with a Delivered-To field for
 * each of its recipients, and a recipient whose message has that field
 * already has had it: it was forwarded in a circle (RFC 3463: 5.4.6).
 */
#ifndef SMTA_LOOP_H
#define SMTA_LOOP_H

#include "base/str.h"
#include "dsn/diag.h"
#include "spool/ctl.h"

/*
 * Adds what Delivered-To says of a recipient: its user part, and, if that is
 * without "@", "@" and the name of this host. Two hosts that both have a
 * "bob" are no loop.
 */
void loop_add_address(struct str *to, const struct ctl_rcpt *rcpt,
		      struct slice host_name);

/*
 * Does the recipient's header say already that it was delivered to it, ASCII
 * case apart? Returns true and fills *ret, whose text lives in a.
 */
bool loop_is_closed(const struct ctl_rcpt *rcpt, struct slice host_name,
		    struct arena *a, struct diag *ret);

#endif

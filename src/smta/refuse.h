/*
 * refuse.h - addresses that no mailer is run for.
 *
 * Addresses come from outside. A control byte could forge a line or end an
 * argument; what would begin an argument with '-' could be taken for an
 * option; and a batched SMTP stream takes only what RFC 5321 allows.
 */
#ifndef SMTA_REFUSE_H
#define SMTA_REFUSE_H

#include "dsn/diag.h"
#include "smta/expand.h"
#include "spool/ctl.h"

/*
 * May this recipient's mail be given to a mailer with these flags? Returns
 * true and fills *ret, a permanent failure of its address or its sender's,
 * if it may not. What *ret borrows lives for ever.
 */
bool refuse_addresses(unsigned flags, const struct ctl_sender *sender,
		      const struct ctl_rcpt *rcpt, struct diag *ret);

/* The failure of a value that looks like an option ("$u"); text lives in a. */
struct diag refuse_option_like(struct slice sequence, struct arena *a);

/* The failure of an address that no argument vector can hold. */
struct diag refuse_too_long(void);

#endif

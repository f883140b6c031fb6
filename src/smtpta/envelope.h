/*
 * envelope.h - from the control file's words to those of MAIL and RCPT.
 *
 * Pure: checks addresses and parameter values and says why one is refused.
 */
#ifndef SMTPTA_ENVELOPE_H
#define SMTPTA_ENVELOPE_H

#include "dsn/diag.h"
#include "smtp/engine.h"
#include "spool/ctl.h"

/*
 * May this sender be sent? NULL if so, else the diag (5.1.7, or 5.6.7 where
 * SMTPUTF8 would be needed) for every recipient. Lives in a.
 */
const struct diag *envelope_check_sender(const struct ctl_sender *sender,
					 struct arena *a);

/* The same for a recipient: 5.1.3 or 5.6.7. */
const struct diag *envelope_check_rcpt(const struct ctl_rcpt *rcpt,
				       struct arena *a);

/* MAIL's parts from a control file; sender checked before. */
void envelope_mail(const struct ctl *ctl, const struct ctl_sender *sender,
		   struct smtp_transaction *t);

/*
 * RCPT's parts. NOTIFY (RFC 3461 4.1): NEVER excludes the others; no `N`
 * line means FAILURE; an empty or useless NOTIFY means FAILURE,DELAY. ORCPT:
 * the `N` line's if it is well formed, else made of the address. Lives in a.
 */
struct smtp_rcpt envelope_rcpt(const struct ctl_rcpt *rcpt, struct arena *a);

#endif

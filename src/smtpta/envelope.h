/*
 * envelope.h - from the control file's words to those of MAIL and RCPT.
 *
 * Pure: checks addresses and parameter values and says why one is refused.
 * On the wire a domain has A-labels if the local part before it is ASCII;
 * with any other local part the address stays as it is, and its transaction
 * needs SMTPUTF8 (RFC 6531).
 */
#ifndef SMTPTA_ENVELOPE_H
#define SMTPTA_ENVELOPE_H

#include "dsn/diag.h"
#include "smtp/engine.h"
#include "spool/ctl.h"

/*
 * May this recipient's sender be sent? NULL if so, with *ret_path for MAIL;
 * else the diag (5.1.7). With a verp_id (the spool id) a sender with a VERP
 * tail (EZMLM=): its local part, the tail, "-", the id, and its domain; the
 * tail of a quoted local part stands within the quotes. It is checked with its
 * tail, which must not give it another domain. An empty reverse path has no
 * tail. All lives in a, or is the control file's.
 */
MUST_USE const struct diag *envelope_sender(const struct ctl_rcpt *rcpt,
					    struct slice verp_id,
					    struct arena *a,
					    struct slice *ret_path);

/* The same for a recipient's own address: 5.1.3. */
MUST_USE const struct diag *envelope_recipient(const struct ctl_rcpt *rcpt,
					       struct arena *a,
					       struct slice *ret_path);

/*
 * May two recipients of a delivery group, both checked, go in one
 * transaction? Not with different deadlines, not if only one of them needs
 * SMTPUTF8, and unless ignore_ezmlm not if one has a VERP sender.
 */
bool envelope_go_together(const struct ctl_rcpt *a, const struct ctl_rcpt *b,
			  bool ignore_ezmlm);

/* Why a transaction cannot go to a host without SMTPUTF8 (5.6.7). */
const struct diag *envelope_unsuited(struct slice address, struct arena *a);

/* ENVID and RET of MAIL, from a control file; left out if malformed. */
void envelope_mail(const struct ctl *ctl, struct smtp_transaction *t);

/*
 * RCPT's parts for a recipient whose path is given. NOTIFY (RFC 3461 4.1):
 * NEVER excludes the others; no `N` line means FAILURE; an empty or useless
 * NOTIFY means FAILURE,DELAY; asks_delay adds DELAY to all but NEVER. ORCPT:
 * see smtpta/orcpt.h. Lives in a.
 */
struct smtp_rcpt envelope_rcpt(const struct ctl_rcpt *rcpt, struct slice path,
			       bool is_smtputf8, bool asks_delay,
			       struct arena *a);

#endif

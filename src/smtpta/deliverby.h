/*
 * deliverby.h - what a deadline (RFC 2852) means for one recipient. Pure.
 *
 * The deadline is that of `BY=` in the control file, absolute; of both modes
 * R counts. With R late mail is returned and never relayed where nobody would
 * keep the deadline; with N it is relayed always, and the sender told.
 */
#ifndef SMTPTA_DELIVERBY_H
#define SMTPTA_DELIVERBY_H

#include "dsn/diag.h"
#include "smtp/caps.h"
#include "smtp/engine.h"
#include "spool/ctl.h"

/* BY= of MAIL; a zero one without a deadline. */
struct smtp_by deliverby_param(const struct ctl_deliverby *by);

/* May both go in one transaction? */
bool deliverby_same(const struct ctl_deliverby *a,
		    const struct ctl_deliverby *b);

/*
 * Has a deadline passed of mail that is to be returned then? NULL, or the
 * diag (5.4.7) for its recipient. `now` in Unix seconds. Lives in a.
 */
const struct diag *deliverby_expired(const struct ctl_deliverby *by,
				     int64_t now, struct arena *a);

/*
 * Is this server one that mail to be returned must not be relayed to? NULL,
 * or the diag (5.3.3): it does not know DELIVERBY, or wants more time than is
 * left.
 */
const struct diag *deliverby_unsuited(const struct ctl_deliverby *by,
				      const struct caps *caps, int64_t now,
				      struct arena *a);

/* Must NOTIFY= ask for DELAY, as nobody behind will tell otherwise? */
bool deliverby_asks_delay(const struct ctl_deliverby *by,
			  const struct caps *caps);

/*
 * Must the sender be told that the mail was relayed by this server, whether
 * or not NOTIFY has SUCCESS?
 */
bool deliverby_tells_relay(const struct ctl_dsn *dsn, const struct caps *caps);

#endif

/*
 * diag.h - what became of one recipient, as data.
 *
 * A delivery that did not succeed is not an error of ours but a result. The
 * report line, the `d` line, the log line and the attempt record are printers
 * of this one value. All slices are borrowed from whoever built it (normally
 * an arena that lives as long as the job); none may be assumed to be clean:
 * printers make them printable.
 */
#ifndef DSN_DIAG_H
#define DSN_DIAG_H

#include "base/arena.h"

enum fate {
	FATE_DELIVERED,	   /* in the mailbox */
	FATE_RELAYED,	   /* taken over by the next mail system or program */
	FATE_FAILED,	   /* permanently refused */
	FATE_DEFERRED,	   /* this recipient: try again */
	FATE_DEFERRED_ALL, /* everything for this host: try again */
	FATE_RETRY_AT,	   /* try again after retry_after seconds */
	FATE_DEFERRED_BACK /* try again; the content may have been accepted */
};

struct diag {
	enum fate fate;
	/* A short stable word for programs, such as "rcpt-refused". */
	const char *reason;
	/* RFC 3463 code, perhaps with a comment: "5.1.1 (bad mailbox)". */
	struct slice status;
	/* TYPE "; " text, for Diagnostic-Code: "smtp; 550 (no such user)". */
	struct slice diagnostic;
	/* TYPE "; " name, for Remote-MTA; empty if no host was involved. */
	struct slice remote_mta;
	/*
	 * Both ends of the connection, "REMOTE|PORT|LOCAL|PORT", or what is
	 * known of them; for our own logs only, never for a report.
	 */
	struct slice connection;
	/* What was done to the content ("NONE", "QP"...); NULL: undecided. */
	const char *conversion;
	/* For humans; CR separates the lines of a transcript. */
	struct slice text;
	unsigned retry_after; /* seconds; only with FATE_RETRY_AT */
	/* The next hop will itself report success (RFC 3461 5.2.2). */
	bool dsn_handed_over;
};

/* A copy that borrows from nobody but a (and the program's `reason`). */
struct diag *diag_copy(const struct diag *d, struct arena *a);

/* Did the mail arrive? */
bool fate_is_success(enum fate fate);

/* The RFC 3464 2.3.3 action: delivered, relayed, failed or delayed. */
const char *fate_action(enum fate fate);

/* The class of status codes that belongs to a fate: 2, 4 or 5. */
unsigned fate_class(enum fate fate);

/*
 * Makes the class of d->status fit its fate (RFC 3464 2.3.4), keeping subject,
 * detail and comment; an empty or malformed status becomes CLASS.0.0. The
 * fitted text lives in a.
 */
void diag_fit_status(struct diag *d, struct arena *a);

#endif

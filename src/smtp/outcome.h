/*
 * outcome.h - what a reply means for a recipient: a pure table.
 *
 * (phase, code, enhanced code) in; fate, status, diagnostic and reason out.
 * Specification: smtp(8), section REPLIES; RFC 5321 4.2, RFC 3463.
 */
#ifndef SMTP_OUTCOME_H
#define SMTP_OUTCOME_H

#include "dsn/diag.h"
#include "smtp/reply.h"

enum smtp_phase {
	SMTP_PHASE_CONNECT,  /* not connected yet */
	SMTP_PHASE_GREETING, /* the reply to connecting */
	SMTP_PHASE_HELLO,    /* EHLO, LHLO, HELO */
	SMTP_PHASE_STARTTLS, /* STARTTLS and the handshake behind it */
	SMTP_PHASE_AUTH,     /* AUTH, and each response to a challenge */
	SMTP_PHASE_MAIL,
	SMTP_PHASE_RCPT,
	SMTP_PHASE_DATA,
	SMTP_PHASE_END,	   /* the end of data; to judge: of LMTP, a mailbox's */
	SMTP_PHASE_END_ALL /* only to judge: of SMTP, one reply for them all */
};

/*
 * Fills fate, reason, status, diagnostic and dsn_handed_over (false) of *d
 * for a reply in a phase; texts live in a, the rest of *d is left alone. The
 * enhanced code counts only if the server said it would send them; without one
 * the code has the status that it means in this phase. Returns
 * true if the refusal is a sign that something is wrong with us rather than
 * with the mail ("abnormal": the text should say so).
 *
 * The reply to the end of data is SMTP_PHASE_END if it speaks of one mailbox
 * (LMTP), and SMTP_PHASE_END_ALL if of the message: they differ in the status.
 *
 * Rules that differ from a plain reading of the class digit: a 4xx to the end
 * of data is FATE_DEFERRED_BACK; 503 and every code outside 200..599 is
 * temporary; 552 to RCPT is temporary unless its enhanced code is 5.2.x or
 * 5.3.x; 1xx is never success; 3xx only to DATA, never to AUTH, where 334 is no
 * end. A greeting, hello, STARTTLS or AUTH that is refused concerns
 * the host: FATE_DEFERRED_ALL. The reason of a mail that is put off by
 * greylisting (below) is "greylisted".
 */
bool outcome_of_reply(enum smtp_phase phase, const struct reply *reply,
		      bool enhanced_offered, struct arena *a, struct diag *d);

/*
 * Does the reply say yes in this phase? 2xx, but for DATA exactly 354. A code
 * such as 299 that no RFC names counts by its class.
 */
bool outcome_is_yes(enum smtp_phase phase, unsigned code);

/*
 * Is this the refusal of a server that does not know us yet and wants to see
 * us come back (greylisting, RFC 6647)? Then another host of the destination
 * would say the same, and the address that was tried is the one to try again.
 * True for
 *  - any 4xx whose words speak of greylisting;
 *  - 450 and 451 whose words ask for a later try, or whose enhanced code is
 *    4.7.1 or 4.2.0: unless the words name a trouble of the server's own or
 *    of the mailbox, or the enhanced code is about something else.
 * 421 without such words is a host that leaves, not one that waits for us.
 * Any doubt is answered with no: another host is tried in vain at worst.
 */
bool outcome_is_greylisting(const struct reply *reply);

/* "smtp; CODE (TEXT)" for one reply, brackets made square; lives in a. */
struct slice outcome_diagnostic(const struct reply *reply, struct arena *a);

#endif

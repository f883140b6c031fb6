/*
 * bsmtp.h - the envelope of batched SMTP (RFC 2442): what stands around a
 * message for a program that reads SMTP commands and answers none.
 *
 *	[ ( "HELO" / "EHLO" ) SP name ]		; flag H; EHLO with B
 *	"MAIL FROM:<" sender ">" parameters
 *	1*( "RCPT TO:<" recipient ">" parameters )
 *	"DATA"
 *	message, leading dots doubled
 *	"."
 *	[ "QUIT" ]				; flag H
 *
 * Parameters: with B SIZE (RFC 1870) and, if the mailer takes 8 bits and the
 * message has such, BODY=8BITMIME (RFC 6152), with BB also ENVID, RET, NOTIFY,
 *ORCPT (RFC 3461) and BY (RFC 2852). A value that its standard does not allow
 *is left out. Addresses must have passed path_check().
 */
#ifndef SMTA_BSMTP_H
#define SMTA_BSMTP_H

#include "smta/stream.h"

/* Greeting and MAIL. */
void bsmtp_add_begin(struct str *to, const struct stream_facts *f);

/* One RCPT. */
void bsmtp_add_rcpt(struct str *to, const struct stream_facts *f,
		    const struct ctl_rcpt *r);

/* DATA. */
void bsmtp_add_data(struct str *to, const struct stream_facts *f);

/* The dot, and QUIT. */
void bsmtp_add_end(struct str *to, const struct stream_facts *f);

#endif

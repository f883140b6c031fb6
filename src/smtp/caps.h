/*
 * caps.h - what a server's reply to EHLO or LHLO offers.
 *
 * Keywords are read in any case (RFC 5321 2.4); those we do not know are
 * skipped. A parameter that cannot be read counts as absent.
 */
#ifndef SMTP_CAPS_H
#define SMTP_CAPS_H

#include "base/slice.h"

struct caps {
	bool is_extended;	  /* EHLO was accepted at all */
	bool pipelining;	  /* RFC 2920 */
	bool eightbitmime;	  /* RFC 6152 */
	bool smtputf8;		  /* RFC 6531 */
	bool dsn;		  /* RFC 3461 */
	bool enhancedstatuscodes; /* RFC 2034 */
	bool chunking;		  /* RFC 3030 */
	bool binarymime;	  /* RFC 3030 */
	bool starttls;		  /* RFC 3207 */
	bool auth;		  /* RFC 4954, also in the form AUTH=... */
	bool etrn;		  /* RFC 1985; only recognised */
	bool size;		  /* RFC 1870 */
	uint64_t size_limit;	  /* bytes; 0: none stated */
	bool deliverby;		  /* RFC 2852 */
	uint64_t deliverby_min;	  /* seconds; 0: none stated */
	uint64_t rcpt_limit;	  /* X-RCPTLIMIT; 0: none stated */
	uint64_t mailmax, rcptmax, rcptdomainmax; /* RFC 9422; 0: none */
};

/*
 * Reads a whole reply text (lines with code, LF between them; reply.h). The
 * first line, the server's name, is not a keyword.
 */
void caps_parse(struct slice reply_text, struct caps *ret);

#endif

/*
 * caps.h - what a server's reply to EHLO or LHLO offers.
 *
 * Keywords are read in any case (RFC 5321 2.4); those we do not know are
 * skipped. A parameter that cannot be read counts as absent.
 */
#ifndef SMTP_CAPS_H
#define SMTP_CAPS_H

#include "base/str.h"

/*
 * The extensions, as bits of a set: what to leave alone with a server, what a
 * refusal concerned. A set is kept in an unsigned.
 */
enum smtp_ext {
	SMTP_EXT_PIPELINING = 1 << 0,
	SMTP_EXT_CHUNKING = 1 << 1,
	SMTP_EXT_8BITMIME = 1 << 2,
	SMTP_EXT_SMTPUTF8 = 1 << 3,
	SMTP_EXT_DSN = 1 << 4,
	SMTP_EXT_SIZE = 1 << 5,
	SMTP_EXT_DELIVERBY = 1 << 6,
	SMTP_EXT_BINARYMIME = 1 << 7,
	SMTP_EXT_ENHANCEDSTATUSCODES = 1 << 8,
	SMTP_EXT_STARTTLS = 1 << 9,
	SMTP_EXT_AUTH = 1 << 10,
	SMTP_EXT_ETRN = 1 << 11,
	SMTP_EXT_LIMITS = 1 << 12, /* and X-RCPTLIMIT */
	SMTP_EXT_REQUIRETLS = 1 << 13,
	SMTP_EXT_ALL = (1 << 14) - 1
};

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
	bool requiretls;	  /* RFC 8689; means nothing in clear */
	bool auth;		  /* RFC 4954, also in the form AUTH=... */
	bool etrn;		  /* RFC 1985; only recognised */
	bool size;		  /* RFC 1870 */
	uint64_t size_limit;	  /* bytes; 0: none stated */
	bool deliverby;		  /* RFC 2852 */
	uint64_t deliverby_min;	  /* seconds; 0: none stated */
	uint64_t rcpt_limit;	  /* X-RCPTLIMIT; 0: none stated */
	/*
	 * RFC 9422 4; 0: none stated. MAIL commands of a session and RCPT
	 * commands of a transaction, refused ones included; different domains
	 * among the recipients of a session.
	 */
	uint64_t mailmax, rcptmax, rcptdomainmax;
};

/*
 * Reads a whole reply text (lines with code, LF between them; reply.h). The
 * first line, the server's name, is not a keyword.
 */
void caps_parse(struct slice reply_text, struct caps *ret);

/*
 * The mechanisms of AUTH in a whole reply text, also of the old spelling
 * "AUTH=PLAIN LOGIN": adds each once, in capitals, one blank between them. What
 * is no mechanism's name (RFC 4422 3.1) is passed over.
 */
void caps_auth_words(struct slice reply_text, struct str *to);

/*
 * Takes a set of extensions off *c, parameters and all, as if they had never
 * been offered; BINARYMIME goes with CHUNKING, without which it has no use.
 */
void caps_mask(struct caps *c, unsigned ignored);

/* The set of extensions in *c. */
unsigned caps_set(const struct caps *c);

/* Adds the keywords of a set, in capitals, one blank between them. */
void caps_print_set(struct str *to, unsigned set);

/*
 * The extension of a keyword, in any case, or 0 if there is none; LIMITS and
 * X-RCPTLIMIT are one.
 */
unsigned caps_ext_of(struct slice keyword);

#endif

/*
 * notice.h - the text of a delivery status notification (RFC 3464, 6522).
 *
 * Data in, header fields and body out: first words for people, then what a
 * program may read, then the message or its header. Addresses outside ASCII
 * make it an internationalized one (RFC 6533). All text from outside is made
 * harmless on the way; no line is longer than 998 bytes but those of the
 * returned message.
 */
#ifndef DSN_NOTICE_H
#define DSN_NOTICE_H

#include "base/str.h"

/* So many recipients are named in the words for people; a program sees all. */
enum { NOTICE_WORDS_MAX = 50 };

enum notice_kind {
	NOTICE_FAILED,	 /* some of it failed for good */
	NOTICE_DELAYED,	 /* it is late, and tried on */
	NOTICE_DELIVERED /* what the sender asked to be told */
};

struct notice_rcpt {
	struct slice address;
	struct slice orcpt;  /* TYPE ";" value, as in ORCPT=; may be empty */
	struct slice action; /* "failed", "delayed", "relayed"... */
	struct slice status; /* "5.1.1", perhaps with a comment */
	struct slice remote_mta; /* TYPE "; " name; may be empty */
	struct slice diagnostic; /* TYPE "; " text; may be empty */
	struct slice text;	 /* the last words of whoever refused it */
	int64_t attempted;	 /* Unix time; 0: never */
	int64_t retry_until;	 /* with delays; 0: unknown */
};

struct notice {
	enum notice_kind kind;
	struct slice host;	/* of this machine */
	struct slice domain;	/* behind the '@' of its postmaster */
	const struct slice *to; /* whom it is for; at least one */
	size_t n_to;
	struct slice message_id; /* without angle brackets */
	struct slice boundary;	 /* of the parts; in none of them */
	struct slice envid;	 /* xtext; may be empty */
	int64_t now, arrived;	 /* Unix time */
	const struct notice_rcpt *rcpts;
	size_t n_rcpts;
	/* Of the message: "<id>" and a Subject without encoded-words; or "". */
	struct slice about_id, about_subject;
	struct slice remark; /* the postmaster's own words; may be empty */
	struct slice header; /* of the message, each line ending in LF */
	bool has_body;	     /* all of it is returned */
	bool is_too_large;   /* it would be, were it not for its size */
	bool is_utf8;	     /* what is beyond ASCII in header and body */
	struct slice body;
};

/* Adds header fields, each line ending in LF; and the body. */
void notice_print_fields(struct str *to, const struct notice *n);
void notice_print_body(struct str *to, const struct notice *n);

/* Adds a time as "Sun, 22 Nov 2026 06:14:12 +0000" (RFC 5322 3.3). */
void notice_print_date(struct str *to, int64_t unix_time);

/*
 * Adds the address that an ORCPT value names (RFC 3461 4.2, RFC 6533 3), and
 * sets its type, borrowed. False if it is no such value: nothing is added.
 */
MUST_USE bool notice_orcpt(struct str *to, struct slice value,
			   struct slice *ret_type);

#endif

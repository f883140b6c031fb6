/*
 * bsmtp.h - batched SMTP (RFC 2442): commands and messages without replies.
 *
 *	batch   = *( command )
 *	command = ("HELO" / "EHLO") ... / "MAIL FROM:" path [params]
 *		/ "RCPT TO:" path [params] / "DATA" content / "RSET"
 *		/ "NOOP" ... / "QUIT"
 *
 * Feed bytes in any chunking, get events. If the first line ends in CR LF all
 * must, and a bare LF is text like any other; else lines end in LF. So nothing
 * within a message can be taken for its end by one reader and not by another.
 * The dots in front of the content's lines are removed (RFC 5321 4.5.2). Pure.
 */
#ifndef SUBM_BSMTP_H
#define SUBM_BSMTP_H

#include "base/err.h"
#include "base/parse.h"
#include "base/str.h"

enum { SUBM_BSMTP_LINE_MAX = 4096 }; /* bytes of a command */

enum subm_bsmtp_kind {
	SUBM_BSMTP_MAIL, /* path, params */
	SUBM_BSMTP_RCPT, /* path, params */
	SUBM_BSMTP_DATA, /* the content begins */
	SUBM_BSMTP_TEXT, /* a part of the content */
	SUBM_BSMTP_END,	 /* its end */
	SUBM_BSMTP_RESET,
	SUBM_BSMTP_QUIT,
};

/* Texts are borrowed until the next call. */
struct subm_bsmtp_event {
	enum subm_bsmtp_kind kind;
	struct slice path; /* with its angle brackets */
	struct slice params;
	struct slice text;
};

/* Begin with SUBM_BSMTP_INIT; end with subm_bsmtp_done(). */
struct subm_bsmtp {
	struct str line; /* what is collected */
	bool is_used;	 /* it was handed on */
	bool had_cr;	 /* but for the CR at its end */
	bool is_crlf, knows_ends, in_data, at_bol;
	unsigned long number; /* of the line */
};

#define SUBM_BSMTP_INIT ((struct subm_bsmtp){ 0 })
/* Frees what is collected. */
void subm_bsmtp_done(struct subm_bsmtp *b);

/*
 * Takes bytes off *in up to the next event. PARSE_BAD, err naming the line,
 * for what is no command; the line is consumed, and the next call goes on
 * behind it. Err's code is then EPROTO; EMSGSIZE if the line had no end within
 * its limit, after which nothing more can be understood.
 */
MUST_USE enum parse subm_bsmtp_next(struct subm_bsmtp *b, struct slice *in,
				    struct subm_bsmtp_event *ret,
				    struct err *err);

/* The input has ended. -1: within a message or a line. */
MUST_USE int subm_bsmtp_end(const struct subm_bsmtp *b, struct err *err);

#endif

/*
 * flags.h - the flag letters of a mailer's entry in sm.conf(5).
 *
 * One table row a letter: what it does, or that it is accepted and does
 * nothing, or that it is complained about. No letter is an error.
 */
#ifndef SMTA_FLAGS_H
#define SMTA_FLAGS_H

#include "base/str.h"

/* What letters turn on. */
enum {
	SMTA_STRIP8 = 1 << 0,	     /* 7: clear bit 8 of the body */
	SMTA_8BIT = 1 << 1,	     /* 8: the mailer takes 8 bits */
	SMTA_DECODE = 1 << 2,	     /* 9: quoted-printable is decoded */
	SMTA_BSMTP = 1 << 3,	     /* b, B: batched SMTP */
	SMTA_BSMTP_SIZE = 1 << 4,    /* B: SIZE= and BODY= */
	SMTA_BSMTP_DSN = 1 << 5,     /* BB: DSN and DELIVERBY */
	SMTA_HELO = 1 << 6,	     /* H: HELO or EHLO, and QUIT */
	SMTA_DOTS = 1 << 7,	     /* X, b, B: double leading dots */
	SMTA_ENVELOPE = 1 << 8,	     /* e: X-Envelope headers */
	SMTA_ORIGINAL_RCPT = 1 << 9, /* e, O: Original-Recipient */
	SMTA_RETURN_PATH = 1 << 10,  /* P */
	SMTA_ESCAPE_FROM = 1 << 11,  /* E: ">From " in the body */
	SMTA_ARG_F = 1 << 12,	     /* f: -f SENDER */
	SMTA_ARG_R = 1 << 13,	     /* r: -r SENDER */
	SMTA_MANY = 1 << 14,	     /* m: many recipients a run */
	SMTA_NO_FROM_LINE = 1 << 15, /* n */
	SMTA_REMOTE_FROM = 1 << 16,  /* U: From_ line with "remote from" */
	SMTA_CRLF = 1 << 17,	     /* R: lines end in CR LF */
	SMTA_KEEP_IDS = 1 << 18	     /* S: run under the effective ids */
};

enum smta_flag_kind {
	FLAG_USED,	/* has bits */
	FLAG_SILENT,	/* a letter of the manual that does nothing */
	FLAG_SENSELESS, /* a sendmail flag that cannot mean anything here */
	FLAG_UNKNOWN	/* not in the manual; no row has it */
};

struct smta_flag {
	char letter;
	enum smta_flag_kind kind;
	unsigned bits;
	unsigned bits_twice; /* in addition when the letter comes again */
	const char *meaning; /* for the manual; NULL unless used */
};

/* The table, for those who walk it. */
const struct smta_flag *smta_flag_table(size_t *ret_n);

/*
 * The bits of an entry's letters. For each letter that does not make sense,
 * or is not known, a complaint is added to *complaints, ended by LF.
 */
unsigned smta_flags_parse(struct slice letters, struct str *complaints);

#endif

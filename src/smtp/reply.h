/*
 * reply.h - read SMTP replies (RFC 5321 4.2) from arbitrary chunks.
 *
 * Feed bytes; get whole replies. What a reply borrows lives until the next
 * reply_feed(). Every line of a reply must carry the same code. A line over
 * REPLY_LINE_MAX (where a challenge may come REPLY_CHALLENGE_MAX), more than
 * REPLY_LINES_MAX lines or REPLY_MAX bytes in all are errors, so that an
 * endless reply costs bounded memory.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/err.h"
#include "base/parse.h"
#include "base/str.h"
#include "dsn/status.h"

enum {
	REPLY_LINE_MAX = 4096, /* RFC 5321 4.5.3.1.5 says 512 */
	/* A challenge of AUTH: 12288 of base64 (RFC 4954 4), and "334 " */
	REPLY_CHALLENGE_MAX = 12300,
	REPLY_LINES_MAX = 200,
	REPLY_MAX = 64 * 1024
};

struct reply {
	unsigned code;	   /* 0 to 999, as sent */
	struct slice text; /* whole lines, code included, LF between them */
	bool has_enhanced; /* a code of the same class stood in some line */
	struct status enhanced; /* RFC 2034; of the first line that has one */
};

/* All zero is a fresh parser. */
struct reply_parser {
	struct str text; /* the lines of this reply so far */
	struct str line; /* a line whose end has not come yet */
	unsigned code, n_lines;
	bool is_done;	    /* text was handed out; the next feed starts anew */
	bool may_challenge; /* lines up to REPLY_CHALLENGE_MAX are taken */
};

/* Frees what the parser holds and makes it fresh. */
void reply_done(struct reply_parser *p);

/* Has it been fed a part of a reply? */
bool reply_is_partial(const struct reply_parser *p);

/*
 * Adds what was fed of a reply that is not whole, or, after PARSE_BAD, up to
 * the line that is wrong: lines with LF between them.
 */
void reply_partial(const struct reply_parser *p, struct str *to);

/*
 * Consumes *in up to the end of one reply. PARSE_DONE fills *ret; PARSE_MORE
 * means that all input is used up; after PARSE_BAD (not a reply, lines that
 * disagree, a limit) the parser is of no further use.
 */
MUST_USE enum parse reply_feed(struct reply_parser *p, struct slice *in,
			       struct reply *ret, struct err *err);

/*
 * The text of one line behind its code and separator, and behind its enhanced
 * code if it has one.
 */
struct slice reply_line_text(struct slice line);

#endif

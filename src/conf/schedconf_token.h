/*
 * schedconf_token.h - the words of scheduler.conf; for schedconf.c alone.
 */
#ifndef CONF_SCHEDCONF_TOKEN_H
#define CONF_SCHEDCONF_TOKEN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/parse.h"

struct schedconf_token {
	unsigned line;	  /* where it begins */
	bool is_column_0; /* it opens a clause, or is a PARAM */
	struct slice word;
	bool has_value;
	struct slice value; /* without its quotes; "" is a value too */
};

struct schedconf_reader {
	struct slice rest;
	unsigned line; /* of the first byte of rest */
	bool at_bol;
	struct arena *arena;
};

/*
 * Cuts the next token off. PARSE_DONE; PARSE_MORE at the end of the text;
 * PARSE_BAD with err (without the file's name): a value without a word, a
 * quoted value without its end, a NUL.
 */
MUST_USE enum parse schedconf_next(struct schedconf_reader *r,
				   struct schedconf_token *ret,
				   struct err *err);

#endif

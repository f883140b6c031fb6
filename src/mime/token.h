/*
 * token.h - the tokens of a structured field body (RFC 5322 3.2, RFC 2045
 * 5.1): white space with its folding, comments, quoted strings, domain
 * literals, specials, and what stands between them.
 *
 * Nothing is changed: the tokens of a text together are the text.
 */
#ifndef MIME_TOKEN_H
#define MIME_TOKEN_H

#include "base/str.h"

enum token_kind {
	TOKEN_SPACE,   /* blanks, TABs, LF and CR */
	TOKEN_COMMENT, /* "(...)", nested ones within */
	TOKEN_QUOTED,  /* "\"...\"", with its quotes */
	TOKEN_LITERAL, /* "[...]" */
	TOKEN_ATOM,    /* a run of other bytes, 8-bit and control included */
	TOKEN_SPECIAL, /* one byte of the specials */
	TOKEN_BAD,     /* something without its end: all of the rest */
};

struct token {
	enum token_kind kind;
	struct slice text;
};

/* The specials of address fields; '.' is not among them, so "a.b" is one. */
extern const char token_mail_specials[];

/* The specials of Content- fields (RFC 2045 5.1, tspecials). */
extern const char token_mime_specials[];

/*
 * Cuts the next token off *rest; false when nothing is left. Specials are the
 * bytes of a C string that end an atom. Borrowed.
 */
bool token_next(struct slice *rest, const char *specials, struct token *ret);

/* The same, leaving out white space and comments. */
bool token_next_word(struct slice *rest, const char *specials,
		     struct token *ret);

/*
 * Adds what a quoted string means: without its quotes, quoted pairs resolved
 * and line ends removed. text is a TOKEN_QUOTED.
 */
void token_add_unquoted(struct str *to, struct slice text);

/* Is c a blank, a TAB, an LF or a CR? */
bool token_is_space(char c);

#endif

/*
 * routes.h - routes.conf: where the mail for an address goes.
 *
 *	file    = *( line LF )
 *	line    = pattern WS target [ WS "#" ... ]
 *	target  = address / ( channel WS host WS user )
 *	pattern = local / local "@" domain / "@" domain
 *
 * Empty lines and those whose first non-blank is '#' count for nothing. In a
 * pattern '*' stands for any bytes and '?' for one byte; case does not matter.
 * A pattern without '@' is meant for the names of this host, which the caller
 * tells apart. In a target ${local}, ${domain} and ${address} stand for parts
 * of the address that is looked up; any other "${" is refused. The first line
 * that matches counts. One error makes the whole file unusable: mail must not
 * go astray for a word that was mistyped.
 *
 * The file is read once; looking up is pure.
 */
#ifndef CONF_ROUTES_H
#define CONF_ROUTES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
	ROUTES_FILE_MAX = 16 * 1024 * 1024,
	ROUTES_WORD_MAX = 1024 /* bytes of one word */
};

struct routes; /* opaque; lives in an arena */

/* An address that is looked up; all borrowed. */
struct routes_address {
	struct slice address;
	struct slice local;
	struct slice domain; /* as written */
	bool is_here;	     /* the domain is one of this host's names */
};

/* A line that matched, its variables not expanded yet. Borrowed. */
struct routes_match {
	unsigned line;
	struct slice pattern;
	bool is_address;     /* else channel, host and user */
	struct slice target; /* the address */
	struct slice channel, host, user;
};

/*
 * Reads text as if it were the file `name`. All lives in a, the text is
 * borrowed. Returns -1, err naming file and line, if a line cannot be used.
 */
MUST_USE int routes_parse(struct slice text, const char *name, struct arena *a,
			  const struct routes **ret, struct err *err);

/*
 * Reads the file; one that is not there has no lines. Returns 0; -1 if it
 * cannot be read or used.
 */
MUST_USE int routes_load(const char *name, struct arena *a,
			 const struct routes **ret, struct err *err);

/* Finds the first line that matches; false if none does. */
bool routes_find(const struct routes *r, const struct routes_address *address,
		 struct routes_match *ret);

/* Adds one word of a match with its variables replaced. */
void routes_expand(struct slice word, const struct routes_address *address,
		   struct str *to);

/* The name that messages give to the file. */
const char *routes_name(const struct routes *r);

#endif

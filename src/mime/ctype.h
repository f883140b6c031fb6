/*
 * ctype.h - Content-Type and Content-Transfer-Encoding (RFC 2045 5 and 6).
 *
 * Reads the body of a field, comments, quotes and folding included, and
 * changes it in one place: what is not changed keeps its bytes. Everything
 * returned is borrowed from the text. Nothing is allocated but by the edits.
 */
#ifndef MIME_CTYPE_H
#define MIME_CTYPE_H

#include "base/str.h"

struct ctype {
	struct slice type,
	    subtype;	     /* as written; subtype empty: "text" alone */
	struct slice params; /* behind the subtype, ';' included */
	bool is_sound;	     /* the parameters have the form of RFC 2045 */
};

struct ctype_param {
	struct slice name;  /* as written; compare without case */
	struct slice value; /* as written, with its quotes */
};

/*
 * Reads a Content-Type field body. False if it has no type, or if the type is
 * followed by something else than "/subtype", ';' or the end. A type without
 * a subtype is older than MIME (RFC 1049) and left to the caller. Parameters
 * that cannot be read make it not sound but do not make it false.
 */
MUST_USE bool ctype_parse(struct slice body, struct ctype *ret);

/* Are type and subtype these? */
bool ctype_is(const struct ctype *c, const char *type, const char *subtype);

/*
 * Cuts the next parameter off *rest, which begins as c->params. Returns false
 * at the end and at what cannot be read. Empty parameters are skipped.
 */
bool ctype_next_param(struct slice *rest, struct ctype_param *ret);

/* The first parameter of that name; false if there is none. */
MUST_USE bool ctype_find(const struct ctype *c, const char *name,
			 struct ctype_param *ret);

/* Adds a parameter's value without its quotes. */
void ctype_add_value(struct str *to, struct slice value);

/*
 * Adds the field body with the first parameter `name` set to value: its old
 * value is replaced, or "; name=value" added behind the last parameter that
 * can be read (on a line of its own if the line would have over 78 columns).
 * The value is quoted if it has a byte outside A-Z a-z 0-9 - _ and '.'.
 */
void ctype_set(struct str *to, struct slice body, const char *name,
	       struct slice value);

/* What a Content-Transfer-Encoding says (RFC 2045 6.1). */
enum cte {
	CTE_7BIT,
	CTE_8BIT,
	CTE_BINARY,
	CTE_QP,
	CTE_BASE64,
	CTE_OTHER, /* x-token, ietf-token, or nothing that can be read */
};

/*
 * Reads a Content-Transfer-Encoding field body: one word in any case, in
 * quotes or not, with comments around it; "8-bit" and "7-bit" are taken for
 * what they mean. *ret_word (may be NULL) is the word, empty if there is not
 * exactly one.
 */
enum cte cte_parse(struct slice body, struct slice *ret_word);

/*
 * Adds the field body with another word in place of all that it says: many
 * readers take a comment for part of the word. Blanks before it and a line end
 * at its end stay.
 */
void cte_set(struct str *to, struct slice body, const char *word);

#endif

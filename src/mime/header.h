/*
 * header.h - a message's header: its fields, and small edits of them.
 *
 * A block is a sequence of lines, each ended by LF (the last may lack it). A
 * field begins at each line that does not begin with SP or TAB (RFC 5322
 * 2.2.3), whether or not it has a colon. Nothing here is parsed further than
 * an edit needs; what is not edited keeps its bytes.
 */
#ifndef MIME_HEADER_H
#define MIME_HEADER_H

#include "base/str.h"

enum { HEADER_LINE_MAX = 998 }; /* RFC 5322 2.1.1, without its end */

struct header_field {
	struct slice all;  /* with its folding, without the last LF */
	struct slice name; /* before the colon, trimmed; empty: no colon */
	struct slice body; /* behind the colon, with its folding */
};

/* Cuts the next field off *rest; false when nothing is left. Borrowed. */
bool header_next(struct slice *rest, struct header_field *ret);

/* Takes one field apart: text is what header_next() would give as `all`. */
struct header_field header_field_of(struct slice text);

/* Is the field's name `name`, ASCII case apart? */
bool header_is(const struct header_field *f, const char *name);

/* Is it one of these names? The list ends in NULL. */
bool header_is_one_of(const struct header_field *f, const char *const *names);

/*
 * Adds a field's text as it may be written: without CR and NUL, lines that
 * are then empty left out, since an empty line would end the header, and
 * with expand_tabs each TAB made blanks up to the next multiple of 8 columns.
 * The last line gets no LF. Adds nothing if nothing is left.
 */
void header_add_clean(struct str *to, struct slice field, bool expand_tabs);

/*
 * Adds a Received field with "for <address>" before the ';' of its date (RFC
 * 5321 4.4), folded at 78 columns. Returns false and adds nothing if the
 * field has no ';' outside comments and quotes, or has a "for" clause
 * already, or the address is empty, over 254 bytes, or holds a control byte,
 * a blank or an angle bracket.
 */
MUST_USE bool header_add_for_clause(struct str *to, struct slice field,
				    struct slice address);

/*
 * Adds a Received field with a remark, "(...)", before the ';' of its date,
 * folded at 78 columns. Returns false and adds nothing if the field has no
 * ';' outside comments and quotes.
 */
MUST_USE bool header_add_remark(struct str *to, struct slice field,
				struct slice remark);

/*
 * Adds a field with each line of more than HEADER_LINE_MAX bytes folded at the
 * last white space that lets what is before it fit, else at the next one; a
 * line without any stays as it is. Unfolded it reads the same. False: no line
 * is that long, and nothing is added.
 */
MUST_USE bool header_add_folded(struct str *to, struct slice field);

/* Would header_add_remark() succeed? */
bool header_takes_remark(struct slice field);

#endif

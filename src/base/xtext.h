/*
 * xtext.h - the encoding of ENVID and ORCPT values (RFC 3461 section 4).
 *
 * xtext is printable ASCII in which '+', '=' and every byte outside '!'..'~'
 * is written as '+' and two upper-case hexadecimal digits.
 */
#ifndef BASE_XTEXT_H
#define BASE_XTEXT_H

#include "base/str.h"

/* Adds plain, encoded. */
void xtext_encode(struct str *to, struct slice plain);

/*
 * Adds encoded, decoded. Returns false, with *to as it was, if encoded is
 * not xtext.
 */
MUST_USE bool xtext_decode(struct str *to, struct slice encoded);

/* Is s xtext as it stands? The empty text is. */
bool xtext_valid(struct slice s);

#endif

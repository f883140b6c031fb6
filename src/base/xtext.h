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

/*
 * Adds valid UTF-8 as an address of type "utf-8" (RFC 6533 section 3): what may
 * not stand there, and with is_ascii every character beyond ASCII, as
 * "\x{HEX}". The byte `kept` stands for itself as well: the backslash where the
 * text is quoted already, else 0.
 */
void xtext_quote_utf8(struct str *to, struct slice text, bool is_ascii,
		      char kept);

/* May the character stand for itself in such an address? */
bool xtext_is_qchar(uint32_t c);

#endif

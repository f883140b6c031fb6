/*
 * rfc2047.h - 8-bit text in header fields made encoded-words.
 *
 * Where a field may hold encoded-words its name says (RFC 2047 5):
 *
 *   text      anywhere: Subject, Comments, X- fields, fields not known
 *   phrases   a name before "<...>" or the name of a group, in address
 *             fields; all of Keywords; and in comments
 *   comments  only in comments: Received, Date, Message-ID, Content-Type ...
 *
 * Never changed are addresses, identifiers, dates and parameters, nor quoted
 * strings but those of a phrase.
 *
 * Only words with a byte of 0x80 or above are encoded, with the white space
 * between two of them; whoever decodes the field gets its text back with
 * every blank (6.2). Control bytes in words that are encoded become '?'.
 * Encoded-words that were there stay. The character set is that of
 * charset_choose(), for each run of words; no character is split; Q if that
 * is shorter, else B; an encoded-word has at most 75 bytes and its line 76,
 * wherever there is white space to fold at.
 */
#ifndef MIME_RFC2047_H
#define MIME_RFC2047_H

#include "mime/header.h"

enum rfc2047_place {
	RFC2047_TEXT,
	RFC2047_PHRASES,  /* phrases before "<" and ":" */
	RFC2047_KEYWORDS, /* phrases between commas */
	RFC2047_COMMENTS,
};

/* Where a field of this name may hold encoded-words; ASCII case apart. */
enum rfc2047_place rfc2047_place_of(struct slice name);

/*
 * Adds a field, as header_next() gives `all`, with its 8-bit text encoded.
 * `charset` labels text that is not UTF-8 (see charset_choose()). Returns
 * false and adds nothing if there is no 8-bit text where encoded-words may
 * stand, or if the field's syntax is broken: such a field is sent as it is.
 * So is one with a CR or NUL, which is to be cleaned first (mime/header.h).
 */
MUST_USE bool rfc2047_convert(struct str *to, struct slice field,
			      struct slice charset);

/* Is this whole word an encoded-word, "=?charset?Q?text?="? */
bool rfc2047_is_word(struct slice word);

#endif

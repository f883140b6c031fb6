/*
 * charset.h - which character set text of unknown origin is labelled with,
 * and where its characters begin.
 *
 * Text without a label is UTF-8 if it is valid UTF-8 with at least one
 * character beyond ASCII (chance does not make such text); else it is what
 * the postmaster says (DEFCHARSET), else ISO-8859-1. Nothing here allocates
 * or fails.
 */
#ifndef MIME_CHARSET_H
#define MIME_CHARSET_H

#include "base/slice.h"

/* A name longer than this leaves an encoded-word (75, RFC 2047 2) no room. */
enum { CHARSET_NAME_MAX = 40 };

/*
 * Is s a name that may stand in an encoded-word and, without quotes, in a
 * parameter: a token of 1 to CHARSET_NAME_MAX characters without the
 * especials of RFC 2047 2? For checking DEFCHARSET where it is read.
 */
bool charset_is_name(struct slice s);

/*
 * The label for text with 8-bit bytes: "UTF-8", or `preferred` if it is a
 * name (borrowed), or "ISO-8859-1".
 */
struct slice charset_choose(bool is_utf8, struct slice preferred);

/*
 * Are characters made of two or four bytes each, any of which may look like a
 * line end (UTF-16, UTF-32, UCS-2, UCS-4)? Then a text is not made of lines.
 */
bool charset_is_wide(struct slice name);

/*
 * Number of bytes of s that form its first character in a character set,
 * at least 1 and at most s.len (which must not be 0). Sets of one byte a
 * character, and sets that are not known, give 1. Of bytes that are no
 * character the first one counts alone.
 */
size_t charset_char_len(struct slice name, struct slice s);

/* Offset of the first byte of 0x80 or above in s, or s.len. Fast. */
size_t charset_ascii_len(struct slice s);

/* Finds out, from any chunks, whether a text is UTF-8 (RFC 3629 4). */
struct utf8 {
	unsigned need;	   /* bytes that the character begun still lacks */
	uint8_t low, high; /* what the next of them may be */
	bool is_bad;	   /* something was not UTF-8 */
	bool has_wide;	   /* there was a byte of 0x80 or above */
};

/* Begins a text. */
void utf8_begin(struct utf8 *u);

/* Takes the next bytes. */
void utf8_push(struct utf8 *u, struct slice in);

/* Is what was pushed whole and valid UTF-8, and more than ASCII? */
bool utf8_is_wide(const struct utf8 *u);

/* The same of a whole text at once. */
bool utf8_text_is_wide(struct slice text);

#endif

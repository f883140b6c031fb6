/*
 * b64.h - base64 (RFC 4648 4) of short texts: whole, strict, without lines.
 *
 * For what stands in one word of a protocol or a file. Content that is sent in
 * lines has mime/base64.h. Nothing of what passes is left behind in memory but
 * in the strings that the caller gave.
 */
#ifndef BASE_B64_H
#define BASE_B64_H

#include "base/str.h"

/* Adds the base64 of bytes, padded. */
void b64_add(struct str *to, struct slice bytes);

/*
 * Adds what a text stands for. False, adding nothing, unless it is just what
 * b64_add() would have made of it: groups of four, padding at the end alone,
 * no blank, no bit that is lost.
 */
MUST_USE bool b64_read(struct slice text, struct str *to);

#endif

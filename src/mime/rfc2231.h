/*
 * rfc2231.h - 8-bit text in the parameters of MIME fields, file names above
 * all, made extended values.
 *
 *	filename="Größe.txt"  ->  filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt
 *
 * A value that is too long for its line is continued (RFC 2231 3 and 4.1):
 * filename*0*=...; filename*1*=... Only values with a byte of 0x80 or above
 * are changed, never a boundary or a charset, which are no text, nor what is
 * extended already. Control bytes become '?'. The character set is that of
 * charset_choose(); no character is split.
 */
#ifndef MIME_RFC2231_H
#define MIME_RFC2231_H

#include "base/str.h"

/*
 * Adds a Content-Type or Content-Disposition field, as header_next() gives
 * `all`, with its 8-bit values extended. `charset` labels text that is not
 * UTF-8. Returns false and adds nothing if it is another field, or there is
 * no such value as far as the parameters can be read, or it has a CR or NUL.
 */
MUST_USE bool rfc2231_convert(struct str *to, struct slice field,
			      struct slice charset);

/*
 * Adds any field with all of its 8-bit text encoded that can be: parameters
 * as above, words as rfc2047_convert() does it. False, and nothing is added,
 * if neither found anything.
 */
MUST_USE bool rfc2231_encode_field(struct str *to, struct slice field,
				   struct slice charset);

#endif

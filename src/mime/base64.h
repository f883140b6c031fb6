/*
 * base64.h - the base64 encoder of MIME (RFC 2045 6.8), as a push filter.
 *
 * Input is spool text or plain bytes, output is lines of BASE64_LINE_MAX
 * characters ended by LF; the last line has no LF. All input is consumed,
 * output is appended, chunks do not matter, nothing can fail. Text is brought
 * into canonical form first (RFC 2049 4): a line ends with CR LF, whether the
 * input has LF or CR LF; a CR before anything else stays what it is.
 *
 * No line of the output is a delimiter of a multipart, a dot or a "From "
 * line: none of '-', '.' and ' ' is in the alphabet.
 */
#ifndef MIME_BASE64_H
#define MIME_BASE64_H

#include "base/str.h"

enum { BASE64_LINE_MAX = 76 }; /* RFC 2045 6.8 */

struct base64_encoder {
	bool is_text;
	bool had_cr;	 /* the last byte was a CR; is_text alone */
	unsigned column; /* of the output line */
	unsigned n_rest; /* bytes that wait for a third */
	unsigned char rest[2];
};

/* Begins; is_text: lines ends are made canonical. */
void base64_encode_begin(struct base64_encoder *e, bool is_text);

/* Encodes the next bytes, adding to *out. */
void base64_encode_push(struct base64_encoder *e, struct slice in,
			struct str *out);

/* Ends: gives out what waited, padded. Another text may follow. */
void base64_encode_end(struct base64_encoder *e, struct str *out);

/* How long the output is for n bytes (of canonical text), its LFs included. */
uint64_t base64_encoded_size(uint64_t n);

#endif

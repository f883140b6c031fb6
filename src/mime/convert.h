/*
 * convert.h - carrying out a plan: the header and the body that are sent.
 *
 * Input and output are spool text, lines ended by LF; the output filter
 * (mime/wire.h) comes behind. What the plan does not change keeps its bytes.
 * Always convert from the message as it came, never from what was converted
 * for another channel.
 */
#ifndef MIME_CONVERT_H
#define MIME_CONVERT_H

#include "mime/base64.h"
#include "mime/plan.h"

/*
 * Adds a header with each field made clean as header_add_clean() does it, an
 * LF behind each; fields of which nothing is left go. What comes out is what
 * the functions below and mime_label_read() want.
 */
void convert_clean_header(struct str *to, struct slice header,
			  bool expand_tabs);

/*
 * Adds the header of the converted message, an LF behind each field.
 *
 *  * QP, 8BIT, BASE64: the word of Content-Transfer-Encoding is replaced;
 * without such a field one is added at the end. A first Received field gets the
 *    remark "(convert rfc822-to-quoted-printable)" (or -8bit, -base64, -7bit)
 *    before its date. QP or BASE64 without Content-Type gets one at the end.
 *  * a multipart whose parts are converted: as above, if its own label
 *    changes.
 *  * UNKNOWN: behind the first field come X-Warning, if planned, and the
 *    three MIME fields; those that were there go, but for a Content-Type
 *    with a charset.
 *  * 8-bit text becomes encoded-words, or extended parameters.
 *
 * New folding may hold TABs: with expand_tabs, clean the fields once more.
 */
void convert_header(struct str *to, struct slice header,
		    const struct mime_plan *plan);

/* The body's way. */
struct convert_body {
	enum mime_mode mode;
	union {
		struct qp_encoder encoder;    /* QP, UNKNOWN */
		struct qp_decoder decoder;    /* 8BIT */
		struct base64_encoder base64; /* BASE64 */
	};
};

/* Begins a body. For MIME_PARTS there is mime/treeconv.h. */
void convert_body_begin(struct convert_body *b, const struct mime_plan *plan);

/* Converts the next bytes, adding to *out; with NONE a plain copy. */
void convert_body_push(struct convert_body *b, struct slice in,
		       struct str *out);

/* Ends the body: adds what was held back. Nothing to free. */
void convert_body_end(struct convert_body *b, struct str *out);

#endif

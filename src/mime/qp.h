/*
 * qp.h - quoted-printable, both ways (RFC 2045 6.7), as push filters.
 *
 * Input and output are spool text: lines end in LF, and the output filter
 * (mime/wire.h) makes the line ends and dots of the channel from them. All
 * input is consumed, output is appended, chunks do not matter.
 *
 * Encoder. CR LF is one line end; any other CR is =0D, NUL is =00. Encoded
 * are '=', bytes of 0x80 and above, control bytes but TAB, and the last blank
 * or TAB of a line; in narrow mode every blank and TAB. An 'F' or '.' at the
 * start of an output line is encoded, so that no line is a "From " line or a
 * dot; within a multipart the same is done to '-' (hides_dashes, set after
 * qp_encode_begin()), so that no line is a delimiter. A line is broken with '='
 * before a byte that would stand behind column 70, never within =XX: no line is
 * longer than QP_LINE_MAX. Decoding gives the input back, with LF for CR LF; if
 * what it gives is fit to be sent (see below), encoding that again gives the
 * same output. Input without a last LF gives output without one.
 *
 * Decoder. =XX with hex digits in either case is a byte; '=' and blanks at the
 * end of a line join it to the next; any other '=' stays as it is. Blanks and
 * TABs at the end of a line are removed. An encoded CR LF is a line end like a
 * real one. The decoder also judges what it gives: see qp_decode_is_fit().
 */
#ifndef MIME_QP_H
#define MIME_QP_H

#include "base/str.h"

enum {
	QP_LINE_MAX = 76,  /* RFC 2045 6.7 (5) */
	QP_TEXT_MAX = 998, /* RFC 5322 2.1.1 */
};

struct qp_encoder {
	bool is_narrow;
	bool hides_dashes; /* also encode a '-' at the start of a line */
	unsigned column;   /* of the output line */
	char blank;	   /* a blank or TAB that is held back, or 0 */
	bool had_cr;	   /* so is a CR behind it */
};

/* Begins a text; is_narrow encodes every blank and TAB (option -Q). */
void qp_encode_begin(struct qp_encoder *e, bool is_narrow);

/* Encodes the next bytes, adding to *out. */
void qp_encode_push(struct qp_encoder *e, struct slice in, struct str *out);

/* Ends the text: gives out what was held back. Another text may follow. */
void qp_encode_end(struct qp_encoder *e, struct str *out);

/* Why decoded text cannot be sent as it is. */
enum qp_unfit {
	QP_UNFIT_NUL = 1,     /* it holds a NUL */
	QP_UNFIT_BARE_CR = 2, /* a CR that is not part of CR LF */
	QP_UNFIT_BARE_LF = 4, /* an encoded LF without an encoded CR */
	QP_UNFIT_LINE = 8,    /* a line of more than QP_TEXT_MAX bytes */
};

struct qp_decoder {
	/* Facts about the decoded text; whole after qp_decode_end(). */
	unsigned unfit; /* QP_UNFIT_... */
	bool has_8bit;	/* a byte of 0x80 or above */
	uint64_t size;	/* bytes */
	/* Where the decoder is. */
	uint64_t line;		  /* bytes of the decoded line so far */
	char blanks[QP_TEXT_MAX]; /* held back until the line goes on */
	unsigned n_blanks;
	bool has_equals;   /* '=' is held back, before the blanks */
	char hex;	   /* so is a hex digit behind it, or 0 */
	bool had_cr;	   /* so is a CR, behind all that */
	bool had_coded_cr; /* the last byte was =0D; =0A may follow */
};

/* Begins a text. */
void qp_decode_begin(struct qp_decoder *d);

/*
 * Decodes the next bytes, adding to *out. With out NULL they are only judged.
 * Of more than QP_TEXT_MAX blanks in a row only the last are held back.
 */
void qp_decode_push(struct qp_decoder *d, struct slice in, struct str *out);

/*
 * Ends the text: gives out what was held back, or with out NULL judges it.
 * Nothing may be pushed after it.
 */
void qp_decode_end(struct qp_decoder *d, struct str *out);

/*
 * May the text be sent decoded? Only if that invents no line end and no bare
 * CR or LF, and holds no NUL and no line over QP_TEXT_MAX. Else it has to stay
 * encoded. To be asked after qp_decode_end().
 */
bool qp_decode_is_fit(const struct qp_decoder *d);

#endif

/*
 * qp.c - quoted-printable, both ways.
 *
 * Both filters move ordinary text in runs: the encoder as many bytes as need
 * no encoding and fit the line, the decoder all that stands between two bytes
 * that mean something to it. Both look at eight bytes at once.
 *
 * What may not be given out yet is held in the state and settled by the next
 * byte: for the encoder "blank CR", for the decoder "blanks CR", "= blanks
 * CR", or "= hex".
 */
#include "mime/qp.h"

#include "mime/charset.h"

#include <string.h>

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- eight bytes at once -------------------------------------------- */

static const uint64_t ones = 0x0101010101010101u;

/* Eight bytes, the first one lowest; compilers make one load of it. */
static uint64_t load(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint64_t)u[0] | (uint64_t)u[1] << 8 | (uint64_t)u[2] << 16 |
	       (uint64_t)u[3] << 24 | (uint64_t)u[4] << 32 |
	       (uint64_t)u[5] << 40 | (uint64_t)u[6] << 48 |
	       (uint64_t)u[7] << 56;
}

/*
 * The next two give a word whose lowest bit set belongs to the first byte
 * that is meant; 0 if there is none. Borrows make higher bits mean nothing.
 */
static uint64_t find_byte(uint64_t word, char c)
{
	word ^= ones * (unsigned char)c;
	return (word - ones) & ~word & (ones << 7);
}

/* Bytes below `least` (which is below 0x80), or above 0x7f. */
static uint64_t find_outside(uint64_t word, unsigned char least)
{
	return ((word - ones * least) | word) & (ones << 7);
}

/* Which byte of the word a bit belongs to. */
static size_t first_byte(uint64_t bits)
{
	return (size_t)__builtin_ctzll(bits) / 8;
}

/* ---- encoder -------------------------------------------------------- */

enum {
	BREAK_COLUMN = 70, /* nothing but a line end begins behind it */
	PIECE = 4096,	   /* input for which room is made at once */
	/*
	 * The most that one byte of input adds: a soft line break and =XX,
	 * and the same for a blank and a CR that were held back.
	 */
	BYTE_ROOM = 3 * (2 + 3),
	PIECE_ROOM = PIECE * (2 + 3) + 2 * BYTE_ROOM
};

/* What the encoder does with a byte that is not at the start of a line. */
enum { PLAIN, BLANK, LINE_END, CODED };

#define X4(x)  x, x, x, x
#define X15(x) X4(x), X4(x), X4(x), x, x, x
#define X16(x) X4(x), X4(x), X4(x), X4(x)

static const uint8_t classes[256] = {
	X4(CODED),  X4(CODED), /* 00 */
	CODED,	    BLANK,	LINE_END,   CODED,	CODED,
	LINE_END,   CODED,	CODED,	    X16(CODED), /* 10 */
	BLANK,	    X15(PLAIN),				/* 20 */
	X4(PLAIN),  X4(PLAIN),	X4(PLAIN),  PLAIN,	CODED,
	PLAIN,	    PLAIN,				/* 30 */
	X16(PLAIN), X16(PLAIN), X16(PLAIN),		/* 40 */
	X15(PLAIN), CODED,				/* 70 */
	X16(CODED), X16(CODED), X16(CODED), X16(CODED), /* 80 */
	X16(CODED), X16(CODED), X16(CODED), X16(CODED),
};

void qp_encode_begin(struct qp_encoder *e, bool is_narrow)
{
	*e = (struct qp_encoder){ .is_narrow = is_narrow };
}

/* The put_ functions need room in *out. */
static void put(struct str *out, char c)
{
	out->p[out->len++] = c;
}

static void put_break(struct qp_encoder *e, struct str *out)
{
	if (e->column <= BREAK_COLUMN)
		return;
	put(out, '=');
	put(out, '\n');
	e->column = 0;
}

static void put_coded(struct qp_encoder *e, char c, struct str *out)
{
	put_break(e, out);
	put(out, '=');
	put(out, hex_digits[(unsigned char)c >> 4]);
	put(out, hex_digits[(unsigned char)c & 15]);
	e->column += 3;
}

static void put_plain(struct qp_encoder *e, char c, struct str *out)
{
	put_break(e, out);
	put(out, c);
	e->column++;
}

static void put_line_end(struct qp_encoder *e, struct str *out)
{
	put(out, '\n');
	e->column = 0;
}

/* Settles what is held back; is_line_end: an LF follows, or nothing. */
static void put_held(struct qp_encoder *e, bool is_line_end, struct str *out)
{
	bool has_bare_cr = e->had_cr && !is_line_end;

	if (e->blank != 0 && is_line_end)
		put_coded(e, e->blank, out);
	else if (e->blank != 0)
		put_plain(e, e->blank, out);
	if (has_bare_cr)
		put_coded(e, '\r', out);
	e->blank = 0;
	e->had_cr = false;
}

/*
 * Gives out the bytes from p on that stay as they are and fit the line; the
 * first of them does. A blank that may be the last of its line is held back.
 * Returns the first byte that was not taken.
 */
static const char *put_run(struct qp_encoder *e, const char *p, const char *end,
			   struct str *out)
{
	const uint8_t most = e->is_narrow ? PLAIN : BLANK;
	const unsigned char least = e->is_narrow ? '!' : ' ';
	size_t room = BREAK_COLUMN + 1 - e->column;
	const char *stop = (size_t)(end - p) > room ? p + room : end;
	const char *q = p;
	uint64_t bits = 0;
	size_t n;

	while (bits == 0 && stop - q >= 8) {
		uint64_t word = load(q);

		bits = find_outside(word, least) | find_byte(word, '=') |
		       find_byte(word, 0x7f);
		q += bits != 0 ? first_byte(bits) : 8;
	}
	while (q < stop && classes[(unsigned char)*q] <= most)
		q++;
	n = (size_t)(q - p);
	if (is_blank(q[-1]) &&
	    (q == end || classes[(unsigned char)*q] == LINE_END)) {
		e->blank = q[-1];
		n--;
	}
	memcpy(out->p + out->len, p, n);
	out->len += n;
	e->column += (unsigned)n;
	return q;
}

/* Gives out the bytes from p on that are encoded and fit the line. */
static const char *put_coded_run(struct qp_encoder *e, const char *p,
				 const char *end, struct str *out)
{
	char *to = out->p + out->len;
	unsigned column = e->column;

	do {
		unsigned char c = (unsigned char)*p++;

		to[0] = '=';
		to[1] = hex_digits[c >> 4];
		to[2] = hex_digits[c & 15];
		to += 3;
		column += 3;
	} while (column <= BREAK_COLUMN && p < end &&
		 classes[(unsigned char)*p] == CODED);
	e->column = column;
	out->len = (size_t)(to - out->p);
	return p;
}

static const char *encode_next(struct qp_encoder *e, const char *p,
			       const char *end, struct str *out)
{
	unsigned class = classes[(unsigned char)*p];
	bool is_risky;

	if (class == LINE_END) {
		if (*p == '\r' && !e->had_cr) {
			e->had_cr = true;
			return p + 1;
		}
		put_held(e, *p == '\n', out);
		if (*p == '\n')
			put_line_end(e, out);
		else
			e->had_cr = true;
		return p + 1;
	}
	put_held(e, false, out);
	put_break(e, out);
	is_risky = e->column == 0 &&
		   (*p == 'F' || *p == '.' || (*p == '-' && e->hides_dashes));
	if (class == CODED || (class == BLANK && e->is_narrow) || is_risky)
		return put_coded_run(e, p, end, out);
	return put_run(e, p, end, out);
}

void qp_encode_push(struct qp_encoder *e, struct slice in, struct str *out)
{
	while (in.len > 0) {
		struct slice piece = slice_head(in, PIECE);
		const char *p = piece.p, *end = piece.p + piece.len;

		str_reserve(out, PIECE_ROOM);
		while (p < end)
			p = encode_next(e, p, end, out);
		out->p[out->len] = '\0';
		in = slice_from(in, piece.len);
	}
}

void qp_encode_end(struct qp_encoder *e, struct str *out)
{
	str_reserve(out, PIECE_ROOM);
	put_held(e, !e->had_cr, out);
	out->p[out->len] = '\0';
	e->column = 0;
}

/* ---- decoder: what it gives out ------------------------------------- */

/*
 * Adds bytes to the decoded text. There is room for them: what is given out
 * in a push is never more than what was held back and the input.
 */
static void give(struct qp_decoder *d, const char *p, size_t n, struct str *out)
{
	if (out != NULL) {
		memcpy(out->p + out->len, p, n);
		out->len += n;
	}
	d->size += n;
}

/* A line of the decoded text is as long as d->line says. */
static void judge_line(struct qp_decoder *d)
{
	if (d->line > QP_TEXT_MAX)
		d->unfit |= QP_UNFIT_LINE;
}

/* The encoded CR before this point was not followed by an encoded LF. */
static void settle_coded_cr(struct qp_decoder *d, struct str *out)
{
	if (!d->had_coded_cr)
		return;
	d->had_coded_cr = false;
	d->unfit |= QP_UNFIT_BARE_CR;
	d->line++;
	give(d, "\r", 1, out);
}

static void give_text(struct qp_decoder *d, const char *p, size_t n,
		      struct str *out)
{
	settle_coded_cr(d, out);
	d->line += n;
	give(d, p, n, out);
}

static void give_line_end(struct qp_decoder *d, struct str *out)
{
	settle_coded_cr(d, out);
	judge_line(d);
	d->line = 0;
	give(d, "\n", 1, out);
}

static void give_bare_cr(struct qp_decoder *d, struct str *out)
{
	d->unfit |= QP_UNFIT_BARE_CR;
	give_text(d, "\r", 1, out);
}

/* A byte that was written as =XX. */
static void give_coded(struct qp_decoder *d, char c, struct str *out)
{
	if (c == '\n') {
		if (!d->had_coded_cr)
			d->unfit |= QP_UNFIT_BARE_LF;
		d->had_coded_cr = false;
		give_line_end(d, out);
		return;
	}
	if (c == '\r') {
		settle_coded_cr(d, out);
		d->had_coded_cr = true;
		return;
	}
	if (c == '\0')
		d->unfit |= QP_UNFIT_NUL;
	d->has_8bit |= (unsigned char)c >= 0x80;
	give_text(d, &c, 1, out);
}

/* ---- decoder: what it reads ----------------------------------------- */

void qp_decode_begin(struct qp_decoder *d)
{
	*d = (struct qp_decoder){ 0 };
}

/* The value of a hex digit, or -1. */
static const int8_t hex_values[256] = {
	X16(-1), X16(-1), X16(-1), /* 00 */
	0,	 1,	  2,	   3,	    4,	5,  6,
	7,	 8,	  9,	   X4(-1),  -1, -1, /* 30 */
	-1,	 10,	  11,	   12,	    13, 14, 15,
	X4(-1),	 X4(-1),  -1, /* 40 */
	X16(-1),	      /* 50 */
	-1,	 10,	  11,	   12,	    13, 14, 15,
	X4(-1),	 X4(-1),  -1,		    /* 60 */
	X16(-1),			    /* 70 */
	X16(-1), X16(-1), X16(-1), X16(-1), /* 80 */
	X16(-1), X16(-1), X16(-1), X16(-1),
};

static int hex_value(char c)
{
	return hex_values[(unsigned char)c];
}

static bool is_holding(const struct qp_decoder *d)
{
	return d->has_equals || d->n_blanks > 0 || d->had_cr;
}

static void drop_held(struct qp_decoder *d)
{
	d->has_equals = false;
	d->hex = 0;
	d->n_blanks = 0;
	d->had_cr = false;
}

/* What is held back turns out to be text. */
static void give_held(struct qp_decoder *d, struct str *out)
{
	if (d->has_equals)
		give_text(d, "=", 1, out);
	if (d->hex != 0)
		give_text(d, &d->hex, 1, out);
	if (d->n_blanks > 0)
		give_text(d, d->blanks, d->n_blanks, out);
	if (d->had_cr)
		give_bare_cr(d, out);
	drop_held(d);
}

static void hold_blank(struct qp_decoder *d, char c, struct str *out)
{
	if (d->n_blanks == sizeof(d->blanks))
		give_held(d, out);
	d->blanks[d->n_blanks++] = c;
}

/* An LF: a line end, or with '=' before it none. */
static void end_line(struct qp_decoder *d, struct str *out)
{
	bool is_soft = d->has_equals && d->hex == 0;

	if (d->hex != 0) {
		d->had_cr = false;
		give_held(d, out);
	}
	drop_held(d);
	if (!is_soft)
		give_line_end(d, out);
}

/*
 * Takes one byte while something is held back. Returns false if the byte has
 * nothing to do with that, which is then given out.
 */
static bool take_held(struct qp_decoder *d, char c, struct str *out)
{
	if (c == '\n') {
		end_line(d, out);
		return true;
	}
	if (d->had_cr) {
		give_held(d, out);
		return false;
	}
	if (c == '\r') {
		d->had_cr = true;
		return true;
	}
	if (d->hex != 0 && hex_value(c) >= 0) {
		char byte = (char)(hex_value(d->hex) * 16 + hex_value(c));

		drop_held(d);
		give_coded(d, byte, out);
		return true;
	}
	if (is_blank(c) && d->hex == 0) {
		hold_blank(d, c, out);
		return true;
	}
	if (d->has_equals && d->hex == 0 && d->n_blanks == 0 &&
	    hex_value(c) >= 0) {
		d->hex = c;
		return true;
	}
	give_held(d, out);
	return false;
}

/* The first byte from p on that means something to the decoder. */
static const char *find_mark(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t word = load(p);
		uint64_t bits = find_byte(word, '=') | find_byte(word, '\n') |
				find_byte(word, '\r');

		if (bits != 0)
			return p + first_byte(bits);
	}
	while (p < end && *p != '=' && *p != '\n' && *p != '\r')
		p++;
	return p;
}

/* Gives out text; holds back the blanks at its end unless '=' follows. */
static void take_text(struct qp_decoder *d, const char *p, const char *stop,
		      bool is_before_equals, struct str *out)
{
	const char *q = stop;

	while (!is_before_equals && q > p && is_blank(q[-1]))
		q--;
	if (q > p)
		give_text(d, p, (size_t)(q - p), out);
	for (; q < stop; q++)
		hold_blank(d, *q, out);
}

/* The byte that the three at p stand for; -1: none, or one with a meaning. */
static int plain_coded(const char *p)
{
	int high = hex_value(p[1]), low = hex_value(p[2]);
	int byte = high * 16 + low;

	if (p[0] != '=' || high < 0 || low < 0 || byte == '\r' ||
	    byte == '\n' || byte == '\0')
		return -1;
	return byte;
}

/* Takes a run of =XX at p; returns what comes next, p if there is no run. */
static const char *take_coded_run(struct qp_decoder *d, const char *p,
				  const char *end, struct str *out)
{
	char bytes[64];
	size_t n;
	int byte;

	do {
		for (n = 0; n < sizeof(bytes) && end - p > 2; p += 3) {
			byte = plain_coded(p);
			if (byte < 0)
				break;
			bytes[n++] = (char)byte;
			d->has_8bit |= byte >= 0x80;
		}
		if (n > 0)
			give_text(d, bytes, n, out);
	} while (n == sizeof(bytes));
	return p;
}

static const char *decode_next(struct qp_decoder *d, const char *p,
			       const char *end, struct str *out)
{
	const char *stop;

	if (is_holding(d) && take_held(d, *p, out))
		return p + 1;
	stop = find_mark(p, end);
	if (stop > p)
		take_text(d, p, stop, stop < end && *stop == '=', out);
	if (stop < end && *stop == '=')
		stop = take_coded_run(d, stop, end, out);
	if (stop == end)
		return stop;
	if (*stop == '=')
		d->has_equals = true;
	else if (*stop == '\n')
		end_line(d, out);
	else if (*stop == '\r')
		d->had_cr = true;
	else
		return stop;
	return stop + 1;
}

/* The most that is held back: blanks, '=', a digit, a CR, a coded CR. */
enum { HELD_MAX = QP_TEXT_MAX + 4 };

void qp_decode_push(struct qp_decoder *d, struct slice in, struct str *out)
{
	const char *p = in.p, *end;

	if (in.len == 0)
		return; /* and p may be NULL */
	end = p + in.len;
	/* All that is not encoded gets through, so it is judged here. */
	if (memchr(p, '\0', in.len) != NULL)
		d->unfit |= QP_UNFIT_NUL;
	if (!d->has_8bit)
		d->has_8bit = charset_ascii_len(in) < in.len;
	if (out != NULL)
		str_reserve(out, in.len + HELD_MAX);
	while (p < end)
		p = decode_next(d, p, end, out);
	if (out != NULL)
		out->p[out->len] = '\0';
}

void qp_decode_end(struct qp_decoder *d, struct str *out)
{
	if (out != NULL)
		str_reserve(out, HELD_MAX);
	if (d->hex != 0 || d->had_cr)
		give_held(d, out);
	drop_held(d);
	settle_coded_cr(d, out);
	judge_line(d);
	d->line = 0;
	if (out != NULL)
		out->p[out->len] = '\0';
}

bool qp_decode_is_fit(const struct qp_decoder *d)
{
	return d->unfit == 0;
}

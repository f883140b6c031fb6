/*
 * wire.c - the last filter before bytes leave.
 *
 * The input is cut at LF and, with WIRE_CRLF, at CR and NUL; the runs between
 * are copied whole. For each of the three bytes the place where it stands
 * next is remembered and looked for again (memchr) only once it is passed, so
 * each byte is looked at three times at most, and in text without CR and NUL
 * those two searches are one sweep over the chunk.
 *
 * A CR in a body gives its line end at once; had_cr then says that an LF right
 * behind it is part of the same line end. In a header CR gives nothing, and
 * had_cr only serves to tell a bare CR from CRLF for the record.
 */
#include "mime/wire.h"

#include <string.h>

static const char from[] = "From ";
enum { FROM_LEN = sizeof(from) - 1 };

void wire_begin(struct wire *w, unsigned flags)
{
	*w = (struct wire){ .flags = flags, .at_bol = true };
}

/* The CR before this point was not followed by LF. */
static void settle_cr(struct wire *w)
{
	w->bare_crs += w->had_cr;
	w->had_cr = false;
}

void wire_set_flags(struct wire *w, unsigned flags)
{
	/* What a CR stands for differs, so none may reach across. */
	if ((w->flags ^ flags) & (WIRE_CRLF | WIRE_HEADER))
		settle_cr(w);
	w->flags = flags;
}

/*
 * The most that goes out for one piece of input beside the piece itself: a
 * second dot or a '>', what was held back, and a line end. Room for it is made
 * once a piece, so that the helpers below need not ask for any.
 */
enum { EXTRA = 1 + FROM_LEN + 2 };

static void make_room(struct str *out, size_t run)
{
	if (out->cap - out->len <= run + EXTRA)
		str_reserve(out, run + EXTRA);
}

/* Adds n bytes, for which there is room. */
static void put(struct str *out, const char *p, size_t n)
{
	memcpy(out->p + out->len, p, n);
	out->len += n;
}

static void put_held(struct wire *w, struct str *out)
{
	if (w->from_len == 0)
		return;
	put(out, from, w->from_len);
	w->from_len = 0;
}

/*
 * Begins a line whose next bytes are p to end (not empty): marks it if need
 * be, then gives out what was held back. Returns false if all of them may
 * still be the start of "From " and are held back too.
 */
static bool begin_line(struct wire *w, const char *p, const char *end,
		       struct str *out)
{
	if ((w->flags & WIRE_DOTS) && *p == '.' && w->from_len == 0)
		put(out, ".", 1);
	if (w->flags & WIRE_FROM) {
		unsigned n = w->from_len;

		while (p < end && n < FROM_LEN && *p == from[n])
			p++, n++;
		if (n == FROM_LEN) {
			put(out, ">", 1);
		} else if (p == end) {
			w->from_len = n;
			return false;
		}
	}
	put_held(w, out);
	w->at_bol = false;
	return true;
}

static void add_run(struct wire *w, const char *p, const char *end,
		    struct str *out)
{
	settle_cr(w);
	if (!w->at_bol || begin_line(w, p, end, out))
		put(out, p, (size_t)(end - p));
}

static void end_line(struct wire *w, struct str *out)
{
	put_held(w, out);
	if (w->flags & WIRE_CRLF)
		put(out, "\r\n", 2);
	else
		put(out, "\n", 1);
	w->at_bol = true;
}

static void add_cr(struct wire *w, struct str *out)
{
	settle_cr(w);
	w->had_cr = true;
	if (!(w->flags & WIRE_HEADER))
		end_line(w, out);
}

/* A line of which nothing is left would end the header too early. */
static bool is_empty_header_line(const struct wire *w)
{
	unsigned both = WIRE_CRLF | WIRE_HEADER;

	return (w->flags & both) == both && w->at_bol && w->from_len == 0;
}

static void add_lf(struct wire *w, struct str *out)
{
	bool is_ended = w->had_cr && !(w->flags & WIRE_HEADER);

	w->had_cr = false;
	if (!is_ended && !is_empty_header_line(w))
		end_line(w, out);
}

/* The first c from p on, or end. */
static const char *find(const char *p, const char *end, char c)
{
	const char *at;

	if (p == end || *p == c)
		return p;
	at = memchr(p, c, (size_t)(end - p));
	return at != NULL ? at : end;
}

/*
 * Does a line begin here, with nothing held back, and is every line up to the
 * next CR or NUL simply copied, with CRLF for LF and perhaps a dot in front?
 */
static bool is_plain(const struct wire *w)
{
	unsigned special = WIRE_CRLF | WIRE_FROM | WIRE_HEADER;

	return w->at_bol && !w->had_cr && w->from_len == 0 &&
	       (w->flags & special) == WIRE_CRLF;
}

/*
 * Copies plain lines: from p, where one begins, the first ending at lf, none
 * reaching limit, where the text ends or a CR or NUL stands. Returns where the
 * first line begins that was not copied. Mail consists of these.
 */
static const char *push_lines(const struct wire *w, const char *p,
			      const char *lf, const char *limit,
			      struct str *out)
{
	bool has_dots = (w->flags & WIRE_DOTS) != 0;

	while (lf < limit) {
		size_t n = (size_t)(lf - p);
		char *to;

		make_room(out, n);
		to = out->p + out->len;
		if (has_dots && *p == '.')
			*to++ = '.';
		memcpy(to, p, n);
		memcpy(to + n, "\r\n", 2);
		out->len = (size_t)(to + n + 2 - out->p);
		p = lf + 1;
		lf = find(p, limit, '\n');
	}
	return p;
}

void wire_push(struct wire *w, struct slice in, struct str *out)
{
	bool is_wire = w->flags & WIRE_CRLF;
	const char *p = in.p, *end, *lf, *cr, *nul;

	if (in.len == 0)
		return; /* there may be no pointer to add to */
	end = p + in.len;
	/* The usual growth, so that ordinary text finds its room at once. */
	str_reserve(out, in.len + in.len / 16 + EXTRA);
	lf = find(p, end, '\n');
	cr = is_wire ? find(p, end, '\r') : end;
	nul = is_wire ? find(p, end, '\0') : end;
	for (;;) {
		const char *stop = lf < cr ? lf : cr;

		if (nul < stop)
			stop = nul;
		if (stop == lf && lf < end && is_plain(w)) {
			p = push_lines(w, p, lf, cr < nul ? cr : nul, out);
			lf = find(p, end, '\n');
			continue;
		}
		make_room(out, (size_t)(stop - p));
		if (stop > p)
			add_run(w, p, stop, out);
		if (stop == end)
			break;
		p = stop + 1;
		if (stop == lf) {
			add_lf(w, out);
			lf = find(p, end, '\n');
		} else if (stop == cr) {
			add_cr(w, out);
			cr = find(p, end, '\r');
		} else {
			w->nuls++;
			nul = find(p, end, '\0');
		}
	}
	out->p[out->len] = '\0';
}

void wire_end(struct wire *w, struct str *out)
{
	settle_cr(w);
	if (w->from_len == 0 && w->at_bol)
		return;
	make_room(out, 0);
	end_line(w, out);
	out->p[out->len] = '\0';
}

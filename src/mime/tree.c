/*
 * tree.c - what a message is made of, part by part, in one pass.
 *
 * The reader is either in a part's header, which is collected, or in a text:
 * the body of a leaf, of an opaque part, or what stands around the parts of a
 * multipart. In a text nothing matters but lines that begin with "--". Most
 * bytes are passed over by looking for '-'; a line end, and the line behind
 * it as long as it may be a delimiter, are held back until it is known
 * whether they belong to the text.
 */
#include "mime/tree.h"

#include "base/mem.h"
#include "mime/header.h"
#include "mime/rfc2231.h"

#include <stdlib.h>
#include <string.h>

static struct part *current(struct tree *t)
{
	return &t->parts[t->current];
}

/* ---- texts ---------------------------------------------------------- */

static bool wants_trial(const struct tree *t, const struct part *p)
{
	return t->makes_trials && p->kind == PART_LEAF && p->is_plain &&
	       p->has_version && p->encoding == CTE_QP;
}

/* Does the line that has begun begin as a delimiter does? */
static void judge_watched(struct tree *t)
{
	struct slice line = slice_make(t->watch.line, t->watch.n);

	if (!slice_starts(line, SLICE("--")))
		return;
	line = slice_from(line, 2);
	for (unsigned i = 0; i < t->n_open; i++) {
		struct slice b = t->parts[t->open[i]].boundary;

		t->watch.has_struck |= b.len > 0 && slice_starts(line, b);
	}
}

static void watch(struct tree *t, struct slice in)
{
	struct tree_watch *w = &t->watch;

	while (in.len > 0) {
		size_t n = slice_find(in, '\n');
		struct slice line = slice_head(in, n);

		if (!w->is_over) {
			struct slice more =
			    slice_head(line, sizeof(w->line) - w->n);

			if (more.len > 0)
				memcpy(w->line + w->n, more.p, more.len);
			w->n += (unsigned)more.len;
			w->is_over = w->n > 0 && w->line[0] != '-';
		}
		if (n == in.len)
			return;
		judge_watched(t);
		w->n = 0;
		w->is_over = false;
		in = slice_from(in, n + 1);
	}
}

static void push_trial(struct tree *t, struct slice in)
{
	str_clear(&t->decoded);
	qp_decode_push(&t->trial, in, &t->decoded);
	watch(t, str_slice(&t->decoded));
}

static void begin_text(struct tree *t, unsigned part)
{
	t->current = part;
	t->in_header = false;
	t->hold = TREE_HOLD_LINE;
	t->n_held = t->n_eol = 0;
	t->held_at = t->size;
	t->facts = (struct part_facts){ 0 };
	scan_begin(&t->scan);
	current(t)->has_trial = wants_trial(t, current(t));
	if (current(t)->has_trial) {
		qp_decode_begin(&t->trial);
		t->watch = (struct tree_watch){ 0 };
	}
}

static void push_text(struct tree *t, const char *p, size_t len)
{
	struct slice in = slice_make(p, len);

	if (len == 0)
		return;
	scan_push(&t->scan, in);
	part_facts_count(&t->facts, in);
	if (current(t)->has_trial)
		push_trial(t, in);
}

static void end_trial(struct tree *t, struct part *p)
{
	str_clear(&t->decoded);
	qp_decode_end(&t->trial, &t->decoded);
	watch(t, str_slice(&t->decoded));
	judge_watched(t);
	p->unfit = t->trial.unfit;
	p->would_delimit = t->watch.has_struck;
	p->is_fit = qp_decode_is_fit(&t->trial) && !p->would_delimit;
	p->decoded_size = t->trial.size;
	p->is_decoded_8bit = t->trial.has_8bit;
}

/* Ends the text at an offset, and with it its part unless others follow. */
static void end_text(struct tree *t, uint64_t end)
{
	struct part *p = current(t);

	scan_end(&t->scan);
	t->facts.size = t->scan.size;
	t->facts.longest = t->scan.longest;
	t->facts.has_8bit = t->scan.has_8bit;
	t->facts.has_nul = t->scan.has_nul;
	t->facts.has_bare_cr = t->scan.has_bare_cr;
	t->facts.has_crlf = t->scan.has_crlf;
	t->facts.is_utf8 = t->scan.is_utf8;
	part_facts_join(&p->facts, &t->facts);
	if (p->has_trial)
		end_trial(t, p);
	if (p->kind != PART_MULTIPART)
		p->end = end;
}

/* ---- parts ---------------------------------------------------------- */

/* Adds a part that begins here; false if it is the last there may be. */
static bool add_part(struct tree *t, unsigned parent)
{
	struct part *p;

	t->parts = mem_grow(t->parts, &t->cap, t->n_parts + 1u, sizeof(*p));
	p = &t->parts[t->n_parts];
	*p = (struct part){ .begin = t->size,
			    .body = t->size,
			    .end = UINT64_MAX,
			    .parent = parent,
			    .why = MIME_IS_7BIT };
	if (t->n_parts > 0) {
		p->depth = t->parts[parent].depth + 1;
		p->has_version = t->parts[parent].has_version;
		t->parts[parent].n_children++;
	}
	t->current = t->n_parts++;
	return t->n_parts < TREE_PARTS_MAX;
}

/* All that is left of the body is one opaque part. */
static void take_rest(struct tree *t, enum mime_reason why)
{
	t->n_open = t->n_delimiting = 0;
	current(t)->kind = PART_OPAQUE;
	current(t)->why = why;
	begin_text(t, t->current);
}

/* A part begins, its header first. */
static void begin_part(struct tree *t, unsigned parent)
{
	if (!add_part(t, parent)) {
		take_rest(t, MIME_TOO_MANY);
		return;
	}
	current(t)->is_message = t->parts[parent].kind == PART_MESSAGE;
	t->in_header = true;
	str_clear(&t->header);
	t->header_line = 0;
}

/* Would a line be a delimiter of both? */
static bool may_clash(struct slice a, struct slice b)
{
	struct slice longer = a.len > b.len ? a : b;
	struct slice shorter = a.len > b.len ? b : a;

	return slice_starts(longer, shorter) &&
	       (longer.len == shorter.len ||
		slice_eq(slice_from(longer, shorter.len), SLICE("--")));
}

/* Has an outer multipart this boundary, or one too like it? */
static bool is_taken(const struct tree *t, struct slice boundary)
{
	for (unsigned i = 0; i < t->n_open; i++) {
		const struct part *p = &t->parts[t->open[i]];

		if (p->boundary.len > 0 && may_clash(p->boundary, boundary))
			return true;
	}
	return false;
}

/* The part's header is read: begins what follows. */
static void open_body(struct tree *t)
{
	struct part *p = current(t);
	bool is_open = p->kind == PART_MULTIPART || p->kind == PART_MESSAGE;

	if (is_open && p->depth >= TREE_DEPTH_MAX) {
		p->kind = PART_OPAQUE;
		p->why = MIME_TOO_DEEP;
	} else if (p->kind == PART_MULTIPART && is_taken(t, p->boundary)) {
		p->kind = PART_OPAQUE;
		p->why = MIME_BAD_BOUNDARY;
	} else if (is_open) {
		t->open[t->n_open++] = t->current;
		t->n_delimiting += p->kind == PART_MULTIPART;
	}
	if (p->kind == PART_MESSAGE)
		begin_part(t, t->current);
	else
		begin_text(t, t->current);
}

/* ---- delimiters ----------------------------------------------------- */

/* The open multipart that a line delimits, as an index of t->open, or -1. */
static int find_delimited(const struct tree *t, struct slice line,
			  bool *ret_is_last)
{
	if (!slice_starts(line, SLICE("--")))
		return -1;
	line = slice_from(slice_trim(line), 2);
	for (unsigned i = t->n_open; i-- > 0;) {
		const struct part *p = &t->parts[t->open[i]];
		struct slice after = slice_from(line, p->boundary.len);

		if (p->boundary.len == 0 || p->is_closed ||
		    !slice_starts(line, p->boundary))
			continue;
		*ret_is_last = slice_eq(after, SLICE("--"));
		if (after.len == 0 || *ret_is_last)
			return (int)i;
	}
	return -1;
}

/* Ends what is open above the one at `level`. */
static void close_above(struct tree *t, unsigned level, uint64_t end)
{
	while (t->n_open > level + 1) {
		struct part *p = &t->parts[t->open[--t->n_open]];

		p->end = end;
		t->n_delimiting -= p->kind == PART_MULTIPART && !p->is_closed;
	}
}

/*
 * Takes a line as a delimiter, whose line end before it is at `end`; the next
 * byte is the one behind it. False if it is none.
 */
static bool take_delimiter(struct tree *t, struct slice line, uint64_t end)
{
	bool is_last;
	int level = find_delimited(t, line, &is_last);
	unsigned multipart;

	if (level < 0)
		return false;
	end_text(t, end);
	close_above(t, (unsigned)level, end);
	multipart = t->open[level];
	if (!is_last) {
		begin_part(t, multipart);
		return true;
	}
	t->parts[multipart].is_closed = true;
	t->n_delimiting--;
	begin_text(t, multipart);
	return true;
}

/* ---- headers -------------------------------------------------------- */

/* Removes the CRs of line ends; false if there is another, or a NUL. */
static bool clean_header(struct str *header)
{
	size_t to = 0;

	for (size_t i = 0; i < header->len; i++) {
		char c = header->p[i];

		if (c == '\0')
			return false;
		if (c != '\r')
			header->p[to++] = c;
		else if (i + 1 == header->len || header->p[i + 1] != '\n')
			return false;
	}
	if (header->len > 0)
		str_cut(header, to);
	return true;
}

static bool is_name(struct slice s)
{
	return s.len > 0 && !slice_has_8bit(s) && !slice_has_control(s) &&
	       !slice_has(s, ' ');
}

static uint64_t longest_line(struct slice text)
{
	struct slice line;
	size_t longest = 0;

	while (slice_cut(&text, '\n', &line))
		if (line.len > longest)
			longest = line.len;
	return longest;
}

/* Is every line of it part of a field? */
static bool is_sound_header(struct slice header)
{
	struct header_field f;

	while (header_next(&header, &f))
		if (!is_name(f.name))
			return false;
	return true;
}

/* Is there 8-bit text in it that cannot be made encoded-words? */
static bool is_stuck(struct slice header)
{
	struct header_field f;
	struct str text = STR_INIT;
	bool is_stuck = false;

	while (!is_stuck && header_next(&header, &f)) {
		if (!slice_has_8bit(f.all))
			continue;
		str_clear(&text);
		is_stuck =
		    !rfc2231_encode_field(&text, f.all, (struct slice){ 0 }) ||
		    slice_has_8bit(str_slice(&text));
	}
	str_done(&text);
	return is_stuck;
}

/* The header is whole; the body begins at an offset. */
static void read_header(struct tree *t, uint64_t body)
{
	struct part *p = current(t);
	struct mime_label label;
	struct slice header;

	p->body = body;
	if (!clean_header(&t->header) ||
	    !is_sound_header(str_slice(&t->header))) {
		p->kind = PART_OPAQUE;
		p->why = MIME_BAD_HEADER;
		p->has_8bit_header = slice_has_8bit(str_slice(&t->header));
		p->is_header_stuck = p->has_8bit_header;
		return;
	}
	header = str_slice(&t->header);
	p->header_longest = longest_line(header);
	mime_label_read(&label, header);
	part_read_label(p, &label, part_is_digest(&t->parts[p->parent]),
			t->arena);
	if (p->has_8bit_header)
		p->is_header_stuck = p->kind == PART_OPAQUE || is_stuck(header);
}

/* It is too large to be kept: what was read of it is text of an opaque part. */
static void give_up_header(struct tree *t)
{
	struct str text = t->header;

	t->header = STR_INIT;
	t->size -= text.len;
	current(t)->kind = PART_OPAQUE;
	current(t)->why = MIME_BAD_HEADER;
	begin_text(t, t->current);
	tree_push(t, str_slice(&text));
	str_done(&text);
}

/* A line of the header has come, without its LF; `next` is behind it. */
static void end_header_line(struct tree *t, uint64_t next)
{
	struct slice line = slice_from(str_slice(&t->header), t->header_line);
	uint64_t at = t->size;
	struct str delimiter = STR_INIT;
	bool is_last;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0) {
		str_cut(&t->header, t->header_line);
		t->size = next;
		read_header(t, next);
		open_body(t);
		return;
	}
	if (find_delimited(t, line, &is_last) < 0) {
		if (next > at)
			str_addc(&t->header, '\n');
		t->header_line = t->header.len;
		t->size = next;
		return;
	}
	/* A part of a header alone, with no empty line behind. */
	str_add(&delimiter, line);
	at = current(t)->begin + t->header_line;
	str_cut(&t->header, t->header_line);
	t->size = at;
	read_header(t, at);
	if (current(t)->kind != PART_OPAQUE)
		current(t)->kind = PART_LEAF;
	begin_text(t, t->current);
	t->size = next;
	(void)take_delimiter(t, str_slice(&delimiter), at);
	str_done(&delimiter);
}

static struct slice take_header(struct tree *t, struct slice in)
{
	size_t n = slice_find(in, '\n');

	str_add(&t->header, slice_head(in, n));
	t->size += n;
	if (t->header.len > TREE_HEADER_MAX) {
		give_up_header(t);
		return slice_from(in, n);
	}
	if (n < in.len)
		end_header_line(t, t->size + 1);
	return slice_from(in, n + 1);
}

/* ---- bodies --------------------------------------------------------- */

static void hold(struct tree *t, enum tree_hold kind, const char *p, size_t n)
{
	t->hold = kind;
	t->held_at = t->size - n;
	t->n_held = t->n_eol = n;
	if (n > 0)
		memmove(t->held, p, n);
}

/* What is held back is text, but for the last `keep` bytes. */
static void release(struct tree *t, size_t keep)
{
	size_t n = t->n_held - keep;

	push_text(t, t->held, n);
	t->hold = TREE_HOLD_NONE;
	t->n_held = t->n_eol = 0;
}

/* A line that begins with "--" is whole, its LF taken. */
static void end_held_line(struct tree *t)
{
	size_t eol = t->n_held > t->n_eol && t->held[t->n_held - 1] == '\r';
	struct slice line =
	    slice_make(t->held + t->n_eol, t->n_held - t->n_eol - eol);
	char line_end[2] = { '\r', '\n' };

	if (take_delimiter(t, line, t->held_at))
		return;
	release(t, eol);
	hold(t, TREE_HOLD_LINE, line_end + 1 - eol, 1 + eol);
}

/*
 * A line is longer than a delimiter may be. If that is because of blanks,
 * nobody knows how others read it: the rest is not looked into.
 */
static void end_overlong(struct tree *t)
{
	size_t n = t->n_held;
	uint64_t at = t->held_at;
	bool is_last;
	int level = find_delimited(
	    t, slice_make(t->held + t->n_eol, n - t->n_eol), &is_last);

	if (level >= 0) {
		end_text(t, at);
		(void)add_part(t, t->open[level]);
		current(t)->begin = current(t)->body = at;
		take_rest(t, MIME_BAD_BOUNDARY);
		t->n_held = n;
	}
	release(t, 0);
}

/* Takes bytes while a line end or a line is held back. */
static struct slice take_held(struct tree *t, struct slice in)
{
	size_t n_line = t->n_held - t->n_eol, n;

	if (t->hold == TREE_HOLD_CR) {
		if (in.p[0] != '\n') {
			release(t, 0);
			return in;
		}
		t->size++;
		hold(t, TREE_HOLD_LINE, "\r\n", 2);
		return slice_from(in, 1);
	}
	if (n_line < 2) {
		if (in.p[0] != '-') {
			release(t, 0);
			return in;
		}
		t->held[t->n_held++] = '-';
		t->size++;
		return slice_from(in, 1);
	}
	n = slice_find(slice_head(in, TREE_LINE_MAX - n_line), '\n');
	if (n > 0)
		memcpy(t->held + t->n_held, in.p, n);
	t->n_held += n;
	t->size += n;
	in = slice_from(in, n);
	if (in.len > 0 && in.p[0] == '\n') {
		t->size++;
		end_held_line(t);
		return slice_from(in, 1);
	}
	if (in.len > 0)
		end_overlong(t);
	return in;
}

/* The line end that ends at q, at least one byte of it from p on. */
static size_t line_end_len(const char *p, const char *q)
{
	return q - 1 > p && q[-2] == '\r' ? 2 : 1;
}

/* Takes bytes within a line, up to a line that begins with '-'. */
static struct slice take_run(struct tree *t, struct slice in)
{
	const char *end = in.p + in.len, *q = in.p;
	size_t eol = 0;

	while ((q = memchr(q, '-', (size_t)(end - q))) != NULL) {
		if (q > in.p && q[-1] == '\n')
			break;
		while (q < end && *q == '-')
			q++;
		if (q == end)
			break;
	}
	if (q == NULL || q == end) {
		q = end;
		if (q[-1] == '\r') {
			push_text(t, in.p, in.len - 1);
			t->size += in.len;
			hold(t, TREE_HOLD_CR, "\r", 1);
			t->n_eol = 0;
			return slice_from(in, in.len);
		}
	}
	if (q[-1] == '\n')
		eol = line_end_len(in.p, q);
	push_text(t, in.p, (size_t)(q - in.p) - eol);
	t->size += (size_t)(q - in.p);
	if (eol > 0)
		hold(t, TREE_HOLD_LINE, q - eol, eol);
	return slice_from(in, (size_t)(q - in.p));
}

static struct slice take_body(struct tree *t, struct slice in)
{
	if (t->n_delimiting > 0 && t->hold != TREE_HOLD_NONE)
		return take_held(t, in);
	if (t->n_delimiting > 0)
		return take_run(t, in);
	if (t->n_held > 0)
		release(t, 0);
	push_text(t, in.p, in.len);
	t->size += in.len;
	return slice_from(in, in.len);
}

/* ---- the whole ------------------------------------------------------ */

void tree_begin(struct tree *t, const struct mime_label *label,
		bool makes_trials, struct arena *a)
{
	*t = (struct tree){ .makes_trials = makes_trials, .arena = a };
	(void)add_part(t, 0);
	current(t)->is_message = true;
	part_read_label(current(t), label, false, a);
	open_body(t);
}

void tree_push(struct tree *t, struct slice in)
{
	while (in.len > 0)
		in = t->in_header ? take_header(t, in) : take_body(t, in);
}

/* The body ends within a header: it is whole, with nothing behind it. */
static void end_header(struct tree *t)
{
	if (t->header.len > t->header_line)
		end_header_line(t, t->size);
	if (!t->in_header)
		return;
	read_header(t, t->size);
	open_body(t);
}

/* Ends the last text; a last line end there counts as a delimiter's. */
static void end_body(struct tree *t)
{
	struct slice line =
	    slice_make(t->held + t->n_eol, t->n_held - t->n_eol);

	if (t->n_delimiting == 0 || t->hold != TREE_HOLD_LINE) {
		release(t, 0);
		return;
	}
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (t->n_held > t->n_eol) {
		if (!take_delimiter(t, line, t->held_at))
			release(t, 0);
	} else if (current(t)->kind != PART_MULTIPART) {
		end_text(t, t->held_at);
		t->n_open = t->n_delimiting = 0;
		t->n_held = t->n_eol = 0;
		t->has_ended = true;
	}
}

void tree_end(struct tree *t)
{
	if (!t->in_header)
		end_body(t);
	while (t->in_header)
		end_header(t);
	if (t->n_held > 0)
		release(t, 0);
	if (!t->has_ended)
		end_text(t, t->size);
	for (unsigned i = 0; i < t->n_parts; i++) {
		struct part *p = &t->parts[i];

		if (p->end == UINT64_MAX)
			p->end = t->size;
		if (p->kind == PART_MULTIPART && p->n_children == 0) {
			p->kind = PART_OPAQUE;
			p->why = MIME_NO_PARTS;
		}
	}
}

void tree_done(struct tree *t)
{
	free(t->parts);
	str_done(&t->header);
	str_done(&t->decoded);
	*t = (struct tree){ 0 };
}

struct part_facts tree_facts(const struct tree *t)
{
	struct part_facts all = { 0 };

	for (unsigned i = 0; i < t->n_parts; i++) {
		part_facts_join(&all, &t->parts[i].facts);
		all.has_8bit |= i > 0 && t->parts[i].has_8bit_header;
	}
	return all;
}

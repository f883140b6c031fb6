/*
 * ctl.c - read a message's control file.
 *
 *	file  = *(field / block / LF)
 *	field = letter tag value LF
 *	block = ("m" / "M") LF *(line LF) LF	(not as the first of the file)
 *
 * Two passes. The first cuts the text into fields, refuses what is no control
 * file and learns the mask and the number of recipients, since `@` may stand
 * anywhere; the second reads the values. Each looks at a byte a fixed number
 * of times, so that a hostile file costs no more than a good one of its size.
 *
 * Specification: control file format, sections 2 to 6 and 10.
 */
#include "spool/ctl.h"

#include "spool/ctl_field.h"

#include <limits.h>

enum { FIELDS_MIN = 4, BLOCK_SIZE_MIN = 80 };

struct field {
	char letter;
	bool is_whole;	    /* has its LF */
	bool is_block;	    /* `m` or `M` with its lines */
	size_t offset;	    /* of the letter */
	struct slice line;  /* from the letter to the LF, which it lacks */
	struct slice value; /* behind letter and tag byte */
	struct slice block; /* the lines of a block without the empty one */
};

struct walk {
	struct slice text;
	size_t at;
};

/* Finds the end of the block whose first line is f. Returns 1 or -1. */
static int take_block(struct walk *w, struct field *f, struct err *err)
{
	struct slice rest = slice_from(w->text, w->at);
	size_t len = 0;

	if (f->line.len > 1)
		return FAIL(err, "byte %zu: `%c` is not alone on its line",
			    f->offset, f->letter);
	if (rest.len == 0 || rest.p[0] != '\n') {
		len = slice_find_text(rest, SLICE("\n\n"));
		if (len == rest.len)
			return FAIL(err,
				    "byte %zu: `%c` block without the empty "
				    "line at its end",
				    f->offset, f->letter);
		len++; /* the last line's LF belongs to the block */
	}
	f->is_block = true;
	f->block = slice_head(rest, len);
	w->at += len + 1;
	return 1;
}

/* Takes the next field: 1, 0 at the end of the file, -1 with err filled. */
static int next_field(struct walk *w, struct field *ret, struct err *err)
{
	struct slice rest;
	size_t len;

	while (w->at < w->text.len && w->text.p[w->at] == '\n')
		w->at++;
	if (w->at == w->text.len)
		return 0;
	rest = slice_from(w->text, w->at);
	len = slice_find(rest, '\n');
	*ret = (struct field){
		.letter = rest.p[0],
		.is_whole = len < rest.len,
		.offset = w->at,
		.line = slice_head(rest, len),
		.value = slice_from(slice_head(rest, len), 2),
	};
	w->at += len + (ret->is_whole ? 1 : 0);
	if (slice_has(ret->line, '\0'))
		return FAIL(err, "byte %zu: NUL in a line", ret->offset);
	if ((ret->letter == 'm' || ret->letter == 'M') && ret->offset > 0)
		return take_block(w, ret, err);
	return 1;
}

/* ---- second pass: values ------------------------------------------------ */

struct reading {
	struct ctl *ctl;
	struct arena *arena;
	struct err *err;
	const struct ctl_sender *sender;	 /* the `s` in force */
	struct ctl_errors *errors, *last_errors; /* of the next `s` */
	struct ctl_rcpt *dsn_rcpt; /* whose `N` line may come now */
	size_t n_served;	   /* recipients that have their header */
	bool has_name, has_body_offset;
};

typedef int field_reader(struct reading *in, const struct field *f);

static int read_message_name(struct reading *in, const struct field *f)
{
	if (in->has_name)
		return FAIL(in->err, "byte %zu: a second `i` line", f->offset);
	if (f->value.len == 0)
		return FAIL(in->err, "byte %zu: `i` line without a name",
			    f->offset);
	in->has_name = true;
	in->ctl->message_name = f->value;
	return 0;
}

static int read_body_offset(struct reading *in, const struct field *f)
{
	if (in->has_body_offset)
		return FAIL(in->err, "byte %zu: a second `o` line", f->offset);
	if (!slice_uint(slice_trim(f->value), INT64_MAX, &in->ctl->body_offset))
		return FAIL(in->err, "byte %zu: bad body offset '%.*s'",
			    f->offset, SLICE_ARG(f->value));
	in->has_body_offset = true;
	return 0;
}

static int read_log_identity(struct reading *in, const struct field *f)
{
	in->ctl->log_identity = f->value;
	return 0;
}

static int read_verbose_file(struct reading *in, const struct field *f)
{
	in->ctl->verbose_file = f->value;
	return 0;
}

static int read_envid(struct reading *in, const struct field *f)
{
	in->ctl->envid = f->value;
	return 0;
}

static int read_ret(struct reading *in, const struct field *f)
{
	in->ctl->ret = ctl_read_ret(f->value);
	return 0;
}

static int read_errors(struct reading *in, const struct field *f)
{
	struct ctl_errors *e = ARENA_NEW(in->arena, struct ctl_errors);

	e->value = f->value;
	if (in->errors == NULL)
		in->errors = e;
	else
		in->last_errors->next = e;
	in->last_errors = e;
	return 0;
}

static int read_sender(struct reading *in, const struct field *f)
{
	struct ctl_sender *sender = ARENA_NEW(in->arena, struct ctl_sender);

	sender->offset = f->offset;
	if (!ctl_read_address(f->value, &sender->address))
		return FAIL(in->err, "byte %zu: sender without its four parts",
			    f->offset);
	sender->is_null = slice_eq(sender->address.channel, SLICE("error"));
	sender->errors = in->errors;
	in->errors = NULL;
	in->sender = sender;
	return 0;
}

static int read_rcpt(struct reading *in, const struct field *f)
{
	struct ctl *ctl = in->ctl;
	struct ctl_rcpt *r = &ctl->rcpts[ctl->n_rcpts];
	const char *why;

	if (in->sender == NULL)
		return FAIL(in->err, "byte %zu: recipient before any sender",
			    f->offset);
	if (!ctl_read_rcpt(f->line, ctl->flags, r, &why))
		return FAIL(in->err, "byte %zu: %s", f->offset, why);
	r->offset = f->offset;
	r->sender = in->sender;
	r->dsn.notify = NOTIFY_FAILURE;
	if (ctl->n_rcpts > 0)
		r[-1].span = r->offset - r[-1].offset;
	in->dsn_rcpt = r;
	ctl->n_rcpts++;
	return 0;
}

static int read_dsn(struct reading *in, const struct field *f)
{
	struct ctl_rcpt *r = in->dsn_rcpt;

	if (r == NULL)
		return 0;
	r->dsn.is_present = true;
	r->dsn.offset = f->offset;
	ctl_read_dsn(f->value, &r->dsn);
	return 0;
}

static int read_header(struct reading *in, const struct field *f)
{
	struct ctl *ctl = in->ctl;
	struct ctl_header *header;

	if (!f->is_block) /* the file's first byte: not a block (sect. 5) */
		return 0;
	if (f->block.len + 2 > ctl->largest_block)
		ctl->largest_block = f->block.len + 2;
	if (in->n_served == ctl->n_rcpts)
		return 0;
	header = ARENA_NEW(in->arena, struct ctl_header);
	header->offset = f->offset + 2;
	header->text = f->block;
	for (; in->n_served < ctl->n_rcpts; in->n_served++)
		ctl->rcpts[in->n_served].header = header;
	return 0;
}

/* The first pass has read it already; here so that a cut one is refused. */
static int skip_flags(struct reading *in, const struct field *f)
{
	(void)in;
	(void)f;
	return 0;
}

static field_reader *const readers[UCHAR_MAX + 1] = {
	['@'] = skip_flags,	   ['N'] = read_dsn,
	['R'] = read_ret,	   ['e'] = read_errors,
	['i'] = read_message_name, ['l'] = read_log_identity,
	['m'] = read_header,	   ['n'] = read_envid,
	['o'] = read_body_offset,  ['r'] = read_rcpt,
	['s'] = read_sender,	   ['v'] = read_verbose_file,
};

static field_reader *reader_of(const struct field *f)
{
	return readers[(unsigned char)f->letter];
}

static int read_fields(struct reading *in, struct slice text)
{
	struct walk w = { .text = text };
	struct field f;
	int r;

	while ((r = next_field(&w, &f, in->err)) > 0) {
		field_reader *read = reader_of(&f);

		if (read != NULL && f.is_whole && read(in, &f) < 0)
			return -1;
		/* `R` and `n` are message-wide and may stand between. */
		if (f.letter != 'r' && f.letter != 'R' && f.letter != 'n')
			in->dsn_rcpt = NULL;
	}
	return r;
}

static int check_complete(const struct reading *in)
{
	const struct ctl *ctl = in->ctl;

	if (!in->has_name)
		return FAIL(in->err, "no `i` line");
	if (!in->has_body_offset)
		return FAIL(in->err, "no `o` line");
	if (in->n_served < ctl->n_rcpts)
		return FAIL(in->err, "byte %zu: recipient without a header",
			    ctl->rcpts[in->n_served].offset);
	return 0;
}

/* ---- first pass: the fields --------------------------------------------- */

struct survey {
	size_t n_fields, n_rcpts;
	unsigned flags;
};

static enum ctl_verdict survey_field(struct survey *s, const struct field *f,
				     struct err *err)
{
	s->n_fields++;
	if (!f->is_whole && reader_of(f) != NULL) {
		err_set(err, 0, "byte %zu: last line is cut off", f->offset);
		return CTL_REFUSED;
	}
	if (f->letter == 'r')
		s->n_rcpts++;
	if (f->letter != '@')
		return CTL_OK;
	if (!ctl_read_flags(f->value, &s->flags)) {
		err_set(err, 0, "byte %zu: bad format mask '%.*s'", f->offset,
			SLICE_ARG(f->value));
		return CTL_REFUSED;
	}
	if ((s->flags & ~(unsigned)CTL_FLAGS_KNOWN) != 0) {
		err_set(err, 0, "unsupported format flags 0x%x", s->flags);
		return CTL_UNSUPPORTED;
	}
	return CTL_OK;
}

static enum ctl_verdict survey(struct slice text, struct survey *s,
			       struct err *err)
{
	struct walk w = { .text = text };
	enum ctl_verdict verdict = CTL_OK;
	struct field f;
	int r = 1;

	while (verdict == CTL_OK && (r = next_field(&w, &f, err)) > 0)
		verdict = survey_field(s, &f, err);
	if (verdict != CTL_OK)
		return verdict;
	if (r < 0)
		return CTL_REFUSED;
	if (s->n_fields < FIELDS_MIN) {
		err_set(err, 0, "fewer than %d fields", FIELDS_MIN);
		return CTL_REFUSED;
	}
	return CTL_OK;
}

enum ctl_verdict ctl_parse(struct slice text, struct arena *a, struct ctl *ret,
			   struct err *err)
{
	struct ctl ctl = { 0 };
	struct reading in = { .ctl = &ctl, .arena = a, .err = err };
	struct survey found = { 0 };
	enum ctl_verdict verdict;

	if (slice_starts(text, SLICE("T"))) {
		err_set(err, 0, "not a mail job");
		return CTL_TURN;
	}
	if (text.len > CTL_SIZE_MAX) {
		err_set(err, 0, "longer than %d bytes", CTL_SIZE_MAX);
		return CTL_REFUSED;
	}
	verdict = survey(text, &found, err);
	if (verdict == CTL_UNSUPPORTED)
		ret->flags = found.flags;
	if (verdict != CTL_OK)
		return verdict;
	ctl.flags = found.flags;
	ctl.rcpts = arena_array(a, found.n_rcpts, sizeof(*ctl.rcpts));
	if (read_fields(&in, text) < 0 || check_complete(&in) < 0)
		return CTL_REFUSED;
	*ret = ctl;
	return CTL_OK;
}

uint64_t ctl_size_estimate(const struct ctl *ctl, uint64_t message_file_size)
{
	uint64_t e = 0;

	if (message_file_size > ctl->body_offset)
		e = message_file_size - ctl->body_offset;
	e += ctl->largest_block > BLOCK_SIZE_MIN ? ctl->largest_block
						 : BLOCK_SIZE_MIN;
	return e + e / 100 * 3 + e % 100 * 3 / 100; /* 3*e/100 would wrap */
}

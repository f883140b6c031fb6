/*
 * rfc2047.c - writing encoded-words.
 *
 *	encoded-word = "=?" charset "?" ("Q" / "B") "?" encoded-text "?="
 *
 * A run is written in both encodings, each with the folding it needs, and the
 * shorter result is taken.
 */
#include "mime/rfc2047.h"

#include "mime/charset.h"
#include "mime/rfc2047_internal.h"
#include "mime/token.h"

enum {
	WORD_MAX = 75, /* RFC 2047 2 */
	LINE_MAX_COLUMNS = 76,
	OVERHEAD = 7, /* "=?" "?Q?" "?=" */
	/* A word that could not hold more is not begun on the current line. */
	WORTH_BEGINNING = 24,
	/* More than this behind a word is not kept on its line. */
	BEHIND_MAX = 8,
	/* A name so long that the value may begin on the next line. */
	LONG_NAME = 38
};

static const char hex_digits[] = "0123456789ABCDEF";
static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";

bool rfc2047_is_word(struct slice word)
{
	struct slice rest = slice_from(word, 2), charset, encoding, text;

	if (word.len < 8 || !slice_starts(word, SLICE("=?")) ||
	    word.p[word.len - 2] != '?' || word.p[word.len - 1] != '=')
		return false;
	rest.len -= 2;
	if (!slice_cut(&rest, '?', &charset) ||
	    !slice_cut(&rest, '?', &encoding))
		return false;
	text = rest;
	return charset.len > 0 && encoding.len == 1 &&
	       slice_has(SLICE("QqBb"), encoding.p[0]) && text.p != NULL &&
	       !slice_has(text, '?');
}

/* ---- encoded text --------------------------------------------------- */

/* Does c stand for itself in a Q word there (RFC 2047 4.2, 5)? */
static bool is_q_plain(char c, enum words_context context)
{
	if (ascii_is_alpha(c) || ascii_is_digit(c))
		return true;
	if (context == WORDS_PHRASE)
		return c != '\0' && slice_has(SLICE("!*+-/"), c);
	if (c <= ' ' || c == 0x7f || (unsigned char)c >= 0x80 ||
	    slice_has(SLICE("=?_"), c))
		return false;
	return context == WORDS_TEXT || !slice_has(SLICE("()\"\\"), c);
}

static size_t q_len(struct slice s, enum words_context context)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.p[i] == ' ' || is_q_plain(s.p[i], context) ? 1 : 3;
	return n;
}

static void add_q(struct str *to, struct slice s, enum words_context context)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == ' ') {
			str_addc(to, '_');
		} else if (is_q_plain(s.p[i], context)) {
			str_addc(to, s.p[i]);
		} else {
			str_addc(to, '=');
			str_addc(to, hex_digits[c >> 4]);
			str_addc(to, hex_digits[c & 15]);
		}
	}
}

static size_t b_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

static void add_b(struct str *to, struct slice s)
{
	for (size_t i = 0; i < s.len; i += 3) {
		unsigned bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 |
			       (i + k < s.len ? (unsigned char)s.p[i + k] : 0u);
		for (size_t k = 0; k < 4; k++)
			str_addc(
			    to, i + k > s.len
				    ? '='
				    : base64_digits[bits >> (18 - 6 * k) & 63]);
	}
}

/* ---- runs ----------------------------------------------------------- */

struct encoding {
	char letter; /* Q or B */
	struct slice charset;
	enum words_context context;
};

/*
 * The length of the first part of s that fits a word of `max` bytes; at least
 * one character.
 */
static size_t part_len(const struct encoding *e, struct slice s, size_t max)
{
	size_t used = OVERHEAD + e->charset.len, n = 0;

	while (n < s.len) {
		struct slice rest = slice_from(s, n);
		size_t len = charset_char_len(e->charset, rest);

		if (e->letter == 'Q')
			used += q_len(slice_head(rest, len), e->context);
		else
			used = OVERHEAD + e->charset.len + b_len(n + len);
		if (used > max && n > 0)
			break;
		n += len;
	}
	return n;
}

static void add_word(struct str *to, const struct encoding *e, struct slice s)
{
	str_adds(to, "=?");
	str_add(to, e->charset);
	str_addc(to, '?');
	str_addc(to, e->letter);
	str_addc(to, '?');
	if (e->letter == 'Q')
		add_q(to, s, e->context);
	else
		add_b(to, s);
	str_adds(to, "?=");
}

/* The column behind s, written from a column on. */
static size_t column_behind(size_t column, struct slice s)
{
	size_t lf = slice_find_last(s, '\n');

	return lf < s.len ? s.len - lf - 1 : column + s.len;
}

/* May a line end be put before white space that is to be written here? */
static bool can_fold(const struct words *w, struct slice space)
{
	return space.len > 0 && !slice_has(space, '\n') &&
	       (w->column > w->name_end || w->name_end > LONG_NAME);
}

/* Adds a run in one encoding, with the white space before it. */
static void add_run(struct str *to, const struct words *w,
		    const struct encoding *e)
{
	struct slice rest = str_slice(&w->run);
	size_t text =
	    e->letter == 'Q' ? q_len(rest, e->context) : b_len(rest.len);
	size_t whole = OVERHEAD + e->charset.len + text;
	size_t least = OVERHEAD + e->charset.len + WORTH_BEGINNING;
	size_t line = LINE_MAX_COLUMNS - w->behind, max;
	size_t column = column_behind(w->column, w->lead) + w->prefix.len;

	if (column + (whole <= WORD_MAX ? whole : least) > line &&
	    can_fold(w, w->lead)) {
		str_addc(to, '\n');
		column = w->lead.len + w->prefix.len;
	}
	str_add(to, w->lead);
	str_add(to, w->prefix);
	while (rest.len > 0) {
		size_t n;

		max = column < line ? line - column : 0;
		n = part_len(e, rest, max < WORD_MAX ? max : WORD_MAX);
		add_word(to, e, slice_head(rest, n));
		rest = slice_from(rest, n);
		if (rest.len > 0)
			str_adds(to, "\n ");
		column = 1;
	}
}

static bool is_utf8(struct slice s)
{
	struct utf8 u;

	utf8_begin(&u);
	utf8_push(&u, s);
	return utf8_is_wide(&u);
}

/* Writes the run, if there is one, in the shorter encoding. */
static void write_run(struct words *w)
{
	struct encoding q = { .letter = 'Q', .context = w->context }, b;
	struct str in_q = STR_INIT, in_b = STR_INIT;
	struct slice best;

	if (w->run.len == 0)
		return;
	if (w->lead.len == 0 && w->context != WORDS_COMMENT)
		w->lead = SLICE(" ");
	q.charset = charset_choose(is_utf8(str_slice(&w->run)), w->charset);
	b = q;
	b.letter = 'B';
	add_run(&in_q, w, &q);
	add_run(&in_b, w, &b);
	best = str_slice(in_q.len < in_b.len ? &in_q : &in_b);
	str_add(w->to, best);
	w->column = column_behind(w->column, best);
	w->is_after_word = true;
	w->needs_space = w->context == WORDS_PHRASE;
	w->n_runs++;
	str_clear(&w->run);
	str_done(&in_q);
	str_done(&in_b);
}

/* ---- the sequence --------------------------------------------------- */

void words_begin(struct words *w, struct str *to, struct slice charset,
		 size_t name_end)
{
	*w = (struct words){
		.to = to,
		.charset = charset,
		.name_end = name_end,
		.column = name_end,
	};
}

void words_done(struct words *w)
{
	str_done(&w->run);
	*w = (struct words){ 0 };
}

static void write_text(struct words *w, struct slice text)
{
	str_add(w->to, text);
	w->column = column_behind(w->column, text);
}

/* Writes white space and "(" that came last, before `next` bytes. */
static void write_space(struct words *w, size_t next)
{
	next += w->open.len;
	if (w->column + w->space.len + next > LINE_MAX_COLUMNS && next > 0 &&
	    can_fold(w, w->space))
		write_text(w, SLICE("\n"));
	write_text(w, w->space);
	write_text(w, w->open);
	w->space = w->open = (struct slice){ 0 };
}

/* Text of a run: no line ends; control bytes are nobody's text. */
static void add_to_run(struct words *w, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '\n' || c == '\r')
			continue;
		str_addc(&w->run,
			 (c < ' ' && c != '\t') || c == 0x7f ? '?' : (char)c);
	}
}

void words_space(struct words *w, struct slice space)
{
	if (w->open.len > 0)
		write_space(w, 0);
	w->space = space;
}

void words_plain(struct words *w, struct slice text, size_t behind)
{
	bool is_word = rfc2047_is_word(text);

	/* White space between encoded-words is lost, so it goes into ours. */
	if (w->run.len > 0 && is_word) {
		add_to_run(w, w->space);
		w->space = SLICE(" ");
	}
	write_run(w);
	write_space(w, text.len + behind);
	write_text(w, text);
	w->is_after_word = is_word;
	w->needs_space = false;
}

void words_encode(struct words *w, struct slice content,
		  enum words_context context, size_t behind)
{
	if (w->run.len > 0) {
		add_to_run(w, w->space);
	} else {
		w->context = context;
		w->lead = w->space;
		w->prefix = w->open;
		if (w->is_after_word) {
			add_to_run(w, w->space);
			w->lead = SLICE(" ");
		}
	}
	w->space = w->open = (struct slice){ 0 };
	w->behind = behind < BEHIND_MAX ? behind : BEHIND_MAX;
	add_to_run(w, content);
}

/* What was before a special or a parenthesis is written. */
static void finish_words(struct words *w)
{
	write_run(w);
	if (w->needs_space && w->space.len == 0)
		w->space = SLICE(" ");
	w->is_after_word = false;
	w->needs_space = false;
}

void words_open(struct words *w, struct slice text)
{
	finish_words(w);
	if (w->open.len > 0)
		w->open.len += text.len; /* they stand side by side */
	else
		w->open = text;
}

void words_delimiter(struct words *w, struct slice text, size_t behind)
{
	finish_words(w);
	write_space(w, text.len + behind);
	write_text(w, text);
}

void words_end(struct words *w)
{
	write_run(w);
	write_space(w, 0);
}

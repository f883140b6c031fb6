/*
 * header.c - a message's header: its fields, and small edits of them.
 */
#include "mime/header.h"

enum {
	LINE_COLUMNS = 78, /* RFC 5322 2.1.1 */
	TAB_COLUMNS = 8,
	ADDRESS_MAX = 254 /* RFC 5321 4.5.3.1.3, without the brackets */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* White space of a folded field. */
static bool is_fws(char c)
{
	return is_blank(c) || c == '\n' || c == '\r';
}

/* ---- fields ------------------------------------------------------------ */

struct header_field header_field_of(struct slice text)
{
	struct header_field f = { .all = text };
	struct slice first = slice_head(text, slice_find(text, '\n'));
	size_t colon = slice_find(first, ':');

	if (colon < first.len && !is_blank(first.p[0])) {
		f.name = slice_trim(slice_head(first, colon));
		f.body = slice_from(text, colon + 1);
	}
	return f;
}

bool header_next(struct slice *rest, struct header_field *ret)
{
	size_t end;

	if (rest->len == 0)
		return false;
	end = slice_find(*rest, '\n');
	while (end + 1 < rest->len && is_blank(rest->p[end + 1]))
		end += 1 + slice_find(slice_from(*rest, end + 1), '\n');
	*ret = header_field_of(slice_head(*rest, end));
	*rest = slice_from(*rest, end + 1);
	return true;
}

bool header_is(const struct header_field *f, const char *name)
{
	return slice_eq_nocase(f->name, slice_of(name));
}

bool header_is_one_of(const struct header_field *f, const char *const *names)
{
	for (; *names != NULL; names++)
		if (header_is(f, *names))
			return true;
	return false;
}

/* ---- writing ----------------------------------------------------------- */

/* The column behind c, counted in bytes from the start of the line. */
static size_t next_column(size_t column, char c)
{
	if (c == '\n')
		return 0;
	if (c == '\t')
		return (column / TAB_COLUMNS + 1) * TAB_COLUMNS;
	return column + 1;
}

static void add_tab(struct str *to, size_t column, bool expand_tabs)
{
	if (!expand_tabs) {
		str_addc(to, '\t');
		return;
	}
	for (size_t n = next_column(column, '\t') - column; n > 0; n--)
		str_addc(to, ' ');
}

static void add_clean_line(struct str *to, struct slice line, bool expand_tabs)
{
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];

		if (c == '\r' || c == '\0')
			continue;
		if (c == '\t')
			add_tab(to, column, expand_tabs);
		else
			str_addc(to, c);
		column = next_column(column, c);
	}
}

void header_add_clean(struct str *to, struct slice field, bool expand_tabs)
{
	size_t begin = to->len;
	struct slice line;

	str_reserve(to, field.len);
	while (slice_cut(&field, '\n', &line)) {
		size_t before = to->len;

		if (before > begin)
			str_addc(to, '\n');
		add_clean_line(to, line, expand_tabs);
		if (before > begin && to->len == before + 1)
			str_cut(to, before);
	}
}

/* ---- the "for" clause -------------------------------------------------- */

/* Where we are in a structured field body (RFC 5322 3.2). */
struct lexer {
	unsigned comment; /* depth */
	bool is_quoted, is_escaped;
};

/* Takes one byte; is it outside comments and quoted strings? */
static bool lex(struct lexer *l, char c)
{
	bool is_outside = l->comment == 0 && !l->is_quoted;

	if (l->is_escaped) {
		l->is_escaped = false;
		return false;
	}
	if (c == '\\')
		l->is_escaped = !is_outside;
	else if (l->is_quoted)
		l->is_quoted = c != '"';
	else if (c == '"' && l->comment == 0)
		l->is_quoted = true;
	else if (c == '(')
		l->comment++;
	else if (c == ')' && l->comment > 0)
		l->comment--;
	return is_outside && l->comment == 0 && !l->is_quoted;
}

/* Does the word "for" stand at byte i, between white space? */
static bool is_for(struct slice s, size_t i)
{
	return i > 0 && is_fws(s.p[i - 1]) && i + 3 < s.len &&
	       is_fws(s.p[i + 3]) &&
	       slice_starts_nocase(slice_from(s, i), SLICE("for"));
}

/* Offset of the ';' before which the clause goes; s.len if it cannot go. */
static size_t find_place(struct slice s)
{
	struct lexer l = { 0 };
	size_t place = s.len;

	for (size_t i = 0; i < s.len; i++) {
		if (!lex(&l, s.p[i]))
			continue;
		if (is_for(s, i))
			return s.len;
		if (s.p[i] == ';')
			place = i;
	}
	return place;
}

static bool is_address(struct slice s)
{
	return s.len > 0 && s.len <= ADDRESS_MAX && !slice_has_control(s) &&
	       !slice_has(s, ' ') && !slice_has(s, '<') && !slice_has(s, '>');
}

/* White space before the next `width` columns; true: a new line was begun. */
static void add_space(struct str *to, size_t *column, size_t width, size_t max)
{
	bool must_fold = *column + 1 + width > max;

	str_adds(to, must_fold ? "\n\t" : " ");
	*column = must_fold ? TAB_COLUMNS : *column + 1;
}

static void add_word(struct str *to, size_t *column, struct slice word)
{
	add_space(to, column, word.len, LINE_COLUMNS - 1);
	str_add(to, word);
	*column += word.len;
}

/* Adds the ';' and the date behind it, without white space before it. */
static void add_date(struct str *to, size_t column, struct slice date)
{
	while (date.len > 0 && is_fws(date.p[0]))
		date = slice_from(date, 1);
	str_addc(to, ';');
	column++;
	if (date.len > 0)
		add_space(to, &column, slice_find(date, '\n'), LINE_COLUMNS);
	str_add(to, date);
}

bool header_add_for_clause(struct str *to, struct slice field,
			   struct slice address)
{
	size_t place = find_place(field), end = place, column = 0;
	struct slice date = slice_from(field, place + 1);
	struct str bracketed = STR_INIT;

	if (place == field.len || !is_address(address))
		return false;
	while (end > 0 && is_fws(field.p[end - 1]))
		end--;
	str_add(to, slice_head(field, end));
	for (size_t i = 0; i < end; i++)
		column = next_column(column, field.p[i]);
	str_addf(&bracketed, "<%.*s>", SLICE_ARG(address));
	add_word(to, &column, SLICE("for"));
	add_word(to, &column, str_slice(&bracketed));
	str_done(&bracketed);
	add_date(to, column, date);
	return true;
}

/* ---- a remark ---------------------------------------------------------- */

static size_t last_semicolon(struct slice s)
{
	struct lexer l = { 0 };
	size_t place = s.len;

	for (size_t i = 0; i < s.len; i++)
		if (lex(&l, s.p[i]) && s.p[i] == ';')
			place = i;
	return place;
}

bool header_takes_remark(struct slice field)
{
	return last_semicolon(field) < field.len;
}

bool header_add_remark(struct str *to, struct slice field, struct slice remark)
{
	size_t place = last_semicolon(field), column = 0;
	struct slice before = slice_head(field, place), word;

	if (place == field.len)
		return false;
	while (before.len > 0 && is_fws(before.p[before.len - 1]))
		before.len--;
	str_add(to, before);
	for (size_t i = 0; i < before.len; i++)
		column = next_column(column, before.p[i]);
	while (slice_word(&remark, &word))
		add_word(to, &column, word);
	add_date(to, column, slice_from(field, place + 1));
	return true;
}

/* ---- long lines -------------------------------------------------------- */

/*
 * Where a line is folded: the white space that begins the next one. s.len if
 * there is no place. Neither line may be blank.
 */
static size_t fold_place(struct slice line)
{
	struct slice text = line;
	size_t begin = 0, place = line.len;

	while (text.len > 0 && is_fws(text.p[text.len - 1]))
		text.len--; /* a blank line would be behind it */
	while (begin < text.len && is_fws(text.p[begin]))
		begin++;
	for (size_t i = begin; i < text.len; i++) {
		if (!is_fws(text.p[i]))
			continue;
		if (i > HEADER_LINE_MAX && place < line.len)
			break;
		place = i;
		if (i > HEADER_LINE_MAX)
			break;
	}
	return place;
}

static void add_folded_line(struct str *to, struct slice line)
{
	while (line.len > HEADER_LINE_MAX) {
		size_t place = fold_place(line);

		if (place == line.len)
			break;
		str_add(to, slice_head(line, place));
		str_addc(to, '\n');
		line = slice_from(line, place);
	}
	str_add(to, line);
}

bool header_add_folded(struct str *to, struct slice field)
{
	struct slice rest = field, line;
	bool is_long = false, is_first = true;

	while (slice_cut(&rest, '\n', &line))
		is_long |= line.len > HEADER_LINE_MAX;
	while (is_long && slice_cut(&field, '\n', &line)) {
		if (!is_first)
			str_addc(to, '\n');
		add_folded_line(to, line);
		is_first = false;
	}
	return is_long;
}

/*
 * ctype.c - Content-Type and Content-Transfer-Encoding.
 *
 *	content   := type "/" subtype *(";" parameter)
 *	parameter := attribute "=" (token / quoted-string)
 *
 * with comments and white space anywhere between. Two liberties are granted,
 * since much mail takes them: an empty parameter (a ';' too many), and bytes
 * above 0x7f in an unquoted value.
 */
#include "mime/ctype.h"

#include "base/keyword.h"
#include "mime/token.h"

#include <string.h>

static bool next(struct slice *rest, struct token *ret)
{
	return token_next_word(rest, token_mime_specials, ret);
}

static bool is_special(const struct token *t, char c)
{
	return t->kind == TOKEN_SPECIAL && t->text.p[0] == c;
}

/* A token in the sense of RFC 2045. */
static bool is_token(const struct token *t)
{
	return t->kind == TOKEN_ATOM && !slice_has_control(t->text) &&
	       !slice_has_8bit(t->text);
}

static bool is_value(const struct token *t)
{
	return t->kind == TOKEN_QUOTED ||
	       (t->kind == TOKEN_ATOM && !slice_has_control(t->text));
}

/* ---- reading -------------------------------------------------------- */

/*
 * Reads one parameter behind its ';' : 1 and *ret, 0 if it is empty, -1 if it
 * cannot be read. *rest is then behind it, at the next ';' or at the end.
 */
static int read_param(struct slice *rest, struct ctype_param *ret)
{
	struct slice at = *rest;
	struct token name, equals, value, after;

	if (!next(&at, &name) || is_special(&name, ';'))
		return 0;
	if (!is_token(&name) || !next(&at, &equals) ||
	    !is_special(&equals, '=') || !next(&at, &value) ||
	    !is_value(&value))
		return -1;
	*rest = at;
	if (next(&at, &after) && !is_special(&after, ';'))
		return -1;
	*ret = (struct ctype_param){ .name = name.text, .value = value.text };
	return 1;
}

/* 1: a parameter; 0: the end; -1: something else. */
static int next_param(struct slice *rest, struct ctype_param *ret)
{
	struct token semicolon;
	int r = 0;

	while (r == 0 && next(rest, &semicolon)) {
		if (!is_special(&semicolon, ';'))
			return -1;
		r = read_param(rest, ret);
	}
	return r;
}

bool ctype_next_param(struct slice *rest, struct ctype_param *ret)
{
	struct ctype_param param;

	if (next_param(rest, &param) <= 0)
		return false;
	*ret = param;
	return true;
}

bool ctype_parse(struct slice body, struct ctype *ret)
{
	struct ctype c = { 0 };
	struct ctype_param ignored;
	struct token type, t;
	int r;

	if (!next(&body, &type) || !is_token(&type))
		return false;
	c.type = type.text;
	c.params = body;
	if (next(&body, &t) && is_special(&t, '/')) {
		if (!next(&body, &t) || !is_token(&t))
			return false;
		c.subtype = t.text;
		c.params = body;
	}
	body = c.params;
	if (next(&body, &t) && !is_special(&t, ';'))
		return false;
	body = c.params;
	while ((r = next_param(&body, &ignored)) > 0)
		;
	c.is_sound = r == 0 && c.subtype.len > 0;
	*ret = c;
	return true;
}

bool ctype_is(const struct ctype *c, const char *type, const char *subtype)
{
	return slice_eq_nocase(c->type, slice_of(type)) &&
	       slice_eq_nocase(c->subtype, slice_of(subtype));
}

bool ctype_find(const struct ctype *c, const char *name,
		struct ctype_param *ret)
{
	struct slice rest = c->params;
	struct ctype_param param;

	while (ctype_next_param(&rest, &param)) {
		if (slice_eq_nocase(param.name, slice_of(name))) {
			*ret = param;
			return true;
		}
	}
	return false;
}

void ctype_add_value(struct str *to, struct slice value)
{
	if (value.len > 0 && value.p[0] == '"')
		token_add_unquoted(to, value);
	else
		str_add(to, value);
}

/* ---- editing -------------------------------------------------------- */

enum { LINE_COLUMNS = 78 }; /* RFC 5322 2.1.1 */

static bool is_plain_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_' ||
	       c == '.';
}

static void add_quoted(struct str *to, struct slice value)
{
	bool is_plain = value.len > 0;

	for (size_t i = 0; i < value.len; i++)
		is_plain &= is_plain_byte(value.p[i]);
	if (is_plain) {
		str_add(to, value);
		return;
	}
	str_addc(to, '"');
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			str_addc(to, '\\');
		str_addc(to, value.p[i]);
	}
	str_addc(to, '"');
}

/* Adds text with the part that `old` borrows from it replaced. */
static void add_replaced(struct str *to, struct slice text, struct slice old,
			 struct slice with)
{
	size_t at = (size_t)(old.p - text.p);

	str_add(to, slice_head(text, at));
	str_add(to, with);
	str_add(to, slice_from(text, at + old.len));
}

/* Where a parameter is added: behind what was read last. */
static size_t params_end(struct slice body, const struct ctype *c)
{
	struct slice rest = c->params, last = c->subtype;
	struct ctype_param param;

	if (last.len == 0)
		last = c->type;
	while (ctype_next_param(&rest, &param))
		last = param.value;
	return (size_t)(last.p + last.len - body.p);
}

void ctype_set(struct str *to, struct slice body, const char *name,
	       struct slice value)
{
	struct str text = STR_INIT;
	struct ctype_param param;
	struct ctype c;
	size_t end, line;

	if (!ctype_parse(body, &c)) {
		str_add(to, body);
		return;
	}
	if (ctype_find(&c, name, &param)) {
		add_quoted(&text, value);
		add_replaced(to, body, param.value, str_slice(&text));
		str_done(&text);
		return;
	}
	str_addf(&text, "%s=", name);
	add_quoted(&text, value);
	end = params_end(body, &c);
	line = slice_find_last(slice_head(body, end), '\n');
	str_add(to, slice_head(body, end));
	/* the field's name is not known here: as long as they get */
	line = line < end ? end - line - 1
			  : end + sizeof("Content-Disposition:") - 1;
	str_adds(to, line + 2 + text.len > LINE_COLUMNS ? ";\n\t" : "; ");
	str_add(to, str_slice(&text));
	str_add(to, slice_from(body, end));
	str_done(&text);
}

/* ---- Content-Transfer-Encoding -------------------------------------- */

enum cte cte_parse(struct slice body, struct slice *ret_word)
{
	static const struct keyword words[] = {
		{ "7bit", CTE_7BIT },	  { "7-bit", CTE_7BIT },
		{ "8bit", CTE_8BIT },	  { "8-bit", CTE_8BIT },
		{ "binary", CTE_BINARY }, { "quoted-printable", CTE_QP },
		{ "base64", CTE_BASE64 },
	};
	const struct keyword *found;
	struct token word, after;
	struct slice name;

	if (ret_word != NULL)
		*ret_word = (struct slice){ 0 };
	if (!next(&body, &word) || !is_value(&word) || next(&body, &after))
		return CTE_OTHER;
	if (ret_word != NULL)
		*ret_word = word.text;
	name = word.text;
	if (word.kind == TOKEN_QUOTED)
		name = slice_make(name.p + 1, name.len - 2);
	found = keyword_find(words, COUNT(words), name);
	return found != NULL ? (enum cte)found->value : CTE_OTHER;
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

void cte_set(struct str *to, struct slice body, const char *word)
{
	size_t begin = 0, end = body.len;

	while (begin < end && (body.p[begin] == ' ' || body.p[begin] == '\t'))
		begin++;
	while (end > begin && is_line_end(body.p[end - 1]))
		end--;
	if (begin == 0 && (end == 0 || is_line_end(body.p[0])))
		str_addc(to, ' ');
	str_add(to, slice_head(body, begin));
	str_adds(to, word);
	str_add(to, slice_from(body, end));
}

/*
 * token.c - the tokens of a structured field body.
 */
#include "mime/token.h"

#include <string.h>

const char token_mail_specials[] = "()<>[]:;@\\,\"";
const char token_mime_specials[] = "()<>@,;:\\\"/[]?=";

bool token_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Length of "(...)", or of all of s if it has no end. */
static size_t comment_len(struct slice s, bool *ret_is_bad)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	*ret_is_bad = true;
	return s.len;
}

/* Length of what begins with one byte and ends with `last`, or of all of s. */
static size_t enclosed_len(struct slice s, char last, bool *ret_is_bad)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == last)
			return i + 1;
	}
	*ret_is_bad = true;
	return s.len;
}

static size_t space_len(struct slice s)
{
	size_t n = 0;

	while (n < s.len && token_is_space(s.p[n]))
		n++;
	return n;
}

static bool is_special(const char *specials, char c)
{
	return c != '\0' && strchr(specials, c) != NULL;
}

static size_t atom_len(struct slice s, const char *specials)
{
	size_t n = 1;

	while (n < s.len && !token_is_space(s.p[n]) &&
	       !is_special(specials, s.p[n]))
		n++;
	return n;
}

bool token_next(struct slice *rest, const char *specials, struct token *ret)
{
	bool is_bad = false;
	enum token_kind kind;
	size_t n = 1;

	if (rest->len == 0)
		return false;
	if (token_is_space(rest->p[0])) {
		kind = TOKEN_SPACE;
		n = space_len(*rest);
	} else if (rest->p[0] == '(') {
		kind = TOKEN_COMMENT;
		n = comment_len(*rest, &is_bad);
	} else if (rest->p[0] == '"') {
		kind = TOKEN_QUOTED;
		n = enclosed_len(*rest, '"', &is_bad);
	} else if (rest->p[0] == '[') {
		kind = TOKEN_LITERAL;
		n = enclosed_len(*rest, ']', &is_bad);
	} else if (is_special(specials, rest->p[0])) {
		kind = TOKEN_SPECIAL;
	} else {
		kind = TOKEN_ATOM;
		n = atom_len(*rest, specials);
	}
	ret->kind = is_bad ? TOKEN_BAD : kind;
	ret->text = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return true;
}

bool token_next_word(struct slice *rest, const char *specials,
		     struct token *ret)
{
	while (token_next(rest, specials, ret))
		if (ret->kind != TOKEN_SPACE && ret->kind != TOKEN_COMMENT)
			return true;
	return false;
}

void token_add_unquoted(struct str *to, struct slice text)
{
	for (size_t i = 1; i + 1 < text.len; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 2 < text.len)
			c = text.p[++i];
		if (c != '\n' && c != '\r')
			str_addc(to, c);
	}
}

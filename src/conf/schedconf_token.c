/*
 * schedconf_token.c - the words of scheduler.conf.
 *
 *	token  = word [ *WS "=" *WS value ]
 *	word   = 1*( any but SP TAB LF "=" "#" )
 *	value  = DQUOTE *( any but DQUOTE LF / "\" LF ) DQUOTE
 *	       / 1*( any but SP TAB LF )
 *	WS     = SP / TAB / CR
 *
 * A "#" where a token could begin opens a comment to the end of the line.
 */
#include "conf/schedconf_token.h"

#include "base/str.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char head(const struct schedconf_reader *r)
{
	return r->rest.len > 0 ? r->rest.p[0] : '\n';
}

static void skip(struct schedconf_reader *r, size_t n)
{
	r->rest = slice_from(r->rest, n);
}

static void skip_blanks(struct schedconf_reader *r)
{
	while (r->rest.len > 0 && is_blank(head(r)))
		skip(r, 1);
}

/* To the first byte of a token; false at the end. */
static bool find_token(struct schedconf_reader *r, bool *ret_is_column_0)
{
	while (r->rest.len > 0) {
		if (head(r) == '\n') {
			skip(r, 1);
			r->line++;
			r->at_bol = true;
		} else if (head(r) == '#') {
			skip(r, slice_find(r->rest, '\n'));
		} else if (is_blank(head(r))) {
			skip(r, 1);
			r->at_bol = false;
		} else {
			*ret_is_column_0 = r->at_bol;
			r->at_bol = false;
			return true;
		}
	}
	return false;
}

static struct slice cut_while(struct schedconf_reader *r, const char *stops)
{
	struct slice all = r->rest, end = slice_of(stops);
	size_t n = 0;

	while (n < all.len && !is_blank(all.p[n]) && !slice_has(end, all.p[n]))
		n++;
	skip(r, n);
	return slice_head(all, n);
}

/* Behind the opening quote; *ret_value lives in the arena. */
static enum parse read_quoted(struct schedconf_reader *r,
			      struct slice *ret_value, struct err *err)
{
	unsigned begun = r->line;
	struct str value = STR_INIT;
	enum parse result = PARSE_BAD;

	while (r->rest.len > 0 && head(r) != '"' && head(r) != '\n') {
		if (slice_starts(r->rest, SLICE("\\\n"))) {
			skip(r, 2);
			r->line++;
			continue;
		}
		str_addc(&value, head(r));
		skip(r, 1);
	}
	if (r->rest.len > 0 && head(r) == '"') {
		skip(r, 1);
		*ret_value = arena_dup(r->arena, str_slice(&value));
		result = PARSE_DONE;
	} else {
		err_set(err, 0, "%u: a quoted value without its second '\"'",
			begun);
	}
	str_done(&value);
	return result;
}

enum parse schedconf_next(struct schedconf_reader *r,
			  struct schedconf_token *ret, struct err *err)
{
	struct schedconf_token t = { 0 };
	struct slice before;

	if (!find_token(r, &t.is_column_0))
		return PARSE_MORE;
	t.line = r->line;
	t.word = cut_while(r, "\n=#");
	if (t.word.len == 0) {
		err_set(err, 0, "%u: a '=' without a word before it", t.line);
		return PARSE_BAD;
	}
	before = r->rest;
	skip_blanks(r);
	if (head(r) != '=') {
		r->rest = before; /* blanks tell columns apart */
	} else {
		skip(r, 1);
		skip_blanks(r);
		t.has_value = true;
		if (head(r) == '"') {
			skip(r, 1);
			if (read_quoted(r, &t.value, err) != PARSE_DONE)
				return PARSE_BAD;
		} else {
			t.value = cut_while(r, "\n");
		}
	}
	if (slice_has(t.word, '\0') || slice_has(t.value, '\0')) {
		err_set(err, 0, "%u: a NUL", t.line);
		return PARSE_BAD;
	}
	*ret = t;
	return PARSE_DONE;
}

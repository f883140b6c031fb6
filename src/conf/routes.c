/*
 * routes.c - routes.conf: where the mail for an address goes.
 *
 * Lines are few; they are kept in order and tried one by one. Matching with
 * '*' goes back only to the last star, so it takes at most the product of both
 * lengths.
 */
#include "conf/routes.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "conf/textfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct route {
	struct routes_match match;
	bool has_domain;
	struct slice local, domain; /* globs */
};

struct routes {
	const char *name;
	struct route *routes;
	size_t n;
};

/* ---- globs -------------------------------------------------------------- */

static bool is_same(char glob, char c)
{
	return glob == '?' || ascii_lower(glob) == ascii_lower(c);
}

static bool glob_matches(struct slice glob, struct slice text)
{
	size_t g = 0, t = 0, star = SIZE_MAX, begun = 0;

	while (t < text.len) {
		if (g < glob.len && glob.p[g] == '*') {
			star = g++;
			begun = t;
		} else if (g < glob.len && is_same(glob.p[g], text.p[t])) {
			g++;
			t++;
		} else if (star != SIZE_MAX) {
			g = star + 1;
			t = ++begun;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.p[g] == '*')
		g++;
	return g == glob.len;
}

/* ---- variables ---------------------------------------------------------- */

enum variable { LOCAL, DOMAIN, ADDRESS };

static const struct keyword variables[] = {
	{ "local", LOCAL },
	{ "domain", DOMAIN },
	{ "address", ADDRESS },
};

/*
 * Cuts the next piece off *rest: plain text, or a variable, *ret_row then
 * being its row. False at the end, and with *rest not empty where a "${" is
 * none of ours.
 */
static bool next_piece(struct slice *rest, struct slice *ret_text,
		       const struct keyword **ret_row)
{
	size_t at = slice_find_text(*rest, SLICE("${")), end;

	*ret_row = NULL;
	if (rest->len == 0)
		return false;
	if (at > 0) {
		*ret_text = slice_head(*rest, at);
		*rest = slice_from(*rest, at);
		return true;
	}
	end = slice_find(*rest, '}');
	if (end == rest->len)
		return false;
	*ret_text = slice_head(slice_from(*rest, 2), end - 2);
	*ret_row = keyword_find(variables, COUNT(variables), *ret_text);
	if (*ret_row == NULL)
		return false;
	*rest = slice_from(*rest, end + 1);
	return true;
}

void routes_expand(struct slice word, const struct routes_address *address,
		   struct str *to)
{
	const struct slice values[] = {
		[LOCAL] = address->local,
		[DOMAIN] = address->domain,
		[ADDRESS] = address->address,
	};
	const struct keyword *row;
	struct slice piece;

	while (next_piece(&word, &piece, &row))
		str_add(to, row != NULL ? values[row->value] : piece);
}

static bool has_good_variables(struct slice word)
{
	const struct keyword *row;
	struct slice piece;

	while (next_piece(&word, &piece, &row))
		;
	return word.len == 0;
}

/* ---- the file ----------------------------------------------------------- */

enum { WORDS_MAX = 4 }; /* pattern, channel, host, user */

static int check_word(const struct routes *r, unsigned line, struct slice word,
		      struct err *err)
{
	if (word.len > ROUTES_WORD_MAX)
		return FAIL(err, "%s:%u: a word is longer than %d bytes",
			    r->name, line, ROUTES_WORD_MAX);
	if (slice_has_control(word))
		return FAIL(err, "%s:%u: '%.*s' holds a control byte", r->name,
			    line, SLICE_ARG(word));
	if (!has_good_variables(word))
		return FAIL(err,
			    "%s:%u: '%.*s': a variable is ${local}, ${domain}"
			    " or ${address}",
			    r->name, line, SLICE_ARG(word));
	return 0;
}

struct words {
	unsigned line;
	struct slice word[WORDS_MAX];
	size_t n; /* 0: the line counts for nothing */
};

/* Splits a line. */
static int split_line(const struct routes *r, struct slice rest,
		      struct words *w, struct err *err)
{
	struct slice word;

	w->n = 0;
	while (slice_word(&rest, &word) && word.p[0] != '#') {
		if (w->n == WORDS_MAX)
			return FAIL(err,
				    "%s:%u: more than a pattern, a channel, a"
				    " host and a user",
				    r->name, w->line);
		if (check_word(r, w->line, word, err) < 0)
			return -1;
		w->word[w->n++] = word;
	}
	return 0;
}

static int read_pattern(const struct routes *r, struct route *to,
			struct slice pattern, struct err *err)
{
	size_t at = slice_find_last(pattern, '@');

	to->match.pattern = pattern;
	to->has_domain = at < pattern.len;
	to->local = slice_head(pattern, at);
	to->domain = slice_from(pattern, at + 1);
	if (to->has_domain && to->domain.len == 0)
		return FAIL(err,
			    "%s:%u: pattern '%.*s' has no domain behind"
			    " '@'",
			    r->name, to->match.line, SLICE_ARG(pattern));
	if (slice_find_text(pattern, SLICE("${")) < pattern.len)
		return FAIL(err,
			    "%s:%u: pattern '%.*s': variables are for"
			    " targets",
			    r->name, to->match.line, SLICE_ARG(pattern));
	if (to->has_domain && to->local.len == 0)
		to->local = SLICE("*");
	return 0;
}

static int read_target(const struct routes *r, struct route *to,
		       const struct slice *words, size_t n, struct err *err)
{
	struct routes_match *m = &to->match;

	if (n == 1) {
		m->is_address = true;
		m->target = words[0];
		return 0;
	}
	if (n != 3)
		return FAIL(err,
			    "%s:%u: '%.*s' needs a target: an address, or a"
			    " channel, a host and a user",
			    r->name, m->line, SLICE_ARG(m->pattern));
	m->channel = words[0];
	m->host = words[1];
	m->user = words[2];
	if (slice_has(m->channel, '$') || slice_has(m->channel, '/'))
		return FAIL(err, "%s:%u: '%.*s' is no channel", r->name,
			    m->line, SLICE_ARG(m->channel));
	return 0;
}

int routes_parse(struct slice text, const char *name, struct arena *a,
		 const struct routes **ret, struct err *err)
{
	struct routes *r = ARENA_NEW(a, struct routes);
	struct route *list = NULL;
	struct words w = { 0 };
	struct slice line;
	size_t cap = 0;
	int code = -1;

	r->name = name;
	while (textfile_line(&text, &line, &w.line)) {
		struct route route = { .match.line = w.line };

		if (split_line(r, line, &w, err) < 0)
			goto out;
		if (w.n == 0)
			continue;
		if (read_pattern(r, &route, w.word[0], err) < 0 ||
		    read_target(r, &route, w.word + 1, w.n - 1, err) < 0)
			goto out;
		list = mem_grow(list, &cap, r->n + 1, sizeof(*list));
		list[r->n++] = route;
	}
	r->routes = arena_array(a, r->n, sizeof(*list));
	if (r->n > 0)
		memcpy(r->routes, list, r->n * sizeof(*list));
	*ret = r;
	code = 0;
out:
	free(list);
	return code;
}

int routes_load(const char *name, struct arena *a, const struct routes **ret,
		struct err *err)
{
	struct textfile file = { .text = SLICE(""), .name = name };
	struct err why = { 0 };

	if (textfile_read(name, ROUTES_FILE_MAX, a, &file, &why) < 0 &&
	    why.code != ENOENT)
		return FAIL_CODE(err, why.code, "%s", why.text);
	return routes_parse(file.text, name, a, ret, err);
}

/* ---- looking up --------------------------------------------------------- */

static bool route_matches(const struct route *r,
			  const struct routes_address *address)
{
	if (!r->has_domain)
		return address->is_here &&
		       glob_matches(r->local, address->local);
	return glob_matches(r->domain, address->domain) &&
	       glob_matches(r->local, address->local);
}

bool routes_find(const struct routes *r, const struct routes_address *address,
		 struct routes_match *ret)
{
	for (size_t i = 0; i < r->n; i++)
		if (route_matches(&r->routes[i], address)) {
			*ret = r->routes[i].match;
			return true;
		}
	return false;
}

const char *routes_name(const struct routes *r)
{
	return r->name;
}

/*
 * expand.c - from a mailer's entry to the argument vector of one run.
 */
#include "smta/expand.h"

#include "base/mem.h"
#include "smta/flags.h"

#include <stdlib.h>
#include <string.h>

/* A vector being made. */
struct expander {
	const struct expand_facts *facts;
	struct arena *arena;
	char **argv;
	size_t argc, argv_cap;
	struct slice *nulls;
	size_t n_nulls, nulls_cap;
	struct slice option_like;
	bool is_past_options; /* a word "--" went before */
};

/* ---- one word ---------------------------------------------------------- */

/* A word is a row of pieces. */
enum piece_kind {
	PIECE_TEXT,
	PIECE_SENDER,
	PIECE_HOST,
	PIECE_USER,
	PIECE_USER_LOWER,
	PIECE_ZENV,    /* value is the NAME */
	PIECE_NOTHING, /* $ and a letter that means nothing, or at the end */
	PIECE_UNCLOSED /* "${" without "}" */
};

struct piece {
	enum piece_kind kind;
	struct slice text;  /* as written */
	struct slice value; /* for PIECE_TEXT and PIECE_ZENV */
};

static const struct {
	char letter;
	enum piece_kind kind;
} letters[] = {
	{ 'g', PIECE_SENDER },
	{ 'h', PIECE_HOST },
	{ 'u', PIECE_USER },
	{ 'U', PIECE_USER_LOWER },
};

static enum piece_kind kind_of_letter(char letter)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].letter == letter)
			return letters[i].kind;
	return PIECE_NOTHING;
}

/* The sequence at the start of rest, which begins with '$'. */
static struct piece dollar_piece(struct slice rest)
{
	struct piece p = { .kind = PIECE_NOTHING };
	size_t len = rest.len < 2 ? rest.len : 2;

	if (rest.len >= 2 && rest.p[1] == '$') {
		p.kind = PIECE_TEXT;
		p.value = SLICE("$");
	} else if (rest.len >= 2 && rest.p[1] == '{') {
		size_t end = slice_find(rest, '}');

		p.kind = end < rest.len ? PIECE_ZENV : PIECE_UNCLOSED;
		p.value = slice_from(slice_head(rest, end), 2);
		len = end + 1;
	} else if (rest.len >= 2) {
		p.kind = kind_of_letter(rest.p[1]);
	}
	p.text = slice_head(rest, len);
	return p;
}

/* Cuts the next piece off *rest; false at the word's end. */
static bool next_piece(struct slice *rest, struct piece *ret)
{
	size_t dollar = slice_find(*rest, '$');

	if (rest->len == 0)
		return false;
	if (dollar > 0)
		*ret = (struct piece){ .kind = PIECE_TEXT,
				       .text = slice_head(*rest, dollar),
				       .value = slice_head(*rest, dollar) };
	else
		*ret = dollar_piece(*rest);
	*rest = slice_from(*rest, ret->text.len);
	return true;
}

static bool is_replicated(struct slice word)
{
	struct piece p;

	while (next_piece(&word, &p))
		if (p.kind == PIECE_USER || p.kind == PIECE_USER_LOWER)
			return true;
	return false;
}

/* ---- values ------------------------------------------------------------ */

static struct slice lower(struct arena *a, struct slice s)
{
	char *p = arena_alloc(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_make(p, s.len);
}

static struct slice value_of(const struct expander *x, const struct piece *p,
			     const struct expand_rcpt *rcpt)
{
	struct slice value = { 0 };

	switch (p->kind) {
	case PIECE_TEXT:
		return p->value;
	case PIECE_SENDER:
		return x->facts->sender;
	case PIECE_HOST:
		return rcpt->host;
	case PIECE_USER:
		return rcpt->user;
	case PIECE_USER_LOWER:
		return lower(x->arena, rcpt->user);
	case PIECE_ZENV:
		zenv_find(x->facts->zenv, p->value, &value);
		return value;
	case PIECE_NOTHING:
	case PIECE_UNCLOSED:
		break;
	}
	return value;
}

static bool is_address(enum piece_kind kind)
{
	return kind == PIECE_SENDER || kind == PIECE_HOST ||
	       kind == PIECE_USER || kind == PIECE_USER_LOWER;
}

/* ---- the vector -------------------------------------------------------- */

static void add_argument(struct expander *x, char *text)
{
	x->argv =
	    mem_grow(x->argv, &x->argv_cap, x->argc + 1, sizeof(*x->argv));
	x->argv[x->argc++] = text;
}

static void add_null(struct expander *x, struct slice sequence)
{
	x->nulls = mem_grow(x->nulls, &x->nulls_cap, x->n_nulls + 1,
			    sizeof(*x->nulls));
	x->nulls[x->n_nulls++] = sequence;
}

/* The argument begins with the value of `first`, an address. */
static void check_option(struct expander *x, struct slice argument,
			 const struct piece *first)
{
	bool is_no_host = first->kind == PIECE_HOST && argument.len == 1;

	if (argument.len > 0 && argument.p[0] == '-' && !x->is_past_options &&
	    !is_no_host && x->option_like.len == 0)
		x->option_like = first->text;
}

static void add_word(struct expander *x, struct slice word,
		     const struct expand_rcpt *rcpt)
{
	struct str text = STR_INIT;
	struct piece p, first = { 0 };
	struct slice argument;

	while (next_piece(&word, &p)) {
		struct slice value = value_of(x, &p, rcpt);

		if (value.len == 0)
			add_null(x, p.text);
		else if (text.len == 0)
			first = p;
		str_add(&text, value);
	}
	argument = arena_dup(x->arena, str_slice(&text));
	if (is_address(first.kind))
		check_option(x, argument, &first);
	add_argument(x, (char *)argument.p);
	str_done(&text);
}

/* One word of the entry: for the first recipient or for each. */
static void add_entry_word(struct expander *x, struct slice word)
{
	const struct expand_facts *f = x->facts;
	size_t n = is_replicated(word) ? f->n_rcpts : 1;

	for (size_t i = 0; i < n; i++)
		add_word(x, word, &f->rcpts[i]);
	if (slice_eq(word, SLICE("--")))
		x->is_past_options = true;
}

struct expand_argv expand_make(const struct expand_facts *facts,
			       struct arena *a)
{
	const struct smconf_mailer *m = facts->mailer;
	struct expander x = { .facts = facts, .arena = a };
	struct expand_argv ret = { 0 };

	add_entry_word(&x, m->argv[0]);
	if (facts->flags & (SMTA_ARG_F | SMTA_ARG_R)) {
		add_word(&x,
			 facts->flags & SMTA_ARG_F ? SLICE("-f") : SLICE("-r"),
			 &facts->rcpts[0]);
		add_word(&x, SLICE("$g"), &facts->rcpts[0]);
	}
	x.is_past_options = false; /* argv[0] ends no options */
	for (size_t i = 1; i < m->argc; i++)
		add_entry_word(&x, m->argv[i]);
	add_argument(&x, NULL);

	ret.argc = x.argc - 1;
	ret.argv = arena_array(a, x.argc, sizeof(*ret.argv));
	memcpy(ret.argv, x.argv, x.argc * sizeof(*ret.argv));
	ret.n_nulls = x.n_nulls;
	ret.nulls = arena_array(a, x.n_nulls, sizeof(*ret.nulls));
	if (x.n_nulls > 0)
		memcpy(ret.nulls, x.nulls, x.n_nulls * sizeof(*ret.nulls));
	ret.option_like = x.option_like;
	free(x.argv);
	free(x.nulls);
	return ret;
}

int expand_check(const struct smconf_mailer *mailer, struct err *err)
{
	for (size_t i = 0; i < mailer->argc; i++) {
		struct slice rest = mailer->argv[i];
		struct piece p;

		while (next_piece(&rest, &p))
			if (p.kind == PIECE_UNCLOSED)
				return FAIL(err, "'%.*s': \"${\" without \"}\"",
					    SLICE_ARG(mailer->argv[i]));
	}
	return 0;
}

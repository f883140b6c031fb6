/*
 * expand_fuzz.c - any entry with any addresses: nothing splits, nothing is
 * lost, and no address begins an argument with '-' unseen.
 *
 * Input, in lines: flag letters, the entry's words, the sender, then host and
 * user of each recipient in turn.
 */
#include "smta/expand.h"

#include "base/fuzz.h"
#include "smta/flags.h"

#include <string.h>

enum { RCPTS_MAX = 8 };

/* The next line, without NULs, which no argument may hold. */
static struct slice next_value(struct slice *rest)
{
	struct slice line = { 0 };

	if (!slice_cut(rest, '\n', &line))
		return SLICE("x");
	line = slice_head(line, slice_find(line, '\0'));
	return line.len > 0 ? line : SLICE("x");
}

static void set_words(struct smconf_mailer *m, struct slice line,
		      struct arena *a)
{
	struct slice word;

	m->argv = arena_array(a, line.len + 1, sizeof(*m->argv));
	while (slice_word(&line, &word))
		m->argv[m->argc++] = word;
	if (m->argc == 0)
		m->argv[m->argc++] = SLICE("x");
}

static bool has_user(struct slice word)
{
	return slice_has(word, '$') &&
	       (slice_has(word, 'u') || slice_has(word, 'U'));
}

/* What must hold of a vector, whatever it was made of. */
static void check(const struct expand_facts *f, const struct expand_argv *v)
{
	const struct smconf_mailer *m = f->mailer;
	size_t inserted = f->flags & (SMTA_ARG_F | SMTA_ARG_R) ? 2 : 0;
	size_t least = m->argc + inserted, most = least;

	for (size_t i = 0; i < m->argc; i++)
		if (has_user(m->argv[i]))
			most += f->n_rcpts - 1;
	FUZZ_CHECK(v->argc >= least && v->argc <= most);
	FUZZ_CHECK(v->argv[v->argc] == NULL);
	for (size_t i = 0; i < v->argc; i++)
		FUZZ_CHECK(v->argv[i] != NULL);
	if (f->n_rcpts == 1) {
		FUZZ_CHECK(v->argc == least);
		for (size_t i = 1; i < m->argc; i++)
			if (!slice_has(m->argv[i], '$'))
				FUZZ_CHECK(
				    slice_eq(slice_of(v->argv[i + inserted]),
					     m->argv[i]));
		for (size_t i = 1; i < m->argc; i++)
			if (slice_eq(m->argv[i], SLICE("$u")) && i == 1 &&
			    f->rcpts[0].user.p[0] == '-')
				FUZZ_CHECK(v->option_like.len > 0);
	}
	if (inserted > 0 && f->sender.p[0] == '-')
		FUZZ_CHECK(v->option_like.len > 0);
}

FUZZ(data, size)
{
	struct slice rest = slice_make((const char *)data, size);
	struct arena *a = arena_new();
	struct expand_rcpt rcpts[RCPTS_MAX];
	struct str complaints = STR_INIT;
	struct smconf_mailer m = { 0 };
	struct expand_facts f = { .mailer = &m, .rcpts = rcpts };
	struct expand_argv v;
	struct err err;

	f.zenv = zenv_parse(SLICE("MAILBIN=/m\nEMPTY=\n"), "F", a);
	f.flags = smta_flags_parse(next_value(&rest), &complaints);
	set_words(&m, next_value(&rest), a);
	f.sender = next_value(&rest);
	do {
		rcpts[f.n_rcpts].host = next_value(&rest);
		rcpts[f.n_rcpts++].user = next_value(&rest);
	} while (rest.p != NULL && f.n_rcpts < RCPTS_MAX);
	if (expand_check(&m, &err) < 0)
		FUZZ_CHECK(err.text[0] != 0);
	v = expand_make(&f, a);
	check(&f, &v);
	str_done(&complaints);
	arena_free(a);
	return 0;
}

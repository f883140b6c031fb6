/*
 * smconf_fuzz.c - any bytes as sm.conf: what is found is a line's words.
 *
 * The first line of the input is the mailer that is looked for.
 */
#include "conf/smconf.h"

#include "base/fuzz.h"

static void check_word(struct slice text, struct slice word)
{
	FUZZ_CHECK(word.len > 0);
	FUZZ_CHECK(word.p >= text.p && word.p + word.len <= text.p + text.len);
	FUZZ_CHECK(!slice_has(word, ' ') && !slice_has(word, '\t'));
	FUZZ_CHECK(!slice_has(word, '\n') && !slice_has(word, '\0'));
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size), mailer;
	struct arena *a = arena_new();
	struct smconf_mailer m;
	struct err err;

	if (slice_cut(&text, '\n', &mailer) &&
	    smconf_find((struct smconf_source){ text, "F" }, mailer, a, &m,
			&err) == 0) {
		FUZZ_CHECK(slice_eq(m.name, mailer));
		FUZZ_CHECK(m.argc > 0 && m.line > 0);
		check_word(text, m.name);
		check_word(text, m.flags);
		check_word(text, m.path);
		for (size_t i = 0; i < m.argc; i++)
			check_word(text, m.argv[i]);
	}
	arena_free(a);
	return 0;
}

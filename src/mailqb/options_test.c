/*
 * options_test.c - the command line, and that the manual has all of it.
 */
#include "mailqb/options.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 12 };

/* Reads words, separated by blanks. */
static int read_words(const char *text, struct arena *a,
		      struct mailq_options *ret, struct err *err)
{
	char *argv[WORDS_MAX] = { (char *)(uintptr_t) "mailq" };
	struct slice rest = slice_of(text), word;
	int argc = 1;

	while (slice_word(&rest, &word) && argc < WORDS_MAX - 1)
		argv[argc++] = (char *)(uintptr_t)arena_cstr(a, word);
	return mailq_options_read(argc, argv, a, ret, err);
}

static void test_views_and_deeds(void **state)
{
	static const struct {
		const char *words;
		enum mailq_view view;
		enum mailq_deed deed;
	} rows[] = {
		{ "", MAILQ_VIEW_LIST, MAILQ_NOTHING },
		{ "-v -q -Ac", MAILQ_VIEW_LIST, MAILQ_NOTHING },
		{ "24700 A/3", MAILQ_VIEW_MESSAGES, MAILQ_NOTHING },
		{ "--summary", MAILQ_VIEW_SUMMARY, MAILQ_NOTHING },
		{ "--summary 24700", MAILQ_VIEW_SUMMARY, MAILQ_NOTHING },
		{ "--by-destination", MAILQ_VIEW_DESTINATIONS, MAILQ_NOTHING },
		{ "--live 7", MAILQ_VIEW_LIVE, MAILQ_NOTHING },
		{ "-V", MAILQ_VIEW_VERSION, MAILQ_NOTHING },
		{ "--hold --all", MAILQ_VIEW_LIST, MAILQ_HOLD },
		{ "--release 1", MAILQ_VIEW_MESSAGES, MAILQ_RELEASE },
		{ "--kick --all", MAILQ_VIEW_LIST, MAILQ_KICK },
		{ "--expire --all", MAILQ_VIEW_LIST, MAILQ_EXPIRE },
		{ "--delete -n -y", MAILQ_VIEW_LIST, MAILQ_DELETE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct mailq_options o;
		struct err err;

		if (read_words(rows[i].words, a, &o, &err) < 0)
			fail_msg("'%s': %s", rows[i].words, err.text);
		assert_int_equal(o.view, rows[i].view);
		assert_int_equal(o.deed, rows[i].deed);
		arena_free(a);
	}
}

static void test_ids_keep_their_order(void **state)
{
	struct arena *a = arena_new();
	struct mailq_options o;
	struct err err;

	(void)state;
	assert_int_equal(read_words("1 --json 2 3", a, &o, &err), 0);
	assert_slice_is(o.filter.ids->text, "1");
	assert_slice_is(o.filter.ids->next->text, "2");
	assert_slice_is(o.filter.ids->next->next->text, "3");
	assert_true(o.is_json);
	arena_free(a);
}

static void test_redirect_targets(void **state)
{
	struct arena *a = arena_new();
	struct mailq_options o;
	struct err err;

	(void)state;
	assert_int_equal(
	    read_words("--redirect smtp/mx.example/bob@x/y 1", a, &o, &err), 0);
	assert_slice_is(o.channel, "smtp");
	assert_slice_is(o.host, "mx.example");
	assert_slice_is(o.user, "bob@x/y");
	assert_int_equal(read_words("--redirect smtp/h 1", a, &o, &err), 0);
	assert_int_equal(o.user.len, 0);
	arena_free(a);
}

static void test_what_makes_no_sense(void **state)
{
	static const char *const rows[] = {
		"--age x",
		"--state x",
		"--hold --delete 1",
		"--summary --live",
		"--hold --summary",
		"--all",
		"-y",
		"-n",
		"--attempts",
		"--live 0",
		"--live 1 2",
		"--live --sender x",
		"--redirect /x 1",
		"--redirect x 1",
		"--unheard-of",
		"-X",
		"-P",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct mailq_options o;
		struct err err;

		if (read_words(rows[i], a, &o, &err) == 0)
			fail_msg("'%s' was taken", rows[i]);
		arena_free(a);
	}
}

/* Every long option has its line in the manual. */
static void test_manual_has_every_option(void **state)
{
	FILE *f = fopen("man/mailq.1", "r");
	struct str text = STR_INIT, line = STR_INIT;
	const char *name;
	char piece[4096];
	size_t n;

	(void)state;
	if (f == NULL)
		skip(); /* not run from the top of the tree */
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		str_add(&text, slice_make(piece, n));
	fclose(f);
	for (size_t i = 0; (name = mailq_options_name(i)) != NULL; i++) {
		str_clear(&line);
		str_addf(&line, " -%s", name);
		if (slice_find_text(str_slice(&text), str_slice(&line)) ==
		    text.len)
			fail_msg("the manual lacks --%s", name);
	}
	str_done(&text);
	str_done(&line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views_and_deeds),
		cmocka_unit_test(test_ids_keep_their_order),
		cmocka_unit_test(test_redirect_targets),
		cmocka_unit_test(test_what_makes_no_sense),
		cmocka_unit_test(test_manual_has_every_option),
	};

	return TEST_RUN(tests);
}

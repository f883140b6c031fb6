/*
 * tlsmanual_test.c - smtp-tls.conf(5) describes what is read, all of it and
 * nothing else, and its examples are read without complaint.
 *
 * The manual is found from the top folder, where tests are run.
 */
#include "conf/tlsconf.h"

#include "base/str.h"
#include "base/test.h"

#include <string.h>

#define MANUAL "man/smtp-tls.conf.5"

/* The manual, or what stands in it under one heading. */
static struct slice manual(const char *heading, struct arena *a)
{
	struct textfile page = { 0 };
	struct slice begin, rest;
	struct err err = { 0 };
	size_t at;

	if (textfile_read(MANUAL, 1 << 20, a, &page, &err) < 0)
		fail_msg("%s (run this in the top folder)", err.text);
	begin = arena_printf(a, "\n.Sh %s\n", heading);
	at = slice_find_text(page.text, begin);
	if (at == page.text.len)
		fail_msg("%s has no heading %s", MANUAL, heading);
	rest = slice_from(page.text, at + begin.len - 1);
	return slice_head(rest, slice_find_text(rest, SLICE("\n.Sh ")));
}

/* Is there an item ".It Cm WORD", with `behind` or the line's end after it? */
static bool has_item(struct slice text, const char *word, const char *behind)
{
	struct slice line, rest;

	while (slice_cut(&text, '\n', &line)) {
		if (!slice_starts(line, SLICE(".It Cm ")))
			continue;
		rest = slice_from(line, 7);
		if (!slice_starts(rest, slice_of(word)))
			continue;
		rest = slice_from(rest, strlen(word));
		if (rest.len == 0 || slice_starts(rest, slice_of(behind)))
			return true;
	}
	return false;
}

static size_t count_items(struct slice text)
{
	struct slice line;
	size_t n = 0;

	while (slice_cut(&text, '\n', &line))
		n += slice_starts(line, SLICE(".It Cm "));
	return n;
}

static void test_manual_has_every_keyword_and_no_other(void **state)
{
	struct arena *a = arena_new();
	struct slice text = manual("KEYWORDS", a);
	size_t n = 0;

	(void)state;
	for (const char *word; (word = tlsconf_keyword(n)) != NULL; n++)
		if (!has_item(text, word, " "))
			fail_msg("%s does not describe %s", MANUAL, word);
	assert_int_equal(count_items(text), n);
	assert_true(n > 20);
	arena_free(a);
}

static void test_manual_has_every_attribute_and_no_other(void **state)
{
	struct arena *a = arena_new();
	struct slice text = manual("THE POLICY FILE", a);
	size_t n = 0;

	(void)state;
	for (const char *word;
	     (word = tlsterms_key(TLSTERMS_OF_POLICY, n)) != NULL; n++)
		if (!has_item(text, word, " Ns = "))
			fail_msg("%s does not describe %s", MANUAL, word);
	assert_int_equal(count_items(text), n);
	assert_true(n > 10);
	arena_free(a);
}

static void test_manual_has_every_level_and_no_other(void **state)
{
	struct arena *a = arena_new();
	struct slice text = manual("LEVELS", a);

	(void)state;
	for (int i = 0; i < TLS_LEVELS; i++)
		if (!has_item(text, tls_level_word((enum tls_level)i), " "))
			fail_msg("%s does not describe level %s", MANUAL,
				 tls_level_word((enum tls_level)i));
	assert_int_equal(count_items(text), TLS_LEVELS);
	arena_free(a);
}

/* No keyword or attribute stands in a table twice. */
static void test_no_word_stands_twice(void **state)
{
	(void)state;
	for (size_t i = 0; tlsconf_keyword(i) != NULL; i++)
		for (size_t j = 0; j < i; j++)
			assert_false(
			    slice_eq_nocase(slice_of(tlsconf_keyword(i)),
					    slice_of(tlsconf_keyword(j))));
	for (int s = TLSTERMS_OF_FILE; s <= TLSTERMS_OF_POLICY; s++) {
		enum tlsterms_source source = (enum tlsterms_source)s;

		for (size_t i = 0; tlsterms_key(source, i) != NULL; i++)
			for (size_t j = 0; j < i; j++)
				assert_false(slice_eq_nocase(
				    slice_of(tlsterms_key(source, i)),
				    slice_of(tlsterms_key(source, j))));
	}
}

/* ---- the examples ------------------------------------------------------- */

/* Cuts the next example off *rest, as mandoc prints it; false at the end. */
static bool next_example(struct slice *rest, struct str *to)
{
	struct slice line, begin = SLICE(".Bd -literal");

	str_clear(to);
	while (slice_cut(rest, '\n', &line))
		if (slice_starts(line, begin))
			break;
	if (rest->p == NULL)
		return false;
	while (slice_cut(rest, '\n', &line) && !slice_eq(line, SLICE(".Ed"))) {
		assert_false(slice_starts(line, SLICE(".")));
		if (slice_starts(line, SLICE("\\&")))
			line = slice_from(line, 2);
		str_add(to, line);
		str_addc(to, '\n');
	}
	return true;
}

static void read_example(struct slice text, struct arena *a)
{
	struct textfile source = { text, MANUAL };
	struct tlsterms base = tlsterms_default();
	struct tlspolicy policy = { 0 };
	struct tlsconf conf = { 0 };
	struct err err = { 0 };
	bool is_conf = slice_starts(text, SLICE("#|"));
	int r = is_conf ? tlsconf_parse(source, a, &conf, &err)
			: tlspolicy_parse(source, &base, a, &policy, &err);

	if (r < 0)
		fail_msg("%s\n%.*s", err.text, SLICE_ARG(text));
	assert_true(is_conf || policy.n > 0);
}

static void test_manual_examples_parse(void **state)
{
	struct arena *a = arena_new();
	struct slice rest = manual("EXAMPLES", a);
	struct str text = STR_INIT;
	int n = 0;

	(void)state;
	for (; next_example(&rest, &text); n++)
		read_example(str_slice(&text), a);
	assert_true(n >= 3);
	str_done(&text);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_has_every_keyword_and_no_other),
		cmocka_unit_test(test_manual_has_every_attribute_and_no_other),
		cmocka_unit_test(test_manual_has_every_level_and_no_other),
		cmocka_unit_test(test_no_word_stands_twice),
		cmocka_unit_test(test_manual_examples_parse),
	};

	return TEST_RUN(tests);
}

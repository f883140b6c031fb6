/*
 * schedmanual_test.c - every keyword of scheduler.conf stands in its manual.
 */
#include "conf/schedconf.h"

#include "base/str.h"
#include "base/test.h"

static struct slice manual(struct arena *a)
{
	struct textfile page;
	struct err err;

	if (textfile_read("man/scheduler.conf.5", 1024 * 1024, a, &page, &err) <
	    0)
		fail_msg("%s", err.text);
	return page.text;
}

static void must_stand(struct slice page, const char *before, const char *word)
{
	struct str want = STR_INIT;
	size_t at = 0;
	bool is_there = false;

	str_addf(&want, "Cm %s%s", before, word);
	while (!is_there && at < page.len) {
		struct slice rest = slice_from(page, at);
		size_t found = slice_find_text(rest, str_slice(&want));
		struct slice behind = slice_from(rest, found + want.len);

		is_there =
		    found < rest.len && (slice_starts(behind, SLICE("\n")) ||
					 slice_starts(behind, SLICE(" ")));
		at += found + 1;
	}
	if (!is_there)
		fail_msg("'%s%s' is not in the manual", before, word);
	str_done(&want);
}

static void test_every_keyword_is_in_the_manual(void **state)
{
	struct arena *a = arena_new();
	struct slice page = manual(a);

	(void)state;
	for (size_t i = 0; schedconf_keyword(i) != NULL; i++)
		must_stand(page, "", schedconf_keyword(i));
	for (size_t i = 0; schedconf_param(i) != NULL; i++)
		must_stand(page, "PARAM", schedconf_param(i));
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_keyword_is_in_the_manual),
	};

	return TEST_RUN(tests);
}

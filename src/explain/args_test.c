/*
 * args_test.c - long options are taken out of argv, and nothing else.
 */
#include "explain/explain.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS "1c:dF:x"

enum { ARGS = 16 };

struct words {
	char *text;
	char *argv[ARGS];
	int argc;
};

static struct words words_of(const char *line)
{
	struct words w = { .text = strdup(line) };
	char *rest = w.text;

	assert_non_null(w.text);
	while (w.argc < ARGS - 1 &&
	       (w.argv[w.argc] = strsep(&rest, " ")) != NULL)
		w.argc++;
	return w;
}

static struct slice join(const struct words *w, struct str *to)
{
	for (int i = 0; i < w->argc; i++)
		str_addf(to, "%s%s", i > 0 ? " " : "", w->argv[i]);
	assert_null(w->argv[w->argc]);
	return str_slice(to);
}

/* What the request says, one letter each. */
static struct slice request_text(const struct explain_request *q,
				 struct str *to)
{
	str_addf(to, "%s%s%s%s%s%s%s", q->is_wanted ? "e" : "",
		 q->is_json ? "j" : "", q->does_connect ? "c" : "",
		 q->offline != NULL ? " o=" : "",
		 q->offline != NULL ? q->offline : "",
		 q->record != NULL ? " r=" : "",
		 q->record != NULL ? q->record : "");
	return str_slice(to);
}

static void test_only_ours_are_taken(void **state)
{
	static const struct {
		const char *in, *left, *request;
	} rows[] = {
		{ "smtp host", "smtp host", "" },
		{ "smtp -x --explain a@b", "smtp -x a@b", "e" },
		{ "smtp --explain a@b -x", "smtp a@b -x", "e" },
		{ "smtp --explain -json a@b", "smtp a@b", "ej" },
		{ "smtp --json --connect --explain h", "smtp h", "ejc" },
		{ "smtp --explain --offline f h", "smtp h", "e o=f" },
		{ "smtp --explain --offline=f h", "smtp h", "e o=f" },
		{ "smtp --explain --record=f --offline g", "smtp",
		  "e o=g r=f" },
		/* The last one counts. */
		{ "smtp --explain --record f --record=g", "smtp", "e r=g" },
		/* Without --explain they are somebody else's. */
		{ "smtp --connect -json h", "smtp --connect -json h", "" },
		/* Values of other options. */
		{ "smtp -c --explain h", "smtp -c --explain h", "" },
		{ "smtp -xc --explain h", "smtp -xc --explain h", "" },
		{ "smtp -cx --explain h", "smtp -cx h", "e" },
		{ "smtp --explain -F --connect h", "smtp -F --connect h", "e" },
		{ "smtp --explain -F", "smtp -F", "e" },
		{ "smtp --explain --offline -x h", "smtp h", "e o=-x" },
		/* Behind "--" there are no options. */
		{ "smtp -- --explain", "smtp -- --explain", "" },
		{ "smtp --explain -- --connect", "smtp -- --connect", "e" },
		/* What only looks so. */
		{ "smtp --explain --explained --offlinex h",
		  "smtp --explained --offlinex h", "e" },
		{ "smtp --explain - h", "smtp - h", "e" },
		{ "smtp", "smtp", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str left = STR_INIT, text = STR_INIT;
		struct words w = words_of(rows[i].in);
		struct explain_request q;
		struct err err;

		assert_int_equal(
		    explain_take_args(&w.argc, w.argv, LETTERS, &q, &err), 0);
		assert_slice_is(join(&w, &left), rows[i].left);
		assert_slice_is(request_text(&q, &text), rows[i].request);
		str_done(&left);
		str_done(&text);
		free(w.text);
	}
}

static void test_a_value_must_be_there(void **state)
{
	static const char *const rows[] = { "smtp --explain --offline",
					    "smtp --explain --record=",
					    "smtp --explain --offline= h" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct words w = words_of(rows[i]);
		struct explain_request q;
		struct err err;

		assert_int_equal(
		    explain_take_args(&w.argc, w.argv, LETTERS, &q, &err), -1);
		assert_non_null(strstr(err.text, "expected a file"));
		free(w.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_ours_are_taken),
		cmocka_unit_test(test_a_value_must_be_there),
	};

	return TEST_RUN(tests);
}

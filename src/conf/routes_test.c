/*
 * routes_test.c - which line of routes.conf an address finds.
 */
#include "conf/routes.h"

#include "base/keyword.h"
#include "base/test.h"

static const char sample[] = "# who reads what\n"
			     "\n"
			     "root\thans@example.org   # the boss\n"
			     "cron-*  root\r\n"
			     "news@lists.example  local - ${local}\n"
			     "@old.example ${local}@new.example\n"
			     "*@*.sub.example smtp relay.example ${address}\n"
			     "a?c@x one\n"
			     "*a*b*@y star\n"
			     "ROOT second\n";

static struct routes_address address(const char *text)
{
	struct slice s = slice_of(text);
	size_t at = slice_find_last(s, '@');

	return (struct routes_address){
		.address = s,
		.local = slice_head(s, at),
		.domain = slice_from(s, at + 1),
		.is_here = slice_eq(slice_from(s, at + 1), SLICE("here")),
	};
}

static void test_first_matching_line_counts(void **state)
{
	static const struct {
		const char *address, *want;
		unsigned line;
	} cases[] = {
		{ "root@here", "hans@example.org", 3 },
		{ "Root@here", "hans@example.org", 3 },
		{ "root@elsewhere", NULL, 0 },
		{ "cron-x@here", "root", 4 },
		{ "cron-@here", "root", 4 },
		{ "cron@here", NULL, 0 },
		{ "news@lists.example", "local|-|news", 5 },
		{ "news@x.lists.example", NULL, 0 },
		{ "Bob@OLD.example", "Bob@new.example", 6 },
		{ "\"a b\"@old.example", "\"a b\"@new.example", 6 },
		{ "bob@a.sub.example", "smtp|relay.example|bob@a.sub.example",
		  7 },
		{ "bob@sub.example", NULL, 0 },
		{ "abc@x", "one", 8 },
		{ "ac@x", NULL, 0 },
		{ "xxaxxaxbx@y", "star", 9 },
		{ "xxbxxa@y", NULL, 0 },
	};
	struct arena *a = arena_new();
	const struct routes *r;
	struct err err;

	(void)state;
	assert_int_equal(routes_parse(slice_of(sample), "F", a, &r, &err), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct routes_address in = address(cases[i].address);
		struct routes_match m = { 0 };
		struct str got = STR_INIT;

		assert_int_equal(routes_find(r, &in, &m),
				 cases[i].want != NULL);
		assert_int_equal(m.line, cases[i].line);
		if (cases[i].want == NULL)
			continue;
		if (m.is_address) {
			routes_expand(m.target, &in, &got);
		} else {
			str_add(&got, m.channel);
			str_addc(&got, '|');
			routes_expand(m.host, &in, &got);
			str_addc(&got, '|');
			routes_expand(m.user, &in, &got);
		}
		assert_slice_is(str_slice(&got), cases[i].want);
		str_done(&got);
	}
	arena_free(a);
}

static void test_what_cannot_be_used_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "root\n", "F:1: 'root' needs a target: an address, or a"
			    " channel, a host and a user" },
		{ "\n\nroot # hans\n",
		  "F:3: 'root' needs a target: an address, or a channel, a"
		  " host and a user" },
		{ "root local -\n", "F:1: 'root' needs a target: an address,"
				    " or a channel, a host and a user" },
		{ "a b c d e\n", "F:1: more than a pattern, a channel, a host"
				 " and a user" },
		{ "a@ b\n", "F:1: pattern 'a@' has no domain behind '@'" },
		{ "a ${user}\n", "F:1: '${user}': a variable is ${local},"
				 " ${domain} or ${address}" },
		{ "a ${local\n", "F:1: '${local': a variable is ${local},"
				 " ${domain} or ${address}" },
		{ "${local} b\n",
		  "F:1: pattern '${local}': variables are for targets" },
		{ "a b\x01\n", "F:1: 'b?' holds a control byte" },
		{ "a $x - u\n", "F:1: '$x' is no channel" },
		{ "a x/y - u\n", "F:1: 'x/y' is no channel" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct routes *r;
		struct err err = { 0 };

		assert_int_equal(
		    routes_parse(slice_of(cases[i].text), "F", a, &r, &err),
		    -1);
		assert_string_equal(err.text, cases[i].want);
	}
	arena_free(a);
}

static void test_file_that_is_not_there_has_no_lines(void **state)
{
	struct arena *a = arena_new();
	struct routes_address in = address("root@here");
	struct routes_match m;
	const struct routes *r;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(routes_load("/nonexistent/routes.conf", a, &r, &err),
			 0);
	assert_false(routes_find(r, &in, &m));
	assert_string_equal(routes_name(r), "/nonexistent/routes.conf");
	assert_int_equal(routes_load("/", a, &r, &err), -1);
	assert_string_equal(err.text, "cannot open /: Is a directory");
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_matching_line_counts),
		cmocka_unit_test(
		    test_what_cannot_be_used_is_named_with_its_line),
		cmocka_unit_test(test_file_that_is_not_there_has_no_lines),
	};

	return TEST_RUN(tests);
}

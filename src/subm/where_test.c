/*
 * where_test.c - by routes.conf, step by step, to channel, host and user.
 */
#include "subm/where.h"

#include "base/keyword.h"
#include "base/test.h"

#include <sysexits.h>

static const char table[] = "root hans\n"
			    "hans hans@boss.example\n"
			    "prog local - ${address}\n"
			    "@virtual.example ${local}@Real.Example\n"
			    "stay@keep.example stay@KEEP.example\n"
			    "@keep.example other@x\n"
			    "a@loop b@loop\n"
			    "b@loop a@loop\n"
			    "bad@x b@@\n"
			    "badhost@x smtp a<b u\n"
			    "grow@* grow@x${domain}\n";

static struct subm_request request;

static int where(const char *word, struct arena *a, struct subm_rcpt *ret,
		 struct err *err)
{
	return subm_where(&request, slice_of(word), a, ret, err);
}

static void begin(struct arena *a)
{
	struct err err;

	request = (struct subm_request){
		.mail_name = SLICE("mail.example"),
		.host_name = SLICE("Host"),
	};
	assert_int_equal(
	    routes_parse(slice_of(table), "F", a, &request.routes, &err), 0);
}

static void test_routes_are_followed_to_their_end(void **state)
{
	static const struct {
		const char *word, *channel, *host, *user, *original;
	} cases[] = {
		{ "bob@X", "", "x", "bob@X", "bob@X" },
		{ "bob", "", "mail.example", "bob@mail.example",
		  "bob@mail.example" },
		{ "root", "", "boss.example", "hans@boss.example",
		  "root@mail.example" },
		{ "root@host", "", "boss.example", "hans@boss.example",
		  "root@host" },
		{ "root@LocalHost", "", "boss.example", "hans@boss.example",
		  "root@LocalHost" },
		{ "root@x", "", "x", "root@x", "root@x" },
		{ "prog", "local", "-", "prog@mail.example",
		  "prog@mail.example" },
		{ "u@virtual.example", "", "real.example", "u@Real.Example",
		  "u@virtual.example" },
		{ "stay@keep.example", "", "keep.example", "stay@KEEP.example",
		  "stay@keep.example" },
		{ "go@keep.example", "", "x", "other@x", "go@keep.example" },
	};
	struct arena *a = arena_new();

	(void)state;
	begin(a);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_rcpt r;
		struct err err = { 0 };

		assert_int_equal(where(cases[i].word, a, &r, &err), EX_OK);
		assert_slice_is(r.channel, cases[i].channel);
		assert_slice_is(r.host, cases[i].host);
		assert_slice_is(r.address, cases[i].user);
		assert_slice_is(r.original, cases[i].original);
	}
	arena_free(a);
}

static void test_routes_that_lead_nowhere_are_told(void **state)
{
	static const struct {
		const char *word, *why;
	} cases[] = {
		{ "a@loop", "F: 'a@loop' goes round in circles: 16 steps did"
			    " not end at 'a@loop'" },
		{ "bad@x", "F:9: recipient 'b@@': address is not a valid RFC"
			   " 5321 path" },
		{ "badhost@x", "F:10: host 'a<b': may not hold '<'" },
		{ "grow@y", "F: 'grow@y' goes round in circles: 16 steps did"
			    " not end at 'grow@xxxxxxxxxxxxxxxxy'" },
	};
	struct arena *a = arena_new();

	(void)state;
	begin(a);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_rcpt r;
		struct err err = { 0 };

		assert_int_equal(where(cases[i].word, a, &r, &err), EX_CONFIG);
		assert_string_equal(err.text, cases[i].why);
	}
	arena_free(a);
}

static void test_what_is_chosen_is_not_routed(void **state)
{
	struct arena *a = arena_new();
	struct subm_rcpt r;
	struct err err = { 0 };

	(void)state;
	begin(a);
	request.has_host = true;
	request.host = SLICE("Relay");
	assert_int_equal(where("root", a, &r, &err), EX_OK);
	assert_slice_is(r.address, "root");
	assert_slice_is(r.host, "relay");
	request.has_host = false;
	request.channel = SLICE("uucp");
	assert_int_equal(where("root", a, &r, &err), EX_OK);
	assert_slice_is(r.address, "root@mail.example");
	request.mail_name = (struct slice){ 0 };
	assert_int_equal(where("root", a, &r, &err), EX_USAGE);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_are_followed_to_their_end),
		cmocka_unit_test(test_routes_that_lead_nowhere_are_told),
		cmocka_unit_test(test_what_is_chosen_is_not_routed),
	};

	return TEST_RUN(tests);
}

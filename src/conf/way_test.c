/*
 * way_test.c - by routes.conf, step by step, to channel, host and user; and
 * the names that zmailer.conf and the system give.
 */
#include "conf/way.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char table[] = "root hans\n"
			    "hans hans@boss.example\n"
			    "prog local - ${address}\n"
			    "@virtual.example ${local}@Real.Example\n"
			    "stay@keep.example stay@KEEP.example\n"
			    "@keep.example other@x\n"
			    "a@loop b@loop\n"
			    "b@loop a@loop\n"
			    "bad@x b@@\n"
			    "badhost@x smtp a<b u\n";

static struct way_map begin(const char *text, struct arena *a)
{
	struct way_map map = { .mail_name = SLICE("mail.example"),
			       .host_name = SLICE("Host") };
	struct err err;

	assert_int_equal(
	    routes_parse(slice_of(text), "F", a, &map.routes, &err), 0);
	return map;
}

static int find(const struct way_map *map, const char *word, struct arena *a,
		struct way_end *ret, struct err *err)
{
	struct address from;

	assert_int_equal(way_begin(map, slice_of(word), a, &from, err), 0);
	return way_find(map, &from, a, ret, err);
}

static void test_ways_are_followed_to_their_end(void **state)
{
	static const struct {
		const char *word, *channel, *host, *user;
	} cases[] = {
		{ "bob@X", "", "x", "bob@X" },
		{ "bob", "", "mail.example", "bob@mail.example" },
		{ "root", "", "boss.example", "hans@boss.example" },
		{ "root@host", "", "boss.example", "hans@boss.example" },
		{ "root@x", "", "x", "root@x" },
		{ "prog", "local", "-", "prog@mail.example" },
		{ "u@virtual.example", "", "real.example", "u@Real.Example" },
		{ "stay@keep.example", "", "keep.example",
		  "stay@KEEP.example" },
		{ "go@keep.example", "", "x", "other@x" },
	};
	struct arena *a = arena_new();
	struct way_map map = begin(table, a);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct way_end end;
		struct err err = { 0 };

		assert_int_equal(find(&map, cases[i].word, a, &end, &err), 0);
		assert_slice_is(end.channel, cases[i].channel);
		assert_slice_is(end.host, cases[i].host);
		assert_slice_is(end.user, cases[i].user);
	}
	arena_free(a);
}

static void test_without_routes_the_domain_is_the_host(void **state)
{
	struct way_map map = { .mail_name = SLICE("Mail.example") };
	struct arena *a = arena_new();
	struct way_end end;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(find(&map, "root", a, &end, &err), 0);
	assert_slice_is(end.host, "mail.example");
	assert_slice_is(end.user, "root@Mail.example");
	arena_free(a);
}

static void test_ways_that_lead_nowhere_are_told(void **state)
{
	static const struct {
		const char *word, *why;
	} cases[] = {
		{ "a@loop", "F: 'a@loop' goes round in circles: 16 steps did"
			    " not end at 'a@loop'" },
		{ "bad@x", "F:9: recipient 'b@@': address is not a valid RFC"
			   " 5321 path" },
		{ "badhost@x", "F:10: host 'a<b': may not hold '<'" },
	};
	struct arena *a = arena_new();
	struct way_map map = begin(table, a);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct way_end end;
		struct err err = { 0 };

		assert_int_equal(find(&map, cases[i].word, a, &end, &err), -1);
		assert_string_equal(err.text, cases[i].why);
	}
	arena_free(a);
}

static void test_names_come_from_the_configuration(void **state)
{
	struct arena *a = arena_new();
	struct way_names names;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    way_names_read(zenv_parse(SLICE("MAILSHARE=/s\nMAILNAME=m.example\n"
					    "ROUTES=\n"),
				      "f", a),
			   SLICE("host"), a, &names, &err),
	    0);
	assert_slice_is(names.mail_name, "m.example");
	assert_string_equal(names.routes_file, "/s/routes.conf");
	assert_int_equal(
	    way_names_read(zenv_parse(SLICE("ROUTES=/r\nMAILNAME=m\n"), "f", a),
			   SLICE(""), a, &names, &err),
	    0);
	assert_string_equal(names.routes_file, "/r");
	assert_int_equal(
	    way_names_read(zenv_parse(SLICE("MAILNAME=\"a b\"\n"), "f", a),
			   SLICE("host"), a, &names, &err),
	    -1);
	assert_non_null(strstr(err.text, "MAILNAME is 'a b'"));
	arena_free(a);
}

static void test_mail_name_is_the_first_word_of_its_file(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "mail.example\n", "mail.example" },
		{ " mail.example # it\r\nother\n", "mail.example" },
		{ "mail.example", "mail.example" },
		{ "", "" },
		{ "\n", "" },
		{ "a@b\n", "" },
		{ "a\001b\n", "" },
	};
	char name[] = "/tmp/zpost-way_test-XXXXXX";
	struct arena *a = arena_new();
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_write_all(fd, slice_of(cases[i].text)), 0);
		assert_slice_is(way_mailname_read(name, a), cases[i].want);
	}
	fd_close(fd);
	assert_int_equal(unlink(name), 0);
	assert_slice_is(way_mailname_read(name, a), "");
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways_are_followed_to_their_end),
		cmocka_unit_test(test_without_routes_the_domain_is_the_host),
		cmocka_unit_test(test_ways_that_lead_nowhere_are_told),
		cmocka_unit_test(test_names_come_from_the_configuration),
		cmocka_unit_test(test_mail_name_is_the_first_word_of_its_file),
	};

	return TEST_RUN(tests);
}

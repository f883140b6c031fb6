/*
 * address_test.c - which words are addresses, hosts and channels.
 */
#include "smtp/address.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <string.h>

static void test_address_is_taken_apart(void **state)
{
	static const struct {
		const char *in, *text, *local, *domain;
	} cases[] = {
		{ "bob@example.com", "bob@example.com", "bob", "example.com" },
		{ "<bob@example.com>", "bob@example.com", "bob",
		  "example.com" },
		{ "Bob@EXAMPLE.Com", "Bob@EXAMPLE.Com", "Bob", "EXAMPLE.Com" },
		{ "bob", "bob", "bob", NULL },
		{ "<bob>", "bob", "bob", NULL },
		{ "-bob@example.com", "-bob@example.com", "-bob",
		  "example.com" },
		{ "\"a b\"@example.com", "\"a b\"@example.com", "\"a b\"",
		  "example.com" },
		{ "\"a@b\"", "\"a@b\"", "\"a@b\"", NULL },
		{ "\"<>\\\"@\"@[127.0.0.1]", "\"<>\\\"@\"@[127.0.0.1]",
		  "\"<>\\\"@\"", "[127.0.0.1]" },
		{ "b@[IPv6:::1]", "b@[IPv6:::1]", "b", "[IPv6:::1]" },
		{ "b\303\266b@b\303\274.example",
		  "b\303\266b@b\303\274.example", "b\303\266b",
		  "b\303\274.example" },
		{ "host!user@gw", "host!user@gw", "host!user", "gw" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address a;
		struct err err = { 0 };

		if (address_parse(slice_of(cases[i].in), "recipient", false, &a,
				  &err) < 0)
			fail_msg("%s", err.text);
		assert_slice_is(a.text, cases[i].text);
		assert_slice_is(a.local, cases[i].local);
		assert_int_equal(a.has_domain, cases[i].domain != NULL);
		assert_slice_is(a.domain,
				cases[i].domain != NULL ? cases[i].domain : "");
	}
}

static void test_hostile_address_is_refused_by_name(void **state)
{
	const struct {
		struct slice in;
		const char *shown;
	} cases[] = {
		{ SLICE(""), "recipient ''" },
		{ SLICE("<>"), "recipient '<>'" },
		{ SLICE("bob @x"), "recipient 'bob @x'" },
		{ SLICE(" bob@x"), "recipient ' bob@x'" },
		{ SLICE("bob@x "), "recipient 'bob@x '" },
		{ SLICE("Bob <bob@x>"), "recipient 'Bob <bob@x>'" },
		{ SLICE("<bob@x"), "recipient '<bob@x'" },
		{ SLICE("bob@x>"), "recipient 'bob@x>'" },
		{ SLICE("<<bob@x>>"), "recipient '<<bob@x>>'" },
		{ SLICE("b>b@x"), "recipient 'b>b@x'" },
		{ SLICE("@x"), "recipient '@x'" },
		{ SLICE("bob@"), "recipient 'bob@'" },
		{ SLICE("bob@.x"), "recipient 'bob@.x'" },
		{ SLICE("bob@a..b"), "recipient 'bob@a..b'" },
		{ SLICE("bob@a b"), "recipient 'bob@a b'" },
		{ SLICE("bob@[127.0.0.1"), "recipient 'bob@[127.0.0.1'" },
		{ SLICE("\"bob@x"), "recipient '\"bob@x'" },
		{ SLICE("\"bob\\\"@x"), "recipient '\"bob\\\"@x'" },
		{ SLICE("b\\ b@x"), "recipient 'b\\ b@x'" },
		{ SLICE("bob@x\r\nr  "), "recipient 'bob@x??r  '" },
		{ SLICE("bob\n@x"), "recipient 'bob?@x'" },
		{ SLICE("\"a\nb\"@x"), "recipient '\"a?b\"@x'" },
		{ SLICE("bob\t@x"), "recipient 'bob @x'" },
		{ SLICE("bob\177@x"), "recipient 'bob?@x'" },
		{ SLICE("\001@x"), "recipient '?@x'" },
		{ SLICE("bob\0@x"), "recipient 'bob" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address a;
		struct err err = { 0 };

		assert_int_equal(
		    address_parse(cases[i].in, "recipient", false, &a, &err),
		    -1);
		if (strncmp(err.text, cases[i].shown, strlen(cases[i].shown)) !=
		    0)
			fail_msg("'%s' does not begin with %s", err.text,
				 cases[i].shown);
	}
}

static void repeat(struct str *to, char c, size_t n)
{
	while (n-- > 0)
		str_addc(to, c);
}

/* An address of so many bytes on both sides of its '@'. */
static int parse_sizes(size_t local, size_t domain, struct err *err)
{
	struct str text = STR_INIT;
	struct address a;
	int r;

	repeat(&text, 'l', local);
	if (domain > 0)
		str_addc(&text, '@');
	repeat(&text, 'd', domain);
	r = address_parse(str_slice(&text), "sender", true, &a, err);
	str_done(&text);
	return r;
}

static void test_lengths_end_where_rfc5321_says(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse_sizes(64, 189, &err), 0);
	assert_int_equal(parse_sizes(64, 0, &err), 0);
	assert_int_equal(parse_sizes(1, 252, &err), 0);
	assert_int_equal(parse_sizes(242, 11, &err), 0);
	assert_int_equal(parse_sizes(243, 11, &err), -1);
	assert_int_equal(parse_sizes(255, 0, &err), -1);
	assert_int_equal(parse_sizes(64, 190, &err), -1);
	assert_int_equal(parse_sizes(1, 256, &err), -1);
	assert_int_equal(parse_sizes(100000, 100000, &err), -1);
	/* What is wrong is said, and not all of what was given. */
	assert_non_null(strstr(err.text, "...': address is longer"));
}

static void test_null_path_is_for_senders(void **state)
{
	struct address a;
	struct err err;

	(void)state;
	assert_int_equal(address_parse(SLICE("<>"), "sender", true, &a, &err),
			 0);
	assert_int_equal(a.text.len, 0);
	assert_false(a.has_domain);
	assert_int_equal(address_parse(SLICE(""), "sender", true, &a, &err), 0);
	assert_int_equal(a.text.len, 0);
}

static void test_host_and_channel_are_plain_words(void **state)
{
	static const struct {
		const char *word;
		bool is_host, is_channel;
	} cases[] = {
		{ "example.com", true, true },
		{ "-", true, true },
		{ "[127.0.0.1]:2525", true, true },
		{ "smtp-lmtp", true, true },
		{ "a/b", true, false },
		{ "", false, false },
		{ "a b", false, false },
		{ "a\tb", false, false },
		{ "a\nb", false, false },
		{ "a\"b", false, false },
		{ "a\\b", false, false },
		{ "<a>", false, false },
	};
	struct str word = STR_INIT;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice s = slice_of(cases[i].word);

		assert_int_equal(address_host_check(s, &err),
				 cases[i].is_host ? 0 : -1);
		assert_int_equal(address_channel_check(s, &err),
				 cases[i].is_channel ? 0 : -1);
	}
	repeat(&word, 'x', 255);
	assert_int_equal(address_host_check(str_slice(&word), &err), 0);
	repeat(&word, 'x', 1);
	assert_int_equal(address_host_check(str_slice(&word), &err), -1);
	str_done(&word);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_is_taken_apart),
		cmocka_unit_test(test_hostile_address_is_refused_by_name),
		cmocka_unit_test(test_lengths_end_where_rfc5321_says),
		cmocka_unit_test(test_null_path_is_for_senders),
		cmocka_unit_test(test_host_and_channel_are_plain_words),
	};

	return TEST_RUN(tests);
}

/*
 * path_test.c - what may stand in MAIL, RCPT and EHLO, and what may not.
 */
#include "smtp/path.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

struct row {
	const char *in;
	enum path_verdict want;
};

static const struct row rows[] = {
	{ "bob@example.com", PATH_OK },
	{ "Bob.Smith+tag@mail.example.com", PATH_OK },
	{ "postmaster", PATH_OK },
	{ "uunet!erin", PATH_OK },
	{ "user%host@relay.example", PATH_OK },
	{ "@a.example,@b.example:joe@c.example", PATH_OK },
	{ "a@[192.0.2.1]", PATH_OK },
	{ "a@[IPv6:2001:db8::1]", PATH_OK },
	{ "\"john doe\"@example.com", PATH_OK },
	{ "\"a\\\"b\"@example.com", PATH_OK },
	{ "\"a>b\"@example.com", PATH_OK },
	{ "a@under_score.example", PATH_OK },
	{ "-leading@example.com", PATH_OK },
	{ "", PATH_EMPTY },
	{ "a b@example.com", PATH_BAD_SYNTAX },
	{ "a@exam ple.com", PATH_BAD_SYNTAX },
	{ "a@example.com> SIZE=1", PATH_BAD_SYNTAX },
	{ "<a@example.com>", PATH_BAD_SYNTAX },
	{ "a<b@example.com", PATH_BAD_SYNTAX },
	{ "a>b@example.com", PATH_BAD_SYNTAX },
	{ "a\r@example.com", PATH_BAD_SYNTAX },
	{ "a\n@example.com", PATH_BAD_SYNTAX },
	{ "a@example.com\rRCPT TO:<x@y>", PATH_BAD_SYNTAX },
	{ "a\t@example.com", PATH_BAD_SYNTAX },
	{ "a\177@example.com", PATH_BAD_SYNTAX },
	{ "a\"b\"@example.com", PATH_BAD_SYNTAX },
	{ "a\\b@example.com", PATH_BAD_SYNTAX },
	{ "\"open@example.com", PATH_BAD_SYNTAX },
	{ "\"a\" b@example.com", PATH_BAD_SYNTAX },
	{ "\"a\"b@example.com", PATH_BAD_SYNTAX },
	{ "@", PATH_BAD_SYNTAX },
	{ "@example.com", PATH_BAD_SYNTAX },
	{ "a@", PATH_BAD_SYNTAX },
	{ "a@.example", PATH_BAD_SYNTAX },
	{ "a@example..com", PATH_BAD_SYNTAX },
	{ "a@-example.com", PATH_BAD_SYNTAX },
	{ "a@[192.0.2.1", PATH_BAD_SYNTAX },
	{ "a@[192.0.2.1]x", PATH_BAD_SYNTAX },
	{ "a@[x> y]", PATH_BAD_SYNTAX },
	{ "j\303\266rn@example.com", PATH_NEEDS_SMTPUTF8 },
	{ "a@ex\303\244mple.com", PATH_NEEDS_SMTPUTF8 },
};

static void test_every_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (path_check(slice_of(rows[i].in)) != rows[i].want)
			fail_msg("'%s'", rows[i].in);
}

static void test_nul_is_refused(void **state)
{
	(void)state;
	assert_int_equal(path_check(slice_make("a\0@b.c", 6)), PATH_BAD_SYNTAX);
}

static enum path_verdict check_length(size_t local, const char *domain)
{
	size_t len = local + 1 + strlen(domain);
	char *text = malloc(len);
	enum path_verdict verdict;

	assert_non_null(text);
	memset(text, 'a', local);
	text[local] = '@';
	memcpy(text + local + 1, domain, strlen(domain));
	verdict = path_check(slice_make(text, len));
	free(text);
	return verdict;
}

static void test_over_long_address_is_refused(void **state)
{
	(void)state;
	assert_int_equal(check_length(65, "example.com"), PATH_OK);
	assert_int_equal(check_length(254 - 12, "example.com"), PATH_OK);
	assert_int_equal(check_length(255 - 12, "example.com"), PATH_TOO_LONG);
	assert_int_equal(check_length(1500, "example.com"), PATH_TOO_LONG);
}

static void test_envid_and_orcpt_values(void **state)
{
	char many[600];

	(void)state;
	memset(many, 'a', sizeof(many));
	assert_true(envid_valid(SLICE("QQ314159")));
	assert_true(envid_valid(slice_make(many, 100)));
	assert_false(envid_valid(slice_make(many, 101)));
	assert_false(envid_valid(SLICE("")));
	assert_false(envid_valid(SLICE("a b")));
	assert_false(envid_valid(SLICE("a=b")));
	assert_false(envid_valid(SLICE("a\rb")));
	assert_true(orcpt_valid(SLICE("rfc822;bob+40example.com")));
	assert_true(orcpt_valid(SLICE("x-local;bob")));
	assert_false(orcpt_valid(SLICE("rfc822;")));
	assert_false(orcpt_valid(SLICE(";bob")));
	assert_false(orcpt_valid(SLICE("rfc822")));
	assert_false(orcpt_valid(SLICE("rfc 822;bob")));
	assert_false(orcpt_valid(SLICE("rfc822;bob NOTIFY=NEVER")));
	memcpy(many, "rfc822;", 7);
	assert_true(orcpt_valid(slice_make(many, 500)));
	assert_false(orcpt_valid(slice_make(many, 501)));
}

static void test_where_the_local_part_ends(void **state)
{
	static const struct {
		const char *address;
		size_t want;
	} parts[] = {
		{ "bob@x", 3 },	      { "bob", 3 },	{ "a@b@x", 3 },
		{ "\"a@b\"@x", 5 },   { "\"a@b\"", 5 }, { "\"a\\\"@\"@x", 6 },
		{ "j\303\266@x", 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++)
		assert_int_equal(path_local_length(slice_of(parts[i].address)),
				 parts[i].want);
}

static void test_helo_names(void **state)
{
	(void)state;
	assert_true(helo_name_valid(SLICE("mail.example.org")));
	assert_true(helo_name_valid(SLICE("localhost")));
	assert_true(helo_name_valid(SLICE("[192.0.2.1]")));
	assert_true(helo_name_valid(SLICE("[IPv6:2001:db8::1]")));
	assert_false(helo_name_valid(SLICE("")));
	assert_false(helo_name_valid(SLICE("a b")));
	assert_false(helo_name_valid(SLICE("a\r\nQUIT")));
	assert_false(helo_name_valid(SLICE("ex\303\244mple")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_address),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_over_long_address_is_refused),
		cmocka_unit_test(test_envid_and_orcpt_values),
		cmocka_unit_test(test_where_the_local_part_ends),
		cmocka_unit_test(test_helo_names),
	};

	return TEST_RUN(tests);
}

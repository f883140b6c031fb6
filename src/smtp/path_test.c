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
	{ "!#$%&'*+-/=?^_`{|}~@x", PATH_OK },
	{ "\"\"@x", PATH_OK },
	{ "\"a,b\"@x", PATH_OK },
	/* dots in any place: mailboxes in use */
	{ "a..b@x.example", PATH_OK },
	{ ".a@x.example", PATH_OK },
	{ "a.@x.example", PATH_OK },
	/* other people's tails */
	{ "SRS0=x+y=Z4=x.example=u@y.example", PATH_OK },
	{ "prvs=0123a=u@x.example", PATH_OK },
	{ "list-return-7-u=x.example@y.example", PATH_OK },
	/* literals */
	{ "a@[IPv6:::ffff:192.0.2.1]", PATH_OK },
	{ "a@[ipv6:::1]", PATH_OK },
	{ "a@[x-tag:some.thing]", PATH_OK },
	{ "a@[junk]", PATH_BAD_SYNTAX },
	{ "a@[]", PATH_BAD_SYNTAX },
	{ "a@[192.0.2]", PATH_BAD_SYNTAX },
	{ "a@[192.0.2.256]", PATH_BAD_SYNTAX },
	{ "a@[192.0.2.1.]", PATH_BAD_SYNTAX },
	{ "a@[1:2:3:4:5:6:7:8]", PATH_BAD_SYNTAX }, /* needs its tag */
	{ "a@[2001:db8::1]", PATH_BAD_SYNTAX },
	{ "a@[0192.0.2.1]", PATH_BAD_SYNTAX },
	{ "a@[192..2.1]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:1:2:3:4:5:6:7:8]", PATH_OK },
	{ "a@[IPv6:1:2:3:4:5:6:192.0.2.1]", PATH_OK },
	{ "a@[IPv6:::]", PATH_OK },
	{ "a@[IPv6:1::]", PATH_OK },
	{ "a@[IPv6:1:2:3:4:5:6:7:8:9]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:1:2:3:4:5:6:7:]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:1:2:3:4::5:6:7:8]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:1::2::3]", PATH_BAD_SYNTAX },
	{ "a@[IPv6::::1]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:12345::]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:192.0.2.1::]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:g::]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:1:2]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:::1%lo]", PATH_BAD_SYNTAX },
	{ "a@[:x]", PATH_BAD_SYNTAX },
	{ "a@[x:]", PATH_BAD_SYNTAX },
	{ "a@[x-:y]", PATH_BAD_SYNTAX },
	{ "a@[x:y>]", PATH_BAD_SYNTAX },
	{ "a@[x:y@z]", PATH_BAD_SYNTAX },
	{ "a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]",
	  PATH_BAD_SYNTAX },
	/* no domain of these */
	{ "a@x.", PATH_BAD_SYNTAX },
	{ "a@.", PATH_BAD_SYNTAX },
	{ "a@x.-y", PATH_BAD_SYNTAX },
	{ "a@x-.y", PATH_BAD_SYNTAX },
	{ "a@x-", PATH_BAD_SYNTAX },
	{ "a@x,y", PATH_BAD_SYNTAX },
	{ "a@x(c)", PATH_BAD_SYNTAX },
	/* what wants to be quoted */
	{ "a@b@c.example", PATH_BAD_SYNTAX },
	{ "a@\303\244@x", PATH_BAD_SYNTAX },
	{ "a,b@x.example", PATH_BAD_SYNTAX },
	{ "a;b@x", PATH_BAD_SYNTAX },
	{ "a:b@x", PATH_BAD_SYNTAX },
	{ "(c)u@x", PATH_BAD_SYNTAX },
	{ "u(c)@x", PATH_BAD_SYNTAX },
	{ "u[1]@x", PATH_BAD_SYNTAX },
	{ "a,b", PATH_BAD_SYNTAX },
	{ "\"a\"@b@c", PATH_BAD_SYNTAX },
	/* source routes */
	{ "@a.example:joe@c.example", PATH_OK },
	{ "@[192.0.2.1],@[IPv6:::1]:\"j@k\"@c.example", PATH_OK },
	{ "@\303\244.example:joe@c.example", PATH_NEEDS_SMTPUTF8 },
	{ "@a.example:joe", PATH_BAD_SYNTAX },
	{ "@a.example:", PATH_BAD_SYNTAX },
	{ "@a.example,", PATH_BAD_SYNTAX },
	{ "@a.example,b.example:joe@c", PATH_BAD_SYNTAX },
	{ "@a.example,@:joe@c", PATH_BAD_SYNTAX },
	{ "@:joe@c", PATH_BAD_SYNTAX },
	{ "@a.:joe@c", PATH_BAD_SYNTAX },
	{ "@a@b:joe@c", PATH_BAD_SYNTAX },
	{ "@[1.2.3:joe@c", PATH_BAD_SYNTAX },
	{ "@a:@b:joe@c", PATH_BAD_SYNTAX },
	{ "@a:joe@b@c", PATH_BAD_SYNTAX },
	{ "@a.example@c", PATH_BAD_SYNTAX },
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
		{ "bob@x", 3 },	      { "bob", 3 },
		{ "@a,@b:c@x", 7 },   { "\"a@b\"@x", 5 },
		{ "\"a@b\"", 5 },     { "\"a\\\"@\"@x", 6 },
		{ "j\303\266@x", 3 }, { "@a:\"b@c\"@x", 8 },
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
	assert_false(helo_name_valid(SLICE("mail.example.org.")));
	assert_false(helo_name_valid(SLICE("[junk]")));
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

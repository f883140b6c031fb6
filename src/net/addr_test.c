/*
 * addr_test.c - every form of address literal, and those that are none.
 */
#include "net/addr.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

/* ---- address literals --------------------------------------------------- */

struct literal {
	const char *in;
	const char *want; /* as net_addr_print_literal() has it */
	uint16_t port;
};

enum { DEFAULT_PORT = 2525 };

static const struct literal literals[] = {
	{ "[192.0.2.1]", "[192.0.2.1]", DEFAULT_PORT },
	{ "[0.0.0.0]", "[0.0.0.0]", DEFAULT_PORT },
	{ "[255.255.255.255]", "[255.255.255.255]", DEFAULT_PORT },
	{ "\"[192.0.2.1]", "[192.0.2.1]", DEFAULT_PORT },
	{ "\"[192.0.2.1]\"", "[192.0.2.1]", DEFAULT_PORT },
	{ "\"[192.0.2.1]:26\"", "[192.0.2.1]", 26 },
	{ "[192.0.2.1]:1", "[192.0.2.1]", 1 },
	{ "[192.0.2.1]:00025", "[192.0.2.1]", 25 },
	{ "[192.0.2.1]:65535", "[192.0.2.1]", 65535 },
	{ "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", DEFAULT_PORT },
	{ "[IPv6 2001:db8::1]", "[IPv6:2001:db8::1]", DEFAULT_PORT },
	{ "[IPv6.2001:db8::1]", "[IPv6:2001:db8::1]", DEFAULT_PORT },
	{ "[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]", DEFAULT_PORT },
	{ "[IPV6.::]", "[IPv6:::]", DEFAULT_PORT },
	{ "[iPv6 ::1]:587", "[IPv6:::1]", 587 },
	{ "\"[IPv6:::ffff:192.0.2.1]:24\"", "[IPv6:::ffff:192.0.2.1]", 24 },
	{ "[IPv6:1:2:3:4:5:6:7:8]", "[IPv6:1:2:3:4:5:6:7:8]", DEFAULT_PORT },
	/* The longest text that an IPv6 address can have. */
	{ "[IPv6:0001:0002:0003:0004:0005:0006:255.255.255.255]",
	  "[IPv6:1:2:3:4:5:6:ffff:ffff]", DEFAULT_PORT },
};

static void check_literal(const struct literal *row)
{
	struct str printed = STR_INIT;
	struct net_addr addr;
	struct err err;

	if (net_literal_parse(slice_of(row->in), DEFAULT_PORT, &addr, &err) < 0)
		fail_msg("%s: %s", row->in, err.text);
	net_addr_print_literal(&printed, &addr);
	assert_slice_is(str_slice(&printed), row->want);
	assert_int_equal(net_addr_port(&addr), row->port);
	assert_int_equal(addr.len, addr.u.any.sa_family == AF_INET
				       ? sizeof(addr.u.v4)
				       : sizeof(addr.u.v6));
	str_done(&printed);
}

static void test_every_form_of_literal_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(literals); i++)
		check_literal(&literals[i]);
}

/* A row of hostile text; it may hold NULs. */
#define IN(text)                       \
	{                              \
		text, sizeof(text) - 1 \
	}

/* clang-format off */
static const struct slice bad_addresses[] = {
	IN(""),
	IN("\""),
	IN("["),
	IN("[]"),
	IN("[]:25"),
	IN("192.0.2.1"),
	IN("mx.example.com"),
	IN(" [192.0.2.1]"),
	IN("\"\"[192.0.2.1]"),
	IN("[192.0.2.1"),
	IN("[192.0.2]"),
	IN("[192.0.2.256]"),
	IN("[192.0.2.1.5]"),
	IN("[192.0.2.-1]"),
	IN("[0300.0.2.1]"),
	IN("[0x7f.0.0.1]"),
	IN("[2130706433]"),
	IN("[ 192.0.2.1]"),
	IN("[192.0.2.1 ]"),
	IN("[192.0.2.1\0]"),
	IN("[192.0.2.1\0.example]"),
	IN("[192.0.2.1\r\n]"),
	IN("[::1]"),
	IN("[IPv6]"),
	IN("[IPv6:]"),
	IN("[IPv6::]"),
	IN("[IPv6-::1]"),
	IN("[IPv62001:db8::1]"),
	IN("[IPv6:1::2::3]"),
	IN("[IPv6:1:2:3:4:5:6:7:8:9]"),
	IN("[IPv6:12345::]"),
	IN("[IPv6:g::]"),
	IN("[IPv6:fe80::1%lo]"),
	IN("[IPv6:192.0.2.1]"),
	/* One byte longer than any address. */
	IN("[IPv6:00001:0002:0003:0004:0005:0006:255.255.255.255]"),
};

static const struct slice bad_ports[] = {
	IN("[[192.0.2.1]]"),
	IN("[IPv6:[::1]]"),
	IN("[192.0.2.1]:"),
	IN("[192.0.2.1]:0"),
	IN("[192.0.2.1]:65536"),
	IN("[192.0.2.1]:18446744073709551641"),
	IN("[192.0.2.1]:-1"),
	IN("[192.0.2.1]:+25"),
	IN("[192.0.2.1]: 25"),
	IN("[192.0.2.1]:25 "),
	IN("[192.0.2.1]:smtp"),
	IN("[192.0.2.1]25"),
	IN("[192.0.2.1]:25\"\""),
	IN("[192.0.2.1]."),
};
/* clang-format on */

static void check_refused(struct slice in, const char *why)
{
	struct net_addr addr = { .len = 77 };
	struct err err;

	if (net_literal_parse(in, 25, &addr, &err) == 0)
		fail_msg("'%.*s' is taken", SLICE_ARG(in));
	if (!slice_starts(slice_of(err.text), slice_of(why)))
		fail_msg("'%.*s': %s", SLICE_ARG(in), err.text);
	assert_false(slice_has_control(slice_of(err.text)));
	assert_int_equal(addr.len, 77);
}

static void test_what_is_no_literal_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_addresses); i++)
		check_refused(bad_addresses[i], "bad IP address: ");
	for (size_t i = 0; i < COUNT(bad_ports); i++)
		check_refused(bad_ports[i], "bad port behind IP address: ");
}

static void test_endless_literal_is_refused(void **state)
{
	struct str text = STR_INIT;
	struct net_addr addr;
	struct err err;

	(void)state;
	str_addc(&text, '[');
	for (size_t i = 0; i < 100000; i++)
		str_addc(&text, '1');
	assert_int_equal(net_literal_parse(str_slice(&text), 25, &addr, &err),
			 -1);
	str_addc(&text, ']');
	assert_int_equal(net_literal_parse(str_slice(&text), 25, &addr, &err),
			 -1);
	str_done(&text);
}

static void test_literals_are_told_from_names(void **state)
{
	static const struct {
		const char *in;
		bool want;
	} rows[] = {
		{ "[192.0.2.1]", true }, { "\"[192.0.2.1]\"", true },
		{ "[nonsense", true },	 { "192.0.2.1", false },
		{ "", false },		 { "\"", false },
		{ "\"\"[", false },	 { "mx[1].example", false },
		{ " [", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (net_literal_looks(slice_of(rows[i].in)) != rows[i].want)
			fail_msg("'%s'", rows[i].in);
}

/* ---- UNIX sockets ------------------------------------------------------- */

/* The longest path that fits with its NUL. */
static const size_t path_max =
    sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

static int make_unix(size_t len, struct net_addr *ret)
{
	struct str path = STR_INIT;
	struct err err;
	int r;

	for (size_t i = 0; i < len; i++)
		str_addc(&path, i == 0 ? '/' : 'p');
	r = net_unix_addr(str_slice(&path), ret, &err);
	if (r < 0)
		assert_true(slice_starts(slice_of(err.text),
					 SLICE("bad path of a UNIX socket")));
	else
		assert_slice_is(str_slice(&path), ret->u.local.sun_path);
	str_done(&path);
	return r;
}

static void test_unix_path_of_every_possible_length(void **state)
{
	struct net_addr addr = { .len = 77 };

	(void)state;
	assert_int_equal(make_unix(0, &addr), -1);
	assert_int_equal(make_unix(path_max + 1, &addr), -1);
	assert_int_equal(make_unix(100000, &addr), -1);
	assert_int_equal(addr.len, 77);
	for (size_t len = 1; len <= path_max; len++) {
		assert_int_equal(make_unix(len, &addr), 0);
		assert_int_equal(addr.u.any.sa_family, AF_UNIX);
		assert_int_equal(
		    addr.len, offsetof(struct sockaddr_un, sun_path) + len + 1);
	}
}

static void test_nul_in_unix_path_is_refused(void **state)
{
	struct net_addr addr;
	struct err err;

	(void)state;
	assert_int_equal(net_unix_addr(SLICE("/tmp/a\0b"), &addr, &err), -1);
	/* The abstract namespace is nobody's postoffice. */
	assert_int_equal(net_unix_addr(SLICE("\0abstract"), &addr, &err), -1);
}

/* ---- what else can be asked --------------------------------------------- */

static struct net_addr addr_of(const char *literal)
{
	struct net_addr addr;
	struct err err;

	assert_int_equal(net_literal_parse(slice_of(literal), 25, &addr, &err),
			 0);
	return addr;
}

static struct net_addr unix_of(const char *path)
{
	struct net_addr addr;
	struct err err;

	assert_int_equal(net_unix_addr(slice_of(path), &addr, &err), 0);
	return addr;
}

static void check_printed(struct net_addr addr, const char *want,
			  const char *want_literal, uint16_t port)
{
	struct str text = STR_INIT;

	net_addr_print(&text, &addr);
	assert_slice_is(str_slice(&text), want);
	str_clear(&text);
	net_addr_print_literal(&text, &addr);
	assert_slice_is(str_slice(&text), want_literal);
	assert_int_equal(net_addr_port(&addr), port);
	str_done(&text);
}

static void test_addresses_are_printed_for_reports_and_for_ehlo(void **state)
{
	(void)state;
	check_printed(addr_of("[192.0.2.1]"), "192.0.2.1", "[192.0.2.1]", 25);
	check_printed(addr_of("[IPv6:2001:db8:0::1]"), "ipv6 2001:db8::1",
		      "[IPv6:2001:db8::1]", 25);
	check_printed(unix_of("/run/lmtp"), "UNIX:/run/lmtp", "localhost", 0);
	check_printed((struct net_addr){ 0 }, "unknown address", "localhost",
		      0);
}

static void test_target_has_the_address_in_network_order(void **state)
{
	static const unsigned char v4[] = { 192, 0, 2, 1 };
	static const unsigned char v6[16] = { 0x20, 0x01, 0x0d,
					      0xb8, [15] = 0x19 };
	struct net_addr a = addr_of("[192.0.2.1]");
	struct net_addr b = addr_of("[IPv6:2001:db8::19]");
	struct net_addr c = unix_of("/run/lmtp");
	struct target_address t;

	(void)state;
	assert_true(net_addr_target(&a, &t));
	assert_false(t.is_v6);
	assert_memory_equal(t.bytes, v4, sizeof(v4));
	assert_true(net_addr_target(&b, &t));
	assert_true(t.is_v6);
	assert_memory_equal(t.bytes, v6, sizeof(v6));
	assert_false(net_addr_target(&c, &t));
}

static void check_there_and_back(const char *literal)
{
	struct net_addr addr = addr_of(literal), back;
	struct target_address t;

	assert_true(net_addr_target(&addr, &t));
	back = net_addr_of(&t, net_addr_port(&addr));
	assert_int_equal(back.len, addr.len);
	assert_memory_equal(&back.u, &addr.u, addr.len);
}

static void test_targets_become_addresses_again(void **state)
{
	(void)state;
	check_there_and_back("[192.0.2.1]:2525");
	check_there_and_back("[IPv6:2001:db8::1]:2525");
	check_there_and_back("[IPv6:::ffff:192.0.2.1]");
}

static void check_same(struct net_addr a, struct net_addr b, bool want)
{
	assert_int_equal(net_addr_same_host(&a, &b), want);
	assert_int_equal(net_addr_same_host(&b, &a), want);
}

static void test_hosts_are_compared_without_ports(void **state)
{
	(void)state;
	check_same(addr_of("[192.0.2.1]"), addr_of("[192.0.2.1]:99"), true);
	check_same(addr_of("[192.0.2.1]"), addr_of("[192.0.2.2]"), false);
	check_same(addr_of("[IPv6:::1]"), addr_of("[IPv6:0::0:1]:99"), true);
	check_same(addr_of("[IPv6:::1]"), addr_of("[IPv6:::2]"), false);
	check_same(addr_of("[IPv6:::1]"), addr_of("[0.0.0.1]"), false);
	check_same(unix_of("/run/a"), unix_of("/run/a"), true);
	check_same(unix_of("/run/a"), unix_of("/run/b"), false);
	check_same(unix_of("/run/a"), addr_of("[192.0.2.1]"), false);
	check_same(unix_of("/run/a"), addr_of("[IPv6:::1]"), false);
}

/*
 * A name whose AAAA record carries an IPv4 address of our own would else lead
 * mail past the guard against talking to ourselves.
 */
static void test_mapped_address_is_the_ipv4_host_it_carries(void **state)
{
	(void)state;
	check_same(addr_of("[IPv6:::ffff:192.0.2.1]"), addr_of("[192.0.2.1]"),
		   true);
	check_same(addr_of("[IPv6:::ffff:192.0.2.1]"),
		   addr_of("[IPv6:::ffff:192.0.2.1]"), true);
	check_same(addr_of("[IPv6:::ffff:192.0.2.1]"), addr_of("[192.0.2.2]"),
		   false);
	check_same(addr_of("[IPv6:::fffe:192.0.2.1]"), addr_of("[192.0.2.1]"),
		   false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_of_literal_is_read),
		cmocka_unit_test(test_what_is_no_literal_is_refused),
		cmocka_unit_test(test_endless_literal_is_refused),
		cmocka_unit_test(test_literals_are_told_from_names),
		cmocka_unit_test(test_unix_path_of_every_possible_length),
		cmocka_unit_test(test_nul_in_unix_path_is_refused),
		cmocka_unit_test(
		    test_addresses_are_printed_for_reports_and_for_ehlo),
		cmocka_unit_test(test_target_has_the_address_in_network_order),
		cmocka_unit_test(test_targets_become_addresses_again),
		cmocka_unit_test(test_hosts_are_compared_without_ports),
		cmocka_unit_test(
		    test_mapped_address_is_the_ipv4_host_it_carries),
	};

	return TEST_RUN(tests);
}

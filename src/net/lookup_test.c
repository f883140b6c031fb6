/*
 * lookup_test.c - what is made of the name service's answers.
 */
#include "net/lookup.h"

#include "base/keyword.h"
#include "net/test_names.h"

#include <arpa/inet.h>

/* ---- looking up --------------------------------------------------------- */

/* All addresses as "ADDR PORT" lines. */
static void print_all(const struct net_addr *addrs, size_t n, struct str *to)
{
	for (size_t i = 0; i < n; i++) {
		bool is_v6 = addrs[i].u.any.sa_family == AF_INET6;

		assert_int_equal(addrs[i].len, is_v6 ? sizeof(addrs[i].u.v6)
						     : sizeof(addrs[i].u.v4));
		net_addr_print(to, &addrs[i]);
		str_addf(to, " %u\n", (unsigned)net_addr_port(&addrs[i]));
	}
}

static void check_lookup(enum lookup_verdict verdict, const char *want)
{
	struct arena *a = arena_new();
	struct lookup found = net_lookup(SLICE("mx.example"), 2525, a);
	struct str text = STR_INIT;

	assert_int_equal(found.verdict, verdict);
	assert_int_equal(found.detail[0] != '\0', service.code != 0);
	print_all(found.addrs, found.n, &text);
	assert_slice_is(str_slice(&text), want);
	assert_string_equal(service.name, "mx.example");
	/* Else each address would come once a kind of socket. */
	assert_int_equal(service.hints.ai_socktype, SOCK_STREAM);
	str_done(&text);
	arena_free(a);
	service_clear();
}

static void test_ipv4_comes_first_and_each_address_gets_the_port(void **state)
{
	static const char *const literals[] = { "[IPv6:2001:db8::2]",
						"[192.0.2.9]",
						"[IPv6:2001:db8::1]",
						"[192.0.2.1]:99" };

	(void)state;
	memcpy(service.literals, literals, sizeof(literals));
	check_lookup(LOOKUP_OK, "192.0.2.9 2525\n"
				"192.0.2.1 2525\n"
				"ipv6 2001:db8::2 2525\n"
				"ipv6 2001:db8::1 2525\n");
}

static void test_every_answer_of_the_resolver_has_a_verdict(void **state)
{
	static const struct {
		int code;
		enum lookup_verdict want;
	} rows[] = {
		{ EAI_AGAIN, LOOKUP_AGAIN },
		{ EAI_NODATA, LOOKUP_NO_DATA },
		{ EAI_ADDRFAMILY, LOOKUP_NO_DATA },
		{ EAI_NONAME, LOOKUP_NO_NAME },
		/* What tells of our own trouble says nothing of the name. */
		{ EAI_FAIL, LOOKUP_FAILED },
		{ EAI_SYSTEM, LOOKUP_FAILED },
		{ EAI_MEMORY, LOOKUP_FAILED },
		{ EAI_FAMILY, LOOKUP_FAILED },
		{ EAI_SERVICE, LOOKUP_FAILED },
		{ EAI_BADFLAGS, LOOKUP_FAILED },
		{ EAI_OVERFLOW, LOOKUP_FAILED },
		{ -12345, LOOKUP_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		service.code = rows[i].code;
		check_lookup(rows[i].want, "");
	}
}

static void test_name_without_usable_address_has_no_data(void **state)
{
	(void)state;
	service.literals[0] = "-";
	check_lookup(LOOKUP_NO_DATA, "");
	service.literals[0] = "-";
	service.literals[1] = "[192.0.2.1]";
	check_lookup(LOOKUP_OK, "192.0.2.1 2525\n");
}

static void test_impossible_names_are_not_asked_for(void **state)
{
	struct arena *a = arena_new();
	struct slice names[] = { SLICE(""), SLICE("a\0.example"), SLICE("\0") };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct lookup found = net_lookup(names[i], 25, a);

		assert_int_equal(found.verdict, LOOKUP_NO_NAME);
		assert_int_equal(found.n, 0);
		assert_non_null(found.detail);
	}
	assert_int_equal(service.asked, 0);
	arena_free(a);
}

/* ---- this host ---------------------------------------------------------- */

static void test_own_addresses_are_those_of_all_interfaces(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = 7 };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = 7 };
	struct sockaddr packet = { .sa_family = AF_PACKET };
	struct ifaddrs list[] = {
		{ .ifa_next = &list[1], .ifa_addr = &packet },
		{ .ifa_next = &list[2], .ifa_addr = NULL },
		{ .ifa_next = &list[3], .ifa_addr = (void *)&v4 },
		{ .ifa_next = NULL, .ifa_addr = (void *)&v6 },
	};
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct net_addr *own;
	size_t n;

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr), 1);
	service.interfaces = list;
	n = net_own_addresses(a, &own);
	print_all(own, n, &text);
	assert_slice_is(str_slice(&text), "192.0.2.1 0\nipv6 fe80::1 0\n");
	str_done(&text);
	arena_free(a);
	service_clear();
}

static void test_unknown_own_addresses_are_none(void **state)
{
	struct arena *a = arena_new();
	struct net_addr other, *own = &other;

	(void)state;
	assert_int_equal(net_own_addresses(a, &own), 0);
	assert_null(own);
	arena_free(a);
}

static void check_own_name(const char *want, int asked)
{
	struct arena *a = arena_new();

	assert_slice_is(net_own_name(a), want);
	assert_int_equal(service.asked, asked);
	arena_free(a);
	service_clear();
}

static void test_own_name_with_a_dot_is_taken_as_it_is(void **state)
{
	(void)state;
	service.node = "mail.example.org";
	service.literals[0] = "[192.0.2.1]";
	service.canonical = "other.example.org";
	check_own_name("mail.example.org", 0);
}

static void test_own_name_without_a_dot_is_made_canonical(void **state)
{
	(void)state;
	service.node = "mail";
	service.literals[0] = "[192.0.2.1]";
	service.canonical = "mail.example.org";
	check_own_name("mail.example.org", 1);
	service.node = "post";
	service.literals[0] = "[192.0.2.1]";
	check_own_name("post", 1);
	service.node = "brief";
	service.code = EAI_NONAME;
	check_own_name("brief", 1);
}

/* The resolver may be dead, and each question takes its time. */
static void test_own_name_is_asked_for_once(void **state)
{
	(void)state;
	service.node = "once";
	service.code = EAI_AGAIN;
	check_own_name("once", 1);
	service.node = "once";
	service.literals[0] = "[192.0.2.1]";
	service.canonical = "once.example.org";
	check_own_name("once", 0);
	service.node = "twice";
	service.literals[0] = "[192.0.2.1]";
	service.canonical = "twice.example.org";
	check_own_name("twice.example.org", 1);
	service.node = "twice";
	check_own_name("twice.example.org", 0);
}

static void test_host_without_a_name_has_none(void **state)
{
	(void)state;
	check_own_name("", 0);
	service.node = "";
	check_own_name("", 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_ipv4_comes_first_and_each_address_gets_the_port),
		cmocka_unit_test(
		    test_every_answer_of_the_resolver_has_a_verdict),
		cmocka_unit_test(test_name_without_usable_address_has_no_data),
		cmocka_unit_test(test_impossible_names_are_not_asked_for),
		cmocka_unit_test(
		    test_own_addresses_are_those_of_all_interfaces),
		cmocka_unit_test(test_unknown_own_addresses_are_none),
		cmocka_unit_test(test_own_name_with_a_dot_is_taken_as_it_is),
		cmocka_unit_test(test_own_name_without_a_dot_is_made_canonical),
		cmocka_unit_test(test_own_name_is_asked_for_once),
		cmocka_unit_test(test_host_without_a_name_has_none),
	};

	return TEST_RUN(tests);
}

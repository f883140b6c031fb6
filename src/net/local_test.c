/*
 * local_test.c - reading -L and pools, and choosing the address of our end.
 */
#include "net/local.h"

#include "base/keyword.h"
#include "net/test_names.h"

#include <net/if.h>
#include <stdio.h>

/* ---- reading ------------------------------------------------------------ */

/* "FORM family what" of a local end. */
static void print_end(struct str *to, const struct local_end *end)
{
	static const char *const forms[] = { "none", "address", "interface",
					     "name" };

	str_addf(to, "%s %s ", forms[end->form],
		 end->family == AF_INET	   ? "4"
		 : end->family == AF_INET6 ? "6"
					   : "both");
	if (end->form == LOCAL_ADDRESS) {
		net_addr_print(to, &end->addr);
		assert_int_equal(net_addr_port(&end->addr), 0);
		assert_int_equal(end->addr.u.any.sa_family, end->family);
	}
	str_add(to, end->name);
}

static const char *const good_ends[][2] = {
	{ "any", "address 4 0.0.0.0" },
	{ "ANY", "address 4 0.0.0.0" },
	{ "any6", "address 6 ipv6 ::" },
	{ "Any6", "address 6 ipv6 ::" },
	{ "[192.0.2.1]", "address 4 192.0.2.1" },
	{ "[IPv6:2001:db8::1]", "address 6 ipv6 2001:db8::1" },
	{ "[ipv6 2001:db8::1]", "address 6 ipv6 2001:db8::1" },
	{ "[IPV6.2001:db8::1]", "address 6 ipv6 2001:db8::1" },
	{ "iface:eth0", "interface both eth0" },
	{ "IFACE:Eth0:1", "interface both Eth0:1" },
	{ "iface:v4:eth0", "interface 4 eth0" },
	{ "iface:V6:eth0:1", "interface 6 eth0:1" },
	{ "iface:v4", "interface both v4" },
	{ "iface:v4:v6:x", "interface 4 v6:x" },
	{ "mail.example.org", "name both mail.example.org" },
	{ "any7", "name both any7" },
	{ "iface", "name both iface" },
	{ "192.0.2.1", "name both 192.0.2.1" },
};

static const char *const bad_ends[] = {
	"",
	"[192.0.2.1",
	"[192.0.2.1]:25",
	"[192.0.2.1]\"",
	"[192.0.2.256]",
	"[2001:db8::1]",
	"[IPv6:192.0.2.1]",
	"[]",
	"[",
	"iface:",
	"iface:v4:",
	"iface:v6:",
	"two words",
	" any",
	"a\tb",
	"mail]",
	"\"[192.0.2.1]",
};

static void test_every_form_of_a_local_end_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good_ends); i++) {
		struct str got = STR_INIT;
		struct local_end end;
		struct err err;

		if (local_parse(slice_of(good_ends[i][0]), &end, &err) < 0)
			fail_msg("%s", err.text);
		print_end(&got, &end);
		assert_slice_is(str_slice(&got), good_ends[i][1]);
		str_done(&got);
	}
}

static void test_what_has_none_of_the_forms_is_refused(void **state)
{
	struct local_end end = { .form = LOCAL_NONE };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad_ends); i++) {
		if (local_parse(slice_of(bad_ends[i]), &end, &err) == 0)
			fail_msg("'%s' was taken", bad_ends[i]);
		assert_int_equal(end.form, LOCAL_NONE);
		assert_non_null(strstr(err.text, "expected any, any6"));
	}
	assert_int_equal(local_parse(slice_make("a\0b", 3), &end, &err), -1);
}

/* ---- choosing ----------------------------------------------------------- */

/* The address for a family: "" if the system chooses, "- text" if there is
 * none. */
static void check_choice(const struct local_from *from, sa_family_t family,
			 const char *want)
{
	struct net_addr addr = { .len = 99 };
	struct str got = STR_INIT;
	struct err err;

	if (local_choose(from, family, &addr, &err) < 0) {
		str_addf(&got, "- %s", err.text);
		assert_int_not_equal(err.code, 0);
	} else if (addr.len > 0) {
		net_addr_print(&got, &addr);
		assert_int_equal(addr.u.any.sa_family, family);
		assert_int_equal(net_addr_port(&addr), 0);
	}
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static struct local_from from_of(const char *text)
{
	struct local_from from = { 0 };
	struct err err;

	if (local_parse(slice_of(text), &from.end, &err) < 0)
		fail_msg("%s", err.text);
	return from;
}

static void check_choices(const char *text, const char *v4, const char *v6)
{
	struct local_from from = from_of(text);

	check_choice(&from, AF_INET, v4);
	check_choice(&from, AF_INET6, v6);
	/* UNIX sockets come from nowhere. */
	check_choice(&from, AF_UNIX, "");
}

static void test_address_that_does_not_fit_the_family_is_ignored(void **state)
{
	struct local_from none = { 0 };

	(void)state;
	check_choices("any", "0.0.0.0", "");
	check_choices("any6", "", "ipv6 ::");
	check_choices("[192.0.2.1]", "192.0.2.1", "");
	check_choices("[IPv6:2001:db8::1]", "", "ipv6 2001:db8::1");
	check_choice(&none, AF_INET, "");
	check_choice(&none, AF_INET6, "");
}

struct row {
	const char *name, *literal; /* NULL: an address of another kind */
	bool is_down;
};

static const struct row interfaces[] = {
	{ "lo", "[127.0.0.1]", false },
	{ "eth0", NULL, false },
	{ "eth0", "[IPv6:fe80::1]", false },
	{ "eth0", "[192.0.2.1]", false },
	{ "eth0:1", "[192.0.2.2]", false },
	{ "eth0", "[192.0.2.3]", false },
	{ "eth0", "[IPv6:2001:db8::1]", false },
	{ "eth0", "[IPv6:2001:db8::2]", false },
	{ "eth1", "[192.0.2.4]", true },
	{ "eth2", "[IPv6:fe80::2]", false },
	{ "eth3", "[192.0.2.5]", false },
	{ "eth3", "[IPv6:fe80::3]", false },
	{ "none", NULL, false },
};

static struct ifaddrs list[COUNT(interfaces)];
static struct net_addr addresses[COUNT(interfaces)];
static char names[COUNT(interfaces)][16];

static void give_interfaces(void)
{
	struct err err;

	for (size_t i = 0; i < COUNT(interfaces); i++) {
		const struct row *row = &interfaces[i];

		snprintf(names[i], sizeof(names[i]), "%s", row->name);
		list[i] = (struct ifaddrs){
			.ifa_next =
			    i + 1 < COUNT(interfaces) ? &list[i + 1] : NULL,
			.ifa_name = names[i],
			.ifa_flags = row->is_down ? 0 : IFF_UP,
		};
		if (row->literal == NULL)
			continue;
		assert_int_equal(net_literal_parse(slice_of(row->literal), 0,
						   &addresses[i], &err),
				 0);
		list[i].ifa_addr = &addresses[i].u.any;
	}
	service.interfaces = list;
}

static void test_interface_gives_its_first_address(void **state)
{
	const char *lack = "- no address of the local interface";

	(void)state;
	give_interfaces();
	check_choices("iface:eth0", "192.0.2.1", "ipv6 2001:db8::1");
	check_choices("iface:ETH0:1", "192.0.2.2", "");
	check_choices("iface:v4:eth0", "192.0.2.1", "");
	check_choices("iface:v6:eth0", "", "ipv6 2001:db8::1");
	/* It is not there; it is down; it has no address that goes far. */
	check_choices("iface:eth", lack, lack);
	check_choices("iface:eth1", lack, lack);
	check_choices("iface:eth2", lack, lack);
	check_choices("iface:none", lack, lack);
	/* One family is what it has, and what more was asked for is lacking. */
	check_choices("iface:eth3", "192.0.2.5", "");
	check_choices("iface:v6:eth3", "", lack);
	check_choices("iface:v4:eth2", lack, "");
	service_clear();
}

static void test_interfaces_that_cannot_be_listed_are_an_error(void **state)
{
	(void)state;
	check_choices("iface:eth0", "- Cannot allocate memory",
		      "- Cannot allocate memory");
	service_clear();
}

static void test_host_name_gives_the_first_address_of_the_family(void **state)
{
	const char *lack = "- no address of the local host name";

	(void)state;
	service.literals[0] = "[192.0.2.7]";
	service.literals[1] = "[192.0.2.8]";
	service.literals[2] = "[IPv6:2001:db8::7]";
	check_choices("mail.example", "192.0.2.7", "ipv6 2001:db8::7");
	assert_string_equal(service.name, "mail.example");
	service.literals[1] = NULL;
	check_choices("mail.example", "192.0.2.7", "");
	service.literals[0] = NULL;
	check_choices("mail.example", lack, lack);
	service.code = EAI_AGAIN;
	check_choices("mail.example", lack, lack);
	service.code = EAI_NONAME;
	check_choices("mail.example", lack, lack);
	service_clear();
}

static struct lookup look_up(void *context, struct slice name, struct arena *a)
{
	struct lookup found = { .detail = "", .n = 1 };
	struct err err;

	assert_slice_is(name, "mail.example");
	*(unsigned *)context += 1;
	found.addrs = arena_array(a, 1, sizeof(*found.addrs));
	assert_int_equal(net_literal_parse(SLICE("[IPv6:2001:db8::9]"), 0,
					   found.addrs, &err),
			 0);
	return found;
}

static void test_another_resolver_can_be_handed_in(void **state)
{
	struct local_from from = from_of("mail.example");
	unsigned asked = 0;

	(void)state;
	from.lookup = look_up;
	from.context = &asked;
	check_choice(&from, AF_INET6, "ipv6 2001:db8::9");
	check_choice(&from, AF_INET, "");
	assert_int_equal(asked, 2);
	assert_int_equal(service.asked, 0);
	service_clear();
}

/* ---- pools -------------------------------------------------------------- */

static const char *const good_pools[] = {
	"192.0.2.1",
	"[192.0.2.1]",
	"192.0.2.1,192.0.2.2",
	"2001:db8::1",
	"[IPv6:2001:db8::1],192.0.2.1,2001:db8::2,[ipv6.2001:db8::3]",
	"::1,127.0.0.1",
};

static const char *const bad_pools[] = {
	"",
	",",
	"192.0.2.1,",
	",192.0.2.1",
	"192.0.2.1,,192.0.2.2",
	"192.0.2.1 192.0.2.2",
	"192.0.2.1, 192.0.2.2",
	"192.0.2.256",
	"192.0.2.1:25",
	"[192.0.2.1]:25",
	"[2001:db8::1]",
	"0.0.0.0",
	"::",
	"192.0.2.1,any",
	"iface:eth0",
	"mail.example.org",
	"192.0.2.0/24",
};

static void test_pools_are_lists_of_addresses(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(good_pools); i++)
		if (local_pool_check(slice_of(good_pools[i]), &err) < 0)
			fail_msg("%s", err.text);
	for (size_t i = 0; i < COUNT(bad_pools); i++)
		if (local_pool_check(slice_of(bad_pools[i]), &err) == 0)
			fail_msg("'%s' was taken", bad_pools[i]);
}

/* The last byte of the IPv4 address that serves a destination. */
static unsigned char serves(const char *pool, const char *destination)
{
	struct net_addr addr;

	assert_true(local_pool_choose(slice_of(pool), AF_INET,
				      slice_of(destination), &addr));
	return (unsigned char)(ntohl(addr.u.v4.sin_addr.s_addr) & 255);
}

enum { DESTINATIONS = 4000 };

static const char *destination(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof(name), "d%u.example", i);
	return name;
}

static void test_destinations_are_spread_over_a_pool(void **state)
{
	const char *pool = "192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4";
	unsigned count[5] = { 0 };

	(void)state;
	for (unsigned i = 0; i < DESTINATIONS; i++)
		count[serves(pool, destination(i))]++;
	/* A fair share is 1000; chance alone strays by about 30. */
	for (unsigned i = 1; i < COUNT(count); i++)
		assert_in_range(count[i], 850, 1150);
}

static void test_another_address_moves_its_own_share_alone(void **state)
{
	const char *small = "192.0.2.1,192.0.2.2,192.0.2.3";
	const char *large = "192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4";
	unsigned moved = 0;

	(void)state;
	for (unsigned i = 0; i < DESTINATIONS; i++) {
		unsigned char before = serves(small, destination(i));
		unsigned char after = serves(large, destination(i));

		moved += before != after;
		assert_true(before == after || after == 4);
	}
	assert_in_range(moved, 850, 1150);
}

static void test_choice_is_the_same_for_every_agent(void **state)
{
	const char *pool = "192.0.2.1,192.0.2.2,192.0.2.3";

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(
		    serves(pool, destination(i)),
		    serves("192.0.2.3,2001:db8::1,[192.0.2.1],192.0.2.2",
			   destination(i)));
	assert_int_equal(serves(pool, "Example.COM."),
			 serves(pool, "example.com"));
	/* They must never change: reputation hangs on them. */
	assert_int_equal(serves(pool, "example.com"), 2);
	assert_int_equal(serves(pool, "example.org"), 3);
}

static void test_each_family_has_its_own_choice(void **state)
{
	struct slice pool = SLICE("192.0.2.1,2001:db8::1,2001:db8::2");
	struct net_addr addr;
	bool saw[3] = { false };

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct slice name = slice_of(destination(i));

		assert_true(local_pool_choose(pool, AF_INET, name, &addr));
		assert_int_equal(addr.u.any.sa_family, AF_INET);
		assert_true(local_pool_choose(pool, AF_INET6, name, &addr));
		saw[addr.u.v6.sin6_addr.s6_addr[15]] = true;
	}
	assert_true(saw[1] && saw[2]);
	assert_false(local_pool_choose(SLICE("192.0.2.1"), AF_INET6,
				       SLICE("example.com"), &addr));
	assert_false(local_pool_choose(slice_make(NULL, 0), AF_INET,
				       SLICE("example.com"), &addr));
}

static void test_pool_wins_over_the_local_end_in_its_families(void **state)
{
	struct local_from from = from_of("[IPv6:2001:db8::5]");

	(void)state;
	from.pool = SLICE("192.0.2.1");
	from.destination = SLICE("example.com");
	check_choice(&from, AF_INET, "192.0.2.1");
	check_choice(&from, AF_INET6, "ipv6 2001:db8::5");
	from.pool = SLICE("192.0.2.1,2001:db8::6");
	check_choice(&from, AF_INET6, "ipv6 2001:db8::6");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_of_a_local_end_is_read),
		cmocka_unit_test(test_what_has_none_of_the_forms_is_refused),
		cmocka_unit_test(
		    test_address_that_does_not_fit_the_family_is_ignored),
		cmocka_unit_test(test_interface_gives_its_first_address),
		cmocka_unit_test(
		    test_interfaces_that_cannot_be_listed_are_an_error),
		cmocka_unit_test(
		    test_host_name_gives_the_first_address_of_the_family),
		cmocka_unit_test(test_another_resolver_can_be_handed_in),
		cmocka_unit_test(test_pools_are_lists_of_addresses),
		cmocka_unit_test(test_destinations_are_spread_over_a_pool),
		cmocka_unit_test(
		    test_another_address_moves_its_own_share_alone),
		cmocka_unit_test(test_choice_is_the_same_for_every_agent),
		cmocka_unit_test(test_each_family_has_its_own_choice),
		cmocka_unit_test(
		    test_pool_wins_over_the_local_end_in_its_families),
	};

	return TEST_RUN(tests);
}

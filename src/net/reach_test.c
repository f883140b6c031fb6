/*
 * reach_test.c - what is remembered of addresses and families, and the order.
 *
 * Addresses are written as in "192.0.2.1 2001:db8::1", all on port 25.
 */
#include "net/reach.h"

#include "base/keyword.h"
#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE = 60 * 1000, LIST_MAX = 32 };

static struct net_addr addr_of(struct slice word, uint16_t port)
{
	struct str text = STR_INIT;
	struct net_addr addr;
	struct err err;

	str_adds(&text, slice_has(word, ':') ? "[IPv6:" : "[");
	str_add(&text, word);
	str_addc(&text, ']');
	if (net_literal_parse(str_slice(&text), port, &addr, &err) < 0)
		fail_msg("%s", err.text);
	str_done(&text);
	return addr;
}

static struct net_addr at(const char *word)
{
	return addr_of(slice_of(word), 25);
}

static void check_order(const struct reach *r, int64_t now, const char *list,
			const char *want)
{
	struct slice rest = slice_of(list), words[LIST_MAX];
	struct net_addr addrs[LIST_MAX];
	size_t order[LIST_MAX], n = 0;
	struct str got = STR_INIT;

	while (slice_word(&rest, &words[n])) {
		addrs[n] = addr_of(words[n], 25);
		n++;
		assert_true(n < LIST_MAX);
	}
	reach_order(r, addrs, n, now, order);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			str_addc(&got, ' ');
		str_add(&got, words[order[i]]);
	}
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static void fail_at(struct reach *r, const char *word, int code, int64_t now)
{
	struct net_addr addr = at(word);

	reach_failed(r, &addr, code, now);
}

static void work_at(struct reach *r, const char *word)
{
	struct net_addr addr = at(word);

	reach_worked(r, &addr);
}

/* ---- without memory ----------------------------------------------------- */

static const char *const orders[][2] = {
	{ "", "" },
	{ "1.0.0.1", "1.0.0.1" },
	{ "1.0.0.2 1.0.0.1", "1.0.0.2 1.0.0.1" },
	{ "1.0.0.1 a::1", "1.0.0.1 a::1" },
	{ "a::1 1.0.0.1", "a::1 1.0.0.1" },
	{ "1.0.0.1 1.0.0.2 a::1 a::2", "1.0.0.1 a::1 1.0.0.2 a::2" },
	{ "a::1 a::2 a::3 1.0.0.1", "a::1 1.0.0.1 a::2 a::3" },
	{ "a::2 1.0.0.3 1.0.0.1 1.0.0.2 a::1",
	  "a::2 1.0.0.3 a::1 1.0.0.1 1.0.0.2" },
	/* The same one twice is no reason to leave one out. */
	{ "1.0.0.1 1.0.0.1 a::1", "1.0.0.1 a::1 1.0.0.1" },
};

static void test_families_alternate_and_keep_their_order(void **state)
{
	struct reach *r = reach_new();

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		check_order(NULL, 0, orders[i][0], orders[i][1]);
		check_order(r, 0, orders[i][0], orders[i][1]);
	}
	reach_free(r);
	reach_free(NULL);
}

/* ---- addresses ---------------------------------------------------------- */

static void test_address_that_failed_goes_behind_the_others(void **state)
{
	struct reach *r = reach_new();
	struct net_addr addr = at("1.0.0.1"), other = at("1.0.0.2");

	(void)state;
	fail_at(r, "1.0.0.1", ECONNREFUSED, 1000);
	assert_true(reach_doubts_address(r, &addr, 1000));
	assert_false(reach_doubts_address(r, &other, 1000));
	check_order(r, 2000, "1.0.0.1 1.0.0.2 1.0.0.3",
		    "1.0.0.2 1.0.0.3 1.0.0.1");
	/* Its family still begins. */
	check_order(r, 2000, "1.0.0.1 1.0.0.2 a::1", "1.0.0.2 a::1 1.0.0.1");
	check_order(r, 2000, "1.0.0.1", "1.0.0.1");
	reach_free(r);
}

static void test_all_that_failed_keep_the_order_of_a_level(void **state)
{
	struct reach *r = reach_new();

	(void)state;
	fail_at(r, "a::1", ECONNREFUSED, 3);
	fail_at(r, "1.0.0.2", EHOSTUNREACH, 2);
	fail_at(r, "1.0.0.1", 0, 1);
	check_order(r, 9, "1.0.0.1 1.0.0.2 a::1 1.0.0.3",
		    "1.0.0.3 1.0.0.1 a::1 1.0.0.2");
	reach_free(r);
}

static void test_address_is_forgiven_after_a_while(void **state)
{
	struct reach *r = reach_new();
	const char *list = "1.0.0.1 1.0.0.2";

	(void)state;
	fail_at(r, "1.0.0.1", ETIMEDOUT, 5);
	check_order(r, 5 + 10 * MINUTE - 1, list, "1.0.0.2 1.0.0.1");
	check_order(r, 5 + 10 * MINUTE, list, list);
	/* Failing again it is doubted again. */
	fail_at(r, "1.0.0.1", ETIMEDOUT, 30 * MINUTE);
	check_order(r, 31 * MINUTE, list, "1.0.0.2 1.0.0.1");
	reach_free(r);
}

static void test_address_that_works_is_forgiven_at_once(void **state)
{
	struct reach *r = reach_new();
	const char *list = "1.0.0.1 1.0.0.2 1.0.0.3";

	(void)state;
	fail_at(r, "1.0.0.1", ETIMEDOUT, 0);
	fail_at(r, "1.0.0.2", ETIMEDOUT, 0);
	work_at(r, "1.0.0.1");
	work_at(r, "1.0.0.3"); /* of which nothing is known */
	check_order(r, 0, list, "1.0.0.1 1.0.0.3 1.0.0.2");
	reach_free(r);
}

static void test_port_is_part_of_an_address(void **state)
{
	struct reach *r = reach_new();
	struct net_addr smtp = addr_of(SLICE("1.0.0.1"), 25);
	struct net_addr submission = addr_of(SLICE("1.0.0.1"), 587);

	(void)state;
	reach_failed(r, &smtp, ECONNREFUSED, 0);
	assert_true(reach_doubts_address(r, &smtp, 0));
	assert_false(reach_doubts_address(r, &submission, 0));
	reach_free(r);
}

static void test_own_lacks_and_unix_sockets_are_not_remembered(void **state)
{
	static const int lacks[] = { EINTR, ENOMEM, ENOBUFS, EMFILE, ENFILE };
	struct reach *r = reach_new();
	struct net_addr addr, local;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(lacks); i++) {
		assert_true(reach_is_our_lack(lacks[i]));
		fail_at(r, "1.0.0.1", lacks[i], 0);
		fail_at(r, "1.0.0.2", lacks[i], 0);
	}
	addr = at("1.0.0.1");
	assert_false(reach_doubts_address(r, &addr, 0));
	assert_false(reach_doubts_family(r, AF_INET, 0));
	assert_false(reach_is_our_lack(ECONNREFUSED));
	assert_int_equal(net_unix_addr(SLICE("/run/lmtp"), &local, &err), 0);
	reach_failed(r, &local, ENOENT, 0);
	reach_worked(r, &local);
	assert_false(reach_doubts_address(r, &local, 0));
	reach_free(r);
}

static void test_memory_is_bounded_and_forgets_the_oldest(void **state)
{
	struct reach *r = reach_new();
	struct net_addr addr = at("10.0.0.0");
	size_t doubts = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		addr.u.v4.sin_addr.s_addr = htonl(0x0a000000u + i);
		/* The first one again and again. */
		if (i % 100 == 0)
			fail_at(r, "10.0.0.0", ECONNREFUSED, i);
		reach_failed(r, &addr, ECONNREFUSED, i);
	}
	for (unsigned i = 0; i < 1000; i++) {
		addr.u.v4.sin_addr.s_addr = htonl(0x0a000000u + i);
		if (!reach_doubts_address(r, &addr, 1000))
			continue;
		doubts++;
		assert_true(i == 0 || i >= 1000 - REACH_ADDRESSES_MAX);
	}
	assert_int_equal(doubts, REACH_ADDRESSES_MAX);
	addr = at("10.0.0.0");
	assert_true(reach_doubts_address(r, &addr, 1000));
	reach_free(r);
}

/* ---- families ----------------------------------------------------------- */

static const char *const both = "a::8 a::9 1.0.0.8 1.0.0.9";
static const char *const in_turn = "a::8 1.0.0.8 a::9 1.0.0.9";
static const char *const v4_first = "1.0.0.8 1.0.0.9 a::8 a::9";

/* Lets three IPv6 addresses fail, the last of them at `now`. */
static void strike_v6(struct reach *r, int code, int64_t now)
{
	fail_at(r, "a::1", code, now - 2);
	fail_at(r, "a::2", code, now - 1);
	check_order(r, now, both, in_turn);
	fail_at(r, "a::3", code, now);
}

static void test_family_that_the_network_lacks_goes_behind(void **state)
{
	static const int codes[] = { ENETUNREACH, ETIMEDOUT, ENETDOWN,
				     EADDRNOTAVAIL, EAFNOSUPPORT };

	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++) {
		struct reach *r = reach_new();

		strike_v6(r, codes[i], 10);
		assert_true(reach_doubts_family(r, AF_INET6, 10));
		assert_false(reach_doubts_family(r, AF_INET, 10));
		check_order(r, 10, both, v4_first);
		/* An address that failed itself is behind even those. */
		fail_at(r, "1.0.0.8", ECONNREFUSED, 10);
		check_order(r, 10, both, "1.0.0.9 a::8 a::9 1.0.0.8");
		check_order(r, 10, "a::1 a::8", "a::8 a::1");
		reach_free(r);
	}
}

static void test_answers_that_refuse_show_that_the_family_works(void **state)
{
	static const int codes[] = { ECONNREFUSED, ECONNRESET, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++) {
		struct reach *r = reach_new();

		strike_v6(r, codes[i], 10);
		check_order(r, 10, both, in_turn);
		/* One answer among them, and it begins anew. */
		fail_at(r, "a::4", ETIMEDOUT, 11);
		fail_at(r, "a::5", ETIMEDOUT, 11);
		fail_at(r, "a::6", codes[i], 11);
		fail_at(r, "a::7", ETIMEDOUT, 11);
		check_order(r, 11, both, in_turn);
		fail_at(r, "a::a", ETIMEDOUT, 11);
		fail_at(r, "a::b", ETIMEDOUT, 11);
		check_order(r, 11, both, v4_first);
		reach_free(r);
	}
}

/* Neither for nor against the family: a router far away may say it. */
static void test_unreachable_host_says_nothing_of_its_family(void **state)
{
	struct reach *r = reach_new();

	(void)state;
	strike_v6(r, EHOSTUNREACH, 10);
	check_order(r, 10, both, in_turn);
	fail_at(r, "a::4", ETIMEDOUT, 11);
	fail_at(r, "a::5", ETIMEDOUT, 11);
	fail_at(r, "a::6", EHOSTUNREACH, 11);
	fail_at(r, "a::7", ETIMEDOUT, 11);
	check_order(r, 11, both, v4_first);
	reach_free(r);
}

static void test_one_dead_host_does_not_stand_for_its_family(void **state)
{
	struct reach *r = reach_new();

	(void)state;
	for (int i = 0; i < 10; i++)
		fail_at(r, "a::1", ETIMEDOUT, i * MINUTE);
	check_order(r, 10 * MINUTE, both, in_turn);
	reach_free(r);
}

static void test_family_is_forgiven(void **state)
{
	struct reach *r = reach_new();

	(void)state;
	strike_v6(r, ETIMEDOUT, 10);
	check_order(r, 10 + 10 * MINUTE - 1, both, v4_first);
	check_order(r, 10 + 10 * MINUTE, both, in_turn);
	/* From the beginning. */
	fail_at(r, "a::4", ETIMEDOUT, 11 * MINUTE);
	check_order(r, 11 * MINUTE, both, in_turn);
	fail_at(r, "a::5", ETIMEDOUT, 11 * MINUTE);
	fail_at(r, "a::6", ETIMEDOUT, 11 * MINUTE);
	check_order(r, 11 * MINUTE, both, v4_first);
	work_at(r, "a::7");
	check_order(r, 11 * MINUTE, both, in_turn);
	reach_free(r);
}

static void test_families_that_both_fail_are_alike(void **state)
{
	struct reach *r = reach_new();

	(void)state;
	strike_v6(r, ENETUNREACH, 10);
	fail_at(r, "1.0.0.1", ENETUNREACH, 10);
	fail_at(r, "1.0.0.2", ENETUNREACH, 10);
	fail_at(r, "1.0.0.3", ENETUNREACH, 10);
	check_order(r, 10, both, in_turn);
	reach_free(r);
}

/* ---- the law ------------------------------------------------------------ */

static void check_permutation(const struct reach *r, int64_t now,
			      const struct net_addr *addrs, size_t n)
{
	size_t order[LIST_MAX];
	bool seen[LIST_MAX] = { false };

	reach_order(r, addrs, n, now, order);
	for (size_t i = 0; i < n; i++) {
		assert_in_range(order[i], 0, n - 1);
		assert_false(seen[order[i]]);
		seen[order[i]] = true;
	}
}

static void test_nothing_is_ever_left_out(void **state)
{
	static const int codes[] = {
		0,	ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH,
		EMFILE, EAFNOSUPPORT, EACCES
	};
	struct net_addr addrs[LIST_MAX];
	struct reach *r = reach_new();
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < LIST_MAX; i++) {
		char text[32];

		snprintf(text, sizeof(text),
			 i % 3 == 0 ? "a::%zu" : "1.0.0.%zu", i);
		addrs[i] = at(text);
	}
	for (int64_t now = 0; now < 20000; now++) {
		const struct net_addr *addr;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		addr = &addrs[(seed >> 33) % LIST_MAX];
		if (seed >> 60 == 0)
			reach_worked(r, addr);
		else
			reach_failed(r, addr,
				     codes[(seed >> 40) % COUNT(codes)],
				     now * 1000);
		check_permutation(r, now * 1000, addrs,
				  (size_t)(seed >> 50) % LIST_MAX);
	}
	reach_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families_alternate_and_keep_their_order),
		cmocka_unit_test(
		    test_address_that_failed_goes_behind_the_others),
		cmocka_unit_test(
		    test_all_that_failed_keep_the_order_of_a_level),
		cmocka_unit_test(test_address_is_forgiven_after_a_while),
		cmocka_unit_test(test_address_that_works_is_forgiven_at_once),
		cmocka_unit_test(test_port_is_part_of_an_address),
		cmocka_unit_test(
		    test_own_lacks_and_unix_sockets_are_not_remembered),
		cmocka_unit_test(test_memory_is_bounded_and_forgets_the_oldest),
		cmocka_unit_test(
		    test_family_that_the_network_lacks_goes_behind),
		cmocka_unit_test(
		    test_answers_that_refuse_show_that_the_family_works),
		cmocka_unit_test(
		    test_unreachable_host_says_nothing_of_its_family),
		cmocka_unit_test(
		    test_one_dead_host_does_not_stand_for_its_family),
		cmocka_unit_test(test_family_is_forgiven),
		cmocka_unit_test(test_families_that_both_fail_are_alike),
		cmocka_unit_test(test_nothing_is_ever_left_out),
	};

	return TEST_RUN(tests);
}

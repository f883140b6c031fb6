/*
 * target_test.c - which addresses mail routed by name may be sent to.
 */
#include "policy/target.h"

#include "base/keyword.h"
#include "base/test.h"

#include <arpa/inet.h>
#include <string.h>

/* Facts about a host found by name, to be asked at port 25. */
static struct target_facts facts_of(const char *text)
{
	struct target_facts facts = { .port = 25 };

	facts.address.is_v6 = strchr(text, ':') != NULL;
	assert_int_equal(inet_pton(facts.address.is_v6 ? AF_INET6 : AF_INET,
				   text, facts.address.bytes),
			 1);
	return facts;
}

static void assert_reason(const struct target_facts *facts,
			  enum target_reason want, bool may_connect)
{
	struct target_decision got = target_decide(facts);

	assert_string_equal(target_reason_word(got.reason),
			    target_reason_word(want));
	assert_int_equal(got.reason, want);
	assert_int_equal(got.may_connect, may_connect);
}

static void test_ordinary_addresses_pass(void **state)
{
	static const char *const rows[] = {
		"192.0.2.9",
		"1.0.0.0",
		"10.0.0.1",
		"126.255.255.255",
		"128.0.0.0",
		"192.168.1.1",
		"223.255.255.255",
		"169.254.1.1",
		"2001:db8::1",
		"fe80::1",
		"fd00::1",
		"::2",
		"::1:0",
		"1::1",
		"feff::1",
		"::127.0.0.1",
		"64:ff9b::7f00:1",
		"::ffff:0:127.0.0.1",
		"::fffe:127.0.0.1",
		"::ffff:192.0.2.9",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target_facts facts = facts_of(rows[i]);

		assert_reason(&facts, TARGET_OK, true);
	}
}

static void test_loopback_is_refused(void **state)
{
	static const char *const rows[] = {
		"127.0.0.0",	    "127.0.0.1", "127.0.0.53",
		"127.255.255.255",  "::1",	 "::ffff:127.0.0.1",
		"::ffff:127.1.2.3",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target_facts facts = facts_of(rows[i]);

		assert_reason(&facts, TARGET_LOOPBACK, false);
	}
}

static void test_what_is_no_host_is_refused(void **state)
{
	static const char *const rows[] = {
		"0.0.0.0",	  "0.0.0.1",	      "0.255.255.255",
		"224.0.0.0",	  "224.0.0.1",	      "239.255.255.255",
		"240.0.0.1",	  "255.255.255.255",  "::",
		"ff00::",	  "ff02::1",	      "ffff::1",
		"::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:255.255.255.255",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target_facts facts = facts_of(rows[i]);

		assert_reason(&facts, TARGET_INVALID, false);
	}
}

static void test_own_address_is_refused(void **state)
{
	static const char *const rows[] = { "192.0.2.9", "2001:db8::1",
					    "127.0.0.1", "0.0.0.0" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target_facts facts = facts_of(rows[i]);

		facts.is_own = true;
		assert_reason(&facts, TARGET_SELF, false);
	}
}

static void test_ipv4_is_judged_by_four_bytes_alone(void **state)
{
	struct target_facts facts = facts_of("::1");

	(void)state;
	facts.address.is_v6 = false; /* now 0.0.0.0 and rubbish behind it */
	assert_reason(&facts, TARGET_INVALID, false);
	memset(facts.address.bytes, 0xff, sizeof(facts.address.bytes));
	memcpy(facts.address.bytes, "\300\000\002\011", 4);
	assert_reason(&facts, TARGET_OK, true);
}

static void test_postmasters_word_is_not_judged(void **state)
{
	static const char *const rows[] = { "192.0.2.9", "127.0.0.1", "0.0.0.0",
					    "::1", "ff02::1" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target_facts facts = facts_of(rows[i]);

		facts.is_own = true;
		facts.is_literal = true;
		assert_reason(&facts, TARGET_OK_LITERAL, true);
		facts.is_literal = false;
		facts.is_local_allowed = true;
		assert_reason(&facts, TARGET_OK_ALLOWED, true);
		facts.is_local_allowed = false;
		facts.port = 24;
		assert_reason(&facts, TARGET_OK_PORT, true);
		facts.port = 2525;
		assert_reason(&facts, TARGET_OK_PORT, true);
	}
}

static void test_reason_has_a_word_and_refusal_a_text(void **state)
{
	static const struct {
		enum target_reason reason;
		const char *word, *text;
	} rows[] = {
		{ TARGET_OK, "ok", "" },
		{ TARGET_OK_LITERAL, "literal", "" },
		{ TARGET_OK_PORT, "port", "" },
		{ TARGET_OK_ALLOWED, "allowed", "" },
		{ TARGET_SELF, "self", "trying to talk with myself!" },
		{ TARGET_LOOPBACK, "loopback",
		  "trying to talk to loopback (=myself)!" },
		{ TARGET_INVALID, "invalid",
		  "trying to use invalid destination address" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_string_equal(target_reason_word(rows[i].reason),
				    rows[i].word);
		assert_string_equal(target_reason_text(rows[i].reason),
				    rows[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary_addresses_pass),
		cmocka_unit_test(test_loopback_is_refused),
		cmocka_unit_test(test_what_is_no_host_is_refused),
		cmocka_unit_test(test_own_address_is_refused),
		cmocka_unit_test(test_ipv4_is_judged_by_four_bytes_alone),
		cmocka_unit_test(test_postmasters_word_is_not_judged),
		cmocka_unit_test(test_reason_has_a_word_and_refusal_a_text),
	};

	return TEST_RUN(tests);
}

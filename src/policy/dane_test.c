/*
 * dane_test.c - which TLSA records count, and where they are asked for.
 */
#include "policy/dane.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static const char digest[64] = "0123456789abcdef0123456789abcdef";
static const char der[] = { 0x30, 3, 1, 2, 3 };

static struct dane_record record(unsigned usage, unsigned selector,
				 unsigned matching, size_t len)
{
	return (struct dane_record){ .usage = (uint8_t)usage,
				     .selector = (uint8_t)selector,
				     .matching = (uint8_t)matching,
				     .data = slice_make(digest, len) };
}

static void test_usable_parameters_are_those_of_rfc_7672(void **state)
{
	static const struct {
		unsigned usage, selector, matching;
		size_t len;
		enum dane_use want;
	} rows[] = {
		{ 3, 1, 1, 32, DANE_USED },
		{ 3, 0, 1, 32, DANE_USED },
		{ 3, 1, 2, 64, DANE_USED },
		{ 2, 0, 1, 32, DANE_USED },
		{ 2, 1, 2, 64, DANE_USED },
		{ 0, 0, 1, 32, DANE_IS_PKIX },
		{ 1, 1, 1, 32, DANE_IS_PKIX },
		{ 4, 1, 1, 32, DANE_BAD_USAGE },
		{ 255, 1, 1, 32, DANE_BAD_USAGE },
		{ 3, 2, 1, 32, DANE_BAD_SELECTOR },
		{ 3, 255, 1, 32, DANE_BAD_SELECTOR },
		{ 3, 1, 3, 32, DANE_BAD_MATCHING },
		{ 3, 1, 255, 32, DANE_BAD_MATCHING },
		{ 3, 1, 1, 31, DANE_BAD_DATA },
		{ 3, 1, 1, 33, DANE_BAD_DATA },
		{ 3, 1, 1, 0, DANE_BAD_DATA },
		{ 3, 1, 2, 32, DANE_BAD_DATA },
		{ 3, 0, 0, 0, DANE_BAD_DATA },
		{ 3, 0, 0, 20, DANE_BAD_DATA },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dane_record r = record(rows[i].usage, rows[i].selector,
					      rows[i].matching, rows[i].len);
		enum dane_use use;
		size_t n = dane_judge(&r, 1, &use);

		assert_string_equal(dane_use_word(use),
				    dane_use_word(rows[i].want));
		assert_int_equal(n, rows[i].want == DANE_USED);
	}
}

static void test_full_data_is_one_der_sequence(void **state)
{
	static char long_der[4 + 300] = { 0x30, (char)0x82, 1, 44 };
	static const struct {
		struct slice data;
		bool is_good;
	} rows[] = {
		{ { der, sizeof(der) }, true },
		{ { der, sizeof(der) - 1 }, false },
		{ { long_der, sizeof(long_der) }, true },
		{ { long_der, sizeof(long_der) - 1 }, false },
		{ { long_der, 3 }, false },
		{ { "\x30\x80\0", 3 }, false },
		{ { "\x30\x88\0\0\0\0\0\0\0\0", 10 }, false },
		{ { "\x31\x01\0", 3 }, false },
		{ { "\x30", 1 }, false },
		{ { "\x30\0", 2 }, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dane_record r = { .usage = 2, .data = rows[i].data };
		enum dane_use use;

		dane_judge(&r, 1, &use);
		assert_int_equal(use,
				 rows[i].is_good ? DANE_USED : DANE_BAD_DATA);
	}
}

static void test_strongest_digest_of_a_kind_counts(void **state)
{
	const struct dane_record records[] = {
		record(3, 1, 1, 32), /* there is a stronger one */
		record(3, 1, 2, 64),
		record(3, 0, 1, 32), /* another selector */
		record(2, 1, 1, 32), /* another usage */
		record(2, 0, 2, 63), /* broken: does not push out... */
		record(2, 0, 1, 32), /* this one */
		{ 3, 1, 0, { der, sizeof(der) } }, /* no digest at all */
	};
	static const enum dane_use want[] = {
		DANE_WEAKER_DIGEST, DANE_USED, DANE_USED, DANE_USED,
		DANE_BAD_DATA,	    DANE_USED, DANE_USED,
	};
	enum dane_use uses[COUNT(records)];

	(void)state;
	assert_int_equal(dane_judge(records, COUNT(records), uses), 5);
	for (size_t i = 0; i < COUNT(records); i++)
		assert_int_equal(uses[i], want[i]);
}

static void test_endless_records_are_bounded(void **state)
{
	struct dane_record records[DANE_RECORDS_MAX + 3];
	enum dane_use uses[COUNT(records)];

	(void)state;
	for (size_t i = 0; i < COUNT(records); i++)
		records[i] = record(3, 1, 1, 32);
	records[0] = record(1, 1, 1, 32); /* takes no place */
	assert_int_equal(dane_judge(records, COUNT(records), uses),
			 DANE_RECORDS_MAX);
	assert_int_equal(uses[DANE_RECORDS_MAX], DANE_USED);
	assert_int_equal(uses[DANE_RECORDS_MAX + 1], DANE_IS_TOO_MUCH);
}

static void test_result_follows_status_and_records(void **state)
{
	const struct dane_record good = record(3, 1, 1, 32);
	const struct dane_record bad = record(1, 1, 1, 32);
	const struct {
		enum dane_dns status;
		const struct dane_record *record;
		enum dane_result want;
		bool goes_on;
	} rows[] = {
		{ DANE_DNS_NONE, NULL, DANE_NOT_ASKED, false },
		{ DANE_DNS_SECURE, NULL, DANE_ABSENT, true },
		{ DANE_DNS_SECURE, &good, DANE_USABLE, false },
		{ DANE_DNS_SECURE, &bad, DANE_UNUSABLE, false },
		{ DANE_DNS_INSECURE, NULL, DANE_INSECURE, true },
		{ DANE_DNS_INSECURE, &good, DANE_INSECURE, true },
		{ DANE_DNS_FAILED, NULL, DANE_FAILED, false },
		{ DANE_DNS_FAILED, &good, DANE_FAILED, false },
		{ DANE_DNS_BOGUS, NULL, DANE_BOGUS, false },
		{ DANE_DNS_BOGUS, &good, DANE_BOGUS, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum dane_use use;
		enum dane_result r = dane_result(rows[i].status, rows[i].record,
						 rows[i].record != NULL, &use);

		assert_string_equal(dane_result_word(r),
				    dane_result_word(rows[i].want));
		assert_int_equal(dane_goes_on(r), rows[i].goes_on);
	}
}

static void test_of_two_families_the_weaker_answer_counts(void **state)
{
	static const struct {
		enum dane_dns v4, v6, want;
	} rows[] = {
		{ DANE_DNS_SECURE, DANE_DNS_SECURE, DANE_DNS_SECURE },
		{ DANE_DNS_SECURE, DANE_DNS_INSECURE, DANE_DNS_INSECURE },
		{ DANE_DNS_SECURE, DANE_DNS_NONE, DANE_DNS_SECURE },
		{ DANE_DNS_SECURE, DANE_DNS_FAILED, DANE_DNS_SECURE },
		{ DANE_DNS_SECURE, DANE_DNS_BOGUS, DANE_DNS_SECURE },
		{ DANE_DNS_INSECURE, DANE_DNS_FAILED, DANE_DNS_INSECURE },
		{ DANE_DNS_INSECURE, DANE_DNS_BOGUS, DANE_DNS_INSECURE },
		{ DANE_DNS_NONE, DANE_DNS_FAILED, DANE_DNS_FAILED },
		{ DANE_DNS_FAILED, DANE_DNS_BOGUS, DANE_DNS_BOGUS },
		{ DANE_DNS_NONE, DANE_DNS_NONE, DANE_DNS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(dane_addresses(rows[i].v4, rows[i].v6),
				 rows[i].want);
		assert_int_equal(dane_addresses(rows[i].v6, rows[i].v4),
				 rows[i].want);
	}
}

static void test_bases_are_the_expanded_name_then_the_first(void **state)
{
	static const struct {
		const char *canonical;
		enum dane_dns addresses, alias;
		const char *want; /* bases with a blank between */
		bool wants_alias;
	} rows[] = {
		{ "", DANE_DNS_SECURE, DANE_DNS_NONE, "mx", false },
		{ "MX", DANE_DNS_SECURE, DANE_DNS_NONE, "mx", false },
		{ "real", DANE_DNS_SECURE, DANE_DNS_NONE, "real mx", false },
		{ "", DANE_DNS_INSECURE, DANE_DNS_NONE, "", false },
		{ "real", DANE_DNS_INSECURE, DANE_DNS_NONE, "", true },
		{ "real", DANE_DNS_INSECURE, DANE_DNS_SECURE, "mx", false },
		{ "real", DANE_DNS_INSECURE, DANE_DNS_INSECURE, "", false },
		{ "real", DANE_DNS_INSECURE, DANE_DNS_FAILED, "mx", false },
		{ "real", DANE_DNS_INSECURE, DANE_DNS_BOGUS, "mx", false },
		{ "real", DANE_DNS_FAILED, DANE_DNS_SECURE, "", false },
		{ "real", DANE_DNS_BOGUS, DANE_DNS_SECURE, "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct dane_host host = {
			.name = SLICE("mx"),
			.canonical = slice_of(rows[i].canonical),
			.v4 = rows[i].addresses,
			.alias = rows[i].alias,
		};
		struct slice bases[DANE_BASES_MAX];
		struct str got = STR_INIT;
		size_t n = dane_bases(&host, bases);

		for (size_t j = 0; j < n; j++) {
			str_adds(&got, j > 0 ? " " : "");
			str_add(&got, bases[j]);
		}
		assert_string_equal(str_cstr(&got), rows[i].want);
		assert_int_equal(dane_wants_alias(&host), rows[i].wants_alias);
		str_done(&got);
	}
}

static void test_owner_name_has_port_and_protocol(void **state)
{
	struct str name = STR_INIT;

	(void)state;
	dane_owner_print(&name, SLICE("mx.example.org"), 25);
	assert_string_equal(str_cstr(&name), "_25._tcp.mx.example.org");
	str_clear(&name);
	dane_owner_print(&name, SLICE("a"), 65535);
	assert_string_equal(str_cstr(&name), "_65535._tcp.a");
	str_done(&name);
}

static void test_words_are_all_there_and_differ(void **state)
{
	(void)state;
	for (int i = 0; i < DANE_USES; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    dane_use_word((enum dane_use)i),
			    dane_use_word((enum dane_use)j));
	for (int i = 0; i < DANE_RESULTS; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    dane_result_word((enum dane_result)i),
			    dane_result_word((enum dane_result)j));
	assert_string_equal(dane_dns_word(DANE_DNS_BOGUS), "bogus");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usable_parameters_are_those_of_rfc_7672),
		cmocka_unit_test(test_full_data_is_one_der_sequence),
		cmocka_unit_test(test_strongest_digest_of_a_kind_counts),
		cmocka_unit_test(test_endless_records_are_bounded),
		cmocka_unit_test(test_result_follows_status_and_records),
		cmocka_unit_test(test_of_two_families_the_weaker_answer_counts),
		cmocka_unit_test(
		    test_bases_are_the_expanded_name_then_the_first),
		cmocka_unit_test(test_owner_name_has_port_and_protocol),
		cmocka_unit_test(test_words_are_all_there_and_differ),
	};

	return TEST_RUN(tests);
}

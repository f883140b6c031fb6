/*
 * tls_settings_test.c - the key of settings says all that OpenSSL is told.
 */
#include "policy/tls_settings.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void check_key(const struct tls_settings *s, const char *want)
{
	struct str got = STR_INIT;

	tls_settings_key_print(&got, s);
	assert_string_equal(str_cstr(&got), want);
	str_done(&got);
}

static void test_key_of_the_default(void **state)
{
	struct tls_settings s = TLS_SETTINGS_DEFAULT;

	(void)state;
	check_key(&s, "min=TLSv1.2 max=TLSv1.3 ciphers=- suites=- groups=- "
		      "cafile=- capath=-");
	assert_true(s.is_cached);
	assert_int_equal(s.session_seconds, 3600);
}

static void test_key_of_everything(void **state)
{
	struct tls_settings s = {
		.min_protocol = TLS_PROTOCOL_1_0,
		.max_protocol = TLS_PROTOCOL_1_2,
		.cipher_list = "HIGH:!aNULL",
		.cipher_suites = "TLS_AES_128_GCM_SHA256",
		.groups = "X25519",
		.ca_file = "/a b%\xc3\xa4\n",
		.ca_path = "",
		.pairs = { { "-", "k" }, { "c2", "k2" } },
		.n_pairs = 2,
	};

	(void)state;
	check_key(&s, "min=TLSv1 max=TLSv1.2 ciphers=HIGH:!aNULL "
		      "suites=TLS_AES_128_GCM_SHA256 groups=X25519 "
		      "cafile=/a%20b%25%C3%A4%0A capath= cert=%2D key=k "
		      "cert=c2 key=k2");
}

/* Settings that differ in one thing each, every one of them from all others. */
static void test_settings_that_differ_have_different_keys(void **state)
{
	struct tls_settings d = TLS_SETTINGS_DEFAULT, s[16];
	size_t n = COUNT(s);

	(void)state;
	for (size_t i = 0; i < n; i++)
		s[i] = d;
	s[1].min_protocol = TLS_PROTOCOL_1_3;
	s[2].max_protocol = TLS_PROTOCOL_1_2;
	s[3].cipher_list = "x";
	s[4].cipher_suites = "x";
	s[5].groups = "x";
	s[6].ca_file = "x";
	s[7].ca_path = "x";
	s[8].pairs[0] = (struct tls_pair){ "x", "x" };
	s[8].n_pairs = 1;
	s[9].pairs[0] = (struct tls_pair){ "x", "y" };
	s[9].n_pairs = 1;
	s[10] = s[9];
	s[10].pairs[1] = s[9].pairs[0];
	s[10].n_pairs = 2;
	s[11].cipher_list = "-";
	s[12].cipher_list = "";
	s[13].cipher_list = "%2D";
	s[14].cipher_list = "- suites=x";
	s[15].cipher_list = "-%20suites=x";
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			assert_int_equal(tls_settings_eq(&s[i], &s[j]), i == j);
}

static void test_caching_and_unused_pairs_are_not_in_the_key(void **state)
{
	struct tls_settings a = TLS_SETTINGS_DEFAULT, b = a;

	(void)state;
	b.is_cached = false;
	b.session_seconds = 1;
	b.pairs[0] = (struct tls_pair){ "x", "y" };
	assert_true(tls_settings_eq(&a, &b));
}

static void test_protocols_by_their_words(void **state)
{
	static const struct {
		const char *in;
		int want;
	} rows[] = {
		{ "TLSv1", 0 },	    { "tlsv1.0", 0 }, { "TLSv1.1", 1 },
		{ "TLSV1.2", 2 },   { "TLSv1.3", 3 }, { "TLSv1.4", -1 },
		{ "SSLv3", -1 },    { "", -1 },	      { "TLSv1.2 ", -1 },
		{ "TLSv1.20", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum tls_protocol got = TLS_PROTOCOLS;

		assert_int_equal(tls_protocol_read(slice_of(rows[i].in), &got),
				 rows[i].want >= 0);
		assert_int_equal(got, rows[i].want >= 0 ? rows[i].want
							: TLS_PROTOCOLS);
	}
	for (int i = 0; i < TLS_PROTOCOLS; i++) {
		enum tls_protocol got = TLS_PROTOCOLS;

		assert_true(tls_protocol_read(
		    slice_of(tls_protocol_word((enum tls_protocol)i)), &got));
		assert_int_equal(got, i);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_of_the_default),
		cmocka_unit_test(test_key_of_everything),
		cmocka_unit_test(test_settings_that_differ_have_different_keys),
		cmocka_unit_test(
		    test_caching_and_unused_pairs_are_not_in_the_key),
		cmocka_unit_test(test_protocols_by_their_words),
	};

	return TEST_RUN(tests);
}

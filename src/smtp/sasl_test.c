/*
 * sasl_test.c - the plain mechanisms, with the examples of their RFCs.
 */
#include "smtp/sasl.h"

#include "base/b64.h"
#include "base/keyword.h"
#include "base/test.h"

static struct str begin(struct sasl *s)
{
	struct str initial = STR_INIT;
	bool has_initial;
	struct err err;

	assert_int_equal(sasl_begin(s, &has_initial, &initial, &err), 0);
	assert_int_equal(has_initial, s->mechanism != SASL_LOGIN &&
					  s->mechanism != SASL_CRAM_MD5);
	return initial;
}

static void check_begin(struct sasl s, struct slice want)
{
	struct str got = begin(&s);

	assert_true(slice_eq(str_slice(&got), want));
	str_done(&got);
}

static void check_base64(struct sasl s, const char *want)
{
	struct str got = begin(&s), text = STR_INIT;

	b64_add(&text, str_slice(&got));
	assert_slice_is(str_slice(&text), want);
	str_done(&got);
	str_done(&text);
}

static void check_step(struct sasl *s, const char *challenge, const char *want)
{
	struct str got = STR_INIT;
	struct err err;

	assert_int_equal(sasl_step(s, slice_of(challenge), &got, &err), 0);
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static void check_no_step(struct sasl *s, const char *challenge)
{
	struct str got = STR_INIT;
	struct err err;

	assert_int_equal(sasl_step(s, slice_of(challenge), &got, &err), -1);
	assert_true(err.text[0] != '\0');
	assert_int_equal(got.len, 0);
}

/* RFC 4616 4 */
static void test_plain_says_both_at_once(void **state)
{
	struct sasl s = { .mechanism = SASL_PLAIN,
			  .user = SLICE("tim"),
			  .secret = SLICE("tanstaaftanstaaf") };

	(void)state;
	check_begin(s, SLICE("\0tim\0tanstaaftanstaaf"));
	assert_true(sasl_is_complete(&s));
	check_no_step(&s, "");
	check_no_step(&s, "more");
}

static void test_login_says_one_behind_the_other(void **state)
{
	struct sasl s = { .mechanism = SASL_LOGIN,
			  .user = SLICE("tim"),
			  .secret = SLICE("tans taaf") };

	(void)state;
	check_begin(s, SLICE(""));
	assert_false(sasl_is_complete(&s));
	check_step(&s, "Username:", "tim");
	assert_false(sasl_is_complete(&s));
	check_step(&s, "", "tans taaf");
	assert_true(sasl_is_complete(&s));
	check_no_step(&s, "Realm:");
}

/* RFC 2195 2 */
static void test_cram_md5_of_rfc_2195(void **state)
{
	struct sasl s = { .mechanism = SASL_CRAM_MD5,
			  .user = SLICE("tim"),
			  .secret = SLICE("tanstaaftanstaaf") };

	(void)state;
	check_begin(s, SLICE(""));
	check_no_step(&s, "");
	assert_false(sasl_is_complete(&s));
	check_step(&s, "<1896.697170952@postoffice.reston.mci.net>",
		   "tim b913a602c7eda7a495b4e6e7334d3890");
	assert_true(sasl_is_complete(&s));
	check_no_step(&s, "<1896.697170952@postoffice.reston.mci.net>");
}

static void test_external_says_as_whom_to_act(void **state)
{
	struct sasl s = { .mechanism = SASL_EXTERNAL };

	(void)state;
	check_begin(s, SLICE(""));
	s.user = SLICE("fred@example.com");
	check_begin(s, SLICE("fred@example.com"));
	assert_true(sasl_is_complete(&s));
	check_no_step(&s, "");
}

/* RFC 7628 4.1, without its port */
static void test_oauthbearer_of_rfc_7628(void **state)
{
	struct sasl s = { .mechanism = SASL_OAUTHBEARER,
			  .user = SLICE("user@example.com"),
			  .secret = SLICE(
			      "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
			  .host = SLICE("server.example.com") };

	(void)state;
	check_begin(
	    s,
	    SLICE("n,a=user@example.com,\001host=server.example.com\001"
		  "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001"
		  "\001"));
	assert_true(sasl_is_complete(&s));
	check_step(&s, "{\"status\":\"invalid_token\"}", "\001");
	assert_false(sasl_is_complete(&s));
	check_no_step(&s, "{}");
	s.host = slice_make(NULL, 0);
	s.user = SLICE("a,b=c");
	check_begin(s, SLICE("n,a=a=2Cb=3Dc,\001auth=Bearer "
			     "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001"
			     "\001"));
}

/* The example of those who made it up. */
static void test_xoauth2_of_its_makers(void **state)
{
	struct sasl s = { .mechanism = SASL_XOAUTH2,
			  .user = SLICE("someuser@example.com"),
			  .secret = SLICE(
			      "vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==") };

	(void)state;
	check_base64(s, "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB2"
			"RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENn"
			"PT0BAQ==");
	check_step(&s, "{\"status\":\"401\"}", "");
	assert_false(sasl_is_complete(&s));
	check_no_step(&s, "");
}

/* What would end the message early, or begin another, is not said at all. */
static void test_user_or_secret_that_cannot_be_carried(void **state)
{
	static const struct sasl rows[] = {
		{ .mechanism = SASL_PLAIN,
		  .user = { "a\0b", 3 },
		  .secret = { "x", 1 } },
		{ .mechanism = SASL_PLAIN,
		  .user = { "a", 1 },
		  .secret = { "x\0y", 3 } },
		{ .mechanism = SASL_PLAIN, .user = { "a", 1 } },
		{ .mechanism = SASL_LOGIN, .secret = { "a", 1 } },
		{ .mechanism = SASL_CRAM_MD5, .user = { "a", 1 } },
		{ .mechanism = SASL_EXTERNAL, .user = { "a\0b", 3 } },
		{ .mechanism = SASL_XOAUTH2,
		  .user = { "a\001auth=", 7 },
		  .secret = { "x", 1 } },
		{ .mechanism = SASL_OAUTHBEARER,
		  .user = { "a", 1 },
		  .secret = { "x\001\001", 3 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sasl s = rows[i];
		struct str initial = STR_INIT;
		bool has_initial;
		struct err err;

		assert_int_equal(sasl_begin(&s, &has_initial, &initial, &err),
				 -1);
		assert_int_equal(initial.len, 0);
	}
}

static void test_names_are_found_in_any_case(void **state)
{
	enum sasl_mechanism found;

	(void)state;
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		assert_true(sasl_find(
		    slice_of(sasl_name((enum sasl_mechanism)i)), &found));
		assert_int_equal(found, i);
	}
	assert_true(sasl_find(SLICE("scram-sha-256-plus"), &found));
	assert_int_equal(found, SASL_SCRAM_SHA_256_PLUS);
	assert_false(sasl_find(SLICE("SCRAM-SHA-256-PLUSS"), &found));
	assert_false(sasl_find(SLICE("DIGEST-MD5"), &found));
	assert_false(sasl_find(SLICE(""), &found));
}

static void test_strongest_that_both_have_is_chosen(void **state)
{
	static const struct {
		const char *offered;
		unsigned possible;
		const char *want;
	} rows[] = {
		{ "LOGIN PLAIN CRAM-MD5", SASL_PASSWORDS, "CRAM-MD5" },
		{ "LOGIN PLAIN", SASL_PASSWORDS, "PLAIN" },
		{ "LOGIN GSSAPI", SASL_PASSWORDS, "LOGIN" },
		{ "PLAIN SCRAM-SHA-1 SCRAM-SHA-256", SASL_PASSWORDS,
		  "SCRAM-SHA-256" },
		{ "SCRAM-SHA-1-PLUS SCRAM-SHA-1 SCRAM-SHA-256-PLUS",
		  SASL_PASSWORDS, "SCRAM-SHA-256-PLUS" },
		{ "SCRAM-SHA-1-PLUS SCRAM-SHA-1 SCRAM-SHA-256-PLUS",
		  SASL_PASSWORDS & ~SASL_SCRAMS_PLUS, "SCRAM-SHA-1" },
		{ "XOAUTH2 OAUTHBEARER PLAIN", SASL_TOKENS, "OAUTHBEARER" },
		{ "XOAUTH2 PLAIN", SASL_TOKENS, "XOAUTH2" },
		{ "XOAUTH2 PLAIN", SASL_PASSWORDS, "PLAIN" },
		{ "EXTERNAL PLAIN", SASL_SET(SASL_EXTERNAL) | SASL_PASSWORDS,
		  "EXTERNAL" },
		{ "GSSAPI NTLM", SASL_ALL, NULL },
		{ "PLAIN", SASL_TOKENS, NULL },
		{ "", SASL_ALL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned set =
		    sasl_set_of(slice_of(rows[i].offered)) & rows[i].possible;
		enum sasl_mechanism found;
		bool is_any = sasl_strongest(set, &found);

		assert_int_equal(is_any, rows[i].want != NULL);
		if (is_any)
			assert_string_equal(sasl_name(found), rows[i].want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_says_both_at_once),
		cmocka_unit_test(test_login_says_one_behind_the_other),
		cmocka_unit_test(test_cram_md5_of_rfc_2195),
		cmocka_unit_test(test_external_says_as_whom_to_act),
		cmocka_unit_test(test_oauthbearer_of_rfc_7628),
		cmocka_unit_test(test_xoauth2_of_its_makers),
		cmocka_unit_test(test_user_or_secret_that_cannot_be_carried),
		cmocka_unit_test(test_names_are_found_in_any_case),
		cmocka_unit_test(test_strongest_that_both_have_is_chosen),
	};

	return TEST_RUN(tests);
}

/*
 * tls_verify_test.c - what a server must prove, and whether it did:
 * certificates of all sorts before every need.
 */
#include "net/tls.h"

#include "net/test_certs.h"

/* ---- names and chains --------------------------------------------------- */

static const struct {
	enum tls_need need;
	const char *name;
	int which;
	enum tls_fault fault;
	enum tls_verdict verdict;
} cases[] = {
	/* Nobody is authenticated. */
	{ TLS_NEED_MAY, "", GOOD, TLS_FAULT_NONE, TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_MAY, "", SELF, TLS_FAULT_NONE, TLS_UNTRUSTED },
	{ TLS_NEED_MAY, "", EXPIRED, TLS_FAULT_NONE, TLS_UNTRUSTED },
	{ TLS_NEED_ENCRYPT, "", HOSTILE, TLS_FAULT_NONE, TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_ENCRYPT, "", NO_SAN, TLS_FAULT_NONE, TLS_TRUSTED_UNNAMED },
	/* Names. */
	{ TLS_NEED_NAME, HOST, GOOD, TLS_FAULT_NONE, TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, "MX.Example.ORG", GOOD, TLS_FAULT_NONE,
	  TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, ".example.org", GOOD, TLS_FAULT_NONE,
	  TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, ".org", GOOD, TLS_FAULT_NONE, TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, ".example.net", GOOD, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, "example.org", GOOD, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, "good", GOOD, TLS_FAULT_NAME, TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, HOST, DEEP, TLS_FAULT_NONE, TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, HOST, WRONG_NAME, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, HOST, NO_SAN, TLS_FAULT_NAME, TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, HOST, WILDCARD, TLS_FAULT_NONE, TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, "a.mx.example.org", WILDCARD, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, "example.org", WILDCARD, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, ".example.org", WILDCARD, TLS_FAULT_NONE,
	  TLS_MATCHED_NAME },
	{ TLS_NEED_NAME, "example.org", HIGH_WILDCARD, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, HOST, PARTIAL_WILDCARD, TLS_FAULT_NAME,
	  TLS_TRUSTED_UNNAMED },
	/* Chains. */
	{ TLS_NEED_NAME, HOST, SMALL_KEY, TLS_FAULT_CHAIN, TLS_UNTRUSTED },
	{ TLS_NEED_ENCRYPT, "", SMALL_KEY, TLS_FAULT_NONE,
	  TLS_TRUSTED_UNNAMED },
	{ TLS_NEED_NAME, HOST, EXPIRED, TLS_FAULT_EXPIRED, TLS_UNTRUSTED },
	{ TLS_NEED_NAME, HOST, OLD_ISSUER, TLS_FAULT_EXPIRED, TLS_UNTRUSTED },
	{ TLS_NEED_NAME, HOST, NOT_YET, TLS_FAULT_NOT_YET, TLS_UNTRUSTED },
	{ TLS_NEED_NAME, HOST, SELF, TLS_FAULT_NOT_TRUSTED, TLS_UNTRUSTED },
	{ TLS_NEED_NAME, HOST, STRANGE, TLS_FAULT_NOT_TRUSTED, TLS_UNTRUSTED },
	{ TLS_NEED_NAME, "example.net", STRANGE, TLS_FAULT_NOT_TRUSTED,
	  TLS_UNTRUSTED },
	{ TLS_NEED_NAME, HOST, HOSTILE, TLS_FAULT_NAME, TLS_TRUSTED_UNNAMED },
};

static void test_needs_and_certificates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice name = slice_of(cases[i].name);
		struct tls_decision d = { .need = cases[i].need,
					  .names = &name,
					  .n_names = name.len > 0,
					  .sni = SLICE(HOST) };
		struct tls_how how = { .decision = &d, .host = SLICE(HOST) };
		struct tls_outcome o;

		shake(cases[i].which, &how, &o);
		if (o.fault != cases[i].fault || o.verdict != cases[i].verdict)
			fail_msg("row %zu: %s, %s (%.*s)", i,
				 tls_fault_word(o.fault),
				 tls_verdict_word(o.verdict),
				 SLICE_ARG(o.text));
		assert_int_equal(o.n_chain, 1);
		assert_false(slice_has_control(o.text));
		assert_false(slice_has_control(o.chain[0].subject));
		assert_false(slice_has_control(o.chain[0].common_name));
		assert_false(slice_has_control(o.chain[0].names));
	}
}

static void test_texts_say_what_is_wrong(void **state)
{
	static const struct {
		int which;
		const char *text;
	} rows[] = {
		{ EXPIRED, "the certificate has expired (certificate has "
			   "expired, depth 0)" },
		{ OLD_ISSUER, "the certificate has expired (certificate has "
			      "expired, depth 1)" },
		{ SELF, "the certificate is not trusted (self-signed "
			"certificate, depth 0)" },
		{ WRONG_NAME, "the certificate is not one of " HOST
			      " or .example.com but of www.example.net" },
		{ NO_SAN, "the certificate is not one of " HOST
			  " or .example.com, it has no names at all" },
	};
	static const struct slice names[] = { { HOST, sizeof(HOST) - 1 },
					      { ".example.com", 12 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_decision d = { .need = TLS_NEED_NAME,
					  .names = names,
					  .n_names = 2 };
		struct tls_how how = { .decision = &d };
		struct tls_outcome o;

		assert_false(shake(rows[i].which, &how, &o));
		assert_slice_is(o.text, rows[i].text);
	}
}

static void test_need_for_names_without_a_name_is_never_met(void **state)
{
	static const struct slice names[] = { { "", 0 },
					      { HOST "\0.evil", 20 } };
	struct tls_decision d = { .need = TLS_NEED_NAME,
				  .names = names,
				  .n_names = 2 };
	struct tls_how how = { .decision = &d };
	struct tls_outcome o;

	(void)state;
	assert_false(shake(GOOD, &how, &o));
	assert_int_equal(o.fault, TLS_FAULT_SETTINGS);
}

static void test_audit_reports_and_lets_pass(void **state)
{
	static const struct {
		int which;
		enum tls_fault audit;
	} rows[] = { { GOOD, TLS_FAULT_NONE },
		     { EXPIRED, TLS_FAULT_EXPIRED },
		     { WRONG_NAME, TLS_FAULT_NAME },
		     { SELF, TLS_FAULT_NOT_TRUSTED } };
	struct slice name = SLICE(HOST);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_decision d = { .need = TLS_NEED_MAY,
					  .names = &name,
					  .n_names = 1,
					  .is_audited = true };
		struct tls_how how = { .decision = &d };
		struct tls_outcome o;

		assert_true(shake(rows[i].which, &how, &o));
		assert_int_equal(o.audit, rows[i].audit);
		assert_int_equal(o.audit_text.len > 0,
				 rows[i].audit != TLS_FAULT_NONE);
	}
}

/* ---- DANE --------------------------------------------------------------- */

/* Of what certificate a record is made; -1: our CA, -2: the strange one. */
struct tlsa {
	int of;
	uint8_t usage, selector, matching;
	enum dane_use use;
};

enum { OUR_CA = -1, STRANGE_CA = -2, BROKEN = -3 };

static struct dane_record make_record(const struct tlsa *t)
{
	struct dane_record r = { t->usage, t->selector, t->matching, { 0 } };

	if (t->of == BROKEN)
		r.data = SLICE("\x30\x03\x02\x01\x05");
	else
		r.data = tlsa_data(world.arena,
				   t->of == OUR_CA	 ? &world.ca
				   : t->of == STRANGE_CA ? &world.strange_ca
							 : &world.own[t->of],
				   t->selector, t->matching);
	return r;
}

static const struct {
	const char *name;
	int which;
	struct tlsa records[3];
	size_t n;
	enum tls_fault fault;
	size_t matched;
	int depth;
} dane_cases[] = {
	/* DANE-EE: neither name nor date nor chain count. */
	{ "nobody.test", SELF, { { SELF, 3, 1, 1, 0 } }, 1, 0, 0, 0 },
	{ "nobody.test", EXPIRED, { { EXPIRED, 3, 0, 2, 0 } }, 1, 0, 0, 0 },
	{ HOST, NO_SAN, { { NO_SAN, 3, 0, 0, 0 } }, 1, 0, 0, 0 },
	{ HOST, GOOD, { { GOOD, 3, 1, 0, 0 } }, 1, 0, 0, 0 },
	{ HOST,
	  GOOD,
	  { { SELF, 3, 1, 1, 0 } },
	  1,
	  TLS_FAULT_TLSA,
	  SIZE_MAX,
	  0 },
	/* One matches, in any place. */
	{ HOST,
	  GOOD,
	  { { SELF, 3, 1, 1, 0 }, { GOOD, 3, 1, 1, 0 } },
	  2,
	  0,
	  1,
	  0 },
	{ HOST,
	  GOOD,
	  { { STRANGE_CA, 2, 0, 1, 0 },
	    { SELF, 3, 1, 1, 0 },
	    { OUR_CA, 2, 1, 1, 0 } },
	  3,
	  0,
	  2,
	  1 },
	/* Those that policy put aside do not count. */
	{ HOST,
	  GOOD,
	  { { GOOD, 3, 1, 1, DANE_WEAKER_DIGEST }, { SELF, 3, 1, 1, 0 } },
	  2,
	  TLS_FAULT_TLSA,
	  SIZE_MAX,
	  0 },
	{ HOST,
	  GOOD,
	  { { GOOD, 1, 1, 1, DANE_IS_PKIX } },
	  1,
	  TLS_FAULT_TLSA_INVALID,
	  SIZE_MAX,
	  0 },
	{ HOST,
	  GOOD,
	  { { BROKEN, 3, 0, 0, 0 } },
	  1,
	  TLS_FAULT_TLSA_INVALID,
	  SIZE_MAX,
	  0 },
	{ HOST,
	  GOOD,
	  { { BROKEN, 3, 0, 0, 0 }, { GOOD, 3, 1, 1, 0 } },
	  2,
	  0,
	  1,
	  0 },
	/* DANE-TA: a private authority, with names and dates. */
	{ HOST, STRANGE, { { STRANGE_CA, 2, 0, 1, 0 } }, 1, 0, 0, 1 },
	{ HOST, STRANGE, { { STRANGE_CA, 2, 1, 0, 0 } }, 1, 0, 0, 1 },
	{ HOST, STRANGE, { { STRANGE_CA, 2, 0, 0, 0 } }, 1, 0, 0, 1 },
	{ "other.test",
	  STRANGE,
	  { { STRANGE_CA, 2, 0, 1, 0 } },
	  1,
	  TLS_FAULT_NAME,
	  SIZE_MAX,
	  0 },
	{ HOST,
	  NO_SAN,
	  { { OUR_CA, 2, 0, 1, 0 } },
	  1,
	  TLS_FAULT_NAME,
	  SIZE_MAX,
	  0 },
	{ HOST,
	  EXPIRED,
	  { { OUR_CA, 2, 0, 1, 0 } },
	  1,
	  TLS_FAULT_EXPIRED,
	  SIZE_MAX,
	  0 },
	{ "",
	  GOOD,
	  { { OUR_CA, 2, 0, 1, 0 } },
	  1,
	  TLS_FAULT_TLSA_INVALID,
	  SIZE_MAX,
	  0 },
	/* Our own authorities are nobody here. */
	{ HOST,
	  GOOD,
	  { { STRANGE_CA, 2, 0, 1, 0 } },
	  1,
	  TLS_FAULT_TLSA,
	  SIZE_MAX,
	  0 },
};

static void test_dane(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dane_cases); i++) {
		struct slice name = slice_of(dane_cases[i].name);
		struct tls_decision d = { .need = TLS_NEED_DANE,
					  .names = &name,
					  .n_names = name.len > 0,
					  .sni = SLICE(HOST) };
		struct dane_record records[3];
		enum dane_use uses[3];
		struct tls_how how = { .decision = &d,
				       .records = records,
				       .uses = uses,
				       .n_records = dane_cases[i].n };
		struct tls_outcome o;

		for (size_t j = 0; j < dane_cases[i].n; j++) {
			records[j] = make_record(&dane_cases[i].records[j]);
			uses[j] = dane_cases[i].records[j].use;
		}
		shake(dane_cases[i].which, &how, &o);
		if (o.fault != dane_cases[i].fault ||
		    o.record != dane_cases[i].matched ||
		    o.depth != dane_cases[i].depth)
			fail_msg("row %zu: %s, record %zu, depth %d (%.*s)", i,
				 tls_fault_word(o.fault), o.record, o.depth,
				 SLICE_ARG(o.text));
		assert_int_equal(o.verdict == TLS_MATCHED_DANE, o.is_ok);
	}
}

static void test_records_that_openssl_cannot_use(void **state)
{
	static const struct {
		struct tlsa tlsa;
		bool is_usable;
	} rows[] = {
		{ { GOOD, 3, 0, 0, 0 }, true },
		{ { GOOD, 3, 1, 0, 0 }, true },
		{ { GOOD, 3, 1, 1, 0 }, true },
		{ { BROKEN, 3, 0, 0, 0 }, false },
		{ { BROKEN, 2, 1, 0, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dane_record r = make_record(&rows[i].tlsa);

		assert_int_equal(tls_is_record_usable(&r), rows[i].is_usable);
	}
}

/* ---- fingerprints ------------------------------------------------------- */

static void test_fingerprints_of_certificate_and_key(void **state)
{
	static const struct {
		int of, selector, matching;
		bool is_ok;
	} rows[] = { { SELF, 0, 1, true },  { SELF, 0, 2, true },
		     { SELF, 1, 1, true },  { SELF, 1, 2, true },
		     { GOOD, 0, 1, false }, { GOOD, 1, 2, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice prints[2] = {
			SLICE("0123456789abcdef0123456789abcdef"),
			tlsa_data(world.arena, &world.own[rows[i].of],
				  rows[i].selector, rows[i].matching)
		};
		struct tls_decision d = { .need = TLS_NEED_FINGERPRINT,
					  .fingerprints = prints,
					  .n_fingerprints = 2 };
		struct tls_how how = { .decision = &d };
		struct tls_outcome o;

		assert_int_equal(shake(SELF, &how, &o), rows[i].is_ok);
		assert_int_equal(o.fault, rows[i].is_ok
					      ? TLS_FAULT_NONE
					      : TLS_FAULT_FINGERPRINT);
		assert_int_equal(o.verdict, rows[i].is_ok
						? TLS_MATCHED_FINGERPRINT
						: TLS_UNTRUSTED);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs_and_certificates),
		cmocka_unit_test(test_texts_say_what_is_wrong),
		cmocka_unit_test(
		    test_need_for_names_without_a_name_is_never_met),
		cmocka_unit_test(test_audit_reports_and_lets_pass),
		cmocka_unit_test(test_dane),
		cmocka_unit_test(test_records_that_openssl_cannot_use),
		cmocka_unit_test(test_fingerprints_of_certificate_and_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

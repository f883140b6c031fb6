/*
 * security_json_test.c - decisions and handshakes as JSON: word by word, and
 * with texts of the worst kind.
 */
#include "smtpta/security_json.h"

#include "smtpta/test_secure.h"

/* ---- is it JSON? --------------------------------------------------------- */

static bool skip_value(struct slice *s);

static bool skip_char(struct slice *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = slice_from(*s, 1);
	return true;
}

static bool skip_string(struct slice *s)
{
	if (!skip_char(s, '"'))
		return false;
	while (s->len > 0 && s->p[0] != '"') {
		if ((unsigned char)s->p[0] < 0x20)
			return false;
		*s = slice_from(*s, s->p[0] == '\\' && s->len > 1 ? 2 : 1);
	}
	return skip_char(s, '"');
}

static bool skip_members(struct slice *s, char end, bool has_keys)
{
	if (skip_char(s, end))
		return true;
	do {
		if (has_keys && (!skip_string(s) || !skip_char(s, ':')))
			return false;
		if (!skip_value(s))
			return false;
	} while (skip_char(s, ','));
	return skip_char(s, end);
}

static bool skip_value(struct slice *s)
{
	size_t n = 0;

	if (skip_char(s, '{'))
		return skip_members(s, '}', true);
	if (skip_char(s, '['))
		return skip_members(s, ']', false);
	if (s->len > 0 && s->p[0] == '"')
		return skip_string(s);
	while (n < s->len && s->p[n] != ',' && s->p[n] != ']' && s->p[n] != '}')
		n++;
	*s = slice_from(*s, n);
	return n > 0;
}

static void check_json(struct slice text)
{
	struct slice rest = text;

	if (!skip_value(&rest) || rest.len > 0)
		fail_msg("no JSON at %zu: %.*s", text.len - rest.len,
			 SLICE_ARG(text));
}

/* ---- decisions ----------------------------------------------------------- */

static const char *decision_of(struct secure *x)
{
	struct str text = STR_INIT;
	const char *kept;
	struct json j;

	json_begin(&j, &text);
	security_json(&j, NULL, x->security, security_of(x->security, 0));
	check_json(str_slice(&text));
	kept = arena_cstr(x->arena, str_slice(&text));
	str_done(&text);
	return kept;
}

static void test_decision_with_records(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_MX("secure") SECURE_A("secure") SECURE_TLSA(
			     SECURE_USABLE " 0:0:1:" SECURE_DIGEST));
	x.scene.sts = NULL;
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(
	    decision_of(&x),
	    "{\"need\":\"dane\",\"reason\":\"dane\","
	    "\"why\":\"the host has TLSA records\",\"level\":\"auto\","
	    "\"message\":\"nothing\",\"mx\":\"secure\","
	    "\"addresses\":\"secure\",\"tlsa\":{\"result\":\"usable\","
	    "\"base\":\"mx.example.org\",\"count\":2,\"used\":1,"
	    "\"records\":[{\"usage\":3,\"selector\":1,\"matching\":1,"
	    "\"use\":\"used\"},{\"usage\":0,\"selector\":0,\"matching\":1,"
	    "\"use\":\"pkix-usage\"}]},\"sts\":null,"
	    "\"names\":[\"mx.example.org\",\"example.org\"],"
	    "\"sni\":\"mx.example.org\","
	    "\"evidence\":\"level=auto mx=secure addresses=secure "
	    "tlsa=usable 1/2 at mx.example.org sts=none need=dane "
	    "reason=dane\"}");
	secure_end(&x);
}

static void test_decision_with_a_policy(void **state)
{
	static const char want[] =
	    "\"sts\":{\"record\":\"none\",\"origin\":\"store\","
	    "\"mode\":\"enforce\",\"id\":\"1\",\"pattern\":\"*.example.org\","
	    "\"step\":\"use\"}";
	struct secure x;
	const char *text;

	(void)state;
	secure_begin(&x,
		     SECURE_MX("insecure") SECURE_A(
			 "insecure") "_mta-sts.example.org TXT nodata insecure "
				     "network 5 -\n");
	secure_sts(&x, "example.org",
		   "version: STSv1\nmode: enforce\nmx: *.example.org\n"
		   "max_age: 86400\n");
	secure_judge(&x, "example.org", TLS_ASKS_REQUIRED);
	text = decision_of(&x);
	if (strstr(text, want) == NULL)
		fail_msg("%s", text);
	assert_non_null(strstr(text, "\"message\":\"requiretls\""));
	assert_non_null(strstr(text, "\"reason\":\"requiretls-name\""));
	secure_end(&x);
}

static void test_fetch_that_failed(void **state)
{
	struct secure x;
	const char *text;

	(void)state;
	secure_begin(&x, SECURE_MX("insecure") SECURE_A("insecure"));
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	x.security->sts.failure = TLSRPT_STS_WEBPKI_INVALID;
	x.security->sts.reason = SLICE("expired");
	x.security->sts.trouble = SLICE("no stsfetch");
	text = decision_of(&x);
	assert_non_null(strstr(text, "\"failure\":\"sts-webpki-invalid\","
				     "\"why\":\"expired\","
				     "\"trouble\":\"no stsfetch\"}"));
	secure_end(&x);
}

/* ---- the worst ----------------------------------------------------------- */

enum {
	LONG = 100 * 1000,
	TEXT_MAX = 1024,
	ESCAPED = 6, /* bytes that one may become */
	MANY = 3000
};

/* No UTF-8, no end, and whatever else a reader might obey. */
static struct slice hostile_text(struct arena *a)
{
	static const char bad[] = "\"\\\n\r\0\x1b[2J\x7f\xc2\x9b\xff\xe2\x80"
				  "\xa8}],{[\":";
	char *p = arena_alloc(a, LONG);

	for (size_t i = 0; i < LONG; i++)
		p[i] = bad[i % (sizeof(bad) - 1)];
	return slice_make(p, LONG);
}

static void check_bounded(const struct str *text, size_t n_texts)
{
	check_json(str_slice(text));
	assert_false(slice_has_control(str_slice(text)));
	assert_true(text->len < n_texts * TEXT_MAX * ESCAPED + 8000);
}

static void test_hostile_decision_is_bounded(void **state)
{
	struct security_host host = { 0 };
	struct dane_record *records;
	struct sts_policy policy = { .mode = STS_MODE_ENFORCE };
	struct slice *names, bad;
	struct str text = STR_INIT;
	struct secure x;
	struct json j;

	(void)state;
	secure_begin(&x, SECURE_DANE);
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	bad = hostile_text(x.arena);
	names = arena_array(x.arena, MANY, sizeof(*names));
	records = arena_array(x.arena, MANY, sizeof(*records));
	for (size_t i = 0; i < MANY; i++)
		names[i] = bad;
	host.facts.tlsa = DANE_UNUSABLE;
	host.facts.domain = host.facts.host = host.facts.tlsa_base = bad;
	host.records = records;
	host.uses = arena_array(x.arena, MANY, sizeof(enum dane_use));
	host.n_records = host.facts.n_tlsa = MANY;
	host.decision.names = names;
	host.decision.n_names = MANY;
	host.decision.sni = host.decision.sts_pattern = bad;
	x.security->sts.policy = &policy;
	x.security->sts.id = x.security->sts.reason = bad;
	x.security->sts.trouble = bad;
	x.security->sts.failure = TLSRPT_STS_POLICY_INVALID;
	json_begin(&j, &text);
	security_json(&j, NULL, x.security, &host);
	check_bounded(&text, 16 + 7);
	str_done(&text);
	secure_end(&x);
}

static void test_hostile_handshake_is_bounded(void **state)
{
	struct arena *a = arena_new();
	struct slice bad = hostile_text(a);
	struct tls_outcome o = { .fault = TLS_FAULT_CHAIN,
				 .text = bad,
				 .protocol = "TLSv1.2",
				 .cipher = "AES",
				 .group = "x25519",
				 .matched = bad,
				 .n_chain = MANY,
				 .audit = TLS_FAULT_NAME };
	struct str text = STR_INIT;
	struct json j;

	(void)state;
	o.chain = arena_array(a, MANY, sizeof(*o.chain));
	for (size_t i = 0; i < MANY; i++)
		o.chain[i] = (struct tls_certificate){
			.subject = bad,
			.issuer = bad,
			.names = bad,
			.key = bad,
			.sha256 = bad,
			.key_sha256 = bad,
			.trouble = bad,
			.not_before = INT64_MIN,
			.not_after = INT64_MAX,
		};
	json_begin(&j, &text);
	security_json_tls(&j, NULL, &o);
	check_bounded(&text, 8 * 7 + 2);
	str_done(&text);
	arena_free(a);
}

/* ---- handshakes ---------------------------------------------------------- */

static void check_tls(const struct tls_outcome *o, const char *want)
{
	struct str text = STR_INIT;
	struct json j;

	json_begin(&j, &text);
	security_json_tls(&j, NULL, o);
	check_json(str_slice(&text));
	assert_string_equal(str_cstr(&text), want);
	str_done(&text);
}

static void test_handshake_that_was_good(void **state)
{
	struct tls_certificate own = { .subject = SLICE("CN=mx"),
				       .issuer = SLICE("CN=ca"),
				       .key = SLICE("RSA 2048"),
				       .sha256 = SLICE("AB"),
				       .key_sha256 = SLICE("CD"),
				       .not_before = 1,
				       .not_after = 2 };
	struct tls_outcome o = { .is_ok = true,
				 .verdict = TLS_MATCHED_DANE,
				 .protocol = "TLSv1.3",
				 .cipher = "TLS_AES_256_GCM_SHA384",
				 .group = "x25519",
				 .bits = 256,
				 .record = 1,
				 .matched = SLICE("mx.example.org"),
				 .chain = &own,
				 .n_chain = 1 };

	(void)state;
	check_tls(&o, "{\"ok\":true,\"protocol\":\"TLSv1.3\","
		      "\"cipher\":\"TLS_AES_256_GCM_SHA384\",\"bits\":256,"
		      "\"group\":\"x25519\",\"resumed\":false,"
		      "\"wanted_certificate\":false,"
		      "\"verdict\":\"matched-dane\",\"record\":1,\"depth\":0,"
		      "\"matched\":\"mx.example.org\","
		      "\"chain\":[{\"subject\":\"CN=mx\",\"issuer\":\"CN=ca\","
		      "\"key\":\"RSA 2048\",\"not_before\":1,"
		      "\"not_after\":2,\"sha256\":\"AB\","
		      "\"key_sha256\":\"CD\"}]}");
}

static void test_handshake_that_never_came(void **state)
{
	struct tls_outcome o = { .fault = TLS_FAULT_CLOSED,
				 .text = SLICE("it hung up"),
				 .record = SIZE_MAX };

	(void)state;
	check_tls(&o, "{\"ok\":false,\"fault\":\"tls-closed\","
		      "\"why\":\"it hung up\",\"verdict\":\"none\","
		      "\"chain\":[]}");
}

/* Mode testing: the mail goes, and why it would not have gone is told. */
static void test_handshake_that_was_audited(void **state)
{
	struct tls_outcome o = { .is_ok = true,
				 .audit = TLS_FAULT_NAME,
				 .record = SIZE_MAX };

	(void)state;
	check_tls(&o, "{\"ok\":true,\"verdict\":\"none\","
		      "\"audit\":\"certificate-host-mismatch\","
		      "\"chain\":[]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decision_with_records),
		cmocka_unit_test(test_decision_with_a_policy),
		cmocka_unit_test(test_fetch_that_failed),
		cmocka_unit_test(test_hostile_decision_is_bounded),
		cmocka_unit_test(test_hostile_handshake_is_bounded),
		cmocka_unit_test(test_handshake_that_was_good),
		cmocka_unit_test(test_handshake_that_never_came),
		cmocka_unit_test(test_handshake_that_was_audited),
	};

	return TEST_RUN(tests);
}

/*
 * tlsconf_fuzz.c - any bytes as smtp-tls.conf: what is accepted holds together.
 */
#include "conf/tlsconf.h"

#include "base/fuzz.h"

static void check_text(const char *text)
{
	if (text == NULL)
		return;
	FUZZ_CHECK(text[0] != '\0');
	FUZZ_CHECK(!slice_has_control(slice_of(text)));
}

static void check_settings(const struct tls_settings *s)
{
	FUZZ_CHECK(s->min_protocol <= s->max_protocol);
	FUZZ_CHECK(s->max_protocol < TLS_PROTOCOLS);
	FUZZ_CHECK(s->min_protocol >= TLS_PROTOCOL_1_2);
	FUZZ_CHECK(s->session_seconds > 0);
	FUZZ_CHECK(s->session_seconds <= TLS_SESSION_SECONDS_MAX);
	FUZZ_CHECK(s->n_pairs <= TLS_PAIRS_MAX);
	for (size_t i = 0; i < s->n_pairs; i++) {
		FUZZ_CHECK(s->pairs[i].cert_file != NULL);
		FUZZ_CHECK(s->pairs[i].key_file != NULL);
		check_text(s->pairs[i].cert_file);
		check_text(s->pairs[i].key_file);
	}
	check_text(s->cipher_list);
	check_text(s->cipher_suites);
	check_text(s->groups);
	check_text(s->ca_file);
	check_text(s->ca_path);
}

static void check_rule(const struct tls_rule *rule)
{
	bool is_fingerprint = rule->level == TLS_LEVEL_FINGERPRINT;

	FUZZ_CHECK(rule->level < TLS_LEVELS);
	FUZZ_CHECK((rule->n_fingerprints > 0) == is_fingerprint);
	FUZZ_CHECK(rule->n_match == 0 || rule->level == TLS_LEVEL_VERIFY ||
		   rule->level == TLS_LEVEL_SECURE);
	FUZZ_CHECK(rule->n_match <= TLSTERMS_LIST_MAX);
	for (size_t i = 0; i < rule->n_match; i++)
		FUZZ_CHECK(rule->match[i].len > 0);
	for (size_t i = 0; i < rule->n_fingerprints; i++)
		FUZZ_CHECK(rule->fingerprints[i].len == 32 ||
			   rule->fingerprints[i].len == 64);
}

FUZZ(data, size)
{
	struct textfile source = { slice_make((const char *)data, size), "F" };
	struct arena *a = arena_new();
	struct tlsconf c;
	struct err err = { 0 };

	if (tlsconf_parse(source, a, &c, &err) == 0) {
		FUZZ_CHECK(c.loglevel <= TLSCONF_LOGLEVEL_MAX);
		FUZZ_CHECK(c.cache <= TLSCONF_CACHE_SHARED);
		FUZZ_CHECK(!c.is_wrapper || c.terms.rule.is_demanded);
		FUZZ_CHECK(c.policy_file == NULL || c.policy_file[0] == '/');
		check_settings(&c.terms.settings);
		check_rule(&c.terms.rule);
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
		FUZZ_CHECK(!slice_has_control(slice_of(err.text)));
	}
	arena_free(a);
	return 0;
}

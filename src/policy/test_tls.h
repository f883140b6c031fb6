/*
 * test_tls.h - facts about a host as text, for the tests of tls.c.
 *
 * "dane mx:secure addr:secure tlsa:usable sts:enforce asks:required" - a level
 * first; what is not said is: reached by MX over the network, MX, addresses
 * and TLSA not asked, no policy. sts: none, testing, enforce; with "-" behind
 * it a policy that does not know the host.
 */
#ifndef POLICY_TEST_TLS_H
#define POLICY_TEST_TLS_H

#include "base/keyword.h"
#include "base/test.h"
#include "policy/tls.h"

static const struct keyword dns_words[] = {
	{ "none", DANE_DNS_NONE },	   { "secure", DANE_DNS_SECURE },
	{ "insecure", DANE_DNS_INSECURE }, { "failed", DANE_DNS_FAILED },
	{ "bogus", DANE_DNS_BOGUS },
};

static const struct keyword tlsa_words[] = {
	{ "not-asked", DANE_NOT_ASKED }, { "absent", DANE_ABSENT },
	{ "insecure", DANE_INSECURE },	 { "failed", DANE_FAILED },
	{ "bogus", DANE_BOGUS },	 { "unusable", DANE_UNUSABLE },
	{ "usable", DANE_USABLE },
};

static const struct keyword asks_words[] = {
	{ "nothing", TLS_ASKS_NOTHING },
	{ "required", TLS_ASKS_REQUIRED },
	{ "optional", TLS_ASKS_OPTIONAL },
};

static const struct keyword path_words[] = {
	{ "network", TLS_PATH_NETWORK },
	{ "loopback", TLS_PATH_LOOPBACK },
	{ "unix", TLS_PATH_UNIX },
};

static const struct keyword next_words[] = {
	{ "mx", TLS_NEXT_MX },
	{ "domain", TLS_NEXT_DOMAIN },
	{ "forced", TLS_NEXT_FORCED },
	{ "literal", TLS_NEXT_LITERAL },
};

static const struct keyword dnssec_words[] = {
	{ "works", TLS_DNSSEC_WORKS },
	{ "off", TLS_DNSSEC_OFF },
	{ "lost", TLS_DNSSEC_LOST },
};

/* By sts_words; those that do not match have another host. */
static struct slice known_mx[] = { { "*.example.org", 13 } };
static struct slice other_mx[] = { { "mx.example.net", 14 } };
static const struct sts_policy policies[] = {
	{ STS_MODE_NONE, 60, NULL, 0 },
	{ STS_MODE_TESTING, 60, known_mx, 1 },
	{ STS_MODE_TESTING, 60, other_mx, 1 },
	{ STS_MODE_ENFORCE, 60, known_mx, 1 },
	{ STS_MODE_ENFORCE, 60, other_mx, 1 },
};

static const struct keyword sts_words[] = {
	{ "none", 0 },	  { "testing", 1 },  { "testing-", 2 },
	{ "enforce", 3 }, { "enforce-", 4 },
};

static const struct slice a_fingerprint = { "0123456789abcdef0123456789abcdef",
					    32 };

static inline int word_value(const struct keyword *rows, size_t n,
			     struct slice word)
{
	const struct keyword *k = keyword_find(rows, n, word);

	if (k == NULL)
		fail_msg("no such word: %.*s", SLICE_ARG(word));
	return k->value;
}

/* Puts the host's name where it belongs, or takes it away. */
static inline void name_host(struct tls_facts *f)
{
	bool is_named = f->path != TLS_PATH_UNIX && f->next != TLS_NEXT_LITERAL;

	f->host = is_named ? SLICE("mx.example.org") : SLICE("");
	f->domain = is_named ? SLICE("example.org") : SLICE("");
}

/* Facts that hold everything but what a test sets. */
static inline struct tls_facts plain_facts(enum tls_level level)
{
	struct tls_facts f = {
		.rule = { .level = level,
			  .fingerprints = &a_fingerprint,
			  .n_fingerprints = 1 },
		.tlsa_base = SLICE("real.example.org"),
		.n_tlsa = 2,
		.n_tlsa_used = 1,
		.sts_id = SLICE("id1"),
	};

	name_host(&f);
	return f;
}

static inline void read_fact(struct tls_facts *f, struct slice word)
{
	struct slice key = SLICE(""), value = word;

	if (slice_eq(word, SLICE("demanded"))) {
		f->rule.is_demanded = true;
		return;
	}
	assert_true(slice_cut(&value, ':', &key));
#define WORD(rows) word_value(rows, COUNT(rows), value)
	if (slice_eq(key, SLICE("mx")))
		f->mx = (enum dane_dns)WORD(dns_words);
	else if (slice_eq(key, SLICE("addr")))
		f->addresses = (enum dane_dns)WORD(dns_words);
	else if (slice_eq(key, SLICE("tlsa")))
		f->tlsa = (enum dane_result)WORD(tlsa_words);
	else if (slice_eq(key, SLICE("asks")))
		f->request = (enum tls_request)WORD(asks_words);
	else if (slice_eq(key, SLICE("path")))
		f->path = (enum tls_path)WORD(path_words);
	else if (slice_eq(key, SLICE("next")))
		f->next = (enum tls_next)WORD(next_words);
	else if (slice_eq(key, SLICE("dnssec")))
		f->dnssec = (enum tls_dnssec)WORD(dnssec_words);
	else if (slice_eq(key, SLICE("sts")))
		f->sts = &policies[WORD(sts_words)];
	else
		fail_msg("no such fact: %.*s", SLICE_ARG(word));
#undef WORD
}

static inline struct tls_facts facts_of(const char *text)
{
	struct slice rest = slice_of(text), word;
	enum tls_level level = TLS_LEVEL_AUTO;
	struct tls_facts f;

	assert_true(slice_word(&rest, &word) && tls_level_read(word, &level));
	f = plain_facts(level);
	while (slice_word(&rest, &word))
		read_fact(&f, word);
	name_host(&f);
	return f;
}

#endif

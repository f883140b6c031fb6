/*
 * tls_text.c - what levels, needs and reasons are called, and the evidence.
 */
#include "policy/tls.h"

#include "base/keyword.h"

#include <assert.h>

static const struct keyword levels[TLS_LEVELS] = {
	{ "auto", TLS_LEVEL_AUTO },
	{ "none", TLS_LEVEL_NONE },
	{ "may", TLS_LEVEL_MAY },
	{ "encrypt", TLS_LEVEL_ENCRYPT },
	{ "dane", TLS_LEVEL_DANE },
	{ "dane-only", TLS_LEVEL_DANE_ONLY },
	{ "fingerprint", TLS_LEVEL_FINGERPRINT },
	{ "verify", TLS_LEVEL_VERIFY },
	{ "secure", TLS_LEVEL_SECURE },
};

static const char *const needs[TLS_NEEDS] = {
	[TLS_NEED_NOTHING] = "nothing",		[TLS_NEED_MAY] = "may",
	[TLS_NEED_ENCRYPT] = "encrypt",		[TLS_NEED_DANE] = "dane",
	[TLS_NEED_FINGERPRINT] = "fingerprint", [TLS_NEED_NAME] = "name",
	[TLS_NEED_IMPOSSIBLE] = "impossible",
};

/* Reasons beside the table, from TLS_ROWS on. */
static const struct {
	const char *word, *text;
} others[TLS_REASONS - TLS_ROWS] = {
	[TLS_DEMANDED - TLS_ROWS] = { "demanded", "TLS is demanded" },
	[TLS_ACCOUNT - TLS_ROWS] = { "account",
				     "the host has an account, and secrets go "
				     "only to a server that is verified" },
	[TLS_NO_NAMES - TLS_ROWS] = { "no-names",
				      "verification is needed, and there is "
				      "no name to compare" },
	[TLS_NO_FINGERPRINTS - TLS_ROWS] = { "no-fingerprints",
					     "fingerprints are needed, and "
					     "there are none" },
};

const char *tls_level_word(enum tls_level level)
{
	assert((size_t)level < COUNT(levels));
	return levels[level].word;
}

bool tls_level_read(struct slice word, enum tls_level *ret)
{
	const struct keyword *k = keyword_find(levels, COUNT(levels), word);

	if (k == NULL)
		return false;
	*ret = (enum tls_level)k->value;
	return true;
}

const char *tls_need_word(enum tls_need need)
{
	assert((size_t)need < COUNT(needs));
	return needs[need];
}

const char *tls_reason_word(enum tls_reason reason)
{
	assert(reason < TLS_REASONS);
	return reason < TLS_ROWS ? tls_rows[reason].word
				 : others[reason - TLS_ROWS].word;
}

const char *tls_dane_word(enum tls_dane dane)
{
	static const char *const words[TLS_DANES] = {
		[TLS_DANE_NONE] = "none",	  [TLS_DANE_USABLE] = "usable",
		[TLS_DANE_OPEN] = "mx-insecure",  [TLS_DANE_BROKEN] = "unknown",
		[TLS_DANE_UNUSABLE] = "unusable", [TLS_DANE_LOST] = "lost",
		[TLS_DANE_FORGED] = "forged",
	};

	assert((size_t)dane < COUNT(words));
	return words[dane];
}

const char *tls_sts_word(enum tls_sts sts)
{
	static const char *const words[TLS_STSES] = {
		[TLS_STS_NONE] = "none",
		[TLS_STS_TESTING] = "testing",
		[TLS_STS_ENFORCE] = "enforce",
		[TLS_STS_MISMATCH] = "mismatch",
	};

	assert((size_t)sts < COUNT(words));
	return words[sts];
}

const char *tls_reason_text(enum tls_reason reason)
{
	assert(reason < TLS_REASONS);
	return reason < TLS_ROWS ? tls_rows[reason].text
				 : others[reason - TLS_ROWS].text;
}

/* Names come from outside: what is not plain is written as "%XX". */
static void print_key(struct str *to, const char *key, struct slice text)
{
	str_addf(to, " %s=", key);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] > ' ' && text.p[i] < 0x7f && text.p[i] != '%')
			str_addc(to, ascii_lower(text.p[i]));
		else
			str_addf(to, "%%%02X", (unsigned char)text.p[i]);
}

void tls_decision_key_print(struct str *to, const struct tls_decision *d)
{
	str_addf(to, "need=%s%s", tls_need_word(d->need),
		 d->is_audited ? " audited" : "");
	print_key(to, "sni", d->sni);
	for (size_t i = 0; i < d->n_names; i++)
		print_key(to, "name", d->names[i]);
	for (size_t i = 0; i < d->n_fingerprints; i++) {
		str_adds(to, " fingerprint=");
		for (size_t j = 0; j < d->fingerprints[i].len; j++)
			str_addf(to, "%02x",
				 (unsigned char)d->fingerprints[i].p[j]);
	}
}

static void print_tlsa(struct str *to, const struct tls_facts *f)
{
	str_addf(to, " tlsa=%s", dane_result_word(f->tlsa));
	if (f->tlsa != DANE_USABLE && f->tlsa != DANE_UNUSABLE)
		return;
	str_addf(to, " %zu/%zu at ", f->n_tlsa_used, f->n_tlsa);
	str_add_clean(to, f->tlsa_base, SIZE_MAX);
}

static void print_sts(struct str *to, const struct tls_facts *f,
		      const struct tls_decision *d)
{
	if (f->sts == NULL) {
		str_adds(to, " sts=none");
		return;
	}
	str_addf(to, " sts=%s id=", sts_mode_word(f->sts->mode));
	str_add_clean(to, f->sts_id, SIZE_MAX);
	if (d->sts == TLS_STS_NONE)
		return;
	str_adds(to, " matched=");
	if (d->sts_pattern.len > 0)
		str_add_clean(to, d->sts_pattern, SIZE_MAX);
	else
		str_adds(to, "nothing");
}

void tls_evidence_print(struct str *to, const struct tls_facts *facts,
			const struct tls_decision *d)
{
	static const char *const requests[] = {
		[TLS_ASKS_NOTHING] = "",
		[TLS_ASKS_REQUIRED] = " message=requiretls",
		[TLS_ASKS_OPTIONAL] = " message=tls-required-no",
	};
	static const char *const paths[] = {
		[TLS_PATH_NETWORK] = "",
		[TLS_PATH_LOOPBACK] = " path=loopback",
		[TLS_PATH_UNIX] = " path=unix",
	};

	str_addf(to, "level=%s%s%s%s", tls_level_word(facts->rule.level),
		 facts->rule.is_demanded ? " demanded" : "",
		 requests[facts->request], paths[facts->path]);
	if (facts->dnssec != TLS_DNSSEC_WORKS)
		str_addf(to, " dnssec=%s",
			 facts->dnssec == TLS_DNSSEC_OFF ? "off" : "lost");
	str_addf(to, " mx=%s addresses=%s", dane_dns_word(facts->mx),
		 dane_dns_word(facts->addresses));
	print_tlsa(to, facts);
	print_sts(to, facts, d);
	str_addf(to, " need=%s reason=%s", tls_need_word(d->need),
		 tls_reason_word(d->reason));
}

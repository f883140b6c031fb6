/*
 * dns_words.c - the words for what dns.h enumerates.
 */
#include "base/keyword.h"
#include "net/dns.h"

#include <assert.h>

static const struct keyword verdicts[] = {
	{ "ok", DNS_OK },
	{ "nodata", DNS_NODATA },
	{ "nxdomain", DNS_NXDOMAIN },
	{ "loop", DNS_LOOP },
	{ "servfail", DNS_SERVFAIL },
	{ "refused", DNS_REFUSED },
	{ "rcode", DNS_RCODE },
	{ "malformed", DNS_MALFORMED },
	{ "truncated", DNS_TRUNCATED },
	{ "timeout", DNS_TIMEOUT },
	{ "bogus", DNS_BOGUS },
	{ "interrupted", DNS_INTERRUPTED },
	{ "bad-name", DNS_BAD_NAME },
	{ "unavailable", DNS_UNAVAILABLE },
};

static const struct keyword statuses[] = {
	{ "indeterminate", DNS_INDETERMINATE },
	{ "insecure", DNS_INSECURE },
	{ "secure", DNS_SECURE },
	{ "bogus", DNS_FORGED },
};

static const struct keyword origins[] = {
	{ "network", DNS_FROM_NETWORK },
	{ "cache", DNS_FROM_CACHE },
	{ "hosts", DNS_FROM_HOSTS },
	{ "rule", DNS_FROM_RULE },
};

static const struct keyword trusts[] = {
	{ "unknown", DNS_TRUST_UNKNOWN }, { "off", DNS_TRUST_OFF },
	{ "works", DNS_TRUST_WORKS },	  { "never", DNS_TRUST_NEVER },
	{ "lost", DNS_TRUST_LOST },
};

static const struct keyword modes[] = {
	{ "validate", DNS_VALIDATE },
	{ "trusted", DNS_TRUSTED },
	{ "off", DNS_OFF },
};

static const struct keyword types[] = {
	{ "A", DNS_A },		  { "CNAME", DNS_CNAME }, { "SOA", DNS_SOA },
	{ "WKS", DNS_WKS },	  { "PTR", DNS_PTR },	  { "MX", DNS_MX },
	{ "TXT", DNS_TXT },	  { "AAAA", DNS_AAAA },	  { "DS", DNS_DS },
	{ "DNSKEY", DNS_DNSKEY }, { "TLSA", DNS_TLSA },
};

/* The tables above are in the order of their values, types apart. */
static const char *word_of(const struct keyword *rows, size_t n, int value)
{
	assert(value >= 0 && (size_t)value < n && rows[value].value == value);
	(void)n;
	return rows[value].word;
}

bool dns_is_temporary(enum dns_verdict verdict)
{
	return verdict > DNS_LOOP;
}

const char *dns_verdict_word(enum dns_verdict verdict)
{
	return word_of(verdicts, COUNT(verdicts), (int)verdict);
}

const char *dns_status_word(enum dns_status status)
{
	return word_of(statuses, COUNT(statuses), (int)status);
}

const char *dns_origin_word(enum dns_origin origin)
{
	return word_of(origins, COUNT(origins), (int)origin);
}

const char *dns_trust_word(enum dns_trust trust)
{
	return word_of(trusts, COUNT(trusts), (int)trust);
}

const char *dns_mode_word(enum dns_mode mode)
{
	return word_of(modes, COUNT(modes), (int)mode);
}

bool dns_verdict_read(struct slice word, enum dns_verdict *ret)
{
	const struct keyword *k = keyword_find(verdicts, COUNT(verdicts), word);

	if (k != NULL)
		*ret = (enum dns_verdict)k->value;
	return k != NULL;
}

bool dns_status_read(struct slice word, enum dns_status *ret)
{
	const struct keyword *k = keyword_find(statuses, COUNT(statuses), word);

	if (k != NULL)
		*ret = (enum dns_status)k->value;
	return k != NULL;
}

bool dns_origin_read(struct slice word, enum dns_origin *ret)
{
	const struct keyword *k = keyword_find(origins, COUNT(origins), word);

	if (k != NULL)
		*ret = (enum dns_origin)k->value;
	return k != NULL;
}

bool dns_mode_read(struct slice word, enum dns_mode *ret)
{
	const struct keyword *k = keyword_find(modes, COUNT(modes), word);

	if (k != NULL)
		*ret = (enum dns_mode)k->value;
	return k != NULL;
}

struct slice dns_type_text(enum dns_type type, struct arena *a)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].value == (int)type)
			return slice_of(types[i].word);
	return arena_printf(a, "TYPE%d", (int)type);
}

bool dns_type_read(struct slice word, enum dns_type *ret)
{
	const struct keyword *k = keyword_find(types, COUNT(types), word);
	uint64_t number;

	if (k != NULL)
		number = (uint64_t)k->value;
	else if (!slice_starts_nocase(word, SLICE("TYPE")) ||
		 !slice_uint(slice_from(word, 4), 65535, &number))
		return false;
	*ret = (enum dns_type)number;
	return true;
}

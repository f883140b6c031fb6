/*
 * dane.c - which TLSA records count for a mail host, and where to ask.
 *
 * A record that cannot be used is as if it were not there, but for one thing:
 * that there are records at all says that the host speaks TLS (RFC 7672 2.2).
 */
#include "policy/dane.h"

#include "base/keyword.h"

#include <assert.h>

enum { USAGE_PKIX_EE = 1, USAGE_TA = 2, USAGE_EE = 3 };
enum { SELECTOR_SPKI = 1 };
enum { MATCHING_FULL, MATCHING_SHA256, MATCHING_SHA512 };

/* ---- where to ask ------------------------------------------------------- */

static bool is_answer(enum dane_dns s)
{
	return s == DANE_DNS_SECURE || s == DANE_DNS_INSECURE;
}

enum dane_dns dane_addresses(enum dane_dns v4, enum dane_dns v6)
{
	if (is_answer(v4) != is_answer(v6))
		return is_answer(v4) ? v4 : v6;
	return v4 > v6 ? v4 : v6;
}

static bool is_alias(const struct dane_host *host)
{
	return host->canonical.len > 0 &&
	       !slice_eq_nocase(host->canonical, host->name);
}

bool dane_wants_alias(const struct dane_host *host)
{
	return is_alias(host) && host->alias == DANE_DNS_NONE &&
	       dane_addresses(host->v4, host->v6) == DANE_DNS_INSECURE;
}

size_t dane_bases(const struct dane_host *host,
		  struct slice ret_bases[DANE_BASES_MAX])
{
	size_t n = 0;

	switch (dane_addresses(host->v4, host->v6)) {
	case DANE_DNS_SECURE:
		if (is_alias(host))
			ret_bases[n++] = host->canonical;
		ret_bases[n++] = host->name;
		break;
	case DANE_DNS_INSECURE:
		if (is_alias(host) && host->alias != DANE_DNS_NONE &&
		    host->alias != DANE_DNS_INSECURE)
			ret_bases[n++] = host->name;
		break;
	default:
		break;
	}
	return n;
}

void dane_owner_print(struct str *to, struct slice base, uint16_t port)
{
	str_addf(to, "_%u._tcp.", port);
	str_add(to, base);
}

/* ---- which records count ------------------------------------------------ */

/*
 * Is this one DER SEQUENCE and nothing behind it, as certificates and public
 * keys are? What is inside is OpenSSL's business.
 */
static bool is_der_sequence(struct slice data)
{
	const unsigned char *p = (const unsigned char *)data.p;
	size_t n_length, length = 0;

	if (data.len < 2 || p[0] != 0x30)
		return false;
	if (p[1] < 0x80)
		return data.len - 2 == p[1];
	n_length = p[1] & 0x7f;
	if (n_length == 0 || n_length > 4 || data.len < 2 + n_length)
		return false;
	for (size_t i = 0; i < n_length; i++)
		length = length << 8 | p[2 + i];
	return data.len - 2 - n_length == length;
}

static enum dane_use judge_alone(const struct dane_record *r)
{
	if (r->usage <= USAGE_PKIX_EE)
		return DANE_IS_PKIX;
	if (r->usage > USAGE_EE)
		return DANE_BAD_USAGE;
	if (r->selector > SELECTOR_SPKI)
		return DANE_BAD_SELECTOR;
	switch (r->matching) {
	case MATCHING_FULL:
		return is_der_sequence(r->data) ? DANE_USED : DANE_BAD_DATA;
	case MATCHING_SHA256:
		return r->data.len == 32 ? DANE_USED : DANE_BAD_DATA;
	case MATCHING_SHA512:
		return r->data.len == 64 ? DANE_USED : DANE_BAD_DATA;
	default:
		return DANE_BAD_MATCHING;
	}
}

size_t dane_judge(const struct dane_record *records, size_t n,
		  enum dane_use *ret_uses)
{
	uint8_t best[USAGE_EE + 1][SELECTOR_SPKI + 1] = { { 0 } };
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		const struct dane_record *r = &records[i];

		ret_uses[i] = judge_alone(r);
		if (ret_uses[i] == DANE_USED &&
		    r->matching > best[r->usage][r->selector])
			best[r->usage][r->selector] = r->matching;
	}
	for (size_t i = 0; i < n; i++) {
		const struct dane_record *r = &records[i];

		if (ret_uses[i] != DANE_USED)
			continue;
		if (r->matching != MATCHING_FULL &&
		    r->matching < best[r->usage][r->selector])
			ret_uses[i] = DANE_WEAKER_DIGEST;
		else if (used == DANE_RECORDS_MAX)
			ret_uses[i] = DANE_IS_TOO_MUCH;
		else
			used++;
	}
	return used;
}

enum dane_result dane_result(enum dane_dns status,
			     const struct dane_record *records, size_t n,
			     enum dane_use *ret_uses)
{
	switch (status) {
	case DANE_DNS_NONE:
		return DANE_NOT_ASKED;
	case DANE_DNS_INSECURE:
		return DANE_INSECURE;
	case DANE_DNS_FAILED:
		return DANE_FAILED;
	case DANE_DNS_BOGUS:
		return DANE_BOGUS;
	case DANE_DNS_SECURE:
		break;
	}
	if (n == 0)
		return DANE_ABSENT;
	return dane_judge(records, n, ret_uses) > 0 ? DANE_USABLE
						    : DANE_UNUSABLE;
}

bool dane_goes_on(enum dane_result result)
{
	return result == DANE_ABSENT || result == DANE_INSECURE;
}

/* ---- words -------------------------------------------------------------- */

const char *dane_dns_word(enum dane_dns status)
{
	static const char *const words[] = {
		[DANE_DNS_NONE] = "not-asked",	  [DANE_DNS_SECURE] = "secure",
		[DANE_DNS_INSECURE] = "insecure", [DANE_DNS_FAILED] = "failed",
		[DANE_DNS_BOGUS] = "bogus",
	};

	assert((size_t)status < COUNT(words));
	return words[status];
}

const char *dane_use_word(enum dane_use use)
{
	static const char *const words[DANE_USES] = {
		[DANE_USED] = "used",
		[DANE_IS_PKIX] = "pkix-usage",
		[DANE_BAD_USAGE] = "unknown-usage",
		[DANE_BAD_SELECTOR] = "unknown-selector",
		[DANE_BAD_MATCHING] = "unknown-matching",
		[DANE_BAD_DATA] = "bad-data",
		[DANE_WEAKER_DIGEST] = "weaker-digest",
		[DANE_IS_TOO_MUCH] = "too-much",
	};

	assert((size_t)use < COUNT(words));
	return words[use];
}

const char *dane_result_word(enum dane_result result)
{
	static const char *const words[DANE_RESULTS] = {
		[DANE_NOT_ASKED] = "not-asked", [DANE_ABSENT] = "absent",
		[DANE_INSECURE] = "insecure",	[DANE_FAILED] = "failed",
		[DANE_BOGUS] = "bogus",		[DANE_UNUSABLE] = "unusable",
		[DANE_USABLE] = "usable",
	};

	assert((size_t)result < COUNT(words));
	return words[result];
}

/*
 * tls.c - what security does this host need before it may be given this mail?
 *
 * Three steps: the facts become two verdicts (DANE, MTA-STS); the first row of
 * the table that fits gives need and reason; what stands beside the table may
 * only raise the need.
 */
#include "policy/tls.h"

#include "base/keyword.h"

#include <assert.h>

/* ---- the table ---------------------------------------------------------- */

#define S TLS_SET
enum {
	OPEN_LEVELS = S(TLS_LEVEL_AUTO) | S(TLS_LEVEL_NONE) | S(TLS_LEVEL_MAY) |
		      S(TLS_LEVEL_DANE),
	/* Levels that leave it to the message who the server has to be. */
	RAISED_LEVELS = OPEN_LEVELS | S(TLS_LEVEL_ENCRYPT),
	BY_DANE_LEVELS = S(TLS_LEVEL_AUTO) | S(TLS_LEVEL_DANE),
	AUTO = S(TLS_LEVEL_AUTO),
	NEEDED = S(TLS_ASKS_REQUIRED),
	ANY = TLS_ANY
};

const struct tls_row tls_rows[TLS_ROWS] = {
	[TLS_LOCAL] = { "local", OPEN_LEVELS, ANY, ANY, ANY, TLS_NEED_NOTHING,
			true, false, "mail does not leave this machine" },
	[TLS_FORGED] = { "dns-forged", ANY, ANY, S(TLS_DANE_FORGED), ANY,
			 TLS_NEED_IMPOSSIBLE, false, false,
			 "an answer of the DNS does not validate" },
	[TLS_DNSSEC_GONE] = { "dnssec-lost", ANY, ANY, S(TLS_DANE_LOST), ANY,
			      TLS_NEED_IMPOSSIBLE, false, false,
			      "DNSSEC validation, which has worked here, does "
			      "not work now" },
	[TLS_TLSA_BROKEN] = { "tlsa-unknown", ANY, ANY, S(TLS_DANE_BROKEN), ANY,
			      TLS_NEED_IMPOSSIBLE, false, false,
			      "whether the host has TLSA records cannot be "
			      "learned" },

	[TLS_REQUIRED_LOCAL] = { "requiretls-local", S(TLS_LEVEL_ENCRYPT),
				 NEEDED, ANY, ANY, TLS_NEED_ENCRYPT, true,
				 false,
				 "REQUIRETLS, and mail does not leave this "
				 "machine" },
	[TLS_REQUIRED_FINGERPRINT] = { "requiretls-fingerprint",
				       S(TLS_LEVEL_FINGERPRINT), NEEDED, ANY,
				       ANY, TLS_NEED_FINGERPRINT, false, false,
				       "REQUIRETLS, and the destination has "
				       "fingerprints" },
	[TLS_REQUIRED_SECURE] = { "requiretls-secure", S(TLS_LEVEL_SECURE),
				  NEEDED, ANY, ANY, TLS_NEED_NAME, false, false,
				  "REQUIRETLS, and the destination has names "
				  "of its own" },
	[TLS_REQUIRED_DANE] = { "requiretls-dane",
				RAISED_LEVELS | S(TLS_LEVEL_DANE_ONLY), NEEDED,
				S(TLS_DANE_USABLE), ANY, TLS_NEED_DANE, false,
				false,
				"REQUIRETLS, and the host has TLSA records" },
	[TLS_REQUIRED_DANE_ONLY] = { "requiretls-dane-only",
				     S(TLS_LEVEL_DANE_ONLY), NEEDED, ANY, ANY,
				     TLS_NEED_IMPOSSIBLE, false, false,
				     "REQUIRETLS, and the host has no TLSA "
				     "records that can be used" },
	[TLS_REQUIRED_MISMATCH] = { "requiretls-sts-mismatch", ANY, NEEDED, ANY,
				    S(TLS_STS_MISMATCH), TLS_NEED_IMPOSSIBLE,
				    false, false,
				    "REQUIRETLS, and the domain's MTA-STS "
				    "policy does not know the host" },
	[TLS_REQUIRED_VERIFY] = { "requiretls-verify", S(TLS_LEVEL_VERIFY),
				  NEEDED, ANY, ANY, TLS_NEED_NAME, false, true,
				  "REQUIRETLS, and the destination is to be "
				  "verified" },
	[TLS_REQUIRED_NAME] = { "requiretls-name", RAISED_LEVELS, NEEDED, ANY,
				ANY, TLS_NEED_NAME, false, true,
				"REQUIRETLS, and the name of the host can be "
				"believed" },
	[TLS_REQUIRED_UNKNOWN_HOST] = { "requiretls-unknown-host", ANY, NEEDED,
					ANY, ANY, TLS_NEED_IMPOSSIBLE, false,
					false,
					"REQUIRETLS, and nothing vouches for "
					"the name of the host" },

	[TLS_BY_NONE] = { "none", S(TLS_LEVEL_NONE), ANY, ANY, ANY,
			  TLS_NEED_NOTHING, false, false,
			  "TLS is configured away" },
	[TLS_BY_MAY] = { "may", S(TLS_LEVEL_MAY), ANY, ANY, ANY, TLS_NEED_MAY,
			 false, false, "TLS is configured as a chance" },
	[TLS_BY_ENCRYPT] = { "encrypt", S(TLS_LEVEL_ENCRYPT), ANY, ANY, ANY,
			     TLS_NEED_ENCRYPT, false, false,
			     "TLS is configured as needed" },
	[TLS_BY_FINGERPRINT] = { "fingerprint", S(TLS_LEVEL_FINGERPRINT), ANY,
				 ANY, ANY, TLS_NEED_FINGERPRINT, false, false,
				 "fingerprints are configured" },
	[TLS_BY_VERIFY] = { "verify", S(TLS_LEVEL_VERIFY), ANY, ANY, ANY,
			    TLS_NEED_NAME, false, false,
			    "verification is configured" },
	[TLS_BY_SECURE] = { "secure", S(TLS_LEVEL_SECURE), ANY, ANY, ANY,
			    TLS_NEED_NAME, false, false,
			    "verification by the destination's own names is "
			    "configured" },
	[TLS_BY_DANE_ONLY] = { "dane-only", S(TLS_LEVEL_DANE_ONLY), ANY,
			       S(TLS_DANE_USABLE), ANY, TLS_NEED_DANE, false,
			       false, "DANE is configured as needed" },
	[TLS_DANE_ONLY_MISSING] = { "dane-only-missing", S(TLS_LEVEL_DANE_ONLY),
				    ANY, ANY, ANY, TLS_NEED_IMPOSSIBLE, false,
				    false,
				    "DANE is configured as needed, and the "
				    "host has no TLSA records that can be "
				    "used" },

	[TLS_OPTIONAL] = { "tls-required-no", BY_DANE_LEVELS,
			   S(TLS_ASKS_OPTIONAL), ANY, ANY, TLS_NEED_MAY, false,
			   false, "the message says TLS-Required: No" },
	[TLS_BY_DANE] = { "dane", BY_DANE_LEVELS, ANY, S(TLS_DANE_USABLE), ANY,
			  TLS_NEED_DANE, false, false,
			  "the host has TLSA records" },
	[TLS_BY_STS] = { "sts", AUTO, ANY, ANY, S(TLS_STS_ENFORCE),
			 TLS_NEED_NAME, false, false,
			 "the domain's MTA-STS policy is to be enforced" },
	[TLS_STS_NO_MATCH] = { "sts-mismatch", AUTO, ANY, ANY,
			       S(TLS_STS_MISMATCH), TLS_NEED_IMPOSSIBLE, false,
			       false,
			       "the domain's MTA-STS policy does not know the "
			       "host" },
	[TLS_BY_DANE_OPEN] = { "dane-mx-insecure", BY_DANE_LEVELS, ANY,
			       S(TLS_DANE_OPEN), ANY, TLS_NEED_DANE, false,
			       false,
			       "the host has TLSA records, though the MX is "
			       "insecure" },
	[TLS_BY_DANE_UNUSABLE] = { "tlsa-unusable", BY_DANE_LEVELS, ANY,
				   S(TLS_DANE_UNUSABLE), ANY, TLS_NEED_ENCRYPT,
				   false, false,
				   "of the host's TLSA records none can be "
				   "used" },
	[TLS_BY_STS_TESTING] = { "sts-testing", AUTO, ANY, ANY,
				 S(TLS_STS_TESTING), TLS_NEED_MAY, false, false,
				 "the domain's MTA-STS policy is in mode "
				 "testing" },
	[TLS_OPPORTUNISTIC] = { "opportunistic", BY_DANE_LEVELS, ANY, ANY, ANY,
				TLS_NEED_MAY, false, false,
				"nothing asks for more" },
};
#undef S

/* ---- verdicts ----------------------------------------------------------- */

unsigned tls_wants(enum tls_level level, enum tls_request request)
{
	switch (level) {
	case TLS_LEVEL_AUTO:
		return request == TLS_ASKS_OPTIONAL
			   ? 0
			   : TLS_WANTS_DANE | TLS_WANTS_STS;
	case TLS_LEVEL_DANE:
		if (request == TLS_ASKS_OPTIONAL)
			return 0;
		return request == TLS_ASKS_REQUIRED
			   ? TLS_WANTS_DANE | TLS_WANTS_STS
			   : TLS_WANTS_DANE;
	case TLS_LEVEL_NONE:
	case TLS_LEVEL_MAY:
	case TLS_LEVEL_ENCRYPT:
		return request == TLS_ASKS_REQUIRED
			   ? TLS_WANTS_DANE | TLS_WANTS_STS
			   : 0;
	case TLS_LEVEL_VERIFY:
		return request == TLS_ASKS_REQUIRED ? TLS_WANTS_STS : 0;
	case TLS_LEVEL_DANE_ONLY:
		return TLS_WANTS_DANE;
	default:
		return 0;
	}
}

/* Has the host a name that others can say something about? */
static bool is_named(const struct tls_facts *f)
{
	return f->path != TLS_PATH_UNIX && f->next != TLS_NEXT_LITERAL;
}

static enum tls_dane judge_dane(const struct tls_facts *f, unsigned wants)
{
	if (!is_named(f))
		return TLS_DANE_NONE;
	if (f->mx == DANE_DNS_BOGUS || f->addresses == DANE_DNS_BOGUS)
		return TLS_DANE_FORGED;
	if ((wants & TLS_WANTS_DANE) == 0 || f->dnssec == TLS_DNSSEC_OFF)
		return TLS_DANE_NONE;
	if (f->dnssec == TLS_DNSSEC_LOST)
		return TLS_DANE_LOST;
	if (f->mx == DANE_DNS_FAILED || f->addresses == DANE_DNS_FAILED)
		return TLS_DANE_BROKEN;
	switch (f->tlsa) {
	case DANE_FAILED:
	case DANE_BOGUS:
		return TLS_DANE_BROKEN;
	case DANE_UNUSABLE:
		return TLS_DANE_UNUSABLE;
	case DANE_USABLE:
		return f->mx == DANE_DNS_SECURE || f->next == TLS_NEXT_FORCED
			   ? TLS_DANE_USABLE
			   : TLS_DANE_OPEN;
	default:
		return TLS_DANE_NONE;
	}
}

static enum tls_sts judge_sts(const struct tls_facts *f, unsigned wants,
			      struct slice *ret_pattern)
{
	bool matches;

	if (!is_named(f) || (wants & TLS_WANTS_STS) == 0 || f->sts == NULL ||
	    f->sts->mode == STS_MODE_NONE)
		return TLS_STS_NONE;
	matches = sts_policy_matches(f->sts, f->host, ret_pattern);
	if (f->sts->mode == STS_MODE_TESTING)
		return TLS_STS_TESTING;
	return matches ? TLS_STS_ENFORCE : TLS_STS_MISMATCH;
}

/*
 * Is the host the one the domain's owner meant (RFC 8689 4.2.1)? Its name was
 * not learned from an answer that anybody could have made up.
 */
static bool is_name_good(const struct tls_facts *f, enum tls_sts sts)
{
	if (!is_named(f))
		return false;
	return f->next == TLS_NEXT_FORCED || f->next == TLS_NEXT_DOMAIN ||
	       (f->mx == DANE_DNS_SECURE && f->dnssec == TLS_DNSSEC_WORKS) ||
	       sts == TLS_STS_ENFORCE;
}

/* ---- names -------------------------------------------------------------- */

static struct slice without_dot(struct slice name)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

struct names {
	struct slice *p;
	size_t n;
};

static void add_name(struct names *names, struct slice name)
{
	name = without_dot(name);
	if (name.len == 0)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (slice_eq_nocase(names->p[i], name))
			return;
	names->p[names->n++] = name;
}

static void add_match(struct names *names, struct slice word,
		      const struct tls_facts *f, struct arena *a)
{
	if (slice_eq_nocase(word, SLICE("hostname")))
		add_name(names, f->host);
	else if (slice_eq_nocase(word, SLICE("nexthop")))
		add_name(names, f->domain);
	else if (!slice_eq_nocase(word, SLICE("dot-nexthop")))
		add_name(names, word);
	else if (f->domain.len > 0)
		add_name(names, arena_printf(a, ".%.*s", SLICE_ARG(f->domain)));
}

static struct names names_of(const struct tls_facts *f,
			     const struct tls_decision *d, struct arena *a)
{
	static const struct slice verify[] = { { "hostname", 8 } };
	static const struct slice secure[] = { { "nexthop", 7 },
					       { "dot-nexthop", 11 } };
	bool is_secure = f->rule.level == TLS_LEVEL_SECURE;
	bool is_own = is_secure || f->rule.level == TLS_LEVEL_VERIFY;
	const struct slice *words = is_secure ? secure : verify;
	size_t n = is_secure ? COUNT(secure) : COUNT(verify);
	struct names names = { 0 };

	if (is_own && f->rule.n_match > 0) {
		words = f->rule.match;
		n = f->rule.n_match;
	}
	names.p = arena_array(a, n + 3, sizeof(*names.p));
	if (d->need == TLS_NEED_DANE) {
		add_name(&names, f->tlsa_base);
		add_name(&names, f->host);
		if (d->dane == TLS_DANE_USABLE)
			add_name(&names, f->domain);
	} else if (d->need == TLS_NEED_NAME) {
		for (size_t i = 0; i < n; i++)
			add_match(&names, words[i], f, a);
	} else if (d->is_audited) {
		add_name(&names, f->host);
	}
	return names;
}

/*
 * What the server is told: the base of the TLSA records (RFC 7672 8.1), the
 * host that an MTA-STS policy knows (RFC 8461 4.2); elsewhere the rule may say.
 */
static struct slice sni_of(const struct tls_facts *f,
			   const struct tls_decision *d)
{
	struct slice word = f->rule.servername, name = word;

	if (d->need == TLS_NEED_DANE)
		name = f->tlsa_base;
	else if (word.len == 0 || d->sts != TLS_STS_NONE ||
		 slice_eq_nocase(word, SLICE("hostname")))
		name = f->host;
	else if (slice_eq_nocase(word, SLICE("nexthop")))
		name = f->domain;
	return without_dot(name);
}

/* ---- the decision ------------------------------------------------------- */

static bool fits(const struct tls_row *row, const struct tls_facts *f,
		 const struct tls_decision *d)
{
	return (row->levels & TLS_SET(f->rule.level)) != 0 &&
	       (row->requests & TLS_SET(f->request)) != 0 &&
	       (row->danes & TLS_SET(d->dane)) != 0 &&
	       (row->stses & TLS_SET(d->sts)) != 0 &&
	       (!row->is_unix || f->path == TLS_PATH_UNIX) &&
	       (!row->is_good_name || is_name_good(f, d->sts));
}

/* What stands beside the table. */
static void raise_need(const struct tls_facts *f, struct arena *a,
		       struct tls_decision *d)
{
	if (f->rule.is_demanded && d->need < TLS_NEED_ENCRYPT) {
		d->need = TLS_NEED_ENCRYPT;
		d->reason = TLS_DEMANDED;
	}
	if (f->has_account && f->path == TLS_PATH_NETWORK && is_named(f) &&
	    (d->need == TLS_NEED_MAY || d->need == TLS_NEED_ENCRYPT)) {
		struct slice *name = ARENA_NEW(a, struct slice);

		*name = f->host;
		d->names = name;
		d->n_names = 1;
		d->need = TLS_NEED_NAME;
		d->reason = TLS_ACCOUNT;
	}
	if (d->need == TLS_NEED_NAME && d->n_names == 0) {
		d->need = TLS_NEED_IMPOSSIBLE;
		d->reason = TLS_NO_NAMES;
	}
	if (d->need == TLS_NEED_FINGERPRINT && f->rule.n_fingerprints == 0) {
		d->need = TLS_NEED_IMPOSSIBLE;
		d->reason = TLS_NO_FINGERPRINTS;
	}
}

struct tls_decision tls_decide(const struct tls_facts *facts, struct arena *a)
{
	unsigned wants = tls_wants(facts->rule.level, facts->request);
	struct tls_decision d = { .dane = judge_dane(facts, wants) };
	size_t row = 0;
	struct names names;

	assert(facts->rule.level < TLS_LEVELS);
	d.sts = judge_sts(facts, wants, &d.sts_pattern);
	while (row < TLS_ROWS && !fits(&tls_rows[row], facts, &d))
		row++;
	assert(row < TLS_ROWS); /* a test walks all facts */
	d.reason = (enum tls_reason)row;
	d.need = tls_rows[row].need;
	d.is_audited = d.sts == TLS_STS_TESTING && d.need < TLS_NEED_DANE;
	names = names_of(facts, &d, a);
	d.names = names.p;
	d.n_names = names.n;
	raise_need(facts, a, &d);
	if (d.need == TLS_NEED_FINGERPRINT) {
		d.fingerprints = facts->rule.fingerprints;
		d.n_fingerprints = facts->rule.n_fingerprints;
	}
	d.sni = sni_of(facts, &d);
	d.is_requiretls =
	    facts->request == TLS_ASKS_REQUIRED && facts->path != TLS_PATH_UNIX;
	return d;
}

bool tls_is_clear_allowed(const struct tls_decision *d)
{
	return d->need < TLS_NEED_ENCRYPT;
}

/* Is the name of a certificate that of a host (RFC 9525 6.3)? */
static bool is_name_of(struct slice name, struct slice host)
{
	host = without_dot(host);
	if (slice_starts(name, SLICE("*."))) {
		name = slice_from(name, 1);
		host = slice_from(host, slice_find(host, '.'));
	}
	return host.len > 0 && slice_eq_nocase(name, host);
}

bool tls_is_trusted(const struct tls_facts *f, const struct tls_decision *d,
		    struct slice matched)
{
	if (d->need == TLS_NEED_IMPOSSIBLE)
		return false;
	if (f->path != TLS_PATH_NETWORK)
		return true;
	switch (d->need) {
	case TLS_NEED_NAME:
		return is_name_of(matched, f->host);
	case TLS_NEED_DANE:
		return matched.len == 0 || is_name_of(matched, f->host) ||
		       is_name_of(matched, f->tlsa_base);
	default:
		return d->need == TLS_NEED_FINGERPRINT;
	}
}

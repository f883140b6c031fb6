/*
 * test_mx.h - facts about a domain as text, for the tests of mx.c.
 *
 * "10 mx1 192.0.2.1 2001:db8::1" is an exchanger with both families; "4:word"
 * and "6:word" give what a lookup without an address came to, "=name" an
 * alias, "wks:word" what its services say.
 */
#ifndef POLICY_TEST_MX_H
#define POLICY_TEST_MX_H

#include "base/keyword.h"
#include "base/test.h"
#include "policy/mx.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS = 200, ADDRESSES = 40 };

/* ---- facts as text ------------------------------------------------------ */

static const struct keyword lookups[] = {
	{ "none", MX_LOOKUP_NONE },
	{ "ok", MX_LOOKUP_OK },
	{ "nodata", MX_LOOKUP_NODATA },
	{ "nxdomain", MX_LOOKUP_NXDOMAIN },
	{ "loop", MX_LOOKUP_LOOP },
	{ "servfail", MX_LOOKUP_SERVFAIL },
	{ "refused", MX_LOOKUP_REFUSED },
	{ "rcode", MX_LOOKUP_RCODE },
	{ "malformed", MX_LOOKUP_MALFORMED },
	{ "truncated", MX_LOOKUP_TRUNCATED },
	{ "timeout", MX_LOOKUP_TIMEOUT },
	{ "bogus", MX_LOOKUP_BOGUS },
	{ "interrupted", MX_LOOKUP_INTERRUPTED },
	{ "bad-name", MX_LOOKUP_BAD_NAME },
	{ "unavailable", MX_LOOKUP_UNAVAILABLE },
};

static const struct keyword services[] = {
	{ "smtp", MX_WKS_SMTP },
	{ "none", MX_WKS_NONE },
	{ "other", MX_WKS_NO_SMTP },
	{ "again", MX_WKS_AGAIN },
};

static inline int value_of(const struct keyword *rows, size_t n,
			   struct slice word)
{
	const struct keyword *k = keyword_find(rows, n, word);

	if (k == NULL)
		fail_msg("no such word: %.*s", SLICE_ARG(word));
	return k->value;
}

static inline struct target_address address_of(struct slice text)
{
	struct target_address t = { .is_v6 = slice_has(text, ':') };
	char copy[64] = "";

	assert_true(text.len < sizeof(copy));
	memcpy(copy, text.p, text.len);
	if (inet_pton(t.is_v6 ? AF_INET6 : AF_INET, copy, t.bytes) != 1)
		fail_msg("no address: %s", copy);
	return t;
}

/* What a host turns out to be once it is looked up. */
struct known {
	struct mx_host host;
	struct target_address addresses[ADDRESSES];
};

struct world {
	struct arena *arena;
	struct mx_facts facts;
	struct mx_options options;
	struct mx_host hosts[HOSTS]; /* not looked up yet */
	struct known known[HOSTS], itself;
	struct slice own_names[4];
	struct target_address own_addresses[4];
	size_t n_lookups;
};

static inline void read_word(struct known *k, struct slice word)
{
	struct mx_host *h = &k->host;
	struct slice rest = word, key;

	if (word.p[0] == '=') {
		h->canonical = slice_from(word, 1);
		return;
	}
	if (slice_starts(word, SLICE("wks:"))) {
		h->wks = (enum mx_wks)value_of(services, COUNT(services),
					       slice_from(word, 4));
		return;
	}
	if (slice_starts(word, SLICE("4:")) ||
	    slice_starts(word, SLICE("6:"))) {
		assert_true(slice_cut(&rest, ':', &key));
		*(key.p[0] == '4' ? &h->v4 : &h->v6) =
		    (enum mx_lookup)value_of(lookups, COUNT(lookups), rest);
		return;
	}
	assert_true(h->n < ADDRESSES);
	k->addresses[h->n++] = address_of(word);
	if (slice_has(word, ':'))
		h->v6 = MX_LOOKUP_OK;
	else
		h->v4 = MX_LOOKUP_OK;
}

static inline void read_host(struct known *k, struct slice text)
{
	struct slice word;

	k->host.addresses = k->addresses;
	k->host.v4 = k->host.v6 = MX_LOOKUP_NODATA;
	while (slice_word(&text, &word))
		read_word(k, word);
}

/*
 * hosts: exchangers with ';' between, each beginning with preference and
 * name. itself: what is known of the domain as a host.
 */
static inline struct world *world_new(const char *mx, const char *hosts,
				      const char *itself)
{
	struct world *w = calloc(1, sizeof(*w));
	struct slice rest = slice_of(hosts), part, word;

	assert_non_null(w);
	w->arena = arena_new();
	w->options.port = 25;
	w->facts.domain = SLICE("example.org");
	w->facts.lookup =
	    (enum mx_lookup)value_of(lookups, COUNT(lookups), slice_of(mx));
	w->facts.hosts = w->hosts;
	while (rest.len > 0 && slice_cut(&rest, ';', &part)) {
		struct known *k = &w->known[w->facts.n];
		uint64_t preference = 0;

		assert_true(w->facts.n < HOSTS);
		assert_true(slice_word(&part, &word) &&
			    slice_uint(word, 65535, &preference));
		assert_true(slice_word(&part, &k->host.name));
		k->host.preference = (uint16_t)preference;
		w->hosts[w->facts.n++] = k->host;
		read_host(k, part);
	}
	read_host(&w->itself, slice_of(itself));
	w->itself.host.name = w->facts.domain;
	w->own_names[0] = SLICE("me.example.net");
	w->own_addresses[0] = address_of(SLICE("198.51.100.1"));
	w->own_addresses[1] = address_of(SLICE("127.0.0.1"));
	w->own_addresses[2] = address_of(SLICE("2001:db8:5::1"));
	w->facts.own_names = w->own_names;
	w->facts.n_own_names = 1;
	w->facts.own_addresses = w->own_addresses;
	w->facts.n_own_addresses = 3;
	return w;
}

static inline void world_free(struct world *w)
{
	arena_free(w->arena);
	free(w);
}

/* Looks up what the plan wants, and decides. */
static inline struct mx_decision decide(struct world *w)
{
	struct mx_plan *plan = mx_plan_new(&w->facts, &w->options, w->arena);
	struct mx_host **wanted;
	size_t n;

	while ((n = mx_plan_wants(plan, &wanted)) > 0) {
		assert_true(n <= MX_RECORDS_MAX);
		for (size_t i = 0; i < n; i++) {
			const struct known *k = &w->itself;

			for (size_t j = 0; j < w->facts.n; j++)
				if (wanted[i] == &w->hosts[j])
					k = &w->known[j];
			w->n_lookups++;
			*wanted[i] = k->host;
			assert_true(k->host.name.len > 0);
		}
	}
	return mx_plan_decide(plan);
}

/* The order as text: "mx1|192.0.2.1 mx2|192.0.2.2". */
static inline struct slice order_of(const struct world *w,
				    const struct mx_decision *d)
{
	struct str text = STR_INIT;
	struct slice s;

	for (size_t i = 0; i < d->n_tries; i++) {
		const struct mx_try *t = &d->tries[i];
		char address[64];

		inet_ntop(t->address.is_v6 ? AF_INET6 : AF_INET,
			  t->address.bytes, address, sizeof(address));
		if (i > 0)
			str_addc(&text, ' ');
		str_add(&text, t->host->name);
		str_addf(&text, "|%s", address);
	}
	s = arena_dup(w->arena, str_slice(&text));
	str_done(&text);
	return s;
}

/* What became of the hosts: "mx1:kept mx2:self". */
static inline struct slice fates_of(const struct world *w,
				    const struct mx_decision *d)
{
	struct str text = STR_INIT;
	struct slice s;

	for (size_t i = 0; i < d->n_hosts; i++) {
		if (i > 0)
			str_addc(&text, ' ');
		str_add(&text, d->hosts[i].host->name);
		str_addf(&text, ":%s", mx_fate_word(d->hosts[i].fate));
	}
	s = arena_dup(w->arena, str_slice(&text));
	str_done(&text);
	return s;
}

static inline void assert_reason(const struct mx_decision *d,
				 enum mx_reason want)
{
	assert_string_equal(mx_reason_word(d->reason), mx_reason_word(want));
	assert_int_equal(d->choice, mx_reason_choice(want));
	assert_int_equal(d->n_tries > 0, d->choice == MX_TRY);
}

static inline void assert_order(const struct world *w,
				const struct mx_decision *d, const char *want)
{
	assert_reason(d, MX_FOUND);
	assert_slice_is(order_of(w, d), want);
}

#endif

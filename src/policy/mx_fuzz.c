/*
 * mx_fuzz.c - any facts, and what must be true of any decision.
 *
 * Bytes become options and hosts. Invariants: never for good while a host
 * better than this one might have an address; addresses by preference, none
 * of this host or behind it, none that must not be tried; never more hosts
 * than allowed; each host is judged.
 */
#include "base/fuzz.h"
#include "policy/mx.h"

#include <string.h>

struct bytes {
	const uint8_t *p;
	size_t n;
};

static unsigned next(struct bytes *b)
{
	if (b->n == 0)
		return 0;
	b->n--;
	return *b->p++;
}

static size_t choose(void *context, size_t n)
{
	return next(context) % n;
}

static const struct target_address pool[] = {
	{ .bytes = { 192, 0, 2, 1 } },
	{ .bytes = { 192, 0, 2, 2 } },
	{ .is_v6 = true, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
	{ .is_v6 = true, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 2 } },
	{ .bytes = { 127, 0, 0, 1 } },
	{ .is_v6 = true, .bytes = { [15] = 1 } },
	{ .bytes = { 0 } },
	{ .bytes = { 169, 254, 1, 1 } },
	{ .is_v6 = true, .bytes = { 0xfe, 0x80, [15] = 1 } },
	{ .bytes = { 198, 51, 100, 1 } }, /* this host */
	{ .is_v6 = true,
	  .bytes = { [10] = 0xff, 0xff, 198, 51, 100, 1 } }, /* also */
};

enum { OWN = 9, OWN_MAPPED = 10, POOL = 11 };

static struct slice name_of(unsigned n)
{
	static const char *const names[] = { "a", "b", "me", ".", "c_d", "e" };

	return slice_of(names[n % 6]);
}

static void learn(struct mx_host *h, struct bytes *b, struct arena *a)
{
	struct target_address *addresses;
	unsigned n = next(b) % 12;

	h->v4 = (enum mx_lookup)(next(b) % (MX_LOOKUP_UNAVAILABLE + 1));
	h->v6 = (enum mx_lookup)(next(b) % (MX_LOOKUP_UNAVAILABLE + 1));
	h->wks = (enum mx_wks)(next(b) % 4);
	if (next(b) % 8 == 0)
		h->canonical = SLICE("me");
	if (h->v4 != MX_LOOKUP_OK && h->v6 != MX_LOOKUP_OK)
		return;
	addresses = arena_array(a, n, sizeof(*addresses));
	for (unsigned i = 0; i < n; i++)
		addresses[i] = pool[next(b) % POOL];
	h->addresses = addresses;
	h->n = n;
}

static bool might_have_address(const struct mx_options *o,
			       const struct mx_host *h)
{
	if (slice_eq(h->name, SLICE(".")) ||
	    (o->is_wks_wanted && h->wks == MX_WKS_NO_SMTP))
		return false;
	return h->v4 == MX_LOOKUP_NONE || h->v6 == MX_LOOKUP_NONE ||
	       h->v4 > MX_LOOKUP_LOOP || h->v6 > MX_LOOKUP_LOOP;
}

static unsigned own_preference(const struct mx_decision *d)
{
	unsigned own = 65536;

	for (size_t i = 0; i < d->n_hosts; i++)
		if (d->hosts[i].fate == MX_IS_SELF &&
		    d->hosts[i].host->preference < own)
			own = d->hosts[i].host->preference;
	return own;
}

static void check_tries(const struct mx_options *o, const struct mx_decision *d)
{
	unsigned own = own_preference(d);

	for (size_t i = 0; i < d->n_tries; i++) {
		const struct mx_try *t = &d->tries[i];

		FUZZ_CHECK(t->host->preference < own);
		FUZZ_CHECK(i == 0 ||
			   t[-1].host->preference <= t->host->preference);
		FUZZ_CHECK(i == 0 || t[-1].level <= t->level);
		FUZZ_CHECK(
		    !(t->address.is_v6 ? o->is_v6_useless : o->is_v4_useless));
		for (unsigned k = 4; o->port == 25 && k < POOL; k++)
			FUZZ_CHECK(
			    (o->is_mx_forbidden && o->is_local_allowed) ||
			    memcmp(&t->address, &pool[k], sizeof(pool[k])) !=
				0);
	}
}

static void check_decision(const struct mx_options *o,
			   const struct mx_decision *d)
{
	size_t kept = 0;

	FUZZ_CHECK((d->choice == MX_TRY) == (d->n_tries > 0));
	FUZZ_CHECK(d->choice == mx_reason_choice(d->reason));
	for (size_t i = 0; i < d->n_hosts; i++) {
		const struct mx_judged *j = &d->hosts[i];

		FUZZ_CHECK((size_t)j->fate < MX_FATES && j->host != NULL);
		kept += j->fate == MX_KEPT;
		FUZZ_CHECK(d->choice != MX_FAIL ||
			   j->host->preference >= own_preference(d) ||
			   !might_have_address(o, j->host));
	}
	FUZZ_CHECK(kept <=
		   (o->max_hosts > 0 ? o->max_hosts : MX_HOSTS_DEFAULT));
	check_tries(o, d);
}

FUZZ(data, size)
{
	struct bytes b = { data, size };
	struct arena *a = arena_new();
	const struct slice own_name = SLICE("me");
	unsigned flags = next(&b);
	struct mx_options o = {
		.port = flags & 1 ? 24 : 25,
		.is_mx_forbidden = flags & 2,
		.is_local_allowed = flags & 4,
		.is_v6_first = flags & 8,
		.is_wks_wanted = flags & 16,
		.is_v4_useless = flags & 32,
		.is_v6_useless = flags & 64,
		.max_hosts = next(&b) % 5,
		.max_addresses = next(&b) % 5,
		.choose = choose,
		.context = &b,
	};
	struct mx_facts f = {
		.domain = name_of(next(&b)),
		.lookup = (enum mx_lookup)(next(&b) % 6),
		.is_in_hosts = flags & 128,
		.n = next(&b) % 140,
		.own_names = &own_name,
		.n_own_names = 1,
		.own_addresses = &pool[OWN],
		.n_own_addresses = 1,
	};
	struct mx_host **wanted;
	struct mx_decision d;
	struct mx_plan *plan;
	size_t n;

	f.hosts = arena_array(a, f.n, sizeof(*f.hosts));
	for (size_t i = 0; i < f.n; i++) {
		f.hosts[i].name = name_of(next(&b));
		f.hosts[i].preference = (uint16_t)(next(&b) % 16);
	}
	plan = mx_plan_new(&f, &o, a);
	while ((n = mx_plan_wants(plan, &wanted)) > 0)
		for (size_t i = 0; i < n; i++)
			learn(wanted[i], &b, a);
	d = mx_plan_decide(plan);
	check_decision(&o, &d);
	arena_free(a);
	return 0;
}

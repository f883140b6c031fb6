/*
 * mx.c - which hosts, in which order, take the mail of a domain?
 *
 * The plan holds the hosts in the order of trying. Each time something new is
 * known all of them are judged anew, which is cheap and leaves no state that
 * could be stale: addresses first, then who is this host, then who is no
 * better than that (RFC 5321 5.1), then the bounds.
 */
#include "policy/mx.h"

#include <stdlib.h>
#include <string.h>

/* Levels are looked up together until this many hosts are wanted. */
enum { HOSTS_AT_ONCE = 8 };

struct place {
	struct mx_host *host;
	size_t rank; /* its place in the answer */
	unsigned level;
	bool was_wanted;
};

struct mx_plan {
	struct mx_facts facts;
	struct mx_options options;
	struct arena *arena;
	bool is_implicit;   /* the domain is its own host */
	bool is_cut;	    /* there were more exchangers than we look at */
	enum mx_reason end; /* if it is known without addresses */
	struct place *places;
	size_t n;
	struct mx_judged *judged;
	struct mx_host **wanted;
	struct mx_host itself; /* ours to be filled in */
};

static bool is_null_name(const struct mx_host *host)
{
	return host->name.len == 0 || slice_eq(host->name, SLICE("."));
}

/* ---- making a plan ------------------------------------------------------ */

static const enum mx_reason ends[] = {
	[MX_LOOKUP_NXDOMAIN] = MX_NXDOMAIN,
	[MX_LOOKUP_LOOP] = MX_LOOP,
	[MX_LOOKUP_SERVFAIL] = MX_SERVFAIL,
	[MX_LOOKUP_REFUSED] = MX_REFUSED,
	[MX_LOOKUP_RCODE] = MX_RCODE,
	[MX_LOOKUP_MALFORMED] = MX_MALFORMED,
	[MX_LOOKUP_TRUNCATED] = MX_TRUNCATED,
	[MX_LOOKUP_TIMEOUT] = MX_TIMEOUT,
	[MX_LOOKUP_BOGUS] = MX_BOGUS,
	[MX_LOOKUP_INTERRUPTED] = MX_INTERRUPTED,
	[MX_LOOKUP_BAD_NAME] = MX_BAD_NAME,
	[MX_LOOKUP_UNAVAILABLE] = MX_UNAVAILABLE,
};

static bool is_domain_its_own_host(const struct mx_facts *f,
				   const struct mx_options *o)
{
	if (o->is_mx_forbidden || f->lookup == MX_LOOKUP_NODATA)
		return true;
	return f->lookup == MX_LOOKUP_NXDOMAIN && f->is_in_hosts;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->host->preference != y->host->preference)
		return x->host->preference < y->host->preference ? -1 : 1;
	return x->rank < y->rank ? -1 : 1;
}

/* Fisher and Yates: every order is as likely as any other. */
static void shuffle(struct place *p, size_t n, const struct mx_options *o)
{
	for (size_t i = n; o->choose != NULL && i > 1; i--) {
		size_t with = o->choose(o->context, i);
		struct place last = p[i - 1];

		p[i - 1] = p[with];
		p[with] = last;
	}
}

static void order_exchangers(struct mx_plan *plan)
{
	const struct mx_facts *f = &plan->facts;
	unsigned level = 0;
	size_t begin = 0;

	for (size_t i = 0; i < f->n; i++)
		plan->places[i] =
		    (struct place){ .host = &f->hosts[i], .rank = i };
	qsort(plan->places, f->n, sizeof(*plan->places), compare_places);
	for (size_t i = 1; i <= f->n; i++) {
		if (i < f->n && plan->places[i].host->preference ==
				    plan->places[begin].host->preference)
			continue;
		shuffle(plan->places + begin, i - begin, &plan->options);
		for (size_t k = begin; k < i; k++)
			plan->places[k].level = level;
		level++;
		begin = i;
	}
	plan->is_cut = f->n > MX_RECORDS_MAX;
	plan->n = plan->is_cut ? MX_RECORDS_MAX : f->n;
}

/* A null MX is one record, or several that all say the same (RFC 7505 3). */
static bool is_null_mx(const struct mx_facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!is_null_name(&f->hosts[i]))
			return false;
	return true;
}

struct mx_plan *mx_plan_new(const struct mx_facts *facts,
			    const struct mx_options *options, struct arena *a)
{
	struct mx_plan *plan = ARENA_NEW(a, struct mx_plan);
	size_t room = facts->n > 0 ? facts->n : 1;

	plan->facts = *facts;
	plan->options = *options;
	plan->arena = a;
	plan->places = arena_array(a, room, sizeof(*plan->places));
	plan->judged = arena_array(a, room, sizeof(*plan->judged));
	plan->wanted = arena_array(a, room, sizeof(struct mx_host *));
	if (is_domain_its_own_host(facts, options)) {
		plan->is_implicit = true;
		plan->itself = facts->itself;
		plan->itself.name = facts->domain;
		plan->places[0].host = &plan->itself;
		plan->n = 1;
	} else if (facts->lookup == MX_LOOKUP_NONE) {
		plan->end = MX_UNAVAILABLE;
	} else if (facts->lookup != MX_LOOKUP_OK) {
		plan->end = ends[facts->lookup];
	} else if (is_null_mx(facts)) {
		plan->end = MX_NULL;
	} else {
		order_exchangers(plan);
	}
	return plan;
}

/* ---- judging ------------------------------------------------------------ */

static bool is_temporary(enum mx_lookup lookup)
{
	return lookup == MX_LOOKUP_NONE || lookup > MX_LOOKUP_LOOP;
}

/* An IPv4-mapped IPv6 address is the IPv4 it carries. */
static struct target_address unmapped(const struct target_address *t)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct target_address v4 = { .is_v6 = false };

	if (!t->is_v6 || memcmp(t->bytes, mapped, sizeof(mapped)) != 0)
		return *t;
	memcpy(v4.bytes, t->bytes + sizeof(mapped), 4);
	return v4;
}

static bool is_link_local(const struct target_address *address)
{
	struct target_address t = unmapped(address);

	if (t.is_v6)
		return t.bytes[0] == 0xfe && (t.bytes[1] & 0xc0) == 0x80;
	return t.bytes[0] == 169 && t.bytes[1] == 254;
}

static bool is_same_address(const struct target_address *a,
			    const struct target_address *b)
{
	struct target_address x = unmapped(a), y = unmapped(b);

	return x.is_v6 == y.is_v6 &&
	       memcmp(x.bytes, y.bytes, x.is_v6 ? 16 : 4) == 0;
}

static bool is_own_address(const struct mx_facts *f,
			   const struct target_address *t)
{
	for (size_t i = 0; i < f->n_own_addresses; i++)
		if (is_same_address(t, &f->own_addresses[i]))
			return true;
	return false;
}

static enum mx_fate judge_address(const struct mx_plan *plan,
				  const struct target_address *t)
{
	const struct mx_options *o = &plan->options;
	struct target_facts facts = {
		.address = *t,
		.port = o->port,
		.is_local_allowed = o->is_mx_forbidden && o->is_local_allowed,
	};
	struct target_decision decision = target_decide(&facts);

	/* That it is loopback says more than that it is ours. */
	if (decision.reason == TARGET_LOOPBACK)
		return MX_IS_LOOPBACK;
	if (decision.reason == TARGET_INVALID)
		return MX_IS_INVALID;
	facts.is_own = is_own_address(&plan->facts, t);
	decision = target_decide(&facts);
	if (decision.reason == TARGET_SELF)
		return MX_IS_SELF;
	if (decision.reason == TARGET_OK && is_link_local(t))
		return MX_IS_LINK_LOCAL;
	if (t->is_v6 ? o->is_v6_useless : o->is_v4_useless)
		return MX_IS_OF_NO_FAMILY;
	return MX_KEPT;
}

/* Does the name of a host mean this one? Not where addresses do not count. */
static bool is_own_name(const struct mx_plan *plan, const struct mx_host *host)
{
	const struct mx_facts *f = &plan->facts;
	const struct mx_options *o = &plan->options;

	if (o->port != 25 || (o->is_mx_forbidden && o->is_local_allowed))
		return false;
	for (size_t i = 0; i < f->n_own_names; i++) {
		struct slice own = f->own_names[i];

		if (own.len > 0 && (slice_eq_nocase(own, host->name) ||
				    slice_eq_nocase(own, host->canonical)))
			return true;
	}
	return false;
}

/* What is known of one host, the others apart. */
static struct mx_judged judge_host(const struct mx_plan *plan,
				   const struct mx_host *host)
{
	enum mx_fate *fates = arena_array(plan->arena, host->n, sizeof(*fates));
	struct mx_judged j = { .host = host, .addresses = fates };
	bool is_self = is_own_name(plan, host), is_usable = false;

	for (size_t i = 0; i < host->n; i++) {
		fates[i] = judge_address(plan, &host->addresses[i]);
		is_self = is_self || fates[i] == MX_IS_SELF;
		is_usable = is_usable || fates[i] == MX_KEPT;
	}
	if (is_null_name(host))
		j.fate = MX_IS_NULL;
	else if (is_self)
		j.fate = MX_IS_SELF;
	else if (plan->options.is_wks_wanted && host->wks == MX_WKS_NO_SMTP)
		j.fate = MX_IS_WITHOUT_SMTP;
	else if (plan->options.is_wks_wanted && host->wks == MX_WKS_AGAIN)
		j.fate = MX_IS_UNKNOWN;
	else if (is_usable)
		j.fate = MX_KEPT;
	else if (is_temporary(host->v4) || is_temporary(host->v6))
		j.fate = MX_IS_UNKNOWN;
	else if (host->n > 0)
		j.fate = MX_IS_UNUSABLE;
	else
		j.fate = MX_IS_ABSENT;
	return j;
}

static size_t max_hosts(const struct mx_plan *plan)
{
	return plan->options.max_hosts > 0 ? plan->options.max_hosts
					   : MX_HOSTS_DEFAULT;
}

static bool is_unasked(const struct mx_host *host)
{
	return host->v4 == MX_LOOKUP_NONE && host->v6 == MX_LOOKUP_NONE &&
	       !is_null_name(host);
}

/*
 * Judges all hosts of the plan. Returns how many will be tried; *ret_level is
 * the level of this host, or UINT_MAX.
 */
static size_t judge(struct mx_plan *plan, unsigned *ret_level)
{
	size_t max = max_hosts(plan), kept = 0;
	unsigned self = (unsigned)-1;

	for (size_t i = 0; i < plan->n; i++) {
		plan->judged[i] = judge_host(plan, plan->places[i].host);
		if (plan->judged[i].fate == MX_IS_SELF &&
		    plan->places[i].level < self)
			self = plan->places[i].level;
	}
	for (size_t i = 0; i < plan->n; i++) {
		struct mx_judged *j = &plan->judged[i];

		if (plan->places[i].level >= self) {
			if (j->fate != MX_IS_SELF)
				j->fate = MX_IS_BEHIND_SELF;
		} else if (j->fate == MX_KEPT && kept++ >= max) {
			j->fate = MX_IS_TOO_MUCH;
		} else if (kept >= max && is_unasked(j->host)) {
			j->fate = MX_IS_TOO_MUCH;
		}
	}
	*ret_level = self;
	return kept < max ? kept : max;
}

size_t mx_plan_wants(struct mx_plan *plan, struct mx_host ***ret)
{
	size_t max = max_hosts(plan), n = 0, kept;
	unsigned self;

	if (plan->end != MX_FOUND)
		return 0;
	kept = judge(plan, &self);
	for (size_t i = 0; i < plan->n; i++) {
		struct place *p = &plan->places[i];
		bool is_new_level =
		    i == 0 || p->level != plan->places[i - 1].level;

		if (p->level >= self ||
		    (is_new_level && (n >= HOSTS_AT_ONCE || kept >= max)))
			break;
		if (p->was_wanted || !is_unasked(p->host))
			continue;
		p->was_wanted = true;
		plan->wanted[n++] = p->host;
	}
	*ret = plan->wanted;
	return n;
}

/* ---- deciding ----------------------------------------------------------- */

/* The reason for a host with addresses none of which can be used. */
static enum mx_reason unusable_reason(const struct mx_judged *j)
{
	static const struct {
		enum mx_fate fate;
		enum mx_reason reason;
	} order[] = {
		{ MX_IS_OF_NO_FAMILY, MX_NO_FAMILY },
		{ MX_IS_LOOPBACK, MX_TO_LOOPBACK },
		{ MX_IS_LINK_LOCAL, MX_TO_LINK_LOCAL },
		{ MX_IS_INVALID, MX_TO_INVALID },
	};

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (size_t i = 0; i < j->host->n; i++)
			if (j->addresses[i] == order[k].fate)
				return order[k].reason;
	return MX_TO_INVALID;
}

/* Why the domain as its own host cannot be tried. */
static enum mx_reason implicit_reason(const struct mx_plan *plan)
{
	const struct mx_judged *j = &plan->judged[0];
	const struct mx_host *host = j->host;

	switch (j->fate) {
	case MX_IS_SELF:
		return MX_TO_SELF;
	case MX_IS_WITHOUT_SMTP:
		return MX_NO_SMTP_SERVICE;
	case MX_IS_UNUSABLE:
		return unusable_reason(j);
	case MX_IS_ABSENT:
		break;
	default:
		return MX_ADDRESS_AGAIN;
	}
	if (host->v4 == MX_LOOKUP_LOOP || host->v6 == MX_LOOKUP_LOOP)
		return MX_LOOP;
	if (plan->options.is_mx_forbidden)
		return MX_FORBIDDEN;
	if (host->v4 != MX_LOOKUP_NXDOMAIN && host->v6 != MX_LOOKUP_NXDOMAIN)
		return MX_NO_DATA;
	return slice_has(host->name, '_') ? MX_UNDERSCORE : MX_NO_NAME;
}

static const struct mx_judged *find_fate(const struct mx_plan *plan,
					 enum mx_fate fate)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->judged[i].fate == fate)
			return &plan->judged[i];
	return NULL;
}

/* Is there a host all of whose addresses are of a family we have not? */
static bool is_family_missing(const struct mx_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->judged[i].fate == MX_IS_UNUSABLE &&
		    unusable_reason(&plan->judged[i]) == MX_NO_FAMILY)
			return true;
	return false;
}

/*
 * Why no exchanger can be tried. Those no better than this host do not count;
 * of the others, first whatever may change by itself.
 */
static enum mx_reason exchangers_reason(const struct mx_plan *plan)
{
	const struct mx_judged *j;

	if (find_fate(plan, MX_IS_UNKNOWN) != NULL)
		return MX_EXCHANGERS_AGAIN;
	if (is_family_missing(plan))
		return MX_NO_FAMILY;
	if (find_fate(plan, MX_IS_SELF) != NULL)
		return MX_BEST_IS_SELF;
	if (plan->is_cut)
		return MX_EXCHANGERS_AGAIN;
	j = find_fate(plan, MX_IS_UNUSABLE);
	if (j != NULL)
		return unusable_reason(j);
	if (find_fate(plan, MX_IS_WITHOUT_SMTP) != NULL)
		return MX_NO_SMTP_SERVICE;
	return MX_NO_EXCHANGER_ADDRESS;
}

/* Of a host with too many addresses, leaves some of each family. */
static void bound_addresses(const struct mx_plan *plan,
			    const struct mx_host *host, enum mx_fate *fates)
{
	size_t max = plan->options.max_addresses, n[2] = { 0, 0 }, room[2];

	if (max == 0)
		max = MX_ADDRESSES_DEFAULT;
	for (size_t i = 0; i < host->n; i++)
		n[host->addresses[i].is_v6] += fates[i] == MX_KEPT;
	if (n[0] + n[1] <= max)
		return;
	room[0] = n[1] < max / 2 ? max - n[1] : max - max / 2;
	room[1] = n[0] < room[0] ? max - n[0] : max - room[0];
	for (size_t i = 0; i < host->n; i++) {
		size_t *left = &room[host->addresses[i].is_v6];

		if (fates[i] != MX_KEPT)
			continue;
		if (*left == 0)
			fates[i] = MX_IS_TOO_MUCH;
		else
			--*left;
	}
}

static void add_family(const struct mx_plan *plan, size_t place, bool is_v6,
		       struct mx_decision *d)
{
	const struct mx_judged *j = &plan->judged[place];

	if (j->fate != MX_KEPT)
		return;
	for (size_t i = 0; i < j->host->n; i++)
		if (j->addresses[i] == MX_KEPT &&
		    j->host->addresses[i].is_v6 == is_v6)
			d->tries[d->n_tries++] = (struct mx_try){
				.address = j->host->addresses[i],
				.host = j->host,
				.level = plan->places[place].level,
			};
}

/* Lists the addresses: level by level, in each one family, then the other. */
static void list_tries(struct mx_plan *plan, struct mx_decision *d)
{
	bool v6_first = plan->options.is_v6_first;
	size_t room = 0, end;

	for (size_t i = 0; i < plan->n; i++) {
		struct mx_judged *j = &plan->judged[i];
		size_t size = j->host->n * sizeof(*j->addresses);
		enum mx_fate *fates = arena_alloc(plan->arena, size);

		if (size > 0)
			memcpy(fates, j->addresses, size);
		bound_addresses(plan, j->host, fates);
		j->addresses = fates;
		room += j->host->n;
	}
	d->tries = arena_array(plan->arena, room, sizeof(*d->tries));
	for (size_t begin = 0; begin < plan->n; begin = end) {
		end = begin;
		while (end < plan->n &&
		       plan->places[end].level == plan->places[begin].level)
			end++;
		for (size_t i = begin; i < end; i++)
			add_family(plan, i, v6_first, d);
		for (size_t i = begin; i < end; i++)
			add_family(plan, i, !v6_first, d);
	}
}

struct mx_decision mx_plan_decide(struct mx_plan *plan)
{
	struct mx_decision d = {
		.reason = plan->end,
		.is_implicit = plan->is_implicit,
		.hosts = plan->judged,
		.n_hosts = plan->n,
	};
	unsigned self;

	if (plan->end != MX_FOUND)
		d.n_hosts = 0;
	else if (judge(plan, &self) > 0)
		list_tries(plan, &d);
	else
		d.reason = plan->is_implicit ? implicit_reason(plan)
					     : exchangers_reason(plan);
	d.choice = mx_reason_choice(d.reason);
	return d;
}

static bool is_among(struct slice name, const struct slice *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].len > 0 && slice_eq_nocase(names[i], name))
			return true;
	return false;
}

bool mx_is_best(const struct mx_facts *facts, struct slice host)
{
	unsigned best = UINT16_MAX + 1u;
	bool is_there = false;

	if (facts->lookup == MX_LOOKUP_NODATA)
		return slice_eq_nocase(facts->domain, host);
	if (facts->lookup != MX_LOOKUP_OK)
		return false;
	for (size_t i = 0; i < facts->n; i++)
		if (facts->hosts[i].preference < best)
			best = facts->hosts[i].preference;
	for (size_t i = 0; i < facts->n; i++) {
		const struct mx_host *one = &facts->hosts[i];

		if (one->preference != best || is_null_name(one))
			continue;
		if (is_among(one->name, facts->own_names, facts->n_own_names))
			return false;
		is_there |= slice_eq_nocase(one->name, host);
	}
	return is_there;
}

/*
 * route.c - from a destination to the addresses that are tried.
 */
#include "smtpta/route.h"

#include "net/conn.h"
#include "net/idn.h"
#include "net/lookup.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static struct route failed(struct arena *a, enum fate fate, const char *reason,
			   const char *status, struct slice diagnostic)
{
	struct diag *d = ARENA_NEW(a, struct diag);

	d->fate = fate;
	d->reason = reason;
	d->status = slice_of(status);
	d->diagnostic = arena_printf(a, "smtp; %.*s", SLICE_ARG(diagnostic));
	d->text = d->diagnostic;
	return (struct route){ .failure = d };
}

static struct route one_address(struct net_addr addr, struct arena *a)
{
	struct str name = STR_INIT;
	struct route r = { .addrs = ARENA_NEW(a, struct net_addr),
			   .hosts = ARENA_NEW(a, struct route_host),
			   .n = 1 };

	*r.addrs = addr;
	if (addr.u.any.sa_family == AF_UNIX)
		net_addr_print(&name, &addr);
	else
		net_addr_print_literal(&name, &addr);
	r.hosts->name = arena_dup(a, str_slice(&name));
	str_done(&name);
	return r;
}

static struct route unix_route(struct slice path, struct arena *a)
{
	struct net_addr addr;
	struct err err;

	if (net_unix_addr(path, &addr, &err) < 0)
		return failed(a, FATE_DEFERRED_ALL, "bad-socket-path",
			      "4.3.5 (bad path of a UNIX socket)",
			      arena_printf(a, "466 (%s)", err.text));
	return one_address(addr, a);
}

static struct route literal_route(const struct smtpta_options *o,
				  struct slice destination, struct arena *a)
{
	struct net_addr addr;
	struct route r;
	struct err err;

	if (net_literal_parse(destination, o->port, &addr, &err) < 0)
		return failed(a, FATE_FAILED, "bad-literal",
			      "5.1.2 (bad literal IP address)",
			      arena_printf(a, "500 (%s)", err.text));
	r = one_address(addr, a);
	r.is_literal = true;
	r.site = r.hosts->name;
	return r;
}

/* ---- what this host is -------------------------------------------------- */

struct self {
	struct slice *names;
	struct target_address *addresses;
	size_t n_names, n_addresses;
};

/* Adds what SELFADDRESSES says; there is room. */
static void add_configured(const struct smtpta_options *o, struct self *self)
{
	struct slice rest = o->self_addresses, word;
	struct net_addr addr;

	while (slice_cut(&rest, ',', &word)) {
		word = slice_trim(word);
		if (word.len == 0)
			continue;
		if (smtpta_options_address(word, &addr) &&
		    net_addr_target(&addr, &self->addresses[self->n_addresses]))
			self->n_addresses++;
		else
			self->names[self->n_names++] = word;
	}
}

/* The families that some interface has; both, if nothing is known. */
static void note_families(const struct net_addr *own, size_t n,
			  struct mx_options *how)
{
	bool has_v4 = n == 0, has_v6 = n == 0;

	for (size_t i = 0; i < n; i++) {
		has_v4 |= own[i].u.any.sa_family == AF_INET;
		has_v6 |= own[i].u.any.sa_family == AF_INET6;
	}
	how->is_v4_useless = !has_v4;
	how->is_v6_useless = !has_v6;
}

static void find_self(const struct smtpta_options *o, struct arena *a,
		      struct mx_options *how, struct mx_facts *facts)
{
	struct net_addr *own;
	size_t n_own = net_own_addresses(a, &own), room = 2;
	struct self self = { 0 };

	for (size_t i = 0; i < o->self_addresses.len; i++)
		room += o->self_addresses.p[i] == ',';
	self.names = arena_array(a, room, sizeof(*self.names));
	self.addresses = arena_array(a, n_own + room, sizeof(*self.addresses));
	for (size_t i = 0; i < n_own; i++)
		if (net_addr_target(&own[i], &self.addresses[self.n_addresses]))
			self.n_addresses++;
	/* Elsewhere the name decides nothing, and to find it can take time. */
	if (o->port == 25)
		self.names[self.n_names++] = net_own_name(a);
	add_configured(o, &self);
	note_families(own, n_own, how);
	facts->own_names = self.names;
	facts->n_own_names = self.n_names;
	facts->own_addresses = self.addresses;
	facts->n_own_addresses = self.n_addresses;
}

/* ---- sites -------------------------------------------------------------- */

static int compare_slices(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = n == 0 ? 0 : memcmp(x->p, y->p, n);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Sorts the words, and writes each once. */
static struct slice join(struct slice *words, size_t n, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice kept;

	qsort(words, n, sizeof(*words), compare_slices);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && slice_eq(words[i], words[i - 1]))
			continue;
		if (text.len > 0)
			str_addc(&text, ',');
		str_add(&text, words[i]);
	}
	kept = arena_dup(a, str_slice(&text));
	str_done(&text);
	return kept;
}

static struct slice lower(struct slice name, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice kept;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		str_addc(&text, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
	kept = arena_dup(a, str_slice(&text));
	str_done(&text);
	return kept;
}

/*
 * The best exchangers as the MX records name them, so that neither a lookup
 * that fails nor what this host is makes another site of it.
 */
static struct slice site_of_exchangers(const struct mx_facts *f,
				       struct arena *a)
{
	struct slice *names = arena_array(a, f->n, sizeof(*names));
	unsigned best = UINT16_MAX;
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->hosts[i].preference < best)
			best = f->hosts[i].preference;
	for (size_t i = 0; i < f->n; i++)
		if (f->hosts[i].preference == best)
			names[n++] = lower(f->hosts[i].name, a);
	return join(names, n, a);
}

static struct slice site_of_addresses(const struct route *r, struct arena *a)
{
	struct slice *words = arena_array(a, r->n, sizeof(*words));
	struct str text = STR_INIT;
	struct slice site;

	for (size_t i = 0; i < r->n; i++) {
		str_clear(&text);
		net_addr_print_literal(&text, &r->addrs[i]);
		words[i] = arena_dup(a, str_slice(&text));
	}
	site = join(words, r->n, a);
	str_done(&text);
	return site;
}

/* ---- names -------------------------------------------------------------- */

static struct route no_way(const struct dns_mx_way *way, struct arena *a)
{
	enum mx_reason reason = way->decision.reason;
	struct str text = STR_INIT;
	struct route r;

	mx_reason_print(&text, reason, way->facts.domain);
	r = failed(
	    a,
	    way->decision.choice == MX_FAIL ? FATE_FAILED : FATE_DEFERRED_ALL,
	    mx_reason_word(reason), mx_reason_status(reason), str_slice(&text));
	str_done(&text);
	return r;
}

static struct route route_of(const struct smtpta_options *o,
			     const struct dns_mx_way *way, struct arena *a)
{
	const struct mx_decision *d = &way->decision;
	struct route r = { 0 };

	if (d->choice != MX_TRY)
		r = no_way(way, a);
	r.way = way;
	r.addrs = arena_array(a, d->n_tries, sizeof(*r.addrs));
	r.hosts = arena_array(a, d->n_tries, sizeof(*r.hosts));
	for (; r.n < d->n_tries; r.n++) {
		const struct mx_try *t = &d->tries[r.n];

		r.addrs[r.n] = net_addr_of(&t->address, o->port);
		r.hosts[r.n] =
		    (struct route_host){ t->host->name, .level = t->level };
	}
	if (way->facts.n > 0 && d->reason != MX_NULL)
		r.site = site_of_exchangers(&way->facts, a);
	else
		r.site = site_of_addresses(&r, a);
	return r;
}

/*
 * A name that is the text of an address stands for it, and nobody is asked
 * (RFC 1123 2.1). Unlike a literal it is judged as the address of a name.
 */
static bool is_address_text(struct slice name, struct arena *a,
			    struct mx_facts *facts)
{
	struct target_address *address = ARENA_NEW(a, struct target_address);
	const char *text = arena_cstr(a, name);
	struct mx_host *host = &facts->itself;

	if (slice_has(name, '\0'))
		return false;
	if (inet_pton(AF_INET6, text, address->bytes) == 1)
		address->is_v6 = true;
	else if (inet_pton(AF_INET, text, address->bytes) != 1)
		return false;
	host->v4 = address->is_v6 ? MX_LOOKUP_NODATA : MX_LOOKUP_OK;
	host->v6 = address->is_v6 ? MX_LOOKUP_OK : MX_LOOKUP_NODATA;
	host->addresses = address;
	host->n = 1;
	facts->lookup = MX_LOOKUP_NODATA;
	return true;
}

static void decide_without_asking(const struct mx_options *how, struct arena *a,
				  struct dns_mx_way *way)
{
	way->hosts = ARENA_NEW(a, struct dns_mx_host);
	way->hosts->v4.verdict = way->hosts->v6.verdict =
	    way->hosts->wks.verdict = DNS_UNAVAILABLE;
	way->decision = mx_plan_decide(mx_plan_new(&way->facts, how, a));
}

/* A-labels; false if it cannot be a name. */
static bool read_name(struct slice name, struct arena *a, struct slice *ret)
{
	struct str text = STR_INIT;
	struct err err;
	bool is_good = net_idn_ascii(name, &text, &err) == 0;

	*ret = is_good ? arena_dup(a, str_slice(&text)) : name;
	str_done(&text);
	return is_good;
}

static struct route name_route(const struct smtpta_options *o,
			       struct dns_resolver *r, struct slice name,
			       struct arena *a)
{
	struct dns_mx_way *way = ARENA_NEW(a, struct dns_mx_way);
	struct mx_options how = {
		.port = o->port,
		.is_mx_forbidden = o->no_mx,
		.is_local_allowed = o->allow_local,
		.is_v6_first = o->v6_first,
		.is_wks_wanted = o->check_wks,
		.choose = o->choose,
		.context = o->choose_context,
	};
	bool is_good = read_name(name, a, &way->facts.domain);
	bool is_address;
	struct route route;

	find_self(o, a, &how, &way->facts);
	if (!is_good)
		way->facts.lookup = MX_LOOKUP_BAD_NAME;
	is_address = is_good && is_address_text(name, a, &way->facts);
	if (!is_good || is_address)
		decide_without_asking(&how, a, way);
	else
		dns_mx_find(r, &how,
			    conn_now() + (int64_t)o->dns_timeout * 1000, a,
			    way);
	route = route_of(o, way, a);
	route.is_address = is_address;
	return route;
}

struct route route_find(const struct smtpta_options *o, struct dns_resolver *r,
			struct slice destination, struct arena *a)
{
	struct slice path = smtpta_unix_path(o->forced);

	if (path.len > 0)
		return unix_route(path, a);
	if (o->forced.len > 0)
		destination = o->forced;
	if (net_literal_looks(destination))
		return literal_route(o, destination, a);
	return name_route(o, r, destination, a);
}

struct slice route_remote_mta(const struct route *r, size_t i, struct arena *a)
{
	struct str address = STR_INIT;
	struct slice text = { 0 }, name;

	if (i < r->n) {
		name = r->hosts[i].name;
		if (r->addrs[i].u.any.sa_family == AF_UNIX)
			name = SLICE("localhost");
		net_addr_print(&address, &r->addrs[i]);
		text = arena_printf(a, "%s; %.*s (%s)",
				    r->is_literal ? "X-IP-addr" : "dns",
				    SLICE_ARG(name), str_cstr(&address));
	} else if (r->way != NULL) {
		text = arena_printf(a, "dns; %.*s",
				    SLICE_ARG(r->way->facts.domain));
	}
	str_done(&address);
	return text;
}

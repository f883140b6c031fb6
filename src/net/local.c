/*
 * local.c - where connections come from: -L, BINDADDR and -O source.
 */
#include "net/local.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------ */

static bool is_wildcard(const struct net_addr *addr)
{
	if (addr->u.any.sa_family == AF_INET)
		return addr->u.v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&addr->u.v6.sin6_addr);
}

/* A literal with nothing around it. */
static int parse_literal(struct slice text, struct net_addr *ret)
{
	if (text.len == 0 || text.p[0] != '[' || text.p[text.len - 1] != ']')
		return -1;
	return net_literal_parse(text, 0, ret, NULL);
}

static int set_address(struct slice literal, struct local_end *ret)
{
	struct local_end end = { .form = LOCAL_ADDRESS };

	if (parse_literal(literal, &end.addr) < 0)
		return -1;
	end.family = end.addr.u.any.sa_family;
	*ret = end;
	return 0;
}

/* [ ( "v4" / "v6" ) ":" ] NAME */
static int set_interface(struct slice text, struct local_end *ret)
{
	struct local_end end = { .form = LOCAL_INTERFACE };

	if (slice_starts_nocase(text, SLICE("v4:")))
		end.family = AF_INET;
	else if (slice_starts_nocase(text, SLICE("v6:")))
		end.family = AF_INET6;
	end.name = end.family == AF_UNSPEC ? text : slice_from(text, 3);
	if (end.name.len == 0)
		return -1;
	*ret = end;
	return 0;
}

static int set_name(struct slice text, struct local_end *ret)
{
	if (text.len == 0 || slice_has_control(text) || slice_has(text, ' ') ||
	    slice_has(text, '[') || slice_has(text, ']'))
		return -1;
	*ret = (struct local_end){ .form = LOCAL_NAME, .name = text };
	return 0;
}

int local_parse(struct slice text, struct local_end *ret, struct err *err)
{
	const struct slice iface = SLICE("iface:");
	int r;

	if (slice_eq_nocase(text, SLICE("any")))
		r = set_address(SLICE("[0.0.0.0]"), ret);
	else if (slice_eq_nocase(text, SLICE("any6")))
		r = set_address(SLICE("[IPv6:::]"), ret);
	else if (slice_starts(text, SLICE("[")))
		r = set_address(text, ret);
	else if (slice_starts_nocase(text, iface))
		r = set_interface(slice_from(text, iface.len), ret);
	else
		r = set_name(text, ret);
	if (r < 0)
		return FAIL(err,
			    "%.*s: expected any, any6, an address in brackets, "
			    "iface:NAME or a host name",
			    SLICE_ARG(text));
	return 0;
}

/* ---- pools -------------------------------------------------------------- */

/* One address of a pool: a literal, or what stands in one. */
static int parse_member(struct slice text, struct net_addr *ret)
{
	struct str literal = STR_INIT;
	int r;

	if (slice_starts(text, SLICE("[")))
		return parse_literal(text, ret);
	str_adds(&literal, slice_has(text, ':') ? "[IPv6:" : "[");
	str_add(&literal, text);
	str_addc(&literal, ']');
	r = parse_literal(str_slice(&literal), ret);
	str_done(&literal);
	return r;
}

int local_pool_check(struct slice pool, struct err *err)
{
	struct slice rest = pool, part;
	struct net_addr addr;

	if (pool.len == 0 || pool.p[pool.len - 1] == ',')
		return FAIL(err, "%.*s: an address is missing",
			    SLICE_ARG(pool));
	while (slice_cut(&rest, ',', &part))
		if (parse_member(part, &addr) < 0 || is_wildcard(&addr))
			return FAIL(err, "%.*s: expected an IP address",
				    SLICE_ARG(part));
	return 0;
}

/* One step of FNV-1a, 64 bits. */
static uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * 1099511628211u;
}

static uint64_t hash_name(struct slice name)
{
	uint64_t hash = 14695981039346656037u;

	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	for (size_t i = 0; i < name.len; i++)
		hash = hash_byte(hash, (unsigned char)ascii_lower(name.p[i]));
	return hash;
}

/*
 * How much a member wants the destination with this hash. The last steps mix
 * all bits (a bijection), since FNV leaves the upper ones of two addresses
 * that differ at their end alike.
 */
static uint64_t weigh(uint64_t hash, const struct target_address *member)
{
	size_t len = member->is_v6 ? 16 : 4;

	for (size_t i = 0; i < len; i++)
		hash = hash_byte(hash, member->bytes[i]);
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
	return (hash ^ hash >> 27) * 0x94d049bb133111ebu;
}

bool local_pool_choose(struct slice pool, sa_family_t family,
		       struct slice destination, struct net_addr *ret)
{
	uint64_t name = hash_name(destination), most = 0;
	struct target_address bytes;
	struct net_addr member;
	bool is_found = false;
	struct slice part;

	while (slice_cut(&pool, ',', &part)) {
		uint64_t weight;

		if (parse_member(part, &member) < 0 ||
		    member.u.any.sa_family != family ||
		    !net_addr_target(&member, &bytes))
			continue;
		weight = weigh(name, &bytes);
		if (is_found && weight <= most)
			continue;
		is_found = true;
		most = weight;
		*ret = member;
	}
	return is_found;
}

/* ---- choosing ----------------------------------------------------------- */

static bool is_link_local(const struct sockaddr *addr)
{
	const struct sockaddr_in6 *v6 = (const void *)addr;

	return addr->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

/* Of the interface, up, and good for going far: not a link-local one. */
static bool is_candidate(const struct ifaddrs *i, struct slice name)
{
	return i->ifa_addr != NULL && (i->ifa_flags & IFF_UP) != 0 &&
	       slice_eq_nocase(slice_of(i->ifa_name), name) &&
	       (i->ifa_addr->sa_family == AF_INET ||
		i->ifa_addr->sa_family == AF_INET6) &&
	       !is_link_local(i->ifa_addr);
}

/* Sets *ret_any if there is an address of whatever family. */
static void search_interfaces(const struct ifaddrs *list, struct slice name,
			      sa_family_t family, struct net_addr *ret,
			      bool *ret_any)
{
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		if (!is_candidate(i, name))
			continue;
		*ret_any = true;
		if (i->ifa_addr->sa_family != family)
			continue;
		ret->len =
		    family == AF_INET ? sizeof(ret->u.v4) : sizeof(ret->u.v6);
		memcpy(&ret->u, i->ifa_addr, ret->len);
		return;
	}
}

static int choose_of_interface(const struct local_end *end, sa_family_t family,
			       struct net_addr *ret, struct err *err)
{
	struct ifaddrs *list = NULL;
	struct net_addr found = { 0 };
	bool has_any = false;

	if (getifaddrs(&list) < 0)
		return FAIL_CODE(err, errno, "%s", strerror(errno));
	search_interfaces(list, end->name, family, &found, &has_any);
	freeifaddrs(list);
	/* Asked for by family, the lack of it is a mistake all the same. */
	if (found.len == 0 && (!has_any || end->family == family))
		return FAIL_CODE(err, EADDRNOTAVAIL,
				 "no address of the local interface");
	*ret = found;
	return 0;
}

static struct lookup look_up(const struct local_from *from, struct arena *a)
{
	if (from->lookup != NULL)
		return from->lookup(from->context, from->end.name, a);
	return net_lookup(from->end.name, 0, a);
}

static int choose_of_name(const struct local_from *from, sa_family_t family,
			  struct net_addr *ret, struct err *err)
{
	struct arena *a = arena_new();
	struct lookup found = look_up(from, a);
	struct net_addr addr = { 0 };
	int r = 0;

	for (size_t i = 0; i < found.n && addr.len == 0; i++)
		if (found.addrs[i].u.any.sa_family == family)
			addr = found.addrs[i];
	if (found.verdict != LOOKUP_OK || found.n == 0)
		r = FAIL_CODE(err, EADDRNOTAVAIL,
			      "no address of the local host name");
	else
		*ret = addr;
	arena_free(a);
	return r;
}

int local_choose(const struct local_from *from, sa_family_t family,
		 struct net_addr *ret, struct err *err)
{
	const struct local_end *end = &from->end;

	if (local_pool_choose(from->pool, family, from->destination, ret))
		return 0;
	*ret = (struct net_addr){ 0 };
	if (end->form == LOCAL_NONE ||
	    (family != AF_INET && family != AF_INET6) ||
	    (end->family != AF_UNSPEC && end->family != family))
		return 0;
	if (end->form == LOCAL_INTERFACE)
		return choose_of_interface(end, family, ret, err);
	if (end->form == LOCAL_NAME)
		return choose_of_name(from, family, ret, err);
	*ret = end->addr;
	return 0;
}

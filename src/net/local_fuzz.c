/*
 * local_fuzz.c - any text as a local end and as a pool of addresses.
 *
 * Invariants: a local end that is taken has a form, an address only with that
 * form, of its family and without a port, or a name that is a part of the
 * text; what is refused leaves the result alone. A pool that is taken serves
 * every destination from one of its families at least, always from the same
 * address, whatever the case of the destination's letters, and to check it
 * twice is to check it once; an address more either serves a destination
 * itself or changes nothing.
 */
#include "base/fuzz.h"
#include "net/local.h"

static void check_end(struct slice text)
{
	struct local_end end = { .form = LOCAL_NONE };
	struct err err;

	if (local_parse(text, &end, &err) < 0) {
		FUZZ_CHECK(end.form == LOCAL_NONE);
		FUZZ_CHECK(err.text[0] != '\0');
		FUZZ_CHECK(!slice_has_control(slice_of(err.text)));
		return;
	}
	if (end.form == LOCAL_ADDRESS) {
		FUZZ_CHECK(end.addr.len > 0 && end.name.len == 0);
		FUZZ_CHECK(end.addr.u.any.sa_family == end.family);
		FUZZ_CHECK(net_addr_port(&end.addr) == 0);
		return;
	}
	FUZZ_CHECK(end.form == LOCAL_INTERFACE || end.form == LOCAL_NAME);
	FUZZ_CHECK(end.addr.len == 0 && end.name.len > 0);
	FUZZ_CHECK(end.name.p >= text.p &&
		   end.name.p + end.name.len == text.p + text.len);
}

/* With one address more, of the same family. */
static void check_more(struct slice pool, struct slice name,
		       const struct net_addr *before)
{
	bool is_v6 = before->u.any.sa_family == AF_INET6;
	struct net_addr more = { 0 }, after;
	struct str larger = STR_INIT;
	struct err err;

	str_adds(&larger, is_v6 ? "2001:db8::7," : "192.0.2.7,");
	str_add(&larger, pool);
	FUZZ_CHECK(local_pool_choose(str_slice(&larger),
				     before->u.any.sa_family, name, &after));
	FUZZ_CHECK(net_literal_parse(is_v6 ? SLICE("[IPv6:2001:db8::7]")
					   : SLICE("[192.0.2.7]"),
				     0, &more, &err) == 0);
	FUZZ_CHECK(net_addr_same_host(&after, before) ||
		   net_addr_same_host(&after, &more));
	str_done(&larger);
}

static bool check_family(struct slice pool, sa_family_t family,
			 struct slice name)
{
	struct net_addr addr = { 0 }, again;
	struct str upper = STR_INIT;

	if (!local_pool_choose(pool, family, name, &addr)) {
		FUZZ_CHECK(addr.len == 0);
		return false;
	}
	FUZZ_CHECK(addr.u.any.sa_family == family);
	FUZZ_CHECK(net_addr_port(&addr) == 0);
	for (size_t i = 0; i < name.len; i++)
		str_addc(&upper, ascii_upper(name.p[i]));
	FUZZ_CHECK(local_pool_choose(pool, family, str_slice(&upper), &again));
	FUZZ_CHECK(net_addr_same_host(&addr, &again));
	check_more(pool, name, &addr);
	str_done(&upper);
	return true;
}

/* The destination stands in front of the pool, up to a line feed. */
static void check_pool(struct slice text)
{
	struct slice pool = text, name;
	bool has_v4, has_v6;
	struct err err;

	if (!slice_cut(&pool, '\n', &name))
		return;
	if (local_pool_check(pool, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		return;
	}
	FUZZ_CHECK(local_pool_check(pool, NULL) == 0);
	has_v4 = check_family(pool, AF_INET, name);
	has_v6 = check_family(pool, AF_INET6, name);
	FUZZ_CHECK(has_v4 || has_v6);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);

	check_end(text);
	check_pool(text);
	return 0;
}

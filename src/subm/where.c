/*
 * where.c - which channel, host and user a recipient means.
 */
#include "subm/where.h"

#include "conf/way.h"

#include <sysexits.h>

static struct slice lower(struct slice s, struct arena *a)
{
	char *p = arena_alloc(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_make(p, s.len);
}

int subm_where(const struct subm_request *r, struct slice word, struct arena *a,
	       struct subm_rcpt *ret, struct err *err)
{
	const struct way_map map = {
		.host_name = r->host_name,
		.mail_name = r->mail_name,
		.routes = r->routes,
	};
	struct subm_rcpt rcpt = { 0 };
	struct address address;
	struct way_end end;

	if (r->has_host) { /* a host may know users without a domain */
		if (address_parse(word, "recipient", false, &address, err) < 0)
			return EX_DATAERR;
		rcpt.host = lower(r->host, a);
	} else if (way_begin(&map, word, a, &address, err) < 0) {
		return EX_DATAERR;
	} else if (!address.has_domain) {
		err_set(err, 0,
			"recipient '%.*s' has no domain; name the host"
			" with -h",
			SLICE_ARG(address.text));
		return EX_USAGE;
	} else {
		rcpt.host = lower(address.domain, a);
	}
	rcpt.address = rcpt.original = address.text;
	if (r->channel.p == NULL && !r->has_host) {
		if (way_find(&map, &address, a, &end, err) < 0)
			return EX_CONFIG;
		rcpt.channel = end.channel;
		rcpt.host = end.host;
		rcpt.address = end.user;
	}
	*ret = rcpt;
	return EX_OK;
}

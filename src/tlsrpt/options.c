/*
 * options.c - what the command line of tlsrpt(8) says.
 */
#include "tlsrpt/options.h"

#include "base/interval.h"
#include "base/keyword.h"
#include "net/dns_files.h"
#include "policy/tlsrpt.h"

enum {
	DNS_TIMEOUT_MIN = 5,
	SPREAD_MAX = 24 * 3600,
	TIMEOUT_MAX = 3600,
	ORGANIZATION_MAX = 200
};

struct tlsrpt_options tlsrpt_options_default(void)
{
	return (struct tlsrpt_options){
		.dns = { .mode = DNS_VALIDATE },
		.dns_timeout = 60,
		.timeout = 120,
	};
}

/* ---- -O ----------------------------------------------------------------- */

static bool set_contact(struct tlsrpt_options *o, struct slice value)
{
	if (!tlsrpt_is_address(value))
		return false;
	o->contact = value;
	return true;
}

static bool set_organization(struct tlsrpt_options *o, struct slice value)
{
	if (value.len == 0 || value.len > ORGANIZATION_MAX ||
	    slice_has_control(value))
		return false;
	o->organization = value;
	return true;
}

static bool set_path(const char **to, struct slice value)
{
	if (value.len == 0 || value.p[0] != '/')
		return false;
	*to = value.p;
	return true;
}

static bool set_filter(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->filter, value);
}

static bool set_submit(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->submit, value);
}

static bool set_stsfetch(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->stsfetch, value);
}

static bool set_store(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->store, value);
}

static bool set_timeout(struct tlsrpt_options *o, struct slice value)
{
	unsigned seconds;

	if (!interval_parse(value, &seconds) || seconds == 0 ||
	    seconds > TIMEOUT_MAX)
		return false;
	o->timeout = seconds;
	return true;
}

static bool set_dns_mode(struct tlsrpt_options *o, struct slice value)
{
	o->has_dns_mode = true;
	return dns_mode_read(value, &o->dns.mode);
}

static bool set_dns_servers(struct tlsrpt_options *o, struct slice value)
{
	struct dns_servers servers;

	o->dns.servers = value.p;
	return dns_servers_read(value, &servers, NULL) == 0;
}

static bool set_dns_anchor(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->dns.anchor_file, value);
}

static bool set_dns_hosts(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->dns.hosts, value);
}

static bool set_dns_resolv(struct tlsrpt_options *o, struct slice value)
{
	return set_path(&o->dns.resolv_conf, value);
}

static bool set_dns_timeout(struct tlsrpt_options *o, struct slice value)
{
	unsigned seconds;

	if (!interval_parse(value, &seconds) || seconds < DNS_TIMEOUT_MIN ||
	    seconds > TIMEOUT_MAX)
		return false;
	o->dns_timeout = seconds;
	return true;
}

#define PATH "an absolute path"

static const struct {
	const char *key;
	const char *expected;
	bool (*set)(struct tlsrpt_options *o, struct slice value);
} own_rows[] = {
	{ "contact", "an address", set_contact },
	{ "dns", "validate, trusted or off", set_dns_mode },
	{ "dns-anchor", PATH, set_dns_anchor },
	{ "dns-hosts", PATH, set_dns_hosts },
	{ "dns-resolv", PATH, set_dns_resolv },
	{ "dns-servers", "IP addresses with commas between", set_dns_servers },
	{ "dns-timeout", "an interval from 5s to 1h", set_dns_timeout },
	{ "organization", "a name of at most 200 bytes", set_organization },
	{ "report-filter", PATH, set_filter },
	{ "store", PATH, set_store },
	{ "stsfetch", PATH, set_stsfetch },
	{ "submit", PATH, set_submit },
	{ "timeout", "an interval from 1s to 1h", set_timeout },
};

int tlsrpt_options_own(struct tlsrpt_options *o, struct slice text,
		       struct err *err)
{
	struct slice key = slice_head(text, slice_find(text, '='));
	struct slice value = slice_from(text, key.len + 1);

	for (size_t i = 0; i < COUNT(own_rows); i++) {
		if (!slice_eq(key, slice_of(own_rows[i].key)))
			continue;
		if (key.len < text.len && own_rows[i].set(o, value))
			return 0;
		return FAIL(err, "-O %s: expected %s", own_rows[i].key,
			    own_rows[i].expected);
	}
	return FAIL(err, "-O %.*s: there is no such key", SLICE_ARG(key));
}

const char *tlsrpt_options_key(size_t i)
{
	return i < COUNT(own_rows) ? own_rows[i].key : NULL;
}

/* ---- the others --------------------------------------------------------- */

int tlsrpt_options_day(struct tlsrpt_options *o, struct slice text,
		       struct err *err)
{
	if (!tlsrpt_day_read(text, &o->day))
		return FAIL(err, "--day %.*s: expected YYYY-MM-DD",
			    SLICE_ARG(text));
	o->has_day = true;
	return 0;
}

int tlsrpt_options_domain(struct tlsrpt_options *o, struct slice text,
			  struct err *err)
{
	if (!tlsrpt_is_domain(text))
		return FAIL(err, "--domain %.*s: expected a domain",
			    SLICE_ARG(text));
	o->domain = text;
	return 0;
}

int tlsrpt_options_spread(struct tlsrpt_options *o, struct slice text,
			  struct err *err)
{
	unsigned seconds;

	if (!interval_parse(text, &seconds) || text.len == 0 ||
	    seconds > SPREAD_MAX)
		return FAIL(err,
			    "--spread %.*s: expected an interval up to 24h",
			    SLICE_ARG(text));
	o->spread = seconds;
	return 0;
}

int tlsrpt_options_finish(struct tlsrpt_options *o, struct slice host_name,
			  struct arena *a, struct err *err)
{
	struct slice domain;
	char *lower;

	if (o->contact.len == 0) {
		if (!tlsrpt_is_domain(host_name) || !slice_has(host_name, '.'))
			return FAIL(err,
				    "-O contact= is needed, since this host "
				    "has no full name ('%.*s')",
				    SLICE_ARG(host_name));
		o->contact =
		    arena_printf(a, "postmaster@%.*s", SLICE_ARG(host_name));
	}
	domain = slice_from(o->contact, slice_find_last(o->contact, '@') + 1);
	lower = arena_alloc(a, domain.len + 1);
	for (size_t i = 0; i < domain.len; i++)
		lower[i] = ascii_lower(domain.p[i]);
	o->submitter = slice_make(lower, domain.len);
	if (o->organization.len == 0)
		o->organization = o->submitter;
	return 0;
}

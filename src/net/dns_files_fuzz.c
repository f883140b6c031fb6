/*
 * dns_files_fuzz.c - any text as resolv.conf, hosts, and a list of resolvers.
 *
 * The text before the first newline is also the name that is looked for.
 * Invariants: there is always somebody to ask, and never too many; what is
 * found for a name is of the family asked for; a name that is there for one
 * family is there for the other.
 */
#include "base/fuzz.h"
#include "net/dns_files.h"

static void check_family(const struct dns_answer *answer, bool is_v6)
{
	FUZZ_CHECK((answer->verdict == DNS_OK) == (answer->n > 0));
	for (size_t i = 0; i < answer->n; i++)
		FUZZ_CHECK(answer->records[i].address.is_v6 == is_v6);
}

static void check_servers(const struct dns_servers *s)
{
	FUZZ_CHECK(s->n >= 1 && s->n <= DNS_SERVERS_MAX);
	for (size_t i = 0; i < s->n; i++)
		FUZZ_CHECK(net_addr_port(&s->addrs[i]) > 0);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct slice name = slice_head(text, slice_find(text, '\n'));
	struct dns_answer v4 = { .name = name, .type = DNS_A };
	struct dns_answer v6 = { .name = name, .type = DNS_AAAA };
	struct arena *a = arena_new();
	struct dns_servers servers;
	struct err err;
	bool is_told;

	dns_resolv_conf_read(text, &servers);
	check_servers(&servers);
	if (dns_servers_read(text, &servers, &err) == 0)
		check_servers(&servers);
	else
		FUZZ_CHECK(!slice_has_control(slice_of(err.text)));
	is_told = dns_hosts_answer(text, &v4, a);
	FUZZ_CHECK(is_told == dns_hosts_answer(text, &v6, a));
	if (is_told) {
		check_family(&v4, false);
		check_family(&v6, true);
	}
	FUZZ_CHECK(dns_rule_answer(&v4, a) == dns_rule_answer(&v6, a));
	arena_free(a);
	return 0;
}

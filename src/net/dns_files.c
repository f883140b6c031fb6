/*
 * dns_files.c - resolv.conf(5), hosts(5), and names that never leave the host.
 */
#include "net/dns_files.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "net/dns_wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

/* ---- resolvers ---------------------------------------------------------- */

/* A bare address, IPv6 perhaps with a zone. */
static bool read_address(struct slice text, uint16_t port, struct net_addr *ret)
{
	size_t percent = slice_find(text, '%');
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE] = "";
	struct slice zone_text = slice_from(text, percent + 1);
	struct net_addr addr = { 0 };

	if (percent >= sizeof(host) || zone_text.len >= sizeof(zone) ||
	    slice_has(text, '\0'))
		return false;
	memcpy(host, text.p, percent);
	host[percent] = '\0';
	if (inet_pton(AF_INET, host, &addr.u.v4.sin_addr) == 1) {
		addr.u.v4.sin_family = AF_INET;
		addr.u.v4.sin_port = htons(port);
		addr.len = sizeof(addr.u.v4);
		*ret = addr;
		return percent == text.len;
	}
	if (inet_pton(AF_INET6, host, &addr.u.v6.sin6_addr) != 1)
		return false;
	addr.u.v6.sin6_family = AF_INET6;
	addr.u.v6.sin6_port = htons(port);
	addr.len = sizeof(addr.u.v6);
	if (zone_text.len > 0) {
		memcpy(zone, zone_text.p, zone_text.len);
		addr.u.v6.sin6_scope_id = if_nametoindex(zone);
	}
	*ret = addr;
	return true;
}

/* The next word of a list with blanks or commas between. */
static bool cut_item(struct slice *rest, struct slice *ret)
{
	size_t n = 0;

	while (rest->len > 0 && strchr(" \t,", rest->p[0]) != NULL)
		*rest = slice_from(*rest, 1);
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t' &&
	       rest->p[n] != ',')
		n++;
	*ret = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return n > 0;
}

int dns_servers_read(struct slice list, struct dns_servers *ret,
		     struct err *err)
{
	struct dns_servers servers = { .n = 0 };
	struct slice item;

	while (cut_item(&list, &item)) {
		struct net_addr *to = &servers.addrs[servers.n];

		if (servers.n == DNS_SERVERS_MAX)
			return FAIL(err, "more than %d resolvers",
				    DNS_SERVERS_MAX);
		if (net_literal_looks(item)) {
			if (net_literal_parse(item, DNS_PORT, to, err) < 0)
				return -1;
		} else if (!read_address(item, DNS_PORT, to)) {
			return FAIL(err,
				    "'%.*s' is no address of a resolver "
				    "(wanted 192.0.2.1 or [192.0.2.1]:53)",
				    SLICE_ARG(item));
		}
		servers.n++;
	}
	if (servers.n == 0)
		return FAIL(err, "no resolver is named");
	*ret = servers;
	return 0;
}

void dns_resolv_conf_read(struct slice text, struct dns_servers *ret)
{
	struct slice line, word;

	ret->n = 0;
	while (slice_cut(&text, '\n', &line) && ret->n < DNS_SERVERS_MAX) {
		if (!slice_word(&line, &word) ||
		    !slice_eq(word, SLICE("nameserver")) ||
		    !slice_word(&line, &word))
			continue;
		if (word.len > 0 && word.p[word.len - 1] == '\r')
			word.len--;
		if (read_address(word, DNS_PORT, &ret->addrs[ret->n]))
			ret->n++;
	}
	if (ret->n == 0)
		ret->n = read_address(SLICE("127.0.0.1"), DNS_PORT, ret->addrs);
}

bool dns_servers_are_local(const struct dns_servers *servers)
{
	for (size_t i = 0; i < servers->n; i++) {
		struct target_facts facts = { .port = 25 };

		if (!net_addr_target(&servers->addrs[i], &facts.address) ||
		    target_decide(&facts).reason != TARGET_LOOPBACK)
			return false;
	}
	return true;
}

/* ---- files -------------------------------------------------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool dns_file_refresh(struct dns_file *f, size_t max)
{
	bool has_path = f->path != NULL && f->path[0] != '\0';
	struct stat now = { 0 };
	bool is_there = has_path && stat(f->path, &now) == 0;
	int fd = -1;

	if (f->is_read && f->was_there == is_there &&
	    (!is_there || is_same(&f->seen, &now)))
		return false;
	str_clear(&f->text);
	f->is_read = true;
	f->was_there = is_there;
	f->seen = now;
	/* O_NONBLOCK: a FIFO in its place must not stop us. */
	if (is_there && S_ISREG(now.st_mode))
		fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fd_read_all(fd, (size_t)now.st_size, max, &f->text) < 0)
		str_clear(&f->text);
	fd_close(fd);
	return true;
}

void dns_file_done(struct dns_file *f)
{
	str_done(&f->text);
	f->is_read = false;
}

/* ---- rules -------------------------------------------------------------- */

enum rule { RULE_LOOPBACK, RULE_NOWHERE };

static const struct keyword rules[] = {
	{ "localhost", RULE_LOOPBACK }, /* RFC 6761 6.3 */
	{ "invalid", RULE_NOWHERE },	/* RFC 6761 6.4 */
	{ "onion", RULE_NOWHERE },	/* RFC 7686 2 */
};

static void give_addresses(struct dns_answer *answer,
			   const struct dns_record *records, size_t n,
			   struct arena *a)
{
	answer->verdict = n > 0 ? DNS_OK : DNS_NODATA;
	answer->status = DNS_INDETERMINATE;
	answer->ttl = 0;
	answer->n = n;
	answer->records = arena_array(a, n, sizeof(*records));
	if (n > 0)
		memcpy(answer->records, records, n * sizeof(*records));
}

bool dns_rule_answer(struct dns_answer *answer, struct arena *a)
{
	static const struct dns_record loopback[] = {
		{ .address = { .bytes = { 127, [3] = 1 } } },
		{ .address = { .is_v6 = true, .bytes = { [15] = 1 } } },
	};
	struct slice name = slice_without_dot(answer->name);
	const struct keyword *rule =
	    keyword_find(rules, COUNT(rules),
			 slice_has(name, '.')
			     ? slice_from(name, slice_find_last(name, '.') + 1)
			     : name);
	bool is_v6 = answer->type == DNS_AAAA;

	if (rule == NULL)
		return false;
	answer->origin = DNS_FROM_RULE;
	answer->canonical = answer->name;
	if (rule->value == RULE_LOOPBACK) {
		give_addresses(answer, &loopback[is_v6],
			       is_v6 || answer->type == DNS_A, a);
		return true;
	}
	give_addresses(answer, NULL, 0, a);
	answer->verdict = DNS_NXDOMAIN;
	answer->detail = SLICE("names of this kind do not exist");
	return true;
}

/* ---- hosts -------------------------------------------------------------- */

/* Cuts the next line that has the name off *rest, if there is one. */
static bool cut_host(struct slice *rest, struct slice name,
		     struct slice *ret_address, struct slice *ret_first)
{
	struct slice line, address, word;

	while (slice_cut(rest, '\n', &line)) {
		struct slice first = { 0 };
		struct net_addr addr;
		bool has_it = false;

		line = slice_head(line, slice_find(line, '#'));
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (!slice_word(&line, &address) ||
		    !read_address(address, 0, &addr))
			continue;
		while (slice_word(&line, &word)) {
			if (first.p == NULL)
				first = word;
			has_it = has_it || slice_eq_nocase(word, name);
		}
		if (has_it) {
			*ret_address = address;
			*ret_first = first;
			return true;
		}
	}
	return false;
}

/* Reads the address of a line if it is of the family asked for. */
static bool read_host(struct slice address, bool is_v6, struct dns_record *ret)
{
	struct net_addr addr;

	return read_address(address, 0, &addr) &&
	       net_addr_target(&addr, &ret->address) &&
	       ret->address.is_v6 == is_v6;
}

bool dns_hosts_answer(struct slice text, struct dns_answer *answer,
		      struct arena *a)
{
	struct slice name = slice_without_dot(answer->name), address, first;
	struct slice canonical = { 0 };
	struct dns_record record = { 0 };
	struct str found = STR_INIT; /* of records, one behind the other */

	if (answer->type != DNS_A && answer->type != DNS_AAAA)
		return false;
	while (cut_host(&text, name, &address, &first)) {
		if (canonical.p == NULL)
			canonical = first;
		if (read_host(address, answer->type == DNS_AAAA, &record))
			str_add(&found, slice_make((const char *)&record,
						   sizeof(record)));
	}
	if (canonical.p == NULL)
		return false;
	answer->origin = DNS_FROM_HOSTS;
	answer->canonical = arena_dup(a, canonical);
	give_addresses(answer, (const struct dns_record *)(void *)found.p,
		       found.len / sizeof(record), a);
	str_done(&found);
	return true;
}

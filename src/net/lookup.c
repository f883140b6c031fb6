/*
 * lookup.c - addresses of a host name, by the system's name service.
 */
#include "net/lookup.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <string.h>
#include <sys/utsname.h>

static enum lookup_verdict verdict_of(int code)
{
	switch (code) {
	case 0:
		return LOOKUP_OK;
	case EAI_AGAIN:
		return LOOKUP_AGAIN;
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return LOOKUP_NO_DATA;
	case EAI_NONAME:
		return LOOKUP_NO_NAME;
	default:
		return LOOKUP_FAILED;
	}
}

static void set_addr(struct net_addr *to, const struct sockaddr *from,
		     socklen_t len, uint16_t port)
{
	memcpy(&to->u, from, len);
	to->len = len;
	if (from->sa_family == AF_INET)
		to->u.v4.sin_port = htons(port);
	else
		to->u.v6.sin6_port = htons(port);
}

static size_t collect(const struct addrinfo *list, int family, uint16_t port,
		      struct net_addr *to)
{
	size_t n = 0;

	for (; list != NULL; list = list->ai_next)
		if (list->ai_family == family)
			set_addr(&to[n++], list->ai_addr, list->ai_addrlen,
				 port);
	return n;
}

struct lookup net_lookup(struct slice host, uint16_t port, struct arena *a)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	struct lookup found = { .verdict = LOOKUP_NO_NAME, .detail = "" };
	size_t n = 0;
	int code;

	if (host.len == 0 || slice_has(host, '\0'))
		return found;
	code = getaddrinfo(arena_cstr(a, host), NULL, &hints, &list);
	found.verdict = verdict_of(code);
	found.detail = code != 0 ? gai_strerror(code) : "";
	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
		n++;
	found.addrs = arena_array(a, n, sizeof(*found.addrs));
	found.n = collect(list, AF_INET, port, found.addrs);
	found.n += collect(list, AF_INET6, port, found.addrs + found.n);
	if (list != NULL)
		freeaddrinfo(list);
	if (found.verdict == LOOKUP_OK && found.n == 0)
		found.verdict = LOOKUP_NO_DATA;
	return found;
}

size_t net_own_addresses(struct arena *a, struct net_addr **ret)
{
	struct ifaddrs *list = NULL;
	size_t n = 0;

	*ret = NULL;
	if (getifaddrs(&list) < 0)
		return 0;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		n++;
	*ret = arena_array(a, n, sizeof(**ret));
	n = 0;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			set_addr(&(*ret)[n++], i->ifa_addr,
				 sizeof(struct sockaddr_in), 0);
		else if (i->ifa_addr->sa_family == AF_INET6)
			set_addr(&(*ret)[n++], i->ifa_addr,
				 sizeof(struct sockaddr_in6), 0);
	}
	freeifaddrs(list);
	return n;
}

/* What the resolver makes of a name; the name itself if that is nothing. */
static void make_canonical(const char *node, struct str *to)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME };
	struct addrinfo *list = NULL;

	str_clear(to);
	if (getaddrinfo(node, NULL, &hints, &list) == 0 &&
	    list->ai_canonname != NULL)
		str_adds(to, list->ai_canonname);
	else
		str_adds(to, node);
	if (list != NULL)
		freeaddrinfo(list);
}

struct slice net_own_name(struct arena *a)
{
	/* For the life of the process: a dead resolver holds us up once. */
	static struct str asked, found;
	struct slice node;
	struct utsname u;

	if (uname(&u) < 0)
		return (struct slice){ 0 };
	node = slice_of(u.nodename);
	if (node.len == 0 || slice_has(node, '.'))
		return arena_dup(a, node);
	if (!slice_eq(str_slice(&asked), node)) {
		make_canonical(u.nodename, &found);
		str_clear(&asked);
		str_add(&asked, node);
	}
	return arena_dup(a, str_slice(&found));
}

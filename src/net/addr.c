/*
 * addr.c - network addresses and the literals that name them.
 *
 *	literal = "[" ( IPv4 / ( "IPv6" ( ":" / SP / "." ) IPv6 ) ) "]"
 *		  [ ":" port ]
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static struct slice skip_quote(struct slice text)
{
	return slice_starts(text, SLICE("\"")) ? slice_from(text, 1) : text;
}

bool net_literal_looks(struct slice text)
{
	return slice_starts(skip_quote(text), SLICE("["));
}

static bool parse_v4(const char *text, uint16_t port, struct net_addr *ret)
{
	struct net_addr a = { .len = sizeof(a.u.v4) };

	a.u.v4.sin_family = AF_INET;
	a.u.v4.sin_port = htons(port);
	if (inet_pton(AF_INET, text, &a.u.v4.sin_addr) != 1)
		return false;
	*ret = a;
	return true;
}

static bool parse_v6(const char *text, uint16_t port, struct net_addr *ret)
{
	struct net_addr a = { .len = sizeof(a.u.v6) };

	a.u.v6.sin6_family = AF_INET6;
	a.u.v6.sin6_port = htons(port);
	if (inet_pton(AF_INET6, text, &a.u.v6.sin6_addr) != 1)
		return false;
	*ret = a;
	return true;
}

static bool parse_address(struct slice s, uint16_t port, struct net_addr *ret)
{
	char text[INET6_ADDRSTRLEN];
	bool is_v6 = slice_starts_nocase(s, SLICE("IPv6")) && s.len > 4 &&
		     (s.p[4] == ':' || s.p[4] == ' ' || s.p[4] == '.');

	if (is_v6)
		s = slice_from(s, 5);
	if (s.len == 0 || s.len >= sizeof(text) || slice_has(s, '\0'))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return is_v6 ? parse_v6(text, port, ret) : parse_v4(text, port, ret);
}

int net_literal_parse(struct slice text, uint16_t port, struct net_addr *ret,
		      struct err *err)
{
	struct slice s = skip_quote(text), rest;
	size_t end = slice_find(s, ']');
	uint64_t number = port;

	if (!slice_starts(s, SLICE("[")) || end == s.len)
		return FAIL(err, "bad IP address: %.*s", SLICE_ARG(text));
	rest = slice_from(s, end + 1);
	if (rest.len > 0 && rest.p[rest.len - 1] == '"')
		rest.len--;
	if (rest.len > 0 &&
	    (rest.p[0] != ':' ||
	     !slice_uint(slice_from(rest, 1), UINT16_MAX, &number) ||
	     number == 0))
		return FAIL(err, "bad port behind IP address: %.*s",
			    SLICE_ARG(text));
	if (!parse_address(slice_from(slice_head(s, end), 1), (uint16_t)number,
			   ret))
		return FAIL(err, "bad IP address: %.*s", SLICE_ARG(text));
	return 0;
}

int net_unix_addr(struct slice path, struct net_addr *ret, struct err *err)
{
	struct net_addr a = { 0 };

	if (path.len == 0 || path.len >= sizeof(a.u.local.sun_path) ||
	    slice_has(path, '\0'))
		return FAIL(err, "bad path of a UNIX socket: %.*s",
			    SLICE_ARG(path));
	a.u.local.sun_family = AF_UNIX;
	memcpy(a.u.local.sun_path, path.p, path.len);
	a.len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
	*ret = a;
	return 0;
}

void net_addr_print_plain(struct str *to, const struct net_addr *addr)
{
	char text[INET6_ADDRSTRLEN] = "";

	switch (addr->u.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &addr->u.v4.sin_addr, text, sizeof(text));
		str_adds(to, text);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &addr->u.v6.sin6_addr, text, sizeof(text));
		str_adds(to, text);
		break;
	case AF_UNIX:
		str_addf(to, "UNIX:%s", addr->u.local.sun_path);
		break;
	default:
		str_adds(to, "unknown address");
		break;
	}
}

void net_addr_print(struct str *to, const struct net_addr *addr)
{
	if (addr->u.any.sa_family == AF_INET6)
		str_adds(to, "ipv6 ");
	net_addr_print_plain(to, addr);
}

void net_addr_print_literal(struct str *to, const struct net_addr *addr)
{
	char text[INET6_ADDRSTRLEN] = "";

	switch (addr->u.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &addr->u.v4.sin_addr, text, sizeof(text));
		str_addf(to, "[%s]", text);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &addr->u.v6.sin6_addr, text, sizeof(text));
		str_addf(to, "[IPv6:%s]", text);
		break;
	default:
		str_adds(to, "localhost");
		break;
	}
}

uint16_t net_addr_port(const struct net_addr *addr)
{
	if (addr->u.any.sa_family == AF_INET)
		return ntohs(addr->u.v4.sin_port);
	if (addr->u.any.sa_family == AF_INET6)
		return ntohs(addr->u.v6.sin6_port);
	return 0;
}

bool net_addr_target(const struct net_addr *addr, struct target_address *ret)
{
	struct target_address t = { 0 };

	if (addr->u.any.sa_family == AF_INET) {
		memcpy(t.bytes, &addr->u.v4.sin_addr, 4);
	} else if (addr->u.any.sa_family == AF_INET6) {
		t.is_v6 = true;
		memcpy(t.bytes, &addr->u.v6.sin6_addr, 16);
	} else {
		return false;
	}
	*ret = t;
	return true;
}

struct net_addr net_addr_of(const struct target_address *target, uint16_t port)
{
	struct net_addr a = { 0 };

	if (target->is_v6) {
		a.len = sizeof(a.u.v6);
		a.u.v6.sin6_family = AF_INET6;
		a.u.v6.sin6_port = htons(port);
		memcpy(&a.u.v6.sin6_addr, target->bytes, 16);
	} else {
		a.len = sizeof(a.u.v4);
		a.u.v4.sin_family = AF_INET;
		a.u.v4.sin_port = htons(port);
		memcpy(&a.u.v4.sin_addr, target->bytes, 4);
	}
	return a;
}

/* The four bytes of an IPv4 address, also of one mapped into IPv6; or NULL. */
static const void *v4_bytes(const struct net_addr *addr)
{
	if (addr->u.any.sa_family == AF_INET)
		return &addr->u.v4.sin_addr;
	if (addr->u.any.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&addr->u.v6.sin6_addr))
		return &addr->u.v6.sin6_addr.s6_addr[12];
	return NULL;
}

bool net_addr_same_host(const struct net_addr *a, const struct net_addr *b)
{
	const void *a4 = v4_bytes(a), *b4 = v4_bytes(b);

	if (a4 != NULL || b4 != NULL)
		return a4 != NULL && b4 != NULL && memcmp(a4, b4, 4) == 0;
	if (a->u.any.sa_family != b->u.any.sa_family)
		return false;
	if (a->u.any.sa_family == AF_INET6)
		return memcmp(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr, 16) == 0;
	return strcmp(a->u.local.sun_path, b->u.local.sun_path) == 0;
}

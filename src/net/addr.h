/*
 * addr.h - network addresses and the literals that name them.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/err.h"
#include "base/str.h"
#include "policy/target.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct net_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} u;
	socklen_t len;
};

/* Does text begin like an address literal: '[', perhaps behind a '"'? */
bool net_literal_looks(struct slice text);

/*
 * Reads an address literal: "[192.0.2.1]", "[IPv6:2001:db8::1]" (also
 * "[IPv6 ADDR]" and "[IPv6.ADDR]", the word in any case), each with an
 * optional ":port" behind it; a '"' in front is skipped, and one behind.
 * Without a port, `port` is used. Returns 0, or -1 with err filled.
 */
MUST_USE int net_literal_parse(struct slice text, uint16_t port,
			       struct net_addr *ret, struct err *err);

/* The address of a UNIX socket; fails if the path is empty or too long. */
MUST_USE int net_unix_addr(struct slice path, struct net_addr *ret,
			   struct err *err);

/*
 * Adds an address for logs and reports: "192.0.2.1", "ipv6 2001:db8::1",
 * "UNIX:/path". No port.
 */
void net_addr_print(struct str *to, const struct net_addr *addr);

/* The same without the "ipv6 ", for programs: "2001:db8::1". */
void net_addr_print_plain(struct str *to, const struct net_addr *addr);

/*
 * Adds an address as a literal for EHLO and Remote-MTA (RFC 5321 4.1.3):
 * "[192.0.2.1]", "[IPv6:2001:db8::1]"; "localhost" for a UNIX socket.
 */
void net_addr_print_literal(struct str *to, const struct net_addr *addr);

/* The port of an address; 0 for a UNIX socket. */
uint16_t net_addr_port(const struct net_addr *addr);

/* The address as policy/target.h wants it. False for a UNIX socket. */
MUST_USE bool net_addr_target(const struct net_addr *addr,
			      struct target_address *ret);

/* The same backwards, with a port. */
struct net_addr net_addr_of(const struct target_address *target, uint16_t port);

/*
 * Same host, whatever the ports: same family and same address, where an
 * IPv4-mapped IPv6 address is the IPv4 it carries.
 */
bool net_addr_same_host(const struct net_addr *a, const struct net_addr *b);

#endif

/*
 * lookup.h - addresses of a host name.
 *
 * The system's own name service (/etc/hosts, then DNS), A before AAAA. The
 * call blocks for as long as the system's resolver is configured to wait.
 */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "net/addr.h"

enum lookup_verdict {
	LOOKUP_OK,
	LOOKUP_AGAIN,	/* no answer now: temporary */
	LOOKUP_NO_DATA, /* the name exists but has no address */
	LOOKUP_NO_NAME, /* there is no such name, or so it is said */
	LOOKUP_FAILED	/* anything else: temporary */
};

struct lookup {
	enum lookup_verdict verdict;
	const char *detail;	/* the resolver's words; static */
	struct net_addr *addrs; /* in the arena; IPv4 first */
	size_t n;
};

/* Looks up the addresses of host; each gets `port`. */
struct lookup net_lookup(struct slice host, uint16_t port, struct arena *a);

/* This host's own addresses (every interface's), in the arena. */
size_t net_own_addresses(struct arena *a, struct net_addr **ret);

/*
 * This host's name: uname's node name, made canonical through the resolver
 * if it has no dot; that is asked once in the life of a process, whatever the
 * answer, as long as the node name stays the same. Lives in a.
 */
struct slice net_own_name(struct arena *a);

#endif

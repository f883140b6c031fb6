/*
 * dns_files.h - what the system's files say: resolvers, hosts, and the names
 * that never leave the host.
 *
 * Files are read again when they have changed (looked at before each
 * question). A file that is missing or cannot be read is an empty one.
 */
#ifndef NET_DNS_FILES_H
#define NET_DNS_FILES_H

#include "base/err.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/dns.h"

#include <sys/stat.h>

enum {
	DNS_SERVERS_MAX = 8,		 /* resolvers that are asked */
	DNS_HOSTS_MAX = 16 * 1024 * 1024 /* bytes of a hosts file */
};

struct dns_servers {
	struct net_addr addrs[DNS_SERVERS_MAX];
	size_t n;
};

/*
 * Reads a list of resolvers: addresses, and literals with ports (net/addr.h),
 * with blanks or commas between. Port 53 where none is given. Fails on
 * anything else, on an empty list, and on one longer than DNS_SERVERS_MAX.
 */
MUST_USE int dns_servers_read(struct slice list, struct dns_servers *ret,
			      struct err *err);

/*
 * The resolvers of a resolv.conf(5), each from a `nameserver` line; what
 * cannot be read is skipped, and this host stands for none at all. An IPv6
 * address may have a zone ("fe80::1%eth0").
 */
void dns_resolv_conf_read(struct slice text, struct dns_servers *ret);

/* Are all of them on this host (127/8, ::1)? */
bool dns_servers_are_local(const struct dns_servers *servers);

/* A file that is read again when it has changed. */
struct dns_file {
	const char *path; /* borrowed; NULL or "": an empty file */
	struct stat seen;
	bool was_there, is_read;
	struct str text;
};

/*
 * Reads the file if it was not read yet or has changed; at most max bytes of
 * it. True if the text is new.
 */
bool dns_file_refresh(struct dns_file *f, size_t max);

/* Frees the text. */
void dns_file_done(struct dns_file *f);

/*
 * Answers from rules alone, if one applies: "localhost" and names below are
 * loopback, "invalid" and "onion" and names below do not exist. True if the
 * answer is filled.
 */
bool dns_rule_answer(struct dns_answer *answer, struct arena *a);

/*
 * Answers a question for A, AAAA from the text of a hosts(5) file: the
 * addresses of all lines that have the name; NODATA if it has only addresses
 * of the other family. The first name of the first such line is the canonical
 * one. False, changing nothing, if the name is not there or the question is
 * for anything else.
 */
bool dns_hosts_answer(struct slice text, struct dns_answer *answer,
		      struct arena *a);

#endif

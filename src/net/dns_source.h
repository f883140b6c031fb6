/*
 * dns_source.h - the sources that speak to resolvers; for dns.c.
 */
#ifndef NET_DNS_SOURCE_H
#define NET_DNS_SOURCE_H

#include "net/dns_files.h"

/* What both need to know. */
struct dns_upstream {
	struct dns_servers servers;
	bool is_ad_believed;	   /* the stub: AD set means secure */
	const char *anchor_file;   /* validation: borrowed; NULL: the root's */
	bool (*should_stop)(void); /* may be NULL */
};

/*
 * A stub resolver (RFC 1034 5.3.1): asks over UDP, over TCP when an answer
 * was cut off, the next server when one fails. It keeps no answers, since the
 * resolvers do. Given to the caller; up is copied.
 */
struct dns_source *dns_stub_new(const struct dns_upstream *up);

/*
 * libunbound in this process, validating. Its answers are kept for as long as
 * they may be. On failure (the anchor file, mostly) err is filled.
 */
MUST_USE int dns_validator_new(const struct dns_upstream *up,
			       struct dns_source **ret, struct err *err);

/*
 * Can validation work through this source? Asks for the key of the trust
 * anchor; where that gets no answer, asks `plain`, which does not validate,
 * whether anybody is there at all. Remembers in o->memory_dir that it worked,
 * and looks there whether it ever did. Texts live in a.
 */
struct dns_check dns_trial(struct dns_source *source, struct dns_source *plain,
			   const struct dns_options *o, int64_t deadline,
			   struct arena *a);

/* The result of a trial that could not even begin, because of `why`. */
struct dns_check dns_trial_failed(const struct dns_options *o, struct slice why,
				  struct arena *a);

/* The deadline of one wait before should_stop is asked: at most `deadline`. */
int64_t dns_slice_end(int64_t deadline);

#endif

/*
 * tlspolicy.h - what single destinations need of TLS: the file that
 * tls-policy-file of smtp-tls.conf(5) names.
 *
 *	example.org	secure match=.example.org:mx.example.net
 *	.example.org	encrypt protocols=>=TLSv1.3
 *	[192.0.2.1]	fingerprint
 *		match=ab:cd:...
 *	*		may
 *
 * As Postfix's smtp_tls_policy_maps, but that "*" stands for all that have no
 * line of their own. The most exact line is the only one that counts: the
 * destination itself, then the nearest domain above it that is written with a
 * dot in front, then "*". Two lines of one destination are an error, and so is
 * whatever cannot be read: mail must not go in clear because of a slip.
 */
#ifndef CONF_TLSPOLICY_H
#define CONF_TLSPOLICY_H

#include "conf/textfile.h"
#include "conf/tlsterms.h"

enum { TLSPOLICY_FILE_MAX = 64 * 1024 * 1024 };

struct tlspolicy_entry {
	struct slice destination; /* lower case, without a dot at its end */
	unsigned line;		  /* where it begins */
	struct tlsterms terms;
};

/* All zero: no destination has terms of its own. */
struct tlspolicy {
	const char *file; /* borrowed */
	const struct tlspolicy_entry *entries;
	size_t n;
};

/*
 * Reads a policy; all of *ret lives in a, and what base points at must live as
 * long. Returns 0, or -1 with err naming file and line.
 */
MUST_USE int tlspolicy_parse(struct textfile source,
			     const struct tlsterms *base, struct arena *a,
			     struct tlspolicy *ret, struct err *err);

/*
 * The entry of a destination (the recipient's domain or what -F names: a host,
 * a literal in brackets, UNIX:/path), or NULL. Borrowed from the policy.
 */
const struct tlspolicy_entry *tlspolicy_find(const struct tlspolicy *policy,
					     struct slice destination);

#endif

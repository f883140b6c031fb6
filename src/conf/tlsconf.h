/*
 * tlsconf.h - smtp-tls.conf(5): what TLS is to be like, read once.
 *
 *	line = [ WS ] [ keyword [ WS argument [ WS ignored ] ] ] LF
 *
 * "#" or ";" as the first byte that is no blank makes a line a comment.
 * Keywords in any case. A file with a line that cannot be read is of no use as
 * a whole: an agent that went on without it could send in clear what must not
 * go so. Whoever loads it defers all mail then and says why.
 */
#ifndef CONF_TLSCONF_H
#define CONF_TLSCONF_H

#include "conf/tlspolicy.h"

enum {
	TLSCONF_FILE_MAX = 1024 * 1024, /* bytes */
	TLSCONF_LOGLEVEL_MAX = 4
};

/* Where TLS sessions are kept to be resumed. */
enum tlsconf_cache {
	TLSCONF_CACHE_NONE,
	TLSCONF_CACHE_MEMORY, /* by each agent for itself */
	TLSCONF_CACHE_SHARED  /* by all agents of this host */
};

struct tlsconf {
	const char *file; /* "" if there is none; borrowed */
	/* For all destinations that the policy does not name. */
	struct tlsterms terms;
	unsigned loglevel; /* 0 to TLSCONF_LOGLEVEL_MAX */
	bool is_wrapper;   /* TLS from the first byte, no STARTTLS */
	enum tlsconf_cache cache;
	const char *policy_file; /* NULL: none */
	struct tlspolicy policy; /* read by tlsconf_load() */
};

/* What holds without a file: level auto. */
void tlsconf_init(struct tlsconf *ret);

/*
 * Reads smtp-tls.conf but not the policy file that it names. Returns 0, or -1
 * with err naming file and line; a keyword that is unknown or has no argument
 * is told in the words that smtp has always used.
 */
MUST_USE int tlsconf_parse(struct textfile source, struct arena *a,
			   struct tlsconf *ret, struct err *err);

/* Reads the file `name` and the policy file; all but name lives in a. */
MUST_USE int tlsconf_load(const char *name, struct arena *a,
			  struct tlsconf *ret, struct err *err);

/* What holds for one destination. */
struct tlsconf_found {
	struct tls_rule rule;
	struct tls_settings settings;
	/* The line of the policy that says so; NULL: none does. */
	const struct tlspolicy_entry *entry;
};

/*
 * The terms of a destination (the recipient's domain in A-labels, or what -F
 * names). Everything is borrowed from the configuration.
 */
struct tlsconf_found tlsconf_find(const struct tlsconf *conf,
				  struct slice destination);

/* The i-th keyword, or NULL behind the last. */
const char *tlsconf_keyword(size_t i);

/* "none", "memory", "shared". */
const char *tlsconf_cache_word(enum tlsconf_cache cache);

#endif
